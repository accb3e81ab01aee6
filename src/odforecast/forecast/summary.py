"""What people ask of a forecast, in one table: the count, its change, its rate, what CDC says.

Tables on screens, pages and in files all take their numbers from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast.errors import ForecastError, proportion
from odforecast.forecast.places import (
    NEW_YORK,
    NEW_YORK_TOGETHER,
    residents,
    residents_of,
    rows_of,
)
from odforecast.forecast.published import at_months, layer_of, published
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES, LOCATION, MONTH
from odforecast.panel import Floats

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast

#: Columns of the table, in order; a test locks them, for files hold them.
SUMMARY_COLUMNS: Final = (
    "location",
    "name",
    "month",
    "horizon",
    "horizon_from_origin",
    "reported",
    "predicted",
    "level",
    "low",
    "median",
    "high",
    "change_low",
    "change",
    "change_high",
    "fall",
    "rate_low",
    "rate",
    "rate_high",
    "rate_of",
)


def year_before(forecast: Forecast) -> Floats:
    """12-month-ending deaths a year before each month of a forecast, once final.

    Where the draws reach that far back, in every draw; before them as reported, and for a sum
    of places the sum of what was reported of its parts.

    Returns
    -------
    ndarray, shape (D, L, M)
        NaN where no count is known, or where it is drawn and the draws are not joint over months.
    """
    sums = forecast.samples()
    reported = at_months(forecast, layer_of(forecast, "reported"), -12)
    out = np.broadcast_to(reported, sums.shape).copy()
    if forecast.months.size > 12:
        out[:, :, 12:] = sums[:, :, :-12] if MONTH in forecast.joint else np.nan
    return out


def summary(
    forecast: Forecast, locations: str | Iterable[str] | None = None, level: float = 0.9
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.summary`."""
    import pandas as pd

    proportion("level", level)
    kept = rows_of(forecast, locations)
    places = [forecast.locations[i] for i in kept]
    # Rounded, so that 0.9 gives the levels 0.05 and 0.95 themselves.
    sides = np.round([(1 - level) / 2, 0.5, (1 + level) / 2], 12)
    later = forecast.samples()[:, kept]
    before = year_before(forecast)[:, kept]
    known = ~np.isnan(later + before).any(axis=0)
    grown = before > 0
    moved = np.divide(100 * (later - before), before, out=np.full(later.shape, np.nan), where=grown)
    fall = np.where(known, (later < before).mean(axis=0), np.nan)
    rates, rate_of = _rates(forecast, kept, sides)
    values = {
        "reported": published(forecast, "reported")[kept],
        "predicted": published(forecast, "predicted")[kept],
        "level": np.full(fall.shape, level),
        **dict(zip(("low", "median", "high"), forecast.quantiles(list(sides))[:, kept])),
        **dict(zip(("change_low", "change", "change_high"), _sides(moved, sides))),
        "fall": fall,
        **dict(zip(("rate_low", "rate", "rate_high"), rates)),
    }
    n = forecast.months.size
    frame: pd.DataFrame = pd.DataFrame(
        {
            "location": np.repeat(np.array(places, dtype=object), n),
            "name": np.repeat(np.array([called(s) for s in places], dtype=object), n),
            "month": np.tile(forecast.months.astype("datetime64[s]"), len(kept)),
            "horizon": np.tile(forecast.horizons, len(kept)),
            "horizon_from_origin": np.tile(forecast.horizons_from_origin, len(kept)),
            **{name: array.ravel() for name, array in values.items()},
            "rate_of": np.repeat(np.array(rate_of, dtype=object), n),
        }
    )
    assert tuple(frame.columns) == SUMMARY_COLUMNS
    return frame


def years(
    forecast: Forecast, locations: str | Iterable[str] | None = None, level: float = 0.9
) -> pd.DataFrame:
    """Calendar years; see :meth:`odforecast.Forecast.years`."""
    table = summary(forecast, locations, level)
    december = table["month"].dt.month == 12
    if not december.any():
        raise ForecastError(
            f"no year ends in the forecast, {forecast.months[0]} to {forecast.months[-1]}",
            hint="forecast further: forecast(until='2026-12')",
        )
    rows: pd.DataFrame = table[december].reset_index(drop=True)
    year = rows["month"].dt.year
    begins = year.map(lambda y: np.datetime64(f"{y}-01", "M"))
    known = [
        int(np.clip((forecast.last_month - m + ONE_MONTH).astype(int), 0, 12))
        for m in begins.to_numpy(dtype="datetime64[M]")
    ]
    rows.insert(2, "year", year)
    rows.insert(3, "known", known)
    return rows


def _sides(values: Floats, sides: Floats) -> Floats:
    """Quantiles over the draws, shape (3, L, M); NaN where any draw is."""
    lacking = np.isnan(values).any(axis=0)
    out = np.quantile(np.where(lacking, 0.0, values), sides, axis=0)
    out[:, lacking] = np.nan
    return np.asarray(out)


def _rates(forecast: Forecast, kept: list[int], sides: Floats) -> tuple[Floats, list[str]]:
    """Rates per 100,000 residents, shape (3, L, M), and of which places each is."""
    sums = forecast.samples()
    whole = {s: i for i, s in enumerate(forecast.locations)}
    if forecast.panel is not None and forecast.panel.dataset == COUNTIES:
        people = residents_of(forecast)[kept]
        known = np.isfinite(people).all(axis=1)
        named = [forecast.locations[i] if k else "" for i, k in zip(kept, known)]
        return _sides(1e5 * sums[:, kept] / people, sides), named
    together = set(NEW_YORK) <= set(whole) and LOCATION in forecast.joint
    out = np.full((3, len(kept), forecast.months.size), np.nan)
    of: list[str] = []
    years_of = forecast.months.astype("datetime64[Y]").astype(int) + 1970
    for row, i in enumerate(kept):
        place = forecast.locations[i]
        parts = forecast.parts.get(place, (place,))
        deaths, name = sums[:, i], place
        if place in NEW_YORK and together:
            # CDC counts the city apart, the census does not: neither has a rate of its own.
            parts, name = NEW_YORK, NEW_YORK_TOGETHER
            deaths = sums[:, [whole[s] for s in NEW_YORK]].sum(axis=1)
        people = np.array([residents(parts, int(y)) for y in years_of])
        if np.isnan(people).all():
            of.append("")
            continue
        out[:, row] = _sides(1e5 * deaths / people, sides)
        of.append(name)
    return out, of
