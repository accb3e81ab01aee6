"""Time of a projection after the fit: 53 locations × 5 scenarios × 1,000 draws × 24 months.

Models with a reporting delay also hold the last 12 known months, which no scenario changes.
Prints a Markdown table: `python benchmarks/bench_scenarios.py`.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter

import odforecast as od
from odforecast.scenario import NULL, Scenario, fentanyl_share, named_intervention, project

AS_OF = "2025-09-17"
NAMES = (
    "supply-shock-2023-like",
    "cooperation-resumed",
    "cooperation-suspended",
    "precursor-scheduling",
)
REPEATS = 5


def seconds(work) -> float:
    """Median wall time of a few runs."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times)


def main() -> None:
    vintage = od.bundled().as_of(AS_OF)
    panels = [vintage.panel(name) for name in ("all-drugs", "T40.4")]
    shares = {"fentanyl-share": fentanyl_share(panels[0], panels[1], fill="region")}
    scenarios = [NULL, *(Scenario(n, (named_intervention(n, onset="2025-10"),)) for n in NAMES)]
    rows, sizes = {}, {}
    for made in (od.get_model("drift"), od.get_model("dlm", delay=False), od.get_model()):
        model, fitted = made.label, made.fit(panels[0])
        forecast = fitted.forecast(24)
        projection = project(forecast, scenarios, exposures=shares)
        n_draws, n_loc, _ = forecast.draws.shape
        sizes[model] = forecast.months.size
        rows[model] = [
            seconds(partial(fitted.forecast, 24)),
            seconds(partial(project, forecast, scenarios, exposures=shares)),
            seconds(projection.averted),
        ]
    print(
        f"{n_loc} locations × {len(scenarios)} scenarios × {n_draws:,} draws × 24 months ahead, "
        f"median of {REPEATS} runs\n"
    )
    print(
        "| model | months in the draws | baseline forecast, s | its projection, s "
        "| table of deaths averted, s |\n|---|---:|---:|---:|---:|"
    )
    for model, times in rows.items():
        print(f"| {model} | {sizes[model]} | {' | '.join(f'{t:.2f}' for t in times)} |")


if __name__ == "__main__":
    main()
