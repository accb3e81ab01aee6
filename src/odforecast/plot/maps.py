"""Maps: equal tiles of states, of changes and chances only; and a bubble for each county.

Counts of counties below 10 have no size of their own: they are small open circles.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from odforecast.plot.frame import about, at_month, is_county, joined, one_of, seen_of, table_of
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
_COLUMNS, _ROWS = (1 + max(at) for at in zip(*GRID.values()))
#: What may be drawn, and what a column with it is called.
KINDS: Final = ("change", "fall")
_COUNTS = ("reported", "predicted", "median", "low", "high", "value", "deaths", "count", "counts")
_WHY = "a map of counts shows where many people live, not where more of them die"
_SHOWN_AS = {"YC": "NYC"}
#: Least value of each class but the last, from a likely fall to a likely rise, and what it is
#: called: of the chance of a fall to the nearest 5%, and of a change with its sign turned.
_CHANCES: Final = ((90, 75, 25.1, 10.1), ("90–100%", "75–90%", "25–75%", "10–25%", "0–10%"))
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
        raise DataError(f"kind is {kind!r}: {_WHY}", hint="use kind='change' or kind='fall'")
    one_of(kind, KINDS, name="kind")
    numbers, when, day = _numbers(values, kind, month=month)
    by_place = numbers[kind]
    chances = numbers.get("fall")
    of = about(values, None, indicator=indicator)
    known = {s: by_place[s] for s in GRID if np.isfinite(by_place.get(s, np.nan))}
    classes = {
        s: _class_of(v, chances is not None)
        for s, v in (chances or by_place).items()
        if np.isfinite(v) and s in GRID
    }
    # Puerto Rico is shown where it is known.
    lacking = [code for code in GRID if code not in known and code in JURISDICTIONS]
    drawn = canvas(10.5, 10.6)[1] if axes is None else axes
    names = {}
    for code, value in known.items():
        address = (links or {}).get(code, "")
        shown = _number(value, kind)
        _tile(drawn, code, number=shown, which=classes.get(code), address=address)
        p = (chances or {}).get(code, float("nan"))
        fall = f"chance of a fall {likely(p)}" if np.isfinite(p) else ""
        change = f"expected change {shown}" if kind == "change" else ""
        name = f"{_SHOWN_AS.get(code, code)} {shown}: {called(code)}"
        names[address] = joined(name, fall, change)
    for code in lacking:
        _tile(drawn, code, number="–", which=None, address="")
    setattr(drawn, LINKS, names)
    blank(drawn)
    drawn.set(xlim=(0, _COLUMNS), ylim=(_ROWS + 1.3, 0))
    drawn.set_aspect("equal", anchor="NW")
    _key(drawn, chances is not None)
    here = [classes[s] for s in by_place if s in classes]
    falls = sum(c < 2 for c in here)
    rises = sum(c > 2 for c in here)
    finding = f"Expected change: a fall of 5% or more in {falls} of {len(here)}, a rise in {rises}"
    if chances is not None:
        finding = f"Deaths are likely to fall in {falls} of {len(here)} jurisdictions"
        finding += f" and to rise in {rises}" if rises else ""
    until = "" if when is None else f"12 months to {month_name(when)}"
    color = "expected change" if chances is None else "chance of a fall"
    number = "" if kind == "fall" else " Number: expected change on a year earlier."
    below = f"{joined(capital(of.deaths), until)}. Color: {color}.{number}"
    note = f"{of.source} NY leaves out New York City (NYC).".strip()
    if lacking:
        note += f" Hatched: no value ({listed([_SHOWN_AS.get(s, s) for s in lacking], 12)})."
    until = "" if when is None else f"12 months ending {month_name(when)}"
    lead = {
        "change": f"Change of {of.deaths} in a year by state",
        "fall": f"Probability that {of.deaths} fall within a year, by state",
    }[kind]
    sentence = f"{joined(lead, until, of.seen or day)}: {_tiles_said(by_place, lacking, kind)}"
    return finish(drawn, Head(finding, below, source=note), said=sentence)


def _class_of(value: float, chances: bool) -> int:
    """The class of a chance, rounded as it is printed, or else of a change."""
    least = (_CHANCES if chances else _CHANGES)[0]
    return sum((5 * round(20 * value) if chances else -round(value)) < x for x in least)


def _numbers(
    values: Any, kind: str, month: object
) -> tuple[dict[str, dict[str, float]], np.datetime64 | None, str]:
    """Numbers by code of the kind, and chances if they are known; their month, and as of when."""
    if any(is_county(str(s)) for s in getattr(values, "locations", ())):
        raise DataError("these are counties, and tiles are states", hint="use od.plot.map")
    when = None if month is None else to_month(month)
    day = ""
    if isinstance(values, pd.Series | Mapping):
        if (name := str(getattr(values, "name", ""))) in _COUNTS:
            raise DataError(f"these are {name!r}: {_WHY}", hint="give changes in percent")
        found = {kind: dict(values)}
    else:
        made = values.summary() if callable(getattr(values, "summary", None)) else values
        if isinstance(made, pd.DataFrame) and kind not in made:
            hint = f"give forecast.summary(), or columns location and {kind}"
            raise DataError(f"the table has no column {kind!r}: {_WHY}", hint=hint)
        rows, when = at_month(table_of(made, ("location", kind), what="changes"), month)
        if rows["location"].duplicated().any():
            raise DataError("a location has several rows", hint="give one row per location")
        day = seen_of(None, rows)
        found = {c: dict(zip(rows["location"], rows[c])) for c in (kind, "fall") if c in rows}
    numbers: dict[str, dict[str, float]] = {column: {} for column in found}
    for column, by_name in found.items():
        for key, value in by_name.items():
            code = lookup(str(key)).state
            if code in numbers[column]:
                raise UnknownNameError(f"{called(code)} is given twice, once as {key!r}")
            numbers[column][code] = float(value)
    _check(numbers[kind], kind)
    return numbers, when, day


def _check(values: Mapping[str, float], kind: str) -> None:
    """Refuse what is no change, or no probability: most often it is counts."""
    known = {s: v for s, v in values.items() if np.isfinite(v)}
    if not known:
        raise DataError("no place has a value, so there is nothing to map")
    if kind == "fall":
        odd = {s: v for s, v in known.items() if not 0 <= v <= 1}
        hint = "the chance of a fall is a probability; for percent on a year earlier: kind='change'"
        rule = "lies between 0 and 1"
    else:
        odd = {s: v for s, v in known.items() if v < -100}
        # Deaths of a year are many in most places and never below zero.
        if not odd and min(known.values()) >= 0 and np.median(list(known.values())) > 100:
            odd = dict([max(known.items(), key=lambda item: item[1])])
        hint = "give forecast.summary(), or percent on the count 12 months before"
        rule = f"is a change in percent, and these look like counts: {_WHY}"
    if odd:
        code, value = next(iter(odd.items()))
        raise DataError(f"{called(code)} has {value:,.6g}, and kind={kind!r} {rule}", hint=hint)


def _tile(axes: Any, code: str, number: str, which: int | None, address: str) -> None:
    from matplotlib.patches import Rectangle

    (column, row), small = GRID[code], width_of(axes) / _COLUMNS < 50
    face, hatch = (PALE, "////") if which is None else (CLASSES[which], None)
    tile = Rectangle(
        (column + 0.025, row + 0.025),
        0.95,
        0.95,
        facecolor=face,
        lw=0,
        edgecolor="#b4bac4",
        hatch=hatch,
    )
    ink = PAPER if which in (0, 4) else INK
    parts = [axes.add_patch(tile)]
    for text, y, size, weight in (
        (_SHOWN_AS.get(code, code), 0.35, TEXT if small else 15, "bold"),
        (number, 0.72, SMALL if small else 13, "normal"),
    ):
        parts.append(
            axes.text(
                column + 0.5,
                row + y,
                text,
                ha="center",
                va="center",
                color=ink,
                fontsize=size,
                fontweight=weight,
            )
        )
    for part in parts:  # one after another, so that they are one link
        part.set(url=address or None, zorder=2)


def _key(axes: Any, chances: bool) -> None:
    """What the five colors mean, below the tiles."""
    from matplotlib.patches import Rectangle

    wide = _COLUMNS / 5
    top = _ROWS + 0.15
    for i, (color, text) in enumerate(zip(CLASSES, (_CHANCES if chances else _CHANGES)[1])):
        axes.add_patch(Rectangle((i * wide + 0.025, top), wide - 0.05, 0.25, facecolor=color, lw=0))
        axes.text(
            i * wide + 0.025,
            top + 0.32,
            text,
            fontsize=SMALL,
            color=INK,
            va="top",
        )
    ends = ("Chance of a fall: high", "low (a rise is likely)") if chances else ("Fall", "Rise")
    for text, x, ha in zip(ends, (0.025, _COLUMNS), ("left", "right")):
        axes.text(
            x,
            top + 0.72,
            text,
            fontsize=SMALL,
            color=MUTED,
            va="top",
            ha=ha,
        )


def _number(value: float, kind: str) -> str:
    return percent(value) if kind == "change" else chance(value, short=True)


def _tiles_said(by_place: Mapping[str, float], lacking: list[str], kind: str) -> str:
    parts = {s: v for s, v in by_place.items() if np.isfinite(v) and s != NATION and s in GRID}
    said = []
    if parts:
        low = min(parts, key=lambda s: parts[s])
        high = max(parts, key=lambda s: parts[s])
        ends = " to ".join(f"{_number(parts[s], kind)} ({called(s)})" for s in (low, high))
        falls = sum(v < 0 if kind == "change" else v > 0.5 for v in parts.values())
        what = "a fall in" if kind == "change" else "a fall is likelier than not in"
        said.append(f"{what} {falls} of {len(parts)} places, from {ends}")
    if np.isfinite(nation := by_place.get(NATION, float("nan"))):
        said.append(f"United States {_number(nation, kind)}")
    end = f" No value: {listed([called(s) for s in lacking], 8)}." if lacking else ""
    return f"{'; '.join(said)}.{end}"


# Bubbles

Value = Literal["median", "rate", "rising", "ten", "among"]
#: What may be shown: its title, and its beginning of a list.
_SHOWN: Final = {
    "median": ("Deaths expected", "most in "),
    "rate": ("Deaths per 100,000 people", "highest rates per 100,000 in "),
    "rising": (
        "Chance of more deaths than a year earlier",
        "most likely more than a year earlier in ",
    ),
    "ten": (f"Chance of {TEN} deaths or more", f"most likely {TEN} or more in "),
    "among": ("Chance of being among the {k} highest", "most likely among the {k} highest: "),
}
#: What the tables of a forecast call them.
_CALLED: Final = {"deaths": "median", "rise": "rising", "p_ten": "ten"}
_SHARES = (0.1, 1 / 3, 2 / 3, 0.9)
_SAID_SHARES = ("under 10%", "10 to 33%", "33 to 67%", "67 to 90%", "over 90%")
#: Pale to deep.
_RAMP = ("#cfe1f0", "#93bfdd", "#4f97c6", "#0072b2", "#003a5d")
#: With more counties than these, bubbles are small.
MANY = 600
#: Standard parallels and the middle of the 48 states: those of the US Geological Survey.
_CONE = (29.5, 45.5, -96.0, 37.5)
#: Alaska and Hawaii below the others: size, place in radii of the earth, words, and their cones.
#: Alaska is drawn at a third of its size, as on most maps.
_APART = {
    "02": (1 / 3, -0.27, -0.33, "Alaska, a third of its size", (55.0, 65.0, -154.0, 50.0)),
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
    one_of(value, tuple(_SHOWN), name="value")
    every, when = _read(values, value, month=month, k=k)
    of = about(values, every, indicator=indicator)
    # A planning region has no place here.
    found = [by_fips().get(code) for code in every["location"]]
    middles = np.array([(c.longitude, c.latitude) if c else (np.nan, np.nan) for c in found])
    known = ~np.isnan(middles[:, 0])
    lacking = [called(code) for code in every.loc[~known, "location"]]
    if not known.any():
        raise DataError(
            f"{every['location'].iloc[0]} has no place on the map: where Connecticut's planning "
            "regions lie is not known here"
        )
    rows = every[known].reset_index(drop=True)
    states = rows["location"].str[:2].to_numpy(dtype=str)
    at, apart = plane(middles[known], states)
    wide, high = np.maximum(np.ptp(at, axis=0), 1e-9)  # as high as the map needs it, within bounds
    size = 10.5, float(np.clip(9.4 * high / wide + 2.1, 5.8, 11.0))
    drawn: Any = canvas(*size)[1] if axes is None else axes
    blank(drawn)
    drawn.margins(0.06)
    _bubbles(drawn, rows, value=value, at=at)
    drawn.set_aspect("equal", anchor="NW")
    drawn.autoscale_view()
    _names(drawn, rows, at=at)
    for state in sorted(apart):
        here = at[states == state]
        label(
            drawn,
            _APART[state][3],
            at=(here[:, 0].mean(), here[:, 1].max()),
            shift=(0, 9),
            color=MUTED,
            size=SMALL,
            ha="center",
        )
    legend(drawn, **({} if value == "median" else {"ncols": 4}))
    where = f"Not on the map, place unknown: {listed(lacking, 2)}." if lacking else ""
    until = "" if when is None else f"12 months ending {month_name(when)}"
    what = joined(f"{capital(of.deaths)} of residents by county", until, of.seen)
    whole = called(by_fips()[rows["location"].iloc[0]].state)
    whole = whole if len(set(states)) == 1 else "United States"
    head = Head(
        f"{_SHOWN[value][0].format(k=k)}, counties, {whole}",
        f"{what}. Area of a bubble: expected deaths.",
        source=joined(about(values).source, where, by=" "),
    )
    return finish(drawn, head, said=f"{what}: {_map_said(rows, value, k, lacking)}.")


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
                "this forecast holds no counties", hint="a map of states: od.plot.tile_map"
            )
        table = values.counties()
        if value == "among":
            rows, _ = at_month(table, month)
            ranked = values.ranking(k=k, month=rows["month"].iloc[0])
            table = rows.merge(ranked[["location", "among"]], on="location")
    if isinstance(table, pd.DataFrame):
        other = {old: new for old, new in _CALLED.items() if new not in table}
        table = table.rename(columns=other)
    rows, when = at_month(table_of(table, ("location", "median", value), what="counties"), month)
    counts = rows["median"].astype(float).where(rows["median"] >= TEN)
    rows = rows.assign(
        location=rows["location"].astype(str),
        count=counts,
        value=counts if value == "median" else rows[value].astype(float),
    ).reset_index(drop=True)
    if odd := [s for s in rows["location"] if not is_county(s)]:
        raise DataError(f"{odd[0]!r} is not a county", hint="a map of states: od.plot.tile_map")
    if rows["location"].duplicated().any():
        raise DataError("a county has several rows", hint="give one row per county, or month=")
    if value != "median" and not rows["value"].notna().any():
        hint = "a rate needs a population file" if value == "rate" else "was everything hidden?"
        raise DataError(f"no county has a {value!r}, so there is nothing to map", hint=hint)
    return rows, when


def _highest(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows that have a value, the highest first."""
    known: pd.DataFrame = rows[np.isfinite(rows[column])]
    return known.sort_values([column, "location"], ascending=[False, True])


