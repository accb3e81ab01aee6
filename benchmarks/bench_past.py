"""Do the intervals of past effects hold on growth that really happened?

Worlds are made of the history's own monthly growth: blocks of months are drawn with replacement,
the same months for all 52 jurisdictions, so that they move together as they did. An effect of known
size is put into all of them, the months are added up to 12-month counts as CDC publishes them, and
the estimator of ``od.scenario.past`` sees those counts alone. Its 90% interval of the size, given
an effect, should hold the size in 85 to 95% of the worlds; 200 worlds tell it to 2 points.

Growth is that of the 12-month totals, and the deaths of a month are Poisson (``--growth totals``):
what the epidemic did, without the noise of one month twice. ``--growth months`` takes the change
from month to month as it is recovered: in it small states jump about, and after some years a few
of them are most of the nation. The prior of the size is neutral: Normal(0, .4).

Ways: ``past`` is what ``od.scenario.past`` does; ``nation`` is the same with the true months;
``equal`` has the true months, weighs all jurisdictions the same and has no row of the nation.

    python benchmarks/bench_past.py                       about 10 minutes on one core
    python benchmarks/bench_past.py --seed 2 --ways past,nation,equal

tests/scenario/test_counterfactual.py runs a short form.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Floats, Panel
from odforecast.scenario import Fixed, Intervention, LogNormal, Normal, Uniform
from odforecast.scenario.effects import Estimator, EventPosterior, random_timing
from odforecast.scenario.past import FEWEST, counts_around, posterior_of
from odforecast.seeds import seed_from

KNOWN = Intervention(
    "event", Normal(0.0, 0.4), onset="2021-12", p_null=0.5,
    lag=Fixed(3), ramp=Fixed(6), half_life=Fixed(18), spread=Fixed(0),
)  # fmt: skip
DRAWN = replace(KNOWN, lag=LogNormal(3, 0.6), ramp=Uniform(3, 12), half_life=LogNormal(18, 0.6))
#: Draws of an open timing.
TIMINGS = 256


@dataclass(frozen=True)
class Setting:
    """An injected effect, and the months of growth that stay together."""

    event: Intervention
    percent: float
    block: int


SETTINGS = {
    "-20%, blocks of 1": Setting(KNOWN, -20.0, 1),
    "-20%, blocks of 12": Setting(KNOWN, -20.0, 12),
    "none, blocks of 6": Setting(KNOWN, 0.0, 6),
    "-20%, blocks of 12, timing drawn": Setting(DRAWN, -20.0, 12),
}


def history() -> Panel:
    """The bundled release of the US and 52 jurisdictions, as far as it is final."""
    panel = od.bundled().as_of().panel()
    return panel.select(["US", *sorted(JURISDICTIONS)]).cut(panel.final_through)


def world(
    panel: Panel, rng: np.random.Generator, setting: Setting, growth: str = "totals"
) -> tuple[Panel, Floats, float]:
    """A panel of a made world, its true months (US first), and the size put in."""
    deaths = panel.monthly[1:]
    totals = growth == "totals"
    changes = np.diff(np.log(panel.reported[1:] if totals else deaths + 0.5), axis=1)
    n, block, n_time = changes.shape[1], setting.block, deaths.shape[1]
    starts = rng.integers(0, n - block + 1, -(-n_time // block))
    drawn = changes[:, (starts[:, None] + np.arange(block)).ravel()[: n_time - 1]]
    path = np.pad(np.cumsum(drawn, axis=1), ((0, 0), (1, 0)))
    size = float(np.log1p(setting.percent / 100.0))
    shape = random_timing(setting.event, rng).shape(panel.month_grid)[0]
    mean = deaths[:, :12].mean(axis=1, keepdims=True) * np.exp(path + size * shape)
    months = rng.poisson(mean).astype(float) if totals else np.round(mean)
    months = np.concatenate([months.sum(axis=0, keepdims=True), months])
    sums = rolling_sums(months)
    made = replace(panel, reported=sums, low=sums, high=sums, vintage="synthetic", triangle=None,
                   beside={})  # fmt: skip
    return made, months, size


def estimated(panel: Panel, months: Floats, event: Intervention, way: str) -> EventPosterior:
    """The posterior of an event, one way."""
    draws = 1 if event is KNOWN else TIMINGS
    if way == "past":
        felt = dict.fromkeys(panel.locations, 1.0)
        return posterior_of(panel, event, felt, timings=draws)[1]
    span = np.isin(panel.month_grid, counts_around(panel, event).months)
    seen = months[1:, span]
    deaths, grid = seen[seen.min(axis=1) >= FEWEST], panel.month_grid[span]
    if way == "equal":
        return Estimator(grid, event, locations=len(deaths), draws=draws).posterior(deaths)
    estimator = Estimator(grid, event, weights=deaths.mean(axis=1), locations=len(deaths),
                          nation=1.0, draws=draws)  # fmt: skip
    return estimator.posterior(deaths, months[0, span])


def measured(
    setting: Setting, ways: list[str], n: int, seed: int, growth: str = "totals"
) -> dict[str, Floats]:
    """Whether the interval holds, its width, the error and the sd, shape (n, 4), by way."""
    panel = history()
    out: dict[str, list[tuple[float, ...]]] = {way: [] for way in ways}
    for i in range(n):
        key = (setting.percent, setting.block, setting.event is DRAWN)
        made, months, size = world(
            panel, np.random.default_rng(seed_from("bench past", seed, *key, i)), setting, growth
        )
        for way in ways:
            found = estimated(made, months, setting.event, way)
            low, high = found.interval(0.9)
            out[way].append((low <= size <= high, high - low, found.mean() - size, found.sd()))
    return {way: np.array(rows) for way, rows in out.items()}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200, help="worlds of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--growth", choices=("totals", "months"), default="totals")
    parser.add_argument("--ways", default="past", help="of past, nation, equal")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    given = parser.parse_args()
    print("| setting | way | 90% holds | error | width | mean error | rms error | mean sd | n |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, setting in SETTINGS.items():
        if given.only not in name:
            continue
        start = time.perf_counter()
        ways = measured(setting, given.ways.split(","), given.worlds, given.seed, given.growth)
        for way, rows in ways.items():
            holds, width, error, sd = rows.mean(axis=0)
            rms = np.sqrt(np.square(rows[:, 2]).mean())
            print(f"| {name} | {way} | {holds:.3f} | {np.sqrt(holds * (1 - holds) / len(rows)):.3f}"
                  f" | {width:.3f} | {error:+.3f} | {rms:.3f} | {sd:.3f} | {len(rows)} |",
                  flush=True)  # fmt: skip
        print(f"<!-- {time.perf_counter() - start:.0f} s -->", flush=True)


if __name__ == "__main__":
    main()
