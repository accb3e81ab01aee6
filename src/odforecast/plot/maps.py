"""Maps: equal tiles of states, of changes and chances only; and a bubble for each county.

Counts of counties below 10 have no size of their own: they are small open circles.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import JURISDICTIONS, NATION, called, lookup
from odforecast.geography.places import by_fips
from odforecast.months import to_month
from odforecast.plot.files import finish
from odforecast.plot.frame import (
    about,
    at_month,
    day_of,
    is_county,
    joined,
    one_of,
    table_of,
)
from odforecast.plot.style import (
    BLUE,
    CLASSES,
    INK,
    LINKS,
    MUTED,
    PAPER,
    SMALL,
    TEXT,
    Head,
    blank,
    canvas,
    label,
    legend,
    text_width,
    width_of,
)
from odforecast.plot.style import GRID as PALE
from odforecast.say import SMALL as TEN
from odforecast.say import about as about_count
from odforecast.say import capital, chance, likely, listed, month_name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["map", "tile_map"]

Floats = NDArray[np.float64]

# Tiles

#: The layout that newspapers made known, row by row; New York City stands above New York, and
#: Puerto Rico in a corner that is free.
LAYOUT: Final = (
    "AK .  .  .  .  .  .  .  .  .  ME",
    ".  .  .  .  .  .  .  .  YC VT NH",
    "WA ID MT ND MN IL WI MI NY RI MA",
    "OR NV WY SD IA IN OH PA NJ CT . ",
    "CA UT CO NE MO KY WV VA MD DE . ",
    ".  AZ NM KS AR TN NC SC DC .  . ",
    ".  .  .  OK LA MS AL GA .  .  . ",
    "HI .  .  TX .  .  .  .  FL .  PR",
)
#: Column and row of each place's tile.
GRID: Final[Mapping[str, tuple[int, int]]] = {
    code: (column, row)
    for row, line in enumerate(LAYOUT)
    for column, code in enumerate(line.split())
    if code != "."
}
_COLUMNS = 1 + max(column for column, _ in GRID.values())
_ROWS = 1 + max(row for _, row in GRID.values())
#: What may be drawn, and what a column with it is called.
KINDS: Final = ("change", "fall")
_COUNTS = (
    "reported",
    "predicted",
    "median",
    "low",
    "high",
    "value",
    "deaths",
    "count",
    "counts",
)
_REASON = "a map of counts shows where many people live, not where more of them die"
_SHOWN_AS = {"YC": "NYC"}
#: Least value of each class but the last, from a likely fall to a likely rise, and what it is
#: called: of the chance of a fall to the nearest 5%, and of a change with its sign turned.
_CHANCES: Final = (
    (90, 75, 25.1, 10.1),
    ("90–100%", "75–90%", "25–75%", "10–25%", "0–10%"),
)
_CHANGES: Final = (
    (15, 5, -4.9, -14.9),
    ("−15% or less", "−15 to −5%", "−5 to +5%", "+5 to +15%", "+15% or more"),
)


def tile_map(
    values: Any,
    *,
    axes: Axes | None = None,
    kind: str = "change",
    month: object = None,
    indicator: str | None = None,
    links: Mapping[str, str] | None = None,
) -> Axes:
    """States as equal tiles: color is the chance of a fall in five classes.

    The number in a tile is the expected change, or the chance itself. Where chances are not known
    the color has classes of the change. A tile without a value is gray and hatched. The nation is
    no tile; its number is in the alt text.

    Parameters
    ----------
    values : Forecast, DataFrame, Series or mapping
        A forecast; its ``summary()``, or another table with ``location`` and a column ``change``
        or ``fall`` (with ``month`` if there are several); or a number per location.
    axes : Axes, optional
    kind : {"change", "fall"}
        Percent on the count 12 months before, or the probability (0 to 1) that it is lower.
        Counts are refused.
    month : month, optional
        Which month of a forecast or its table. Default: 12 months ahead, or the last one.
    indicator : str, optional
        Which deaths they are of, where ``values`` do not say it: ``"all-drugs"``, ``"T40.4"`` …
        Default: a forecast's own; of a table or mapping, ``deaths`` is all that is said.
    links : mapping of str to str, optional
        Where each tile leads in a page, by code of the place; see :func:`inline`.

    Examples
    --------
    >>> import odforecast as od
    >>> axes = od.plot.tile_map({"Ohio": -12.4, "WV": -20.1, "NYC": 3.2}, indicator="all-drugs")
    >>> print(od.plot.alt_text(axes))
    Change of drug overdose deaths in a year by state: a fall in 2 of 3 places, from −20% (West
    Virginia) to +3% (New York City). No value: ...
    """
    if kind.lower() in (*_COUNTS, "rate", "rates"):
        raise DataError(
            f"kind is {kind!r}: {_REASON}", hint="use kind='change' or kind='fall'"
        )
    one_of(kind, KINDS, name="kind")
    numbers, when, day = _numbers(values, kind, month=month)
    by_place = numbers[kind]
    chances = numbers.get("fall")
    has_chances = chances is not None
    chance_by_place = chances or {}
    data = about(values, None, indicator=indicator)
    shown = [code for code in GRID if np.isfinite(by_place.get(code, np.nan))]
    classes = {}
    for code, value in (chances or by_place).items():
        if np.isfinite(value) and code in GRID:
            classes[code] = _class_of(value, has_chances)
    # Puerto Rico is shown where it is known.
    missing = [code for code in GRID if code not in shown and code in JURISDICTIONS]
    if axes is None:
        _, axes = canvas(10.5, 10.6)
    names = {}
    for code in shown:
        address = (links or {}).get(code, "")
        number = _number(by_place[code], kind)
        _tile(axes, code, number=number, level=classes.get(code), address=address)
        probability = chance_by_place.get(code, float("nan"))
        fall = (
            f"chance of a fall {likely(probability)}"
            if np.isfinite(probability)
            else ""
        )
        change = f"expected change {number}" if kind == "change" else ""
        name = f"{_SHOWN_AS.get(code, code)} {number}: {called(code)}"
        names[address] = joined(name, fall, change)
    for code in missing:
        _tile(axes, code, number="–", level=None, address="")
    setattr(axes, LINKS, names)
    blank(axes)
    axes.set(xlim=(0, _COLUMNS), ylim=(_ROWS + 1.3, 0))
    axes.set_aspect("equal", anchor="NW")
    _key(axes, has_chances)
    levels = [classes[code] for code in by_place if code in classes]
    falls = sum(level < 2 for level in levels)
    rises = sum(level > 2 for level in levels)
    if has_chances:
        finding = f"Deaths are likely to fall in {falls} of {len(levels)} jurisdictions"
        finding += f" and to rise in {rises}" if rises else ""
        color = "chance of a fall"
    else:
        finding = f"Expected change: a fall of 5% or more in {falls} of {len(levels)}"
        finding += f", a rise in {rises}"
        color = "expected change"
    numbers_are = (
        "" if kind == "fall" else " Number: expected change on a year earlier."
    )
    period = "" if when is None else f"12 months to {month_name(when)}"
    below = f"{joined(capital(data.deaths), period)}. Color: {color}.{numbers_are}"
    note = f"{data.source} NY leaves out New York City (NYC).".strip()
    if missing:
        labels = [_SHOWN_AS.get(code, code) for code in missing]
        note += f" Hatched: no value ({listed(labels, 12)})."
    lead = f"Change of {data.deaths} in a year by state"
    if kind == "fall":
        lead = f"Probability that {data.deaths} fall within a year, by state"
    period = "" if when is None else f"12 months ending {month_name(when)}"
    title = joined(lead, period, data.day or day)
    sentence = f"{title}: {_tiles_in_words(by_place, missing, kind)}"
    return finish(axes, Head(finding, below, source=note), said=sentence)


def _class_of(value: float, chances: bool) -> int:
    """The class of a chance, rounded as it is printed, or else of a change."""
    if chances:
        limits, _ = _CHANCES
        rounded = 5 * round(20 * value)
    else:
        limits, _ = _CHANGES
        rounded = -round(value)
    return sum(rounded < limit for limit in limits)


def _numbers(
    values: Any, kind: str, month: object
) -> tuple[dict[str, dict[str, float]], np.datetime64 | None, str]:
    """Numbers by code of the kind, and chances if they are known; their month, and as of when."""
    if any(is_county(str(s)) for s in getattr(values, "locations", ())):
        raise DataError(
            "these are counties, and tiles are states", hint="use od.plot.map"
        )
    when = None if month is None else to_month(month)
    day = ""
    if isinstance(values, pd.Series | Mapping):
        name = str(getattr(values, "name", ""))
        if name in _COUNTS:
            raise DataError(
                f"these are {name!r}: {_REASON}", hint="give changes in percent"
            )
        columns = {kind: dict(values)}
    else:
        summary = (
            values.summary() if callable(getattr(values, "summary", None)) else values
        )
        if isinstance(summary, pd.DataFrame) and kind not in summary:
            hint = f"give forecast.summary(), or columns location and {kind}"
            raise DataError(f"the table has no column {kind!r}: {_REASON}", hint=hint)
        table = table_of(summary, ("location", kind), name="changes")
        rows, when = at_month(table, month)
        if rows["location"].duplicated().any():
            raise DataError(
                "a location has several rows", hint="give one row per location"
            )
        day = day_of(None, rows)
        columns = {}
        for column in (kind, "fall"):
            if column in rows:
                columns[column] = dict(zip(rows["location"], rows[column]))
    numbers: dict[str, dict[str, float]] = {column: {} for column in columns}
    for column, value_by_name in columns.items():
        for key, value in value_by_name.items():
            code = lookup(str(key)).state
            if code in numbers[column]:
                raise UnknownNameError(
                    f"{called(code)} is given twice, once as {key!r}"
                )
            numbers[column][code] = float(value)
    _check(numbers[kind], kind)
    return numbers, when, day


def _check(values: Mapping[str, float], kind: str) -> None:
    """Refuse what is no change, or no probability: most often it is counts."""
    finite = {code: value for code, value in values.items() if np.isfinite(value)}
    if not finite:
        raise DataError("no place has a value, so there is nothing to map")
    if kind == "fall":
        odd = {code: value for code, value in finite.items() if not 0 <= value <= 1}
        hint = "the chance of a fall is a probability; for percent on a year earlier: kind='change'"
        rule = "lies between 0 and 1"
    else:
        odd = {code: value for code, value in finite.items() if value < -100}
        numbers = list(finite.values())
        # Deaths of a year are many in most places and never below zero.
        if not odd and min(numbers) >= 0 and np.median(numbers) > 100:
            largest = max(finite, key=lambda code: finite[code])
            odd = {largest: finite[largest]}
        hint = "give forecast.summary(), or percent on the count 12 months before"
        rule = f"is a change in percent, and these look like counts: {_REASON}"
    if odd:
        code, value = next(iter(odd.items()))
        raise DataError(
            f"{called(code)} has {value:,.6g}, and kind={kind!r} {rule}", hint=hint
        )


def _tile(axes: Any, code: str, number: str, level: int | None, address: str) -> None:
    """A tile in the color of its class (hatched without one), its code and its number."""
    from matplotlib.patches import Rectangle

    column, row = GRID[code]
    small = width_of(axes) / _COLUMNS < 50
    face = PALE if level is None else CLASSES[level]
    hatch = "////" if level is None else None
    tile = Rectangle(
        (column + 0.025, row + 0.025),
        0.95,
        0.95,
        facecolor=face,
        lw=0,
        edgecolor="#b4bac4",
        hatch=hatch,
    )
    style = {"ha": "center", "va": "center", "color": PAPER if level in (0, 4) else INK}
    middle = column + 0.5
    parts = [
        axes.add_patch(tile),
        axes.text(
            middle,
            row + 0.35,
            _SHOWN_AS.get(code, code),
            fontsize=TEXT if small else 15,
            fontweight="bold",
            **style,
        ),
        axes.text(
            middle,
            row + 0.72,
            number,
            fontsize=SMALL if small else 13,
            fontweight="normal",
            **style,
        ),
    ]
    for part in parts:  # one after another, so that they are one link
        part.set(url=address or None, zorder=2)


def _key(axes: Any, chances: bool) -> None:
    """What the five colors mean, below the tiles."""
    from matplotlib.patches import Rectangle

    width = _COLUMNS / 5
    top = _ROWS + 0.15
    if chances:
        _, texts = _CHANCES
        first, last = "Chance of a fall: high", "low (a rise is likely)"
    else:
        _, texts = _CHANGES
        first, last = "Fall", "Rise"
    for i, (color, text) in enumerate(zip(CLASSES, texts)):
        left = i * width + 0.025
        axes.add_patch(
            Rectangle((left, top), width - 0.05, 0.25, facecolor=color, lw=0)
        )
        axes.text(left, top + 0.32, text, fontsize=SMALL, color=INK, va="top")
    style = {"fontsize": SMALL, "color": MUTED, "va": "top"}
    axes.text(0.025, top + 0.72, first, ha="left", **style)
    axes.text(_COLUMNS, top + 0.72, last, ha="right", **style)


def _number(value: float, kind: str) -> str:
    return percent(value) if kind == "change" else chance(value, short=True)


def _tiles_in_words(
    by_place: Mapping[str, float], missing: list[str], kind: str
) -> str:
    """How many tiles show a fall, the lowest and the highest, the nation, and what is missing."""
    states = {}
    for code, value in by_place.items():
        if np.isfinite(value) and code != NATION and code in GRID:
            states[code] = value
    parts = []
    if states:
        low = min(states, key=lambda code: states[code])
        high = max(states, key=lambda code: states[code])
        lowest = f"{_number(states[low], kind)} ({called(low)})"
        highest = f"{_number(states[high], kind)} ({called(high)})"
        if kind == "change":
            falls = sum(value < 0 for value in states.values())
            lead = "a fall in"
        else:
            falls = sum(value > 0.5 for value in states.values())
            lead = "a fall is likelier than not in"
        parts.append(
            f"{lead} {falls} of {len(states)} places, from {lowest} to {highest}"
        )
    nation = by_place.get(NATION, float("nan"))
    if np.isfinite(nation):
        parts.append(f"United States {_number(nation, kind)}")
    sentence = f"{'; '.join(parts)}."
    if missing:
        sentence += f" No value: {listed([called(code) for code in missing], 8)}."
    return sentence


# Bubbles

Value = Literal["median", "rate", "rising", "ten", "among"]
#: What may be shown: its title, and its beginning of a list.
_TITLES: Final = {
    "median": ("Deaths expected", "most in "),
    "rate": ("Deaths per 100,000 people", "highest rates per 100,000 in "),
    "rising": (
        "Chance of more deaths than a year earlier",
        "most likely more than a year earlier in ",
    ),
    "ten": (f"Chance of {TEN} deaths or more", f"most likely {TEN} or more in "),
    "among": (
        "Chance of being among the {k} highest",
        "most likely among the {k} highest: ",
    ),
}
#: What the tables of a forecast call them.
_CALLED: Final = {"deaths": "median", "rise": "rising", "p_ten": "ten"}
_SHARES = (0.1, 1 / 3, 2 / 3, 0.9)
_SHARE_NAMES = ("under 10%", "10 to 33%", "33 to 67%", "67 to 90%", "over 90%")
#: Pale to deep.
_RAMP = ("#cfe1f0", "#93bfdd", "#4f97c6", "#0072b2", "#003a5d")
#: With more counties than these, bubbles are small.
MANY = 600
#: Standard parallels and the middle of the 48 states: those of the US Geological Survey.
_CONE = (29.5, 45.5, -96.0, 37.5)
#: Alaska and Hawaii below the others: size, place in radii of the earth, words, and their cones.
#: Alaska is drawn at a third of its size, as on most maps.
_INSETS = {
    "02": (
        1 / 3,
        -0.27,
        -0.33,
        "Alaska, a third of its size",
        (55.0, 65.0, -154.0, 50.0),
    ),
    "15": (1.0, -0.08, -0.4, "Hawaii", (8.0, 18.0, -157.0, 13.0)),
}


def map(
    values: Any,
    value: Value = "median",
    *,
    month: object = None,
    k: int = 10,
    axes: Axes | None = None,
    indicator: str | None = None,
) -> Axes:
    """Counties on a map: how many deaths, at what rate, how likely more.

    A bubble stands at the middle of each county, its area in proportion to the median count; what
    its color says is ``value``. A count below 10 is a small circle of one size. The map is true to
    scale (Albers' projection); Alaska, a third of its size, and Hawaii stand below the others.

    Parameters
    ----------
    values : Forecast or DataFrame
        A forecast of counties, or its ``counties()`` or ``ranking()``, or another table with
        ``location`` and the columns that are shown.
    value : {"median", "rate", "rising", "ten", "among"}
        The count; deaths per 100,000; the probability that there are more than 12 months
        before, that there are 10 and more, or of being among the ``k`` highest.
    month : month, optional
        End of the 12 months. Default: 12 months ahead, or the last one.
    k : int
        Of a forecast, who is among how many of the highest counts: see
        :meth:`odforecast.Forecast.ranking`. Ranked are the counties shown.
    axes : Axes, optional
    indicator : str, optional
        Which deaths they are of, where ``values`` do not say it.

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
    one_of(value, tuple(_TITLES), name="value")
    table, when = _read(values, value, month=month, k=k)
    data = about(values, table, indicator=indicator)
    middles = np.full((len(table), 2), np.nan)
    for i, code in enumerate(table["location"]):
        # A planning region has no place here.
        county = by_fips().get(code)
        if county is not None:
            middles[i] = county.longitude, county.latitude
    located = ~np.isnan(middles[:, 0])
    missing = [called(code) for code in table.loc[~located, "location"]]
    if not located.any():
        raise DataError(
            f"{table['location'].iloc[0]} has no place on the map: where Connecticut's planning "
            "regions lie is not known here"
        )
    rows = table[located].reset_index(drop=True)
    states = rows["location"].str[:2].to_numpy(dtype=str)
    points, insets = plane(middles[located], states)
    if axes is None:
        width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
        # As high as the map needs it, within bounds.
        _, axes = canvas(10.5, float(np.clip(9.4 * height / width + 2.1, 5.8, 11.0)))
    blank(axes)
    axes.margins(0.06)
    _bubbles(axes, rows, value=value, points=points)
    axes.set_aspect("equal", anchor="NW")
    axes.autoscale_view()
    _names(axes, rows, points=points)
    for state in sorted(insets):
        east, north = points[states == state].T
        label(
            axes,
            _INSETS[state][3],
            at=(east.mean(), north.max()),
            shift=(0, 9),
            color=MUTED,
            size=SMALL,
            ha="center",
        )
    if value == "median":
        legend(axes)
    else:
        legend(axes, ncols=4)
    note = f"Not on the map, place unknown: {listed(missing, 2)}." if missing else ""
    period = "" if when is None else f"12 months ending {month_name(when)}"
    subject = joined(f"{capital(data.deaths)} of residents by county", period, data.day)
    area = "United States"
    if len(set(states)) == 1:
        area = called(by_fips()[rows["location"].iloc[0]].state)
    title, _ = _TITLES[value]
    head = Head(
        f"{title.format(k=k)}, counties, {area}",
        f"{subject}. Area of a bubble: expected deaths.",
        source=joined(about(values).source, note, by=" "),
    )
    sentence = f"{subject}: {_map_in_words(rows, value, k, missing)}."
    return finish(axes, head, said=sentence)


def _read(
    values: Any,
    value: str,
    month: object,
    k: int,
) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """A row per county out of whatever was given: its count, NaN below 10, and the value shown."""
    table = values
    if callable(getattr(values, "counties", None)):
        if not any(is_county(s) for s in values.locations):
            raise DataError(
                "this forecast holds no counties",
                hint="a map of states: od.plot.tile_map",
            )
        table = values.counties()
        if value == "among":
            rows, _ = at_month(table, month)
            ranked = values.ranking(k=k, month=rows["month"].iloc[0])
            table = rows.merge(ranked[["location", "among"]], on="location")
    if isinstance(table, pd.DataFrame):
        renamed = {old: new for old, new in _CALLED.items() if new not in table}
        table = table.rename(columns=renamed)
    table = table_of(table, ("location", "median", value), name="counties")
    rows, when = at_month(table, month)
    counts = rows["median"].astype(float).where(rows["median"] >= TEN)
    rows = rows.assign(
        location=rows["location"].astype(str),
        count=counts,
        value=counts if value == "median" else rows[value].astype(float),
    ).reset_index(drop=True)
    odd = [code for code in rows["location"] if not is_county(code)]
    if odd:
        raise DataError(
            f"{odd[0]!r} is not a county", hint="a map of states: od.plot.tile_map"
        )
    if rows["location"].duplicated().any():
        raise DataError(
            "a county has several rows", hint="give one row per county, or month="
        )
    if value != "median" and not rows["value"].notna().any():
        hint = (
            "a rate needs a population file"
            if value == "rate"
            else "was everything hidden?"
        )
        raise DataError(
            f"no county has a {value!r}, so there is nothing to map", hint=hint
        )
    return rows, when


def _highest(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows that have a value, the highest first."""
    finite: pd.DataFrame = rows[np.isfinite(rows[column])]
    return finite.sort_values([column, "location"], ascending=[False, True])


def _bubbles(axes: Any, rows: pd.DataFrame, value: str, points: Floats) -> None:
    """Large ones first, so that no small one is covered."""
    from matplotlib.colors import to_rgba

    counts = rows["count"].to_numpy()
    plain = value == "median"
    breaks, names, ramp = _classes(rows["value"].to_numpy(), value)
    classes = np.searchsorted(breaks, np.nan_to_num(rows["value"]), side="right")
    sizes = _Sizes(counts)
    counted = np.isfinite(counts)
    unknown = np.isnan(rows["value"].to_numpy())
    areas = sizes.areas(counts)
    order = np.lexsort((rows["location"].to_numpy(dtype=str), -areas))
    faces = []
    edges = []
    for i in order:
        face = to_rgba("white", 0.0) if unknown[i] else to_rgba(ramp[classes[i]], 0.85)
        faces.append(face)
        edges.append("white" if plain and counted[i] else MUTED)
    east, north = points[order].T
    width = 0.35 if counts.size > MANY else 0.7
    axes.scatter(
        east, north, s=areas[order], c=faces, edgecolors=edges, lw=width, zorder=3
    )

    def key(text: str, area: float, **style: Any) -> None:
        """An entry of the legend, without a place on the map."""
        axes.scatter([], [], s=area, edgecolors=MUTED, label=text, **style)

    if not plain:
        for color, name in zip(ramp, names):
            key(name, 60, marker="s", c=color, lw=0.4)
    if counted.any():
        for count in sizes.legend_counts():
            area = float(sizes.areas(count))
            key(f"{count:,} deaths", area, c=BLUE if plain else "none")
    if not counted.all():
        key(f"fewer than {TEN}", sizes.open, c="none", lw=0.7)


class _Sizes:
    """How large a bubble is, in square points: its area in proportion to the count."""

    def __init__(self, counts: Floats) -> None:
        self.top = float(np.nanmax(counts)) if np.isfinite(counts).any() else float(TEN)
        small = counts.size > MANY
        self.largest = 450.0 if small else 1300.0
        #: Square points of a circle for a count below 10.
        self.open = 4.0 if small else 16.0

    def areas(self, counts: Any) -> Floats:
        """Square points of counts; those below 10 have one size, whatever they are."""
        values = np.asarray(counts, dtype=float)
        return np.where(
            np.isfinite(values), self.largest * values / self.top, self.open
        )

    def legend_counts(self) -> list[int]:
        """Up to three round counts for the legend, none too large for it (200 square points)."""
        most = self.top * min(1.0, 200.0 / self.largest)
        round_counts = [n * 10**power for power in range(1, 5) for n in (1, 2, 5)]
        fitting = [count for count in round_counts if count <= most]
        return sorted(fitting[-1::-2][:3])


def _classes(
    values: Floats, value: str
) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Limits of up to five colors, told apart by how light they are, what each says, and each."""
    if value == "median":
        return np.array([]), ("",), (BLUE,)
    if value != "rate":
        colors = CLASSES if value == "rising" else _RAMP
        return np.array(_SHARES), _SHARE_NAMES, colors
    rates = values[np.isfinite(values)]
    quartiles = np.quantile(rates, (0.25, 0.5, 0.75))
    rounded = [float(about_count(rate).replace(",", "")) for rate in quartiles]
    breaks = np.unique([limit for limit in rounded if rates.min() < limit])
    if not breaks.size:
        return breaks, ("all",), _RAMP[:1]
    limits = [f"{limit:,.0f}" for limit in breaks]
    between = [f"{low} to {high}" for low, high in pairwise(limits)]
    names = (f"under {limits[0]} per 100,000", *between, f"{limits[-1]} and more")
    colors = _RAMP[: len(names)] if len(names) < 4 else _RAMP[:3] + _RAMP[4:]
    return breaks, names, colors


def _names(axes: Any, rows: pd.DataFrame, points: Floats) -> None:
    """Names of the largest, at most six, where there is room: none over another."""
    several = len(set(rows["location"].str[:2])) > 1
    scale = width_of(axes) / max(float(np.ptp(axes.get_xlim())), 1e-9)
    sizes = _Sizes(rows["count"].to_numpy())
    placed: list[tuple[float, float, float]] = []
    for i, code, count in (
        _highest(rows, "count")[["location", "count"]].head(40).itertuples()
    ):
        county = by_fips()[code]
        name = f"{county.short}, {county.state}" if several else county.short
        radius = float(np.sqrt(sizes.areas(count))) / 2
        x = points[i, 0] * scale + radius
        y = points[i, 1] * scale
        width = text_width(name, SMALL)
        overlaps = False
        for left, height, length in placed:
            near = abs(y - height) < 1.3 * SMALL
            overlaps |= near and x < left + length and left < x + width
        if overlaps:
            continue
        placed.append((x, y, width + 6))
        label(
            axes,
            name,
            at=tuple(points[i]),
            shift=(radius + 2, 0),
            size=SMALL,
            va="center",
        )
        if len(placed) == 6:
            break


def _map_in_words(rows: pd.DataFrame, value: str, k: int, missing: list[str]) -> str:
    """The numbers shown, in a sentence."""
    numbers = {"median": about_count, "rate": "{:.0f}".format}
    number = numbers.get(value, partial(chance, short=True))
    top = _highest(rows, "value").head(3)
    names = []
    for code, x in zip(top["location"], top["value"]):
        names.append(f"{called(code)} ({number(x)})")
    parts = []
    if names:
        *names_before, last = names
        start = ", ".join(names_before) + " and " if names_before else ""
        _, lead = _TITLES[value]
        parts.append(f"{lead.format(k=k)}{start}{last}")
    hidden = int(rows["count"].isna().sum())
    if hidden:
        parts.append(f"fewer than {TEN} in {hidden:,} of {len(rows):,} counties")
    if missing:
        parts.append(f"{len(missing)} without a place on the map")
    return "; ".join(parts)


def albers(
    longitude: Floats,
    latitude: Floats,
    first: float,
    second: float,
    middle: float,
    origin: float,
) -> tuple[Floats, Floats]:
    """Albers' equal-area conic projection (Snyder 1987, equations 14-1 to 14-6, on a sphere).

    Degrees of places, of two standard parallels, and of the longitude and latitude that become 0;
    east and north in radii of the earth.

    >>> import numpy as np
    >>> x, y = albers(np.array([-75.0]), np.array([35.0]), 29.5, 45.5, -96.0, 23.0)
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([0.2953], [0.2417])
    """
    first_parallel = np.radians([first])
    second_parallel = np.radians([second])
    cone = (np.sin(first_parallel) + np.sin(second_parallel)) / 2
    constant = np.cos(first_parallel) ** 2 + 2 * cone * np.sin(first_parallel)
    radius = np.sqrt(constant - 2 * cone * np.sin(np.radians(latitude))) / cone
    zero = np.sqrt(constant - 2 * cone * np.sin(np.radians(origin))) / cone
    # West of the date line stands with the rest of Alaska.
    turn = (np.asarray(longitude) - middle + 180) % 360 - 180
    angle = cone * np.radians(turn)
    return radius * np.sin(angle), zero - radius * np.cos(angle)


def plane(middles: Floats, states: NDArray[np.str_]) -> tuple[Floats, set[str]]:
    """East and north of places, in radii of the earth; and states that are below the others."""
    longitude, latitude = middles.T
    all_states = set(states)
    insets = all_states & set(_INSETS) if len(all_states) > 1 else set()
    rest = ~np.isin(states, list(insets))
    cone = _CONE
    if len(all_states) == 1 or (rest.any() and np.ptp(latitude[rest]) < 12):
        # A state is upright: in the middle of its own cone.
        low = float(latitude[rest].min())
        high = float(latitude[rest].max())
        span = max(high - low, 1.0)
        middle = float(np.median(longitude[rest]))
        origin = float(latitude[rest].mean())
        cone = (low + span / 6, high - span / 6 + 0.1, middle, origin)
    points = np.column_stack(albers(longitude, latitude, *cone))
    for state in insets:
        size, right, up, _, inset_cone = _INSETS[state]
        rows = states == state
        east, north = albers(longitude[rows], latitude[rows], *inset_cone)
        points[rows] = np.column_stack([size * east + right, size * north + up])
    return points, insets
