"""A file of any kind read as cells of text: CSV, Excel, Parquet and JSON, told by their content.

Nothing is interpreted here. A file that is cut off, of another kind, or larger than any release
is refused.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import (
    AGAIN,
    HEADER_WITHIN,
    LONGEST,
    PEEK,
    Limits,
    RawFile,
    cell_text,
    check_width,
    filled,
    laid,
    read_content,
    record_cells,
    utf8,
)
from odforecast.sources.workbook import read_workbook

_MOST_BLANK = 1_100_000  # a worksheet saved to its end has as many


def read_raw(
    path: str | Path,
    limits: Limits | None = None,
    *,
    header: Callable[[list[str]], bool] | None = None,
    latin: bool = False,
) -> RawFile:
    """Read the cells of a file, whatever its format.

    Parameters
    ----------
    path : path
        The kind is told from the first bytes, not from the name.
    limits : Limits, optional
        How large a file may be, packed and unpacked; default: beyond any release.
    header : callable, optional
        Whether a row is the header: then titles may stand above it and semicolons between
        columns, and ``FILE.xlsx:Sheet`` is one sheet of a workbook. Default: the header is the
        first row, and only one sheet may hold data.
    latin : bool
        Whether a text that is not UTF-8 is read as Latin-1.

    Raises
    ------
    DataError
        If the file cannot be read, decoded or recognised, is cut off or too large.
    """
    limits = limits or Limits()
    sheet = None
    named = re.fullmatch(r"(.+\.xls[xm]):(.+)", str(path), re.IGNORECASE)
    if header is not None and named and not Path(path).exists():
        path, sheet = named.groups()
    content = read_content(path, limits)
    name, data = content.name, content.data
    if sheet is not None and data[:4] != b"PK\x03\x04":
        raise DataError(f"{name}: not an .xlsx workbook, so it has no sheet {quoted(sheet)}")
    if data[:4] == b"PAR1":
        raw = record_cells(name, _parquet(name, data, limits), "parquet")
    elif data[:4] == b"PK\x03\x04":
        raw = read_workbook(name, data, limits, header, sheet)
    elif data[:4] == b"\xd0\xcf\x11\xe0":
        raise DataError(f"{name}: an old .xls workbook", hint="save it as .xlsx or .csv")
    else:
        data = utf8(name, data, latin=latin)
        start = data[:PEEK].decode("utf-8", errors="replace").lstrip()
        if start[:1] == "<":
            title = re.search(r"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL)
            what = f" ({plain(' '.join(title[1].split()))})" if title else ""
            raise DataError(f"{name}: a web page or XML{what}, not data", hint=AGAIN)
        if start[:1] == "{":
            raise _refused_object(name, data)
        if start[:1] == "[":
            raw = record_cells(name, _json(name, data, limits), "json")
        else:
            raw = _csv(name, data, limits, header, whole=content.packed)
    raw.file, raw.sha256 = content.file, content.sha256
    if raw.cells.empty:
        raise DataError(f"{name}: a header but no rows", hint=AGAIN)
    if len(raw.cells) == 1000:
        raw.notes.append(
            "exactly 1,000 rows, what data.cdc.gov answers by default: the file is probably cut; "
            "ask for all rows ($limit=500000) or download the CSV"
        )
    return raw


# Delimited text


def delimited(name: str, data: bytes, separator: str) -> Iterator[list[str]]:
    """Rows of a UTF-8 text with columns between separators, quoted as in CSV.

    Not pandas' parser, which fills the end of a row that is too short and takes a cut last line.
    """
    handle = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    number = length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        while line := handle.readline(LONGEST + 1):
            length += len(line)
            if length > LONGEST:
                raise DataError(
                    f"{name} row {number + 1}: more than {LONGEST:,} characters",
                    hint=f"a quote is never closed, or it is not a table; {AGAIN}",
                )
            yield line

    try:
        for row in csv.reader(lines(), delimiter=separator, strict=True):
            number, length = number + 1, 0
            yield row
    except csv.Error as error:
        raise DataError(
            f"{name} row {number + 1}: {plain(error)}", hint=f"a quote is never closed? {AGAIN}"
        ) from error


def short_row(name: str, number: int, row: Sequence[str], width: int, again: str) -> DataError:
    """The refusal of a row that has fewer or more cells than the header."""
    return DataError(
        f"{name} row {number}: {len(row)} cells where the header has {width}",
        hint=f"the file is cut off or damaged; {again}",
    )


def _separator(
    name: str, data: bytes, header: Callable[[list[str]], bool] | None
) -> tuple[str, int]:
    """What stands between the columns, told by the header, and the row that is the header."""
    start = data[:PEEK].decode("utf-8", errors="replace")
    for separator in ",\t;" if header is not None else "":
        with suppress(csv.Error):
            rows = csv.reader(io.StringIO(start, newline=""), delimiter=separator)
            for top, row in enumerate(islice(rows, HEADER_WITHIN), start=1):
                if header is not None and header(row):
                    return separator, top
    first = start.lstrip("\r\n").split("\n", 1)[0]
    separator = "\t" if first.count("\t") > first.count(",") else ","
    if first.count(";") > first.count(separator):
        raise DataError(
            f"{name}: columns separated by semicolons, where numbers are ambiguous",
            hint="save it with commas between columns and points before decimals",
        )
    if separator not in first:
        raise DataError(
            f"{name}: not a table: its first line is {quoted(first.strip(), 60)}",
            hint="is it CDC's table of provisional drug overdose counts (xkb8-kh2a)?",
        )
    return separator, 1


def _csv(
    name: str,
    data: bytes,
    limits: Limits,
    header: Callable[[list[str]], bool] | None,
    *,
    whole: bool,
) -> RawFile:
    separator, top = _separator(name, data, header)
    lines = islice(enumerate(delimited(name, data, separator), start=1), top - 1, None)
    _, names = next(lines)
    blank = 0

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal blank
        for number, row in lines:
            if not any(row):
                blank += 1
                if blank > _MOST_BLANK:
                    raise DataError(f"{name}: more than {_MOST_BLANK:,} blank rows", hint=AGAIN)
            elif len(row) != len(names):
                raise short_row(name, number, row, len(names), AGAIN)
            else:
                yield number, row

    cells, numbers = filled(name, names, numbered(), limits)
    raw = RawFile(name, cells, numbers, "row", "csv", separator, blank_rows=blank)
    if not data.endswith((b"\n", b"\r")) and len(cells):
        if not whole:  # gzip has proven its content whole
            _check_end(raw)
        raw.notes.append("the last line has no line end: check that the file is complete")
    return raw


def _check_end(raw: RawFile) -> None:
    """Refuse a last cell that may be the beginning of another, where no line end follows it."""
    *before, last = raw.cells.iloc[:, -1]
    others = set(before)
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


# JSON

Pairs = list[tuple[str, Any]]
#: What stands for a record whose values are in their columns.
_NONE: dict[str, Any] = {}


class NoRowsError(DataError):
    """JSON that is damaged, or something else than rows."""


def _parsed(name: str, data: bytes, limits: Limits, row: Callable[[Pairs], Any]) -> Any:
    """A JSON text as objects, each made of its pairs by ``row``.

    Lists of nothing take far more memory than text: their commas are counted before.
    """
    if data.count(b",") > 3 * limits.cells or data.count(b"[") > 1_000_000:
        limits.check_cells(name, data.count(b",") + limits.cells)
    if len(data) * (1 if data.isascii() else 4) > 2 * limits.size:
        raise limits.refuse_size(name, "holds text of")
    try:
        # An integer that is longer than any count stays a text.
        return json.loads(
            data.decode(),
            object_pairs_hook=row,
            parse_int=lambda text: int(text) if len(text) <= 18 else text,
        )
    except json.JSONDecodeError as error:
        why = f"JSON that is cut off or damaged ({error.msg})"
        raise NoRowsError(f"{name} line {error.lineno}: {why}", AGAIN) from error
    except RecursionError as error:
        raise NoRowsError(f"{name}: JSON that is nested too deeply", AGAIN) from error


def _once(name: str, pairs: Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        fields = listed([field for field, _ in pairs])
        raise NoRowsError(f"{name}: a JSON record repeats a field: {fields}")
    return found


def records(name: str, data: bytes, *, as_is: bool = False) -> list[dict[str, Any]]:
    """Records of a JSON list in UTF-8, nested values allowed where they are only passed on."""
    rows = _parsed(name, data, Limits(), lambda pairs: _once(name, pairs))
    if not isinstance(rows, list):
        raise NoRowsError(f"{name}: JSON, but not a list of rows", AGAIN)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not (as_is or _is_flat(row)):
            raise _not_flat(name, number)
    return rows


def _is_flat(row: dict[str, Any]) -> bool:
    return bool(row) and not any(isinstance(value, dict | list) for value in row.values())


def _not_flat(name: str, number: int) -> NoRowsError:
    return NoRowsError(f"{name} record {number}: not a flat row of named values", AGAIN)


def whole(name: str, data: bytes) -> Any:
    """A small JSON text as objects; refused if it is not small, damaged, or nested too deeply."""
    if len(data) > LONGEST:
        size = f"{len(data) / 1e6:,.1f} MB"
        raise NoRowsError(f"{name}: a JSON object of {size}, not a list of rows", AGAIN)
    return _parsed(name, data, Limits(), lambda pairs: _once(name, pairs))


def _refused_object(name: str, data: bytes) -> DataError:
    """The refusal of a JSON object in place of rows, saying what it is."""
    content = whole(name, data)
    hint = "download /resource/xkb8-kh2a.json?$limit=500000, or the CSV"
    if "columns" in content and "id" in content:
        said = f"the catalogue entry of data set {plain(content['id'])} (metadata), not its rows"
    elif "message" in content:
        said, hint = f"an error answer: {plain(content['message'])}", AGAIN
    else:
        said = f"a JSON object with {listed(list(content), 5)}; expected a list of rows"
    return DataError(f"{name}: {said}", hint)


def _json(name: str, data: bytes, limits: Limits) -> pd.DataFrame:
    columns: dict[str, list[str]] = {}
    known: dict[str, str] = {}
    count = 0

    def fill(pairs: Pairs) -> dict[str, Any]:
        """Put a record into the columns, so that no list of them is ever whole."""
        nonlocal count
        if not _is_flat(record := _once(name, pairs)):
            inner = sum(value is _NONE for value in record.values())  # a record came before
            raise _not_flat(name, count + 1 - inner)
        for key, value in record.items():
            if key.startswith(":"):
                continue  # Socrata's own fields (":id", ":created_at") say nothing about deaths
            column = columns.setdefault(key, [])
            column += [""] * (count - len(column))
            text = cell_text(value)
            column.append(known.setdefault(text, text))
        count += 1
        limits.check_cells(name, count * max(1, len(columns)))
        check_width(name, len(columns))
        return _NONE

    rows = _parsed(name, data, limits, fill)
    if bad := [i for i, row in enumerate(rows, start=1) if row is not _NONE]:
        raise _not_flat(name, bad[0])
    if not count:
        raise DataError(f"{name}: an empty list of rows", hint=AGAIN)
    return laid([c + [""] * (count - len(c)) for c in columns.values()], list(columns))


# Parquet

_FOOTER = 16_000_000
#: Prefixes that values share are unpacked again for every value, without a limit.
_UNLIMITED = "DELTA_BYTE_ARRAY"


def _parquet(name: str, data: bytes, limits: Limits) -> pd.DataFrame:
    """Cells of a Parquet table of texts, numbers and days."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if data[-4:] != b"PAR1" or int.from_bytes(data[-8:-4], "little") > min(_FOOTER, len(data)):
        raise DataError(f"{name}: a damaged Parquet file (its end is not a footer)", AGAIN)
    checks = {
        "page_checksum_verification": True,
        "thrift_string_size_limit": _FOOTER,
        "thrift_container_size_limit": 1_000_000,
    }
    try:
        file = pq.ParquetFile(io.BytesIO(data), **checks)
        texts = _check_parquet(name, data, file, limits)
        # One text may stand in a million rows: those columns are read as codes.
        file = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts, **checks)
        arrow = file.read(use_threads=False)
        arrow.validate(full=True)
        columns = [_parquet_texts(column) for column in arrow.columns]
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, LookupError) as error:
        if isinstance(error, DataError):
            raise
        first = plain((str(error) or type(error).__name__).splitlines()[0], 160)
        raise DataError(f"{name}: a damaged Parquet file ({first})", AGAIN) from error
    if arrow.num_rows != file.metadata.num_rows:
        raise DataError(f"{name}: a damaged Parquet file (rows are missing)", AGAIN)
    # pandas stores its row labels as a column of this name; they mean nothing.
    labels = "__index_level_0__"
    return laid(columns, arrow.column_names).drop(columns=labels, errors="ignore")


