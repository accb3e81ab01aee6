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
from odforecast.plot.frame import (
    at_month,
    capital,
    indicator_in,
    is_county,
    joined,
    one_of,
    seen_words,
    source_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
    BLUE,
    CLASSES,
    MUTED,
    SMALL,
    Head,
    blank,
    canvas,
    label,
    legend,
    text_width,
    width_of,
)
from odforecast.say import SMALL as TEN
from odforecast.say import about, chance, deaths_of, listed, month_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Value = Literal["median", "rate", "rising", "ten", "among"]
#: What may be shown: the columns of tables that hold it, its title, and its beginning of a list.
_SHOWN: Final = {
    "median": (("median", "deaths"), "Deaths expected", "most in "),
    "rate": (("rate",), "Deaths per 100,000 people", "highest rates per 100,000 in "),
    "rising": (("rise", "rising"), "Chance of more deaths than a year earlier",
               "most likely more than a year earlier in "),
    "ten": (("p_ten",), f"Chance of {TEN} deaths or more", f"most likely {TEN} or more in "),
    "among": (("among",), "Chance of being among the {k} highest",
              "most likely among the {k} highest: "),
}  # fmt: skip
#: Names on a map.
_NAMED = 6
_CHANCES = (0.1, 1 / 3, 2 / 3, 0.9)
_SAID_CHANCES = ("under 10%", "10 to 33%", "33 to 67%", "67 to 90%", "over 90%")
#: Pale to deep.
_RAMP = ("#cfe1f0", "#93bfdd", "#4f97c6", "#0072b2", "#003a5d")
#: Square points: the largest bubble of a map, of one with many counties, and of a legend; a
#: bubble without a size, where they are few and many.
_LARGEST, _LARGEST_OF_MANY, _LARGEST_OF_LEGEND = 1300.0, 450.0, 200.0
_OPEN, _OPEN_OF_MANY, MANY = 16.0, 4.0, 600
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
    what its color says is ``value``. A count below 10 is a small circle of one size. The map is
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
    one_of(value, tuple(_SHOWN), "value")
    seen = _read(values, value, locations, month, k, by, indicator)
    found = {s: _middle(s) for s in seen.table["location"]}
    lacking = [s for s, at in found.items() if at is None]
    seen = seen.without(lacking)
    middles = np.array([found[code] for code in seen.codes], dtype=float)
    states = np.array([code[:2] for code in seen.codes])
    plane = Plane(middles[:, 0], middles[:, 1], states)
    at = np.array([np.ravel(plane.put(m[:1], m[1:], s)) for m, s in zip(middles, states)])
    drawn: Any = canvas(*_inches(at))[1] if axes is None else axes
    blank(drawn)
    drawn.margins(0.06)
    _bubbles(drawn, seen, at)
    drawn.set_aspect("equal", anchor="NW")
    drawn.autoscale_view()
    _names(drawn, seen, at)
    for state in sorted(plane.apart):
        said = {ALASKA: "Alaska, a third of its size", HAWAII: "Hawaii"}[state]
        here = at[states == state]
        label(drawn, said, (here[:, 0].mean(), here[:, 1].max()), (0, 9), MUTED, size=SMALL,
              ha="center")  # fmt: skip
    legend(drawn, **({} if value == "median" else {"ncols": 4}))
    where = ""
    if lacking:
        where = f"Not on the map, place unknown: {listed([called(s) for s in lacking], 2)}."
    when = "" if seen.month is None else f"12 months ending {month_name(seen.month)}"
    about = joined(f"{capital(seen.deaths)} by county", when, seen.when)
    states_of = {code[:2] for code in seen.codes}
    whole = called(by_fips()[seen.codes[0]].state) if len(states_of) == 1 else "United States"
    head = Head(
        title or f"{_SHOWN[value][1].format(k=k)}, counties, {whole}",
        f"{about}. Area of a bubble: expected deaths.",
        joined(source_of(values), where, by=" "),
    )
    return finish(drawn, head, f"{about}: {_sentence(seen, lacking)}.")


def _middle(code: str) -> tuple[float, float] | None:
    """Where a county stands; None of a planning region, which has no centroid here."""
    try:
        return centroid(code)
    except UnknownNameError:
        return None


