"""A local Poisson-gamma smoother of counties, and what it takes from a county's last 12 months.

Deaths of 12 months are Poisson with a rate of the county; within a class of counties (state by
urban class) the rates are gamma. The gamma's two parameters are estimated from the class's last
counts (empirical Bayes, by moments: mean, and the variance above Poisson's; Clayton and Kaldor
1987, Biometrics 43:671); with a population file, rates are per resident. A hidden count is drawn
from what the prior says of a count given that it is 1 to 9; what the release lost is what the
state leaves.

Of the 12 months that a forecast h months ahead counts, 12 - h are known to be among those of the
last count: each of its deaths stays with the same chance (binomial). The h new months are Poisson
with the county's posterior rate, so that their number is negative binomial, times one drift per
draw, gamma with mean 1, that all new months share. Its variance is what past changes of the
state's counties of 10 and more, over 12 months, vary beyond Poisson's. Months are joint;
locations are drawn apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.models.county.completed import HIDDEN, Whole, counts_of, forecast_of
from odforecast.models.county.fitted import FittedCounties, county_spec
from odforecast.models.spec import Spec
from odforecast.names import MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: A class with fewer counties has the prior of all counties of its state.
SMALL_CLASS = 5
#: Counts of this many and more tell of the drift.
SHOWN = 10
#: A hidden count, where a moment of it is needed before there is a prior: 1 to 9, each as likely.
_MEAN, _SQUARE = float(HIDDEN.mean()), float((HIDDEN**2).mean())


def gamma_prior(mean: Floats, square: Floats, exposure: Floats) -> tuple[float, float]:
    """Shape and rate of the gamma of a class's rates, by moments.

    Parameters
    ----------
    mean, square : ndarray, shape (n,)
        Counts and their squares; of a hidden one the expectations.
    exposure : ndarray, shape (n,)
        Residents, or 1 each.

    Returns
    -------
    shape, rate : float
        Mean ``shape / rate``; at least a thousandth of it as variance over its square.

    Examples
    --------
    >>> counts = np.array([0.0, 10.0, 20.0])
    >>> shape, rate = gamma_prior(counts, counts**2, np.ones(3))
    >>> round(shape / rate, 6), round(shape / rate**2, 6)
    (10.0, 90.0)
    """
    centre = mean.sum() / exposure.sum()
    if centre <= 0.0:
        # No death anywhere in the class: half a death in all of it.
        return 0.5, float(exposure.sum())
    spread = (square - 2 * centre * exposure * mean + (centre * exposure) ** 2).sum()
    variance = (spread * mean.size / max(1, mean.size - 1) - mean.sum()) / (exposure**2).sum()
    variance = max(variance, 1e-3 * centre**2)
    return float(centre**2 / variance), float(centre / variance)


def hidden_chances(shape: float, rate: float, exposure: float) -> Floats:
    """Chances of 1 to 9 deaths given that it is one of them, negative binomial, shape (9,).

    Examples
    --------
    >>> hidden_chances(0.5, 0.1, 1.0).round(3).tolist()[:3]
    [0.261, 0.178, 0.135]
    """
    from scipy.stats import nbinom

    chance = nbinom.pmf(HIDDEN, shape, rate / (rate + exposure))
    total = chance.sum()
    if not total > 0.0:
        return np.full(HIDDEN.size, 1.0 / HIDDEN.size)
    out: Floats = chance / total
    return out


def drift_variance(known: Floats) -> float:
    """Variance of the relative change of the rate over 12 months, beyond Poisson's.

    Of counts 12 months apart that are both shown and 10 or more: the squared differences hold both
    counts (Poisson) and this times the square of the first.

    Parameters
    ----------
    known : ndarray, shape (L, T)
        Counts, NaN where not shown.
    """
    shown = np.where(known >= SHOWN, known, np.nan)
    before, after = shown[:, :-12].ravel(), shown[:, 12:].ravel()
    both = ~np.isnan(before + after)
    if not both.any():
        return 0.0
    before, after = before[both], after[both]
    beyond = ((after - before) ** 2 - after - before).sum()
    return max(0.0, float(beyond / (before**2).sum()))


def kept_deaths(last: Whole, weights: Floats, horizon: int, rng: np.random.Generator) -> Whole:
    """Deaths of the last count that still count h months later, shape (D, horizon).

    Parameters
    ----------
    last : ndarray of int, shape (D,)
        The last count in each draw.
    weights : ndarray, shape (12,)
        Chance of each of its months, oldest first.
    horizon : int
    rng : Generator
    """
    months = rng.multinomial(last, weights)
    kept = months[:, ::-1].cumsum(axis=1)[:, ::-1]
    out = np.zeros((last.size, horizon), dtype=np.int32)
    n = min(horizon, 11)
    out[:, :n] = kept[:, 1 : n + 1]
    return out


def last_twelve(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of the last 12 new months, or of all there are, shape (D, H).

    Examples
    --------
    >>> last_twelve(np.ones((1, 14), dtype=np.int64)).tolist()
    [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12]]
    """
    total = months.cumsum(axis=1)
    out = total.copy()
    out[:, 12:] -= total[:, :-12]
    return out


