"""Forecasters of StatsForecast and sktime as models of this library."""

from __future__ import annotations

import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from odforecast.errors import ForecastError, PanelError, one_of, whole
from odforecast.models.content import Contents, installed
from odforecast.models.innovations import (
    FittedSeries,
    Innovations,
    Paths,
    ThetaPaths,
    fit_series,
)
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
    defaults = inspect.signature(type(item).__init__).parameters
    changed = []
    for key, value in Contents().estimator(item).items():
        if key not in defaults:
            continue
        default = defaults[key].default
        if (type(value), repr(value)) != (type(default), repr(default)):
            changed.append(f"{key}={value!r}")
    text = f"{name}({', '.join(changed)})" if changed else name
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


def past_errors(
    y: Floats, forecast: Callable[[Floats], Floats], windows: int
) -> Floats:
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

    mean: Callable[
        [int], Floats
    ]  # Takes a horizon, returns point forecasts, shape (H,)
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
LEVELS = (
    *((100 - i) / 200 for i in INTERVALS[::-1]),
    *((100 + i) / 200 for i in INTERVALS),
)


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
        return np.asarray(
            at[piece, month] + slopes[piece, month] * (normal - score[piece])
        )


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


@contextmanager
def steadied(seed: int) -> Iterator[None]:
    """Foreign code runs with the process's random numbers at a given start, and leaves no trace."""
    # What libraries say of their own coming versions is not shown.
    numpy_state = np.random.get_state()  # noqa: NPY002
    python_state = random.getstate()
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning, PendingDeprecationWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def adapted(
    library: Any,
    item: object,
    on: str,
    name: str | None,
    paths: str,
    log: bool,
    windows: int,
    distribution: str,
) -> Model:
    """A model made of a forecaster of another library."""
    if on not in ON:
        raise ForecastError(f"on is {on!r}, unknown", hint=one_of(on, ON))
    windows = whole("windows", windows, least=4)
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
    settings = {
        "class": contents.named(type(item)),
        "on": on,
        "paths": paths,
        "log": str(log),
    }
    if paths == FROM_ERRORS:
        settings["windows"] = str(windows)
    for key, value in contents.estimator(item).items():
        settings[f"{type(item).__name__}.{key}"] = contents.text(value)
    # Where a parameter has no text, or code is of no distribution, nothing is reused.
    origin = (
        dict.fromkeys([distribution, *contents.origin.split(", ")])
        if contents.origin
        else ()
    )
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
    return Model(Foreign(library, spec, paths=paths, log=log, windows=windows), label)


@dataclass(frozen=True, eq=False)
class Foreign:
    """A forecaster of another library, fitted to one place at a time."""

    # Not fitted. Its `fit(y, first, seed)` fits a copy to a series and returns what has `mean` and
    # `quantiles` of a horizon, and `paths()`
    library: Any
    spec: Spec
    paths: str  # Where paths come from: the model, its past errors, or its quantiles
    log: bool  # Whether it is fitted to log(1 + deaths)
    windows: int  # Earlier fits at most, where paths come from past errors

    def fit(self, panel: Panel) -> FittedSeries:
        """Fit every usable location of a panel."""

        def fit(state: str, deaths: Floats) -> Paths:
            # The library's own numbers hang on what is forecast, and never on the counts.
            seed = seed_from(
                "foreign", panel.dataset, panel.indicator, panel.last_month, state
            )
            return self._paths(deaths, panel.last_month, seed=seed)

        return fit_series(self.spec, panel, fit=fit, log=self.log)

    def _paths(self, deaths: Floats, last: np.datetime64, seed: int) -> Paths:
        y = np.log1p(np.maximum(deaths, 0.0)) if self.log else deaths.copy()
        # Months that are recovered from constant sums are so to rounding.
        if np.ptp(y) <= 1e-9 * np.abs(y).max():
            raise PanelError("the series never changes, so it shows no spread")
        first = last - (y.size - 1) * ONE_MONTH
        fitted = self.library.fit(y, first, seed)
        if self.paths == FROM_MODEL:
            paths: Paths = fitted.paths()
            return paths
        if self.paths == FROM_QUANTILES:
            return Marginals(fitted.quantiles)

        def earlier(start: Floats) -> Floats:
            return np.asarray(self.library.fit(start, first, seed).mean(LENGTH))

        return PastErrors(fitted.mean, past_errors(y, earlier, windows=self.windows))


