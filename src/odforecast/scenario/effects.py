"""Posterior of past events: size, timing, spread between states and "nothing" as parameters.

Onset (where it is a range), lag, ramp, plateau, half-life, residue and the spread between states
are drawn from their priors. Given them and the variances, the posterior of the size is exactly
normal, and its evidence weighs the draws. "No effect" is a model of its own. Two events that
overlap are estimated together: their draws in pairs, each with and without an effect.

Log monthly deaths of S locations with weights w are

    y_s(t) = level_s + drift_s t + month_s(t) + common(t) + own_s(t) + noise_s(t)
             + sum_e beta_se shape_e(t)

The mean of the locations (or the nation's own row in its place) carries ``common``, a random walk
with growth that wanders and comes back; the S - 1 contrasts do not. Levels, drifts and a constant
for each calendar month have flat priors: 12-month sums fix the months only up to such constants, so
a month recovered from them says nothing about its season. What the mean does by itself is averaged
over a grid of its sds, of how long growth lasts, and of a year of upheaval near the onset: calm
years before an event do not promise calm years after it. The contrasts' two variances are estimated
from hundreds of rows.

A state's own factor, ``beta_se = beta_e exposure_se u_s`` with ``u_s ~ LogNormal(-tau^2/2, tau)``,
is taken as normal with the sd ``tau * exposure_se * |beta_e|``, at the posterior's own mean square
of beta_e, timing by timing. That states differ is no evidence for an effect, nor for its size or
its timing.

The answer is "how large was the change of this kind after this date, whatever its cause". Counts
cannot identify cooperation. A rebound is not in it; a size that is not
normal, or is multiplied by a share, enters with its mean and sd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, ndtr, ndtri

from odforecast.errors import ScenarioError, proportion
from odforecast.months import Months
from odforecast.panel import Floats
from odforecast.scenario.drawing import Timings
from odforecast.scenario.intervention import Intervention
from odforecast.seeds import seed_from

#: Draws of the timing from the prior; twice as many come from where the counts put it.
TIMINGS, CLOSER = 256, 2

#: Fewest months of counts.
FEWEST = 24

#: Weight of the nodes, and of the components, that are left out.
NEGLIGIBLE = 1e-6

#: Rounds in which the spread between states takes the size that the posterior gives.
PASSES = 3

#: A Bayes factor within these bounds moves a probability by little.
WEAK = (1 / 3, 3.0)

#: Posterior over prior sd above which a size is the prior's.
KEPT = 0.8

#: Degrees of freedom of the t priors of sds: places and years differ more than a normal allows.
FREEDOM = 3.0

#: Sd of growth in a year of upheaval over that of other years: 2020 and 2023-24 were such years.
BURST, YEAR = 4.0, 12

#: What is drawn of each event.
STREAMS = ("onset", "lag", "ramp", "plateau", "half_life", "residue", "spread")


# ------------------------------------------------------------------------------ timing


def timings_of(x: Intervention, numbers: Floats) -> Timings:
    """Timings from uniform numbers, shape (J, 7)."""
    return Timings.of(x, dict(zip(STREAMS, numbers.T)))


def random_timing(x: Intervention, rng: np.random.Generator) -> Timings:
    """One timing at random from the prior."""
    return timings_of(x, rng.random((1, len(STREAMS))))


def stratified(x: Intervention, n: int, seed: int) -> Floats:
    """Uniform numbers, shape (n, 7), one in each n-th of every parameter; medians where n is 1."""
    if n == 1:
        return np.full((1, len(STREAMS)), 0.5)
    u = np.empty((n, len(STREAMS)))
    for i, key in enumerate(STREAMS):
        rng = np.random.default_rng(seed_from("timing", seed, x.name, key))
        u[:, i] = (rng.permutation(n) + rng.random(n)) / n
    return u


def closer(
    numbers: Floats, weights: Floats, n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """``n`` more uniform numbers where the weights are, and the log weights of all."""
    first = ndtri(numbers)
    mean = weights @ first
    gap = first - mean
    # A little wider than the weights are, and never narrower than they can tell.
    few = 1.0 / float(weights @ weights)
    cov = 1.3 * (gap.T * weights) @ gap + (0.02 + 1.0 / few) * np.eye(mean.size)
    root = np.linalg.cholesky(cov)
    more = mean + rng.standard_normal((n, mean.size)) @ root.T
    scores = np.concatenate([first, more])
    solved = np.linalg.solve(root, (scores - mean).T)
    prior = -0.5 * np.square(scores).sum(axis=1)
    near = -0.5 * np.square(solved).sum(axis=0) - float(np.log(np.diag(root)).sum())
    share = len(first) / len(scores)
    logs = prior - np.logaddexp(np.log(share) + prior, np.log1p(-share) + near)
    return np.clip(ndtr(scores), 1e-9, 1.0 - 1e-9), logs - np.log(np.exp(logs).sum())


# ------------------------------------------------------------------------------- sizes


@dataclass(frozen=True)
class EventPrior:
    """Prior of a size: nothing with probability ``p_null``, else normal between two bounds."""

    mean: float
    sd: float
    p_null: float = 0.0
    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def of(cls, x: Intervention) -> EventPrior:
        """Prior of an intervention's size times its share, given that there is an effect."""
        mean = x.size.mean * x.share.mean
        square = (x.size.sd**2 + x.size.mean**2) * (x.share.sd**2 + x.share.mean**2)
        sd = max(float(np.sqrt(max(square - mean**2, 0.0))), 1e-6)
        low = 0.0 if x.direction == "rise" else -np.inf
        high = 0.0 if x.direction == "fall" else np.inf
        within = float(_inside(np.array(mean), np.array(sd), low, high))
        return cls(mean, sd, 1.0 - (1.0 - x.p_null) * within, low, high)

    @property
    def one_sided(self) -> bool:
        """Whether one tail counts for nothing."""
        return bool(np.isfinite(self.low) or np.isfinite(self.high))

    @property
    def given(self) -> tuple[float, float]:
        """Mean and sd given an effect."""
        first, second = self.moments(np.array(self.mean), np.array(self.sd))
        mean = float(first)
        return mean, float(np.sqrt(max(float(second) - mean**2, 0.0)))

    def moments(self, means: Floats, sds: Floats) -> tuple[Floats, Floats]:
        """Mean and mean square of normals between the bounds."""
        mass = _inside(means, sds, self.low, self.high)
        ratio, edge = np.zeros_like(means), np.zeros_like(means)
        for bound, sign in ((self.low, 1.0), (self.high, -1.0)):
            if np.isfinite(bound):
                z = (bound - means) / sds
                density = sign * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) / mass
                ratio, edge = ratio + density, edge + z * density
        mean = means + sds * ratio
        return mean, sds**2 * np.maximum(1.0 + edge - ratio**2, 0.0) + mean**2


