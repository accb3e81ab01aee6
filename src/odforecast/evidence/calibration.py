"""Calibration: does the posterior of a past event mean what it says?

On the estimator's **own** generator everything is drawn from the prior (whether there is an
effect, its size, timing, spread between states, the variances), a panel is simulated, and the
place of what was drawn in its posterior must be uniform, within simultaneous bands. A sampler
that is wrong fails here, whatever its intervals hold elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import binom

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats
from odforecast.scenario.effects import Estimator, Grid, geometric, random_timing, rotation
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import LogNormal, Normal, Uniform
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Points at which an empirical distribution is compared.
POINTS = 100


@dataclass(frozen=True, eq=False)
class Bands:
    """Where the empirical distribution of n uniform numbers lies, all points at once.

    Attributes
    ----------
    points : ndarray, shape (P,)
    low, high : ndarray, shape (P,)
        Shares of numbers at or below each point.
    level : float
        Probability that all points lie within.
    """

    points: Floats
    low: Floats
    high: Floats
    level: float

    def outside(self, transforms: Floats) -> float:
        """How far the transforms leave the bands, at the worst point; 0 if they do not."""
        found = shares(transforms, self.points)
        return float(np.maximum(np.maximum(self.low - found, found - self.high), 0.0).max())


def shares(transforms: Floats, points: Floats) -> Floats:
    """Share of the transforms at or below each point."""
    counts = np.searchsorted(np.sort(transforms), points, side="right")
    return np.asarray(counts / transforms.size)


@lru_cache(maxsize=8)
def bands(n: int, level: float = 0.95, simulations: int = 4000, seed: int = 1) -> Bands:
    """Bands for n uniform transforms, by simulation (Säilynoja et al. 2022).

    The pointwise binomial level is set so that a share ``level`` of simulated samples lies
    within at every point.

    Raises
    ------
    ScenarioError
        With fewer than 20 transforms.

    Examples
    --------
    >>> found = bands(1000)
    >>> i = 49  # the median
    >>> round(float(found.low[i]), 2), round(float(found.high[i]), 2)
    (0.45, 0.55)
    """
    if n < 20:
        raise ScenarioError(f"{n} transforms are too few for bands, allowed: 20 or more")
    points = np.arange(1, POINTS) / POINTS
    rng = np.random.default_rng(seed_from("bands", seed, n))
    cells = np.full(POINTS, 1.0 / POINTS)
    counts = np.cumsum(rng.multinomial(n, cells, size=simulations), axis=1)[:, :-1]
    tails = np.minimum(binom.cdf(counts, n, points), binom.sf(counts - 1, n, points))
    gamma = float(np.quantile(2.0 * tails.min(axis=1), 1.0 - level))
    low, high = (np.asarray(binom.ppf(p, n, points) / n) for p in (gamma / 2, 1.0 - gamma / 2))
    return Bands(points, low, high, level)


#: Months of a simulated panel, and the month of the onset.
SPAN, ONSET = 60, 40
FIRST = np.datetime64("2015-01", "M")

#: Locations of a simulated panel.
LOCATIONS = 8

#: What the mean of a simulated panel does by itself: fewer nodes than for real counts.
GRID = Grid(
    geometric(0.004, 0.064, 5), geometric(0.004, 0.064, 5), (0.003, 0.01, 0.03),
    (0.04, 0.04, 0.02), (6.0, 24.0), (None, 0),
)  # fmt: skip

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

#: Level of the bands: of all quantities together about 95 %.
LEVEL = 0.99


def simulated_months() -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Months of a simulated panel."""
    return np.arange(FIRST, FIRST + SPAN * ONE_MONTH)


@lru_cache(maxsize=1)
def _roots() -> Floats:
    """Cholesky factors of what the mean does by itself, at every node."""
    onset = int((EVENT.onset[0] - FIRST) / ONE_MONTH)
    return np.linalg.cholesky(GRID.covariances(SPAN, onset))


def simulate_own(
    rng: np.random.Generator, felt: Floats, event: Intervention = EVENT, skewed: bool = False
) -> tuple[Floats, dict[str, float]]:
    """A panel from the estimator's own prior, shape (S, T), and what was drawn.

    The states' own factors are normal, as the estimator takes them; ``skewed`` makes them
    lognormal, as they are meant.
    """
    months = simulated_months()
    n_loc = felt.size
    timing = random_timing(event, rng)
    works = rng.random() >= event.p_null
    beta = float(event.size.draw(rng, 1)[0]) if works else 0.0
    tau = float(timing.spread[0])
    z = rng.standard_normal(n_loc)
    own = np.exp(tau * z - 0.5 * tau**2) if skewed else 1.0 + tau * z
    shape = timing.shape(months)[0]
    roots = _roots()
    rows = np.empty((n_loc, SPAN))
    rows[0] = roots[rng.choice(len(roots), p=np.exp(GRID.log_prior))] @ rng.standard_normal(SPAN)
    rows[0] *= np.sqrt(n_loc)
    own_walk, own_noise = np.exp(rng.uniform(np.log(0.005), np.log(0.05), 2))
    rows[1:] = np.cumsum(rng.normal(0.0, own_walk, (n_loc - 1, SPAN)), axis=1)
    rows[1:] += rng.normal(0.0, own_noise, (n_loc - 1, SPAN))
    logs = rotation(np.ones(n_loc)).T @ rows
    logs += rng.uniform(5.0, 8.0, (n_loc, 1)) + rng.normal(0.0, 0.004, (n_loc, 1)) * np.arange(SPAN)
    logs += beta * felt[:, None] * own[:, None] * shape
    truth = {
        "works": float(works), "size": beta, "lag": float(timing.lag[0]), "spread": tau,
        "last": beta * float(shape[-1]),
    }  # fmt: skip
    return np.maximum(np.exp(logs) - 0.5, 0.0), truth


