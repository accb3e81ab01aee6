"""Scores of other people's forecasts, in any hubverse hub, against the hub's own target data."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, OdforecastError, ScoringError, one_of
from odforecast.hub.layout import HORIZON_HINT, Hub, TargetType
from odforecast.names import COVERAGE_LEVELS
from odforecast.say import quoted
from odforecast.scoring import rules
from odforecast.scoring.files import DAY_IN_NAME, TOTAL
from odforecast.scoring.rules import Floats, energy_score, quantiles_sorted
from odforecast.sources.cells import number_texts, numbers, read_texts

#: Every score, in the order of the table's columns.
SCORES: Final = (
    "wis",
    "crps",
    "dispersion",
    "overprediction",
    "underprediction",
    "bias",
    "ae_median",
    "se_mean",
    "ae_point",
    "se_point",
    "log_score",
    "rps",
    *(f"interval_coverage_{round(100 * c)}" for c in COVERAGE_LEVELS),
)
#: The score that a comparison of models is about, by output type that is scored.
HEADLINE: Final = {
    "quantile": "wis",
    "sample": "crps",
    "median": "ae_point",
    "mean": "se_point",
    "pmf": "log_score",
    "cdf": "rps",
}
#: Scales that may be asked for; both: the rows of each.
_SCALES: Final = {"natural": ("natural",), "log": ("log",), "both": ("natural", "log")}
MODEL_ID = "model_id"
AS_OF = "as_of"
OUTPUT_TYPE = "output_type"
OUTPUT_TYPE_ID = "output_type_id"
#: What makes two rows forecasts of the same thing, besides their task ids.
_UNIT_KEYS: Final = (OUTPUT_TYPE, "scale", "levels")
#: Columns of a unit behind its task ids, before its scores.
_UNIT_COLUMNS: Final = (
    OUTPUT_TYPE,
    "scale",
    "n_values",
    "observed",
    "category",
    "truth",
    "truth_as_of",
    "scorable",
    "reason",
)
_JOINT_COLUMNS: Final = (
    "scale",
    "joint_over",
    "n_samples",
    "n_units",
    "n_known",
    "truth",
    "truth_as_of",
    "energy_score",
    "scorable",
    "reason",
    "units",
)
_ENDING: Final = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)
#: Columns of a hub made here that must agree.
_DAYS: Final = ["origin_date", "horizon", "target_end_date"]
_NEGATIVE: Final = "a log scale needs values of 0 or more"
#: As in :func:`odforecast.scoring.rules.check_quantiles`.
_SLACK: Final = 1e-9
#: The column of observed values, by kind of target data.
_VALUE_COLUMNS: Final[Mapping[TargetType, str]] = {
    "oracle-output": "oracle_value",
    "time-series": "observation",
}
#: What is wrong with target data without rows, and what to do.
_NO_VALUES: Final[Mapping[TargetType, tuple[str, str]]] = {
    "oracle-output": (
        "no answers yet",
        "odforecast hub update adds them after a later release; --target-data time-series scores "
        "against what was published",
    ),
    "time-series": ("no values yet", "put the values that came there"),
}
#: Output types of categories or thresholds: one row of the oracle for each of these.
_BY_ID: Final = ("pmf", "cdf")

type Texts = NDArray[np.object_]
#: Scores of units by name, and the reason why a unit has none.
type Scored = tuple[dict[str, Floats], Texts]


# Rules: forecast values (U, n) of U units, and observed ones.


def quantiles(values: Floats, levels: Sequence[float], observed: Floats) -> Scored:
    """Scores of quantiles, rising levels."""
    tau = np.asarray(levels, dtype=float)
    reason = _reason_against_levels(tau)
    reasons = np.full(len(values), reason, dtype=object)
    if reason:
        return {}, reasons
    tolerance = _SLACK * (1 + np.abs(values[:, 1:]))
    falls = np.diff(values, axis=1) < -tolerance
    for i in np.flatnonzero(falls.any(axis=1)):
        k = int(np.argmax(falls[i]))
        reasons[i] = (
            f"quantiles cross: {values[i, k + 1]:g} at level {tau[k + 1]:g} lies below "
            f"{values[i, k]:g} at level {tau[k]:g}"
        )
    rising = np.maximum.accumulate(values.T, axis=0)
    wis = rules.weighted_interval_score(rising, levels, observed=observed)
    scores = {
        "wis": wis.total,
        "dispersion": wis.spread,
        "overprediction": wis.over,
        "underprediction": wis.under,
        "bias": rules.bias_from_quantiles(rising, levels, observed=observed),
        "ae_median": np.abs(rising[tau.size // 2] - observed),
    }
    return scores | _coverage(tau, rising, observed=observed), reasons


def _reason_against_levels(tau: Floats) -> str:
    """Why levels give no WIS; empty where they do."""
    if not ((tau > 0) & (tau < 1)).all():
        return "a level does not lie between 0 and 1"
    repeated = np.diff(tau) <= _SLACK
    if repeated.any():
        return f"level {tau[1:][repeated][0]:g} is there twice"
    symmetric = np.allclose(tau, 1 - tau[::-1], rtol=0, atol=1e-9)
    if tau.size % 2 == 0 or not symmetric:
        text = ", ".join(f"{level:g}" for level in tau[:3])
        if tau.size > 3:
            text += f" … {tau[-1]:g}"
        return f"WIS needs levels symmetric about a median; there are {text}"
    return ""


def samples(values: Floats, observed: Floats) -> Scored:
    """Scores of samples, each unit by itself: CRPS with its parts, bias, errors, coverage."""
    ordered = np.sort(values, axis=1)
    median = quantiles_sorted(ordered, [0.5])[0]
    total = rules.crps_sorted(ordered, observed)
    spread = rules.crps_sorted(ordered, median)
    levels = [level for share in COVERAGE_LEVELS for level in _ends_of(share)]
    scores = {
        "crps": total,
        "dispersion": spread,
        "overprediction": np.where(median > observed, total - spread, 0.0),
        "underprediction": np.where(median < observed, total - spread, 0.0),
        "bias": rules.bias_sorted(ordered, observed),
        "ae_median": np.abs(median - observed),
        "se_mean": (values.mean(axis=1) - observed) ** 2,
    }
    coverage = _coverage(levels, quantiles_sorted(ordered, levels), observed=observed)
    return scores | coverage, np.full(len(observed), "", dtype=object)


def _ends_of(share: float) -> tuple[float, float]:
    """Levels of the ends of a central interval."""
    return (1 - share) / 2, (1 + share) / 2


def _coverage(
    levels: Iterable[float], values: Floats, observed: Floats
) -> dict[str, Floats]:
    """Coverage of each usual interval whose ends are among the levels."""
    row_of = {round(level, 9): row for level, row in zip(levels, values)}
    coverage = {}
    for share in COVERAGE_LEVELS:
        low, high = (row_of.get(round(level, 9)) for level in _ends_of(share))
        if low is not None and high is not None:
            inside = (low <= observed) & (observed <= high)
            coverage[f"interval_coverage_{round(100 * share)}"] = inside.astype(float)
    return coverage


def probabilities(values: Floats, observed: NDArray[np.intp], ordered: bool) -> Scored:
    """Scores of chances of K categories: the log score, and the RPS where they have an order."""
    total = values.sum(axis=1)
    outside = ((values < 0) | (values > 1)).any(axis=1)
    totals = [f"its chances add up to {chance:.6g}" for chance in total]
    reasons = _first_reasons(
        (outside, "a probability is outside 0 to 1"),
        (np.abs(total - 1) > TOTAL, totals),
    )
    scores = {"log_score": _log_score(values[np.arange(len(values)), observed])}
    if ordered:
        reached = np.arange(values.shape[1] - 1) >= observed[:, None]
        below = np.cumsum(values, axis=1)[:, :-1]
        scores["rps"] = ((below - reached) ** 2).sum(axis=1)
    return scores, reasons


def cumulative(values: Floats, reached: Floats) -> Scored:
    """Scores of a distribution function at K rising thresholds: RPS, and the binned log score."""
    steps = np.diff(values, axis=1)
    outside = ((values < 0) | (values > 1)).any(axis=1)
    reasons = _first_reasons(
        (outside, "a probability is outside 0 to 1"),
        ((steps < -_SLACK).any(axis=1), "probabilities fall with the threshold"),
        (
            (np.diff(reached, axis=1) < 0).any(axis=1),
            "the truth is not a step from 0 to 1",
        ),
    )
    below = values[:, :1]
    above = 1 - values[:, -1:]
    bins = np.hstack([below, steps, above])
    observed_bin = (reached == 0).sum(axis=1)
    chance = np.take_along_axis(bins, observed_bin[:, None], axis=1)[:, 0]
    rps = ((values - reached) ** 2).sum(axis=1)
    return {"rps": rps, "log_score": _log_score(np.maximum(chance, 0.0))}, reasons


def _first_reasons(*tests: tuple[Any, Any]) -> Texts:
    """Of each unit the first reason whose test it fails; empty where it passes all."""
    failed, reasons = zip(*tests)
    return np.asarray(np.select(list(failed), list(reasons), default=""), dtype=object)


def _log_score(chance: Floats) -> Floats:
    """The log score, by the chance of the observed category."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(0.0 - np.log(chance))  # 0 − log 1 is 0; −log 1 would be −0


