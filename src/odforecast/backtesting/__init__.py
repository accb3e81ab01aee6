"""The backtest: forecasts from every origin, scored on what became known."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odforecast.backtesting.board import Board, leaderboard
    from odforecast.backtesting.call import backtest
    from odforecast.backtesting.origin import Origin, cuts, origins
    from odforecast.backtesting.planning import DEFAULT_MODELS, default_models, plan
    from odforecast.backtesting.results import Results
    from odforecast.backtesting.run import Progress, run_units
    from odforecast.backtesting.task import Task
    from odforecast.backtesting.unit import Outcome, Unit, run_unit
    from odforecast.backtesting.workers import Workers

__all__ = [
    "DEFAULT_MODELS",
    "Board",
    "Origin",
    "Outcome",
    "Progress",
    "Results",
    "Task",
    "Unit",
    "Workers",
    "backtest",
    "cuts",
    "default_models",
    "leaderboard",
    "origins",
    "plan",
    "run_unit",
    "run_units",
]

#: Public names by module; imported when first asked for: a worker process needs few of them.
_HOME = {
    "DEFAULT_MODELS": "planning",
    "Board": "board",
    "Origin": "origin",
    "Outcome": "unit",
    "Progress": "run",
    "Results": "results",
    "Task": "task",
    "Unit": "unit",
    "Workers": "workers",
    "backtest": "call",
    "cuts": "origin",
    "default_models": "planning",
    "leaderboard": "board",
    "origins": "origin",
    "plan": "planning",
    "run_unit": "unit",
    "run_units": "run",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(
            f"module 'odforecast.backtesting' has no attribute {name!r}"
        )
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
