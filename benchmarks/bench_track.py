"""Does the clock of a scenario mean what it says?

``own``: everything is drawn from the prior and the estimator's own generator. Of the worlds to
which the clock gives a chance of about 80%, 80% should be so.

``worlds``: made-up worlds, half of them with an effect that works, half without (nothing, or an
effect that backfires), on the default model's own draws from several origins of final counts.

``turns``: epidemics that turn by themselves, without any effect. The chance of nothing must not
fall.

``replay``: the change of mid-2023 with a neutral prior (Normal(0, 0.4), nothing with probability
one half), on real releases as they were on their day, and on final counts cut at four months.

    python benchmarks/bench_track.py                         about ten minutes on one core
    python benchmarks/bench_track.py worlds --worlds 100
    python benchmarks/bench_track.py replay --releases DIR   also releases in a folder of files
    python benchmarks/bench_track.py late --releases DIR     what is late, at dates without a change
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.evidence.calibration import EVENT as SIMULATED
from odforecast.evidence.calibration import GRID as OWN_GRID
from odforecast.evidence.calibration import LOCATIONS, ONSET, simulate_own, simulated_months
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats
from odforecast.scenario import Intervention, LogNormal, Normal, Uniform, clock
from odforecast.scenario.clock import COARSE, LIGHT
from odforecast.scenario.effects import Estimator
from odforecast.scenario.track import Worlds
from odforecast.seeds import seed_from
from odforecast.sources.vsrr import read_vsrr

#: Works with .50, nothing with .31, backfires with .19.
EVENT = Intervention(
    "made-up", Normal(-0.15, 0.25), onset="2020-01", p_null=0.31, lag=LogNormal(3, 0.6),
    ramp=Uniform(6, 12), half_life=LogNormal(24, 0.7),
)  # fmt: skip
NEUTRAL = Intervention(
    "neutral", Normal(0.0, 0.4), onset="2023-07", p_null=0.5, lag=LogNormal(2, 0.6),
    ramp=Uniform(9, 15), half_life=LogNormal(30, 0.7), scope="T40.4",
)  # fmt: skip
ORIGINS = ("2018-12", "2020-12", "2022-12", "2024-12")
MONTHS = (6, 12, 24, 36, 60)


def calibrated(works: Floats, other: Floats) -> None:
    """Print how often what the clock said was so; chances of shape (months, worlds)."""
    print("| chance given to what is likelier | cases | mean chance | so | Monte Carlo error |")
    print("|---|---:|---:|---:|---:|")
    edges = (0.5, 0.6, 0.7, 0.75, 0.85, 0.95, 1.01)
    for low, high in pairwise(edges):
        given, true = [], []
        for said, so in ((works, True), (other, False)):
            sure = np.maximum(said, 1.0 - said)
            at = (sure >= low) & (sure < high)
            given.append(sure[at])
            true.append(((said > 0.5) == so)[at])
        chances, hits = np.concatenate(given), np.concatenate(true)
        if hits.size:
            # Months of one world are one case, as far as chance goes.
            share, cases = hits.mean(), max(hits.size / len(works), 1.0)
            error = np.sqrt(max(share * (1 - share), 0.01) / cases)
            print(f"| {low:.0%} to {min(high, 1):.0%} | {hits.size} | {chances.mean():.3f} | "
                  f"{share:.3f} | {error:.3f} |")  # fmt: skip


def alarms(works: Floats, other: Floats, none: Floats, months: tuple[int, ...]) -> None:
    """Print how often worlds are called 80%, and how many of them wrongly."""
    print("\n| months of counts | mean chance that it works, if so | if not | called 80% that it "
          "works: so | expected by their chances | of worlds without an effect, called so |\n"
          "|---|---:|---:|---:|---:|---:|")  # fmt: skip
    for i, k in enumerate(months):
        right, wrong = (works[i] >= 0.8).sum(), (other[i] >= 0.8).sum()
        both = np.concatenate([works[i], other[i]])
        alarm = f"{(none[i] >= 0.8).sum()} of {none.shape[1]}"
        print(f"| {k} | {works[i].mean():.3f} | {other[i].mean():.3f} | {right} of "
              f"{right + wrong} | {both[both >= 0.8].sum():.1f} | {alarm} |")  # fmt: skip


def own(n: int) -> None:
    """Calibration on the estimator's own generator: everything drawn from the prior."""
    felt, after = np.ones(LOCATIONS), (6, 12, 20)
    months = simulated_months()
    made = [
        Estimator(months[: ONSET + k], SIMULATED, felt, draws=LIGHT, grid=OWN_GRID) for k in after
    ]
    said, size = [], []
    for i in range(n):
        panel, truth = simulate_own(np.random.default_rng(seed_from("track own", i)), felt)
        found = [e.posterior(panel[:, : ONSET + k]) for e, k in zip(made, after)]
        said.append([clock.chances_of(f)[0] for f in found])
        size.append(truth["size"])
    chances, beta = np.array(said).T, np.array(size)
    print(f"\n{n} worlds of the estimator's own generator, {(beta < 0).sum()} in which it works, "
          f"{(beta == 0).sum()} with nothing\n")  # fmt: skip
    calibrated(chances[:, beta < 0], chances[:, beta >= 0])
    alarms(chances[:, beta < 0], chances[:, beta >= 0], chances[:, beta == 0], after)


