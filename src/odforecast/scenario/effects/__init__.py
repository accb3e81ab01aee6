"""Posteriors of past events: timing, spread between states and "nothing" as parameters."""

from odforecast.scenario.effects.estimator import TIMINGS, Estimator, estimate
from odforecast.scenario.effects.posterior import EffectDraws, EventPosterior
from odforecast.scenario.effects.prior import EventPrior, EventSummary, slab
from odforecast.scenario.effects.series import Grid
from odforecast.scenario.effects.timing import Timings, median_timing, random_timing, timings

__all__ = [
    "TIMINGS",
    "EffectDraws",
    "Estimator",
    "EventPosterior",
    "EventPrior",
    "EventSummary",
    "Grid",
    "Timings",
    "estimate",
    "median_timing",
    "random_timing",
    "slab",
    "timings",
]
