"""Ensembles: members' distributions pooled, recalibrated, and joined again over locations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.errors import OdforecastError, PanelError
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, closed, whole_and_parts
from odforecast.models.content import Kept
from odforecast.models.model import Drawer, Fitted, Model
from odforecast.models.paths import floor_at_zero, months_from_sums, usable_locations
from odforecast.models.registry import get_model
from odforecast.models.spec import Spec, as_parameters
from odforecast.names import HUB_QUANTILES, LOCATION, MONTH
from odforecast.panel import Floats, Panel
from odforecast.panel.pseudo import clean
from odforecast.seeds import Streams, content_hash

#: Horizons learned; longer ones take what was learned for the last.
MAX_HORIZON = 12
#: Past origins: every second month of the last six years.
PAST_STEP = 2
PAST_SPAN = 72
#: Months a cut must have: three years of 12-month sums.
MIN_SUMS = 30
PAST_DRAWS = 400
#: Cuts that intervals as wide as they are weigh as.
PRIOR_CUTS = 12.0

LEVELS = np.array(HUB_QUANTILES)

# Past forecasts by content. Two panels that share their past (origins one month apart, or the
# same origin under another model) share these; equal keys always hold equal numbers.
_past = Kept[Floats](600)


@dataclass(frozen=True)
class Past:
    """Members' past quantiles of 12-month-ending deaths, and what was reported since."""

    quantiles: Floats
    observed: Floats


def past_forecasts(members: Sequence[Model], panel: Panel, locations: Sequence[str]) -> Past:
    """Forecast from earlier cuts of a panel."""
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
            quantiles[m, k] = _quantiles(member, cut, locations=locations)
    return Past(quantiles, observed)


def _quantiles(member: Model, cut: Panel, locations: Sequence[str]) -> Floats:
    """A member's quantiles from one cut, shape (23, L, 12), read back if made before."""
    # All that a forecast hangs on: the whole panel, and the model's whole configuration.
    key = content_hash(member.spec.hash, cut.locations, cut.data_hash)

    def made() -> Floats:
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
        return found

    return _past.get(key, made)[:, [cut.locations.index(s) for s in locations]]


# The order of the sums is numpy's, to the last bit: weights are learned in two hundred steps, and
# the draws of an ensemble must not change with how it is compiled.
@nb.njit(cache=True)
def score_slopes(
    values: Floats,
    pooled: Floats,
    truth: Floats,
    levels: Floats,
    out: Floats,
) -> None:
    """Sums of the slope of the quantile score times ``values``, over units and levels."""
    # values (N, M, Q); pooled (N, Q); truth (N,); levels (Q,), Q from 8 to 128; out (M,)
    n_units, n_members, n_levels = values.shape
    whole = n_levels - n_levels % 8
    slope = np.empty(n_levels)
    r = np.empty(8)
    out[:] = 0.0
    for n in range(n_units):
        for q in range(n_levels):
            slope[q] = 1.0 - levels[q] if truth[n] < pooled[n, q] else -levels[q]
        for m in range(n_members):
            for k in range(8):
                r[k] = slope[k] * values[n, m, k]
            for q in range(8, whole, 8):
                for k in range(8):
                    r[k] += slope[q + k] * values[n, m, q + k]
            total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
            for q in range(whole, n_levels):
                total += slope[q] * values[n, m, q]
            out[m] += total


def learn_weights(past: Past, rows: NDArray[np.intp], steps: int = 200) -> Floats:
    """Weights of the members' quantiles that would have given the least WIS so far."""
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
        pooled = np.empty((y.size, LEVELS.size))
        total = np.empty(n_members)
        for _ in range(steps):
            np.dot(w, by_member, out=pooled.reshape(-1))
            score_slopes(by_unit, pooled, y, LEVELS, total)
            gradient = total / pooled.size / scale
            w = w * np.exp(-2.0 * (gradient - gradient.mean()))
            w /= w.sum()
        weights[:, h] = 0.5 * w + 0.5 / n_members
    return weights


def learn_width(pooled: Floats, observed: Floats, rows: NDArray[np.intp]) -> Floats:
    """Factors on the distance from the median that would have made past intervals right."""
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
        trust = cuts / (cuts + PRIOR_CUTS)
        middle = quantiles[:, n_pairs][good]
        error = truth[good] - middle
        for i in range(n_pairs):
            upper = quantiles[:, LEVELS.size - 1 - i][good] - middle
            lower = middle - quantiles[:, i][good]
            width = np.maximum(np.where(error >= 0, upper, lower), 1e-9)
            ratio = float(np.quantile(np.abs(error) / width, nominal[i]))
            factors[h, i] = np.exp(trust * np.log(np.clip(ratio, 0.25, 4.0)))
    return factors


