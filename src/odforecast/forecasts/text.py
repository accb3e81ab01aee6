"""A forecast in three sentences, and what is said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast import say
from odforecast.errors import ForecastError
from odforecast.forecasts.adding import OWN_COUNTS
from odforecast.forecasts.record import past_errors
from odforecast.forecasts.tables import FEW, hidden_before, last_counts, of_counties, published_on
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, County, find
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import ALL_DRUGS, LOCATION
from odforecast.say import SMALL, deaths_of

if TYPE_CHECKING:
    from odforecast.forecasts.forecast import Forecast
    from odforecast.forecasts.record import Scored

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
    """Full name of a place, as it stands within a sentence."""
    try:
        found = find(code)
    except LookupError:  # a region, or a sum
        return _IN_A_SENTENCE.get(code, code)
    known = found.fips if isinstance(found, County) else found.state
    return _IN_A_SENTENCE.get(known, found.label if isinstance(found, County) else found.name)


def beyond_validated(forecast: Forecast) -> str:
    """One line on months beyond those ever scored; empty if the forecast has none."""
    last = to_month(forecast.last_month) + VALIDATED * ONE_MONTH
    said = (
        f"forecasts beyond {say.month_name(last)} (more than {VALIDATED} months ahead) have not "
        "been tested against real outcomes"
    )
    return said if forecast.months[-1] > last else ""


def own_counts(forecast: Forecast) -> str:
    """What own counts a forecast rests on, in words; empty where none."""
    return forecast.provenance.get(OWN_COUNTS, "")


def own_of(forecast: Forecast, *places: str) -> str:
    """The own counts that the forecast of places (default: all) rests on; empty where none."""
    own = None if forecast.panel is None else forecast.panel.own
    if not (said := own_counts(forecast)) or own is None:
        return ""
    _, for_all, but = said.partition(FOR_ALL)
    among = places or forecast.locations
    if for_all and not set(among) <= set(but.split()[1:]):
        among = own.places
    return own.within(among, forecast.parts, LOCATION in forecast.joint)


def main_month(forecast: Forecast) -> np.datetime64:
    """The month of the main answer: a year after CDC's last count, or after a state's own."""
    last = to_month(forecast.last_month)
    if own_counts(forecast) and forecast.panel is not None and forecast.panel.own is not None:
        last = max(last, forecast.panel.own.last_month)
    near = forecast.months[forecast.months <= last + VALIDATED * ONE_MONTH]
    return np.datetime64((near if near.size else forecast.months)[-1], "M")


def keep_local(forecast: Forecast, where: str, own: bool) -> None:
    """Refuse to publish what rests on own counts, unless it is asked for."""
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
    """Three sentences; see :meth:`odforecast.Forecast.text`."""
    return " ".join(
        filter(None, sentences(forecast, location, record=record, errors=errors, month=month))
    )


def sentences(
    forecast: Forecast,
    location: str | None = None,
    record: Scored | None = None,
    errors: bool = True,
    month: object = None,
) -> tuple[str, str, str]:
    """The last count; the forecast; the change on a year before, with past errors."""
    if record is not None and not hasattr(record, "scores"):
        raise ForecastError(
            f"record is {record!r}, no results of a backtest",
            hint="a text is of one place: text('Ohio'), text('New York')",
        )
    one = _one(forecast, location)
    counties = of_counties(one)
    own = own_of(one)
    given = f", with {own}," if own else ""
    first = _last_known(one, given)
    when = main_month(one) if month is None else to_month(month)
    draws = one.count_at(when)[:, 0]
    low, middle, high = np.quantile(draws, _SIDES)
    lead = f"For the 12 months ending in {say.month_name(when)}"
    if not np.isfinite([low, high]).all():
        return first, f"{lead} there is no forecast: a count is hidden.", ""
    step = say.step_of(low, high)
    # Past forecasts had no own counts: their errors are none of this one's.
    off = _off(one, when, record=record) if errors and not own else ""
    bands = (draws < 1, (draws >= 1) & (draws < SMALL), draws >= SMALL)
    none, few, ten = (say.chance(float(band.mean())) for band in bands)
    if counties and middle < SMALL:
        second = (
            f"{lead} the forecast is fewer than {SMALL} deaths: the probability of none is "
            f"{none}, that of 1 to {SMALL - 1} is {few}, and that of {SMALL} or more {ten}."
        )
    else:
        ends = (
            say.ranged_between(low, high, step=step)
            if counties
            else say.between(low, high, step=step)
        )
        more = f"; the probability of {SMALL} or more is {ten}" if counties and low < SMALL else ""
        second = (
            f"{lead} the forecast{given} is about {say.rounded(middle, step)} {_deaths(one)} "
            f"(90% interval {ends}){more}."
        )
    return first, second, " ".join(filter(None, (_change(one, when, step=step), off)))


def _deaths(one: Forecast) -> str:
    """What the forecast counts, as an answer that is copied alone must say of a drug class."""
    panel = one.panel
    return "deaths" if panel is None or panel.indicator == ALL_DRUGS else deaths_of(panel.indicator)


def _off(one: Forecast, month: np.datetime64, record: Scored | None) -> str:
    """How far such forecasts have been off here; nothing where nobody measured it."""
    rows = past_errors(one, one.locations[0], record=record)
    if rows is None:
        return ""
    horizon = int((month - one.last_month).astype(int))
    rows = rows[(rows["horizon"] == horizon) & np.isfinite(rows["error"])]
    said = (
        "In {1:,} past tests, the typical (median) error here was {0:.0f}%, and the 90% interval "
        "contained the final count in {2:.0%}."
    )
    return next(map(said.format, rows["error"], rows["forecasts"], rows["held"]), "")


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


def _last_known(one: Forecast, given: str) -> str:
    """The last count as its release shows it, and what it will be."""
    counties = of_counties(one)
    panel = one.panel
    what = "deaths" if panel is None else deaths_of(panel.indicator)
    what += " of residents" if counties else ""
    count = last_counts(one)[0]
    low, hidden, high = count.partition("–")
    said = f"{count} {what} were reported"
    why = ""
    if not count or (hidden and not counties):
        said = f"no count of {what} is shown"
        count = ""
    elif hidden:
        said = f"between {low} and {high} {what} were reported"
        why = f": the release hides counts of 1 to {SMALL - 1}"
    elif count.startswith("≥"):
        said = f"{count[1:]} or more {what} were reported"
        why = ": the release lost the count"
    by = "in the release of" if counties else "as published by"
    known = (
        f"In {place_name(one.locations[0])}, {said} for the 12 months ending in "
        f"{say.month_name(one.last_month)}, {by} {say.day_name(published_on(one))}{why}"
    )
    if 0 in one.horizons and not counties:
        ends = np.quantile(one.count_at(one.last_month)[:, 0], _SIDES)
        if np.isfinite(ends).all():
            step = say.step_of(ends[0], ends[2])
            return (
                f"{known}; the final count{given} will be about {say.rounded(ends[1], step)} "
                f"(90% interval {say.between(ends[0], ends[2], step)})."
            )
    if why or not count:
        return f"{known}."
    if panel is not None and panel.final_through >= one.last_month:
        return f"{known}, a final count."
    if counties:
        return f"{known}; late reports may still change it."
    return f"{known}; the forecast takes it as it is, though late reports may still change it."


def _change(one: Forecast, month: np.datetime64, step: float) -> str:
    """The change on the count 12 months before, and how likely a fall is."""
    counties = of_counties(one)
    later = one.count_at(month)[:, 0]
    try:
        moved = one.change(month)[:, 0]
    except ForecastError:  # before the panel, or there is none
        moved = np.full(later.shape, np.nan)
    hidden = counties and hidden_before(one)[0, one.months == month].any()
    if hidden or not np.isfinite(moved).all():
        return "The count 12 months before is not known, so no change can be given."
    before = later - moved
    if counties and not before.any():
        return ""
    fall = float((moved < 0).mean())
    same = float((moved == 0).mean())
    tie = f", of no change {say.chance(same)}" if same >= 0.005 else ""
    fewest = min(np.median(later), np.median(before))
    middle = float(np.median(moved))
    if counties and fewest < SMALL:
        return f"The probability of fewer than 12 months before is {say.chance(fall)}{tie}."
    year = "12 months before"
    if counties and one.months[0] <= month - 12 * ONE_MONTH <= one.last_month:
        # The last count is compared with as it will be, not with the part that is reported.
        year += ", once all reports are in"
    said = f"about as many as {year}"
    size = say.rounded(abs(middle), step)
    if size != "0":
        said = f"about {size} {'fewer' if middle < 0 else 'more'} than {year}"
        if fewest >= FEW if counties else (before > 0).all():
            share = np.divide(100 * moved, before, out=np.zeros_like(moved), where=before > 0)
            said += f" ({say.percent(float(np.median(share)))})"
    return f"That is {said}; the probability of a fall is {say.chance(fall)}{tie}."
