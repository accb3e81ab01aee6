"""What an ensemble learns from its members' past: weights and the width of intervals.

Everything is learned inside one panel: it is cut at earlier months, the members forecast from
the cuts, and the panel itself says what became of it. Nothing later than the panel's as-of
date can be reached, so what is learned at an origin was known at that origin.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import OdforecastError
from odforecast.models.model import Model
from odforecast.names import HUB_QUANTILES
from odforecast.panel import Floats, Panel
from odforecast.panel.pseudo import clean
from odforecast.seeds import content_hash

#: Horizons learned; longer ones take what was learned for the last.
MAX_HORIZON = 12
#: Past origins: every second month of the last six years.
PAST_STEP, PAST_SPAN = 2, 72
#: Months a cut must have: three years of 12-month sums.
MIN_SUMS = 30
PAST_DRAWS = 400

LEVELS = np.array(HUB_QUANTILES)

# Past forecasts by content. Two panels that share their past (origins one month apart, or the
# same origin under another model) share these; equal keys always hold equal numbers.
_CACHE: OrderedDict[str, Floats] = OrderedDict()
_CACHE_SIZE = 600
_CACHE_LOCK = threading.Lock()  # a backtest may run on threads


@dataclass(frozen=True)
class Past:
    """Members' past quantiles of 12-month-ending deaths, and what was reported since.

    Attributes
    ----------
    quantiles : ndarray, shape (members, cuts, 23, L, 12)
        NaN where a member had no forecast.
    observed : ndarray, shape (cuts, L, 12)
        Reported in the panel; NaN where the month lies after its end.
    """

    quantiles: Floats
    observed: Floats

    @property
    def cuts(self) -> int:
        """Number of past origins."""
        return len(self.observed)


def past_forecasts(members: Sequence[Model], panel: Panel, locations: Sequence[str]) -> Past:
    """Forecast from earlier cuts of a panel.

    Parameters
    ----------
    members : sequence of Model
    panel : Panel
    locations : sequence of str
        Locations learned from, length L.

    Returns
    -------
    Past
        Without cuts where the panel is too short to have any.
    """
    n_time = panel.months.size
    newest = n_time - 2  # one month, at least, must have become known since
    oldest = max(MIN_SUMS - 1, n_time - 1 - PAST_SPAN)
    ends = list(range(newest, oldest - 1, -PAST_STEP))[::-1]
    rows = [panel.locations.index(s) for s in locations]
    shape = (len(members), len(ends), LEVELS.size, len(rows), MAX_HORIZON)
    quantiles = np.full(shape, np.nan)
    observed = np.full((len(ends), len(rows), MAX_HORIZON), np.nan)
    for k, end in enumerate(ends):
        since = panel.reported[rows, end + 1 : end + 1 + MAX_HORIZON]
        observed[k, :, : since.shape[1]] = since
        # The panel was completed first: its young months may be cut as if they were final.
        cut = clean(panel, panel.months[end])
        for m, member in enumerate(members):
            quantiles[m, k] = _quantiles(member, cut, locations)
    return Past(quantiles, observed)


def _quantiles(member: Model, cut: Panel, locations: Sequence[str]) -> Floats:
    """A member's quantiles from one cut, shape (23, L, 12), read back if made before."""
    # All that a forecast hangs on: the whole panel, and the model's whole configuration.
    key = content_hash(member.spec.hash, cut.locations, cut.data_hash)
    with _CACHE_LOCK:
        if (found := _CACHE.get(key)) is not None:
            _CACHE.move_to_end(key)
    if found is None:
        found = np.full((LEVELS.size, len(cut.locations), MAX_HORIZON), np.nan)
        try:
            forecast = member.fit(cut).forecast(MAX_HORIZON, draws=PAST_DRAWS)
        except OdforecastError:
            # A member that cannot forecast a short past teaches nothing about it.
            pass
        else:
            places = [cut.locations.index(s) for s in forecast.locations if s in cut.locations]
            kept = forecast.select([cut.locations[i] for i in places])
            ahead = kept.horizons >= 1
            found[:, places] = kept.quantiles(HUB_QUANTILES)[:, :, ahead]
        with _CACHE_LOCK:
            _CACHE[key] = found
            if len(_CACHE) > _CACHE_SIZE:
                _CACHE.popitem(last=False)
    result: Floats = found[:, [cut.locations.index(s) for s in locations]]
    return result


