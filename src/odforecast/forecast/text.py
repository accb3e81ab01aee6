"""A forecast in three sentences, and the words in which numbers are said to people.

Places by their full names, months by their names, numbers no finer than their intervals, and
no chance of 0 or 100 %. Every page and text of the library takes its words from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast import county_text
from odforecast.forecast.counties import of_counties
from odforecast.forecast.private import own_of
from odforecast.forecast.published import layer_of, published_on
from odforecast.forecast.record import error_at, past_errors
from odforecast.forecast.words import place_name as place_name
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.months import to_month
from odforecast.names import LOCATION
from odforecast.panel import Floats
from odforecast.say import about as about
from odforecast.say import between as between
from odforecast.say import chance as chance
from odforecast.say import day_name as day_name
from odforecast.say import deaths_of as deaths_of
from odforecast.say import month_name as month_name
from odforecast.say import percent as percent
from odforecast.say import rounded as rounded
from odforecast.say import step_of as step_of

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast
    from odforecast.forecast.record import Scored

#: Interval of every text.
LEVEL = 0.9
_SIDES = (0.05, 0.5, 0.95)


def text(
    forecast: Forecast,
    location: str | None = None,
    record: Scored | None = None,
    errors: bool = True,
    month: object = None,
) -> str:
    """Three sentences; see :meth:`odforecast.Forecast.text`.

    Without ``errors`` nothing is said of past ones: for a page that shows them in a table. With a
    ``month`` they are of that one, where a table beside them is.
    """
    if record is not None and not hasattr(record, "scores"):
        raise ForecastError(
            f"record is {record!r}, no results of a backtest",
            hint="a text is of one place: text('Ohio'), text('New York')",
        )
    one = _one(forecast, location)
    counties = of_counties(one)
    first = county_text.last_known(one) if counties else _last_known(one)
    ahead = one.horizons <= 12
    usual = one.months[ahead][-1] if ahead.any() else one.months[-1]
    month = usual if month is None else to_month(month)
    low, middle, high = _quantiles(one.count_at(month)[:, 0])
    end = month_name(month)
    if not np.isfinite([low, high]).all():
        return f"{first} For the 12 months ending in {end} there is no forecast: a count is hidden."
    step = step_of(low, high)
    own = own_of(one, one.locations[0])
    # Past forecasts had no own counts: their errors are none of this one's.
    off = _off(one, month, record) if errors and not own else ""
    given = f", with {own}," if own else ""
    if counties:
        second = county_text.ahead(one.count_at(month)[:, 0], month, off)
        return f"{first} {second} {county_text.change(one, month, step)}".rstrip()
    second = (
        f"For the 12 months ending in {end} the forecast{given} is about "
        f"{rounded(middle, step)} deaths "
        f"(90 % interval {between(low, high, step)}){off}."
    )
    return f"{first} {second} {_change(one, month, step)}"


def _off(one: Forecast, month: np.datetime64, record: Scored | None) -> str:
    """How far such forecasts have been off here; nothing where nobody measured it."""
    rows = past_errors(one, one.locations[0], record)
    row = error_at(rows, int((month - one.last_month).astype(int)))
    if row is None:
        return ""
    return (
        f"; such forecasts have been off by {row['error']:.0f} % here (the middle of "
        f"{row['forecasts']:,} past ones)"
    )


def _one(forecast: Forecast, location: str | None) -> Forecast:
    """The forecast of a single place."""
    if location is not None:
        made = forecast.select(location)
        if len(made.locations) > 1:
            raise ForecastError(
                f"location names {len(made.locations)} places, and a text is of one",
                hint="write one each: [forecast.text(s) for s in places]",
            )
        return made
    if len(forecast.locations) == 1:
        return forecast
    if NATION in forecast.locations:
        return forecast.select(NATION)
    if LOCATION in forecast.joint and set(JURISDICTIONS) <= set(forecast.locations):
        return forecast.nation()
    raise ForecastError(
        f"the forecast has {len(forecast.locations)} locations and no US: a text is of one",
        hint=f"name one: text({forecast.locations[0]!r})",
    )


def _reported(one: Forecast, month: np.datetime64) -> float:
    """The published 12-month count of the place, of a sum that of its parts; NaN without one."""
    panel = one.panel
    if panel is None or not panel.months[0] <= month <= panel.last_month:
        return float("nan")
    return float(layer_of(one, "reported")[0, int((month - panel.months[0]).astype(int))])


def _quantiles(values: Floats) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, _SIDES)
    return float(low), float(middle), float(high)


def _last_known(one: Forecast) -> str:
    """The last count as published, and what it will be."""
    what = "deaths" if one.panel is None else deaths_of(one.panel.indicator)
    lead = f"In {place_name(one.locations[0])}, "
    when = f"the 12 months ending in {month_name(one.last_month)}"
    seen = f"as published by {day_name(published_on(one))}"
    count = _reported(one, one.last_month)
    if np.isfinite(count):
        known = f"{lead}{count:,.0f} {what} were reported for {when}, {seen}"
    else:
        known = f"{lead}no count of {what} is shown for {when}, {seen}"
    drawn = np.flatnonzero(one.horizons == 0)
    if drawn.size:
        low, middle, high = _quantiles(one.count_at(one.last_month)[:, 0])
        if np.isfinite([low, high]).all():
            step = step_of(low, high)
            return (
                f"{known}; once final, the count will be about {rounded(middle, step)} "
                f"(90 % interval {between(low, high, step)})."
            )
    if one.panel is not None and one.panel.final_through >= one.last_month:
        return f"{known}, a final count."
    if not np.isfinite(count):
        return f"{known}."
    return f"{known}; the forecast takes it as it is, though late reports may still change it."


def _change(one: Forecast, month: np.datetime64, step: float) -> str:
    """The change on the count 12 months before, and how likely a fall is."""
    try:
        moved = one.change(month)[:, 0]
    except ForecastError:  # before the panel, or there is none
        moved = np.full(len(one.draws), np.nan)
    if not np.isfinite(moved).all():
        return "The count 12 months before is not known, so no change can be given."
    before = one.count_at(month)[:, 0] - moved
    share = np.divide(100 * moved, before, out=np.zeros_like(moved), where=before > 0)
    middle = float(np.median(moved))
    size = rounded(abs(middle), step)
    if size == "0":
        change = "about as many as 12 months before"
    else:
        way = "fewer" if middle < 0 else "more"
        relative = f" ({percent(float(np.median(share)))})" if (before > 0).all() else ""
        change = f"about {size} {way} than 12 months before{relative}"
    same = float((moved == 0).mean())
    tie = f", of no change {chance(same)}" if same >= 0.005 else ""
    return (
        f"That is {change}; the probability of a fall is {chance(float((moved < 0).mean()))}{tie}."
    )
