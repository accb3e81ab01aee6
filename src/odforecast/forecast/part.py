"""Parts of a forecast: drug classes in the same draws, marked with those that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.private import OWN_COUNTS
from odforecast.names import INDICATOR_NAMES, indicator_name
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: Key in the provenance of a forecast beside another: of which draws it is a part.
_WHOLE = "part of"


def part(forecast: Forecast, indicator: str) -> Forecast:
    """See :meth:`Forecast.part`."""
    wanted = indicator_name(indicator)
    short = next((s for s, name in INDICATOR_NAMES.items() if name == wanted), indicator)
    if short not in forecast.beside:
        hint = _why_no_part(forecast, short)
        raise ForecastError(f"this forecast holds no {short}", hint=hint)
    return _but(forecast.beside[short], provenance=forecast.provenance)


def with_parts(forecast: Forecast, parts: Mapping[str, Forecast]) -> Forecast:
    """See :meth:`Forecast.with_parts`."""
    for short, part in parts.items():
        same = np.array_equal(part.months, forecast.months)
        if len(part.draws) != len(forecast.draws) or not same:
            raise ForecastError(f"{short} is no part of these draws")
    # A part says of itself that it rests on own counts: whoever takes it alone must know.
    kept = {OWN_COUNTS: said} if (said := forecast.provenance.get(OWN_COUNTS)) else {}
    mark = MappingProxyType({_WHOLE: _mark(forecast), **kept})
    marked = {n: _but(part, provenance=mark) for n, part in parts.items()}
    return _but(forecast, beside=MappingProxyType(marked))


def of_these_draws(forecast: Forecast) -> dict[str, Forecast]:
    """The forecasts beside one that are parts of its very draws."""
    mark = _mark(forecast)
    return {n: p for n, p in forecast.beside.items() if p.provenance.get(_WHOLE) == mark}


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
