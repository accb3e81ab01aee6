"""An archive under fire: many writers at once, and kills in the middle, lose and double nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import odforecast as od
from odforecast.vintage import ledger

DAYS = [f"2024-{m:02d}-12" for m in range(1, 9)]
_WORKER = """
import sys
import odforecast as od
store = od.Archive(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for file in sys.argv[2:]:
    print(file.rpartition("/")[2], store.add(file), flush=True)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    table = od.bundled().as_of("2025-09-17").table
    table = table[(table["month"] < "2017-01-01") & table["state"].isin(["OH", "WV"])]
    out = []
    for i, day in enumerate(DAYS):
        file = folder / f"{day}.parquet"
        counts = {n: table[n] + i for n in ("reported", "predicted")}
        table.assign(release=pd.Timestamp(day), **counts).to_parquet(file)
        out.append(str(file))
    return out


def start(store: Path, files: list[str]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(store), *files],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()


def whole(store: Path, files: list[str]) -> None:
    archive = od.Archive(store)
    assert [str(d) for d in archive.releases()] == DAYS
    for day, file in zip(DAYS, files, strict=True):
        expected = pd.read_parquet(file)["reported"].dropna()
        assert sorted(archive.release(day)["reported"].dropna()) == sorted(expected)
    kept = Counter(archive.log["release"])
    assert set(archive.log["event"]) == {"added"}
    assert len(kept) == len(DAYS)


def test_six_writers_at_once(tmp_path, files):
    store = tmp_path / "archive"
    workers = []
    for i in range(6):
        order = files.copy()
        random.Random(i).shuffle(order)
        workers.append(start(store, order))
    for worker in workers:
        go(worker)
    answers = Counter(line for w in workers for line in w.communicate()[0].splitlines())
    for file in files:  # one of the six added it, five saw that it was there
        name = Path(file).name
        assert (answers[f"{name} True"], answers[f"{name} False"]) == (1, 5)
    whole(store, files)


def test_killed_again_and_again(tmp_path, files):
    store = tmp_path / "archive"
    chance = random.Random(11)
    for _ in range(6):
        worker = start(store, files)
        go(worker)
        time.sleep(chance.uniform(0.0, 0.12))
        worker.kill()
        worker.communicate()
        archive = od.Archive(store)
        for day in archive.releases():  # what is there is whole
            archive.release(day)
    last = start(store, files)
    go(last)
    last.communicate()
    assert last.returncode == 0
    whole(store, files)
    # Events that never happened are not half there, either.
    assert len(ledger.read(store / ledger.LEDGER)) == len(DAYS)
