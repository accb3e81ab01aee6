"""Months as numpy ``datetime64[M]``: parse, step, end."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import PanelError

Months = NDArray[np.datetime64]

#: numpy 2.5 warns where a bare number is added to a date.
ONE_MONTH = np.timedelta64(1, "M")

#: Days of the mean month.
MEAN_DAYS = 365.2425 / 12

#: A year, a month, and perhaps a day and a time: never words, for "July" and "today" mean no month.
_MONTH = re.compile(r"([12][0-9]{3})-([01]?[0-9])(?:-([0-3]?[0-9])(?:[T ].*)?)?")


def to_month(value: object) -> np.datetime64:
    """A month from ``"2024-07"``, a date, a timestamp or a numpy month.

    Raises
    ------
    PanelError
        If the value is no month.

    Examples
    --------
    >>> to_month("2024-07-15")
    np.datetime64('2024-07')
    """
    if isinstance(value, np.datetime64):
        month = np.datetime64(value, "M")
    elif isinstance(value, dt.date):  # datetimes and timestamps too
        month = np.datetime64("NaT") if pd.isna(value) else np.datetime64(str(value)[:7], "M")
    else:
        found = _MONTH.fullmatch(str(value).strip())
        if found is None:
            raise PanelError(f"{value!r} is no month", hint="write it as 2024-07")
        try:
            pd.Timestamp(f"{found[1]}-{found[2]}-{found[3] or '01'}")
        except ValueError as error:
            raise PanelError(f"{value!r} is no month", hint="write it as 2024-07") from error
        month = np.datetime64(f"{found[1]}-{found[2]}", "M")
    if np.isnat(month):
        raise PanelError(f"{value!r} is no month", hint="write it as 2024-07")
    return np.datetime64(month, "M")


def month_end(month: np.datetime64) -> dt.date:
    """Last day of a month.

    Examples
    --------
    >>> month_end(np.datetime64("2024-02"))
    datetime.date(2024, 2, 29)
    """
    after = (month.astype("datetime64[M]") + ONE_MONTH).astype("datetime64[D]")
    day = (after - np.timedelta64(1, "D")).astype(object)
    assert isinstance(day, dt.date)
    return day


def month_lengths(months: Months) -> NDArray[np.float64]:
    """Days of each month over those of the mean month, 30.44.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (T,)

    Examples
    --------
    >>> month_lengths(np.array(["2023-02", "2024-02", "2024-03"], dtype="M8[M]")).round(3).tolist()
    [0.92, 0.953, 1.019]
    """
    begin = months.astype("datetime64[D]")
    end = (months + ONE_MONTH).astype("datetime64[D]")
    return np.asarray((end - begin).astype(float) / MEAN_DAYS)
