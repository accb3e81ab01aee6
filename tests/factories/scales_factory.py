"""Scales near those of the table, that no new estimate moves."""

from odforecast.models.statespace.kalman import Scales

HAND = Scales(
    level_own=0.0355, level_region=0.0188, level_us=0.0283, slope_us=0.0034, damp_us=0.976,
    noise=0.0601, shock=0.0075,
)  # fmt: skip