# What was observed


@dataclass(frozen=True, eq=False)
class Observations:
    """Observed values by their keys, in the newest version that was known on a day."""

    #: The hub whose target data they are.
    hub: Hub
    #: The kind of target data.
    kind: TargetType
    #: Columns that say what a value is of.
    keys: list[str]
    #: Keys, output type and id (empty where a value holds for all), ``as_of`` and ``observed``.
    table: pd.DataFrame
    #: The column of dates, as the hub's configuration names it; empty where it does not.
    date_column: str

    def check_targets(self, units: pd.DataFrame) -> None:
        """Refuse target data that do not say which of several targets they are of."""
        tasks = self.hub.tasks_config.model_tasks
        for key in sorted({key for task in tasks for key in task.keys}):
            targets = {
                text for task in tasks for text in task.choice(key).allowed if text
            }
            if key in units and key not in self.keys and len(targets) > 1:
                raise ScoringError(
                    f"the {self.kind} has no column {key}, and the hub has {len(targets)} targets",
                    hint="add the column, so that each value has its target",
                )

    def find_tasks(self, units: pd.DataFrame, output_type: str) -> NDArray[np.intp]:
        """The model task of each unit of an output type; −1 where the hub asks for none such."""
        numbers_of_tasks = np.full(len(units), -1, dtype=np.intp)
        for i, task in enumerate(self.hub.tasks_config.model_tasks):
            if output_type not in task.outputs:
                continue
            fits = numbers_of_tasks < 0
            for name, choice in task.task_ids.items():
                if name in units and choice.values:
                    allowed = {text or "" for text in choice.allowed}
                    fits &= units[name].isin(allowed).to_numpy()
            numbers_of_tasks[fits] = i
        return numbers_of_tasks

    def keys_of(
        self, units: pd.DataFrame, task_numbers: NDArray[np.intp]
    ) -> pd.DataFrame:
        """The keys of units; a date that a file lacks is worked out."""
        missing = [key for key in self.keys if key not in units]
        if not missing:
            return units[self.keys]
        if missing != [self.date_column]:
            raise ScoringError(
                f"the {self.kind} is by {missing[0]}, and the submission has no such column",
                hint=f"it has: {', '.join(map(str, units))}",
            )
        tasks = self.hub.tasks_config.model_tasks
        days = []
        for row, number in zip(units.to_dict("records"), task_numbers):
            days.append(tasks[number].day(row) if number >= 0 else "")
        return units.assign(**{self.date_column: days})[self.keys]

    @cached_property
    def _by_output_type(self) -> dict[str, pd.DataFrame]:
        """Values of the output types that were looked up, see :meth:`_values_of`."""
        return {}

    def _values_of(self, output_type: str) -> pd.DataFrame:
        """By the keys: the observed text of an output type, number of texts, when known."""
        if output_type not in self._by_output_type:
            column = self.table[OUTPUT_TYPE]
            if output_type == "pmf" and (column == output_type).any():
                rows = self.table[column == output_type]
                rows = rows[number_texts(rows["observed"]) == 1]
                rows = rows.assign(observed=rows[OUTPUT_TYPE_ID])
            elif output_type in _BY_ID:
                # Rows of other types hold the number itself.
                rows = self.table[~column.isin(_BY_ID)]
            else:
                rows = self.table[column.isin(["", output_type])]
            self._by_output_type[output_type] = rows.groupby(self.keys, sort=False).agg(
                text=("observed", "first"),
                n=("observed", "nunique"),
                as_of=(AS_OF, "last"),
            )
        return self._by_output_type[output_type]

    def look_up(self, units: pd.DataFrame, output_type: str) -> pd.DataFrame:
        """The observed text and number of each unit of an output type, or why there is none."""
        values = self._values_of(output_type)
        joined = units.join(values, on=self.keys)
        table = joined[["text", AS_OF]].fillna("").astype(object).reset_index(drop=True)
        table["observed"] = number_texts(table["text"])
        absent = joined["n"].isna().to_numpy()
        several = (joined["n"] > 1).to_numpy()
        no_number = ~absent & ~several & table["observed"].isna().to_numpy()
        no_number &= output_type != "pmf"
        reasons = np.full(len(table), "", dtype=object)
        bad = absent | several | no_number
        bad_units = units[bad]
        absent = absent[bad]
        unkeyed = (bad_units == "").any(axis=1).to_numpy()
        texts = [
            f"the {self.kind} holds no number: {text!r}" for text in table["text"][bad]
        ]
        day = self.date_column or "day"
        no_day = f"its {day} is not in the file, nor does it follow from the horizon"
        reasons[bad] = _first_reasons(
            (no_number[bad], texts),
            (several[bad], f"the {self.kind} holds several values"),
            (absent & unkeyed, no_day),
            *(
                self._test_key(
                    key, set(values.index.get_level_values(key)), cells=bad_units[key]
                )
                for key in self.keys[::-1]
            ),
            (absent, f"no value in the {self.kind}"),
        )
        return table.assign(reason=reasons)

    def _test_key(
        self, key: str, available: set[str], cells: pd.Series[str]
    ) -> tuple[Any, list[str]]:
        """Which units have a key that the target data do not have, and the reason to give."""
        last = max(available, default="") if key == self.date_column else ""
        reasons = []
        for cell in cells:
            if last and cell > last:
                reasons.append(f"after the last {key} of the {self.kind}")
            else:
                reasons.append(f"no {key} {cell!r} in the {self.kind}")
        return ~cells.isin(available).to_numpy(), reasons

    @cached_property
    def steps(self) -> pd.DataFrame:
        """0 or 1 by keys and threshold, of an oracle of distribution functions; else no row."""
        rows = self.table[self.table[OUTPUT_TYPE] == "cdf"]
        keys = [*self.keys, OUTPUT_TYPE_ID]
        parsed = {
            name: number_texts(rows[name]) for name in (OUTPUT_TYPE_ID, "observed")
        }
        distinct = rows.assign(**parsed).drop_duplicates(keys, keep="last")
        return distinct.set_index(keys)[["observed", AS_OF]]


