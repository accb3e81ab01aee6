"""Figure of the nowcast: what was reported, and what it will be once final."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.errors import OdforecastError
from odforecast.geography import find

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Most places beside one another.
_ACROSS = 6
_REPORTED, _MEDIAN = "reported", "once final: median"
_CDC, _CLEARED = "CDC's predicted value", "the same, cleared of its usual excess"


def nowcast_figure(
    table: pd.DataFrame, history: pd.DataFrame | None = None, months: int = 24
) -> Figure:
    """The last counts as reported, once final, and as CDC predicts them.

    One location has two panels: the counts, and below them the same less the reported count,
    where small revisions can be seen. Several have a panel of counts each.

    Parameters
    ----------
    table : DataFrame
        From :meth:`odforecast.Forecast.nowcast`.
    history : DataFrame, optional
        Counts before them: ``location``, ``month``, ``reported``, as ``panel.to_frame()`` has
        them. A sum of locations has none.
    months : int
        How many months are shown, those of the nowcast included.

    Returns
    -------
    matplotlib Figure
        Deaths in the 12 months ending; the axes do not begin at zero, for the revisions are
        small beside the counts.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model().fit(panel).forecast(draws=100)
    >>> figure = nowcast_figure(forecast.select("Ohio").nowcast(), panel.to_frame())
    >>> len(figure.axes)
    2
    """
    from matplotlib.figure import Figure

    places = list(dict.fromkeys(table["location"]))
    first = table["month"].max() - pd.DateOffset(months=months - 1)
    if len(places) == 1:
        figure = Figure(figsize=(7.6, 5.4), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _counts(axes, table, _before(table, history, first), 3.4)
        _revisions(below, table)
        axes.set_ylabel("deaths in the\n12 months ending", fontsize=9)
        drawn = [axes, below]
    else:
        across = len(places) if len(places) <= 3 else min(_ACROSS, math.ceil(len(places) ** 0.5))
        down = -(-len(places) // across)
        figure = Figure(figsize=(3.1 * across + 0.4, 2.3 * down + 0.9), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes, place in zip(grid, places):
            rows = table[table["location"] == place]
            _counts(axes, rows, _before(rows, history, first), 2.4)
        for axes in grid[len(places) :]:
            axes.remove()
        drawn = list(grid[: len(places)])
        figure.supylabel("deaths in the 12 months ending", fontsize=9)
    handles, labels = _legend(drawn)
    figure.legend(
        handles, labels, loc="outside lower center", frameon=False, fontsize=8,
        ncols={1: 3, 2: 2}.get(len(places), 4),
    )  # fmt: skip
    return figure


def _before(rows: pd.DataFrame, history: pd.DataFrame | None, first: pd.Timestamp) -> pd.DataFrame:
    """Reported counts of a place from a month on."""
    place = rows["location"].iloc[0]
    if history is None or not (history["location"] == place).any():
        return rows
    kept: pd.DataFrame = history[(history["location"] == place) & (history["month"] >= first)]
    return kept


def _counts(axes: Any, rows: pd.DataFrame, before: pd.DataFrame, size: float) -> None:
    from odforecast.plot.style import BLUE, GREY, ORANGE, days

    when = days(rows["month"].to_numpy())
    axes.axvspan(when[0], when[-1], color=GREY, alpha=0.07, lw=0)
    _band(axes, when, rows, "")
    if rows["predicted"].notna().any():
        axes.plot(when, rows["predicted"], color=ORANGE, lw=1.3, ls="--", label=_CDC, zorder=1.9)
    axes.plot(when, rows["median"], color=BLUE, lw=1.8, label=_MEDIAN)
    axes.plot(
        days(before["month"].to_numpy()), before["reported"], "o", color="black", ms=size,
        label=_REPORTED, zorder=3,
    )  # fmt: skip
    axes.set_title(_name(rows["location"].iloc[0]), fontsize=8 + size)
    _tidy(axes)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _revisions(axes: Any, rows: pd.DataFrame) -> None:
    """The same less the reported count, where what is revised can be seen."""
    from odforecast.plot.style import BLUE, GREY, ORANGE, days

    when = days(rows["month"].to_numpy())
    axes.axvspan(when[0], when[-1], color=GREY, alpha=0.07, lw=0)
    axes.axhline(0, color="black", lw=0.8)
    _band(axes, when, rows, "revision_")
    axes.plot(when, rows["revision"], color=BLUE, lw=1.8, label=_MEDIAN)
    for name, style, label in (
        ("predicted", "--", _CDC),
        ("predicted_unbiased", ":", _CLEARED),
    ):
        if rows[name].notna().any():
            said = rows[name] - rows["reported"]
            axes.plot(when, said, color=ORANGE, lw=1.3, ls=style, label=label, zorder=1.9)
    axes.set_ylabel("revision: less the\nreported count", fontsize=9)
    _tidy(axes)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:+,.0f}" if value else "0")


def _band(axes: Any, when: Any, rows: pd.DataFrame, what: str) -> None:
    from odforecast.plot.style import BLUE

    axes.fill_between(
        when, rows[f"{what}low"], rows[f"{what}high"], color=BLUE, alpha=0.3, lw=0,
        label=f"once final: {100 * float(rows['level'].iloc[0]):g} % interval",
    )  # fmt: skip


def _name(place: str) -> str:
    """A place's name; that of a sum is its own."""
    try:
        found = find(place)
    except OdforecastError:
        return place.replace("$", r"\$")
    return str(getattr(found, "label", None) or found.name)


def _legend(grid: Any) -> tuple[list[Any], list[str]]:
    """Each label once, whichever panel has it."""
    seen: dict[str, Any] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            seen.setdefault(label, handle)
    order = [_REPORTED, _MEDIAN, *(x for x in seen if "interval" in x), _CDC, _CLEARED]
    labels = [x for x in order if x in seen]
    return [seen[x] for x in labels], labels


def _tidy(axes: Any) -> None:
    import matplotlib.dates as dates
    from matplotlib.ticker import MaxNLocator

    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ticks: Any = dates.AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(ticks)  # type: ignore[no-untyped-call]
    )
