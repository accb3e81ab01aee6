"""Pairs of models on the units both have: what every comparison is worked out from.

A mean score says nothing beside another unless both are over the same units. So scores are summed
pair by pair, cell by cell (an origin, by one donor where there are donors).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, one_of, proportion
from odforecast.scoring.asked import columns_of, table_of
from odforecast.scoring.columns import UNIT_KEYS, with_groups
from odforecast.scoring.resampling import MIN_BLOCKS, MIN_DONORS, MIN_ORIGINS, Cells, cells_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Base:
    """What the comparison of each pair rests on, shapes (M, M): of the units that both have."""

    n_origins: NDArray[np.int64]
    n_blocks: NDArray[np.int64]
    n_donors: NDArray[np.int64]
    few_donors: NDArray[np.bool_]

    @property
    def few(self) -> NDArray[np.bool_]:
        """Where too little is shared for an interval."""
        short = (self.n_origins < MIN_ORIGINS) | (self.n_blocks < MIN_BLOCKS)
        return np.asarray(short | self.few_donors)


@dataclass(frozen=True)
class Pairs:
    """Sums of scores over common units, per cell: all that comparisons need.

    ``sums[c, i, j]`` is the sum of model i's scores in cell c (an origin, by one donor where
    there are donors) over the units that model j has as well; ``counts[c, i, j]`` the number of
    such units.
    """

    models: list[str]
    cells: Cells
    sums: Floats
    counts: NDArray[np.int64]

    @property
    def common(self) -> NDArray[np.int64]:
        """Units that two models have in common, over all cells, shape (M, M)."""
        return np.asarray(self.counts.sum(axis=0))

    def base(self) -> Base:
        """Origins, blocks of them and donors that each pair has in common."""
        there = self.counts > 0
        groups = self.cells.groups()
        donors = self._seen(there, self.cells.by, len(self.cells.donors))
        eras = np.array(self.cells.eras, dtype=object)
        few = np.zeros(there.shape[1:], dtype=bool)
        for era in set(self.cells.eras):
            own = donors[eras == era].sum(axis=0)
            few |= (own > 0) & (own < MIN_DONORS)
        return Base(
            self._seen(there, self.cells.at, self.cells.origins.size).sum(axis=0),
            self._seen(there, groups[self.cells.at], int(groups[-1]) + 1).sum(axis=0),
            donors.sum(axis=0),
            few,
        )

    @staticmethod
    def _seen(there: NDArray[np.bool_], which: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
        out = np.zeros((n, *there.shape[1:]), dtype=bool)
        known = which >= 0  # a cell without a donor has none
        np.logical_or.at(out, which[known], there[known])
        return out

    def frame(
        self, labels: dict[str, object], metric: str, n_common: NDArray[np.int64], base: int
    ) -> pd.DataFrame:
        """One row per model: its units, what it shares with the baseline, and its own mean."""
        rests_on = self.base()
        n_units = np.diagonal(self.common)
        own = np.einsum("oii->i", self.sums)
        mean = np.divide(own, n_units, out=np.full(own.shape, np.nan), where=n_units > 0)
        columns = labels | {
            "model": self.models,
            "n_units": n_units,
            "n_common": n_common,
            "n_origins": rests_on.n_origins[:, base],
            "n_blocks": rests_on.n_blocks[:, base],
            "n_donors": rests_on.n_donors[:, base],
            metric: mean,
        }
        return pd.DataFrame(columns)


def common_units(
    scores: pd.DataFrame, metric: str, models: Sequence[str] | None = None
) -> pd.DataFrame:
    """Scores as a table with one row per unit and one column per model; NaN where missing.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores; rows that are not scorable are left out.
    metric : str
        Which score.
    models : sequence of str, optional
        Columns wanted; default: every model, in order of appearance.

    Returns
    -------
    DataFrame
        Indexed by those of :data:`~odforecast.scoring.columns.UNIT_KEYS` the table has.

    Raises
    ------
    ScoringError
        If a column is missing, or one model has two rows for one unit.
    """
    keys = [k for k in UNIT_KEYS if k in scores]
    for name in ("model", "as_of", "scorable", metric):
        if name not in scores:
            raise ScoringError(
                f"the score table has no column {name!r}", hint=one_of(name, map(str, scores))
            )
    names = list(dict.fromkeys(scores["model"].astype(str))) if models is None else list(models)
    rows = scores.loc[scores["scorable"].astype(bool), [*keys, "model", metric]]
    rows = rows.assign(model=rows["model"].astype(str))
    twice = rows.duplicated([*keys, "model"])
    if twice.any():
        first = rows.loc[twice, [*keys, "model"]].iloc[0]
        raise ScoringError(
            f"{int(twice.sum())} rows repeat a unit, for example "
            + ", ".join(f"{k}={v}" for k, v in first.items()),
            hint="score each forecast once, or compare one model version at a time",
        )
    for key in keys:  # unobserved categories would be multiplied out
        if isinstance(rows[key].dtype, pd.CategoricalDtype):
            rows[key] = rows[key].astype(str)
    wide = rows.set_index([*keys, "model"])[metric].unstack("model")
    return wide.reindex(columns=names)


def pairs_by_group(
    scores: pd.DataFrame, baseline: str, metric: str, by: str | Sequence[str], missing: str
) -> Iterator[tuple[dict[str, object], Pairs]]:
    """Pairwise sums of each group of ``by``."""
    if missing not in ("common", "error"):
        raise ScoringError(
            f"unknown policy missing={missing!r}", hint=one_of(missing, ("common", "error"))
        )
    scores, keys = table_of(scores), columns_of(by)
    if "model" not in scores:
        raise ScoringError(
            "the score table has no column 'model'", hint=one_of("model", map(str, scores))
        )
    scores = with_groups(scores, keys)
    models = sorted(set(scores["model"].astype(str)))
    if baseline not in models:
        raise ScoringError(
            f"the baseline {baseline!r} is not among the models",
            hint=one_of(baseline, models),
        )
    parts = scores.groupby(keys, observed=True, sort=True, dropna=False) if keys else [((), scores)]
    for values, part in parts:
        labels = dict(zip(keys, values))
        wide = common_units(part, metric, models)
        if wide.empty:
            continue
        if (wide.to_numpy(dtype=float) < 0).any():
            raise ScoringError(
                f"{metric} has negative values, and a ratio of them means nothing",
                hint="compare wis, crps, ae, ape or log_wis",
            )
        if missing == "error":
            _refuse_missing(wide, labels)
        yield labels, _pairs(wide)


def _pairs(wide: pd.DataFrame) -> Pairs:
    cells, rows_of = cells_of(wide)
    values = wide.to_numpy(dtype=float)
    seen = ~np.isnan(values)
    filled = np.where(seen, values, 0.0)
    sums = np.empty((len(rows_of), values.shape[1], values.shape[1]))
    counts = np.empty(sums.shape, dtype=np.int64)
    for c, rows in enumerate(rows_of):
        there = seen[rows].astype(float)
        sums[c], counts[c] = filled[rows].T @ there, there.T @ there
    return Pairs(
        models=[str(m) for m in wide.columns],
        cells=cells,
        sums=sums,
        counts=counts,
    )


def _refuse_missing(wide: pd.DataFrame, labels: dict[str, object]) -> None:
    lacking = wide.isna()
    if not lacking.to_numpy().any():
        return
    counts = ", ".join(f"{m} {int(n)}" for m, n in lacking.sum().items() if n)
    example = wide.index[lacking.any(axis=1).to_numpy()][0]
    raise ScoringError(
        f"of {len(wide)} units{f' of {labels}' if labels else ''}, models lack: {counts}; "
        f"for example {dict(zip(wide.index.names, map(str, example)))}",
        hint='compare on common units with missing="common"',
    )


def ratios_of(sums: Floats) -> Floats:
    """Ratios of mean scores, shape (B, M, M); NaN where nothing is shared or both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums / np.swapaxes(sums, -1, -2))


def percentile_interval(samples: Floats, level: float, n_models: int) -> tuple[Floats, Floats]:
    """Percentile interval per model; NaN where there are no samples."""
    proportion("level", level, ScoringError)
    if samples.shape[0] == 0:
        return np.full(n_models, np.nan), np.full(n_models, np.nan)
    tail = (1.0 - level) / 2.0
    # A sample without common units makes the interval unknown (NaN), not narrower; between two
    # infinite ones there is nothing to interpolate.
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(samples, [tail, 1.0 - tail], axis=0)
    return np.asarray(low), np.asarray(high)
