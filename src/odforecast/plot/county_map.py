"""A map of counties: a bubble for each, as large as its count; or areas, where they are given.

Counts below 10 have no size of their own: they are small open circles, whatever the model thinks
of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from odforecast.errors import UnknownNameError
from odforecast.geography import called, centroid
from odforecast.geography.places import by_fips
from odforecast.plot.boundaries import Boundaries, read_boundaries
from odforecast.plot.county_scale import MANY, Colours, Sizes
from odforecast.plot.county_values import COLUMNS, CountyValues, Value, read_counties
from odforecast.plot.inputs import one_of
from odforecast.plot.output import describe
from odforecast.plot.projection import ALASKA, HAWAII, Plane
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    SMALL,
    canvas,
    heading,
    legend,
    width_of,
)
from odforecast.plot.words import SMALL as TEN
from odforecast.plot.words import (
    about,
    capital,
    chance,
    joined,
    listed,
    literal,
    month_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Names on a map.
_NAMED = 6
_HIDDEN = f"fewer than {TEN}"


def map(
    values: Any,
    value: Value = "median",
    *,
    locations: str | Iterable[str] | None = None,
    month: object = None,
    k: int = 10,
    by: Literal["deaths", "rate"] = "deaths",
    boundaries: str | os.PathLike[str] | None = None,
    axes: Axes | None = None,
    title: str | None = None,
    indicator: str | None = None,
) -> Axes:
    """Counties on a map: how many deaths, at what rate, how likely more.

    A bubble stands at the middle of each county, its area in proportion to the median count;
    what its colour says is ``value``. A count below 10 is a small circle of one size. With
    ``boundaries``, areas are coloured in place of bubbles, or drawn below them where ``value`` is
    the count: a map of coloured counts shows where many people live. Areas are true to scale
    (Albers' projection); Alaska, a third of its size, and Hawaii stand below the others.

    Parameters
    ----------
    values : Forecast or DataFrame
        A forecast of counties, or its ``counties()`` or ``ranking()``, or another table with
        ``location`` and the columns that are shown.
    value : {"median", "rate", "rising", "ten", "among"}
        The count; deaths per 100,000; the probability that there are more than 12 months
        before, that there are 10 and more, or of being among the ``k`` highest.
    locations : str or iterable of str, optional
        Counties to show: ``"Ohio/*"``. Default: all.
    month : month, optional
        End of the 12 months. Default: 12 months ahead, or the last one.
    k, by : int, {"deaths", "rate"}
        Of a forecast, who is among how many of the highest of what: see
        :meth:`odforecast.Forecast.ranking`. Ranked are the counties shown.
    boundaries : path, optional
        GeoJSON with an area for each county, known by ``GEO_ID``, ``GEOID`` or ``id``: the
        Census Bureau's cartographic boundary file in that form.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    title : str, optional
    indicator : str, optional
        Which deaths they are of, where ``values`` do not say it.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        If the values are not of counties, a column is missing, nothing is known, or the
        boundaries lack a county.
    UnknownNameError
        If ``value`` or a place is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> table = pd.DataFrame({"location": ["39035", "39061", "39163"], "median": [620, 490, 4]})
    >>> axes = od.plot.map(table, indicator="all-drugs")
    >>> print(od.plot.alt_text(axes))
    Drug overdose deaths of residents by county: most in Cuyahoga County, Ohio (620) and Hamilton
    County, Ohio (490); fewer than 10 in 1 of 3 counties.
    """
    one_of(value, tuple(COLUMNS), "value")
    seen = read_counties(values, value, locations, month, k, by, indicator)
    areas = None if boundaries is None else read_boundaries(boundaries, seen.table["location"])
    found = {s: _middle(s, areas) for s in seen.table["location"]}
    lacking = [s for s, at in found.items() if at is None]
    seen = seen.without(lacking)
    codes = seen.table["location"].to_numpy(dtype=str)
    middles = np.array([found[code] for code in codes], dtype=float)
    states = np.array([code[:2] for code in codes])
    plane = Plane(middles[:, 0], middles[:, 1], states)
    at = np.array([np.ravel(plane.put(m[:1], m[1:], s)) for m, s in zip(middles, states)])
    drawn: Any = canvas(*_inches(at))[1] if axes is None else axes
    colours = Colours(seen)
    _frame(drawn)
    if areas is not None:
        _fill(drawn, seen, areas, plane, colours)
    bubbles = areas is None or value == "median"
    if bubbles:
        _bubbles(drawn, seen, at, colours)
    drawn.set_aspect("equal", anchor="NW")
    drawn.autoscale_view()
    _names(drawn, seen, at, bubbles)
    for state in sorted(plane.apart):
        _apart(drawn, state, at[states == state])
    _head(drawn, seen, title)
    if lacking:
        _lacking(drawn, lacking)
    legend(drawn, **({} if value == "median" else {"ncols": 4}))
    describe(drawn, _sentence(seen, lacking))
    axes_out: Axes = drawn
    return axes_out


def _middle(code: str, areas: Boundaries | None) -> tuple[float, float] | None:
    """Where a county stands; of a planning region, which has no centroid here, its area says so."""
    try:
        return centroid(code)
    except UnknownNameError:
        if areas is None:
            return None
        low, high = np.min(areas[code][0], axis=0), np.max(areas[code][0], axis=0)
        return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2


def _bubbles(axes: Any, seen: CountyValues, at: NDArray[np.float64], colours: Colours) -> None:
    """Large ones first, so that no small one is covered."""
    from matplotlib.colors import to_rgba

    counts, plain = seen.counts, seen.value == "median"
    of = colours.classes(counts if plain else seen.values)
    sizes = Sizes(counts)
    area = sizes.of(counts)
    order = np.lexsort((seen.table["location"].to_numpy(dtype=str), -area))
    faces = [to_rgba(colours.ramp[i], 0.85) if i >= 0 else to_rgba("white", 0.0) for i in of[order]]
    edges = ["white" if plain and np.isfinite(counts[i]) else GREY for i in order]
    thin = 0.35 if counts.size > MANY else 0.7
    axes.scatter(at[order, 0], at[order, 1], s=area[order], c=faces, edgecolors=edges,
                 linewidths=thin, zorder=3)  # fmt: skip
    if not plain:
        for face, said in zip(colours.ramp, colours.said):
            axes.scatter([], [], s=60, marker="s", c=face, edgecolors=GREY, lw=0.4, label=said)
    for n in sizes.said() if np.isfinite(counts).any() else ():
        axes.scatter([], [], s=float(sizes.of(n)), c=BLUE if plain else "none", edgecolors=GREY,
                     label=f"{n:,} deaths")  # fmt: skip
    if not np.isfinite(counts).all():
        axes.scatter([], [], s=sizes.open, c="none", edgecolors=GREY, lw=0.7, label=_HIDDEN)


def _fill(axes: Any, seen: CountyValues, areas: Boundaries, plane: Plane, colours: Colours) -> None:
    """The areas of counties, coloured by class; below bubbles, only their borders."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    below = seen.value == "median"
    of = np.full(len(seen.table), -2) if below else colours.classes(seen.values)
    paths: dict[int, list[Path]] = {}
    for code, kind in zip(seen.table["location"], of):
        corners, codes = [], []
        for ring in areas[code]:
            x, y = plane.put(ring[:, 0], ring[:, 1], code[:2])
            corners.append(np.column_stack([x, y]))
            codes += [Path.MOVETO, *[Path.LINETO] * (len(x) - 2), Path.CLOSEPOLY]
        paths.setdefault(int(kind), []).append(Path(np.concatenate(corners), codes))
    many = len(of) > MANY
    for kind, some in sorted(paths.items()):
        known = kind >= 0
        face = colours.ramp[kind] if known else "#f6f7f8"
        areas_of = PathCollection(
            some, facecolor=face, edgecolor="white" if known else "#b4bac4", zorder=1,
            linewidth=0.15 if many else 0.5, hatch="////" if kind == -1 and not many else None,
        )  # fmt: skip
        axes.add_collection(areas_of, autolim=True)
    if below:
        return
    for face, said in zip(colours.ramp, colours.said):
        axes.scatter([], [], s=60, marker="s", c=face, label=said)
    if (of == -1).any():
        why = _HIDDEN if seen.value == "rate" else "not known: a count is hidden"
        axes.scatter([], [], s=60, marker="s", c="#f6f7f8", edgecolors="#b4bac4",
                     hatch=None if many else "////", label=why)  # fmt: skip


def _inches(at: NDArray[np.float64]) -> tuple[float, float]:
    """Width and height of a figure of its own: as high as the map needs it, within bounds."""
    wide, high = np.maximum(np.ptp(at, axis=0), 1e-9)
    return 7.6, float(np.clip(6.8 * high / wide + 1.5, 4.2, 8.0))


def _apart(axes: Any, state: str, at: NDArray[np.float64]) -> None:
    """What stands below the others, and how large."""
    said = {ALASKA: "Alaska, a third of its size", HAWAII: "Hawaii"}[state]
    axes.annotate(said, (at[:, 0].mean(), at[:, 1].max()), (0, 9), textcoords="offset points",
                  ha="center", fontsize=SMALL, color=GREY, annotation_clip=False)  # fmt: skip


def _frame(axes: Any) -> None:
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.06)


