"""Single months of a forecast: the table that is written, and what the screen shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odforecast.cli.forecast_tables import count
from odforecast.cli.screen import grid
from odforecast.names import TARGET_MONTH

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast


def months_table(made: Forecast, level: float) -> pd.DataFrame:
    """Deaths of single months, one row per location and month.

    Parameters
    ----------
    made : Forecast
    level : float
        Probability of the central intervals.

    Returns
    -------
    DataFrame
        ``location`` (code), ``name``, ``month``, ``horizon`` (months after the last published
        one), ``horizon_from_origin``, ``target`` (``deaths_month``), ``level``; ``low``,
        ``median``, ``high`` (deaths in that month).

    Raises
    ------
    ForecastError
        If the model forecasts 12-month sums alone.
    """
    import pandas as pd

    from odforecast.geography import called

    low, middle, high = made.quantiles([(1 - level) / 2, 0.5, (1 + level) / 2], TARGET_MONTH)
    n, places = made.months.size, len(made.locations)
    return pd.DataFrame(
        {
            "location": np.repeat(np.array(made.locations, dtype=object), n),
            "name": np.repeat(np.array([called(s) for s in made.locations], dtype=object), n),
            "month": np.tile(made.months.astype("datetime64[s]"), places),
            "horizon": np.tile(made.horizons, places),
            "horizon_from_origin": np.tile(made.horizons_from_origin, places),
            "target": TARGET_MONTH,
            "level": level,
            "low": low.ravel(),
            "median": middle.ravel(),
            "high": high.ravel(),
        }
    )


def months_grid(table: pd.DataFrame, rows: int) -> str:
    """Two months beside one another: the middle of the months ahead, and the last.

    Parameters
    ----------
    table : DataFrame
        :func:`months_table`.
    rows : int
        Places shown; 0 for all.
    """
    ahead = sorted(set(table.loc[table["horizon"] >= 1, "horizon"]))
    picks = sorted({ahead[max(1, len(ahead) // 2) - 1], ahead[-1]})
    places = list(dict.fromkeys(table["location"]))
    shown = places[:rows] if rows else places
    heads = [""]
    cells = [[place] for place in shown]
    for far in picks:
        part = table[table["horizon"] == far].set_index("location")
        plural = "s" if far > 1 else ""
        heads.append(f"{far} month{plural} ahead\n{part['month'].iloc[0]:%Y-%m}")
        for line in cells:
            row = part.loc[line[0]]
            line.append(count(float(row["low"]), float(row["median"]), float(row["high"])))
    return grid(heads, cells)
