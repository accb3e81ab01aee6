"""Does the 90% set of months contain the month in which a change began?

One change of -10, -20 or -40% is planted at a random month in real monthly deaths of 2015 to 2022:
six years of counts of a place, of random states together, or of one state, as they happened. The
change is reached in 9 to 15 months and stays. ``od.scenario.when`` may look for it in 45 months,
each as likely. Its smallest set of 90% should contain the true month in 85 to 95% of the plants.

The states are split at random into two halves. Choices were made on the first; the second is
reported. All plants share one history, in which deaths rose by a third in 2020, so they are not
independent: the error is larger than the binomial one.

    python benchmarks/bench_when.py              about 3 minutes on one core
    python benchmarks/bench_when.py --plants 30 --half 1
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Panel
from odforecast.scenario import Fixed, Intervention, Normal, Uniform
from odforecast.scenario.past import FEWEST
from odforecast.scenario.when import LEAD, REST, SPAN, weigh_months
from odforecast.seeds import seed_from

CHANGE = Intervention("planted", Normal(0.0, 0.4), onset="2020-01", ramp=Uniform(9, 15),
                      spread=Fixed(0.0))  # fmt: skip
SIZES = (0.0, -10.0, -20.0, -40.0)
LENGTH = LEAD + SPAN
N_MONTHS = SPAN - REST
FIRST = {"all-drugs": "2014-02", "T40.4": "2015-01"}
LAST = np.datetime64("2022-12")


class Plant(NamedTuple):
    """Counts without the change, and when and how slowly one is planted."""

    months: Months
    deaths: Floats
    #: Position of the true month in the window.
    onset: int
    ramp: float


def plants(
    panel: Panel, kind: str, half: int, n: int, ramps: tuple[float, float], seed: int
) -> Iterator[Plant]:
    """So many plants in the nation, in groups of states, or in single states."""
    states = sorted(s for s in JURISDICTIONS if s in panel.locations)
    order = np.random.default_rng(seed_from("bench when", "halves")).permutation(states)
    states = order[half - 1 :: 2].tolist()
    rng = np.random.default_rng(seed_from("bench when", seed, kind, half, panel.indicator))
    grid = panel.month_grid
    earliest = np.datetime64(FIRST["T40.4" if "T40.4" in panel.indicator else "all-drugs"])
    starts = np.flatnonzero((grid >= earliest) & (grid + (LENGTH - 1) * ONE_MONTH <= LAST))
    done = 0
    while done < n:
        start = int(rng.choice(starts))
        size = {"nation": 0, "group": int(rng.integers(8, len(states) + 1)), "state": 1}[kind]
        places = ["US"] if kind == "nation" else rng.choice(states, size, replace=False)
        rows = [panel.index(str(place)) for place in places]
        counts = panel.monthly[rows, start : start + LENGTH]
        counts = counts[np.nan_to_num(counts).min(axis=1) >= FEWEST]
        onset, ramp = int(rng.integers(N_MONTHS)), float(rng.uniform(*ramps))
        if len(counts) < min(size, 4):
            continue
        done += 1
        yield Plant(grid[start : start + LENGTH], counts.sum(axis=0), onset, ramp)


def found(plant: Plant, percent: float, direction: str) -> dict[str, float]:
    """What the estimator says of one plant."""
    window = plant.months[LEAD : LEAD + N_MONTHS]
    true = replace(CHANGE, onset=str(window[plant.onset]), ramp=Fixed(plant.ramp))
    deaths = plant.deaths * np.exp(np.log1p(percent / 100.0) * true.curve(plant.months))
    change = replace(CHANGE, onset=(str(window[0]), str(window[-1])), direction=direction)
    weights, _ = weigh_months(change, plant.months, deaths[None], n_months=N_MONTHS)
    posterior = weights / weights.sum()
    order = np.argsort(-posterior)
    n_set = int(np.searchsorted(np.cumsum(posterior[order])[:-1], 0.9)) + 1
    before = float(posterior[: plant.onset].sum())
    return {
        "in set": float(plant.onset in order[:n_set]),
        "months": float(n_set),
        "in interval": float(before < 0.95 and before + posterior[plant.onset] > 0.05),
        "none": 1.0 - float(weights.sum()),
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plants", type=int, default=100, help="plants of each row")
    parser.add_argument("--half", type=int, default=2, choices=(1, 2))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ramps", type=float, nargs=2, default=(9.0, 15.0), help="of plants")
    given = parser.parse_args()
    rows = []
    for indicator in FIRST:
        panel = od.bundled().as_of().panel(indicator)
        for kind in ("nation", "group", "state"):
            options = (kind, given.half, given.plants, tuple(given.ramps), given.seed)
            for plant in plants(panel, *options):
                for direction in ("either", "fall"):
                    for percent in SIZES:
                        row = found(plant, percent, direction)
                        rows.append((indicator, direction, kind, percent, row))
    keys = ["indicator", "direction", "places", "change"]
    table = pd.DataFrame([row[:4] for row in rows], columns=keys)
    table = table.join(pd.DataFrame([row[4] for row in rows]))
    planted = table[table["change"] < 0]
    print("| deaths | prior | places | change | in the 90% set | months in it | in the interval | "
          "P(none) | n |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for part in (table.groupby(keys), planted.groupby(keys[:3]), planted.groupby(keys[1:2])):
        for key, group in part:
            names = [*map(str, key)] + ["all"] * (4 - len(key))
            if len(key) == 1:
                names = ["all", str(key[0]), "all", "all"]
            share, n_set, interval, none = group[["in set", "months", "in interval", "none"]].mean()
            print(f"| {' | '.join(names)} | {share:.3f} | {n_set:.1f} | {interval:.3f} | {none:.2f}"
                  f" | {len(group)} |")  # fmt: skip


if __name__ == "__main__":
    main()
