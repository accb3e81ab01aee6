"""Gaussian approximation of the hierarchy, in numpy, and draws from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.linalg import eigh

from odforecast.models.hierarchy.inputs import (
    Bools,
    Inputs,
    between_knots,
    month_one_hot,
)
from odforecast.panel import Floats
from odforecast.seeds import Streams

#: Log-normal priors: median, and standard deviation of the log. The nation's are a month's: with
#: five degrees of freedom those of ``dlm`` at the end of 2018 (:mod:`odforecast.models.constants`).
LOG_NORMAL: Final = {
    "scale_nation": (0.025, 0.5),
    "slope_ratio": (0.12, 0.5),
    "scale_region": (0.03, 0.7),
    "scale_state": (0.05, 0.5),
    "noise": (0.06, 0.7),
    "season_scale": (0.02, 0.5),
    "shock_scale": (0.012, 0.5),
}
#: Half-normal (spreads of log scales over states) and normal priors: standard deviation.
HALF_NORMAL: Final = {"scale_spread": 0.3, "noise_spread": 0.4}
SIZE_SD: Final = 0.3
#: Beta prior of every damping factor, per knot step.
DAMPING: Final = (1.5, 3.0)
#: Prior standard deviation of a state's log level around its last year's mean.
LEVEL_SD = 2.0
#: The months of a suppressed 12-month count are read as this (for the map only).
HIDDEN_MONTH = 0.3
#: Scale of the slope's innovations as a share of the nation's (here; NUTS samples it).
SLOPE_RATIO = 0.12
#: Rounds of expectation-maximisation.
ROUNDS = 25

#: Damping of the nation's slope, a month.
SLOPE_DAMP = 0.98


@dataclass(frozen=True)
class Scales:
    """Scales of the hierarchy, and what the rounds of the approximation begin with."""

    state: Floats  # (S,)
    noise: Floats  # (S,): Extra coefficient of variation of the counts
    tail: float  # Degrees of freedom of the innovations
    damp_state: float = 0.1
    # region, damp_region: Innovation scale and damping of the regions, a knot
    region: float = 0.03
    damp_region: float = 0.2
    nation: float = 0.025  # Innovation scale of the nation, a month
    # shock, season: Scale of the common month shock, and of the season
    shock: float = 0.012
    season: float = 0.02

    @property
    def by_level(self) -> tuple[tuple[Floats | float, float], ...]:
        """Scale and damping of the states and of the regions."""
        return (self.state[:, None], self.damp_state), (self.region, self.damp_region)


@dataclass(frozen=True)
class Nation:
    """The nation's steps from month to month, those in use, and what they are made of."""

    # `level` has the prior given the slope. `mean` and `cov` are those of the steps, slope
    # included; `slope` (n, n) is the covariance of the slope beforehand. `strength` and
    # `left` (T,): precision, and that times the mean, of what the counts say is common to a month
    # beside path and season.

    level: Level
    mean: Floats
    cov: Floats
    slope: Floats
    strength: Floats
    left: Floats


@dataclass(frozen=True)
class Approximation:
    """Result of :func:`approximate`; only knots in use (n of them, n - 1 increments)."""

    # `levels` are the states and, where there are any, the regions. `center` is the prior mean
    # of the states' levels; `basis` (n, n) turns a level and increments into a path.

    scales: Scales
    levels: tuple[Level, ...]
    nation: Nation | None
    center: Floats
    basis: Floats
    season: Floats
    shock: Floats


