"""Figures put together from those of ``plot``; what they show is checked."""

from __future__ import annotations

import numpy as np
import pytest

from odforecast.backtesting import backtest, cuts
from odforecast.errors import ScoringError, UnknownNameError
from odforecast.models.registry import get_model
from odforecast.panel import Panel
from odforecast.report.figures import coverage_figure, origins_figure
from odforecast.scoring import Truth
from odforecast.vintage.bundle import bundled

STATES = ["US", "WV"]


@pytest.fixture(scope="module")
def panel() -> Panel:
    return bundled().as_of("2025-09-17").panel().select(STATES)


def test_fans_show_the_truth_and_the_median(panel, tmp_path):
    origins = cuts(panel, start="2020-01", end="2022-01", step=12)
    panels = [o.panel for o in origins]
    forecasts = [get_model("drift").fit(p).forecast(12, draws=60, seed=1) for p in panels]
    others = [get_model("naive").fit(p).forecast(12, draws=60, seed=1) for p in panels]
    figure = origins_figure(forecasts, panels, Truth(panel), STATES, others)
    assert len(figure.axes) == 6
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    truth = lines["became known (2025-09-17)"].get_ydata()
    stop = int(np.flatnonzero(panel.months == np.datetime64("2021-01"))[0]) + 1
    assert (truth == panel.reported[0, stop - truth.size : stop]).all()
    for name, made in (("drift", forecasts), ("naive", others)):
        median = lines[name].get_ydata()
        assert median[0] == panels[0].reported[0, -1]
        assert np.allclose(median[1:], made[0].quantiles([0.5])[0, 0])
    assert figure.axes[0].get_ylim()[0] == 0
    figure.savefig(tmp_path / "fan.png")


def test_one_panel_per_forecast(panel):
    forecast = get_model("drift").fit(panel).forecast(3, draws=20, seed=1)
    with pytest.raises(ScoringError, match="1 forecasts, 0 panels"):
        origins_figure([forecast], [], Truth(panel), STATES)


def test_coverage_is_the_share_of_the_score_table_and_of_models_that_ran(panel):
    origins = cuts(panel, start="2021-01", end="2021-04")
    results = backtest(["drift", "hub-baseline"], origins, truth=Truth(panel), draws=60)
    figure = coverage_figure(results, ["drift", "hub-baseline"])
    scores = results.scores
    mine = scores[(scores["model"] == "drift") & (scores["location"] == "WV")]
    (line,) = (x for x in figure.axes[0].lines if x.get_label() == "50 % interval")
    assert np.allclose(line.get_ydata(), 100 * mine.groupby("horizon")["cover_50"].mean())
    with pytest.raises(UnknownNameError, match="no scores of model 'dlm'"):
        coverage_figure(results, ["dlm"])
