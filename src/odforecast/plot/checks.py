"""Figures of the validation checks: calibration, recovery, hindcast, episodes, placebos, power."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.months import Months
from odforecast.plot.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    SMALL,
    canvas,
    days,
    legend,
    levels,
    of_time,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def intervals(table: pd.DataFrame, truth: float) -> Figure:
    """Estimates with intervals, sorted, and the injected size."""
    _, axes = canvas()
    rows = table.sort_values("estimate", ignore_index=True)
    colors = np.where(rows["covered"], MUTED, ORANGE)
    axes.vlines(rows.index, rows["low"], rows["high"], colors=colors, linewidth=1.2)
    axes.scatter(
        rows.index,
        rows["estimate"],
        s=4,
        color=INK,
        zorder=3,
    )
    axes.axhline(
        truth,
        color=BLUE,
        linewidth=1.5,
        label="injected",
    )
    return _named(
        axes,
        "simulation, sorted by estimate (orange: the interval misses)",
        y="log rate ratio",
    )


def transforms(places: dict[str, tuple[Floats, Floats, Floats, Floats]]) -> Figure:
    """How far each quantity's transforms leave the diagonal: points, shares, low and high."""
    _, axes = canvas()
    for (name, (points, found, low, high)), color in zip(places.items(), PALETTE):
        if name == "size_or_none":
            axes.fill_between(
                points,
                low - points,
                high - points,
                color=MUTED,
                alpha=0.25,
                linewidth=0,
                label="99% bands",
            )
        axes.plot(points, found - points, color=color, label=name.replace("_", " "))
    axes.axhline(0.0, color=INK, linewidth=0.6)
    return _named(axes, "transform", y="share at or below, less the transform")


def ranks(changes: pd.DataFrame, table: pd.DataFrame, title: str) -> Figure:
    """The change in growth after every month, and the events among them."""
    figure, axes = canvas(height=7.0)
    axes.plot(
        days(changes["month"].to_numpy(dtype=str)), changes["change"], color=MUTED
    )
    axes.axhline(0.0, color=INK, linewidth=0.6)
    listed = []
    for number, row in enumerate(
        table.dropna(subset="change").to_dict("records"), start=1
    ):
        at = (days([row["month"]])[0], row["change"])
        chosen = row["chosen"]
        axes.scatter(
            *at,
            color=BLUE if chosen else ORANGE,
            zorder=3,
            s=22,
        )
        axes.annotate(
            str(number), at, (5, 4), textcoords="offset points", fontsize=SMALL
        )
        said = "chosen, no rank" if chosen else f"{row['percentile']:.0f}"
        listed.append(f"{number}  {row['month']}  {row['event']}: {said}")
    axes.set_title(title, loc="left", fontsize=SMALL)
    axes.set_ylabel("change in 12-month growth")
    below = f"after the colon: percentile among {len(changes)} overlapping dates, low = large fall"
    axes.set_xlabel("\n".join([below, "", *listed]), loc="left", fontsize=SMALL)
    return figure


def rank_pairs(table: pd.DataFrame) -> Figure:
    """Percentiles of all drugs and of the placebo outcome, event by event."""
    axes, place = _rows(
        [f"{r.event} ({r.month})" for r in table.itertuples()], 0.6, more=1.6
    )
    axes.scatter(
        table["percentile"],
        place,
        color=BLUE,
        label="all drugs",
        zorder=3,
    )
    axes.scatter(
        table["percentile_placebo"],
        place,
        facecolors="none",
        edgecolors=ORANGE,
        label=str(table["placebo"].iloc[0]),
        zorder=3,
    )
    axes.set_xlim(-2, 102)
    axes.grid(axis="x", alpha=0.3)
    return _named(axes, "percentile (low = unusual fall)")


def exposure_scatter(table: pd.DataFrame) -> Figure:
    """Change in growth against exposure, one point per location."""
    _, axes = canvas()
    for group, color in (("low", ORANGE), ("middle", MUTED), ("high", BLUE)):
        part = table[table["group"] == group]
        axes.scatter(
            part["exposure"],
            part["change"],
            s=12,
            color=color,
            label=f"{group} third",
        )
        for row in part.itertuples():
            axes.annotate(
                str(row.location),
                (row.exposure, row.change),
                (2, 2),
                textcoords="offset points",
                fontsize=SMALL,
            )
        axes.hlines(
            part["change"].mean(),
            part["exposure"].min(),
            part["exposure"].max(),
            color=color,
        )
    return _named(axes, "fentanyl share of deaths", y="change in 12-month growth")


def hindcast(table: pd.DataFrame, months: Months, counts: Floats) -> Figure:
    """National 12-month-ending counts and the intervals of both scenarios."""
    _, axes = canvas()
    recent = months >= np.datetime64("2019-01", "M")
    axes.plot(days(months[recent]), counts[recent], color=INK, label="reported")
    for (name, part), color in zip(
        table.groupby("scenario_id", sort=False), (MUTED, BLUE)
    ):
        when = days(part["month"].to_numpy(dtype=str))
        axes.fill_between(
            when,
            part["low"],
            part["high"],
            color=color,
            alpha=0.3,
            linewidth=0,
        )
        axes.plot(when, part["median"], color=color, label=str(name))
    levels(axes, unit="deaths in 12 months, US")
    of_time(axes)
    return _named(axes)


def episodes(table: pd.DataFrame) -> Figure:
    """Each episode against its prediction from the others."""
    axes, place = _rows(table["episode"], 0.55, more=1.4)
    axes.hlines(
        place,
        table["low"],
        table["high"],
        color=MUTED,
        linewidth=4,
        alpha=0.5,
    )
    colors = np.where(table["covered"], BLUE, ORANGE)
    axes.scatter(table["log_rr"], place, color=colors, zorder=3)
    axes.axvline(0.0, color=INK, linewidth=0.6)
    return _named(axes, "log rate ratio (bar: predicted from the others)")


def detectable(table: pd.DataFrame) -> Figure:
    """Smallest effect that could be seen, by months after the onset."""
    _, axes = canvas()
    axes.plot(table["months_after"], -table["minimum_percent"], marker="o", color=BLUE)
    levels(axes, "{:g}%".format, unit="smallest visible fall")
    return _named(axes, "months of data after a known onset")


def _rows(names: Iterable[str], each: float, more: float) -> tuple[Any, Any]:
    """Axes with a row for each name, and the places of the rows."""
    names = list(names)
    _, axes = canvas(height=each * len(names) + more)
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    return axes, np.arange(len(names))


def _named(axes: Any, x: str = "", y: str = "") -> Figure:
    """The figure of axes, with the names of both and a legend of what has one."""
    axes.set(xlabel=x, ylabel=y)
    legend(axes)
    figure: Figure = axes.get_figure()
    return figure