def point(values: Any, horizon: int) -> Floats:
    """Point forecasts as an array of the right length."""
    points = np.asarray(values, dtype=float).ravel()
    if points.size != horizon:
        raise PanelError(f"{points.size} point forecasts, asked for {horizon}")
    return points


def from_sktime(
    forecaster: Any,
    on: str = "months",
    name: str | None = None,
    paths: str = FROM_ERRORS,
    log: bool = True,
    windows: int = WINDOWS,
) -> Model:
    """Use a forecaster of sktime as a model of this library.

    A clone is fitted to each place, on monthly periods without gaps.

    Parameters
    ----------
    forecaster : sktime forecaster
        For example ``ThetaForecaster(sp=12)``: any that forecasts one series.
    on : {"months", "sums"}
        Fit the months behind CDC's counts (then added), or the 12-month counts themselves.
    name : str, optional
        Default: its class and parameters.
    paths : {"errors", "quantiles"}
        Draw paths from point forecasts and past errors
        (:func:`odforecast.models.adapters.past_errors`), with ``windows`` more fits; or
        from ``predict_quantiles`` (only on sums).
    log : bool
        Fit to log(1 + deaths).
    windows : int
        Earlier forecasts for ``paths="errors"``, three months apart.

    Returns
    -------
    Model
        Joint over months or over nothing, never over places. Negative draws become zero, with a
        warning.

    Raises
    ------
    ForecastError
        If sktime is not installed, it is not an sktime forecaster, a setting is unknown, or
        quantiles are missing or requested on months.

    Notes
    -----
    A ``random_state`` that is not set gets a seed from what is forecast. Needs
    ``pip install 'odforecast[sktime]'``. A season of 12 fitted to recovered months is partly that
    of the recovery.

    Examples
    --------
    >>> import odforecast as od
    >>> from sktime.forecasting.naive import NaiveForecaster
    >>> model = od.models.from_sktime(NaiveForecaster(sp=12))
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> model.fit(panel.select("Ohio")).forecast(draws=100).samples().shape
    (100, 1, 12)
    >>> model.label, sorted(model.spec.joint)
    ('NaiveForecaster(sp=12)', ['month'])
    """
    try:
        from sktime.forecasting.base import BaseForecaster  # type: ignore[import-untyped]
    except ImportError as error:
        raise ForecastError(
            "sktime is not installed", hint="pip install 'odforecast[sktime]'"
        ) from error
    if not isinstance(forecaster, BaseForecaster):
        text = (
            forecaster.__name__
            if isinstance(forecaster, type)
            else repr(forecaster)[:80]
        )
        raise ForecastError(
            f"forecaster is {text}, no forecaster of sktime",
            hint="give an object: from_sktime(ThetaForecaster(sp=12))",
        )
    allowed = (FROM_ERRORS, FROM_QUANTILES)
    if paths not in allowed:
        raise ForecastError(f"paths is {paths!r}, unknown", hint=one_of(paths, allowed))
    if paths == FROM_QUANTILES and not forecaster.get_tag(
        "capability:pred_int",
        False,
        raise_error=False,
    ):
        raise ForecastError(
            f"{type(forecaster).__name__} gives no quantiles", hint="use paths='errors'"
        )
    with steadied(0):
        copy = forecaster.clone()
    return adapted(
        _Sktime(copy),
        forecaster,
        on=on,
        name=name,
        paths=paths,
        log=log,
        windows=windows,
        distribution=installed("sktime"),
    )


