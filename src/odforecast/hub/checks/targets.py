"""The checks of target data: a method for each, by hubValidations' name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import pandas as pd

from odforecast.hub.checks.report import (
    Finding,
    Found,
    NotRun,
    Rows,
    Unreadable,
    broken,
    exists,
    number,
    read_rows,
    row_key,
    rows_of,
)
from odforecast.hub.layout import TARGET_DATA, Hub, ModelTask, Word, files_below
from odforecast.say import listed, quoted

SERIES: Final = "time-series"
ORACLE: Final = "oracle-output"
_VALUE: Final = {SERIES: "observation", ORACLE: "oracle_value"}
#: Types of target whose observations are a series of their own.
_OF_SERIES: Final = ("continuous", "discrete", "binary", "compositional")
_IDS: Final = ("output_type", "output_type_id")
_SEGMENT: Final = re.compile(r"[^/=]+=[^/]*\Z")
_NOTHING: Final = ("", "__HIVE_DEFAULT_PARTITION__")


def data_sets(hub: Hub, kind: str) -> list[Path]:
    """Data sets of one kind: ``KIND.csv``, ``KIND.parquet``, the folder ``KIND``; one is right."""
    base = hub.root / TARGET_DATA
    if not base.is_dir():
        return []
    return sorted(p for p in base.iterdir() if p.name.rpartition(".")[0] == kind or p.name == kind)


def files_of(path: Path) -> list[Path]:
    """The files of a data set."""
    return files_below(path) if path.is_dir() and not path.is_symlink() else [path]


def _read(path: Path, hub: Hub) -> Rows:
    """A file's rows, with columns that the folders' names give: ``as_of=2024-01-31``."""
    parts: dict[str, Word] = {}
    for text in path.relative_to(hub.root / TARGET_DATA).parts:
        if _SEGMENT.match(text):
            name, _, value = text.partition("=")
            parts[name] = None if value in _NOTHING else unquote(value)
    return read_rows(path, hub.root, parts=parts)


class TargetSet:
    """A data set of target data as a whole: ``validate_target_dataset``."""

    def __init__(self, kind: str, hub: Hub) -> None:
        self.kind = kind
        self.hub = hub
        self.found = data_sets(hub, kind)

    def target_dataset_exists(self) -> Found:
        """There is one."""
        text = f"neither {self.kind}.csv, {self.kind}.parquet nor a folder {self.kind}"
        return broken(not self.found, f"{text} in {TARGET_DATA}")

    def target_dataset_unique(self) -> Found:
        """There is only one."""
        several = listed([p.name for p in self.found], 4)
        return broken(len(self.found) > 1, f"more than one: {several}; keep one")

    def target_dataset_file_ext_unique(self) -> Found:
        """Its files have one format."""
        endings = sorted({p.suffix.removeprefix(".") for p in files_of(self.found[0])})
        return broken(len(endings) > 1, f"more than one format: {listed(endings, 4)}")

    def target_dataset_rows_unique(self) -> Found:
        """No row is there twice, whatever its value."""
        tables = {}
        for path in files_of(self.found[0]):
            file = self.hub.relative(path)
            try:
                tables[file] = _read(path, self.hub)
            except Unreadable as error:
                raise NotRun(f"{file}: {error}") from None
        drop = ("observation",) if self.kind == SERIES else ("oracle_value", "as_of")
        columns = [
            n for n in dict.fromkeys(n for t in tables.values() for n in t.kinds) if n not in drop
        ]
        places = [(file, int(n)) for file, t in tables.items() for n in t.numbers]
        if not columns:
            return
        if len(tables) == 1:
            yield from next(iter(tables.values())).repeated(columns, "values")
            return
        coded = {}
        for n in columns:
            cells = [
                t.each(n, lambda w: w) if n in t else np.full(len(t), None) for t in tables.values()
            ]
            coded[n] = pd.factorize(np.concatenate(cells))

        def where(i: int) -> str:
            """A row of all tables in words."""
            file, row = places[i]
            return f"row {row:,} of {quoted(file, 200)}"

        rows = rows_of(coded, {}, numbers=np.arange(len(places)))
        for x in rows.repeated(columns, "values", where):
            if isinstance(x, Finding):
                file, row = places[x.row or 0]
                x = replace(x, message=f"{file}: {x.message}", row=row)
            yield x


class TargetFile:
    """A file of target data: ``validate_target_file`` and ``validate_target_data``."""

    def __init__(self, path: Path, kind: str, hub: Hub, extra_dates: bool) -> None:
        self.path = path
        self.kind = kind
        self.hub = hub
        self.config = hub.target_data
        self.tasks = hub.asked
        self.value = _VALUE[kind]
        inside = path.relative_to(hub.root / TARGET_DATA).parts
        self.segments = [part for part in inside if "=" in part]
        # A series reaches back before the first round, so it may have any day.
        free = (self.config or {}).get("date_col") if extra_dates and kind == SERIES else None
        self.free_day = free
        self.notes = {
            "target_tbl_values": f"any day in {free} (extra dates)"
            if free in self.tasks.task_ids
            else ""
        }

    def target_file_exists(self) -> Found:
        """The file is one, inside the hub."""
        return exists(self.path, self.hub.root)

    def target_partition_file_name(self) -> Found:
        """Folders of partitions are named COLUMN=VALUE."""
        if not self.segments:
            raise NotRun("the file is not in partitions")
        for part in self.segments:
            if not _SEGMENT.match(part):
                yield Finding("a partition is COLUMN=VALUE", value=part)

    def target_file_ext(self) -> Found:
        """It is CSV or Parquet; in partitions, Parquet."""
        legal = ("parquet",) if self.segments else ("csv", "parquet")
        ending = self.path.suffix.removeprefix(".")
        text = f"{'in partitions, ' * bool(self.segments)}must be {' or '.join(legal)}"
        return broken(ending not in legal, text, value=ending)

    @cached_property
    def rows(self) -> Rows:
        """What the file holds."""
        return _read(self.path, self.hub)

    def _setting(self, name: str, default: Any) -> Any:
        """A setting of ``target-data.json``: the data set's, or the hub's."""
        config = self.config or {}
        own = (config.get(self.kind) or {}).get(name)
        return config.get(name, default) if own is None else own

    @cached_property
    def types(self) -> dict[str, str]:
        """R types of the columns."""
        found = dict(self.tasks.types)
        if self.config is not None:
            found |= self._extra() | {self.config["date_col"]: "Date"}
        return found | {self.value: self.tasks.types["value"], "as_of": "Date"}

    def _extra(self) -> dict[str, str]:
        """Columns of a time series that are not task ids."""
        return ((self.config or {}).get(SERIES) or {}).get("non_task_id_schema") or {}

    def target_file_read(self) -> Found:
        """The file can be read, and each cell as its column's type."""
        return self.rows.bad_cells(self.types)

    def target_tbl_colnames(self) -> Found:
        """The columns are those of target-data.json; without one, those that must be there."""
        kinds = self.rows.kinds
        if self.config is not None:
            wanted = [self.config["date_col"], *self._setting("observable_unit", ())]
            if self.kind == SERIES:
                wanted += self._extra()
            elif self._setting("has_output_type_ids", False):
                wanted += _IDS
            wanted += [self.value, *["as_of"] * bool(self._setting("versioned", False))]
            yield from self.rows.bad_columns(list(dict.fromkeys(wanted)))
            return
        target = self.tasks.target_column
        wanted = [self.value, *([target] if target else [])]
        bad = [c for c in kinds if c in ("value", *_IDS, "oracle_value")]
        if self.kind == ORACLE:
            if "output_type" in kinds and {"cdf", "pmf"} & {*self.rows.distinct("output_type")}:
                wanted += _IDS
            legal = {*wanted, *_IDS, *self.tasks.task_ids, "as_of"}
            bad = [c for c in kinds if c not in legal]
        for name in wanted:
            if name not in kinds:
                yield Finding("this column is missing", column=name)
        yield from broken(bad, f"not allowed here: {listed(bad, 4)}")

    def target_tbl_coltypes(self) -> Found:
        """Columns have their types, and one beside as_of holds days."""
        found = list(self.rows.bad_types(self.types))
        days = [
            name
            for name, kind in self.rows.kinds.items()
            if name != "as_of" and "Date" in (kind, self.types.get(name) if kind == "text" else "")
        ]
        return found or broken(not days, "no column of days beside as_of")

    def target_tbl_ts_targets(self) -> Found:
        """Targets of a time series are step-ahead and of a type that is a number."""
        if self.kind == ORACLE:
            raise NotRun("not of oracle-output")
        good = {
            str(t.target_id): bool(t.is_step_ahead) and t.target_type in _OF_SERIES
            for task in self.tasks.model_tasks
            for t in task.targets
        }
        column = self.tasks.target_column
        rule = f"a time series needs a target that is step-ahead and {listed(_OF_SERIES)}"
        if column is None:
            yield from (Finding(rule, value=name) for name, fine in good.items() if not fine)
        elif column not in self.rows:
            yield Finding("the column of targets is missing", column=column)
        else:
            wrong = ~self.rows.among(column, [n for n, fine in good.items() if fine])
            yield from self.rows.broken(wrong, rule, column)

    def target_tbl_rows_unique(self) -> Found:
        """Each observation is there once, in each version."""
        series = self.kind == SERIES
        unit = self._setting("observable_unit", ())
        columns = [*unit, *["as_of"] * bool(series and self._setting("versioned", False)), *_IDS]
        if self.config is None:
            columns = [c for c in self.rows.kinds if c != self.value and (series or c != "as_of")]
        return self.rows.repeated([c for c in columns if c in self.rows], "observation")

    def target_tbl_values(self) -> Found:
        """Task ids, output types and their ids are those of a model task."""
        columns = [c for c in self.tasks.task_ids if c in self.rows and c != self.free_day]
        has_types = "output_type" in self.rows
        outputs = self.rows.distinct("output_type") if has_types else [None]
        legal = np.zeros(len(self.rows), dtype=bool)
        # Many rounds have the same model tasks: each kind is looked at once.
        kinds = {
            (output, tuple(t.choice(c).allowed for c in columns), _output_ids(t, output))
            for output in outputs
            for t in self.tasks.model_tasks
            if not has_types or output in t.outputs
        }
        for output, choices, ids in kinds:
            asked = {**dict(zip(columns, choices)), "output_type": (output,), "output_type_id": ids}
            good = [self.rows.among(n, words) for n, words in asked.items() if n in self.rows]
            legal |= np.logical_and.reduce(good)
        known: dict[str, list[Word]] = {c: [] for c in (*columns, *_IDS) if c in self.rows}
        for task in self.tasks.model_tasks:
            for name in known:
                known[name] += task.task_ids[name].allowed if name in task.task_ids else ()
            for output in task.outputs if has_types else ():
                known["output_type"].append(output)
                known.get("output_type_id", []).extend(_output_ids(task, output))
        return self.rows.illegal(legal, known)

    def _distributions(self) -> np.ndarray:
        """Mask of the rows of a cdf or pmf."""
        if self.kind == SERIES:
            raise NotRun("not of time-series")
        if any(c not in self.rows for c in _IDS):
            raise NotRun("the file has no output_type_id")
        return self.rows.among("output_type", ["cdf", "pmf"])

    @property
    def _unit(self) -> list[str]:
        """Columns of the observable unit that the file has."""
        unit = self._setting("observable_unit", self.tasks.task_ids)
        return [c for c in unit if c in self.rows]

    def _with_ids(self, *kinds: str) -> Iterator[tuple[str, tuple[Word, ...], np.ndarray]]:
        """Output types, each list of ids that the model tasks have, and the rows with one."""
        tasks = [(kind, t) for kind in kinds for t in self.tasks.model_tasks if kind in t.outputs]
        for kind, ids in dict.fromkeys((kind, _output_ids(t, kind)) for kind, t in tasks):
            mine = self.rows.among("output_type", [kind])
            yield kind, ids, mine & self.rows.among("output_type_id", ids)

    def target_tbl_output_type_ids(self) -> Found:
        """Every cdf and pmf has all its ids; what is not a distribution has none."""
        bad = ~self._distributions() & ~self.rows.among("output_type_id", [None])
        text = "only a cdf or a pmf has IDs in oracle-output; leave it empty"
        yield from self.rows.broken(bad, text, "output_type_id")
        for kind, wanted, mine in self._with_ids("cdf", "pmf"):
            codes = self.rows.codes[mine].drop_duplicates([*self._unit, "output_type_id"])
            unit = row_key(codes, self._unit)
            have = unit.map(unit.value_counts())
            short = have[~unit.duplicated() & (have < len(wanted))]
            text = f"this {kind} has {{}} of {len(wanted)} IDs"

            def message(i: int, text: str = text, short: pd.Series = short) -> str:
                """How many ids it has."""
                return text.format(short[i])

            yield from self.rows.broken(short.index, message, "output_type_id", self._unit)

    def target_tbl_oracle_value(self) -> Found:
        """Values of a cdf or pmf are 0 or 1; a cdf does not fall, and a pmf has one 1."""
        mine = self._distributions()
        value = "oracle_value"
        if not mine.any():
            raise NotRun("no cdf or pmf in the file")
        bad = mine & ~np.isin(self.rows.each(value, number), (0, 1))
        yield from self.rows.broken(bad, "of a cdf or pmf, must be 0 or 1", value)
        fell = np.zeros(len(mine), dtype=bool)
        for _, wanted, cdf in self._with_ids("cdf"):
            fell |= self.rows.falling(cdf, self._unit, value, wanted)
        yield from self.rows.broken(fell, "is below that of the ID before", value)
        yield from self.rows.not_one(self._unit, value)


def _output_ids(task: ModelTask, output: Word) -> tuple[Word, ...]:
    """Ids that an output type has in target data: none but of a distribution."""
    if output in ("cdf", "pmf"):
        return tuple(w for w in task.outputs[output].ids if w is not None)
    return (None,)
