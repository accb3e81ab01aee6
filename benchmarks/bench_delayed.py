"""The table that decides: pseudo-vintages with delay, and what each part of the default is worth.

    python benchmarks/bench_delayed.py                    the headline tables, one seed
    python benchmarks/bench_delayed.py --seeds 5          Monte Carlo error of the default
    python benchmarks/bench_delayed.py --ablation         the default without each of its parts
    python benchmarks/bench_delayed.py --ablation --seeds 5     ... with their Monte Carlo error
    python benchmarks/bench_delayed.py --step 3 ...       every third month

Monthly origins from 2019-01 by three donors each, cut from the bundled release. Truth: its
reported counts, at least 12 months old. WIS over that of two baselines: ``hub-baseline`` is fed the
counts as they were, ``naive+delay`` completed ones. The nation's damping and width were chosen on
origins whose truth runs to 2021-12, so the first span on which nothing was chosen begins in 2022.
Intervals: 90%, blocks of origins and whole donor releases drawn again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.backtesting.origin import Origin
from odforecast.models import Model
from odforecast.models.constants import all_constants
from odforecast.models.delay import constants as learning
from odforecast.models.delay.layer import Delayed
from odforecast.models.statespace import kalman
from odforecast.models.statespace.kalman import Scales
from odforecast.models.statespace.model import Dlm
from odforecast.scoring import relative_to_baseline

sys.path.insert(0, str(Path(__file__).resolve().parent / "reference"))
from dlm_2026_11 import register

BASES = ("hub-baseline", "naive+delay")
MODELS = ("dlm", "auto-ets+delay", "hub-baseline+delay", *BASES)
GROUPS = {"1-3": (1, 3), "4-6": (4, 6), "7-12": (7, 12), "0": (0, 0), "-11..-1": (-11, -1)}
NAMES = {"JU": "jurisdictions", "US": "nation"}
#: First origin of each period.
PERIODS = {"all origins": "2000-01", "from 2021": "2021-01", "from 2022": "2022-01"}
ERAS = {"2019–20": ("2019-01", "2020-12"), "2021": ("2021-01", "2021-12"),
        "2022–24": ("2022-01", "2024-12")}  # fmt: skip
COLUMNS = [
    "model", "location", "last_month", "as_of", "donor", "horizon", "month", "target", "wis",
    "log_wis", "cover_50", "cover_90", "ae", "observed", "reported", "revised", "scorable",
    "vintage",
]  # fmt: skip
AHEAD = ("1-3", "4-6", "7-12")


def _same_length(months: np.ndarray) -> np.ndarray:
    return np.ones(len(months))


@contextmanager
def _patched(target: object, name: str, value: object) -> Iterator[None]:
    with patch.object(target, name, value):
        yield


def as_estimated() -> Model:
    """The default with the nation's scales as they were estimated."""
    scales = Scales(*all_constants()[0].scales())
    return Model(Dlm(scales=scales), "dlm")


def beside_the_filter() -> Model:
    """The delay as a layer around the filter, which takes completed months for months."""
    return Model(Delayed(od.get_model("dlm", delay=False)), "dlm")


def no_cut(panel: od.Panel) -> object:
    """Constants without the cut of a closed year."""
    return replace(learning.learned_delays(panel).constants, closing_share=0.0)


def all_young(panel: od.Panel) -> object:
    """Constants that know no months more than a year old."""
    return replace(learning.learned_delays(panel).constants, kappa_old=1.0, old_error=0.0)


#: Name -> model, and what is patched while it runs.
ABLATIONS: dict[str, tuple[Callable[[], Model], list[tuple[object, str, object]]]] = {
    "default": (lambda: od.get_model("dlm"), []),
    "delay beside the filter": (beside_the_filter, []),
    "no delay": (lambda: od.get_model("dlm", delay=False), []),
    "a closed year is never cut": (
        lambda: od.get_model("dlm"),
        [(learning, "delays_for", no_cut)],
    ),
    "old months as young ones": (
        lambda: od.get_model("dlm"),
        [(learning, "delays_for", all_young)],
    ),
    "months of one length": (
        lambda: od.get_model("dlm"),
        [(kalman, "month_lengths", _same_length)],
    ),
    "nation as estimated": (as_estimated, []),
}


