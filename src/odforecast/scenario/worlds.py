"""Worlds to come as the estimator itself expects them, and what it will say in each.

A world is a draw from today's posterior (:mod:`odforecast.scenario.effects`): whether there is an
effect, its size, its timing, and what the counts do by themselves, given those that are known.
So the mean of next month's chances over the worlds is today's chance.

The evidence in a world is summed over particles: nodes and timings, each as often as today's
posterior has it. Given them, the size is integrated exactly, as the estimator does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats
from odforecast.scenario.clock import READS, Clock, Series, with_series
from odforecast.scenario.drawing import Timings
from odforecast.scenario.effects import (
    PASSES,
    EventPosterior,
    Statistics,
    free_terms,
    log_sum,
)
from odforecast.scenario.past import Counts
from odforecast.seeds import seed_from

#: Weights of the known months, and a root of the covariance of what is left.
type _Extension = tuple[Floats, Floats]

#: Nodes and timings that stand for a posterior.
PARTICLES = 400


@dataclass(frozen=True, eq=False)
class World:
    """Counts and series, known and to come, of one truth."""

    #: The posterior that it was drawn from.
    source: Source
    #: Size of its effect, 0 for none.
    beta: float
    #: Log counts of the mean and the contrasts, (S, T).
    rows: Floats
    series: tuple[Series, ...] = ()


class Source:
    """A posterior of today as particles."""

    def __init__(
        self,
        posterior: EventPosterior,
        rows: Floats,
        series: tuple[Series, ...],
        rng: np.random.Generator,
    ) -> None:
        self.posterior = posterior
        self.today = World(self, 0.0, rows=rows, series=series)
        s = posterior.statistics
        effect = posterior.log_evidence
        #: Node (of this posterior) and timing of each particle.
        self.node, self.timing = _evenly(effect, rng)
        self.nodes = s.nodes[self.node]
        self.none_nodes = s.nodes[_evenly(posterior.none, rng)[0]]
        self.timings: Timings = posterior.timings.at(self.timing)
        self.totals = log_sum(posterior.none), log_sum(effect)
        self.shifts: tuple[Floats, Floats] | None = None

    def particle(self, weights: Floats, rng: np.random.Generator) -> int:
        """One particle by weight."""
        edges = np.cumsum(weights)
        return int(np.searchsorted(edges, rng.random() * edges[-1]))


def _evenly(logs: Floats, rng: np.random.Generator) -> tuple[Any, Any]:
    """Rows and columns of a table of log weights, evenly by weight."""
    edges = np.cumsum(np.exp(logs - logs.max()).ravel())
    evenly = (np.arange(PARTICLES) + rng.random()) / PARTICLES
    chosen = np.searchsorted(edges / edges[-1], evenly)
    rows, columns = np.unravel_index(np.minimum(chosen, edges.size - 1), logs.shape)
    return rows, columns


class Worlds:
    """Worlds drawn from posteriors of one estimator, and read at later months."""

    def __init__(
        self,
        posteriors: Sequence[EventPosterior],
        rows: Sequence[Floats],
        end: np.datetime64,
        series: tuple[Series, ...],
        rng: np.random.Generator,
    ) -> None:
        self.estimator = posteriors[0].estimator
        first, last = self.estimator.months[[0, -1]]
        self.months: Months = np.arange(first, end + ONE_MONTH)
        self.n_known = self.estimator.months.size
        self.last = last
        self.rng = rng
        self.sources = [Source(p, r, series, rng) for p, r in zip(posteriors, rows)]
        every = [np.concatenate([s.nodes, s.none_nodes]) for s in self.sources]
        self.nodes: NDArray[np.intp] = np.unique(np.concatenate(every))
        onset = int((self.estimator.event.onset[0] - first).astype(int))
        covariances = self.estimator.grid.covariances(self.months.size, onset)
        self.covariances = covariances[self.nodes]
        self.log_prior = self.estimator.grid.log_prior[self.nodes]
        #: Whether all places feel the same.
        self.alike = not self.estimator.own_loads.any()
        self._readers: dict[int, Reader] = {}
        self._extended: dict[tuple[Source | None, int], _Extension] = {}
        for source in self.sources:
            [today] = self.read([source.today], self.n_known)
            none, effect = source.totals
            n = np.log(PARTICLES)
            source.shifts = (
                none - n - today.none,
                effect - n - today.log_evidence,
            )

    # ------------------------------------------------------------------ what comes of it

    def draw(self, kind: int | float, n: int) -> list[World]:
        """Worlds in which the size is below 0 (-1), 0, or above (1); or of a size, not an int."""
        sources = [self.sources[i % len(self.sources)] for i in range(n)]
        return [self._world(source, kind) for source in sources]

    def _world(self, source: Source, kind: int | float) -> World:
        posterior = source.posterior
        prior = posterior.prior
        rng = self.rng
        means = posterior.means[source.node, source.timing]
        sds = np.sqrt(posterior.variances[source.node, source.timing])
        if kind == 0:
            i = int(rng.integers(PARTICLES))
            beta = 0.0
            spread = means[i] ** 2 + sds[i] ** 2
            node = int(source.none_nodes[rng.integers(PARTICLES)])
        else:
            low = ndtr((prior.low - means) / sds)
            high = ndtr((prior.high - means) / sds)
            middle = ndtr(-means / sds)
            if isinstance(kind, int):
                ends = (low, middle) if kind < 0 else (middle, high)
                low_end, high_end = np.clip(ends, low, high)
                i = source.particle((high_end - low_end) / (high - low), rng)
                u = low_end[i] + rng.random() * (high_end[i] - low_end[i])
                beta = float(means[i] + sds[i] * ndtri(np.clip(u, 1e-300, 1 - 1e-16)))
            else:
                # A size that is all but fixed says nothing of the timing.
                wide = np.maximum(sds, 0.05)
                logs = -0.5 * ((kind - means) / wide) ** 2 - np.log(wide * (high - low))
                i = source.particle(np.exp(logs - logs.max()), rng)
                beta = float(kind)
            spread = beta * beta
            node = int(source.nodes[i])
        timing = source.timings.at(np.array([i]))
        shape = timing.shape(self.months)[0]
        size = self._sizes(source, i, beta=beta, square=spread)
        changes = size[:, None] * shape
        rows = np.empty((len(source.today.rows), self.months.size))
        rows[:, : self.n_known] = source.today.rows
        for part, (weights, root) in (
            (slice(0, 1), self._extension(node)),
            (slice(1, None), self._extension(0, source)),
        ):
            known = rows[part, : self.n_known] - changes[part, : self.n_known]
            noise = rng.standard_normal((len(known), len(root)))
            ahead = known @ weights.T + noise @ root.T
            rows[part, self.n_known :] = ahead + changes[part, self.n_known :]
        series = tuple(
            self._series(item, beta, timing=timing) for item in source.today.series
        )
        return World(source, beta, rows=rows, series=series)

    def _sizes(self, source: Source, i: int, beta: float, square: float) -> Floats:
        """The effect in the mean and in the contrasts, which states' own factors move, (S,)."""
        estimator = self.estimator
        s = source.posterior.statistics
        k, j = source.node[i], source.timing[i]
        loads = np.concatenate([[estimator.mean_loads], estimator.own_loads])
        q = np.full(loads.size, s.own_q[j])
        q[0] = s.mean_q[k, j]
        r = np.concatenate([[s.mean_r[k, j]], s.own_r[:, j]])
        variance = np.full(loads.size, estimator.own_share)
        # Without an effect the mean does not deviate; states may.
        variance[0] = estimator.mean_share if beta else 0.0
        variance *= float(source.timings.spread[i]) ** 2 * square
        gain = variance / (1.0 + variance * q)
        noise = self.rng.standard_normal(loads.size)
        deviations = gain * (r - q * loads * beta) + np.sqrt(gain) * noise
        return np.asarray(loads * beta + deviations)

    def _extension(self, node: int, source: Source | None = None) -> _Extension:
        """Months to come of the mean at a node, or of a source's contrasts, given the known."""
        key = (source, node)
        if key not in self._extended:
            n = self.months.size
            covariance = (
                self.covariances[np.searchsorted(self.nodes, node)]
                if source is None
                else self._own_covariance(source, n)
            )
            self._extended[key] = extension(covariance, free_terms(n), self.n_known)
        return self._extended[key]

    @staticmethod
    def _own_covariance(source: Source, n: int) -> Floats:
        """Covariance of the contrasts' months."""
        walk, noise = source.posterior.statistics.variances
        order = np.arange(1, n + 1)
        return np.asarray(walk * np.minimum.outer(order, order) + noise * np.eye(n))

    def _series(self, item: Series, beta: float, timing: Timings) -> Series:
        """A series with months to come."""
        ahead = np.arange(item.months[-1] + ONE_MONTH, self.months[-1] + ONE_MONTH)
        months = np.concatenate([item.months, ahead])
        since = (months - months[0]).astype(float)
        assert item.noise is not None
        walk, error = item.noise
        covariance = walk * np.minimum.outer(since, since) + error * np.eye(since.size)
        terms = np.column_stack([np.ones(since.size), since / since[-1]])
        n = item.months.size
        weights, root = extension(covariance, terms, n)
        change = item.elasticity * beta * timing.shape(months)[0]
        known = np.log(item.values) - change[:n]
        logs = weights @ known + root @ self.rng.standard_normal(len(root)) + change[n:]
        values = np.concatenate([item.values, np.exp(logs)])
        return replace(item, months=months, values=values)

    # ------------------------------------------------------------------------- reading

    def index(self, month: np.datetime64) -> int:
        """How many months there are up to a month."""
        return int((month - self.months[0]).astype(int)) + 1

    def read(self, drawn: Sequence[World], n: int) -> list[EventPosterior]:
        """The posteriors with the first n months of worlds, in their order."""
        if n not in self._readers:
            self._readers[n] = Reader(self, n)
        reader = self._readers[n]
        groups: dict[object, list[int]] = {}
        for i, world in enumerate(drawn):
            # Where the contrasts say nothing of the effect, worlds of a source differ in the mean.
            groups.setdefault(world.source if self.alike else i, []).append(i)
        found: dict[int, EventPosterior] = {}
        for rows in groups.values():
            found |= zip(rows, reader.posteriors([drawn[i] for i in rows]))
        return [found[i] for i in range(len(drawn))]


