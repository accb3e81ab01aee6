"""Drug classes as parts of all drugs: against ``dlm`` on the class alone, and the hub baseline.

    python benchmarks/bench_parts.py
    python benchmarks/bench_parts.py clean
    python benchmarks/bench_parts.py real --classes cocaine,heroin

Clean pseudo-vintages every third month from 2019-01 to 2024-04, and every real release in
../shared/data (or where ODFORECAST_SHARED points) that has the class. T40.4 is cut from the bundled
release, which is its truth, too; the other classes, which that does not hold, from the newest real
release. Targets: 12-month counts of the class at horizons 1 to 12, truth at least 12 months old.
Mean WIS relative to ``hub-baseline``, coverage of the 90% interval in brackets; each row on the
units that all models forecast. ``T40.4's numbers``: the part as it was before each class had its
own. Then the last count of the real releases itself, by WIS over that of the class alone. Origins
up to 2020-12 are those anything was chosen on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.models.constants import constants_for
from odforecast.models.statespace.model import CLASSES
from odforecast.models.statespace.share import Part, all_shares, share_inputs
from odforecast.panel import Panel

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
DRAWS = 1000
DEVELOPMENT = "2020-12"
BANDS = {"h1-3": (1, 3), "h4-6": (4, 6), "h7-12": (7, 12)}
OWN, BORROWED, ALONE, BASELINE = "its own", "T40.4's numbers", "alone", "hub-baseline"
#: Origin, all drugs with classes beside it, and each class alone.
Origin = tuple[str, Panel, dict[str, Panel]]


def read_releases() -> list[tuple[Panel, dict[str, Panel]]]:
    """Real releases of all drugs and of the classes that they hold, oldest first."""
    found = []
    for file in sorted(SHARED.glob("20*")):
        try:
            vintage = od.read(file)
            whole = vintage.panel()
        except OdforecastError:
            continue
        parts = {}
        for short in CLASSES:
            try:
                part = vintage.panel(short)
            except OdforecastError:
                continue
            if part.last_month == whole.last_month:
                parts[short] = alone(part)
        if parts:
            found.append((with_parts(whole, parts), parts))
    return found


def alone(panel: Panel) -> Panel:
    """A panel of a class without all drugs beside it."""
    return replace(panel, beside={n: p for n, p in panel.beside.items() if n != "all-drugs"})


def with_parts(whole: Panel, parts: Mapping[str, Panel]) -> Panel:
    """All drugs with these classes, and no others, beside it."""
    beside = {n: p for n, p in whole.beside.items() if n not in CLASSES}
    bare = {n: replace(p, beside={}, triangle=None, notes=()) for n, p in parts.items()}
    return replace(whole, beside={**beside, **bare})


def clean(newest: tuple[Panel, dict[str, Panel]], classes: tuple[str, ...]) -> Iterator[Origin]:
    """Cut from the bundled release and from the newest real one that holds all classes."""
    vintage = od.bundled().as_of()
    held = {"T40.4": alone(vintage.panel("T40.4"))} if "T40.4" in classes else {}
    others = {n: p for n, p in newest[1].items() if n in classes and n != "T40.4"}
    sources = [(vintage.panel(), held), (newest[0], others)]
    for whole, parts in [source for source in sources if source[1]]:
        for month in np.arange("2019-01", "2024-05", 3, dtype="datetime64[M]"):
            cut = {n: p.cut(month) for n, p in parts.items()}
            yield str(month), with_parts(whole, parts).cut(month), cut


def real(
    releases: list[tuple[Panel, dict[str, Panel]]], classes: tuple[str, ...]
) -> Iterator[Origin]:
    """The real releases; origin is the day of the release."""
    for whole, parts in releases:
        held = {n: p for n, p in parts.items() if n in classes}
        if held:
            yield str(whole.release), with_parts(whole, held), held


def scores(kind: str, classes: tuple[str, ...]) -> pd.DataFrame:
    """One row per class, model, origin, location and horizon."""
    releases = read_releases()
    newest = releases[-1]
    truths = {n: od.Truth(p) for n, p in newest[1].items()}
    truths["T40.4"] = od.Truth(od.bundled().as_of().panel("T40.4"))
    rows = []
    for origin, whole, parts in (
        clean(newest, classes) if kind == "clean" else real(releases, classes)
    ):
        fitted = od.get_model("dlm").fit(whole)
        made = {OWN: fitted.forecast(draws=DRAWS), BORROWED: borrowed(fitted).forecast(draws=DRAWS)}
        for short, part in parts.items():
            each = {name: forecast.part(short) for name, forecast in made.items()}
            each[ALONE] = od.get_model("dlm").fit(part).forecast(draws=DRAWS)
            each[BASELINE] = od.get_model("hub-baseline").fit(part).forecast(draws=DRAWS)
            for name, forecast in each.items():
                table = od.score(forecast, truths[short])
                rows.append(table.assign(name=name, origin=origin, drug=short))
    table = pd.concat(rows, ignore_index=True)
    return table[table["scorable"] & (table["horizon"] >= 0)]


def borrowed(fitted: od.Fitted) -> od.Fitted:
    """The same fit, its classes filtered and drawn with the numbers of T40.4."""
    inner = fitted.inner
    scales = all_shares()[constants_for(inner.panel.as_of).cutoff, "T40.4"]
    classes, of = {}, (inner.panel, inner.states, inner.adds_up, inner.missing)
    for name in inner.classes:
        inputs = share_inputs(name, *of, scales.late)
        if inputs is not None:
            classes[name] = Part(inputs, scales, *inputs.filtered(scales)[:2])
    inner = replace(inner)
    inner.classes = classes
    return replace(fitted, inner=inner)


def show(kind: str, table: pd.DataFrame) -> None:
    """Print the tables of each period."""
    unit = ["drug", "origin", "location", "horizon"]
    table = table.assign(
        level=np.where(table["location"] == "US", "US", "states"),
        band=pd.cut(table["horizon"], [-1, 0, 3, 6, 12], labels=["h0", *BANDS]),
    )
    early = table["origin"].str[:7] <= DEVELOPMENT
    for period, rows in (
        (f"development, to {DEVELOPMENT}", table[early]),
        (f"after {DEVELOPMENT}", table[~early]),
    ):
        if rows.empty:
            continue
        ahead = rows[rows["horizon"] > 0]
        ahead = ahead[ahead.groupby(unit)["name"].transform("nunique") == 4]
        n = ahead["origin"].nunique()
        print(f"\n**{kind}, {period}: {n} origins, {len(ahead) // 4:,} units**\n")
        printed(ahead, list(BANDS), BASELINE)
        last = rows[(rows["horizon"] == 0) & (rows["name"] != BASELINE)]
        last = last[last.groupby(unit)["name"].transform("nunique") == 3]
        if not last.empty:
            n = len(last) // 3
            print(f"\n*the last count itself, over that of the class alone: {n:,} units*\n")
            printed(last, ["h0"], ALONE)


def printed(rows: pd.DataFrame, bands: list[str], against: str) -> None:
    """One row per class and model: WIS over that of a model, coverage in brackets."""
    heads = [f"{level} {band}" for level in ("US", "states") for band in bands]
    print("| | | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 2) + "|")
    by = rows.groupby(["drug", "name", "level", "band"], observed=True)
    wis, cover = by["wis"].mean(), by["cover_90"].mean()
    for drug in [c for c in CLASSES if c in set(rows["drug"])]:
        for name in dict.fromkeys(rows["name"]):
            cells = []
            for level in ("US", "states"):
                for band in bands:
                    key = (drug, name, level, band)
                    ratio = wis.get(key, np.nan) / wis.get((drug, against, level, band), np.nan)
                    cells.append(f"{ratio:.2f} ({100 * cover.get(key, np.nan):.0f}%)")
            same = drug == "T40.4" and name == BORROWED
            if not same:
                print(f"| {drug} | {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=["clean", "real"])
    parser.add_argument("--classes", default=",".join(CLASSES))
    arguments = parser.parse_args()
    for kind in arguments.kinds or ["clean", "real"]:
        show(kind, scores(kind, tuple(arguments.classes.split(","))))


if __name__ == "__main__":
    main()
