"""Joint scores: sums of draws, paths, the control that is shuffled; scores of trend and turn."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from score_tables import counts_panel

import odforecast as od
from odforecast import scoring as s
from odforecast.forecast.trend import CATEGORIES, category, thresholds
from odforecast.geography import JURISDICTIONS, REGIONS, parts_of
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, LOCATION, MONTH
from odforecast.scoring import energy_score, joint_scores, joint_summary
from odforecast.scoring.columns import regions, size_classes
from odforecast.scoring.joint import JOINT_COLUMNS, counted, shuffled
from odforecast.scoring.trend import chances, pooled_turns
from odforecast.seeds import Streams, seed_from

PLACES = tuple(JURISDICTIONS)
MONTHS = np.arange("2018-01", "2022-01", dtype="datetime64[M]")
LAST = np.datetime64("2020-12")
ORIGIN = dt.date(2021, 5, 12)


def panel_of(counts, as_of=dt.date(2023, 6, 14), places=PLACES, months=MONTHS):
    return counts_panel(counts, places, months, as_of)


def forecast_of(draws, known, places=PLACES, joint=(LOCATION, MONTH), first=1):
    """A forecast of 12-month counts (D, L, 12) made at the origin from what was known."""
    seen = LAST - ONE_MONTH * np.arange(known.shape[1])[::-1]
    return od.Forecast(
        draws=draws, locations=places, months=LAST + ONE_MONTH * np.arange(first, 13),
        known=np.full((len(places), 11), np.nan), as_of=ORIGIN, last_month=LAST,
        target="deaths_12mo", joint=frozenset(joint), provenance={"model": "made"},
        panel=panel_of(known, ORIGIN, places, seen),
    )  # fmt: skip


def world(seed, n=400):
    """Counts that are one draw of the very forecast: (draws, truth's panel, known)."""
    rng, base = np.random.default_rng(seed), 500.0 + 20.0 * np.arange(len(PLACES))
    known = np.repeat(base[:, None], 36, axis=1)

    def paths(size):
        common, own = (rng.normal(size=(size, k, 12)) for k in (1, len(PLACES)))
        return base[:, None] * np.exp(0.02 * (common + own).cumsum(axis=2))

    return paths(n), panel_of(np.concatenate([known, paths(1)[0]], axis=1)), known


def scored(seed, n=400, **keywords):
    draws, truth, known = world(seed, n)
    table = joint_scores(forecast_of(draws, known, **keywords), od.Truth(truth))
    return table, draws, truth, known


def energies(table, control=False):
    rows = table[(table["statistic"] == "energy") & (table["control"] == control)]
    return rows.set_index(["place", "horizon"])


def test_the_control_keeps_every_place_as_it_is():
    draws, _, _ = world(3)
    streams = Streams(1, "states", "all-drugs", "2020-12")
    mixed = shuffled(draws, PLACES, streams)
    np.testing.assert_array_equal(np.sort(mixed[:, :, 3], axis=0), np.sort(draws[:, :, 3], axis=0))
    # Whole paths: each one of a place is one of that place's.
    paths = {tuple(p) for p in draws[:, 7]}
    assert {tuple(p) for p in mixed[:, 7]} == paths
    # Each place has its own stream, whichever others are there, in whatever order.
    some = shuffled(draws[:, [9, 2]], [PLACES[9], PLACES[2]], streams)
    np.testing.assert_array_equal(some, mixed[:, [9, 2]])
    after, before = (np.corrcoef(x[:, 0, 11], x[:, 1, 11])[0, 1] for x in (mixed, draws))
    assert abs(after) < 0.2 < before


def test_sums_by_hand():
    table, draws, truth, _ = scored(4)
    west, levels = [PLACES.index(place) for place in parts_of("West")], list(od.names.HUB_QUANTILES)
    rows = table[(table["statistic"] == "sum") & (table["place"] == "West")]
    rows = rows[rows["horizon"] == 5].set_index("control")
    observed = truth.reported[west, 40].sum()
    # The control adds up paths that are shuffled apart in each place.
    mixed = shuffled(draws, PLACES, Streams(1, "states", ALL_DRUGS, "2020-12"))
    for control, paths in ((False, draws), (True, mixed)):
        row, summed = rows.loc[control], paths[:, west, 4].sum(axis=1)
        assert row["observed"] == pytest.approx(observed)
        assert row["n_places"] == len(west)
        assert row["median"] == pytest.approx(np.median(summed))
        quantiles = np.quantile(summed, levels)
        want = s.weighted_interval_score(quantiles, levels, observed).total
        assert row["score"] == pytest.approx(float(want))
        low, high = np.quantile(summed, [0.05, 0.95])
        assert row["cover_90"] == float(low <= observed <= high)
        assert abs(row["pit"] - (summed < observed).mean()) < 0.01


def test_energies_are_on_logs_and_of_places_horizons_and_both():
    table, draws, truth, _ = scored(5, n=60)  # all pairs are taken
    rows = energies(table)
    logs, y, i = np.log1p(draws), np.log1p(truth.reported[:, 36:]), PLACES.index("OH")
    for at, want in (
        (("all", 3), energy_score(logs[:, :, 2], y[:, 2])),
        (("all", -1), energy_score(logs.reshape(60, -1), y.ravel())),
        (("OH", -1), energy_score(logs[:, i], y[i])),
    ):
        assert rows["score"][at] == pytest.approx(float(want))
    assert rows["n_months"]["OH", -1] == 12
    assert np.isnat(rows["month"]["OH", -1].to_datetime64())


def test_statistics_of_paths_by_hand():
    table, draws, truth, known = scored(6)
    i = PLACES.index("WV")
    mine = table[(table["place"] == "WV")].set_index("statistic")
    before, counts = known[i, 24:36], truth.reported[i]
    rise = (draws[:, i] - before).max(axis=1)
    fall, moved = (draws[:, i] - before).min(axis=1), counts[36:] - before
    for name, drawn, came in (("rise", rise, moved.max()), ("fall", fall, moved.min())):
        got = mine.loc[f"largest_{name}", ["median", "observed"]].tolist()
        assert got == pytest.approx([np.median(drawn), came])
    peak = draws[:, i].argmax(axis=1)
    came = counts[36:].argmax()
    assert mine.loc["peak_month", "observed"] == came + 1
    share = (peak == came).mean()
    assert mine.loc["peak_month", "log_score"] == pytest.approx(-np.log(share))
    below = np.array([(peak <= k).mean() for k in range(11)])
    want = ((below - (came <= np.arange(11))) ** 2).sum() / 11
    assert mine.loc["peak_month", "score"] == pytest.approx(want)


def test_a_count_that_the_year_before_lacks_costs_its_own_rows_alone():
    whole, draws, truth, known = scored(4, n=30)
    known[0, -8] = np.nan
    lost = joint_scores(forecast_of(draws, known), od.Truth(truth))
    of_change = lost["statistic"].isin(["largest_rise", "largest_fall", "turn"])
    why = lost.loc[of_change & (lost["place"] == PLACES[0]), "reason"].tolist()
    assert why == ["a count of the year before is not known"] * 2 + [""] + why[:1] * 2
    others = ~of_change | ~lost["place"].isin([PLACES[0], "US", *REGIONS])
    pd.testing.assert_frame_equal(lost[others], whole[others])


def test_draws_that_are_not_joint_are_not_added():
    apart, *_ = scored(8, joint=[MONTH])
    sums = apart[apart["place"].isin(["US", "all", *REGIONS])]
    assert set(sums["reason"]) == {"the draws are not joint over places"}
    assert not sums["scorable"].any()
    assert sums[["score", "median", "cover_90", "pit"]].isna().all(axis=None)
    assert not apart["control"].any()
    own = apart[apart["place"] == "OH"]
    assert own["scorable"].all()  # a place's own path is joint over months
    months, *_ = scored(8, joint=[LOCATION])
    path = months[months["statistic"] == "peak_month"]
    assert set(path["reason"]) == {"the draws are not joint over months"}
    assert months[(months["statistic"] == "sum")]["scorable"].all()
    both = months[(months["statistic"] == "energy") & (months["horizon"] == -1)]
    assert not both["scorable"].any()


def test_a_sum_needs_all_its_parts():
    draws, truth, known = world(9)
    counts = np.array(truth.reported)
    counts[PLACES.index("OH"), 40] = np.nan  # a month of a state was not published
    table = joint_scores(forecast_of(draws, known), od.Truth(panel_of(counts)))
    sums = table[(table["statistic"] == "sum") & ~table["control"]]
    lost = sums[~sums["scorable"]]
    assert set(zip(lost["place"], lost["horizon"])) == {("US", 5), ("Midwest", 5)}
    assert lost["reason"].str.contains("not published").all()
    energy = table[(table["statistic"] == "energy") & (table["place"] == "all")]
    at = energy[~energy["control"]].set_index("horizon")["n_places"]
    assert (at[4], at[5], at[-1]) == (52, 51, 51)
    few = tuple(place for place in PLACES if place != "TX")
    keep = [PLACES.index(place) for place in few]
    table = joint_scores(forecast_of(draws[:, keep], known[keep], few), od.Truth(truth))
    south = table[(table["statistic"] == "sum") & (table["place"] == "South")]
    assert set(south["reason"]) == {"1 of its 17 parts are not forecast"}


def test_columns_types_seeds_and_an_empty_table(panel):
    draws, truth, known = world(11, n=80)
    made = forecast_of(draws, known)
    table = joint_scores(made, od.Truth(truth), horizons=[3, 12])
    assert tuple(table) == JOINT_COLUMNS
    assert set(table.loc[table["statistic"] == "sum", "horizon"]) == {3, 12}
    assert table.equals(joint_scores(made, od.Truth(truth), horizons=[3, 12]))
    other = joint_scores(made, od.Truth(truth), seed=2, horizons=[3, 12])
    plain = ~table["control"]
    sums = table["statistic"] == "sum"
    np.testing.assert_array_equal(table["score"][plain & sums], other["score"][plain & sums])
    assert (table["score"][~plain & sums] != other["score"][~plain & sums]).all()
    nation = od.get_model("drift").fit(panel.cut("2022-06").select("US")).forecast(draws=20)
    none = joint_scores(nation, od.Truth(panel))
    assert none.empty
    assert none.dtypes.astype(str).to_dict() == table.dtypes.astype(str).to_dict()


def test_a_summary_stands_beside_its_control():
    scores, *_ = scored(12)
    table = joint_summary(scores.assign(model="made"))
    assert table["model"].unique().tolist() == ["made"]
    table = table.set_index(["statistic", "extent"])
    nation = scores[(scores["statistic"] == "sum") & (scores["place"] == "US")]
    means = nation.groupby("control")["score"].mean()
    got = table.loc[("sum", "nation"), ["score", "control_score", "ratio", "n_places"]].tolist()
    assert got == pytest.approx([means[False], means[True], means[False] / means[True], 52])
    assert np.isnan(table.loc[("peak_month", "places"), "control_score"])
    by = joint_summary(scores, by=["horizon_group"])
    assert by["horizon_group"].astype(str).unique().tolist() == ["1-3", "4-6", "7-12", "path"]
    months = by[(by["statistic"] == "sum") & (by["extent"] == "nation")]
    assert months["n_units"].tolist() == [3, 3, 6]


def test_a_model_does_not_choose_the_places_it_is_scored_on():
    draws, truth, known = world(13)
    plain = energies(joint_scores(forecast_of(draws, known), od.Truth(truth)))
    draws = np.array(draws)
    draws[7, PLACES.index("OH"), 4] = -0.5  # not even a whole death
    draws[8, PLACES.index("WY"), 4] = -3.0
    draws[8, PLACES.index("WY"), 8] = -3.0
    table = joint_scores(forecast_of(draws, known), od.Truth(truth))
    for control in (False, True):
        rows = energies(table, control)
        assert rows["n_places"].loc["all"].eq(52).all()
        lost = rows[~rows["scorable"]]
        over = {("all", 5), ("all", 9), ("all", -1)}
        assert set(lost.index) == over | (set() if control else {("OH", -1), ("WY", -1)})
        assert lost["score"].isna().all()
        why = lost["reason"]
        assert why["all", 5] == "a draw is below zero: it has no log: OH and 1 more"
        assert why["all", 9] == "a draw is below zero: it has no log: WY"
    assert energies(table)["reason"]["OH", -1] == "a draw is below zero: it has no log"
    rows, others = energies(table), [("all", 4), ("TX", -1)]
    assert rows["score"][others].equals(plain["score"][others])
    assert table.loc[table["statistic"] == "sum", "scorable"].all()  # deaths can be added
    counts = np.array(truth.reported)
    counts[[PLACES.index("OH"), PLACES.index("WY")], 40] = np.nan
    rows = energies(joint_scores(forecast_of(draws, known), od.Truth(panel_of(counts))))
    assert rows.loc[("all", 5), ["scorable", "n_places"]].tolist() == [True, 50]


def test_draws_that_lie_beside_their_like_are_mixed_before_pairs_are_taken():
    """A blend of two models has one's draws before the other's: neighbors are alike."""
    _, truth, known = world(15)
    blend = np.repeat(known[None, :, :12], 1000, axis=0)
    blend[500:] *= 2.0
    blend *= np.random.default_rng(16).lognormal(0, 0.01, blend.shape)
    rows = energies(joint_scores(forecast_of(blend, known), od.Truth(truth)))
    exact = energy_score(np.log1p(blend[:, :, 2]), np.log1p(truth.reported[:, 38]))
    assert rows["score"]["all", 3] == pytest.approx(float(exact), rel=0.02)


def test_the_pit_lies_between_the_draws():
    draws = np.array([1.0, 2.0, 2.0, 3.0])[:, None].repeat(3, axis=1)
    labels = [("low",), ("high",), ("tie",)]
    u = [seed_from("joint-pit", *label) / 2.0**63 for label in labels]
    got = counted(draws, np.array([0.0, 9.0, 2.0]), labels)["pit"]
    np.testing.assert_allclose(got, [u[0] / 5, (4 + u[1]) / 5, (1 + 3 * u[2]) / 5])
    assert 0 < got[0] < 0.2 < 0.8 < got[1] < 1  # below or above all: never 0 or 1 for certain


def test_models_on_other_places_are_not_put_side_by_side():
    """The same draws on 46 places have a smaller energy score than on 52."""
    whole, draws, truth, known = scored(19, n=80)
    few, whole = PLACES[:46], whole.assign(model="whole")
    part = joint_scores(forecast_of(draws[:, :46], known[:46], few), od.Truth(truth))
    part = part.assign(model="part")
    alone = joint_summary(part).set_index(["statistic", "extent"])
    assert np.isfinite(alone.loc[("energy", "all"), "score"])
    both = joint_summary(pd.concat([part, whole], ignore_index=True))
    both = both.set_index(["model", "statistic", "extent"])
    for extent in ("all", "both"):
        row = both.loc[("part", "energy", extent)]
        assert row[["score", "control_score"]].isna().all()
        says = row[["n_scorable", "n_places", "reason"]].tolist()
        assert says == [0, 46, "46 places, where another model has 52"]
        kept = both.loc[("whole", "energy", extent)]
        want = joint_summary(whole).set_index(["statistic", "extent"])["score"]
        assert kept["score"] == want["energy", extent]
    assert both.loc[("part", "energy", "places"), "n_scorable"] == 46  # each by itself
    chosen = forecast_of(draws, known).select(list(few))
    again = joint_scores(chosen, od.Truth(truth)).assign(model="whole")
    both = joint_summary(pd.concat([part, again], ignore_index=True))
    rows = both[(both["statistic"] == "energy") & (both["extent"] == "all")]
    assert rows["score"].notna().all()


def test_ranked_probabilities_by_hand():
    # Cumulative .1 .3 .6 .9 against 0 0 1 1: (.01 + .09 + .16 + .01) / 4.
    assert np.isclose(s.ranked_probability_score([0.1, 0.2, 0.3, 0.3, 0.1], 2), 0.27 / 4)
    assert s.ranked_probability_score([1.0, 0, 0, 0, 0], 4) == 1.0
    assert np.isnan(s.ranked_probability_score([1.0, 0, 0, 0, 0], -1))
    assert np.isnan(s.ranked_probability_score([np.nan] * 5, 0))


def test_pooled_frequencies_are_of_settled_counts_alone(panel):
    share = s.pooled_frequencies(panel)
    found = []
    until = np.datetime64("2024-12")  # final by the calendar, later than 12 months old
    assert panel.final_through == until
    for counts in np.delete(panel.reported, panel.index("US"), axis=0):
        for before, later in zip(counts, counts[12:][panel.months[12:] <= until]):
            found.append(int(category(later - before, before, thresholds(before)[0])))
    found = [k for k in found if k >= 0]
    assert np.allclose(share, np.bincount(found, minlength=5) / len(found))


def came_at(panel, row, place, month):
    """The category that came, by the threshold of a row of the trend's table."""
    later, before = (
        panel.reported[panel.index(place), panel.months == m][0]
        for m in (month, month - 12 * ONE_MONTH)
    )
    return int(category(later - before, before, row["t1"]))


def test_scores_are_those_of_the_trend_table(panel):
    known = panel.cut("2022-06")
    made = od.get_model("dlm").fit(known).forecast(until="2023-12", draws=100)
    scores = od.score(made, od.Truth(panel)).set_index(["location", "horizon"])
    trend = made.trend().set_index(["location", "horizon"])
    pooled = s.pooled_frequencies(known)
    for at in (("OH", 1), ("WY", 7), ("US", 12)):
        row, got = trend.loc[at], scores.loc[at]
        came = came_at(panel, row, at[0], known.last_month + at[1] * ONE_MONTH)
        given = row[list(CATEGORIES)].to_numpy(dtype=float)
        assert np.isclose(got["rps"], s.ranked_probability_score(given, came))
        assert np.isclose(got["rps_pooled"], s.ranked_probability_score(pooled, came))
    there = scores["rps"].notna().groupby("horizon").all()
    assert there.to_dict() == {h: h <= 12 for h in range(1, 19)}


def test_the_threshold_is_that_of_the_origin_not_of_the_outcome(panel):
    """Where the origin saw next to nothing, a rise by a third is no large one."""
    known, month = panel.cut("2022-06"), np.datetime64("2023-06", "M")
    low = known.reported.copy()
    low[known.index("OR"), -12:] = 2.0
    made = od.get_model("naive").fit(known).forecast(draws=100).select("Oregon")
    made = replace(made, panel=replace(known, reported=low, low=low, high=low), beside={})
    row = made.trend().set_index("horizon").loc[12]
    assert (row["before"], row["t1"]) == (2.0, 128.0)
    before = panel.reported[panel.index("OR"), panel.months == month - 12 * ONE_MONTH][0]
    own = {"t1": thresholds(before)[0]}
    came = came_at(panel, row, "OR", month)
    assert (came, came_at(panel, own, "OR", month)) == (2, 4)
    rps = od.score(made, od.Truth(panel)).set_index("horizon").loc[12, "rps"]
    given = row[list(CATEGORIES)].to_numpy(dtype=float)
    assert np.isclose(rps, s.ranked_probability_score(given, came))


def test_the_comparison_hangs_on_the_whole_panel_not_on_what_was_selected(panel):
    known, truth, model = panel.cut("2022-06"), od.Truth(panel), od.get_model("naive")
    alone = model.fit(known.select("Ohio")).forecast(draws=50)
    whole = model.fit(known).forecast(draws=50).select("Ohio")
    of_whole = s.trend_scores(whole, truth)
    assert s.trend_scores(alone, truth, known).equals(of_whole)
    assert not s.trend_scores(alone, truth).equals(of_whole)


TWO = ("OH", "WV")


def counts_of(ohio, wv):
    """Counts of 36 months: flat at 1,000 in 2019, then as said."""
    return np.stack([np.r_[np.full(12, 1000.0), x] for x in (ohio, wv)])


def turning_of(draws, known, counts, **keywords):
    made = forecast_of(draws, known, TWO, **keywords)
    return s.turning_scores(made, od.Truth(panel_of(counts, places=TWO, months=MONTHS[12:])))


RISING = np.r_[1000.0 + 10 * np.arange(1, 13), 1120 - 20.0 * np.arange(1, 13)]
STILL = np.r_[np.full(12, 1100.0), 1100 + 5.0 * np.arange(1, 13)]


def test_turns_by_hand():
    counts = counts_of(RISING, STILL)
    # Ohio: changes on a year earlier in 2021 are 1100 - 1010 = 90, 1080 - 1020 = 60 … 1040 - 1040
    # = 0 in April (no rise), so it has turned from four months ahead on; West Virginia never.
    draws = np.repeat(counts[None, :, 24:], 4, axis=0)
    draws[0, 0] = 2000.0  # one of four draws of Ohio rises on
    table = turning_of(draws, counts[:, :24], counts)
    ohio, wv = (table[table["location"] == place] for place in TWO)
    for name, value in {"turned": 1.0, "chance": 0.75, "brier": 0.0625}.items():
        assert ohio.sort_values("horizon")[name].tolist() == [0.0] * 3 + [value] * 9
    assert (wv[["turned", "chance"]] == 0).all(axis=None)
    assert table["pooled"].notna().any()
    np.testing.assert_allclose(table["brier_pooled"], (table["pooled"] - table["turned"]) ** 2)


def test_the_direction_at_the_origin_is_that_of_each_draw():
    """Where the last months are completed, a draw's own count says which way it was going."""
    counts = counts_of(RISING, STILL)
    late = counts[:, :24] * 1.0
    late[0, -1] = 980.0  # as reported then: it looked like a fall
    nowcast = np.repeat(counts[None, :, 23:], 2, axis=0)  # the final count of December, then 2021
    seen = turning_of(nowcast, late, counts, first=0)
    blind = turning_of(nowcast[:, :, 1:], late, counts)
    for table, want in ((seen, (0.0, 0.0, 0.0)), (blind, (1.0, 0.0, 1.0))):
        row = table[(table["location"] == "OH") & (table["horizon"] == 1)].iloc[0]
        assert (row["chance"], row["turned"], row["brier"]) == want


def test_what_is_unknown_stays_unknown():
    counts = counts_of(RISING, STILL)
    counts[0, 27] = np.nan
    draws = np.repeat(np.nan_to_num(counts[None, :, 24:], nan=1000.0), 3, axis=0)
    table = turning_of(draws, counts[:, :24], counts)
    ohio = table[table["location"] == "OH"]
    assert ohio["brier"].isna().tolist() == [False] * 3 + [True] * 9
    lost = chances(np.array([[np.nan], [1.0]]), np.ones((2, 1, 3)))
    assert np.isnan(lost).all()


def test_pooled_turns_by_hand_and_blind_to_what_is_not_settled():
    counts = counts_of(RISING, STILL)
    changes = counts[:, 12:] - counts[:, :-12]
    windows = [(row[t], row[t + 1 : t + 4]) for row in changes for t in range(24 - 3)]
    want = np.mean([((later > 0) != (first > 0)).any() for first, later in windows])

    def pooled(counts, as_of=dt.date(2023, 6, 14)):
        return pooled_turns(panel_of(counts, as_of, TWO, MONTHS[12:]), np.array([3, 30]))

    got = pooled(counts)
    assert got[0] == pytest.approx(want)
    assert np.isnan(got[1])
    shorter = np.array(counts)
    shorter[:, 30:] = 0.0
    young = dt.date(2022, 6, 15)  # settled until June 2021
    assert pooled(counts, young)[0] == pooled(shorter, young)[0] != got[0]


def test_groups_of_places():
    codes = ["US", "OH", "YC", "DC", "06037"]
    assert regions(codes).tolist() == ["nation", "Midwest", "Northeast", "South", "West"]
    sizes = ["nation", "under 500", "500-1,999", "500-1,999", "2,000 or more"]
    assert size_classes([9e4, 499.0, 500.0, 1999.0, 2000.0], codes).tolist() == sizes
    assert size_classes([np.nan, np.nan], ["US", "OH"]).tolist() == ["nation", None]
