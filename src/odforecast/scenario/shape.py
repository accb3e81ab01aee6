"""Course of an effect over time: a straight rise, a plateau, a fade, and what stays."""

from __future__ import annotations

import numpy as np

from odforecast.panel import Floats


def rise_and_fade(
    since: Floats,
    ramp: Floats,
    plateau: Floats,
    half_life: Floats | None,
    residue: Floats | None = None,
) -> Floats:
    """Share of the full effect: a straight rise, a plateau, an exponential fade to a residue.

    Parameters
    ----------
    since : ndarray, shape (D, M)
        Months since the effect began; below 0 before.
    ramp, plateau : ndarray, shape (D,)
        Months of rise and plateau; a ramp of 0 is a step at ``since >= 0``.
    half_life : ndarray, shape (D,), or None
        Months until half of what fades is gone; None: all of it stays.
    residue : ndarray, shape (D,), or None
        Share of the effect that never fades; None: nothing of it.

    Returns
    -------
    ndarray, shape (D, M)

    Examples
    --------
    >>> since = np.array([[-1.0, 0.0, 3.0, 6.0, 18.0]])
    >>> rise_and_fade(since, np.array([6.0]), np.zeros(1), np.array([12.0])).tolist()
    [[0.0, 0.0, 0.5, 1.0, 0.5]]
    >>> stays = np.array([0.4])
    >>> rise_and_fade(since, np.array([6.0]), np.zeros(1), np.array([12.0]), stays).tolist()
    [[0.0, 0.0, 0.5, 1.0, 0.7]]
    """
    step = ramp[:, None] <= 0
    safe = np.where(step, 1.0, ramp[:, None])
    risen = np.where(step, since >= 0, np.clip(since / safe, 0.0, 1.0)).astype(float)
    if half_life is None:
        return risen
    faded = np.maximum(since - (ramp + plateau)[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.exp2(-faded / half_life[:, None])
    # A half-life of exactly 0 is gone at once.
    left = np.where(faded > 0, left, 1.0)
    if residue is not None:
        left = residue[:, None] + (1.0 - residue[:, None]) * left
    return np.asarray(risen * left)


def nation_factor(effect: Floats, factors: Floats, weights: Floats) -> Floats:
    """The factor c for which the nation's deaths change by exactly ``exp(effect)``.

    Solves ``sum_s F_s exp(c effect u_s) = exp(effect) sum_s F_s`` in every draw: without it,
    states that differ would give the nation another effect than the one that was stated.

    Parameters
    ----------
    effect : ndarray, shape (D,)
        Log rate ratio of the nation.
    factors : ndarray, shape (D, S)
        The states' own factors u, above 0.
    weights : ndarray, shape (S,) or (D, S)
        The states' deaths F without the effect, 0 or more; in every draw, where they are drawn.

    Returns
    -------
    ndarray, shape (D,)
        1 where the effect is 0.

    Examples
    --------
    >>> u = np.array([[0.5, 1.5]])
    >>> c = nation_factor(np.array([-0.45]), u, np.array([1.0, 1.0]))
    >>> round(float(np.log(np.exp(-0.45 * c * u[0]).mean())), 12)
    -0.45
    """
    there = effect != 0.0
    share = np.broadcast_to(weights / weights.sum(axis=-1, keepdims=True), factors.shape)[there]
    c = np.ones(effect.size)
    if not there.any():
        return c
    loads = effect[there, None] * factors[there]
    goal, found = effect[there], np.ones(int(there.sum()))
    # log sum exp is convex in c, so Newton's steps from one side of the root never pass it.
    for _ in range(60):
        grown = share * np.expm1(found[:, None] * loads)
        # log1p and expm1: of an effect of next to nothing the plain logarithm loses the sign.
        gap = np.log1p(grown.sum(axis=1)) - goal
        weighted = (share + grown) * loads
        step = gap * (1.0 + grown.sum(axis=1)) / weighted.sum(axis=1)
        found = found - step
        if np.abs(step).max() < 1e-14:
            break
    c[there] = found
    return c
