"""Months recovered from CDC's 12-month-ending counts, against CDC WONDER's months 2019-2023.

Run ``python benchmarks/bench_months.py FOLDER`` with the folder that holds ``wonder/``; prints
Markdown for benchmarks/RESULTS.md. Errors are after one level ratio per location (occurrence
against residence), which is shown on its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import recover_months
from odforecast.names import ALL_DRUGS
from odforecast.sources.wonder import read_wonder, us_months
from odforecast.vintage.recover import recovered_months

STATES = ("US", *(s for s in JURISDICTIONS if s not in ("NY", "YC")), "NY+YC")


def truth(exports) -> pd.DataFrame:
    """WONDER's months, states by months; hidden cells NaN, the US with their middle."""
    table = pd.concat([x.table for x in exports])
    wide = table.pivot(index="state", columns="month", values="deaths")
    wide.loc["US"] = pd.concat([us_months(x)["deaths"] for x in exports])
    return wide.reindex(list(STATES))


def errors(months: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Level ratio and MAPE (percent) after it, by location; at least 48 of 60 months."""
    months = months[true.columns].where(true.notna())
    level = months.sum(axis=1) / true.sum(axis=1)
    mape = (months.div(level, axis=0) / true - 1).abs().mean(axis=1) * 100
    enough = true.notna().sum(axis=1) >= 48
    return pd.DataFrame({"level": level, "mape": mape}).loc[enough[enough].index]


def wide(found) -> pd.DataFrame:
    return found.table.pivot(index="state", columns="month", values="deaths")


def first_method(table: pd.DataFrame) -> pd.DataFrame:
    """``recover_months``: the smoothest months, no account of days or season."""
    rows = table[table["indicator"] == ALL_DRUGS]
    sums = rows.pivot(index="state", columns="month", values="reported")
    sums.loc["NY+YC"] = sums.loc["NY"] + sums.loc["YC"]
    sums = sums.loc[list(STATES)]
    stamps = pd.date_range(sums.columns[0] - pd.DateOffset(months=11), sums.columns[-1], freq="MS")
    return pd.DataFrame(recover_months(sums.to_numpy(dtype=float)), sums.index, stamps)


def main(folder: Path) -> None:
    by_year = {
        y: read_wonder(folder / "wonder" / f"all_drugs_state_month_{y}.txt")
        for y in range(2018, 2024)
    }
    true = truth([by_year[y] for y in range(2019, 2024)])
    table = od.bundled().as_of("2025-09-17").table
    start = time.perf_counter()
    season = recovered_months(table, STATES, draws=1000)
    seconds = time.perf_counter() - start
    one = recovered_months(table, STATES, wonder=[by_year[2018]], draws=1000)
    every = recovered_months(table, STATES, wonder=list(by_year.values()), draws=1000)
    print("## Months from 12-month-ending counts, against CDC WONDER 2019-2023\n")
    print("Release 2025-09-17, all drugs; MAPE in % after one level ratio per location. States:")
    print("the 50 states and DC with at least 48 of 60 months shown, New York whole.\n")
    print("| pinned by | US | median state | 90% of states below | worst state |")
    print("|---|---|---|---|---|")
    rows = {
        "smoothest months (`recover_months`)": first_method(table),
        "days and season (`pin_months`), no WONDER": wide(season),
        "WONDER 2018 only (all months compared lie outside)": wide(one),
        "WONDER 2018-2023 (a floor: in sample)": wide(every),
    }
    for name, months in rows.items():
        found = errors(months, true)["mape"]
        states = found.drop("US")
        print(f"| {name} | {found['US']:.2f} | {states.median():.2f} | "
              f"{states.quantile(0.9):.2f} | {states.max():.2f} ({states.idxmax()}) |")  # fmt: skip
    months_all = wide(season)
    months = months_all[true.columns]
    by_years = ", ".join(f"{y} {g:.4f}" for y, g in _levels(months_all, by_year).items())
    print(f"\nLevel, occurrence / residence: US by year {by_years};")
    level = errors(months, true)["level"].drop("US")
    print(f"states 2019-2023: median {level.median():.3f}, from {level.min():.3f} "
          f"({level.idxmin()}) to {level.max():.3f} ({level.idxmax()}).\n")  # fmt: skip
    print("(In 2022 and 2023 the gap is larger because of California, which alone has 809 of the")
    print("1,522 and 991 of the 1,916 deaths between the two counts; 165 of 500 in 2019.)\n")
    print("Do the intervals hold? Share of WONDER's months, times the level, inside the 90%")
    print(
        "interval of the draws, which are of months by *occurrence*: for states the noise between"
    )
    print("the two counts is larger than the interval: the share is below 0.90 at any spread.")
    print("The root mean square of (mean error of a calendar month over five years) / sd averages")
    print("most of that noise out, and should be 1; above it, the spread is too small.\n")
    print("| pinned by | US inside | states inside | US rms | states rms |\n|---|---|---|---|---|")
    for name, found in (("days and season", season), ("WONDER 2018", one)):
        inside, ratio = _calibration(found, true)
        print(f"| {name} | {inside['US']:.2f} | {inside.drop('US').mean():.2f} | "
              f"{ratio['US']:.2f} | {np.sqrt((ratio.drop('US') ** 2).mean()):.2f} |")  # fmt: skip
    print(f"\n{len(STATES)} locations, 135 months, 1,000 draws: {seconds:.1f} s on one core.")
    print("\n<details><summary>By state</summary>\n")
    print("| state | level | smoothest | season | WONDER 2018 |\n|---|---|---|---|---|")
    tables = [errors(rows[k], true) for k in list(rows)[:3]]
    for state in tables[0].index:
        print(f"| {state} | {tables[1].at[state, 'level']:.3f} | "
              + " | ".join(f"{t.at[state, 'mape']:.2f}" for t in tables) + " |")  # fmt: skip
    print("\n</details>")


def _levels(months: pd.DataFrame, by_year) -> dict[int, float]:
    out = {}
    for year, export in by_year.items():
        us = us_months(export)["deaths"]
        out[year] = float(months.loc["US", us.index].sum() / us.sum())
    return out


def _calibration(found, true: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    t = found.table
    pick = {c: t.pivot(index="state", columns="month", values=c)[true.columns]
            for c in ("deaths", "sd", "q05", "q95")}  # fmt: skip
    scored = errors(pick["deaths"], true)
    target = true.loc[scored.index].mul(scored["level"], axis=0)
    low, high = pick["q05"].loc[target.index], pick["q95"].loc[target.index]
    inside = ((target >= low) & (target <= high)).where(target.notna()).mean(axis=1)
    error = pick["deaths"].loc[target.index] - target
    by_month = error.T.groupby(error.columns.month).mean().T
    spread = pick["sd"].loc[target.index].T.groupby(error.columns.month).mean().T
    return inside.astype(float), np.sqrt(((by_month / spread) ** 2).mean(axis=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
