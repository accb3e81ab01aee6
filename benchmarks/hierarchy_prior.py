"""Data drawn from the priors of the hierarchy, apart from the graph that is sampled: its check."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.models.delay.deficit import Deficit
from odforecast.models.hierarchy.inputs import Inputs, between_knots
from odforecast.models.hierarchy.laplace import (
    DAMPING,
    HALF_NORMAL,
    LEVEL_SD,
    LOG_NORMAL,
    MAX_LOG_MEAN,
    SIZE_SD,
    counts,
    fitted_log_mean,
    level_center,
    path_basis,
    slope_filter,
)
from odforecast.panel import Floats


def simulate(
    inputs: Inputs,
    draws: int,
    rng: np.random.Generator,
    *,
    tail: float = 5.0,
    center: Floats | None = None,
) -> dict[str, Floats]:
    """Parameters and data from the prior, on the months and places of ``inputs``."""
    # center (S,) -> (draws, ...)
    n_states = inputs.shape[0]
    n = inputs.shape[2] - inputs.first
    if center is None:
        center = level_center(inputs.counts, inputs.seen)

    def log_normal(name: str) -> Floats:
        median, sd = LOG_NORMAL[name]
        return np.asarray(median * np.exp(sd * rng.standard_normal(draws)))

    def zero_sum(*shape: int) -> Floats:
        z = rng.standard_normal((draws, *shape))
        return np.asarray(z - z.mean(axis=-1, keepdims=True))

    def deviations(scale: Floats, damping: Floats, n_nodes: int) -> Floats:
        """Increments (draws, n_nodes, n - 1)."""
        out = np.empty((draws, n_nodes, n - 1))
        start = scale / np.sqrt(1 - damping[:, None] ** 2)
        out[..., 0] = start * rng.standard_normal((draws, n_nodes))
        for k in range(1, n - 1):
            shock = scale * rng.standard_t(tail, (draws, n_nodes))
            out[..., k] = damping[:, None] * out[..., k - 1] + shock
        return out

    p: dict[str, Floats] = {}
    parent = np.zeros((draws, n_states, n - 1))
    if inputs.pooled:
        n_time = inputs.counts.shape[1]
        p["scale_nation"], p["slope_ratio"] = log_normal("scale_nation"), log_normal("slope_ratio")
        scale = p["scale_nation"][:, None]
        quarter, bridge = between_knots(n_time, inputs.every)
        start = inputs.first * inputs.every
        size = n_time - 1 - start
        slope = rng.standard_normal((draws, size)) @ slope_filter(size).T
        slope *= scale * p["slope_ratio"][:, None]
        p["slope"] = slope[:, -1]
        steps = slope + scale * rng.standard_t(tail, (draws, size))
        p["common"] = steps @ bridge[inputs.begin :, start:].T
        parent = (steps @ quarter[inputs.first :, start:].T)[:, None]
    if inputs.regions:
        p["scale_region"] = log_normal("scale_region")
        p["damping_region"] = rng.beta(*DAMPING, draws)
        own = deviations(p["scale_region"][:, None], p["damping_region"], len(inputs.regions))
        p["increment_region"] = own[..., -1]
        parent = np.einsum("sn,dnk->dsk", inputs.region, own + parent)
    pooled = log_normal("scale_state")[:, None]
    p["scale_state"], p["scale"] = pooled[:, 0], np.repeat(pooled, n_states, axis=1)
    p["noise"] = log_normal("noise")
    p["extra"] = np.repeat(p["noise"][:, None], n_states, axis=1)
    if n_states > 2:
        p["scale_size"] = SIZE_SD * rng.standard_normal(draws)
        for name, sd in HALF_NORMAL.items():
            p[name] = np.abs(sd * rng.standard_normal(draws))
        size = p["scale_size"][:, None] * (center - center.mean())
        p["scale"] = pooled * np.exp(size + p["scale_spread"][:, None] * zero_sum(n_states))
        p["extra"] = p["extra"] * np.exp(p["noise_spread"][:, None] * zero_sum(n_states))
    p["damping"] = rng.beta(*DAMPING, draws)
    own = deviations(p["scale"], p["damping"], n_states)
    p["increment"] = own[..., -1]
    p["level"] = center + LEVEL_SD * rng.standard_normal((draws, n_states))
    vector = np.concatenate([p["level"][..., None], own + parent], axis=2)
    p["path"] = vector @ path_basis(n).T
    p["season_scale"] = log_normal("season_scale")
    p["season"] = p["season_scale"][:, None] * zero_sum(12)
    if inputs.pooled:
        used = inputs.counts.shape[1] - inputs.begin
        p["shock_scale"] = log_normal("shock_scale")
        p["common"] += p["shock_scale"][:, None] * rng.standard_normal((draws, used))
    eta = np.minimum(fitted_log_mean(p, inputs), MAX_LOG_MEAN)
    deaths = counts(eta, p["extra"], rng)
    if inputs.missing is not None:
        deaths -= _late(p, inputs, inputs.missing, rng)[..., -deaths.shape[2] :]
    return p | {"deaths": deaths}


def _late(
    p: dict[str, Floats], inputs: Inputs, missing: Deficit, rng: np.random.Generator
) -> Floats:
    """Deaths that arrive late beyond what is expected, (draws, S, T); ``p`` gets their errors."""
    draws, n_states = p["level"].shape
    z = rng.standard_normal((2, draws, n_states + 1))
    p["late_error"] = missing.own * z[0, :, 1:] + missing.shared * z[0, :, :1]
    p["revision_error"] = missing.revision_own * z[1, :, 1:]
    p["revision_error"] += missing.revision_shared * z[1, :, :1]
    noise = rng.standard_normal((draws, *inputs.counts.shape)) * inputs.last(missing.noise)
    return np.asarray(
        inputs.last(missing.late) * p["late_error"][..., None]
        + inputs.last(missing.revised) * p["revision_error"][..., None]
        + noise
    )


def prior_predictive(inputs: Inputs, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """What the priors say about data, next to the data."""
    # Levels have a wide prior by design and say nothing, so the statistics are relative.
    rng = np.random.default_rng(seed)
    drawn = simulate(inputs, draws, rng)["deaths"]
    n = drawn.shape[2]
    real = np.where(inputs.seen, inputs.counts, np.nan)[None, :, -n:]
    rows = []
    for name, ours, theirs in zip(
        ("change of 12-month deaths in a year", "month-to-month change of log deaths"),
        _relative(drawn),
        _relative(real),
    ):
        prior = np.nanquantile(ours, [0.05, 0.5, 0.95])
        data = np.nanquantile(theirs, [0.05, 0.5, 0.95])
        rows.append((name, *prior, *data))
    columns = ["statistic", "q05", "q50", "q95", "data_q05", "data_q50", "data_q95"]
    return pd.DataFrame(rows, columns=columns)


def _relative(deaths: Floats) -> tuple[Floats, Floats]:
    total = deaths[..., ::-1]
    years = total.shape[-1] // 12
    sums = total[..., : 12 * years].reshape(*total.shape[:-1], years, 12).sum(axis=-1)
    before, after = sums[..., 1:], sums[..., :-1]
    ratio = np.divide(after, before, out=np.full_like(after, np.nan), where=before > 0)
    return ratio - 1.0, np.diff(np.log(deaths + 0.5), axis=-1)
