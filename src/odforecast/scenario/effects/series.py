"""The exact part of the posterior of a past effect: normal series, their covariances, evidence.

Log monthly deaths of S locations with weights w (of mean one) are

    y_s(t) = a_s + d_s t + common(t) + own_s(t) + noise_s(t) + sum_e beta_se shape_e(t)

``common`` is a random walk, with a random walk in its **slope** too, so that an epidemic that
turns by itself is not an effect; walks and noise of a location have variances that fall with its
weight. Rows scaled by the root of the weight and turned so that the first is the weighted mean are
independent: the mean alone carries ``common``, the S - 1 contrasts do not. Levels and drifts have
flat priors. The mean's three variances are averaged over, on a grid; the contrasts' two are
estimated (hundreds of rows say what they are).

A state's own factor, ``beta_se = beta_e exposure_se u_s`` with ``u_s ~ LogNormal(-tau^2/2, tau)``,
is linearised: its deviation is taken for normal, of sd ``tau * exposure_se * |beta_e|``, and the
size there is the root of the posterior's own mean of beta_e squared, timing by timing. So states
may differ by as much as the effect allows, with the nation's change or without it: how much they do
differ is no evidence for an effect, nor for its size. The rotation of these deviations is diagonal
up to differences in exposure and weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize

from odforecast.panel import Floats


@dataclass(frozen=True)
class Grid:
    """Sds a month of the mean's walk, noise and slope, and the scales of their priors.

    Each sd has a half-normal prior of its scale; a scale of infinity is flat in the sd.
    """

    walk: tuple[float, ...]
    noise: tuple[float, ...]
    slope: tuple[float, ...] = (0.0,)
    scales: tuple[float, float, float] = (np.inf, np.inf, np.inf)

    @property
    def sds(self) -> Floats:
        """All nodes, shape (K, 3)."""
        mesh = np.meshgrid(self.walk, self.noise, self.slope, indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=1)

    @property
    def log_prior(self) -> Floats:
        """Log prior probability of each node, shape (K,); they add up to one."""
        logs = [
            _node_prior(np.array(nodes), scale)
            for nodes, scale in zip((self.walk, self.noise, self.slope), self.scales)
        ]
        total = logs[0][:, None, None] + logs[1][:, None] + logs[2]
        return np.asarray(total.ravel() - np.log(np.exp(total).sum()))


def _node_prior(nodes: Floats, scale: float) -> Floats:
    """Log mass at each node: the prior's density times the node's share of the axis."""
    if nodes.size == 1:
        return np.zeros(1)
    with np.errstate(divide="ignore"):
        middles = np.sqrt(nodes[1:] * nodes[:-1])
    if nodes[0] == 0.0:
        middles[0] = nodes[1] / 2.0
        edges = np.concatenate([[0.0], middles, [1.5 * nodes[-1]]])
    else:
        ratio = np.sqrt(nodes[1] / nodes[0])
        edges = np.concatenate([[nodes[0] / ratio], middles, [nodes[-1] * ratio]])
    out = np.log(np.diff(edges))
    return out if np.isinf(scale) else out - 0.5 * (nodes / scale) ** 2


def geometric(low: float, high: float, n: int) -> tuple[float, ...]:
    """``n`` numbers, evenly spread on the log scale."""
    return tuple(float(x) for x in np.geomspace(low, high, n))


#: What the mean of the locations does by itself in a month.
GRID = Grid(
    geometric(0.002, 0.16, 10),
    geometric(0.002, 0.16, 10),
    (0.0, 0.001, 0.002, 0.004, 0.008, 0.016),
    (0.04, 0.04, 0.01),
)


@dataclass(frozen=True, eq=False)
class Machine:
    """Covariances of a series of T months less level and drift, inverted at every node.

    Attributes
    ----------
    basis : ndarray, shape (n, T)
        Takes level and drift out.
    precision : ndarray, shape (K, n, n)
    logdet : ndarray, shape (K,)
        Of the covariances.
    log_prior : ndarray, shape (K,)
    axes, spread : ndarray, shape (n, n) and (n,)
        Eigenvectors (rows) and eigenvalues of a unit walk's covariance.
    """

    basis: Floats
    precision: Floats
    logdet: Floats
    log_prior: Floats
    axes: Floats
    spread: Floats


@lru_cache(maxsize=4)
def machine(n_time: int, grid: Grid, scale: float) -> Machine:
    """The machine of series of a length, the mean's variances times ``scale``."""
    trend = np.stack([np.ones(n_time), np.arange(n_time) - n_time / 2], axis=1)
    basis = np.linalg.qr(trend, mode="complete")[0][:, 2:].T
    add = np.tril(np.ones((n_time, n_time)))
    walk = basis @ add @ add.T @ basis.T
    slope = basis @ (add @ add) @ (add @ add).T @ basis.T
    variances = scale * grid.sds**2
    eye = np.eye(n_time - 2)
    precision = np.empty((len(variances), n_time - 2, n_time - 2))
    logdet = np.empty(len(variances))
    for i, (w, n, s) in enumerate(variances):
        covariance = w * walk + n * eye + s * slope
        precision[i] = np.linalg.inv(covariance)
        logdet[i] = np.linalg.slogdet(covariance)[1]
    values, vectors = np.linalg.eigh(walk)
    return Machine(basis, precision, logdet, grid.log_prior, vectors.T, values)


