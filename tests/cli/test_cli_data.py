"""The data commands on releases of states and of counties, and your own archive of them."""

import datetime as dt
import io
import json
import subprocess
import sys
from functools import partial

import pandas as pd
import pytest
from commands import ok, said
from county_release import DEATHS, NAMES, api_rows, county_cells, csv_text
from exits import run
from socrata_server import UPDATED, FakeSocrata, release_rows
from update_server import rows

import odforecast as od
from odforecast.cli import COMMANDS
from odforecast.names import ALL_DRUGS, TABLE_COLUMNS
from odforecast.sources.county import read_county
from odforecast.sources.table import COUNTY_COLUMNS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.bundle import bundled

ROW = f"WV,2024,July,{ALL_DRUGS},1234,1300,99.5+\n"
HEADER = "state,year,month,indicator,data_value,predicted_value,percent_complete\n"
DAY, COUNTY_DAY = "2024-12-11", "2025-09-07"


data = partial(run, "data")
STATE_FACTS = (
    f"{DAY}.csv sha256", "first month 2024-07 last month 2024-07", "rows kept 1", "statuses ok 1,",
    f"indicators {ALL_DRUGS}", "us last none", "lower bounds 1", "note 1 no rows for US, AK",
)  # fmt: skip
COUNTY_FACTS = (
    f"release {COUNTY_DAY} data as of {COUNTY_DAY} rows kept", "left out 24", "counties 7",
    "shown 144 zero 24 suppressed 24 missing 0",
)  # fmt: skip


@pytest.fixture
def file(tmp_path):
    path = tmp_path / f"{DAY}.csv"
    path.write_text(HEADER + ROW)
    return path


@pytest.fixture
def counties(tmp_path):
    path = tmp_path / f"{COUNTY_DAY}.csv"
    path.write_text(csv_text(county_cells(COUNTY_DAY)))
    return path


@pytest.fixture
def store(counties, tmp_path):
    folder, earlier = tmp_path / "counties", tmp_path / "2025-06-08.csv"
    earlier.write_text(csv_text(county_cells("2025-06-08", 21)))
    assert data("add", counties, earlier, "--archive", folder).exit_code == 0
    return folder


def test_help_imports_no_command():
    code = "import sys; from odforecast.cli import main\ntry: main(['--help'])\nexcept SystemExit: "
    code += "assert not {'pandas', 'numpy', 'odforecast.cli.data'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize(
    ("name", "facts", "values", "change", "refusal"),
    [
        ("file", STATE_FACTS, {"rows_kept": 1, "release": DAY}, ("1234", "12x4"),
         "row 2 (WV, 2024, July, Number of Drug Overdose Deaths): data_value '12x4' is not a num"),
        ("counties", COUNTY_FACTS, {"dataset": "counties", "suppressed": 24, "largest": 242},
         (",70,", ",7,"), "row 2 (10001, 2023, 4): Provisional Drug Overdose Deaths '7' is 1 to 9"),
    ],
)  # fmt: skip
def test_what_is_in_files(request, tmp_path, name, facts, values, change, refusal):
    good = request.getfixturevalue(name)
    done = data("check", good, code=0)
    for fact in facts:
        assert fact in said(done)
    wrong = tmp_path / "2025-11-13.csv"
    wrong.write_text(good.read_text().replace(*change, 1))
    done = data("check", wrong, good, code=1)
    assert f"{wrong.name} REFUSED {refusal}" in " ".join(done.stdout.split())
    assert f"\n\n{good.name}\n" in done.stdout
    assert done.stderr == "error: 1 of 2 files refused\n"
    refused, found = json.loads(data("check", wrong, good, "--json", code=1).stdout)
    assert refused["file"] == wrong.name
    assert change[1].strip(",") in refused["error"]
    assert found | values == found
    assert data("check", wrong, good, "--release", DAY).exit_code == 2


