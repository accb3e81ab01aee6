"""Which recovery of the months should models use: the smoothest months, or the pinned ones?

``monthly.sums.recover_months`` (what every panel uses) picks the twelve constants by smoothness;
``vintage.recover.pin_months`` by a model of level and season, nearer to WONDER. This
script scores models that take months as they are under both, on clean pseudo-vintages: same panels,
same streams. ``dlm`` pins months itself, so that either recovery gives it the same forecast.

    python benchmarks/bench_pins.py            22 origins, about 6 minutes on one core
    python benchmarks/bench_pins.py --step 12
"""

from __future__ import annotations

import argparse
from time import perf_counter

import pandas as pd

import odforecast as od
from odforecast.panel import Panel
from odforecast.scoring.columns import with_groups
from odforecast.vintage.recover import pin_months

MODELS = ("naive", "auto-ets", "dlm")
KEYS = ["level", "horizon_group"]


def pinned(panel: Panel) -> Panel:
    """The same panel, its months recovered by :func:`pin_months`."""
    made = panel.select(panel.locations)
    months = pin_months(panel.reported, panel.months[0], nation=panel.index("US")).months
    made.__dict__["_recovered"] = (months, {})
    return made


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=3)
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    archive = od.bundled()
    truth = od.Truth(archive.as_of().panel())
    parts, seconds = [], {"smooth": 0.0, "pinned": 0.0}
    for origin in od.origins(archive, "pseudo-clean", step=given.step):
        assert origin.panel is not None
        for way in seconds:
            started = perf_counter()
            panel = origin.panel.select(origin.panel.locations)
            panel = pinned(panel) if way == "pinned" else panel
            assert panel.monthly is not None
            seconds[way] += perf_counter() - started
            for model in MODELS:
                forecast = od.get_model(model).fit(panel).forecast(draws=given.draws)
                parts.append(od.score(forecast, truth).assign(model=model, way=way))
    table = with_groups(pd.concat(parts), [*KEYS, "model", "wis"])
    table = table[table["scorable"].astype(bool)]
    mean = table.groupby(["model", *KEYS, "way"], observed=True)["wis"].mean().unstack("way")
    mean["pinned / smooth"] = mean["pinned"] / mean["smooth"]
    print(mean.round(3).to_string())
    print({way: f"{s:.1f} s" for way, s in seconds.items()})


if __name__ == "__main__":
    main()
