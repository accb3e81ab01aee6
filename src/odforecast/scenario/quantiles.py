"""Quantiles as somebody says them, and the distribution that meets them.

Two of them fix a normal distribution; three or more may lean to one side, and are met by a
shifted lognormal (Tukey's *g*): with ``z`` a standard normal number, ``m + s (e^(g z) - 1) / g``,
whose quantiles rise whatever ``g`` is. Times are fitted as logarithms and shares as logits, so
that none falls below 0 or passes 1.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from scipy import optimize, special

from odforecast.errors import ScenarioError
from odforecast.panel import Floats
from odforecast.scenario.priors import Plain, Prior

#: What a number may be: any, above 0, or between 0 and 1.
SCALES = {"real": "any number", "positive": "above 0", "unit": "above 0 and below 1"}

#: A fitted quantile may miss what was said by this part of the range of what was said.
TOLERANCE = 0.05

#: Most lean of a fit, to either side.
_MOST = 4.0

_GRID = (np.arange(20_000) + 0.5) / 20_000


class ByQuantiles(Prior):
    """A prior that is known by its quantile function alone."""

    def _frozen(self) -> Any:
        raise ScenarioError(f"{self} has no closed form", hint="use ppf")

    @abstractmethod
    def ppf(self, u: Floats) -> Floats:
        """Quantile function: values at the probabilities ``u``, same shape."""

    @property
    def mean(self) -> float:
        """Expected value, of 20,000 quantiles."""
        return _moments(self)[0]

    @property
    def sd(self) -> float:
        """Standard deviation, of 20,000 quantiles."""
        return _moments(self)[1]


@cache
def _moments(prior: ByQuantiles) -> tuple[float, float]:
    values = prior.ppf(_GRID)
    # The same number 20,000 times has an sd of rounding errors.
    return float(values.mean()), 0.0 if np.ptp(values) == 0.0 else float(values.std())


@dataclass(frozen=True)
class Fit:
    """A shifted lognormal: median, scale and lean; a normal where the lean is 0."""

    median: float
    scale: float
    lean: float = 0.0

    def at(self, z: Floats) -> Floats:
        """Values at standard normal numbers."""
        lean = self.lean
        bent = z if lean == 0.0 else np.expm1(lean * z) / lean
        return np.asarray(self.median + self.scale * bent)

    def back(self, y: Floats) -> tuple[Floats, Floats]:
        """Standard normal numbers of values, and the slope dy/dz there (NaN outside)."""
        z = (y - self.median) / self.scale
        if self.lean != 0.0:
            with np.errstate(invalid="ignore", divide="ignore"):
                z = np.log1p(self.lean * z) / self.lean
        return z, np.asarray(self.scale * np.exp(self.lean * z))


@dataclass(frozen=True)
class Quantiles(ByQuantiles):
    """Quantiles as they were said, and the distribution fitted to them.

    They are those of the quantity **given that there is an effect**: a chance of nothing is
    ``p_null``'s alone.

    Parameters
    ----------
    points : mapping of float to float, or tuple of pairs
        Probability (0 to 1, both excluded) to value; two or more, and the values rise.
    scale : {"real", "positive", "unit"}
        What the quantity may be; a time is positive, a share lies in the unit interval.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> said = od.scenario.Quantiles({0.05: -30, 0.5: -10})
    >>> print(said)
    5 %: -30, 50 %: -10; fitted Normal(-10, 12.16)
    >>> round(float(said.ppf(np.array(0.05))), 9)
    -30.0
    """

    points: Any
    scale: str = "real"
    kind: ClassVar[str] = "quantiles"

    def __post_init__(self) -> None:
        pairs = self.points.items() if isinstance(self.points, Mapping) else self.points
        points = tuple(sorted((round(float(p), 12), float(v)) for p, v in pairs))
        object.__setattr__(self, "points", points)
        _check(points, self.scale)
        _ = self.fitted

    @property
    def fitted(self) -> Fit:
        """The distribution on the scale of the fit: itself, logarithms or logits."""
        return _fit(self.points, self.scale)

    def ppf(self, u: Floats) -> Floats:
        """Quantile function of the fitted distribution."""
        return _from(self.scale, self.fitted.at(special.ndtri(np.asarray(u, dtype=float))))

    def pdf(self, x: Floats) -> Floats:
        """Density of the fitted distribution; 0 where it cannot be."""
        x = np.asarray(x, dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):
            z, slope = self.fitted.back(_to(self.scale, x))
            # What a step of x is on the scale of the fit.
            step = {"real": 1.0, "positive": 1.0 / x, "unit": 1.0 / (x * (1.0 - x))}[self.scale]
            density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / slope * step
        return np.where(np.isfinite(density), density, 0.0)

    def to_pymc(self, name: str) -> Any:
        """A standard normal variable ``<name>.z``, carried to the fitted distribution."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        fit, z = self.fitted, pm.Normal(f"{name}.z", 0.0, 1.0)
        bent = z if fit.lean == 0.0 else (pm.math.exp(fit.lean * z) - 1.0) / fit.lean
        y = fit.median + fit.scale * bent
        if self.scale != "real":
            y = pm.math.exp(y) if self.scale == "positive" else pm.math.invlogit(y)
        return pm.Deterministic(name, y)

    def parameters(self) -> dict[str, float]:
        """What was said: ``"5 %"`` to value."""
        return {_percent(p): v for p, v in self.points}

    def to_dict(self) -> Plain:
        """Plain form for files: what was said, not what was fitted."""
        return {"quantiles": self.parameters()}

    def words(self, unit: str = "") -> str:
        """What was said and what was fitted, every value with a unit."""
        said = ", ".join(f"{_percent(p)}: {v:g}{unit}" for p, v in self.points)
        fit = self.fitted
        if fit.lean == 0.0 and self.scale == "real":
            return f"{said}; fitted Normal({fit.median:.4g}{unit}, {fit.scale:.4g}{unit})"
        if fit.lean == 0.0 and self.scale == "positive":
            return f"{said}; fitted LogNormal({np.exp(fit.median):.4g}, {fit.scale:.4g})"
        got = self.ppf(np.array([p for p, _ in self.points]))
        pairs = ", ".join(f"{_percent(p)}: {v:.3g}{unit}" for (p, _), v in zip(self.points, got))
        name = {"real": "shifted lognormal", "positive": "leaning lognormal"}.get(
            self.scale, "logit-normal"
        )
        return f"{said}; fitted {name} with {pairs}"

    def __str__(self) -> str:
        return self.words()


