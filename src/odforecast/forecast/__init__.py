"""Joint sample paths: the forecast, its file, and several made one."""

from odforecast.forecast.file import load_forecast
from odforecast.forecast.forecast import Forecast

__all__ = ["Forecast", "load_forecast"]
