"""Scoring rules of quantiles, draws, vectors and counts between two numbers; calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError, proportion
from odforecast.forecasts.adding import count_last, in_order
from odforecast.names import COVERAGE_LEVELS, HUB_QUANTILES

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


def interval_score(
    lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, alpha: float
) -> Floats:
    """Interval score of a central ``1 - alpha`` interval (Gneiting and Raftery 2007).

    ``(u - l) + 2/alpha (l - y)+ + 2/alpha (y - u)+``

    Parameters
    ----------
    lower, upper : array_like, shape (...)
    observed : array_like, shape (...)
    alpha : float
        Nominal probability outside, in (0, 1).

    Raises
    ------
    ScoringError
        If ``alpha`` is not a probability or an interval is upside down.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.interval_score(90, 110, 85, alpha=0.2))
    70.0
    """
    proportion("alpha", alpha, error=ScoringError)
    low = np.asarray(lower, dtype=float)
    high = np.asarray(upper, dtype=float)
    y = np.asarray(observed, dtype=float)
    if (high < low).any():
        raise ScoringError("an interval's upper end lies below its lower end")
    above = np.maximum(low - y, 0.0)
    below = np.maximum(y - high, 0.0)
    miss = above + below
    return np.asarray((high - low) + 2.0 / alpha * miss)


def quantile_score(
    quantiles: ArrayLike, levels: Sequence[float], observed: ArrayLike
) -> Floats:
    """Quantile (pinball) score of each quantile: ``(1{y < q} - tau) (q - y)``.

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
    levels : sequence of float, length Q
        Their levels in (0, 1).
    observed : array_like, shape (...)

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.quantile_score([90.0, 100.0], [0.25, 0.5], 104.0).tolist()
    [3.5, 2.0]
    """
    values, tau = check_quantiles(quantiles, levels)
    gap = values - np.asarray(observed, dtype=float)
    tau = _along_units(tau, values)
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
    levels : sequence of float, length Q
        Rising levels, symmetric about the median, with the median.
    observed : array_like, shape (...)

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
    symmetric = np.allclose(tau, 1.0 - tau[::-1], rtol=0, atol=1e-9)
    if tau.size % 2 == 0 or not symmetric:
        raise ScoringError(
            f"levels must be symmetric about 0.5 and hold it, got {[float(x) for x in tau]}",
            hint="for example 0.05, 0.25, 0.5, 0.75, 0.95",
        )
    y = np.asarray(observed, dtype=float)
    lower = values[:half]
    median = values[half]
    upper = values[half + 1 :][::-1]
    weight = _along_units(tau[:half], values)  # alpha / 2 is the lower level
    share = 1.0 / (half + 0.5)
    widths = (weight * (upper - lower)).sum(axis=0)
    spread = share * widths + 0.0 * y
    too_high = np.maximum(lower - y, 0).sum(axis=0)
    over = share * (too_high + 0.5 * np.maximum(median - y, 0))
    too_low = np.maximum(y - upper, 0).sum(axis=0)
    under = share * (too_low + 0.5 * np.maximum(y - median, 0))
    total = np.asarray(spread + over + under)
    return WIS(total, spread, over=over, under=under)


def absolute_error(median: ArrayLike, observed: ArrayLike) -> Floats:
    """Absolute error of the predictive median, in the unit of the observations.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.absolute_error(90.0, 100.0))
    10.0
    """
    center = np.asarray(median, float)
    y = np.asarray(observed, float)
    return np.asarray(np.abs(center - y))


def absolute_percentage_error(median: ArrayLike, observed: ArrayLike) -> Floats:
    """Absolute error of the predictive median in percent of the observation.

    NaN where nothing was observed, or the observation is zero.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.absolute_percentage_error([90.0, 1.0], [100.0, 0.0]).tolist()
    [10.0, nan]
    """
    error = absolute_error(median, observed)
    y = np.broadcast_to(np.asarray(observed, float), error.shape)
    unknown = np.full(y.shape, np.nan)
    ratio = np.divide(error, y, out=unknown, where=y > 0)
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
    levels : sequence of float, length Q
        Their levels, with 0.5 among them.
    observed : array_like, shape (...)

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
        raise ScoringError(
            "bias needs the median among the levels", hint="add level 0.5"
        )
    y = np.asarray(observed, dtype=float)
    tau = _along_units(tau, values)
    below = np.where(values <= y, tau, 0.0).max(axis=0)
    above = np.where(values >= y, tau, 1.0).min(axis=0)
    median = values[middle[0]]
    bias_below = np.where(median < y, 1.0 - 2.0 * above, 0.0)
    bias = np.where(median > y, 1.0 - 2.0 * below, bias_below)
    return np.where(np.isnan(y), np.nan, bias)


def _along_units(levels: Floats, values: Floats) -> Floats:
    """Levels (Q,) in the shape (Q, 1, ...), which meets quantiles (Q, ...)."""
    return levels.reshape(-1, *(1,) * (values.ndim - 1))


def ranked_probability_score(probability: ArrayLike, observed: ArrayLike) -> Floats:
    """Ranked probability score of ordered categories, from 0 (right and sure) to 1.

    Squared differences of the cumulative probabilities, divided by their number (K − 1), after
    Epstein (1969) and Murphy (1971): a near miss costs less than a far one.

    Parameters
    ----------
    probability : array_like, shape (…, K)
        Probabilities of the K categories; they add up to 1, or are NaN.
    observed : array_like of int, shape (…)
        Position of the observed category; −1 where it is unknown.

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
    chances = np.asarray(probability, dtype=float)
    position = np.asarray(observed, dtype=np.int64)
    if chances.ndim < 1 or chances.shape[-1] < 2:
        raise ScoringError(
            f"probability has shape {chances.shape}: two categories or more"
        )
    usable = ~np.isnan(chances).any(axis=-1)
    usable_chances = chances[usable]
    negative = (usable_chances < 0).any()
    total = usable_chances.sum(axis=-1)
    if negative or not np.allclose(total, 1.0, atol=1e-6):
        raise ScoringError(
            "probability: each must be 0 or more, and they must add up to 1"
        )
    n_steps = chances.shape[-1] - 1
    reached = np.arange(n_steps) >= position[..., None]
    cumulative = np.cumsum(chances, axis=-1)[..., :-1]
    gap = cumulative - reached.astype(float)
    scores = (gap**2).sum(axis=-1) / n_steps
    return np.asarray(np.where(usable & (position >= 0), scores, np.nan))


