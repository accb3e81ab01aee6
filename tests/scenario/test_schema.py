from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.scenario import (
    NULL,
    Beta,
    Dose,
    Fixed,
    Intervention,
    LogNormal,
    Normal,
    Percent,
    Quantiles,
    Rebound,
    Scenario,
    Uniform,
    dump_scenarios,
    grid,
    named,
    named_intervention,
    parse_scenarios,
    prior_names,
    project,
    read_scenarios,
    write_scenarios,
)


def rounded(low, high):
    return st.floats(low, high).map(lambda x: round(x, 3))


numbers = rounded(0.01, 2.0)
months = st.one_of(
    st.builds(Fixed, numbers),
    st.builds(LogNormal, numbers, numbers),
    st.builds(lambda a, b: Uniform(a, a + b), numbers, numbers),
)
interventions = st.builds(
    Intervention,
    name=st.sampled_from(["a", "b-c", "1e5", "=1"]),
    size=st.one_of(
        st.builds(Normal, st.floats(-0.5, 0.5).map(lambda x: round(x, 3)), st.just(0.2)),
        st.builds(Fixed, st.just(-0.2)),
        st.builds(Percent, rounded(-70, 70)),
        st.builds(lambda x, y: Percent(Normal(x, y)), rounded(-50, 50), numbers),
        st.builds(lambda x, y: Percent(Quantiles({0.05: x, 0.4: x + y})), rounded(-60, 9), numbers),
        st.builds(lambda x, y: Quantiles({0.1: x, 1 / 3: x + y}), rounded(-1, 0.5), st.just(0.1)),
        st.builds(lambda x, y: Dose(x, Uniform(0, y)), rounded(-60, 60), numbers),
        st.builds(Dose, rounded(-60, 60), st.just(Quantiles({0.1: 0.3, 0.5: 0.4}))),
    ),
    onset=st.sampled_from(["2026-03", ("2026-01", "2026-06")]),
    direction=st.sampled_from(["either", "fall", "rise"]),
    # Of whatever scale: what is held, and what a file gives back, is the quantity's own.
    residue=st.sampled_from([Fixed(0.0), Beta(1, 3), Quantiles({0.1: 0.45, 0.5: 0.5})]),
    replaced=st.sampled_from([Fixed(0.0), Uniform(0, 0.5)]),
    backfire=st.sampled_from(["", "more potent substitutes"]),
    references=st.sampled_from([(), ("A. 2020. T. J.", "B. 2021. U. K.")]),
    p_null=st.floats(0, 1),
    lag=months,
    ramp=months,
    plateau=months,
    half_life=st.one_of(st.none(), months),
    share=st.one_of(st.just(Fixed(0.5)), st.just(Beta(1.5, 4))),
    exposure=st.one_of(st.just("fentanyl-share"), numbers, st.just({"OH": 1.0, "default": 0.3})),
    spread=st.one_of(st.floats(0, 1), st.just(Uniform(0, 0.5)), st.none()),
    rebound=st.one_of(st.none(), st.builds(Rebound, st.just(Beta(1.5, 5.25)), after=months)),
    source=st.sampled_from(["", "a: source – with # signs", "1e5", "yes", "1:30", "0777"]),
    grade=st.sampled_from(["low", "high", "user"]),
)


@given(x=interventions, suffix=st.sampled_from([".yaml", ".toml"]), version=st.integers(1, 9))
def test_files_give_the_scenario_back(x, suffix, version):
    scenario = Scenario("round-trip", (x,), version=version, question="What if: 50% “more”?")
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


@pytest.mark.parametrize(
    ("assumed", "hashed"),
    [
        ("[{name: cut, onset: 2026-03, percent: -30}]", "f557eb55dfe620b7"),
        (
            "[{name: cut, size: {normal: [-0.1, 0.1]}, half_life: 6, rebound: {fraction: 0.3}}]",
            "2aef9e72cf4a06e6",
        ),
    ],
)
def test_hashes_are_those_that_stored_results_hold(assumed, hashed):
    for sure in ("", ", probability: 1"):
        text = f"name: s\ninterventions: {assumed}".replace("}]", f"{sure}}}]")
        assert parse_scenarios(text)[0].hash == hashed


