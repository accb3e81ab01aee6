"""A drug class as a part of all drugs: the share of its deaths, filtered over all locations."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.forecasts import Forecast
from odforecast.geography import JURISDICTIONS, NATION, closed
from odforecast.models.constants import dated_sets
from odforecast.models.delay.deficit import SPAN, Deficit
from odforecast.models.statespace import kalman
from odforecast.models.statespace.kalman import (
    FAST,
    TAIL_DF,
    Singles,
    State,
    carry_slope,
    update,
)
from odforecast.monthly.sums import chain, rolling_sums, round_to_sum
from odforecast.months import month_lengths
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Months that a share needs: those that the forecast shows, and one.
MIN_MONTHS = 24
#: Months before the forecast that stand in it: those of the nowcast, and eleven before.
SHOWN = 23
#: Sd of the log-odds a month that the constants let the share move by; as the pins of the model.
WALK = 0.06
#: The US on its own: the innovations of its parts average out.
_ALONE = 0.19


@dataclass(frozen=True)
class ShareScales:
    """Innovations of the log-odds a month, and what is known of late arrivals."""

    own: float  # Sd of a location's own innovation
    us: float  # Sd of the shared innovation
    slope: float  # Sd of the innovation of the shared slope
    damp: float  # Damping of that slope a month
    noise: float  # Sd of a single month's noise beyond the binomial
    pull: float  # Change of the log-odds with that of the log level of all drugs
    late: float  # Late share of the class over that of all drugs
    late_shared: float  # Sd of that ratio from release to release
    late_own: float  # Relative error of a location's own


@cache
def all_shares() -> dict[tuple[dt.date, str], ShareScales]:
    """Every set that ships, by cut-off and short name of the class."""
    sets = dated_sets("statespace/shares.csv", "cutoff", "class").items()
    return {
        (dt.date.fromisoformat(day), of): ShareScales(**values)
        for (day, of), values in sets
    }


@dataclass(frozen=True)
class Inputs:
    """What the filter of a class's share is given, the scales apart."""

    panel: Panel  # That of the class
    # Locations with a share, the US at the end where it has one or stands for the rest
    units: tuple[str, ...]
    others: tuple[str, ...]  # Jurisdictions of that rest
    adds_up: bool  # Whether the US is the sum of the units
    skipped: dict[str, str]
    parts: Floats  # (L, T): Completed months of the class on its pins
    wholes: Floats  # (L, T): Completed months of all drugs
    rise: Floats  # (L, T): Change of the smoothed log level of all drugs
    late: Floats  # (L, T): Deaths of the class expected to arrive late
    share: Floats  # (L,): Share of the class in the last twelve months
    years: Floats  # (L,): Years averaged in a pin
    shown: Floats  # (L, 23): The last months of the class as reported, on its pins

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which units are parts of the nation: Puerto Rico, where it is published, is none."""
        return np.array([u in JURISDICTIONS or u == NATION for u in self.units])

    def own(self, scales: ShareScales) -> Floats:
        """Sd of own innovations: a unit of many jurisdictions averages theirs."""
        alone = max(_ALONE, 1.0 / np.sqrt(len(self.others))) if self.others else _ALONE
        return np.array(
            [scales.own * (alone if u == NATION else 1.0) for u in self.units]
        )

    def filtered(self, scales: ShareScales) -> tuple[Floats, Floats, float]:
        """Mean and covariance at the origin, and the log likelihood up to a constant."""
        n_loc = len(self.units)
        first = (~np.isnan(self.parts)).argmax(axis=1).astype(np.int64)
        start = ratio_around(self.parts, self.wholes)[np.arange(n_loc), first]
        mean = np.concatenate([np.log(start / (1.0 - start)), np.zeros(2)])
        slope = min(scales.slope**2 / (1.0 - scales.damp**2), 0.03**2)
        cov = np.diag(
            [*np.zeros(n_loc), slope, (scales.late_shared / scales.late) ** 2]
        )
        innovations = np.array(
            [scales.us, scales.slope, scales.damp, scales.noise, scales.pull]
        )
        noise = (scales.late_own * self.late) ** 2
        noise += np.abs(self.late) * (1.0 - self.share)[:, None]
        loglik = share_filter(
            self.parts,
            self.wholes,
            self.rise,
            first,
            self.own(scales),
            innovations,
            mean,
            cov,
            1.0 - 1.0 / np.maximum(self.years, 1.01),
            self.late,
            noise,
        )
        return mean, cov, float(loglik)


@dataclass(frozen=True)
class Part:
    """What the filter knows at the origin of a drug class: [L log-odds | slope | late error]."""

    inputs: Inputs
    scales: ShareScales
    mean: Floats
    cov: Floats

    @property
    def locations(self) -> tuple[str, ...]:
        """What is drawn, in the panel's order."""
        there = (
            {*self.inputs.units, NATION}
            if self.inputs.adds_up
            else {*self.inputs.units}
        )
        return tuple(s for s in self.inputs.panel.locations if s in there)


