"""Gaussian approximation of the hierarchy, in numpy.

The hierarchy is a tree: nation, regions, states. Every node is a vector of increments between
knots (a state has a level, too). Once heavy tails are replaced by their weights and counts by
a quadratic, one pass up the tree and one down give mode and covariance exactly, and a few
rounds of expectation-maximisation give the scales. Two things are made of it: the map that
whitens the posterior for NUTS (it changes the coordinates, not the model), and the quick,
approximate fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh

from odforecast.models.hierarchy.inputs import Bools, Inputs
from odforecast.panel import Floats

#: Prior standard deviation of a state's log level around its last year's mean.
LEVEL_SD = 2.0
#: Counts are read as this where they are only known to lie in 1..9 (for the map only).
CENSORED_GUESS = 4.0


@dataclass(frozen=True)
class Scales:
    """Scales of the hierarchy.

    Attributes
    ----------
    group, damp_group : ndarray, shape (G,)
        Innovation scale and damping of each level of groups, regions first.
    state : ndarray, shape (S,)
    damp_state : float
    tail : float
        Degrees of freedom of the innovations.
    noise : ndarray, shape (S,)
        Extra coefficient of variation of the counts.
    shock, season : float
        Scale of the common month shock, and of the season.
    """

    group: Floats
    damp_group: Floats
    state: Floats
    damp_state: float
    tail: float
    noise: Floats
    shock: float
    season: float


@dataclass(frozen=True)
class Level:
    """Nodes of one level: Gaussian prior around the parent, quadratic likelihood.

    ``prior`` and ``data`` are precisions, shape (N, n, n); ``info`` is data precision times
    what the data say, shape (N, n); ``inverse`` is (data + prior)^-1.
    """

    prior: Floats
    data: Floats
    info: Floats
    inverse: Floats


@dataclass(frozen=True)
class Marginal:
    """Mean and covariance of nodes, and of their deviations from the parent."""

    mean: Floats
    cov: Floats
    dev: Floats
    dev_cov: Floats


@dataclass(frozen=True)
class Approximation:
    """Result of :func:`approximate`; only knots in use (n of them, n - 1 increments).

    ``levels`` runs from the states up to the nation. ``center`` is the prior mean of the
    states' levels; ``basis`` (n, n) turns a level and increments into a path.
    """

    scales: Scales
    levels: tuple[Level, ...]
    center: Floats
    basis: Floats
    season: Floats
    shock: Floats


def path_basis(n_knots: int) -> Floats:
    """Matrix (n, n): path at the knots = level at the last knot - increments still to come."""
    ahead = np.triu(np.ones((n_knots, n_knots - 1)))
    return np.concatenate([np.ones((n_knots, 1)), -ahead], axis=1)


def innovation_operator(n: int, damping: float) -> Floats:
    """F, so that F @ increments = innovations; the first increment stays as it is."""
    return np.asarray(np.eye(n) - damping * np.eye(n, k=-1))


def approximate(
    inputs: Inputs, tail: float, *, rounds: int = 25, scales: Scales | None = None
) -> Approximation:
    """Mode, curvature and (unless given) scales.

    Parameters
    ----------
    inputs : Inputs
    tail : float
        Degrees of freedom of the innovations.
    rounds : int
        Rounds of expectation-maximisation.
    scales : Scales, optional
        Keep these instead of estimating them.
    """
    n_states, _, _ = inputs.shape
    members, n_groups = inputs.members, len(inputs.members)
    hot = inputs.month_hot
    basis = path_basis(inputs.shape[2] - inputs.first)
    design = inputs.weights[:, inputs.first :] @ basis
    n = basis.shape[0]
    seen = inputs.seen | inputs.censored
    y = np.where(inputs.censored, CENSORED_GUESS, inputs.counts)
    center = level_center(y, seen)
    prior_mean = np.zeros((n_states, n))
    prior_mean[:, 0] = center
    h = scales or Scales(
        group=np.full(n_groups, 0.03),
        damp_group=np.full(n_groups, 0.2),
        state=np.full(n_states, 0.05),
        damp_state=0.1,
        tail=tail,
        noise=np.full(n_states, 0.06),
        shock=0.012,
        season=0.02,
    )
    weights = [np.ones((n_states, n - 2)), *(np.ones((m.shape[1], n - 2)) for m in members)]
    shock, season = np.zeros(hot.shape[0]), np.zeros(12)
    levels: list[Level] = []
    # Where the counts are linearised: at themselves first, then at the fit, in short steps
    # (Newton's own steps can run away from sudden rises).
    path = np.where(seen, np.log(y + 0.5), center[:, None])
    for _ in range(rounds):
        alpha = 1.0 / h.noise[:, None] ** 2
        common = shock + hot @ season
        mu = np.exp(np.clip(path + common, -15, 16))
        curve = np.where(seen, mu * alpha / (mu + alpha), 0.0)
        score = np.where(seen, (y - mu) * alpha / (mu + alpha), 0.0)
        data = np.einsum("tk,st,tl->skl", design, curve, design, optimize=True)
        prior = np.zeros((n_states, n, n))
        prior[:, 0, 0] = LEVEL_SD**-2
        prior[:, 1:, 1:] = _increment_precision(weights[0], h.state, h.damp_state)
        priors = [prior]
        for g in range(n_groups):
            scale = np.full(members[g].shape[1], h.group[g])
            priors.append(_increment_precision(weights[g + 1], scale, h.damp_group[g]))
        levels = _upward(data, (curve * path + score) @ design, priors, members, prior_mean)
        marginals = _downward(levels, members, prior_mean)
        mean = marginals[0].mean
        # What is common to a month, by backfitting: season first, then the month's own shock.
        path_new = mean @ design.T
        total = curve.sum(axis=0)
        left = (curve * (path + common - path_new) + score).sum(axis=0)
        season = hot.T @ (left - total * shock) / (hot.T @ total + h.season**-2)
        season -= season.mean()
        if n_groups:
            shock = (left - total * (hot @ season)) / (total + h.shock**-2)
        weights, second = _tail_weights(marginals, h)
        if scales is None:
            variance = np.einsum("tk,skl,tl->st", design, marginals[0].cov, design, optimize=True)
            mu = np.exp(np.clip(path_new + shock + hot @ season, -15, 16))
            h = replace(
                _update(h, marginals, weights, second),
                noise=_update_noise(h.noise, y, mu, variance, seen),
                shock=_update_shock(h.shock, shock, total, seen) if n_groups else h.shock,
                season=float(np.sqrt((season @ season + 3 * 0.02**2) / 14)),
            )
        path = path + np.clip(path_new - path, -1.0, 1.0)
    return Approximation(h, tuple(levels), center, basis, season, shock)


def level_center(counts: Floats, seen: Bools) -> Floats:
    """Log of the mean of the last 12 months seen, shape (S,)."""
    recent = seen & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] <= 12)
    return np.asarray(np.log((counts * recent).sum(axis=1) / recent.sum(axis=1) + 0.5))


def _increment_precision(weights: Floats, scale: Floats, damping: float) -> Floats:
    operator = innovation_operator(weights.shape[1] + 1, damping)
    start = np.full((weights.shape[0], 1), 1.0 - damping**2)  # the process is stationary
    precision = np.concatenate([start, weights], axis=1) / scale[:, None] ** 2
    return np.asarray(np.einsum("ij,si,ik->sjk", operator, precision, operator, optimize=True))


def _upward(
    data: Floats,
    info: Floats,
    priors: Sequence[Floats],
    members: Sequence[Floats],
    prior_mean: Floats,
) -> list[Level]:
    levels = []
    for g, prior in enumerate(priors):
        inverse = np.linalg.inv(data + prior)
        inverse = (inverse + inverse.transpose(0, 2, 1)) / 2
        levels.append(Level(prior, data, info, inverse))
        if g == len(members):
            break
        # What a level says about its parents' increments once it is integrated out.
        pull = data @ inverse
        known = info + np.einsum("skl,sl->sk", prior, prior_mean) if g == 0 else info
        message = info - np.einsum("skl,sl->sk", pull, known)
        precision = data - pull @ data
        skip = 1 if g == 0 else 0
        data = np.einsum("sn,skl->nkl", members[g], precision[:, skip:, skip:], optimize=True)
        info = members[g].T @ message[:, skip:]
    return levels


def _downward(
    levels: Sequence[Level], members: Sequence[Floats], prior_mean: Floats
) -> list[Marginal]:
    n = prior_mean.shape[1] - 1
    mean, cov = np.zeros((1, n)), np.zeros((1, n, n))
    out = []
    for g in reversed(range(len(levels))):
        level = levels[g]
        n_nodes = level.info.shape[0]
        link = members[g] if g < len(members) else np.ones((n_nodes, 1))
        mean, cov = link @ mean, np.einsum("nm,mkl->nkl", link, cov)
        if g == 0:
            mean = np.concatenate([prior_mean[:, :1], mean], axis=1)
            cov = np.pad(cov, ((0, 0), (1, 0), (1, 0)))
        follow, resist = level.inverse @ level.prior, level.inverse @ level.data
        value = np.einsum(
            "skl,sl->sk", level.inverse, level.info + np.einsum("skl,sl->sk", level.prior, mean)
        )
        out.append(
            Marginal(
                mean=value,
                cov=level.inverse + follow @ cov @ follow.transpose(0, 2, 1),
                dev=value - mean,
                dev_cov=level.inverse + resist @ cov @ resist.transpose(0, 2, 1),
            )
        )
        mean, cov = out[-1].mean, out[-1].cov
    return out[::-1]


def _increments(marginals: Sequence[Marginal]) -> list[tuple[Floats, Floats]]:
    state, *groups = marginals
    return [(state.dev[:, 1:], state.dev_cov[:, 1:, 1:]), *((m.dev, m.dev_cov) for m in groups)]


def _tail_weights(marginals: Sequence[Marginal], h: Scales) -> tuple[list[Floats], list[Floats]]:
    """Weights of a t distribution as a scale mixture, and squared innovations (expected)."""
    weights, second = [], []
    scales = [h.state[:, None], *h.group]
    damping = [h.damp_state, *h.damp_group]
    for (dev, cov), scale, damp in zip(_increments(marginals), scales, damping):
        operator = innovation_operator(dev.shape[1], damp)
        square = (dev @ operator.T) ** 2
        square += np.einsum("ij,sjk,ik->si", operator, cov, operator, optimize=True)
        second.append(square[:, 1:])
        weights.append((h.tail + 1) / (h.tail + square[:, 1:] / scale**2))
    return weights, second


def _update(
    h: Scales, marginals: Sequence[Marginal], weights: Sequence[Floats], second: Sequence[Floats]
) -> Scales:
    own = weights[0] * second[0]
    pull = 20  # innovations' worth of shrinkage of a state's scale to the common one
    state = np.sqrt((own.sum(axis=1) + pull * own.mean()) / (own.shape[1] + pull))
    group = [
        np.sqrt(((w * e).sum() + 8 * 0.03**2) / (e.size + 8))
        for w, e in zip(weights[1:], second[1:])
    ]
    damping = []
    scales = [state[:, None], *group]
    for (dev, cov), w, scale in zip(_increments(marginals), weights, scales):
        i = np.arange(dev.shape[1] - 1)
        cross = (w / scale**2 * (dev[:, 1:] * dev[:, :-1] + cov[:, i + 1, i])).sum()
        square = (w / scale**2 * (dev[:, :-1] ** 2 + cov[:, i, i])).sum()
        damping.append(float(np.clip((cross + 1.0) / (square + 3.0), 0.02, 0.95)))
    return replace(
        h,
        state=state,
        group=np.array(group),
        damp_state=damping[0],
        damp_group=np.array(damping[1:]),
    )


def _update_noise(noise: Floats, y: Floats, mu: Floats, variance: Floats, seen: Bools) -> Floats:
    """Extra coefficient of variation, from squared residuals weighted by their precision."""
    weight = np.where(seen, (1.0 + mu * noise[:, None] ** 2) ** -2, 0.0)
    excess = weight * ((y - mu) ** 2 - mu + mu**2 * variance)
    own, size = excess.sum(axis=1), (weight * mu**2).sum(axis=1)
    pull = 0.5 * float(np.median(size))
    shrunk = (own + pull * own.sum() / size.sum()) / (size + pull)
    return np.asarray(np.sqrt(np.maximum(shrunk, 0.015**2)))


def _update_shock(scale: float, shock: Floats, total: Floats, seen: Bools) -> float:
    used = seen.any(axis=0)
    square = (shock**2 + 1.0 / (total + scale**-2))[used].sum()
    return float(np.sqrt((square + 5 * 0.012**2) / (used.sum() + 5)))


def whiten(level: Level) -> tuple[Floats, Floats, Floats, Floats]:
    """Coordinates in which prior and data of a level are both diagonal.

    Returns
    -------
    forward, backward : ndarray, shape (N, n, n)
        V and its inverse: ``V' prior V = 1``, ``V' data V = diag(strength)``.
    strength : ndarray, shape (N, n)
        Data precision relative to the prior's.
    info : ndarray, shape (N, n)
        ``V' info``.
    """
    pairs = [eigh(a, q) for a, q in zip(level.data, level.prior)]
    strength = np.maximum(np.stack([p[0] for p in pairs]), 0.0)
    forward = np.stack([p[1] for p in pairs])
    backward = forward.transpose(0, 2, 1) @ level.prior
    return forward, backward, strength, np.einsum("skl,sk->sl", forward, level.info)
