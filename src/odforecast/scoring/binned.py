"""The hubs' log score: minus the log of the share of draws in the bin that came.

A count has no density. Forecasting hubs that asked for a log score cut the outcome into bins,
and took the probability of the bin that the observation fell into (FluSight: Reich et al. 2019,
PNAS 116:3146). Nothing is assumed of the shape of the forecast, as the lognormal approximation
in ``log_score`` does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError

Floats = NDArray[np.float64]

#: Width of a bin on the log scale: a bin reaches 5 % above its lower end.
WIDTH = 0.05
#: A log score is not allowed to fall below this; FluSight's rule, in natural logs.
FLOOR = -10.0


def bins_of(values: ArrayLike) -> NDArray[np.int64]:
    """Which bin each count lies in.

    Bin k holds ``k <= log(1 + y) / log(1.05) < k + 1``: bins are 5 % wide, so one rule serves a
    state with 100 deaths and one with 10,000. They are fixed before anything is observed. Where
    5 % is less than one death, some bins hold no count; that does no harm, for both sides are
    binned alike.

    Parameters
    ----------
    values : array_like
        Counts; a fraction (a draw) is rounded to whole deaths first. NaN and negatives give -1.

    Returns
    -------
    ndarray of int64

    Examples
    --------
    >>> bins_of([0, 1, 100, 104, 105, 110, -3]).tolist()
    [0, 14, 94, 95, 95, 96, -1]
    """
    counts = np.rint(np.asarray(values, dtype=float))
    known = counts >= 0
    place = np.floor(np.log1p(np.where(known, counts, 0.0)) / np.log1p(WIDTH))
    return np.where(known, place, -1).astype(np.int64)


def binned_log_score(samples: ArrayLike, observed: ArrayLike) -> Floats:
    """Minus the log of the probability of the bin that came, at most 10; lower is better.

    Parameters
    ----------
    samples : array_like, shape (D, ...)
        Draws of a count.
    observed : array_like, shape (...)
        Observations; NaN gives NaN.

    Returns
    -------
    ndarray, shape (...)
        ``-max(log p, -10)`` with p the share of draws in the bin of the observation: a draw or an
        observation below zero is in no bin. With D draws the score is 10 where none of them hit,
        else at most ``log D``: compare models at the same number of draws.

    Raises
    ------
    ScoringError
        If there are no draws, or shapes differ.

    Notes
    -----
    FluSight of 2015 to 2019 counted neighbouring bins as hits too (its *multibin* score). That is
    not proper (Bracher 2019, PNAS 116:20809), so this is the single-bin score, which is.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring.binned import binned_log_score
    >>> draws = np.array([100.0, 101.0, 107.0, 300.0])
    >>> float(binned_log_score(draws, 100.0).round(3)), float(binned_log_score(draws, 5000.0))
    (0.693, 10.0)
    """
    draws, y = np.asarray(samples, dtype=float), np.asarray(observed, dtype=float)
    if draws.ndim == 0 or draws.shape[0] == 0:
        raise ScoringError("no draws to score")
    if draws.shape[1:] != y.shape:
        raise ScoringError(
            f"draws of shape {draws.shape} do not match observations of shape {y.shape}",
            hint="draws come first: (D, ...) against (...)",
        )
    came = bins_of(y)
    share = (bins_of(draws) == came).mean(axis=0)
    with np.errstate(divide="ignore"):
        score = -np.maximum(np.log(share), FLOOR)
    return np.asarray(np.where(came >= 0, score, np.nan))
