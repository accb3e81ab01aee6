"""The simplest forecasts of counties: the last count, with past changes round it.

Both take the last 12-month-ending count as the median at every horizon, and differ in the spread.
What is hidden or lost is completed draw by draw as :mod:`odforecast.models.county.completed`
says. Draws are whole numbers, at least 0, and comonotone over horizons: one draw takes the same
quantile at each. They describe each 12-month-ending count, and say nothing of single months.

``county-hub-baseline``, what county scores are related to
    *Last value, symmetrised past h-step differences of the county.* In each draw the county's
    history is completed: a count shown is itself; the hidden counts are one number u from 1 to 9,
    the same in all hidden months of the county (and the last count is u, if that is hidden); a
    lost count is what the state leaves in that draw. The errors at horizon h are the differences
    between all counts h months apart **in that completed history**, whichever of the two were
    hidden or lost, and their mirror images. One quantile of these, linear between them, is added
    to the last count of the draw, and rounded. A county always hidden is 1 to 9 for ever; one
    always 0 stays at 0. Where there are fewer than eight differences at a horizon (a short
    release), those of the longest horizon with eight are stretched by the square root of time.

``county-last``
    The last value, and **one spread pooled over counties** on the square-root scale, on which
    counts of any size vary alike: the differences of square roots h months apart of all counties
    and months where both counts are shown and are 10 or more, and their mirror images. Needs the
    whole panel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError, UnknownNameError, one_of
from odforecast.forecast import Forecast
from odforecast.models.baselines import MIN_ERRORS, shuffled_levels, symmetric_quantiles
from odforecast.models.county.completed import HIDDEN, Whole, counts_of, forecast_of
from odforecast.models.county.fitted import FittedCounties, county_spec
from odforecast.models.spec import Spec
from odforecast.names import MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

HUB, LAST = "county-hub-baseline", "county-last"
#: Counts from which a release shows them: smaller ones tell nothing of a pooled spread.
SHOWN = 10


def enough(n_months: int, horizon: int, needed: int) -> tuple[int, float]:
    """The longest horizon up to this one with enough differences, and what to stretch them by.

    Parameters
    ----------
    n_months : int
        Months in the history.
    horizon : int
    needed : int
        Differences needed.

    Examples
    --------
    >>> enough(39, 12, 8), enough(18, 12, 8)
    ((12, 1.0), (10, 1.0954451150103321))
    """
    own = max(1, min(horizon, n_months - needed))
    return own, float(np.sqrt(horizon / own))


def sorted_changes(history: Floats, steps: int) -> Floats:
    """Differences over some months and their mirror images, in order, shape (N, 2 (T - steps)).

    Examples
    --------
    >>> sorted_changes(np.array([[3.0, 4.0, 2.0]]), 1).tolist()
    [[-2.0, -1.0, 1.0, 2.0]]
    """
    gaps = history[:, steps:] - history[:, :-steps]
    return np.sort(np.concatenate([gaps, -gaps], axis=1), axis=1)


def at_levels(ordered: Floats, rows: NDArray[np.intp], levels: Floats) -> Floats:
    """Quantiles, linear between the values as numpy's default, of rows in order.

    Parameters
    ----------
    ordered : ndarray, shape (N, K)
    rows : ndarray of int
        Which row each quantile is of.
    levels : ndarray, of the same shape
    """
    position = levels * (ordered.shape[1] - 1)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, ordered.shape[1] - 1)
    left = ordered[rows, below]
    out: Floats = left + (ordered[rows, above] - left) * (position - below)
    return out


def shown_roots(known: Floats) -> Floats:
    """Square roots of counts of 10 and more, NaN for others, shape (L, T)."""
    return np.sqrt(np.where(known >= SHOWN, known, np.nan))


@dataclass(frozen=True, eq=False, repr=False)
class FittedCountyBaseline(FittedCounties):
    """A county baseline bound to a panel."""

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        counts = self.counts
        levels = np.array(
            [shuffled_levels(draws, streams.generator("location", s)) for s in counts.locations]
        )
        hidden = counts.drawn_hidden(draws, streams)
        last = counts.drawn_last(hidden)
        out = np.empty((*last.shape, horizon), dtype=np.int32)
        if self.model == LAST:
            self._pooled(out, last, levels)
        else:
            self._own(out, last, levels, hidden)
        n_months = self.panel.months.size
        own, stretch = enough(n_months, horizon, self._needed)
        short = (
            (
                f"{n_months} months are too few for past changes over more than {own}: those, "
                "widened by the square root of time, stand in",
            )
            if stretch > 1.0
            else ()
        )
        return forecast_of(counts, out, frozenset({MONTH}), short)

    @property
    def _needed(self) -> int:
        # A pooled spread has many counties in each pair of months.
        return 1 if self.model == LAST else MIN_ERRORS

    def _pooled(self, out: Whole, last: Whole, levels: Floats) -> None:
        roots = shown_roots(self.counts.known)
        base = np.sqrt(last)
        # Every county has the same levels, in another order: their quantiles are taken once.
        grid = np.sort(levels[0])
        which = np.searchsorted(grid, levels)
        for h in range(1, out.shape[2] + 1):
            for own in range(min(h, roots.shape[1] - 1), 0, -1):
                gaps = roots[:, own:] - roots[:, :-own]
                gaps = gaps[~np.isnan(gaps)]
                if gaps.size:  # fit saw to it that there are some over one month
                    break
            error = np.sqrt(h / own) * symmetric_quantiles(gaps, grid)[which]
            out[:, :, h - 1] = np.rint(np.maximum(base + error, 0.0) ** 2)

    def _own(self, out: Whole, last: Whole, levels: Floats, hidden: Whole) -> None:
        counts = self.counts
        ever, gone = counts.hidden.any(axis=1), counts.lost.any(axis=1)
        # A row for every history: one of a county always shown, nine of one that was hidden.
        first = np.concatenate([[0], np.cumsum(np.where(ever, HIDDEN.size, 1))[:-1]])
        histories = np.concatenate(
            [
                [counts.with_hidden(i, int(u)) for u in (HIDDEN if hid else (0,))]
                for i, hid in enumerate(ever)
            ]
        )
        rows = first[:, None] + np.maximum(hidden - 1, 0)
        lost = {int(i): counts.drawn_history(int(i), hidden) for i in np.flatnonzero(gone)}
        for h in range(1, out.shape[2] + 1):
            own, stretch = enough(histories.shape[1], h, self._needed)
            error = at_levels(sorted_changes(histories, own), rows, levels)
            for i, history in lost.items():
                each = np.arange(levels.shape[1])
                error[i] = at_levels(sorted_changes(history, own), each, levels[i])
            out[:, :, h - 1] = np.maximum(last + np.rint(stretch * error), 0.0)


@dataclass(frozen=True)
class CountyBaseline:
    """``county-hub-baseline`` and ``county-last``: the last count and past changes.

    Every county is forecast, also one whose counts are hidden or lost; how, the module says.

    Parameters
    ----------
    name : {"county-hub-baseline", "county-last"}

    Examples
    --------
    >>> CountyBaseline("county-hub-baseline").spec.target
    'deaths_12mo'
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in (HUB, LAST):
            raise UnknownNameError(
                f"name is {self.name!r}, no county baseline", hint=one_of(self.name, (HUB, LAST))
            )

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return county_spec(self.name, by=None if self.name == LAST else "state")

    def fit(self, panel: Panel) -> FittedCountyBaseline:
        """Bind to a panel.

        Raises
        ------
        PanelError
            If the panel is not one of counties, or has fewer than 13 months; for
            ``county-last`` if no county has two counts of 10 and more, one after the other.
        """
        counts = counts_of(panel, self.name)
        if self.name == LAST and np.isnan(np.diff(shown_roots(counts.known))).all():
            raise PanelError(
                f"{self.name} pools past changes of counties with {SHOWN} deaths and more, and "
                "no county has two such counts, one after the other",
                hint="take the whole panel, or county-hub-baseline",
            )
        return FittedCountyBaseline(self.name, panel, counts)
