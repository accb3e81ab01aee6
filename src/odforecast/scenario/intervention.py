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

Values are read as :mod:`odforecast.scenario.grammar` has it, from a file and in Python alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.geography import NATION as NATION
from odforecast.names import SCENARIO_ID
from odforecast.say import card, html_table, steady
from odforecast.scenario import drawing, grammar
from odforecast.scenario.catalogue import prior_table
from odforecast.scenario.distributions import (
    Fixed,
    Judgements,
    Prior,
    Quantity,
    Uniform,
)
from odforecast.scenario.grammar import ALL, NOTHING, SIZES, Exposure, Take
from odforecast.scenario.values import Mistakes, check_keys, located, refusal, show
from odforecast.seeds import content_hash

#: Whose judgement a chance is where nobody is named: of a named prior.
OURS = "Our judgment"
#: And of a user's own numbers.
ASKED = "The user's judgment"
#: Keys that Python leaves open with None.
OPEN = ("onset", "spread", "p_null")

#: Differences between states: at most half the effect's size (sd of the log, drawn once a draw).
SPREAD = Uniform(0, 0.5)

_ZERO = Fixed(0)
_ONE = Fixed(1)
_HALF_YEAR = Fixed(6)
_YEAR = Fixed(12)


def _read_rebound(value: object, key: str) -> Rebound | None:
    """A rebound, or its keys; ``prior`` fills in what is not given."""
    if isinstance(value, Rebound):
        return value
    if value is None or value == NOTHING:
        return None
    if not isinstance(value, Mapping):
        raise refusal(key, value, allowed="a table of keys, or none")
    with located(f"{key}: ", "rebound."):
        check_keys(value, READERS["Rebound"])
        table = dict(value)
        if "prior" in table:
            prior = named_keys(table.pop("prior"))
            table = {**prior, "after": prior["lag"], **table}
        if "fraction" not in table:
            raise ScenarioError(
                "key 'fraction' is missing",
                hint="or write {prior: substitution-rebound}",
            )
        return Rebound(
            **{f.name: table[f.name] for f in fields(Rebound) if f.name in table}
        )


def named_keys(name: Any) -> dict[str, Any]:
    """Keys of a named prior."""
    return prior_table(READERS["Intervention"]["prior"](name, "prior"))


def _read_interventions(value: object, key: str) -> tuple[Intervention, ...]:
    interventions = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(x, Intervention) for x in interventions):
        raise refusal(key, value, allowed="a list of Intervention")
    return interventions


#: How the values of each noun are read, in the order of a file.
READERS: dict[str, dict[str, Take]] = {
    "Scenario": grammar.readers(grammar.Scenario, interventions=_read_interventions),
    "Intervention": grammar.readers(grammar.Intervention, rebound=_read_rebound),
    "Rebound": grammar.readers(grammar.Rebound),
}


def _read_values(noun: Scenario | Intervention | Rebound) -> None:
    """Bring every value into its own form; refuse what it cannot be, all of it at once."""
    mistakes = Mistakes()
    for key, read in READERS[type(noun).__name__].items():
        value = vars(noun).get(key)
        is_open = isinstance(noun, Intervention) and value is None and key in OPEN
        if key not in vars(noun) or is_open:
            continue
        with mistakes:
            object.__setattr__(noun, key, read(value, key))
    mistakes.raise_all()