def approximate(inputs: Inputs, tail: float) -> Approximation:
    """Mode, curvature and scales."""
    n_states, n_time, _ = inputs.shape
    members = [inputs.region] if inputs.regions else []
    hot = inputs.month_hot
    basis = path_basis(inputs.shape[2] - inputs.first)
    design = inputs.weights[:, inputs.first :] @ basis
    n = basis.shape[0]
    # Suppressed 12-month counts have a guess for their months.
    guess = np.zeros(inputs.counts.shape)
    np.add.at(guess, inputs.window_row, inputs.windows)
    dark = (guess > 0) & ~inputs.seen
    y = np.where(dark, HIDDEN_MONTH, inputs.counts)
    seen = inputs.seen | dark
    extra = inputs.slack + _factor_variance(inputs)
    center = level_center(y, seen)
    prior_mean = np.zeros((n_states, n))
    prior_mean[:, 0] = center
    h = Scales(np.full(n_states, 0.05), np.full(n_states, 0.06), tail=tail)
    start = inputs.first * inputs.every
    quarter, bridge = (a[:, start:] for a in between_knots(n_time, inputs.every))
    quarter = quarter[inputs.first :]
    slope = slope_filter(n_time - 1 - start)
    slope = slope @ slope.T
    weights = [
        np.ones((n_states, n - 2)),
        *(np.ones((m.shape[1], n - 2)) for m in members),
    ]
    heavy = np.ones(slope.shape[0])
    shock = np.zeros(n_time)
    season = np.zeros(12)
    bridged = np.zeros(n_time)
    levels: list[Level] = []
    nation: Nation | None = None
    # Where the counts are linearised: at themselves first, then at the fit, in short steps
    # (Newton's own steps can run away from sudden rises).
    path = np.where(seen, np.log(np.maximum(y, 0.0) + 0.5), center[:, None])
    for _ in range(ROUNDS):
        alpha = 1.0 / (h.noise[:, None] ** 2 + extra)
        common = shock + hot @ season + bridged
        mu = np.exp(np.clip(path + common, -15, 16))
        curve = np.where(seen, mu * alpha / (mu + alpha), 0.0)
        score = np.where(seen, (y - mu) * alpha / (mu + alpha), 0.0)
        total = curve.sum(axis=0)
        data = np.einsum("tk,st,tl->skl", design, curve, design, optimize=True)
        prior = np.zeros((3, n_states, n, n))
        prior[0, :, 0, 0] = LEVEL_SD**-2
        prior[:, :, 1:, 1:] = increment_precision(weights[0], h.state)
        by_damping = [prior]
        if members:
            scale = np.full(members[0].shape[1], h.region)
            by_damping.append(increment_precision(weights[1], scale))
        dampings = (h.damp_state, h.damp_region)
        priors = [at_damping(p, damping) for p, damping in zip(by_damping, dampings)]
        levels, above, says = upward(
            data,
            (curve * path + score) @ design,
            priors=priors,
            members=members,
            prior_mean=prior_mean,
        )
        parent = np.zeros((1, n - 1)), np.zeros((1, n - 1, n - 1))
        if inputs.pooled:
            # What is common to a month, less the season: the nation between its knots, and a
            # shock, which is integrated out.
            left = (curve * common + score).sum(axis=0) - total * (hot @ season)
            share = h.shock**-2 / (total + h.shock**-2)
            nation = _nation(
                np.diag(heavy / h.nation**2),
                quarter.T @ above @ quarter + (bridge.T * (share * total)) @ bridge,
                info=quarter.T @ says + bridge.T @ (share * left),
                slope=(SLOPE_RATIO * h.nation) ** 2 * slope,
                strength=total,
                left=left,
            )
            parent = (
                (nation.mean @ quarter.T)[None],
                (quarter @ nation.cov @ quarter.T)[None],
            )
            bridged = bridge @ nation.mean
        marginals = downward(levels, members, prior_mean=prior_mean, parent=parent)
        path_new = marginals[0].mean @ design.T
        # Backfitting: season first, then the month's own shock.
        left = (curve * (path + common - path_new) + score).sum(
            axis=0
        ) - total * bridged
        season = hot.T @ (left - total * shock) / (hot.T @ total + h.season**-2)
        season -= season.mean()
        if inputs.pooled:
            shock = (left - total * (hot @ season)) / (total + h.shock**-2)
        weights, second = _tail_weights(marginals, h)
        if nation is not None:
            square = _national_squares(nation)
            heavy = (h.tail + 1) / (h.tail + square / h.nation**2)
        variance = np.einsum(
            "tk,skl,tl->st", design, marginals[0].cov, design, optimize=True
        )
        mu = np.exp(np.clip(path_new + shock + hot @ season + bridged, -15, 16))
        h = replace(
            _update(h, marginals, weights=weights, second=second),
            noise=_update_noise(
                h.noise, y, mu=mu, variance=variance - extra, seen=seen
            ),
            season=float(np.sqrt((season @ season + 3 * 0.02**2) / 14)),
        )
        if nation is not None:
            own = (heavy * square).sum() + 8 * 0.025**2
            used = seen.any(axis=0)
            expected = (shock**2 + 1.0 / (total + h.shock**-2))[used].sum()
            h = replace(
                h,
                nation=float(np.sqrt(own / (square.size + 8))),
                shock=float(np.sqrt((expected + 5 * 0.012**2) / (used.sum() + 5))),
            )
        path = path + np.clip(path_new - path, -1.0, 1.0)
    levels = [replace(v, by_damping=p) for v, p in zip(levels, by_damping)]
    return Approximation(
        h,
        tuple(levels),
        nation=nation,
        center=center,
        basis=basis,
        season=season,
        shock=shock,
    )


