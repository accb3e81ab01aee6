"""The backtest: forecasts from every origin, scored on what became known."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odforecast.backtesting.board import Board as Board
    from odforecast.backtesting.board import leaderboard as leaderboard
    from odforecast.backtesting.origin import Origin as Origin
    from odforecast.backtesting.origin import cuts as cuts
    from odforecast.backtesting.origin import origins as origins
    from odforecast.backtesting.planning import DEFAULT_MODELS as DEFAULT_MODELS
    from odforecast.backtesting.planning import default_models as default_models
    from odforecast.backtesting.planning import plan as plan
    from odforecast.backtesting.results import Results as Results
    from odforecast.backtesting.run import Progress as Progress
    from odforecast.backtesting.run import backtest as backtest
    from odforecast.backtesting.run import run_units as run_units
    from odforecast.backtesting.task import Task as Task
    from odforecast.backtesting.unit import Outcome as Outcome
    from odforecast.backtesting.unit import Unit as Unit
    from odforecast.backtesting.unit import run_unit as run_unit
    from odforecast.backtesting.workers import Workers as Workers

#: Public names by module; imported when first asked for: a worker process needs few of them.
_NAMES = {
    "board": ("Board", "leaderboard"),
    "origin": ("Origin", "cuts", "origins"),
    "planning": ("DEFAULT_MODELS", "default_models", "plan"),
    "results": ("Results",),
    "run": ("Progress", "backtest", "run_units"),
    "task": ("Task",),
    "unit": ("Outcome", "Unit", "run_unit"),
    "workers": ("Workers",),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'odforecast.backtesting' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
