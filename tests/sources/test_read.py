"""Files of the wrong kind, cut off, damaged or without end."""

import datetime as dt
import gzip
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from release_factory import NAME, cdc_cells, csv_bytes
from test_refusals import book, edited, packed

from odforecast.errors import DataError
from odforecast.sources.read import Limits, cell_text, read_raw
from odforecast.sources.vsrr import read_vsrr

ROWS = [["a", "b"], [1, "x"], [2.5, None], [None, None], ["é", True], [dt.date(2024, 7, 1), 3]]
SHEET = "xl/worksheets/sheet1.xml"
_NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def test_what_is_not_there_and_what_is_beyond_a_limit(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent.csv: No such file"):
        read_raw(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="Is a directory"):
        read_raw(tmp_path)
    path, data = tmp_path / NAME, csv_bytes(cdc_cells())
    path.write_bytes(data)
    with pytest.raises(DataError, match="holds more than 0 MB"):
        read_vsrr(path, limits=Limits(size=len(data) - 1))
    with pytest.raises(DataError, match="more than 100 cells"):
        read_vsrr(path, limits=Limits(cells=100))
    path.write_bytes(gzip.compress(data))
    with pytest.raises(DataError, match="unpacks to more than 0 MB"):
        read_raw(path, Limits(size=len(data) - 1))
    assert len(read_raw(path, Limits(size=len(data))).cells) == len(cdc_cells())


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
    words, path = ["é", "😀", "a", "日本"] * 150_000, tmp_path / "a.csv"
    path.write_bytes(("a,b\n" + "".join(f"{w},1\n" for w in words)).encode(encoding))
    assert read_raw(path).cells["a"].tolist() == words


def test_parquet_that_lies_about_its_sizes_is_refused(tmp_path):
    data, path = packed(a=np.arange(1000).tolist()), tmp_path / "a"
    said = []
    for i in range(4, 40):
        path.write_bytes(data[:i] + b"\xff\xff\xff\xff\x07" + data[i + 5 :])
        try:
            read_raw(path)
        except DataError as error:
            said.append(str(error))
    assert len(said) > 10
    assert all(line.isprintable() for line in said)

    # Pages say what is in them, and are asked before anything is unpacked.
    def size(data):
        return pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)

    data = packed(a=["x" * 1_000_000], compression="zstd")
    number = 2 * size(data).total_uncompressed_size  # as Thrift writes it: seven bits a byte
    true = bytes([number & 127 | 128, number >> 7 & 127 | 128, number >> 14])
    lying = data.replace(true, b"\x82\x80\x00")
    assert size(lying).total_uncompressed_size == 1
    path.write_bytes(lying)
    with pytest.raises(DataError, match="unpacks to more than 0 MB"):
        read_raw(path, Limits(size=500_000))


@pytest.mark.parametrize("last", ["Predicted Value", "Footnote", "State Name", "Footnote Symbol"])
def test_a_file_cut_inside_its_last_row_is_refused_or_the_same(tmp_path, last):
    """No cut may change what is read of the last row: not to a blank, nor to another word."""
    cells = cdc_cells()
    cells = cells[[c for c in cells if c != last] + [last]].iloc[:-1]  # the last has a prediction
    path, data = tmp_path / "2024-12-11.csv", csv_bytes(cells)
    path.write_bytes(data)
    whole, start = read_vsrr(path).table, data.rindex(b"\n", 0, -1) + 1
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
    cells, path = pd.concat([cells[~blank], cells[blank]]), tmp_path / "2024-12-11.csv"
    path.write_bytes(csv_bytes(cells)[:-1])
    assert any("no line end" in note for note in read_vsrr(path).report.notes)
    cells = cdc_cells().iloc[:-1]
    end, data = f",{cells.iloc[-1, -1]}\n", csv_bytes(cells)
    assert data.endswith(end.encode())
    path.write_bytes(data[: 1 - len(end)])
    with pytest.raises(DataError, match="no line end and ends in a blank Predicted Value"):
        read_vsrr(path)


def cells(tmp_path, data):
    path = tmp_path / "2024-12-11.xlsx"
    path.write_bytes(data)
    return read_raw(path)


@pytest.mark.parametrize("stale", [None, "A1:B3", "A1", "A1:XFD1048576", "C7:D9"])
def test_cells_are_what_is_stored_whatever_the_dimension_says(tmp_path, stale):
    data, old = book(ROWS), '<dimension ref="[^"]*"'
    raw = cells(tmp_path, edited(old, f'<dimension ref="{stale}"', data) if stale else data)
    held = [["1", "x"], ["2.5", ""], ["é", "True"], ["2024-07-01", "3"]]
    assert raw.cells.to_numpy().tolist() == held
    assert (raw.rows.tolist(), raw.blank_rows) == ([2, 3, 5, 6], 1)


@pytest.mark.parametrize(
    ("cell", "old", "new", "said"),
    [
        ("=A2*2", "<v />", "<v>7</v>", "7"),
        ("=A2", '<c r="B2">', '<c r="B2" t="str">', ""),  # the formula gives an empty text
        ("#REF!", "<c", "<c", "#REF!"),  # an error is not a blank
    ],
)
def test_formulas_and_errors(tmp_path, cell, old, new, said):
    data = edited(old, new, book([["a", "b"], [1, cell]]))
    assert cells(tmp_path, data).cells.iloc[0].tolist() == ["1", said]


