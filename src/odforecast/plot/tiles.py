"""A map of equal tiles: states side by side as on the map, each as large as the others.

Changes and chances only. A map of counts shows where many people live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import JURISDICTIONS, NATION, called, lookup
from odforecast.months import to_month
from odforecast.plot.frame import (
    as_of_in,
    as_of_words,
    at_month,
    capital,
    indicator_in,
    is_county,
    joined,
    one_of,
    source_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
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
    width_of,
)
from odforecast.plot.style import GRID as PALE
from odforecast.say import chance, deaths_of, listed, month_name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
_CHANGES: Final = ((15, 5, -4.9, -14.9), ("−15% or less", "−15 to −5%", "−5 to +5%", "+5 to +15%",
                                          "+15% or more"))  # fmt: skip


@dataclass(frozen=True)
class _Values:
    """A number per place and its class, and what is known about them."""

    by_place: Mapping[str, float]
    chance: Mapping[str, float] | None
    month: np.datetime64 | None
    seen: str
    deaths: str
    source: str = ""

    @property
    def classes(self) -> dict[str, int]:
        """By the chance of a fall, rounded as it is printed, or else by the change."""
        values = self.chance or self.by_place
        least = _CHANCES[0] if self.chance else _CHANGES[0]
        return {
            place: sum((5 * round(20 * v) if self.chance else -round(v)) < x for x in least)
            for place, v in values.items()
            if np.isfinite(v) and place in GRID
        }


def tile_map(
    values: Any,
    *,
    axes: Axes | None = None,
    kind: str = "change",
    month: object = None,
    title: str | None = None,
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
        Where to draw; default: a figure of its own.
    kind : {"change", "fall"}
        Percent on the count 12 months before, or the probability (0 to 1) that it is lower.
        Counts are refused.
    month : month, optional
        Which month of a forecast or its table. Default: 12 months ahead, or the last one.
    title : str, optional
        Default: in how many places deaths are likely to fall, and to rise.
    indicator : str, optional
        Which deaths they are of, where ``values`` do not say it: ``"all-drugs"``, ``"T40.4"`` …
        Default: a forecast's own; of a table or mapping, ``deaths`` is all that is said.
    links : mapping of str to str, optional
        Where each tile leads in a page, by code of the place; see :func:`inline`.

    Raises
    ------
    DataError
        If the values are counts, are no changes or probabilities, a column is missing, or no
        place has one.
    UnknownNameError
        If the kind or a place is unknown.

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
    one_of(kind, KINDS, "kind")
    found = _values(values, kind, month, indicator)
    _check(found.by_place, kind)
    drawn = canvas(10.5, 10.6)[1] if axes is None else axes
    classes, lacking, names = found.classes, [], {}
    for code in GRID:
        value = found.by_place.get(code, float("nan"))
        if np.isfinite(value):
            address = (links or {}).get(code, "")
            _tile(drawn, code, _number(value, kind), classes.get(code), address)
            if address:
                names[address] = _named(code, found, kind)
        elif code in JURISDICTIONS:  # Puerto Rico is shown where it is known
            lacking.append(code)
            _tile(drawn, code, "–", None, "")
    setattr(drawn, LINKS, names)
    blank(drawn)
    drawn.set(xlim=(0, _COLUMNS), ylim=(_ROWS + 1.3, 0))
    drawn.set_aspect("equal", anchor="NW")
    _key(drawn, found.chance is not None)
    here = [classes[s] for s in found.by_place if s in classes]
    falls, rises = sum(c < 2 for c in here), sum(c > 2 for c in here)
    finding = f"Expected change: a fall of 5% or more in {falls} of {len(here)}, a rise in {rises}"
    if found.chance is not None:
        finding = (
            f"Deaths are likely to fall in {falls} of {len(here)} jurisdictions and to rise in "
            f"{rises}"
        )
    when = "" if found.month is None else f"12 months to {month_name(found.month)}"
    color = "expected change" if found.chance is None else "chance of a fall"
    number = "" if kind == "fall" else " Number: expected change on a year earlier."
    below = f"{joined(capital(found.deaths), when)}. Color: {color}.{number}"
    note = f"{found.source} NY leaves out New York City (NYC).".strip()
    if lacking:
        note += f" Hatched: no value ({listed([_SHOWN_AS.get(s, s) for s in lacking], 12)})."
    return finish(drawn, Head(title or finding, below, note), _sentence(found, lacking, kind))


def _values(values: Any, kind: str, month: object, indicator: str | None) -> _Values:
    """A number per place out of whatever was given."""
    deaths = deaths_of(indicator or indicator_in(values))
    day, source = as_of_in(values), source_of(values)
    if any(is_county(str(s)) for s in getattr(values, "locations", ())):
        raise DataError("these are counties, and tiles are states", hint="use od.plot.map")
    if callable(getattr(values, "summary", None)):
        values = values.summary()
    if isinstance(values, pd.DataFrame):
        for column in ("location", kind):
            if column not in values:
                raise DataError(
                    f"the table has no column {column!r}" + (f": {_WHY}" if column == kind else ""),
                    hint="give forecast.summary(), or columns location and "
                    f"{kind}; it has: {', '.join(map(str, values.columns))}",
                )
        rows, when = at_month(values, month)
        if rows["location"].duplicated().any():
            raise DataError("a location has several rows", hint="give one row per location")
        day = as_of_in(None, rows) if day is None else day
        numbers = {c: dict(zip(rows["location"].astype(str), rows[c].astype(float)))
                   for c in (kind, "fall") if c in rows}  # fmt: skip
    elif isinstance(values, pd.Series | Mapping):
        if (name := str(getattr(values, "name", ""))) in _COUNTS:
            raise DataError(f"these are {name!r}: {_WHY}", hint="give changes in percent")
        when = None if month is None else to_month(month)
        numbers = {kind: {str(k): float(v) for k, v in dict(values).items()}}
    else:
        raise DataError(
            f"values is a {type(values).__name__}",
            hint="give a forecast, its summary(), or a number per location",
        )
    held = {c: _by_code(n) for c, n in numbers.items()}
    return _Values(held[kind], held.get("fall"), when, as_of_words(day), deaths, source)


def _by_code(values: Mapping[str, float]) -> dict[str, float]:
    out: dict[str, float] = {}
    for key, value in values.items():
        code = lookup(key).state
        if code in out:
            raise UnknownNameError(f"{called(code)} is given twice, once as {key!r}")
        out[code] = value
    return out


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
    tile = Rectangle((column + 0.025, row + 0.025), 0.95, 0.95, facecolor=face, lw=0,
                     edgecolor="#b4bac4", hatch=hatch)  # fmt: skip
    ink = PAPER if which in (0, 4) else INK
    parts = [axes.add_patch(tile)]
    for text, y, size, weight in (
        (_SHOWN_AS.get(code, code), 0.35, TEXT if small else 15, "bold"),
        (number, 0.72, SMALL if small else 13, "normal"),
    ):
        parts.append(axes.text(column + 0.5, row + y, text, ha="center", va="center", color=ink,
                               fontsize=size, fontweight=weight))  # fmt: skip
    for part in parts:  # one after another, so that they are one link
        part.set(url=address or None, zorder=2)


def _key(axes: Any, chances: bool) -> None:
    """What the five colors mean, below the tiles."""
    from matplotlib.patches import Rectangle

    wide, top = _COLUMNS / 5, _ROWS + 0.15
    for i, (color, text) in enumerate(zip(CLASSES, (_CHANCES if chances else _CHANGES)[1])):
        axes.add_patch(Rectangle((i * wide + 0.025, top), wide - 0.05, 0.25, facecolor=color, lw=0))
        axes.text(i * wide + 0.025, top + 0.32, text, fontsize=SMALL, color=INK, va="top")
    ends = ("Chance of a fall: high", "low (a rise is likely)") if chances else ("Fall", "Rise")
    for text, x, ha in zip(ends, (0.025, _COLUMNS), ("left", "right")):
        axes.text(x, top + 0.72, text, fontsize=SMALL, color=MUTED, va="top", ha=ha)


def _number(value: float, kind: str) -> str:
    return percent(value) if kind == "change" else chance(value, short=True)


def _named(code: str, found: _Values, kind: str) -> str:
    """What a tile's link is called."""
    shown = f"{_SHOWN_AS.get(code, code)} {_number(found.by_place[code], kind)}: {called(code)}"
    likely = (found.chance or {}).get(code, float("nan"))
    fall = f"chance of a fall {chance(likely)}" if np.isfinite(likely) else ""
    change = f"expected change {percent(found.by_place[code])}" if kind == "change" else ""
    return joined(shown, fall, change)


def _sentence(found: _Values, lacking: list[str], kind: str) -> str:
    parts = {
        s: v for s, v in found.by_place.items() if np.isfinite(v) and s != NATION and s in GRID
    }
    when = "" if found.month is None else f"12 months ending {month_name(found.month)}"
    lead = {
        "change": f"Change of {found.deaths} in a year by state",
        "fall": f"Probability that {found.deaths} fall within a year, by state",
    }[kind]
    said = []
    if parts:
        low, high = min(parts, key=lambda s: parts[s]), max(parts, key=lambda s: parts[s])
        ends = " to ".join(f"{_number(parts[s], kind)} ({called(s)})" for s in (low, high))
        falls = sum(v < 0 if kind == "change" else v > 0.5 for v in parts.values())
        what = "a fall in" if kind == "change" else "a fall is likelier than not in"
        said.append(f"{what} {falls} of {len(parts)} places, from {ends}")
    if np.isfinite(nation := found.by_place.get(NATION, float("nan"))):
        said.append(f"United States {_number(nation, kind)}")
    end = f" No value: {listed([called(s) for s in lacking], 8)}." if lacking else ""
    return f"{joined(lead, when, found.seen)}: {'; '.join(said)}.{end}"
