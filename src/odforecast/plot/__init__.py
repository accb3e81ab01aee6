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
    from odforecast.plot.calibration import coverage as coverage
    from odforecast.plot.calibration import pit as pit
    from odforecast.plot.calibration import reliability as reliability
    from odforecast.plot.comparison import pairwise as pairwise
    from odforecast.plot.comparison import skill as skill
    from odforecast.plot.county_map import map as map
    from odforecast.plot.fans import counts as counts
    from odforecast.plot.fans import fan as fan
    from odforecast.plot.fans import small_multiples as small_multiples
    from odforecast.plot.options import prevented as prevented
    from odforecast.plot.output import alt_text as alt_text
    from odforecast.plot.output import save as save
    from odforecast.plot.page import inline as inline
    from odforecast.plot.past import errors as errors
    from odforecast.plot.past import said_and_came as said_and_came
    from odforecast.plot.revisions import nowcast as nowcast
    from odforecast.plot.revisions import revision_triangle as revision_triangle
    from odforecast.plot.scenarios import averted as averted
    from odforecast.plot.scenarios import chances as chances
    from odforecast.plot.scenarios import overlay as overlay
    from odforecast.plot.style import sheet as sheet
    from odforecast.plot.tiles import tile_map as tile_map

#: Where each figure is drawn; imported when first asked for. No module has the name of a figure:
#: importing it would take the figure's place.
_HOME = {
    name: module
    for module, names in {
        "calibration": "coverage pit reliability",
        "comparison": "pairwise skill",
        "county_map": "map",
        "fans": "counts fan small_multiples",
        "options": "prevented",
        "output": "alt_text save",
        "page": "inline",
        "past": "errors said_and_came",
        "revisions": "nowcast revision_triangle",
        "scenarios": "averted chances overlay",
        "style": "sheet",
        "tiles": "tile_map",
    }.items()
    for name in names.split()
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast.plot' has no attribute {name!r}")
    value: object = getattr(import_module(f"odforecast.plot.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
