"""The backtest: no leak, resumable, serial equals parallel, failures as rows."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import same

import odforecast as od
from odforecast.backtesting import Origin, Results, backtest, cuts, plan
from odforecast.backtesting import run as blocks
from odforecast.errors import UnknownNameError
from odforecast.names import TARGET_MONTH
from odforecast.panel import Panel
from odforecast.scoring import Truth
from odforecast.vintage import Archive, bundled

STATES = ("US", "OH", "WY")
SPAN = ("2021-01", "2021-05", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["naive", "naive+delay", "auto-theta", "hub-baseline", "damped-trend", "dlm", "ensemble-equal"],
)
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_changing_anything_published_after_the_origin_changes_nothing(name, data):
    """The leak test: later numbers, later releases and the truth are out of reach."""
    table = bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(STATES)]
    month = data.draw(st.sampled_from(["2018-12", "2020-06", "2023-01"]))
    later = table["month"] > pd.Timestamp(month)
    factor = data.draw(st.floats(0.1, 10))
    changed = table.copy()
    changed.loc[later, ["reported", "predicted"]] = np.round(
        changed.loc[later, ["reported", "predicted"]] * factor
    )
    tables = []
    for source in (table, changed):
        known = source[~later]
        archive = Archive.in_memory(
            {dt.date(2024, 1, 17): known.assign(release=pd.Timestamp("2024-01-17")),
             dt.date(2025, 9, 17): source}
        )  # fmt: skip
        panel = archive.as_of("2025-09-17").panel()
        pseudo = cuts(panel, start=month, end=month)
        real = od.origins(archive, "real")[:1]
        for chosen in (pseudo, real):
            results = backtest([name], chosen, truth=Truth(panel), draws=40)
            tables.append(results.quantiles)
    same(tables[0], tables[2])
    same(tables[1], tables[3])


@pytest.mark.slow
def test_serial_threads_and_processes_agree(panel, found):
    options = {"models": ["drift", "auto-theta", "dlm"], "origins": found, "truth": Truth(panel)}
    serial = backtest(**options, draws=30)
    with ThreadPoolExecutor(2) as pool:
        threads = backtest(**options, draws=30, executor=pool)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        processes = backtest(**options, draws=30, executor=pool)
    for other in (threads, processes):
        same(serial.scores, other.scores)
        same(serial.quantiles, other.quantiles)
    assert serial.manifest["run"] == processes.manifest["run"]


def test_a_stopped_run_goes_on_without_recomputing(panel, found, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 1)
    model, truth = toys.steps(), Truth(panel)

    class Stop(Exception):
        pass

    def stop_after_two(step):
        if step.done == 2:
            raise Stop

    with pytest.raises(Stop):
        backtest([model], found, truth=truth, draws=30, out=tmp_path, progress=stop_after_two)
    assert not (tmp_path / "scores.parquet").exists()
    steps = []
    resumed = backtest([model], found, truth=truth, draws=30, out=tmp_path, progress=steps.append)
    assert len(model.inner.fits) == 3
    assert [s.reused for s in steps] == [True, True, False]
    assert [s.seconds > 0 for s in steps] == [False, False, True]  # nothing was computed twice
    fresh = backtest([model], found, truth=truth, draws=30)
    same(fresh.scores, resumed.scores)
    same(fresh.quantiles, resumed.quantiles)
    loaded = Results.load(tmp_path)
    assert loaded.manifest == resumed.manifest
    assert len(loaded.scores) == len(fresh.scores)


def test_all_models_come_to_some_origins_before_the_next_ones(panel):
    """What models share of an origin is worked out once, and kept for a while only."""
    nine = cuts(panel, start="2021-01", end="2021-09")
    units = plan(["naive", "drift"], nine, Truth(panel), draws=20)
    assert blocks.blocks(units, range(18)) == [[*range(8)], [*range(9, 17)], [8], [17]]
    assert blocks.blocks(units, [3, 8, 12]) == [[3], [12], [8]]


def test_an_origin_without_a_panel_is_a_failure_not_a_hole(panel, found):
    hole = Origin(dt.date(2023, 4, 12), "real", None, "no reported counts")
    results = backtest(["naive"], [*found, hole], truth=Truth(panel), draws=30)
    assert results.failures["reason"].tolist() == ["no reported counts"]
    assert results.manifest["origins"][-1]["reason"] == "no reported counts"


def test_a_missing_location_fails_its_row_only(panel):
    reported = panel.reported.copy()
    reported[2, -1] = np.nan
    fields = {n: getattr(panel, n) for n in panel.__dataclass_fields__}
    gappy = Panel(**{**fields, "reported": reported})
    results = backtest(
        ["naive"], [Origin(panel.as_of, "real", gappy)], truth=Truth(panel, min_age=0), draws=30
    )
    assert results.failures["location"].tolist() == ["WY"]
    assert set(results.scores["location"]) == {"US", "OH"}


def test_truth_too_young_is_not_scorable(panel):
    late = cuts(panel, start="2024-06", end="2024-06")
    results = backtest(["naive"], late, truth=Truth(panel), draws=30)
    scores = results.scores.set_index(["location", "month"])
    assert scores.loc[("US", "2024-09-01"), "scorable"]
    young = scores.loc[("US", "2024-10-01")]
    assert not young["scorable"]
    assert young["reason"].startswith("too young: release 2025-09-17 is 11 months")
    assert np.isnan(young["wis"])
    assert np.isnan(young["observed"])
    beyond = scores.loc[("US", "2025-05-01"), "reason"]
    assert "after the last month" in beyond
    board = results.leaderboard()
    assert board["n_not_scorable"].sum() == 27


def test_truth_values_are_the_releases(panel):
    truth = Truth(panel)
    values, reasons = truth.observed(("US", "PR"), panel.months[:3])
    assert (values[0] == panel.reported[0, :3]).all()
    assert (reasons[1] == "release 2025-09-17 has no PR").all()
    months, _ = truth.observed(("US",), panel.months[:3], TARGET_MONTH)
    assert (months[0] == panel.monthly[0, 11:14]).all()
    predicted, _ = Truth(panel, "predicted").observed(("US",), panel.months[:3])
    assert (predicted[0] == panel.predicted[0, :3]).all()


def test_origins_published_on_one_day_stay_apart(panel):
    close = cuts(panel, start="2021-06", end="2021-10")
    assert len({o.as_of for o in close}) == 3
    results = backtest(["naive", "hub-baseline"], close, truth=Truth(panel), draws=30)
    board = results.leaderboard()
    assert board["n_units"].sum() == len(results.scores) == 2 * 5 * 3 * 12


def test_a_unit_key_changes_with_everything_that_matters(panel, found):
    base = plan(["naive"], found, Truth(panel))[0]
    others = [
        plan(["drift"], found, Truth(panel))[0],
        plan(["naive"], found[1:], Truth(panel))[0],
        plan(["naive"], found, Truth(panel, min_age=0))[0],
        plan(["naive"], found, Truth(panel), draws=999)[0],
        plan(["naive"], found, Truth(panel), seed=2)[0],
        plan(["naive"], found, Truth(panel), locations=["US"])[0],
    ]
    assert len({u.key for u in [base, *others]}) == 7
    assert base.key == plan(["naive"], found, Truth(panel))[0].key


def test_failures_come_in_the_order_asked(panel, found):
    asked = ("WV", "US", "CA", "OH", "TX")
    whole = cuts(bundled().as_of("2025-09-17").panel(), start="2021-07", end="2021-07")
    results = backtest(["naive"], [found[0], *whole], truth=Truth(panel), draws=30, locations=asked)
    assert results.failures["location"].tolist() == ["WV", "CA", "TX"]
    assert set(results.failures["reason"]) == {
        f"release 2025-09-17 has no {s}" for s in ("WV", "CA", "TX")
    }
    with pytest.raises(UnknownNameError, match="no data for PR"):
        plan(["naive"], found, Truth(panel), locations=["PR"])
