"""Time of a projection after the fit: 53 locations × 5 scenarios × 1,000 draws × 24 months.

Prints a Markdown table: `python benchmarks/bench_scenarios.py`.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

import odforecast as od
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.scenario import NULL, Scenario, fentanyl_share, named, project

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
    archive = od.bundled()
    panels = [
        od.Panel.from_archive(archive, AS_OF, indicator=i) for i in (ALL_DRUGS, SYNTHETIC_OPIOIDS)
    ]
    shares = {"fentanyl-share": fentanyl_share(panels[0], panels[1], fill="region")}
    scenarios = [NULL, *(Scenario(n, (named(n, onset="2025-10"),)) for n in NAMES)]
    fitted = od.get_model("drift").fit(panels[0])
    forecast = fitted.forecast(24, 1000, 1)
    projection = project(forecast, scenarios, exposures=shares)
    n_draws, n_loc, n_months = forecast.draws.shape
    rows = {
        "baseline forecast (drift) and projection": lambda: project(
            fitted, scenarios, 24, 1000, 1, exposures=shares
        ),
        "projection of given draws": lambda: project(forecast, scenarios, exposures=shares),
        "table of deaths averted": projection.averted_table,
    }
    print(
        f"{n_loc} locations × {len(scenarios)} scenarios × {n_draws:,} draws × {n_months} months, "
        f"median of {REPEATS} runs\n"
    )
    print("| step | seconds |\n|---|---:|")
    for name, work in rows.items():
        print(f"| {name} | {seconds(work):.2f} |")


if __name__ == "__main__":
    main()
