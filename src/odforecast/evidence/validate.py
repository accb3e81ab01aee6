"""The validation ladder: every check, in order, from one archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from odforecast.errors import PanelError, ScenarioError
from odforecast.evidence.calibration import check_calibration, check_recovery
from odforecast.evidence.check import Check, CheckResult, Rung, Setting
from odforecast.evidence.detect import check_detectable, check_identifiability
from odforecast.evidence.hindcast import (
    check_hindcast,
    check_leave_one_out,
    check_leave_this_out,
)
from odforecast.evidence.placebo import (
    check_placebo_outcome,
    check_placebo_time,
    check_placebo_units,
)
from odforecast.geography.places import JURISDICTIONS
from odforecast.scenario.file import named_intervention
from odforecast.scenario.intervention import NATION, NULL, Scenario
from odforecast.scenario.projection import project
from odforecast.scenario.values import did_you_mean

STIMULANTS = "Psychostimulants with abuse potential (T43.6)"

#: Monthly sd of the slope in the recovery check that is hard on purpose.
WANDERING = 0.01


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
