"""A damaged block is computed again, and a line says so; a killed run ends with the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import toys
from commands import ok, run
from toys import same

from odforecast.backtesting import Results, plan, run_units
from odforecast.backtesting import planning as blocks
from odforecast.backtesting.store import UnitStore, _checksum

STATES = ("US", "WY")
SPAN = ("2021-01", "2021-02", 1)


@pytest.fixture(scope="module")
def units(found, truth):
    models = [toys.model(toys.leaves_one_out, by=None), toys.model(name="other")]
    return plan(models, found, truth, draws=20)


@pytest.fixture(scope="module")
def whole(units, tmp_path_factory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 1)
        return run_units(units, out=folder), folder


def markers(folder: Path) -> list[Path]:
    return sorted(folder.glob("units/model=*/block-*.json"))


def marker(folder: Path) -> Path:
    return next(m for m in markers(folder) if table(m, "failures").exists())


def table(mark: Path, name: str) -> Path:
    return mark if name == "marker" else mark.with_name(f"{mark.stem}.{name}.parquet")


def edit(change, signed=False):
    def damage(mark):
        body = json.loads(mark.read_text())
        body = change(body) or body
        if signed:
            body.pop("checksum")
            body["checksum"] = _checksum(body)
        mark.write_text(json.dumps(body))

    return damage


def rewrite(name, change):
    return lambda mark: change(pd.read_parquet(p := table(mark, name))).to_parquet(p, index=False)


def bytes_of(name, change):
    return lambda mark: (p := table(mark, name)).write_bytes(change(bytearray(p.read_bytes())))


def flip(name, place):
    def flipped(data):
        data[int(place * (len(data) - 1))] ^= 1
        return data

    return bytes_of(name, flipped)


def cut(name, share):
    return bytes_of(name, lambda data: data[: int(share * len(data))])


def as_folder(name):
    return lambda mark: [table(mark, name).unlink(), table(mark, name).mkdir()]


def others(name):
    def damage(mark):
        other = next(m for m in markers(mark.parents[2]) if m != mark)
        shutil.copy(table(other, name), table(mark, name))

    return damage


def swapped(mark):
    a, b = table(mark, "scores"), table(mark, "quantiles")
    data = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(data)


def renamed(mark):
    for path in mark.parent.glob(f"{mark.stem}.*"):
        path.rename(path.with_name(path.name.replace("block-", "block-0")))


def add_unit(body):
    body["units"]["x"] = {"seconds": 1.0, "warnings": []}


def seconds(value):
    return lambda body: next(iter(body["units"].values())).update(seconds=value)


DAMAGE = {
    "a bit of the scores": flip("scores", 0.5),
    "a bit of the footer of the scores": flip("scores", 1.0),
    "a bit of the quantiles": flip("quantiles", 0.3),
    "a bit of the marker": flip("marker", 0.6),
    "the unit column gone": rewrite("scores", lambda t: t.drop(columns="unit")),
    "all scores are 0": rewrite("scores", lambda t: t.assign(wis=0.0)),
    "another unit's rows": rewrite("scores", lambda t: t.assign(unit=t["unit"].iloc[0])),
    "scores cut short": cut("scores", 0.7),
    "marker cut short": cut("marker", 0.5),
    "marker empty": cut("marker", 0.0),
    "scores deleted": lambda mark: table(mark, "scores").unlink(),
    "scores are a folder": as_folder("scores"),
    "the marker is a folder": as_folder("marker"),
    "scores of another block": others("scores"),
    "scores and quantiles swapped": swapped,
    "the marker of another block": others("marker"),
    "block under another name": renamed,
    "the marker is a list": edit(lambda body: [body]),
    "the marker is a number": lambda mark: mark.write_text("1"),
    "the marker is not valid JSON": lambda mark: mark.write_text("units"),
    "the marker is not text": lambda mark: mark.write_bytes(b"\xff\xfe\x00"),
    "an extra unit": edit(add_unit),
    "an extra unit, signed": edit(add_unit, signed=True),
    "a unit gone": edit(lambda body: body["units"].popitem() and None),
    "seconds not a number": edit(seconds(float("nan"))),
    "seconds not a number, signed": edit(seconds(float("nan")), signed=True),
    "seconds below zero, signed": edit(seconds(-1.0), signed=True),
    "seconds as text, signed": edit(seconds("soon"), signed=True),
    "units are a list, signed": edit(lambda b: b.update(units=list(b["units"])), signed=True),
    "failures said not to be there": edit(lambda b: b["files"].update(failures=None)),
    "checksums gone, signed": edit(lambda b: b.update(files={}), signed=True),
    "another format, signed": edit(lambda b: b.update(format=99), signed=True),
    "a marker without checksum": edit(lambda b: b.pop("checksum") and None),
    "a marker of the former format": edit(
        lambda b: {"units": {k: u["seconds"] for k, u in b["units"].items()}, "label": "toy"}
    ),
}


@pytest.fixture
def out(whole, tmp_path) -> Path:
    return shutil.copytree(whole[1], tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_block_is_computed_again(units, whole, out, kind):
    DAMAGE[kind](marker(out))
    steps = []
    resumed = run_units(units, out=out, progress=steps.append)
    same(resumed, whole[0])
    assert sum(not s.reused for s in steps) == 1
    (note,) = resumed.notes
    assert note.startswith("1 stored block was damaged")
    assert "\n" not in note
    store = UnitStore(out / "units")
    assert all(store.find(u) for u in units)
    assert store.notes == ()


def test_all_blocks_damaged_is_still_one_line(units, whole, out):
    for mark in markers(out):
        DAMAGE["a bit of the scores"](mark)
    resumed = run_units(units, out=out)
    (note,) = resumed.notes
    assert note.startswith("4 stored blocks were damaged")
    assert Results.load(out).notes == (note,)
    again = run_units(units, out=out)
    assert again.notes == ()
    # A missing marker is of a block that was never finished.
    marker(out).unlink()
    unfinished = run_units(units, out=out)
    assert unfinished.notes == ()
    for found in (resumed, again, unfinished, Results.load(out)):
        same(found, whole[0])


def test_warnings_are_stored_with_their_units(units, tmp_path):
    unit = replace(units[0], model=toys.model(toys.warns, "warns"))
    first, again = (run_units([unit], out=tmp_path).manifest["warnings"] for _ in range(2))
    assert first == again
    assert first["warns"]


def test_the_command_says_so_in_one_line(tmp_path):
    arguments = ["backtest", "--vintages", "clean", "--start", "2021-01", "--end", "2021-02",
                 "--locations", "US,WV", "--draws", "20", "--jobs", "1", "--models", "naive",
                 "--out", str(tmp_path)]  # fmt: skip
    first = run(*arguments)
    assert (first.exit_code, first.stderr.count("damaged")) == (0, 0)
    before = (tmp_path / "scores.parquet").read_bytes()
    (mark,) = markers(tmp_path)
    DAMAGE["a bit of the scores"](mark)
    second = run(*arguments)
    assert second.exit_code == 0, second.output
    (line,) = [x for x in second.stderr.splitlines() if "damaged" in x]
    assert line.startswith("note: 1 stored block was damaged")
    assert (tmp_path / "scores.parquet").read_bytes() == before


ARGUMENTS = ["backtest", "--source", "bundled", "--models", "naive,drift", "--locations", "US,WV",
             "--start", "2019-01", "--end", "2022-12", "--draws", "100"]  # fmt: skip
#: Of the results: what must be the same, byte for byte.
SAME = ("scores.parquet", "quantiles.parquet", "failures.parquet", "leaderboard.csv")


def begun(out: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "odforecast.cli", *ARGUMENTS, "--jobs", "2", "--out", out]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_at(out: Path, rng: random.Random) -> bool:
    """Kill a run once it has stored some more blocks, or after a while; False if it was done."""
    stop = len(markers(out)) + rng.randrange(4)
    limit = time.monotonic() + rng.uniform(1.0, 6.0)
    with begun(out) as process:
        while process.poll() is None and len(markers(out)) < stop and time.monotonic() < limit:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        done = process.poll() is not None
        process.send_signal(signal.SIGKILL)
    return not done


@pytest.mark.slow
def test_killed_again_and_again(tmp_path):
    ok(*ARGUMENTS, "--jobs", "1", "--out", tmp_path / "undisturbed")
    for round_ in range(max(1, int(os.environ.get("ODFORECAST_KILLS", "5")) // 5)):
        out, rng = tmp_path / str(round_), random.Random(round_)
        assert sum(kill_at(out, rng) for _ in range(5))
        with begun(out) as process:
            _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert "damaged" not in errors
        left = {p.name.rpartition(".")[2] for p in out.rglob("*") if p.is_file()}
        assert left == {"parquet", "json", "csv"}
        for name in SAME:
            assert (out / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


@pytest.mark.slow
def test_interrupted_by_ctrl_c(tmp_path):
    with begun(tmp_path) as process:
        while process.poll() is None and not markers(tmp_path):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (130, 0)
    assert "Traceback" not in errors
    assert not [n for n in os.listdir(tmp_path) if n.endswith((".lock", ".tmp"))]
