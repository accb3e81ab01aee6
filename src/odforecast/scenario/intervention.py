"""Intervention: an assumed effect on log monthly deaths, with priors for all it depends on.

In state *s* and month *t*, with ``x = t - onset - lag`` in months,

    delta_s(t) = b_s shape(x) + fraction (-b_s)+ rebound shape(x - ramp - after)
    b_s        = c beta u_s exposure_s,    u_s ~ LogNormal(-tau^2 / 2, tau)
    shape(x)   = ramp(x / ramp) * (residue + (1 - residue) 2^(-(x - ramp - plateau)+ / half_life))

and monthly deaths of the scope are multiplied by ``exp(delta)``. Every state keeps the sign of
beta, and ``c`` makes the nation's deaths over the months ahead change by ``exp(beta)`` at full
strength in every draw (with exposures that differ, c is 1 and the nation's effect is an output). A
rebound is a fraction of the success that it follows. The counts cannot identify "cooperation": the
size is an assumption with a source and a grade, never an estimate from a step at a diplomatic date.

The grammar of files is ``scenario.schema.json``, which editors read too: keys, words and limits
are taken from it, for a file and for the classes alike. A text with a percent sign is a percent
wherever one is meant. A number that looks like a percent where a share is asked for, or like a
share where a percent is, is asked about, never guessed.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.geography import NATION as NATION
from odforecast.geography.places import lookup
from odforecast.months import to_month
from odforecast.names import SCENARIO_ID
from odforecast.say import card, html_table, steady
from odforecast.scenario import drawing
from odforecast.scenario.catalogue import prior_table
from odforecast.scenario.priors import (
    LARGEST,
    Dose,
    Fixed,
    Judgements,
    Mistakes,
    Percent,
    PooledChance,
    Prior,
    Uniform,
    as_prior,
    bare,
    check_keys,
    hundredth,
    is_number,
    located,
    nearest,
    percent,
    percent_of,
    quantity,
    refused,
    share,
    shown,
    within,
)
from odforecast.seeds import content_hash

Exposure = float | str | Mapping[str, float]
#: How a value is taken: from a file or Python, with where it stands; refused, or as it is held.
Take = Callable[[Any, str], Any]

#: JSON Schema of a file.
SCHEMA: dict[str, Any] = json.loads(
    resources.files("odforecast.scenario").joinpath("scenario.schema.json").read_text("utf-8")
)
#: Keys of each noun, with what the schema says of them.
KEYS: dict[str, dict[str, Any]] = {
    noun: SCHEMA["$defs"][noun]["properties"] for noun in ("Scenario", "Intervention", "Rebound")
}
_INTERVENTION = KEYS["Intervention"]

#: Scope of an effect on all overdose deaths; the others are drug classes.
ALL = "all-drugs"
SCOPES = tuple(_INTERVENTION["scope"]["enum"])
#: Whose judgement a chance is where nobody is named: of a named prior, and of a user's own numbers.
OURS = "Our judgment"
ASKED = "The user's judgment"
#: Exposure worked out from data.
NAMED_EXPOSURES = tuple(_INTERVENTION["exposure"]["anyOf"][2]["enum"])
#: The largest exposure.
MOST_EXPOSED = float(_INTERVENTION["exposure"]["anyOf"][0]["maximum"])
#: Log rate ratios whose middle lies outside are taken for a slip: 80% fewer, five times as many.
LARGEST_SIZE = float(_INTERVENTION["size"]["anyOf"][0]["maximum"])
#: Most characters of a text.
MAX_TEXT = int(_INTERVENTION["note"]["maxLength"])

#: Key of the rest in a table of exposures.
REST = "default"
#: First month behind CDC's counts, and the last month an onset may have.
FIRST_MONTH = np.datetime64("2014-02", "M")
LAST_MONTH = np.datetime64("2099-12", "M")

#: What a file says in place of interventions, a rebound or a half-life where there is none.
NOTHING = "none"
#: Keys that give the size; one of them.
SIZES = ("size", "percent", "dose")
#: Keys that Python leaves open with None.
OPEN = ("onset", "spread")
#: Keys of earlier files.
GONE = ("probability", "lag_spread")
#: Units of what has a prior; the other quantities are in months.
_UNITS = {
    "spread": "sd of a log",
    **dict.fromkeys(("residue", "share", "replaced", "fraction"), "share"),
}

#: Differences between states: at most half the effect's size (sd of the log, drawn once a draw).
SPREAD = Uniform(0, 0.5)

_ZERO = Fixed(0)
_ONE = Fixed(1)
_HALF_YEAR = Fixed(6)
_YEAR = Fixed(12)


# ---------------------------------------------------------------------------------------- values


def _size(value: Any, key: str) -> Prior:
    """A log rate ratio, a percent or a dose."""
    if (number := percent_of(value)) is not None:
        hint = f"or write percent: {number:g}"
        raise refused(key, value, allowed="a log rate ratio, -0.36 for 30% fewer", hint=hint)
    # A size in percent, or in doses, is one of deaths alone.
    sized = isinstance(value, Percent | Dose)
    prior: Prior = value if sized else as_prior(value, key)
    within(prior, key, low=-5.0, high=5.0)
    middle = float(prior.ppf(np.array(0.5)))
    if abs(middle) > LARGEST_SIZE:
        low, high = (round(float(100 * np.expm1(x))) for x in (-LARGEST_SIZE, LARGEST_SIZE))
        raise ScenarioError(
            f"{key} is {prior}, {100 * np.expm1(middle):+,.0f}% deaths at full effect",
            hint=f"allowed: a median from {low} to {high} percent"
            if sized
            else "size is a log rate ratio, -0.36 for 30% fewer; or write percent: -30",
        )
    return prior


def _percent(value: object, key: str) -> Percent:
    """A size in percent; so small a number without its sign may be a share."""
    if isinstance(value, Percent):
        return value
    unsigned = []

    def read(number: object) -> float | None:
        if found := bare(number):
            unsigned.append(found)
        return percent(number)

    prior = as_prior(value, key, read=read, such="-30 or {normal: [-9, 5]}")
    if unsigned and float(np.abs(prior.interval(0.99)).max()) < 1:
        hint = "write the numbers in percent, or with % signs"
        if isinstance(prior, Fixed):
            much = f"{100 * prior.value:g}"
            hint = f"write {much} for {much.lstrip('-')}%, or '{prior.value:g}%'"
        raise ScenarioError(
            f"{key} is {shown(value)}, less than 1%", hint=f"{hint} if so little is meant"
        )
    return Percent(prior)


def _dose(value: object, key: str) -> Dose:
    """A size as a change of dose times an elasticity."""
    if isinstance(value, Dose):
        return value
    if not isinstance(value, Mapping) or set(value) != {"change", "elasticity"}:
        hint = "such as {change: -40%, elasticity: {uniform: [0, 0.84]}}"
        raise refused(key, value, allowed="exactly change and elasticity", hint=hint)
    given = value["change"]
    change = percent(given)
    if change and abs(change) < 1 and percent_of(given) is None:
        raise ScenarioError(
            f"{key}.change is {change:g}, less than 1%",
            hint=f"write {100 * change:g}, or '{change:g}%' if so little is meant",
        )
    return Dose(given if change is None else change, value["elasticity"])


def _chance(value: object, key: str) -> float:
    """A probability; of what several people judged, the mean of their pool."""
    if isinstance(value, PooledChance):
        return value
    if isinstance(value, Mapping | Judgements):
        judged = as_prior(value, key, read=share, scale="unit")
        if isinstance(judged, Judgements):
            return PooledChance(judged)
    number = share(value)
    if number is None or not 0.0 <= number <= 1.0:
        allowed = "a number from 0 to 1, a percent, or judgements"
        raise refused(key, value, allowed=allowed, hint=hundredth(value))
    return number


def _choice(value: object, key: str, words: Sequence[str]) -> object:
    """One of a few words; fentanyl is counted in the class T40.4."""
    if value in words:
        return value
    meant = nearest(value, words)
    if "T40.4" in words and re.search("fentanyl|synthetic", str(value), re.IGNORECASE):
        meant = ", did you mean 'T40.4'?"
    raise ScenarioError(f"{key} is {shown(value)}{meant}", hint=f"allowed: {', '.join(words)}")


def _text(value: Any, key: str, rule: Mapping[str, Any], allowed: str) -> Any:
    """A text as the schema has it, or a list of such; nothing in it acts on a screen."""
    many = rule["type"] == "array"
    rule = rule.get("items", rule)
    texts: list[Any] = [value]
    if many:
        texts = list(value) if isinstance(value, list | tuple) else [None]
    for text in texts:
        good = isinstance(text, str) and re.search(rule.get("pattern", ""), text)
        if not good or not rule.get("minLength", 0) <= len(text) <= rule.get("maxLength", MAX_TEXT):
            raise refused(key, value, allowed=allowed)
        # What has a pattern is a name, in one line.
        if not (text.isprintable() if "pattern" in rule else is_plain(text)):
            raise refused(key, value, allowed=f"{allowed}, without control codes")
    return tuple(texts) if many else value


def is_plain(text: str) -> bool:
    """Whether nothing in a text acts on a screen, or is lost in a file."""
    return all(c.isprintable() or c in "\n\t" for c in text)


def _onset(value: Any, key: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last month in which it may begin; a day is taken as its month."""
    pair = value if isinstance(value, tuple) else (value, value)
    if isinstance(value, Mapping):
        pair = value["between"] if set(value) == {"between"} else ()
    try:
        first, last = map(_month, pair if isinstance(pair, list | tuple) else ())
    except ValueError:
        raise refused(
            key,
            value,
            allowed="a month such as 2026-03, or {between: [2026-01, 2026-06]}",
        ) from None
    if not FIRST_MONTH <= first <= last <= LAST_MONTH:
        raise ScenarioError(
            f"{key} is {first}..{last}, allowed: {FIRST_MONTH} (where the data begin) to "
            f"{LAST_MONTH}, the first not after the last"
        )
    return first, last


