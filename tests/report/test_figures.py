"""Figures: drawn from real forecasts; what they show is checked, not only that they draw."""

from __future__ import annotations

import numpy as np
import pytest

from odforecast.backtesting import backtest, cuts
from odforecast.errors import ScoringError
from odforecast.models.registry import get_model
from odforecast.panel import Panel
from odforecast.report.figures import coverage_figure, origins_figure, pit_figure, skill_figure
from odforecast.scoring import Truth
from odforecast.vintage.bundle import bundled

STATES = ["US", "WV"]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return bundled().as_of("2025-09-17").panel().select(STATES)


@pytest.fixture(scope="module")
def results(panel):
    origins = cuts(panel, start="2021-01", end="2021-04")
    return backtest(["drift", "hub-baseline"], origins, truth=Truth(panel), draws=60)


def test_fans_show_the_truth_and_the_median(panel, tmp_path):
    origins = cuts(panel, start="2020-01", end="2022-01", step=12)
    panels = [o.panel for o in origins]
    forecasts = [get_model("drift").fit(p).forecast(12, draws=60, seed=1) for p in panels]
    figure = origins_figure(forecasts, panels, Truth(panel), STATES, forecasts)
    assert len(figure.axes) == 6
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    truth = lines["became known (2025-09-17)"].get_ydata()
    stop = int(np.flatnonzero(panel.months == np.datetime64("2021-01"))[0]) + 1
    assert (truth == panel.reported[0, stop - truth.size : stop]).all()
    median = lines["drift"].get_ydata()
    assert median[0] == panels[0].reported[0, -1]
    assert np.allclose(median[1:], forecasts[0].quantiles([0.5])[0, 0])
    figure.savefig(tmp_path / "fan.png")


def test_one_panel_per_forecast(panel):
    forecast = get_model("drift").fit(panel).forecast(3, draws=20, seed=1)
    with pytest.raises(ScoringError, match="1 forecasts, 0 panels"):
        origins_figure([forecast], [], Truth(panel), STATES)


def test_coverage_is_the_share_of_the_score_table(results):
    figure = coverage_figure(results, ["drift"])
    line = figure.axes[0].lines[0]
    scores = results.scores
    mine = scores[(scores["model"] == "drift") & (scores["location"] == "WV")]
    expected = mine.groupby("horizon")["cover_50"].mean()
    assert np.allclose(line.get_ydata(), expected)


def test_pit_bars_average_to_one(results):
    figure = pit_figure(results, ["drift", "hub-baseline"])
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert np.mean(heights) == pytest.approx(1)


def test_skill_bars(results):
    figure = skill_figure(results, ["drift", "hub-baseline"])
    baseline = [b.get_height() for b in figure.axes[0].containers[1]]
    assert baseline == [1, 1, 1]


def test_a_model_that_was_not_run(results):
    with pytest.raises(ScoringError, match="no scores of 'dlm'"):
        coverage_figure(results, ["dlm"])
