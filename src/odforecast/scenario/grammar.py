"""Keys of a scenario file: what each may be, how it is read, and the JSON Schema of them all.

A value of a file and one of Python are read in the same way. A text with a percent sign is a
percent wherever one is meant. A number that looks like a percent where a share is asked for, or
like a share where a percent is, is asked about, never guessed.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import numpy as np
from msgspec import Meta, Struct

from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.geography.places import lookup
from odforecast.months import to_month
from odforecast.scenario.catalogue import prior_names
from odforecast.scenario.distributions import (
    DISTRIBUTIONS,
    LARGEST,
    LEAST,
    MOST_DOSE,
    MOST_ELASTIC,
    MOST_NAME,
    POSITIVE,
    Dose,
    Fixed,
    Judgements,
    Percent,
    Prior,
    Quantity,
    check_range,
    read_prior,
)
from odforecast.scenario.values import (
    PERCENT,
    did_you_mean,
    is_number,
    percent_hint,
    read_number,
    read_percent,
    read_percent_text,
    read_share,
    refusal,
    show,
)

Exposure = float | str | Mapping[str, float]
#: Reads a value from a file or from Python, with where it stands.
Take = Callable[[Any, str], Any]

#: Scope of an effect on all overdose deaths; the others are drug classes.
ALL = "all-drugs"
#: Exposure worked out from data.
FENTANYL_SHARE = "fentanyl-share"
#: Key of the rest in a table of exposures.
REST = "default"
#: What a file says in place of interventions, a rebound or a half-life where there is none.
NOTHING = "none"

#: Keys that give the size; one of them.
SIZES = ("size", "percent", "dose")
#: Keys of earlier files.
GONE = ("probability", "lag_spread")
#: What a region's own lag may have been in earlier files: nothing, or what named priors had.
OLD_LAGS = [0, {"uniform": [0, 1]}, {"uniform": {"low": 0, "high": 1}}]

#: The largest exposure.
MOST_EXPOSED = 5.0
#: The longest lag, ramp, plateau and half-life in months.
LONGEST = 1200.0
#: Log rate ratios whose middle lies outside are taken for a slip: 80% fewer, five times as many.
LARGEST_SIZE = 1.61
#: Most characters of a text.
MAX_TEXT = 5000
#: First month behind CDC's counts, and the last month an onset may have.
FIRST_MONTH = np.datetime64("2014-02", "M")
LAST_MONTH = np.datetime64("2099-12", "M")

#: End of a text in a pattern; after ``$`` may stand a line feed.
END = r"(?![\s\S])"


# --------------------------------------------------------------------------------------- readers


def read_size(value: Any, key: str) -> Prior:
    """A log rate ratio, a percent or a dose."""
    number = read_percent_text(value)
    if number is not None:
        hint = f"or write percent: {number:g}"
        raise refusal(
            key, value, allowed="a log rate ratio, -0.36 for 30% fewer", hint=hint
        )
    hint = "size is a log rate ratio, -0.36 for 30% fewer; or write percent: -30"
    if isinstance(value, Percent | Dose):
        prior: Prior = value
        low, high = (
            round(float(100 * np.expm1(x))) for x in (-LARGEST_SIZE, LARGEST_SIZE)
        )
        hint = f"allowed: a median from {low} to {high} percent"
    else:
        prior = read_prior(value, key)
    check_range(prior, key, low=-5.0, high=5.0)
    median = float(prior.ppf(np.array(0.5)))
    if abs(median) > LARGEST_SIZE:
        change = 100 * np.expm1(median)
        raise ScenarioError(
            f"{key} is {prior}, {change:+,.0f}% deaths at full effect", hint=hint
        )
    return prior


def _read_percent_size(value: object, key: str) -> Percent:
    """A size in percent; so small a number without its sign may be a share."""
    if isinstance(value, Percent):
        return value
    without_sign = []

    def read(cell: object) -> float | None:
        number = read_number(cell)
        if number:
            without_sign.append(number)
        return read_percent(cell)

    prior = read_prior(value, key, read=read, example="-30 or {normal: [-9, 5]}")
    if without_sign and float(np.abs(prior.interval(0.99)).max()) < 1:
        hint = "write the numbers in percent, or with % signs"
        if isinstance(prior, Fixed):
            percent = f"{100 * prior.value:g}"
            hint = f"write {percent} for {percent.lstrip('-')}%, or '{prior.value:g}%'"
        raise ScenarioError(
            f"{key} is {show(value)}, less than 1%",
            hint=f"{hint} if so little is meant",
        )
    return Percent(prior)


def _read_dose(value: object, key: str) -> Dose:
    """A size as a change of dose times an elasticity."""
    if isinstance(value, Dose):
        return value
    if not isinstance(value, Mapping) or set(value) != {"change", "elasticity"}:
        hint = "such as {change: -40%, elasticity: {uniform: [0, 0.84]}}"
        raise refusal(key, value, allowed="exactly change and elasticity", hint=hint)
    change = read_percent(value["change"])
    if change and abs(change) < 1 and read_percent_text(value["change"]) is None:
        raise ScenarioError(
            f"{key}.change is {change:g}, less than 1%",
            hint=f"write {100 * change:g}, or '{change:g}%' if so little is meant",
        )
    return Dose(value["change"] if change is None else change, value["elasticity"])


def _read_chance(value: object, key: str) -> float | Judgements:
    """A probability, or what several people judged of it."""
    if isinstance(value, Mapping | Judgements):
        prior = read_prior(value, key, read=read_share, scale="unit")
        if isinstance(prior, Judgements):
            return prior
    number = read_share(value)
    if number is None or not 0.0 <= number <= 1.0:
        allowed = "a number from 0 to 1, a percent, or judgements"
        raise refusal(key, value, allowed=allowed, hint=percent_hint(value))
    return number


def _read_onset(value: Any, key: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last month in which it may begin."""
    pair = value if isinstance(value, tuple) else (value, value)
    if isinstance(value, Mapping):
        pair = value["between"] if set(value) == {"between"} else ()
    try:
        first, last = map(_read_month, pair if isinstance(pair, list | tuple) else ())
    except ValueError:
        allowed = "a month such as 2026-03, or {between: [2026-01, 2026-06]}"
        day = re.search(r"([0-9]{4}-[0-9]{2})-[0-9]{2}", str(value))
        hint = f"an effect begins with a month: write {day[1]}" if day else None
        raise refusal(key, value, allowed=allowed, hint=hint) from None
    if not FIRST_MONTH <= first <= last <= LAST_MONTH:
        raise ScenarioError(
            f"{key} is {first}..{last}, allowed: {FIRST_MONTH} (where the data begin) to "
            f"{LAST_MONTH}, the first not after the last"
        )
    return first, last