def _month(item: object) -> np.datetime64:
    """A month, or the month of a day."""
    if isinstance(item, dt.date | np.datetime64):
        return to_month(item)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", str(item)):
        raise ValueError
    return to_month(str(item))


def _exposure(value: Any, key: str) -> Exposure:
    """An exposure of known places or of a known name, nowhere twice."""
    if isinstance(value, str) and value in NAMED_EXPOSURES:
        return value
    if not isinstance(value, Mapping):
        also = f", a table such as {{OH: 1, default: 0}}, or {', '.join(NAMED_EXPOSURES)}"
        return _felt(value, key, also=also)
    if not value:
        raise ScenarioError(f"{key} is an empty table, allowed: one location or more")
    table: dict[str, float] = {}
    names: dict[str, object] = {}
    for name, number in value.items():
        try:
            code = REST if name == REST else lookup(str(name)).state
        except UnknownNameError as error:
            raise ScenarioError(
                f"{key} of {shown(name)}: {shown(name)} is not a place{nearest(name, (REST,))}",
                hint=f"allowed: states as OH or Ohio, US, NYC, and {REST}",
            ) from error
        if code in table:
            raise ScenarioError(
                f"{key} has {shown(names[code])} and {shown(name)}, one place, "
                "allowed: each place once"
            )
        table[code] = _felt(number, f"{key} of {code}")
        names[code] = name
    return table


