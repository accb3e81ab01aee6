"""Draw the figures of README and docs from the bundled figures: `make figures`.

Files are the same, byte for byte, for the same numbers, so a diff shows a change of numbers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner
from matplotlib.figure import Figure

import odforecast as od
from odforecast.cli import main as cli
from odforecast.plot.published_forecasts import published_forecasts
from odforecast.plot.revised import nowcast_figure
from odforecast.plot.style import BLUE, ORANGE, shared_legend
from odforecast.report.figures import coverage_figure, origins_figure
from odforecast.report.past_figure import past_figure
from odforecast.vintage.bundle import BUNDLED_RELEASE

STATIC = Path(__file__).parent / "_static"
DRAWS = 1000  # as `forecast`, the site and the update: one answer on every page


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
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, state in zip(figure.subplots(1, 2), ("US", "WV")):
        od.plot.fan(completed, state, axes=axes, months=80)
        od.plot.fan(raw, state, axes=axes, months=80, color=ORANGE, label="as reported")
    shared_legend(figure, figure.axes)
    return figure


def nowcast(panel: od.Panel) -> Figure:
    """The nation's last twelve counts, as reported and once final."""
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
    """How often intervals held, by horizon: 68 monthly origins."""
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
    example = STATIC.parents[1] / "src" / "odforecast" / "examples" / "cooperation-2026.yaml"
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


def counties() -> Figure:
    """Ohio's counties."""
    seen = od.bundled().as_of().panel(dataset="counties").select("Ohio/*")
    made = od.get_model("county").fit(seen).forecast(horizon=12, draws=DRAWS, seed=1)
    _printed(STATIC.parent / "how-to" / "counties.md")
    return od.plot.map(made).get_figure()


def _printed(page: Path) -> None:
    """Write again what the first forecast on the page of counties prints."""
    command = "forecast --dataset counties --locations Ohio/*"
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, command.split(), catch_exceptions=False)
    shown = done.stdout.partition("\nmodel county")[0].rstrip()
    before, _, rest = page.read_text().partition(":::{code-block} text\n")
    page.write_text(f"{before}:::{{code-block}} text\n{shown}\n:::\n{rest.partition(':::\n')[2]}")


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
        "published-forecasts": published_forecasts(od.evidence.published()),
        "counties-ohio": counties(),
    }
    for name, figure in {**drawn, **dict(coverage(panel))}.items():
        path = STATIC / f"{name}.svg"
        od.plot.save(figure, path)
        print(path.relative_to(STATIC.parents[1]))
    brief()


if __name__ == "__main__":
    main()
