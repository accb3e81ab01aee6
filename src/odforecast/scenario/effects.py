"""Posterior of a past event: size, timing, spread between states and "nothing" as parameters.

Onset (where it is a range), lag, ramp, plateau, half-life, residue and the spread between states
are drawn from their priors. Given them and the variances, the posterior of the size is exactly
normal, and its evidence weighs the draws. "No effect" is a model of its own.

Log monthly deaths of S locations with weights w are

    y_s(t) = level_s + drift_s t + month_s(t) + common(t) + own_s(t) + noise_s(t)
             + beta_s shape(t)

The mean of the locations (or the nation's own row in its place) carries ``common``, a random walk
with growth that wanders and comes back; the S - 1 contrasts do not. Levels, drifts and a constant
for each calendar month have flat priors: 12-month sums fix the months only up to such constants, so
a month recovered from them says nothing about its season. What the mean does by itself is averaged
over a grid of its sds, of how long growth lasts, and of a year of upheaval near the onset: calm
years before an event do not promise calm years after it. The contrasts' two variances are estimated
from hundreds of rows.

A state's own factor, ``beta_s = beta exposure_s u_s`` with ``u_s ~ LogNormal(-tau^2/2, tau)``, is
taken as normal with the sd ``tau * exposure_s * |beta|``, at the posterior's own mean square of
beta, timing by timing. That states differ is no evidence for an effect, nor for its size or
its timing.

The answer is "how large was the change of this kind after this date, whatever its cause". Counts
cannot identify cooperation. A rebound is not in it; a size that is not
normal, or is multiplied by a share, enters with its mean and sd.
"""

from __future__ import annotations

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
TIMINGS = 256
CLOSER = 2

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
BURST = 4.0
YEAR = 12

#: What is drawn of each event.
STREAMS = ("onset", "lag", "ramp", "plateau", "half_life", "residue", "spread")


# ------------------------------------------------------------------------------ timing


def timings_of(x: Intervention, numbers: Floats) -> Timings:
    """Timings from uniform numbers, shape (J, 7)."""
    return Timings.from_uniforms(x, dict(zip(STREAMS, numbers.T)))


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
    numbers: Floats,
    weights: Floats,
    n: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """``n`` more uniform numbers where the weights are, and the log weights of all."""
    scores = ndtri(numbers)
    mean = weights @ scores
    gap = scores - mean
    # A little wider than the weights are, and never narrower than they can tell.
    effective = 1.0 / float(weights @ weights)
    cov = 1.3 * (gap.T * weights) @ gap + (0.02 + 1.0 / effective) * np.eye(mean.size)
    root = np.linalg.cholesky(cov)
    points = mean + rng.standard_normal((n, mean.size)) @ root.T
    all_scores = np.concatenate([scores, points])
    solved = np.linalg.solve(root, (all_scores - mean).T)
    prior = -0.5 * np.square(all_scores).sum(axis=1)
    near = -0.5 * np.square(solved).sum(axis=0)
    near = near - float(np.log(np.diag(root)).sum())
    share = len(scores) / len(all_scores)
    logs = prior - np.logaddexp(np.log(share) + prior, np.log1p(-share) + near)
    logs = logs - np.log(np.exp(logs).sum())
    return np.clip(ndtr(all_scores), 1e-9, 1.0 - 1e-9), logs


# ------------------------------------------------------------------------------- sizes


