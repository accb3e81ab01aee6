"""Counts of counties in a table: as they may be published, small ones as a range.

CDC hides counts of 1 to 9. A forecast of such a county is a distribution over 0, 1 to 9, and 10
and more, and the chances of these three are what is shown; a median of 4 would stand for the
hidden count, and is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast.errors import DataError, ForecastError, proportion
from odforecast.forecast.places import residents_of, rows_of
from odforecast.forecast.published import hidden_at, layer_of
from odforecast.forecast.summary import year_before
from odforecast.geography import called
from odforecast.names import RESIDENCE
from odforecast.say import SMALL, published_count

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast

#: Columns of the table, in order; a test locks them, for files hold them.
COUNTY_COLUMNS: Final = (
    "location", "name", "month", "horizon", "horizon_from_origin", "last", "level", "low",
    "low_50", "median", "high_50", "high", "fall", "rise", "p_zero", "p_hidden", "p_ten",
    "rate_low", "rate", "rate_high", "few",
)  # fmt: skip
#: A rate that rests on fewer deaths is mostly chance: its standard error is over a fifth of it.
#: The National Center for Health Statistics marks such rates as unreliable.
FEW: Final = 20

#: Counties sorted at once: all draws of the nation a second time would take 300 MB.
_AT_ONCE: Final = 400


def of_counties(forecast: Forecast) -> bool:
    """Whether counts are of counties, by where people lived: small ones are hidden then."""
    return forecast.basis == RESIDENCE


def refuse_counties(forecast: Forecast, what: str) -> None:
    """Refuse what is made of states alone, and would show counts below 10.

    Parameters
    ----------
    forecast : Forecast
    what : str
        What is refused, in the plural: ``"reports"``.

    Raises
    ------
    DataError
        If the forecast is of counties; says what shows them.
    """
    if of_counties(forecast):
        raise DataError(
            f"this forecast is of counties, and {what} are of states: they would show counts "
            f"below {SMALL}",
            hint="odforecast forecast --dataset counties --html FILE, or "
            "odforecast.report.site.write_county_page(FILE, forecast)",
        )


def last_counts(forecast: Forecast) -> list[str]:
    """The last count of each location as its release shows it: ``594``, ``0``, ``1–9``."""
    low, high = layer_of(forecast, "low"), layer_of(forecast, "high")
    if not low.shape[1]:
        return [""] * len(forecast.locations)
    return [published_count(float(a), float(b)) for a, b in zip(low[:, -1], high[:, -1])]


def counties(
    forecast: Forecast,
    locations: str | Iterable[str] | None = None,
    level: float = 0.9,
    exact: bool = False,
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.counties`."""
    import pandas as pd

    proportion("level", level)
    if not of_counties(forecast):
        raise ForecastError(
            "this forecast is of states, whose counts are not hidden",
            hint="forecast.summary() is their table",
        )
    if locations is None and len(forecast.locations) > _AT_ONCE:
        some = range(0, len(forecast.locations), _AT_ONCE)
        parts = [forecast.locations[i : i + _AT_ONCE] for i in some]
        tables = [counties(forecast.select(of), None, level, exact) for of in parts]
        return pd.concat(tables, ignore_index=True)
    kept = rows_of(forecast, locations)
    places = [forecast.locations[i] for i in kept]
    sides = np.round([(1 - level) / 2, 0.25, 0.5, 0.75, (1 + level) / 2], 12)
    later, before = forecast.samples()[:, kept], year_before(forecast)[:, kept]
    # A hidden count stays hidden, also where draws say what it may have been.
    known = ~np.isnan(before).any(axis=0) & ~hidden_at(forecast, -12)[kept]
    counts = forecast.quantiles(list(sides))[:, kept]
    people = residents_of(forecast)[kept]
    rates = 1e5 * counts[[0, 2, 4]] / people
    few = counts[2] < FEW
    if not exact:
        rates[counts[[0, 2, 4]] < SMALL] = np.nan
        counts[counts < SMALL] = np.nan
    values = {
        "level": np.full(few.shape, level),
        **dict(zip(("low", "low_50", "median", "high_50", "high"), counts)),
        "fall": np.where(known, (later < before).mean(axis=0), np.nan),
        "rise": np.where(known, (later > before).mean(axis=0), np.nan),
        "p_zero": (later < 1).mean(axis=0),
        "p_hidden": ((later >= 1) & (later < SMALL)).mean(axis=0),
        "p_ten": (later >= SMALL).mean(axis=0),
        **dict(zip(("rate_low", "rate", "rate_high"), rates)),
        "few": few,
    }
    n, last = forecast.months.size, last_counts(forecast)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "location": np.repeat(np.array(places, dtype=object), n),
            "name": np.repeat(np.array([called(s) for s in places], dtype=object), n),
            "month": np.tile(forecast.months.astype("datetime64[s]"), len(kept)),
            "horizon": np.tile(forecast.horizons, len(kept)),
            "horizon_from_origin": np.tile(forecast.horizons_from_origin, len(kept)),
            "last": np.repeat(np.array([last[i] for i in kept], dtype=object), n),
            **{name: array.ravel() for name, array in values.items()},
        }
    )
    assert tuple(frame.columns) == COUNTY_COLUMNS
    # The last count, drawn as it will be once complete, is there to be compared with.
    return frame[frame["horizon"] > 0].reset_index(drop=True)
