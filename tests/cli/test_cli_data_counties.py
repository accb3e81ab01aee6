"""The data commands on releases of counties, as a stranger types them."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner
from county_release import DEATHS, NAMES, api_rows, county_cells, csv_text
from socrata_server import UPDATED, FakeSocrata

from odforecast.cli import main
from odforecast.sources.county import read_county
from odforecast.sources.table import COUNTY_COLUMNS

DAY = "2025-09-07"


def run(*args):
    return CliRunner().invoke(main, ["data", *(str(a) for a in args)])


def said(done):
    return " ".join(done.output.split())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / f"{DAY}.csv"
    path.write_text(csv_text(county_cells(DAY)))
    return path


@pytest.fixture
def store(file, tmp_path):
    folder = tmp_path / "archive"
    earlier = tmp_path / "2025-06-08.csv"
    earlier.write_text(csv_text(county_cells("2025-06-08", 21)))
    done = run("add", file, earlier, "--archive", folder)
    assert done.exit_code == 0, done.output
    assert f"{DAY}.csv: release {DAY} of counties added, 168 rows, months 2023-04 to 2025-03" in (
        said(done)
    )
    assert "holds 2 releases of counties, 2025-06-08 to 2025-09-07" in said(done)
    return folder


def test_add_and_list(store, file):
    again = run("add", file, "--archive", store)
    assert f"release {DAY} of counties was there already, unchanged" in again.output
    done = run("releases", "--archive", store, "--dataset", "counties")
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [
        ["2025-06-08", "2023-04..2024-12", "7"],
        ["2025-09-07", "2023-04..2025-03", "7"],
    ]
    (_, row) = json.loads(run("releases", "--archive", store, "--dataset", "counties",
                              "--json").stdout)  # fmt: skip
    assert (row["rows"], row["hidden_last"], row["shown_last"]) == (168, 1, 6)
    assert (row["basis"], row["file"], row["checks"]) == ("given", f"{DAY}.csv", ["structure"])
    note = run("releases", "--archive", store)
    assert "2 releases of counties: --dataset counties lists them" in said(note)
    shipped = run("releases", "--dataset", "counties")
    assert shipped.stdout.splitlines()[1].split()[:3] == ["2023-10-08", "2020-01..2023-03", "3,142"]
    (store / "states").mkdir()
    none = run("releases", "--archive", store / "states", "--dataset", "counties")
    assert none.exit_code == 1
    assert "holds no release" in none.stderr


def test_inspect(file):
    done = run("inspect", file)
    assert done.exit_code == 0
    text = said(done)
    assert f"release {DAY} (data as of {DAY}, sha256" in text
    assert "7 counties, by residence" in text
    assert "144 counts, 24 of them zero 24 suppressed (1 to 9 deaths) 0 blank" in text
    assert "24 left out: repeat another row" in text
    (facts,) = json.loads(run("inspect", file, "--json").stdout)
    assert (facts["dataset"], facts["suppressed"], facts["largest"]) == ("counties", 24, 242)
    file.write_text(file.read_text().replace(",70,", ",7,", 1))
    refused = run("inspect", file)
    assert refused.exit_code == 1
    assert "REFUSED row 2: deaths '7' is 1 to 9" in " ".join(refused.stdout.split())


def test_check(store, file):
    done = run("check", "--archive", store, "--dataset", "counties")
    assert done.exit_code == 0
    assert f"release {DAY} of counties, 168 rows, against that of 2025-06-08" in said(done)
    assert "county-suppressed: 14 % of the counts are 1 to 9" in said(done)
    of_file = run("check", "--source", file, "--json")
    assert {f["code"] for f in json.loads(of_file.stdout)} == {"county-absent", "county-suppressed"}
    rows = county_cells(DAY)
    rows[30][DEATHS] = "900"
    file.write_text(csv_text(rows))
    # A state stands for its counties.
    for place, code in (("Delaware", 1), ("Delaware/*", 1), ("10003", 1), ("Ohio", 0)):
        assert run("check", "--source", file, "--locations", place).exit_code == code, place
    nowhere = run("check", "--source", file, "--locations", "PR")
    assert "have none of Puerto Rico" in nowhere.stderr
    wrong = run("check", "--source", file)
    assert wrong.exit_code == 1
    assert "contradiction: 10003 2023-10" in said(wrong)
    early = run("check", "--archive", store, "--dataset", "counties", "--as-of", "2025-06-07")
    assert early.exit_code == 1
    assert "of counties of 2025-06-07 or before: the first is 2025-06-08" in early.stderr
    assert "release 2023-10-08 of counties" in said(run("check", "--dataset", "county"))
    odd = run("check", "--dataset", "countys")
    assert "'countys' is not one of states, counties. Did you mean 'counties'?" in odd.output


def test_export(store, file, tmp_path):
    out = tmp_path / "out.csv"
    done = run("export", "--archive", store, "--dataset", "counties", "--out", out)
    assert done.exit_code == 0
    table = read_county(file).table
    lines = out.read_text().splitlines()
    assert lines[0] == ",".join(COUNTY_COLUMNS)
    assert lines[1] == f"{DAY},01001,AL,Autauga,2023-04,14,ok,0,,3"
    assert lines[25] == f"{DAY},01007,AL,Bibb,2023-04,,suppressed,0,,2"
    back = pd.read_csv(out, dtype={"fips": str})
    assert back["deaths"].equals(table["deaths"])
    assert back["fips"].tolist() == table["fips"].tolist()
    assert run("export", "--source", file, "--out", "-").stdout == out.read_text()
    old = run("export", "--archive", store, "--dataset", "counties", "--as-of", "2025-08-01",
              "--out", "-")  # fmt: skip
    assert old.stdout.splitlines()[1].startswith("2025-06-08,01001")
    states = run("export", "--archive", store, "--out", "-")
    assert "no release of the states, which those of counties go with" in states.stderr


def test_ledger(store, file):
    retract = ("retract", DAY, "--archive", store, "--dataset", "counties")
    assert run(*retract, "--reason", "a wrong file").exit_code == 0
    log = run("log", "--archive", store).stdout
    assert "added        2025-06-08" in log
    assert log.count("  counties\n") == 3
    assert {
        row["dataset"] for row in json.loads(run("log", "--archive", store, "--json").stdout)
    } == {"counties"}
    accept = (
        "accept",
        DAY,
        "--archive",
        store,
        "--dataset",
        "counties",
        "--reason",
        "it was right",
    )
    assert run(*accept).exit_code == 0
    file.write_text(csv_text(county_cells(DAY, shift=1)))
    done = run("replace", file, "--archive", store, "--reason", "another count")
    assert done.stdout == f"release {DAY} replaced\n"


def test_fetch(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeSocrata(api_rows(county_cells(DAY)), UPDATED, dataset="gb4e-yj24") as server:
        server.fields = dict.fromkeys(NAMES.values(), "text")
        fetch = ("fetch", "--archive", tmp_path / "a", "--url", server.url)
        done = run(*fetch, "--dataset", "counties")
        assert done.exit_code == 0, done.output
        assert "192 rows downloaded release 2025-09-17 added" in said(done)
        assert "note: 51005 is listed twice, as Alleghany and as Clifton Forge (city)" in said(done)
        again = run(*fetch, "--dataset", "county")
        assert "release 2025-09-17 was there already, unchanged" in said(again)
        out = tmp_path / "rows.json.gz"
        rows = run("fetch", "--url", server.url, "--dataset", "counties", "--out", out)
        assert "192 rows of release 2025-09-17" in said(rows)
    assert read_county(out).table.shape == (168, 10)
