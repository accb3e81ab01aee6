"""Calibration and recovery: does the posterior of a past event mean what it says?

First everything is drawn from the estimator's **own** prior and a panel simulated: the place of
what was drawn in its posterior must be uniform, within simultaneous bands. Then panels with an
injected effect of known onset and shape are simulated otherwise. The estimator answers "how large
is an effect of this shape at this date, **if** one happened and nothing else did". It cannot say
who caused it: the counts cannot identify cooperation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from scipy.stats import binom

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats
from odforecast.plot import checks
from odforecast.scenario.distributions import Fixed, LogNormal, Normal, Uniform
from odforecast.scenario.drawing import rise_and_fade
from odforecast.scenario.effects import (
    Estimator,
    Grid,
    geometric,
    random_timing,
    rotation,
)
from odforecast.scenario.intervention import Intervention
from odforecast.seeds import seed_from

#: Points at which an empirical distribution is compared.
POINTS = 100


@dataclass(frozen=True, eq=False)
class Bands:
    """Where the empirical distribution of n uniform numbers lies, all points at once."""

    points: Floats
    #: Lower ends at the points.
    low: Floats
    #: Upper ends.
    high: Floats
    level: float

    def outside(self, transforms: Floats) -> float:
        """How far the transforms leave the bands, at the worst point; 0 if they do not."""
        reached = shares(transforms, self.points)
        return float(
            np.maximum(np.maximum(self.low - reached, reached - self.high), 0.0).max()
        )


def shares(transforms: Floats, points: Floats) -> Floats:
    """Share of the transforms at or below each point."""
    counts = np.searchsorted(np.sort(transforms), points, side="right")
    return np.asarray(counts / transforms.size)


@lru_cache(maxsize=8)
def bands(n: int, level: float = 0.95, simulations: int = 4000, seed: int = 1) -> Bands:
    """Bands for n uniform transforms, by simulation (Säilynoja et al. 2022).

    The pointwise binomial level is set so that a share ``level`` of simulated samples lies within
    at every point.
    """
    if n < 20:
        raise ScenarioError(
            f"{n} transforms are too few for bands, allowed: 20 or more"
        )
    points = np.arange(1, POINTS) / POINTS
    rng = np.random.default_rng(seed_from("bands", seed, n))
    cells = np.full(POINTS, 1.0 / POINTS)
    counts = np.cumsum(rng.multinomial(n, cells, size=simulations), axis=1)[:, :-1]
    tails = np.minimum(binom.cdf(counts, n, points), binom.sf(counts - 1, n, points))
    gamma = float(np.quantile(2.0 * tails.min(axis=1), 1.0 - level))
    low = np.asarray(binom.ppf(gamma / 2, n, points) / n)
    high = np.asarray(binom.ppf(1.0 - gamma / 2, n, points) / n)
    return Bands(points, low, high=high, level=level)


#: Months of a simulated panel, and the month of the onset.
SPAN = 60
ONSET = 40
FIRST = np.datetime64("2015-01", "M")

#: Locations of a simulated panel.
LOCATIONS = 8

#: What the mean of a simulated panel does by itself: fewer nodes than for real counts.
GRID = Grid(
    geometric(0.004, 0.064, n=5),
    geometric(0.004, 0.064, n=5),
    growth=(0.003, 0.01, 0.03),
    scales=(0.04, 0.04, 0.02),
    half_lives=(6.0, 24.0),
    bursts=(None, 0),
)

#: An event like those of the catalogue, with everything open.
EVENT = Intervention(
    "simulated",
    Normal(-0.15, 0.2),
    onset=(str(FIRST + (ONSET - 2) * ONE_MONTH), str(FIRST + (ONSET + 2) * ONE_MONTH)),
    p_null=0.25,
    lag=LogNormal(3, 0.6),
    ramp=Uniform(3, 12),
    half_life=LogNormal(12, 0.6),
    spread=Uniform(0, 0.5),
)

#: Level of the bands: of all quantities together about 95%.
LEVEL = 0.99

#: Transforms that are compared, and draws of the timing.
QUANTITIES = ("size", "size_or_none", "lag", "last")
DRAWS = 600


def simulated_months() -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Months of a simulated panel."""
    return np.arange(FIRST, FIRST + SPAN * ONE_MONTH)


@lru_cache(maxsize=1)
def _roots() -> Floats:
    """Cholesky factors of what the mean does by itself, at every node."""
    onset = int((EVENT.onset[0] - FIRST) / ONE_MONTH)
    return np.linalg.cholesky(GRID.covariances(SPAN, onset))


