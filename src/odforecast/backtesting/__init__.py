"""The backtest: forecasts from every origin, scored on what became known."""

from odforecast.backtesting.results import Results
from odforecast.backtesting.run import Progress, plan, run_backtest
from odforecast.backtesting.splits import Origin, pseudo_origins, publication_date, real_origins
from odforecast.backtesting.unit import Outcome, Unit, run_unit
from odforecast.scoring.truth import Truth

__all__ = [
    "Origin",
    "Outcome",
    "Progress",
    "Results",
    "Truth",
    "Unit",
    "plan",
    "pseudo_origins",
    "publication_date",
    "real_origins",
    "run_backtest",
    "run_unit",
]
