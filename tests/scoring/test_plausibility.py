"""Plausibility first, calibration second: numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hub_tables import made

from odforecast.errors import ScoringError
from odforecast.hub import check_hub, scenarios_to_hub
from odforecast.scoring import score_hub
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.summary import calibration, mark_plausible, nearest, plausibility


def held(*spans: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(spans, columns=["scenario_id", "first_month", "last_month"])
    for column in ("first_month", "last_month"):
        table[column] = pd.to_datetime(table[column])
    return table


def units(name: str, horizons, target="deaths_month", last="2023-12", **columns) -> pd.DataFrame:
    """Units of the months after the last known one, scored by whatever is given."""
    months = np.datetime64(last, "M") + np.asarray(horizons).astype("timedelta64[M]")
    table = pd.DataFrame(
        {
            "as_of": pd.Timestamp("2024-05-15"),
            "scenario_id": name,
            "model": "m",
            "location": "US",
            "target": target,
            "horizon": horizons,
            "month": months.astype("datetime64[s]"),
            "scorable": True,
        }
    )
    scores = dict.fromkeys(METRIC_COLUMNS, np.nan)
    return table.assign(**(scores | columns))


def test_a_month_is_plausible_if_it_held():
    scores = units("shock", [-1, 0, 1, 2, 3, 4])
    got = mark_plausible(
        scores, held(("shock", "2024-02", "2024-03"), ("null", "2020-01", "2030-01"))
    )
    assert got["plausible"].tolist() == [pd.NA, pd.NA, False, True, True, False]
    pd.testing.assert_frame_equal(got.drop(columns="plausible"), scores)
    assert not mark_plausible(scores, held())["plausible"].any()


def test_a_sum_of_twelve_months_is_plausible_if_all_its_months_to_come_held():
    scores = units("shock", list(range(15)), target="deaths_12mo")

    def marked(*spans):
        got = mark_plausible(scores, held(*(("shock", *s) for s in spans)))["plausible"]
        assert got.isna().tolist() == [True] + [False] * 14
        return [h for h, x in zip(scores["horizon"], got.fillna(False)) if x]

    # The last known month is 2023-12: horizon 1 adds up 2023-02 to 2024-01, and only the last of
    # them is to come; horizon 13 adds up 2024-02 to 2025-01, all to come.
    assert marked(("2024-01", "2024-03")) == [1, 2, 3]
    assert marked(("2024-02", "2025-02")) == [13, 14]
    assert marked(("2024-01", "2024-05"), ("2024-06", "2024-08")) == list(range(1, 9))
    assert marked(("2024-01", "2024-02"), ("2024-04", "2024-12")) == [1, 2]
    assert marked(("2024-02", "2024-12")) == []


def test_plausibility_by_hand():
    scores = pd.concat(
        [
            units("null", [0, 1, 2, 3, 4, 5]),
            units("shock", [0, 1, 2, 3, 4, 5]),
            units("shock", [0, 1, 2, 3, 4, 5], location="OH"),  # the same months
        ],
        ignore_index=True,
    )
    scores.loc[scores["horizon"] == 5, "scorable"] = False
    marked = mark_plausible(
        scores, held(("shock", "2024-02", "2024-02"), ("shock", "2024-04", "2024-09"))
    )
    table = plausibility(marked).set_index("scenario_id")
    assert table["months"].to_dict() == {"null": 4, "shock": 4}
    assert table["plausible"].to_dict() == {"null": 0, "shock": 2}
    assert table["share"].to_dict() == {"null": 0.0, "shock": 0.5}
    assert pd.isna(table.loc["null", "first"])
    assert table.loc["shock", "first"] == pd.Timestamp("2024-02-01")
    assert table.loc["shock", "last"] == pd.Timestamp("2024-04-01")


def test_calibration_by_hand():
    scores = pd.concat(
        [
            units("null", [0, 1, 2, 3, 4], wis=[99.0, 1, 2, 3, 6], cover_95=[0.0, 1, 1, 0, 0]),
            units("shock", [0, 1, 2, 3, 4], wis=[99.0, 4, 4, 2, 2], cover_95=[0.0, 0, 1, 1, 1]),
        ],
        ignore_index=True,
    )
    whole = calibration(scores)
    assert whole["months"].tolist() == ["all", "all"]
    marked = mark_plausible(scores, held(("null", "2024-01", "2024-03")))
    table = calibration(marked).set_index(["scenario_id", "months"])
    assert table["level"].unique().tolist() == ["nation"]
    assert table["n_scorable"].to_dict() == {
        ("null", "plausible"): 3, ("null", "all"): 4,
        ("shock", "plausible"): 0, ("shock", "all"): 4,
    }  # fmt: skip
    assert table.loc[("null", "plausible"), "wis"] == 2.0
    assert table.loc[("null", "all"), "wis"] == 3.0
    assert table.loc[("shock", "all"), "wis"] == 3.0
    assert np.isnan(table.loc[("shock", "plausible"), "wis"])
    assert table.loc[("null", "plausible"), "coverage_95"] == pytest.approx(2 / 3)
    assert table.loc[("null", "all"), "coverage_95"] == 0.5
    assert table.loc[("shock", "all"), "coverage_95"] == 0.75
    all_of_it = whole.set_index("scenario_id")[["wis", "coverage_95"]]
    want = table.xs("all", level="months")[["wis", "coverage_95"]]
    pd.testing.assert_frame_equal(all_of_it, want)


def test_calibration_relative_to_a_model_within_each_scenario():
    scores = pd.concat(
        [
            units("null", [1, 2], wis=[2.0, 2.0]),
            units("shock", [1, 2], wis=[4.0, 4.0]),
            units("null", [1, 2], wis=[1.0, 2.0], model="b"),
            units("shock", [1, 2], wis=[1.0, 3.0], model="b"),
        ],
        ignore_index=True,
    )
    table = calibration(scores, "m").set_index(["scenario_id", "model"])
    assert table.loc[("null", "b"), "rel_wis"] == pytest.approx(3 / 4)
    assert table.loc[("shock", "b"), "rel_wis"] == pytest.approx(4 / 8)


def test_the_nearest_scenario_by_hand():
    scores = pd.concat(
        [
            units("null", [0, 1, 2, 3, 4], wis=[0.0, 1, 2, 3, 0]),
            units("shock", [0, 1, 2, 3], wis=[9.0, 1, 1, 1]),
            units("boom", [0, 1, 2, 3], wis=[9.0, 8, 9, 1]),
        ],
        ignore_index=True,
    )
    table = nearest(scores).set_index("scenario_id")
    # Three months all have; the month up to the last known one counts for nobody.
    assert table["n_common"].tolist() == [3, 3, 3]
    assert table["wis"].to_dict() == {"shock": 1.0, "null": 2.0, "boom": 6.0}
    assert list(table.index) == ["shock", "null", "boom"]
    shares = {"null": 0.5 / 3, "shock": (0.5 + 1 + 0.5) / 3, "boom": 0.5 / 3}
    assert table["nearest"].to_dict() == pytest.approx(shares)
    assert nearest(scores.assign(scorable=False)).empty


def test_scores_of_a_scenario_are_those_of_its_own_file():
    names = ("null", "NA", "$ é")
    forecasts = {n: made(seed=i, back=1) for i, n in enumerate(names)}

    def observe(locations, months, target):
        values = np.full((len(locations), months.size), 480.0 + 5000.0 * (target == "deaths_12mo"))
        values[0, 0] = np.nan
        return values, np.where(np.isnan(values), "none", "").astype(object)

    for kind in ("quantile", "sample"):
        table = check_hub(scenarios_to_hub(forecasts, output_type=kind))
        scores = score_hub(table, observe)
        assert list(scores.columns[:4]) == ["as_of", "last_month", "scenario_id", "location"]
        assert len(scores) == 3 * 2 * 9
        for name in names:
            own = table[table["scenario_id"] == name].drop(columns="scenario_id")
            want = score_hub(own.reset_index(drop=True), observe)
            got = scores[scores["scenario_id"] == name].drop(columns="scenario_id")
            pd.testing.assert_frame_equal(got.reset_index(drop=True), want)


def test_what_is_missing_is_named():
    scores = units("null", [1])
    with pytest.raises(ScoringError, match="no column 'scenario_id'; it has: as_of"):
        mark_plausible(scores.drop(columns="scenario_id"), held())
    with pytest.raises(ScoringError, match="no column 'plausible'"):
        plausibility(scores)
    with pytest.raises(ScoringError, match="no column 'model'"):
        calibration(scores.drop(columns="model"))
    with pytest.raises(ScoringError, match="no month ahead"):
        calibration(units("null", [0]))
    with pytest.raises(ScoringError, match="no column 'wis'"):
        nearest(scores.drop(columns="wis"))
