"""The folder of a run: no room, no rights, two at once; nothing half written, all read again."""

import errno
import io
import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import toys
from toys import same, undivided

import odforecast as od
from odforecast.backtesting import Results, cuts, plan, run_unit, run_units
from odforecast.backtesting import planning as blocks
from odforecast.backtesting import results as tables
from odforecast.backtesting.store import NAME, locked
from odforecast.errors import BacktestError

STATES = ("US", "WY")


@pytest.fixture(scope="module")
def units(found, truth):
    return plan([toys.model(name="toy")], found, truth, draws=20)


TABLES = ("scores", "quantiles", "failures")


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("n", range(4))
def test_no_room_for_a_block(units, tmp_path, monkeypatch, n):
    """The disk is full after ``n`` files; what was begun is there in part."""
    monkeypatch.setattr(blocks, "BLOCK", 1)
    left, real = iter(range(n)), Path.write_bytes

    def write(self, data):
        if next(left, None) is None:
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        with pytest.raises(BacktestError, match="No space left on device; units finished before"):
            run_units(units, out=tmp_path)
    # Whole blocks only: a table, its sister and the marker. No lock, no part of a file.
    assert {p.name.rpartition(".")[2] for p in tmp_path.rglob("block-*")} <= {"json", "parquet"}
    assert len(files(tmp_path)) == 3 * (n // 2)
    steps = []
    resumed = run_units(units, out=tmp_path, progress=steps.append)
    assert [s.reused for s in steps].count(True) == n // 2
    same(resumed, run_units(units))


def test_no_room_for_the_results_leaves_the_earlier_ones(units, tmp_path, monkeypatch):
    run_units(units[:1], out=tmp_path)
    before = {n: (tmp_path / n).read_bytes() for n in files(tmp_path) if "/" not in n}
    assert set(before) == {*(f"{n}.parquet" for n in TABLES), "manifest.json"}
    real = pd.DataFrame.to_parquet

    def write(self, path, **keywords):
        if not isinstance(path, io.BytesIO) and "failures" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, path, **keywords)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
    with pytest.raises(BacktestError, match="No space left on device; finished units are kept"):
        run_units(units, out=tmp_path)
    assert {n: (tmp_path / n).read_bytes() for n in files(tmp_path) if "/" not in n} == before