def transforms(
    simulations: int,
    seed: int = 1,
    exposed: bool = False,
    draws: int = 600,
    skewed: bool = False,
) -> pd.DataFrame:
    """Place of what was drawn in its posterior, one row per simulation.

    Parameters
    ----------
    simulations : int
    seed : int
    exposed : bool
        Locations differ in exposure, from 0.3 to 1; else all have 1.
    draws : int
        Draws of the timing.
    skewed : bool
        Locations' own factors are lognormal, and not normal as the estimator takes them.

    Returns
    -------
    DataFrame
        ``works, p_null``; transforms ``size`` (given an effect), ``size_or_none`` (the point
        mass broken at random), ``lag`` (given an effect), ``last`` (the log rate ratio of the
        last month); NaN where there is none.
    """
    felt = np.linspace(0.3, 1.0, LOCATIONS) if exposed else np.ones(LOCATIONS)
    estimator = Estimator(simulated_months(), [EVENT], felt, draws=draws, grid=GRID, seed=seed)
    rows = []
    for i in range(simulations):
        rng = np.random.default_rng(seed_from("calibration", seed, i, exposed))
        panel, truth = simulate_own(rng, felt, EVENT, skewed)
        found = estimator.posterior(panel)
        none, u = found.p_null(), rng.random()
        works = truth["works"] > 0
        if works:
            below = (1.0 - none) * found.cdf(truth["size"]) + none * (truth["size"] > 0)
        else:
            below = (1.0 - none) * found.cdf(0.0) + none * u
        weights, lags = found.timing_weights(), found.timings[0].lag
        drawn = found.draws(1000, seed=i)
        last = found.delta(simulated_months()[-1:], drawn)[:, 0]
        ties = float((last == truth["last"]).mean())
        rows.append(
            {
                "works": works,
                "p_null": none,
                "size": found.cdf(truth["size"]) if works else np.nan,
                "size_or_none": below,
                "lag": float(weights @ (lags < truth["lag"])) if works else np.nan,
                "last": float((last < truth["last"]).mean()) + u * ties,
            }
        )
    return pd.DataFrame(rows)


def check_calibration(
    *, simulations: int = 1000, seed: int = 1, exposed: bool = False, skewed: bool = False
) -> CheckResult:
    """Simulation-based calibration of the posterior of a past event.

    Locations have equal exposures, as for every event of the catalogue. Where exposures differ
    (``exposed``) the size is a little off, its transforms at the edge of the bands: that states
    differ more where the effect is larger says something of the size, and the estimator does not
    listen; its intervals hold as they should.

    Passed when the transforms of the size, with and without "nothing", of the lag and of the
    last month's effect lie within simultaneous 99 % bands, and the mean posterior probability
    of no effect is the share of simulations without one, within three standard errors.
    """
    found = transforms(simulations, seed, exposed, skewed=skewed)
    rows = []
    for name in ("size", "size_or_none", "lag", "last"):
        values = found[name].dropna().to_numpy(dtype=float)
        limits = bands(values.size, LEVEL)
        inside = float(((values >= 0.05) & (values <= 0.95)).mean())
        rows.append(
            {
                "quantity": name,
                "simulations": values.size,
                "outside_bands": limits.outside(values),
                "coverage_90": inside,
                "mean_transform": float(values.mean()),
            }
        )
    gap = found["p_null"].to_numpy() - 1.0 + found["works"].to_numpy(dtype=float)
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    rows.append(
        {
            "quantity": "p_null",
            "simulations": len(gap),
            "outside_bands": max(abs(float(gap.mean())) - 3.0 * error, 0.0),
            "coverage_90": np.nan,
            "mean_transform": float(found["p_null"].mean()),
        }
    )
    table = pd.DataFrame(rows)
    out = table.loc[table["outside_bands"] > 0, "quantity"].tolist()
    text = (
        f"{simulations:,} panels of {LOCATIONS} locations drawn from the estimator's own prior"
        f"{', states skewed as they are meant' if skewed else ''}: "
        f"transforms {'within' if not out else 'outside'} simultaneous {100 * LEVEL:g} % bands"
        f"{' for ' + ', '.join(out) if out else ''}; 90 % intervals of the size hold "
        f"{100 * table['coverage_90'].iloc[0]:.1f} %; mean posterior probability of no effect "
        f"{found['p_null'].mean():.3f}, simulated {1 - found['works'].mean():.3f}."
    )
    return CheckResult("calibration", not out, table, text, {"calibration": lambda: _figure(found)})


def _figure(found: pd.DataFrame) -> Figure:
    from odforecast.plot.style import BLUE, GREY, ORANGE, canvas

    figure, axes = canvas()
    shown = {"size": BLUE, "size_or_none": ORANGE, "lag": "#3c7d3c", "last": "#7a4fa3"}
    for name, colour in shown.items():
        values = found[name].dropna().to_numpy(dtype=float)
        limits = bands(values.size, LEVEL)
        if name == "size_or_none":
            axes.fill_between(
                limits.points, limits.low - limits.points, limits.high - limits.points,
                color=GREY, alpha=0.25, linewidth=0, label="99 % bands",
            )  # fmt: skip
        gap = shares(values, limits.points) - limits.points
        axes.plot(limits.points, gap, color=colour, label=name.replace("_", " "))
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel("transform")
    axes.set_ylabel("share at or below, less the transform")
    axes.legend(frameon=False, fontsize=8, ncols=3)
    return figure
