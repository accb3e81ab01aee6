"""A grid of units by models, and what follows from it: ratios, skill, pairs, Diebold-Mariano."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError, one_of, proportion, whole
from odforecast.geography import NATION
from odforecast.scoring import columns
from odforecast.scoring.columns import table_of, with_groups
from odforecast.scoring.rules import Floats
from odforecast.scoring.units import per_100k

#: Fewer origins than this say nothing about how a comparison varies between origins.
MIN_ORIGINS = 5
#: Nor do fewer blocks of them: a year and what follows it are one spell. (Of all origins there are
#: always as many: a block is a third of them at most.)
MIN_BLOCKS = 3
#: Nor do fewer donor releases of an era about how it varies between releases.
MIN_DONORS = 3
#: Fewer groups of origins than this say nothing about how far the next one may be off.
MIN_GROUPS = 4
#: Scales on which models are compared.
SCALES: Final = ("natural", "log", "per_100k")


def default_block(origins: NDArray[np.datetime64]) -> int:
    """Neighboring origins that lie within 12 months, at most a third of them, at least 1."""
    return max(1, min(_in_a_year(origins), origins.size // 3))


def _in_a_year(origins: NDArray[np.datetime64]) -> int:
    """Neighboring origins within 12 months; 1 where there are no neighbors."""
    days = np.diff(origins) // np.timedelta64(1, "D")
    if not days.size:
        return 1
    spacing = max(1.0, float(np.median(days)))
    return round(365.25 / spacing)


def origin_of(names: object) -> str:
    """Column that tells origins apart: the last known month, where the table has it."""
    return "last_month" if "last_month" in names else "as_of"  # type: ignore[operator]


@dataclass(frozen=True)
class Cells:
    """Origins, by one donor each where there are donors: what is resampled."""

    origins: NDArray[np.datetime64]
    donors: list[str]
    eras: list[str]
    at: NDArray[np.intp]
    by: NDArray[np.intp]

    def groups(self, block: int | None = None) -> NDArray[np.intp]:
        """Which group of consecutive origins each origin lies in, shape (O,)."""
        n = self.origins.size
        size = default_block(self.origins) if block is None else block
        most = n // size
        if block is None and n > 2 and n // 3 < _in_a_year(self.origins):
            most = 3
        return np.minimum(np.arange(n) // size, max(most - 1, 0))

    def weights(self, samples: int, block: int | None = None, seed: int = 0) -> Floats:
        """How often each cell is drawn, shape (B, C)."""
        n = self.origins.size
        too_few = any(self.eras.count(era) < MIN_DONORS for era in set(self.eras))
        if samples == 0 or n < MIN_ORIGINS or too_few:
            return np.zeros((0, self.at.size))
        size = default_block(self.origins) if block is None else min(block, n)
        rng = np.random.default_rng(seed)
        rows = np.arange(samples)[:, None]
        n_blocks = -(-n // size)
        starts = rng.integers(0, n, size=(samples, n_blocks))
        blocks = starts[:, :, None] + np.arange(size)
        origins = blocks.reshape(samples, -1)[:, :n] % n
        often_at = np.zeros((samples, n))
        np.add.at(often_at, (rows, origins), 1.0)
        # A cell without a donor is always in: its column is the last.
        often_by = np.zeros((samples, len(self.donors) + 1))
        often_by[:, -1] = 1.0
        for era in sorted(set(self.eras)):
            positions = np.flatnonzero(np.array(self.eras) == era)
            chosen = positions[
                rng.integers(0, positions.size, size=(samples, positions.size))
            ]
            np.add.at(often_by, (rows, chosen), 1.0)
        return often_at[:, self.at] * often_by[:, self.by]


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
    """Sums of scores over common units, per cell: all that comparisons need."""

    models: list[str]
    cells: Cells
    sums: Floats
    counts: NDArray[np.int64]

    @property
    def common(self) -> NDArray[np.int64]:
        """Units that two models have in common, over all cells, shape (M, M)."""
        return np.asarray(self.counts.sum(axis=0))

    @cached_property
    def base(self) -> Base:
        """Origins, blocks of them and donors that each pair has in common."""
        shared = self.counts > 0
        cells = self.cells
        groups = self.cells.groups()

        def share(index: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
            """Whether a pair shares a unit of each origin, block or donor; -1 is none."""
            shares = np.zeros((n, *shared.shape[1:]), dtype=bool)
            has_index = index >= 0
            np.logical_or.at(shares, index[has_index], shared[has_index])
            return shares

        origins = share(cells.at, cells.origins.size)
        n_groups = int(groups[-1]) + 1
        blocks = share(groups[cells.at], n_groups)
        donors = share(cells.by, len(cells.donors))
        eras = np.array(cells.eras, dtype=object)
        few_donors = np.zeros(shared.shape[1:], dtype=bool)
        for era in set(cells.eras):
            n_donors = donors[eras == era].sum(axis=0)
            few_donors |= (n_donors > 0) & (n_donors < MIN_DONORS)
        return Base(
            origins.sum(axis=0),
            blocks.sum(axis=0),
            n_donors=donors.sum(axis=0),
            few_donors=few_donors,
        )

    def related(
        self,
        statistic: Statistic,
        base: int,
        often: Floats,
        level: float,
        shared: bool = True,
    ) -> tuple[Floats, Floats, Floats]:
        """A statistic for each model, and its interval."""
        total = self.sums.sum(axis=0)
        estimate = statistic(total[None], base)
        samples = statistic(np.tensordot(often, self.sums, axes=1), base)
        if shared:
            estimate[:, base] = 1.0
            samples[:, base] = 1.0
        lower, upper = percentile_interval(samples, level)
        too_few = self.base.few[:, base]
        lower = np.where(too_few, np.nan, lower)
        upper = np.where(too_few, np.nan, upper)
        return estimate[0], lower, upper


#: Of sums (B, M, M), and the baseline's position: a number per model, shape (B, M).
type Statistic = Callable[[Floats, int], Floats]


def ratios_of(sums: Floats) -> Floats:
    """Ratios of mean scores, shape (B, M, M); NaN where nothing is shared or both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums / np.swapaxes(sums, -1, -2))


