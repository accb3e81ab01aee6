"""``kill -9`` at any moment: the run goes on, and ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import run as command

pytestmark = pytest.mark.slow

ARGUMENTS = [
    "backtest", "--source", "bundled", "--models",
    "naive,drift", "--locations", "US,WV", "--start", "2019-01", "--end", "2022-12", "--draws",
    "100",
]  # fmt: skip
#: Of the results: what must be the same, byte for byte.
SAME = ("scores.parquet", "quantiles.parquet", "failures.parquet", "leaderboard.csv")


def run(out: Path, jobs: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "odforecast.cli", *ARGUMENTS]
    return subprocess.Popen(
        [*command, "--jobs", str(jobs), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed")
    result = command(*ARGUMENTS, "--jobs", "1", "--out", str(out))
    assert result.exit_code == 0, result.output
    return {name: (out / name).read_bytes() for name in SAME}


def markers(out: Path) -> int:
    return len(list(out.glob("units/model=*/block-*.json")))


def kill_at(out: Path, rng: random.Random) -> bool:
    """Kill a run once it has stored some more blocks, or after a while; False if it was done."""
    stop = markers(out) + rng.randrange(4)
    limit = time.monotonic() + rng.uniform(1.0, 6.0)
    with run(out, jobs=2) as process:
        while process.poll() is None and markers(out) < stop and time.monotonic() < limit:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        done = process.poll() is not None
        process.send_signal(signal.SIGKILL)
    return not done


def check(out: Path, undisturbed: dict[str, bytes], kills: int, seed: int) -> None:
    rng = random.Random(seed)
    killed = sum(kill_at(out, rng) for _ in range(kills))
    assert killed
    with run(out, jobs=2) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "damaged" not in errors
    left = {p.name.rpartition(".")[2] for p in out.rglob("*") if p.is_file()}
    assert left == {"parquet", "json", "csv"}
    for name, data in undisturbed.items():
        assert (out / name).read_bytes() == data, name


def test_killed_again_and_again(tmp_path, undisturbed):
    for round_ in range(max(1, int(os.environ.get("ODFORECAST_KILLS", "5")) // 5)):
        check(tmp_path / str(round_), undisturbed, kills=5, seed=round_)


def test_interrupted_by_ctrl_c(tmp_path):
    with run(tmp_path, jobs=2) as process:
        while process.poll() is None and not markers(tmp_path):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (130, 0)
    assert "Traceback" not in errors
    assert not [n for n in os.listdir(tmp_path) if n.endswith((".lock", ".tmp"))]
