"""The places of a forecast: which are asked for, and how many people live there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError
from odforecast.geography import LOCATIONS, pick, population
from odforecast.names import COUNTIES
from odforecast.panel import Floats

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: What CDC counts apart and the census does not: a rate is of the two together.
NEW_YORK = ("NY", "YC")
NEW_YORK_TOGETHER = "NY+YC"
_CODES = frozenset(x.state for x in LOCATIONS)


def rows_of(forecast: Forecast, locations: str | Iterable[str] | None) -> list[int]:
    """Positions of the places asked for, by any of their names; all where none is.

    Raises
    ------
    ForecastError
        If one is not in the forecast, or an empty list is given.
    """
    if locations is None:
        return list(range(len(forecast.locations)))
    places = pick(locations, forecast.locations, "the forecast", ForecastError, forecast.skipped)
    return [forecast.locations.index(s) for s in places]


def residents(parts: Sequence[str], year: int) -> float:
    """Residents of some places together on July 1 of a year; NaN where nobody counts them.

    Parameters
    ----------
    parts : sequence of str
        CDC codes. New York with New York City is known, either alone is not.
    year : int

    Examples
    --------
    >>> residents(["NY", "YC"], 2024) > residents(["OH"], 2024), residents(["NY"], 2024)
    (True, nan)
    """
    held = set(parts)
    if set(NEW_YORK) <= held:
        held = held - set(NEW_YORK) | {NEW_YORK_TOGETHER}
    known = _CODES | {NEW_YORK_TOGETHER}
    return sum(population(s, year) if s in known else float("nan") for s in sorted(held))


def residents_of(forecast: Forecast) -> Floats:
    """Residents of each location of a forecast in each month's year, shape (L, M); NaN unknown.

    Of counties those of the panel, the same in every month: a population file is of one year.
    """
    parts = [forecast.parts.get(s, (s,)) for s in forecast.locations]
    panel = forecast.panel
    if panel is not None and panel.dataset == COUNTIES:
        people = [sum(panel.residents.get(s, float("nan")) for s in of) for of in parts]
        return np.repeat(np.array(people, dtype=float)[:, None], forecast.months.size, axis=1)
    years = forecast.months.astype("datetime64[Y]").astype(int) + 1970
    return np.array([[residents(of, int(y)) for y in years] for of in parts])