def _factor_variance(inputs: Inputs) -> Floats:
    """Variance of a month's completion that its location's months share."""
    # As a share of its square: here as if each month had its own.
    missing = inputs.missing
    if missing is None:
        return np.zeros(inputs.counts.shape)
    late = (
        inputs.last(missing.late) ** 2 * (missing.own**2 + missing.shared**2)[:, None]
    )
    spread = missing.revision_own**2 + missing.revision_shared**2
    revised = inputs.last(missing.revised) ** 2 * spread[:, None]
    return np.asarray((late + revised) / np.maximum(inputs.counts, 1.0) ** 2)


def _nation(
    prior: Floats,
    data: Floats,
    info: Floats,
    slope: Floats,
    strength: Floats,
    left: Floats,
) -> Nation:
    """The nation's steps given what the tree says about them; the slope is integrated out."""
    precision = np.linalg.inv(np.linalg.inv(prior) + slope)
    cov = np.linalg.inv(precision + data)
    cov = (cov + cov.T) / 2
    level = Level(prior[None], data[None], info=info[None], inverse=cov[None])
    return Nation(level, cov @ info, cov=cov, slope=slope, strength=strength, left=left)


def _national_squares(nation: Nation) -> Floats:
    """Squared innovations (expected), the slope taken off."""
    own = np.linalg.inv(nation.level.prior[0])
    follow = own @ np.linalg.inv(own + nation.slope)
    cov = own - follow @ own + follow @ nation.cov @ follow.T
    return np.asarray((follow @ nation.mean) ** 2 + np.diag(cov))


def level_center(counts: Floats, seen: Bools) -> Floats:
    """Log of the mean of the last 12 months seen, shape (S,)."""
    recent = seen & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] <= 12)
    # Simulated counts less what arrives late may be below zero.
    mean = (counts * recent).sum(axis=1) / recent.sum(axis=1)
    return np.asarray(np.log(np.maximum(mean, 0.0) + 0.5))


def _tail_weights(
    marginals: Sequence[Marginal], h: Scales
) -> tuple[list[Floats], list[Floats]]:
    """Weights of a t distribution as a scale mixture, and squared innovations (expected)."""
    weights = []
    second = []
    for (dev, cov), (scale, damp) in zip(increments(marginals), h.by_level):
        operator = innovation_operator(dev.shape[1], damp)
        square = (dev @ operator.T) ** 2
        square += np.einsum("ij,sjk,ik->si", operator, cov, operator, optimize=True)
        second.append(square[:, 1:])
        weights.append((h.tail + 1) / (h.tail + square[:, 1:] / scale**2))
    return weights, second


def _update(
    h: Scales,
    marginals: Sequence[Marginal],
    weights: Sequence[Floats],
    second: Sequence[Floats],
) -> Scales:
    own = weights[0] * second[0]
    pull = 20  # innovations' worth of shrinkage of a state's scale to the common one
    state = np.sqrt((own.sum(axis=1) + pull * own.mean()) / (own.shape[1] + pull))
    region = h.region
    for w, e in zip(weights[1:], second[1:]):
        region = float(np.sqrt(((w * e).sum() + 8 * 0.03**2) / (e.size + 8)))
    h = replace(h, state=state, region=region)
    damping = [h.damp_state, h.damp_region]
    for g, ((dev, cov), w) in enumerate(zip(increments(marginals), weights)):
        i = np.arange(dev.shape[1] - 1)
        precision = w / h.by_level[g][0] ** 2
        cross = (precision * (dev[:, 1:] * dev[:, :-1] + cov[:, i + 1, i])).sum()
        square = (precision * (dev[:, :-1] ** 2 + cov[:, i, i])).sum()
        damping[g] = float(np.clip((cross + 1.0) / (square + 3.0), 0.02, 0.95))
    return replace(h, damp_state=damping[0], damp_region=damping[1])


