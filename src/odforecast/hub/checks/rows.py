"""A data file as columns of codes: every distinct text once, and per row its number.

A submission of 500,000 rows has a few hundred distinct texts, so each is looked at once, and
rows are compared as whole numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from odforecast.hub.checks.place import Unreadable, why_not
from odforecast.hub.checks.tasks import Word, is_day
from odforecast.say import listed, plain, quoted

#: Bytes of a CSV file in which its header must end.
_HEADER: Final = 2**20
_WHOLE_LIMIT: Final = 2**31


@dataclass(frozen=True)
class Column:
    """One column: ``words[codes[i]]`` is the text of row i; code -1 is NA.

    Attributes
    ----------
    codes : ndarray of int64, shape (rows,)
    words : ndarray of object, shape (distinct,)
        Distinct texts.
    kind : str
        The R type of the column in the file; of a CSV file, ``text``.
    """

    codes: np.ndarray
    words: np.ndarray
    kind: str

    def where(self, good: Callable[[Word], bool]) -> np.ndarray:
        """Mask of the rows whose text is good; each text is asked once.

        Returns
        -------
        ndarray of bool, shape (rows,)
        """
        table = np.array([*(good(w) for w in self.words), good(None)], dtype=bool)
        found: np.ndarray = table[self.codes]
        return found

    def among(self, values: Iterable[Word]) -> np.ndarray:
        """Mask of the rows whose text is one of some."""
        table = np.zeros(len(self.words) + 1, dtype=bool)
        table[[self.index[w] for w in values if w in self.index]] = True
        found: np.ndarray = table[self.codes]
        return found

    @cached_property
    def index(self) -> dict[Word, int]:
        """The code of each text; NA is -1."""
        return {None: -1} | {w: i for i, w in enumerate(self.words)}

    def text(self, row: int) -> Word:
        """The text of a row."""
        code = int(self.codes[row])
        return None if code < 0 else str(self.words[code])

    def distinct(self, rows: np.ndarray | None = None) -> list[Word]:
        """Distinct texts of all rows or of some."""
        codes = np.unique(self.codes if rows is None else self.codes[rows])
        return [None if c < 0 else str(self.words[c]) for c in codes]

    def numbers(self) -> np.ndarray:
        """The texts as numbers; NaN where one is none.

        Returns
        -------
        ndarray of float, shape (rows,)
        """
        table = np.array([*(_number(w) for w in self.words), np.nan], dtype=float)
        found: np.ndarray = table[self.codes]
        return found

    def take(self, rows: np.ndarray) -> Column:
        """Some of the rows."""
        made = Column(self.codes[rows], self.words, self.kind)
        made.__dict__["index"] = self.index
        return made


@dataclass(frozen=True)
class Rows:
    """A table: columns by name, and the number of its first row in messages."""

    columns: dict[str, Column]
    n: int
    first: int

    def row(self, i: int) -> int:
        """The line of a CSV file, the row of any other, of position i."""
        return int(i) + self.first

    def key(self, names: Sequence[str]) -> np.ndarray:
        """One number per row: equal where all these columns are.

        Returns
        -------
        ndarray of int64, shape (rows,)
        """
        key = np.zeros(self.n, dtype=np.int64)
        for name in names:
            codes = self.columns[name].codes + 1
            top = int(codes.max(initial=0)) + 1
            if int(key.max(initial=0)) > (2**62) // max(top, 1):
                key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            key = key * top + codes
        return key


def _number(text: Word) -> float:
    try:
        return float(text) if text is not None and "_" not in text else np.nan
    except ValueError:
        return np.nan


def fits(text: Word, kind: str) -> bool:
    """Whether a text can be read as an R type.

    Examples
    --------
    >>> fits("3", "integer"), fits("3.0", "integer"), fits("x", "double"), fits(None, "Date")
    (True, False, False, True)
    """
    if text is None or kind == "character":
        return True
    if kind == "Date":
        return is_day(text)
    if kind == "logical":
        return text.lower() in ("true", "false", "0", "1")
    if kind == "integer":
        body = text[1:] if text[:1] == "-" else text
        return body.isascii() and body.isdigit() and abs(int(text[:20])) < _WHOLE_LIMIT
    return text == text.strip() and (not np.isnan(_number(text)) or text.lower() == "nan")


def read_rows(path: Path, root: Path, parts: dict[str, Word] | None = None) -> Rows:
    """Read a CSV, Parquet or Arrow file; nothing is interpreted but NA (empty, or ``NA``).

    Parameters
    ----------
    path : Path
    root : Path
        The hub's folder, out of which nothing is read.
    parts : dict of str to str, optional
        Columns that the names of folders give (``as_of=2024-01-31``).

    Returns
    -------
    Rows

    Raises
    ------
    Unreadable
        For a file that is empty, cut, not UTF-8, or has a column twice.
    """
    import pyarrow as pa

    if reason := why_not(path, root):
        raise Unreadable(reason)
    if path.stat().st_size == 0:
        raise Unreadable("an empty file")
    kind = path.suffix.lower()
    try:
        table = _csv(path) if kind == ".csv" else _typed(path, kind)
    except (pa.ArrowException, OSError, UnicodeError, csv.Error) as error:
        why = _why_csv(path) if kind == ".csv" else ""
        raise Unreadable(why or plain((str(error) or "unreadable").splitlines()[0], 200)) from None
    names = [str(x) for x in table.column_names]
    if twice := [n for n in dict.fromkeys(names) if names.count(n) > 1]:
        raise Unreadable(f"more than one column is named {listed(twice, 3)}")
    columns = {n: _coded(table.column(i), kind == ".csv") for i, n in enumerate(names)}
    for name, value in (parts or {}).items():
        columns[name] = _constant(value, table.num_rows)
    return Rows(columns, table.num_rows, 2 if kind == ".csv" else 1)


def _csv(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pacsv

    with path.open("rb") as file:
        head = file.read(_HEADER)
    if b"\0" in head:
        raise Unreadable("a NUL byte, as no text has")
    end = min((i for i in (head.find(b"\n"), head.find(b"\r")) if i >= 0), default=len(head))
    names = next(csv.reader(io.StringIO(head[:end].decode("utf-8-sig"))), [])
    if not names or not any(names):
        raise Unreadable("line 1 holds no column names")
    return pacsv.read_csv(
        path,
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=["", "NA"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _why_csv(path: Path) -> str:
    """The line at which a CSV file goes wrong; empty if it is not found."""
    import pyarrow as pa
    from pyarrow import csv as pacsv

    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        return f"row {row}: byte {data[error.start]:#04x} is no UTF-8"
    found: list[str] = []

    def note(row: Any) -> str:
        found.append(
            f"row {row.number}: {row.actual_columns} cells, and the header has "
            f"{row.expected_columns}"
        )
        return "skip"

    try:
        # Rows have numbers only where one thread reads them.
        pacsv.read_csv(
            pa.BufferReader(data),
            read_options=pacsv.ReadOptions(use_threads=False),
            parse_options=pacsv.ParseOptions(invalid_row_handler=note),
        )
    except pa.ArrowException:
        return ""
    return found[0] if found else ""


def _typed(path: Path, kind: str) -> Any:
    import pyarrow.parquet as pq
    from pyarrow import feather

    if kind == ".parquet":
        with pq.ParquetFile(path) as file:
            return file.read()
    if kind == ".arrow":
        return feather.read_table(path, memory_map=False)
    raise Unreadable(f"ends in {quoted(kind)}; .csv, .parquet and .arrow are read")


def r_type(kind: Any) -> str:
    """The R type of an Arrow type, as hubValidations names it."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return "factor"
    for test, name in (
        (types.is_integer, "integer"),
        (types.is_floating, "double"),
        (types.is_date, "Date"),
        (types.is_boolean, "logical"),
        (types.is_timestamp, "POSIXct"),
    ):
        if test(kind):
            return name
    text = types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"
    return "character" if text else str(kind)


