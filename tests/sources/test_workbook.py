"""Workbooks: every cell that is stored, none that is not."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile

import openpyxl
import pandas as pd
import pytest
from release_factory import cdc_cells

from odforecast.errors import DataError
from odforecast.sources.read import cell_text
from odforecast.sources.read import read_raw
from odforecast.sources.vsrr import read_vsrr

SHEET = "xl/worksheets/sheet1.xml"


def book(rows) -> bytes:
    out = io.BytesIO()
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(out)
    return out.getvalue()


def edited(data: bytes, change, part: str = SHEET) -> bytes:
    source = zipfile.ZipFile(io.BytesIO(data))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for name in source.namelist():
            xml = source.read(name).decode()
            whole.writestr(name, change(xml) if name == part else xml)
    return out.getvalue()


def read(tmp_path, data: bytes):
    path = tmp_path / "2024-12-11.xlsx"
    path.write_bytes(data)
    return read_raw(path)


ROWS = [["a", "b"], [1, "x"], [2.5, None], [None, None], ["é", True], [dt.date(2024, 7, 1), 3]]


def test_cells_are_what_is_stored(tmp_path):
    raw = read(tmp_path, book(ROWS))
    assert raw.cells.to_numpy().tolist() == [
        ["1", "x"], ["2.5", ""], ["é", "True"], ["2024-07-01", "3"],
    ]  # fmt: skip
    assert raw.rows.tolist() == [2, 3, 5, 6]
    assert raw.blank_rows == 1


@pytest.mark.parametrize("stale", ["A1:B3", "A1", "A1:XFD1048576", "C7:D9"])
def test_a_stale_dimension_loses_no_row(tmp_path, stale):
    new = f'<dimension ref="{stale}"'
    data = edited(book(ROWS), lambda x: re.sub(r'<dimension ref="[^"]*"', new, x))
    assert read(tmp_path, data).rows.tolist() == [2, 3, 5, 6]


def test_a_formula_needs_its_stored_value(tmp_path):
    cells = cdc_cells().to_numpy().tolist()
    rows = [list(cdc_cells().columns), *cells]
    rows[4][5] = "=1+1"
    path = tmp_path / "2024-12-11.xlsx"
    path.write_bytes(book(rows))
    with pytest.raises(DataError, match=r"cell F5 of Sheet: a formula without a stored value"):
        read_vsrr(path)
    stored = edited(book([["a", "b"], [1, "=A2*2"]]), lambda x: x.replace("<v />", "<v>7</v>"))
    assert read(tmp_path, stored).cells.iloc[0].tolist() == ["1", "7"]
    empty = edited(
        book([["a", "b"], [1, "=A2"]]), lambda x: x.replace('<c r="B2">', '<c r="B2" t="str">')
    )
    assert read(tmp_path, empty).cells.iloc[0].tolist()[0] == "1"  # the formula gives an empty text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<v>2.5</v>", "<v>2,5</v>", "damaged workbook.*'2,5'"),
        ("<v>2.5</v>", "<v>" + "9" * 5000 + "</v>", "damaged workbook.*5000 digits"),
        ('r="A3" t="n"', 'r="A3" t="s"', "damaged workbook"),
        ('<c r="A2" t="n"><v>1</v>', '<c r="A2" t="s"><v>9</v>', "damaged workbook"),
        ('<c r="A2" t="n"><v>1</v>', '<c r="A2" t="s"><v>-1</v>', "damaged workbook.*[(]-1[)]"),
        (
            '<c r="A2" t="n"><v>1</v>',
            '<c r="A2"><is><t>7</t></is>',
            "a cell A2 in row 2 has a text where it says",
        ),
        (
            't="inlineStr"><is><t>x</t></is>',
            't="inlineStr"><v>7</v>',
            "a cell B2 in row 2 has a value where",
        ),
        ("<v>1</v></c>", "<v>1</v><v>2</v></c>", "a cell A2 in row 2 has two values"),
        ('r="B2"', 'r="A2"', "a cell A2 in row 2 is there twice"),
        ('r="B2"', 'r="b2"', "a cell b2 in row 2 has a place"),
        ('r="B2"', 'r="B3"', "a cell B3 in row 2 is"),
        ('<row r="3"', '<row r="2"', "a cell A3 in row 2 is"),
        ('<row r="3"', '<row r="9999999"', "a cell A3 in row 9999999"),
        ('r="B2"', 'r="ZZZ2"', "is far to the right"),
        ("<worksheet", "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet", "a document type"),
    ],
)
def test_what_cannot_be_trusted_is_refused(tmp_path, old, new, message):
    data = edited(book(ROWS), lambda x: x.replace(old, new, 1))
    assert data != book(ROWS)
    with pytest.raises(DataError, match=message):
        read(tmp_path, data)


def test_error_cells_are_not_blank(tmp_path):
    cells = read(tmp_path, book([["a", "b"], [1, "#REF!"]])).cells
    assert cells.iloc[0].tolist() == ["1", "#REF!"]


def test_the_other_reader_gives_the_same(vsrr):
    """All of the real workbooks, cell by cell, against openpyxl without its dimensions."""
    files = sorted(vsrr.glob("*.xlsx"))
    assert files
    for path in files:
        whole = io.BytesIO(path.read_bytes())
        sheet = openpyxl.load_workbook(whole, read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        width = len(rows[0])
        other = pd.DataFrame([r + [None] * (width - len(r)) for r in rows[1:]], dtype=object)
        mine = read_raw(path).cells
        assert list(mine.columns) == rows[0]
        assert mine.to_numpy().tolist() == other.map(cell_text).to_numpy().tolist()
