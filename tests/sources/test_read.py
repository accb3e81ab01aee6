"""Files of the wrong kind, cut off or damaged."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from release_factory import cdc_cells, csv_bytes
from test_refusals import book, packed

from odforecast.errors import DataError
from odforecast.sources.read import Limits, cell_text, read_raw
from odforecast.sources.vsrr import read_vsrr


def test_unreadable(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent.csv: No such file"):
        read_raw(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="Is a directory"):
        read_raw(tmp_path)


def test_rows_are_numbered_as_in_the_file_and_truth_values_are_not_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n\n,\n3,4\n\n")
    raw = read_raw(path)
    assert (raw.rows.tolist(), raw.row_word, raw.blank_rows) == ([2, 5], "row", 3)
    path.write_text('[{"a": 1}, {"b": true}]')
    raw = read_raw(path)
    assert (raw.rows.tolist(), raw.row_word) == ([1, 2], "record")
    assert raw.cells.to_numpy().tolist() == [["1", ""], ["", "True"]]
    path.write_bytes(packed(a=[True, False]))
    assert read_raw(path).cells["a"].tolist() == ["True", "False"]
    for rows, noted in ((1000, True), (1001, False)):
        path.write_text("a,b\n" + "1,2\n" * rows)
        assert any("exactly 1,000 rows" in note for note in read_raw(path).notes) == noted


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_long_texts_are_cut_at_no_character(tmp_path, encoding):
    words = ["é", "😀", "a", "日本"] * 150_000
    path = tmp_path / "a.csv"
    path.write_bytes(("a,b\n" + "".join(f"{w},1\n" for w in words)).encode(encoding))
    assert read_raw(path).cells["a"].tolist() == words


def test_a_parquet_page_that_lies_about_its_size_is_refused(tmp_path):
    data = packed(a=np.arange(1000).tolist())
    path = tmp_path / "a"
    said = []
    for i in range(4, 40):
        path.write_bytes(data[:i] + b"\xff\xff\xff\xff\x07" + data[i + 5 :])
        try:
            read_raw(path)
        except DataError as error:
            said.append(str(error))
    assert len(said) > 10
    assert all(line.isprintable() for line in said)


def test_a_parquet_footer_that_lies_about_its_sizes_is_refused(tmp_path):
    """Its pages say what is in them, and are asked before anything is unpacked."""

    def size(data):
        return pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)

    data = packed(a=["x" * 1_000_000], compression="zstd")
    number = 2 * size(data).total_uncompressed_size  # as Thrift writes it: seven bits a byte
    true = bytes([number & 127 | 128, number >> 7 & 127 | 128, number >> 14])
    lying = data.replace(true, b"\x82\x80\x00")
    assert size(lying).total_uncompressed_size == 1
    path = tmp_path / "a"
    path.write_bytes(lying)
    with pytest.raises(DataError, match="unpacks to more than 0 MB"):
        read_raw(path, Limits(size=500_000))


# Files cut inside the last row


@pytest.mark.parametrize("last", ["Predicted Value", "Footnote", "State Name", "Footnote Symbol"])
def test_a_file_cut_inside_its_last_row_is_refused_or_the_same(tmp_path, last):
    """No cut may change what is read of the last row: not to a blank, nor to another word."""
    cells = cdc_cells()
    cells = cells[[c for c in cells if c != last] + [last]].iloc[:-1]  # the last has a prediction
    path = tmp_path / "2024-12-11.csv"
    data = csv_bytes(cells)
    path.write_bytes(data)
    whole = read_vsrr(path).table
    start = data.rindex(b"\n", 0, -1) + 1
    said = set()
    for end in range(start + 1, len(data)):
        path.write_bytes(data[:end])
        try:
            table = read_vsrr(path).table
        except DataError as error:
            said.add(str(error))
        else:
            pd.testing.assert_frame_equal(table, whole)
    assert said
    assert all(re.search(r"row 27|no line end", line) for line in said)


def test_a_blank_at_the_end_is_believed_where_the_whole_series_is_blank(tmp_path):
    """As in CDC's 2023-04-12, whose last line has no line end."""
    cells = cdc_cells()
    blank = (cells["State"] == "WV") & cells["Indicator"].str.startswith("Meth")
    cells = pd.concat([cells[~blank], cells[blank]])
    path = tmp_path / "2024-12-11.csv"
    path.write_bytes(csv_bytes(cells)[:-1])
    assert any("no line end" in note for note in read_vsrr(path).report.notes)
    cells = cdc_cells().iloc[:-1]
    end = f",{cells.iloc[-1, -1]}\n"
    data = csv_bytes(cells)
    assert data.endswith(end.encode())
    path.write_bytes(data[: 1 - len(end)])
    with pytest.raises(DataError, match="no line end and ends in a blank Predicted Value"):
        read_vsrr(path)


def test_a_state_whose_records_do_not_arrive_is_no_swapped_header(tmp_path):
    path = tmp_path / "2024-12-11.csv"
    cells = cdc_cells()
    cells.loc[4, "Percent Complete"] = "45.5"
    path.write_bytes(csv_bytes(cells))
    assert 45.5 in set(read_vsrr(path).table["percent_complete"])


# Workbooks: every cell that is stored, none that is not


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
