"""Draws of the hierarchy: the past from the approximation, the future from a posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from odforecast.models.hierarchy.inputs import Effect, Inputs, between_knots, month_one_hot
from odforecast.models.hierarchy.laplace import SLOPE_RATIO, Approximation, Nation
from odforecast.models.hierarchy.tree import SLOPE_DAMP
from odforecast.panel import Floats
from odforecast.seeds import Streams

#: Log of the deaths a month at which a path is stopped, with a warning (9 million).
MAX_LOG_MEAN = 16.0


def past(guide: Approximation, inputs: Inputs, draws: int, streams: Streams) -> dict[str, Floats]:
    """Draws of the approximate posterior at fixed scales, by variable of the graph.

    Parameters
    ----------
    guide : Approximation
    inputs : Inputs
    draws : int
    streams : Streams

    Returns
    -------
    dict of str to ndarray, shape (draws, ...)
        The variables of :data:`odforecast.models.hierarchy.graph.KEPT`, knots in use only.
    """
    h = guide.scales
    n = guide.basis.shape[0]
    out: dict[str, Floats] = {}
    parent = np.zeros((draws, 1, n - 1))
    fixed: dict[str, Floats | float] = {
        "scale": h.state,
        "damping": h.damp_state,
        "extra": h.noise,
        "season": guide.season,
    }
    if guide.nation is not None:
        parent = _national_steps(out, guide.nation, inputs, draws, streams)[:, None]
        fixed |= {
            "scale_nation": h.nation,
            "slope_ratio": SLOPE_RATIO,
            "shock_scale": h.shock,
        }
    if inputs.regions:
        fixed |= {"scale_region": h.region, "damping_region": h.damp_region}
    for g in reversed(range(len(guide.levels))):
        level = guide.levels[g]
        names = inputs.regions if g else inputs.locations
        link = inputs.region if g == 0 and inputs.regions else np.ones((len(names), 1))
        above = np.einsum("nm,dmk->dnk", link, parent)
        if g == 0:
            top = np.broadcast_to(guide.center[None, :, None], (draws, len(names), 1))
            above = np.concatenate([top, above], axis=2)
        follow = level.inverse @ level.prior
        mean = np.einsum("skl,sl->sk", level.inverse, level.info)
        mean = mean + np.einsum("skl,dsl->dsk", follow, above, optimize=True)
        root = np.linalg.cholesky(level.inverse)
        z = np.stack(
            [
                streams.generator(f"posterior-{g}", s).standard_normal((draws, mean.shape[2]))
                for s in names
            ],
            axis=1,
        )
        vector = mean + np.einsum("skl,dsl->dsk", root, z, optimize=True)
        if g == 0:
            out["level"] = vector[:, :, 0]
            out["path"] = vector @ guide.basis.T
            out["increment"] = vector[:, :, -1] - above[:, :, -1]
        else:
            out["increment_region"] = vector[:, :, -1] - above[:, :, -1]
        parent = vector
    if inputs.pooled:
        out["common"] += guide.shock[inputs.begin :]
    for name, value in fixed.items():
        array = np.asarray(value, dtype=float)
        out[name] = np.broadcast_to(array, (draws, *array.shape)).copy()
    if inputs.effect_scale.size:
        # The approximation leaves effects at their prior: it does not learn them.
        rng = streams.generator("posterior-effect")
        noise = rng.standard_normal((draws, inputs.effect_scale.size))
        out["effect"] = inputs.effect_mean + inputs.effect_scale * noise
    return out


def _national_steps(
    out: dict[str, Floats], nation: Nation, inputs: Inputs, draws: int, streams: Streams
) -> Floats:
    """The nation's steps from knot to knot, (draws, n - 1); ``out`` gets the rest of it."""
    quarter, bridge = between_knots(inputs.counts.shape[1], inputs.every)
    start = inputs.first * inputs.every
    size = nation.mean.size
    rng = streams.generator("posterior-nation")
    steps = nation.mean + rng.standard_normal((draws, size)) @ np.linalg.cholesky(nation.cov).T
    follow = nation.slope @ np.linalg.inv(nation.slope + np.linalg.inv(nation.level.prior[0]))
    spread = nation.slope[-1, -1] - follow[-1] @ nation.slope[:, -1]
    out["slope"] = steps @ follow[-1] + np.sqrt(max(spread, 0.0)) * rng.standard_normal(draws)
    out["common"] = steps @ bridge[inputs.begin :, start:].T
    return np.asarray(steps @ quarter[inputs.first :, start:].T)


