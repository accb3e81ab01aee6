"""Panels that the estimator's model did not make: what real epidemics do and it does not know.

Each generator gives monthly counts and the size that was injected. Recovery on them is the
honest half of calibration: an interval that holds only where its own model is true says nothing
of the world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats
from odforecast.scenario.effects import random_timing
from odforecast.scenario.intervention import Intervention

#: What a generator takes: random numbers, months, the event and the locations.
Generator = Callable[[np.random.Generator, Months, Intervention, int], tuple[Floats, float]]


@dataclass(frozen=True)
class Epidemic:
    """What a panel does by itself, and how it is counted.

    Attributes
    ----------
    walk, own : float
        Monthly sd of the common walk, and of each location's.
    slope : float
        Monthly sd of a walk in the common slope.
    overdispersion : float
        Counts have variance ``mean + overdispersion * mean²``; 0 is Poisson.
    turn : float
        Growth a month that a logistic turn takes away, in the middle of the panel's last third.
    late : int
        The event begins up to so many months off its stated onset.
    unknown : float
        Sd of the size of a second event, of which nobody knows, within half a year of the first.
    """

    walk: float = 0.015
    own: float = 0.02
    slope: float = 0.0
    overdispersion: float = 0.0
    turn: float = 0.0
    late: int = 0
    unknown: float = 0.0

    def __call__(
        self, rng: np.random.Generator, months: Months, event: Intervention, locations: int
    ) -> tuple[Floats, float]:
        """Counts, shape (S, T), and the injected size."""
        n_time = months.size
        level = rng.uniform(np.log(30.0), np.log(400.0), (locations, 1))
        logs = level + rng.normal(0.0, 0.004, (locations, 1)) * np.arange(n_time)
        slope = np.cumsum(rng.normal(0.0, self.slope, n_time)) if self.slope else 0.0
        logs = logs + np.cumsum(rng.normal(0.0, self.walk, n_time) + slope)
        logs += np.cumsum(rng.normal(0.0, self.own, (locations, n_time)), axis=1)
        if self.turn:
            # Growth that dies away along a logistic curve within about a year.
            middle = rng.uniform(0.65, 0.95) * n_time
            growth = self.turn / (1.0 + np.exp((np.arange(n_time) - middle) / 3.0))
            logs += np.cumsum(growth - self.turn / 2.0)
        beta = float(event.size.draw(rng, 1)[0])
        moved = event
        if self.late:
            off = int(rng.integers(-self.late, self.late + 1)) * ONE_MONTH
            moved = replace(event, onset=(event.onset[0] + off, event.onset[1] + off))
        logs += beta * self.felt(rng, moved, months, locations)
        if self.unknown:
            off = int(rng.integers(-6, 7)) * ONE_MONTH
            other = replace(event, onset=(event.onset[0] + off, event.onset[1] + off))
            size = float(rng.normal(0.0, self.unknown))
            logs += size * self.felt(rng, other, months, locations)
        mean = np.exp(logs)
        if self.overdispersion:
            shape = 1.0 / self.overdispersion
            mean = mean * rng.gamma(shape, 1.0 / shape, mean.shape)
        return rng.poisson(mean).astype(float), beta

    @staticmethod
    def felt(
        rng: np.random.Generator, event: Intervention, months: Months, locations: int
    ) -> Floats:
        """Each location's share of the effect in each month, shape (S, T)."""
        timing = random_timing(event, rng)
        tau = float(timing.spread[0])
        own = np.exp(tau * rng.standard_normal(locations) - 0.5 * tau**2)
        # The nation's size is what was stated, whatever the states do.
        return np.asarray((own / own.mean())[:, None] * timing.shape(months))


GENERATORS: dict[str, Epidemic] = {
    "walk": Epidemic(),
    "wandering slope .005": Epidemic(slope=0.005),
    "wandering slope .01": Epidemic(slope=0.01),
    "overdispersed": Epidemic(overdispersion=0.03),
    "logistic turn": Epidemic(turn=0.04),
    "onset off by up to 4": Epidemic(late=4),
    "unknown second event": Epidemic(unknown=0.15),
}