def _names(axes: Any, seen: CountyValues, at: NDArray[np.float64], bubbles: bool) -> None:
    """Names of the largest, where there is room: none over another."""
    from matplotlib.patheffects import withStroke

    counts = seen.counts
    codes = seen.table["location"].to_numpy(dtype=str)
    order = [i for i in np.lexsort((codes, -np.nan_to_num(counts))) if np.isfinite(counts[i])]
    several = len({code[:2] for code in codes}) > 1
    points = width_of(axes) / max(float(np.ptp(axes.get_xlim())), 1e-9)
    sizes = Sizes(counts)
    taken: list[tuple[float, float, float]] = []
    for i in order[:40]:
        if len(taken) == _NAMED:
            break
        county = by_fips()[codes[i]]
        name = f"{county.short}, {county.state}" if several else county.short
        reach = float(np.sqrt(sizes.of(counts[i]))) / 2 if bubbles else 0.0
        x, y, wide = at[i, 0] * points + reach, at[i, 1] * points, 0.6 * SMALL * len(name)
        if any(abs(y - b) < 1.3 * SMALL and x < a + w and a < x + wide for a, b, w in taken):
            continue
        taken.append((x, y, wide))
        axes.annotate(
            literal(name), at[i], (reach + 2 if bubbles else 0, 0), textcoords="offset points",
            va="center", ha="left" if bubbles else "center",
            fontsize=SMALL, color=BLACK, zorder=5, annotation_clip=False,
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )  # fmt: skip


