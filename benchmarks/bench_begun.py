"""How much does a scenario whose effect has begun count twice?

Real counts, and in them an effect of known size and course: panels of the bundled release, cut
clean every six months from 2017-06 to 2022-12, and their later truth, are multiplied by the effect
month by month. Projected is the effect that was put in, known exactly, or known badly. Bias: the
mean over origins of

    log(mean forecast of the deaths of months 1 to 12, or 13 to 24 / truth), with the effect put in,
    less the same without any effect in counts, truth and projection,

so that the forecast's own error goes out. Rules: no scenario; the scenario on the forecast as it is
(only what changes after the last month); the scenario on the baseline fitted again without the
effect. In brackets: standard error over origins.

    python benchmarks/bench_begun.py                     about 2 minutes on one core

The release itself, incomplete at its end, is measured apart: its truth is not known, and where no
effect is put in the forecast itself stands for it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache

import numpy as np

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Panel
from odforecast.scenario import Fixed, Intervention, Normal, Scenario, project

SIZES = (-10, -20, -30)  # percent at full strength
RAMPS = (6, 12)
BEGUN = (3, 6, 9, 12)  # months before the last month
ORIGINS = np.arange("2017-06", "2023-01", 6, dtype="datetime64[M]")
HORIZON = 24
WINDOWS = {"months 1–12": 0, "months 13–24": 12}
MONTH = np.timedelta64(1, "M")
RULES = ("none", "relative", "fitted again")
PLACES = ("US", "jurisdictions")


def course(months, onset, ramp) -> np.ndarray:
    """Share of the full effect, as it is put in: written down here once more."""
    return np.clip((months - onset).astype(float) / ramp, 0.0, 1.0)


def changed(panel: Panel, onset, ramp: float, size: float) -> Panel:
    """A panel whose months of death have been multiplied by an effect."""
    months = panel.monthly * np.exp(size * course(panel.month_grid, onset, ramp))
    sums = np.round(rolling_sums(months))
    sums = np.where(np.isnan(sums), panel.reported, sums)
    if {"US", *JURISDICTIONS} <= set(panel.locations):
        parts = [panel.locations.index(s) for s in JURISDICTIONS]
        sums[panel.locations.index("US")] = sums[parts].sum(axis=0)
    ratio = sums / panel.reported
    beside = {
        name: changed(other, onset, ramp, size) if name != "all-deaths" else other
        for name, other in panel.beside.items()
    }
    return replace(
        panel, reported=sums, predicted=panel.predicted * ratio, low=sums, high=sums,
        triangle=None, beside=beside, vintage="synthetic",
    )  # fmt: skip


def deaths(paths: np.ndarray, locations) -> np.ndarray:
    """Log of the mean deaths of each window, of the US and each jurisdiction: shape (2, 53)."""
    rows = [locations.index(s) for s in ("US", *JURISDICTIONS)]
    mean = paths.mean(axis=0)[rows]
    return np.log([mean[:, w : w + 12].sum(axis=1) for w in WINDOWS.values()])


def ahead(forecast) -> np.ndarray:
    return forecast.draws[:, :, forecast.horizons > 0]


def truth(panel: Panel, last) -> np.ndarray:
    """Log of the deaths of the same windows after a month."""
    end = int((last - panel.months[0]).astype(int)) + 12
    rows = [panel.index(s) for s in ("US", *JURISDICTIONS)]
    return np.log([panel.reported[rows, end + w] for w in WINDOWS.values()])


def scenario(size, onset, ramp) -> Scenario:
    size = size if not isinstance(size, float) else Fixed(size)
    return Scenario("begun", (Intervention("begun", size, onset=str(onset), ramp=Fixed(ramp)),))


def over_places(log: np.ndarray) -> np.ndarray:
    """The US, and the mean of the jurisdictions: shape (2 windows, 2)."""
    return np.stack([log[:, 0], log[:, 1:].mean(axis=1)], axis=1)


def told(runs: list[np.ndarray]) -> str:
    """Mean in percent and its standard error over origins."""
    values = 100.0 * np.array(runs)
    if len(values) == 1:
        return f"{values[0]:+.1f}"
    return f"{values.mean():+.1f} ({values.std(ddof=1) / np.sqrt(len(values)):.1f})"


class Bench:
    """One model over all origins."""

    def __init__(self, model: str, draws: int) -> None:
        self.model, self.draws = od.get_model(model), draws
        self.release = od.bundled().as_of().panel()

    def _forecast(self, panel: Panel):
        return self.model.fit(panel).forecast(HORIZON, draws=self.draws, seed=1)

    @cache  # noqa: B019
    def _plain(self, last) -> np.ndarray:
        """The forecast's own error, where there is no effect."""
        forecast = self._forecast(self.release.cut(last))
        return deaths(ahead(forecast), forecast.locations) - truth(self.release, last)

    def _rules(self, panel: Panel, given: Scenario, goal: np.ndarray) -> np.ndarray:
        again = project(self.model.fit(panel), given, HORIZON, self.draws, 1, begun=True)
        relative = project(again.baseline, given, seed=1, begun=True)
        paths = (again.baseline, relative.forecast("begun"), again.forecast("begun"))
        return np.array([over_places(deaths(ahead(p), p.locations) - goal) for p in paths])

    def biases(self, last, size, ramp, before, assumed=None) -> np.ndarray:
        """Of each rule, by window, for US and jurisdictions, shape (3, 2, 2)."""
        onset = last - before * MONTH
        whole = changed(self.release, onset, ramp, size)
        given = scenario(size, onset, ramp) if assumed is None else assumed
        return self._rules(whole.cut(last), given, truth(whole, last) + self._plain(last))

    def at_the_release(self, size, ramp, before) -> np.ndarray:
        """The same on the release as it stands, its own forecast in place of the truth."""
        onset = self.release.last_month - before * MONTH
        plain = self._forecast(self.release)
        months = plain.months[plain.horizons > 0]
        goal = deaths(ahead(plain) * np.exp(size * course(months, onset, ramp)), plain.locations)
        panel = changed(self.release, onset, ramp, size)
        return self._rules(panel, scenario(size, onset, ramp), goal)


