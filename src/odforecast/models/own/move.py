"""Draws moved to what is observed of some of their months: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from odforecast.panel import Floats

#: Logs are of deaths and a half: a month may have none.
HALF = 0.5
#: How often a file ends in months that have hardly begun to come in, and the sd of the log of what
#: is there of them.
_ENDS, _BEGUN = 0.1, 1.5


def move(
    paths: Floats, at: NDArray[np.int_], observed: Floats, noise: Floats, rng: np.random.Generator
) -> tuple[Floats, float, int]:
    """The months of each draw, once some of them are observed.

    Parameters
    ----------
    paths : ndarray, shape (D, n)
        Monthly deaths; NaN where hidden: those stay.
    at : ndarray of int, shape (k,)
        Which of the n months are observed.
    observed : ndarray, shape (k,)
        Logs of their deaths and a half.
    noise : ndarray, shape (k, k)
        Covariance of the errors of those; infinite where nothing is known.
    rng : Generator

    Returns
    -------
    moved : ndarray, shape (D, n)
        Monthly deaths; exactly those given where nothing is learned. A month of none may get some.
    far : float
        How many standard deviations the observed months lie from the draws, at most.
    used : int
        How many of the observed months were used, the first ones: see :func:`filled_until`.
    """
    deaths = np.maximum(np.nan_to_num(paths), 0.0)
    logs = np.log(deaths + HALF)
    useful = np.isfinite(np.diag(noise))
    if not useful.any():
        return paths, 0.0, at.size
    at, observed, noise = at[useful], observed[useful], noise[np.ix_(useful, useful)]
    covariance = shrunk(logs)
    away = observed - logs[:, at].mean(axis=0)
    used = filled_until(away, covariance[np.ix_(at, at)] + noise)
    if used == 0:
        return paths, 0.0, 0
    at, observed, away, noise = at[:used], observed[:used], away[:used], noise[:used, :used]
    seen = covariance[np.ix_(at, at)] + noise
    gain = np.linalg.solve(seen, covariance[at]).T
    errors = rng.standard_normal((len(logs), at.size)) @ _root(noise).T
    errors -= errors.mean(axis=0)  # what they add is spread, and nothing to the mean
    shift = (observed - logs[:, at] - errors) @ gain.T
    shift[:, np.isnan(paths).any(axis=0)] = 0.0
    after = np.maximum(np.exp(logs + shift) - HALF, 0.0)
    moved = np.where(shift == 0, paths, after)
    far = np.abs(away) / np.sqrt(np.diag(seen))
    return moved, float(far.max()), used


def filled_until(away: Floats, usual: Floats) -> int:
    """How many of the observed months, from the first on, have come in at all.

    Compared are the likelihoods that all have, and that from some month on the counts hold only
    what has begun to come in: any lower number is about as likely.

    Parameters
    ----------
    away : ndarray, shape (k,)
        Logs of the counts less the mean of the draws, in order of months.
    usual : ndarray, shape (k, k)
        Covariance of that where months have come in.

    Examples
    --------
    >>> usual = 0.01 * np.eye(3)
    >>> filled_until(np.array([0.0, -0.1, -0.2]), usual)
    3
    >>> filled_until(np.array([0.0, -0.1, -1.9]), usual)
    2
    """
    k = away.size
    best, found = -np.inf, k
    for stop in range(k, -1, -1):
        if (away[stop:] >= 0).any():
            break
        whole = usual + np.diag(np.where(np.arange(k) >= stop, _BEGUN**2, 0.0))
        _, size = np.linalg.slogdet(whole)
        fit = -0.5 * (size + float(away @ np.linalg.solve(whole, away)))
        fit += np.log(1.0 - _ENDS) if stop == k else np.log(_ENDS / k)
        if fit > best:
            best, found = float(fit), stop
    return found


def _root(covariance: Floats) -> Floats:
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def shrunk(logs: Floats) -> Floats:
    """Covariance of draws, its correlations shrunk towards none by their own sampling error.

    Schäfer & Strimmer (2005). Months that do not vary have none.

    Examples
    --------
    >>> same = np.random.default_rng(1).standard_normal((500, 1))
    >>> covariance = shrunk(np.concatenate([same, same], axis=1))
    >>> bool(covariance[0, 1] > 0.99 * covariance[0, 0])
    True
    """
    n, size = logs.shape
    sd = logs.std(axis=0, ddof=1)
    varies = sd > 1e-9
    z = np.where(varies, (logs - logs.mean(axis=0)) / np.where(varies, sd, 1.0), 0.0)
    r = z.T @ z / (n - 1)
    # The variance of each product's mean.
    spread = ((z**2).T @ (z**2) - (z.T @ z) ** 2 / n) * n / (n - 1) ** 3
    off = ~np.eye(size, dtype=bool)
    total = float((r[off] ** 2).sum())
    weight = min(float(spread[off].sum()) / total, 1.0) if total > 0 else 1.0
    r[off] *= 1.0 - weight
    sd = np.where(varies, sd, 0.0)
    found: Floats = r * np.outer(sd, sd)
    return found