def check_quantiles(
    quantiles: ArrayLike, levels: Sequence[float]
) -> tuple[Floats, Floats]:
    """Quantiles as floats, levels as floats; ordered up to rounding, then exactly."""
    values = np.asarray(quantiles, dtype=float)
    tau = np.asarray(levels, dtype=float)
    if tau.ndim != 1 or tau.size == 0 or values.shape[:1] != tau.shape:
        raise ScoringError(
            f"{tau.size} levels for quantiles of shape {values.shape}",
            hint="quantiles come first: (Q, ...)",
        )
    within = ((tau > 0) & (tau < 1)).all()
    rising = (np.diff(tau) > 0).all()
    if not within or not rising:
        raise ScoringError(
            f"levels must rise within (0, 1), got {[float(x) for x in tau]}"
        )
    if not np.isfinite(values).all():
        raise ScoringError(
            "quantiles must be finite", hint="score only units with a forecast"
        )
    # Interpolating between equal draws may undo their order in the last digit.
    slack = 1e-9 * (1.0 + np.abs(values[1:]))
    crossed = np.argwhere(np.diff(values, axis=0) < -slack)
    if crossed.size:
        level, *unit = (int(i) for i in crossed[0])
        low = values[(level, *unit)]
        high = values[(level + 1, *unit)]
        raise ScoringError(
            f"quantiles cross: level {tau[level + 1]:g} is {high:g}, below {low:g} at level "
            f"{tau[level]:g} (unit {tuple(unit)})",
            hint="sort the quantiles of each unit, or find out why they cross",
        )
    return np.maximum.accumulate(values, axis=0), tau


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
    observed : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)
        In the unit of the observations.

    Examples
    --------
    >>> import odforecast as od
    >>> float(od.scoring.crps_from_draws([1.0, 3.0], 2.0))
    0.5
    """
    return over_units(draws, observed, rule=crps_sorted)


def log_score_from_draws(draws: ArrayLike, observed: ArrayLike) -> Floats:
    """Log score of the log-normal with the draws' mean and variance on the log1p scale.

    The variance is widened by rounding to whole deaths. Up to constants this is the
    Dawid-Sebastiani score on the log scale: proper, but it sees only two moments.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
        At least two draws of a count.
    observed : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)
        Minus the log density, per death; NaN where a draw or an observation is negative.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> rng = np.random.default_rng(1)
    >>> round(float(od.scoring.log_score_from_draws(rng.poisson(100, 4000), 100.0)), 1)
    3.2
    """
    return over_units(draws, observed, rule=log_score_sorted)


# The cores below take draws sorted along the last axis, (U, D), and observations (U,):
# scoring a forecast sorts once and shares the order among all rules.


def crps_sorted(ordered: Floats, observed: Floats) -> Floats:
    """CRPS of sorted draws, shapes (U, D) and (U,): a sum of non-negative terms."""
    gap = ordered - observed[:, None]
    return crps_of_gaps(gap, gap > 0)


def crps_of_gaps(gap: Floats, above: NDArray[np.bool_]) -> Floats:
    """CRPS from sorted draws less the observation, and whether each is above 0; shapes (U, D)."""
    n = gap.shape[1]
    rank = (np.arange(n) + 0.5) / n
    weight = above - rank
    weight *= gap
    return np.asarray(2.0 / n * weight.sum(axis=1))


def log_score_sorted(ordered: Floats, observed: Floats) -> Floats:
    """Log score of sorted draws, shapes (U, D) and (U,)."""
    n = ordered.shape[1]
    if n < 2:
        raise ScoringError(
            "one draw has no variance, so no log score", hint="use at least 2"
        )
    support = (ordered[:, 0] >= 0) & (observed >= 0)
    counts = ordered if support.all() else np.where(support[:, None], ordered, 0.0)
    logs = np.log1p(counts)
    y = np.where(support, observed, np.nan)
    centre = logs.mean(axis=1)
    lower_middle = ordered[:, (n - 1) // 2]
    upper_middle = ordered[:, n // 2]
    middle = 0.5 * (lower_middle + upper_middle)
    median = np.where(support, middle, 0.0)
    rounding = 1.0 / 12.0 / (1.0 + median) ** 2
    variance = logs.var(axis=1, ddof=1, mean=centre[:, None]) + rounding
    log_y = np.log1p(y)
    miss = log_y - centre
    normalizer = 0.5 * np.log(2.0 * np.pi * variance)
    return np.asarray(normalizer + miss**2 / (2.0 * variance) + log_y)


def bias_sorted(ordered: Floats, observed: Floats) -> Floats:
    """Bias of sorted draws, shapes (U, D) and (U,)."""
    below, within = ranks_sorted(ordered, observed)
    return bias_of_ranks(below, within, n=ordered.shape[1], observed=observed)


def ranks_sorted(ordered: Floats, observed: Floats) -> tuple[Counts, Counts]:
    """How many sorted draws (U, D) are below the observation (U,), and how many not above."""
    y = observed[:, None]
    return count_last(ordered < y), count_last(ordered <= y)


def bias_of_ranks(below: Counts, within: Counts, n: int, observed: Floats) -> Floats:
    """Bias from what :func:`ranks_sorted` counts among n draws."""
    bias = 1.0 - (within / n + below / n)
    return np.where(np.isnan(observed), np.nan, bias)


def quantiles_sorted(ordered: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles (Q, U) of sorted draws (U, D), interpolated as numpy does by default."""
    last = ordered.shape[1] - 1
    position = np.asarray(levels, dtype=float) * last
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, last)
    lower = ordered[:, low]
    step = ordered[:, high] - lower
    quantiles = lower + step * (position - low)
    return np.asarray(quantiles.T)


