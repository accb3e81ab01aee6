"""Statistics of paths: the largest rise and fall, the month of the peak, the turn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from odforecast.names import MONTH
from odforecast.scoring.joint_rows import Row, counted
from odforecast.scoring.trend import ranked_probability_score
from odforecast.scoring.turning import chances, turns_of
from odforecast.scoring.worlds import NOT_MONTHS, Sum, World, first_reason, sums_of

Floats = NDArray[np.float64]

#: Horizons at which the turn is scored.
TURNS: Final = (3, 6, 12)
#: A log score is not allowed to be worse than this.
_FLOOR: Final = -10.0

_NO_YEAR = "a count of the year before is not known"


def paths_of(world: World) -> list[Row]:
    """Statistics of the path of each place, and of each sum."""
    why = "" if world.joint(MONTH) else NOT_MONTHS
    asked: list[Sum] = []
    if not world.control:
        asked += [Sum(place, [i], 1, why) for i, place in enumerate(world.places)]
    asked += [replace(made, reason=made.reason or why) for made in sums_of(world)]
    drawn = [made for made in asked if not made.reason]
    out = [row(reason=made.reason) for made in asked if made.reason
           for row in _path_rows(world, made)]  # fmt: skip
    if not drawn:
        return out
    # All of them at once, (D, U, M): a loop over sixty places took most of the time.
    draws, first, later = (
        np.stack([x[:, made.parts].sum(axis=1) for made in drawn], axis=1)
        for x in (world.draws, world.first, world.later)
    )
    observed, came = (
        np.stack([x[made.parts].sum(axis=0) for made in drawn])
        for x in (world.observed, world.came)
    )
    largest = np.concatenate([later.max(axis=2), later.min(axis=2)], axis=1)
    seen = np.concatenate([came[:, 1:].max(axis=1), came[:, 1:].min(axis=1)])
    labels = [(*world.key, name, made.name) for name in ("rise", "fall") for made in drawn]
    scores = counted(largest, seen, labels)
    chance, happened = chances(first, later), turns_of(came)
    turns = [m for m, h in enumerate(world.horizons) if h in TURNS]
    for u, made in enumerate(drawn):
        rise, fall, peak, *turn = _path_rows(world, made)
        lost = first_reason(world.why[made.parts])
        year = lost or ("" if np.isfinite(later[:, u]).all() and np.isfinite(came[u, 1:]).all()
                        else _NO_YEAR)  # fmt: skip
        for j, row in ((u, rise), (len(drawn) + u, fall)):
            out.append(row(reason=year) if year else row(**{k: v[j] for k, v in scores.items()}))
        named = {} if lost else _peak(draws[:, u], observed[u], world.horizons)
        out.append(peak(reason=lost) if lost else peak(**named))
        for m, row in zip(turns, turn):
            said, fact = float(chance[u, m]), float(happened[u, m])
            known = not np.isnan(said + fact)
            out.append(row(observed=fact, median=said, score=(said - fact) ** 2) if known
                       else row(reason=lost or _NO_YEAR))  # fmt: skip
    return out


def _path_rows(world: World, made: Sum) -> list[partial[Row]]:
    """The rows of one path, without their scores: rise, fall, peak, and each turn."""
    n_months = world.horizons.size
    out = [partial(world.row(name, made.name), n_places=made.n_parts, n_months=n_months)
           for name in ("largest_rise", "largest_fall", "peak_month")]  # fmt: skip
    turn = partial(world.row("turn", made.name), n_places=made.n_parts)
    return out + [partial(turn, horizon=int(h), month=world.months[m])
                  for m, h in enumerate(world.horizons) if h in TURNS]  # fmt: skip


def _peak(draws: Floats, observed: Floats, horizons: NDArray[np.int64]) -> dict[str, float]:
    """Ranked probability and log score of the month of the peak, (D, M) against (M,)."""
    n = horizons.size
    found = draws.argmax(axis=1)
    share = np.bincount(found, minlength=n) / len(found)
    came = int(observed.argmax())
    log_share = max(float(np.log(share[came])) if share[came] else _FLOOR, _FLOOR)
    return {
        "observed": float(horizons[came]),
        "median": float(np.median(horizons[found])),
        "score": float(ranked_probability_score(share, came)) if n > 1 else 0.0,
        "log_score": -log_share,
    }