#: Months of parts and of their wholes on one grid, (L, T), a row per unit: ``parts`` and
#: ``wholes`` completed by what is expected to arrive ``late``, ``parts`` NaN up to the last gap,
#: and on their pins. ``shown`` are the last of them as reported; ``possible`` says where whole
#: months between none and all of the whole's could be found.
Rows = dict[str, NDArray[Any]]


def share_inputs(
    short: str,
    panel: Panel,
    states: Sequence[State],
    adds_up: bool,
    missing: Deficit | None,
    ratio: float,
) -> Inputs | None:
    """What the filter of a class beside all drugs is given; None where no location can be used."""
    # `states` and `missing` are the filtered months of all drugs and what they miss; `adds_up`
    # says whether the US is the sum of its parts in the draws of those; `ratio` is that of late
    # arrivals.
    part = panel.beside[short]
    counts = _filled(part)
    usable, skipped = _usable(part, counts)
    forecast = {s for state in states for s in state.locations} | (
        {NATION} if adds_up else set()
    )
    skipped |= {
        s: "all drugs are not forecast there" for s in usable if s not in forecast
    }
    held = forecast.intersection(usable)
    # A fixed order, whatever the panel's.
    places = [
        s
        for s in (*JURISDICTIONS, *sorted(held - {*JURISDICTIONS, NATION}))
        if s in held
    ]
    # Months of all drugs, what they still miss, and those of the class, on one grid.
    wholes = closed(panel.monthly, panel.locations)
    n = wholes.shape[1]
    added = np.zeros(wholes.shape)
    if missing is not None:
        ages = min(SPAN, n)
        added[:, n - ages :] = missing.months[:, SPAN - ages :]
    recovered = months_of_sums(counts)[:, -n:]
    parts = np.full((len(recovered), n), np.nan)
    parts[:, n - recovered.shape[1] :] = recovered

    def of(names: Sequence[str], months: Floats) -> Floats:
        """Rows of some places, of the class or of all drugs."""
        where = part.locations if months is parts else panel.locations
        return months[[where.index(s) for s in names]]

    def rows(names: Sequence[str]) -> Rows:
        return _rows(
            of(names, parts), of(names, wholes), added=of(names, added), ratio=ratio
        )

    no_part = "its last months cannot be a part of those of all drugs"
    found = rows(places)
    skipped |= {s: no_part for s, ok in zip(places, found["possible"]) if not ok}
    places = [s for s, ok in zip(places, found["possible"]) if ok]
    found = {name: values[found["possible"]] for name, values in found.items()}
    others: tuple[str, ...] = ()
    coherent = False
    last = found
    if NATION in held:
        if adds_up:
            inside = [s for s in places if s in JURISDICTIONS]
            rest = parts[part.locations.index(NATION)] - of(inside, parts).sum(axis=0)
            others = tuple(s for s in JURISDICTIONS if s not in places)
            beyond = np.nan_to_num(rolling_sums(rest[-SHOWN:]), nan=-1.0)
            if not others:
                coherent = not beyond.any()
            elif beyond.min() >= 0 and np.isfinite(rest[-MIN_MONTHS:]).all():
                whole, late = (of(others, a).sum(axis=0)[None] for a in (wholes, added))
                last = _rows(rest[None], whole, added=late, ratio=ratio)
                coherent = bool(last["possible"][0])
        if not coherent:
            others = ()
            last = rows([NATION])
            if not last["possible"][0]:
                skipped[NATION] = no_part
                last = found
        if last is not found:
            places = [*places, NATION]
            found = {name: np.concatenate([found[name], last[name]]) for name in last}
    if not places:
        return None
    # The level of all drugs on the pins of their own model.
    shift = {s: row for state in states for s, row in zip(state.locations, state.shift)}
    made_of = [others if others and u == NATION else (u,) for u in places]
    pins = np.array(
        [np.sum([shift.get(s, np.zeros(12)) for s in of], axis=0) for of in made_of]
    )
    model = states[0].scales
    walk = float(
        np.sqrt(model.level_own**2 + model.level_region**2 + model.level_us**2)
    )
    on_pins = found["wholes"] - pins[:, np.arange(n) % 12]
    return Inputs(
        panel=part,
        units=tuple(places),
        others=others,
        adds_up=coherent,
        skipped=skipped,
        parts=found["parts"],
        wholes=found["wholes"],
        rise=smooth_rise(on_pins / month_lengths(panel.month_grid), walk, model.noise),
        late=found["late"],
        share=ratio_around(found["parts"], found["wholes"])[:, -1],
        years=kalman.years_averaged(
            (~np.isnan(found["parts"])).sum(axis=1).astype(float)
        ),
        shown=found["shown"],
    )


