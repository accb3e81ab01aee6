"""The answer adds up, for every named prior and every pair of them."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast import scenario as sc

ONSET = "2026-03"
#: One that comes only after a success of another, which the grammar takes as a rebound.
NAMES = [n for n in sc.prior_names() if n != "substitution-rebound"]


def scenario_of(*names: str) -> sc.Scenario:
    parts = tuple(sc.named_intervention(n, onset=ONSET) for n in names)
    return sc.Scenario("-and-".join(names), parts)


@pytest.fixture(scope="module")
def baseline():
    panel = od.bundled().as_of().panel().select(["US", "OH"])
    return od.get_model("drift").fit(panel).forecast(until="2028-12", draws=1000, seed=1)


@pytest.fixture(scope="module")
def every(baseline):
    made = [scenario_of(*names) for n in (1, 2) for names in combinations(NAMES, n)]
    return sc.project(baseline, made, seed=1)


@pytest.fixture(scope="module")
def answer(every):
    return every.answer().set_index(["scenario_id", "location"])


def test_the_outcomes_add_up(answer, every):
    table = every.outcomes()
    parts = table["share"] * table["averted_mean"].fillna(0)
    weighed = parts.groupby([table["scenario_id"], table["location"]]).sum()
    averted = answer["averted_mean"].sort_index()
    pd.testing.assert_series_equal(weighed, averted, check_names=False, rtol=1e-9, atol=1e-6)
    by = table.groupby(["scenario_id", "location"])
    np.testing.assert_allclose(by["share"].sum(), 1.0)
    np.testing.assert_allclose(by["chance"].sum(min_count=1).dropna(), 1.0)
    assert (by.size().unstack()["US"] <= 4).all()
    # Over all it is no more than if everything works, but for a thousandth that chance is worth.
    known = answer[answer["averted_if_works_mean"].notna()]
    most = known["averted_if_works_mean"] + 1e-3 * known["averted_if_works_mean"].abs() + 1e-6
    assert len(known) > 100
    assert (known["averted_mean"] <= most).all()


def test_a_what_if_has_no_chances(answer, every):
    for name in NAMES:
        x, row = every.scenario(name).interventions[0], answer.loc[(name, "US")]
        assert row[["works", "nothing", "backfires", "fewer"]].isna().all() == x.is_what_if
        if x.is_what_if:
            assert row["averted_mean"] == row["averted_if_works_mean"] > 0
    what_ifs = {n for n in NAMES if every.scenario(n).interventions[0].is_what_if}
    assert what_ifs == {"supply-shock-2023-like", "purity-falls"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("percent: 20, belief: none", "If it raises deaths: 1,500 more drug overdose deaths than "),
        ("percent: 20, p_null: 1, belief: none", "If it raises deaths: too few draws to say. "),
        ("percent: 0, belief: none", "If it works: too few draws to say. About 7,"),
        (
            "percent: 20, p_null: 0",
            "The user's judgment: raises deaths 100%, does nothing 0%. Over all",
        ),
        ("percent: {normal: [10, 10]}, p_null: 1", "S. About 7,700 drug overdose deaths are exp"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_only_raises_deaths_or_never_acts_has_an_answer(baseline, keys, said):
    (made,) = sc.parse_scenarios(f"name: s\ninterventions: [{{name: x, onset: {ONSET}, {keys}}}]")
    projected = sc.project(baseline.first(200), made)
    assert said in projected.text("OH")
    assert projected.outcomes()["share"].le(1.0).all()
    worse = projected.answer().set_index("location")["averted_mean"]
    assert (worse["OH"] < 0) == ("percent: 20" in keys and "p_null: 1" not in keys)


@pytest.mark.parametrize("onset", ["2025-09", ONSET, "2027-06"])
def test_percentages_count_from_the_onset(baseline, onset):
    cut = sc.Scenario("cut", (sc.Intervention("cut", sc.Fixed(np.log(0.9)), onset, spread=0),))
    made = sc.project(baseline, cut, seed=1)
    row = made.answer().iloc[0]
    assert (row["first_month"], row["percent_mean"]) == (onset, pytest.approx(-10))
    table = made.select("US").averted()
    whole = table[table["kind"] == "all"].iloc[0]
    assert whole["averted_mean"] == pytest.approx(row["averted_mean"])
    assert whole["first_month"] == onset


@pytest.mark.parametrize(
    ("prior", "given", "owner", "is_what_if"),
    [
        ("cooperation-resumed", "", "Our judgment", False),
        ("cooperation-resumed", ", p_null: .2", "The user's judgment", False),
        ("cooperation-resumed", ", p_null: .2, belief: Ohio’s own", "Ohio’s own", False),
        ("supply-shock-2023-like", "", None, True),
        ("supply-shock-2023-like", ", p_null: .5", "The user's judgment", False),
    ],
)
def test_whose_judgement_a_chance_is(prior, given, owner, is_what_if):
    text = f"{{name: s, interventions: [{{prior: {prior}, onset: 2026-03{given}}}]}}"
    x = sc.parse_scenarios(text)[0].interventions[0]
    assert x.is_what_if == is_what_if
    assert owner is None or x.owner == owner
    own = sc.Intervention("own", sc.Normal(-0.1, 0.1), ONSET, p_null=0.2)
    assert own.owner == "The user's judgment"


def test_more_than_three_are_counted(baseline):
    parts = tuple(sc.Intervention(f"x{i}", sc.Fixed(-0.05), ONSET, p_null=0.5) for i in range(4))
    made = sc.project(baseline, sc.Scenario("four", parts), seed=1)
    table = made.select("US").outcomes()
    assert table["outcome"].tolist() == [f"{n} of 4 work" for n in (4, 3, 2, 1, 0)]
    assert table["chance"].tolist() == [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]
    assert table["averted_mean"].is_monotonic_decreasing
    assert "4 of 4 work 6%: " in made.text("Ohio")


def test_all_places_of_a_sensitivity_are_those_of_one(baseline):
    scenario = scenario_of("cooperation-resumed")
    both = sc.cost_of_delay(baseline, scenario, (0, 6), location=["US", "OH"])
    alone = sc.cost_of_delay(baseline, scenario, (0, 6), location="OH")
    own = both[both["location"] == "OH"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, alone, rtol=1e-12)
