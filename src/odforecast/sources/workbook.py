"""The one table of an Excel workbook (.xlsx), cell by cell, as the file stores it.

Only zip and XML from the standard library: the usual readers each lose something that matters
here. openpyxl believes a stale ``<dimension>`` and skips the rows outside it; calamine gives
blanks for error cells and for formulas without a stored value, and reserves every cell up to
the farthest. Here such cells are refused or kept, and a part that unpacks to more than a
release can hold is given up.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.parsers import expat

import pandas as pd

from odforecast.errors import DataError
from odforecast.say import listed, plain
from odforecast.sources.rows import Filling
from odforecast.sources.sheet import Sheet
from odforecast.sources.styles import date_styles
from odforecast.sources.unpack import AGAIN, PIECE, Limits

_MAIN = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_MOST_STRINGS = 2_000_000
_DIRECTORY = 1_000_000  # bytes; a workbook has some dozen parts


@dataclass(frozen=True)
class Table:
    """Cells of a sheet below its header.

    Attributes
    ----------
    cells : DataFrame of object
        Blank cells are None.
    rows : list of int
        Row numbers.
    blank_rows : int
        Rows without any cell between and after them.
    """

    cells: pd.DataFrame
    rows: list[int]
    blank_rows: int


def read_workbook(name: str, data: bytes, limits: Limits) -> Table:
    """Cells of the one sheet that holds data.

    Raises
    ------
    DataError
        If the workbook is damaged, too large, holds a formula without a value, or several
        sheets with data.
    """
    try:
        book = _Book(name, data, limits)
        sheets = book.sheets()
    except DataError:
        raise
    except Exception as error:  # zip, zlib, lzma and XML raise errors of their own kinds alike
        _damaged(name, plain(error, 160) or type(error).__name__, error)
    filled = [s for s in sheets if s.table]
    if len(filled) != 1:
        raise DataError(
            f"{name}: {len(filled)} sheets hold data ({listed([s.name for s in filled])})",
            hint="keep the one sheet with the release",
        )
    return _table(name, filled[0], limits)


def _damaged(name: str, why: str, error: Exception) -> NoReturn:
    raise DataError(f"{name}: a damaged workbook, or a zip file that is none ({why})", AGAIN) from (
        error
    )


def _table(name: str, sheet: Sheet, limits: Limits) -> Table:
    numbers = list(sheet.table)
    header = sheet.table[numbers[0]]
    width = max(map(len, sheet.table.values()))
    names = ["" if c is None else str(c) for c in _wide(header, width)]
    filling = Filling(name, width, limits)
    for number in numbers[1:]:
        filling.add(number, _wide(sheet.table.pop(number), width))
    blank = sheet.last_row - numbers[0] - len(filling.rows)
    return Table(filling.frame(names), filling.rows, blank)


def _wide(row: list[object], width: int) -> list[object]:
    return row + [None] * (width - len(row))


class _Strings:
    """Texts that cells share; its methods are handlers of a parser."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._spoken = self._inside = False
        self._pieces: list[str] = []

    def start(self, kind: str, _: dict[str, str]) -> None:
        if kind == "si":
            self._pieces.clear()
        elif kind == "rPh":  # how a word is spoken
            self._spoken = True
        self._inside = kind == "t" and not self._spoken

    def end(self, kind: str) -> None:
        self._inside = False
        if kind == "si":
            self.found.append("".join(self._pieces))
            if len(self.found) > _MOST_STRINGS:
                raise ValueError(f"more than {_MOST_STRINGS:,} texts")
        elif kind == "rPh":
            self._spoken = False

    def characters(self, text: str) -> None:
        if self._inside:
            self._pieces.append(text)


