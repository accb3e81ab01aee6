"""Draw the figures of `docs/article.md`, and print what was known when the article appeared.

What is known now comes from the bundled figures. What was known then comes from a release beside
the repository, in ../shared/data (or where ODFORECAST_SHARED points); without it the figure that
needs it stays as it is, and nothing is printed.
"""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import odforecast as od
from odforecast.evidence.placebo import regional_peaks
from odforecast.geography import JURISDICTIONS, lookup
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.plot.style import BLUE, MUTED, ORANGE
from odforecast.scenario.past import settled_through
from odforecast.sources.vsrr import read_vsrr

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "docs" / "_static"
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
RELEASE = "2025-09-17"
#: The last release in hand from before 2023, the year of the interview.
THEN = Path("vsrr", "2022-10-12.csv.gz")

#: What the page says was known then: indicator, month, kind of count, value, percent in a year.
QUOTED = (
    (SYNTHETIC_OPIOIDS, "2020-05", "reported", 45_438, 40.2),
    (SYNTHETIC_OPIOIDS, "2021-12", "reported", 71_074, 24.9),
    (SYNTHETIC_OPIOIDS, "2022-02", "predicted", 73_755, 20.8),
    (ALL_DRUGS, "2020-02", "reported", 73_343, 8.4),
    (ALL_DRUGS, "2020-05", "reported", 80_577, 18.9),
    ("Opioids (T40.0-T40.4,T40.6)", "2020-05", "reported", 58_460, 23.9),
    (
        "Natural, semi-synthetic, & synthetic opioids, incl. methadone (T40.2-T40.4)",
        "2021-07", "predicted", 73_998, 26.0,
    ),
)  # fmt: skip

EVENTS = (
    ("2017-03", "carfentanil\nlisted"),
    ("2019-05", "fentanyl listed\nas a class"),
    ("2022-08", "cooperation\nsuspended"),
    ("2023-11", "cooperation\nresumes"),
)


def national(file: Path) -> pd.DataFrame:
    """US rows of a release: ``indicator, month, reported, predicted`` and growth of both, in %."""
    table = read_vsrr(file).table
    rows = table[table["location"] == "US"] if "location" in table else table
    rows = rows[["indicator", "month", "reported", "predicted"]].copy()
    rows["month"] = rows["month"].to_numpy(dtype="datetime64[M]")
    rows = rows.sort_values(["indicator", "month"], ignore_index=True)
    for kind in ("reported", "predicted"):
        year_ago = rows.groupby("indicator")[kind].shift(12)
        rows[f"{kind}_growth"] = 100 * (rows[kind] / year_ago - 1)
    return rows


def counts(indicator: str) -> pd.Series:
    """National 12-month-ending counts as known now."""
    panel = od.bundled().as_of(RELEASE).panel(indicator).select("US")
    return pd.Series(panel.reported[0], index=panel.months.astype("datetime64[s]"))


def quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(pd.Timestamp("2015-01-01"), pd.Timestamp("2025-06-01"))


