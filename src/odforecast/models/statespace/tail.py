"""How heavy the tail of the nation's innovations is, and how a constant is written down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import t as student

from odforecast.panel import Floats

#: Degrees of freedom tried; the last stands for a normal.
TAIL_GRID = np.geomspace(1.5, 200.0, 80)

#: Kept where the data cannot tell.
ASSUMED = {"tail_df": 5.0}

#: A 90 % interval is this many sd either way.
Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Number:
    """One constant: its value, its 90 % interval, and how it was come by.

    Attributes
    ----------
    value, low, high : float
        NaN bounds where there is no interval.
    how : {"estimated", "assumed"}
    method : str
    """

    value: float
    low: float
    high: float
    how: str
    method: str


def national_innovations(months: Floats, region: NDArray[np.int64], theta: Floats) -> Floats:
    """Standardised one-step innovations of the nation's log months, after a year.

    Parameters
    ----------
    months : ndarray, shape (L, n)
    region : ndarray of int, shape (L,)
    theta : ndarray, shape (7,)
        Scales of the filter: own and regional innovations average out in the nation.
    """
    level_own, level_region, level_us, slope_us, damp_us, extra, shock = theta
    total = months.sum(axis=0)
    share = months.sum(axis=1) / months.sum()
    square = float((share**2).sum())
    by_region = np.bincount(region, weights=share)
    level = level_own**2 * square + level_region**2 * float((by_region**2).sum()) + level_us**2
    noise = 1.0 / total + extra**2 * square + shock**2
    move = np.array([[1.0, 1.0], [0.0, damp_us]])
    mean = np.array([np.log(total[0]), 0.0])
    settled = min(slope_us**2 / (1.0 - damp_us**2), 4e-4)
    cov = np.diag([noise[0], settled])
    out = np.empty(total.size)
    for t in range(1, total.size):
        mean = move @ mean
        cov = move @ cov @ move.T + np.diag([level, slope_us**2])
        variance = cov[0, 0] + noise[t]
        error = np.log(total[t]) - mean[0]
        out[t] = error / np.sqrt(variance)
        gain = cov[:, 0] / variance
        mean = mean + gain * error
        cov = cov - np.outer(gain, cov[0])
    return out[12:]


def estimate_tail(innovations: Floats) -> Number:
    """Degrees of freedom of a Student-t with free scale; 90 % interval from its profile.

    Where the interval reaches the normal, the data cannot tell, and the assumption stays.
    """
    spread = float(np.sqrt(np.mean(innovations**2)))

    def profile(df: float) -> float:
        found = minimize_scalar(
            lambda s: -student.logpdf(innovations, df, scale=np.exp(s)).sum(),
            bounds=(np.log(spread / 10), np.log(2 * spread)),
            method="bounded",
        )
        return -float(found.fun)

    height = np.array([profile(float(df)) for df in TAIL_GRID])
    inside = TAIL_GRID[height > height.max() - 0.5 * Z90**2]
    best, low, high = float(TAIL_GRID[height.argmax()]), float(inside[0]), float(inside[-1])
    method = f"Student-t profile of {innovations.size} national innovations"
    if high == TAIL_GRID[-1]:
        peak = "normal" if best == TAIL_GRID[-1] else f"{best:.1f}"
        method = f"{method}: not told from a normal (peak {peak})"
        return Number(ASSUMED["tail_df"], low, float("inf"), "assumed", method)
    return Number(best, low, high, "estimated", method)