def _filled(part: Panel) -> Floats:
    """Counts since the last suppressed one, gaps inside filled by a straight line; (L, T)."""
    out = part.reported.copy()
    for row, hidden in zip(out, part.hidden, strict=True):
        if hidden.any():
            row[: np.flatnonzero(hidden)[-1] + 1] = np.nan
        known = np.flatnonzero(~np.isnan(row))
        if known.size and known.size <= known[-1] - known[0]:
            inside = np.arange(known[0], known[-1])
            row[inside] = np.round(np.interp(inside, known, row[known]))
    return out


def _usable(part: Panel, counts: Floats) -> tuple[list[str], dict[str, str]]:
    """Locations with enough counts, and why the others are left out."""
    skipped = dict(part.problems)
    last = f"the last month ({part.last_month})"
    months = (~np.isnan(counts)).sum(axis=1) + 11
    for i, state in enumerate(part.locations):
        if part.hidden[i, -1]:
            skipped.setdefault(state, f"the count of {last} is suppressed")
        elif np.isnan(counts[i, -1]):
            skipped.setdefault(state, f"no reported count in {last}")
        elif months[i] < MIN_MONTHS:
            skipped.setdefault(
                state, f"only {months[i]} months up to {part.last_month}"
            )
    return [s for s in part.locations if s not in skipped], skipped


def months_of_sums(sums: Floats) -> Floats:
    """Months of 12-month sums on the pins that come first: others are chosen later."""
    # The first twelve are a twelfth of the first count, to the whole death; all that is fixed is
    # that they add up to the counts.
    n_loc, n = sums.shape
    out = np.full((n_loc, n + 11), np.nan)
    known = ~np.isnan(sums)
    for row in np.flatnonzero(known[:, -1]):
        begin = int(known[row].argmax())
        start = np.floor(sums[row, begin] * np.arange(13) / 12.0)
        out[row, begin:] = chain(np.diff(start)[None], sums[[row], begin:])
    return out


def ratio_around(parts: Floats, wholes: Floats) -> Floats:
    """Share in the twelve months around each, the ends repeated, shape (L, T)."""
    known = rolling_sums(parts)
    share = (np.nan_to_num(known) + 0.5) / (np.maximum(rolling_sums(wholes), 1.0) + 1.0)
    at = np.arange(parts.shape[1]) - 6
    first = (~np.isnan(known)).argmax(axis=1)
    column = np.clip(at, first[:, None], share.shape[1] - 1)
    return np.clip(np.take_along_axis(share, column, axis=1), 0.005, 0.995)


