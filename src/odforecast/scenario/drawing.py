"""Draws of an intervention's effect: named uniform numbers through the priors' quantiles.

Scenarios that share the numbers are paired; asking for fewer states redraws nothing. The numbers
are spread evenly, so that the chances among the draws are the stated ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ScenarioError, whole
from odforecast.geography import JURISDICTIONS
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from odforecast.scenario.intervention import Intervention

STREAMS = (
    "p_null",
    "size",
    "share",
    "onset",
    "lag",
    "ramp",
    "plateau",
    "half_life",
    "residue",
    "spread",
    "replaced",
    "rebound.p_null",
    "rebound.fraction",
    "rebound.after",
    "rebound.ramp",
    "rebound.half_life",
)

#: Months from the onset over which deaths averted say whether an intervention works.
JUDGED = 36

#: Points on the prior of a size by which its chances are counted.
POINTS = 20_000

#: Draws behind a mean course.
MEANS = 2_000

_STATES = frozenset(JURISDICTIONS)

Numbers = Mapping[str, Floats]
#: How many draws; or their numbers, in the order of the deaths on the paths they act on.
Draws = int | NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Timings:
    """J draws of when and how an effect works."""

    #: First possible onset.
    onset: np.datetime64
    #: Months from there until it begins.
    begin: Floats
    lag: Floats
    ramp: Floats
    plateau: Floats
    half_life: Floats | None
    residue: Floats
    spread: Floats

    @classmethod
    def from_uniforms(cls, x: Intervention, u: Numbers) -> Timings:
        """Timings from uniform numbers by stream, shape (J,) each."""
        if x.onset is None:
            raise ScenarioError(
                f"{x.name}: onset is open", hint="give one with .at('2026-03')"
            )
        choices = int((x.onset[1] - x.onset[0]).astype(int)) + 1
        lag = x.lag.ppf(u["lag"])
        return cls(
            x.onset[0],
            np.floor(u["onset"] * choices) + lag,
            lag=lag,
            ramp=x.ramp.ppf(u["ramp"]),
            plateau=x.plateau.ppf(u["plateau"]),
            half_life=None if x.half_life is None else x.half_life.ppf(u["half_life"]),
            residue=x.residue.ppf(u["residue"]),
            spread=x.spread.ppf(u["spread"]),
        )

    def since(self, months: Months) -> Floats:
        """Months since the effect began, shape (J, M)."""
        return np.asarray(
            (months - self.onset).astype(float)[None] - self.begin[:, None]
        )

    def shape(self, months: Months) -> Floats:
        """Share of the full effect, shape (J, M)."""
        since = self.since(months)
        return rise_and_fade(
            since,
            self.ramp,
            plateau=self.plateau,
            half_life=self.half_life,
            residue=self.residue,
        )

    def at(self, rows: Any) -> Timings:
        """Some of the draws."""
        draws: dict[str, Any] = {
            k: v[rows] for k, v in vars(self).items() if isinstance(v, np.ndarray)
        }
        return replace(self, **draws)

    @staticmethod
    def joined(parts: Sequence[Timings]) -> Timings:
        """Draws of one event, one after the other."""
        first = parts[0]
        draws: dict[str, Any] = {
            key: np.concatenate([vars(part)[key] for part in parts])
            for key, value in vars(first).items()
            if isinstance(value, np.ndarray)
        }
        return replace(first, **draws)


def uniforms(x: Intervention, seed: int, draws: Draws) -> dict[str, Floats]:
    """A number between 0 and 1 for every stream and draw, each of shape (D,).

    They are evenly spaced: those of ``p_null`` over all draws, the others over the draws with an
    effect. Given an order of paths, weak and strong effects are dealt evenly to those with few
    and with many deaths.
    """
    seed = whole("seed", seed, least=0, error=ScenarioError)
    order = draws if isinstance(draws, np.ndarray) else np.arange(draws)
    rngs = {}
    for key in (*STREAMS, "path"):
        rngs[key] = np.random.default_rng(seed_from("scenario", seed, x.name, key))
    u = {"p_null": _even(rngs["p_null"], order.size)}
    acts = u["p_null"] >= x.p_null
    sequence = np.arange(order.size)
    for key in STREAMS[1:]:
        u[key] = np.empty(order.size)
        for group in (acts, ~acts):
            rows = sequence[group[sequence]]
            u[key][rows] = _even(rngs[key], rows.size)
        if key == "size":
            sequence = u[key].argsort(kind="stable")  # the rest is even at every size
    if not isinstance(draws, np.ndarray):
        return u
    strength = np.lexsort((u["p_null"], _judged(x, _beta(x, u), u=u)))
    rank = np.floor(order.size * _even(rngs["path"], order.size)).astype(int)
    dealt = np.empty_like(order)
    dealt[order] = strength[rank]
    return {key: numbers[dealt] for key, numbers in u.items()}


def _even(rng: np.random.Generator, n: int) -> Floats:
    """Evenly spaced numbers between 0 and 1, even too in each of about sqrt(n) runs, shape (n,)."""
    parts = []
    for run in np.array_split(np.arange(n), max(round(np.sqrt(n)), 1)):
        parts.append((rng.permutation(run.size) + rng.random(run.size)) / run.size)
    ranks = np.concatenate(parts).argsort().argsort()
    return np.asarray((ranks + 0.5) / max(n, 1))


def draw(
    x: Intervention,
    months: Months,
    locations: Sequence[str],
    exposure: Floats,
    draws: Draws,
    seed: int,
    weights: Mapping[str, Floats] | None = None,
) -> Floats:
    """Draws of the log rate ratio.

    Parameters
    ----------
    months : ndarray of datetime64[M], shape (M,)
        Months.
    locations : sequence of str
        L locations. ``US``, and any other sum, has the mean effect.
    exposure : ndarray, shape (L,)
        Share of the effect each location feels.
    draws : int or ndarray
        How many, D; or their numbers, those of paths with few deaths first.
    seed : int
        The same seed and name give the same draws, whatever the locations' order.
    weights : mapping of str to ndarray, shape () or (D,), optional
        Deaths of the scope in each of the 52 jurisdictions without the effect: expected, or in
        every draw. Without them, or with exposures that differ, the nation's effect falls
        where the states' factors put it.

    Returns
    -------
    ndarray, shape (D, L, M)
    """
    u = uniforms(x, seed, draws=draws)
    beta = _beta(x, u)
    c = np.ones(beta.size)
    if weights is not None and x.national:
        factors = _own_factors(x, tuple(weights), u=u, seed=seed)
        expected = np.stack(
            [np.asarray(w, dtype=float) for w in weights.values()], axis=-1
        )
        c = nation_factor(beta * float(x.exposure), factors, weights=expected)  # type: ignore[arg-type]
    is_state = np.array([s in _STATES for s in locations])
    factors = _own_factors(x, locations, u=u, seed=seed)
    factors = np.where(is_state, c[:, None] * factors, 1.0)
    return _course(x, exposure * beta[:, None] * factors, months=months, u=u)


def curve(x: Intervention, months: Months) -> Floats:
    """Share of the full effect in each month, every prior at its median, shape (M,)."""
    half = {key: np.full(1, 0.5) for key in STREAMS}
    return np.asarray(Timings.from_uniforms(x, half).shape(months)[0])


def mean_course(x: Intervention, months: Months) -> Floats:
    """Mean share of the full effect in each month, less what a rebound takes back, (M,)."""
    u = uniforms(x, 0, draws=MEANS)
    course = _course(x, np.full((MEANS, 1), -1.0), months=months, u=u)
    return np.asarray(-course[:, 0].mean(axis=0))


def outcome(x: Intervention, draws: Draws, seed: int) -> Floats:
    """Change of the nation's deaths over 36 months from the onset, in months of them, (D,)."""
    u = uniforms(x, seed, draws=draws)
    return _judged(x, _beta(x, u), u=u)


