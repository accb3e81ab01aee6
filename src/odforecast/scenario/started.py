"""Onsets in the past: what the counts have already, what is still to come, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.months import ONE_MONTH
from odforecast.say import month_name, two_digits
from odforecast.scenario import drawing

if TYPE_CHECKING:
    from odforecast.forecasts import Forecast
    from odforecast.scenario.intervention import Intervention, Scenario

#: An effect of which less than this share of its full strength is left, on average, has ended.
ENDED = 0.1
#: A change of this share of the full strength is worth a word.
SEEN = 0.01


def started(scenario: Scenario, last: np.datetime64) -> list[Intervention]:
    """The interventions that began by the last known month."""
    return [x for x in scenario.interventions if x.onset[0] <= last]


def check_started(scenario: Scenario, last: np.datetime64, begun: bool) -> None:
    """Refuse an effect that has ended, and without ``begun`` one that has begun."""
    after = last + ONE_MONTH
    for x in started(scenario, last):
        name = ": ".join(dict.fromkeys([scenario.name, x.name]))
        month = _end(x, after)
        if month is not None:
            raise ScenarioError(
                f"{name} begins {x.onset[0]}, and its effect ended in {month_name(month)}, when "
                f"less than {ENDED:.0%} of its full strength was left on average",
                hint=f"choose a later onset, such as {after}",
            )
        if not begun:
            raise ScenarioError(
                f"{name} begins {x.onset[0]}, and its effect until "
                f"{month_name(last)}, the last count, is already in the counts",
                hint=f"choose an onset from {after} on; or begun=True (--begun) to see only what "
                f"changes after {month_name(last)}",
            )


def _end(x: Intervention, after: np.datetime64) -> np.datetime64 | None:
    """The first month with less than a tenth left, if that is before the forecast begins."""
    months = np.arange(x.onset[0], after + ONE_MONTH)
    left = np.abs(drawing.mean_course(x, months))
    passed = np.maximum.accumulate(left) >= ENDED
    over = passed & (left < ENDED)
    return months[over][0] if over[-1] else None


def lead(
    scenario: Scenario,
    baseline: Forecast,
    deaths: str,
    works: Mapping[str, Any],
) -> str:
    """What is in the counts and what changes later: the first sentences of an answer.

    ``works`` is the row of :meth:`Projection.outcomes` in which it works. Empty where nothing has
    begun.
    """
    last = baseline.last_month
    parts = started(scenario, last)
    month = month_name(last)
    if not parts:
        return ""
    if len(scenario.interventions) > 1:
        names = " and ".join(x.name.replace("-", " ") for x in parts)
        return (
            f"The effect of {names} until {month} is already in the counts. Only what "
            "changes later is counted here."
        )
    (x,) = parts
    sentence = f"Its effect until {month} is already in the counts. "
    course = np.abs(drawing.mean_course(x, np.arange(last, baseline.months[-1])))
    changes = []
    if course.max() > course[0] + SEEN:
        changes.append("grow")
    if course[-1] < course.max() - SEEN:
        changes.append("fade")
    mean, low, high = (works[f"averted_{key}"] for key in ("mean", "q05", "q95"))
    if not changes:
        return sentence + "From then on it is assumed to last, so nothing more changes."
    sentence += f"From then on it is assumed to {' and then '.join(changes)}"
    if np.isnan(low):
        return f"{sentence}."
    condition = "if it raised deaths" if x.rises else "if it worked"
    interval = f"{condition}; 90% interval {added_or_prevented(low, high)}"
    if mean < 0:
        return (
            f"{sentence}, which adds {two_digits(mean)} {deaths} to a forecast in which it would "
            f"have lasted ({interval})."
        )
    return (
        f"{sentence}, which prevents {two_digits(mean)} {deaths} compared with a forecast in "
        f"which it would have stayed as it was ({interval})."
    )


def added_or_prevented(low: float, high: float | None = None) -> str:
    """Deaths averted, or their interval, by an effect whose part until now is in the counts.

    >>> added_or_prevented(-2_612), added_or_prevented(38), added_or_prevented(0.2)
    ('2,600 added', '38 prevented', 'no change')
    >>> added_or_prevented(-900, -212), added_or_prevented(-212, 951)
    ('210 to 900 added', '210 added to 950 prevented')
    """
    high = low if high is None else high
    ends = []
    for value in (low, high):
        size = two_digits(value)
        word = "added" if value < 0 else "prevented"
        ends.append((size, "" if size == "0" else word))
    (first, first_word), (second, second_word) = ends
    if first == second == "0":
        return "no change"
    if low == high:
        return f"{first} {first_word}"
    if low < 0 < high and first_word and second_word:
        return f"{first} added to {second} prevented"
    if "added" in (first_word, second_word):
        return f"{second} to {first} added"
    return f"{first} to {second} prevented"
