"""Scores of every model on clean pseudo-vintages and on real vintages, as markdown.

    python benchmarks/bench_models.py clean
    python benchmarks/bench_models.py real

``clean``: origins every month 2019-01..2024-04, cut from the bundled release; truth is its
reported counts whatever their age. ``real``: every release of ``../shared/data/vsrr`` that can
be scored; truth is the bundled release, months at least 12 months old.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import odforecast as od
from bench_delayed import MODELS, headline, labelled
from odforecast.errors import DataError
from odforecast.sources.vsrr import read_vsrr

GROUPS = ["1-3", "4-6", "7-12"]
SHARED = Path(
    os.environ.get("ODFORECAST_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data")
)
CLEAN = [
    "hub-baseline", "dlm", "ensemble", "auto-ets", "auto-theta", "auto-ces", "auto-arima", "naive",
    "drift", "damped-trend", "auto-ets-sums", "auto-theta-sums",
]  # fmt: skip
#: Those that complete the last months themselves, and those that a layer does it for.
KNOW_DELAY = ["dlm", "ensemble"]
WITH_LAYER = ["auto-ets", "auto-theta", "naive", "drift", "hub-baseline"]


def real_archive(folder: Path) -> od.Archive:
    """Every real release that the reader accepts."""
    archive = od.Archive(folder)
    files = [p for name in ("vsrr", "unread") for p in (SHARED / name).glob("*")]
    for path in sorted(files, key=lambda p: p.name):
        if "metadata" in path.name:
            continue
        try:
            archive.add(read_vsrr(path))
        except DataError as error:
            print(f"left out: {error.message}\n")
    return archive


def table(results: od.Results, by: list[str], *, best: bool = False) -> None:
    board = results.leaderboard(by=[*by, "horizon_group"])
    for head, part in board.groupby(by, observed=True, sort=False):
        print(f"\n**{', '.join(map(str, head))}**\n")
        print("| model | rel. WIS 1–3 | 4–6 | 7–12 | cov. 90% 1–3 | 4–6 | 7–12 |")
        print("|---|---|---|---|---|---|---|")
        rows = {m: r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        order = sorted(rows, key=lambda m: rows[m]["rel_wis"].reindex(GROUPS).mean())
        for model in order:
            r = rows[model].reindex(GROUPS)
            cells = [f"{x:.3f}" for x in r["rel_wis"]] + [f"{x:.3f}" for x in r["coverage_90"]]
            print(f"| {model} | " + " | ".join(cells) + " |")
        if best:
            classical = [m for m in order if m.startswith(("auto-", "naive", "drift"))]
            if not classical:
                continue
            least = np.min([rows[m]["wis"].reindex(GROUPS) for m in classical], axis=0)
            for mine in [m for m in ("dlm", "ensemble") if m in rows]:
                ratios = rows[mine]["wis"].reindex(GROUPS) / least
                text = " / ".join(f"{x:.3f}" for x in ratios)
                print(f"\n{mine} relative to the best classical model of each group: {text}")


def by_release(results: od.Results) -> None:
    """The default's ratio to the hub baseline, release by release."""
    board = results.leaderboard(by=["level", "as_of", "horizon_group"])
    mine = board[board["model"] == "dlm"]
    print("\n**dlm, by release**: rel. WIS 1–3 / 4–6 / 7–12\n")
    print("| release | jurisdictions | nation |\n|---|---|---|")
    for day, part in mine.groupby("as_of"):
        cells = []
        for level in ("jurisdictions", "nation"):
            rows = part[part["level"] == level].set_index("horizon_group")["rel_wis"]
            cells.append(
                " / ".join("–" if np.isnan(x) else f"{x:.2f}" for x in rows.reindex(GROUPS))
            )
        print(f"| {day:%Y-%m-%d} | " + " | ".join(cells) + " |")