#: The first member with joint draws lends its dependence. Members take the last months as they
#: are: the ensemble completes them once, for all.
MEMBERS = ("dlm", "auto-ets", "auto-theta")


@dataclass(eq=False, repr=False)
class Pool:
    """Pool several models, without a view on the reporting delay."""

    name: str
    members: Sequence[Model]

    @property
    def spec(self) -> Spec:
        """What the model is."""
        joint = any(LOCATION in m.spec.joint for m in self.members)
        return Spec(
            self.name,
            "3",
            joint=frozenset({LOCATION, MONTH}) if joint else frozenset({MONTH}),
            min_months=max(m.spec.min_months for m in self.members),
            parameters=as_parameters(pool=self.name),
            members=tuple(m.spec for m in self.members),
        )

    def fit(self, panel: Panel) -> FittedEnsemble:
        """Fit every member, and learn from earlier cuts of the panel."""
        asked = panel.locations
        # One order of locations, whatever the caller's, so that the numbers do not depend on it.
        panel = panel.select(sorted(asked))
        states, _ = usable_locations(panel, self.name)
        fitted = [m.fit(panel) for m in self.members]
        weights = np.full((len(fitted), MAX_HORIZON), 1.0 / len(fitted))
        width = np.ones((MAX_HORIZON, LEVELS.size // 2))
        if self.name == "ensemble":
            past = past_forecasts(self.members, panel, locations=states)
            # The nation is one series among 53 but as large as all others: learn from parts.
            parts = [s in JURISDICTIONS for s in states]
            rows = np.flatnonzero(parts if any(parts) else [True] * len(states))
            if len(past.observed):
                weights = learn_weights(past, rows)
                pooled = np.einsum("mh,mkqlh->kqlh", weights, past.quantiles)
                width = learn_width(pooled, past.observed, rows=rows)
        return FittedEnsemble(self, panel, asked=asked, fitted=fitted, weights=weights, width=width)


class Ensemble:
    """Pool several forecasters; the last months are completed once, for all members.

    Parameters
    ----------
    name : str
        ``"ensemble"``: quantiles averaged, weights and interval widths learned from earlier
        cuts of the panel. ``"ensemble-equal"``: quantiles averaged with equal weights, widths
        left as they are. ``"ensemble-linear"``: linear pool (mixture) with equal weights.
    members : sequence of str or Model
        At least two that take the last months as they are. ``"dlm"`` stands for ``dlm`` with
        ``delay=False``.
    delay : bool
        Complete the last months first.

    Notes
    -----
    Averaging quantiles keeps the members' mean width; a linear pool adds their disagreement
    to it (Lichtendahl et al. 2013, Management Science 59(7)). Widths are recalibrated by split
    conformal factors per horizon, learned from earlier cuts only.

    Examples
    --------
    >>> Ensemble("ensemble-equal", members=["auto-ets", "drift"]).spec.corrects_delay
    True
    """

    def __init__(
        self,
        name: str = "ensemble",
        members: Sequence[str | Model] = MEMBERS,
        *,
        delay: bool = True,
    ) -> None:
        from odforecast.models.delay.layer import Delayed

        made = [_member(m) for m in members]
        if len(made) < 2:
            raise PanelError(f"{name} needs at least two members, got {len(made)}")
        if knows := [m.label for m in made if m.spec.corrects_delay]:
            raise PanelError(
                f"{', '.join(knows)} corrects the delay itself, and so does {name}",
                hint="give members that take the last months as they are",
            )
        self.name = name
        self.pool = Pool(name, made)
        self.model = Delayed(Model(self.pool, name)) if delay else self.pool

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return replace(self.model.spec, model=self.name, version="4")

    def fit(self, panel: Panel) -> Drawer:
        """Fit every member, and learn from earlier cuts of the panel."""
        return self.model.fit(panel)


def _member(member: str | Model) -> Model:
    if isinstance(member, Model):
        return member
    return get_model("dlm", delay=False) if member == "dlm" else get_model(member)


@dataclass(repr=False)
class FittedEnsemble:
    """Fitted members with what was learned."""

    model: Pool
    panel: Panel
    asked: tuple[str, ...]
    fitted: list[Fitted]
    weights: Floats
    width: Floats

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Pooled sample paths; see :class:`odforecast.models.model.Drawer`."""
        parts = [f.draw(horizon, draws, streams) for f in self.fitted]
        states = [s for s in self.panel.locations if all(s in p.locations for p in parts)]
        if not states:
            raise PanelError(f"{self.model.name}: no location that every member can forecast")
        skipped = {s: r for p in parts for s, r in p.skipped.items() if s not in states}
        lends = [i for i, p in enumerate(parts) if LOCATION in p.joint]
        sums = [_by_place(p.select(states), horizon) for p in parts]
        order = np.argsort(sums[lends[0] if lends else 0], axis=2, kind="stable")
        for each in sums:
            each.sort(axis=2)
        marginal = self._widened(self._pooled(sums, horizon), horizon)
        ranked = np.empty_like(marginal)
        np.put_along_axis(ranked, order, marginal, axis=2)
        paths = np.ascontiguousarray(ranked.transpose(2, 0, 1))
        if lends and whole_and_parts(states) is not None:
            paths = _reconciled(paths, states)
        # A month below zero becomes zero, and is counted.
        rows = [self.panel.index(s) for s in states]
        last = self.panel.reported[rows, -1]
        known = self.panel.monthly[rows]
        months, warnings = floor_at_zero(
            months_from_sums(paths, last, months=known),
            states,
            what="months",
        )
        if lends:
            months = closed(months, states, axis=1)
        pooled = Forecast.from_panel(
            self.panel,
            months,
            locations=states,
            joint=self.model.spec.joint,
            skipped=skipped,
            warnings=(*dict.fromkeys(w for p in parts for w in p.warnings), *warnings),
        )
        return pooled.select([s for s in self.asked if s in states])

    def _pooled(self, sums: list[Floats], horizon: int) -> Floats:
        """Sorted draws of the pooled distribution, shape (L, H, D)."""
        column = np.minimum(np.arange(horizon), MAX_HORIZON - 1)
        if self.model.name != "ensemble-linear":
            return np.asarray(
                sum(w[column, None] * s for w, s in zip(self.weights, sums))  # (H, 1) * (L, H, D)
            )
        n_draws = sums[0].shape[2]
        every = np.sort(np.concatenate(sums, axis=2), axis=2)
        # Equal weights: every n-th order statistic of the joined draws, centred.
        return every[..., np.arange(n_draws) * len(sums) + len(sums) // 2]

    def _widened(self, ordered: Floats, horizon: int) -> Floats:
        """Distances from the median times the factors, interpolated over levels."""
        if (self.width == 1.0).all():
            return ordered
        n_draws = ordered.shape[2]
        level = (np.arange(n_draws) + 0.5) / n_draws
        nominal = 1.0 - 2.0 * LEVELS[: LEVELS.size // 2]  # .98 … .10
        column = np.minimum(np.arange(horizon), MAX_HORIZON - 1)
        inside = np.abs(2.0 * level - 1.0)
        factor = np.stack([np.interp(inside, nominal[::-1], self.width[h, ::-1]) for h in column])
        middle = np.median(ordered, axis=2, keepdims=True)
        stretched = ordered - middle
        stretched *= factor
        stretched += middle
        # Factors differ between levels: keep the quantiles in order. A sum stretched below
        # zero makes months below zero, which are set to zero and counted further on.
        np.maximum.accumulate(stretched, axis=2, out=stretched)
        return stretched


def _reconciled(sums: Floats, states: list[str]) -> Floats:
    """Scale the parts, draw by draw, to the nation's pooled distribution."""
    rows = whole_and_parts(states)
    assert rows is not None
    us, parts = rows
    total = sums[:, parts].sum(axis=1)
    nation = np.empty_like(total)
    order = np.argsort(total, axis=0, kind="stable")
    np.put_along_axis(nation, order, np.sort(sums[:, us], axis=0), axis=0)
    out = sums.copy()
    out[:, parts] *= (nation / np.maximum(total, 1.0))[:, None, :]
    out[:, us] = out[:, parts].sum(axis=1)
    return out


def _by_place(forecast: Forecast, horizon: int) -> Floats:
    """Draws of 12-month-ending counts of the last horizons, shape (L, H, D)."""
    return np.array(forecast.samples()[:, :, -horizon:].transpose(1, 2, 0), order="C")
