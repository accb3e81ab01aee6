"""Each check of counties sees what it is for, and leaves a clean release alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from county_release import DEATHS, county_cells, csv_text

import odforecast as od
from odforecast.sources.county import read_county
from odforecast.vintage.quality import CODES, check_counties

ROOT = Path(__file__).resolve().parents[2]
DAY = "2025-09-07"
PENDING = "Percentage Of Records Pending Investigation"
NOTE = "HistoricalDataCompletenessNote"
#: What a release of seven counties always has.
QUIET = {"county-absent", "county-suppressed"}


@pytest.fixture
def table(tmp_path):
    def made(change=None, day=DAY):
        rows = county_cells(day)
        for row in rows:
            if change is not None:
                change(row)
        path = tmp_path / "county.csv"
        path.write_text(csv_text(rows))
        return read_county(path).table

    return made


def flags(table, code, **beside):
    return [f for f in check_counties(table, **beside) if f.code == code]


def in_county(name, **changes):
    def change(row):
        if row["COUNTYNAME"] == name:
            row.update(changes)

    return change


def test_a_clean_release_is_quiet(table):
    states = od.bundled().as_of().table
    assert {f.code for f in check_counties(table(), table(day="2025-06-08"), states)} == QUIET
    (absent,) = flags(table(), "county-absent")
    assert "no rows for 3,135 of 3,142 counties (Baldwin County, Alabama" in absent.message
    (hidden,) = flags(table(), "county-suppressed")
    assert "14 % of the counts are 1 to 9" in hidden.message
    assert "those of 1 county, beside 1 that had none" in hidden.message


def test_lost_and_missing_counts(table):
    def one_large_one_blank(row):
        row.update({"New Castle": {DEATHS: "999"}, "Kent": {DEATHS: ""}}.get(row["COUNTYNAME"], {}))

    lost = table(one_large_one_blank)
    (flag,) = flags(lost, "county-lost-counts")
    assert "the largest count is 999, and 24 cells of 1 county" in flag.message
    assert flags(lost, "county-missing") == []
    missing = table(in_county("Kent", **{DEATHS: ""}))
    (flag,) = flags(missing, "county-missing")
    assert "24 cells of 1 county have no count and no footnote (Kent County, Delaware 24)" in (
        flag.message
    )
    assert flags(missing, "county-lost-counts") == []


def test_pending_records(table):
    def pending(row):
        if row["ST_ABBREV"] == "DE" or row["COUNTYNAME"] == "Bibb":
            row[PENDING] = "2.5"

    one, other = flags(table(pending), "county-pending")
    assert (one.location, one.severity) == ("DE", "warning")
    assert "3 of 3 counties have 1 % or more of their death records pending, up to 2.5 %" in (
        one.message
    )
    assert (other.location, other.severity) == ("US", "note")
    assert other.message.startswith("1 county elsewhere")


def test_a_jump_that_is_possible(table):
    def jump(row):
        if row["COUNTYNAME"] == "New Castle" and (int(row["Year"]), int(row["Month"])) >= (2024, 6):
            row[DEATHS] = "320"

    (flag,) = flags(table(jump), "county-jump")
    assert flag.location == "10003"
    assert (
        "New Castle County, Delaware: 241 to 320 in a month, 11 times what chance" in flag.message
    )
    assert not [f for f in check_counties(table(jump)) if f.severity == "error"]


def test_sums_over_a_state(table):
    states = od.bundled().as_of().table
    few = table(in_county("New Castle", **{DEATHS: "20"}))
    found = flags(few, "county-sums", states=states)
    # Alabama and Virginia have a few of their counties here: that is no sum over the state.
    assert [f.location for f in found] == ["DE"]
    assert "in 24 months the counties add up to less than 0.7" in found[0].message


def test_revisions_words_and_connecticut(table):
    down = table(in_county("Sussex", **{DEATHS: "80"}))
    (flag,) = flags(down, "negative-revision", before=table(day="2025-06-08"))
    assert flag.location == "DE"
    assert (
        "lower than in the release of 2025-06-08, most in Sussex County, Delaware" in flag.message
    )
    said = table(in_county("Kent", **{NOTE: "Under 90%."}))
    (flag,) = flags(said, "county-completeness")
    assert flag.message == "CDC says of 1 county: Under 90%."

    def regions(row):
        if row["COUNTYNAME"] == "Autauga":
            row.update(ST_ABBREV="CT", STATE_NAME="Connecticut", COUNTYNAME="Capitol", FIPS="9110",
                       STATEFIPS="9", COUNTYFIPS="110")  # fmt: skip

    (flag,) = flags(table(regions), "county-connecticut")
    assert "its nine planning regions" in flag.message


def test_a_contradiction_is_an_error(table):
    (flag,) = flags(table(lambda row: row.update({DEATHS: "900"} if (
        row["COUNTYNAME"], row["Year"], row["Month"]) == ("Kent", "2024", "6") else {})),
        "contradiction")  # fmt: skip
    assert (flag.severity, flag.location) == ("error", "10001")
    assert flag.docs == "reference/quality.html#quality-contradiction"


def test_every_code_of_counties_is_known():
    source = (ROOT / "src" / "odforecast" / "vintage" / "county_quality.py").read_text()
    raised = set(re.findall(r'^ +"([a-z]+(?:-[a-z]+)+)", "(?:warning|note)', source, re.M))
    assert raised <= set(CODES)
    assert {c for c in CODES if c.startswith("county-")} <= raised


def test_the_real_release(shared):
    found = check_counties(
        read_county(shared / "county" / "2023-10-08.csv.gz").table,
        None,
        od.bundled().as_of().table,
    )
    assert not [f for f in found if f.severity == "error"]
    assert [f.location for f in found if f.severity == "warning"] == ["US", "NC", "NJ", "TX", "WV"]
    (lost,) = (f for f in found if f.code == "county-lost-counts")
    assert "999, and 185 cells of 7 counties" in lost.message
