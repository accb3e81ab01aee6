"""Draw the figures of README and docs from the bundled figures: `make figures`.

Files are the same, byte for byte, for the same numbers, so a diff shows a change of numbers.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import odforecast as od
from odforecast.cli import main as cli
from odforecast.geography import called, lookup
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, TARGET_12MO
from odforecast.plot.files import describe
from odforecast.plot.series import nowcast_figure
from odforecast.plot.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    SMALL,
    TEXT,
    Line,
    beside,
    days,
    heading,
    legend,
    levels,
    literal,
    of_time,
    quiet,
)
from odforecast.scenario.past import WHATEVER, Past, given_effect
from odforecast.vintage.bundle import BUNDLED_RELEASE

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
from bench_published import published, rows_of

STATIC = Path(__file__).parent / "_static"
DRAWS = 1000  # as `forecast`, the site and the update: one answer on every page
#: Months drawn before the onset, and after.
BEFORE, AFTER = 36, 36
KNEW = {
    "real": "the release of that day",
    "cut": "a later release, cut at the eve",
}
#: How far a published figure and the model beside it stand apart, in rows.
APART = 0.16


def forecast(model: str, panel: od.Panel, **parameters: object) -> od.Forecast:
    """The next 12 months, always with the same seed."""
    return od.get_model(model, **parameters).fit(panel).forecast(horizon=12, draws=DRAWS, seed=1)


def fan(panel: od.Panel) -> Figure:
    """The nation's next twelve months."""
    axes = od.plot.fan(forecast("dlm", panel), "US", months=128)
    return axes.get_figure()


def delay(panel: od.Panel) -> Figure:
    """The same release taken as it is, and with its last months completed."""
    raw, completed = forecast("dlm", panel, delay=False), forecast("dlm", panel)
    figure = Figure(figsize=(10.5, 9.4), layout="constrained")
    for axes, state in zip(figure.subplots(2, 1), ("US", "WV")):
        od.plot.fan(completed, state, axes=axes, months=80, label="completed")
        od.plot.fan(raw, state, axes=axes, months=80, color=ORANGE, label="as reported")
    return figure


def nowcast(panel: od.Panel) -> Figure:
    """The nation's last twelve counts, as reported and as expected to be final."""
    return nowcast_figure(
        forecast("dlm", panel).select("US").nowcast(), panel.to_frame(), indicator=panel.indicator
    )


def origins(panel: od.Panel) -> Figure:
    """Before the rise, at the peak, and now; the last is the release itself."""
    panels = [panel.cut("2019-09"), panel.cut("2023-06"), panel]
    return origins_figure(
        [forecast("dlm", each) for each in panels],
        panels,
        od.Truth(panel, min_age=0),
        ["US", "OH"],
        [forecast("hub-baseline", each) for each in panels],
    )


def coverage(panel: od.Panel) -> Iterator[tuple[str, Figure]]:
    """Coverage of intervals by horizon: 68 monthly origins."""
    models = ["dlm", "hub-baseline"]
    results = od.backtest(
        models,
        "pseudo-clean",
        archive=od.bundled(),
        truth=od.Truth(panel, min_age=0),
        start="2019-01",
        end="2024-08",
        progress=False,
    )
    for level in ("jurisdictions", "nation"):
        yield f"coverage-{level}", coverage_figure(results, models, level)


def calibration() -> Figure:
    """Coverage of the default's intervals on delayed pseudo-vintages, by era.

    From eleven months before the last known month to twelve after it.
    """
    results = od.backtest(
        ["dlm"], "pseudo-delayed", archive=od.bundled(), step=3, draws=500, progress=False
    )
    board = results.leaderboard(by=["level", "era", "horizon"])
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    for axes, level in zip(figure.subplots(1, 2, sharey=True), ("jurisdictions", "nation")):
        for era, colour in (("6.5", BLUE), ("4.5", ORANGE)):
            rows = board[(board["level"] == level) & (board["era"] == era)].sort_values("horizon")
            for column, style in (("coverage_90", "-"), ("coverage_50", "--")):
                label = f"{era} months" if style == "-" else None
                axes.plot(rows["horizon"], 100 * rows[column], style, color=colour, label=label)
        for nominal in (50, 90):
            axes.axhline(nominal, color="0.6", linewidth=0.8, linestyle=":")
        axes.axvline(0.5, color="0.8", linewidth=0.8)
        axes.set_title(level.capitalize(), fontsize=TEXT, loc="left")
        axes.set_xlabel("months after the last known one; to 0: nowcast")
        quiet(axes)
    figure.axes[0].set_ylabel("final counts inside the interval, %")
    figure.axes[0].set_ylim(0, 102)
    figure.axes[1].legend(title="newest month at release", frameon=False, fontsize=SMALL)
    return figure


