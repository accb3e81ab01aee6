"""Outcomes of the units of one plan, put together: tables in the plan's order, and the manifest."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Protocol

import pandas as pd

from odforecast.backtesting.digest import code_digest
from odforecast.backtesting.origin import listed
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.rows import QUANTILE_CATEGORIES
from odforecast.backtesting.unit import Unit
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES
from odforecast.seeds import content_hash
from odforecast.version import __version__

#: Warnings kept per model.
_WARNINGS = 10


def by_origin(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Outcomes of whole origins: states put together in the order an undivided unit has."""
    pairs = list(zip(units, outcomes, strict=True))
    for indices in units_by_origin(units):
        members = [pairs[i] for i in indices]
        if not members[0][0].state:
            yield from (o for _, o in members)
            continue
        targets = members[0][0].targets
        tables = {}
        for name in ("scores", "quantiles", "failures", "joint"):
            parts = [t for _, o in members if not (t := getattr(o, name)).empty]
            table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
            if parts and name == "failures":
                table = table.drop_duplicates(ignore_index=True)
            elif parts:
                place = table["target"].astype(object).map(targets.index)
                keys = {"place": place} | ({"level": table["level"]} if "level" in table else {})
                order = pd.DataFrame(keys).sort_values(list(keys), kind="stable").index
                table = table.loc[order].reset_index(drop=True)
            if parts and name == "quantiles":
                table = table.astype(dict.fromkeys(QUANTILE_CATEGORIES, object))
                table = table.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category"))
            tables[name] = table
        seconds = sum(o.seconds for _, o in members)
        yield Outcome(
            tables["scores"],
            tables["quantiles"],
            tables["failures"],
            seconds,
            joint=tables["joint"],
        )


def units_by_origin(units: Sequence[Unit]) -> Iterator[list[int]]:
    """Positions of the units of one model at one origin, in the plan's order."""
    numbered = groupby(
        enumerate(units), key=lambda p: (id(p[1].model), id(p[1].origin), bool(p[1].state))
    )
    for _, group in numbered:
        yield [i for i, _ in group]


def joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate; categorical columns take the union of their categories, dates one unit."""
    joined = {}
    for column in parts[0].columns:
        pieces = [p[column] for p in parts]
        if isinstance(pieces[0].dtype, pd.CategoricalDtype):
            joined[column] = pd.Series(pd.api.types.union_categoricals(pieces))
        else:
            joined[column] = pd.concat(pieces, ignore_index=True)
        if pd.api.types.is_datetime64_any_dtype(joined[column]):
            # Parquet has no seconds: keep what a stored and a fresh unit can share.
            joined[column] = joined[column].astype("datetime64[ms]")
    return pd.DataFrame(joined)


#: What a backtest of counties says of its files, on the screen and in the manifest.
SMALL_COUNTS = (
    "files of a backtest of counties hold the model's own numbers, below 10 too: not for "
    "publication"
)


class Told(Protocol):
    """What a manifest says of a unit: an :class:`Outcome` says it, and much more."""

    @property
    def seconds(self) -> float:
        """Time to fit and forecast."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the model warned of."""
        ...


def _source(spec: Spec) -> str:
    """Distributions of a model's code, its members' too; empty where one of them is unknown."""
    origins = [spec.origin, *(_source(member) for member in spec.members)]
    return ", ".join(dict.fromkeys(origins)) if all(origins) else ""


def manifest_of(
    units: Sequence[Unit],
    outcomes: Sequence[Told],
    notes: Sequence[str] = (),
    more: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """What was run; see :attr:`odforecast.backtesting.results.Results.manifest`.

    Parameters
    ----------
    units, outcomes
        One outcome per unit.
    notes : sequence of str
        What to know of the run.
    more : mapping, optional
        What else it says: the task that was answered.
    """
    first = units[0]
    seconds: dict[str, float] = {}
    said: dict[str, Counter[str]] = {}
    for unit, outcome in zip(units, outcomes):
        seconds[unit.model.label] = seconds.get(unit.model.label, 0.0) + outcome.seconds
        said.setdefault(unit.model.label, Counter()).update(outcome.warnings)
    origins = list(dict.fromkeys(id(u.origin) for u in units))
    by_id = {id(u.origin): u.origin for u in units}
    panels = [o.panel for o in by_id.values() if o.panel is not None]
    data_notes = dict.fromkeys(n for p in (*panels, first.truth.panel) for n in p.notes)
    return {
        "odforecast": __version__,
        "python": platform.python_version(),
        "run": content_hash(*(u.key for u in units)),
        "models": {u.model.label: u.model.spec.version for u in units},
        "specs": {u.model.label: u.model.spec.hash for u in units},
        # Distributions that the models' code comes from; empty: unknown, and never reused.
        "sources": {u.model.label: _source(u.model.spec) for u in units},
        "code": code_digest(),
        # The commonest, each with the number of units it came up in.
        "warnings": {
            name: [f"{text} ({n} units)" for text, n in texts.most_common(_WARNINGS)]
            for name, texts in said.items()
            if texts
        },
        "model_seconds": {name: round(s, 3) for name, s in seconds.items()},
        "origins": [listed(by_id[i]) for i in origins],
        "truth": {
            "name": first.truth.kind,
            "release": str(first.truth.release),
            "min_age": first.truth.min_age,
            "data_hash": first.truth.data_hash,
        },
        "locations": list(dict.fromkeys(s for u in units for s in u.locations)),
        "indicator": first.truth.panel.indicator,
        "dataset": first.truth.panel.dataset,
        "basis": first.truth.panel.basis,
        "targets": list(first.targets),
        "horizon": first.horizon,
        "horizons": list(first.horizons) or "all",
        "levels": list(first.levels),
        # Named only where there are some, as in the units' keys.
        **({"metrics": [m.name for m in first.metrics]} if first.metrics else {}),
        **({"joint": True} if first.joint else {}),
        **(more or {}),
        "draws": first.draws,
        "seed": first.seed,
        "notes": list(notes),
        "data_notes": list(data_notes),
        **({"publication": SMALL_COUNTS} if first.truth.panel.dataset == COUNTIES else {}),
    }
