"""Forecasts: joint sample paths, their tables and files."""

from odforecast.forecasts.forecast import Forecast as Forecast
from odforecast.forecasts.forecast import load_forecast as load_forecast
