"""Forecasts as fans: of one place, or of several in one figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.inputs import place_of
from odforecast.plot.output import describe, grid_of
from odforecast.plot.place_fan import PlaceFan, read
from odforecast.plot.style import (
    BLACK,
    BLUE,
    TEXT,
    TITLE,
    canvas,
    drawn_on,
    heading,
    legend,
    of_counts,
    of_time,
    shared_legend,
)
from odforecast.plot.words import capital, joined, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Months of history before the forecast.
MONTHS = 60


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
    again = bool(drawn.lines)
    fan_of = PlaceFan(seen, place, months)
    fan_of.draw(drawn, color, label or "forecast", again)
    _finish(drawn, from_zero)
    below = joined(capital(seen.deaths), "12 months ending", seen.when, seen.own(place))
    heading(drawn, literal(called(place)), literal(below))
    legend(drawn)
    describe(drawn, fan_of.sentence(label))
    axes_out: Axes = drawn
    return axes_out


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
        fan_of.draw(one, BLUE, "forecast", True)
        _finish(one, True)
        one.yaxis.get_major_locator().set_params(nbins=3)
        one.set_title(literal(called(place)), fontsize=TEXT, color=BLACK, wrap=True)
        describe(one, fan_of.sentence(None))
    if axes is None:
        figure = grid[0].get_figure()
        head = joined(capital(seen.deaths), "12 months ending", seen.when, seen.own(*places))
        figure.suptitle(literal(head), fontsize=TITLE, x=0.01, ha="left", color=BLACK, wrap=True)
        shared_legend(figure, grid)
    return grid_of(grid[: len(places)])


def _grid(n: int, columns: int) -> NDArray[Any]:
    across = min(n, columns)
    down = -(-n // across)
    figure, first = canvas(max(2.35 * across, 3.9), 1.75 * down + 0.9)
    first.remove()
    grid: NDArray[Any] = figure.subplots(down, across, squeeze=False).ravel()
    for spare in grid[n:]:
        spare.remove()
    return grid[:n]


def _finish(axes: Any, from_zero: bool) -> None:
    of_counts(axes, from_zero)
    of_time(axes)
