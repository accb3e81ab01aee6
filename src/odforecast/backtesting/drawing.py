"""Which donors an origin gets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from odforecast.errors import BacktestError
from odforecast.names import ALL_DRUGS, DEFAULT_DONORS, DEFAULT_SEED, STATES
from odforecast.panel import ERAS, Donor
from odforecast.seeds import Streams

#: Months by which a December may be moved before the other era's donor is taken instead.
FAR = 3


def drawn(month: np.datetime64, found: Sequence[Donor], n: int = DEFAULT_DONORS) -> list[Donor]:
    """The donors of an origin: eras alternate, within an era the nearest in the calendar.

    The eras (newest month 6.5 months old at release, until January 2022; 4.5 since) weigh alike,
    though far fewer releases of the second are in hand: draws alternate between them, and a coin
    says which comes first. Within its era a draw takes the donor whose last closed December lies
    as many months back as the month's own, or the nearest to that; among equally near ones it
    draws. No donor is taken twice while there is another: first of its era, then of the other;
    one that is more than three months away only where there is nothing nearer.

    All random numbers come from streams named by the month and the number of the draw, so that
    every model, every run and every span of origins has the same donors at a month.

    Parameters
    ----------
    month : datetime64[M]
        The origin's last month.
    found : sequence of Donor
        Donors to draw from.
    n : int
        How many.

    Returns
    -------
    list of Donor

    Raises
    ------
    BacktestError
        If there is none to draw from, or none is asked for.

    Examples
    --------
    >>> from odforecast.vintage.donors import shipped
    >>> sorted(d.era for d in drawn(np.datetime64("2024-07"), shipped(), 2))
    ['4.5', '6.5']
    """
    if n < 1:
        raise BacktestError(f"donors must be at least 1, got {n}")
    if not found:
        raise BacktestError("there is no donor to take the delay from")
    month = np.datetime64(month, "M")
    streams = Streams(DEFAULT_SEED, STATES, ALL_DRUGS, str(month))
    ordered = sorted(found, key=lambda d: d.release)
    first = int(streams.generator("donor-era").integers(len(ERAS)))
    out: list[Donor] = []
    for number in range(n):
        era = ERAS[(first + number) % len(ERAS)]
        unused = [d for d in ordered if d not in out]
        mine = [d for d in unused if d.era == era]
        near = [[d for d in pool if d.distance(month) <= FAR] for pool in (mine, unused)]
        pools = (*near, mine, unused, ordered)
        pool = next(p for p in pools if p)
        least = min(d.distance(month) for d in pool)
        nearest = [d for d in pool if d.distance(month) == least]
        out.append(nearest[int(streams.generator(f"donor-{number}").integers(len(nearest)))])
    return out
