"""Units on a Dask cluster. Dask is imported only where somebody has a client, or asks for one."""

from __future__ import annotations

import contextlib
import logging
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from time import monotonic
from typing import Any

from odforecast.backtesting.contain import bound_threads, sole
from odforecast.backtesting.packed import Made, Parcels, made, unpacked
from odforecast.backtesting.unit import Outcome, Unit, code_digest
from odforecast.backtesting.workers import WorkerDiedError
from odforecast.errors import BacktestError
from odforecast.version import __version__

#: Times a block is sent again whose panels were lost with the workers that held them.
_LOST = 5
#: Seconds for which the number of workers is believed.
_FRESH = 5.0
#: Seconds a scheduler gets to answer.
_PATIENCE = 15
#: Seconds the first worker gets to join.
_JOINING = 300


class OtherCodeError(BrokenExecutor):
    """A worker that joined on the way runs other code: nothing it says can be used."""


class KilledError(WorkerDiedError):
    """A block whose workers died, as often as the scheduler allows."""

    def __init__(self, times: int) -> None:
        BrokenExecutor.__init__(
            self, f"worker process died (KilledWorker: {times} of the cluster, one after another)"
        )


class Cluster:
    """A Dask client as a way for units: panels are scattered once, blocks refer to them.

    A worker that dies costs nothing: the scheduler sends its blocks to others, and panels that
    were lost with it are scattered again. A block that kills its worker more often than the
    scheduler allows (``distributed.scheduler.allowed-failures``) comes back as
    :class:`KilledError`. In each worker process one unit runs at a time, however many threads
    it has.

    Parameters
    ----------
    client : dask.distributed.Client
    packed : bool
        Whether blocks come back packed: they are to be written down.

    Raises
    ------
    BacktestError
        If a worker runs another version.
    """

    processes = True

    def __init__(self, client: Any, packed: bool = False) -> None:
        self._client, self._packed = client, packed
        self._parcels: Parcels[Any] = Parcels(self._put)
        #: The parcels are of two threads: that which submits, and that which hears of losses.
        self._packing = threading.Lock()
        self._running: set[Any] = set()
        self._counted = (0, -_FRESH)
        self._closed = False
        if not client.nthreads():
            _wait_for_workers(client)
        check_versions(client)

    @property
    def sent(self) -> int:
        """Bytes handed over so far, each panel once."""
        return self._parcels.sent

    def workers(self) -> int:
        """Worker processes there are, asked anew every few seconds: some may join, or leave."""
        n, when = self._counted
        if monotonic() - when > _FRESH:
            n = len(self._client.nthreads())
            self._counted = n, monotonic()
        return max(1, n)

    def submit(self, units: Sequence[Unit]) -> Future[Made]:
        """Run a block on one of the workers."""
        return self._sent(units, self._packed)

    def _sent(self, units: Sequence[Unit], packed: bool) -> Future[Made]:
        answer: Future[Made] = Future()
        # Nobody but the cluster calls it off: its last word finds an answer that takes it.
        answer.set_running_or_notify_cancel()
        try:
            self._send(list(units), answer, _LOST, packed)
        except BrokenExecutor:
            raise
        except Exception as error:
            answer.set_exception(error)
        return answer

    def alone(self, unit: Unit) -> Outcome:
        """Run a unit while nothing else is running."""
        return self._sent([unit], False).result().outcomes[0]

    def close(self) -> None:
        """Give the panels back, and call off what is still under way."""
        self._closed = True
        if self._running:
            with contextlib.suppress(Exception):  # of a scheduler that is gone
                self._client.cancel(list(self._running))
        self._parcels.places.clear()

    def _put(self, key: str, data: bytes) -> Any:
        # Every worker gets it now, so that none has to ask another in the middle of its work. Under
        # a name of its own: that of an earlier run may just be on its way to be forgotten.
        name = f"panel-{key[:16]}-{secrets.token_hex(4)}"
        return self._client.scatter({name: data}, broadcast=True)[name]

    def _send(self, units: list[Unit], answer: Future[Made], left: int, packed: bool) -> None:
        if self._client.status != "running":
            raise BrokenExecutor(f"the Dask client is {self._client.status}")
        with self._packing:
            again = left < _LOST
            parcel = (self._parcels.put_again if again else self._parcels.packed)(units)
        theirs = self._client.submit(_run_on_worker, *parcel, code_digest(), packed, pure=False)
        self._running.add(theirs)

        def done(future: Any) -> None:
            self._running.discard(future)
            try:
                result = self._result(future)
            except CancelledError as error:
                # Not by us: the panels it needs, or the scheduler, are gone.
                try:
                    if self._closed or not left:
                        raise BrokenExecutor(f"Dask gave a block back: {error}") from error
                    self._send(units, answer, left - 1, packed)
                except Exception as broken:
                    answer.set_exception(broken)
            except BaseException as error:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        theirs.add_done_callback(done)

    def _result(self, future: Any) -> Made:
        from distributed.scheduler import KilledWorker

        try:
            result: Made = future.result()
        except KilledWorker as error:
            raise KilledError(error.allowed_failures + 1) from error
        return result