def to_base(sums: Floats, base: int) -> Floats:
    """Ratios to the baseline's mean, shape (B, M)."""
    return ratios_of(sums)[:, :, base]


def scaled_theta(sums: Floats, base: int) -> Floats:
    """Geometric means of the ratios, over that of the baseline; shape (B, M)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(ratios_of(sums))
        comparable = ~np.isnan(logs)
        n_comparable = comparable.sum(axis=-1)
        with_itself = comparable.diagonal(axis1=-2, axis2=-1)
        unpaired = n_comparable - with_itself == 0
        total = np.where(comparable, logs, 0.0).sum(axis=-1)
        theta = total / n_comparable
        if theta.shape[1] > 1:  # a ratio to itself compares a model with nothing
            theta = np.where(unpaired, np.nan, theta)
        return np.asarray(np.exp(theta - theta[:, [base]]))


def percentile_interval(samples: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentile interval of each column; NaN where there are no samples."""
    proportion("level", level, error=ScoringError)
    n_samples, n_columns = samples.shape
    if n_samples == 0:
        unknown = np.full(n_columns, np.nan)
        return unknown, unknown.copy()
    tail = (1.0 - level) / 2.0
    # A sample without common units makes the interval unknown (NaN), not narrower; between two
    # infinite ones there is nothing to interpolate.
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(samples, [tail, 1.0 - tail], axis=0)
    return np.asarray(low), np.asarray(high)


