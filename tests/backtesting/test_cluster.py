"""A Dask cluster: the same numbers, and a worker that is killed costs nothing."""

import logging
import os
import signal
import sys
from concurrent.futures import BrokenExecutor
from functools import partial

import pandas as pd
import pytest
import toys
from toys import same

from odforecast.backtesting import backtest, plan, run_units, workers
from odforecast.backtesting.workers import Cluster, OtherCodeError, connected
from odforecast.errors import BacktestError

SPAN = ("2021-01", "2021-12", 1)
OPTIONS = {"draws": 20, "progress": False}


@pytest.fixture(scope="module")
def two():
    """A scheduler, and two processes; a block may kill one of them before it is split."""
    # First, or leaving the block takes its settings away again.
    import distributed  # noqa: F401
    import dask.config  # isort: skip

    # Dask drops spare copies of data every few seconds: perhaps before a test counts them.
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.scheduler.active-memory-manager.start": False,
    }
    with dask.config.set(settings), connected("local", 2) as client:
        yield client


@pytest.fixture
def client(two):
    """The same, once whoever an earlier test killed has been replaced."""
    try:
        two.wait_for_workers(2, timeout=60)
    except TimeoutError:
        # On a busy machine Dask sometimes gives up a killed process: another one is asked for.
        two.cluster.scale(len(two.cluster.worker_spec) + 1)
        two.wait_for_workers(2, timeout=240)
    return two


@pytest.mark.slow
def test_equal_bit_for_bit_and_panels_go_once(truth, found, client, tmp_path):
    models = [toys.model(toys.seeds_the_world, "world"), toys.by_state, "naive"]
    run = partial(backtest, models, found, truth=truth, **OPTIONS)
    serial = run()
    same(run(executor=client), serial)
    same(run(executor=client.get_executor(), out=tmp_path), serial)
    # Eight panels and the truth, on each of the two workers; a second block sends none again.
    units = plan(models, found, truth, draws=20)
    way = Cluster(client)
    way.submit(units[:8]).result()
    once = way.sent
    way.submit(units[:8]).result()
    assert way.sent - once < once / 20
    names = {future.key for future in way.places.values()}
    held = client.run(lambda dask_worker: set(dask_worker.data))
    assert len(names) == 9
    assert all(names <= keys for keys in held.values())
    way.close()


@pytest.mark.slow
def test_ctrl_c_is_not_the_workers_and_ends_without_a_word(client):
    ignored = client.run(lambda: signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
    assert set(ignored.values()) == {True}
    names = ["distributed", *(n for n in logging.root.manager.loggerDict if "distributed." in n)]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        with pytest.raises(KeyboardInterrupt), connected(client.scheduler.address):
            raise KeyboardInterrupt
        for name in ("distributed", "distributed.client", "distributed.scheduler"):
            assert not logging.getLogger(name).isEnabledFor(logging.CRITICAL)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@pytest.mark.slow
def test_a_run_that_is_stopped_calls_its_blocks_off_in_silence(truth, found, client, caplog):
    units = plan([toys.model(toys.dawdles, n) for n in "abcd"], found, truth, draws=20)

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_units(units, executor=client, progress=stop)
    same(run_units(units[:4], executor=client), run_units(units[:4]))
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


# Those that kill workers come last: the cluster is long in replacing them.


@pytest.mark.slow
@pytest.mark.parametrize("many", [1, 2])
def test_workers_killed_on_the_way(truth, found, client, many, tmp_path):
    """With both, the panels are lost as well, and scattered again."""
    pids = list(client.run(os.getpid).values())[:many]
    units = plan([toys.model(toys.dawdles, name) for name in "abcd"], found, truth, draws=20)

    def kill(step):
        if step.done > 8:
            while pids:
                os.kill(pids.pop(), signal.SIGKILL)

    results = run_units(units, out=tmp_path, executor=client, progress=kill)
    assert not pids
    assert results.failures.empty
    same(results, run_units(units))


@pytest.mark.slow
def test_a_unit_that_kills_its_workers_fails_alone_with_the_reason(truth, found, client):
    models = [toys.model(name="good"), toys.model(toys.dies_in_march, "march")]
    with pytest.warns(UserWarning, match="run again, each alone"):
        results = backtest(models, found[:4], truth=truth, executor=client, **OPTIONS)
    why = "worker process died (KilledWorker: 1 of the cluster, one after another), twice"
    assert results.failures["reason"].tolist() == [why]
    assert results.failures["last_month"].tolist() == [pd.Timestamp("2021-03")]
    assert len(results.scores) == 7 * 2 * 12


@pytest.mark.slow
def test_a_cluster_that_is_gone_ends_the_run(truth, found):
    units = plan([toys.model(toys.dawdles, n) for n in "abcd"], found, truth, draws=20)
    with connected("local", 1) as client, pytest.raises(BacktestError, match="executor broke"):
        run_units(units, executor=client, progress=lambda _: client.close())


class Client:
    """What is asked of a client before any work; ``says`` is what its workers run."""

    status = "running"
    scheduler = None

    def __init__(self, says):
        self.says = says

    def nthreads(self):
        return {"tcp://other:1": 1}

    def run(self, _):
        if isinstance(self.says, Exception):
            raise self.says
        return {"tcp://other:1": self.says}

    def scatter(self):
        raise AssertionError

    submit = scatter

    def get_executor(self, **_):
        return self


def with_(client, **attributes):
    vars(client).update(attributes)
    return client


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        (lambda: Client(("0" * 16, "odforecast 0.0.1 on Python 3.12.0")),
         "worker tcp://other:1 runs other code.*same versions everywhere"),
        (lambda: Client(ModuleNotFoundError("No module named 'odforecast'")),
         "cannot be used on the cluster's.*same versions everywhere"),
        (lambda: with_(Client(workers._who()), asynchronous=True), "is asynchronous"),
        (lambda: with_(Client(None), nthreads=dict,
                       wait_for_workers=lambda n, timeout: toys.raising(TimeoutError(n, timeout))),
         r"has no worker.*dask worker"),
        (lambda: 4, "executor is a int, not an executor; give Workers"),
    ],
)  # fmt: skip
def test_what_is_refused_before_any_work(truth, found, executor, words):
    with pytest.raises(BacktestError, match=words):
        backtest(["naive"], found, truth=truth, executor=executor(), **OPTIONS)


def test_a_worker_that_joins_later_is_checked_too():
    with pytest.raises(OtherCodeError, match="runs other code than the client"):
        workers._run_on_worker(b"", {}, "0" * 16)


def test_a_client_that_was_closed(truth, found):
    client = with_(Client(workers._who()), status="closed")
    way = Cluster(client)
    client.nthreads = None
    assert way.workers() == 1  # a closed client cannot be asked: it has no scheduler
    with pytest.raises(BrokenExecutor, match="client is closed"):
        way.submit(plan(["naive"], found, truth, draws=20)[:1])


@pytest.mark.parametrize(
    ("where", "words"),
    [
        pytest.param("tcp://127.0.0.1:9", r"no Dask scheduler answers at tcp://127\.0\.0\.1:9",
                     marks=pytest.mark.slow),
        ("local", r"not installed; pip install 'odforecast\[cluster\]'"),
    ],
)  # fmt: skip
def test_no_scheduler_answers_and_dask_that_is_not_installed(monkeypatch, where, words):
    monkeypatch.setattr(workers, "_ANSWERING", 0.5)
    if where == "local":
        monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BacktestError, match=words), connected(where):
        pass
