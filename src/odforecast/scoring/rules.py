"""Scoring rules for quantiles and medians: WIS, quantile score, bias, absolute errors.

All scores are negatively oriented (smaller is better) except :func:`bias_from_quantiles`,
which is best at zero. The axis of quantiles comes first; the other axes are forecast units.
A missing observation (NaN) gives a NaN score: the caller decides what is scorable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError, proportion

Floats = NDArray[np.float64]


class WIS(NamedTuple):
    """Weighted interval score and its parts; ``spread + over + under == total``, exactly.

    Attributes
    ----------
    total : ndarray, shape (...)
        The score, in the unit of the observations.
    spread : ndarray, shape (...)
        Penalty for wide intervals.
    over : ndarray, shape (...)
        Penalty for forecasts above the observation (overprediction).
    under : ndarray, shape (...)
        Penalty for forecasts below the observation (underprediction).
    """

    total: Floats
    spread: Floats
    over: Floats
    under: Floats


def interval_score(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, alpha: float) -> Floats:
    """Interval score of a central ``1 - alpha`` interval (Gneiting and Raftery 2007).

    ``(u - l) + 2/alpha (l - y)+ + 2/alpha (y - u)+``

    Parameters
    ----------
    lower, upper : array_like, shape (...)
        Ends of the interval.
    observed : array_like, shape (...)
        Observations.
    alpha : float
        Nominal probability outside, in (0, 1).

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ScoringError
        If ``alpha`` is no probability or an interval is upside down.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.interval_score(90, 110, 85, alpha=0.2))
    70.0
    """
    proportion("alpha", alpha, ScoringError)
    low, high, y = (np.asarray(x, dtype=float) for x in (lower, upper, observed))
    if (high < low).any():
        raise ScoringError("an interval's upper end lies below its lower end")
    miss = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return np.asarray((high - low) + 2.0 / alpha * miss)


def quantile_score(quantiles: ArrayLike, levels: Sequence[float], observed: ArrayLike) -> Floats:
    """Quantile (pinball) score of each quantile: ``(1{y < q} - tau) (q - y)``.

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
        Predictive quantiles.
    levels : sequence of float, length Q
        Their levels in (0, 1).
    observed : array_like, shape (...)
        Observations.

    Returns
    -------
    ndarray, shape (Q, ...)

    Raises
    ------
    ScoringError
        If levels and quantiles do not match.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.quantile_score([90.0, 100.0], [0.25, 0.5], 104.0).tolist()
    [3.5, 2.0]
    """
    values, tau = check_quantiles(quantiles, levels)
    gap = values - np.asarray(observed, dtype=float)
    tau = tau.reshape(-1, *(1,) * (values.ndim - 1))
    return np.asarray(np.where(gap > 0, (1.0 - tau) * gap, -tau * gap))


def weighted_interval_score(
    quantiles: ArrayLike, levels: Sequence[float], observed: ArrayLike
) -> WIS:
    """Weighted interval score with its parts (Bracher et al. 2021).

    With K central intervals at ``alpha_k`` and the median m:
    ``(|y - m| / 2 + sum_k alpha_k / 2 * IS_k) / (K + 1/2)``; the error of the median is
    shared out to over- and underprediction. Equals twice the mean quantile score.

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
        Predictive quantiles, rising along the first axis.
    levels : sequence of float, length Q
        Rising levels, symmetric about the median, with the median.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.

    Returns
    -------
    WIS
        Arrays of shape (...), in the unit of the observations.

    Raises
    ------
    ScoringError
        If the levels are not symmetric with a median, or quantiles cross.

    Examples
    --------
    >>> import odforecast as od
    >>> score = od.scoring.weighted_interval_score([90.0, 100.0, 110.0], [0.25, 0.5, 0.75], 120.0)
    >>> [round(float(x), 6) for x in score]
    [16.666667, 3.333333, 0.0, 13.333333]
    """
    values, tau = check_quantiles(quantiles, levels)
    half = tau.size // 2
    if tau.size % 2 == 0 or not np.allclose(tau, 1.0 - tau[::-1], rtol=0, atol=1e-9):
        raise ScoringError(
            f"levels must be symmetric about 0.5 and hold it, got {[float(x) for x in tau]}",
            hint="for example 0.05, 0.25, 0.5, 0.75, 0.95",
        )
    y = np.asarray(observed, dtype=float)
    lower, median, upper = values[:half], values[half], values[half + 1 :][::-1]
    weight = tau[:half].reshape(-1, *(1,) * (values.ndim - 1))  # alpha / 2 is the lower level
    share = 1.0 / (half + 0.5)
    spread = share * (weight * (upper - lower)).sum(axis=0) + 0.0 * y
    over = share * (np.maximum(lower - y, 0).sum(axis=0) + 0.5 * np.maximum(median - y, 0))
    under = share * (np.maximum(y - upper, 0).sum(axis=0) + 0.5 * np.maximum(y - median, 0))
    return WIS(np.asarray(spread + over + under), spread, over, under)


def absolute_error(median: ArrayLike, observed: ArrayLike) -> Floats:
    """Absolute error of the predictive median, in the unit of the observations.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.absolute_error(90.0, 100.0))
    10.0
    """
    return np.asarray(np.abs(np.asarray(median, float) - np.asarray(observed, float)))


def absolute_percentage_error(median: ArrayLike, observed: ArrayLike) -> Floats:
    """Absolute error of the predictive median in percent of the observation.

    NaN where nothing was observed, or the observation is zero.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.absolute_percentage_error([90.0, 1.0], [100.0, 0.0]).tolist()
    [10.0, nan]
    """
    error, y = np.broadcast_arrays(absolute_error(median, observed), np.asarray(observed, float))
    ratio = np.divide(error, y, out=np.full(y.shape, np.nan), where=y > 0)
    return np.asarray(100.0 * ratio)


def bias_from_quantiles(
    quantiles: ArrayLike, levels: Sequence[float], observed: ArrayLike
) -> Floats:
    """Bias in [-1, 1] as the hubs define it; positive when the forecast is too high.

    Zero where the median is the observation. Where the median lies above it, 1 minus twice
    the largest level whose quantile does not exceed it (1 if there is none); where below,
    1 minus twice the smallest level whose quantile reaches it (-1 if there is none).

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
        Predictive quantiles, rising along the first axis.
    levels : sequence of float, length Q
        Their levels, with 0.5 among them.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring import bias_from_quantiles
    >>> q, levels = [80.0, 90.0, 100.0, 110.0, 120.0], [0.1, 0.25, 0.5, 0.75, 0.9]
    >>> bias_from_quantiles(np.transpose([q, q, q]), levels, [95.0, 100.0, 130.0]).tolist()
    [0.5, 0.0, -1.0]
    """
    values, tau = check_quantiles(quantiles, levels)
    middle = np.flatnonzero(np.isclose(tau, 0.5, rtol=0, atol=1e-9))
    if middle.size != 1:
        raise ScoringError("bias needs the median among the levels", hint="add level 0.5")
    y = np.asarray(observed, dtype=float)
    tau = tau.reshape(-1, *(1,) * (values.ndim - 1))
    below = np.where(values <= y, tau, 0.0).max(axis=0)
    above = np.where(values >= y, tau, 1.0).min(axis=0)
    median = values[middle[0]]
    bias = np.where(median > y, 1.0 - 2.0 * below, np.where(median < y, 1.0 - 2.0 * above, 0.0))
    return np.where(np.isnan(y), np.nan, bias)


def check_quantiles(quantiles: ArrayLike, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Quantiles as floats, levels as floats; ordered up to rounding, then exactly."""
    values, tau = np.asarray(quantiles, dtype=float), np.asarray(levels, dtype=float)
    if tau.ndim != 1 or tau.size == 0 or values.shape[:1] != tau.shape:
        raise ScoringError(
            f"{tau.size} levels for quantiles of shape {values.shape}",
            hint="quantiles come first: (Q, ...)",
        )
    if not ((tau > 0) & (tau < 1)).all() or (np.diff(tau) <= 0).any():
        raise ScoringError(f"levels must rise within (0, 1), got {[float(x) for x in tau]}")
    if not np.isfinite(values).all():
        raise ScoringError("quantiles must be finite", hint="score only units with a forecast")
    # Interpolating between equal draws may undo their order in the last digit.
    slack = 1e-9 * (1.0 + np.abs(values[1:]))
    crossed = np.argwhere(np.diff(values, axis=0) < -slack)
    if crossed.size:
        first = tuple(int(i) for i in crossed[0])
        low, high = values[first], values[(first[0] + 1, *first[1:])]
        raise ScoringError(
            f"quantiles cross: level {tau[first[0] + 1]:g} is {high:g}, below {low:g} at level "
            f"{tau[first[0]]:g} (unit {first[1:]})",
            hint="sort the quantiles of each unit, or find out why they cross",
        )
    return np.maximum.accumulate(values, axis=0), tau
