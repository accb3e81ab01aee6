"""What is accepted, what is refused, and in which words, on small releases."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from release_factory import NAME, cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.names import ALL_DRUGS, TABLE_COLUMNS
from odforecast.sources.table import canonical, table_hash
from odforecast.sources.vsrr import read_vsrr

CELLS = cdc_cells()
_STYLES = {
    "cdc": str,
    "snake": lambda c: c.lower().replace(" ", "_"),
    "dotted": lambda c: c.replace(" ", "."),
    "joined": lambda c: c.replace(" ", ""),
    "shouted": lambda c: f" {c.upper()} ",
}


def save(folder, cells, name=NAME):
    path = folder / name
    path.write_bytes(csv_bytes(cells))
    return path


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return read_vsrr(save(tmp_path_factory.mktemp("base"), CELLS)).table


def test_the_small_release(expected):
    assert len(expected) == len(CELLS)
    meth = expected[(expected["state"] == "WV") & expected["indicator"].str.startswith("Meth")]
    assert meth["status"].tolist() == ["suppressed", "low_quality", "missing"]
    drugs = expected[expected["indicator"] == ALL_DRUGS]
    assert drugs["location"].tolist() == ["US"] * 3 + ["54"] * 3 + ["NYC"] * 3
    assert drugs["reported"].iloc[:3].tolist() == [1000, 1011, 1022]
    assert drugs["percent_complete"].iloc[:3].tolist() == [100, 99.5, 100]


# Properties


@given(
    columns=st.permutations(list(CELLS.columns)),
    rows=st.permutations(range(len(CELLS))),
    style=st.sampled_from(sorted(_STYLES)),
    thousands=st.booleans(),
    bom=st.booleans(),
    crlf=st.booleans(),
    kind=st.sampled_from(["csv", "gz", "tab", "utf16", "json", "parquet", "xlsx", "typed"]),
)
def test_form_does_not_matter(
    tmp_path_factory, expected, columns, rows, style, thousands, bom, crlf, kind
):
    cells = CELLS.loc[list(rows), list(columns)].reset_index(drop=True)
    if thousands:
        for name in ("Data Value", "Predicted Value"):
            whole = cells[name].str.fullmatch(r"\d+")
            cells.loc[whole, name] = [f"{int(v):,}" for v in cells.loc[whole, name]]
    cells.columns = [_STYLES[style](c) for c in cells.columns]
    path = tmp_path_factory.mktemp("form") / NAME
    if kind == "json":
        path.write_text(json.dumps(cells.to_dict("records")))
    elif kind == "parquet":
        cells.to_parquet(path)
    elif kind == "xlsx":
        cells.to_excel(path, index=False, engine="openpyxl")
    elif kind == "typed":
        numeric = [c for c in cells if "value" in c.lower() or "year" in c.lower()]
        for name in numeric:
            cells[name] = pd.to_numeric(cells[name].str.replace(",", ""))
        cells.to_parquet(path)
    else:
        text = cells.to_csv(
            index=False,
            sep="\t" if kind in ("tab", "utf16") else ",",
            lineterminator="\r\n" if crlf else "\n",
        )
        data = text.encode("utf-16" if kind == "utf16" else "utf-8-sig" if bom else "utf-8")
        path.write_bytes(gzip.compress(data) if kind == "gz" else data)
    assert_frame_equal(read_vsrr(path).table, expected)


def test_conflicts_are_refused_and_repeats_counted(tmp_path, expected):
    loaded = read_vsrr(save(tmp_path, pd.concat([CELLS, CELLS.iloc[:5]])))
    report = loaded.report
    assert (report.rows_read, report.rows_kept, report.exact_duplicates) == (32, 27, 5)
    assert any("left out 5 rows" in note for note in report.notes)
    assert_frame_equal(loaded.table, expected)
    for column, value, said in (
        ("Data Value", "1012", r"1 keys .* rows 5 and 29: US, 2024-06.*1011 and 1012"),
        ("Predicted Value", "", r"Predicted Value 1013 and blank"),
    ):
        other = pd.concat([CELLS, CELLS.iloc[3:4].assign(**{column: value})])
        with pytest.raises(DataError, match=said):
            read_vsrr(save(tmp_path, other))


# Variants that are accepted

MONTHS = ("5 6 7", "05 06 07", "May Jun JULY", "2024-05 2024-06-01 2024-07-01T00:00:00.000")


@pytest.mark.parametrize(
    "cells",
    [
        *(CELLS.assign(Month=CELLS["Month"].map(dict(zip(["May", "June", "July"], m.split()))))
          for m in MONTHS),
        CELLS.assign(Month=CELLS["Year"] + "-" + CELLS["Month"].map(
            {"May": "05", "June": "06", "July": "07"})).drop(columns="Year"),
        CELLS.assign(Indicator=CELLS["Indicator"].str.lower().str.replace(" ", "  ")),
        CELLS.drop(columns="State"),
    ],
    ids=[*MONTHS, "no year", "indicators", "names"],
)  # fmt: skip
def test_months_indicators_and_places_in_other_words(tmp_path, expected, cells):
    assert_frame_equal(read_vsrr(save(tmp_path, cells)).table, expected)


# Release dates


def test_release_dates(tmp_path):
    nameless = save(tmp_path, CELLS, "vsrr.csv")
    for name, release, said in (
        ("vsrr.csv", None, "no release date in the file name; name the file with its date"),
        ("2024-13-45.csv", None, "no release date"),
        ("vsrr.csv", "2024-12", "is not a day"),
    ):
        with pytest.raises(DataError, match=said):
            read_vsrr(save(tmp_path, CELLS, name), release)
    assert str(read_vsrr(nameless, "2024-12-11").release) == "2024-12-11"
    named = save(tmp_path, CELLS, "2024-12-11 (1).csv")
    assert read_vsrr(named).report.notes == read_vsrr(nameless, "2024-12-11").report.notes
    moved = read_vsrr(named, "2024-11-13").report
    assert str(moved.release) == "2024-11-13"
    assert any("file name says 2024-12-11" in note for note in moved.notes)


def test_sums_that_do_not_add_up_are_said(vsrr, tmp_path):
    raw = pd.read_csv(vsrr / "2024-04-17_filtered.csv", dtype=str, keep_default_na=False)
    row = raw.index[(raw["State"] == "OH") & (raw["Year"] == "2020") & (raw["Month"] == "June")]
    raw.loc[row, "Data Value"] = str(int(raw.loc[row, "Data Value"].item()) + 1000)
    report = read_vsrr(save(tmp_path, raw, "2024-04-17.csv")).report
    assert (report.sums.adds_up, report.sums.failed) == (False, 1)
    assert any("do NOT add up to the US in 1 of 107 sums" in note for note in report.notes)
    assert "2020-06" in report.sums.example


# The table and its hash


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / NAME
    path.write_bytes(csv_bytes(cdc_cells()))
    return read_vsrr(path).table


@given(order=st.permutations(range(27)), columns=st.permutations(TABLE_COLUMNS))
def test_order_does_not_matter(table, order, columns):
    again = canonical(table.iloc[list(order)][list(columns)])
    assert_frame_equal(again, table)
    assert table_hash(again) == table_hash(table)


def test_every_number_is_in_the_hash(table):
    assert table_hash(table) == "f9371fd040c9cdbf"  # archives on disk carry it
    for column, value in (
        ("release", pd.Timestamp("2024-12-12")), ("month", pd.Timestamp("2024-04-01")),
        ("reported", 1), ("predicted", np.nan), ("percent_complete", 1), ("percent_pending", 1),
        ("status", "low_quality"),
    ):  # fmt: skip
        other = table.copy()
        other.loc[0, column] = value
        assert table_hash(other) != table_hash(table)


@pytest.mark.parametrize("column", ["release", "month"])
@pytest.mark.parametrize("off", ["ns", "us", "s", "h"])
def test_a_time_within_a_day_has_no_hash(table, column, off):
    """It had that of the day, and the row was found by no month."""
    other = table.copy()
    other.loc[0, column] += np.timedelta64(1, off)
    with pytest.raises(DataError, match=rf"row 0: {column} is 2024-.*, a time within 2024-"):
        table_hash(other)
    if column == "month":
        with pytest.raises(DataError, match=r"month is 2024-.*-02T"):
            table_hash(table.assign(month=table["month"] + np.timedelta64(1, "D")))