@dataclass(frozen=True, eq=False)
class _Sktime:
    """A forecaster of sktime: not fitted, fitted to one series, or to be for each horizon."""

    forecaster: Any
    series: Any = None
    late: bool = False
    seed: int = 0

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> _Sktime:
        import pandas as pd

        index = pd.period_range(
            pd.Period(str(first), freq="M"), periods=y.size, freq="M"
        )
        series = pd.Series(np.array(y), index=index, name="deaths")
        with steadied(seed):
            copy = self.forecaster.clone()
            unset = {
                k: seed % 2**31
                for k, v in copy.get_params(deep=True).items()
                if k.rpartition("__")[2] == "random_state" and v is None
            }
            copy.set_params(**unset)
            late = bool(copy.get_tag("requires-fh-in-fit", False, raise_error=False))
            return _Sktime(
                copy if late else copy.fit(series), series, late=late, seed=seed
            )

    def _ready(self, horizon: int) -> tuple[Any, list[int]]:
        ahead = list(range(1, horizon + 1))
        if not self.late:
            return self.forecaster, ahead
        return self.forecaster.clone().fit(self.series, fh=ahead), ahead

    def mean(self, horizon: int) -> Floats:
        with steadied(self.seed):
            forecaster, ahead = self._ready(horizon)
            return point(forecaster.predict(fh=ahead), horizon)

    def quantiles(self, horizon: int) -> Floats:
        with steadied(self.seed):
            forecaster, ahead = self._ready(horizon)
            quantiles = forecaster.predict_quantiles(fh=ahead, alpha=list(LEVELS))
        return np.asarray(quantiles, dtype=float).T


@dataclass(frozen=True, eq=False)
class Smoothing:
    """Exponential smoothing of any form: error, trend and season additive or multiplicative."""

    form: str  # Three letters, of error (A, M), trend and season (N, A, M)
    # alpha, beta, gamma, phi: Smoothing of level, slope and season; damping (1: none)
    alpha: float
    beta: float
    gamma: float
    phi: float
    # level, slope: After the last observation
    level: float
    slope: float
    season: Floats  # (m,): The season's terms, the most recent first
    # Standard deviation of the one-step errors; of relative errors where these are multiplicative
    sigma: float

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        error, trend, season = tuple(self.form)
        errors = self.sigma * rng.standard_normal((horizon, draws)).T
        level = np.full(draws, self.level)
        slope = np.full(draws, self.slope)
        terms = np.repeat(
            self.season[:, None], draws, axis=1
        )  # m × draws, newest first
        out = np.empty((draws, horizon))
        for h in range(horizon):
            if trend == "M":
                damped = slope**self.phi
                before = level * damped
            else:
                damped = self.phi * slope
                before = level + damped if trend == "A" else level
            last = terms[-1]
            mean = _with_season(before, last, season)
            y = mean * (1 + errors[:, h]) if error == "M" else mean + errors[:, h]
            risen = before + self.alpha * (_without(last, y, season) - before)
            if trend != "N":
                step = risen / level if trend == "M" else risen - level
                slope = damped + self.beta / self.alpha * (step - damped)
            if season != "N":
                term = _without(before, y, season)
                terms = np.vstack([last + self.gamma * (term - last), terms[:-1]])
            level = risen
            out[:, h] = y
        return out


def _with_season(value: Floats, term: Floats, season: str) -> Floats:
    """A value with a season's term: none (N), added (A) or multiplied (M)."""
    if season == "M":
        return value * term
    return value + term if season == "A" else value


def _without(term: Floats, value: Floats, season: str) -> Floats:
    """A value without a term of that kind."""
    if season == "M":
        return value / term
    return value - term if season == "A" else value


@dataclass(frozen=True, eq=False)
class Seasoned:
    """Paths of a series without its season, and the season put back."""

    plain: Paths  # Of the series without season
    season: Floats  # (m,): Terms of the months to come; repeated
    multiplied: bool  # Whether the terms are factors

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        terms = self.season[np.arange(horizon) % self.season.size]
        out = self.plain.draw(horizon, draws, rng)
        return out * terms if self.multiplied else out + terms


def ets(model: Mapping[str, Any]) -> Paths:
    """AutoETS, Holt and HoltWinters, of ``model_``."""
    form = str(model["components"])[:3]
    alpha, beta, gamma, phi = (float(x) for x in model["par"][:4])
    state = np.asarray(model["states"][-1], dtype=float)
    has_slope = form[1] != "N"
    m = int(model["m"])
    return Smoothing(
        form=form,
        alpha=alpha,
        beta=beta if has_slope else 0.0,
        gamma=gamma if form[2] != "N" else 0.0,
        phi=phi if has_slope and np.isfinite(phi) else 1.0,
        level=float(state[0]),
        slope=float(state[1]) if has_slope else 0.0,
        season=state[1 + has_slope : 1 + has_slope + m]
        if form[2] != "N"
        else np.zeros(1),
        sigma=float(np.sqrt(model["sigma2"])),
    )