@pytest.mark.slow
def test_the_other_reader_gives_the_same(vsrr):
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


_RUN = """
import re, resource, sys
from odforecast.errors import OdforecastError
from odforecast.sources.{module} import {reader} as read
# A loop without end is ended; how long it takes is measured elsewhere.
resource.setrlimit(resource.RLIMIT_CPU, (90, 90))
try:
    read(sys.argv[1]{date})
    said = "read"
except OdforecastError as error:
    said = str(error)
# Of this process alone: ru_maxrss would begin with that of the one that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
print(peak, said)
"""


def measured(path: Path, module: str = "vsrr", reader: str = "read_vsrr") -> tuple[int, str]:
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory of a process is read from /proc")
    date = ', "2024-12-11"' if module == "vsrr" else ""
    code = _RUN.format(module=module, reader=reader, date=date)
    how = {"capture_output": True, "text": True, "timeout": 120, "check": True}
    peak, said = subprocess.run([sys.executable, "-c", code, str(path)], **how).stdout.split(" ", 1)
    return int(peak), said.strip()


def repeated(path: Path, part: str, start: bytes, unit: bytes, times: int, end: bytes) -> None:
    out, empty = io.BytesIO(), openpyxl.Workbook()
    empty.active.append(["a", "b"])
    empty.save(out)
    source = zipfile.ZipFile(out)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as whole:
        for name in source.namelist():
            if name != part:
                whole.writestr(name, source.read(name))
        with whole.open(part, "w", force_zip64=True) as handle:
            handle.write(start)
            for _ in range(times // 10_000):
                handle.write(unit * 10_000)
            handle.write(end)


def gz(path: Path, start: bytes, unit: bytes, times: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as handle:
        handle.write(start)
        for _ in range(times // 10_000):
            handle.write(unit * 10_000)


def sheet(unit: bytes, times: int):
    start = f'<worksheet xmlns="{_NS}"><sheetData>'.encode()
    return lambda p: repeated(p, SHEET, start, unit, times, b"</sheetData></worksheet>")


def long_texts(path: Path) -> None:
    pq.write_table(pa.table({"a": ["x" * 250_000_000]}), path, compression="zstd")


def many_rows(path: Path) -> None:
    with pq.ParquetWriter(path, pa.schema([("a", pa.int64())])) as writer:
        part = pa.table({"a": pa.array([7] * 5_000_000)})
        for _ in range(20):
            writer.write_table(part)


ROW = b"WV,2024,July,Heroin (T40.1),42\n"
HEAD = b"State,Year,Month,Indicator,Data Value\n"
ENDLESS = {
    "gzip of zeros": lambda p: gz(p, b"", b"\0" * 1000, 1_200_000),
    "gzip of rows": lambda p: gz(p, HEAD, ROW, 40_000_000),
    "rows of two letters": lambda p: gz(p, b"a,b\n", b"1,2\n", 45_000_000),
    "blank rows": lambda p: gz(p, b"a,b\n", b",\n", 60_000_000),
    "one line": lambda p: gz(p, b"a,b\n", b"1,", 60_000_000),
    "a quote never closed": lambda p: gz(p, b'a,b\n"', b"1,2\n", 40_000_000),
    "workbook of rows": sheet(b"<row><c><v>1</v></c></row>", 45_000_000),
    "workbook of empty cells": sheet(b"<c/>", 45_000_000),
    "workbook of one attribute": sheet(b" ", 150_000_000),
    "workbook of texts": lambda p: repeated(
        p, "xl/sharedStrings.xml", f'<sst xmlns="{_NS}">'.encode(), b"<si><t>a</t></si>",
        65_000_000, b"</sst>"),
    "parquet of one text": long_texts,
    "parquet of rows": many_rows,
    "json lists": lambda p: gz(p, b"[", b"[", 190_000_000),
    "json objects": lambda p: gz(p, b"[", b'{"a":1},', 20_000_000),
    "json in a cell": lambda p: gz(p, b'[{"a":[', b"[],", 60_000_000),
    "json rows": lambda p: gz(p, b"[", b'{"state":"WV","year":"2024","month":"7"},', 4_000_000),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_files_are_refused(tmp_path, kind):
    path = tmp_path / "2024-12-11"
    ENDLESS[kind](path)
    assert path.stat().st_size < 20_000_000
    peak, said = measured(path)
    assert said.startswith("2024-12-11"), said
    assert said.isprintable()
    assert len(said) < 400
    assert peak < 1000, f"{peak} MB"


@pytest.mark.slow
def test_an_endless_export_and_a_device_are_refused(tmp_path):
    path = tmp_path / "export.txt"
    path.write_bytes(b"Notes\tMonth\tMonth Code\tDeaths\n" + b"a\t\t\t\n" * 9_000_000)
    peak, said = measured(path, "wonder", "read_wonder")
    assert "more than 200,000 rows" in said
    assert peak < 1000
    device = Path("/dev/zero")
    if device.exists():
        peak, said = measured(device)
        assert "zero: holds more than 200 MB" in said
        assert peak < 1000
