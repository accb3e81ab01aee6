"""Plain mistakes in what a score is asked for: one clear error, or what was meant."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import ScoringError
from odforecast.scoring.columns import columns_of

N = 12


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    months = pd.date_range("2022-01-01", periods=N, freq="MS").as_unit("s")
    rng = np.random.default_rng(0)
    return pd.concat(
        pd.DataFrame({
            "model": model, "as_of": months, "last_month": months, "location": place,
            "target": "deaths_12mo", "horizon": 1, "month": months, "scorable": True,
            "wis": rng.uniform(1, 2, N), "own": 3.0,
        })
        for model in ("a", "b") for place in ("US", "OH")
    )  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> od.Panel:
    return od.bundled().as_of("2025-09-17").panel()


@pytest.fixture(scope="module")
def made(panel: od.Panel) -> od.Forecast:
    cut = panel.cut("2022-06").select(["OH", "WY"])
    return od.get_model("drift").fit(cut).forecast(draws=20)


def test_results_stand_for_their_scores(scores: pd.DataFrame) -> None:
    held: Any = SimpleNamespace(scores=scores)
    for compare in (od.scoring.pairwise, lambda s: od.scoring.relative_skill(s, "b")):
        pd.testing.assert_frame_equal(compare(held), compare(scores))
    one, other = (od.scoring.diebold_mariano(s, "a", "b") for s in (held, scores))
    pd.testing.assert_frame_equal(one, other)


def test_a_string_is_one_column(scores: pd.DataFrame) -> None:
    for call in (
        lambda by: od.scoring.pairwise(scores, by=by),
        lambda by: od.scoring.relative_skill(scores, "b", by=by),
        lambda by: od.scoring.relative_to_baseline(scores, "b", by=by),
        lambda by: od.scoring.diebold_mariano(scores, "a", "b", by=by),
    ):
        pd.testing.assert_frame_equal(call("level"), call(("level",)))
    pd.testing.assert_frame_equal(
        od.scoring.columns.with_groups(scores, "level"),
        od.scoring.columns.with_groups(scores, ["level"]),
    )
    assert columns_of("level") == ["level"]


def test_a_string_is_one_column_of_summaries_too(made: od.Forecast, panel: od.Panel) -> None:
    units = od.scoring.score(made, od.Truth(panel)).assign(model="drift", own=3.0)
    by_name = od.scoring.summarise(units, by="location", metrics="own")
    pd.testing.assert_frame_equal(by_name, od.scoring.summarise(units, ["location"], None, ["own"]))
    own = od.scoring.Metric("own", lambda draws, y: draws.mean(axis=0) + 0 * y)
    pd.testing.assert_frame_equal(by_name, od.scoring.summarise(units, "location", metrics=[own]))
    assert by_name["own"].dropna().eq(3.0).all()
    joint = od.scoring.joint_scores(made, od.Truth(panel))
    one, other = (od.scoring.joint_summary(joint, by) for by in ("place", ["place"]))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bootstrap": "100"}, r"bootstrap is '100', allowed: a whole number of at least 0"),
        ({"bootstrap": -1}, r"bootstrap is -1"),
        ({"block": 0}, r"block is 0, allowed: a whole number of at least 1"),
        ({"level": 90}, r"level is 90, allowed: a number above 0 and below 1"),
        ({"by": 3}, r"by is 3; give names of columns"),
        ({"by": "levl"}, r"no column 'levl'; did you mean 'level'"),
    ],
)
def test_settings_of_a_comparison(
    scores: pd.DataFrame, settings: dict[str, Any], words: str
) -> None:
    for call in (
        lambda s: od.scoring.pairwise(scores, **s),
        lambda s: od.scoring.relative_skill(scores, "b", **s),
        lambda s: od.scoring.relative_to_baseline(scores, "b", **s),
    ):
        with pytest.raises(ScoringError, match=words):
            call(settings)


@pytest.mark.parametrize("call", [od.scoring.pairwise, od.scoring.summarise])
def test_what_is_no_table(call: Any) -> None:
    with pytest.raises(ScoringError, match=r"scores is 'wis', no table; give a DataFrame"):
        call("wis")


@pytest.mark.parametrize("b", ["1", 0, 2, True, None])
def test_a_bandwidth_is_looked_at_before_the_origins(scores: pd.DataFrame, b: Any) -> None:
    few = scores[scores["as_of"] < "2022-03"]
    with pytest.raises(ScoringError, match=rf"b is {b!r}, allowed: a number above 0 and at most 1"):
        od.scoring.diebold_mariano(few, "a", "b", method="fixed-b", b=b)


def test_a_model_is_not_tested_against_itself(scores: pd.DataFrame) -> None:
    with pytest.raises(ScoringError, match=r"a cannot be tested against itself; give another"):
        od.scoring.diebold_mariano(scores, "a", "a")


def test_what_is_no_forecast_or_no_truth(made: od.Forecast, panel: od.Panel) -> None:
    for call in (od.score, od.scoring.joint_scores, od.scoring.turning_scores):
        with pytest.raises(ScoringError, match=r"forecast is 'x', no Forecast"):
            call("x", "y")
        with pytest.raises(ScoringError, match=r"truth is 2, no Truth; give od.Truth\(panel\)"):
            call(made, 2)
        with pytest.raises(ScoringError, match=r"truth is a Panel; make it one: od.Truth\(panel\)"):
            call(made, panel)


@pytest.mark.parametrize(
    ("horizons", "words"),
    [
        (3, r"horizons is 3, no list; .* within 1 to 12, as \[1, 6\]"),
        ("3", r"horizons is '3', no list"),
        (["3"], r"horizon '3' is no whole number"),
        ([99], r"horizons \[99\]: none of them is forecast"),
        ([], r"horizons is empty"),
    ],
)
def test_horizons_that_are_none(
    made: od.Forecast, panel: od.Panel, horizons: Any, words: str
) -> None:
    with pytest.raises(ScoringError, match=words):
        od.scoring.joint_scores(made, od.Truth(panel), horizons=horizons)
    with_numpy = od.scoring.joint_scores(made, od.Truth(panel), horizons=np.array([2, 5]))
    assert {2, 5} <= set(with_numpy["horizon"]) <= {-1, 2, 3, 5, 6, 12}


def test_words_are_no_draws() -> None:
    for draws, seen, name in (
        ([["a", "b"], ["c", "d"]], [1, 2], "draws"),
        ([[1], [2]], "x", "obs"),
    ):
        with pytest.raises(ScoringError, match=rf"{name}.* are no array of numbers: could not"):
            od.scoring.energy_score(draws, seen)  # type: ignore[arg-type]
    with pytest.raises(ScoringError, match=r"draws are no array of numbers"):
        od.scoring.energy_score([[1.0, 2.0], [3.0]], [1, 2])  # type: ignore[list-item]