def chances(x: Intervention) -> tuple[float, float, float]:
    """Probability that it works, does nothing, and backfires.

    It works where it averts deaths over the 36 months from its onset, whatever horizon is
    shown, and backfires where it adds some.
    """
    if x.rebound is None and _late(x) < JUDGED:
        # Then the sign of the size is the sign of what it does.
        sizes = _size(x, (np.arange(POINTS) + 0.5) / POINTS)
        sign = np.sign(sizes * (x.share.mean > 0))
    else:
        u = uniforms(x, 0, draws=POINTS)
        x = x.at("2020-01")  # when does not matter here
        sizes = _size(x, u["size"]) * x.share.ppf(u["share"])
        sign = np.sign(_judged(x, sizes, u=u))
    effect = 1.0 - x.p_null
    works = effect * float((sign == -1).mean())
    backfires = effect * float((sign == 1).mean())
    return works, max(1.0 - works - backfires, 0.0), backfires


def _late(x: Intervention) -> float:
    """Months after the first possible onset by which it has all but surely begun."""
    months = 0
    if x.onset is not None:
        first, last = x.onset
        months = int((last - first).astype(int))
    return months + float(x.lag.ppf(np.array(0.99)))


def _judged(x: Intervention, beta: Floats, u: Numbers) -> Floats:
    months = np.arange(x.onset[0], x.onset[1] + JUDGED * ONE_MONTH)
    course = _course(x, beta[:, None], months=months, u=u)[:, 0]
    return np.asarray(np.expm1(course).sum(axis=1))


