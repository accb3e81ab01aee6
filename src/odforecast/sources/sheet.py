"""One sheet of a workbook, filled by an XML parser."""

from __future__ import annotations

import datetime as dt
import re

from odforecast.errors import DataError
from odforecast.say import plain, quoted
from odforecast.sources.rows import LONGEST_ROW, MOST_COLUMNS
from odforecast.sources.unpack import Limits

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
# Characters that XML cannot hold are written so: _x000D_.
_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TYPES = frozenset({"n", "s", "str", "inlineStr", "b", "e", "d"})


class Sheet:
    """Cells of one sheet; its methods are handlers of a parser.

    Parameters
    ----------
    file, name : str
        For messages.
    strings : list of str
        Shared texts.
    dates : list of bool
        Whether the numbers of a style are days.
    limits : Limits
        How many cells there may be.
    since_1904 : bool
        Whether days count from 1904.

    Attributes
    ----------
    table : dict of int to list
        Rows with any cell that is not blank, up to the last such cell.
    last_row, cells : int
        Number of the last row; how many cells the table holds.
    """

    def __init__(
        self, file: str, name: str, strings: list[str], dates: list[bool], limits: Limits,
        since_1904: bool,
    ) -> None:  # fmt: skip
        self.file, self.name = file, plain(name)
        self.strings, self.dates, self.limits, self.since_1904 = strings, dates, limits, since_1904
        self.table: dict[int, list[object]] = {}
        self.row = self.last_row = self.cells = self._seen = 0
        self._column = -1
        self._kind, self._style = "n", 0
        self._values = self._formulas = 0
        self._in_cell = self._phonetic = self._taking = False
        self._text: list[str] = []
        self._length = 0
        self._root = ""

    def start(self, kind: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if kind == "c":
            self._cell(attributes)
        elif kind == "v":
            self._values += self._in_cell
            self._taking = self._in_cell
        elif kind == "f":
            self._formulas += self._in_cell
            self._taking = False
        elif kind == "t":
            self._taking = self._in_cell and self._kind == "inlineStr" and not self._phonetic
        elif kind == "rPh":
            self._phonetic = True
        elif kind == "row":
            self._next_row(attributes.get("r"))
        elif not self._root:
            self._root = kind

    def end(self, kind: str) -> None:
        """An element ends."""
        if kind == "c":
            self._in_cell = False
            value = self._value()
            if value is not None and value != "":
                self._keep(value)
        elif kind in ("v", "t", "f"):
            self._taking = False
        elif kind == "rPh":
            self._phonetic = False

    def characters(self, text: str) -> None:
        """Text inside an element."""
        if self._taking:
            self._length += len(text)
            if self._length > LONGEST_ROW:
                raise self._refused(f"more than {LONGEST_ROW:,} characters")
            self._text.append(text)

    def done(self) -> None:
        """The part is read: refuse what was no sheet."""
        if self._root != "worksheet":
            raise ValueError("a sheet that is none")

    def _next_row(self, text: str | None) -> None:
        number = self.row + 1 if text is None else _whole(text)
        if not self.row < number <= 1_048_576:
            raise ValueError(f"row {plain(text, 20)} after row {self.row}")
        self.row = self.last_row = number
        self._column = -1

    def _cell(self, attributes: dict[str, str]) -> None:
        text = attributes.get("r")
        column = self._column + 1
        if text is not None:
            found = _REFERENCE.fullmatch(text)
            if found is None or int(found[2]) != self.row:
                raise ValueError(f"a cell {plain(text, 20)} in row {self.row}")
            column = 0
            for letter in found[1]:
                column = column * 26 + ord(letter) - 64
            column -= 1
        if column <= self._column or self._in_cell:
            raise ValueError(f"a cell {plain(text, 20)} that is there twice")
        self._column, self._in_cell = column, True
        self._seen += 1
        if self._seen > self.limits.cells:
            self.limits.check_cells(self.file, self._seen)
        self._kind = attributes.get("t", "n")
        self._style = _whole(attributes.get("s", "0"))
        self._values = self._formulas = self._length = 0
        self._text.clear()
        if self._kind not in _TYPES:
            raise self._refused(f"of a kind {plain(self._kind, 20)}")

    def _value(self) -> object:
        text = "".join(self._text)
        kind = self._kind
        if self._values > 1:
            raise self._refused("two values")
        # A formula that gives an empty text is stored as such; every other must have a value.
        if self._formulas and not text and not (kind == "str" and self._values):
            raise DataError(
                f"{self.file} cell {self._here()}: a formula without a stored value",
                hint="open the workbook in Excel and save it, or save the sheet as .csv",
            )
        if kind in ("str", "inlineStr"):
            return _CODE.sub(lambda m: chr(int(m[1], 16)), text)
        text = text.strip(" \t\r\n")
        if not text:
            return None
        if kind == "s":
            at = _whole(text)
            if at >= len(self.strings):
                raise self._refused("a text that is not there")
            shared = self.strings[at]
            return _CODE.sub(lambda m: chr(int(m[1], 16)), shared) if "_x" in shared else shared
        if kind == "b":
            if text not in ("0", "1"):
                raise self._refused(f"no truth value: {quoted(text)}")
            return "True" if text == "1" else "False"
        if kind in ("e", "d"):
            return text
        return self._number(text)

    def _number(self, text: str) -> object:
        if len(text) > 400 or _NUMBER.fullmatch(text) is None:
            raise self._refused(f"no number: {quoted(text)}")
        if self._style < len(self.dates) and self.dates[self._style]:
            return self._day(float(text))
        if text.isdigit() and len(text) <= 15:
            return int(text)
        return float(text)

    def _day(self, serial: float) -> object:
        start = dt.datetime(1904, 1, 1) if self.since_1904 else dt.datetime(1899, 12, 30)
        if 0 < serial < 60 and not self.since_1904:
            serial += 1  # Excel's calendar has a 29 February 1900
        try:
            return start + dt.timedelta(days=serial)
        except OverflowError:
            raise self._refused(f"no day: {serial:g}") from None

    def _keep(self, value: object) -> None:
        if self._column >= MOST_COLUMNS:
            raise self._refused("far to the right of any table")
        row = self.table.setdefault(self.row, [])
        blank = self._column - len(row)
        self.cells += blank + 1
        if self.cells > self.limits.cells:
            self.limits.check_cells(self.file, self.cells)
        row += [None] * blank
        row.append(value)

    def _refused(self, why: str) -> DataError:
        return DataError(f"{self.file} cell {self._here()}: {why}", hint="is the workbook damaged?")

    def _here(self) -> str:
        return f"{cell_name(self.row, self._column)} of {self.name}"


def cell_name(row: int, column: int) -> str:
    """Name of a cell as Excel shows it.

    Examples
    --------
    >>> cell_name(7, 0), cell_name(1, 27)
    ('A7', 'AB1')
    """
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row}"


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"no whole number: {plain(text, 20)}")
    return int(text)
