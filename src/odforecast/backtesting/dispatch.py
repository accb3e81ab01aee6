"""Blocks of units through an executor, so that the death of a process costs one unit at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import replace
from pathlib import Path
from typing import Any

from odforecast.backtesting.carriers import Carrier, Local, carrier_for
from odforecast.backtesting.outcome import Outcome, reason_of
from odforecast.backtesting.packed import Made
from odforecast.backtesting.unit import Unit, failed_unit
from odforecast.backtesting.workers import NoWorkerError, WorkerDiedError, Workers
from odforecast.errors import BacktestError

#: Blocks in flight per worker: enough to keep it busy, few enough that memory stays flat.
WINDOW = 8

Done = tuple[list[int], Made]


def dispatched(
    units: Sequence[Unit],
    blocks: Iterable[list[int]],
    executor: Executor | Any,
    notes: list[str],
    folder: Path | None = None,
) -> Iterator[Done]:
    """Indices and outcomes of blocks, as they finish.

    - A block whose worker process dies is split: each of its units is run once more, alone, in a
      fresh process, when nothing else is running. A unit that kills that one as well fails with
      the reason. So does a unit that runs out of memory twice.
    - A ``ProcessPoolExecutor`` that breaks cannot be mended, and does not say which block broke
      it: its blocks, and those still waiting, go to as many :class:`Workers` of our own.
    - On a Dask cluster the scheduler sends the blocks of a dead worker to others; a block that
      has killed as many as it allows is split as above.
    - Any other executor that breaks ends the run. So do workers of our own that cannot start:
      others would not either.
    - A block that cannot be sent, or answers with an error of its own, fails with the reason.

    Parameters
    ----------
    units : sequence of Unit
    blocks : iterable of list of int
        Indices of the units that are submitted together.
    executor : concurrent.futures.Executor or dask.distributed.Client
    notes : list of str
        Gets one line on what was run again.
    folder : Path, optional
        Where processes of this machine find the panels; default: the system's own.

    Raises
    ------
    BacktestError
        If an executor that is not made of processes breaks, or no worker process can start.
    """
    waiting = deque(blocks)
    # Per future: its block, and whether the spare workers have it.
    running: dict[Future[Made], tuple[list[int], bool]] = {}
    again: dict[int, Outcome] = {}
    own = carrier_for(executor, folder)
    spare: Local | None = None
    way: Carrier = own
    try:
        while waiting or running:
            while waiting and len(running) < WINDOW * way.workers():
                block = waiting.popleft()
                try:
                    future = way.submit([units[i] for i in block])
                except BrokenExecutor as error:
                    waiting.appendleft(block)
                    way = spare = _spare(executor, error, folder)
                    continue
                running[future] = block, spare is not None
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                block, with_spare = running.pop(future)
                try:
                    made = future.result()
                except WorkerDiedError as died:
                    again |= {i: failed_unit(units[i], str(died)) for i in block}
                except BrokenExecutor as broke:
                    if with_spare or isinstance(broke, NoWorkerError):
                        raise _broke(broke) from broke
                    way = spare = spare or _spare(executor, broke, folder)
                    waiting.appendleft(block)
                except Exception as error:
                    reason = f"could not be run in another process: {reason_of(error)}"
                    yield block, Made([failed_unit(units[i], reason) for i in block])
                else:
                    pairs = list(zip(block, made.outcomes, strict=True))
                    hungry = {i: o for i, o in pairs if own.processes and o.starved}
                    again |= hungry
                    kept = [(i, o) for i, o in pairs if i not in hungry]
                    if kept:
                        outcomes = [o for _, o in kept]
                        yield [i for i, _ in kept], Made(outcomes, made.files, made.code)
        if spare is not None:
            notes.append("the executor broke, as a worker process of it died: the rest was run "
                         "in other processes")  # fmt: skip
        if again:
            for index in sorted(again):
                yield [index], Made([_alone(way, units[index], again[index])])
            many = len(again) > 1
            notes.append(f"{len(again)} unit{'s' if many else ''} whose worker process died or "
                         f"ran out of memory {'were' if many else 'was'} run again, "
                         f"{'each ' if many else ''}alone")  # fmt: skip
    finally:
        for future in running:
            future.cancel()
        if spare is not None:
            spare.executor.shutdown(cancel_futures=True)
            spare.close()
        own.close()


def _alone(way: Carrier, unit: Unit, first: Outcome) -> Outcome:
    """A unit's second and last try."""
    try:
        outcome = way.alone(unit)
    except WorkerDiedError as error:
        reason = str(error)
        twice = f"{reason}, twice" if reason == first.failed else f"{first.failed}, then {reason}"
        return failed_unit(unit, twice)
    except Exception as error:
        return failed_unit(unit, f"could not be run in another process: {reason_of(error)}")
    if outcome.starved:
        rows = outcome.failures.assign(reason=outcome.failures["reason"] + ", twice")
        return replace(outcome, failures=rows)
    return outcome


def _spare(executor: object, error: BaseException, folder: Path | None) -> Local:
    if isinstance(executor, ProcessPoolExecutor):
        return Local(Workers.like(executor), folder)
    raise _broke(error) from error


def _broke(error: BaseException) -> BacktestError:
    return BacktestError(
        f"the executor broke ({error})",
        hint="finished units are kept where an output folder was given: run again to go on",
    )
