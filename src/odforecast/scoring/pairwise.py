"""Every model against every other, on the units both have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, one_of, whole
from odforecast.geography import NATION
from odforecast.scoring.asked import sampling, table_of
from odforecast.scoring.pairs import Pairs, pairs_by_group, percentile_interval, ratios_of
from odforecast.scoring.rates import per_100k
from odforecast.scoring.resampling import weights

Floats = NDArray[np.float64]

#: Scales on which models are compared.
SCALES: Final = ("natural", "log", "per_100k")
#: Fewer groups of origins than this say nothing about how far the next one may be off.
MIN_GROUPS: Final = 4


def pairwise(
    scores: pd.DataFrame,
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
    scale: str = "natural",
    missing: str = "common",
    bootstrap: int = 1000,
    block: int | None = None,
    level: float = 0.9,
    min_groups: int = MIN_GROUPS,
    seed: int = 0,
) -> pd.DataFrame:
    """Ratio of mean scores of each pair of models, with an interval over groups of origins.

    The table behind :func:`~odforecast.scoring.relative_skill`, which is the geometric mean of a
    model's row, scaled to a baseline (Cramer et al. 2022; Bracher et al. 2021).

    Parameters
    ----------
    scores : DataFrame or Results
        Unit-level scores of two or more models, or the results that hold them.
    metric : str
        A score that is never negative.
    by : str or sequence of str
        Compare within groups of these columns; see
        :func:`~odforecast.scoring.columns.with_groups`.
    scale : {"natural", "log", "per_100k"}
        ``"natural"``: deaths; large states rule the mean. ``"log"``: WIS of log(1 + deaths), each
        place by its relative error (of ``metric="wis"`` only). ``"per_100k"``: rates, of
        states only; New York without the city and the city have no population of their own.
    missing : {"common", "error"}
        Compare on the common units of each pair, or refuse where a model lacks some.
    bootstrap, block, level, seed
        As of :func:`~odforecast.scoring.relative_skill`: blocks of consecutive origins are drawn,
        and independently whole donor releases within their era.
    min_groups : int
        Fewest groups of consecutive origins that an interval may rest on.

    Returns
    -------
    DataFrame
        One row per ordered pair: ``by``, ``scale``, ``metric``, ``model``, ``other``,
        ``n_common`` (units both have), ``n_origins``, ``n_groups`` (groups of consecutive origins,
        a year each where there are enough; what is left over is part of the last one),
        ``n_donors``, ``ratio`` (below 1: ``model`` is better), ``lower``, ``upper``, and
        ``n_better``: in how many of the groups the model was better. All of the pair's common
        units. NaN where nothing is common; no interval from fewer groups than ``min_groups``, or
        fewer than 3 donors of an era.

    Raises
    ------
    ScoringError
        If there is one model only, the scale or a column is unknown, a setting means nothing, or
        a score is negative.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> scores = pd.DataFrame({
    ...     "model": ["a", "a", "b", "b"], "as_of": "2024-01-10", "location": "OH",
    ...     "target": "deaths_12mo", "month": ["2024-01", "2024-02"] * 2,
    ...     "scorable": True, "wis": [1.0, 2.0, 2.0, 4.0],
    ... })
    >>> columns = ["model", "other", "n_common", "n_groups", "ratio", "lower"]
    >>> od.scoring.pairwise(scores)[columns]
      model other  n_common  n_groups  ratio  lower
    0     a     b         2         1    0.5    NaN
    1     b     a         2         1    2.0    NaN
    """
    if scale not in SCALES:
        raise ScoringError(f"scale is {scale!r}, unknown", hint=one_of(scale, SCALES))
    sampling(bootstrap, block, level, seed)
    whole("min_groups", min_groups, 1, ScoringError)
    table, column = _on_scale(table_of(scores), metric, scale)
    models = sorted(set(table["model"].astype(str))) if "model" in table else []
    if len(models) < 2:
        raise ScoringError(
            f"{len(models)} model cannot be compared with another", hint="score two or more"
        )
    frames = []
    for labels, pairs in pairs_by_group(table, models[0], column, by, missing):
        rows = _table(pairs, bootstrap, block, level, min_groups, seed)
        for at, (name, value) in enumerate({**labels, "scale": scale, "metric": metric}.items()):
            rows.insert(at, name, np.full(len(rows), value))
        frames.append(rows)
    if not frames:
        raise ScoringError(
            "no unit is scorable, so there is nothing to compare",
            hint="use an older origin or a later truth; the reasons are in the column 'reason'",
        )
    return pd.concat(frames, ignore_index=True)


def _on_scale(scores: pd.DataFrame, metric: str, scale: str) -> tuple[pd.DataFrame, str]:
    """The scores on a scale, and the column that is compared."""
    if scale == "natural":
        return scores, metric
    if scale == "log":
        if metric != "wis":
            raise ScoringError(
                f"{metric} has no log scale in the score table",
                hint="metric='wis', or the metric crps_log on the natural scale",
            )
        return scores, "log_wis"
    return per_100k(scores[scores["location"].astype(str) != NATION]), metric


def _table(
    pairs: Pairs, bootstrap: int, block: int | None, level: float, min_groups: int, seed: int
) -> pd.DataFrame:
    """All ordered pairs of one group of units."""
    n = len(pairs.models)
    group = pairs.cells.groups(block)
    by_group = np.zeros((int(group[-1]) + 1, n, n))
    units = np.zeros(by_group.shape, dtype=np.int64)
    np.add.at(by_group, group[pairs.cells.at], pairs.sums)
    np.add.at(units, group[pairs.cells.at], pairs.counts)
    n_groups = (units > 0).sum(axis=0)
    base = pairs.base()
    with np.errstate(invalid="ignore"):
        better = (ratios_of(by_group) < 1).sum(axis=0)
    lower = upper = np.full((n, n), np.nan)
    often = weights(pairs.cells, bootstrap, block, seed)
    if len(often):
        drawn = ratios_of(np.tensordot(often, pairs.sums, axes=1)).reshape(len(often), -1)
        low, high = percentile_interval(drawn, level, n * n)
        few = (n_groups < min_groups) | base.few_donors
        lower, upper = (np.where(few, np.nan, x.reshape(n, n)) for x in (low, high))
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    names = np.array(pairs.models, dtype=object)
    columns = {
        "n_common": pairs.common,
        "n_origins": base.n_origins,
        "n_groups": n_groups,
        "n_donors": base.n_donors,
        "ratio": ratios_of(pairs.sums.sum(axis=0)[None])[0],
        "lower": lower,
        "upper": upper,
        "n_better": better,
    }
    return pd.DataFrame(
        {"model": names[i], "other": names[j]} | {k: v[i, j] for k, v in columns.items()}
    )
