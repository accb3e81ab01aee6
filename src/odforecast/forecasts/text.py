"""A forecast in three sentences, and what is said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast import say
from odforecast.errors import ForecastError
from odforecast.forecasts.adding import OWN_COUNTS
from odforecast.forecasts.record import past_errors
from odforecast.forecasts.tables import (
    FEW,
    hidden_before,
    last_counts,
    of_counties,
    published_on,
)
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
        place = find(code)
    except LookupError:  # a region, or a sum
        return _IN_A_SENTENCE.get(code, code)
    if isinstance(place, County):
        return _IN_A_SENTENCE.get(place.fips, place.label)
    return _IN_A_SENTENCE.get(place.state, place.name)


def beyond_validated(forecast: Forecast) -> str:
    """One line on months beyond those ever scored; empty if the forecast has none."""
    last = to_month(forecast.last_month) + VALIDATED * ONE_MONTH
    if forecast.months[-1] <= last:
        return ""
    return (
        f"forecasts beyond {say.month_name(last)} (more than {VALIDATED} months ahead) have not "
        "been tested against real outcomes"
    )


def own_counts(forecast: Forecast) -> str:
    """What own counts a forecast rests on, in words; empty where none."""
    return forecast.provenance.get(OWN_COUNTS, "")


def own_of(forecast: Forecast, *places: str) -> str:
    """The own counts that the forecast of places (default: all) rests on; empty where none."""
    counts = None if forecast.panel is None else forecast.panel.own
    sentence = own_counts(forecast)
    if not sentence or counts is None:
        return ""
    _, for_all, exceptions = sentence.partition(FOR_ALL)
    locations = places or forecast.locations
    if for_all and not set(locations) <= set(exceptions.split()[1:]):
        locations = counts.places
    return counts.within(locations, forecast.parts, LOCATION in forecast.joint)


def main_month(forecast: Forecast) -> np.datetime64:
    """The month of the main answer: a year after CDC's last count, or after a state's own."""
    last = to_month(forecast.last_month)
    panel = forecast.panel
    if own_counts(forecast) and panel is not None and panel.own is not None:
        last = max(last, panel.own.last_month)
    near = forecast.months[forecast.months <= last + VALIDATED * ONE_MONTH]
    months = near if near.size else forecast.months
    return np.datetime64(months[-1], "M")


def keep_local(forecast: Forecast, where: str, own: bool) -> None:
    """Refuse to publish what rests on own counts, unless it is asked for."""
    sentence = own_counts(forecast)
    if sentence and not own:
        counts = sentence.partition(", hash")[0]
        raise ForecastError(
            f"this forecast rests on own counts ({counts}), which are not put into {where} unasked",
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
    parts = sentences(forecast, location, record=record, errors=errors, month=month)
    return " ".join(filter(None, parts))


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
    forecast = _of_one_place(forecast, location)
    counties = of_counties(forecast)
    counts = own_of(forecast)
    with_counts = f", with {counts}," if counts else ""
    first = _last_count(forecast, with_counts)
    target = main_month(forecast) if month is None else to_month(month)
    draws = forecast.count_at(target)[:, 0]
    low, middle, high = np.quantile(draws, _SIDES)
    lead = f"For the 12 months ending in {say.month_name(target)}"
    if not np.isfinite([low, high]).all():
        return first, f"{lead} there is no forecast: a count is hidden.", ""
    step = say.step_of(low, high)
    # Past forecasts had no own counts: their errors are none of this one's.
    past = _past_error(forecast, target, record=record) if errors and not counts else ""
    ten_or_more = say.chance(float((draws >= SMALL).mean()))
    if counties and middle < SMALL:
        zero = say.chance(float((draws < 1).mean()))
        hidden = say.chance(float(((draws >= 1) & (draws < SMALL)).mean()))
        second = (
            f"{lead} the forecast is fewer than {SMALL} deaths: the probability of none is {zero}, "
            f"that of 1 to {SMALL - 1} is {hidden}, and that of {SMALL} or more {ten_or_more}."
        )
    else:
        interval = say.ranged_between if counties else say.between
        ends = interval(low, high, step=step)
        chance = ""
        if counties and low < SMALL:
            chance = f"; the probability of {SMALL} or more is {ten_or_more}"
        middle_text = say.rounded(middle, step)
        second = (
            f"{lead} the forecast{with_counts} is about {middle_text} {_deaths(forecast)} "
            f"(90% interval {ends}){chance}."
        )
    change = _change(forecast, target, step=step)
    third = " ".join(filter(None, (change, past)))
    return first, second, third


def _deaths(forecast: Forecast) -> str:
    """What the forecast counts, as an answer that is copied alone must say of a drug class."""
    panel = forecast.panel
    if panel is None or panel.indicator == ALL_DRUGS:
        return "deaths"
    return deaths_of(panel.indicator)


def _past_error(forecast: Forecast, month: np.datetime64, record: Scored | None) -> str:
    """How far such forecasts have been off here; nothing where nobody measured it."""
    rows = past_errors(forecast, forecast.locations[0], record=record)
    if rows is None:
        return ""
    horizon = int((month - forecast.last_month).astype(int))
    rows = rows[(rows["horizon"] == horizon) & np.isfinite(rows["error"])]
    if not len(rows):
        return ""
    row = rows.iloc[0]
    return (
        f"In {row['forecasts']:,} past tests, the typical (median) error here was "
        f"{row['error']:.0f}%, and the 90% interval contained the final count in {row['held']:.0%}."
    )


def _of_one_place(forecast: Forecast, location: str | None) -> Forecast:
    """The forecast of a single place."""
    if location is not None:
        selected = forecast.select(location)
        if len(selected.locations) > 1:
            raise ForecastError(
                f"location names {len(selected.locations)} places, and a text is of one",
                hint="write one each: [forecast.text(s) for s in places]",
            )
        return selected
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


def _last_count(forecast: Forecast, with_counts: str) -> str:
    """The last count as its release shows it, and what it will be."""
    counties = of_counties(forecast)
    panel = forecast.panel
    deaths = "deaths" if panel is None else deaths_of(panel.indicator)
    if counties:
        deaths += " of residents"
    count = last_counts(forecast)[0]
    low, hidden, high = count.partition("–")
    clause = f"{count} {deaths} were reported"
    reason = ""
    if not count or (hidden and not counties):
        clause = f"no count of {deaths} is shown"
        count = ""
    elif hidden:
        clause = f"between {low} and {high} {deaths} were reported"
        reason = f": the release hides counts of 1 to {SMALL - 1}"
    elif count.startswith("≥"):
        clause = f"{count[1:]} or more {deaths} were reported"
        reason = ": the release lost the count"
    by = "in the release of" if counties else "as published by"
    place = place_name(forecast.locations[0])
    month = say.month_name(forecast.last_month)
    day = say.day_name(published_on(forecast))
    sentence = (
        f"In {place}, {clause} for the 12 months ending in {month}, {by} {day}{reason}"
    )
    if 0 in forecast.horizons and not counties:
        draws = forecast.count_at(forecast.last_month)[:, 0]
        low_end, middle, high_end = np.quantile(draws, _SIDES)
        if np.isfinite([low_end, middle, high_end]).all():
            step = say.step_of(low_end, high_end)
            interval = say.between(low_end, high_end, step)
            return (
                f"{sentence}; the final count{with_counts} will be about "
                f"{say.rounded(middle, step)} (90% interval {interval})."
            )
    if reason or not count:
        return f"{sentence}."
    if panel is not None and panel.final_through >= forecast.last_month:
        return f"{sentence}, a final count."
    if counties:
        return f"{sentence}; late reports may still change it."
    return f"{sentence}; the forecast takes it as it is, though late reports may still change it."


def _change(forecast: Forecast, month: np.datetime64, step: float) -> str:
    """The change on the count 12 months before, and how likely a fall is."""
    counties = of_counties(forecast)
    later = forecast.count_at(month)[:, 0]
    try:
        change = forecast.change(month)[:, 0]
    except ForecastError:  # before the panel, or there is none
        change = np.full(later.shape, np.nan)
    hidden = counties and hidden_before(forecast)[0, forecast.months == month].any()
    if hidden or not np.isfinite(change).all():
        return "The count 12 months before is not known, so no change can be given."
    before = later - change
    if counties and not before.any():
        return ""
    fall = float((change < 0).mean())
    equal = float((change == 0).mean())
    tie = f", of no change {say.chance(equal)}" if equal >= 0.005 else ""
    fewest = min(np.median(later), np.median(before))
    middle = float(np.median(change))
    if counties and fewest < SMALL:
        return f"The probability of fewer than 12 months before is {say.chance(fall)}{tie}."
    year = "12 months before"
    if counties and forecast.months[0] <= month - 12 * ONE_MONTH <= forecast.last_month:
        # The last count is compared with as it will be, not with the part that is reported.
        year += ", once all reports are in"
    comparison = f"about as many as {year}"
    size = say.rounded(abs(middle), step)
    if size != "0":
        direction = "fewer" if middle < 0 else "more"
        comparison = f"about {size} {direction} than {year}"
        in_percent = fewest >= FEW if counties else (before > 0).all()
        if in_percent:
            share = np.divide(
                100 * change, before, out=np.zeros_like(change), where=before > 0
            )
            comparison += f" ({say.percent(float(np.median(share)))})"
    return (
        f"That is {comparison}; the probability of a fall is {say.chance(fall)}{tie}."
    )