@pytest.mark.parametrize(("name", "of"), [("file", ""), ("counties", " of counties")])
def test_add_and_list(request, tmp_path, name, of):
    good = request.getfixturevalue(name)
    day, archive = good.stem, ("--archive", tmp_path / "archive")
    done = data("add", good, *archive, code=0)
    assert f"release {day}{of} added, {168 if of else 1} rows, months 20" in said(done)
    assert f"holds 1 release{of}, {day} to {day}" in said(done)
    again = data("add", good, *archive, code=0)
    assert f"release {day}{of} was there already, unchanged" in said(again)
    text = good.read_text()
    good.write_text(text.replace(",70,", ",71,").replace("1234", "1235"))
    other = data("add", good, *archive, code=1)
    assert other.stderr.startswith(f"error: the archive holds other numbers for release {day}{of}")
    assert other.stderr.count("\n") == 1
    bad, later = tmp_path / "2024-11-13.csv", tmp_path / "2025-12-07.csv"
    bad.write_text("a,b\n1,2\n")
    later.write_text(csv_text(county_cells("2025-12-07", shift=1)) if of else text)
    mixed = data("add", bad, later, *archive, code=1)
    assert "1 of 2 files refused" in mixed.stderr
    assert "holds 2 releases" in mixed.stdout
    listed = (*archive, "--dataset", "counties" if of else "states")
    assert len(data("releases", *listed).stdout.splitlines()) == 3
    row, _ = json.loads(data("releases", *listed, "--json").stdout)
    values = {"rows": 168, "hidden_last": 1, "shown_last": 6} if of else {"rows": 1}
    values |= {"release": day, "basis": "given", "file": good.name, "checks": ["structure"]}
    assert row | values == row
    assert of or row["us_last"] is None
    if of:
        words = "2 releases of counties: --dataset counties lists them"
        assert words in said(data("releases", *archive))
        shipped = data("releases", "--dataset", "counties").stdout.splitlines()[1]
        assert shipped.split()[:3] == ["2023-10-08", "2020-01..2023-03", "3,142"]


def test_a_release_below_titles_is_added_and_own_counts_and_people_are_not(file, tmp_path):
    archive = ("--archive", tmp_path / "archive")
    file.write_text(f"Provisional counts\nAs of {DAY},\n\n{HEADER}{ROW}")
    assert f"release {DAY} added, 1 rows" in said(data("add", file, *archive, code=0))
    own, people = tmp_path / "own.csv", tmp_path / "people.csv"
    own.write_text("Ohio\nMonth of death,Overdose deaths\nMay 2025,182\n")
    people.write_text("Doe,37,Main Street\nRoe,41,High Street\n")
    stderr = data("add", own, people, *archive, code=1).stderr
    assert "a state's own counts, not a release of CDC's; use them in a forecast: odf" in stderr
    assert "it has other columns, or no header" in stderr
    assert "Doe" not in stderr


def test_export(tmp_path):
    out, parquet = tmp_path / "table.csv", tmp_path / "table.parquet"
    assert data("export", "--out", out).exit_code == 0
    head = out.read_text().splitlines()[:2]
    assert head[0] == ",".join(TABLE_COLUMNS)
    assert head[1] == f"2026-01-14,US,US,2015-01,{ALL_DRUGS},47523,48060,100,0.143178356,ok"
    table = bundled().as_of().table
    pd.testing.assert_frame_equal(read_vsrr(out).table, table)
    assert data("export", "--source", out, "--out", "-").stdout == out.read_text()
    assert data("export", "--out", parquet).exit_code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), table)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.csv", "table.parquet"]


def test_export_counties(store, counties):
    export = ("export", "--archive", store, "--out", "-")
    text = data(*export, "--dataset", "counties").stdout
    lines = text.splitlines()
    assert lines[0] == ",".join(COUNTY_COLUMNS)
    assert lines[1] == f"{COUNTY_DAY},01001,AL,Autauga,2023-04,14,ok,0,,3"
    assert lines[25] == f"{COUNTY_DAY},01007,AL,Bibb,2023-04,,suppressed,0,,2"
    table, back = read_county(counties).table, pd.read_csv(io.StringIO(text), dtype={"fips": str})
    assert back["deaths"].equals(table["deaths"])
    assert back["fips"].tolist() == table["fips"].tolist()
    assert data("export", "--source", counties, "--out", "-").stdout == text
    old = data(*export, "--dataset", "counties", "--as-of", "2025-08-01").stdout
    assert old.splitlines()[1].startswith("2025-06-08,01001")
    assert "no release of the states, which those of counties go" in data(*export).stderr