def _block(job: tuple[str, list[Origin], od.Truth, int, int]) -> pd.DataFrame:
    """Scores of one model on some origins; runs in a worker."""
    name, origins, truth, seed, n_draws = job
    register()
    patches: list[tuple[object, str, object]] = []
    if name in ABLATIONS:
        make, patches = ABLATIONS[name]
        chosen = make()
    else:
        chosen = od.get_model(name)
    parts = []
    contexts = [_patched(*p) for p in patches] or [nullcontext()]
    for context in contexts:
        context.__enter__()
    for origin in origins:
        assert origin.panel is not None
        try:
            made = chosen.fit(origin.panel).forecast(12, draws=n_draws, seed=seed)
        except od.OdforecastError:
            continue  # no predicted values in the donor
        scores = od.score(made, truth)
        scores = scores[scores["target"].astype(str) == "deaths_12mo"]
        parts.append(
            scores.assign(
                model=name,
                last_month=pd.Timestamp(str(origin.panel.last_month)),
                as_of=pd.Timestamp(origin.panel.as_of),
                donor=origin.panel.donor,
                vintage=origin.panel.vintage,
            )[COLUMNS]
        )
    for context in contexts:
        context.__exit__(None, None, None)
    return pd.concat(parts)


def run(
    names: list[str], origins: list[Origin], truth: od.Truth, seed: int, n_draws: int
) -> pd.DataFrame:
    """Scores of several models, on all cores."""
    blocks = [origins[i : i + 24] for i in range(0, len(origins), 24)]
    jobs = [(name, block, truth, seed, n_draws) for name in names for block in blocks]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return labelled(pd.concat(list(pool.map(_block, jobs)), ignore_index=True))


def labelled(found: pd.DataFrame) -> pd.DataFrame:
    """Scorable rows with their level, the era of their donor, and their group of horizons.

    Puerto Rico is left out, as in every backtest: it is no part of the nation.
    """
    found = found[found["location"].astype(str) != "PR"].reset_index(drop=True)
    found["level"] = np.where(found["location"].astype(str) == "US", "US", "JU")
    found["era"] = np.where(found["donor"].str[:4] >= "2022", "4.5", "6.5")
    group = pd.Series("", index=found.index)
    for name, (low, high) in GROUPS.items():
        group[found["horizon"].between(low, high)] = name
    return found.assign(group=group)[found["scorable"].astype(bool)]


def table(scores: pd.DataFrame, title: str, base: str = "hub-baseline") -> None:
    """Ratios of WIS by group, coverage; the nowcast's WIS in deaths."""
    print(f"\n**{title}**\n")
    heads = ["1-3", "4-6", "7-12"]
    columns = [f"{lv} WIS | cov. | now 0, −11..−1 | cov." for lv in ("JU", "US")]
    print("| model | " + " | ".join(columns) + " |\n|" + "---|" * 9)
    means = scores.groupby(["model", "level", "group"])[["wis", "cover_90"]].mean()
    for name in dict.fromkeys(scores["model"]):
        cells = []
        for level in ("JU", "US"):
            mine = means.loc[(name, level)].reindex([*heads, "0", "-11..-1"])
            other = means.loc[(base, level)].reindex(heads)["wis"]
            cells.append(" / ".join(f"{x:.3f}" for x in mine["wis"][:3] / other))
            cells.append(" / ".join(f"{x:.2f}" for x in mine["cover_90"][:3]))
            now = ["–" if np.isnan(x) else f"{x:.1f}" for x in mine["wis"][3:]]
            cells.append(" / ".join(now))
            cells.append(
                " / ".join("–" if np.isnan(x) else f"{x:.2f}" for x in mine["cover_90"][3:])
            )
        print(f"| {name} | " + " | ".join(cells) + " |")


def against(scores: pd.DataFrame, base: str, title: str, names: tuple[str, ...] = ("dlm",)) -> None:
    """Ratios to a model with their intervals."""
    print(f"\n**{title}: WIS over that of `{base}`, 90% interval**\n")
    print("| model | level | 1-3 | 4-6 | 7-12 | 0 | −11..−1 |\n|---|---|---|---|---|---|---|")
    part = scores[scores["model"].isin([base, *names])]
    found = relative_to_baseline(part, base, by=["level", "group"])
    for name in names:
        for level in ("JU", "US"):
            cells = []
            for group in GROUPS:
                row = found[(found["model"] == name) & (found["level"] == NAMES[level])
                            & (found["group"] == group)]  # fmt: skip
                cells.append("–" if row["ratio"].isna().all() else "{:.3f} ({:.3f}–{:.3f})".format(
                    *row.iloc[0][["ratio", "lower", "upper"]]))  # fmt: skip
            print(f"| {name} | {level} | " + " | ".join(cells) + " |")


