"""Checks of what stands in a file of target data: ``validate_target_data``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from odforecast.hub.checks.columns import (
    broken_rows,
    column_types,
    duplicate_rows,
    names_differ,
    said_row,
    unreadable_cells,
)
from odforecast.hub.checks.config import Seen
from odforecast.hub.checks.known import TARGET_DATA, names
from odforecast.hub.checks.outcome import SHOWN, Finding, Ledger, first_rows
from odforecast.hub.checks.place import Unreadable
from odforecast.hub.checks.rows import Rows, read_rows
from odforecast.hub.checks.targets import parts_of
from odforecast.hub.checks.tasks import Choice, ModelTask, Word
from odforecast.say import listed

_ORDER: Final = names(TARGET_DATA)
_SERIES: Final = "time-series"
_ORACLE: Final = "oracle-output"
_VALUE: Final = {_SERIES: "observation", _ORACLE: "oracle_value"}
#: Types of target whose observations are a series of their own.
_OF_SERIES: Final = ("continuous", "discrete", "binary", "compositional")
_IDS: Final = ("output_type", "output_type_id")


def _setting(config: Mapping[str, Any], kind: str, name: str, default: Any) -> Any:
    """A setting of one data set, or the hub's."""
    own = (config.get(kind) or {}).get(name)
    return config.get(name, default) if own is None else own


