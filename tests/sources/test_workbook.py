"""Workbooks: every cell that is stored, none that is not."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile

import openpyxl
import pandas as pd
import pytest
from test_refusals import book

from odforecast.sources.read import cell_text, read_raw

ROWS = [["a", "b"], [1, "x"], [2.5, None], [None, None], ["é", True], [dt.date(2024, 7, 1), 3]]


def read(tmp_path, data: bytes, old="", new=""):
    """Cells of a workbook, some of whose sheet is replaced."""
    source = zipfile.ZipFile(io.BytesIO(data))
    path = tmp_path / "2024-12-11.xlsx"
    with zipfile.ZipFile(path, "w") as whole:
        for name in source.namelist():
            xml = source.read(name).decode()
            whole.writestr(name, re.sub(old, new, xml) if old and "sheet1.xml" in name else xml)
    return read_raw(path)


@pytest.mark.parametrize("stale", [None, "A1:B3", "A1", "A1:XFD1048576", "C7:D9"])
def test_cells_are_what_is_stored_whatever_the_dimension_says(tmp_path, stale):
    old = '<dimension ref="[^"]*"' if stale else ""
    raw = read(tmp_path, book(ROWS), old, f'<dimension ref="{stale}"')
    assert raw.cells.to_numpy().tolist() == [
        ["1", "x"], ["2.5", ""], ["é", "True"], ["2024-07-01", "3"],
    ]  # fmt: skip
    assert raw.rows.tolist() == [2, 3, 5, 6]
    assert raw.blank_rows == 1


@pytest.mark.parametrize(
    ("cell", "old", "new", "said"),
    [
        ("=A2*2", "<v />", "<v>7</v>", "7"),
        ("=A2", '<c r="B2">', '<c r="B2" t="str">', None),  # the formula gives an empty text
        ("#REF!", "", "", "#REF!"),  # an error is not a blank
    ],
)
def test_formulas_and_errors(tmp_path, cell, old, new, said):
    cells = read(tmp_path, book([["a", "b"], [1, cell]]), old, new).cells.iloc[0].tolist()
    assert cells == ["1", said] or (said is None and cells[0] == "1")


@pytest.mark.slow
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
