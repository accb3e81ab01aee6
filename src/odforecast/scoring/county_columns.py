"""What a score table says of each county beside its scores: bounds, size, urban class."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.panel import Panel
from odforecast.scoring.bounds import HIDDEN_MOST
from odforecast.scoring.rules import Floats

#: Columns that the score table of counties has beside those of every score table.
COUNTY_COLUMNS: Final = (
    "observed_low",
    "observed_high",
    "bounded",
    "twcrps",
    "twwis",
    "rps_bands",
    "p_zero",
    "p_hidden",
    "p_ten",
    "mean",
    "size",
    "visible",
    "urban",
)

#: Classes of size, by the count of the last month known at the origin.
SIZES: Final = ("hidden", "0", "10-19", "20-49", "50-199", "200+")
_FIRST_OF = (10, 20, 50, 200)

#: What the file's codes of urban-rural classes mean (NCHS 2013).
URBAN_CLASSES: Final = {
    "1": "large central metro",
    "2": "large fringe metro",
    "3": "medium metro",
    "4": "small metro",
    "5": "micropolitan",
    "6": "noncore",
}


def size_classes(panel: Panel) -> NDArray[np.object_]:
    """Class of size of each location by its last count, shape (L,): one of :data:`SIZES`.

    A count that the release lost is 1,000 or more, so ``200+``; empty where nothing is known of
    the last month. A file that shows counts of 1 to 9 has them among ``hidden``.

    Parameters
    ----------
    panel : Panel
        What was known at the origin.
    """
    low = panel.low[:, -1]
    shown = np.array(SIZES[2:], dtype=object)
    at = np.clip(np.searchsorted(_FIRST_OF, low, side="right") - 1, 0, len(shown) - 1)
    out = np.where(low >= _FIRST_OF[0], shown[at], "hidden")
    out = np.where(low == 0, "0", out)
    return np.where(np.isnan(low), "", out).astype(object)


def with_county_columns(
    columns: dict[str, Any], forecast: Forecast, low: Floats, high: Floats
) -> dict[str, Any]:
    """Columns of scores with those that hang on bounds and on what was known at the origin.

    Parameters
    ----------
    columns : dict
        Of :func:`odforecast.scoring.units.unit_columns`, with bounds.
    forecast : Forecast
    low, high : ndarray, shape (L, M)
        As :meth:`odforecast.scoring.Truth.bounds` gives them.

    Returns
    -------
    dict
        With all of :data:`COUNTY_COLUMNS`. ``bounded``: whether the count is known, or to be 9 or
        less; ``visible``: whether the count of the last month known at the origin was 10 or more.
    """
    panel, places = forecast.panel, forecast.locations
    size = np.full(len(places), "", dtype=object)
    urban = size.copy()
    if panel is not None:
        row = {fips: i for i, fips in enumerate(panel.locations)}
        classes = size_classes(panel)
        size[:] = [classes[row[s]] if s in row else "" for s in places]
        urban[:] = [panel.urban.get(s, "") for s in places]
    n_months = low.shape[1]
    flat_low, flat_high = low.ravel(), high.ravel()
    added = {
        "observed_low": flat_low,
        "observed_high": flat_high,
        "bounded": (flat_low == flat_high) | (flat_high <= HIDDEN_MOST),
        "size": np.repeat(size, n_months),
        "visible": np.repeat(np.isin(size, SIZES[2:]), n_months),
        "urban": np.repeat(urban, n_months),
    }
    out = columns | added
    return {c: out[c] for c in (*(c for c in out if c not in COUNTY_COLUMNS), *COUNTY_COLUMNS)}
