"""Models of other libraries, one series at a time: StatsForecast and sktime."""

from odforecast.models.adapters.sktime import from_sktime
from odforecast.models.adapters.statsforecast import from_statsforecast

__all__ = ["from_sktime", "from_statsforecast"]
