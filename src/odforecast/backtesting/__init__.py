"""The backtest: forecasts from every origin, scored on what became known."""

from odforecast.backtesting.bar import Progress
from odforecast.backtesting.origin import Origin, cuts, origins
from odforecast.backtesting.results import Results
from odforecast.backtesting.run import (
    DEFAULT_MODELS,
    backtest,
    default_models,
    plan,
    run_units,
)
from odforecast.backtesting.unit import Outcome, Unit, run_block, run_unit

__all__ = [
    "DEFAULT_MODELS",
    "Origin",
    "Outcome",
    "Progress",
    "Results",
    "Unit",
    "backtest",
    "cuts",
    "default_models",
    "origins",
    "plan",
    "run_block",
    "run_unit",
    "run_units",
]
