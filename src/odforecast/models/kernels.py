"""Compiled parts of the classical models."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.panel import Floats


# Nothing may be reordered or joined here: a path is the same, bit for bit, in any batch.
@nb.njit(cache=True, error_model="numpy")
def theta_paths(
    start: Floats,
    length: NDArray[np.int64],
    dynamic: NDArray[np.bool_],
    power: Floats,
    out: Floats,
) -> None:
    """Paths of Theta models: the recursions of Fiorucci et al. (2016), section 3."""
    # `start` (S, 6) holds level, mean, intercept and slope after the last observation, alpha and
    # theta; `power` (S, H + 1) is `(1 - alpha)` to the power of `length` and on. `out` (S,
    # D, H) holds errors, and is overwritten with the paths.
    n_series, n_draws, horizon = out.shape
    for s in range(n_series):
        alpha, theta = start[s, 4], start[s, 5]
        keep = 1.0 - alpha
        weight = 1.0 - 1.0 / theta
        for d in range(n_draws):
            level, mean, a, b = start[s, 0], start[s, 1], start[s, 2], start[s, 3]
            for h in range(horizon):
                i = float(length[s] + h)
                line = a * power[s, h] + b * (1.0 - power[s, h + 1]) / alpha
                y = level + weight * line + out[s, d, h]
                out[s, d, h] = y
                level = alpha * y + keep * level
                if dynamic[s]:
                    b = ((i - 1.0) * b + 6.0 * (y - mean) / (i + 1.0)) / (i + 2.0)
                    mean = (i * mean + y) / (i + 1.0)
                    a = mean - b * (i + 2.0) / 2.0


@nb.njit(cache=True, error_model="numpy")
def walk_paths(
    level: Floats,
    slope: Floats,
    state: Floats,
    turn: Floats,
    observe: Floats,
    gain: Floats,
    out: Floats,
) -> None:
    """Paths of linear innovations state spaces whose state is one number: random walks."""
    # `slope` is (S, D), the others (S,); `out` (S, D, H) holds errors, and is overwritten with
    # the paths.
    n_series, n_draws, horizon = out.shape
    for s in range(n_series):
        for d in range(n_draws):
            now = state[s]
            for h in range(horizon):
                error = out[s, d, h]
                line = level[s] + slope[s, d] * float(h + 1)
                out[s, d, h] = line + (now * observe[s] + error)
                now = now * turn[s] + error * gain[s]


@nb.njit(cache=True, error_model="numpy")
def linear_step(
    state: Floats, gain: Floats, observe: Floats, errors: Floats, h: int, out: Floats
) -> None:
    """Step ``h`` of linear innovations state spaces of two numbers, after the transition."""
    # The last error is added to `state` (S, D, 2) in place, and what is observed to `out` (S,
    # D, H); `gain` and `observe` are (S, 2).
    n_series, n_draws, _ = state.shape
    for s in range(n_series):
        for d in range(n_draws):
            before = errors[s, d, h - 1]
            state[s, d, 0] += before * gain[s, 0]
            state[s, d, 1] += before * gain[s, 1]
            seen = state[s, d, 0] * observe[s, 0] + state[s, d, 1] * observe[s, 1]
            out[s, d, h] += seen + errors[s, d, h]


@nb.njit(cache=True, error_model="numpy")
def quantiles_at(
    ordered: Floats, size: NDArray[np.int64], factor: Floats, levels: Floats, out: Floats
) -> None:
    """Quantiles of sorted values, interpolated as ``numpy.quantile`` does, times a factor."""
    # The first `size[h]` of each row of `ordered` (H, G, N) are values in order; `levels` are
    # (G, D), `out` (D, G, H).
    n_draws, n_series, horizon = out.shape
    for d in range(n_draws):
        for g in range(n_series):
            for h in range(horizon):
                last = size[h] - 1
                at = last * levels[g, d]
                low = int(np.floor(at))
                share = at - low
                if low >= last:
                    value = ordered[h, g, last]
                else:
                    under, over = ordered[h, g, low], ordered[h, g, low + 1]
                    step = over - under
                    # From the nearer end, as numpy does.
                    value = under + step * share if share < 0.5 else over - step * (1.0 - share)
                out[d, g, h] = factor[h] * value
