"""Two processes beside one over 48 clean origins of the backtest: wall clock, and processor time.

    python benchmarks/bench_processes.py
    python benchmarks/bench_processes.py --runs 5 --against ../before/src

Four models, 53 places, 12 horizons, 1,000 draws. Runs of one and of two processes are interleaved,
each in a process of its own, and with ``--against`` those of another commit's ``src`` among them.
The clock runs from the call of ``backtest`` to the end of the workers.

Where others use the machine, the wall clock says little: a pair above 2 says that they did. Hence
also *counted*: the processor time of one process over what two would need on two free cores, which
is all of the parent's processor time, and half of the workers'.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time

import odforecast as od
from odforecast.backtesting import Workers, cuts

MODELS = ("auto-ets", "auto-theta", "dlm", "hub-baseline")
FIRST, LAST = "2020-05", "2024-04"
HERE = Path(__file__).resolve().parents[1] / "src"


def children_time() -> float:
    """Processor time of the worker processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(jobs: int) -> dict[str, float]:
    """One backtest in this process, or in so many workers."""
    panel = od.bundled().as_of().panel()
    origins = cuts(panel, start=FIRST, end=LAST)
    truth = od.Truth(panel)
    own_before = process_time()
    wall_before = perf_counter()
    with Workers(jobs) if jobs > 1 else contextlib.nullcontext() as executor:
        results = od.backtest(MODELS, origins, truth=truth, executor=executor, progress=False)
    return {
        "wall": perf_counter() - wall_before,
        "own": process_time() - own_before,
        "workers": children_time(),
        "origins": len(origins),
        "rows": len(results.scores),
        "wis": float(results.scores["wis"].sum()),
    }


def worker_start() -> float:
    """Processor time of a worker until it takes its first work."""
    with Workers(1) as workers:
        return float(workers.submit(process_time).result())


def run_apart(source: Path, jobs: int) -> dict[str, float]:
    """One backtest in a process of its own, by the code of a folder."""
    command = [sys.executable, __file__, "--one", str(jobs)]
    environment = os.environ | {"PYTHONPATH": str(source)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (3)")
    parser.add_argument("--against", type=Path, help="the src folder of another commit")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.one)))
        return
    sources = {"now": HERE}
    if args.against:
        sources = {"before": args.against.resolve(), "now": HERE}
    pairs: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = {}
    print("| code | wall, one | two | ratio | processor, one | parent | workers | counted |")
    print("|---|---|---|---|---|---|---|---|")
    for _ in range(args.runs):
        for name, source in sources.items():
            one = run_apart(source, 1)
            two = run_apart(source, 2)
            if (one["rows"], one["wis"]) != (two["rows"], two["wis"]):
                raise SystemExit("one process and two do not score the same")
            pairs.setdefault(name, []).append((one, two))
            counted = one["own"] / (two["own"] + two["workers"] / 2)
            print(
                f"| {name} | {one['wall']:.1f} | {two['wall']:.1f} "
                f"| {one['wall'] / two['wall']:.2f} | {one['own']:.1f} | {two['own']:.2f} "
                f"| {two['workers']:.1f} | {counted:.2f} |",
                flush=True,
            )
    print("\n| code | wall, each pair | counted, median |\n|---|---|---|")
    for name, measured in pairs.items():
        walls = ", ".join(f"{one['wall'] / two['wall']:.2f}" for one, two in measured)
        counts = [one["own"] / (two["own"] + two["workers"] / 2) for one, two in measured]
        print(f"| {name} | {walls} | {statistics.median(counts):.2f} |")
    print(f"\nA worker's start takes {worker_start():.2f} s of processor time.")


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
