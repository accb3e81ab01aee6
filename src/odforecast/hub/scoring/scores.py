"""Scores of a hub's submissions: unit by unit first, means after."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, OdforecastError, ScoringError, one_of
from odforecast.hub.layout import Hub, TargetType
from odforecast.hub.scoring.days import check_days
from odforecast.hub.scoring.joint import energy_scores
from odforecast.hub.scoring.observations import Observations
from odforecast.hub.scoring.rules import HEADLINE, SCORES
from odforecast.hub.scoring.tables import MODEL_ID, OUTPUT_TYPE, Submission, read_submission
from odforecast.hub.scoring.tasks import tasks_of
from odforecast.hub.scoring.units import SAID, SCALES, score_submission

#: Scales that may be asked for; both: the rows of each.
_ASKED: Final = {"natural": ("natural",), "log": ("log",), "both": SCALES}
#: Columns of a summary that are means, and what they are called there.
_MEANS: Final = SCORES


@dataclass(frozen=True, eq=False)
class HubScores:
    """Scores of a hub's submissions.

    Attributes
    ----------
    units : DataFrame
        A row per forecast unit: ``model_id``, ``file``, the hub's task ids (text, as in the
        files), ``output_type``, ``scale``, ``n_values`` (levels, samples, categories or
        thresholds), ``observed`` or ``category`` (what came), ``truth`` (the kind of target
        data), ``truth_as_of`` (when it was known; empty where the hub keeps no versions),
        ``scorable``, ``reason`` (why not), the scores by hubEvals' names, NaN where an output
        type has none, and ``levels``, the levels or thresholds of quantiles and of a ``cdf``.
        A task id that a file lacks is empty there.
    joint : DataFrame
        A row per joint sample's compound unit; see
        :func:`odforecast.hub.scoring.joint.energy_scores`.
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
        return replace(
            self,
            units=_shared(self.units, self._keys(), [*self.targets, OUTPUT_TYPE, "scale"]),
            joint=_shared(self.joint, self._joint_keys(), ["scale", "joint_over"]),
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
            one that the rows are ordered by (:data:`odforecast.hub.scoring.rules.HEADLINE`). With a
            baseline: ``relative``, the ratio of that score's means over the units both have, and
            ``n_common``, their number; NaN where the baseline's mean is 0 or infinite. Units of
            quantiles are the same only with the same levels.

        Raises
        ------
        ScoringError
            If a column or the baseline is not there.
        """
        groups = [*self._targets(), OUTPUT_TYPE, "scale", *self._by(by)]
        table = self.units
        if baseline is not None and baseline not in set(table[MODEL_ID]):
            models = sorted(set(table[MODEL_ID]))
            raise ScoringError(f"no model {baseline!r}", hint=one_of(baseline, models))
        keys = [*groups, MODEL_ID]
        out = table.groupby(keys, sort=True).agg(
            n_units=("scorable", "size"), n_scorable=("scorable", "sum")
        )
        good = table[table["scorable"].astype(bool)]
        out = out.join(good.groupby(keys, sort=True)[list(_MEANS)].mean())
        kinds = out.index.get_level_values(OUTPUT_TYPE).map(lambda kind: HEADLINE.get(kind, ""))
        out["score"] = list(kinds)
        out["mean"] = [row[row["score"]] if row["score"] else np.nan for _, row in out.iterrows()]
        if baseline is not None:
            out = out.join(self._relative(good, keys, baseline))
            out["n_common"] = out["n_common"].fillna(0).astype(int)
        out = out.reset_index()
        order = [*groups, "mean", MODEL_ID]
        out = out.sort_values(order, kind="stable", key=_numbers_first, ignore_index=True)
        return out.drop(columns="mean")

    def _relative(self, good: pd.DataFrame, keys: list[str], baseline: str) -> pd.DataFrame:
        """Ratio of mean headline scores on common units, and their number."""
        good = good.assign(headline=_headline(good))
        unit = self._keys()
        base = good[good[MODEL_ID] == baseline].set_index(unit)["headline"]
        both = good.join(base.rename("base"), on=unit, how="inner")
        grouped = both.groupby(keys, sort=True)
        found = grouped.agg(n_common=("base", "size"), own=("headline", "mean"),
                            base=("base", "mean"))  # fmt: skip
        # Nothing is any number of times as much as nothing, and everything is less than infinity.
        usable = (found["base"] != 0) & np.isfinite(found["base"])
        found["relative"] = found["own"] / found["base"].where(usable)
        return found[["relative", "n_common"]]

    def _keys(self) -> list[str]:
        """What makes two rows forecasts of the same thing."""
        ids = [t for t in self.task_ids if t in self.units]
        return [*ids, OUTPUT_TYPE, "scale", "levels"]

    def _joint_keys(self) -> list[str]:
        ids = [t for t in self.task_ids if t in self.joint]
        return [*ids, "scale", "joint_over", "units", "n_known"]

    def _targets(self) -> list[str]:
        return [t for t in self.targets if t in self.units]

    def _by(self, by: str | Iterable[str] | None) -> list[str]:
        # A text is one name, not its letters.
        names = [by] if isinstance(by, str) else by or ()
        wanted = [x for x in names if x not in (*self._targets(), OUTPUT_TYPE, "scale", MODEL_ID)]
        for name in wanted:
            if name not in self.units:
                raise ScoringError(
                    f"no column {name!r} to group by", hint=one_of(name, list(self.task_ids))
                )
        return list(dict.fromkeys(wanted))


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
    hub : path or Hub
        The hub's folder.
    files : path or sequence of path, optional
        Submissions, inside the hub or not. Default: all that the hub holds.
    as_of : date or str, optional
        Score against what was known on that day, by the target data's ``as_of``. Default: the
        newest version.
    scale : {"natural", "log", "both"}
        ``log``: ``log(1 + x)`` of what was forecast and of what came, hubEvals' ``transform``; of
        quantiles, samples, medians and means.
    target_data : {"oracle-output", "time-series"}, optional
        Default: oracle output, if the hub has it.

    Returns
    -------
    HubScores
        Nothing is left out: what cannot be scored has a reason.

    Raises
    ------
    DataError
        If the hub or its target data cannot be read, or a file that was asked for; or, in a hub
        made here, its ``target_end_date`` is not the month of its horizon.
    ScoringError
        If target data and submissions cannot be told to be of the same thing: the file that was
        asked for, or all that the hub holds. One of many goes to ``failures``.

    Examples
    --------
    >>> from odforecast.hub.scoring import score
    >>> score("no-such-hub")
    Traceback (most recent call last):
        ...
    odforecast.errors.DataError: no-such-hub: no such folder; give the folder of a hub, ...
    """
    if scale not in _ASKED:
        raise ScoringError(f"scale is {scale!r}", hint=one_of(scale, list(_ASKED)))
    opened = hub if isinstance(hub, Hub) else Hub.open(hub)
    observations = Observations.of(opened, _day(as_of), target_data)
    tasks = tasks_of(opened)
    held: list[Submission] = []
    failures: list[dict[str, str]] = []
    if files is None:
        for path in opened.submissions():
            try:
                held.append(_submission(path, opened))
            except OdforecastError as error:
                failures.append({"file": opened.relative(path), "reason": str(error)})
        if not held and not failures:
            raise DataError(f"{opened.model_output_dir}: no submissions", hint="give files")
    else:
        given = [files] if isinstance(files, str | os.PathLike) else files
        held = [_submission(Path(path), opened) for path in given]
    units: list[pd.DataFrame] = []
    joint: list[pd.DataFrame] = []
    scored: list[Submission] = []
    other: ScoringError | None = None
    for one in held:
        ids = one.task_ids
        first = one.table[ids].drop_duplicates()
        observations.check_targets(first, tasks)
        try:
            made = [
                [rule(one.table, ids, observations, tasks, each) for each in _ASKED[scale]]
                for rule in (score_submission, energy_scores)
            ]
        except ScoringError as error:
            if files is not None:
                raise
            other = other or error
            failures.append({"file": opened.relative(one.path), "reason": str(error)})
            continue
        scored.append(one)
        for tables, parts in zip(made, (units, joint)):
            for table in tables:
                table.insert(0, MODEL_ID, one.model_id)
                table.insert(1, "file", opened.relative(one.path))
                parts.append(table)
    if other is not None and not scored:
        raise other
    task_ids = tuple(dict.fromkeys(c for one in scored for c in one.task_ids))
    whole = _together(units, task_ids)
    _mark_repeats(whole, [*task_ids, OUTPUT_TYPE, "scale"])
    targets = tuple(dict.fromkeys(k for task in tasks for k in task.keys))
    problems = pd.DataFrame(failures, columns=["file", "reason"])
    return HubScores(whole, _together(joint, task_ids), problems, task_ids, targets)


def _submission(path: Path, hub: Hub) -> Submission:
    """One file, read; refused where its days contradict its horizons."""
    found = read_submission(path)
    check_days(found, hub)
    return found


def _together(parts: list[pd.DataFrame], task_ids: Sequence[str]) -> pd.DataFrame:
    kept = [part for part in parts if len(part)] or parts[:1]
    if not kept:
        return pd.DataFrame(columns=[MODEL_ID, "file", *SAID, *SCORES, "levels"])
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


def _headline(table: pd.DataFrame) -> np.ndarray:
    out = np.full(len(table), np.nan)
    for kind, name in HEADLINE.items():
        mine = (table[OUTPUT_TYPE] == kind).to_numpy()
        out[mine] = table.loc[mine, name].to_numpy(dtype=float)
    return out


def _shared(table: pd.DataFrame, keys: list[str], groups: list[str]) -> pd.DataFrame:
    """Scorable rows of units that all models of their group have."""
    if table.empty:
        return table
    groups = [g for g in groups if g in table]
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
    if as_of is None or isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise ScoringError(f"{as_of!r} is no day", hint="as 2024-01-31") from None
