"""The validation ladder: every check, in order, from one archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from odforecast.errors import PanelError, ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.evidence.detect import check_detectable, check_identifiability
from odforecast.evidence.hindcast import check_hindcast
from odforecast.evidence.placebo import (
    check_placebo_outcome,
    check_placebo_time,
    check_placebo_units,
)
from odforecast.evidence.recovery import check_recovery
from odforecast.geography.places import JURISDICTIONS
from odforecast.models import Model
from odforecast.months import to_month
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.panel import Panel
from odforecast.scenario.exposure import fentanyl_share
from odforecast.scenario.intervention import NATION
from odforecast.scenario.project import project
from odforecast.scenario.scenario import NULL, Scenario
from odforecast.scenario.schema import named_intervention
from odforecast.vintage.archive import Archive

STIMULANTS = "Psychostimulants with abuse potential (T43.6)"

#: Monthly sd of the slope in the recovery check whose model is wrong on purpose.
WANDERING = 0.01


@dataclass(frozen=True)
class Setting:
    """What the checks run on.

    Attributes
    ----------
    archive : Archive
        Releases; the newest known on ``as_of`` is used.
    as_of : str
        Day.
    model : Model
        For the null check and the hindcast.
    simulations : int
        Of the recovery checks.
    seed : int
        Of everything random.
    """

    archive: Archive
    as_of: str
    model: Model
    simulations: int = 200
    seed: int = 1

    def panel(self, indicator: str = ALL_DRUGS) -> Panel:
        """One indicator, US and jurisdictions."""
        return self.archive.as_of(self.as_of).panel(indicator)

    def shares(self, month: object | None = None) -> dict[str, float]:
        """Fentanyl shares as they were at a month (default: the last)."""
        panels = [self.panel(), self.panel(SYNTHETIC_OPIOIDS)]
        if month is not None:
            stamp = to_month(month)
            panels = [p.cut(stamp) if p.last_month > stamp else p for p in panels]
        return fentanyl_share(panels[0], panels[1], fill="region")


def check_null(setting: Setting) -> CheckResult:
    """The null scenario and an effect of zero reproduce the baseline, draw for draw."""
    fitted = setting.model.fit(setting.panel())
    zero = Scenario(
        "zero", (named_intervention("tariff-only", onset="2014-02", size=0.0, spread=0.0),)
    )
    projection = project(fitted, [NULL, zero], 24, 200, setting.seed)
    again = fitted.forecast(24, draws=200, seed=setting.seed)
    rows = [
        {
            "scenario_id": name,
            "draws": again.draws.size,
            "different": int((forecast.draws != again.draws).sum()),
        }
        for name, forecast in projection.forecasts.items()
    ]
    table = pd.DataFrame(rows)
    same = bool((table["different"] == 0).all())
    text = (
        f"{setting.model.label}: {again.draws.size:,} draws of the baseline compared bit by bit, "
        f"{int(table['different'].sum())} differ."
    )
    return CheckResult("null", same, table, text, {})


def check_wandering(setting: Setting) -> CheckResult:
    """Recovery where the epidemic's slope wanders, which the estimator does not know."""
    return check_recovery(
        simulations=setting.simulations, seed=setting.seed, slope_change=WANDERING
    )


def _hindcast(setting: Setting) -> CheckResult:
    return check_hindcast(
        setting.panel(), setting.model, setting.shares("2022-12"), seed=setting.seed
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


CHECKS: dict[str, Callable[[Setting], CheckResult]] = {
    "null": check_null,
    "recovery": lambda s: check_recovery(simulations=s.simulations, seed=s.seed),
    "recovery-wandering-slope": check_wandering,
    "placebo-time": lambda s: check_placebo_time(s.panel()),
    "placebo-outcome": _outcome,
    "placebo-units": lambda s: check_placebo_units(s.panel(), s.shares("2023-07"), seed=s.seed),
    "hindcast": _hindcast,
    "identifiability": lambda s: check_identifiability(s.panel(), s.shares),
    "detectable": _detectable,
}


def run_checks(
    setting: Setting, names: tuple[str, ...] = ()
) -> Iterator[tuple[str, CheckResult | ScenarioError]]:
    """Run checks one after the other.

    A check that cannot run on these data (the placebo outcome needs stimulant counts) gives
    its error; the others go on.

    Parameters
    ----------
    setting : Setting
        What to run on.
    names : tuple of str
        Names of :data:`CHECKS`; empty for all.

    Raises
    ------
    ScenarioError
        If a name is unknown.
    """
    if unknown := [n for n in names if n not in CHECKS]:
        raise ScenarioError(f"unknown check {unknown[0]!r}, allowed: {', '.join(CHECKS)}")
    for name in names or tuple(CHECKS):
        try:
            yield name, CHECKS[name](setting)
        except ScenarioError as error:
            yield name, error
