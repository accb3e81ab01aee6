"""A file of any kind read as cells of text: CSV, Excel, Parquet and JSON, told by their content."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import batched, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openpyxl
import pandas as pd
from numpy.typing import NDArray
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import (
    FORMULA_TAG,
    INLINE_STRING,
    VALUE_TAG,
    WorkSheetParser,
)

from odforecast.errors import DataError
from odforecast.say import listed, of_path, plain, quoted

AGAIN = "download the file again"
#: Bytes from which the kind of a text is told.
_PEEK = 100_000
_PIECE = 1 << 20
#: Characters of a row, a cell or a JSON record, and columns of a table: no release comes near.
_LONGEST = 1_000_000
_MOST_COLUMNS = 1000
_HEADER_WITHIN = 20  # rows from the top, where a table may have titles above its header
_MOST_BLANK = 1_100_000  # a worksheet saved to its end has as many
#: Whether a row is the header.
IsHeader = Callable[[list[str]], bool]


@dataclass(frozen=True)
class Limits:
    """How large a file may be."""

    size: int = 200_000_000
    cells: int = 5_000_000

    def check_size(self, name: str, size: float, verb: str = "unpacks to") -> None:
        """Refuse a file that is too large."""
        if size > self.size:
            message = (
                f"{verb} more than {self.size / 1e6:,.0f} MB, more than any release"
            )
            hint = "is it the right file? Limits(size=...) allows more"
            raise DataError(f"{name}: {message}", hint)

    def check_cells(self, name: str, rows: int, width: int) -> None:
        """Refuse a table that is too large."""
        if width > _MOST_COLUMNS:
            raise DataError(f"{name}: {width:,} columns", hint="is it the right file?")
        if rows * width > self.cells:
            message = f"{name}: more than {self.cells:,} cells, more than any release"
            raise DataError(
                message, "is it the right file? Limits(cells=...) allows more"
            )


@dataclass
class RawFile:
    """Cells of a file before anybody has interpreted them."""

    name: str
    cells: pd.DataFrame
    rows: NDArray[np.int_]
    row_word: str
    kind: str
    separator: str = ""
    file: str = ""
    sha256: str = ""
    blank_rows: int = 0
    open_end: bool = False
    notes: list[str] = field(default_factory=list)


def read_raw(
    path: str | Path,
    limits: Limits | None = None,
    *,
    header: IsHeader | None = None,
    latin: bool = False,
) -> RawFile:
    """Read the cells of a file, whatever its format."""
    limits = limits or Limits()
    sheet = None
    named = re.fullmatch(r"(.+\.xls[xm]):(.+)", str(path), re.IGNORECASE)
    if header is not None and named and not Path(path).exists():
        path, sheet = named.groups()
    content = read_content(path, limits)
    name = content.name
    data = content.data
    if sheet is not None and data[:4] != b"PK\x03\x04":
        raise DataError(
            f"{name}: not an .xlsx workbook, so it has no sheet {quoted(sheet)}"
        )
    if data[:4] == b"PAR1":
        raw = _records(name, _parquet(name, data, limits=limits), kind="parquet")
    elif data[:4] == b"PK\x03\x04":
        raw = _workbook(name, data, limits=limits, header=header, chosen=sheet)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise DataError(
            f"{name}: an old .xls workbook", hint="save it as .xlsx or .csv"
        )
    else:
        data = utf8(name, data, latin=latin)
        start = data[:_PEEK].decode("utf-8", errors="replace").lstrip()
        if start[:1] == "<":
            kind = "a web page or XML"
            title = re.search(
                r"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL
            )
            if title:
                kind += f" ({plain(' '.join(title[1].split()))})"
            raise DataError(f"{name}: {kind}, not data", hint=AGAIN)
        if start[:1] == "{":
            raise _refused_object(name, data)
        if start[:1] == "[":
            raw = _records(name, _json(name, data, limits=limits), kind="json")
        else:
            raw = _csv(name, data, limits=limits, header=header, whole=content.packed)
    raw.file = content.file
    raw.sha256 = content.sha256
    if raw.cells.empty:
        raise DataError(f"{name}: a header but no rows", hint=AGAIN)
    if len(raw.cells) == 1000:
        raw.notes.append(
            "exactly 1,000 rows, what data.cdc.gov answers by default: the file is probably cut; "
            "ask for all rows ($limit=500000) or download the CSV"
        )
    return raw


# Bytes


class Content(NamedTuple):
    """Unpacked content of a file that is not blank, and the hash of the file's bytes."""

    file: str
    name: str  # for messages
    data: bytes
    sha256: str
    packed: bool