def thousands(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def say(axes: Axes, month: str, value: float, text: str, shift: tuple[int, int], **more) -> None:
    """A dot, and what it is."""
    when = pd.Timestamp(month)
    colour = more.pop("color", BLUE)
    axes.plot([when], [value], "o", color=colour, mfc=more.pop("mfc", colour), ms=6, zorder=4)
    axes.annotate(text, (when, value), shift, textcoords="offset points", fontsize=9,
                  color=colour, va="center", **more)  # fmt: skip


def sentence() -> Figure:
    """Where the sentence puts its two figures, and where the counts have them."""
    series = counts(SYNTHETIC_OPIOIDS)
    growth = 100 * (series / series.shift(12) - 1)
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(series.index, series, color=MUTED, lw=1.8)
    below.plot(growth.index, growth, color=MUTED, lw=1.8)
    above.axhline(73_000, color=ORANGE, lw=0.8, ls=":")
    below.axhline(25, color=ORANGE, lw=0.8, ls=":")
    claim = {"color": ORANGE, "mfc": "white"}
    say(above, "2020-05", 73_000, "the sentence:\nover 73,000", (-8, -13), ha="right", **claim)
    say(below, "2020-05", 25, "the sentence: 25%", (5, -12), **claim)
    placed = (
        ("2020-05", "May 2020", {"shift": (9, -3)}, {"shift": (-9, 3), "ha": "right"}),
        ("2021-12", "December 2021", {"shift": (4, -14)}, {"shift": (8, 8)}),
        ("2022-10", "October 2022", {"shift": (-4, 17)}, {"shift": (9, 7)}),
    )
    for month, name, up, down in placed:
        count, rate = series[pd.Timestamp(month)], growth[pd.Timestamp(month)]
        say(above, month, count, f"{name}: {count:,.0f}", **up)
        say(below, month, rate, f"{name}: {rate:+.1f}%", **down)
    above.set_title("Deaths with synthetic opioids (T40.4), 12 months ending", loc="left", size=10)
    below.set_title("Change over a year, percent", loc="left", size=10)
    above.set_ylim(0, 92_000)
    thousands(above)
    below.axhline(0, color="black", lw=0.6)
    for axes in (above, below):
        quiet(axes)
    return figure


def calendar(then: pd.DataFrame) -> Figure:
    """The counts beside the calendar, as known now and as known before the interview."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(
        pd.Timestamp("2022-08-01"), pd.Timestamp("2023-11-15"), color=ORANGE, alpha=0.12, lw=0
    )
    for indicator, name, colour in (
        (ALL_DRUGS, "all drugs", MUTED),
        (SYNTHETIC_OPIOIDS, "synthetic opioids (T40.4)", BLUE),
    ):
        series = counts(indicator)
        axes.plot(series.index, series, color=colour, lw=1.8)
        axes.annotate(
            name, (series.index[60], series.iloc[60]), (8, -14), textcoords="offset points",
            color=colour, fontsize=9,
        )  # fmt: skip
        rows = then[(then["indicator"] == indicator) & (then["month"] >= "2021-06-01")]
        for kind, style in (("reported", ":"), ("predicted", "--")):
            axes.plot(rows["month"], rows[kind], style, color="black", lw=1.3)
    handles = [mpl.lines.Line2D([], [], color="black", ls=s, lw=1.3) for s in (":", "--")]
    axes.legend(
        handles, ["known in October 2022: reported", "the same: CDC's prediction"],
        fontsize=9, loc="lower right", facecolor="white", edgecolor="none", framealpha=1,
    )  # fmt: skip
    for number, (month, name) in enumerate(EVENTS):
        when = pd.Timestamp(month)
        axes.axvline(when, color=ORANGE, lw=0.9)
        right = number == len(EVENTS) - 1
        axes.annotate(
            name, (when, 1.0), (3 if right or number < 2 else -3, -3), fontsize=9, color=ORANGE,
            xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
            ha="left" if right or number < 2 else "right",
        )  # fmt: skip
    axes.set_title("Deaths in the 12 months ending", loc="left", size=10)
    axes.set_ylim(0, 128_000)
    thousands(axes)
    quiet(axes)
    return figure


def regions() -> Figure:
    """When each region's count was highest."""
    panel = od.bundled().as_of(RELEASE).panel()
    peaks = regional_peaks(panel).set_index("region")
    kept = panel.months <= settled_through(panel)
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(peaks.index, (ORANGE, BLUE, MUTED, "#009e73")))
    index = panel.months[kept].astype("datetime64[s]")
    for place, (region, row) in enumerate(peaks.iterrows()):
        states = [s for s in panel.locations if s in JURISDICTIONS and lookup(s).region == region]
        total = panel.select(states).reported[:, kept].sum(axis=0)
        share = 100 * total / row["deaths"]
        axes.plot(index, share, color=colours[region], lw=1.6)
        when = pd.Timestamp(row["month"])
        axes.plot([when], [100], "o", color=colours[region], ms=10 - 2 * place, zorder=4)
        name = f"{region}: {when:%B %Y}"
        axes.plot([], [], "o-", color=colours[region], label=name, ms=5, lw=1.6)
    axes.axvline(pd.Timestamp("2023-11-15"), color="black", lw=0.8, ls=":")
    axes.annotate(
        "cooperation\nresumes", (pd.Timestamp("2023-11-15"), 62), (4, 0), fontsize=9,
        textcoords="offset points",
    )  # fmt: skip
    axes.legend(title="highest in", frameon=False, fontsize=9, loc="lower right",
                bbox_to_anchor=(0.78, 0.0), alignment="left")  # fmt: skip
    axes.set_title(
        "Deaths of all drugs, 12 months ending, percent of the region's highest", loc="left",
        size=10,
    )  # fmt: skip
    quiet(axes)
    axes.set_xlim(pd.Timestamp("2019-01-01"), pd.Timestamp("2024-10-01"))
    axes.set_ylim(55, 104)
    return figure


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "odforecast", "font.size": 10})
    drawn = {"sentence": sentence(), "regions": regions()}
    if (SHARED / THEN).exists():
        then = national(SHARED / THEN)
        drawn["calendar"] = calendar(then)
        shown = then.set_index(["indicator", "month"])
        for indicator, month, kind, _, _ in QUOTED:
            row = shown.loc[(indicator, pd.Timestamp(month))]
            print(
                f"{indicator[:45]:<45} {month} {kind:<9} {row[kind]:>9,.0f} "
                f"({row[f'{kind}_growth']:+.1f}%)"
            )
        for name in (ALL_DRUGS, SYNTHETIC_OPIOIDS):
            years = [np.datetime64(f"{y}-12", "s") for y in range(2015, 2022)]
            total = shown.loc[name].loc[years, "reported"].sum()
            print(f"{name[:45]:<45} 2015 to 2021, sum of Decembers {total:>9,.0f}")
    else:
        print(f"no {SHARED / THEN}: article-calendar.svg stays as it is")
    for name, figure in drawn.items():
        path = STATIC / f"article-{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