def _head(axes: Any, seen: CountyValues, title: str | None) -> None:
    what = {
        "median": "Deaths expected",
        "rate": "Deaths per 100,000 residents",
        "rising": "Chance of more deaths than a year earlier",
        "ten": f"Chance of {TEN} deaths or more",
        "among": f"Chance of being among the {seen.k} highest",
    }[seen.value]
    when = "" if seen.month is None else f"12 months ending {month_name(seen.month)}"
    below = joined(f"{capital(seen.deaths)} by county", when, seen.when)
    heading(axes, literal(title or what), literal(below))


def _lacking(axes: Any, codes: list[str]) -> None:
    said = f"not on the map, without borders: {listed([called(s) for s in codes], 2)}"
    axes.annotate(said, (0, 0), xycoords="axes fraction", fontsize=SMALL, color=GREY,
                  annotation_clip=False)  # fmt: skip


def _sentence(seen: CountyValues, lacking: list[str]) -> str:
    """The numbers shown, in a sentence."""
    when = "" if seen.month is None else f"12 months ending {month_name(seen.month)}"
    lead = joined(f"{capital(seen.deaths)} by county", when, seen.when)
    values = seen.counts if seen.value == "median" else seen.values
    codes = seen.table["location"].to_numpy(dtype=str)
    order = [i for i in np.lexsort((codes, -np.nan_to_num(values))) if np.isfinite(values[i])][:3]
    if seen.value == "median":
        said = [f"{called(codes[i])} ({about(values[i])})" for i in order]
        first = "most in "
    elif seen.value == "rate":
        said = [f"{called(codes[i])} ({values[i]:.0f})" for i in order]
        first = "highest rates per 100,000 in "
    else:
        said = [f"{called(codes[i])} ({chance(values[i], short=True)})" for i in order]
        first = {
            "rising": "most likely more than a year earlier in ",
            "ten": f"most likely {TEN} or more in ",
            "among": f"most likely among the {seen.k} highest: ",
        }[seen.value]
    parts = []
    if said:
        parts.append(first + (", ".join(said[:-1]) + " and " if said[1:] else "") + said[-1])
    hidden = int(np.isnan(seen.counts).sum())
    if hidden:
        parts.append(f"fewer than {TEN} in {hidden:,} of {len(codes):,} counties")
    if lacking:
        parts.append(f"{len(lacking)} without a place on the map")
    return f"{lead}: {'; '.join(parts)}."
