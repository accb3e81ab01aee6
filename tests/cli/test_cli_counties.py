"""``odforecast forecast --dataset counties``: table, list, map, page, and no number below 10."""

import json
import re
from pathlib import Path

import exits
import pandas as pd
import pytest
from county_forecasts import county_csv, made_forecast, made_panel, population_csv

import odforecast as od
from odforecast.cli.forecast import county_table, largest_first
from odforecast.vintage.bundle import default_folder

QUICK = ["--model", "county-hub-baseline", "--draws", "60"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return county_csv(tmp_path_factory.mktemp("county") / "2023-10-08.csv")


def run(file, *args, quick=QUICK, code=None):
    words = ("forecast", "--dataset", "counties", "--source", file, *quick, *args)
    return exits.run(*words, code=code)


@pytest.mark.slow
def test_a_states_counties_are_a_table(file):
    done = run(file, "--locations", "Ohio/*", "--rows", "88", quick=["--draws", "60"], code=0)
    text = done.stdout
    assert "by county of residence" in " ".join(text.split())
    known = "the states' counts are known to 2025-08 (release 2026-01-14), and the counties' "
    known += "forecasts follow them"
    assert known in " ".join(done.stderr.split())
    lines = {m[1].strip(): m[2] for m in re.finditer(r"^(\w[\w. ]*?)  +(.*)$", text, re.M)}
    assert {"Franklin", "Cuyahoga", "Vinton", "Adams", "Van Wert"} <= set(lines)
    assert lines["Franklin"].startswith("–")
    assert lines["Vinton"].split()[:3] == ["1–9", "<10", "<10"]
    table = [line for name, line in lines.items() if name in ("Vinton", "Athens", "Allen")]
    for line in table:
        assert not [c for c in re.findall(r"[\d,<≥–]+", line)[:4] if c in set("123456789")]
    names = [name for name in lines if name in ("Stark", "Cuyahoga", "Hamilton")]
    assert names == ["Cuyahoga", "Hamilton", "Stark"]
    assert "Counts below 10 are hidden" in " ".join(text.split())


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return population_csv(tmp_path_factory.mktemp("people") / "population.csv")


@pytest.fixture(scope="module")
def ohio(file, people):
    words = ("--locations", "Ohio/*", "--population", people, "--json")
    return json.loads(run(file, *words, code=0).stdout)["counties"]


@pytest.mark.parametrize("place", ["39035", "Cuyahoga, Ohio", "Cuyahoga County, OH"])
def test_one_county_by_any_of_its_names_is_as_among_others(file, people, ohio, place, tmp_path):
    kept, page = tmp_path / "kept", tmp_path / "x.html"
    words = ("--population", people, "--save", kept, "--exact", "--html", page, "--json")
    said = json.loads(run(file, "--locations", place, *words, code=0).stdout)
    assert said["counties"] == [row for row in ohio if row["location"] == "39035"] != []
    assert (said["meta"]["dataset"], said["meta"]["basis"]) == ("counties", "residence")
    assert od.load_forecast(kept).locations == ("39035",)
    assert "No population of" not in page.read_text(encoding="utf-8")


def test_files_hold_no_number_below_ten_unless_exact(file, tmp_path):
    for name, more in (("a", []), ("b", ["--exact"])):
        out = tmp_path / f"{name}.csv"
        done = run(file, "--table", str(out), "--locations", "Ohio/*", *more, code=0)
        assert f"table: {out} (1,044 rows)" in done.stdout
    plain, exact = (pd.read_csv(tmp_path / f"{n}.csv", dtype={"location": str}) for n in "ab")
    counts = ["low", "low_50", "median", "high_50", "high"]
    assert list(plain) == list(made_forecast().counties())
    assert plain[counts].min().min() >= 10
    assert plain[counts].isna().to_numpy().sum() > 100
    assert exact[counts].notna().all(axis=None)
    assert plain["median"].dropna().equals(exact["median"][plain["median"].notna()])
    assert "not for publication" in " ".join(done.stdout.split())


def test_text_table_files_are_of_one_month(file, tmp_path):
    picture, page = tmp_path / "ohio.svg", tmp_path / "ohio.html"
    words = ("--locations", "Ohio/*", "--until", "2025-04", "--rank", "3", "--plot", picture)
    done = run(file, *words, "--html", page, quick=["--draws", "60"], code=0)
    said = " ".join(done.stdout.split())
    assert "for the 12 months ending in April 2025 the forecast is" in said
    assert "reported 2025-04" in said
    assert "highest counts, 12 months to 2025-04" in said
    assert "2024-03" not in said
    assert "12 months ending April 2025" in picture.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8").replace("beyond March 2024", "")
    assert "The period forecast here ended in April 2025." in text
    assert "March 2024" not in text


def test_cities_that_are_counties_are_told_from_counties():
    both = largest_first(made_forecast(made_panel("MO"), draws=20).counties())
    shown = county_table(both, made_panel("MO"), 0.9, False)
    assert sorted(re.findall(r"^(St\. Louis.*?)  ", shown, re.M)) == ["St. Louis", "St. Louis city"]


def test_report_is_of_states(tmp_path):
    made_forecast(draws=20).save(tmp_path / "kept")
    page = ["--out", str(tmp_path / "x.html")]
    for more in (page, [*page, "--locations", "Ohio"], ["--site", str(tmp_path / "site")]):
        done = exits.run("report", tmp_path / "kept", *more, code=1)
        assert done.stderr.count("\n") == 1
        assert "odforecast forecast --dataset counties --html FILE" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"kept"}