def _felt(value: object, key: str, also: str = "") -> float:
    """An exposure: a number from 0 to 5, or a percent."""
    number = share(value)
    if number is None or not 0.0 <= number <= MOST_EXPOSED:
        meant = nearest(value, NAMED_EXPOSURES) if also else ""
        allowed = f"a number from 0 to {MOST_EXPOSED:g} or a percent{also}"
        raise ScenarioError(f"{key} is {shown(value)}{meant}, allowed: {allowed}")
    return number


def _rebound(value: object, key: str) -> Rebound | None:
    """A rebound, or its keys; ``prior`` fills in what is not given."""
    if value is None or value == NOTHING or isinstance(value, Rebound):
        return value if isinstance(value, Rebound) else None
    if not isinstance(value, Mapping):
        raise refused(key, value, allowed="a table of keys, or none")
    with located(f"{key}: ", "rebound."):
        check_keys(value, TAKES["Rebound"])
        given = dict(value)
        if "prior" in given:
            base = named_keys(given.pop("prior"))
            given = {**base, "after": base["lag"], **given}
        if "fraction" not in given:
            raise ScenarioError(
                "key 'fraction' is missing", hint="or write {prior: substitution-rebound}"
            )
        return Rebound(**{f.name: given[f.name] for f in fields(Rebound) if f.name in given})