def _check(points: Sequence[tuple[float, float]], scale: str) -> None:
    said = ", ".join(f"{_percent(p)}: {v:g}" for p, v in points)
    if scale not in SCALES:
        raise ScenarioError(f"scale is {scale!r}, allowed: {', '.join(SCALES)}")
    if len(points) < 2:
        raise ScenarioError(f"quantiles are {said or 'none'}, allowed: two or more")
    if not all(0.0 < p < 1.0 for p, _ in points):
        raise ScenarioError(f"quantiles are {said}, allowed: from above 0 % to below 100 %")
    for (p, v), (q, w) in itertools.pairwise(points):
        if p == q:
            raise ScenarioError(f"quantile {_percent(p)} is given twice, allowed: once")
        if not v < w:
            raise ScenarioError(
                f"quantile {_percent(q)} is {w:g} and {_percent(p)} is {v:g}, allowed: values that "
                "rise with the percentage",
                hint="of falls, the largest stands first: 5 %: -30, 50 %: -10",
            )
    values = [v for _, v in points]
    low, high = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "unit": (0.0, 1.0)}[scale]
    if not all(np.isfinite(v) and low < v < high for v in values):
        raise ScenarioError(f"quantiles are {said}, allowed: values {SCALES[scale]}")


@cache
def _fit(points: tuple[tuple[float, float], ...], scale: str) -> Fit:
    z = special.ndtri([p for p, _ in points])
    said = np.array([v for _, v in points])
    y = _to(scale, said)
    slope, middle = np.polyfit(z, y, 1)
    if len(points) == 2:
        return Fit(float(middle), float(slope))
    wide = float(np.ptp(y))

    def misses(x: Floats) -> Floats:
        return (Fit(x[0], wide * np.exp(x[1]), x[2]).at(z) - y) / wide

    best = min(
        (
            optimize.least_squares(
                misses, [middle, np.log(slope / wide), lean], xtol=1e-15, ftol=1e-15, gtol=1e-15,
                bounds=([-np.inf, -30, -_MOST], [np.inf, 30, _MOST]),
            )
            for lean in (-1.0, 1e-3, 1.0)
        ),
        key=lambda found: float(found.cost),
    )  # fmt: skip
    median, log_scale, lean = map(float, best.x)
    # A lean nobody can see is rounding.
    fit = Fit(median, wide * float(np.exp(log_scale)), lean if abs(lean) > 1e-6 else 0.0)
    got = _from(scale, fit.at(z))
    if np.abs(got - said).max() > TOLERANCE * np.ptp(said):
        pairs = [", ".join(f"{_percent(p)}: {v:.3g}" for (p, _), v in zip(points, values))
                 for values in (said, got)]  # fmt: skip
        raise ScenarioError(
            f"quantiles are {pairs[0]}, and no smooth distribution meets them: the nearest has "
            f"{pairs[1]}",
            hint="allowed: two or three quantiles, or more that fit together",
        )
    return fit


def _to(scale: str, x: Floats) -> Floats:
    if scale == "real":
        return x
    return np.asarray(np.log(x) if scale == "positive" else special.logit(x))


def _from(scale: str, y: Floats) -> Floats:
    if scale == "real":
        return y
    return np.asarray(np.exp(y) if scale == "positive" else special.expit(y))


def _percent(p: float) -> str:
    return f"{100 * p:.12g} %"
