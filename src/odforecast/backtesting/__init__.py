"""The backtest: forecasts from every origin, scored on what became known."""

from odforecast.backtesting.board import Board, leaderboard
from odforecast.backtesting.origin import Origin, cuts, origins
from odforecast.backtesting.planning import DEFAULT_MODELS, default_models, plan
from odforecast.backtesting.results import Results
from odforecast.backtesting.run import Progress, backtest, run_units
from odforecast.backtesting.task import Task
from odforecast.backtesting.unit import Outcome, Unit, run_block, run_unit
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
    "run_block",
    "run_unit",
    "run_units",
]
