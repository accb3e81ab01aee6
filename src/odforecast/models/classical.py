"""Time-series baselines: random walks, ETS, Theta, ARIMA and CES, one series at a time.

Each is fitted to the **months** behind CDC's sums (log scale) and its paths are added to the
known months; the ``-sums`` variant is the same model fitted to the 12-month sums themselves,
which is what most people do and throws away that 12 - h of the 12 months are known.

statsforecast estimates the parameters. The paths are drawn here, from the fitted state-space
form, because statsforecast 2.1 draws some of them wrongly: ``AutoETS.simulate`` drops an
undamped trend; ``AutoCES.simulate`` perturbs the last state only, so that its spread does not
grow with the horizon; ``AutoTheta.simulate`` lets the line of the static models learn too.
Drawing here also leaves numpy's global random state alone.

Scale and form were set once, and are not tuned on the years they are scored on. No model has
a season: sums show the months only up to one constant per calendar month, and
:mod:`odforecast.monthly.sums` picks the smoothest series, so a constant season cannot be
seen. (On the twelve origins of 2017, all with truth before 2019, a season in ETS lowered the
jurisdictions' WIS at 7-12 months by a tenth and raised the nation's by a third; log and square
root took turns. Those origins hold three to four years of months each: too few to choose by.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.models.paths import (
    floor_at_zero,
    require_some,
    trailing_months,
    usable_locations,
)
from odforecast.models.spec import Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.names import MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams


class Paths(Protocol):
    """A fitted series that can draw its future."""

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths on the scale of the fit, shape (draws, horizon)."""
        ...


@dataclass(frozen=True, eq=False)
class Innovations:
    """Linear innovations state space: ``y = w·x + e``, then ``x <- F x + g e``.

    Random walks, additive ETS, CES and ARIMA are all of this form.

    Attributes
    ----------
    transition, observe, gain, state : ndarray, shapes (K, K), (K,), (K,), (K,)
        F, w, g, and x after the last observation.
    sigma : float
        Standard deviation of e (normal).
    level, slope : float
        Known line added to the path, ``level + slope * h``.
    slope_sd : float
        Standard error of the slope: one draw per path.
    """

    transition: Floats
    observe: Floats
    gain: Floats
    state: Floats
    sigma: float
    level: float = 0.0
    slope: float = 0.0
    slope_sd: float = 0.0

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        errors = self.sigma * rng.standard_normal((draws, horizon))
        slope = self.slope + self.slope_sd * rng.standard_normal((draws, 1))
        out = self.level + slope * np.arange(1, horizon + 1)
        state = np.broadcast_to(self.state, (draws, self.state.size))
        for h in range(horizon):
            error = errors[:, h]
            out[:, h] += (state * self.observe).sum(axis=1) + error
            state = state @ self.transition.T + error[:, None] * self.gain
        return out


