"""What any hub asked for and what was observed, by its own configuration and target data.

Oracle output where there is some, else the time series. Versioned target data say on which day each
value was known (``as_of``): of every value the newest version by a day is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, ScoringError
from odforecast.hub.cells import number_texts, read_texts, text_of
from odforecast.hub.layout import Hub, TargetType, values_of

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
_STEPS: Final = {"day": 1, "week": 7}
#: Categories of a cdf or a pmf: one row of the oracle for each.
_BY_ID: Final = ("pmf", "cdf")

type Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Task:
    """One block of a round: values of its task ids, and what it says of each output type.

    Attributes
    ----------
    allowed : mapping
        Task id to the values it may have, as text.
    categories : tuple of str
        Of ``pmf``, in the order of the configuration.
    ordinal : bool
        Whether they have an order.
    compound : tuple of str or None
        Task ids that stay the same within one sample; None where the hub does not say.
    derived : tuple of str
        Task ids that follow from others.
    output_types : tuple of str
    keys : tuple of str
        Task ids that name the target.
    time_unit : str
        ``"day"``, ``"week"``, ``"month"`` …; empty where steps are none.
    origin : str
        The task id that names the round; empty if none does.
    """

    allowed: Mapping[str, frozenset[str]]
    categories: tuple[str, ...]
    ordinal: bool
    compound: tuple[str, ...] | None
    derived: tuple[str, ...]
    output_types: tuple[str, ...]
    keys: tuple[str, ...]
    time_unit: str
    origin: str

    def day(self, unit: Mapping[Any, Any]) -> str:
        """Day of a unit's observation by origin and horizon; empty where it does not follow."""
        if self.time_unit not in _STEPS:
            return ""
        try:
            start = dt.date.fromisoformat(str(unit[self.origin]))
            return str(start + dt.timedelta(_STEPS[self.time_unit] * int(unit["horizon"])))
        except (KeyError, ValueError, OverflowError):
            return ""


def tasks_of(hub: Hub) -> tuple[Task, ...]:
    """All blocks of all rounds of a hub."""
    out = []
    for turn in hub.rounds:
        derived = turn.get("derived_task_ids") or hub.tasks.get("derived_task_ids") or ()
        origin = str(turn.get("round_id", "")) if turn.get("round_id_from_variable") else ""
        for block in turn.get("model_tasks") or ():
            types = block.get("output_type") or {}
            metadata = block.get("target_metadata") or ()
            params = (types.get("sample") or {}).get("output_type_id_params") or {}
            compound = params.get("compound_taskid_set")
            units = {str(m.get("time_unit")) for m in metadata if m.get("is_step_ahead")}
            ids = (block.get("task_ids") or {}).items()
            chances = (types.get("pmf") or {}).get("output_type_id") or {}
            out.append(
                Task(
                    {str(name): frozenset(map(text_of, values_of(x))) for name, x in ids},
                    tuple(map(text_of, values_of(chances))),
                    {m.get("target_type") for m in metadata} == {"ordinal"},
                    None if compound is None else tuple(map(str, compound)),
                    tuple(map(str, derived)),
                    tuple(map(str, types)),
                    tuple(
                        dict.fromkeys(str(k) for m in metadata for k in m.get("target_keys") or {})
                    ),
                    units.pop() if len(units) == 1 else "",
                    origin,
                )
            )
    return tuple(out)


def find_tasks(units: pd.DataFrame, kind: str, tasks: Sequence[Task]) -> NDArray[np.intp]:
    """The block that each unit of an output type is of; −1 where the hub asks for no such thing."""
    out = np.full(len(units), -1, dtype=np.intp)
    for i, task in enumerate(tasks):
        if kind not in task.output_types:
            continue
        fits = out < 0
        for name, values in task.allowed.items():
            if name in units and values:
                fits &= units[name].isin(values).to_numpy()
        out[fits] = i
    return out


