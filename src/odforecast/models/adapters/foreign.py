"""A forecaster of another library as one of ours: which series it gets, and what comes of it."""

from __future__ import annotations

import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtri

from odforecast.errors import ForecastError, PanelError, one_of, whole
from odforecast.models.content import Contents
from odforecast.models.innovations import FittedSeries, Paths, fit_series
from odforecast.models.model import LABEL, Model
from odforecast.models.spec import MIN_MONTHS, Spec
from odforecast.months import ONE_MONTH
from odforecast.names import MONTH, STATES, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import seed_from

#: Longest label that is made of parameters.
_LONGEST = 60


def title(item: Any) -> str:
    """A label for an object: its class, and the parameters that are not as always."""
    name = type(item).__name__
    usual = inspect.signature(type(item).__init__).parameters
    given = [
        f"{k}={v!r}"
        for k, v in Contents().estimator(item).items()
        if k in usual and (type(v), repr(v)) != (type(usual[k].default), repr(usual[k].default))
    ]
    text = f"{name}({', '.join(given)})" if given else name
    if len(text) <= _LONGEST and LABEL.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "model"


#: Months of one path of errors.
LENGTH = 12
#: Months from one earlier fit to the next.
STEP = 3
#: Months that the earliest fit has at least.
LEAST = 24
#: Earlier fits that there must be.
FEWEST = 4
#: Months a series needs for that.
NEEDED = LEAST + LENGTH + STEP * (FEWEST - 1)


def cutoffs(n: int, windows: int) -> list[int]:
    """How many months each of the earlier fits has, the latest first."""
    return list(range(n - LENGTH, LEAST - 1, -STEP))[:windows]


def past_errors(y: Floats, forecast: Callable[[Floats], Floats], windows: int) -> Floats:
    """Errors of earlier forecasts, shape (windows, 12)."""
    # y (n,)
    ends = cutoffs(y.size, windows)
    if len(ends) < FEWEST:
        raise PanelError(
            f"only {y.size} values, and errors of {FEWEST} earlier forecasts of {LENGTH} months "
            f"need {NEEDED}"
        )
    errors = np.stack([y[end : end + LENGTH] - forecast(y[:end]) for end in ends])
    if not np.isfinite(errors).all():
        raise PanelError("a past point forecast is not a finite number")
    return errors


