"""Fitted series that draw their future: linear innovations state spaces and the Theta model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from odforecast.forecasts import Forecast
from odforecast.models.paths import (
    floor_at_zero,
    one_line,
    require_some,
    trailing_months,
    usable_locations,
)
from odforecast.models.spec import Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.names import TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams


class Paths(Protocol):
    """A fitted series that can draw its future."""

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths on the scale of the fit, shape (draws, horizon)."""


@dataclass(frozen=True, eq=False)
class Innovations:
    """Linear innovations state space: ``y = w·x + e``, then ``x <- F x + g e``."""

    # Random walks, additive ETS, CES and ARIMA are all of this form.

    #: F, shape (K, K).
    transition: Floats
    #: w, shape (K,).
    observe: Floats
    #: g, shape (K,).
    gain: Floats
    #: x after the last observation, shape (K,).
    state: Floats
    #: Standard deviation of e (normal).
    sigma: float
    #: Start of a line that is added to the path, ``level + slope * h``.
    level: float = 0.0
    slope: float = 0.0
    #: Standard error of the slope: one draw per path.
    slope_sd: float = 0.0

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        # Where the slope is known it need not be drawn.
        noise = rng.standard_normal(draws) if self.slope_sd else np.zeros(draws)
        errors = _errors(self.sigma, horizon, draws=draws, rng=rng)
        ahead = np.arange(1, horizon + 1)[:, None]
        out = self.level + (self.slope + self.slope_sd * noise) * ahead
        state = np.broadcast_to(self.state, (draws, self.state.size))
        one_by_one = (
            self.observe.size < 8
        )  # numpy adds so few one by one, and more in pairs
        for h in range(horizon):
            if h:
                state = state @ self.transition.T
                for k, gain in enumerate(self.gain):
                    state[:, k] += errors[h - 1] * gain
            if one_by_one:
                mean = state[:, 0] * self.observe[0]
                for k in range(1, self.observe.size):
                    mean += state[:, k] * self.observe[k]
            else:
                mean = (state * self.observe).sum(axis=1)
            out[h] += mean + errors[h]
        return out.T


@dataclass(frozen=True, eq=False)
class ThetaPaths:
    """The Theta model: a smoothed level plus a share of a line that may keep learning."""

    #: Smoothed level after `n` observations.
    level: float
    #: Mean of the series.
    mean: float
    #: Of the fitted line.
    intercept: float
    #: Of the fitted line.
    slope: float
    #: Smoothing.
    alpha: float
    #: Weight of the line.
    theta: float
    #: Standard deviation of the errors.
    sigma: float
    #: Observations.
    n: int
    #: Whether the line is refitted as (simulated) observations come in: the dynamic models.
    dynamic: bool

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon). Recursions of Fiorucci et al. (2016), section 3."""
        keep = 1.0 - self.alpha
        weight = 1.0 - 1.0 / self.theta
        level = self.level
        mean = self.mean
        a = self.intercept
        b = self.slope
        out = _errors(self.sigma, horizon, draws=draws, rng=rng)
        for h in range(horizon):
            i = float(self.n + h)
            line = (
                a * keep ** (self.n + h)
                + b * (1.0 - keep ** (self.n + h + 1)) / self.alpha
            )
            out[h] += level + weight * line
            level = self.alpha * out[h] + keep * level
            if self.dynamic:
                b = ((i - 1.0) * b + 6.0 * (out[h] - mean) / (i + 1.0)) / (i + 2.0)
                mean = (i * mean + out[h]) / (i + 1.0)
                a = mean - b * (i + 2.0) / 2.0
        return out.T


def _errors(sigma: float, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
    """Normal errors, shape (horizon, draws)."""
    # Month by month, so that a shorter path is the beginning of a longer one.
    return sigma * rng.standard_normal((horizon, draws))


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class FittedSeries:
    """The locations of a panel, each with a fitted series of its own."""

    spec: Spec
    #: What it was fitted to.
    panel: Panel
    #: Fitted series by location.
    series: Mapping[str, Paths]
    #: Locations left out, and why.
    skipped: Mapping[str, str]
    #: Whether the series are of log(1 + deaths).
    log: bool = True

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        model = self.spec.model
        skipped = dict(self.skipped)
        paths: dict[str, Floats] = {}
        for state, series in self.series.items():
            rng = streams.generator("location", state)
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    path = series.draw(horizon, draws, rng)
                    paths[state] = np.expm1(path) if self.log else path
            except MemoryError:
                raise
            except Exception as error:
                # Whatever another library raises, one series must not end the others.
                skipped[state] = f"{model} could not forecast: {one_line(error)}"
        for state, path in paths.items():
            if not np.isfinite(path).all():
                skipped[state] = (
                    f"draws of {model} are not finite within {horizon} months"
                )
        states = [state for state in paths if state not in skipped]
        require_some(states, skipped, panel=self.panel, model=model)
        what = "12-month sums" if self.spec.target == TARGET_12MO else "months"
        stacked = np.stack([paths[state] for state in states], axis=1)
        out, warnings = floor_at_zero(stacked, states, what=what)
        return Forecast.from_panel(
            self.panel,
            out,
            locations=states,
            joint=self.spec.joint,
            target=self.spec.target,
            skipped=skipped,
            warnings=warnings,
        )


def fit_series(
    spec: Spec,
    panel: Panel,
    fit: Callable[[str, Floats], Paths],
    log: bool = True,
) -> FittedSeries:
    """Fit every usable location of a panel: ``fit`` takes its code and its deaths."""
    # These are months, or 12-month sums where the spec's paths are; `log` says whether `fit`
    # takes the log of them.
    states, skipped = usable_locations(panel, spec.model, min_months=spec.min_months)
    series = {}
    for state in states:
        deaths = trailing_months(panel, state)
        try:
            deaths = rolling_sums(deaths) if spec.target == TARGET_12MO else deaths
            series[state] = fit(state, deaths)
        except MemoryError:
            raise
        except Exception as error:
            # Whatever another library raises, one series must not end the others.
            skipped[state] = f"{spec.model} could not be fitted: {one_line(error)}"
    require_some(list(series), skipped, panel=panel, model=spec.model)
    return FittedSeries(spec, panel, series=series, skipped=skipped, log=log)