def run(models: list, origins: list, truth: od.Truth, draws: int) -> od.Results:
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return od.backtest(models, origins, truth=truth, draws=draws, executor=pool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", nargs="?", choices=["clean", "real"], default="clean")
    parser.add_argument("--step", type=int, default=1, help="clean: months between origins")
    parser.add_argument("--start", help="first origin, as its last known month")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--models", help="these only")
    options = parser.parse_args()
    panel = od.bundled().as_of().panel()
    if options.kind == "clean":
        origins = od.origins(
            od.bundled(), "pseudo-clean", start=options.start, end="2024-04", step=options.step
        )
        models = options.models.split(",") if options.models else CLEAN
        results = run(models, origins, od.Truth(panel, min_age=0), options.draws)
        print(f"{len(origins)} origins (pseudo-clean), truth: reported in {panel.release}, any age")
        table(results, ["level"], best=True)
        table(results, ["level", "regime"], best=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = real_archive(Path(folder))
        found = od.origins(archive, "real", start=options.start or "2018-02")
        origins = [o for o in found if o.panel is not None]
        models = [
            *KNOW_DELAY,
            *(od.get_model(m, delay=False) for m in KNOW_DELAY),
            *WITH_LAYER,
            *(f"{m}+delay" for m in WITH_LAYER),
            "cdc-predicted",
        ]
        if options.models:
            models = options.models.split(",")
        results = run(models, origins, od.Truth(panel), options.draws)
    scores = results.scores
    shown = scores[(scores["model"] == "hub-baseline") & (scores["location"] == "US")]
    counts = shown[shown["scorable"]].groupby("as_of")["horizon"].count()
    print(f"truth: reported in {panel.release}, months at least 12 months old; scorable horizons:")
    print(", ".join(f"{day:%Y-%m-%d} {n}" for day, n in counts.items()))
    table(results, ["level"])
    by_release(results)
    if options.models and set(options.models.split(",")) != set(MODELS):
        return
    rows = scores[scores["target"].astype(str) == "deaths_12mo"].astype({"model": str})
    rows = rows[rows["model"].isin(MODELS)].assign(donor="")
    rows = labelled(rows.reset_index(drop=True))
    headline(rows)
    cells = rows[(rows["model"] == "dlm") & (rows["group"] != "")]
    print("\n**dlm: 90% coverage and cells**\n\n| places | months ahead | coverage | cells |")
    print("|---|---|---|---|")
    for (level, group), part in cells.groupby(["level", "group"]):
        print(f"| {level} | {group} | {part['cover_90'].mean():.2f} | {len(part)} |")
    if options.models:
        return
    now = scores[scores["scorable"] & (scores["horizon"] == 0)]
    now = now.assign(level=now["location"].eq("US").map({True: "nation", False: "jurisdictions"}))
    # The raw count is what was reported: its error is the delay itself.
    raw = now[now["model"] == "dlm"]
    error = (raw["last_reported"] - raw["observed"]).abs()
    print("\n**Nowcast of the last 12-month-ending count: mean absolute error, deaths**\n")
    print("| estimate | nation | jurisdictions | cov. 90%, jurisdictions |\n|---|---|---|---|")
    by_level = error.groupby(raw["level"]).mean()
    print(f"| as reported | {by_level['nation']:.0f} | {by_level['jurisdictions']:.1f} | – |")
    for model in ("cdc-predicted", "dlm", "ensemble"):
        # Vintages that all three can answer: the first has no predicted history.
        days = set(now.loc[now["model"] == "cdc-predicted", "as_of"])
        mine = now[(now["model"] == model) & now["as_of"].isin(days)]
        part = mine.groupby("level")[["ae", "cover_90"]].mean()
        print(
            f"| {model} | {part.loc['nation', 'ae']:.0f} | {part.loc['jurisdictions', 'ae']:.1f} "
            f"| {part.loc['jurisdictions', 'cover_90']:.2f} |"
        )
    print(f"\n{len(days)} vintages in the last three rows.")


if __name__ == "__main__":
    main()