def _check_parquet(name: str, data: bytes, file: Any, limits: Limits) -> list[str]:
    """Refuse what is too large or not a plain table; the names of the columns of texts.

    What a footer says of sizes may be wrong, and Arrow reserves what the pages' headers say: both
    are added up before anything is unpacked.
    """
    import pyarrow as pa

    meta, known = file.metadata, pa.types
    check_width(name, meta.num_columns)
    limits.check_cells(name, meta.num_rows * max(meta.num_columns, 1))
    texts = []
    for column in file.schema_arrow:
        kind = column.type.value_type if known.is_dictionary(column.type) else column.type
        if known.is_string(kind) or known.is_large_string(kind):
            texts.append(column.name)
        elif not (known.is_primitive(kind) or known.is_decimal(kind) or known.is_null(kind)):
            raise DataError(
                f"{name}: column {quoted(column.name)} holds {plain(column.type)}, where a cell is "
                "one text, number or day",
                hint="write the table with plain columns",
            )
    total = 0
    for group in range(meta.num_row_groups):
        for j in range(meta.num_columns):
            chunk = meta.row_group(group).column(j)
            if _UNLIMITED in chunk.encodings:
                raise DataError(
                    f"{name}: column {quoted(chunk.path_in_schema)} is packed as {_UNLIMITED}, "
                    "which can unpack to any size",
                    hint="write it with the usual encodings (plain, dictionary)",
                )
            at = min(o for o in (chunk.data_page_offset, chunk.dictionary_page_offset) if o)
            end = at + chunk.total_compressed_size
            if not 4 <= at <= end <= len(data) - 8:
                raise DataError(f"{name}: a damaged Parquet file (a column lies outside)", AGAIN)
            while at < end:
                header, at = _page_header(data, at)
                large, small = header[2], header[3]
                if min(large, small) < 0 or at + small > end:
                    raise ValueError("pages do not fill their column")
                total, at = total + large, at + small
                if total > limits.size:
                    raise limits.refuse_size(name)
    return texts


