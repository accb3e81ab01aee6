"""What a state's own counts are worth: an upper bound, and for real with CDC WONDER's exports.

    python benchmarks/bench_own.py           both, about a minute and a half
    python benchmarks/bench_own.py --bound   the bound only
    python benchmarks/bench_own.py --real    the exports only (ODFORECAST_SHARED, ../shared/data)

**The bound**: pseudo-vintages with delay, every third month 2019-01..2024-04, one donor each, cut
from the bundled release. Each state's own file holds the settled months themselves, complete, up to
the last month of the release (0) and two and four months further. States are conditioned each on
its own file; the row of the nation is what it gains if all of them have one. WIS over that without
own counts; in brackets the standard error over origins, drawn again in blocks of four.

**For real**: the exports as the states' own files, thinned as they were on the day: WONDER counts
by residence, and the first file by multiple causes, some 7 % above CDC's. The file that ends with
2020 and the provisional one of 2022-03-30 on the release of 2021-10-13; the file of 2025-01-07 on
the releases of 2024-12-11 and 2024-04-17. Truth: the release of 2025-09-17, counts 12 months old or
more. New York is left out, for WONDER's holds the city. North Carolina's file of 2023 misses over
900 deaths for good, so that its truth is wrong: every ratio is also shown without it. Standard
errors are over states: one origin says nothing of other times. Nothing was tuned on these scores;
that months of which hardly anything is there are left out was written after a look at how the
exports end, and before they were scored.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.backtesting.origin import origins
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS
from odforecast.names import HUB_QUANTILES
from odforecast.panel import Floats, Panel
from odforecast.scoring.rules import weighted_interval_score
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder
from odforecast.vintage.bundle import of_file

SHARED = Path(
    os.environ.get("ODFORECAST_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data")
)
FURTHER = (0, 2, 4)
GROUPS = {"1-3": (1, 3), "4-6": (4, 6), "7-12": (7, 12), "-11..0": (-11, 0)}
LEVELS = np.asarray(HUB_QUANTILES)
#: Origins of a block that are drawn together: a year.
BLOCK = 4


def scores(made: od.Forecast, truth: Panel) -> dict[str, Floats]:
    """WIS, whether the 90 % interval holds, and horizons; (L, M), NaN without a settled truth."""
    settled = np.datetime64(truth.release, "M") - np.timedelta64(12, "M")
    column = (made.months - truth.months[0]).astype(int)
    there = (made.months <= settled) & (column >= 0)
    rows = [truth.locations.index(s) for s in made.locations]
    observed = np.full((len(rows), made.months.size), np.nan)
    observed[:, there] = truth.reported[np.ix_(rows, column[there])]
    quantiles = np.quantile(made.samples(), LEVELS, axis=0)
    wis = weighted_interval_score(quantiles, LEVELS.tolist(), np.nan_to_num(observed)).total
    low, high = quantiles[np.searchsorted(LEVELS, 0.05)], quantiles[np.searchsorted(LEVELS, 0.95)]
    held = ((low <= observed) & (observed <= high)).astype(float)
    return {
        "wis": np.where(np.isnan(observed), np.nan, wis),
        "held": np.where(np.isnan(observed), np.nan, held),
    }


def truths(truth: Panel, upto: np.datetime64, states: list[str]) -> pd.DataFrame:
    """The settled months themselves, as the states' own file."""
    grid = truth.month_grid
    keep = (grid <= upto) & (grid > upto - np.timedelta64(72, "M"))
    rows = [truth.locations.index(s) for s in states]
    return pd.DataFrame(
        {
            "location": np.repeat(states, keep.sum()),
            "month": np.tile(grid[keep].astype("datetime64[s]"), len(states)),
            "deaths": truth.monthly[rows][:, keep].ravel(),
        }
    )