def test_map_page_rates_and_hot_spots(file, people, tmp_path):
    picture, page = tmp_path / "ohio.png", tmp_path / "ohio.html"
    words = ("--population", people, "--rank", "3", "--plot", picture, "--html", page)
    text = run(file, *words, quick=["--draws", "60"], code=0).stdout
    assert "model county (spec" in text
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "among the 3 highest rates, 12 months to 2024-03" in text
    assert "100,000" in text
    html = page.read_text(encoding="utf-8")
    for said in ("in the counties of Ohio", "among the 3 highest", "CDC hides counts of 1 to 9"):
        assert said in html
    assert "The 50% interval is in --table and --json" in " ".join(text.split())


def test_counties_need_no_file():
    words = ["forecast", "--dataset", "counties", "--locations", "Delaware/*", "--draws", "60"]
    done = exits.run(*words, code=0)
    again = exits.run(*words, "--source", "bundled", code=0)
    assert "release 2023-10-08 of counties, through 2023-03" in done.stderr
    assert "release of October 8, 2023" in done.stdout
    assert again.stdout == done.stdout


@pytest.mark.slow
def test_the_code_of_the_page_runs(file, tmp_path, monkeypatch):
    """It needs a release of counties, and none ships: here it finds a made one."""
    monkeypatch.chdir(tmp_path)
    od.Archive(default_folder()).add(file)
    population_csv(Path("population.csv"))
    page = Path(__file__).parents[2] / "docs" / "how-to" / "counties.md"
    blocks = re.findall(r"^:::\{code-block\} python\n(.*?)^:::", page.read_text(), re.M | re.S)
    assert len(blocks) == 3
    space: dict[str, object] = {}
    for block in blocks:
        exec(block.replace("forecast()", "forecast(draws=40)"), space)
    assert {p.name for p in tmp_path.iterdir()} >= {"ohio-counties.png", "rising.png", "rates.png"}
    assert len(space["hot"]) == 88  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_real_release(shared, tmp_path):
    out = tmp_path / "ohio.csv"
    file = shared / "county" / "2023-10-08.csv.gz"
    run(file, "--locations", "Ohio/*", "--table", out, quick=["--draws", "200"], code=0)
    table = pd.read_csv(out, dtype={"location": str, "last": str}).query("horizon == 12")
    last = table.set_index("location")["last"]
    assert (len(table), last["39049"], last["39035"]) == (88, "771", "576")
    hidden = last == "1–9"
    assert hidden.sum() == 18
    ten = table.set_index("location")["p_ten"]
    assert ten[hidden].max() < 0.95 < ten[last == "771"].iloc[0]
