"""The map: a tile per jurisdiction, with a chance or a change on it, never a count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from odforecast.plot.tiles import GRID
from odforecast.report.site.drawing import WIDTH, Drawing, Shape, shape
from odforecast.say import chance, month_name, percent

#: As they are called on a tile.
_SHORT = {"YC": "NYC"}
_TILE = 58.0

#: From a likely fall to a likely rise: classes of the style sheet, in this order.
LOOKS = ("fall3", "fall2", "fall1", "even", "rise1", "rise2", "rise3")
_FALL_EDGES = (0.9, 0.75, 0.6, 0.4, 0.25, 0.1)
_FALL_NAMES = ("≥90%", "75–90", "60–75", "40–60", "25–40", "10–25", "<10%")
_CHANGE_EDGES = (-20.0, -10.0, -5.0, 5.0, 10.0, 20.0)
_CHANGE_NAMES = ("<−20%", "−20…−10", "−10…−5", "±5", "+5…+10", "+10…+20", ">+20%")


def fall_look(share: float) -> str:
    """Class of a chance of a fall.

    Examples
    --------
    >>> fall_look(0.95), fall_look(0.896), fall_look(0.5), fall_look(0.02)
    ('fall3', 'fall3', 'even', 'rise3')
    """
    return LOOKS[sum(round(share, 2) < edge for edge in _FALL_EDGES)]  # as it is written


def change_look(value: float) -> str:
    """Class of a change in percent.

    Examples
    --------
    >>> change_look(-31.0), change_look(-5.0), change_look(0.0), change_look(20.6)
    ('fall3', 'even', 'even', 'rise3')
    """
    whole = round(value)  # as it is written
    up = sum(whole >= e for e in _CHANGE_EDGES[:3]) + sum(whole > e for e in _CHANGE_EDGES[3:])
    return LOOKS[up]


def fall_map(rows: pd.DataFrame, links: Mapping[str, str] | None = None) -> Drawing | None:
    """Chance of a fall on a map.

    Parameters
    ----------
    rows : DataFrame
        Of :meth:`odforecast.Forecast.summary`, one per location.
    links : mapping of str to str, optional
        The page of each location code.

    Returns
    -------
    Drawing or None
        None where no location has a tile.
    """
    return _map(
        rows, "fall", fall_look, _bare_chance, lambda v: f"chance of a fall {chance(v)}",
        "Chance that deaths fall", "Blue: a fall is likely. Orange: a rise is.",
        _FALL_NAMES, links,
    )  # fmt: skip


def change_map(rows: pd.DataFrame, links: Mapping[str, str] | None = None) -> Drawing | None:
    """Expected change on a map; see :func:`fall_map`."""
    return _map(
        rows, "change", change_look, lambda v: percent(v).removesuffix("%"),
        lambda v: f"expected change {percent(v)}", "Expected change of deaths, in percent",
        "Middle values; how wide the intervals are stands in the table.", _CHANGE_NAMES, links,
    )  # fmt: skip


def _bare_chance(share: float) -> str:
    return chance(share, short=True).removesuffix("%")


def _map(
    rows: pd.DataFrame,
    column: str,
    look: Callable[[float], str],
    write: Callable[[float], str],
    say: Callable[[float], str],
    title: str,
    caption: str,
    classes: tuple[str, ...],
    links: Mapping[str, str] | None,
) -> Drawing | None:
    found = rows[rows["location"].isin(GRID)]
    if found.empty:
        return None
    shapes: list[Shape] = []
    for r in found.to_dict("records"):
        code, value = str(r["location"]), float(r[column])
        known = np.isfinite(value)
        col, row = GRID[code]
        x, y = 2 + col * _TILE, 2 + row * _TILE
        tile = Shape(
            "g", {"class": "tile " + (look(value) if known else "unknown")}, "",
            (
                shape("rect", "box", x=x, y=y, width=_TILE - 3, height=_TILE - 3, rx=3),
                shape("text", "code", _SHORT.get(code, code), x=x + _TILE / 2 - 1.5, y=y + 22),
                shape("text", "value", write(value) if known else "–",
                      x=x + _TILE / 2 - 1.5, y=y + 45),
            ),
            f"{r['name']}: {say(value) if known else 'not known'}",
        )  # fmt: skip
        if links and code in links:
            # Not a stop of the keyboard: the table has the same links, in words.
            at = {"href": links[code], "tabindex": "-1", "class": "tile-link"}
            tile = Shape("a", at, "", (replace(tile, title=""),), tile.title)
        shapes.append(tile)
    bottom = 8 * _TILE + 8
    wide = (WIDTH - 4) / len(classes)
    for i, (name, kind) in enumerate(zip(classes, LOOKS)):
        x = 2 + i * wide
        shapes.append(
            Shape(
                "g",
                {"class": f"tile {kind}"},
                "",
                (
                    shape("rect", "box", x=x, y=bottom, width=wide - 2, height=14),
                    shape("text", "legend", name, x=x + wide / 2 - 1, y=bottom + 34),
                ),
            )
        )
    month = found["month"].iloc[0]
    return Drawing(
        title, _in_words(found, column, say), shapes,
        f"12 months to {month_name(np.datetime64(month, 'M'))} against the 12 months before. "
        f"{caption}",
        height=bottom + 42, key=f"map-{column}",
    )  # fmt: skip


def _in_words(found: pd.DataFrame, column: str, say: Callable[[float], str]) -> str:
    """The nation, and how many places lie on which side."""
    states = found[found["location"] != "US"][column].dropna()
    falls = states > 0.5 if column == "fall" else states < 0
    parts = []
    nation = found[found["location"] == "US"][column].dropna()
    if len(nation):
        parts.append(f"United States: {say(float(nation.iloc[0]))}")
    if len(states):
        parts.append(f"in {int(falls.sum())} of {len(states)} jurisdictions a fall is likelier")
    return f"{'; '.join(parts)}. Every value stands in the table of the forecast."
