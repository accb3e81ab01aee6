"""Workbooks: openpyxl reads the cells.

What it would lose in silence is refused before: rows and cells that are out of order or there
twice, values of another kind than their cell says, and formulas whose value is not stored, which
it gives as blanks.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from typing import Any

import numpy as np
import openpyxl
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import FORMULA_TAG, INLINE_STRING, VALUE_TAG, WorkSheetParser

from odforecast.errors import DataError
from odforecast.say import listed, plain, quoted
from odforecast.sources.read import (
    HEADER_WITHIN,
    MOST_COLUMNS,
    PIECE,
    IsHeader,
    Limits,
    RawFile,
    cell_text,
    damaged,
    filled,
)

_DIRECTORY = 1_000_000  # bytes; a workbook has some dozen parts
_MOST_TAGS = 8_000_000  # beside ten for each cell
_PLACE = re.compile(r"[A-Z]{1,3}[1-9][0-9]{0,6}")


def workbook(
    name: str, data: bytes, limits: Limits, header: IsHeader | None, chosen: str | None
) -> RawFile:
    """Cells of the one sheet that holds data, or of the one that is chosen."""
    # zip, zlib, lzma, XML and openpyxl raise errors of their own kinds
    with damaged(f"{name}: a damaged workbook, or a zip file that is not one", Exception):
        _check_parts(name, data, limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = {str(sheet.title): sheet for sheet in book.worksheets}
            if chosen is not None and chosen not in sheets:
                raise DataError(f"{name}: no sheet {quoted(chosen)}", f"it has {listed(sheets)}")
            wanted = [chosen] if chosen is not None else list(sheets)
            held = {t: found for t in wanted if (found := _rows(name, sheets[t], limits))[0]}
    if chosen is not None and not held:
        raise DataError(f"{name}: sheet {quoted(chosen)} is empty", f"it has {listed(sheets)}")
    if len(held) != 1:
        choose = f"choose one: {name}:{plain(next(iter(held)), 40)}" if held else "is it the file?"
        hint = choose if header is not None else "keep the one sheet with the release"
        raise DataError(f"{name}: {len(held)} sheets hold data ({listed(held)})", hint)
    ((rows, last),) = held.values()
    width = max(len(row) for _, row in rows)
    rows = [(number, row + [""] * (width - len(row))) for number, row in rows]
    at = 0
    if header is not None:
        at = next((i for i, (_, row) in enumerate(rows[:HEADER_WITHIN]) if header(row)), 0)
    (top, names), below = rows[at], rows[at + 1 :]
    cells, numbers = filled(name, names, below, limits)
    return RawFile(name, cells, numbers, "row", "xlsx", blank_rows=last - top - len(below))


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
        # Loading the workbook walks through a sheet: how much is in it is counted before.
        in_sheet = part.filename.startswith("xl/worksheets/")
        cells = 0
        with archive.open(part) as handle:
            while piece := handle.read(PIECE):
                size += len(piece)
                tags += piece.count(b"<")
                if in_sheet:
                    cells += sum(piece.count(cell) for cell in (b"<c ", b"<c/", b"<c>", b":c "))
                if in_sheet and b"\0" in piece:
                    raise ValueError("a sheet that is not UTF-8")
                if b"<!DOCTYPE" in piece:
                    raise ValueError("a document type, which workbooks do not have")
                limits.check_size(name, size if tags <= _MOST_TAGS + 10 * limits.cells else np.inf)
        limits.check_cells(name, cells, 1)
        tags = max(0, tags - 10 * cells)
        limits.check_size(name, np.inf if tags > _MOST_TAGS else size)


class _Cells(WorkSheetParser):  # type: ignore[misc]
    """openpyxl's parser of a sheet, that refuses a cell which it would read as something else."""

    file = sheet = ""

    def parse_cell(self, element: Any) -> Any:
        kind, place = element.get("t"), element.get("r")
        inside = [child.tag for child in element]
        if place is not None and not _PLACE.fullmatch(place):
            self.refuse(place, "has a place that is not one")
        if inside != [VALUE_TAG] or kind == "inlineStr":
            self.check(element, inside)
        before = self.col_counter
        cell = super().parse_cell(element)
        if not before < cell["column"] <= MOST_COLUMNS or cell["row"] != self.row_counter:
            far = cell["column"] > MOST_COLUMNS
            self.refuse(place, "is far to the right" if far else "is there twice, or out of order")
        return cell

    def check(self, element: Any, inside: list[str]) -> None:
        """Refuse a cell that holds something else than a value, where it is not what it says."""
        kind, place = element.get("t"), element.get("r")
        if inside.count(VALUE_TAG) > 1:
            self.refuse(place, "has two values")
        if kind != "inlineStr" and INLINE_STRING in inside:
            self.refuse(place, "has a text where it says it has none")
        if kind == "inlineStr" and VALUE_TAG in inside:
            self.refuse(place, "has a value where it says it has a text")
        # A formula that gives an empty text is stored as such; every other must have a value.
        empty_text = kind == "str" and VALUE_TAG in inside
        if FORMULA_TAG in inside and not empty_text and not element.findtext(VALUE_TAG):
            where = f"{self.file} cell {place or '?'} of {self.sheet}"
            hint = "open the workbook in Excel and save it, or save the sheet as .csv"
            raise DataError(f"{where}: a formula without a stored value", hint)

    def refuse(self, place: str | None, why: str) -> None:
        shown = "" if place is None else f" {plain(place, 20)}"
        raise ValueError(f"a cell{shown} in row {self.row_counter} {why}")


def _rows(name: str, sheet: Any, limits: Limits) -> tuple[list[tuple[int, list[str]]], int]:
    """Rows with any cell that is not blank, by number, and the number of the last row."""
    rows = []
    last = cells = 0
    book = sheet.parent
    with sheet._get_source() as source:
        # Shared texts by number: a list would take -1 for its last.
        shared = dict(enumerate(sheet._shared_strings))
        parser = _Cells(source, shared, data_only=True, epoch=book.epoch,
                        date_formats=book._date_formats,
                        timedelta_formats=book._timedelta_formats)  # fmt: skip
        parser.file, parser.sheet = name, plain(sheet.title)
        for number, row in parser.parse():
            if not last < number <= 1_048_576:
                raise ValueError(f"row {number} after row {last}")
            last = number
            texts = [""] * (row[-1]["column"] if row else 0)
            for cell in row:
                if (value := cell["value"]) is not None:
                    text = value if type(value) is str else cell_text(value)
                    texts[cell["column"] - 1] = unescape(text) if "_x" in text else text
            if any(texts):
                rows.append((number, texts))
                cells += len(texts)
                limits.check_cells(name, cells, 1)
    return rows, last
