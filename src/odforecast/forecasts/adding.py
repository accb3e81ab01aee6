"""Adding draws: over months, over places, and forecasts of different places joined into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, OdforecastError, proportion, short
from odforecast.geography import NATION, REGIONS, code_of, parts_of
from odforecast.names import INDICATOR_NAMES, LOCATION, RESIDENCE, indicator_name
from odforecast.panel import Floats
from odforecast.say import listed
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.forecasts.forecast import Forecast

#: Key of the provenance of a forecast that was conditioned on own counts.
OWN_COUNTS = "own counts"
#: Key in the provenance of a forecast beside another: of which draws it is a part.
_WHOLE = "part of"
#: Draws are added up in blocks of so many values, which stay in a core's own memory.
_BLOCK = 1 << 15
#: Bytes of sums that are kept, at most; larger ones are worked out each time.
KEPT = 1 << 26


def added(known: Floats, draws: Floats) -> Floats:
    """12-month-ending sums of months, those known put before those drawn."""
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
        x = block.reshape(-1)
        size = block.size - 11
        pairs = x[:-1] + x[1:]
        fours = pairs[:-2] + pairs[2:]
        sums = total[:size]
        np.add(fours[:-4][:size], fours[4:][:size], out=sums)
        for k in range(8, 12):
            sums += x[k : k + size]
        out[start:stop] = total[: block.size].reshape(block.shape)[:, :, :months]
    return out


#: The forecast whose sums were asked for last, and these; no more than one is ever kept.
_latest: WeakKeyDictionary[Forecast, Floats] = WeakKeyDictionary()


def sums_of(forecast: Forecast) -> Floats:
    """12-month-ending counts of a forecast of months, joint over them; (D, L, M), read-only."""
    latest = _latest.get(forecast)
    if latest is not None:
        return latest
    sums = added(forecast.known, forecast.draws)
    sums.flags.writeable = False
    if sums.nbytes <= KEPT:
        _latest.clear()
        _latest[forecast] = sums
    return sums


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
        numbers = np.ravel(np.asarray(levels)).tolist()
    except ValueError as error:
        hint = "give numbers, such as [0.05, 0.5, 0.95]"
        raise error_class(f"quantile levels are {short(levels)}", hint=hint) from error
    if not numbers:
        raise error_class("no quantile level is named", hint="name one, such as 0.5")
    checked = [
        proportion("a quantile level", number, error=error_class) for number in numbers
    ]
    return np.array(checked)


def between(ordered: Floats, levels: Sequence[float] | Floats) -> Floats:
    """Quantiles (Q, ...) of sorted draws (..., D), interpolated as numpy does by default."""
    last = ordered.shape[-1] - 1
    position = np.asarray(levels, dtype=float) * last
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, last)
    share = position - low
    values = ordered[..., low] * (1.0 - share) + ordered[..., high] * share
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def count_last(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are true along the last axis."""
    bits = np.bitwise_count(np.packbits(flags, axis=-1))
    return np.asarray(bits.sum(axis=-1, dtype=np.int64))


