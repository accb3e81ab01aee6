"""Simultaneous bands for ranks: are transforms of a posterior uniform?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import binom

from odforecast.errors import ScenarioError
from odforecast.panel import Floats
from odforecast.seeds import seed_from

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
