"""Do the intervals of past effects hold on growth that really happened?

Two tests. **Plants** (``--plants``) test what ``odforecast scenario past`` prints, deaths averted:
the months of real places are multiplied by an effect of known size (0, -10, -20, -40%) that begins
between 2018-03 and 2021-02 with a timing from the prior, and all that is printed is worked out from
them. Places are 12 together or one, looked at by themselves (``alike``: all places that are seen
have the event) or among all others (``exposed``: exposure 1 there, 0 elsewhere). Every second place
is in half A, on which the one constant (``WIDER``) was chosen. Beside
them: an interrupted time series (trend and calendar months of four years, independent residuals)
and a plain synthetic control (weights on log months, residual bootstrap). Plants share one history:
they are not independent.

**Drawn growth** (``--drawn``) is the same test, of deaths averted over two years, in worlds as
below: all jurisdictions have their own growth of 2015 to 2024 in another order of blocks of 6 or 12
months, and the timing is known, or drawn as for the plants. Places are 12 together, all that have
enough deaths, or one; ``--indicator T40.4`` takes a drug class.

**Worlds** test the size. They are made of the history's own monthly growth: blocks of months are
drawn with replacement, the same months for all 52 jurisdictions, so that they move together as they
did. An effect of known size is put into all of them, the months are added up to 12-month counts as
CDC publishes them, and the estimator of ``od.scenario.past`` sees those counts alone. Its 90%
interval of the size, given an effect, should hold the size in 85 to 95% of the worlds; 200 worlds
tell it to 2 points.

Growth is that of the 12-month totals, and the deaths of a month are Poisson (``--growth totals``):
what the epidemic did, without the noise of one month twice. ``--growth months`` takes the change
from month to month as it is recovered: in it small states jump about, and after some years a few
of them are most of the nation. The prior of the size is neutral: Normal(0, .4).

Ways: ``past`` is what ``od.scenario.past`` does; ``nation`` is the same with the true months;
``equal`` has the true months, weighs all jurisdictions the same and has no row of the nation.

    python benchmarks/bench_past.py                       about 10 minutes on one core
    python benchmarks/bench_past.py --seed 2 --ways past,nation,equal
    python benchmarks/bench_past.py --plants 150          about 20 minutes on one core
    python benchmarks/bench_past.py --drawn 50            about 5 minutes on one core

tests/scenario/test_counterfactual.py runs a short form.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

import odforecast as od
from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Floats, Panel
from odforecast.scenario import Fixed, Intervention, LogNormal, Normal, Uniform
from odforecast.scenario.effects import Estimator, EventPosterior, random_timing
from odforecast.scenario.past import (
    BEFORE,
    FEWEST,
    INTERVAL,
    Donors,
    counts_around,
    estimate,
    felt_by,
    given_effect,
    neutral_twin,
    posterior_of,
)
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


def history(indicator: str = "all-drugs") -> Panel:
    """The bundled release of the US and its jurisdictions, as far as it is final.

    Of a drug class from 2018 on: earlier few states have published counts, or enough deaths.
    """
    panel = od.bundled().as_of().panel(indicator)
    places = [code for code in sorted(JURISDICTIONS) if code in panel.locations]
    panel = panel.select(["US", *places]).cut(panel.final_through)
    if indicator == "all-drugs":
        return panel
    first = int(np.flatnonzero(panel.months == CLASS_FIRST)[0])
    layers = ("reported", "predicted", "complete", "pending", "low", "high")
    later = {name: getattr(panel, name)[:, first:] for name in layers}
    return replace(panel, months=panel.months[first:], vintage="synthetic", triangle=None,
                   beside={}, **later)  # fmt: skip


def drawn_path(
    panel: Panel, rng: np.random.Generator, block: int, growth: str = "totals"
) -> Floats:
    """Log deaths of jurisdictions whose growth is drawn in blocks of months."""
    deaths = panel.monthly[1:]
    totals = growth == "totals"
    changes = np.diff(np.log(panel.reported[1:] if totals else deaths + 0.5), axis=1)
    n, n_time = changes.shape[1], deaths.shape[1]
    starts = rng.integers(0, n - block + 1, -(-n_time // block))
    drawn = changes[:, (starts[:, None] + np.arange(block)).ravel()[: n_time - 1]]
    path = np.pad(np.cumsum(drawn, axis=1), ((0, 0), (1, 0)))
    return np.log(deaths[:, :12].mean(axis=1, keepdims=True)) + path


def world(
    panel: Panel, rng: np.random.Generator, setting: Setting, growth: str = "totals"
) -> tuple[Panel, Floats, float]:
    """A panel of a made world, its true months (US first), and the size put in."""
    totals = growth == "totals"
    path = drawn_path(panel, rng, setting.block, growth)
    size = float(np.log1p(setting.percent / 100.0))
    shape = random_timing(setting.event, rng).shape(panel.month_grid)[0]
    mean = np.exp(path + size * shape)
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


#: Planted: the timing of the named prior of resumed cooperation, begun sooner.
PLANT = replace(neutral_twin("cooperation-resumed"), name="plant", scope="all-drugs",
                lag=LogNormal(2, 0.6), half_life=LogNormal(24, 0.6))  # fmt: skip
#: The same with the timing of KNOWN.
PLANT_KNOWN = replace(PLANT, lag=KNOWN.lag, ramp=KNOWN.ramp, half_life=KNOWN.half_life,
                      spread=Fixed(0))  # fmt: skip
PERCENTS = (0, -10, -20, -40)
ONSETS = np.arange("2018-03", "2021-03", dtype="datetime64[M]")
#: Of a drug class: the first count that is read, and the onsets.
CLASS_FIRST = np.datetime64("2018-01", "M")
CLASS_ONSETS = np.arange("2020-06", "2021-03", dtype="datetime64[M]")
#: Places that are looked at together, and draws of a timing (fewer than the command's).
GROUP = 12
PLANT_TIMINGS = 64
#: Months after the onset over which deaths averted are added up.
PERIODS = {"two years": (0, 24), "second year": (12, 24)}


@dataclass(frozen=True)
class Plant:
    """One effect in real counts."""

    #: Months of all places of the panel, the US first, without the effect and with it.
    before: Floats
    after: Floats
    panel: Panel
    event: Intervention
    places: list[str]
    #: Which rows they are.
    own: NDArray[np.bool_]
    #: All places that are seen have the event.
    alike: bool

    @property
    def code(self) -> str:
        """Whose deaths are averted."""
        return "US" if len(self.places) > 1 else self.places[0]


def usual_places(panel: Panel, half: str) -> list[str]:
    """Places with so many deaths a month that half of them are enough: every second, or all."""
    lows = panel.monthly[1:, 2:].min(axis=1)
    places = [c for c, low in zip(panel.locations[1:], lows) if low >= 2 * FEWEST]
    return places if half == "all" else places[{"A": 0, "B": 1}[half] :: 2]


def redrawn(panel: Panel, rng: np.random.Generator, block: int) -> Panel:
    """A panel whose growth is its own in another order of blocks; deaths of a month are Poisson."""
    months = rng.poisson(np.exp(drawn_path(panel, rng, block))).astype(float)
    return with_months(panel, np.concatenate([months.sum(axis=0, keepdims=True), months]))


def with_months(panel: Panel, months: Floats) -> Panel:
    """A panel with other months."""
    sums = rolling_sums(months)
    return replace(panel, reported=sums, low=sums, high=sums, vintage="synthetic", triangle=None,
                   beside={})  # fmt: skip


def plants(
    n: int, group: bool, alike: bool, half: str, seed: int, block: int = 0, known: bool = False,
    indicator: str = "all-drugs",
) -> Iterator[dict[int, Plant]]:  # fmt: skip
    """Effects of every size at the same places, onset and timing; growth as it was, or drawn."""
    full = history(indicator)
    panel = full.cut("2023-03")
    # Places with a count that is not published have no growth to draw from.
    published = np.isfinite(full.reported).all(axis=1) & (full.reported.min(axis=1) > 0)
    kept = [code for code, whole in zip(full.locations, published) if whole]
    rng = np.random.default_rng(seed_from("plants", seed, group, half))
    for i in range(n):
        if block:
            panel = redrawn(full.select(kept), rng, block).cut("2023-03")
        choice = usual_places(panel, half)
        places = [choice[i % len(choice)]]
        if group:
            n_places = len(choice) if half == "all" else min(GROUP, len(choice))
            places = sorted(rng.choice(choice, n_places, replace=False))
        onset = rng.choice(ONSETS if indicator == "all-drugs" else CLASS_ONSETS)
        event = replace(PLANT_KNOWN if known else PLANT, onset=str(onset),
                        exposure={**dict.fromkeys(places, 1.0), "default": 0.0})  # fmt: skip
        timing = random_timing(event, rng)
        own = np.exp(float(timing.spread[0]) * rng.standard_normal(len(places)))
        shape = (own / own.mean())[:, None] * timing.shape(panel.month_grid)
        rows = [panel.index(place) for place in places]
        made = {}
        for percent in PERCENTS:
            after = panel.monthly.copy()
            after[rows] *= np.exp(np.log1p(percent / 100) * shape)
            after[0] += (after[rows] - panel.monthly[rows]).sum(axis=0)
            seen, months = panel, after
            if alike:
                total = after[rows].sum(axis=0, keepdims=True)
                months = np.concatenate([total, after[rows]]) if group else after[rows]
                seen = panel.select(["US", *places] if group else places)
            own = np.isin(panel.locations, places)
            made[percent] = Plant(panel.monthly, after, with_months(seen, months), event, places,
                                  own, alike)  # fmt: skip
        yield made


def answers(plant: Plant) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Deaths averted with a 90% interval, by way and period."""
    x = replace(plant.event, exposure=1.0) if plant.alike else plant.event
    panel, code, onset = plant.panel, plant.code, x.onset[0]
    felt = felt_by(x, panel, {})
    counts, _, effects, delta = estimate(panel, x, felt, code, timings=PLANT_TIMINGS)
    grid, row = panel.month_grid, panel.index(code)
    donors = None if plant.alike else Donors.from_counts(counts, onset, code)
    start = int(np.flatnonzero(grid == onset)[0])
    own = plant.own
    deaths, others = plant.after[own].sum(axis=0), plant.after[1:][~own[1:]]
    others = others[others[:, 2:].min(axis=1) >= FEWEST]
    out = {}
    rivals = {"ITS": interrupted(deaths, start)} if start >= BEFORE else {}
    if not plant.alike:
        rivals["plain synthetic control"] = control(deaths, others, start)
    for period, (first, last) in PERIODS.items():
        months = slice(start + first, start + last)
        averted = (panel.monthly[row, months] * np.expm1(-delta[:, months])).sum(axis=1)
        low, high = given_effect(averted, effects, INTERVAL)
        has_effect = effects.beta != 0
        out["past, given an effect", period] = (averted[has_effect].mean(), low, high)
        out["past, over both", period] = (averted.mean(), *np.quantile(averted, INTERVAL))
        if donors is not None:
            ends = grid[start + last - 1 : start + first : -12]
            out["donors", period] = donors.averted(*ends)
        for way, paths in rivals.items():
            gaps = paths[:, first:last].sum(axis=1) - deaths[months].sum()
            out[way, period] = (gaps.mean(), *np.quantile(gaps, INTERVAL))
    return out