def ces(model: Mapping[str, Any]) -> Paths:
    """AutoCES without season, or with a simple, partial or full one; of ``model_``."""
    kind = str(model["seasontype"])
    m = int(model["m"])
    n = int(model["n"])
    a0, a1 = (float(model["par"][k]) for k in ("alpha_0", "alpha_1"))
    turn = np.array([[1.0, a1 - 1.0], [1.0, 1.0 - a0]])
    push = np.array([a0 - a1, a0 + a1])
    # Rows of the last m observations; those after them are scratch space of the C code.
    states = np.asarray(model["states"], dtype=float)
    last = states[n : n + m] if kind != "N" else states[n : n + 1]
    sigma = float(np.sqrt(model["sigma2"]))
    if kind == "N":
        return Innovations(
            turn, np.array([1.0, 0.0]), gain=push, state=last[-1, :2], sigma=sigma
        )
    if kind == "S":
        return _lagged(turn, push, rows=last[:, :2], sigma=sigma)
    if kind == "P":
        seasonal = _lagged(
            np.eye(1),
            np.array([float(model["par"]["beta_0"])]),
            rows=last[:, 2:3],
            sigma=0.0,
        )
    else:
        b0, b1 = (float(model["par"][k]) for k in ("beta_0", "beta_1"))
        again = np.array([[1.0, b1 - 1.0], [1.0, 1.0 - b0]])
        seasonal = _lagged(
            again, np.array([b0 - b1, b0 + b1]), rows=last[:, 2:4], sigma=0.0
        )
    k = seasonal.state.size
    transition = np.block(
        [[turn, np.zeros((2, k))], [np.zeros((k, 2)), seasonal.transition]]
    )
    return Innovations(
        transition,
        np.concatenate([[1.0, 0.0], seasonal.observe]),
        gain=np.concatenate([push, seasonal.gain]),
        state=np.concatenate([last[-1, :2], seasonal.state]),
        sigma=sigma,
    )


def _lagged(turn: Floats, push: Floats, rows: Floats, sigma: float) -> Innovations:
    """A form whose state is that of a season before: m states in line, the oldest first."""
    m, k = rows.shape
    transition: Floats = np.kron(np.roll(np.eye(m), 1, axis=1), np.eye(k)).astype(float)
    transition[-k:, :k] = turn
    observe = np.zeros(m * k)
    gain = np.zeros(m * k)
    observe[0] = 1.0
    gain[-k:] = push
    return Innovations(transition, observe, gain=gain, state=rows.ravel(), sigma=sigma)


def theta(model: Mapping[str, Any]) -> Paths:
    """AutoTheta and its four models, of ``model_``."""
    level, mean, intercept, slope, _ = (float(x) for x in model["states"][-1])
    n = int(model["n"])
    residuals = np.asarray(model["residuals"], dtype=float)
    season = multiplied = None
    if model.get("decompose", False):
        season = np.asarray(model["seas_forecast"]["mean"], dtype=float)
        multiplied = model["decomposition_type"] == "multiplicative"
        # statsforecast puts the season into the residuals: it is taken out again.
        past = season[(np.arange(n) - n) % season.size]
        residuals = residuals / past if multiplied else residuals - past
    paths = ThetaPaths(
        level=level,
        mean=mean,
        intercept=intercept,
        slope=slope,
        alpha=float(model["par"]["alpha"]),
        theta=float(model["par"]["theta"]),
        # The first three residuals are the burn-in of the recursion.
        sigma=float(np.std(residuals[3:], ddof=1)),
        n=n,
        dynamic=model["modeltype"] in ("DSTM", "DOTM"),
    )
    return (
        paths
        if season is None
        else Seasoned(paths, season, multiplied=bool(multiplied))
    )


