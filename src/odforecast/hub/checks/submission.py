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
    if dot and codec not in _CODECS:
        known = listed(_CODECS)
        raise ValueError(f"'.{plain(codec, 20)}' in its name is not a compression: {known}")
    stem = head if dot else stem
    if strange := list(dict.fromkeys(re.findall(r"[^A-Za-z0-9_-]", stem))):
        shown = ", ".join(map(repr, strange[:5]))
        raise ValueError(f"{shown} is not allowed in a file's name: letters, digits, _ and - only")
    found = STEM.fullmatch(stem)
    if not found:
        raise ValueError("a name is ROUND-TEAM-MODEL, each of letters, digits and _")
    return found[1], f"{found[2]}-{found[3]}"


@dataclass(frozen=True)
class Drawn:
    """The samples of one model task."""

    task: str
    codes: pd.DataFrame
    known: list[str]
    params: Samples
    names: list[str]
    sets: list[tuple[str, ...]]
    usual: tuple[str, ...]


class Submission:
    """A file of model-output."""

    def __init__(
        self,
        path: Path,
        hub: Hub,
        now: dt.date | None,
        optional: Mapping[str, Any],
    ) -> None:
        self.path = path
        self.hub = hub
        self.now = now
        self.optional = optional
        self.round_id = self.model_id = ""

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
        known = self.hub.asked.round_ids
        text = f"is not a round of the hub: {listed(known, 3)}"
        return broken(self.round_id not in known, text, value=self.round_id)

    def file_format(self) -> Found:
        """The hub accepts the format."""
        accepted = self.round.file_format or self.hub.file_formats
        ending = self.path.suffix.removeprefix(".")
        text = f"the hub accepts {', '.join(accepted)}"
        return broken(ending not in accepted, text, value=ending)

    def file_n(self) -> Found:
        """No other file is of the same round and model."""
        stem = self.path.name.split(".")[0]
        name = self.path.name
        others = [f for f in os.listdir(self.path.parent) if f != name and f.split(".")[0] == stem]
        text = f"one file for each round and model; beside it is {listed(sorted(others), 3)}"
        return broken(others, text)

    def metadata_exists(self) -> Found:
        """The model has metadata."""
        wanted = [f"{MODEL_METADATA}/{self.model_id}.{ending}" for ending in ("yml", "yaml")]
        found = any((self.hub.root / name).is_file() for name in wanted)
        return broken(not found, f"no {wanted[0]} (or .yaml)")

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
        at = self.now.astimezone(zone) if isinstance(self.now, dt.datetime) else None
        day = at.date() if at else self.now
        assert day is not None
        text = f"the window of round {self.round_id} is {start} to {end}, {name}"
        value = at.isoformat(" ", "minutes") if at else str(day)
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
            days = [w for w in self.rows.distinct(column) if is_day(w)]
        if len(days) != 1:
            raise ValueError(f"column {column} holds {len(days)} days, and one is needed")
        day = dt.date.fromisoformat(str(days[0]))
        return day + dt.timedelta(int(start or 0)), day + dt.timedelta(int(end or 0))

    # validate_model_data: the columns

    @cached_property
    def round(self) -> Round:
        """The entry of ``rounds`` that the file belongs to."""
        return next(r for r in self.hub.asked.rounds if self.round_id in r.ids)

    @cached_property
    def rows(self) -> Rows:
        """What the file holds."""
        return read_rows(self.path, self.hub.root)

    def file_read(self) -> Found:
        """The file can be read, and each cell as its column's type."""
        return self.rows.bad_cells(self.hub.asked.types)

    def _round_column(self) -> str:
        if self.round.column is None:
            raise NotRun("round IDs are in no column (round_id_from_variable is false)")
        return self.round.column

    def valid_round_id_col(self) -> Found:
        """There is a column of round ids."""
        column = self._round_column()
        return broken(column not in self.rows, "the column of round IDs is missing", column=column)

    def unique_round_id(self) -> Found:
        """It holds one round."""
        column = self._round_column()
        ids = self.rows.distinct(column)
        shown = ", ".join("NA" if w is None else quoted(w, 40) for w in ids[:4])
        text = f"holds {len(ids)} round IDs: {shown}; one is needed"
        return broken(len(ids) != 1, text, column=column)

    def match_round_id(self) -> Found:
        """It is the round of the file's name."""
        column = self._round_column()
        bad = ~self.rows.among(column, [self.round_id])
        return self.rows.broken(bad, f"the file's name says round {self.round_id}", column)

    def colnames(self) -> Found:
        """The columns are the round's task ids and the standard ones, in any order."""
        return self.rows.bad_columns((*self.round.task_ids, *STANDARD))

    def col_types(self) -> Found:
        """Columns of a typed file have the types of the configuration."""
        return self.rows.bad_types(self.hub.asked.types)

    # validate_model_data: the rows

    @cached_property
    def tasks(self) -> list[ModelTask]:
        """Model tasks of the round."""
        return self.round.fixed(self.round_id)

    @cached_property
    def columns(self) -> list[str]:
        """Task ids that are not derived."""
        return [n for n in self.round.task_ids if n not in self.round.derived]

    @cached_property
    def parts(self) -> list[tuple[ModelTask, OutputType, np.ndarray]]:
        """Which rows are of each output type of each model task; a row may be of none."""
        found = []
        for task in self.tasks:
            legal = np.ones(len(self.rows), dtype=bool)
            for name in self.columns:
                legal &= self.rows.among(name, task.choice(name).allowed)
            for output in task.outputs.values():
                mine = legal & self.rows.among("output_type", [output.kind])
                if output.kind != "sample":  # whose ids are numbers of their own
                    mine &= self.rows.among(_ID, output.ids)
                found.append((task, output, mine))
        return found

    def valid_vals(self) -> Found:
        """Every row is of an output type of a model task."""
        outputs = [o for t in self.tasks for o in t.outputs.values()]
        known: dict[str, list[Word]] = {
            name: [w for t in self.tasks for w in t.choice(name).allowed] for name in self.columns
        }
        known["output_type"] = [o.kind for o in outputs]
        known[_ID] = [w for o in outputs if o.kind != "sample" for w in o.ids]
        if "sample" in known["output_type"]:
            mine = self.rows.among("output_type", ["sample"])
            known[_ID] += self.rows.distinct(_ID, mine)
        legal = np.logical_or.reduce([mine for *_, mine in self.parts])
        yield from self.rows.illegal(legal, known)
        for _, output, mine in self.parts:
            if output.kind == "sample":
                yield from self._sample_ids(output.output_type_id_params or Samples(), mine)

    def _sample_ids(self, params: Samples, mine: np.ndarray) -> Found:
        """Ids of samples that are not of the type and length of the configuration."""
        whole = params.type == "integer"
        most = params.max_length
        text = "sample IDs are whole numbers"
        if not whole:
            text = "a sample has an ID" if most is None else f"at most {most} characters"

        def bad(w: Word) -> bool:
            """Whether a text is no such id."""
            return w is None or (not fits(w, "integer") if whole else len(w) > (most or len(w)))

        return self.rows.broken(mine & self.rows.each(_ID, bad), text, _ID)

    def derived_task_id_vals(self) -> Found:
        """Derived task ids have values of the configuration, in any combination."""
        derived = [n for n in self.round.derived if n in self.round.task_ids]
        if not derived:
            raise NotRun("the round has no derived task IDs")
        if all(n in self.rows for n in _DAYS):
            key = row_key(self.rows.codes, _DAYS)
            wrong = {}
            for i in key.index[~key.duplicated()]:
                days = (w or "" for w in self.rows.row(_DAYS, i).values())
                if why := self.hub.wrong_end(*days):
                    wrong[key[i]] = f"{why}; {HORIZON_HINT}"
            yield from self.rows.broken(key.isin(wrong), lambda i: wrong[key[i]], _DAYS[-1])
        for name in derived:
            known = {w for t in self.round.tasks for w in t.choice(name).allowed}
            bad = ~self.rows.among(name, known)
            yield from self.rows.broken(bad, "is not a value of this derived task ID", name)

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
        optional = pd.DataFrame(
            {n: ~self.rows.among(n, values)[codes.index] for n, values in required.items()},
            index=codes.index,
        )
        never = {n for n, values in required.items() if not values}
        # A model task with a column of optional values only may be left out.
        sets = set() if never else {frozenset[str]()}
        for flags in optional.drop_duplicates().to_numpy():
            mixed = [n for n, on in zip(names, flags) if on and n not in never]
            for k in range(len(mixed) + 1):
                sets |= {frozenset(never.union(x)) for x in itertools.combinations(mixed, k)}
        for kept in sorted([n for n in names if n in some] for some in sets):
            rest = [n for n in names if n not in kept]
            size = math.prod(len(required[n]) for n in rest)
            unit = row_key(codes[optional[kept].all(axis=1)], kept)
            full = ~optional.loc[unit.index, rest].any(axis=1)
            have = full.astype(int).groupby(unit).sum() if kept else pd.Series([int(full.sum())])
            short = have[have < size]
            for u in short.index[:SHOWN]:
                mates = unit.index[unit == u]
                there = {tuple(self.rows.row(rest, i).values()) for i in mates[full[mates]]}
                grid = itertools.product(*(required[n] for n in rest))
                values = dict(zip(rest, next(x for x in grid if x not in there)))
                values |= self.rows.row(kept, mates[0]) if kept else {}
                first = {n: values[n] for n in self.columns} | {"output_type": output.kind}
                text = values_text({**first, _ID: values.get(_ID)})
                yield Finding(f"missing of model task {task.number}: {text}")
            yield int((size - short).sum()) - min(len(short), SHOWN)

    def value_col_valid(self) -> Found:
        """Values are of their output type's type, and within its minimum and maximum."""
        values = self.rows.each("value", number)
        finite = np.isfinite(values)
        for _, output, mine in self.parts:
            rule = output.value
            low, high = (rule.get(name) for name in ("minimum", "maximum"))
            tests = [(~finite, "is not a finite number")] if rule.get("type") != "character" else []
            if rule.get("type") == "integer":
                tests.append((finite & (values != np.rint(values)), "must be whole"))
            if low is not None:
                tests.append((values < low, f"is less than {low:g}"))
            if high is not None:
                tests.append((values > high, f"is more than {high:g}"))
            for bad, text in tests:
                yield from self.rows.broken(mine & bad, f"{text} ({plain(output.kind)})", "value")

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
    def samples(self) -> list[Drawn]:
        """The samples of each model task that has some."""
        found = []
        for task, output, mine in self.parts:
            if output.kind != "sample" or not mine.any():
                continue
            codes = self.rows.codes[mine]
            params = output.output_type_id_params or Samples()
            known = params.compound_taskid_set
            known = self.round.task_ids if known is None else known
            by = codes.groupby(_ID)[self.columns]
            one = by.min() == by.max()
            for name in self.columns:
                one[name] &= name in known or codes[name].min() < codes[name].max()
            sets = [tuple(itertools.compress(self.columns, row)) for row in one.to_numpy()]
            usual = Counter(sets).most_common(1)[0][0]
            text = f"model task {task.number}"
            names = [str(self.rows.words[_ID][code]) for code in one.index]
            found.append(
                Drawn(text, codes, known=known, params=params, names=names, sets=sets, usual=usual)
            )
        if not found:
            raise NotRun("the file holds no samples")
        return found

    def spl_mt_unique(self) -> Found:
        """No id is a sample of two model tasks."""
        where = defaultdict(list)
        for group in self.samples:
            for name in group.names:
                where[name].append(group.task.rpartition(" ")[2])
        for name, tasks in where.items():
            if len(tasks) > 1:
                text = f"is a sample of model tasks {listed(tasks)}; number them apart"
                yield Finding(text, None, column=_ID, value=name)

    def spl_compound_taskid_set(self) -> Found:
        """All samples of a model task have one set of compound task ids: the hub's or coarser."""
        for group in self.samples:
            usual = _names(group.usual)
            known = _names(group.known)
            finer = [n for n in group.usual if n not in group.known]
            for name, compound in zip(group.names, group.sets):
                if compound != group.usual:
                    text = (
                        f"within this sample {_names(compound)} have one value, within most {usual}"
                    )
                    yield Finding(f"{group.task}: {text}", None, column=_ID, value=name)
            if len(set(group.sets)) == 1 and finer:
                text = (
                    f"every sample has one {_names(finer)}, and must be joint over it: the "
                    f"compound task IDs are {known}"
                )
                yield Finding(f"{group.task}: {text}", None, column=_ID)
                yield len(group.names) - 1

    def spl_compound_tid(self) -> Found:
        """Each sample has one value of each compound task id: of the set that was found."""
        return broken(not self.samples, "")

    def spl_non_compound_tid(self) -> Found:
        """All samples of a model task have the same combinations of the other task ids."""
        for group in self.samples:
            others = [n for n in self.columns if n not in group.usual]
            table = pd.DataFrame({"key": row_key(group.codes, others), _ID: group.codes[_ID]})
            table = table.sort_values([_ID, "key"])
            ends = np.flatnonzero(np.diff(table[_ID])) + 1
            keys = [x.tobytes() for x in np.split(table["key"].to_numpy(), ends)]
            sizes = np.diff([0, *ends, len(table)])
            usual = Counter(keys).most_common(1)[0][0]
            example = keys.index(usual)
            for name, key, size in zip(group.names, keys, sizes):
                if key != usual:
                    text = (
                        f"this sample has {size} rows over {_names(others)}, and not the "
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
            asked = f"{least}" if least == most else f"{least} to {most}"
            for u, n in counts[(counts < least) | (counts > most) | (counts != usual)].items():
                where = values_text(self.rows.row(group.usual, int((unit == u).idxmax())))
                text = f"{n} samples, and {asked} are asked for, as many everywhere"
                yield Finding(f"{group.task}: {text}: {where or 'all rows'}")

    # The optional checks that a hub's validations.yml may ask for

    def opt_check_tbl_counts_lt_popn(self) -> Found:
        """Predicted values are less than the location's population."""
        asked = self.optional["opt_check_tbl_counts_lt_popn"]
        place = _argument(asked, "location_col", default="location")
        file = _argument(asked, "popn_file_path", default="auxiliary-data/locations.csv")
        column = _argument(asked, "popn_col", default="population")
        targets = asked.get("targets") or {}
        if not isinstance(targets, Mapping):
            found = _LIST.match(str(targets).strip())
            if not found:
                raise NotRun(f"targets {plain(targets, 60)} are not list(KEY = 'VALUE')")
            targets = {found[1]: found[3]}
        try:
            people = read_rows(self.hub.root / file, self.hub.root)
        except Unreadable as error:
            raise NotRun(f"{plain(file)}: {error}") from None
        _need(people, f"{plain(file)} has ", place, column)
        _need(self.rows, "", place, *targets)
        mine = np.ones(len(self.rows), dtype=bool)
        for name, value in targets.items():
            mine &= self.rows.among(name, [str(value)])
        known = dict(zip(people.each(place, lambda w: w), people.each(column, number)))
        if lost := [w for w in self.rows.distinct(place, mine) if w not in known]:
            raise NotRun(f"{file} has no population of {listed(lost, 4)}")
        most = self.rows.each(place, lambda w: known.get(w, np.nan))
        bad = mine & ~(self.rows.each("value", number) < most)
        yield from self.rows.broken(bad, "must be less than the location's population", "value")

    def opt_check_tbl_horizon_timediff(self) -> Found:
        """Two dates are as far apart as the horizon says."""
        asked = self.optional["opt_check_tbl_horizon_timediff"]
        first = _argument(asked, "t0_colname")
        last = _argument(asked, "t1_colname")
        horizon = _argument(asked, "horizon_colname", default="horizon")
        days = 7
        if (period := asked.get("timediff")) is not None:
            found = _PERIOD.match(str(period).strip())
            if not found:
                raise NotRun(f"timediff {plain(period, 60)} is not weeks(n) or days(n)")
            days = {"weeks": 7, "days": 1}[found[1]] * int(found[2] or 1)
        _need(self.rows, "", first, last, horizon)
        begins = self.rows.each(first, _day_number)
        ends = self.rows.each(last, _day_number)
        off = begins + days * self.rows.each(horizon, number) - ends
        text = f"must be {days} days x {horizon} after {first}"
        yield from self.rows.broken(np.isfinite(off) & (off != 0), text, last)


def _names(names: Sequence[str]) -> str:
    return listed(names) if names else "no task ID"


def _argument(arguments: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """An argument that names something."""
    value = arguments.get(name, default)
    if not isinstance(value, str) or isinstance(value, Expression):
        raise NotRun(f"{name} must be given as text")
    return value


def _need(rows: Rows, where: str, *names: str) -> None:
    """Run a check only where all these columns are."""
    for name in names:
        if name not in rows:
            raise NotRun(f"{where}no column {plain(name)}")


def _day_number(text: Word) -> float:
    return float(dt.date.fromisoformat(text).toordinal()) if text and is_day(text) else np.nan


class Metadata:
    """A file of model-metadata: ``validate_model_metadata``."""

    def __init__(self, path: Path, hub: Hub) -> None:
        self.path = path
        self.hub = hub

    def metadata_schema_exists(self) -> Found:
        """The hub has a schema of metadata."""
        return broken(self.hub.metadata_schema() is None, f"no {CONFIG}/{METADATA_SCHEMA}.json")

    def metadata_file_exists(self) -> Found:
        """The file is one, inside the hub."""
        return exists(self.path, self.hub.root)

    def metadata_file_ext(self) -> Found:
        """It ends in yml or yaml."""
        ending = self.path.suffix.removeprefix(".")
        return broken(ending not in ("yml", "yaml"), "must be yml or yaml", value=ending)

    def metadata_file_location(self) -> Found:
        """It is in model-metadata itself."""
        folder = self.path.parent.relative_to(self.hub.root / MODEL_METADATA).as_posix()
        return broken(folder != ".", f"belongs in {MODEL_METADATA} itself", value=folder)

    def metadata_matches_schema(self) -> Found:
        """What it holds fits the hub's schema."""
        return by_schema(read_yaml(self.path, self.hub.root), self.hub.metadata_schema() or {})

    def metadata_file_name(self) -> Found:
        """It is named after the model in it."""
        found = read_yaml(self.path, self.hub.root)
        model = found.get("model_id", f"{found.get('team_abbr')}-{found.get('model_abbr')}")
        text = f"the file says that the model is {model}"
        return broken(model != self.path.stem, text, value=self.path.stem)