class _Targets(NamedTuple):
    """Target data of one kind, in all versions."""

    #: The kind.
    kind: TargetType
    #: Its first file, for messages.
    path: Path
    #: A row per value and version; ``as_of`` is empty without versions.
    table: pd.DataFrame
    #: Columns that say what a value is of.
    keys: list[str]
    #: Whether the files say when a value was known.
    versioned: bool


def read_observations(
    hub: Hub, as_of: dt.date | None, kind: TargetType | None
) -> Observations:
    """Target data of the first kind that has values known on a day."""
    kinds: list[TargetType] = list(_VALUE_COLUMNS) if kind is None else [kind]
    available = [name for name in kinds if hub.target_files(name)]
    if not available:
        raise DataError(
            f"{hub.root}: no target data ({' or '.join(kinds)}), so nothing can be scored",
            hint="put target-data/time-series.csv or target-data/oracle-output.csv there",
        )
    if as_of is None:
        targets = _read_targets(hub, available[0])
        if targets.table.empty:
            text, hint = _NO_VALUES[targets.kind]
            raise DataError(f"{targets.path}: {text}", hint=hint)
        return _observations_of(hub, targets, rows=targets.table)
    days: list[str] = []
    for name in available:
        targets = _read_targets(hub, name)
        if not targets.versioned:
            continue
        known = targets.table[targets.table[AS_OF] <= as_of.isoformat()]
        if not known.empty:
            return _observations_of(hub, targets, rows=known)
        days += targets.table[AS_OF].tolist()
    if days:
        raise DataError(
            f"{hub.target_files(available[-1])[0]}: nothing was known on {as_of}",
            hint=f"a later day, from {min(days)} on",
        )
    raise DataError(
        f"{hub.target_files(available[0])[0]}: no column {AS_OF}, so what was known on {as_of} is "
        "not said",
        hint="leave the day out: no versions of these target data are kept",
    )