def test_hash_sees_assumptions_and_not_words():
    x = named_intervention("cooperation-resumed", onset="2026-03")
    base = Scenario("s", (x,))
    assert base.hash == Scenario("s", (x,), question="?", title="t").hash
    assert (
        base.hash
        != Scenario("s", (named_intervention("cooperation-resumed", onset="2026-04"),)).hash
    )
    assert base.hash != Scenario("s", (x,), version=2).hash


ONE = "name: s\ninterventions: [{prior: tariff-only, onset: 2026-03, %s}]"
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(9 * [f'*{a}'])}]\n" for a, b in zip("abcdefghij", "bcdefghijk")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "line 2: alias '*a', allowed: none"),
        ("name: &x [*x]", "line 1: alias '*x'"),
        ("name: s\nname: t", "key 'name' is given twice"),
        (ONE % "p_null: 0.1, p_null: 0.9", "key 'p_null' is given twice"),
        (ONE % "1: 2", "key '1' is not text"),
        (ONE % "[1, 2]: 2", "is not text"),
        (ONE % "exposure: {54: 1}", "key '54' is not text"),
        (ONE % "<<: {p_null: 0.1}", "key '<<' is not text"),
        ("!!python/object:os.system {}", "line 1: tag 'tag:yaml.org,2002:python/object:os.system'"),
        (ONE % "note: !!binary aGk=", "tag 'tag:yaml.org,2002:binary'"),
        (ONE % "size: !!float 1", "tag 'tag:yaml.org,2002:float'"),
        ("name: " + 40 * "[", "line 1: nested more than 12 deep"),
        ("name: " + 100_000 * "[", "line 1: nested more than 12 deep"),
        (40_000 * "{a: ", "line 1: nested more than 12 deep"),
        (ONE % "size: .nan", "size is nan"),
        (ONE % "p_null: .inf", "p_null is inf"),
        (ONE % "p_null: true", "p_null is True"),
        (ONE % "p_null: 0_1", "p_null is '0_1'"),
        (ONE % "lag: 1:30", "lag is '1:30'"),
        (ONE % "lag: 010", "lag is '010'"),
        (ONE % "lag: 0x10", "lag is '0x10'"),
        (ONE % "lag: 6 months", "lag is '6 months'"),
        (ONE % "p_null: 20 percent", "p_null is '20 percent'"),
        (
            ONE % "lag: {lognormal: [1.0e300, 1e300]}",
            "lag: lognormal: median is 1e+300, allowed: numbers from 1e-06",
        ),
        (ONE % ("lag: " + 5_000 * "9"), "(5,000 characters), allowed: a number"),
        (ONE % ("lag: " + 30 * "9"), "interventions[1].lag is 99999"),
        ("name: s\nversion: 99999999999999999999", "version is 99999999999999999999"),
        ("name: s\n---\nname: t", "not YAML"),
        (ONE % ("note: " + 50_000 * "n"), "(50,000 characters), allowed: 5,000"),
        (ONE % (50_000 * "k" + ": 1"), "not YAML"),
        (ONE % ("k" * 900 + ": 1"), "(900 characters)"),
        (ONE % ("name: " + 200 * "n"), "(200 characters), allowed: 1 to 100 printable"),
        (ONE % 'name: "a\\nb"', "allowed: 1 to 100 printable"),
        (ONE % 'note: "\\ud800"', "allowed: text without control codes"),
        (ONE % 'note: "\\x1b[2J"', "allowed: text without control codes"),
        (ONE % "prior: [tariff-only]", "key 'prior' is given twice"),
        (f"name: {'s' * 300}", "name is 'ssss"),
        ("name: ../../x", "name is '../../x'"),
        ("name: s\ninterventions: [{prior: {a: 1}, onset: 2026-03}]", "prior is {'a': 1}"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: 2026-03-99}]", "'2026-03-99'"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: ２026-03}]", "'２026-03'"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: 2026-3}]", "'2026-3'"),
        ("name: s\ninterventions: [{prior: tariff-only, onset: 2026-03-01 10:00:00}]", "onset is"),
    ],
)
def test_files_that_want_more_than_a_scenario(tmp_path, text, said):
    path = tmp_path / "mistake.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_scenarios(path)
    line = str(caught.value)
    assert said in line
    assert line.isprintable()
    assert len(line) < len(str(path)) + 500


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 's'\nname = 't'", "line 2: key 'name' is given twice"),
        ("a = " + 5_000 * "[" + 5_000 * "]", "nested more than 12 deep"),
        (".".join(20 * ["a"]) + " = 1", "nested more than 12 deep"),
        ("name = 's'\nversion = " + 5_000 * "9", "not TOML"),
        ("name = 's'\nversion = 0x7fffffffffffffffffffffffff", "version is 1014120480182583521"),
        ("name = 2026-03-01T10:00:00Z", "name is datetime.datetime(2026, 3, 1"),
        ('name = "s"\ntitle = "\\u0007"', "title is '\\x07', allowed: text without control"),
        (
            "name = 's'\n[[interventions]]\nprior = 'tariff-only'\nonset = 2026-03-01\nsize = nan",
            "size is nan",
        ),
        ("name = 's'\n1 = 2", "unknown key '1'"),
    ],
)
def test_toml_that_wants_more_than_a_scenario(tmp_path, text, said):
    path = tmp_path / "mistake.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_scenarios(path)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes("name: \xe9".encode("latin-1"))
    with pytest.raises(ScenarioError, match="byte 6 is no UTF-8"):
        read_scenarios(path)
    path.write_bytes(b"\xef\xbb\xbfname: s\r\ninterventions: none\r\n")
    assert read_scenarios(path)[0].name == "s"
    path.write_bytes(b"#" * 200_001)
    with pytest.raises(ScenarioError, match="more than 200,000 bytes"):
        read_scenarios(path)
    with pytest.raises(ScenarioError, match="cannot read"):
        read_scenarios("a\0.yaml")


