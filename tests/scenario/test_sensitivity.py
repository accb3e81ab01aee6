from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.scenario import (
    NULL,
    Fixed,
    Intervention,
    Normal,
    Rebound,
    Scenario,
    Uniform,
    attribution,
    cost_of_delay,
    named_intervention,
    tornado,
)

MONTH = np.timedelta64(1, "M")
LAST = np.datetime64("2025-04", "M")
SHARES = {"fentanyl-share": {"US": 0.57}}


@pytest.fixture(scope="module")
def baseline():
    return Forecast(
        draws=np.full((400, 1, 24), 6000.0),
        locations=("US",),
        months=np.arange(LAST + MONTH, LAST + 25 * MONTH),
        known=np.full((1, 11), 6000.0),
        as_of=dt.date(2025, 9, 17),
        last_month=LAST,
    )


def test_tornado_by_hand(baseline):
    x = Intervention("x", Normal(-0.3, 0.1), "2025-05", p_null=0.25, spread=0.0)
    table = tornado(baseline, Scenario("s", (x,)), location="US").set_index("assumption")
    assert set(table.index) == {"size", "p_null", "exposure"}
    assert table.at["p_null", "averted_high"] == 0.0
    low = -0.3 - 1.6448536 * 0.1
    works = 1 - 0.25
    expected = works * 24 * 6000 * -np.expm1(low)
    assert table.at["size", "averted_low"] == pytest.approx(expected, rel=0.06)
    assert table["swing"].is_monotonic_decreasing


def test_months_a_nowcast_revises_count_nowhere(baseline):
    nowcast = replace(
        baseline,
        draws=np.concatenate([np.full((400, 1, 12), 9000.0), baseline.draws], axis=2),
        months=np.arange(LAST - 11 * MONTH, LAST + 25 * MONTH),
    )
    one, two = (attribution(f, "2025-08", exposures=SHARES) for f in (baseline, nowcast))
    pd.testing.assert_frame_equal(one, two)
    x = Scenario("s", (Intervention("x", Normal(-0.3, 0.1), "2025-06", ramp=Uniform(1, 9)),))
    pd.testing.assert_frame_equal(tornado(baseline, x), tornado(nowcast, x))
    # What has begun has a baseline of its own, which a forecast cannot give.
    old = Scenario("s", (Intervention("x", Normal(-0.3, 0.1), "2025-01"),))
    for work in (tornado, cost_of_delay):
        with pytest.raises(ScenarioError, match="before the last known month"):
            work(baseline, old)
    with pytest.raises(ScenarioError, match="before the last known month"):
        attribution(baseline, "2025-01", exposures=SHARES)
    # An onset left open is the month after the as-of date.
    open_ = Scenario("s", (Intervention("x", Normal(-0.3, 0.1)),))
    assert cost_of_delay(baseline, open_, (0,))["onset"].tolist() == ["2025-10"]


def test_every_uncertain_assumption_is_varied(baseline):
    x = Intervention(
        "x", Normal(-0.3, 0.1), ("2025-06", "2025-09"), p_null=0.1,
        lag=Uniform(0, 2), ramp=Uniform(1, 3), plateau=Uniform(0, 1), half_life=Uniform(10, 20),
        rebound=Rebound(Uniform(0.1, 0.3), 0.4, after=Uniform(1, 2), half_life=Uniform(3, 4)),
    )  # fmt: skip
    table = tornado(baseline, Scenario("s", (x,)))
    assert set(table["assumption"]) == {
        "size", "lag", "ramp", "plateau", "half_life", "rebound fraction", "spread",
        "rebound after", "rebound half_life", "rebound p_null", "p_null", "onset", "exposure",
    }  # fmt: skip
    with pytest.raises(ScenarioError, match="null assumes nothing"):
        tornado(baseline, NULL)


def test_attribution_shows_all_shares(baseline):
    table = attribution(baseline, "2025-06", exposures=SHARES)
    assert table["share"].tolist() == ["0%", "25%", "50%", "75%", "100%", "Beta(1.5, 4)"]
    mean = table["averted_mean"].to_numpy()
    assert mean[0] == 0.0
    assert (np.diff(mean[:5]) > 0).all()
    assert mean[0] < mean[5] < mean[2]  # the prior's mean is 0.27
    same = named_intervention("supply-shock-2023-like", onset="2025-06").scaled(Fixed(1))
    assert same.share == Fixed(1)
