"""The checks of a submission and of a model's metadata: a method for each, by its name."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from odforecast.hub.checks.config import METADATA_SCHEMA, STANDARD, by_schema
from odforecast.hub.checks.report import (
    SHOWN,
    Expression,
    Finding,
    Found,
    NotRun,
    Rows,
    Unreadable,
    broken,
    exists,
    fits,
    number,
    read_rows,
    read_yaml,
    row_key,
    values_text,
)
from odforecast.hub.layout import (
    CONFIG,
    HORIZON_HINT,
    MODEL_METADATA,
    STEM,
    Hub,
    ModelTask,
    OutputType,
    Round,
    Samples,
    Word,
)
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import is_day

_CODECS: Final = ("snappy", "gzip", "gz", "brotli", "zstd", "lz4", "lzo", "bz2")
_ID: Final = "output_type_id"
_DAYS: Final = ["origin_date", "horizon", "target_end_date"]
# Arguments of optional checks: R code, of which two forms are read and none is run.
_PERIOD: Final = re.compile(r"(?:lubridate::)?(weeks|days)\((\d*)L?\)\Z")
_LIST: Final = re.compile(r"list\(\s*([\w.]+)\s*=\s*(['\"])([^'\"]*)\2\s*\)\Z")


def parse_name(name: str) -> tuple[str, str]:
    """Round id and model id of a file's name."""
    stem = name.rpartition(".")[0] or name
    head, dot, codec = stem.rpartition(".")
    if dot:
        if codec not in _CODECS:
            raise ValueError(
                f"'.{plain(codec, 20)}' in its name is not a compression: {listed(_CODECS)}"
            )
        stem = head
    signs = list(dict.fromkeys(re.findall(r"[^A-Za-z0-9_-]", stem)))
    if signs:
        text = ", ".join(map(repr, signs[:5]))
        raise ValueError(
            f"{text} is not allowed in a file's name: letters, digits, _ and - only"
        )
    match = STEM.fullmatch(stem)
    if not match:
        raise ValueError("a name is ROUND-TEAM-MODEL, each of letters, digits and _")
    return match[1], f"{match[2]}-{match[3]}"


@dataclass(frozen=True)
class TaskSamples:
    """The samples of one model task."""

    #: The model task, for messages.
    task: str
    #: Numbers of the texts of their rows.
    codes: pd.DataFrame
    #: The hub's compound task ids.
    compound: list[str]
    #: What the hub asks of samples.
    params: Samples
    #: Ids of the samples.
    names: list[str]
    #: Of each sample, the task ids that have one value in it.
    fixed: list[tuple[str, ...]]
    #: The most frequent of these.
    usual: tuple[str, ...]