def _inside(means: Floats, sds: Floats, low: float, high: float) -> Floats:
    """Mass of normals between two bounds, never quite 0."""
    return np.asarray(np.maximum(ndtr((high - means) / sds) - ndtr((low - means) / sds), 1e-300))


@dataclass(frozen=True)
class EventSummary:
    """What the counts did to the prior of one event; means, sds and 90% interval given an effect.

    The Bayes factor is for no effect. A result is prior-dominated where that lies within 1/3 and 3
    **and** the sd given an effect keeps more than 0.8 of its prior's.
    """

    name: str
    prior_mean: float
    prior_sd: float
    mean: float
    sd: float
    low: float
    high: float
    prior_p_null: float
    p_null: float
    bayes_factor: float
    prior_dominated: bool


# ---------------------------------------------------------- what a series does by itself


@dataclass(frozen=True)
class Grid:
    """Sds a month of the mean's walk, noise and growth, and the scales of their priors.

    Each sd has a half-t prior of its scale; a scale of infinity is flat in the sd. Growth comes
    back to the drift with a half-life in months. In a year that starts so many months from the
    onset (``bursts``; None: in no year) its sd is ``BURST`` times as large. Half-lives are equally
    likely; a burst is as likely as none.
    """

    walk: tuple[float, ...]
    noise: tuple[float, ...]
    growth: tuple[float, ...] = (0.0,)
    scales: tuple[float, float, float] = (np.inf, np.inf, np.inf)
    half_lives: tuple[float, ...] = (12.0,)
    bursts: tuple[int | None, ...] = (None,)

    @property
    def log_prior(self) -> Floats:
        """Log prior probability of each node, shape (K,); they add up to one."""
        w, n, g = (
            _node_prior(np.array(nodes), scale)
            for nodes, scale in zip((self.walk, self.noise, self.growth), self.scales)
        )
        none = max(sum(start is not None for start in self.bursts), 1)
        b = np.log([none if start is None else 1.0 for start in self.bursts] * len(self.half_lives))
        total = (w[:, None, None, None] + n[:, None, None] + g[:, None] + b).ravel()
        return np.asarray(total - np.log(np.exp(total).sum()))

    def covariances(self, n_time: int, onset: int) -> Floats:
        """Covariance of the mean's months at each node, shape (K, T, T)."""
        t, add = np.arange(n_time), np.tril(np.ones((n_time, n_time)))
        growths = []
        for half_life in self.half_lives:
            alike = 0.5 ** (np.abs(np.subtract.outer(t, t)) / half_life)
            for start in self.bursts:
                in_it = start is not None and (t >= onset + start) & (t < onset + start + YEAR)
                step = add * np.where(in_it, BURST, 1.0)
                growths.append(step @ alike @ step.T)
        w, n, g = (
            np.square(sds)[(...,) + (None,) * after]
            for sds, after in ((self.walk, 5), (self.noise, 4), (self.growth, 3))
        )
        out = w * (add @ add.T) + n * np.eye(n_time) + g * np.stack(growths)
        return np.asarray(out.reshape(-1, n_time, n_time))


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
    tail = np.log1p((nodes / scale) ** 2 / FREEDOM)
    return np.asarray(np.log(np.diff(edges)) - 0.5 * (FREEDOM + 1.0) * tail)