def total(forecast: Forecast, locations: Iterable[str], name: str) -> Forecast:
    """Sum over locations, draw by draw: a forecast with the single location ``name``.

    Raises
    ------
    ForecastError
        If the draws are not joint over locations, a location is missing, none is named, one
        would be counted twice, or the name is that of another place.
    """
    if forecast.basis == RESIDENCE and name in (NATION, *REGIONS):
        raise ForecastError(
            f"this forecast is of counties, by residence, and {name} is a sum of states",
            hint="add counties: made = forecast.select('Ohio/*'); "
            "made.total(made.locations, 'Ohio, residents')",
        )
    if isinstance(locations, str) or not isinstance(locations, Iterable):
        raise ForecastError(
            f"locations is {short(locations)}, not a list of places",
            hint='write ["OH", "MI"]',
        )
    if not isinstance(name, str) or not name.strip():
        raise ForecastError(
            f"name is {short(name)}, not a name", hint='write total([...], "name")'
        )
    rows = [forecast.index(s) for s in locations]
    if not rows:
        raise ForecastError(
            f"no location to add up to {name!r}", hint="name one or more"
        )
    if len(rows) > 1 and LOCATION not in forecast.joint:
        raise ForecastError(
            "these draws are not joint over locations, so they cannot be added",
            hint="use a model with joint draws (dlm, hierarchical), or forecast the sum itself",
        )
    places = [forecast.locations[i] for i in rows]
    # What is added may be a sum itself, of places that are named beside it.
    addends: Counter[str] = Counter()
    for place in places:
        addends.update(forecast.parts.get(place, (place,)))
    place, times = addends.most_common(1)[0]
    if times > 1:
        raise ForecastError(
            f"{listed(places)} would count {place} twice", hint="leave one out"
        )
    # Puerto Rico is no part of the US total.
    if NATION in addends and not addends.keys() <= {NATION, "PR"}:
        raise ForecastError(
            "US already holds the other locations; adding it counts twice"
        )
    namesake = _parts_of_name(forecast, name)
    if namesake and namesake != addends.keys():
        raise ForecastError(
            f"{name!r} is the name of a place, which is not the sum of {listed(places)}",
            hint="give the sum another name",
        )

    def summed(classes: Mapping[str, Forecast]) -> dict[str, Forecast]:
        """A class that one of the places does not publish has no sum."""
        sums = {}
        for indicator, drug_class in classes.items():
            if set(places) <= set(drug_class.locations):
                sums[indicator] = drug_class.total(places, name)
        return sums

    return carrying(
        forecast,
        summed,
        parts={name: tuple(addends)},
        draws=forecast.draws[:, rows].sum(axis=1, keepdims=True),
        known=forecast.known[..., rows, :].sum(axis=-2, keepdims=True),
        locations=(name,),
    )


def _parts_of_name(forecast: Forecast, name: str) -> set[str]:
    """The places that a known place of this name is made of; none if no place has it."""
    if name in (NATION, *REGIONS):
        return set(parts_of(name))
    if name in forecast.locations:
        return set(forecast.parts.get(name, (name,)))
    try:
        return {code_of(name)}
    except OdforecastError:
        return set()


def with_nation(forecast: Forecast) -> Forecast:
    """The same forecast with ``US`` put first, as the sum of the 52 jurisdictions."""
    if NATION in forecast.locations:
        return forecast
    nation = forecast.nation()

    def with_nations(classes: Mapping[str, Forecast]) -> dict[str, Forecast]:
        """A class that the nation lacks stays as it is."""
        changed = dict(classes)
        for indicator, drug_class in classes.items():
            if indicator in nation.beside:
                changed[indicator] = drug_class.with_nation()
        return changed

    return carrying(
        forecast,
        with_nations,
        draws=np.concatenate([nation.draws, forecast.draws], axis=1),
        known=np.concatenate([nation.known, forecast.known], axis=-2),
        locations=(NATION, *forecast.locations),
        parts={**forecast.parts, **nation.parts},
    )


def carrying(
    forecast: Forecast,
    change: Callable[[Mapping[str, Forecast]], Mapping[str, Forecast]],
    **fields: Any,
) -> Forecast:
    """A forecast with other draws, and with what a change makes of its drug classes."""
    classes = forecast.beside
    changed = forecast._replace(beside={}, **fields)
    if isinstance(classes, Later):
        return with_later_parts(changed, lambda: change(classes))
    parts = change(classes)
    return changed.with_parts(parts) if parts else changed


def draws_at(forecast: Forecast, rows: NDArray[np.intp]) -> Forecast:
    """Some of the draws of a forecast, and of the classes it carries."""
    known = forecast.known if forecast.known.ndim == 2 else forecast.known[rows]
    # Drawn now: what is drawn later would keep all of the draws in memory.
    parts = {name: draws_at(item, rows) for name, item in forecast.beside.items()}
    some = forecast._replace(draws=forecast.draws[rows], known=known, beside={})
    return some.with_parts(parts) if parts else some


