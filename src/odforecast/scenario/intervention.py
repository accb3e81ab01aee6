"""Intervention: an assumed effect on log monthly deaths, with priors for all it depends on.

In state *s* and month *t*, with ``x = t - onset - lag`` in months,

    delta_s(t) = b_s shape(x) + fraction (-b_s)+ rebound shape(x - ramp - after)
    b_s        = c beta u_s exposure_s,    u_s ~ LogNormal(-tau^2 / 2, tau)
    shape(x)   = ramp(x / ramp) * (residue + (1 - residue) 2^(-(x - ramp - plateau)+ / half_life))

and monthly deaths of the scope are multiplied by ``exp(delta)``. Every state keeps the sign of
beta, and ``c`` makes the nation's deaths over the months ahead change by ``exp(beta)`` at full
strength in every draw (with exposures that differ, c is 1 and the nation's effect is an output).
A rebound is a fraction of the success that it follows. The counts cannot identify "cooperation":
the size is an assumption with a source and a grade, never an estimate from a step at a diplomatic
date.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError, ScenarioError, UnknownNameError
from odforecast.geography import NATION as NATION
from odforecast.geography.places import lookup
from odforecast.months import Months, to_month
from odforecast.names import SCENARIO_ID
from odforecast.panel import Floats
from odforecast.say import card, html_table, steady
from odforecast.scenario import drawing, grammar
from odforecast.scenario.grammar import ALL as ALL
from odforecast.scenario.grammar import FORMS
from odforecast.scenario.priors import Fixed, PooledChance, Prior, SpikeSlab, Uniform, is_number
from odforecast.scenario.wording import nearest, shown
from odforecast.seeds import content_hash

Exposure = float | str | Mapping[str, float]

#: First month behind CDC's counts, and the last month an onset may have.
FIRST_MONTH = np.datetime64("2014-02", "M")
LAST_MONTH = np.datetime64("2099-12", "M")

#: Key of the rest in a table of exposures.
REST = "default"

#: Differences between states: at most half the effect's size (sd of the log, drawn once a draw).
SPREAD = Uniform(0, 0.5)

_ZERO, _ONE, _HALF_YEAR, _YEAR = Fixed(0), Fixed(1), Fixed(6), Fixed(12)


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
        _hold(self, grammar.Rebound, "rebound.")


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
        grammar.NAME.held(self.name, "intervention: name")
        where = f"{self.name}: "
        if self.spread is None:
            size = grammar.SIZE.held(self.size, f"{where}size")
            # A size without uncertainty is a what-if for every state alike.
            object.__setattr__(self, "spread", SPREAD if size.sd > 0 else Fixed(0))
        _hold(self, grammar.Intervention, where)
        if not isinstance(self.rebound, Rebound | None):
            raise ScenarioError(
                f"{where}rebound is {shown(self.rebound)}, allowed: a Rebound, or None"
            )
        object.__setattr__(self, "onset", _months(self))
        object.__setattr__(self, "exposure", _exposure(self))

    def __reduce__(self) -> tuple[type[Intervention], tuple[object, ...]]:
        # A mapping proxy does not pickle.
        values = vars(self).values()
        return type(self), tuple(dict(v) if isinstance(v, Mapping) else v for v in values)

    def __hash__(self) -> int:
        values = vars(self).values()
        return hash(
            tuple(tuple(sorted(v.items())) if isinstance(v, Mapping) else v for v in values)
        )

    def at(self, onset: object) -> Intervention:
        """The same, beginning then, if it was left open."""
        return replace(self, onset=onset) if self.onset is None else self

    @property
    def national(self) -> bool:
        """Whether all locations feel it alike, so that its size is the nation's effect."""
        return isinstance(self.exposure, int | float)

    @property
    def prior(self) -> SpikeSlab:
        """Prior of the effect, the possibility of none included."""
        return SpikeSlab(self.size, self.p_null)

    def chances(self) -> tuple[float, float, float]:
        """Probability that it works, does nothing, and backfires.

        It works where it averts deaths over the 36 months from its onset, whatever horizon is
        shown, and backfires where it adds some.
        """
        return drawing.chances(self)

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
            return f"The judgement of {first}{f' and {more}' if others else ''}"
        return self.belief or ("The judgement of whoever asked" if self.grade == "user" else
                               "Our judgement")  # fmt: skip

    def scaled(self, share: float | Prior) -> Intervention:
        """The same, working only ``share`` as well: 0.5 for half, 0 for not at all."""
        prior = share if isinstance(share, Prior) else Fixed(float(share))
        return replace(self, share=prior)

    def curve(self, months: Months) -> Floats:
        """Share of the full effect in each month, every prior at its median, shape (M,)."""
        return drawing.curve(self, months)

    def draw(
        self,
        months: Months,
        locations: Sequence[str],
        exposure: Floats,
        draws: int,
        seed: int,
        weights: Mapping[str, Floats] | None = None,
    ) -> Floats:
        """Draws of the log rate ratio.

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (M,)
            Months.
        locations : sequence of str
            L locations. ``US``, and any other sum, has the mean effect.
        exposure : ndarray, shape (L,)
            Share of the effect each location feels.
        draws : int
            How many, D.
        seed : int
            The same seed and name give the same draws, whatever the locations' order.
        weights : mapping of str to ndarray, shape () or (D,), optional
            Deaths of the scope in each of the 52 jurisdictions without the effect: expected, or in
            every draw. Without them, or with exposures that differ, the nation's effect falls
            where the states' factors put it.

        Returns
        -------
        ndarray, shape (D, L, M)
        """
        return drawing.draw(self, months, locations, exposure, draws, seed, weights)


