"""Joint sample paths: the forecast, its file, and several made one."""

from odforecast.forecast.forecast import Forecast
from odforecast.forecast.loading import load_forecast

__all__ = ["Forecast", "load_forecast"]
