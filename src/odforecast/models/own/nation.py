"""A nation that is not the sum of its places, moved as those are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models.own.move import Told, logs_of, moved_by
from odforecast.months import ONE_MONTH, Months
from odforecast.names import LOCATION
from odforecast.panel import Floats


def months_of(made: Forecast, state: str) -> tuple[Floats, Months]:
    """Months of a place in every draw, shape (D, n), known ones before them where drawn."""
    i = made.locations.index(state)
    if made.known.ndim == 2:
        return made.draws[:, i], made.months
    first = made.months[0] - 11 * ONE_MONTH
    paths = np.concatenate([made.known[:, i], made.draws[:, i]], axis=1)
    return paths, np.arange(first, made.months[-1] + ONE_MONTH)


def moves(made: Forecast, state: str, months: Floats) -> bool:
    """Whether a place's months, shape (D, n), are other ones than were drawn."""
    return not np.array_equal(months, months_of(made, state)[0], equal_nan=True)


def nation_beside(
    made: Forecast, moved: Mapping[str, Floats], files: Mapping[str, Told], linear: bool
) -> Floats | None:
    """Months of a nation that is not the sum of its places, moved as those are; None if it stays.

    A drug class's nation is in every draw its places and a rest: that one stays. The months of a
    nation modelled on its own are other draws than its places'. Their logs take on the change of
    the mean and of the variance of its places and a rest, which moves as those without a file do.
    """
    units = [s for s in made.locations if s in JURISDICTIONS]
    if LOCATION not in made.joint or NATION not in made.locations or not units:
        return None
    if not any(s in moved and moves(made, s, moved[s]) for s in units):
        return None
    us = months_of(made, NATION)[0]

    def months(states: Sequence[str], new: Mapping[str, Floats]) -> Floats:
        rows = [new[s] if s in new else months_of(made, s)[0] for s in states]
        return np.sum(rows, axis=0) + np.zeros_like(us)

    before, after = months(units, {}), months(units, moved)
    if not linear:
        within = np.isfinite(before).all() and (us - before >= -1e-6).all()
        return np.maximum(us + after - before, 0.0) if within else None
    free = [s for s in units if s not in files]
    was, now = months(free, {}), months(free, moved)
    rest = np.maximum(us.mean(axis=0) - before.mean(axis=0), 0.0)
    there = was.mean(axis=0) > 0
    times = np.where(there, rest / np.where(there, was.mean(axis=0), 1.0), 0.0)
    still = np.where(there, 0.0, rest)
    logs = logs_of(us)
    old, new = logs_of(before + times * was + still), logs_of(after + times * now + still)
    shift = new.mean(axis=0) - old.mean(axis=0)
    left = logs.var(axis=0) - old.var(axis=0) + new.var(axis=0)
    left = np.maximum(left, np.minimum(logs.var(axis=0), new.var(axis=0)))
    varies = logs.std(axis=0) > 1e-12
    narrower = np.where(varies, np.sqrt(left) / np.where(varies, logs.std(axis=0), 1.0), 1.0)
    shift = shift + (narrower - 1.0) * (logs - logs.mean(axis=0))
    return moved_by(shift, logs, us)