def _observations_of(hub: Hub, targets: _Targets, rows: pd.DataFrame) -> Observations:
    """The newest version of every value; one that is there twice alike, once."""
    output_columns = [OUTPUT_TYPE, OUTPUT_TYPE_ID]
    table = rows.rename(columns={_VALUE_COLUMNS[targets.kind]: "observed"})
    if targets.kind != "oracle-output" or not {*output_columns} <= {*table}:
        table[output_columns] = ""
    names = [*targets.keys, *output_columns]
    table = table[[*names, AS_OF, "observed"]].sort_values(AS_OF, kind="stable")
    newest = table.groupby(names, sort=False)[AS_OF].transform("last")
    table = table[table[AS_OF] == newest].drop_duplicates().reset_index(drop=True)
    return Observations(
        hub,
        targets.kind,
        keys=targets.keys,
        table=table,
        date_column=str((hub.target_data or {}).get("date_col") or ""),
    )


def _read_targets(hub: Hub, kind: TargetType) -> _Targets:
    """Target data of one kind, from all its files."""
    value_column = _VALUE_COLUMNS[kind]
    files = hub.target_files(kind)
    parts = []
    for path in files:
        part, _ = read_texts(path, hint=f"it is the hub's target data ({kind})")
        for folder in path.relative_to(hub.root).parts[:-1]:
            name, equals, value = folder.partition("=")  # as_of=2024-01-06
            if equals:
                part[unquote(name)] = unquote(value)
        if value_column not in part:
            raise DataError(
                f"{path}: no column {value_column}",
                hint=f"{kind} has the observed value there",
            )
        parts.append(part)
    table = pd.concat(parts, ignore_index=True).fillna("")
    config = hub.target_data or {}
    kind_config = config.get(kind) or {}
    unit = kind_config.get("observable_unit") or config.get("observable_unit")
    missing = [name for name in unit or () if name not in table]
    if missing:
        raise DataError(
            f"{files[0]}: no column {missing[0]}, and target-data.json has it in observable_unit",
            hint="the file or the configuration is wrong",
        )
    no_keys = {value_column, AS_OF, OUTPUT_TYPE, OUTPUT_TYPE_ID}
    no_keys |= set(kind_config.get("non_task_id_schema") or ())
    keys = [
        str(name)
        for name in table
        if name not in no_keys and (not unit or name in unit)
    ]
    if not keys:
        raise DataError(
            f"{files[0]}: no columns that identify a value, such as location"
        )
    versioned = AS_OF in table
    table[AS_OF] = table[AS_OF].str[:10] if versioned else ""
    return _Targets(kind, files[0], table=table, keys=keys, versioned=versioned)


# Submissions. hubdata reads those of a hub as one table of the configuration's types: one odd cell
# refuses them all, and the row that holds it is not named. So each file is read by itself.


def _read_submission(path: Path, hub: Hub) -> tuple[pd.DataFrame, list[str]]:
    """A file's cells as text, and its task ids; refused where days contradict the horizons."""
    table, rows = read_texts(path)
    needed = (OUTPUT_TYPE, OUTPUT_TYPE_ID, "value")
    missing = [name for name in needed if name not in table]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}",
            hint=f"a submission has task ids and {', '.join(needed)}",
        )
    ids = [
        str(name) for name in table if name not in {*needed, MODEL_ID, "cell", "row"}
    ]
    if table.empty:
        raise DataError(f"{path}: no rows")
    if not ids:
        raise DataError(
            f"{path}: no task ids", hint="columns that say what is forecast"
        )
    # What R writes where there is nothing.
    table.loc[table[OUTPUT_TYPE_ID].isin(["NA", "NaN", "nan"]), OUTPUT_TYPE_ID] = ""
    table["cell"] = table["value"]
    table["row"] = rows
    table["value"] = numbers(table["cell"])
    # Counts are found by the day: a file with wrong days would be scored on other months.
    if set(_DAYS) <= set(ids):
        distinct = table.drop_duplicates(_DAYS)
        for *cells, row in distinct[[*_DAYS, "row"]].itertuples(index=False):
            reason = hub.wrong_end(*cells)
            if reason:
                raise DataError(f"{path}, row {row}: {reason}", hint=HORIZON_HINT)
    return table, ids


def _model_of(path: Path) -> str:
    """The model of a file: its folder, where the name ends with it; else the name."""
    stem = _ENDING.sub("", path.name)
    folder = path.absolute().parent.name
    if folder and stem.endswith(f"-{folder}"):
        return folder
    return DAY_IN_NAME.sub("", stem)


