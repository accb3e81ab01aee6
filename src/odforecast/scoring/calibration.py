"""Calibration: coverage of central intervals, coverage of quantiles, PIT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError
from odforecast.names import COVERAGE_LEVELS
from odforecast.scoring.rules import Floats, check_quantiles, over_units


def interval_coverage(
    quantiles: ArrayLike,
    levels: Sequence[float],
    observed: ArrayLike,
    coverage: Sequence[float] = COVERAGE_LEVELS,
) -> Floats:
    """Whether each central interval holds the observation (ends included).

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
        Predictive quantiles, rising along the first axis.
    levels : sequence of float, length Q
        Their levels.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.
    coverage : sequence of float, length C
        Nominal coverages; the levels must hold both ends of each.

    Returns
    -------
    ndarray, shape (C, ...)
        1.0 inside, 0.0 outside, NaN without observation: its mean is the coverage.

    Raises
    ------
    ScoringError
        If an end of an interval is not among the levels, or quantiles cross.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring import interval_coverage
    >>> quantiles = np.transpose([[90.0, 100.0, 110.0]] * 3)
    >>> interval_coverage(quantiles, [0.25, 0.5, 0.75], [95.0, 110.0, 120.0], [0.5]).tolist()
    [[1.0, 1.0, 0.0]]
    """
    values, tau = check_quantiles(quantiles, levels)
    y = np.asarray(observed, dtype=float)
    inside = np.empty((len(coverage), *values.shape[1:]))
    for i, nominal in enumerate(coverage):
        low, high = (_level_index(tau, x) for x in ((1 - nominal) / 2, (1 + nominal) / 2))
        inside[i] = (values[low] <= y) & (y <= values[high])
    return np.where(np.isnan(y), np.nan, inside)


def quantile_coverage(
    quantiles: ArrayLike, levels: Sequence[float], observed: ArrayLike
) -> pd.DataFrame:
    """Share of observations at or below each quantile, beside its level.

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
        Predictive quantiles.
    levels : sequence of float, length Q
        Their levels.
    observed : array_like, shape (...)
        Observations; units without one (NaN) are left out and not counted in ``n``.

    Returns
    -------
    DataFrame
        ``level``, ``coverage``, ``n`` (units observed); NaN coverage where ``n`` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> quantiles = np.repeat([[90.0], [100.0], [110.0]], 4, axis=1)
    >>> od.scoring.quantile_coverage(quantiles, [0.25, 0.5, 0.75], [95, 99, 105, 140])
       level  coverage  n
    0   0.25      0.00  4
    1   0.50      0.50  4
    2   0.75      0.75  4
    """
    values, tau = check_quantiles(quantiles, levels)
    y = np.broadcast_to(np.asarray(observed, dtype=float), values.shape[1:]).ravel()
    seen = ~np.isnan(y)
    below = (y <= values.reshape(tau.size, -1))[:, seen].sum(axis=1)
    n = int(seen.sum())
    return pd.DataFrame({"level": tau, "coverage": below / n if n else np.nan, "n": n})


def pit_from_draws(draws: ArrayLike, observed: ArrayLike, seed: int) -> Floats:
    """Probability integral transform: the randomised rank of the observation among the draws.

    ``(#{draws < y} + U (1 + #{draws = y})) / (D + 1)`` with U uniform on [0, 1). If the
    observation and the draws come from one distribution, discrete or not, this is uniform
    exactly, for any number of draws.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        Draws.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.
    seed : int
        Seed of U.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1): near 0, the observation lies below the forecast.

    Examples
    --------
    >>> import odforecast as od
    >>> bool(od.scoring.pit_from_draws([10.0, 11.0, 12.0], 20.0, seed=1) >= 0.75)
    True
    """
    y = np.asarray(observed, dtype=float)
    below = over_units(draws, y, lambda x, t: (x < t[:, None]).sum(axis=1, dtype=float))
    ties = over_units(draws, y, lambda x, t: (x == t[:, None]).sum(axis=1, dtype=float))
    uniform = np.random.default_rng(seed).random(y.shape)
    n = np.asarray(draws).shape[0]
    return np.where(np.isnan(y), np.nan, (below + uniform * (1 + ties)) / (n + 1))


def pit_histogram(pit: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Histogram of PIT values; flat if the forecasts are calibrated.

    A hump in the middle: intervals too wide. A U: too narrow. High at the right: forecasts
    too low.

    Parameters
    ----------
    pit : array_like
        Values in [0, 1]; NaN (not scorable) is left out and not counted.
    bins : int
        Number of equal bins.

    Returns
    -------
    DataFrame
        ``left``, ``right``, ``n`` (units in the bin) and ``density`` (1 everywhere for
        uniform values; NaN if there are none).

    Raises
    ------
    ScoringError
        If a value lies outside [0, 1], or there are no bins.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.pit_histogram([0.1, 0.2, 0.3, 0.9], bins=2)["density"].tolist()
    [1.5, 0.5]
    """
    if bins < 1:
        raise ScoringError(f"a histogram needs at least one bin, got {bins}")
    values = _pit_values(pit)
    counts, edges = np.histogram(values, bins=bins, range=(0.0, 1.0))
    density = counts * bins / values.size if values.size else np.nan
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "n": counts, "density": density})


def pit_summary(pit: ArrayLike) -> dict[str, float]:
    """How far PIT values are from uniform, in numbers with a meaning.

    Parameters
    ----------
    pit : array_like
        Values in [0, 1]; NaN is left out.

    Returns
    -------
    dict
        ``n``; ``mean`` (0.5 if unbiased; above: forecasts too low); ``spread`` (standard
        deviation over that of the uniform; above 1: intervals too narrow, below: too wide);
        ``ks`` (largest gap between the empirical distribution and the uniform) and
        ``ks_p``, its p-value **for independent units**. Units of one origin, and
        overlapping 12-month counts, are far from independent, so the p-value is much too
        small for them: read ``ks`` as a distance, not as a test.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> even = (np.arange(100) + 0.5) / 100
    >>> {k: round(v, 3) for k, v in od.scoring.pit_summary(even).items()}
    {'n': 100.0, 'mean': 0.5, 'spread': 1.0, 'ks': 0.005, 'ks_p': 1.0}
    """
    values = np.sort(_pit_values(pit))
    n = values.size
    if n == 0:
        return {"n": 0.0} | dict.fromkeys(("mean", "spread", "ks", "ks_p"), float("nan"))
    from scipy.stats import kstwo

    steps = np.arange(n + 1) / n
    ks = float(max((steps[1:] - values).max(), (values - steps[:-1]).max()))
    return {
        "n": float(n),
        "mean": float(values.mean()),
        "spread": float(values.std() * np.sqrt(12.0)),
        "ks": ks,
        "ks_p": float(kstwo.sf(ks, n)),
    }


def _pit_values(pit: ArrayLike) -> Floats:
    values = np.asarray(pit, dtype=float).ravel()
    values = values[~np.isnan(values)]
    if ((values < 0) | (values > 1)).any():
        raise ScoringError("PIT values must lie in [0, 1]")
    return values


def _level_index(levels: NDArray[np.float64], wanted: float) -> int:
    found = np.flatnonzero(np.isclose(levels, wanted, rtol=0, atol=1e-9))
    if found.size == 0:
        raise ScoringError(
            f"quantile level {wanted:g} is not among the levels",
            hint=f"levels: {', '.join(f'{x:g}' for x in levels)}",
        )
    return int(found[0])