def brief() -> None:
    """The brief of the example, by the command that the page on scenarios prints."""
    example = STATIC.parents[1] / "src" / "odforecast" / "examples" / "cooperation-2026.yaml"
    with TemporaryDirectory() as folder:
        out = Path(folder, "cooperation-2026")
        command = f"scenario run --scenario null,{example} --source bundled"
        cli([*command.split(), "--until", "2028-12", "--out", str(out)], standalone_mode=False)
        shutil.copy(out / "brief.html", STATIC / "brief-cooperation-2026.html")
        shutil.copy(out / "brief-annex.html", STATIC / "brief-annex.html")
        shutil.copy(out / "data" / "figures" / "options.svg", STATIC / "brief-options.svg")


def scored() -> None:
    """The page that scores cooperation, by the command that the page on scenarios names."""
    command = (
        f"scenario when --indicator T40.4 --source bundled --html {STATIC / 'cooperation.html'}"
    )
    cli(command.split(), standalone_mode=False)


def past(event: str) -> Figure:
    """Both counterfactuals of a past event."""
    return past_figure(od.scenario.past(event, od.bundled()))


def counties() -> Figure:
    """Ohio's counties."""
    seen = od.bundled().as_of().panel(dataset="counties").select("Ohio/*")
    made = od.get_model("county").fit(seen).forecast(horizon=12, draws=DRAWS, seed=1)
    return od.plot.map(made).get_figure()


def origins_figure(
    forecasts: Sequence[od.Forecast],
    panels: Sequence[od.Panel],
    truth: od.Truth,
    locations: Sequence[str],
    baselines: Sequence[od.Forecast],
    years: int = 3,
) -> Figure:
    """Fans at several origins (columns) of some places (rows), over what became known."""
    shape = (len(locations), len(forecasts))
    figure = Figure(figsize=(4.0 * shape[1], 3.4 * shape[0] + 0.6), layout="constrained")
    grid = figure.subplots(*shape, squeeze=False, sharey="row")
    for i, state in enumerate(locations):
        for j, (forecast, panel) in enumerate(zip(forecasts, panels)):
            axes = grid[i, j]
            months = np.unique(np.concatenate([panel.months[-12 * years :], forecast.months]))
            later, _ = od.Truth(truth.panel, truth.kind, 0).observed([state], months)
            axes.plot(days(months), later[0], color=MUTED, lw=3, alpha=0.55,
                      label=f"became known ({truth.release})")  # fmt: skip
            label = str(baselines[j].provenance["model"])
            od.plot.fan(baselines[j], state, axes=axes, history=panel, bands=(0.9,), color=ORANGE,
                      label=label, months=12 * years)  # fmt: skip
            label = str(forecast.provenance["model"])
            od.plot.fan(forecast, state, axes=axes, history=panel, label=label, months=12 * years)
            axes.axvline(np.datetime64(panel.as_of), color=MUTED, lw=0.8, ls=":")
            for mark in (*axes.texts, *(x for x in axes.lines if x.get_gid())):
                mark.remove()
            axes.set_title(f"{called(state)}, as of {panel.as_of}", fontsize=TEXT, color=INK,
                           fontweight="normal", loc="left", pad=TEXT + 8)  # fmt: skip
    for axes in grid.flat:
        levels(axes)
        of_time(axes)
    legend(*grid.flat)
    return figure


def coverage_figure(results: od.Results, models: Sequence[str], level: str) -> Figure:
    """Coverage of the 50/80/90/95% intervals by horizon, a panel per model."""
    figure = Figure(figsize=(6.4 * len(models), 5.2), layout="constrained")
    row = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axes, model in zip(row, models):
        od.plot.coverage(results, model, level=level, axes=axes)
    return figure


