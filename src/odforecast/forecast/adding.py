"""Adding draws: over months, over places, and forecasts of different places joined into one."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, OdforecastError, proportion, short
from odforecast.geography import JURISDICTIONS, LOCATIONS, NATION, REGIONS, code_of, parts_of
from odforecast.names import INDICATOR_NAMES, LOCATION, RESIDENCE, indicator_name
from odforecast.panel import LAYERS, Floats, Own, Panel, Triangle
from odforecast.say import few
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: Key of the provenance of a forecast that was conditioned on own counts.
OWN_COUNTS = "own counts"
#: Key in the provenance of a forecast beside another: of which draws it is a part.
_WHOLE = "part of"
#: Draws are added up in blocks of so many values, which stay in a core's own memory.
_BLOCK = 1 << 15
#: Bytes of sums that are kept, at most; larger ones are worked out each time.
KEPT = 1 << 26
_RANK = {x.state: i for i, x in enumerate(LOCATIONS)}
#: What must be the same in all panels: everything that is not a row of a location.
_SHARED = (
    "indicator", "as_of", "release", "vintage", "dataset", "basis", "final_through", "donor",
)  # fmt: skip
#: What identifies a run; a forecast without them is nobody's piece.
_IDENTITY = ("spec_hash", "seed", "data_hash")


def added(known: Floats, draws: Floats) -> Floats:
    """12-month-ending sums of months, those known put before those drawn.

    Bit for bit :func:`odforecast.monthly.sums.rolling_sums` of the joined months, but in one go
    over all places and draws: the 12 months are added in the order in which numpy adds up 12
    numbers that lie side by side, ``((0+1)+(2+3))+((4+5)+(6+7))``, then 8 to 11 in turn.

    Parameters
    ----------
    known : ndarray, shape (L, 11) or (D, L, 11)
        Months before the first that is drawn.
    draws : ndarray, shape (D, L, M)

    Returns
    -------
    ndarray, shape (D, L, M)
        NaN where any of the 12 months is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> added(np.arange(11.0)[None], np.full((1, 1, 2), 100.0)).tolist()
    [[[155.0, 255.0]]]
    """
    n, places, months = draws.shape
    width = months + 11
    out = np.empty((n, places, months))
    step = max(1, _BLOCK // (places * width))
    joined = np.empty((min(step, n), places, width))
    total = np.zeros(joined.size)
    for start in range(0, n, step):
        stop = min(n, start + step)
        block = joined[: stop - start]
        block[:, :, :11] = known if known.ndim == 2 else known[start:stop]
        block[:, :, 11:] = draws[start:stop]
        # All rows as one: what reaches from a row into the next is thrown away below.
        x, size = block.reshape(-1), block.size - 11
        two = x[:-1] + x[1:]
        four = two[:-2] + two[2:]
        sums = total[:size]
        np.add(four[:-4][:size], four[4:][:size], out=sums)
        for k in range(8, 12):
            sums += x[k : k + size]
        out[start:stop] = total[: block.size].reshape(block.shape)[:, :, :months]
    return out


#: The forecast whose sums were asked for last, and these; no more than one is ever kept.
_latest: tuple[weakref.ref[Forecast], Floats] | None = None


def sums_of(forecast: Forecast) -> Floats:
    """12-month-ending counts of a forecast of months, shape (D, L, M), read-only.

    Those of the forecast asked for last are kept until another is asked for or it is gone. They
    belong to that very object: whatever is made from it has its own.

    Parameters
    ----------
    forecast : Forecast
        Of months, joint over them.
    """
    global _latest
    held = _latest
    if held is not None and held[0]() is forecast:
        return held[1]
    made = added(forecast.known, forecast.draws)
    made.flags.writeable = False
    if made.nbytes <= KEPT:
        _latest = weakref.ref(forecast, _forget), made
    return made


def _forget(gone: weakref.ref[Forecast]) -> None:
    global _latest
    if _latest is not None and _latest[0] is gone:
        _latest = None


def in_order(samples: Floats) -> Floats:
    """Draws (D, ...) as a new array (..., D), sorted along the last axis."""
    flat = samples.reshape(len(samples), -1)
    out = np.empty((flat.shape[1], len(flat)))
    # A few draws at a time: whole columns of a large array are slow to read.
    for start in range(0, len(flat), 64):
        out[:, start : start + 64] = flat[start : start + 64].T
    out.sort(axis=1)
    return out.reshape(*samples.shape[1:], len(flat))


def quantile_levels(
    levels: Sequence[float] | Floats, error_class: type[OdforecastError] = ForecastError
) -> Floats:
    """Levels that a person asked for, each above 0 and below 1; there is one at least."""
    try:
        asked = np.ravel(np.asarray(levels)).tolist()
    except ValueError as error:
        hint = "give numbers, such as [0.05, 0.5, 0.95]"
        raise error_class(f"quantile levels are {short(levels)}", hint=hint) from error
    if not asked:
        raise error_class("no quantile level is named", hint="name one, such as 0.5")
    return np.array([proportion("a quantile level", x, error_class) for x in asked])


def between(ordered: Floats, levels: Sequence[float] | Floats) -> Floats:
    """Quantiles (Q, ...) of sorted draws (..., D), interpolated as numpy does by default."""
    position = np.asarray(levels, dtype=float) * (ordered.shape[-1] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, ordered.shape[-1] - 1)
    share = position - low
    values = ordered[..., low] * (1.0 - share) + ordered[..., high] * share
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def count_last(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are true along the last axis."""
    bits = np.bitwise_count(np.packbits(held, axis=-1))
    return np.asarray(bits.sum(axis=-1, dtype=np.int64))


