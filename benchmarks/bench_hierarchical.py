"""The full hierarchy and its approximation at chosen origins: time, convergence, scores.

    python benchmarks/bench_hierarchical.py

writes two Markdown tables. Clean pseudo-vintages of the bundled release (cut at the origin,
no reporting delay); truth: the counts reported in that release, whatever their age.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.models.hierarchy.graph import compiled, graph_data, shape_of
from odforecast.models.hierarchy.laplace import approximate
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.rules import weighted_interval_score

AS_OF = "2025-09-17"
ORIGINS = ("2019-06", "2020-06", "2021-06", "2022-06", "2023-06", "2024-04")
GROUPS = {"1-3": slice(0, 3), "4-6": slice(3, 6), "7-12": slice(6, 12)}
LOW, HIGH = HUB_QUANTILES.index(0.05), HUB_QUANTILES.index(0.95)
Scores = dict[str, tuple[np.ndarray, np.ndarray]]


def scores(forecast: od.Forecast, whole: od.Panel) -> Scores:
    """WIS and coverage (locations × horizons) for the nation and the jurisdictions."""
    out = {}
    begin = int((forecast.last_month - whole.months[0]).astype(int)) + 1
    for name, states in (("US", ("US",)), ("jurisdictions", JURISDICTIONS)):
        q = forecast.select(states).quantiles(HUB_QUANTILES)
        y = whole.reported[[whole.index(s) for s in states], begin : begin + q.shape[2]]
        wis = weighted_interval_score(q, HUB_QUANTILES, y).total
        out[name] = (wis, (q[LOW] <= y) & (y <= q[HIGH]))
    return out


def line(model: list[Scores], base: list[Scores]) -> str:
    """Relative WIS and coverage by horizon group, nation then jurisdictions."""
    cells = []
    for name in ("US", "jurisdictions"):
        for group in GROUPS.values():
            ours = sum(s[name][0][:, group].sum() for s in model)
            theirs = sum(s[name][0][:, group].sum() for s in base)
            inside = np.mean([s[name][1][:, group].mean() for s in model])
            cells.append(f"{ours / theirs:.2f} ({inside:.0%})")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--origins", nargs="+", default=list(ORIGINS))
    parser.add_argument("--draws", type=int, default=2000, help="sample paths of a forecast")
    options = parser.parse_args()
    whole = od.bundled().as_of(AS_OF).panel()
    models = {n: od.get_model(n) for n in ("hierarchical", "hierarchical-quick")}
    found: dict[str, list[Scores]] = {n: [] for n in (*models, "hub-baseline")}
    print(f"{os.cpu_count()} cores. Fit: seconds without compiling.\n")
    print(
        "| origin | months | compile | fit | load | R-hat | bulk ESS | tail ESS | divergences "
        "| quick fit |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for month in options.origins:
        panel = whole.cut(month)
        inputs, _ = models["hierarchical"].inner.inputs(panel)
        began = time.perf_counter()
        guide = approximate(inputs, 5.0)
        compiled(shape_of(inputs, tail=5.0, season_state=False), graph_data(inputs, guide))
        spent = [time.perf_counter() - began]
        for name, model in models.items():
            began = time.perf_counter()
            fitted = model.fit(panel)
            spent.append(time.perf_counter() - began)
            found[name].append(scores(fitted.forecast(draws=options.draws), whole))
            if name == "hierarchical":
                checks, load = fitted.inner.checks, os.getloadavg()[0]
        base = od.get_model("hub-baseline").fit(panel).forecast(draws=options.draws)
        found["hub-baseline"].append(scores(base, whole))
        t = checks.table
        print(
            f"| {month} | {panel.month_grid.size} | {spent[0]:.0f} | {spent[1]:.0f} | {load:.1f} "
            f"| {t['r_hat'].max():.4f} | {t['ess_bulk'].min():.0f} | {t['ess_tail'].min():.0f} "
            f"| {checks.divergences} | {spent[2]:.1f} |",
            flush=True,
        )
    head = [f"{p} h{g}" for p in ("US", "jur.") for g in GROUPS]
    print("\nWIS relative to the hub baseline (coverage of the 90 % interval):\n")
    print("| model | " + " | ".join(head) + " |\n|---|" + "---|" * len(head))
    for name in models:
        print(f"| {name} | {line(found[name], found['hub-baseline'])} |")
    print("\nBy origin, `hierarchical`:\n")
    print("| origin | " + " | ".join(head) + " |\n|---|" + "---|" * len(head))
    for i, month in enumerate(options.origins):
        row = line(found["hierarchical"][i : i + 1], found["hub-baseline"][i : i + 1])
        print(f"| {month} | {row} |")


if __name__ == "__main__":
    main()
