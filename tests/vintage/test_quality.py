"""Each check and each contradiction: sees what it is for, and leaves real releases alone."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from county_release import DEATHS, county_cells, csv_text
from hypothesis import given, settings
from hypothesis import strategies as st

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.names import ALL_DEATHS, ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.sources.county import read_county
from odforecast.sources.table import PERCENT_SPECIFIED, canonical
from odforecast.vintage import quality
from odforecast.vintage.quality import CHECKS, CODES, SEVERITIES, Flag, check, contradictions

ROOT = Path(__file__).resolve().parents[2]
TABLE = od.bundled().as_of("2025-09-17").table
OHIO, TENNESSEE = (TABLE[TABLE["state"] == state] for state in ("OH", "TN"))
LAST = TABLE["month"].max()
BEFORE, LATER = "2025-08-13", "2025-10-15"
NOW = TENNESSEE.assign(predicted=np.nan)
#: Sums hold, and both months of a pair moved: only another release shows it.
TWO = TABLE[TABLE["state"].isin(["OH", "WY"])]
MOVED = {"reported": OHIO["reported"] * 0.4, "predicted": np.nan}
PENDING = "Percentage Of Records Pending Investigation"
NOTE = "HistoricalDataCompletenessNote"


def rows(state=None, indicator=ALL_DRUGS, month=None, table=TABLE):
    mask = table["indicator"] == indicator
    if state:
        mask &= table["state"] == state
    if month:
        mask &= table["month"] == pd.Timestamp(month)
    return mask


def dated(table, day, **changes):
    return table.assign(release=pd.Timestamp(day), **changes)


def bent(state, month, how, indicator=ALL_DRUGS, column="reported", table=TABLE):
    out, at = table.copy(), rows(state, indicator, month, table)
    assert at.sum() == 1
    out.loc[at, column] = how(out.loc[at, column].item())
    return out


def outage(months):
    back = 12 * (LAST.year - TENNESSEE["month"].dt.year) + LAST.month - TENNESSEE["month"].dt.month
    lost = (TENNESSEE["reported"] * (1 - np.maximum(months - back, 0) / 12.0)).round()
    return dated(TENNESSEE, BEFORE, predicted=np.nan, reported=lost)


def fewer(back):
    table = bent("OH", LAST - pd.DateOffset(months=back), lambda x: round(x / 2.6), table=OHIO)
    return dated(table, BEFORE, predicted=np.nan)


def hidden(more):
    return bent("TX", "2020-07", lambda x: x + more, table=bent("WY", "2020-07", lambda _: np.nan))


def predicted(factor):
    return bent("OH", LAST, lambda x: factor * x, column="predicted")


@pytest.mark.parametrize(
    ("table", "before", "cells"),
    [
        (lambda: TABLE, None, []),
        (lambda: TABLE, lambda: dated(TABLE, BEFORE), []),
        *((lambda more=more: hidden(more), None, seen)
          for more, seen in ((0, []), (200, [("US", "2020-07")]), (-200, []))),
        *((lambda factor=factor: predicted(factor), None, seen)
          for factor, seen in ((5.0, []), (0.5, [("OH", "2025-04")]), (12.0, [("OH", "2025-04")]))),
        (lambda: OHIO, lambda: dated(OHIO, "2023-08-13", **MOVED), []),  # too long ago
        (lambda: OHIO, lambda: dated(OHIO, LATER, **MOVED), []),  # nothing later is looked at
        # Records may come all at once, but within a year only.
        *((lambda: OHIO, lambda back=back: fewer(back), seen)
          for back, seen in ((0, []), (11, []), (12, [("OH", "2024-04")]))),
        # A backlog that arrives at once is none.
        *((lambda n=n: outage(n), None, []) for n in (1, 3, 6, 8)),
        *((lambda: NOW, lambda n=n: outage(n), []) for n in (1, 3, 6, 8)),
        *((lambda n=n: dated(outage(n), LATER), lambda: NOW, []) for n in (1, 3)),
    ],
)  # fmt: skip
def test_what_contradicts_a_release_and_what_does_not(table, before, cells):
    found = contradictions(table(), before and before())
    assert [(c.location, c.month) for c in found] == cells


def without(table, state, first="2015-01", last="2025-12"):
    gone = (table["state"] == state) & table["month"].between(first, last)
    return table[~gone & (table["indicator"] == ALL_DRUGS)]


@pytest.mark.parametrize(
    ("table", "alone", "after"),
    [
        # A place, its newest months, its first ones, months between others; of each one line.
        (lambda: without(TWO, "OH"), [], ["OH 2025-04"]),
        (lambda: without(TWO, "OH", "2025-02"), [], ["OH 2025-01"]),
        (lambda: without(TWO, "OH", last="2016-06"), [], ["OH 2025-04"]),
        (lambda: without(TWO, "OH", "2020-03", "2020-05"), ["OH 2025-04"], ["OH 2025-04"]),
        # A release that begins later is a part of one, and a blank is CDC's own word.
        (lambda: TWO[TWO["month"] >= "2020-01-01"], [], []),
        (lambda: bent("OH", "2020-07", lambda _: np.nan, table=TWO), [], []),
    ],
)
def test_places_and_months_that_the_release_before_had(table, alone, after):
    for before, cells in ((None, alone), (dated(TWO, BEFORE), after)):
        lost = [c for c in contradictions(table(), before) if c.kind == "lost"]
        assert [f"{c.location} {c.month}" for c in lost] == cells
    assert not contradictions(TWO, dated(without(TWO, "OH"), BEFORE))  # one that came back


def test_a_revision_that_no_reporting_explains():
    assert len(contradictions(OHIO, dated(OHIO, BEFORE, **MOVED))) > 100
    for months in (6, 8):  # deaths do not go away
        assert contradictions(dated(outage(months), LATER), NOW)
    year, old = NOW.copy(), NOW.copy()
    year.loc[year["month"] >= "2024-10-01", "reported"] *= 4.0  # as many as never before
    assert "move" in {c.kind for c in contradictions(year, outage(0))}
    old.loc[old["month"] <= "2016-12-01", "reported"] *= 2.2
    old["reported"] = old["reported"].round()
    kinds = [c.kind for c in contradictions(old, outage(0))]
    assert kinds.count("revision") > 10  # not in the months in which records still come


def swapped(count):
    digits = f"{count:.0f}"
    assert digits[1] != digits[2]
    return float(digits[0] + digits[2] + digits[1] + digits[3:])


@pytest.mark.parametrize(
    ("state", "month", "how", "cell", "of_the_sum"),
    [
        ("WV", LAST, lambda x: 10 * x + 3, "a month before it is", "perhaps it is WV"),
        ("OH", "2020-07-01", lambda x: 10 * x, "a month before it is", ""),
        ("OH", "2020-07-01", lambda x: x + 1, None, ""),
        ("US", LAST, swapped, None, "jurisdictions add up to"),
        # Too small a change to be a jump: the sum alone tells, and the month next to it who.
        *(("OH", month, lambda x: round(x * 1.2), None, "perhaps it is OH")
          for month in ("2015-01-01", "2015-02-01", LAST)),
    ],
)  # fmt: skip
def test_the_cell_that_breaks_a_sum_is_named(state, month, how, cell, of_the_sum):
    table = bent(state, month, how)
    found = contradictions(table)
    assert "perhaps" in of_the_sum or cell or [c.kind for c in found] == ["sum"]
    if cell:  # it comes before the sum it breaks
        assert found[0].location == state
        assert cell in str(found[0])
    assert {c.location for c in found} <= {state, "US"}
    if month == "2020-07-01":
        assert {c.month for c in found} == {"2020-07"}
    (us,) = [c for c in found if c.location == "US" and c.kind == "sum"]
    assert of_the_sum in us.message
    sums = table[rows(month=month)].set_index("state")["reported"]
    assert us.value == sums["US"]
    assert f"{sums[list(JURISDICTIONS)].sum():,.0f}" in us.message


def test_a_class_larger_than_its_whole():
    small = bent("OH", "2020-07-01", lambda x: x * 1.4, SYNTHETIC_OPIOIDS, table=OHIO)
    (found,) = contradictions(small.assign(predicted=np.nan))
    assert (found.location, found.indicator) == ("OH", SYNTHETIC_OPIOIDS)
    assert f"of '{ALL_DRUGS}', which holds them all" in found.message


def test_the_limits_are_where_they_are_said_to_be():
    a, b = np.array([[100.0, 100.0]]), np.array([[222.2, 239.0]])
    assert (quality.too_far(a, a, b, b) == (b - a > 0.5 * 100 + 5 * np.sqrt(b) + 10)).all()
    assert quality.too_far(a, a, b, b).tolist() == [[False, True]]


@pytest.mark.slow
def test_real_releases_are_consistent(real):
    last, lost = None, {}
    for day in real.releases():
        table = real.release(day)
        wrong = contradictions(table, last)
        assert {c.kind for c in wrong} <= {"lost"}, day
        if wrong:
            lost[str(day)] = {c.location for c in wrong}
        last = table
    # Parts of releases, in files of other people: nothing whole has lost anything.
    assert lost.keys() == {"2021-11-17", "2023-01-11", "2023-04-12"}
    assert (lost["2021-11-17"], lost["2023-01-11"]) == ({"US", "DC", "YC"}, {"US", "YC"})
    assert len(real.releases()) >= 15


def found(table, code, before=None):
    return [f for f in check(canonical(table), before) if f.code == code]


@pytest.mark.slow
def test_places_and_months_that_are_missing():
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
def test_a_month_out_of_line_is_seen_with_its_echo(size):
    table = TABLE.copy()
    at = np.flatnonzero(rows("WV"))[60:72]  # one odd month is in twelve sums
    table.loc[at, "reported"] += size
    (flag,) = [f for f in found(table, "jump") if f.location == "WV"]
    assert flag.month in {f"{TABLE.loc[i, 'month']:%Y-%m}" for i in (at[0], at[-1] + 1)}
    assert "2 such months" in flag.message


@given(st.integers(5, 20_000), st.floats(-0.03, 0.03))
def test_a_steady_trend_is_no_jump(level, slope):
    table = TABLE[rows("WV")].copy()
    table["reported"] = np.round(level * np.exp(slope * np.arange(len(table))))
    assert not found(table, "jump")


def test_pending_and_complete():
    table = TABLE.assign(percent_pending=0.1, percent_complete=100.0)
    last, year_ago = "2025-04", "2024-04"
    table.loc[rows("OK", month=last), "percent_pending"] = 1.25
    table.loc[rows("NC", month=year_ago), "percent_pending"] = 0.4
    deaths = TABLE[rows("OK")].assign(indicator=ALL_DEATHS, reported=40_000.0)
    flags = {f.location: f for f in found(pd.concat([table, deaths]), "long-pending")}
    assert {k: f.severity for k, f in flags.items()} == {"OK": "warning", "NC": "note"}
    assert "about 500 records" in flags["OK"].message
    assert "0.40% still are" in flags["NC"].message
    blank = pd.concat([table, deaths.assign(reported=np.nan, status="missing")])
    (flag,) = (f for f in found(blank, "long-pending") if f.location == "OK")
    assert "records beside" not in flag.message

    table = TABLE.assign(percent_complete=99.5)
    table.loc[rows("FL", month=last), "percent_complete"] = 99.4
    table.loc[rows("HI", month=last), "percent_complete"] = 90.0
    table.loc[rows("WV", month="2019-01"), "percent_complete"] = 50.0
    flags = {f.location: f.severity for f in found(table, "complete-low")}
    assert flags == {"FL": "note", "HI": "warning"}


def test_negative_revisions_and_north_carolina_in_2023():
    before = TABLE.copy()
    before.loc[rows("NC", month="2023-12"), "reported"] *= 1.1
    before.loc[rows("WY", month="2023-12"), "reported"] += 5  # too few to matter
    (flag,) = found(TABLE, "negative-revision", before)
    assert (flag.location, flag.month) == ("NC", "2023-12")
    assert not found(before, "negative-revision", TABLE)
    assert not found(TABLE[TABLE["state"] != "NC"], "north-carolina-2023")
    for month, flagged in (("2022-12", 0), ("2023-01", 1), ("2024-11", 1), ("2024-12", 0)):
        assert len(found(TABLE[rows("NC", month=month)], "north-carolina-2023")) == flagged


def test_drugs():
    share = TABLE[rows()].assign(indicator=PERCENT_SPECIFIED, reported=95.0, predicted=np.nan)
    share.loc[share["state"].isin(["OH", "PA"]), "reported"] = 80.0
    table = pd.concat([TABLE, share])
    # CDC shows no class of Pennsylvania in the last month.
    assert [f.location for f in found(table, "drugs-unspecified")] == ["OH"]
    assert not found(table, "classes-overlap")  # one class only
    more = TABLE[rows("WV")].assign(indicator="Cocaine (T40.5)")
    assert len(found(pd.concat([TABLE, more]), "classes-overlap")) == 1


def test_the_bundled_release_is_clean_and_every_check_is_explained_in_the_docs():
    assert {f.code for f in check(TABLE)} == {"north-carolina-2023", "tail-incomplete"}
    alone = TABLE[rows(indicator=SYNTHETIC_OPIOIDS)]  # a table without all drugs
    assert {f.code for f in check(alone)} == {"missing-location", "north-carolina-2023"}
    text = (ROOT / "docs" / "reference" / "quality.md").read_text()
    explained = re.findall(r"^\(quality-([a-z0-9-]+)\)=\n### `([a-z0-9-]+)`\n\n\S", text, re.M)
    assert sorted(explained) == sorted((code, code) for code in CODES)
    assert {each.code for each in CHECKS} == set(CODES)
    assert {each.severity for each in CHECKS} == set(SEVERITIES)
    assert {each.dataset for each in CHECKS} == {"", "states", "counties"}
    assert "checks-table" in text  # made of them while the pages are built
    assert Flag("jump", "warning", "WV", None, "").docs == "reference/quality.html#quality-jump"


@pytest.mark.slow
def test_real_releases(real, vsrr):
    old = check(real.release("2018-09-12"))
    missing = [(f.location, f.month) for f in old if f.code == "missing-month"]
    assert missing == [("CA", "2015-09"), ("WA", "2016-05")]
    flags = check(real.release("2025-07-16"), real.release("2024-12-11"))
    assert not [f for f in flags if f.severity == "error"]
    down = {f.location: f.message for f in flags if f.code == "negative-revision"}
    assert "107,682 then, 106,881 now" in down["US"]
    assert {"NC", "NJ"} <= set(down)
    assert {"OK", "NC", "YC", "NV"} <= {f.location for f in flags if f.code == "long-pending"}
    subset = check(od.read(vsrr / "2023-04-12_year2022_only.csv").table)
    assert {"no-reported", "missing-location", "ny-without-nyc"} <= {f.code for f in subset}


@pytest.mark.slow
@settings(max_examples=12)
@given(st.sampled_from(JURISDICTIONS), st.integers(0, 123), st.integers(1, 500))
def test_any_changed_cell_breaks_the_sum(state, month, by):
    table, at = TABLE.copy(), np.flatnonzero(rows(state))[month]
    table.loc[at, "reported"] += by
    (flag,) = found(table, "sum-mismatch")
    assert (flag.severity, flag.month) == ("error", f"{table.loc[at, 'month']:%Y-%m}")
    assert "in 1 month the" in flag.message


@pytest.fixture
def table(tmp_path):
    def made(change=lambda _: None, day="2025-09-07"):
        cells = county_cells(day)
        for row in cells:
            change(row)
        path = tmp_path / "county.csv"
        path.write_text(csv_text(cells))
        return read_county(path).table

    return made


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


#: What a release of seven counties always has.
FEW = {
    "county-absent": ["no rows for 3,135 of 3,142 counties (Baldwin County, Alabama"],
    "county-suppressed": ["14% of the counts are 1 to 9", "those of 1 county, beside 1 that had"],
}
LOST = all_of(in_county("New Castle", **{DEATHS: "999"}), in_county("Kent", **{DEATHS: ""}))
FOUR = ("Kent", "New Castle", "Sussex", "Bibb")
PENDING_IN = all_of(*(in_county(name, **{PENDING: "2.5"}) for name in FOUR))
CODES_OF = {"ST_ABBREV": "CT", "FIPS": "9110", "STATEFIPS": "9", "COUNTYFIPS": "110"}
CONNECTICUT = in_county("Autauga", STATE_NAME="Connecticut", COUNTYNAME="Capitol", **CODES_OF)


def test_a_clean_release_of_counties_is_quiet(table):
    flags = check(table(), table(day="2025-06-08"), od.bundled().as_of().table)
    said = {f.code: f.message for f in flags}
    assert sorted(f.code for f in flags) == sorted(FEW)
    assert not [words for code in FEW for words in FEW[code] if words not in said[code]]


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
    states, before = {"states": od.bundled().as_of().table}, {"before": table(day="2025-06-08")}
    beside = {"county-sums": states, "negative-revision": before}.get(code, {})
    seen = [f for f in check(table(change), **beside) if f.code == code]
    assert [f.location for f in seen] == places
    assert not seen or words in seen[0].message
    assert all((f.severity == "error") == (code == "contradiction") for f in seen)
    if code == "county-pending":
        assert [f.severity for f in seen] == ["warning", "note"]
        assert seen[1].message.startswith("1 county elsewhere")


@pytest.mark.slow
def test_the_real_release_of_counties():
    table = od.bundled().release("2023-10-08", None, "counties")
    flags = check(table, None, od.bundled().as_of().table)
    assert not [f for f in flags if f.severity == "error"]
    assert [f.location for f in flags if f.severity == "warning"] == ["US", "NC", "NJ", "TX", "WV"]
    (lost,) = (f for f in flags if f.code == "county-lost-counts")
    assert "999, and 185 cells of 7 counties" in lost.message
