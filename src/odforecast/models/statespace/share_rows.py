"""Months of a part and of its whole on one grid, on pins that make one a share of the other."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from odforecast.models.statespace.pins import FORGET
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Floats

#: Months before the forecast that stand in it: those of the nowcast, and eleven before.
SHOWN = 23
#: Sd of the log-odds a month that the constants let the share move by; as the pins of the model.
WALK = 0.06


def _ratio(parts: Floats, wholes: Floats) -> Floats:
    """Share in the twelve months around each, the ends repeated, shape (L, T)."""
    known = rolling_sums(parts)
    share = (np.nan_to_num(known) + 0.5) / (np.maximum(rolling_sums(wholes), 1.0) + 1.0)
    at = np.arange(parts.shape[1]) - 6
    first = (~np.isnan(known)).argmax(axis=1)
    column = np.clip(at, first[:, None], share.shape[1] - 1)
    return np.clip(np.take_along_axis(share, column, axis=1), 0.005, 0.995)


def _into(values: Floats, low: Floats, high: Floats) -> Floats:
    """The nearest values within bounds that add up to zero, row by row."""
    least = (values - high).min(axis=1)
    most = (values - low).max(axis=1)
    for _ in range(60):
        middle = 0.5 * (least + most)
        above = np.minimum(np.maximum(values - middle[:, None], low), high).sum(axis=1) > 0
        least, most = np.where(above, middle, least), np.where(above, most, middle)
    return np.asarray(np.clip(values - (0.5 * (least + most))[:, None], low, high))


def _rounded(values: Floats) -> Floats:
    """Whole numbers next to values that add up to zero, which do so too.

    Examples
    --------
    >>> _rounded(np.array([[0.4, 0.4, -0.8]])).tolist()
    [[1.0, 0.0, -1.0]]
    """
    near = np.round(values)
    values = np.where(np.abs(values - near) < 1e-6, near, values)
    floor = np.floor(values)
    rank = np.argsort(np.argsort(floor - values, axis=1, kind="stable"), axis=1)
    return np.asarray(floor + (rank < -floor.sum(axis=1, keepdims=True)))


@dataclass(frozen=True)
class _Rows:
    """Months of a part and of its whole on one grid, (L, T), a row per unit.

    ``parts`` and ``wholes`` are completed by what is expected to arrive ``late``; ``parts`` are
    NaN up to the last gap, and on their pins. ``shown`` are the last of them as reported;
    ``possible`` says where whole months between none and all of the whole's could be found.
    """

    parts: Floats
    wholes: Floats
    late: Floats
    shown: Floats
    possible: NDArray[np.bool_]

    def at(self, keep: NDArray[np.intp]) -> _Rows:
        """Some of the rows."""
        return _Rows(*(getattr(self, f.name)[keep] for f in fields(self)))

    def under(self, other: _Rows) -> _Rows:
        """These rows, and the other's after them."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return _Rows(*(np.concatenate(pair) for pair in pairs))


def _rows(parts: Floats, wholes: Floats, added: Floats, ratio: float) -> _Rows:
    """Rows from months as reported, and the late arrivals expected of the whole."""
    from odforecast.models.statespace.share_kernels import share_equations

    n = parts.shape[1]
    there = ~np.isnan(parts + wholes)
    gap = np.where(there.all(axis=1), 0, n - there[:, ::-1].argmin(axis=1))
    parts = np.where(np.arange(n) < gap[:, None], np.nan, parts)
    wholes = np.nan_to_num(wholes)
    year = slice(-12, None)
    up, down = parts[:, year].sum(axis=1), wholes[:, year].sum(axis=1)
    late = ratio * np.clip(up / np.maximum(down, 1.0), 0.0, 1.0)[:, None] * added
    full = np.maximum(wholes + added, 0.0)
    complete = np.clip(parts + late, None, full)
    # The constants under which the part most looks like a slowly moving share of the whole.
    left, right = share_equations(complete, full, _ratio(complete, full), WALK**2, FORGET)
    kkt = np.zeros((len(left), 13, 13))
    kkt[:, :12, :12] = left + 1e-12 * np.eye(12)
    kkt[:, 12, :12] = kkt[:, :12, 12] = 1.0
    target = np.concatenate([right, np.zeros((len(right), 1))], axis=1)
    found = np.linalg.solve(kkt, target[..., None])[:, :12, 0]
    # Whole deaths, and in the last months between none and all.
    calendar = np.arange(n) % 12
    low, high = np.empty(found.shape), np.empty(found.shape)
    for k in range(12):
        last = np.flatnonzero(calendar == k)[-2:]
        low[:, k] = -parts[:, last].min(axis=1)
        high[:, k] = (wholes - parts)[:, last].min(axis=1)
    possible = (low <= high).all(axis=1) & (low.sum(axis=1) <= 0) & (high.sum(axis=1) >= 0)
    constants = found.copy()
    constants[possible] = _into(found[possible], low[possible], high[possible])
    bounds = np.concatenate([low, high], axis=1)
    whole = possible & (bounds == np.round(bounds)).all(axis=1)
    constants[whole] = _rounded(constants[whole])
    pins = constants[:, calendar]
    return _Rows(
        parts=np.clip(complete + pins, 0.0, full),
        wholes=full,
        late=late,
        shown=(parts + pins)[:, -SHOWN:],
        possible=possible,
    )