def named_keys(name: Any) -> dict[str, Any]:
    """Keys of a named prior."""
    return prior_table(TAKES["Intervention"]["prior"](name, "prior"))


def _interventions(value: object, key: str) -> tuple[Intervention, ...]:
    parts = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(x, Intervention) for x in parts):
        raise refused(key, value, allowed="a list of Intervention")
    return parts


def _version(value: Any, key: str) -> int:
    if not is_number(value) or not 1 <= value <= LARGEST or value != int(value):
        raise refused(key, value, allowed="a whole number from 1")
    return int(value)


_OWN: dict[str, Take] = {
    "onset": _onset,
    "exposure": _exposure,
    "size": _size,
    "percent": _percent,
    "dose": _dose,
    "p_null": _chance,
    "rebound": _rebound,
    "version": _version,
    "interventions": _interventions,
}
_ALLOWED = {
    "Scenario.name": "up to 200 lower-case letters, digits and . + _ -",
    "Intervention.name": "1 to 100 printable characters, none of $ / \\, no blanks around them",
    "Intervention.references": "a list of texts",
}


def _taken(noun: str, key: str, rule: dict[str, Any]) -> Take:
    """How what stands at a key is taken: as the schema has it, or by a function of its own."""
    first = rule.get("anyOf", [rule])[0]
    if key in _OWN:
        return _OWN[key]
    if "enum" in rule:
        return partial(_choice, words=rule["enum"])
    if "maximum" in first:
        low = first.get("minimum", first.get("exclusiveMinimum"))
        none = "exclusiveMinimum" in first
        return partial(
            quantity,
            low=low,
            high=first["maximum"],
            none=none,
        )
    allowed = _ALLOWED.get(f"{noun}.{key}", f"text of up to {MAX_TEXT:,} characters")
    return partial(_text, rule=first, allowed=allowed)


#: How the values of each noun are taken, in the order of a file.
TAKES: dict[str, dict[str, Take]] = {
    noun: {key: _taken(noun, key, rule=rule) for key, rule in keys.items() if key not in GONE}
    for noun, keys in KEYS.items()
}


# ----------------------------------------------------------------------------------------- nouns


def _take(x: Any) -> None:
    """Bring every value into its own form; refuse what it cannot be, all of it at once."""
    mistakes = Mistakes()
    for key, take in TAKES[type(x).__name__].items():
        # An onset may be open, and a spread is left to the size.
        if key in vars(x) and (vars(x)[key] is not None or key not in OPEN):
            with mistakes:
                object.__setattr__(x, key, take(vars(x)[key], key))
    mistakes.tell()


@dataclass(frozen=True)
class Rebound:
    """Substitution after a success: other drugs or makers fill the gap.

    It happens only where the intervention did lower deaths, and in proportion to that.

    Attributes
    ----------
    fraction : Prior
        Part of the full effect that the rebound takes back, 0 to 1.
    p_null : float
        Probability of no rebound.
    after : Prior
        Months from the full effect (onset + lag + ramp) to the start of the rebound.
    ramp : Prior
        Months until it is full.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    """

    fraction: Prior
    p_null: float = 0.0
    after: Prior = _YEAR
    ramp: Prior = _HALF_YEAR
    half_life: Prior | None = None

    def __post_init__(self) -> None:
        with located("rebound."):
            _take(self)


