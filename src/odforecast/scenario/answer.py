"""The answer of a projection: if it works, how likely that is, and over all outcomes.

Means everywhere. A chance is somebody's judgement, and stands with its owner; a what-if has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.forecasts.text import place_name
from odforecast.say import (
    about,
    chance,
    minus,
    month_name,
    percent,
    percents,
    two_digits,
)
from odforecast.scenario import drawing
from odforecast.scenario.catalogue import prior_names, prior_title
from odforecast.scenario.drawing import Draws
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.mechanism import caveat
from odforecast.scenario.started import added_or_prevented

if TYPE_CHECKING:
    from odforecast.scenario.detection import Detection
    from odforecast.scenario.intervention import Scenario
    from odforecast.scenario.projection import Projection

#: CDC's warning, on every page about a class.
CLASS_WARNING = (
    "Counts of a drug class hold only deaths whose certificate names the drug. States differ in "
    "how often that is so: compare a state with its own past, not states with each other."
)

#: Said of a scenario that nobody believes or doubts.
WHAT_IF = "This is a what-if: no probability is attached."

#: Most interventions of which each combination of working or not is told apart.
APART = 3


@dataclass(frozen=True, eq=False)
class Outcome:
    """One thing that may come of a scenario."""

    #: In words.
    label: str
    #: Its chance; NaN of a what-if.
    chance: float
    #: In which draws it happens, (D,).
    draws: NDArray[np.bool_]


@dataclass(frozen=True)
class Answer:
    """The answer of one scenario in one place: its numbers, and the same in words.

    A :class:`Projection` makes it, once; every product reads it.
    """

    scenario: Scenario
    #: CDC code of the place.
    location: str
    #: Its row of :meth:`Projection.answer`.
    numbers: Mapping[str, Any]
    #: Its rows of :meth:`Projection.outcomes`; the first is that it works.
    cases: tuple[Mapping[str, Any], ...]
    #: Its rows of :meth:`Projection.averted`.
    periods: tuple[Mapping[str, Any], ...]
    #: Finds out when counts would show that it works, which takes seconds.
    detect: Callable[[], Detection | None]
    #: Whose deaths, in words.
    deaths: str = "deaths"
    #: Of what has begun: what is in the counts already, and what changes later.
    begun: str = ""

    @cached_property
    def detection(self) -> Detection | None:
        """When counts would show that it works; None where they cannot say."""
        return self.detect()

    @property
    def title(self) -> str:
        """What the scenario is called."""
        return scenario_title(self.scenario)

    @property
    def place(self) -> str:
        """What the place is called."""
        return place_name(self.location)

    @property
    def period(self) -> str:
        """The months from its onset on."""
        first, last = (self.numbers[f"{end}_month"] for end in ("first", "last"))
        return f"{month_name(first)} to {month_name(last)}"

    @property
    def baseline(self) -> str:
        """Deaths without it."""
        return about(self.numbers["baseline"])

    @property
    def outcomes(self) -> tuple[tuple[str, str, str, str], ...]:
        """What may come of it: label, chance ("" of a what-if), mean and 90% interval."""
        chances = [""] * len(self.cases)
        if self.owner:
            chances = percents([case["chance"] for case in self.cases])
        parts = []
        for case, chance_of in zip(self.cases, chances):
            parts.append(
                (
                    str(case["outcome"]),
                    chance_of,
                    *_in_words(case, begun=bool(self.begun)),
                )
            )
        return tuple(parts)

    @property
    def owner(self) -> str:
        """Whose judgement the chances are; "" of a what-if."""
        return "; ".join(dict.fromkeys(x.owner for x in judged(self.scenario)))

    @property
    def combined(self) -> str:
        """Mean over all outcomes; of a what-if, given that it works."""
        return _in_words(self.numbers, begun=bool(self.begun))[0]

    @property
    def combined_range(self) -> str:
        """90% interval of the same."""
        return _in_words(self.numbers, begun=bool(self.begun))[1]

    @property
    def combined_percent(self) -> str:
        """Mean of the same in percent."""
        return _in_percent(self.numbers["percent_mean"]) if self.combined_range else ""

    @property
    def given(self) -> str:
        """What-ifs that work in all outcomes, beside what was judged."""
        if not self.owner:
            return ""
        parts = [x for x in self.scenario.interventions if x.is_what_if]
        return ", ".join(x.name.replace("-", " ") for x in parts)

    @property
    def single(self) -> bool:
        """Whether one thing is assumed, which works or not."""
        return self.cases[0]["outcome"] in ("works", "raises deaths")

    @property
    def judged(self) -> str:
        """The chances in one line, with their owner."""
        if not self.owner:
            return WHAT_IF
        chances = ", ".join(f"{label} {p}" for label, p, *_ in self.outcomes)
        return f"{self.owner}: {chances}."


def judged(scenario: Scenario) -> list[Intervention]:
    """The interventions that somebody gives a chance: all but the what-ifs."""
    return [x for x in scenario.interventions if not x.is_what_if]


def acts(x: Intervention, draws: Draws, seed: int, sign: int = 0) -> NDArray[np.bool_]:
    """In which draws it lowers the nation's deaths (-1), or raises them (1), over 36 months.

    By default what it is there for: to lower them, unless it can only raise them.
    """
    if sign == 0:
        sign = 1 if x.rises else -1
    change = drawing.outcome(x, draws, seed=seed)
    return np.asarray(np.sign(change) == sign)


def counted(scenario: Scenario, draws: Draws, seed: int) -> NDArray[np.bool_]:
    """In which draws its answer holds: all of them, or those where its what-ifs work."""
    counts = np.ones(draws if isinstance(draws, int) else draws.size, dtype=bool)
    for x in scenario.interventions:
        if x.is_what_if:
            counts &= acts(x, draws, seed=seed)
    return counts


def everything_works(scenario: Scenario, draws: Draws, seed: int) -> NDArray[np.bool_]:
    """In which draws each of its interventions lowers deaths."""
    return np.all(
        [acts(x, draws, seed=seed, sign=-1) for x in scenario.interventions], axis=0
    )


def outcomes_of(scenario: Scenario, draws: Draws, seed: int) -> list[Outcome]:
    """What may come of a scenario; every draw that counts is in one of them."""
    counts = counted(scenario, draws, seed=seed)
    parts = judged(scenario)
    if not parts:
        rises = all(x.rises for x in scenario.interventions)
        return [Outcome("raises deaths" if rises else "works", np.nan, draws=counts)]
    acting = [acts(x, draws, seed=seed) & counts for x in parts]
    if len(scenario.interventions) == 1:
        backfiring = acts(parts[0], draws, seed=seed, sign=1)
        return _outcomes_of_one(parts[0], acting[0], backfiring=backfiring)
    chances = [x.chances()[2 if x.rises else 0] for x in parts]
    if len(parts) > APART:
        n_acting = np.sum(acting, axis=0)
        distribution = np.ones(1)
        for p in chances:
            distribution = np.convolve(distribution, [1 - p, p])
        return [
            Outcome(
                f"{n} of {len(parts)} work",
                float(distribution[n]),
                draws=counts & (n_acting == n),
            )
            for n in range(len(parts), -1, -1)
        ]
    outcomes = []
    for works in product((True, False), repeat=len(parts)):
        chance_of = prod(p if yes else 1 - p for p, yes in zip(chances, works))
        matches = np.all([act == yes for act, yes in zip(acting, works)], axis=0)
        outcomes.append(
            Outcome(_combination(parts, works), chance_of, draws=counts & matches)
        )
    return outcomes


def _outcomes_of_one(
    x: Intervention, acting: NDArray[np.bool_], backfiring: NDArray[np.bool_]
) -> list[Outcome]:
    """What may come of one intervention, which does what it is there for in some draws."""
    works, nothing, backfires = x.chances()
    if x.rises:
        return [
            Outcome("raises deaths", backfires, draws=acting),
            Outcome("does nothing", nothing, draws=~acting),
        ]
    return [
        Outcome("works", works, draws=acting),
        Outcome("does nothing", nothing, draws=~acting & ~backfiring),
        Outcome("backfires", backfires, draws=backfiring),
    ]


def _combination(parts: Sequence[Intervention], works: Sequence[bool]) -> str:
    """Which of some interventions do what they are there for."""
    rises = any(x.rises for x in parts)
    verb = "acts" if rises else "works"
    names = [x.name.replace("-", " ") for x in parts]
    if len(parts) == 1:
        return f"{names[0]} {verb}" if works[0] else f"{names[0]} does not"
    if all(works) and not rises:
        return "both work" if len(parts) == 2 else "all work"
    if not any(works):
        return f"{'neither' if len(parts) == 2 else 'none'} {verb}"
    acting = " and ".join(f"{name} {verb}" for name, yes in zip(names, works) if yes)
    return acting if all(works) else f"only {acting}"


def scenario_title(scenario: Scenario) -> str:
    """A scenario's title, or else the words of its name.

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


