"""Scoring rules for draws: CRPS, log score, bias, all from one sort of the draws.

The axis of draws comes first, (D, ...), in the public functions; the cores at the end take
draws already sorted along the last axis, so that scoring a forecast sorts once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError
from odforecast.forecast.adding import count_last, in_order

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Draws are worked on in blocks of units of this many values, so that sorting a large
#: forecast takes some 16 MB at a time.
_BLOCK_VALUES = 2_000_000


def crps_from_draws(draws: ArrayLike, observed: ArrayLike) -> Floats:
    """Continuous ranked probability score of the empirical distribution of draws.

    ``E|X - y| - E|X - X'| / 2`` over all pairs of draws, by sorting: D log D per unit. For D
    draws it lies above the CRPS of the distribution they came from by about one part in D,
    so compare models at the same number of draws.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        Draws.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.

    Returns
    -------
    ndarray, shape (...)
        In the unit of the observations.

    Raises
    ------
    ScoringError
        If there are no draws, shapes differ, or a draw is not finite.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.crps_from_draws([1.0, 3.0], 2.0))
    0.5
    """
    return over_units(draws, observed, crps_sorted)


def log_score_from_draws(draws: ArrayLike, observed: ArrayLike) -> Floats:
    """Log score of the log-normal that has the draws' mean and variance on the log1p scale.

    The density is ``y -> N(log(1 + y); m, v) / (1 + y)`` with m and v the mean and variance
    of ``log(1 + draws)``, v widened by the variance of rounding to whole deaths
    (``1/12 / (1 + median)**2``). It looks at two moments only: up to constants it is the
    Dawid-Sebastiani score on the log scale, which is proper, but it does not see two-humped
    or heavy-tailed shapes. A kernel estimate would see them, and would be ruled by its
    bandwidth as soon as the observation leaves the draws.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        Draws of a count, at least two.
    observed : array_like, shape (...)
        Observed counts; NaN gives NaN.

    Returns
    -------
    ndarray, shape (...)
        Minus the log density, per death. NaN also where a draw or an observation is
        negative: a log score of a count does not exist there.

    Raises
    ------
    ScoringError
        If there are fewer than two draws, shapes differ, or a draw is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> rng = np.random.default_rng(1)
    >>> round(float(od.scoring.log_score_from_draws(rng.poisson(100, 4000), 100.0)), 1)
    3.2
    """
    return over_units(draws, observed, log_score_sorted)


def bias_from_draws(draws: ArrayLike, observed: ArrayLike) -> Floats:
    """Bias in [-1, 1]: ``1 - F(y) - F(y-)``; positive when the forecast is too high.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        Draws.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.bias_from_draws([101.0, 105.0, 99.0, 104.0], 100.0))
    0.5
    """
    return over_units(draws, observed, bias_sorted)


# The cores below take draws sorted along the last axis, (U, D), and observations (U,):
# scoring a forecast sorts once and shares the order among all rules.


def crps_sorted(ordered: Floats, observed: Floats) -> Floats:
    """CRPS of sorted draws, shapes (U, D) and (U,): a sum of non-negative terms."""
    n = ordered.shape[1]
    gap = ordered - observed[:, None]
    rank = (np.arange(n) + 0.5) / n
    weight = (gap > 0) - rank
    weight *= gap
    return np.asarray(2.0 / n * weight.sum(axis=1))


def log_score_sorted(ordered: Floats, observed: Floats) -> Floats:
    """Log score of sorted draws, shapes (U, D) and (U,)."""
    n = ordered.shape[1]
    if n < 2:
        raise ScoringError("one draw has no variance, so no log score", hint="use at least 2")
    support = (ordered[:, 0] >= 0) & (observed >= 0)
    logs = np.log1p(np.where(support[:, None], ordered, 0.0))
    y = np.where(support, observed, np.nan)
    centre = logs.mean(axis=1)
    middle = 0.5 * (ordered[:, (n - 1) // 2] + ordered[:, n // 2])
    rounding = 1.0 / 12.0 / (1.0 + np.where(support, middle, 0.0)) ** 2
    variance = logs.var(axis=1, ddof=1, mean=centre[:, None]) + rounding
    miss = np.log1p(y) - centre
    return np.asarray(
        0.5 * np.log(2.0 * np.pi * variance) + miss**2 / (2.0 * variance) + np.log1p(y)
    )


def bias_sorted(ordered: Floats, observed: Floats) -> Floats:
    """Bias of sorted draws, shapes (U, D) and (U,)."""
    return bias_of_ranks(*ranks_sorted(ordered, observed), ordered.shape[1], observed)


def ranks_sorted(ordered: Floats, observed: Floats) -> tuple[Counts, Counts]:
    """How many of the sorted draws (U, D) lie below the observation (U,), and how many not above.

    Of a missing observation both are 0.
    """
    y = observed[:, None]
    return count_last(ordered < y), count_last(ordered <= y)


def bias_of_ranks(below: Counts, within: Counts, n: int, observed: Floats) -> Floats:
    """Bias from what :func:`ranks_sorted` counts among n draws."""
    return np.where(np.isnan(observed), np.nan, 1.0 - (within / n + below / n))


def quantiles_sorted(ordered: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles (Q, U) of sorted draws (U, D), interpolated as numpy does by default."""
    position = np.asarray(levels, dtype=float) * (ordered.shape[1] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, ordered.shape[1] - 1)
    left = ordered[:, low]
    return np.asarray((left + (ordered[:, high] - left) * (position - low)).T)


def over_units(
    draws: ArrayLike, observed: ArrayLike, rule: Callable[[Floats, Floats], Floats]
) -> Floats:
    """Apply a rule for sorted draws to (D, ...) draws, block by block."""
    values, y = np.asarray(draws, dtype=float), np.asarray(observed, dtype=float)
    if values.ndim == 0 or values.shape[0] == 0:
        raise ScoringError("no draws to score")
    if values.shape[1:] != y.shape:
        raise ScoringError(
            f"draws of shape {values.shape} do not match observations of shape {y.shape}",
            hint="draws come first: (D, ...) against (...)",
        )
    flat, truth = values.reshape(values.shape[0], -1), y.ravel()
    out = np.empty(truth.size)
    step = max(1, _BLOCK_VALUES // values.shape[0])
    for start in range(0, truth.size, step):
        block = flat[:, start : start + step]
        if not np.isfinite(block).all():
            raise ScoringError("draws must be finite", hint="score only units with a forecast")
        out[start : start + step] = rule(in_order(block), truth[start : start + step])
    return out.reshape(y.shape)
