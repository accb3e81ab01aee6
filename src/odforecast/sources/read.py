"""Files to raw cells: CSV, gzip, Excel, Parquet and JSON rows, told apart by their content.

Nothing is interpreted here: a cell is text, or the number or date the file itself stores.
A file that is cut off, undecodable, of another kind, or larger than any release is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import plain, quoted
from odforecast.sources.json_rows import records, refuse_object
from odforecast.sources.parquet import read_parquet
from odforecast.sources.rows import Filling, check_width, delimited, object_frame
from odforecast.sources.unpack import AGAIN, DEFAULT, Limits, file_bytes, gunzipped, utf8
from odforecast.sources.workbook import read_workbook

#: Bytes from which the kind of a text is told.
PEEK = 100_000
_MOST_BLANK = 1_100_000  # a worksheet saved to its end has as many


@dataclass
class RawFile:
    """Cells of a file before anybody has interpreted them.

    Attributes
    ----------
    name : str
        File name, for messages.
    cells : DataFrame
        Columns as the file names them; blank cells are ``""``, None or NaN.
    rows : ndarray of int
        Where each record stands in the file (see ``row_word``).
    row_word : str
        ``"row"`` (1-based, the header is row 1) or ``"record"`` (1-based, no header).
    kind : str
        csv, xlsx, parquet or json.
    file : str
        File name, as it is.
    sha256 : str
        Of the file's bytes.
    blank_rows : int
        Entirely empty rows left out.
    open_end : bool
        Whether the last row ends in a blank cell without a line end, so that nobody can tell
        whether a value is cut off there.
    notes : list of str
        What a reader should know.
    """

    name: str
    cells: pd.DataFrame
    rows: Any
    row_word: str
    kind: str
    file: str = ""
    sha256: str = ""
    blank_rows: int = 0
    open_end: bool = False
    notes: list[str] = field(default_factory=list)


def read_raw(path: str | Path, limits: Limits | None = None) -> RawFile:
    """Read the cells of a file, whatever its format.

    Parameters
    ----------
    path : path
        The kind is told from the first bytes, not from the name.
    limits : Limits, optional
        How large a file may be, packed and unpacked; default: beyond any release.

    Raises
    ------
    DataError
        If the file cannot be read, decoded or recognised, is cut off or too large.
    """
    limits = limits or DEFAULT
    data = file_bytes(path, limits)
    digest = hashlib.sha256(data).hexdigest()
    file = Path(path).name
    name = plain(file)
    checked = data[:2] == b"\x1f\x8b"
    if checked:
        data = gunzipped(name, data, limits)
    if not data[:4096].strip() and not data.strip():
        raise DataError(f"{name}: the file is empty", hint=AGAIN)
    if data[:4] == b"PAR1":
        raw = _complete(name, read_parquet(name, data, limits), "parquet")
    elif data[:4] == b"PK\x03\x04":
        table = read_workbook(name, data, limits)
        rows = np.array(table.rows, dtype=int)
        raw = RawFile(name, table.cells, rows, "row", "xlsx", blank_rows=table.blank_rows)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{name}: an old .xls workbook", hint="save it as .xlsx or .csv")
    else:
        raw = _text(name, utf8(name, data), checked, limits)
    raw.file, raw.sha256 = file, digest
    if raw.cells.empty:
        raise DataError(f"{name}: a header but no rows", hint=AGAIN)
    if len(raw.cells) == 1000:
        raw.notes.append(
            "exactly 1,000 rows, what data.cdc.gov answers by default: the file is probably cut; "
            "ask for all rows ($limit=500000) or download the CSV"
        )
    return raw


def _complete(name: str, cells: pd.DataFrame, kind: str) -> RawFile:
    """Records of a file that has no header row."""
    blank = (cells.isna() | (cells == "")).all(axis=1).to_numpy()
    rows = np.arange(1, 1 + len(cells))
    if blank.any():
        cells = cells[~blank].reset_index(drop=True)
    return RawFile(name, cells, rows[~blank], "record", kind, blank_rows=int(blank.sum()))


def _text(name: str, data: bytes, checked: bool, limits: Limits) -> RawFile:
    start = data[:PEEK].decode("utf-8", errors="replace").lstrip()
    if start[:1] == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL)
        what = f" ({plain(' '.join(title.group(1).split()))})" if title else ""
        raise DataError(f"{name}: a web page or XML{what}, not data", hint=AGAIN)
    if start[:1] == "{":
        raise refuse_object(name, data)
    if start[:1] == "[":
        return _json(name, data, limits)
    return _csv(name, data, checked, limits)


def _json(name: str, data: bytes, limits: Limits) -> RawFile:
    columns: dict[str, list[object]] = {}
    count = 0
    for record in records(name, data):
        for key, value in record.items():
            if key.startswith(":"):
                continue  # Socrata's own fields (":id", ":created_at") say nothing about deaths
            column = columns.get(key)
            if column is None:
                column = columns[key] = []
            if len(column) < count:
                column += [None] * (count - len(column))
            column.append(value)
        count += 1
        limits.check_cells(name, count * max(1, len(columns)))
        check_width(name, len(columns))
    if not count:
        raise DataError(f"{name}: an empty list of rows", hint=AGAIN)
    for column in columns.values():
        column += [None] * (count - len(column))
    return _complete(name, object_frame(list(columns.values()), list(columns), count), "json")


def _csv(name: str, data: bytes, checked: bool, limits: Limits) -> RawFile:
    first = data[:PEEK].lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8", errors="replace")
    separator = "\t" if first.count("\t") > first.count(",") else ","
    if first.count(";") > first.count(separator):
        raise DataError(
            f"{name}: columns separated by semicolons, where numbers are ambiguous",
            hint="save it with commas between columns and points before decimals",
        )
    if separator not in first:
        raise DataError(
            f"{name}: no table: its first line is {quoted(first.strip(), 60)}",
            hint="is it CDC's table of provisional drug overdose counts (xkb8-kh2a)?",
        )
    rows = delimited(name, data, separator)
    names = next(rows)
    filling = Filling(name, len(names), limits)
    blank = 0
    for number, row in enumerate(rows, start=2):
        if not any(row):
            blank += 1
            if blank > _MOST_BLANK:
                raise DataError(f"{name}: more than {_MOST_BLANK:,} blank rows", hint=AGAIN)
        elif len(row) != len(names):
            raise DataError(
                f"{name} row {number}: {len(row)} cells where the header has {len(names)}",
                hint=f"the file is cut off or damaged; {AGAIN}",
            )
        else:
            filling.add(number, row)
    cells = filling.frame(names)
    raw = RawFile(name, cells, np.array(filling.rows, dtype=int), "row", "csv", blank_rows=blank)
    if not data.endswith((b"\n", b"\r")) and len(cells):
        if not checked:  # gzip has proven its content whole
            _check_end(raw)
        raw.notes.append("the last line has no line end: check that the file is complete")
    return raw


def _check_end(raw: RawFile) -> None:
    """Refuse a last cell that may be the beginning of another, where no line end follows it."""
    column = [str(cell).strip() for cell in raw.cells.iloc[:, -1]]
    last, others = column[-1], set(column[:-1])
    if not last:
        raw.open_end = any(others)
        return
    why = ""
    if re.fullmatch(r"[\d,.]+[+%]?", last):
        # 2,350 cut to 2,3 would be a wrong number.
        why = f"ends in a number ({quoted(last)}), which may be cut off"
    elif last not in others or any(o != last and o.startswith(last) for o in others):
        why = f"ends in {quoted(last)}, which may be the beginning of a longer text"
    if why:
        raise DataError(
            f"{raw.name} {raw.row_word} {raw.rows[-1]}: the last line has no line end and {why}",
            hint=f"{AGAIN}, or add a line end if the file is whole",
        )
