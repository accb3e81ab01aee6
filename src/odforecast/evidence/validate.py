"""The validation ladder: every check, in order, from one archive; what deaths can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm

from odforecast.errors import PanelError, ScenarioError
from odforecast.evidence.calibration import check_calibration, check_recovery
from odforecast.evidence.check import Check, CheckResult, Rung, Setting
from odforecast.evidence.hindcast import (
    check_hindcast,
    check_leave_one_out,
    check_leave_this_out,
)
from odforecast.evidence.placebo import (
    check_placebo_outcome,
    check_placebo_time,
    check_placebo_units,
    event_ranks,
)
from odforecast.geography.places import JURISDICTIONS
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS
from odforecast.panel import Floats, Panel
from odforecast.plot import checks
from odforecast.scenario.distributions import Fixed, Normal
from odforecast.scenario.effects import Estimator, EventPosterior, EventSummary
from odforecast.scenario.file import named_intervention
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import NATION, NULL, Intervention, Scenario
from odforecast.scenario.past import (
    MANY,
    PRIOR_OF,
    felt_by,
    growth_changes,
    past_event,
    posterior_of,
    settled_through,
)
from odforecast.scenario.projection import project
from odforecast.scenario.values import did_you_mean

STIMULANTS = "Psychostimulants with abuse potential (T43.6)"

#: Monthly sd of the slope in the recovery check that is hard on purpose.
WANDERING = 0.01

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


def check_null(setting: Setting) -> CheckResult:
    """The null scenario and an effect of zero reproduce the baseline, draw for draw."""
    fitted = setting.model.fit(setting.panel())
    zero = Scenario(
        "zero",
        (
            named_intervention(
                "tariff-only",
                onset="2014-02",
                size=0.0,
                spread=0.0,
            ),
        ),
    )
    projection = project(
        fitted, [NULL, zero], horizon=24, draws=200, seed=setting.seed, begun=True
    )
    baseline = fitted.forecast(24, draws=200, seed=setting.seed)
    rows = [
        {
            "scenario_id": name,
            "draws": baseline.draws.size,
            "different": int((forecast.draws != baseline.draws).sum()),
        }
        for name, forecast in projection.forecasts.items()
    ]
    table = pd.DataFrame(rows)
    is_same = bool((table["different"] == 0).all())
    text = (
        f"{setting.model.label}: {baseline.draws.size:,} draws of the baseline compared bit by "
        f"bit, {int(table['different'].sum())} differ."
    )
    return CheckResult("null", is_same, table=table, text=text, figures={})


def check_wandering(setting: Setting) -> CheckResult:
    """Recovery where the epidemic's slope wanders, faster than the estimator's prior has it."""
    return check_recovery(
        simulations=setting.simulations,
        seed=setting.seed,
        slope_change=WANDERING,
    )


def _outcome(setting: Setting) -> CheckResult:
    try:
        placebo = setting.panel(STIMULANTS)
    except PanelError as error:
        raise ScenarioError(
            f"the release of {setting.as_of} has no {STIMULANTS}",
            hint="use an archive or file with all indicators",
        ) from error
    return check_placebo_outcome(setting.panel(), placebo)


def _detectable(setting: Setting) -> CheckResult:
    panel = setting.panel()
    states = [s for s in panel.locations if s in JURISDICTIONS] or [NATION]
    return check_detectable(panel.select(states))


#: The ladder, in order. Every rung looks at the data of the setting, but for those whose answer
#: must be known: they simulate.
CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Rung("null", check_null),
        Rung(
            "calibration",
            lambda s: check_calibration(simulations=5 * s.simulations, seed=s.seed),
        ),
        Rung(
            "recovery", lambda s: check_recovery(simulations=s.simulations, seed=s.seed)
        ),
        Rung("recovery-wandering-slope", check_wandering),
        Rung("placebo-time", lambda s: check_placebo_time(s.panel())),
        Rung("placebo-outcome", _outcome),
        Rung(
            "placebo-units",
            lambda s: check_placebo_units(s.panel(), s.shares("2023-07"), seed=s.seed),
        ),
        Rung(
            "leave-this-episode-out",
            lambda s: check_leave_this_out(s.panel(), s.model, seed=s.seed),
        ),
        Rung("leave-one-episode-out", lambda s: check_leave_one_out(panel=s.panel())),
        Rung(
            "identifiability",
            lambda s: check_identifiability(s.panel, s.shares, seed=s.seed),
        ),
        Rung("detectable", _detectable),
        Rung(
            "hindcast-plumbing",
            lambda s: check_hindcast(s.panel(), s.model, seed=s.seed),
        ),
    )
}


def run_checks(
    setting: Setting, names: Sequence[str] = (), extra: Sequence[Check] = ()
) -> Iterator[tuple[str, CheckResult | ScenarioError]]:
    """Run checks one after the other.

    A check that cannot run on these data (the placebo outcome needs stimulant counts) gives
    its error; the others go on.

    Parameters
    ----------
    setting : Setting
        What to run on.
    names : sequence of str
        Names of :data:`CHECKS` or of the extra ones; empty for all.
    extra : sequence of Check
        Checks of your own: a name, and ``run(setting) -> CheckResult``; they come last.
    """
    ladder = dict(CHECKS)
    for check in extra:
        if check.name in ladder:
            raise ScenarioError(
                f"check {check.name!r} is there already, allowed: another name"
            )
        ladder[check.name] = check
    if unknown := [n for n in names if n not in ladder]:
        raise ScenarioError(
            f"unknown check {unknown[0]!r}{did_you_mean(unknown[0], ladder)}, allowed: "
            f"{', '.join(ladder)}",
            hint="odforecast scenario show FILE checks a scenario file",
        )
    for name in names or tuple(ladder):
        try:
            yield name, ladder[name].run(setting)
        except ScenarioError as error:
            yield name, error
