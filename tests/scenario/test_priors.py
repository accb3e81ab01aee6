import math
import pickle

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from odforecast import scenario as sc
from odforecast.errors import ScenarioError
from odforecast.scenario.distributions import TOLERANCE

BAND = sc.Quantiles({0.05: -30, 0.5: -10})
PLAIN = [sc.Normal(-0.45, 0.2), sc.LogNormal(6, 0.5), sc.Uniform(9, 15), sc.Beta(1.5, 4)]
SAID = [
    sc.Quantiles({0.05: -0.3, 0.5: -0.1}),
    sc.Quantiles({0.05: -0.6, 0.5: -0.2, 0.95: -0.05}),
    sc.Percent(sc.Normal(-9, 5)),
    sc.Percent(-30),
    sc.Fixed(3),
    sc.Percent(BAND),
    sc.Dose(-40, sc.Uniform(0, 0.84)),
    sc.Dose(25, sc.Beta(2, 3)),
    sc.Dose(-40, 0.5),
]
TIMES = sc.Quantiles({0.05: 1, 0.95: 12}, "positive")
SHARES = sc.Quantiles({0.1: 0.05, 0.5: 0.2, 0.9: 0.6}, "unit")
levels = st.tuples(st.floats(0.01, 0.3), st.floats(0.35, 0.65), st.floats(0.7, 0.99))
changes = st.floats(-79, 390).filter(lambda x: abs(x) > 1e-5)
up = st.floats(0.5, 20)
rising = st.tuples(st.floats(-50, 50), up, up).map(lambda x: tuple(np.cumsum(x).tolist()))


def of_file(**keys):
    text = yaml.safe_dump({"name": "s", "interventions": [{"name": "x", **keys}]})
    return sc.parse_scenarios(text)[0].interventions[0]


@pytest.mark.parametrize("prior", [*PLAIN, *SAID, TIMES, SHARES], ids=str)
def test_draws_have_the_moments_they_claim(prior):
    drawn = prior.draw(np.random.default_rng(1), 200_000)
    assert drawn.mean() == pytest.approx(prior.mean, abs=0.02 * max(1, abs(prior.mean)))
    assert drawn.std() == pytest.approx(prior.sd, rel=0.03, abs=1e-9)


@given(change=changes, sd=st.floats(1e-3, 0.3), small=st.booleans())
def test_a_percent_reads_back_however_small(change, sd, small):
    one = sc.Percent(sc.Normal(change / 1000 if small else change, sd))
    assert of_file(**one.to_dict()).size == one
    assert of_file(**sc.Percent(change).to_dict()).size == sc.Percent(change)


@given(p=levels, first=st.floats(-40, 5), up=st.floats(0.5, 20), ratio=st.floats(0.2, 5))
def test_three_quantiles_are_met_and_rise(p, first, up, ratio):
    z = [sc.Normal(0, 1).ppf(np.array(x)) for x in p]
    values = (first, first + up, first + up + up * ratio * (z[2] - z[1]) / (z[1] - z[0]))
    said = sc.Quantiles(tuple(zip(p, values)))
    assert said.ppf(np.array(p)) == pytest.approx(values, abs=1e-6 * (values[2] - values[0]))
    assert (np.diff(said.ppf(np.linspace(0.001, 0.999, 500))) > 0).all()


def test_two_quantiles_are_met_by_a_normal_and_more_are_met_or_refused():
    near = {0.05: -30, 0.25: -15, 0.5: -10, 0.75: -5, 0.95: 3}
    said = sc.Quantiles(near)
    miss = said.ppf(np.array(list(near))) - np.array(list(near.values()))
    assert np.abs(miss).max() < TOLERANCE * 33
    assert "5%: -30, 25%: -15" in str(said)
    assert "with 5%: -29.6, 25%: -16.4" in str(said)
    with pytest.raises(ScenarioError, match=r"no smooth .* the nearest has 5%: -33, 25%: -16"):
        sc.Quantiles({0.05: -30, 0.25: -29, 0.5: 5, 0.95: 6})
    u = np.linspace(0.01, 0.99, 99)
    assert BAND.ppf(u) == pytest.approx(sc.Normal(-10, 20 / 1.6448536269514722).ppf(u), abs=1e-9)
    assert str(sc.Percent(BAND)) == "5%: -30%, 50%: -10%; fitted Normal(-10%, 12.16%)"


