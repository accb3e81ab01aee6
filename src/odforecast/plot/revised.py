"""The nowcast: what was reported of the last counts, and what they will be once final."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.geography import called
from odforecast.plot.inputs import as_of_in, indicator_in, one_of, place_of, reported_of, table_of
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    BLUE,
    ORANGE,
    PALE,
    SMALL,
    TEXT,
    days,
    drawn_on,
    heading,
    legend,
    of_counts,
    of_time,
    quiet,
    thousands,
)
from odforecast.plot.words import (
    as_of_words,
    between,
    capital,
    deaths_of,
    in_place,
    joined,
    literal,
    month_name,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most places beside one another.
_ACROSS = 6
_REPORTED, _MEDIAN = "reported", "once final: median"
_CDC, _CLEARED = "CDC's predicted value", "the same, cleared of its usual excess"
_NOWCAST = ("location", "month", "reported", "low", "median", "high", "level")


def nowcast(
    forecast: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    months: int = 24,
    kind: str = "counts",
) -> Axes:
    """The last counts of one place as reported, once final, and as CDC predicts them.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast whose model knows the delay, or its table (``forecast.nowcast()``).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    history : Panel or DataFrame, optional
        Counts before them (``location``, ``month``, ``reported``). Default: the forecast's panel.
    months : int
        How many months are shown, those of the nowcast included.
    kind : {"counts", "revision"}
        The counts; or what each is above the reported count, where small revisions can be seen.

    Returns
    -------
    Axes
        Deaths in the 12 months ending; the axis does not begin at zero, for revisions are small
        beside the counts.

    Raises
    ------
    ForecastError
        If the model takes published counts as they are.
    UnknownNameError
        If the place is not there, or the kind is another.
    DataError
        If a column is missing.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model().fit(panel).forecast(draws=100)
    >>> od.plot.nowcast(forecast, "Ohio").get_title(loc="left")
    'Ohio: the last counts, once final'
    """
    one_of(kind, ("counts", "revision"), "kind")
    table = forecast.nowcast() if callable(getattr(forecast, "nowcast", None)) else forecast
    more = ("revision", "revision_low", "revision_high") if kind == "revision" else ()
    table = table_of(table, (*_NOWCAST, *more), "the nowcast")
    place = place_of(table["location"], location, "this nowcast")
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    drawn = drawn_on(axes)
    if kind == "counts":
        panel = getattr(forecast, "panel", None) if history is None else history
        parts = getattr(forecast, "parts", None)
        known = None if panel is None else reported_of(panel, place, parts)
        first = rows["month"].max() - pd.DateOffset(months=months - 1)
        before = rows if known is None else known[known["month"] >= first]
        _counts(drawn, rows, before, 3.6)
    else:
        _revisions(drawn, rows)
    seen = as_of_words(as_of_in(forecast))
    below = "12 months ending" if kind == "counts" else "less the reported count"
    deaths = deaths_of(indicator_in(forecast) or indicator_in(history))
    heading(
        drawn,
        literal(f"{called(place)}: the last counts, once final"),
        literal(joined(f"{capital(deaths)}, {below}", seen)),
    )
    legend(drawn)
    describe(drawn, _sentence(rows, place, deaths, seen))
    axes_out: Axes = drawn
    return axes_out


def nowcast_figure(
    table: pd.DataFrame,
    history: pd.DataFrame | None = None,
    months: int = 24,
    indicator: str | None = None,
) -> Figure:
    """The last counts of one place or several as reported, once final, and as CDC predicts them.

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
    indicator : str, optional
        Which deaths they are, for what is said of the figure; a table does not know it.

    Returns
    -------
    matplotlib Figure
        Deaths in the 12 months ending; the axes do not begin at zero, for the revisions are
        small beside the counts.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model().fit(panel).forecast(draws=100)
    >>> figure = nowcast_figure(forecast.select("Ohio").nowcast(), panel.to_frame())
    >>> len(figure.axes)
    2
    """
    from matplotlib.figure import Figure

    table_of(table, _NOWCAST, "the nowcast")
    deaths = deaths_of(indicator or indicator_in(table))
    places = list(dict.fromkeys(table["location"]))
    first = table["month"].max() - pd.DateOffset(months=months - 1)
    if len(places) == 1:
        figure = Figure(figsize=(7.6, 5.4), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _counts(axes, table, _before(table, history, first), 3.4)
        _revisions(below, table)
        axes.set_ylabel("deaths in the\n12 months ending", fontsize=TEXT)
        below.set_ylabel("revision: less the\nreported count", fontsize=TEXT)
        axes.set_title(literal(called(places[0])), fontsize=TEXT + 1.4)
        describe(axes, _sentence(table, str(places[0]), deaths))
        drawn = [axes, below]
    else:
        across = len(places) if len(places) <= 3 else min(_ACROSS, math.ceil(len(places) ** 0.5))
        down = -(-len(places) // across)
        figure = Figure(figsize=(3.1 * across + 0.4, 2.3 * down + 0.9), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes, place in zip(grid, places):
            rows = table[table["location"] == place]
            _counts(axes, rows, _before(rows, history, first), 2.4)
            axes.set_title(literal(called(place)), fontsize=TEXT)
            describe(axes, _sentence(rows, str(place), deaths))
        for axes in grid[len(places) :]:
            axes.remove()
        drawn = list(grid[: len(places)])
        figure.supylabel("deaths in the 12 months ending", fontsize=TEXT)
    handles, labels = _handles(drawn)
    figure.legend(
        handles, labels, loc="outside lower center", frameon=False, fontsize=SMALL,
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
    quiet(axes)
    when = days(rows["month"].to_numpy())
    axes.axvspan(when[0], when[-1], color=PALE, alpha=0.6, lw=0, zorder=0)
    _band(axes, when, rows, "")
    if "predicted" in rows and rows["predicted"].notna().any():
        axes.plot(when, rows["predicted"], color=ORANGE, lw=1.3, ls="--", label=_CDC, zorder=1.9)
    axes.plot(when, rows["median"], color=BLUE, lw=1.8, label=_MEDIAN)
    axes.plot(
        days(before["month"].to_numpy()), before["reported"], "o", color=BLACK, ms=size,
        label=_REPORTED, zorder=3,
    )  # fmt: skip
    of_counts(axes, from_zero=False)
    of_time(axes)


def _revisions(axes: Any, rows: pd.DataFrame) -> None:
    """The same less the reported count, where what is revised can be seen."""
    quiet(axes)
    when = days(rows["month"].to_numpy())
    axes.axvspan(when[0], when[-1], color=PALE, alpha=0.6, lw=0, zorder=0)
    axes.axhline(0, color=BLACK, lw=0.8)
    _band(axes, when, rows, "revision_")
    axes.plot(when, rows["revision"], color=BLUE, lw=1.8, label=_MEDIAN)
    for name, style, label in (
        ("predicted", "--", _CDC),
        ("predicted_unbiased", ":", _CLEARED),
    ):
        if name in rows and rows[name].notna().any():
            said = rows[name] - rows["reported"]
            axes.plot(when, said, color=ORANGE, lw=1.3, ls=style, label=label, zorder=1.9)
    thousands(axes.yaxis)
    of_time(axes)
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:+,.0f}".replace("-", "−") if v else "0")


def _band(axes: Any, when: Any, rows: pd.DataFrame, what: str) -> None:
    axes.fill_between(
        when, rows[f"{what}low"], rows[f"{what}high"], color=BLUE, alpha=0.3, lw=0,
        label=f"once final: {100 * float(rows['level'].iloc[0]):g}% interval",
    )  # fmt: skip


def _handles(grid: Any) -> tuple[list[Any], list[str]]:
    """Each label once, whichever panel has it."""
    seen: dict[str, Any] = {}
    for axes in grid:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            seen.setdefault(label, handle)
    order = [_REPORTED, _MEDIAN, *(x for x in seen if "interval" in x), _CDC, _CLEARED]
    labels = [x for x in order if x in seen]
    return [seen[x] for x in labels], labels


def _sentence(rows: pd.DataFrame, place: str, deaths: str, seen: str = "") -> str:
    last = rows.sort_values("month").iloc[-1]
    lead = joined(f"Nowcast of {deaths} in {in_place(place)}", seen)
    parts = []
    if np.isfinite(last["reported"]):
        parts.append(f"{last['reported']:,.0f} reported for {month_name(last['month'])}")
    else:
        parts.append(f"no count reported for {month_name(last['month'])}")
    low, high = float(last["low"]), float(last["high"])
    if np.isfinite([low, high]).all():
        parts.append(
            f"once final {rounded(float(last['median']), step_of(low, high))}, "
            f"{100 * float(last['level']):g}% interval {between(low, high)}"
        )
    if "predicted" in rows and np.isfinite(last["predicted"]):
        parts.append(f"CDC's predicted value {last['predicted']:,.0f}")
    return f"{lead}: {'; '.join(parts)}."