@dataclass(frozen=True, eq=False)
class Grid:
    """Scores of U units by M models: what every comparison of models is made of."""

    units: pd.DataFrame
    models: list[str]
    values: Mapping[str, Floats]

    @classmethod
    def from_scores(cls, scores: pd.DataFrame, metric: str, models: list[str]) -> Grid:
        """The grid of one score of some models; rows that are not scorable are left out."""
        keys = [k for k in columns.UNIT_KEYS if k in scores]
        columns.need(scores, ("model", "as_of", "scorable", metric))
        rows = scores.loc[scores["scorable"].astype(bool), [*keys, "model", metric]]
        rows = rows.assign(model=rows["model"].astype(str))
        columns.refuse_twice(rows, keys)
        for key in keys:  # unobserved categories would be multiplied out
            if isinstance(rows[key].dtype, pd.CategoricalDtype):
                rows[key] = rows[key].astype(str)
        wide = (
            rows.set_index([*keys, "model"])[metric]
            .unstack("model")
            .reindex(columns=models)
        )
        units = wide.index.to_frame(index=False)
        return cls(units, models, values={metric: wide.to_numpy(dtype=float)})

    def rows(self, at: NDArray[np.bool_] | NDArray[np.intp]) -> Grid:
        """Some of the units."""
        values = {name: table[at] for name, table in self.values.items()}
        return replace(
            self, units=self.units.iloc[at].reset_index(drop=True), values=values
        )

    def groups(self, keys: Sequence[str]) -> Iterator[tuple[dict[str, Any], Grid]]:
        """The units by the values of columns, or of groups that follow from them, in order."""
        if not keys:
            yield {}, self
            return
        grouped = replace(self, units=with_groups(self.units, keys))
        indices = grouped.units.groupby(list(keys), observed=True, sort=True).indices
        for value, at in indices.items():
            values = value if isinstance(value, tuple) else (value,)
            yield dict(zip(keys, values, strict=True)), grouped.rows(np.asarray(at))

    def scored(self, metric: str = "wis") -> NDArray[np.bool_]:
        """Which forecasts have a score, shape (U, M)."""
        return np.isfinite(self.values[metric])

    def means(self, metric: str) -> Floats:
        """Mean of each model over its own units; NaN where it has none."""
        scored = self.scored(metric)
        with np.errstate(invalid="ignore"):
            total = np.where(scored, self.values[metric], 0.0).sum(axis=0)
            return np.asarray(total / scored.sum(axis=0))

    def pairs(self, metric: str) -> Pairs:
        """Sums over the common units of each pair of models, by cell."""
        days = pd.DatetimeIndex(self.units[origin_of(self.units)])
        origins, at = np.unique(days.to_numpy(), return_inverse=True)
        donors, eras, by = self._donors()
        places, cell = np.unique(
            np.stack([at, by], axis=1), axis=0, return_inverse=True
        )
        cell = cell.ravel()
        order = np.argsort(cell, kind="stable")
        ends = np.cumsum(np.bincount(cell))
        rows_of = np.split(order, ends[:-1])
        values = self.values[metric]
        scored = ~np.isnan(values)
        filled = np.where(scored, values, 0.0)
        sums = np.empty((len(rows_of), values.shape[1], values.shape[1]))
        counts = np.empty(sums.shape, dtype=np.int64)
        for c, rows in enumerate(rows_of):
            present = scored[rows].astype(float)
            sums[c] = filled[rows].T @ present
            counts[c] = present.T @ present
        cells = Cells(origins, donors, eras=eras, at=places[:, 0], by=places[:, 1])
        return Pairs(self.models, cells, sums=sums, counts=counts)

    def _donors(self) -> tuple[list[str], list[str], NDArray[np.intp]]:
        """Donor releases, the era of each, and which is each unit's (-1: none)."""
        units = self.units
        if "donor" not in units:
            return [], [], np.full(len(units), -1)
        names = (
            units["donor"].astype(object).fillna("").astype(str).str.partition("/")[0]
        )
        donors, first, by = np.unique(
            names.to_numpy(str), return_index=True, return_inverse=True
        )
        era = np.full(len(units), "", dtype=object)
        if {"as_of", "last_month"} <= set(units):
            as_of = pd.DatetimeIndex(units["as_of"]).to_numpy()
            last_month = pd.DatetimeIndex(units["last_month"]).to_numpy()
            era = columns.eras(as_of, last_month)
        without = int(donors[0] == "")  # sorted first
        names_of_donors = [str(name) for name in donors[without:]]
        eras = [str(name) for name in era[first[without:]]]
        return names_of_donors, eras, by - without