def _pool_chance(noun: Intervention | Rebound) -> None:
    """Keep the judgements of a chance beside it; drop those of another chance."""
    if isinstance(noun.p_null, Judgements):
        object.__setattr__(noun, "judgements", noun.p_null)
        object.__setattr__(noun, "p_null", noun.p_null.mean)
    elif noun.judgements is not None and noun.judgements.mean != noun.p_null:
        object.__setattr__(noun, "judgements", None)


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
    judgements : Judgements or None
        What people judged of ``p_null``, where it is the mean of that.
    """

    fraction: Prior
    p_null: float = 0.0
    after: Prior = _YEAR
    ramp: Prior = _HALF_YEAR
    half_life: Prior | None = None
    judgements: Judgements | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        with located("rebound."):
            _read_values(self)
        _pool_chance(self)


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
    mechanism : str
        How it acts: ``"cooperation"``, ``"supply"``, ``"scheduling"``, ``"treatment"``,
        ``"naloxone"`` or ``"other"``. It decides what a brief says of causes and signs.
    p_null : float, optional
        Probability that it has no effect; or :class:`Judgements`, whose mean it then is. Without
        it, and without ``belief``, it is a what-if.
    belief : str
        Whose judgement the chances are; ``"none"``: a what-if, whose answer is given that it
        works, with no probability attached.
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
    judgements : Judgements or None
        What people judged of ``p_null``, where it is the mean of that.

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
    p_null: Any = None
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
    judgements: Judgements | None = field(default=None, compare=False)
    mechanism: str = "other"

    def __post_init__(self) -> None:
        READERS["Intervention"]["name"](self.name, "name")
        with located(f"{self.name}: "):
            _read_values(self)
            _pool_chance(self)
            self._check_direction()
            if isinstance(self.exposure, str) and self.scope != ALL:
                raise ScenarioError(
                    f"exposure is {self.exposure!r} and scope {self.scope!r}, allowed: one of them",
                    hint="deaths of the class are the exposure already; with both the share of the "
                    "class counts twice",
                )
        if self.p_null is None:  # nobody gave a chance of failure
            object.__setattr__(self, "p_null", 0.0)
            object.__setattr__(self, "belief", self.belief or "none")
        if self.spread is None:
            # A size without uncertainty is a what-if for every state alike.
            object.__setattr__(self, "spread", SPREAD if self.size.sd > 0 else Fixed(0))

    def __hash__(self) -> int:
        return hash((self.name, self.size, self.onset))

    def _check_direction(self) -> None:
        """Refuse a size of which the direction leaves nothing."""
        least, most = self.size.ppf(np.array([1e-6, 1 - 1e-6]))
        rises = self.direction == "rise"
        if (rises and most < 0) or (self.direction == "fall" and least > 0):
            raise ScenarioError(
                f"direction is {self.direction!r} and the size {_size_words(self.size)}, "
                "of which nothing would count",
                hint="change the sign of the size, or remove direction",
            )

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
        return self.direction == "rise" or (
            self.direction == "either" and least >= 0.0 < middle
        )

    @property
    def is_what_if(self) -> bool:
        """Whether nobody holds a belief about it: its answer is given that it works."""
        return self.belief == "none"

    @property
    def owner(self) -> str:
        """Whose judgement its chances are."""
        if self.belief:
            return self.belief
        if self.judgements is not None:
            return _owner_of(self.judgements)
        return ASKED if self.grade == "user" else OURS

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
        READERS["Scenario"]["name"](self.name, "name")
        with located(f"{self.name}: "):
            _read_values(self)
        names = [x.name for x in self.interventions]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ScenarioError(
                f"{self.name}: two interventions are named {show(doubled[0])}, "
                "allowed: distinct names",
                hint="interventions of one name share their random numbers",
            )
        if self.name == "null" and self.interventions:
            raise ScenarioError(
                "null has interventions, allowed: none; give it another name"
            )

    @property
    def _heading(self) -> str:
        return (
            f"Scenario {self.name}: {self.title}"
            if self.title
            else f"Scenario {self.name}"
        )

    @steady
    def __repr__(self) -> str:
        lines = [
            f"{x.name}: {_size_words(x.size)}, from {_when(x.onset)}, grade {x.grade}"
            for x in self.interventions[:4]
        ]
        if not lines:
            lines = ["nothing is assumed beyond the baseline"]
        n_more = len(self.interventions) - 4
        if n_more > 0:
            lines.append(f"and {n_more} more")
        return card(
            self._heading, *lines, "next: od.project(forecast, [scenario]), .to_frame()"
        )

    @steady
    def _repr_html_(self) -> str:
        table = self.to_frame().drop(columns=["scenario_id", "source"])
        return html_table(
            table,
            self._heading,
            note="assumptions with a source and a grade, not estimates"
            if len(table)
            else "",
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
        return replace(
            self, interventions=tuple(x.at(onset) for x in self.interventions)
        )

    @property
    def hash(self) -> str:
        """Hash of all that is assumed, 16 hex digits; what is only for people does not count."""
        plain = _assumed_alone(self.to_dict())
        # Files once had these too: what they say of every file keeps the hashes they had.
        constants = {"probability": 1.0, "lag_spread": 0.0}
        plain["interventions"] = [x | constants for x in plain["interventions"]]
        return content_hash(json.dumps(plain, sort_keys=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as written to files."""
        parts = [_plain(x) for x in self.interventions]
        return {**_plain(self), "interventions": parts}


