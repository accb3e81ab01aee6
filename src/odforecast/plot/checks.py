"""Figures of the validation checks: calibration, recovery, hindcast, episodes, placebos, power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.months import Months
from odforecast.plot.style import BLUE, GREY, ORANGE, PALETTE, canvas, days

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def intervals(table: pd.DataFrame, truth: float) -> Figure:
    """Estimates with intervals, sorted, and the injected size."""
    figure, axes = canvas()
    rows = table.sort_values("estimate", ignore_index=True)
    colours = np.where(rows["covered"], GREY, ORANGE)
    axes.vlines(rows.index, rows["low"], rows["high"], colors=colours, linewidth=1.2)
    axes.scatter(rows.index, rows["estimate"], s=4, color="black", zorder=3)
    axes.axhline(truth, color=BLUE, linewidth=1.5, label="injected")
    axes.set_xlabel("simulation, sorted by estimate (orange: the interval misses)")
    axes.set_ylabel("log rate ratio")
    axes.legend(frameon=False, fontsize=9)
    return figure


def transforms(places: dict[str, tuple[Floats, Floats, Floats, Floats]]) -> Figure:
    """How far each quantity's transforms leave the diagonal: points, shares, low and high."""
    figure, axes = canvas()
    for (name, (points, found, low, high)), colour in zip(places.items(), PALETTE):
        if name == "size_or_none":
            axes.fill_between(points, low - points, high - points, color=GREY, alpha=0.25,
                              linewidth=0, label="99% bands")  # fmt: skip
        axes.plot(points, found - points, color=colour, label=name.replace("_", " "))
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel("transform")
    axes.set_ylabel("share at or below, less the transform")
    axes.legend(frameon=False, fontsize=8, ncols=3)
    return figure


def ranks(changes: pd.DataFrame, table: pd.DataFrame, title: str) -> Figure:
    """The change in growth after every month, and the events among them."""
    figure, axes = canvas(height=4.6)
    axes.plot(days(changes["month"].to_numpy(dtype=str)), changes["change"], color=GREY)
    axes.axhline(0.0, color="black", linewidth=0.6)
    listed = []
    for number, row in enumerate(table.dropna(subset="change").to_dict("records"), start=1):
        when = days([row["month"]])[0]
        colour = BLUE if row["chosen"] else ORANGE
        axes.scatter([when], [row["change"]], color=colour, zorder=3, s=22)
        axes.annotate(str(number), (when, row["change"]), xytext=(5, 4), fontsize=8,
                      textcoords="offset points")  # fmt: skip
        said = "chosen, no rank" if row["chosen"] else f"{row['percentile']:.0f}"
        listed.append(f"{number}  {row['month']}  {row['event']}: {said}")
    axes.set_title(title, loc="left", fontsize=8)
    axes.set_ylabel("change in 12-month growth")
    axes.set_xlabel(
        f"after the colon: percentile among {len(changes)} overlapping dates, low = large fall\n\n"
        + "\n".join(listed),
        loc="left", fontsize=8,
    )  # fmt: skip
    return figure


def rank_pairs(table: pd.DataFrame) -> Figure:
    """Percentiles of all drugs and of the placebo outcome, event by event."""
    figure, axes = canvas(height=0.5 * len(table) + 1.2)
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
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.4, 1.22), ncols=2)
    return figure


def exposure_scatter(table: pd.DataFrame) -> Figure:
    """Change in growth against exposure, one point per location."""
    figure, axes = canvas()
    for group, colour in (("low", ORANGE), ("middle", GREY), ("high", BLUE)):
        part = table[table["group"] == group]
        axes.scatter(part["exposure"], part["change"], s=12, color=colour, label=f"{group} third")
        for row in part.itertuples():
            axes.annotate(str(row.location), (row.exposure, row.change), fontsize=7,
                          xytext=(2, 2), textcoords="offset points")  # fmt: skip
        axes.hlines(part["change"].mean(), part["exposure"].min(), part["exposure"].max(),
                    color=colour)  # fmt: skip
    axes.set_xlabel("fentanyl share of deaths")
    axes.set_ylabel("change in 12-month growth")
    axes.legend(frameon=False, fontsize=9)
    return figure


def hindcast(table: pd.DataFrame, months: Months, counts: Floats) -> Figure:
    """National 12-month-ending counts and the intervals of both scenarios."""
    figure, axes = canvas()
    recent = months >= np.datetime64("2019-01", "M")
    axes.plot(days(months[recent]), counts[recent], color="black", label="reported")
    for (name, part), colour in zip(table.groupby("scenario_id", sort=False), (GREY, BLUE)):
        when = days(part["month"].to_numpy(dtype=str))
        axes.fill_between(when, part["low"], part["high"], color=colour, alpha=0.3, linewidth=0)
        axes.plot(when, part["median"], color=colour, label=str(name))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("12-month-ending deaths, US")
    axes.legend(frameon=False, fontsize=9)
    return figure


def episodes(table: pd.DataFrame) -> Figure:
    """Each episode against its prediction from the others."""
    figure, axes = canvas(height=0.45 * len(table) + 1.0)
    place = np.arange(len(table))
    axes.hlines(place, table["low"], table["high"], color=GREY, linewidth=4, alpha=0.5)
    colours = np.where(table["covered"], BLUE, ORANGE)
    axes.scatter(table["log_rr"], place, color=colours, zorder=3)
    axes.set_yticks(place, table["episode"])
    axes.invert_yaxis()
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel("log rate ratio (bar: predicted from the others)")
    return figure


def detectable(table: pd.DataFrame) -> Figure:
    """Smallest effect that could be seen, by months after the onset."""
    figure, axes = canvas()
    axes.plot(table["months_after"], -table["minimum_percent"], marker="o", color=BLUE)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("months of data after a known onset")
    axes.set_ylabel("smallest visible fall, %")
    return figure