def read_content(path: str | Path, limits: Limits) -> Content:
    """Content of a file, no more than the limit; the checksum of a gzip file is compared."""
    path = Path(path)
    name = plain(path.name)
    try:
        with path.open("rb") as handle:
            data = _up_to(handle, limits.size)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot read {of_path(path)}: {reason}", hint="check the path"
        ) from error
    limits.check_size(name, len(data), "holds")
    digest = hashlib.sha256(data).hexdigest()
    packed = data[:2] == b"\x1f\x8b"
    if packed:
        with _damaged(
            f"{name}: gzip file is cut off or damaged", EOFError, OSError, zlib.error
        ):
            data = _up_to(gzip.GzipFile(fileobj=io.BytesIO(data)), limits.size)
        limits.check_size(name, len(data))
    if not data[:4096].strip() and not data.strip():
        raise DataError(f"{name}: the file is empty", hint=AGAIN)
    return Content(path.name, name, data=data, sha256=digest, packed=packed)


def _up_to(handle: io.BufferedIOBase, most: int) -> bytes:
    """What is in a file, or a little over the most: in pieces, for a read takes room for all."""
    pieces = iter(lambda: handle.read(_PIECE), b"")
    return b"".join(islice(pieces, most // _PIECE + 1))


@contextmanager
def _damaged(message: str, *kinds: type[Exception]) -> Iterator[None]:
    """Errors of a library, of the kinds that a damaged file gives, in one line."""
    try:
        yield
    except DataError:
        raise
    except kinds as error:
        text = str(error) or type(error).__name__
        first = plain(text.splitlines()[0], 160)
        raise DataError(f"{message} ({first})", AGAIN) from error


def utf8(name: str, data: bytes, *, latin: bool = False) -> bytes:
    """The same text as UTF-8 without a byte-order mark, proven to be text."""
    wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if wide else "utf-8"
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
    decoded = io.BytesIO()
    for start in range(
        0, len(data), _PIECE
    ):  # a whole text may take four times its bytes
        piece = data[start : start + _PIECE]
        try:
            text = decoder.decode(piece, final=start + _PIECE >= len(data))
        except UnicodeDecodeError as error:
            if latin and not wide:
                return utf8(name, data.decode("latin-1").encode())
            byte = start + error.start - (len(error.object) - len(piece))
            line = data.count(b"\n", 0, byte) + 1
            message = f"{name} line {line}: byte {byte} is not {encoding} text"
            raise DataError(message, hint="save the file as UTF-8") from error
        if wide:
            decoded.write(text.encode())
    data = decoded.getvalue() if wide else data.removeprefix(codecs.BOM_UTF8)
    at = data.find(b"\0")
    if at >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise DataError(f"{name} line {line}: binary data, not text", AGAIN)
    return data


# Cells


def cell_text(cell: object) -> str:
    """Text of one cell: stripped, whole floats without ``.0``, blank for None and NaN.

    >>> cell_text(2015.0), cell_text(" no data "), cell_text(None), cell_text(True)
    ('2015', 'no data', '', 'True')
    """
    if isinstance(cell, str):
        return cell.replace("\xa0", " ").strip()
    if cell is None or cell is pd.NA or cell != cell:  # NaN and NaT are not themselves
        return ""
    if isinstance(cell, (float, np.floating)):
        return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
    return (
        cell.date().isoformat() if isinstance(cell, dt.datetime) else str(cell).strip()
    )


class _Texts(dict[str, str]):
    """Cells as a file has them to their text, each distinct one once."""

    def __missing__(self, cell: str) -> str:
        text = self[cell] = cell_text(cell)
        return text


def filled(
    name: str,
    header: Sequence[str],
    rows: Iterable[tuple[int, Sequence[str]]],
    limits: Limits,
) -> tuple[pd.DataFrame, NDArray[np.int_]]:
    """A table of numbered rows of text, and their numbers; equal texts are kept once."""
    limits.check_cells(name, 0, len(header))
    columns: list[list[str]] = [[] for _ in header]
    numbers: list[int] = []
    text_of = _Texts()
    for chunk in batched(rows, 4096):
        numbers += [number for number, _ in chunk]
        limits.check_cells(name, len(numbers), len(columns))
        if len(text_of) > 200_000:
            text_of.clear()
        cells_by_column = zip(*(row for _, row in chunk), strict=True)
        for column, cells in zip(columns, cells_by_column):
            column += map(text_of.__getitem__, cells)
    return _laid(columns, header), np.array(numbers, dtype=int)


def _laid(columns: Iterable[Any], names: Sequence[str]) -> pd.DataFrame:
    """Columns of text as a table; names may come twice."""
    frame = pd.DataFrame(
        {i: np.array(texts, dtype=object) for i, texts in enumerate(columns)}
    )
    return frame.set_axis(pd.Index(names, dtype=object), axis=1)


def _records(name: str, cells: pd.DataFrame, kind: str) -> RawFile:
    """Records of a file that has no header row."""
    blank = np.arange(len(cells))
    for i in range(cells.shape[1]):
        blank = blank[(cells.iloc[blank, i] == "").to_numpy()]
    rows = np.delete(np.arange(1, 1 + len(cells)), blank)
    if blank.size:
        cells = cells.iloc[rows - 1].reset_index(drop=True)
    return RawFile(
        name, cells, rows=rows, row_word="record", kind=kind, blank_rows=blank.size
    )


# Delimited text


def delimited(name: str, data: bytes, separator: str) -> Iterator[list[str]]:
    """Rows of a UTF-8 text with columns between separators, quoted as in CSV."""
    handle = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    number = length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        while line := handle.readline(_LONGEST + 1):
            length += len(line)
            if length > _LONGEST:
                hint = f"a quote is never closed, or it is not a table; {AGAIN}"
                message = f"{name} row {number + 1}: more than {_LONGEST:,} characters"
                raise DataError(message, hint)
            yield line

    try:
        for row in csv.reader(lines(), delimiter=separator, strict=True):
            number += 1
            length = 0
            yield row
    except csv.Error as error:
        hint = f"a quote is never closed? {AGAIN}"
        raise DataError(f"{name} row {number + 1}: {plain(error)}", hint) from error


def semicolons(name: str) -> DataError:
    """The refusal of a release with semicolons between its columns."""
    message = f"{name}: columns separated by semicolons make numbers ambiguous"
    return DataError(
        message, "save it with commas between columns and points before decimals"
    )


def _separator(name: str, data: bytes, header: IsHeader | None) -> tuple[str, int]:
    """The separator of the columns, by the header, and the row that is the header."""
    start = data[:_PEEK].decode("utf-8", errors="replace")
    for separator in ",\t;" if header is not None else "":
        with suppress(csv.Error):
            rows = csv.reader(io.StringIO(start, newline=""), delimiter=separator)
            for top, row in enumerate(islice(rows, _HEADER_WITHIN), start=1):
                if header is not None and header(row):
                    return separator, top
    first = start.lstrip("\r\n").split("\n", 1)[0]
    separator = "\t" if first.count("\t") > first.count(",") else ","
    if first.count(";") > first.count(separator):
        raise semicolons(name)
    if separator not in first and header is not None:
        # The line may be about a person.
        hint = "save it as CSV or .xlsx"
        raise DataError(f"{name}: no columns in its first line", hint)
    if separator not in first:
        hint = "is it CDC's table of provisional drug overdose counts (xkb8-kh2a)?"
        message = f"not a table: its first line is {quoted(first.strip(), 60)}"
        raise DataError(f"{name}: {message}", hint)
    return separator, 1


def _csv(
    name: str,
    data: bytes,
    limits: Limits,
    header: IsHeader | None,
    *,
    whole: bool,
) -> RawFile:
    separator, top = _separator(name, data, header=header)
    numbered_lines = enumerate(delimited(name, data, separator=separator), start=1)
    lines = islice(numbered_lines, top - 1, None)
    _, names = next(lines)
    blank = 0

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal blank
        for number, row in lines:
            if not any(row):
                blank += 1
                if blank > _MOST_BLANK:
                    raise DataError(
                        f"{name}: more than {_MOST_BLANK:,} blank rows", hint=AGAIN
                    )
            elif len(row) != len(names):
                widths = f"{len(row)} cells where the header has {len(names)}"
                hint = f"the file is cut off or damaged; {AGAIN}"
                raise DataError(f"{name} row {number}: {widths}", hint)
            else:
                yield number, row

    cells, numbers = filled(name, names, rows=numbered(), limits=limits)
    raw = RawFile(
        name,
        cells,
        rows=numbers,
        row_word="row",
        kind="csv",
        separator=separator,
        blank_rows=blank,
    )
    # A closing quote ends the last cell as a line end does.
    if not data.endswith((b"\n", b"\r", b'"')) and len(cells):
        if not whole:  # gzip has proven its content whole
            _check_end(raw)
        raw.notes.append(
            "the last line has no line end: check that the file is complete"
        )
    return raw


def _check_end(raw: RawFile) -> None:
    """Refuse a last cell that may be the beginning of another, where no line end follows it."""
    *before, last = raw.cells.iloc[:, -1]
    texts = set(before)
    raw.open_end = not last and any(texts)
    reason = ""
    if re.fullmatch(r"[\d,.]+[+%]?", last):
        # 2,350 cut to 2,3 would be a wrong number.
        reason = "ends in a number, which may be cut off"
    elif last:
        longer = any(text != last and text.startswith(last) for text in texts)
        if longer or last not in texts:
            reason = "ends in a text, which may be the beginning of a longer one"
    if reason:
        hint = f"{AGAIN}, or add a line end if the file is whole"
        row = f"{raw.name} row {raw.rows[-1]}"
        raise DataError(f"{row}: the last line has no line end and {reason}", hint)


# JSON

Pairs = list[tuple[str, Any]]
#: What stands for a record whose values are in their columns.
_NONE: dict[str, Any] = {}


class NoRowsError(DataError):
    """JSON that is damaged, or something else than rows."""


def _parsed(name: str, data: bytes, limits: Limits, row: Callable[[Pairs], Any]) -> Any:
    """A JSON text as objects, each made of its pairs by ``row``."""
    if data.count(b",") > 3 * limits.cells or data.count(b"[") > 1_000_000:
        limits.check_cells(name, limits.cells + 1, 1)
    limits.check_size(name, len(data) / (2 if data.isascii() else 0.5), "holds text of")
    try:
        # An integer that is longer than any count stays a text.
        return json.loads(
            data.decode(),
            object_pairs_hook=row,
            parse_int=lambda text: int(text) if len(text) <= 18 else text,
        )
    except json.JSONDecodeError as error:
        reason = f"JSON that is cut off or damaged ({error.msg})"
        raise NoRowsError(f"{name} line {error.lineno}: {reason}", AGAIN) from error
    except RecursionError as error:
        raise NoRowsError(f"{name}: JSON that is nested too deeply", AGAIN) from error


def _once(name: str, pairs: Pairs) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        fields = listed([field for field, _ in pairs])
        raise NoRowsError(f"{name}: a JSON record repeats a field: {fields}")
    return record


def _not_flat(name: str, number: int) -> NoRowsError:
    return NoRowsError(f"{name} record {number}: not a flat row of named values", AGAIN)


def answered(name: str, data: bytes) -> Any:
    """A server's JSON as it is: a list of records, or an object that is small."""
    is_list = data.lstrip()[:1] == b"["
    if not is_list and len(data) > _LONGEST:
        size = f"{len(data) / 1e6:,.1f} MB"
        raise NoRowsError(f"{name}: a JSON object of {size}, not a list of rows", AGAIN)
    answer = _parsed(name, data, limits=Limits(), row=lambda pairs: _once(name, pairs))
    rows = answer if is_list else ()
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise _not_flat(name, number)
    return answer


def _refused_object(name: str, data: bytes) -> DataError:
    """The refusal of a JSON object in place of rows, saying what it is."""
    content = answered(name, data)
    hint = "download /resource/xkb8-kh2a.json?$limit=500000, or the CSV"
    if "columns" in content and "id" in content:
        message = f"the catalogue entry of data set {plain(content['id'])} (metadata), not its rows"
    elif "message" in content:
        message = f"an error answer: {plain(content['message'])}"
        hint = AGAIN
    else:
        message = (
            f"a JSON object with {listed(list(content), 5)}; expected a list of rows"
        )
    return DataError(f"{name}: {message}", hint)


def _json(name: str, data: bytes, limits: Limits) -> pd.DataFrame:
    columns: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    count = 0

    def fill(pairs: Pairs) -> dict[str, Any]:
        """Put a record into the columns, so that no list of them is ever whole."""
        nonlocal count
        record = _once(name, pairs)
        if not record or any(
            isinstance(value, dict | list) for value in record.values()
        ):
            inner = sum(
                value is _NONE for value in record.values()
            )  # a record came before
            raise _not_flat(name, count + 1 - inner)
        for key, value in record.items():
            if key.startswith(":"):
                continue  # Socrata's own fields (":id", ":created_at") say nothing about deaths
            column = columns.setdefault(key, [])
            column += [""] * (count - len(column))
            text = cell_text(value)
            column.append(texts.setdefault(text, text))
        count += 1
        limits.check_cells(name, count, max(1, len(columns)))
        return _NONE

    rows = _parsed(name, data, limits=limits, row=fill)
    for number, row in enumerate(rows, start=1):
        if row is not _NONE:
            raise _not_flat(name, number)
    if not count:
        raise DataError(f"{name}: an empty list of rows", hint=AGAIN)
    for column in columns.values():
        column += [""] * (count - len(column))
    return _laid(columns.values(), list(columns))


# Parquet

_FOOTER = 16_000_000
#: Prefixes that values share are unpacked again for every value, without a limit.
_UNLIMITED = "DELTA_BYTE_ARRAY"


def _parquet(name: str, data: bytes, limits: Limits) -> pd.DataFrame:
    """Cells of a Parquet table of texts, numbers and days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    footer = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != b"PAR1" or footer > min(_FOOTER, len(data)):
        raise DataError(
            f"{name}: a damaged Parquet file (its end is not a footer)", AGAIN
        )
    checks = {
        "page_checksum_verification": True,
        "thrift_string_size_limit": _FOOTER,
        "thrift_container_size_limit": 1_000_000,
    }
    kinds = (
        pa.ArrowException,
        OSError,
        ValueError,
        TypeError,
        OverflowError,
        LookupError,
    )
    with _damaged(f"{name}: a damaged Parquet file", *kinds):
        file = pq.ParquetFile(io.BytesIO(data), **checks)
        texts = _check_parquet(name, data, file=file, limits=limits)
        # One text may stand in a million rows: those columns are read as codes.
        file = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts, **checks)
        arrow = file.read(use_threads=False)
        arrow.validate(full=True)
        columns = []
        for column in arrow.columns:
            codes, unique = pd.factorize(column.to_pandas(), use_na_sentinel=False)
            distinct = np.array([cell_text(cell) for cell in unique], dtype=object)
            columns.append(distinct[codes])
        if arrow.num_rows != file.metadata.num_rows:
            raise ValueError("rows are missing")
    # pandas stores its row labels as a column of this name; they mean nothing.
    labels = "__index_level_0__"
    return _laid(columns, arrow.column_names).drop(columns=labels, errors="ignore")


def _check_parquet(name: str, data: bytes, file: Any, limits: Limits) -> list[str]:
    """Refuse what is too large or not a plain table; the names of the columns of texts."""
    import pyarrow as pa

    meta = file.metadata
    types = pa.types
    limits.check_cells(name, meta.num_rows, max(meta.num_columns, 1))
    texts = []
    for column in file.schema_arrow:
        kind = (
            column.type.value_type if types.is_dictionary(column.type) else column.type
        )
        if types.is_string(kind) or types.is_large_string(kind):
            texts.append(column.name)
        elif not (
            types.is_primitive(kind) or types.is_decimal(kind) or types.is_null(kind)
        ):
            content = f"column {quoted(column.name)} holds {plain(column.type)}"
            hint = "write the table with plain columns"
            raise DataError(
                f"{name}: {content}, where a cell is one text, number or day", hint
            )
    total = 0
    pages = io.BytesIO(data)
    for group in range(meta.num_row_groups):
        for j in range(meta.num_columns):
            chunk = meta.row_group(group).column(j)
            if _UNLIMITED in chunk.encodings:
                packing = (
                    f"column {quoted(chunk.path_in_schema)} is packed as {_UNLIMITED}"
                )
                hint = "write it with the usual encodings (plain, dictionary)"
                raise DataError(
                    f"{name}: {packing}, which can unpack to any size", hint
                )
            offsets = (chunk.data_page_offset, chunk.dictionary_page_offset)
            at = min(offset for offset in offsets if offset)
            end = at + chunk.total_compressed_size
            if not 4 <= at <= end <= len(data) - 8:
                raise ValueError("a column lies outside")
            pages.seek(at)
            while pages.tell() < end:
                header = _page_header(pages)
                large = header[2]
                small = header[3]
                if min(large, small) < 0 or pages.seek(small, io.SEEK_CUR) > end:
                    raise ValueError("pages do not fill their column")
                total += large
                limits.check_size(name, total)
    return texts


def _page_header(data: io.BytesIO, depth: int = 0) -> dict[int, int]:
    """Integer fields of a struct in Thrift's compact protocol, which ends where they end."""
    fields: dict[int, int] = {}
    last = 0
    while (head := data.read(1)[0]) != 0:
        # A step of 0, which is followed by a number, is in no header.
        last = last + (head >> 4)
        kind = head & 15 if head >> 4 else 0
        if kind in (4, 5, 6):
            value = _integer(data)
            fields[last] = (value >> 1) ^ -(value & 1)
        elif kind == 8:
            data.seek(_integer(data), io.SEEK_CUR)
        elif kind == 12 and depth < 8:
            _page_header(data, depth + 1)
        elif kind not in (
            1,
            2,
        ):  # true and false have no more bytes; other kinds are in no header
            raise ValueError(f"a page header with a field of kind {kind}")
    return fields


def _integer(data: io.BytesIO) -> int:
    value = shift = 0
    while (byte := data.read(1)[0]) > 127 and shift < 63:
        value = value | (byte & 127) << shift
        shift = shift + 7
    return value | byte << shift


# Workbooks: openpyxl reads the cells. What it would lose in silence is refused before: rows and
# cells that are out of order or there twice, values of another kind than their cell says, and
# formulas whose value is not stored, which it gives as blanks.

_DIRECTORY = 1_000_000  # bytes; a workbook has some dozen parts
_MOST_TAGS = 8_000_000  # beside ten for each cell
_PLACE = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}")


def _workbook(
    name: str,
    data: bytes,
    limits: Limits,
    header: IsHeader | None,
    chosen: str | None,
) -> RawFile:
    """Cells of the one sheet that holds data, or of the one that is chosen."""
    # zip, zlib, lzma, XML and openpyxl raise errors of their own kinds
    with _damaged(
        f"{name}: a damaged workbook, or a zip file that is not one", Exception
    ):
        _check_parts(name, data, limits=limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True
            )
            sheets = {str(sheet.title): sheet for sheet in book.worksheets}
            if chosen is not None and chosen not in sheets:
                raise DataError(
                    f"{name}: no sheet {quoted(chosen)}", f"it has {listed(sheets)}"
                )
            titles = [chosen] if chosen is not None else list(sheets)
            contents = {}
            for title in titles:
                rows, last = _rows(name, sheets[title], limits=limits)
                if rows:
                    contents[title] = rows, last
    if chosen is not None and not contents:
        raise DataError(
            f"{name}: sheet {quoted(chosen)} is empty", f"it has {listed(sheets)}"
        )
    if len(contents) != 1:
        hint = "keep the one sheet with the release"
        if header is not None:
            hint = "is it the file?"
            headed = [
                title
                for title, (rows, _) in contents.items()
                if any(header(row) for _, row in rows[:_HEADER_WITHIN])
            ]
            for likely in [*headed, *contents][:1]:
                hint = f"choose one: {name}:{plain(likely, 40)}"
        raise DataError(
            f"{name}: {len(contents)} sheets hold data ({listed(contents)})", hint
        )
    ((rows, last),) = contents.values()
    width = max(len(row) for _, row in rows)
    rows = [(number, row + [""] * (width - len(row))) for number, row in rows]
    at = 0
    if header is not None:
        positions = (
            i for i, (_, row) in enumerate(rows[:_HEADER_WITHIN]) if header(row)
        )
        at = next(positions, 0)
    top, names = rows[at]
    below = rows[at + 1 :]
    cells, numbers = filled(name, names, rows=below, limits=limits)
    return RawFile(
        name,
        cells,
        rows=numbers,
        row_word="row",
        kind="xlsx",
        blank_rows=last - top - len(below),
    )


def _check_parts(name: str, data: bytes, limits: Limits) -> None:
    """Refuse a zip file whose parts unpack to more than a release can have."""
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > _DIRECTORY:
        raise ValueError("no list of its parts, or an endless one")
    archive = zipfile.ZipFile(io.BytesIO(data))
    if len(set(archive.namelist())) != len(archive.namelist()):
        raise ValueError("a part is there twice")
    size = tags = 0
    for part in archive.infolist():
        # Loading the workbook walks through a sheet: how much is in it is counted before.
        in_sheet = part.filename.startswith("xl/worksheets/")
        cells = 0
        with archive.open(part) as handle:
            while piece := handle.read(_PIECE):
                size += len(piece)
                tags += piece.count(b"<")
                if in_sheet:
                    cells += sum(
                        piece.count(cell) for cell in (b"<c ", b"<c/", b"<c>", b":c ")
                    )
                if in_sheet and b"\0" in piece:
                    raise ValueError("a sheet that is not UTF-8")
                if b"<!DOCTYPE" in piece:
                    raise ValueError("a document type, which workbooks do not have")
                limits.check_size(
                    name, size if tags <= _MOST_TAGS + 10 * limits.cells else np.inf
                )
        limits.check_cells(name, cells, 1)
        tags = max(0, tags - 10 * cells)
        limits.check_size(name, np.inf if tags > _MOST_TAGS else size)


class _Cells(WorkSheetParser):  # type: ignore[misc]
    """openpyxl's parser of a sheet, that refuses a cell which it would read as something else."""

    file = sheet = ""

    def parse_cell(self, element: Any) -> Any:
        kind = element.get("t")
        place = element.get("r")
        inside = [child.tag for child in element]
        if place is not None and not _PLACE.fullmatch(place):
            self.refuse(place, "has a place that is not one")
        if inside != [VALUE_TAG] or kind == "inlineStr":
            self.check(element, inside)
        before = self.col_counter
        cell = super().parse_cell(element)
        if (
            not before < cell["column"] <= _MOST_COLUMNS
            or cell["row"] != self.row_counter
        ):
            far = cell["column"] > _MOST_COLUMNS
            self.refuse(
                place,
                "is far to the right" if far else "is there twice, or out of order",
            )
        return cell

    def check(self, element: Any, inside: list[str]) -> None:
        """Refuse a cell that holds something else than a value, where it is not what it says."""
        kind = element.get("t")
        place = element.get("r")
        if inside.count(VALUE_TAG) > 1:
            self.refuse(place, "has two values")
        if kind != "inlineStr" and INLINE_STRING in inside:
            self.refuse(place, "has a text where it says it has none")
        if kind == "inlineStr" and VALUE_TAG in inside:
            self.refuse(place, "has a value where it says it has a text")
        # A formula that gives an empty text is stored as such; every other must have a value.
        empty_text = kind == "str" and VALUE_TAG in inside
        if FORMULA_TAG in inside and not empty_text and not element.findtext(VALUE_TAG):
            cell = f"{self.file} cell {place or '?'} of {self.sheet}"
            hint = "open the workbook in Excel and save it, or save the sheet as .csv"
            raise DataError(f"{cell}: a formula without a stored value", hint)

    def refuse(self, place: str | None, reason: str) -> None:
        cell = "a cell" if place is None else f"a cell {plain(place, 20)}"
        raise ValueError(f"{cell} in row {self.row_counter} {reason}")


def _rows(
    name: str, sheet: Any, limits: Limits
) -> tuple[list[tuple[int, list[str]]], int]:
    """Rows with any cell that is not blank, by number, and the number of the last row."""
    rows = []
    last = cells = 0
    book = sheet.parent
    with sheet._get_source() as source:
        # Shared texts by number: a list would take -1 for its last.
        shared = dict(enumerate(sheet._shared_strings))
        parser = _Cells(
            source,
            shared,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        parser.file = name
        parser.sheet = plain(sheet.title)
        for number, row in parser.parse():
            if not last < number <= 1_048_576:
                raise ValueError(f"row {number} after row {last}")
            last = number
            texts = [""] * (row[-1]["column"] if row else 0)
            for cell in row:
                value = cell["value"]
                if value is None:
                    continue
                text = value if type(value) is str else cell_text(value)
                if "_x" in text:
                    text = unescape(text)
                texts[cell["column"] - 1] = text
            if any(texts):
                rows.append((number, texts))
                cells += len(texts)
                limits.check_cells(name, cells, 1)
    return rows, last
