"""Cells of CSV, Parquet and Arrow files, read to the letter: numbers, days and texts."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import math
import re
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.api.types import infer_dtype
from pyarrow import csv as pacsv
from pyarrow import feather

from odforecast.errors import DataError
from odforecast.say import plain, quoted

#: Most bytes of a file, unpacked: a file of 2,000 sample paths has a quarter of it.
MAX_BYTES: Final = 256 * 2**20
#: Most characters of a cell of text, and of the longest number; a double needs 25.
_LONGEST = 100_000
_LONGEST_NUMBER = 60
#: Bytes of CSV that are parsed at one time; no row is longer.
_BLOCK: Final = 2**24
_CODED: Final = pa.dictionary(pa.int32(), pa.string())
#: Above it a double skips whole numbers.
EXACT: Final = 2.0**53
_NO_SUBMISSION: Final = "is it a hubverse model-output file?"
# ASCII digits only: other scripts' digits are digits to float() and to \d as well.
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: R types, and the tests of :mod:`pyarrow.types` that an Arrow type must pass for each.
_R_TYPES: Final = {
    "factor": ("dictionary",),
    "integer": ("integer",),
    "double": ("floating",),
    "Date": ("date",),
    "logical": ("boolean",),
    "POSIXct": ("timestamp",),
    "character": ("string", "large_string", "string_view"),
}


@dataclass(frozen=True)
class Raw:
    """Cells of a file."""

    cells: pd.DataFrame
    #: The line of CSV or row of Parquet (from 1) that each row is.
    rows: np.ndarray
    #: Whether the last line is ended, as a file that was cut off rarely is.
    ends: bool = True
    #: R types of Parquet's columns.
    kinds: Mapping[str, str] = field(default_factory=dict)


def file_kind(path: Path) -> str:
    """``"csv"``, ``"gz"`` or ``"parquet"``, by the ending of a file name."""
    name = path.name.lower()
    for ending, kind in ((".csv", "csv"), (".csv.gz", "gz"), (".parquet", "parquet")):
        if name.endswith(ending):
            return kind
    raise DataError(
        f"{path}: unknown file type {path.suffix!r}",
        hint="use .csv, .csv.gz or .parquet",
    )


def read_raw(
    path: Path,
    kind: str = "",
    limit: int | None = MAX_BYTES,
    hint: str = _NO_SUBMISSION,
) -> Raw:
    """Read a file's cells."""
    kind = kind or file_kind(path)
    try:
        if kind in ("parquet", "arrow"):
            return _typed(path, kind, limit=limit, hint=hint)
        with path.open("rb") if kind == "csv" else gzip.open(path, "rb") as handle:
            data = handle.read(-1 if limit is None else limit + 1)
        if limit is not None and len(data) > limit:
            raise DataError(
                f"{path}: more than {limit / 2**20:,.0f} MB unpacked",
                hint="no hub file is that large; write samples as Parquet, or split the file",
            )
        return _text(path, data)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (
        OSError,
        EOFError,
        zlib.error,
        pa.ArrowException,
        ValueError,
        OverflowError,
        TypeError,
        csv.Error,
    ) as error:
        if isinstance(error, DataError):
            raise
        message = plain(" ".join(str(error).split()), 300)
        hint = getattr(error, "hint", hint)
        raise DataError(
            f"{path}: cannot be read as {kind}: {message}", hint=hint
        ) from error


class _BadTextError(ValueError):
    """What is wrong with a text, and what to do."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def decoded(data: bytes, line: str = "row") -> str:
    """UTF-8 as text; what is not is named by its line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        reason = f"{line} {row}: byte {byte:#04x} is not UTF-8"
        raise _BadTextError(reason, "save the file as UTF-8") from None


def _text(path: Path, data: bytes) -> Raw:
    """Cells of CSV, read by the rules to the letter: a stray quote is refused, not repaired."""
    decoded(data)
    if (at := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, at) + 1
        raise _BadTextError(
            f"row {row}: a NUL byte, as no text has", "write the file again"
        )
    _, header = _lines(data, 1)
    check_header(header, str(path))
    ends = data.endswith((b"\n", b"\r"))
    quotes = b'"' in data
    lines, _ = _lines(data) if quotes else (np.array([]), header)
    try:
        table = pacsv.read_csv(
            pa.BufferReader(
                data if ends else data + b"\n"
            ),  # else a header alone is not seen
            pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pacsv.ParseOptions(newlines_in_values=quotes),
            pacsv.ConvertOptions(column_types=dict.fromkeys(header, _CODED)),
        )
    except pa.ArrowException:
        _lines(data)  # says in which row
        raise
    if not quotes:
        count = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") + (not ends)
        words = [
            chunk.dictionary for column in table.columns for chunk in column.chunks
        ]
        most = max((pc.max(pc.binary_length(x)).as_py() or 0 for x in words), default=0)
        simple = count == len(table) + 1 and most <= csv.field_size_limit()
        lines = np.arange(2, len(table) + 2) if simple else _lines(data)[0]
    return Raw(_columns(table), lines, ends=ends)