def _bubbles(axes: Any, rows: pd.DataFrame, value: str, at: Floats) -> None:
    """Large ones first, so that no small one is covered."""
    from matplotlib.colors import to_rgba

    counts = rows["count"].to_numpy()
    plain = value == "median"
    breaks, names, ramp = _classes(rows["value"].to_numpy(), value)
    of = np.searchsorted(breaks, np.nan_to_num(rows["value"]), side="right")
    sizes = _Sizes(counts)
    unknown = np.isnan(rows["value"].to_numpy())
    area = sizes.of(counts)
    order = np.lexsort((rows["location"].to_numpy(dtype=str), -area))
    faces = [to_rgba("white", 0.0) if unknown[i] else to_rgba(ramp[of[i]], 0.85) for i in order]
    edges = ["white" if plain and np.isfinite(counts[i]) else MUTED for i in order]
    thin = 0.35 if counts.size > MANY else 0.7
    axes.scatter(
        *at[order].T,
        s=area[order],
        c=faces,
        edgecolors=edges,
        lw=thin,
        zorder=3,
    )
    for face, said in () if plain else zip(ramp, names):
        axes.scatter(
            [],
            [],
            s=60,
            marker="s",
            c=face,
            edgecolors=MUTED,
            lw=0.4,
            label=said,
        )
    for n in sizes.said() if np.isfinite(counts).any() else ():
        axes.scatter(
            [],
            [],
            s=float(sizes.of(n)),
            c=BLUE if plain else "none",
            edgecolors=MUTED,
            label=f"{n:,} deaths",
        )
    if not np.isfinite(counts).all():
        axes.scatter(
            [],
            [],
            s=sizes.open,
            c="none",
            edgecolors=MUTED,
            lw=0.7,
            label=f"fewer than {TEN}",
        )


