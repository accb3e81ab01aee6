"""The arrays of a forecast: checked once, never written to, shared with what is made of it."""

from __future__ import annotations

from weakref import WeakValueDictionary

import numpy as np

from odforecast.errors import ForecastError
from odforecast.months import Months
from odforecast.panel import Floats

#: Arrays that forecasts made for themselves, by id: nobody else holds them, and none is written to.
_OURS: WeakValueDictionary[int, Floats] = WeakValueDictionary()


def is_ours(array: object) -> bool:
    """Whether another forecast made this very array, and it is as it was then."""
    held = _OURS.get(id(array))
    return held is array and held is not None and not held.flags.writeable


def held(
    draws: Floats, months: Months, known: Floats, locations: tuple[str, ...]
) -> tuple[Floats, Months, Floats]:
    """Arrays as a forecast keeps them: copies, unless a forecast made them; read-only.

    Raises
    ------
    ForecastError
        If shapes do not fit, months are not consecutive, or a draw is not finite.
    """
    # Copies: a forecast shares no array with its maker, only with what is made of it.
    # One order in memory, or sums of a selected or loaded forecast differ in the last bit.
    checked = is_ours(draws)
    draws = draws if checked else np.array(draws, dtype=float, order="C")
    months = np.array(months, dtype="datetime64[M]")
    if not is_ours(known):
        known = np.array(known, dtype=float, order="C")
    shape = (len(locations), months.size)
    if draws.ndim != 3 or draws.shape[1:] != shape or 0 in draws.shape:
        raise ForecastError(f"draws have shape {draws.shape}, expected (D, {shape})")
    if known.shape not in ((shape[0], 11), (len(draws), shape[0], 11)):
        raise ForecastError(f"known has shape {known.shape}, expected {(shape[0], 11)}")
    known = known.reshape(shape[0], 11) if len(draws) == 1 else known
    if (np.diff(months).astype(int) != 1).any():
        raise ForecastError("months must be consecutive")
    if not checked and not np.isfinite(draws).all():
        bad = np.argwhere(~np.isfinite(draws))
        d, i, m = bad[0]
        raise ForecastError(
            f"{len(bad)} draws are not finite, first at draw {d}, {locations[i]}, {months[m]}"
        )
    for array in (draws, months, known):
        array.flags.writeable = False
    for array in (draws, known):
        _OURS[id(array)] = array
    return draws, months, known