def _size(x: Intervention, u: Floats) -> Floats:
    """The size given an effect; nothing in the tail that does not count."""
    size = x.size.ppf(u)
    if x.direction == "fall":
        return np.minimum(size, 0.0)
    return np.maximum(size, 0.0) if x.direction == "rise" else size


def _beta(x: Intervention, u: Numbers) -> Floats:
    """The nation's effect at full strength and exposure 1, shape (D,)."""
    sizes = _size(x, u["size"]) * x.share.ppf(u["share"])
    return np.where(u["p_null"] >= x.p_null, sizes, 0.0)


def _own_factors(
    x: Intervention, locations: Sequence[str], u: Numbers, seed: int
) -> Floats:
    """The states' own factors u_s: above 0, of mean 1; 1 for sums of states. Shape (D, L)."""
    tau = x.spread.ppf(u["spread"])
    factors = np.ones((tau.size, len(locations)))
    if (tau > 0).any():
        for i, state in enumerate(locations):
            if state in _STATES:
                number = seed_from("scenario", seed, x.name, "spread", state)
                z = np.random.default_rng(number).standard_normal(tau.size)
                factors[:, i] = np.exp(tau * z - 0.5 * tau**2)
    return factors


def _course(x: Intervention, scale: Floats, months: Months, u: Numbers) -> Floats:
    """Log rate ratios of effects of a scale, (D, L), and of what comes back of them: (D, L, M)."""
    timings = Timings.from_uniforms(x, u)
    rebound = x.rebound
    course = scale[:, :, None] * timings.shape(months)[:, None]
    if rebound is not None:
        happens = u["rebound.p_null"] >= rebound.p_null
        fraction = np.where(happens, rebound.fraction.ppf(u["rebound.fraction"]), 0.0)
        lost = -np.minimum(scale, 0.0) * fraction[:, None]
        wait = timings.ramp + rebound.after.ppf(u["rebound.after"])
        half = rebound.half_life
        shape = rise_and_fade(
            timings.since(months) - wait[:, None],
            rebound.ramp.ppf(u["rebound.ramp"]),
            plateau=np.zeros(wait.size),
            half_life=None if half is None else half.ppf(u["rebound.half_life"]),
        )
        course += lost[:, :, None] * shape[:, None]
    return np.asarray(course)


def rise_and_fade(
    since: Floats,
    ramp: Floats,
    plateau: Floats,
    half_life: Floats | None,
    residue: Floats | None = None,
) -> Floats:
    """Share of the full effect: a straight rise, a plateau, an exponential fade to a residue.

    ``since`` are months since the effect began, (D, M), below 0 before; a ramp of 0 is a step at
    ``since >= 0``; without a half-life all of it stays. The others have shape (D,).
    """
    step = ramp[:, None] <= 0
    safe = np.where(step, 1.0, ramp[:, None])
    risen = np.where(step, since >= 0, np.clip(since / safe, 0.0, 1.0)).astype(float)
    if half_life is None:
        return risen
    faded = np.maximum(since - (ramp + plateau)[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.exp2(-faded / half_life[:, None])
    # A half-life of exactly 0 is gone at once.
    share = np.where(faded > 0, share, 1.0)
    if residue is not None:
        share = residue[:, None] + (1.0 - residue[:, None]) * share
    return np.asarray(risen * share)


def nation_factor(effect: Floats, factors: Floats, weights: Floats) -> Floats:
    """The factor c for which the nation's deaths change by exactly ``exp(effect)``, shape (D,).

    Solves ``sum_s F_s exp(c effect u_s) = exp(effect) sum_s F_s`` in every draw: without it,
    states that differ would give the nation another effect than the one that was stated. The
    states' own factors u are above 0, (D, S); the weights F their deaths, (S,) or (D, S).
    """
    c = np.ones(effect.size)
    works = effect != 0.0
    if not works.any():
        return c
    share = weights / weights.sum(axis=-1, keepdims=True)
    share = np.broadcast_to(share, factors.shape)[works]
    loads = effect[works, None] * factors[works]
    goal = effect[works]
    root = np.ones(goal.size)
    # log sum exp is convex in c, so Newton's steps from one side of the root never pass it.
    for _ in range(60):
        grown = share * np.expm1(root[:, None] * loads)
        # log1p and expm1: of an effect of next to nothing the plain logarithm loses the sign.
        gap = np.log1p(grown.sum(axis=1)) - goal
        weighted = (share + grown) * loads
        step = gap * (1.0 + grown.sum(axis=1)) / weighted.sum(axis=1)
        root = root - step
        if np.abs(step).max() < 1e-14:
            break
    c[works] = root
    return c
