"""Origins: the panels a backtest forecasts from, each as it was (or might have been) known.

Real vintages, one origin per release::

    release 2018-09   |■■■■■■■■■■■■░|            as published: the last months incomplete
    release 2018-10   |■■■■■■■■■■■■■░|
    release 2019-04   |■■■■■■■■■■■■■■■■■■■░|

Clean pseudo-vintages, one origin per month, cut from one later release::

    month 2019-01     |■■■■■■■■■■■■|             complete to the last month
    month 2019-02     |■■■■■■■■■■■■■|
    month 2019-03     |■■■■■■■■■■■■■■|

A pseudo-vintage is seen from the day its last month would have been published, so its as-of
date and last month differ as in real life. It is labelled in every row it leads to.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from odforecast.errors import BacktestError, OdforecastError
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import STATES, VINTAGE_CLEAN, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.publication import last_published
from odforecast.vintage import Archive

#: Kinds of origins there are.
KINDS = (VINTAGE_CLEAN, VINTAGE_REAL)
#: First origin of pseudo-vintages unless told otherwise.
FIRST = "2019-01"


@dataclass(frozen=True)
class Origin:
    """One point in time to forecast from.

    Attributes
    ----------
    as_of : datetime.date
        The day of the forecast.
    vintage : str
        ``real`` or ``pseudo-clean``.
    panel : Panel or None
        What was known; None where no panel can be had.
    reason : str
        Why there is no panel.
    """

    as_of: dt.date
    vintage: str
    panel: Panel | None
    reason: str = ""


def origins(
    archive: Archive,
    kind: str = VINTAGE_CLEAN,
    start: object | None = None,
    end: object | None = None,
    step: int = 1,
    indicator: str = "all-drugs",
    dataset: str = STATES,
) -> list[Origin]:
    """Origins to forecast from.

    Parameters
    ----------
    archive : Archive
        Releases.
    kind : {"pseudo-clean", "real"}
        One origin per month, cut from the newest release; or one per release.
    start, end : month, optional
        First and last **last known month**. Pseudo-vintages: 2019-01, and 12 months before the
        end of the newest release; real ones: all.
    step : int
        Months between pseudo-vintages.
    indicator : str
    dataset : str

    Returns
    -------
    list of Origin
        In order. Releases without usable counts are there, without a panel, with the reason.

    Raises
    ------
    BacktestError
        If the kind is unknown, or there is no origin in the span.

    Examples
    --------
    >>> import odforecast as od
    >>> [str(o.as_of) for o in od.origins(od.bundled(), start="2024-01", end="2024-02")]
    ['2024-06-15', '2024-07-15']
    """
    if kind == VINTAGE_REAL:
        return _real(archive, start, end, indicator, dataset)
    if kind != VINTAGE_CLEAN:
        raise BacktestError(f"unknown kind of origins {kind!r}", hint=f"one of {', '.join(KINDS)}")
    panel = archive.as_of().panel(indicator, dataset)
    last = panel.last_month - 12 * ONE_MONTH if end is None else to_month(end)
    return cuts(panel, start=start or FIRST, end=last, step=step)


def _real(
    archive: Archive, start: object | None, end: object | None, indicator: str, dataset: str
) -> list[Origin]:
    """One origin per release, seen on its release date; releases outside the span left out."""
    first = None if start is None else to_month(start)
    last = None if end is None else to_month(end)
    found = []
    for date in archive.releases():
        panel, reason = None, ""
        try:
            panel = archive.as_of(date).panel(indicator, dataset)
        except OdforecastError as error:
            reason = str(error)
        # A release without a panel belongs where its last month would have been: the calendar
        # says the 15th, and CDC publishes on a Wednesday about then.
        issued = max(date, date.replace(day=15))
        month = last_published(issued) if panel is None else panel.last_month
        if (first is not None and month < first) or (last is not None and month > last):
            continue
        found.append(Origin(date, VINTAGE_REAL, panel, reason))
    if not found:
        raise BacktestError(
            f"no release with a last month in {start or '…'}..{end or '…'}",
            hint=f"the archive has {len(archive.releases())} releases",
        )
    return found


def cuts(panel: Panel, *, start: object, end: object, step: int = 1) -> list[Origin]:
    """Clean pseudo-vintages cut from one later panel, every ``step`` months.

    Parameters
    ----------
    panel : Panel
        The later panel.
    start, end : month
        First and last last-known month, both included.
    step : int
        Months between origins.

    Raises
    ------
    BacktestError
        If the span is empty or lies outside the panel.
    """
    first, last = to_month(start), to_month(end)
    if step < 1:
        raise BacktestError(f"step must be at least 1 month, got {step}")
    if first > last:
        raise BacktestError(f"no origins: start {first} lies after end {last}")
    if first < panel.months[0] or last > panel.months[-1]:
        raise BacktestError(
            f"origins {first}..{last} lie outside the panel", hint=f"it has {panel!r}"
        )
    found = [panel.cut(m) for m in np.arange(first, last + ONE_MONTH, step * ONE_MONTH)]
    return [Origin(p.as_of, p.vintage, p) for p in found]