def _update_noise(
    noise: Floats, y: Floats, mu: Floats, variance: Floats, seen: Bools
) -> Floats:
    """Extra coefficient of variation, from squared residuals weighted by their precision."""
    weight = np.where(seen, (1.0 + mu * noise[:, None] ** 2) ** -2, 0.0)
    excess = weight * ((y - mu) ** 2 - mu + mu**2 * variance)
    own = excess.sum(axis=1)
    size = (weight * mu**2).sum(axis=1)
    pull = 0.5 * float(np.median(size))
    shrunk = (own + pull * own.sum() / size.sum()) / (size + pull)
    return np.asarray(np.sqrt(np.maximum(shrunk, 0.015**2)))


#: Log of the deaths a month at which a path is stopped, with a warning (9 million).
MAX_LOG_MEAN = 16.0


def past(
    guide: Approximation, inputs: Inputs, draws: int, streams: Streams
) -> dict[str, Floats]:
    """Draws of the approximate posterior at fixed scales, by variable of the graph."""
    # -> (draws, ...)
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
    if (nation := guide.nation) is not None:
        quarter, bridge = between_knots(inputs.counts.shape[1], inputs.every)
        start = inputs.first * inputs.every
        size = nation.mean.size
        rng = streams.generator("posterior-nation")
        steps = (
            nation.mean
            + rng.standard_normal((draws, size)) @ np.linalg.cholesky(nation.cov).T
        )
        follow = nation.slope @ np.linalg.inv(
            nation.slope + np.linalg.inv(nation.level.prior[0])
        )
        spread = nation.slope[-1, -1] - follow[-1] @ nation.slope[:, -1]
        out["slope"] = steps @ follow[-1] + np.sqrt(
            max(spread, 0.0)
        ) * rng.standard_normal(draws)
        out["common"] = steps @ bridge[inputs.begin :, start:].T
        parent = (steps @ quarter[inputs.first :, start:].T)[:, None]
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
                streams.generator(f"posterior-{g}", s).standard_normal(
                    (draws, mean.shape[2])
                )
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
    return out


