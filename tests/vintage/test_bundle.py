from __future__ import annotations

import csv
from importlib import resources

import numpy as np

from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS, TABLE_COLUMNS
from odforecast.sources.report import check_sums
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.bundle import bundled


def test_the_bundled_release():
    archive = bundled()
    assert [str(d) for d in archive.releases()] == ["2025-09-17"]
    seen = archive.as_of("2025-09-17")
    table = seen.table
    assert seen.note is None
    assert tuple(table.columns) == TABLE_COLUMNS
    assert set(table["indicator"]) == {ALL_DRUGS, SYNTHETIC_OPIOIDS}
    assert table["state"].nunique() == 53
    assert (table["month"].min(), table["month"].max()) == (
        np.datetime64("2015-01-01"),
        np.datetime64("2025-04-01"),
    )
    assert set(table["status"]) == {"ok", "missing"}
    assert table[["percent_complete", "percent_pending"]].isna().all(axis=None)
    sums = check_sums(table)
    assert sums.adds_up
    assert sums.checked == 124


def test_every_number_is_the_files():
    file = resources.files("odforecast.vintage") / "bundled" / "figures_2025-09-17.csv"
    with file.open() as handle:
        rows = list(csv.DictReader(handle))
    table = bundled().as_of("2025-09-17").table
    keys = zip(table["state"], table["month"].dt.strftime("%Y-%m"), table["indicator"])
    values = dict(zip(keys, table[["reported", "predicted"]].to_numpy()))
    assert len(values) == len(rows) == 12_896
    for row in rows:
        want = [float(row[c] or "nan") for c in ("reported", "predicted")]
        got = values[row["state"], row["month"], row["indicator"]]
        assert np.array_equal(got, want, equal_nan=True)


def test_each_caller_has_its_own(vsrr):
    mine, theirs = bundled(), bundled()
    seen = mine.as_of("2025-09-17")
    seen.table["reported"] = 0.0
    mine.add(read_vsrr(vsrr / "2017-12-13.csv"))
    assert len(theirs.releases()) == 1
    assert theirs.as_of("2025-09-17").table["reported"].max() > 100_000
