"""A leaderboard: results of one task, from several folders, side by side on common units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.backtesting.results import BASELINE, Results
from odforecast.backtesting.task import (
    ALL,
    SHORT,
    WORDS,
    fingerprint_of,
    forecasts_of,
    months_ahead,
)
from odforecast.errors import BacktestError, whole
from odforecast.models import model_names
from odforecast.models.model import LABEL
from odforecast.months import to_month
from odforecast.names import COUNTIES, VINTAGE_CLEAN
from odforecast.say import card, html_table, listed, number_of, quoted, steady
from odforecast.scoring.columns import with_groups
from odforecast.scoring.pairs import Grid, to_base
from odforecast.scoring.rules import Floats

#: Columns of the score table that are kept: thirty models have four million rows.
KEPT = (
    "model",
    "as_of",
    "last_month",
    "vintage",
    "donor",
    "location",
    "target",
    "horizon",
    "month",
    "truth",
    "truth_release",
    "regime",
    "observed",
    "scorable",
    "median",
    "wis",
    "log_wis",
    "crps",
    "ae",
    "bias",
    "pit",
    "cover_50",
    "cover_80",
    "cover_90",
    "cover_95",
    "last_reported",
)
#: Columns that make two score tables the same forecasts with the same scores.
_SAME = (
    "as_of",
    "last_month",
    "donor",
    "location",
    "target",
    "horizon",
    "median",
    "wis",
)


#: Scores that are kept in the grid.
METRICS = ("wis", "log_wis", "cover_50", "cover_80", "cover_90", "cover_95", "pit")
#: What tells the units of a task apart.
_KEYS = ("as_of", "last_month", "donor", "location", "target", "horizon")
#: A model with fewer of the counts that can be scored is left out of what "all" have: one that
#: forecast a single count would leave the others that count alone to be compared on.
ENOUGH = 0.5
#: The other denominator: an honest simple model, given the delay.
SECOND = "naive+delay"
#: Columns of :meth:`Board.table`, after those that it is split by.
COLUMNS = (
    "model",
    "n_asked",
    "n_missing",
    "n_scored",
    "in_all",
    "n_all",
    "wis",
    "wis_all",
    "rel_wis",
    "rel_wis_low",
    "rel_wis_high",
    "n_common",
    "rel_naive",
    "rel_naive_low",
    "rel_naive_high",
    "n_common_naive",
    "rel_log_wis",
    "coverage_50",
    "coverage_90",
    "n_origins",
    "n_blocks",
    "n_donors",
)


@dataclass(frozen=True, eq=False)
class Entry:
    """A model of a folder of results: what the manifest says, its scores and its failures."""

    model: str
    where: str
    manifest: Mapping[str, Any]
    scores: pd.DataFrame
    failures: pd.DataFrame

    @property
    def task(self) -> Mapping[str, Any]:
        """Name, fingerprint and definition."""
        found: Mapping[str, Any] = self.manifest["task"]
        return found

    @property
    def made_by(self) -> dict[str, str]:
        """Version, spec and code of the model; no code where it was made elsewhere."""
        says = self.manifest
        code = "" if self.submitted else says.get("code") or ""
        version = says["models"][self.model]
        spec = says.get("specs", {}).get(self.model, "")
        return {"version": str(version), "spec": str(spec), "code": code}

    @property
    def submitted(self) -> bool:
        """Whether its forecasts were made elsewhere."""
        return self.model in self.manifest.get("submitted", {})

    @property
    def origins(self) -> list[Mapping[str, Any]]:
        """Origins that something was known at."""
        return [o for o in self.manifest["origins"] if o["data_hash"] is not None]

    def asked(self) -> pd.DataFrame:
        """The forecasts that the task asks for: a row each, with what groups are made of."""
        says = self.manifest
        return forecasts_of(
            self.origins,
            says["locations"],
            targets=says["targets"],
            ahead=months_ahead(says),
        )

    def made(self) -> pd.DataFrame:
        """Rows of the score table that the task asks for: months known at the origin are not."""
        if self.manifest["horizons"] in (None, ALL):
            return self.scores
        return self.scores[self.scores["horizon"].isin(months_ahead(self.manifest))]


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores with the values that the task's own units have in their keys."""
    kinds = {name: "datetime64[s]" if "_" in name else "str" for name in _KEYS[:-1]}
    # The column holds a release and a hash of its data.
    donors = {name: str(name).partition("/")[0] for name in rows["donor"].unique()}
    return rows.assign(donor=rows["donor"].map(donors)).astype(kinds)


