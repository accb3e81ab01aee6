"""Exponential smoothing of every county's counts, all series at once through statsforecast.

The 12-month-ending counts are smoothed on the square-root scale, on which counts of any size vary
alike; the smoothing is chosen for each series by its squared one-month errors (statsforecast's
``SimpleExponentialSmoothingOptimized``), and its sample paths are those of the innovations form,
ETS(A,N,N): ``y[t+1] = l[t] + e``, ``l[t+1] = l[t] + alpha e``, e normal with the mean square of
the past errors. They are squared and rounded.

A county's hidden counts are one number u from 1 to 9 in each draw
(:mod:`odforecast.models.county.completed`): a county that was ever hidden has nine series, one
for each u, and a draw takes the path of its own. A county always hidden is 1 to 9 for ever. Where
a release lost counts, the series is what the state leaves on average over the draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from odforecast.forecast import Forecast
from odforecast.models.county.completed import HIDDEN, counts_of, forecast_of
from odforecast.models.county.fitted import FittedCounties, county_spec
from odforecast.models.spec import Spec
from odforecast.names import MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams


def smoothed(series: Floats) -> tuple[Floats, Floats, Floats]:
    """Simple exponential smoothing of many series, through statsforecast.

    Parameters
    ----------
    series : ndarray, shape (N, T)

    Returns
    -------
    level, alpha, sigma : ndarray, shape (N,)
        Level after the last value, smoothing, and root mean square of the one-step errors.

    Examples
    --------
    >>> level, alpha, sigma = smoothed(np.array([[2.0] * 15, [1.0, 3.0] * 7 + [1.0]]))
    >>> bool(level[0] == 2.0), bool(sigma[0] == 0.0), round(float(alpha[1]), 2)
    (True, True, 0.16)
    """
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import SimpleExponentialSmoothingOptimized

    n, length = series.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(n), length),
            "ds": np.tile(np.arange(length), n),
            "y": series.ravel(),
        }
    )
    engine = StatsForecast(
        models=[SimpleExponentialSmoothingOptimized(alias="ses")], freq=1, n_jobs=1
    )
    ahead = engine.forecast(df=frame, h=1, fitted=True)
    within = engine.forecast_fitted_values()  # type: ignore[no-untyped-call]
    fitted = within["ses"].to_numpy(dtype=float).reshape(n, length)[:, 1:]
    level = ahead["ses"].to_numpy(dtype=float)
    errors = series[:, 1:] - fitted
    # The level moves by alpha times each error: the recursion gives alpha back.
    moves = np.diff(np.column_stack([fitted, level]), axis=1)
    square = (errors**2).sum(axis=1)
    alpha = np.divide((moves * errors).sum(axis=1), square, out=np.ones(n), where=square > 0)
    return level, alpha, np.sqrt(square / errors.shape[1])


@dataclass(frozen=True, eq=False, repr=False)
class FittedCountySes(FittedCounties):
    """Smoothed counties."""

    @cached_property
    def shown(self) -> tuple[Floats, Floats, Floats]:
        """Level, smoothing and error of each county for each of 1 to 9, shapes (L, 9).

        Where a county was never hidden, all nine are the same; NaN where counts were lost.
        """
        counts = self.counts
        ever, gone = counts.hidden.any(axis=1), counts.lost.any(axis=1)
        once = np.flatnonzero(~ever & ~gone)
        nine = np.flatnonzero(ever & ~gone)
        rows = [counts.with_hidden(int(i), 0) for i in once]
        rows += [counts.with_hidden(int(i), int(u)) for i in nine for u in HIDDEN]
        out = np.full((3, ever.size, HIDDEN.size), np.nan)
        if rows:
            found = np.array(smoothed(np.sqrt(np.array(rows))))
            out[:, once] = found[:, : once.size, None]
            out[:, nine] = found[:, once.size :].reshape(3, nine.size, HIDDEN.size)
        return out[0], out[1], out[2]

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        counts = self.counts
        hidden = counts.drawn_hidden(draws, streams)
        out = np.empty((len(counts.locations), draws, horizon), dtype=np.int32)
        shown = [x.copy() for x in self.shown]
        gone = np.flatnonzero(counts.lost.any(axis=1))
        if gone.size:
            # What is left of a state differs little from draw to draw: one series of its mean.
            left = np.array([counts.drawn_history(int(i), hidden).mean(axis=0) for i in gone])
            for mine, found in zip(shown, smoothed(np.sqrt(left))):
                mine[gone] = found[:, None]
        for i, place in enumerate(counts.locations):
            level, alpha, sigma = (x[i, np.maximum(hidden[i] - 1, 0), None] for x in shown)
            rng = streams.generator("location", place)
            error = sigma * rng.standard_normal((draws, horizon))
            before = np.cumsum(error, axis=1) - error
            out[i] = np.rint(np.maximum(level + alpha * before + error, 0.0) ** 2)
        return forecast_of(counts, out, frozenset({MONTH}))


@dataclass(frozen=True)
class CountySes:
    """``county-ses``: exponential smoothing of every county's counts, on the square-root scale.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> CountySes().spec.dataset
    'counties'
    """

    name: str = "county-ses"

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return county_spec(self.name)

    def fit(self, panel: Panel) -> FittedCountySes:
        """Bind to a panel; series are smoothed when first drawn from.

        Raises
        ------
        PanelError
            If the panel is not one of counties, or has fewer than 13 months.
        """
        return FittedCountySes(self.name, panel, counts_of(panel, self.name))