class Block:
    """Units of one output type of a submission: their values, and what was observed."""

    def __init__(
        self, kind: str, table: pd.DataFrame, ids: list[str], truth: Observations
    ) -> None:
        rows = table[table[OUTPUT_TYPE] == kind]
        number = rows.groupby(ids, sort=False).ngroup().to_numpy().astype(np.intp)
        self.kind = kind
        self.truth = truth
        self.tasks = truth.hub.tasks_config.model_tasks
        self.numeric = kind in ("quantile", "cdf")
        levels = (
            number_texts(rows[OUTPUT_TYPE_ID]) if self.numeric else np.arange(len(rows))
        )
        order = np.lexsort((levels, number))
        rows = rows.iloc[order]
        levels = levels[order]
        number = number[order]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        self.units = rows.iloc[starts][ids].reset_index(drop=True)
        self.task_numbers = truth.find_tasks(self.units, kind)
        self.keys = truth.keys_of(self.units, self.task_numbers)
        self.observations = truth.look_up(self.keys, kind)
        # Of each unit: what tells its values apart, its values, and why there are none.
        row_ids = rows[OUTPUT_TYPE_ID].to_numpy()
        values = rows["value"].to_numpy()
        self.ids = np.split(row_ids, starts[1:])
        self.values = np.split(values, starts[1:])
        self.reasons: Texts = np.full(len(self.units), "", dtype=object)
        tests = [(np.isnan(values), "value", "is not a number")]
        if self.numeric:
            tests.append((np.isnan(levels), OUTPUT_TYPE_ID, "is not a number"))
        if kind not in ("median", "mean"):
            repeated = (
                pd.DataFrame({"number": number, "id": row_ids}).duplicated().to_numpy()
            )
            tests.append((repeated, OUTPUT_TYPE_ID, "is there twice"))
        for bad, column, text in tests:
            # Of each unit its first bad row.
            for i in np.flatnonzero(bad)[::-1]:
                row = rows.iloc[i]
                cell = quoted(row["cell" if column == "value" else column])
                self.reasons[number[i]] = f"row {row['row']}: {column} {cell} {text}"

    def scored(self, scale: str) -> pd.DataFrame:
        """A row per unit: task ids, :data:`_UNIT_COLUMNS`, scores, and levels."""
        n_units = len(self.units)
        self.observed = np.full(n_units, np.nan)
        self.category = np.full(n_units, "", dtype=object)
        self.as_of = np.full(n_units, "", dtype=object)
        reasons = self.reasons.copy()
        if self.kind not in HEADLINE:
            reasons[:] = f"output type {quoted(self.kind)} cannot be scored"
        elif scale == "log" and self.kind in _BY_ID:
            reasons[:] = f"{self.kind} has no log scale"
        elif self.kind != "cdf" or self.truth.steps.empty:
            self.as_of = self.observations[AS_OF].to_numpy(dtype=object)
            if self.kind == "pmf":
                self.category = self.observations["text"].to_numpy(dtype=object)
            else:
                self.observed = self.observations["observed"].to_numpy()
            reasons = np.where(
                reasons == "", self.observations["reason"], reasons
            ).astype(object)
        scores = {name: np.full(n_units, np.nan) for name in SCORES}
        for group in self._groups(reasons == ""):
            group_scores, reasons[group] = self._score_group(group, scale)
            for name, column in group_scores.items():
                scores[name][group] = column
        scorable = reasons == ""
        columns = {
            OUTPUT_TYPE: self.kind,
            "scale": scale,
            "n_values": [len(ids) for ids in self.ids],
            "observed": self.observed,
            "category": self.category,
            "truth": self.truth.kind,
            "truth_as_of": self.as_of,
            "scorable": scorable,
            "reason": reasons,
        }
        for name, column in scores.items():
            columns[name] = np.where(scorable, column, np.nan)
        table = pd.DataFrame(columns | {"levels": self._levels()})
        return pd.concat([self.units, table], axis=1)

    def _levels(self) -> list[str]:
        """Levels or thresholds of each unit, rising: ``0.25|0.5|0.75``; else empty."""
        if not self.numeric:
            return [""] * len(self.units)
        # 0.50 and 0.5 are one level, and so are 0.15 and the sum that a computer made of it.
        texts = list({text for ids in self.ids for text in ids})
        plain = {}
        for text, level in zip(texts, number_texts(texts)):
            plain[text] = text if np.isnan(level) else f"{level:.12g}"
        return ["|".join(plain[text] for text in ids) for ids in self.ids]

    def _groups(self, good: NDArray[np.bool_]) -> list[list[int]]:
        """Good units of one task with as many rows and the same ids."""
        groups: dict[tuple[int, object, int], list[int]] = {}
        for i in np.flatnonzero(good).tolist():
            ids = () if self.kind == "sample" else tuple(self.ids[i])
            task = int(self.task_numbers[i]) if self.kind == "pmf" else 0
            key = (len(self.ids[i]), ids, task)
            groups.setdefault(key, []).append(i)
        return list(groups.values())

    def _score_group(
        self, group: list[int], scale: str
    ) -> tuple[dict[str, Floats], Any]:
        """Scores of units that are alike, and why some have none."""
        ids = self.ids[group[0]]
        values = np.stack([self.values[i] for i in group])
        observed = self.observed[group]
        if self.kind == "pmf":
            return self._score_pmf(group, ids.tolist(), values=values)
        if self.kind == "cdf":
            return self._score_cdf(group, number_texts(ids), values=values)
        negative = (values < 0).any(axis=1) & (scale == "log")
        if scale == "log":
            values = np.log1p(np.maximum(values, 0))
            observed = np.log1p(np.maximum(observed, 0))
        if self.kind == "quantile":
            scores, reasons = quantiles(
                values, number_texts(ids).tolist(), observed=observed
            )
        elif self.kind == "sample":
            scores, reasons = samples(values, observed)
        else:
            scores, reasons = self._score_point(values, observed)
        return scores, np.where(negative, _NEGATIVE, reasons)

    def _score_point(self, values: Floats, observed: Floats) -> Scored:
        """The absolute error of a median, the squared one of a mean: what each is best at."""
        error = values[:, 0] - observed
        error = np.abs(error) if self.kind == "median" else error**2
        n_rows = values.shape[1]
        reason = f"{n_rows} rows of output type {self.kind}" if n_rows != 1 else ""
        reasons = np.full(len(values), reason, dtype=object)
        return {HEADLINE[self.kind]: error}, reasons

    def _score_pmf(
        self,
        group: list[int],
        names: list[str],
        values: Floats,
    ) -> tuple[dict[str, Floats], Any]:
        """Chances of categories."""
        number = self.task_numbers[group[0]]
        categories = self.tasks[number].categories if number >= 0 else []
        missing = [category for category in categories if category not in names]
        if missing:
            return {}, f"it lacks category {quoted(missing[0])}"
        ordered = False
        if number >= 0 and set(names) == set(categories):
            values = values[:, [names.index(category) for category in categories]]
            names = categories
            types = {target.target_type for target in self.tasks[number].targets}
            ordered = types == {"ordinal"}
        observed = self.category[group]
        place = pd.Index(names).get_indexer(pd.Index(observed))
        scores, reasons = probabilities(values, np.maximum(place, 0), ordered=ordered)
        unknown = [
            f"{quoted(category)} was observed, which is not one of its categories"
            for category in observed
        ]
        return scores, np.where(place < 0, unknown, reasons)

    def _score_cdf(
        self,
        group: list[int],
        thresholds: Floats,
        values: Floats,
    ) -> tuple[dict[str, Floats], Any]:
        """A distribution function; observed is a number, or a step in the oracle."""
        steps = self.truth.steps
        if steps.empty:
            reached = (self.observed[group][:, None] <= thresholds).astype(float)
        else:
            keys = self.keys.iloc[np.repeat(group, len(thresholds))]
            keys = keys.assign(**{OUTPUT_TYPE_ID: np.tile(thresholds, len(group))})
            joined = keys.join(steps, on=[*self.truth.keys, OUTPUT_TYPE_ID])
            reached = joined["observed"].to_numpy().reshape(values.shape)
            days = joined[AS_OF].fillna("").to_numpy(object).reshape(values.shape)
            self.as_of[group] = days.max(axis=1)
        scores, reasons = cumulative(values, reached)
        absent = np.isnan(reached).any(axis=1)
        reason = f"no value of a threshold in the {self.truth.kind}"
        return scores, np.where(absent, reason, reasons)

    def energies(self, scale: str) -> pd.DataFrame:
        """Energy scores of joint samples: a row per compound unit, by the hub's configuration."""
        ids = [str(name) for name in self.units]
        rows = []
        numbers_in_order = self.task_numbers[self.task_numbers >= 0].tolist()
        for number in dict.fromkeys(numbers_in_order):
            task = self.tasks[number]
            units = self.units[self.task_numbers == number]
            if self.kind != "sample" or task.compound is None:
                continue
            fixed = [name for name in ids if name in task.compound]
            free = [name for name in ids if name not in (*task.compound, *task.derived)]
            joint = [name for name in free if len(set(units[name])) > 1]
            if not joint:
                continue
            for _, part in units.groupby(fixed or np.zeros(len(units)), sort=False):
                values = sorted(map(tuple, part[joint].to_numpy(dtype=object).tolist()))
                row = {
                    name: part[name].iloc[0] if name in fixed else "" for name in ids
                }
                row |= {
                    "scale": scale,
                    "joint_over": ", ".join(joint),
                    "truth": self.truth.kind,
                }
                row |= self._energy(part.index.to_numpy(), scale)
                row["units"] = hashlib.sha256(repr(values).encode()).hexdigest()[:12]
                rows.append(row)
        return pd.DataFrame(rows, columns=[*ids, *_JOINT_COLUMNS])

    def _energy(self, group: NDArray[np.intp], scale: str) -> dict[str, object]:
        """The energy score of one compound unit."""
        observations = self.observations.iloc[group]
        available = observations["observed"].notna().to_numpy()
        draws = []
        ids = []
        for i in group:
            order = np.argsort(self.ids[i], kind="stable")
            draws.append(self.values[i][order])
            ids.append(self.ids[i][order].tolist())
        n_samples = max(map(len, ids))
        reasons = [reason for reason in self.reasons[group] if reason]
        if any(numbers_of_draws != ids[0] for numbers_of_draws in ids):
            reasons.append(
                "its samples do not belong together: their ids differ from unit to unit"
            )
        if not available.any():
            reasons.append(str(observations["reason"].iloc[0]))
        if n_samples == 1:
            reasons.append("one sample is not a distribution")
        score = np.nan
        if not reasons:
            x = np.stack(draws, axis=1)[:, available]
            y = observations["observed"].to_numpy(dtype=float)[available]
            if scale == "log" and (x < 0).any():
                reasons.append(_NEGATIVE)
            else:
                if scale == "log":
                    x = np.log1p(x)
                    y = np.log1p(y)
                score = float(energy_score(x, y, fair=False))
        return {
            "n_samples": n_samples,
            "n_units": len(group),
            "n_known": int(available.sum()),
            "truth_as_of": max(observations["as_of"][available], default=""),
            "energy_score": score,
            "scorable": not reasons,
            "reason": reasons[0] if reasons else "",
        }


