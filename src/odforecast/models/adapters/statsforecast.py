"""A model of StatsForecast as one of ours: :func:`from_statsforecast`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from odforecast.errors import ForecastError, PanelError, one_of
from odforecast.models.adapters.foreign import (
    FROM_ERRORS,
    FROM_MODEL,
    FROM_QUANTILES,
    INTERVALS,
    WINDOWS,
    adapted,
    point,
    steadied,
)
from odforecast.models.content import installed
from odforecast.models.innovations import Innovations, Paths, ThetaPaths
from odforecast.models.model import Model
from odforecast.panel import Floats


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
        level, slope = np.full(draws, self.level), np.full(draws, self.slope)
        terms = np.repeat(self.season[:, None], draws, axis=1)  # m × draws, newest first
        out = np.empty((draws, horizon))
        for h in range(horizon):
            damped = slope**self.phi if trend == "M" else self.phi * slope
            before = level * damped if trend == "M" else level + damped if trend == "A" else level
            last = terms[-1]
            mean = before * last if season == "M" else before + last if season == "A" else before
            y = mean * (1 + errors[:, h]) if error == "M" else mean + errors[:, h]
            plain = y / last if season == "M" else y - last if season == "A" else y
            risen = before + self.alpha * (plain - before)
            if trend != "N":
                step = risen / level if trend == "M" else risen - level
                slope = damped + self.beta / self.alpha * (step - damped)
            if season != "N":
                seen = y / before if season == "M" else y - before
                terms = np.vstack([last + self.gamma * (seen - last), terms[:-1]])
            level, out[:, h] = risen, y
        return out


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
        season=state[1 + has_slope : 1 + has_slope + m] if form[2] != "N" else np.zeros(1),
        sigma=float(np.sqrt(model["sigma2"])),
    )


def ces(model: Mapping[str, Any]) -> Paths:
    """AutoCES without season, or with a simple, partial or full one; of ``model_``."""
    kind, m, n = str(model["seasontype"]), int(model["m"]), int(model["n"])
    a0, a1 = (float(model["par"][k]) for k in ("alpha_0", "alpha_1"))
    turn = np.array([[1.0, a1 - 1.0], [1.0, 1.0 - a0]])
    push = np.array([a0 - a1, a0 + a1])
    # Rows of the last m observations; those after them are scratch space of the C code.
    states = np.asarray(model["states"], dtype=float)
    last = states[n : n + m] if kind != "N" else states[n : n + 1]
    sigma = float(np.sqrt(model["sigma2"]))
    if kind == "N":
        return Innovations(turn, np.array([1.0, 0.0]), push, last[-1, :2], sigma)
    if kind == "S":
        return _lagged(turn, push, last[:, :2], sigma)
    if kind == "P":
        seasonal = _lagged(np.eye(1), np.array([float(model["par"]["beta_0"])]), last[:, 2:3], 0.0)
    else:
        b0, b1 = (float(model["par"][k]) for k in ("beta_0", "beta_1"))
        again = np.array([[1.0, b1 - 1.0], [1.0, 1.0 - b0]])
        seasonal = _lagged(again, np.array([b0 - b1, b0 + b1]), last[:, 2:4], 0.0)
    k = seasonal.state.size
    transition = np.block([[turn, np.zeros((2, k))], [np.zeros((k, 2)), seasonal.transition]])
    return Innovations(
        transition,
        np.concatenate([[1.0, 0.0], seasonal.observe]),
        np.concatenate([push, seasonal.gain]),
        np.concatenate([last[-1, :2], seasonal.state]),
        sigma,
    )


def _lagged(turn: Floats, push: Floats, rows: Floats, sigma: float) -> Innovations:
    """A form whose state is that of a season before: m states in line, the oldest first."""
    m, k = rows.shape
    transition: Floats = np.kron(np.roll(np.eye(m), 1, axis=1), np.eye(k)).astype(float)
    transition[-k:, :k] = turn
    observe, gain = np.zeros(m * k), np.zeros(m * k)
    observe[0], gain[-k:] = 1.0, push
    return Innovations(transition, observe, gain, rows.ravel(), sigma)


def theta(model: Mapping[str, Any]) -> Paths:
    """AutoTheta and its four models, of ``model_``."""
    level, mean, intercept, slope, _ = (float(x) for x in model["states"][-1])
    n, residuals = int(model["n"]), np.asarray(model["residuals"], dtype=float)
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
    return paths if season is None else Seasoned(paths, season, bool(multiplied))


def arima(model: Mapping[str, Any]) -> Paths:
    """AutoARIMA, ARIMA and AutoRegressive without regressors, of ``model_``."""
    form, coefs, n = model["model"], model["coef"], len(model["x"])
    transition: Floats = np.array(form["T"], dtype=float)
    noise: Floats = np.array(form["V"], dtype=float)
    slope = float(coefs.get("drift", 0.0))
    return Innovations(
        transition,
        np.asarray(np.array(form["Z"], dtype=float) @ transition, dtype=float),
        np.asarray(noise[:, 0] / np.sqrt(noise[0, 0]), dtype=float),  # V = R R' with R[0] = 1
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
    "Naive", "RandomWalkWithDrift", "SeasonalNaive", "HistoricAverage",
    "SimpleExponentialSmoothing", "SimpleExponentialSmoothingOptimized",
    "SeasonalExponentialSmoothing", "SeasonalExponentialSmoothingOptimized",
)  # fmt: skip


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
        (:func:`odforecast.models.adapters.foreign.past_errors`), with ``windows`` more fits; or
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
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise ForecastError(
            f"model is {_short(model)}, no model of statsforecast",
            hint="give an object: from_statsforecast(AutoCES(season_length=12))",
        )
    if hasattr(model, "models") and hasattr(model, "freq"):
        raise ForecastError(
            "model is a StatsForecast, which holds several models",
            hint="give one of them: from_statsforecast(AutoCES(season_length=12))",
        )
    if needed := _needed(model):
        raise ForecastError(
            f"{type(model).__name__} is fitted with {', '.join(needed)}, and a place has only its "
            "series",
            hint="give a model with fit(y) and predict(h)",
        )
    model = deepcopy(model)  # what is done to the one given, later, must not change this one
    of = _drawn_by(model)
    known = (FROM_MODEL, FROM_ERRORS, FROM_QUANTILES)
    paths = (FROM_MODEL if of else FROM_ERRORS) if paths is None else paths
    if paths not in known:
        raise ForecastError(f"paths is {paths!r}, unknown", hint=one_of(paths, known))
    if paths == FROM_MODEL and of is None:
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
    beside = installed("statsforecast")
    return adapted(_StatsForecast(model), model, on, name, paths, log, windows, beside)


def _short(item: object) -> str:
    return f"the class {item.__name__}" if isinstance(item, type) else repr(item)[:80]


def _needed(model: Any) -> list[str]:
    """What a model must be given besides the series and how far to forecast."""
    found: dict[str, None] = {}
    for method in (model.fit, model.predict):
        try:
            parameters = list(signature(method).parameters.values())[1:]
        except (TypeError, ValueError):  # compiled: it will say so itself
            continue
        named = (p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
        found |= {p.name: None for p in named if p.default is p.empty}
    return list(found)


def _drawn_by(model: Any) -> str | None:
    """Which of the known classes a model is, so that its equations are known."""
    if getattr(model, "distribution", "normal") not in ("normal", None):
        return None
    if getattr(model, "blambda", None) is not None:
        return None
    for cls in type(model).__mro__:
        if cls.__module__ == "statsforecast.models" and cls.__name__ in (*DRAWN, *SIMULATED):
            return cls.__name__
    return None


@dataclass(frozen=True, eq=False)
class _StatsForecast:
    """A model of statsforecast, not fitted."""

    model: Any

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> _Fitted:  # noqa: ARG002
        with steadied(seed):
            return _Fitted(deepcopy(self.model).fit(np.array(y)), seed)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A model of statsforecast fitted to one series."""

    model: Any
    seed: int

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
            made = self.model.predict(h=horizon, level=list(INTERVALS))
        low = [point(made[f"lo-{i}"], horizon) for i in INTERVALS[::-1]]
        return np.stack([*low, *(point(made[f"hi-{i}"], horizon) for i in INTERVALS)])

    def paths(self) -> Paths:
        of = _drawn_by(self.model)
        return DRAWN[of](self.model.model_) if of in DRAWN else _Simulated(self.model)


@dataclass(frozen=True, eq=False)
class _Simulated:
    """Paths by a model's own ``simulate``, which also sets the process's random state."""

    model: Any

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        seed = int(rng.integers(2**31))
        with steadied(seed):
            return np.asarray(self.model.simulate(h=horizon, n_paths=draws, seed=seed), dtype=float)
