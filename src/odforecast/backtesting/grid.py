"""Scores of many models on the forecasts that a task asks for, as arrays: units × models.

A leaderboard of thirty models has four million rows; side by side they are a few arrays, and all
comparisons are sums over the rows that two models, or all of them, have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.backtesting.entries import Entry
from odforecast.errors import BacktestError
from odforecast.scoring.columns import with_groups
from odforecast.scoring.pairs import Base, Cells, Pairs, cells_of, percentile_interval, weights

Floats = NDArray[np.float64]

#: A model with fewer of the counts that can be scored is left out of what "all" have: one that
#: forecast a single count would leave the others that count alone to be compared on.
ENOUGH = 0.5
#: Scores that are kept.
METRICS = ("wis", "log_wis", "cover_50", "cover_80", "cover_90", "cover_95", "pit")
#: What tells the units of a task apart.
_KEYS = ("as_of", "last_month", "donor", "location", "target", "horizon")
#: What an interval rests on.
RESTS = ("n_origins", "n_blocks", "n_donors")


@dataclass(frozen=True, eq=False)
class Grid:
    """Scores of U units by M models.

    Attributes
    ----------
    units : DataFrame
        A row per forecast that the task asks for; see :meth:`Entry.asked`.
    models : list of str
    made : ndarray of bool, shape (U, M)
        Whether a model made the forecast.
    values : mapping of str to ndarray, shape (U, M)
        By score; NaN where the forecast is missing, or cannot be scored.
    """

    units: pd.DataFrame
    models: list[str]
    made: NDArray[np.bool_]
    values: Mapping[str, Floats]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Grid:
        """The grid of models of one task.

        Raises
        ------
        BacktestError
            If a model has two rows of one forecast, or one of another task.
        """
        units = _with_last_reported(entries[0].asked(), entries)
        index = pd.MultiIndex.from_frame(units[list(_KEYS)])
        made = np.zeros((len(units), len(entries)), dtype=bool)
        values = {name: np.full(made.shape, np.nan) for name in METRICS}
        for m, entry in enumerate(entries):
            rows = entry.made()
            keys = rows[list(_KEYS)].astype(
                {"as_of": "datetime64[s]", "last_month": "datetime64[s]"}
                | dict.fromkeys(("location", "target"), str)
            )
            # The column holds a release and a hash of its data.
            keys["donor"] = _releases(keys["donor"])
            at = index.get_indexer(pd.MultiIndex.from_frame(keys))
            if (at < 0).any() or np.unique(at).size < at.size:
                what = "a forecast that its task does not ask for" if (at < 0).any() else "two rows"
                raise BacktestError(
                    f"{entry.where}: model {entry.model} has {what} of one unit",
                    hint="run the task again into a folder of its own",
                )
            made[at, m] = True
            scorable = rows["scorable"].to_numpy(dtype=bool)
            for name in METRICS:
                column = rows[name].to_numpy(dtype=float) if name in rows else np.nan
                values[name][at, m] = np.where(scorable, column, np.nan)
        return cls(units, [e.model for e in entries], made, values)

    def grouped(self, keys: Sequence[str]) -> Grid:
        """The same with grouping columns: ``level``, ``horizon_group``, ``regime``, ``era`` …

        Raises
        ------
        BacktestError
            If places are to be grouped by ``size``, and no results say what was reported.
        """
        if "size" in keys and "last_reported" not in self.units:
            raise BacktestError(
                "these results cannot be split by size: they lack the column last_reported",
                hint="run the task again, or split by location",
            )
        return replace(self, units=with_groups(self.units, keys))

    def rows(self, mask: NDArray[np.bool_]) -> Grid:
        """Some of the units."""
        values = {name: table[mask] for name, table in self.values.items()}
        units = self.units[mask].reset_index(drop=True)
        return replace(self, units=units, made=self.made[mask], values=values)

    def where(self, only: Mapping[str, object]) -> Grid:
        """The units that have these values in columns, or groups."""
        if not only:
            return self
        grouped = self.grouped(list(only))
        mask = np.ones(len(self.units), dtype=bool)
        for name, value in only.items():
            mask &= (grouped.units[name].astype(str) == str(value)).to_numpy()
        return grouped.rows(mask)

    def groups(self, keys: Sequence[str]) -> Iterator[tuple[dict[str, Any], Grid]]:
        """The units by the values of columns, in order."""
        if not keys:
            yield {}, self
            return
        grouped = self.grouped(keys)
        found = grouped.units.groupby(list(keys), observed=True, sort=True).indices
        for value, at in found.items():
            mask = np.zeros(len(self.units), dtype=bool)
            mask[at] = True
            named = value if isinstance(value, tuple) else (value,)
            yield dict(zip(keys, named, strict=True)), grouped.rows(mask)

    def scored(self, metric: str = "wis") -> NDArray[np.bool_]:
        """Which forecasts have a score, shape (U, M)."""
        return np.isfinite(self.values[metric])

    def means(self, metric: str) -> Floats:
        """Mean of each model over its own units; NaN where it has none."""
        values = self.values[metric]
        there = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0))

    def in_all(self, metric: str = "wis") -> NDArray[np.bool_]:
        """Models that count where units of *all* are meant, shape (M,).

        Those with :data:`ENOUGH` of the units that any model has a score of.
        """
        there = self.scored(metric)
        enough = there.sum(axis=0) >= ENOUGH * there.any(axis=1).sum()
        return np.asarray(enough & there.any(axis=0))

    def on_all(self, metric: str = "wis") -> tuple[int, Floats]:
        """Number of units that all models have a WIS of, and each model's mean over them.

        Whatever the score: numbers that stand side by side are of the same units. Models that
        :meth:`in_all` leaves out do not decide which, and have no mean (NaN).
        """
        there, counts = self.scored(), self.in_all()
        means = np.full(len(self.models), np.nan)
        if not counts.any():
            return 0, means
        whole = there[:, counts].all(axis=1)
        n = int(whole.sum())
        if n:
            means[counts] = self.values[metric][whole][:, counts].mean(axis=0)
        return n, means

    def cells(self, metric: str = "wis") -> tuple[Cells, NDArray[np.intp]]:
        """What is resampled, and the cell of each unit (-1: no model has it)."""
        any_has = self.scored(metric).any(axis=1)
        names = ["as_of", "last_month", "vintage", "donor"]
        code = self.units.groupby(names, sort=False, observed=True).ngroup().to_numpy()
        used = np.unique(code[any_has])
        first = np.array([int(np.flatnonzero(code == c)[0]) for c in used], dtype=int)
        frame = self.units.loc[first, names]
        cells, rows = cells_of(pd.DataFrame(index=pd.MultiIndex.from_frame(frame)))
        cell = np.full(int(code.max(initial=-1)) + 1, -1)
        for c, members in enumerate(rows):
            cell[used[members]] = c
        return cells, np.where(any_has, cell[code], -1)

    def ratios(
        self,
        baseline: str,
        metric: str = "wis",
        level: float = 0.9,
        bootstrap: int = 1000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Ratio of mean scores to a baseline's on the units both have, as
        :func:`odforecast.scoring.relative_to_baseline` gives it.

        Returns
        -------
        DataFrame
            By model: ``ratio``, ``lower``, ``upper``, ``n_common``; NaN where nothing is common.
            ``n_origins``, ``n_blocks``, ``n_donors``: of the units both have, on which the
            interval rests.
        """
        values, base = self.values[metric], self.models.index(baseline)
        there = np.isfinite(values)
        both = there & there[:, [base]]
        n_models = len(self.models)
        nothing = np.full(n_models, np.nan)
        columns = {"ratio": nothing, "lower": nothing, "upper": nothing}
        if both.any():
            cells, at = self.cells(metric)
            mine, theirs = (
                _by_cell(x, both, at, cells.at.size) for x in (values, values[:, [base]])
            )
            often = weights(cells, bootstrap, None, seed)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = mine.sum(axis=0) / theirs.sum(axis=0)
                drawn = (often @ mine) / (often @ theirs)
            lower, upper = percentile_interval(drawn, level, n_models)
            few = self._base(both, metric).few[:, 0]
            lower, upper = (np.where(few, np.nan, ends) for ends in (lower, upper))
            columns = {"ratio": ratio, "lower": lower, "upper": upper}
        return pd.DataFrame(
            columns | {"n_common": both.sum(axis=0)} | self.rests(both, metric),
            index=pd.Index(self.models, name="model"),
        )

    def rests(
        self, units: NDArray[np.bool_] | None = None, metric: str = "wis"
    ) -> dict[str, NDArray[np.int64]]:
        """Origins, blocks of them and donors that each model's units lie in, by :data:`RESTS`.

        Parameters
        ----------
        units : ndarray of bool, shape (U, M), optional
            Default: those that a model has a score of.
        metric : str
        """
        there = self.scored(metric)
        if not there.any():
            return {name: np.zeros(len(self.models), dtype=np.int64) for name in RESTS}
        base = self._base(there if units is None else units, metric)
        return {name: getattr(base, name)[:, 0] for name in RESTS}

    def _base(self, units: NDArray[np.bool_], metric: str) -> Base:
        """What comparisons on some units rest on, shapes (M, 1), as scores themselves have it."""
        cells, at = self.cells(metric)
        counts = _by_cell(np.ones((len(units), 1)), units, at, cells.at.size)
        whole = counts.astype(np.int64)[:, :, None]
        return Pairs(self.models, cells, counts[:, :, None], whole).base()