def test_times_stay_above_zero_and_shares_within_one():
    u = np.array([1e-9, 0.05, 0.5, 0.95, 1 - 1e-9])
    assert (TIMES.ppf(u) > 0).all()
    assert TIMES.ppf(u)[[1, 3]] == pytest.approx([1, 12])
    assert str(TIMES) == "5%: 1, 95%: 12; fitted LogNormal(3.464, 0.7554)"
    assert ((SHARES.ppf(u) > 0) & (SHARES.ppf(u) < 1)).all()
    assert SHARES.ppf(np.array([0.1, 0.5, 0.9])) == pytest.approx([0.05, 0.2, 0.6])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (7, "quantiles is 7, allowed: two or more"),
        ({0.05: -10, 0.5: -10}, "allowed: values that rise"),
        (((0.05, 1), (0.05, 2)), "5% is given twice"),
        ({0: 1, 0.5: 2}, "allowed: above 0% and below 100%"),
        ({0.5: 1, 1: 2}, "1 is no quantile"),
        ({0.05: -math.inf, 0.5: 1}, "5% is -inf, allowed: a number up to"),
    ],
)
def test_quantiles_nobody_can_mean(points, words):
    with pytest.raises(ScenarioError) as caught:
        sc.Quantiles(points)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (-30, sc.Percent(-30)),
        ("-30%", sc.Percent(-30)),
        ("−30%", sc.Percent(-30)),
        ("-0.3%", sc.Percent(-0.3)),
        (0, sc.Percent(0)),
        ({"normal": [-9, 5]}, sc.Percent(sc.Normal(-9, 5))),
        ({"normal": ["-9%", "5%"]}, sc.Percent(sc.Normal(-9, 5))),
        ({"normal": {"mean": "-0.09%", "sd": "0.05%"}}, sc.Percent(sc.Normal(-0.09, 0.05))),
        ({"quantiles": {"5%": "-30%", "50%": -10}}, sc.Percent(BAND)),
        ({"quantiles": {"0.05": -30, "0.5": -10}}, sc.Percent(BAND)),
    ],
)
def test_ways_to_say_a_percent(value, same):
    assert of_file(percent=value).size == same


def test_a_percent_and_a_dose_are_of_deaths_at_full_strength():
    assert sc.Percent(-30).ppf(np.array(0.5)) == pytest.approx(math.log(0.7))
    assert sc.Percent(-30).sd == 0.0
    change = 100 * np.expm1(sc.Percent(sc.Normal(-9, 5)).ppf(np.array([0.5, 0.05])))
    assert change == pytest.approx([-9, -9 - 5 * 1.6448536])
    dose, u = sc.Dose(-40, sc.Uniform(0, 0.84)), np.array([0.0, 0.25, 1.0])
    assert dose.ppf(u) == pytest.approx(math.log(0.6) * 0.84 * (1 - u))
    assert (np.diff(dose.ppf(np.linspace(0, 1, 50))) > 0).all()
    assert sc.Dose(-40, 1).ppf(np.array(0.3)) == pytest.approx(math.log(0.6))
    assert sc.Dose(25, sc.Uniform(0, 1)).ppf(u) == pytest.approx(math.log(1.25) * u)
    assert of_file(size=-0.1, share="40%").share == sc.Fixed(0.4)
    assert of_file(size=-0.1, share={"uniform": ["20%", "60%"]}).share == sc.Uniform(0.2, 0.6)
    said = of_file(size=-0.1, share={"quantiles": {"5%": "10%", "95%": "60%"}}).share
    assert said.scale == "unit"


DAY = "2025-10-02"
LEVELS = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
FILE = """
name: s
interventions:
  - name: cut
    onset: 2026-03
    percent:
      judgements:
        - {who: A, date: 2025-10-02, quartiles: [-30%%, -20%%, -5%%]}
        - {who: B, date: 2025-10-03, quartiles: [-60%%, -50%%, -40%%], weight: %s}
    p_null:
      judgements:
        - {who: A, date: 2025-10-02, quartiles: [20%%, 35%%, 50%%]}
        - {who: B, date: 2025-10-03, quartiles: [10%%, 20%%, 30%%], weight: %s}
"""


def pool(*quartiles, weights=None, scale="real"):
    each = enumerate(zip(quartiles, weights or [1.0] * len(quartiles)))
    return sc.Judgements([sc.Judgement(f"person {i}", DAY, q, w) for i, (q, w) in each], scale)


def test_the_pool_is_the_weighted_mean_of_the_distribution_functions():
    """Two normals of quartiles 0 ± 1 and 100 ± 1: three quarters of the pool are the second."""
    two = pool((-1, 0, 1), (99, 100, 101), weights=(1, 3))
    # Of the pool's lower quarter all is the first person's; its median is the pool's 12.5% point.
    assert two.ppf(np.array(0.125)) == pytest.approx(0.0, abs=1e-9)
    # The pool's 62.5% point: (0.625 - 0.25) / 0.75 = one half of the second person's.
    assert two.ppf(np.array(0.625)) == pytest.approx(100.0)
    assert two.ppf(np.array(0.25 / 4)) == pytest.approx(-1.0)
    assert two.mean == pytest.approx(75.0)
    sd = 1 / 0.6744897501960817
    assert two.sd == pytest.approx(np.sqrt(sd**2 + 0.25 * 0.75 * 100**2), rel=1e-3)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(rising, st.floats(0.1, 10)), min_size=1, max_size=4), st.floats(0.1, 50))
