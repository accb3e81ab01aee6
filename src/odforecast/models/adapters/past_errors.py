"""Paths round a point forecast, from the errors that the same forecaster made before.

The forecaster is fitted again to the series as it was at up to ``windows`` earlier months, every
third one, and forecasts the twelve months after each: its past errors, one path of twelve months
for each. A drawn path is the point forecast plus a sum of all these error paths, each weighted by
a standard normal number over the root of how many there are. So drawn errors are normal, with
mean zero; their spread in each month ahead is the root mean square of the past errors (a bias
counts as spread, and is not corrected), and from month to month they go together as the past ones
did. That makes them joint over months. Beyond twelve months a further path of errors goes on
where the first ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from odforecast.errors import PanelError
from odforecast.panel import Floats

#: Months of one path of errors.
LENGTH = 12
#: Months from one earlier fit to the next.
STEP = 3
#: Months that the earliest fit has at least.
LEAST = 24
#: Earlier fits that there must be.
FEWEST = 4
#: Months a series needs for that.
NEEDED = LEAST + LENGTH + STEP * (FEWEST - 1)


def cutoffs(n: int, windows: int) -> list[int]:
    """How many months each of the earlier fits has, the latest first.

    Parameters
    ----------
    n : int
        Months of the series.
    windows : int
        Fits at most.

    Examples
    --------
    >>> from odforecast.models.adapters.past_errors import cutoffs
    >>> cutoffs(60, 12)
    [48, 45, 42, 39, 36, 33, 30, 27, 24]
    >>> cutoffs(35, 12)
    []
    """
    return list(range(n - LENGTH, LEAST - 1, -STEP))[:windows]


def past_errors(y: Floats, forecast: Callable[[Floats], Floats], windows: int) -> Floats:
    """Errors of earlier forecasts, shape (windows, 12).

    Parameters
    ----------
    y : ndarray, shape (n,)
    forecast : callable
        Takes the first months of the series, returns the point forecasts of the next twelve.
    windows : int
        Earlier fits at most.

    Raises
    ------
    PanelError
        If the series is too short, or a point forecast is no number.
    """
    ends = cutoffs(y.size, windows)
    if len(ends) < FEWEST:
        raise PanelError(
            f"only {y.size} values, and errors of {FEWEST} earlier forecasts of {LENGTH} months "
            f"need {NEEDED}"
        )
    errors = np.stack([y[end : end + LENGTH] - forecast(y[:end]) for end in ends])
    if not np.isfinite(errors).all():
        raise PanelError("a past point forecast is no finite number")
    return errors


@dataclass(frozen=True, eq=False)
class PastErrors:
    """Paths: point forecasts, and errors as in the past.

    Attributes
    ----------
    mean : callable
        Takes a horizon, returns point forecasts, shape (H,).
    errors : ndarray, shape (W, 12)
        Of earlier forecasts.
    """

    mean: Callable[[int], Floats]
    errors: Floats

    def draw(self, horizon: int, draws: int, rng: np.random.Generator) -> Floats:
        """Paths, shape (draws, horizon)."""
        count = len(self.errors)
        blocks: list[Floats] = []
        end = np.zeros((draws, 1))
        for _ in range(-(-horizon // LENGTH)):
            weights = rng.standard_normal((draws, count)) / np.sqrt(count)
            blocks.append(end + weights @ self.errors)
            end = blocks[-1][:, -1:]
        return self.mean(horizon) + np.concatenate(blocks, axis=1)[:, :horizon]
