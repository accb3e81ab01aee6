"""Do the intervals of the nowcast hold the counts as they became? By months before the last.

    python benchmarks/bench_nowcast.py

Every real release in ../shared/data (or where ODFORECAST_SHARED points); truth: reported in the
bundled release, at least 12 months old.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
GROUPS = {"0": (0, 0), "-3..-1": (-3, -1), "-6..-4": (-6, -4), "-11..-7": (-11, -7)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = od.Archive(folder)
        for file in sorted(SHARED.glob("20*")):
            try:
                archive.add(file)
            except OdforecastError as error:
                print(f"left out: {file.name}: {str(error)[:80]}")
        results = od.backtest(
            ["dlm"], "real", archive=archive, truth=od.Truth(od.bundled().as_of().panel()),
            progress=False,
        )  # fmt: skip
    scores = results.scores
    scores = scores[scores["scorable"] & (scores["horizon"] <= 0)]
    print(f"{scores['as_of'].nunique()} releases\n")
    print("| months before the last | nation | counts | jurisdictions | counts |")
    print("|---|---|---|---|---|")
    for name, (low, high) in GROUPS.items():
        cells: list[str] = []
        for nation in (True, False):
            rows: pd.DataFrame = scores[
                scores["horizon"].between(low, high) & ((scores["location"] == "US") == nation)
            ]
            cells += [f"{100 * np.mean(rows['cover_90']):.0f} %", f"{len(rows):,}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
