"""Scores of the direction: five categories of the change on a year earlier, and the turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.forecasts import Forecast, trend
from odforecast.forecasts.tables import frame_of, layer_of, year_before
from odforecast.forecasts.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography import NATION
from odforecast.months import ONE_MONTH, Months
from odforecast.names import MONTH
from odforecast.panel import Panel
from odforecast.scoring.rules import Floats, ranked_probability_score
from odforecast.scoring.truth import Truth, forecast_and_truth


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
    counts = _settled(panel)
    before = counts[:, :-12]
    later = counts[:, 12:]
    first = thresholds(before)[0]
    categories = category(later - before, before, first=first)
    categories = categories[categories >= 0]
    n_categories = len(CATEGORIES)
    if not categories.size:
        return np.full(n_categories, np.nan)
    occurrences = np.bincount(categories, minlength=n_categories)
    return np.asarray(occurrences / categories.size)


def _settled(panel: Panel) -> Floats:
    """Counts of the jurisdictions that were settled by the as-of date."""
    rows = [i for i, place in enumerate(panel.locations) if place != NATION]
    if not rows:
        rows = [0]
    settled = panel.months <= panel.settled_through
    return panel.reported[rows][:, settled]


def trend_scores(
    forecast: Forecast, truth: Truth, known: Panel | None = None
) -> pd.DataFrame:
    """Scores of the trend: one row per location and month, in the forecast's order.

    Parameters
    ----------
    truth : Truth
        Needs the count of the month and that of 12 months before.
    known : Panel, optional
        The whole panel of the origin, for past frequencies.

    Returns
    -------
    DataFrame
        ``rps`` and ``rps_pooled`` (:func:`pooled_frequencies`); NaN where a count is unknown, the
        month is published already, or it is more than 12 months ahead.

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
    rps, pooled = trend_pair(forecast, truth, known=known)
    return pd.DataFrame({"rps": rps.ravel(), "rps_pooled": pooled.ravel()})


def trend_pair(
    forecast: Forecast,
    truth: Truth,
    known: Panel | None = None,
    locations: Sequence[str] | None = None,
) -> tuple[Floats, Floats]:
    """Both columns of :func:`trend_scores`, each of shape (L, M); of some places, or of all."""
    if locations is None:
        locations = forecast.locations
    rows = [forecast.locations.index(place) for place in locations]
    rps = np.full((len(rows), forecast.months.size), np.nan)
    rps_pooled = rps.copy()
    columns = _columns_ahead(forecast)
    panel = forecast.panel if known is None else known
    if not columns.size or panel is None:
        return rps, rps_pooled
    counts_at_origin = trend.before_at_origin(forecast)[rows]
    first = thresholds(counts_at_origin[:, columns])[0]
    months = forecast.months[columns]
    later, _ = truth.observed(locations, months)
    before, _ = truth.observed(locations, months - 12 * ONE_MONTH)
    observed = category(later - before, before, first=first)
    probabilities = trend.probabilities(forecast, first, rows=rows, months=columns)
    rps[:, columns] = ranked_probability_score(probabilities, observed)
    # Of the same units: where the forecast has no category, nor has the comparison.
    without = np.isnan(probabilities)
    pooled = np.where(without, np.nan, pooled_frequencies(panel))
    rps_pooled[:, columns] = ranked_probability_score(pooled, observed)
    return rps, rps_pooled


def _columns_ahead(forecast: Forecast) -> NDArray[np.intp]:
    """Positions of the forecast's months that are 1 to 12 months ahead."""
    horizons = forecast.horizons
    return np.flatnonzero((horizons >= 1) & (horizons <= LONGEST))


