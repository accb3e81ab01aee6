"""What is said of past errors: of this model, of this place, and of nothing later."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.forecast.record import past_errors, table_of

DAY = "2026-01-14"


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of(DAY).panel()


@pytest.fixture(scope="module")
def forecast(panel):
    return od.get_model("dlm").fit(panel).forecast(draws=60)


@pytest.fixture(scope="module")
def results():
    return od.backtest(
        ["naive+delay", "drift"], "pseudo-clean", start="2021-01", end="2023-09", step=8,
        locations="OH,WV", draws=60, progress=False,
    )  # fmt: skip


def test_the_default_has_a_record_everywhere_and_at_every_horizon(forecast):
    for place in forecast.locations:
        rows = past_errors(forecast, place)
        if place == "PR":  # no part of the nation: not scored
            assert rows is None
            continue
        assert rows["horizon"].tolist() == list(range(1, 13))
        assert (rows["forecasts"] > 80).all()
        assert rows["first"].min() >= "2021-02"
        assert (rows["error"] > 0).all()
        assert rows["held"].between(0, 1).all()


def test_of_another_model_class_or_day_nothing_is_said(panel, forecast):
    # The day before the release that the record was scored against, it could not be known.
    early = replace(forecast, as_of=dt.date(2026, 1, 13), beside={})
    cut = od.get_model("dlm").fit(panel.cut("2024-09")).forecast(draws=9)
    undelayed = od.get_model("dlm", delay=False).fit(panel).forecast(draws=9)
    for made in (early, cut, undelayed, forecast.part("T40.4")):
        assert past_errors(made, "OH") is None
    assert "past tests" not in early.text("Ohio")
    assert "past tests" not in forecast.region("Midwest").text()
    assert "past tests" in forecast.text("Ohio")


def test_a_backtest_of_ones_own_is_taken(panel, results):
    made = od.get_model("naive+delay").fit(panel).forecast(draws=60)
    assert "past tests" not in made.text("Ohio")
    last = past_errors(made, "OH", results).set_index("horizon").loc[12]
    mine = results.scores.query(
        "model == 'naive+delay' and location == 'OH' and horizon == 12 and scorable"
    )
    assert last["error"] == round(mine["ape"].median(), 1)
    assert last["forecasts"] == len(mine)
    error = f"the typical (median) error here was {last['error']:.0f}%"
    assert f"in {len(mine)} past tests, {error}" in made.text("Ohio", record=results)
    # A place that was not scored has none.
    assert "past tests" not in made.text("Maine", record=results)


def test_what_was_not_settled_on_the_day_of_the_forecast_is_left_out(panel, results):
    early = od.get_model("naive+delay").fit(panel.cut("2023-02")).forecast(draws=60)
    assert early.as_of < dt.date(2025, 9, 17)
    rows = past_errors(early, "OH", results)
    newest = np.datetime64(early.as_of, "M") - np.timedelta64(12, "M")
    assert rows["last"].max() == str(newest)


def test_kinds_of_vintage_have_no_common_mean(panel):
    made = od.get_model("drift").fit(panel).forecast(draws=40)
    kinds = ("pseudo-delayed", "pseudo-clean")
    origins = [
        o for kind in kinds for o in od.origins(od.bundled(), kind, "2021-01", "2022-01", 6, 2)
    ]
    both = od.backtest(["drift"], origins, locations="US", draws=40, progress=False)
    assert set(both.scores["vintage"]) == set(kinds)
    alone = both.scores.query("vintage == 'pseudo-delayed' and horizon == 1 and scorable")
    first = past_errors(made, "US", both).set_index("horizon").loc[1]
    assert first["error"] == round(alone["ape"].median(), 1)
    assert first["forecasts"] == len(alone)


def test_results_of_other_deaths_or_another_model_are_refused(panel, forecast, results):
    other = od.backtest(
        ["drift"], "pseudo-clean", start="2021-01", end="2021-01", locations="US", draws=20,
        indicator="T40.4", progress=False,
    )  # fmt: skip
    manifest = {k: v for k, v in other.manifest.items() if k != "indicator"}
    unsaid = od.Results({"scores": other.scores}, manifest)
    made = od.get_model("drift").fit(panel).forecast(draws=20)
    assert other.manifest["specs"]["drift"] == made.provenance["spec_hash"]
    for of, record, said in (
        (made, other, "the record is of 'Synthetic opioids"),
        (made, unsaid, "does not say which deaths it is of"),
        (forecast, results, r"record: no scores of dlm .*it holds drift"),
    ):
        with pytest.raises(ForecastError, match=said):
            of.text("US", record=record)


def test_only_what_is_scorable_and_ahead_counts():
    scores = pd.DataFrame(
        {
            "location": "OH", "horizon": [0, 1, 1, 1], "target": "deaths_12mo",
            "scorable": [True, True, True, False], "ape": [50.0, 1.0, 3.0, 99.0],
            "cover_90": [1.0, 1.0, 0.0, 1.0], "month": pd.Timestamp("2022-01-01"), "spec_hash": "a",
            "vintage": "real", "truth_release": pd.Timestamp("2024-01-10"),
        }
    )  # fmt: skip
    table = table_of(scores)
    assert table[["horizon", "forecasts", "error", "held"]].to_numpy().tolist() == [
        [1, 2, 2.0, 0.5]
    ]
