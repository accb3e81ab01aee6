"""Recovery: is an effect of known onset and shape found again, with honest intervals?

A small, exact estimator for one question. Log monthly deaths of S locations are

    y_s(t) = a_s + d_s t + common(t) + own_s(t) + noise_s(t) + exposure_s beta_s shape(t)

with random walks ``common`` and ``own_s``, white noise, and ``beta_s ~ Normal(beta, spread)``.
An orthogonal rotation over locations splits the panel into its mean (which carries the common
walk) and S - 1 contrasts (which do not), so the likelihood is that of S independent series
with two covariances. Levels and drifts have flat priors. Given the variances the posterior of beta
is exactly normal; the mean's two sds are averaged over (flat prior), the contrasts' are
estimated.

It answers "how large is an effect of this shape at this date, **if** one happened and nothing
else did". It cannot say who caused it: the counts cannot identify cooperation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve, helmert
from scipy.optimize import brentq, minimize
from scipy.stats import norm

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.panel import Floats
from odforecast.scenario.effects import Estimator
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Fixed, Normal
from odforecast.scenario.shape import rise_and_fade
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class EffectPosterior:
    """Posterior of an effect's size (log rate ratio at exposure 1): a mixture of normals.

    Attributes
    ----------
    means, sds, weights : ndarray, shape (K,)
        One normal for each pair of variances the data allow, and its weight.
    prior_sd : float
        Infinite for a flat prior.
    """

    means: Floats
    sds: Floats
    weights: Floats
    prior_sd: float

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        """Posterior standard deviation."""
        return float(np.sqrt(self.weights @ (self.sds**2 + (self.means - self.mean) ** 2)))

    def cdf(self, x: float) -> float:
        """Posterior probability of a size below ``x``."""
        return float(self.weights @ norm.cdf((x - self.means) / self.sds))

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Central interval."""
        wide = 10.0 * float(self.sds.max())
        ends = float(self.means.min()) - wide, float(self.means.max()) + wide
        low, high = (
            float(brentq(lambda x, q=q: self.cdf(x) - q, *ends))
            for q in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high


def estimate_effect(
    months: Floats,
    shape: Floats,
    exposure: Floats | None = None,
    *,
    prior_mean: float = 0.0,
    prior_sd: float = np.inf,
    spread: float = 0.15,
) -> EffectPosterior:
    """Posterior of the size of an effect of known shape.

    Parameters
    ----------
    months : ndarray, shape (S, T)
        Monthly deaths, without gaps.
    shape : ndarray, shape (T,)
        Share of the full effect in each month.
    exposure : ndarray, shape (S,), optional
        Share of the effect each location feels; default 1.
    prior_mean, prior_sd : float
        Normal prior; an infinite sd is flat.
    spread : float
        Sd of the size between locations.

    Raises
    ------
    ScenarioError
        If shapes do not fit, counts are missing, or the shape never moves.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.evidence.recovery import estimate_effect
    >>> rng = np.random.default_rng(1)
    >>> shape = (np.arange(72) >= 48).astype(float)
    >>> deaths = rng.poisson(500 * np.exp(-0.3 * shape), size=(10, 72)).astype(float)
    >>> abs(estimate_effect(deaths, shape, spread=0.0).mean + 0.3) < 0.1
    True
    """
    months = np.asarray(months, dtype=float)
    if months.ndim != 2 or shape.shape != months.shape[1:] or months.shape[1] < 24:
        raise ScenarioError(
            f"months have shape {months.shape} and the effect's {shape.shape}, allowed: (S, T) and "
            "(T,) with T of at least 24"
        )
    if not np.isfinite(months).all() or (months < 0).any():
        raise ScenarioError("months hold missing or negative counts", hint="drop those locations")
    if np.ptp(shape) == 0:
        raise ScenarioError("the effect never changes within these months, so it cannot be seen")
    n_loc = months.shape[0]
    felt = np.ones(n_loc) if exposure is None else np.asarray(exposure, dtype=float)
    y = np.log(months + 0.5)
    # Rows of the rotation: the mean first, then contrasts; all of length one.
    turn = helmert(n_loc, full=True) if n_loc > 1 else np.ones((1, 1))
    z, loads = turn @ y, turn @ felt
    # Within a location, beta_s - beta has the covariance spread² exposure_s². Its rotation is
    # diagonal up to differences in exposure; the mean of the squares stands for all.
    own = spread**2 * float(np.mean(felt**2))
    prior_precision = 0.0 if np.isinf(prior_sd) else 1.0 / prior_sd**2
    # Contrasts are many series, so their variances are well known: one estimate will do.
    fixed = np.array([prior_precision, prior_precision * prior_mean])
    if n_loc > 1 and np.ptp(loads[1:]) > 1e-9 * np.abs(felt).max():
        contrasts = _Group(z[1:], loads[1:], shape, own)
        fixed = fixed + contrasts.evaluate(*contrasts.fit())[1:]
    # The mean is a single series: what it cannot say about its variances is averaged over.
    # (Its row has length one, so it is the mean times the root of S, and so are its sds.)
    mean = _Group(z[:1], loads[:1], shape, own)
    evaluated = [mean.evaluate(w * n_loc, n * n_loc) for w, n in _GRID]
    logs, precision, weighted = np.array(evaluated).T
    logs = logs + _LOG_PRIOR
    precision, weighted = precision + fixed[0], weighted + fixed[1]
    if not (precision > 0).all():
        raise ScenarioError("no location is exposed, so no effect can be seen")
    weights = np.exp(logs - logs.max())
    return EffectPosterior(
        weighted / precision, np.sqrt(1.0 / precision), weights / weights.sum(), prior_sd
    )


#: Locations of a simulated panel, and the prior of an injected size: nothing is given away.
LOCATIONS, WIDE = 20, Normal(0.0, 0.5)

#: Variances of walk and noise over which the mean's are averaged: sd from 0.001 to 0.3 a month.
_GRID = tuple(
    (float(w) ** 2, float(n) ** 2)
    for w in np.geomspace(0.001, 0.3, 16)
    for n in np.geomspace(0.001, 0.3, 16)
)

#: Flat in the sd itself, on a grid that is even in its logarithm.
_LOG_PRIOR = 0.5 * np.log(np.array(_GRID)).sum(axis=1)


class _Group:
    """Series that share one covariance, each with its own level and drift."""

    def __init__(self, z: Floats, loads: Floats, shape: Floats, own: float) -> None:
        n_time = shape.size
        # Project out level and drift: what is left has a proper distribution.
        trend = np.stack([np.ones(n_time), np.arange(n_time) - n_time / 2], axis=1)
        basis = np.linalg.qr(trend, mode="complete")[0][:, 2:].T
        steps = np.arange(1, n_time + 1, dtype=float)
        self.walk = basis @ np.minimum.outer(steps, steps) @ basis.T
        self.z, self.x, self.loads = z @ basis.T, basis @ shape, loads
        self.own = own * np.outer(self.x, self.x)

    def _factor(self, walk: float, noise: float) -> tuple[Floats, bool]:
        cov = walk * self.walk + noise * np.eye(self.x.size) + self.own
        factor: tuple[Floats, bool] = cho_factor(cov, lower=True)
        return factor

    def evaluate(self, walk: float, noise: float) -> tuple[float, float, float]:
        """Log marginal likelihood, precision of beta, and precision times its estimate.

        The likelihood has beta integrated out under a flat prior.
        """
        factor = self._factor(walk, noise)
        solved = cho_solve(factor, np.column_stack([self.z.T, self.x]))
        n_rows = self.z.shape[0]
        information = float(self.loads @ self.loads * (self.x @ solved[:, -1]))
        score = float(self.loads @ (self.z @ solved[:, -1]))
        quadratic = float((self.z.T * solved[:, :-1]).sum())
        logdet = 2.0 * float(np.log(np.diag(factor[0])).sum())
        out = -0.5 * (n_rows * logdet + quadratic)
        if information > 1e-12:
            out += 0.5 * (score**2 / information - float(np.log(information)))
        return out, information, score

    def fit(self) -> tuple[float, float]:
        """Variances of walk and noise that the restricted likelihood likes best."""
        scale = max(float(np.mean(np.diff(self.z, axis=1) ** 2)), 1e-8)
        start = np.log([0.2 * scale, 0.4 * scale])
        bounds = [(float(np.log(1e-9)), 0.0)] * 2

        def loss(logs: Floats) -> float:
            return -self.evaluate(float(np.exp(logs[0])), float(np.exp(logs[1])))[0]

        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
        walk, noise = np.exp(found.x)
        return float(walk), float(noise)


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

    By the estimator of :mod:`odforecast.scenario.effects`, with a prior so wide that the counts
    say it all.

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
