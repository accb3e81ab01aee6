"""The default backtest: time of the whole table, two processes beside one, memory, equal tables.

    python benchmarks/bench_backtest.py
    python benchmarks/bench_backtest.py --start 2021-01 --end 2021-06
    python benchmarks/bench_backtest.py --write /tmp/now --start 2021-01 --end 2021-03
    python benchmarks/bench_backtest.py --against /tmp/then --start 2021-01 --end 2021-03

Bundled release, every default model on clean pseudo-vintages of every month and on delayed ones of
every fifth, with three donors each, as ``make backtest`` takes them; 53 places, 12 horizons, 1,000
draws, streamed into a folder. ``--against`` compares
the tables with those that another commit has written with ``--write`` (put its ``src`` on
``PYTHONPATH``, and take this file): every row, every bit. Each run is a process of its own, so that
its memory is its own; it is that of the run's process, its workers' stand apart. Ratios are what to
quote: the machine may be shared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import odforecast as od
from odforecast.backtesting import Origin, Workers, cuts

KINDS = ("pseudo-clean", "pseudo-delayed")
TABLES = ("scores", "quantiles", "failures")
#: Months between origins.
STEP = {"pseudo-clean": 1, "pseudo-delayed": 5}
#: Aims of the whole tables on two processors, in seconds.
AIMS = {"pseudo-clean": 25, "pseudo-delayed": 70}
#: Origins of the two runs whose memory is compared, and the models.
FEW, MANY = 64, 640
LIGHT = ("naive", "drift")


def span(start: str | None, end: str | None) -> dict[str, str]:
    return {name: month for name, month in (("start", start), ("end", end)) if month}


def many(n: int) -> list[Origin]:
    """So many different origins: the same months again and again, apart by their donors."""
    found = cuts(od.bundled().as_of().panel(), start="2019-01", end="2024-04")
    out: list[Origin] = []
    while len(out) < n:
        turn = len(out) // len(found)
        for origin in found[: n - len(out)]:
            assert origin.panel is not None
            panel = replace(origin.panel, donor=f"turn {turn}") if turn else origin.panel
            out.append(replace(origin, donor=panel.donor, panel=panel))
    return out


def megabytes() -> float:
    """What this process has taken at most, workers left out; Linux counts in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(kind: str, jobs: int, out: Path, start: str | None, end: str | None) -> dict[str, float]:
    """One backtest, in this process; seconds, and megabytes at most."""
    archive = od.bundled()
    with Workers(jobs) if jobs > 1 else contextlib.nullcontext() as executor:
        found = [] if kind in KINDS else many(int(kind))
        held, before = megabytes(), perf_counter()
        if kind in KINDS:
            results = od.backtest(
                origins=kind, archive=archive, progress=False, out=out, executor=executor,
                step=STEP[kind], **span(start, end),
            )  # fmt: skip
        else:
            results = od.backtest(
                LIGHT, found, truth=od.Truth(archive.as_of().panel()), draws=100,
                progress=False, out=out, executor=executor,
            )  # fmt: skip
        seconds = perf_counter() - before
    manifest = results.manifest
    spent = sum(manifest["model_seconds"].values())  # type: ignore[union-attr]
    return {
        "seconds": seconds,
        "models": float(spent),
        "origins": float(len(manifest["origins"])),  # type: ignore[arg-type]
        "labels": float(len(manifest["models"])),  # type: ignore[arg-type]
        "held": held,
        "megabytes": megabytes(),
    }


def apart(kind: str, jobs: int, out: Path, args: argparse.Namespace) -> dict[str, float]:
    """One backtest in a process of its own."""
    command = [sys.executable, __file__, "--one", kind, "--jobs", str(jobs), "--write", str(out)]
    for name, month in span(args.start, args.end).items():
        command += [f"--{name}", month]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def equal(one: Path, other: Path) -> str:
    """What is said of two folders of results; column by column, for a whole table may be large."""
    for name in TABLES:
        a, b = (pq.ParquetFile(folder / f"{name}.parquet") for folder in (one, other))
        if a.schema_arrow.remove_metadata() != b.schema_arrow.remove_metadata():
            return f"{name} differ in their columns"
        for column in a.schema_arrow.names:
            known: dict[object, int] = {}
            x, y = (numbers(f.read([column]).column(0), known) for f in (a, b))
            if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return f"{name} differ in {column}"
    return "equal, to the last bit"


def numbers(column: pa.ChunkedArray, known: dict[object, int]) -> NDArray[Any]:
    """A column as numbers: texts by the order in which they were first seen."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.dictionary_encode()
    if not pa.types.is_dictionary(column.type):
        return np.asarray(column.to_numpy())
    held = column.unify_dictionaries().combine_chunks()
    places = [known.setdefault(text, len(known)) for text in held.dictionary.to_pylist()]
    # The last place is that of what is missing.
    return np.array([*places, -1])[held.indices.fill_null(-1).to_numpy()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--start", help="first month of the origins")
    parser.add_argument("--end", help="last month of the origins")
    parser.add_argument("--jobs", type=int, default=2, help="processes beside one (2)")
    parser.add_argument("--write", type=Path, help="keep the tables in this folder, and stop")
    parser.add_argument("--against", type=Path, help="compare with the tables in this folder")
    parser.add_argument("--no-memory", action="store_true", help="leave out 64 and 640 origins")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(args.one, args.jobs, args.write, args.start, args.end)))
        return
    if args.write:
        for kind in KINDS:
            found = apart(kind, 1, args.write / kind, args)
            print(f"{kind}: {found['seconds']:.1f} s, in {args.write / kind}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = not (args.start or args.end)
        print(
            "| table | models × origins | processes | seconds | of it models | ratio | aim | MB |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for kind in KINDS:
            base = 0.0
            for jobs in (1, args.jobs):
                found = apart(kind, jobs, folder / f"{kind}-{jobs}", args)
                base = base or found["seconds"]
                aim = f"{AIMS[kind]} s" if whole and jobs > 1 else ""
                print(
                    f"| {kind} | {found['labels']:.0f} × {found['origins']:.0f} | {jobs} "
                    f"| {found['seconds']:.1f} | {found['models']:.1f} "
                    f"| {base / found['seconds']:.2f} | {aim} | {found['megabytes']:.0f} |",
                    flush=True,
                )
            print(f"\nOne process and {args.jobs}: "
                  f"{equal(folder / f'{kind}-1', folder / f'{kind}-{args.jobs}')}.\n")  # fmt: skip
            if args.against:
                print(f"And {args.against / kind}: "
                      f"{equal(folder / f'{kind}-1', args.against / kind)}.\n")  # fmt: skip
        if not args.no_memory:
            print("| origins | processes | seconds | MB with the origins | MB at most | more |")
            print("|---|---|---|---|---|---|")
            for n in (FEW, MANY):
                for jobs in (1, args.jobs):
                    found = apart(str(n), jobs, folder / f"{n}-{jobs}", args)
                    print(
                        f"| {n} | {jobs} | {found['seconds']:.1f} | {found['held']:.0f} "
                        f"| {found['megabytes']:.0f} | {found['megabytes'] - found['held']:.0f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
