"""The table of past errors that every brief shows: how far off the default model was, by place.

    python tools/record.py           write src/odforecast/report/record.csv
    python tools/record.py --check   compare with what is there

The default backtest of the default model (pseudo-vintages with delay, three donors a month, the
bundled release as truth): for each place and horizon the number of forecasts, the median error in
percent, and the share of counts inside the 90 % interval.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import odforecast as od

PATH = Path(__file__).resolve().parents[1] / "src/odforecast/report/record.csv"
HORIZONS = (3, 6, 12)


def measure(step: int = 1) -> pd.DataFrame:
    """One row per location and horizon."""
    scores = od.backtest(["dlm"], step=step, progress=sys.stderr.isatty()).scores
    kept = scores[
        scores["horizon"].isin(HORIZONS) & (scores["target"] == "deaths_12mo") & scores["scorable"]
    ]
    groups = kept.groupby(["location", "horizon"], sort=True)
    table = groups.agg(
        forecasts=("ape", "size"),
        error=("ape", "median"),
        held=("cover_90", "mean"),
        first=("month", "min"),
        last=("month", "max"),
        spec_hash=("spec_hash", "first"),
    ).reset_index()
    for key in ("first", "last"):
        table[key] = table[key].dt.strftime("%Y-%m")
    return table.assign(error=table["error"].round(1), held=table["held"].round(2))


def main() -> None:
    """Write the table, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    table = measure()
    if not given.check:
        table.to_csv(PATH, index=False, lineterminator="\n")
        print(f"{len(table)} rows: {PATH.name}")
        return
    there = pd.read_csv(PATH, dtype={"location": str, "first": str, "last": str})
    same = there.drop(columns=["error", "held"]).equals(table.drop(columns=["error", "held"]))
    near = (there["error"] - table["error"]).abs().max() <= 0.2
    if not (same and near and (there["held"] - table["held"]).abs().max() <= 0.02):
        raise SystemExit("record.csv is not what the backtest gives: run tools/record.py")
    print("record.csv is what the backtest gives")


if __name__ == "__main__":
    main()
