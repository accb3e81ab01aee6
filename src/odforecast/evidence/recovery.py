"""Recovery: is an effect of known onset and shape found again, with honest intervals?"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from odforecast.evidence.check import CheckResult
from odforecast.panel import Floats
from odforecast.plot import checks
from odforecast.scenario.drawing import rise_and_fade
from odforecast.scenario.effects import Estimator
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Fixed, Normal
from odforecast.seeds import seed_from

#: Locations of a simulated panel, and the prior of an injected size: nothing is given away.
LOCATIONS, WIDE = 20, Normal(0.0, 0.5)


#: Months before and after the onset, and the sd of the effect between locations.
BEFORE, AFTER, SPREAD = 60, 30, 0.15


def simulate_panel(
    rng: np.random.Generator, shape: Floats, beta: float, slope_change: float = 0.0
) -> Floats:
    """A panel of monthly counts with an injected effect of size ``beta``, shape (S, T)."""
    n_time = shape.size
    start = rng.uniform(*np.log((30.0, 400.0)), size=(LOCATIONS, 1))
    drift = rng.normal(0.0, 0.004, size=(LOCATIONS, 1)) * np.arange(n_time)
    slope = np.cumsum(rng.normal(0.0, slope_change, n_time)) if slope_change else np.zeros(n_time)
    common = np.cumsum(rng.normal(0.0, 0.02, n_time) + slope)
    own = np.cumsum(rng.normal(0.0, 0.02, (LOCATIONS, n_time)), axis=1)
    sizes = rng.normal(beta, SPREAD, size=(LOCATIONS, 1))
    return rng.poisson(np.exp(start + drift + common + own + sizes * shape)).astype(float)


def check_recovery(
    *,
    simulations: int = 200,
    percent: float = -20.0,
    ramp: float = 6.0,
    half_life: float = 12.0,
    seed: int = 1,
    slope_change: float = 0.0,
) -> CheckResult:
    """Inject an effect of known timing into simulated panels and estimate it again."""
    beta = float(np.log1p(percent / 100.0))
    since = np.arange(BEFORE + AFTER, dtype=float)[None] - BEFORE
    shape = rise_and_fade(since, np.array([ramp]), np.zeros(1), np.array([half_life]))[0]
    months = np.datetime64("2015-01") + np.arange(BEFORE + AFTER).astype("timedelta64[M]")
    event = Intervention(
        "injected", WIDE, onset=str(months[BEFORE]), ramp=Fixed(ramp), half_life=Fixed(half_life)
    )
    estimator = Estimator(months, [event], locations=LOCATIONS, draws=16)
    rows = []
    for i in range(simulations):
        rng = np.random.default_rng(seed_from("recovery", seed, i, percent, slope_change))
        found = estimator.posterior(simulate_panel(rng, shape, beta, slope_change))
        rows.append((i, beta, found.mean(), found.sd(), *found.interval(0.9)))
    columns = ["simulation", "injected", "estimate", "sd", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    table["covered"] = (table["low"] <= beta) & (beta <= table["high"])
    coverage, sd = float(table["covered"].mean()), float(table["sd"].mean())
    bias = float((table["estimate"] - beta).mean())
    few = simulations < 200
    slack = 2.0 * np.sqrt(0.09 / simulations) if few else 0.0
    allowed = 0.25 * sd + (2.0 * sd / np.sqrt(simulations) if few else 0.0)
    good = 0.85 - slack <= coverage <= 0.95 + slack and abs(bias) <= allowed
    text = (
        f"{percent:g}% with a {ramp:g}-month ramp and a {half_life:g}-month half-life in "
        f"{simulations} simulated panels: 90% intervals cover it in {100 * coverage:.1f}%; mean "
        f"estimate {100 * np.expm1(beta + bias):.1f}%, mean posterior sd {sd:.3f}."
    )
    name = "recovery"
    if slope_change:
        name = "recovery-wandering-slope"
        text += " The simulated slope wanders faster than the prior of the estimator has it."
    figures = {name: partial(checks.intervals, table, beta)}
    return CheckResult(name, None if slope_change else bool(good), table, text, figures)
