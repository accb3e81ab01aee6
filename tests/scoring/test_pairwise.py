"""Every model against every other: by hand, its groups of origins, its scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from odforecast.errors import ScoringError
from odforecast.scoring import pairwise, per_100k, relative_skill, relative_to_baseline
from odforecast.scoring.columns import COUNT_COLUMNS, METRIC_COLUMNS


def scores_of(wis, places=("OH", "WV"), donors=(), horizon=3):
    """Scores of models: arrays of (origin, place); NaN for a unit a model lacks."""
    parts = []
    for model, values in wis.items():
        n = len(values)
        last = np.datetime64("2019-01") + np.arange(n).astype("timedelta64[M]")
        part = pd.DataFrame(
            {name: values.ravel() for name in (*METRIC_COLUMNS, *COUNT_COLUMNS)}
            | {
                "model": model,
                "as_of": np.repeat(
                    (last + np.timedelta64(5, "M")).astype("datetime64[s]"), len(places)
                ),
                "last_month": np.repeat(last.astype("datetime64[s]"), len(places)),
                "location": np.tile(places, n),
                "target": "deaths_12mo",
                "horizon": horizon,
                "month": np.repeat(
                    (last + np.timedelta64(horizon, "M")).astype("datetime64[s]"), len(places)
                ),
                "scorable": True,
                "reason": "",
            }
        )
        parts.append(part[part["wis"].notna()])
    return pd.concat(parts, ignore_index=True)


def pair(table, model, other):
    return table[(table["model"] == model) & (table["other"] == other)].iloc[0]


def test_by_hand_with_a_unit_missing():
    a = np.array([[1.0, 2.0], [3.0, np.nan]])
    b = np.array([[2.0, 2.0], [2.0, 50.0]])
    c = np.array([[4.0, np.nan], [4.0, 10.0]])
    table = pairwise(scores_of({"a": a, "b": b, "c": c}))
    assert len(table) == 6
    row = pair(table, "a", "b")  # three units in common: 6 over 6
    assert (row["n_common"], row["ratio"]) == (3, 1.0)
    row = pair(table, "c", "b")  # 18 over 54
    assert (row["n_common"], row["ratio"]) == (3, pytest.approx(18 / 54))
    assert pair(table, "b", "c")["ratio"] == pytest.approx(3.0)
    assert pair(table, "a", "c")["n_common"] == 2
    assert pair(table, "a", "b")["n_origins"] == 2


def test_relative_skill_is_the_geometric_mean_of_its_rows():
    rng = np.random.default_rng(1)
    scores = scores_of({m: rng.gamma(3, 1 + k, (6, 2)) for k, m in enumerate("abcd")})
    table = pairwise(scores)
    skill = relative_skill(scores, "d", bootstrap=0).set_index("model")["rel_skill"]
    theta = {m: np.exp(np.log(table.loc[table["model"] == m, "ratio"]).sum() / 4) for m in "abcd"}
    for m in "abcd":
        assert skill[m] == pytest.approx(theta[m] / theta["d"])


def test_groups_of_origins_are_counted_and_few_give_no_interval():
    rng = np.random.default_rng(2)

    def made(n, **keywords):
        wis = {"a": rng.gamma(9, 1, (n, 2)), "b": rng.gamma(9, 2, (n, 2))}
        return pair(pairwise(scores_of(wis), **keywords), "a", "b")

    row = made(64)
    assert row["n_groups"] == 5  # four months are left over: they belong to the fifth year
    assert row["lower"] < row["ratio"] < row["upper"] < 1
    assert row["n_better"] == 5
    few = made(30)  # a third of them is a group: three
    assert few["n_groups"] == 3
    assert np.isnan(few["lower"])
    assert np.isfinite(few["ratio"])
    assert np.isfinite(made(30, min_groups=3)["lower"])
    assert made(30, block=5)["n_groups"] == 6


def test_groups_are_those_of_the_units_that_a_pair_shares():
    rng = np.random.default_rng(3)
    late = np.full((64, 2), np.nan)
    late[40:] = rng.gamma(9, 1, (24, 2))
    wis = {"a": rng.gamma(9, 1, (64, 2)), "b": rng.gamma(9, 2, (64, 2)), "late": late}
    table = pairwise(scores_of(wis))
    row = pair(table, "late", "a")
    assert (row["n_common"], row["n_origins"], row["n_groups"]) == (48, 24, 2)
    assert np.isnan(row["lower"])
    assert pair(table, "a", "b")["n_groups"] == 5


@pytest.mark.parametrize("n", [5, 6, 7, 8, 9, 12, 13, 14, 24, 25, 26, 35, 36, 37, 47])
def test_what_is_left_over_is_no_group(n):
    """Below four whole years there are three groups, whatever is left over."""
    rng = np.random.default_rng(n)
    wis = {"a": rng.gamma(9, 1, (n, 2)), "b": rng.gamma(9, 2, (n, 2))}
    row = pair(pairwise(scores_of(wis)), "a", "b")
    assert (row["n_groups"], row["n_origins"]) == (3, n)
    assert np.isnan(row["lower"])
    skill = relative_skill(scores_of(wis), "b").set_index("model")
    assert skill["n_blocks"].eq(3).all()
    assert np.isfinite(skill.loc["a", "lower"])


def test_donors_are_enough_in_each_era_of_a_pair():
    rng = np.random.default_rng(11)
    parts = []
    for donor in range(7):
        wis = {m: rng.gamma(9, 1, (64, 2)) for m in ("a", "b", "few", "late")}
        part = scores_of(wis).assign(donor=f"2024-0{donor + 1}-10/abc")
        if donor > 3:  # of another era: published two months later
            part["as_of"] = part["as_of"].to_numpy() + np.timedelta64(61, "D")
            part = part[(part["model"] != "few") | (donor > 4)]
            part = part[part["model"] != "late"]
        parts.append(part)
    scores = pd.concat(parts, ignore_index=True)
    table = pairwise(scores)
    related = relative_to_baseline(scores, "a").set_index("model")
    for model, n, known in (("b", 7, True), ("few", 6, False), ("late", 4, True)):
        row = pair(table, model, "a")
        assert (row["n_donors"], related.loc[model, "n_donors"]) == (n, n)
        assert np.isfinite(row["lower"]) == np.isfinite(related.loc[model, "lower"]) == known


def test_from_four_years_on_there_is_an_interval():
    rng = np.random.default_rng(48)
    wis = {"a": rng.gamma(9, 1, (48, 2)), "b": rng.gamma(9, 2, (48, 2))}
    row = pair(pairwise(scores_of(wis)), "a", "b")
    assert row["n_groups"] == 4
    assert np.isfinite(row["lower"])


def test_a_block_that_is_longer_than_the_series_is_one_group():
    rng = np.random.default_rng(9)
    wis = {"a": rng.gamma(9, 1, (8, 2)), "b": rng.gamma(9, 2, (8, 2))}
    assert pair(pairwise(scores_of(wis), block=20), "a", "b")["n_groups"] == 1
    with pytest.raises(ScoringError, match="block is 0"):
        pairwise(scores_of(wis), block=0)


def test_donors_are_those_of_the_units_that_a_pair_shares():
    rng = np.random.default_rng(10)
    parts = []
    for donor in range(4):
        wis = {m: rng.gamma(9, 1, (64, 2)) for m in ("a", "b", "few")}
        part = scores_of(wis).assign(donor=f"2024-0{donor + 1}-10/abc")
        parts.append(part[(part["model"] != "few") | (donor < 2)])
    scores = pd.concat(parts, ignore_index=True)
    table = pairwise(scores)
    assert pair(table, "a", "b")["n_donors"] == 4
    assert np.isfinite(pair(table, "a", "b")["lower"])
    row = pair(table, "few", "a")
    assert (row["n_origins"], row["n_donors"]) == (64, 2)
    assert np.isnan(row["lower"])  # two releases say nothing about a third
    for related in (relative_to_baseline(scores, "a"), relative_skill(scores, "a")):
        related = related.set_index("model")
        assert related["n_donors"].to_dict() == {"a": 4, "b": 4, "few": 2}
        assert np.isnan(related.loc["few", "lower"])
        assert np.isfinite(related.loc["b", "lower"])


def test_a_model_that_won_one_long_spell_is_not_better_in_every_group():
    a = np.full((48, 2), 10.0)
    b = np.full((48, 2), 9.0)
    b[:12] = 40.0  # one year of large errors
    row = pair(pairwise(scores_of({"a": a, "b": b})), "a", "b")
    assert row["ratio"] < 1
    assert (row["n_better"], row["n_groups"]) == (1, 4)
    assert row["upper"] > 1  # so it may be luck


def test_scales():
    rng = np.random.default_rng(4)
    scores = scores_of({"a": rng.gamma(9, 1, (8, 3)), "b": rng.gamma(9, 2, (8, 3))},
                       places=("US", "WY", "YC"))  # fmt: skip
    scores["log_wis"] = scores["wis"] ** 2
    logs = pair(pairwise(scores, scale="log"), "a", "b")
    natural = pair(pairwise(scores, metric="log_wis"), "a", "b")
    assert logs["ratio"] == natural["ratio"]
    assert (logs["scale"], logs["metric"]) == ("log", "wis")
    rates = pair(pairwise(scores, scale="per_100k"), "a", "b")
    assert rates["n_common"] == 8  # of Wyoming: the city has no population of its own
    wyoming = per_100k(scores[scores["location"] == "WY"]).groupby("model")["wis"].sum()
    assert rates["ratio"] == pytest.approx(wyoming["a"] / wyoming["b"])


def test_within_groups():
    rng = np.random.default_rng(5)
    near = scores_of({m: rng.gamma(9, 1, (6, 2)) for m in "ab"}, horizon=2)
    far = scores_of({m: rng.gamma(9, 1, (6, 2)) for m in "ab"}, horizon=9)
    table = pairwise(pd.concat([near, far], ignore_index=True), by=["horizon_group"])
    assert table.columns[0] == "horizon_group"
    assert table["horizon_group"].tolist() == ["1-3", "1-3", "7-12", "7-12"]


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"scale": "root"}, "scale is 'root'"),
        ({"scale": "log", "metric": "crps"}, "crps has no log scale"),
        ({"metric": "brier"}, "no column 'brier'"),
        ({"missing": "error"}, "models lack"),
        ({"level": 1.5}, r"level is .*above 0 and below 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(keywords, said):
    a = np.ones((8, 2))
    b = np.array(a)
    b[0, 0] = np.nan
    with pytest.raises(ScoringError, match=said):
        pairwise(scores_of({"a": a, "b": b}), **keywords)


def test_one_model_is_not_compared_with_itself():
    with pytest.raises(ScoringError, match="1 model cannot be compared"):
        pairwise(scores_of({"a": np.ones((8, 2))}))
    scores = scores_of({"a": np.ones((8, 2)), "b": np.ones((8, 2))}).assign(scorable=False)
    with pytest.raises(ScoringError, match="no unit is scorable"):
        pairwise(scores)
