"""A panel and tables: a made-up one from a table, all cells, and the newest counts for a look."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.geography import called, lookup
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import VINTAGE_SYNTHETIC, indicator_name
from odforecast.panel.layers import LAYERS

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

_OPTIONAL = ("predicted", "complete", "pending")


def fields_of(frame: pd.DataFrame, as_of: dt.date | str, indicator: str) -> dict[str, Any]:
    """Fields of a made-up panel, from a table; see :meth:`odforecast.panel.Panel.from_frame`."""
    lacking = [c for c in ("location", "month", "reported") if c not in frame]
    if lacking or frame.empty:
        raise PanelError(
            f"the frame has no {', '.join(lacking) or 'rows'}",
            hint="it needs location, month, reported: one row per location and month",
        )
    try:
        day = dt.date.fromisoformat(str(as_of)[:10])
    except ValueError as error:
        raise PanelError(f"as_of is {as_of!r}, no day", hint="write it as 2024-12-11") from error
    states = [lookup(str(s)).state for s in frame["location"]]
    stamps = np.array([to_month(m) for m in frame["month"]], dtype="datetime64[M]")
    locations = tuple(dict.fromkeys(states))
    months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
    rows = np.array([locations.index(s) for s in states])
    columns = (stamps - months[0]).astype(int)
    cells = pd.Series(list(zip(states, stamps)))
    if (twice := cells[cells.duplicated()]).size:
        state, month = twice.iloc[0]
        raise PanelError(f"{state} {month} is given twice", hint="one row per location and month")
    layers: dict[str, Any] = {}
    for name in ("reported", *_OPTIONAL):
        layers[name] = np.full((len(locations), months.size), np.nan)
        if name in frame:
            try:
                numbers = pd.to_numeric(frame[name]).to_numpy(dtype=float)
            except (TypeError, ValueError) as error:
                raise PanelError(f"{name} holds something else than numbers: {error}") from error
            layers[name][rows, columns] = numbers
    counts = layers["reported"]
    if (counts < 0).any() or np.isinf(counts).any():
        i, t = np.argwhere((counts < 0) | np.isinf(counts))[0]
        raise PanelError(f"{locations[i]} {months[t]}: reported is {counts[i, t]:g}, no count")
    return {
        "indicator": indicator_name(indicator),
        "as_of": day,
        "release": day,
        "vintage": VINTAGE_SYNTHETIC,
        "locations": locations,
        "months": months,
        "final_through": months[-1],  # made-up counts are what they are
        **layers,
    }


def cells(panel: Panel) -> pd.DataFrame:
    """All cells, tidy; see :meth:`odforecast.panel.Panel.to_frame`."""
    n_loc, n_time = panel.reported.shape
    columns: dict[str, object] = {
        "location": np.repeat(panel.locations, n_time),
        "name": np.repeat([called(s) for s in panel.locations], n_time),
        "month": np.tile(panel.months.astype("datetime64[s]"), n_loc),
    }
    return pd.DataFrame(columns | {name: getattr(panel, name).ravel() for name in LAYERS})


def newest(panel: Panel) -> pd.DataFrame:
    """The last counts of every location, for people.

    Returns
    -------
    DataFrame
        ``place``, ``reported`` and ``predicted`` (12-month-ending deaths of the last month),
        ``a year earlier`` (reported), ``change, %``, ``complete, %`` (CDC's); NaN where nothing
        is published.
    """
    reported, nothing = panel.reported, np.full(len(panel.locations), np.nan)
    now, before = reported[:, -1], reported[:, -13] if panel.months.size > 12 else nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(before > 0, 100 * (now / before - 1), np.nan)
    return pd.DataFrame(
        {
            "place": [called(s) for s in panel.locations],
            "reported": now,
            "predicted": panel.predicted[:, -1].round(),
            "a year earlier": before,
            "change, %": change.round(1),
            "complete, %": panel.complete[:, -1],
        }
    )
