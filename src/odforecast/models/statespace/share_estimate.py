"""Estimate the numbers of a drug class's share, and of what arrives late of it, from months alone.

The scales are those of the penalised likelihood of the share's own filter, the late ratio that of
real releases; neither sees a forecast score. ``make constants`` runs this with the estimates of
:mod:`odforecast.models.statespace.estimate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from odforecast.models.statespace.estimate import curvature
from odforecast.models.statespace.share_inputs import Inputs, ShareScales
from odforecast.models.statespace.tail import Z90, Number
from odforecast.panel import Floats

#: Priors of the share's scales: as :data:`odforecast.models.statespace.estimate.PRIORS`, set before
#: any estimate was made.
SHARE_PRIORS = {
    "own": (0.05, 1.0),
    "us": (0.03, 1.0),
    "slope": (0.003, 1.0),
    "damp": (0.95, 1.5),
    "noise": (0.1, 1.0),
    "pull": (1.0, 1.0),
}
#: Releases taken to have been seen beforehand, with late arrivals as those of all drugs.
LATE_PRIOR, LATE_PRIOR_SD = 3.0, 0.15
#: Late deaths of a class that must be expected of a location for it to tell of its own ratio.
LATE_MANY = 10.0


def estimate_share(inputs: Inputs) -> dict[str, Number]:
    """Scales of the share of a drug class, by the penalised likelihood of its filter.

    Parameters
    ----------
    inputs : Inputs
        Months of the class and of all drugs that are complete.
    """
    names = tuple(SHARE_PRIORS)
    centre = np.array([_line(n, c) for n, (c, _) in SHARE_PRIORS.items()])
    sd = np.array([s for _, s in SHARE_PRIORS.values()])

    def value(u: Floats) -> float:
        theta = {n: _natural(n, v) for n, v in zip(names, u, strict=True)}
        scales = ShareScales(**theta, late=1.0, late_shared=1e-6, late_own=0.0)
        return inputs.filtered(scales)[2] - 0.5 * float((((u - centre) / sd) ** 2).sum())

    def lost(u: Floats) -> float:
        return -value(u)

    bounds = [(float(c) - 4.0, float(c) + 4.0) for c in centre]
    best = minimize(lost, centre, method="L-BFGS-B", jac="3-point", bounds=bounds)
    u = np.asarray(best.x, dtype=float)
    _, hessian = curvature(value, u)
    root, axes = np.linalg.eigh(-hessian)
    spread = np.sqrt(((axes**2) / np.maximum(root, 0.5 / sd.max() ** 2)).sum(axis=1))
    method = "penalised maximum likelihood of the share's filter"
    out = {}
    for n, v, half in zip(names, u, Z90 * spread, strict=True):
        value_of, low, high = (_natural(n, float(x)) for x in (v, v - half, v + half))
        out[n] = Number(value_of, low, high, "estimated", method)
    return out


def _line(name: str, value: float) -> float:
    if name == "pull":
        return value
    return float(np.log(value / (1.0 - value)) if name == "damp" else np.log(value))


def _natural(name: str, u: float) -> float:
    if name == "pull":
        return float(u)
    return float(1.0 / (1.0 + np.exp(-u)) if name == "damp" else np.exp(u))


def estimate_late(
    nation: Sequence[float], own: Sequence[tuple[Floats, Floats]]
) -> dict[str, Number]:
    """Late arrivals of a class against its share of those of all drugs.

    Parameters
    ----------
    nation : sequence of float
        One ratio per release.
    own : sequence of pair of ndarray
        Per release, by location: late arrivals of the class, and its share of those of all drugs.

    Returns
    -------
    dict of str to Number
        ``late`` and ``late_shared`` as if :data:`LATE_PRIOR` more releases had been seen, about 1;
        ``late_own`` from what single locations differ by beyond chance.
    """
    ratios = np.array(nation)
    n = ratios.size + LATE_PRIOR
    mean = float((ratios.sum() + LATE_PRIOR) / n)
    square = ((ratios - mean) ** 2).sum() + LATE_PRIOR * (LATE_PRIOR_SD**2 + (1.0 - mean) ** 2)
    shared = float(np.sqrt(square / n))
    method = f"late arrivals of {ratios.size} releases, and {LATE_PRIOR:.0f} of a prior about 1"
    up = down = pairs = 0.0
    for late, expected in own:
        total = late.sum() / expected.sum() if expected.sum() > 0 else 1.0
        big = expected > LATE_MANY
        off = late[big] - total * expected[big]
        # Beyond chance: of so many late deaths of all drugs, the class's are binomial.
        up += float((off**2 - 0.4 * expected[big]).sum())
        down += float((expected[big] ** 2).sum())
        pairs += float(big.sum())
    spread = float(np.sqrt(max(up / down, 0.05**2))) if down else 0.3

    def spread_of(value: float, seen: float, how: str) -> Number:
        half = float(np.exp(Z90 / np.sqrt(2.0 * max(seen, 1.0))))
        return Number(value, value / half, value * half, "estimated", how)

    error = Z90 * shared / np.sqrt(n)
    return {
        "late": Number(mean, mean - error, mean + error, "estimated", method),
        "late_shared": spread_of(shared, n, method),
        "late_own": spread_of(spread, pairs, f"{pairs:.0f} counts of single locations"),
    }
