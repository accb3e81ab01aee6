"""Releases × months, what changed, completeness: by hand, by property, and on real releases."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from odforecast.errors import ArchiveError, UnknownNameError
from odforecast.names import ALL_DRUGS, TABLE_COLUMNS
from odforecast.sources.table import canonical, location_codes
from odforecast.vintage.archive import Archive
from odforecast.vintage.revisions import compare, completeness, revisions

DATES = ("2023-06-14", "2023-07-12", "2024-07-17")
#: Releases × months 2022-11..2023-01 of one place; NaN: not published.
VALUES = np.array([[100.0, np.nan, np.nan], [104.0, 90.0, np.nan], [103.0, 99.0, 80.0]])


def table(date: str, counts: dict[str, np.ndarray], first: str = "2022-11") -> pd.DataFrame:
    months = np.datetime64(first, "M") + np.arange(len(next(iter(counts.values()))))
    rows = []
    for state, row in counts.items():
        for month, value in zip(months, row):
            if not np.isnan(value):
                rows.append((pd.Timestamp(date), state, pd.Timestamp(month), ALL_DRUGS, value))
    frame = pd.DataFrame(rows, columns=["release", "state", "month", "indicator", "reported"])
    frame["location"] = location_codes(frame["state"].to_numpy(dtype=object))
    frame["predicted"] = frame["reported"] + 1
    frame["percent_complete"] = frame["percent_pending"] = np.nan
    frame["status"] = "ok"
    return canonical(frame[list(TABLE_COLUMNS)])


def archive(values: np.ndarray = VALUES, state: str = "WV") -> Archive:
    return Archive.in_memory({d: table(d, {state: row}) for d, row in zip(DATES, values)})


def test_triangle_by_hand() -> None:
    seen = revisions(archive(), "West Virginia")
    np.testing.assert_array_equal(seen.triangle("54").to_numpy(), VALUES)
    np.testing.assert_array_equal(seen.triangle("WV", "predicted").to_numpy(), VALUES + 1)
    np.testing.assert_array_equal(seen.ages[0], [7, 6, 5])
    assert seen.releases == tuple(dt.date.fromisoformat(d) for d in DATES)
    assert seen.hashes == tuple(archive().data_hash(d) for d in DATES)
    # Counts that are too young have no final value.
    assert seen.units(settled=20)["month"].dt.month.unique().tolist() == [11]
    young = seen.units(settled=30)
    assert young.empty
    assert completeness(young).empty
    blank = table(DATES[1], {"WV": VALUES[1]}).assign(reported=np.nan, status="missing")
    tables = {d: table(d, {"WV": r}) for d, r in zip(DATES, VALUES)} | {DATES[1]: blank}
    seen = revisions(Archive.in_memory(tables), "WV")
    assert seen.skipped == {dt.date(2023, 7, 12): "no reported count of it"}
    assert len(seen.releases) == 2


def test_units_and_curves_by_hand() -> None:
    units = revisions(archive(), "WV").units()
    assert units["age"].tolist() == [7, 8, 7]
    assert units["reported"].tolist() == [100, 104, 90]
    assert units["final"].tolist() == [103, 103, 99]
    curve = completeness(units)
    assert curve["n"].tolist() == [2, 1]
    assert curve["median"].tolist() == pytest.approx([(100 / 103 + 90 / 99) / 2, 104 / 103])


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda a: revisions(a, "WV", "deaths"), UnknownNameError, "unknown indicator"),
        (lambda a: revisions(a, "Atlantis"), UnknownNameError, "unknown location"),
        (lambda a: revisions(a, "OH"), ArchiveError, "no release has a reported count"),
        (lambda a: revisions(a, "WV").triangle("OH"), UnknownNameError, "of revisions has no OH"),
        (lambda a: compare(a, "2023-06-15", DATES[1]), ArchiveError,
         "no release 2023-06-15; the nearest is 2023-06-14"),
    ],
)  # fmt: skip
def test_refusals(ask, error, words) -> None:
    with pytest.raises(error, match=words):
        ask(archive())


def test_compare_by_hand() -> None:
    found = compare(archive(), DATES[0], DATES[1])
    assert found["kind"].tolist() == ["changed", "appeared"]
    assert found["change"].tolist()[0] == 4
    assert found["percent"].tolist()[0] == pytest.approx(4.0)
    assert found["status_a"].tolist() == ["ok", "absent"]
    back = compare(archive(), DATES[1], DATES[0])
    assert back["kind"].tolist() == ["changed", "vanished"]


counts = hnp.arrays(
    float, (3, 3), elements=st.integers(0, 500).map(float) | st.just(float("nan"))
).filter(lambda x: np.isfinite(x.diagonal()).all())  # each release has a last month of its own


@pytest.mark.slow
@given(counts.map(lambda x: np.where(np.tri(3, dtype=bool), x, np.nan)))
def test_the_triangle_is_the_releases(values: np.ndarray) -> None:
    store = archive(values)
    seen = revisions(store, "WV")
    got = seen.triangle("WV").reindex(columns=pd.date_range("2022-11-01", periods=3, freq="MS"))
    np.testing.assert_array_equal(got.to_numpy(), values)
    assert compare(store, DATES[0], DATES[0]).empty
    there, back = (compare(store, *pair) for pair in (DATES[:2], DATES[1::-1]))
    np.testing.assert_array_equal(there["change"], -back["change"])
    same = (values[0] == values[1]) | (np.isnan(values[0]) & np.isnan(values[1]))
    assert len(there) == int((~same).sum())
    units = seen.units(settled=0)
    assert np.isfinite(units["completeness"]).all()


@pytest.mark.slow
def test_real_revisions_are_those_known(real) -> None:
    seen = revisions(real, "US")
    triangle = seen.triangle("US")
    assert triangle.loc["2018-11-14", "2017-12-01"] == 70_908
    assert triangle.loc["2019-04-17", "2017-12-01"] == 70_699  # closing the year: downwards
    assert triangle.loc["2024-12-11", "2023-12-01"] == 107_682
    assert triangle.loc["2025-07-16", "2023-12-01"] == 106_881
    without_us = ["2020-12-16", "2021-11-17", "2023-01-11", "2023-04-12"]
    assert list(map(str, seen.skipped)) == without_us
    change = compare(real, "2024-12-11", "2025-07-16", ALL_DRUGS)
    december = change["month"] == pd.Timestamp("2023-12-01")
    assert change[december & (change["state"] == "US")]["change"].tolist() == [-801]