def fewer_or_more(averted: float) -> str:
    """Deaths averted, as fewer or more deaths.

    >>> fewer_or_more(8_912), fewer_or_more(-38), fewer_or_more(0.2)
    ('8,900 fewer', '38 more', 'no change')
    """
    size = two_digits(averted)
    return (
        "no change" if size == "0" else f"{size} {'fewer' if averted > 0 else 'more'}"
    )


def fewer_to_more(low: float, high: float) -> str:
    """An interval of deaths averted, as fewer or more deaths.

    >>> fewer_to_more(1_912, 9_051), fewer_to_more(-212, 951), fewer_to_more(-900, -20)
    ('1,900 to 9,100 fewer', '210 more to 950 fewer', '20 to 900 more')
    """
    low_text = two_digits(low)
    high_text = two_digits(high)
    if low_text == high_text == "0":
        return "no change"
    if low >= 0 or low_text == "0":
        return (
            f"{low_text} to {high_text} fewer"
            if high > 0
            else f"{high_text} to {low_text} more"
        )
    if high <= 0 or high_text == "0":
        return f"{high_text} to {low_text} more"
    return f"{low_text} more to {high_text} fewer"


def answers(projection: Projection, location: str | None = None) -> tuple[Answer, ...]:
    """The answer of every scenario but the status quo, in order, in one place.

    Default: the only location there is, or else the US.
    """
    code = projection.place(location)
    if all(s.is_null for s in projection.scenarios):
        raise ScenarioError(
            "only the status quo was projected: there is nothing to compare"
        )
    return tuple(a for a in projection.answers if a.location == code)


