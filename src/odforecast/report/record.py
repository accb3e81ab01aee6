"""Past errors of the model that made a forecast, as a brief and a page show them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.forecast.record import Scored, past_errors
from odforecast.say import month_name

#: Months ahead that are shown.
_HORIZONS = (3, 6, 12)


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
        A sentence on what was scored, and ``Months ahead``, ``Typical (median) error`` (in percent
        of the count; a dash where all counts were zero), ``90% interval contained the final
        count`` (share of the counts), ``Tests``.

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
    first, last = month_name(rows["first"].min()), month_name(rows["last"].max())
    said = (
        "We reran the model as of past dates with the data available then, and compared its "
        f"forecasts with the final counts of {first} to {last}. The developers had already seen "
        "these years."
    )
    rows = rows[rows["horizon"].isin(_HORIZONS)]
    percent = [
        [f"{x:.{digits}f}%" if np.isfinite(x) else "–" for x in values]
        for values, digits in ((rows["error"], 1), (100 * rows["held"], 0))
    ]
    shown = {
        "Months ahead": rows["horizon"].to_numpy(),
        "Typical (median) error": percent[0],
        "90% interval contained the final count": percent[1],
        "Tests": rows["forecasts"].to_numpy(),
    }
    return said, pd.DataFrame(shown)
