"""Comparisons and summaries by hand: units missing, intervals, groups of origins, scenarios."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hub_tables import made
from panel_factory import bundled_panel, release_panel
from scipy import stats
from score_tables import scores_of

import odforecast as od
from odforecast import scoring as s
from odforecast.hub import check_hub, scenarios_to_hub
from odforecast.months import ONE_MONTH
from odforecast.scoring import per_100k, score_hub, summarise
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.pairs import _overlapping, cosine_test, default_block
from odforecast.scoring.summary import calibration, mark_plausible, nearest, plausibility
from odforecast.scoring.units import revised


def test_pairs_and_skill_by_hand_with_missing_units():
    # a misses the second origin, b the third.
    a, b, base = [1.0, np.nan, 3.0], [2.0, 8.0, np.nan], [4.0, 4.0, 4.0]
    scores = scores_of({m: np.c_[wis] for m, wis in (("a", a), ("b", b), ("base", base))})
    table = s.pairwise(scores)
    assert len(table) == 6
    want = {("a", "b"): (1, 1 / 2), ("a", "base"): (2, 4 / 8), ("b", "base"): (2, 10 / 8)}
    for (model, other), (n, ratio) in want.items():
        row, turned = pair(table, model, other), pair(table, other, model)
        assert (row["n_common"], row["n_origins"], row["ratio"]) == (n, n, ratio)
        assert (turned["n_common"], turned["ratio"]) == (n, pytest.approx(1 / ratio))
    ab, a_base, b_base = (ratio for _, ratio in want.values())
    theta = {
        "a": (1 * ab * a_base) ** (1 / 3),
        "b": (1 / ab * 1 * b_base) ** (1 / 3),
        "base": (1 / a_base * 1 / b_base * 1) ** (1 / 3),
    }
    frame = s.relative_skill(scores, "base", bootstrap=0).set_index("model")
    want = {model: value / theta["base"] for model, value in theta.items()}
    assert frame["rel_skill"].to_dict() == pytest.approx(want)
    assert frame["n_units"].to_dict() == {"a": 2, "b": 2, "base": 3}
    # Each model's own mean is over the units that it has: (1 + 3) / 2 and (2 + 8) / 2.
    assert frame["wis"].to_dict() == {"a": 2.0, "b": 5.0, "base": 4.0}
    assert frame["n_common"].to_dict() == {"a": 1, "b": 1, "base": 2}
    simple = s.relative_to_baseline(scores, "base", bootstrap=0).set_index("model")
    assert simple["ratio"]["b"] == pytest.approx(b_base)
    assert simple["n_common"]["b"] == 2


def test_rows_not_scorable_are_left_out_and_a_group_without_baseline_is_unknown():
    scores = scores_of({"a": np.full((2, 2), 1.0), "base": np.full((2, 2), 2.0)})
    scores.loc[(scores["model"] == "base") & (scores["location"] == "L1"), "scorable"] = False
    got = s.relative_skill(scores, "base", by=["location"], bootstrap=0)
    got = got.set_index(["location", "model"])
    skill = got["rel_skill"].xs("a", level="model")
    assert skill.to_dict() == pytest.approx({"L0": 0.5, "L1": np.nan}, nan_ok=True)
    assert got.loc[("L1", "base"), "n_units"] == 0


def test_intervals_come_from_origins_and_are_seeded():
    rng = np.random.default_rng(3)
    base = np.repeat(rng.gamma(2, 1, (24, 1)), 50, axis=1)
    scores = scores_of({"a": base * rng.lognormal(0, 0.5, (24, 1)), "base": base})
    both = (s.relative_skill(scores, "base", seed=1, block=1) for _ in range(2))
    one, two = (table.set_index("model") for table in both)
    pd.testing.assert_frame_equal(one, two)
    for compare in (s.relative_skill, s.relative_to_baseline):  # 90% where nothing else is said
        unsaid = compare(scores, "base", seed=1, block=1)
        pd.testing.assert_frame_equal(unsaid, compare(scores, "base", seed=1, block=1, level=0.9))
    low, high = one.loc["a", ["lower", "upper"]]
    assert low < one.loc["a", "rel_skill"] < high
    assert high / low > 1.2  # 1200 units, but only 24 origins
    assert one.loc["base", "lower"] == one.loc["base", "upper"] == 1.0


def test_default_block_covers_a_year_but_leaves_three():
    monthly = np.arange("2020-01", "2024-01", dtype="M8[M]").astype("M8[s]")
    some = (monthly, monthly[::3], monthly[:9], monthly[:1])
    assert [default_block(months) for months in some] == [12, 4, 3, 1]


def test_categories_and_text_give_the_same():
    scores = scores_of({"a": np.full((3, 2), 1.0), "base": np.full((3, 2), 2.0)})
    coded = scores.astype({"model": "category", "location": "category", "target": "category"})
    for compare in (s.relative_skill, partial(s.summarise, by=["location"])):
        one, other = (compare(table, baseline="base") for table in (scores, coded))
        pd.testing.assert_frame_equal(one, other, check_dtype=False, check_categorical=False)


@pytest.mark.parametrize("horizon", [1, 3])
def test_diebold_mariano_by_hand(horizon):
    noise = np.random.default_rng(7).normal(size=62)
    gap = noise[:-2] + noise[1:-1] + noise[2:]  # a moving average of three
    row = s.diebold_mariano(gap_scores(gap, horizon), "a", "b").iloc[0]
    d = gap - gap.mean()
    shared = 2 * (d[1:] @ d[:-1]) + 2 * (d[2:] @ d[:-2]) if horizon == 3 else 0.0
    correction = (60 + 1 - 2 * horizon + horizon * (horizon - 1) / 60) / 60
    want = gap.mean() / np.sqrt((d @ d + shared) / 60**2) * correction**0.5
    assert row["statistic"] == pytest.approx(want)
    assert row["difference"] == pytest.approx(gap.mean())
    assert (row["overlap"], row["n_origins"]) == (horizon, 60)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(want), 59))


@pytest.mark.parametrize(
    ("n", "keywords", "said"),
    [
        (5, {"horizon": 6}, "5 origins are too few: 13 needed"),
        (9, {"horizon": 1}, "same at every origin"),
        (29, {}, "29 origins within 29 months are too few: 30 months needed"),
        (7, {"step": 6}, "7 origins are too few: 8 needed"),
    ],
)
def test_diebold_mariano_says_why_there_is_no_answer(n, keywords, said):
    row = s.diebold_mariano(gap_scores(np.ones(n), **keywords), "a", "b").iloc[0]
    assert np.isnan(row["p_value"])
    assert said in row["note"]


def test_the_fewest_origins_of_a_test_are_enough():
    gap = np.random.default_rng(4).normal(size=13)
    row = s.diebold_mariano(gap_scores(gap, horizon=6), "a", "b").iloc[0]
    assert (row["note"], np.isfinite(row["p_value"])) == ("", True)
    row = s.diebold_mariano(gap_scores(gap[:8], step=6), "a", "b").iloc[0]
    assert (row["note"], np.isfinite(row["p_value"])) == ("", True)


def test_summary_counts_and_means():
    scores = scores_of({"a": np.array([[1.0, 3.0]]), "base": np.array([[4.0, 4.0]])})
    scores.loc[3, "scorable"] = False
    scores.loc[3, list(METRIC_COLUMNS)] = np.nan
    scores.loc[0, "crps"] = np.nan
    scores = scores.assign(
        last_reported=100.0, observed=[90.0, 110.0, 110.0, 90.0], median=[95.0, 95.0, 120.0, 99.0]
    )
    got = s.summarise(scores, baseline="base").set_index("model")
    assert got.index.tolist() == ["a", "base"]  # best first
    assert got.loc["base", ["n_units", "n_scorable", "n_not_scorable"]].tolist() == [2, 1, 1]
    assert got.loc["a", ["wis", "n_common", "coverage_90"]].tolist() == [2.0, 1, 2.0]
    assert got.loc["a", "rel_wis"] == pytest.approx(0.25)  # 1 / 4: the only unit both have
    assert np.isnan(got.loc["a", "crps"])  # some units lack it
    assert got["direction"].to_dict() == {"a": 0.5, "base": 1.0}  # the side of the last count


def test_summary_groups_in_order_and_models_best_first():
    wis = {"b": np.ones((2, 2)), "a": np.full((2, 2), 2.0)}
    scores = pd.concat([scores_of(wis, h) for h in (12, 1, 5, 13)], ignore_index=True)
    got = s.summarise(scores, by=["horizon_group", "regime"])
    groups = got["horizon_group"].astype(str).drop_duplicates().tolist()
    assert groups == ["1-3", "4-6", "7-12", "13+"]
    assert got["model"].tolist()[:2] == ["b", "a"]


def test_summary_of_nothing_scorable_keeps_its_rows():
    scores = scores_of({"a": np.ones((2, 2)), "base": np.ones((2, 2))}).assign(scorable=False)
    got = s.summarise(scores, by=["location"], baseline="base")
    assert (got["n_not_scorable"] == 2).all()
    assert got[["wis", "rel_wis"]].isna().all(axis=None)


@pytest.mark.parametrize("compare", [s.relative_skill, s.relative_to_baseline])
@pytest.mark.parametrize("block", [None, 64])
def test_an_interval_rests_on_what_the_model_shares_with_the_baseline(compare, block):
    rng = np.random.default_rng(11)
    wis = {m: rng.gamma(9, 1, (64, 2)) for m in ("base", "short", "spread", "three", "whole")}
    wis["short"][8:] = np.nan  # eight origins in a row
    wis["three"][36:] = np.nan  # three years
    wis["spread"][np.arange(64) % 20 > 0] = np.nan  # four origins of four years
    got = compare(scores_of(wis), "base", block=block).set_index("model")
    got = got.loc[["base", "whole", "three", "short", "spread"]]
    assert got["n_origins"].tolist() == [64, 64, 36, 8, 4]
    assert got["n_blocks"].tolist() == [5, 5, 3, 1, 4]
    known = got["lower"].notna() & got["upper"].notna()
    assert known.tolist() == [True] * 3 + [False] * 2
    assert got["rel_skill" if compare is s.relative_skill else "ratio"].notna().all()


@pytest.mark.parametrize("compare", [s.relative_skill, s.relative_to_baseline])
def test_to_a_baseline_without_error_all_else_is_infinite_and_itself_is_one(compare):
    rng = np.random.default_rng(12)
    wis = {"a": rng.gamma(9, 1, (12, 2)), "b": rng.gamma(9, 1, (12, 2)), "base": np.zeros((12, 2))}
    value = "rel_skill" if compare is s.relative_skill else "ratio"
    got = compare(scores_of(wis), "base").set_index("model")
    assert got[value].to_dict() == {"a": np.inf, "b": np.inf, "base": 1.0}
    assert got.loc["base", ["lower", "upper"]].tolist() == [1.0, 1.0]
    both = compare(scores_of({"a": np.zeros((12, 2)), "base": wis["base"]}), "base")
    assert both.set_index("model")[value].fillna(-1).to_dict() == {"a": -1.0, "base": 1.0}
    # Nothing in common with it: unknown, also of itself.
    del wis["base"]
    lost = compare(pd.concat([scores_of(wis), scores_of({"base": np.ones((12, 2))}, 9)]), "base",
                   by=["horizon"], bootstrap=0)  # fmt: skip
    assert lost.loc[lost["horizon"] == 1, value].isna().all()


def with_gaps() -> pd.DataFrame:
    rng = np.random.default_rng(14)
    parts = []
    for donor in (None, "2024-01-10/abc"):
        wis = {m: rng.gamma(9, 1, (16, 3)) for m in ("a", "base")}
        parts.append(scores_of(wis, horizon=2).assign(donor=donor))
    scores = pd.concat(parts, ignore_index=True)
    scores["last_reported"] = np.where(scores["location"] == "L0", np.nan, 900.0)
    scores["reported"] = scores["observed"] = scores["median"] = 900.0
    return scores.assign(rps=0.5, rps_pooled=1.0)


@pytest.mark.parametrize("by", [["size"], ["donor"], ["donor", "size", "horizon"]])
def test_no_row_is_lost_where_a_group_is_unknown(by):
    scores = with_gaps()
    got = s.summarise(scores, by=by, baseline="base")
    assert (got[["n_units", "n_scorable", "n_common"]].sum() == len(scores)).all()
    assert got[["wis", "rel_wis", "mae_reported"]].notna().all(axis=None)
    lost = got[got[by[0]].isna()]
    assert not lost.empty
    some = scores[scores["donor"].isna() if by[0] == "donor" else scores["last_reported"].isna()]
    if len(by) == 1:
        alone = s.summarise(some, baseline="base")
        names = ["model", "wis", "rel_wis"]
        pd.testing.assert_frame_equal(lost[names].reset_index(drop=True), alone[names])
        assert "rps" not in got  # of months ahead alone
    else:
        assert got["rel_rps"].eq(0.5).all()
    related = s.relative_skill(scores, "base", by=by, bootstrap=0)
    assert related["n_units"].sum() == len(scores)
    tests = s.diebold_mariano(scores, "a", "base", by=by)
    assert tests["n_units"].sum() == len(scores) / 2


def pair(table, model, other):
    return table[(table["model"] == model) & (table["other"] == other)].iloc[0]


def test_groups_of_origins_are_counted_and_few_give_no_interval():
    rng = np.random.default_rng(2)

    def made(n, **keywords):
        wis = {"a": rng.gamma(9, 1, (n, 2)), "b": rng.gamma(9, 2, (n, 2))}
        return pair(s.pairwise(scores_of(wis), **keywords), "a", "b")

    row = made(64)
    # Four months are left over: they belong to the fifth year.
    assert row["n_groups"] == row["n_better"] == 5
    assert row["lower"] < row["ratio"] < row["upper"] < 1
    few = made(30)  # a third of them is a group: three
    assert (few["n_groups"], np.isnan(few["lower"]), np.isfinite(few["ratio"])) == (3, True, True)
    assert made(30, block=5)["n_groups"] == 6


@pytest.mark.parametrize("n", [5, 6, 7, 8, 9, 12, 13, 14, 24, 25, 26, 35, 36, 37, 47, 48])
def test_what_is_left_over_is_no_group(n):
    rng = np.random.default_rng(n)
    wis = {"a": rng.gamma(9, 1, (n, 2)), "b": rng.gamma(9, 2, (n, 2))}
    row = pair(s.pairwise(scores_of(wis)), "a", "b")
    assert (row["n_groups"], row["n_origins"]) == (3 + (n == 48), n)
    assert np.isfinite(row["lower"]) == (n == 48)
    skill = s.relative_skill(scores_of(wis), "b").set_index("model")
    assert skill["n_blocks"].eq(row["n_groups"]).all()
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
    table = s.pairwise(scores)
    for related in (s.relative_to_baseline(scores, "a"), s.relative_skill(scores, "a")):
        related = related.set_index("model")
        # Of "few" one era has two releases, which say nothing about a third.
        for model, n, known in (("b", 7, True), ("few", 6, False), ("late", 4, True)):
            row = pair(table, model, "a")
            assert (row["n_donors"], related.loc[model, "n_donors"]) == (n, n)
            assert np.isfinite(row["lower"]) == np.isfinite(related.loc[model, "lower"]) == known


def test_a_model_that_won_one_long_spell_is_not_better_in_every_group():
    b = np.repeat([40.0, 9.0, 9.0, 9.0], 24).reshape(48, 2)  # one year of large errors
    row = pair(s.pairwise(scores_of({"a": np.full((48, 2), 10.0), "b": b})), "a", "b")
    assert row["ratio"] < 1
    assert (row["n_better"], row["n_groups"]) == (1, 4)
    assert row["upper"] > 1  # so it may be luck


def test_scales():
    rng = np.random.default_rng(4)
    scores = scores_of({"a": rng.gamma(9, 1, (8, 3)), "b": rng.gamma(9, 2, (8, 3))},
                       places=("US", "WY", "YC"))  # fmt: skip
    scores["log_wis"] = scores["wis"] ** 2
    logs = pair(s.pairwise(scores, scale="log"), "a", "b")
    natural = pair(s.pairwise(scores, metric="log_wis"), "a", "b")
    assert logs["ratio"] == natural["ratio"]
    assert (logs["scale"], logs["metric"]) == ("log", "wis")
    rates = pair(s.pairwise(scores, scale="per_100k"), "a", "b")
    assert rates["n_common"] == 8  # of Wyoming: the city has no population of its own
    wyoming = s.per_100k(scores[scores["location"] == "WY"]).groupby("model")["wis"].sum()
    assert rates["ratio"] == pytest.approx(wyoming["a"] / wyoming["b"])


def test_results_and_a_single_name_are_taken():
    rng = np.random.default_rng(0)
    scores = scores_of({m: rng.gamma(9, 1, (12, 2)) for m in ("a", "b")}, horizon=3)
    held = SimpleNamespace(scores=scores)
    for compare in (
        s.pairwise,
        s.summarise,
        partial(s.relative_skill, baseline="b"),
        partial(s.relative_to_baseline, baseline="b"),
        lambda x, **keywords: s.diebold_mariano(x, "a", "b", **keywords),
    ):
        pd.testing.assert_frame_equal(compare(held), compare(scores))
        pd.testing.assert_frame_equal(compare(scores, by="level"), compare(scores, by=("level",)))


def overlapping(rng, n_series, n_months, horizon=12):
    """Series whose neighbors share all but one of their months: MA(horizon - 1)."""
    noise = rng.standard_normal((n_series, n_months + horizon - 1))
    total = np.pad(noise, ((0, 0), (1, 0))).cumsum(axis=1)
    return total[:, horizon:] - total[:, :-horizon]


def test_cosines_by_hand():
    """Lazarus, Lewis, Stock and Watson (2018), equations 10 and 11."""
    x = np.random.default_rng(3).normal(1, 2, 64)
    t = (np.arange(1, 65) - 0.5) / 64
    averages = [np.sqrt(2 / 64) * (np.cos(np.pi * j * t) * x).sum() for j in range(1, 5)]
    want = x.mean() / np.sqrt(np.mean(np.square(averages)) / 64)
    got = cosine_test(x, np.arange(64), horizon=12)
    values = (got.df, got.statistic, got.critical, got.p_value)
    assert values == pytest.approx((4, want, 2.776445, 2 * stats.t.sf(abs(want), 4)))


@pytest.mark.parametrize(("n_months", "most"), [(36, 0.095), (64, 0.085), (96, 0.085)])
def test_the_size_under_overlap(n_months, most):
    """Of errors equal on average: nominal 5%; normal critical values find a fifth and more."""
    months = np.arange(n_months)
    x = overlapping(np.random.default_rng(5), 1000, n_months)
    usual = [_overlapping(row, months, 12, 12).statistic for row in x[:400]]
    usual = np.mean(np.abs(usual) > 1.96)
    fixed = np.mean([cosine_test(row, months, 12).p_value < 0.05 for row in x])
    assert fixed < most
    assert usual > fixed + 0.03


def gap_scores(gap, horizon=12, step=1):
    wis = {"a": 100.0 + np.asarray(gap)[:, None], "b": np.full((len(gap), 1), 100.0)}
    return scores_of(wis, horizon, ("US",), "2018-01", step)


def test_the_method_follows_from_the_horizon():
    gap = overlapping(np.random.default_rng(7), 1, 64)[0]

    def tested(horizon=12, **keywords):
        return s.diebold_mariano(gap_scores(gap, horizon), "a", "b", **keywords).iloc[0]

    near, far = tested(6), tested(7)
    assert (near["method"], near["df"]) == ("overlap", 63)
    assert (far["method"], far["df"]) == ("cosine", 6)
    want = cosine_test(gap, np.arange(64), 7)
    values = far[["statistic", "p_value", "critical"]].tolist()
    assert values == pytest.approx([want.statistic, want.p_value, want.critical])
    assert tested(method="overlap")["overlap"] == 12


def test_origins_half_a_year_apart_span_as_many_months():
    gap = np.random.default_rng(8).normal(size=12)
    row = s.diebold_mariano(gap_scores(gap, step=6), "a", "b").iloc[0]
    assert (row["overlap"], row["df"]) == (2, min(int(0.8 * 72 / 12), int(0.4 * 12 ** (2 / 3))))


def held(*spans: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(spans, columns=["scenario_id", "first_month", "last_month"])
    for column in ("first_month", "last_month"):
        table[column] = pd.to_datetime(table[column], format="ISO8601")
    return table


def units(name: str, horizons, target="deaths_month", last="2023-12", **columns) -> pd.DataFrame:
    months = np.datetime64(last, "M") + np.asarray(horizons).astype("timedelta64[M]")
    given = {"scenario_id": name, "model": "m", "location": "US", "target": target}
    given |= {"horizon": horizons, "month": months.astype("datetime64[s]"), "scorable": True}
    table = pd.DataFrame(dict.fromkeys(METRIC_COLUMNS, np.nan) | given | columns)
    return table.assign(as_of=pd.Timestamp("2024-05-15"))


def test_a_month_is_plausible_if_it_held():
    scores = units("shock", [-1, 0, 1, 2, 3, 4])
    spans = held(("shock", "2024-02", "2024-03"), ("null", "2020-01", "2030-01"))
    got = mark_plausible(scores, spans)
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
    # The same months of another place are the same months.
    kinds = [units("null", range(6)), *(units("shock", range(6), location=s) for s in ("US", "OH"))]
    scores = pd.concat(kinds, ignore_index=True)
    scores.loc[scores["horizon"] == 5, "scorable"] = False
    spans = held(("shock", "2024-02", "2024-02"), ("shock", "2024-04", "2024-09"))
    table = plausibility(mark_plausible(scores, spans)).set_index("scenario_id")
    rows = table.loc[["null", "shock"], ["months", "plausible", "share"]]
    assert rows.to_numpy().tolist() == [[4, 0, 0.0], [4, 2, 0.5]]
    assert pd.isna(table.loc["null", "first"])
    ends = table.loc["shock", ["first", "last"]].tolist()
    assert ends == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-04-01")]


def test_calibration_by_hand():
    null = units("null", range(5), wis=[99.0, 1, 2, 3, 6], cover_95=[0.0, 1, 1, 0, 0])
    shock = units("shock", range(5), wis=[99.0, 4, 4, 2, 2], cover_95=[0.0, 0, 1, 1, 1])
    scores = pd.concat([null, shock], ignore_index=True)
    whole = calibration(scores)
    assert whole["months"].tolist() == ["all", "all"]
    marked = mark_plausible(scores, held(("null", "2024-01", "2024-03")))
    table = calibration(marked).set_index(["scenario_id", "months"])
    assert table["level"].unique().tolist() == ["nation"]
    rows = [(name, months) for name in ("null", "shock") for months in ("plausible", "all")]
    got = table.loc[rows, ["n_scorable", "wis", "coverage_95"]].astype(float)
    want = [(3, 2.0, 2 / 3), (4, 3.0, 0.5), (0, np.nan, np.nan), (4, 3.0, 0.75)]
    np.testing.assert_allclose(got, want)
    all_of_it = whole.set_index("scenario_id")[["wis", "coverage_95"]]
    want = table.xs("all", level="months")[["wis", "coverage_95"]]
    pd.testing.assert_frame_equal(all_of_it, want)


def test_the_nearest_scenario_by_hand():
    wis = {"null": [0.0, 1, 2, 3, 0], "shock": [9.0, 1, 1, 1], "boom": [9.0, 8, 9, 1]}
    parts = [units(name, range(len(x)), wis=x) for name, x in wis.items()]
    scores = pd.concat(parts, ignore_index=True)
    table = nearest(scores).set_index("scenario_id")
    # Three months all have; the month up to the last known one counts for nobody.
    assert table["n_common"].tolist() == [3, 3, 3]
    assert list(table["wis"].items()) == [("shock", 1.0), ("null", 2.0), ("boom", 6.0)]
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


PLACES = ("US", "OH", "AZ", "WV", "WY")


@pytest.fixture(scope="module")
def release():
    """A release whose last three counts lack 5, 2 and 1%, and Wyoming's nothing."""
    whole = release_panel()
    reported = whole.reported.copy()
    reported[:-1, -3:] = np.round(reported[:-1, -3:] * [0.99, 0.98, 0.95])
    return replace(whole, reported=reported, low=None, high=None)


