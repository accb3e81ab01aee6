"""Forecasts of different locations made one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.geography import LOCATIONS
from odforecast.names import LOCATION
from odforecast.panel import LAYERS, Own, Panel, Triangle

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

_RANK = {x.state: i for i, x in enumerate(LOCATIONS)}
#: What must be the same in all panels: everything that is not a row of a location.
_SHARED = (
    "indicator", "as_of", "release", "vintage", "dataset", "basis", "final_through", "donor",
)  # fmt: skip
#: What identifies a run; a forecast without them is nobody's piece.
_IDENTITY = ("spec_hash", "seed", "data_hash")


def concat(forecasts: Iterable[Forecast]) -> Forecast:
    """Join forecasts of different locations; see :meth:`odforecast.Forecast.concat`."""
    parts = list(forecasts)
    if not parts:
        raise ForecastError("there are no forecasts to join")
    _check(parts)
    owner = {s: (k, i) for k, f in enumerate(parts) for i, s in enumerate(f.locations)}
    places = tuple(sorted(owner, key=_order))
    joint = frozenset.intersection(*(f.joint for f in parts))
    one = _pieces_of_one(parts)
    panel = parts[0].panel if one else _joined([f.panel for f in parts])
    skipped = {s: why for f in parts for s, why in f.skipped.items()}
    # Where some forecast draws the months before its own, all do.
    drawn = any(f.known.ndim > 2 for f in parts)
    known = [np.broadcast_to(f.known, (*f.draws.shape[:2], 11)) if drawn else f.known
             for f in parts]  # fmt: skip
    made = replace(
        parts[0],
        beside={},
        draws=np.stack([parts[k].draws[:, i] for k, i in map(owner.__getitem__, places)], axis=1),
        known=np.stack([known[k][..., i, :] for k, i in map(owner.__getitem__, places)], axis=-2),
        locations=places,
        joint=joint if one else joint - {LOCATION},
        panel=panel,
        skipped={s: why for s, why in skipped.items() if one or s not in owner},
        provenance=_provenance(parts, panel),
        warnings=tuple(dict.fromkeys(w for f in parts for w in f.warnings)),
        parts={s: of for f in parts for s, of in f.parts.items()},
    )
    classes = dict.fromkeys(name for f in parts for name in f.beside)
    held = {name: [f.part(name) for f in parts if name in f.beside] for name in classes}
    return made.with_parts({name: concat(of) for name, of in held.items()}) if held else made


def _order(place: str) -> tuple[int, str]:
    """CDC's rows in the order of its table, then counties by code, then sums by name."""
    return _RANK.get(place, len(_RANK) + (not place.isdigit())), place


def _check(parts: Sequence[Forecast]) -> None:
    first = parts[0]
    for other in parts[1:]:
        for what, a, b in (
            ("as-of dates", first.as_of, other.as_of),
            ("last months", first.last_month, other.last_month),
            ("targets", first.target, other.target),
            ("ways to count deaths", first.basis, other.basis),
            ("numbers of draws", len(first.draws), len(other.draws)),
            ("seeds", first.provenance.get("seed"), other.provenance.get("seed")),
            ("scenarios", first.provenance.get("scenario"), other.provenance.get("scenario")),
        ):
            if a != b:
                raise ForecastError(f"the forecasts have different {what}: {a} and {b}")
        if not np.array_equal(first.months, other.months):
            raise ForecastError(
                f"the forecasts have different months: {first.months[0]}..{first.months[-1]} and "
                f"{other.months[0]}..{other.months[-1]}"
            )
    seen: set[str] = set()
    for part in parts:
        if again := seen & set(part.locations):
            raise ForecastError(
                f"{min(again)} is in more than one forecast", hint="select before joining"
            )
        seen |= set(part.locations)


def _pieces_of_one(parts: Sequence[Forecast]) -> bool:
    """Whether all come from one model, seed and panel, so that draw d is one world in all."""
    first = parts[0]
    if not all(first.provenance.get(key) for key in _IDENTITY):
        return len(parts) == 1
    return all(
        dict(f.provenance) == dict(first.provenance)
        and (f.panel is None) == (first.panel is None)
        and (f.panel is None or first.panel is None or f.panel.data_hash == first.panel.data_hash)
        for f in parts
    )


