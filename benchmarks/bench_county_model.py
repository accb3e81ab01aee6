"""The county model: its constants, its time and memory, and how they grow.

Run ``python benchmarks/bench_county_model.py FOLDER`` with the folder that holds ``county/``;
prints Markdown for benchmarks/RESULTS.md. ``--constants`` estimates those of
``src/odforecast/models/county/filter.py`` instead, on the counts up to 2021-06 and no others.
Every measurement is a process of its own, one thread, compiled code ready.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import odforecast as od
from odforecast.geography.places import by_fips
from odforecast.models.county.filter import LEVELS, PHI, STEP, log_likelihood
from odforecast.models.county.model import County, ModelPaths
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel
from odforecast.sources.county import read_county
from odforecast.vintage.vintage import county_panel

#: Last month that the constants may know: that of the first origin that is reported.
KNOWN = "2021-06"
RELEASE = "county/2023-10-08.csv.gz"


def counties(folder: Path) -> Panel:
    """The release, with the bundled states beside it."""
    states = od.bundled().as_of().panel()
    return county_panel(read_county(folder / RELEASE).table, states.as_of, states)


def levels(panel: Panel, people: dict[str, float]) -> None:
    """Gamma distribution of the levels by class, of deaths and of rates, by likelihood."""
    from scipy.optimize import minimize

    low, high = panel.low[:, -1], panel.high[:, -1]
    told = np.isfinite(low) & np.isfinite(high)
    urban = np.array([panel.urban[s] for s in panel.locations])
    persons = np.array([people.get(s, np.nan) for s in panel.locations])
    for name, scale in (("levels", np.ones(low.size)), ("rates", persons / 1e5)):
        if np.isnan(scale).all():
            continue
        for code in sorted(set(urban)):
            some = told & (urban == code) & np.isfinite(scale)

            def loss(x, some=some, scale=scale):
                mean = scale[some, None] * np.exp(x[0])
                shape = np.full(mean.shape, np.exp(x[1]))
                return -log_likelihood(mean, shape, low[some], high[some]).sum()

            best = minimize(loss, [np.log(20.0), 0.0], method="Nelder-Mead")
            mean, shape = np.exp(best.x)
            print(f"{name}[{str(code)!r}] = ({mean:.3g}, {shape:.2g})  # {some.sum()} counties")


def factors(panel: Panel) -> None:
    """How far the states are from that."""
    low, high = panel.low[:, -1], panel.high[:, -1]
    state = np.array([by_fips()[s].state for s in panel.locations])
    grid = np.linspace(-1.6, 1.6, 129)
    best = []
    for name in sorted(set(state)):
        rows = np.flatnonzero((state == name) & np.isfinite(low) & np.isfinite(high))
        if rows.size < 10:
            continue
        mean = np.array([LEVELS[panel.urban[panel.locations[r]]][0] for r in rows])
        shape = np.array([LEVELS[panel.urban[panel.locations[r]]][1] for r in rows])
        means = mean[:, None] * np.exp(grid)
        shapes = np.broadcast_to(shape[:, None], means.shape)
        best.append(grid[log_likelihood(means, shapes, low[rows], high[rows]).sum(axis=0).argmax()])
    print(f"STATE = {np.std(best):.2f}  # {len(best)} states with 10 counties and more")


def profile(panel: Panel) -> None:
    """Log likelihood of visible counts that follow a visible count, by both scales."""
    print("\n| sd of the level's step a month | " + " | ".join(f"phi {p}" for p in PHIS) + " |")
    print("|---" * (len(PHIS) + 1) + "|")
    paths = ModelPaths(od.get_model())
    for step in STEPS:
        fits = [County(paths, phi=phi, step=step).fit(panel) for phi in PHIS]
        found = [sum(s.known.loglik for s in fit.states.values()) for fit in fits]
        print(f"| {step} | " + " | ".join(f"{x:,.0f}" for x in found) + " |")


PHIS, STEPS = (0.8, 0.9, 1.0, 1.1, 1.2), (0.0, 0.02, 0.03, 0.04, 0.05, 0.07)


def residence(panel: Panel) -> None:
    """Residence over occurrence where at most a tenth is hidden: spread, and change in a year."""
    beside = panel.beside["states"]
    state = np.array([by_fips()[s].state for s in panel.locations])
    level, change = [], []
    for name in sorted(set(state)):
        rows = state == name
        if panel.lost[rows].any() or name not in beside.locations:
            continue
        total = beside.reported[beside.index(name), -panel.months.size :]
        hidden = 3.5 * panel.hidden[rows].sum(axis=0)
        ratio = (np.nansum(panel.reported[rows], axis=0) + hidden) / total
        if (hidden / total).max() > 0.1:
            continue
        level.append(np.log(ratio[-1]))
        change.append(np.log(ratio[-1] / ratio[-13]))
    spread = 1.4826 * np.median(np.abs(np.array(level) - np.median(level)))
    print(
        f"\n{len(level)} states: median ratio {np.exp(np.median(level)):.3f}, robust sd "
        f"{spread:.3f}; sd of the change in a year {np.std(change):.3f}, "
        f"robust {1.4826 * np.median(np.abs(change)):.3f}"
    )


def constants(folder: Path) -> None:
    panel = counties(folder).cut(KNOWN)
    states = panel.beside["states"]
    print(f"Counts up to {panel.last_month}, states as of {states.release} cut there")
    people = {}
    file = folder / "covariates" / "county_population.csv"
    if file.exists():
        rows = [line.split(",") for line in file.read_text().split()[1:]]
        people = {fips: float(n) for fips, n, _ in rows if n}
    levels(panel, people)
    factors(panel)
    profile(panel)
    residence(panel)
    print(f"\nin use: PHI = {PHI}, STEP = {STEP}, LEVELS = {LEVELS}")


def measured(folder: Path, states: int, origins: int, draws: int) -> dict[str, float]:
    """Time and peak memory of fits and forecasts, in this process."""
    panel = counties(folder)
    cuts = [panel.cut(panel.settled_through - k * ONE_MONTH) for k in range(origins)]
    del panel
    if states:
        names = sorted({by_fips()[s].state for s in cuts[0].locations})[:states]
        keep = [s for s in cuts[0].locations if by_fips()[s].state in names]
        cuts = [c.select(keep) for c in cuts]
    model = od.get_model("county")
    model.fit(cuts[0]).forecast(draws=2)  # compiled code and everything imported
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, cpu = time.perf_counter(), time.process_time()
    for cut in cuts:
        made = model.fit(cut).forecast(draws=draws, seed=2)
        n = len(made.locations)
        del made
    return {
        "counties": n,
        "origins": origins,
        "draws": draws,
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "before": before,
    }


def speed(folder: Path) -> None:
    """The table of times, one process each."""
    runs = [(0, 1, 1000), (0, 1, 250), (0, 1, 500), (0, 1, 2000), (6, 1, 1000), (13, 1, 1000),
            (26, 1, 1000), (0, 2, 1000), (0, 4, 1000)]  # fmt: skip
    print("| counties | origins | draws | seconds | CPU s | peak GiB | before the forecast, GiB |")
    print("|---|---|---|---|---|---|---|")
    one = {
        f"{n}_NUM_THREADS": "1" for n in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR", "VECLIB")
    }
    for states, origins, draws in runs:
        done = subprocess.run(
            [sys.executable, __file__, str(folder), "--one", str(states), str(origins), str(draws)],
            capture_output=True, text=True, check=True, env={**os.environ, **one},
        )  # fmt: skip
        x = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {x['counties']:,} | {x['origins']} | {x['draws']:,} | {x['seconds']:.1f} | "
            f"{x['cpu']:.1f} | {x['gib']:.2f} | {x['before']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    where = Path(sys.argv[1])
    if "--constants" in sys.argv:
        constants(where)
    elif "--one" in sys.argv:
        print(json.dumps(measured(where, *map(int, sys.argv[3:6]))))
    else:
        speed(where)