def arima(model: Mapping[str, Any]) -> Paths:
    """AutoARIMA, ARIMA and AutoRegressive without regressors, of ``model_``."""
    form = model["model"]
    coefs = model["coef"]
    n = len(model["x"])
    transition: Floats = np.array(form["T"], dtype=float)
    noise: Floats = np.array(form["V"], dtype=float)
    slope = float(coefs.get("drift", 0.0))
    return Innovations(
        transition,
        np.asarray(np.array(form["Z"], dtype=float) @ transition, dtype=float),
        np.asarray(
            noise[:, 0] / np.sqrt(noise[0, 0]), dtype=float
        ),  # V = R R' with R[0] = 1
        np.array(form["a"], dtype=float),
        float(np.sqrt(model["sigma2"])),
        level=float(coefs.get("intercept", 0.0)) + slope * n,
        slope=slope,
    )


#: Classes of statsforecast (with those made of them) whose paths are drawn here.
DRAWN: dict[str, Callable[[Any], Paths]] = {
    "AutoETS": ets,
    "AutoCES": ces,
    "AutoTheta": theta,
    "AutoARIMA": arima,
    "ARIMA": arima,
}
#: Classes whose own ``simulate`` does what their point forecasts and intervals say.
SIMULATED = (
    "Naive",
    "RandomWalkWithDrift",
    "SeasonalNaive",
    "HistoricAverage",
    "SimpleExponentialSmoothing",
    "SimpleExponentialSmoothingOptimized",
    "SeasonalExponentialSmoothing",
    "SeasonalExponentialSmoothingOptimized",
)


def from_statsforecast(
    model: Any,
    on: str = "months",
    name: str | None = None,
    paths: str | None = None,
    log: bool = True,
    windows: int = WINDOWS,
) -> Model:
    """Use a model of StatsForecast as a model of this library.

    A copy is fitted to each place; the object given is not changed.

    Parameters
    ----------
    model : statsforecast model
        For example ``AutoCES(season_length=12)``, or an object with ``fit(y)`` and ``predict(h)``.
    on : {"months", "sums"}
        Fit the months behind CDC's counts (then added), or the 12-month counts themselves.
    name : str, optional
        Default: its class and parameters.
    paths : {"model", "errors", "quantiles"}, optional
        Draw paths from its own equations; from its point forecasts and past errors
        (:func:`odforecast.models.adapters.past_errors`), with ``windows`` more fits; or
        from its intervals (only on sums). Default: ``"model"`` where the equations are known, else
        ``"errors"``.
    log : bool
        Fit to log(1 + deaths).
    windows : int
        Earlier forecasts for ``paths="errors"``, three months apart.

    Returns
    -------
    Model
        Joint over months or over nothing, never over places. Negative draws become zero, with a
        warning.

    Raises
    ------
    ForecastError
        If it is not a model of StatsForecast, it needs regressors, a setting is unknown, or it has
        no such paths.

    Notes
    -----
    AutoETS, Holt, HoltWinters, AutoCES, AutoTheta and its four models, AutoARIMA, ARIMA and
    AutoRegressive are drawn here from their fitted equations, because statsforecast 2.1 draws some
    of them wrongly. Box–Cox or errors that are not normal need ``paths="errors"``. A season of 12
    fitted to recovered months is partly that of the recovery.

    Examples
    --------
    >>> import odforecast as od
    >>> from statsforecast.models import AutoCES
    >>> model = od.models.from_statsforecast(AutoCES(season_length=12))
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> model.fit(panel.select("Ohio")).forecast(draws=100).samples().shape
    (100, 1, 12)
    >>> model.label, model.spec.target
    ('AutoCES(season_length=12)', 'deaths_month')
    """
    if isinstance(model, type) or not (
        hasattr(model, "fit") and hasattr(model, "predict")
    ):
        raise ForecastError(
            f"model is {_short(model)}, no model of statsforecast",
            hint="give an object: from_statsforecast(AutoCES(season_length=12))",
        )
    if hasattr(model, "models") and hasattr(model, "freq"):
        raise ForecastError(
            "model is a StatsForecast, which holds several models",
            hint="give one of them: from_statsforecast(AutoCES(season_length=12))",
        )
    needed = _needed(model)
    if needed:
        raise ForecastError(
            f"{type(model).__name__} is fitted with {', '.join(needed)}, and a place has only its "
            "series",
            hint="give a model with fit(y) and predict(h)",
        )
    model = deepcopy(
        model
    )  # what is done to the one given, later, must not change this one
    equations = _drawn_by(model)
    if paths is None:
        paths = FROM_ERRORS if equations is None else FROM_MODEL
    allowed = (FROM_MODEL, FROM_ERRORS, FROM_QUANTILES)
    if paths not in allowed:
        raise ForecastError(f"paths is {paths!r}, unknown", hint=one_of(paths, allowed))
    if paths == FROM_MODEL and equations is None:
        raise ForecastError(
            f"paths of {type(model).__name__} cannot be drawn from its own equations",
            hint="use paths='errors'",
        )
    if (
        paths == FROM_QUANTILES
        and getattr(model, "only_conformal_intervals", False)
        and getattr(model, "prediction_intervals", None) is None
    ):
        raise ForecastError(
            f"{type(model).__name__} gives no intervals of its own",
            hint="give it prediction_intervals=ConformalIntervals(...), or use paths='errors'",
        )
    return adapted(
        _StatsForecast(model),
        model,
        on=on,
        name=name,
        paths=paths,
        log=log,
        windows=windows,
        distribution=installed("statsforecast"),
    )


