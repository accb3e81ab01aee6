"""What counties' last counts still miss: records pending, state by state.

A state's own counts are completed by the model of the states. If its counties are as complete as
it is, their ratio to the state's **reported** count is the ratio of a year before, up to the drift
of residence over occurrence. Where the ratio fell further (North Carolina's by an eighth in nine
months), part is drift and most is delay: the drift has a standard deviation of .018 a year, the
completeness of counties against their state another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.models.county.constants import COMPLETENESS_SD, RESIDENCE_STEP
from odforecast.models.county.states import StatePath
from odforecast.panel import Floats
from odforecast.seeds import Streams

WINDOW = 12
#: What a hidden count is taken for where only a ratio is looked at, and its variance.
HIDDEN, HIDDEN_VAR = 3.5, 5.0


@dataclass(frozen=True)
class Missing:
    """What the last counts of a state's counties miss, in every draw.

    Attributes
    ----------
    factor : ndarray, shape (D,)
        The counties' complete last count over the known one.
    profile : ndarray, shape (12,)
        Share of what is missing in each of the last twelve months; empty where nothing is.
    """

    factor: Floats
    profile: Floats

    def by_month(self, known: float, level: float) -> Floats:
        """Deaths missing in each month of a county that has one a year, shape (D, 12).

        Parameters
        ----------
        known : float
            The last count of all counties of the state together.
        level : float
            Their levels together, in deaths a year.

        Returns
        -------
        ndarray, shape (D, 12), or (0, 12) where nothing is missing
        """
        if self.profile.size == 0:
            return np.zeros((0, WINDOW))
        late = np.maximum(self.factor - 1.0, 0.0) * known / max(level, 1e-6)
        return np.asarray(late[:, None] * self.profile)


@dataclass(frozen=True)
class Delay:
    """How far a state's counties are behind.

    Attributes
    ----------
    total : float
        The state's reported last count; NaN where counts are final: then nothing is missing.
    behind : float
        Logarithm of the counties' last count over what it would be if they were as complete as
        their state; negative where they are less complete.
    spread : float
        Its standard deviation.
    """

    total: float = float("nan")
    behind: float = 0.0
    spread: float = 0.0

    @property
    def as_complete(self) -> float:
        """Factor on the state's reported count that makes it as complete as its counties."""
        return float(np.exp(self.behind))

    def drawn(self, path: StatePath, state: str, streams: Streams) -> Missing:
        """What is missing in each draw of the state."""
        draws = path.last.size
        if np.isnan(self.total):
            return Missing(np.ones(draws), np.zeros(0))
        rng = streams.generator("completeness", state)
        own = np.exp(-self.behind + self.spread * rng.standard_normal(draws))
        factor = own * path.last / max(self.total, 1.0)
        late = path.late.mean(axis=0)
        if not late.sum() > 0.0:
            late = (np.arange(1.0, WINDOW + 1.0) / WINDOW) ** 2
        return Missing(factor, late / late.sum())


def delay_of(low: Floats, high: Floats, total: Floats) -> Delay:
    """How far the counties of a state are behind it, from its counts of a year.

    Parameters
    ----------
    low, high : ndarray, shape (n, T)
        What the counties' counts lie between.
    total : ndarray, shape (T,)
        The state's reported counts; NaN where unknown.

    Returns
    -------
    Delay

    Examples
    --------
    >>> total = np.full(13, 1000.0)
    >>> counts = np.concatenate([np.full((1, 12), 1000.0), np.full((1, 1), 900.0)], axis=1)
    >>> found = delay_of(counts, counts, total)
    >>> round(found.behind, 3), round(found.spread, 3)
    (-0.077, 0.015)
    """
    ends = np.array([max(total.size - 1 - WINDOW, 0), total.size - 1])
    if np.isnan(total[-1]):
        return Delay()
    # Counts that are not known at both ends tell nothing of what changed between them.
    told = ~np.isnan(low[:, ends]).any(axis=1) & np.isfinite(high[:, ends]).all(axis=1)
    hidden = (low < high)[told][:, ends]
    counts = np.where(hidden, HIDDEN, low[told][:, ends]).sum(axis=0)
    years = (ends[1] - ends[0]) / 12.0
    # Nor does a state whose count of a year before is unknown: then they are as complete as it is.
    if not (counts > 0).all() or not (total[ends] > 0).all() or not years:
        return Delay(float(total[-1]))
    fell = float(np.diff(np.log(counts / total[ends]))[0])
    noise = float((HIDDEN_VAR * hidden.sum(axis=0) / counts**2).sum())
    drift = RESIDENCE_STEP**2 * years
    other = COMPLETENESS_SD**2 + noise
    kept = COMPLETENESS_SD**2 / (drift + other)
    return Delay(
        float(total[-1]), float(kept * fell), float(np.sqrt(COMPLETENESS_SD**2 * (1.0 - kept)))
    )