def _rows(parts: Floats, wholes: Floats, added: Floats, ratio: float) -> Rows:
    """Rows from months as reported, and the late arrivals expected of the whole."""
    n = parts.shape[1]
    there = ~np.isnan(parts + wholes)
    gap = np.where(there.all(axis=1), 0, n - there[:, ::-1].argmin(axis=1))
    parts = np.where(np.arange(n) < gap[:, None], np.nan, parts)
    wholes = np.nan_to_num(wholes)
    year = slice(-12, None)
    up = parts[:, year].sum(axis=1)
    down = wholes[:, year].sum(axis=1)
    late = ratio * np.clip(up / np.maximum(down, 1.0), 0.0, 1.0)[:, None] * added
    full = np.maximum(wholes + added, 0.0)
    complete = np.clip(parts + late, None, full)
    # The constants under which the part most looks like a slowly moving share of the whole.
    around = ratio_around(complete, full)
    size = np.maximum(full, 1.0)
    spread = around * (1.0 - around)
    walk = np.where(np.isnan(complete), 0.0, WALK**2 * spread * spread)
    zero = np.zeros(len(parts))
    one = np.ones(len(parts))
    constants = kalman.constants_of(
        complete / size,
        1.0 / size,
        walk=walk,
        noise=spread / size,
        start=zero,
        unsure=one,
    )
    # Whole deaths, and in the last months between none and all.
    calendar = np.arange(n) % 12
    low = np.empty(constants.shape)
    high = np.empty(constants.shape)
    for k in range(12):
        last = np.flatnonzero(calendar == k)[-2:]
        low[:, k] = -parts[:, last].min(axis=1)
        high[:, k] = (wholes - parts)[:, last].min(axis=1)
    possible = (
        (low <= high).all(axis=1) & (low.sum(axis=1) <= 0) & (high.sum(axis=1) >= 0)
    )
    constants[possible] = within_bounds(
        constants[possible], low[possible], high=high[possible]
    )
    bounds = np.concatenate([low, high], axis=1)
    whole = possible & (bounds == np.round(bounds)).all(axis=1)
    values = constants[whole]
    near = np.round(constants[whole])
    values = np.where(np.abs(values - near) < 1e-6, near, values)
    constants[whole] = round_to_sum(values, np.zeros(len(values)))
    pins = constants[:, calendar]
    return {
        "parts": np.clip(complete + pins, 0.0, full),
        "wholes": full,
        "late": late,
        "shown": (parts + pins)[:, -SHOWN:],
        "possible": possible,
    }


def within_bounds(values: Floats, low: Floats, high: Floats) -> Floats:
    """The nearest values within bounds that add up to zero, row by row."""
    least = (values - high).min(axis=1)
    most = (values - low).max(axis=1)
    for _ in range(60):
        middle = 0.5 * (least + most)
        above = (
            np.minimum(np.maximum(values - middle[:, None], low), high).sum(axis=1) > 0
        )
        least = np.where(above, middle, least)
        most = np.where(above, most, middle)
    return np.asarray(np.clip(values - (0.5 * (least + most))[:, None], low, high))


@nb.njit(cache=True)
def smooth_rise(months: Floats, level: float, noise: float) -> Floats:
    """Change from the month before of a smoothed log level, shape (L, T); 0 where unknown."""
    n_loc, n = months.shape
    out = np.zeros((n_loc, n))
    a = np.empty(n)
    p = np.empty(n)
    for i in range(n_loc):
        now = np.nan
        var = 0.0
        begin = n
        for t in range(n):
            x = months[i, t]
            if not np.isnan(x):
                seen = np.log(max(x, 0.0) + 0.5)
                r = 1.0 / (max(x, 0.0) + 0.5) + noise * noise
                if begin == n:
                    begin = t
                    now = seen
                    var = r
                else:
                    var += level * level
                    gain = var / (var + r)
                    now += gain * (seen - now)
                    var -= gain * var
            elif begin < n:
                var += level * level
            a[t] = now
            p[t] = var
        after = now
        for t in range(n - 2, begin - 1, -1):
            smooth = a[t] + p[t] / (p[t] + level * level) * (after - a[t])
            out[i, t + 1] = after - smooth
            after = smooth
    return out


