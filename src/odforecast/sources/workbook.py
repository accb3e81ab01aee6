"""The one table of an Excel workbook (.xlsx), cell by cell, as the file stores it."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from itertools import islice
from typing import Any
from xml.parsers import expat

import openpyxl
from openpyxl.utils.cell import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape

from odforecast.errors import DataError
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import (
    AGAIN,
    HEADER_WITHIN,
    MOST_COLUMNS,
    PIECE,
    Limits,
    RawFile,
    cell_text,
    filled,
)

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DIRECTORY = 1_000_000  # bytes; a workbook has some dozen parts
_MOST_TAGS = 8_000_000  # of all parts that are not sheets


def read_workbook(
    name: str,
    data: bytes,
    limits: Limits,
    header: Callable[[list[str]], bool] | None = None,
    chosen: str | None = None,
) -> RawFile:
    """Cells of the one sheet that holds data, or of the one that is chosen.

    Raises
    ------
    DataError
        If the workbook is damaged, too large, holds a formula without a value, or several
        sheets with data.
    """
    try:
        _check_parts(name, data, limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
        titles = [str(sheet.title) for sheet in book.worksheets]
        if chosen is not None and chosen not in titles:
            raise DataError(
                f"{name}: no sheet {quoted(chosen)}", hint=f"it has {listed(titles, 20)}"
            )
        sheets = [
            _Sheet(name, sheet, limits)
            for sheet in book.worksheets
            if chosen in (None, str(sheet.title))
        ]
    except DataError:
        raise
    except Exception as error:  # zip, zlib, lzma, XML and openpyxl raise errors of their own kinds
        why = plain((str(error) or type(error).__name__).splitlines()[0], 160)
        raise DataError(
            f"{name}: a damaged workbook, or a zip file that is not one ({why})", AGAIN
        ) from error
    held = [sheet for sheet in sheets if sheet.rows]
    if chosen is not None and not held:
        raise DataError(f"{name}: sheet {quoted(chosen)} is empty", f"it has {listed(titles, 20)}")
    if len(held) != 1:
        choose = (
            f"choose one: {name}:{plain(held[0].name, 40)}" if held else "is it the right file?"
        )
        raise DataError(
            f"{name}: {len(held)} sheets hold data ({listed([s.name for s in held])})",
            hint=choose if header is not None else "keep the one sheet with the release",
        )
    (sheet,) = held
    width = max(map(len, sheet.rows.values()))
    rows = [(number, row + [""] * (width - len(row))) for number, row in sheet.rows.items()]
    at = 0
    if header is not None:
        tops = enumerate(islice(rows, HEADER_WITHIN))
        at = next((i for i, (_, row) in tops if header(row)), 0)
    (top, names), below = rows[at], rows[at + 1 :]
    cells, numbers = filled(name, names, below, limits)
    blank = sheet.row - top - len(below)
    return RawFile(name, cells, numbers, "row", "xlsx", blank_rows=blank)


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
        in_sheet = part.filename.startswith("xl/worksheets/")
        with archive.open(part) as handle:
            while piece := handle.read(PIECE):
                size += len(piece)
                tags += 0 if in_sheet else piece.count(b"<")
                if b"<!DOCTYPE" in piece:
                    raise ValueError("a document type, which workbooks do not have")
                if size > limits.size or tags > _MOST_TAGS:
                    raise limits.refuse_size(name)


class _Sheet:
    """Cells of a worksheet; its methods are handlers of an XML parser.

    openpyxl opens the workbook, but its rows are not used: it drops rows that are out of order,
    overwrites doubled cells, and does not tell a formula without a value from a blank.
    """

    def __init__(self, file: str, sheet: Any, limits: Limits) -> None:
        self.file, self.name, self.limits = file, str(sheet.title), limits
        self.strings: list[str] = sheet._shared_strings
        self.dates, self.epoch = sheet.parent._date_formats, sheet.parent.epoch
        self.rows: dict[int, list[str]] = {}  # those with any cell that is not blank
        self.row = self.column = self.seen = 0
        self.kind, self.style = "n", "0"
        self.values = 0
        self.in_cell = self.formula = self.spoken = self.taking = False
        self.parts: list[str] = []
        self.root = ""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        with sheet._get_source() as source:
            parser.ParseFile(source)
        if self.root != "worksheet":
            raise ValueError("a sheet that is not one")

    def _start(self, kind: str, attributes: dict[str, str]) -> None:
        kind = kind[len(_MAIN) :] if kind.startswith(_MAIN) else ""
        if not self.root:
            self.root = kind
        if kind == "c":
            self._cell(attributes)
        elif kind in ("v", "is"):
            if self.in_cell and (kind == "is") != (self.kind == "inlineStr"):
                raise self._refused(f"a value of another kind than {plain(self.kind, 20)}")
            self.values += self.in_cell
            self.taking = self.in_cell and kind == "v"
        elif kind == "f":
            self.formula, self.taking = True, False
        elif kind == "t":
            self.taking = self.in_cell and not self.spoken
        elif kind == "rPh":  # how a word is spoken
            self.spoken = True
        elif kind == "row":
            number = _whole(attributes["r"]) if "r" in attributes else self.row + 1
            if not self.row < number <= 1_048_576:
                raise ValueError(f"row {number} after row {self.row}")
            self.row, self.column = number, 0

    def _end(self, kind: str) -> None:
        kind = kind[len(_MAIN) :] if kind.startswith(_MAIN) else ""
        if kind == "c":
            self.in_cell = False
            if value := self._value():
                row = self.rows.setdefault(self.row, [])
                self.seen += self.column - 1 - len(row)
                row += [""] * (self.column - 1 - len(row))
                row.append(value)
        elif kind in ("v", "t", "f"):
            self.taking = False
        elif kind == "rPh":
            self.spoken = False

    def _characters(self, text: str) -> None:
        if self.taking:
            self.parts.append(text)

    def _cell(self, attributes: dict[str, str]) -> None:
        column = self.column + 1
        if (text := attributes.get("r")) is not None:
            found = re.fullmatch(r"([A-Z]{1,3})([1-9][0-9]{0,6})", text)
            if found is None or int(found[2]) != self.row:
                raise ValueError(f"a cell {plain(text, 20)} in row {self.row}")
            column = column_index_from_string(found[1])
        if column <= self.column or self.in_cell or not self.row:
            raise ValueError(f"a cell {plain(text, 20)} that is there twice")
        self.column, self.in_cell = column, True
        self.seen += 1
        self.limits.check_cells(self.file, self.seen)
        if column > MOST_COLUMNS:
            raise self._refused("far to the right of any table")
        self.kind, self.style = attributes.get("t", "n"), attributes.get("s", "0")
        self.values = 0
        self.formula = False
        self.parts.clear()

    def _value(self) -> str:
        """Text of the cell that ends here."""
        text = "".join(self.parts)
        if self.values > 1:
            raise self._refused("two values")
        # A formula that gives an empty text is stored as such; every other must have a value.
        if self.formula and not text and not (self.kind == "str" and self.values):
            raise DataError(
                f"{self.file} cell {self._here()}: a formula without a stored value",
                hint="open the workbook in Excel and save it, or save the sheet as .csv",
            )
        if self.kind in ("str", "inlineStr"):
            return cell_text(unescape(text))
        text = text.strip(" \t\r\n")
        if not text or self.kind in ("e", "d"):
            return text
        if self.kind == "s":
            at = _whole(text)
            if at >= len(self.strings):
                raise self._refused("a text that is not there")
            return cell_text(unescape(self.strings[at]))
        if self.kind == "b":
            if text not in ("0", "1"):
                raise self._refused(f"not a truth value: {quoted(text)}")
            return str(text == "1")
        if self.kind != "n":
            raise self._refused(f"of a kind {plain(self.kind, 20)}")
        if len(text) > 400 or _NUMBER.fullmatch(text) is None:
            raise self._refused(f"not a number: {quoted(text)}")
        if int(self.style) not in self.dates:
            return text if text.isdigit() and len(text) <= 15 else cell_text(float(text))
        try:
            return cell_text(from_excel(float(text), self.epoch))
        except OverflowError:
            raise self._refused(f"not a day: {text}") from None

    def _refused(self, why: str) -> DataError:
        return DataError(f"{self.file} cell {self._here()}: {why}", hint="is the workbook damaged?")

    def _here(self) -> str:
        return f"{get_column_letter(self.column)}{self.row} of {plain(self.name)}"


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"not a whole number: {plain(text, 20)}")
    return int(text)
