"""Compare models on the units they share: relative skill, with intervals over origins.

A mean score says nothing beside another unless both are over the same units. Every
comparison here is pairwise on common units, and says on how many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.scoring.asked import sampling
from odforecast.scoring.pairs import pairs_by_group, percentile_interval, ratios_of
from odforecast.scoring.resampling import weights

Floats = NDArray[np.float64]


def relative_skill(
    scores: pd.DataFrame,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
    missing: str = "common",
    bootstrap: int = 1000,
    block: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Relative skill by pairwise comparison, scaled to a baseline.

    For models i and j, the ratio of their mean scores on the units both have; for model i,
    the geometric mean of its ratios to all models (itself included); divided by the same for
    the baseline. This is the hubs' convention (Cramer et al. 2022; scoringutils, hubEvals).
    With all units shared it is the plain ratio of mean scores; adding or leaving out a
    *third* model changes it only where units are missing. Below 1 is better than the
    baseline.

    Parameters
    ----------
    scores : DataFrame or Results
        Unit-level scores of two or more models, or the results that hold them.
    baseline : str
        Model with relative skill 1.
    metric : str
        A score that is never negative: ``wis``, ``crps``, ``ae``, ``ape``, ``log_wis`` …
    by : str or sequence of str
        Compare within groups of these columns; see
        :func:`~odforecast.scoring.columns.with_groups`.
    missing : {"common", "error"}
        Where a model lacks units others have: compare on the common units of each pair, or
        refuse.
    bootstrap : int
        Bootstrap samples of **origins** for the interval, and independently of **donor
        releases** within their era where the delay was taken from some; 0 for none. Units of
        one origin, or of one donor, are resampled together: they share their errors.
    block : int, optional
        Neighbouring origins resampled together, for forecasts of neighbouring origins
        overlap. Default: as many as lie within 12 months, but at most a third of them.
    level : float
        Probability of the interval.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``n_units`` (scored), ``n_common`` (fewest units shared with any
        other model), ``n_origins``, ``n_blocks`` (of origins that do not overlap) and
        ``n_donors`` (0 where the delay was taken from none) of the units shared with the
        baseline, mean ``metric`` over the model's own units, ``rel_skill``, ``lower``,
        ``upper``; best first. NaN where there is nothing in common; no interval where fewer than 5
        origins, 3 blocks, or 3 donors of an era are shared with the baseline.

    Notes
    -----
    Where the baseline's mean is 0, nothing can be a ratio of it: a model with a mean above 0 is
    ``inf``, one whose mean is 0 as well is NaN, and the baseline itself stays 1. Where the mean of
    a *third* model is 0, its own skill is 0 and that of the others NaN: leave it out.

    Raises
    ------
    ScoringError
        If the baseline is not there, a score is negative, two rows are the same unit, a setting
        means nothing, or ``missing="error"`` and units are missing.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> scores = pd.DataFrame({
    ...     "model": ["a", "a", "base", "base"], "as_of": "2024-01-10", "location": "US",
    ...     "target": "deaths_12mo", "month": ["2024-01", "2024-02"] * 2,
    ...     "scorable": True, "wis": [1.0, 2.0, 2.0, 4.0],
    ... })
    >>> od.scoring.relative_skill(scores, baseline="base")[["model", "n_common", "rel_skill"]]
      model  n_common  rel_skill
    0     a         2        0.5
    1  base         2        1.0
    """
    sampling(bootstrap, block, level, seed)
    frames = []
    for labels, pairs in pairs_by_group(scores, baseline, metric, by, missing):
        base, n = pairs.models.index(baseline), len(pairs.models)
        others = pairs.common.copy()
        if n > 1:
            np.fill_diagonal(others, np.iinfo(np.int64).max)
        there = n == 1 or (np.delete(pairs.common[base], base) > 0).any()
        often = weights(pairs.cells, bootstrap, block, seed)
        skill, spread = (
            _itself(_scaled_theta(sums, base), base, bool(there))
            for sums in (pairs.sums.sum(axis=0)[None], np.tensordot(often, pairs.sums, axes=1))
        )
        lower, upper = percentile_interval(spread, level, n)
        few = pairs.base().few[:, base]
        frames.append(
            pairs.frame(labels, metric, others.min(axis=1), base).assign(
                rel_skill=skill[0],
                lower=np.where(few, np.nan, lower),
                upper=np.where(few, np.nan, upper),
            )
        )
    return _finish(frames, "rel_skill")


def relative_to_baseline(
    scores: pd.DataFrame,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
    missing: str = "common",
    bootstrap: int = 1000,
    block: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Ratio of mean scores, model over baseline, on the units both have.

    Simpler than :func:`relative_skill`, and the same where no unit is missing. Parameters
    and errors as there.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``n_units``, ``n_common`` (units shared with the baseline),
        ``n_origins``, ``n_blocks``, ``n_donors`` (of those common units), mean ``metric`` over the
        model's own units, ``ratio``, ``lower``, ``upper``; best first. Where the baseline's mean
        is 0, as there.
    """
    sampling(bootstrap, block, level, seed)
    frames = []
    for labels, pairs in pairs_by_group(scores, baseline, metric, by, missing):
        base = pairs.models.index(baseline)
        often = weights(pairs.cells, bootstrap, block, seed)
        ratios, spread = (
            _itself(ratios_of(sums)[:, :, base], base, bool(pairs.common[base, base] > 0))
            for sums in (pairs.sums.sum(axis=0)[None], np.tensordot(often, pairs.sums, axes=1))
        )
        lower, upper = percentile_interval(spread, level, len(pairs.models))
        few = pairs.base().few[:, base]
        frames.append(
            pairs.frame(labels, metric, pairs.common[:, base], base).assign(
                ratio=ratios[0],
                lower=np.where(few, np.nan, lower),
                upper=np.where(few, np.nan, upper),
            )
        )
    return _finish(frames, "ratio")


def _scaled_theta(sums: Floats, base: int) -> Floats:
    """Geometric means of the ratios, over that of the baseline; shape (B, M)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(ratios_of(sums))
        known = ~np.isnan(logs)
        alone = known.sum(axis=-1) - known.diagonal(axis1=-2, axis2=-1) == 0
        total = np.where(known, logs, 0.0).sum(axis=-1)
        theta = total / known.sum(axis=-1)
        if theta.shape[1] > 1:  # a ratio to itself compares a model with nothing
            theta = np.where(alone, np.nan, theta)
        return np.asarray(np.exp(theta - theta[:, [base]]))


def _itself(values: Floats, base: int, there: bool) -> Floats:
    """The baseline is 1 to itself, also where its mean is 0; values (B, M)."""
    if there:
        values[:, base] = 1.0
    return values


def _finish(frames: list[pd.DataFrame], order: str) -> pd.DataFrame:
    if not frames:
        raise ScoringError(
            "no unit is scorable, so there is nothing to compare",
            hint="use an older origin or a later truth; the reasons are in the column 'reason'",
        )
    for_each = [frame.sort_values(order, kind="stable") for frame in frames]
    return pd.concat(for_each, ignore_index=True)
