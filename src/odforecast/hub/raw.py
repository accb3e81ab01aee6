"""Hub files to raw cells, with the row each stands in: nothing skipped, nothing interpreted."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import plain, quoted

#: Most bytes of a file, unpacked: a file of 2,000 sample paths has a quarter of it.
MAX_BYTES = 256 * 2**20
#: Most rows of a file.
MAX_ROWS = 4_000_000
#: Most characters of a cell of text.
_LONGEST = 100_000

#: Rows that are lists of cells at one time.
_BATCH = 10_000

#: The hint of a file that cannot be read; readers of other files give their own.
NO_SUBMISSION: Final = "is it a hubverse model-output file?"


@dataclass(frozen=True)
class Raw:
    """Cells of a file.

    Attributes
    ----------
    cells : DataFrame
        Text in CSV; in Parquet whatever the file holds.
    rows : ndarray of int
        Where each row stands: the line of a CSV file (the header is line 1), the row of a
        Parquet file (from 1).
    ends : bool
        Whether the last line of a CSV file is ended, as a file that was cut off rarely is.
    """

    cells: pd.DataFrame
    rows: np.ndarray
    ends: bool = True


def read_raw(path: Path, kind: str, limit: int = MAX_BYTES) -> Raw:
    """Read a file's cells.

    Parameters
    ----------
    path : Path
        File.
    kind : {"csv", "gz", "parquet"}
        What it is.
    limit : int
        Most bytes it may hold, unpacked.

    Raises
    ------
    DataError
        If it is absent, larger than ``limit``, damaged, or of another kind.
    """
    try:
        if kind == "parquet":
            return _parquet(path, limit)
        return _text(path, _bytes(path, kind, limit))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        _damaged(path, kind, error)


def _damaged(path: Path, kind: str, why: object, hint: str = NO_SUBMISSION) -> NoReturn:
    said = plain(" ".join(str(why).split()), 300)
    cause = why if isinstance(why, BaseException) else None
    raise DataError(f"{path}: cannot be read as {kind}: {said}", hint=hint) from cause


def _bytes(path: Path, kind: str, limit: int) -> bytes:
    """All bytes, unpacked; no more than ``limit`` are ever held."""
    with path.open("rb") if kind == "csv" else gzip.open(path, "rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise DataError(
            f"{path}: more than {limit / 2**20:,.0f} MB unpacked",
            hint="no hub file is that large; write samples as Parquet, or split the file",
        )
    return data


def _text(path: Path, data: bytes) -> Raw:
    """Cells of CSV, read by the rules to the letter: a stray quote is refused, not repaired."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        _damaged(path, "csv", f"row {row}: byte {data[error.start]:#04x} is no UTF-8",
                 "save the file as UTF-8")  # fmt: skip
    if (at := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, at) + 1
        _damaged(path, "csv", f"row {row}: a NUL byte, as no text has", "write the file again")
    lines = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
        if not header:
            _damaged(path, "csv", "row 1 holds no column names")
        check_header(header, str(path))
        found = [_Column() for _ in header]
        rows = array("q")
        batch: list[list[str]] = []
        for cells in reader:
            if len(cells) != len(header):
                if not cells:
                    continue  # an empty line holds nothing that could be lost
                _damaged(path, "csv", f"row {reader.line_num} has {len(cells)} cells, and the "
                         f"header {len(header)}")  # fmt: skip
            rows.append(reader.line_num)
            batch.append(cells)
            if len(batch) == _BATCH:
                _keep(found, batch)
        _keep(found, batch)
    except csv.Error as error:
        _damaged(path, "csv", f"row {reader.line_num}: {error}")
    table = pd.DataFrame({n: c.values() for n, c in zip(header, found)}, columns=header)
    return Raw(table, np.array(rows), data.endswith((b"\n", b"\r")))


class _Column:
    """Cells of a column; equal ones are held once."""

    def __init__(self) -> None:
        self.known: defaultdict[str, int] = defaultdict()
        self.known.default_factory = self.known.__len__  # a new text gets the next number
        self.codes = array("i")

    def values(self) -> np.ndarray:
        return np.array([*self.known, ""], dtype=object)[np.array(self.codes, dtype=np.intp)]


def _keep(found: list[_Column], batch: list[list[str]]) -> None:
    """Move rows into columns, and forget them."""
    for column, cells in zip(found, zip(*batch)):
        column.codes.extend(map(column.known.__getitem__, cells))
    batch.clear()


def check_header(header: Sequence[object], source: str) -> None:
    """Refuse a header with a name twice.

    Raises
    ------
    DataError
        With the name.
    """
    names = list(header)
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{source}: two columns are named {quoted(twice)}", hint="keep one")


def _parquet(path: Path, limit: int) -> Raw:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Page checksums are there in files of ours: a flipped bit is an error, not a number.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            meta, names = file.metadata, file.schema_arrow.names
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if size > limit or meta.num_rows > MAX_ROWS:
                raise DataError(
                    f"{path}: {meta.num_rows:,} rows, {size / 2**20:,.0f} MB unpacked",
                    hint=f"at most {MAX_ROWS:,} rows and {limit / 2**20:,.0f} MB; split the file",
                )
            check_header(names, str(path))
        # Texts stay coded: a long one that stands in every row is held once.
        texts = [f.name for f in file.schema_arrow if _is_text(f.type)]
        table = pq.read_table(
            path,
            read_dictionary=texts,
            page_checksum_verification=True,
            partitioning=None,
        )
        columns: dict[str, Any] = {}
        for name, column in zip(table.column_names, table.columns):
            if re.fullmatch(r"__index_level_\d+__", name):
                continue  # a pandas index that somebody left in the table
            if pa.types.is_dictionary(column.type) and not _short(column):
                raise DataError(
                    f"{path}: column {quoted(name)} holds a text of more than {_LONGEST:,} "
                    "characters",
                    hint=NO_SUBMISSION,
                )
            columns[name] = column.to_pandas(ignore_metadata=True).reset_index(drop=True)
        cells = pd.DataFrame(columns)
    except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        _damaged(path, "parquet", error)
    return Raw(cells, np.arange(1, len(cells) + 1))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _short(column: Any) -> bool:
    """Whether no text of a coded column is too long to be a hub's."""
    for chunk in column.chunks:
        if not _is_text(chunk.dictionary.type):
            continue
        if any(len(x) > _LONGEST for x in chunk.dictionary.to_pylist() if x is not None):
            return False
    return True
