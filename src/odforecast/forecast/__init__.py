"""Joint sample paths: the forecast, its file, and several made one."""

from odforecast.forecast.forecast import Forecast, load_forecast

__all__ = ["Forecast", "load_forecast"]
