"""Processor time of a unit of ``dlm`` in the backtest: fit, 1,000 draws and scores.

    python benchmarks/bench_unit.py
    python benchmarks/bench_unit.py --runs 5 --against ../before/src

Pseudo-delayed origins with three donors a month, and clean ones; 53 places, 12 months ahead.
Compiling and imports are left out: three units go before those that are measured. With
``--against`` another commit's ``src`` is measured too, run by run in turn, each in a process of
its own; ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import process_time

import odforecast as od
from odforecast.backtesting import plan
from odforecast.backtesting.unit import run_unit

SPANS = {"pseudo-delayed": ("2021-05", "2022-04"), "pseudo-clean": ("2021-05", "2024-04")}
WARM_UP = 3
HERE = Path(__file__).resolve().parents[1] / "src"


def unit_time(kind: str) -> float:
    """Mean processor time of a unit, in milliseconds."""
    start, end = SPANS[kind]
    archive = od.bundled()
    origins = od.origins(archive, kind, start=start, end=end)
    units = plan(["dlm"], origins, od.Truth(archive.as_of().panel()))
    for unit in units[:WARM_UP]:
        run_unit(unit)
    before = process_time()
    for unit in units[WARM_UP:]:
        run_unit(unit)
    return 1e3 * (process_time() - before) / (len(units) - WARM_UP)


def unit_time_apart(source: Path, kind: str) -> float:
    """The same in a process of its own, by the code of a folder."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--one", kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--against", type=Path, help="the src folder of another commit")
    parser.add_argument("--one", choices=SPANS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(unit_time(args.one)))
        return
    sources = {"now": HERE}
    if args.against:
        sources = {"before": args.against.resolve(), "now": HERE}
    print("| origins | code | milliseconds a unit, each run | median |")
    print("|---|---|---|---|")
    for kind in SPANS:
        times: dict[str, list[float]] = {name: [] for name in sources}
        for _ in range(args.runs):
            for name, source in sources.items():
                times[name].append(unit_time_apart(source, kind))
        for name, measured in times.items():
            runs = ", ".join(f"{time:.1f}" for time in measured)
            print(f"| {kind} | {name} | {runs} | {statistics.median(measured):.1f} |")
        if args.against:
            ratios = [now / before for now, before in zip(times["now"], times["before"])]
            runs = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"| {kind} | ratio | {runs} | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
