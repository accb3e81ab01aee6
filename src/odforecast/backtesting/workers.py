"""Worker processes: each can die without taking another's work along.

``concurrent.futures.ProcessPoolExecutor`` fails everything in flight when one process dies, and
does not say how it died. Here each process has its own pipe and its own thread to look after it:
a death costs the call that the process was at, and the next call gets a fresh process.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.reduction import ForkingPickler
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from odforecast.errors import BacktestError

#: One thread per process: the pool already fills the cores. Spawned workers inherit these.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PR_SET_PDEATHSIG = 1
#: Seconds a worker that was told to end gets before it is killed.
_PATIENCE = 2.0
#: What a worker says first.
_READY = b"ready"

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class WorkerDiedError(BrokenExecutor):
    """A worker process ended in the middle of its work.

    Parameters
    ----------
    exitcode : int or None
        As :attr:`multiprocessing.Process.exitcode` has it: minus the signal, or the exit code.
    """

    def __init__(self, exitcode: int | None) -> None:
        super().__init__(f"worker process died ({_how(exitcode)})")


class NoWorkerError(BrokenExecutor):
    """A worker process ended before it could begin: the work is not at fault."""

    def __init__(self, exitcode: int | None) -> None:
        super().__init__(
            f"a worker process could not be started ({_how(exitcode)}): its initializer failed, or "
            'a script starts workers outside if __name__ == "__main__":'
        )


def _how(exitcode: int | None) -> str:
    if exitcode is None:
        return "how is unknown"
    return f"signal {-exitcode}" if exitcode < 0 else f"exit code {exitcode}"


class Workers(Executor):
    """A pool of processes that outlives the death of any of them.

    Workers are spawned (no state is inherited), ignore Ctrl-C, which is the parent's to answer,
    and end when the parent ends, however that happens.

    Parameters
    ----------
    jobs : int
        Processes; started when there is work for them.
    context : multiprocessing context, optional
        Default: spawn.
    initializer, initargs
        Called in each process before its first work.
    """

    def __init__(
        self,
        jobs: int,
        context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        self._max_workers = max(1, jobs)
        self._context = context or multiprocessing.get_context("spawn")
        self._start = (initializer, initargs)
        self._tasks: SimpleQueue[tuple[Future[Any], Call] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._live: set[_Worker] = set()
        self._closed = False
        _POOLS.add(self)

    @classmethod
    def like(cls, executor: Executor) -> Workers:
        """A pool such as another one, of ``concurrent.futures``, was meant to be."""
        return cls(
            int(getattr(executor, "_max_workers", 1)),
            getattr(executor, "_mp_context", None),
            getattr(executor, "_initializer", None),
            getattr(executor, "_initargs", ()),
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in a worker; its future raises :class:`WorkerDiedError` if that dies."""
        if self._closed:
            raise RuntimeError("cannot submit to workers that were shut down")
        future: Future[Any] = Future()
        self._tasks.put((future, (fn, args, kwargs)))
        if len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._look_after_one, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def alone(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """Run a call now, in a fresh process that does nothing else."""
        worker = self._worker()
        try:
            return worker.run((fn, args, {}))
        finally:
            self._end(worker)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: after their work, or, with ``cancel_futures``, now."""
        self._closed = True
        if cancel_futures:
            with contextlib.suppress(Empty):
                while (task := self._tasks.get_nowait()) is not None:
                    task[0].cancel()
            for worker in list(self._live):
                worker.process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        if wait or cancel_futures:
            for thread in self._threads:
                thread.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        # After an error (Ctrl-C above all) nobody wants to wait for work in progress.
        self.shutdown(cancel_futures=kind is not None)

    def _look_after_one(self) -> None:
        worker: _Worker | None = None
        try:
            while (task := self._tasks.get()) is not None:
                future, call = task
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    worker = worker or self._worker()
                    future.set_result(worker.run(call))
                except BaseException as error:
                    if worker is not None and isinstance(error, BrokenExecutor):
                        self._end(worker)
                        worker = None
                    future.set_exception(error)
                del task, future, call
        finally:
            if worker is not None:
                self._end(worker)

    def _worker(self) -> _Worker:
        worker = _Worker(self._context, *self._start)
        self._live.add(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        worker.end()
        self._live.discard(worker)


#: Pools not yet collected: a process is never left behind at the end of the interpreter.
_POOLS: weakref.WeakSet[Workers] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for pool in list(_POOLS):
        for worker in list(pool._live):
            worker.process.kill()


class _Worker:
    """One process and the pipe to it."""

    def __init__(
        self,
        context: BaseContext,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
    ) -> None:
        self.ready = False
        self.connection, theirs = context.Pipe()
        self.process = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, initializer, initargs)
        )
        with _one_thread():
            self.process.start()
        theirs.close()

    def run(self, call: Call) -> Any:
        data = _packed(call)
        try:
            if not self.ready:
                self.ready = self._heard() == _READY
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
            raise NoWorkerError(self.process.exitcode) from None
        try:
            self.connection.send_bytes(data)
            answer = self._heard()
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
            raise WorkerDiedError(self.process.exitcode) from None
        fine, value = pickle.loads(answer)
        if not fine:
            raise value
        return value

    def _heard(self) -> bytes:
        # A grandchild may keep the pipe open: an end of file is not the only sign of death.
        while not self.connection.poll(1.0):
            if not self.process.is_alive() and not self.connection.poll():
                raise EOFError
        return self.connection.recv_bytes()

    def end(self) -> None:
        self.connection.close()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


#: The environment is one for all threads.
_ENVIRONMENT = threading.Lock()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    with _ENVIRONMENT:
        added = [name for name in _THREADS if name not in os.environ]
        os.environ.update(dict.fromkeys(added, "1"))
        try:
            yield
        finally:
            for name in added:
                os.environ.pop(name, None)


def _serve(
    connection: Connection,
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
) -> None:
    """What a worker does: answer calls until the pipe is closed."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if initializer is not None:
        initializer(*initargs)
    connection.send_bytes(_READY)
    while True:
        try:
            data = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, args, keywords = pickle.loads(data)
            answer = _packed((True, function(*args, **keywords)))
        except BaseException as error:
            answer = _packed_error(error)
        connection.send_bytes(answer)


def _packed(something: object) -> bytes:
    # Not the pickler's own buffer: one that waits for garbage collection cannot be closed.
    return bytes(ForkingPickler.dumps(something))


def _packed_error(error: BaseException) -> bytes:
    """An error as it can be sent: itself, or its text where it does not survive that."""
    if isinstance(error, Exception):
        with contextlib.suppress(Exception):
            packed = _packed((False, error))
            pickle.loads(packed)
            return packed
    return _packed((False, BacktestError(f"{type(error).__name__}: {error}")))


_watched = False


def end_with_parent(at_once: bool = True) -> None:
    """End this process when its parent ends, also where that is killed; does nothing in a parent.

    Parameters
    ----------
    at_once : bool
        Ask the kernel, too, where it is Linux. It takes the end of the parent's *thread* that
        started this process for the parent's, so this is for processes whose thread stays.
    """
    global _watched
    parent = multiprocessing.parent_process()
    if parent is None or _watched:
        return
    _watched = True
    above = os.getppid()
    if at_once and sys.platform == "linux" and above == parent.pid:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        # The portable way: another parent, or the end of the one we know.
        while os.getppid() == above and not wait([parent.sentinel], timeout=1.0):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
