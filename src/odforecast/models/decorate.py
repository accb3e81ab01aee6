"""``@od.forecaster``: a model from one function."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from odforecast.errors import ForecastError, one_of
from odforecast.forecast import Forecast
from odforecast.geography import find
from odforecast.models.content import Contents, distribution_of
from odforecast.models.model import Model
from odforecast.models.paths import usable_locations
from odforecast.models.spec import MIN_MONTHS, WAYS, Spec, as_parameters
from odforecast.names import MONTH, TARGET_MONTH, TARGETS
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Axes that draws can be joint over.
_AXES = ("location", "month")

#: Takes (panel, horizon, draws, rng), returns paths of shape (draws, locations, horizon).
Function = Callable[[Panel, int, int, np.random.Generator], Floats]


def forecaster(
    by: str | None = "location",
    joint: Collection[str] = (MONTH,),
    target: str = TARGET_MONTH,
    min_months: int = MIN_MONTHS,
    corrects_delay: bool = False,
    label: str | None = None,
) -> Callable[[Function], Model]:
    """Make a model of a function.

    Parameters
    ----------
    by : {"location", "state", None}
        ``"location"``: the function gets one place at a time, and its own random numbers.
        ``"state"``: the places of one state at a time (a jurisdiction is its own, and so is the
        nation). None: the whole panel at once.
    joint : collection of str
        Axes over which its paths are joint: ``"month"``, ``"location"``.
    target : {"deaths_month", "deaths_12mo"}
        What its paths are.
    min_months : int
        Months a location needs; others are skipped with the reason.
    corrects_delay : bool
        Whether it completes the last months itself.
    label : str, optional
        Default: the function's name.

    Returns
    -------
    callable
        Decorator. The function takes ``(panel, horizon, draws, rng)`` and returns an array
        (draws, locations of the panel, horizon), deaths, none below zero.

    Raises
    ------
    ForecastError
        If ``by``, ``joint`` or ``target`` is none of the above.

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
    if by not in WAYS:
        raise ForecastError(
            f"by is {by!r}, unknown", hint=one_of(by, ("location", "state")) + ", or None"
        )
    if wrong := [axis for axis in joint if axis not in _AXES]:
        raise ForecastError(f"joint has an unknown axis {wrong[0]!r}", hint=one_of(wrong[0], _AXES))
    if target not in TARGETS:
        raise ForecastError(f"target is {target!r}, unknown", hint=one_of(target, TARGETS))

    def decorate(function: Function) -> Model:
        contents = Contents()
        text = contents.function(function)
        spec = Spec(
            model=function.__name__,
            version=text or "unknown",
            by=by,
            target=target,
            joint=frozenset(joint),
            min_months=min_months,
            corrects_delay=corrects_delay,
            parameters=as_parameters(),
            # Where a value that it holds has no text, nothing is reused.
            origin="" if contents.unknown else distribution_of(function.__module__),
        )
        reference = None
        if "<locals>" not in function.__qualname__:
            reference = (function.__module__, function.__qualname__)
        return Model(_Function(function, spec), label or function.__name__, reference)

    return decorate


@dataclass(frozen=True, eq=False)
class _Function:
    function: Function
    spec: Spec

    def __post_init__(self) -> None:
        # Its first line is what lists of models say.
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def fit(self, panel: Panel) -> _Fitted:
        states, skipped = usable_locations(panel, self.spec.model, self.spec.min_months)
        return _Fitted(self.function, self.spec, panel, tuple(states), skipped)


@dataclass(frozen=True, eq=False)
class _Fitted:
    function: Function
    spec: Spec
    panel: Panel
    locations: tuple[str, ...]
    skipped: dict[str, str]

    def __repr__(self) -> str:
        n, last = len(self.locations), self.panel.last_month
        return f"<Fitted {self.spec.model}: {n} locations to {last}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        if self.spec.by is None:
            seen = self.panel.select(self.locations)
            paths = self._call(seen, horizon, draws, streams.generator("model"))
        elif self.spec.by == "state":
            paths = np.empty((draws, len(self.locations), horizon))
            states = np.array([find(s).state for s in self.locations])
            for state in dict.fromkeys(states.tolist()):
                rows = np.flatnonzero(states == state)
                seen = self.panel.select([self.locations[i] for i in rows])
                rng = streams.generator("state", state)
                paths[:, rows] = self._call(seen, horizon, draws, rng)
        else:
            paths = np.concatenate(
                [
                    self._call(
                        self.panel.select([s]), horizon, draws, streams.generator("location", s)
                    )
                    for s in self.locations
                ],
                axis=1,
            )
        return Forecast.from_panel(
            self.panel,
            paths,
            self.locations,
            target=self.spec.target,
            joint=self.spec.joint,
            skipped=self.skipped,
        )

    def _call(self, panel: Panel, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        paths = np.asarray(self.function(panel, horizon, draws, rng), dtype=float)
        expected = (draws, len(panel.locations), horizon)
        if paths.shape != expected:
            raise ForecastError(
                f"{self.spec.model} returned an array of shape {paths.shape}, expected {expected}",
                hint="the model is at fault",
            )
        return paths