@dataclass(frozen=True, eq=False, repr=False)
class FittedCountyGamma(FittedCounties):
    """Counties with the gamma priors of their classes."""

    @cached_property
    def exposures(self) -> Floats:
        """Residents of each county if those of all in its state are known, else 1, shape (L,)."""
        people = [self.panel.residents.get(s, np.nan) for s in self.counts.locations]
        exposure = np.array(people, dtype=float)
        for rows in self._of_states.values():
            if not (exposure[rows] > 0).all():
                exposure[rows] = 1.0
        return exposure

    @cached_property
    def drifts(self) -> Floats:
        """Variance of the drift over 12 months of each county's state, shape (L,)."""
        out = np.empty(len(self.counts.locations))
        for rows in self._of_states.values():
            out[rows] = drift_variance(self.counts.known[rows])
        return out

    @cached_property
    def _of_states(self) -> dict[str, NDArray[np.intp]]:
        """Rows of each state. A state is a task of its own: nothing of it hangs on another."""
        states = self.counts.states
        return {state: np.flatnonzero(states == state) for state in dict.fromkeys(states.tolist())}

    @cached_property
    def priors(self) -> Floats:
        """Shape and rate of each county's class, shape (L, 2)."""
        counts = self.counts
        last, hidden = counts.known[:, -1], counts.hidden[:, -1]
        mean, square = np.where(hidden, _MEAN, last), np.where(hidden, _SQUARE, last**2)
        known = ~counts.lost[:, -1]
        urban = np.array([self.panel.urban.get(s, "") for s in counts.locations])
        out = np.empty((len(counts.locations), 2))
        for whole in self._of_states.values():
            for kind in dict.fromkeys(urban[whole].tolist()):
                of_class = whole[urban[whole] == kind]
                use = of_class[known[of_class]]
                if use.size < SMALL_CLASS:
                    use = whole[known[whole]]
                if use.size < 2:
                    # One county says nothing of how counties differ: next to no prior.
                    out[of_class] = (0.5, 0.5 / np.maximum(1.0, mean[use].sum()))
                    continue
                out[of_class] = gamma_prior(mean[use], square[use], self.exposures[use])
        return out

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        counts = self.counts
        last = counts.drawn_last(counts.drawn_hidden(draws, streams))
        even = np.full(12, 1.0 / 12.0)
        out = np.empty((*last.shape, horizon), dtype=np.int32)
        for i, place in enumerate(counts.locations):
            rng = streams.generator("location", place)
            (shape, rate), exposure, drift = self.priors[i], self.exposures[i], self.drifts[i]
            now = last[i]
            if counts.hidden[i, -1]:
                # What the class says of a count of 1 to 9, instead of each as likely.
                chances = hidden_chances(shape, rate, exposure).cumsum()
                now = 1 + np.searchsorted(chances[:-1], rng.random(draws), side="right")
                now = now.astype(np.int32)
            mean = rng.gamma(shape + now, exposure / (rate + exposure))
            if drift > 0.0:
                mean = mean * rng.gamma(1.0 / drift, drift, draws)
            kept = kept_deaths(now, even, horizon, rng)
            new = rng.poisson(np.broadcast_to(mean[:, None] / 12.0, (draws, horizon)))
            out[i] = kept + last_twelve(new)
        return forecast_of(counts, out, frozenset({MONTH}))


@dataclass(frozen=True)
class CountyGamma:
    """``county-gamma``: a local Poisson-gamma smoother.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> CountyGamma().spec.by
    'state'
    """

    name: str = "county-gamma"

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return county_spec(self.name)

    def fit(self, panel: Panel) -> FittedCountyGamma:
        """Bind to a panel.

        Raises
        ------
        PanelError
            If the panel is not one of counties, or has fewer than 13 months.
        """
        return FittedCountyGamma(self.name, panel, counts_of(panel, self.name))
