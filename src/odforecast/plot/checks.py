"""Figures of the validation checks: calibration, recovery, hindcast, episodes, placebos, power."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    figure, axes = canvas()
    rows = table.sort_values("estimate", ignore_index=True)
    colors = np.where(rows["covered"], MUTED, ORANGE)
    axes.vlines(rows.index, rows["low"], rows["high"], colors=colors, linewidth=1.2)
    axes.scatter(rows.index, rows["estimate"], s=4, color=INK, zorder=3)
    axes.axhline(truth, color=BLUE, linewidth=1.5, label="injected")
    axes.set_xlabel("simulation, sorted by estimate (orange: the interval misses)")
    axes.set_ylabel("log rate ratio")
    legend(axes)
    return figure


def transforms(places: dict[str, tuple[Floats, Floats, Floats, Floats]]) -> Figure:
    """How far each quantity's transforms leave the diagonal: points, shares, low and high."""
    figure, axes = canvas()
    for (name, (points, found, low, high)), color in zip(places.items(), PALETTE):
        if name == "size_or_none":
            axes.fill_between(points, low - points, high - points, color=MUTED, alpha=0.25,
                              linewidth=0, label="99% bands")  # fmt: skip
        axes.plot(points, found - points, color=color, label=name.replace("_", " "))
    axes.axhline(0.0, color=INK, linewidth=0.6)
    axes.set_xlabel("transform")
    axes.set_ylabel("share at or below, less the transform")
    legend(axes)
    return figure


def ranks(changes: pd.DataFrame, table: pd.DataFrame, title: str) -> Figure:
    """The change in growth after every month, and the events among them."""
    figure, axes = canvas(height=7.0)
    axes.plot(days(changes["month"].to_numpy(dtype=str)), changes["change"], color=MUTED)
    axes.axhline(0.0, color=INK, linewidth=0.6)
    listed = []
    for number, row in enumerate(table.dropna(subset="change").to_dict("records"), start=1):
        when = days([row["month"]])[0]
        color = BLUE if row["chosen"] else ORANGE
        axes.scatter([when], [row["change"]], color=color, zorder=3, s=22)
        axes.annotate(str(number), (when, row["change"]), xytext=(5, 4), fontsize=SMALL,
                      textcoords="offset points")  # fmt: skip
        said = "chosen, no rank" if row["chosen"] else f"{row['percentile']:.0f}"
        listed.append(f"{number}  {row['month']}  {row['event']}: {said}")
    axes.set_title(title, loc="left", fontsize=SMALL)
    axes.set_ylabel("change in 12-month growth")
    axes.set_xlabel(
        f"after the colon: percentile among {len(changes)} overlapping dates, low = large fall\n\n"
        + "\n".join(listed),
        loc="left", fontsize=SMALL,
    )  # fmt: skip
    return figure


def rank_pairs(table: pd.DataFrame) -> Figure:
    """Percentiles of all drugs and of the placebo outcome, event by event."""
    figure, axes = canvas(height=0.6 * len(table) + 1.6)
    place = np.arange(len(table))
    axes.scatter(table["percentile"], place, color=BLUE, label="all drugs", zorder=3)
    axes.scatter(
        table["percentile_placebo"], place, facecolors="none", edgecolors=ORANGE,
        label=str(table["placebo"].iloc[0]), zorder=3,
    )  # fmt: skip
    axes.set_yticks(place, [f"{r.event} ({r.month})" for r in table.itertuples()])
    axes.set_xlim(-2, 102)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("percentile (low = unusual fall)")
    legend(axes)
    return figure


def exposure_scatter(table: pd.DataFrame) -> Figure:
    """Change in growth against exposure, one point per location."""
    figure, axes = canvas()
    for group, color in (("low", ORANGE), ("middle", MUTED), ("high", BLUE)):
        part = table[table["group"] == group]
        axes.scatter(part["exposure"], part["change"], s=12, color=color, label=f"{group} third")
        for row in part.itertuples():
            axes.annotate(str(row.location), (row.exposure, row.change), fontsize=SMALL,
                          xytext=(2, 2), textcoords="offset points")  # fmt: skip
        axes.hlines(part["change"].mean(), part["exposure"].min(), part["exposure"].max(),
                    color=color)  # fmt: skip
    axes.set_xlabel("fentanyl share of deaths")
    axes.set_ylabel("change in 12-month growth")
    legend(axes)
    return figure


def hindcast(table: pd.DataFrame, months: Months, counts: Floats) -> Figure:
    """National 12-month-ending counts and the intervals of both scenarios."""
    figure, axes = canvas()
    recent = months >= np.datetime64("2019-01", "M")
    axes.plot(days(months[recent]), counts[recent], color=INK, label="reported")
    for (name, part), color in zip(table.groupby("scenario_id", sort=False), (MUTED, BLUE)):
        when = days(part["month"].to_numpy(dtype=str))
        axes.fill_between(when, part["low"], part["high"], color=color, alpha=0.3, linewidth=0)
        axes.plot(when, part["median"], color=color, label=str(name))
    levels(axes, unit="deaths in 12 months, US")
    of_time(axes)
    legend(axes)
    return figure


def episodes(table: pd.DataFrame) -> Figure:
    """Each episode against its prediction from the others."""
    figure, axes = canvas(height=0.55 * len(table) + 1.4)
    place = np.arange(len(table))
    axes.hlines(place, table["low"], table["high"], color=MUTED, linewidth=4, alpha=0.5)
    colors = np.where(table["covered"], BLUE, ORANGE)
    axes.scatter(table["log_rr"], place, color=colors, zorder=3)
    axes.set_yticks(place, table["episode"])
    axes.invert_yaxis()
    axes.axvline(0.0, color=INK, linewidth=0.6)
    axes.set_xlabel("log rate ratio (bar: predicted from the others)")
    return figure


def detectable(table: pd.DataFrame) -> Figure:
    """Smallest effect that could be seen, by months after the onset."""
    figure, axes = canvas()
    axes.plot(table["months_after"], -table["minimum_percent"], marker="o", color=BLUE)
    levels(axes, "{:g}%".format, "smallest visible fall")
    axes.set_xlabel("months of data after a known onset")
    return figure
