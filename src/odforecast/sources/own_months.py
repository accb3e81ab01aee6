"""Months as people write them in tables of their own."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.months import month_end
from odforecast.sources.cells import month_cell, texts

_TIME = r"(?:[t ]00:00:00(?:\.0+)?z?)?"
_ISO = re.compile(rf"([0-9]{{4}})-([0-9]{{2}})(?:-([0-9]{{2}}){_TIME})?")
_NAMED = re.compile(r"([a-z]+)\.?,?[ -]+([0-9]{4})")
_SLASH = re.compile(r"([0-9]{1,2})/([0-9]{4})")
_AMERICAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


def own_months(column: pd.Series) -> tuple[NDArray[np.datetime64], NDArray[np.bool_], str]:
    """Months of a column of text.

    Returns
    -------
    months : ndarray of datetime64[M]
        NaT where not understood.
    bad : ndarray of bool
        Cells that are no month.
    why : str
        What the first of them is, in words.

    Examples
    --------
    >>> cells = ["2020-05", "2020-05-31", "May 2020", "05/2020", "05/01/2020", "2020-05-15"]
    >>> months, bad, why = own_months(pd.Series(cells))
    >>> months[:5].astype(str).tolist() == 5 * ["2020-05"], bad.tolist(), why
    (True, [False, False, False, False, False, True], 'is a day within a month')
    """
    codes, unique = texts(column)
    # Month first or day first: only where the middle is 01 all the way down is it told.
    first_days = all(
        int(found[2]) == 1 for text in unique if (found := _AMERICAN.fullmatch(text.strip()))
    )
    parsed = [_month(text.strip().lower(), first_days) for text in unique]
    months = np.array([m for m, _ in parsed], dtype="datetime64[M]")
    bad = np.isnat(months)
    at = np.flatnonzero(bad[codes])
    why = parsed[int(codes[at[0]])][1] if at.size else ""
    return months[codes], bad[codes], why


def _month(text: str, first_days: bool) -> tuple[np.datetime64, str]:
    """The month of a cell, or NaT and what it is instead."""
    none = np.datetime64("NaT", "M")
    if found := _ISO.fullmatch(text):
        month = _of(int(found[1]), int(found[2]))
        if np.isnat(month) or found[3] is None:
            return month, "is no month"
        if int(found[3]) in (1, month_end(month).day):
            return month, ""
        return none, "is a day within a month"
    if found := _AMERICAN.fullmatch(text):
        if first_days:
            return _of(int(found[3]), int(found[1])), "is no month"
        return none, "may be month first or day first"
    if found := _SLASH.fullmatch(text):
        return _of(int(found[2]), int(found[1])), "is no month"
    if found := _NAMED.fullmatch(text):
        named = month_cell(found[1])
        if named is not None and named[0] is None:
            return _of(int(found[2]), named[1]), "is no month"
    return none, "is no month"


def _of(year: int, month: int) -> np.datetime64:
    if not (1900 <= year <= 2200 and 1 <= month <= 12):
        return np.datetime64("NaT", "M")
    return np.datetime64(f"{year}-{month:02d}", "M")
