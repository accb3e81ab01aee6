"""Forecast US drug-overdose deaths from CDC's provisional counts.

Every forecast is made from the data as it was known that day, and scored against a named
truth. The whole public API is on this screen; everything is imported when first used, so
``import odforecast`` costs next to nothing.

Examples
--------
>>> import odforecast as od
>>> fitted = od.get_model().fit(od.archive().as_of().panel())
>>> forecast = fitted.forecast(draws=200)
>>> forecast.select("Ohio").quantiles([0.05, 0.5, 0.95]).shape
(3, 1, 24)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from odforecast.errors import OdforecastError
from odforecast.io import find_room
from odforecast.version import __version__ as __version__

if TYPE_CHECKING:
    import odforecast.evidence as evidence
    import odforecast.hub as hub
    import odforecast.models as models
    import odforecast.plot as plot
    import odforecast.scenario as scenario
    import odforecast.scoring as scoring
    import odforecast.testing as testing
    from odforecast.backtesting import Results, Task, backtest, leaderboard, origins
    from odforecast.forecast import Forecast, load_forecast
    from odforecast.hub import read_hub, to_hub, write_hub
    from odforecast.models import forecaster, get_model, register
    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario, project
    from odforecast.scoring import Truth, score
    from odforecast.updating import update
    from odforecast.vintage import Archive, Vintage, archive, bundled, read

#: Each public name and where it lives; imported when first asked for. A bare module is itself.
_HOME = {
    "Archive": "odforecast.vintage",
    "Forecast": "odforecast.forecast",
    "Panel": "odforecast.panel",
    "Projection": "odforecast.scenario",
    "Results": "odforecast.backtesting",
    "Scenario": "odforecast.scenario",
    "Task": "odforecast.backtesting",
    "Truth": "odforecast.scoring",
    "Vintage": "odforecast.vintage",
    "archive": "odforecast.vintage",
    "backtest": "odforecast.backtesting",
    "bundled": "odforecast.vintage",
    "evidence": "",
    "forecaster": "odforecast.models",
    "get_model": "odforecast.models",
    "hub": "",
    "leaderboard": "odforecast.backtesting",
    "load_forecast": "odforecast.forecast",
    "models": "",
    "origins": "odforecast.backtesting",
    "plot": "",
    "project": "odforecast.scenario",
    "read": "odforecast.vintage",
    "read_hub": "odforecast.hub",
    "register": "odforecast.models",
    "scenario": "",
    "score": "odforecast.scoring",
    "scoring": "",
    "testing": "",
    "to_hub": "odforecast.hub",
    "update": "odforecast.updating",
    "write_hub": "odforecast.hub",
}

__all__ = [
    "Archive",
    "Forecast",
    "OdforecastError",
    "Panel",
    "Projection",
    "Results",
    "Scenario",
    "Task",
    "Truth",
    "Vintage",
    "archive",
    "backtest",
    "bundled",
    "evidence",
    "forecaster",
    "get_model",
    "hub",
    "leaderboard",
    "load_forecast",
    "models",
    "origins",
    "plot",
    "project",
    "read",
    "read_hub",
    "register",
    "scenario",
    "score",
    "scoring",
    "testing",
    "to_hub",
    "update",
    "write_hub",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast' has no attribute {name!r}")
    home = _HOME[name]
    value: object = (
        getattr(import_module(home), name) if home else import_module(f"odforecast.{name}")
    )
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Before anything is compiled, here and in worker processes.
find_room()