def _read_month(value: object) -> np.datetime64:
    """A month, which programs also give as its first day."""
    is_date = isinstance(value, dt.date | np.datetime64)
    text = str(value)[:10] if is_date else str(value)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}(-01)?", text):
        raise ValueError
    return to_month(text)


def _read_exposure(value: Any, key: str) -> Exposure:
    """An exposure of known places or of a known name, nowhere twice."""
    if isinstance(value, str) and value == FENTANYL_SHARE:
        return FENTANYL_SHARE
    if not isinstance(value, Mapping):
        also = f", a table such as {{OH: 1, default: 0}}, or {FENTANYL_SHARE}"
        return _read_exposed(value, key, also=also)
    if not value:
        raise ScenarioError(f"{key} is an empty table, allowed: one location or more")
    exposures: dict[str, float] = {}
    names: dict[str, object] = {}
    for name, number in value.items():
        try:
            code = REST if name == REST else lookup(str(name)).state
        except UnknownNameError as error:
            question = did_you_mean(name, (REST,))
            raise ScenarioError(
                f"{key} of {show(name)}: {show(name)} is not a place{question}",
                hint=f"allowed: states as OH or Ohio, US, NYC, and {REST}",
            ) from error
        if code in exposures:
            raise ScenarioError(
                f"{key} has {show(names[code])} and {show(name)}, one place, "
                "allowed: each place once"
            )
        exposures[code] = _read_exposed(number, f"{key} of {code}")
        names[code] = name
    return exposures


def _read_exposed(value: object, key: str, also: str = "") -> float:
    """An exposure: a number from 0 to 5, or a percent."""
    number = read_share(value)
    if number is None or not 0.0 <= number <= MOST_EXPOSED:
        question = did_you_mean(value, (FENTANYL_SHARE,)) if also else ""
        allowed = f"a number from 0 to {MOST_EXPOSED:g} or a percent{also}"
        raise ScenarioError(f"{key} is {show(value)}{question}, allowed: {allowed}")
    return number