@nb.njit(cache=True, fastmath=FAST)
def share_filter(
    # parts, wholes: (L, T): Deaths of the part and of the whole, completed; parts of NaN are
    # skipped
    parts: Floats,
    wholes: Floats,
    rise: Floats,  # (L, T): Change of the whole's log level from the month before
    first: NDArray[
        np.int64
    ],  # (L,): Month of each location's first count: it starts there afresh
    own: Floats,  # (L,): Sd of a location's own innovation
    scales: Floats,  # (5,): Shared innovation, slope, damping, noise, pull
    # mean, cov: (L + 2,) and (L + 2, L + 2)
    mean: Floats,
    cov: Floats,
    left: Floats,  # (L,): Share of the count noise left after the pins took up theirs
    late: Floats,  # (L, T): Deaths of the part that are expected to arrive late
    noise: Floats,  # (L, T): Variance of a single month's late arrivals, in deaths squared
) -> float:
    """Filter of the log-odds of a part in a whole; ``mean`` and ``cov`` are overwritten."""
    # Counts enter through the logistic link, linearised at the prediction. The log likelihood, up
    # to a constant, leaves out a location's first 12 months.
    n_loc, n_time = parts.shape
    us, slope, damp, extra, pull = scales
    start = mean[:n_loc].copy()
    size = n_loc + 2
    b = n_loc
    error = n_loc + 1
    column = np.empty(size)
    loglik = 0.0
    for t in range(first.min(), n_time):
        for i in range(n_loc):
            mean[i] += mean[b] + pull * rise[i, t]
        mean[b] *= damp
        carry_slope(cov, n_loc, damp)
        cov[b, b] += slope * slope
        for i in range(n_loc):
            cov[i, i] += own[i] * own[i]
            for j in range(n_loc):
                cov[i, j] += us * us
        for i in range(n_loc):
            if t < first[i]:
                continue
            if t == first[i]:
                mean[i] = start[i]
                for j in range(size):
                    cov[i, j] = 0.0
                    cov[j, i] = 0.0
                cov[i, i] = 0.09
            if np.isnan(parts[i, t]) or wholes[i, t] < 0.5:
                continue
            p = 1.0 / (1.0 + np.exp(-mean[i]))
            v = max(wholes[i, t] * p * (1.0 - p), 1e-3)
            f = late[i, t] / v
            miss = (parts[i, t] - wholes[i, t] * p) / v + f * mean[error]
            if miss > 1.0:
                miss = 1.0 + np.log(miss)
            elif miss < -1.0:
                miss = -1.0 - np.log(-miss)
            for j in range(size):
                column[j] = cov[i, j] - f * cov[error, j]
            total = column[i] - f * column[error]
            total += (1.0 / v + extra * extra) * left[i] + noise[i, t] / (v * v)
            if t >= first[i] + 12:
                loglik -= 0.5 * (np.log(total) + miss * miss / total)
            update(mean, cov, column, miss, total)
    return loglik


