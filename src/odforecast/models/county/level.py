"""How many deaths a year a county has before its counts are looked at.

A gamma distribution for each class of how urban a county is, times a factor of the state, which is
learned from the state's own counts of the last month, hidden ones as intervals, and shrunk. Where
people are given, of rates; otherwise of deaths.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from odforecast.models.county.constants import LEVELS, RATES, STATE
from odforecast.panel import Floats

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
