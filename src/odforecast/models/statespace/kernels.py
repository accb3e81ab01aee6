"""Compiled parts of the ``dlm``: coupled Kalman filter, drawn counts."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.panel import Floats

# Reordering of sums is allowed; the assumption that nothing is NaN is not: gaps are NaN.
_FAST = {"reassoc", "contract", "nsz", "arcp"}

#: Months before the likelihood counts: the filter is still finding its level.
BURN_IN = 24


@nb.njit(cache=True, fastmath=_FAST)
def kalman(
    months: Floats,
    region: NDArray[np.int64],
    scales: Floats,
    mean: Floats,
    cov: Floats,
    share: Floats,
    first: int,
    late: Floats,
    revised: Floats,
    noise: Floats,
) -> float:
    """Exact coupled filter, one count at a time; ``mean`` and ``cov`` are overwritten.

    The state is [L levels | US slope | US shock], length K, and where months are incomplete
    [L errors of what arrives late | L revisions] after it, which do not move. Counts enter through
    the log link, linearised at the prediction.

    Parameters
    ----------
    months : ndarray, shape (L, T)
        Deaths, completed by what is expected to arrive late; NaN is skipped.
    region : ndarray of int, shape (L,)
    scales : ndarray, shape (7,)
        :class:`~odforecast.models.statespace.filter.Scales` in order.
    mean : ndarray, shape (K,) or (K + 2 L,)
    cov : ndarray, shape (K, K) or (K + 2 L, K + 2 L)
    share : ndarray, shape (L,)
        Share of the count noise left after the pins took up theirs.
    first : int
        The first of ``months`` that is filtered; those before it have been.
    late, revised : ndarray, shape (L, T)
        Deaths by which one unit of an error, or of a revision, changes a month. Read where the
        state is the long one.
    noise : ndarray, shape (L, T)
        Variance of what arrives late in a single month, in deaths squared.

    Returns
    -------
    float
        Log likelihood after the burn-in, up to a constant.
    """
    n_loc, n_time = months.shape
    own, regional, nation, slope, damp, extra, shocks = scales
    us = n_loc
    shock = us + 1
    size = mean.size
    errors = shock + 1
    incomplete = size > errors
    revisions = errors + n_loc
    column = np.empty(size)
    loglik = 0.0
    for t in range(first, n_time):
        if t > 0:
            # The nation's slope is added to every level: rows, then columns.
            for i in range(n_loc):
                mean[i] += mean[us]
                for j in range(size):
                    cov[i, j] += cov[us, j]
            for j in range(size):
                for i in range(n_loc):
                    cov[j, i] += cov[j, us]
            # The slope is damped; the last month's shock is over.
            mean[us] *= damp
            mean[shock] = 0.0
            for j in range(size):
                cov[us, j] *= damp
                cov[shock, j] = 0.0
            for j in range(size):
                cov[j, us] *= damp
                cov[j, shock] = 0.0
            cov[us, us] += slope**2
            for i in range(n_loc):
                cov[i, i] += own**2
                for j in range(n_loc):
                    cov[i, j] += nation**2
                    if region[i] == region[j]:
                        cov[i, j] += regional**2
        cov[shock, shock] = shocks**2
        for i in range(n_loc):
            if np.isnan(months[i, t]):
                continue
            expected = np.exp(mean[i] + mean[shock])
            error = (months[i, t] - expected) / expected
            spread = (extra**2 + 1.0 / expected) * share[i]
            f = 0.0
            r = 0.0
            if incomplete:
                # What is seen is the month less the errors of its completion.
                f = late[i, t] / expected
                r = revised[i, t] / expected
                error += f * mean[errors + i] + r * mean[revisions + i]
                spread += noise[i, t] / (expected * expected)
            if error > 1.0:
                # The linear step overshoots after a large surprise: take its logarithm.
                error = 1.0 + np.log(error)
            for j in range(size):
                column[j] = cov[i, j] + cov[shock, j]
            if incomplete:
                for j in range(size):
                    column[j] -= f * cov[errors + i, j] + r * cov[revisions + i, j]
            total = column[i] + column[shock] + spread
            if incomplete:
                total -= f * column[errors + i] + r * column[revisions + i]
            if t >= BURN_IN:
                loglik -= 0.5 * (np.log(total) + error * error / total)
            for j in range(size):
                gain = column[j] / total
                mean[j] += gain * error
                for k in range(size):
                    cov[j, k] -= gain * column[k]
    return loglik


@nb.njit(cache=True, fastmath=_FAST)
def draw_counts(
    now: NDArray[np.float32],
    rise: NDArray[np.float32],
    lengths: NDArray[np.float32],
    noise: float,
    pin: Floats,
    shift: Floats,
    normal: NDArray[np.float32],
    uniform: NDArray[np.float32],
    out: Floats,
) -> int:
    """Deaths from log means; below a mean of 12 the Poisson is exact.

    Parameters
    ----------
    now : ndarray, shape (D, L)
        Log deaths a day at the origin.
    rise : ndarray, shape (D, L, H)
        Their change since then.
    lengths : ndarray, shape (H,)
        Logs of the months' lengths.
    noise : float
        Sd of the extra noise on the log scale.
    pin : ndarray, shape (L,)
        Variance of the error of a pin, as a share of a month's mean.
    shift : ndarray, shape (L, H)
        From the model's pins to those of the panel.
    normal, uniform : ndarray, shape (D, L, H)
    out : ndarray, shape (D, L, H)
        Overwritten.

    Returns
    -------
    int
        Draws that came out below zero and were set to zero.
    """
    n_draws, n_loc, horizon = rise.shape
    below = 0
    for d in range(n_draws):
        for i in range(n_loc):
            for h in range(horizon):
                mean = np.exp(min(now[d, i] + rise[d, i, h] + lengths[h], 16.0))
                z = normal[d, i, h]
                if mean < 12.0:
                    rate = mean * np.exp(noise * z - 0.5 * noise * noise) + 1e-12
                    p = np.exp(-rate)
                    reached = p
                    count = 0
                    while uniform[d, i, h] > reached and count < 100:
                        count += 1
                        p *= rate / count
                        reached += p
                    drawn = count + np.sqrt(pin[i] * mean) * z + shift[i, h]
                else:
                    # Normal with the Poisson's skewness (Cornish-Fisher).
                    sd = np.sqrt(mean + noise * noise * mean * mean)
                    drawn = mean + sd * z + (z * z - 1.0) / 6.0 + shift[i, h]
                if drawn < 0.0:
                    drawn = 0.0
                    below += 1
                out[d, i, h] = drawn
    return below