def block_error(mine: Floats, other: Floats, times: int = 2000) -> float:
    """Standard error of a ratio of means over origins, drawn again in blocks."""
    rng = np.random.default_rng(1)
    n = len(mine)
    starts = rng.integers(0, n, (times, -(-n // BLOCK)))
    drawn = (starts[:, :, None] + np.arange(BLOCK)).reshape(times, -1)[:, :n] % n
    return float((mine[drawn].sum(axis=1) / other[drawn].sum(axis=1)).std())


def bound(draws: int) -> None:
    """Later months drawn from the truth."""
    truth = od.bundled().as_of().panel()
    found = origins(od.bundled(), start="2019-01", end="2024-04", step=3, donors=1)
    states = [s for s in JURISDICTIONS if np.isfinite(truth.monthly[truth.index(s), 12:]).all()]
    places = ["US", *states]
    model = od.get_model()
    held: dict[object, list[dict[str, Floats]]] = {}
    for origin in found:
        assert origin.panel is not None
        panel = origin.panel
        made = {"without": model.fit(panel).forecast(draws=draws)}
        for more in FURTHER:
            upto = panel.last_month + np.timedelta64(more, "M")
            own = panel_on(panel, truths(truth, upto, states), complete=True)
            made[f"{more} months further"] = model.fit(own).forecast(draws=draws)
        for name, forecast in made.items():
            held.setdefault(name, []).append(scores(forecast.select(places), truth))
    horizons = np.arange(-11, 13)
    print(f"\n**Upper bound**: {len(found)} delayed origins, {len(states)} states, {draws} draws\n")
    head = "| own file | " + " | ".join(
        f"{lv} {g} | cov." for lv in ("states", "US") for g in GROUPS
    )
    print(head + " |\n|" + "---|" * (1 + 4 * len(GROUPS)))
    base = np.stack([x["wis"] for x in held["without"]])
    for name, parts in held.items():
        wis, cover = (np.stack([x[k] for x in parts]) for k in ("wis", "held"))
        cells = []
        for rows in (slice(1, None), slice(0, 1)):
            for low, high in GROUPS.values():
                at = (horizons >= low) & (horizons <= high)
                mine = np.nansum(wis[:, rows][..., at], axis=(1, 2))
                other = np.nansum(base[:, rows][..., at], axis=(1, 2))
                ratio = mine.sum() / other.sum()
                cells.append(f"{ratio:.3f} ({block_error(mine, other):.3f})")
                cells.append(f"{np.nanmean(cover[:, rows][..., at]):.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def panel_on(panel: Panel, frame: pd.DataFrame, complete: bool = False) -> Panel:
    """The panel with own counts, without months that had not ended on its day."""
    stamp = np.datetime64(panel.as_of, "D")
    last = frame["month"].max()
    needed = np.datetime64(last, "M") + np.timedelta64(1, "M")
    if needed.astype("datetime64[D]") > stamp:
        frame = frame[frame["month"] < np.datetime64(panel.as_of, "M").astype("datetime64[s]")]
    return panel.with_counts(frame, complete=complete)


def export(*names: str) -> tuple[pd.DataFrame, str]:
    """Rows of WONDER exports as the states' own file, and the day of the last."""
    parts = [read_wonder(SHARED / "wonder" / name) for name in names]
    table = pd.concat([p.table for p in parts])
    table = table[(table["status"] == "ok") & table["state"].isin(JURISDICTIONS)]
    table = table.drop_duplicates(["state", "month"], keep="last")
    day = max(p.footer.query_date for p in (x.report for x in parts))  # type: ignore[union-attr]
    table = table.assign(location=table["state"])
    return table[["location", "month", "deaths"]], str(day)


def real(release: str, names: tuple[str, ...], draws: int) -> None:
    """One release, and the exports as the states' own files."""
    frame, day = export(*names)
    file = next(iter(sorted((SHARED / "vsrr").glob(f"{release}*"))))
    panel = of_file(read_vsrr(file)).as_of(day).panel()
    truth = od.bundled().as_of().panel()
    good, refused = [], {}
    for state in sorted(set(frame["location"])):
        rows = frame[frame["location"] == state].sort_values("month")
        # A suppressed month is a gap: what follows the last before CDC's end, up to the next.
        months = rows["month"].to_numpy().astype("datetime64[M]")
        runs = np.flatnonzero(np.diff(months).astype(int) != 1)
        starts, stops = np.append(0, runs + 1), np.append(runs + 1, len(rows))
        holds = [(a, b) for a, b in zip(starts, stops) if months[a] <= panel.last_month]
        if not holds or months[holds[-1][1] - 1] <= panel.final_through:
            refused[state] = "too few months"
            continue
        one = rows.iloc[slice(*holds[-1])]
        try:
            panel.with_counts(one)
        except OdforecastError as error:
            refused[state] = str(error)
            continue
        good.append(one)
    own = panel.with_counts(pd.concat(good))
    assert own.own is not None
    states = list(own.own.places)
    model = od.get_model()
    without = model.fit(panel).forecast(draws=draws)
    given = model.fit(own).forecast(draws=draws)
    base, mine = (scores(f.select(states), truth) for f in (without, given))
    horizons = without.horizons
    ahead = [int((own.own.of(s)[0][-1] - panel.last_month).astype(int)) for s in states]
    unused = sum("hardly begun" in w for w in given.warnings)
    far = sum("standard deviations" in w for w in given.warnings)
    print(
        f"\n**Release {release}, last month {panel.last_month}; export of {day}**: {len(states)} "
        f"states, their files end {min(ahead)} to {max(ahead)} months after (median "
        f"{np.median(ahead):.0f}); {unused} end in months that had hardly begun; {far} lie far "
        f"from the forecast; refused: {len(refused)}\n"
    )
    print("| months ahead | WIS without | with | ratio (se) | without NC | better in | "
          "90 % coverage without, with |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    groups = {**{str(h): (h, h) for h in range(1, 7)}, **GROUPS}
    for name, (low, high) in groups.items():
        at = (horizons >= low) & (horizons <= high)
        if not np.isfinite(base["wis"][:, at]).any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b = (np.nanmean(x["wis"][:, at], axis=1) for x in (base, mine))
            cover = [np.nanmean(x["held"][:, at]) for x in (base, mine)]
        usual = np.array([s != "NC" for s in states])
        print(
            f"| {name} | {a.mean():.1f} | {b.mean():.1f} | {over(a, b)} | "
            f"{over(a[usual], b[usual])} | "
            f"{int((b < a).sum())} of {len(a)} | {cover[0]:.2f}, {cover[1]:.2f} |"
        )
    at = (horizons >= 1) & (horizons <= 3) & np.isfinite(base["wis"]).any(axis=0)
    if at.any():
        a, b = base["wis"][:, at].mean(axis=1), mine["wis"][:, at].mean(axis=1)
        order = np.argsort(b - a)
        said = [f"{states[i]} {a[i]:.0f}→{b[i]:.0f}" for i in (*order[:6], *order[-6:])]
        print(f"\nMost gained and lost at 1-3 months: {', '.join(said)}")


def over(base: Floats, mine: Floats) -> str:
    """A ratio of means, with its standard error over states."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, len(base), (2000, len(base)))
    error = (mine[drawn].sum(axis=1) / base[drawn].sum(axis=1)).std()
    return f"{mine.sum() / base.sum():.3f} ({error:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bound", action="store_true")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    if not given.real:
        bound(given.draws)
    if not given.bound:
        first = (
            "all_drugs_state_month_2015_to_2020.txt",
            "all_drugs_state_month_2021_provisional_2022-03.txt",
        )
        second = ("all_drugs_state_month_2018_to_2024_queried_2025-01.txt",)
        real("2021-10-13", first, given.draws)
        real("2024-12-11", second, given.draws)
        real("2024-04-17", second, given.draws)


if __name__ == "__main__":
    main()
