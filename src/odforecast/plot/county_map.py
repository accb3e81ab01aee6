"""A map of counties: a bubble for each, as large as its count.

Counts below 10 have no size of their own: they are small open circles, whatever the model thinks
of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import called, centroid, pick
from odforecast.geography.places import by_fips
from odforecast.plot.inputs import at_month, indicator_in, one_of, seen_words
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
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
    deaths_of,
    is_county,
    joined,
    listed,
    literal,
    month_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Value = Literal["median", "rate", "rising", "ten", "among"]
#: What may be shown, and the columns of tables that hold it.
COLUMNS: Final = {
    "median": ("median", "deaths"),
    "rate": ("rate",),
    "rising": ("rise", "rising"),
    "ten": ("p_ten",),
    "among": ("among",),
}
#: Names on a map.
_NAMED = 6
_HIDDEN = f"fewer than {TEN}"
_CHANCES = (0.1, 1 / 3, 2 / 3, 0.9)
_SAID_CHANCES = ("under 10%", "10 to 33%", "33 to 67%", "67 to 90%", "over 90%")
#: Pale to deep, and from fewer to more.
_RAMP = ("#cfe1f0", "#93bfdd", "#4f97c6", "#0072b2", "#003a5d")
_BOTH_WAYS = (BLUE, "#86b9d9", "#d4d4d4", "#eaa97c", ORANGE)
#: Square points: the largest bubble of a map, of one with many counties, and of a legend; a
#: bubble without a size, where they are few and many.
_LARGEST, _LARGEST_OF_MANY, _LARGEST_OF_LEGEND = 900.0, 300.0, 200.0
_OPEN, _OPEN_OF_MANY, MANY = 14.0, 3.0, 600
#: State codes of FIPS that lie apart.
ALASKA, HAWAII = "02", "15"
#: Standard parallels and the middle of the 48 states, of Alaska, of Hawaii: those of the US
#: Geological Survey.
_CONES = {
    "": (29.5, 45.5, -96.0, 37.5),
    ALASKA: (55.0, 65.0, -154.0, 50.0),
    HAWAII: (8.0, 18.0, -157.0, 13.0),
}
#: Where Alaska and Hawaii stand below the others, in radii of the earth, and how large: Alaska at
#: a third of its size, as on most maps.
_APART = {ALASKA: (1 / 3, -0.27, -0.33), HAWAII: (1.0, -0.08, -0.4)}


def map(
    values: Any,
    value: Value = "median",
    *,
    locations: str | Iterable[str] | None = None,
    month: object = None,
    k: int = 10,
    by: Literal["deaths", "rate"] = "deaths",
    axes: Axes | None = None,
    title: str | None = None,
    indicator: str | None = None,
) -> Axes:
    """Counties on a map: how many deaths, at what rate, how likely more.

    A bubble stands at the middle of each county, its area in proportion to the median count;
    what its colour says is ``value``. A count below 10 is a small circle of one size. The map is
    true to scale (Albers' projection); Alaska, a third of its size, and Hawaii stand below the
    others.

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
        If the values are not of counties, a column is missing, or nothing is known.
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
    found = {s: _middle(s) for s in seen.table["location"]}
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
    _bubbles(drawn, seen, at, colours)
    drawn.set_aspect("equal", anchor="NW")
    drawn.autoscale_view()
    _names(drawn, seen, at)
    for state in sorted(plane.apart):
        _apart(drawn, state, at[states == state])
    _head(drawn, seen, title)
    if lacking:
        _lacking(drawn, lacking)
    legend(drawn, **({} if value == "median" else {"ncols": 4}))
    describe(drawn, _sentence(seen, lacking))
    axes_out: Axes = drawn
    return axes_out


def _middle(code: str) -> tuple[float, float] | None:
    """Where a county stands; None of a planning region, which has no centroid here."""
    try:
        return centroid(code)
    except UnknownNameError:
        return None


def _bubbles(axes: Any, seen: CountyValues, at: Floats, colours: Colours) -> None:
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


def _inches(at: Floats) -> tuple[float, float]:
    """Width and height of a figure of its own: as high as the map needs it, within bounds."""
    wide, high = np.maximum(np.ptp(at, axis=0), 1e-9)
    return 7.6, float(np.clip(6.8 * high / wide + 1.5, 4.2, 8.0))


def _apart(axes: Any, state: str, at: Floats) -> None:
    """What stands below the others, and how large."""
    said = {ALASKA: "Alaska, a third of its size", HAWAII: "Hawaii"}[state]
    axes.annotate(said, (at[:, 0].mean(), at[:, 1].max()), (0, 9), textcoords="offset points",
                  ha="center", fontsize=SMALL, color=GREY, annotation_clip=False)  # fmt: skip


def _frame(axes: Any) -> None:
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.06)


