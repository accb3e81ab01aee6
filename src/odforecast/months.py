"""Months as numpy ``datetime64[M]``: parse, step, end."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError

Months = NDArray[np.datetime64]

#: numpy 2.5 warns where a bare number is added to a date.
ONE_MONTH = np.timedelta64(1, "M")

#: Days of the mean month.
MEAN_DAYS = 365.2425 / 12

_NAMES = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_TIME = re.compile(
    r"[T ] ?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?: ?[AP]M|Z)?$", re.I | re.A
)
_YEAR = r"(?P<year>[12][0-9]{3})"
_DAY = r"(?P<day>[0-3]?[0-9])"
_MONTH = r"(?P<month>[01]?[0-9])"
_SHORT = r"(?P<year>(?:[12][0-9])?[0-9]{2})"  # a year of four digits or of two
_NAME = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)[.]?"
)
#: Never words alone: "July" and "today" are not dates.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
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
    """Every date that a text may mean, as a year, a month or a day; the American reading first.

    A year of two digits is one of this century. A time after the date is left out.

    >>> readings("Jan-22"), readings("9/17/2025"), readings("July")
    ((np.datetime64('2022-01'),), (np.datetime64('2025-09-17'),), ())
    >>> readings("05/06/2022")
    (np.datetime64('2022-05-06'), np.datetime64('2022-06-05'))
    """
    bare = _TIME.sub("", text.strip())
    dates: dict[np.datetime64, None] = {}
    for form in _FORMS:
        match = form.fullmatch(bare)
        date = None if match is None else _date(match)
        if date is not None:
            dates[date] = None
    return tuple(dates)


def _date(match: re.Match[str]) -> np.datetime64 | None:
    """The date of a text that has the form of one; None if the calendar has no such day."""
    parts = match.groupdict()
    year = parts["year"]
    month = parts.get("month")
    day = parts.get("day")
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


def to_month(value: object, of_year: int | None = None) -> np.datetime64:
    """Month of a text, a date, a timestamp or a numpy date.

    A PanelError if it is none, or may be two. ``of_year`` is the month that a year alone stands
    for, 1 to 12; by default a year is refused.

    >>> to_month("2024-07-15"), to_month("Jul 2024"), to_month("2024", of_year=12)
    (np.datetime64('2024-07'), np.datetime64('2024-07'), np.datetime64('2024-12'))
    """
    dates = _dates(value, "2024-07")
    if of_year is None and np.datetime_data(dates[0].dtype)[0] == "Y":
        raise PanelError(f"{value!r} is a year, not a month", hint=f"write {value}-07")
    months = {_month_in(date, of_year or 1): date for date in dates}
    return _only(value, months)


def to_day(value: object, last: bool = False) -> dt.date:
    """Day of a text, a date, a timestamp or a numpy date.

    A PanelError if it is none, or may be two. With ``last`` a month or year alone stands for its
    last day; by default they are refused.

    >>> to_day("9/17/2025"), to_day("2025-02", last=True)
    (datetime.date(2025, 9, 17), datetime.date(2025, 2, 28))
    """
    dates = {}
    for date in _dates(value, "2024-07-15"):
        if np.datetime_data(date.dtype)[0] == "D":
            dates[date] = date
        elif last:
            last_day = month_end(_month_in(date, 12))
            dates[np.datetime64(last_day, "D")] = date
        else:
            raise PanelError(f"{value!r} has no day", hint="write a day: 2024-07-15")
    day: dt.date = _only(value, dates).astype(object)
    return day


def _dates(value: object, form: str) -> tuple[np.datetime64, ...]:
    """What a value may mean; never nothing."""
    dates: tuple[np.datetime64, ...] = ()
    if isinstance(value, np.datetime64):
        coarse = np.datetime_data(value.dtype)[0] in ("Y", "M")
        if not np.isnat(value):
            dates = (np.datetime64(value, "M" if coarse else "D"),)
    elif isinstance(value, dt.date):  # datetimes and timestamps too
        if value == value:  # NaT is not
            dates = (np.datetime64(str(value)[:10], "D"),)
    else:
        dates = readings(str(value))
    if not dates:
        raise PanelError(f"{value!r} is not a date", hint=f"write it as {form}")
    return dates


def _month_in(date: np.datetime64, of_year: int) -> np.datetime64:
    """The month of a date; of a year alone, the one that it stands for."""
    year_alone = np.datetime_data(date.dtype)[0] == "Y"
    return np.datetime64(f"{date}-{of_year:02}" if year_alone else date, "M")


def _only(value: object, dates: Mapping[Any, np.datetime64]) -> np.datetime64:
    """The one thing that a text can mean."""
    if len(dates) == 1:
        return np.datetime64(next(iter(dates)))
    days = [date.astype(object) for date in dates.values()]
    names = " or ".join(f"{day:%B} {day.day}, {day.year}" for day in days)
    forms = " or ".join(str(day) for day in days)
    raise PanelError(f"{value!r} can be {names}", hint=f"write {forms}")


def today() -> dt.date:
    """The day by the clock, in UTC: never before the day in Washington."""
    return dt.datetime.now(dt.UTC).date()


def month_end(month: np.datetime64) -> dt.date:
    """Last day of a month.

    >>> month_end(np.datetime64("2024-02"))
    datetime.date(2024, 2, 29)
    """
    after = (month.astype("datetime64[M]") + ONE_MONTH).astype("datetime64[D]")
    day: dt.date = (after - np.timedelta64(1, "D")).astype(object)
    return day


def month_lengths(months: Months) -> NDArray[np.float64]:
    """Days of each month over those of the mean month, 30.44.

    >>> month_lengths(np.array(["2023-02", "2024-02", "2024-03"], dtype="M8[M]")).round(3).tolist()
    [0.92, 0.953, 1.019]
    """
    begin = months.astype("datetime64[D]")
    end = (months + ONE_MONTH).astype("datetime64[D]")
    return np.asarray((end - begin).astype(float) / MEAN_DAYS)
