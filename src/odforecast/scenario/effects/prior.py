"""Prior of a past event's size, with the possibility of nothing, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from odforecast.panel import Floats
from odforecast.scenario.intervention import Intervention

#: A Bayes factor within these bounds moves a probability by little.
WEAK = (1 / 3, 3.0)

#: Posterior over prior sd above which a size is the prior's.
KEPT = 0.8


@dataclass(frozen=True)
class EventPrior:
    """Prior of a size: nothing with probability ``p_null``, else normal between two bounds.

    Attributes
    ----------
    mean, sd : float
        Of the normal distribution.
    low, high : float
        Its bounds: one of them is 0 where only a fall, or only a rise, counts.
    p_null : float
        The tail that does not count included.
    """

    mean: float
    sd: float
    p_null: float = 0.0
    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def of(cls, x: Intervention) -> EventPrior:
        """Prior of an intervention's size times its share."""
        mean, sd = slab(x)
        sd = max(sd, 1e-6)
        low = 0.0 if x.direction == "rise" else -np.inf
        high = 0.0 if x.direction == "fall" else np.inf
        within = float(inside(np.array(mean), np.array(sd), low, high))
        return cls(mean, sd, 1.0 - (1.0 - x.p_null) * within, low, high)

    @property
    def one_sided(self) -> bool:
        """Whether one tail counts for nothing."""
        return bool(np.isfinite(self.low) or np.isfinite(self.high))

    @property
    def given(self) -> tuple[float, float]:
        """Mean and sd given an effect."""
        first, second, _ = moments(np.array(self.mean), np.array(self.sd), self.low, self.high)
        mean = float(first)
        return mean, float(np.sqrt(max(float(second) - mean**2, 0.0)))


def slab(x: Intervention) -> tuple[float, float]:
    """Mean and sd of ``size * share``, the possibility of no effect left out."""
    mean = x.size.mean * x.share.mean
    square = (x.size.sd**2 + x.size.mean**2) * (x.share.sd**2 + x.share.mean**2)
    return mean, float(np.sqrt(max(square - mean**2, 0.0)))


@dataclass(frozen=True)
class EventSummary:
    """What the counts did to the prior of one event.

    Attributes
    ----------
    name : str
    prior_mean, prior_sd, mean, sd : float
        Given an effect.
    low, high : float
        90 % interval given an effect.
    prior_p_null, p_null : float
        Probability of no effect.
    bayes_factor : float
        Evidence for no effect against an effect: what multiplies the odds.
    prior_dominated : bool
        Whether that factor lies within 1/3 and 3 **and** the sd given an effect keeps more than
        0.8 of its prior's: then the result is the assumption.
    """

    name: str
    prior_mean: float
    prior_sd: float
    mean: float
    sd: float
    low: float
    high: float
    prior_p_null: float
    p_null: float
    bayes_factor: float
    prior_dominated: bool

    def __str__(self) -> str:
        out = (
            f"{self.name}: prior {self.prior_mean:+.2f} (sd {self.prior_sd:.2f}), no effect with "
            f"probability {self.prior_p_null:.2f}; posterior {self.mean:+.2f} (sd {self.sd:.2f}, "
            f"90 % {self.low:+.2f} to {self.high:+.2f}), no effect with probability "
            f"{self.p_null:.2f} (Bayes factor {self.bayes_factor:.2g})"
        )
        return out + (": prior-dominated" if self.prior_dominated else "")


def inside(means: Floats, sds: Floats, low: float, high: float) -> Floats:
    """Mass of normals between two bounds, never quite 0."""
    return np.asarray(np.maximum(ndtr((high - means) / sds) - ndtr((low - means) / sds), 1e-300))


def moments(means: Floats, sds: Floats, low: float, high: float) -> tuple[Floats, Floats, Floats]:
    """Mean, mean square and mass of normals between two bounds."""
    mass = inside(means, sds, low, high)
    ratio, edge = np.zeros_like(means), np.zeros_like(means)
    for bound, sign in ((low, 1.0), (high, -1.0)):
        if np.isfinite(bound):
            z = (bound - means) / sds
            density = sign * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) / mass
            ratio, edge = ratio + density, edge + z * density
    mean = means + sds * ratio
    variance = sds**2 * np.maximum(1.0 + edge - ratio**2, 0.0)
    return mean, variance + mean**2, mass