def _in_percent(change: float) -> str:
    """A change in whole percent; one that would be 0% in tenths.

    >>> _in_percent(-2.4), _in_percent(-0.27), _in_percent(0.0)
    ('−2%', '−0.3%', '0%')
    """
    text = percent(change)
    return minus(f"{change:+.1f}%") if text == "0%" and round(change, 1) else text


def _in_words(row: Mapping[str, Any], begun: bool) -> tuple[str, str]:
    """A mean and its interval; where there are too few draws for one, that more are needed."""
    if np.isnan(row["averted_q05"]):
        return "too few draws to say", ""
    mean, low, high = (row[f"averted_{key}"] for key in ("mean", "q05", "q95"))
    if begun:
        return added_or_prevented(mean), added_or_prevented(low, high)
    return fewer_or_more(mean), fewer_to_more(low, high)


def assumed(probability: float) -> str:
    """A judged probability in whole percent; 0 and 100% where that is what was judged.

    >>> assumed(0.0), assumed(0.004), assumed(0.25), assumed(1.0)
    ('0%', 'less than 1%', '25%', '100%')
    """
    if probability in (0.0, 1.0):
        return f"{100 * probability:.0f}%"
    near = probability <= 0.005 or probability >= 0.995
    return chance(probability) if near else f"{round(100 * probability)}%"


def text(projection: Projection, location: str | None = None) -> str:
    """The answer for one place: a line for each scenario, and what all of it rests on.

    Default: the only location there is, or else the US.
    """
    scenarios = [s for s in projection.scenarios if not s.is_null]
    lines = [sentences(answer) for answer in answers(projection, location)]
    if any(x.scope != ALL for s in scenarios for x in s.interventions):
        lines.append(CLASS_WARNING)
    return "\n".join([*lines, caveat(scenarios)])


def sentences(a: Answer) -> str:
    """The answer of one scenario: what may come of it, how likely that is, and over all of it."""
    without = (
        f"About {a.baseline} are expected in {a.place} from {a.period} without it."
    )
    if a.single and a.begun:
        first = f"{a.begun} {without.replace('without it', 'if it stays as it was')} {a.judged}"
    elif a.single:
        first = _single(a, without=without)
    else:
        given = f"If the what-if ({a.given}) works. " if a.given else ""
        cases = [
            f"{name} {p}: {_ranged(mean, ends)}" for name, p, mean, ends in a.outcomes
        ]
        begun = f"{a.begun} " if a.begun else ""
        first = (
            f"{begun}{given}{a.owner}, and the {a.deaths} in each case: {'; '.join(cases)}. "
            f"{without}"
        )
    is_nothing = a.combined == a.combined_range  # no change in any draw
    if is_nothing or not (a.owner and a.combined_range):
        return f"{a.title}. {first}"
    return (
        f"{a.title}. {first} Over all outcomes: {a.combined} on average ({a.combined_percent}; 90% "
        f"interval {a.combined_range})."
    )


def _single(a: Answer, without: str) -> str:
    """The answer of one thing that works or not: what it changes, and how likely that is."""
    label, likely, works, span = a.outcomes[0]
    if likely == "0%" and not span:  # more draws would not say more
        return f"{without.replace(' are', f' {a.deaths} are', 1)} {a.judged}"
    for way in (" fewer", " more"):
        works = works.replace(way, f"{way} {a.deaths}", 1)
    if span:
        change = "" if a.owner else f"{a.combined_percent}; "
        works = f"{works} than without it, on average ({change}90% interval {span})"
    return f"If it {label}: {works}. {without} {a.judged}"


def _ranged(mean: str, span: str) -> str:
    return f"{mean} (90% interval {span})" if span else mean