def test_check_counties(store, counties):
    done = data("check", "--archive", store, "--dataset", "counties", code=0)
    assert f"release {COUNTY_DAY} of counties, 168 rows, against that of 2025-06-08" in said(done)
    assert "county-suppressed: 14% of the counts are 1 to 9" in said(done)
    of_file = json.loads(data("check", "--source", counties, "--json").stdout)
    assert {flag["code"] for flag in of_file} == {"county-absent", "county-suppressed"}
    rows = county_cells(COUNTY_DAY)
    rows[30][DEATHS] = "900"
    counties.write_text(csv_text(rows))
    for place, code in (("Delaware", 1), ("Delaware/*", 1), ("10003", 1), ("Ohio", 0)):
        assert data("check", "--source", counties, "--locations", place).exit_code == code, place
    nowhere = data("check", "--source", counties, "--locations", "PR")
    assert "have none of Puerto Rico" in nowhere.stderr
    assert "contradiction: 10003 2023-10" in said(data("check", "--source", counties, code=1))
    early = ("--archive", store, "--dataset", "counties", "--as-of", "2025-06-07")
    said_of = data("check", *early, code=1).stderr
    assert "of counties of 2025-06-07 or before: the first is 2025-06-08" in said_of
    assert "release 2023-10-08 of counties" in said(data("check", "--dataset", "counties"))


def test_fix_counties(store, counties):
    archive = ("--archive", store)
    of = (*archive, "--dataset", "counties", "--reason")
    assert data("fix", "retract", COUNTY_DAY, *of, "a wrong file").exit_code == 0
    rows = json.loads(data("releases", "--log", *archive, "--json").stdout)
    assert [row["dataset"] for row in rows] == ["counties"] * 3
    assert data("fix", "accept", COUNTY_DAY, *of, "it was right").exit_code == 0
    counties.write_text(csv_text(county_cells(COUNTY_DAY, shift=1)))
    done = data("fix", "replace", counties, *archive, "--reason", "another count")
    assert done.stdout == f"release {COUNTY_DAY} replaced\n"


@pytest.mark.parametrize("name", ["states", "counties"])
def test_fetch(tmp_path, monkeypatch, name):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    rows = release_rows() if name == "states" else api_rows(county_cells(COUNTY_DAY))
    id_ = {} if name == "states" else {"dataset": "gb4e-yj24"}
    with FakeSocrata(rows, UPDATED, **id_) as server:
        if name == "counties":
            server.fields = dict.fromkeys(NAMES.values(), "text")
        fetch = ("fetch", "--url", server.url, "--dataset", name)
        archive = ("--archive", tmp_path / "a")
        done = data(*fetch, *archive, code=0)
        assert f"{len(rows):,} rows downloaded" in said(done)
        assert "release 2025-09-17 added" in said(done)
        assert ("51005 is listed twice" in said(done)) == (name == "counties")
        assert "release 2025-09-17 was there already, unchanged" in said(data(*fetch, *archive))
        out = tmp_path / "rows.json.gz"
        since = ("--since", "2025") if name == "states" else ()
        assert "rows of release 2025-09-17" in said(data(*fetch, *since, "--out", out, code=0))
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "rows.json.gz"]
        server.faults["meta"].append("404")
        assert data(*fetch, *archive, code=6).stderr.startswith("error: ")
    assert name == "states" or read_county(out).table.shape == (168, 10)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: Permission denied: /x"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_anything_else_is_one_line(monkeypatch, error, code, words):
    def fail(*args, **options):
        raise error

    monkeypatch.setattr("odforecast.cli.source.Data.open", fail)
    done = data("export", "--out", "-", code=code)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    loud = run("--debug", "data", "export", "--out", "-", code=code)
    assert code != 1 or loud.stderr.startswith("Traceback")
    assert words in loud.stderr