def _parquet_texts(column: Any) -> NDArray[np.object_]:
    """Texts of one column, each distinct one once."""
    codes, unique = pd.factorize(column.to_pandas(), use_na_sentinel=False)
    return np.array([cell_text(cell) for cell in unique], dtype=object)[codes]


def _page_header(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, int], int]:
    """Integer fields of a struct in Thrift's compact protocol, and where it ends."""
    fields: dict[int, int] = {}
    last = 0
    if depth > 8:
        raise ValueError("a page header nested too deeply")
    while (head := data[at]) != 0:
        kind, step = head & 15, head >> 4
        at += 1
        if step:
            last += step
        else:
            last, at = _integer(data, at)
        if kind in (4, 5, 6):
            fields[last], at = _integer(data, at)
        elif kind == 8:
            length, at = _integer(data, at, signed=False)
            at += length
        elif kind == 12:
            _, at = _page_header(data, at, depth + 1)
        elif kind not in (1, 2):  # true and false have no more bytes; other kinds are in no header
            raise ValueError(f"a page header with a field of kind {kind}")
    return fields, at + 1


def _integer(data: bytes, at: int, *, signed: bool = True) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return ((value >> 1) ^ -(value & 1) if signed else value), at
        shift += 7
        if shift > 63:
            raise ValueError("a page header with an endless number")