@dataclass(frozen=True, eq=False)
class ThetaPaths:
    """The Theta model: a smoothed level plus a share of a line that may keep learning.

    Attributes
    ----------
    level, mean, intercept, slope : float
        Smoothed level, mean of the series, and the fitted line, after ``n`` observations.
    alpha, theta, sigma : float
        Smoothing, weight and error scale.
    n : int
        Observations.
    dynamic : bool
        Whether the line is refitted as (simulated) observations come in: the dynamic models.
    """

    level: float
    mean: float
    intercept: float
    slope: float
    alpha: float
    theta: float
    sigma: float
    n: int
    dynamic: bool

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon). Recursions of Fiorucci et al. (2016), section 3."""
        errors = self.sigma * rng.standard_normal((draws, horizon))
        out = np.empty((draws, horizon))
        level, mean, a, b = (
            np.full(draws, x) for x in (self.level, self.mean, self.intercept, self.slope)
        )
        keep = 1.0 - self.alpha
        for h in range(horizon):
            i = self.n + h
            line = a * keep**i + b * (1.0 - keep ** (i + 1)) / self.alpha
            y = level + (1.0 - 1.0 / self.theta) * line + errors[:, h]
            out[:, h] = y
            level = self.alpha * y + keep * level
            if self.dynamic:
                b = ((i - 1) * b + 6.0 * (y - mean) / (i + 1)) / (i + 2)
                mean = (i * mean + y) / (i + 1)
                a = mean - b * (i + 2) / 2.0
        return out


def _naive(y: Floats) -> Paths:
    one = np.ones(1)
    sigma = float(np.sqrt(np.mean(np.diff(y) ** 2)))
    return Innovations(np.eye(1), one, one, y[-1:], sigma)


def _drift(y: Floats) -> Paths:
    one, steps = np.ones(1), np.diff(y)
    sigma = float(steps.std(ddof=1))
    slope_sd = sigma / np.sqrt(steps.size)
    return Innovations(
        np.eye(1), one, one, y[-1:], sigma, slope=float(steps.mean()), slope_sd=slope_sd
    )


def _seasonal_naive(y: Floats) -> Paths:
    # The state is the last twelve values, oldest first; each new value goes to the end.
    first, last = np.eye(12)[0], np.eye(12)[-1]
    sigma = float(np.sqrt(np.mean((y[12:] - y[:-12]) ** 2)))
    return Innovations(np.roll(np.eye(12), 1, axis=1), first, last, y[-12:], sigma)


def _ets(y: Floats) -> Paths:
    from statsforecast.models import AutoETS

    # Always a damped trend: undamped, the 2017 origins lose at 7-12 months (national WIS .96
    # of the hub baseline's, against .68). Paths follow the model's own one-step recursion;
    # statsforecast's point forecasts of two months and more weigh the slope by 2φ, 2φ + φ² …
    # where φ + φ², φ + φ² + φ³ … belongs.
    model = AutoETS(season_length=1, model="AAN", damped=True).fit(y).model_
    alpha, beta, _, phi = (float(x) for x in model["par"][:4])
    return Innovations(
        np.array([[1.0, phi], [0.0, phi]]),
        np.array([1.0, phi]),
        np.array([alpha, beta]),
        np.array(model["states"][-1], dtype=float),
        float(np.sqrt(model["sigma2"])),
    )


def _theta(y: Floats) -> Paths:
    from statsforecast.models import AutoTheta

    model = AutoTheta(season_length=1).fit(y).model_
    level, mean, intercept, slope, _ = (float(x) for x in model["states"][-1])
    # The first three residuals are the burn-in of the recursion.
    sigma = float(np.std(np.asarray(model["residuals"])[3:], ddof=1))
    return ThetaPaths(
        level=level,
        mean=mean,
        intercept=intercept,
        slope=slope,
        alpha=float(model["par"]["alpha"]),
        theta=float(model["par"]["theta"]),
        sigma=sigma,
        n=y.size,
        dynamic=model["modeltype"] in ("DSTM", "DOTM"),
    )


def _arima(y: Floats) -> Paths:
    from statsforecast.models import AutoARIMA

    model: Mapping[str, Any] = AutoARIMA(season_length=1).fit(y).model_
    form, coefs = model["model"], model["coef"]
    transition = np.array(form["T"], dtype=float)
    noise = np.array(form["V"], dtype=float)
    slope = float(coefs.get("drift", 0.0))
    return Innovations(
        transition,
        np.array(form["Z"], dtype=float) @ transition,
        # V = R R' with R[0] = 1.
        noise[:, 0] / np.sqrt(noise[0, 0]),
        np.array(form["a"], dtype=float),
        float(np.sqrt(model["sigma2"])),
        level=float(coefs.get("intercept", 0.0)) + slope * y.size,
        slope=slope,
    )


def _ces(y: Floats) -> Paths:
    from statsforecast.models import AutoCES

    model = AutoCES(season_length=1, model="N").fit(y).model_
    a0, a1 = (float(model["par"][k]) for k in ("alpha_0", "alpha_1"))
    return Innovations(
        np.array([[1.0, a1 - 1.0], [1.0, 1.0 - a0]]),
        np.array([1.0, 0.0]),
        np.array([a0 - a1, a0 + a1]),
        # The row after the last observation is scratch space of the C code.
        np.array(model["states"][y.size], dtype=float),
        float(np.sqrt(model["sigma2"])),
    )


_FITTERS: dict[str, Callable[[Floats], Paths]] = {
    "naive": _naive,
    "drift": _drift,
    "seasonal-naive": _seasonal_naive,
    "auto-ets": _ets,
    "auto-theta": _theta,
    "auto-arima": _arima,
    "auto-ces": _ces,
}

#: Names of the models of this module.
NAMES: tuple[str, ...] = (*_FITTERS, *(f"{name}-sums" for name in _FITTERS))


@dataclass(frozen=True, eq=False)
class FittedClassical:
    """Classical models fitted to the locations of a panel.

    Attributes
    ----------
    model : str
        Name of the model.
    panel : Panel
        What it was fitted to.
    series : mapping of str to Paths
        Fitted series by location.
    skipped : mapping of str to str
        Locations left out, and why.
    sums : bool
        Whether the series are 12-month sums (else months).
    """

    model: str
    panel: Panel
    series: Mapping[str, Paths]
    skipped: Mapping[str, str]
    sums: bool

    def __repr__(self) -> str:
        n, last = len(self.series), self.panel.last_month
        return f"<FittedClassical {self.model}: {n} locations to {last}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`.

        Raises
        ------
        PanelError
            If the draws of every location explode.
        """
        skipped, states, paths = dict(self.skipped), [], []
        for state, fitted in self.series.items():
            rng = streams.generator("location", state)
            with np.errstate(over="ignore", invalid="ignore"):
                drawn = np.expm1(fitted.draw(horizon, draws, rng))
            if np.isfinite(drawn).all():
                states.append(state)
                paths.append(drawn)
            else:
                skipped[state] = f"the draws of {self.model} explode within {horizon} months"
        require_some(states, skipped, self.panel, self.model)
        what = "12-month sums" if self.sums else "months"
        out, warnings = floor_at_zero(np.stack(paths, axis=1), states, what)
        return Forecast.from_panel(
            self.panel,
            out,
            states,
            joint=frozenset({MONTH}),
            target=TARGET_12MO if self.sums else TARGET_MONTH,
            skipped=skipped,
            warnings=warnings,
        )


