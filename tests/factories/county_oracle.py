"""Exact posterior of a small county by going through every way its deaths can fall: for tests."""

from itertools import combinations_with_replacement

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Floats = NDArray[np.float64]


def tuples(window: int, most: int) -> NDArray[np.int64]:
    """All ways to put at most ``most`` deaths into ``window`` months, shape (n, window)."""
    totals = range(most + 1)
    where = (w for total in totals for w in combinations_with_replacement(range(window), total))
    return np.array([np.bincount(np.array(w, int), minlength=window) for w in where])


@nb.njit(cache=True)
def _forward(ways, keys, weight, levels, walk, e, low, high, base):
    """Weights (ways of all but the newest month, newest month, level) after the last sum."""
    n, k = weight.shape
    w = ways.shape[1] + 1
    top = base ** (w - 2)
    totals = np.array([ways[i].sum() for i in range(n)])
    last = np.zeros((n, base, k))
    for t in range(low.size):
        if t > 0:
            weight = weight @ walk
        pmf = np.zeros((base, k))
        for a in range(k):
            lam = levels[a] * e[t + w - 1]
            pmf[0, a] = np.exp(-lam)
            for m in range(1, base):
                pmf[m, a] = pmf[m - 1, a] * lam / m
        new = np.zeros((n, k))
        for i in range(n):
            for m in range(max(low[t] - totals[i], 0), min(high[t] - totals[i] + 1, base)):
                # The next state drops its oldest month and takes the new one in.
                j = np.searchsorted(keys, (keys[i] % top) * base + m)
                for a in range(k):
                    x = weight[i, a] * pmf[m, a]
                    new[j, a] += x
                    if t == low.size - 1:
                        last[i, m, a] = x
        weight = new / new.sum()
    return last / last.sum()


def exact(low, high, e, level, shape, step, window, points=60):
    """Probabilities of the last sum, 0 to ``max(high)``, and of the level; means of the months.

    The level is gamma before, then a walk of relative step ``step``; months are Poisson(level e).
    """
    most = int(high.max())
    base = most + 1
    ways = tuples(window - 1, most)
    keys = ways @ base ** np.arange(window - 1)[::-1]
    order = np.argsort(keys)
    ways, keys = ways[order], keys[order]
    sd = 1 / np.sqrt(shape)
    grid = np.linspace(np.log(level) - 5 * max(sd, 0.5), np.log(level) + 3.5 * max(sd, 0.4), points)
    levels = np.exp(grid)
    gap = grid[1] - grid[0]
    prior = levels**shape * np.exp(-shape / level * levels)
    prior /= prior.sum()
    # Three points with the variance of the walk; its mean step keeps the level the same.
    p = step**2 / gap**2 / 2
    assert p < 0.5
    walk = np.eye(points) * (1 - 2 * p) + p * (np.eye(points, k=1) + np.eye(points, k=-1))
    walk[[0, -1], [0, -1]] += p
    lam = levels[:, None] * e[: window - 1]
    known = gammaln(ways + 1).sum(axis=1)[:, None]
    weight = prior * np.exp(ways @ np.log(lam).T - lam.sum(axis=1) - known)
    last = _forward(ways, keys, weight, levels, walk, e, low, high, base)
    total = ways.sum(axis=1)
    sums = np.zeros((most + 1, points))
    months = np.zeros(window)
    for m in range(base):
        inside = total + m <= most
        np.add.at(sums, total[inside] + m, last[inside, m])
        months[-1] += m * last[:, m].sum()
    months[:-1] = (last.sum(axis=(1, 2))[:, None] * ways).sum(axis=0)
    return {"sum": sums.sum(axis=1), "levels": levels, "level": sums.sum(axis=0), "months": months}


def moments(values: Floats, p: Floats) -> tuple[float, float]:
    mean = float((values * p).sum() / p.sum())
    return mean, float(np.sqrt((values**2 * p).sum() / p.sum() - mean**2))
