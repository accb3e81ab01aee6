"""Scores against a count that is known to lie between two numbers: hidden, 1 to 9, or lost.

A release hides counts of 1 to 9. Whoever scores only counts of 10 and more rewards forecasts that
are too high, for the counties that fell below are not asked. These rules score **every** county,
are proper, and need no value for what is hidden.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError
from odforecast.forecast.adding import count_last
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.draws import crps_sorted, over_units, quantiles_sorted, ranks_sorted
from odforecast.scoring.rules import Floats, weighted_interval_score
from odforecast.scoring.trend import ranked_probability_score

#: The largest count that is hidden; below it a threshold-weighted score sees no difference.
HIDDEN_MOST: Final = 9.0
#: The bands of a count: none, hidden, shown.
BANDS: Final = ("0", "1-9", "10+")
#: Draws below the first are none, those from the second on are shown.
_NONE, _SHOWN = 0.5, HIDDEN_MOST + 0.5

Bounds = tuple[Floats, Floats]


def threshold_weighted_crps(
    draws: ArrayLike, low: ArrayLike, high: ArrayLike, threshold: float = HIDDEN_MOST
) -> Floats:
    """CRPS that looks at counts above a threshold only: of ``max(x, threshold)``.

    The CRPS of the transformed draws against the transformed count, which is the CRPS with the
    weight ``1{x > threshold}`` (Allen, Ginsbourger and Ziegel 2023, SIAM/ASA Journal on
    Uncertainty Quantification 11:906). It is proper, and a count that is known to lie at or below
    the threshold needs no value.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
    low, high : array_like, shape (...)
        What the count lies between: the same where it is known, NaN where nothing is.
    threshold : float
        9, what is hidden at most.

    Returns
    -------
    ndarray, shape (...)
        In deaths. NaN where the count is not known and may lie above the threshold.

    Raises
    ------
    ScoringError
        If shapes differ, a draw is not finite, or a lower bound lies above its upper one.

    Examples
    --------
    >>> from odforecast.scoring import threshold_weighted_crps
    >>> draws = [2.0, 8.0, 12.0, 12.0]
    >>> [float(threshold_weighted_crps(draws, *b)) for b in ((0, 0), (1, 9), (12, 12))]
    [0.75, 0.75, 0.75]
    """
    lower, upper = _checked(low, high)
    y = _above(lower, upper, threshold)
    return over_units(draws, y, lambda x, t: crps_sorted(np.maximum(x, threshold), t))


def band_chances(draws: ArrayLike) -> Floats:
    """Chances of no death, of 1 to 9, and of 10 and more: shape (..., 3).

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        A draw that is no whole number is in the band of the nearest one.

    Examples
    --------
    >>> from odforecast.scoring import band_chances
    >>> band_chances([0.0, 3.0, 9.0, 10.0]).tolist()
    [0.25, 0.5, 0.25]
    """
    values = np.asarray(draws, dtype=float)
    return _bands((values < _NONE).mean(axis=0), (values >= _SHOWN).mean(axis=0))


def _bands(none: ArrayLike, shown: ArrayLike) -> Floats:
    """Chances of the three bands from those of the first and the last."""
    first, last = np.asarray(none, dtype=float), np.asarray(shown, dtype=float)
    return np.stack([first, 1.0 - first - last, last], axis=-1)


def band(low: ArrayLike, high: ArrayLike) -> NDArray[np.int64]:
    """Position of the band of :data:`BANDS` that a count lies in; -1 where it is not known.

    Examples
    --------
    >>> band([0, 1, 1000, 1], [0, 9, float("inf"), 20]).tolist()
    [0, 1, 2, -1]
    """
    lower, upper = _checked(low, high)
    picks = [upper == 0, (lower >= 1) & (upper <= HIDDEN_MOST), lower > HIDDEN_MOST]
    return np.select(picks, [0, 1, 2], -1).astype(np.int64)


def interval_pit(draws: ArrayLike, low: ArrayLike, high: ArrayLike, seed: int) -> Floats:
    """Randomised PIT of a count known to lie between two numbers.

    ``(#{draws < low} + U (1 + #{low <= draws <= high})) / (D + 1)``: uniform exactly if count and
    draws come from one distribution and the bounds are those of the part of the line in which the
    count lies. With equal bounds it is :func:`odforecast.scoring.pit_from_draws`.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
    low, high : array_like, shape (...)
        NaN gives NaN; ``high`` may be infinite.
    seed : int
        Seed of U.

    Examples
    --------
    >>> from odforecast.scoring import interval_pit
    >>> bool(0.25 < interval_pit([0.0, 2.0, 7.0, 30.0], 1, 9, seed=1) < 0.8)
    True
    """
    values = np.asarray(draws, dtype=float)
    lower, upper = _checked(low, high)
    uniform = np.random.default_rng(seed).random(lower.shape)
    below = (values < lower).sum(axis=0)
    within = ((values >= lower) & (values <= upper)).sum(axis=0)
    pit = (below + uniform * (1 + within)) / (values.shape[0] + 1)
    return np.where(np.isnan(lower), np.nan, pit)


def bounded_scores(
    ordered: Floats, low: Floats, high: Floats, uniforms: Floats
) -> dict[str, Floats]:
    """Scores of sorted draws (U, D) against bounds (U,); ``uniforms`` (U,) break ties of the PIT.

    Returns
    -------
    dict
        ``twcrps``, ``twwis`` (WIS of the 23 hub quantiles and of the count, each at least 9),
        ``rps_bands``, ``p_zero``, ``p_hidden``, ``p_ten``, ``mean`` and ``pit``, each (U,).
    """
    y = _above(low, high, HIDDEN_MOST)
    quantiles = quantiles_sorted(ordered, HUB_QUANTILES)
    n = ordered.shape[1]
    chances = _bands(count_last(ordered < _NONE) / n, count_last(ordered >= _SHOWN) / n)
    below = ranks_sorted(ordered, low)[0]
    within = ranks_sorted(ordered, high)[1] - below
    pit = (below + uniforms * (1 + within)) / (ordered.shape[1] + 1)
    return {
        "twcrps": crps_sorted(np.maximum(ordered, HIDDEN_MOST), y),
        "twwis": weighted_interval_score(
            np.maximum(quantiles, HIDDEN_MOST), HUB_QUANTILES, y
        ).total,
        "rps_bands": ranked_probability_score(chances, band(low, high)),
        "p_zero": chances[:, 0],
        "p_hidden": chances[:, 1],
        "p_ten": chances[:, 2],
        "mean": ordered.mean(axis=1),
        "pit": np.where(np.isnan(low), np.nan, pit),
    }


def _above(low: Floats, high: Floats, threshold: float) -> Floats:
    """``max(count, threshold)``, NaN where it is not known."""
    exact = np.where(low == high, np.maximum(low, threshold), np.nan)
    out: Floats = np.where(high <= threshold, threshold, exact)
    return out


def _checked(low: ArrayLike, high: ArrayLike) -> Bounds:
    lower, upper = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if lower.shape != upper.shape:
        raise ScoringError(f"bounds have shapes {lower.shape} and {upper.shape}")
    if (lower > upper).any() or (np.isnan(lower) != np.isnan(upper)).any():
        raise ScoringError(
            "a lower bound lies above its upper one, or only one of the two is known",
            hint="give both, or NaN for both",
        )
    return lower, upper