@dataclass(frozen=True)
class Intervention:
    """One thing that may happen, and what it would do.

    Attributes
    ----------
    name : str
        Interventions of one name share their random numbers in all scenarios, so that two
        scenarios differ only by what they assume.
    size : Prior
        Log rate ratio of the scope's monthly deaths at full strength, given that there is an
        effect.
    onset : tuple of two months, or None
        First and last month in which it may begin, each equally likely. None is left open: the
        month after the as-of date of the forecast that it is projected on.
    scope : str
        Whose deaths it changes: ``"all-drugs"``, or a class such as ``"T40.4"``. Of a class,
        each draw's own deaths of that class change, and all deaths by as many.
    p_null : float
        Probability that it has no effect; or :class:`Judgements`, whose mean it then is.
    belief : str
        Whose judgement the chances are; ``"none"``: a what-if, whose answer holds given that it
        works and has no chances.
    direction : {"either", "fall", "rise"}
        With ``"fall"`` or ``"rise"`` the other tail of the size is nothing.
    lag, ramp, plateau : Prior
        Months until the effect begins, until it is full, and until it begins to fade.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    residue : Prior
        Share of the effect that never fades.
    rebound : Rebound or None
        Substitution after a success.
    exposure : float, str or mapping
        Share of the effect a location feels: one number, ``"fentanyl-share"``, or
        location to number, with ``"default"`` for the rest.
    spread : Prior, optional
        Sd of the log of a state's own factor. Default: Uniform(0, 0.5); 0 for a fixed size.
    share : Prior
        The size is multiplied by it: the share of an episode that is credited to the policy.
    replaced : Prior
        Share of a class's averted deaths that other drugs replace.
    backfire : str
        By what mechanism it could raise deaths.
    source, grade, note : str
        Where the assumption comes from, and how good the evidence is.
    references : tuple of str
        The works cited, in full.
    needs, sign, stop : str
        For a decision: what it needs and from whom, the earliest sign that it works, and what would
        be a reason to stop.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scenario import Fixed, Intervention, Normal
    >>> half = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Fixed(12))
    >>> half.onset
    (np.datetime64('2026-03'), np.datetime64('2026-03'))
    >>> half.curve(np.arange("2026-03", "2027-06", dtype="datetime64[M]"))[[0, 6, 12, 14]].tolist()
    [0.0, 0.5, 1.0, 1.0]
    >>> tuple(round(x, 2) for x in half.chances())  # works, nothing, backfires
    (0.99, 0.0, 0.01)
    """

    name: str
    size: Prior
    onset: Any = None
    scope: str = ALL
    p_null: float = 0.0
    direction: str = "either"
    lag: Prior = _ZERO
    ramp: Prior = _ZERO
    plateau: Prior = _ZERO
    half_life: Prior | None = None
    residue: Prior = _ZERO
    rebound: Rebound | None = None
    exposure: Exposure = 1.0
    spread: Any = None
    share: Prior = _ONE
    replaced: Prior = _ZERO
    backfire: str = ""
    source: str = ""
    grade: str = "user"
    note: str = ""
    references: tuple[str, ...] = ()
    belief: str = ""
    needs: str = ""
    sign: str = ""
    stop: str = ""

    def __post_init__(self) -> None:
        TAKES["Intervention"]["name"](self.name, "name")
        with located(f"{self.name}: "):
            _take(self)
            if isinstance(self.exposure, str) and self.scope != ALL:
                raise ScenarioError(
                    f"exposure is {self.exposure!r} and scope {self.scope!r}, allowed: one of them",
                    hint="deaths of the class are the exposure already; with both the share of the "
                    "class counts twice",
                )
        if self.spread is None:
            # A size without uncertainty is a what-if for every state alike.
            object.__setattr__(self, "spread", SPREAD if self.size.sd > 0 else Fixed(0))

    def __hash__(self) -> int:
        return hash((self.name, self.size, self.onset))

    def at(self, onset: object) -> Intervention:
        """The same, beginning then, if it was left open."""
        return replace(self, onset=onset) if self.onset is None else self

    @property
    def national(self) -> bool:
        """Whether all locations feel it alike, so that its size is the nation's effect."""
        return isinstance(self.exposure, int | float)

    @property
    def rises(self) -> bool:
        """Whether it can only raise deaths: then that is what it is there for."""
        least, middle = self.size.ppf(np.array([0.0, 0.5]))
        return self.direction == "rise" or (self.direction == "either" and least >= 0.0 < middle)

    @property
    def is_what_if(self) -> bool:
        """Whether nobody holds a belief about it: its answer is given that it works."""
        return self.belief == "none"

    @property
    def owner(self) -> str:
        """Whose judgement its chances are."""
        if not self.belief and isinstance(self.p_null, PooledChance):
            first, *others = (x.who for x in self.p_null.judgements.people)
            more = "another" if len(others) == 1 else f"{len(others)} others"
            return f"The judgment of {first}{f' and {more}' if others else ''}"
        return self.belief or (ASKED if self.grade == "user" else OURS)

    def scaled(self, share: float | Prior) -> Intervention:
        """The same, working only ``share`` as well: 0.5 for half, 0 for not at all."""
        return replace(self, share=share)  # type: ignore[arg-type]

    chances = drawing.chances
    curve = drawing.curve
    draw = drawing.draw


