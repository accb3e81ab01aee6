"""The monthly habit, twice: what `odforecast update` says and leaves, against a server here.

    python benchmarks/bench_update.py
    python benchmarks/bench_update.py --keep DIR

A server on this machine answers as CDC's does, first with the bundled counts up to 2025-03 as a
release of 2025-08-13, then up to 2025-04 as that of 2025-09-17, the last counts of each too low by
a share that halves with every month of age. The command runs after each, and once more on the
second release. Printed are what it says, the files that are there, the record's lines of the US,
how many lines each kind has, and that the lines of the first update are as they were, byte for
byte; then, for the record to show what it is for, three years of releases in the same way, and
what came of their forecasts.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "factories"), str(ROOT / "tests" / "updating")]

from socrata_server import FakeSocrata  # noqa: E402
from update_server import FIRST, SECOND, serve  # noqa: E402

from odforecast.cli import main  # noqa: E402
from odforecast.publication import publication_date  # noqa: E402
from odforecast.updating import read, record_markdown, run  # noqa: E402


@contextlib.contextmanager
def the_day(day: dt.date) -> Iterator[None]:
    """The clock of an update."""
    with mock.patch.object(run, "today", return_value=day):
        yield


def updated(server: FakeSocrata, folder: Path, *options: str) -> str:
    """Run the command as a person does; what it prints, with the folder's name left out."""
    args = ["update", "--archive", f"{folder}/archive", "--out", f"{folder}/updates"]
    done = CliRunner().invoke(main, [*args, "--url", server.url, *options])
    if done.exit_code:
        raise SystemExit(done.output)
    return done.output.replace(f"{folder}/", "")


def twice(server: FakeSocrata, folder: Path) -> None:
    """Two releases, and the second once more."""
    record = folder / "updates" / "record.csv"
    held: list[bytes] = []
    for release, day in ((FIRST, 1), (SECOND, 1), (SECOND, 2)):
        serve(server, release, states=None)
        today = release[1] + dt.timedelta(days=day)
        print(f"\n$ odforecast update      # on {today}")
        start = time.perf_counter()
        with the_day(today):
            print(updated(server, folder))
        print(f"[{time.perf_counter() - start:.1f} s]")
        held.append(record.read_bytes())
    print("lines of the first update are as they were:", held[1].startswith(held[0]))
    print("run again on the same release, no byte of the record moved:", held[2] == held[1])
    print("\nfiles")
    for path in sorted(folder.joinpath("updates").rglob("*")):
        if path.is_file():
            print(f"  {path.relative_to(folder)!s:60} {path.stat().st_size / 1e3:9,.0f} kB")
    table = read(record)
    print("\nlines by update and kind")
    print(table.groupby(["batch", "on", "release", "kind", "status"]).size().to_string())
    print("\nUS, a few lines as the file has them")
    lines = held[1].decode().splitlines()
    print("  " + lines[0])
    months = [f",US,{month}," for month in ("2025-03", "2025-04", "2026-03")]
    print("\n".join(f"  {line}" for line in lines if any(m in line for m in months)))
    print("\n" + record_markdown(record))


def three_years(server: FakeSocrata, folder: Path, draws: int) -> None:
    """Every month from 2022-02 on."""
    months = np.arange(np.datetime64("2022-02"), np.datetime64("2025-05"))
    start = time.perf_counter()
    for month in months:
        release = publication_date(month)
        serve(server, (str(month), release), states=None)
        with the_day(release + dt.timedelta(days=1)):
            updated(server, folder, "--draws", str(draws))
    record = folder / "updates" / "record.csv"
    seconds = time.perf_counter() - start
    print(f"\n{months.size} releases, {seconds / months.size:.1f} s each")
    start = time.perf_counter()
    table = read(record)
    seconds = time.perf_counter() - start
    print(f"{len(table):,} lines, {record.stat().st_size / 1e6:.1f} MB, read in {seconds:.1f} s")
    print(table.groupby(["kind", "status"]).size().to_string())
    print("\n" + record_markdown(record, rows=18))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder to leave everything in")
    parser.add_argument("--draws", type=int, default=500, help="of the three years")
    given = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    pd.set_option("display.width", 200)
    with tempfile.TemporaryDirectory() as temporary, FakeSocrata([]) as fake:
        where = given.keep or Path(temporary)
        twice(fake, where / "twice")
        three_years(fake, where / "years", given.draws)