@dataclass(frozen=True, eq=False)
class HubScores:
    """Scores of a hub's submissions.

    Attributes
    ----------
    units : DataFrame
        A row per forecast unit: ``model_id``, ``file``, the hub's task ids (text, as in the
        files), ``output_type``, ``scale``, ``n_values`` (levels, samples, categories or
        thresholds), ``observed`` or ``category`` (the observed one), ``truth`` (the kind of target
        data), ``truth_as_of`` (when it was known; empty where the hub keeps no versions),
        ``scorable``, ``reason`` (why not), the scores by hubEvals' names, NaN where an output
        type has none, and ``levels``, the levels or thresholds of quantiles and of a ``cdf``.
        A task id that a file lacks is empty there.
    joint : DataFrame
        A row per joint sample's compound unit: how many values one sample has (``n_units``), how
        many of these are known (``n_known``; used by the energy score), a digest of which values
        they are (``units``).
    failures : DataFrame
        ``file`` and ``reason`` of submissions that could not be read.
    task_ids : tuple of str
    targets : tuple of str
        The task ids that name the target.
    """

    units: pd.DataFrame
    joint: pd.DataFrame
    failures: pd.DataFrame
    task_ids: tuple[str, ...]
    targets: tuple[str, ...] = field(default=("target",))

    def __repr__(self) -> str:
        n = int(self.units["scorable"].sum())
        models = self.units[MODEL_ID].nunique()
        return (
            f"<HubScores: {n:,} of {len(self.units):,} units scored, "
            f"{models} model{'s' if models != 1 else ''}, {len(self.joint):,} joint>"
        )

    def common(self) -> HubScores:
        """Only the units that every model of their target and output type has scores of.

        Returns
        -------
        HubScores
            Joint units likewise. Units of other levels, or joint over other values, are others.
        """
        ids = list(self.task_ids)
        return replace(
            self,
            units=_shared(
                self.units,
                [*ids, *_UNIT_KEYS],
                groups=[*self.targets, OUTPUT_TYPE, "scale"],
            ),
            joint=_shared(
                self.joint,
                [*ids, "scale", "joint_over", "units", "n_known"],
                groups=["scale", "joint_over"],
            ),
        )

    def summary(
        self, by: str | Iterable[str] | None = None, baseline: str | None = None
    ) -> pd.DataFrame:
        """Mean scores per model, of each target, output type and scale.

        Parameters
        ----------
        by : str or iterable of str, optional
            Task ids to keep apart, besides the target: ``"horizon"``, ``"location"`` … Default:
            none.
        baseline : str, optional
            Model to relate the others to.

        Returns
        -------
        DataFrame
            Targets, ``output_type``, ``scale``, ``by``, ``model_id``, ``n_units``,
            ``n_scorable``; means of the scores over scorable units; ``score``, the name of the
            one that the rows are ordered by (:data:`odforecast.hub.scores.HEADLINE`). With a
            baseline: ``relative``, the ratio of that score's means over the units both have, and
            ``n_common``, their number; NaN where the baseline's mean is 0 or infinite. Units of
            quantiles are the same only with the same levels.
        """
        table = self.units
        # A text is one name, not its letters.
        names = [by] if isinstance(by, str) else list(by or ())
        groups = [name for name in self.targets if name in table] + [
            OUTPUT_TYPE,
            "scale",
        ]
        more = [name for name in names if name not in (*groups, MODEL_ID)]
        for name in more:
            if name not in table:
                raise ScoringError(
                    f"no column {name!r} to group by", hint=one_of(name, self.task_ids)
                )
        groups += dict.fromkeys(more)
        if baseline is not None and baseline not in set(table[MODEL_ID]):
            models = sorted(set(table[MODEL_ID]))
            raise ScoringError(f"no model {baseline!r}", hint=one_of(baseline, models))
        keys = [*groups, MODEL_ID]
        summary = table.groupby(keys, sort=True).agg(
            n_units=("scorable", "size"), n_scorable=("scorable", "sum")
        )
        scored = table[table["scorable"].astype(bool)]
        is_type = [scored[OUTPUT_TYPE] == output_type for output_type in HEADLINE]
        headlines = [scored[name].astype(float) for name in HEADLINE.values()]
        scored = scored.assign(headline=np.select(is_type, headlines, np.nan))
        means = scored.groupby(keys, sort=True)[[*SCORES, "headline"]].mean()
        summary = summary.join(means)
        output_types = summary.index.get_level_values(OUTPUT_TYPE)
        summary["score"] = [
            HEADLINE.get(output_type, "") for output_type in output_types
        ]
        if baseline is not None:
            relative = self._relative(scored, baseline, keys=keys)
            summary["relative"] = relative["relative"]
            summary["n_common"] = (
                relative["n"].reindex(summary.index, fill_value=0).astype(int)
            )
        summary = summary.reset_index().sort_values(
            [*groups, "headline", MODEL_ID],
            kind="stable",
            key=_numbers_first,
            ignore_index=True,
        )
        return summary.drop(columns="headline")

    def _relative(
        self, scored: pd.DataFrame, baseline: str, keys: list[str]
    ) -> pd.DataFrame:
        """By the keys: the ratio to the baseline's mean score over common units, their number."""
        unit = [name for name in self.task_ids if name in scored] + [*_UNIT_KEYS]
        base = scored.loc[scored[MODEL_ID] == baseline, [*unit, "headline"]]
        common = scored.merge(base.rename(columns={"headline": "base"}), on=unit)
        groups = common.groupby(keys, sort=True)
        base_mean = groups["base"].mean()
        # Nothing is any number of times as much as nothing, and all is less than infinity.
        usable = (base_mean != 0) & np.isfinite(base_mean)
        relative = groups["headline"].mean() / base_mean.where(usable)
        return pd.DataFrame({"relative": relative, "n": groups["base"].size()})