def test_words_stay_words():
    (found,) = parse_scenarios(
        "name: s\ninterventions: [{prior: tariff-only, onset: 2026-03-15, note: yes, source: 0777, "
        "exposure: {'OR': 1, 01: 0.5}, size: 1.5e-1}]"
    )
    x = found.interventions[0]
    assert (x.note, x.source, x.size) == ("yes", "0777", Fixed(0.15))
    assert dict(x.exposure) == {"OR": 1.0, "AL": 0.5}  # 01 is a FIPS code, not a 1
    assert str(x.onset[0]) == "2026-03"  # a day is taken as its month


def test_files_that_are_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(ScenarioError, match="cannot read"):
        read_scenarios(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match=r"allowed: \.yaml, \.yml or \.toml"):
        parse_scenarios("", ".json")
    with pytest.raises(ScenarioError, match="not TOML"):
        parse_scenarios("name = ", ".toml")
    for several, said in (
        ((), "scenarios is (), allowed: a Scenario, or a list"), (3, "scenarios is 3, allowed"),
        ((NULL, "x"), "scenarios is (<Scenario null"), ((NULL, NULL), "'null' is given twice"),
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match=re.escape(said)):
            write_scenarios(tmp_path / "unreadable.yaml", several)
    with pytest.raises(ScenarioError, match=r"cannot write .*none.x.yaml: No such file"):
        write_scenarios(tmp_path / "none" / "x.yaml", NULL)
    assert not list(tmp_path.iterdir())


def test_null_assumes_nothing_and_names_are_distinct():
    x = named_intervention("tariff-only", onset="2026-03")
    with pytest.raises(ScenarioError, match="null has interventions"):
        Scenario("null", (x,))
    with pytest.raises(ScenarioError, match="two interventions are named"):
        Scenario("s", (x, x))
    for odd in (x, None, (3,)):
        with pytest.raises(ScenarioError, match=r"s: interventions is .*a list of Intervention"):
            Scenario("s", odd)


