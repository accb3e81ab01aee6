"""The county backtest on one process, two, and a Dask cluster; what grows with what; as Markdown.

    python benchmarks/bench_cluster.py    # all: a quarter of an hour on two cores
    python benchmarks/bench_cluster.py --part runs --models county county-last
    python benchmarks/bench_cluster.py --part growth --out FOLDER   # growth.png goes there

Seven origins (2021-06..2022-12) of the release of 2023-10-08, five models, 3,142 counties, 1,000
draws, horizons 3, 6, 9 and 12, into a folder each. Tables are compared bit for bit. The machine is
shared: of the runs, ratios are what to quote; elsewhere seconds are those of the processor. Memory
is the peak of a fresh process (``ru_maxrss``).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import pickle
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

import odforecast as od
from odforecast.backtesting import Origin, Results, Unit, Workers, cuts, plan, run_units
from odforecast.backtesting.planning import BLOCK, blocks
from odforecast.backtesting.workers import Local, connected
from odforecast.panel import Panel
from odforecast.scoring import Truth

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
FILE = SHARED / "county" / "2023-10-08.csv.gz"
MODELS = ("county", "county-hub-baseline", "county-last")
JOBS = 2
TABLES = ("scores", "quantiles", "failures")


@cache
def counties() -> Panel:
    """The release of 2023-10-08, with the bundled states beside."""
    from odforecast.sources.county import read_county
    from odforecast.vintage.vintage import county_panel

    states = od.bundled().as_of().panel()
    return county_panel(read_county(FILE).table, states.as_of, states)


def units_of(
    models: Sequence[str], start: str, end: str, places: Sequence[str] | None, draws: int
) -> list[Unit]:
    panel = counties()
    found = cuts(panel, start=start, end=end, step=3)
    return plan([od.get_model(m) for m in models], found, Truth(panel), locations=places,
                draws=draws)  # fmt: skip


def digest(results: Results) -> str:
    """Hash of all that is in the tables."""
    whole = hashlib.sha256()
    for name in TABLES:
        whole.update(pickle.dumps(getattr(results, name).to_dict("list")))
    return whole.hexdigest()[:16]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def peak() -> float:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


# Runs


def timed(units: Sequence[Unit], executor: Any, progress: Any = None) -> tuple[float, str, Results]:
    with folder() as out:
        started = perf_counter()
        results = run_units(units, out=out, executor=executor, progress=progress)
        seconds = perf_counter() - started
        return seconds, digest(results), Results({n: getattr(results, n) for n in TABLES},
                                                 results.manifest)  # fmt: skip


def warm(executor: Any, models: Sequence[str]) -> None:
    """Imports and compilation are paid for before the clock starts, in every process."""
    few = units_of(models, "2022-06", "2022-06", ["DE/*", "HI/*", "RI/*", "NH/*"], 100)
    for _ in range(2):
        run_units(few, executor=executor)


def runs(models: Sequence[str], draws: int) -> None:
    units = units_of(models, "2021-06", "2022-12", None, draws)
    print(f"## {len(units)} units: 7 origins × {len(models)} models, by state, {draws:,} draws\n")
    rows: list[tuple[object, ...]] = []
    warm(None, models)
    serial, first, results = timed(units, None)
    spent = results.manifest["model_seconds"]
    rows.append(("this process", f"{serial:.0f}", "1.00", first, len(results.failures)))
    with Workers(JOBS) as workers:
        warm(workers, models)
        seconds, other, results = timed(units, workers)
        rows.append((f"{JOBS} processes", f"{seconds:.0f}", f"{serial / seconds:.2f}", other,
                     len(results.failures)))  # fmt: skip
    with connected("local", JOBS) as client:
        warm(client, models)
        seconds, other, results = timed(units, client)
        rows.append((f"Dask, {JOBS} workers", f"{seconds:.0f}", f"{serial / seconds:.2f}", other,
                     len(results.failures)))  # fmt: skip
        pids = list(client.run(os.getpid).values())

        def kill(step: Any) -> None:
            if step.done > len(units) // 3 and pids:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()

        seconds, other, results = timed(units, client, kill)
        rows.append(("the same, one worker killed on the way", f"{seconds:.0f}",
                     f"{serial / seconds:.2f}", other, len(results.failures)))  # fmt: skip
    table(["where", "seconds", "times as fast", "hash of the tables", "failures"], rows)
    table(["model", "seconds to fit and forecast"], [(m, f"{s:.1f}") for m, s in spent.items()])
    sent(units)


def sent(units: Sequence[Unit]) -> None:
    """Bytes handed over: every block with its panels, as before, and panels once."""
    made = blocks(units, range(len(units)))
    before = sum(len(pickle.dumps([units[i] for i in b], protocol=5)) for b in made)
    with Workers(1) as workers:
        way = Local(workers)
        for block in made:
            way.pack([units[i] for i in block])
        after, panels = way.sent, len(way.places)
        way.close()
    print(
        f"Bytes handed over in {len(made)} blocks of at most {BLOCK} units: {before / 1e6:,.0f} MB "
        f"with the panels in each, {after / 1e6:,.1f} MB with {panels} panels once (on a cluster "
        f"the panels once a worker).\n"
    )


# Growth


def measured(models: Sequence[str], asked: tuple[str, str, tuple[str, ...] | None, int]) -> Any:
    """Seconds, peak memory and rows of a run in this process, which is a fresh one."""
    units = units_of(models, *asked)
    run_units(units_of(models, "2022-06", "2022-06", ("DE/*",), 50))
    with folder() as out:
        started = process_time()
        results = run_units(units, out=out)
        seconds = process_time() - started
        bytes_ = {n: (out / f"{n}.parquet").stat().st_size for n in TABLES}
        rows = {n: int(results._rows(n).replace(",", "")) for n in TABLES}
    return seconds, peak(), rows, bytes_, results.manifest["model_seconds"]


def in_fresh_process(function: Callable[..., Any], *args: Any) -> Any:
    with Workers(1) as workers:
        return workers.alone(function, *args)


def states_with(n: int) -> tuple[tuple[str, ...], int]:
    """States in the order of their codes, until they have ``n`` counties."""
    from odforecast.geography import find

    count: dict[str, int] = {}
    for fips in counties().locations:
        state = find(fips).state
        count[state] = count.get(state, 0) + 1
    # The few large ones last: every step then has states of much the same size.
    found, total = [], 0
    for state in sorted(count, key=lambda s: (count[s] > 120, s)):
        if total < n:
            found.append(f"{state}/*")
            total += count[state]
    return tuple(found), total


def growth(models: Sequence[str], out: Path) -> None:
    steps: dict[str, list[tuple[int, Any]]] = {"counties": [], "origins": [], "draws": []}
    small = states_with(800)[0]
    for n in (400, 800, 1600, 3142):
        places, held = states_with(n)
        steps["counties"].append((held, ("2022-06", "2022-06", places, 1000)))
    for n, start in ((1, "2022-12"), (2, "2022-09"), (4, "2022-03"), (7, "2021-06")):
        steps["origins"].append((n, (start, "2022-12", small, 1000)))
    for draws in (250, 500, 1000, 2000):
        steps["draws"].append((draws, ("2022-06", "2022-06", small, draws)))
    print(f"## Growth: {', '.join(models)}, one process\n")
    rows, curves = [], {}
    for what, cases in steps.items():
        found = [(n, in_fresh_process(measured, models, asked)) for n, asked in cases]
        x = np.log([n for n, _ in found])
        slope = np.polyfit(x, np.log([m[0] for _, m in found]), 1)[0]
        curves[what] = [(n, m[0], m[1]) for n, m in found]
        rows += [(what, f"{n:,}", f"{m[0]:.1f}", f"{m[1]:,.0f}",
                  f"{slope:.2f}" if i == 0 else "") for i, (n, m) in enumerate(found)]  # fmt: skip
    table(["of", "number", "seconds", "peak MB", "seconds grow with the power"], rows)
    drawn(curves, out / "growth.png")
    print(f"picture: {out / 'growth.png'}\n")


def drawn(curves: dict[str, list[tuple[int, float, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    for ax, (what, points) in zip(axes, curves.items()):
        n, seconds, memory = (np.array(v) for v in zip(*points))
        ax.plot(n, seconds, "o-", color="#1f5f8b", label="seconds")
        ax.plot(n, seconds[-1] * n / n[-1], ":", color="#888888", label="in proportion")
        ax.set(xlabel=what, xlim=(0, None), ylim=(0, None))
        other = ax.twinx()
        other.plot(n, memory, "s--", color="#b3541e", label="peak MB")
        other.set_ylim(0, 1.25 * memory.max())
        if ax is axes[0]:
            ax.set_ylabel("seconds")
            ax.legend(loc="lower right")
        if ax is axes[-1]:
            other.set_ylabel("peak memory, MB", color="#b3541e")
    figure.suptitle("County backtest, one process: time and memory")
    figure.savefig(path, dpi=120)


# Memory


def many_origins(n: int) -> tuple[float, float, int]:
    """A cheap model of the states over ``n`` origins: the 75 there are, again and again."""
    panel = od.bundled().as_of().panel()
    found = cuts(panel, start="2018-02", end="2024-04")
    found = [found[i % len(found)] for i in range(n)]
    found = [Origin(o.as_of, o.vintage, replace(o.panel)) for o in found if o.panel is not None]
    units = plan(["hub-baseline"], found, Truth(panel), draws=100)
    started = process_time()
    rows = int(run_units(units)._rows("quantiles").replace(",", ""))
    return process_time() - started, peak(), rows


def memory() -> None:
    print("## Memory: hub-baseline of the states, one process\n")
    rows = []
    for n in (16, 160):
        seconds, mb, kept = in_fresh_process(many_origins, n)
        rows.append((n, f"{kept:,}", f"{seconds:.0f}", f"{mb:,.0f}"))
    table(["origins", "rows of quantiles", "seconds", "peak MB"], rows)


# Costs


def costs(models: Sequence[str]) -> None:
    """What 3,142 counties × 40 origins × 10 models take, from one origin of each model here."""
    print("## Costs: 3,142 counties, one origin, 1,000 draws, one process\n")
    rows, total = [], 0.0
    bytes_of = dict.fromkeys(TABLES, 0.0)
    for model in models:
        asked = ("2022-06", "2022-06", None, 1000)
        seconds, mb, made, size, spent = in_fresh_process(measured, [model], asked)
        total += seconds
        for name in bytes_of:
            bytes_of[name] += size[name] / len(models)
        rows.append((model, f"{seconds:.1f}", f"{spent[model]:.1f}", f"{mb:,.0f}",
                     f"{made['scores']:,}", f"{made['quantiles']:,}"))  # fmt: skip
    table(["model", "seconds in all", "of them to fit and forecast (wall)", "peak MB",
           "score rows", "quantile rows"], rows)  # fmt: skip
    runs_ = 40 * 10
    mean = total / len(models)
    size = sum(bytes_of.values()) * runs_
    print(
        f"Mean {mean:.1f} s an origin and model; × {runs_} = {mean * runs_ / 3600:.1f} core hours, "
        f"{mean * runs_ / 100 / 60:.1f} minutes on 100 cores without any loss. Tables: "
        f"{12_568 * runs_ / 1e6:.1f} million score rows, {size / 1e9:.2f} GB "
        f"({', '.join(f'{n} {b * runs_ / 1e9:.2f}' for n, b in bytes_of.items())}).\n"
    )
    writing(models)


def writing(models: Sequence[str]) -> None:
    """Seconds that the process which gathers the results takes for each origin and model."""
    units = units_of(models[1:3], "2022-06", "2022-06", None, 100)
    from odforecast.backtesting.results import put_together
    from odforecast.backtesting.store import UnitStore
    from odforecast.backtesting.unit import run_block

    answers = {block[0]: run_block([units[i] for i in block])
               for block in blocks(units, range(len(units)))}  # fmt: skip
    with folder() as out:
        store = UnitStore(out / "units", out / "own")
        started = process_time()
        for block in blocks(units, range(len(units))):
            store.save([units[i] for i in block], answers[block[0]])
        stored = process_time() - started
        of = {i: o for block in blocks(units, range(len(units)))
              for i, o in zip(block, answers[block[0]].outcomes)}  # fmt: skip
        put_together(units, [of[i] for i in range(len(units))], store, out, [], {})
        both = process_time() - started
    size = sum(len(pickle.dumps(answer)) for answer in answers.values())
    print(
        f"Per origin and model the process that gathers takes {stored / 2:.2f} s to store blocks "
        f"and {(both - stored) / 2:.2f} s to write tables, and gets {size / 2e6:.1f} MB of "
        f"answers.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("runs", "growth", "memory", "costs")
    parser.add_argument("--part", choices=("all", *parts), default="all")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--draws", type=int, default=1000, help="of the runs")
    parser.add_argument("--out", type=Path, help="folder for the picture")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp())
    out.mkdir(parents=True, exist_ok=True)
    chosen = parts if given.part == "all" else (given.part,)
    if "costs" in chosen:
        costs(given.models)
    if "memory" in chosen:
        memory()
    if "growth" in chosen:
        growth([m for m in given.models if m in ("county", "county-hub-baseline")], out)
    if "runs" in chosen:
        runs(given.models, given.draws)


if __name__ == "__main__":
    main()
