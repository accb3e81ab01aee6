"""Draws moved to what is observed of some of their months: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.panel import Floats

#: Logs are of deaths and a half: a month may have none.
HALF = 0.5
#: How often a file ends in months that have hardly begun to come in, and the sd of the log of what
#: is there of them.
_ENDS, _BEGUN = 0.1, 1.5
#: Correlation of the errors of late arrivals of months one month apart in age.
_NEXT = 0.8


@dataclass(frozen=True, eq=False)
class Told:
    """What is observed of a place's months, those that are used.

    Attributes
    ----------
    at : ndarray of int, shape (k,)
        Which of its n months, in order.
    observed : ndarray, shape (k,)
        Logs of their deaths and a half.
    noise : ndarray, shape (k, k)
        Covariance of the errors of those.
    common : ndarray, shape (k,)
        Sd of what other places have of those errors, too; between months as :func:`near` says.
    errors : ndarray, shape (D, k)
        Draws of those errors.
    far : float
        How many standard deviations the observed months lie from the draws, at most.
    """

    at: NDArray[np.int_]
    observed: Floats
    noise: Floats
    common: Floats
    errors: Floats
    far: float


def told(
    paths: Floats,
    at: NDArray[np.int_],
    observed: Floats,
    noise: Floats,
    rng: np.random.Generator,
    common: Floats | None = None,
    shared: Floats | None = None,
) -> tuple[Told, int]:
    """What observed months tell, those left out that have hardly begun to come in.

    Parameters
    ----------
    paths : ndarray, shape (D, n)
        Monthly deaths as they are drawn without.
    at : ndarray of int, shape (k,)
        Which of the n months are observed.
    observed : ndarray, shape (k,)
        Logs of their deaths and a half.
    noise : ndarray, shape (k, k)
        Covariance of the errors of those; infinite where nothing is known.
    rng : Generator
    common : ndarray, shape (k,), optional
        Sd of what other places have of those errors, too; none without it.
    shared : ndarray, shape (D, n), optional
        Draws of that for all months, at an sd of 1: see :func:`shared_errors`.

    Returns
    -------
    told : Told
        Without months of which nothing is known.
    whole : int
        How many of the observed months have come in, the first ones: see :func:`filled_until`.
    """
    useful = np.isfinite(np.diag(noise))
    n, k = len(paths), int(useful.sum())
    common = np.zeros(at.size) if common is None else common
    shared = np.zeros(paths.shape) if shared is None else shared
    whole, far = at.size, 0.0
    if k:
        at, observed, common = at[useful], observed[useful], common[useful]
        noise = noise[np.ix_(useful, useful)]
        logs = logs_of(paths)
        covariance = shrunk(logs, at[-1] + 1)[np.ix_(at, at)] + noise
        away = observed - logs[:, at].mean(axis=0)
        whole = k = filled_until(away, covariance)
        if k:
            far = float((np.abs(away) / np.sqrt(np.diag(covariance)))[:k].max())
    at, observed, common, noise = at[:k], observed[:k], common[:k], noise[:k, :k]
    errors = np.zeros((n, 0))
    if k:
        alone = _root(noise - near(at) * np.outer(common, common))
        errors = rng.standard_normal((n, k)) @ alone.T + shared[:, at] * common
        errors -= errors.mean(axis=0)  # what they add is spread, and nothing to the mean
    return Told(at, observed, noise, common, errors, far), whole


def near(months: Floats | NDArray[np.int_]) -> Floats:
    """Correlation of the errors of late arrivals of months, given their numbers; shape (k, k).

    Examples
    --------
    >>> near(np.array([0, 1, 3])).round(2)[0].tolist()
    [1.0, 0.8, 0.51]
    """
    found: Floats = _NEXT ** np.abs(np.subtract.outer(months, months)).astype(float)
    return found


def shared_errors(n_draws: int, n: int, rng: np.random.Generator) -> Floats:
    """Draws of errors of n months that places share, at an sd of 1; shape (D, n)."""
    out = rng.standard_normal((n, n_draws))
    # Month after month: those of a shorter forecast are the first ones of a longer one.
    for k in range(1, n):
        out[k] = _NEXT * out[k - 1] + np.sqrt(1.0 - _NEXT**2) * out[k]
    return out.T


def move(paths: Floats, seen: Told) -> Floats:
    """The months of each draw, once some of them are observed, by the covariance of the draws.

    Parameters
    ----------
    paths : ndarray, shape (D, n)
        Monthly deaths; NaN where hidden: those stay.
    seen : Told

    Returns
    -------
    ndarray, shape (D, n)
        Monthly deaths; exactly those given where nothing is learned. A month of none may get some.
    """
    if seen.at.size == 0:
        return paths
    logs = logs_of(paths)
    covariance = shrunk(logs, seen.at[-1] + 1)
    usual = covariance[np.ix_(seen.at, seen.at)] + seen.noise
    gain = np.linalg.solve(usual, covariance[seen.at]).T
    return moved_by((seen.observed - logs[:, seen.at] - seen.errors) @ gain.T, logs, paths)


def logs_of(paths: Floats) -> Floats:
    """Logs of months' deaths and a half; hidden ones are taken for none."""
    logs: Floats = np.log(np.maximum(np.nan_to_num(paths), 0.0) + HALF)
    return logs


def moved_by(shift: Floats, logs: Floats, paths: Floats) -> Floats:
    """Months whose logs are shifted: those of no shift, and hidden ones, are exactly as they were.

    Parameters
    ----------
    shift, logs, paths : ndarray, shape (D, ..., n)
        What is added to the logs, the logs (:func:`logs_of`), and the months.
    """
    still = (shift == 0) | np.isnan(paths).any(axis=0)
    moved: Floats = np.where(still, paths, np.maximum(np.exp(logs + shift) - HALF, 0.0))
    return moved


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


def shrunk(logs: Floats, told: int) -> Floats:
    """Covariance of draws, its correlations shrunk towards none by their own sampling error.

    Schäfer & Strimmer (2005). By how much, the first ``told`` months say, whatever stands after
    them. Months that do not vary have no correlation.

    Examples
    --------
    >>> same = np.random.default_rng(1).standard_normal((500, 1))
    >>> covariance = shrunk(np.concatenate([same, same], axis=1), 2)
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
    first = off & (np.arange(size) < told) & (np.arange(size) < told)[:, None]
    total = float((r[first] ** 2).sum())
    weight = min(float(spread[first].sum()) / total, 1.0) if total > 0 else 0.0
    r[off] *= 1.0 - weight
    sd = np.where(varies, sd, 0.0)
    found: Floats = r * np.outer(sd, sd)
    return found