def _by_cell(values: Floats, both: NDArray[np.bool_], at: NDArray[np.intp], n: int) -> Floats:
    """Sums over the units that both have, by cell and model, shape (C, M)."""
    used = at >= 0
    out = np.zeros((n, both.shape[1]))
    wide = np.broadcast_to(values, both.shape)
    for m in range(both.shape[1]):
        kept = used & both[:, m]
        out[:, m] = np.bincount(at[kept], wide[kept, m], minlength=n)
    return out


def _with_last_reported(units: pd.DataFrame, entries: Sequence[Entry]) -> pd.DataFrame:
    """The units with the count that was last known of their places, where results say it."""
    keys = ["as_of", "last_month", "donor", "location"]
    parts = []
    for entry in entries:
        if "last_reported" in entry.scores and len(entry.scores):
            rows = entry.scores[[*keys, "last_reported"]].drop_duplicates()
            rows = rows.assign(
                location=rows["location"].astype(str), donor=_releases(rows["donor"])
            )
            parts.append(rows[rows["last_reported"].notna()])
    if not parts:
        return units
    known = pd.concat(parts, ignore_index=True).drop_duplicates(keys)
    known = known.astype({"as_of": "datetime64[s]", "last_month": "datetime64[s]"})
    return units.merge(known, on=keys, how="left", validate="many_to_one")


def _releases(column: pd.Series[str]) -> pd.Series[str]:
    texts = column.astype(str)
    short = {name: name.partition("/")[0] for name in texts.unique()}
    return texts.map(short)