def _names(axes: Any, seen: CountyValues, at: Floats) -> None:
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
        reach = float(np.sqrt(sizes.of(counts[i]))) / 2
        x, y, wide = at[i, 0] * points + reach, at[i, 1] * points, 0.6 * SMALL * len(name)
        if any(abs(y - b) < 1.3 * SMALL and x < a + w and a < x + wide for a, b, w in taken):
            continue
        taken.append((x, y, wide))
        axes.annotate(
            literal(name), at[i], (reach + 2, 0), textcoords="offset points",
            va="center", ha="left", fontsize=SMALL, color=BLACK, zorder=5,
            annotation_clip=False,
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
    said = f"not on the map, place unknown: {listed([called(s) for s in codes], 2)}"
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


# What is shown


@dataclass(frozen=True)
class CountyValues:
    """A row for each county, and what is known of them."""

    table: pd.DataFrame
    value: str
    month: np.datetime64 | None
    when: str
    deaths: str
    k: int

    @property
    def counts(self) -> Floats:
        """Medians; NaN below 10."""
        found = self.table["count"].to_numpy(dtype=float)
        return np.where(found < TEN, np.nan, found)

    def without(self, codes: list[str]) -> CountyValues:
        """The others.

        Raises
        ------
        DataError
            If none is left.
        """
        kept = self.table[~self.table["location"].isin(codes)].reset_index(drop=True)
        if kept.empty:
            raise DataError(
                f"{codes[0]} has no place on the map: where Connecticut's planning regions lie is "
                "not known here"
            )
        return replace(self, table=kept)

    @property
    def values(self) -> Floats:
        """What the colour says."""
        return self.table["value"].to_numpy(dtype=float)


def read_counties(
    values: Any,
    value: str,
    locations: str | Iterable[str] | None,
    month: object,
    k: int,
    by: str,
    indicator: str | None,
) -> CountyValues:
    """A row per county out of whatever was given."""
    deaths = deaths_of(indicator or indicator_in(values))
    if not isinstance(values, pd.DataFrame):
        if not callable(getattr(values, "counties", None)):
            raise DataError(
                f"values is a {type(values).__name__}: there is nothing to map in it",
                hint="give a forecast of counties, or its counties() or ranking()",
            )
        if not any(is_county(s) for s in values.locations):
            raise DataError(
                "this forecast holds no counties", hint="a map of states: od.plot.tile_map"
            )
        made = values if locations is None else values.select(locations)
        table = made.counties()
        if value == "among":
            rows, _ = at_month(table, month)
            ranked = made.ranking(k=k, by=by, month=rows["month"].iloc[0])
            table = rows.merge(ranked[["location", "among"]], on="location")
    else:
        table = values
    lacking = [c for c in ("location",) if c not in table]
    shown = next((c for c in COLUMNS[value] if c in table), None)
    if lacking or shown is None:
        raise DataError(
            f"the table has no column {(lacking or COLUMNS[value])[0]!r}",
            hint=f"it has: {', '.join(table.columns.astype(str))}",
        )
    rows, when = at_month(table, month)
    codes = rows["location"].astype(str)
    if odd := [s for s in codes if not is_county(s)]:
        raise DataError(f"{odd[0]!r} is not a county", hint="a map of states: od.plot.tile_map")
    if codes.duplicated().any():
        raise DataError("a county has several rows", hint="give one row per county, or month=")
    count = next((c for c in COLUMNS["median"] if c in rows), None)
    if count is None:
        raise DataError(
            "the table has no column 'median', which the size of a bubble is",
            hint=f"it has: {', '.join(rows.columns.astype(str))}",
        )
    made_of = pd.DataFrame(
        {"location": codes, "count": rows[count].astype(float), "value": rows[shown].astype(float)}
    ).reset_index(drop=True)
    if locations is not None:
        places = pick(locations, list(made_of["location"]), "the table", DataError)
        made_of = made_of.set_index("location").loc[list(places)].reset_index()
    if value != "median" and not made_of["value"].notna().any():
        hint = "a rate needs a population file" if value == "rate" else "was everything hidden?"
        raise DataError(f"no county has a {shown!r}, so there is nothing to map", hint=hint)
    return CountyValues(made_of, value, when, seen_words(values, rows), f"{deaths} of residents", k)


# Colours and sizes


class Colours:
    """Five colours at most, told apart by how light they are, and what each says."""

    def __init__(self, seen: CountyValues) -> None:
        self.said: tuple[str, ...]
        self.ramp: tuple[str, ...]
        if seen.value == "median":
            self.breaks, self.said, self.ramp = np.array([]), ("",), (BLUE,)
        elif seen.value == "rate":
            known = seen.values[np.isfinite(seen.values)]
            cuts = [float(about(x).replace(",", "")) for x in np.quantile(known, (0.25, 0.5, 0.75))]
            self.breaks = np.unique([x for x in cuts if known.min() < x])
            ends = [f"{x:,.0f}" for x in self.breaks]
            self.said = (
                *([f"under {ends[0]} per 100,000"] if ends else ["all"]),
                *(f"{a} to {b}" for a, b in pairwise(ends)),
                *([f"{ends[-1]} and more"] if ends else []),
            )
            self.ramp = _RAMP[: len(self.said)] if len(self.said) < 4 else _RAMP[:3] + _RAMP[4:]
        else:
            self.breaks, self.said = np.array(_CHANCES), _SAID_CHANCES
            self.ramp = _BOTH_WAYS if seen.value == "rising" else _RAMP

    def classes(self, values: Floats) -> NDArray[np.int64]:
        """Which colour each value has; −1 where it is not known."""
        found = np.searchsorted(self.breaks, np.nan_to_num(values), side="right")
        return np.where(np.isnan(values), -1, found)


class Sizes:
    """How large a bubble is, in square points: its area in proportion to the count."""

    def __init__(self, counts: Floats) -> None:
        many = counts.size > MANY
        self.top = float(np.nanmax(counts)) if np.isfinite(counts).any() else float(TEN)
        self.largest = _LARGEST_OF_MANY if many else _LARGEST
        self.open = _OPEN_OF_MANY if many else _OPEN

    def of(self, counts: Any) -> Floats:
        """Square points of counts; those below 10 have one size, whatever they are."""
        found = np.asarray(counts, dtype=float)
        return np.where(np.isfinite(found), self.largest * found / self.top, self.open)

    def said(self) -> list[int]:
        """Up to three round counts for the legend, none too large for it."""
        most = self.top * min(1.0, _LARGEST_OF_LEGEND / self.largest)
        steps = [n * 10**p for p in range(1, 5) for n in (1, 2, 5) if n * 10**p <= most]
        return sorted({steps[i] for i in (-1, -3, -5) if len(steps) >= -i})


# Where counties stand


def albers(
    longitude: Floats, latitude: Floats, first: float, second: float, middle: float, origin: float
) -> tuple[Floats, Floats]:
    """Albers' equal-area conic projection (Snyder 1987, equations 14-1 to 14-6, on a sphere).

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees.
    first, second : float
        Standard parallels, degrees.
    middle, origin : float
        Longitude and latitude that become 0, degrees.

    Returns
    -------
    tuple of ndarray
        East and north, in radii of the earth.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = albers(np.array([-75.0]), np.array([35.0]), 29.5, 45.5, -96.0, 23.0)
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([0.2953], [0.2417])
    """
    one, two, lat, start = np.radians([first]), np.radians([second]), np.radians(latitude), origin
    cone = (np.sin(one) + np.sin(two)) / 2
    constant = np.cos(one) ** 2 + 2 * cone * np.sin(one)
    radius = np.sqrt(constant - 2 * cone * np.sin(lat)) / cone
    zero = np.sqrt(constant - 2 * cone * np.sin(np.radians(start))) / cone
    # West of the date line stands with the rest of Alaska.
    turn = (np.asarray(longitude) - middle + 180) % 360 - 180
    angle = cone * np.radians(turn)
    return radius * np.sin(angle), zero - radius * np.cos(angle)


class Plane:
    """The plane of a map: one state, or several with Alaska and Hawaii below them.

    Parameters
    ----------
    longitude, latitude : ndarray, shape (N,)
        Of the places shown, degrees.
    states : sequence of str
        The first two digits of their FIPS codes.
    """

    def __init__(self, longitude: Floats, latitude: Floats, states: NDArray[np.str_]) -> None:
        there = set(states)
        self.apart = there & set(_APART) if len(there) > 1 else set()
        rest = ~np.isin(states, list(self.apart))
        self.near = None
        if len(there) == 1 or (rest.any() and np.ptp(latitude[rest]) < 12):
            # A state stands upright: in the middle of its own cone.
            lat = latitude[rest]
            middle = float(np.median(longitude[rest]))
            span = max(float(np.ptp(lat)), 1.0)
            low, high = float(lat.min()), float(lat.max())
            self.near = (low + span / 6, high - span / 6 + 0.1, middle, float(lat.mean()))

    def put(self, longitude: Floats, latitude: Floats, state: str) -> tuple[Floats, Floats]:
        """Points of one state on the plane, in radii of the earth."""
        if state in self.apart:
            size, right, up = _APART[state]
            east, north = albers(longitude, latitude, *_CONES[state])
            return size * east + right, size * north + up
        return albers(longitude, latitude, *(self.near or _CONES[""]))