@pytest.fixture(scope="module")
def scores(release) -> pd.DataFrame:
    months = release.monthly[:, -12:]
    late = np.random.default_rng(5).gamma(2.0, 0.01, (80, len(PLACES), 14))
    paths = np.concatenate([months, months[:, :2]], axis=1) * (1 + late)
    first = release.last_month - 11 * ONE_MONTH
    forecast = od.Forecast.from_panel(release, paths, PLACES, first_month=first)
    table = od.score(forecast, od.Truth(bundled_panel()))
    return table.assign(model="late", as_of=pd.Timestamp(release.as_of), vintage="real")


def test_reported_is_what_the_release_itself_said(scores, release):
    now = scores[scores["horizon"] <= 0]
    assert np.array_equal(now["reported"], release.reported[:, -12:].ravel())
    ahead = scores[scores["horizon"] > 0]
    assert ahead["reported"].isna().all()
    assert not ahead["revised"].any()
    assert scores["revised"].dtype == bool
    for state in ("US", "OH"):
        rows = now[now["location"] == state]
        assert rows["revised"].tolist() == [False] * 9 + [True] * 3
    moved = revised([8, 9, 99_799, 5, 0], [10, 10, 1e5, np.nan, 0])
    assert moved.tolist() == [True, False, True, False, False]