def print_head(*first: str) -> None:
    heads = [f"{rule}, {place}" for place in PLACES for rule in RULES]
    print(f"| {' | '.join([*first, *heads])} |\n|{'---:|' * (len(first) + len(heads))}")


def print_row(name: str, runs: np.ndarray) -> None:
    """A row of runs of shape (origins, rules, places)."""
    cells = [told(list(runs[:, r, p])) for p in range(len(PLACES)) for r in range(len(RULES))]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def print_table(bench: Bench) -> None:
    """Bias by size, ramp and time since the onset."""
    found = {}
    for percent in SIZES:
        for ramp in RAMPS:
            for before in BEGUN:
                size = float(np.log1p(percent / 100))
                found[f"{percent} | {ramp} | {before}"] = np.array(
                    [bench.biases(last, size, ramp, before) for last in ORIGINS]
                )
    for w, window in enumerate(WINDOWS):
        print(f"\n{bench.model.label}, {window}: {len(ORIGINS)} origins, bias in percent\n")
        print_head("effect, %", "ramp", "begun")
        for name, runs in found.items():
            print_row(name, runs[:, :, w])
        # The cases of an origin are one draw of the world: their mean is what varies.
        print_row("all | all | all", np.mean(list(found.values()), axis=0)[:, :, w])


def print_wrong(bench: Bench) -> None:
    """What remains where the effect is not what is assumed."""
    size, ramp, before = float(np.log(0.8)), 12, 6
    cases = {
        "as it is": (size, 0, ramp),
        "size uncertain, sd 0.1": (Normal(size, 0.1), 0, ramp),
        "size half": (size / 2, 0, ramp),
        "size half as much again": (1.5 * size, 0, ramp),
        "begun 3 months earlier": (size, -3, ramp),
        "begun 3 months later": (size, 3, ramp),
        "full after 6 months, not 12": (size, 0, 6),
        "nothing": (0.0, 0, ramp),
    }
    print(f"\n{bench.model.label}, months 1–12, where another effect is assumed than the one put "
          "in: -20%, ramp 12, begun 6 months before the last\n")  # fmt: skip
    print_head("assumed")
    for name, (assumed, later, over) in cases.items():
        runs = [
            bench.biases(x, size, ramp, before,
                         scenario(assumed, x + (later - before) * MONTH, over))
            for x in ORIGINS
        ]  # fmt: skip
        print_row(name, np.array(runs)[:, :, 0])


def print_release(bench: Bench) -> None:
    """The bundled release, with its late arrivals to come."""
    print(f"\n{bench.model.label}, months 1–12 after the release as it stands, bias in percent\n")
    print_head("effect, %", "ramp", "begun")
    for percent in SIZES:
        for before in BEGUN:
            run = bench.at_the_release(float(np.log1p(percent / 100)), 12, before)
            print_row(f"{percent} | 12 | {before}", run[None, :, 0])


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--models", nargs="*", default=["dlm"])
    given = parser.parse_args()
    for model in given.models:
        bench = Bench(model, given.draws)
        print_table(bench)
        print_wrong(bench)
        print_release(bench)


if __name__ == "__main__":
    main()
