"""``@od.forecaster``: a model from one function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from odforecast.errors import ForecastError, one_of, whole
from odforecast.forecasts import Forecast
from odforecast.geography import find
from odforecast.models.content import origin_of
from odforecast.models.model import LABEL, Model
from odforecast.models.paths import usable_locations
from odforecast.models.spec import MIN_MONTHS, WAYS, Spec, as_parameters
from odforecast.names import LOCATION, MONTH, TARGET_MONTH, TARGETS
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Axes that draws can be joint over.
_AXES = (LOCATION, MONTH)
#: What a function is called with.
_ARGUMENTS = ("panel", "horizon", "draws", "rng")

#: Takes (panel, horizon, draws, rng), returns paths of shape (draws, locations, horizon).
Function = Callable[[Panel, int, int, np.random.Generator], Floats]


def forecaster(
    by: str | None = "location",
    joint: str | Collection[str] = (MONTH,),
    target: str = TARGET_MONTH,
    min_months: int = MIN_MONTHS,
    corrects_delay: bool = False,
    label: str | None = None,
) -> Callable[[Function], Model]:
    """Make a model from a function.

    Parameters
    ----------
    by : {"location", "state", None}
        The function receives one place at a time, the places of one state, or the whole panel.
    joint : str or collection of str
        Axes over which its paths may be added: ``"month"``, ``"location"``. Paths of single months
        must be joint over months.
    target : {"deaths_month", "deaths_12mo"}
    min_months : int
        Months a location needs; others are skipped with the reason.
    corrects_delay : bool
        Whether it completes the last months itself.
    label : str, optional
        Default: the function's name.

    Returns
    -------
    callable
        Decorator. The function takes ``(panel, horizon, draws, rng)`` and returns nonnegative
        deaths as an array (draws, locations, horizon).

    Raises
    ------
    ForecastError
        If an option is invalid, or the decorated object is not a function of these four.

    Examples
    --------
    >>> import odforecast as od
    >>> @od.forecaster(by="location", joint=("month",))
    ... def last_year(panel, horizon, draws, rng):
    ...     mean = panel.reported[:, -1] / 12
    ...     return rng.poisson(mean[None, :, None], (draws, 1, horizon)).astype(float)
    >>> panel = od.bundled().as_of().panel().select("Ohio")
    >>> last_year.fit(panel).forecast(draws=10).draws.shape
    (10, 1, 12)
    """
    if callable(by):
        raise ForecastError(
            "by is a function", hint="write @od.forecaster(), with parentheses"
        )
    if by not in WAYS:
        raise ForecastError(
            f"by is {by!r}, unknown",
            hint=one_of(by, ("location", "state")) + ", or None",
        )
    if target not in TARGETS:
        raise ForecastError(
            f"target is {target!r}, unknown", hint=one_of(target, TARGETS)
        )
    axes = _axes(joint, target)
    min_months = whole("min_months", min_months, least=1)

    def decorate(function: Function) -> Model:
        _check(function, label)
        # One made within another function may hold values that nobody sees: it is never reused.
        local = "<" in function.__qualname__
        origin = "" if local else origin_of(function.__module__)
        spec = Spec(
            model=function.__name__,
            version=origin.partition("==")[2] or "unknown",
            by=by,
            target=target,
            joint=axes,
            min_months=min_months,
            corrects_delay=corrects_delay,
            parameters=as_parameters(),
            origin=origin,
        )
        reference = None if local else (function.__module__, function.__qualname__)
        name = function.__name__ if label is None else label
        return Model(_Function(function, spec), name, reference=reference)

    return decorate


def is_function(model: Model) -> bool:
    """Whether a model was made of one function, by :func:`forecaster`."""
    return isinstance(model.inner, _Function)


def _axes(joint: object, target: str) -> frozenset[str]:
    """Axes that are declared; one may be given as it is, without a list."""
    axes = (joint,) if isinstance(joint, str) else joint
    if not isinstance(axes, Collection) or not all(
        isinstance(axis, str) for axis in axes
    ):
        raise ForecastError(
            f"joint is {joint!r}, allowed: axes out of 'location' and 'month'",
            hint="joint=('month',), or joint=() for 12-month counts that are joint over nothing",
        )
    for axis in axes:
        if axis not in _AXES:
            raise ForecastError(
                f"joint has an unknown axis {axis!r}", hint=one_of(axis, _AXES)
            )
    if target == TARGET_MONTH and MONTH not in axes:
        raise ForecastError(
            f"joint is {joint!r} and the paths are of months: months that are not joint cannot be "
            "added to 12-month counts",
            hint="joint=('month',), or target='deaths_12mo' for paths of 12-month counts",
        )
    return frozenset(axes)


def _check(function: object, label: str | None) -> None:
    """Refuse what is not a named function of four arguments."""
    arguments = ", ".join(_ARGUMENTS)
    name = getattr(function, "__name__", "")
    if not callable(function) or not name or not hasattr(function, "__qualname__"):
        raise ForecastError(
            f"@od.forecaster was put on a {type(function).__name__}, allowed: a function of "
            f"({arguments})",
            hint="write one with def",
        )
    if label is None and not LABEL.fullmatch(name):
        raise ForecastError(
            f"the function is called {name}, which is not a valid label",
            hint="use def, or give @od.forecaster(label=...)",
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some that are compiled nobody can say
        return
    try:
        signature.bind(*_ARGUMENTS)
    except TypeError as error:
        raise ForecastError(
            f"{name}{signature} cannot be called with ({arguments}): {error}",
            hint=f"def {name if name.isidentifier() else 'name'}({arguments})",
        ) from None


@dataclass(frozen=True, eq=False)
class _Function:
    function: Function
    spec: Spec

    def __post_init__(self) -> None:
        # Its first line is what lists of models say.
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def fit(self, panel: Panel) -> _Fitted:
        states, skipped = usable_locations(
            panel, self.spec.model, min_months=self.spec.min_months
        )
        return _Fitted(self, panel, locations=tuple(states), skipped=skipped)


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class _Fitted:
    model: _Function
    panel: Panel
    locations: tuple[str, ...]
    skipped: dict[str, str]

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        # The random numbers of each group of places, and which they are.
        groups: dict[tuple[str, str], list[int]] = {}
        by = self.model.spec.by
        for i, place in enumerate(self.locations):
            if by is None:
                key = ("model", "")
            elif by == "state":
                key = (by, find(place).state)
            else:
                key = (by, place)
            groups.setdefault(key, []).append(i)
        spec = self.model.spec
        paths = np.empty((draws, len(self.locations), horizon))
        for key, rows in groups.items():
            panel = self.panel.select([self.locations[i] for i in rows])
            paths[:, rows] = self._call(
                panel, horizon, draws=draws, rng=streams.generator(*key)
            )
        return Forecast.from_panel(
            self.panel,
            paths,
            locations=self.locations,
            target=spec.target,
            joint=spec.joint,
            skipped=self.skipped,
        )

    def _call(
        self, panel: Panel, horizon: int, draws: int, rng: np.random.Generator
    ) -> Floats:
        """What the function returned, as numbers of the shape asked for; else refused."""
        result: object = self.model.function(panel, horizon, draws, rng)
        fault = f"a {type(result).__name__}"
        expected: object = "an array of numbers"
        paths = None
        try:
            array = np.asarray(result)
            fault = f"an array of {array.dtype}"
            is_text = array.dtype.kind == "O" and any(
                isinstance(x, str | bytes) for x in array.flat
            )
            if array.dtype.kind in "biufO" and not is_text:
                paths = array.astype(float)
        except (TypeError, ValueError):
            pass
        if paths is not None:
            expected = (draws, len(panel.locations), horizon)
            if paths.shape == expected:
                return paths
            fault = f"an array of shape {paths.shape}"
        raise ForecastError(
            f"{self.model.spec.model} returned {fault}, expected {expected}",
            hint="the model is at fault",
        )