def reserved(label: str) -> str | None:
    """The model of the registry that a label belongs to, if it belongs to one."""
    name = label.partition("(")[0].strip().casefold()
    return name if name.removesuffix("+delay") in model_names() else None


def check_label(label: str) -> None:
    """Refuse a label that no model may have, or that one has which runs here."""
    if owner := reserved(label) if isinstance(label, str) else None:
        raise BacktestError(
            f"{quoted(label)} is the name of {owner}, a model that runs here",
            hint=f"give another label, such as my-{owner.partition('+')[0]}",
        )
    if not isinstance(label, str) or not LABEL.fullmatch(label) or len(label) > 100:
        raise BacktestError(
            f"{quoted(str(label))} is not a model's label",
            hint="at most 100 letters, digits, spaces and _.,+=()[]'-, a letter or digit first",
        )


def entries_of(results: Results, where: str) -> list[Entry]:
    """The models of a folder of results."""
    says: Mapping[str, Any] = results.manifest
    task = says.get("task")
    if not task:
        raise BacktestError(
            f"{where} was run without a task, so it cannot be compared",
            hint="run it with --task NAME (task= in Python)",
        )
    try:
        stated = str(task["fingerprint"])
        fingerprint = fingerprint_of(
            task["definition"],
            says["truth"]["data_hash"],
            found=says["origins"],
        )
    except (KeyError, TypeError) as error:
        raise BacktestError(f"{where}: its manifest lacks {error}") from error
    if fingerprint != stated:
        raise BacktestError(
            f"{where}: its data and definition have the fingerprint {fingerprint[:SHORT]}, its "
            f"manifest says {stated[:SHORT]}: one of them was changed",
            hint="run the task again",
        )
    if reserved_names := [m for m in says.get("submitted", {}) if reserved(str(m))]:
        raise BacktestError(
            f"{where}: forecasts made elsewhere are named {reserved_names[0]}, as a model that "
            "runs here",
            hint="submit them under another label",
        )
    if says.get("dataset") == COUNTIES:
        raise BacktestError(
            f"{where} is of counties, which are scored by other rules",
            hint="Results.leaderboard() has their tables",
        )
    scores = results.scores
    failures = results.failures
    scores = scores.loc[scores["horizon"] >= 1, [c for c in KEPT if c in scores]]
    tables = [(t, t["model"].astype(str)) for t in (scores, failures)]
    return [
        Entry(
            label,
            where,
            says,
            *(t[model_of == label].reset_index(drop=True) for t, model_of in tables),
        )
        for label in says["models"]
    ]


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of one task, each model once."""
    first = entries[0]
    out: dict[str, Entry] = {}
    for entry in entries:
        if entry.task["fingerprint"] != first.task["fingerprint"]:
            raise BacktestError(
                f"{first.where} is of task {_called(first)}, {entry.where} of {_called(entry)}: "
                f"{_difference(first, entry)}",
                hint="compare results of one task",
            )
        earlier = out.get(entry.model)
        if earlier is not None and (difference := _mismatch(earlier, entry)):
            raise BacktestError(
                f"model {entry.model} is in {earlier.where} and in {entry.where}, and not the "
                f"same: {difference}",
                hint="leave one folder out, or give one of them another label",
            )
        out.setdefault(entry.model, entry)
    return list(out.values())


def _called(entry: Entry) -> str:
    return f"{entry.task['name']} ({entry.task['fingerprint'][:SHORT]})"


def _difference(first_entry: Entry, second_entry: Entry) -> str:
    """What differs between two tasks: keys of the definition, else the data."""
    a, b = (e.task["definition"] for e in (first_entry, second_entry))
    differences = [
        f"{key} is {_short(a.get(key))} and {_short(b.get(key))}"
        for key in dict.fromkeys([*a, *b])
        if key not in WORDS and a.get(key) != b.get(key)
    ]
    if differences:
        return "; ".join(differences)
    first, second = (e.manifest["truth"] for e in (first_entry, second_entry))
    opening = "the definition is the same,"
    if first["data_hash"] != second["data_hash"]:
        truths = [f"{x['release']} ({x['data_hash']})" for x in (first, second)]
        return f"{opening} the truth is not: release {' and '.join(truths)}"
    pairs = zip(first_entry.manifest["origins"], second_entry.manifest["origins"])
    for pair in (p for p in pairs if p[0] != p[1]):
        origin_texts = [
            f"{o['as_of']}{f' by {d}' if (d := o['donor']) else ''} ({o['data_hash']})"
            for o in pair
        ]
        subject = "what was known is not: the first origin that differs is"
        return f"{opening} {subject} {' and '.join(origin_texts)}"
    return f"{opening} the number of origins is not"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _mismatch(first: Entry, second: Entry) -> str:
    """Why two entries of one label are not the same; empty if they are."""
    second_made_by = second.made_by
    for field, a in first.made_by.items():
        if a != second_made_by[field]:
            return f"{field} {a} and {second_made_by[field]}"
    columns = [c for c in _SAME if c in first.scores and c in second.scores]
    if len(first.scores) != len(second.scores):
        return f"{len(first.scores):,} and {len(second.scores):,} scores"
    tables = [
        e.scores[columns].sort_values(columns[:6]).reset_index(drop=True)
        for e in (first, second)
    ]
    try:
        pd.testing.assert_frame_equal(
            tables[0],
            tables[1],
            check_dtype=False,
            check_categorical=False,
            check_exact=True,
        )
    except AssertionError:
        return "their scores differ"
    return ""


def grid_of(entries: Sequence[Entry]) -> Grid:
    """The grid of models of one task: its units are the forecasts that the task asks for."""
    units = entries[0].asked()
    models = [e.model for e in entries]
    tables = [e.made().assign(model=e.model) for e in entries]
    filled = [table for table in tables if len(table)] or tables[:1]
    rows = _keyed(pd.concat(filled, ignore_index=True))
    if "last_reported" in rows:
        places = [*_KEYS[:4]]
        last_counts = rows[[*places, "last_reported"]].dropna(subset="last_reported")
        last_counts = last_counts.drop_duplicates(places)
        units = units.merge(
            last_counts,
            on=places,
            how="left",
            validate="many_to_one",
        )
    keys = list(_KEYS)
    at = pd.MultiIndex.from_frame(units[keys]).get_indexer(
        pd.MultiIndex.from_frame(rows[keys])
    )
    model_index = pd.Index(models).get_indexer(pd.Index(rows["model"]))
    if (bad := (at < 0) | rows.duplicated([*keys, "model"]).to_numpy()).any():
        entry = entries[model_index[bad][0]]
        first = at[bad][0]
        problem = (
            "a forecast that its task does not ask for" if first < 0 else "two rows"
        )
        raise BacktestError(
            f"{entry.where}: model {entry.model} has {problem} of one unit",
            hint="run the task again into a folder of its own",
        )
    scorable = rows["scorable"].to_numpy(dtype=bool)
    values = {
        name: np.full((len(units), len(models)), np.nan) for name in ("made", *METRICS)
    }
    values["made"][at, model_index] = 1.0
    for name in METRICS:
        if name in rows:
            values[name][at, model_index] = np.where(
                scorable, rows[name].to_numpy(dtype=float), np.nan
            )
    return Grid(units, models, values=values)


def on_all(grid: Grid, metric: str = "wis") -> tuple[NDArray[np.bool_], int, Floats]:
    """Which models count where units of *all* are meant, the number of units that these all have a
    WIS of, and each model's mean over them."""
    scored = grid.scored()
    means = np.full(len(grid.models), np.nan)
    counts = scored.sum(axis=0) >= ENOUGH * scored.any(axis=1).sum()
    counts &= scored.any(axis=0)
    if not counts.any():
        return counts, 0, means
    common = scored[:, counts].all(axis=1)
    if common.any():
        means[counts] = grid.values[metric][common][:, counts].mean(axis=0)
    return counts, int(common.sum()), means


