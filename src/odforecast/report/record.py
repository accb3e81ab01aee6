"""Past errors of the model that made a forecast, as a brief and a page show them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.forecast.record import Scored, past_errors

#: Months ahead that are shown.
_HORIZONS = (3, 6, 12)
#: What stands where nothing is known.
_NONE = "–"


def past_record(
    forecast: Forecast, location: str, record: Scored | None = None
) -> tuple[str, pd.DataFrame] | None:
    """Past errors of the model that made a forecast, in one place.

    Parameters
    ----------
    forecast : Forecast
    location : str
        CDC code.
    record : Results, optional
        A backtest of the same model. Default: what ships of the default model, see
        :func:`odforecast.forecast.record.past_errors`.

    Returns
    -------
    (str, DataFrame) or None
        A sentence on what was scored, and ``Months ahead``, ``Middle error`` (in percent of the
        count; a dash where all counts were zero), ``90% interval held`` (share of the counts),
        ``Forecasts``.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("naive").fit(panel).forecast(draws=50)
    >>> past_record(made, "OH") is None  # no record of this model is shipped
    True
    """
    rows = past_errors(forecast, location, record)
    if rows is None:
        return None
    said = (
        f"The same model, given only what was known on each day, was scored on the counts of "
        f"{rows['first'].min()} to {rows['last'].max()} once they were final. Who built it had "
        "seen these years."
    )
    rows = rows[rows["horizon"].isin(_HORIZONS)]
    shown = pd.DataFrame(
        {
            "Months ahead": rows["horizon"].to_numpy(),
            "Middle error": [f"{x:.1f}%" if np.isfinite(x) else _NONE for x in rows["error"]],
            "90% interval held": [
                f"{100 * x:.0f}% of the counts" if np.isfinite(x) else _NONE for x in rows["held"]
            ],
            "Forecasts": rows["forecasts"].to_numpy(),
        }
    )
    return said, shown