@dataclass(frozen=True)
class EventPrior:
    """Prior of a size: nothing, or normal between two bounds."""

    mean: float
    sd: float
    #: Probability of nothing.
    p_null: float = 0.0
    low: float = -np.inf
    high: float = np.inf

    @classmethod
    def from_event(cls, x: Intervention) -> EventPrior:
        """Prior of an intervention's size times its share, given that there is an effect."""
        mean = x.size.mean * x.share.mean
        size_square = x.size.sd**2 + x.size.mean**2
        square = size_square * (x.share.sd**2 + x.share.mean**2)
        sd = max(float(np.sqrt(max(square - mean**2, 0.0))), 1e-6)
        low = 0.0 if x.direction == "rise" else -np.inf
        high = 0.0 if x.direction == "fall" else np.inf
        within = float(_inside(np.array(mean), np.array(sd), low=low, high=high))
        return cls(mean, sd, p_null=1.0 - (1.0 - x.p_null) * within, low=low, high=high)

    @property
    def one_sided(self) -> bool:
        """Whether one tail counts for nothing."""
        return bool(np.isfinite(self.low) or np.isfinite(self.high))

    @property
    def given_effect(self) -> tuple[float, float]:
        """Mean and sd given an effect."""
        first, second = self.moments(np.array(self.mean), np.array(self.sd))
        mean = float(first)
        return mean, float(np.sqrt(max(float(second) - mean**2, 0.0)))

    def moments(self, means: Floats, sds: Floats) -> tuple[Floats, Floats]:
        """Mean and mean square of normals between the bounds."""
        mass = _inside(means, sds, low=self.low, high=self.high)
        ratio = np.zeros_like(means)
        edge = np.zeros_like(means)
        for bound, sign in ((self.low, 1.0), (self.high, -1.0)):
            if np.isfinite(bound):
                z = (bound - means) / sds
                density = sign * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) / mass
                ratio = ratio + density
                edge = edge + z * density
        mean = means + sds * ratio
        return mean, sds**2 * np.maximum(1.0 + edge - ratio**2, 0.0) + mean**2


def _inside(means: Floats, sds: Floats, low: float, high: float) -> Floats:
    """Mass of normals between two bounds, never quite 0."""
    mass = ndtr((high - means) / sds) - ndtr((low - means) / sds)
    return np.asarray(np.maximum(mass, 1e-300))


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
        walk, noise, growth = (
            _node_prior(np.array(nodes), scale)
            for nodes, scale in zip((self.walk, self.noise, self.growth), self.scales)
        )
        n_bursts = max(sum(start is not None for start in self.bursts), 1)
        weights = [n_bursts if start is None else 1.0 for start in self.bursts]
        burst = np.log(weights * len(self.half_lives))
        total = (
            walk[:, None, None, None] + noise[:, None, None] + growth[:, None] + burst
        )
        logs = total.ravel()
        return np.asarray(logs - np.log(np.exp(logs).sum()))

    def covariances(self, n_time: int, onset: int) -> Floats:
        """Covariance of the mean's months at each node, shape (K, T, T)."""
        t = np.arange(n_time)
        add = np.tril(np.ones((n_time, n_time)))
        growths = []
        for half_life in self.half_lives:
            alike = 0.5 ** (np.abs(np.subtract.outer(t, t)) / half_life)
            for start in self.bursts:
                in_it = start is not None and (t >= onset + start) & (
                    t < onset + start + YEAR
                )
                step = add * np.where(in_it, BURST, 1.0)
                growths.append(step @ alike @ step.T)
        # Walk, noise, growth and its kind are the first four axes.
        walk = np.square(self.walk)[:, None, None, None, None, None] * (add @ add.T)
        noise = np.square(self.noise)[:, None, None, None, None] * np.eye(n_time)
        growth = np.square(self.growth)[:, None, None, None] * np.stack(growths)
        return np.asarray((walk + noise + growth).reshape(-1, n_time, n_time))


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
    geometric(0.003, 0.3, n=6),
    geometric(0.003, 0.3, n=6),
    growth=(0.0, 0.004, 0.012, 0.036),
    scales=(0.04, 0.04, 0.02),
    half_lives=(6.0, 24.0),
    bursts=(None, -6, 0, 6),
)


@dataclass(frozen=True, eq=False)
class Machine:
    """Covariances of a series of T months less level, drift and season, inverted at every node."""

    basis: Floats
    precision: Floats
    logdet: Floats
    log_prior: Floats
    axes: Floats
    spread: Floats


def free_terms(n_time: int) -> Floats:
    """Drift and a constant for each calendar month, (T, 13): their priors are flat."""
    t = np.arange(n_time)
    return np.column_stack([t - n_time / 2, np.eye(12)[t % 12]])


