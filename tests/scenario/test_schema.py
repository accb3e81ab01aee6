from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import ScenarioError
from odforecast.scenario import (
    NULL,
    Beta,
    Fixed,
    Intervention,
    LogNormal,
    Normal,
    Rebound,
    Scenario,
    Uniform,
    dump_scenarios,
    grid,
    named_intervention,
    parse_scenarios,
    prior_names,
    read_scenarios,
    write_scenarios,
)

numbers = st.floats(0.01, 2.0).map(lambda x: round(x, 3))
months = st.one_of(
    st.builds(Fixed, numbers),
    st.builds(LogNormal, numbers, numbers),
    st.builds(lambda a, b: Uniform(a, a + b), numbers, numbers),
)
interventions = st.builds(
    Intervention,
    name=st.sampled_from(["a", "b-c"]),
    size=st.one_of(
        st.builds(Normal, st.floats(-0.5, 0.5).map(lambda x: round(x, 3)), st.just(0.2)),
        st.builds(Fixed, st.just(-0.2)),
    ),
    onset=st.sampled_from(["2026-03", ("2026-01", "2026-06")]),
    probability=st.floats(0, 1),
    p_null=st.floats(0, 1),
    lag=months,
    ramp=months,
    plateau=months,
    half_life=st.one_of(st.none(), months),
    share=st.one_of(st.just(Fixed(0.5)), st.just(Beta(1.5, 4))),
    exposure=st.one_of(st.just("fentanyl-share"), numbers, st.just({"OH": 1.0, "default": 0.3})),
    spread=st.floats(0, 1),
    rebound=st.one_of(st.none(), st.builds(Rebound, st.just(Normal(0.1, 0.1)), after=months)),
    source=st.sampled_from(["", "a: source – with # signs"]),
    grade=st.sampled_from(["low", "high", "user"]),
)


@given(x=interventions, suffix=st.sampled_from([".yaml", ".toml"]), version=st.integers(1, 9))
def test_files_give_the_scenario_back(x, suffix, version):
    scenario = Scenario("round-trip", (x,), version=version, question="What if: 50 % “more”?")
    (again,) = parse_scenarios(dump_scenarios(scenario, suffix), suffix)
    assert again == scenario
    assert again.hash == scenario.hash


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".toml"])
def test_several_on_disk(tmp_path, suffix):
    several = (
        NULL,
        *(Scenario(n, (named_intervention(n, onset="2026-03"),)) for n in prior_names()),
    )
    path = write_scenarios(tmp_path / f"all{suffix}", several)
    assert read_scenarios(path) == several


def test_unquoted_null_is_the_null_scenario():
    (found,) = parse_scenarios("name: null")
    assert (found.name, found.hash) == (NULL.name, NULL.hash)


def test_hash_sees_assumptions_and_not_words():
    x = named_intervention("cooperation-resumed", onset="2026-03")
    base = Scenario("s", (x,))
    assert base.hash == Scenario("s", (x,), question="?", title="t").hash
    assert (
        base.hash
        != Scenario("s", (named_intervention("cooperation-resumed", onset="2026-04"),)).hash
    )
    assert base.hash != Scenario("s", (x,), version=2).hash


BASE = "name: s\ninterventions:\n  - {prior: cooperation-resumed, onset: 2026-03, %s}"


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        (BASE % "spred: 1", "'spred'", "did you mean 'spread'"),
        (BASE % "half_life: -6", "half_life", "0 or more"),
        (BASE % "half_life: 0", "half_life", "above 0"),
        (BASE % "half_life: {normal: [0, 5]}", "half_life", "0 or more"),
        (BASE % "probability: 1.5", "probability", "0 to 1"),
        (BASE % "probability: often", "probability", "from 0 to 1"),
        (BASE % "p_null: -1", "p_null", "0 to 1"),
        (BASE % "size: 9", "size", "-5 to 5"),
        (BASE % "lag: -1", "lag", "0 or more"),
        (BASE % "exposure: {OH: -1}", "exposure.OH", "0 to 5"),
        (BASE % "exposure: moon", "exposure", "fentanyl-share"),
        (BASE % "rebound: {sise: 1}", "'sise'", "size"),
        (BASE % "rebound: {p_null: 0.1}", "'size'", "missing"),
        (BASE % "grade: superb", "grade", "high"),
        (BASE % "note: 3", "note", "text"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: 2013-01}]", "onset", "2014-02"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: soon}]", "onset", "2026-03"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: 2026-13}]", "2026-13", "2024-07"),
        ("name: s\ninterventions: [{prior: tariff-only}]", "'onset'", "missing"),
        ("name: s\ninterventions: [{prior: tarif, onset: 2026-03}]", "'tarif'", "tariff-only"),
        ("name: s\ninterventions: [{onset: 2026-03, size: 0}]", "'name'", "missing"),
        ("name: s\ninterventions: soon", "interventions", "a list"),
        ("name: s\ninterventions: [1]", "intervention 1", "a table of keys"),
        ("name: S p\n", "name", "lower-case"),
        ("interventions: []", "'name'", "missing"),
        ("name: s\nversion: 1.5", "version", "whole number"),
        ("name: s\nversion: 0", "version", "1 or more"),
        ("name: s\nhorizon: 3", "'horizon'", "interventions"),
        ("scenarios: []", "scenarios", "one or more"),
        ("scenarios: [{name: a}, {name: a}]", "'a'", "distinct"),
        ("[1, 2]", "table of keys", "name"),
        ("name: [", "not YAML", ""),
    ],
)
def test_one_mistake_one_line(tmp_path, text, key, allowed):
    path = tmp_path / "mistake.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_scenarios(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    assert key in line
    assert allowed in line


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(ScenarioError, match="cannot read"):
        read_scenarios(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match=r"allowed: \.yaml, \.yml or \.toml"):
        parse_scenarios("", ".json")
    with pytest.raises(ScenarioError, match="not TOML"):
        parse_scenarios("name = ", ".toml")


def test_null_assumes_nothing_and_names_are_distinct():
    x = named_intervention("tariff-only", onset="2026-03")
    with pytest.raises(ScenarioError, match="null has interventions"):
        Scenario("null", (x,))
    with pytest.raises(ScenarioError, match="two interventions are named"):
        Scenario("s", (x, x))


def test_grid_is_two_by_two():
    resumes = named_intervention("cooperation-resumed", onset="2026-03")
    shock = named_intervention("supply-shock-2023-like", onset="2026-03")
    four = grid({
        "cooperation": {"resumes": resumes, "off": None},
        "supply": {"shock": [shock], "calm": []},
    })  # fmt: skip
    assert [len(s.interventions) for s in four] == [2, 1, 1, 0]
    assert four[3].is_null
    with pytest.raises(ScenarioError, match="without levels"):
        grid({"cooperation": {}})
