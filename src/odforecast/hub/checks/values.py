"""Checks of a submission's rows: legal, complete, and values in order.

A row belongs to a model task if each of its task ids, its output type and its output type id is
legal there. That is membership of a grid; the grid itself is never written out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from odforecast.hub.checks.columns import broken_rows, said_row
from odforecast.hub.checks.outcome import SHOWN, Finding, first_rows
from odforecast.hub.checks.rows import Rows, fits
from odforecast.hub.checks.tasks import Choice, ModelTask, OutputType, Word
from odforecast.say import listed, plain, quoted

#: How far the probabilities of a pmf may miss 1: what R's all.equal lets pass.
TOTAL = 1.5e-8


@dataclass(frozen=True)
class Part:
    """The rows of one output type of one model task.

    Attributes
    ----------
    task : ModelTask
    output : OutputType
    number : int
        Number of the model task in the round, from 1.
    rows : ndarray of int
        Positions in the table.
    """

    task: ModelTask
    output: OutputType
    number: int
    rows: np.ndarray


@dataclass(frozen=True)
class Table:
    """A submission beside its round.

    Attributes
    ----------
    rows : Rows
    tasks : tuple of ModelTask
        Of the round, its id fixed.
    columns : tuple of str
        Task ids that are not derived.
    samples : bool
        Whether samples have numbers of their own (schema 3 and later).
    """

    rows: Rows
    tasks: tuple[ModelTask, ...]
    columns: tuple[str, ...]
    samples: bool

    def of_task(self, task: ModelTask) -> np.ndarray:
        """Mask of the rows whose task ids are legal in a model task."""
        good = np.ones(self.rows.n, dtype=bool)
        for name in self.columns:
            good &= self.rows.columns[name].among(task.task_ids.get(name, Choice((None,))).allowed)
        return good

    def of_output(self, output: OutputType, *, any_id: bool = False) -> np.ndarray:
        """Mask of the rows of an output type with an id that is legal."""
        good = self.rows.columns["output_type"].among([output.name])
        if any_id or self.has_numbers(output):
            return good
        good &= self.rows.columns["output_type_id"].among(output.ids.allowed)
        return good

    def has_numbers(self, output: OutputType) -> bool:
        """Whether its ids are numbers of samples."""
        return self.samples and output.name == "sample"

    def parts(self, names: Sequence[str] | None = None) -> Iterator[Part]:
        """The table by model task and output type; a row that no grid has is in none."""
        for number, task in enumerate(self.tasks, 1):
            legal = self.of_task(task)
            for output in task.output_types.values():
                if names is None or output.name in names:
                    rows = np.flatnonzero(legal & self.of_output(output))
                    yield Part(task, output, number, rows)


def valid_values(table: Table) -> tuple[list[Finding], int]:
    """Every row is one of the configuration: values first, then their combination."""
    rows, legal = table.rows, np.zeros(table.rows.n, dtype=bool)
    for part in table.parts():
        legal[part.rows] = True
    found: list[Finding] = []
    said = np.zeros(rows.n, dtype=bool)
    for name in (*table.columns, "output_type"):
        known = _known(table, name)
        bad = ~rows.columns[name].among(known)
        found += _nearly(broken_rows(rows, name, bad & ~said, "no value of the hub")[0], known)
        said |= bad
    for name in dict.fromkeys(o for t in table.tasks for o in t.output_types):
        outputs = [t.output_types[name] for t in table.tasks if name in t.output_types]
        if any(table.has_numbers(o) for o in outputs):
            continue
        ids = dict.fromkeys(x for o in outputs for x in o.ids.allowed)
        mine = rows.columns["output_type"].among([name])
        bad = mine & ~rows.columns["output_type_id"].among(ids) & ~said
        text = f"no output_type_id of {plain(name)}"
        found += _nearly(broken_rows(rows, "output_type_id", bad, text)[0], tuple(ids))
        said |= bad
    for i in first_rows(~legal & ~said):
        what = said_row(rows, (*table.columns, "output_type", "output_type_id"), int(i))
        found.append(Finding(f"each value is legal, their combination is not: {what}", rows.row(i)))
    numbers, n = _sample_ids(table, legal)
    return [*found, *numbers][:SHOWN], int((~legal).sum()) + n


def _known(table: Table, name: str) -> tuple[Word, ...]:
    if name == "output_type":
        return tuple(dict.fromkeys(o for t in table.tasks for o in t.output_types))
    choices = (t.task_ids.get(name, Choice((None,))).allowed for t in table.tasks)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(choices)))


def _nearly(findings: list[Finding], known: Sequence[Word]) -> list[Finding]:
    """Say what was probably meant: a number written otherwise, or what there is."""
    numbers = {float(w): w for w in known if w is not None and fits(w, "double")}
    made = []
    for x in findings:
        near = None
        if x.value is not None and fits(x.value, "double"):
            near = numbers.get(float(x.value))
        if near is not None:
            more = f"the hub writes it {quoted(near)}, and texts are compared"
        else:
            more = f"one of {listed(['NA' if w is None else w for w in known], 6)}"
        made.append(Finding(f"{x.message}; {more}", x.row, x.column, x.value))
    return made


def _sample_ids(table: Table, legal: np.ndarray) -> tuple[list[Finding], int]:
    """Ids of samples are of the type and length that their model task says."""
    found: list[Finding] = []
    count = 0
    column = table.rows.columns["output_type_id"]
    for part in table.parts(["sample"]):
        if not table.has_numbers(part.output) or part.output.params is None:
            continue
        mine = np.zeros(table.rows.n, dtype=bool)
        mine[part.rows] = legal[part.rows]
        whole = part.output.params.get("type") == "integer"
        most = part.output.params.get("max_length")

        def good(w: Word, whole: bool = whole, most: int | None = most) -> bool:
            return w is not None and (fits(w, "integer") if whole else len(w) <= (most or len(w)))

        text = "numbers of samples are whole" if whole else f"at most {most} characters"
        if not whole and most is None:
            text = "a sample has an id"
        some, n = broken_rows(table.rows, "output_type_id", mine & ~column.where(good), text)
        found, count = found + some, count + n
    return found, count


def value_column(table: Table) -> tuple[list[Finding], int]:
    """Values are of their output type's type, and within its minimum and maximum."""
    column = table.rows.columns["value"]
    values = column.numbers()
    found: list[Finding] = []
    count = 0
    for part in table.parts():
        rule, mine = part.output.value, np.zeros(table.rows.n, dtype=bool)
        mine[part.rows] = True
        with np.errstate(invalid="ignore"):
            tests = [(~np.isfinite(values), "is no finite number")]
            if rule.get("type") == "character":
                tests = []
            elif rule.get("type") == "integer":
                tests.append((np.isfinite(values) & (values != np.rint(values)), "must be whole"))
            if rule.get("minimum") is not None:
                tests.append((values < rule["minimum"], f"is less than {rule['minimum']:g}"))
            if rule.get("maximum") is not None:
                tests.append((values > rule["maximum"], f"is more than {rule['maximum']:g}"))
        for bad, text in tests:
            said = f"{text} ({plain(part.output.name)})"
            some, n = broken_rows(table.rows, "value", mine & bad, said)
            found, count = found + some, count + n
    return found, count


