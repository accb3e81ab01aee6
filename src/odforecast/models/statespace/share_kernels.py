"""Compiled parts of the share of a drug class: its filter, its pins, its drawn months."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.models.statespace.kernels import _FAST
from odforecast.panel import Floats


@nb.njit(cache=True, fastmath=_FAST)
def share_filter(
    parts: Floats,
    wholes: Floats,
    rise: Floats,
    first: NDArray[np.int64],
    own: Floats,
    scales: Floats,
    mean: Floats,
    cov: Floats,
    left: Floats,
    late: Floats,
    noise: Floats,
) -> float:
    """Filter of the log-odds of a part in a whole; ``mean`` and ``cov`` are overwritten.

    The state is [L log-odds | the slope that all share | the error of the late arrivals]. Counts
    enter through the logistic link, linearised at the prediction.

    Parameters
    ----------
    parts, wholes : ndarray, shape (L, T)
        Deaths of the part and of the whole, completed; parts of NaN are skipped.
    rise : ndarray, shape (L, T)
        Change of the whole's log level from the month before.
    first : ndarray of int, shape (L,)
        Month of each location's first count: it starts there afresh.
    own : ndarray, shape (L,)
        Sd of a location's own innovation.
    scales : ndarray, shape (5,)
        Shared innovation, slope, damping, noise, pull.
    mean : ndarray, shape (L + 2,)
    cov : ndarray, shape (L + 2, L + 2)
    left : ndarray, shape (L,)
        Share of the count noise left after the pins took up theirs.
    late : ndarray, shape (L, T)
        Deaths of the part that are expected to arrive late.
    noise : ndarray, shape (L, T)
        Variance of a single month's late arrivals, in deaths squared.

    Returns
    -------
    float
        Log likelihood up to a constant; a location's first 12 months are left out.
    """
    n_loc, n_time = parts.shape
    us, slope, damp, extra, pull = scales
    start = mean[:n_loc].copy()
    size = n_loc + 2
    b = n_loc
    error = n_loc + 1
    column = np.empty(size)
    loglik = 0.0
    for t in range(first.min(), n_time):
        for i in range(n_loc):
            mean[i] += mean[b] + pull * rise[i, t]
        # The slope is added to every log-odds: rows, then columns.
        for i in range(n_loc):
            for j in range(size):
                cov[i, j] += cov[b, j]
        for j in range(size):
            for i in range(n_loc):
                cov[j, i] += cov[j, b]
        mean[b] *= damp
        for j in range(size):
            cov[b, j] *= damp
        for j in range(size):
            cov[j, b] *= damp
        cov[b, b] += slope * slope
        for i in range(n_loc):
            cov[i, i] += own[i] * own[i]
            for j in range(n_loc):
                cov[i, j] += us * us
        for i in range(n_loc):
            if t < first[i]:
                continue
            if t == first[i]:
                mean[i] = start[i]
                for j in range(size):
                    cov[i, j] = 0.0
                    cov[j, i] = 0.0
                cov[i, i] = 0.09
            if np.isnan(parts[i, t]) or wholes[i, t] < 0.5:
                continue
            p = 1.0 / (1.0 + np.exp(-mean[i]))
            v = max(wholes[i, t] * p * (1.0 - p), 1e-3)
            f = late[i, t] / v
            miss = (parts[i, t] - wholes[i, t] * p) / v + f * mean[error]
            if miss > 1.0:
                miss = 1.0 + np.log(miss)
            elif miss < -1.0:
                miss = -1.0 - np.log(-miss)
            for j in range(size):
                column[j] = cov[i, j] - f * cov[error, j]
            total = column[i] - f * column[error]
            total += (1.0 / v + extra * extra) * left[i] + noise[i, t] / (v * v)
            if t >= first[i] + 12:
                loglik -= 0.5 * (np.log(total) + miss * miss / total)
            for j in range(size):
                gain = column[j] / total
                mean[j] += gain * miss
                for k in range(size):
                    cov[j, k] -= gain * column[k]
    return loglik


@nb.njit(cache=True)
def share_equations(
    parts: Floats, wholes: Floats, ratio: Floats, variance: float, forget: float
) -> tuple[Floats, Floats]:
    """Normal equations of the constants of a part, whitened: (L, 12, 12) and (L, 12).

    As the model's own pins (:mod:`odforecast.models.statespace.pins`), but what moves slowly is
    the share: ``parts + constant = wholes * share``.
    """
    n_loc, n = parts.shape
    left = np.zeros((n_loc, 12, 12))
    right = np.zeros((n_loc, 12))
    level = np.empty(13)
    step = np.empty(13)
    for i in range(n_loc):
        uncertain = 1.0
        level[:] = 0.0
        for t in range(n):
            if np.isnan(parts[i, t]):
                continue
            spread = ratio[i, t] * (1.0 - ratio[i, t])
            uncertain += variance * spread * spread
            x = max(wholes[i, t], 1.0)
            age = (n - 1 - t) // 12
            total = uncertain + spread / x * (1.0 + forget * age * age)
            gain = uncertain / total
            for j in range(12):
                step[j] = (1.0 / x if j == t % 12 else 0.0) - level[j]
            step[12] = parts[i, t] / x - level[12]
            for j in range(13):
                level[j] += gain * step[j]
            uncertain -= gain * uncertain
            for j in range(12):
                right[i, j] -= step[j] * step[12] / total
                for m in range(12):
                    left[i, j, m] += step[j] * step[m] / total
    return left, right


@nb.njit(cache=True)
def smooth_rise(months: Floats, level: float, noise: float) -> Floats:
    """Change from the month before of a smoothed log level, shape (L, T); 0 where unknown."""
    n_loc, n = months.shape
    out = np.zeros((n_loc, n))
    a = np.empty(n)
    p = np.empty(n)
    for i in range(n_loc):
        now = np.nan
        var = 0.0
        begin = n
        for t in range(n):
            x = months[i, t]
            if not np.isnan(x):
                seen = np.log(max(x, 0.0) + 0.5)
                r = 1.0 / (max(x, 0.0) + 0.5) + noise * noise
                if begin == n:
                    begin = t
                    now, var = seen, r
                else:
                    var += level * level
                    gain = var / (var + r)
                    now += gain * (seen - now)
                    var -= gain * var
            elif begin < n:
                var += level * level
            a[t] = now
            p[t] = var
        after = now
        for t in range(n - 2, begin - 1, -1):
            smooth = a[t] + p[t] / (p[t] + level * level) * (after - a[t])
            out[i, t + 1] = after - smooth
            after = smooth
    return out


@nb.njit(cache=True, fastmath=_FAST)
def part_of(x: float, p: float, noise: float, pin: float, z: float) -> float:
    """Deaths of a part out of ``x`` at a share ``p``; where few, the binomial is exact.

    ``pin`` is the variance of the error of a pin as a share of a month's, ``z`` standard normal.
    """
    v = x * p * (1.0 - p)
    if v < 4.0:
        few = min(p, 1.0 - p)
        uniform = 0.5 * math.erfc(-z / math.sqrt(2.0))
        if p >= 0.5:
            uniform = 1.0 - uniform
        n = math.floor(x)
        mass = (1.0 - few) ** n
        reached = mass
        count = 0.0
        while uniform > reached and count < n:
            mass *= (n - count) / (count + 1.0) * few / (1.0 - few)
            count += 1.0
            reached += mass
        if p >= 0.5:
            count = n - count
        return x * p + (count - n * p) * math.sqrt(1.0 + pin)
    # Normal with the binomial's skewness (Cornish-Fisher).
    sd = math.sqrt((v + noise * noise * v * v) * (1.0 + pin))
    return x * p + sd * z + (1.0 - 2.0 * p) * (z * z - 1.0) / 6.0


@nb.njit(cache=True, fastmath=_FAST)
def draw_parts(
    logit: NDArray[np.float32],
    common: NDArray[np.float32],
    rise: NDArray[np.float32],
    ratio: NDArray[np.float32],
    normal: NDArray[np.float32],
    numbers: Floats,
    own: Floats,
    pin: Floats,
    whole: Floats,
    before: Floats,
    rest: Floats,
    row: NDArray[np.int64],
    reported: Floats,
    shown: Floats,
    place: NDArray[np.int64],
    us: int,
    inside: NDArray[np.bool_],
    out: Floats,
    known: Floats,
) -> None:
    """Months of a drug class, out of those of all drugs: between none and all of them.

    Parameters
    ----------
    logit : ndarray, shape (D, L)
        Log-odds of the share at the origin.
    common : ndarray, shape (D, H)
        Their change in all units.
    rise : ndarray, shape (D, L, H)
        Change of the log level of the whole.
    ratio : ndarray, shape (D, L)
        Late share of the part over that of the whole.
    normal : ndarray, shape (D, L, A + 2 H)
        Standard normals: A late months, and H innovations and H months.
    numbers : ndarray, shape (2,)
        Pull, noise.
    own, pin : ndarray, shape (L,)
        Sd of own innovations; variance of the error of a pin as a share of a month's.
    whole, before : ndarray, shapes (D, W, A + H) and (D, W, 11)
        All drugs: drawn months, and those before them.
    rest : ndarray, shape (D, 11 + A + H)
        The same of the unit whose row is -1.
    row : ndarray of int, shape (L,)
        Row of each unit in ``whole``.
    reported, shown : ndarray, shape (L, 11 + A)
        Months of the whole and of the part as reported, the last at the end.
    place : ndarray of int, shape (L,)
        Row of each unit in ``out``; -1 if it has none.
    us : int
        Row of the sum of the units in ``out``; -1 if it is none.
    inside : ndarray of bool, shape (L,)
        Units that the sum holds: Puerto Rico is none.
    out, known : ndarray, shapes (D, P, A + H) and (D, P, 11)
        Overwritten, those of ``us`` added to.
    """
    n_draws, n_loc, horizon = rise.shape
    now = whole.shape[2] - horizon
    pull, noise = numbers
    for d in range(n_draws):
        for i in range(n_loc):
            at = place[i]
            share = 1.0 / (1.0 + np.exp(-logit[d, i]))
            level = 0.0
            for m in range(11 + now + horizon):
                if row[i] < 0:
                    x = rest[d, m]
                elif m < 11:
                    x = before[d, row[i], m]
                else:
                    x = whole[d, row[i], m - 11]
                h = m - 11 - now
                if h < 0:
                    # What arrives late of the whole, and the part's share of that.
                    late = x - reported[i, m]
                    drawn = shown[i, m]
                    if late != 0.0:
                        drawn += late * share * ratio[d, i]
                        if m >= 11:
                            spread = abs(late) * share * (1.0 - share)
                            drawn += math.sqrt(spread) * normal[d, i, m - 11]
                else:
                    level += own[i] * normal[d, i, now + h]
                    odds = logit[d, i] + common[d, h] + level + pull * rise[d, i, h]
                    p = 1.0 / (1.0 + np.exp(-odds))
                    z = normal[d, i, now + horizon + h]
                    drawn = part_of(max(x, 0.0), p, noise, pin[i], z)
                drawn = min(max(drawn, min(x, 0.0)), x)
                if m < 11:
                    if at >= 0:
                        known[d, at, m] = drawn
                    if us >= 0 and inside[i]:
                        known[d, us, m] += drawn
                else:
                    if at >= 0:
                        out[d, at, m - 11] = drawn
                    if us >= 0 and inside[i]:
                        out[d, us, m - 11] += drawn
