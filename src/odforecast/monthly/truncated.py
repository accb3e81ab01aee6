"""Gaussian draws cut to a polytope, and months rounded to whole deaths with exact sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from odforecast.errors import DataError
from odforecast.monthly.sums import rolling_sums

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Gibbs sweeps before a draw is taken; chains start apart and have a dozen dimensions.
SWEEPS = 60


@dataclass(frozen=True)
class Polytope:
    """Points ``x`` with ``rows @ x >= limits``.

    Attributes
    ----------
    rows : ndarray, shape (k, d)
        Normals.
    limits : ndarray, shape (k,)
        Lower limits.
    """

    rows: Floats
    limits: Floats

    def holds(self, points: Floats) -> Bools:
        """Whether each point (n, d) is inside, to within rounding."""
        return np.asarray((points @ self.rows.T >= self.limits - 1e-9).all(axis=1))

    def inner_point(self) -> Floats:
        """A point as far inside as possible.

        Raises
        ------
        DataError
            If no point is inside.
        """
        from scipy.optimize import linprog  # a quarter of the time that importing forecasts takes

        d = self.rows.shape[1]
        norms = np.linalg.norm(self.rows, axis=1)
        # Limits no direction can change (zero rows) are either kept or broken already.
        free = norms > 1e-12
        if (self.limits[~free] > 1e-6).any():
            raise DataError("the sums contradict each other: a month must be negative")
        answer = linprog(
            np.append(np.zeros(d), -1.0),
            A_ub=np.hstack([-self.rows[free], norms[free, None]]),
            b_ub=-self.limits[free],
            bounds=[(None, None)] * d + [(0.0, 1e6)],
        )
        if not answer.success or answer.x is None:
            raise DataError(
                "no non-negative months give these sums and suppressed cells",
                hint="are the sums of one release, and of one definition?",
            )
        return np.asarray(answer.x[:d])


def draw_truncated(
    mean: Floats, factor: Floats, bounds: Polytope, n: int, rng: np.random.Generator
) -> Floats:
    """Draws of a Gaussian cut to a polytope.

    Parameters
    ----------
    mean : ndarray, shape (d,)
        Mean before the cut.
    factor : ndarray, shape (d, d)
        Lower Cholesky factor of the covariance before the cut.
    bounds : Polytope
        Where draws must lie.
    n : int
        Number of draws.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, d)
        By rejection where that keeps enough, else by Gibbs sampling, one chain per draw.

    Examples
    --------
    >>> half = Polytope(np.array([[1.0]]), np.array([2.0]))
    >>> draws = draw_truncated(np.zeros(1), np.eye(1), half, 500, np.random.default_rng(1))
    >>> bool((draws >= 2).all()), bool(2.2 < draws.mean() < 2.5)
    (True, True)
    """
    free = mean + rng.standard_normal((4 * n, mean.size)) @ factor.T
    kept = free[bounds.holds(free)]
    if len(kept) >= n:
        return np.asarray(kept[:n])
    start = np.linalg.solve(factor, bounds.inner_point() - mean)
    z = np.repeat(start[None], n, axis=0)
    slopes = bounds.rows @ factor  # constraints in the whitened space
    limits = bounds.limits - bounds.rows @ mean
    slack = z @ slopes.T - limits  # >= 0 inside
    for _ in range(SWEEPS):
        for j in range(mean.size):
            slope = slopes[:, j]
            up, down = slope > 1e-12, slope < -1e-12
            low = z[:, j] - (slack[:, up] / slope[up]).min(axis=1, initial=np.inf)
            high = z[:, j] - (slack[:, down] / slope[down]).max(axis=1, initial=-np.inf)
            new = _cut_normal(low, np.maximum(high, low), rng)
            slack += (new - z[:, j])[:, None] * slope
            z[:, j] = new
    return np.asarray(mean + z @ factor.T)


def _cut_normal(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal draws between limits, far tails included."""
    flip = low > 0  # the lower tail is the accurate one
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    pa, pb = ndtr(a), ndtr(b)
    x = ndtri(pa + (pb - pa) * rng.random(low.size))
    # Beyond 37 standard deviations both probabilities are zero: stay at the nearer limit.
    x = np.where(pb > 0, x, b)
    x = np.clip(x, a, b)
    return np.asarray(np.where(flip, -x, x))


def whole_months(months: Floats, sums: Floats) -> Floats:
    """Whole deaths close to real months, with rolling sums exactly as published.

    Parameters
    ----------
    months : ndarray, shape (n, T + 11)
        Non-negative months whose rolling sums are ``sums``, but for rounding.
    sums : ndarray, shape (T,)
        Published sums; NaN where not published.

    Returns
    -------
    ndarray, shape (n, T + 11)
        Whole, non-negative months; the input where published sums are not whole.
    """
    seen = ~np.isnan(sums)
    if (sums[seen] != np.round(sums[seen])).any():
        return months
    target = np.round(rolling_sums(months))
    target[:, seen] = sums[seen]
    n, t = target.shape
    # Months less their constants, from differences of the sums; each constant has a lower
    # limit (no month negative), and what is above the limits is rounded by largest remainder.
    partial = np.zeros((n, t + 11))
    steps = np.diff(target, axis=1)
    for k in range(12):
        partial[:, 12 + k :: 12] = np.cumsum(steps[:, k::12], axis=1)
    lowest = np.stack([-partial[:, k::12].min(axis=1) for k in range(12)], axis=1)
    room = target[:, 0] - lowest.sum(axis=1)
    broken = room < 0
    if broken.any():
        # Rounding unpublished sums can cost a death where a month is zero: keep them real.
        done = months.copy()
        if not broken.all():
            done[~broken] = whole_months(months[~broken], sums)
        return done
    excess = np.maximum(months[:, :12] - lowest, 0.0)
    total = excess.sum(axis=1)
    scale = np.divide(room, total, out=np.zeros_like(room), where=total > 0)
    excess = np.where((total > 0)[:, None], excess * scale[:, None], room[:, None] / 12.0)
    floor = np.floor(excess)
    short = np.round(room - floor.sum(axis=1)).astype(int)
    order = np.argsort(-(excess - floor), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(12)[None], axis=1)
    constants = lowest + floor + (short[:, None] - rank + 11) // 12
    return np.asarray(partial + constants[:, np.arange(t + 11) % 12])
