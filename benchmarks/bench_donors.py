"""Do pseudo-vintages with delay behave as real releases do? Two checks, as markdown.

    python benchmarks/bench_donors.py [--model dlm] [--releases DIR]

1. A release as its own donor: scores on the pseudo-vintage beside those on the release itself,
   pooled over releases, as a share of the hub baseline's WIS.
2. Other donors at a release's month, those near enough in the calendar to be drawn: where the real
   score lies among theirs, by era. Donors of the 4.5-month era miss more, so that a release of the
   other era should score better than by them, and the other way round; among its own era a place
   near the middle on average says that the benchmark is neither too easy nor too hard. Places
   piled at one end say that it decides nothing.

Truth: the bundled release, months at least 12 months old. Nowcast: the last 12-month-ending count.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.backtesting import Origin, Workers
from odforecast.backtesting.origin import FAR
from odforecast.scoring.columns import with_groups
from odforecast.vintage.donors import gathered

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from releases import read_releases

GROUPS = ("1-3", "4-6", "7-12")
#: What is ranked: title, level, rows.
RANKED = (
    ("JU 1–3", "jurisdictions", lambda t: t["horizon"].between(1, 3)),
    ("US 1–3", "nation", lambda t: t["horizon"].between(1, 3)),
    ("JU last count", "jurisdictions", lambda t: t["horizon"] == 0),
    ("US last count", "nation", lambda t: t["horizon"] == 0),
)


def origins(archive: od.Archive) -> tuple[list[Origin], dict[str, od.Panel]]:
    """At the month of every settled release: the release, itself as donor, all other donors."""
    truth = archive.as_of().panel()
    donors, left_out = gathered(archive, truth)
    for day, why in left_out.items():
        print(f"left out {day}: {why}\n")
    found, panels = [], {}
    for each in donors:
        real = archive.as_of(each.release).panel()
        panels[str(each.release)] = real
        found.append(Origin(each.release, "real", real))
        for donor in donors:
            seen = truth.delayed(real.last_month, donor)
            distance = donor.distance(real.last_month)
            found.append(Origin(seen.as_of, seen.vintage, seen, "", str(donor.release), distance))
    return found, panels


def own(scores: pd.DataFrame, model: str, of: dict[pd.Timestamp, str]) -> None:
    """Check 1."""
    mine = scores["donor"].str.partition("/")[0] == scores["last_month"].map(of)
    print("\n| relative WIS, 1–3 / 4–6 / 7–12 | jurisdictions | nation |\n|---|---|---|")
    for name, part in (("as released", scores[scores["vintage"] == "real"]),
                       ("a release as its own donor", scores[mine])):  # fmt: skip
        cells = []
        for level in ("jurisdictions", "nation"):
            rows = part[(part["level"] == level) & part["horizon_group"].isin(GROUPS)]
            mean = rows.groupby(["horizon_group", "model"], observed=True)["wis"].mean().unstack()
            ratio = (mean[model] / mean["hub-baseline"]).reindex(GROUPS)
            cells.append(" / ".join(f"{x:.3f}" for x in ratio))
        print(f"| {name} | " + " | ".join(cells) + " |")


def ranked(scores: pd.DataFrame, model: str, of: dict[pd.Timestamp, str]) -> None:
    """Check 2."""
    scores = scores[scores["model"] == model]
    scores = scores.assign(by=scores["donor"].str.partition("/")[0])
    era = scores.groupby("by")["era"].first().astype(str).to_dict()
    places: dict[tuple[str, str], list[float]] = {}
    print("\nReal score; lowest to highest by donors of the same era, and of the other (rank of "
          "the real one, 1: lowest).\n")  # fmt: skip
    print("| release | era | " + " | ".join(title for title, *_ in RANKED) + " |")
    print("|---" * (2 + len(RANKED)) + "|")
    for month, release in sorted(of.items()):
        here = scores[scores["last_month"] == month]
        cells = []
        for title, level, chosen in RANKED:
            rows = here[(here["level"] == level) & chosen(here)]
            real = float(rows.loc[rows["vintage"] == "real", "wis"].mean())
            near = rows[(rows["donor_distance"] <= FAR) & (rows["by"] != release)]
            others = near.groupby("by")["wis"].mean()
            text = f"{real:,.1f}"
            for same in (True, False):
                values = others[[(era[d] == era[release]) == same for d in others.index]]
                if values.empty:
                    text += "; –"
                    continue
                rank = 1 + int((values < real).sum())
                key = (title, f"{era[release]}, {'same' if same else 'other'} era")
                places.setdefault(key, []).append(rank / (len(values) + 2))
                text += f"; {values.min():,.1f}–{values.max():,.1f} ({rank}/{len(values) + 1})"
            cells.append(text)
        print(f"| {release} | {era[release]} | " + " | ".join(cells) + " |")
    kinds = sorted({kind for _, kind in places}, reverse=True)
    print(
        "\nMean place of the real score (0 below all, 1 above all, .5 in the middle), releases:\n"
    )
    print("| releases' era, donors of | " + " | ".join(title for title, *_ in RANKED) + " |")
    print("|---" * (1 + len(RANKED)) + "|")
    for kind in kinds:
        found = [places.get((title, kind), []) for title, *_ in RANKED]
        cells = [f"{np.mean(f):.2f} ({len(f)})" if f else "–" for f in found]
        print(f"| {kind} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dlm")
    parser.add_argument("--releases", help="folder with releases")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    archive = read_releases(given.releases)
    if archive is None:
        print("no releases found: name a folder with --releases")
        return
    found, panels = origins(archive)
    models = list(dict.fromkeys((given.model, "hub-baseline")))
    with Workers(given.jobs) as pool:
        results = od.backtest(
            models, found, truth=od.Truth(archive.as_of().panel()), draws=given.draws,
            executor=pool, progress=False,
        )  # fmt: skip
    scores = with_groups(results.scores, ["level", "horizon_group", "era"])
    scores = scores[scores["scorable"].astype(bool)]
    of = {pd.Timestamp(str(p.last_month)): day for day, p in panels.items()}
    print(f"{given.model}; {len(panels)} releases, truth: reported in "
          f"{archive.as_of().date}; {len(results.failures)} failures")  # fmt: skip
    own(scores, given.model, of)
    ranked(scores, given.model, of)


if __name__ == "__main__":
    main()
