"""A forecaster of another library as one of ours: which series it gets, and what comes of it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from odforecast.errors import ForecastError, PanelError, one_of, whole
from odforecast.forecast import Forecast
from odforecast.models.adapters.identity import Identity, title
from odforecast.models.adapters.marginals import Marginals
from odforecast.models.adapters.past_errors import LENGTH, NEEDED, PastErrors, past_errors
from odforecast.models.innovations import Paths
from odforecast.models.model import Model
from odforecast.models.paths import (
    floor_at_zero,
    require_some,
    said,
    trailing_months,
    usable_locations,
)
from odforecast.models.spec import MIN_MONTHS, Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import MONTH, STATES, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams, seed_from

#: What a forecaster is fitted to.
ON = ("months", "sums")
#: Where the paths of a model come from that has them: its own equations.
FROM_MODEL = "model"
#: From errors of its own earlier forecasts.
FROM_ERRORS = "errors"
#: From its quantiles of each month: joint over nothing.
FROM_QUANTILES = "quantiles"
#: Earlier fits, where nothing else is asked for.
WINDOWS = 12


class FittedSeries(Protocol):
    """A forecaster fitted to one series, on the scale of the fit."""

    def mean(self, horizon: int) -> Floats:
        """Point forecasts, shape (H,)."""
        ...

    def quantiles(self, horizon: int) -> Floats:
        """Quantiles at :data:`odforecast.models.adapters.marginals.LEVELS`, shape (16, H)."""
        ...

    def paths(self) -> Paths:
        """What draws its own paths."""
        ...


class Library(Protocol):
    """A forecaster of another library, not fitted; fitting changes nothing in it."""

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> FittedSeries:
        """Fit a copy to a series whose first month is ``first``."""
        ...


@contextmanager
def steadied(seed: int) -> Iterator[None]:
    """Foreign code runs with the process's random numbers at a given start, and leaves no trace.

    What libraries say of their own coming versions is not shown.
    """
    state, other = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning, PendingDeprecationWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        random.setstate(other)


def adapted(
    library: Library,
    item: object,
    *,
    on: str,
    name: str | None,
    paths: str,
    log: bool,
    windows: int,
    beside: str,
) -> Model:
    """A model made of a forecaster of another library.

    Parameters
    ----------
    library : Library
    item : object
        The forecaster itself: its class, parameters and distribution are the model's identity.
    on, name, paths, log, windows
        As the public functions take them.
    beside : str
        Distribution and version of what the adapter itself calls.

    Raises
    ------
    ForecastError
        If a setting is none of those allowed, or asks for sums of months that are not joint.
    """
    if on not in ON:
        raise ForecastError(f"on is {on!r}, unknown", hint=one_of(on, ON))
    windows = whole("windows", windows, 4)
    if not isinstance(log, bool):
        raise ForecastError(f"log is {log!r}, allowed: True or False")
    label = title(item) + ("-sums" if on == "sums" else "") if name is None else name
    if paths == FROM_QUANTILES and on == "months":
        raise ForecastError(
            f"{label} cannot be used on months with paths='quantiles': its quantiles are of each "
            "month by itself, and months that are not joint cannot be added to 12-month counts",
            hint="use on='sums', or paths='errors', which are joint over months",
        )
    found = Identity(item)
    settings = {"class": found.name, "on": on, "paths": paths, "log": str(log)}
    if paths == FROM_ERRORS:
        settings["windows"] = str(windows)
    settings |= {f"{type(item).__name__}.{k}": v for k, v in found.parameters.items()}
    needed = NEEDED + 3 if paths == FROM_ERRORS else MIN_MONTHS
    spec = Spec(
        model=label,
        version="2",
        by="location",
        target=TARGET_12MO if on == "sums" else TARGET_MONTH,
        joint=frozenset() if paths == FROM_QUANTILES else frozenset({MONTH}),
        min_months=needed + (LENGTH if on == "sums" and paths == FROM_ERRORS else 0),
        parameters=tuple(sorted(settings.items())),
        origin=", ".join(dict.fromkeys([beside, *found.origin.split(", ")]))
        if found.origin
        else "",
        dataset=STATES,
    )
    return Model(Foreign(library, spec, paths, log, windows), label)


@dataclass(frozen=True, eq=False)
class Foreign:
    """A forecaster of another library, fitted to one place at a time.

    Attributes
    ----------
    library : Library
    spec : Spec
    paths : str
        Where paths come from: the model, its past errors, or its quantiles.
    log : bool
        Whether it is fitted to log(1 + deaths).
    windows : int
        Earlier fits at most, where paths come from past errors.
    """

    library: Library
    spec: Spec
    paths: str
    log: bool
    windows: int

    def fit(self, panel: Panel) -> FittedForeign:
        """Fit every usable location of a panel.

        Raises
        ------
        PanelError
            If no location can be used.
        """
        states, skipped = usable_locations(panel, self.spec.model, self.spec.min_months)
        series: dict[str, Paths] = {}
        for state in states:
            months = trailing_months(panel, state)
            deaths = rolling_sums(months) if self.spec.target == TARGET_12MO else months
            # The library's own numbers hang on what is forecast, and never on the counts.
            seed = seed_from("foreign", panel.dataset, panel.indicator, panel.last_month, state)
            try:
                series[state] = self._paths(deaths, panel.last_month, seed)
            except MemoryError:
                raise
            except Exception as error:
                # Whatever another library raises, one series must not end the others.
                skipped[state] = f"{self.spec.model} could not be fitted: {said(error)}"
        require_some(list(series), skipped, panel, self.spec.model)
        return FittedForeign(self.spec, panel, series, skipped, self.log)

    def _paths(self, deaths: Floats, last: np.datetime64, seed: int) -> Paths:
        y = np.log1p(np.maximum(deaths, 0.0)) if self.log else deaths.copy()
        # Months that are recovered from constant sums are so to rounding.
        if np.ptp(y) <= 1e-9 * np.abs(y).max():
            raise PanelError("the series never changes, so it shows no spread")
        first = last - (y.size - 1) * ONE_MONTH

        def earlier(start: Floats) -> Floats:
            return self.library.fit(start, first, seed).mean(LENGTH)

        fitted = self.library.fit(y, first, seed)
        if self.paths == FROM_MODEL:
            return fitted.paths()
        if self.paths == FROM_QUANTILES:
            return Marginals(fitted.quantiles)
        return PastErrors(fitted.mean, past_errors(y, earlier, self.windows))


@dataclass(frozen=True, eq=False)
class FittedForeign:
    """A forecaster of another library fitted to the locations of a panel.

    Attributes
    ----------
    spec : Spec
    panel : Panel
    series : mapping of str to Paths
        What draws, by location.
    skipped : mapping of str to str
        Locations left out, and why.
    log : bool
        Whether draws are of log(1 + deaths).
    """

    spec: Spec
    panel: Panel
    series: Mapping[str, Paths]
    skipped: Mapping[str, str]
    log: bool

    def __repr__(self) -> str:
        n, last = len(self.series), self.panel.last_month
        return f"<Fitted {self.spec.model}: {n} locations to {last}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`.

        Raises
        ------
        PanelError
            If no location can be forecast.
        """
        skipped, states, paths = dict(self.skipped), [], []
        for state, fitted in self.series.items():
            rng = streams.generator("location", state)
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    drawn = fitted.draw(horizon, draws, rng)
                    drawn = np.expm1(drawn) if self.log else drawn
            except MemoryError:
                raise
            except Exception as error:
                skipped[state] = f"{self.spec.model} could not forecast: {said(error)}"
                continue
            if np.isfinite(drawn).all():
                states.append(state)
                paths.append(drawn)
            else:
                skipped[state] = (
                    f"draws of {self.spec.model} are not finite within {horizon} months"
                )
        require_some(states, skipped, self.panel, self.spec.model)
        what = "12-month sums" if self.spec.target == TARGET_12MO else "months"
        out, warned = floor_at_zero(np.stack(paths, axis=1), states, what)
        return Forecast.from_panel(
            self.panel,
            out,
            states,
            joint=self.spec.joint,
            target=self.spec.target,
            skipped=skipped,
            warnings=warned,
        )


def point(values: Any, horizon: int) -> Floats:
    """Point forecasts as an array of the right length.

    Raises
    ------
    PanelError
        If they are not as many as asked for.
    """
    made = np.asarray(values, dtype=float).ravel()
    if made.size != horizon:
        raise PanelError(f"{made.size} point forecasts, asked for {horizon}")
    return made
