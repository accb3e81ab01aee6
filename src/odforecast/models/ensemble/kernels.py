"""Compiled parts of the ensemble: the slope of the quantile score, added up as numpy does."""

from __future__ import annotations

import numba as nb
import numpy as np

from odforecast.panel import Floats


# The order of the sums is numpy's, to the last bit: weights are learned in two hundred steps, and
# the draws of an ensemble must not change with how it is compiled.
@nb.njit(cache=True)
def score_slopes(
    values: Floats, pooled: Floats, truth: Floats, levels: Floats, out: Floats
) -> None:
    """Sums of ``slope * values`` over units and levels, by member."""
    # values (N, M, Q); pooled (N, Q); truth (N,); levels (Q,), Q from 8 to 128; out (M,)
    n_units, n_members, n_levels = values.shape
    whole = n_levels - n_levels % 8
    slope = np.empty(n_levels)
    r = np.empty(8)
    out[:] = 0.0
    for n in range(n_units):
        for q in range(n_levels):
            slope[q] = 1.0 - levels[q] if truth[n] < pooled[n, q] else -levels[q]
        for m in range(n_members):
            for k in range(8):
                r[k] = slope[k] * values[n, m, k]
            for q in range(8, whole, 8):
                for k in range(8):
                    r[k] += slope[q + k] * values[n, m, q + k]
            total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
            for q in range(whole, n_levels):
                total += slope[q] * values[n, m, q]
            out[m] += total
