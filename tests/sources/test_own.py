"""A state's own counts: every form that people write them in, and what is refused."""

from __future__ import annotations

import gzip

import openpyxl
import pandas as pd
import pytest

from odforecast.errors import DataError
from odforecast.sources.own import read_own_counts

HEAD = "location,month,deaths\n"


def write(folder, text, name="ohio.csv"):
    path = folder / name
    path.write_text(text)
    return path


def months_of(folder, *cells):
    text = HEAD + "".join(f'Ohio,"{cell}",180\n' for cell in cells)
    return read_own_counts(write(folder, text))["month"].dt.strftime("%Y-%m").tolist()


@pytest.mark.parametrize(
    "cells",
    [
        ("2022-01", "2022-02"),
        ("2022-01-01", "2022-02-28"),
        ("January 2022", "Feb. 2022"),
        ("Jan-22", "Feb-22"),
        ("01/2022", "2/2022"),
        ("1/1/22", "2/1/22"),
        ("01/01/2022", "02/01/2022"),
        ("1/31/2022", "2/28/2022"),
        ("02/01/2022", "01/31/2022"),
        ("31/01/2022", "01/02/2022"),
        ("Jan 1, 2022", "February 28, 2022"),
    ],
    ids=lambda cells: cells[0],
)
def test_months_as_people_write_them(tmp_path, cells):
    assert sorted(months_of(tmp_path, *cells)) == ["2022-01", "2022-02"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("01/05/2025", "01/06/2025"), "'01/05/2025' may be January 5, 2025 or May 1, 2025"),
        (("01/05/2025", "05/31/2025"), "'01/05/2025' is a day within a month"),
        (("05/31/2025", "31/05/2025", "01/05/2025"), "may be January 5, 2025 or May 1, 2025"),
        (("2025-05-15",), "'2025-05-15' is a day within a month"),
        (("2025-02-29",), "'2025-02-29' is not a month"),
        (("2025-13",), "'2025-13' is not a month"),
        (("2025",), "'2025' is not a month"),
        (("May",), "'May' is not a month"),
        (("38528e6533165796",), "'38528e6533165796' is not a month"),
        (("",), "'' is not a month"),
    ],
    ids=lambda x: x[0] if isinstance(x, tuple) else "",
)
def test_months_that_are_refused(tmp_path, cells, said):
    with pytest.raises(DataError) as refused:
        months_of(tmp_path, *cells)
    assert said in str(refused.value)
    assert "row 2: month" in str(refused.value) or len(cells) > 2


@pytest.mark.parametrize(
    ("days", "read"),
    [
        (("9/17/2025", "Sep 1, 2025", ""), ["2025-09-17", "2025-09-01", ""]),
        (("9/17/2025", "9/1/2025", "2025-09-02"), ["2025-09-17", "2025-09-01", "2025-09-02"]),
        (("9/1/2025", "9/2/2025", ""), "may be September 1, 2025 or January 9, 2025"),
        (("2025-09", "", ""), "as_of '2025-09' is not a day"),
        (("soon", "", ""), "as_of 'soon' is not a day"),
    ],
)
def test_days(tmp_path, days, read):
    rows = "".join(f'OH,2025-0{i},180,"{day}"\n' for i, day in enumerate(days, start=1))
    path = write(tmp_path, "location,month,deaths,as_of\n" + rows)
    if isinstance(read, list):
        assert read_own_counts(path)["as_of"].tolist() == read
    else:
        with pytest.raises(DataError, match=read):
            read_own_counts(path)


TITLED = "Deaths by month, Ohio\n\nSource: vital statistics\n"


@pytest.mark.parametrize(
    "text",
    [
        "State,Month,Deaths,County\nOhio,2025-04,180,all\nOhio,2025-05,171,all\n",
        TITLED + "Location,Month,Deaths\nOhio,2025-04,180\nOhio,2025-05,171\n",
        "location;month;deaths\nOhio;2025-04;180\nOhio;2025-05;171\n",
        "location\tmonth\tdeaths\nOhio\t2025-04\t180\nOhio\t2025-05\t171\n",
    ],
)
def test_forms_of_a_text(tmp_path, text):
    path = write(tmp_path, text)
    packed = tmp_path / "ohio.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    for each in (path, packed):
        found = read_own_counts(each)
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "Ohio,2025-05,3.5\n", "row 2: deaths '3.5' is not a whole number"),
        (HEAD + "Ohio,2025-05,\n", "row 2: deaths '' is not a number"),
        (HEAD + "Ohio,2025-05,Suppressed\n", "row 2: deaths 'Suppressed' is not a number"),
        (HEAD + "Ohio,2025-05,38528e6533165796\n", "'38528e6533165796' is not a number"),
        (HEAD + "Ohio,2025-05,4.000\n", "'4.000' may be a thousand times larger"),
        (HEAD + ",2025-05,3\n", "row 2: location '' is blank; name the place"),
        (TITLED + HEAD + "Ohio,2025-05,x\n", "row 5: deaths 'x' is not a number"),
        ("place,deaths,County\nOhio,180,all\n", "no column location, month; it has place, deaths"),
        ("location,month,Deaths,deaths\nOhio,2025-04,1,2\n", "two columns for deaths"),
        ("location;month;deaths\nOhio;2025-04;1,200\n", "'1,200' may hold a decimal comma"),
        (HEAD + "Ohio,2025-04,180", "which may be cut off; end the last line with a line end"),
        ("", "the file is empty; save it as CSV or .xlsx, with the columns location, month"),
        (HEAD, "a header but no rows; save it as CSV or .xlsx"),
    ],
)
def test_what_is_refused_speaks_of_counts(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as refused:
        read_own_counts(write(tmp_path, text))
    assert "release" not in str(refused.value)
    assert "download" not in str(refused.value)