def leaderboard(
    results: Results | str | PathLike[str] | Sequence[Results | str | PathLike[str]],
) -> Board:
    """Put results of one task side by side.

    Parameters
    ----------
    results : Results, path, or sequence of them
        Of :func:`odforecast.backtest` with ``task=``, of :meth:`Task.run`, or of forecasts that
        were made elsewhere (``odforecast task submit``); folders are read.

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
    items = (
        [results] if isinstance(results, Results | str | PathLike) else list(results)
    )
    if not items:
        raise BacktestError(
            "no results to compare", hint="give results, or their folders"
        )
    entries: list[Entry] = []
    for i, item in enumerate(items, 1):
        where = f"results {i}" if isinstance(item, Results) else fspath(item)
        read = item if isinstance(item, Results) else _read(Path(item))
        entries += entries_of(read, where)
    return Board(merged(entries))


def _read(folder: Path) -> Results:
    """A folder of results; another thing is named, for none of it has to be run again."""
    if not (folder / "manifest.json").exists():
        name = quoted(str(folder))
        raise BacktestError(
            f"{name} holds no results"
            if folder.exists()
            else f"no such folder of results: {name}",
            hint="give folders of odforecast backtest --task NAME --out DIR, or of odforecast task "
            "submit --out DIR",
        )
    return Results.load(folder)


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
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
        columns that comparisons need (:data:`odforecast.backtesting.board.KEPT`).
        """
        return pd.concat([p.scores for p in self.parts], ignore_index=True)

    @cached_property
    def grid(self) -> Grid:
        """Their scores on the forecasts that the task asks for, as arrays."""
        return grid_of(self.parts)

    @property
    def second(self) -> str | None:
        """The second denominator; on complete counts the one without the delay is the same."""
        clean = self.task["definition"]["vintages"] == VINTAGE_CLEAN
        usual = (SECOND, "naive") if clean else (SECOND,)
        return next((name for name in usual if name in self.models), None)

    @steady
    def __repr__(self) -> str:
        entries = self.entries
        lacking = entries.loc[entries["n_missing"] > 0, "model"]
        return card(
            f"Board: {number_of(len(self.parts), 'model')} on task {self.task['name']} "
            f"({self.task['fingerprint'][:SHORT]})",
            f"models {listed(self.models)}",
            f"with missing forecasts: {listed(lacking) or 'none'}",
            "next: .to_frame(), .entries, .table(by=['level', 'regime'])",
        )

    @steady
    def _repr_html_(self) -> str:
        table = self.entries.drop(columns=["spec_hash", "code", "where"])
        name = self.task["name"]
        short = self.task["fingerprint"][:SHORT]
        return html_table(
            table, f"Task {name} ({short})", note="next: .to_frame(), .entries"
        )

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
        n_asked = len(self.parts[0].asked())
        for p in self.parts:
            reasons = p.failures["reason"].astype(str).value_counts()
            seconds = p.manifest.get("model_seconds", {}).get(p.model)
            n = len(p.origins)
            made_by = p.made_by
            rows.append(
                {
                    "model": p.model,
                    "version": made_by["version"],
                    "submitted": p.submitted,
                    "n_asked": n_asked,
                    "n_missing": n_asked - len(p.made()),
                    "n_failures": len(p.failures),
                    "failure": str(reasons.index[0]) if len(reasons) else "",
                    "seconds_per_origin": np.nan
                    if seconds is None or not n
                    else seconds / n,
                    "spec_hash": made_by["spec"],
                    "code": made_by["code"],
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
            not among all (``in_all``), and is listed last. Its ratio to the hub baseline and to
            ``naive+delay`` on the counts both have (``n_common``, ``n_common_naive``), with
            intervals from blocks of origins and whole donor releases drawn again; the ratio of
            WIS on logs; coverage over the counts that all have, as ``wis_all``; and the origins,
            blocks and donors of the counts in common with the hub baseline (without it, with the
            other; without both, of the model's own), on which its interval rests. Months that
            were known when the forecast was made are left out.
        """
        keys = list(by)
        conditions = dict(only or {})
        bootstrap = whole("bootstrap", bootstrap, least=0, error=BacktestError)
        groups = []
        grid = self.grid
        if "size" in (*keys, *conditions) and "last_reported" not in grid.units:
            raise BacktestError(
                "these results cannot be split by size: they lack the column last_reported",
                hint="run the task again, or split by location",
            )
        units = with_groups(grid.units, [*conditions, *keys])
        chosen = np.ones(len(units), dtype=bool)
        for name, value in conditions.items():
            chosen &= (units[name].astype(str) == str(value)).to_numpy()
        if since is not None:
            chosen &= units["last_month"].to_numpy().astype(
                "datetime64[M]"
            ) >= to_month(since)
        for labels, part in replace(grid, units=units).rows(chosen).groups(keys):
            if part.scored().any():
                groups.append(
                    self._group(part, level, bootstrap=bootstrap).assign(**labels)
                )
        if not groups:
            return pd.DataFrame(columns=[*keys, *COLUMNS])
        out = pd.concat(groups, ignore_index=True)[[*keys, *COLUMNS]]
        for key in keys:  # in the order of the groups, not of the alphabet
            if isinstance(units[key].dtype, pd.CategoricalDtype):
                out[key] = pd.Categorical(
                    out[key], units[key].cat.categories, ordered=True
                )
        out["last"] = ~out["in_all"].to_numpy(dtype=bool)
        order = [*keys, "last", "wis_all", "rel_wis"]
        return out.sort_values(order, kind="stable", ignore_index=True).drop(
            columns="last"
        )

    def _group(self, grid: Grid, level: float, bootstrap: int) -> pd.DataFrame:
        """A row per model of one group of units."""
        in_all, n_all, wis_all = on_all(grid)
        n_made = grid.scored("made").sum(axis=0)
        columns: dict[str, object] = {
            "model": grid.models,
            "n_asked": len(grid.units),
            "n_missing": len(grid.units) - n_made,
            "n_scored": grid.scored().sum(axis=0),
            "in_all": in_all,
            "n_all": n_all,
            "wis": grid.means("wis"),
            "wis_all": wis_all,
            # Of the same counts as the mean beside it: leaving out what is hard raises coverage.
            "coverage_50": on_all(grid, "cover_50")[2],
            "coverage_90": on_all(grid, "cover_90")[2],
            "rel_log_wis": np.nan,
        }
        pairs = grid.rows(grid.scored().any(axis=1)).pairs("wis")
        weights = pairs.cells.weights(bootstrap)
        baselines = [b for b in (BASELINE, self.second) if b in grid.models]
        # On which the interval rests: of the counts in common with the first of these there is.
        other = (
            grid.models.index(baselines[0])
            if baselines
            else np.arange(len(grid.models))
        )
        for name in ("n_origins", "n_blocks", "n_donors"):
            columns[name] = getattr(pairs.base, name)[
                np.arange(len(grid.models)), other
            ]
        for name, n, base in (
            ("rel_wis", "n_common", BASELINE),
            ("rel_naive", "n_common_naive", self.second),
        ):
            ends = (name, f"{name}_low", f"{name}_high")
            columns |= dict.fromkeys(ends, np.nan) | {n: 0}
            if base in baselines:
                at = grid.models.index(base)
                columns |= dict(
                    zip(
                        ends,
                        pairs.related(
                            to_base, at, weights, level, pairs.common[at, at] > 0
                        ),
                    )
                )
                columns[n] = pairs.common[:, at]
        logs = grid.rows(grid.scored("log_wis").any(axis=1))
        if BASELINE in baselines and len(logs.units):
            sums = logs.pairs("log_wis").sums.sum(axis=0)[None]
            columns["rel_log_wis"] = to_base(sums, grid.models.index(BASELINE))[0]
        out = pd.DataFrame(columns)
        return out[out["n_scored"] + out["n_missing"] > 0]
