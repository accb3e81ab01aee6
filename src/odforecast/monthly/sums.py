"""Rolling 12-month sums to months, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError

Floats = NDArray[np.float64]


def rolling_sums(months: Floats) -> Floats:
    """12-month-ending sums along the last axis, (..., n) to (..., n - 11); NaN where one is NaN.

    >>> rolling_sums(np.ones(13)).tolist()
    [12.0, 12.0]
    """
    months = np.asarray(months, dtype=float)
    if months.shape[-1] < 12:
        raise DataError(
            f"{months.shape[-1]} months are too few for a 12-month sum",
            hint="give at least 12",
        )
    return np.lib.stride_tricks.sliding_window_view(months, 12, axis=-1).sum(axis=-1)


def recover_months(sums: Floats) -> Floats:
    """Months behind 12-month-ending sums of one vintage, (L, T) to (L, T + 11).

    Column ``i`` is the month 11 before the month of column ``i`` of ``sums``. NaN before the first
    and after the last published sum of a row. Whole numbers where the sums are whole. A DataError
    if a row cannot be made of non-negative months: such sums contradict each other.

    >>> months = np.array([[3, 5, 4, 6, 2, 7, 5, 4, 3, 6, 5, 4, 2, 6.0]])
    >>> bool((rolling_sums(recover_months(rolling_sums(months))) == rolling_sums(months)).all())
    True
    """
    sums = np.asarray(sums, dtype=float)
    if sums.ndim != 2:
        raise DataError(f"sums must be (locations, months), got shape {sums.shape}")
    if np.nanmin(sums, initial=0.0) < 0:
        raise DataError(
            "negative 12-month-ending count", hint="deaths cannot be negative"
        )
    months = np.full((len(sums), sums.shape[1] + 11), np.nan)
    published = ~np.isnan(sums)
    whole = published.all(axis=1)
    if whole.any():
        months[whole] = _recover_complete(sums[whole])
    with_gaps = ~whole & published.any(axis=1)
    for row in np.flatnonzero(with_gaps):
        first, last = np.flatnonzero(published[row])[[0, -1]]
        piece = _fill_gaps(sums[row, first : last + 1])
        months[row, first : last + 12] = _recover_complete(piece[None])[0]
    return months


def _recover_complete(sums: Floats) -> Floats:
    """Months of rows without gaps, shape (L, T) -> (L, T + 11)."""
    partial, bounds, room = constants(sums)
    if (room < 0).any():
        row = int(np.flatnonzero(room < 0)[0])
        raise DataError(
            f"sums of row {row} contradict each other: no non-negative months give them "
            f"(short by {-room[row]:g} deaths)",
            hint="are the sums of one release, and of one definition?",
        )
    excess = _smoothest(partial, bounds, room=room)
    if (sums == np.round(sums)).all():
        excess = round_to_sum(excess, room)
    return chain(bounds + excess, sums)


def chain(first: Floats, sums: Floats) -> Floats:
    """Months from the first twelve and the differences of the sums."""
    n_loc, n_time = sums.shape
    months = np.empty((n_loc, n_time + 11))
    months[:, :12] = first
    steps = np.diff(sums, axis=1)
    for k in range(12):
        months[:, 12 + k :: 12] = first[:, k, None] + np.cumsum(steps[:, k::12], axis=1)
    return months


def constants(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Months less their twelve constants, the least constants, and what is left above those."""
    partial = chain(np.zeros((len(sums), 12)), sums)
    lowest = np.stack([-partial[:, k::12].min(axis=1) for k in range(12)], axis=1)
    room = sums[:, 0] - lowest.sum(axis=1)
    return partial, lowest, room


def spread(values: Floats, total: Floats) -> Floats:
    """Rows of twelve in proportion to ``values`` that add up to ``total``; even where all are 0."""
    value_sums = values.sum(axis=1)
    positive = value_sums > 0
    scale = np.divide(total, value_sums, out=np.zeros_like(total), where=positive)
    in_proportion = values * scale[:, None]
    even = total[:, None] / 12.0
    return np.where(positive[:, None], in_proportion, even)


def windows(sums: Floats) -> Floats:
    """The months that each published sum of a row adds up: a row of 0 and 1 each."""
    published = np.flatnonzero(~np.isnan(sums))
    after = np.arange(sums.size + 11) - published[:, None]
    within = (after >= 0) & (after < 12)
    return within.astype(float)


def _smoothest(partial: Floats, bounds: Floats, room: Floats) -> Floats:
    """Constants above their bounds, adding to ``room``, that make the months smoothest."""
    at = np.arange(partial.shape[1]) % 12
    design = np.diff(np.eye(12)[at], axis=0)
    target = -np.diff(partial + bounds[:, at], axis=1)
    # Constants of a short series that no difference joins stay close to each other.
    ridge = 1e-6 * (np.eye(12) - 1.0 / 12.0)
    kkt = np.zeros((13, 13))
    kkt[:12, :12] = design.T @ design + ridge
    kkt[12, :12] = 1.0
    kkt[:12, 12] = 1.0
    right = np.concatenate([target @ design, room[:, None]], axis=1)
    solution = np.linalg.solve(kkt, right.T).T[:, :12]
    negative = (solution < 0).any(axis=1)
    for row in np.flatnonzero(negative):
        from scipy.optimize import (
            nnls,
        )  # a quarter of the time that importing forecasts takes

        weight = 1e3 * max(1.0, float(np.abs(target[row]).max()))
        rows = np.vstack([design, np.full((1, 12), weight)])
        values = np.append(target[row], weight * room[row])
        solution[row] = nnls(rows, values)[0]
    # The weighted rows hold the sum only nearly: put the rest where there is most room.
    return spread(solution, room)


def round_to_sum(values: Floats, total: Floats) -> Floats:
    """Whole numbers close to ``values`` whose rows add up to ``total`` (largest remainder)."""
    floor = np.floor(values)
    short = np.round(total - floor.sum(axis=1)).astype(int)
    order = np.argsort(-(values - floor), axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    n_values = values.shape[1]
    steps = (short[:, None] - rank + n_values - 1) // n_values
    return np.asarray(floor + steps)


def _fill_gaps(sums: Floats) -> Floats:
    """Fill missing sums inside a row so that the months are smooth and non-negative."""
    from scipy.optimize import nnls

    published = ~np.isnan(sums)
    published_sums = sums[published]
    n = sums.size + 11
    smooth = np.diff(np.eye(n), axis=0)
    weight = 1e3
    design = np.vstack([weight * windows(sums), smooth])
    target = np.concatenate([weight * published_sums, np.zeros(n - 1)])
    months, _ = nnls(design, target, maxiter=50 * n)
    filled = rolling_sums(months)
    if (published_sums == np.round(published_sums)).all():
        filled = np.round(filled)
    filled[published] = published_sums
    return filled