def simulate_own(
    rng: np.random.Generator,
    felt: Floats,
    event: Intervention = EVENT,
    skewed: bool = False,
) -> tuple[Floats, dict[str, float]]:
    """A panel from the estimator's own prior, and what was drawn; factors normal, or as meant."""
    months = simulated_months()
    n_loc = felt.size
    timing = random_timing(event, rng)
    works = rng.random() >= event.p_null
    beta = float(event.size.draw(rng, 1)[0]) if works else 0.0
    tau = float(timing.spread[0])
    z = rng.standard_normal(n_loc)
    factors = np.exp(tau * z - 0.5 * tau**2) if skewed else 1.0 + tau * z
    shape = timing.shape(months)[0]
    roots = _roots()
    rows = np.empty((n_loc, SPAN))
    rows[0] = roots[
        rng.choice(len(roots), p=np.exp(GRID.log_prior))
    ] @ rng.standard_normal(SPAN)
    rows[0] *= np.sqrt(n_loc)
    own_walk, own_noise = np.exp(rng.uniform(np.log(0.005), np.log(0.05), 2))
    rows[1:] = np.cumsum(rng.normal(0.0, own_walk, (n_loc - 1, SPAN)), axis=1)
    rows[1:] += rng.normal(0.0, own_noise, (n_loc - 1, SPAN))
    logs = rotation(np.ones(n_loc)).T @ rows
    level = rng.uniform(5.0, 8.0, (n_loc, 1))
    logs += level + rng.normal(0.0, 0.004, (n_loc, 1)) * np.arange(SPAN)
    logs += beta * felt[:, None] * factors[:, None] * shape
    truth = {
        "works": float(works),
        "size": beta,
        "lag": float(timing.lag[0]),
        "spread": tau,
        "last": beta * float(shape[-1]),
    }
    return np.maximum(np.exp(logs) - 0.5, 0.0), truth


def transforms(
    simulations: int,
    seed: int = 1,
    exposed: bool = False,
    skewed: bool = False,
) -> pd.DataFrame:
    """Place of what was drawn in its posterior, one row per simulation; NaN where there is none."""
    felt = np.linspace(0.3, 1.0, LOCATIONS) if exposed else np.ones(LOCATIONS)
    months = simulated_months()
    estimator = Estimator(months, EVENT, felt=felt, draws=DRAWS, grid=GRID, seed=seed)
    rows = []
    for i in range(simulations):
        rng = np.random.default_rng(seed_from("calibration", seed, i, exposed))
        panel, truth = simulate_own(rng, felt, event=EVENT, skewed=skewed)
        posterior = estimator.posterior(panel)
        works = truth["works"] > 0
        p_null = posterior.p_null()
        u = rng.random()
        size = posterior.cdf(truth["size"])
        below = p_null * (truth["size"] > 0) if works else p_null * u
        lag = posterior.timing_weights() @ (posterior.timings.lag < truth["lag"])
        last = posterior.delta(months[-1:], posterior.draws(1000, seed=i))[:, 0]
        last_below = float((last < truth["last"]).mean())
        last_equal = float((last == truth["last"]).mean())
        rows.append(
            {
                "works": works,
                "p_null": p_null,
                "size": size if works else np.nan,
                "size_or_none": (1.0 - p_null) * size + below,
                "lag": float(lag) if works else np.nan,
                "last": last_below + u * last_equal,
            }
        )
    return pd.DataFrame(rows)


def check_calibration(
    *,
    simulations: int = 1000,
    seed: int = 1,
    exposed: bool = False,
    skewed: bool = False,
) -> CheckResult:
    """Simulation-based calibration of the posterior of a past event.

    Where exposures differ (``exposed``) the transforms of the size are at the edge of the bands:
    that states differ more where the effect is larger says something of the size, which the
    estimator does not use. Passed when the transforms of the size, with and without "nothing", of
    the lag and of the last month's effect lie within simultaneous 99% bands, and the mean posterior
    probability of no effect is the share of simulations without one, within three standard errors.
    """
    simulated = transforms(simulations, seed, exposed=exposed, skewed=skewed)
    rows = []
    curves = {}
    for name in QUANTITIES:
        values = simulated[name].dropna().to_numpy(dtype=float)
        limits = bands(values.size, LEVEL)
        inside = float(((values >= 0.05) & (values <= 0.95)).mean())
        rows.append(
            (name, values.size, limits.outside(values), inside, float(values.mean()))
        )
        curves[name] = (
            limits.points,
            shares(values, limits.points),
            limits.low,
            limits.high,
        )
    gap = (
        simulated["p_null"].to_numpy() - 1.0 + simulated["works"].to_numpy(dtype=float)
    )
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    off = max(abs(float(gap.mean())) - 3.0 * error, 0.0)
    rows.append(("p_null", len(gap), off, np.nan, float(simulated["p_null"].mean())))
    columns = [
        "quantity",
        "simulations",
        "outside_bands",
        "coverage_90",
        "mean_transform",
    ]
    table = pd.DataFrame(rows, columns=columns)
    outside = table.loc[table["outside_bands"] > 0, "quantity"].tolist()
    factors = ", states skewed as they are meant" if skewed else ""
    bands_text = f"within simultaneous {100 * LEVEL:g}% bands"
    if outside:
        bands_text = (
            f"outside simultaneous {100 * LEVEL:g}% bands for {', '.join(outside)}"
        )
    text = (
        f"{simulations:,} panels of {LOCATIONS} locations drawn from the estimator's own prior"
        f"{factors}: transforms {bands_text}; 90% intervals of the size hold "
        f"{100 * table['coverage_90'].iloc[0]:.1f}%; mean posterior probability of no effect "
        f"{simulated['p_null'].mean():.3f}, simulated {1 - simulated['works'].mean():.3f}."
    )
    figures = {"calibration": partial(checks.transforms, curves)}
    return CheckResult(
        "calibration", not outside, table=table, text=text, figures=figures
    )


