"""Trend: five categories of the change on a year earlier, as probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ForecastError
from odforecast.forecasts.tables import Places, at_months, chosen, frame_of, layer_of
from odforecast.names import MONTH
from odforecast.panel import Floats

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecasts.forecast import Forecast

#: The categories, from the largest fall to the largest rise.
CATEGORIES: Final = (
    "large_decrease",
    "decrease",
    "stable",
    "increase",
    "large_increase",
)

#: The smallest change, in percent, that is not called stable, whatever the size of the place.
SMALLEST: Final = 5.0
#: Standard deviations of the difference of two counts: a change of none is called stable in four
#: of five cases.
DEVIATIONS: Final = 1.28
#: How many times the first threshold a large change is.
LARGE: Final = 3.0
#: Longest horizon with a trend: the count a year earlier must be known at the origin.
LONGEST: Final = 12


def thresholds(before: ArrayLike) -> tuple[Floats, Floats]:
    """What change is no longer stable, and what change is large, in percent.

    t₁ = max(5, 128 √(2/N)) and t₂ = 3 t₁ with N the count 12 months earlier, *as known at the
    origin*: a threshold that looked at the outcome would make scores of the categories improper.
    The difference of two Poisson counts of N has a standard deviation of √(2N), so √(2/N) of N.

    Parameters
    ----------
    before : array_like
        N, deaths; below 1 it is taken as 1. NaN gives NaN.

    Returns
    -------
    tuple of ndarray
        t₁ and t₂.

    Examples
    --------
    >>> from odforecast.forecasts.trend import thresholds
    >>> first, large = thresholds([2.0, 200.0, 50_000.0])
    >>> first.round(1).tolist(), large.round(1).tolist()
    ([128.0, 12.8, 5.0], [384.0, 38.4, 15.0])
    """
    n = np.maximum(np.asarray(before, dtype=float), 1.0)
    first: Floats = np.maximum(SMALLEST, 100 * DEVIATIONS * np.sqrt(2.0 / n))
    return first, LARGE * first


def category(
    change: ArrayLike, before: ArrayLike, first: ArrayLike
) -> NDArray[np.int8]:
    """Positions in :data:`CATEGORIES`: 0 for a large fall, 2 for stable, 4 for a large rise.

    Parameters
    ----------
    change : array_like
        Deaths in 12 months less those of the 12 months a year before.
    before : array_like
        Final deaths of the 12 months a year before; broadcast with ``change``.
    first : array_like
        t₁ in percent, see :func:`thresholds`. A change of exactly t₁ is stable, one of exactly
        t₂ is not large.

    Returns
    -------
    ndarray of int8
        −1 where something is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecasts.trend import category
    >>> category([-16.0, -15.0, -5.0, 0.0, 5.1, 16.0, np.nan], 100.0, 5.0).tolist()
    [0, 1, 2, 2, 3, 4, -1]
    """
    moved = np.asarray(change, dtype=float)
    unit = np.asarray(before, dtype=float) * np.asarray(first, dtype=float) / 100
    size = np.abs(moved)
    steps = (size > unit).view(np.int8) + (size > LARGE * unit).view(np.int8)
    sign = (moved > 0).view(np.int8) - (moved < 0).view(np.int8)
    out = np.asarray(2 + sign * steps, dtype=np.int8)
    out[np.isnan(size + unit)] = -1
    return out


def trend(forecast: Forecast, locations: Places = None) -> pd.DataFrame:
    """Five categories of the change on a year earlier, as probabilities.

    A change is that of :meth:`change`, relative to the count 12 months before. It is large
    above t₂, stable up to t₁, with t₁ = max(5%, 1.28 √(2/N)), t₂ = 3 t₁ and N the count 12
    months before *as known at the origin*.

    Returns
    -------
    DataFrame
        One row per location and month up to 12 months ahead: ``location``, ``name``,
        ``month``, ``horizon``, ``before`` (N, deaths), ``t1``, ``t2`` (percent), and the
        probabilities ``large_decrease``, ``decrease``, ``stable``, ``increase``,
        ``large_increase``, which add up to 1. NaN where N is not published.

    Raises
    ------
    ForecastError
        If a place is not forecast, or all months are further ahead.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100)
    >>> last = forecast.trend("Wyoming").iloc[-1]
    >>> float(last["before"]), round(float(last["t1"]), 1)
    (86.0, 19.5)
    """
    near = np.flatnonzero(forecast.horizons <= LONGEST)
    if not near.size:
        raise ForecastError(
            f"no month up to {LONGEST} months after {forecast.last_month} is forecast",
            hint="a trend needs the count a year earlier to be known at the origin",
        )
    one = chosen(forecast, locations)
    known = before_at_origin(one)[:, near]
    first, large = thresholds(known)
    chances = probabilities(one, first, rows=range(len(one.locations)), months=near)
    columns = {"before": known, "t1": first, "t2": large}
    columns |= {name: chances[..., k] for k, name in enumerate(CATEGORIES)}
    return frame_of(one, columns, months=near).drop(columns="horizon_from_origin")


def before_at_origin(forecast: Forecast) -> Floats:
    """The count 12 months before each month, as known at the origin, shape (L, M); NaN unknown."""
    return at_months(forecast, layer_of(forecast, "reported"), shift=-12)


def probabilities(
    forecast: Forecast,
    first: Floats,
    rows: Sequence[int],
    months: NDArray[np.intp],
) -> Floats:
    """Share of draws in each category, shape (rows, months, 5)."""
    sums = forecast.samples()
    known = before_at_origin(forecast)
    shares = np.full((len(rows), len(months), len(CATEGORIES)), np.nan)
    for i, row in enumerate(rows):  # a place at a time, for there may be thousands
        place = sums[:, row]
        before = np.repeat(known[[row]], len(sums), axis=0)
        # Where the draws reach back a year, the count then is the nowcast of the same draw.
        before[:, 12:] = place[:, :-12] if MONTH in forecast.joint else np.nan
        found = category((place - before)[:, months], before[:, months], first=first[i])
        for k in range(len(CATEGORIES)):
            shares[i, :, k] = (found == k).mean(axis=0)
        shares[i, (found < 0).any(axis=0)] = np.nan
    return shares
