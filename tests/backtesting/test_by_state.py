"""A model by state: one unit per state, and the numbers of the undivided computation."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toys

import odforecast as od
from odforecast.backtesting import Origin, Results, backtest, cuts, plan, run_units
from odforecast.errors import ForecastError
from odforecast.models import Model
from odforecast.names import TARGET_12MO, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.panel.pseudo import clean
from odforecast.scoring import Truth
from odforecast.vintage import bundled

STATES = ("WY", "US", "OH", "YC")
BOTH = (TARGET_12MO, TARGET_MONTH)


@pytest.fixture(scope="module")
def panel():
    return bundled().as_of("2025-09-17").panel().select(STATES)


@pytest.fixture(scope="module")
def truth(panel):
    return Truth(panel)


@pytest.fixture(scope="module")
def found(panel):
    return cuts(panel, start="2021-02", end="2021-03")


def whole(units):
    """The same units before they were divided: one per model and origin."""
    merged = {}
    for unit in units:
        merged.setdefault((id(unit.model), id(unit.origin)), []).append(unit)
    return [
        replace(parts[0], state="", locations=tuple(s for u in parts for s in u.locations))
        for parts in merged.values()
    ]


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a, b, check_exact=True)


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
    divided, together = run_units(units, out=tmp_path), run_units(whole(units))
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
    divided, together = run_units(units), run_units(whole(units))
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
    same(results.failures, run_units(whole(units)).failures)


def test_counties_go_by_their_state(panel):
    places = ("39035", "39061", "54039", "01001")
    layers = {n: panel.reported[[0, 1, 2, 3]] for n in ("reported", "predicted")}
    blank = np.full(panel.reported.shape, np.nan)
    counties = Panel(
        panel.indicator, panel.as_of, panel.release, "real", places, panel.months, **layers,
        complete=blank, pending=blank, dataset="counties",
    )  # fmt: skip
    units = plan([toys.by_state], [Origin(panel.as_of, "real", counties)], Truth(counties))
    assert [(u.state, u.locations) for u in units] == [
        ("OH", ("39035", "39061")),
        ("WV", ("54039",)),
        ("AL", ("01001",)),
    ]
    assert units[0].seen.locations == ("39035", "39061")
    together = toys.by_state.fit(counties).forecast(draws=20).draws
    divided = [toys.by_state.fit(u.seen).forecast(draws=20).draws for u in units]
    assert (np.concatenate(divided, axis=1) == together).all()


def test_only_known_ways():
    with pytest.raises(ForecastError, match="by is 'county'"):
        od.forecaster(by="county")
