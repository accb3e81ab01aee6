"""Months of many places moved together to what is observed of some; exact where these are linear.

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
from odforecast.models.own.move import Told, logs_of, moved_by, near
from odforecast.panel import Floats
from odforecast.seeds import Streams

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
