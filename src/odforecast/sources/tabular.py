"""Plain tables of other publishers: text cells, and the words to refuse them with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import cell_text, european, number, numbers, parse_each
from odforecast.sources.read import RawFile, read_raw
from odforecast.sources.unpack import AGAIN, Limits

#: Postal codes of these publishers that are no jurisdiction of CDC's table.
TERRITORIES = frozenset({"GU", "VI", "AS", "MP"})
UNKNOWN_PLACE = "XX"
#: New York State as these publishers count it: with New York City.
NEW_YORK = "NY+YC"


@dataclass(frozen=True)
class Plain:
    """Text cells of one table.

    Attributes
    ----------
    name : str
        File.
    cells : DataFrame of str
        Cells, stripped.
    rows : ndarray of int
        Where each stands in the file; the header is row 1.
    """

    name: str
    cells: pd.DataFrame
    rows: NDArray[np.int_]

    def require(self, *columns: str) -> None:
        """Refuse the file unless it has these columns."""
        if missing := [c for c in columns if c not in self.cells]:
            raise DataError(
                f"{self.name}: no column {', '.join(missing)}; it has {listed(self.cells.columns)}",
                hint="is it the right file?",
            )

    def refuse(self, bad: NDArray[np.bool_], column: str, why: str, hint: str = "") -> None:
        """Refuse the file if any cell of a column is bad."""
        at = np.flatnonzero(bad)
        if at.size:
            more = f" (and {at.size - 1:,} more)" if at.size > 1 else ""
            raise DataError(
                f"{self.name} row {self.rows[at[0]]}: {plain(column)} "
                f"{quoted(self.cells[column].iloc[int(at[0])])} {why}{more}",
                hint=hint or "correct the cell, or download the file again",
            )

    def counts(self, column: str, *, whole: bool = True) -> NDArray[np.float64]:
        """Non-negative numbers of a column without blanks."""
        cells = self.cells[column]
        values, bad = numbers(cells) if whole else parse_each(cells, _real)
        if whole:
            bad = bad | european(cells)
        self.refuse(bad | np.isnan(values), column, "is no number")
        self.refuse(values < 0, column, "is negative", "a publisher's correction? Ask them")
        if whole:
            self.refuse(values % 1 != 0, column, "is no whole number")
        return values

    def states(self, column: str, *, known: frozenset[str] = frozenset()) -> NDArray[np.object_]:
        """CDC codes of a column of postal codes; New York is ``NY+YC``."""
        found: dict[str, str | None] = {}
        for text in self.cells[column].unique():
            place = BY_KEY.get(text.upper())
            found[text] = text if text in known else place.state if place else None
        values = self.cells[column].map(found)
        self.refuse(values.isna().to_numpy(), column, "is no state")
        return values.replace("NY", NEW_YORK).to_numpy(dtype=object)


def read_plain(path: str | Path, limits: Limits | None = None) -> Plain:
    """Text cells of a CSV (gzip or not), Excel or Parquet table.

    Raises
    ------
    DataError
        If the file is damaged, or a column name is there twice.
    """
    return plain_of(read_raw(path, limits))


def plain_of(raw: RawFile) -> Plain:
    """Text cells of a file that has been read; see :func:`read_plain`."""
    if raw.open_end:
        raise DataError(
            f"{raw.name} {raw.row_word} {raw.rows[-1]}: the last line has no line end and ends in "
            "a blank cell, where a value may be cut off",
            hint=f"{AGAIN}, or add a line end if the file is whole",
        )
    names = [str(c).strip() for c in raw.cells.columns]
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{raw.name}: two columns named {quoted(twice)}", hint="keep one")
    cells = pd.DataFrame(
        {n: raw.cells.iloc[:, i].map(cell_text) for i, n in enumerate(names)}, dtype=object
    )
    return Plain(raw.name, cells, np.asarray(raw.rows))


def _real(text: str) -> float | None:
    """A number that may be tiny: ``6.6e-05`` too."""
    return float(text) if re.fullmatch(r"[0-9](\.[0-9]+)?[eE]-[0-9]{1,2}", text) else number(text)


def month_ends(months: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Last day of each month, as datetime64[ns].

    Examples
    --------
    >>> month_ends(np.array(["2024-02"], dtype="datetime64[M]")).astype("datetime64[D]")
    array(['2024-02-29'], dtype='datetime64[D]')
    """
    following = months.astype("datetime64[M]") + np.timedelta64(1, "M")
    last = following.astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.asarray(last.astype("datetime64[ns]"))