def turning_scores(
    forecast: Forecast, truth: Truth, known: Panel | None = None
) -> pd.DataFrame:
    """Probability of a turn and whether it happened, for 1 to 12 months ahead.

    Parameters
    ----------
    forecast : Forecast
        Its draws must be joint over months.
    truth : Truth
        Needs the counts ahead, of the last known month, and a year before each.
    known : Panel, optional
        The whole panel of the origin, for past frequencies.

    Returns
    -------
    DataFrame
        ``location``, ``month``, ``horizon``; ``chance`` (share of draws that have turned),
        ``turned`` (1 or 0, observed), ``brier``; ``pooled`` (past share of turns, as known at the
        origin) and ``brier_pooled``. NaN where a count is unknown.

    Raises
    ------
    ScoringError
        If the draws are not joint over months, or an argument is not of its type.

    Notes
    -----
    A change of 0 is not a rise. Where counts are incomplete and the model does not complete them,
    the last known month looks like a fall, and the forecast starts with the wrong direction.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2023-03")).forecast(draws=200).select("US")
    >>> table = od.scoring.turning_scores(made, od.Truth(panel))
    >>> table.loc[table["horizon"].isin([3, 12]), ["horizon", "turned"]].to_numpy().tolist()
    [[3.0, 0.0], [12.0, 1.0]]
    """
    forecast_and_truth(forecast, truth)
    if MONTH not in forecast.joint:
        raise ScoringError(
            "these draws are not joint over months, so a path has no turn",
            hint="use a model whose paths are joint over months",
        )
    ahead = _columns_ahead(forecast)
    places = forecast.locations
    months = forecast.months[ahead]
    chance = np.full((len(places), ahead.size), np.nan)
    if ahead.size:
        first, later = drawn_changes(forecast, forecast.samples())
        chance = chances(first, later[:, :, ahead])
    last_month = np.datetime64(forecast.last_month, "M")
    with_last: Months = np.append(last_month, months)
    counts, _ = truth.observed(places, with_last)
    before, _ = truth.observed(places, with_last - 12 * ONE_MONTH)
    turns = turns_of(counts - before)
    panel = forecast.panel if known is None else known
    pooled = np.full(ahead.size, np.nan)
    if panel is not None:
        pooled = pooled_turns(panel, forecast.horizons[ahead])
    pooled = np.where(np.isnan(chance), np.nan, pooled)  # of the same units
    columns = {
        "chance": chance,
        "turned": turns,
        "brier": (chance - turns) ** 2,
        "pooled": pooled,
        "brier_pooled": (pooled - turns) ** 2,
    }
    frame = frame_of(forecast, columns, months=ahead)
    return frame.drop(columns=["name", "horizon_from_origin"])


def drawn_changes(forecast: Forecast, sums: Floats) -> tuple[Floats, Floats]:
    """Changes on a year earlier in every draw, at the last known month and at each forecast one."""
    before = year_before(forecast)
    changes = sums - before
    last = int(-forecast.horizons[0])  # position of the last known month
    if last >= 0:
        return changes[:, :, last], changes
    first = np.full(sums.shape[:2], np.nan)
    reported = layer_of(forecast, "reported")
    if forecast.panel is not None:
        months_before = forecast.last_month - forecast.panel.months[0]
        column = int(months_before.astype(int))
        if 12 <= column < reported.shape[1]:
            change = reported[:, column] - reported[:, column - 12]
            first = np.broadcast_to(change, first.shape)
    return first, changes


def chances(first: Floats, later: Floats) -> Floats:
    """Share of draws that have turned by each month; shapes (D, L) and (D, L, M) to (L, M).

    >>> import numpy as np
    >>> first = np.array([[5.0], [-5.0]])
    >>> chances(first, np.array([[[4.0, -1.0, 2.0]], [[-3.0, -2.0, -1.0]]]))
    array([[0. , 0.5, 0.5]])
    """
    share = turned(first, later).mean(axis=0)
    without_first = np.isnan(first).any(axis=0)
    without_later = np.isnan(later).any(axis=0)
    gaps = without_first[:, None] | without_later
    after_gap = np.logical_or.accumulate(gaps, axis=-1)
    return np.where(after_gap, np.nan, share)


def turned(first: Floats, later: Floats) -> NDArray[np.bool_]:
    """Whether the direction has been another one by each month: (...) and (..., M) to (..., M)."""
    rose = (first > 0)[..., None]
    differs = (later > 0) != rose
    return np.asarray(np.logical_or.accumulate(differs, axis=-1))


def turns_of(changes: Floats) -> Floats:
    """Turns by each month after the first, from changes (L, 1 + M); NaN from a gap on."""
    after_gap = np.logical_or.accumulate(np.isnan(changes), axis=-1)
    turns = turned(changes[..., 0], changes[..., 1:])
    return np.where(after_gap[..., 1:], np.nan, turns.astype(float))


def pooled_turns(panel: Panel, horizons: NDArray[np.int64]) -> Floats:
    """How often places turned within so many months before, as known at the origin."""
    counts = _settled(panel)
    changes = counts[:, 12:] - counts[:, :-12]
    shares = np.full(len(horizons), np.nan)
    for position, horizon in enumerate(horizons):
        length = int(horizon) + 1
        if changes.shape[1] < length:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(changes, length, axis=1)
        turns = turns_of(windows.reshape(-1, length))[:, -1]
        if np.isfinite(turns).any():
            shares[position] = np.nanmean(turns)
    return shares
