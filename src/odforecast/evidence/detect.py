"""Power: what deaths can tell of an effect, and how soon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

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
from odforecast.plot import checks
from odforecast.scenario.distributions import Fixed, Normal
from odforecast.scenario.effects import Estimator, EventPosterior, EventSummary
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.past import (
    MANY,
    PRIOR_OF,
    felt_by,
    growth_changes,
    past_event,
    posterior_of,
    settled_through,
)

#: The widest prior of a size that is allowed; what it says is taken off again.
WIDE = Normal(0.0, 1.5)

#: Months after the onset at which the detectable effect is given.
AFTER = (3, 6, 9, 12, 18, 24, 30, 36)


def check_detectable(panel: Panel, after: Sequence[int] = AFTER) -> CheckResult:
    """Minimum detectable effect against months of data, with 80% power and 5% false alarms."""
    counts = _gapless(panel)[1]
    months = panel.last_month - np.arange(counts.shape[1])[::-1] * ONE_MONTH
    factor = float(norm.ppf(0.975) + norm.ppf(0.8))
    rows = []
    for k in after:
        if not 2 <= k <= months.size - 24:
            message = f"{months.size} months are too few for {k} months after an onset"
            if k < 2:
                message = f"{k} months after an onset show no effect"
            raise ScenarioError(message)
        onset = str(months[-k])
        event = Intervention(
            "known", WIDE, onset=onset, ramp=Fixed(6), half_life=Fixed(12)
        )
        estimator = Estimator(months, event, locations=len(counts), draws=16)
        precision = 1.0 / estimator.posterior(counts).sd() ** 2 - 1.0 / WIDE.sd_**2
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
        f"onset, only an effect of {year['minimum_percent']:.0f}% or more would be seen with "
        "80% power, if nothing else happened."
    )
    return CheckResult(
        "detectable",
        None,
        table=table,
        text=text,
        figures={"detectable": partial(checks.detectable, table)},
    )


def past_effect(
    panel: Panel,
    intervention: Intervention,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    *,
    timings: int = MANY,
    seed: int = 1,
) -> tuple[EventPosterior, EventSummary]:
    """Posterior against prior for an intervention in the past."""
    felt = felt_by(intervention, panel, tables=exposures or {})
    _, posterior = posterior_of(
        panel, intervention, felt=felt, timings=timings, seed=seed
    )
    return posterior, posterior.summary()


def check_identifiability(
    panels: Callable[[str], Panel],
    shares: Callable[[object], Mapping[str, float]],
    *,
    timings: int = MANY,
    seed: int = 1,
) -> CheckResult:
    """Posterior against prior for every past event, with its placebo rank."""
    overall = panels(ALL_DRUGS)
    ranks = event_ranks(growth_changes(overall, until=settled_through(overall)))
    rank = ranks.set_index("id")["percentile"]
    rows = []
    for event, name in PRIOR_OF.items():
        x = past_event(event)
        panel = overall if x.scope == ALL else panels(x.scope)
        # Exposure as it stood on the eve of the event, not what later years made of it.
        exposures = {}
        if isinstance(x.exposure, str):
            exposures = {"fentanyl-share": shares(x.onset[0] - ONE_MONTH)}
        _, summary = past_effect(
            panel, x, exposures=exposures, timings=timings, seed=seed
        )
        rows.append(
            {
                "event": event,
                "month": str(x.onset[0]),
                "prior": name,
                "scope": x.scope,
                "prior_mean": summary.prior_mean,
                "prior_sd": summary.prior_sd,
                "posterior_mean": summary.mean,
                "posterior_sd": summary.sd,
                "low": summary.low,
                "high": summary.high,
                "ratio": summary.sd / summary.prior_sd,
                "prior_p_null": summary.prior_p_null,
                "p_null": summary.p_null,
                "bayes_factor": summary.bayes_factor,
                "prior_dominated": summary.prior_dominated,
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
    return CheckResult("identifiability", None, table=table, text=text, figures={})


def _gapless(panel: Panel) -> tuple[list[str], Floats]:
    """Months of all jurisdictions without a gap, or of US where there are none."""
    states = [s for s in panel.locations if s in JURISDICTIONS] or [NATION]
    months = np.stack([panel.monthly[panel.index(s)] for s in states])
    whole = np.isfinite(months).all(axis=1)
    if not whole.any():
        raise ScenarioError("no location has months without a gap")
    return [s for s, good in zip(states, whole) if good], months[whole]
