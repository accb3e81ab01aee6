"""Fitted series that draw their future: linear innovations state spaces and the Theta model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from odforecast.forecast import Forecast
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
        return np.asarray(_linear([self], horizon, draws, [rng])[0])


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
        return np.asarray(_theta([self], horizon, draws, [rng])[0])


def drawn(
    series: Sequence[Paths], horizon: int, draws: int, generators: Sequence[np.random.Generator]
) -> Floats:
    """Paths of many fitted series (S, draws, horizon), each from its own generator."""
    # Those of one form and size are drawn together; row s is `series[s].draw(horizon, draws,
    # generators[s])`.
    alike: dict[tuple[type, int], list[int]] = {}
    for i, one in enumerate(series):
        size = one.state.size if isinstance(one, Innovations) else 0
        alike.setdefault((type(one), size), []).append(i)
    out = np.empty((len(series), draws, horizon))
    for rows in alike.values():
        some, rngs = [series[i] for i in rows], [generators[i] for i in rows]
        if linear := [s for s in some if isinstance(s, Innovations)]:
            out[rows] = _linear(linear, horizon, draws, rngs)
        elif lines := [s for s in some if isinstance(s, ThetaPaths)]:
            out[rows] = _theta(lines, horizon, draws, rngs)
        else:
            out[rows] = [s.draw(horizon, draws, g) for s, g in zip(some, rngs, strict=True)]
    return out


def _errors(
    sigmas: Sequence[float], horizon: int, draws: int, rngs: Sequence[np.random.Generator]
) -> Floats:
    """Normal errors, shape (S, draws, horizon), each series' from its own generator."""
    # Month by month, so that a shorter path is the beginning of a longer one.
    out = np.empty((len(rngs), draws, horizon))
    for i, rng in enumerate(rngs):
        out[i] = rng.standard_normal((horizon, draws)).T
    out *= np.array(sigmas)[:, None, None]
    return out


def _linear(
    series: Sequence[Innovations], horizon: int, draws: int, rngs: Sequence[np.random.Generator]
) -> Floats:
    """Paths of state spaces of one size K, shape (S, draws, horizon)."""
    from odforecast.models.kernels import linear_step, walk_paths

    n, size = len(series), series[0].state.size
    slope = np.empty((n, draws, 1))
    for i, one in enumerate(series):
        # Where the slope is known it need not be drawn.
        noise = rngs[i].standard_normal((draws, 1)) if one.slope_sd else np.zeros((1, 1))
        slope[i] = one.slope + one.slope_sd * noise
    errors = _errors([s.sigma for s in series], horizon, draws, rngs)
    level = np.array([s.level for s in series])
    state = np.stack([s.state for s in series])
    observe = np.stack([s.observe for s in series])
    gain = np.stack([s.gain for s in series])
    turn = np.stack([s.transition for s in series])
    if size == 1:
        walk_paths(
            level, slope[..., 0], state[:, 0], turn[:, 0, 0], observe[:, 0], gain[:, 0], errors
        )
        return errors
    out: Floats = level[:, None, None] + slope * np.arange(1, horizon + 1)
    # One product of matrices for each series, laid out as for one alone: the library that
    # multiplies them rounds by how they lie in memory.
    turn = turn.transpose(0, 2, 1)
    now = np.broadcast_to(state[:, None], (n, draws, size))
    out[..., 0] += (now * observe[:, None]).sum(axis=2) + errors[..., 0]
    for h in range(1, horizon):
        now = now @ turn
        if size == 2:
            linear_step(now, gain, observe, errors, h, out)
        else:
            now += errors[..., h - 1, None] * gain[:, None]
            out[..., h] += (now * observe[:, None]).sum(axis=2) + errors[..., h]
    return out


def _theta(
    series: Sequence[ThetaPaths], horizon: int, draws: int, rngs: Sequence[np.random.Generator]
) -> Floats:
    """Paths of Theta models, shape (S, draws, horizon)."""
    from odforecast.models.kernels import theta_paths

    out = _errors([s.sigma for s in series], horizon, draws, rngs)
    keep = [1.0 - s.alpha for s in series]
    power = np.array(
        [[k**i for i in range(s.n, s.n + horizon + 1)] for k, s in zip(keep, series, strict=True)]
    )
    start = np.array([[s.level, s.mean, s.intercept, s.slope, s.alpha, s.theta] for s in series])
    length = np.array([s.n for s in series])
    dynamic = np.array([s.dynamic for s in series])
    theta_paths(start, length, dynamic, power, out)
    return out


@dataclass(frozen=True, eq=False, repr=False)
class FittedSeries:
    """The locations of a panel, each with a fitted series of its own."""

    spec: Spec
    panel: Panel  # What it was fitted to
    series: Mapping[str, Paths]  # Fitted series by location
    skipped: Mapping[str, str]  # Locations left out, and why
    log: bool = True  # Whether the series are of log(1 + deaths)

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`."""
        model, skipped = self.spec.model, dict(self.skipped)
        paths: dict[str, Floats] = {}
        # What another library draws is drawn alone: where it fails, the others are drawn.
        ours = [s for s, one in self.series.items() if isinstance(one, Innovations | ThetaPaths)]
        for some in [ours] * bool(ours) + [[s] for s in self.series if s not in ours]:
            rngs = [streams.generator("location", s) for s in some]
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    found = drawn([self.series[s] for s in some], horizon, draws, rngs)
                    if self.log:
                        np.expm1(found, out=found)
            except MemoryError:
                raise
            except Exception as error:
                skipped |= {s: f"{model} could not forecast: {said(error)}" for s in some}
            else:
                paths |= dict(zip(some, found))
        states = [s for s in self.series if s in paths and np.isfinite(paths[s]).all()]
        for state in [s for s in paths if s not in states]:
            skipped[state] = f"draws of {model} are not finite within {horizon} months"
        require_some(states, skipped, self.panel, model)
        what = "12-month sums" if self.spec.target == TARGET_12MO else "months"
        out, warnings = floor_at_zero(np.stack([paths[s] for s in states], axis=1), states, what)
        return Forecast.from_panel(
            self.panel,
            out,
            states,
            joint=self.spec.joint,
            target=self.spec.target,
            skipped=skipped,
            warnings=warnings,
        )


def fit_series(
    spec: Spec, panel: Panel, fit: Callable[[str, Floats], Paths], log: bool = True
) -> FittedSeries:
    """Fit every usable location of a panel: ``fit`` takes its code and its deaths."""
    # These are months, or 12-month sums where the spec's paths are; `log` says whether `fit`
    # takes the log of them.
    states, skipped = usable_locations(panel, spec.model, spec.min_months)
    series = {}
    for state in states:
        months = trailing_months(panel, state)
        try:
            series[state] = fit(
                state, rolling_sums(months) if spec.target == TARGET_12MO else months
            )
        except MemoryError:
            raise
        except Exception as error:
            # Whatever another library raises, one series must not end the others.
            skipped[state] = f"{spec.model} could not be fitted: {said(error)}"
    require_some(list(series), skipped, panel, spec.model)
    return FittedSeries(spec, panel, series, skipped, log)
