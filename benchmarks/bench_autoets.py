"""The backtest of AutoETS here against ``StatsForecast.cross_validation``, side by side.

    python benchmarks/bench_autoets.py

54 series by 16 origins, 864 fits, 12 months ahead, one process. Both sides are given the same
months (the bundled release's, recovered once, on the log scale), cut at the same months, and the
same model: damped trend, no season, refitted at every origin. That their estimates are equal to
the last bit is checked first, and printed.

What each side does beyond the fits is not the same. ``cross_validation`` gives a point forecast
for each month ahead, with ``--level`` an interval too, and a table. Ours draws 1,000 paths of
months for each fit, and checks them. The last line recovers the months of each origin afresh and
scores: WIS, coverage, PIT and the rest, with quantiles, as ``odforecast backtest`` does.

Rows are run in turn and then backwards; medians are printed. Ratios are what to quote: the
machine is shared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import odforecast as od

HORIZON = 12


def panels(n_windows: int) -> tuple[od.Panel, list[od.Panel]]:
    """The bundled panel, and the cuts that its last months are the truth of."""
    whole = od.bundled().as_of().panel()
    ends = range(len(whole.months) - HORIZON - n_windows, len(whole.months) - HORIZON)
    return whole, [whole.cut(whole.months[end]) for end in ends]


def given_months(whole: od.Panel, cuts: list[od.Panel]) -> None:
    """Give each cut the months of the whole panel, not those that it would recover itself."""
    for cut in cuts:
        months = whole.monthly[:, : cut.monthly.shape[1]].copy()
        months.flags.writeable = False
        cut.__dict__["_recovered"] = months, {}


def statsforecast(whole: od.Panel, n_windows: int, level: list[int] | None) -> pd.DataFrame:
    """Forecasts of statsforecast's own backtest."""
    from statsforecast import StatsForecast

    months = np.log1p(whole.monthly)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(whole.locations, months.shape[1]),
            "ds": np.tile(np.arange(months.shape[1]), months.shape[0]),
            "y": months.ravel(),
        }
    )
    engine = StatsForecast(models=[auto_ets()], freq=1, n_jobs=1)
    made: pd.DataFrame = engine.cross_validation(
        h=HORIZON, df=frame, n_windows=n_windows, step_size=1, refit=True, level=level
    )
    return made


def auto_ets() -> Any:
    from statsforecast.models import AutoETS

    return AutoETS(season_length=1, model="AAN", damped=True)


def drawn(cuts: list[od.Panel], draws: int) -> list[od.Forecast]:
    """Ours: fits and forecasts."""
    model = od.get_model("auto-ets")
    return [model.fit(cut).forecast(HORIZON, draws=draws) for cut in cuts]


def scored(whole: od.Panel, first: object, n_windows: int, draws: int) -> int:
    """Ours with all that a backtest does; how many cells were scored."""
    last = whole.months[len(whole.months) - HORIZON - 1]
    results = od.backtest(
        ["auto-ets"], "pseudo-clean", archive=od.bundled(), start=first, end=last, draws=draws,
        step=1, progress=False, locations=whole.locations,
    )  # fmt: skip
    assert len(results.scores) == n_windows * len(whole.locations) * HORIZON
    return len(results.scores)


def check_equal(cuts: list[od.Panel]) -> int:
    """Compare the estimates of both sides; how many series were compared."""
    compared = 0
    for cut in cuts:
        series = od.get_model("auto-ets").fit(cut).inner.series  # type: ignore[attr-defined]
        for row, state in enumerate(cut.locations):
            theirs = auto_ets().fit(np.log1p(cut.monthly[row])).model_
            ours = series[state]
            assert ours.gain.tolist() == theirs["par"][:2].tolist(), (cut.last_month, state)
            assert ours.state.tolist() == theirs["states"][-1].tolist(), (cut.last_month, state)
            assert ours.sigma == float(np.sqrt(theirs["sigma2"])), (cut.last_month, state)
            compared += 1
    return compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=16, help="origins")
    parser.add_argument("--draws", type=int, default=1000, help="sample paths of each fit")
    parser.add_argument("--repeats", type=int, default=3, help="times that each row is run")
    parser.add_argument("--level", type=int, help="an interval for statsforecast, too, in percent")
    given = parser.parse_args()
    whole, cuts = panels(given.windows)
    first = cuts[0].last_month
    given_months(whole, cuts)
    print(f"{check_equal(cuts)} fits: the estimates of both sides are equal, bit for bit\n")
    level = [given.level] if given.level else None
    rows: dict[str, Callable[[], object]] = {
        "StatsForecast.cross_validation: points"
        + (f" and {given.level}% intervals" if level else ""): lambda: statsforecast(
            whole, given.windows, level
        ),
        f"auto-ets here: {given.draws:,} paths": lambda: drawn(cuts, given.draws),
        "auto-ets here, months recovered at each origin, and scored": lambda: scored(
            whole, first, given.windows, given.draws
        ),
    }
    taken: dict[str, list[float]] = {name: [] for name in rows}
    for row in rows.values():
        row()  # imports and compilation
    for turn in range(given.repeats):
        for name in list(rows)[:: -1 if turn % 2 else 1]:
            started = perf_counter()
            rows[name]()
            taken[name].append(perf_counter() - started)
    base = np.median(taken[next(iter(rows))])
    print(f"| {len(whole.locations)} series × {given.windows} origins, h = {HORIZON} "
          "| seconds | times statsforecast | runs |")  # fmt: skip
    print("|---|---:|---:|---|")
    for name, times in taken.items():
        each = ", ".join(f"{t:.2f}" for t in times)
        print(f"| {name} | {np.median(times):.2f} | {np.median(times) / base:.2f} | {each} |")


if __name__ == "__main__":
    main()
