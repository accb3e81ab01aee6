"""Power: the smallest effect that could be seen, by months of data after it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from odforecast.data.locations import JURISDICTIONS
from odforecast.errors import ScenarioError
from odforecast.panel import Floats, Panel, to_month
from odforecast.scenario.check import CheckResult
from odforecast.scenario.intervention import NATION, Intervention, rise_and_fade
from odforecast.scenario.recovery import EffectPosterior, estimate_effect
from odforecast.scenario.sensitivity import Identifiability, identifiability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Months after the onset at which the detectable effect is given.
AFTER = (3, 6, 9, 12, 18, 24, 30, 36)


def check_detectable(
    panel: Panel,
    *,
    after: Sequence[int] = AFTER,
    ramp: float = 6.0,
    half_life: float = 12.0,
    power: float = 0.8,
    size: float = 0.05,
) -> CheckResult:
    """Minimum detectable effect against months of data.

    The panel's own months are taken as they are, an onset is put k months before their end,
    and the posterior sd of the size gives the effect that a two-sided test of the given size
    finds with the given power: ``(z(1 - size/2) + z(power)) sd``. It is what could be seen
    if onset and shape were **known** and nothing else happened: a lower bound.

    Parameters
    ----------
    panel : Panel
        Jurisdictions (all that have gapless months are used), or US alone.
    after : sequence of int
        Months after the onset.
    ramp, half_life : float
        Shape of the effect, months.
    power, size : float
        Of the test.

    Returns
    -------
    CheckResult
        ``months_after, sd, minimum_log_rr, minimum_percent`` (deaths must change by at least
        this much, at full effect, to be seen).
    """
    months = _gapless(panel)
    factor = float(norm.ppf(1 - size / 2) + norm.ppf(power))
    rows = []
    for k in after:
        n_time = months.shape[1]
        if k > n_time - 24:
            raise ScenarioError(f"{n_time} months are too few for {k} months after an onset")
        since = np.arange(n_time, dtype=float)[None] - (n_time - k)
        shape = rise_and_fade(since, np.array([ramp]), np.zeros(1), np.array([half_life]))[0]
        sd = estimate_effect(months, shape).sd
        rows.append(
            {
                "months_after": k,
                "sd": sd,
                "minimum_log_rr": -factor * sd,
                "minimum_percent": 100.0 * np.expm1(-factor * sd),
            }
        )
    table = pd.DataFrame(rows)
    year = table.iloc[int((table["months_after"] - 12).abs().to_numpy().argmin())]
    text = (
        f"With {months.shape[0]} location(s) and {year['months_after']:.0f} months after a known "
        f"onset, only an effect of {year['minimum_percent']:.0f} % or more would be seen with "
        f"{100 * power:g} % power, if nothing else happened."
    )
    return CheckResult("detectable", None, table, text, {"detectable": lambda: _figure(table)})


def past_effect(
    panel: Panel, intervention: Intervention
) -> tuple[EffectPosterior, Identifiability]:
    """Posterior against prior for an intervention in the past.

    Shape from the medians of its priors; the normal prior has the mean and sd of its size,
    the possibility of no effect included. The answer is "how large, if something of this
    shape happened then and nothing else did", not "who did it".

    Parameters
    ----------
    panel : Panel
        Jurisdictions, or US alone.
    intervention : Intervention
        With an onset inside the panel.

    Returns
    -------
    posterior : EffectPosterior
    report : Identifiability
        Prior-dominated if the posterior sd exceeds 0.8 of the prior's.
    """
    prior = intervention.prior
    shape = intervention.curve(panel.month_grid)
    posterior = estimate_effect(
        _gapless(panel), shape, prior_mean=prior.mean, prior_sd=prior.sd, spread=intervention.spread
    )
    return posterior, identifiability(prior.sd, posterior.sd)


def episode_panel(panel: Panel, last_month: object) -> Panel:
    """A panel up to a month, seen the day the panel was: later turns are another story."""
    return panel.cut(to_month(last_month), as_of=panel.as_of, vintage="pseudo-clean")


def _gapless(panel: Panel) -> Floats:
    """Months of all jurisdictions without a gap, or of US where there are none."""
    states = [s for s in panel.locations if s in JURISDICTIONS] or [NATION]
    months = np.stack([panel.monthly[panel.index(s)] for s in states])
    months = months[np.isfinite(months).all(axis=1)]
    if months.size == 0:
        raise ScenarioError("no location has months without a gap")
    return months


def _figure(table: pd.DataFrame) -> Figure:
    from odforecast.scenario.draw import detectable

    return detectable(table)
