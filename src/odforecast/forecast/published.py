"""What CDC published, at a forecast's places and months: a sum of places has that of its parts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from odforecast.geography import JURISDICTIONS, NATION
from odforecast.names import VINTAGE_REAL
from odforecast.panel import Floats

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast


def published_on(forecast: Forecast) -> dt.date:
    """The day of the release that a forecast rests on; of a pseudo-vintage, its as-of date.

    A forecast made as of a day on which nothing was published says when what it knows was.
    """
    panel = forecast.panel
    return panel.release if panel is not None and panel.vintage == VINTAGE_REAL else forecast.as_of


def published(forecast: Forecast, layer: str = "reported") -> Floats:
    """A layer of the panel at the forecast's months, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    layer : {"reported", "predicted", "complete", "pending"}

    Returns
    -------
    ndarray, shape (L, M)
        Deaths, or percent. A sum of locations has the sum of its parts; of percentages there
        is none. NaN where nothing is published, after the last month too.
    """
    return at_months(forecast, layer_of(forecast, layer))


def layer_of(forecast: Forecast, layer: str) -> Floats:
    """A layer of the panel for each location of a forecast, shape (L, T); NaN where unknown."""
    panel = forecast.panel
    if panel is None:
        return np.full((len(forecast.locations), 0), np.nan)
    values: Floats = getattr(panel, layer)
    row = {s: i for i, s in enumerate(panel.locations)}
    out = np.full((len(forecast.locations), panel.months.size), np.nan)
    percent = layer in ("complete", "pending")
    for i, place in enumerate(forecast.locations):
        parts = forecast.parts.get(place, (place,))
        if NATION in row and len(parts) > 1 and set(parts) == set(JURISDICTIONS):
            parts = (NATION,)  # what CDC itself says of the sum
        if len(parts) == 1:
            if parts[0] in row:
                out[i] = values[row[parts[0]]]
        elif not percent and all(s in row for s in parts):
            out[i] = values[[row[s] for s in parts]].sum(axis=0)
    return out


def at_months(forecast: Forecast, rows: Floats, shift: int = 0) -> Floats:
    """Columns of a panel's rows (L, T) at the months of a forecast, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    rows : ndarray, shape (L, T)
    shift : int
        Months by which each is later: −12 for the counts a year earlier.
    """
    out = np.full((len(rows), forecast.months.size), np.nan)
    if forecast.panel is not None:
        column = (forecast.months - forecast.panel.months[0]).astype(int) + shift
        there = (column >= 0) & (column < rows.shape[1])
        out[:, there] = rows[:, column[there]]
    return out


def hidden_at(forecast: Forecast, shift: int = 0) -> NDArray[np.bool_]:
    """Whether the count of each location was suppressed at the months of a forecast, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    shift : int
        As of :func:`at_months`: −12 for the counts a year earlier.
    """
    suppressed = np.isnan(layer_of(forecast, "reported")) & np.isfinite(layer_of(forecast, "high"))
    return np.asarray(at_months(forecast, suppressed.astype(float), shift) == 1.0)
