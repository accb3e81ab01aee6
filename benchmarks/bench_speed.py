"""Time of the whole ``dlm`` backtest against AutoETS refitted, side by side in one run.

    python benchmarks/bench_speed.py

52 jurisdictions, 64 monthly origins, 12 horizons, 1,000 draws, one process. AutoETS with a
season of 12, as statsforecast makes it by default, is refitted and simulated at every eighth
origin and multiplied by eight; the damped non-seasonal one that ``auto-ets`` uses is run in
full. Ratios are what to quote: the machine is shared.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.geography import JURISDICTIONS


def only(panel: od.Panel, states: Sequence[str]) -> od.Panel:
    """Some jurisdictions as a whole panel of their own: dlm refuses a selection of one."""
    return replace(panel.select(states), beside={}, selected=False)


def seconds(model: str, panels: list[od.Panel], draws: int = 1000) -> float:
    forecaster = od.get_model(model)
    forecaster.fit(panels[0]).forecast(draws=10)  # imports and compilation
    started = perf_counter()
    for panel in panels:
        forecaster.fit(panel).forecast(draws=draws)
    return perf_counter() - started


def default_ets(panels: list[od.Panel], draws: int = 1000) -> float:
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    started = perf_counter()
    for panel in panels:
        months = np.log1p(panel.monthly)
        frame = pd.DataFrame(
            {
                "unique_id": np.repeat(panel.locations, months.shape[1]),
                "ds": np.tile(np.arange(months.shape[1]), months.shape[0]),
                "y": months.ravel(),
            }
        )
        engine = StatsForecast(models=[AutoETS(season_length=12)], freq=1, n_jobs=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            engine.simulate(h=12, df=frame, n_paths=draws, seed=1)
    return perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=1, help="months between origins")
    step = parser.parse_args().step
    found = od.origins(od.bundled(), "pseudo-clean", end="2024-04", step=step)
    panels = [only(o.panel, JURISDICTIONS) for o in found if o.panel is not None]
    # Months are recovered once per panel, whoever asks first: leave that out of every row.
    for p in panels:
        _ = p.monthly, p.data_hash
    dlm = seconds("dlm", panels)
    default_ets(panels[:1], 10)
    rows = [
        ("dlm, joint draws", dlm, "in full"),
        ("auto-ets (damped, no season)", seconds("auto-ets", panels), "in full"),
        ("auto-theta", seconds("auto-theta", panels), "in full"),
        (
            "AutoETS, season 12 (statsforecast's default)",
            8 * default_ets(panels[::8]),
            "every eighth",
        ),
    ]
    print(f"| 52 × {len(panels)} origins × 12 × 1,000 draws | seconds | times dlm | run |")
    print("|---|---:|---:|---|")
    for name, time, how in rows:
        print(f"| {name} | {time:.1f} | {time / dlm:.1f} | {how} |")
    print("\n| dlm, one origin | locations | months | seconds |\n|---|---:|---:|---:|")
    for size in (13, 26, 52):
        for index in (0, -1):
            part = only(panels[index], JURISDICTIONS[:size])
            _ = part.monthly, part.data_hash
            time = min(seconds("dlm", [part]) for _ in range(3))
            print(
                f"| last month {part.last_month} | {size} | {part.monthly.shape[1]} | {time:.3f} |"
            )


if __name__ == "__main__":
    main()
