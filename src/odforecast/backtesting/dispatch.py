"""Blocks of units through an executor, so that the death of a process costs one unit at most."""

from __future__ import annotations

import tempfile
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
from typing import Any, Protocol

from odforecast.backtesting.contain import bound_threads
from odforecast.backtesting.packed import Made, Parcels, made, unpacked
from odforecast.backtesting.unit import Outcome, Unit, failed_unit, reason_of
from odforecast.backtesting.workers import NoWorkerError, WorkerDiedError, Workers, end_with_parent
from odforecast.errors import BacktestError

Answer = Future[Made]


class Carrier(Protocol):
    """Takes blocks of units to where they are run.

    Attributes
    ----------
    processes : bool
        Whether units run in other processes, one at a time in each: what dies or starves there
        is run again.
    sent : int
        Bytes handed over so far, panels included; 0 where nothing is packed.
    """

    processes: bool

    @property
    def sent(self) -> int:
        """Bytes handed over so far."""
        ...

    def workers(self) -> int:
        """Units that can run at the same time, now."""
        ...

    def submit(self, units: Sequence[Unit]) -> Answer:
        """Run a block; an error in packing it is the future's.

        Raises
        ------
        BrokenExecutor
            If the executor takes nothing any more.
        """
        ...

    def alone(self, unit: Unit) -> Outcome:
        """Run a unit now, in a process that does nothing else."""
        ...

    def close(self) -> None:
        """Remove what was put for the processes to read."""
        ...


def carrier_for(executor: Any, folder: Path | None = None) -> Carrier:
    """The way to an executor.

    Parameters
    ----------
    executor : concurrent.futures.Executor or dask.distributed.Client
    folder : Path, optional
        Where parcels are put for processes of this machine; default: the system's own. With a
        folder, what comes back from other processes is packed: it is to be written down.

    Raises
    ------
    BacktestError
        If it is neither.
    """
    # Dask is recognised by what its client does, and so never imported where there is none.
    client = getattr(executor, "_client", executor)
    if all(hasattr(client, name) for name in ("scatter", "submit", "nthreads", "scheduler")):
        from odforecast.backtesting.cluster import Cluster

        if getattr(client, "asynchronous", False):
            raise BacktestError(
                "the Dask client is asynchronous, and a backtest waits for its units",
                hint="make it with asynchronous=False",
            )
        return Cluster(client, packed=folder is not None)
    if isinstance(executor, Workers | ProcessPoolExecutor):
        return Local(executor, folder)
    if isinstance(executor, Executor):
        return Plain(executor)
    raise BacktestError(
        f"executor is a {type(executor).__name__}, no executor",
        hint="give Workers(jobs), an executor of concurrent.futures, or a Dask client",
    )


class Plain:
    """Any executor: units go as they are, for it may be threads of this process."""

    processes = False
    sent = 0

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def workers(self) -> int:
        """Threads, or whatever it counts in; 4 where it does not say."""
        return int(getattr(self._executor, "_max_workers", 4))

    def submit(self, units: Sequence[Unit]) -> Answer:
        """Run a block."""
        return self._executor.submit(_run, list(units))

    def alone(self, unit: Unit) -> Outcome:
        """Run a unit in a fresh process."""
        with Workers(1) as workers:
            answer: Made = workers.alone(_run, [unit])
        return answer.outcomes[0]

    def close(self) -> None:
        """Nothing is left to remove."""


class Local:
    """Processes of this machine: panels lie in a folder, and each reads them once."""

    processes = True

    def __init__(self, executor: Workers | ProcessPoolExecutor, folder: Path | None = None) -> None:
        self.executor = executor
        self._folder = tempfile.TemporaryDirectory(
            prefix="odforecast-", dir=folder, ignore_cleanup_errors=True
        )
        self._parcels: Parcels[str] = Parcels(self._put)
        self._packed = folder is not None

    @property
    def sent(self) -> int:
        """Bytes handed over so far."""
        return self._parcels.sent

    def workers(self) -> int:
        """Processes."""
        return int(getattr(self.executor, "_max_workers", 4))

    def submit(self, units: Sequence[Unit]) -> Answer:
        """Run a block in one of the processes."""
        try:
            data, places = self._parcels.packed(units)
        except Exception as error:
            unpackable: Answer = Future()
            unpackable.set_exception(error)
            return unpackable
        return self.executor.submit(_run_packed, data, places, self._packed)

    def alone(self, unit: Unit) -> Outcome:
        """Run a unit in a fresh process."""
        data, places = self._parcels.packed([unit])
        ours = self.executor if isinstance(self.executor, Workers) else Workers.like(self.executor)
        answer: Made = ours.alone(_run_packed, data, places)
        return answer.outcomes[0]

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def _put(self, key: str, data: bytes) -> str:
        path = Path(self._folder.name) / key
        path.write_bytes(data)
        return str(path)


def _run(units: list[Unit]) -> Made:
    end_with_parent(at_once=False)
    return made(units, packed=False)


def _run_packed(data: bytes, places: dict[str, str], packed: bool = False) -> Made:
    end_with_parent(at_once=False)
    bound_threads()
    return made(unpacked(data, places), packed)


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
