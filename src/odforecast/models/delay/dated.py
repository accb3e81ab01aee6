"""The delay's constants that ship, in dated sets, and each set again without one release.

``make constants`` writes the table; nothing else does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

from odforecast.models.constants import read_rows
from odforecast.panel import Panel

#: Columns of ``delay.csv``: ``without`` is the release left out, or empty.
COLUMNS = ("cutoff", "without", "name", "value", "low", "high", "how", "method")


@dataclass(frozen=True)
class Delays:
    """How much of what is pending arrives, and how far that is known.

    See :mod:`odforecast.models.delay.deficit` for what each means. Spreads are standard
    deviations.

    Attributes
    ----------
    kappa : float
        Share of the records pending beyond what stays pending that end as overdose deaths.
    kappa_error : float
        Relative error of ``kappa``.
    kappa_old, old_error : float
        What of that arrives of months more than a year old, over that of the younger ones, and by
        how much single releases differ in it.
    kappa_predicted : float
        Share of the excess of CDC's predicted count that arrives.
    sd_own, sd_shared : float
        Relative error of the late arrivals of a jurisdiction, and what a release shares.
    noise : float
        Relative error of a single month's late arrivals.
    revision_own, revision_shared : float
        Arrivals that nothing announced, as a share of the last count.
    revision_decay : float
        Share of them that goes on to the month before, month by month.
    revision_noise : float
        The same for a single month.
    closing_share : float
        Share of jurisdictions whose closed year is cut by its final file.
    closing_size : float
        Mean cut of those, as a share of the year's count, in December.
    closing_own, closing_shared : float
        Other changes of a year whose file has closed, in either direction, as a share of its
        count: a jurisdiction's own, and what all share.
    late, late_decay : float
        Late share of a month's deaths six months after its end, and its log decline a month:
        where a release says nothing on how incomplete it is.
    late_own, late_shared : float
        Relative error of that.
    """

    kappa: float
    kappa_error: float
    kappa_old: float
    old_error: float
    kappa_predicted: float
    sd_own: float
    sd_shared: float
    noise: float
    revision_own: float
    revision_shared: float
    revision_decay: float
    revision_noise: float
    closing_share: float
    closing_size: float
    closing_own: float
    closing_shared: float
    late: float
    late_decay: float
    late_own: float
    late_shared: float


NAMES = tuple(f.name for f in fields(Delays))


@cache
def all_delays() -> dict[tuple[dt.date, str], Delays]:
    """Every set that ships, by cut-off and release left out."""
    text = resources.files("odforecast.models.delay").joinpath("delay.csv").read_text("utf-8")
    sets: dict[tuple[dt.date, str], dict[str, float]] = {}
    for row in read_rows(text):
        key = (dt.date.fromisoformat(row["cutoff"]), row["without"])
        sets.setdefault(key, {})[row["name"]] = float(row["value"])
    return {key: Delays(**values) for key, values in sets.items()}


def dated_key(panel: Panel) -> tuple[dt.date, str]:
    """Cut-off of the newest set that was known on the panel's day, and the release to leave out:
    its own or its donor's.

    Before the first cut-off there is none that was known: the first is taken.
    """
    cutoffs = sorted({cutoff for cutoff, _ in all_delays()})
    known = [c for c in cutoffs if c <= panel.as_of] or cutoffs[:1]
    return known[-1], panel.donor.partition("/")[0] or panel.release.isoformat()


def dated_set(panel: Panel) -> Delays:
    """The newest set that was known on a panel's day, without its own or its donor's release."""
    sets = all_delays()
    cutoff, without = dated_key(panel)
    return sets.get((cutoff, without), sets[cutoff, ""])
