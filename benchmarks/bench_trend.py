"""Score the trend: five categories of the change on a year earlier, against pooled frequencies.

    python benchmarks/bench_trend.py [--step 1]

Delayed pseudo-vintages (three donors a month), the bundled release as truth. Ranked probability
score of each model's chances, and its ratio to that of the frequencies with which each category
had come up in all jurisdictions, as known at the origin. Months up to six ahead apart from later
ones: for half of those is counted already.
"""

from __future__ import annotations

import argparse

import odforecast as od

MODELS = ["dlm", "ensemble", "naive+delay", "drift+delay", "hub-baseline"]


def main() -> None:
    """Print a row per model, level and group of horizons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", type=int, default=2, help="months between origins")
    parser.add_argument("--start", default="2019-01", help="first origin, as its last known month")
    given = parser.parse_args()
    results = od.backtest(MODELS, start=given.start, step=given.step, archive=od.bundled())
    board = results.leaderboard(by=["level", "horizon_group"])
    board = board[board["rps"].notna()]
    units = board.groupby("level", observed=True)["n_scorable"].sum() / len(MODELS)
    print(f"{results!r}\n{units.astype(int).to_dict()} counts a model\n")
    print("| level | months ahead | " + " | ".join(MODELS) + " |")
    print("|---|---|" + "--:|" * len(MODELS))
    for (level, group), part in board.groupby(
        ["level", "horizon_group"], observed=True, sort=False
    ):
        by = part.set_index("model")
        cells = [f"{by.loc[m, 'rps']:.3f} ({by.loc[m, 'rel_rps']:.2f})" for m in MODELS]
        print(f"| {level} | {group} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
