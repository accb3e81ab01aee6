"""One submission, scored: a row per forecast unit, and nothing left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.hub.scoring import rules
from odforecast.hub.scoring.observations import Observations
from odforecast.hub.scoring.tables import OUTPUT_TYPE, OUTPUT_TYPE_ID, VALUE, number_texts
from odforecast.hub.scoring.tasks import Task, find_tasks
from odforecast.say import quoted

#: Scales that a submission can be scored on.
SCALES: Final = ("natural", "log")
#: Output types that are scored.
KINDS: Final = tuple(rules.HEADLINE)
#: Columns of a unit behind its task ids, before its scores.
SAID: Final = (
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


def score_submission(
    table: pd.DataFrame,
    task_ids: Sequence[str],
    observations: Observations,
    tasks: Sequence[Task],
    scale: str = "natural",
) -> pd.DataFrame:
    """Scores of one submission.

    Parameters
    ----------
    table : DataFrame
        As :func:`odforecast.hub.scoring.tables.read_submission` gives it.
    task_ids : sequence of str
    observations : Observations
    tasks : sequence of Task
    scale : {"natural", "log"}
        ``log``: ``log(1 + x)`` of what was forecast and of what came.

    Returns
    -------
    DataFrame
        ``task_ids``, :data:`SAID`, :data:`odforecast.hub.scoring.rules.SCORES` and ``levels``
        (:meth:`Block.levels`): a row per combination of task ids and output type, in the order
        of the file.
    """
    parts = []
    for kind in dict.fromkeys(table[OUTPUT_TYPE]):
        rows = table[table[OUTPUT_TYPE] == kind]
        number = rows.groupby(list(task_ids), sort=False).ngroup().to_numpy()
        first = rows[list(task_ids)][~pd.Series(number, index=rows.index).duplicated()]
        units = first.reset_index(drop=True)
        parts.append(Block(str(kind), rows, number, units, observations, tasks, scale).scored())
    return pd.concat(parts, ignore_index=True)


class Block:
    """Units of one output type of a submission."""

    def __init__(
        self,
        kind: str,
        rows: pd.DataFrame,
        number: NDArray[np.intp],
        units: pd.DataFrame,
        observations: Observations,
        tasks: Sequence[Task],
        scale: str,
    ) -> None:
        self.kind, self.units, self.scale = kind, units, scale
        self.observations = observations
        found = find_tasks(units, kind, tasks)
        self.tasks: list[Task | None] = [None if i < 0 else tasks[i] for i in found]
        self.reasons = np.full(len(units), "", dtype=object)
        self.columns = {name: np.full(len(units), np.nan) for name in rules.SCORES}
        self.observed = np.full(len(units), np.nan)
        self.category = np.full(len(units), "", dtype=object)
        self.as_of = np.full(len(units), "", dtype=object)
        ids = rows[OUTPUT_TYPE_ID].to_numpy()
        self.numeric = kind in ("quantile", "cdf")
        order = np.lexsort((number_texts(ids) if self.numeric else np.arange(len(rows)), number))
        self.number, self.ids = number[order], ids[order]
        self.values, self.cells = rows[VALUE].to_numpy()[order], rows["cell"].to_numpy()[order]
        self.rows = rows["row"].to_numpy()[order]
        self.sizes = np.bincount(number, minlength=len(units))
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def scored(self) -> pd.DataFrame:
        """The units, scored; see :func:`score_submission`."""
        if self.kind not in KINDS:
            self.reasons[:] = f"output type {quoted(self.kind)} is none that can be scored"
        elif self.scale == "log" and self.kind in ("pmf", "cdf"):
            self.reasons[:] = f"{self.kind} has no log scale"
        else:
            self.no_numbers()
            if self.kind == "pmf":
                self._pmf()
            elif self.kind == "cdf":
                self._cdf()
            else:
                self._numbers()
        scorable = self.reasons == ""
        said = {
            OUTPUT_TYPE: self.kind,
            "scale": self.scale,
            "n_values": self.sizes,
            "observed": self.observed,
            "category": self.category,
            "truth": self.observations.kind,
            "truth_as_of": self.as_of,
            "scorable": scorable,
            "reason": self.reasons,
        }
        scores = {name: np.where(scorable, column, np.nan) for name, column in self.columns.items()}
        rest = pd.DataFrame(said | scores | {"levels": self.levels()})
        return pd.concat([self.units, rest], axis=1)

    def levels(self) -> list[str]:
        """Levels or thresholds of each unit, rising: ``0.25|0.5|0.75``; else empty.

        Scores over other levels are other scores, however many there are.
        """
        if not self.numeric:
            return [""] * len(self.units)
        # 0.50 and 0.5 are one level, and so are 0.15 and the sum that a computer made of it.
        named = {
            t: t if x != x else f"{x:.12g}"
            for t, x in zip(dict.fromkeys(self.ids), number_texts(dict.fromkeys(self.ids)))
        }
        each = [named[t] for t in self.ids]
        return ["|".join(each[i : i + n]) for i, n in zip(self.starts, self.sizes)]

    def no_numbers(self) -> None:
        """Units with a cell that is no number, or with a level or threshold that is none."""
        bad = np.isnan(self.values)
        for i in np.flatnonzero(bad)[::-1]:
            self.reasons[self.number[i]] = (
                f"row {self.rows[i]}: value {quoted(self.cells[i])} is no number"
            )
        if self.numeric:
            for i in np.flatnonzero(np.isnan(number_texts(self.ids)))[::-1]:
                self.reasons[self.number[i]] = (
                    f"row {self.rows[i]}: {OUTPUT_TYPE_ID} {quoted(self.ids[i])} is no number"
                )
        if self.kind in ("sample", "pmf", "cdf", "quantile"):
            pairs = pd.DataFrame({"n": self.number, "id": self.ids})
            for i in np.flatnonzero(pairs.duplicated())[::-1]:
                self.reasons[self.number[i]] = (
                    f"row {self.rows[i]}: {OUTPUT_TYPE_ID} {quoted(self.ids[i])} is there twice"
                )

    def find_known(self) -> None:
        """What came, as numbers; why it is not known."""
        found = self.observations.numbers(self.units, self.kind, self.tasks)
        self.observed = found["came"].to_numpy().astype(float)
        self.as_of = found["as_of"].to_numpy()
        self._refuse(found["reason"].to_numpy())

    def _refuse(self, reasons: NDArray[np.object_]) -> None:
        self.reasons = np.where(self.reasons == "", reasons, self.reasons)

    def _numbers(self) -> None:
        """Quantiles, samples, medians and means."""
        self.find_known()
        values, came = self.values, self.observed
        if self.scale == "log":
            low = np.flatnonzero(np.bincount(self.number[values < 0], minlength=len(self.units)))
            self.reasons[[i for i in low if self.reasons[i] == ""]] = (
                "a log scale needs values of 0 or more"
            )
            values, came = np.log1p(np.maximum(values, 0)), np.log1p(np.maximum(came, 0))
        for where, at in self._alike():
            block, y = values[at], came[where]
            if self.kind == "quantile":
                levels = number_texts(self.ids[at[0]]).tolist()
                self._put(where, rules.quantiles(block, levels, y))
            elif self.kind == "sample":
                self._put(where, rules.samples(block, y))
            else:
                self._put(where, rules.points(block, y, self.kind))

    def _alike(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Scorable units with the same number of rows (and the same levels): which, and rows."""
        good = np.flatnonzero(self.reasons == "")
        groups: dict[object, list[int]] = {}
        for i in good:
            n, start = int(self.sizes[i]), int(self.starts[i])
            same = tuple(self.ids[start : start + n]) if self.kind != "sample" else ()
            groups.setdefault((n, same), []).append(int(i))
        return [
            (np.array(found), self.starts[found][:, None] + np.arange(key[0]))  # type: ignore[index]
            for key, found in groups.items()
        ]

    def _put(self, where: NDArray[np.intp], scored: rules.Scored) -> None:
        columns, reasons = scored
        for name, column in columns.items():
            self.columns[name][where] = column
        self.reasons[where] = reasons

    def _pmf(self) -> None:
        oracle = self.observations.by_id(self.units, self.kind, self.tasks)
        if oracle is None:
            self._came_as_text()
        else:
            self._came_by_id(oracle, self._category_of)
        for where, at in self._alike():
            names = list(self.ids[at[0]])
            tasks = [self.tasks[i] for i in where]
            first = tasks[0]
            # Units of one set of categories are of one task in any hub; where not, each by itself.
            for task in dict.fromkeys(map(id, tasks)):
                picked = [k for k, t in enumerate(tasks) if id(t) == task]
                first = tasks[picked[0]]
                self._pmf_block(where[picked], at[picked], names, first)

    def _pmf_block(
        self,
        where: NDArray[np.intp],
        at: NDArray[np.intp],
        names: list[str],
        task: Task | None,
    ) -> None:
        order = list(range(len(names)))
        ordered = False
        if task is not None and task.categories:
            if lacking := [c for c in task.categories if c not in names]:
                self.reasons[where] = f"it lacks category {quoted(lacking[0])}"
                return
            if set(names) == set(task.categories):
                order = [names.index(c) for c in task.categories]
                names, ordered = list(task.categories), task.ordinal
        position = {name: k for k, name in enumerate(names)}
        came = np.array([position.get(str(self.category[i]), -1) for i in where])
        lost = came < 0
        values = self.values[at][:, order]
        columns, reasons = rules.probabilities(values, np.maximum(came, 0), ordered)
        reasons[lost] = [
            f"{quoted(self.category[i])} came, which is none of its categories" for i in where[lost]
        ]
        self._put(where, (columns, reasons))

    def _category_of(self, held: dict[str, float]) -> str:
        """The category whose oracle value is 1."""
        return next((name for name, value in held.items() if value == 1), "")

    def _came_by_id(
        self,
        oracle: dict[tuple[str, ...], tuple[dict[str, float], str]],
        said: Callable[[dict[str, float]], str],
    ) -> None:
        for i, key in enumerate(self.observations.key_of(self.units, self.tasks)):
            held, day = oracle.get(key, ({}, ""))
            self.category[i], self.as_of[i] = said(held), day
            if self.reasons[i] == "" and not self.category[i]:
                what = "no category came" if held else "no value"
                self.reasons[i] = f"{what} in the {self.observations.kind}"

    def _came_as_text(self) -> None:
        """Categories that a time series holds as text."""
        found = self.observations.numbers(self.units, self.kind, self.tasks)
        known = found["as_of"].ne("") | found["text"].ne("")
        self.category = np.where(known, found["text"], "").astype(object)
        self.as_of = found["as_of"].to_numpy()
        texts = found["reason"].str.contains("holds no number")
        self._refuse(np.where(texts | found["came"].notna(), "", found["reason"]))

    def _cdf(self) -> None:
        oracle = self.observations.by_id(self.units, self.kind, self.tasks)
        if oracle is None:
            self.find_known()
            for where, at in self._alike():
                thresholds = number_texts(self.ids[at[0]])
                reached = (self.observed[where][:, None] <= thresholds).astype(float)
                self._put(where, rules.cumulative(self.values[at], reached))
            return
        keys = self.observations.key_of(self.units, self.tasks)
        for where, at in self._alike():
            names, thresholds = self.ids[at[0]], number_texts(self.ids[at[0]])
            reached = np.full(at.shape, np.nan)
            for k, i in enumerate(where):
                held, day = oracle.get(keys[i], ({}, ""))
                self.as_of[i] = day
                by_number = dict(zip(number_texts(list(held)), held.values()))
                reached[k] = [held.get(n, by_number.get(x, np.nan))
                              for n, x in zip(names, thresholds)]  # fmt: skip
            columns, reasons = rules.cumulative(self.values[at], reached)
            lost = np.isnan(reached).any(axis=1)
            reasons[lost] = f"no value of a threshold in the {self.observations.kind}"
            self._put(where, (columns, reasons))
