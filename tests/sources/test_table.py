from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from release_factory import NAME, cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.names import TABLE_COLUMNS
from odforecast.sources.table import canonical, table_hash, to_date, to_text
from odforecast.sources.vsrr import read_vsrr


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / NAME
    path.write_bytes(csv_bytes(cdc_cells()))
    return read_vsrr(path).table


def test_days():
    for value in ("2024-12-11", dt.date(2024, 12, 11), pd.Timestamp("2024-12-11 13:00"),
                  np.datetime64("2024-12-11"), " 2024-12-11 "):  # fmt: skip
        assert to_date(value) == dt.date(2024, 12, 11)
        assert type(to_date(value)) is dt.date
    for value in ("2024-12", "2024-02-30", "11/12/2024", None, pd.NaT, 20241211):
        with pytest.raises(DataError, match="is not a day"):
            to_date(value)


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


def test_text(table):
    text = to_text(table)
    assert tuple(text.columns) == TABLE_COLUMNS
    assert text.iloc[1].tolist() == [
        "2024-12-11", "US", "US", "2024-06", "Number of Drug Overdose Deaths",
        "1011", "1013", "99.5", "0.101", "ok",
    ]  # fmt: skip
    blank = text[text["status"] == "suppressed"].iloc[0]
    assert (blank["reported"], blank["predicted"]) == ("", "")
    assert text["reported"].str.fullmatch(r"(\d+(\.\d+)?)?").all()
