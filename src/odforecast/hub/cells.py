"""Cells of hub files to numbers and days: exactly what stands there, or nothing.

Nothing is guessed. ``true`` is no number, ``" 12"`` and ``"1,345"`` are none, and a moment with
a time zone is no day.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd

# ASCII digits only: other scripts' digits are digits to float() and to \d as well.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Characters of the longest number; a double needs 25.
_LONGEST = 60
#: Above it a double skips whole numbers.
EXACT = 2.0**53


def number(cell: object) -> float:
    """The number a cell holds; NaN if it holds none, or one no double can hold.

    Examples
    --------
    >>> number("1345.5"), number("1e3"), number(7), number(True), number("1,345"), number("12 ")
    (1345.5, 1000.0, 7.0, nan, nan, nan)
    """
    if isinstance(cell, str):
        if len(cell) > _LONGEST or _NUMBER.fullmatch(cell) is None:
            return math.nan
        value = float(cell)
    elif isinstance(cell, bool | np.bool_) or not isinstance(
        cell, int | float | np.integer | np.floating | Decimal
    ):
        return math.nan
    else:
        try:
            value = float(cell)
        except (OverflowError, ValueError):
            return math.nan
    return value if abs(value) <= EXACT else math.nan


def day(cell: object) -> np.datetime64:
    """The day a cell holds; NaT if it holds none.

    Examples
    --------
    >>> day("2024-07-31").item().day, str(day("31.07.2024"))
    (31, 'NaT')
    """
    none = np.datetime64("NaT", "s")
    if isinstance(cell, str):
        if _DAY.fullmatch(cell) is None:
            return none
        try:
            cell = dt.date.fromisoformat(cell)
        except ValueError:
            return none
    if isinstance(cell, dt.datetime):
        # Also pandas' timestamps. Noon is no day, and which day a zone means is a guess.
        if pd.isna(cell) or cell.tzinfo is not None or cell.time() != dt.time():
            return none
        cell = cell.date()
    if isinstance(cell, dt.date) and 1900 <= cell.year <= 2200:
        return np.datetime64(cell, "s")
    return none


def numbers(column: pd.Series) -> np.ndarray:
    """Numbers of a column; NaN where a cell holds none."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "iuf":
        values = column.to_numpy().astype(float)
        # Infinite or too large to be exact: not what stands in the file.
        return np.where(np.abs(values) <= EXACT, values, np.nan)
    return np.array(_each(column, number), dtype=float)


def days(column: pd.Series) -> np.ndarray:
    """Days of a column as ``datetime64[s]``; NaT where a cell holds none."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        values = column.to_numpy().astype("datetime64[s]")
        whole = (values.astype("datetime64[D]") == values) & (column.to_numpy() == values)
        whole &= (values >= np.datetime64("1900-01-01")) & (values < np.datetime64("2201-01-01"))
        return np.where(whole, values, np.datetime64("NaT", "s"))
    return np.array(_each(column, day), dtype="datetime64[s]")


def _each[T](column: pd.Series, parse: Callable[[object], T]) -> list[T]:
    """A parser over a column; a text or day is parsed once, however often it stands there."""
    seen: dict[str | dt.date, T] = {}
    out = []
    for cell in column.tolist():
        # Texts and days only: True and 1 are one key to a dictionary.
        if type(cell) in (str, dt.date):
            if cell not in seen:
                seen[cell] = parse(cell)
            out.append(seen[cell])
        else:
            out.append(parse(cell))
    return out