@lru_cache(maxsize=4)
def machine(n_time: int, grid: Grid, onset: int = 0) -> Machine:
    """The machine of series of a length with an onset."""
    free = free_terms(n_time)
    basis = np.linalg.qr(free, mode="complete")[0][:, free.shape[1] :].T
    covariance = basis @ grid.covariances(n_time, onset) @ basis.T
    steps = basis @ np.tril(np.ones((n_time, n_time)))
    values, vectors = np.linalg.eigh(steps @ steps.T)
    logdet = np.linalg.slogdet(covariance)[1]
    return Machine(
        basis,
        np.linalg.inv(covariance),
        logdet=logdet,
        log_prior=grid.log_prior,
        axes=vectors.T,
        spread=values,
    )


def rotation(weights: Floats) -> Floats:
    """Orthogonal matrix whose first row is the root of the weights, of length one."""
    root = np.sqrt(weights)[:, None]
    turn = np.linalg.qr(root, mode="complete")[0].T
    return np.asarray(turn * np.sign(turn[0, 0]))


def own_variances(z: Floats, x: Floats, spread: Floats) -> tuple[float, float]:
    """Variances of the contrasts' walk and noise, by restricted likelihood."""
    # Shapes that are one another's multiples, or nothing at all, are one direction, or none.
    _, sizes, directions = np.linalg.svd(x, full_matrices=False)
    shapes = directions[sizes > 1e-6]
    quiet = spread <= np.median(spread)
    size = max(float(np.square(z[:, quiet]).mean()), 1e-8)

    def loss(logs: Floats) -> float:
        """Minus the restricted log likelihood."""
        weight = 1.0 / (np.exp(logs[0]) * spread + np.exp(logs[1]))
        twice = -np.log(weight).sum() * len(z) + (np.square(z) @ weight).sum()
        if len(shapes):
            q = (shapes * weight) @ shapes.T
            r = z @ (shapes * weight).T
            explained = (r * np.linalg.solve(q, r.T).T).sum()
            twice += len(z) * np.linalg.slogdet(q)[1] - explained
        return float(0.5 * twice)

    start = np.log([0.2 * size, 0.6 * size])
    fit = minimize(loss, start, method="L-BFGS-B", bounds=[(np.log(1e-9), 1.0)] * 2)
    walk, noise = np.exp(fit.x)
    return float(walk), float(noise)


