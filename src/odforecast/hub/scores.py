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
from typing import Any, Final
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
_ASKED: Final = {"natural": ("natural",), "log": ("log",), "both": ("natural", "log")}
MODEL_ID = "model_id"
AS_OF = "as_of"
OUTPUT_TYPE = "output_type"
OUTPUT_TYPE_ID = "output_type_id"
#: What makes two rows forecasts of the same thing, besides their task ids.
_SAME: Final = (OUTPUT_TYPE, "scale", "levels")
#: Columns of a unit behind its task ids, before its scores.
_SAID: Final = (
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
_JOINT: Final = (
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
#: Output types of categories or thresholds: one row of the oracle for each of these.
_BY_ID: Final = ("pmf", "cdf")

type Texts = NDArray[np.object_]
#: Scores of units by name, and the reason why a unit has none.
type Scored = tuple[dict[str, Floats], Texts]


# Rules: forecast values (U, n) of U units, and observed ones.


def quantiles(values: Floats, levels: Sequence[float], came: Floats) -> Scored:
    """Scores of quantiles, rising levels."""
    tau = np.asarray(levels, dtype=float)
    steps = np.diff(tau)
    why = ""
    if not ((tau > 0) & (tau < 1)).all():
        why = "a level does not lie between 0 and 1"
    elif (steps <= _SLACK).any():
        why = f"level {tau[1:][steps <= _SLACK][0]:g} is there twice"
    elif tau.size % 2 == 0 or not np.allclose(tau, 1 - tau[::-1], rtol=0, atol=1e-9):
        few = ", ".join(f"{x:g}" for x in tau[:3]) + (f" … {tau[-1]:g}" if tau.size > 3 else "")
        why = f"WIS needs levels symmetric about a median; there are {few}"
    reasons = np.full(len(values), why, dtype=object)
    if why:
        return {}, reasons
    fall = np.diff(values, axis=1) < -_SLACK * (1 + np.abs(values[:, 1:]))
    for i in np.flatnonzero(fall.any(axis=1)):
        k = int(np.argmax(fall[i]))
        reasons[i] = (
            f"quantiles cross: {values[i, k + 1]:g} at level {tau[k + 1]:g} lies below "
            f"{values[i, k]:g} at level {tau[k]:g}"
        )
    q = np.maximum.accumulate(values.T, axis=0)
    wis = rules.weighted_interval_score(q, levels, observed=came)
    return {
        "wis": wis.total,
        "dispersion": wis.spread,
        "overprediction": wis.over,
        "underprediction": wis.under,
        "bias": rules.bias_from_quantiles(q, levels, observed=came),
        "ae_median": np.abs(q[tau.size // 2] - came),
    } | _covered(tau, q, came=came), reasons


def samples(values: Floats, came: Floats) -> Scored:
    """Scores of samples, each unit by itself: CRPS with its parts, bias, errors, coverage."""
    ordered = np.sort(values, axis=1)
    median = quantiles_sorted(ordered, [0.5])[0]
    total = rules.crps_sorted(ordered, came)
    spread = rules.crps_sorted(ordered, median)
    ends = [(1 + side * share) / 2 for share in COVERAGE_LEVELS for side in (-1, 1)]
    return {
        "crps": total,
        "dispersion": spread,
        "overprediction": np.where(median > came, total - spread, 0.0),
        "underprediction": np.where(median < came, total - spread, 0.0),
        "bias": rules.bias_sorted(ordered, came),
        "ae_median": np.abs(median - came),
        "se_mean": (values.mean(axis=1) - came) ** 2,
    } | _covered(ends, quantiles_sorted(ordered, ends), came=came), np.full(
        len(came),
        "",
        dtype=object,
    )


def _covered(levels: Iterable[float], values: Floats, came: Floats) -> dict[str, Floats]:
    """Coverage of each usual interval whose ends are there."""
    found = {}
    ends = {round(x, 9): row for x, row in zip(levels, values)}
    for share in COVERAGE_LEVELS:
        low, high = (ends.get(round((1 + side * share) / 2, 9)) for side in (-1, 1))
        if low is not None and high is not None:
            inside = ((low <= came) & (came <= high)).astype(float)
            found[f"interval_coverage_{round(100 * share)}"] = inside
    return found


def probabilities(values: Floats, came: NDArray[np.intp], ordered: bool) -> Scored:
    """Scores of chances of K categories: the log score, and the RPS where they have an order."""
    total = values.sum(axis=1)
    reasons = _first(
        (((values < 0) | (values > 1)).any(axis=1), "a probability is outside 0 to 1"),
        (np.abs(total - 1) > TOTAL, [f"its chances add up to {x:.6g}" for x in total]),
    )
    scores = {"log_score": _log_score(values[np.arange(len(values)), came])}
    if ordered:
        below = np.arange(values.shape[1] - 1) >= came[:, None]
        scores["rps"] = ((np.cumsum(values, axis=1)[:, :-1] - below) ** 2).sum(axis=1)
    return scores, reasons


def cumulative(values: Floats, reached: Floats) -> Scored:
    """Scores of a distribution function at K rising thresholds: RPS, and the binned log score."""
    steps = np.diff(values, axis=1)
    reasons = _first(
        (((values < 0) | (values > 1)).any(axis=1), "a probability is outside 0 to 1"),
        ((steps < -_SLACK).any(axis=1), "probabilities fall with the threshold"),
        ((np.diff(reached, axis=1) < 0).any(axis=1), "the truth is not a step from 0 to 1"),
    )
    bins = np.hstack([values[:, :1], steps, 1 - values[:, -1:]])
    chance = np.take_along_axis(bins, (reached == 0).sum(axis=1)[:, None], axis=1)[:, 0]
    rps = ((values - reached) ** 2).sum(axis=1)
    return {"rps": rps, "log_score": _log_score(np.maximum(chance, 0.0))}, reasons


def _first(*tests: tuple[Any, Any]) -> Texts:
    """Of each unit the first reason that holds; empty where none does."""
    bad, why = zip(*tests)
    return np.asarray(np.select(list(bad), list(why), default=""), dtype=object)


def _log_score(chance: Floats) -> Floats:
    """The log score, by the chance of the observed category."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(0.0 - np.log(chance))  # 0 − log 1 is 0; −log 1 would be −0


# What was observed


@dataclass(frozen=True, eq=False)
class Observations:
    """Values that came, by their keys, in the newest version that was known on a day."""

    hub: Hub
    kind: TargetType
    keys: list[str]
    table: pd.DataFrame
    date: str

    @classmethod
    def of(cls, hub: Hub, as_of: dt.date | None, kind: TargetType | None) -> Observations:
        """Read a hub's target data, of the first kind that says what was known on the day."""
        kinds: list[TargetType] = list(_KINDS) if kind is None else [kind]
        there = [name for name in kinds if hub.target_files(name)]
        if not there:
            raise DataError(
                f"{hub.root}: no target data ({' or '.join(kinds)}), so nothing can be scored",
                hint="put target-data/time-series.csv or target-data/oracle-output.csv there",
            )
        days: list[str] = []
        for name in there:
            table, keys = _read_targets(hub, name)
            versions = AS_OF in table
            table[AS_OF] = table[AS_OF].str[:10] if versions else ""
            if as_of is None:
                break
            days += table[AS_OF].tolist() if versions else []
            table = table[versions & (table[AS_OF] <= as_of.isoformat())]
            if len(table):
                break
        column, nothing, hint = _KINDS[name]
        if as_of is not None and days:
            nothing = f"nothing was known on {as_of}"
            hint = f"a later day, from {min(days)} on"
        elif as_of is not None:
            name = there[0]
            nothing = f"no column {AS_OF}, so what was known on {as_of} is not said"
            hint = "leave the day out: no versions of these target data are kept"
        if table.empty:
            raise DataError(f"{hub.target_files(name)[0]}: {nothing}", hint=hint)
        by_id = [OUTPUT_TYPE, OUTPUT_TYPE_ID]
        if name != "oracle-output" or not {*by_id} <= {*table}:
            table[by_id] = ""
        table = table.rename(columns={column: "came"})[[*keys, *by_id, AS_OF, "came"]]
        # Of every value its newest version; one that is there twice alike, once.
        table = table.sort_values(AS_OF, kind="stable")
        newest = table.groupby([*keys, *by_id], sort=False)[AS_OF].transform("last")
        table = table[table[AS_OF] == newest].drop_duplicates().reset_index(drop=True)
        return cls(
            hub,
            name,
            keys=keys,
            table=table,
            date=str((hub.target_data or {}).get("date_col") or ""),
        )

    def check_targets(self, units: pd.DataFrame) -> None:
        """Refuse target data that do not say which of several targets they are of."""
        tasks = self.hub.asked.model_tasks
        for key in sorted({k for task in tasks for k in task.keys}):
            values = {v for task in tasks for v in task.choice(key).allowed if v}
            if key in units and key not in self.keys and len(values) > 1:
                raise ScoringError(
                    f"the {self.kind} has no column {key}, and the hub has {len(values)} targets",
                    hint="add the column, so that each value has its target",
                )

    def find(self, units: pd.DataFrame, kind: str) -> NDArray[np.intp]:
        """The model task of each unit of an output type; −1 where the hub asks for none such."""
        out = np.full(len(units), -1, dtype=np.intp)
        for i, task in enumerate(self.hub.asked.model_tasks):
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
            tasks = self.hub.asked.model_tasks
            rows = zip(units.to_dict("records"), found)
            days = [tasks[i].day(row) if i >= 0 else "" for row, i in rows]
            units = units.assign(**{self.date: days})
        return units[self.keys]

    @cached_property
    def _kinds(self) -> dict[str, pd.DataFrame]:
        """Output types that were asked for, see :meth:`_of`."""
        return {}

    def _of(self, kind: str) -> pd.DataFrame:
        """What was observed of an output type by the keys: text, number of texts, when known."""
        if kind not in self._kinds:
            of = self.table[OUTPUT_TYPE]
            # For categories: rows of other types hold the number itself, where there are some.
            rows = self.table[~of.isin(_BY_ID) if kind in _BY_ID else of.isin(["", kind])]
            if kind == "pmf" and (of == kind).any():
                rows = self.table[(of == kind) & (number_texts(self.table["came"]) == 1)]
                rows = rows.assign(came=rows[OUTPUT_TYPE_ID])
            self._kinds[kind] = rows.groupby(self.keys, sort=False).agg(
                text=("came", "first"),
                n=("came", "nunique"),
                as_of=(AS_OF, "last"),
            )
        return self._kinds[kind]

    def known(self, wanted: pd.DataFrame, kind: str) -> pd.DataFrame:
        """The observed text and number of each unit of an output type, or why there is none."""
        there = self._of(kind)
        found = wanted.join(there, on=self.keys)
        out = found[["text", AS_OF]].fillna("").astype(object).reset_index(drop=True)
        out["came"] = number_texts(out["text"])
        none = found["n"].isna().to_numpy()
        many = (found["n"] > 1).to_numpy()
        off = ~none & ~many & out["came"].isna().to_numpy() & (kind != "pmf")
        reasons = np.full(len(out), "", dtype=object)
        bad = none | many | off
        wanted = wanted[bad]
        none = none[bad]
        day = self.date or "day"
        lost = (wanted == "").any(axis=1).to_numpy()
        reasons[bad] = _first(
            (off[bad], [f"the {self.kind} holds no number: {t!r}" for t in out["text"][bad]]),
            (many[bad], f"the {self.kind} holds several values"),
            (none & lost, f"its {day} is not in the file, nor does it follow from the horizon"),
            *(
                self._lacks(key, set(there.index.get_level_values(key)), wanted=wanted[key])
                for key in self.keys[::-1]
            ),
            (none, f"no value in the {self.kind}"),
        )
        return out.assign(reason=reasons)

    def _lacks(self, key: str, there: set[str], wanted: pd.Series[str]) -> tuple[Any, list[str]]:
        """Which units are of a value that the target data do not have, and what to say."""
        last = max(there, default="") if key == self.date else ""
        late = f"after the last {key} of the {self.kind}"
        none = f"in the {self.kind}"
        said = [late if last and x > last else f"no {key} {x!r} {none}" for x in wanted]
        return ~wanted.isin(there).to_numpy(), said

    @cached_property
    def steps(self) -> pd.DataFrame:
        """0 or 1 by keys and threshold, of an oracle of distribution functions; else no row."""
        rows = self.table[self.table[OUTPUT_TYPE] == "cdf"]
        keys = [*self.keys, OUTPUT_TYPE_ID]
        rows = rows.assign(**{c: number_texts(rows[c]) for c in (OUTPUT_TYPE_ID, "came")})
        return rows.drop_duplicates(keys, keep="last").set_index(keys)[["came", AS_OF]]


def _read_targets(hub: Hub, kind: TargetType) -> tuple[pd.DataFrame, list[str]]:
    """Target data of one kind, of all its files, and the columns that say what a value is of."""
    column = _KINDS[kind][0]
    files = hub.target_files(kind)
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
    beside = {column, AS_OF, OUTPUT_TYPE, OUTPUT_TYPE_ID, *(own.get("non_task_id_schema") or ())}
    named = own.get("observable_unit") or said.get("observable_unit")
    if lost := [c for c in named or () if c not in table]:
        raise DataError(
            f"{files[0]}: no column {lost[0]}, and target-data.json has it in observable_unit",
            hint="the file or the configuration is wrong",
        )
    keys = [str(c) for c in table if c not in beside and (not named or c in named)]
    if not keys:
        raise DataError(f"{files[0]}: no columns that identify a value, such as location")
    return table, keys


# Submissions. hubdata reads those of a hub as one table of the configuration's types: one odd cell
# refuses them all, and the row that holds it is not named. So each file is read by itself.


def _read_submission(path: Path, hub: Hub) -> tuple[pd.DataFrame, list[str]]:
    """A file's cells as text, and its task ids; refused where days contradict the horizons."""
    table, rows = read_texts(path)
    needed = (OUTPUT_TYPE, OUTPUT_TYPE_ID, "value")
    if missing := [name for name in needed if name not in table]:
        raise DataError(
            f"{path}: no column {', '.join(missing)}",
            hint=f"a submission has task ids and {', '.join(needed)}",
        )
    ids = [str(c) for c in table if c not in {*needed, MODEL_ID, "cell", "row"}]
    if table.empty:
        raise DataError(f"{path}: no rows")
    if not ids:
        raise DataError(f"{path}: no task ids", hint="columns that say what is forecast")
    # What R writes where there is nothing.
    table.loc[table[OUTPUT_TYPE_ID].isin(["NA", "NaN", "nan"]), OUTPUT_TYPE_ID] = ""
    table["cell"] = table["value"]
    table["row"] = rows
    table["value"] = numbers(table["cell"])
    # Counts are found by the day: a file with wrong days would be scored on other months.
    if set(_DAYS) <= set(ids):
        distinct = table.drop_duplicates(_DAYS)
        for *cells, row in zip(*(distinct[c] for c in (*_DAYS, "row"))):
            if why := hub.wrong_end(*cells):
                raise DataError(f"{path}, row {row}: {why}", hint=HORIZON_HINT)
    return table, ids


def _model_of(path: Path) -> str:
    """The model of a file: its folder, where the name ends with it; else the name."""
    stem = _ENDING.sub("", path.name)
    folder = path.absolute().parent.name
    return folder if folder and stem.endswith(f"-{folder}") else DAY_IN_NAME.sub("", stem)


class Block:
    """Units of one output type of a submission: their values, and what was observed."""

    def __init__(self, kind: str, table: pd.DataFrame, ids: list[str], truth: Observations) -> None:
        rows = table[table[OUTPUT_TYPE] == kind]
        number = rows.groupby(ids, sort=False).ngroup().to_numpy().astype(np.intp)
        self.kind = kind
        self.truth = truth
        self.tasks = truth.hub.asked.model_tasks
        self.numeric = kind in ("quantile", "cdf")
        levels = number_texts(rows[OUTPUT_TYPE_ID]) if self.numeric else np.arange(len(rows))
        order = np.lexsort((levels, number))
        rows = rows.iloc[order]
        number = number[order]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        self.units = rows.iloc[starts][ids].reset_index(drop=True)
        self.found = truth.find(self.units, kind)
        self.wanted = truth.keyed(self.units, self.found)
        self.known = truth.known(self.wanted, kind)
        # Of each unit: what tells its values apart, its values, and why there are none.
        names, values = (rows[c].to_numpy() for c in (OUTPUT_TYPE_ID, "value"))
        self.ids = np.split(names, starts[1:])
        self.values = np.split(values, starts[1:])
        self.broken: Texts = np.full(len(self.units), "", dtype=object)
        tests = [(np.isnan(values), "value", "is not a number")]
        if self.numeric:
            tests.append((np.isnan(levels[order]), OUTPUT_TYPE_ID, "is not a number"))
        if kind not in ("median", "mean"):
            twice = pd.DataFrame({"n": number, "id": names}).duplicated().to_numpy()
            tests.append((twice, OUTPUT_TYPE_ID, "is there twice"))
        for bad, column, what in tests:
            # Of each unit its first bad row.
            for i in np.flatnonzero(bad)[::-1]:
                row = rows.iloc[i]
                cell = quoted(row["cell" if column == "value" else column])
                self.broken[number[i]] = f"row {row['row']}: {column} {cell} {what}"

    def scored(self, scale: str) -> pd.DataFrame:
        """A row per unit: task ids, :data:`_SAID`, scores, and levels."""
        n = len(self.units)
        reasons = self.broken
        why = ""
        self.came, self.category, self.as_of = (
            np.full(n, np.nan),
            *np.full((2, n), "", dtype=object),
        )
        if self.kind not in HEADLINE:
            why = f"output type {quoted(self.kind)} cannot be scored"
        elif scale == "log" and self.kind in _BY_ID:
            why = f"{self.kind} has no log scale"
        elif self.kind != "cdf" or self.truth.steps.empty:
            self.as_of, text = (self.known[c].to_numpy(dtype=object) for c in (AS_OF, "text"))
            if self.kind == "pmf":
                self.category = text
            else:
                self.came = self.known["came"].to_numpy()
            reasons = np.where(reasons == "", self.known["reason"], reasons)
        reasons = np.where(why != "", why, reasons).astype(object)
        scores = {name: np.full(n, np.nan) for name in SCORES}
        for where in self._alike(reasons == ""):
            found, reasons[where] = self._group(where, scale)
            for name, column in found.items():
                scores[name][where] = column
        sizes = list(map(len, self.ids))
        scorable = reasons == ""
        said = [
            self.kind,
            scale,
            sizes,
            self.came,
            self.category,
            self.truth.kind,
            self.as_of,
            scorable,
            reasons,
        ]
        scores = {name: np.where(scorable, column, np.nan) for name, column in scores.items()}
        rest = pd.DataFrame(dict(zip(_SAID, said)) | scores | {"levels": self._levels()})
        return pd.concat([self.units, rest], axis=1)

    def _levels(self) -> list[str]:
        """Levels or thresholds of each unit, rising: ``0.25|0.5|0.75``; else empty."""
        if not self.numeric:
            return [""] * len(self.units)
        # 0.50 and 0.5 are one level, and so are 0.15 and the sum that a computer made of it.
        texts = list({name for ids in self.ids for name in ids})
        named = {t: t if x != x else f"{x:.12g}" for t, x in zip(texts, number_texts(texts))}
        return ["|".join(named[t] for t in ids) for ids in self.ids]

    def _alike(self, good: NDArray[np.bool_]) -> list[list[int]]:
        """Good units of one task with as many rows and the same ids."""
        groups: dict[tuple[int, object, int], list[int]] = {}
        for i in np.flatnonzero(good).tolist():
            same = () if self.kind == "sample" else tuple(self.ids[i])
            task = int(self.found[i]) if self.kind == "pmf" else 0
            groups.setdefault((len(self.ids[i]), same, task), []).append(i)
        return list(groups.values())

    def _group(self, where: list[int], scale: str) -> tuple[dict[str, Floats], Any]:
        """Scores of units that are alike, and why some have none."""
        names = self.ids[where[0]]
        x = np.stack([self.values[i] for i in where])
        y = self.came[where]
        if self.kind == "pmf":
            return self._pmf(where, names.tolist(), x=x)
        if self.kind == "cdf":
            return self._cdf(where, number_texts(names), x=x)
        low = (x < 0).any(axis=1) & (scale == "log")
        if scale == "log":
            x = np.log1p(np.maximum(x, 0))
            y = np.log1p(np.maximum(y, 0))
        if self.kind == "quantile":
            scores, why = quantiles(x, number_texts(names).tolist(), came=y)
        elif self.kind == "sample":
            scores, why = samples(x, y)
        else:
            # The absolute error of a median, the squared one of a mean: what each is best at.
            error = np.abs(x[:, 0] - y) if self.kind == "median" else (x[:, 0] - y) ** 2
            n = x.shape[1]
            scores = {HEADLINE[self.kind]: error}
            why = np.array(f"{n} rows of output type {self.kind}" if n != 1 else "")
        return scores, np.where(low, _NEGATIVE, why)

    def _pmf(self, where: list[int], names: list[str], x: Floats) -> tuple[dict[str, Floats], Any]:
        """Chances of categories."""
        task = self.tasks[i] if (i := self.found[where[0]]) >= 0 else None
        asked = task.categories if task else []
        ordered = False
        came = self.category[where]
        if lacking := [c for c in asked if c not in names]:
            return {}, f"it lacks category {quoted(lacking[0])}"
        if task and set(names) == set(asked):
            x = x[:, [names.index(c) for c in asked]]
            names = asked
            ordered = {t.target_type for t in task.targets} == {"ordinal"}
        place = pd.Index(names).get_indexer(pd.Index(came))
        scores, why = probabilities(x, np.maximum(place, 0), ordered=ordered)
        other = [f"{quoted(c)} was observed, which is not one of its categories" for c in came]
        return scores, np.where(place < 0, other, why)

    def _cdf(
        self,
        where: list[int],
        thresholds: Floats,
        x: Floats,
    ) -> tuple[dict[str, Floats], Any]:
        """A distribution function; observed is a number, or a step in the oracle."""
        reached = (self.came[where][:, None] <= thresholds).astype(float)
        if len(steps := self.truth.steps):
            each = self.wanted.iloc[np.repeat(where, len(thresholds))]
            each = each.assign(**{OUTPUT_TYPE_ID: np.tile(thresholds, len(where))})
            found = each.join(steps, on=[*self.truth.keys, OUTPUT_TYPE_ID])
            reached = found["came"].to_numpy().reshape(x.shape)
            self.as_of[where] = (
                found[AS_OF].fillna("").to_numpy(object).reshape(x.shape).max(axis=1)
            )
        scores, why = cumulative(x, reached)
        lost = np.isnan(reached).any(axis=1)
        return scores, np.where(lost, f"no value of a threshold in the {self.truth.kind}", why)

    def energies(self, scale: str) -> pd.DataFrame:
        """Energy scores of joint samples: a row per compound unit, by the hub's configuration."""
        ids = list(map(str, self.units))
        units = self.units
        out = []
        for which in dict.fromkeys(self.found[self.found >= 0].tolist()):
            task = self.tasks[which]
            mine = units[self.found == which]
            if self.kind != "sample" or task.compound is None:
                continue
            same = [c for c in ids if c in task.compound]
            joint = [
                c for c in ids if c not in (*task.compound, *task.derived) and len(set(mine[c])) > 1
            ]
            for _, part in mine.groupby(same or np.zeros(len(mine)), sort=False) if joint else ():
                values = sorted(map(tuple, part[joint].to_numpy(dtype=object).tolist()))
                out.append(
                    {c: part[c].iloc[0] if c in same else "" for c in ids}
                    | {"scale": scale, "joint_over": ", ".join(joint), "truth": self.truth.kind}
                    | self._energy(part.index.to_numpy(), scale)
                    | {"units": hashlib.sha256(repr(values).encode()).hexdigest()[:12]}
                )
        return pd.DataFrame(out, columns=[*ids, *_JOINT])

    def _energy(self, where: NDArray[np.intp], scale: str) -> dict[str, object]:
        """The energy score of one compound unit."""
        known = self.known.iloc[where]
        came = known["came"].notna().to_numpy()
        orders = [np.argsort(self.ids[i], kind="stable") for i in where]
        ids = [self.ids[i][order].tolist() for i, order in zip(where, orders)]
        n = max(map(len, ids))
        score = np.nan
        apart = "its samples do not belong together: their ids differ from unit to unit"
        reason = next(
            filter(
                None,
                (
                    *self.broken[where],
                    apart if any(x != ids[0] for x in ids) else "",
                    "" if came.any() else str(known["reason"].iloc[0]),
                    "one sample is not a distribution" if n == 1 else "",
                ),
            ),
            "",
        )
        if not reason:
            draws = [self.values[i][order] for i, order in zip(where, orders)]
            x = np.stack(draws, axis=1)[:, came]
            y = known["came"].to_numpy(dtype=float)[came]
            if scale == "log" and (x < 0).any():
                reason = _NEGATIVE
            else:
                if scale == "log":
                    x, y = np.log1p(x), np.log1p(y)
                score = float(energy_score(x, y, fair=False))
        return {
            "n_samples": n,
            "n_units": len(where),
            "n_known": int(came.sum()),
            "truth_as_of": max(known["as_of"][came], default=""),
            "energy_score": score,
            "scorable": reason == "",
            "reason": reason,
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
            units=_shared(self.units, [*ids, *_SAME], groups=[*self.targets, OUTPUT_TYPE, "scale"]),
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
        groups = [*(t for t in self.targets if t in table), OUTPUT_TYPE, "scale"]
        # A text is one name, not its letters.
        names = [by] if isinstance(by, str) else by or ()
        wanted = [x for x in names if x not in (*groups, MODEL_ID)]
        if unknown := [x for x in wanted if x not in table]:
            raise ScoringError(
                f"no column {unknown[0]!r} to group by", hint=one_of(unknown[0], self.task_ids)
            )
        groups += dict.fromkeys(wanted)
        if baseline is not None and baseline not in set(table[MODEL_ID]):
            models = sorted(set(table[MODEL_ID]))
            raise ScoringError(f"no model {baseline!r}", hint=one_of(baseline, models))
        keys = [*groups, MODEL_ID]
        out = table.groupby(keys, sort=True).agg(
            n_units=("scorable", "size"), n_scorable=("scorable", "sum")
        )
        good = table[table["scorable"].astype(bool)]
        of_kind = [good[OUTPUT_TYPE] == kind for kind in HEADLINE]
        heads = [good[name].astype(float) for name in HEADLINE.values()]
        good = good.assign(headline=np.select(of_kind, heads, np.nan))
        out = out.join(good.groupby(keys, sort=True)[[*SCORES, "headline"]].mean())
        out["score"] = [HEADLINE.get(x, "") for x in out.index.get_level_values(OUTPUT_TYPE)]
        if baseline is not None:
            unit = [*(t for t in self.task_ids if t in table), *_SAME]
            base = good.loc[good[MODEL_ID] == baseline, [*unit, "headline"]]
            both = good.merge(base.rename(columns={"headline": "base"}), on=unit)
            shared = both.groupby(keys, sort=True)
            own = shared["headline"].mean()
            means = shared["base"].mean()
            n = shared["base"].size()
            # Nothing is any number of times as much as nothing, and all is less than infinity.
            usable = (means != 0) & np.isfinite(means)
            out["relative"] = own / means.where(usable)
            out["n_common"] = n.reindex(out.index, fill_value=0).astype(int)
        out = out.reset_index().sort_values(
            [*groups, "headline", MODEL_ID],
            kind="stable",
            key=_numbers_first,
            ignore_index=True,
        )
        return out.drop(columns="headline")


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
    if scale not in _ASKED:
        raise ScoringError(f"scale is {scale!r}", hint=one_of(scale, list(_ASKED)))
    opened = hub if isinstance(hub, Hub) else Hub.open(hub)
    truth = Observations.of(opened, _day(as_of), kind=target_data)
    given = [files] if isinstance(files, str | os.PathLike) else files
    paths = opened.submissions() if given is None else list(map(Path, given))
    if given is None and not paths:
        raise DataError(f"{opened.model_output_dir}: no submissions", hint="give files")
    units: list[pd.DataFrame] = []
    joint: list[pd.DataFrame] = []
    ids: list[str] = []
    failures: list[dict[str, str]] = []
    refused: list[ScoringError] = []
    for path in paths:
        try:
            table, own = _read_submission(path, opened)
            truth.check_targets(table)
            blocks = [
                Block(kind, table, ids=own, truth=truth) for kind in table[OUTPUT_TYPE].unique()
            ]
            asked = [(block, each) for each in _ASKED[scale] for block in blocks]
            rows = [block.scored(each) for block, each in asked]
            drawn = [block.energies(each) for block, each in asked]
        except OdforecastError as error:
            if given is not None:
                raise
            refused += [error] if isinstance(error, ScoringError) else []
            failures.append({"file": opened.relative(path), "reason": str(error)})
            continue
        ids += own
        for part in (*rows, *drawn):
            part.insert(0, MODEL_ID, _model_of(path))
            part.insert(1, "file", opened.relative(path))
        units += rows
        joint += drawn
    if refused and not units:
        raise refused[0]
    task_ids = tuple(dict.fromkeys(ids))
    whole = _together(units, task_ids)
    _mark_repeats(whole, [*task_ids, OUTPUT_TYPE, "scale"])
    targets = tuple(dict.fromkeys(k for task in opened.asked.model_tasks for k in task.keys))
    problems = pd.DataFrame(failures, columns=["file", "reason"])
    return HubScores(
        whole,
        _together(joint, task_ids),
        failures=problems,
        task_ids=task_ids,
        targets=targets,
    )


def _together(parts: list[pd.DataFrame], task_ids: Sequence[str]) -> pd.DataFrame:
    """One table of all files; a task id that a file lacks is empty there."""
    kept = [part for part in parts if len(part)] or parts[:1]
    if not kept:
        return pd.DataFrame(columns=[MODEL_ID, "file", *_SAID, *SCORES, "levels"])
    table = pd.concat(kept, ignore_index=True)
    # Files need not have the same columns; rows without a key would fall out of every group.
    ids = [c for c in task_ids if c in table]
    table[ids] = table[ids].fillna("")
    return table


def _mark_repeats(table: pd.DataFrame, keys: list[str]) -> None:
    """A model's second forecast of the same thing is not scored: which one counts is a guess."""
    names = [MODEL_ID, *(k for k in keys if k in table)]
    again = table.duplicated(names, keep="first").to_numpy()
    if not again.any():
        return
    first = table[~again].set_index(names)["file"]
    files = table.loc[again, names].join(first, on=names)["file"]
    table.loc[again, "reason"] = [f"repeats a forecast of {f}" for f in files]
    table.loc[again, "scorable"] = False
    table.loc[again, list(SCORES)] = np.nan


def _shared(table: pd.DataFrame, keys: list[str], groups: list[str]) -> pd.DataFrame:
    """Scorable rows of units that all models of their group have."""
    if table.empty:
        return table
    groups, keys = ([x for x in names if x in table] for names in (groups, keys))
    good = table[table["scorable"].astype(bool)]
    models = good.groupby(groups)[MODEL_ID].transform("nunique")
    there = good.groupby(keys, dropna=False)[MODEL_ID].transform("nunique")
    return good[models == there].reset_index(drop=True)


def _numbers_first(column: pd.Series) -> pd.Series:
    """Order of a column of texts that are numbers: −1, 0, 2, 10."""
    if column.dtype.kind not in "OTU" and not isinstance(column.dtype, pd.StringDtype):
        return column
    found = pd.to_numeric(column, errors="coerce")
    return column if found.isna().any() else found


def _day(as_of: dt.date | str | None) -> dt.date | None:
    """A day from what a caller gives."""
    if as_of is None or isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise ScoringError(f"{as_of!r} is not a day", hint="as 2024-01-31") from None
