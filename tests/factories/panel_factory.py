"""Panels for tests of models: the bundled figures, and changes to them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from odforecast.names import ALL_DRUGS, VINTAGE_CLEAN, VINTAGE_REAL
from odforecast.panel import Panel

#: The nation, a large, a middling, a badly delayed and the smallest jurisdiction.
STATES = ("US", "OH", "AZ", "WV", "WY")
RELEASE = dt.date(2025, 9, 17)


@cache
def bundled_panel(states: tuple[str, ...] = STATES) -> Panel:
    """The bundled release, all months, straight from its file."""
    path = resources.files("odforecast.vintage") / "bundled" / "figures_2025-09-17.csv"
    with path.open() as handle:
        table = pd.read_csv(handle)
    table = table[table["indicator"] == ALL_DRUGS]
    layers = {
        name: table.pivot_table(index="state", columns="month", values=name).loc[list(states)]
        for name in ("reported", "predicted")
    }
    months = layers["reported"].columns.to_numpy().astype("datetime64[M]")
    unknown = np.full(layers["reported"].shape, np.nan)
    return Panel(
        indicator=ALL_DRUGS,
        as_of=RELEASE,
        release=RELEASE,
        vintage=VINTAGE_REAL,
        locations=states,
        months=months,
        reported=layers["reported"].to_numpy(),
        predicted=layers["predicted"].to_numpy(),
        percent_complete=unknown,
        percent_pending=unknown,
    )


@cache
def cut_panel(last: str = "2021-06", states: tuple[str, ...] = STATES) -> Panel:
    """The bundled release up to a month, as a clean pseudo-vintage."""
    month = np.datetime64(last, "M")
    day = (month + np.timedelta64(5, "M")).astype("datetime64[D]").astype(object)
    return bundled_panel(states).cut(month, as_of=day, vintage=VINTAGE_CLEAN)


def with_counts(panel: Panel, reported: np.ndarray, predicted: np.ndarray | None = None) -> Panel:
    """The same panel with other counts; predicted ones follow the reported unless given."""
    return replace(panel, reported=reported, predicted=reported if predicted is None else predicted)


def shortened(panel: Panel, n_sums: int) -> Panel:
    """Only the last ``n_sums`` months of a panel."""
    layers = ("reported", "predicted", "percent_complete", "percent_pending")
    cut = {name: getattr(panel, name)[:, -n_sums:] for name in layers}
    return replace(panel, months=panel.months[-n_sums:], **cut)


def small_counts(n_sums: int = 70) -> Panel:
    """One place with about one death in two months: many months without any."""
    months = np.random.default_rng(5).poisson(0.5, size=n_sums + 11).astype(float)
    sums = np.lib.stride_tricks.sliding_window_view(months, 12).sum(axis=1)
    return with_counts(shortened(cut_panel(states=("WY",)), n_sums), sums[None])
