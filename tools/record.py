"""The table of past errors that texts, pages and briefs show: the default's, by place.

    python tools/record.py           write src/odforecast/forecasts/record.csv
    python tools/record.py --check   compare with what is there

The default backtest of the default model (pseudo-vintages with delay, three donors a month, the
bundled release as truth): for each place and horizon the number of forecasts, the median error in
percent, and the share of counts inside the 90% interval.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import odforecast as od
from odforecast.forecasts.record import table_of

PATH = Path(__file__).resolve().parents[1] / "src/odforecast/forecasts/record.csv"
#: First origin, as the last known month: releases of before are of another era.
START = "2021-01"


def measure(step: int = 1) -> pd.DataFrame:
    """One row per location and horizon."""
    run = od.backtest(["dlm"], start=START, step=step, progress=sys.stderr.isatty())
    return table_of(run.scores)


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
