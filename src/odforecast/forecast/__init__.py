"""Forecasts: joint sample paths, their tables and files; ``od.forecast("Ohio")`` makes one."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from odforecast.forecast.forecast import Forecast as Forecast
from odforecast.forecast.forecast import load_forecast as load_forecast


class _Callable(ModuleType):
    """A package that can be called, as :func:`odforecast.quick.forecast`."""

    def __call__(self, *args: Any, **keywords: Any) -> Forecast:
        # Found by name: a forecast may not import the archive and the models above it.
        made: Forecast = import_module("odforecast.quick").forecast(*args, **keywords)
        return made


sys.modules[__name__].__class__ = _Callable
