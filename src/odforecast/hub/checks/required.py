"""The check ``req_vals``: every required combination of a submission is there.

For each row, and each set of its columns whose value is optional: keep those, let the other
columns run through their required values, and all these rows must exist. The empty set is the
grid of required values itself, asked of every model task with a required value in each column.

From schema 4 on, an output type that is submitted, or required, is given with all its ids, and
each output type is looked at alone. Before, output type and id are a column among the others: of a
place, all required output types are given or none; and an optional output type asks for the
required values of the others only where one optional value of theirs is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from odforecast.hub.checks.outcome import SHOWN, Finding
from odforecast.hub.checks.tasks import Choice, ModelTask, OutputType, Word
from odforecast.hub.checks.values import Table
from odforecast.say import plain

#: The name of the column that output type and id are together.
OUTPUT = "output"


@dataclass(frozen=True)
class Side:
    """One column of a grid: ``words[codes[i]]`` stands in row i.

    Attributes
    ----------
    name : str
    required : tuple
        Values that must be there.
    codes : ndarray of int64, shape (rows,)
    words : sequence
        Distinct values.
    optional : ndarray of bool, shape (rows,)
        Rows whose value is optional.
    """

    name: str
    required: tuple[Hashable, ...]
    codes: np.ndarray
    words: Sequence[Hashable]
    optional: np.ndarray


@dataclass(frozen=True)
class Grid:
    """Rows of a model task beside what it asks for; the last side is the output.

    Attributes
    ----------
    number : int
        Number of the model task.
    sides : tuple of Side
    kept : ndarray of bool, shape (rows,)
        Rows whose output is always kept: before schema 4, those of an optional output type.
    """

    number: int
    sides: tuple[Side, ...]
    kept: np.ndarray


def required_values(table: Table, *, every_id: bool) -> tuple[list[Finding], int]:
    """What is required and missing.

    Parameters
    ----------
    table : Table
    every_id : bool
        Whether the rules are those from schema 4 on.

    Returns
    -------
    list of Finding
        The first of each grid.
    int
        How many rows are missing.
    """
    found: list[Finding] = []
    count = 0
    for grid in _grids(table, every_id):
        for kept in _sets(grid):
            some, n = _missing(grid, kept)
            found, count = found + some, count + n
    return found, count


def _grids(table: Table, every_id: bool) -> list[Grid]:
    rows = table.rows
    submitted = set(rows.columns["output_type"].distinct())
    asked = submitted | {
        o.name for t in table.tasks for o in t.output_types.values() if o.is_required
    }
    grids = []
    for number, task in enumerate(table.tasks, 1):
        legal = table.of_task(task)
        outputs = list(task.output_types.values())
        masks = [legal & table.of_output(o) for o in outputs]
        if not every_id:
            required = [(o.name, i) for o in outputs for i in o.ids.required]
            grids.append(_grid(table, task, number, outputs, masks, required, every_id))
            continue
        for output, mask in zip(outputs, masks):
            if output.name in asked:
                pairs = [(output.name, i) for i in output.ids.allowed]
                grids.append(_grid(table, task, number, [output], [mask], pairs, every_id))
    return grids


def _grid(
    table: Table, task: ModelTask, number: int, outputs: Sequence[OutputType],
    masks: Sequence[np.ndarray], required: list[tuple[str, Word]], every_id: bool,
) -> Grid:  # fmt: skip
    at = np.flatnonzero(np.logical_or.reduce(masks))
    sides = []
    for name in table.columns:
        column, choice = table.rows.columns[name].take(at), task.task_ids.get(name, Choice((None,)))
        words: list[Hashable] = [None, *column.words]
        optional = ~column.among(choice.required)
        sides.append(Side(name, choice.required, column.codes + 1, words, optional))
    ids = table.rows.columns["output_type_id"]
    pairs: list[Hashable] = []
    codes = np.zeros(len(at), dtype=np.int64)
    kept = np.zeros(len(at), dtype=bool)
    for output, mask in zip(outputs, masks):
        mine, start = mask[at], len(pairs)
        if table.has_numbers(output):
            pairs.append((output.name, None))
            codes[mine] = start
        else:
            pairs += [(output.name, w) for w in (None, *ids.words)]
            codes[mine] = start + 1 + ids.codes[at][mine]
        kept |= mine & (not every_id and not output.ids.required)
    known = frozenset(required)
    lacks = np.array([p not in known for p in pairs] or [False], dtype=bool)
    sides.append(Side(OUTPUT, tuple(required), codes, pairs, lacks[codes]))
    return Grid(number, tuple(sides), kept)


def _sets(grid: Grid) -> list[frozenset[int]]:
    """Sets of sides that are kept, one after the other."""
    never = frozenset(i for i, side in enumerate(grid.sides) if not side.required)
    # A model task with a column of optional values only may be left out.
    found = set() if never else {never}
    masks = np.zeros(len(grid.kept), dtype=np.int64)
    for i, side in enumerate(grid.sides):
        masks |= side.optional.astype(np.int64) << i
    for bits in np.unique(masks).tolist():
        mixed = [i for i in range(len(grid.sides)) if bits >> i & 1 and i not in never]
        for n in range(len(mixed) + 1):
            found |= {never | set(some) for some in itertools.combinations(mixed, n)}
    return sorted(found, key=sorted)


def _missing(grid: Grid, kept: frozenset[int]) -> tuple[list[Finding], int]:
    """Rows that are missing where the sides ``kept`` have optional values."""
    sides, n, last = grid.sides, len(grid.kept), len(grid.sides) - 1
    rest = [i for i in range(len(sides)) if i not in kept]
    size = math.prod(len(sides[i].required) for i in rest)
    unit, key = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    wanted, full = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    for i in sorted(kept):
        unit = _joined(unit, sides[i].codes)
        wanted &= sides[i].optional
    unit = np.unique(unit, return_inverse=True)[1].astype(np.int64)
    for i in rest:
        key = _joined(key, sides[i].codes)
        full &= ~sides[i].optional
    good = full & wanted
    asks = _asks(grid, kept, wanted) if last in kept else wanted & ~grid.kept
    units = np.unique(unit[asks]) if kept else np.zeros(1, dtype=np.int64)
    top = int(key.max(initial=0)) + 1
    have = np.unique(unit[good] * top + key[good])
    counts = np.bincount(have // top, minlength=int(units.max(initial=0)) + 1)[units]
    short = units[counts < size]
    found = [_said(grid, kept, rest, good & (unit == u), unit == u) for u in short[:SHOWN]]
    return found, int((size - counts[counts < size]).sum())


def _asks(grid: Grid, kept: frozenset[int], wanted: np.ndarray) -> np.ndarray:
    """Rows that ask for others: of an optional output type alone, those with nothing else."""
    last = len(grid.sides) - 1
    if kept != {last}:
        return wanted
    others: np.ndarray = np.logical_or.reduce([side.optional for side in grid.sides[:-1]])
    alone: np.ndarray = wanted & ~(grid.kept & others)
    return alone


def _joined(key: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """A key that tells rows apart by one column more; small enough that two fit one number."""
    key = key * (int(codes.max(initial=0)) + 1) + codes
    if int(key.max(initial=0)) >= 2**31:
        key = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return key


def _said(
    grid: Grid, kept: frozenset[int], rest: list[int], good: np.ndarray, mine: np.ndarray
) -> Finding:
    """The first combination that one unit lacks."""
    sides = grid.sides
    at = np.flatnonzero(good)
    columns = [[sides[i].words[c] for c in sides[i].codes[at]] for i in rest]
    have = set(zip(*columns)) if rest else set()
    first = next((g for g in itertools.product(*(sides[i].required for i in rest))
                  if g not in have), ())  # fmt: skip
    values: dict[int, Hashable] = dict(zip(rest, first))
    some = np.flatnonzero(mine)
    if len(some):
        values |= {i: sides[i].words[sides[i].codes[some[0]]] for i in kept}
    texts = []
    for i, side in enumerate(sides):
        value = values.get(i)
        if side.name != OUTPUT:
            texts.append(f"{side.name} {_word(value)}")
        elif isinstance(value, tuple):
            texts.append(f"output_type {_word(value[0])}, output_type_id {_word(value[1])}")
    return Finding(f"missing of model task {grid.number}: {', '.join(texts)}")


def _word(value: object) -> str:
    return plain("NA" if value is None else value, 40)