def _read_version(value: Any, key: str) -> int:
    """A whole number, which may be written 2.0."""
    if not is_number(value) or not 1 <= value <= LARGEST or value != int(value):
        raise refusal(key, value, allowed="a whole number from 1")
    return int(value)


def _read_prior_name(value: Any, key: str) -> str:
    """Name of a prior of the evidence library."""
    return _read_word(value, key, words=prior_names())


def _read_word(value: Any, key: str, words: Sequence[str]) -> str:
    """One of a few words; fentanyl is counted in the class T40.4."""
    if value in words:
        return str(value)
    question = did_you_mean(value, words)
    if "T40.4" in words and re.search("fentanyl|synthetic", str(value), re.IGNORECASE):
        question = ", did you mean 'T40.4'?"
    raise ScenarioError(
        f"{key} is {show(value)}{question}", hint=f"allowed: {', '.join(words)}"
    )


def _read_text(value: Any, key: str, form: Any) -> Any:
    """A text or a list of texts; nothing in it acts on a screen, or is lost in a file."""
    allowed = form.__metadata__[0].description
    texts = value if isinstance(value, list | tuple) else [value]
    for text in texts:
        if isinstance(text, str) and not all(
            c.isprintable() or c in "\n\t" for c in text
        ):
            raise refusal(key, value, allowed=f"{allowed}, without control codes")
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError:
        raise refusal(key, value, allowed=allowed) from None


# ---------------------------------------------------------------------------------------- tables
#
# What stands at a key of a file, as msgspec and editors know it. A function beside a type reads
# the value; texts and single words need none.


class Distribution(Struct):
    """One distribution by its name, with its parameters as numbers or percents."""


PercentText = Annotated[str, Meta(pattern=f"^{PERCENT}$")]
Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])(-01)?" + END)]
Text = Annotated[
    str, Meta(max_length=MAX_TEXT, description=f"text of up to {MAX_TEXT:,} characters")
]
ScenarioName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9.+_-]{0,199}" + END,
        description="up to 200 lower-case letters, digits and . + _ -",
    ),
]
Months = Annotated[
    Annotated[float, Meta(ge=0.0, le=LONGEST)] | Distribution, Quantity(LONGEST)
]
HalfLife = Annotated[
    Annotated[float, Meta(gt=0.0, le=LONGEST)] | Distribution | Literal["none"] | None,
    Quantity(LONGEST, optional=True),
]
_Share = Annotated[float, Meta(ge=0.0, le=1.0)] | PercentText
Share = Annotated[_Share | Distribution, Quantity(1.0, unit="share")]
Spread = Annotated[_Share | Distribution, Quantity(1.0, unit="sd of a log")]
_Change = Annotated[float, Meta(ge=LEAST, le=MOST_DOSE)] | PercentText
PriorName = Annotated[str, _read_prior_name]
Scope = Literal[
    "all-drugs",
    "T40.4",
    "opioids",
    "heroin",
    "natural-opioids",
    "methadone",
    "cocaine",
    "psychostimulants",
]
SCOPES = get_args(Scope)


# msgspec 0.22 crashes where numbers, texts and tables with limits are one type.
_NUMBER_OR_PERCENT = {
    "type": ["number", "string"],
    "minimum": 0,
    "maximum": MOST_EXPOSED,
}
_EXPOSURE = {
    "anyOf": [
        _NUMBER_OR_PERCENT | {"pattern": f"^({PERCENT}|{FENTANYL_SHARE}){END}"},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": _NUMBER_OR_PERCENT | {"pattern": f"^{PERCENT}$"},
        },
    ]
}


class Person(Struct, forbid_unknown_fields=True):
    """What one person judged."""

    who: Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
    date: Annotated[str, Meta(min_length=1)]
    quartiles: Annotated[list[float | PercentText], Meta(min_length=3, max_length=3)]
    weight: Annotated[float, Meta(gt=0)] | PercentText = 1.0


class JudgedChance(Struct, forbid_unknown_fields=True):
    """A probability that several people judged."""

    judgements: Annotated[list[Person], Meta(min_length=1)]


Chance = Annotated[_Share | JudgedChance, _read_chance]


