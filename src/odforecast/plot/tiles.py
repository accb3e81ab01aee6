"""A map of equal tiles: states side by side as on the map, each as large as the others.

Changes and chances only. A map of counts shows where many people live.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import JURISDICTIONS, NATION, called, lookup
from odforecast.months import to_month
from odforecast.plot.inputs import as_of_in, at_month, indicator_in, one_of
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SMALL,
    canvas,
    heading,
    width_of,
    wrapped,
)
from odforecast.plot.words import (
    as_of_words,
    capital,
    chance,
    deaths_of,
    is_county,
    joined,
    listed,
    literal,
    month_name,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The layout that newspapers made known, row by row; New York City stands above New York, and
#: the nation and Puerto Rico in corners that are free.
LAYOUT: Final = (
    "AK .  .  .  .  .  .  .  .  .  ME",
    ".  .  US .  .  .  .  .  YC VT NH",
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
#: What may be drawn, and what a column with it is called.
KINDS: Final = ("change", "fall")
_COUNTS = ("reported", "predicted", "median", "low", "high", "value", "deaths", "count", "counts")
_WHY = "a map of counts shows where many people live, not where more of them die"
_SHOWN_AS = {"YC": "NYC"}


@dataclass(frozen=True)
class _Values:
    """A number per place, and what is known about them."""

    by_place: Mapping[str, float]
    month: np.datetime64 | None = None
    as_of: dt.date | np.datetime64 | None = None
    deaths: str = deaths_of(None)


def tile_map(
    values: Any,
    *,
    axes: Axes | None = None,
    kind: str = "change",
    month: object = None,
    title: str | None = None,
    indicator: str | None = None,
) -> Axes:
    """States as tiles: the change expected in a year, or how likely a fall is.

    The number stands in each tile; its shade says the same. A tile without a value is grey and
    hatched.

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
    indicator : str, optional
        Which deaths they are of, where ``values`` do not say it: ``"all-drugs"``, ``"T40.4"`` …
        Default: a forecast's own; of a table or mapping, ``deaths`` is all that is said.

    Returns
    -------
    Axes

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
    drawn = canvas(7.6, 6.6)[1] if axes is None else axes
    shade = _shade(found.by_place, kind)
    lacking = []
    for code, (column, row) in GRID.items():
        value = found.by_place.get(code, float("nan"))
        if not np.isfinite(value) and code not in JURISDICTIONS:
            continue  # the nation and Puerto Rico are shown where they are known
        if not np.isfinite(value):
            lacking.append(code)
        _tile(drawn, code, column, row, value, shade, kind)
    _frame(drawn)
    when = "" if found.month is None else f", 12 months ending {month_name(found.month)}"
    seen = as_of_words(found.as_of)
    what = {
        "change": f"{capital(found.deaths)}{when}: change on a year earlier",
        "fall": f"{capital(found.deaths)}{when}: chance that they are fewer than a year earlier",
    }[kind]
    head = title or {"change": "Expected change", "fall": "Chance of a fall"}[kind]
    heading(drawn, literal(head), literal(joined(what, seen)))
    _note(drawn, lacking, kind)
    describe(drawn, _sentence(found, lacking, kind))
    axes_out: Axes = drawn
    return axes_out


def _values(values: Any, kind: str, month: object, indicator: str | None) -> _Values:
    """A number per place out of whatever was given."""
    deaths = deaths_of(indicator or indicator_in(values))
    day = as_of_in(values)
    if any(is_county(str(s)) for s in getattr(values, "locations", ())):
        raise DataError("these are counties, and tiles are states", hint="use od.plot.map")
    if callable(getattr(values, "summary", None)):
        values = values.summary()
    if isinstance(values, pd.DataFrame):
        table = values
        for column in ("location", kind):
            if column not in table:
                raise DataError(
                    f"the table has no column {column!r}" + (f": {_WHY}" if column == kind else ""),
                    hint="give forecast.summary(), or columns location and "
                    f"{kind}; it has: {', '.join(map(str, table.columns))}",
                )
        rows, when = at_month(table, month)
        day = as_of_in(None, rows) if day is None else day
        numbers = dict(zip(rows["location"].astype(str), rows[kind].astype(float)))
        if len(numbers) < len(rows):
            raise DataError("a location has several rows", hint="give one row per location")
        return _Values(_by_code(numbers), when, day, deaths)
    if isinstance(values, pd.Series):
        if str(values.name) in _COUNTS:
            raise DataError(f"these are {values.name!r}: {_WHY}", hint="give changes in percent")
        values = values.to_dict()
    if isinstance(values, Mapping):
        numbers = {str(k): float(v) for k, v in values.items()}
        when = None if month is None else to_month(month)
        return _Values(_by_code(numbers), when, None, deaths)
    raise DataError(
        f"values is a {type(values).__name__}",
        hint="give a forecast, its summary(), or a number per location",
    )


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


