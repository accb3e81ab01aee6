"""County models on the release of 2023-10-08: scores and calibration, as Markdown.

One plateau, one release, provisional truth: clean cuts of that release, quarterly origins
2021-06..2022-12, 3, 6, 9 and 12 months ahead where the release has the truth (7, 6, 5 and 4
origins), the bundled release's states beside. Nothing is claimed of other times; standard errors
are over counties, clustered by state.

    python benchmarks/bench_counties.py
    python benchmarks/bench_counties.py --origins 2022-03 --models county-last --draws 200

Figures "given the true months" hand the state's own later months to a model, to show what the
county model adds without the states' forecast. It is no forecast.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from county_truth import GivenPaths
from odforecast.panel import Panel
from odforecast.scoring.columns import COUNTY_SIZES as SIZES
from odforecast.scoring.rules import pit_histogram
from odforecast.scoring.summary import (
    COUNTY_BASELINE,
    COUNTY_TITLE,
    county_coverage,
    county_leaderboard,
    ratio_error,
    states_of,
    ten_or_more,
)

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
FILE = SHARED / "county" / "2023-10-08.csv.gz"
ORIGINS = ("2021-06", "2021-09", "2021-12", "2022-03", "2022-06", "2022-09", "2022-12")
HORIZONS = (3, 6, 9, 12)
MODELS = ("county", COUNTY_BASELINE, "county-last")
GIVEN = " given the true months"
ORDER = ("county", "county" + GIVEN, *MODELS)
#: Columns of the score table that the tables below need.
KEPT = (
    "model", "as_of", "last_month", "location", "month", "horizon", "observed", "scorable",
    "wis", "cover_50", "cover_80", "cover_90", "cover_95", "pit", "median", "mean",
    "observed_low", "observed_high", "bounded", "twcrps", "twwis", "rps_bands",
    "p_zero", "p_hidden", "p_ten", "size", "visible", "urban",
)  # fmt: skip

#: What the file's codes of urban-rural classes mean (NCHS 2013).
URBAN_CLASSES = {
    "1": "large central metro", "2": "large fringe metro", "3": "medium metro",
    "4": "small metro", "5": "micropolitan", "6": "noncore",
}  # fmt: skip


def whole_panel() -> Panel:
    """The release of 2023-10-08, with the bundled states beside."""
    from odforecast.sources.county import read_county
    from odforecast.vintage.vintage import county_panel

    states = od.bundled().as_of().panel()
    return county_panel(read_county(FILE).table, states.as_of, states)


def made_models(names: list[str], states: Panel) -> dict[str, od.models.Model]:
    """Models by label; ``county`` a second time, with the states' true months."""
    out = {name: od.get_model(name) for name in names}
    if "county" in out:
        label = "county" + GIVEN
        out[label] = od.get_model("county", label=label, paths=GivenPaths(states))
    return out


def scores_of(panel: Panel, names: list[str], origins: list[str], draws: int) -> pd.DataFrame:
    """Score table of all models at all origins."""
    truth = od.Truth(panel)
    models = made_models(names, od.bundled().as_of().panel())
    parts, spent = [], dict.fromkeys(models, 0.0)
    for origin in origins:
        cut = panel.cut(origin)
        left = int((panel.last_month - cut.last_month).astype(int))
        horizons = [h for h in HORIZONS if h <= left]
        for label, model in models.items():
            start = time.perf_counter()
            forecast = model.fit(cut).forecast(horizon=max(horizons), draws=draws)
            spent[label] += time.perf_counter() - start
            table = od.score(forecast, truth, horizons=horizons)
            table = table.assign(
                model=label,
                as_of=pd.Timestamp(cut.as_of),
                last_month=cut.last_month.astype("datetime64[s]"),
            )[list(KEPT)]
            parts.append(table)
            print(f"{origin} {label} {spent[label]:.0f} s", file=sys.stderr, flush=True)
    print("Seconds of fits and forecasts, all origins: ", end="")
    print(", ".join(f"`{m}` {s:.0f}" for m, s in spent.items()) + ".")
    return pd.concat(parts, ignore_index=True)


def show(title: str, table: pd.DataFrame, digits: int = 3) -> None:
    """A table in Markdown, under what it must be called with."""
    print(f"\n### {title} ({COUNTY_TITLE})\n")
    print("| " + " | ".join(map(str, table.columns)) + " |")
    print("|" + "---|" * table.shape[1])
    for row in table.itertuples(index=False):
        cells = [
            (f"{x:.{digits}f}".replace("0.", ".", 1) if abs(x) < 1 else f"{x:.{digits}f}")
            if isinstance(x, float)
            else str(x)
            for x in row
        ]
        print("| " + " | ".join("–" if c == "nan" else c for c in cells) + " |")


def both_shown(scores: pd.DataFrame) -> pd.DataFrame:
    """Units with a count of 10 and more at the origin and as truth: those of COUNTIES.md."""
    return scores[scores["visible"] & scores["scorable"] & (scores["observed"] >= 10)]


