"""The months and the level of each county of a state, from its 12-month counts.

::

    level[i,t+1]  = level[i,t] (1 + step z)
    month[i,t]    ~ Poisson(level[i,t] e[t]),     e[t]: the state's month over its last twelve

What is observed is every 12-month count: the sum of the twelve newest months, exactly. Counts that
were hidden lie between 1 and 9. Counts of neighbouring months are nearly the same deaths, and the
knowledge that such a sum lies between 1 and 9 must not be used twelve times: see :func:`taken`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.models.county.constants import (
    PHI,
    RESIDENCE_SD,
    RESIDENCE_STEP,
    STEP,
)
from odforecast.panel import Floats

WINDOW = 12
#: Hidden counts that are used lie this part of a window apart: then mean and sd are closest to
#: those of exact enumeration (tests/models/test_county_filter.py). Used every month, the filter is
#: too sure.
SPACES = 3
#: A level that is not known but for being lost: sd over mean.
LOST_SHAPE = 4.0


@dataclass(frozen=True)
class CountyState:
    """What the counts up to the last say of the counties of a state.

    Attributes
    ----------
    kind : ndarray of int, shape (n,)
        What is known of the last count: nothing, all, or what it lies between.
    low, high : ndarray, shape (n,)
        What it lies between.
    mean, cov : ndarray, shape (n, 13), (n, 13, 13)
        Of the last twelve months, oldest first, and of the level, in deaths (a year).
    site : ndarray, shape (n, 4)
        See :func:`odforecast.models.county.kernels.filtered_state`.
    rho : tuple of float
        Residence over occurrence: mean and variance.
    loglik : float
    """

    kind: NDArray[np.int64]
    low: Floats
    high: Floats
    mean: Floats
    cov: Floats
    site: Floats
    rho: tuple[float, float]
    loglik: float


def taken(
    between: NDArray[np.bool_], exact: NDArray[np.bool_], window: int = WINDOW
) -> NDArray[np.bool_]:
    """Which hidden counts are used.

    Going back from the last, those a third of a window apart; and every one that follows a count
    that is known, for that one says nearly all of these deaths: what the hidden one adds is about
    the month that came and the one that went.

    Parameters
    ----------
    between, exact : ndarray of bool, shape (n, T)
    window : int
        Months of a sum.

    Returns
    -------
    ndarray of bool, shape (n, T)

    Examples
    --------
    >>> between = np.array([[False, True, True, True, True, False, False]])
    >>> taken(between, ~between, window=9).astype(int).tolist()
    [[0, 1, 0, 0, 1, 0, 0]]
    """
    out = np.zeros_like(between)
    free = np.full(len(between), between.shape[1])
    for t in range(between.shape[1] - 1, -1, -1):
        out[:, t] = between[:, t] & (free > t)
        free = np.where(out[:, t], t - window // SPACES + 1, free)
    out[:, 1:] |= between[:, 1:] & exact[:, :-1]
    return out


def filtered(
    low: Floats,
    high: Floats,
    level: Floats,
    shape: Floats,
    months: Floats,
    total: Floats,
    phi: float = PHI,
    step: float = STEP,
    window: int = WINDOW,
) -> CountyState:
    """Filter the counties of one state.

    Parameters
    ----------
    low, high : ndarray, shape (n, T)
        What each 12-month count lies between: equal where it is known, NaN where nothing is.
    level, shape : ndarray, shape (n,)
        Gamma prior of the levels; see :func:`odforecast.models.county.level.levels`.
    months : ndarray, shape (T + 11,)
        The state's months; NaN where unknown.
    total : ndarray, shape (T,)
        The state's 12-month counts, by occurrence; NaN where unknown.
    phi, step : float
    window : int
        Months of a sum.
    """
    from odforecast.models.county.kernels import BETWEEN, EXACT, MISSING, filtered_state

    n, n_time = low.shape
    kind = np.where(low == high, EXACT, np.where(np.isnan(low), MISSING, BETWEEN)).astype(np.int64)
    closing = np.zeros(n_time, dtype=bool)
    closing[n_time - 1 :: -window] = True
    level, shape = level.copy(), shape.copy()
    lost = kind == BETWEEN
    lost &= ~np.isfinite(high)
    never = lost.any(axis=1) & ~(kind == EXACT).any(axis=1)
    if never.any():
        # Of a county that was never seen, the state's remainder says more than its class.
        t = int(np.flatnonzero(closing)[0])
        seen = np.nansum(np.where(kind[:, t] == EXACT, low[:, t], 4.0 * (kind[:, t] == BETWEEN)))
        rest = (np.nan_to_num(total[t]) - seen) / never.sum()
        level[never] = np.maximum(rest, 1.2 * low[never].max(axis=1, initial=1000.0))
        shape[never] = LOST_SHAPE
    rho = np.array([1.0, RESIDENCE_SD**2, RESIDENCE_STEP**2 / 12.0])
    mean, cov = np.zeros((n, window + 1)), np.zeros((n, window + 1, window + 1))
    site = np.zeros((n, 4))
    loglik = filtered_state(
        kind, np.nan_to_num(low), high, taken(kind == BETWEEN, kind == EXACT, window),
        per_year(months, window), level, shape, total, closing, phi, step**2, rho, mean, cov, site,
    )  # fmt: skip
    return CountyState(
        kind[:, -1], low[:, -1], high[:, -1], mean, cov, site, (rho[0], rho[1]), loglik
    )


def per_year(months: Floats, window: int = WINDOW) -> Floats:
    """Deaths a month of a county that has one in the last twelve months, as the state goes.

    Months of the state that are unknown are taken as the average of the last twelve, and none is
    taken as less than a twentieth of that: small states have months without any death, and their
    counties have deaths by residence in these all the same.

    Examples
    --------
    >>> per_year(np.array([1.0, np.nan, 3.0]), window=2).round(2).tolist()
    [0.17, 0.5, 0.5]
    """
    filled = _filled(months, window)
    return np.asarray(filled / filled[-window:].sum())


def per_year_total(months: Floats, window: int = WINDOW) -> float:
    """Deaths of the state in the last twelve months, as :func:`per_year` counts them."""
    return float(_filled(months, window)[-window:].sum())


def _filled(months: Floats, window: int) -> Floats:
    positive = np.maximum(months, 0.0)
    last = positive[-window:]
    mean = float(np.nanmean(last)) if np.isfinite(last).any() else 0.0
    mean = mean if mean > 0.0 else 1.0 / window
    return np.asarray(np.maximum(np.where(np.isnan(positive), mean, positive), 0.05 * mean))