def interrupted(deaths: Floats, start: int, draws: int = 400) -> Floats:
    """Paths by an interrupted time series: trend and months of the year, (D, 24)."""
    t = np.arange(start - 48, start + 24)
    design = np.column_stack([t - t[0], np.eye(12)[t % 12]])
    past, ahead = design[:48], design[48:]
    logs = np.log(deaths[start - 48 : start] + 0.5)
    fit = np.linalg.lstsq(past, logs, rcond=None)[0]
    sd = np.sqrt(np.square(logs - past @ fit).sum() / (48 - 13))
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(np.linalg.inv(past.T @ past))
    fits = fit + sd * rng.standard_normal((draws, 13)) @ root.T
    return np.exp(fits @ ahead.T + sd * rng.standard_normal((draws, 24)))


def control(deaths: Floats, donors: Floats, start: int, draws: int = 400) -> Floats:
    """Paths by a plain synthetic control: weights on log months, residual bootstrap, (D, 24)."""
    span = slice(start - 48, start + 24)
    logs, own = np.log(donors[:, span] + 0.5), np.log(deaths[span] + 0.5)
    means, level = logs[:, :48].mean(axis=1, keepdims=True), own[:48].mean()
    heavy = 1e3
    rows = np.vstack([(logs - means)[:, :48].T, np.full(len(donors), heavy)])
    weights, _ = nnls(rows, np.append(own[:48] - level, heavy))
    path = level + weights @ (logs - means)
    errors = own[:48] - path[:48]
    rng = np.random.default_rng(1)
    return np.exp(path[48:] + rng.choice(errors, (draws, 24)))


