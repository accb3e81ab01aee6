"""How far ahead forecasts were checked against what came, and what is said of those beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from odforecast.months import to_month

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: Months after the last published one that backtests scored.
VALIDATED: Final = 12


def beyond_validated(forecast: Forecast) -> str:
    """One line on the months that lie further ahead than any that was ever scored.

    It is said beside a forecast and is no part of it, so nothing about the forecast hangs on it.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    str
        Empty if all months lie within :data:`VALIDATED` months of the last published one.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> fitted = od.get_model("naive").fit(panel)
    >>> beyond_validated(fitted.forecast(12, draws=2))
    ''
    >>> beyond_validated(fitted.forecast(13, draws=2)).partition(":")[0]
    'months after 2026-08 lie further ahead than forecasts were checked'
    """
    last = to_month(forecast.last_month) + np.timedelta64(VALIDATED, "M")
    if forecast.months[-1] <= last:
        return ""
    return (
        f"months after {last} lie further ahead than forecasts were checked: {VALIDATED} months "
        "after the last published one; their intervals follow from the model alone"
    )
