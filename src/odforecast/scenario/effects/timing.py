"""When and how a past event works: draws from the prior, and closer ones where the counts are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from odforecast.months import Months
from odforecast.panel import Floats
from odforecast.scenario.drawing import rise_and_fade
from odforecast.scenario.intervention import Intervention
from odforecast.seeds import seed_from

#: What is drawn of each event.
STREAMS = ("onset", "lag", "ramp", "plateau", "half_life", "residue", "spread")


@dataclass(frozen=True, eq=False)
class Timings:
    """J draws of when and how an event works, from its prior.

    Attributes
    ----------
    onset : datetime64[M]
        First month in which it may begin.
    begin : ndarray, shape (J,)
        Months from there until the effect begins: a later onset, and the lag.
    lag, ramp, plateau, residue, spread : ndarray, shape (J,)
    half_life : ndarray, shape (J,), or None
    """

    onset: np.datetime64
    begin: Floats
    lag: Floats
    ramp: Floats
    plateau: Floats
    half_life: Floats | None
    residue: Floats
    spread: Floats

    def shape(self, months: Months) -> Floats:
        """Share of the full effect, shape (J, M)."""
        since = (months - self.onset).astype(float)[None] - self.begin[:, None]
        return rise_and_fade(since, self.ramp, self.plateau, self.half_life, self.residue)


def timings(x: Intervention, n: int, seed: int = 1) -> Timings:
    """``n`` draws of an event's timing from its prior, stratified in every parameter.

    Examples
    --------
    >>> from odforecast.scenario import named_intervention
    >>> drawn = timings(named_intervention("cooperation-resumed", onset="2023-11"), 100)
    >>> round(float(np.median(drawn.lag)), 1)
    6.0
    """
    return timings_from(x, stratified(x, n, seed))


def random_timing(x: Intervention, rng: np.random.Generator) -> Timings:
    """One timing at random from the prior."""
    return timings_from(x, rng.random((1, len(STREAMS))))


def median_timing(x: Intervention) -> Timings:
    """One timing: every prior at its median."""
    return timings_from(x, np.full((1, len(STREAMS)), 0.5))


def stratified(x: Intervention, n: int, seed: int) -> Floats:
    """Uniform numbers, shape (n, 7), one in each n-th of every parameter."""
    u = np.empty((n, len(STREAMS)))
    for i, key in enumerate(STREAMS):
        rng = np.random.default_rng(seed_from("timing", seed, x.name, key))
        u[:, i] = (rng.permutation(n) + rng.random(n)) / n
    return u


def timings_from(x: Intervention, numbers: Floats) -> Timings:
    """Timings from uniform numbers, shape (J, 7)."""
    u = dict(zip(STREAMS, numbers.T))
    choices = int((x.onset[1] - x.onset[0]).astype(int)) + 1
    lag = x.lag.ppf(u["lag"])
    return Timings(
        onset=x.onset[0],
        begin=np.floor(u["onset"] * choices) + lag,
        lag=lag,
        ramp=x.ramp.ppf(u["ramp"]),
        plateau=x.plateau.ppf(u["plateau"]),
        half_life=None if x.half_life is None else x.half_life.ppf(u["half_life"]),
        residue=x.residue.ppf(u["residue"]),
        spread=x.spread.ppf(u["spread"]),
    )


def closer(
    numbers: Floats, weights: Floats, n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """More uniform numbers where the weights are, and what all of them count for.

    Parameters
    ----------
    numbers : ndarray, shape (J, P)
        Evenly spread over the unit cube: draws of the prior.
    weights : ndarray, shape (J,)
        Posterior weights.
    n : int
        How many more.
    rng : Generator

    Returns
    -------
    numbers : ndarray, shape (J + n, P)
    logs : ndarray, shape (J + n,)
        Log of prior over density drawn from: what makes all of them draws of the prior.
    """
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
