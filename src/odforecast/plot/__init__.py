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

# No module has the name of a figure: importing it would take the figure's place. A new figure is
# listed in the ``__all__`` of its module.
from odforecast.plot import files, maps, scenarios, scores, series, style
from odforecast.plot.files import *  # noqa: F403
from odforecast.plot.maps import *  # noqa: F403
from odforecast.plot.scenarios import *  # noqa: F403
from odforecast.plot.scores import *  # noqa: F403
from odforecast.plot.series import *  # noqa: F403
from odforecast.plot.style import *  # noqa: F403

__all__ = sorted(
    files.__all__
    + maps.__all__
    + scenarios.__all__
    + scores.__all__
    + series.__all__
    + style.__all__
)
