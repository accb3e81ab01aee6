"""The text of a county: a count below 10 is said as a range, in the forecast as in the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.counties import FEW, last_counts
from odforecast.forecast.published import hidden_at, published_on
from odforecast.forecast.words import place_name
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats
from odforecast.say import (
    SMALL,
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


def last_known(one: Forecast) -> str:
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


def ahead(draws: Floats, month: np.datetime64, off: str) -> str:
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


def change(one: Forecast, month: np.datetime64, step: float) -> str:
    """The change on the count 12 months before, and how likely a fall is.

    Of a count below 10, at either end, no size is said: less than the other count, it would be
    that one. Where nobody died a year before there is no fall to speak of; a share of few deaths
    is mostly chance, and left out.
    """
    try:
        moved = one.change(month)[:, 0]
    except ForecastError:  # before the panel, or there is none
        moved = np.full(len(one.draws), np.nan)
    if not np.isfinite(moved).all() or hidden_at(one, -12)[0, one.months == month].any():
        return "The count 12 months before is not known, so no change can be given."
    later = one.count_at(month)[:, 0]
    before = later - moved
    if not before.any():
        return ""
    fall, same = float((moved < 0).mean()), float((moved == 0).mean())
    tie = f", of no change {chance(same)}" if same >= 0.005 else ""
    fewest = min(float(np.median(later)), float(np.median(before)))
    if fewest < SMALL:
        return f"The probability of fewer than 12 months before is {chance(fall)}{tie}."
    middle = float(np.median(moved))
    size = rounded(abs(middle), step)
    # The last count is compared with as it will be, not with the part that is reported.
    year = "12 months before"
    if one.months[0] <= month - 12 * ONE_MONTH <= one.last_month:
        year += ", once all reports are in"
    said = f"about as many as {year}"
    if size != "0":
        share = float(np.median(100 * moved / np.maximum(before, 1)))
        relative = f" ({percent(share)})" if fewest >= FEW else ""
        said = f"about {size} {'fewer' if middle < 0 else 'more'} than {year}{relative}"
    return f"That is {said}; the probability of a fall is {chance(fall)}{tie}."