def _bubbles(axes: Any, seen: _Counties, at: Floats) -> None:
    """Large ones first, so that no small one is covered."""
    from matplotlib.colors import to_rgba

    counts, plain = seen.counts, seen.value == "median"
    breaks, names, ramp = _classes(seen)
    of = np.searchsorted(breaks, np.nan_to_num(seen.values), side="right")
    unknown = np.isnan(counts if plain else seen.values)
    sizes = _Sizes(counts)
    area = sizes.of(counts)
    order = np.lexsort((seen.codes, -area))
    faces = [to_rgba("white", 0.0) if unknown[i] else to_rgba(ramp[of[i]], 0.85) for i in order]
    edges = ["white" if plain and np.isfinite(counts[i]) else MUTED for i in order]
    thin = 0.35 if counts.size > MANY else 0.7
    axes.scatter(at[order, 0], at[order, 1], s=area[order], c=faces, edgecolors=edges,
                 linewidths=thin, zorder=3)  # fmt: skip
    for face, said in () if plain else zip(ramp, names):
        axes.scatter([], [], s=60, marker="s", c=face, edgecolors=MUTED, lw=0.4, label=said)
    for n in sizes.said() if np.isfinite(counts).any() else ():
        axes.scatter([], [], s=float(sizes.of(n)), c=BLUE if plain else "none", edgecolors=MUTED,
                     label=f"{n:,} deaths")  # fmt: skip
    if not np.isfinite(counts).all():
        axes.scatter([], [], s=sizes.open, c="none", edgecolors=MUTED, lw=0.7,
                     label=f"fewer than {TEN}")  # fmt: skip


