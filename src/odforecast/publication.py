"""CDC's calendar: when a month comes out, and when a year's file closes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from odforecast.months import ONE_MONTH, to_month

#: CDC published a month about 7 months later until January 2022, 5 months later since.
LAST_SLOW = np.datetime64("2022-01")
#: A count this many months old in a release is settled, though its year may not be final yet.
SETTLED = 12
#: Months after December until NCHS has closed that year's file (about September).
CLOSES_AFTER = 8
#: Months after December until the final file has replaced the provisional counts of that year:
#: until then they hold records that came after closing and are not in the final file.
FINAL_AFTER = 14


def publication_date(last_month: object) -> dt.date:
    """The day CDC would have published a month: mid-month, 7 months on until January 2022,
    5 months on since. Three months (2021-07..09) came out at once when the lag shortened, in
    February 2022.

    >>> publication_date("2019-01"), publication_date("2024-07")
    (datetime.date(2019, 8, 15), datetime.date(2024, 12, 15))
    >>> publication_date("2021-07") == publication_date("2021-09")
    True
    """
    month = to_month(last_month)
    issued = month + 7 * ONE_MONTH
    if issued > LAST_SLOW:
        issued = max(month + 5 * ONE_MONTH, LAST_SLOW + ONE_MONTH)
    first: dt.date = issued.astype("datetime64[D]").astype(object)
    return first.replace(day=15)


def last_published(day: dt.date) -> np.datetime64:
    """The last month CDC had published by a day, by :func:`publication_date`.

    >>> last_published(dt.date(2018, 12, 31)), last_published(dt.date(2024, 12, 14))
    (np.datetime64('2018-05'), np.datetime64('2024-06'))
    """
    month: np.datetime64 = np.datetime64(str(day), "M")
    while publication_date(month) > day:
        month = np.datetime64(month - ONE_MONTH, "M")
    return np.datetime64(month, "M")


def final_through(release: dt.date) -> np.datetime64:
    """Last month whose counts are final in a release of a day.

    NCHS closes a year's file about September of the next year; what was pending in it then
    never resolves. The counts up to December of the last closed year no longer change.

    >>> final_through(dt.date(2025, 7, 16)), final_through(dt.date(2025, 9, 17))
    (np.datetime64('2023-12'), np.datetime64('2024-12'))
    """
    month = np.datetime64(release, "M")
    year = (month - CLOSES_AFTER * ONE_MONTH).astype("datetime64[Y]")
    december = year.astype("datetime64[M]") + 11 * ONE_MONTH
    if (month - december).astype(int) < CLOSES_AFTER:
        december = december - 12 * ONE_MONTH
    return np.datetime64(december, "M")


def not_final(release: object, december: object) -> float:
    """How much of what a closed year gains until its final file is in the release of a month.

    Records go on to arrive after a year's file has closed. They are in the provisional counts until
    the final file, which does not hold them, takes their place: such counts fall again. The share
    is 0.05 in August and September, grows with the square of the months since to 1 in December and
    January, and is 0 from February on. The shape is a judgement: in the releases in hand next to
    nothing is cut of what stood in September or October, 0.3% of November's counts, 0.3 to 0.7% of
    December's, and nothing of February's. ``december`` is the last month of the closed year.

    >>> [round(not_final(m, "2023-12"), 2) for m in ("2024-09", "2024-11", "2024-12", "2025-02")]
    [0.05, 0.44, 1.0, 0.0]
    """
    months = int((to_month(release) - to_month(december)).astype(int))
    if not CLOSES_AFTER <= months < FINAL_AFTER:
        return 0.0
    return min(max(max(months - CLOSES_AFTER - 1, 0) ** 2 / 9.0, 0.05), 1.0)
