"""What states' own counts are worth: an upper bound, and for real with CDC WONDER's exports.

    python benchmarks/bench_own.py           all three, about four minutes
    python benchmarks/bench_own.py --bound   the bound only
    python benchmarks/bench_own.py --real    the exports only (ODFORECAST_SHARED, ../shared/data)
    python benchmarks/bench_own.py --wrong   what a wrong file does to other places

Ways compared: **each** place moved by its own file alone, by the covariance of its draws, as every
model of months can; **together**, as the default does, by the covariance that its filter knows.

**The bound**: pseudo-vintages with delay, every third month 2019-01..2024-04, one donor each, cut
from the bundled release. An own file holds the settled months themselves, complete, up to the last
month of the release (0) and two and four months further. All states have one, or the ten largest,
or a third of them drawn at random. Origins to 2020-12 were looked at while it was built; what is
claimed is from 2021-01 on. WIS over that without own counts; in brackets the standard error over
origins, drawn again in blocks of four (in few origins there are hardly more than two: then it
says little).

**For real**: the exports as the states' own files, thinned as they were on the day: WONDER counts
by residence, and the first file by multiple causes, some 7% above CDC's. The file that ends with
2020 and the provisional one of 2022-03-30 on the release of 2021-10-13; the file of 2025-01-07 on
the releases of 2024-12-11 and 2024-04-17. Truth: the release of 2025-09-17, counts 12 months old or
more. New York is left out, for WONDER's holds the city. North Carolina's file of 2023 misses over
900 deaths for good, so that its truth is wrong: every ratio is also shown without it. Half of the
states' files, drawn at random ten times, say what the states of the other half gain. Standard
errors are over states: one origin says nothing of other times. Nothing was tuned on these scores;
that months of which hardly anything is there are left out was written after a look at how the
exports end, and before they were scored.

**Wrong files**: Ohio's file, true but for one fault, on the release of 2025-09-17: how far other
places and the nation move.
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
from odforecast.models.own import conditioned
from odforecast.names import HUB_QUANTILES
from odforecast.panel import Floats, Panel
from odforecast.scoring.rules import weighted_interval_score
from odforecast.seeds import Streams
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
    """WIS, whether the 90% interval holds, and horizons; (L, M), NaN without a settled truth."""
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


def forecasts(panel: Panel, files: dict[str, Panel], draws: int) -> dict[str, od.Forecast]:
    """Without own counts, and with each of some files both ways, from one fit."""
    fitted = od.get_model().fit(panel)
    streams = Streams(1, panel.dataset, panel.indicator, str(panel.last_month))
    made = {"without": fitted.draw(12, draws, streams)}
    for name, own in files.items():
        made[f"{name} | each"] = conditioned(made["without"], own, streams)
        made[f"{name} | together"] = conditioned(made["without"], own, streams, fitted.inner)
    return made


def bound(draws: int) -> None:
    """Later months drawn from the truth."""
    truth = od.bundled().as_of().panel()
    found = origins(od.bundled(), start="2019-01", end="2024-04", step=3, donors=1)
    states = [s for s in JURISDICTIONS if np.isfinite(truth.monthly[truth.index(s), 12:]).all()]
    large = truth.reported[[truth.index(s) for s in states], -60].argsort()[::-1]
    chosen = np.random.default_rng(1).permutation(len(states))[: len(states) // 3]
    who = {
        "all": states,
        "ten largest": [states[i] for i in large[:10]],
        "a third": [states[i] for i in sorted(chosen)],
    }
    places = ["US", *states]
    held: dict[str, list[dict[str, Floats]]] = {}
    apart: dict[str, int] = {}
    for origin in found:
        panel = origin.panel
        assert panel is not None
        files = {}
        for name, those in who.items():
            for more in FURTHER:
                upto = panel.last_month + np.timedelta64(more, "M")
                own = panel_on(panel, truths(truth, upto, those), complete=True)
                files[f"{name} | +{more}"] = own
        for name, forecast in forecasts(panel, files, draws).items():
            held.setdefault(name, []).append(scores(forecast.select(places), truth))
            n = sum("they move no other place" in w for w in forecast.warnings)
            apart[name] = apart.get(name, 0) + n
    print("\nOf the true files of all origins, too far from the forecast:")
    for name, those in who.items():
        n = apart[f"{name} | +4 | together"]
        print(f"{name}, four months further: {n} of {len(those) * len(found)}")
    later = np.array([o.panel.last_month >= np.datetime64("2021-01") for o in found])  # type: ignore[union-attr]
    for era, rows in (("2021-01 on", later), ("to 2020-12", ~later)):
        print(f"\n**Upper bound, origins {era}**: {rows.sum()} delayed, {draws} draws\n")
        kinds = ("with a file", "without one", "US")
        heads = [f"{k} {g} | cov." for k in kinds for g in GROUPS]
        print("| files | to | way | " + " | ".join(heads) + " |")
        print("|" + "---|" * (3 + 2 * len(heads)))
        base = np.stack([x["wis"] for x in held["without"]])[rows]
        for name, parts in held.items():
            wis, cover = (np.stack([x[k] for x in parts])[rows] for k in ("wis", "held"))
            mine = [places.index(s) for s in who.get(name.split(" | ")[0], states)]
            others = [i for i in range(1, len(places)) if i not in mine]
            cells = []
            for at in (mine, others, [0]):
                cells += _cells(wis[:, at], base[:, at], cover[:, at])
            head = name if name != "without" else "without | | "
            print(f"| {head} | " + " | ".join(cells) + " |")


def _cells(wis: Floats, base: Floats, cover: Floats) -> list[str]:
    """Ratio with its error, and coverage, of each group of horizons; arrays (origins, L, M)."""
    horizons = np.arange(-11, 13)
    cells = []
    for low, high in GROUPS.values():
        if not wis.shape[1]:
            cells += ["", ""]
            continue
        at = (horizons >= low) & (horizons <= high)
        mine, other = (np.nansum(x[..., at], axis=(1, 2)) for x in (wis, base))
        ratio = mine.sum() / other.sum()
        cells.append(f"{ratio:.3f} ({block_error(mine, other):.3f})")
        cells.append(f"{np.nanmean(cover[..., at]):.2f}")
    return cells


def panel_on(panel: Panel, frame: pd.DataFrame, complete: bool = False) -> Panel:
    """The panel with own counts, without months that had not ended on its day."""
    stamp = np.datetime64(panel.as_of, "D")
    last = frame["month"].max()
    needed = np.datetime64(last, "M") + np.timedelta64(1, "M")
    if needed.astype("datetime64[D]") > stamp:
        frame = frame[frame["month"] < np.datetime64(panel.as_of, "M").astype("datetime64[s]")]
    return panel.with_counts(frame, complete=complete, day=panel.as_of)


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
            panel.with_counts(one, day=panel.as_of)
        except OdforecastError as error:
            refused[state] = str(error)
            continue
        good.append(one)
    own = panel.with_counts(pd.concat(good), day=panel.as_of)
    assert own.own is not None
    states = list(own.own.places)
    made = forecasts(panel, {"all": own}, draws)
    given = made["all | together"]
    ahead = [int((own.own.of(s)[0][-1] - panel.last_month).astype(int)) for s in states]
    unused = sum("hardly begun" in w for w in given.warnings)
    apart = sum("they move no other place" in w for w in given.warnings)
    print(
        f"\n**Release {release}, last month {panel.last_month}; export of {day}**: {len(states)} "
        f"states, their files end {min(ahead)} to {max(ahead)} months after (median "
        f"{np.median(ahead):.0f}); {unused} end in months that had hardly begun; {apart} lie far "
        f"from the forecast; refused: {len(refused)}\n"
    )
    print("| places | months ahead | way | WIS without | with | ratio (se) | without NC | "
          "better in | 90% coverage without, with |")  # fmt: skip
    print("|" + "---|" * 9)
    base = scores(made["without"].select(states), truth)
    usual = np.array([s != "NC" for s in states])
    for way in ("each", "together"):
        mine = scores(made[f"all | {way}"].select(states), truth)
        _rows("with a file", way, base, mine, usual)
    # Half of the files, and what the states without learn.
    rng = np.random.default_rng(1)
    lists: dict[str, list[Floats]] = {"wis": [], "held": [], "base": [], "was": []}
    nation: dict[str, list[dict[str, Floats]]] = {"each": [], "together": []}
    for _ in range(10):
        half = set(rng.permutation(states)[: len(states) // 2].tolist())
        some = pd.concat([g for g in good if g["location"].iloc[0] in half])
        part = panel.with_counts(some, day=panel.as_of)
        found = forecasts(panel, {"half": part}, draws)
        for way, kept in nation.items():
            kept.append(scores(found[f"half | {way}"].select("US"), truth))
        others = np.array([s not in half for s in states])[:, None]
        mine = scores(found["half | together"].select(states), truth)
        for name, array in (("wis", mine["wis"]), ("held", mine["held"]),
                            ("base", base["wis"]), ("was", base["held"])):  # fmt: skip
            lists[name].append(np.where(others, array, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean = {name: np.nanmean(np.stack(x), axis=0) for name, x in lists.items()}
    _rows(
        "without, half have one",
        "together",
        {"wis": mean["base"], "held": mean["was"]},
        mean,
        usual,
    )
    was = scores(made["without"].select("US"), truth)
    for way in ("each", "together"):
        _rows("US", way, was, scores(made[f"all | {way}"].select("US"), truth), np.array([True]))
        mean = {k: np.mean([x[k] for x in nation[way]], axis=0) for k in ("wis", "held")}
        _rows("US, half have one", way, was, mean, np.array([True]))


def _rows(
    name: str, way: str, base: dict[str, Floats], mine: dict[str, Floats], usual: Floats
) -> None:
    """Rows of a table, one for each group of horizons that has a truth; arrays (L, M)."""
    horizons = np.arange(-11, 13)
    for group, (low, high) in GROUPS.items():
        at = (horizons >= low) & (horizons <= high)
        if not np.isfinite(base["wis"][:, at]).any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b = (np.nanmean(x["wis"][:, at], axis=1) for x in (base, mine))
            there = np.isfinite(a + b)  # a place that had a file in every half has no score
            a, b, few = a[there], b[there], usual[there]
            cover = [np.nanmean(x["held"][:, at]) for x in (base, mine)]
        print(
            f"| {name} | {group} | {way} | {a.mean():.1f} | {b.mean():.1f} | {over(a, b)} | "
            f"{over(a[few], b[few])} | {int((b < a).sum())} of {len(a)} | "
            f"{cover[0]:.2f}, {cover[1]:.2f} |"
        )


def wrong(draws: int) -> None:
    """What a fault of one state's file does to other places."""
    panel = od.bundled().as_of("2025-09-17").panel()
    plain = forecasts(panel, {}, draws)["without"]
    ahead = plain.select("Ohio").draws[:, 0, plain.horizons >= 1].mean(axis=0)[:3]
    keep = panel.month_grid >= np.datetime64("2020-01")
    full = np.concatenate([panel.monthly[panel.index("Ohio")][keep], ahead])
    months = np.arange(np.datetime64("2020-01"), panel.last_month + np.timedelta64(4, "M"))
    n = full.size
    faults = {
        "none": np.ones(n),
        "all months 30% low": np.full(n, 0.7),
        "last month 50% low": np.where(np.arange(n) == n - 1, 0.5, 1.0),
        "last month 90% low": np.where(np.arange(n) == n - 1, 0.1, 1.0),
        "last three months 15% low": np.where(np.arange(n) >= n - 3, 0.85, 1.0),
        "last three months 30% low": np.where(np.arange(n) >= n - 3, 0.7, 1.0),
        "last three months 50% low": np.where(np.arange(n) >= n - 3, 0.5, 1.0),
        "last three months 40% low": np.where(np.arange(n) >= n - 3, 0.6, 1.0),
        "last three months 60% high": np.where(np.arange(n) >= n - 3, 1.6, 1.0),
        "last three months 30% high": np.where(np.arange(n) >= n - 3, 1.3, 1.0),
        "last six months 30% low": np.where(np.arange(n) >= n - 6, 0.7, 1.0),
    }
    for complete in (False, True):
        said = "said to be complete" if complete else "of one day, not said to be complete"
        print(f"\n**A fault of Ohio's file, {said}**: change of the mean count, 6 / 12 months\n")
        print("| fault | Ohio | Michigan | California | US | kept apart | months used |")
        print("|---|---|---|---|---|---|---|")
        for name, times in faults.items():
            frame = pd.DataFrame(
                {"location": "OH", "month": months.astype(str), "deaths": np.round(full * times)}
            )
            own = panel.with_counts(frame, complete=complete, day=panel.as_of)
            given = forecasts(panel, {"OH": own}, draws)["OH | together"]
            cells = []
            for place in ("OH", "MI", "CA", "US"):
                old, new = (f.select(place).samples()[:, 0].mean(axis=0) for f in (plain, given))
                change = 100 * (new / old - 1)
                at = [int(np.flatnonzero(plain.horizons == h)[0]) for h in (6, 12)]
                cells.append(" / ".join(f"{change[i]:+.1f}%" for i in at))
            lines = " ".join(given.warnings)
            apart = "yes" if "they move no other place" in lines else ""
            used = lines.split(" used)")[0].split(" ")[-1]
            print(f"| {name} | " + " | ".join(cells) + f" | {apart} | {used} |")


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
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    every = not (given.bound or given.real or given.wrong)
    if every or given.wrong:
        wrong(given.draws)
    if every or given.bound:
        bound(given.draws)
    if every or given.real:
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