def test_the_summary_relates_to_the_revision(scores):
    board = summarise(scores, by=["level", "horizon_group"]).set_index(["level", "horizon_group"])
    us = scores[(scores["location"] == "US") & (scores["horizon"] <= 0)]
    row = board.loc[("nation", "nowcast")]
    moved = (us["observed"] - us["reported"]).abs()
    assert row["mae_reported"] == pytest.approx(moved.mean())
    assert row["rel_wis_reported"] == pytest.approx(us["wis"].mean() / moved.mean())
    assert row["n_revised"] == 3
    assert row["coverage_90_revised"] == pytest.approx(us[us["revised"]]["cover_90"].mean())
    ahead = board.loc[("nation", "1-3")]
    assert ahead[["mae_reported", "rel_wis_reported", "coverage_90_revised"]].isna().all()
    assert ahead["n_revised"] == 0
    # A forecast without spread at the reported count has WIS equal to the revision.
    stays = scores.assign(wis=(scores["observed"] - scores["reported"]).abs())
    board = summarise(stays, by=["horizon_group"]).set_index("horizon_group")
    assert board.loc["nowcast", "rel_wis_reported"] == pytest.approx(1.0)


def test_per_100000_residents_the_same_counts_are_revised(scores):
    states = scores[scores["location"].isin(["OH", "WY"])]
    rates = per_100k(states)
    row = states.index[0]
    factor = rates.loc[row, "observed"] / states.loc[row, "observed"]
    assert rates.loc[row, "reported"] == pytest.approx(states.loc[row, "reported"] * factor)
    by = ["location", "horizon_group"]
    one, other = (summarise(x, by=by).set_index(by) for x in (states, rates))
    assert (one["n_revised"] == other["n_revised"]).all()
    assert other.loc[("OH", "nowcast"), "direction"] == one.loc[("OH", "nowcast"), "direction"]
