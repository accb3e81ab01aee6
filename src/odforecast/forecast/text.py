"""A forecast in three sentences, and what is said beside it.

Places by their full names, months by their names, numbers no finer than their intervals, and
no chance of 0 or 100 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.adding import OWN_COUNTS
from odforecast.forecast.record import error_at, past_errors
from odforecast.forecast.tables import (
    FEW,
    hidden_at,
    last_counts,
    layer_of,
    of_counties,
    published_on,
)
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, County, find
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import LOCATION
from odforecast.panel import Floats
from odforecast.say import (
    SMALL,
    between,
    chance,
    day_name,
    deaths_of,
    month_name,
    percent,
    ranged_between,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast
    from odforecast.forecast.record import Scored

#: Interval of every text.
LEVEL = 0.9
_SIDES = (0.05, 0.5, 0.95)
#: Months after the last published one that backtests scored.
VALIDATED: Final = 12
#: End of that text where places without own counts rest on those of the others, too; after it, if
#: any, `` but `` and the codes of those that do not.
FOR_ALL = ", for all places"
#: Places whose name in a sentence is not the one in the table; CDC's NY leaves out the city.
_IN_A_SENTENCE = {
    NATION: "the United States",
    **dict.fromkeys(("DC", "11001"), "the District of Columbia"),
    "NY": "New York State without New York City",
    **{name: f"the {name}" for name in REGIONS},
}


def place_name(code: str) -> str:
    """Full name of a place, as it stands within a sentence.

    Parameters
    ----------
    code : str
        Code or name of a jurisdiction or county; the name of a region, or of a sum of places,
        which stays as it is.

    Examples
    --------
    >>> place_name("US"), place_name("OH"), place_name("39061"), place_name("Midwest")
    ('the United States', 'Ohio', 'Hamilton County, Ohio', 'the Midwest')
    >>> place_name("NY"), place_name("the valley")
    ('New York State without New York City', 'the valley')
    """
    if code in _IN_A_SENTENCE:
        return _IN_A_SENTENCE[code]
    try:
        found = find(code)
    except LookupError:
        return code
    if isinstance(found, County):
        return found.label
    return _IN_A_SENTENCE.get(found.state, found.name)


def beyond_validated(forecast: Forecast) -> str:
    """One line on the months that lie further ahead than any that was ever scored.

    It is said beside a forecast and is no part of it, so nothing about the forecast hangs on it.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    str
        Empty if all months lie within :data:`VALIDATED` months of the last published one.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> fitted = od.get_model("naive").fit(panel)
    >>> beyond_validated(fitted.forecast(12, draws=2))
    ''
    >>> beyond_validated(fitted.forecast(13, draws=2)).partition(":")[0]
    'months after 2026-08 lie further ahead than forecasts were checked'
    """
    last = to_month(forecast.last_month) + np.timedelta64(VALIDATED, "M")
    if forecast.months[-1] <= last:
        return ""
    return (
        f"months after {last} lie further ahead than forecasts were checked: {VALIDATED} months "
        "after the last published one; their intervals follow from the model alone"
    )


def own_counts(forecast: Forecast) -> str:
    """What own counts a forecast rests on, in words; empty where none.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> own_counts(od.get_model("naive").fit(panel).forecast(draws=50))
    ''
    """
    return forecast.provenance.get(OWN_COUNTS, "")


def own_of(forecast: Forecast, place: str) -> str:
    """The own counts that a place's forecast rests on, in words; empty where none.

    Parameters
    ----------
    forecast : Forecast
    place : str
        A location of it; a sum rests on its parts'.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> own_of(od.get_model("naive").fit(panel).forecast(draws=50), "OH")
    ''
    """
    own = None if forecast.panel is None else forecast.panel.own
    said = own_counts(forecast)
    if not said or own is None:
        return ""
    _, for_all, but = said.partition(FOR_ALL)
    places = own.places if for_all and place not in but.split()[1:] else (place,)
    return own.within(places, forecast.parts, LOCATION in forecast.joint)


def keep_local(forecast: Forecast, where: str, own: bool) -> None:
    """Refuse to publish what rests on own counts, unless it is asked for.

    Parameters
    ----------
    forecast : Forecast
    where : str
        What would hold it: ``"a hub file"``.
    own : bool
        Whether it was asked for.

    Raises
    ------
    ForecastError
    """
    if not own and (said := own_counts(forecast)):
        raise ForecastError(
            f"this forecast rests on own counts ({said.partition(', hash')[0]}), which are not "
            f"put into {where} unasked",
            hint="own=True does (--with-own-counts); without own counts, forecast from the panel "
            "as CDC published it",
        )


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
    first = _last_known_county(one) if counties else _last_known(one)
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
        second = _ahead_county(one.count_at(month)[:, 0], month, off)
    else:
        second = (
            f"For the 12 months ending in {end} the forecast{given} is about "
            f"{rounded(middle, step)} deaths (90 % interval {between(low, high, step)}){off}."
        )
    return f"{first} {second} {_change(one, month, step)}".rstrip()


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


def _last_known_county(one: Forecast) -> str:
    """The last count as its release shows it."""
    what = "deaths" if one.panel is None else deaths_of(one.panel.indicator)
    when = f"the 12 months ending in {month_name(one.last_month)}"
    seen = f"in the release of {day_name(published_on(one))}"
    count = last_counts(one)[0]
    lead = f"In {place_name(one.locations[0])}, "
    if not count:
        return f"{lead}no count of {what} of residents is shown for {when}, {seen}."
    low, hidden, high = count.partition("–")
    if hidden:
        why = f"the release hides counts of 1 to {SMALL - 1}"
        between = f"between {low} and {high} {what} of residents"
        return f"{lead}{between} were reported for {when}, {seen}: {why}."
    if count.startswith("≥"):
        least = f"{count[1:]} or more {what} of residents"
        return f"{lead}{least} were reported for {when}, {seen}: the release lost the count."
    known = f"{lead}{count} {what} of residents were reported for {when}, {seen}"
    if one.panel is not None and one.panel.final_through >= one.last_month:
        return f"{known}, a final count."
    return f"{known}; late reports may still change it."


def _ahead_county(draws: Floats, month: np.datetime64, off: str) -> str:
    """The count at a month, from its draws (D,)."""
    low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
    step = step_of(low, high)
    ends = ranged_between(low, high, step)
    end = month_name(month)
    ten = chance(float((draws >= SMALL).mean()))
    if middle < SMALL:
        none, few = (draws < 1).mean(), ((draws >= 1) & (draws < SMALL)).mean()
        return (
            f"For the 12 months ending in {end} the forecast is fewer than {SMALL} deaths: the "
            f"probability of none is {chance(float(none))}, that of 1 to {SMALL - 1} "
            f"is {chance(float(few))}, and that of {SMALL} or more {ten}."
        )
    also = f"; the probability of {SMALL} or more is {ten}" if low < SMALL else ""
    return (
        f"For the 12 months ending in {end} the forecast is about {rounded(middle, step)} deaths "
        f"(90 % interval {ends}){also}{off}."
    )


def _change(one: Forecast, month: np.datetime64, step: float) -> str:
    """The change on the count 12 months before, and how likely a fall is.

    No size is given where a county's count is below 10 at either end: with the other count it
    would tell that one. Where nobody died a year before there is no fall to speak of; a percentage
    of few deaths is mostly chance, and left out.
    """
    counties = of_counties(one)
    try:
        moved = one.change(month)[:, 0]
    except ForecastError:  # before the panel, or there is none
        moved = np.full(len(one.draws), np.nan)
    hidden = counties and hidden_at(one, -12)[0, one.months == month].any()
    if hidden or not np.isfinite(moved).all():
        return "The count 12 months before is not known, so no change can be given."
    later = one.count_at(month)[:, 0]
    before = later - moved
    if counties and not before.any():
        return ""
    fall, same = float((moved < 0).mean()), float((moved == 0).mean())
    tie = f", of no change {chance(same)}" if same >= 0.005 else ""
    fewest = min(float(np.median(later)), float(np.median(before)))
    if counties and fewest < SMALL:
        return f"The probability of fewer than 12 months before is {chance(fall)}{tie}."
    middle = float(np.median(moved))
    size = rounded(abs(middle), step)
    year = "12 months before"
    if counties and one.months[0] <= month - 12 * ONE_MONTH <= one.last_month:
        # The last count is compared with as it will be, not with the part that is reported.
        year += ", once all reports are in"
    said = f"about as many as {year}"
    if size != "0":
        known = fewest >= FEW if counties else (before > 0).all()
        share = np.divide(100 * moved, before, out=np.zeros_like(moved), where=before > 0)
        relative = f" ({percent(float(np.median(share)))})" if known else ""
        said = f"about {size} {'fewer' if middle < 0 else 'more'} than {year}{relative}"
    return f"That is {said}; the probability of a fall is {chance(fall)}{tie}."
