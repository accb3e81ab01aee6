"""Drawing the future of filtered months, and what of the last ones is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, closed
from odforecast.models.delay.errors import Factors
from odforecast.models.statespace.filter import State
from odforecast.models.statespace.share import Part
from odforecast.months import ONE_MONTH, month_lengths
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

# Draws are made in single precision: twice as fast, and far finer than a death.
Singles = NDArray[np.float32]

#: Degrees of freedom of the nation's future innovations (one scale per path).
TAIL_DF = 5.0


def path_root(level: float, slope: float, damp: float, horizon: int) -> Floats:
    """Cholesky factor (H, H) of a level's future path under new innovations."""
    lag = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    steps = np.where(lag >= 0, 1.0, 0.0)
    carried = np.where(lag > 0, (1.0 - damp ** np.maximum(lag, 0)) / (1.0 - damp), 0.0)
    cov = level**2 * steps @ steps.T + slope**2 * carried @ carried.T
    root: Floats = np.linalg.cholesky(cov + 1e-12 * np.eye(horizon))
    return root


@dataclass(frozen=True, eq=False)
class Nation:
    """Random numbers of the nation, one row a draw.

    Attributes
    ----------
    start : ndarray, shape (D, 1)
        Standard normals of its slope at the origin.
    squared : ndarray, shape (D,)
        Chi-squared numbers: the scale of its innovations is ``sqrt(TAIL_DF / squared)``.
    path, shock : ndarray, shape (D, H)
        Standard normals of its innovations and of its shocks.
    """

    start: Singles
    squared: Floats
    path: Singles
    shock: Singles


def of_the_nation(state: State, horizon: int, draws: int, streams: Streams) -> Nation:
    """The numbers that the nation of a filter draws; a location filtered alone has one, too."""
    rng = streams.generator("nation", state.alone)
    # One stream: the order is a part of what is drawn.
    start = rng.standard_normal((draws, 1), dtype=np.float32)
    squared = rng.chisquare(TAIL_DF, draws)
    path = rng.standard_normal((draws, horizon), dtype=np.float32)
    return Nation(start, squared, path, rng.standard_normal((draws, horizon), dtype=np.float32))


def drawn(
    state: State, panel: Panel, horizon: int, draws: int, streams: Streams
) -> tuple[Floats, Factors | None, int, Singles]:
    """Joint draws of the months after the panel's last.

    Every location, region and the nation draw from streams of their own. A location filtered
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
    from odforecast.models.statespace.kernels import draw_counts, log_levels

    f32 = np.float32
    scales, n_loc, n_region = state.scales, len(state.locations), len(REGIONS)
    nation = of_the_nation(state, horizon, draws, streams)
    regions = [streams.generator("region", f"{state.alone}{name}") for name in REGIONS]
    places = [streams.generator("location", s) for s in state.locations]

    def normal(generators: list[np.random.Generator], n: int) -> Singles:
        """Standard normals (D, generators, n), one stream each."""
        out = np.empty((draws, len(generators), n), dtype=f32)
        for i, rng in enumerate(generators):
            out[:, i] = rng.standard_normal((draws, n), dtype=f32)
        return out

    size = state.size
    first = 2 * n_loc
    # The shock of the last month is over: it is left out.
    kept = np.delete(np.arange(state.mean.size), size)
    root = np.linalg.cholesky(state.cov[np.ix_(kept, kept)] + 1e-10 * np.eye(kept.size)).astype(f32)
    start = np.empty((draws, kept.size), dtype=f32)
    own_start = normal(places, 2)
    start[:, :n_loc], start[:, n_loc:first] = own_start[..., 0], own_start[..., 1]
    start[:, first : first + n_region] = normal(regions, 1)[..., 0]
    start[:, size - 1] = nation.start[:, 0]
    if state.incomplete:
        errors = normal([streams.generator("delay", s) for s in state.locations], 2)
        start[:, size : size + n_loc] = errors[..., 0]
        start[:, size + n_loc :] = errors[..., 1]
    now = state.mean[kept].astype(f32) + start @ root.T
    factors = None
    if state.incomplete:
        late, revision = now[:, size : size + n_loc], now[:, size + n_loc :]
        factors = Factors(late.astype(float), revision.astype(float))
    ahead = np.arange(1, horizon + 1)

    def carried(damp: float) -> Singles:
        return np.asarray((1.0 - damp**ahead) / (1.0 - damp), dtype=f32)

    def paths(normals: Singles, level: float, slope: float, damp: float) -> Singles:
        return np.asarray(normals @ path_root(level, slope, damp, horizon).T, dtype=f32)

    tail = np.sqrt(TAIL_DF / nation.squared)[:, None].astype(f32)
    us = now[:, size - 1 : size] * carried(scales.damp_us)
    path = paths(nation.path[:, None], scales.level_us, scales.slope_us, scales.damp_us)
    us = us + tail * path[:, 0]
    us = us + f32(scales.shock) * nation.shock
    regional = now[:, first : first + n_region, None] * carried(scales.damp_region)
    regional = regional + us[:, None]
    regional = regional + paths(
        normal(regions, horizon), scales.level_region, scales.slope_region, scales.damp_region
    )
    own = paths(normal(places, horizon), scales.level_own, scales.slope_own, scales.damp_own)
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    lengths = np.log(month_lengths(months)).astype(f32)
    level, rise = np.empty_like(own), np.empty_like(own)
    log_levels(
        now[:, :first], carried(scales.damp_own), regional, state.region, own, lengths, level, rise
    )
    # A new month carries its own noise and the error of its pin.
    pin = 1.0 / state.years
    noise = normal(places, horizon)
    noise *= np.sqrt(1.0 + pin).astype(f32)[:, None]
    uniform = np.empty((draws, n_loc, horizon), dtype=f32)
    for i, rng in enumerate(places):
        uniform[:, i] = rng.random((draws, horizon), dtype=f32)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12
    out = np.empty((draws, n_loc, horizon))
    below = draw_counts(
        level, own, scales.noise, pin, state.shift[:, calendar], noise, uniform, out
    )
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
        normal[:, i] = rng.standard_normal((n_draws, now + 2 * horizon), dtype=f32)
    start[:, n_loc:] = shared.standard_normal((n_draws, 2), dtype=f32)
    root = np.linalg.cholesky(part.cov + 1e-12 * np.eye(n_loc + 2)).astype(f32)
    state = part.mean.astype(f32) + start @ root.T
    ratio = np.maximum(1.0 + state[:, n_loc + 1 :] + f32(scales.late_own) * ratio, 0.0)
    tail = np.sqrt(TAIL_DF / shared.chisquare(TAIL_DF, n_draws))[:, None].astype(f32)
    path = path_root(scales.us, scales.slope, scales.damp, horizon).T.astype(f32)
    common = tail * (shared.standard_normal((n_draws, horizon), dtype=f32) @ path)
    carried = (1.0 - scales.damp ** np.arange(1, horizon + 1)) / (1.0 - scales.damp)
    common += state[:, n_loc : n_loc + 1] * carried.astype(f32)

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
        paths = np.exp(np.stack([rise[s] for s in made_of]))
        rows.append(np.log(np.tensordot(weight / weight.sum(), paths, axes=1)))
    return np.stack(rows, axis=1)
