"""Columns of a release under one set of names, and the words to refuse a cell with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import cell_text
from odforecast.sources.read import RawFile

#: Header, letters only -> column.
_HEADERS = {
    "state": "state",
    "statename": "name",
    "jurisdiction": "name",
    "location": "location",
    "year": "year",
    "month": "month",
    "period": "period",
    "indicator": "indicator",
    "datavalue": "reported",
    "reported": "reported",
    "predictedvalue": "predicted",
    "predicted": "predicted",
    "percentcomplete": "percent_complete",
    "percentpendinginvestigation": "percent_pending",
    "percentpending": "percent_pending",
    "footnote": "footnote",
    "footnotesymbol": "symbol",
    "release": "release",
    "status": "status",
}
_TITLES = {
    "name": "State Name",
    "reported": "Data Value",
    "predicted": "Predicted Value",
    "percent_complete": "Percent Complete",
    "percent_pending": "Percent Pending Investigation",
}
_PLACES = ("state", "name", "location")


def title(column: str) -> str:
    """Name of a column as CDC heads it.

    Examples
    --------
    >>> title("reported"), title("month")
    ('Data Value', 'Month')
    """
    return _TITLES.get(column, column.replace("_", " ").title())


class Columns(Mapping[str, pd.Series]):
    """Columns of one file, whatever its headers look like.

    Parameters
    ----------
    raw : RawFile
        Cells as the file gives them.

    Raises
    ------
    DataError
        If a column is unknown, there twice, or missing.
    """

    def __init__(self, raw: RawFile) -> None:
        self.raw = raw
        self._columns: dict[str, pd.Series] = {}
        unknown = []
        for position, header in enumerate(map(str, raw.cells.columns)):
            name = _HEADERS.get(re.sub(r"[^0-9a-z]", "", header.lower()))
            if name is None:
                unknown.append(header)
            elif name in self._columns:
                raise DataError(
                    f"{raw.name}: two columns for {title(name)} (one is {quoted(header)})",
                    hint="keep one",
                )
            else:
                self._columns[name] = raw.cells.iloc[:, position]
        self._require()
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise DataError(
                f"{raw.name}: unknown column{'s' * (len(unknown) > 1)} "
                f"{', '.join(quoted(u, 40) for u in unknown[:5])}{more}",
                hint="delete what was added to CDC's table, or report a new column of CDC's",
            )

    def __getitem__(self, name: str) -> pd.Series:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.raw.cells)

    def _require(self) -> None:
        needs = {
            "State": _PLACES,
            "Month": ("month",),
            "Indicator": ("indicator",),
            "Data Value or Predicted Value": ("reported", "predicted"),
        }
        missing = [k for k, any_of in needs.items() if not any(n in self for n in any_of)]
        if missing:
            raise DataError(
                f"{self.raw.name}: no column {' and no column '.join(missing)}; "
                f"it has {listed(self.raw.cells.columns)}",
                hint="is it CDC's table of provisional drug overdose counts (xkb8-kh2a)?",
            )

    def where(self, i: int) -> str:
        """File, row and key of record ``i``, as the file writes them."""
        place = next(name for name in _PLACES if name in self)
        key = [
            plain(cell_text(self[name].iloc[i]))
            for name in (place, "year", "month", "indicator")
            if name in self
        ]
        return f"{self.raw.name} {self.raw.row_word} {self.raw.rows[i]} ({', '.join(key)})"

    def refuse(self, bad: NDArray[np.bool_], name: str, why: str, hint: str) -> None:
        """Refuse the file if any cell of a column is bad.

        Parameters
        ----------
        bad : ndarray of bool, shape (n_rows,)
            Cells that cannot be trusted.
        name : str
            Column.
        why, hint : str
            What is wrong with the cell, and what to do.

        Raises
        ------
        DataError
            Naming the first bad cell: file, row, key, column, value; and how many more.
        """
        at = np.flatnonzero(bad)
        if at.size:
            first = int(at[0])
            cell = cell_text(self[name].iloc[first])
            more = f" (and {at.size - 1:,} more such cells)" if at.size > 1 else ""
            raise DataError(f"{self.where(first)}: {title(name)} {quoted(cell)} {why}{more}", hint)
