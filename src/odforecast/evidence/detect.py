"""Power: the smallest effect that could be seen, by months of data after it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.evidence.recovery import EffectPosterior, estimate_effect
from odforecast.geography.places import JURISDICTIONS
from odforecast.panel import Floats, Panel
from odforecast.scenario.exposure import exposure_vector
from odforecast.scenario.growth import growth_changes
from odforecast.scenario.intervention import NATION, Intervention, rise_and_fade
from odforecast.scenario.schema import named_intervention
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
    months = _gapless(panel)[1]
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
    panel: Panel,
    intervention: Intervention,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
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
    exposures : mapping, optional
        Shares by name, as in :func:`odforecast.scenario.project`.

    Returns
    -------
    posterior : EffectPosterior
    report : Identifiability
        Prior-dominated if the posterior sd exceeds 0.8 of the prior's.
    """
    prior = intervention.prior
    shape = intervention.curve(panel.month_grid)
    states, months = _gapless(panel)
    felt = exposure_vector(intervention.exposure, states, exposures or {}, intervention.name)
    posterior = estimate_effect(
        months,
        shape,
        felt,
        prior_mean=prior.mean,
        prior_sd=prior.sd,
        spread=intervention.spread,
    )
    return posterior, identifiability(prior.sd, posterior.sd)


#: Past events, and the named prior each is an instance of.
PAST = {
    "2017-03": "analogue-scheduling",
    "2018-02": "precursor-scheduling",
    "2019-05": "class-scheduling",
    "2022-08": "cooperation-suspended",
    "2023-07": "supply-shock-2023-like",
    "2023-11": "cooperation-resumed",
}

#: Months after an onset that bear on it: later turns are another story.
WINDOW = 24


def check_identifiability(
    panel: Panel, shares: Callable[[object], Mapping[str, float]]
) -> CheckResult:
    """Posterior against prior for every past event, with its placebo rank.

    One event at a time, with counts up to two years after it, as if nothing else had happened.

    Parameters
    ----------
    panel : Panel
        US and jurisdictions.
    shares : callable
        Takes a month, returns fentanyl shares by location as they were then.

    Returns
    -------
    CheckResult
        ``month, prior, prior_mean, prior_sd, posterior_mean, posterior_sd, ratio,
        prior_dominated, percentile`` (placebo rank among all months).
    """
    ranks = growth_changes(panel).set_index("month")["percentile"]
    rows = []
    for month, name in PAST.items():
        x = named_intervention(name, onset=month)
        last = min(x.onset[0] + np.timedelta64(WINDOW, "M"), panel.last_month)
        seen = panel.cut(last)
        # Exposure as it stood on the eve of the event, not what later years made of it.
        before = x.onset[0] - np.timedelta64(1, "M")
        posterior, report = past_effect(seen, x, {"fentanyl-share": shares(before)})
        rows.append(
            {
                "month": month,
                "prior": name,
                "prior_mean": x.prior.mean,
                "prior_sd": report.prior_sd,
                "posterior_mean": posterior.mean,
                "posterior_sd": report.posterior_sd,
                "ratio": report.ratio,
                "prior_dominated": report.prior_dominated,
                "percentile": float(ranks.get(month, np.nan)),
            }
        )
    table = pd.DataFrame(rows)
    led = table.loc[table["prior_dominated"], "prior"].tolist()
    text = (
        f"Prior-dominated: {', '.join(led) or 'none'}. Where the data did narrow a prior, they "
        "narrowed the size of what happened then, whoever or whatever caused it: never "
        "cooperation's part in it."
    )
    return CheckResult("identifiability", None, table, text, {})


def _gapless(panel: Panel) -> tuple[list[str], Floats]:
    """Months of all jurisdictions without a gap, or of US where there are none."""
    states = [s for s in panel.locations if s in JURISDICTIONS] or [NATION]
    months = np.stack([panel.monthly[panel.index(s)] for s in states])
    whole = np.isfinite(months).all(axis=1)
    if not whole.any():
        raise ScenarioError("no location has months without a gap")
    return [s for s, good in zip(states, whole) if good], months[whole]


def _figure(table: pd.DataFrame) -> Figure:
    from odforecast.plot.style import detectable

    return detectable(table)
