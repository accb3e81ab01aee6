"""Draws moved to what is observed of some of their months; how far those are filled up.

A model whose log months are linear in normals tells their covariance itself
(:class:`LogMonths`). Matheron's rule then moves all places at once::

    x + C[:, o] (C[o, o] + R)^-1 (y - x_o - e),   e ~ N(0, R)

``o`` are the observed months of all places that have any. Given the scale ``t`` of the nation's
innovations in a draw, ``C = F F' + own + t² W W'``. Of many draws each has another ``t``; in the
directions that diagonalise ``W' A^-1 W``, ``A`` the rest of ``C[o, o] + R``, that is a factor each.

Every draw keeps the scale that it has. What is observed would tell of that, too; but only the
nation has heavy tails in the model, so that whatever is unusual in a single file would be put
down to the nation. Reweighted, forecasts of origins to 2020-12 were no better (US 7-12 months
ahead, ten files: .573 of the error without, .537 as it is), and a fault of one file moved the
others further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.models.delay.constants import Delays
from odforecast.months import Months
from odforecast.panel import Floats, Own
from odforecast.panel.own import Days
from odforecast.seeds import Streams

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


#: The spread of CDC's late arrivals, where they stand for the state's.
DOUBLED = 2.0
#: Pairs of days needed to learn the late arrivals from the file, and what the prior of their
#: relative error weighs.
_PAIRS, _PRIOR_PAIRS = 6, 4.0
#: How much older than the youngest month of the file the youngest pair may be, months.
_YOUNG = 1.0
#: The age at which the constants give the late share.
_AGE = 6.0
#: Of a month no more than this is ever still to come.
_MOST = 0.9


@dataclass(frozen=True)
class Late:
    """Late arrivals of months by their age: the share still to come is ``alpha exp(-delta age)``.

    Attributes
    ----------
    alpha, delta : float
    spread : float
        Relative error of the odds of arriving late, the same for all months of a place.
    noise : float
        Relative error of a single month's.
    how : str
        What it rests on.
    common : float
        Share of the variance of the error that all places have in common whose counts are taken to
        fill up as CDC's do.
    """

    alpha: float
    delta: float
    spread: float
    noise: float
    how: str
    common: float = 0.0

    def share(self, ages: Floats) -> Floats:
        """Share of a month's deaths that is still to come."""
        found: Floats = np.minimum(self.alpha * np.exp(-self.delta * ages), _MOST)
        return found

    def missing(self, ages: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of the log of a month once complete over the month as counted.

        The odds of arriving late are lognormal, so that less than nothing never arrives.
        """
        share = self.share(ages)
        odds = share / (1.0 - share)
        spread = np.sqrt(np.log1p(self.spread**2))
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        drawn = np.log1p(odds[:, None] * np.exp(spread * nodes - 0.5 * spread**2))
        weights = weights / weights.sum()
        mean = drawn @ weights
        variance = (drawn - mean[:, None]) ** 2 @ weights
        return mean, np.sqrt(variance)


def late_arrivals(own: Own, state: str, constants: Delays) -> Late:
    """How far a place's counts are filled up by age: from its own days, else as CDC's are.

    Ages are months from the end of a month to the day on which it was counted.
    """
    spread = float(np.hypot(constants.late_own, constants.late_shared))
    if own.complete:
        return Late(0.0, 1.0, 0.0, 0.0, "taken as complete")
    months, deaths, days = own.rows(state)
    newest = {m: (y, d) for m, y, d in zip(months, deaths, days)}  # the last row of a month stays
    ages = ages_of(months, days)
    last = np.array([newest[m][0] for m in months])
    last_ages = ages_of(months, np.array([newest[m][1] for m in months], dtype="datetime64[D]"))
    pair = (last_ages > ages) & (last > 0) & (deaths > 0)
    many = pair.sum() >= _PAIRS and np.unique(months[pair]).size >= 3
    # Pairs of old months show nothing of young ones, such as those that the file ends in.
    young = many and ages[pair].min() <= last_ages.min() + _YOUNG
    if young:
        alpha, delta, spread = _fitted(
            ages[pair], last_ages[pair], deaths[pair], last[pair], spread
        )
        how = f"assumed to fill up as {int(pair.sum())} earlier counts in the file did"
        return Late(alpha, delta, spread, constants.noise, how)
    why = "the file has one day only"
    if pair.any():
        why = "few months of the file have several days"
    if many:
        why = "the months of the file that have several days were older than its last"
    return Late(
        constants.late * float(np.exp(constants.late_decay * _AGE)),
        constants.late_decay,
        DOUBLED * spread,
        constants.noise,
        f"assumed to be as incomplete as CDC's, with doubled uncertainty, because {why}",
        common=float(constants.late_shared / spread) ** 2,
    )


def ages_of(months: Months, days: Days) -> Floats:
    """Whole months from the end of each month to a day."""
    return (days.astype("datetime64[M]") - months).astype(float) - 1.0


def _fitted(
    young: Floats, old: Floats, then: Floats, now: Floats, spread: float
) -> tuple[float, float, float]:
    """``alpha``, ``delta`` and the spread of pairs of counts of one month, by least squares."""
    change = np.log(then / now)
    best: float = np.inf
    found = (0.0, 1.0)
    for fall in np.linspace(0.1, 1.2, 23):
        for start in np.concatenate([[0.0], np.geomspace(0.01, 2.0, 60)]):
            before, after = (np.minimum(start * np.exp(-fall * a), _MOST) for a in (young, old))
            error = change - np.log1p(-before) + np.log1p(-after)
            loss = float((now * error**2).sum())
            if loss < best - 1e-12:
                best, found = loss, (float(start), float(fall))
    alpha, delta = found
    before, after = (np.minimum(alpha * np.exp(-delta * a), _MOST) for a in (young, old))
    odds = before / (1.0 - before) - after / (1.0 - after)
    told = odds > 0.02
    error = (now / then - 1.0 - odds)[told] / odds[told]
    # What counting alone scatters is no error of the curve.
    chance = 1.0 / (odds[told] * then[told])
    squares = np.maximum(error**2 - chance, 0.0).sum()
    variance = (_PRIOR_PAIRS * spread**2 + squares) / (_PRIOR_PAIRS + told.sum())
    return alpha, delta, float(np.sqrt(variance))


#: A file this many standard deviations from what all else says of its months moves no other place.
#: Of true files one or two in a hundred are; `python benchmarks/bench_own.py --bound` counts them.
APART = 3.0


@dataclass(frozen=True, eq=False)
class LogMonths:
    """How the logs of the months of some places (deaths and a half) hang together in a model.

    Attributes
    ----------
    locations : tuple of str
        CDC codes, L of them.
    shared : ndarray, shape (L, n, K)
        What each month takes of K standard normals that places may share.
    own : ndarray, shape (L, n, n)
        Covariance of what is in no other place's months.
    nation : ndarray, shape (L, n, H)
        What each month takes of the nation's innovations, H standard normals, at scale 1.
    scale : ndarray, shape (D,)
        Scale of those in each draw.
    usual : float
        Root of the mean square of that scale.
    """

    locations: tuple[str, ...]
    shared: Floats
    own: Floats
    nation: Floats
    scale: Floats
    usual: float


@runtime_checkable
class Linear(Protocol):
    """A fitted model that knows how its log months hang together."""

    def log_months(self, made: Forecast, streams: Streams) -> Sequence[LogMonths]:
        """Of the places that hang together, one each; months as the forecast holds draws of them.

        Parameters
        ----------
        made : Forecast
            As its ``draw`` returned it.
        streams : Streams
            Those it was drawn from.
        """
        ...


def move_together(
    paths: Floats,
    model: LogMonths,
    told: Mapping[str, Told],
    alone: Sequence[str] = (),
) -> Floats:
    """The months of all places in each draw, once some of them are observed.

    Parameters
    ----------
    paths : ndarray, shape (D, L, n)
        Monthly deaths, in the order of the model's locations; NaN where hidden: those stay.
    model : LogMonths
    told : mapping of str to Told
        By location.
    alone : sequence of str
        Of those, the ones that tell of no place but their own.

    Returns
    -------
    ndarray, shape (D, L, n)
        Monthly deaths; exactly those given where nothing is learned.
    """
    logs = logs_of(paths)
    trusted = {s: t for s, t in told.items() if s not in alone}
    shift = _shift(logs, model, trusted)
    for state in alone:
        i = model.locations.index(state)
        shift[:, i] = _shift(logs, model, {**trusted, state: told[state]})[:, i]
    return moved_by(shift, logs, paths)


@dataclass(frozen=True, eq=False)
class _Observed:
    """What is observed of all places in one row: k months, and the covariance of all of it."""

    place: NDArray[np.int_]
    month: NDArray[np.int_]
    values: Floats
    errors: Floats
    usual: Floats  # without the nation's innovations
    loads: Floats
    nation: Floats


def _observed(model: LogMonths, told: Mapping[str, Told]) -> _Observed:
    rows = [model.locations.index(s) for s in told]
    place = np.repeat(rows, [t.at.size for t in told.values()])
    month = np.concatenate([t.at for t in told.values()])
    values, common = (
        np.concatenate([getattr(t, name) for t in told.values()]) for name in ("observed", "common")
    )
    errors = np.concatenate([t.errors for t in told.values()], axis=1)
    alone = np.zeros((place.size, place.size))
    for i, t in zip(rows, told.values()):
        at = place == i
        mine = t.noise - near(t.at) * np.outer(t.common, t.common)
        alone[np.ix_(at, at)] = mine + model.own[i][np.ix_(t.at, t.at)]
    loads, nation = model.shared[place, month], model.nation[place, month]
    usual = loads @ loads.T + near(month) * np.outer(common, common) + alone
    return _Observed(place, month, values, errors, usual, loads, nation)


def apart(paths: Floats, model: LogMonths, told: Mapping[str, Told]) -> dict[str, float]:
    """Files that lie far from what the forecast and all the other files say of their months.

    They are found one after the other, the farthest first: one that is wrong makes others look so.

    Parameters
    ----------
    paths : ndarray, shape (D, L, n)
        Monthly deaths, as they are drawn without.
    model : LogMonths
    told : mapping of str to Told
        By location.

    Returns
    -------
    dict of str to float
        How many standard deviations, more than ``APART``, at the month that is farthest off.
    """
    logs, left, found = logs_of(paths), dict(told), {}
    while left:
        far = _distances(logs, model, left)
        state = max(far, key=lambda s: far[s])
        if far[state] <= APART:
            break
        found[state] = far[state]
        del left[state]
    return found


def _distances(logs: Floats, model: LogMonths, told: Mapping[str, Told]) -> dict[str, float]:
    """How far each file lies from what is expected of it given all the others."""
    seen = _observed(model, told)
    whole = seen.usual + model.usual**2 * seen.nation @ seen.nation.T
    inverse = np.linalg.inv(whole)
    weighed = inverse @ (seen.values - logs[:, seen.place, seen.month].mean(axis=0))
    found = {}
    for state in told:
        mine = seen.place == model.locations.index(state)
        left = np.linalg.inv(inverse[np.ix_(mine, mine)])
        found[state] = float((np.abs(left @ weighed[mine]) / np.sqrt(np.diag(left))).max())
    return found


def _shift(logs: Floats, model: LogMonths, told: Mapping[str, Told]) -> Floats:
    """What Matheron's rule adds to the logs of all months, shape (D, L, n)."""
    if not told:
        return np.zeros_like(logs)
    n_draws, n_loc, n = logs.shape
    seen = _observed(model, told)
    inverse = np.linalg.inv(seen.usual)
    values, vectors = np.linalg.eigh(seen.nation.T @ inverse @ seen.nation)
    values, turned = np.maximum(values, 0.0), seen.nation @ vectors
    weight = (seen.values - logs[:, seen.place, seen.month] - seen.errors) @ inverse
    square = model.scale[:, None] ** 2
    of_nation = (weight @ turned) * (square / (1.0 + square * values))
    weight -= of_nation @ (turned.T @ inverse)
    shift = (weight @ seen.loads) @ model.shared.reshape(n_loc * n, -1).T
    shift += (square * (weight @ seen.nation)) @ model.nation.reshape(n_loc * n, -1).T
    shift = shift.reshape(n_draws, n_loc, n)
    for state, t in told.items():
        i = model.locations.index(state)
        shift[:, i] += weight[:, seen.place == i] @ model.own[i][t.at]
    return shift
