"""Posterior of past events: size, timing, spread between states and "nothing" as parameters.

What a past event did is asked of the counts with nothing plugged in that its prior leaves open:
onset (where it is a range), lag, ramp, plateau, half-life, residue and the spread between states
are drawn from their priors, in layers of equal probability; given them and the variances of
:mod:`odforecast.scenario.effects.series` the posterior of the size is exactly normal, and its
evidence weighs the draws. "No effect" is a model of its own, weighed by its evidence too. Two
events that overlap are taken together: their draws in pairs, each with and without an effect.

The answer is "how large was the change of this kind after this date, whatever its cause". It
cannot say who caused it: the counts cannot identify cooperation. A region's own lag
(``lag_spread``) and a rebound are not in it; a size that is not normal, or is multiplied by a
share, enters with its mean and sd.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.months import Months
from odforecast.panel import Floats
from odforecast.scenario.effects.posterior import Component, EventPosterior
from odforecast.scenario.effects.prior import EventPrior
from odforecast.scenario.effects.series import (
    GRID,
    Grid,
    Statistics,
    condition,
    machine,
    nothing,
    own_variances,
    rotation,
)
from odforecast.scenario.effects.timing import STREAMS, Timings, closer, stratified, timings_from
from odforecast.scenario.intervention import Intervention
from odforecast.seeds import seed_from

#: Draws of the timing from the prior; twice as many come from where the counts put it.
TIMINGS, CLOSER = 256, 2

#: Fewest months of counts.
FEWEST = 24

#: Nodes of less weight are left out.
NEGLIGIBLE = 1e-6

#: Rounds in which the spread between states takes the size that the posterior gives.
PASSES = 3


class Estimator:
    """What can be worked out before the counts are seen; then :meth:`posterior` is quick.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (T,)
        Months of death.
    events : sequence of Intervention
        One, or two that overlap.
    felt : ndarray, shape (S, E), optional
        Exposure of each location to each event; default 1.
    weights : ndarray, shape (S,), optional
        How much each location says of the mean: its deaths, so that the mean is the nation's;
        default all the same.
    nation : ndarray, shape (E,), optional
        The nation's exposures, where its own counts take the place of the mean: then
        :meth:`posterior` needs them.
    locations : int, optional
        S, where ``felt`` is not given.
    draws : int
        Draws of the timing; 1 takes every prior of the timing at its median.
    grid : Grid
        What the mean does by itself.
    seed : int

    Raises
    ------
    ScenarioError
        If there are too few months, more than two events, or an onset after the months.
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
        if not 1 <= len(self.events) <= 2:
            raise ScenarioError(f"{len(self.events)} events at once, allowed: one, or two")
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
        per = [
            np.full((1, len(STREAMS)), 0.5) if draws == 1 else stratified(x, draws, seed)
            for x in self.events
        ]
        self._numbers = np.concatenate(per, axis=1)
        self._machine = machine(months.size, grid, float(n_loc))
        self._shapes = self._bare(self._numbers)
        self._usual = self._bare(np.full((1, self._numbers.shape[1]), 0.5))[:, 0]
        self._q = self._quadratic(self._shapes, self._machine.precision)
        self._turn = rotation(self.weights)
        root = np.sqrt(self.weights)[:, None]
        self._loads = self._turn @ (root * self.felt)
        self._national = nation is not None
        if nation is not None:
            self._loads[0] = np.sqrt(n_loc) * np.asarray(nation, dtype=float)
        spread = self._turn[:1] ** 2 @ (self.weights[:, None] * self.felt**2)
        total = (self.weights[:, None] * self.felt**2).sum(axis=0)
        self._mean_share, self._own_share = spread[0], (total - spread[0]) / max(n_loc - 1, 1)

    def _timed(self, numbers: Floats) -> tuple[Timings, ...]:
        parts = np.split(numbers, len(self.events), axis=1)
        return tuple(timings_from(x, u) for x, u in zip(self.events, parts))

    def _bare(self, numbers: Floats) -> Floats:
        """Shapes less level and drift, (E, J, n)."""
        basis = self._machine.basis
        return np.stack([t.shape(self.months) @ basis.T for t in self._timed(numbers)])

    @staticmethod
    def _quadratic(x: Floats, precision: Floats) -> Floats:
        out = np.empty((len(precision), x.shape[1], len(x), len(x)))
        for k, p in enumerate(precision):
            out[k] = np.einsum("ejn,fjn->jef", x @ p, x)
        return out

    def _rows(self, deaths: Floats, nation: Floats | None = None) -> Floats:
        """Turned log counts less level and drift, (S, n)."""
        if (nation is None) == self._national:
            raise ScenarioError("the nation's counts go with the nation's exposures")
        deaths = np.asarray(deaths, dtype=float)
        if deaths.shape != (self.felt.shape[0], self.months.size):
            raise ScenarioError(
                f"deaths have shape {deaths.shape}, allowed: "
                f"{(self.felt.shape[0], self.months.size)}"
            )
        if not np.isfinite(deaths).all() or (deaths < 0).any():
            raise ScenarioError(
                "months hold missing or negative counts", hint="drop those locations"
            )
        logs = np.sqrt(self.weights)[:, None] * np.log(deaths + 0.5)
        turned = self._turn @ logs
        if nation is not None:
            # The log of the sum is the weighted mean of the logs, up to what states differ.
            turned[0] = np.sqrt(len(deaths)) * np.log(np.asarray(nation, dtype=float) + 0.5)
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
        own_base = 0.5 * float(len(rows) * np.log(weight).sum() - (np.square(rows) @ weight).sum())
        return Statistics(
            q, np.einsum("kn,ejn->kje", solved, x), base, self._loads[0], self._mean_share,
            np.einsum("ejn,fjn->jef", bent * weight, bent),
            np.einsum("sn,ejn->sje", rows * weight, bent),
            own_base if len(rows) else 0.0, self._loads[1:], self._own_share,
        )  # fmt: skip

    def statistics(self, deaths: Floats) -> Statistics:
        """What monthly deaths, shape (S, T), say, for the draws of the prior and all nodes."""
        z = self._rows(deaths)
        return self._statistics(z, self._shapes, self._q, np.arange(len(self._q)), self._own(z))

    def _own(self, z: Floats) -> tuple[float, float]:
        if len(z) == 1:
            return 1.0, 1.0
        m = self._machine
        return own_variances(z[1:] @ m.axes.T, self._usual @ m.axes.T, m.spread)

    def posterior(self, deaths: Floats, nation: Floats | None = None) -> EventPosterior:
        """Posterior given monthly deaths, shape (S, T), and the nation's, shape (T,).

        Raises
        ------
        ScenarioError
            If shapes do not fit, or counts are missing.
        """
        z = self._rows(deaths, nation)
        own, everywhere = self._own(z), np.arange(len(self._q))
        s = self._statistics(z, self._shapes, self._q, everywhere, own)
        n_draws = len(self._numbers)
        flat = np.zeros(n_draws)
        found = self._weighed(s, self._numbers, flat, 1)
        if n_draws == 1:
            return self._weighed(s, self._numbers, flat, PASSES)
        # Nodes that weigh nothing are left out; timings are drawn again where the counts put
        # them. All draws together have the density of the mixture that they came from.
        nodes = np.flatnonzero(found.node_weights() > NEGLIGIBLE)
        rng = np.random.default_rng(seed_from("closer", self.seed, *(x.name for x in self.events)))
        numbers, logs = closer(self._numbers, found.all_timing_weights(), CLOSER * n_draws, rng)
        x = self._bare(numbers[n_draws:])
        q = self._quadratic(x, self._machine.precision[nodes])
        s = self._statistics(
            z, np.concatenate([self._shapes, x], axis=1),
            np.concatenate([self._q[nodes], q], axis=1), nodes, own,
        )  # fmt: skip
        return self._weighed(s, numbers, logs, PASSES)

    def _weighed(self, s: Statistics, numbers: Floats, logs: Floats, passes: int) -> EventPosterior:
        timed = self._timed(numbers)
        n_events = len(self.events)
        mean = np.array([p.mean for p in self.priors])
        sd = np.array([p.sd for p in self.priors])
        tau = np.stack([t.spread for t in timed], axis=1)
        sets = [(0,)] if n_events == 1 else [(0,), (1,), (0, 1)]
        # Mean square of each size, at each timing: how much states may differ there.
        square = np.broadcast_to(mean**2 + sd**2, tau.shape)
        for _ in range(passes):
            found = [condition(s, a, mean, sd, tau**2 * square) for a in sets]
            none = nothing(s, tau**2 * square)
            parts = [Component((), none + logs, None, None)]
            parts += [
                Component(a, c.log_evidence + logs, c.mean, c.cov) for a, c in zip(sets, found)
            ]
            out = EventPosterior(self.events, self.priors, timed, tuple(parts), s, self)
            if not tau.any():
                break
            whole = found[-1]
            weights = np.exp(whole.log_evidence - whole.log_evidence.max(axis=0))
            weights /= weights.sum(axis=0)
            squares = whole.mean**2 + np.diagonal(whole.cov, axis1=-2, axis2=-1)
            square = np.einsum("kj,kje->je", weights, squares)
        return out

    def states(self, deviations: Floats) -> Floats:
        """From contrasts (S - 1, n) to the locations' log counts, (S, n)."""
        turned = self._turn[1:].T @ deviations
        return np.asarray(turned / np.sqrt(self.weights)[:, None])


