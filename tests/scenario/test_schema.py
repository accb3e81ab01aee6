import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast import scenario as sc
from odforecast.errors import ScenarioError


def rounded(low, high):
    return st.floats(low, high).map(lambda x: round(x, 3))


numbers = rounded(0.01, 2.0)
months = st.one_of(
    st.builds(sc.Fixed, numbers),
    st.builds(sc.LogNormal, numbers, numbers),
    st.builds(lambda a, b: sc.Uniform(a, a + b), numbers, numbers),
)
interventions = st.builds(
    sc.Intervention,
    name=st.sampled_from(["a", "b-c", "1e5", "=1"]),
    size=st.one_of(
        st.builds(sc.Normal, st.floats(-0.5, 0.5).map(lambda x: round(x, 3)), st.just(0.2)),
        st.builds(sc.Fixed, st.just(-0.2)),
        st.builds(sc.Percent, rounded(-70, 70)),
        st.builds(lambda x, y: sc.Percent(sc.Normal(x, y)), rounded(-50, 50), numbers),
        st.builds(
            lambda x, y: sc.Percent(sc.Quantiles({0.05: x, 0.4: x + y})), rounded(-60, 9), numbers
        ),
        st.builds(
            lambda x, y: sc.Quantiles({0.1: x, 1 / 3: x + y}), rounded(-1, 0.5), st.just(0.1)
        ),
        st.builds(lambda x, y: sc.Dose(x, sc.Uniform(0, y)), rounded(-60, 60), numbers),
        st.builds(sc.Dose, rounded(-60, 60), st.just(sc.Quantiles({0.1: 0.3, 0.5: 0.4}))),
    ),
    onset=st.sampled_from(["2026-03", ("2026-01", "2026-06")]),
    # Of whatever scale: what is held, and what a file gives back, is the quantity's own.
    residue=st.sampled_from([sc.Fixed(0.0), sc.Beta(1, 3), sc.Quantiles({0.1: 0.45, 0.5: 0.5})]),
    replaced=st.sampled_from([sc.Fixed(0.0), sc.Uniform(0, 0.5)]),
    backfire=st.sampled_from(["", "more potent substitutes"]),
    references=st.sampled_from([(), ("A. 2020. T. J.", "B. 2021. U. K.")]),
    p_null=st.floats(0, 1) | st.none(),
    mechanism=st.sampled_from(["other", "supply", "naloxone"]),
    lag=months,
    ramp=months,
    plateau=months,
    half_life=st.one_of(st.none(), months),
    share=st.one_of(st.just(sc.Fixed(0.5)), st.just(sc.Beta(1.5, 4))),
    exposure=st.one_of(st.just("fentanyl-share"), numbers, st.just({"OH": 1.0, "default": 0.3})),
    spread=st.one_of(st.floats(0, 1), st.just(sc.Uniform(0, 0.5)), st.none()),
    rebound=st.one_of(st.none(), st.builds(sc.Rebound, st.just(sc.Beta(1.5, 5.25)), after=months)),
    source=st.sampled_from(["", "a: source – with # signs", "1e5", "yes", "1:30", "0777"]),
    grade=st.sampled_from(["low", "high", "user"]),
)


@given(x=interventions, suffix=st.sampled_from([".yaml", ".toml"]), version=st.integers(1, 9))
def test_files_give_the_scenario_back(x, suffix, version):
    scenario = sc.Scenario("round-trip", (x,), version=version, question="What if: 50% “more”?")
    (again,) = sc.parse_scenarios(sc.dump_scenarios(scenario, suffix), suffix)
    assert (again, again.hash) == (scenario, scenario.hash)


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".toml"])
def test_several_on_disk(tmp_path, suffix):
    several = (sc.NULL, *(sc.named(n, onset="2026-03") for n in sc.prior_names()))
    assert sc.read_scenarios(sc.write_scenarios(tmp_path / f"all{suffix}", several)) == several


@pytest.mark.parametrize(
    ("assumed", "hashed"),
    [
        ("onset: 2026-03, percent: -30", "f557eb55dfe620b7"),
        ("size: {normal: [-0.1, 0.1]}, half_life: 6, rebound: {fraction: 0.3}", "2aef9e72cf4a06e6"),
    ],
)
def test_hashes_are_those_that_stored_results_hold(assumed, hashed):
    for sure in ("", ", probability: 1"):
        text = f"name: s\ninterventions: [{{name: cut, {assumed}{sure}}}]"
        assert sc.parse_scenarios(text)[0].hash == hashed


def test_hash_sees_assumptions_and_not_words_which_stay_words():
    days = ("2026-03", "2026-04")
    x, later = (sc.named_intervention("cooperation-resumed", onset=m) for m in days)
    base = sc.Scenario("s", (x,))
    assert base.hash == sc.Scenario("s", (x,), question="?", title="t").hash
    assert base.hash != sc.Scenario("s", (later,)).hash
    assert base.hash != sc.Scenario("s", (x,), version=2).hash
    (found,) = sc.parse_scenarios(
        "name: s\ninterventions: [{prior: tariff-only, onset: 2026-03-01, note: yes, source: 0777, "
        "exposure: {'OR': 1, 01: 0.5}, size: 1.5e-1}]"
    )
    x = found.interventions[0]
    assert (x.note, x.source, x.size) == ("yes", "0777", sc.Fixed(0.15))
    assert dict(x.exposure) == {"OR": 1.0, "AL": 0.5}  # 01 is a FIPS code, not a 1
    assert str(x.onset[0]) == "2026-03"  # as a program writes a month