def _of_one_kind(scores: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse several kinds of vintages in one average: one is harder to forecast than another."""
    kinds = sorted(set(scores["vintage"].astype(str))) if "vintage" in scores else []
    if len(kinds) > 1 and "vintage" not in keys:
        raise ScoringError(
            f"the scores hold vintages {', '.join(kinds)}, which are never averaged together",
            hint=f"by='vintage', or one kind: scores[scores['vintage'] == {kinds[-1]!r}]",
        )


def _compared(
    table: Callable[[dict[str, object], Grid], pd.DataFrame],
    scores: pd.DataFrame,
    baseline: str,
    metric: str,
    by: str | Sequence[str],
) -> pd.DataFrame:
    """The tables of the groups of ``by``, one below the other; checked for ratios."""
    scores = table_of(scores)
    keys = columns.columns_of(by)
    if "model" in keys:
        raise ScoringError(
            "by names 'model', and models are what is compared", hint="leave it out"
        )
    scores = with_groups(scores, ["model", *keys])
    _of_one_kind(scores, keys)
    models = sorted(set(scores["model"].astype(str)))
    if baseline not in models:
        raise ScoringError(
            f"the baseline {baseline!r} is not among the models",
            hint=one_of(baseline, models),
        )
    frames = []
    for labels, part in columns.groups_of(scores, keys):
        grid = Grid.from_scores(part, metric, models=models)
        values = grid.values[metric]
        if not len(values):
            continue
        if (values < 0).any():
            raise ScoringError(
                f"{metric} has negative values, so ratios are not defined",
                hint="compare wis, crps, ae, ape or log_wis",
            )
        frames.append(table(labels, grid))
    if not frames:
        raise ScoringError(
            "no unit is scorable, so there is nothing to compare",
            hint="use an older origin or a later truth; the reasons are in the column 'reason'",
        )
    return pd.concat(frames, ignore_index=True)


def relative_skill(
    scores: pd.DataFrame,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
    bootstrap: int = 1000,
    block: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Skill of each model from pairwise comparisons, relative to a baseline.

    For each pair of models, take the ratio of mean scores on the units both have. A model's skill
    is the geometric mean of its ratios, divided by that of the baseline, as forecast hubs do
    (Cramer et al. 2022). Below 1 is better than the baseline.

    Parameters
    ----------
    baseline : str
        Model with relative skill 1.
    metric : str
        A nonnegative score: ``wis``, ``crps``, ``ae``, ``ape``, ``log_wis`` …
    by : str or sequence of str
        Compare within groups of these columns (:func:`~odforecast.scoring.columns.with_groups`).
    bootstrap : int
        Bootstrap samples of **origins**, and independently of **donors** within their era; 0 for
        no interval.
    block : int, optional
        Neighboring origins resampled together. Default: 12 months, at most a third of them.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``n_units`` (scored), ``n_common`` (fewest units shared with another
        model), ``n_origins``, ``n_blocks`` and ``n_donors`` shared with the baseline, mean
        ``metric`` over the model's own units, ``rel_skill``, ``lower``, ``upper``; best first. No
        interval below 5 origins, 3 blocks, or 3 donors of an era. If the baseline's mean is 0, a
        ratio is ``inf``, or NaN for another mean of 0.

    Raises
    ------
    ScoringError
        If the baseline is missing, a score is negative, a unit appears twice, or ``by`` names the
        model.

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
    return _relative(
        "rel_skill",
        scores,
        baseline=baseline,
        metric=metric,
        by=by,
        bootstrap=bootstrap,
        block=block,
        level=level,
        seed=seed,
    )


def relative_to_baseline(
    scores: pd.DataFrame,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
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
    return _relative(
        "ratio",
        scores,
        baseline=baseline,
        metric=metric,
        by=by,
        bootstrap=bootstrap,
        block=block,
        level=level,
        seed=seed,
    )


def _relative(
    order: str,
    scores: pd.DataFrame,
    baseline: str,
    metric: str,
    by: str | Sequence[str],
    bootstrap: int,
    block: int | None,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """One row per model and group, ``order`` the column that says which is better."""
    _check_sampling(bootstrap, block, level=level, seed=seed)

    def table(labels: dict[str, object], grid: Grid) -> pd.DataFrame:
        """A row per model, the best first."""
        pairs = grid.pairs(metric)
        base = grid.models.index(baseline)
        common = pairs.common
        rests_on = pairs.base
        n_units = common.diagonal()
        totals = np.einsum("oii->i", pairs.sums)
        statistic = to_base
        n_common = common[:, base]
        shared = bool(common[base, base] > 0)
        if order == "rel_skill":
            statistic = scaled_theta
            shared_counts = common.copy()
            if len(shared_counts) > 1:
                np.fill_diagonal(shared_counts, np.iinfo(np.int64).max)
                shared = bool((np.delete(common[base], base) > 0).any())
            n_common = shared_counts.min(axis=1)
        weights = pairs.cells.weights(bootstrap, block, seed)
        estimates = pairs.related(statistic, base, weights, level, shared)
        columns = labels | {
            "model": grid.models,
            "n_units": n_units,
            "n_common": n_common,
        }
        for name in ("n_origins", "n_blocks", "n_donors"):
            columns[name] = getattr(rests_on, name)[:, base]
        unknown = np.full(totals.shape, np.nan)
        columns[metric] = np.divide(totals, n_units, out=unknown, where=n_units > 0)
        columns |= {order: estimates[0], "lower": estimates[1], "upper": estimates[2]}
        return pd.DataFrame(columns).sort_values(order, kind="stable")

    return _compared(table, scores, baseline=baseline, metric=metric, by=by)


def _check_sampling(
    bootstrap: object, block: object, level: object, seed: object
) -> None:
    """Refuse settings of an interval over origins that mean nothing."""
    whole("bootstrap", bootstrap, least=0, error=ScoringError)
    if block is not None:
        whole("block", block, least=1, error=ScoringError)
    proportion("level", level, error=ScoringError)
    whole("seed", seed, least=0, error=ScoringError)


def pairwise(
    scores: pd.DataFrame,
    metric: str = "wis",
    by: str | Sequence[str] = (),
    *,
    scale: str = "natural",
    bootstrap: int = 1000,
    block: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> pd.DataFrame:
    """Ratio of mean scores for each pair of models, with an interval over groups of origins.

    :func:`~odforecast.scoring.relative_skill` is the geometric mean of a model's row, scaled to a
    baseline (Cramer et al. 2022; Bracher et al. 2021).

    Parameters
    ----------
    scale : {"natural", "log", "per_100k"}
        Deaths (large states dominate), WIS of log(1 + deaths), or rates (states only).
    scores, metric, by, bootstrap, block, level, seed
        As for :func:`~odforecast.scoring.relative_skill`.

    Returns
    -------
    DataFrame
        One row per ordered pair: ``by``, ``scale``, ``metric``, ``model``, ``other``,
        ``n_common``, ``n_origins``, ``n_groups`` (groups of consecutive origins, one year each),
        ``n_donors``, ``ratio`` (below 1: ``model`` is better), ``lower``, ``upper``, and
        ``n_better`` (groups in which the model was better).

    Raises
    ------
    ScoringError
        If there is only one model, the scale or a column is unknown, ``by`` names the model, or a
        score is negative.

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
    _check_sampling(bootstrap, block, level=level, seed=seed)
    table = table_of(scores)
    column = metric
    if scale == "log":
        column = "log_wis"
        if metric != "wis":
            raise ScoringError(
                f"{metric} has no log scale in the score table",
                hint="metric='wis', or the metric crps_log on the natural scale",
            )
    elif scale == "per_100k":
        table = per_100k(table[table["location"].astype(str) != NATION])
    models = sorted(set(table["model"].astype(str))) if "model" in table else []
    if len(models) < 2:
        raise ScoringError(
            f"{len(models)} model cannot be compared with another",
            hint="score two or more",
        )

    def rows(labels: dict[str, object], grid: Grid) -> pd.DataFrame:
        """A row per ordered pair."""
        head = {**labels, "scale": scale, "metric": metric}
        columns = _each_pair(
            grid.pairs(column), bootstrap, block=block, level=level, seed=seed
        )
        return pd.DataFrame(head | columns)

    return _compared(rows, table, baseline=models[0], metric=column, by=by)


def _each_pair(
    pairs: Pairs,
    bootstrap: int,
    block: int | None,
    level: float,
    seed: int,
) -> dict[str, Any]:
    """All ordered pairs of one group of units, as columns."""
    n = len(pairs.models)
    base = pairs.base
    group = pairs.cells.groups(block)
    by_group = np.zeros((int(group[-1]) + 1, n, n))
    units = np.zeros(by_group.shape, dtype=np.int64)
    np.add.at(by_group, group[pairs.cells.at], pairs.sums)
    np.add.at(units, group[pairs.cells.at], pairs.counts)
    n_groups = (units > 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        better = (ratios_of(by_group) < 1).sum(axis=0)
    weights = pairs.cells.weights(bootstrap, block, seed)
    samples = ratios_of(np.tensordot(weights, pairs.sums, axes=1))
    samples = samples.reshape(len(weights), n * n)
    lower, upper = percentile_interval(samples, level)
    too_few = (n_groups < MIN_GROUPS) | base.few_donors
    total = pairs.sums.sum(axis=0)
    tables = {
        "n_common": pairs.common,
        "n_origins": base.n_origins,
        "n_groups": n_groups,
        "n_donors": base.n_donors,
        "ratio": ratios_of(total[None])[0],
        "lower": np.where(too_few, np.nan, lower.reshape(n, n)),
        "upper": np.where(too_few, np.nan, upper.reshape(n, n)),
        "n_better": better,
    }
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    names = np.array(pairs.models, dtype=object)
    columns: dict[str, Any] = {"model": names[i], "other": names[j]}
    for name, table in tables.items():
        columns[name] = table[i, j]
    return columns


#: How the variance of a mean difference is estimated.
METHODS: Final = ("auto", "overlap", "cosine")
#: From this horizon on, forecasts overlap too much for the usual test.
_LONG: Final = 7
#: Fewest origins of a test that does not rest on the overlap.
_FEWEST: Final = 8


def diebold_mariano(
    scores: pd.DataFrame,
    model: str,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = ("horizon",),
    method: str = "auto",
) -> pd.DataFrame:
    """Diebold-Mariano test of equal mean scores.

    Score differences (model minus baseline) on common units are averaged per origin, and the
    series over origins is tested. Up to six months ahead, Harvey, Leybourne and Newbold's
    correction is used (``"overlap"``). From seven months on that test rejects a true hypothesis in
    13% of cases at a nominal 5% (64 monthly origins), so slow cosines estimate the variance
    (``"cosine"``, 7%).

    Parameters
    ----------
    by : str or sequence of str
        Groups tested separately. Of several tests at 5%, some are significant by chance.
    method : {"auto", "overlap", "cosine"}

    Returns
    -------
    DataFrame
        ``by``, ``n_units``, ``n_origins``, ``overlap`` (origins within one horizon),
        ``difference`` (negative: the model is better), ``statistic``, ``p_value`` (two-sided),
        ``method``, ``df``, ``critical`` (at 5%) and ``note`` (why there is no
        test, or ``bartlett`` where tapered weights were needed).

    Raises
    ------
    ScoringError
        If a model or column is missing, both models are the same, no unit is common, or a setting
        is not allowed.

    References
    ----------
    Diebold and Mariano 1995, JBES 13:253; Harvey, Leybourne and Newbold 1997, Int. J. Forecasting
    13:281; Lazarus, Lewis, Stock and Watson 2018, JBES 36:541; Coroneo and Iacone 2020, J. Applied
    Econometrics 35:391.
    """
    if method not in METHODS:
        raise ScoringError(f"unknown method {method!r}", hint=one_of(method, METHODS))
    keys = columns.columns_of(by)
    scores = table_of(scores)
    models = set(scores["model"].astype(str)) if "model" in scores else set()
    for name in (model, baseline):
        if name not in models:
            raise ScoringError(
                f"no scores of {name!r}", hint=one_of(name, sorted(models))
            )
    if model == baseline:
        raise ScoringError(
            f"{model} cannot be tested against itself", hint="name another model"
        )
    table = with_groups(scores, [*keys, "horizon"])
    table = table[table["model"].astype(str).isin([model, baseline])]
    _of_one_kind(table, keys)
    rows = []
    for labels, part in columns.groups_of(table, keys):
        grid = Grid.from_scores(part, metric, models=[model, baseline])
        grid = grid.rows(~np.isnan(grid.values[metric]).any(axis=1))
        if grid.units.empty:
            continue
        values = grid.values[metric]
        differences = pd.Series(values[:, 0] - values[:, 1])
        origins = grid.units[origin_of(grid.units)]
        gap = differences.groupby(origins).mean().sort_index()
        days = pd.DatetimeIndex(gap.index).to_numpy()
        months = days.astype("datetime64[M]").astype(int)
        horizon = max(1, int(part["horizon"].max()))
        result = _test(
            np.asarray(gap, dtype=np.float64), months, horizon=horizon, method=method
        )
        rows.append(labels | {"n_units": len(differences)} | result)
    if not rows:
        raise ScoringError(f"{model} and {baseline} have no scorable unit in common")
    return pd.DataFrame(rows)


class MeanTest(NamedTuple):
    """A test that a mean is 0."""

    statistic: float = float("nan")
    #: Two-sided.
    p_value: float = float("nan")
    #: Degrees of freedom.
    df: float = float("nan")
    #: Value of the statistic that is significant at 5%.
    critical: float = float("nan")
    #: Why there is no test, or what it needed.
    note: str = ""


def _student(statistic: float, df: int, note: str = "") -> MeanTest:
    """A test by Student's t."""
    from scipy.special import (
        stdtr,
        stdtrit,
    )  # a tenth of a worker's start, which has no tests

    p_value = float(2.0 * stdtr(df, -abs(statistic)))
    return MeanTest(
        float(statistic),
        p_value,
        df=float(df),
        critical=float(stdtrit(df, 0.975)),
        note=note,
    )


def _test(
    gap: Floats, months: NDArray[np.int64], horizon: int, method: str
) -> dict[str, object]:
    """The test of one series of differences, one per origin, at these months."""
    if method == "auto":
        method = "overlap" if horizon < _LONG else "cosine"
    overlap = 1 + int((horizon - 1) // max(_spacing(months), 1.0))
    mean = float(gap.mean())
    spread = np.abs(gap - gap.mean()).max()
    reason = _too_few(months, overlap, horizon=horizon, method=method)
    if reason:
        test = MeanTest(note=reason)
    elif spread <= 1e-12 * max(1.0, abs(mean)):
        test = MeanTest(note="the difference is the same at every origin")
    elif method == "overlap":
        test = _overlapping(gap, months, horizon=horizon, overlap=overlap)
    else:
        test = cosine_test(gap, months, horizon=horizon)
    head = {"n_origins": gap.size, "overlap": overlap, "difference": mean}
    result = {"statistic": test.statistic, "p_value": test.p_value, "method": method}
    return head | result | test._asdict()


def _too_few(months: NDArray[np.int64], overlap: int, horizon: int, method: str) -> str:
    """Why there is no test of so many origins; empty if there is."""
    n = months.size
    stretch = int(months[-1] - months[0]) + 1
    if method == "overlap":
        least = 2 * overlap + 1
        correction = n + 1 - 2 * overlap + overlap * (overlap - 1) / n
        if n < least or correction <= 0:
            return f"{n} origins are too few: {least} needed"
        return ""
    needed = int(np.ceil(SHORTEST * horizon))
    if n < _FEWEST:
        return f"{n} origins are too few: {_FEWEST} needed"
    if stretch < needed:
        return (
            f"{n} origins within {stretch} months are too few: {needed} months needed"
        )
    return ""


def _overlapping(
    gap: Floats, months: NDArray[np.int64], horizon: int, overlap: int
) -> MeanTest:
    """Harvey, Leybourne and Newbold's test."""
    n = gap.size
    mean = float(gap.mean())
    distances = np.abs(months[:, None] - months[None, :])
    deviations = gap - mean
    products = np.outer(deviations, deviations)
    variance = float(products[distances < horizon].sum()) / n**2
    note = ""
    if variance <= 0:
        weights = np.maximum(1.0 - distances / horizon, 0.0)
        variance = float((products * weights).sum()) / n**2
        note = "bartlett"
        if variance <= 0:
            return MeanTest(note="no positive variance")
    correction = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    statistic = mean / np.sqrt(variance) * np.sqrt(correction)
    return _student(statistic, n - 1, note=note)


#: Months of the series, per month of the horizon, below which there is no test.
SHORTEST: Final = 2.5
#: Cosines per stretch of one horizon; set by a simulation of the size, see the tests.
_PER_HORIZON: Final = 0.8


def cosine_test(series: ArrayLike, months: NDArray[np.int64], horizon: int) -> MeanTest:
    """Test of a zero mean with equally weighted cosines, and Student's t."""
    x = np.asarray(series, dtype=float)
    spacing = _spacing(months)
    stretch = float(months[-1] - months[0]) + spacing
    by_stretch = int(_PER_HORIZON * stretch / horizon)
    by_size = int(0.4 * x.size ** (2 / 3))
    df = max(2, min(by_stretch, by_size, x.size - 1))
    position = (months - months[0] + spacing / 2) / stretch
    waves = np.cos(np.pi * np.outer(position, np.arange(1, df + 1)))
    # Orthogonal to the mean and to each other also where months are missing.
    orthogonal, _ = np.linalg.qr(np.column_stack([np.ones(x.size), waves]))
    basis = orthogonal[:, 1:]
    variance = float(((x @ basis) ** 2).mean()) / x.size
    statistic = float("nan")
    if variance > 0:
        statistic = float(x.mean() / np.sqrt(variance))
    return _student(statistic, df)


def _spacing(months: NDArray[np.int64]) -> float:
    """Months from one origin to the next, usually."""
    return float(np.median(np.diff(months))) if months.size > 1 else 1.0
