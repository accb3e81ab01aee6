"""Input without end is refused in a line, below 1 GB of memory and a limit of time."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from release_factory import NAME, cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.sources.read import Limits, read_raw
from odforecast.sources.vsrr import read_vsrr

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
    """Peak memory (MB), and the line that another process refuses a file with."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory of a process is read from /proc")
    date = ', "2024-12-11"' if module == "vsrr" else ""
    code = _RUN.format(module=module, reader=reader, date=date)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    peak, said = done.stdout.split(" ", 1)
    return int(peak), said.strip()


SHEET = "xl/worksheets/sheet1.xml"
_NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def book(path: Path, part: str, start: bytes, unit: bytes, times: int, end: bytes) -> None:
    """A workbook one part of which repeats a text."""
    out = io.BytesIO()
    empty = openpyxl.Workbook()
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
    return lambda p: book(p, SHEET, start, unit, times, b"</sheetData></worksheet>")


def long_texts(path: Path) -> None:
    pq.write_table(pa.table({"a": ["x" * 300_000_000]}), path, compression="zstd")


def many_rows(path: Path) -> None:
    with pq.ParquetWriter(path, pa.schema([("a", pa.int64())])) as writer:
        part = pa.table({"a": pa.array([7] * 5_000_000)})
        for _ in range(20):
            writer.write_table(part)


ROW = b"WV,2024,July,Heroin (T40.1),42\n"
HEAD = b"State,Year,Month,Indicator,Data Value\n"
ENDLESS = {
    "gzip of zeros": lambda p: gz(p, b"", b"\0" * 100, 20_000_000),
    "gzip of rows": lambda p: gz(p, HEAD, ROW, 60_000_000),
    "rows of two letters": lambda p: gz(p, b"a,b\n", b"1,2\n", 45_000_000),
    "blank rows": lambda p: gz(p, b"a,b\n", b",\n", 60_000_000),
    "one line": lambda p: gz(p, b"a,b\n", b"1,", 60_000_000),
    "a quote never closed": lambda p: gz(p, b'a,b\n"', b"1,2\n", 40_000_000),
    "workbook of rows": sheet(b"<row><c><v>1</v></c></row>", 100_000_000),
    "workbook of empty cells": sheet(b"<c/>", 45_000_000),
    "workbook of one attribute": sheet(b" ", 150_000_000),
    "workbook of texts": lambda p: book(
        p, "xl/sharedStrings.xml", f'<sst xmlns="{_NS}">'.encode(), b"<si><t>a</t></si>",
        100_000_000, b"</sst>"),
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


def test_the_limits_are_parameters(tmp_path):
    path = tmp_path / NAME
    data = csv_bytes(cdc_cells())
    path.write_bytes(data)
    with pytest.raises(DataError, match="holds more than 0 MB"):
        read_vsrr(path, limits=Limits(size=len(data) - 1))
    with pytest.raises(DataError, match="more than 100 cells"):
        read_vsrr(path, limits=Limits(cells=100))
    path.write_bytes(gzip.compress(data))
    with pytest.raises(DataError, match="unpacks to more than 0 MB"):
        read_raw(path, Limits(size=len(data) - 1))
    assert len(read_raw(path, Limits(size=len(data))).cells) == len(cdc_cells())
