"""What stands in a file, by a few lines that share nothing with the readers."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib

import openpyxl
import pyarrow.parquet as pq

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BLANK = {"", "na", "n/a", "nan", "null", "none", "no data", "<na>"}

Row = dict[str, object]


class Unreadable(Exception):
    """The naive parser has no reading."""


def text_of(data: bytes) -> str:
    while data[:2] == b"\x1f\x8b":
        out = b""
        while data:
            one = zlib.decompressobj(31)
            out += one.decompress(data)
            if not one.eof:
                raise Unreadable("gzip")
            data = one.unused_data.lstrip(b"\0")
        return text_of_plain(out)
    return text_of_plain(data)


def text_of_plain(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def rows_of(data: bytes, separators: str = ",") -> list[Row]:
    """Rows of a file that are not blank, as header (letters only) to cell."""
    return [row for row in all_rows(data, separators) if any(word(cell) for cell in row.values())]


def all_rows(data: bytes, separators: str) -> list[Row]:
    try:
        if data[:4] == b"PK\x03\x04":
            return _xlsx(data)
        if data[:4] == b"PAR1":
            table = pq.read_table(io.BytesIO(data)).to_pylist()
            return [{key(k): v for k, v in row.items()} for row in table]
        text = text_of(data)
        if text.lstrip()[:1] == "[":
            return [{key(k): v for k, v in row.items()} for row in json.loads(text)]
        first = text.split("\n", 1)[0]
        return table_rows(text, max(separators, key=first.count))
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(repr(error)) from error


def table_rows(text: str, separator: str = ",") -> list[Row]:
    lines = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(r)]
    header = [key(h) for h in lines[0]]
    return [dict(zip(header, row, strict=True)) for row in lines[1:]]


def _xlsx(data: bytes) -> list[Row]:
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    lines = [list(r) for r in book.worksheets[0].iter_rows(values_only=True)]
    lines = [r for r in lines if any(c is not None for c in r)]
    header = [key("" if c is None else c) for c in lines[0]]
    return [dict(zip(header, row, strict=True)) for row in lines[1:]]


def key(header: object) -> str:
    return re.sub(r"[^0-9a-z]", "", str(header).lower())


def number(cell: object) -> float | None:
    """Its number, None for a blank."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, bool):
        raise Unreadable(f"a truth value {cell}")
    if isinstance(cell, int | float):
        return float(cell)
    text = str(cell).replace("\u00a0", " ").strip()
    if text.lower() in BLANK:
        return None
    if not re.fullmatch(r"[+-]?[0-9][0-9,]*(\.[0-9]*)?([eE][+-]?[0-9]+)?[+%]?", text, re.ASCII):
        raise Unreadable(f"no number {text[:40]!r}")
    return float(text.rstrip("+%").replace(",", ""))


def word(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).replace("\u00a0", " ").strip()


def month(row: Row) -> str:
    """``2024-07`` of the month and year cells."""
    text = word(row.get("month")).lower().rstrip(".")
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{2}).*", text):
        return f"{found[1]}-{found[2]}"
    year = int(float(word(row["year"]).replace(",", "")))
    if re.fullmatch(r"[0-9]{1,2}(\.0+)?", text):
        return f"{year}-{int(float(text)):02d}"
    return f"{year}-{MONTHS.index(text[:3]) + 1:02d}"