class _UnversionedError(DataError):
    """Target data that do not say when their values were known."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Values that came, by their keys.

    Attributes
    ----------
    kind : str
        ``"oracle-output"`` or ``"time-series"``.
    keys : list of str
        Columns by which they are found; all task ids but a date that may follow from others.
    table : DataFrame
        ``keys``, ``came`` (text), ``as_of`` (text; empty where versions are not kept) and, of
        oracle output, ``output_type`` and ``output_type_id``.
    date : str
        The column that is the day of an observation; empty if the hub names none.
    """

    kind: str
    keys: list[str]
    table: pd.DataFrame
    date: str

    @classmethod
    def of(
        cls, hub: Hub, as_of: dt.date | None = None, kind: TargetType | None = None
    ) -> Observations:
        """Read a hub's target data.

        Parameters
        ----------
        hub : Hub
        as_of : date, optional
            Only what was known on that day. Default: all.
        kind : {"oracle-output", "time-series"}, optional
            Default: oracle output, if there is some; with ``as_of``, if it keeps versions.

        Raises
        ------
        DataError
            If there are none, a file cannot be read, has no column of values, or does not say
            when its values were known and that is asked for.
        """
        kinds: list[TargetType] = list(_KINDS) if kind is None else [kind]
        unversioned: _UnversionedError | None = None
        for name in kinds:
            if files := hub.target_files(name):
                try:
                    return cls._read(hub, name, files, as_of)
                except _UnversionedError as error:
                    unversioned = unversioned or error
        if unversioned is not None:
            raise DataError(unversioned.message, unversioned.hint) from None
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
                    f"{path}: no column {column}", hint=f"{kind} of a hub holds what came there"
                )
            parts.append(part)
        table = pd.concat(parts, ignore_index=True).fillna("")
        said: dict[str, Any] = hub.target_data or {}
        own = said.get(kind) or {}
        beside = {column, AS_OF, OUTPUT_TYPE, OUTPUT_TYPE_ID}
        beside |= set(own.get("non_task_id_schema") or {})
        named = own.get("observable_unit") or said.get("observable_unit")
        keys = [str(c) for c in table if c not in beside and (not named or c in named)]
        if named and (lost := [c for c in named if c not in table]):
            raise DataError(
                f"{files[0]}: no column {lost[0]}, and target-data.json has it in observable_unit",
                hint="the file or the configuration is wrong",
            )
        if not keys:
            raise DataError(f"{files[0]}: no columns that say what a value is of")
        if AS_OF in table:
            table[AS_OF] = table[AS_OF].str[:10]
            if as_of is not None:
                table = table[table[AS_OF] <= as_of.isoformat()]
        elif as_of is not None:
            raise _UnversionedError(
                f"{files[0]}: no column {AS_OF}, so what was known on {as_of} is not said",
                hint="leave the day out: no versions of these target data are kept",
            )
        else:
            table[AS_OF] = ""
        if table.empty and as_of is not None:
            raise DataError(f"{files[0]}: nothing was known on {as_of}", hint="a later day")
        if table.empty:
            raise DataError(f"{files[0]}: {nothing}", hint=hint)
        by_id = [c for c in (OUTPUT_TYPE, OUTPUT_TYPE_ID) if kind == "oracle-output" and c in table]
        table = table.rename(columns={column: "came"})[[*keys, *by_id, AS_OF, "came"]]
        # Of every value its newest version; one that is there twice alike, once.
        turn = pd.Series(pd.factorize(table[AS_OF], sort=True)[0], index=table.index)
        if turn.any():
            newest = turn.groupby([table[c] for c in (*keys, *by_id)], sort=False).transform("max")
            table = table[turn == newest].sort_values(AS_OF, kind="stable")
        table = table.drop_duplicates().reset_index(drop=True)
        return cls(kind, keys, table, str(said.get("date_col") or ""))

    def check_targets(self, units: pd.DataFrame, tasks: Sequence[Task]) -> None:
        """Refuse target data that do not say which of several targets they are of."""
        for key in sorted({k for task in tasks for k in task.keys}):
            values = {v for task in tasks for v in task.allowed.get(key, ())}
            if key in units and key not in self.keys and len(values) > 1:
                raise ScoringError(
                    f"the {self.kind} has no column {key}, and the hub has {len(values)} targets",
                    hint="which of them a value is of cannot be told",
                )

    def keyed(self, units: pd.DataFrame, tasks: Sequence[Task | None]) -> pd.DataFrame:
        """Units with all keys; a date that a file lacks is worked out."""
        lacking = [k for k in self.keys if k not in units]
        if not lacking:
            return units
        if lacking != [self.date]:
            raise ScoringError(
                f"the {self.kind} is by {lacking[0]}, and the submission has no such column",
                hint=f"it has: {', '.join(map(str, units))}",
            )
        rows = units.to_dict("records")
        days = [task.day(row) if task is not None else "" for row, task in zip(rows, tasks)]
        return units.assign(**{self.date: days})

    def numbers(self, units: pd.DataFrame, kind: str, tasks: Sequence[Task | None]) -> pd.DataFrame:
        """The number that came of each unit of an output type.

        Returns
        -------
        DataFrame
            ``text`` (as it stands there), ``as_of``, ``reason`` (empty where known) and ``came``
            (float; NaN where unknown), in the units' order.
        """
        rows = self.table
        if OUTPUT_TYPE in rows:
            # For categories: rows of other types hold the number itself, where there are some.
            of_kind = rows[OUTPUT_TYPE] == kind
            rows = rows[~rows[OUTPUT_TYPE].isin(_BY_ID) if kind in _BY_ID else of_kind]
        wanted = self.keyed(units, tasks)
        same = rows.groupby(self.keys, sort=False).agg(
            text=("came", "first"), n=("came", "nunique"), as_of=(AS_OF, "last")
        )
        found = wanted[self.keys].join(same, on=self.keys)
        out = found[["text", AS_OF]].fillna("").astype(object)
        none, many = found["n"].isna().to_numpy(), (found["n"] > 1).to_numpy()
        undated = (wanted[self.keys] == "").any(axis=1).to_numpy()
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

    def by_id(
        self, units: pd.DataFrame, kind: str, tasks: Sequence[Task | None]
    ) -> list[tuple[dict[str, float], str]] | None:
        """Oracle values of each unit by ``output_type_id``, and when they were known.

        None where the oracle has no such rows.
        """
        if OUTPUT_TYPE_ID not in self.table:
            return None
        rows = self.table
        if OUTPUT_TYPE in rows:
            rows = rows[rows[OUTPUT_TYPE] == kind]
        if rows.empty:
            return None
        wanted = pd.MultiIndex.from_frame(self.keyed(units, tasks)[self.keys])
        rows = rows[pd.MultiIndex.from_frame(rows[self.keys]).isin(set(wanted))]
        held: dict[tuple[str, ...], tuple[dict[str, float], str]] = {}
        for *key, name, day, value in zip(
            *(rows[k] for k in self.keys), rows[OUTPUT_TYPE_ID], rows[AS_OF],
            number_texts(rows["came"]),
        ):  # fmt: skip
            values, last = held.get(tuple(key), ({}, ""))
            held[tuple(key)] = (values | {name: value}, max(last, day))
        return [held.get(tuple(key), ({}, "")) for key in wanted]
