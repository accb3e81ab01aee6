"""Where units run: processes of this machine, any executor, or a Dask cluster."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import io
import logging
import multiprocessing
import os
import pickle
import secrets
import signal
import sys
import tempfile
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures import wait as wait_for
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from time import monotonic
from typing import Any

from odforecast.backtesting.unit import (
    BlockResult,
    Outcome,
    Unit,
    bound_threads,
    code_digest,
    failed_unit,
    reason_of,
    run_block,
    sole,
)
from odforecast.errors import BacktestError
from odforecast.panel import Panel
from odforecast.version import __version__

#: One thread per process: the pool already fills the cores. Spawned workers inherit these.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_PR_SET_PDEATHSIG = 1
#: Seconds a worker that was told to end gets before it is killed.
_PATIENCE = 2.0
#: Bytes of panels, as they travel, that a process keeps. One more is always kept.
BUDGET = 96_000_000
#: Blocks in flight per worker: enough to keep it busy, few enough that memory stays flat.
WINDOW = 8

# -- Processes ------------------------------------------------------------------------------------


class WorkerDiedError(BrokenExecutor):
    """A worker process ended in the middle of its work."""


class NoWorkerError(BrokenExecutor):
    """A worker process ended before it could begin: the work is not at fault."""


# Not pools of concurrent.futures, of one process each: where a process is killed in the middle of
# its answer, such a pool waits for the rest of it without end (Python 3.13).
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
        # A thread looks after each process: one call after another, while that lives.
        self._threads = ThreadPoolExecutor(self._max_workers)
        self._own = threading.local()
        self._live: set[_Worker] = set()
        atexit.register(_kill, self._live)  # no process is left behind

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Run a call in a worker; its future raises :class:`WorkerDiedError` if that dies."""
        return self._threads.submit(self._run, partial(fn, *args, **kwargs))

    def alone(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """Run a call now, in a fresh process that does nothing else."""
        worker = self._begin()
        try:
            return worker.run(partial(fn, *args))
        finally:
            self._end(worker)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers: after their work, or, with ``cancel_futures``, now."""
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures)
        if cancel_futures:
            _kill(self._live)
        if wait or cancel_futures:
            self._threads.shutdown()
            for worker in list(self._live):
                self._end(worker)
        else:  # they end with their work, and nobody waits for that
            threading.Thread(target=self.shutdown, daemon=True).start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an error (Ctrl-C above all) nobody wants to wait for work in progress.
        self.shutdown(cancel_futures=kind is not None)

    def _run(self, call: partial[Any]) -> Any:
        """A call in the process of this thread; another one is begun when that has died."""
        worker = self._own.worker = getattr(self._own, "worker", None) or self._begin()
        try:
            return worker.run(call)
        except BrokenExecutor:
            del self._own.worker
            self._end(worker)
            raise

    def _begin(self) -> _Worker:
        worker = _Worker(self._context, *self._start)
        self._live.add(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        worker.end()
        self._live.discard(worker)


def _kill(live: set[_Worker]) -> None:
    """End processes now."""
    for worker in list(live):
        worker.process.kill()


#: The environment is one for all threads.
_ENVIRONMENT = threading.Lock()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, context: BaseContext, *start: Any) -> None:
        self.ready = False
        self.connection, far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(far_end, *start))  # type: ignore[attr-defined]
        with _ENVIRONMENT:
            added = [name for name in _THREADS if name not in os.environ]
            os.environ.update(dict.fromkeys(added, "1"))
            try:
                self.process.start()
            finally:
                for name in added:
                    os.environ.pop(name, None)
        far_end.close()

    def run(self, call: partial[Any]) -> Any:
        data = _packed(call)
        try:
            if not self.ready:
                self.ready = bool(self._heard())
            self.connection.send_bytes(data)
            answer = self._heard()
        except (EOFError, OSError):
            self.process.join(_PATIENCE)
            code = self.process.exitcode
            cause = "how is unknown"
            if code is not None:
                cause = f"signal {-code}" if code < 0 else f"exit code {code}"
            if self.ready:
                raise WorkerDiedError(f"worker process died ({cause})") from None
            raise NoWorkerError(
                f"a worker process could not be started ({cause}): its initializer failed, or "
                'a script starts workers outside if __name__ == "__main__":'
            ) from None
        succeeded, value = pickle.loads(answer)
        if not succeeded:
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


def _serve(
    connection: Any, initializer: Callable[..., object] | None, arguments: Any
) -> None:
    """What a worker does: answer calls until the pipe is closed."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if initializer is not None:
        initializer(*arguments)
    connection.send_bytes(b"ready")
    while True:
        try:
            data = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            answer = _packed((True, pickle.loads(data)()))
        except BaseException as error:
            answer = _packed_error(error)
        connection.send_bytes(answer)


def _packed(something: object) -> bytes:
    # Not the pickler's own buffer: one that waits for garbage collection cannot be closed.
    return bytes(ForkingPickler.dumps(something))


def _packed_error(error: BaseException) -> bytes:
    """An error as it can be sent: itself, or its text where it does not survive that."""
    with contextlib.suppress(Exception):
        packed = _packed((False, error))
        if isinstance(error, Exception) and pickle.loads(packed):
            return packed
    return _packed((False, BacktestError(f"{type(error).__name__}: {error}")))


_watched = False


def end_with_parent(at_once: bool = True) -> None:
    """End this process when its parent ends, also where that is killed."""
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


# -- Panels, each once ----------------------------------------------------------------------------


class _Packer(ForkingPickler):
    """Pickles units; a panel becomes its key."""

    def __init__(self, file: io.BytesIO, key_of: Callable[[Panel], str]) -> None:
        super().__init__(file, 5)
        self._key_of = key_of
        self.used: dict[str, None] = {}

    def persistent_id(self, obj: Any) -> str | None:
        if not isinstance(obj, Panel):
            return None
        key = self._key_of(obj)
        self.used[key] = None
        return key


#: Panels this process has read, and their bytes: the latest used, as many as the budget allows.
_HELD: OrderedDict[str, tuple[Panel, int]] = OrderedDict()
_HOLDING = threading.Lock()


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: bytes, places: Mapping[str, str | bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._places = places

    def persistent_load(self, key: str) -> Panel:
        with _HOLDING:
            if key not in _HELD:
                data = _bytes_of(key, self._places[key])
                _HELD[key] = pickle.loads(data), len(data)
                while len(_HELD) > 1 and sum(n for _, n in _HELD.values()) > BUDGET:
                    _HELD.popitem(last=False)
            _HELD.move_to_end(key)
            return _HELD[key][0]


def unpacked(data: bytes, places: Mapping[str, str | bytes]) -> list[Unit]:
    """Units out of bytes that :meth:`Way.pack` made."""
    units: list[Unit] = _Unpacker(data, places).load()
    return units


def _bytes_of(key: str, place: str | bytes) -> bytes:
    try:
        data = Path(place).read_bytes() if isinstance(place, str) else place
    except OSError as error:
        raise BacktestError(f"a panel was sent and is gone: {error}") from error
    if hashlib.sha256(data).hexdigest() != key:
        raise BacktestError("a panel is not what was sent: its checksum differs")
    return data


# -- Ways to an executor --------------------------------------------------------------------------


class Way:
    """Takes blocks of units to any executor."""

    #: Whether units run in other processes, one at a time in each: what dies or starves there is
    #: run again.
    processes = False

    def __init__(
        self, executor: Any, put: Callable[[str, bytes], Any] | None = None
    ) -> None:
        self.executor = executor
        self._put = put
        #: By its id, which is a panel's own only while that lives: the panel, and its key.
        self._known: dict[int, tuple[Panel, str]] = {}
        #: Where each panel is, and bytes that were sent so far.
        self.places: dict[str, Any] = {}
        self.sent = 0

    def workers(self) -> int:
        """Units that can run at the same time, now; 4 where the executor does not say."""
        return int(getattr(self.executor, "_max_workers", 4))

    def _call(self, units: Sequence[Unit]) -> tuple[Any, ...]:
        """A function that runs the units where they are, and its arguments."""
        return _run, list(units)

    def submit(self, units: Sequence[Unit]) -> Future[BlockResult]:
        """Run a block."""
        future: Future[BlockResult] = self.executor.submit(*self._call(units))
        return future

    def result(self, future: Future[BlockResult]) -> BlockResult:
        """The outcome of a block."""
        return future.result()

    def pack(self, units: Sequence[Unit]) -> tuple[bytes, dict[str, Any]]:
        """Units as bytes, and where the panels are that they refer to."""
        buffer = io.BytesIO()
        packer = _Packer(buffer, self._key)
        packer.dump(list(units))
        data = buffer.getvalue()
        self.sent += len(data)
        return data, {key: self.places[key] for key in packer.used}

    def _key(self, panel: Panel) -> str:
        assert self._put is not None
        if id(panel) not in self._known:
            data = pickle.dumps(panel, protocol=5)
            key = hashlib.sha256(data).hexdigest()
            if key not in self.places:
                self.places[key] = self._put(key, data)
                self.sent += len(data)
            self._known[id(panel)] = panel, key
        return self._known[id(panel)][1]

    def forget(self) -> None:
        """What was put is lost: it is put again where it is needed."""
        self.places.clear()
        self._known.clear()

    def close(self, running: Iterable[Future[BlockResult]] = ()) -> None:
        """Call off what is still under way, and remove what was put for the processes to read."""
        for future in running:
            future.cancel()


class Local(Way):
    """Processes of this machine: panels are in a folder, and each process reads them once."""

    processes = True

    def __init__(
        self, executor: Workers | ProcessPoolExecutor, folder: Path | None = None
    ) -> None:
        self._own = None
        if isinstance(executor, ProcessPoolExecutor):
            # One process that dies would take all others with it: these are as those, and do not.
            names = ("_max_workers", "_mp_context", "_initializer", "_initargs")
            self._own = executor = Workers(*(getattr(executor, name) for name in names))
        super().__init__(executor, self._write)
        self._folder = tempfile.TemporaryDirectory(
            prefix="odforecast-",
            dir=folder,
            ignore_cleanup_errors=True,
        )

    def _call(self, units: Sequence[Unit]) -> tuple[Any, ...]:
        return _run_sent, *self.pack(units)

    def alone(self, unit: Unit) -> BlockResult:
        """Run a unit now, in a process that does nothing else."""
        made: BlockResult = self.executor.alone(*self._call([unit]))
        return made

    def _write(self, key: str, data: bytes) -> str:
        path = Path(self._folder.name) / key
        path.write_bytes(data)
        return str(path)

    def close(self, running: Iterable[Future[BlockResult]] = ()) -> None:
        """Call off what is still under way, and remove the folder."""
        super().close(running)
        if self._own is not None:
            self._own.shutdown(cancel_futures=True)
        self._folder.cleanup()


def _run(units: list[Unit]) -> BlockResult:
    end_with_parent(at_once=False)
    return run_block(units)


def _run_sent(data: bytes, places: dict[str, str]) -> BlockResult:
    bound_threads()
    return _run(unpacked(data, places))


def way_to(executor: Any, folder: Path | None = None) -> Way:
    """The way to an executor; panels for processes of this machine are in the folder."""
    # Dask is recognised by what its client does, and so never imported where there is none.
    client = getattr(executor, "_client", executor)
    if all(
        hasattr(client, name) for name in ("scatter", "submit", "nthreads", "scheduler")
    ):
        if getattr(client, "asynchronous", False):
            raise BacktestError(
                "the Dask client is asynchronous, and a backtest waits for its units",
                hint="make it with asynchronous=False",
            )
        return Cluster(client)
    if isinstance(executor, Workers | ProcessPoolExecutor):
        return Local(executor, folder)
    if isinstance(executor, Executor):
        return Way(executor)
    raise BacktestError(
        f"executor is a {type(executor).__name__}, not an executor",
        hint="give Workers(jobs), an executor of concurrent.futures, or a Dask client",
    )


def dispatched(
    units: Sequence[Unit],
    blocks: Iterable[list[int]],
    executor: Any,
    notes: list[str],
    folder: Path | None = None,
) -> Iterator[tuple[list[int], BlockResult]]:
    """Indices and outcomes of blocks, as they finish."""
    waiting = deque(blocks)
    running: dict[Future[BlockResult], list[int]] = {}
    retried: dict[int, Outcome] = {}
    losses: Counter[int] = Counter()
    way = way_to(executor, folder)
    try:
        while waiting or running:
            while waiting and len(running) < WINDOW * way.workers():
                block = waiting.popleft()
                try:
                    running[way.submit([units[i] for i in block])] = block
                except BrokenExecutor:
                    raise
                except Exception as error:
                    yield block, _unsendable([units[i] for i in block], error)
            for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                block = running.pop(future)
                try:
                    answer = way.result(future)
                except WorkerDiedError as died:
                    retried |= {i: failed_unit(units[i], str(died)) for i in block}
                except CancelledError as lost:
                    losses[block[0]] += 1
                    if losses[block[0]] > _LOST:
                        raise BrokenExecutor(
                            f"Dask gave a block back: {lost}"
                        ) from lost
                    way.forget()
                    waiting.appendleft(block)
                except BrokenExecutor:
                    raise
                except Exception as error:
                    yield block, _unsendable([units[i] for i in block], error)
                else:
                    pairs = list(zip(block, answer.outcomes, strict=True))
                    starved = {i: o for i, o in pairs if way.processes and o.starved}
                    retried |= starved
                    if finished := [(i, o) for i, o in pairs if i not in starved]:
                        yield (
                            [i for i, _ in finished],
                            replace(answer, outcomes=[o for _, o in finished]),
                        )
        if retried:
            for index in sorted(retried):
                yield [index], _alone(way, units[index], first=retried[index])
            several = len(retried) > 1
            notes.append(
                f"{len(retried)} unit{'s' if several else ''} whose worker process died or "
                f"ran out of memory {'were' if several else 'was'} run again, "
                f"{'each ' if several else ''}alone"
            )
    except BrokenExecutor as error:
        raise BacktestError(
            f"the executor broke ({error})",
            hint="finished units are kept where an output folder was given: run again to go on",
        ) from error
    finally:
        way.close(running)


def _alone(way: Any, unit: Unit, first: Outcome) -> BlockResult:
    """A unit's second and last try."""
    try:
        answer: BlockResult = way.alone(unit)
    except WorkerDiedError as error:
        reason = str(error)
        text = (
            f"{reason}, twice"
            if reason == first.failed
            else f"{first.failed}, then {reason}"
        )
        return BlockResult([failed_unit(unit, text)])
    except Exception as error:
        return _unsendable([unit], error)
    (outcome,) = answer.outcomes
    if outcome.starved:
        detail = str(outcome.failures["detail"].iloc[0])
        details = (
            f"{outcome.failed}, twice",
            outcome.seconds,
            outcome.warnings,
            detail,
        )
        return BlockResult([failed_unit(unit, *details)])
    return answer


def _unsendable(units: Sequence[Unit], error: Exception) -> BlockResult:
    reason = f"could not be run in another process: {reason_of(error)}"
    return BlockResult([failed_unit(unit, reason) for unit in units])


# -- A Dask cluster, imported only where somebody has a client, or asks for one -------------------

#: Times a block is sent again whose panels were lost with the workers that held them.
_LOST = 5
#: Seconds for which the number of workers is believed.
_FRESH = 5.0
#: Seconds a scheduler gets to answer, and the first worker to join.
_ANSWERING = 15
_JOINING = 300
#: Why a cluster is refused is one of its versions.
_SAME = "install the same versions everywhere; see the guide on clusters"


class OtherCodeError(BrokenExecutor):
    """A worker that joined on the way runs other code: nothing it says can be used."""


class Cluster(Way):
    """A Dask client as a way for units: panels are scattered once, blocks refer to them."""

    processes = True

    def __init__(self, client: Any) -> None:
        super().__init__(None, self._scatter)
        self._client = client
        self._counted = (0, -_FRESH)
        self._many = max(1, len(client.nthreads()))
        if not client.nthreads():
            try:
                client.wait_for_workers(1, timeout=_JOINING)
            except TimeoutError as error:
                raise BacktestError(
                    f"the Dask cluster has no worker after {_JOINING} s",
                    hint="start some: dask worker tcp://HOST:8786 --nworkers auto --nthreads 1",
                ) from error
        _check_versions(client)
        self.executor = client.get_executor(pure=False)

    def workers(self) -> int:
        """Worker processes there are, asked anew every few seconds: some may join, or leave."""
        n, when = self._counted
        if monotonic() - when > _FRESH and self._client.status == "running":
            n = len(self._client.nthreads())
            self._counted = n, monotonic()
        return max(1, n)

    def _call(self, units: Sequence[Unit]) -> tuple[Any, ...]:
        if self._client.status != "running":
            raise BrokenExecutor(f"the Dask client is {self._client.status}")
        return _run_on_worker, *self.pack(units), code_digest()

    def _scatter(self, key: str, data: bytes) -> Any:
        # Every worker gets it now, so that none has to ask another in the middle of its work. Under
        # a name of its own: that of an earlier run may just be on its way to be forgotten.
        name = f"panel-{key[:16]}-{secrets.token_hex(4)}"
        return self._client.scatter({name: data}, broadcast=True)[name]

    def result(self, future: Future[BlockResult]) -> BlockResult:
        """The outcome of a block."""
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise WorkerDiedError(
                f"worker process died (KilledWorker: {error.allowed_failures + 1} of the cluster, "
                "one after another)"
            ) from error

    def alone(self, unit: Unit) -> BlockResult:
        """Run a unit while nothing else is running."""
        for _ in range(_LOST):
            self.forget()
            with contextlib.suppress(TimeoutError):
                self._client.wait_for_workers(self._many, timeout=_ANSWERING)
            with contextlib.suppress(CancelledError):
                return self.result(self.submit([unit]))
        return self.result(self.submit([unit]))

    def forget(self) -> None:
        """What was put is lost: from now on panels are in what is sent."""
        # Where a worker has just died, sending them to all workers may never end.
        super().forget()
        self._put = lambda _, data: data

    def close(self, running: Iterable[Future[BlockResult]] = ()) -> None:  # noqa: ARG002
        """Call off what is still under way, and give the panels back."""
        with contextlib.suppress(Exception):  # of a scheduler that is gone
            self.executor.shutdown(wait=False)
        self.forget()


def _run_on_worker(data: bytes, panels: dict[str, bytes], digest: str) -> BlockResult:
    """What a worker does with a block."""
    if digest != code_digest():
        raise OtherCodeError(f"a worker runs other code than the client: {_who()[1]}")
    with sole():
        bound_threads()
        return run_block(unpacked(data, panels))


def _who() -> tuple[str, str]:
    return code_digest(), f"odforecast {__version__} on Python {sys.version.split()[0]}"


def _check_versions(client: Any) -> None:
    """Refuse a cluster whose workers run other code: their numbers might differ."""
    try:
        answers: dict[str, tuple[str, str]] = client.run(_who)
    except Exception as error:  # whatever the import raised there
        raise BacktestError(
            f"odforecast cannot be used on the cluster's workers: {type(error).__name__}: {error}",
            hint=_SAME,
        ) from error
    digest, own_text = _who()
    for address, (their_digest, their_text) in answers.items():
        if their_digest != digest:
            raise BacktestError(
                f"worker {address} runs other code than this process: {their_text}, "
                f"{own_text} here, or another version of a numerical library",
                hint=_SAME,
            )


@contextlib.contextmanager
def connected(address: str, jobs: int = 1) -> Iterator[Any]:
    """A client of a scheduler, or of a cluster of this machine made for it."""
    try:
        import distributed
    except ImportError as error:
        raise BacktestError(
            "Dask is not installed", hint="pip install 'odforecast[cluster]'"
        ) from error
    dask: Any = distributed
    with contextlib.ExitStack() as stack:
        target = address
        if address == "local":
            target = stack.enter_context(
                dask.LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=":0",
                    env={"NUMBA_NUM_THREADS": "1"},
                    # What a worker that dies costs, the run itself says.
                    silence_logs=logging.CRITICAL,
                    preload=[__name__],
                )
            )
        try:
            client = stack.enter_context(dask.Client(target, timeout=_ANSWERING))
        except (OSError, ValueError, TimeoutError) as error:
            raise BacktestError(
                f"no Dask scheduler answers at {address}: {error}",
                hint="start one: dask scheduler; then give its address, tcp://HOST:8786",
            ) from error
        try:
            yield client
        except KeyboardInterrupt:
            # Of what ends in disorder now, everything was asked for: Dask says nothing more.
            for name in ("distributed", *logging.Logger.manager.loggerDict):
                if name.partition(".")[0] == "distributed":
                    logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            raise


def dask_setup(worker: object) -> None:  # noqa: ARG001
    """What Dask calls in each worker of this machine's own cluster: Ctrl-C is not theirs."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