def _short(item: object) -> str:
    return f"the class {item.__name__}" if isinstance(item, type) else repr(item)[:80]


def _needed(model: Any) -> list[str]:
    """What a model must be given besides the series and how far to forecast."""
    names: dict[str, None] = {}
    for method in (model.fit, model.predict):
        try:
            parameters = list(inspect.signature(method).parameters.values())[1:]
        except (TypeError, ValueError):  # compiled: it will say so itself
            continue
        for parameter in parameters:
            variable = parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            )
            if not variable and parameter.default is parameter.empty:
                names[parameter.name] = None
    return list(names)


def _drawn_by(model: Any) -> str | None:
    """Which of the known classes a model is, so that its equations are known."""
    if getattr(model, "distribution", "normal") not in ("normal", None):
        return None
    if getattr(model, "blambda", None) is not None:
        return None
    for cls in type(model).__mro__:
        if cls.__module__ == "statsforecast.models" and cls.__name__ in (
            *DRAWN,
            *SIMULATED,
        ):
            return cls.__name__
    return None


@dataclass(frozen=True, eq=False)
class _StatsForecast:
    """A model of statsforecast: not fitted, or fitted to one series."""

    model: Any
    seed: int = 0

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> _StatsForecast:  # noqa: ARG002
        with steadied(seed):
            return _StatsForecast(deepcopy(self.model).fit(np.array(y)), seed)

    def mean(self, horizon: int) -> Floats:
        with steadied(self.seed):
            return point(self.model.predict(h=horizon)["mean"], horizon)

    def quantiles(self, horizon: int) -> Floats:
        conformal = getattr(self.model, "prediction_intervals", None)
        ahead = horizon if conformal is None else getattr(conformal, "h", horizon)
        if ahead != horizon:  # of h=1, every month would get the spread of the first
            raise PanelError(
                f"its ConformalIntervals are of h={ahead} months, asked for {horizon}: give it "
                f"ConformalIntervals(h={horizon})"
            )
        with steadied(self.seed):
            table = self.model.predict(h=horizon, level=list(INTERVALS))
        low = [point(table[f"lo-{level}"], horizon) for level in INTERVALS[::-1]]
        high = [point(table[f"hi-{level}"], horizon) for level in INTERVALS]
        return np.stack([*low, *high])

    def paths(self) -> Paths:
        name = _drawn_by(self.model)
        return DRAWN[name](self.model.model_) if name in DRAWN else self

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths by its own ``simulate``, which also sets the process's random state."""
        seed = int(rng.integers(2**31))
        with steadied(seed):
            return np.asarray(
                self.model.simulate(
                    h=horizon,
                    n_paths=draws,
                    seed=seed,
                ),
                dtype=float,
            )