def past_figure(past: Past) -> Figure:
    """12-month-ending deaths as observed, with the effect removed, and forecast from the eve."""
    figure = Figure(figsize=(11.4, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    start = past.onset - BEFORE * ONE_MONTH
    for axes in (left, right):
        _observed(axes, past, start)
    shown = (past.months >= past.onset - ONE_MONTH) & np.isfinite(past.observed)
    shown &= past.months <= past.onset + AFTER * ONE_MONTH
    band = given_effect(past.removed[:, shown], past.drawn, [0.05, 0.5, 0.95])
    _band(left, past.months[shown], band, BLUE, "effect removed")
    s = past.summary
    left.set_title(
        "Effect removed: observed, less the estimated change\n"
        f"no effect {100 * s.p_null:.0f}% (before {100 * s.prior_p_null:.0f}%); else "
        f"{100 * np.expm1(s.mean):+.0f}% ({100 * np.expm1(s.low):+.0f} to "
        f"{100 * np.expm1(s.high):+.0f}%)",
        fontsize=SMALL, loc="left", pad=TEXT + 8,
    )  # fmt: skip
    ahead = past.eve.months > past.eve.last_month
    eve = past.eve.quantiles([0.05, 0.5, 0.95], TARGET_12MO)[:, 0, ahead]
    _band(right, past.eve.months[ahead], eve, ORANGE, "forecast from the eve")
    right.set_title(
        "Forecast from the eve: knows nothing of what followed\n"
        f"{KNEW[past.eve_kind]}; last month known {past.eve.last_month}",
        fontsize=SMALL, loc="left", pad=TEXT + 8,
    )  # fmt: skip
    seen = (past.months >= start) & (past.months <= past.onset + AFTER * ONE_MONTH)
    known = past.observed[seen & np.isfinite(past.observed)][-1]
    for axes, end, words, color in (
        (left, band[1][-1], ("Effect", "removed"), BLUE),
        (right, eve[1][-1], ("Forecast", "from the eve"), ORANGE),
    ):
        levels(axes, unit="deaths in 12 months")
        beside(axes, [(known, [Line("Observed", bold=True)], 0),
                      (end, [Line(word, color, True) for word in words], 0)])  # fmt: skip
        of_time(axes)
    what = "all drugs" if past.indicator == ALL_DRUGS else past.indicator
    name = lookup(past.location).name
    title = f"{name}: {literal(past.event.name)}, {past.onset}, {what}"
    figure.suptitle(title, fontsize=TEXT, x=0.01,
                    ha="left")  # fmt: skip
    dominated = " Prior-dominated: the result is the assumption." if s.prior_dominated else ""
    figure.supxlabel(
        f"{WHATEVER}{dominated} Bands: 90%.",
        fontsize=SMALL,
        x=0.01,
        ha="left",
    )
    return figure


def _observed(axes: Any, past: Past, start: np.datetime64) -> None:
    recent = (past.months >= start) & (past.months <= past.onset + AFTER * ONE_MONTH)
    axes.plot(days(past.months[recent]), past.observed[recent], color=INK, label="observed")
    axes.axvline(days(past.onset), color=MUTED, linestyle="--", linewidth=1.0)
    quiet(axes)
    axes.text(
        days(past.onset), 0.02, " event", transform=axes.get_xaxis_transform(), fontsize=SMALL,
        color=MUTED,
    )  # fmt: skip


def _band(axes: Any, months: Any, band: Any, colour: str, label: str) -> None:
    axes.fill_between(days(months), band[0], band[2], color=colour, alpha=0.25, linewidth=0)
    axes.plot(days(months), band[1], color=colour, label=label)


def published_figure(table: pd.DataFrame, model: str = "dlm") -> Figure:
    """How far published forecasts were off, and a model of this package beside them.

    Above, projections for years: error in percent of the final count, with the interval where one
    was printed, and the model's on **all drugs** in the same years from an origin before them.
    Below, on a scale of its own, CDC's predicted values, and the model's nowcast of the very same
    count.
    """
    years = table[table["kind"] == "projection"]
    values = table[
        (table["kind"] == "predicted value")
        & (table["ahead"] == 0)
        & (table["counts"] == "all drugs")
        & table["came"].notna()
    ]
    tall = 2.6 + 0.6 * len(years) + 0.34 * len(values)
    figure = Figure(figsize=(10.5, tall), layout="constrained")
    ratios = [1.1 * len(years) + 1.2, 0.6 * len(values) + 1.2]
    upper, lower = figure.subplots(2, 1, height_ratios=ratios)
    labels = [f"{row['forecast']}\n{row['counts']}, {_years(row)}" for row in rows_of(years)]
    _points(upper, years, labels, model)
    beside = [f"; {model}: of {what}" if f"{model}_median" in table else ""
              for what in ("all drugs in the same years", "the same count")]  # fmt: skip
    heading(upper, "Projections for years ahead", f"percent off the final count{beside[0]}")
    _points(lower, values, [_period(row) for row in rows_of(values)], model)
    heading(lower, "CDC's predicted values", f"percent off the final count{beside[1]}")
    legend(*figure.axes)
    _said(upper, lower, years, values, model)
    return figure


def _years(row: dict[str, Any]) -> str:
    first, last = str(row["first"])[:4], str(row["last"])[:4]
    return first if first == last else f"{first}–{last[2:]}"


def _period(row: dict[str, Any]) -> str:
    young = "" if row.get("settled", True) else "\n(not settled)"
    return f"12 months to {row['last']}{young}"


def _percent(values: object, came: object) -> Any:
    said, truth = np.asarray(values, dtype=float), np.asarray(came, dtype=float)
    return 100 * (said - truth) / truth


def _points(axes: Axes, table: pd.DataFrame, labels: list[str], model: str) -> None:
    """Points and bars, first row at the top."""
    quiet(axes)
    place = np.arange(len(table))
    axes.axvline(0.0, color=MUTED, lw=1.0)
    axes.hlines(place, 0, 1, colors=GRID, lw=0.6, zorder=0, transform=axes.get_yaxis_transform())
    pairs = [("", "came", "said", -APART, ORANGE, "o", "as published")]
    if f"{model}_median" in table:
        label = f"{model}, made today from what might have been known"
        pairs.append((f"{model}_", "beside_came", f"{model}_median", APART, BLUE, "s", label))
    for before, truth, middle, shift, colour, marker, label in pairs:
        came = table[truth]
        low, high = (_percent(table[f"{before}{side}"], came) for side in ("low", "high"))
        axes.hlines(place + shift, low, high, color=colour, lw=3, alpha=0.45)
        axes.plot(_percent(table[middle], came), place + shift, ls="", marker=marker, ms=5.5,
                  color=colour, label=label)  # fmt: skip
    axes.set_yticks(place, labels)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+g}%" if value else "0")


def _said(upper: Axes, lower: Axes, years: pd.DataFrame, values: pd.DataFrame, model: str) -> None:
    said = "; ".join(
        f"{row['forecast']} ({_years(row)}, {row['counts']}) "
        f"{_percent(row['said'], row['came']):+.0f}%"
        for row in rows_of(years)
    )
    held = years[["low", "high", "came"]].dropna()
    inside = int(((held["low"] <= held["came"]) & (held["came"] <= held["high"])).sum())
    beside = ""
    if f"{model}_median" in years:
        there = years[years["beside_came"].notna()]
        off = _percent(there[f"{model}_median"], there["beside_came"])
        shown = ", ".join(f"{x:+.0f}%" for x in off)
        beside = f" {model} on all drugs in the same years: {shown}."
    held_words = f"{inside} of {len(held)} printed intervals contained the final count."
    describe(upper, f"Projections and the final count: {said}. {held_words}{beside}")
    off = _percent(values["said"], values["came"])
    text = f"CDC's predicted values, {len(values)} releases: {off.min():+.1f} to {off.max():+.1f}%"
    if f"{model}_median" in values:
        ours = _percent(values[f"{model}_median"], values["beside_came"])
        ours = ours[~np.isnan(ours)]
        if ours.size:
            text += f"; {model}: {ours.min():+.1f} to {ours.max():+.1f}%"
    describe(lower, text + ".")


def main() -> None:
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date of today in the brief's figures
    panel = od.bundled().as_of(BUNDLED_RELEASE).panel()
    drawn = {
        "fan": fan(panel),
        "delay": delay(panel),
        "nowcast": nowcast(panel),
        "origins": origins(panel),
        "calibration": calibration(),
        "past-class-scheduled": past("class-scheduled"),
        "past-supply-shock-2023": past("supply-shock-2023"),
        "published-forecasts": published_figure(published()),
        "counties-ohio": counties(),
    }
    for name, figure in {**drawn, **dict(coverage(panel))}.items():
        path = STATIC / f"{name}.svg"
        od.plot.save(figure, path)
        print(path.relative_to(STATIC.parents[1]))
    brief()
    scored()


if __name__ == "__main__":
    main()
