"""A model by state: one unit per state, and the numbers of the undivided computation."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import toys
from toys import same, undivided

from odforecast.backtesting import Origin, Results, backtest, plan, run_units
from odforecast.models import Model
from odforecast.names import TARGET_12MO, TARGET_MONTH
from odforecast.panel.pseudo import clean

STATES = ("WY", "US", "OH", "YC")
SPAN = ("2021-02", "2021-03", 1)
BOTH = (TARGET_12MO, TARGET_MONTH)


def test_one_unit_per_state_each_with_its_own_panel(truth, found):
    units = plan([toys.by_state, "naive"], found, truth, draws=20)
    mine = [u for u in units if u.model is toys.by_state]
    assert [u.state for u in mine] == [*STATES, *STATES]
    assert [u.locations for u in mine] == [(s,) for s in (*STATES, *STATES)]
    assert [u.seen.locations for u in mine] == [u.locations for u in mine]
    assert len({u.key for u in units}) == len(units) == 2 * len(STATES) + 2
    assert mine[0].key != replace(mine[0], state="").key
    assert mine[0].label == "by_state as of 2021-09-15 in WY"
    # The nation is a unit of its own, from its own row; regions are no rows of a panel.
    asked = plan([toys.by_state], found, truth, locations=["US"])
    assert [(u.state, u.seen.locations) for u in asked] == [("US", ("US",))] * 2


@pytest.mark.parametrize("targets", [(TARGET_12MO,), (TARGET_MONTH,), BOTH])
def test_equals_the_undivided_computation_bit_for_bit(truth, found, targets, tmp_path):
    units = plan([toys.by_state, "naive"], found, truth, draws=20, targets=targets)
    divided, together = run_units(units, out=tmp_path), run_units(undivided(units))
    for name in ("scores", "quantiles", "failures"):
        same(getattr(divided, name), getattr(together, name))
        same(getattr(Results.load(tmp_path), name).reset_index(drop=True), getattr(divided, name))
    stored = run_units(units, out=tmp_path)
    same(stored.quantiles, divided.quantiles)
    assert divided.manifest["locations"] == list(STATES)


def test_a_part_equals_the_part_of_the_whole(truth, found):
    everything = backtest([toys.by_state], found, truth=truth, draws=20).scores
    ohio = backtest([toys.by_state], found, truth=truth, draws=20, locations=["Ohio"]).scores
    same(ohio, everything[everything["location"] == "OH"].reset_index(drop=True))


def test_a_state_without_enough_months_fails_as_it_would_undivided(panel, truth, found):
    reported = panel.reported.copy()
    reported[0, -1] = np.nan
    gappy = clean(replace(panel, reported=reported, low=None, high=None), panel.last_month)
    hole = Origin(dt.date(2023, 4, 12), "real", None, "no reported counts")
    origins = [*found, Origin(gappy.as_of, "pseudo-clean", gappy), hole]
    units = plan([toys.by_state], origins, truth, draws=20)
    divided, together = run_units(units), run_units(undivided(units))
    same(divided.scores, together.scores)
    same(divided.failures, together.failures)
    assert divided.failures["location"].tolist() == ["WY", "*"]


def test_a_failing_state_fails_alone(truth, found):
    def not_ohio(panel, paths):
        if "OH" in panel.locations:
            raise ZeroDivisionError("no")
        return paths

    class ByState(toys.Toy):
        by = "state"

    results = backtest([Model(ByState("bad", not_ohio), "bad")], found, truth=truth, draws=20)
    assert results.failures["location"].tolist() == ["OH", "OH"]
    assert set(results.scores["location"]) == {"WY", "US", "YC"}


def test_a_state_the_origin_has_not(truth, found):
    narrow = found[0].panel.select(["US", "OH"])
    origins = [found[1], Origin(narrow.as_of, narrow.vintage, narrow)]
    units = plan([toys.by_state], origins, truth, draws=20)
    results = run_units(units)
    assert results.failures["location"].tolist() == ["WY", "YC"]
    assert set(results.failures["reason"]) == {
        f"release 2025-09-17 has no {s}" for s in ("WY", "YC")
    }
    same(results.failures, run_units(undivided(units)).failures)
