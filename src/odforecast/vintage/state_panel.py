"""The panel of states: one indicator's rows of one release."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS, LOCATIONS, NATION
from odforecast.months import ONE_MONTH, Months
from odforecast.names import VINTAGE_REAL
from odforecast.panel import Floats, Panel
from odforecast.publication import final_through
from odforecast.vintage.county_consistency import SUPPRESSED

#: Columns of the canonical table behind the layers of a panel.
_COLUMNS = {
    "reported": "reported",
    "predicted": "predicted",
    "complete": "percent_complete",
    "pending": "percent_pending",
}


def grid(
    rows: pd.DataFrame, locations: tuple[str, ...], months: Months, columns: tuple[str, ...]
) -> dict[str, Floats]:
    """Columns of a table on a grid of locations and months; cells outside it are left out."""
    row = pd.Index(locations).get_indexer(pd.Index(rows["state"]))
    column = (rows["month"].to_numpy().astype("datetime64[M]") - months[0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (column < months.size)
    out = {}
    for name in columns:
        out[name] = np.full((len(locations), months.size), np.nan)
        out[name][row[inside], column[inside]] = rows[name].to_numpy(dtype=float)[inside]
    return out


def state_panel(
    rows: pd.DataFrame,
    indicator: str,
    as_of: dt.date,
    release: dt.date,
    notes: tuple[str, ...],
) -> Panel:
    """A panel of one indicator's rows of one release."""
    present = set(rows["state"])
    locations = tuple(x.state for x in LOCATIONS if x.state in present)
    stamps = rows["month"].to_numpy().astype("datetime64[M]")
    months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
    layers = grid(rows, locations, months, tuple(_COLUMNS.values()))
    suppressed = rows["status"].to_numpy() == "suppressed"
    marks = rows.assign(hidden=suppressed.astype(float))
    hidden = grid(marks, locations, months, ("hidden",))["hidden"] == 1.0
    if NATION not in present and set(JURISDICTIONS) <= present:
        parts = [locations.index(s) for s in JURISDICTIONS]
        for name, array in layers.items():
            # Predicted counts do not add up, and percentages are no sums.
            whole = array[parts].sum(axis=0) if name == "reported" else np.full(months.size, np.nan)
            layers[name] = np.concatenate([whole[None], array])
        hidden = np.concatenate([np.zeros((1, months.size), dtype=bool), hidden])
        locations = (NATION, *locations)
        notes += (f"release {release} has no US row: the US is the sum of the 52 jurisdictions",)
    reported = layers["reported"]
    if np.isnan(reported).all():
        raise PanelError(
            f"release {release} holds no reported counts for {indicator!r}",
            hint="it has predicted values only; use another release for this date",
        )
    # Months after the last one any location reports say nothing about the counts.
    keep = np.flatnonzero(~np.isnan(reported).all(axis=0))
    span = slice(keep[0], keep[-1] + 1)
    arrays: dict[str, Any] = {short: layers[name][:, span] for short, name in _COLUMNS.items()}
    bounds: dict[str, Any] = {
        edge: np.where(hidden, value, reported)[:, span]
        for edge, value in zip(("low", "high"), SUPPRESSED)
    }
    return Panel(
        indicator=indicator,
        as_of=as_of,
        release=release,
        vintage=VINTAGE_REAL,
        locations=locations,
        months=months[span],
        final_through=final_through(release),
        notes=notes,
        **arrays,
        **bounds,
    )
