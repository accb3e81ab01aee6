"""Cells of text, the bytes they come from, and how large a file may be.

A file that is cut off, undecodable or larger than any release is refused. A gzip file or workbook
of a few megabytes can unpack to gigabytes, and a device or pipe never ends, so everything is read
in pieces and given up at a limit.
"""

from __future__ import annotations

import codecs
import datetime as dt
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.say import of_path, plain

AGAIN = "download the file again"
#: Bytes from which the kind of a text is told.
PEEK = 100_000

PIECE = 1 << 20
#: Characters of a row, a cell or a JSON record, and columns of a table: no release comes near.
LONGEST = 1_000_000
MOST_COLUMNS = 1000
HEADER_WITHIN = 20  # rows from the top, where a table may have titles above its header


@dataclass(frozen=True)
class Limits:
    """How large a file may be.

    The largest file of CDC's known today (county counts) is below 30 MB unpacked and has two
    million cells; a process reading one stays below 1 GB of memory within the defaults.

    Attributes
    ----------
    size : int
        Bytes, as read and once more when unpacked.
    cells : int
        Cells of a table, blank ones included.
    """

    size: int = 200_000_000
    cells: int = 5_000_000

    def refuse_size(self, name: str, what: str = "unpacks to") -> DataError:
        """The refusal of a file that is too large."""
        return DataError(
            f"{name}: {what} more than {self.size / 1e6:,.0f} MB, more than any release",
            hint="is it the right file? Limits(size=...) allows more",
        )

    def check_cells(self, name: str, cells: int) -> None:
        """Refuse a table that is too large."""
        if cells > self.cells:
            raise DataError(
                f"{name}: more than {self.cells:,} cells, more than any release",
                hint="is it the right file? Limits(cells=...) allows more",
            )


@dataclass
class RawFile:
    """Cells of a file before anybody has interpreted them.

    Attributes
    ----------
    name : str
        File name, for messages.
    cells : DataFrame of str
        Columns as the file names them; a blank cell is ``""``.
    rows : ndarray of int
        Where each record stands in the file (see ``row_word``).
    row_word : str
        ``"row"`` (1-based, titles and header counted) or ``"record"`` (1-based, no header).
    kind : str
        csv, xlsx, parquet or json.
    separator : str
        Of a delimited text.
    file, sha256 : str
        File name as it is, and the hash of the file's bytes.
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
    rows: NDArray[np.int_]
    row_word: str
    kind: str
    separator: str = ""
    file: str = ""
    sha256: str = ""
    blank_rows: int = 0
    open_end: bool = False
    notes: list[str] = field(default_factory=list)


def cell_text(cell: object) -> str:
    """Text of one cell: stripped, whole floats without ``.0``, blank for None and NaN.

    Examples
    --------
    >>> cell_text(2015.0), cell_text(" no data "), cell_text(None), cell_text(True)
    ('2015', 'no data', '', 'True')
    """
    if isinstance(cell, str):
        return cell.replace("\xa0", " ").strip()
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return ""
    if isinstance(cell, (float, np.floating)):
        number = float(cell)
        if number != number:
            return ""
        return str(int(number)) if number.is_integer() else repr(number)
    return cell.date().isoformat() if isinstance(cell, dt.datetime) else str(cell).strip()


# Bytes


@dataclass(frozen=True)
class Content:
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
            data = _pieces(handle.read, limits.size, lambda: limits.refuse_size(name, "holds"))
    except DataError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise DataError(
            f"cannot read {of_path(path)}: {getattr(error, 'strerror', None) or error}",
            hint="check the path",
        ) from error
    digest, packed = hashlib.sha256(data).hexdigest(), data[:2] == b"\x1f\x8b"
    if packed:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                data = _pieces(unpacked.read, limits.size, lambda: limits.refuse_size(name))
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{name}: gzip file is cut off or damaged ({error})", AGAIN) from error
    if not data[:4096].strip() and not data.strip():
        raise DataError(f"{name}: the file is empty", hint=AGAIN)
    return Content(path.name, name, data, digest, packed)


def _pieces(read: Callable[[int], bytes], limit: int, refused: Callable[[], DataError]) -> bytes:
    """Everything a reader gives, unless it is more than ``limit`` bytes."""
    found = io.BytesIO()
    while piece := read(PIECE):
        if found.tell() + len(piece) > limit:
            raise refused()
        found.write(piece)
    return found.getvalue()


def utf8(name: str, data: bytes, *, latin: bool = False) -> bytes:
    """The same text as UTF-8 without a byte-order mark, proven to be text."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8-sig")()
    decoded = io.BytesIO()
    line = 1
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        try:
            text = decoder.decode(piece, final=start + PIECE >= len(data))
        except UnicodeDecodeError as error:
            if latin and not wide:
                return utf8(name, data.decode("latin-1").encode())
            line += error.object[: error.start].count(b"\n")
            byte = start + error.start - (len(error.object) - len(piece))
            raise DataError(
                f"{name} line {line}: byte {byte} is not {'utf-16' if wide else 'utf-8'} text",
                hint="save the file as UTF-8",
            ) from error
        if "\0" in text:
            line += text[: text.index("\0")].count("\n")
            raise DataError(f"{name} line {line}: binary data, not text", AGAIN)
        line += text.count("\n")
        if wide:
            decoded.write(text.encode())
    return decoded.getvalue() if wide else data.removeprefix(codecs.BOM_UTF8)


# Tables


class _Texts(dict[str, str]):
    """Cells as a file has them to their text, each distinct one once."""

    def __missing__(self, cell: str) -> str:
        text = self[cell] = cell_text(cell)
        return text


def filled(
    name: str, header: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]], limits: Limits
) -> tuple[pd.DataFrame, NDArray[np.int_]]:
    """A table of numbered rows of text, and their numbers; equal texts are kept once."""
    check_width(name, len(header))
    columns: list[list[str]] = [[] for _ in header]
    numbers: list[int] = []
    known = _Texts()
    for chunk in batched(rows, 4096):
        numbers += [number for number, _ in chunk]
        limits.check_cells(name, len(numbers) * len(columns))
        if len(known) > 200_000:
            known.clear()
        for column, texts in zip(columns, zip(*(row for _, row in chunk), strict=True)):
            column += map(known.__getitem__, texts)
    return laid(columns, header), np.array(numbers, dtype=int)


def laid(
    columns: Iterable[Sequence[str] | NDArray[np.object_]], names: Sequence[str]
) -> pd.DataFrame:
    """Columns of text as a table; names may come twice."""
    frame = pd.DataFrame({i: np.array(texts, dtype=object) for i, texts in enumerate(columns)})
    frame.columns = pd.Index(names, dtype=object)
    return frame


def check_width(name: str, width: int) -> None:
    """Refuse a table with more columns than any has."""
    if width > MOST_COLUMNS:
        raise DataError(f"{name}: {width:,} columns", hint="is it the right file?")


def record_cells(name: str, cells: pd.DataFrame, kind: str) -> RawFile:
    """Records of a file that has no header row."""
    blank = np.arange(len(cells))
    for i in range(cells.shape[1]):
        blank = blank[(cells.iloc[blank, i] == "").to_numpy()]
    rows = np.delete(np.arange(1, 1 + len(cells)), blank)
    if blank.size:
        cells = cells.iloc[rows - 1].reset_index(drop=True)
    return RawFile(name, cells, rows, "record", kind, blank_rows=blank.size)
