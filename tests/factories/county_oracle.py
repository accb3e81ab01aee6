"""Exact posterior of a small county by going through every way its deaths can fall: for tests."""

from itertools import combinations_with_replacement
from math import factorial

import numba as nb
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tuples(window: int, most: int) -> NDArray[np.int64]:
    """All ways to put at most ``most`` deaths into ``window`` months, shape (n, window)."""
    rows = []
    for total in range(most + 1):
        for where in combinations_with_replacement(range(window), total):
            row = [0] * window
            for u in where:
                row[u] += 1
            rows.append(row)
    return np.array(rows, dtype=np.int64)


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
            for m in range(base):
                if totals[i] + m < low[t] or totals[i] + m > high[t]:
                    continue
                # The next state drops its oldest month and takes the new one in.
                j = np.searchsorted(keys, (keys[i] % top) * base + m)
                for a in range(k):
                    x = weight[i, a] * pmf[m, a]
                    new[j, a] += x
                    if t == low.size - 1:
                        last[i, m, a] = x
        whole = new.sum()
        weight = new / whole
        if t == low.size - 1:
            last /= whole
    return last


def exact(low, high, e, level, shape, step, window, points=60):
    """Probabilities of the last sum, 0 to ``max(high)``, and of the level; means of the months.

    The level is gamma before and moves by a random walk of relative step ``step`` on a grid of
    logarithms; months are Poisson(level e). Counts are at most ``max(high)``.
    """
    most = int(high.max())
    base = most + 1
    ways = tuples(window - 1, most)
    keys = np.zeros(len(ways), dtype=np.int64)
    for u in range(window - 1):
        keys = keys * base + ways[:, u]
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
    walk = np.diag(np.full(points, 1 - 2 * p)) + np.diag(np.full(points - 1, p), 1)
    walk += np.diag(np.full(points - 1, p), -1)
    walk[0, 0] += p
    walk[-1, -1] += p
    weight = np.empty((len(ways), points))
    logs = np.log([float(factorial(m)) for m in range(base)])
    rate = e[: window - 1]
    for a in range(points):
        lam = levels[a] * rate
        weight[:, a] = prior[a] * np.exp((ways * np.log(lam) - lam - logs[ways]).sum(axis=1))
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
    """Mean and standard deviation."""
    mean = float((values * p).sum() / p.sum())
    return mean, float(np.sqrt((values**2 * p).sum() / p.sum() - mean**2))
