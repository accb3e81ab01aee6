"""Sums over locations, draw by draw: a forecast of the sum, and the nation put before its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError, OdforecastError, short
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, code_of, parts_of
from odforecast.names import LOCATION, RESIDENCE
from odforecast.say import few

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast


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
    whole = {n: p for n, p in forecast.beside.items() if set(places) <= set(p.locations)}
    return carrying(made, {n: p.total(places, name) for n, p in whole.items()})


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
    parts = {n: p.with_nation() if n in nation.beside else p for n, p in forecast.beside.items()}
    return carrying(made, parts)


def carrying(made: Forecast, parts: Mapping[str, Forecast]) -> Forecast:
    """A forecast with its drug classes beside it, if there are any."""
    return made.with_parts(parts) if parts else made
