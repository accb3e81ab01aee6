"""Forecast US drug-overdose deaths from CDC's provisional counts.

Every forecast is made from the data as it was known that day, and scored against a named
truth. The whole public API is on this screen; everything is imported when first used, so
``import odforecast`` costs next to nothing.

The function that runs a backtest is ``run_backtest``: the name ``backtest`` belongs to the
subpackage.

Examples
--------
>>> import odforecast as od
>>> archive = od.bundled()
>>> panel = od.Panel.from_archive(archive, as_of="2025-09-17", locations=["US"])
>>> forecast = od.get_model("drift").fit(panel).forecast(horizon=12, draws=1000, seed=1)
>>> forecast.quantiles([0.05, 0.5, 0.95]).shape
(3, 1, 12)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from odforecast.errors import OdforecastError

if TYPE_CHECKING:
    from odforecast.backtesting import Results, Truth, pseudo_origins, real_origins, run_backtest
    from odforecast.forecast import Forecast
    from odforecast.hub import read_hub, to_hub, write_hub
    from odforecast.models.registry import Fitted, Forecaster, get_model, model_names, register
    from odforecast.panel import Panel
    from odforecast.scenario import Projection, Scenario, project
    from odforecast.scoring import relative_skill, score_units, weighted_interval_score
    from odforecast.sources.vsrr import read_vsrr
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import bundled

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "Fitted",
    "Forecast",
    "Forecaster",
    "OdforecastError",
    "Panel",
    "Projection",
    "Results",
    "Scenario",
    "Truth",
    "bundled",
    "get_model",
    "model_names",
    "project",
    "pseudo_origins",
    "read_hub",
    "read_vsrr",
    "real_origins",
    "register",
    "relative_skill",
    "run_backtest",
    "score_units",
    "to_hub",
    "weighted_interval_score",
    "write_hub",
]

#: Where each public name lives; imported when first asked for.
_HOME = {
    "Archive": "odforecast.vintage.archive",
    "Fitted": "odforecast.models.registry",
    "Forecast": "odforecast.forecast",
    "Forecaster": "odforecast.models.registry",
    "Panel": "odforecast.panel",
    "Projection": "odforecast.scenario",
    "Results": "odforecast.backtesting",
    "Scenario": "odforecast.scenario",
    "Truth": "odforecast.backtesting",
    "bundled": "odforecast.vintage.bundle",
    "get_model": "odforecast.models.registry",
    "model_names": "odforecast.models.registry",
    "project": "odforecast.scenario",
    "pseudo_origins": "odforecast.backtesting",
    "read_hub": "odforecast.hub",
    "read_vsrr": "odforecast.sources.vsrr",
    "real_origins": "odforecast.backtesting",
    "register": "odforecast.models.registry",
    "relative_skill": "odforecast.scoring",
    "run_backtest": "odforecast.backtesting",
    "score_units": "odforecast.scoring",
    "to_hub": "odforecast.hub",
    "weighted_interval_score": "odforecast.scoring",
    "write_hub": "odforecast.hub",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
