"""Origins: the panels a backtest forecasts from, each as it was (or might have been) known.

Real vintages, one origin per release::

    release 2018-09   |■■■■■■■■■■■■░|            as published: the last months incomplete
    release 2018-10   |■■■■■■■■■■■■■░|
    release 2019-04   |■■■■■■■■■■■■■■■■■■■░|

Pseudo-vintages, one origin per month, cut from one later release::

    month 2019-01     |■■■■■■■■■■■■|             clean: complete to the last month
    month 2019-02     |■■■■■■■■■■■■■|
    month 2019-03     |■■■■■■■■■■■■■■|

A pseudo-vintage is seen from the day its last month would have been published, so its as-of
date and last month differ as in real life. It is labelled in every row it leads to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from odforecast.errors import BacktestError, OdforecastError
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import ALL_DRUGS, VINTAGE_CLEAN, VINTAGE_REAL, VINTAGE_THINNED
from odforecast.panel import Panel
from odforecast.vintage.archive import Archive

#: CDC publishes a month about 7 months later until January 2022, 5 since (DOMAIN: inferred).
_LAST_SLOW = np.datetime64("2022-01")


@dataclass(frozen=True)
class Origin:
    """One point in time to forecast from.

    Attributes
    ----------
    as_of : datetime.date
        The day of the forecast.
    vintage : str
        Real, pseudo-clean or pseudo-thinned.
    panel : Panel or None
        What was known; None where no panel can be had.
    reason : str
        Why there is no panel.
    """

    as_of: dt.date
    vintage: str
    panel: Panel | None
    reason: str = ""


def publication_date(last_month: object) -> dt.date:
    """The day CDC would have published a month: mid-month, 7 months on until January 2022,
    5 months on since. Three months (2021-07..09) came out at once when the lag shortened, in
    February 2022.

    Examples
    --------
    >>> publication_date("2019-01"), publication_date("2024-07")
    (datetime.date(2019, 8, 15), datetime.date(2024, 12, 15))
    >>> publication_date("2021-07") == publication_date("2021-09")
    True
    """
    month = to_month(last_month)
    issued = month + 7 * ONE_MONTH
    if issued > _LAST_SLOW:
        issued = max(month + 5 * ONE_MONTH, _LAST_SLOW + ONE_MONTH)
    first = issued.astype("datetime64[D]").astype(object)
    assert isinstance(first, dt.date)
    return first.replace(day=15)


def real_origins(
    archive: Archive,
    *,
    start: object | None = None,
    end: object | None = None,
    indicator: str = ALL_DRUGS,
    locations: Iterable[str] | None = None,
) -> list[Origin]:
    """One origin per release of an archive, seen on its release date.

    Parameters
    ----------
    archive : Archive
        Releases.
    start, end : month, optional
        First and last **last known month** of the panels.
    indicator : str
        CDC's indicator.
    locations : iterable of str, optional
        Default: all the release has. A release lacking one of them becomes an origin
        without a panel, with the reason.

    Returns
    -------
    list of Origin
        In order of release. Releases without reported counts are there, without a panel.
    """
    states = None if locations is None else list(locations)
    origins = []
    for date in archive.releases():
        try:
            panel = Panel.from_archive(archive, date, indicator=indicator, locations=states)
        except OdforecastError as error:
            origins.append(Origin(date, VINTAGE_REAL, None, str(error)))
            continue
        if start is not None and panel.last_month < to_month(start):
            continue
        if end is not None and panel.last_month > to_month(end):
            continue
        origins.append(Origin(date, VINTAGE_REAL, panel))
    if not origins:
        raise BacktestError(
            f"no release with a last month in {start or '…'}..{end or '…'}",
            hint=f"the archive has {len(archive.releases())} releases",
        )
    return origins


def pseudo_origins(
    panel: Panel,
    *,
    start: object,
    end: object,
    step: int = 1,
    completeness: Sequence[float] | None = None,
) -> list[Origin]:
    """Origins cut from one later panel, every ``step`` months.

    Parameters
    ----------
    panel : Panel
        The later panel.
    start, end : month
        First and last last-known month, both included.
    step : int
        Months between origins.
    completeness : sequence of float, optional
        Share of the final 12-month-ending count reported, by months since the period ended
        at the origin (first: the last month). Given, the panels are *thinned* by it and
        labelled so; else they are clean.

    Raises
    ------
    BacktestError
        If the span is empty or lies outside the panel, or a share is outside (0, 1].
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
    shares = None if completeness is None else np.asarray(completeness, dtype=float)
    if shares is not None and ((shares <= 0) | (shares > 1)).any():
        raise BacktestError("completeness must lie in (0, 1]", hint="1 means nothing is missing")
    kind = VINTAGE_CLEAN if shares is None else VINTAGE_THINNED
    origins = []
    for month in np.arange(first, last + ONE_MONTH, step * ONE_MONTH):
        as_of = publication_date(month)
        seen = panel.cut(month, as_of=as_of, vintage=kind)
        if shares is not None:
            seen = seen.thinned(shares)
        origins.append(Origin(as_of, kind, seen))
    return origins
