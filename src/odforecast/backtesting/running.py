"""Running the units of a plan: in this process or elsewhere, in memory or into a folder."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.backtesting.bar import Progress
from odforecast.backtesting.blocks import blocks
from odforecast.backtesting.digest import code_digest
from odforecast.backtesting.dispatch import Done, dispatched
from odforecast.backtesting.finished import Finished
from odforecast.backtesting.folder import same_task, scratch, tidy
from odforecast.backtesting.lock import locked
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.packed import Made
from odforecast.backtesting.results import Results
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import Unit, run_block
from odforecast.errors import BacktestError


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    quantiles: bool = True,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    What ``more`` says is put into the manifest.

    Without ``out`` and with ``quantiles=False`` the results have no quantiles, which are most of
    the memory: of 650 units, two gigabytes.
    """
    _sendable(units, executor)
    if out is None:
        return _in_memory(units, executor, progress, quantiles, more)
    # A model may change the working directory.
    folder = Path(out).absolute()
    with locked(folder):
        same_task(folder, more or {})
        tidy(folder)
        return _into(units, folder, executor, progress, more)


def _sendable(units: Sequence[Unit], executor: Executor | Any | None) -> None:
    """Refuse, before any work, metrics that other processes cannot get."""
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return
    for metric in units[0].metrics if units else ():
        try:
            pickle.dumps(metric)
        except Exception as error:
            raise BacktestError(
                f"metric {metric.name!r} cannot be sent to other processes: {error}",
                hint="define its function with def in a module, or run in one process",
            ) from error


def _in_memory(
    units: Sequence[Unit],
    executor: Executor | Any | None,
    progress: Callable[[Progress], None] | None,
    quantiles: bool,
    more: Mapping[str, object] | None,
) -> Results:
    outcomes: dict[int, Outcome] = {}
    notes: list[str] = []
    for indices, made in _computed(units, range(len(units)), executor, notes, None):
        for index, outcome in zip(indices, made.outcomes, strict=True):
            outcomes[index] = outcome if quantiles else replace(outcome, quantiles=pd.DataFrame())
            _tell(progress, units, index, len(outcomes), outcome)
    # Put together in the order of the plan, whatever order the executor finished in.
    return Results.from_outcomes(units, [outcomes[i] for i in range(len(units))], notes, more)


def _into(
    units: Sequence[Unit],
    folder: Path,
    executor: Executor | Any | None,
    progress: Callable[[Progress], None] | None,
    more: Mapping[str, object] | None,
) -> Results:
    """Each block goes to disk as it comes; the tables are written from there."""
    store = UnitStore(folder / "units")
    notes: list[str] = []
    with scratch(folder) as own:
        finished = Finished(units, store, own)
        todo = []
        for index, unit in enumerate(units):
            if not store.has(unit):
                todo.append(index)
                continue
            finished.add_stored(index)
            _tell(progress, units, index, len(finished), None)
        for indices, made in _computed(units, todo, executor, notes, own):
            before = len(finished)
            _same_code(made)
            finished.add(indices, made.outcomes, made.files)
            for i, (index, outcome) in enumerate(zip(indices, made.outcomes, strict=True), 1):
                _tell(progress, units, index, before + i, outcome)
        return finished.write(folder, [*notes, *store.notes], more)


def _same_code(made: Made) -> None:
    """Refuse what a worker made of other code: its numbers, and the keys of its rows, are of that.

    Raises
    ------
    BacktestError
    """
    if made.code not in ("", code_digest()):
        raise BacktestError(
            "a worker process runs other code than this one: the package, or a library, was "
            "changed on the disk while the run was going on",
            hint="run again; finished units are kept, and used where the code is the same",
        )


def _tell(
    progress: Callable[[Progress], None] | None,
    units: Sequence[Unit],
    index: int,
    done: int,
    outcome: Outcome | None,
) -> None:
    """Say that a unit is finished; without an outcome, by an earlier run."""
    if progress is not None:
        progress(
            Progress(
                done=done,
                total=len(units),
                label=units[index].label,
                seconds=0.0 if outcome is None else outcome.seconds,
                reused=outcome is None,
                failure="" if outcome is None else outcome.failed,
            )
        )


def _computed(
    units: Sequence[Unit],
    todo: Iterable[int],
    executor: Executor | Any | None,
    notes: list[str],
    space: Path | None,
) -> Iterator[Done]:
    """Indices and outcomes of what is to be done, block by block, as they come."""
    waiting = blocks(units, todo)
    if executor is not None:
        yield from dispatched(units, waiting, executor, notes, space)
        return
    for block in waiting:
        yield block, Made(run_block([units[i] for i in block]))
