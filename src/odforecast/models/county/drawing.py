"""Compiled parts of the ``county`` model: draws of a county, and whole numbers that add up."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.models.county.kernels import (
    BETWEEN,
    EXACT,
    LEAST,
    MANY,
    NONE,
    Ints,
    counts_between,
    sum_of,
)
from odforecast.panel import Floats


@nb.njit(cache=True)
def root_of(cov: Floats) -> Floats:
    """Lower triangle whose square is ``cov``, which may lack directions."""
    n = cov.shape[0]
    root = np.zeros((n, n))
    for j in range(n):
        left = cov[j, j]
        for k in range(j):
            left -= root[j, k] ** 2
        if left < NONE:
            continue
        root[j, j] = np.sqrt(left)
        for i in range(j + 1, n):
            x = cov[i, j]
            for k in range(j):
                x -= root[i, k] * root[j, k]
            root[i, j] = x / root[j, j]
    return root


@nb.njit(cache=True)
def skewed(x: float, mean: float, var: float) -> float:
    """A normal draw of a month turned into one of a gamma of the same mean and variance.

    By Wilson and Hilferty's cube: deaths of a month are none and more, and many are less rare than
    under a normal.
    """
    if var < NONE or mean < LEAST:
        return max(x, 0.0)
    shape = mean * mean / var
    cube = 1.0 - 1.0 / (9.0 * shape) + (x - mean) / np.sqrt(var) / (3.0 * np.sqrt(shape))
    return float(mean * max(cube, 0.0) ** 3)


@nb.njit(cache=True)
def drawn_county(
    rng: np.random.Generator,
    kind: int,
    low: float,
    high: float,
    mean: Floats,
    cov: Floats,
    site: Floats,
    ahead: Floats,
    late: Floats,
    q: float,
    last: Floats,
    out: Floats,
) -> None:
    """Draw the state of one county, and its sums; overwrites ``last`` and ``out``.

    Parameters
    ----------
    rng : Generator
        The county's own.
    kind, low, high
        What is known of the last sum.
    mean, cov, site
        As :func:`filtered_state` leaves them.
    ahead : ndarray, shape (D, H)
        Deaths a month, after the last, of a county that has one a year.
    late : ndarray, shape (D, w)
        The same of deaths that the last months still miss; of length 0 where they miss none.
    q : float
    last : ndarray, shape (D,)
        The last sum in every draw, as it is known.
    out : ndarray, shape (D, 1 + H)
        12-month sums: the last once complete, and those after it; not whole numbers yet.
    """
    draws, horizon = ahead.shape
    w = mean.size - 1
    step = np.sqrt(q)
    few = kind == BETWEEN and high - low < MANY
    none = kind == EXACT and low == 0.0
    root = root_of(cov)
    # Of every draw, since months are drawn one after the other over all draws: a shorter forecast
    # is then the beginning of a longer one.
    kept, new, levels = np.zeros((draws, w)), np.zeros(draws), np.zeros(draws)
    fresh = np.zeros((draws, horizon))
    z = np.zeros(w + 1)
    p = np.zeros(1)
    before, var = sum_of(mean, cov)
    if few:
        p = counts_between(site[0], site[1], low, high)
        for k in range(p.size):
            x = low + k
            p[k] *= np.exp(site[3] * (x - site[0]) - 0.5 * site[2] * (x * x - site[0] ** 2))
        p /= p.sum()
    slope = rest = 0.0
    if few and var > NONE:
        slope = cov[w, :w].sum() / var
    rest = max(cov[w, w] - slope * slope * var, 1e-6 * mean[w] ** 2)
    for d in range(draws):
        months = kept[d]
        if none or few:
            count = 0.0
            if few:
                x = rng.random()
                k = 0
                while k < p.size - 1 and x > p[k]:
                    x -= p[k]
                    k += 1
                count = low + k
            # A gamma, for it is small; its deaths fall into months as those of the mean do.
            level = max(mean[w] + slope * (count - before), 0.1 * mean[w])
            level = rng.gamma(level * level / rest, rest / level)
            for _ in range(int(count)):
                x = rng.random() * before
                u = 0
                while u < w - 1 and x > max(mean[u], 0.0):
                    x -= max(mean[u], 0.0)
                    u += 1
                months[u] += 1.0
        else:
            for i in range(w + 1):
                z[i] = rng.standard_normal()
            for i in range(w + 1):
                x = mean[i]
                for j in range(i + 1):
                    x += root[i, j] * z[j]
                if i < w:
                    months[i] = skewed(x, mean[i], cov[i, i])
                else:
                    level = max(x, 0.05 * mean[w], LEAST)
            count = before
            if kind != EXACT:
                count = before
                for i in range(w):
                    for j in range(i + 1):
                        count += root[i, j] * z[j]
                count = max(count, low if kind == BETWEEN else 0.0)
            now = months.sum()
            for i in range(w):
                months[i] = months[i] * count / now if now > 0.0 else count / w
        last[d] = count
        if late.shape[0] > 0:
            for u in range(w):
                if late[d, u] > 0.0:
                    months[u] += rng.poisson(level * late[d, u])
        levels[d] = level
        out[d, 0] = months.sum()
    for h in range(horizon):
        for d in range(draws):
            levels[d] *= np.exp(step * rng.standard_normal() - 0.5 * q)
            fresh[d, h] = rng.poisson(levels[d] * ahead[d, h])
            # What is kept of the last months, and what the new ones add.
            new[d] += fresh[d, h]
            left = 0.0
            if h < w:
                left = max(kept[d, h + 1 :].sum(), 0.0)
            else:
                new[d] -= fresh[d, h - w]
            out[d, 1 + h] = left + new[d]


@nb.njit(cache=True)
def raked(
    sums: Floats, expected: Floats, target: Floats, at: Floats, rows: Ints, out: NDArray[np.int32]
) -> None:
    """Whole numbers in proportion to ``sums`` that add up to ``target``; overwrites ``out``.

    Rounded by a systematic sample: every number is one of the two whole ones next to it, and
    right on average.

    Parameters
    ----------
    sums : ndarray, shape (n, D, H)
        Sums of the counties of a state.
    expected : ndarray, shape (n,)
        What the total is shared out by where no county has any.
    target : ndarray, shape (D, H)
        The state's total, whole numbers.
    at : ndarray, shape (D,)
        Where the sample of a draw begins, from 0 to 1.
    rows : ndarray of int, shape (n,)
        Rows of ``out`` that the counties have.
    out : ndarray of int, shape (D, L, H)
    """
    n, draws, horizon = sums.shape
    for d in range(draws):
        for h in range(horizon):
            whole = 0.0
            for i in range(n):
                whole += sums[i, d, h]
            none = whole <= 0.0
            if none:
                whole = expected.sum()
            factor = target[d, h] / whole
            run, before = 0.0, 0
            for i in range(n):
                run += (expected[i] if none else sums[i, d, h]) * factor
                upto = min(int(np.floor(run + at[d])), int(target[d, h]))
                if i == n - 1:
                    upto = int(target[d, h])
                out[d, rows[i], h] = upto - before
                before = upto