@dataclass(frozen=True, eq=False)
class PastErrors:
    """Paths: point forecasts, and errors as in the past."""

    mean: Callable[[int], Floats]  # Takes a horizon, returns point forecasts, shape (H,)
    errors: Floats  # (W, 12): Of earlier forecasts

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        count = len(self.errors)
        blocks: list[Floats] = []
        end = np.zeros((draws, 1))
        for _ in range(-(-horizon // LENGTH)):
            weights = rng.standard_normal((draws, count)) / np.sqrt(count)
            blocks.append(end + weights @ self.errors)
            end = blocks[-1][:, -1:]
        return self.mean(horizon) + np.concatenate(blocks, axis=1)[:, :horizon]


#: Levels of the central intervals that are asked for, in percent.
INTERVALS = (20, 40, 60, 80, 90, 95, 98, 99)
#: Their ends, as levels of quantiles.
LEVELS = (*((100 - i) / 200 for i in INTERVALS[::-1]), *((100 + i) / 200 for i in INTERVALS))


@dataclass(frozen=True, eq=False)
class Marginals:
    """Draws with given quantiles, of each month ahead by itself."""

    # Between the levels and beyond them, quantiles are straight lines over those of a standard
    # normal distribution: of normal quantiles, the draws are normal.

    # Takes a horizon, returns quantiles at `LEVELS`, shape (16, H)
    quantiles: Callable[[int], Floats]

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Draws, shape (draws, horizon), independent from month to month."""
        at = np.sort(np.asarray(self.quantiles(horizon), dtype=float), axis=0)
        if at.shape != (len(LEVELS), horizon) or not np.isfinite(at).all():
            raise PanelError("its quantiles are not finite numbers")
        score = np.asarray(ndtri(LEVELS))
        normal = rng.standard_normal((horizon, draws)).T
        piece = np.clip(np.searchsorted(score, normal) - 1, 0, score.size - 2)
        slopes = np.diff(at, axis=0) / np.diff(score)[:, None]
        month = np.arange(horizon)
        return np.asarray(at[piece, month] + slopes[piece, month] * (normal - score[piece]))


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


class OneSeries(Protocol):
    """A forecaster fitted to one series, on the scale of the fit."""

    def mean(self, horizon: int) -> Floats:
        """Point forecasts, shape (H,)."""

    def quantiles(self, horizon: int) -> Floats:
        """Quantiles at :data:`odforecast.models.adapters.foreign.LEVELS`, shape (16, H)."""

    def paths(self) -> Paths:
        """What draws its own paths."""


class Library(Protocol):
    """A forecaster of another library, not fitted; fitting changes nothing in it."""

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> OneSeries:
        """Fit a copy to a series whose first month is ``first``."""


@contextmanager
def steadied(seed: int) -> Iterator[None]:
    """Foreign code runs with the process's random numbers at a given start, and leaves no trace."""
    # What libraries say of their own coming versions is not shown.
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
    on: str,
    name: str | None,
    paths: str,
    log: bool,
    windows: int,
    beside: str,
) -> Model:
    """A model made of a forecaster of another library."""
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
    contents = Contents()
    settings = {"class": contents.named(type(item)), "on": on, "paths": paths, "log": str(log)}
    if paths == FROM_ERRORS:
        settings["windows"] = str(windows)
    for key, value in contents.estimator(item).items():
        settings[f"{type(item).__name__}.{key}"] = contents.text(value)
    # Where a parameter has no text, or code is of no distribution, nothing is reused.
    origin = dict.fromkeys([beside, *contents.origin.split(", ")]) if contents.origin else ()
    needed = NEEDED + 3 if paths == FROM_ERRORS else MIN_MONTHS
    spec = Spec(
        model=label,
        version="2",
        by="location",
        target=TARGET_12MO if on == "sums" else TARGET_MONTH,
        joint=frozenset() if paths == FROM_QUANTILES else frozenset({MONTH}),
        min_months=needed + (LENGTH if on == "sums" and paths == FROM_ERRORS else 0),
        parameters=tuple(sorted(settings.items())),
        origin=", ".join(origin),
        dataset=STATES,
    )
    return Model(Foreign(library, spec, paths, log, windows), label)


@dataclass(frozen=True, eq=False)
class Foreign:
    """A forecaster of another library, fitted to one place at a time."""

    library: Library
    spec: Spec
    paths: str  # Where paths come from: the model, its past errors, or its quantiles
    log: bool  # Whether it is fitted to log(1 + deaths)
    windows: int  # Earlier fits at most, where paths come from past errors

    def fit(self, panel: Panel) -> FittedSeries:
        """Fit every usable location of a panel."""

        def fit(state: str, deaths: Floats) -> Paths:
            # The library's own numbers hang on what is forecast, and never on the counts.
            seed = seed_from("foreign", panel.dataset, panel.indicator, panel.last_month, state)
            return self._paths(deaths, panel.last_month, seed)

        return fit_series(self.spec, panel, fit, self.log)

    def _paths(self, deaths: Floats, last: np.datetime64, seed: int) -> Paths:
        y = np.log1p(np.maximum(deaths, 0.0)) if self.log else deaths.copy()
        # Months that are recovered from constant sums are so to rounding.
        if np.ptp(y) <= 1e-9 * np.abs(y).max():
            raise PanelError("the series never changes, so it shows no spread")
        first = last - (y.size - 1) * ONE_MONTH
        fitted = self.library.fit(y, first, seed)
        if self.paths == FROM_MODEL:
            return fitted.paths()
        if self.paths == FROM_QUANTILES:
            return Marginals(fitted.quantiles)

        def earlier(start: Floats) -> Floats:
            return self.library.fit(start, first, seed).mean(LENGTH)

        return PastErrors(fitted.mean, past_errors(y, earlier, self.windows))


def point(values: Any, horizon: int) -> Floats:
    """Point forecasts as an array of the right length."""
    made = np.asarray(values, dtype=float).ravel()
    if made.size != horizon:
        raise PanelError(f"{made.size} point forecasts, asked for {horizon}")
    return made