def test_a_pool_rises_and_its_weights_have_no_scale(said, factor):
    one = pool(*(q for q, _ in said), weights=[w for _, w in said])
    other = pool(*(q for q, _ in said), weights=[factor * w for _, w in said])
    values = one.ppf(LEVELS)
    np.testing.assert_allclose(other.ppf(LEVELS), values, rtol=1e-6, atol=1e-6)
    assert (np.diff(values) > 0).all()
    own = np.array([one.fit(x).ppf(LEVELS) for x in one.people])
    assert (own.min(axis=0) <= values).all()
    assert (values <= own.max(axis=0)).all()
    mixed = sum(w * one.fit(x).cdf(values) for w, x in zip(one.weights, one.people))
    np.testing.assert_allclose(mixed, LEVELS, atol=1e-6)


def test_a_file_keeps_the_record():
    (made,) = sc.parse_scenarios(FILE % (2, 2))
    x = made.interventions[0]
    assert isinstance(x.size, sc.Percent)
    assert x.p_null == pytest.approx(pool((0.2, 0.35, 0.5), (0.1, 0.2, 0.3), weights=(1, 2),
                                          scale="unit").mean)  # fmt: skip
    assert x.owner == "The judgment of A and another"
    assert [p.date for p in x.judgements.people] == ["2025-10-02", "2025-10-03"]
    for suffix in (".yaml", ".toml"):
        text = sc.dump_scenarios(made, suffix)
        (back,) = sc.parse_scenarios(text, suffix)
        assert (back, back.hash) == (made, made.hash)
        assert sc.dump_scenarios(back, suffix) == text
        assert back.interventions[0].judgements == x.judgements
    assert pickle.loads(pickle.dumps(made)).interventions[0].judgements.people


def test_judgements_in_python_are_those_of_a_file_and_the_hash_knows_no_names():
    (made,) = sc.parse_scenarios(FILE % (2, 2))
    first, second = (0.2, 0.35, 0.5), (0.1, 0.2, 0.3)
    people = (sc.Judgement("A", DAY, first), sc.Judgement("B", "2025-10-03", second, 2))
    # The scale of the quantity is the key's, whatever Python says.
    assert cut(p_null=sc.Judgements(people)).p_null == made.interventions[0].p_null
    assert "pooled quartiles" in str(made.interventions[0].size)
    renamed = (FILE % (2, 2)).replace("who: B", "who: C").replace("-03,", "-04,")
    assert sc.parse_scenarios(renamed)[0].hash == made.hash
    assert sc.parse_scenarios(FILE % (3, 2))[0].hash != made.hash
    said = cut(needs="a", sign="b", stop="c")
    assert sc.Scenario("s", (said,)).hash == sc.Scenario("s", (cut(),)).hash


def cut(**keys):
    return sc.Intervention("cut", sc.Fixed(-0.1), onset="2026-03", **keys)


def judged(**keys):
    return sc.Judgement(**{"who": "A", "date": DAY, "quartiles": (1, 2, 3), **keys})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: judged(who=" "), "who is ' '"),
        (lambda: judged(date=20251002.5), "date is"),
        (lambda: judged(weight=-1), "weight is -1, allowed: above 0"),
        (lambda: judged(quartiles=3), "quartiles are 3"),
        (lambda: sc.Judgements(()), r"judgements is \(\), allowed"),
        (
            lambda: cut(p_null=sc.Judgements([judged()])),
            r"p_null.judgements\[1\]: .* 0 and below 1",
        ),
        (lambda: sc.Fixed(math.nan), None),
        (lambda: sc.Normal(math.inf, 1), None),
        (lambda: sc.Normal(0, math.inf), None),
        (lambda: sc.Uniform(0, math.inf), None),
        (lambda: sc.LogNormal(math.inf, 1), None),
        (lambda: sc.Fixed("1"), None),
        (lambda: sc.Percent("-30"), None),
        (lambda: sc.Dose(math.nan, 1), None),
        (lambda: sc.Quantiles({0.5: 1, 0.6: 2}, "odd"), None),
    ],
)
def test_no_prior_is_made_of_what_is_none(make, said):
    with pytest.raises(ScenarioError, match=said):
        make()
