"""Estimate the numbers of a drug class's share, and of what arrives late of it, from months alone.

The scales are those of the penalised likelihood of the share's own filter, the late ratio that of
real releases; neither sees a forecast score. ``make constants`` runs this with the estimates of
:mod:`dlm_estimate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from dlm_estimate import Z90, Number, curvature
from scipy.optimize import minimize

from odforecast.models.statespace.share import Inputs, ShareScales
from odforecast.panel import Floats

#: Priors of the share's scales: as :data:`dlm_estimate.PRIORS`, set before
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
#: Releases that tell of a class's ratio, and counts of single locations that tell of its spread:
#: with fewer, the other classes' are taken.
FEW_RELEASES, FEW_COUNTS = 2, 10
#: What all locations share of a class is one path of a few years, which tells little of how far it
#: may turn: these are pooled over the classes. T40.4 keeps its own, which were there before.
POOLED = ("us", "slope", "damp")
KEEPS_ITS_OWN = "T40.4"
#: Numbers whose mean over classes is that of the numbers themselves: the others are spreads, and
#: a damping.
_PLAIN = ("pull", "late")


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
    if name in _PLAIN:
        return value
    return float(np.log(value / (1.0 - value)) if name == "damp" else np.log(value))


def _natural(name: str, u: float) -> float:
    if name in _PLAIN:
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
        ``late_own`` from what single locations differ by beyond chance. What too few releases or
        counts tell of is left out: see :func:`filled`.
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
    spread = float(np.sqrt(max(up / down, 0.05**2))) if down else 0.0

    def spread_of(value: float, seen: float, how: str) -> Number:
        half = float(np.exp(Z90 / np.sqrt(2.0 * max(seen, 1.0))))
        return Number(value, value / half, value * half, "estimated", how)

    error = Z90 * shared / np.sqrt(n)
    out = {}
    if ratios.size >= FEW_RELEASES:
        out["late"] = Number(mean, mean - error, mean + error, "estimated", method)
        out["late_shared"] = spread_of(shared, n, method)
    if pairs >= FEW_COUNTS:
        out["late_own"] = spread_of(spread, pairs, f"{pairs:.0f} counts of single locations")
    return out


def pooled(found: Mapping[str, Mapping[str, Number]]) -> dict[str, dict[str, Number]]:
    """The classes with what all locations share taken as the mean over classes.

    Classes one by one, heroin's shared slope to 2020-05 was next to none, and the forecasts from
    2021 missed its fall; pooled was chosen on origins and releases to 2020-12.

    Parameters
    ----------
    found : mapping of str to mapping of str to Number
        By class, what was estimated of each.

    Returns
    -------
    dict of str to dict of str to Number
        Means of spreads are those of their logs, of a damping of its log-odds, each with the
        interval of the mean; marked ``pooled``. :data:`KEEPS_ITS_OWN` is as it was.

    Examples
    --------
    >>> one, two = (Number(x, x / 2, 2 * x, "estimated", "") for x in (0.01, 0.04))
    >>> number = pooled({"cocaine": {"us": one}, "T40.4": {"us": two}})["cocaine"]["us"]
    >>> round(number.value, 4), number.how, number.method
    (0.02, 'pooled', 'mean of 2 classes: its own 0.01 [0.005, 0.02]')
    """
    out = {short: dict(numbers) for short, numbers in found.items()}
    for name in POOLED:
        of = [_line(name, numbers[name].value) for numbers in found.values() if name in numbers]
        if len(of) < 2:
            continue
        mean, error = float(np.mean(of)), Z90 * float(np.std(of, ddof=1) / np.sqrt(len(of)))
        value, low, high = (_natural(name, u) for u in (mean, mean - error, mean + error))
        for short, numbers in found.items():
            if name in numbers and short != KEEPS_ITS_OWN:
                own = numbers[name]
                method = (
                    f"mean of {len(of)} classes: its own {own.value:.2g} "
                    f"[{own.low:.2g}, {own.high:.2g}]"
                )
                out[short][name] = Number(value, low, high, "pooled", method)
    return out


def filled(found: Mapping[str, Mapping[str, Number]]) -> dict[str, dict[str, Number]]:
    """Every class with every number that any class has: where its own is missing, the others' mean.

    Parameters
    ----------
    found : mapping of str to mapping of str to Number
        By class, what could be estimated.

    Returns
    -------
    dict of str to dict of str to Number
        Means of spreads are those of their logs, of a damping of its log-odds; marked ``assumed``.

    Examples
    --------
    >>> one = Number(1.2, 1.1, 1.3, "estimated", "late arrivals of 9 releases")
    >>> number = filled({"cocaine": {"late": one}, "heroin": {}})["heroin"]["late"]
    >>> number.value, number.how, number.method
    (1.2, 'assumed', 'mean of 1 other class: too few releases of its own')
    """
    names = dict.fromkeys(name for numbers in found.values() for name in numbers)
    out: dict[str, dict[str, Number]] = {}
    for short, numbers in found.items():
        out[short] = {}
        for name in names:
            if name in numbers:
                out[short][name] = numbers[name]
                continue
            others = [_line(name, of[name].value) for of in found.values() if name in of]
            value = _natural(name, float(np.mean(others)))
            classes = f"{len(others)} other class" + ("es" if len(others) > 1 else "")
            method = f"mean of {classes}: too few releases of its own"
            out[short][name] = Number(value, np.nan, np.nan, "assumed", method)
    return out