class Submission:
    """A file of model-output."""

    def __init__(
        self,
        path: Path,
        hub: Hub,
        moment: dt.date | None,
        optional: Mapping[str, Any],
    ) -> None:
        self.path = path
        self.hub = hub
        self.moment = moment
        self.optional = optional
        self.round_id = ""
        self.model_id = ""

    # validate_model_file

    def file_exists(self) -> Found:
        """The file is one, inside the hub."""
        return exists(self.path, self.hub.root)

    def file_name(self) -> Found:
        """It is named ROUND-TEAM-MODEL.EXT."""
        try:
            self.round_id, self.model_id = parse_name(self.path.name)
        except ValueError as error:
            yield Finding(str(error), value=self.path.name)

    def file_location(self) -> Found:
        """It is in the folder of its model."""
        folder = self.path.parent.relative_to(self.hub.model_output_dir).as_posix()
        bad = folder != self.model_id
        return broken(bad, f"belongs in the folder {self.model_id}", value=folder)

    def round_id_valid(self) -> Found:
        """The round is one of the hub's."""
        round_ids = self.hub.tasks_config.round_ids
        text = f"is not a round of the hub: {listed(round_ids, 3)}"
        return broken(self.round_id not in round_ids, text, value=self.round_id)

    def file_format(self) -> Found:
        """The hub accepts the format."""
        accepted = self.round.file_format or self.hub.file_formats
        ending = self.path.suffix.removeprefix(".")
        text = f"the hub accepts {', '.join(accepted)}"
        return broken(ending not in accepted, text, value=ending)

    def file_n(self) -> Found:
        """No other file is of the same round and model."""
        name = self.path.name
        stem = name.split(".")[0]
        neighbors = [file for file in os.listdir(self.path.parent) if file != name]
        doubles = sorted(file for file in neighbors if file.split(".")[0] == stem)
        text = f"one file for each round and model; beside it is {listed(doubles, 3)}"
        return broken(doubles, text)

    def metadata_exists(self) -> Found:
        """The model has metadata."""
        names = [
            f"{MODEL_METADATA}/{self.model_id}.{ending}" for ending in ("yml", "yaml")
        ]
        exists_ = any((self.hub.root / name).is_file() for name in names)
        return broken(not exists_, f"no {names[0]} (or .yaml)")

    # validate_submission_time

    def submission_time(self) -> Found:
        """The round's submission window is open; both its ends are whole days."""
        name = str(self.hub.admin.get("timezone", "UTC"))
        try:
            zone = ZoneInfo(name)
            start, end = self._window()
        except (ZoneInfoNotFoundError, OSError):
            return broken(True, f"no window: {plain(name)} is not a time zone")
        except (Unreadable, ValueError, TypeError, OverflowError) as error:
            return broken(True, f"no window: {plain(error)}")
        assert self.moment is not None
        day = self.moment
        value = str(day)
        if isinstance(self.moment, dt.datetime):
            local = self.moment.astimezone(zone)
            day = local.date()
            value = local.isoformat(" ", "minutes")
        text = f"the window of round {self.round_id} is {start} to {end}, {name}"
        return broken(not start <= day <= end, text, value=value)

    def _window(self) -> tuple[dt.date, dt.date]:
        """First and last day, each of its own or counted from the only day of a column."""
        due = self.round.submissions_due or {}
        start, end, column = (due.get(name) for name in ("start", "end", "relative_to"))
        if column is None:
            return dt.date.fromisoformat(str(start)), dt.date.fromisoformat(str(end))
        days: list[Word] = [self.round_id]
        if self.round.column != column or not is_day(self.round_id):
            if column not in self.rows:
                raise ValueError(f"no column {column}")
            days = [word for word in self.rows.distinct(column) if is_day(word)]
        if len(days) != 1:
            raise ValueError(
                f"column {column} holds {len(days)} days, and one is needed"
            )
        day = dt.date.fromisoformat(str(days[0]))
        first = day + dt.timedelta(int(start or 0))
        last = day + dt.timedelta(int(end or 0))
        return first, last

    # validate_model_data: the columns

    @cached_property
    def round(self) -> Round:
        """The entry of ``rounds`` that the file belongs to."""
        rounds = self.hub.tasks_config.rounds
        return next(round_ for round_ in rounds if self.round_id in round_.ids)

    @cached_property
    def rows(self) -> Rows:
        """What the file holds."""
        return read_rows(self.path, self.hub.root)

    def file_read(self) -> Found:
        """The file can be read, and each cell as its column's type."""
        return self.rows.bad_cells(self.hub.tasks_config.types)

    def _round_column(self) -> str:
        if self.round.column is None:
            raise NotRun("round IDs are in no column (round_id_from_variable is false)")
        return self.round.column

    def valid_round_id_col(self) -> Found:
        """There is a column of round ids."""
        column = self._round_column()
        return broken(
            column not in self.rows, "the column of round IDs is missing", column=column
        )

    def unique_round_id(self) -> Found:
        """It holds one round."""
        column = self._round_column()
        ids = self.rows.distinct(column)
        names = ", ".join(
            "NA" if name is None else quoted(name, 40) for name in ids[:4]
        )
        text = f"holds {len(ids)} round IDs: {names}; one is needed"
        return broken(len(ids) != 1, text, column=column)

    def match_round_id(self) -> Found:
        """It is the round of the file's name."""
        column = self._round_column()
        bad = ~self.rows.among(column, [self.round_id])
        return self.rows.broken(
            bad, f"the file's name says round {self.round_id}", column
        )

    def colnames(self) -> Found:
        """The columns are the round's task ids and the standard ones, in any order."""
        return self.rows.bad_columns((*self.round.task_ids, *STANDARD))

    def col_types(self) -> Found:
        """Columns of a typed file have the types of the configuration."""
        return self.rows.bad_types(self.hub.tasks_config.types)

    # validate_model_data: the rows

    @cached_property
    def tasks(self) -> list[ModelTask]:
        """Model tasks of the round."""
        return self.round.fixed(self.round_id)

    @cached_property
    def columns(self) -> list[str]:
        """Task ids that are not derived."""
        return [name for name in self.round.task_ids if name not in self.round.derived]

    @cached_property
    def parts(self) -> list[tuple[ModelTask, OutputType, np.ndarray]]:
        """Which rows are of each output type of each model task; a row may be of none."""
        parts = []
        for task in self.tasks:
            legal = np.ones(len(self.rows), dtype=bool)
            for name in self.columns:
                legal &= self.rows.among(name, task.choice(name).allowed)
            for output in task.outputs.values():
                mine = legal & self.rows.among("output_type", [output.kind])
                if output.kind != "sample":  # whose ids are numbers of their own
                    mine &= self.rows.among(_ID, output.ids)
                parts.append((task, output, mine))
        return parts

    def valid_vals(self) -> Found:
        """Every row is of an output type of a model task."""
        columns = [*self.columns, "output_type", _ID]
        allowed: dict[str, list[Word]] = {name: [] for name in columns}
        for task in self.tasks:
            for name in self.columns:
                allowed[name] += task.choice(name).allowed
            for output in task.outputs.values():
                allowed["output_type"].append(output.kind)
                if output.kind != "sample":
                    allowed[_ID] += output.ids
        if "sample" in allowed["output_type"]:
            mine = self.rows.among("output_type", ["sample"])
            allowed[_ID] += self.rows.distinct(_ID, mine)
        legal = np.logical_or.reduce([mine for *_, mine in self.parts])
        yield from self.rows.illegal(legal, allowed)
        for _, output, mine in self.parts:
            if output.kind == "sample":
                yield from self._sample_ids(
                    output.output_type_id_params or Samples(), mine
                )

    def _sample_ids(self, params: Samples, mine: np.ndarray) -> Found:
        """Ids of samples that are not of the type and length of the configuration."""
        whole = params.type == "integer"
        most = params.max_length
        text = "sample IDs are whole numbers"
        if not whole:
            text = (
                "a sample has an ID" if most is None else f"at most {most} characters"
            )

        def bad(word: Word) -> bool:
            """Whether a text is no such id."""
            if word is None:
                return True
            if whole:
                return not fits(word, "integer")
            return bool(most) and len(word) > most

        return self.rows.broken(mine & self.rows.values(_ID, bad), text, _ID)

    def derived_task_id_vals(self) -> Found:
        """Derived task ids have values of the configuration, in any combination."""
        derived = [name for name in self.round.derived if name in self.round.task_ids]
        if not derived:
            raise NotRun("the round has no derived task IDs")
        if all(name in self.rows for name in _DAYS):
            key = row_key(self.rows.codes, _DAYS)
            reasons = {}
            for i in key.index[~key.duplicated()]:
                words = self.rows.row(_DAYS, i).values()
                reason = self.hub.wrong_end(*(word or "" for word in words))
                if reason:
                    reasons[key[i]] = f"{reason}; {HORIZON_HINT}"

            def message(i: int) -> str:
                """What is wrong with the days of a row."""
                return reasons[key[i]]

            yield from self.rows.broken(key.isin(reasons), message, "target_end_date")
        for name in derived:
            allowed = {
                word for task in self.round.tasks for word in task.choice(name).allowed
            }
            bad = ~self.rows.among(name, allowed)
            yield from self.rows.broken(
                bad, "is not a value of this derived task ID", name
            )

    def rows_unique(self) -> Found:
        """No row repeats another but for its value."""
        return self.rows.repeated([*self.columns, "output_type", _ID], "values")

    def req_vals(self) -> Found:
        """Every required combination is there, of each output type that is sent or required."""
        sent = self.rows.distinct("output_type")
        for task, output, mine in self.parts:
            if output.is_required or output.kind in sent:
                yield from self._missing(task, output, mine=mine)

    def _missing(self, task: ModelTask, output: OutputType, mine: np.ndarray) -> Found:
        """Rows that one output type of a model task lacks."""
        required = {name: task.choice(name).needed for name in self.columns}
        if output.kind != "sample":
            required[_ID] = output.ids
        names = list(required)
        codes = self.rows.codes.loc[mine, names].drop_duplicates()
        optional = pd.DataFrame(index=codes.index)
        for name, values in required.items():
            optional[name] = ~self.rows.among(name, values)[codes.index]
        never = {name for name, values in required.items() if not values}
        # A model task with a column of optional values only may be left out.
        sets = set() if never else {frozenset[str]()}
        for flags in optional.drop_duplicates().to_numpy():
            mixed = [
                name for name in itertools.compress(names, flags) if name not in never
            ]
            for k in range(len(mixed) + 1):
                for chosen in itertools.combinations(mixed, k):
                    sets.add(frozenset(never.union(chosen)))
        # In each of these sets of columns with optional values, the rest must be complete.
        for fixed in sorted(
            [name for name in names if name in chosen] for chosen in sets
        ):
            rest = [name for name in names if name not in fixed]
            size = math.prod(len(required[name]) for name in rest)
            unit = row_key(codes[optional[fixed].all(axis=1)], fixed)
            full = ~optional.loc[unit.index, rest].any(axis=1)
            counts = pd.Series([int(full.sum())])
            if fixed:
                counts = full.astype(int).groupby(unit).sum()
            short = counts[counts < size]
            for number_of_unit in short.index[:SHOWN]:
                rows = unit.index[unit == number_of_unit]
                sent = set()
                for i in rows[full[rows]]:
                    sent.add(tuple(self.rows.row(rest, i).values()))
                grid = itertools.product(*(required[name] for name in rest))
                missing = next(cells for cells in grid if cells not in sent)
                words = dict(zip(rest, missing))
                if fixed:
                    words |= self.rows.row(fixed, rows[0])
                cells = {name: words[name] for name in self.columns}
                cells |= {"output_type": output.kind, _ID: words.get(_ID)}
                text = values_text(cells)
                yield Finding(f"missing of model task {task.number}: {text}")
            yield int((size - short).sum()) - min(len(short), SHOWN)

    def value_col_valid(self) -> Found:
        """Values are of their output type's type, and within its minimum and maximum."""
        values = self.rows.values("value", number)
        finite = np.isfinite(values)
        for _, output, mine in self.parts:
            rule = output.value
            low = rule.get("minimum")
            high = rule.get("maximum")
            tests = []
            if rule.get("type") != "character":
                tests.append((~finite, "is not a finite number"))
            if rule.get("type") == "integer":
                tests.append((finite & (values != np.rint(values)), "must be whole"))
            if low is not None:
                tests.append((values < low, f"is less than {low:g}"))
            if high is not None:
                tests.append((values > high, f"is more than {high:g}"))
            for bad, text in tests:
                message = f"{text} ({plain(output.kind)})"
                yield from self.rows.broken(mine & bad, message, "value")

    def value_col_non_desc(self) -> Found:
        """Values of a quantile or cdf do not fall as its id goes up, in the hub's order."""
        if not {"quantile", "cdf"} & {*self.rows.distinct("output_type")}:
            raise NotRun("the file holds no quantile or cdf")
        bad = np.zeros(len(self.rows), dtype=bool)
        for _, output, mine in self.parts:
            if output.kind in ("quantile", "cdf"):
                bad |= self.rows.falling(mine, self.columns, "value", output.ids)
        text = "is below the value of the next lower output_type_id"
        return self.rows.broken(bad, text, "value", [*self.columns, _ID])

    def value_col_sum1(self) -> Found:
        """Probabilities of a pmf add up to 1."""
        if "pmf" not in self.rows.distinct("output_type"):
            raise NotRun("the file holds no pmf")
        return self.rows.not_one(self.round.task_ids, "value")

    # validate_model_data: samples

    @cached_property
    def samples(self) -> list[TaskSamples]:
        """The samples of each model task that has some."""
        groups = []
        for task, output, mine in self.parts:
            if output.kind != "sample" or not mine.any():
                continue
            codes = self.rows.codes[mine]
            params = output.output_type_id_params or Samples()
            compound = params.compound_taskid_set
            if compound is None:
                compound = self.round.task_ids
            by_sample = codes.groupby(_ID)[self.columns]
            is_fixed = by_sample.min() == by_sample.max()
            for name in self.columns:
                is_fixed[name] &= (
                    name in compound or codes[name].min() < codes[name].max()
                )
            fixed = [
                tuple(itertools.compress(self.columns, row))
                for row in is_fixed.to_numpy()
            ]
            groups.append(
                TaskSamples(
                    f"model task {task.number}",
                    codes,
                    compound=compound,
                    params=params,
                    names=[str(self.rows.words[_ID][code]) for code in is_fixed.index],
                    fixed=fixed,
                    usual=Counter(fixed).most_common(1)[0][0],
                )
            )
        if not groups:
            raise NotRun("the file holds no samples")
        return groups

    def spl_mt_unique(self) -> Found:
        """No id is a sample of two model tasks."""
        tasks_of = defaultdict(list)
        for group in self.samples:
            for name in group.names:
                tasks_of[name].append(group.task.rpartition(" ")[2])
        for name, tasks in tasks_of.items():
            if len(tasks) > 1:
                text = f"is a sample of model tasks {listed(tasks)}; number them apart"
                yield Finding(text, None, column=_ID, value=name)

    def spl_compound_taskid_set(self) -> Found:
        """All samples of a model task have one set of compound task ids: the hub's or coarser."""
        for group in self.samples:
            usual = _names(group.usual)
            finer = [name for name in group.usual if name not in group.compound]
            for name, fixed in zip(group.names, group.fixed):
                if fixed != group.usual:
                    text = f"within this sample {_names(fixed)} have one value, within most {usual}"
                    yield Finding(f"{group.task}: {text}", None, column=_ID, value=name)
            if len(set(group.fixed)) == 1 and finer:
                text = (
                    f"every sample has one {_names(finer)}, and must be joint over it: the "
                    f"compound task IDs are {_names(group.compound)}"
                )
                yield Finding(f"{group.task}: {text}", None, column=_ID)
                yield len(group.names) - 1

    def spl_compound_tid(self) -> Found:
        """Each sample has one value of each compound task id: of the set that was found."""
        return broken(not self.samples, "")

    def spl_non_compound_tid(self) -> Found:
        """All samples of a model task have the same combinations of the other task ids."""
        for group in self.samples:
            joint = [name for name in self.columns if name not in group.usual]
            table = pd.DataFrame(
                {"key": row_key(group.codes, joint), _ID: group.codes[_ID]}
            )
            table = table.sort_values([_ID, "key"])
            ends = np.flatnonzero(np.diff(table[_ID])) + 1
            keys = [part.tobytes() for part in np.split(table["key"].to_numpy(), ends)]
            sizes = np.diff([0, *ends, len(table)])
            usual = Counter(keys).most_common(1)[0][0]
            example = keys.index(usual)
            for name, key, size in zip(group.names, keys, sizes):
                if key != usual:
                    text = (
                        f"this sample has {size} rows over {_names(joint)}, and not the "
                        f"combinations of most samples ({sizes[example]} rows, such as sample "
                        f"{plain(group.names[example])})"
                    )
                    yield Finding(f"{group.task}: {text}", None, column=_ID, value=name)

    def spl_n(self) -> Found:
        """Every combination of compound task ids has the samples asked for, as many everywhere."""
        for group in self.samples:
            least = group.params.min_samples_per_task
            most = group.params.max_samples_per_task
            unit = row_key(group.codes.drop_duplicates(_ID), group.usual)
            counts = unit.value_counts(sort=False)
            usual = counts.mode().max()  # of two, the larger: one is missing
            span = f"{least}" if least == most else f"{least} to {most}"
            wrong = counts[(counts < least) | (counts > most) | (counts != usual)]
            for number_of_unit, n in wrong.items():
                row = int((unit == number_of_unit).idxmax())
                place = values_text(self.rows.row(group.usual, row)) or "all rows"
                text = f"{n} samples, and {span} are asked for, as many everywhere"
                yield Finding(f"{group.task}: {text}: {place}")

    # The optional checks that a hub's validations.yml may ask for

    def opt_check_tbl_counts_lt_popn(self) -> Found:
        """Predicted values are less than the location's population."""
        arguments = self.optional["opt_check_tbl_counts_lt_popn"]
        place = _argument(arguments, "location_col", default="location")
        file = _argument(
            arguments, "popn_file_path", default="auxiliary-data/locations.csv"
        )
        column = _argument(arguments, "popn_col", default="population")
        targets = arguments.get("targets") or {}
        if not isinstance(targets, Mapping):
            match = _LIST.match(str(targets).strip())
            if not match:
                raise NotRun(
                    f"targets {plain(targets, 60)} are not list(KEY = 'VALUE')"
                )
            targets = {match[1]: match[3]}
        try:
            people = read_rows(self.hub.root / file, self.hub.root)
        except Unreadable as error:
            raise NotRun(f"{plain(file)}: {error}") from None
        _need(people, f"{plain(file)} has ", place, column)
        _need(self.rows, "", place, *targets)
        mine = np.ones(len(self.rows), dtype=bool)
        for name, value in targets.items():
            mine &= self.rows.among(name, [str(value)])
        places = people.values(place, lambda word: word)
        population = dict(zip(places, people.values(column, number)))
        unknown = [
            word for word in self.rows.distinct(place, mine) if word not in population
        ]
        if unknown:
            raise NotRun(f"{file} has no population of {listed(unknown, 4)}")
        most = self.rows.values(place, lambda word: population.get(word, np.nan))
        bad = mine & ~(self.rows.values("value", number) < most)
        yield from self.rows.broken(
            bad, "must be less than the location's population", "value"
        )

    def opt_check_tbl_horizon_timediff(self) -> Found:
        """Two dates are as far apart as the horizon says."""
        arguments = self.optional["opt_check_tbl_horizon_timediff"]
        first = _argument(arguments, "t0_colname")
        last = _argument(arguments, "t1_colname")
        horizon = _argument(arguments, "horizon_colname", default="horizon")
        days = 7
        period = arguments.get("timediff")
        if period is not None:
            match = _PERIOD.match(str(period).strip())
            if not match:
                raise NotRun(f"timediff {plain(period, 60)} is not weeks(n) or days(n)")
            unit = 7 if match[1] == "weeks" else 1
            days = unit * int(match[2] or 1)
        _need(self.rows, "", first, last, horizon)
        begins = self.rows.values(first, _day_number)
        ends = self.rows.values(last, _day_number)
        off = begins + days * self.rows.values(horizon, number) - ends
        text = f"must be {days} days x {horizon} after {first}"
        yield from self.rows.broken(np.isfinite(off) & (off != 0), text, last)