def planted(
    n: int, group: bool, alike: bool, half: str, seed: int = 1, **growth: Any
) -> dict[tuple[str, str], Floats]:
    """Whether the interval holds, its width and the error over deaths, (n, sizes, 3), by way."""
    out: dict[tuple[str, str], list[list[tuple[float, ...]]]] = {}
    for made in plants(n, group, alike, half, seed, **growth):
        rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
        try:
            by_plant = [(plant, answers(plant)) for plant in made.values()]
        except PanelError:
            continue  # a place with too few deaths in a month once the effect is in it
        for plant, statements in by_plant:
            own = plant.own
            start = int(np.flatnonzero(plant.panel.month_grid == plant.event.onset[0])[0])
            for (way, period), (mean, low, high) in statements.items():
                first, last = PERIODS[period]
                months = slice(start + first, start + last)
                without = plant.before[own, months].sum()
                truth = without - plant.after[own, months].sum()
                row = (low <= truth <= high, (high - low) / without, abs(mean - truth) / without)
                rows.setdefault((way, period), []).append(row)
        for key, values in rows.items():
            out.setdefault(key, []).append(values)
    return {key: np.array(values) for key, values in out.items()}


def print_plants(n: int, seed: int, only: str) -> None:
    """A row for each way, half and period."""
    heads = " | ".join(f"{percent}%" for percent in PERCENTS)
    print(f"90% coverage of deaths averted, {n} plants of each size\n")
    print(f"| places | half | period | way | {heads} | width | error |")
    print("|---|---|---|---|" + "---|" * (len(PERCENTS) + 2))
    for group, alike in ((True, True), (False, True), (True, False), (False, False)):
        name = f"{GROUP if group else 1}, {'alike' if alike else 'exposed'}"
        if only not in name:
            continue
        for half in "AB":
            for (way, period), rows in planted(n, group, alike, half, seed).items():
                holds = " | ".join(f"{value:.2f}" for value in rows[:, :, 0].mean(axis=0))
                width, error = rows[:, :, 1:].mean(axis=(0, 1))
                print(f"| {name} | {half} | {period} | {way} | {holds} | {width:.2f} | "
                      f"{error:.3f} |", flush=True)  # fmt: skip