def worlds(n: int) -> None:
    """Calibration on the model's own draws."""
    archive = od.bundled()
    newest = archive.as_of(archive.last_seen)
    found: dict[str, list[Floats]] = {"works": [], "does not work": []}
    null: list[Floats] = []
    started = time.process_time()
    for origin in ORIGINS:
        panel = newest.panel().cut(origin)
        x = replace(EVENT, onset=str(panel.last_month + 2 * ONE_MONTH))
        there = SimpleNamespace(panel=lambda p=panel: p, date=panel.as_of)
        reader = clock.Clock(x, "US", archive, (), 1)
        made = Worlds(reader, there, [], od.get_model(), n // (2 * len(ORIGINS)))
        arms, _ = made.arms()
        for world, arm in arms.items():
            said = np.stack(
                [made.chances(made.label, arm, k, made.draws)[made.label][:, 0] for k in MONTHS]
            )
            found[world].append(said)
            if world != "works":
                null.append(said[:, arm.beta == 0.0])
    works, other = (np.concatenate(parts, axis=1) for parts in found.values())
    print(f"\n{works.shape[1]} worlds on the model's draws in which it works, {other.shape[1]} in "
          f"which it does not; {time.process_time() - started:.0f} s\n")  # fmt: skip
    calibrated(works, other)
    alarms(works, other, np.concatenate(null, axis=1), MONTHS)


def turning(rng: np.random.Generator, n_time: int, middle: float, places: int = 20) -> Floats:
    """An epidemic whose growth turns from +2 to -2% a month within about a year, (S, T)."""
    level = rng.uniform(np.log(30.0), np.log(400.0), (places, 1))
    growth = 0.04 / (1.0 + np.exp((np.arange(n_time) - middle) / 3.0)) - 0.02
    logs = level + np.cumsum(growth + rng.normal(0.0, 0.015, n_time))
    logs = logs + np.cumsum(rng.normal(0.0, 0.02, (places, n_time)), axis=1)
    return rng.poisson(np.exp(logs)).astype(float)


def turns(n: int) -> None:
    """Epidemics that turn by themselves."""
    months = np.arange("2016-01", "2025-01", dtype="datetime64[M]")
    x = replace(NEUTRAL, onset="2020-01", scope="all-drugs")
    at = int((x.onset[0] - months[0]).astype(int))
    print("\n| turn, months after the onset | months of counts | works | nothing | backfires | "
          "called 80% that it works |\n|---|---:|---:|---:|---:|---:|")  # fmt: skip
    for name, low, high in (("none", 1e6, 1e6), ("-12 to 0", -12, 0), ("0 to 12", 0, 12),
                            ("12 to 36", 12, 36)):  # fmt: skip
        panels = []
        for i in range(n):
            rng = np.random.default_rng(seed_from("turns", name, i))
            middle = at + rng.uniform(low, high)
            panels.append(turning(rng, months.size, middle))
        for k in (12, 24, 36, 60):
            made = Estimator(months[: at + k], x, locations=20, nation=1.0, draws=LIGHT,
                             grid=COARSE)  # fmt: skip
            said = np.array([
                clock.chances_of(made.posterior(p[:, : at + k], p[:, : at + k].sum(axis=0)))
                for p in panels
            ])  # fmt: skip
            mean = said.mean(axis=0)
            print(f"| {name} | {k} | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} | "
                  f"{(said[:, 0] >= 0.8).mean():.2f} |", flush=True)  # fmt: skip


def releases_in(folder: Path, into: Path) -> od.Archive:
    """An archive of the releases of a folder that can be read."""
    archive = od.Archive(into)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            archive.add(read_vsrr(path))
        except OdforecastError as error:
            print(f"left out: {error.message[:100]}")
    return archive


def replay(archive: od.Archive) -> None:
    """The change of mid-2023 with a neutral prior."""
    print("\n| counts | read through | works | nothing | backfires | sd from what is late |")
    print("|---|---|---:|---:|---:|---:|")
    for scope in ("T40.4", "all-drugs"):
        reader = clock.Clock(replace(NEUTRAL, scope=scope), "US", archive, (), 1)
        for row in reader.so_far()[0][1:]:
            print(f"| {scope}, release of {row['release']:%Y-%m-%d} | {row['month']} | "
                  f"{row['works']:.2f} | {row['nothing']:.2f} | {row['backfires']:.2f} | "
                  f"{row['late_sd']:.2f} |")  # fmt: skip
        newest = archive.as_of(archive.last_seen)
        panel, felt = newest.panel(scope), reader.felt(newest)
        for month in ("2024-03", "2024-06", "2024-09", "2024-12"):
            cut = panel.cut(np.datetime64(month) + clock.YOUNGEST * ONE_MONTH)
            found = reader.posteriors(reader.reading(cut, felt), np.datetime64(month))
            works, nothing, backfires = np.mean([reader.chances(p) for p in found], axis=0)
            print(f"| {scope}, newest release cut | {month} | {works:.2f} | {nothing:.2f} | "
                  f"{backfires:.2f} | |")  # fmt: skip


def late(archive: od.Archive) -> None:
    """Real releases at made-up onsets: as released, completed, and as final."""
    newest = archive.as_of(archive.last_seen).panel()
    rows = []
    for day in archive.releases()[:-1]:
        try:
            panel = archive.as_of(day).panel()
        except OdforecastError:
            continue
        if "US" not in panel.locations or not np.isfinite(panel.reported[panel.index("US"), -1]):
            continue
        for back in (6, 9, 12, 18):
            onset = panel.last_month - (back - 1) * ONE_MONTH
            if onset - 24 * ONE_MONTH < panel.month_grid[0]:
                continue
            x = replace(NEUTRAL, onset=str(onset), scope="all-drugs", size=Normal(0.0, 0.3))
            reader = clock.Clock(x, "US", archive, (), 1)
            try:
                final = newest.cut(panel.last_month)
            except OdforecastError:  # not settled yet
                continue
            said = []
            for p in (replace(panel, final_through=panel.last_month), panel, final):
                read = reader.reading(p, dict.fromkeys(p.locations, 1.0))
                found = reader.posteriors(read, np.datetime64(day, "M"))
                said.append(np.mean([clock.chances_of(f) for f in found], axis=0))
            rows.append((back, *(value for three in said for value in three[:2])))
    table = np.array(rows)
    print("\n| months since the onset | works: as released | completed | as final | nothing: as "
          "released | completed | as final | n |\n"
          "|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
    for back in (6, 9, 12, 18):
        at = table[table[:, 0] == back][:, 1:]
        mean = at.mean(axis=0)[[0, 2, 4, 1, 3, 5]]
        print(f"| {back} | {' | '.join(f'{m:.2f}' for m in mean)} | {len(at)} |")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", default=["own", "worlds", "turns", "replay"])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--turns", type=int, default=100, help="epidemics of each row")
    parser.add_argument("--releases", type=Path, help="folder of CDC's files")
    given = parser.parse_args()
    if "own" in given.part:
        own(3 * given.worlds)
    if "worlds" in given.part:
        worlds(given.worlds)
    if "turns" in given.part:
        turns(given.turns)
    if {"replay", "late"} & set(given.part):
        with tempfile.TemporaryDirectory() as folder:
            here = od.bundled()
            archive = here if given.releases is None else releases_in(given.releases, Path(folder))
            for name, part in (("replay", replay), ("late", late)):
                if name in given.part:
                    part(archive)


if __name__ == "__main__":
    main()