def test_null_assumes_nothing_in_a_word_and_names_are_distinct():
    x = sc.named_intervention("tariff-only", onset="2026-03")
    with pytest.raises(ScenarioError, match="null has interventions"):
        sc.Scenario("null", (x,))
    with pytest.raises(ScenarioError, match="two interventions are named"):
        sc.Scenario("s", (x, x))
    for odd in (x, None, (3,)):
        with pytest.raises(ScenarioError, match=r"s: interventions is .*a list of Intervention"):
            sc.Scenario("s", odd)
    for text in ("name: calm\ninterventions: none", "name: null", "name: null\ninterventions: []"):
        (found,) = sc.parse_scenarios(text)
        assert found.is_null
        for suffix in (".yaml", ".toml"):
            assert sc.parse_scenarios(sc.dump_scenarios(found, suffix), suffix) == (found,)


def test_a_percent_takes_the_place_of_a_named_priors_size():
    sizes = {"percent": sc.Percent(-30), "dose": sc.Dose(-40, 1), "size": sc.Fixed(-0.1)}
    for key, size in [*sizes.items(), ("percent", -30)]:
        x = sc.named_intervention("naloxone-source", onset="2026-03", **{key: size})
        assert x.size == (sc.Percent(-30) if key == "percent" else size)
    assert isinstance(sc.named_intervention("naloxone-source", onset="2026-03").size, sc.Percent)
    for nested in (lambda: sc.Percent(sc.Percent(-30)), lambda: sc.Dose(-40, sc.Dose(-40, 1))):
        with pytest.raises(ScenarioError, match="a size in"):
            nested()
    assert sc.Quantiles({"5%": -30, "50%": -10}) == sc.Quantiles({0.05: -30, 0.5: -10})


def test_a_rebound_takes_its_keys_from_the_named_prior():
    keys = {"prior": "substitution-rebound", "p_null": "30%"}
    x = sc.named_intervention("supply-shock-2023-like", onset="2026-03", rebound=keys)
    base = sc.named_intervention("substitution-rebound", onset="2026-03")
    for one, other in (("after", "lag"), ("ramp", "ramp"), ("half_life", "half_life")):
        assert getattr(x.rebound, one) == getattr(base, other)
    assert x.rebound.p_null == 0.3
    assert 0.0 < x.rebound.fraction.mean < 1.0


def test_an_onset_left_open_is_the_month_after_the_as_of_date():
    (found,) = sc.parse_scenarios("name: s\ninterventions: [{prior: tariff-only}]")
    assert found.is_open
    assert sc.parse_scenarios(sc.dump_scenarios(found)) == (found,)
    closed = found.at("2025-10")
    assert not closed.is_open
    assert str(closed.interventions[0].onset[0]) == "2025-10"
    assert closed.at("2027-01") == closed
    with pytest.raises(ScenarioError, match="onset is open"):
        found.interventions[0].curve(np.arange("2025-10", "2025-12", dtype="datetime64[M]"))
    fitted = od.get_model("drift").fit(od.bundled().as_of("2025-09-17").panel().select(["US"]))
    projection = sc.project(fitted, [sc.named("tariff-only"), sc.NULL], 12, 20)
    assert projection.scenario("tariff-only").interventions[0].onset[0] == np.datetime64("2025-10")


@pytest.mark.parametrize("page", ["docs/concepts/scenarios.md", "README.md"])
def test_scenario_files_printed_in_the_docs_can_be_read(page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^(?:```|:::\{code-block\} )yaml\n(.*?)^(?:```|:::)$", text, re.M | re.S)
    assert blocks or page == "README.md"
    for block in blocks:
        assert sc.parse_scenarios(block)


def test_two_factors_are_four_scenarios():
    """Neither, each alone, and both, the same interventions in each."""
    text = (
        "factors:\n- {name: cooperation, prior: cooperation-resumed, onset: 2026-03}\n"
        "- {prior: naloxone-healing, onset: 2026-05}"
    )
    a, b, c, d = sc.parse_scenarios(text)
    names = ["a-neither", "b-cooperation", "c-naloxone-healing", "d-both"]
    assert [s.name for s in (a, b, c, d)] == names
    assert [s.title for s in (a, b, c, d)] == [
        "A: neither", "B: cooperation alone", "C: naloxone healing alone", "D: both",
    ]  # fmt: skip
    assert a.is_null
    assert b.interventions + c.interventions == d.interventions
    assert str(c.interventions[0].onset[0]) == "2026-05"
    assert sc.parse_scenarios(sc.dump_scenarios((a, b, c, d))) == (a, b, c, d)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ("[GOOD]", "allowed: a list of two interventions"),
        ("2", "factors is 2, allowed: a list of two interventions"),
        ("[GOOD, GOOD]", "two interventions are named 'tariff-only'"),
        ("[GOOD, {prior: x}]", "factor 2: prior is 'x'"),
        ("[{spred: 1}, GOOD]", "factor 1: unknown key 'spred', did you mean 'spread'?"),
        ("[]\nname: s", "a file of factors: unknown key 'name'"),
        ("[{name: Big Fall, percent: -9, onset: 2026-03}, GOOD]",
         "'b-Big Fall', allowed: up to 200 lower-case letters"),
    ],
)  # fmt: skip
def test_mistakes_in_factors(factors, words):
    text = factors.replace("GOOD", "{prior: tariff-only, onset: 2026-03}")
    with pytest.raises(ScenarioError) as caught:
        sc.parse_scenarios(f"factors: {text}")
    assert words in str(caught.value)
