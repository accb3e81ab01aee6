"""Fitted series that draw their future: linear innovations state spaces and the Theta model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from odforecast.forecasts import Forecast
from odforecast.models.paths import (
    floor_at_zero,
    require_some,
    said,
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

    # transition, observe, gain, state: (K, K), (K,), (K,), (K,): F, w, g, and x after the last
    # observation
    transition: Floats
    observe: Floats
    gain: Floats
    state: Floats
    sigma: float  # Standard deviation of e (normal)
    # level, slope: Known line added to the path, `level + slope * h`
    level: float = 0.0
    slope: float = 0.0
    slope_sd: float = 0.0  # Standard error of the slope: one draw per path

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        # Where the slope is known it need not be drawn.
        noise = rng.standard_normal(draws) if self.slope_sd else np.zeros(draws)
        errors = _errors(self.sigma, horizon, draws=draws, rng=rng)
        ahead = np.arange(1, horizon + 1)[:, None]
        out = self.level + (self.slope + self.slope_sd * noise) * ahead
        now = np.broadcast_to(self.state, (draws, self.state.size))
        few = self.observe.size < 8  # numpy adds so few one by one, and more in pairs
        for h in range(horizon):
            if h:
                now = now @ self.transition.T
                for k, gain in enumerate(self.gain):
                    now[:, k] += errors[h - 1] * gain
            seen = now[:, 0] * self.observe[0] if few else (now * self.observe).sum(axis=1)
            for k in range(1, self.observe.size * few):
                seen += now[:, k] * self.observe[k]
            out[h] += seen + errors[h]
        return out.T


@dataclass(frozen=True, eq=False)
class ThetaPaths:
    """The Theta model: a smoothed level plus a share of a line that may keep learning."""

    # level, mean, intercept, slope: Smoothed level, mean of the series, and the fitted line, after
    # `n` observations
    level: float
    mean: float
    intercept: float
    slope: float
    # alpha, theta, sigma: Smoothing, weight and error scale
    alpha: float
    theta: float
    sigma: float
    n: int  # Observations
    # Whether the line is refitted as (simulated) observations come in: the dynamic models
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
            line = a * keep ** (self.n + h) + b * (1.0 - keep ** (self.n + h + 1)) / self.alpha
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
    panel: Panel  # What it was fitted to
    series: Mapping[str, Paths]  # Fitted series by location
    skipped: Mapping[str, str]  # Locations left out, and why
    log: bool = True  # Whether the series are of log(1 + deaths)

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        model = self.spec.model
        skipped = dict(self.skipped)
        paths: dict[str, Floats] = {}
        for state, one in self.series.items():
            try:
                with np.errstate(
                    over="ignore",
                    invalid="ignore",
                    divide="ignore",
                ):
                    found = one.draw(horizon, draws, streams.generator("location", state))
                    paths[state] = np.expm1(found) if self.log else found
            except MemoryError:
                raise
            except Exception as error:
                # Whatever another library raises, one series must not end the others.
                skipped[state] = f"{model} could not forecast: {said(error)}"
        states = [s for s in self.series if s in paths and np.isfinite(paths[s]).all()]
        for state in [s for s in paths if s not in states]:
            skipped[state] = f"draws of {model} are not finite within {horizon} months"
        require_some(states, skipped, panel=self.panel, model=model)
        what = "12-month sums" if self.spec.target == TARGET_12MO else "months"
        out, warnings = floor_at_zero(
            np.stack([paths[s] for s in states], axis=1),
            states,
            what=what,
        )
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
            skipped[state] = f"{spec.model} could not be fitted: {said(error)}"
    require_some(list(series), skipped, panel=panel, model=spec.model)
    return FittedSeries(spec, panel, series=series, skipped=skipped, log=log)