def score(
    hub: str | os.PathLike[str] | Hub,
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    *,
    as_of: dt.date | str | None = None,
    scale: str = "natural",
    target_data: TargetType | None = None,
) -> HubScores:
    """Score submissions of any hubverse hub against the hub's own target data.

    Parameters
    ----------
    files : path or sequence of path, optional
        Default: all submissions in the hub.
    as_of : date or str, optional
        Version of the target data; default: the newest.
    scale : {"natural", "log", "both"}
        ``log``: of ``log(1 + x)``, hubEvals' ``transform``.
    target_data : {"oracle-output", "time-series"}, optional
        Default: oracle output, if the hub has it.

    Returns
    -------
    HubScores
        What cannot be scored has a reason.

    Raises
    ------
    DataError
        If the hub, its target data or a requested file cannot be read; or, in a hub made here, a
        ``target_end_date`` is not the month of its horizon.
    ScoringError
        If no requested submission matches the target data.

    Examples
    --------
    >>> import odforecast as od
    >>> od.hub.score("no-such-hub")
    Traceback (most recent call last):
        ...
    odforecast.errors.DataError: no-such-hub: no such folder; give the folder of a hub, ...
    """
    if scale not in _SCALES:
        raise ScoringError(f"scale is {scale!r}", hint=one_of(scale, list(_SCALES)))
    opened = hub if isinstance(hub, Hub) else Hub.open(hub)
    truth = read_observations(opened, _day(as_of), kind=target_data)
    if files is None:
        paths = opened.submissions()
        if not paths:
            raise DataError(
                f"{opened.model_output_dir}: no submissions", hint="give files"
            )
    else:
        paths = [Path(file) for file in _list_of(files)]
    units: list[pd.DataFrame] = []
    joint: list[pd.DataFrame] = []
    ids: list[str] = []
    failures: list[dict[str, str]] = []
    scoring_errors: list[ScoringError] = []
    for path in paths:
        try:
            file_ids, file_units, file_joint = _score_file(
                path, truth, scales=_SCALES[scale]
            )
        except OdforecastError as error:
            if files is not None:
                raise
            if isinstance(error, ScoringError):
                scoring_errors.append(error)
            failures.append({"file": opened.relative(path), "reason": str(error)})
            continue
        ids += file_ids
        units += file_units
        joint += file_joint
    if scoring_errors and not units:
        raise scoring_errors[0]
    task_ids = tuple(dict.fromkeys(ids))
    table = _concat(units, task_ids)
    _mark_repeats(table, [*task_ids, OUTPUT_TYPE, "scale"])
    targets = [key for task in opened.tasks_config.model_tasks for key in task.keys]
    return HubScores(
        table,
        _concat(joint, task_ids),
        failures=pd.DataFrame(failures, columns=["file", "reason"]),
        task_ids=task_ids,
        targets=tuple(dict.fromkeys(targets)),
    )


