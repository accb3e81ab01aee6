"""What a model changed beside its panel is put back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_counties import made_up
from panel_factory import cut_panel

from odforecast.backtesting.unit import contained
from odforecast.errors import BacktestError


def test_what_stands_beside_the_states_of_counties_is_put_back_too():
    inner = cut_panel()
    states = replace(cut_panel(), beside={"all-deaths": inner})
    panel = replace(made_up(("DE",)), beside={"states": states})
    before = inner.reported.copy()

    def forced():
        with contained([panel], 1):
            inner.reported.flags.writeable = True
            inner.reported[0, 0] += 1.0

    with pytest.raises(BacktestError, match="changed its panel"):
        forced()
    np.testing.assert_array_equal(inner.reported, before)
    assert not inner.reported.flags.writeable


def test_months_of_a_panel_beside_may_be_looked_at():
    """They are recovered when a model asks for them, which changes nothing."""
    beside = cut_panel()
    panel = replace(cut_panel(), beside={"T40.4": beside})
    with contained([panel], 1):
        months = beside.monthly
    np.testing.assert_array_equal(beside.monthly, months)


def test_what_is_written_into_the_months_of_a_panel_beside_is_noticed():
    beside = cut_panel()
    panel = replace(cut_panel(), beside={"T40.4": beside})
    before = cut_panel().monthly

    def forced():
        with contained([panel], 1):
            beside.monthly.flags.writeable = True
            beside.monthly[0, 0] += 1000.0

    with pytest.raises(BacktestError, match="changed its panel"):
        forced()
    np.testing.assert_array_equal(beside.monthly, before)
