"""The backtest: forecasts from every origin, scored on what became known."""

from odforecast.backtest.results import Results
from odforecast.backtest.run import Progress, plan, run_backtest
from odforecast.backtest.splits import Origin, pseudo_origins, publication_date, real_origins
from odforecast.backtest.truth import Truth
from odforecast.backtest.unit import Outcome, Unit, run_unit

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