def future(
    posterior: Mapping[str, Floats],
    inputs: Inputs,
    tail: float,
    horizon: int,
    streams: Streams,
) -> tuple[Floats, float]:
    """Monthly deaths after the origin, joint over locations and months."""
    # New innovations and shocks are drawn for the nation in every month to come, new innovations
    # for the regions and the states at every knot; those paths are interpolated between knots as
    # they were in the past.
    # posterior (D, ...) -> counts (D, S, horizon)
    n_draws = len(posterior["level"])
    steps = -(-horizon // inputs.every)

    def walk(
        last: Floats,
        damping: Floats,
        scale: Floats,
        rngs: list[np.random.Generator],
    ) -> Floats:
        """Deviations' increments at the knots to come, summed: (D, N, steps + 1)."""
        path = np.zeros((*last.shape, steps + 1))
        jumps = np.stack(
            [g.standard_t(tail, size=(steps, n_draws)) for g in rngs], axis=2
        )
        for k in range(steps):
            last = damping[:, None] * last + scale * jumps[k]
            path[..., k + 1] = path[..., k] + last
        return path

    places = [streams.generator("location", s) for s in inputs.locations]
    total = walk(
        posterior["increment"], posterior["damping"], posterior["scale"], places
    )
    if inputs.regions:
        scale = posterior["scale_region"][:, None]
        regions = [streams.generator("region", s) for s in inputs.regions]
        own = walk(
            posterior["increment_region"], posterior["damping_region"], scale, regions
        )
        total = total + np.einsum("sn,dnk->dsk", inputs.region, own)
    ahead = np.arange(1, horizon + 1) / inputs.every
    knot = np.minimum(ahead.astype(int), steps - 1)
    share = ahead - knot
    eta = posterior["level"][:, :, None] + (
        total[..., knot] * (1.0 - share) + total[..., knot + 1] * share
    )
    if inputs.pooled:
        path, shocks = _national_path(
            posterior,
            tail,
            horizon=horizon,
            rng=streams.generator("nation"),
        )
        eta += path[:, None]
    months = inputs.months[-1] + np.arange(1, horizon + 1).astype("timedelta64[M]")
    hot = month_one_hot(months)
    eta += (posterior["season"] @ hot.T)[:, None]
    if inputs.pooled:
        eta += (shocks * posterior["shock_scale"][:, None])[:, None]
    stopped = float((eta > MAX_LOG_MEAN).mean())
    eta = np.minimum(eta, MAX_LOG_MEAN)
    extra = posterior["extra"]
    singles = [streams.generator("count", s) for s in inputs.locations]
    drawn = [counts(eta[:, [i]], extra[:, [i]], rng=g) for i, g in enumerate(singles)]
    return np.concatenate(drawn, axis=1), stopped


def _national_path(
    posterior: Mapping[str, Floats],
    tail: float,
    horizon: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Change of the nation's log level in the months to come, and normals of its shocks."""
    # Each of shape (D, horizon).
    scale = posterior["scale_nation"]
    slope = posterior["slope"]
    last = np.zeros(scale.size)
    out, shocks = np.empty((2, scale.size, horizon))
    for h in range(horizon):
        jump = rng.standard_t(tail, size=scale.size)
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
    if "common" in posterior:
        eta += posterior["common"][:, None]
    return eta


def counts(eta: Floats, extra: Floats, rng: np.random.Generator) -> Floats:
    """Negative-binomial counts: log means (D, S, M), extra variation (D, S)."""
    alpha = extra**-2.0
    out = np.empty(eta.shape)
    for m in range(eta.shape[2]):
        rate = rng.gamma(alpha, 1.0 / alpha) * np.exp(eta[..., m].copy())
        out[..., m] = rng.poisson(rate)
    return out


@dataclass(frozen=True)
class Level:
    """Nodes of one level: Gaussian prior around the parent, quadratic likelihood."""

    # `prior` and `data` are precisions, shape (N, n, n); `info` is data precision times what
    # the data say, shape (N, n); `inverse` is (data + prior)^-1. `by_damping`, shape (3, N, n,
    # n), is the prior as a polynomial of the damping, None where there is none.

    prior: Floats
    data: Floats
    info: Floats
    inverse: Floats
    by_damping: Floats | None = None


@dataclass(frozen=True)
class Marginal:
    """Mean and covariance of nodes, and of their deviations from the parent."""

    mean: Floats
    cov: Floats
    dev: Floats
    dev_cov: Floats


def path_basis(n_knots: int) -> Floats:
    """Matrix (n, n): path at the knots = level at the last knot - increments still to come."""
    ahead = np.triu(np.ones((n_knots, n_knots - 1)))
    return np.concatenate([np.ones((n_knots, 1)), -ahead], axis=1)


def innovation_operator(n: int, damping: float) -> Floats:
    """F, so that F @ increments = innovations; the first increment stays as it is."""
    return np.asarray(np.eye(n) - damping * np.eye(n, k=-1))


def slope_filter(n: int) -> Floats:
    """Standard normal innovations to slopes of unit innovation scale, settled from the start."""
    lag = np.subtract.outer(np.arange(n), np.arange(n))
    out = np.where(lag >= 0, SLOPE_DAMP ** np.maximum(lag, 0), 0.0)
    out[:, 0] /= np.sqrt(1.0 - SLOPE_DAMP**2)
    return np.asarray(out)


def increment_precision(weights: Floats, scale: Floats) -> Floats:
    """Prior precision of increments, as a polynomial of the damping; shape (3, N, n, n)."""
    # From the weights of their innovations.
    n = weights.shape[1] + 1
    out = np.zeros((3, len(weights), n, n))
    i = np.arange(n)
    # The process is stationary: the first innovation has 1 - damping² of the precision.
    precision = (
        np.concatenate([np.ones((len(weights), 1)), weights], axis=1)
        / scale[:, None] ** 2
    )
    out[0][:, i, i] = precision
    out[1][:, i[1:], i[:-1]] = out[1][:, i[:-1], i[1:]] = -precision[:, 1:]
    out[2][:, i[:-1], i[:-1]] = precision[:, 1:]
    out[2][:, 0, 0] -= precision[:, 0]
    return out


def at_damping(by_damping: Floats, damping: float) -> Floats:
    """The precision at a damping, shape (N, n, n)."""
    return np.asarray(
        by_damping[0] + damping * (by_damping[1] + damping * by_damping[2])
    )


def upward(
    data: Floats,
    info: Floats,
    priors: Sequence[Floats],
    members: Sequence[Floats],
    prior_mean: Floats,
) -> tuple[list[Level], Floats, Floats]:
    """Levels, and what they say about the increments above them all: precision, and times mean."""
    levels = []
    for g, prior in enumerate(priors):
        inverse = np.linalg.inv(data + prior)
        inverse = (inverse + inverse.transpose(0, 2, 1)) / 2
        levels.append(Level(prior, data, info=info, inverse=inverse))
        # What a level says about its parents' increments once it is integrated out.
        pull = data @ inverse
        known = info + np.einsum("skl,sl->sk", prior, prior_mean) if g == 0 else info
        message = info - np.einsum("skl,sl->sk", pull, known)
        precision = data - pull @ data
        skip = 1 if g == 0 else 0
        link = members[g] if g < len(members) else np.ones((len(prior), 1))
        data = np.einsum("sn,skl->nkl", link, precision[:, skip:, skip:], optimize=True)
        info = link.T @ message[:, skip:]
    return levels, data[0], info[0]


def downward(
    levels: Sequence[Level],
    members: Sequence[Floats],
    prior_mean: Floats,
    parent: tuple[Floats, Floats],
) -> list[Marginal]:
    """Marginals of every level, from mean and covariance of the increments above them all."""
    mean, cov = parent
    out = []
    for g in reversed(range(len(levels))):
        level = levels[g]
        link = members[g] if g < len(members) else np.ones((level.info.shape[0], 1))
        mean = link @ mean
        cov = np.einsum("nm,mkl->nkl", link, cov)
        if g == 0:
            mean = np.concatenate([prior_mean[:, :1], mean], axis=1)
            cov = np.pad(cov, ((0, 0), (1, 0), (1, 0)))
        follow = level.inverse @ level.prior
        resist = level.inverse @ level.data
        value = np.einsum(
            "skl,sl->sk",
            level.inverse,
            level.info + np.einsum("skl,sl->sk", level.prior, mean),
        )
        out.append(
            Marginal(
                mean=value,
                cov=level.inverse + follow @ cov @ follow.transpose(0, 2, 1),
                dev=value - mean,
                dev_cov=level.inverse + resist @ cov @ resist.transpose(0, 2, 1),
            )
        )
        mean = out[-1].mean
        cov = out[-1].cov
    return out[::-1]


def increments(marginals: Sequence[Marginal]) -> list[tuple[Floats, Floats]]:
    """Mean and covariance of the deviations of increments, level by level."""
    state, *groups = marginals
    return [
        (state.dev[:, 1:], state.dev_cov[:, 1:, 1:]),
        *((m.dev, m.dev_cov) for m in groups),
    ]


def whiten(level: Level) -> tuple[Floats, Floats, Floats, Floats]:
    """Coordinates in which prior and data of a level are both diagonal."""
    # -> forward, backward (N, n, n), strength (N, n), info (N, n)
    pairs = [eigh(a, q) for a, q in zip(level.data, level.prior)]
    strength = np.maximum(np.stack([p[0] for p in pairs]), 0.0)
    forward = np.stack([p[1] for p in pairs])
    backward = forward.transpose(0, 2, 1) @ level.prior
    return forward, backward, strength, np.einsum("skl,sk->sl", forward, level.info)
