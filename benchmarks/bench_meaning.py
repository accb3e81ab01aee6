"""What every named prior averts, under what its words mean.

    python benchmarks/bench_meaning.py              table of the library as it is
    python benchmarks/bench_meaning.py --save FILE  the same numbers as JSON, to compare commits
    python benchmarks/bench_meaning.py --seeds 10   how much the means hang on the seed, one prior

The bundled release, the default model, seed 1, onset in the month after the as-of date, deaths
averted over the three years from it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import odforecast as od
from odforecast.scenario import NULL, named, prior_names, project

AS_OF, ONSET, UNTIL = "2025-09-17", "2025-10", "2028-09"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--seeds", type=int, default=0)
    given = parser.parse_args()
    if given.seeds:
        print_spread(given.seeds)
        return
    fitted = od.get_model().fit(od.bundled().as_of(AS_OF).panel())
    forecast = fitted.forecast(until=UNTIL, draws=given.draws, seed=1)
    scenarios = [named(name, onset=ONSET) for name in prior_names()]
    projection = project(forecast, [NULL, *scenarios], seed=1).select(["US", "OH", "WV"])
    table = projection.answer()
    print(
        "| prior | works / nothing / backfires | US: if it works | US: mean (90%) | US: fewer / "
        "same / more | OH: mean (90%) | WV: largest fall and rise of a month |"
    )
    print("|---|---|---|---|---|---|---|")
    saved = {}
    for name, rows in table.groupby("scenario_id", sort=False):
        us, oh = (rows[rows["location"] == s].iloc[0] for s in ("US", "OH"))
        ahead = projection.ahead
        west = projection.baseline.draws[:, 2, ahead]
        with_it = projection.forecast(str(name)).draws[:, 2, ahead]
        ratio = with_it[west > 1] / west[west > 1]
        saved[name] = [us["averted_mean"], us["averted_q05"], us["averted_q95"]]
        low, middle, high = (us[f"averted_if_works_{q}"] for q in ("q05", "mean", "q95"))
        works = "–" if us["works"] == 0 else f"{middle:z,.0f} ({low:z,.0f}…{high:z,.0f})"
        print(
            f"| {name} | {us['works']:.2f} / {us['nothing']:.2f} / {us['backfires']:.2f} "
            f"| {works} | {span(us)} | {us['fewer']:.2f} / {us['same']:.2f} / {us['more']:.2f} "
            f"| {span(oh)} | "
            f"{100 * (ratio.min() - 1):+z.0f}%, {100 * (ratio.max() - 1):+z.0f}% |"
        )
    if given.save:
        given.save.write_text(json.dumps(saved))


def print_spread(seeds: int) -> None:
    """Standard deviation over seeds of what cooperation averts until 2028, in percent of it."""
    fitted = od.get_model().fit(od.bundled().as_of().panel())
    item = named("cooperation-resumed", onset="2026-01")
    print("| draws | US: if it works | US: over all | OH: if it works | OH: over all |")
    print("|---|---|---|---|---|")
    for draws in (1000, None):
        rows = []
        for seed in range(1, seeds + 1):
            projection = project(fitted, item, until="2028-12", draws=draws, seed=seed)
            table = projection.select(["US", "OH"]).answer()
            rows.append(table[["averted_if_works_mean", "averted_mean"]].to_numpy().ravel())
        means = np.array(rows)
        parts = 100 * means.std(axis=0, ddof=1) / means.mean(axis=0)
        cells = (f"{mean:,.0f} ± {part:.1f}%" for mean, part in zip(means.mean(axis=0), parts))
        print(f"| {draws or 'by default'} | {' | '.join(cells)} |", flush=True)


def span(row: object) -> str:
    """Mean and 90% interval of deaths averted."""
    low, high = row["averted_q05"], row["averted_q95"]  # type: ignore[index]
    return f"{row['averted_mean']:z,.0f} ({low:z,.0f}…{high:z,.0f})"  # type: ignore[index]


if __name__ == "__main__":
    main()
