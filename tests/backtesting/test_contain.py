"""What a contained model said is told once, with how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from made_up_counties import made_up
from panel_factory import cut_panel

from odforecast.backtesting.unit import Said, contained
from odforecast.errors import BacktestError


def test_each_kind_of_warning_once_with_how_often():
    assert Said(Counter({"once": 1, "often": 7})).warnings == ("often (×7)", "once")
    assert Said().warnings == ()


def test_the_rest_is_one_line():
    kinds = Counter({f"kind {i}": 20 - i for i in range(5)})
    assert len(Said(kinds).warnings) == 5
    more = Said(kinds + Counter(a=1, b=1)).warnings
    assert more[5:] == ("and 2 other warnings",)


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