def _slashed(values: Iterable[float], digits: int = 3) -> str:
    return " / ".join("–" if np.isnan(x) else f"{x:.{digits}f}" for x in values)


def _ratios(scores: pd.DataFrame, level: str, name: str, base: str) -> list[float]:
    """Ratio of mean WIS by group, on the units that both have."""
    part = scores[(scores["level"] == level) & scores["model"].isin([name, base])]
    keys = ["location", "last_month", "donor", "month"]
    wide = part.pivot(index=keys, columns="model", values="wis").dropna()
    group = part.drop_duplicates(keys).set_index(keys)["group"].reindex(wide.index)
    means = wide.groupby(group).mean()
    return [float(means.loc[g, name] / means.loc[g, base]) if g in means.index else np.nan
            for g in AHEAD]  # fmt: skip


def _coverage(scores: pd.DataFrame, level: str, name: str, column: str = "cover_90") -> list[float]:
    part = scores[(scores["level"] == level) & (scores["model"] == name)]
    return part.groupby("group")[column].mean().reindex(AHEAD).tolist()


def _since(scores: pd.DataFrame, first: str, last: str = "2100-01") -> pd.DataFrame:
    month = scores["last_month"]
    return scores[(month >= pd.Timestamp(first)) & (month <= pd.Timestamp(last))]


def headline(scores: pd.DataFrame) -> None:
    """Both denominators side by side, by period, by year of origin; coverage by era; the places."""
    print("\n**WIS over two baselines, 1–3 / 4–6 / 7–12 months ahead; 90% coverage**\n")
    print("| places | origins | model | over `hub-baseline` | over `naive+delay` | 90% coverage |")
    print("|---|---|---|---|---|---|")
    for level, places in (("JU", "jurisdictions"), ("US", "nation")):
        for period, first in PERIODS.items():
            part = _since(scores, first)
            for name in dict.fromkeys(part["model"]):
                sides = [_slashed(_ratios(part, level, name, b)) for b in BASES]
                print(f"| {places} | {period} | `{name}` | {sides[0]} | {sides[1]} | "
                      f"{_slashed(_coverage(part, level, name), 2)} |")  # fmt: skip
    for base in BASES:
        for period, first in PERIODS.items():
            against(_since(scores, first), base, f"dlm, {period}")
    print("\n**dlm by year of origin, 1–3 / 4–6 / 7–12**\n")
    print("| places | year | over `hub-baseline` | over `naive+delay` | 90% coverage |")
    print("|---|---|---|---|---|")
    for level, places in (("JU", "jurisdictions"), ("US", "nation")):
        for year, part in scores.groupby(scores["last_month"].dt.year):
            sides = [_slashed(_ratios(part, level, "dlm", b)) for b in BASES]
            print(f"| {places} | {year} | {sides[0]} | {sides[1]} | "
                  f"{_slashed(_coverage(part, level, 'dlm'), 2)} |")  # fmt: skip
    print("\n**dlm: how often its intervals contained the final count, by era**\n")
    print("| places | origins | 50% interval | 90% interval | 90% interval, last count |")
    print("|---|---|---|---|---|")
    for level, places in (("JU", "jurisdictions"), ("US", "nation")):
        for era, span in ERAS.items():
            part = _since(scores, *span)
            mine = part[(part["level"] == level) & (part["model"] == "dlm")]
            now = mine[mine["group"] == "0"]
            inside = [_slashed(_coverage(mine, level, "dlm", f"cover_{c}"), 2) for c in (50, 90)]
            print(f"| {places} | {era} | {inside[0]} | {inside[1]} | "
                  f"{now['cover_90'].mean():.2f} |")  # fmt: skip
    print("\n**Jurisdictions of 52 in which dlm has the larger WIS, 1–3 / 4–6 / 7–12**\n")
    print("| origins | than `hub-baseline` | than `naive+delay` |\n|---|---|---|")
    for period, first in PERIODS.items():
        part = _since(scores, first)
        means = part[part["level"] == "JU"].groupby(["group", "location", "model"], observed=True)
        wide = means["wis"].mean().unstack("model")
        lost = [" / ".join(str(int((wide.loc[g, "dlm"] > wide.loc[g, b]).sum())) for g in AHEAD)
                for b in BASES]  # fmt: skip
        print(f"| {period} | {lost[0]} | {lost[1]} |")