def rotation(weights: Floats) -> Floats:
    """Orthogonal matrix whose first row is the root of the weights, of length one."""
    root = np.sqrt(weights)[:, None]
    turn = np.linalg.qr(root, mode="complete")[0].T
    return np.asarray(turn * np.sign(turn[0, 0]))


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the data say, for J shapes and K nodes; E events.

    ``q`` is shape' P shape, ``r`` is shape' P z, ``base`` the log density of the data without an
    effect; ``loads`` how much of beta a row feels; ``share`` the part of a unit deviation
    between states that a row has.
    """

    mean_q: Floats  # (K, J, E, E)
    mean_r: Floats  # (K, J, E)
    mean_base: Floats  # (K,), the nodes' prior included
    mean_loads: Floats  # (E,)
    mean_share: Floats  # (E,)
    own_q: Floats  # (J, E, E)
    own_r: Floats  # (S - 1, J, E)
    own_base: float
    own_loads: Floats  # (S - 1, E)
    own_share: Floats  # (E,)


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Sizes given that some events have an effect.

    Attributes
    ----------
    log_evidence : ndarray, shape (K, J)
    mean, cov : ndarray, shape (K, J, A) and (K, J, A, A)
    """

    log_evidence: Floats
    mean: Floats
    cov: Floats


def condition(
    s: Statistics, active: Sequence[int], mean: Floats, sd: Floats, deviation: Floats
) -> Conditioned:
    """Evidence for, and normal posterior of, the sizes of the ``active`` events.

    Parameters
    ----------
    s : Statistics
    active : sequence of int
        Events with an effect, one or two; the others have none.
    mean, sd : ndarray, shape (E,)
        Normal priors of the sizes. An infinite sd is flat: its evidence means nothing.
    deviation : ndarray, shape (J, E)
        Variance of the size between states, at exposure and weight one.
    """
    a = list(active)
    at = np.ix_(a, a)
    mean, precision = mean[a], 1.0 / sd[a] ** 2
    q0, r0, cost0 = _deviating(
        s.mean_q[:, :, at[0], at[1]], s.mean_r[..., a], deviation[:, a] * s.mean_share[a]
    )
    # States may differ from a date on whether or not it changed the nation: otherwise that they
    # do would be evidence for an effect.
    q1, r1, cost1 = _deviating(s.own_q, s.own_r, deviation * s.own_share)
    q1, r1 = q1[:, at[0], at[1]], r1[..., a]
    loads, own = s.mean_loads[a], s.own_loads[:, a]
    total = np.diag(precision) + np.outer(loads, loads) * q0 + (own.T @ own) * q1
    pull = precision * mean + loads * r0 + np.einsum("sa,sja->ja", own, r1)
    cov, log_total = _inverse(total)
    found = np.einsum("...ab,...b->...a", cov, pull)
    out = s.mean_base[:, None] + s.own_base - cost0 - cost1.sum(axis=0)
    out = out + 0.5 * (np.einsum("...a,...a->...", pull, found) - log_total)
    proper = precision > 0
    out = out + 0.5 * float(np.log(precision[proper]).sum() - (precision * mean**2).sum())
    return Conditioned(out, found, cov)


def nothing(s: Statistics, deviation: Floats) -> Floats:
    """Log evidence without any effect, shape (K, J); states may differ all the same."""
    cost = _deviating(s.own_q, s.own_r, deviation * s.own_share)[2].sum(axis=0)
    return np.asarray(s.mean_base[:, None] + s.own_base - cost)


def _deviating(q: Floats, r: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """q and r where coefficients deviate with a variance, and what that costs in log density."""
    grown = np.eye(variance.shape[-1]) + q * variance[..., None, :]
    inverse, logdet = _inverse(grown)
    kept = np.einsum("...ab,...b->...a", inverse, r)
    gain = np.einsum("...a,...a->...", r * variance, kept)
    return np.asarray(inverse @ q), kept, 0.5 * (logdet - gain)


def _inverse(a: Floats) -> tuple[Floats, Floats]:
    """Inverse and log determinant of many matrices of order one or two."""
    if a.shape[-1] == 1:
        return 1.0 / a, np.log(a[..., 0, 0])
    det = a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    out = np.empty_like(a)
    out[..., 0, 0], out[..., 1, 1] = a[..., 1, 1], a[..., 0, 0]
    out[..., 0, 1], out[..., 1, 0] = -a[..., 0, 1], -a[..., 1, 0]
    return out / det[..., None, None], np.log(det)


def own_variances(z: Floats, x: Floats, spread: Floats) -> tuple[float, float]:
    """Variances of the contrasts' walk and noise, by restricted likelihood.

    Every row has its own level, drift and coefficients of ``x``, so that what an effect did to a
    state is not taken for a walk.

    Parameters
    ----------
    z : ndarray, shape (R, n)
        Rows, on the walk's axes.
    x : ndarray, shape (E, n)
        Shapes of the events at the medians of their priors, on the same axes.
    spread : ndarray, shape (n,)
        Variances of a unit walk on its axes.
    """
    # Shapes that are one another's multiples, or nothing at all, are one direction, or none.
    _, sizes, directions = np.linalg.svd(x, full_matrices=False)
    seen = directions[sizes > 1e-6]
    quiet = spread <= np.median(spread)
    size = max(float(np.square(z[:, quiet]).mean()), 1e-8)

    def loss(logs: Floats) -> float:
        weight = 1.0 / (np.exp(logs[0]) * spread + np.exp(logs[1]))
        out = -np.log(weight).sum() * z.shape[0] + (np.square(z) @ weight).sum()
        if len(seen):
            q = (seen * weight) @ seen.T
            r = z @ (seen * weight).T
            out += z.shape[0] * np.linalg.slogdet(q)[1] - (r * np.linalg.solve(q, r.T).T).sum()
        return float(0.5 * out)

    start = np.log([0.2 * size, 0.6 * size])
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(np.log(1e-9), 1.0)] * 2)
    walk, noise = np.exp(found.x)
    return float(walk), float(noise)
