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

from odforecast.errors import OdforecastError as OdforecastError
from odforecast.io import find_room
from odforecast.version import __version__ as __version__

if TYPE_CHECKING:
    from odforecast import evidence as evidence
    from odforecast import geography as geography
    from odforecast import hub as hub
    from odforecast import models as models
    from odforecast import plot as plot
    from odforecast import scenario as scenario
    from odforecast import scoring as scoring
    from odforecast import testing as testing
    from odforecast.backtesting import Results as Results
    from odforecast.backtesting import Task as Task
    from odforecast.backtesting import backtest as backtest
    from odforecast.backtesting import leaderboard as leaderboard
    from odforecast.backtesting import origins as origins
    from odforecast.forecasts import Forecast as Forecast
    from odforecast.forecasts import load_forecast as load_forecast
    from odforecast.hub import read_hub as read_hub
    from odforecast.hub import to_hub as to_hub
    from odforecast.hub import write_hub as write_hub
    from odforecast.models import forecaster as forecaster
    from odforecast.models import get_model as get_model
    from odforecast.models import register as register
    from odforecast.panel import Panel as Panel
    from odforecast.quick import forecast as forecast
    from odforecast.scenario import Projection as Projection
    from odforecast.scenario import Scenario as Scenario
    from odforecast.scenario import project as project
    from odforecast.scoring import Truth as Truth
    from odforecast.scoring import score as score
    from odforecast.updating import update as update
    from odforecast.vintage import Archive as Archive
    from odforecast.vintage import Vintage as Vintage
    from odforecast.vintage import archive as archive
    from odforecast.vintage import bundled as bundled
    from odforecast.vintage import read as read

#: Public names by the package they live in; imported when first asked for.
_NAMES = {
    "backtesting": ("Results", "Task", "backtest", "leaderboard", "origins"),
    "forecasts": ("Forecast", "load_forecast"),
    "hub": ("read_hub", "to_hub", "write_hub"),
    "models": ("forecaster", "get_model", "register"),
    "panel": ("Panel",),
    "quick": ("forecast",),
    "scenario": ("Projection", "Scenario", "project"),
    "scoring": ("Truth", "score"),
    "updating": ("update",),
    "vintage": ("Archive", "Vintage", "archive", "bundled", "read"),
}
#: Packages that are public themselves.
_PACKAGES = (
    "evidence",
    "geography",
    "hub",
    "models",
    "plot",
    "scenario",
    "scoring",
    "testing",
)
#: Each public name and its home; a bare package is itself.
_HOME = {name: f"odforecast.{home}" for home, names in _NAMES.items() for name in names}
_HOME |= dict.fromkeys(_PACKAGES, "")
__all__ = sorted(["OdforecastError", *_HOME])


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast' has no attribute {name!r}")
    home = _HOME[name]
    value = (
        getattr(import_module(home), name)
        if home
        else import_module(f"odforecast.{name}")
    )
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Before anything is compiled, here and in worker processes.
find_room()
