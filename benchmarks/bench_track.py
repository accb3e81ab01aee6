"""Does the clock of a scenario mean what it says?

``own``: everything is drawn from the prior and the estimator's own generator. Of the worlds to
which the clock gives a chance of about 80%, 80% should be so.

``martingale``: at every month since 2019, the mean chance one month later over the clock's own
worlds, less today's. It should be 0.

``planted``: changes of -10 to -40% are planted in real counts of 2019 to 2024. How often does the
clock show them, and how often did its own worlds, drawn before the onset, say that it would?

``turns``: epidemics that turn by themselves, without any effect. The chance of nothing must not
fall.

``replay``: the change of mid-2023 with a neutral prior (Normal(0, 0.4), nothing with probability
one half), on real releases as they were on their day, and on final counts cut at four months.

    python benchmarks/bench_track.py                         about ten minutes on one core
    python benchmarks/bench_track.py martingale planted
    python benchmarks/bench_track.py replay --releases DIR   also releases in a folder of files
    python benchmarks/bench_track.py late --releases DIR     what is late, at dates without a change
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.evidence.calibration import EVENT as SIMULATED
from odforecast.evidence.calibration import GRID as OWN_GRID
from odforecast.evidence.calibration import LOCATIONS, ONSET, simulate_own, simulated_months
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats
from odforecast.scenario import Intervention, LogNormal, Normal, Uniform, clock
from odforecast.scenario.detection import AFTER, SIZES, SURE, chances_by_size
from odforecast.scenario.effects import Estimator, random_timing
from odforecast.scenario.worlds import worlds_of
from odforecast.seeds import seed_from
from odforecast.sources.vsrr import read_vsrr

SHOCK, RESUMED = (
    od.scenario.named(name, onset="2020-01").interventions[0]
    for name in ("supply-shock-2023-like", "cooperation-resumed")
)
#: Draws of the timing of an estimator that is used many times.
LIGHT = 64
NEUTRAL = Intervention(
    "neutral", Normal(0.0, 0.4), onset="2023-07", p_null=0.5, lag=LogNormal(2, 0.6),
    ramp=Uniform(9, 15), half_life=LogNormal(30, 0.7), scope="T40.4",
)  # fmt: skip


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


def martingale(archive: od.Archive, n: int) -> None:
    """Next month's mean chance less today's, at every month since 2019."""
    print("\n| counts | onset before the last month | releases | mean difference | largest |\n"
          "|---|---:|---:|---:|---:|")  # fmt: skip
    for scope in ("T40.4", "all-drugs"):
        panel = archive.as_of(archive.last_seen).panel(scope)
        months = np.arange(np.datetime64("2019-01"), panel.final_through)
        for back in (12, 20):
            gaps = []
            for month in months:
                cut = panel.cut(month + clock.YOUNGEST * ONE_MONTH)
                x = replace(RESUMED, onset=str(month - (back - 1) * ONE_MONTH), scope=scope)
                reader = clock.Clock(x, "US", None, (), 1)
                reading = reader.reading(cut, dict.fromkeys(cut.locations, 1.0))
                found = reader.posteriors(reading, until=month)
                now = np.mean([reader.chances(p) for p in found], axis=0)
                made = worlds_of(reader, reading, found)
                said = [
                    np.mean([reader.chances(p)[0] for p in made.read(drawn, made.n_known + 1)])
                    for drawn in (made.draw(kind, n) for kind in (-1, 0, 1))
                ]
                gaps.append(float(now @ said - now[0]))
            gap = np.array(gaps)
            print(f"| {scope} | {back} months | {gap.size} | {gap.mean():+.4f} | "
                  f"{np.abs(gap).max():.3f} |", flush=True)  # fmt: skip


def planted(archive: od.Archive) -> None:
    """Changes planted in real counts: how often they show, and were expected to."""
    print("\n| scenario | counts | change | " + " | ".join(
        f"{k} months: shown | expected" for k in AFTER[:4]
    ) + " | onsets |\n|---|---|---:|" + "---:|" * 9)  # fmt: skip
    newest = archive.as_of(archive.last_seen)
    for event, scope in ((SHOCK, "T40.4"), (SHOCK, "all-drugs"), (RESUMED, "T40.4")):
        panel = newest.panel(scope)
        felt = dict.fromkeys(panel.locations, 1.0)
        shown: dict[int, list[list[bool]]] = {-size: [] for size in SIZES}
        expected = []
        for onset in np.arange("2019-01", "2021-08", 3, dtype="datetime64[M]"):
            x = replace(event, onset=str(onset), scope=scope)
            reader = clock.Clock(x, "US", None, (), 1)
            eve = reader.reading(panel.cut(onset), felt)
            made = worlds_of(reader, eve, reader.posteriors(eve, until=eve.months[-1]))
            expected.append(chances_by_size(reader, made))
            last = reader.month(AFTER[3])
            real = reader.reading(panel.cut(last + clock.YOUNGEST * ONE_MONTH), felt)
            rng = np.random.default_rng(seed_from("planted", str(onset)))
            shape = random_timing(x, rng).shape(real.months)[0]
            for size, rows in shown.items():
                factor = np.exp(np.log1p(size / 100) * shape)
                counts = replace(real, deaths=real.deaths * factor, nation=real.nation * factor)
                sure = []
                for k in AFTER[:4]:
                    at = int((reader.month(k) - counts.months[0]).astype(int)) + 1
                    found = reader.posteriors(counts.until(at), until=reader.month(k))
                    said = [reader.chances(p, clock.even_odds(x))[0] for p in found]
                    sure.append(bool(np.mean(said) >= SURE))
                rows.append(sure)
        mean = pd.concat(expected).groupby(["size", "months"])["chance"].mean()
        for size, rows in shown.items():
            if size not in mean:
                continue
            share = np.mean(rows, axis=0)
            cells = [f"{share[i]:.2f} | {mean[size, k]:.2f}" for i, k in enumerate(AFTER[:4])]
            print(f"| {event.name} | {scope} | {size}% | {' | '.join(cells)} | {len(rows)} |",
                  flush=True)  # fmt: skip


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
            made = Estimator(months[: at + k], x, locations=20, nation=1.0, draws=LIGHT)
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
    parser.add_argument("part", nargs="*", default=["own", "martingale", "planted", "turns"])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--turns", type=int, default=100, help="epidemics of each row")
    parser.add_argument("--releases", type=Path, help="folder of CDC's files")
    given = parser.parse_args()
    if "own" in given.part:
        own(3 * given.worlds)
    if "martingale" in given.part:
        martingale(od.bundled(), given.worlds)
    if "planted" in given.part:
        planted(od.bundled())
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
