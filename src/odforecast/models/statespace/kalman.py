"""Months of some locations: filtered up to the last, and drawn after it."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.geography import REGIONS, find, lookup
from odforecast.models.delay.deficit import SPAN, Deficit, Factors
from odforecast.models.paths import since_last_gap
from odforecast.months import ONE_MONTH, month_lengths
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

# Draws are made in single precision: twice as fast, and far finer than a death.
Singles = NDArray[np.float32]

# Reordering of sums is allowed; the assumption that nothing is NaN is not: gaps are NaN.
FAST = {"reassoc", "contract", "nsz", "arcp"}

#: Months before the likelihood counts: the filter is still finding its level.
BURN_IN = 24
#: Degrees of freedom of the nation's future innovations (one scale per path).
TAIL_DF = 5.0
#: Of the pins: innovation variance of the level a month, as a share of its square, and growth of
#: the noise variance with the squared age in years: those of `make constants`, 2018-12.
LEVEL_VARIANCE = 0.000125
FORGET = 0.025
#: Random numbers of a place are kept if they are of no more draws × months than this.
MOST_KEPT = 1 << 14
#: Nothing is incomplete: what the filter is given for it.
COMPLETE = np.empty((0, 0))


@dataclass(frozen=True)
class Scales:
    """Standard deviations a month on the log scale, the damping of the nation's slope, noise."""

    # A model without scales of its own takes them from the table that `make constants` writes
    # (`odforecast.models.constants`).

    level_own: float
    level_region: float
    level_us: float
    slope_us: float
    damp_us: float
    noise: float
    shock: float

    def of_the_nation(self) -> Scales:
        """Scales of the US as a single series: the parts' own innovations average out."""
        # Root of the summed squared shares of 52 jurisdictions and of 4 regions in deaths.
        parts = 0.19
        regions = 0.52
        return replace(
            self,
            level_own=parts * self.level_own,
            level_region=regions * self.level_region,
            noise=parts * self.noise,
        )


@dataclass(frozen=True)
class State:
    """What the filter knows at the origin about some locations."""

    locations: tuple[str, ...]
    mean: Floats  # (K,)
    cov: Floats  # (K, K)
    scales: Scales
    shift: Floats  # (L, 12): By calendar column of the panel: from the model's pins to the panel's
    years: Floats  # (L,): Years averaged in a pin
    region: NDArray[np.int64]  # (L,): Row of `REGIONS`
    incomplete: bool = False  # Whether the errors of the late arrivals are in the state

    @property
    def size(self) -> int:
        """Length of the state of levels and the nation's slope; the last month's shock is over."""
        return len(self.locations) + 1

    @property
    def kept(self) -> NDArray[np.int64]:
        """Places in the state of all but that shock."""
        return np.delete(np.arange(self.mean.size), self.size)

    @property
    def alone(self) -> str:
        """The only location, which then has a nation of its own; else empty."""
        return self.locations[0] if len(self.locations) == 1 else ""


