"""Drawing the future of filtered months, and what of the last ones is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, closed
from odforecast.models.delay.deficit import Factors
from odforecast.models.statespace.filter import State
from odforecast.models.statespace.share import Part
from odforecast.months import ONE_MONTH, month_lengths
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

# Draws are made in single precision: twice as fast, and far finer than a death.
Singles = NDArray[np.float32]

#: Degrees of freedom of the nation's future innovations (one scale per path).
TAIL_DF = 5.0


@dataclass(frozen=True, eq=False)
class Nation:
    """Random numbers of the nation, one column a draw.

    Attributes
    ----------
    start : ndarray, shape (D,)
        Standard normals of its slope at the origin.
    squared : ndarray, shape (D,)
        Chi-squared numbers: the scale of its innovations is ``sqrt(TAIL_DF / squared)``.
    ahead : ndarray, shape (H, 3, D)
        Standard normals of the innovations of its level and slope, and of its shocks.
    """

    start: Singles
    squared: Floats
    ahead: Singles


def of_the_nation(state: State, horizon: int, draws: int, streams: Streams) -> Nation:
    """The numbers that the nation of a filter draws; a location filtered alone has one, too."""
    rng = streams.generator("nation", state.alone)
    # One stream: the order is a part of what is drawn.
    start = rng.standard_normal(draws, dtype=np.float32)
    squared = rng.chisquare(TAIL_DF, draws)
    return Nation(start, squared, rng.standard_normal((horizon, 3, draws), dtype=np.float32))


def level_path(jumps: Singles, turns: Singles, slope: Singles, damp: float) -> Singles:
    """Change of a level whose damped slope changes too, month by month; shape (H, D).

    Parameters
    ----------
    jumps, turns : ndarray, shape (H, D)
        Innovations of the level and of the slope.
    slope : ndarray, shape (D,)
        At the origin.
    damp : float
    """
    out = np.empty_like(jumps)
    level = np.zeros_like(slope)
    for h in range(len(jumps)):
        level = level + slope + jumps[h]
        slope = np.float32(damp) * slope + turns[h]
        out[h] = level
    return out


def drawn(
    state: State, panel: Panel, horizon: int, draws: int, streams: Streams
) -> tuple[Floats, Factors | None, int, Singles]:
    """Joint draws of the months after the panel's last.

    Every location, region and the nation draw from streams of their own, one month after the
    other, so that a shorter forecast is the beginning of a longer one. A location filtered
    alone (the US without its parts, Puerto Rico) has a nation of its own, too.

    Returns
    -------
    paths : ndarray, shape (D, L, H)
        Monthly deaths on the panel's pins.
    factors : Factors or None
        The locations' own errors of the late arrivals in the same draws; None where the filter
        had none. What a release shares is not in them.
    below : int
        How many drawn months were below zero and set to zero.
    rise : ndarray, shape (D, L, H)
        Change of the log level since the origin.
    """
    from odforecast.models.statespace.kernels import draw_counts

    f32 = np.float32
    scales, n_loc = state.scales, len(state.locations)
    nation = of_the_nation(state, horizon, draws, streams)
    places = [streams.generator("location", s) for s in state.locations]
    size = state.size
    # The shock of the last month is over: it is left out.
    kept = np.delete(np.arange(state.mean.size), size)
    root = np.linalg.cholesky(state.cov[np.ix_(kept, kept)] + 1e-10 * np.eye(kept.size)).astype(f32)
    start = np.empty((draws, kept.size), dtype=f32)
    for i, rng in enumerate(places):
        start[:, i] = rng.standard_normal(draws, dtype=f32)
    start[:, n_loc] = nation.start
    if state.incomplete:
        for i, place in enumerate(state.locations):
            errors = streams.generator("delay", place).standard_normal((2, draws), dtype=f32)
            start[:, size + i], start[:, size + n_loc + i] = errors
    now = state.mean[kept].astype(f32) + start @ root.T
    factors = None
    if state.incomplete:
        late, revision = now[:, size : size + n_loc], now[:, size + n_loc :]
        factors = Factors(late.astype(float), revision.astype(float))

    tail = np.sqrt(TAIL_DF / nation.squared).astype(f32)
    jumps, turns, shocks = nation.ahead.swapaxes(0, 1)
    common = level_path(
        f32(scales.level_us) * tail * jumps,
        f32(scales.slope_us) * tail * turns,
        now[:, n_loc],
        scales.damp_us,
    )
    common += f32(scales.shock) * shocks
    regional = {}
    for r in dict.fromkeys(state.region.tolist()):
        rng = streams.generator("region", f"{state.alone}{REGIONS[r]}")
        steps = rng.standard_normal((horizon, draws), dtype=f32)
        regional[r] = common + f32(scales.level_region) * np.cumsum(steps, axis=0)
    # A new month carries its own noise and the error of its pin.
    pin = 1.0 / state.years
    rise, noise, uniform = (np.empty((draws, n_loc, horizon), dtype=f32) for _ in range(3))
    for i, (place, rng) in enumerate(zip(state.locations, places, strict=True)):
        own, single = rng.standard_normal((horizon, 2, draws), dtype=f32).swapaxes(0, 1)
        steps = regional[int(state.region[i])] + f32(scales.level_own) * np.cumsum(own, axis=0)
        rise[:, i] = steps.T
        noise[:, i] = f32(np.sqrt(1.0 + pin[i])) * single.T
        chance = streams.generator("count", place)
        uniform[:, i] = chance.random((horizon, draws), dtype=f32).T
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    lengths = np.log(month_lengths(months)).astype(f32)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12
    out = np.empty((draws, n_loc, horizon))
    below = draw_counts(
        now[:, :n_loc], rise, lengths, scales.noise, pin, state.shift[:, calendar], noise, uniform,
        out,
    )  # fmt: skip
    return out, factors, int(below), rise


def drawn_part(
    part: Part, whole: Forecast, rise: Mapping[str, Singles], streams: Streams
) -> Forecast:
    """A drug class in the draws of all drugs: between none and all of them in every month.

    The shared innovations come from the stream ``share`` of the class, each location's from its
    own; nothing is taken from the streams of the whole.

    Parameters
    ----------
    part : Part
    whole : Forecast
        All drugs, with the panel they come from.
    rise : mapping of str to ndarray, shape (D, H)
        Change of the log level since the origin, by location.
    streams : Streams
        Those of the whole.
    """
    from odforecast.models.statespace.share_kernels import draw_parts

    assert whole.panel is not None
    f32 = np.float32
    inputs, scales, n_loc = part.inputs, part.scales, len(part.inputs.units)
    n_draws, horizon = len(whole.draws), int((whole.horizons > 0).sum())
    now = whole.months.size - horizon
    streams = replace(streams, indicator=part.panel.indicator)
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
    jumps, turns = shared.standard_normal((horizon, 2, n_draws), dtype=f32).swapaxes(0, 1)
    common = level_path(
        f32(scales.us) * tail * jumps, f32(scales.slope) * tail * turns, state[:, n_loc],
        scales.damp,
    ).T  # fmt: skip

    # Where the months of each unit stand in the whole, and where they go.
    places = part.locations
    others = [whole.locations.index(s) for s in inputs.others]
    row = [whole.locations.index(s) for s in inputs.units]
    place = [places.index(s) for s in inputs.units]
    us = places.index(NATION) if part.adds_up else -1
    months = whole.panel.monthly[[whole.panel.locations.index(s) for s in whole.locations]]
    reported = closed(months, whole.locations)[:, -11 - now :]
    before = np.broadcast_to(whole.known, (n_draws, len(whole.locations), 11))
    of_units, rest = reported[row], np.empty((n_draws, 0))
    if others:
        row[-1], place[-1] = -1, -1
        of_units[-1] = reported[others].sum(axis=0)
        rest = np.concatenate(
            [before[:, others].sum(axis=1), whole.draws[:, others].sum(axis=1)], axis=1
        )
    size = reported[:, -12:].sum(axis=1)
    out = np.zeros((n_draws, len(places), now + horizon))
    known = np.zeros((n_draws, len(places), 11))
    draw_parts(
        state[:, :n_loc], common, _rise_of_units(part, rise, dict(zip(whole.locations, size))),
        f32(scales.late) * ratio, normal, np.array([scales.pull, scales.noise]),
        inputs.own(scales), 1.0 / inputs.years, whole.draws, before, rest, np.array(row),
        of_units, inputs.shown[:, -11 - now :], np.array(place), us, inputs.inside, out,
        known,
    )  # fmt: skip
    return Forecast(
        draws=out,
        locations=places,
        months=whole.months,
        known=known if now else known[0],
        as_of=whole.as_of,
        last_month=whole.last_month,
        basis=whole.basis,
        panel=part.panel,
        skipped=part.skipped,
        warnings=whole.warnings,
    )


def _rise_of_units(part: Part, rise: Mapping[str, Singles], size: Mapping[str, float]) -> Singles:
    """Change of the log level of each unit: that of a sum is of its parts, by their size."""
    rows = []
    for unit in part.inputs.units:
        made_of: tuple[str, ...] = (unit,)
        if unit == NATION and (part.inputs.others or unit not in rise):
            made_of = part.inputs.others or JURISDICTIONS
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
