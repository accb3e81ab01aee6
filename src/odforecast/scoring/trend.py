"""Scores of the trend: were the five categories given the right chances?

Ranked probability score of :meth:`odforecast.Forecast.trend`, beside that of whoever knows no
more than how often each category came up before.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.forecast.trend import (
    CATEGORIES,
    LONGEST,
    before_at_origin,
    category,
    probabilities,
    thresholds,
)
from odforecast.geography import NATION
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel
from odforecast.scoring.asked import forecast_and_truth
from odforecast.scoring.rules import Floats
from odforecast.scoring.truth import Truth


def ranked_probability_score(probability: ArrayLike, observed: ArrayLike) -> Floats:
    """Ranked probability score of ordered categories, from 0 (right and sure) to 1.

    Squared differences of the cumulative probabilities, divided by their number (K − 1), after
    Epstein (1969) and Murphy (1971): a near miss costs less than a far one.

    Parameters
    ----------
    probability : array_like, shape (…, K)
        Probabilities of the K categories; they add up to 1, or are NaN.
    observed : array_like of int, shape (…)
        Position of the category that came; −1 where it is not known.

    Returns
    -------
    ndarray, shape (…)
        NaN where either is unknown.

    Raises
    ------
    ScoringError
        If probabilities are negative or do not add up to 1, or there are fewer than two.

    Examples
    --------
    >>> from odforecast.scoring import ranked_probability_score
    >>> ranked_probability_score([[0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 1.0]], [2, 2, 2])
    array([0.  , 0.25, 0.5 ])
    """
    given = np.asarray(probability, dtype=float)
    came = np.asarray(observed, dtype=np.int64)
    if given.ndim < 1 or given.shape[-1] < 2:
        raise ScoringError(f"probability has shape {given.shape}: two categories or more")
    known = ~np.isnan(given).any(axis=-1)
    total = given[known].sum(axis=-1)
    if (given[known] < 0).any() or not np.allclose(total, 1.0, atol=1e-6):
        raise ScoringError("probability: each must be 0 or more, and they must add up to 1")
    k = given.shape[-1]
    below = (np.arange(k - 1) >= came[..., None]).astype(float)
    gap = np.cumsum(given, axis=-1)[..., :-1] - below
    scores = (gap**2).sum(axis=-1) / (k - 1)
    return np.asarray(np.where(known & (came >= 0), scores, np.nan))


def pooled_frequencies(panel: Panel) -> Floats:
    """How often each category came up before, in all jurisdictions, as known at the origin.

    Parameters
    ----------
    panel : Panel
        What was known; the nation's row is left out where there are others.

    Returns
    -------
    ndarray, shape (5,)
        Shares of all pairs of counts 12 months apart that were settled, that is final or at
        least 12 months old, by the as-of date. NaN if there is none.

    Examples
    --------
    >>> import odforecast as od
    >>> share = od.scoring.pooled_frequencies(od.bundled().as_of().panel())
    >>> share.shape, round(float(share.sum()), 9)
    ((5,), 1.0)
    """
    rows = [i for i, s in enumerate(panel.locations) if s != NATION] or [0]
    counts = panel.reported[rows][:, panel.months <= panel.settled_through]
    if counts.shape[1] <= 12:
        return np.full(len(CATEGORIES), np.nan)
    before, later = counts[:, :-12], counts[:, 12:]
    found = category(later - before, before, thresholds(before)[0])
    found = found[found >= 0]
    if not found.size:
        return np.full(len(CATEGORIES), np.nan)
    return np.asarray(np.bincount(found, minlength=len(CATEGORIES)) / found.size)


def trend_scores(forecast: Forecast, truth: Truth, known: Panel | None = None) -> pd.DataFrame:
    """Scores of the trend, one row per location and month, in the forecast's order.

    Parameters
    ----------
    forecast : Forecast
    truth : Truth
        Must hold both counts: that of the month and that of 12 months before.
    known : Panel, optional
        The whole panel of the origin, for the pooled frequencies. Default: the forecast's.

    Returns
    -------
    DataFrame
        ``rps`` of the forecast and ``rps_pooled`` of :func:`pooled_frequencies`, NaN where
        there is no truth, no count of the year before was known at the origin, or the month is
        no forecast (published already) or more than 12 months ahead.

    Notes
    -----
    Up to six months ahead half or more of the 12 months are known: such scores stand apart from
    those of later months.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("naive").fit(panel.cut("2022-06")).forecast(draws=100)
    >>> table = od.scoring.trend_scores(made.select("Ohio"), od.Truth(panel))
    >>> bool(((table >= 0) & (table <= 1)).all(axis=None))
    True
    """
    forecast_and_truth(forecast, truth)
    rps, pooled = trend_pair(forecast, truth, known)
    return pd.DataFrame({"rps": rps.ravel(), "rps_pooled": pooled.ravel()})


def trend_pair(
    forecast: Forecast, truth: Truth, known: Panel | None = None
) -> tuple[Floats, Floats]:
    """Both columns of :func:`trend_scores`, each of shape (L, M)."""
    shape = (len(forecast.locations), forecast.months.size)
    out = np.full((2, *shape), np.nan)
    months = np.flatnonzero((forecast.horizons >= 1) & (forecast.horizons <= LONGEST))
    panel = forecast.panel if known is None else known
    if months.size and panel is not None:
        rows = np.arange(shape[0])
        first = thresholds(before_at_origin(forecast)[:, months])[0]
        at = forecast.months[months]
        later, _ = truth.observed(forecast.locations, at)
        before, _ = truth.observed(forecast.locations, at - 12 * ONE_MONTH)
        came = category(later - before, before, first)
        given = probabilities(forecast, first, list(rows), months)
        pooled = np.broadcast_to(pooled_frequencies(panel), given.shape)
        out[0][:, months] = ranked_probability_score(given, came)
        # Of the same units: where the forecast has no category, nor has the comparison.
        pooled = np.where(np.isnan(given), np.nan, pooled)
        out[1][:, months] = ranked_probability_score(pooled, came)
    return out[0], out[1]