def total(forecast: Forecast, locations: Iterable[str], name: str) -> Forecast:
    """See :meth:`odforecast.Forecast.total`."""
    if forecast.basis == RESIDENCE and name in (NATION, *REGIONS):
        raise ForecastError(
            f"this forecast is of counties, by residence, and {name} is a sum of states",
            hint="add counties: made = forecast.select('Ohio/*'); "
            "made.total(made.locations, 'Ohio, residents')",
        )
    if isinstance(locations, str) or not isinstance(locations, Iterable):
        raise ForecastError(
            f"locations is {short(locations)}, not a list of places", hint='write ["OH", "MI"]'
        )
    if not isinstance(name, str) or not name.strip():
        raise ForecastError(f"name is {short(name)}, not a name", hint='write total([...], "name")')
    rows = [forecast.index(s) for s in locations]
    if not rows:
        raise ForecastError(f"no location to add up to {name!r}", hint="name one or more")
    if len(rows) > 1 and LOCATION not in forecast.joint:
        raise ForecastError(
            "these draws are not joint over locations, so they cannot be added",
            hint="use a model with joint draws (dlm, hierarchical), or forecast the sum itself",
        )
    places = [forecast.locations[i] for i in rows]
    # What is added may be a sum itself, of places that are named beside it.
    held = [p for s in places for p in forecast.parts.get(s, (s,))]
    place, times = Counter(held).most_common(1)[0]
    if times > 1:
        raise ForecastError(f"{few(places)} would count {place} twice", hint="leave one out")
    # Puerto Rico is no part of the US total.
    if NATION in held and not set(held) <= {NATION, "PR"}:
        raise ForecastError("US already holds the other locations; adding it counts twice")
    if (taken := _taken(forecast, name)) and Counter(taken) != Counter(held):
        raise ForecastError(
            f"{name!r} is the name of a place, which is not the sum of {few(places)}",
            hint="give the sum another name",
        )
    made = replace(
        forecast,
        parts={name: tuple(held)},
        draws=forecast.draws[:, rows].sum(axis=1, keepdims=True),
        known=forecast.known[..., rows, :].sum(axis=-2, keepdims=True),
        locations=(name,),
        beside={},
    )
    # A class that one of them does not publish has no sum.
    return carrying(
        made,
        forecast,
        lambda beside: {
            n: p.total(places, name) for n, p in beside.items() if set(places) <= set(p.locations)
        },
    )


def _taken(forecast: Forecast, name: str) -> tuple[str, ...]:
    """The places that a known place of this name is made of; none if no place has it."""
    if name == NATION:
        return JURISDICTIONS
    if name in REGIONS:
        return parts_of(name)
    if name in forecast.locations:
        return forecast.parts.get(name, (name,))
    try:
        return (code_of(name),)
    except OdforecastError:
        return ()


def with_nation(forecast: Forecast) -> Forecast:
    """See :meth:`odforecast.Forecast.with_nation`."""
    if NATION in forecast.locations:
        return forecast
    nation = forecast.nation()
    made = replace(
        forecast,
        draws=np.concatenate([nation.draws, forecast.draws], axis=1),
        known=np.concatenate([nation.known, forecast.known], axis=-2),
        locations=(NATION, *forecast.locations),
        parts={**forecast.parts, **nation.parts},
        beside={},
    )
    return carrying(
        made,
        forecast,
        lambda beside: {n: p.with_nation() if n in nation.beside else p for n, p in beside.items()},
    )


