"""Draws of each month by itself, from quantiles: joint over nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from odforecast.errors import PanelError
from odforecast.panel import Floats

#: Levels of the central intervals that are asked for, in percent.
INTERVALS = (20, 40, 60, 80, 90, 95, 98, 99)
#: Their ends, as levels of quantiles.
LEVELS = (*((100 - i) / 200 for i in INTERVALS[::-1]), *((100 + i) / 200 for i in INTERVALS))


@dataclass(frozen=True, eq=False)
class Marginals:
    """Draws with given quantiles, of each month ahead by itself.

    Between the levels and beyond them, quantiles are straight lines over those of a standard
    normal distribution: of normal quantiles, the draws are normal.

    Attributes
    ----------
    quantiles : callable
        Takes a horizon, returns quantiles at :data:`LEVELS`, shape (16, H).
    """

    quantiles: Callable[[int], Floats]

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Draws, shape (draws, horizon), independent from month to month."""
        at = np.sort(np.asarray(self.quantiles(horizon), dtype=float), axis=0)
        if at.shape != (len(LEVELS), horizon) or not np.isfinite(at).all():
            raise PanelError("its quantiles are no finite numbers")
        score = np.asarray(ndtri(LEVELS))
        normal = rng.standard_normal((horizon, draws)).T
        piece = np.clip(np.searchsorted(score, normal) - 1, 0, score.size - 2)
        slopes = np.diff(at, axis=0) / np.diff(score)[:, None]
        month = np.arange(horizon)
        return np.asarray(at[piece, month] + slopes[piece, month] * (normal - score[piece]))