@pytest.mark.parametrize("n", range(4))
def test_killed_between_the_tables(units, tmp_path, monkeypatch, n):
    run_units(units[:1], out=tmp_path)
    new = run_units(units)
    real, left = os.replace, iter(range(n))

    def kill(*names):
        if next(left, None) is None:
            raise toys.Away
        real(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        with pytest.raises(toys.Away):
            new.save(tmp_path)
    with pytest.raises(BacktestError, match=r"^.*did not finish writing.*; run .* again.*\Z"):
        Results.load(tmp_path)
    run_units(units, out=tmp_path)
    loaded = Results.load(tmp_path)
    assert loaded.manifest["run"] == new.manifest["run"]
    same(loaded.scores, new.scores)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_was_changed_is_refused(units, tmp_path, name):
    made = run_units(units, out=tmp_path)
    path = tmp_path / f"{name}.parquet"
    table = pd.read_parquet(path)
    table[{"scores": "wis", "quantiles": "value", "failures": "more"}[name]] = 0.0
    table.to_parquet(path, index=False)
    loaded = Results.load(tmp_path)
    hint = "run the backtest again into the folder; finished units are kept"
    with pytest.raises(BacktestError, match=rf"^{path} was changed after the run.*; {hint}\Z"):
        getattr(loaded, name)
    same(loaded, made, {*TABLES} - {name})
    steps = []
    run_units(units, out=tmp_path, progress=steps.append)
    assert all(s.reused for s in steps)
    same(Results.load(tmp_path), made)


def test_a_manifest_without_checksums_is_said_to_be_one(units, tmp_path):
    run_units(units, out=tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    assert set(manifest["files"]) == {*TABLES}
    assert Results.load(tmp_path).notes == ()
    path.write_text(json.dumps({**manifest, "files": {"scores": ""}}))
    with pytest.raises(BacktestError, match="does not name the checksums of its tables"):
        Results.load(tmp_path)
    path.write_text(json.dumps({k: v for k, v in manifest.items() if k != "files"}))
    loaded = Results.load(tmp_path)
    (note,) = loaded.notes
    assert "cannot be verified" in note
    assert loaded.select("US").notes == (note,)
    # Saving elsewhere keeps the note, and it stays one.
    loaded.save(tmp_path / "copy")
    assert Results.load(tmp_path / "copy").notes == (note,)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_nobody_may_write_to(units, tmp_path, monkeypatch, code):
    real, steps = os.open, []

    def refuse(path, flags, *rest, **keywords):
        if str(path).startswith(str(tmp_path)):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags, *rest, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(BacktestError, match=f"cannot write to .*: {os.strerror(code)}"):
            run_units(units, out=tmp_path, progress=steps.append)
    assert steps == []
    assert files(tmp_path) == set()
    (tmp_path / "file").write_text("")
    with pytest.raises(BacktestError, match="cannot write to"):
        run_units(units, out=tmp_path / "file")
    with pytest.raises(BacktestError, match=r"holds no complete backtest: .*No such file"):
        Results.load(tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from odforecast.backtesting.store import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_two_runs_into_one_folder_and_a_lock_whose_process_was_killed(units, tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        words = rf"^another backtest is running into {tmp_path} \(process {holder.pid}"
        with pytest.raises(BacktestError, match=rf"{words}.*{socket.gethostname()}.*\Z"):
            run_units(units, out=tmp_path)
        assert files(tmp_path) == {NAME}
        holder.kill()
    assert files(tmp_path) == {NAME}
    run_units(units, out=tmp_path)
    assert NAME not in files(tmp_path)


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("named", [None, os.getppid(), {"pid": "x", "host": "y"}, {}, [1], ""])
def test_a_stale_lock_is_taken_over(tmp_path, named):
    """Its process has ended, its number has been given to another one since, or it names none."""
    if named is None or isinstance(named, int):
        named = {"pid": named or dead_pid(), "host": socket.gethostname(), "started": "1"}
    (tmp_path / NAME).write_text(json.dumps(named))
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert files(tmp_path) == set()


ALIVE = {"pid": os.getppid(), "host": socket.gethostname()}


@pytest.mark.parametrize("named", [ALIVE, {"pid": 1, "host": "elsewhere", "started": "1"}])
def test_a_lock_of_a_living_process_or_another_host_is_respected(tmp_path, named):
    (tmp_path / NAME).write_text(json.dumps(named))
    with pytest.raises(BacktestError, match=f"process {named['pid']} on {named['host']}"):
        locked(tmp_path).__enter__()
    assert json.loads((tmp_path / NAME).read_text()) == named


@pytest.fixture
def windows(monkeypatch):
    """What of Windows matters to a lock: less in ``os``, no ``fcntl``, no unlinking while open."""
    monkeypatch.delattr(os, "pread")
    monkeypatch.delattr(os, "pwrite")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    unlink = Path.unlink

    def refuse(path, missing_ok=False):
        held = (os.path.realpath(p) for p in Path("/proc/self/fd").iterdir())
        if str(path.resolve()) in held:
            raise PermissionError(errno.EACCES, "used by another process", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)


def test_a_lock_without_posix(units, tmp_path, windows):
    (tmp_path / NAME).write_text(json.dumps({"pid": dead_pid(), "host": "x" * 200})[:-2])
    with locked(tmp_path):
        named = json.loads((tmp_path / NAME).read_text())
        assert (named["pid"], named["host"]) == (os.getpid(), socket.gethostname())
        with pytest.raises(BacktestError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
        assert json.loads((tmp_path / NAME).read_text()) == named
    assert files(tmp_path) == set()
    run_units(units[:1], out=tmp_path)
    assert NAME not in files(tmp_path)
    assert not Results.load(tmp_path).scores.empty


def test_a_failed_run_gives_the_folder_back(units, tmp_path):
    bad = [replace(u, model=toys.model("exits")) for u in units]
    with pytest.raises(BacktestError, match="every unit failed"):
        run_units(bad, out=tmp_path)
    # The reasons are kept, whole; no lock, and nothing that looks like results.
    assert files(tmp_path) == {"failures.parquet"}
    reasons = pd.read_parquet(tmp_path / "failures.parquet")["reason"]
    assert set(reasons) == {"SystemExit: enough"}


@pytest.fixture(scope="module")
def mixed():
    panel = od.bundled().as_of("2025-09-17").panel().select(["WY", "US", "OH"])
    panel = replace(panel, selected=False)
    found = cuts(panel, start="2021-02", end="2021-03")
    found += cuts(panel.select(["OH", "US"]), start="2021-04", end="2021-04")
    unknown = toys.model(name="unknown")
    object.__setattr__(unknown.inner, "spec", replace(unknown.spec, origin=""))
    models = [toys.by_state, "naive", toys.model(toys.dislikes_two, "partly"), unknown]
    both = ("deaths_12mo", "deaths_month")
    return plan(models, found, od.Truth(panel), draws=20, targets=both)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 1 << 15])
def test_equal_to_the_units_tables_one_below_the_other(mixed, tmp_path, monkeypatch, rows):
    """Types, order and categories too; failures, and models of unknown code, among them."""
    monkeypatch.setattr(tables, "ROWS", rows)
    made = run_units(mixed, out=tmp_path)
    outcomes = [run_unit(u) for u in undivided(mixed)]
    for name in TABLES:
        parts = [t for o in outcomes if not (t := getattr(o, name)).empty]
        whole = pd.concat([t.astype({"model": str}) for t in parts], ignore_index=True)
        found = getattr(made, name).astype({"model": str})
        loose = {"check_dtype": False, "check_categorical": False}
        pd.testing.assert_frame_equal(found, whole, check_exact=True, **loose)
    same(Results.load(tmp_path), made)
    groups = pq.ParquetFile(tmp_path / "quantiles.parquet").num_row_groups
    assert groups > 10 if rows == 1 else groups >= 1
    # What was not to be reused is gone with its run.
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert f"model={mixed[-1].model.spec.hash}" not in os.listdir(tmp_path / "units")
    # After a run in parts the bytes are the same.
    for part in (mixed[2:5], mixed):
        run_units(part, out=tmp_path / "parts")
    for name in TABLES:
        one, other = (d / f"{name}.parquet" for d in (tmp_path, tmp_path / "parts"))
        assert one.read_bytes() == other.read_bytes(), name


def test_without_a_folder_a_temporary_one_goes_with_the_results(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tables, "ROWS", 1)
    results = run_units(mixed[-2:])
    (folder,) = tmp_path.iterdir()
    assert str(folder) not in repr(results)
    copied = pickle.loads(pickle.dumps(results))
    part = results.select("US")
    kept = results.scores
    del results
    assert list(tmp_path.iterdir()) == []
    same(copied.scores, kept)
    assert len(part.scores) < len(copied.quantiles)
    with pytest.raises(BacktestError, match="every unit failed"):
        run_units([replace(u, model=toys.model("exits")) for u in mixed[-2:]])
    assert list(tmp_path.iterdir()) == []


def test_a_later_run_changes_no_small_results(mixed, tmp_path, monkeypatch):
    left = tmp_path / ".run-abc" / "units" / "model=x"  # of a run that was killed
    left.mkdir(parents=True)
    (left / "block.json").write_text("{}")
    first = run_units(mixed[-2:], out=tmp_path)
    assert not (tmp_path / ".run-abc").exists()
    before = first.scores.copy()
    run_units(mixed[:4], out=tmp_path)
    same(first.scores, before)
    monkeypatch.setattr(tables, "ROWS", 1)
    large = run_units(mixed[-2:], out=tmp_path)
    assert set(large._tables) <= {"failures"}  # the others are read when they are asked for

    run_units(mixed[:4], out=tmp_path)
    with pytest.raises(BacktestError, match="was changed after the run"):
        _ = large.scores