def carrying(
    made: Forecast,
    forecast: Forecast,
    change: Callable[[Mapping[str, Forecast]], Mapping[str, Forecast]],
) -> Forecast:
    """What was made of a forecast, with what a change makes of its drug classes.

    Classes that are not drawn yet stay so.
    """
    beside = forecast.beside
    if isinstance(beside, Later):
        return with_later_parts(made, lambda: change(beside))
    parts = change(beside)
    return made.with_parts(parts) if parts else made


def part(forecast: Forecast, indicator: str) -> Forecast:
    """See :meth:`Forecast.part`."""
    wanted = indicator_name(indicator)
    key = next((s for s, name in INDICATOR_NAMES.items() if name == wanted), indicator)
    if key not in forecast.beside:
        hint = _why_no_part(forecast, key)
        raise ForecastError(f"this forecast holds no {key}", hint=hint)
    return _but(forecast.beside[key], provenance=forecast.provenance)


class Later(Mapping[str, "Forecast"]):
    """Parts of some draws that are made once one of them is asked for; pickled as they are."""

    def __init__(self, mark: str, make: Callable[[], Mapping[str, Forecast]]) -> None:
        self.mark = mark
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, Forecast]:
        return self._make()

    def __getitem__(self, name: str) -> Forecast:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def with_later_parts(forecast: Forecast, make: Callable[[], Mapping[str, Forecast]]) -> Forecast:
    """:func:`with_parts`, of parts that are drawn once one of them is asked for."""
    later = Later(_mark(forecast), lambda: with_parts(forecast, make()).beside)
    return _but(forecast, beside=later)


def with_parts(forecast: Forecast, parts: Mapping[str, Forecast]) -> Forecast:
    """See :meth:`Forecast.with_parts`."""
    for name, part in parts.items():
        same = np.array_equal(part.months, forecast.months)
        if len(part.draws) != len(forecast.draws) or not same:
            raise ForecastError(f"{name} does not belong to these draws")
    # A part says of itself that it rests on own counts: whoever takes it alone must know.
    kept = {OWN_COUNTS: said} if (said := forecast.provenance.get(OWN_COUNTS)) else {}
    mark = MappingProxyType({_WHOLE: _mark(forecast), **kept})
    marked = {n: _but(part, provenance=mark) for n, part in parts.items()}
    return _but(forecast, beside=MappingProxyType(marked))


def of_these_draws(forecast: Forecast) -> Mapping[str, Forecast]:
    """The forecasts beside one that are parts of its very draws."""
    beside = forecast.beside
    if isinstance(beside, Later):
        return beside if beside.mark == _mark(forecast) else MappingProxyType({})
    mark = _mark(forecast) if beside else ""
    return MappingProxyType({n: p for n, p in beside.items() if p.provenance.get(_WHOLE) == mark})


def _mark(forecast: Forecast) -> str:
    """What tells these draws from others: whoever changes them leaves the parts behind."""
    # Bits, not numbers: a sum of those hangs on the machine.
    bits = forecast.draws.view(np.uint64).reshape(len(forecast.draws), -1).sum(axis=1)
    return content_hash(forecast.locations, bits)


def _but(forecast: Forecast, **held: object) -> Forecast:
    """The same forecast, its arrays too, with other mappings."""
    made = object.__new__(type(forecast))
    made.__dict__.update(forecast.__dict__ | held)
    return made


def _why_no_part(forecast: Forecast, short: str) -> str:
    if forecast.beside:
        return f"it holds {', '.join(forecast.beside)}"
    if forecast.panel is not None and (other := forecast.panel.beside.get(short)) is not None:
        if other.last_month != forecast.panel.last_month:
            return f"the release has {short} to {other.last_month} only"
        skipped = other.usable()[1]
        known = [f"{s}: {skipped[s]}" for s in forecast.locations if s in skipped]
        known += [f"{s} does not publish it" for s in forecast.locations
                  if s not in other.locations and s not in forecast.parts]  # fmt: skip
        if known:
            return "; ".join(known[:3])
    return (
        "dlm carries T40.4 where the panel of all drugs has it beside it; sums carry it where "
        "all their locations do, and draws changed since (a scenario's) do not"
    )


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


def _same_row(one: Panel, i: int, other: Panel, j: int) -> bool:
    if one is other:
        return True
    pairs = [(getattr(one, n)[i], getattr(other, n)[j]) for n in LAYERS]
    if one.triangle is not None and other.triangle is not None:
        mine, theirs = one.triangle.layers, other.triangle.layers
        pairs += [(mine[name][:, i], theirs[name][:, j]) for name in mine]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _releases(panel: Panel) -> object:
    """Earlier releases of a panel, and what is known of each."""
    triangle = panel.triangle
    return None if triangle is None else (triangle.releases, tuple(triangle.layers))