def _classes(seen: _Counties) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Limits of up to five colors, told apart by how light they are, what each says, and each."""
    if seen.value == "median":
        return np.array([]), ("",), (BLUE,)
    if seen.value != "rate":
        return np.array(_CHANCES), _SAID_CHANCES, CLASSES if seen.value == "rising" else _RAMP
    known = seen.values[np.isfinite(seen.values)]
    cuts = [float(about(x).replace(",", "")) for x in np.quantile(known, (0.25, 0.5, 0.75))]
    breaks = np.unique([x for x in cuts if known.min() < x])
    ends = [f"{x:,.0f}" for x in breaks]
    said = (
        *([f"under {ends[0]} per 100,000"] if ends else ["all"]),
        *(f"{a} to {b}" for a, b in pairwise(ends)),
        *([f"{ends[-1]} and more"] if ends else []),
    )
    return breaks, said, _RAMP[: len(said)] if len(said) < 4 else _RAMP[:3] + _RAMP[4:]


def _inches(at: Floats) -> tuple[float, float]:
    """Width and height of a figure of its own: as high as the map needs it, within bounds."""
    wide, high = np.maximum(np.ptp(at, axis=0), 1e-9)
    return 10.5, float(np.clip(9.4 * high / wide + 2.1, 5.8, 11.0))


def _names(axes: Any, seen: _Counties, at: Floats) -> None:
    """Names of the largest, where there is room: none over another."""
    counts, codes = seen.counts, seen.codes
    several = len({code[:2] for code in codes}) > 1
    points = width_of(axes) / max(float(np.ptp(axes.get_xlim())), 1e-9)
    sizes = _Sizes(counts)
    taken: list[tuple[float, float, float]] = []
    for i in seen.highest(counts)[:40]:
        county = by_fips()[codes[i]]
        name = f"{county.short}, {county.state}" if several else county.short
        reach = float(np.sqrt(sizes.of(counts[i]))) / 2
        x, y, wide = at[i, 0] * points + reach, at[i, 1] * points, text_width(name, SMALL)
        if any(abs(y - b) < 1.3 * SMALL and x < a + w and a < x + wide for a, b, w in taken):
            continue
        taken.append((x, y, wide + 6))
        label(axes, name, tuple(at[i]), (reach + 2, 0), size=SMALL, va="center")
        if len(taken) == _NAMED:
            break


def _sentence(seen: _Counties, lacking: list[str]) -> str:
    """The numbers shown, in a sentence."""
    values = seen.counts if seen.value == "median" else seen.values
    number = {"median": about, "rate": "{:.0f}".format}.get(seen.value)
    said = [
        f"{called(seen.codes[i])} "
        f"({number(values[i]) if number else chance(values[i], short=True)})"
        for i in seen.highest(values)[:3]
    ]
    parts = []
    if said:
        names = (", ".join(said[:-1]) + " and " if said[1:] else "") + said[-1]
        parts.append(_SHOWN[seen.value][2].format(k=seen.k) + names)
    hidden = int(np.isnan(seen.counts).sum())
    if hidden:
        parts.append(f"fewer than {TEN} in {hidden:,} of {len(seen.codes):,} counties")
    if lacking:
        parts.append(f"{len(lacking)} without a place on the map")
    return "; ".join(parts)


# What is shown


@dataclass(frozen=True)
class _Counties:
    """A row for each county, and what is known of them."""

    table: pd.DataFrame
    value: str
    month: np.datetime64 | None
    when: str
    deaths: str
    k: int

    @property
    def codes(self) -> NDArray[np.str_]:
        """FIPS codes."""
        return self.table["location"].to_numpy(dtype=str)

    @property
    def counts(self) -> Floats:
        """Medians; NaN below 10."""
        found = self.table["count"].to_numpy(dtype=float)
        return np.where(found < TEN, np.nan, found)

    @property
    def values(self) -> Floats:
        """What the color says."""
        return self.table["value"].to_numpy(dtype=float)

    def highest(self, values: Floats) -> list[int]:
        """Which rows have a value, the highest first."""
        order = np.lexsort((self.codes, -np.nan_to_num(values)))
        return [int(i) for i in order if np.isfinite(values[i])]

    def without(self, codes: list[str]) -> _Counties:
        """The others, of which there must be some."""
        kept = self.table[~self.table["location"].isin(codes)].reset_index(drop=True)
        if kept.empty:
            raise DataError(
                f"{codes[0]} has no place on the map: where Connecticut's planning regions lie is "
                "not known here"
            )
        return replace(self, table=kept)


def _read(
    values: Any, value: str, locations: str | Iterable[str] | None, month: object, k: int, by: str,
    indicator: str | None,
) -> _Counties:  # fmt: skip
    """A row per county out of whatever was given."""
    table = values
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
    has = f"it has: {', '.join(table.columns.astype(str))}"
    shown = next((c for c in _SHOWN[value][0] if c in table), None)
    if "location" not in table or shown is None:
        lacking = _SHOWN[value][0][0] if "location" in table else "location"
        raise DataError(f"the table has no column {lacking!r}", hint=has)
    rows, when = at_month(table, month)
    codes = rows["location"].astype(str)
    if odd := [s for s in codes if not is_county(s)]:
        raise DataError(f"{odd[0]!r} is not a county", hint="a map of states: od.plot.tile_map")
    if codes.duplicated().any():
        raise DataError("a county has several rows", hint="give one row per county, or month=")
    count = next((c for c in _SHOWN["median"][0] if c in rows), None)
    if count is None:
        raise DataError("the table has no column 'median', which the size of a bubble is", hint=has)
    columns = {
        "location": codes,
        "count": rows[count].astype(float),
        "value": rows[shown].astype(float),
    }
    made_of = pd.DataFrame(columns).reset_index(drop=True)
    if locations is not None:
        places = pick(locations, list(made_of["location"]), "the table", DataError)
        made_of = made_of.set_index("location").loc[list(places)].reset_index()
    if value != "median" and not made_of["value"].notna().any():
        hint = "a rate needs a population file" if value == "rate" else "was everything hidden?"
        raise DataError(f"no county has a {shown!r}, so there is nothing to map", hint=hint)
    deaths = f"{deaths_of(indicator or indicator_in(values))} of residents"
    return _Counties(made_of, value, when, seen_words(values, rows), deaths, k)


class _Sizes:
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

    Degrees of places, of two standard parallels, and of the longitude and latitude that become 0;
    east and north in radii of the earth.

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
    """The plane of a map: one state, or several with Alaska and Hawaii below them."""

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