def _shade(values: Mapping[str, float], kind: str) -> Any:
    """A colour for a value: blue where deaths fall, orange where they rise, pale between."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    known = np.array([v for v in values.values() if np.isfinite(v)])
    if kind == "fall":
        scale, ramp = Normalize(0.0, 1.0), [ORANGE, "#f5f5f5", BLUE]
    else:
        # One place far out must not make all others pale.
        reach = max(10.0, float(np.quantile(np.abs(known), 0.95)))
        scale, ramp = Normalize(-reach, reach, clip=True), [BLUE, "#f5f5f5", ORANGE]
    colours = LinearSegmentedColormap.from_list("odforecast", ramp)
    return lambda value: colours(scale(value))


def _tile(axes: Any, code: str, column: int, row: int, value: float, shade: Any, kind: str) -> None:
    from matplotlib.patches import Rectangle

    known = bool(np.isfinite(value))
    face = shade(value) if known else "#e5e7eb"
    nation = code == NATION
    axes.add_patch(
        Rectangle(
            (column + 0.03, row + 0.03), 0.94, 0.94, facecolor=face, lw=1.6 if nation else 0,
            edgecolor=BLACK if nation else "#b4bac4", hatch=None if known else "////",
        )
    )  # fmt: skip
    ink = BLACK if not known or _luminance(face) > 0.18 else "white"
    axes.text(column + 0.5, row + 0.33, _SHOWN_AS.get(code, code), ha="center", va="center",
              color=ink, fontsize=10, fontweight="bold")  # fmt: skip
    axes.text(column + 0.5, row + 0.70, _number(value, kind), ha="center", va="center",
              color=ink, fontsize=SMALL)  # fmt: skip


def _luminance(colour: Any) -> float:
    """Relative luminance, 0 to 1; at 0.18 black and white letters are equally legible."""
    rgb = np.asarray(colour[:3], dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _number(value: float, kind: str) -> str:
    if not np.isfinite(value):
        return "–"
    said = percent(value) if kind == "change" else chance(value, short=True)
    return said.replace(" ", "\u2009")


def _frame(axes: Any) -> None:
    axes.set_xlim(0, 1 + max(c for c, _ in GRID.values()))
    axes.set_ylim(1 + max(r for _, r in GRID.values()), 0)
    axes.set_aspect("equal", anchor="W")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def _note(axes: Any, lacking: list[str], kind: str) -> None:
    parts = ["blue: fewer deaths than a year earlier, orange: more" if kind == "change"
             else "blue: a fall is likely, orange: a rise"]  # fmt: skip
    parts.append("NY leaves out New York City (NYC)")
    if lacking:
        parts.append(f"hatched: no value ({listed([_SHOWN_AS.get(s, s) for s in lacking], 12)})")
    axes.annotate(
        wrapped("; ".join(parts), width_of(axes), SMALL), (0, 0), (0, -4),
        xycoords="axes fraction", textcoords="offset points", va="top", fontsize=SMALL, color=GREY,
        annotation_clip=False,
    )  # fmt: skip


def _sentence(found: _Values, lacking: list[str], kind: str) -> str:
    parts = {
        s: v for s, v in found.by_place.items() if np.isfinite(v) and s != NATION and s in GRID
    }
    when = "" if found.month is None else f", 12 months ending {month_name(found.month)}"
    seen = as_of_words(found.as_of)
    lead = {
        "change": f"Change of {found.deaths} in a year by state",
        "fall": f"Probability that {found.deaths} fall within a year, by state",
    }[kind]
    lead = joined(lead + when, seen)
    said = []
    if parts:
        low, high = min(parts, key=lambda s: parts[s]), max(parts, key=lambda s: parts[s])
        ends = (
            f"from {_plain(parts[low], kind)} ({called(low)}) to "
            f"{_plain(parts[high], kind)} ({called(high)})"
        )
        limit = 0.0 if kind == "change" else 0.5
        falls = sum(v < limit for v in parts.values()) if kind == "change" else (
            sum(v > limit for v in parts.values())
        )  # fmt: skip
        what = "a fall in" if kind == "change" else "a fall is likelier than not in"
        said.append(f"{what} {falls} of {len(parts)} places, {ends}")
    if np.isfinite(nation := found.by_place.get(NATION, float("nan"))):
        said.append(f"United States {_plain(nation, kind)}")
    end = f" No value: {listed([called(s) for s in lacking], 8)}." if lacking else ""
    return f"{lead}: {'; '.join(said)}.{end}"


def _plain(value: float, kind: str) -> str:
    return _number(value, kind).replace("\u2009", " ")