class Reader:
    """What can be worked out for a number of months before a world is seen."""

    def __init__(self, worlds: Worlds, n: int) -> None:
        self.worlds = worlds
        self.n = n
        self.basis = _basis(n)
        covariance = self.basis @ worlds.covariances[:, :n, :n] @ self.basis.T
        self.precision = np.linalg.inv(covariance)
        self.constant = worlds.log_prior - 0.5 * np.linalg.slogdet(covariance)[1]
        self._shapes: dict[Source, tuple[Floats, ...]] = {}

    def _of(self, source: Source) -> tuple[Floats, ...]:
        """Quadratic forms of the shapes of a source, and what makes them of a world's rows."""
        if source not in self._shapes:
            months = self.worlds.months[: self.n]
            x = source.timings.shape(months) @ self.basis.T
            at = np.searchsorted(self.worlds.nodes, source.nodes)
            solved = np.empty_like(x)
            for node in np.unique(at):
                solved[at == node] = x[at == node] @ self.precision[node]
            own = self.worlds._own_covariance(source, self.n)
            own_solved = np.linalg.solve(self.basis @ own @ self.basis.T, x.T).T
            self._shapes[source] = (
                solved,
                np.einsum("pn,pn->p", solved, x),
                own_solved,
                np.einsum("pn,pn->p", own_solved, x),
            )
        return self._shapes[source]

    def posteriors(self, drawn: Sequence[World]) -> list[EventPosterior]:
        """The posteriors of worlds of one source; of one world where places feel differently."""
        worlds = self.worlds
        source = drawn[0].source
        estimator = worlds.estimator
        solved, q, own_solved, own_q = self._of(source)
        z = np.stack([world.rows[0, : self.n] for world in drawn]) @ self.basis.T
        contrasts = drawn[0].rows[1:, : self.n] @ self.basis.T
        quadratic = np.einsum("uwn,wn->wu", z @ self.precision, z)
        base = self.constant - 0.5 * quadratic
        s = Statistics(
            q[None],
            z @ solved.T,
            base=np.zeros(1),
            own_q=own_q,
            own_r=contrasts @ own_solved.T,
            nodes=source.nodes,
            variances=source.posterior.statistics.variances,
        )
        spread = source.timings.spread
        prior = source.posterior.prior
        square = np.full((1, spread.size), prior.mean**2 + prior.sd**2)
        for _ in range(PASSES if spread.any() else 1):
            effect, means, variances = estimator.given_effect(s, spread**2 * square)
            square = means**2 + variances
        # Without a spread between states all worlds have one variance.
        variances = np.broadcast_to(variances, means.shape)
        effect = effect + base[:, np.searchsorted(worlds.nodes, source.nodes)]
        none = base[:, np.searchsorted(worlds.nodes, source.none_nodes)]
        until = worlds.months[self.n - 1]
        found = []
        for i, world in enumerate(drawn):
            posterior = EventPosterior(
                source.posterior.event,
                prior,
                timings=source.timings,
                none=none[i : i + 1],
                effect=effect[i : i + 1],
                means=means[i : i + 1],
                variances=variances[i : i + 1],
                statistics=s,
                estimator=estimator,
            )
            series = [item.until(until) for item in world.series]
            posterior = with_series(posterior, series)
            if source.shifts is not None:
                none_shift, effect_shift = source.shifts
                posterior = replace(
                    posterior,
                    none=posterior.none + none_shift,
                    effect=posterior.effect + effect_shift,
                )
            found.append(posterior)
        return found