class _Book:
    """Parts of a workbook, unpacked within one limit."""

    def __init__(self, name: str, data: bytes, limits: Limits) -> None:
        self.name, self.limits, self.left, self.tags = name, limits, limits.size, 0
        end = data.rfind(b"PK\x05\x06")
        if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > _DIRECTORY:
            _damaged(name, "no list of its parts, or an endless one", ValueError())
        self.zip = zipfile.ZipFile(io.BytesIO(data))
        names = [part.filename for part in self.zip.infolist()]
        if len(set(names)) != len(names):
            _damaged(name, "a part is there twice", ValueError())

    def sheets(self) -> list[Sheet]:
        """Every sheet, read."""
        workbook = self._target("", "/officeDocument")[0][1]
        parts = dict(self._target(workbook, "/worksheet"))
        named: list[tuple[str, str]] = []
        since_1904 = False
        for kind, attributes in self._elements(workbook):
            if kind == "workbookPr":
                since_1904 = attributes.get("date1904") in ("1", "true")
            elif kind == "sheet":
                ids = [v for k, v in attributes.items() if k.endswith("}id")]
                if len(ids) == 1 and ids[0] in parts:
                    named.append((attributes.get("name", ""), parts[ids[0]]))
        strings = self._strings(workbook)
        dates = self._dates(workbook)
        found = []
        for title, part in named:
            sheet = Sheet(self.name, title, strings, dates, self.limits, since_1904)
            self._parse(part, sheet.start, sheet.end, sheet.characters)
            sheet.done()
            found.append(sheet)
        if not named:
            raise ValueError("no sheet")
        return found

    def _target(self, part: str, kind: str) -> list[tuple[str, str]]:
        """Identifiers and names of the parts of one kind that a part refers to."""
        folder, file = posixpath.split(part)
        found = []
        for element, attributes in self._elements(f"{folder}/_rels/{file}.rels".lstrip("/")):
            if element == "Relationship" and attributes["Type"].endswith(kind):
                target = posixpath.join("/" + folder, attributes["Target"])
                found.append((attributes["Id"], posixpath.normpath(target).lstrip("/")))
        return found

    def _strings(self, workbook: str) -> list[str]:
        strings = _Strings()
        for _, part in self._target(workbook, "/sharedStrings"):
            self._parse(part, strings.start, strings.end, strings.characters)
        return strings.found

    def _dates(self, workbook: str) -> list[bool]:
        parts = self._target(workbook, "/styles")
        return date_styles([e for _, part in parts for e in self._elements(part)])

    def _elements(self, part: str) -> list[tuple[str, dict[str, str]]]:
        """All elements of a small part, flat."""
        found: list[tuple[str, dict[str, str]]] = []

        def start(kind: str, attributes: dict[str, str]) -> None:
            if len(found) > 100_000:
                raise ValueError("a part with too many elements")
            found.append((kind, attributes))

        self._parse(part, start, lambda _: None, lambda _: None)
        return found

    def _parse(
        self,
        part: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None],
        characters: Callable[[str], None],
    ) -> None:
        """Read the XML of a part in pieces; names without their namespace."""
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        local: dict[str, str] = {}

        def short(kind: str) -> str:
            space, _, name = kind.rpartition("}")
            # Another namespace's "c" is no cell.
            known = space in _MAIN or space.endswith("/relationships")
            local[kind] = name if known else f"other:{name}"
            if len(local) > 10_000:
                raise ValueError("a part with too many kinds of elements")
            return local[kind]

        def begin(kind: str, attributes: dict[str, str]) -> None:
            start(local.get(kind) or short(kind), attributes)

        def finish(kind: str) -> None:
            end(local.get(kind) or short(kind))

        def doctype(*_: Any) -> None:
            raise ValueError("a document type, which workbooks have none of")

        parser.StartElementHandler = begin
        parser.EndElementHandler = finish
        parser.CharacterDataHandler = characters
        parser.StartDoctypeDeclHandler = doctype
        with self.zip.open(part) as handle:
            while piece := handle.read(PIECE):
                self.left -= len(piece)
                self.tags += piece.count(b"<")
                if self.left < 0 or self.tags > 6 * self.limits.cells:
                    raise self.limits.refuse_size(self.name)
                parser.Parse(piece, False)
        parser.Parse(b"", True)
