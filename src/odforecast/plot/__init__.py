"""Every figure of the library, in one style.

Each function draws on the axes that it is given, or on a figure of its own, and returns the axes;
none touches pyplot's state. It takes an object of this library or that object's tidy table.
:func:`alt_text` says in a sentence what was drawn, with its numbers; :func:`save` writes it as
PNG, SVG or PDF, the same bytes for the same numbers. matplotlib is loaded when the first figure
is drawn, not before. An unknown place, model or kind is an UnknownNameError; a missing column, or
nothing to draw, a DataError.

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

# No module has the name of a figure: importing it would take the figure's place.
from odforecast.plot.files import alt_text, inline, save
from odforecast.plot.maps import map, tile_map
from odforecast.plot.scenarios import averted, chances, overlay, prevented
from odforecast.plot.scores import coverage, errors, pit, said_and_came, skill
from odforecast.plot.series import counts, fan, nowcast, revision_triangle, small_multiples
from odforecast.plot.style import sheet

__all__ = [
    "alt_text",
    "averted",
    "chances",
    "counts",
    "coverage",
    "errors",
    "fan",
    "inline",
    "map",
    "nowcast",
    "overlay",
    "pit",
    "prevented",
    "revision_triangle",
    "said_and_came",
    "save",
    "sheet",
    "skill",
    "small_multiples",
    "tile_map",
]
