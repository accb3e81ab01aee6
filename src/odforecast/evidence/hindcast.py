"""Hindcasts: standing in December 2022, were the 2024 counts inside the scenarios?

Two, which must not be mixed up. *Leave this episode out*: the prior comes from episodes before
2023 alone; that is the rung that counts. *Plumbing*: the prior has the size of the fall that it
explains, so that its intervals hold says that the pipes are connected, and is no evidence.
Draws of several seeds are put together, so that no verdict hangs on one draw of luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.evidence.episodes import prior_from_episodes
from odforecast.models import Model
from odforecast.months import to_month
from odforecast.names import TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.scenario.file import named_intervention
from odforecast.scenario.intervention import NATION, NULL, Intervention, Scenario
from odforecast.scenario.priors import LogNormal, Normal, Uniform
from odforecast.scenario.projection import project

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOCK = "supply-shock-2023-like"

#: Name of the scenario whose prior knows nothing of the episode.
EARLIER = "episodes-before-2023"

#: Seeds whose draws are put together.
SEEDS = 5

#: Last known month, and the 12-month-ending counts that are looked at.
ORIGIN, SCORED = "2022-12", ("2024-01", "2024-12")


def check_leave_this_out(
    panel: Panel,
    model: Model,
    *,
    origin: object = ORIGIN,
    scored: tuple[str, str] = SCORED,
    draws: int = 1000,
    seed: int = 1,
    seeds: int = SEEDS,
    level: float = 0.9,
) -> CheckResult:
    """Project from December 2022 with what earlier episodes taught, and look at 2024.

    The size is the normal predictive of the episodes before 2023, on deaths with fentanyl; it
    begins in some month of 2023, each as likely; lag up to 9 months, ramp up to 12, half-life
    LogNormal(12, 0.7): what those episodes showed. That something happened in 2023 is still
    hindsight.

    Parameters
    ----------
    panel, model, origin, scored, draws, level
        As in :func:`check_hindcast`.
    seed, seeds : int
        First seed, and how many are put together.

    Returns
    -------
    CheckResult
        As of :func:`check_hindcast`. Passed when the interval holds the nation's last count,
        all seeds put together.
    """
    mean, sd, names = prior_from_episodes("2023-01")
    shock = Intervention(
        EARLIER, Normal(mean, sd), onset=("2023-01", "2023-12"), scope="T40.4",
        lag=Uniform(0, 9), ramp=Uniform(0, 12), half_life=LogNormal(12, 0.7),
        source=f"episodes of the catalogue before 2023: {', '.join(names)}",
    )  # fmt: skip
    table, by_seed = _project(
        panel, model, Scenario(EARLIER, (shock,)), origin, scored, draws, seed, seeds, level
    )
    inside = _nation(table, scored)
    text = (
        f"{model.label}, last known month {to_month(origin)}. The prior, from {len(names)} "
        f"episodes before 2023: {mean:+.2f} (sd {sd:.2f}) on deaths with fentanyl. "
        f"{_told(table, level, scored)} Over {seeds} seeds the nation's share inside was "
        f"{_range(by_seed, EARLIER)}. That something happened in 2023 is hindsight; its size is "
        "not."
    )
    passed = bool(inside[EARLIER]) if EARLIER in inside.index else None
    name = "leave-this-episode-out"
    return CheckResult(name, passed, table, text, {name: lambda: _figure(table, panel)})


def check_hindcast(
    panel: Panel,
    model: Model,
    *,
    origin: object = ORIGIN,
    onset: object = "2023-07",
    scored: tuple[str, str] = SCORED,
    draws: int = 1000,
    seed: int = 1,
    seeds: int = SEEDS,
    level: float = 0.9,
) -> CheckResult:
    """Plumbing: forecast from December 2022 under a shock of the size of the fall.

    Size and onset of the shock are those of the fall itself: that its intervals hold is no
    evidence for it. Reported, never passed or failed.

    Parameters
    ----------
    panel : Panel
        A later release; cut at ``origin`` for the model (a pseudo-vintage without thinning).
    model : Model
        Any model of months.
    origin, onset : month
        Last known month; month in which the shock begins.
    scored : pair of months
        First and last 12-month-ending count scored.
    draws : int
        Of each seed.
    seed, seeds : int
        First seed, and how many are put together.
    level : float
        Central interval.

    Returns
    -------
    CheckResult
        One row per scenario, location and month: ``observed, low, median, high, covered``.
    """
    shock = Scenario(SHOCK, (named_intervention(SHOCK, onset=str(to_month(onset))),))
    table, by_seed = _project(panel, model, shock, origin, scored, draws, seed, seeds, level)
    text = (
        f"Plumbing, not evidence: the prior has the size of what it explains. {model.label}, last "
        f"known month {to_month(origin)}, shock from {to_month(onset)}. "
        f"{_told(table, level, scored)} Over {seeds} seeds the nation's share inside was "
        f"{_range(by_seed, SHOCK)} under the shock, {_range(by_seed, 'null')} without."
    )
    name = "hindcast-plumbing"
    return CheckResult(name, None, table, text, {name: lambda: _figure(table, panel)})


def _project(
    panel: Panel,
    model: Model,
    scenario: Scenario,
    origin: object,
    scored: tuple[str, str],
    draws: int,
    seed: int,
    seeds: int,
    level: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Intervals of all seeds' draws together, and coverage of each seed's own."""
    first, last = map(to_month, scored)
    end = to_month(origin)
    if last > panel.last_month:
        raise ScenarioError(
            f"the panel ends {panel.last_month}, allowed: a release that holds {last}"
        )
    fitted = model.fit(panel.cut(end))
    horizon = int((last - end).astype(int))
    probs = ((1 - level) / 2, 0.5, (1 + level) / 2)
    pooled: dict[str, list[Floats]] = {NULL.name: [], scenario.name: []}
    rows = []
    for s in range(seed, seed + seeds):
        projection = project(fitted, [NULL, scenario], horizon, draws, s)
        if projection.can_add:
            projection = projection.with_nation()
        months = projection.baseline.months
        span = (months >= first) & (months <= last)
        columns = np.searchsorted(panel.months, months[span])
        locations = projection.baseline.locations
        observed = np.stack([panel.reported[panel.index(x)][columns] for x in locations])
        for name, kept in pooled.items():
            samples = projection.forecast(name).samples(TARGET_12MO)[:, :, span]
            kept.append(samples)
            low, _, high = np.quantile(samples, probs, axis=0)
            inside = (observed >= low) & (observed <= high)
            us = [i for i, x in enumerate(locations) if x == NATION]
            rows.append({"seed": s, "scenario_id": name, "nation": inside[us].mean()
                         if us else np.nan})  # fmt: skip
    frames = []
    for name, kept in pooled.items():
        low, middle, high = np.quantile(np.concatenate(kept), probs, axis=0)
        for i, x in enumerate(locations):
            frames.append(
                pd.DataFrame(
                    {
                        "scenario_id": name,
                        "location": x,
                        "month": months[span].astype(str),
                        "observed": observed[i],
                        "low": low[i],
                        "median": middle[i],
                        "high": high[i],
                        "covered": (observed[i] >= low[i]) & (observed[i] <= high[i]),
                    }
                )
            )
    table = pd.concat(frames, ignore_index=True)
    return table[np.isfinite(table["observed"])].reset_index(drop=True), pd.DataFrame(rows)


