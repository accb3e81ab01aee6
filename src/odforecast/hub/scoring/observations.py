"""What came, by a hub's own target data: oracle output where there is some, else its time series.

Versioned target data say on which day each value was known (``as_of``): of every value the newest
version by a day is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, ScoringError
from odforecast.hub.layout import Hub, TargetType
from odforecast.hub.raw import NO_SUBMISSION
from odforecast.hub.scoring.tables import OUTPUT_TYPE, OUTPUT_TYPE_ID, number_texts, read_texts
from odforecast.hub.scoring.tasks import Task

AS_OF: Final = "as_of"
#: The column that holds what came, by kind of target data.
VALUES: Final = {"oracle-output": "oracle_value", "time-series": "observation"}
_STEPS: Final = {"day": 1, "week": 7}
#: What target data without rows mean, and what to do.
_NONE_YET: Final = {
    "oracle-output": (
        "no answers yet",
        "odforecast hub update adds them after a later release; --target-data time-series scores "
        "against what was published",
    ),
    "time-series": ("no values yet", "put the values that came there"),
}
#: Categories of a cdf or a pmf: one row of the oracle for each.
_BY_ID: Final = ("pmf", "cdf")


class _UnversionedError(DataError):
    """Target data that do not say when their values were known."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Values that came, by their keys.

    Attributes
    ----------
    kind : str
        ``"oracle-output"`` or ``"time-series"``.
    keys : tuple of str
        Columns by which they are found; all task ids but a date that may follow from others.
    table : DataFrame
        ``keys``, ``came`` (text), ``as_of`` (text; empty where versions are not kept) and, of
        oracle output, ``output_type`` and ``output_type_id``.
    date : str
        The column that is the day of an observation; empty if the hub names none.
    """

    kind: str
    keys: tuple[str, ...]
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
        kinds: tuple[TargetType, ...] = ("oracle-output", "time-series")
        unversioned: _UnversionedError | None = None
        for name in kinds if kind is None else (kind,):
            if files := hub.target_files(name):
                try:
                    return cls._read(hub, name, files, as_of)
                except _UnversionedError as error:
                    unversioned = unversioned or error
        if unversioned is not None:
            raise DataError(unversioned.message, unversioned.hint) from None
        what = " or ".join(kinds if kind is None else (kind,))
        raise DataError(
            f"{hub.root}: no target data ({what}), so nothing can be scored",
            hint="put target-data/time-series.csv or target-data/oracle-output.csv there",
        )

    @classmethod
    def _read(
        cls, hub: Hub, kind: TargetType, files: Sequence[Path], as_of: dt.date | None
    ) -> Observations:
        column = VALUES[kind]
        parts = []
        for path in files:
            try:
                part, _ = read_texts(path)
            except DataError as error:
                if error.hint != NO_SUBMISSION:
                    raise
                raise DataError(error.message, f"it is the hub's target data ({kind})") from error
            for name, value in _partition(hub.root, path).items():
                part[name] = value
            if column not in part:
                raise DataError(
                    f"{path}: no column {column}", hint=f"{kind} of a hub holds what came there"
                )
            parts.append(part)
        table = pd.concat(parts, ignore_index=True).fillna("")
        said: dict[str, Any] = hub.target_data or {}
        own = said.get(kind) if isinstance(said.get(kind), dict) else {}
        assert isinstance(own, dict)
        beside = {
            column,
            AS_OF,
            OUTPUT_TYPE,
            OUTPUT_TYPE_ID,
            *(own.get("non_task_id_schema") or {}),
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
            raise DataError(f"{files[0]}: {_NONE_YET[kind][0]}", hint=_NONE_YET[kind][1])
        by_id = [c for c in (OUTPUT_TYPE, OUTPUT_TYPE_ID) if kind == "oracle-output" and c in table]
        table = table.rename(columns={column: "came"})[[*keys, *by_id, AS_OF, "came"]]
        return cls(
            kind, tuple(keys), _newest(table, [*keys, *by_id]), str(said.get("date_col") or "")
        )

    def numbers(
        self, units: pd.DataFrame, output_type: str, tasks: Sequence[Task | None]
    ) -> pd.DataFrame:
        """The number that came of each unit.

        Parameters
        ----------
        units : DataFrame
            Task ids.
        output_type : str
        tasks : sequence of Task or None
            The block that each unit is of.

        Returns
        -------
        DataFrame
            ``came`` (float; NaN where unknown), ``text`` (as it stands there), ``as_of`` and
            ``reason`` (empty where known), in the units' order.
        """
        if OUTPUT_TYPE not in self.table:
            rows = self.table
        elif output_type in _BY_ID:
            # Rows of other types hold the number itself, where there are some.
            rows = self.table[~self.table[OUTPUT_TYPE].isin(_BY_ID)]
        else:
            rows = self.table[self.table[OUTPUT_TYPE] == output_type]
        found = self._find(rows.drop(columns=[OUTPUT_TYPE, OUTPUT_TYPE_ID], errors="ignore"),
                           units, tasks)  # fmt: skip
        found["came"] = number_texts(found["text"])
        off = (found["reason"] == "") & found["came"].isna()
        texts = found.loc[off, "text"]
        found.loc[off, "reason"] = [f"the {self.kind} holds no number: {t!r}" for t in texts]
        return found

    def by_id(
        self, units: pd.DataFrame, output_type: str, tasks: Sequence[Task | None]
    ) -> dict[tuple[str, ...], tuple[dict[str, float], str]] | None:
        """Oracle values of each category or threshold; None where the oracle has no such rows.

        Returns
        -------
        dict or None
            Key of a unit (as :meth:`key_of` gives it) to the values by ``output_type_id`` and
            when they were known.
        """
        if OUTPUT_TYPE_ID not in self.table:
            return None
        rows = self.table
        if OUTPUT_TYPE in rows:
            rows = rows[rows[OUTPUT_TYPE] == output_type]
        if rows.empty:
            return None
        keys = self.key_of(units, tasks)
        rows = rows[pd.MultiIndex.from_frame(rows[list(self.keys)]).isin(set(keys))]
        values = number_texts(rows["came"])
        out: dict[tuple[str, ...], tuple[dict[str, float], str]] = {}
        for *key, name, day, value in zip(
            *(rows[k] for k in self.keys), rows[OUTPUT_TYPE_ID], rows[AS_OF], values
        ):
            held, last = out.get(tuple(key), ({}, ""))
            held[name] = value
            out[tuple(key)] = (held, max(last, day))
        return out

    def key_of(self, units: pd.DataFrame, tasks: Sequence[Task | None]) -> list[tuple[str, ...]]:
        """Values of the keys of each unit; a date that a file lacks is worked out."""
        wanted = self._keyed(units, tasks)
        return list(zip(*(wanted[k] for k in self.keys)))

    def _find(
        self, rows: pd.DataFrame, units: pd.DataFrame, tasks: Sequence[Task | None]
    ) -> pd.DataFrame:
        keys = list(self.keys)
        wanted = self._keyed(units, tasks)
        same = rows.groupby(keys, sort=False).agg(
            text=("came", "first"), n=("came", "nunique"), as_of=(AS_OF, "last")
        )
        found = wanted[keys].join(same, on=keys)
        out = pd.DataFrame({"text": found["text"].fillna(""), AS_OF: found["as_of"].fillna("")})
        none, many = found["n"].isna().to_numpy(), (found["n"] > 1).to_numpy()
        undated = (wanted[keys] == "").any(axis=1).to_numpy()
        out["reason"] = np.select(
            [none & undated, none, many],
            [
                f"its {self.date or 'day'} is not in the file, nor does it follow from the horizon",
                self._reason(wanted, rows),
                f"the {self.kind} holds several values",
            ],
            "",
        )
        return out.reset_index(drop=True)

    def _reason(self, wanted: pd.DataFrame, rows: pd.DataFrame) -> NDArray[np.object_]:
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

    def _keyed(self, units: pd.DataFrame, tasks: Sequence[Task | None]) -> pd.DataFrame:
        lacking = [k for k in self.keys if k not in units]
        if not lacking:
            return units
        if lacking != [self.date]:
            raise ScoringError(
                f"the {self.kind} is by {lacking[0]}, and the submission has no such column",
                hint=f"it has: {', '.join(map(str, units))}",
            )
        days = [_day(row, task) for row, task in zip(units.to_dict("records"), tasks)]
        return units.assign(**{self.date: days})

    def check_targets(self, units: pd.DataFrame, tasks: Sequence[Task]) -> None:
        """Refuse target data that do not say which of several targets they are of.

        Raises
        ------
        ScoringError
            If a hub of several targets has a table without their column.
        """
        for key in sorted({k for task in tasks for k in task.keys}):
            values = {v for task in tasks for v in task.allowed.get(key, ())}
            if key in units and key not in self.keys and len(values) > 1:
                raise ScoringError(
                    f"the {self.kind} has no column {key}, and the hub has {len(values)} targets",
                    hint="which of them a value is of cannot be told",
                )


def _day(row: dict[Any, Any], task: Task | None) -> str:
    """Day of an observation by origin and horizon; empty where it does not follow."""
    if task is None or task.time_unit not in _STEPS:
        return ""
    try:
        start = dt.date.fromisoformat(str(row[task.origin]))
        return str(start + dt.timedelta(days=_STEPS[task.time_unit] * int(row["horizon"])))
    except (KeyError, ValueError, OverflowError):
        return ""


def _partition(root: Path, path: Path) -> dict[str, str]:
    """Columns that the folders of a file name: ``as_of=2024-01-06``."""
    parts = path.relative_to(root).parts[:-1]
    pairs = (part.split("=", 1) for part in parts if "=" in part)
    return {unquote(name): unquote(value) for name, value in pairs}


def _newest(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Of every value its newest version; one that stands there twice alike, once."""
    days = sorted(set(table[AS_OF]))
    if len(days) > 1:
        table = table.assign(turn=pd.Categorical(table[AS_OF], days).codes)
        newest = table.groupby(keys, sort=False)["turn"].transform("max")
        table = table[table["turn"] == newest].sort_values("turn", kind="stable")
        table = table.drop(columns="turn")
    return table.drop_duplicates().reset_index(drop=True)
