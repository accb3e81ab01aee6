"""Hot spots: how likely each place is among the highest, and whether its count rises.

A list of medians in order hides that the tenth and the thirtieth are often the same within their
intervals. In each draw the places are ranked, and the share of draws in which a place is among
the K highest is its chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, one_of, whole
from odforecast.forecast.counties import FEW, of_counties
from odforecast.forecast.places import residents_of
from odforecast.forecast.published import hidden_at, layer_of
from odforecast.geography import NATION, called
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import LOCATION
from odforecast.panel import Floats
from odforecast.say import SMALL

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast

Flags = NDArray[np.bool_]
By = Literal["deaths", "rate"]
#: Columns of the table, in order; a test locks them.
RANKING_COLUMNS: Final = (
    "location", "name", "month", "horizon", "by", "k", "among", "deaths", "rate", "few", "rising",
    "above_last",
)  # fmt: skip


def among_highest(values: Floats, k: int) -> Floats:
    """Chance of each column to be among the k highest of its row, shape (L,); they add up to k.

    Places that tie for the last rank share what is left of it: no order of names decides.

    Parameters
    ----------
    values : ndarray, shape (D, L)
        Minus infinity for what has no rank in a draw: it is never among them, and the chances
        add up to less.
    k : int
        At least 1; L and more gives 1 to all.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecast.ranking import among_highest
    >>> among_highest(np.array([[9.0, 5.0, 5.0, 1.0], [9.0, 5.0, 4.0, 9.0]]), 2).tolist()
    [1.0, 0.25, 0.25, 0.5]
    """
    places = values.shape[1]
    at = max(places - k, 0)
    last = np.partition(values, at, axis=1)[:, at, None]
    above, level = values > last, values == last
    left = np.minimum((k - above.sum(axis=1)) / level.sum(axis=1), 1.0)
    shares = above + level * left[:, None]
    return np.asarray(np.where(np.isneginf(values), 0.0, shares).mean(axis=0))


def ranking(
    forecast: Forecast, k: int = 10, by: By = "deaths", month: object = None, exact: bool = False
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.ranking`."""
    import pandas as pd

    if by not in get_args(By):
        raise ForecastError(f"by is {by!r}", hint=one_of(by, get_args(By)))
    k = whole("k", k, 1)
    if LOCATION not in forecast.joint:
        raise ForecastError(
            "these draws are not joint over locations, so places cannot be compared in them",
            hint="rank a forecast of a model with joint draws: county for counties, dlm for states",
        )
    column = _column(forecast, month)
    # The nation and sums of places hold the others: who is highest is asked of single places.
    rows = [i for i, s in enumerate(forecast.locations) if s != NATION and s not in forecast.parts]
    if len(rows) < 2:
        raise ForecastError(f"the forecast has {len(rows)} single places: a ranking needs two")
    sums = forecast.samples()[:, rows, column]
    deaths = np.median(sums, axis=0)
    people = residents_of(forecast)[rows, column]
    rate = 1e5 * deaths / people
    ranked = sums / people if by == "rate" else sums
    if of_counties(forecast) and not exact:
        # What is not shown has no rank either: who is ahead of whom would give it away.
        ranked = np.where((sums < SMALL) & np.isfinite(ranked), -np.inf, ranked)
    there = ~np.isnan(ranked).any(axis=0)
    if not there.any():
        raise _no_rate(forecast)
    among = np.full(len(rows), np.nan)
    among[there] = among_highest(ranked[:, there], k)
    before = _year_before(forecast, column)[:, rows]
    last = layer_of(forecast, "reported")[rows]
    last = last[:, -1] if last.shape[1] else np.full(len(rows), np.nan)
    few = deaths < FEW
    if of_counties(forecast) and not exact:
        small = deaths < SMALL
        deaths, rate = np.where(small, np.nan, deaths), np.where(small, np.nan, rate)
    places = [forecast.locations[i] for i in rows]
    # Chance first, then the middle as far as it is shown, then the code: the same everywhere.
    middle = rate if by == "rate" else deaths
    keys = [(-_or_last(a), -_or_last(m), s) for a, m, s in zip(among, middle, places)]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "location": np.array(places, dtype=object),
            "name": np.array([called(s) for s in places], dtype=object),
            "month": np.repeat(forecast.months[[column]].astype("datetime64[s]"), len(rows)),
            "horizon": int(forecast.horizons[column]),
            "by": by,
            "k": int(k),
            "among": among,
            "deaths": deaths,
            "rate": rate,
            "few": few,
            "rising": _share(sums > before, np.isnan(before).any(axis=0)),
            "above_last": _share(sums > last, np.isnan(last)),
        }
    )
    assert tuple(frame.columns) == RANKING_COLUMNS
    return frame.iloc[order].reset_index(drop=True)


def _column(forecast: Forecast, month: object) -> int:
    """Position of the month asked for; without one, 12 months ahead or the last."""
    if month is None:
        ahead = np.flatnonzero(forecast.horizons <= 12)
        return int(ahead[-1]) if ahead.size else 0
    when = to_month(month)
    found = np.flatnonzero(forecast.months == when)
    if not found.size:
        raise ForecastError(
            f"{when} is not forecast", hint=f"from {forecast.months[0]} to {forecast.months[-1]}"
        )
    return int(found[0])


def _year_before(forecast: Forecast, column: int) -> Floats:
    """Counts 12 months before a month, in every draw, shape (D, L); NaN where unknown."""
    try:
        before = forecast.count_at(forecast.months[column] - 12 * ONE_MONTH)
    except ForecastError:  # before the panel, or there is none
        return np.full(forecast.draws.shape[:2], np.nan)
    return np.where(hidden_at(forecast, -12)[:, column], np.nan, before)


def _share(holds: Flags, unknown: Flags) -> Floats:
    """Share of draws; NaN where what they are compared with is hidden or missing."""
    return np.where(unknown, np.nan, holds.mean(axis=0))


def _or_last(value: float) -> float:
    return float("-inf") if np.isnan(value) else float(value)


def _no_rate(forecast: Forecast) -> ForecastError:
    hint = "rank by deaths"
    if of_counties(forecast):
        hint = "give a population file: panel.with_population(FILE) before the fit; or by='deaths'"
    return ForecastError("no place has a population, so there are no rates to rank", hint=hint)