def ascending(table: Table) -> tuple[list[Finding], int]:
    """Values of a quantile or cdf do not fall as its id goes up, in the configuration's order."""
    values = table.rows.columns["value"].numbers()
    key = table.rows.key(table.columns)
    ids = table.rows.columns["output_type_id"]
    bad = np.zeros(table.rows.n, dtype=bool)
    for part in table.parts(["quantile", "cdf"]):
        place = {w: i for i, w in enumerate(part.output.ids.allowed)}
        order = np.array([*(place.get(w, -1) for w in ids.words), -1])[ids.codes[part.rows]]
        sort = part.rows[np.lexsort((order, key[part.rows]))]
        fell = (values[sort][1:] < values[sort][:-1]) & (np.diff(key[sort]) == 0)
        bad[sort[1:][fell]] = True
    found = [
        Finding(
            "lies below the value of the next lower output_type_id: "
            + said_row(table.rows, (*table.columns, "output_type_id"), int(i)),
            table.rows.row(i), "value", table.rows.columns["value"].text(int(i)),
        )
        for i in first_rows(bad)
    ]  # fmt: skip
    return found, int(bad.sum())


def sums_to_one(table: Table, task_ids: Sequence[str]) -> tuple[list[Finding], int]:
    """Probabilities of a pmf add up to 1."""
    mine = np.flatnonzero(table.rows.columns["output_type"].among(["pmf"]))
    if not len(mine):
        return [], 0
    unit = np.unique(table.rows.key(task_ids)[mine], return_index=True, return_inverse=True)
    sums = np.bincount(unit[2], weights=table.rows.columns["value"].numbers()[mine])
    bad = ~(np.abs(sums - 1) <= TOTAL)
    found = []
    for u in first_rows(bad):
        i = int(mine[unit[1][u]])
        what = said_row(table.rows, task_ids, i)
        found.append(Finding(f"the probabilities of this pmf add up to {sums[u]:g}: {what}",
                             table.rows.row(i), "value"))  # fmt: skip
    return found, int(bad.sum())
