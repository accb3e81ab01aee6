"""What any hub asked for and what was observed, by its own configuration and target data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, ScoringError
from odforecast.hub.cells import number_texts, read_texts
from odforecast.hub.layout import Hub, TargetType
from odforecast.hub.tasks import ModelTask, Tasks, shaped

OUTPUT_TYPE: Final = "output_type"
OUTPUT_TYPE_ID: Final = "output_type_id"
AS_OF: Final = "as_of"
#: Kinds of target data: the column of observed values, and what to do where there are no rows.
_KINDS: Final[Mapping[TargetType, tuple[str, str, str]]] = {
    "oracle-output": (
        "oracle_value",
        "no answers yet",
        "odforecast hub update adds them after a later release; --target-data time-series scores "
        "against what was published",
    ),
    "time-series": ("observation", "no values yet", "put the values that came there"),
}
#: Categories of a cdf or a pmf: one row of the oracle for each.
_BY_ID: Final = ("pmf", "cdf")

type Texts = NDArray[np.object_]


class _UnversionedError(DataError):
    """Target data that do not say when their values were known."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Values that came, by their keys, and the model tasks that they are asked for in."""

    kind: str
    keys: list[str]
    table: pd.DataFrame
    date: str
    tasks: list[ModelTask]

    @classmethod
    def of(
        cls, hub: Hub, as_of: dt.date | None = None, kind: TargetType | None = None
    ) -> Observations:
        """Read a hub's target data as known on a day."""
        kinds: list[TargetType] = list(_KINDS) if kind is None else [kind]
        unversioned: list[_UnversionedError] = []
        for name in kinds:
            if files := hub.target_files(name):
                try:
                    return cls._read(hub, name, files, as_of)
                except _UnversionedError as error:
                    unversioned.append(error)
        for refused in unversioned:
            raise DataError(refused.message, refused.hint) from None
        raise DataError(
            f"{hub.root}: no target data ({' or '.join(kinds)}), so nothing can be scored",
            hint="put target-data/time-series.csv or target-data/oracle-output.csv there",
        )

    @classmethod
    def _read(
        cls, hub: Hub, kind: TargetType, files: Sequence[Path], as_of: dt.date | None
    ) -> Observations:
        """One kind of target data, of all its files."""
        column, nothing, hint = _KINDS[kind]
        parts = []
        for path in files:
            part, _ = read_texts(path, hint=f"it is the hub's target data ({kind})")
            for folder in path.relative_to(hub.root).parts[:-1]:
                name, equals, value = folder.partition("=")  # as_of=2024-01-06
                if equals:
                    part[unquote(name)] = unquote(value)
            if column not in part:
                raise DataError(
                    f"{path}: no column {column}", hint=f"{kind} has the observed value there"
                )
            parts.append(part)
        table = pd.concat(parts, ignore_index=True).fillna("")
        said = hub.target_data or {}
        own = said.get(kind) or {}
        beside = {
            column,
            AS_OF,
            OUTPUT_TYPE,
            OUTPUT_TYPE_ID,
            *(own.get("non_task_id_schema") or ()),
        }
        named = own.get("observable_unit") or said.get("observable_unit")
        keys = [str(c) for c in table if c not in beside and (not named or c in named)]
        if named and (lost := [c for c in named if c not in table]):
            raise DataError(
                f"{files[0]}: no column {lost[0]}, and target-data.json has it in observable_unit",
                hint="the file or the configuration is wrong",
            )
        if not keys:
            raise DataError(f"{files[0]}: no columns that say what a value is of")
        if AS_OF not in table and as_of is not None:
            raise _UnversionedError(
                f"{files[0]}: no column {AS_OF}, so what was known on {as_of} is not said",
                hint="leave the day out: no versions of these target data are kept",
            )
        table[AS_OF] = table[AS_OF].str[:10] if AS_OF in table else ""
        if as_of is not None:
            table = table[table[AS_OF] <= as_of.isoformat()]
            nothing, hint = f"nothing was known on {as_of}", "a later day"
        if table.empty:
            raise DataError(f"{files[0]}: {nothing}", hint=hint)
        by_id = [c for c in (OUTPUT_TYPE, OUTPUT_TYPE_ID) if kind == "oracle-output" and c in table]
        table = table.rename(columns={column: "came"})[[*keys, *by_id, AS_OF, "came"]]
        # Of every value its newest version; one that is there twice alike, once.
        newest = table.groupby([*keys, *by_id], sort=False)[AS_OF].transform("max")
        table = table[table[AS_OF] == newest].sort_values(AS_OF, kind="stable")
        table = table.drop_duplicates().reset_index(drop=True)
        tasks = shaped(hub.tasks, Tasks).model_tasks
        return cls(kind, keys, table, str(said.get("date_col") or ""), tasks)

    def check_targets(self, units: pd.DataFrame) -> None:
        """Refuse target data that do not say which of several targets they are of."""
        for key in sorted({k for task in self.tasks for k in task.keys}):
            values = {v for task in self.tasks for v in task.choice(key).allowed if v}
            if key in units and key not in self.keys and len(values) > 1:
                raise ScoringError(
                    f"the {self.kind} has no column {key}, and the hub has {len(values)} targets",
                    hint="which of them a value is of cannot be told",
                )

    def find(self, units: pd.DataFrame, kind: str) -> NDArray[np.intp]:
        """The model task of each unit of an output type; −1 where the hub asks for none such."""
        out = np.full(len(units), -1, dtype=np.intp)
        for i, task in enumerate(self.tasks):
            fits = out < (0 if kind in task.outputs else -1)
            for name, choice in task.task_ids.items():
                if name in units and choice.values:
                    fits &= units[name].isin({w or "" for w in choice.allowed}).to_numpy()
            out[fits] = i
        return out

    def keyed(self, units: pd.DataFrame, found: NDArray[np.intp]) -> pd.DataFrame:
        """The keys of units; a date that a file lacks is worked out."""
        lacking = [k for k in self.keys if k not in units]
        if lacking and lacking != [self.date]:
            raise ScoringError(
                f"the {self.kind} is by {lacking[0]}, and the submission has no such column",
                hint=f"it has: {', '.join(map(str, units))}",
            )
        if lacking:
            rows = zip(units.to_dict("records"), found)
            days = [self.tasks[i].day(row) if i >= 0 else "" for row, i in rows]
            units = units.assign(**{self.date: days})
        return units[self.keys]

    def numbers(self, wanted: pd.DataFrame, kind: str) -> pd.DataFrame:
        """The number that came of each unit of an output type, by its keys."""
        rows = self.table
        if OUTPUT_TYPE in rows:
            # For categories: rows of other types hold the number itself, where there are some.
            of_kind = rows[OUTPUT_TYPE] == kind
            rows = rows[~rows[OUTPUT_TYPE].isin(_BY_ID) if kind in _BY_ID else of_kind]
        same = rows.groupby(self.keys, sort=False).agg(
            text=("came", "first"), n=("came", "nunique"), as_of=(AS_OF, "last")
        )
        found = wanted.join(same, on=self.keys)
        out = found[["text", AS_OF]].fillna("").astype(object)
        none, many = found["n"].isna().to_numpy(), (found["n"] > 1).to_numpy()
        undated = (wanted == "").any(axis=1).to_numpy()
        out["reason"] = np.select(
            [none & undated, none, many],
            [
                f"its {self.date or 'day'} is not in the file, nor does it follow from the horizon",
                self._reasons(wanted, rows),
                f"the {self.kind} holds several values",
            ],
            "",
        )
        out["came"] = number_texts(out["text"])
        off = (out["reason"] == "") & out["came"].isna()
        what = [f"the {self.kind} holds no number: {t!r}" for t in out.loc[off, "text"]]
        out.loc[off, "reason"] = what
        return out.reset_index(drop=True)

    def _reasons(self, wanted: pd.DataFrame, rows: pd.DataFrame) -> Texts:
        """Why nothing is known of units: the target is not there at all, or the day is not."""
        out = np.full(len(wanted), f"no value in the {self.kind}", dtype=object)
        for key in self.keys:
            there = set(rows[key])
            for value in set(wanted[key]) - there:
                why = f"no {key} {value!r} in the {self.kind}"
                if key == self.date and there and value > max(there):
                    why = f"after the last {key} of the {self.kind}"
                out[(wanted[key] == value).to_numpy()] = why
        return out

    def by_id(self, wanted: pd.DataFrame, kind: str) -> list[tuple[dict[str, float], str]] | None:
        """Oracle values of each unit by ``output_type_id``, and when they were known."""
        rows = self.table
        if OUTPUT_TYPE in rows:
            rows = rows[rows[OUTPUT_TYPE] == kind]
        if OUTPUT_TYPE_ID not in rows or rows.empty:
            return None
        held: dict[tuple[str, ...], tuple[dict[str, float], str]] = {}
        columns = (*(rows[k] for k in self.keys), rows[OUTPUT_TYPE_ID], rows[AS_OF])
        for *key, name, day, value in zip(*columns, number_texts(rows["came"])):
            values, last = held.setdefault(tuple(key), ({}, ""))
            values[name] = value
            held[tuple(key)] = (values, max(last, day))
        return [held.get(key, ({}, "")) for key in wanted.itertuples(index=False, name=None)]