def estimate(
    deaths: Floats,
    months: Months,
    events: Sequence[Intervention],
    felt: Floats | None = None,
    weights: Floats | None = None,
    *,
    draws: int = TIMINGS,
    grid: Grid = GRID,
    seed: int = 1,
) -> EventPosterior:
    """Posterior of one past event, or of two that overlap; see :class:`Estimator`.

    Parameters
    ----------
    deaths : ndarray, shape (S, T)
        Monthly deaths of the events' scope, without gaps.
    months, events, felt, weights, draws, grid, seed
        As in :class:`Estimator`.

    Examples
    --------
    >>> from odforecast.scenario import Fixed, Intervention, Normal
    >>> months = np.arange("2015-01", "2021-01", dtype="datetime64[M]")
    >>> cut = Intervention("cut", Normal(0.0, 0.3), onset="2019-01", ramp=Fixed(3), p_null=0.5)
    >>> rng = np.random.default_rng(1)
    >>> rates = 500 * np.exp(-0.3 * cut.curve(months))
    >>> found = estimate(rng.poisson(rates, size=(10, 72)), months, [cut])
    >>> abs(found.mean() + 0.3) < 0.1, found.p_null() < 0.1
    (True, True)
    """
    estimator = Estimator(
        months, events, felt, weights, locations=len(deaths), draws=draws, grid=grid, seed=seed
    )
    return estimator.posterior(deaths)
