"""Models of statsforecast that the library can draw itself, from their fitted equations.

statsforecast 2.1 draws some of them wrongly (see :mod:`odforecast.models.classical`), so each is
written here as the recursion that its authors give, with normal errors: the innovations form for
exponential smoothing (Hyndman et al. 2008, chapter 2; Svetunkov et al. 2022 for the complex one)
and ARIMA, the recursion of Fiorucci et al. (2016) for Theta. Without errors each gives the point
forecasts of statsforecast, but for a damped trend, where those are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from odforecast.models.innovations import Innovations, Paths, ThetaPaths
from odforecast.panel import Floats


@dataclass(frozen=True, eq=False)
class Smoothing:
    """Exponential smoothing of any form: error, trend and season additive or multiplicative.

    Attributes
    ----------
    form : str
        Three letters, of error (A, M), trend and season (N, A, M).
    alpha, beta, gamma, phi : float
        Smoothing of level, slope and season; damping (1: none).
    level, slope : float
        After the last observation.
    season : ndarray, shape (m,)
        The season's terms, the most recent first.
    sigma : float
        Standard deviation of the one-step errors; of relative errors where these are
        multiplicative.
    """

    form: str
    alpha: float
    beta: float
    gamma: float
    phi: float
    level: float
    slope: float
    season: Floats
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
    """Paths of a series without its season, and the season put back.

    Attributes
    ----------
    plain : Paths
        Of the series without season.
    season : ndarray, shape (m,)
        Terms of the months to come; repeated.
    multiplied : bool
        Whether the terms are factors.
    """

    plain: Paths
    season: Floats
    multiplied: bool

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