def _list_of(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> Sequence[str | os.PathLike[str]]:
    """One file, or several, as a list."""
    return [files] if isinstance(files, str | os.PathLike) else files


def _score_file(
    path: Path,
    truth: Observations,
    scales: Sequence[str],
) -> tuple[list[str], list[pd.DataFrame], list[pd.DataFrame]]:
    """Task ids of a submission, and its tables of units and of joint samples."""
    table, ids = _read_submission(path, truth.hub)
    truth.check_targets(table)
    output_types = table[OUTPUT_TYPE].unique()
    blocks = [Block(kind, table, ids=ids, truth=truth) for kind in output_types]
    units = []
    joint = []
    for scale in scales:
        for block in blocks:
            units.append(block.scored(scale))
            joint.append(block.energies(scale))
    for part in (*units, *joint):
        part.insert(0, MODEL_ID, _model_of(path))
        part.insert(1, "file", truth.hub.relative(path))
    return ids, units, joint


def _concat(parts: list[pd.DataFrame], task_ids: Sequence[str]) -> pd.DataFrame:
    """One table of all files; a task id that a file lacks is empty there."""
    filled = [part for part in parts if len(part)] or parts[:1]
    if not filled:
        return pd.DataFrame(
            columns=[MODEL_ID, "file", *_UNIT_COLUMNS, *SCORES, "levels"]
        )
    table = pd.concat(filled, ignore_index=True)
    # Files need not have the same columns; rows without a key would fall out of every group.
    ids = [name for name in task_ids if name in table]
    table[ids] = table[ids].fillna("")
    return table


def _mark_repeats(table: pd.DataFrame, keys: list[str]) -> None:
    """A model's second forecast of the same thing is not scored: which one counts is a guess."""
    names = [MODEL_ID, *(key for key in keys if key in table)]
    repeated = table.duplicated(names, keep="first").to_numpy()
    if not repeated.any():
        return
    first_file = table[~repeated].set_index(names)["file"].rename("first_file")
    files = table.loc[repeated, names].join(first_file, on=names)["first_file"]
    table.loc[repeated, "reason"] = [f"repeats a forecast of {file}" for file in files]
    table.loc[repeated, "scorable"] = False
    table.loc[repeated, list(SCORES)] = np.nan


def _shared(table: pd.DataFrame, keys: list[str], groups: list[str]) -> pd.DataFrame:
    """Scorable rows of units that all models of their group have."""
    if table.empty:
        return table
    groups = [name for name in groups if name in table]
    keys = [name for name in keys if name in table]
    scored = table[table["scorable"].astype(bool)]
    n_models = scored.groupby(groups)[MODEL_ID].transform("nunique")
    n_of_unit = scored.groupby(keys, dropna=False)[MODEL_ID].transform("nunique")
    return scored[n_models == n_of_unit].reset_index(drop=True)


def _numbers_first(column: pd.Series) -> pd.Series:
    """Order of a column of texts that are numbers: −1, 0, 2, 10."""
    if column.dtype.kind not in "OTU" and not isinstance(column.dtype, pd.StringDtype):
        return column
    parsed = pd.to_numeric(column, errors="coerce")
    return column if parsed.isna().any() else parsed


def _day(as_of: dt.date | str | None) -> dt.date | None:
    """A day from what a caller gives."""
    if as_of is None or isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise ScoringError(f"{as_of!r} is not a day", hint="as 2024-01-31") from None
