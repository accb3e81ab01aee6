"""An archive of 100 full releases: time and memory of what people ask of it, as Markdown.

One real release (../shared/data, or where ODFORECAST_SHARED points) is filed under 100 dates, a
month apart, with small changes of its counts, in a temporary folder. Each question is asked in
a fresh process, so its peak memory is its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
RELEASES = 100

ASK = """
import json, resource, sys, time
import odforecast as od
from odforecast.vintage.revisions import revisions
import pyarrow.parquet
folder, what = sys.argv[1:]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
od.Panel, od.Archive
before, times = peak(), []
for _ in range(5 if "revisions" not in what else 1):
    start = time.perf_counter()
    archive = od.Archive(folder)
    day = archive.releases()[60]
    result = eval(what)
    times.append(time.perf_counter() - start)
print(json.dumps({"first": times[0], "best": min(times), "memory": peak() - before}))
"""
QUESTIONS = {
    "panel as of a day, all drugs, US and 52 jurisdictions": "archive.as_of(day).panel()",
    "its rows only (`as_of(day).rows(indicator)`)": "archive.as_of(day).rows('all-drugs')",
    "a whole release (`as_of(day).table`)": "archive.as_of(day).table",
    "triangle of the US, 100 releases": "revisions(archive, 'US')",
    "triangles of the US and 52 jurisdictions, 100 releases": "revisions(archive, 'all')",
}


def build(folder: Path) -> tuple[int, float]:
    """Rows filed, and the seconds it took."""
    import numpy as np
    import pandas as pd

    from odforecast.sources.vsrr import Loaded, read_vsrr
    from odforecast.vintage.archive import Archive

    loaded = read_vsrr(SHARED / "2025-07-16.parquet")
    store, rng, rows = Archive(folder), np.random.default_rng(1), 0
    start = time.perf_counter()
    for date in pd.date_range("2031-01-15", periods=RELEASES, freq="MS"):
        table = loaded.table.assign(release=date)
        moved = table["reported"].to_numpy() + rng.integers(0, 3, len(table))
        table["reported"] = np.where(table["reported"] > 50, moved, table["reported"])
        report = dataclasses.replace(loaded.report, release=date.date())
        # Counts moved by chance contradict each other: checked all the same, and then accepted.
        store.add(Loaded(table, report), accept="made for a benchmark")
        rows += len(table)
    return rows, time.perf_counter() - start


def main() -> None:
    if not (SHARED / "2025-07-16.parquet").exists():
        print(f"no release in {SHARED}: nothing to measure")
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: a child's peak starts at the size of its parent.
        built = subprocess.run(
            [sys.executable, __file__, folder], capture_output=True, text=True, check=True
        )
        rows, seconds = json.loads(built.stdout)
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 1e6
        print(
            f"{RELEASES} releases, {rows:,} rows, {size:.0f} MB on disk; "
            f"adding one: {seconds / RELEASES:.2f} s.\n"
        )
        print("| question | first time, s | again, s | memory, MB |\n|---|---:|---:|---:|")
        for name, what in QUESTIONS.items():
            done = subprocess.run(
                [sys.executable, "-c", ASK, folder, what],
                capture_output=True,
                text=True,
                check=True,
            )
            got = json.loads(done.stdout)
            again = f"{got['best']:.3f}" if "revisions" not in what else "-"
            print(f"| {name} | {got['first']:.3f} | {again} | {got['memory']:.0f} |")
        print("\nEach question in a fresh process; memory is the growth of its peak.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(build(Path(sys.argv[1]))))
    else:
        main()
