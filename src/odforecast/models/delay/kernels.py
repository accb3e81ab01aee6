"""Compiled parts of the delay layer: late arrivals put together in one pass."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.panel import Floats


# Nothing may be reordered or joined here: sums over these draws must not change in the last bit.
@nb.njit(cache=True)
def late_arrivals(
    late: Floats,
    revised: Floats,
    noise: Floats,
    year: Floats,
    cut: Floats,
    old: Floats,
    late_error: Floats,
    revision: Floats,
    old_error: Floats,
    single: NDArray[np.float32],
    changed: Floats,
    size: Floats,
    chance: Floats,
    out: Floats,
) -> None:
    """Deaths that arrive late in every draw: ``late (1 + error) + …``, month by month.

    Deaths are whole: their running sum is rounded up or down by chance, so that every sum of
    months is right on average.

    Parameters
    ----------
    late, revised, noise, year, cut, old : ndarray, shape (L, SPAN)
        As in :class:`~odforecast.models.delay.deficit.Deficit`, of the locations that are drawn.
    late_error, revision : ndarray, shape (D, L)
        Errors that all months of a location share.
    old_error : ndarray, shape (D,)
        Error that all locations share in their months more than a year old.
    single : ndarray, shape (L, D, OPEN)
        Errors of single months, the last ones.
    changed, size : ndarray, shape (L, D)
        Change of the closed year, as a share of its count, and how often its average cut.
    chance : ndarray, shape (L, D)
        From 0 to 1: how far the running sum is raised before it is rounded down.
    out : ndarray, shape (D, L, SPAN)
        Overwritten.
    """
    n_draws, n_loc, span = out.shape
    begin = span - single.shape[2]
    for d in range(n_draws):
        for i in range(n_loc):
            more = 1.0 + late_error[d, i]
            shift, moved, lost = revision[d, i], changed[i, d], size[i, d]
            run, before = chance[i, d], 0.0
            for j in range(span):
                value = late[i, j] * more
                value += revised[i, j] * shift
                if j >= begin:
                    value += noise[i, j] * single[i, d, j - begin]
                value += moved * year[i, j]
                value -= lost * cut[i, j]
                value += old_error[d] * old[i, j]
                run += value
                out[d, i, j] = np.floor(run) - before
                before = np.floor(run)
