"""Origins: the days a model forecasts from, and which donors each gets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import BacktestError, OdforecastError, one_of
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    COUNTY_STEP,
    DEFAULT_DONORS,
    DEFAULT_SEED,
    STATES,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.panel import ERAS, Donor, Panel
from odforecast.publication import last_published
from odforecast.seeds import Streams

if TYPE_CHECKING:
    from odforecast.vintage import Archive

#: Kinds of origins there are.
KINDS = (VINTAGE_DELAYED, VINTAGE_CLEAN, VINTAGE_REAL)
#: First origin of pseudo-vintages unless told otherwise.
FIRST = "2019-01"
#: Months known at the first origin of counties, whose file begins in 2020; and months that the
#: last one has after it, for the shortest horizon that is scored.
COUNTY_KNOWN = 18
COUNTY_AHEAD = 3


@dataclass(frozen=True)
class Origin:
    """One point in time to forecast from.

    Attributes
    ----------
    as_of : datetime.date
        The day of the forecast.
    vintage : str
        ``real``, ``pseudo-clean`` or ``pseudo-delayed``.
    panel : Panel or None
        What was known; None with a ``reason``.
    reason : str
        Why there is no panel.
    donor : str
        Donor release of a pseudo-delayed origin; else empty.
    distance : int or None
        Months by which the donor's last closed December was shifted.
    """

    as_of: dt.date
    vintage: str
    panel: Panel | None
    reason: str = ""
    donor: str = ""
    distance: int | None = None

    def __post_init__(self) -> None:
        if not self.donor and self.panel is not None and self.panel.donor:
            object.__setattr__(self, "donor", self.panel.donor.partition("/")[0])


def as_dict(origin: Origin) -> dict[str, Any]:
    """An origin as the manifest of a run, and the fingerprint of a task, list it."""
    panel = origin.panel
    return {
        "as_of": str(origin.as_of),
        "vintage": origin.vintage,
        "donor": origin.donor,
        "donor_distance": origin.distance,
        "last_month": None if panel is None else str(panel.last_month),
        "release": None if panel is None else str(panel.release),
        "data_hash": None if panel is None else panel.data_hash,
        "reason": origin.reason,
    }


def labels_of(origin: Origin) -> dict[str, Any]:
    """What every row of its tables is labelled with."""
    panel = origin.panel
    distance = origin.distance
    month = (
        None
        if panel is None
        else pd.Timestamp(panel.last_month.astype("datetime64[s]"))
    )
    return {
        "as_of": pd.Timestamp(origin.as_of),
        "last_month": month,
        "vintage": origin.vintage,
        "donor": origin.donor if panel is None else panel.donor,
        "donor_distance": np.nan if distance is None else float(distance),
    }


def origins(
    archive: Archive,
    kind: str | None = None,
    start: object | None = None,
    end: object | None = None,
    step: int | None = None,
    donors: int = DEFAULT_DONORS,
    indicator: str = "all-drugs",
    dataset: str = STATES,
) -> list[Origin]:
    """Origins to forecast from.

    Parameters
    ----------
    kind : {"pseudo-delayed", "pseudo-clean", "real"}, optional
        Months of the newest release made as incomplete as other releases were, months complete to
        the end, or one origin per release. Default: delayed for states, clean for counties.
    start, end : month, optional
        First and last **last known month**. Default for pseudo-vintages: 2019-01 to 12 months
        before the end of the newest release; for real ones: all.
    step : int, optional
        Months between pseudo-vintages; default 1, for counties 3.
    donors : int
        Donor releases per month, each of which makes an origin
        (:func:`odforecast.backtesting.origin.drawn`).

    Returns
    -------
    list of Origin
        Releases without usable counts have no panel, with the reason.

    Raises
    ------
    BacktestError
        If the kind is unknown, no origin is in the span, or a delay is requested for anything but
        overdose deaths of all drugs in the states.

    Examples
    --------
    >>> import odforecast as od
    >>> found = od.origins(od.bundled(), "pseudo-clean", start="2024-01", end="2024-02")
    >>> [str(o.as_of) for o in found]
    ['2024-06-15', '2024-07-15']
    >>> [(o.donor, o.distance) for o in od.origins(od.bundled(), start="2024-01", end="2024-01")]
    [...]
    """
    counties = dataset == COUNTIES
    kind = kind or (VINTAGE_CLEAN if counties else VINTAGE_DELAYED)
    step = step if step is not None else COUNTY_STEP if counties else 1
    if kind == VINTAGE_REAL:
        return _real(archive, start, end=end, indicator=indicator, dataset=dataset)
    if kind not in KINDS:
        raise BacktestError(
            f"unknown kind of origins {kind!r}", hint=one_of(kind, KINDS)
        )
    if kind == VINTAGE_DELAYED and (
        indicator_name(indicator) != ALL_DRUGS or dataset != STATES
    ):
        raise BacktestError(
            f"the delay of {indicator!r} ({dataset}) is not known: donor releases show it for "
            "overdose deaths of all drugs in the states only",
            hint=f"take {VINTAGE_CLEAN!r} origins, or {VINTAGE_REAL!r} ones",
        )
    panel = archive.as_of(dataset=dataset).panel(indicator, dataset)
    settled = np.datetime64(panel.last_month - 12 * ONE_MONTH, "M")
    if counties:
        start = start or panel.months[0] + (COUNTY_KNOWN - 1) * ONE_MONTH
        end = end or min(
            panel.last_month - COUNTY_AHEAD * ONE_MONTH, panel.settled_through
        )
    last = settled if end is None else to_month(end, 12)
    if kind == VINTAGE_DELAYED and last > settled:
        # On counts that are incomplete themselves, the donor's delay would come on top.
        raise BacktestError(
            f"the counts after {settled} are not final in release {panel.release}: no delay can "
            f"be added to {last}",
            hint=f"end at {settled}, or take {VINTAGE_REAL!r} origins",
        )
    if kind == VINTAGE_CLEAN:
        return cuts(
            panel,
            start=start or FIRST,
            end=last,
            step=step,
        )
    from odforecast.vintage.donors import available

    return delays(
        panel,
        available(archive),
        start=start or FIRST,
        end=last,
        step=step,
        donors=donors,
    )


def _real(
    archive: Archive,
    start: object | None,
    end: object | None,
    indicator: str,
    dataset: str,
) -> list[Origin]:
    """One origin per release, seen on its release date; releases outside the span left out."""
    first = None if start is None else to_month(start, 1)
    last = None if end is None else to_month(end, 12)
    origins = []
    for date in archive.releases(dataset):
        panel = None
        reason = ""
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
        origins.append(Origin(date, VINTAGE_REAL, panel=panel, reason=reason))
    ends = {o.as_of: o.panel.last_month for o in origins if o.panel is not None}
    copies = archive.copies(ends, dataset)
    origins = [
        o
        if o.as_of not in copies
        else Origin(o.as_of, VINTAGE_REAL, panel=None, reason=copies[o.as_of])
        for o in origins
    ]
    if not origins:
        raise BacktestError(
            f"no release with a last month in {start or '…'}..{end or '…'}",
            hint=f"the archive has {len(archive.releases(dataset))} releases of {dataset}",
        )
    return origins


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
    panels = [panel.cut(m) for m in _months(panel, start, end=end, step=step)]
    return [Origin(p.as_of, p.vintage, panel=p) for p in panels]


def delays(
    panel: Panel,
    available: Sequence[Donor],
    *,
    start: object,
    end: object,
    step: int = 1,
    donors: int = DEFAULT_DONORS,
) -> list[Origin]:
    """Pseudo-vintages with delay from one later panel, every ``step`` months, ``donors`` each."""
    out = []
    for month in _months(panel, start, end=end, step=step):
        for donor in drawn(month, available, n=donors):
            seen = panel.delayed(month, donor)
            distance = donor.distance(month)
            out.append(
                Origin(
                    seen.as_of,
                    seen.vintage,
                    panel=seen,
                    reason="",
                    donor=str(donor.release),
                    distance=distance,
                )
            )
    return out


def _months(panel: Panel, start: object, end: object, step: int) -> Months:
    """Last known months, checked."""
    first = to_month(start, 1)
    last = to_month(end, 12)
    if step < 1:
        raise BacktestError(f"step must be at least 1 month, got {step}")
    if first > last:
        raise BacktestError(f"no origins: start {first} lies after end {last}")
    if first < panel.months[0] or last > panel.months[-1]:
        raise BacktestError(
            f"origins {first}..{last} lie outside the panel", hint=f"it has {panel!r}"
        )
    return np.arange(first, last + ONE_MONTH, step * ONE_MONTH)


#: Months by which a December may be moved before the other era's donor is taken instead.
FAR = 3


def drawn(
    month: np.datetime64, available: Sequence[Donor], n: int = DEFAULT_DONORS
) -> list[Donor]:
    """The donors of an origin: eras alternate, within an era the nearest in the calendar."""
    if n < 1:
        raise BacktestError(f"donors must be at least 1, got {n}")
    if not available:
        raise BacktestError("there is no donor to take the delay from")
    month = np.datetime64(month, "M")
    streams = Streams(DEFAULT_SEED, STATES, indicator=ALL_DRUGS, last_month=str(month))
    ordered = sorted(available, key=lambda d: d.release)
    first = int(streams.generator("donor-era").integers(len(ERAS)))
    out: list[Donor] = []
    for number in range(n):
        era = ERAS[(first + number) % len(ERAS)]
        unused = [d for d in ordered if d not in out]
        of_era = [d for d in unused if d.era == era]
        nearby = [
            [d for d in pool if d.distance(month) <= FAR] for pool in (of_era, unused)
        ]
        pools = (*nearby, of_era, unused, ordered)
        pool = next(p for p in pools if p)
        least = min(d.distance(month) for d in pool)
        nearest = [d for d in pool if d.distance(month) == least]
        out.append(
            nearest[int(streams.generator(f"donor-{number}").integers(len(nearest)))]
        )
    return out


def usual_places(panels: Iterable[Panel]) -> tuple[str, ...]:
    """Places that are scored where none are named: all but Puerto Rico."""
    return tuple(dict.fromkeys(s for p in panels for s in p.locations if s != "PR"))