def _lines(data: bytes, most: int | None = None) -> tuple[np.ndarray, list[str]]:
    """The line on which each row of CSV ends, and the header; what breaks the rules is refused."""
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True
    )
    rows = array("q")
    try:
        header = next(reader, [])
        if not header:
            raise ValueError("row 1 holds no column names")
        for cells in islice(reader, most and most - 1):
            if len(cells) == len(header):
                rows.append(reader.line_num)
            elif cells:  # an empty line holds nothing that could be lost
                raise ValueError(
                    f"row {reader.line_num}: {len(cells)} cells, and the header has {len(header)}"
                )
    except csv.Error as error:
        raise ValueError(f"row {reader.line_num}: {error}") from None
    return np.array(rows, dtype=np.int64), header


def check_header(header: Sequence[object], source: str) -> None:
    """Refuse a header with a name twice."""
    names = list(header)
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(
            f"{source}: two columns are named {quoted(twice)}", hint="keep one"
        )


def _typed(path: Path, kind: str, limit: int | None, hint: str) -> Raw:
    """Cells of Parquet or Arrow; our Parquet has page checksums, so a flipped bit is an error."""
    if kind == "arrow":
        table = feather.read_table(path, memory_map=False)
        schema = table.schema
    else:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            meta = file.metadata
            schema = file.schema_arrow
        size = sum(
            meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)
        )
        if limit is not None and (size > limit or meta.num_rows > limit // 64):
            raise DataError(
                f"{path}: {meta.num_rows:,} rows, {size / 2**20:,.0f} MB unpacked",
                hint=f"at most {limit // 64:,} rows and {limit / 2**20:,.0f} MB; split the file",
            )
        # Texts stay coded: a long one that is in every row is kept once.
        texts = [f.name for f in schema if f.type in (pa.string(), pa.large_string())]
        table = pq.read_table(
            path,
            read_dictionary=texts,
            page_checksum_verification=True,
            partitioning=None,
        )
    check_header(schema.names, str(path))
    for name, column in zip(table.column_names, table.columns):
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            words = [
                word for word in chunk.dictionary.to_pylist() if isinstance(word, str)
            ]
            if max(map(len, words), default=0) > _LONGEST:
                reason = f"holds a text of more than {_LONGEST:,} characters"
                raise DataError(f"{path}: column {quoted(name)} {reason}", hint=hint)
    kinds = {f.name: _r_type(f.type) for f in schema}
    return Raw(_columns(table), np.arange(1, len(table) + 1), kinds=kinds)


def _columns(table: pa.Table) -> pd.DataFrame:
    """Cells as pandas has them; texts stay coded."""
    columns = {}
    for name, column in zip(table.column_names, table.columns):
        columns[name] = column.to_pandas(ignore_metadata=True).reset_index(drop=True)
    return pd.DataFrame(columns, index=range(len(table)))


def _r_type(kind: pa.DataType) -> str:
    """The R type of an Arrow type, as hubValidations names it."""
    for name, tests in _R_TYPES.items():
        if any(getattr(pa.types, f"is_{test}")(kind) for test in tests):
            return name
    return str(kind)


def without_index(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells without the pandas index that somebody left in the table."""
    names = [
        name for name in cells if not re.fullmatch(r"__index_level_\d+__", str(name))
    ]
    return cells[names]


def number(cell: object) -> float:
    """The number a cell holds; NaN if it holds none, or one no double can hold."""
    if isinstance(cell, str):
        if len(cell) > _LONGEST_NUMBER or _NUMBER.fullmatch(cell) is None:
            return math.nan
    elif isinstance(cell, bool | np.bool_) or not isinstance(
        cell, int | float | np.integer | np.floating | Decimal
    ):
        return math.nan
    try:
        value = float(cell)
    except (OverflowError, ValueError):
        return math.nan
    return value if abs(value) <= EXACT else math.nan


def day(cell: object) -> np.datetime64:
    """The day a cell holds; NaT if it holds none."""
    no_day = np.datetime64("NaT", "s")
    if isinstance(cell, str):
        if _DAY.fullmatch(cell) is None:
            return no_day
        try:
            cell = dt.date.fromisoformat(cell)
        except ValueError:
            return no_day
    if isinstance(cell, dt.datetime):
        # Also pandas' timestamps. Noon is not a day, and which day a zone means is a guess.
        if pd.isna(cell) or cell.tzinfo is not None or cell.time() != dt.time():
            return no_day
        cell = cell.date()
    if isinstance(cell, dt.date) and 1900 <= cell.year <= 2200:
        return np.datetime64(cell, "s")
    return no_day


def is_day(text: str | None) -> bool:
    """Whether a text is a day of the calendar such as ``2024-07-31``."""
    return not np.isnat(day(text))


def numbers(column: pd.Series) -> np.ndarray:
    """Numbers of a column; NaN where a cell holds none."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "iuf":
        values = column.to_numpy().astype(float)
        # Infinite or too large to be exact: not what the file says.
        return np.where(np.abs(values) <= EXACT, values, np.nan)
    return np.array(_parse_once(column, number), dtype=float)


def number_texts(texts: Iterable[str]) -> np.ndarray:
    """Numbers that texts hold; NaN where one holds none."""
    return numbers(pd.Series(list(texts), dtype=object))


def days(column: pd.Series) -> np.ndarray:
    """Days of a column as ``datetime64[s]``; NaT where a cell holds none."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        values = column.to_numpy().astype("datetime64[s]")
        whole = (values.astype("datetime64[D]") == values) & (
            column.to_numpy() == values
        )
        whole &= (values >= np.datetime64("1900-01-01")) & (
            values < np.datetime64("2201-01-01")
        )
        return np.where(whole, values, np.datetime64("NaT", "s"))
    return np.array(_parse_once(column, day), dtype="datetime64[s]")


def _parse_once[T](column: pd.Series, parse: Callable[[object], T]) -> list[T]:
    """A parser over a column; a text or day is parsed once, however often it is there."""
    parsed: dict[str | dt.date, T] = {}
    values = []
    for cell in column.tolist():
        # Texts and days only: True and 1 are one key to a dictionary.
        if type(cell) in (str, dt.date):
            if cell not in parsed:
                parsed[cell] = parse(cell)
            values.append(parsed[cell])
        else:
            values.append(parse(cell))
    return values


def read_texts(
    path: Path, hint: str = _NO_SUBMISSION
) -> tuple[pd.DataFrame, np.ndarray]:
    """Cells of a file as text, and the row each is in."""
    raw = read_raw(path, hint=hint)
    cells = without_index(raw.cells)
    return pd.DataFrame({str(name): texts(cells[name]) for name in cells}), raw.rows


def text_of(cell: object) -> str:
    """A cell as text; the same for a date, a number or a text that means the same."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, np.ndarray | list | dict):
        return str(cell)
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return ""
    if isinstance(cell, dt.datetime):
        text = cell.isoformat()
        return text[:10] if text[10:] in ("T00:00:00", "") else text
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float | np.floating):
        value = float(cell)
        return (
            str(int(value))
            if abs(value) < 1e15 and value == int(value)
            else repr(value)
        )
    return str(cell)


def coded_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The number of each cell's text (-1: there is none), and the texts, each written once."""
    different: Iterable[Any]
    if isinstance(column.dtype, pd.CategoricalDtype):
        at = column.cat.codes.to_numpy()
        different = column.cat.categories
    elif getattr(column.dtype, "kind", "O") in "fiumM" or infer_dtype(column) == "date":
        at, found = pd.factorize(column)
        different = (
            map(pd.Timestamp, found) if column.dtype.kind == "M" else found.tolist()
        )
    else:
        at, different = pd.factorize(
            np.array([text_of(x) for x in column], dtype=object)
        )
        at = np.where(column.isna(), -1, at)
    return at, [text_of(x) for x in different]


def texts(column: pd.Series) -> pd.Series:
    """A column as text."""
    at, words = coded_texts(column)
    return pd.Series(np.array([*words, ""], dtype=object)[at], dtype=object)
