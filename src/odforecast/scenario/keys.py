"""The keys of a scenario file: one table for the parser, for editors and for the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Key:
    """What may stand at a key.

    Attributes
    ----------
    form : str
        How it is read, and the name of its form in the JSON Schema.
    says : str
        One line for people.
    """

    form: str
    says: str


#: Of a scenario.
SCENARIO: Mapping[str, Key] = MappingProxyType({
    "name": Key("scenario-name", "Lower case, words joined by hyphens; null for the status quo"),
    "version": Key("version", "Raise it when an assumption changes"),
    "title": Key("text", "For people"),
    "question": Key("text", "What is asked, for people"),
    "interventions": Key("interventions", "What may happen; none for the status quo"),
})  # fmt: skip

#: Of an intervention. Whatever a named prior says is kept where the file says nothing.
INTERVENTION: Mapping[str, Key] = MappingProxyType({
    "prior": Key("prior-name", "A named prior of the evidence library that fills in the rest"),
    "name": Key("name", "One name means the same random numbers in all scenarios"),
    "onset": Key("onset", "Month in which it begins, or {between: [first, last]}; not given: the "
                 "month after the as-of date"),
    "scope": Key("choice", "Whose deaths change: all-drugs, or a class such as T40.4"),
    "probability": Key("chance", "Probability that it happens at all"),
    "size": Key("log-ratio", "Log rate ratio at full strength if there is an effect: -0.36 for "
                "30 % fewer"),
    "percent": Key("percent", "In place of size: percent change of the deaths of the scope at full "
                   "strength"),
    "dose": Key("dose", "In place of size: percent change of a dose times an elasticity of deaths"),
    "p_null": Key("chance", "Probability that it does nothing although it happens"),
    "direction": Key("choice", "Which sign of the size counts; the other tail is nothing"),
    "lag": Key("months", "Months until the effect begins"),
    "lag_spread": Key("log-sd", "Sd of the log of a census region's own lag"),
    "ramp": Key("months", "Months until it is full"),
    "plateau": Key("months", "Months until it begins to fade"),
    "half_life": Key("months-or-none", "Months until half of it is gone; none: it stays"),
    "residue": Key("share", "Share of the effect that never fades"),
    "rebound": Key("rebound", "Substitution after a success; or none"),
    "exposure": Key("exposure", "Share of the effect a location feels: a number, a name, or a "
                    "table by location"),
    "spread": Key("share", "Sd of the log of a state's own factor"),
    "share": Key("share", "The size is multiplied by it"),
    "replaced": Key("share", "Part of a class's averted deaths that come all the same"),
    "backfire": Key("text", "By what mechanism it could raise deaths"),
    "source": Key("text", "Where the assumption comes from"),
    "grade": Key("choice", "How good the evidence is"),
    "note": Key("text", "Whatever else"),
    "references": Key("references", "The works cited, in full"),
})  # fmt: skip

#: Of a rebound.
REBOUND: Mapping[str, Key] = MappingProxyType({
    "prior": Key("prior-name", "substitution-rebound fills in the rest"),
    "fraction": Key("share", "Part of the full effect that comes back"),
    "p_null": Key("chance", "Probability of no rebound"),
    "after": Key("months", "Months from the full effect to the start of the rebound"),
    "ramp": Key("months", "Months until it is full"),
    "half_life": Key("months-or-none", "Months until half of it is gone; none: it stays"),
})  # fmt: skip

SCENARIO_KEYS = tuple(SCENARIO)
INTERVENTION_KEYS = tuple(INTERVENTION)
REBOUND_KEYS = tuple(REBOUND)
