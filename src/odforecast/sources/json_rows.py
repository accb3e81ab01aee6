"""Rows of a JSON list, one at a time: flat records of named values, as Socrata answers them.

The whole list is never turned into objects at once: nested lists of a few megabytes would take
gigabytes, and deep ones Python's stack.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from odforecast.errors import DataError
from odforecast.say import listed, plain
from odforecast.sources.unpack import AGAIN

#: Characters of one record, and of an object that is no list of records.
LONGEST_RECORD = 1_000_000
_PIECE = 1 << 20
_SPACE = " \t\r\n"
_COMMA = re.compile(r"[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_NESTED = frozenset({dict, list})

Record = dict[str, Any]


class NoRowsError(DataError):
    """JSON that is damaged, or something else than rows."""


def records(name: str, data: bytes, *, as_is: bool = False) -> Iterator[Record]:
    """Records of a JSON list in UTF-8; truth values as text.

    Parameters
    ----------
    name : str
        File, for messages.
    data : bytes
        Text.
    as_is : bool
        Keep truth values and nested values, for rows that are only passed on.

    Raises
    ------
    NoRowsError
        If the text is cut off or no list of flat records: line or record named.
    """
    handle = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    text = _Text(name, handle, as_is=as_is)
    if text.next() != "[":
        raise NoRowsError(f"{name}: JSON, but no list of rows", AGAIN)
    text.step()
    number = 0
    if text.next() == "]":
        text.step()
    else:
        while True:
            number += 1
            record = text.value()
            if not isinstance(record, dict) or not (
                as_is or (record and _NESTED.isdisjoint(map(type, record.values())))
            ):
                raise NoRowsError(f"{name} record {number}: not a flat row of named values", AGAIN)
            yield record
            if text.comma():
                continue
            mark = text.next()
            text.step()
            if mark == "]":
                break
            if mark != ",":
                raise text.damaged("Expecting ',' delimiter")
            text.next()
    if text.next():
        raise text.damaged("Extra data")


def whole(name: str, data: bytes) -> Any:
    """A small JSON text as objects.

    Raises
    ------
    NoRowsError
        If it is not small, damaged, or nested too deeply.
    """
    if len(data) > LONGEST_RECORD:
        raise NoRowsError(
            f"{name}: a JSON object of {len(data) / 1e6:,.1f} MB, not a list of rows", AGAIN
        )
    text = _Text(name, io.StringIO(data.decode("utf-8", errors="replace"), newline=""))
    text.next()
    found = text.value()
    if text.next():
        raise text.damaged("Extra data")
    return found


class _Text:
    """A place in a JSON text that is read in pieces."""

    def __init__(self, name: str, handle: io.TextIOBase, *, as_is: bool = False) -> None:
        self.name, self.handle, self.as_is = name, handle, as_is
        self.buffer, self.at, self.line, self.ended = "", 0, 1, False
        self.truths = False
        self.decoder = json.JSONDecoder(object_pairs_hook=self._once, parse_int=_whole_number)

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._fill(1)
            if self.at >= len(self.buffer):
                return ""
            while self.at < len(self.buffer) and self.buffer[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]

    def step(self) -> None:
        """Go one character on."""
        self.at += 1

    def comma(self) -> bool:
        """Go past a comma and the spaces around it, if they and more are in the buffer."""
        found = _COMMA.match(self.buffer, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True

    def value(self) -> Any:
        """The value that begins here."""
        self._fill(LONGEST_RECORD)
        try:
            found, self.at = self.decoder.raw_decode(self.buffer, self.at)
        except json.JSONDecodeError as error:
            if not self.ended and len(self.buffer) - self.at >= LONGEST_RECORD:
                raise NoRowsError(
                    f"{self._here()}: a JSON record that is damaged ({error.msg}), or has more "
                    f"than {LONGEST_RECORD:,} characters",
                    AGAIN,
                ) from error
            self.at = min(error.pos, len(self.buffer))
            raise self.damaged(error.msg) from error
        except RecursionError as error:
            raise NoRowsError(f"{self._here()}: JSON that is nested too deeply", AGAIN) from error
        return found

    def damaged(self, why: str) -> NoRowsError:
        """The refusal of what stands here."""
        return NoRowsError(f"{self._here()}: JSON that is cut off or damaged ({why})", AGAIN)

    def _here(self) -> str:
        return f"{self.name} line {self.line + self.buffer.count(chr(10), 0, self.at)}"

    def _fill(self, least: int) -> None:
        """Have at least so many characters ahead, unless the text ends before."""
        if self.ended or len(self.buffer) - self.at >= least:
            return
        self.line += self.buffer.count("\n", 0, self.at)
        parts = [self.buffer[self.at :]]
        length = len(parts[0])
        while length < least + _PIECE:
            piece = self.handle.read(_PIECE)
            if not piece:
                self.ended = True
                break
            parts.append(piece)
            length += len(piece)
        self.buffer, self.at = "".join(parts), 0
        self.truths = "true" in self.buffer or "false" in self.buffer

    def _once(self, pairs: list[tuple[str, object]]) -> Record:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise NoRowsError(
                f"{self.name}: a JSON record repeats a field: {listed([k for k, _ in pairs])}"
            )
        if self.truths and not self.as_is:
            for key, value in pairs:
                if isinstance(value, bool):
                    found[key] = str(value)  # as a number, true would be 1
        return found


def _whole_number(text: str) -> int | str:
    """An integer; a text where it is longer than any count."""
    return int(text) if len(text) <= 18 else text


def refuse_object(name: str, data: bytes) -> DataError:
    """The refusal of a JSON object in place of rows, saying what it is."""
    content = whole(name, data)
    hint = "download /resource/xkb8-kh2a.json?$limit=500000, or the CSV"
    if "columns" in content and "id" in content:
        return DataError(
            f"{name}: the catalogue entry of data set {plain(content['id'])} (metadata), not its "
            "rows",
            hint,
        )
    if "message" in content:
        return DataError(f"{name}: an error answer: {plain(content['message'])}", AGAIN)
    return DataError(
        f"{name}: a JSON object with {listed(list(content), 5)}; expected a list of rows", hint
    )
