"""How blocks of units get to an executor, and outcomes back: one way per kind of executor."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from odforecast.backtesting.contain import bound_threads
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.packed import Made, made
from odforecast.backtesting.parcels import Parcels, unpacked
from odforecast.backtesting.unit import Unit
from odforecast.backtesting.workers import Workers, end_with_parent
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
