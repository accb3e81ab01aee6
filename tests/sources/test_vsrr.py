"""What is accepted, what is refused, and in which words, on small releases."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from release_factory import NAME, cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.names import ALL_DRUGS
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


def changed(column, row, value):
    cells = CELLS.copy()
    cells.loc[row, column] = value
    return cells


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


# What is refused, with the words a user sees


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("Data Value", 3, "12x", r"row 5 \(US, 2024, June, .*\): Data Value '12x' is not a number"),
        ("Data Value", 3, "-4", r"row 5 .* Data Value '-4' is negative"),
        ("Data Value", 3, "4.5", r"Data Value '4.5' is not a whole number of deaths"),
        ("Data Value", 3, "4.000", r"'4.000' may be a thousand times larger"),
        ("Data Value", 3, "0,012", r"Data Value '0,012' is not a number"),
        ("Data Value", 3, "99999999999", r"is more than the US ever had"),
        ("Data Value", 2, "101.5", r"Data Value '101.5' is not a percentage"),
        ("Data Value", 10, "5", r"Data Value '5' is filled in where the footnote says"),
        ("Predicted Value", 0, "1.5", r"Predicted Value '1.5' is not a whole number"),
        ("Percent Complete", 0, "120", r"Percent Complete '120' is not a percentage"),
        ("Percent Pending Investigation", 0, "-1", r"Investigation '-1' is not a percentage"),
        ("State", 4, "ZZ", r"row 6 \(ZZ, 2024, June, .*\): State 'ZZ' is not a jurisdiction"),
        ("State", 4, "", r"row 6 .* State '' is not a jurisdiction"),
        ("State Name", 4, "Ohio", r"State Name 'Ohio' contradicts the state"),
        ("Month", 4, "Juneteenth", r"Month 'Juneteenth' is not a month"),
        ("Month", 4, "13", r"Month '13' is not a month"),
        ("Month", 4, "2023-06", r"Month '2023-06' is not a month of that year"),
        ("Month", 4, "December", r"Month 'December' ends after the release date 2024-12-11"),
        ("Year", 4, "1914", r"Year '1914' is not a year of this data set"),
        ("Year", 4, "2024.5", r"Year '2024.5' is not a year"),
        ("Indicator", 4, "Fentanyl", r"Indicator 'Fentanyl' is not an indicator"),
        ("Period", 4, "1 month", r"Period '1 month' is not '12 month-ending'"),
    ],
)
def test_cells_that_are_refused(tmp_path, column, row, value, message):
    with pytest.raises(DataError, match=message) as error:
        read_vsrr(save(tmp_path, changed(column, row, value)))
    assert error.value.hint


GARBAGE = (
    "x12", "12..3", "1,23", "—", "12 deaths", "-5", "4.000", "0x1F", "1e999", "٣x", "1 000", "?",
    "#REF!", "12/3", "inf", "1.5.2015", "=A1", "١٢٣", "１２３", "38528e6533165796",
)  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE)
def test_what_only_looks_like_a_number_is_refused(tmp_path, text):
    for column in ("Data Value", "Predicted Value"):
        with pytest.raises(DataError, match=f"row 2 .*{column}"):
            read_vsrr(save(tmp_path, changed(column, 0, text)))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (CELLS.drop(columns=["State", "State Name"]), "no column State or State Name or Location"),
        (CELLS.drop(columns="Month"), "no column Month"),
        (CELLS.drop(columns="Year"), "Month 'May' is not a month with a year"),
        (CELLS.drop(columns="Indicator"), "no column Indicator"),
        (CELLS.drop(columns=["Data Value", "Predicted Value"]), "no column Data Value or Predic"),
        (CELLS.assign(Rate="1"), "unknown column 'Rate'"),
        (CELLS.assign(data_value="1"), "two columns for Data Value"),
        (CELLS.iloc[:0], "a header but no rows"),
        (CELLS.assign(**{"Data Value": "many"}), "row 2 .*'many' is not a number .and 17 more suc"),
        (
            pd.concat([CELLS, CELLS.iloc[:1].assign(**{c: c for c in CELLS})]),
            "row 29 .* State 'Sta",
        ),
        (pd.DataFrame({"city": ["Rome"], "mayor": ["x"]}), "it has city, mayor"),
    ],
)
def test_tables_that_are_refused(tmp_path, cells, message):
    with pytest.raises(DataError, match=message):
        read_vsrr(save(tmp_path, cells))


def test_conflicts_are_refused_and_repeats_counted(tmp_path, expected):
    twice = pd.concat([CELLS, CELLS.iloc[:5]])
    loaded = read_vsrr(save(tmp_path, twice))
    assert (loaded.report.rows_read, loaded.report.rows_kept) == (32, 27)
    assert loaded.report.exact_duplicates == 5
    assert any("left out 5 rows" in note for note in loaded.report.notes)
    assert_frame_equal(loaded.table, expected)
    other = pd.concat([CELLS, changed("Data Value", 3, "1012").iloc[3:4]])
    with pytest.raises(DataError, match=r"1 keys .* rows 5 and 29: US, 2024-06.*1011 and 1012"):
        read_vsrr(save(tmp_path, other))
    blank = pd.concat([CELLS, changed("Predicted Value", 3, "").iloc[3:4]])
    with pytest.raises(DataError, match=r"Predicted Value 1013 and blank"):
        read_vsrr(save(tmp_path, blank))


# Variants that are accepted


@pytest.mark.parametrize(
    "months", [["5", "6", "7"], ["05", "06", "07"], ["May", "Jun", "JULY"],
               ["2024-05", "2024-06-01", "2024-07-01T00:00:00.000"]]
)  # fmt: skip
def test_months_in_other_words(tmp_path, expected, months):
    words = dict(zip(["May", "June", "July"], months))
    cells = CELLS.assign(Month=CELLS["Month"].map(words))
    assert_frame_equal(read_vsrr(save(tmp_path, cells)).table, expected)
    if months[0].startswith("2024"):
        table = read_vsrr(save(tmp_path, cells.drop(columns="Year"))).table
        assert_frame_equal(table, expected)


@pytest.mark.parametrize(
    "cells",
    [
        CELLS.assign(Indicator=CELLS["Indicator"].str.lower().str.replace(" ", "  ")),
        CELLS.drop(columns="State"),
    ],
)
def test_indicators_and_places_in_other_words(tmp_path, expected, cells):
    assert_frame_equal(read_vsrr(save(tmp_path, cells)).table, expected)


# Release dates


def test_release_dates(tmp_path):
    nameless = save(tmp_path, CELLS, "vsrr.csv")
    with pytest.raises(
        DataError, match="no release date in the file name; name the file with its date"
    ):
        read_vsrr(nameless)
    assert str(read_vsrr(nameless, "2024-12-11").release) == "2024-12-11"
    named = save(tmp_path, CELLS, "2024-12-11 (1).csv")
    assert read_vsrr(named).report.notes == read_vsrr(nameless, "2024-12-11").report.notes
    moved = read_vsrr(named, "2024-11-13").report
    assert str(moved.release) == "2024-11-13"
    assert any("file name says 2024-12-11" in note for note in moved.notes)
    with pytest.raises(DataError, match="is not a day"):
        read_vsrr(nameless, "2024-12")
    with pytest.raises(DataError, match="no release date"):
        read_vsrr(save(tmp_path, CELLS, "2024-13-45.csv"))


def test_implausible_release_dates_are_noted(tmp_path):
    path = save(tmp_path, CELLS)
    assert not any("comes" in n for n in read_vsrr(path).report.notes)
    assert any("comes 1 months after" in n for n in read_vsrr(path, "2024-08-14").report.notes)
    assert any("comes 17 months after" in n for n in read_vsrr(path, "2025-12-10").report.notes)


def test_sums_that_do_not_add_up_are_said(vsrr, tmp_path):
    raw = pd.read_csv(vsrr / "2024-04-17_filtered.csv", dtype=str, keep_default_na=False)
    row = raw.index[(raw["State"] == "OH") & (raw["Year"] == "2020") & (raw["Month"] == "June")]
    raw.loc[row, "Data Value"] = str(int(raw.loc[row, "Data Value"].item()) + 1000)
    report = read_vsrr(save(tmp_path, raw, "2024-04-17.csv")).report
    assert report.sums.adds_up is False
    assert report.sums.failed == 1
    assert any("do NOT add up to the US in 1 of 107 sums" in note for note in report.notes)
    assert "2020-06" in report.sums.example