def drawn_part(
    part: Part,
    whole: Forecast,
    rise: Mapping[str, Singles],
    streams: Streams,
) -> Forecast:
    """A drug class in the draws of all drugs: between none and all of them in every month."""
    # The shared innovations come from the stream `share` of the class, each location's from its
    # own; nothing is taken from the streams of the whole. `rise` (D, H) is the change of the log
    # level of all drugs since the origin, by location.
    assert whole.panel is not None
    f32 = np.float32
    inputs = part.inputs
    scales = part.scales
    n_loc = len(part.inputs.units)
    n_draws = len(whole.draws)
    horizon = int((whole.horizons > 0).sum())
    now = whole.months.size - horizon
    streams = replace(streams, indicator=inputs.panel.indicator)
    shared = streams.generator("share")
    start = np.empty((n_draws, n_loc + 2), dtype=f32)
    ratio = np.empty((n_draws, n_loc), dtype=f32)
    normal = np.empty((n_draws, n_loc, now + 2 * horizon), dtype=f32)
    for i, unit in enumerate(inputs.units):
        rng = streams.generator("share", unit)
        start[:, i], ratio[:, i] = rng.standard_normal((2, n_draws), dtype=f32)
        normal[:, i, :now] = rng.standard_normal((now, n_draws), dtype=f32).T
        ahead = rng.standard_normal((horizon, 2, n_draws), dtype=f32)
        normal[:, i, now : now + horizon] = ahead[:, 0].T
        normal[:, i, now + horizon :] = ahead[:, 1].T
    start[:, n_loc:] = shared.standard_normal((n_draws, 2), dtype=f32)
    root = np.linalg.cholesky(part.cov + 1e-12 * np.eye(n_loc + 2)).astype(f32)
    state = part.mean.astype(f32) + start @ root.T
    ratio = np.maximum(1.0 + state[:, n_loc + 1 :] + f32(scales.late_own) * ratio, 0.0)
    tail = np.sqrt(TAIL_DF / shared.chisquare(TAIL_DF, n_draws)).astype(f32)
    jumps, turns = shared.standard_normal((horizon, 2, n_draws), dtype=f32).swapaxes(
        0, 1
    )
    common = kalman.level_path(
        f32(scales.us) * tail * jumps,
        f32(scales.slope) * tail * turns,
        slope=state[:, n_loc],
        damp=scales.damp,
    ).T

    # Where the months of each unit stand in the whole, and where they go. A rest is a row of its
    # own after those of the whole, and goes nowhere.
    places = part.locations
    others = [whole.locations.index(s) for s in inputs.others]
    row = np.array([whole.locations.index(s) for s in inputs.units])
    place = np.array([places.index(s) for s in inputs.units])
    us = places.index(NATION) if inputs.adds_up else -1
    monthly = whole.panel.monthly[
        [whole.panel.locations.index(s) for s in whole.locations]
    ]
    reported = closed(monthly, whole.locations)[:, -11 - now :]
    before = np.broadcast_to(whole.known, (n_draws, len(whole.locations), 11))
    months = np.concatenate([before, whole.draws], axis=2)
    of_units = reported[row]
    if others:
        of_units[-1] = reported[others].sum(axis=0)
        rest = before[:, others].sum(axis=1), whole.draws[:, others].sum(axis=1)
        months = np.concatenate([months, np.concatenate(rest, axis=1)[:, None]], axis=1)
        row[-1] = months.shape[1] - 1
        place[-1] = -1
    size = dict(zip(whole.locations, reported[:, -12:].sum(axis=1)))
    out = np.zeros((n_draws, len(places), 11 + now + horizon))
    draw_parts(
        state[:, :n_loc],
        common,
        rise_of_units(inputs, rise, size=size),
        f32(scales.late) * ratio,
        normal,
        np.array([scales.pull, scales.noise]),
        inputs.own(scales),
        1.0 / inputs.years,
        months,
        row,
        of_units,
        inputs.shown[:, -11 - now :],
        place,
        us,
        inputs.inside,
        out,
    )
    known = np.ascontiguousarray(out[..., :11])
    return replace(
        whole,
        draws=np.ascontiguousarray(out[..., 11:]),
        locations=places,
        known=known if now else known[0],
        panel=inputs.panel,
        skipped=inputs.skipped,
        beside={},
    )


def rise_of_units(
    inputs: Inputs, rise: Mapping[str, Singles], size: Mapping[str, float]
) -> Singles:
    """Change of the log level of each unit: that of a sum is of its parts, by their size."""
    rows = []
    for unit in inputs.units:
        made_of: tuple[str, ...] = (unit,)
        if unit == NATION and (inputs.others or unit not in rise):
            made_of = inputs.others or JURISDICTIONS
        if len(made_of) == 1:
            rows.append(rise[made_of[0]])
            continue
        weight = np.array([size[s] for s in made_of], dtype=np.float32)
        weight /= weight.sum()
        # One after the other: a product of matrices would round by how many months there are.
        total = weight[0] * np.exp(rise[made_of[0]])
        for share, place in zip(weight[1:], made_of[1:], strict=True):
            total += share * np.exp(rise[place])
        rows.append(np.log(total))
    return np.stack(rows, axis=1)


