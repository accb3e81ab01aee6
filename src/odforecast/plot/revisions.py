"""How counts are revised: expected final counts, and every release over the newest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, DataError
from odforecast.geography import called
from odforecast.plot.files import describe, finish
from odforecast.plot.frame import (
    about,
    capital,
    in_place,
    joined,
    months_in,
    one_of,
    own_words,
    place_of,
    reported_of,
    table_of,
    titled,
)
from odforecast.plot.style import (
    BAND90,
    BLUE,
    GRID,
    INK,
    ORANGE,
    SMALL,
    TEXT,
    Head,
    Label,
    Line,
    days,
    drawn_on,
    heading_of_part,
    legend,
    levels,
    of_time,
    over_all,
    quiet,
    signed,
)
from odforecast.say import between, day_name, month_name, rounded, step_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most places beside one another; months of each release that are drawn in color.
_ACROSS, _TAIL = 6, 18
_NOWCAST = ("location", "month", "reported", "low", "median", "high", "level")
_REVISION = ("revision", "revision_low", "revision_high")


def nowcast(
    forecast: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    months: int = 24,
    kind: str = "counts",
) -> Axes:
    """The last counts of one place: as reported, expected final, and as CDC predicts them.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast whose model knows the delay, or its table (``forecast.nowcast()``).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
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

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model().fit(panel).forecast(draws=100)
    >>> od.plot.nowcast(forecast, "Ohio").get_title(loc="left")
    'Drug overdose deaths, expected final counts, Ohio'
    """
    one_of(kind, ("counts", "revision"), "kind")
    table = forecast.nowcast() if callable(getattr(forecast, "nowcast", None)) else forecast
    more = _REVISION if kind == "revision" else ()
    table = table_of(table, (*_NOWCAST, *more), "the nowcast")
    place = place_of(table["location"], location, "this nowcast")
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    drawn = drawn_on(axes)
    panel = getattr(forecast, "panel", None) if history is None else history
    parts = getattr(forecast, "parts", None)
    ends = _draw(drawn, rows, kind, _before(rows, panel, months, parts))
    of = about(forecast)
    deaths = about(history).deaths if of.deaths == "deaths" else of.deaths
    what, below = {
        "counts": ("expected final counts",
                   ". Dots: as reported. Blue: final count, with interval."),
        "revision": ("how much the last counts will rise",
                     ", less the reported count. Band: the interval."),
    }[kind]  # fmt: skip
    title = f"{capital(deaths)}, {what}, {called(place)}"
    own = own_words(forecast, place)
    below = f"12 months ending each month{below}{f' {capital(own)}.' if own else ''}"
    head = Head(title, below, of.source)
    said = _nowcast_said(rows, place, deaths, joined(of.seen, own))
    return finish(drawn, head, said, ends, time=True, margin=60)


def nowcast_figure(
    table: pd.DataFrame, history: pd.DataFrame | None = None, months: int = 24,
    indicator: str | None = None, given: str = "",
) -> Figure:  # fmt: skip
    """The last counts of some places, from ``forecast.nowcast()``, for the command line.

    One location has two panels: the counts, and below them the same less the reported count,
    where small revisions can be seen. Several have a panel of counts each. A table does not know
    which deaths it counts, nor which own counts it rests on: ``indicator`` and ``given`` say so.
    """
    from matplotlib.figure import Figure

    table_of(table, _NOWCAST, "the nowcast")
    deaths = about(table, indicator=indicator).deaths
    places = [str(s) for s in dict.fromkeys(table["location"])]
    n, one = len(places), len(places) == 1
    across = n if n <= 3 else min(math.ceil(n**0.5), _ACROSS)
    down = 2 if one else -(-n // across)
    size = (10.5, 7.4) if one else (4.2 * across + 0.4, 3.0 * down + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    grid = list(figure.subplots(down, across, squeeze=False, sharex=one).ravel())
    for axes in grid[2 if one else n :]:
        axes.remove()
    for axes, place in zip(grid, places):
        rows = table[table["location"] == place]
        _draw(quiet(axes), rows, "counts", _before(rows, history, months))
        heading_of_part(axes, called(place))
        describe(axes, _nowcast_said(rows, place, deaths))
    if one:
        _draw(quiet(grid[1]), table, "revision", table)
        heading_of_part(grid[1], "Revision: less the reported count")
    for axes in (drawn := figure.axes):
        of_time(axes, 60)
    over_all(figure, joined(titled(deaths), given), TEXT + 2)
    legend(*drawn)
    return figure


def _before(rows: pd.DataFrame, history: Any, months: int, parts: Any = None) -> pd.DataFrame:
    """Reported counts of a place in the last months."""
    place = str(rows["location"].iloc[0])
    known: pd.DataFrame | None = None if history is None else reported_of(history, place, parts)
    first = rows["month"].max() - pd.DateOffset(months=months - 1)
    return rows if known is None else known[known["month"] >= first]


def _draw(axes: Any, rows: pd.DataFrame, kind: str, before: pd.DataFrame) -> list[Label]:
    """The counts, or the same less the reported count, where what is revised can be seen."""
    counts = kind == "counts"
    middle, low, high = ("median", "low", "high") if counts else _REVISION
    less: Any = 0 if counts else rows["reported"]
    when = days(months_in(rows))
    axes.axvspan(when[0], when[-1], color=GRID, alpha=0.5, lw=0, zorder=0)
    interval = f"final count: {100 * float(rows['level'].iloc[0]):g}% interval"
    axes.fill_between(when, rows[low], rows[high], color=BAND90, lw=0, label=interval)
    axes.plot(when, rows[middle], color=BLUE, lw=2, label="final count: median")
    ends: list[Label] = [(float(rows[middle].iloc[-1]), [Line("Once final", BLUE, True)], 0)]
    others = (
        ("predicted", "--", "CDC's predicted value", ("CDC's predicted", "value")),
        ("predicted_unbiased", ":", "the same, cleared of its usual excess",
         ("cleared of its", "usual excess")),
    )  # fmt: skip
    for name, style, words, lines in others[: 1 if counts else 2]:
        if name in rows and rows[name].notna().any():
            shown = rows[name] - less
            axes.plot(when, shown, color=ORANGE, lw=1.3, ls=style, label=words, zorder=1.9)
            ends.append((float(shown.dropna().iloc[-1]), [Line(x, ORANGE) for x in lines], 0))
    if counts:
        axes.plot(days(months_in(before)), before["reported"], "o", color=INK, ms=5,
                  label="reported", zorder=3)  # fmt: skip
        ends.append((float(before["reported"].dropna().iloc[-1]), [Line("Reported", bold=True)], 0))
        levels(axes, from_zero=False)
    else:
        axes.axhline(0, color=INK, lw=0.8)
        levels(axes, signed("+,.0f"), from_zero=False)
    return ends


def _nowcast_said(rows: pd.DataFrame, place: str, deaths: str, seen: str = "") -> str:
    last = rows.sort_values("month").iloc[-1]
    count = f"{last['reported']:,.0f}" if np.isfinite(last["reported"]) else "no count"
    parts = [f"{count} reported for {month_name(last['month'])}"]
    low, high = float(last["low"]), float(last["high"])
    if np.isfinite([low, high]).all():
        parts.append(
            f"expected final count {rounded(float(last['median']), step_of(low, high))}, "
            f"{100 * float(last['level']):g}% interval {between(low, high)}"
        )
    if "predicted" in rows and np.isfinite(last["predicted"]):
        parts.append(f"CDC's predicted value {last['predicted']:,.0f}")
    return f"{joined(f'Nowcast of {deaths} in {in_place(place)}', seen)}: {'; '.join(parts)}."


def revision_triangle(
    revisions: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    kind: str = "counts",
    settled: int = 12,
) -> Axes:
    """How the counts of one place were revised: every release over the newest.

    Parameters
    ----------
    revisions : Revisions or DataFrame
        ``archive.revisions(...)``; or its table: ``location``, ``month``, ``release``,
        ``reported``.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    kind : {"counts", "percent"}
        The last 18 months of each release as they were published; or how far each count was from
        the newest release's, by its age.
    settled : int
        Months from the end of a period until the newest release's count is taken as final.

    Raises
    ------
    ArchiveError
        If there are not two releases with counts of the place.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> table = pd.DataFrame({
    ...     "location": "US", "month": pd.to_datetime(["2024-01", "2024-01", "2024-02"]),
    ...     "release": pd.to_datetime(["2024-06-12", "2025-09-17", "2025-09-17"]),
    ...     "reported": [990.0, 1000.0, 1010.0],
    ... })
    >>> print(od.plot.alt_text(od.plot.revision_triangle(table)))
    Revisions of deaths in the United States, 2 releases, June 12, 2024 to September 17, 2025:
    January 2024 was first 990, and is 1,000 in the newest.
    """
    one_of(kind, ("counts", "percent"), "kind")
    values, releases, months, place = _triangle(revisions, location)
    has = np.flatnonzero((~np.isnan(values)).any(axis=1))
    if has.size < 2:
        raise ArchiveError(
            f"{has.size} release with counts of {called(place)}: nothing was revised",
            hint="add releases: odforecast data add FILE... --archive DIR",
        )
    values, releases = values[has], [releases[i] for i in has]
    drawn = drawn_on(axes)
    deaths = about(revisions).deaths
    if kind == "counts":
        _releases(drawn, values, releases, months)
        below = f"The last {_TAIL} months of each release, over the line of the newest."
    else:
        _percent(drawn, values, releases, months, settled)
        below = f"Each release against the count reported on {day_name(releases[-1].item())}."
    title = f"{capital(deaths)} in the 12 months ending each month: revisions, {called(place)}"
    sentence = _revised(values, releases, months, place, deaths)
    return finish(drawn, Head(title, below), sentence, time=kind == "counts", margin=60)


def _triangle(revisions: Any, location: str | None) -> tuple[Any, list[np.datetime64], Any, str]:
    """Counts (R, M) of one place, the days of the releases, and the months."""
    if callable(getattr(revisions, "triangle", None)):
        place = place_of(revisions.locations, location, "these revisions")
        table = revisions.triangle(place)
    else:
        long = table_of(revisions, ("location", "month", "release", "reported"), "revisions")
        place = place_of(long["location"], location, "this table")
        rows = long[long["location"].astype(str) == place]
        if rows.duplicated(["release", "month"]).any():
            raise DataError(f"{called(place)} has a month of a release twice")
        table = rows.pivot(index="release", columns="month", values="reported").sort_index()
    days_of = [np.datetime64(d, "D") for d in table.index.to_numpy()]
    months = table.columns.to_numpy(dtype="datetime64[M]")
    return table.to_numpy(dtype=float), days_of, months, place


def _releases(axes: Any, values: Any, releases: list[np.datetime64], months: Any) -> None:
    when, last = days(months), len(releases) - 1
    axes.plot(when, values[-1], color=INK, lw=1.2, zorder=1)  # under all others
    # Of many releases the legend names the first, the last, and some between.
    step = 1 if len(releases) <= 10 else -(-len(releases) // 8)
    for r, (color, day) in enumerate(zip(_shades(len(releases)), releases)):
        known = np.flatnonzero(~np.isnan(values[r]))
        tail = known[-_TAIL:]
        axes.plot(when[tail], values[r, tail], color=color, lw=1.4)
        name = f"{day} (the line)" if r == last else f"{day}" if r % step == 0 else f"_{day}"
        axes.plot(when[known[-1]], values[r, known[-1]], "o", color=color, ms=5, label=name)
    levels(axes, from_zero=False)
    legend(axes, title="release", title_fontsize=SMALL, alignment="left")


def _percent(
    axes: Any, values: Any, releases: list[np.datetime64], months: Any, settled: int
) -> None:
    published = np.array(releases, dtype="datetime64[M]")[:, None]
    ages = (published - months[None, :].astype("datetime64[M]")).astype(int)
    final = np.where(ages[-1] >= settled, values[-1], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = 100 * (values / final - 1)
    off[~np.isfinite(off)] = np.nan
    for r, color in enumerate(_shades(len(releases))[:-1]):
        old = np.flatnonzero(~np.isnan(off[r]))
        if old.size:
            axes.plot(ages[r, old], off[r, old], color=color, lw=1.2)
            axes.plot(ages[r, old[-1]], off[r, old[-1]], "o", color=color, ms=5)
    axes.axhline(0, color=INK, lw=0.8)
    levels(axes, signed("+.3g", "%"), "from final", from_zero=False)
    axes.set_xlim(0, 36)
    axes.set_xticks(range(0, 37, 6))
    axes.set_xlabel("months from the end of the 12-month period to the release")


def _shades(n: int) -> Any:
    """From old to new, dark to light; viridis keeps its order without color."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0.05, 0.85, n))


def _revised(
    values: Any, releases: list[np.datetime64], months: Any, place: str, deaths: str
) -> str:
    seen = " to ".join(day_name(day.item()) for day in (releases[0], releases[-1]))
    lead = f"Revisions of {deaths} in {in_place(place)}, {len(releases)} releases, {seen}"
    # The last month of the oldest release that the newest still has.
    both = np.flatnonzero(~np.isnan(values[0]) & ~np.isnan(values[-1]))
    if not both.size:
        return f"{lead}: they have no month in common."
    m = both[-1]
    return (
        f"{lead}: {month_name(months[m])} was first {values[0, m]:,.0f}, and is "
        f"{values[-1, m]:,.0f} in the newest."
    )
