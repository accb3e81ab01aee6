"""What a forecaster is, and the registry that finds them by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from odforecast.errors import UnknownNameError
from odforecast.forecast import Forecast
from odforecast.panel import Panel

ENTRY_POINT_GROUP = "odforecast.models"


@runtime_checkable
class Fitted(Protocol):
    """A fitted model: it can forecast, any number of times."""

    def forecast(self, horizon: int, draws: int, seed: int) -> Forecast:
        """Sample paths of the ``horizon`` months after the panel's last month.

        The same seed gives the same draws, bit for bit.
        """
        ...


@runtime_checkable
class Forecaster(Protocol):
    """All that is required of a model.

    Attributes
    ----------
    name : str
        Name in the registry and in every result row.
    version : str
        Changes whenever the model's numbers may change; stored results of another version
        are not reused.
    """

    name: str
    version: str

    def fit(self, panel: Panel) -> Fitted:
        """Fit to what was known: nothing but the panel may be used."""
        ...


ModelFactory = Callable[[], Forecaster]

#: Built-in models: name -> "module:attribute" of a factory, imported when first asked for.
_BUILTIN: dict[str, str] = {
    "hub-baseline": "odforecast.models.baselines:Baseline",
    "damped-trend": "odforecast.models.baselines:Baseline",
    "cdc-predicted": "odforecast.models.baselines:Predicted",
    **dict.fromkeys(
        (
            "naive",
            "drift",
            "seasonal-naive",
            "auto-ets",
            "auto-theta",
            "auto-arima",
            "auto-ces",
            "naive-sums",
            "drift-sums",
            "seasonal-naive-sums",
            "auto-ets-sums",
            "auto-theta-sums",
            "auto-arima-sums",
            "auto-ces-sums",
        ),
        "odforecast.models.classical:Classical",
    ),
    "dlm": "odforecast.models.statespace.model:Dlm",
    **dict.fromkeys(
        ("ensemble", "ensemble-equal", "ensemble-linear"),
        "odforecast.models.ensemble.model:Ensemble",
    ),
    "hierarchical": "odforecast.models.hierarchy.model:Hierarchical",
    "hierarchical-quick": "odforecast.models.hierarchy.model:Hierarchical",
}
#: Layers around any model: ``"NAME+delay"``.
_WRAPPERS = {"delay": "odforecast.models.delay.layer:Delayed"}
_REGISTERED: dict[str, ModelFactory] = {}


def register(name: str, factory: ModelFactory) -> None:
    """Register a model for this process.

    A package registers its models for everybody with an entry point in the group
    ``odforecast.models`` instead.

    Parameters
    ----------
    name : str
        Lower case, words joined by hyphens.
    factory : callable
        Takes nothing, returns a :class:`Forecaster`.
    """
    _REGISTERED[name] = factory


def model_names() -> tuple[str, ...]:
    """Names of all models: built in, registered, and plugged in through entry points."""
    plugged = (point.name for point in entry_points(group=ENTRY_POINT_GROUP))
    return tuple(dict.fromkeys([*_BUILTIN, *_REGISTERED, *plugged]))


def get_model(name: str) -> Forecaster:
    """Make a forecaster by name; ``"NAME+delay"`` wraps it in the reporting-delay layer.

    Parameters
    ----------
    name : str
        One of :func:`model_names`, alone or followed by ``+delay``.

    Raises
    ------
    UnknownNameError
        If no model has that name.

    Examples
    --------
    >>> get_model("drift").name
    'drift'
    """
    inner, plus, wrapper = name.rpartition("+")
    if plus and wrapper in _WRAPPERS:
        wrapped: Forecaster = _loaded(_WRAPPERS[wrapper])(get_model(inner))
        return wrapped
    if name in _REGISTERED:
        return _REGISTERED[name]()
    if name in _BUILTIN:
        found: Forecaster = _loaded(_BUILTIN[name])(name)
        return found
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            plugged: Forecaster = point.load()()
            return plugged
    raise UnknownNameError(f"unknown model {name!r}", hint=f"one of: {', '.join(model_names())}")


def _loaded(path: str) -> Callable[..., Forecaster]:
    """What a ``"module:attribute"`` path names."""
    module, _, attribute = path.partition(":")
    factory: Callable[..., Forecaster] = getattr(import_module(module), attribute)
    return factory
