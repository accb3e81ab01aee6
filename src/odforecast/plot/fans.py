"""Forecasts as fans: of one place, or of several in one figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.inputs import place_of
from odforecast.plot.output import describe, grid_of
from odforecast.plot.place_fan import End, PlaceFan, read
from odforecast.plot.style import (
    BLUE,
    CAPTION,
    INK,
    MUTED,
    TEXT,
    Line,
    beside,
    canvas,
    days,
    drawn_on,
    heading,
    of_counts,
    of_time,
    reserve,
    width_of,
)
from odforecast.plot.words import capital, literal, month_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Months of history before the forecast.
MONTHS = 60
_ENDS = "_odforecast_ends"


def fan(
    forecast: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    bands: Sequence[float] = (0.5, 0.9),
    label: str | None = None,
    months: int = MONTHS,
    color: str = BLUE,
    from_zero: bool = True,
) -> Axes:
    """The next months of one place: median and central intervals, after what is known.

    Reported counts are black; those that are not final yet are dots, and where the model says what
    they will be once final, that is the dashed beginning of the fan. Called twice on the same
    axes, it puts one forecast over another.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast, or its table (``forecast.to_frame(levels)``): ``location``, ``month``,
        ``horizon``, ``level``, ``value`` (deaths in the 12 months ending).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    history : Panel or DataFrame, optional
        Reported counts (``location``, ``month``, ``reported``). Default: the forecast's panel;
        a table of a forecast has none.
    bands : sequence of float
        Central intervals, each between 0 and 1.
    label : str, optional
        What the legend calls it. Default: ``forecast``.
    months : int
        Months of history shown.
    color : str
        Of the fan.
    from_zero : bool
        Whether the vertical axis begins at zero.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If the place is not in the forecast.
    DataError
        If a column or a level is missing, or an interval is not between 0 and 1.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100, seed=1)
    >>> axes = od.plot.fan(forecast, "Ohio", bands=(0.8,))
    >>> axes.get_title(loc="left")
    'Ohio'
    """
    seen = read(forecast, bands, history)
    place = place_of(seen.table["location"], location, "this forecast")
    drawn = drawn_on(axes)
    fan_of = PlaceFan(seen, place, months)
    fan_of.draw(drawn, color, label or "forecast")
    reserve(drawn, right=105 if width_of(drawn) < 480 else 150)
    _finish(drawn, from_zero)
    title = f"{capital(seen.deaths)} in the 12 months ending each month, {called(place)}"
    heading(drawn, literal(title), literal(fan_of.marks()), literal(seen.source()))
    ends = [*getattr(drawn, _ENDS, ()), (fan_of.end(), color, label or "forecast")]
    setattr(drawn, _ENDS, ends)
    if len(ends) == 1:
        fan_of.mark(drawn)
    known = [(end, *more) for end, *more in ends if end is not None]
    if len(ends) == 1 and known:
        _bracket(drawn, *known[0])
    else:
        _names(drawn, known)
    describe(drawn, fan_of.sentence(label))
    axes_out: Axes = drawn
    return axes_out


def _bracket(axes: Any, end: End, color: str, name: str) -> None:
    """The last forecast in bold, between both ends of its interval."""
    from matplotlib.transforms import ScaledTranslation

    narrow = width_of(axes) < 480
    beyond = axes.transData + ScaledTranslation(
        7 / 72, 0, axes.get_figure(root=True).dpi_scale_trans
    )
    at = days([end.month, end.month])
    for i, sides in enumerate(end.sides[::-1]):
        axes.plot(at, sides, color=color, lw=3.5 if i else 1.5, transform=beyond, clip_on=False,
                  gid=f".bracket{i}", solid_capstyle="butt")  # fmt: skip
    for value in end.sides[-1] if end.sides else ():
        axes.plot(at[:1], [value], "_", color=color, ms=7, mew=1.5, transform=beyond, clip_on=False,
                  gid=".bracket")  # fmt: skip
    axes.plot(at[:1], [end.value], "o", color=color, ms=8, transform=beyond, clip_on=False,
              gid=".bracket")  # fmt: skip
    what = name.capitalize() if name == "forecast" else name
    ahead = f", {end.horizon} months" if not narrow and name == "forecast" else ""
    when = f"{end.month.item():%b %Y}" if narrow else month_name(end.month)
    head = [Line(literal(f"{what}{ahead}"), color, True), Line(f"to {when}", color)]
    middle = Line(end.texts[0], color, True, 17 if narrow else 20)
    if end.sides:
        said = [(end.sides[-1][1], [*head, Line(end.texts[2])], 2), (end.value, [middle], 0),
                (end.sides[-1][0], [Line(end.texts[1]), Line(f"{100 * end.bands[-1]:g}% interval", MUTED)],
                 0)]  # fmt: skip
        beside(axes, said, fixed=1, gap=16)
    else:
        beside(axes, [(end.value, [*head, middle], 2)], gap=16)


def _names(axes: Any, ends: list[Any]) -> None:
    """Of several forecasts on the same axes, the name and the number of each."""
    for old in [x for x in axes.lines if str(x.get_gid()).startswith(".bracket")]:
        old.remove()
    said = []
    for end, color, name in sorted(ends, key=lambda each: -each[0].value):
        lines = [Line(literal(capital(name)), color, True), Line(end.texts[0], color, True)]
        if end.sides:
            lines.append(Line(f"{end.texts[1]} to {end.texts[2]}", MUTED))
        said.append((end.value, lines, 1))
    if said:
        beside(axes, said, gap=12)


def small_multiples(
    forecast: Any,
    locations: str | Iterable[str] | None = None,
    *,
    columns: int = 4,
    axes: NDArray[Any] | None = None,
    history: Any = None,
    bands: Sequence[float] = (0.5, 0.9),
    months: int = MONTHS,
) -> NDArray[Any]:
    """A small fan for each of several places, each on a scale of its own, from zero.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        As for :func:`fan`.
    locations : str or iterable of str, optional
        Any names of places; default: all of the forecast.
    columns : int
        Fans beside one another, in a figure of its own.
    axes : array of Axes, optional
        Where to draw: as many as there are places, or more.
    history, bands, months
        As for :func:`fan`.

    Returns
    -------
    ndarray of Axes, shape (P,)
        One for each place, in their order.

    Raises
    ------
    UnknownNameError
        If a place is not in the forecast.
    DataError
        If no place is named, there are fewer axes than places, or as for :func:`fan`.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100, seed=1)
    >>> [axes.get_title() for axes in od.plot.small_multiples(forecast, ["Ohio", "WV"])]
    ['Ohio', 'West Virginia']
    """
    seen = read(forecast, bands, history)
    there = list(dict.fromkeys(seen.table["location"].astype(str)))
    asked = [locations] if isinstance(locations, str) else locations
    named = there if asked is None else list(asked)
    places = list(dict.fromkeys(place_of(there, s, "this forecast") for s in named))
    if not places:
        raise DataError("locations is empty", hint="leave it out for all of them")
    if columns < 1:
        raise DataError(f"columns is {columns}: a row needs at least one")
    grid = _grid(len(places), columns) if axes is None else np.ravel(np.asarray(axes, dtype=object))
    if grid.size < len(places):
        raise DataError(
            f"{grid.size} axes for {len(places)} places", hint="give as many, or leave axes out"
        )
    for one, place in zip(grid, places):
        drawn_on(one)
        fan_of = PlaceFan(seen, place, months)
        fan_of.draw(one, BLUE, "forecast")
        _finish(one, True)
        end = fan_of.end()
        name = called(place) if end is None else f"{called(place)}  {end.texts[0]}"
        one.set_title(literal(name), fontsize=TEXT, color=INK, pad=TEXT + 8, loc="left")
        describe(one, fan_of.sentence(None))
    if axes is None:
        figure = grid[0].get_figure()
        head = f"{capital(seen.deaths)} in the 12 months ending each month\n{seen.marks(*places)}"
        figure.suptitle(literal(head), fontsize=CAPTION, x=0.01, ha="left", color=INK, wrap=True)
    return grid_of(grid[: len(places)])


def _grid(n: int, columns: int) -> NDArray[Any]:
    across = min(n, columns)
    down = -(-n // across)
    figure, first = canvas(max(3.2 * across, 5.4), 2.3 * down + 0.9)
    first.remove()
    grid: NDArray[Any] = figure.subplots(down, across, squeeze=False).ravel()
    for spare in grid[n:]:
        spare.remove()
    return grid[:n]


def _finish(axes: Any, from_zero: bool) -> None:
    of_counts(axes, from_zero)
    of_time(axes)
