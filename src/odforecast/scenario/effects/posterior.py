"""Posterior of past events: a mixture of normals over timings, variances and "nothing"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from odforecast.errors import ScenarioError, proportion
from odforecast.months import Months
from odforecast.panel import Floats
from odforecast.scenario.effects.prior import KEPT, WEAK, EventPrior, EventSummary, inside, moments
from odforecast.scenario.effects.series import Statistics
from odforecast.scenario.intervention import Intervention
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from odforecast.scenario.effects.estimator import Estimator
    from odforecast.scenario.effects.timing import Timings

#: Weight of the smallest components that are left out.
LEFT_OUT = 1e-6


@dataclass(frozen=True, eq=False)
class Component:
    """Sizes given which events have an effect: normal at each node and timing."""

    active: tuple[int, ...]
    log_evidence: Floats
    means: Floats | None
    covs: Floats | None


@dataclass(frozen=True, eq=False)
class EffectDraws:
    """Draws of sizes and timings.

    Attributes
    ----------
    beta : ndarray, shape (n, E)
        Log rate ratio at full strength and exposure 1; 0 where there is no effect.
    timing : ndarray of int, shape (n,)
        Which timing each draw has.
    node : ndarray of int, shape (n,)
        Which variances.
    """

    beta: Floats
    timing: Any
    node: Any


@dataclass(frozen=True, eq=False)
class EventPosterior:
    """Posterior of one past event, or of two together; by :func:`odforecast.scenario.effects
    .estimate`. Events are numbered as they were given.
    """

    events: tuple[Intervention, ...]
    priors: tuple[EventPrior, ...]
    timings: tuple[Timings, ...]
    components: tuple[Component, ...]
    statistics: Statistics
    estimator: Estimator

    # ---------------------------------------------------------------- probabilities

    @cached_property
    def _evidence(self) -> Floats:
        """Log evidence of each set of events, averaged over timings, times a constant."""
        return np.array([_log_sum(self._logs(i)) for i in range(len(self.components))])

    def _logs(self, i: int) -> Floats:
        """Log evidence of a set at each node and timing; bounds of the size included."""
        c = self.components[i]
        if not c.active:
            return c.log_evidence
        prior = self.priors[c.active[0]]
        if not prior.one_sided:
            return c.log_evidence
        assert c.means is not None
        assert c.covs is not None
        sds = np.sqrt(c.covs[..., 0, 0])
        mass = inside(c.means[..., 0], sds, prior.low, prior.high)
        whole = inside(np.array(prior.mean), np.array(prior.sd), prior.low, prior.high)
        with np.errstate(divide="ignore"):
            return np.asarray(c.log_evidence + np.log(mass) - np.log(whole))

    def _log_priors(self, without: int | None = None) -> Floats:
        """Log prior of each set of events; given an effect of ``without`` where it is a number."""
        out = []
        for c in self.components:
            total = 0.0
            for e, p in enumerate(self.priors):
                if e == without:
                    total += 0.0 if e in c.active else -np.inf
                else:
                    chance = 1.0 - p.p_null if e in c.active else p.p_null
                    total += float(np.log(chance)) if chance > 0 else -np.inf
            out.append(total)
        return np.array(out)

    def p_null(self, event: int = 0) -> float:
        """Posterior probability that an event had no effect."""
        logs = self._log_priors() + self._evidence
        none = np.array([event not in c.active for c in self.components])
        weights = np.exp(logs - logs.max())
        return float(weights[none].sum() / weights.sum())

    def bayes_factor(self, event: int = 0) -> float:
        """Evidence for no effect of an event against one, whatever the others did."""
        ends = []
        for there in (False, True):
            logs = []
            for c, evidence in zip(self.components, self._evidence):
                if (event in c.active) != there:
                    continue
                chance = [
                    1.0 - p.p_null if e in c.active else p.p_null
                    for e, p in enumerate(self.priors)
                    if e != event
                ]
                if all(x > 0 for x in chance):
                    logs.append(float(np.log(chance).sum()) + float(evidence))
            ends.append(_log_sum(np.array(logs)))
        return float(np.exp(ends[0] - ends[1]))

    # ------------------------------------------------------------- sizes given an effect

    def _mixture(self, event: int) -> tuple[Floats, Floats, Floats]:
        """Weights, means and sds of the size given an effect; the smallest left out."""
        logs, means, sds = [], [], []
        for i, (c, prior) in enumerate(zip(self.components, self._log_priors(event))):
            if event not in c.active or np.isinf(prior):
                continue
            assert c.means is not None
            assert c.covs is not None
            at = c.active.index(event)
            logs.append((self._logs(i) + prior).ravel())
            means.append(c.means[..., at].ravel())
            sds.append(np.sqrt(c.covs[..., at, at]).ravel())
        log = np.concatenate(logs)
        weights = np.exp(log - log.max())
        weights /= weights.sum()
        keep = _largest(weights)
        kept = weights[keep] / weights[keep].sum()
        return kept, np.concatenate(means)[keep], np.concatenate(sds)[keep]

    def _cached(self, event: int) -> tuple[Floats, Floats, Floats]:
        if event not in self._mixtures:
            self._mixtures[event] = self._mixture(event)
        return self._mixtures[event]

    @cached_property
    def _mixtures(self) -> dict[int, tuple[Floats, Floats, Floats]]:
        return {}

    def _squares(self, event: int) -> tuple[float, float]:
        weights, means, sds = self._cached(event)
        prior = self.priors[event]
        first, second, _ = moments(means, sds, prior.low, prior.high)
        return float(weights @ first), float(weights @ second)

    def mean(self, event: int = 0) -> float:
        """Posterior mean of the size given an effect."""
        return self._squares(event)[0]

    def sd(self, event: int = 0) -> float:
        """Posterior sd of the size given an effect."""
        first, second = self._squares(event)
        return float(np.sqrt(max(second - first**2, 0.0)))

    def cdf(self, size: float, event: int = 0) -> float:
        """Posterior probability of a size below, given an effect."""
        weights, means, sds = self._cached(event)
        prior = self.priors[event]
        below = inside(means, sds, prior.low, min(size, prior.high))
        return float(weights @ (below / inside(means, sds, prior.low, prior.high)))

    def interval(self, level: float = 0.9, event: int = 0) -> tuple[float, float]:
        """Central interval of the size given an effect."""
        proportion("level", level, ScenarioError)
        _, means, sds = self._cached(event)
        wide = 10.0 * float(sds.max())
        ends = float(means.min()) - wide, float(means.max()) + wide
        low, high = (
            float(brentq(lambda x, q=q: self.cdf(x, event) - q, *ends, xtol=1e-7))
            for q in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high

    def timing_weights(self, event: int = 0) -> Floats:
        """Posterior weight of each draw of the timing, given an effect, shape (J,)."""
        total = []
        for i, (c, prior) in enumerate(zip(self.components, self._log_priors(event))):
            if event in c.active and not np.isinf(prior):
                total.append(self._logs(i) + prior)
        logs = np.concatenate(total)
        weights = np.exp(logs - logs.max()).sum(axis=0)
        return np.asarray(weights / weights.sum())

    def effective(self, event: int = 0) -> float:
        """How many timings the posterior rests on: below about 50, ask for more draws."""
        weights = self.timing_weights(event)
        return float(1.0 / (weights @ weights))

    def _all(self) -> Floats:
        """Weights of sets of events, nodes and timings, shape (C, K, J)."""
        logs = np.stack([self._logs(i) + p for i, p in enumerate(self._log_priors())])
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum())

    def node_weights(self) -> Floats:
        """Posterior weight of each pair of variances, the largest of all sets, shape (K,)."""
        logs = np.stack([self._logs(i) for i in range(len(self.components))])
        each = np.exp(logs - logs.max(axis=(1, 2), keepdims=True)).sum(axis=2)
        return np.asarray((each / each.sum(axis=1, keepdims=True)).max(axis=0))

    def all_timing_weights(self) -> Floats:
        """Weight of each timing where every event has an effect, shape (J,)."""
        logs = self._logs(len(self.components) - 1)
        weights = np.exp(logs - logs.max()).sum(axis=0)
        return np.asarray(weights / weights.sum())

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

    # --------------------------------------------------------------------------- draws

    def draws(self, n: int = 1000, seed: int = 1) -> EffectDraws:
        """``n`` draws, "no effect" among them.

        Sets of events, variances and timings are drawn in proportion to their weights, evenly
        (systematic resampling), then the sizes.
        """
        rng = np.random.default_rng(seed_from("posterior", seed, *(x.name for x in self.events)))
        shape = self.components[0].log_evidence.shape
        edges = np.cumsum(self._all().ravel())
        chosen = np.searchsorted(edges, (np.arange(n) + rng.random()) / n)
        chosen = rng.permutation(np.minimum(chosen, edges.size - 1))
        which, node, timing = np.unravel_index(chosen, (len(self.components), *shape))
        beta = np.zeros((n, len(self.events)))
        z = rng.standard_normal((n, len(self.events)))
        u = rng.random(n)
        for i, c in enumerate(self.components):
            rows = np.flatnonzero(which == i)
            if not c.active or not rows.size:
                continue
            assert c.means is not None
            assert c.covs is not None
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
        return EffectDraws(beta, timing, node)

    def delta(
        self, months: Months, drawn: EffectDraws, events: Sequence[int] | None = None
    ) -> Floats:
        """Log rate ratio at exposure 1 in each month, shape (n, M).

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (M,)
        drawn : EffectDraws
        events : sequence of int, optional
            Whose effects are added; default all.
        """
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


def _log_sum(logs: Floats) -> float:
    top = float(logs.max())
    return top + float(np.log(np.exp(logs - top).sum())) if np.isfinite(top) else -np.inf


def _largest(weights: Floats) -> Any:
    """Places of the largest weights, all but the last millionth of their sum."""
    order = np.argsort(weights)[::-1]
    cut = int(np.searchsorted(np.cumsum(weights[order]), 1.0 - LEFT_OUT)) + 1
    return order[:cut]
