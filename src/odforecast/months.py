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

_ISO = re.compile(r"([12][0-9]{3})-([01]?[0-9])(?:-([0-3]?[0-9])(?:[T ].*)?)?")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = re.compile(r"[T ] ?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?: ?[AP]M|Z)?$", re.I)
_YEAR, _DAY = r"(?P<year>[12][0-9]{3})", r"(?P<day>[0-3]?[0-9])"
_MONTH = r"(?P<month>[01]?[0-9])"
_SHORT = r"(?P<year>(?:[12][0-9])?[0-9]{2})"  # a year of four digits or of two
_NAME = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)[.]?"
)
#: Never words alone: "July" and "today" are not dates.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        _YEAR,  # 2026
        rf"{_YEAR}[-/]{_MONTH}(?:[-/]{_DAY})?",  # 2026-12, 2025-09-17
        rf"{_MONTH}[-/]{_YEAR}",  # 12/2026
        rf"{_NAME}(?:, ?|[ -]){_SHORT}",  # Dec 2026, Jan-22
        rf"{_NAME}[ -]{_DAY}(?:, ?| ){_YEAR}",  # Sep 17, 2025
        rf"{_DAY}[ -]{_NAME}[ -]{_SHORT}",  # 17-Sep-25
        rf"{_MONTH}(?P<mark>[-./]){_DAY}(?P=mark){_YEAR}",  # 9/17/2025
        rf"{_DAY}(?P<mark>[-./]){_MONTH}(?P=mark){_YEAR}",
        rf"{_MONTH}/{_DAY}/(?P<year>[0-9]{{2}})",  # 1/1/22
        rf"{_DAY}/{_MONTH}/(?P<year>[0-9]{{2}})",
    )
)


def readings(text: str) -> tuple[np.datetime64, ...]:
    """Every date that a text may mean, as a year, a month or a day.

    Parameters
    ----------
    text : str
        A year of two digits is one of this century. A time after the date is left out.

    Returns
    -------
    tuple of datetime64[Y], datetime64[M] or datetime64[D]
        The American reading comes first. Empty if the text is not a date.

    Examples
    --------
    >>> readings("Jan-22"), readings("9/17/2025"), readings("July")
    ((np.datetime64('2022-01'),), (np.datetime64('2025-09-17'),), ())
    >>> readings("05/06/2022")
    (np.datetime64('2022-05-06'), np.datetime64('2022-06-05'))
    """
    bare = _TIME.sub("", text.strip())
    found: dict[np.datetime64, None] = {}
    for form in _FORMS:
        if (match := form.fullmatch(bare)) is not None and (date := _date(match)) is not None:
            found[date] = None
    return tuple(found)


def _date(match: re.Match[str]) -> np.datetime64 | None:
    """The date of a text that has the form of one; None if the calendar has no such day."""
    parts = match.groupdict()
    year, month, day = parts["year"], parts.get("month"), parts.get("day")
    if len(year) == 2:
        year = f"20{year}"
    if month is None:
        return np.datetime64(year, "Y")
    number = int(month) if month.isdigit() else _NAMES.index(month[:3].lower()) + 1
    try:
        date = dt.date(int(year), number, int(day or 1))
    except ValueError:
        return None
    return np.datetime64(date, "D" if day else "M")


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
        found = _ISO.fullmatch(str(value).strip())
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
