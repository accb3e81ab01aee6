"""Scores of blocks of units, by output type; names and definitions are those of hubEvals.

Every function takes values (U, n) of U units, what came, and gives columns (U,) and, for each
unit, why it cannot be scored (empty where it can).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from odforecast.hub.file_check import TOTAL
from odforecast.names import COVERAGE_LEVELS
from odforecast.scoring.rules import (
    Floats,
    bias_from_quantiles,
    bias_sorted,
    crps_sorted,
    quantiles_sorted,
    weighted_interval_score,
)

type Texts = NDArray[np.object_]
type Scored = tuple[dict[str, Floats], Texts]

#: Every score, in the order of the table's columns.
SCORES: Final = (
    "wis",
    "crps",
    "dispersion",
    "overprediction",
    "underprediction",
    "bias",
    "ae_median",
    "se_mean",
    "ae_point",
    "se_point",
    "log_score",
    "rps",
    *(f"interval_coverage_{round(100 * c)}" for c in COVERAGE_LEVELS),
)
#: The score that a comparison of models is about, by output type.
HEADLINE: Final = {
    "quantile": "wis",
    "sample": "crps",
    "median": "ae_point",
    "mean": "se_point",
    "pmf": "log_score",
    "cdf": "rps",
}
#: As in :func:`odforecast.scoring.rules.check_quantiles`.
_SLACK: Final = 1e-9


def quantiles(values: Floats, levels: Sequence[float], came: Floats) -> Scored:
    """Scores of quantiles, rising levels; WIS with its parts, bias, coverage, error of the median.

    Coverage of an interval is there where both of its ends are among the levels.

    Examples
    --------
    >>> found, why = quantiles(np.array([[90.0, 100.0, 110.0]]), [0.25, 0.5, 0.75],
    ...                        np.array([120.0]))
    >>> round(float(found["wis"][0]), 6), float(found["ae_median"][0]), why.tolist()
    (16.666667, 20.0, [''])
    """
    tau = np.asarray(levels, dtype=float)
    reasons = np.full(len(values), "", dtype=object)
    if not ((tau > 0) & (tau < 1)).all():
        reasons[:] = "a level does not lie between 0 and 1"
    elif (np.diff(tau) <= _SLACK).any():
        reasons[:] = f"level {tau[1:][np.diff(tau) <= _SLACK][0]:g} is there twice"
    elif tau.size % 2 == 0 or not np.allclose(tau, 1 - tau[::-1], rtol=0, atol=1e-9):
        reasons[:] = f"WIS needs levels symmetric about a median; there are {_few(tau)}"
    fall = np.diff(values, axis=1) < -_SLACK * (1 + np.abs(values[:, 1:]))
    for i in np.flatnonzero(fall.any(axis=1) & (reasons == "")):
        k = int(np.argmax(fall[i]))
        reasons[i] = (
            f"quantiles cross: {values[i, k + 1]:g} at level {tau[k + 1]:g} lies below "
            f"{values[i, k]:g} at level {tau[k]:g}"
        )
    columns = _empty(len(values), SCORES)
    good = reasons == ""
    if not good.any():
        return columns, reasons
    q, y = np.maximum.accumulate(values[good].T, axis=0), came[good]
    wis = weighted_interval_score(q, tau.tolist(), y)
    for name, column in (("wis", wis.total), ("dispersion", wis.spread),
                         ("overprediction", wis.over), ("underprediction", wis.under),
                         ("bias", bias_from_quantiles(q, tau.tolist(), y)),
                         ("ae_median", np.abs(q[tau.size // 2] - y))):  # fmt: skip
        columns[name][good] = column
    for share in COVERAGE_LEVELS:
        ends = [np.flatnonzero(np.isclose(tau, (1 + s * share) / 2, rtol=0, atol=1e-9))
                for s in (-1, 1)]  # fmt: skip
        if all(e.size for e in ends):
            low, high = (q[e[0]] for e in ends)
            columns[_coverage(share)][good] = ((low <= y) & (y <= high)).astype(float)
    return columns, reasons


def samples(values: Floats, came: Floats) -> Scored:
    """Scores of samples, each unit by itself: CRPS with its parts, bias, errors, coverage.

    CRPS is that of the empirical distribution, ``mean |x − y| − ½ mean |x − x'|``. Its
    ``dispersion`` is what it would be had the median come; the rest is over- or underprediction.

    Examples
    --------
    >>> found, _ = samples(np.array([[1.0, 2.0, 4.0]]), np.array([3.0]))
    >>> round(float(found["crps"][0]), 6), float(found["ae_median"][0])
    (0.666667, 1.0)
    """
    reasons = np.full(len(values), "", dtype=object)
    columns = _empty(len(values), SCORES)
    ordered = np.sort(values, axis=1)
    middle = quantiles_sorted(ordered, [0.5])[0]
    total, spread = crps_sorted(ordered, came), crps_sorted(ordered, middle)
    columns |= {
        "crps": total,
        "dispersion": spread,
        "overprediction": np.where(middle > came, total - spread, 0.0),
        "underprediction": np.where(middle < came, total - spread, 0.0),
        "bias": bias_sorted(ordered, came),
        "ae_median": np.abs(middle - came),
        "se_mean": (values.mean(axis=1) - came) ** 2,
    }
    for share in COVERAGE_LEVELS:
        low, high = quantiles_sorted(ordered, [(1 - share) / 2, (1 + share) / 2])
        columns[_coverage(share)] = ((low <= came) & (came <= high)).astype(float)
    return columns, reasons


def points(values: Floats, came: Floats, output_type: str) -> Scored:
    """The absolute error of a median, the squared error of a mean: what each is best at."""
    reasons = np.full(len(values), "", dtype=object)
    if values.shape[1] != 1:
        reasons[:] = f"{values.shape[1]} rows of output type {output_type}"
    columns = _empty(len(values), SCORES)
    gap = values[:, 0] - came
    name, column = ("ae_point", np.abs(gap)) if output_type == "median" else ("se_point", gap**2)
    columns[name] = np.where(reasons == "", column, np.nan)
    return columns, reasons


def probabilities(values: Floats, came: NDArray[np.intp], ordered: bool) -> Scored:
    """Scores of chances of K categories: the log score, and the RPS where they have an order.

    The log score is ``−log p`` of the category that came, infinite where it had no chance. The
    RPS is the sum of the squared differences of the K − 1 cumulative chances, not their mean.

    Parameters
    ----------
    values : ndarray, shape (U, K)
    came : ndarray of int, shape (U,)
        Position of the category that came.
    ordered : bool

    Examples
    --------
    >>> found, _ = probabilities(np.array([[0.5, 0.25, 0.25]]), np.array([1]), ordered=True)
    >>> round(float(found["log_score"][0]), 4), float(found["rps"][0])
    (1.3863, 0.3125)
    """
    reasons = np.full(len(values), "", dtype=object)
    off = np.abs(values.sum(axis=1) - 1) > TOTAL
    reasons[off] = [f"its chances add up to {x:.6g}" for x in values[off].sum(axis=1)]
    reasons[((values < 0) | (values > 1)).any(axis=1)] = "a chance lies outside 0 to 1"
    columns = _empty(len(values), SCORES)
    good = reasons == ""
    p = values[good]
    with np.errstate(divide="ignore"):
        # 0 − log 1 is 0; −log 1 would be −0.
        columns["log_score"][good] = 0.0 - np.log(p[np.arange(len(p)), came[good]])
    if ordered:
        below = np.arange(values.shape[1] - 1) >= came[good, None]
        columns["rps"][good] = ((np.cumsum(p, axis=1)[:, :-1] - below) ** 2).sum(axis=1)
    return columns, reasons


def cumulative(values: Floats, reached: Floats) -> Scored:
    """Scores of a distribution function at K rising thresholds: RPS, and the binned log score.

    Parameters
    ----------
    values : ndarray, shape (U, K)
        Chance that what comes is at most the threshold.
    reached : ndarray, shape (U, K)
        1 where what came is at most the threshold, else 0.

    Notes
    -----
    The RPS is the sum over thresholds of squared differences. The log score is that of the bin
    between neighbouring thresholds in which the value came; the first and last bin are open.

    Examples
    --------
    >>> found, _ = cumulative(np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]]))
    >>> float(found["rps"][0]), round(float(found["log_score"][0]), 4)
    (0.125, 0.6931)
    """
    reasons = np.full(len(values), "", dtype=object)
    reasons[(np.diff(reached, axis=1) < 0).any(axis=1)] = "what came is no step from 0 to 1"
    reasons[(np.diff(values, axis=1) < -_SLACK).any(axis=1)] = "its chances fall with the threshold"
    reasons[((values < 0) | (values > 1)).any(axis=1)] = "a chance lies outside 0 to 1"
    columns = _empty(len(values), SCORES)
    good = reasons == ""
    f, h = values[good], reached[good]
    columns["rps"][good] = ((f - h) ** 2).sum(axis=1)
    edges = np.concatenate([np.zeros((len(f), 1)), f, np.ones((len(f), 1))], axis=1)
    bin_ = (h == 0).sum(axis=1)
    chance = np.take_along_axis(np.diff(edges, axis=1), bin_[:, None], axis=1)[:, 0]
    with np.errstate(divide="ignore"):
        columns["log_score"][good] = 0.0 - np.log(np.maximum(chance, 0.0))
    return columns, reasons


def energy_score(draws: Floats, came: Floats) -> float:
    """Energy score of draws of several values at once (Gneiting and Raftery 2007).

    ``mean ‖x − y‖ − ½ mean ‖x − x'‖``: in one dimension the CRPS.

    Parameters
    ----------
    draws : ndarray, shape (n, d)
        Rows belong together.
    came : ndarray, shape (d,)

    Returns
    -------
    float

    Examples
    --------
    >>> energy_score(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([0.0, 0.0]))
    1.25
    """
    n = len(draws)
    near = np.linalg.norm(draws - came, axis=1).mean()
    total = 0.0
    # Row by row: n × n × d at once is too much for large hubs.
    for i in range(n - 1):
        total += float(np.linalg.norm(draws[i + 1 :] - draws[i], axis=1).sum())
    return float(near - total / n**2)


def _coverage(share: float) -> str:
    return f"interval_coverage_{round(100 * share)}"


def _few(levels: Floats) -> str:
    shown = ", ".join(f"{x:g}" for x in levels[:3])
    return shown + (f" … {levels[-1]:g}" if levels.size > 3 else "")


def _empty(n: int, names: Sequence[str]) -> dict[str, Floats]:
    return {name: np.full(n, np.nan) for name in names}