# ---------------------------------------------------------------- the exact normal part


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the data say, for J shapes and K nodes."""

    #: Shape' P shape of the mean, (K, J).
    mean_q: Floats
    #: Shape' P z of the mean, (K, J).
    mean_r: Floats
    #: Log density of the mean without an effect, the nodes' prior included, (K,).
    base: Floats
    #: Shape' P shape of the contrasts, (J,).
    own_q: Floats
    #: Shape' P z of the contrasts, (S - 1, J).
    own_r: Floats
    #: Which nodes of the grid these are, (K,).
    nodes: NDArray[np.intp]
    #: Variances of the contrasts' walk and noise.
    variances: tuple[float, float]


def _deviating(q: Floats, r: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """q and r where coefficients deviate with a variance, and what that costs in log density."""
    grown = 1.0 + q * variance
    inverse = 1.0 / grown
    narrowed = inverse * r
    return inverse * q, narrowed, 0.5 * (np.log(grown) - r * variance * narrowed)


class Estimator:
    """What can be worked out before the counts are seen; then :meth:`posterior` is quick.

    ``months`` are (T,). ``felt`` is the exposure of each location, (S,), default 1 of
    ``locations``. ``weights`` (S,) say how much each location counts in the mean (its deaths, so
    that the mean is the nation's), equal by default. ``nation`` is the nation's exposure, where its
    own counts take the place of the mean: then :meth:`posterior` needs them. ``draws`` are those of
    the timing; 1 takes every prior at its median. ``numbers`` (J, 7) are the uniform numbers of
    timings that are wanted, and no others. ``grid`` is what the mean does by itself. An onset after
    the last month is refused, unless ``begun`` is False: then it says nothing.

    >>> from odforecast.scenario import Fixed, Intervention, Normal
    >>> months = np.arange("2015-01", "2021-01", dtype="datetime64[M]")
    >>> cut = Intervention("cut", Normal(0.0, 0.3), onset="2019-01", ramp=Fixed(3), p_null=0.5)
    >>> rates = 500 * np.exp(-0.3 * cut.curve(months))
    >>> deaths = np.random.default_rng(1).poisson(rates, size=(10, 72))
    >>> found = Estimator(months, cut, locations=10).posterior(deaths)
    >>> abs(found.mean() + 0.3) < 0.1, found.p_null() < 0.1
    (True, True)
    """

    def __init__(
        self,
        months: Months,
        event: Intervention,
        felt: Floats | None = None,
        weights: Floats | None = None,
        *,
        nation: float | None = None,
        locations: int | None = None,
        begun: bool = True,
        draws: int = TIMINGS,
        numbers: Floats | None = None,
        grid: Grid = GRID,
        seed: int = 1,
    ) -> None:
        self.event = event
        self.months = months
        self.seed = seed
        self.nation = nation
        self.grid = grid
        if months.size < FEWEST:
            raise ScenarioError(
                f"{months.size} months are too few, allowed: {FEWEST} or more"
            )
        late = begun and event.onset[0] > months[-1]
        if late or event.onset[0] <= months[0]:
            raise ScenarioError(
                f"{event.name}: onset is {event.onset[0]}, allowed: after {months[0]}, up to "
                f"{months[-1]}"
            )
        self.felt = (
            np.ones(locations or 1) if felt is None else np.asarray(felt, dtype=float)
        )
        n_loc = self.felt.size
        self.weights = (
            np.ones(n_loc) if weights is None else np.asarray(weights, dtype=float)
        )
        self.weights = self.weights / self.weights.mean()
        self.prior = EventPrior.from_event(event)
        self._draws_closer = numbers is None and draws > 1
        if numbers is None:
            numbers = stratified(event, draws, seed=seed)
        self._numbers = numbers
        self._machine = machine(
            months.size,
            grid,
            onset=int(np.searchsorted(months, event.onset[0])),
        )
        self._shapes = self._bare(self._numbers)
        self._usual = self._bare(np.full((1, len(STREAMS)), 0.5))
        self._q = self._quadratic(self._shapes, self._machine.precision)
        self.turn = rotation(self.weights)
        mean = self.weights / self.weights.sum()
        self.mean_loads = float(mean @ self.felt) if nation is None else float(nation)
        self.own_loads = self.turn[1:] @ (np.sqrt(self.weights) * self.felt)
        if np.ptp(self.felt) == 0.0:
            # Contrasts say nothing of what all places feel alike.
            self.own_loads = np.zeros(n_loc - 1)
        self.mean_share = float(mean**2 @ self.felt**2)
        rest = self.weights @ self.felt**2 - n_loc * self.mean_share
        self.own_share = float(rest) / max(n_loc - 1, 1)

    def _bare(self, numbers: Floats) -> Floats:
        """Shapes less level, drift and season, (J, n)."""
        shapes = timings_of(self.event, numbers).shape(self.months)
        return np.asarray(shapes @ self._machine.basis.T)

    @staticmethod
    def _quadratic(x: Floats, precision: Floats) -> Floats:
        """Shape' P shape at every node and timing, (K, J)."""
        return np.stack([np.einsum("jn,jn->j", x @ p, x) for p in precision])

    def turned(self, deaths: Floats, nation: Floats | None = None) -> Floats:
        """Log counts of the mean and the contrasts, (S, T)."""
        assert (nation is None) == (self.nation is None)
        assert deaths.shape == (self.felt.size, self.months.size)
        if not np.isfinite(deaths).all() or (deaths < 0).any():
            raise ScenarioError(
                "months hold missing or negative counts", hint="drop those locations"
            )
        logs = np.log(np.asarray(deaths, dtype=float) + 0.5)
        turned = self.turn @ (np.sqrt(self.weights)[:, None] * logs)
        # The log of the sum is the weighted mean of the logs, up to what states differ.
        if nation is None:
            turned[0] = self.weights @ logs / len(logs)
        else:
            turned[0] = np.log(np.asarray(nation, dtype=float) + 0.5)
        return np.asarray(turned)

    def _statistics(
        self,
        z: Floats,
        x: Floats,
        q: Floats,
        nodes: NDArray[np.intp],
        variances: tuple[float, float],
    ) -> Statistics:
        m = self._machine
        solved = m.precision[nodes] @ z[0]
        base = m.log_prior[nodes] - 0.5 * (m.logdet[nodes] + solved @ z[0])
        # On the axes of a walk its covariance, and so the contrasts', is diagonal.
        rows = z[1:] @ m.axes.T
        shapes = x @ m.axes.T
        walk, noise = variances
        weight = 1.0 / (walk * m.spread + noise)
        return Statistics(
            q,
            np.einsum("kn,jn->kj", solved, x),
            base=base,
            own_q=np.einsum("jn,jn->j", shapes * weight, shapes),
            own_r=np.einsum("sn,jn->sj", rows * weight, shapes),
            nodes=nodes,
            variances=variances,
        )

    def posterior(self, deaths: Floats, nation: Floats | None = None) -> EventPosterior:
        """Posterior given monthly deaths, shape (S, T), and the nation's, shape (T,)."""
        m = self._machine
        z = self.turned(deaths, nation) @ m.basis.T
        variances = (1.0, 1.0)
        if len(z) > 1:
            variances = own_variances(
                z[1:] @ m.axes.T, self._usual @ m.axes.T, spread=m.spread
            )
        nodes = np.arange(len(self._q))
        s = self._statistics(
            z, self._shapes, q=self._q, nodes=nodes, variances=variances
        )
        n_draws = len(self._numbers)
        flat = np.zeros(n_draws)
        if not self._draws_closer:
            return self._weigh(s, self._numbers, logs=flat, passes=PASSES)
        # Nodes that weigh nothing are left out; timings are drawn again where the counts put
        # them. All draws together have the density of the mixture that they came from.
        pilot = self._weigh(s, self._numbers, logs=flat, passes=1)
        nodes = np.flatnonzero(pilot.node_weights() > NEGLIGIBLE)
        rng = np.random.default_rng(seed_from("closer", self.seed, self.event.name))
        numbers, logs = closer(
            self._numbers, pilot.timing_weights(), n=CLOSER * n_draws, rng=rng
        )
        x = self._bare(numbers[n_draws:])
        q = self._quadratic(x, m.precision[nodes])
        s = self._statistics(
            z,
            np.concatenate([self._shapes, x]),
            q=np.concatenate([self._q[nodes], q], axis=1),
            nodes=nodes,
            variances=variances,
        )
        return self._weigh(s, numbers, logs=logs, passes=PASSES)

    def _weigh(
        self, s: Statistics, numbers: Floats, logs: Floats, passes: int
    ) -> EventPosterior:
        timings = timings_of(self.event, numbers)
        prior = self.prior
        # Mean square of the size, at each timing: how much states may differ there.
        square = np.full(logs.size, prior.mean * prior.mean + prior.sd * prior.sd)
        for _ in range(passes if timings.spread.any() else 1):
            effect, means, variances = self.given_effect(s, timings.spread**2 * square)
            weights = np.exp(effect - effect.max(axis=0))
            weights /= weights.sum(axis=0)
            square = np.einsum("kj,kj->j", weights, means**2 + variances)
        base = np.repeat(s.base[:, None], logs.size, axis=1)
        return EventPosterior(
            self.event,
            prior,
            timings=timings,
            none=base + logs,
            effect=effect + logs,
            means=means,
            variances=variances,
            statistics=s,
            estimator=self,
        )

    def given_effect(
        self, s: Statistics, deviation: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Log evidence for an effect, and the size's normal mean and variance, (K, J) each.

        ``deviation`` (J,) is the variance of the size between states, at exposure and weight one.
        """
        # States may differ from a date on whether or not it changed the nation, so what that costs
        # is left out, as it is without an effect: it would pick the timing, and so bear on the
        # effect.
        q0, r0, cost = _deviating(
            s.mean_q, s.mean_r, variance=deviation * self.mean_share
        )
        loads = self.mean_loads
        mean = self.prior.mean
        precision = 1.0 / (self.prior.sd * self.prior.sd)
        total = precision + loads * loads * q0
        pull = precision * mean + loads * r0
        if self.own_loads.any():
            own = deviation * self.own_share
            q1, r1, _ = _deviating(s.own_q, s.own_r, variance=own)
            total = total + self.own_loads @ self.own_loads * q1
            pull = pull + np.einsum("s,sj->j", self.own_loads, r1)
        variance = 1.0 / total
        size = variance * pull
        evidence = s.base[:, None] - cost + 0.5 * (pull * size - np.log(total))
        evidence = evidence + 0.5 * float(np.log(precision) - precision * (mean * mean))
        return evidence, size, variance

    def states(self, deviations: Floats) -> Floats:
        """From contrasts (S - 1, n) to the locations' log counts, (S, n)."""
        turned = self.turn[1:].T @ deviations
        return np.asarray(turned / np.sqrt(self.weights)[:, None])


# --------------------------------------------------------------------------- the answer


@dataclass(frozen=True, eq=False)
class EffectDraws:
    """Draws of an effect."""

    #: Sizes (n,), 0 for no effect.
    beta: Floats
    #: Which timing each has.
    timing: Any


@dataclass(frozen=True, eq=False)
class EventPosterior:
    """Posterior of a past event, at K nodes and J timings."""

    event: Intervention
    prior: EventPrior
    timings: Timings
    #: Log evidence without an effect, (K, J).
    none: Floats
    #: Log evidence with an effect, (K, J).
    effect: Floats
    #: Means of the size, which is normal given an effect, (K, J).
    means: Floats
    #: Its variances, (K, J).
    variances: Floats
    statistics: Statistics
    estimator: Estimator

    @cached_property
    def log_evidence(self) -> Floats:
        """Log evidence for an effect at each node and timing, bounds of the size included."""
        p = self.prior
        if not p.one_sided:
            return self.effect
        mass = _inside(self.means, np.sqrt(self.variances), low=p.low, high=p.high)
        whole = _inside(np.array(p.mean), np.array(p.sd), low=p.low, high=p.high)
        return np.asarray(self.effect + np.log(mass) - np.log(whole))

    def p_null(self) -> float:
        """Posterior probability that there was no effect."""
        prior = self.prior.p_null
        with np.errstate(divide="ignore"):
            odds = (
                np.log(prior)
                + log_sum(self.none)
                - np.log1p(-prior)
                - log_sum(self.log_evidence)
            )
        return float(expit(odds))

    def bayes_factor(self) -> float:
        """Evidence for no effect against one."""
        return float(np.exp(log_sum(self.none) - log_sum(self.log_evidence)))

    @cached_property
    def _mixture(self) -> tuple[Floats, Floats, Floats]:
        """Weights, means and sds of the size given an effect; the smallest left out."""
        means = self.means.ravel()
        sds = np.sqrt(self.variances.ravel())
        weights = _shares(self.log_evidence.ravel())
        order = np.argsort(weights)[::-1]
        keep = order[
            : int(np.searchsorted(np.cumsum(weights[order]), 1.0 - NEGLIGIBLE)) + 1
        ]
        return weights[keep] / weights[keep].sum(), means[keep], sds[keep]

    def mean(self) -> float:
        """Posterior mean of the size given an effect."""
        weights, means, sds = self._mixture
        return float(weights @ self.prior.moments(means, sds)[0])

    def sd(self) -> float:
        """Posterior sd of the size given an effect."""
        weights, means, sds = self._mixture
        square = float(weights @ self.prior.moments(means, sds)[1])
        return float(np.sqrt(max(square - self.mean() ** 2, 0.0)))

    def cdf(self, size: float) -> float:
        """Posterior probability of a size below, given an effect."""
        weights, means, sds = self._mixture
        low = self.prior.low
        high = self.prior.high
        below = _inside(means, sds, low=low, high=min(size, high))
        return float(weights @ (below / _inside(means, sds, low=low, high=high)))

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Central interval of the size given an effect."""
        proportion("level", level, error=ScenarioError)
        _, means, sds = self._mixture
        wide = 10.0 * float(sds.max())
        ends = float(means.min()) - wide, float(means.max()) + wide
        low, high = (
            brentq(lambda x, q=q: self.cdf(x) - q, *ends, xtol=1e-7)
            for q in ((1 - level) / 2, (1 + level) / 2)
        )
        return float(low), float(high)

    def timing_weights(self) -> Floats:
        """Posterior weight of each draw of the timing, given an effect, shape (J,)."""
        return _shares(self.log_evidence)

    def effective(self) -> float:
        """How many timings the posterior rests on: below about 50, ask for more draws."""
        weights = self.timing_weights()
        return float(1.0 / (weights @ weights))

    def node_weights(self) -> Floats:
        """Posterior weight of each set of variances, with an effect or without, shape (K,)."""
        logs = np.stack([self.none, self.log_evidence])
        weights = np.exp(logs - logs.max(axis=(1, 2), keepdims=True)).sum(axis=2)
        weights = weights / weights.sum(axis=1, keepdims=True)
        return np.asarray(weights.max(axis=0))

    def summary(self) -> EventSummary:
        """Prior and posterior."""
        p = self.prior
        factor = self.bayes_factor()
        sd = self.sd()
        dominated = bool(WEAK[0] <= factor <= WEAK[1] and sd > KEPT * p.given_effect[1])
        return EventSummary(
            self.event.name,
            *p.given_effect,
            self.mean(),
            sd,
            *self.interval(0.9),
            p.p_null,
            self.p_null(),
            factor,
            dominated,
        )

    def draws(self, n: int = 1000, seed: int = 1) -> EffectDraws:
        """``n`` draws, "no effect" among them: sets, variances and timings evenly by weight."""
        rng = np.random.default_rng(seed_from("posterior", seed, self.event.name))
        prior = self.prior
        with np.errstate(divide="ignore"):
            chances = np.log([prior.p_null, 1.0 - prior.p_null])
        logs = np.stack([self.none + chances[0], self.log_evidence + chances[1]])
        edges = np.cumsum(np.exp(logs - logs.max()).ravel())
        evenly = (np.arange(n) + rng.random()) / n
        chosen = np.searchsorted(edges / edges[-1], evenly)
        chosen = rng.permutation(np.minimum(chosen, edges.size - 1))
        has_effect, node, timing = np.unravel_index(chosen, logs.shape)
        z = rng.standard_normal(n)
        u = rng.random(n)
        mean = self.means[node, timing]
        sd = np.sqrt(self.variances[node, timing])
        beta = mean + sd * z
        if prior.one_sided:
            low = ndtr((prior.low - mean) / sd)
            high = ndtr((prior.high - mean) / sd)
            within = np.clip(low + u * (high - low), 1e-300, 1.0 - 1e-16)
            beta = np.clip(mean + sd * ndtri(within), prior.low, prior.high)
        return EffectDraws(np.where(has_effect == 1, beta, 0.0), timing)

    def delta(self, months: Months, drawn: EffectDraws) -> Floats:
        """Log rate ratio at exposure 1 in each month, shape (n, M)."""
        return np.asarray(
            drawn.beta[:, None] * self.timings.shape(months)[drawn.timing] + 0.0
        )

    def own_factors(self, drawn: EffectDraws, seed: int = 1) -> Floats:
        """The locations' own factors u_s in each draw, shape (n, S): posterior, above 0."""
        s = self.statistics
        est = self.estimator
        j = drawn.timing
        rng = np.random.default_rng(seed_from("own", seed, self.event.name))
        tau = self.timings.spread[j]
        size = tau * drawn.beta
        q = s.own_q[j]
        r = s.own_r[:, j] - q * est.own_loads[:, None] * drawn.beta
        # Normal deviations of the contrasts, seen with precision q.
        variance = tau**2 * drawn.beta**2 * est.own_share
        gain = variance / (1.0 + variance * q)
        deviations = gain * r + np.sqrt(gain) * rng.standard_normal(r.shape)
        differs = np.abs(size) > 1e-12
        felt = np.where(est.felt > 0, est.felt, np.inf)[:, None]
        scale = felt * np.where(differs, size, 1.0)
        v = np.where(differs, est.states(deviations) / scale, 0.0)
        return np.asarray(np.exp(tau * v - 0.5 * tau**2).T)


def _shares(logs: Floats) -> Floats:
    """Weights of the columns, or of the numbers, of log weights; they add up to one."""
    weights = np.exp(logs - logs.max())
    weights = weights.sum(axis=0) if logs.ndim > 1 else weights
    return np.asarray(weights / weights.sum())


def log_sum(logs: Floats) -> float:
    """Log of a sum of exponentials."""
    top = float(logs.max())
    if not np.isfinite(top):
        return -np.inf
    return top + float(np.log(np.exp(logs - top).sum()))
