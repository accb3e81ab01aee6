"""Rows of delimited text, one at a time, and columns that they fill.

Not pandas' parser, which fills the end of a row that is too short and takes a cut last line;
and no list of all rows, which takes many times the file's size.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import plain
from odforecast.sources.unpack import AGAIN, DEFAULT, Limits

#: Characters of a row, and columns of a table: no release comes near.
LONGEST_ROW = 1_000_000
MOST_COLUMNS = 1000

_CHUNK = 4096


def delimited(name: str, data: bytes, separator: str) -> Iterator[list[str]]:
    """Rows of a UTF-8 text with columns between separators, quoted as in CSV.

    Raises
    ------
    DataError
        If a quote is never closed, or a row is longer than any can be.
    """
    handle = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    number = length = 0

    def lines() -> Iterator[str]:
        nonlocal length
        while line := handle.readline(LONGEST_ROW + 1):
            length += len(line)
            if length > LONGEST_ROW:
                raise DataError(
                    f"{name} row {number + 1}: more than {LONGEST_ROW:,} characters",
                    hint=f"a quote is never closed, or it is no table; {AGAIN}",
                )
            yield line

    try:
        for row in csv.reader(lines(), delimiter=separator, strict=True):
            number, length = number + 1, 0
            yield row
    except csv.Error as error:
        raise DataError(
            f"{name} row {number + 1}: {plain(error)}", hint=f"a quote is never closed? {AGAIN}"
        ) from error


class Filling:
    """Columns of a table that is filled row by row.

    Equal texts are kept once: a release of 80,000 rows has some hundred different words.

    Parameters
    ----------
    name : str
        File, for messages.
    width : int
        Number of columns.
    limits : Limits
        How many cells there may be.
    """

    def __init__(self, name: str, width: int, limits: Limits = DEFAULT) -> None:
        self.name, self.limits = name, limits
        check_width(name, width)
        self.columns: list[list[Any]] = [[] for _ in range(width)]
        self.rows: list[int] = []
        self._chunk: list[Iterable[Any]] = []
        self._known: dict[str, str] = {}

    def add(self, at: int, row: Iterable[Any]) -> None:
        """Add the row that stands at ``at`` in the file."""
        self.rows.append(at)
        self._chunk.append(row)
        if len(self._chunk) == _CHUNK:
            self._flush()

    def frame(self, names: list[str]) -> pd.DataFrame:
        """The table; its columns hold objects."""
        self._flush()
        return object_frame(self.columns, names, len(self.rows))

    def _flush(self) -> None:
        if not self._chunk:
            return
        self.limits.check_cells(self.name, len(self.rows) * len(self.columns))
        if len(self._known) > 200_000:
            self._known.clear()
        once = self._known.setdefault
        for column, values in zip(self.columns, zip(*self._chunk, strict=True), strict=True):
            # Only texts: True equals 1, and would become it.
            column.extend([once(v, v) if type(v) is str else v for v in values])
        self._chunk.clear()


def check_width(name: str, width: int) -> None:
    """Refuse a table with more columns than any has."""
    if width > MOST_COLUMNS:
        raise DataError(f"{name}: {width:,} columns", hint="is it the right file?")


def object_frame(columns: list[list[Any]], names: list[str], count: int) -> pd.DataFrame:
    """A table whose columns hold objects as they are."""
    found = {}
    for i, values in enumerate(columns):
        found[i] = np.empty(count, dtype=object)
        found[i][:] = values
    cells = pd.DataFrame(found, index=pd.RangeIndex(count))
    cells.columns = pd.Index(names)
    return cells
