"""Estimate the numbers that the ``dlm`` carries, from months alone: arrays in, numbers out.

In three steps, none of which sees a forecast score:

1. the scales, by the filter's own log likelihood with the weak penalty :data:`PRIORS`;
2. how the pins forget and how fast they let the level move, by the likelihood of each next
   month given the months before it (:data:`PIN_GRID`), and the scales once more under them;
3. the tail of the nation's innovations, by a Student-t fit to its one-step innovations.

``make constants`` runs this on dated spans of the bundled release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import t as student

from odforecast.errors import PanelError
from odforecast.models.spec import MIN_MONTHS
from odforecast.models.statespace.kalman import (
    COMPLETE,
    Scales,
    kalman,
    prior,
    repin,
    rough_level,
    years_averaged,
)
from odforecast.panel import Floats

_NOTHING_LATE = (COMPLETE, COMPLETE, COMPLETE)
#: Normal priors on the log of a scale, or the logit of a damping: centre on the natural
#: scale, sd on the transformed one. Round values, the same for own, region and nation; set
#: before any of the estimates was made, and not changed since.
PRIORS = {
    "level_own": (0.03, 1.0),
    "level_region": (0.03, 1.0),
    "level_us": (0.03, 1.0),
    "slope_us": (0.002, 1.0),
    "damp_us": (0.9, 1.5),
    "noise": (0.05, 1.0),
    "shock": (0.01, 1.0),
}
#: Names of the filter's scales, in its order.
NAMES = tuple(f.name for f in fields(Scales))
assert tuple(PRIORS) == NAMES
_CENTRE = np.array([centre for centre, _ in PRIORS.values()])
_SD = np.array([sd for _, sd in PRIORS.values()])
_LOGIT = np.array([name.startswith("damp") for name in NAMES])

#: Values tried for the pins, with flat weight on this logarithmic grid.
PIN_GRID = {
    "level_variance": (0.00003, 0.00006, 0.000125, 0.00025, 0.0005, 0.001, 0.002, 0.004),
    "forget": (0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4),
}
#: The pins that the first estimate of the scales starts from.
PIN_START = (0.001, 0.2)
#: Next months predicted to compare pins: at most this many, the last ones.
PIN_MONTHS = 36

#: Degrees of freedom tried; the last stands for a normal.
TAIL_GRID = np.geomspace(1.5, 200.0, 80)

#: Kept where the data cannot tell.
ASSUMED = {"tail_df": 5.0}

#: A 90% interval is this many sd either way.
Z90 = 1.6448536269514722


@dataclass(frozen=True)
class Number:
    """One constant: its value, its 90% interval, and how it was come by.

    Attributes
    ----------
    value, low, high : float
        NaN bounds where there is no interval.
    how : {"estimated", "assumed"}
    method : str
    """

    value: float
    low: float
    high: float
    how: str
    method: str


@dataclass(frozen=True)
class Counts:
    """Months of some locations.

    Attributes
    ----------
    months : ndarray, shape (L, n)
        Monthly deaths on any pins, oldest first, without gaps.
    region : ndarray of int, shape (L,)
        Region of each location.
    lengths : ndarray, shape (n,)
        Of the months (:func:`odforecast.months.month_lengths`).
    """

    months: Floats
    region: NDArray[np.int64]
    lengths: Floats

    def __post_init__(self) -> None:
        if np.isnan(self.months).any() or self.months.shape[1] < MIN_MONTHS:
            raise PanelError(f"{MIN_MONTHS} months without gaps are needed to estimate scales")

    def pins(self, level_variance: float, forget: float) -> Floats:
        """The model's constants of the calendar months, shape (L, 12)."""
        return repin(
            self.months,
            rough_level(self.months),
            self.lengths,
            level_variance=level_variance,
            forget=forget,
        )

    def pinned(self, level_variance: float, forget: float) -> tuple[Floats, Floats]:
        """Deaths a mean month on the model's pins, and the years a pin averages, shape (L,)."""
        n_loc, n = self.months.shape
        pins = self.pins(level_variance, forget)
        months = np.maximum(self.months + pins[:, np.arange(n) % 12], 0.0) / self.lengths
        return months, years_averaged(np.full(n_loc, float(n)), forget=forget)

    def until(self, stop: int) -> Counts:
        """The first months only."""
        return Counts(self.months[:, :stop], self.region, self.lengths[:stop])


def to_line(theta: Floats) -> Floats:
    """Scales to the real line: logs, and logits of the dampings."""
    theta = np.asarray(theta, dtype=float)
    return np.where(_LOGIT, np.log(theta / np.where(_LOGIT, 1.0 - theta, 1.0)), np.log(theta))