#: Keys for people alone, which no hash counts.
_FOR_PEOPLE = (
    "title",
    "question",
    "belief",
    "mechanism",
    "needs",
    "sign",
    "stop",
    "who",
    "date",
)


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
_NO_VALUES = [np.nan] * 3


def _assumed(scenario: str, x: Intervention) -> Iterator[tuple[object, ...]]:
    """Rows of one intervention for :meth:`Scenario.to_frame`."""
    exposure = np.nan
    exposure_words = "everywhere alike"
    if isinstance(x.exposure, str):
        exposure_words = x.exposure
    elif isinstance(x.exposure, Mapping):
        exposure_words = f"{len(x.exposure)} places given"
    else:
        exposure = x.exposure
    rows = [
        ("size", "percent", 100 * np.expm1(x.size.ppf(_LEVELS)), str(x.size)),
        ("onset", "month", _NO_VALUES, _when(x.onset)),
        ("scope", "deaths of", _NO_VALUES, x.scope),
        ("p_null", "probability", [x.p_null] * 3, "that it does nothing"),
        ("direction", "", _NO_VALUES, x.direction),
        *_quantities(x),
        ("exposure", "share", [exposure] * 3, exposure_words),
    ]
    if x.rebound is not None:
        rows.append(
            ("rebound.p_null", "probability", [x.rebound.p_null] * 3, "of no rebound")
        )
        rows += _quantities(x.rebound, prefix="rebound.")
    for quantity, unit, values, words in rows:
        if quantity == "p_null" and x.is_what_if:
            continue
        yield (
            scenario,
            x.name,
            quantity,
            unit,
            *map(float, values),
            words,
            x.source,
            x.grade,
        )


def _quantities(
    noun: Intervention | Rebound, prefix: str = ""
) -> Iterator[tuple[str, str, Any, str]]:
    """Quantity, unit, quantiles and words of all that has a prior, but for the size."""
    for key, read in READERS[type(noun).__name__].items():
        if not isinstance(read, Quantity):
            continue
        prior: Prior | None = getattr(noun, key)
        if prior is None:
            yield f"{prefix}{key}", read.unit, _NO_VALUES, "none: it stays"
        else:
            yield f"{prefix}{key}", read.unit, prior.ppf(_LEVELS), str(prior)


def _owner_of(judgements: Judgements) -> str:
    """Whose judgement a pooled chance is."""
    first, *rest = (person.who for person in judgements.people)
    if not rest:
        return f"The judgment of {first}"
    text = "another" if len(rest) == 1 else f"{len(rest)} others"
    return f"The judgment of {first} and {text}"


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


def _plain(noun: Scenario | Intervention | Rebound) -> dict[str, Any]:
    """Plain form, its keys in the order of the grammar; what says nothing is left out."""
    table: dict[str, Any] = {}
    for key in READERS[type(noun).__name__]:
        value = vars(noun).get(key)
        if key == "p_null" and vars(noun)["judgements"] is not None:
            value = vars(noun)["judgements"]
        if isinstance(value, Prior):
            plain = value.to_dict()
            if isinstance(plain, dict) and set(plain) <= set(SIZES):
                table |= plain  # a percent or a dose, in place of the size
            else:
                table[key] = plain
        elif key == "half_life":
            table[key] = NOTHING
        elif key == "onset" and value is not None:
            first, last = map(str, value)
            table[key] = first if first == last else {"between": [first, last]}
        elif isinstance(value, Rebound):
            table[key] = _plain(value)
        elif isinstance(value, Mapping):
            table[key] = dict(value)
        elif isinstance(value, tuple) and value:
            table[key] = list(value)
        elif value not in (None, "", ()):
            table[key] = value
    return table