def _run_on_worker(
    data: bytes, panels: dict[str, bytes], digest: str, packed: bool = False
) -> Made:
    """What a worker does with a block."""
    if digest != code_digest():
        raise OtherCodeError(f"a worker runs other code than the client: {_versions()}")
    with sole():
        bound_threads()
        return made(unpacked(data, panels), packed)


def _wait_for_workers(client: Any) -> None:
    try:
        client.wait_for_workers(1, timeout=_JOINING)
    except TimeoutError as error:
        raise BacktestError(
            f"the Dask cluster has no worker, {_JOINING} s long",
            hint="start some: dask worker tcp://HOST:8786 --nworkers auto --nthreads 1",
        ) from error


def _versions() -> str:
    import sys

    return f"odforecast {__version__} on Python {sys.version.split()[0]}"


def _who() -> tuple[str, str]:
    return code_digest(), _versions()


def check_versions(client: Any) -> None:
    """Refuse a cluster whose workers run other code: their numbers might differ.

    Parameters
    ----------
    client : dask.distributed.Client

    Raises
    ------
    BacktestError
        If odforecast is missing on a worker, or it, or a numerical library, is another there.
    """
    hint = "install the same versions everywhere; see the guide on clusters"
    try:
        found: dict[str, tuple[str, str]] = client.run(_who)
    except Exception as error:  # whatever the import raised there
        raise BacktestError(
            f"odforecast cannot be used on the cluster's workers: {type(error).__name__}: {error}",
            hint=hint,
        ) from error
    digest, here = _who()
    for address, (theirs, what) in found.items():
        if theirs != digest:
            raise BacktestError(
                f"worker {address} runs other code than this process: {what}, {here} here, "
                "or another version of a numerical library",
                hint=hint,
            )


@contextlib.contextmanager
def connected(address: str, jobs: int = 1) -> Iterator[Any]:
    """A client of a scheduler, or of a cluster of this machine made for it.

    Parameters
    ----------
    address : str
        ``"tcp://host:8786"``, or ``"local"``: as many worker processes as ``jobs``, one thread
        each, which end with the block.
    jobs : int

    Yields
    ------
    dask.distributed.Client

    Raises
    ------
    BacktestError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise BacktestError(
            "Dask is not installed", hint="pip install 'odforecast[cluster]'"
        ) from error
    dask: Any = distributed
    with contextlib.ExitStack() as stack:
        where = address
        if address == "local":
            where = stack.enter_context(
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
            client = stack.enter_context(dask.Client(where, timeout=_PATIENCE))
        except (OSError, ValueError, TimeoutError) as error:
            raise BacktestError(
                f"no Dask scheduler answers at {address}: {error}",
                hint="start one: dask scheduler; then give its address, tcp://HOST:8786",
            ) from error
        try:
            yield client
        except KeyboardInterrupt:
            _hush()  # of what ends in disorder now, everything was asked for
            raise


def dask_setup(worker: object) -> None:  # noqa: ARG001
    """What Dask calls in each worker of this machine's own cluster: Ctrl-C is not theirs."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _hush() -> None:
    """Say nothing more of what Dask sees break."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("distributed."):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
