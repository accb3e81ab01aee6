"""Whether scores and counts beside a forecast are of the same deaths."""

from __future__ import annotations

from odforecast.backtesting import Results
from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.panel import Panel

#: What tells deaths apart, of a panel and in the manifest of a backtest.
_KEYS = ("indicator", "dataset", "basis")


def check_deaths(forecast: Forecast, later: Panel | None, **given: Results | None) -> None:
    """Refuse scores, or a later release, of other deaths than a forecast's.

    Parameters
    ----------
    forecast : Forecast
    later : Panel, optional
    **given : Results, optional
        By the name of the argument that they were given as.

    Raises
    ------
    DataError
        If they are of another indicator, data set or way of counting, or do not say of which.
    """
    panel = forecast.panel
    for name, results in given.items():
        if results is None:
            continue
        if panel is None:
            raise DataError(
                f"{name}: the forecast holds no counts, so it is not known which deaths it is of",
                hint=f"leave {name} out",
            )
        for key in _KEYS:
            if key not in results.manifest:
                raise DataError(
                    f"{name}: the manifest has no {key!r}, so it is not known which deaths were "
                    "scored: an earlier version of odforecast wrote it",
                    hint="run the backtest again",
                )
            if results.manifest[key] != getattr(panel, key):
                raise DataError(
                    f"{name}: of {key} {results.manifest[key]!r}, and the forecast is of "
                    f"{getattr(panel, key)!r}",
                    hint="score the same deaths: odforecast backtest --indicator",
                )
    for key in _KEYS:
        if panel is not None and later is not None and getattr(later, key) != getattr(panel, key):
            raise DataError(
                f"later: of {key} {getattr(later, key)!r}, and the forecast is of "
                f"{getattr(panel, key)!r}",
                hint="give a later release of the same counts",
            )