def over_seeds(runs: list[pd.DataFrame], base: str, title: str, names: tuple[str, ...]) -> None:
    """Ratios to a model, mean over seeds; in brackets their sd: the Monte Carlo error of one."""
    print(f"\n**{title}, {len(runs)} seeds: WIS over that of `{base}`, mean (sd)**\n")
    print("| model | level | 1-3 | 4-6 | 7-12 | 0 | −11..−1 |\n|---|---|---|---|---|---|---|")
    means = [s.groupby(["model", "level", "group"])["wis"].mean() for s in runs]
    for name in names:
        for level in ("JU", "US"):
            ratios = [(m[name, level] / m[base, level]).reindex(GROUPS) for m in means]
            rows = pd.concat(ratios, axis=1)
            cells = ["–" if x.isna().any() else f"{x.mean():.4f} ({x.std(ddof=1):.4f})"
                     for _, x in rows.iterrows()]  # fmt: skip
            print(f"| {name} | {level} | " + " | ".join(cells) + " |")


def by_horizon(scores: pd.DataFrame, name: str) -> None:
    """Coverage of the nowcast by month, of all counts and of those that were revised."""
    print(f"\n**{name}: coverage of the 90% interval of the nowcast, by horizon** "
          "(in brackets: counts revised by more than max(1, 0.2%))\n")  # fmt: skip
    now = scores[(scores["model"] == name) & (scores["horizon"] <= 0)]
    print("| | " + " | ".join(str(h) for h in range(-11, 1)) + " |\n|" + "---|" * 13)
    for level in ("JU", "US"):
        part = now[now["level"] == level]
        cells = []
        for h in range(-11, 1):
            rows = part[part["horizon"] == h]
            moved = rows[rows["revised"].astype(bool)]
            inside = f"{moved['cover_90'].mean():.2f}" if len(moved) else "–"
            cells.append(f"{rows['cover_90'].mean():.2f} ({inside})")
        print(f"| {level} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--end", help="last origin; default: the last that can be scored")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--models", default=",".join(MODELS))
    given = parser.parse_args()
    truth = od.Truth(od.bundled().as_of().panel())
    origins = od.origins(
        od.bundled(), "pseudo-delayed", start="2019-01", end=given.end, step=given.step
    )
    print(f"{len(origins)} origins (pseudo-delayed), {given.draws} draws")
    if given.ablation:
        seeds = range(1, given.seeds + 1)
        runs = [run(["hub-baseline", *ABLATIONS], origins, truth, s, given.draws) for s in seeds]
        table(pd.concat(runs), "Without each part")
        names = tuple(n for n in ABLATIONS if n != "default")
        against(runs[0], "default", "Without each part", names)
        if given.seeds > 1:
            over_seeds(runs, "hub-baseline", "Without each part", tuple(ABLATIONS))
            over_seeds(runs, "default", "Without each part", names)
        return
    if given.seeds > 1:
        rows = []
        for seed in range(1, given.seeds + 1):
            names = ["hub-baseline", "dlm"]
            scores = run(names, origins, truth, seed, given.draws)
            means = scores.groupby(["model", "level", "group"])["wis"].mean().unstack("model")
            for name in names[1:]:
                rows.append((means[name] / means["hub-baseline"]).rename((seed, name)))
        ratios = pd.concat(rows, axis=1)
        ratios.columns = pd.MultiIndex.from_tuples(ratios.columns, names=["seed", "model"])
        for name in ("dlm",):
            mine = ratios.xs(name, axis=1, level="model").dropna()
            print(f"\n**{name}, {given.seeds} seeds: mean (sd) of the ratio to hub-baseline**\n")
            for (level, group), row in mine.iterrows():
                print(f"| {level} {group} | {row.mean():.4f} | {row.std(ddof=1):.4f} |")
        return
    began = time.perf_counter()
    scores = run(given.models.split(","), origins, truth, 1, given.draws)
    print(f"{time.perf_counter() - began:.0f} s")
    headline(scores)
    eras = {"4.5": "Donors of the 4.5-month era", "6.5": "Donors of the 6.5-month era"}
    for era, title in eras.items():
        table(scores[scores["era"] == era], title)
    by_horizon(scores, "dlm")
    by_horizon(scores[scores["era"] == "4.5"], "dlm")


if __name__ == "__main__":
    main()