def geometric(low: float, high: float, n: int) -> tuple[float, ...]:
    """``n`` numbers, evenly spread on the log scale."""
    return tuple(float(x) for x in np.geomspace(low, high, n))


#: What the mean of the locations does by itself in a month.
GRID = Grid(
    geometric(0.003, 0.3, 6), geometric(0.003, 0.3, 6), (0.0, 0.004, 0.012, 0.036),
    (0.04, 0.04, 0.02), (6.0, 24.0), (None, -6, 0, 6),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Machine:
    """Covariances of a series of T months less level, drift and season, inverted at every node."""

    basis: Floats
    precision: Floats
    logdet: Floats
    log_prior: Floats
    axes: Floats
    spread: Floats


@lru_cache(maxsize=4)
def machine(n_time: int, grid: Grid, onset: int = 0) -> Machine:
    """The machine of series of a length with an onset."""
    t = np.arange(n_time)
    known = np.column_stack([t - n_time / 2, np.eye(12)[t % 12]])
    basis = np.linalg.qr(known, mode="complete")[0][:, known.shape[1] :].T
    covariance = basis @ grid.covariances(n_time, onset) @ basis.T
    steps = basis @ np.tril(np.ones((n_time, n_time)))
    values, vectors = np.linalg.eigh(steps @ steps.T)
    logdet = np.linalg.slogdet(covariance)[1]
    return Machine(basis, np.linalg.inv(covariance), logdet, grid.log_prior, vectors.T, values)


def rotation(weights: Floats) -> Floats:
    """Orthogonal matrix whose first row is the root of the weights, of length one."""
    root = np.sqrt(weights)[:, None]
    turn = np.linalg.qr(root, mode="complete")[0].T
    return np.asarray(turn * np.sign(turn[0, 0]))


def own_variances(z: Floats, x: Floats, spread: Floats) -> tuple[float, float]:
    """Variances of the contrasts' walk and noise, by restricted likelihood."""
    # Shapes that are one another's multiples, or nothing at all, are one direction, or none.
    _, sizes, directions = np.linalg.svd(x, full_matrices=False)
    seen = directions[sizes > 1e-6]
    quiet = spread <= np.median(spread)
    size = max(float(np.square(z[:, quiet]).mean()), 1e-8)

    def loss(logs: Floats) -> float:
        """Minus the restricted log likelihood."""
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


# ---------------------------------------------------------------- the exact normal part


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
    own_loads: Floats  # (S - 1, E)
    own_share: Floats  # (E,)


@dataclass(frozen=True, eq=False)
class Component:
    """Sizes given which events have an effect: normal at each node and timing."""

    active: tuple[int, ...]
    log_evidence: Floats  # (K, J)
    means: Floats  # (K, J, A)
    covs: Floats  # (K, J, A, A)


def condition(
    s: Statistics, active: Sequence[int], mean: Floats, sd: Floats, deviation: Floats
) -> Component:
    """Evidence for, and normal posterior of, the sizes of the ``active`` events.

    ``mean`` and ``sd`` (E,) are the normal priors of the sizes; an infinite sd is flat, and its
    evidence means nothing. ``deviation`` (J, E) is the variance of a size between states, at
    exposure and weight one.
    """
    a = list(active)
    # States may differ from a date on whether or not it changed the nation, so what that costs is
    # left out with an effect and without one: it would pick the timing, and so bear on the effect.
    q1, r1, _ = _deviating(s.own_q, s.own_r, deviation * s.own_share)
    out = np.repeat(s.mean_base[:, None], len(deviation), axis=1)
    if not a:
        return Component((), out, np.zeros((*out.shape, 0)), np.zeros((*out.shape, 0, 0)))
    at = np.ix_(a, a)
    mean, precision = mean[a], 1.0 / sd[a] ** 2
    q0, r0, cost0 = _deviating(
        s.mean_q[:, :, at[0], at[1]], s.mean_r[..., a], deviation[:, a] * s.mean_share[a]
    )
    q1, r1 = q1[:, at[0], at[1]], r1[..., a]
    loads, own = s.mean_loads[a], s.own_loads[:, a]
    total = np.diag(precision) + np.outer(loads, loads) * q0 + (own.T @ own) * q1
    pull = precision * mean + loads * r0 + np.einsum("sa,sja->ja", own, r1)
    cov, log_total = _inverse(total)
    found = np.einsum("...ab,...b->...a", cov, pull)
    out = out - cost0 + 0.5 * (np.einsum("...a,...a->...", pull, found) - log_total)
    proper = precision > 0
    out = out + 0.5 * float(np.log(precision[proper]).sum() - (precision * mean**2).sum())
    return Component(tuple(a), out, found, cov)


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


class Estimator:
    """What can be worked out before the counts are seen; then :meth:`posterior` is quick.

    One event, or two that overlap, at ``months`` (T,). ``felt`` is the exposure of each location to
    each event, (S, E), default 1 of ``locations``. ``weights`` (S,) say how much each location
    counts in the mean (its deaths, so that the mean is the nation's), equal by default.
    ``nation`` (E,) are the nation's exposures, where its own counts take the place of the mean:
    then :meth:`posterior` needs them. ``draws`` are those of the timing; 1 takes every prior at its
    median. ``grid`` is what the mean does by itself.

    >>> from odforecast.scenario import Fixed, Intervention, Normal
    >>> months = np.arange("2015-01", "2021-01", dtype="datetime64[M]")
    >>> cut = Intervention("cut", Normal(0.0, 0.3), onset="2019-01", ramp=Fixed(3), p_null=0.5)
    >>> rates = 500 * np.exp(-0.3 * cut.curve(months))
    >>> deaths = np.random.default_rng(1).poisson(rates, size=(10, 72))
    >>> found = Estimator(months, [cut], locations=10).posterior(deaths)
    >>> abs(found.mean() + 0.3) < 0.1, found.p_null() < 0.1
    (True, True)
    """

    def __init__(
        self,
        months: Months,
        events: Sequence[Intervention],
        felt: Floats | None = None,
        weights: Floats | None = None,
        *,
        nation: Floats | None = None,
        locations: int | None = None,
        draws: int = TIMINGS,
        grid: Grid = GRID,
        seed: int = 1,
    ) -> None:
        self.events = tuple(events)
        self.months = months
        assert 1 <= len(self.events) <= 2
        if months.size < FEWEST:
            raise ScenarioError(f"{months.size} months are too few, allowed: {FEWEST} or more")
        for x in self.events:
            if not months[0] < x.onset[0] <= months[-1]:
                raise ScenarioError(
                    f"{x.name}: onset is {x.onset[0]}, allowed: after {months[0]}, up to "
                    f"{months[-1]}"
                )
        if felt is None:
            felt = np.ones((locations or 1, len(self.events)))
        self.felt = np.asarray(felt, dtype=float).reshape(-1, len(self.events))
        n_loc = self.felt.shape[0]
        given = np.ones(n_loc) if weights is None else np.asarray(weights, dtype=float)
        self.weights = given / given.mean()
        self.priors = tuple(EventPrior.of(x) for x in self.events)
        if len(self.events) == 2 and any(p.one_sided for p in self.priors):
            raise ScenarioError("of two events together, neither can have a direction")
        self.seed = seed
        self._numbers = np.concatenate([stratified(x, draws, seed) for x in self.events], axis=1)
        onset = int(np.searchsorted(months, min(x.onset[0] for x in self.events)))
        self._machine = machine(months.size, grid, onset)
        self._shapes = self._bare(self._numbers)
        self._usual = self._bare(np.full((1, self._numbers.shape[1]), 0.5))[:, 0]
        self._q = self._quadratic(self._shapes, self._machine.precision)
        self._turn = rotation(self.weights)
        self._national = nation is not None
        mean = self.weights / self.weights.sum()
        self._mean_loads = mean @ self.felt if nation is None else np.asarray(nation, dtype=float)
        self._own_loads = self._turn[1:] @ (np.sqrt(self.weights)[:, None] * self.felt)
        self._mean_share = mean**2 @ self.felt**2
        rest = self.weights @ self.felt**2 - n_loc * self._mean_share
        self._own_share = rest / max(n_loc - 1, 1)

    def _timed(self, numbers: Floats) -> tuple[Timings, ...]:
        parts = np.split(numbers, len(self.events), axis=1)
        return tuple(timings_of(x, u) for x, u in zip(self.events, parts))

    def _bare(self, numbers: Floats) -> Floats:
        """Shapes less level, drift and season, (E, J, n)."""
        basis = self._machine.basis
        return np.stack([t.shape(self.months) @ basis.T for t in self._timed(numbers)])

    @staticmethod
    def _quadratic(x: Floats, precision: Floats) -> Floats:
        """Shape' P shape at every node and timing."""
        out = np.empty((len(precision), x.shape[1], len(x), len(x)))
        for k, p in enumerate(precision):
            out[k] = np.einsum("ejn,fjn->jef", x @ p, x)
        return out

    def _rows(self, deaths: Floats, nation: Floats | None = None) -> Floats:
        """Log counts of the mean and the contrasts, less level, drift and season, (S, n)."""
        assert (nation is not None) == self._national
        assert deaths.shape == (self.felt.shape[0], self.months.size)
        if not np.isfinite(deaths).all() or (deaths < 0).any():
            raise ScenarioError(
                "months hold missing or negative counts", hint="drop those locations"
            )
        logs = np.log(np.asarray(deaths, dtype=float) + 0.5)
        turned = self._turn @ (np.sqrt(self.weights)[:, None] * logs)
        # The log of the sum is the weighted mean of the logs, up to what states differ.
        turned[0] = (
            self.weights @ logs / len(logs)
            if nation is None
            else np.log(np.asarray(nation, dtype=float) + 0.5)
        )
        return np.asarray(turned @ self._machine.basis.T)

    def _statistics(
        self, z: Floats, x: Floats, q: Floats, nodes: NDArray[np.intp], own: tuple[float, float]
    ) -> Statistics:
        m = self._machine
        solved = m.precision[nodes] @ z[0]
        base = m.log_prior[nodes] - 0.5 * (m.logdet[nodes] + solved @ z[0])
        # On the axes of a walk its covariance, and so the contrasts', is diagonal.
        rows, bent = z[1:] @ m.axes.T, x @ m.axes.T
        weight = 1.0 / (own[0] * m.spread + own[1])
        return Statistics(
            q, np.einsum("kn,ejn->kje", solved, x), base, self._mean_loads, self._mean_share,
            np.einsum("ejn,fjn->jef", bent * weight, bent),
            np.einsum("sn,ejn->sje", rows * weight, bent),
            self._own_loads, self._own_share,
        )  # fmt: skip

    def posterior(self, deaths: Floats, nation: Floats | None = None) -> EventPosterior:
        """Posterior given monthly deaths, shape (S, T), and the nation's, shape (T,)."""
        z = self._rows(deaths, nation)
        m, own = self._machine, (1.0, 1.0)
        if len(z) > 1:
            own = own_variances(z[1:] @ m.axes.T, self._usual @ m.axes.T, m.spread)
        s = self._statistics(z, self._shapes, self._q, np.arange(len(self._q)), own)
        n_draws = len(self._numbers)
        flat = np.zeros(n_draws)
        if n_draws == 1:
            return self._weighed(s, self._numbers, flat, PASSES)
        # Nodes that weigh nothing are left out; timings are drawn again where the counts put
        # them. All draws together have the density of the mixture that they came from.
        found = self._weighed(s, self._numbers, flat, 1)
        nodes = np.flatnonzero(found.node_weights() > NEGLIGIBLE)
        rng = np.random.default_rng(seed_from("closer", self.seed, *(x.name for x in self.events)))
        numbers, logs = closer(self._numbers, found.all_timing_weights(), CLOSER * n_draws, rng)
        x = self._bare(numbers[n_draws:])
        q = self._quadratic(x, m.precision[nodes])
        s = self._statistics(
            z, np.concatenate([self._shapes, x], axis=1),
            np.concatenate([self._q[nodes], q], axis=1), nodes, own,
        )  # fmt: skip
        return self._weighed(s, numbers, logs, PASSES)

    def _weighed(self, s: Statistics, numbers: Floats, logs: Floats, passes: int) -> EventPosterior:
        timed = self._timed(numbers)
        mean = np.array([p.mean for p in self.priors])
        sd = np.array([p.sd for p in self.priors])
        tau = np.stack([t.spread for t in timed], axis=1)
        sets = ((), (0,), (1,), (0, 1))[: 2 ** len(self.events)]
        # Mean square of each size, at each timing: how much states may differ there.
        square = np.broadcast_to(mean**2 + sd**2, tau.shape)
        for _ in range(passes if tau.any() else 1):
            parts = [condition(s, a, mean, sd, tau**2 * square) for a in sets]
            whole = parts[-1]
            weights = np.exp(whole.log_evidence - whole.log_evidence.max(axis=0))
            weights /= weights.sum(axis=0)
            squares = whole.means**2 + np.diagonal(whole.covs, axis1=-2, axis2=-1)
            square = np.einsum("kj,kje->je", weights, squares)
        parts = [Component(c.active, c.log_evidence + logs, c.means, c.covs) for c in parts]
        return EventPosterior(self.events, self.priors, timed, tuple(parts), s, self)

    def states(self, deviations: Floats) -> Floats:
        """From contrasts (S - 1, n) to the locations' log counts, (S, n)."""
        turned = self._turn[1:].T @ deviations
        return np.asarray(turned / np.sqrt(self.weights)[:, None])


# --------------------------------------------------------------------------- the answer


@dataclass(frozen=True, eq=False)
class EffectDraws:
    """Draws of sizes (n, E), 0 for no effect, and which timing each has."""

    beta: Floats
    timing: Any


@dataclass(frozen=True, eq=False)
class EventPosterior:
    """Posterior of one past event, or of two together; events are numbered as they were given."""

    events: tuple[Intervention, ...]
    priors: tuple[EventPrior, ...]
    timings: tuple[Timings, ...]
    components: tuple[Component, ...]
    statistics: Statistics
    estimator: Estimator

    def _logs(self, i: int) -> Floats:
        """Log evidence of a set of events at each node and timing; bounds of the size included."""
        c = self.components[i]
        prior = self.priors[c.active[0]] if c.active else None
        if prior is None or not prior.one_sided:
            return c.log_evidence
        mass = _inside(c.means[..., 0], np.sqrt(c.covs[..., 0, 0]), prior.low, prior.high)
        whole = _inside(np.array(prior.mean), np.array(prior.sd), prior.low, prior.high)
        return np.asarray(c.log_evidence + np.log(mass) - np.log(whole))

    def _log_priors(self, without: int | None = None) -> Floats:
        """Log prior of each set of events; that of ``without`` is left out where it is a number."""
        chances = [
            [
                1.0 - p.p_null if e in c.active else p.p_null
                for e, p in enumerate(self.priors)
                if e != without
            ]
            for c in self.components
        ]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(chances).sum(axis=1))

    def _evidence(self, event: int) -> tuple[float, float]:
        """Log evidence without an effect of an event and with one, whatever the others did."""
        logs = [_log_sum(self._logs(i)) for i in range(len(self.components))]
        total = np.array(logs) + self._log_priors(event)
        there = np.array([event in c.active for c in self.components])
        return _log_sum(total[~there]), _log_sum(total[there])

    def p_null(self, event: int = 0) -> float:
        """Posterior probability that an event had no effect."""
        none, some = self._evidence(event)
        prior = self.priors[event].p_null
        with np.errstate(divide="ignore"):
            return float(expit(np.log(prior) + none - np.log1p(-prior) - some))

    def bayes_factor(self, event: int = 0) -> float:
        """Evidence for no effect of an event against one, whatever the others did."""
        none, some = self._evidence(event)
        return float(np.exp(none - some))

    def _given(self, event: int) -> list[tuple[Component, int, Floats]]:
        """Sets with an effect of an event, its place in each, and their log weights given it."""
        priors = self._log_priors(event)
        return [
            (c, c.active.index(event), self._logs(i) + priors[i])
            for i, c in enumerate(self.components)
            if event in c.active and np.isfinite(priors[i])
        ]

    @cached_property
    def _mixtures(self) -> list[tuple[Floats, Floats, Floats]]:
        """Weights, means and sds of each size given an effect; the smallest left out."""
        out = []
        for event in range(len(self.events)):
            sets = self._given(event)
            means = np.concatenate([c.means[..., at].ravel() for c, at, _ in sets])
            sds = np.sqrt(np.concatenate([c.covs[..., at, at].ravel() for c, at, _ in sets]))
            weights = _shares(np.concatenate([log.ravel() for *_, log in sets]))
            order = np.argsort(weights)[::-1]
            keep = order[: int(np.searchsorted(np.cumsum(weights[order]), 1.0 - NEGLIGIBLE)) + 1]
            out.append((weights[keep] / weights[keep].sum(), means[keep], sds[keep]))
        return out

    def _moments(self, event: int) -> tuple[float, float]:
        """Mean and mean square of a size given an effect."""
        weights, means, sds = self._mixtures[event]
        first, second = self.priors[event].moments(means, sds)
        return float(weights @ first), float(weights @ second)

    def mean(self, event: int = 0) -> float:
        """Posterior mean of the size given an effect."""
        return self._moments(event)[0]

    def sd(self, event: int = 0) -> float:
        """Posterior sd of the size given an effect."""
        first, second = self._moments(event)
        return float(np.sqrt(max(second - first**2, 0.0)))

    def cdf(self, size: float, event: int = 0) -> float:
        """Posterior probability of a size below, given an effect."""
        weights, means, sds = self._mixtures[event]
        prior = self.priors[event]
        below = _inside(means, sds, prior.low, min(size, prior.high))
        return float(weights @ (below / _inside(means, sds, prior.low, prior.high)))

    def interval(self, level: float = 0.9, event: int = 0) -> tuple[float, float]:
        """Central interval of the size given an effect."""
        proportion("level", level, ScenarioError)
        _, means, sds = self._mixtures[event]
        wide = 10.0 * float(sds.max())
        ends = float(means.min()) - wide, float(means.max()) + wide
        low, high = (
            brentq(lambda x, q=q: self.cdf(x, event) - q, *ends, xtol=1e-7)
            for q in ((1 - level) / 2, (1 + level) / 2)
        )
        return float(low), float(high)

    def timing_weights(self, event: int = 0) -> Floats:
        """Posterior weight of each draw of the timing, given an effect, shape (J,)."""
        return _shares(np.concatenate([log for *_, log in self._given(event)]))

    def effective(self, event: int = 0) -> float:
        """How many timings the posterior rests on: below about 50, ask for more draws."""
        weights = self.timing_weights(event)
        return float(1.0 / (weights @ weights))

    def node_weights(self) -> Floats:
        """Posterior weight of each set of variances, the largest of all components, shape (K,)."""
        logs = np.stack([self._logs(i) for i in range(len(self.components))])
        each = np.exp(logs - logs.max(axis=(1, 2), keepdims=True)).sum(axis=2)
        return np.asarray((each / each.sum(axis=1, keepdims=True)).max(axis=0))

    def all_timing_weights(self) -> Floats:
        """Weight of each timing where every event has an effect, shape (J,)."""
        return _shares(self._logs(len(self.components) - 1))

    def summary(self, event: int = 0) -> EventSummary:
        """Prior and posterior of an event."""
        p = self.priors[event]
        prior_mean, prior_sd = p.given
        low, high = self.interval(0.9, event)
        factor, sd = self.bayes_factor(event), self.sd(event)
        return EventSummary(
            self.events[event].name, prior_mean, prior_sd, self.mean(event), sd, low, high,
            p.p_null, self.p_null(event), factor,
            bool(WEAK[0] <= factor <= WEAK[1] and sd > KEPT * prior_sd),
        )  # fmt: skip

    def draws(self, n: int = 1000, seed: int = 1) -> EffectDraws:
        """``n`` draws, "no effect" among them: sets, variances and timings evenly by weight."""
        rng = np.random.default_rng(seed_from("posterior", seed, *(x.name for x in self.events)))
        logs = np.stack([self._logs(i) + p for i, p in enumerate(self._log_priors())])
        edges = np.cumsum(np.exp(logs - logs.max()).ravel())
        chosen = np.searchsorted(edges / edges[-1], (np.arange(n) + rng.random()) / n)
        chosen = rng.permutation(np.minimum(chosen, edges.size - 1))
        which, node, timing = np.unravel_index(chosen, logs.shape)
        beta = np.zeros((n, len(self.events)))
        z = rng.standard_normal((n, len(self.events)))
        u = rng.random(n)
        for i, c in enumerate(self.components):
            rows = np.flatnonzero(which == i)
            if not c.active or not rows.size:
                continue
            mean, cov = c.means[node[rows], timing[rows]], c.covs[node[rows], timing[rows]]
            prior = self.priors[c.active[0]]
            if prior.one_sided:
                sds = np.sqrt(cov[:, 0, 0])
                ends = [ndtr((b - mean[:, 0]) / sds) for b in (prior.low, prior.high)]
                within = ends[0] + u[rows] * (ends[1] - ends[0])
                drawn = mean[:, 0] + sds * ndtri(np.clip(within, 1e-300, 1.0 - 1e-16))
                beta[rows, c.active[0]] = np.clip(drawn, prior.low, prior.high)
                continue
            root = np.linalg.cholesky(cov)
            sizes = mean + np.einsum("nab,nb->na", root, z[rows][:, : len(c.active)])
            beta[np.ix_(rows, c.active)] = sizes
        return EffectDraws(beta, timing)

    def delta(
        self, months: Months, drawn: EffectDraws, events: Sequence[int] | None = None
    ) -> Floats:
        """Log rate ratio at exposure 1 in each month, shape (n, M): of ``events``, default all."""
        out = np.zeros((drawn.timing.size, months.size))
        for e in range(len(self.events)) if events is None else events:
            out += drawn.beta[:, e, None] * self.timings[e].shape(months)[drawn.timing]
        return out

    def own_factors(self, drawn: EffectDraws, seed: int = 1) -> Floats:
        """The locations' own factors u_s in each draw, shape (n, S, E): posterior, above 0."""
        s, est = self.statistics, self.estimator
        rng = np.random.default_rng(seed_from("own", seed, *(x.name for x in self.events)))
        n, (n_loc, n_events) = drawn.timing.size, est.felt.shape
        out = np.ones((n, n_loc, n_events))
        for e in range(n_events):
            tau = self.timings[e].spread[drawn.timing]
            beta, j = drawn.beta[:, e], drawn.timing
            variance = tau**2 * beta**2 * s.own_share[e]
            q, r = s.own_q[j, e, e], s.own_r[:, j, e].copy()
            for f in range(n_events):
                r -= s.own_q[j, e, f] * s.own_loads[:, f, None] * drawn.beta[:, f]
            # Normal deviations of the contrasts, seen with precision q.
            gain = variance / (1.0 + variance * q)
            moved = gain * r + np.sqrt(gain) * rng.standard_normal(r.shape)
            size = np.where(tau * np.abs(beta) > 1e-12, tau * beta, 1.0)
            felt = np.where(est.felt[:, e] > 0, est.felt[:, e], np.inf)[:, None]
            v = np.where(tau * np.abs(beta) > 1e-12, est.states(moved) / (felt * size), 0.0)
            out[:, :, e] = np.exp(tau * v - 0.5 * tau**2).T
        return out


def _shares(logs: Floats) -> Floats:
    """Weights of the columns, or of the numbers, of log weights; they add up to one."""
    weights = np.exp(logs - logs.max())
    weights = weights.sum(axis=0) if logs.ndim > 1 else weights
    return np.asarray(weights / weights.sum())


def _log_sum(logs: Floats) -> float:
    """Log of a sum of exponentials."""
    top = float(logs.max())
    return top + float(np.log(np.exp(logs - top).sum())) if np.isfinite(top) else -np.inf