class Between(Struct, forbid_unknown_fields=True):
    """The first and the last month in which it may begin."""

    between: Annotated[list[Month], Meta(min_length=2, max_length=2)]


class DoseKeys(Struct, forbid_unknown_fields=True):
    """A change of dose times an elasticity of deaths."""

    change: _Change
    elasticity: Annotated[float, Meta(ge=0.0, le=MOST_ELASTIC)] | Distribution


class Rebound(Struct, forbid_unknown_fields=True):
    """Substitution after a success.

    Attributes
    ----------
    prior
        substitution-rebound fills in the rest
    fraction
        Part of the full effect that comes back
    p_null
        Probability of no rebound
    after
        Months from the full effect to the start of the rebound
    ramp
        Months until it is full
    half_life
        Months until half of it is gone; or none
    """

    prior: PriorName
    fraction: Share
    p_null: Chance
    after: Months
    ramp: Months
    half_life: HalfLife


class Intervention(Struct, forbid_unknown_fields=True):
    """What may happen. Whatever a named prior says is kept where the file says nothing.

    Attributes
    ----------
    prior
        A named prior of the evidence library for the rest
    name
        One name means the same random numbers in all scenarios
    onset
        Month it begins, or {between: [first, last]}; not given: the month after the as-of date
    scope
        Whose deaths change: all-drugs, or a class such as T40.4
    size
        Log rate ratio at full strength if there is an effect: -0.36 for 30% fewer
    percent
        In place of size: percent change of the deaths of the scope at full strength
    dose
        In place of size: percent change of a dose times an elasticity of deaths
    mechanism
        How it acts, which decides what a brief may say of causes and signs
    p_null
        Probability of no effect; without it, and without belief, the scenario is a what-if
    belief
        Whose judgement the chances are; none: a what-if, without probabilities
    direction
        Which sign of the size counts; the other tail is nothing
    lag
        Months until the effect begins
    ramp
        Months until it is full
    plateau
        Months until it begins to fade
    half_life
        Months until half of it is gone; or none
    residue
        Share of the effect that never fades
    exposure
        Share of the effect a location feels: a number, a name, or a table by location
    spread
        Sd of the log of a state's own factor
    share
        The size is multiplied by it
    replaced
        Share of averted deaths that other drugs replace
    grade
        How good the evidence is
    rebound
        Substitution after a success
    backfire
        By what mechanism it could raise deaths
    needs
        What it needs, and from whom
    sign
        The earliest sign that it works, and when
    stop
        What would be a reason to stop
    source
        Where the assumption comes from
    note
        Whatever else
    references
        The works cited, in full
    probability
        Of earlier files, that it is sure; p_null says how likely no effect is
    lag_spread
        Of earlier files; all census regions have the nation's lag
    """

    prior: PriorName
    name: Annotated[
        str,
        Meta(
            pattern=r"^[^\s$/\\]([^$/\\\n\t]*[^\s$/\\])?" + END,
            max_length=100,
            description="1 to 100 printable characters, none of $ / \\, no blanks around them",
        ),
    ]
    onset: Annotated[Month | Between, _read_onset]
    scope: Scope
    mechanism: Literal[
        "cooperation", "supply", "scheduling", "treatment", "naloxone", "other"
    ]
    size: Annotated[
        Annotated[float, Meta(ge=-LARGEST_SIZE, le=LARGEST_SIZE)] | Distribution,
        read_size,
    ]
    percent: Annotated[_Change | Distribution, _read_percent_size]
    dose: Annotated[DoseKeys, _read_dose]
    p_null: Chance
    belief: Text
    direction: Literal["either", "fall", "rise"]
    lag: Months
    ramp: Months
    plateau: Months
    half_life: HalfLife
    residue: Share
    exposure: Annotated[Any, Meta(extra_json_schema=_EXPOSURE), _read_exposure]
    spread: Spread
    share: Share
    replaced: Share
    grade: Literal["high", "medium", "low–medium", "low", "very low", "none", "user"]
    rebound: Literal["none"] | Rebound | None
    backfire: Text
    needs: Text
    sign: Text
    stop: Text
    source: Text
    note: Text
    references: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)], ...],
        Meta(description="a list of texts"),
    ]
    probability: (
        Literal[1] | Annotated[str, Meta(pattern=r"^\s*\+?100(\.0*)?\s*%\s*" + END)]
    )
    lag_spread: Annotated[Any, Meta(extra_json_schema={"enum": OLD_LAGS})]


