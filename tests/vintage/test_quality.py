"""Each check sees what it is for, leaves a clean release alone, and is explained in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from county_release import DEATHS, county_cells, csv_text
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.geography.places import JURISDICTIONS
from odforecast.names import ALL_DEATHS, ALL_DRUGS
from odforecast.sources.county import read_county
from odforecast.sources.table import PERCENT_SPECIFIED, canonical
from odforecast.vintage.quality import CHECKS, CODES, SEVERITIES, Flag, check

ROOT = Path(__file__).resolve().parents[2]
TABLE = od.bundled().as_of("2025-09-17").table
QUIET = {"north-carolina-2023", "tail-incomplete"}  # what the bundled release has


def found(table: pd.DataFrame, code: str, before: pd.DataFrame | None = None) -> list[Flag]:
    return [f for f in check(canonical(table), before) if f.code == code]


def rows(state: str | None = None, indicator: str = ALL_DRUGS, month: str | None = None):
    mask = TABLE["indicator"] == indicator
    if state:
        mask &= TABLE["state"] == state
    if month:
        mask &= TABLE["month"] == pd.Timestamp(month)
    return mask


def test_the_bundled_release_is_clean() -> None:
    assert {f.code for f in check(TABLE)} == QUIET


@pytest.mark.slow
def test_places_and_months_that_are_missing() -> None:
    (flag,) = found(TABLE.assign(reported=np.nan, status="missing"), "no-reported")
    assert flag.severity == "error"
    without = TABLE[~TABLE["state"].isin(["YC", "OH"])]
    assert [f.location for f in found(without, "ny-without-nyc")] == ["NY"]
    (flag,) = found(without, "missing-location")
    assert "OH, YC" in flag.message
    assert not found(without, "sum-mismatch")  # nothing to compare
    assert not found(TABLE[~TABLE["state"].isin(["YC", "NY"])], "ny-without-nyc")
    puerto_rico = pd.concat([TABLE, TABLE[rows("WY")].assign(state="PR", location="72")])
    assert len(found(puerto_rico, "outside-us")) == 1
    assert not found(puerto_rico, "sum-mismatch")
    (flag,) = found(TABLE[~rows("CA", month="2015-09")], "missing-month")
    assert (flag.location, flag.month) == ("CA", "2015-09")
    for status, places in (("suppressed", []), ("missing", ["WY"])):
        blank = TABLE.copy()
        blank.loc[rows("WY", month="2020-05"), ["reported", "status"]] = [np.nan, status]
        assert [f.location for f in found(blank, "missing-month")] == places


@pytest.mark.parametrize("size", [-400, 400])
def test_a_month_out_of_line_is_seen_with_its_echo(size: int) -> None:
    table = TABLE.copy()
    at = np.flatnonzero(rows("WV"))[60:72]  # one odd month is in twelve sums
    table.loc[at, "reported"] += size
    flags = [f for f in found(table, "jump") if f.location == "WV"]
    assert len(flags) == 1
    assert flags[0].month in (
        f"{table.loc[at[0], 'month']:%Y-%m}",
        f"{TABLE.loc[at[-1] + 1, 'month']:%Y-%m}",
    )
    assert "2 such months" in flags[0].message


@given(st.integers(5, 20_000), st.floats(-0.03, 0.03))
def test_a_steady_trend_is_no_jump(level: int, slope: float) -> None:
    table = TABLE[rows("WV")].copy()
    table["reported"] = np.round(level * np.exp(slope * np.arange(len(table))))
    assert not found(table, "jump")


def test_pending_and_complete() -> None:
    table = TABLE.assign(percent_pending=0.1, percent_complete=100.0)
    last, year_ago = "2025-04", "2024-04"
    table.loc[rows("OK", month=last), "percent_pending"] = 1.25
    table.loc[rows("NC", month=year_ago), "percent_pending"] = 0.4
    deaths = TABLE[rows("OK")].assign(indicator=ALL_DEATHS, reported=40_000.0)
    table = pd.concat([table, deaths])
    flags = {f.location: f for f in found(table, "long-pending")}
    assert {k: f.severity for k, f in flags.items()} == {"OK": "warning", "NC": "note"}
    assert "about 500 records" in flags["OK"].message
    assert "0.40% still are" in flags["NC"].message
    known = table["indicator"] != ALL_DEATHS
    blank = table.assign(
        reported=table["reported"].where(known), status=table["status"].where(known, "missing")
    )
    (flag,) = (f for f in found(blank, "long-pending") if f.location == "OK")
    assert "records beside" not in flag.message

    table = TABLE.assign(percent_complete=99.5)
    table.loc[rows("FL", month=last), "percent_complete"] = 99.4
    table.loc[rows("HI", month=last), "percent_complete"] = 90.0
    table.loc[rows("WV", month="2019-01"), "percent_complete"] = 50.0
    flags = {f.location: f.severity for f in found(table, "complete-low")}
    assert flags == {"FL": "note", "HI": "warning"}


def test_negative_revisions_and_north_carolina_in_2023() -> None:
    before = TABLE.copy()
    before.loc[rows("NC", month="2023-12"), "reported"] *= 1.1
    before.loc[rows("WY", month="2023-12"), "reported"] += 5  # too few to matter
    (flag,) = found(TABLE, "negative-revision", before)
    assert (flag.location, flag.month) == ("NC", "2023-12")
    assert not found(before, "negative-revision", TABLE)
    assert not found(TABLE[TABLE["state"] != "NC"], "north-carolina-2023")
    for month, flagged in (("2022-12", 0), ("2023-01", 1), ("2024-11", 1), ("2024-12", 0)):
        assert len(found(TABLE[rows("NC", month=month)], "north-carolina-2023")) == flagged


def test_drugs() -> None:
    share = TABLE[rows()].assign(indicator=PERCENT_SPECIFIED, reported=95.0, predicted=np.nan)
    share.loc[share["state"].isin(["OH", "PA"]), "reported"] = 80.0
    table = pd.concat([TABLE, share])
    # CDC shows no class of Pennsylvania in the last month.
    assert [f.location for f in found(table, "drugs-unspecified")] == ["OH"]
    assert not found(table, "classes-overlap")  # one class only
    more = TABLE[rows("WV")].assign(indicator="Cocaine (T40.5)")
    assert len(found(pd.concat([TABLE, more]), "classes-overlap")) == 1


def test_every_check_is_explained_in_the_docs() -> None:
    text = (ROOT / "docs" / "reference" / "quality.md").read_text()
    explained = re.findall(r"^\(quality-([a-z0-9-]+)\)=\n### `([a-z0-9-]+)`\n\n\S", text, re.M)
    assert sorted(explained) == sorted((code, code) for code in CODES)
    assert {each.code for each in CHECKS} == set(CODES)
    assert {each.severity for each in CHECKS} == set(SEVERITIES)
    assert {each.dataset for each in CHECKS} == {"", "states", "counties"}
    assert "checks-table" in text  # made of them while the pages are built
    assert Flag("jump", "warning", "WV", None, "").docs == "reference/quality.html#quality-jump"
    assert SEVERITIES == ("error", "warning", "note")


@pytest.mark.slow
def test_real_releases(vsrr: Path) -> None:
    def of(name: str) -> pd.DataFrame:
        return od.read(vsrr / name).table

    old = check(of("2018-09-12.csv"))
    missing = [(f.location, f.month) for f in old if f.code == "missing-month"]
    assert missing == [("CA", "2015-09"), ("WA", "2016-05")]
    before, now = of("2024-12-11.csv.gz"), of("2025-07-16.parquet")
    flags = check(now, before)
    assert not [f for f in flags if f.severity == "error"]
    down = {f.location: f.message for f in flags if f.code == "negative-revision"}
    assert "107,682 then, 106,881 now" in down["US"]
    assert {"NC", "NJ"} <= set(down)
    assert {"OK", "NC", "YC", "NV"} <= {f.location for f in flags if f.code == "long-pending"}
    subset = check(of("2023-04-12_year2022_only.csv"))
    assert {"no-reported", "missing-location", "ny-without-nyc"} <= {f.code for f in subset}


# Counties

DAY = "2025-09-07"
PENDING = "Percentage Of Records Pending Investigation"
NOTE = "HistoricalDataCompletenessNote"
#: What a release of seven counties always has.
FEW = {"county-absent", "county-suppressed"}


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


def test_a_clean_release_of_counties_is_quiet(table):
    states = od.bundled().as_of().table
    assert {f.code for f in check(table(), table(day="2025-06-08"), states)} == FEW
    (absent,) = flags(table(), "county-absent")
    assert "no rows for 3,135 of 3,142 counties (Baldwin County, Alabama" in absent.message
    (hidden,) = flags(table(), "county-suppressed")
    assert "14% of the counts are 1 to 9" in hidden.message
    assert "those of 1 county, beside 1 that had none" in hidden.message


def flags(table, code, **beside):
    return [f for f in check(table, **beside) if f.code == code]


def in_county(name, since=(2000, 1), **changes):
    def change(row):
        if row["COUNTYNAME"] == name and (int(row["Year"]), int(row["Month"])) >= since:
            row.update(changes)

    return change


def all_of(*changes):
    return lambda row: [change(row) for change in changes]


def only_kent_in_june(row):
    if (row["COUNTYNAME"], row["Year"], row["Month"]) == ("Kent", "2024", "6"):
        row[DEATHS] = "900"


LOST = all_of(in_county("New Castle", **{DEATHS: "999"}), in_county("Kent", **{DEATHS: ""}))
PENDING_IN = all_of(
    *(in_county(name, **{PENDING: "2.5"}) for name in ("Kent", "New Castle", "Sussex", "Bibb"))
)
CONNECTICUT = in_county(
    "Autauga", ST_ABBREV="CT", STATE_NAME="Connecticut", COUNTYNAME="Capitol", FIPS="9110",
    STATEFIPS="9", COUNTYFIPS="110",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "code", "places", "words"),
    [
        (LOST, "county-lost-counts", ["US"], "the largest count is 999, and 24 cells of 1 county"),
        (LOST, "county-missing", [], ""),
        (in_county("Kent", **{DEATHS: ""}), "county-missing", ["US"],
         "24 cells of 1 county have no count and no footnote (Kent County, Delaware 24)"),
        (in_county("Kent", **{DEATHS: ""}), "county-lost-counts", [], ""),
        (PENDING_IN, "county-pending", ["DE", "US"], "3 of 3 counties have 1% or more of their "
         "death records pending, up to 2.5%"),
        (in_county("New Castle", (2024, 6), **{DEATHS: "320"}), "county-jump", ["10003"],
         "New Castle County, Delaware: 241 to 320 in a month, 11 times what chance"),
        (in_county("New Castle", (2024, 6), **{DEATHS: "320"}), "contradiction", [], ""),
        (only_kent_in_june, "contradiction", ["10001"], ""),
        # Alabama and Virginia have a few of their counties here: that is no sum over the state.
        (in_county("New Castle", **{DEATHS: "20"}), "county-sums", ["DE"],
         "in 24 months the counties add up to less than 0.7"),
        (in_county("Sussex", **{DEATHS: "80"}), "negative-revision", ["DE"],
         "lower than in the release of 2025-06-08, most in Sussex County, Delaware"),
        (in_county("Kent", **{NOTE: "Under 90%."}), "county-completeness", ["US"],
         "CDC says of 1 county: Under 90%."),
        (CONNECTICUT, "county-connecticut", ["CT"], "its nine planning regions"),
    ],
)  # fmt: skip
def test_each_check_of_counties(table, change, code, places, words):
    beside = {
        "county-sums": {"states": od.bundled().as_of().table},
        "negative-revision": {"before": table(day="2025-06-08")},
    }
    seen = flags(table(change), code, **beside.get(code, {}))
    assert [f.location for f in seen] == places
    assert not seen or words in seen[0].message
    assert all((f.severity == "error") == (code == "contradiction") for f in seen)
    if code == "county-pending":
        assert [f.severity for f in seen] == ["warning", "note"]
        assert seen[1].message.startswith("1 county elsewhere")


@pytest.mark.slow
def test_the_real_release_of_counties(shared):
    found = check(
        read_county(shared / "county" / "2023-10-08.csv.gz").table, None, od.bundled().as_of().table
    )
    assert not [f for f in found if f.severity == "error"]
    assert [f.location for f in found if f.severity == "warning"] == ["US", "NC", "NJ", "TX", "WV"]
    (lost,) = (f for f in found if f.code == "county-lost-counts")
    assert "999, and 185 cells of 7 counties" in lost.message


@pytest.mark.slow
@given(st.sampled_from(JURISDICTIONS), st.integers(0, 123), st.integers(1, 500))
def test_any_changed_cell_breaks_the_sum(state: str, month: int, by: int) -> None:
    table = TABLE.copy()
    at = np.flatnonzero(rows(state))[month]
    table.loc[at, "reported"] += by
    (flag,) = found(table, "sum-mismatch")
    assert flag.severity == "error"
    assert flag.month == f"{table.loc[at, 'month']:%Y-%m}"
    assert "in 1 month the" in flag.message