def _hold(x: Intervention | Rebound, keys: type[Any], where: str) -> None:
    """Bring every value into its own form; refuse what it cannot be."""
    for key, form in FORMS[keys].items():
        if key in vars(x):
            object.__setattr__(x, key, form.held(getattr(x, key), f"{where}{key}"))


def _months(x: Intervention) -> tuple[np.datetime64, np.datetime64] | None:
    if x.onset is None:
        return None
    pair = x.onset if isinstance(x.onset, tuple | list) else (x.onset, x.onset)
    if len(pair) != 2:
        raise ScenarioError(f"{x.name}: onset is {shown(x.onset)}, allowed: one or two months")
    try:
        first, last = map(to_month, pair)
    except OdforecastError as error:
        raise ScenarioError(
            f"{x.name}: onset: {error.message}, allowed: a month such as 2026-03"
        ) from error
    if not FIRST_MONTH <= first <= last <= LAST_MONTH:
        raise ScenarioError(
            f"{x.name}: onset is {first}..{last}, allowed: {FIRST_MONTH} (where the data begin) to "
            f"{LAST_MONTH}, the first not after the last"
        )
    return first, last


def _exposure(x: Intervention) -> Exposure:
    """An exposure of known places or of a known name, nowhere twice."""
    value, where = x.exposure, f"{x.name}: exposure"
    if isinstance(value, str):
        if value not in (named := grammar.NAMED_EXPOSURES):
            gone = value.startswith("nflis-share")
            meant = ", which is no longer a name" if gone else nearest(value, named)
            raise ScenarioError(
                f"{where} is {shown(value)}{meant}",
                hint=f"allowed: a number, a table by location, or {', '.join(named)}",
            )
        if x.scope != ALL:
            raise ScenarioError(
                f"{where} is {value!r} and scope {x.scope!r}, allowed: one of them",
                hint="deaths of the class are the exposure already; with both the share of the "
                "class counts twice",
            )
        return value
    if not isinstance(value, Mapping):
        return _felt(where, value)
    if not value:
        raise ScenarioError(f"{where} is an empty table, allowed: one location or more")
    table: dict[str, float] = {}
    names: dict[str, object] = {}
    for key, number in value.items():
        try:
            code = REST if key == REST else lookup(str(key)).state
        except UnknownNameError as error:
            raise ScenarioError(
                f"{where} of {shown(key)}: {shown(key)} is not a place{nearest(key, (REST,))}",
                hint=f"allowed: states as OH or Ohio, US, NYC, and {REST}",
            ) from error
        if code in table:
            raise ScenarioError(
                f"{where} has {shown(names[code])} and {shown(key)}, one place, "
                "allowed: each place once"
            )
        table[code], names[code] = _felt(f"{where} of {code}", number), key
    return MappingProxyType(table)


def _felt(where: str, value: Any) -> float:
    """An exposure: a number from 0 to 5."""
    most = grammar.MOST_EXPOSED
    if not is_number(value) or not 0.0 <= value <= most:
        got = f"{value:g}" if is_number(value) else shown(value)
        raise ScenarioError(f"{where} is {got}, allowed: a number from 0 to {most:g}")
    return float(value)


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
        given = self.interventions
        parts = tuple(given) if isinstance(given, Iterable) else (None,)
        if not all(isinstance(x, Intervention) for x in parts):
            raise ScenarioError(
                f"{self.name}: interventions is {shown(given)}, allowed: a list of Intervention"
            )
        object.__setattr__(self, "interventions", parts)
        for key, form in FORMS[grammar.Scenario].items():
            form.held(getattr(self, key), key if key == "name" else f"{self.name}: {key}")
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
            f"{x.name}: {_size(x.size)}, from {_when(x.onset)}, grade {x.grade}"
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
            "assumptions with a source and a grade, not estimates" if len(table) else "",
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
        return pd.DataFrame(rows, columns=list(_COLUMNS))

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
        out: dict[str, Any] = {"name": self.name, "version": self.version}
        out |= {key: text for key in ("title", "question") if (text := getattr(self, key))}
        return out | {"interventions": [_plain(x) for x in self.interventions]}


#: Keys for people alone, which no hash counts.
_FOR_PEOPLE = ("title", "question", "belief", "needs", "sign", "stop", "who", "date")