def rows_of(day, last):
    """Rows of a release as CDC might have published it: counts up to a month, some 30% more."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(["US", "OH"]) & (table["month"] <= last)]
    counts = (table[["reported", "predicted"]] * 1.3).round()
    return table.assign(release=day, month=table["month"].dt.strftime("%Y-%m"), **counts)


@pytest.mark.parametrize("how", ["add", "fetch"])
def test_a_release_in_your_own_archive_was_not_used(how, tmp_path, own_archive, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SOCRATA_APP_TOKEN", raising=False)
    forecast = ("forecast", "--model", "naive", "--locations", "US", "--draws", "20")
    before = run(*forecast)
    assert "\nrelease 2026-01-14\n" in f"\n{before.stderr}"
    if how == "add":
        file = tmp_path / "2026-02-11.csv"
        rows_of("2026-02-11", "2025-04").to_csv(file, index=False)
        added = run("data", "add", file, "--accept", "two places of a test", code=0)
        assert f"{own_archive} holds 1 release" in added.stdout
    else:
        updated = int(dt.datetime(2026, 2, 11, 14, tzinfo=dt.UTC).timestamp())
        whole = rows("2025-08", None, known="2026-01-14")
        with FakeSocrata(list(whole), updated=updated) as server:
            done = run("data", "fetch", "--url", server.url, code=0)
        assert f"archive: {own_archive}" in done.stdout
        assert od.Archive(own_archive).last_seen == dt.date(2026, 2, 11)
    after = run(*forecast)
    assert "\nrelease 2026-02-11\n" in f"\n{after.stderr}"
    assert "as of 2026-02-11" in after.stdout
    assert after.stdout != before.stdout
    assert od.archive().as_of().date == dt.date(2026, 2, 11)
    listed = run("data", "releases").stdout.splitlines()[2:]
    assert [x.split()[0] for x in listed] == ["2026-01-14", "2026-02-11"]
    assert run(*forecast, "--source", "bundled").stdout == before.stdout


def test_one_archive_for_all_commands(own_archive, tmp_path):
    rows_of("2024-12-11", "2024-07").to_csv(tmp_path / "2024-12-11.csv", index=False)
    od.Archive(own_archive).add(read_vsrr(tmp_path / "2024-12-11.csv"))
    found = json.loads(ok("data", "revisions", "OH", "--json", "--plot", tmp_path / "r.svg"))
    assert found["meta"]["releases"] == ["2024-12-11", "2025-09-17", "2026-01-14"]
    months = {row["month"]: row for row in found["months"]}
    assert months["2024-07"]["releases"] == 3
    assert months["2025-04"]["first_release"] == "2025-09-17"
    assert "<desc" in (tmp_path / "r.svg").read_text()
    assert "counts appeared" in ok("data", "revisions", "--between", "2024-12-11", "2025-09-17")
    for command in (
        ("data", "check", "--json"), ("data", "export", "--out", "-"),
        ("data", "export", "--monthly", "OH", "--draws", "100", "--out", "-"),
        ("nowcast", "--draws", "20", "--locations", "US", "--as-of", "2025-01-01"),
    ):  # fmt: skip
        ok(*command)
    hub = tmp_path / "naive.csv"
    naive = ("forecast", "--model", "naive", "--draws", "20", "--locations", "US")
    ok(*naive, "--as-of", "2024-12-20", "--out", hub)
    score = ("score", hub, "--min-truth-age", "0", "--json")
    assert json.loads(ok(*score))["meta"]["truth_release"] == "2026-01-14"
    old = run(*score, "--truth-as-of", "2024-12-20")
    assert json.loads(old.stdout)["meta"]["truth_release"] == "2024-12-11"


@pytest.mark.parametrize(
    ("command", "counties"),
    [
        ("forecast --model naive --locations US --draws 20", False),
        ("forecast --dataset counties --model county-last --locations DE/* --draws 20", True),
    ],
)
def test_old_data_are_said_to_be_old(monkeypatch, command, counties):
    more = " --dataset counties" if counties else ""
    release = dt.date(2023, 10, 8) if counties else dt.date(2026, 1, 14)
    until = "February 20, 2024" if counties else "February 28, 2026"
    old = f"The next release was due by {until}: odforecast data fetch{more}."
    age = "4 months" if counties else "6 weeks"
    for past, there in ((0, False), (1, True)):
        day = release + dt.timedelta(days=past + (135 if counties else 45))
        monkeypatch.setattr("odforecast.cli.source.today", lambda day=day: day)
        done = run(*command.split(), code=0)
        assert (f"These data are {age} old. {old}" in said(done)) is there
    assert "old." not in said(run(*command.split(), "--as-of", "2026-01-14", code=0))
