"""Files to raw cells: CSV, gzip, Excel, Parquet and JSON rows, told apart by their content.

Nothing is interpreted here: a cell is text, or the number or date the file itself stores.
A file that is cut off, undecodable or of another kind is refused.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError

_AGAIN = "download the file again"


@dataclass
class RawFile:
    """Cells of a file before anybody has interpreted them.

    Attributes
    ----------
    name : str
        File name, for messages.
    cells : DataFrame
        Columns as the file names them; blank cells are ``""`` or NaN.
    rows : ndarray of int
        Where each record stands in the file (see ``row_word``).
    row_word : str
        ``"row"`` (1-based, the header is row 1) or ``"record"`` (1-based, no header).
    kind : str
        csv, xlsx, parquet or json.
    sha256 : str
        Of the file's bytes.
    blank_rows : int
        Entirely empty rows left out.
    notes : list of str
        What a reader should know.
    """

    name: str
    cells: pd.DataFrame
    rows: Any
    row_word: str
    kind: str
    sha256: str
    blank_rows: int = 0
    notes: list[str] = field(default_factory=list)


def read_raw(path: str | Path) -> RawFile:
    """Read the cells of a file, whatever its format.

    Parameters
    ----------
    path : path
        The kind is told from the first bytes, not from the name.

    Raises
    ------
    DataError
        If the file cannot be read, decoded or recognised, or is cut off.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}", hint="check the path"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    name = path.name
    checked = data[:2] == b"\x1f\x8b"
    if checked:
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{name}: gzip file is cut off or damaged ({error})", _AGAIN) from error
    if not data.strip():
        raise DataError(f"{name}: the file is empty", hint=_AGAIN)
    if data[:4] == b"PAR1":
        raw = _parquet(name, data)
    elif data[:4] == b"PK\x03\x04":
        raw = _excel(name, data)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{name}: an old .xls workbook", hint="save it as .xlsx or .csv")
    else:
        raw = _text(name, data, checked)
    raw.sha256 = digest
    if raw.cells.empty:
        raise DataError(f"{name}: a header but no rows", hint=_AGAIN)
    if len(raw.cells) == 1000:
        raw.notes.append(
            "exactly 1,000 rows, what data.cdc.gov answers by default: the file is probably cut; "
            "ask for all rows ($limit=500000) or download the CSV"
        )
    return raw


def _raw(
    name: str, cells: pd.DataFrame, kind: str, blank: NDArray[np.bool_] | None = None
) -> RawFile:
    header = 1 if kind in ("csv", "xlsx") else 0
    rows = pd.RangeIndex(1 + header, 1 + header + len(cells)).to_numpy()
    if blank is None:
        blank = (cells.isna() | (cells == "")).all(axis=1).to_numpy()
    return RawFile(
        name=name,
        cells=cells[~blank].reset_index(drop=True) if blank.any() else cells,
        rows=rows[~blank],
        row_word="row" if header else "record",
        kind=kind,
        sha256="",
        blank_rows=int(blank.sum()),
    )


def _text(name: str, data: bytes, checked: bool) -> RawFile:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} line {line}: byte {error.start} is not {encoding.removesuffix('-sig')} text",
            hint="save the file as UTF-8",
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{name} line {line}: binary data, not text", hint=_AGAIN)
    start = text.lstrip()[:1]
    if start == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        what = f" ({' '.join(title.group(1).split())})" if title else ""
        raise DataError(f"{name}: a web page or XML{what}, not data", hint=_AGAIN)
    if start in ("{", "["):
        return _json(name, text)
    return _csv(name, text, checked)