def _assumed_alone(plain: Any) -> Any:
    """A plain form without what is only for people."""
    if isinstance(plain, dict):
        return {k: _assumed_alone(v) for k, v in plain.items() if k not in _FOR_PEOPLE}
    return list(map(_assumed_alone, plain)) if isinstance(plain, list) else plain


_COLUMNS = (
    SCENARIO_ID, "intervention", "quantity", "unit", "q05", "q50", "q95", "prior", "source",
    "grade",
)  # fmt: skip
_LEVELS = np.array([0.05, 0.5, 0.95])


def _assumed(scenario: str, x: Intervention) -> Iterator[tuple[object, ...]]:
    """Rows of one intervention for :meth:`Scenario.to_frame`."""

    def row(quantity: str, unit: str, values: Iterable[float], words: str) -> tuple[object, ...]:
        """A row."""
        return (scenario, x.name, quantity, unit, *map(float, values), words, x.source, x.grade)

    def quantities(owner: Intervention | Rebound, keys: type[Any], of: str) -> Iterator[Any]:
        """Rows of all that has a prior, but for the size."""
        for key, form in FORMS[keys].items():
            if form.unit and key != "size":
                prior: Prior | None = getattr(owner, key)
                values = nothing if prior is None else prior.ppf(_LEVELS)
                words = "none: it stays" if prior is None else str(prior)
                yield row(f"{of}{key}", form.unit, values, words)

    nothing = (np.nan,) * 3
    yield row("size", "percent", 100 * np.expm1(x.size.ppf(_LEVELS)), str(x.size))
    yield row("onset", "month", nothing, _when(x.onset))
    yield row("scope", "deaths of", nothing, x.scope)
    yield row("p_null", "probability", (x.p_null,) * 3, "that it does nothing")
    yield row("direction", "", nothing, x.direction)
    yield from quantities(x, grammar.Intervention, "")
    if isinstance(x.exposure, int | float):
        yield row("exposure", "share", (x.exposure,) * 3, "everywhere alike")
    else:
        words = x.exposure if isinstance(x.exposure, str) else f"{len(x.exposure)} places given"
        yield row("exposure", "share", nothing, words)
    if x.rebound is not None:
        yield row("rebound.p_null", "probability", (x.rebound.p_null,) * 3, "of no rebound")
        yield from quantities(x.rebound, grammar.Rebound, "rebound.")


def _size(size: Prior) -> str:
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


def grid(
    axes: Mapping[str, Mapping[str, Intervention | Iterable[Intervention] | None]],
) -> tuple[Scenario, ...]:
    """All combinations of what may happen along each axis: two axes of two make a 2 × 2.

    Parameters
    ----------
    axes : mapping of axis to (mapping of level to interventions)
        None, or an empty list, for nothing. Level names become parts of scenario names.

    Returns
    -------
    tuple of Scenario
        In the order of the axes; a combination without any intervention stays in, under its
        own name.

    Examples
    --------
    >>> from odforecast.scenario import grid, named_intervention
    >>> resumes = named_intervention("cooperation-resumed", onset="2026-03")
    >>> shock = named_intervention("supply-shock-2023-like", onset="2026-03")
    >>> [s.name for s in grid({
    ...     "cooperation": {"resumes": resumes, "stays-off": None},
    ...     "supply": {"shock": shock, "calm": None},
    ... })]
    ['resumes.shock', 'resumes.calm', 'stays-off.shock', 'stays-off.calm']
    """
    if not isinstance(axes, Mapping) or not axes:
        raise ScenarioError(
            f"grid is {shown(axes)}, allowed: a mapping of axis to its levels",
            hint='such as {"supply": {"shock": intervention, "calm": None}}',
        )
    for axis, levels in axes.items():
        if not isinstance(levels, Mapping) or not levels:
            raise ScenarioError(
                f"grid: axis {shown(axis)} is {shown(levels)}, allowed: a mapping of one level or "
                "more to its interventions"
            )
    out = []
    for combination in itertools.product(*(levels.items() for levels in axes.values())):
        parts: list[Intervention] = []
        for _, what in combination:
            if isinstance(what, Intervention):
                parts.append(what)
            elif isinstance(what, Iterable):
                parts.extend(what)
            elif what is not None:
                raise ScenarioError(
                    f"grid: a level is {shown(what)}, allowed: interventions, or None"
                )
        title = ", ".join(f"{axis}: {level}" for axis, (level, _) in zip(axes, combination))
        out.append(Scenario(".".join(level for level, _ in combination), tuple(parts), title=title))
    return tuple(out)


def _plain(x: Intervention | Rebound) -> dict[str, Any]:
    """Plain form, its keys in the order of the grammar; what says nothing is left out."""
    keys = grammar.Rebound if isinstance(x, Rebound) else grammar.Intervention
    out: dict[str, Any] = {}
    for key in FORMS[keys]:
        value = vars(x).get(key)
        if isinstance(value, PooledChance):
            value = value.judgements
        if isinstance(value, Prior):
            plain = value.to_dict()
            said = isinstance(plain, dict) and set(plain) <= set(grammar.SIZES)
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
