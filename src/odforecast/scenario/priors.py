"""Priors: real distributions, drawn through their quantile function.

Every draw is ``ppf(u)`` of a uniform number ``u``. Two scenarios that share the uniforms are
therefore paired: the worse half of one is the worse half of the other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from odforecast.errors import ScenarioError, proportion
from odforecast.panel import Floats

#: A prior as a scenario file holds it.
Plain = float | str | dict[str, Any]


@dataclass(frozen=True)
class Prior(ABC):
    """Base of the priors; use one of the subclasses.

    Subclasses name their parameters as dataclass fields, in the order in which a scenario
    file may list them: ``{normal: [-0.45, 0.20]}`` or ``{normal: {mean: -0.45, sd: 0.20}}``.
    """

    kind: ClassVar[str] = ""

    @abstractmethod
    def _frozen(self) -> Any:
        """The scipy distribution."""

    def ppf(self, u: Floats) -> Floats:
        """Quantile function: values at the probabilities ``u``, same shape."""
        return np.asarray(self._frozen().ppf(u), dtype=float)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """``n`` independent draws."""
        return self.ppf(rng.random(n))

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(self._frozen().mean())

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return float(self._frozen().std())

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Central interval.

        Examples
        --------
        >>> import odforecast as od
        >>> tuple(round(x, 2) for x in od.scenario.Normal(-0.45, 0.20).interval(0.9))
        (-0.78, -0.12)
        """
        proportion("level", level, ScenarioError)
        low, high = self.ppf(np.array([(1 - level) / 2, (1 + level) / 2]))
        return float(low), float(high)

    def pdf(self, x: Floats) -> Floats:
        """Density."""
        return np.asarray(self._frozen().pdf(x), dtype=float)

    @abstractmethod
    def to_pymc(self, name: str) -> Any:
        """The same distribution as a PyMC variable, inside a model context."""

    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {key: float(getattr(self, key)) for key in PARAMETERS[self.kind]}

    def to_dict(self) -> Plain:
        """Plain form for files, which reads back as the same prior."""
        return {self.kind: self.parameters()}

    def __str__(self) -> str:
        values = ", ".join(f"{value:g}" for value in self.parameters().values())
        return f"{type(self).__name__}({values})"


@dataclass(frozen=True)
class Fixed(Prior):
    """A single value, without uncertainty.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.Fixed(6).interval()
    (6.0, 6.0)
    """

    value: float
    kind: ClassVar[str] = "fixed"

    def __post_init__(self) -> None:
        _finite(self.kind, "value", self.value)

    def _frozen(self) -> Any:
        raise ScenarioError("a fixed value has no distribution", hint="use its value")

    def ppf(self, u: Floats) -> Floats:
        """The value, whatever the probability."""
        return np.full(np.shape(u), float(self.value))

    def pdf(self, x: Floats) -> Floats:  # noqa: ARG002
        """A fixed value has no density."""
        raise ScenarioError("a fixed value has no density", hint="draw a line at its value")

    @property
    def mean(self) -> float:
        """The value."""
        return float(self.value)

    @property
    def sd(self) -> float:
        """Zero."""
        return 0.0

    def to_pymc(self, name: str) -> Any:
        """A named constant of the model."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        return pm.Deterministic(name, pm.math.constant(float(self.value)))

    def to_dict(self) -> Plain:
        """The bare number."""
        return float(self.value)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Normal(Prior):
    """Normal distribution.

    Parameters
    ----------
    mean_, sd_ : float
        Mean, and standard deviation (above 0); ``mean`` and ``sd`` in files.
    """

    mean_: float
    sd_: float
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        _finite(self.kind, "mean", self.mean_)
        _positive(self.kind, "sd", self.sd_)

    def _frozen(self) -> Any:
        from scipy.stats import norm

        return norm(self.mean_, self.sd_)

    def to_pymc(self, name: str) -> Any:
        """``pm.Normal``."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        return pm.Normal(name, self.mean_, self.sd_)

    def parameters(self) -> dict[str, float]:
        """Mean and sd."""
        return {"mean": float(self.mean_), "sd": float(self.sd_)}