def _coded(column: Any, is_text: bool) -> Column:
    import pyarrow as pa

    kind = "text" if is_text else r_type(column.type)
    if pa.types.is_null(column.type) or pa.types.is_nested(column.type):
        words = np.array([f"({column.type})"] if pa.types.is_nested(column.type) else [], object)
        start = 0 if len(words) else -1
        return Column(np.full(len(column), start, dtype=np.int64), words, kind)
    if not len(column):
        return Column(np.empty(0, dtype=np.int64), np.array([], dtype=object), kind)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    coded = coded.unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    values = coded.dictionary
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    words = np.array(values.to_pylist(), dtype=object)
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    absent = np.array([w is None for w in words], dtype=bool)
    if absent.any():
        codes = np.where(np.append(absent, False)[codes], -1, codes)
    return Column(codes, words, kind)


def _constant(value: Word, n: int) -> Column:
    words = np.array([] if value is None else [value], dtype=object)
    return Column(np.full(n, 0 if len(words) else -1, dtype=np.int64), words, "text")


def stacked(tables: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Several tables, one below the other; a column that one lacks is NA there."""
    columns = {}
    for name in names:
        known: dict[Word, int] = {None: -1}
        codes = []
        for table in tables:
            column = table.columns.get(name) or _constant(None, table.n)
            new = np.array(
                [*(known.setdefault(w, len(known) - 1) for w in column.words), -1], dtype=np.int64
            )
            codes.append(new[column.codes])
        words = np.array([w for w in known if w is not None], dtype=object)
        columns[name] = Column(np.concatenate(codes), words, "text")
    return Rows(columns, sum(t.n for t in tables), 1)
