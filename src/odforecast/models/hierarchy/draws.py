"""Draws of the hierarchy: the past from the approximation, the future from a posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from odforecast.models.hierarchy.inputs import Effect, Inputs, month_one_hot
from odforecast.models.hierarchy.laplace import Approximation
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
    h, members = guide.scales, inputs.members
    n = guide.basis.shape[0]
    out: dict[str, Floats] = {}
    parent = np.zeros((draws, 1, n - 1))
    for g in reversed(range(len(guide.levels))):
        level = guide.levels[g]
        n_nodes = level.info.shape[0]
        link = members[g] if g < len(members) else np.ones((n_nodes, 1))
        above = np.einsum("nm,dmk->dnk", link, parent)
        if g == 0:
            top = np.broadcast_to(guide.center[None, :, None], (draws, n_nodes, 1))
            above = np.concatenate([top, above], axis=2)
        follow = level.inverse @ level.prior
        mean = np.einsum("skl,sl->sk", level.inverse, level.info)
        mean = mean + np.einsum("skl,dsl->dsk", follow, above, optimize=True)
        root = np.linalg.cholesky(level.inverse)
        names = inputs.locations if g == 0 else inputs.group_names[g - 1]
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
            out[f"increment_{g - 1}"] = vector[:, :, -1] - above[:, :, -1]
        parent = vector
    fixed: dict[str, Floats | float] = {
        "scale": h.state,
        "damping": h.damp_state,
        "extra": h.noise,
        "season": guide.season,
    }
    if members:
        used = guide.shock[inputs.seen.any(axis=0)]
        fixed |= {
            "scale_group": h.group,
            "damping_group": h.damp_group,
            "shock_scale": h.shock,
            "shock": used,
        }
    for name, value in fixed.items():
        array = np.asarray(value, dtype=float)
        out[name] = np.broadcast_to(array, (draws, *array.shape)).copy()
    if inputs.effect_scale.size:
        # The approximation leaves effects at their prior: it does not learn them.
        rng = streams.generator("posterior-effect")
        noise = rng.standard_normal((draws, inputs.effect_scale.size))
        out["effect"] = inputs.effect_mean + inputs.effect_scale * noise
    return out


def future(
    posterior: Mapping[str, Floats],
    inputs: Inputs,
    effects: Sequence[Effect],
    tail: float | None,
    horizon: int,
    streams: Streams,
) -> tuple[Floats, float]:
    """Monthly deaths after the origin, joint over locations and months.

    New innovations are drawn for the nation, the regions and the states at every knot to
    come, new shocks for every month; the log level is interpolated between knots as it was
    in the past.

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
    n_draws, n_states = posterior["level"].shape
    freedom = posterior["tail"][:, None] if tail is None else tail
    steps = -(-horizon // inputs.every)

    def walk(
        last: Floats, damping: Floats, scale: Floats, rngs: list[np.random.Generator]
    ) -> Floats:
        """Deviations' increments at the knots to come, summed: (D, N, steps + 1)."""
        path = np.zeros((*last.shape, steps + 1))
        jumps = np.stack([g.standard_t(freedom, size=(n_draws, steps)) for g in rngs], axis=1)
        for k in range(steps):
            last = damping * last + scale * jumps[..., k]
            path[..., k + 1] = path[..., k] + last
        return path

    places = [streams.generator("location", s) for s in inputs.locations]
    nation = streams.generator("nation")
    total = walk(posterior["increment"], posterior["damping"][:, None], posterior["scale"], places)
    link = np.eye(n_states)
    for g, member in enumerate(inputs.members):
        link = link @ member
        nodes = walk(
            posterior[f"increment_{g}"],
            posterior["damping_group"][:, g, None],
            posterior["scale_group"][:, g, None],
            [
                nation if g == len(inputs.members) - 1 else streams.generator("region", s)
                for s in inputs.group_names[g]
            ],
        )
        total = total + np.einsum("sn,dnk->dsk", link, nodes)
    ahead = np.arange(1, horizon + 1) / inputs.every
    knot = np.minimum(ahead.astype(int), steps - 1)
    share = ahead - knot
    eta = posterior["level"][:, :, None] + (
        total[..., knot] * (1.0 - share) + total[..., knot + 1] * share
    )
    months = inputs.months[-1] + np.arange(1, horizon + 1).astype("timedelta64[M]")
    hot = month_one_hot(months)
    eta += (posterior["season"] @ hot.T)[:, None]
    if "season_state" in posterior:
        eta += posterior["season_state"] @ hot.T
    if inputs.members:
        shocks = nation.standard_normal((n_draws, horizon)) * posterior["shock_scale"][:, None]
        eta += shocks[:, None]
    for j, effect in enumerate(effects):
        eta += posterior["effect"][:, j, None, None] * effect.exposure(inputs.locations, months)
    stopped = float((eta > MAX_LOG_MEAN).mean())
    eta = np.minimum(eta, MAX_LOG_MEAN)
    extra = posterior["extra"]
    drawn = [counts(eta[:, [i]], extra[:, [i]], g) for i, g in enumerate(places)]
    return np.concatenate(drawn, axis=1), stopped


def fitted_log_mean(posterior: Mapping[str, Floats], inputs: Inputs) -> Floats:
    """Log mean of the months seen by the model, shape (D, S, n), without padding."""
    used = (inputs.seen | inputs.censored).any(axis=0)
    begin = int(np.argmax(used))
    months = inputs.months[begin:]
    hot = month_one_hot(months)
    eta = posterior["path"] @ inputs.weights[begin:, inputs.first :].T
    eta = eta + (posterior["season"] @ hot.T)[:, None]
    if "season_state" in posterior:
        eta += posterior["season_state"] @ hot.T
    if "shock" in posterior:
        eta += posterior["shock"][:, None]
    if "effect" in posterior:
        eta += np.einsum("dj,jst->dst", posterior["effect"], inputs.exposure[:, :, begin:])
    return eta


def counts(eta: Floats, extra: Floats, rng: np.random.Generator) -> Floats:
    """Negative-binomial counts: log means (D, S, M), extra variation (D, S)."""
    alpha = extra[:, :, None] ** -2.0
    rate = rng.gamma(np.broadcast_to(alpha, eta.shape), 1.0 / alpha) * np.exp(eta)
    return rng.poisson(rate).astype(float)