def _provenance(parts: Sequence[Forecast], panel: Panel | None) -> dict[str, str]:
    """What all say; where they differ, all that is said, in order."""
    keys = dict.fromkeys(key for f in parts for key in f.provenance)
    out = {}
    for key in keys:
        said = dict.fromkeys(f.provenance[key] for f in parts if key in f.provenance)
        out[key] = next(iter(said)) if len(said) == 1 else " + ".join(said)
        if key == "data_hash" and panel is not None and len(said) > 1:
            out[key] = panel.data_hash
    return out


def _joined(panels: Sequence[Panel | None]) -> Panel | None:
    """One panel with the rows of all; None where a forecast has none.

    Raises
    ------
    ForecastError
        If they are not rows of one and the same panel.
    """
    held = [p for p in panels if p is not None]
    if len(held) < len(panels):
        return None
    first = held[0]
    if all(p is first or p.data_hash == first.data_hash for p in held):
        return first
    for other in held[1:]:
        for name in _SHARED:
            if getattr(other, name) != getattr(first, name):
                raise ForecastError(
                    f"the forecasts come from different panels: {name} is "
                    f"{getattr(first, name)} and {getattr(other, name)}"
                )
        if not np.array_equal(other.months, first.months):
            raise ForecastError("the forecasts come from panels of different months")
        if _releases(other) != _releases(first):
            raise ForecastError("the forecasts come from panels with different earlier releases")
    owner: dict[str, tuple[Panel, int]] = {}
    for panel in held:
        for i, place in enumerate(panel.locations):
            mine, row = owner.setdefault(place, (panel, i))
            if not _same_row(mine, row, panel, i):
                raise ForecastError(f"the forecasts come from panels that differ in {place}")
    places = tuple(sorted(owner, key=_order))
    rows = [owner[s] for s in places]
    names = dict.fromkeys(name for p in held for name in p.beside)
    layers: dict[str, Any] = {n: np.stack([getattr(p, n)[i] for p, i in rows]) for n in LAYERS}
    triangle = None
    if first.triangle is not None:
        whole = [p.triangle.rows([i]) for p, i in rows if p.triangle is not None]
        joined = {
            name: np.concatenate([t.layers[name] for t in whole], axis=1)
            for name in first.triangle.layers
        }
        triangle = Triangle(first.triangle.releases, **joined)
    return replace(
        first,
        locations=places,
        triangle=triangle,
        own=_own(held),
        beside={n: _beside([p.beside[n] for p in held if n in p.beside]) for n in names},
        notes=tuple(dict.fromkeys(note for p in held for note in p.notes)),
        problems={s: why for p in held for s, why in p.problems.items()},
        urban={s: code for p in held for s, code in p.urban.items()},
        residents={s: people for p in held for s, people in p.residents.items()},
        selected=all(p.selected for p in held),
        **layers,
    )


def _beside(panels: list[Panel]) -> Panel:
    joined = _joined(panels)
    assert joined is not None
    return joined


def _own(panels: Sequence[Panel]) -> Own | None:
    """Own counts of all panels: of each place those of the first that has some.

    Raises
    ------
    ForecastError
        If two have other counts of one place.
    """
    held = [p.own for p in panels if p.own is not None]
    if not held:
        return None
    first = held[0]
    for own in held[1:]:
        for place in sorted(set(own.places) & set(first.places)):
            if not all(np.array_equal(a, b) for a, b in zip(own.rows(place), first.rows(place))):
                raise ForecastError(f"the forecasts rest on different own counts of {place}")
        new = [place for place in own.places if place not in first.places]
        rows = [(place, *row) for place in new for row in zip(*own.rows(place))]
        first = replace(
            first,
            locations=(*first.locations, *(r[0] for r in rows)),
            months=np.append(first.months, np.array([r[1] for r in rows], dtype="datetime64[M]")),
            deaths=np.append(first.deaths, [r[2] for r in rows]),
            as_of=np.append(first.as_of, np.array([r[3] for r in rows], dtype="datetime64[D]")),
        )
    return first


def _releases(panel: Panel) -> object:
    """Earlier releases of a panel, and what is known of each."""
    triangle = panel.triangle
    return None if triangle is None else (triangle.releases, tuple(triangle.layers))


def _same_row(one: Panel, i: int, other: Panel, j: int) -> bool:
    if one is other:
        return True
    pairs = [(getattr(one, n)[i], getattr(other, n)[j]) for n in LAYERS]
    if one.triangle is not None and other.triangle is not None:
        mine, theirs = one.triangle.layers, other.triangle.layers
        pairs += [(mine[name][:, i], theirs[name][:, j]) for name in mine]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