class _File:
    """One file of target data, beside the configuration."""

    def __init__(self, kind: str, seen: Seen, extra_dates: bool) -> None:
        self.kind, self.extra_dates = kind, extra_dates
        self.config, self.tasks = seen.target, seen.tasks

    @property
    def unit(self) -> tuple[str, ...] | None:
        """The observable unit; None where no configuration says it."""
        if self.config is None:
            return None
        return tuple(_setting(self.config, self.kind, "observable_unit", ()))

    @property
    def versioned(self) -> bool:
        return bool(self.config and _setting(self.config, self.kind, "versioned", False))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the configuration wants."""
        assert self.config is not None
        assert self.unit is not None
        found = [str(self.config["date_col"]), *self.unit]
        if self.kind == _SERIES:
            found += (self.config.get(_SERIES) or {}).get("non_task_id_schema") or {}
        elif (self.config.get(_ORACLE) or {}).get("has_output_type_ids"):
            found += _IDS
        found.append(_VALUE[self.kind])
        return tuple(dict.fromkeys([*found, "as_of"] if self.versioned else found))

    @property
    def types(self) -> dict[str, str]:
        """R types of its columns."""
        found = dict(self.tasks.types)
        if self.config is not None:
            found |= (self.config.get(_SERIES) or {}).get("non_task_id_schema") or {}
            found[str(self.config["date_col"])] = "Date"
        return found | {_VALUE[self.kind]: self.tasks.types["value"], "as_of": "Date"}

    def names(self, rows: Rows) -> list[Finding]:
        """Column names: exactly those of the configuration; without one, what must and must not."""
        if self.config is not None:
            return names_differ(rows, self.columns)
        target = self.tasks.target_column
        wanted = [_VALUE[self.kind], *([target] if target else [])]
        if self.kind == _ORACLE and "output_type" in rows.columns:
            kinds = rows.columns["output_type"].distinct()
            wanted += [c for c in _IDS if "cdf" in kinds or "pmf" in kinds]
        found = [
            Finding("this column is missing", None, c) for c in wanted if c not in rows.columns
        ]
        if self.kind == _SERIES:
            never: tuple[str, ...] = ("value", *_IDS, "oracle_value")
            bad = [c for c in never if c in rows.columns]
        else:
            legal = {*wanted, *_IDS, *self.tasks.task_ids, "as_of"}
            bad = [c for c in rows.columns if c not in legal]
        if bad:
            found.append(Finding(f"not allowed here: {listed(bad, 4)}"))
        return found

    def typed(self, rows: Rows) -> list[Finding]:
        """Column types, and a column of days other than as_of."""
        found = column_types(rows, self.types)
        text_days = [n for n, kind in self.types.items() if kind == "Date"]
        days = [
            name
            for name, column in rows.columns.items()
            if name != "as_of"
            and (column.kind == "Date" or (column.kind == "text" and name in text_days))
        ]
        if not days and not found:
            found.append(Finding("no column of days beside as_of"))
        return found

    def series_targets(self, rows: Rows) -> tuple[list[Finding], int]:
        """Targets of a time series are step-ahead and of a type that is a number."""
        good = {
            str(t.get("target_id")): bool(t.get("is_step_ahead"))
            and t.get("target_type") in _OF_SERIES
            for t in self.tasks.targets
        }
        column, rule = self.tasks.target_column, "a time series needs a target that is step-ahead "
        rule += f"and {listed(_OF_SERIES)}"
        if column is None:
            bad = [n for n, fine in good.items() if not fine]
            return [Finding(rule, value=n) for n in bad], len(bad)
        if column not in rows.columns:
            return [Finding("the column of targets is missing", None, column)], 1
        wrong = ~rows.columns[column].among([n for n, fine in good.items() if fine])
        return broken_rows(rows, column, wrong, rule)

    def unit_columns(self, rows: Rows) -> list[str]:
        """Columns by which an observation is told from another."""
        unit = self.unit
        if unit is None:
            drop = {_VALUE[self.kind], *(("as_of",) if self.kind == _ORACLE else ())}
            return [c for c in rows.columns if c not in drop]
        found = [*unit, *(("as_of",) if self.versioned and self.kind == _SERIES else ())]
        return [c for c in (*found, *_IDS) if c in rows.columns]

    def models(self, output: Word = None) -> Iterator[ModelTask]:
        """Model tasks of all rounds; with an output type, those that have it."""
        for entry in self.tasks.rounds:
            yield from (t for t in entry.tasks if output is None or output in t.output_types)

    @property
    def free(self) -> str | None:
        """The column of days that a series may go beyond: it reaches back before the rounds."""
        day = (self.config or {}).get("date_col")
        return str(day) if self.extra_dates and self.kind == _SERIES and day else None

    def values(self, rows: Rows) -> tuple[list[Finding], int]:
        """Task ids, output types and ids are those of a model task."""
        columns = [c for c in self.tasks.task_ids if c in rows.columns and c != self.free]
        legal = np.zeros(rows.n, dtype=bool)
        has_types = "output_type" in rows.columns
        outputs = rows.columns["output_type"].distinct() if has_types else [None]
        # Many rounds have the same model tasks: each kind is looked at once.
        looked: set[tuple[object, ...]] = set()
        for output in outputs:
            for task in self.models(output):
                choices = [task.task_ids.get(c, Choice((None,))).allowed for c in columns]
                ids = _output_ids(task, output) if has_types else ()
                if (key := (output, *choices, ids)) in looked:
                    continue
                looked.add(key)
                good = np.ones(rows.n, dtype=bool)
                for name, allowed in zip(columns, choices):
                    good &= rows.columns[name].among(allowed)
                if has_types:
                    good &= rows.columns["output_type"].among([output])
                    if "output_type_id" in rows.columns:
                        good &= rows.columns["output_type_id"].among(ids)
                legal |= good
        return self._said(rows, columns, legal)

    def _said(
        self, rows: Rows, columns: Sequence[str], legal: np.ndarray
    ) -> tuple[list[Finding], int]:
        found: list[Finding] = []
        said = np.zeros(rows.n, dtype=bool)
        for name in columns:
            known = {w for t in self.models() for w in t.task_ids.get(name, Choice()).allowed}
            bad = ~rows.columns[name].among(known) & ~said
            found += broken_rows(rows, name, bad, "no value of this task id in the hub")[0]
            said |= bad
        shown = [*columns, *(c for c in _IDS if c in rows.columns)]
        for i in first_rows(~legal & ~said):
            text = f"no model task has this combination: {said_row(rows, shown, int(i))}"
            found.append(Finding(text, rows.row(i)))
        bad = ~legal
        return (found[:SHOWN], int(bad.sum())) if bad.any() else ([], 0)

    def ids(self, rows: Rows) -> tuple[list[Finding], int]:
        """Every cdf and pmf has all its ids; what has no distribution has none."""
        output, ids = rows.columns["output_type"], rows.columns["output_type_id"]
        plain_rows = ~output.among(["cdf", "pmf"])
        found, count = broken_rows(
            rows, "output_type_id", plain_rows & ~ids.among([None]),
            "only a cdf or a pmf has ids in oracle-output; leave it empty",
        )  # fmt: skip
        for kind in ("cdf", "pmf"):
            for wanted in dict.fromkeys(_output_ids(t, kind) for t in self.models(kind)):
                some, n = self._incomplete(rows, kind, wanted)
                found, count = found + some, count + n
        return found[:SHOWN], count

    def _units(self, rows: Rows) -> list[str]:
        unit = self.unit if self.unit is not None else self.tasks.task_ids
        return [c for c in unit if c in rows.columns]

    def _incomplete(
        self, rows: Rows, kind: str, wanted: tuple[Word, ...]
    ) -> tuple[list[Finding], int]:
        columns = self._units(rows)
        mine = rows.columns["output_type"].among([kind])
        mine &= rows.columns["output_type_id"].among(wanted)
        at = np.flatnonzero(mine)
        if not len(at):
            return [], 0
        _, first, unit = np.unique(rows.key(columns)[at], return_index=True, return_inverse=True)
        pair = unit * (len(rows.columns["output_type_id"].words) + 1)
        pair = np.unique(pair + rows.columns["output_type_id"].codes[at])
        have = np.bincount(pair // (len(rows.columns["output_type_id"].words) + 1))
        short = have < len(wanted)
        found = [
            Finding(f"this {kind} has {have[u]} of {len(wanted)} ids: "
                    f"{said_row(rows, columns, int(at[first[u]]))}",
                    rows.row(at[first[u]]), "output_type_id")
            for u in first_rows(short)
        ]  # fmt: skip
        return found, int(short.sum())

    def oracle(self, rows: Rows) -> tuple[list[Finding], int]:
        """Of cdf and pmf: 0 or 1; a cdf does not fall; a pmf has one 1."""
        output, value = rows.columns["output_type"], rows.columns["oracle_value"]
        numbers = value.numbers()
        bad = output.among(["cdf", "pmf"]) & ~np.isin(numbers, (0, 1))
        found, count = broken_rows(rows, "oracle_value", bad, "of a cdf or pmf, must be 0 or 1")
        key = rows.key(self._units(rows))
        ids = rows.columns["output_type_id"]
        fell = np.zeros(rows.n, dtype=bool)
        for wanted in dict.fromkeys(_output_ids(t, "cdf") for t in self.models("cdf")):
            at = np.flatnonzero(output.among(["cdf"]) & ids.among(wanted))
            place = {w: i for i, w in enumerate(wanted)}
            order = np.array([*(place.get(w, -1) for w in ids.words), -1])[ids.codes[at]]
            sort = at[np.lexsort((order, key[at]))]
            down = (numbers[sort][1:] < numbers[sort][:-1]) & (np.diff(key[sort]) == 0)
            fell[sort[1:][down]] = True
        some, n = broken_rows(rows, "oracle_value", fell, "lies below that of the id before")
        found, count = found + some, count + n
        at = np.flatnonzero(output.among(["pmf"]))
        if len(at):
            _, first, unit = np.unique(key[at], return_index=True, return_inverse=True)
            off = ~(np.abs(np.bincount(unit, weights=numbers[at]) - 1) < 1e-8)
            for u in first_rows(off):
                i = int(at[first[u]])
                what = said_row(rows, self._units(rows), i)
                found.append(Finding(f"the values of this pmf do not add up to 1: {what}",
                                     rows.row(i), "oracle_value"))  # fmt: skip
            count += int(off.sum())
        return found, count


def _output_ids(task: ModelTask, output: Word) -> tuple[Word, ...]:
    """Ids that an output type has in target data: none but of a distribution."""
    if output in ("cdf", "pmf"):
        return tuple(w for w in task.output_types[output].ids.allowed if w is not None)
    return (None,)


def check_target_rows(
    path: Path, kind: str, seen: Seen, ledger: Ledger, extra_dates: bool = True
) -> None:
    """Run ``validate_target_data`` on one file whose name and place are in order.

    Parameters
    ----------
    path : Path
    kind : {"time-series", "oracle-output"}
    seen : Seen
    ledger : Ledger
        Takes the outcomes.
    extra_dates : bool
        Whether a time series may have days that are no value of a task id.
    """
    file, this = seen.relative(path), _File(kind, seen, extra_dates)

    def judged(name: str, findings: list[Finding], count: int | None = None) -> bool:
        good = ledger.judged(name, file, findings, count)
        if not good and name not in ("target_tbl_rows_unique", "target_tbl_oracle_value"):
            left = _ORDER[_ORDER.index(name) + 1 :]
            ledger.not_run(left, file, f"stopped by {name}, which failed")
            return False
        return True

    try:
        rows = read_rows(path, seen.root, parts_of(path, seen))
    except Unreadable as error:
        judged("target_file_read", [Finding(str(error))])
        return
    if not judged("target_file_read", *unreadable_cells(rows, this.types)):
        return
    if not judged("target_tbl_colnames", this.names(rows)):
        return
    if not judged("target_tbl_coltypes", this.typed(rows)):
        return
    if kind == _ORACLE:
        ledger.not_run("target_tbl_ts_targets", file, "not of oracle-output")
    elif not judged("target_tbl_ts_targets", *this.series_targets(rows)):
        return
    text = "repeats the observation"
    judged("target_tbl_rows_unique", *duplicate_rows(rows, this.unit_columns(rows), text))
    wrong, count = this.values(rows)
    if wrong or this.free not in this.tasks.task_ids:
        if not judged("target_tbl_values", wrong, count):
            return
    else:
        ledger.passed("target_tbl_values", file, f"any day in {this.free} (extra dates)")
    if kind == _SERIES:
        ledger.not_run(_ORDER[-2:], file, "not of time-series")
    elif any(c not in rows.columns for c in _IDS):
        ledger.not_run(_ORDER[-2:], file, "the file has no output_type_id")
    elif judged("target_tbl_output_type_ids", *this.ids(rows)):
        kinds = rows.columns["output_type"].distinct()
        if "cdf" in kinds or "pmf" in kinds:
            judged("target_tbl_oracle_value", *this.oracle(rows))
        else:
            ledger.not_run("target_tbl_oracle_value", file, "no cdf or pmf in the file")
