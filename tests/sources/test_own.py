"""A state's own counts: every form that people write them in."""

from __future__ import annotations

import gzip

import openpyxl
import pandas as pd
import pytest
from test_refusals import TITLED, own_days, own_months

from odforecast.errors import DataError
from odforecast.sources.own import read_own_counts


def read(folder, text):
    path = folder / "ohio.csv"
    path.write_text(text)
    return read_own_counts(path)


@pytest.mark.parametrize(
    "cells",
    [
        ("2022-01", "2022-02"), ("2022-01-01", "2022-02-28"), ("January 2022", "Feb. 2022"),
        ("Jan-22", "Feb-22"), ("01/2022", "2/2022"), ("1/1/22", "2/1/22"),
        ("01/01/2022", "02/01/2022"), ("1/31/2022", "2/28/2022"), ("02/01/2022", "01/31/2022"),
        ("31/01/2022", "01/02/2022"), ("Jan 1, 2022", "February 28, 2022"),
    ],
    ids=lambda cells: cells[0],
)  # fmt: skip
def test_months_as_people_write_them(tmp_path, cells):
    months = read(tmp_path, own_months(*cells))["month"].dt.strftime("%Y-%m")
    assert sorted(months) == ["2022-01", "2022-02"]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("9/17/2025", "Sep 1, 2025", ""), ["2025-09-17", "2025-09-01", ""]),
        (("9/17/2025", "9/1/2025", "2025-09-02"), ["2025-09-17", "2025-09-01", "2025-09-02"]),
        (("2025-09/01", "", ""), ["2025-09-01", "", ""]),  # fuzzing once found it
    ],
)
def test_days(tmp_path, days, expected):
    assert read(tmp_path, own_days(*days))["as_of"].tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "State,Month,Deaths,County\nOhio,2025-04,180,all\nOhio,2025-05,171,all\n",
        TITLED + "Location,Month,Deaths\nOhio,2025-04,180\nOhio,2025-05,171\n",
        "location;month;deaths\nOhio;2025-04;180\nOhio;2025-05;171\n",
        "location\tmonth\tdeaths\nOhio\t2025-04\t180\nOhio\t2025-05\t171\n",
        "location,state,month,deaths\nOhio,OH,2025-04,180\nOhio,OH,2025-05,171\n",
    ],
)
def test_forms_of_a_text(tmp_path, text):
    packed = tmp_path / "ohio.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    for found in (read(tmp_path, text), read_own_counts(packed)):
        assert found["location"].tolist() == ["Ohio", "Ohio"]
        assert found["month"].dt.strftime("%Y-%m").tolist() == ["2025-04", "2025-05"]
        assert found["deaths"].tolist() == [180, 171]


def test_sheets_of_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["What this is"])
    data = book.create_sheet("By month")
    for row in (["Ohio, provisional"], [], ["location", "month", "deaths"],
                ["Ohio", pd.Timestamp("2025-04-01"), 180], ["Ohio", "May-25", -1]):  # fmt: skip
        data.append(row)
    book.create_sheet("Empty")
    path = tmp_path / "ohio.xlsx"
    book.save(path)
    for name, said in (
        ("", r"2 sheets hold data \(Notes, By month\); choose one: ohio.xlsx:Notes"),
        (":by year", "no sheet 'by year'; it has Notes, By month, Empty"),
        (":Empty", "sheet 'Empty' is empty; it has Notes, By month, Empty"),
        (":By month", "ohio.xlsx row 5: deaths '-1' is negative"),
    ):
        with pytest.raises(DataError, match=said):
            read_own_counts(f"{path}{name}")
    data["C5"] = 171
    book.save(path)
    found = read_own_counts(f"{path}:By month")
    assert found["deaths"].tolist() == [180, 171]
    assert found["month"].dt.strftime("%Y-%m").tolist() == ["2025-04", "2025-05"]
