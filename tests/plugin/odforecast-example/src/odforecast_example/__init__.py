"""Two models for odforecast: a function, and a class with a setting."""

from dataclasses import dataclass, field

import numpy as np

import odforecast as od
from odforecast.errors import PanelError
from odforecast.models import Spec
from odforecast.models.spec import as_parameters

JOINT = frozenset({"month"})


@od.forecaster(by="location", joint=JOINT)
def last_quarter(panel, horizon, draws, rng):
    """Every month like the mean of the last three, with Poisson noise."""
    rate = np.maximum(panel.monthly[:, -3:].mean(axis=1), 0.0)
    return rng.poisson(rate[None, :, None], (draws, 1, horizon)).astype(float)


@dataclass(frozen=True)
class SteadyGrowth:
    """The last year's mean, growing by a share each month, with Poisson noise."""

    growth: float = 0.0

    @property
    def spec(self):
        settings = as_parameters(growth=self.growth)
        return Spec("steady-growth", by="location", joint=JOINT, parameters=settings)

    def fit(self, panel):
        usable, skipped = panel.usable(self.spec.min_months)
        if not usable:
            raise PanelError(f"steady-growth can use no location: {skipped}")
        return Fitted(panel, self.growth, usable, skipped)


@dataclass(frozen=True)
class Fitted:
    """Steady growth from a panel."""

    panel: object
    growth: float
    places: tuple
    skipped: dict = field(default_factory=dict)

    def draw(self, horizon, draws, streams):
        """Paths of months, each place from its own stream."""
        ahead = (1 + self.growth) ** np.arange(1, horizon + 1)
        paths = np.empty((draws, len(self.places), horizon))
        for i, place in enumerate(self.places):
            mean = max(self.panel.monthly[self.panel.index(place), -12:].mean(), 0.0)
            paths[:, i] = streams.generator("location", place).poisson(
                mean * ahead, (draws, horizon)
            )
        return od.Forecast.from_panel(
            self.panel, paths, self.places, joint=JOINT, skipped=self.skipped
        )