class _Sizes:
    """How large a bubble is, in square points: its area in proportion to the count."""

    def __init__(self, counts: Floats) -> None:
        self.top = float(np.nanmax(counts)) if np.isfinite(counts).any() else float(TEN)
        self.largest, self.open = (450.0, 4.0) if counts.size > MANY else (1300.0, 16.0)

    def of(self, counts: Any) -> Floats:
        """Square points of counts; those below 10 have one size, whatever they are."""
        found = np.asarray(counts, dtype=float)
        return np.where(np.isfinite(found), self.largest * found / self.top, self.open)

    def said(self) -> list[int]:
        """Up to three round counts for the legend, none too large for it (200 square points)."""
        most = self.top * min(1.0, 200.0 / self.largest)
        steps = [n * 10**p for p in range(1, 5) for n in (1, 2, 5) if n * 10**p <= most]
        return sorted({steps[i] for i in (-1, -3, -5) if len(steps) >= -i})


def _classes(values: Floats, value: str) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Limits of up to five colors, told apart by how light they are, what each says, and each."""
    if value == "median":
        return np.array([]), ("",), (BLUE,)
    if value != "rate":
        return np.array(_SHARES), _SAID_SHARES, CLASSES if value == "rising" else _RAMP
    known = values[np.isfinite(values)]
    cuts = [float(about_count(x).replace(",", "")) for x in np.quantile(known, (0.25, 0.5, 0.75))]
    breaks = np.unique([x for x in cuts if known.min() < x])
    ends = [f"{x:,.0f}" for x in breaks]
    said = (
        *([f"under {ends[0]} per 100,000"] if ends else ["all"]),
        *(f"{a} to {b}" for a, b in pairwise(ends)),
        *([f"{ends[-1]} and more"] if ends else []),
    )
    return breaks, said, _RAMP[: len(said)] if len(said) < 4 else _RAMP[:3] + _RAMP[4:]


def _names(axes: Any, rows: pd.DataFrame, at: Floats) -> None:
    """Names of the largest, at most six, where there is room: none over another."""
    several = len(set(rows["location"].str[:2])) > 1
    points = width_of(axes) / max(float(np.ptp(axes.get_xlim())), 1e-9)
    sizes = _Sizes(rows["count"].to_numpy())
    taken: list[tuple[float, float, float]] = []
    for i, code, count in _highest(rows, "count")[["location", "count"]].head(40).itertuples():
        county = by_fips()[code]
        name = f"{county.short}, {county.state}" if several else county.short
        reach = float(np.sqrt(sizes.of(count))) / 2
        x = at[i, 0] * points + reach
        y = at[i, 1] * points
        wide = text_width(name, SMALL)
        if any(abs(y - b) < 1.3 * SMALL and x < a + w and a < x + wide for a, b, w in taken):
            continue
        taken.append((x, y, wide + 6))
        label(axes, name, at=tuple(at[i]), shift=(reach + 2, 0), size=SMALL, va="center")
        if len(taken) == 6:
            break


def _map_said(rows: pd.DataFrame, value: str, k: int, lacking: list[str]) -> str:
    """The numbers shown, in a sentence."""
    number = {"median": about_count, "rate": "{:.0f}".format}.get(value)
    top = _highest(rows, "value").head(3)
    said = [
        f"{called(code)} ({number(x) if number else chance(x, short=True)})"
        for code, x in zip(top["location"], top["value"])
    ]
    parts = []
    if said:
        names = (", ".join(said[:-1]) + " and " if said[1:] else "") + said[-1]
        parts.append(_SHOWN[value][1].format(k=k) + names)
    if hidden := int(rows["count"].isna().sum()):
        parts.append(f"fewer than {TEN} in {hidden:,} of {len(rows):,} counties")
    if lacking:
        parts.append(f"{len(lacking)} without a place on the map")
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
    one = np.radians([first])
    two = np.radians([second])
    lat = np.radians(latitude)
    start = origin
    cone = (np.sin(one) + np.sin(two)) / 2
    constant = np.cos(one) ** 2 + 2 * cone * np.sin(one)
    radius = np.sqrt(constant - 2 * cone * np.sin(lat)) / cone
    zero = np.sqrt(constant - 2 * cone * np.sin(np.radians(start))) / cone
    # West of the date line stands with the rest of Alaska.
    turn = (np.asarray(longitude) - middle + 180) % 360 - 180
    angle = cone * np.radians(turn)
    return radius * np.sin(angle), zero - radius * np.cos(angle)


def plane(at: Floats, states: NDArray[np.str_]) -> tuple[Floats, set[str]]:
    """East and north of places, in radii of the earth; and states that are below the others."""
    (longitude, latitude), there = at.T, set(states)
    apart = there & set(_APART) if len(there) > 1 else set()
    rest = ~np.isin(states, list(apart))
    cone = _CONE
    if len(there) == 1 or (rest.any() and np.ptp(latitude[rest]) < 12):
        # A state is upright: in the middle of its own cone.
        low = float(latitude[rest].min())
        high = float(latitude[rest].max())
        span = max(high - low, 1.0)
        middle = float(np.median(longitude[rest]))
        origin = float(latitude[rest].mean())
        cone = (low + span / 6, high - span / 6 + 0.1, middle, origin)
    out = np.column_stack(albers(longitude, latitude, *cone))
    for state in apart:
        size, right, up, _, own = _APART[state]
        mine = states == state
        east, north = albers(longitude[mine], latitude[mine], *own)
        out[mine] = np.column_stack([size * east + right, size * north + up])
    return out, apart
