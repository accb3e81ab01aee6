"""What each way of acting lets a page say: of causes, and of signs that would change our mind.

A scenario names its ``mechanism``. One that names none gets the neutral words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from odforecast.say import capital
from odforecast.scenario.catalogue import CAVEAT
from odforecast.scenario.intervention import Scenario

#: The caveat where nobody is assumed to cooperate.
NEUTRAL_CAVEAT = (
    "Effects are assumptions with a source and a grade, not estimates: "
    "the counts cannot show what caused a change."
)


@dataclass(frozen=True)
class Mechanism:
    """The words of one way of acting; ``{change}`` is a fall or a rise."""

    #: What a brief does not say of causes.
    cause: str
    #: What would change our mind.
    signs: tuple[str, ...]


_CAUSE = (
    "It does not say that the option caused a change: other things change deaths at "
    "the same time."
)
_WHERE = (
    "A {change} where the option is in place and none elsewhere would support it. "
    "A {change} in both would not."
)
_LESS = "Growth by less than was assumed would speak against it."
_SUPPLY = (
    "A {change} in the states most exposed to fentanyl, and none in the least exposed, "
    "would point to supply. A {change} in both would not.",
    "An equal {change} in deaths from stimulants without fentanyl would point away from "
    "supply.",
    "Purity and seizures that change before deaths do, by the assumed delay, would "
    "support it. Deaths alone will not tell.",
)

MECHANISMS = {
    "cooperation": Mechanism(
        "It does not say who changed the supply, or why. Death counts can show a change "
        "in supply at most, not that cooperation caused it.",
        (*_SUPPLY, "Higher prices of precursors would support it."),
    ),
    "supply": Mechanism(
        "It does not say who changed the supply, or why. Death counts can show a change "
        "in supply at most.",
        _SUPPLY,
    ),
    "scheduling": Mechanism(
        "It does not say that the control caused a change. Death counts can show a "
        "change at most, not its cause.",
        (
            "Laboratories that find the listed substances less often before deaths "
            "change, by the assumed delay, would support it.",
            "New substances in place of the listed ones would speak against it.",
            "An equal {change} in deaths without the listed drugs would point to other "
            "causes.",
        ),
    ),
    "treatment": Mechanism(
        _CAUSE,
        (_WHERE, _LESS),
    ),
    "naloxone": Mechanism(
        _CAUSE,
        (_WHERE, _LESS),
    ),
    "other": Mechanism(
        _CAUSE,
        (_WHERE, "A {change} that began before the option would speak against it."),
    ),
}


def caveat(scenarios: Iterable[Scenario]) -> str:
    """What the answers of scenarios rest on; it speaks of cooperation where they do."""
    return CAVEAT if "cooperation" in mechanisms_of(scenarios) else NEUTRAL_CAVEAT


def causes(scenarios: Iterable[Scenario]) -> list[str]:
    """What the pages of scenarios do not say of causes."""
    mechanisms = mechanisms_of(scenarios)
    if "cooperation" in mechanisms:  # says all that supply alone would
        mechanisms.pop("supply", None)
    return list(dict.fromkeys(MECHANISMS[m].cause for m in mechanisms))


def signs(scenarios: Iterable[Scenario]) -> list[str]:
    """What would change our mind of scenarios, each of the mechanisms that it is about."""
    mechanisms = mechanisms_of(scenarios)
    about: dict[str, list[str]] = {}
    for mechanism, change in mechanisms.items():
        for sign in MECHANISMS[mechanism].signs:
            about.setdefault(sign.format(change=change), []).append(mechanism)
    return [
        text if len(of) == len(mechanisms) else f"{capital(', '.join(of))}: {text}"
        for text, of in about.items()
    ]


def mechanisms_of(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """The mechanisms, and whether each is there for a fall or a rise."""
    changes: dict[str, str] = {}
    for scenario in scenarios:
        for x in scenario.interventions:
            changes.setdefault(x.mechanism, "rise" if x.rises else "fall")
    return changes
