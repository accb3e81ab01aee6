"""Scores of a forecast as a whole: its draws over places and months at once.

Scores of single units see no dependence: draws shuffled between places have the same. The energy
score is one number for the whole vector, and hardly sees it either. What depends on it is what
people add up and read off a path: regional and national sums of states' draws, the largest change
on the way, the month of the peak, the turn. They are scored here, each beside a **control**: the
same draws, shuffled between places, so that every place's own distribution is unchanged and all
dependence between places is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, whole
from odforecast.forecast import Forecast
from odforecast.geography import NATION
from odforecast.names import LOCATION, MONTH, STATES, TARGET_12MO
from odforecast.scoring.asked import forecast_and_truth, months_ahead
from odforecast.scoring.energy import miss_distances, pair_distances
from odforecast.scoring.joint_paths import paths_of
from odforecast.scoring.joint_rows import JOINT_COLUMNS, NO_LOG, Row, counted, joint_table
from odforecast.scoring.worlds import (
    NOT_MONTHS,
    NOT_PLACES,
    World,
    first_reason,
    shuffled,
    sums_of,
    worlds_of,
)

if TYPE_CHECKING:
    from odforecast.scoring.truth import Truth

__all__ = ["JOINT_COLUMNS", "joint_scores", "shuffled"]

Floats = NDArray[np.float64]

#: All places, or all months, together.
ALL: Final = "all"


def joint_scores(
    forecast: Forecast,
    truth: Truth,
    seed: int = 1,
    target: str = TARGET_12MO,
    horizons: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Scores of one forecast that depend on what its draws are joint over.

    Parameters
    ----------
    forecast : Forecast
        Of states; months up to the last known one are left out.
    truth : Truth
    seed : int
        Of the control's shuffles and of what breaks the PIT's ties. Places keep their own streams.
    target : {"deaths_12mo", "deaths_month"}
        Statistics of paths (``largest_rise``, ``largest_fall``, ``peak_month``, ``turn``) are of
        12-month counts only.
    horizons : sequence of int, optional
        Only these months after the panel's last; default: all. Paths run over these.

    Returns
    -------
    DataFrame
        One row per statistic, place and horizon, and once more with ``control`` True where
        places are joined. Columns :data:`JOINT_COLUMNS`; ``statistic`` is

        ``energy``
            The fair energy score (:func:`odforecast.scoring.energy_score`) of **log(1 + deaths)**
            of all places but the nation: at each horizon over places (``place`` ``"all"``),
            at each place over horizons (``horizon`` -1, ``month`` missing), and over both. On
            deaths, California would be the score; on logs each place counts by its relative error.
            The mean distance between draws is taken over 64,000 pairs (of 1,000 draws), not all.
            Places are those whose count is known; where a draw of one of them is below zero, it
            has no log and the vector no score.
        ``sum``
            The sum of states' draws: each census region and ``US``, at each horizon. ``score``
            is WIS, in deaths. The truth is the sum of the parts' counts, where all can be scored.
        ``largest_rise``, ``largest_fall``
            The largest (smallest) change of the 12-month count on a year earlier in the months
            forecast. ``score`` is WIS, in deaths.
        ``peak_month``
            Horizon at which the 12-month count is highest, the first of several. ``score`` is
            the ranked probability score over the horizons, ``log_score`` minus the log of the
            share of draws that name it (at most 10).
        ``turn``
            Whether the direction has changed within 3, 6 and 12 months
            (:func:`odforecast.scoring.turning_scores`): ``median`` is the chance, ``observed`` 1 or
            0, ``score`` the Brier score.

        Paths are scored for each place, and for each sum. ``scorable`` is False, with the
        ``reason``, where a count is not known, a part is not forecast, or **the draws are not
        joint over the axis**: nothing is faked there. A forecast of counties has no rows.

    Raises
    ------
    ForecastError
        If the forecast does not have the target.
    ScoringError
        If it has fewer than two draws, is no forecast, the truth is no
        :class:`~odforecast.scoring.Truth`, or horizons are none that it has.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_scores(made, od.Truth(panel))
    >>> us = table[(table["statistic"] == "sum") & (table["place"] == "US")]
    >>> us.groupby("control").size().to_dict()
    {False: 12, True: 12}
    >>> apart = od.get_model("drift").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_scores(apart, od.Truth(panel))
    >>> table.loc[table["statistic"] == "sum", "reason"].unique().tolist()
    ['the draws are not joint over places']
    """
    forecast_and_truth(forecast, truth)
    whole("seed", seed, 0, ScoringError)
    if forecast.panel is not None and forecast.panel.dataset != STATES:
        return joint_table([], target)
    months = np.flatnonzero(forecast.horizons >= 1)
    if horizons is not None:
        wanted = months_ahead(horizons, forecast.horizons[months].tolist())
        months = months[np.isin(forecast.horizons[months], wanted)]
    rows = [i for i, place in enumerate(forecast.locations) if place != NATION]
    if not months.size or not rows:
        return joint_table([], target)
    if len(forecast.draws) < 2:
        raise ScoringError(
            f"{len(forecast.draws)} draw has no joint scores", hint="forecast with two or more"
        )
    worlds = worlds_of(forecast, truth, seed, target, rows, months)
    out: list[Row] = []
    for world in worlds:
        out += _energies(world)
        out += _sums(world)
        if target == TARGET_12MO:
            out += paths_of(world)
    return joint_table(out, target)


