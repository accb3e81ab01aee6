"""Gaussian trees of paths: their coordinates, and what passes up and down between levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from odforecast.panel import Floats

#: Damping of the nation's slope, a month.
SLOPE_DAMP = 0.98


@dataclass(frozen=True)
class Level:
    """Nodes of one level: Gaussian prior around the parent, quadratic likelihood.

    ``prior`` and ``data`` are precisions, shape (N, n, n); ``info`` is data precision times
    what the data say, shape (N, n); ``inverse`` is (data + prior)^-1. ``by_damping``,
    shape (3, N, n, n), is the prior as a polynomial of the damping, None where there is none.
    """

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
    """Prior precision of increments from the weights of their innovations, as a polynomial of
    the damping: shape (3, N, n, n).

    Examples
    --------
    >>> by_damping = increment_precision(np.ones((1, 1)), np.array([0.5]))
    >>> at_damping(by_damping, 0.5)[0].tolist()
    [[4.0, -2.0], [-2.0, 4.0]]
    """
    n = weights.shape[1] + 1
    out = np.zeros((3, len(weights), n, n))
    i = np.arange(n)
    # The process is stationary: the first innovation has 1 - damping² of the precision.
    precision = np.concatenate([np.ones((len(weights), 1)), weights], axis=1) / scale[:, None] ** 2
    out[0][:, i, i] = precision
    out[1][:, i[1:], i[:-1]] = out[1][:, i[:-1], i[1:]] = -precision[:, 1:]
    out[2][:, i[:-1], i[:-1]] = precision[:, 1:]
    out[2][:, 0, 0] -= precision[:, 0]
    return out


def at_damping(by_damping: Floats, damping: float) -> Floats:
    """The precision at a damping, shape (N, n, n)."""
    return np.asarray(by_damping[0] + damping * (by_damping[1] + damping * by_damping[2]))


def upward(
    data: Floats,
    info: Floats,
    priors: Sequence[Floats],
    members: Sequence[Floats],
    prior_mean: Floats,
) -> tuple[list[Level], Floats, Floats]:
    """Levels, and what they say of the increments above them all: precision, and times mean."""
    levels = []
    for g, prior in enumerate(priors):
        inverse = np.linalg.inv(data + prior)
        inverse = (inverse + inverse.transpose(0, 2, 1)) / 2
        levels.append(Level(prior, data, info, inverse))
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


def increments(marginals: Sequence[Marginal]) -> list[tuple[Floats, Floats]]:
    """Mean and covariance of the deviations of increments, level by level."""
    state, *groups = marginals
    return [(state.dev[:, 1:], state.dev_cov[:, 1:, 1:]), *((m.dev, m.dev_cov) for m in groups)]


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