@dataclass(frozen=True)
class Classical:
    """A classical model, on months or (name ending in ``-sums``) on 12-month sums.

    Series are fitted and simulated one by one: the draws are joint over months, not over
    locations, and the US row is a series of its own.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.

    Examples
    --------
    >>> Classical("naive-sums").name
    'naive-sums'
    """

    name: str

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec(
            self.name,
            "2",
            by="location",
            target=TARGET_12MO if self.name.endswith("-sums") else TARGET_MONTH,
            joint=frozenset({MONTH}),
        )

    def fit(self, panel: Panel) -> FittedClassical:
        """Fit every usable location of a panel.

        Raises
        ------
        PanelError
            If no location can be used.
        """
        base = self.name.removesuffix("-sums")
        sums = base != self.name
        states, skipped = usable_locations(panel, self.name)
        series: dict[str, Paths] = {}
        for state in states:
            months = trailing_months(panel, state)
            y = np.log1p(rolling_sums(months) if sums else months)
            try:
                series[state] = _fit_one(base, y)
            except Exception as error:
                # statsforecast raises bare Exceptions; one series must not end the others.
                skipped[state] = f"{self.name} could not be fitted: {error}"
        require_some(list(series), skipped, panel, self.name)
        return FittedClassical(self.name, panel, series, skipped, sums)


def _fit_one(base: str, y: Floats) -> Paths:
    if np.ptp(y) == 0:
        raise PanelError("the series never changes, so it shows no spread")
    fitted = _FITTERS[base](y)
    numbers = [np.ravel(np.asarray(x, dtype=float)) for x in vars(fitted).values()]
    if not np.isfinite(np.concatenate(numbers)).all():
        raise PanelError("the estimates are not finite")
    return fitted
