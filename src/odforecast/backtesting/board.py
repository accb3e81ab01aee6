"""A leaderboard: results of one task, from several folders, side by side on common units.

What is compared must have been asked the same: results whose tasks have two fingerprints are
refused. What a model did not forecast is counted beside what it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.entries import Entry, entries_of, merged
from odforecast.backtesting.grid import RESTS, Grid
from odforecast.backtesting.results import BASELINE, Results
from odforecast.errors import BacktestError
from odforecast.months import to_month
from odforecast.names import VINTAGE_CLEAN
from odforecast.say import card, few, html_table, number_of, quoted, steady

#: The other denominator: an honest simple model, given the delay.
SECOND = "naive+delay"
#: Columns of :meth:`Board.table`, after those that it is split by.
COLUMNS = (
    "model", "n_asked", "n_missing", "n_scored", "in_all", "n_all", "wis", "wis_all",
    "rel_wis", "rel_wis_low", "rel_wis_high", "n_common",
    "rel_naive", "rel_naive_low", "rel_naive_high", "n_common_naive", "rel_log_wis",
    "coverage_50", "coverage_90", "n_origins", "n_blocks", "n_donors",
)  # fmt: skip


def leaderboard(
    results: Results | str | PathLike[str] | Sequence[Results | str | PathLike[str]],
) -> Board:
    """Put results of one task side by side.

    Parameters
    ----------
    results : Results, path, or sequence of them
        Of :func:`odforecast.backtest` with ``task=``, of :meth:`Task.run`, or of forecasts that
        were made elsewhere (``odforecast task submit``); folders are read.

    Returns
    -------
    Board

    Raises
    ------
    BacktestError
        If results were run without a task, their fingerprints differ, what a manifest says of its
        data does not give its fingerprint, or one model is there twice and differs.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.backtesting import Task, leaderboard
    >>> task = Task.load("quick")
    >>> board = leaderboard([task.run(["hub-baseline", "naive+delay"], progress=False),
    ...                      task.run("drift+delay", progress=False)])
    >>> board.entries[["model", "n_missing", "n_failures"]].values.tolist()
    [['hub-baseline', 0, 0], ['naive+delay', 0, 0], ['drift+delay', 0, 0]]
    """
    given = [results] if isinstance(results, Results | str | PathLike) else list(results)
    if not given:
        raise BacktestError("a leaderboard of nothing", hint="give results, or their folders")
    entries: list[Entry] = []
    for i, one in enumerate(given, 1):
        where = f"results {i}" if isinstance(one, Results) else fspath(one)
        read = one if isinstance(one, Results) else _read(Path(one))
        entries += entries_of(read, where)
    return Board(merged(entries))


def _read(folder: Path) -> Results:
    """A folder of results; another thing is named, for none of it has to be run again."""
    if not (folder / "manifest.json").exists():
        called = quoted(str(folder))
        raise BacktestError(
            f"{called} holds no results"
            if folder.exists()
            else f"no such folder of results: {called}",
            hint="give folders of odforecast backtest --task NAME --out DIR, or of odforecast task "
            "submit --out DIR",
        )
    return Results.load(folder)


@dataclass(frozen=True, eq=False, repr=False)
class Board:
    """Models on one task.

    Attributes
    ----------
    parts : list of Entry
        A model each, in the order they were given.
    """

    parts: list[Entry]

    @property
    def task(self) -> dict[str, Any]:
        """The task: its name, fingerprint and definition."""
        return dict(self.parts[0].task)

    @property
    def models(self) -> list[str]:
        """Labels."""
        return [p.model for p in self.parts]

    @property
    def scores(self) -> pd.DataFrame:
        """The score tables of all models, as one: the forecasts that the task asks for, and the
        columns that comparisons need (:data:`odforecast.backtesting.entries.KEPT`).
        """
        return pd.concat([p.scores for p in self.parts], ignore_index=True)

    @cached_property
    def grid(self) -> Grid:
        """Their scores on the forecasts that the task asks for, as arrays."""
        return Grid.of(self.parts)

    @property
    def second(self) -> str | None:
        """The second denominator; on complete counts the one without the delay is the same."""
        clean = self.task["definition"]["vintages"] == VINTAGE_CLEAN
        usual = (SECOND, "naive") if clean else (SECOND,)
        return next((name for name in usual if name in self.models), None)

    @steady
    def __repr__(self) -> str:
        lacking = [p.model for p in self.parts if p.n_missing]
        return card(
            f"Board: {number_of(len(self.parts), 'model')} on task {self.task['name']} "
            f"({self.task['fingerprint'][:12]})",
            f"models {few(self.models)}",
            f"with missing forecasts: {few(lacking)}" if lacking else "no forecast is missing",
            "next: .to_frame(), .entries, .table(by=['level', 'regime'])",
        )

    @steady
    def _repr_html_(self) -> str:
        table = self.entries.drop(columns=["spec_hash", "code", "where"])
        name, short = self.task["name"], self.task["fingerprint"][:12]
        return html_table(table, f"Task {name} ({short})", "next: .to_frame(), .entries")

    @property
    def entries(self) -> pd.DataFrame:
        """Who takes part.

        Returns
        -------
        DataFrame
            A row per model: ``model``, ``version``, ``submitted`` (whether it was made elsewhere),
            ``n_asked`` (forecasts that the task asks for), ``n_missing`` (of these not made),
            ``n_failures`` (rows of the failures table), ``failure`` (the commonest reason),
            ``seconds_per_origin`` (fit and forecast; NaN where unknown), ``spec_hash``, ``code``
            (digest of the code), ``where`` (the folder).
        """
        rows = []
        for p in self.parts:
            reasons = p.failures["reason"].astype(str).value_counts()
            rows.append(
                {
                    "model": p.model,
                    "version": p.version,
                    "submitted": p.submitted,
                    "n_asked": p.n_asked,
                    "n_missing": p.n_missing,
                    "n_failures": len(p.failures),
                    "failure": str(reasons.index[0]) if len(reasons) else "",
                    "seconds_per_origin": p.seconds_per_origin,
                    "spec_hash": p.spec,
                    "code": p.code or "",
                    "where": p.where,
                }
            )
        return pd.DataFrame(rows)

    def to_frame(self) -> pd.DataFrame:
        """The leaderboard by level and months ahead; see :meth:`table`."""
        return self.table()

    def table(
        self,
        by: Sequence[str] = ("level", "horizon_group"),
        level: float = 0.9,
        bootstrap: int = 1000,
        only: Mapping[str, object] | None = None,
        since: object | None = None,
    ) -> pd.DataFrame:
        """Scores per model and group, the best first on the counts that all have.

        Parameters
        ----------
        by : sequence of str
            Columns to split by, as :func:`odforecast.scoring.columns.with_groups` has them:
            ``level``, ``horizon_group``, ``regime``, ``era``, ``location`` …
        level : float
            Probability of the intervals.
        bootstrap : int
            Samples of the intervals; 0 for none.
        only : mapping, optional
            Of a column the value that rows must have: ``{"era": "4.5"}``.
        since : month, optional
            Only origins whose last known month is not earlier.

        Returns
        -------
        DataFrame
            ``by`` and :data:`COLUMNS`: forecasts asked for and missing, counts scored, and those
            that *all* models have (``n_all``); mean WIS over a model's own counts and over those
            (``wis_all``). A model that has fewer than half of the counts that can be scored is
            not among all (``in_all``), and stands last. Its ratio to the hub baseline and to
            ``naive+delay`` on the counts both have (``n_common``, ``n_common_naive``), with
            intervals from blocks of origins and whole donor releases drawn again; the ratio of
            WIS on logs; coverage over the counts that all have, as ``wis_all``; and the origins,
            blocks and donors of the counts in common with the hub baseline (without it, with the
            other; without both, of the model's own), on which its interval rests. Months that
            were known when the forecast was made are left out.
        """
        keys = list(by)
        found = []
        whole = self.grid.where(dict(only or {}))
        if since is not None:
            months = whole.units["last_month"].to_numpy().astype("datetime64[M]")
            whole = whole.rows(months >= to_month(since))
        for named, grid in whole.groups(keys):
            if grid.scored().any():
                part = self._group(grid, level, bootstrap)
                for key, value in named.items():
                    part[key] = value
                found.append(part)
        if not found:
            return pd.DataFrame(columns=[*keys, *COLUMNS])
        out = pd.concat(found, ignore_index=True)[[*keys, *COLUMNS]]
        for key in keys:  # in the order of the groups, not of the alphabet
            column = whole.grouped([key]).units[key]
            if isinstance(column.dtype, pd.CategoricalDtype):
                out[key] = pd.Categorical(out[key], column.cat.categories, ordered=True)
        out["last"] = ~out["in_all"].to_numpy(dtype=bool)
        order = [*keys, "last", "wis_all", "rel_wis"]
        return out.sort_values(order, kind="stable", ignore_index=True).drop(columns="last")

    def _group(self, grid: Grid, level: float, bootstrap: int) -> pd.DataFrame:
        """A row per model of one group of units."""
        n_all, on_all = grid.on_all()
        rests: dict[str, Any] | None = None
        made = grid.made.sum(axis=0)
        columns: dict[str, object] = {
            "model": grid.models,
            "n_asked": len(grid.units),
            "n_missing": len(grid.units) - made,
            "n_scored": grid.scored().sum(axis=0),
            "in_all": grid.in_all(),
            "n_all": n_all,
            "wis": grid.means("wis"),
            "wis_all": on_all,
            # Of the same counts as the mean beside it: leaving out what is hard raises coverage.
            "coverage_50": grid.on_all("cover_50")[1],
            "coverage_90": grid.on_all("cover_90")[1],
        }
        for base, name, n in (
            (BASELINE, "rel_wis", "n_common"),
            (self.second, "rel_naive", "n_common_naive"),
        ):
            if base is None or base not in grid.models:
                ends = (name, f"{name}_low", f"{name}_high")
                columns |= dict.fromkeys(ends, np.nan) | {n: 0}
                continue
            ratio = grid.ratios(base, "wis", level, bootstrap)
            columns |= {
                name: ratio["ratio"].to_numpy(),
                f"{name}_low": ratio["lower"].to_numpy(),
                f"{name}_high": ratio["upper"].to_numpy(),
                n: ratio["n_common"].to_numpy(),
            }
            if rests is None:
                rests = {name: ratio[name].to_numpy() for name in RESTS}
        columns |= rests or grid.rests()
        columns["rel_log_wis"] = np.nan
        if BASELINE in grid.models and grid.scored("log_wis").any():
            logs = grid.ratios(BASELINE, "log_wis", level, 0)
            columns["rel_log_wis"] = logs["ratio"].to_numpy()
        out = pd.DataFrame(columns)
        return out[out["n_scored"] + out["n_missing"] > 0]
