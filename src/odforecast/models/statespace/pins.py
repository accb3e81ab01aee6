"""Pin the twelve seasonal constants for a model, given how noisy counts are.

Months recovered from rolling sums are known up to one constant per calendar month
(:mod:`odforecast.monthly.sums`). Here the constants are those under which deaths **per day**
look most like a slowly moving level plus count noise: generalised least squares, the whitening
done by the filter of a local-level model. February has fewer deaths for it has fewer days, and the
more so the more deaths there are: a constant cannot say that. Older years weigh less, since the
seasonal pattern drifts.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from odforecast.panel import Floats

#: Innovation variance of the level a month, as a share of its square, and growth of the noise
#: variance with the squared age in years: those of `make constants`, 2018-12.
LEVEL_VARIANCE, FORGET = 0.000125, 0.025


@nb.njit(cache=True)
def _normal_equations(
    months: Floats, trend: Floats, variance: float, forget: float, lengths: Floats
) -> tuple[Floats, Floats]:
    """Whitened normal equations, (L, 12, 12) and (L, 12).

    A local-level filter is run on the months and, with the same gains, on the twelve
    calendar-month dummies: the innovations are the whitened rows of the regression.
    """
    n_loc, n = months.shape
    left = np.zeros((n_loc, 12, 12))
    right = np.zeros((n_loc, 12))
    level = np.empty(13)
    step = np.empty(13)
    for i in range(n_loc):
        uncertain = 1e4 * trend[i, 0] ** 2 * variance + 1e6 * trend[i, 0]
        level[:] = 0.0
        level[12] = trend[i, 0]
        for t in range(n):
            if t > 0:
                uncertain += variance * trend[i, t] * trend[i, t]
            if np.isnan(months[i, t]):
                continue
            k = t % 12
            age = (n - 1 - t) // 12
            total = uncertain + trend[i, t] * (1.0 + forget * age * age)
            gain = uncertain / total
            for j in range(12):
                step[j] = (1.0 / lengths[t] if j == k else 0.0) - level[j]
            step[12] = months[i, t] / lengths[t] - level[12]
            for j in range(13):
                level[j] += gain * step[j]
            uncertain -= gain * uncertain
            for j in range(12):
                right[i, j] -= step[j] * step[12] / total
                for m in range(12):
                    left[i, j, m] += step[j] * step[m] / total
    return left, right


def repin(
    months: Floats,
    trend: Floats,
    lengths: Floats | None = None,
    *,
    level_variance: float = LEVEL_VARIANCE,
    forget: float = FORGET,
) -> Floats:
    """Constants to add to each calendar month, shape (L, 12), adding up to zero.

    Parameters
    ----------
    months : ndarray, shape (L, n)
        Monthly deaths on any pins; NaN where unknown.
    trend : ndarray, shape (L, n)
        Rough monthly level, above zero: the noise is scaled by it.
    lengths : ndarray, shape (n,), optional
        Of the months (:func:`odforecast.months.month_lengths`); default: all alike.
    level_variance, forget : float
        See :data:`LEVEL_VARIANCE` and :data:`FORGET`.

    Returns
    -------
    ndarray, shape (L, 12)
        Column k belongs to months k, k + 12, … of ``months``.

    Examples
    --------
    >>> wave = np.tile([-2.0, 2.0], 24)[None] + 50.0
    >>> bool(np.allclose(repin(wave, np.full((1, 48), 50.0)), np.tile([2.0, -2.0], 6)))
    True
    """
    months = np.asarray(months, dtype=float)
    lengths = np.ones(months.shape[1]) if lengths is None else lengths
    left, right = _normal_equations(months, trend, level_variance, forget, lengths)
    kkt = np.zeros((len(months), 13, 13))
    # A calendar month never seen, in a very short row, keeps its constant near zero.
    kkt[:, :12, :12] = left + 1e-12 * np.eye(12)
    kkt[:, 12, :12] = kkt[:, :12, 12] = 1.0
    target = np.concatenate([right, np.zeros((len(right), 1))], axis=1)
    constants: Floats = np.linalg.solve(kkt, target[..., None])[:, :12, 0]
    return constants


def rough_level(months: Floats) -> Floats:
    """Centred 12-month means of the months, ends repeated, at least 1; shape (L, n).

    Missing months take the nearest mean.
    """
    n = months.shape[1]
    window = np.lib.stride_tricks.sliding_window_view(months, 12, axis=1).mean(axis=2)
    padded = np.concatenate(
        [np.repeat(window[:, :1], 6, axis=1), window, np.repeat(window[:, -1:], 5, axis=1)], axis=1
    )
    for row in padded:
        known = np.flatnonzero(~np.isnan(row))
        if known.size < n:
            row[:] = np.interp(np.arange(n), known, row[known])
    return np.asarray(np.maximum(padded, 1.0))


def years_averaged(n_months: Floats, *, forget: float = FORGET) -> Floats:
    """How many years' noise averages out in a pin, given months used: (sum w)² / sum w²."""
    out = np.empty(len(n_months))
    for i, n in enumerate(n_months):
        weights = 1.0 / (1.0 + forget * np.arange(max(int(n) // 12, 1)) ** 2)
        out[i] = weights.sum() ** 2 / (weights**2).sum()
    return out
