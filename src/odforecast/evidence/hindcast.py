"""Hindcast: standing in December 2022, were the 2024 counts inside the scenarios?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.models import Model
from odforecast.months import to_month
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.scenario.intervention import NATION
from odforecast.scenario.project import project
from odforecast.scenario.scenario import NULL, Scenario
from odforecast.scenario.schema import named_intervention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOCK = "supply-shock-2023-like"


def check_hindcast(
    panel: Panel,
    model: Model,
    shares: Mapping[str, float],
    *,
    origin: object = "2022-12",
    onset: object = "2023-07",
    scored: tuple[str, str] = ("2024-01", "2024-12"),
    draws: int = 1000,
    seed: int = 1,
    level: float = 0.9,
) -> CheckResult:
    """Forecast from December 2022 under the null and under a shock, and look at 2024.

    The onset is chosen with hindsight: this asks whether the shock's **size** prior is of the
    right order, not whether anybody could have known.

    Parameters
    ----------
    panel : Panel
        A later release; cut at ``origin`` for the model (a pseudo-vintage without thinning).
    model : Model
        Any model of months.
    shares : mapping of str to float
        Fentanyl shares as known at the origin.
    origin, onset : month
        Last known month; month in which the shock begins.
    scored : pair of months
        First and last 12-month-ending count scored.
    draws, seed : int
        Of the projection.
    level : float
        Central interval.

    Returns
    -------
    CheckResult
        One row per scenario, location and month: ``observed, q05, q50, q95, covered``.
        Passed when the shock covers the nation's last count and the null does not.
    """
    first, last = map(to_month, scored)
    end = to_month(origin)
    if last > panel.last_month:
        raise ScenarioError(
            f"the panel ends {panel.last_month}, allowed: a release that holds {last}"
        )
    cut = panel.cut(end)
    horizon = int((last - end).astype(int))
    fitted = model.fit(cut)
    scenarios = [NULL, Scenario(SHOCK, (named_intervention(SHOCK, onset=str(to_month(onset))),))]
    projection = project(
        fitted, scenarios, horizon, draws, seed, exposures={"fentanyl-share": shares}
    )
    if projection.can_add:
        projection = projection.with_nation()
    span = (projection.baseline.months >= first) & (projection.baseline.months <= last)
    months = projection.baseline.months[span]
    columns = np.searchsorted(panel.months, months)
    probs = ((1 - level) / 2, 0.5, (1 + level) / 2)
    frames = []
    for name, forecast in projection.forecasts.items():
        low, middle, high = forecast.quantiles(probs, TARGET_12MO)[:, :, span]
        for i, state in enumerate(forecast.locations):
            observed = panel.reported[panel.index(state)][columns]
            frames.append(
                pd.DataFrame(
                    {
                        "scenario_id": name,
                        "location": state,
                        "month": months.astype(str),
                        "observed": observed,
                        "low": low[i],
                        "median": middle[i],
                        "high": high[i],
                        "covered": (observed >= low[i]) & (observed <= high[i]),
                    }
                )
            )
    table = pd.concat(frames, ignore_index=True)
    table = table[np.isfinite(table["observed"])].reset_index(drop=True)
    nation = table[(table["location"] == NATION) & (table["month"] == str(last))]
    inside = nation.set_index("scenario_id")["covered"]
    passed = bool(inside[SHOCK] and not inside["null"]) if len(inside) == 2 else None
    summary = coverage_summary(table)
    told = "; ".join(
        f"{name}: nation {100 * nation:.0f} %, jurisdictions {100 * rest:.0f} %"
        for name, nation, rest in zip(
            summary["scenario_id"], summary["nation"], summary["jurisdictions"]
        )
    )
    text = (
        f"{model.label}, last known month {end}, shock from {to_month(onset)}; share of "
        f"12-month-ending counts {first}..{last} inside the {100 * level:g} % interval: {told}. "
        "The onset is hindsight."
    )
    return CheckResult("hindcast", passed, table, text, {"hindcast": lambda: _figure(table, panel)})


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


def _day(month: np.datetime64) -> dt.date:
    """Day on which a month's count was first published: about five months later."""
    day = (
        (month + np.timedelta64(5, "M")).astype("datetime64[D]") + np.timedelta64(14, "D")
    ).item()
    assert isinstance(day, dt.date)
    return day


def _figure(table: pd.DataFrame, panel: Panel) -> Figure:
    from odforecast.plot.style import hindcast

    nation = panel.reported[panel.index(NATION)]
    return hindcast(table[table["location"] == NATION], panel.months, nation)