def _energies(world: World) -> list[Row]:
    """Energy scores of log counts over places, over horizons and over both."""
    over_places, over_both = world.row("energy", ALL), world.row("energy", ALL)
    # Which places count hangs on what came, never on the draws: a model that could leave out a
    # place with a draw below zero would choose what it is scored on.
    usable, logged = np.isfinite(world.observed), (world.draws >= 0).all(axis=0)
    whole = usable.all(axis=1)
    below = usable & ~logged
    logs = np.log1p(np.where(usable & logged, world.draws, 0.0))[world.order]
    y = np.log1p(np.where(usable, world.observed, 0.0))
    miss, apart = miss_distances(logs, y, whole), pair_distances(logs, whole)
    n_months = world.horizons.size
    out: list[Row] = []
    for m, h in enumerate(world.horizons):
        n = int(usable[:, m].sum())
        row = partial(over_places, horizon=int(h), month=world.months[m], n_places=n, n_months=1)
        why = "" if world.joint(LOCATION) else NOT_PLACES
        why = why or ("" if n > 1 else _lacking(world, m))
        why = why or _no_log(world, below[:, m])
        score = float(miss.by_month[m] - apart.by_month[m] / 2)
        out.append(row(reason=why) if why else row(score=score))
    row = partial(over_both, n_places=int(whole.sum()), n_months=n_months)
    why = "" if world.joint(LOCATION) else NOT_PLACES
    why = why or ("" if world.joint(MONTH) else NOT_MONTHS)
    why = why or ("" if whole.sum() > 1 else "fewer than two places can be scored in all months")
    why = why or _no_log(world, below[whole].any(axis=1), whole)
    out.append(row(reason=why) if why else row(score=float(miss.both - apart.both / 2)))
    if world.control:  # a place's own path is the same one
        return out
    for i, place in enumerate(world.places):
        row = partial(world.row("energy", place), n_places=1, n_months=n_months)
        why = "" if world.joint(MONTH) else NOT_MONTHS
        why = why or first_reason(world.why[i]) or ("" if logged[i].all() else NO_LOG)
        score = float(miss.by_place[i] - apart.by_place[i] / 2)
        out.append(row(reason=why) if why else row(score=score))
    return out


def _no_log(world: World, below: NDArray[np.bool_], of: NDArray[np.bool_] | None = None) -> str:
    """Why there is no score on the log scale, of places with a draw below zero."""
    if not below.any():
        return ""
    at = np.arange(len(world.places)) if of is None else np.flatnonzero(of)
    first = world.places[int(at[below][0])]
    return f"{NO_LOG}: {first}" + (f" and {int(below.sum()) - 1} more" if below.sum() > 1 else "")


def _lacking(world: World, m: int) -> str:
    why = first_reason(world.why[:, m])
    return f"fewer than two places can be scored{f': {why}' if why else ''}"


def _sums(world: World) -> list[Row]:
    """Sums of states' draws: WIS, coverage and PIT."""
    out: list[Row] = []
    for made in sums_of(world):
        base = partial(world.row("sum", made.name), n_places=made.n_parts, n_months=1)
        observed = world.observed[made.parts].sum(axis=0)
        scores: dict[str, Floats] = {}
        if not made.reason:
            draws = world.draws[:, made.parts].sum(axis=1)
            labels = [(*world.key, "sum", made.name, int(h)) for h in world.horizons]
            scores = counted(draws, observed, labels)
        for m, h in enumerate(world.horizons):
            row = partial(base, horizon=int(h), month=world.months[m])
            why = made.reason or first_reason(world.why[made.parts, m])
            out.append(row(reason=why) if why else row(**{k: v[m] for k, v in scores.items()}))
    return out
