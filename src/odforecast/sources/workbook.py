"""The one table of an Excel workbook (.xlsx), cell by cell, as the file stores it.

openpyxl reads the cells. What it would lose in silence is looked for in the XML before: rows and
cells that are out of order or there twice, values of another kind than their cell says, and
formulas whose value is not stored, which it gives as blanks.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import openpyxl
from openpyxl.utils.cell import column_index_from_string
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

_DIRECTORY = 1_000_000  # bytes; a workbook has some dozen parts
_MOST_TAGS = 8_000_000  # beside ten for each cell
_PLACE = re.compile(rb'<(?:\w+:)?(row|c)\b(?:[^>]*?\sr="([A-Z]{0,3})([0-9]{1,7})")?')
#: A cell whose formula comes first, and what a value looks like.
_FORMULA = re.compile(rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b.*?</(?:\w+:)?c>", re.DOTALL)
_VALUE = re.compile(rb"<(?:\w+:)?v>[^<]")
#: What makes a cell another than openpyxl gives.
_STRANGE = {
    "two values in a cell": re.compile(rb"</(?:\w+:)?v>\s*<(?:\w+:)?v\b"),
    "a text where its cell has none": re.compile(
        rb'<(?:\w+:)?c\b(?![^>]*t="inlineStr")[^>]*>\s*<(?:\w+:)?is\b'
    ),
    "a value where its cell has a text": re.compile(rb't="inlineStr"[^>]*>\s*<(?:\w+:)?v\b'),
    "a cell whose place is not one": re.compile(
        rb'<(?:\w+:)?c\b[^>]*\sr="(?![A-Z]{1,3}[1-9][0-9]{0,6}")'
    ),
    "a text that is not there": re.compile(rb't="s"[^>]*>\s*<(?:\w+:)?v>\s*-'),
}


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
        archive = _checked_parts(name, data, limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            titles = [str(sheet.title) for sheet in book.worksheets]
            if chosen is not None and chosen not in titles:
                raise DataError(f"{name}: no sheet {quoted(chosen)}", f"it has {listed(titles)}")
            sheets = {}
            for sheet in book.worksheets:
                if chosen in (None, sheet.title):
                    xml = archive.read(sheet._worksheet_path)
                    _check_sheet(name, str(sheet.title), xml)
                    sheets[str(sheet.title)] = _rows(sheet)
    except DataError:
        raise
    except Exception as error:  # zip, zlib, lzma, XML and openpyxl raise errors of their own kinds
        why = plain((str(error) or type(error).__name__).splitlines()[0], 160)
        raise DataError(
            f"{name}: a damaged workbook, or a zip file that is not one ({why})", AGAIN
        ) from error
    held = {title: found for title, found in sheets.items() if found[0]}
    if chosen is not None and not held:
        raise DataError(f"{name}: sheet {quoted(chosen)} is empty", f"it has {listed(titles)}")
    if len(held) != 1:
        choose = f"choose one: {name}:{plain(next(iter(held)), 40)}" if held else "is it the file?"
        raise DataError(
            f"{name}: {len(held)} sheets hold data ({listed(held)})",
            hint=choose if header is not None else "keep the one sheet with the release",
        )
    ((rows, last),) = held.values()
    width = max(len(row) for _, row in rows)
    rows = [(number, row + [""] * (width - len(row))) for number, row in rows]
    at = 0
    if header is not None:
        tops = enumerate(islice(rows, HEADER_WITHIN))
        at = next((i for i, (_, row) in tops if header(row)), 0)
    (top, names), below = rows[at], rows[at + 1 :]
    cells, numbers = filled(name, names, below, limits)
    blank = last - top - len(below)
    return RawFile(name, cells, numbers, "row", "xlsx", blank_rows=blank)


def _checked_parts(name: str, data: bytes, limits: Limits) -> zipfile.ZipFile:
    """A zip file whose parts do not unpack to more than a release can have."""
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
                if b"<!DOCTYPE" in piece:
                    raise ValueError("a document type, which workbooks do not have")
                if size > limits.size or tags > _MOST_TAGS + 10 * limits.cells:
                    raise limits.refuse_size(name)
        limits.check_cells(name, cells)
        tags = max(0, tags - 10 * cells)
        if tags > _MOST_TAGS:
            raise limits.refuse_size(name)
    return archive


def _check_sheet(name: str, title: str, xml: bytes) -> None:
    """Refuse the XML of a sheet that openpyxl would read as something else."""
    if b"\0" in xml[:1000]:
        raise ValueError("a sheet that is not UTF-8")
    row = column = 0
    columns = cache(lambda letters: column_index_from_string(letters.decode()))
    for found in _PLACE.finditer(xml):
        kind, letters, digits = found.groups()
        if kind == b"row":
            number = int(digits or row + 1)
            if not row < number <= 1_048_576:
                raise ValueError(f"row {number} after row {row}")
            row, column = number, 0
            continue
        after = columns(letters) if letters else column + 1
        if not column < after <= MOST_COLUMNS or int(digits or row) != row or not row:
            here = plain((letters or b"").decode() + (digits or b"").decode(), 20)
            why = "far to the right" if after > MOST_COLUMNS else "there twice, or out of order"
            raise ValueError(f"a cell {here} in row {row} that is {why}")
        column = after
    for why, strange in _STRANGE.items():
        if strange.search(xml):
            raise ValueError(why)
    for found in _FORMULA.finditer(xml):
        # A formula that gives an empty text is stored as such; every other must have a value.
        empty_text = b't="str"' in found[1] and re.search(rb"<(?:\w+:)?v\b", found[0])
        if not empty_text and not _VALUE.search(found[0]):
            place = re.search(rb'\br="(\w{1,10})"', found[1])
            here = place[1].decode() if place else "?"
            raise DataError(
                f"{name} cell {here} of {plain(title)}: a formula without a stored value",
                hint="open the workbook in Excel and save it, or save the sheet as .csv",
            )


def _rows(sheet: Any) -> tuple[list[tuple[int, list[str]]], int]:
    """Rows with any cell that is not blank, by number, and the number of the last row."""
    sheet.reset_dimensions()  # they may be stale
    rows = []
    number = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        texts = [c if type(c) is str else "" if c is None else cell_text(c) for c in row]
        if any(texts):
            rows.append((number, [unescape(t) if "_x" in t else t for t in texts]))
    return rows, number