# ------------------------------------------------------------------------------------- recovery

#: Locations of a panel with an injected effect, and the prior of its size: nothing is given away.
INJECTED = 20
WIDE = Normal(0.0, 0.5)

#: Months before and after its onset, and the sd of the effect between locations.
BEFORE = 60
AFTER = 30
SPREAD = 0.15


def simulate_panel(
    rng: np.random.Generator,
    shape: Floats,
    beta: float,
    slope_change: float = 0.0,
) -> Floats:
    """A panel of monthly counts with an injected effect of size ``beta``, shape (S, T).

    ``slope_change``, the monthly sd of a random walk in the common slope, makes the estimator's
    model wrong where it is above 0, as it is for real epidemics, whose turns look like effects.
    """
    n_time = shape.size
    start = rng.uniform(*np.log((30.0, 400.0)), size=(INJECTED, 1))
    drift = rng.normal(0.0, 0.004, size=(INJECTED, 1)) * np.arange(n_time)
    slope = (
        np.cumsum(rng.normal(0.0, slope_change, n_time))
        if slope_change
        else np.zeros(n_time)
    )
    common = np.cumsum(rng.normal(0.0, 0.02, n_time) + slope)
    local = np.cumsum(rng.normal(0.0, 0.02, (INJECTED, n_time)), axis=1)
    sizes = rng.normal(beta, SPREAD, size=(INJECTED, 1))
    return rng.poisson(np.exp(start + drift + common + local + sizes * shape)).astype(
        float
    )


def check_recovery(
    *,
    simulations: int = 200,
    seed: int = 1,
    slope_change: float = 0.0,
) -> CheckResult:
    """Inject an effect of known timing into simulated panels and estimate it again.

    The prior is wide. Passed when the 90% intervals cover the injected size in 85–95% of the
    simulations (widened by two standard errors of that share when there are fewer than 200), and
    the mean estimate is within a quarter of a posterior sd of it. With an epidemic whose slope
    wanders (``slope_change`` above 0) it is reported, never passed.
    """
    percent = -20.0
    ramp = 6.0
    half_life = 12.0
    beta = float(np.log1p(percent / 100.0))
    since = np.arange(BEFORE + AFTER, dtype=float)[None] - BEFORE
    shape = rise_and_fade(
        since,
        np.array([ramp]),
        plateau=np.zeros(1),
        half_life=np.array([half_life]),
    )[0]
    months = np.datetime64("2015-01") + np.arange(BEFORE + AFTER).astype(
        "timedelta64[M]"
    )
    event = Intervention(
        "injected",
        WIDE,
        onset=str(months[BEFORE]),
        ramp=Fixed(ramp),
        half_life=Fixed(half_life),
    )
    estimator = Estimator(months, event, locations=INJECTED, draws=16)
    rows = []
    for i in range(simulations):
        rng = np.random.default_rng(
            seed_from("recovery", seed, i, percent, slope_change)
        )
        posterior = estimator.posterior(
            simulate_panel(rng, shape, beta=beta, slope_change=slope_change)
        )
        rows.append(
            (i, beta, posterior.mean(), posterior.sd(), *posterior.interval(0.9))
        )
    columns = ["simulation", "injected", "estimate", "sd", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    table["covered"] = (table["low"] <= beta) & (beta <= table["high"])
    coverage = float(table["covered"].mean())
    sd = float(table["sd"].mean())
    bias = float((table["estimate"] - beta).mean())
    slack = 0.0
    allowed = 0.25 * sd
    if simulations < 200:
        slack = 2.0 * np.sqrt(0.09 / simulations)
        allowed += 2.0 * sd / np.sqrt(simulations)
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
    return CheckResult(
        name,
        None if slope_change else bool(good),
        table=table,
        text=text,
        figures=figures,
    )
