"""Recovery: is an effect of known onset and shape found again, with honest intervals?

Panels with an injected effect are simulated, and the estimator of
:mod:`odforecast.scenario.effects` is asked for it. It answers "how large is an effect of this
shape at this date, **if** one happened and nothing else did". It cannot say who caused it: the
counts cannot identify cooperation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.evidence.check import CheckResult
from odforecast.panel import Floats
from odforecast.scenario.drawing import rise_and_fade
from odforecast.scenario.effects import Estimator
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Fixed, Normal
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Locations of a simulated panel, and the prior of an injected size: nothing is given away.
LOCATIONS, WIDE = 20, Normal(0.0, 0.5)


def simulate_panel(
    rng: np.random.Generator,
    shape: Floats,
    beta: float,
    *,
    locations: int = 20,
    walk_common: float = 0.02,
    walk_own: float = 0.02,
    spread: float = 0.15,
    level: tuple[float, float] = (30.0, 400.0),
    slope_change: float = 0.0,
) -> Floats:
    """A panel of monthly counts with an injected effect, shape (S, T).

    Parameters
    ----------
    rng : Generator
        Random numbers.
    shape : ndarray, shape (T,)
        Share of the full effect in each month.
    beta : float
        Size of the effect, log rate ratio.
    locations : int
        S.
    walk_common, walk_own : float
        Monthly sd of the common and the locations' own random walks.
    spread : float
        Sd of the effect between locations.
    level : tuple of float
        Monthly deaths at the start, log-uniform between the two.
    slope_change : float
        Monthly sd of a random walk in the common **slope**: above 0 the estimator's model is
        wrong, as it is for real epidemics, whose turns look like effects.
    """
    n_time = shape.size
    start = rng.uniform(*np.log(level), size=(locations, 1))
    drift = rng.normal(0.0, 0.004, size=(locations, 1)) * np.arange(n_time)
    slope = np.cumsum(rng.normal(0.0, slope_change, n_time)) if slope_change else np.zeros(n_time)
    common = np.cumsum(rng.normal(0.0, walk_common, n_time) + slope)
    own = np.cumsum(rng.normal(0.0, walk_own, (locations, n_time)), axis=1)
    sizes = rng.normal(beta, spread, size=(locations, 1))
    return rng.poisson(np.exp(start + drift + common + own + sizes * shape)).astype(float)


def check_recovery(
    *,
    simulations: int = 200,
    percent: float = -20.0,
    ramp: float = 6.0,
    half_life: float = 12.0,
    before: int = 60,
    after: int = 30,
    seed: int = 1,
    level: float = 0.9,
    slope_change: float = 0.0,
) -> CheckResult:
    """Inject an effect of known timing into simulated panels and estimate it again.

    By an :class:`~odforecast.scenario.effects.Estimator` with a prior so wide that the counts say
    it all.

    Passed when the 90 % intervals cover the injected size in 85–95 % of the simulations
    (widened by two standard errors of that share when there are fewer than 200), and the
    mean estimate is within a quarter of a posterior sd of it.

    Parameters
    ----------
    simulations : int
        Panels.
    percent : float
        Injected effect, in percent of deaths at full effect.
    ramp, half_life : float
        Months.
    before, after : int
        Months before and after the onset.
    slope_change : float
        Above 0: the same with an epidemic whose slope wanders; reported, never passed.
    """
    beta = float(np.log1p(percent / 100.0))
    since = np.arange(before + after, dtype=float)[None] - before
    shape = rise_and_fade(since, np.array([ramp]), np.zeros(1), np.array([half_life]))[0]
    months = np.datetime64("2015-01") + np.arange(before + after).astype("timedelta64[M]")
    event = Intervention(
        "injected", WIDE, onset=str(months[before]), ramp=Fixed(ramp), half_life=Fixed(half_life)
    )
    estimator = Estimator(months, [event], locations=LOCATIONS, draws=16)
    rows = []
    for i in range(simulations):
        rng = np.random.default_rng(seed_from("recovery", seed, i, percent, slope_change))
        panel = simulate_panel(rng, shape, beta, locations=LOCATIONS, slope_change=slope_change)
        found = estimator.posterior(panel)
        low, high = found.interval(level)
        rows.append(
            {
                "simulation": i,
                "injected": beta,
                "estimate": found.mean(),
                "sd": found.sd(),
                "low": low,
                "high": high,
                "covered": low <= beta <= high,
            }
        )
    table = pd.DataFrame(rows)
    coverage = float(table["covered"].mean())
    bias = float((table["estimate"] - beta).mean())
    sd = float(table["sd"].mean())
    slack = 0.0 if simulations >= 200 else 2.0 * np.sqrt(0.09 / simulations)
    allowed = 0.25 * sd + (0.0 if simulations >= 200 else 2.0 * sd / np.sqrt(simulations))
    good = 0.85 - slack <= coverage <= 0.95 + slack and abs(bias) <= allowed
    text = (
        f"{percent:g} % with a {ramp:g}-month ramp and a {half_life:g}-month half-life in "
        f"{simulations} simulated panels: {100 * level:g} % intervals cover it in "
        f"{100 * coverage:.1f} %; mean estimate {100 * np.expm1(beta + bias):.1f} %, mean "
        f"posterior sd {sd:.3f}."
    )
    if slope_change:
        text += " The simulated slope wanders faster than the prior of the estimator has it."
    name = "recovery" if not slope_change else "recovery-wandering-slope"
    passed = bool(good) if not slope_change else None
    return CheckResult(name, passed, table, text, {name: lambda: _figure(table, beta)})


def _figure(table: pd.DataFrame, beta: float) -> Figure:
    from odforecast.plot.checks import intervals

    return intervals(table, beta)