def future(
    posterior: Mapping[str, Floats],
    inputs: Inputs,
    effects: Sequence[Effect],
    tail: float | None,
    horizon: int,
    streams: Streams,
) -> tuple[Floats, float]:
    """Monthly deaths after the origin, joint over locations and months.

    New innovations and shocks are drawn for the nation in every month to come, new innovations
    for the regions and the states at every knot; those paths are interpolated between knots as
    they were in the past.

    Parameters
    ----------
    posterior : mapping of str to ndarray, shape (D, ...)
        One row per path.
    inputs : Inputs
    effects : sequence of Effect
    tail : float or None
        Degrees of freedom; None where ``posterior["tail"]`` holds them.
    horizon : int
    streams : Streams
        Every location, region and the nation draw from streams of their own.

    Returns
    -------
    counts : ndarray, shape (D, S, horizon)
    stopped : float
        Share of cells whose mean was stopped at :data:`MAX_LOG_MEAN`.
    """
    n_draws = len(posterior["level"])
    freedom = posterior["tail"] if tail is None else tail
    steps = -(-horizon // inputs.every)

    def walk(
        last: Floats, damping: Floats, scale: Floats, rngs: list[np.random.Generator]
    ) -> Floats:
        """Deviations' increments at the knots to come, summed: (D, N, steps + 1)."""
        path = np.zeros((*last.shape, steps + 1))
        jumps = np.stack([g.standard_t(freedom, size=(steps, n_draws)) for g in rngs], axis=2)
        for k in range(steps):
            last = damping[:, None] * last + scale * jumps[k]
            path[..., k + 1] = path[..., k] + last
        return path

    places = [streams.generator("location", s) for s in inputs.locations]
    total = walk(posterior["increment"], posterior["damping"], posterior["scale"], places)
    if inputs.regions:
        scale = posterior["scale_region"][:, None]
        regions = [streams.generator("region", s) for s in inputs.regions]
        own = walk(posterior["increment_region"], posterior["damping_region"], scale, regions)
        total = total + np.einsum("sn,dnk->dsk", inputs.region, own)
    ahead = np.arange(1, horizon + 1) / inputs.every
    knot = np.minimum(ahead.astype(int), steps - 1)
    share = ahead - knot
    eta = posterior["level"][:, :, None] + (
        total[..., knot] * (1.0 - share) + total[..., knot + 1] * share
    )
    if inputs.pooled:
        path, shocks = _national_path(posterior, freedom, horizon, streams.generator("nation"))
        eta += path[:, None]
    months = inputs.months[-1] + np.arange(1, horizon + 1).astype("timedelta64[M]")
    hot = month_one_hot(months)
    eta += (posterior["season"] @ hot.T)[:, None]
    if "season_state" in posterior:
        eta += posterior["season_state"] @ hot.T
    if inputs.pooled:
        eta += (shocks * posterior["shock_scale"][:, None])[:, None]
    for j, effect in enumerate(effects):
        eta += posterior["effect"][:, j, None, None] * effect.exposure(inputs.locations, months)
    stopped = float((eta > MAX_LOG_MEAN).mean())
    eta = np.minimum(eta, MAX_LOG_MEAN)
    extra = posterior["extra"]
    singles = [streams.generator("count", s) for s in inputs.locations]
    drawn = [counts(eta[:, [i]], extra[:, [i]], g) for i, g in enumerate(singles)]
    return np.concatenate(drawn, axis=1), stopped


def _national_path(
    posterior: Mapping[str, Floats],
    freedom: Floats | float,
    horizon: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """The nation's log level in the months to come less the last, and standard normals of its
    shocks; each of shape (D, horizon).
    """
    scale = posterior["scale_nation"]
    slope, last = posterior["slope"], np.zeros(scale.size)
    out, shocks = np.empty((2, scale.size, horizon))
    for h in range(horizon):
        jump = rng.standard_t(freedom, size=scale.size)
        turn, shocks[:, h] = rng.standard_normal((2, scale.size))
        slope = SLOPE_DAMP * slope + posterior["slope_ratio"] * scale * turn
        last = last + slope + scale * jump
        out[:, h] = last
    return out, shocks


def fitted_log_mean(posterior: Mapping[str, Floats], inputs: Inputs) -> Floats:
    """Log mean of the months seen by the model, shape (D, S, n), without padding."""
    begin = inputs.begin
    months = inputs.months[begin:]
    hot = month_one_hot(months)
    eta = posterior["path"] @ inputs.weights[begin:, inputs.first :].T
    eta = eta + (posterior["season"] @ hot.T)[:, None]
    if "season_state" in posterior:
        eta += posterior["season_state"] @ hot.T
    if "common" in posterior:
        eta += posterior["common"][:, None]
    if "effect" in posterior:
        eta += np.einsum("dj,jst->dst", posterior["effect"], inputs.exposure[:, :, begin:])
    return eta


def counts(eta: Floats, extra: Floats, rng: np.random.Generator) -> Floats:
    """Negative-binomial counts: log means (D, S, M), extra variation (D, S)."""
    alpha = extra**-2.0
    out = np.empty(eta.shape)
    for m in range(eta.shape[2]):
        rate = rng.gamma(alpha, 1.0 / alpha) * np.exp(eta[..., m].copy())
        out[..., m] = rng.poisson(rate)
    return out