def from_line(u: Floats) -> Floats:
    """The inverse of :func:`to_line`.

    Examples
    --------
    >>> bool(np.allclose(from_line(to_line(_CENTRE)), _CENTRE))
    True
    """
    power = np.exp(np.clip(u, -30.0, 30.0))
    return np.where(_LOGIT, power / (1.0 + power), power)


def penalised(counts: Counts, pins: tuple[float, float]) -> Callable[[Floats], float]:
    """Log likelihood of the filter plus log prior, as a function on the real line.

    Parameters
    ----------
    counts : Counts
    pins : (float, float)
        Level variance and forgetting of the pins, held fixed.

    Returns
    -------
    callable
        Takes the numbers of :func:`to_line`; up to a constant.
    """
    months, years = counts.pinned(*pins)
    share = 1.0 - 1.0 / np.maximum(years, 1.01)
    centre = to_line(_CENTRE)

    def value(u: Floats) -> float:
        theta = from_line(u)
        mean, cov = prior(months, theta)
        loglik = kalman(months, counts.region, theta, mean, cov, share, 0, *_NOTHING_LATE)
        return float(loglik - 0.5 * (((u - centre) / _SD) ** 2).sum())

    return value


def curvature(
    value: Callable[[Floats], float], u: Floats, step: float = 0.05
) -> tuple[Floats, Floats]:
    """Gradient and Hessian by central differences."""
    n = u.size
    moves = step * np.eye(n)
    here = value(u)
    up = np.array([value(u + move) for move in moves])
    down = np.array([value(u - move) for move in moves])
    hessian = np.diag((up - 2.0 * here + down) / step**2)
    for i in range(n):
        for j in range(i):
            both = value(u + moves[i] + moves[j]) + value(u - moves[i] - moves[j])
            crossed = value(u + moves[i] - moves[j]) + value(u - moves[i] + moves[j])
            hessian[i, j] = hessian[j, i] = (both - crossed) / (4.0 * step**2)
    return (up - down) / (2.0 * step), hessian