def print_blocks(n: int, seed: int, only: str, indicator: str) -> None:
    """Deaths averted in worlds of drawn growth: a row for each half and place, block, timing."""
    heads = " | ".join(f"{percent}%" for percent in PERCENTS)
    print(f"90% coverage of deaths averted over two years, {n} worlds of each row\n")
    print(f"| places | half | blocks | timing | way | {heads} | width | error |")
    print("|---|---|---|---|---|" + "---|" * (len(PERCENTS) + 2))
    cases = list(product((True, False), (6, 12), (True, False), "AB"))
    cases += list(product((True,), (6, 12), (True, False), ("all",)))
    for group, block, known, half in cases:
        timing = "known" if known else "drawn"
        n_places = GROUP if half != "all" else "all"
        name = f"{n_places if group else 1} | {half} | {block} | {timing}"
        if only not in name:
            continue
        table = planted(n, group, True, half, seed, block=block, known=known, indicator=indicator)
        for way in ("past, given an effect", "past, over both"):
            rows = table[way, "two years"]
            if len(rows) < n and "worlds" not in name:
                name = f"{name} ({len(rows)} worlds)"
            holds = " | ".join(f"{value:.2f}" for value in rows[:, :, 0].mean(axis=0))
            width, error = rows[:, :, 1:].mean(axis=(0, 1))
            print(f"| {name} | {way} | {holds} | {width:.2f} | {error:.3f} |", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=200, help="worlds of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--growth", choices=("totals", "months"), default="totals")
    parser.add_argument("--ways", default="past", help="of past, nation, equal")
    parser.add_argument("--only", default="", help="settings, or places, whose name holds this")
    parser.add_argument("--plants", type=int, default=0, help="effects of each size, place by half")
    parser.add_argument("--drawn", type=int, default=0, help="worlds of drawn growth a row")
    parser.add_argument("--indicator", default="all-drugs", help="of the drawn growth")
    given = parser.parse_args()
    if given.drawn:
        print_blocks(given.drawn, given.seed, given.only, given.indicator)
        return
    if given.plants:
        print_plants(given.plants, given.seed, given.only)
        return
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
