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
    return sorted(path for path in base.iterdir() if kind in (path.name, path.stem))


def files_of(path: Path) -> list[Path]:
    """The files of a data set."""
    if path.is_dir() and not path.is_symlink():
        return files_below(path)
    return [path]


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
        self.data_sets = data_sets(hub, kind)

    def target_dataset_exists(self) -> Found:
        """There is one."""
        text = f"neither {self.kind}.csv, {self.kind}.parquet nor a folder {self.kind}"
        return broken(not self.data_sets, f"{text} in {TARGET_DATA}")

    def target_dataset_unique(self) -> Found:
        """There is only one."""
        names = listed([path.name for path in self.data_sets], 4)
        return broken(len(self.data_sets) > 1, f"more than one: {names}; keep one")

    def target_dataset_file_ext_unique(self) -> Found:
        """Its files have one format."""
        files = files_of(self.data_sets[0])
        endings = sorted({path.suffix.removeprefix(".") for path in files})
        return broken(len(endings) > 1, f"more than one format: {listed(endings, 4)}")

    def target_dataset_rows_unique(self) -> Found:
        """No row is there twice, whatever its value."""
        tables = {}
        for path in files_of(self.data_sets[0]):
            file = self.hub.relative(path)
            try:
                tables[file] = _read(path, self.hub)
            except Unreadable as error:
                raise NotRun(f"{file}: {error}") from None
        values = ("observation",) if self.kind == SERIES else ("oracle_value", "as_of")
        columns: dict[str, None] = {}
        places = []
        for file, table in tables.items():
            columns |= dict.fromkeys(name for name in table.kinds if name not in values)
            places += [(file, int(number_of_row)) for number_of_row in table.numbers]
        names = list(columns)
        if not names:
            return
        if len(tables) == 1:
            (table,) = tables.values()
            yield from table.repeated(names, "values")
            return
        coded = {}
        for name in names:
            cells = []
            for table in tables.values():
                blank = np.full(len(table), None)
                cells.append(
                    table.values(name, lambda word: word) if name in table else blank
                )
            coded[name] = pd.factorize(np.concatenate(cells))

        def name_row(i: int) -> str:
            """A row of all tables in words."""
            file, row = places[i]
            return f"row {row:,} of {quoted(file, 200)}"

        rows = rows_of(coded, {}, numbers=np.arange(len(places)))
        for finding in rows.repeated(names, "values", name_row):
            if isinstance(finding, Finding):
                file, row = places[finding.row or 0]
                yield replace(finding, message=f"{file}: {finding.message}", row=row)
            else:
                yield finding


