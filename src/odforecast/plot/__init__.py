"""Every figure of the library, in one style.

Each function draws on the axes that it is given, or on a figure of its own, and returns the axes;
none touches pyplot's state. It takes an object of this library or that object's tidy table.
:func:`alt_text` says in a sentence what was drawn, with its numbers; :func:`save` writes it as
PNG, SVG or PDF, the same bytes for the same numbers. matplotlib is loaded when the first figure
is drawn, not before.

Examples
--------
>>> import odforecast as od
>>> panel = od.bundled().as_of().panel()
>>> forecast = od.get_model("drift").fit(panel).forecast(draws=100, seed=1)
>>> axes = od.plot.fan(forecast, "Ohio")
>>> print(od.plot.alt_text(axes))
Drug overdose deaths in Ohio, 12 months ending, as of January 14, 2026: 2,539 reported for
August 2025; forecast for August 2026 ..., 90% interval ... to ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odforecast.plot.calibration import coverage, pit, reliability
    from odforecast.plot.clock import chances
    from odforecast.plot.comparison import skill
    from odforecast.plot.county_map import map
    from odforecast.plot.deaths_averted import averted
    from odforecast.plot.fans import fan, small_multiples
    from odforecast.plot.options import prevented
    from odforecast.plot.output import alt_text, save
    from odforecast.plot.pairs import pairwise
    from odforecast.plot.past import errors, said_and_came
    from odforecast.plot.published import counts
    from odforecast.plot.revised import nowcast
    from odforecast.plot.scenarios import overlay
    from odforecast.plot.tiles import tile_map
    from odforecast.plot.triangle import revision_triangle

#: Each figure and where it is drawn; imported when first asked for. No module has the name of a
#: figure: importing it would take the figure's place.
_HOME = {
    "alt_text": "output",
    "averted": "deaths_averted",
    "chances": "clock",
    "counts": "published",
    "coverage": "calibration",
    "errors": "past",
    "fan": "fans",
    "map": "county_map",
    "nowcast": "revised",
    "overlay": "scenarios",
    "pairwise": "pairs",
    "pit": "calibration",
    "prevented": "options",
    "reliability": "calibration",
    "revision_triangle": "triangle",
    "said_and_came": "past",
    "save": "output",
    "skill": "comparison",
    "small_multiples": "fans",
    "tile_map": "tiles",
}

__all__ = [
    "alt_text",
    "averted",
    "chances",
    "counts",
    "coverage",
    "errors",
    "fan",
    "map",
    "nowcast",
    "overlay",
    "pairwise",
    "pit",
    "prevented",
    "reliability",
    "revision_triangle",
    "said_and_came",
    "save",
    "skill",
    "small_multiples",
    "tile_map",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast.plot' has no attribute {name!r}")
    value: object = getattr(import_module(f"odforecast.plot.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