@dataclass(frozen=True, repr=False)
class Scenario:
    """What is assumed to happen.

    Attributes
    ----------
    name : str
        Lower case, words joined by hyphens; the ``scenario_id`` of every table.
    interventions : tuple of Intervention
        Effects add up on the log scale.
    version : int
        Raise it when an assumption changes.
    title, question : str
        For people.

    Examples
    --------
    >>> from odforecast.scenario import NULL
    >>> NULL.name, NULL.is_null
    ('null', True)
    """

    name: str
    interventions: tuple[Intervention, ...] = ()
    version: int = 1
    title: str = ""
    question: str = ""

    def __post_init__(self) -> None:
        TAKES["Scenario"]["name"](self.name, "name")
        with located(f"{self.name}: "):
            _take(self)
        names = [x.name for x in self.interventions]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ScenarioError(
                f"{self.name}: two interventions are named {shown(twice[0])}, "
                "allowed: distinct names",
                hint="interventions of one name share their random numbers",
            )
        if self.name == "null" and self.interventions:
            raise ScenarioError("null has interventions, allowed: none; give it another name")

    @steady
    def __repr__(self) -> str:
        parts = [
            f"{x.name}: {_size_words(x.size)}, from {_when(x.onset)}, grade {x.grade}"
            for x in self.interventions[:4]
        ]
        left = len(self.interventions) - len(parts)
        return card(
            f"Scenario {self.name}" + (f": {self.title}" if self.title else ""),
            *(parts or ["nothing is assumed beyond the baseline"]),
            f"and {left} more" if left > 0 else "",
            "next: od.project(forecast, [scenario]), .to_frame()",
        )

    @steady
    def _repr_html_(self) -> str:
        table = self.to_frame().drop(columns=["scenario_id", "source"])
        return html_table(
            table,
            f"Scenario {self.name}" + (f": {self.title}" if self.title else ""),
            note="assumptions with a source and a grade, not estimates" if len(table) else "",
            rows=30,
        )

    def to_frame(self) -> pd.DataFrame:
        """All that is assumed, tidy: one row per intervention and quantity.

        Returns
        -------
        DataFrame
            ``scenario_id``, ``intervention``, ``quantity`` (as in a scenario file) and ``unit``
            (str); ``q05``, ``q50``, ``q95`` (its quantiles, float; a fixed one has three alike,
            NaN for words; a size is in percent of the monthly deaths of its scope, given that
            there is an effect); ``prior`` (in words), ``source`` and ``grade`` (str). No rows for
            the status quo.

        Examples
        --------
        >>> import odforecast as od
        >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
        >>> table = shock.to_frame().set_index("quantity")
        >>> table.loc["size", "unit"], bool(table.loc["size", "q50"] < 0)
        ('percent', True)
        """
        rows = [row for x in self.interventions for row in _assumed(self.name, x)]
        return pd.DataFrame(rows, columns=_COLUMNS)

    @property
    def is_null(self) -> bool:
        """Whether nothing is assumed to happen: the baseline itself."""
        return not self.interventions

    @property
    def is_open(self) -> bool:
        """Whether an intervention's onset is left open until it is projected."""
        return any(x.onset is None for x in self.interventions)

    def at(self, onset: object) -> Scenario:
        """The same, with what was left open beginning then."""
        return replace(self, interventions=tuple(x.at(onset) for x in self.interventions))

    @property
    def hash(self) -> str:
        """Hash of all that is assumed, 16 hex digits; what is only for people does not count."""
        plain = _assumed_alone(self.to_dict())
        # Files once had these too: what they say of every file keeps the hashes they had.
        gone = {"probability": 1.0, "lag_spread": 0.0}
        plain["interventions"] = [x | gone for x in plain["interventions"]]
        return content_hash(json.dumps(plain, sort_keys=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as written to files."""
        parts = [_plain(x) for x in self.interventions]
        return {**_plain(self), "interventions": parts}


#: Keys for people alone, which no hash counts.
_FOR_PEOPLE = ("title", "question", "belief", "needs", "sign", "stop", "who", "date")


def _assumed_alone(plain: Any) -> Any:
    """A plain form without what is only for people."""
    if isinstance(plain, dict):
        return {k: _assumed_alone(v) for k, v in plain.items() if k not in _FOR_PEOPLE}
    return list(map(_assumed_alone, plain)) if isinstance(plain, list) else plain


_COLUMNS = [
    SCENARIO_ID,
    "intervention",
    "quantity",
    "unit",
    "q05",
    "q50",
    "q95",
    "prior",
    "source",
    "grade",
]
_LEVELS = np.array([0.05, 0.5, 0.95])
_NOTHING = (np.nan,) * 3


def _assumed(scenario: str, x: Intervention) -> Iterator[tuple[object, ...]]:
    """Rows of one intervention for :meth:`Scenario.to_frame`."""
    felt: Any = x.exposure
    where = "everywhere alike"
    if not x.national:
        felt, where = np.nan, felt if isinstance(felt, str) else f"{len(felt)} places given"
    rows = [
        ("size", "percent", 100 * np.expm1(x.size.ppf(_LEVELS)), str(x.size)),
        ("onset", "month", _NOTHING, _when(x.onset)),
        ("scope", "deaths of", _NOTHING, x.scope),
        ("p_null", "probability", (x.p_null,) * 3, "that it does nothing"),
        ("direction", "", _NOTHING, x.direction),
        *_quantities(x, ""),
        ("exposure", "share", (felt,) * 3, where),
    ]
    if x.rebound is not None:
        rows.append(("rebound.p_null", "probability", (x.rebound.p_null,) * 3, "of no rebound"))
        rows += _quantities(x.rebound, "rebound.")
    for quantity_name, unit, values, words in rows:
        yield scenario, x.name, quantity_name, unit, *map(float, values), words, x.source, x.grade


def _quantities(owner: Intervention | Rebound, of: str) -> Iterator[tuple[str, str, Any, str]]:
    """Quantity, unit, quantiles and words of all that has a prior, but for the size."""
    for key, take in TAKES[type(owner).__name__].items():
        if getattr(take, "func", None) is quantity:
            prior: Prior | None = getattr(owner, key)
            values = _NOTHING if prior is None else prior.ppf(_LEVELS)
            words = "none: it stays" if prior is None else str(prior)
            yield f"{of}{key}", _UNITS.get(key, "months"), values, words


def _size_words(size: Prior) -> str:
    """A size as people say it, with its 90% interval."""
    low, middle, high = 100 * np.expm1(size.ppf(_LEVELS))
    spread = f" (90% {low:+.0f} to {high:+.0f})" if low != high else ""
    return f"{middle:+.0f}% of deaths{spread}"


def _when(onset: Any) -> str:
    if onset is None:
        return "the month after the as-of date"
    first, last = onset
    return str(first) if first == last else f"{first} to {last}"


#: The status quo: nothing is assumed beyond the baseline.
NULL = Scenario("null", title="Status quo")


def _plain(x: Scenario | Intervention | Rebound) -> dict[str, Any]:
    """Plain form, its keys in the order of the grammar; what says nothing is left out."""
    out: dict[str, Any] = {}
    for key in TAKES[type(x).__name__]:
        value = vars(x).get(key)
        if isinstance(value, PooledChance):
            value = value.judgements
        if isinstance(value, Prior):
            plain = value.to_dict()
            said = isinstance(plain, dict) and set(plain) <= set(SIZES)
            # A size as it was said: a log rate ratio, a percent, or a dose.
            out |= plain if said else {key: plain}  # type: ignore[arg-type]
        elif key == "half_life":
            out[key] = "none"
        elif key == "onset" and value is not None:
            first, last = map(str, value)
            out[key] = first if first == last else {"between": [first, last]}
        elif isinstance(value, Rebound):
            out[key] = _plain(value)
        elif isinstance(value, Mapping | tuple) and value:
            out[key] = dict(value) if isinstance(value, Mapping) else list(value)
        elif value not in (None, "", ()):
            out[key] = value
    return out