def _nation(table: pd.DataFrame, scored: Sequence[str]) -> pd.Series[bool]:
    """Whether the nation's last count is inside, by scenario."""
    here = table[(table["location"] == NATION) & (table["month"] == scored[1])]
    return here.set_index("scenario_id")["covered"]


def _told(table: pd.DataFrame, level: float, scored: Sequence[str]) -> str:
    summary = coverage_summary(table)
    columns = (summary[c] for c in ("scenario_id", "nation", "jurisdictions"))
    told = "; ".join(
        f"{name}: nation {100 * nation:.0f} %, jurisdictions {100 * rest:.0f} %"
        for name, nation, rest in zip(*columns)
    )
    out = (
        f"Share of 12-month-ending counts {scored[0]}..{scored[1]} inside the {100 * level:g} % "
        f"interval: {told}."
    )
    last = table[(table["location"] == NATION) & (table["month"] == scored[1])]
    if last.empty:
        return out
    rows = (last[c] for c in ("scenario_id", "low", "high"))
    wide = "; ".join(f"{name} {low:,.0f} to {high:,.0f}" for name, low, high in zip(*rows))
    return f"{out} Observed to {scored[1]}: {last['observed'].iloc[0]:,.0f}; {wide}."


def _range(by_seed: pd.DataFrame, name: str) -> str:
    values = by_seed.loc[by_seed["scenario_id"] == name, "nation"]
    return f"{100 * values.min():.0f} to {100 * values.max():.0f} %"


def coverage_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage of a hindcast: ``scenario_id, nation, jurisdictions, median_error`` (percent)."""
    rows = []
    for name, part in table.groupby("scenario_id", sort=False):
        us = part["location"] == NATION
        error = 100.0 * (part["median"] / part["observed"] - 1.0)
        rows.append(
            {
                "scenario_id": name,
                "nation": part.loc[us, "covered"].mean(),
                "jurisdictions": part.loc[~us, "covered"].mean(),
                "median_error_nation": error[us].mean(),
                "median_error_jurisdictions": error[~us].mean(),
            }
        )
    return pd.DataFrame(rows)


def _figure(table: pd.DataFrame, panel: Panel) -> Figure:
    from odforecast.plot.checks import hindcast

    nation = panel.reported[panel.index(NATION)]
    return hindcast(table[table["location"] == NATION], panel.months, nation)