class TargetFile:
    """A file of target data: ``validate_target_file`` and ``validate_target_data``."""

    def __init__(self, path: Path, kind: str, hub: Hub, extra_dates: bool) -> None:
        self.path = path
        self.kind = kind
        self.hub = hub
        self.config = hub.target_data
        self.tasks = hub.tasks_config
        self.value = _VALUE[kind]
        inside = path.relative_to(hub.root / TARGET_DATA).parts
        self.segments = [part for part in inside if "=" in part]
        # A series reaches back before the first round, so it may have any day.
        self.free_day = None
        if extra_dates and kind == SERIES:
            self.free_day = (self.config or {}).get("date_col")
        self.notes = {}
        if self.free_day in self.tasks.task_ids:
            self.notes["target_tbl_values"] = (
                f"any day in {self.free_day} (extra dates)"
            )

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
        text = f"must be {' or '.join(legal)}"
        if self.segments:
            text = f"in partitions, {text}"
        return broken(ending not in legal, text, value=ending)

    @cached_property
    def rows(self) -> Rows:
        """What the file holds."""
        return _read(self.path, self.hub)

    def _setting(self, name: str, default: Any) -> Any:
        """A setting of ``target-data.json``: the data set's, or the hub's."""
        config = self.config or {}
        setting = (config.get(self.kind) or {}).get(name)
        return config.get(name, default) if setting is None else setting

    @cached_property
    def types(self) -> dict[str, str]:
        """R types of the columns."""
        types = dict(self.tasks.types)
        if self.config is not None:
            types |= self._extra() | {self.config["date_col"]: "Date"}
        return types | {self.value: self.tasks.types["value"], "as_of": "Date"}

    def _extra(self) -> dict[str, str]:
        """Columns of a time series that are not task ids."""
        config = self.config or {}
        series = config.get(SERIES) or {}
        return series.get("non_task_id_schema") or {}

    def target_file_read(self) -> Found:
        """The file can be read, and each cell as its column's type."""
        return self.rows.bad_cells(self.types)

    def target_tbl_colnames(self) -> Found:
        """The columns are those of target-data.json; without one, those that must be there."""
        kinds = self.rows.kinds
        if self.config is not None:
            required = [self.config["date_col"], *self._setting("observable_unit", ())]
            if self.kind == SERIES:
                required += self._extra()
            elif self._setting("has_output_type_ids", False):
                required += _IDS
            required.append(self.value)
            if self._setting("versioned", False):
                required.append("as_of")
            yield from self.rows.bad_columns(list(dict.fromkeys(required)))
            return
        required = [self.value]
        if self.tasks.target_column:
            required.append(self.tasks.target_column)
        bad = [name for name in kinds if name in ("value", *_IDS, "oracle_value")]
        if self.kind == ORACLE:
            if "output_type" in kinds and {"cdf", "pmf"} & {
                *self.rows.distinct("output_type")
            }:
                required += _IDS
            legal = {*required, *_IDS, *self.tasks.task_ids, "as_of"}
            bad = [name for name in kinds if name not in legal]
        for name in required:
            if name not in kinds:
                yield Finding("this column is missing", column=name)
        yield from broken(bad, f"not allowed here: {listed(bad, 4)}")

    def target_tbl_coltypes(self) -> Found:
        """Columns have their types, and one beside as_of holds days."""
        findings = list(self.rows.bad_types(self.types))
        if findings:
            return findings
        days = []
        for name, kind in self.rows.kinds.items():
            r_type = self.types.get(name) if kind == "text" else kind
            if name != "as_of" and r_type == "Date":
                days.append(name)
        return broken(not days, "no column of days beside as_of")

    def target_tbl_ts_targets(self) -> Found:
        """Targets of a time series are step-ahead and of a type that is a number."""
        if self.kind == ORACLE:
            raise NotRun("not of oracle-output")
        good = {}
        for task in self.tasks.model_tasks:
            for target in task.targets:
                of_series = target.target_type in _OF_SERIES
                good[str(target.target_id)] = bool(target.is_step_ahead) and of_series
        column = self.tasks.target_column
        rule = (
            f"a time series needs a target that is step-ahead and {listed(_OF_SERIES)}"
        )
        if column is None:
            for name, is_good in good.items():
                if not is_good:
                    yield Finding(rule, value=name)
        elif column not in self.rows:
            yield Finding("the column of targets is missing", column=column)
        else:
            names = [name for name, is_good in good.items() if is_good]
            yield from self.rows.broken(~self.rows.among(column, names), rule, column)

    def target_tbl_rows_unique(self) -> Found:
        """Each observation is there once, in each version."""
        series = self.kind == SERIES
        if self.config is None:
            values = (self.value,) if series else (self.value, "as_of")
            columns = [name for name in self.rows.kinds if name not in values]
        else:
            columns = list(self._setting("observable_unit", ()))
            if series and self._setting("versioned", False):
                columns.append("as_of")
            columns += _IDS
        return self.rows.repeated(
            [name for name in columns if name in self.rows], "observation"
        )

    def target_tbl_values(self) -> Found:
        """Task ids, output types and their ids are those of a model task."""
        columns = [
            name
            for name in self.tasks.task_ids
            if name in self.rows and name != self.free_day
        ]
        has_types = "output_type" in self.rows
        outputs = self.rows.distinct("output_type") if has_types else [None]
        legal = np.zeros(len(self.rows), dtype=bool)
        # Many rounds have the same model tasks: each kind is looked at once.
        kinds = set()
        for task in self.tasks.model_tasks:
            choices = tuple(task.choice(name).allowed for name in columns)
            for output in outputs:
                if not has_types or output in task.outputs:
                    kinds.add((output, choices, _output_ids(task, output)))
        for output, choices, ids in kinds:
            words = dict(zip(columns, choices))
            words |= {"output_type": (output,), "output_type_id": ids}
            good = [
                self.rows.among(name, words[name])
                for name in words
                if name in self.rows
            ]
            legal |= np.logical_and.reduce(good)
        allowed: dict[str, list[Word]] = {
            name: [] for name in (*columns, *_IDS) if name in self.rows
        }
        for task in self.tasks.model_tasks:
            for name in allowed:
                if name in task.task_ids:
                    allowed[name] += task.task_ids[name].allowed
            for output in task.outputs if has_types else ():
                allowed["output_type"].append(output)
                if "output_type_id" in allowed:
                    allowed["output_type_id"] += _output_ids(task, output)
        return self.rows.illegal(legal, allowed)

    def _distributions(self) -> np.ndarray:
        """Mask of the rows of a cdf or pmf."""
        if self.kind == SERIES:
            raise NotRun("not of time-series")
        if any(name not in self.rows for name in _IDS):
            raise NotRun("the file has no output_type_id")
        return self.rows.among("output_type", ["cdf", "pmf"])

    @property
    def _unit(self) -> list[str]:
        """Columns of the observable unit that the file has."""
        unit = self._setting("observable_unit", self.tasks.task_ids)
        return [name for name in unit if name in self.rows]

    def _with_ids(
        self, *kinds: str
    ) -> Iterator[tuple[str, tuple[Word, ...], np.ndarray]]:
        """Output types, each list of ids that the model tasks have, and the rows with one."""
        lists: dict[tuple[str, tuple[Word, ...]], None] = {}
        for kind in kinds:
            for task in self.tasks.model_tasks:
                if kind in task.outputs:
                    lists[kind, _output_ids(task, kind)] = None
        for kind, ids in lists:
            mine = self.rows.among("output_type", [kind])
            yield kind, ids, mine & self.rows.among("output_type_id", ids)

    def target_tbl_output_type_ids(self) -> Found:
        """Every cdf and pmf has all its ids; what is not a distribution has none."""
        bad = ~self._distributions() & ~self.rows.among("output_type_id", [None])
        text = "only a cdf or a pmf has IDs in oracle-output; leave it empty"
        yield from self.rows.broken(bad, text, "output_type_id")
        for kind, ids, mine in self._with_ids("cdf", "pmf"):
            codes = self.rows.codes[mine].drop_duplicates(
                [*self._unit, "output_type_id"]
            )
            unit = row_key(codes, self._unit)
            counts = unit.map(unit.value_counts())
            short = counts[~unit.duplicated() & (counts < len(ids))]
            text = f"this {kind} has {{}} of {len(ids)} IDs"

            def message(i: int, text: str = text, short: pd.Series = short) -> str:
                """How many ids it has."""
                return text.format(short[i])

            yield from self.rows.broken(
                short.index, message, "output_type_id", self._unit
            )

    def target_tbl_oracle_value(self) -> Found:
        """Values of a cdf or pmf are 0 or 1; a cdf does not fall, and a pmf has one 1."""
        mine = self._distributions()
        value = "oracle_value"
        if not mine.any():
            raise NotRun("no cdf or pmf in the file")
        bad = mine & ~np.isin(self.rows.values(value, number), (0, 1))
        yield from self.rows.broken(bad, "of a cdf or pmf, must be 0 or 1", value)
        falls = np.zeros(len(mine), dtype=bool)
        for _, ids, cdf in self._with_ids("cdf"):
            falls |= self.rows.falling(cdf, self._unit, value, ids)
        yield from self.rows.broken(falls, "is below that of the ID before", value)
        yield from self.rows.not_one(self._unit, value)


def _output_ids(task: ModelTask, output: Word) -> tuple[Word, ...]:
    """Ids that an output type has in target data: none but of a distribution."""
    if output in ("cdf", "pmf"):
        return tuple(word for word in task.outputs[output].ids if word is not None)
    return (None,)