def filtered(
    panel: Panel,
    states: tuple[str, ...],
    scales: Scales,
    missing: Deficit | None = None,
) -> State:
    """Filter the months of some locations together, up to the panel's last."""
    # Without what the last months miss, they are taken as they are.
    rows = [panel.locations.index(s) for s in states]
    recovered = panel.monthly[rows].copy()
    n = recovered.shape[1]
    ages = min(SPAN, n)
    if missing is not None:
        recovered[:, n - ages :] += missing.months[rows, SPAN - ages :]
    # What stands before a gap says little, and its pins less: start after the last gap.
    used = np.array([since_last_gap(row).size for row in recovered], dtype=float)
    recovered[np.arange(n) < n - used[:, None]] = np.nan
    # Deaths per day: months differ by a tenth in length.
    lengths = month_lengths(panel.month_grid)
    constants = repin(recovered, rough_level(recovered), lengths=lengths)
    months = np.maximum(recovered + constants[:, np.arange(n) % 12], 0.0) / lengths
    # The US and Puerto Rico have no region; alone in their filter, any index will do.
    names = [
        lookup(find(s).state).region or REGIONS[0] for s in states
    ]  # a county's: its state's
    region = np.array([REGIONS.index(name) for name in names], dtype=np.int64)
    theta = np.array(astuple(scales))
    years = years_averaged(used)
    mean, cov = prior(months, theta)
    share = 1.0 - 1.0 / np.maximum(years, 1.01)
    begin = n
    if missing is not None:
        changing = (missing.late[rows] != 0).any(axis=0) | (
            missing.revised[rows] != 0
        ).any(axis=0)
        begin = n - int(SPAN - changing.argmax()) if changing.any() else n
    # In one layout, or the filter is compiled twice.
    before = np.ascontiguousarray(months[:, :begin])
    kalman(before, region, theta, mean, cov, share, 0, COMPLETE, COMPLETE, COMPLETE)
    if begin < n:
        assert missing is not None
        # What all locations of a release share is not learned from its months: a nation that has
        # begun to fall looks like a release that is less complete than usual, and the filter would
        # take a part of the one for the other. It is drawn as it is beforehand instead.
        spread = np.concatenate([missing.own[rows], missing.revision_own[rows]])
        size = mean.size
        longer = np.zeros((size + spread.size, size + spread.size))
        longer[:size, :size] = cov
        longer[size:, size:] = np.diag(spread**2)
        mean = np.concatenate([mean, np.zeros(spread.size)])
        cov = longer
        late, revised, noise = np.zeros((3, len(rows), n))
        for out, array in (
            (late, missing.late),
            (revised, missing.revised),
            (noise, missing.noise),
        ):
            out[:, n - ages :] = array[rows, SPAN - ages :]
            out /= lengths
        kalman(months, region, theta, mean, cov, share, begin, late, revised, noise**2)
    return State(
        states,
        mean,
        cov=cov,
        scales=scales,
        shift=-constants,
        years=years,
        region=region,
        incomplete=begin < n,
    )


