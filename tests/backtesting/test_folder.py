"""The folder of a run: no room, no right to write, two runs at once; nothing half written."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import toys

from odforecast.backtesting import Results, cuts, plan, run_units
from odforecast.backtesting import run as blocks
from odforecast.backtesting.store import NAME, locked
from odforecast.errors import BacktestError
from odforecast.scoring import Truth
from odforecast.vintage import bundled


@pytest.fixture(scope="module")
def units():
    panel = bundled().as_of("2025-09-17").panel().select(["US", "WY"])
    found = cuts(panel, start="2021-01", end="2021-03")
    return plan([toys.model(name="toy")], found, Truth(panel), draws=20)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def full_after(monkeypatch, n: int, code: int = errno.ENOSPC):
    """The disk is full after ``n`` files; what was begun is there in part."""
    left = iter(range(n))
    real = Path.write_bytes

    def write(self, data):
        if next(left, None) is None:
            real(self, data[: len(data) // 2])
            raise OSError(code, os.strerror(code), str(self))
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", write)


@pytest.mark.parametrize("n", range(4))
def test_no_room_for_a_block(units, tmp_path, monkeypatch, n):
    monkeypatch.setattr(blocks, "BLOCK", 1)
    with monkeypatch.context() as patch:
        full_after(patch, n)
        with pytest.raises(BacktestError, match="No space left on device; units finished before"):
            run_units(units, out=tmp_path)
    # Whole blocks only: a table, its sister and the marker. No lock, no part of a file.
    assert {p.name.rpartition(".")[2] for p in tmp_path.rglob("block-*")} <= {"json", "parquet"}
    assert len(files(tmp_path)) == 3 * (n // 2)
    steps = []
    resumed = run_units(units, out=tmp_path, progress=steps.append)
    assert [s.reused for s in steps].count(True) == n // 2
    pd.testing.assert_frame_equal(resumed.scores, run_units(units).scores, check_exact=True)


def test_no_room_for_the_results_leaves_the_earlier_ones(units, tmp_path, monkeypatch):
    run_units(units[:1], out=tmp_path)
    before = {n: (tmp_path / n).read_bytes() for n in files(tmp_path) if "/" not in n}
    assert set(before) == {"scores.parquet", "quantiles.parquet", "failures.parquet",
                           "manifest.json"}  # fmt: skip

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
    """Scores of a new run lay under the manifest of the earlier one, and loaded in silence."""
    run_units(units[:1], out=tmp_path)
    new = run_units(units)
    real, left = os.replace, iter(range(n))

    class Killed(BaseException):
        pass

    def kill(*names):
        if next(left, None) is None:
            raise Killed
        real(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        with pytest.raises(Killed):
            new.save(tmp_path)
    with pytest.raises(BacktestError, match=r"did not finish writing.*; run .* again") as caught:
        Results.load(tmp_path)
    assert "\n" not in str(caught.value)
    run_units(units, out=tmp_path)
    loaded = Results.load(tmp_path)
    assert loaded.manifest["run"] == new.manifest["run"]
    pd.testing.assert_frame_equal(loaded.scores, new.scores, check_exact=True)


@pytest.mark.parametrize("name", ["scores", "quantiles", "failures"])
def test_a_table_that_was_changed_is_refused(units, tmp_path, name):
    made = run_units(units, out=tmp_path)
    path = tmp_path / f"{name}.parquet"
    table = pd.read_parquet(path)
    if name == "failures":
        table = pd.DataFrame(columns=[*table.columns, "more"])
    else:
        table[{"scores": "wis", "quantiles": "value"}[name]] = 0.0
    table.to_parquet(path, index=False)
    loaded = Results.load(tmp_path)
    with pytest.raises(BacktestError) as caught:
        getattr(loaded, name)
    text = str(caught.value)
    assert text.startswith(f"{path} was changed after the run")
    assert text.endswith("run the backtest again into the folder; finished units are kept")
    assert "\n" not in text
    # The others are as they were; and the hint holds.
    for other in {"scores", "quantiles", "failures"} - {name}:
        assert len(getattr(loaded, other)) == len(getattr(made, other))
    steps = []
    run_units(units, out=tmp_path, progress=steps.append)
    assert all(s.reused for s in steps)
    assert len(getattr(Results.load(tmp_path), name)) == len(getattr(made, name))


def test_a_manifest_without_checksums_is_said_to_be_one(units, tmp_path):
    run_units(units, out=tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    assert set(manifest["files"]) == {"scores", "quantiles", "failures"}
    assert Results.load(tmp_path).notes == ()
    bad = {**manifest, "files": {"scores": ""}}
    path.write_text(json.dumps(bad))
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


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(BacktestError, match=r"holds no complete backtest: .*No such file"):
        Results.load(tmp_path)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_nobody_may_write_to(units, tmp_path, monkeypatch, code):
    real = os.open

    def refuse(path, flags, *rest, **keywords):
        if str(path).startswith(str(tmp_path)):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags, *rest, **keywords)

    monkeypatch.setattr(os, "open", refuse)
    steps = []
    with pytest.raises(BacktestError, match=f"cannot write to .*: {os.strerror(code)}"):
        run_units(units, out=tmp_path, progress=steps.append)
    assert steps == []
    assert files(tmp_path) == set()


def test_the_folder_is_a_file(units, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BacktestError, match="cannot write to"):
        run_units(units, out=tmp_path / "file")


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
        with pytest.raises(BacktestError) as caught:
            run_units(units, out=tmp_path)
        text = str(caught.value)
        assert text.startswith(f"another backtest is running into {tmp_path} (process {holder.pid}")
        assert socket.gethostname() in text
        assert "\n" not in text
        assert files(tmp_path) == {NAME}
        holder.kill()
    assert files(tmp_path) == {NAME}
    run_units(units, out=tmp_path)
    assert NAME not in files(tmp_path)


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    "named",
    [
        lambda: {"pid": dead_pid(), "host": socket.gethostname(), "started": "1"},
        # Its number has been given to another process since.
        lambda: {"pid": os.getppid(), "host": socket.gethostname(), "started": "1"},
        lambda: {"pid": "x", "host": "y"},
        lambda: {},
        lambda: [1],
        lambda: "",
    ],
)
def test_a_stale_lock_is_taken_over(tmp_path, named):
    (tmp_path / NAME).write_text(json.dumps(named()))
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()
    assert files(tmp_path) == set()


def test_a_lock_of_a_living_process_or_another_host_is_respected(tmp_path):
    for named in (
        {"pid": os.getppid(), "host": socket.gethostname()},
        {"pid": 1, "host": "elsewhere", "started": "1"},
    ):
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
    bad = [replace(u, model=toys.model(toys.exits)) for u in units]
    with pytest.raises(BacktestError, match="every unit failed"):
        run_units(bad, out=tmp_path)
    # The reasons are kept, whole; no lock, and nothing that looks like results.
    assert files(tmp_path) == {"failures.parquet"}
    reasons = pd.read_parquet(tmp_path / "failures.parquet")["reason"]
    assert set(reasons) == {"SystemExit: enough"}