def part(forecast: Forecast, indicator: str) -> Forecast:
    """A drug class in the same draws: in each of them a part of the whole.

    Draw d of the part and draw d of this forecast are one world: their difference is the
    deaths without the class, and their ratio its share.

    Parameters
    ----------
    indicator : str
        CDC's name or a short one: ``"T40.4"``.

    Returns
    -------
    Forecast
        Of the locations that publish the class; ``skipped`` says why others are not there.

    Examples
    --------
    >>> import odforecast as od
    >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
    >>> whole = fitted.forecast(draws=100)
    >>> fentanyl = whole.part("T40.4").select(["US", "Ohio"])
    >>> bool((fentanyl.samples() <= whole.select(["US", "Ohio"]).samples()).all())
    True
    """
    full_name = indicator_name(indicator)
    short_names = {name: code for code, name in INDICATOR_NAMES.items()}
    key = short_names.get(full_name, indicator)
    if key not in forecast.beside:
        hint = _why_no_part(forecast, key)
        raise ForecastError(f"this forecast holds no {key}", hint=hint)
    return forecast.beside[key]._replace(provenance=forecast.provenance)


class Later(Mapping[str, "Forecast"]):
    """Parts of some draws that are made once one of them is asked for; pickled as they are."""

    def __init__(self, mark: str, make: Callable[[], Mapping[str, Forecast]]) -> None:
        self.mark = mark
        self._make = make

    @cached_property
    def _parts(self) -> Mapping[str, Forecast]:
        return self._make()

    def __getitem__(self, name: str) -> Forecast:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def with_later_parts(
    forecast: Forecast, make: Callable[[], Mapping[str, Forecast]]
) -> Forecast:
    """:func:`with_parts`, of parts that are drawn once one of them is asked for."""
    later = Later(_mark(forecast), lambda: with_parts(forecast, make()).beside)
    return forecast._replace(beside=later)


def with_parts(forecast: Forecast, parts: Mapping[str, Forecast]) -> Forecast:
    """The same forecast, carrying drug classes in its draws; for authors of models.

    Parameters
    ----------
    parts : mapping of str to Forecast
        By short name, of the same draws and months.
    """
    for name, part in parts.items():
        same_months = np.array_equal(part.months, forecast.months)
        if len(part.draws) != len(forecast.draws) or not same_months:
            raise ForecastError(f"{name} does not belong to these draws")
    provenance = {_WHOLE: _mark(forecast)}
    # A part says of itself that it rests on own counts: whoever takes it alone must know.
    sentence = forecast.provenance.get(OWN_COUNTS)
    if sentence:
        provenance[OWN_COUNTS] = sentence
    mark = MappingProxyType(provenance)
    marked = {name: part._replace(provenance=mark) for name, part in parts.items()}
    return forecast._replace(beside=MappingProxyType(marked))


def of_these_draws(forecast: Forecast) -> Mapping[str, Forecast]:
    """The forecasts beside one that are parts of its very draws."""
    parts = forecast.beside
    if isinstance(parts, Later):
        return parts if parts.mark == _mark(forecast) else MappingProxyType({})
    mark = _mark(forecast) if parts else ""
    current = {}
    for name, part in parts.items():
        if part.provenance.get(_WHOLE) == mark:
            current[name] = part
    return MappingProxyType(current)


def _mark(forecast: Forecast) -> str:
    """What tells these draws from others: whoever changes them leaves the parts behind."""
    # Bits, not numbers: a sum of those hangs on the machine.
    bits = forecast.draws.view(np.uint64).reshape(len(forecast.draws), -1).sum(axis=1)
    return content_hash(forecast.locations, bits)


def _why_no_part(forecast: Forecast, name: str) -> str:
    """Why a forecast carries no such class."""
    if forecast.beside:
        return f"it holds {', '.join(forecast.beside)}"
    panel = forecast.panel
    class_panel = None if panel is None else panel.beside.get(name)
    if panel is not None and class_panel is not None:
        if class_panel.last_month != panel.last_month:
            return f"the release has {name} to {class_panel.last_month} only"
        skipped = class_panel.usable()[1]
        reasons = [f"{s}: {skipped[s]}" for s in forecast.locations if s in skipped]
        publishing = {*class_panel.locations, *forecast.parts}
        lacking = [s for s in forecast.locations if s not in publishing]
        reasons += [f"{s} does not publish it" for s in lacking]
        if reasons:
            return "; ".join(reasons[:3])
    return (
        "dlm carries T40.4 where the panel of all drugs has it beside it; sums carry it where "
        "all their locations do, and draws changed since (a scenario's) do not"
    )
