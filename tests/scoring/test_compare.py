"""Comparisons: pairwise skill by hand, missing units, intervals, Diebold-Mariano, summaries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from odforecast.errors import ScoringError
from odforecast.scoring import diebold_mariano, relative_skill, relative_to_baseline, summarise
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.pairs import default_block


def table(wis: dict[str, np.ndarray], horizon: int = 1) -> pd.DataFrame:
    """Scores of models: arrays of (origin, location); NaN for a unit the model lacks."""
    parts = []
    for model, values in wis.items():
        origins, places = values.shape
        origin = np.datetime64("2021-01", "M") + np.arange(origins).astype("timedelta64[M]")
        days = origin.astype("datetime64[D]") + np.timedelta64(12, "D")
        month = origin + np.timedelta64(horizon, "M")
        part = pd.DataFrame(
            {
                "model": model,
                "as_of": np.repeat(days.astype("datetime64[s]"), places),
                "vintage": "real",
                "location": np.tile([f"L{i}" for i in range(places)], origins),
                "target": "deaths_12mo",
                "horizon": horizon,
                "month": np.repeat(month.astype("datetime64[s]"), places),
                "scorable": True,
                "reason": "",
                **{name: values.ravel() for name in METRIC_COLUMNS},
            }
        )
        parts.append(part[part["wis"].notna()])
    return pd.concat(parts, ignore_index=True)


def skill(scores: pd.DataFrame, **keywords) -> pd.Series:
    out = relative_skill(scores, "base", bootstrap=0, **keywords)
    return out.set_index("model")["rel_skill"]


def test_without_missing_units_it_is_the_ratio_of_means():
    rng = np.random.default_rng(1)
    wis = {m: rng.gamma(2, s, (8, 3)) for m, s in {"a": 1, "b": 3, "base": 2}.items()}
    got = skill(table(wis))
    for model, values in wis.items():
        assert got[model] == pytest.approx(values.mean() / wis["base"].mean())
    simple = relative_to_baseline(table(wis), "base", bootstrap=0).set_index("model")["ratio"]
    pd.testing.assert_series_equal(got.sort_index(), simple.sort_index(), check_names=False)


def test_pairwise_skill_by_hand_with_missing_units():
    # a misses the second unit, b the third.
    wis = {
        "a": np.array([[1.0, np.nan, 3.0]]),
        "b": np.array([[2.0, 8.0, np.nan]]),
        "base": np.array([[4.0, 4.0, 4.0]]),
    }
    ab, a_base, b_base = 1 / 2, 4 / 8, 10 / 8
    theta = {
        "a": (1 * ab * a_base) ** (1 / 3),
        "b": (1 / ab * 1 * b_base) ** (1 / 3),
        "base": (1 / a_base * 1 / b_base * 1) ** (1 / 3),
    }
    got = skill(table(wis))
    for model, value in theta.items():
        assert got[model] == pytest.approx(value / theta["base"])
    frame = relative_skill(table(wis), "base", bootstrap=0).set_index("model")
    assert frame["n_units"].to_dict() == {"a": 2, "b": 2, "base": 3}
    assert frame["n_common"].to_dict() == {"a": 1, "b": 1, "base": 2}
    simple = relative_to_baseline(table(wis), "base", bootstrap=0).set_index("model")
    assert simple["ratio"]["b"] == pytest.approx(b_base)
    assert simple["n_common"]["b"] == 2


def test_a_model_that_skips_hard_units_gains_nothing():
    easy_hard = np.array([[1.0, 100.0]] * 6)
    lazy = easy_hard.copy()
    lazy[:, 1] = np.nan
    got = skill(table({"lazy": lazy, "base": easy_hard}))
    assert got["lazy"] == pytest.approx(1.0)
    with pytest.raises(ScoringError, match="of 12 units, models lack: lazy 6; for example"):
        skill(table({"lazy": lazy, "base": easy_hard}), missing="error")


def test_nothing_in_common_is_unknown_not_one():
    a, base = np.array([[1.0, np.nan]]), np.array([[np.nan, 1.0]])
    got = skill(table({"a": a, "base": base}))
    assert got.isna().all()


def test_rows_not_scorable_are_left_out_and_a_group_without_baseline_is_unknown():
    scores = table({"a": np.full((2, 2), 1.0), "base": np.full((2, 2), 2.0)})
    scores.loc[(scores["model"] == "base") & (scores["location"] == "L1"), "scorable"] = False
    got = relative_skill(scores, "base", by=["location"], bootstrap=0)
    got = got.set_index(["location", "model"])
    assert got.loc[("L0", "a"), "rel_skill"] == pytest.approx(0.5)
    assert np.isnan(got.loc[("L1", "a"), "rel_skill"])
    assert got.loc[("L1", "base"), "n_units"] == 0
    scores["scorable"] = False
    with pytest.raises(ScoringError, match="no unit is scorable"):
        skill(scores)


def test_row_order_changes_nothing():
    rng = np.random.default_rng(2)
    scores = table({m: rng.gamma(2, 1, (9, 4)) for m in ("a", "b", "base")})
    plain = relative_skill(scores, "base", seed=3)
    mixed = relative_skill(scores.sample(frac=1, random_state=1), "base", seed=3)
    pd.testing.assert_frame_equal(plain, mixed)


def test_intervals_come_from_origins_and_are_seeded():
    rng = np.random.default_rng(3)
    shock = rng.gamma(2, 1, (24, 1))  # origins differ, units within one do not
    base = np.repeat(shock, 50, axis=1)
    noisy = base * rng.lognormal(0, 0.5, (24, 1))
    scores = table({"a": noisy, "base": base})
    one = relative_skill(scores, "base", seed=1, block=1).set_index("model")
    two = relative_skill(scores, "base", seed=1, block=1).set_index("model")
    pd.testing.assert_frame_equal(one, two)
    low, high = one.loc["a", ["lower", "upper"]]
    assert low < one.loc["a", "rel_skill"] < high
    assert high / low > 1.2  # 1200 units, but only 24 origins
    assert one.loc["base", "lower"] == one.loc["base", "upper"] == 1.0


def test_exact_multiples_have_no_spread_and_few_origins_no_interval():
    base = np.random.default_rng(4).gamma(2, 1, (12, 3))
    got = relative_skill(table({"a": base / 2, "base": base}), "base").set_index("model")
    np.testing.assert_allclose(got.loc["a", ["rel_skill", "lower", "upper"]].tolist(), 0.5)
    few = relative_skill(table({"a": base[:4] / 2, "base": base[:4]}), "base")
    assert few["lower"].isna().all()
    assert (few["n_origins"] == 4).all()


def test_blocks_widen_the_interval_of_errors_that_persist():
    rng = np.random.default_rng(5)
    drift = np.cumsum(rng.normal(0, 0.3, 48))
    base = np.ones((48, 2))
    a = np.exp(drift - drift.mean())[:, None] * base
    scores = table({"a": a, "base": base})

    def width(block: int | None) -> float:
        row = relative_skill(scores, "base", block=block, bootstrap=2000).set_index("model")
        return float(np.log(row.loc["a", "upper"] / row.loc["a", "lower"]))

    assert width(12) > 1.5 * width(1)
    assert width(None) == width(12)


def test_default_block_covers_a_year_but_leaves_three():
    monthly = np.arange("2020-01", "2024-01", dtype="M8[M]").astype("M8[s]")
    assert default_block(monthly) == 12
    assert default_block(monthly[::3]) == 4
    assert default_block(monthly[:9]) == 3
    assert default_block(monthly[:1]) == 1


@pytest.mark.parametrize(
    ("change", "keywords", "message"),
    [
        (None, {"baseline": "nobody"}, "'nobody' is not among the models"),
        (None, {"metric": "brier"}, "no column 'brier'"),
        (None, {"missing": "drop"}, "one of: common, error"),
        (None, {"by": ["county"]}, "no column 'county'"),
        (None, {"level": 1.5}, r"level is .*above 0 and below 1"),
        (None, {"bootstrap": -1}, "bootstrap is -1, allowed: a whole number of at least 0"),
        ("negative", {}, "negative values"),
        ("double", {}, "6 rows repeat a unit, for example as_of=2021-01-13"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, keywords, message):
    scores = table({"a": np.ones((6, 1)), "base": np.ones((6, 1))})
    if change == "negative":
        scores["wis"] = -scores["wis"]
    if change == "double":
        scores = pd.concat([scores, scores[scores["model"] == "a"]])
    with pytest.raises(ScoringError, match=message):
        relative_skill(scores, **({"baseline": "base"} | keywords))


def test_categories_and_text_give_the_same():
    scores = table({"a": np.full((3, 2), 1.0), "base": np.full((3, 2), 2.0)})
    coded = scores.astype({"model": "category", "location": "category", "target": "category"})
    pd.testing.assert_frame_equal(
        relative_skill(scores, "base"), relative_skill(coded, "base"), check_dtype=False
    )
    left = summarise(scores, by=["location"], baseline="base")
    right = summarise(coded, by=["location"], baseline="base")
    pd.testing.assert_frame_equal(left, right, check_dtype=False, check_categorical=False)


def test_diebold_mariano_by_hand_at_horizon_one():
    rng = np.random.default_rng(6)
    a, base = rng.gamma(4, 1, (30, 1)), rng.gamma(4, 1.3, (30, 1))
    gap = (a - base).ravel()
    row = diebold_mariano(table({"a": a, "base": base}), "a", "base").iloc[0]
    variance = ((gap - gap.mean()) ** 2).mean() / 30
    want = gap.mean() / np.sqrt(variance) * np.sqrt((30 + 1 - 2 + 0) / 30)
    assert row["statistic"] == pytest.approx(want)
    assert row["difference"] == pytest.approx(gap.mean())
    assert row["overlap"] == 1
    assert row["n_origins"] == 30
    stats = pytest.importorskip("scipy.stats")
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(want), 29))


def test_diebold_mariano_by_hand_with_overlap():
    rng = np.random.default_rng(7)
    noise = rng.normal(size=62)
    gap = noise[:-2] + noise[1:-1] + noise[2:]  # a moving average of three
    scores = table({"a": 20 + gap[:, None], "base": np.full((60, 1), 20.0)}, horizon=3)
    row = diebold_mariano(scores, "a", "base").iloc[0]
    d = gap - gap.mean()
    variance = (d @ d + 2 * (d[1:] @ d[:-1]) + 2 * (d[2:] @ d[:-2])) / 60**2
    correction = (60 + 1 - 6 + 3 * 2 / 60) / 60
    assert row["overlap"] == 3
    assert row["statistic"] == pytest.approx(gap.mean() / np.sqrt(variance) * correction**0.5)


def test_diebold_mariano_keeps_its_size_for_overlapping_forecasts():
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(150):
        noise = rng.normal(size=64)
        gap = np.convolve(noise, np.ones(4), "valid")[:60]
        scores = table({"a": 30 + gap[:, None], "base": np.full((60, 1), 30.0)}, horizon=4)
        hits += diebold_mariano(scores, "a", "base")["p_value"].iloc[0] < 0.1
    assert hits / 150 < 0.22  # an uncorrected t test finds a difference in half of them


def test_diebold_mariano_says_why_there_is_no_answer():
    short = table({"a": np.ones((5, 1)), "base": np.full((5, 1), 2.0)}, horizon=6)
    row = diebold_mariano(short, "a", "base").iloc[0]
    assert np.isnan(row["p_value"])
    assert row["note"] == "5 origins are too few: 13 needed"
    same = table({"a": np.ones((9, 1)), "base": np.full((9, 1), 2.0)})
    assert "same at every origin" in diebold_mariano(same, "a", "base").iloc[0]["note"]
    with pytest.raises(ScoringError, match="no scores of 'b'"):
        diebold_mariano(same, "b", "base")
    same.loc[same["model"] == "a", "location"] = "elsewhere"
    with pytest.raises(ScoringError, match="no scorable unit in common"):
        diebold_mariano(same, "a", "base")


def test_summary_counts_and_means():
    scores = table({"a": np.array([[1.0, 3.0]]), "base": np.array([[4.0, 4.0]])})
    scores.loc[3, "scorable"] = False
    scores.loc[3, list(METRIC_COLUMNS)] = np.nan
    got = summarise(scores, baseline="base").set_index("model")
    assert got.index.tolist() == ["a", "base"]  # best first
    assert got.loc["base", ["n_units", "n_scorable", "n_not_scorable"]].tolist() == [2, 1, 1]
    assert got.loc["a", "wis"] == 2.0
    assert got.loc["a", "rel_wis"] == pytest.approx(0.25)  # 1 / 4: the only unit both have
    assert got.loc["a", "n_common"] == 1
    assert got.loc["a", "coverage_90"] == 2.0


def test_summary_of_a_score_that_some_units_lack_is_unknown():
    scores = table({"a": np.array([[1.0, 3.0]])})
    scores.loc[0, "crps"] = np.nan
    got = summarise(scores).iloc[0]
    assert np.isnan(got["crps"])
    assert got["wis"] == 2.0


def test_summary_groups_in_order_and_models_best_first():
    parts = [table({"b": np.ones((2, 2)), "a": np.full((2, 2), 2.0)}, h) for h in (12, 1, 5, 13)]
    got = summarise(pd.concat(parts, ignore_index=True), by=["horizon_group", "regime"])
    groups = got["horizon_group"].astype(str).drop_duplicates().tolist()
    assert groups == ["1-3", "4-6", "7-12", "13+"]
    assert got["model"].tolist()[:2] == ["b", "a"]


def test_summary_of_nothing_scorable_keeps_its_rows():
    scores = table({"a": np.ones((2, 2)), "base": np.ones((2, 2))})
    scores["scorable"] = False
    got = summarise(scores, by=["location"], baseline="base")
    assert (got["n_not_scorable"] == 2).all()
    assert got["wis"].isna().all()
    assert got["rel_wis"].isna().all()
    with pytest.raises(ScoringError, match="empty"):
        summarise(scores.head(0))


def test_direction_is_the_side_of_the_last_reported_count():
    scores = table({"a": np.ones((1, 4))})
    scores = scores.assign(
        last_reported=100.0, observed=[90.0, 110.0, 90.0, 110.0], median=[95.0, 95.0, 99.0, 120.0]
    )
    assert summarise(scores)["direction"].iloc[0] == 0.75


@pytest.mark.parametrize("compare", [relative_skill, relative_to_baseline])
@pytest.mark.parametrize("block", [None, 64])
def test_an_interval_rests_on_what_the_model_shares_with_the_baseline(compare, block):
    """Also where every sample has some of it, as with a block of all 64 origins."""
    rng = np.random.default_rng(11)
    wis = {m: rng.gamma(9, 1, (64, 2)) for m in ("base", "short", "spread", "three", "whole")}
    wis["short"][8:] = np.nan  # eight origins in a row
    wis["three"][36:] = np.nan  # three years
    wis["spread"][np.arange(64) % 20 > 0] = np.nan  # four origins of four years
    got = compare(table(wis), "base", block=block).set_index("model")
    assert got["n_origins"].to_dict() == {
        "base": 64, "whole": 64, "three": 36, "short": 8, "spread": 4,
    }  # fmt: skip
    assert got["n_blocks"].to_dict() == {
        "base": 5, "whole": 5, "three": 3, "short": 1, "spread": 4,
    }  # fmt: skip
    known = got["lower"].notna() & got["upper"].notna()
    assert set(known[known].index) == {"base", "whole", "three"}
    value = "rel_skill" if compare is relative_skill else "ratio"
    assert got[value].notna().all()


@pytest.mark.parametrize("compare", [relative_skill, relative_to_baseline])
def test_to_a_baseline_without_error_all_else_is_infinite_and_itself_is_one(compare):
    rng = np.random.default_rng(12)
    wis = {"a": rng.gamma(9, 1, (12, 2)), "b": rng.gamma(9, 1, (12, 2)), "base": np.zeros((12, 2))}
    value = "rel_skill" if compare is relative_skill else "ratio"
    got = compare(table(wis), "base").set_index("model")
    assert got[value].to_dict() == {"a": np.inf, "b": np.inf, "base": 1.0}
    assert got.loc["base", ["lower", "upper"]].tolist() == [1.0, 1.0]
    both = compare(table({"a": np.zeros((12, 2)), "base": wis["base"]}), "base")
    assert both.set_index("model")[value].fillna(-1).to_dict() == {"a": -1.0, "base": 1.0}
    # Nothing in common with it: unknown, also of itself.
    del wis["base"]
    lost = compare(pd.concat([table(wis), table({"base": np.ones((12, 2))}, 9)]), "base",
                   by=["horizon"], bootstrap=0)  # fmt: skip
    assert lost.loc[lost["horizon"] == 1, value].isna().all()


def test_where_a_third_model_has_no_error_skill_is_unknown_but_ratios_are_not():
    rng = np.random.default_rng(13)
    wis = {"a": rng.gamma(9, 1, (12, 2)), "zero": np.zeros((12, 2)), "base": np.ones((12, 2))}
    got = skill(table(wis))
    assert got["base"] == 1.0
    assert got["zero"] == 0.0
    assert np.isnan(got["a"])
    simple = relative_to_baseline(table(wis), "base", bootstrap=0).set_index("model")["ratio"]
    assert simple["a"] == pytest.approx(wis["a"].mean())
    assert simple["zero"] == 0.0


def with_gaps() -> pd.DataFrame:
    """Scores of which some rows have no donor, and some no last reported count."""
    rng = np.random.default_rng(14)
    parts = []
    for donor in (None, "2024-01-10/abc"):
        wis = {m: rng.gamma(9, 1, (16, 3)) for m in ("a", "base")}
        parts.append(table(wis, horizon=2).assign(donor=donor))
    scores = pd.concat(parts, ignore_index=True)
    scores["last_reported"] = np.where(scores["location"] == "L0", np.nan, 900.0)
    scores["reported"] = scores["observed"] = scores["median"] = 900.0
    return scores.assign(rps=0.5, rps_pooled=1.0)


@pytest.mark.parametrize("by", [["size"], ["donor"], ["donor", "size", "horizon"]])
def test_no_row_is_lost_where_a_group_is_unknown(by):
    scores = with_gaps()
    got = summarise(scores, by=by, baseline="base")
    assert got["n_units"].sum() == len(scores)
    assert got["n_scorable"].sum() == len(scores)
    assert got["n_common"].sum() == len(scores)
    assert got[["wis", "rel_wis", "mae_reported"]].notna().all(axis=None)
    lost = got[got[by[0]].isna()]
    assert not lost.empty
    # Those of the unknown group are what they are by themselves.
    some = scores[scores["donor"].isna() if by[0] == "donor" else scores["last_reported"].isna()]
    if len(by) == 1:
        alone = summarise(some, baseline="base").set_index("model")
        np.testing.assert_allclose(lost.set_index("model")["wis"], alone["wis"])
        np.testing.assert_allclose(lost.set_index("model")["rel_wis"], alone["rel_wis"])
    else:
        assert got["rel_rps"].eq(0.5).all()
    related = relative_skill(scores, "base", by=by, bootstrap=0)
    assert related["n_units"].sum() == len(scores)
    tests = diebold_mariano(scores, "a", "base", by=by)
    assert tests["n_units"].sum() == len(scores) / 2
