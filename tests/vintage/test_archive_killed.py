"""An archive under fire: many writers at once, and kills in the middle, lose and double nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import odforecast as od
from odforecast.vintage import ledger

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its writers")
DAYS = [f"2024-{m:02d}-12" for m in range(1, 9)]
#: Imports once and forks a process for each line, with the files to add; it says the process's id,
#: and "ended" when one it is asked for has ended. What is said of the files goes into a file.
_PARENT = """
import json, os, sys
import odforecast as od
import odforecast.sources.release, odforecast.vintage.archive, pyarrow.parquet
od.Archive
for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        os.waitpid(asked["wait"], 0)
        print("ended", flush=True)
        continue
    process = os.fork()
    if process:
        print(process, flush=True)
        continue
    store = od.Archive(asked["store"])
    with open(asked["said"], "w") as said:
        for file in asked["files"]:
            try:
                done = store.add(file)
            except od.errors.ArchiveError:
                done = "refused"
            print(file.rpartition("/")[2], done, file=said, flush=True)
    os._exit(0)
"""


class Writers:
    """Processes that add files to an archive, each with the package imported."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: dict[int, Path] = {}

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.said:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.parent.kill()
        self.parent.communicate()

    def ask(self, **words: object) -> None:
        assert self.parent.stdin is not None
        self.parent.stdin.write(json.dumps(words) + "\n")
        self.parent.stdin.flush()

    def answer(self) -> str:
        assert self.parent.stdout is not None
        return self.parent.stdout.readline().strip()

    def start(self, *lists: list[str]) -> list[int]:
        """A process for each list, all at once."""
        said = [self.folder / f"said-{time.monotonic_ns()}-{i}" for i in range(len(lists))]
        for files, name in zip(lists, said, strict=True):
            self.ask(store=str(self.store), said=str(name), files=files)
        processes = [int(self.answer()) for _ in lists]
        self.said |= dict(zip(processes, said, strict=True))
        return processes

    def ended(self, process: int) -> list[str]:
        """What a process had said of its files when it ended, by itself or not."""
        self.ask(wait=process)
        assert self.answer() == "ended"
        said = self.said.pop(process)
        return said.read_text().splitlines() if said.exists() else []


def made(folder: Path, more: int = 0) -> list[str]:
    table = od.bundled().as_of("2025-09-17").table
    table = table[(table["month"] < "2017-01-01") & table["state"].isin(["OH", "WV"])]
    out = []
    for i, day in enumerate(DAYS):
        file = folder / f"{day}.parquet"
        counts = {n: table[n] + i + more for n in ("reported", "predicted")}
        table.assign(release=pd.Timestamp(day), **counts).to_parquet(file)
        out.append(str(file))
    return out


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    return made(tmp_path_factory.mktemp("files"))


def whole(store: Path, files: list[str]) -> None:
    archive = od.Archive(store)
    assert [str(d) for d in archive.releases()] == DAYS
    for day, file in zip(DAYS, files, strict=True):
        expected = pd.read_parquet(file)["reported"].dropna()
        assert sorted(archive.release(day)["reported"].dropna()) == sorted(expected)
    kept = Counter(archive.log["release"])
    assert set(archive.log["event"]) == {"added"}
    assert len(kept) == len(DAYS)


@pytest.fixture
def writers(tmp_path):
    with Writers(tmp_path / "archive", tmp_path) as running:
        yield running


@pytest.mark.slow
def test_six_writers_at_once(writers, files):
    orders = [random.Random(i).sample(files, len(files)) for i in range(6)]
    processes = writers.start(*orders)
    answers = Counter(line for process in processes for line in writers.ended(process))
    for file in files:  # one of the six added it, five saw that it was there
        name = Path(file).name
        assert (answers[f"{name} True"], answers[f"{name} False"]) == (1, 5)
    whole(writers.store, files)


@pytest.mark.slow
def test_two_writers_that_disagree(writers, files, tmp_path):
    """One wins, the other hears of it."""
    (tmp_path / "other").mkdir()
    both = files, made(tmp_path / "other", more=50)
    mine, theirs = (writers.ended(process) for process in writers.start(*both))
    archive = od.Archive(writers.store)
    for i, day in enumerate(DAYS):
        said = (mine[i].split()[1], theirs[i].split()[1])
        assert said in (("True", "refused"), ("refused", "True"))
        won = pd.read_parquet(both[said[0] == "refused"][i])["reported"].dropna()
        assert sorted(archive.release(day)["reported"].dropna()) == sorted(won)
    assert not [p for p in writers.store.rglob("*") if p.suffix in (".tmp", ".lock")]


@pytest.mark.slow
def test_killed_again_and_again(writers, files):
    chance = random.Random(11)
    store, killed = writers.store, 0
    for _ in range(6):
        (process,) = writers.start(files)
        time.sleep(chance.uniform(0.0, 0.12))
        os.kill(process, signal.SIGKILL)
        killed += len(writers.ended(process)) < len(files)
        archive = od.Archive(store)
        for day in archive.releases():  # what is there is whole
            archive.release(day)
    assert killed
    (last,) = writers.start(files)
    assert len(writers.ended(last)) == len(files)
    whole(store, files)
    # Events that never happened are not half there, either.
    assert len(ledger.read(store / ledger.LEDGER)) == len(DAYS)