def _names(names: Sequence[str]) -> str:
    return listed(names) if names else "no task ID"


def _argument(
    arguments: Mapping[str, Any], name: str, default: str | None = None
) -> str:
    """An argument that names something."""
    value = arguments.get(name, default)
    if not isinstance(value, str) or isinstance(value, Expression):
        raise NotRun(f"{name} must be given as text")
    return value


def _need(rows: Rows, prefix: str, *names: str) -> None:
    """Run a check only where all these columns are."""
    for name in names:
        if name not in rows:
            raise NotRun(f"{prefix}no column {plain(name)}")


def _day_number(text: Word) -> float:
    if not text or not is_day(text):
        return np.nan
    return float(dt.date.fromisoformat(text).toordinal())


class Metadata:
    """A file of model-metadata: ``validate_model_metadata``."""

    def __init__(self, path: Path, hub: Hub) -> None:
        self.path = path
        self.hub = hub

    def metadata_schema_exists(self) -> Found:
        """The hub has a schema of metadata."""
        return broken(
            self.hub.metadata_schema() is None, f"no {CONFIG}/{METADATA_SCHEMA}.json"
        )

    def metadata_file_exists(self) -> Found:
        """The file is one, inside the hub."""
        return exists(self.path, self.hub.root)

    def metadata_file_ext(self) -> Found:
        """It ends in yml or yaml."""
        ending = self.path.suffix.removeprefix(".")
        return broken(
            ending not in ("yml", "yaml"), "must be yml or yaml", value=ending
        )

    def metadata_file_location(self) -> Found:
        """It is in model-metadata itself."""
        folder = self.path.parent.relative_to(self.hub.root / MODEL_METADATA).as_posix()
        return broken(
            folder != ".", f"belongs in {MODEL_METADATA} itself", value=folder
        )

    def metadata_matches_schema(self) -> Found:
        """What it holds fits the hub's schema."""
        metadata = read_yaml(self.path, self.hub.root)
        return by_schema(metadata, self.hub.metadata_schema() or {})

    def metadata_file_name(self) -> Found:
        """It is named after the model in it."""
        metadata = read_yaml(self.path, self.hub.root)
        name = f"{metadata.get('team_abbr')}-{metadata.get('model_abbr')}"
        model = metadata.get("model_id", name)
        text = f"the file says that the model is {model}"
        return broken(model != self.path.stem, text, value=self.path.stem)
