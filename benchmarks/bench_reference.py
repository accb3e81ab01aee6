"""Today's models beside those of November 2026, on the same clean pseudo-vintages.

``reference/frozen_scores.csv`` holds the mean WIS and coverage of five seeds of the code before the
redesign (64 origins, 500 draws). This script runs today's code on five seeds and prints, for each
model, level and group of horizons, where today's mean lies against the spread of the five. It also
scores ``dlm-2026-11``, the old default kept in ``reference/``, in the same run.

    python benchmarks/bench_reference.py            five seeds, about 8 minutes on one core
    python benchmarks/bench_reference.py --seeds 1 --step 6
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import odforecast as od
from odforecast.scoring.columns import with_groups

HERE = Path(__file__).resolve().parent / "reference"
sys.path.insert(0, str(HERE))

#: Today's label -> the model it is compared with in the frozen table.
PAIRS = {
    "dlm": "dlm",
    "dlm-2026-11": "dlm",
    "hub-baseline": "hub-baseline",
    "naive": "naive",
    "auto-ets": "auto-ets",
}
KEYS = ["model", "level", "horizon_group"]


def main() -> None:
    """Run and print."""
    from dlm_2026_11 import register

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--models", default=",".join(PAIRS))
    given = parser.parse_args()
    register()
    parts = []
    for seed in range(given.seeds):
        results = od.backtest(
            given.models.split(","),
            "pseudo-clean",
            archive=od.bundled(),
            end="2024-04",
            step=given.step,
            draws=500,
            seed=seed,
        )
        scores = with_groups(results.scores, [*KEYS, "wis"])
        scores = scores[scores["scorable"].astype(bool)].astype({"horizon_group": str})
        means = scores.groupby(KEYS, observed=True).agg(
            wis=("wis", "mean"), cov90=("cover_90", "mean")
        )
        parts.append(means.reset_index().assign(seed=seed))
    today = (
        pd.concat(parts).groupby(KEYS, observed=True)[["wis", "cov90"]].agg(["mean", "min", "max"])
    )
    frozen = pd.read_csv(HERE / "frozen_scores.csv").groupby(KEYS)[["wis", "cov90"]]
    frozen = frozen.agg(["mean", "min", "max"])
    rows = []
    for (model, level, group), row in today.iterrows():
        old = frozen.loc[(PAIRS[model], level, group)]
        # The frozen figures are rounded to five digits.
        inside = row["wis", "min"] <= old["wis", "max"] + 1e-4
        inside &= row["wis", "max"] >= old["wis", "min"] - 1e-4
        rows.append(
            {
                "model": model,
                "level": level,
                "months": group,
                "frozen WIS": f"{old['wis', 'mean']:.2f} ({old['wis', 'min']:.2f}-"
                f"{old['wis', 'max']:.2f})",
                "today": f"{row['wis', 'mean']:.2f} ({row['wis', 'min']:.2f}-"
                f"{row['wis', 'max']:.2f})",
                "ratio": round(row["wis", "mean"] / old["wis", "mean"], 4),
                "spreads overlap": bool(inside),
                "cov90 frozen": round(old["cov90", "mean"], 3),
                "cov90 today": round(row["cov90", "mean"], 3),
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
