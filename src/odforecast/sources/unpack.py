"""Bytes of a file, no more of them than a release can have.

A gzip file or workbook of a few megabytes can unpack to gigabytes, and a device or pipe never
ends. Everything here is read in pieces and given up at a limit, so that a file can be refused
but cannot take the machine's memory.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from odforecast.errors import DataError
from odforecast.say import of_path, plain

AGAIN = "download the file again"
PIECE = 1 << 20


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


DEFAULT = Limits()


def pieces(
    read: Callable[[int], bytes], limit: int, refused: Callable[[], DataError]
) -> io.BytesIO:
    """Everything a reader gives, in memory, unless it is more than ``limit`` bytes."""
    found = io.BytesIO()
    while piece := read(PIECE):
        if found.tell() + len(piece) > limit:
            raise refused()
        found.write(piece)
    return found


def file_bytes(path: str | Path, limits: Limits = DEFAULT) -> bytes:
    """Bytes of a file.

    Raises
    ------
    DataError
        If it cannot be read, or is larger than the limit.
    """
    path = Path(path)
    name = plain(path.name)
    try:
        with path.open("rb") as handle:
            found = pieces(handle.read, limits.size, lambda: limits.refuse_size(name, "holds"))
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"cannot read {of_path(path)}: {getattr(error, 'strerror', None) or error}",
            hint="check the path",
        ) from error
    return found.getvalue()


def gunzipped(name: str, data: bytes, limits: Limits = DEFAULT) -> bytes:
    """Content of a gzip file, its checksum compared.

    Raises
    ------
    DataError
        If it is cut off or damaged, or unpacks to more than the limit.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as handle:
            return _all(handle, name, limits)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{name}: gzip file is cut off or damaged ({error})", AGAIN) from error


def _all(handle: BinaryIO | gzip.GzipFile, name: str, limits: Limits) -> bytes:
    return pieces(handle.read, limits.size, lambda: limits.refuse_size(name)).getvalue()


def utf8(name: str, data: bytes) -> bytes:
    """The same text as UTF-8 without a byte-order mark, proven to be text.

    Raises
    ------
    DataError
        If it is not UTF-8 (or UTF-16 with its mark), or holds a NUL: line and byte named.
    """
    encoding, start = "utf-8", 0
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding, start = ("utf-16-le" if data[:1] == b"\xff" else "utf-16-be"), 2
    elif data[:3] == b"\xef\xbb\xbf":
        start = 3
    whole = io.BytesIO()
    lines = 1
    for begin, end in _cuts(data, start, wide=start == 2):
        try:
            text = data[begin:end].decode(encoding)
        except UnicodeDecodeError as error:
            line = lines + data[begin : begin + error.start].count(b"\n")
            raise DataError(
                f"{name} line {line}: byte {begin + error.start} is not {encoding[:6].rstrip('-')} "
                "text",
                hint="save the file as UTF-8",
            ) from error
        if "\0" in text:
            line = lines + text[: text.index("\0")].count("\n")
            raise DataError(f"{name} line {line}: binary data, not text", AGAIN)
        lines += text.count("\n")
        if start == 2:
            whole.write(text.encode())
    return whole.getvalue() if start == 2 else data[start:]


def _cuts(data: bytes, start: int, *, wide: bool) -> Iterator[tuple[int, int]]:
    """Pieces of a text that cut no character in two."""
    while start < len(data):
        end = min(start + PIECE, len(data))
        if end + 1 < len(data):
            if wide:  # the second half of a pair of units begins like this
                high = data[end + 1] if data[:1] == b"\xff" else data[end]
                end -= 2 if 0xDC <= high <= 0xDF else 0
            else:  # a character goes on for three bytes at most
                end -= next((i for i in range(4) if data[end - i] & 0xC0 != 0x80), 0)
        yield start, end
        start = end
