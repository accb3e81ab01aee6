"""Models compared on the units that both have, with intervals over origins and donor releases.

A mean score says nothing beside another unless both are over the same units. So scores are summed
pair by pair, cell by cell (an origin, by one donor where there are donors).

Forecasts of neighbouring origins overlap and share their errors, so blocks of origins are drawn.
Pseudo-vintages with delay share a second thing: all origins that took their delay from one release
share its noise, and the releases are few. So whole donor releases are drawn as well, within their
era and independently of the origins; an origin's forecast by a donor counts as often as the origin
was drawn times as often as the donor was (Owen 2007, Annals of Applied Statistics 1:386: somewhat
too wide, never too narrow by treating 64 × 3 as 192).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, one_of, proportion, whole
from odforecast.geography import NATION
from odforecast.scoring.columns import UNIT_KEYS, columns_of, eras, sampling, table_of, with_groups
from odforecast.scoring.units import per_100k

Floats = NDArray[np.float64]

#: Fewer origins than this say nothing about how a comparison varies between origins.
MIN_ORIGINS = 5
#: Nor do fewer blocks of them: a year and what follows it are one spell. (Of all origins there are
#: always as many: a block is a third of them at most.)
MIN_BLOCKS = 3
#: Nor do fewer donor releases of an era about how it varies between releases.
MIN_DONORS = 3


@dataclass(frozen=True)
class Cells:
    """Origins, by one donor each where there are donors: what is resampled.

    Attributes
    ----------
    origins : ndarray of datetime64, shape (O,)
        Different origins, in order.
    donors, eras : list of str
        Different donor releases, and the era of each.
    at, by : ndarray of int, shape (C,)
        Place of each cell among the origins, and among the donors (-1: by none).
    """

    origins: NDArray[np.datetime64]
    donors: list[str]
    eras: list[str]
    at: NDArray[np.intp]
    by: NDArray[np.intp]

    @property
    def n_blocks(self) -> int:
        """Blocks of origins that make up all of them."""
        return int(self.groups()[-1]) + 1

    def groups(self, block: int | None = None) -> NDArray[np.intp]:
        """Which group of consecutive origins each origin lies in, shape (O,).

        What is left after the last whole block belongs to that block: a month or two by
        themselves are no group. Where a block is a third of the origins and no year, there are
        three.

        Parameters
        ----------
        block : int, optional
            Origins in a group; default: :func:`default_block`.

        Examples
        --------
        >>> import numpy as np
        >>> from odforecast.scoring.pairs import Cells
        >>> months = np.arange("2024-01", "2024-08", dtype="M8[M]").astype("M8[s]")
        >>> none = np.zeros(0, dtype=np.intp)
        >>> Cells(months, [], [], none, none).groups().tolist()
        [0, 0, 1, 1, 2, 2, 2]
        """
        n, size = self.origins.size, default_block(self.origins) if block is None else block
        most = n // size
        if block is None and n > 2 and n // 3 < _in_a_year(self.origins):
            most = 3
        return np.minimum(np.arange(n) // size, max(most - 1, 0))


def origin_level(wide: pd.DataFrame) -> str:
    """Index level that tells origins apart: the last known month, where the table has it."""
    return "last_month" if "last_month" in wide.index.names else "as_of"


def cells_of(wide: pd.DataFrame) -> tuple[Cells, list[NDArray[np.intp]]]:
    """The cells of a table of units, and the rows of each.

    Parameters
    ----------
    wide : DataFrame
        As :func:`odforecast.scoring.pairs.common_units` makes it.
    """
    days = pd.DatetimeIndex(wide.index.get_level_values(origin_level(wide)))
    origins, at = np.unique(days.to_numpy(), return_inverse=True)
    donors, donor_eras, by = _donors(wide)
    pairs, which = np.unique(np.stack([at, by], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel()))
    rows = np.split(order, ends[:-1])
    return Cells(origins, donors, donor_eras, pairs[:, 0], pairs[:, 1]), rows


def _donors(wide: pd.DataFrame) -> tuple[list[str], list[str], NDArray[np.intp]]:
    """Donor releases, the era of each, and which is each row's (-1: none).

    The column holds a release and a hash of its data; one release is one donor.
    """
    none = np.full(len(wide), -1)
    if "donor" not in wide.index.names:
        return [], [], none
    column = wide.index.get_level_values("donor")
    short = {name: str(name).partition("/")[0] for name in column.unique() if pd.notna(name)}
    names = np.array([short.get(name, "") for name in column], dtype=object)
    donors, by = np.unique(names.astype(str), return_inverse=True)
    era = np.full(len(wide), "", dtype=object)
    if {"as_of", "last_month"} <= set(wide.index.names):
        days = [pd.DatetimeIndex(wide.index.get_level_values(k)) for k in ("as_of", "last_month")]
        era = eras(days[0].to_numpy(), days[1].to_numpy())
    first = np.array([int(np.flatnonzero(by == d)[0]) for d in range(donors.size)])
    if donors[0] == "":  # sorted first
        by = by - 1
        donors, first = donors[1:], first[1:]
    return [str(d) for d in donors], [str(era[f]) for f in first], by


def default_block(origins: NDArray[np.datetime64]) -> int:
    """Neighbouring origins that lie within 12 months, at most a third of them, at least 1."""
    if origins.size < 2:
        return 1
    return int(max(1, min(_in_a_year(origins), origins.size // 3)))


def _in_a_year(origins: NDArray[np.datetime64]) -> int:
    """Neighbouring origins within 12 months; of two or more."""
    days = np.array([int((b - a) / np.timedelta64(1, "D")) for a, b in itertools.pairwise(origins)])
    return round(365.25 / max(1.0, float(np.median(days))))


def weights(cells: Cells, samples: int, block: int | None, seed: int) -> Floats:
    """How often each cell is drawn, shape (B, C): a circular block bootstrap of the origins,
    times a bootstrap of the donors of each era.
    """
    n = cells.origins.size
    if samples < 0 or (block is not None and block < 1):
        raise ScoringError(
            f"bootstrap={samples} and block={block}",
            hint="bootstrap of at least 0, block of at least 1 origin",
        )
    few = any(cells.eras.count(era) < MIN_DONORS for era in set(cells.eras))
    if samples == 0 or n < MIN_ORIGINS or few:
        return np.zeros((0, cells.at.size))
    size = default_block(cells.origins) if block is None else min(block, n)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, n, size=(samples, -(-n // size)))
    drawn = (starts[:, :, None] + np.arange(size)).reshape(samples, -1)[:, :n] % n
    often_at = np.zeros((samples, n))
    np.add.at(often_at, (np.arange(samples)[:, None], drawn), 1.0)
    # A cell without a donor is always in: its column is the last.
    often_by = np.zeros((samples, len(cells.donors) + 1))
    often_by[:, -1] = 1.0
    for era in sorted(set(cells.eras)):
        own = np.flatnonzero(np.array(cells.eras) == era)
        took = own[rng.integers(0, own.size, size=(samples, own.size))]
        np.add.at(often_by, (np.arange(samples)[:, None], took), 1.0)
    return often_at[:, cells.at] * often_by[:, cells.by]


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
        there = n == 1 or bool((np.delete(pairs.common[base], base) > 0).any())
        table = pairs.frame(labels, metric, others.min(axis=1), base)
        columns = _related(pairs, _scaled_theta, base, there, bootstrap, block, level, seed)
        frames.append(table.assign(**dict(zip(("rel_skill", "lower", "upper"), columns))))
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
        there = bool(pairs.common[base, base] > 0)
        table = pairs.frame(labels, metric, pairs.common[:, base], base)
        columns = _related(pairs, _to_base, base, there, bootstrap, block, level, seed)
        frames.append(table.assign(**dict(zip(("ratio", "lower", "upper"), columns))))
    return _finish(frames, "ratio")


def _related(
    pairs: Pairs, statistic: Callable[[Floats, int], Floats], base: int, there: bool,
    bootstrap: int, block: int | None, level: float, seed: int,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """A statistic of sums (B, M, M) for each model, and its interval.

    The baseline is 1 to itself, also where its mean is 0.
    """
    often = weights(pairs.cells, bootstrap, block, seed)
    found = []
    for sums in (pairs.sums.sum(axis=0)[None], np.tensordot(often, pairs.sums, axes=1)):
        values = statistic(sums, base)
        if there:
            values[:, base] = 1.0
        found.append(values)
    few = pairs.base().few[:, base]
    lower, upper = percentile_interval(found[1], level, len(pairs.models))
    return found[0][0], np.where(few, np.nan, lower), np.where(few, np.nan, upper)


def _to_base(sums: Floats, base: int) -> Floats:
    """Ratios to the baseline's mean, shape (B, M)."""
    return ratios_of(sums)[:, :, base]


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


def _finish(frames: list[pd.DataFrame], order: str) -> pd.DataFrame:
    if not frames:
        raise ScoringError(
            "no unit is scorable, so there is nothing to compare",
            hint="use an older origin or a later truth; the reasons are in the column 'reason'",
        )
    for_each = [frame.sort_values(order, kind="stable") for frame in frames]
    return pd.concat(for_each, ignore_index=True)


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