def test_grid_is_two_by_two():
    resumes = named_intervention("cooperation-resumed", onset="2026-03")
    shock = named_intervention("supply-shock-2023-like", onset="2026-03")
    four = grid({
        "cooperation": {"resumes": resumes, "off": None},
        "supply": {"shock": [shock], "calm": []},
    })  # fmt: skip
    assert [len(s.interventions) for s in four] == [2, 1, 1, 0]
    assert four[3].is_null
    for axes, said in (
        ({}, "grid is {}, allowed: a mapping of axis"),
        ({"cooperation": {}}, "grid: axis 'cooperation' is {}, allowed: a mapping of one level"),
        ({"cooperation": ["on"]}, "grid: axis 'cooperation' is ['on'], allowed"),
        ({"cooperation": {"on": 3}}, "grid: a level is 3, allowed: interventions, or None"),
    ):
        with pytest.raises(ScenarioError, match=re.escape(said)):
            grid(axes)


def test_a_percent_takes_the_place_of_a_named_priors_size():
    x = named_intervention("supply-shock-2023-like", onset="2026-03", percent=-30)
    assert x.size == Percent(-30)
    y = named_intervention("naloxone-source", onset="2026-03", size=Fixed(-0.1))
    assert y.size == Fixed(-0.1)
    assert isinstance(named_intervention("naloxone-source", onset="2026-03").size, Percent)
    for key, size in (("percent", Percent(-30)), ("dose", Dose(-40, 1))):
        z = named_intervention("naloxone-source", onset="2026-03", **{key: size})
        assert z.size == size
    for nested in (lambda: Percent(Percent(-30)), lambda: Dose(-40, Dose(-40, 1))):
        with pytest.raises(ScenarioError, match="a size in"):
            nested()
    with pytest.raises(ScenarioError, match=r"allowed: numbers, such as \{0.05: -30, 0.5: -10\}"):
        Quantiles({"5%": -30, "50%": -10})


def test_a_rebound_takes_its_keys_from_the_named_prior():
    x = named_intervention(
        "supply-shock-2023-like", onset="2026-03",
        rebound={"prior": "substitution-rebound", "p_null": "30%"},
    )  # fmt: skip
    base = named_intervention("substitution-rebound", onset="2026-03")
    assert (x.rebound.after, x.rebound.ramp, x.rebound.half_life) == (
        base.lag, base.ramp, base.half_life,
    )  # fmt: skip
    assert x.rebound.p_null == 0.3
    assert 0.0 < x.rebound.fraction.mean < 1.0


def test_nothing_is_said_in_a_word():
    for text in ("name: calm\ninterventions: none", "name: null", "name: null\ninterventions: []"):
        (found,) = parse_scenarios(text)
        assert found.is_null
        for suffix in (".yaml", ".toml"):
            assert parse_scenarios(dump_scenarios(found, suffix), suffix) == (found,)


def test_an_onset_left_open_is_the_month_after_the_as_of_date():
    (found,) = parse_scenarios("name: s\ninterventions: [{prior: tariff-only}]")
    assert found.is_open
    assert parse_scenarios(dump_scenarios(found)) == (found,)
    closed = found.at("2025-10")
    assert not closed.is_open
    assert str(closed.interventions[0].onset[0]) == "2025-10"
    assert closed.at("2027-01") == closed
    with pytest.raises(ScenarioError, match="onset is open"):
        found.interventions[0].curve(np.arange("2025-10", "2025-12", dtype="datetime64[M]"))
    panel = od.bundled().as_of("2025-09-17").panel().select(["US"])
    projection = project(od.get_model("drift").fit(panel), [named("tariff-only"), NULL], 12, 20)
    assert projection.scenario("tariff-only").interventions[0].onset[0] == np.datetime64("2025-10")


@pytest.mark.parametrize("page", ["docs/concepts/scenarios.md", "README.md"])
def test_scenario_files_printed_in_the_docs_can_be_read(page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^(?:```|:::\{code-block\} )yaml\n(.*?)^(?:```|:::)$", text, re.M | re.S)
    assert blocks or page == "README.md"
    for block in blocks:
        assert parse_scenarios(block)
