"""A text file that only grows, and whose every line vouches for all before it.

The first line names the columns; every other ends with 16 hex digits of a SHA-256 over the digits
of the line before (of the first line, for the second) and its own text. A line that was changed,
put in, taken out or moved no longer fits, and the reader says which. Who wants to deceive can
reckon the digits anew: against that helps only a copy in other hands, so publish the file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from odforecast.errors import DataError

#: Hex digits at the end of a line.
DIGITS = 16
_OPTIONS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
_RESTORE = "nobody edits a record: restore the file from a copy (its lines are only ever added to)"


@dataclass(frozen=True)
class Chained:
    """Lines of a file, each checked.

    Attributes
    ----------
    lines : tuple of str
        Without the digits; the first line, which names the columns, is not among them.
    link : str
        Digits that the next line builds on.
    size : int
        Bytes of the lines above; what stands behind them was cut off while it was written.
    torn : bool
        Whether there is such a rest.
    ended : bool
        Whether the last line has its line end.
    """

    lines: tuple[str, ...]
    link: str
    size: int
    torn: bool
    ended: bool


def link(before: str, text: str) -> str:
    """Digits of a line.

    Examples
    --------
    >>> link("", "a,b") == link("", "a,b") != link("0", "a,b")
    True
    """
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()[:DIGITS]


def read_chained(path: Path, head: str) -> Chained:
    """Read a file and check every line.

    Parameters
    ----------
    path : Path
        If it does not exist, or holds not even its first line, there are no lines.
    head : str
        The first line, as it must be.

    Raises
    ------
    DataError
        With the number of the first line that is not as it was written.
    """
    before = link("", head)
    nothing = Chained((), before, 0, torn=False, ended=True)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return nothing
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    pieces = content.split(b"\n")
    rest = pieces.pop()
    if not pieces:  # not one whole line: the very first write was cut off, or this is another file
        if not head.encode().startswith(rest):
            raise _edited(path, 1, "it does not name the columns of a record")
        return nothing if not rest else Chained((), before, 0, torn=True, ended=True)
    if _text(pieces[0]) != head:
        raise _edited(path, 1, "it does not name the columns of a record")
    lines, size = [], len(pieces[0]) + 1
    for number, piece in enumerate(pieces[1:], 2):
        found = _whole(piece, before)
        if found is None:
            raise _edited(path, number, "its check does not fit it and the lines before")
        before = link(before, found)
        lines.append(found)
        size += len(piece) + 1
    # A last line without its end is whole if its check fits: some editors take the end away.
    if rest and (found := _whole(rest, before)) is not None:
        return Chained((*lines, found), link(before, found), len(content), torn=False, ended=False)
    return Chained(tuple(lines), before, size, torn=bool(rest), ended=True)


def append_chained(path: Path, head: str, lines: list[str]) -> None:
    """Write lines at the end; what was there stays byte for byte.

    A rest that was cut off while it was written, and so never was a line, is cleared away.

    Raises
    ------
    DataError
        If a line there is not as it was written, or the file cannot be written to.
    """
    held = read_chained(path, head)
    start = "" if held.ended else "\n"
    if not held.size:
        start = f"{head}\n"
    before, text = held.link, []
    for line in lines:
        before = link(before, line)
        text.append(f"{line},{before}\n")
    content = (start + "".join(text)).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _OPTIONS, 0o666)
        try:
            if held.torn:
                os.ftruncate(descriptor, held.size)
            os.lseek(descriptor, 0, os.SEEK_END)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            hint="what was there is as it was; once it can be written to, run it again",
        ) from error


def _text(piece: bytes) -> str:
    # Git on Windows may put other line ends; what cannot be read is no line of a record.
    return piece.decode(errors="replace").removesuffix("\r")


def _whole(piece: bytes, before: str) -> str | None:
    """The text of a line whose digits fit; None for any other."""
    text, _, digits = _text(piece).rpartition(",")
    return text if digits == link(before, text) else None


def _edited(path: Path, number: int, why: str) -> DataError:
    return DataError(f"{path}, line {number}, is not as it was written: {why}", hint=_RESTORE)
