"""Columns of raw cells to numbers, months and text; every distinct cell is parsed once.

Each parser returns its values and a mask of the cells it could not understand; who calls it
knows the file, the row and the key, and refuses.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.object_]

#: What publishers and tools write into a cell that holds nothing.
BLANKS = frozenset({"", "na", "n/a", "nan", "null", "none", "no data", "<na>"})

_NUMBER = re.compile(r"[+-]?([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?([eE]\+?[0-9]{1,2})?")
# Not calendar.month_name, which speaks the language of the machine.
_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS = {k: i for i, name in enumerate(_NAMES, start=1) for k in (name, name[:3])} | {"sept": 9}


def cell_text(cell: object) -> str:
    """Text of one cell: stripped, whole floats without ``.0``, blank for None and NaN.

    Examples
    --------
    >>> cell_text(2015.0), cell_text(" no data "), cell_text(None)
    ('2015', 'no data', '')
    """
    if isinstance(cell, str):
        return cell.replace("\xa0", " ").strip()
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return ""
    if isinstance(cell, float | np.floating):
        number = float(cell)
        if np.isnan(number):
            return ""
        return str(int(number)) if number.is_integer() else repr(number)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return str(cell).strip()


def texts(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Codes and distinct texts of a column; ``texts[codes]`` is the column."""
    codes, unique = pd.factorize(column, use_na_sentinel=False)
    return codes, [cell_text(cell) for cell in unique]


def parse_each(column: pd.Series, parse: Callable[[str], float | None]) -> tuple[Floats, Bools]:
    """Numbers of a column by a parser of one text; the mask marks what it answered None to."""
    codes, unique = texts(column)
    parsed = [parse(text) for text in unique]
    bad = np.array([p is None for p in parsed], dtype=bool)
    values = np.array([np.nan if p is None else p for p in parsed], dtype=float)
    return values[codes], bad[codes]


def number(text: str) -> float | None:
    """A number with or without thousands separators; NaN for blanks, None if it is none.

    Examples
    --------
    >>> number("4,034"), number("126.0"), number("1e+05"), number("1,23"), number("0,012")
    (4034.0, 126.0, 100000.0, None, None)
    >>> number("9" * 400), number("\u0663")  # more than a float holds; a digit of another script
    (None, None)
    """
    if text.lower() in BLANKS:
        return float("nan")
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text.replace(",", ""))
    return None if math.isinf(value) else value


def numbers(column: pd.Series) -> tuple[Floats, Bools]:
    """Numbers of a column, and the cells that hold none (blanks are NaN, not bad)."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return values, np.isinf(values)
    return parse_each(column, number)


def european(column: pd.Series) -> Bools:
    """Cells such as ``4.000``: four, or four thousand the European way? Nobody can tell."""
    if pd.api.types.is_numeric_dtype(column):
        return np.zeros(len(column), dtype=bool)
    codes, unique = texts(column)
    return np.array([bool(re.fullmatch(r"[0-9]{1,3}\.000", text)) for text in unique])[codes]


def percents(column: pd.Series) -> tuple[Floats, Bools, int]:
    """Percentages from 0 to 100.

    Returns
    -------
    values : ndarray
        ``"99.5+"`` is 99.5, a lower bound; a per-cent sign is allowed.
    bad : ndarray of bool
        Cells that hold no number from 0 to 100.
    bounds : int
        Number of cells that were lower bounds.
    """
    if pd.api.types.is_numeric_dtype(column):
        values, bad = numbers(column)
        bounds = 0
    else:
        values, bad = parse_each(column, lambda text: number(text.rstrip("+%").rstrip()))
        codes, unique = texts(column)
        bounds = int(np.array([text.endswith("+") for text in unique])[codes].sum())
    with np.errstate(invalid="ignore"):
        bad = bad | (values < 0) | (values > 100)
    return values, bad, bounds


def month_cell(text: str) -> tuple[int | None, int] | None:
    """Year (if the cell has one) and month of a cell; None if it is no month.

    Examples
    --------
    >>> month_cell("September"), month_cell("09"), month_cell("2024-07"), month_cell("13")
    ((None, 9), (None, 9), (2024, 7), None)
    """
    key = text.lower().removesuffix(".")
    if key in _MONTHS:
        return None, _MONTHS[key]
    if re.fullmatch(r"[0-9]{1,2}(\.0+)?", key):
        month = int(float(key))
        return (None, month) if 1 <= month <= 12 else None
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{2})(-01([t ]00:00:00(\.0+)?z?)?)?", key):
        month = int(found.group(2))
        return (int(found.group(1)), month) if 1 <= month <= 12 else None
    return None


def months(month: pd.Series, year: pd.Series | None) -> tuple[NDArray[np.datetime64], Bools]:
    """Months of a table from its month column and, if there is one, its year column.

    Returns
    -------
    months : ndarray of datetime64[M]
        NaT where not understood.
    bad : ndarray of bool
        Cells that are no month, or whose two years contradict each other.
    """
    codes, unique = texts(month)
    found = [month_cell(text) for text in unique]
    in_cell = np.array([np.nan if f is None or f[0] is None else f[0] for f in found])[codes]
    of_year = np.array([np.nan if f is None else f[1] for f in found])[codes]
    bad = np.isnan(of_year)
    if year is None:
        years = in_cell
    else:
        years, unreadable = numbers(year)
        with np.errstate(invalid="ignore"):
            bad |= unreadable | (years % 1 != 0) | (~np.isnan(in_cell) & (in_cell != years))
    with np.errstate(invalid="ignore"):
        bad |= np.isnan(years) | ~((years >= 1900) & (years <= 2200))
    index = np.where(bad, 0, (years - 1970) * 12 + of_year - 1).astype("int64")
    result = index.astype("datetime64[M]")
    result[bad] = np.datetime64("NaT", "M")
    return result, bad