class Scenario(Struct, forbid_unknown_fields=True):
    """What is assumed to happen.

    Attributes
    ----------
    name
        Words joined by hyphens; null for the status quo
    version
        Raise it when an assumption changes
    title
        For people
    question
        What is asked, for people
    interventions
        What may happen; or none
    """

    name: Annotated[ScenarioName | None, partial(_read_text, form=ScenarioName)]
    version: Annotated[int, Meta(ge=1), _read_version]
    title: Text
    question: Text
    interventions: list[Intervention] | Literal["none"]


class Several(Struct, forbid_unknown_fields=True):
    """Several scenarios in one file."""

    scenarios: Annotated[list[Scenario], Meta(min_length=1)]


class Design(Struct, forbid_unknown_fields=True):
    """Two interventions in one file: neither, each alone, and both are its four scenarios."""

    factors: Annotated[list[Intervention], Meta(min_length=2, max_length=2)]


def readers(table: type[Struct], **special: Take) -> dict[str, Take]:
    """How the value of each key is read, in the order of a file; of some by functions given."""
    forms = {field.name: field.type for field in msgspec.structs.fields(table)}
    return {
        key: special.get(key) or _reader(form)
        for key, form in forms.items()
        if key not in GONE
    }


def _reader(form: Any) -> Take:
    """How a value of a type is read."""
    if get_origin(form) is Literal:
        return partial(_read_word, words=get_args(form))
    rules = filter(callable, form.__metadata__)
    return next(rules, partial(_read_text, form=form))


# ---------------------------------------------------------------------------------------- schema


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file, for editors and other programs.

    In an editor with the YAML language server a first line
    ``# yaml-language-server: $schema=scenario.schema.json`` turns it on, once the schema is written
    to that file beside the scenario. A schema sees the form of a file; whether a distribution fits
    its range, a place exists or two names are one is said when the file is read.

    Returns
    -------
    dict

    Examples
    --------
    >>> import odforecast as od
    >>> schema = od.scenario.json_schema()
    >>> schema["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    >>> schema["$defs"]["Intervention"]["properties"]["direction"]["enum"]
    ['either', 'fall', 'rise']
    """
    _, definitions = msgspec.json.schema_components(
        [Several, Design], ref_template="#/$defs/{name}"
    )
    definitions["Distribution"] |= _distribution_schema(definitions["JudgedChance"])
    names = {"enum": list(prior_names())}
    for table, required in ((Scenario, ["name"]), (Intervention, []), (Rebound, [])):
        documentation = str(inspect.getdoc(table))
        definition = definitions[table.__name__]
        definition["description"] = documentation.partition("\n")[0]
        definition["required"] = required
        properties = definition["properties"]
        for key, text in re.findall(r"^(\w+)\n    (.+)", documentation, re.MULTILINE):
            properties[key]["description"] = text
            if key == "prior":
                properties[key] |= names
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenario file of odforecast",
        "description": "One scenario, several under the key scenarios, or two factors.",
        "type": "object",
        "anyOf": [
            {"$ref": f"#/$defs/{table.__name__}"}
            for table in (Several, Design, Scenario)
        ],
        "$defs": definitions,
    }


def _distribution_schema(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Schema of one distribution."""
    number = {"type": ["number", "string"], "pattern": f"^{PERCENT}$"}
    kinds: dict[str, Any] = dict(judged["properties"])
    for kind, distribution in DISTRIBUTIONS.items():
        parameters = {
            name: number | {"exclusiveMinimum": 0} if name in POSITIVE else number
            for name in distribution.parameter_names()
        }
        kinds[kind] = {
            "type": ["array", "object"],
            "prefixItems": [*parameters.values()],
            "minItems": len(parameters),
            "maxItems": len(parameters),
            "properties": parameters,
            "required": [*parameters],
            "additionalProperties": False,
        }
    kinds["fixed"] = {"anyOf": [kinds["fixed"], number]}
    kinds["quantiles"] = {
        "type": "object",
        "minProperties": 2,
        "propertyNames": {"pattern": rf"^({PERCENT}|\s*0?\.[0-9]{{1,12}}\s*){END}"},
        "additionalProperties": number,
    }
    return {
        "properties": kinds,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