def prior(months: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the state before the first month."""
    first = np.array([row[~np.isnan(row)][:12].mean() for row in months])
    mean = np.concatenate([np.log(first + 0.1), np.zeros(2)])
    variance = np.full(mean.size, 0.15**2)
    slope = theta[3]
    damp = theta[4]
    variance[-2] = min(slope**2 / (1.0 - damp**2), 0.02**2)
    variance[-1] = 0.0
    return mean, np.diag(variance)


@nb.njit(cache=True, fastmath=FAST)
def kalman(
    months: Floats,  # (L, T): Deaths, completed by what is expected to arrive late; NaN is skipped
    region: NDArray[np.int64],  # (L,)
    scales: Floats,  # (7,): `Scales` in order
    mean: Floats,  # (K,): Overwritten
    cov: Floats,  # (K, K): Overwritten
    share: Floats,  # (L,): Share of the count noise left after the pins took up theirs
    first: int,  # The first of `months` that is filtered; those before it have been
    # (L, T): Deaths by which one unit of an error of late arrivals changes a month. Read where the
    # state is the long one, as are those that follow
    late: Floats,
    revised: Floats,  # (L, T): The same of one unit of a revision
    noise: Floats,  # (L, T): Variance of what arrives late in a single month, in deaths squared
) -> float:
    """Exact coupled filter, one count at a time; ``mean`` and ``cov`` are overwritten."""
    # Counts enter through the log link, linearised at the prediction.
    n_loc, n_time = months.shape
    own, regional, nation, slope, damp, extra, shocks = scales
    us = n_loc
    shock = us + 1
    size = mean.size
    errors = shock + 1
    incomplete = size > errors
    revisions = errors + n_loc
    column = np.empty(size)
    loglik = 0.0
    for t in range(first, n_time):
        if t > 0:
            for i in range(n_loc):
                mean[i] += mean[us]
            mean[us] *= damp
            mean[shock] = 0.0
            carry_slope(cov, n_loc, damp)
            for j in range(size):  # the last month's shock is over
                cov[shock, j] = 0.0
                cov[j, shock] = 0.0
            cov[us, us] += slope**2
            for i in range(n_loc):
                cov[i, i] += own**2
                for j in range(n_loc):
                    cov[i, j] += nation**2
                    if region[i] == region[j]:
                        cov[i, j] += regional**2
        cov[shock, shock] = shocks**2
        for i in range(n_loc):
            if np.isnan(months[i, t]):
                continue
            expected = np.exp(mean[i] + mean[shock])
            error = (months[i, t] - expected) / expected
            spread = (extra**2 + 1.0 / expected) * share[i]
            f = 0.0
            r = 0.0
            if incomplete:
                # What is seen is the month less the errors of its completion.
                f = late[i, t] / expected
                r = revised[i, t] / expected
                error += f * mean[errors + i] + r * mean[revisions + i]
                spread += noise[i, t] / (expected * expected)
            if error > 1.0:
                # The linear step overshoots after a large surprise: take its logarithm.
                error = 1.0 + np.log(error)
            for j in range(size):
                column[j] = cov[i, j] + cov[shock, j]
            if incomplete:
                for j in range(size):
                    column[j] -= f * cov[errors + i, j] + r * cov[revisions + i, j]
            total = column[i] + column[shock] + spread
            if incomplete:
                total -= f * column[errors + i] + r * column[revisions + i]
            if t >= BURN_IN:
                loglik -= 0.5 * (np.log(total) + error * error / total)
            update(mean, cov, column, error, total)
    return loglik


@nb.njit(inline="always")
def carry_slope(cov: Floats, n_loc: int, damp: float) -> None:
    """Add a slope, the state after L levels, to each of them, and damp it; in a covariance."""
    size = len(cov)
    for i in range(n_loc):  # rows, then columns
        for j in range(size):
            cov[i, j] += cov[n_loc, j]
    for j in range(size):
        for i in range(n_loc):
            cov[j, i] += cov[j, n_loc]
    for j in range(size):
        cov[n_loc, j] *= damp
    for j in range(size):
        cov[j, n_loc] *= damp


@nb.njit(inline="always")
def update(
    mean: Floats, cov: Floats, column: Floats, error: float, total: float
) -> None:
    """Take in one observation: its covariance with the state, its error and its variance."""
    size = len(mean)
    for j in range(size):
        gain = column[j] / total
        mean[j] += gain * error
        for k in range(size):
            cov[j, k] -= gain * column[k]


def repin(
    months: Floats,
    trend: Floats,
    lengths: Floats,
    *,
    level_variance: float = LEVEL_VARIANCE,
    forget: float = FORGET,
) -> Floats:
    """Constants to add to each calendar month, shape (L, 12), adding up to zero."""
    # `months` (L, n) are on any pins, NaN where unknown; `trend` (L, n) is their rough level,
    # above zero, which scales the noise. Column k belongs to months k, k + 12, … of `months`.
    walk = level_variance * trend * trend
    unsure = 1e4 * trend[:, 0] ** 2 * level_variance + 1e6 * trend[:, 0]
    walk[:, 0] = 0.0
    loads = np.broadcast_to(1.0 / lengths, months.shape)
    return constants_of(
        months / lengths,
        loads,
        walk=walk,
        noise=trend,
        start=trend[:, 0],
        unsure=unsure,
        forget=forget,
    )


def constants_of(
    values: Floats,
    loads: Floats,
    walk: Floats,
    noise: Floats,
    start: Floats,
    unsure: Floats,
    forget: float = FORGET,
) -> Floats:
    """Constants of the calendar months under which a series most looks like a slow level."""
    # Generalised least squares, the whitening done by the filter of a local-level model: `values +
    # constant * loads = level + noise`, the level with steps of variance `walk`, `start` its
    # first value and `unsure` the variance of that; all (L, n), the last two (L,).
    # The filter is run on the values and, with the same gains, on the twelve calendar-month
    # dummies: the innovations are the whitened rows of the regression.
    n_loc = len(values)
    products = np.zeros((n_loc, 12, 13))
    whitened_products(
        values,
        np.ascontiguousarray(loads),
        walk,
        noise,
        np.ascontiguousarray(start),
        unsure,
        forget,
        products,
    )
    kkt = np.zeros((n_loc, 13, 13))
    # A calendar month never seen, in a very short row, keeps its constant near zero.
    kkt[:, :12, :12] = products[..., :12] + 1e-12 * np.eye(12)
    kkt[:, 12, :12] = kkt[:, :12, 12] = 1.0
    target = np.concatenate([-products[..., 12], np.zeros((n_loc, 1))], axis=1)
    return np.asarray(np.linalg.solve(kkt, target[..., None])[:, :12, 0])


# Nothing may be reordered or joined here: the draws must not change in the last bit.
@nb.njit(cache=True)
def whitened_products(
    values: Floats,
    loads: Floats,
    walk: Floats,
    noise: Floats,
    start: Floats,
    unsure: Floats,
    forget: float,
    products: Floats,
) -> None:
    """Products of the whitened dummies with each other and the values, added to ``products``."""
    n_loc, n = values.shape
    level = np.empty(13)
    step = np.empty(13)
    for i in range(n_loc):
        level[:] = 0.0
        level[12] = start[i]
        uncertain = unsure[i]
        for t in range(n):
            uncertain += walk[i, t]
            value = values[i, t]
            if np.isnan(value):
                continue
            age = (n - 1 - t) // 12
            total = uncertain + noise[i, t] * (1.0 + forget * age * age)
            gain = uncertain / total
            for k in range(13):
                step[k] = -level[k]
            step[t % 12] += loads[i, t]
            step[12] += value
            for k in range(13):
                level[k] += gain * step[k]
            uncertain -= gain * uncertain
            for j in range(12):
                for k in range(13):
                    products[i, j, k] += step[j] * step[k] / total


def rough_level(months: Floats) -> Floats:
    """Centred 12-month means of the months, ends repeated, at least 1; shape (L, n)."""
    # Missing months take the nearest mean.
    n = months.shape[1]
    window = np.lib.stride_tricks.sliding_window_view(months, 12, axis=1).mean(axis=2)
    padded = np.concatenate(
        [
            np.repeat(window[:, :1], 6, axis=1),
            window,
            np.repeat(window[:, -1:], 5, axis=1),
        ],
        axis=1,
    )
    for row in padded:
        known = np.flatnonzero(~np.isnan(row))
        if known.size < n:
            row[:] = np.interp(np.arange(n), known, row[known])
    return np.asarray(np.maximum(padded, 1.0))


def years_averaged(n_months: Floats, *, forget: float = FORGET) -> Floats:
    """How many years' noise averages out in a pin, given months used: (sum w)² / sum w²."""
    out = np.empty(len(n_months))
    for i, n in enumerate(n_months):
        weights = 1.0 / (1.0 + forget * np.arange(max(int(n) // 12, 1)) ** 2)
        out[i] = weights.sum() ** 2 / (weights**2).sum()
    return out


def of_the_nation(
    state: State,
    horizon: int,
    draws: int,
    streams: Streams,
) -> tuple[Singles, Floats, Singles]:
    """The numbers that the nation of a filter draws; a location filtered alone has one, too."""
    # Standard normals of its slope at the origin (D,); the scale of its innovations (D,); standard
    # normals of the innovations of its level and slope, and of its shocks (H, 3, D).
    rng = streams.generator("nation", state.alone)
    # One stream: the order is a part of what is drawn.
    start = rng.standard_normal(draws, dtype=np.float32)
    scale = np.sqrt(TAIL_DF / rng.chisquare(TAIL_DF, draws))
    return start, scale, rng.standard_normal((horizon, 3, draws), dtype=np.float32)


def level_path(jumps: Singles, turns: Singles, slope: Singles, damp: float) -> Singles:
    """Change of a level whose damped slope changes too, month by month; shape (H, D)."""
    # `jumps` and `turns` (H, D) are the innovations of the two, `slope` (D,) is that at the
    # origin.
    out = np.empty_like(jumps)
    level = np.zeros_like(slope)
    for h in range(len(jumps)):
        level = level + slope + jumps[h]
        slope = np.float32(damp) * slope + turns[h]
        out[h] = level
    return out


class PlaceNumbers(NamedTuple):
    """The random numbers of one place."""

    months: Singles  # (H, 2, D): Standard normals of its innovations and of its single months
    chances: Singles  # (H, D): Uniform numbers of its counts


def draw_numbers(
    months: np.random.Generator, counts: np.random.Generator, horizon: int, draws: int
) -> PlaceNumbers:
    """The random numbers of one place, from its own streams."""
    return PlaceNumbers(
        months.standard_normal((horizon, 2, draws), dtype=np.float32),
        counts.random((horizon, draws), dtype=np.float32),
    )


# Delayed panels of one month, each by another donor, share their numbers. Those of 64 places take
# about 10 MB.
@lru_cache(maxsize=64)
def kept_numbers(
    streams: Streams, place: str, horizon: int, draws: int
) -> PlaceNumbers:
    """The same, kept."""
    months = streams.generator("location", place)
    months.standard_normal(draws, dtype=np.float32)  # those of its level at the origin
    return draw_numbers(
        months, streams.generator("count", place), horizon=horizon, draws=draws
    )


def drawn(
    state: State,
    panel: Panel,
    horizon: int,
    draws: int,
    streams: Streams,
    out: Floats,
) -> tuple[Factors | None, int, Singles]:
    """Joint draws of the months after the panel's last, into ``out`` (D, L, H)."""
    # Every location, region and the nation draw from streams of their own, one month after the
    # other, so that a shorter forecast is the beginning of a longer one. A location filtered alone
    # (the US without its parts, Puerto Rico) has a nation of its own, too.
    # -> errors of the late arrivals, how many months were below zero, and the change of each
    # level since the origin (D, L, H).
    f32 = np.float32
    scales = state.scales
    n_loc = len(state.locations)
    size = state.size
    kept = state.kept
    nation_start, tail, ahead = of_the_nation(
        state, horizon, draws=draws, streams=streams
    )
    few = panel.donor and horizon * draws <= MOST_KEPT
    root = np.linalg.cholesky(
        state.cov[np.ix_(kept, kept)] + 1e-10 * np.eye(kept.size)
    ).astype(f32)
    start = np.empty((draws, kept.size), dtype=f32)
    of_months = [streams.generator("location", place) for place in state.locations]
    of_counts = (
        [] if few else [streams.generator("count", place) for place in state.locations]
    )
    for i, rng in enumerate(of_months):
        start[:, i] = rng.standard_normal(draws, dtype=f32)
    start[:, n_loc] = nation_start
    if state.incomplete:
        for i, place in enumerate(state.locations):
            errors = streams.generator("delay", place).standard_normal(
                (2, draws), dtype=f32
            )
            start[:, size + i], start[:, size + n_loc + i] = errors
    now = state.mean[kept].astype(f32) + start @ root.T
    factors = None
    if state.incomplete:
        late = now[:, size : size + n_loc]
        revision = now[:, size + n_loc :]
        factors = Factors(late.astype(float), revision.astype(float))

    tail = tail.astype(f32)
    jumps, turns, shocks = ahead.swapaxes(0, 1)
    common = level_path(
        f32(scales.level_us) * tail * jumps,
        f32(scales.slope_us) * tail * turns,
        slope=now[:, n_loc],
        damp=scales.damp_us,
    )
    common += f32(scales.shock) * shocks
    regional = {}
    for r in dict.fromkeys(state.region.tolist()):
        rng = streams.generator("region", f"{state.alone}{REGIONS[r]}")
        steps = rng.standard_normal((horizon, draws), dtype=f32)
        regional[r] = common + f32(scales.level_region) * np.cumsum(steps, axis=0)
    # A new month carries its own noise and the error of its pin.
    pin = 1.0 / state.years
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    lengths = np.log(month_lengths(months)).astype(f32)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12
    shift = np.ascontiguousarray(state.shift[:, calendar])
    level = np.ascontiguousarray(now[:, :n_loc].T)
    rise = np.empty((draws, n_loc, horizon), dtype=f32)
    below = 0
    # One place after the other, in arrays that stay in a core's own memory.
    steps, noise, uniform = np.empty((3, draws, 1, horizon), dtype=f32)
    deaths = np.empty((draws, 1, horizon))
    for i, place in enumerate(state.locations):
        if few:
            numbers = kept_numbers(streams, place, horizon, draws)
        else:
            numbers = draw_numbers(
                of_months[i], of_counts[i], horizon=horizon, draws=draws
            )
        by_draw(
            numbers.months,
            numbers.chances,
            regional[int(state.region[i])],
            f32(scales.level_own),
            f32(np.sqrt(1.0 + pin[i])),
            steps,
            noise,
            uniform,
        )
        below += draw_counts(
            level[i][:, None],
            steps,
            lengths,
            scales.noise,
            pin[i : i + 1],
            shift[i : i + 1],
            noise,
            uniform,
            deaths,
        )
        rise[:, i] = steps[:, 0]
        out[:, i] = deaths[:, 0]
    return factors, int(below), rise


# Nothing may be reordered or joined here: the draws must not change in the last bit.
@nb.njit(cache=True)
def by_draw(
    normals: Singles,  # (H, 2, D): Innovations of a place's level, and of its single months
    chances: Singles,  # (H, D): Uniform numbers of its counts
    regional: Singles,  # (H, D): Change of the level of its region
    own: np.float32,  # Sd of the innovations of its own level
    single: np.float32,  # Factor on the noise of a month
    steps: Singles,  # (D, 1, H): Overwritten with the change of its level
    noise: Singles,  # (D, 1, H): Overwritten
    uniform: Singles,  # (D, 1, H): Overwritten
) -> None:
    """Numbers of one place, month by month as they were drawn, put in the order of the draws."""
    horizon, draws = chances.shape
    total = np.zeros(draws, dtype=np.float32)
    for h in range(horizon):
        for d in range(draws):
            total[d] += normals[h, 0, d]
            steps[d, 0, h] = regional[h, d] + own * total[d]
            noise[d, 0, h] = single * normals[h, 1, d]
            uniform[d, 0, h] = chances[h, d]


@nb.njit(cache=True, fastmath=FAST)
def draw_counts(
    now: Singles,  # (D, L): Log deaths a day at the origin
    rise: Singles,  # (D, L, H): Their change since then
    lengths: Singles,  # (H,): Logs of the months' lengths
    noise: float,  # Sd of the extra noise on the log scale
    pin: Floats,  # (L,): Variance of the error of a pin, as a share of a month's mean
    shift: Floats,  # (L, H): From the model's pins to those of the panel
    normal: Singles,  # (D, L, H)
    uniform: Singles,  # (D, L, H)
    out: Floats,  # (D, L, H): Overwritten
) -> int:
    """Deaths from log means into ``out`` (D, L, H); below a mean of 12 the Poisson is exact."""
    n_draws, n_loc, horizon = rise.shape
    below = 0
    for d in range(n_draws):
        for i in range(n_loc):
            for h in range(horizon):
                mean = np.exp(min(now[d, i] + rise[d, i, h] + lengths[h], 16.0))
                z = normal[d, i, h]
                if mean < 12.0:
                    rate = mean * np.exp(noise * z - 0.5 * noise * noise) + 1e-12
                    p = np.exp(-rate)
                    reached = p
                    count = 0
                    while uniform[d, i, h] > reached and count < 100:
                        count += 1
                        p *= rate / count
                        reached += p
                    drawn = count + np.sqrt(pin[i] * mean) * z + shift[i, h]
                else:
                    # Normal with the Poisson's skewness (Cornish-Fisher).
                    sd = np.sqrt(mean + noise * noise * mean * mean)
                    drawn = mean + sd * z + (z * z - 1.0) / 6.0 + shift[i, h]
                if drawn < 0.0:
                    drawn = 0.0
                    below += 1
                out[d, i, h] = drawn
    return below