def _csv(name: str, text: str, checked: bool) -> RawFile:
    header = text.lstrip("\r\n").split("\n", 1)[0]
    separator = "\t" if header.count("\t") > header.count(",") else ","
    if header.count(";") > header.count(separator):
        raise DataError(
            f"{name}: columns separated by semicolons, where numbers are ambiguous",
            hint="save it with commas between columns and points before decimals",
        )
    if separator not in header:
        raise DataError(
            f"{name}: no table: its first line is {header.strip()[:60]!r}",
            hint="is it CDC's table of provisional drug overdose counts (xkb8-kh2a)?",
        )
    # Not pandas' parser, which fills the end of a row that is too short.
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{name} row {len(rows) + 1}: {error}", hint=f"a quote is never closed? {_AGAIN}"
        ) from error
    names = rows[0]
    blank = np.array([not any(row) for row in rows[1:]], dtype=bool)
    for i, row in enumerate(rows):
        if len(row) != len(names):
            if any(row):
                raise DataError(
                    f"{name} row {i + 1}: {len(row)} cells where the header has {len(names)}",
                    hint=f"the file is cut off or damaged; {_AGAIN}",
                )
            rows[i] = [""] * len(names)
    columns = list(zip(*rows[1:])) or [()] * len(names)
    cells = pd.DataFrame({i: np.array(c, dtype=object) for i, c in enumerate(columns)})
    cells.columns = pd.Index(names)
    raw = _raw(name, cells, "csv", blank)
    if not text.endswith(("\n", "\r")):
        last = str(cells.iloc[-1, -1]) if len(cells) else ""
        if not checked and re.fullmatch(r"[\d,.]+[+%]?", last.strip()):
            # 2,350 cut to 2,3 would be a wrong number; gzip has proven its content whole.
            raise DataError(
                f"{name} row {len(cells) + 1}: the last line has no line end and ends in a number "
                f"({last!r}), which may be cut off",
                hint=f"{_AGAIN}, or add a line end if the file is whole",
            )
        raw.notes.append("the last line has no line end: check that the file is complete")
    return raw


def _excel(name: str, data: bytes) -> RawFile:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl remarks on styles
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = {
                sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets
            }
    except Exception as error:  # openpyxl raises KeyError, BadZipFile, XML errors … alike
        raise DataError(
            f"{name}: a damaged workbook, or a zip file that is none ({error})", _AGAIN
        ) from error
    filled = {k: v for k, v in sheets.items() if any(c is not None for r in v for c in r)}
    if len(filled) != 1:
        raise DataError(
            f"{name}: {len(filled)} sheets hold data ({', '.join(filled)})",
            hint="keep the one sheet with the release",
        )
    (rows,) = filled.values()
    names = ["" if c is None else str(c) for c in rows[0]]
    while names and not names[-1] and all(len(r) < len(names) or r[-1] is None for r in rows):
        names.pop()
        rows = [r[: len(names)] for r in rows]
    frame = pd.DataFrame(rows[1:], dtype=object)
    frame = frame.reindex(columns=range(len(names)))
    frame.columns = pd.Index(names)
    return _raw(name, frame, "xlsx")


def _parquet(name: str, data: bytes) -> RawFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(io.BytesIO(data))
        cells = arrow.to_pandas(ignore_metadata=True, strings_to_categorical=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{name}: a damaged Parquet file ({first})", hint=_AGAIN) from error
    # pandas stores its row labels as a column of this name; they mean nothing.
    return _raw(name, cells.drop(columns="__index_level_0__", errors="ignore"), "parquet")


def _json(name: str, text: str) -> RawFile:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise DataError(f"{name}: a JSON record repeats a field: {[k for k, _ in pairs]}")
        return found

    try:
        content = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{name} line {error.lineno}: JSON that is cut off or damaged ({error.msg})", _AGAIN
        ) from error
    if isinstance(content, dict):
        if "columns" in content and "id" in content:
            raise DataError(
                f"{name}: the catalogue entry of data set {content['id']} (metadata), not its rows",
                hint="download /resource/xkb8-kh2a.json?$limit=500000, or the CSV",
            )
        if "message" in content:
            raise DataError(f"{name}: an error answer: {content['message']}", hint=_AGAIN)
        raise DataError(
            f"{name}: a JSON object with {', '.join(list(content)[:5])}; expected a list of rows",
            hint="download /resource/xkb8-kh2a.json?$limit=500000, or the CSV",
        )
    if not content:
        raise DataError(f"{name}: an empty list of rows", hint=_AGAIN)
    for i, record in enumerate(content, start=1):
        if not isinstance(record, dict) or any(isinstance(v, dict | list) for v in record.values()):
            raise DataError(f"{name} record {i}: not a flat row of named values", hint=_AGAIN)
    # Socrata's own fields (":id", ":created_at") say nothing about deaths.
    cells = pd.DataFrame.from_records(
        [{k: v for k, v in r.items() if not k.startswith(":")} for r in content]
    )
    return _raw(name, cells.astype(object), "json")
