"""Draw the figures of README and docs from the bundled figures: `make figures`.

Files are the same, byte for byte, for the same numbers, so a diff shows a change of numbers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import odforecast as od
from odforecast.cli import main as cli
from odforecast.geography import lookup
from odforecast.plot.nowcast import nowcast_figure
from odforecast.report.figures import (
    BLUE,
    GREY,
    ORANGE,
    coverage_figure,
    draw_fan,
    origins_figure,
)
from odforecast.report.past_figure import past_figure

STATIC = Path(__file__).parent / "_static"
RELEASE = "2025-09-17"
DRAWS = 4000


def forecast(model: str, panel: od.Panel, **parameters: object) -> od.Forecast:
    """The next 12 months, always with the same seed."""
    return od.get_model(model, **parameters).fit(panel).forecast(horizon=12, draws=DRAWS, seed=1)


def history(axes: Axes, panel: od.Panel, state: str) -> None:
    """What was reported, and the day of the forecast."""
    known = panel.reported[panel.index(state)]
    axes.plot(panel.months.astype("M8[D]"), known, color=GREY, lw=1.6, label="reported")
    axes.axvline(np.datetime64(panel.as_of), color=GREY, lw=0.8, ls=":")
    axes.annotate(
        f"as of {panel.as_of}",
        (np.datetime64(panel.as_of), 1),
        (-4, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="top",
        fontsize=8,
        color=GREY,
    )


def finish(axes: Axes) -> None:
    axes.set_ylim(0, None)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel("deaths in the 12 months ending")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False, fontsize=9)


def fan(panel: od.Panel) -> Figure:
    """The nation's next twelve months."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    history(axes, panel, "US")
    label = "dlm: median, 50 and 90 % intervals"
    draw_fan(axes, forecast("dlm", panel), "US", panel=panel, label=label)
    finish(axes)
    return figure


def delay(panel: od.Panel) -> Figure:
    """The same release taken as it is, and with its last months completed."""
    raw, completed = forecast("dlm", panel, delay=False), forecast("dlm", panel)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, state in zip(figure.subplots(1, 2), ("US", "WV")):
        history(axes, panel, state)
        draw_fan(axes, raw, state, panel=panel, color=ORANGE, label="dlm(delay=False): as reported")
        draw_fan(axes, completed, state, panel=panel, color=BLUE)
        finish(axes)
        axes.set_xlim(np.datetime64("2019-01-01"))
        axes.set_title(lookup(state).name, fontsize=10)
    return figure


def nowcast(panel: od.Panel) -> Figure:
    """The nation's last twelve counts, as reported and once final."""
    return nowcast_figure(forecast("dlm", panel).select("US").nowcast(), panel.to_frame())


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
    """How often intervals held, by horizon: 64 monthly origins."""
    models = ["dlm", "hub-baseline"]
    results = od.backtest(
        models,
        "pseudo-clean",
        archive=od.bundled(),
        truth=od.Truth(panel, min_age=0),
        start="2019-01",
        end="2024-04",
        progress=False,
    )
    for level in ("jurisdictions", "nation"):
        figure = coverage_figure(results, models, level)
        figure.suptitle({"nation": "the nation"}.get(level, level), fontsize=10)
        yield f"coverage-{level}", figure


def calibration() -> Figure:
    """How often the intervals of the default held on delayed pseudo-vintages, by era.

    From eleven months before the last known month to twelve after it.
    """
    results = od.backtest(
        ["dlm"], "pseudo-delayed", archive=od.bundled(), step=3, draws=500, progress=False
    )
    board = results.leaderboard(by=["level", "era", "horizon"])
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, level in zip(figure.subplots(1, 2, sharey=True), ("jurisdictions", "nation")):
        for era, colour in (("6.5", BLUE), ("4.5", ORANGE)):
            rows = board[(board["level"] == level) & (board["era"] == era)].sort_values("horizon")
            for column, style in (("coverage_90", "-"), ("coverage_50", "--")):
                label = f"{era} months" if style == "-" else None
                axes.plot(rows["horizon"], 100 * rows[column], style, color=colour, label=label)
        for nominal in (50, 90):
            axes.axhline(nominal, color="0.6", linewidth=0.8, linestyle=":")
        axes.axvline(0.5, color="0.8", linewidth=0.8)
        axes.set_title(level, fontsize=10)
        axes.set_xlabel("months after the last known one; to 0: nowcast")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("truths inside the interval, %")
    figure.axes[0].set_ylim(0, 102)
    figure.axes[1].legend(title="newest month at release", frameon=False, fontsize=8)
    return figure


def brief() -> None:
    """The brief of the example, by the command that the page on scenarios prints."""
    example = STATIC.parents[1] / "examples" / "cooperation-2026.yaml"
    with TemporaryDirectory() as folder:
        out = Path(folder, "cooperation-2026")
        command = f"scenario run --scenario null,{example} --source bundled --locations US,OH"
        cli([*command.split(), "--until", "2028-12", "--out", str(out)], standalone_mode=False)
        shutil.copy(out / "brief-US.html", STATIC / "brief-cooperation-2026.html")
        shutil.copy(out / "brief-annex.html", STATIC / "brief-annex.html")
        shutil.copy(out / "figures" / "fan.svg", STATIC / "brief-fan.svg")


def past(event: str) -> Figure:
    """Both counterfactuals of a past event."""
    return past_figure(od.scenario.past(event, od.bundled()))


def main() -> None:
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date of today in the brief's figures
    mpl.rcParams.update({"svg.hashsalt": "odforecast", "font.size": 10})
    panel = od.bundled().as_of(RELEASE).panel()
    drawn = {
        "fan": fan(panel),
        "delay": delay(panel),
        "nowcast": nowcast(panel),
        "origins": origins(panel),
        "calibration": calibration(),
        "past-class-scheduled": past("class-scheduled"),
        "past-supply-shock-2023": past("supply-shock-2023"),
    }
    for name, figure in {**drawn, **dict(coverage(panel))}.items():
        path = STATIC / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        print(path.relative_to(STATIC.parents[1]))
    brief()


if __name__ == "__main__":
    main()
