"""Dead workers: a block is split, a unit tried again alone; panels travel once."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from concurrent import futures
from dataclasses import replace
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toys
from toys import same_rows as same

import odforecast as od
from odforecast.backtesting import Workers, backtest, cuts, plan, run_unit, run_units, workers
from odforecast.backtesting.unit import bound_threads, contained, sole
from odforecast.backtesting.workers import Local, Way, WorkerDiedError, unpacked
from odforecast.errors import BacktestError

OPTIONS = {"draws": 20, "progress": False}
AGAIN = "run again, (each )?alone"


def wait_while(so):
    limit = time.monotonic() + 30
    while so() and time.monotonic() < limit:
        time.sleep(0.05)


#: Models, the units that are tried again, and why the one of March fails then.
DEATHS = {
    "second": (lambda _: toys.dies_second, "2 units", ""),
    "march": (lambda _: toys.dies_in_march, "2 units", "worker process died (signal 9), twice"),
    "theirs": (lambda _: toys.dies_in_march, "1 unit", "worker process died (signal 9), twice"),
    "memory once": (lambda folder: toys.Once(folder / "flag", toys.Odd("out_of_memory")),
                    "1 unit", ""),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("death", DEATHS)
def test_a_block_whose_worker_dies_is_split(truth, found, pool, tmp_path, death):
    odd, again, reason = DEATHS[death]
    # One unit's death takes a block of two with it; with two blocks, only its own.
    spans = {"second": found[:2], "theirs": found[2:]}
    models = [toys.model(odd(tmp_path), "odd"), toys.model(name="good")]
    options = {"truth": truth, **OPTIONS}
    executor = contextlib.nullcontext(pool)
    if death == "theirs":  # a pool of the caller's breaks
        executor = futures.ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    out, span = tmp_path / "out", spans.get(death, found[1:])
    with executor as those, pytest.warns(UserWarning, match=f"{again} .* {AGAIN}"):
        results = backtest(models, span, **options, executor=those, out=out)
    good = backtest([toys.model(name="odd"), toys.model(name="good")], span, **options)
    dead = results.failures
    assert dead["reason"].tolist() == [reason] * bool(reason)
    assert dead["last_month"].tolist() == [pd.Timestamp("2021-03")] * bool(reason)
    for name in ("scores", "quantiles"):
        want = getattr(good, name)
        lost = (want["model"] == "odd") & want["last_month"].isin(dead["last_month"])
        same(getattr(results, name).astype({"model": str}), want[~lost].astype({"model": str}))
    # Those that went well are stored.
    steps, lost = [], {("odd", month) for month in dead["last_month"]}
    for unit in plan(models, span, truth, draws=20):
        if (unit.model.label, pd.Timestamp(str(unit.origin.panel.last_month))) not in lost:
            run_units([unit], out=out, progress=steps.append)
    assert all(s.reused for s in steps)


def test_another_executor_that_breaks_ends_the_run(truth, found):
    future, executor = futures.Future(), futures.Executor()
    future.set_exception(futures.BrokenExecutor("all gone"))
    executor.submit = lambda *_, **__: future
    with pytest.raises(BacktestError, match=r"the executor broke \(all gone\)"):
        backtest(["naive"], found, truth=truth, executor=executor, **OPTIONS)


def half(connection, data):
    os.write(connection.fileno(), bytes(data)[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def dies_in_its_answer():
    """Pools of concurrent.futures wait for the rest of it, without end."""
    Connection._send = half
    return b"x" * 10_000


def dies_and_leaves_a_child():
    """Neither the pipe nor the sentinel ends before the child does."""
    if os.fork() == 0:
        time.sleep(40)
        os._exit(0)
    os._exit(3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ((divmod, 1, 0), ZeroDivisionError, "zero"),
        ((sys.exit, 4), BacktestError, "SystemExit: 4"),
        ((compile, "1", "x", "eval"), Exception, "pickle"),
        ((os._exit, 5), WorkerDiedError, "exit code 5"),
        ((os._exit, 0), WorkerDiedError, r"worker process died \(exit code 0\)"),
        ((dies_in_its_answer,), WorkerDiedError, "signal 9"),
        ((dies_and_leaves_a_child,), WorkerDiedError, "exit code 3"),
    ],
)
def test_what_a_worker_cannot_answer_is_an_error_and_the_next_one_can(pool, call, error, words):
    with pytest.raises(error, match=words):
        pool.submit(*call).result(timeout=30)
    assert pool.submit(abs, -2).result() == 2
    threads = pool.submit(os.getenv, "OMP_NUM_THREADS").result()
    assert threads == os.environ.get("OMP_NUM_THREADS", "1")


def test_nothing_is_taken_after_the_end():
    workers = Workers(1)
    workers.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        workers.submit(abs, 1)


@pytest.mark.slow
def test_workers_nobody_waits_for_end_with_their_work():
    workers = Workers(1)
    slow = workers.submit(time.sleep, 0.2)
    workers.shutdown(wait=False)
    slow.result(timeout=60)
    wait_while(lambda: workers._live)
    assert not workers._live


def cannot_begin():
    raise RuntimeError("no licence")


class Limited(Workers):
    """Would rather fail than start processes without end."""

    started = 0

    def submit(self, fn, /, *args, **kwargs):
        type(self).started += 1
        if self.started > 8:
            raise AssertionError("processes are started without end")
        return super().submit(fn, *args, **kwargs)


@pytest.mark.slow
def test_an_initializer_that_fails_ends_the_run(truth, found, monkeypatch, capfd):
    monkeypatch.setattr("odforecast.backtesting.workers.Workers", Limited)
    spawn = get_context("spawn")
    words = r"^.*could not be started \(exit code 1\).*its initializer failed.*\Z"
    pool = futures.ProcessPoolExecutor(1, mp_context=spawn, initializer=cannot_begin)
    with pool, pytest.raises(BacktestError, match=words):
        backtest(["naive"], found, truth=truth, executor=pool, **OPTIONS)
    assert Limited.started == 1
    assert "no licence" in capfd.readouterr().err


@pytest.mark.slow
def test_an_error_ends_work_in_progress():
    with pytest.raises(KeyboardInterrupt), Workers(1) as workers:  # noqa: PT012
        workers.submit(abs, 1).result()
        running = workers.submit(time.sleep, 60)
        waiting = workers.submit(time.sleep, 60)
        while not running.running():
            time.sleep(0.01)
        raise KeyboardInterrupt
    # Waited for, the sleep would have ended without an error.
    assert isinstance(running.exception(), WorkerDiedError)
    assert waiting.cancelled()


PARENT = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from odforecast.backtesting.workers import Workers, end_with_parent

if __name__ == "__main__":
    ours = sys.argv[1] == "ours"  # or the portable way alone
    theirs = lambda: ProcessPoolExecutor(2, get_context("spawn"), end_with_parent, (False,))
    pool = Workers(2) if ours else theirs()
    busy = [pool.submit(time.sleep, 60), pool.submit(time.sleep, 60)]
    while not all(b.running() for b in busy) or ours and sum(w.ready for w in [*pool._live]) < 2:
        time.sleep(0.01)
    time.sleep(0.7)
    print(*([w.process.pid for w in pool._live] if ours else pool._processes), flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["ours", "theirs"])
def test_workers_end_with_their_parent(tmp_path, pool):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, pool], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pids = [int(p) for p in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.send_signal(signal.SIGKILL)
    wait_while(lambda: any(map(alive, pids)))
    left = [p for p in pids if alive(p)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def units():
    panel = replace(od.bundled().as_of("2025-09-17").panel(), selected=False)
    found = cuts(panel, start="2021-01", end="2021-03")
    return plan([toys.model(name="a"), toys.model(name="b")], found, od.Truth(panel), draws=20)


def test_each_panel_once_and_units_as_they_were(units):
    put: dict[str, bytes] = {}
    way = Way(None, put=lambda key, data: put.setdefault(key, data))
    first, places = way.pack(units[:3])
    panels = sum(len(data) for data in put.values())
    assert len(put) == len(places) == 4  # three origins, and the truth
    assert way.sent == panels + len(first)
    second, _ = way.pack(units[3:])
    assert len(put) == 4
    # What was sent with each block is a hundredth of what it was.
    assert len(second) < len(pickle.dumps(units[3:])) / 100
    for unit, other in zip(units[:3], unpacked(first, put), strict=True):
        assert other.key == unit.key
        assert other.origin.panel.data_hash == unit.origin.panel.data_hash
        assert list(other.origin.panel.beside) == list(unit.origin.panel.beside)
    # Once read, a panel is shared by all that come after.
    one, other = unpacked(first, {}), unpacked(second, {})
    assert one[0].origin.panel is other[0].origin.panel


def test_only_so_many_panels_are_kept_and_lost_places_are_filled_again(units, monkeypatch):
    monkeypatch.setattr(workers, "_HELD", OrderedDict())
    monkeypatch.setattr(workers, "BUDGET", 1)
    puts: list[bytes] = []
    way = Way(None, put=lambda _, data: puts.append(data) or data)
    unpacked(*way.pack(units[:3]))
    assert len(workers._HELD) == 1
    assert len(puts) == 4
    way.forget()
    _, places = way.pack(units[:1])  # one origin, and the truth
    assert len(puts) == 6
    assert sorted(places.values()) == sorted(puts[4:])


@pytest.mark.parametrize(("what", "said"), [("gone", "is gone"), ("changed", "checksum differs")])
def test_another_panel_is_not_taken(units, monkeypatch, tmp_path, what, said):
    monkeypatch.setattr(workers, "_HELD", OrderedDict())

    def put(key, data):
        (tmp_path / key).write_bytes(data[:-1] if what == "changed" else data)
        return str(tmp_path / (f"{key}.gone" if what == "gone" else key))

    data, places = Way(None, put=put).pack(units[:1])
    with pytest.raises(BacktestError, match=said):
        unpacked(data, places)


@pytest.mark.slow
def test_processes_read_from_a_folder_that_is_removed(units, tmp_path):
    with Workers(1) as pool:
        way = Local(pool, tmp_path)
        made = way.submit(units[:1]).result()
        assert [len(list(p.iterdir())) for p in tmp_path.iterdir()] == [2]
        way.close()
    assert list(tmp_path.iterdir()) == []
    here = run_unit(units[0])
    scores = pd.read_parquet(BytesIO(made.tables["scores"]))
    np.testing.assert_array_equal(scores["wis"], here.scores["wis"])


def test_numba_has_one_thread_where_others_share_the_cores():
    import numba

    before = numba.get_num_threads()
    bound_threads()
    now = numba.get_num_threads()
    numba.set_num_threads(before)
    assert now == 1


def test_the_only_thread_at_work_is_contained(units):
    """A cluster's tasks are not in the main thread; global random states are put back there too."""

    def drawn(only=contextlib.nullcontext):
        with only(), contained([units[0].seen], 7):
            return np.random.random()  # noqa: NPY002

    with futures.ThreadPoolExecutor(1) as pool:
        first, second = (pool.submit(drawn, sole).result() for _ in range(2))
    assert first == second == drawn()