@dataclass(frozen=True)
class LogNormal(Prior):
    """Lognormal distribution: ``log x ~ Normal(log median, sigma)``.

    Parameters
    ----------
    median, sigma : float
        Both above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> round(float(od.scenario.LogNormal(2, 0.6).ppf(np.array(0.5))), 6)
    2.0
    """

    median: float
    sigma: float
    kind: ClassVar[str] = "lognormal"

    def __post_init__(self) -> None:
        _positive(self.kind, "median", self.median)
        _positive(self.kind, "sigma", self.sigma)

    def _frozen(self) -> Any:
        from scipy.stats import lognorm

        return lognorm(self.sigma, scale=self.median)

    def to_pymc(self, name: str) -> Any:
        """``pm.LogNormal``."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        return pm.LogNormal(name, math.log(self.median), self.sigma)


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform distribution on [low, high]."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        for key in ("low", "high"):
            _finite(self.kind, key, getattr(self, key))
        if not self.low < self.high:
            raise ScenarioError(f"uniform: low {self.low:g} must lie below high {self.high:g}")

    def _frozen(self) -> Any:
        from scipy.stats import uniform

        return uniform(self.low, self.high - self.low)

    def to_pymc(self, name: str) -> Any:
        """``pm.Uniform``."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        return pm.Uniform(name, self.low, self.high)


@dataclass(frozen=True)
class Beta(Prior):
    """Beta distribution on [0, 1].

    Examples
    --------
    >>> import odforecast as od
    >>> round(od.scenario.Beta(1.5, 4).mean, 3)
    0.273
    """

    a: float
    b: float
    kind: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        _positive(self.kind, "a", self.a)
        _positive(self.kind, "b", self.b)

    def _frozen(self) -> Any:
        from scipy.stats import beta

        return beta(self.a, self.b)

    def to_pymc(self, name: str) -> Any:
        """``pm.Beta``."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        return pm.Beta(name, self.a, self.b)


def is_number(value: object) -> bool:
    """Whether a value is a finite number; true and false are none."""
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]


def _finite(kind: str, key: str, value: float) -> None:
    if not is_number(value):
        raise ScenarioError(f"{kind}: {key} is {value!r}, allowed: a finite number")


def _positive(kind: str, key: str, value: float) -> None:
    _finite(kind, key, value)
    if not value > 0:
        raise ScenarioError(f"{kind}: {key} is {value:g}, allowed: above 0")


PRIORS: dict[str, type[Prior]] = {
    cls.kind: cls for cls in (Fixed, Normal, LogNormal, Uniform, Beta)
}

#: Names of the parameters, in the order of a list.
PARAMETERS = {
    "fixed": ("value",),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "uniform": ("low", "high"),
    "beta": ("a", "b"),
}


@dataclass(frozen=True)
class SpikeSlab:
    """An effect that is exactly zero with probability ``p_null``, else drawn from ``slab``.

    Attributes
    ----------
    slab : Prior
        Size if there is an effect.
    p_null : float
        Probability of no effect at all.

    Examples
    --------
    >>> import odforecast as od
    >>> prior = od.scenario.SpikeSlab(od.scenario.Normal(-0.45, 0.20), 0.10)
    >>> round(prior.mean, 3), round(prior.sd, 3)
    (-0.405, 0.233)
    """

    slab: Prior
    p_null: float = 0.0

    def __post_init__(self) -> None:
        if not (is_number(self.p_null) and 0.0 <= self.p_null <= 1.0):
            raise ScenarioError(f"p_null is {self.p_null!r}, allowed: 0 to 1")

    def draw(self, u_null: Floats, u_size: Floats) -> Floats:
        """Draws from two sets of uniforms: is there an effect, and how large."""
        return np.where(u_null < self.p_null, 0.0, self.slab.ppf(u_size))

    @property
    def mean(self) -> float:
        """Expected value, the zeros included."""
        return (1.0 - self.p_null) * self.slab.mean

    @property
    def sd(self) -> float:
        """Standard deviation, the zeros included."""
        second = (1.0 - self.p_null) * (self.slab.sd**2 + self.slab.mean**2)
        return math.sqrt(second - self.mean**2)

    def __str__(self) -> str:
        return f"{self.slab}, no effect with probability {self.p_null:g}"
