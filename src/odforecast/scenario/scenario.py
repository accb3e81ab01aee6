"""Scenario: a named, versioned, frozen list of interventions."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.names import SCENARIO_ID
from odforecast.say import card, html_table, steady
from odforecast.scenario.intervention import Intervention, Rebound
from odforecast.scenario.priors import Prior
from odforecast.scenario.wording import shown
from odforecast.seeds import content_hash

_NAME = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,199}")  # prior_NAME.svg is a file


@dataclass(frozen=True, repr=False)
class Scenario:
    """What is assumed to happen.

    Attributes
    ----------
    name : str
        Lower case, words joined by hyphens; the ``scenario_id`` of every table.
    interventions : tuple of Intervention
        Each with its own probability of happening. Effects add up on the log scale.
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
        object.__setattr__(self, "interventions", tuple(self.interventions))
        if not _NAME.fullmatch(self.name):
            raise ScenarioError(
                f"name is {shown(self.name)}, allowed: up to 200 lower-case letters, "
                "digits and . + _ -"
            )
        if self.version < 1:
            raise ScenarioError(f"{self.name}: version is {self.version}, allowed: 1 or more")
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
        """Hash of all that is assumed, 16 hex digits; titles and questions do not count."""
        plain = {k: v for k, v in self.to_dict().items() if k not in ("title", "question")}
        return content_hash(json.dumps(plain, sort_keys=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain form, as written to files."""
        out: dict[str, Any] = {"name": self.name, "version": self.version}
        for key in ("title", "question"):
            if getattr(self, key):
                out[key] = getattr(self, key)
        out["interventions"] = [_plain(x) for x in self.interventions]
        return out


_COLUMNS = (
    SCENARIO_ID, "intervention", "quantity", "unit", "q05", "q50", "q95", "prior", "source",
    "grade",
)  # fmt: skip
_LEVELS = np.array([0.05, 0.5, 0.95])
#: Quantities with a prior, and their units.
_UNITS = {
    "lag": "months",
    "lag_spread": "sd of a log",
    "ramp": "months",
    "plateau": "months",
    "half_life": "months",
    "residue": "share",
    "spread": "sd of a log",
    "share": "share",
    "replaced": "share",
}


def _assumed(scenario: str, x: Intervention) -> Iterator[tuple[object, ...]]:
    """Rows of one intervention for :meth:`Scenario.to_frame`."""

    def row(quantity: str, unit: str, values: Iterable[float], words: str) -> tuple[object, ...]:
        return (scenario, x.name, quantity, unit, *map(float, values), words, x.source, x.grade)

    nothing = (np.nan,) * 3
    yield row("size", "percent", 100 * np.expm1(x.size.ppf(_LEVELS)), str(x.size))
    yield row("onset", "month", nothing, _when(x.onset))
    yield row("scope", "deaths of", nothing, x.scope)
    yield row("probability", "probability", (x.probability,) * 3, "that it happens")
    yield row("p_null", "probability", (x.p_null,) * 3, "that it does nothing")
    yield row("direction", "", nothing, x.direction)
    for name, unit in _UNITS.items():
        yield _of_prior(row, name, unit, getattr(x, name))
    if isinstance(x.exposure, int | float):
        yield row("exposure", "share", (x.exposure,) * 3, "everywhere alike")
    else:
        words = x.exposure if isinstance(x.exposure, str) else f"{len(x.exposure)} places given"
        yield row("exposure", "share", nothing, words)
    if x.rebound is not None:
        yield row("rebound.p_null", "probability", (x.rebound.p_null,) * 3, "of no rebound")
        for name in ("fraction", "after", "ramp", "half_life"):
            unit = "share" if name == "fraction" else "months"
            yield _of_prior(row, f"rebound.{name}", unit, getattr(x.rebound, name))


def _of_prior(
    row: Callable[..., tuple[object, ...]], name: str, unit: str, prior: Prior | None
) -> tuple[object, ...]:
    if prior is None:
        return row(name, unit, (np.nan,) * 3, "none: it stays")
    return row(name, unit, prior.ppf(_LEVELS), str(prior))


def _size(size: Prior) -> str:
    """A size as people say it, with its 90 % interval."""
    low, middle, high = 100 * np.expm1(size.ppf(_LEVELS))
    spread = f" (90 % {low:+.0f} to {high:+.0f})" if low != high else ""
    return f"{middle:+.0f} % of deaths{spread}"


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
    if not axes or not all(axes.values()):
        raise ScenarioError("grid has an axis without levels, allowed: at least one level each")
    out = []
    for combination in itertools.product(*(levels.items() for levels in axes.values())):
        parts: list[Intervention] = []
        for _, what in combination:
            if isinstance(what, Intervention):
                parts.append(what)
            elif what is not None:
                parts.extend(what)
        title = ", ".join(f"{axis}: {level}" for axis, (level, _) in zip(axes, combination))
        out.append(Scenario(".".join(level for level, _ in combination), tuple(parts), title=title))
    return tuple(out)


def _plain(x: Intervention) -> dict[str, Any]:
    out: dict[str, Any] = {"name": x.name}
    if x.onset is not None:
        first, last = map(str, x.onset)
        out["onset"] = first if first == last else {"between": [first, last]}
    out |= {
        "scope": x.scope,
        "probability": float(x.probability),
        **_sized(x.size),
        "p_null": float(x.p_null),
        "direction": x.direction,
        "lag": x.lag.to_dict(),
        "lag_spread": x.lag_spread.to_dict(),
        "ramp": x.ramp.to_dict(),
        "plateau": x.plateau.to_dict(),
        "half_life": _or_none(x.half_life),
        "residue": x.residue.to_dict(),
        "exposure": dict(x.exposure) if isinstance(x.exposure, Mapping) else x.exposure,
        "spread": x.spread.to_dict(),
        "share": x.share.to_dict(),
        "replaced": x.replaced.to_dict(),
        "grade": x.grade,
    }
    if x.rebound is not None:
        out["rebound"] = _plain_rebound(x.rebound)
    for key in ("backfire", "source", "note"):
        if getattr(x, key):
            out[key] = getattr(x, key)
    if x.references:
        out["references"] = list(x.references)
    return out


def _sized(size: Prior) -> dict[str, Any]:
    """The size as it was said: a log rate ratio, a percent, or a dose."""
    plain = size.to_dict()
    if isinstance(plain, dict) and set(plain) <= {"percent", "dose"}:
        return plain
    return {"size": plain}


def _plain_rebound(rebound: Rebound) -> dict[str, Any]:
    return {
        "fraction": rebound.fraction.to_dict(),
        "p_null": float(rebound.p_null),
        "after": rebound.after.to_dict(),
        "ramp": rebound.ramp.to_dict(),
        "half_life": _or_none(rebound.half_life),
    }


def _or_none(prior: Prior | None) -> object:
    return "none" if prior is None else prior.to_dict()
