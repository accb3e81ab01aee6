"""Sizes as people say them: a percent change of deaths, or a change of dose times an elasticity.

Both are priors of the log rate ratio, like any other; what was said stays in files and messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.panel import Floats
from odforecast.scenario.priors import Fixed, Plain, Prior, is_number
from odforecast.scenario.quantiles import ByQuantiles, Quantiles

#: A change below this is drawn as this: −100 % leaves nobody, and no logarithm.
LEAST = -99.0


@dataclass(frozen=True)
class Percent(ByQuantiles):
    """Percent change of deaths at full strength, as a prior of the log rate ratio.

    Parameters
    ----------
    change : Prior or float
        Percent: −30 for 30 % fewer; above −100.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> cut = od.scenario.Percent(-30)
    >>> print(cut, round(cut.mean, 4), cut.sd)
    -30 % -0.3567 0.0
    >>> trial = od.scenario.Percent(od.scenario.Normal(-9, 5))
    >>> print(trial, round(float(np.expm1(trial.ppf(np.array(0.5)))), 6))
    Normal(-9 %, 5 %) -0.09
    """

    change: Any
    kind: ClassVar[str] = "percent"

    def __post_init__(self) -> None:
        object.__setattr__(self, "change", _prior("percent", self.change))
        low = self.change.interval(0.99)[0]
        if low < LEAST:
            raise ScenarioError(
                f"percent is {self}, allowed: above -100 (99 % of it from {LEAST:g} on)"
            )

    def ppf(self, u: Floats) -> Floats:
        """Log rate ratios at the probabilities ``u``."""
        return np.asarray(np.log1p(np.maximum(self.change.ppf(u), LEAST) / 100))

    def pdf(self, x: Floats) -> Floats:
        """Density of the log rate ratio."""
        ratio = np.exp(x)
        return np.asarray(self.change.pdf(100 * (ratio - 1)) * 100 * ratio)

    def to_pymc(self, name: str) -> Any:
        """The log of a variable ``<name>.percent``."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        change = pm.math.maximum(self.change.to_pymc(f"{name}.percent"), LEAST)
        return pm.Deterministic(name, pm.math.log1p(change / 100))

    def parameters(self) -> dict[str, float]:
        """Parameters of the change."""
        return dict(self.change.parameters())

    def to_dict(self) -> Plain:
        """Plain form for files, under the key ``percent`` in place of ``size``."""
        held = self.change.to_dict()
        if np.abs(self.change.interval(0.99)).max() < 1:
            # So small a bare number would be taken for a fraction.
            held = signed(held)
        return {"percent": held}

    def __str__(self) -> str:
        if isinstance(self.change, Quantiles):
            return self.change.words(" %")
        values = ", ".join(f"{v:g} %" for v in self.change.parameters().values())
        fixed = isinstance(self.change, Fixed)
        return values if fixed else f"{type(self.change).__name__}({values})"


@dataclass(frozen=True)
class Dose(ByQuantiles):
    """A change of dose times an elasticity: ``log(1 + change / 100) * elasticity``.

    Parameters
    ----------
    change : float
        Percent change of the dose, such as purity: −40; above −100.
    elasticity : Prior or float
        Percent by which deaths change for one percent of dose, on the log scale.

    Examples
    --------
    >>> import odforecast as od
    >>> purity = od.scenario.Dose(-40, od.scenario.Uniform(0, 0.84))
    >>> print(purity, [round(x, 3) for x in purity.interval(0.9)])
    change -40 % x elasticity Uniform(0, 0.84) [-0.408, -0.021]
    """

    change: float
    elasticity: Any
    kind: ClassVar[str] = "dose"

    def __post_init__(self) -> None:
        if not is_number(self.change) or not LEAST <= self.change <= 1e4:
            raise ScenarioError(f"dose: change is {self.change}, allowed: above -100 to 10000 (%)")
        object.__setattr__(self, "change", float(self.change))
        object.__setattr__(self, "elasticity", _prior("dose: elasticity", self.elasticity))

    @property
    def log_change(self) -> float:
        """Change of the log of the dose."""
        return float(np.log1p(self.change / 100))

    def ppf(self, u: Floats) -> Floats:
        """Log rate ratios at the probabilities ``u``."""
        # The quantiles of a fall rise as those of the elasticity fall.
        u = 1.0 - np.asarray(u) if self.change < 0 else u
        return np.asarray(self.log_change * self.elasticity.ppf(u))

    def pdf(self, x: Floats) -> Floats:
        """Density of the log rate ratio."""
        k = self.log_change
        return np.asarray(self.elasticity.pdf(x / k) / abs(k))

    def to_pymc(self, name: str) -> Any:
        """A variable ``<name>.elasticity`` times the change."""
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        elasticity = self.elasticity.to_pymc(f"{name}.elasticity")
        return pm.Deterministic(name, self.log_change * elasticity)

    def parameters(self) -> dict[str, float]:
        """The change, and parameters of the elasticity."""
        return {"change": self.change, **self.elasticity.parameters()}

    def to_dict(self) -> Plain:
        """Plain form for files, under the key ``dose`` in place of ``size``."""
        return {"dose": {"change": signed(self.change), "elasticity": self.elasticity.to_dict()}}

    def __str__(self) -> str:
        return f"change {self.change:g} % x elasticity {self.elasticity}"


def signed(held: Any) -> Any:
    """The same plain form, every number a text with a percent sign."""
    if isinstance(held, dict):
        return {key: signed(value) for key, value in held.items()}
    return f"{repr(float(held)).removesuffix('.0')} %" if is_number(held) else held


def _prior(key: str, value: object) -> Prior:
    if isinstance(value, Prior):
        return value
    if not is_number(value):
        raise ScenarioError(f"{key} is {value!r}, allowed: a number or a prior")
    return Fixed(float(value))  # type: ignore[arg-type]
