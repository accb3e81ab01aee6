"""T40.4 as a part of all drugs: against ``dlm`` on T40.4 alone, and against the hub baseline.

    python benchmarks/bench_parts.py
    python benchmarks/bench_parts.py clean
    python benchmarks/bench_parts.py real

Clean pseudo-vintages every third month from 2019-01 to 2024-04, cut from the bundled release, and
every real release in ../shared/data (or where ODFORECAST_SHARED points) that has T40.4. Targets:
12-month counts of T40.4 at horizons 1 to 12, truth those of the bundled release at least 12 months
old. Mean WIS relative to ``hub-baseline``, coverage of the 90 % interval in brackets; each row on
the units that all three models forecast. Origins up to 2020-12 are those anything was chosen on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.panel import Panel

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
DRAWS = 1000
DEVELOPMENT = "2020-12"
BANDS = {"h1-3": (1, 3), "h4-6": (4, 6), "h7-12": (7, 12)}


def clean() -> Iterator[tuple[str, Panel, Panel]]:
    """Origin, all drugs with T40.4 beside it, and T40.4 alone."""
    vintage = od.bundled().as_of()
    whole, part = vintage.panel(), alone(vintage.panel("T40.4"))
    for month in np.arange("2019-01", "2024-05", 3, dtype="datetime64[M]"):
        yield str(month), whole.cut(month), part.cut(month)


def real() -> Iterator[tuple[str, Panel, Panel]]:
    """The same of the real releases; origin is the day of the release."""
    for file in sorted(SHARED.glob("20*")):
        try:
            vintage = od.read(file)
            whole, part = vintage.panel(), alone(vintage.panel("T40.4"))
        except OdforecastError:
            continue
        if "T40.4" in whole.beside and whole.last_month == part.last_month:
            yield str(vintage.date), whole, part


def alone(panel: Panel) -> Panel:
    """A panel of T40.4 without all drugs beside it."""
    return replace(panel, beside={n: p for n, p in panel.beside.items() if n != "all-drugs"})


def scores(kind: str) -> pd.DataFrame:
    """One row per model, origin, location and horizon."""
    truth = od.Truth(od.bundled().as_of().panel("T40.4"))
    rows = []
    for origin, whole, part in clean() if kind == "clean" else real():
        made = {
            "part of all drugs": od.get_model("dlm").fit(whole).forecast(draws=DRAWS).part("T40.4"),
            "dlm on T40.4 alone": od.get_model("dlm").fit(part).forecast(draws=DRAWS),
            "hub-baseline": od.get_model("hub-baseline").fit(part).forecast(draws=DRAWS),
        }
        for name, forecast in made.items():
            table = od.score(forecast, truth)
            rows.append(table.assign(name=name, origin=origin))
    table = pd.concat(rows, ignore_index=True)
    return table[table["scorable"] & (table["horizon"] > 0)]


def show(kind: str, table: pd.DataFrame) -> None:
    """Print one table for each period."""
    unit = ["origin", "location", "horizon"]
    common = table.groupby(unit)["name"].transform("nunique") == table["name"].nunique()
    table = table[common].assign(
        level=np.where(table[common]["location"] == "US", "US", "states"),
        band=pd.cut(table[common]["horizon"], [0, 3, 6, 12], labels=list(BANDS)),
    )
    for period, rows in (
        (f"development, to {DEVELOPMENT}", table[table["origin"].str[:7] <= DEVELOPMENT]),
        (f"after {DEVELOPMENT}", table[table["origin"].str[:7] > DEVELOPMENT]),
    ):
        if rows.empty:
            continue
        n = rows["origin"].nunique()
        print(f"\n**{kind}, {period}: {n} origins, {len(rows) // 3:,} units**\n")
        heads = [f"{level} {band}" for level in ("US", "states") for band in BANDS]
        print("| | " + " | ".join(heads) + " |")
        print("|---" * 7 + "|")
        by = rows.groupby(["name", "level", "band"], observed=True)
        wis, cover = by["wis"].mean(), by["cover_90"].mean()
        for name in dict.fromkeys(table["name"]):
            cells = []
            for level in ("US", "states"):
                for band in BANDS:
                    against = wis.get(("hub-baseline", level, band), np.nan)
                    key = (name, level, band)
                    cells.append(f"{wis.get(key, np.nan) / against:.2f} "
                                 f"({100 * cover.get(key, np.nan):.0f} %)")  # fmt: skip
            print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    for kind in sys.argv[1:] or ("clean", "real"):
        show(kind, scores(kind))


if __name__ == "__main__":
    main()
