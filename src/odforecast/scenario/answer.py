"""The answer of a projection in three numbers, in words.

What is averted if it works; how likely that is assumed to be; both together, as a mean with its
interval and the chance of fewer deaths. A mixture of "works" and "does nothing" has a median that
says neither, so no median of it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.forecast.text import place_name
from odforecast.names import ALL_DRUGS
from odforecast.say import about, chance, deaths_of, month_name, percent, rounded, step_of
from odforecast.scenario.catalogue import CAVEAT, prior_names, prior_title
from odforecast.scenario.intervention import ALL

if TYPE_CHECKING:
    from odforecast.forecast import Forecast
    from odforecast.scenario.intervention import Scenario
    from odforecast.scenario.projection import Projection

#: Said in place of the first number where there is none.
#: CDC's warning, on every page about a class.
CLASS_WARNING = (
    "Counts of a drug class hold only deaths whose certificate names the drug. States differ in "
    "how often that is so: compare a state with its own past, not states with each other."
)

NEVER = "by assumption it does not lower deaths"


@dataclass(frozen=True)
class Answer:
    """The three numbers of one scenario in one place, as texts.

    Attributes
    ----------
    title, place, period : str
        Which scenario, where, and over which months.
    baseline : str
        Deaths of these months if nothing changes.
    works, works_range : str
        Deaths averted if it works: median, 90 % interval; of what cannot lower deaths none, "".
    chances : tuple of (str, str)
        What may come of it, and the probability assumed.
    combined, combined_range, combined_percent : str
        All of it together: mean, 90 % interval, change.
    fewer, same, more : str
        Chance of fewer, as many and more deaths than if nothing changes.
    """

    title: str
    place: str
    period: str
    baseline: str
    works: str
    works_range: str
    chances: tuple[tuple[str, str], ...]
    combined: str
    combined_range: str
    combined_percent: str
    fewer: str
    same: str
    more: str


def scenario_title(scenario: Scenario) -> str:
    """A scenario's title, or else the words of its name.

    Examples
    --------
    >>> from odforecast.scenario import NULL, Scenario
    >>> scenario_title(NULL), scenario_title(Scenario("half-as-well"))
    ('Status quo', 'Half as well')
    """
    if scenario.title:
        return scenario.title
    names = [x.name for x in scenario.interventions]
    if names == [scenario.name] and scenario.name in prior_names():
        return prior_title(scenario.name)
    words = scenario.name.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def fewer_or_more(averted: float, step: float = 1.0) -> str:
    """Deaths averted, as fewer or more deaths.

    Examples
    --------
    >>> fewer_or_more(8_912, 1_000), fewer_or_more(-38, 10), fewer_or_more(0.2)
    ('9,000 fewer', '40 more', 'no change')
    """
    size = rounded(abs(averted), step)
    if size == "0":
        return "no change"
    return f"{size} {'fewer' if averted > 0 else 'more'}"


def fewer_to_more(low: float, high: float, step: float | None = None) -> str:
    """An interval of deaths averted, as fewer or more deaths.

    Examples
    --------
    >>> fewer_to_more(1_912, 9_051), fewer_to_more(-212, 951), fewer_to_more(-900, -20)
    ('1,900 to 9,100 fewer', '200 more to 1,000 fewer', '20 to 900 more')
    """
    unit = step_of(low, high) if step is None else step
    near, far = rounded(abs(low), unit), rounded(abs(high), unit)
    if near == far == "0":
        return "no change"
    if low >= 0 or near == "0":
        return f"{near} to {far} fewer" if high > 0 else f"{far} to {near} more"
    if high <= 0 or far == "0":
        return f"{far} to {near} more"
    return f"{near} more to {far} fewer"


def answers(projection: Projection, location: str | None = None) -> tuple[Answer, ...]:
    """The three numbers of every scenario in one place.

    Parameters
    ----------
    projection : Projection
    location : str, optional
        Any of its names. Default: the only location there is, or else the US.

    Returns
    -------
    tuple of Answer
        In the order of the scenarios, without the status quo.

    Raises
    ------
    ScenarioError
        If nothing but the status quo was projected.
    ForecastError
        If the location is not in the projection.
    """
    code = located(projection, location)
    if all(s.is_null for s in projection.scenarios):
        raise ScenarioError("only the status quo was projected: there is nothing to compare")
    table = projection.answer()
    rows = table[table["location"] == code].to_dict("records")
    scenarios = {s.name: s for s in projection.scenarios}
    return tuple(_answer(scenarios[r["scenario_id"]], r) for r in rows)


def located(projection: Projection, location: str | None = None) -> str:
    """Code of the place asked for, of the only one, or of the US."""
    baseline = projection.baseline
    if location is None:
        location = baseline.locations[0] if len(baseline.locations) == 1 else "US"
    return baseline.locations[baseline.index(location)]


def _answer(scenario: Scenario, row: Mapping[Any, Any]) -> Answer:
    low, high = row["averted_q05"], row["averted_q95"]
    step = step_of(low, high)
    if_low, if_high = row["averted_if_works_q05"], row["averted_if_works_q95"]
    works, works_range = "none averted", ""
    if row["works"] > 0 and not np.isfinite(if_low):
        works, works_range = "too few draws to say", "more draws are needed"
    elif np.isfinite(if_low):
        unit = step_of(if_low, if_high)
        works = fewer_or_more(row["averted_if_works_q50"], unit)
        works_range = fewer_to_more(if_low, if_high, unit)
    rises = all(x.direction == "rise" for x in scenario.interventions)
    parts = [("works", row["works"]), ("does nothing", row["nothing"])]
    parts.append(("raises deaths" if rises else "backfires", row["backfires"]))
    if rises:
        parts = parts[1:]
    return Answer(
        title=scenario_title(scenario),
        place=place_name(str(row["location"])),
        period=f"{month_name(row['first_month'])} to {month_name(row['last_month'])}",
        baseline=about(row["baseline"]),
        works=works,
        works_range=works_range,
        chances=tuple((label, assumed(p)) for label, p in parts),
        combined=fewer_or_more(row["averted_mean"], step),
        combined_range=fewer_to_more(low, high, step),
        combined_percent=percent(row["percent_mean"]),
        fewer=chance(row["fewer"]),
        same=chance(row["same"]),
        more=chance(row["more"]),
    )


def assumed(probability: float) -> str:
    """An assumed probability in whole percent; 0 and 100 % where that is what was assumed.

    Examples
    --------
    >>> assumed(0.0), assumed(0.004), assumed(0.25), assumed(1.0)
    ('0 %', 'less than 1 %', '25 %', '100 %')
    """
    if probability in (0.0, 1.0):
        return f"{100 * probability:.0f} %"
    near = probability <= 0.005 or probability >= 0.995
    return chance(probability) if near else f"{round(100 * probability)} %"


def text(projection: Projection, location: str | None = None) -> str:
    """The answer for one place: three sentences for each scenario, and what all of it rests on.

    Parameters
    ----------
    projection : Projection
    location : str, optional
        Any of its names. Default: the only location there is, or else the US.

    Returns
    -------
    str
        A line per scenario, and one that says that effects are assumptions.

    Raises
    ------
    ScenarioError
        If nothing but the status quo was projected.
    ForecastError
        If the location is not in the projection.
    """
    panel = projection.baseline.panel
    deaths = deaths_of(ALL_DRUGS if panel is None else panel.indicator)
    shown = [s for s in projection.scenarios if not s.is_null]
    lines = [
        _sentences(a, deaths) + begun_text([s], projection.baseline)
        for a, s in zip(answers(projection, location), shown)
    ]
    scopes = {x.scope for s in shown for x in s.interventions}
    return "\n".join([*lines, *([CLASS_WARNING] if scopes - {ALL} else []), CAVEAT])


def begun_text(scenarios: Sequence[Scenario], baseline: Forecast) -> str:
    """A sentence on what began before the last known month; empty where nothing did."""
    last = baseline.last_month
    if all(x.onset[0] > last for s in scenarios for x in s.interventions):
        return ""
    return (
        f" It began by {month_name(last)}: only what is still to come of it is counted, against "
        "the course without that."
    )


def _sentences(a: Answer, deaths: str) -> str:
    what = f"of about {a.baseline} {deaths} expected in {a.place} from {a.period}"
    likely = ", ".join(f"{label} {p}" for label, p in a.chances)
    span = f"90 % interval {a.works_range}" if a.works_range else NEVER
    span = span.replace("90 % interval more draws", "more draws")
    return (
        f"{a.title}. If it works: {a.works} ({span}), {what}. "
        f"How likely that is, is assumed: {likely}. "
        f"Together: {a.combined} on average ({a.combined_percent}; 90 % interval "
        f"{a.combined_range}); the chance of fewer deaths is {a.fewer}, of as many {a.same}, of "
        f"more {a.more}."
    )
