"""Power: the smallest effect that could be seen, by months of data after it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.evidence.placebo import event_ranks
from odforecast.geography.places import JURISDICTIONS
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS
from odforecast.panel import Floats, Panel
from odforecast.scenario.effects import Estimator, EventPosterior, EventSummary
from odforecast.scenario.effects.counts import MANY, PRIOR_OF, past_event, posterior_of
from odforecast.scenario.exposure import exposure_vector
from odforecast.scenario.growth import growth_changes, settled_through
from odforecast.scenario.intervention import ALL, NATION, Intervention
from odforecast.scenario.priors import Fixed, Normal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The widest prior of a size that is allowed; what it says is taken off again.
WIDE = Normal(0.0, 1.5)

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
    and the posterior sd of the size (:class:`~odforecast.scenario.effects.Estimator`, with a prior
    that is next to flat) gives the effect that a two-sided test of the given size finds with the
    given power: ``(z(1 - size/2) + z(power)) sd``. It is what could be seen if onset and shape
    were **known** and nothing else happened: a lower bound.

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
    counts = _gapless(panel)[1]
    months = panel.last_month - np.arange(counts.shape[1])[::-1] * ONE_MONTH
    factor = float(norm.ppf(1 - size / 2) + norm.ppf(power))
    rows = []
    for k in after:
        if not 2 <= k <= months.size - 24:
            few = f"{months.size} months are too few for {k} months after an onset"
            raise ScenarioError(few if k > 1 else f"{k} months after an onset show no effect")
        event = Intervention(
            "known", WIDE, onset=str(months[-k]), ramp=Fixed(ramp), half_life=Fixed(half_life)
        )
        seen = Estimator(months, [event], locations=len(counts), draws=16).posterior(counts)
        precision = 1.0 / seen.sd() ** 2 - 1.0 / WIDE.sd_**2
        sd = precision**-0.5 if precision > 0 else float("inf")
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
        f"With {len(counts)} location(s) and {year['months_after']:.0f} months after a known "
        f"onset, only an effect of {year['minimum_percent']:.0f} % or more would be seen with "
        f"{100 * power:g} % power, if nothing else happened."
    )
    return CheckResult("detectable", None, table, text, {"detectable": lambda: _figure(table)})


def past_effect(
    panel: Panel,
    intervention: Intervention,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    *,
    timings: int = MANY,
    seed: int = 1,
) -> tuple[EventPosterior, EventSummary]:
    """Posterior against prior for an intervention in the past.

    Timing, spread between states and the possibility of no effect are parameters; see
    :mod:`odforecast.scenario.effects`. The answer is "how large, if something of this kind
    happened then and nothing else did", not "who did it".

    Parameters
    ----------
    panel : Panel
        Of the intervention's scope.
    intervention : Intervention
        With an onset inside the panel.
    exposures : mapping, optional
        Shares by name, as in :func:`odforecast.scenario.project`.
    timings, seed : int
        Draws of the timing.
    """
    x = intervention
    felt = exposure_vector(x.exposure, panel.locations, exposures or {}, x.name)
    table = dict(zip(panel.locations, felt.tolist()))
    _, posterior = posterior_of(panel, (x,), (table,), timings=timings, seed=seed)
    return posterior, posterior.summary()


#: Events that cannot be told apart by the counts: each is looked at with the other too.
OVERLAPPING = {
    "supply-shock-2023": "cooperation-resumed",
    "cooperation-resumed": "supply-shock-2023",
}


def check_identifiability(
    panels: Callable[[str], Panel],
    shares: Callable[[object], Mapping[str, float]],
    *,
    timings: int = MANY,
    seed: int = 1,
) -> CheckResult:
    """Posterior against prior for every past event, with its placebo rank.

    One event at a time, and those that overlap in pairs too, with counts of its scope from four
    years before to two years after it, as if nothing else had happened.

    Parameters
    ----------
    panels : callable
        Takes an indicator, returns the panel of US and jurisdictions.
    shares : callable
        Takes a month, returns fentanyl shares by location as they were then.
    timings, seed : int
        Draws of the timing.

    Returns
    -------
    CheckResult
        ``event, month, prior, scope``; ``prior_mean, prior_sd, posterior_mean, posterior_sd,
        low, high`` given an effect; ``ratio`` of the sds; ``prior_p_null, p_null,
        bayes_factor, prior_dominated``; for events that overlap ``together_with,
        together_mean, together_p_null`` (alone, each is credited with what both were followed
        by); ``percentile`` (placebo rank among all months of
        settled counts of all drugs; none for a date chosen because of the fall).
    """
    overall = panels(ALL_DRUGS)
    ranks = event_ranks(growth_changes(overall, until=settled_through(overall)))
    rank = ranks.set_index("id")["percentile"]
    rows = []
    for event, name in PRIOR_OF.items():
        x = past_event(event)
        panel = overall if x.scope == ALL else panels(x.scope)
        # Exposure as it stood on the eve of the event, not what later years made of it.
        known = {}
        if isinstance(x.exposure, str):
            known = {"fentanyl-share": shares(x.onset[0] - ONE_MONTH)}
        _, found = past_effect(panel, x, known, timings=timings, seed=seed)
        both = None
        if event in OVERLAPPING:
            other = past_event(OVERLAPPING[event])
            tables = [dict.fromkeys(panel.locations, 1.0)] * 2
            if x.scope == other.scope and x.exposure == other.exposure == 1.0:
                both = posterior_of(panel, (x, other), tables, timings=timings, seed=seed)[1]
        rows.append(
            {
                "event": event,
                "month": str(x.onset[0]),
                "prior": name,
                "scope": x.scope,
                "prior_mean": found.prior_mean,
                "prior_sd": found.prior_sd,
                "posterior_mean": found.mean,
                "posterior_sd": found.sd,
                "low": found.low,
                "high": found.high,
                "ratio": found.sd / found.prior_sd,
                "prior_p_null": found.prior_p_null,
                "p_null": found.p_null,
                "bayes_factor": found.bayes_factor,
                "prior_dominated": found.prior_dominated,
                "together_with": "" if both is None else OVERLAPPING[event],
                "together_mean": np.nan if both is None else both.mean(0),
                "together_p_null": np.nan if both is None else both.p_null(0),
                "percentile": float(rank.get(event, np.nan)),
            }
        )
    table = pd.DataFrame(rows)
    led = table.loc[table["prior_dominated"], "event"].tolist()
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
    from odforecast.plot.checks import detectable

    return detectable(table)