def estimate_scales(
    counts: Counts, pins: tuple[float, float], start: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Penalised maximum of the filter's likelihood.

    Parameters
    ----------
    counts : Counts
    pins : (float, float)
        Level variance and forgetting of the pins.
    start : ndarray, shape (7,), optional
        Default: the centres of the priors.

    Returns
    -------
    theta, low, high : ndarray, shape (7,)
        In the order of :data:`NAMES`; 90% intervals from the curvature at the maximum.
    """
    value = penalised(counts, pins)
    u = to_line(_CENTRE if start is None else start)

    def lost(x: Floats) -> float:
        return -value(x)

    found = minimize(lost, u, method="L-BFGS-B", jac="3-point", options={"maxfun": 20_000})
    u = np.asarray(found.x, dtype=float)
    for _ in range(3):  # Newton: flat directions stop L-BFGS early
        gradient, hessian = curvature(value, u)
        root, axes = np.linalg.eigh(-hessian)
        root = np.maximum(root, 0.5 / _SD.max() ** 2)  # no flatter than half the prior
        step = axes @ ((axes.T @ gradient) / root)
        if np.abs(step).max() < 1e-3 or value(u + step) <= value(u):
            break
        u = u + step
    sd = np.sqrt(((axes**2) / root).sum(axis=1))
    return from_line(u), from_line(u - Z90 * sd), from_line(u + Z90 * sd)


def next_month(counts: Counts, pins: tuple[float, float], theta: Floats) -> float:
    """Log density of all locations' last month given the months before it.

    The pins too are those of the months before; the counts need not be on any pins.
    """
    before = counts.until(-1)
    months, years = before.pinned(*pins)
    n_loc, n = months.shape
    mean, cov = prior(months, theta)
    share = 1.0 - 1.0 / np.maximum(years, 1.01)
    kalman(months, counts.region, theta, mean, cov, share, 0, *_NOTHING_LATE)
    own, region, nation, _, _, extra, shock = theta
    move = np.eye(n_loc, mean.size)
    move[:, n_loc] = 1.0
    expected = np.exp(move @ mean)
    spread = move @ cov @ move.T + own**2 * np.eye(n_loc) + nation**2 + shock**2
    spread += region**2 * np.equal.outer(counts.region, counts.region)
    spread += np.diag((extra**2 + 1.0 / expected) * (1.0 + 1.0 / years))
    pin = before.pins(*pins)[:, n % 12]  # of the calendar month to come
    error = ((counts.months[:, -1] + pin) / counts.lengths[-1] - expected) / expected
    large = error > 1.0
    error[large] = 1.0 + np.log(error[large])
    root = np.linalg.cholesky(spread)
    white = np.linalg.solve(root, error)
    return float(-0.5 * white @ white - np.log(np.diag(root)).sum() - np.log(expected).sum())


def estimate_pins(counts: Counts, theta: Floats) -> tuple[Number, Number]:
    """Level variance and forgetting of the pins, by the likelihood of each next month.

    Returns
    -------
    level_variance, forget : Number
        The best pair of :data:`PIN_GRID`; the interval is that of the posterior on the grid,
        and ends at its edges.
    """
    n = counts.months.shape[1]
    stops = range(max(MIN_MONTHS + 1, n - PIN_MONTHS + 1), n + 1)
    grids = [np.array(grid) for grid in PIN_GRID.values()]
    score = np.zeros([grid.size for grid in grids])
    for at in np.ndindex(*score.shape):
        pins = (float(grids[0][at[0]]), float(grids[1][at[1]]))
        score[at] = sum(next_month(counts.until(stop), pins, theta) for stop in stops)
    weight = np.exp(score - score.max())
    best = np.unravel_index(int(score.argmax()), score.shape)
    numbers = []
    for axis, grid in enumerate(grids):
        mass = np.cumsum(weight.sum(axis=1 - axis)) / weight.sum()
        low, high = grid[np.searchsorted(mass, 0.05)], grid[np.searchsorted(mass, 0.95)]
        method = f"likelihood of the next month, the last {len(stops)}"
        numbers.append(Number(grid[best[axis]], low, high, "estimated", method))
    return numbers[0], numbers[1]


def national_innovations(months: Floats, region: NDArray[np.int64], theta: Floats) -> Floats:
    """Standardised one-step innovations of the nation's log months, after a year.

    Parameters
    ----------
    months : ndarray, shape (L, n)
    region : ndarray of int, shape (L,)
    theta : ndarray, shape (7,)
        Scales of the filter: own and regional innovations average out in the nation.
    """
    level_own, level_region, level_us, slope_us, damp_us, extra, shock = theta
    total = months.sum(axis=0)
    share = months.sum(axis=1) / months.sum()
    square = float((share**2).sum())
    by_region = np.bincount(region, weights=share)
    level = level_own**2 * square + level_region**2 * float((by_region**2).sum()) + level_us**2
    noise = 1.0 / total + extra**2 * square + shock**2
    move = np.array([[1.0, 1.0], [0.0, damp_us]])
    mean = np.array([np.log(total[0]), 0.0])
    settled = min(slope_us**2 / (1.0 - damp_us**2), 4e-4)
    cov = np.diag([noise[0], settled])
    out = np.empty(total.size)
    for t in range(1, total.size):
        mean = move @ mean
        cov = move @ cov @ move.T + np.diag([level, slope_us**2])
        variance = cov[0, 0] + noise[t]
        error = np.log(total[t]) - mean[0]
        out[t] = error / np.sqrt(variance)
        gain = cov[:, 0] / variance
        mean = mean + gain * error
        cov = cov - np.outer(gain, cov[0])
    return out[12:]


def estimate_tail(innovations: Floats) -> Number:
    """Degrees of freedom of a Student-t with free scale; 90% interval from its profile.

    Where the interval reaches the normal, the data cannot tell, and the assumption stays.
    """
    spread = float(np.sqrt(np.mean(innovations**2)))

    def profile(df: float) -> float:
        found = minimize_scalar(
            lambda s: -student.logpdf(innovations, df, scale=np.exp(s)).sum(),
            bounds=(np.log(spread / 10), np.log(2 * spread)),
            method="bounded",
        )
        return -float(found.fun)

    height = np.array([profile(float(df)) for df in TAIL_GRID])
    inside = TAIL_GRID[height > height.max() - 0.5 * Z90**2]
    best, low, high = float(TAIL_GRID[height.argmax()]), float(inside[0]), float(inside[-1])
    method = f"Student-t profile of {innovations.size} national innovations"
    if high == TAIL_GRID[-1]:
        peak = "normal" if best == TAIL_GRID[-1] else f"{best:.1f}"
        method = f"{method}: not told from a normal (peak {peak})"
        return Number(ASSUMED["tail_df"], low, float("inf"), "assumed", method)
    return Number(best, low, high, "estimated", method)


def estimate_all(counts: Counts) -> dict[str, Number]:
    """Every constant from one span of months, in the order of the table."""
    theta, _, _ = estimate_scales(counts, PIN_START)
    level_variance, forget = estimate_pins(counts, theta)
    pins = (level_variance.value, forget.value)
    theta, low, high = estimate_scales(counts, pins, theta)
    method = "penalised maximum likelihood of the filter"
    out = {
        name: Number(float(theta[i]), float(low[i]), float(high[i]), "estimated", method)
        for i, name in enumerate(NAMES)
    }
    out |= {"pin_level_variance": level_variance, "pin_forget": forget}
    months, _ = counts.pinned(*pins)
    out["tail_df"] = estimate_tail(national_innovations(months, counts.region, theta))
    return out