def prototype_table(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Ratio of summed WIS to the baseline's and coverage, units shown at origin and truth."""
    units, lines = both_shown(scores), []
    for values, part in units.groupby(by, observed=True, sort=True):
        key = ["last_month", "location", "month"]
        base = part[part["model"] == COUNTY_BASELINE].set_index(key)["wis"]
        for model, rows in part.groupby("model", sort=False):
            other = base.reindex(pd.MultiIndex.from_frame(rows[key])).to_numpy()
            ratio, error = ratio_error(rows["wis"].to_numpy(), other, states_of(rows["location"]))
            held = rows["cover_90"].to_numpy()
            line = dict(zip(by, values)) | {
                "model": model, "n": len(rows), "ratio": ratio, "se": error,
                "coverage 90": held.mean(),
                "se cov": ratio_error(held, np.ones(held.size), states_of(rows["location"]))[1],
            }  # fmt: skip
            lines.append(line)
    return pd.DataFrame(lines)


def wide(table: pd.DataFrame, value: str, rows: list[str], column: str = "horizon") -> pd.DataFrame:
    """One value of a long table, a column for each horizon; models in the order they were run."""
    ranks = {"model": {m: i for i, m in reversed(list(enumerate(ORDER)))}}
    ranks["size"] = {size: i for i, size in enumerate(SIZES)}
    text = table.assign(**{r: table[r].astype(str) for r in rows if r in ranks})
    out = text.pivot_table(index=rows, columns=column, values=value, observed=True).reset_index()
    out = out.sort_values(rows, key=lambda c: c.map(ranks[c.name]) if c.name in ranks else c)
    return out.rename(columns=str)


def tables(scores: pd.DataFrame) -> None:
    """Everything that is to be shown."""
    board = county_leaderboard(scores, "horizon")
    base = COUNTY_BASELINE in set(scores["model"])
    if base:
        short = prototype_table(scores, ["horizon"])
        show("10 and more at origin and truth: summed WIS over the hub baseline's", short)
    columns = ["horizon", "model", "n_units", "n_unknown", "twcrps", "rel_twcrps", "se_twcrps",
               "rps", "rel_rps", "se_rps"]  # fmt: skip
    show("All counties: threshold-weighted CRPS, and RPS of 0 / 1–9 / 10+", board[columns])
    columns = ["horizon", "model", "n_visible", "twwis", "rel_twwis", "se_twwis", "n_wis", "wis",
               "rel_wis", "se_wis", "coverage_50", "coverage_90", "se_coverage_90"]  # fmt: skip
    show("Counties visible at the origin: WIS", board[columns])
    for name, words in (("size", "size at the origin"), ("urban", "urban class")):
        parts = county_leaderboard(scores, ["horizon", name])
        if base:
            show(f"rel_twcrps by {words}", wide(parts, "rel_twcrps", [name, "model"]))
            show(f"se of rel_twcrps by {words}", wide(parts, "se_twcrps", [name, "model"]))
        held = county_coverage(scores, ["horizon", name])
        show(f"90% intervals hold, exact truths, by {words}",
             wide(held, "coverage_90", [name, "model"]))  # fmt: skip
        show(f"PIT of all bounded truths in .05–.95, by {words}",
             wide(held, "pit_90", [name, "model"]))  # fmt: skip
        if base:
            parts = prototype_table(scores, ["horizon", name])
            show(f"10 and more at origin and truth: WIS ratio by {words}",
                 wide(parts, "ratio", [name, "model"]))  # fmt: skip
    for bins in (5, 10):
        ten = ten_or_more(scores, [], bins=bins)
        ten = ten.assign(chance=[f"{a:.1f}–{b:.1f}" for a, b in zip(ten["left"], ten["right"])])
        for name, words in (("gap", "came less given"), ("se", "standard error over states")):
            show(f"Chance of 10 and more, {bins} classes, all counties and horizons: {words}",
                 wide(ten, name, ["model"], "chance"))  # fmt: skip
    show("Chance of 10 and more: units in each class",
         wide(ten.astype({"n": float}), "n", ["model"], "chance"), 0)  # fmt: skip
    near = scores[(scores["p_ten"] >= 0.1) & (scores["p_ten"] < 0.9)]
    near = ten_or_more(near, ["horizon"], bins=1)
    show("Chance of 10 and more where it is .1 to .9: came less given by horizon",
         wide(near, "gap", ["model"]))  # fmt: skip
    hidden = scores[(scores["observed_low"] == 1) & (scores["observed_high"] == 9)]
    mass = hidden.assign(most=hidden["p_hidden"] > 0.5).groupby(["model", "horizon"])["most"]
    show(
        "Hidden truths: most of the chance on 1–9",
        wide(mass.mean().reset_index(), "most", ["model"]),
    )
    lines = []
    for (model, size), rows in scores.groupby(["model", "size"], sort=False):
        if size:
            counts = pit_histogram(rows["pit"].to_numpy())
            density = {f"{x:.1f}": d for x, d in zip(counts["left"], counts["density"])}
            lines.append({"size": SIZES.index(size), "class": size, "model": model} | density)
    pit = pd.DataFrame(lines).sort_values(["size", "model"]).drop(columns="size")
    show("Randomised PIT, all horizons (density; 1 if calibrated)", pit, 2)


def main() -> None:
    """Run what is asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--origins", nargs="*", default=list(ORIGINS), help="last known months")
    parser.add_argument("--models", nargs="*", default=list(MODELS), help="names of models")
    parser.add_argument("--draws", type=int, default=1000, help="sample paths")
    asked = parser.parse_args()
    if not FILE.exists():
        print(f"no release at {FILE}: nothing to measure")
        return
    names = list(dict.fromkeys(asked.models))
    print(f"Models {', '.join(names)}; origins {', '.join(asked.origins)}; {asked.draws} draws.")
    print(f"Urban classes: {', '.join(f'{k} {v}' for k, v in URBAN_CLASSES.items())}.\n")
    scores = scores_of(whole_panel(), names, asked.origins, asked.draws)
    tables(scores)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nLargest memory {peak:.1f} GiB.")


if __name__ == "__main__":
    main()
