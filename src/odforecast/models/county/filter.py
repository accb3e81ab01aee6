"""The months and the level of each county of a state, from its 12-month counts.

::

    level[i,t+1]  = level[i,t] (1 + step z)
    month[i,t]    ~ Poisson(level[i,t] e[t]),     e[t]: the state's month over its last twelve

What is observed is every 12-month count: the sum of the twelve newest months, exactly. Counts that
were hidden lie between 1 and 9. Counts of neighbouring months are nearly the same deaths, and the
knowledge that such a sum lies between 1 and 9 must not be used twelve times: see :func:`taken`.

A gamma distribution for each class of how urban a county is, times a factor of the state, which is
learned from the state's own counts of the last month, hidden ones as intervals, and shrunk. Where
people are given, of rates; otherwise of deaths.

``python benchmarks/bench_county_model.py --constants`` estimates them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from odforecast.panel import Floats

#: Variance of a county's month over its mean: plain Poisson.
PHI: Final = 1.0
#: Standard deviation of the relative step of a county's share of its state, a month.
STEP: Final = 0.03
#: Levels of counties by how urban they are (the release's code): mean, in deaths a year, and
#: shape of a gamma distribution.
LEVELS: Final = {
    "1": (401.0, 2.7),
    "2": (62.8, 0.69),
    "3": (61.0, 0.64),
    "4": (23.9, 0.98),
    "5": (12.0, 1.0),
    "6": (3.68, 0.66),
}
#: The same of rates, in deaths per 100,000 people a year.
RATES: Final = {
    "1": (38.9, 3.2),
    "2": (29.0, 4.0),
    "3": (31.7, 3.7),
    "4": (27.1, 3.3),
    "5": (27.0, 2.6),
    "6": (24.3, 1.9),
}
#: How far a state's levels are from these, as the sd of a logarithm.
STATE: Final = 0.68
#: Residence over occurrence before any count is seen: sd around 1, and sd of its change in a year.
RESIDENCE_SD, RESIDENCE_STEP = 0.06, 0.018
#: sd of the logarithm of how much more, or less, complete counties are than their state.
COMPLETENESS_SD: Final = 0.03


#: Logarithms of the factor of a state that are tried.
FACTORS = np.linspace(-1.6, 1.6, 65)
#: A county without a class is taken for one of these.
UNKNOWN = "5"


def levels(
    urban: list[str], people: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats, float]:
    """Gamma prior of the levels of a state's counties.

    Parameters
    ----------
    urban : list of str
        How urban each county is, ``"1"`` to ``"6"``.
    people : ndarray, shape (n,)
        Residents; NaN where not given.
    low, high : ndarray, shape (n,)
        What the last 12-month count lies between; NaN where nothing is known.

    Returns
    -------
    mean : ndarray, shape (n,)
        Deaths a year.
    shape : ndarray, shape (n,)
        Shape of the gamma distribution.
    factor : float
        That of the state.
    """
    known = [u if u in LEVELS else UNKNOWN for u in urban]
    mean = np.array([LEVELS[u][0] for u in known])
    shape = np.array([LEVELS[u][1] for u in known])
    counted = people > 0
    rate = np.array([RATES[u] for u in known])
    mean = np.where(counted, np.nan_to_num(people) * rate[:, 0] / 1e5, mean)
    shape = np.where(counted, rate[:, 1], shape)
    told = np.isfinite(low) & np.isfinite(high)
    fit = -0.5 * (FACTORS / STATE) ** 2
    if told.any():
        means = mean[told, None] * np.exp(FACTORS)
        shapes = np.broadcast_to(shape[told, None], means.shape)
        fit = fit + log_likelihood(means, shapes, low[told], high[told]).sum(axis=0)
    weight = np.exp(fit - fit.max())
    factor = float(np.exp((weight * FACTORS).sum() / weight.sum()))
    return mean * factor, shape, factor


def log_likelihood(mean: Floats, shape: Floats, low: Floats, high: Floats) -> Floats:
    """Log likelihood of each county's count: negative binomial, between two where it was hidden.

    Parameters
    ----------
    mean, shape : ndarray, shape (n, F)
        Of the levels, under each of F assumptions.
    low, high : ndarray, shape (n,)
        What the count lies between. A count without an upper end tells nothing here.

    Returns
    -------
    ndarray, shape (n, F)

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> np.exp(log_likelihood(2 * one, one, np.array([1.0]), np.array([9.0]))).round(3).tolist()
    [[0.649]]
    """
    p = mean / (mean + shape)
    start = shape * np.log1p(-p)

    def log_pmf(k: Floats, rows: NDArray[np.bool_]) -> Floats:
        k = k[rows, None]
        a = shape[rows]
        pmf = gammaln(k + a) - gammaln(a) - gammaln(k + 1.0) + start[rows] + k * np.log(p[rows])
        return np.asarray(pmf)

    out = np.zeros(mean.shape)
    exact = low == high
    out[exact] = log_pmf(low, exact)
    few = ~exact & np.isfinite(high)
    if few.any():
        inside = np.zeros((int(few.sum()), mean.shape[1]))
        for k in range(int(low[few].min()), int(high[few].max()) + 1):
            held = ((low <= k) & (k <= high))[few, None]
            inside += np.where(held, np.exp(log_pmf(np.full(low.size, float(k)), few)), 0.0)
        out[few] = np.log(np.maximum(inside, 1e-300))
    return out


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
        Gamma prior of the levels; see :func:`odforecast.models.county.filter.levels`.
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