def paired(
    draws: ArrayLike,
    observed: ArrayLike,
    finite: bool = True,
    form: str = "(D, ...) against (...)",
) -> tuple[Floats, Floats]:
    """Draws (D, ...) and observations (...) as floats, of shapes that match."""
    values = _numbers("draws", draws)
    y = _numbers("observed", observed)
    if values.ndim == 0 or values.shape[0] == 0:
        raise ScoringError("no draws to score")
    if values.shape[1:] != y.shape:
        raise ScoringError(
            f"draws of shape {values.shape} do not match observations of shape {y.shape}",
            hint=f"draws come first: {form}",
        )
    if finite and not np.isfinite(values).all():
        raise ScoringError(
            "draws must be finite", hint="score only units with a forecast"
        )
    return values, y


def _numbers(name: str, value: ArrayLike) -> Floats:
    """An argument as floats."""
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ScoringError(
            f"{name} are not an array of numbers: {reason[:100]}",
            hint="draws (D, ...) against observations (...)",
        ) from error


def over_units(
    draws: ArrayLike, observed: ArrayLike, rule: Callable[[Floats, Floats], Floats]
) -> Floats:
    """Apply a rule for sorted draws to (D, ...) draws, block by block."""
    values, y = paired(draws, observed)
    flat = values.reshape(values.shape[0], -1)
    truth = y.ravel()
    out = np.empty(truth.size)
    step = max(1, _BLOCK_VALUES // values.shape[0])
    for start in range(0, truth.size, step):
        block = slice(start, start + step)
        ordered = in_order(flat[:, block])
        out[block] = rule(ordered, truth[block])
    return out.reshape(y.shape)


#: The largest count that is hidden; below it a threshold-weighted score sees no difference.
HIDDEN_MOST: Final = 9.0
#: Draws below the first are none, those from the second on are shown.
_NONE = 0.5
_SHOWN = HIDDEN_MOST + 0.5


def threshold_weighted_crps(
    draws: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    threshold: float = HIDDEN_MOST,
) -> Floats:
    """CRPS of counts above a threshold: that of ``max(x, threshold)``.

    It is proper (Allen, Ginsbourger and Ziegel 2023, SIAM/ASA Journal on Uncertainty
    Quantification 11:906), and a count at or below the threshold needs no exact value.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
    low, high : array_like, shape (...)
        Bounds of the count; equal where it is known, NaN where nothing is.
    threshold : float
        Default 9, the largest hidden count.

    Returns
    -------
    ndarray, shape (...)
        In deaths; NaN where the count is unknown and may be above the threshold.

    Raises
    ------
    ScoringError
        If shapes differ, a draw is not finite, or a lower bound is above its upper one.

    Examples
    --------
    >>> from odforecast.scoring import threshold_weighted_crps
    >>> draws = [2.0, 8.0, 12.0, 12.0]
    >>> [float(threshold_weighted_crps(draws, *b)) for b in ((0, 0), (1, 9), (12, 12))]
    [0.75, 0.75, 0.75]
    """
    lower, upper = _checked(low, high)
    y = _above(lower, upper, threshold=threshold)

    def rule(ordered: Floats, observed: Floats) -> Floats:
        return crps_sorted(np.maximum(ordered, threshold), observed)

    return over_units(draws, y, rule=rule)


def band(low: ArrayLike, high: ArrayLike) -> NDArray[np.int64]:
    """Band of a count: 0, 1 (for 1 to 9), 2 (for 10 and more); -1 where it is not known."""
    lower, upper = _checked(low, high)
    zero = upper == 0
    hidden = (lower >= 1) & (upper <= HIDDEN_MOST)
    visible = lower > HIDDEN_MOST
    bands = np.select([zero, hidden, visible], [0, 1, 2], -1)
    return bands.astype(np.int64)


def interval_pit(
    draws: ArrayLike, low: ArrayLike, high: ArrayLike, seed: int
) -> Floats:
    """Randomised PIT of a count known to lie between two numbers.

    ``(#{draws < low} + U (1 + #{low <= draws <= high})) / (D + 1)``: uniform exactly if count and
    draws come from one distribution and the bounds are those of the part of the line in which the
    count lies. With equal bounds it is :func:`odforecast.scoring.pit_from_draws`.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
    low, high : array_like, shape (...)
        NaN gives NaN; ``high`` may be infinite.

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
    ordered: Floats,
    low: Floats,
    high: Floats,
    uniforms: Floats,
) -> dict[str, Floats]:
    """Scores of sorted draws (U, D) against bounds (U,)."""
    y = _above(low, high, threshold=HIDDEN_MOST)
    quantiles = np.maximum(quantiles_sorted(ordered, HUB_QUANTILES), HIDDEN_MOST)
    n = ordered.shape[1]
    zero = count_last(ordered < _NONE) / n
    ten = count_last(ordered >= _SHOWN) / n
    hidden = 1.0 - zero - ten
    chances = np.stack([zero, hidden, ten], axis=-1)
    below, _ = ranks_sorted(ordered, low)
    _, not_above = ranks_sorted(ordered, high)
    within = not_above - below
    pit = (below + uniforms * (1 + within)) / (n + 1)
    return {
        "twcrps": crps_sorted(np.maximum(ordered, HIDDEN_MOST), y),
        "twwis": weighted_interval_score(quantiles, HUB_QUANTILES, observed=y).total,
        "rps_bands": ranked_probability_score(chances, band(low, high)),
        "p_zero": zero,
        "p_hidden": hidden,
        "p_ten": ten,
        "mean": ordered.mean(axis=1),
        "pit": np.where(np.isnan(low), np.nan, pit),
    }


def _above(low: Floats, high: Floats, threshold: float) -> Floats:
    """``max(count, threshold)``, NaN where it is not known."""
    exact = np.where(low == high, np.maximum(low, threshold), np.nan)
    return np.asarray(np.where(high <= threshold, threshold, exact))


def _checked(low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats]:
    """Bounds as floats; refused where they are not bounds of one number."""
    lower = np.asarray(low, dtype=float)
    upper = np.asarray(high, dtype=float)
    if lower.shape != upper.shape:
        raise ScoringError(f"bounds have shapes {lower.shape} and {upper.shape}")
    crossed = (lower > upper).any()
    one_sided = (np.isnan(lower) != np.isnan(upper)).any()
    if crossed or one_sided:
        raise ScoringError(
            "a lower bound lies above its upper one, or only one of the two is known",
            hint="give both, or NaN for both",
        )
    return lower, upper


#: Width of a bin on the log scale: a bin reaches 5% above its lower end.
WIDTH = 0.05
#: A log score is not allowed to fall below this; FluSight's rule, in natural logs.
FLOOR = -10.0


def bins_of(values: ArrayLike) -> NDArray[np.int64]:
    """Which bin each count lies in."""
    counts = np.rint(np.asarray(values, dtype=float))
    counted = counts >= 0
    logs = np.log1p(np.where(counted, counts, 0.0))
    positions = np.floor(logs / np.log1p(WIDTH))
    return np.where(counted, positions, -1).astype(np.int64)


def binned_log_score(samples: ArrayLike, observed: ArrayLike) -> Floats:
    """Minus the log probability of the observed bin, at most 10; lower is better.

    A bin is 5% wide. With D draws the score is 10 where none is in the bin, else at most
    ``log D``: compare models at the same number of draws.

    Parameters
    ----------
    samples : array_like, shape (D, ...)
    observed : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    FluSight until 2019 counted neighboring bins as hits, which is not proper (Bracher 2019, PNAS
    116:20809). This score does not.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring.rules import binned_log_score
    >>> draws = np.array([100.0, 101.0, 107.0, 300.0])
    >>> float(binned_log_score(draws, 100.0).round(3)), float(binned_log_score(draws, 5000.0))
    (0.693, 10.0)
    """
    draws, y = paired(samples, observed, finite=False)
    bins = bins_of(y)
    share = (bins_of(draws) == bins).mean(axis=0)
    with np.errstate(divide="ignore"):
        score = -np.maximum(np.log(share), FLOOR)
    return np.asarray(np.where(bins >= 0, score, np.nan))


#: Draws whose distances to all draws are held at once: 8 MB for a thousand draws.
_BLOCK = 1000


def energy_score(draws: ArrayLike, observed: ArrayLike, fair: bool = True) -> Floats:
    """Energy score of draws of a vector (Gneiting and Raftery 2007).

    ``E||X - y|| - E||X - X'|| / 2`` with the Euclidean norm, over all pairs of draws.

    Parameters
    ----------
    draws : array_like, shape (D, ..., K)
        At least two draws.
    observed : array_like, shape (..., K)
        NaN in any element gives NaN.
    fair : bool
        Use the D (D - 1) pairs of *different* draws, so that the expectation does not depend on D
        (Ferro 2014). False uses all D² pairs and is larger by E||X - X'|| / (2 D).

    Returns
    -------
    ndarray, shape (...)
        In the unit of the observations; lower is better.

    Notes
    -----
    It sees a wrong mean well and a wrong dependence hardly (Pinson and Tastu 2013). Read the
    coverage of sums beside it.

    Examples
    --------
    >>> import odforecast as od
    >>> draws = [[0.0, 0.0], [3.0, 4.0]]
    >>> float(od.scoring.energy_score(draws, [0.0, 0.0], fair=False))
    1.25
    >>> float(od.scoring.energy_score(draws, [0.0, 0.0]))
    0.0
    """
    values, y = paired(
        draws, observed, form="(D, ..., K) against (..., K), the vector's K last"
    )
    n = values.shape[0]
    size = values.shape[-1]
    if n < 2 or size == 0 or not y.ndim:
        raise ScoringError(
            f"{n} draws of {size} elements have no energy score", hint="two or more"
        )
    units = np.moveaxis(values.reshape(n, -1, size), 1, 0)
    pairs = n * (n - 1) if fair else n * n
    scores = []
    for unit, vector in zip(units, y.reshape(-1, size)):
        squares = ((unit - vector) ** 2).sum(axis=1)
        distance = np.sqrt(squares).mean()
        scores.append(distance - 0.5 * _all_distances(unit) / pairs)
    return np.array(scores, dtype=float).reshape(y.shape[:-1])


def _all_distances(unit: Floats) -> float:
    """Sum of the distances between all ordered pairs of draws (D, K), by blocks, with BLAS."""
    centred = unit - unit.mean(axis=0)  # or distances drown in the size of the counts
    square = (centred**2).sum(axis=1)
    total = 0.0
    for start in range(0, len(unit), _BLOCK):
        block = slice(start, start + _BLOCK)
        products = centred[block] @ centred.T
        distances = square[block, None] + square[None] - 2.0 * products
        np.maximum(distances, 0.0, out=distances)
        diagonal = np.arange(distances.shape[0])
        # Exactly: rounding would leave each draw away from itself.
        distances[diagonal, start + diagonal] = 0.0
        total += float(np.sqrt(distances, out=distances).sum())
    return total


def interval_coverage(
    quantiles: ArrayLike,
    levels: Sequence[float],
    observed: ArrayLike,
    coverage: Sequence[float] = COVERAGE_LEVELS,
) -> Floats:
    """Whether each central interval contains the observation (ends included).

    Parameters
    ----------
    quantiles : array_like, shape (Q, ...)
    observed : array_like, shape (...)
    coverage : sequence of float, length C
        Nominal coverages; both ends of each must be among the levels.

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
        ends = np.array([(1 - nominal) / 2, (1 + nominal) / 2])
        matches = np.isclose(tau, ends[:, None], rtol=0, atol=1e-9)
        missing = ends[~matches.any(axis=1)]
        if missing.size:
            levels_text = ", ".join(f"{level:g}" for level in tau)
            raise ScoringError(
                f"quantile level {missing[0]:g} is not among the levels",
                hint=f"levels: {levels_text}",
            )
        low, high = values[matches.argmax(axis=1)]
        inside[i] = (low <= y) & (y <= high)
    return np.where(np.isnan(y), np.nan, inside)


def coverages(
    values: Floats, levels: Sequence[float], observed: Floats
) -> dict[str, Floats]:
    """Coverage of each usual interval, by the name of its column in the table of scores."""
    covered = interval_coverage(values, levels, observed=observed)
    names = [f"cover_{round(100 * nominal)}" for nominal in COVERAGE_LEVELS]
    return dict(zip(names, covered))


def pit_from_draws(draws: ArrayLike, observed: ArrayLike, seed: int) -> Floats:
    """Probability integral transform: the randomized rank of the observation among the draws.

    ``(#{draws < y} + U (1 + #{draws = y})) / (D + 1)`` with U uniform on [0, 1). If the
    observation and the draws come from one distribution, discrete or not, this is uniform
    exactly, for any number of draws.

    Parameters
    ----------
    draws : array_like, shape (D, ...)
    observed : array_like, shape (...)

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
    values, y = paired(draws, observed)
    return interval_pit(values, y, high=y, seed=seed)


def pit_histogram(pit: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Histogram of PIT values; flat if the forecasts are calibrated.

    A hump means intervals are too wide, a U too narrow; high at the right means forecasts
    are too low.

    Parameters
    ----------
    pit : array_like
        Values in [0, 1]; NaN (not scorable) is left out and not counted.

    Returns
    -------
    DataFrame
        ``left``, ``right``, ``n`` (units in the bin) and ``density`` (1 everywhere for
        uniform values; NaN if there are none).

    Examples
    --------
    >>> import odforecast as od
    >>> od.scoring.pit_histogram([0.1, 0.2, 0.3, 0.9], bins=2)["density"].tolist()
    [1.5, 0.5]
    """
    if bins < 1:
        raise ScoringError(f"a histogram needs at least one bin, got {bins}")
    values = np.asarray(pit, dtype=float).ravel()
    values = values[~np.isnan(values)]
    if ((values < 0) | (values > 1)).any():
        raise ScoringError("PIT values must lie in [0, 1]")
    counts, edges = np.histogram(values, bins=bins, range=(0.0, 1.0))
    density = counts * bins / values.size if values.size else np.nan
    return pd.DataFrame(
        {"left": edges[:-1], "right": edges[1:], "n": counts, "density": density}
    )