@nb.njit(cache=True, fastmath=FAST)
def part_of(x: float, p: float, noise: float, pin: float, z: float) -> float:
    """Deaths of a part out of ``x`` at a share ``p``; where few, the binomial is exact."""
    # `pin` is the variance of the error of a pin as a share of a month's, `z` standard normal.
    v = x * p * (1.0 - p)
    if v < 4.0:
        few = min(p, 1.0 - p)
        uniform = 0.5 * math.erfc(-z / math.sqrt(2.0))
        if p >= 0.5:
            uniform = 1.0 - uniform
        n = math.floor(x)
        mass = (1.0 - few) ** n
        reached = mass
        count = 0.0
        while uniform > reached and count < n:
            mass *= (n - count) / (count + 1.0) * few / (1.0 - few)
            count += 1.0
            reached += mass
        if p >= 0.5:
            count = n - count
        return x * p + (count - n * p) * math.sqrt(1.0 + pin)
    # Normal with the binomial's skewness (Cornish-Fisher).
    sd = math.sqrt((v + noise * noise * v * v) * (1.0 + pin))
    return x * p + sd * z + (1.0 - 2.0 * p) * (z * z - 1.0) / 6.0


@nb.njit(cache=True, fastmath=FAST)
def draw_parts(
    logit: Singles,  # (D, L): Log-odds of the share at the origin
    common: Singles,  # (D, H): Their change in all units
    rise: Singles,  # (D, L, H): Change of the log level of the whole
    ratio: Singles,  # (D, L): Late share of the part over that of the whole
    # (D, L, A + 2 H): Standard normals: A late months, and H innovations and H months
    normal: Singles,
    numbers: Floats,  # (2,): Pull, noise
    # own, pin: (L,): Sd of own innovations; variance of the error of a pin as a share of a month's
    own: Floats,
    pin: Floats,
    # (D, W, 11 + A + H): All drugs: 11 months before those that are drawn, and these
    whole: Floats,
    row: NDArray[np.int64],  # (L,): Row of each unit in `whole`
    # reported, shown: (L, 11 + A): Months of the whole and of the part as reported, the last at the
    # end
    reported: Floats,
    shown: Floats,
    place: NDArray[np.int64],  # (L,): Row of each unit in `out`; -1 if it has none
    us: int,  # Row of the sum of the units in `out`; -1 if it is none
    inside: NDArray[np.bool_],  # (L,): Units that the sum holds: Puerto Rico is none
    out: Floats,  # (D, P, 11 + A + H): Overwritten, that of `us` added to
) -> None:
    """Months of a drug class, out of those of all drugs: between none and all of them."""
    n_draws, n_loc, horizon = rise.shape
    now = whole.shape[2] - horizon
    pull, noise = numbers
    for d in range(n_draws):
        for i in range(n_loc):
            at = place[i]
            share = 1.0 / (1.0 + np.exp(-logit[d, i]))
            level = 0.0
            for m in range(now + horizon):
                x = whole[d, row[i], m]
                h = m - now
                if h < 0:
                    # What arrives late of the whole, and the part's share of that.
                    late = x - reported[i, m]
                    drawn = shown[i, m]
                    if late != 0.0:
                        drawn += late * share * ratio[d, i]
                        if m >= 11:
                            spread = abs(late) * share * (1.0 - share)
                            drawn += math.sqrt(spread) * normal[d, i, m - 11]
                else:
                    level += own[i] * normal[d, i, m - 11]
                    odds = logit[d, i] + common[d, h] + level + pull * rise[d, i, h]
                    p = 1.0 / (1.0 + np.exp(-odds))
                    z = normal[d, i, m - 11 + horizon]
                    drawn = part_of(max(x, 0.0), p, noise, pin[i], z)
                drawn = min(max(drawn, min(x, 0.0)), x)
                if at >= 0:
                    out[d, at, m] = drawn
                if us >= 0 and inside[i]:
                    out[d, us, m] += drawn