def learn_weights(past: Past, rows: NDArray[np.intp], steps: int = 200) -> Floats:
    """Weights of the members' quantiles that would have given the least WIS so far.

    Convex: the quantile score of a weighted mean of quantiles, minimised over the simplex by
    exponentiated gradient from equal weights, then drawn half way back to equal ones, since
    few past origins are independent.

    Parameters
    ----------
    past : Past
    rows : ndarray of int
        Locations learned from.
    steps : int
        Gradient steps.

    Returns
    -------
    ndarray, shape (members, 12)
        Each column adds up to 1; equal where nothing is known.
    """
    from odforecast.models.ensemble.kernels import score_slopes

    n_members = past.quantiles.shape[0]
    weights = np.full((n_members, MAX_HORIZON), 1.0 / n_members)
    for h in range(MAX_HORIZON):
        values = past.quantiles[..., rows, h]  # members, cuts, levels, rows
        truth = past.observed[:, rows, h]
        good = np.isfinite(values).all(axis=(0, 2)) & np.isfinite(truth)
        if good.sum() < 10:
            continue
        x = np.moveaxis(values, 2, -1)[:, good]  # members, units, levels
        y = truth[good]
        w = weights[:, h].copy()
        scale = np.abs(np.diff(x, axis=0)).mean() + 1e-12 if n_members > 1 else 1.0
        by_member = np.ascontiguousarray(x).reshape(n_members, -1)
        by_unit = np.ascontiguousarray(x.transpose(1, 0, 2))
        pooled, total = np.empty((y.size, LEVELS.size)), np.empty(n_members)
        for _ in range(steps):
            np.dot(w, by_member, out=pooled.reshape(-1))
            score_slopes(by_unit, pooled, y, LEVELS, total)
            gradient = total / pooled.size / scale
            w = w * np.exp(-2.0 * (gradient - gradient.mean()))
            w /= w.sum()
        weights[:, h] = 0.5 * w + 0.5 / n_members
    return weights


def learn_width(
    pooled: Floats, observed: Floats, rows: NDArray[np.intp], prior_cuts: float = 12.0
) -> Floats:
    """Factors on the distance from the median that would have made past intervals right.

    For each horizon and each central interval, the factor at which the past share of truths
    inside equals the nominal one (split conformal, pooled over locations), drawn towards 1
    by ``prior_cuts`` imaginary past origins.

    Parameters
    ----------
    pooled : ndarray, shape (cuts, 23, L, 12)
        Past quantiles of the ensemble.
    observed : ndarray, shape (cuts, L, 12)
    rows : ndarray of int
        Locations learned from.
    prior_cuts : float
        Weight of "no change", in past origins.

    Returns
    -------
    ndarray, shape (12 horizons, 11 intervals)
        Widest interval (98 %) first.
    """
    n_pairs = LEVELS.size // 2
    factors = np.ones((MAX_HORIZON, n_pairs))
    nominal = 1.0 - 2.0 * LEVELS[:n_pairs]
    for h in range(MAX_HORIZON):
        quantiles = pooled[:, :, rows, h]
        truth = observed[:, rows, h]
        good = np.isfinite(quantiles).all(axis=1) & np.isfinite(truth)
        cuts = int(good.any(axis=1).sum())
        if cuts == 0:
            continue
        trust = cuts / (cuts + prior_cuts)
        middle = quantiles[:, n_pairs][good]
        error = truth[good] - middle
        for i in range(n_pairs):
            upper = quantiles[:, LEVELS.size - 1 - i][good] - middle
            lower = middle - quantiles[:, i][good]
            width = np.maximum(np.where(error >= 0, upper, lower), 1e-9)
            ratio = float(np.quantile(np.abs(error) / width, nominal[i]))
            factors[h, i] = np.exp(trust * np.log(np.clip(ratio, 0.25, 4.0)))
    return factors