def worlds_of(
    clock: Clock,
    reading: Counts,
    posteriors: Sequence[EventPosterior],
    series: tuple[Series, ...] = (),
) -> Worlds:
    """Worlds to come from what a clock reads today, and the posteriors that it has of it."""
    estimator = posteriors[0].estimator
    deaths = reading.deaths[: len(posteriors)]
    nations = [None] * len(deaths) if reading.nation is None else reading.nation
    rows = [estimator.turned(*counts) for counts in zip(deaths, nations)]
    end = max(clock.month(READS), reading.months[-1] + ONE_MONTH)
    rng = np.random.default_rng(seed_from("worlds", clock.seed, clock.x.name))
    return Worlds(posteriors, rows, end=end, series=series, rng=rng)


def _basis(n: int) -> Floats:
    """Months less level, drift and season, as an estimator's."""
    terms = free_terms(n)
    return np.linalg.qr(terms, mode="complete")[0][:, terms.shape[1] :].T


def extension(covariance: Floats, terms: Floats, n: int) -> tuple[Floats, Floats]:
    """Months after the first n given those, with the coefficients of ``terms`` (T, C) unknown.

    Weights (T - n, n) of the known months, and a root of the covariance of what is left.
    """
    inverse = np.linalg.inv(covariance[:n, :n])
    known, ahead = terms[:n], terms[n:]
    weighted = inverse @ known
    information = np.linalg.inv(known.T @ weighted)
    slopes = covariance[n:, :n] @ inverse
    rest = ahead - slopes @ known
    left = (
        covariance[n:, n:] - slopes @ covariance[:n, n:] + rest @ information @ rest.T
    )
    values, vectors = np.linalg.eigh(left)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return slopes + rest @ information @ weighted.T, root
