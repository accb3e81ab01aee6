"""Months as numpy ``datetime64[M]``: parse, step, end."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import PanelError

Months = NDArray[np.datetime64]

#: numpy 2.5 warns where a bare number is added to a date.
ONE_MONTH = np.timedelta64(1, "M")


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
        return np.datetime64(value, "M")
    try:
        return np.datetime64(pd.Timestamp(str(value)), "M")
    except ValueError as error:
        raise PanelError(f"{value!r} is no month", hint="write it as 2024-07") from error


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
