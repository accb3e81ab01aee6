"""Judgements of several people, pooled: the mixture, its files, its owner."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odforecast.errors import ScenarioError
from odforecast.scenario import (
    Fixed,
    Intervention,
    Judgement,
    Judgements,
    Percent,
    Scenario,
    dump_scenarios,
    parse_scenarios,
)

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
    people = [
        Judgement(f"person {i}", DAY, q, w)
        for i, (q, w) in enumerate(zip(quartiles, weights or [1.0] * len(quartiles)))
    ]
    return Judgements(people, scale)


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


rising = st.tuples(st.floats(-50, 50), st.floats(0.5, 20), st.floats(0.5, 20)).map(
    lambda x: (x[0], x[0] + x[1], x[0] + x[1] + x[2])
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(rising, st.floats(0.1, 10)), min_size=1, max_size=4), st.floats(0.1, 50))
def test_a_pool_rises_and_its_weights_have_no_scale(said, factor):
    one = pool(*(q for q, _ in said), weights=[w for _, w in said])
    other = pool(*(q for q, _ in said), weights=[factor * w for _, w in said])
    values = one.ppf(LEVELS)
    np.testing.assert_allclose(other.ppf(LEVELS), values, rtol=1e-6, atol=1e-6)
    assert (np.diff(values) > 0).all()
    own = np.array([one.of(x).ppf(LEVELS) for x in one.people])
    assert (own.min(axis=0) <= values).all()
    assert (values <= own.max(axis=0)).all()
    mixed = sum(w * one.of(x).cdf(values) for w, x in zip(one.weights, one.people))
    np.testing.assert_allclose(mixed, LEVELS, atol=1e-6)


def test_a_file_keeps_the_record():
    (made,) = parse_scenarios(FILE % (2, 2))
    x = made.interventions[0]
    assert isinstance(x.size, Percent)
    assert x.p_null == pytest.approx(pool((0.2, 0.35, 0.5), (0.1, 0.2, 0.3), weights=(1, 2),
                                          scale="unit").mean)  # fmt: skip
    assert x.owner == "The judgement of A and another"
    assert [p.date for p in x.p_null.judgements.people] == ["2025-10-02", "2025-10-03"]
    for suffix in (".yaml", ".toml"):
        text = dump_scenarios(made, suffix)
        (back,) = parse_scenarios(text, suffix)
        assert back == made
        assert back.hash == made.hash
        assert dump_scenarios(back, suffix) == text
        assert back.interventions[0].p_null.judgements == x.p_null.judgements
    assert pickle.loads(pickle.dumps(made)).interventions[0].p_null.judgements.people


def test_the_hash_counts_what_was_judged_and_not_by_whom():
    (made,) = parse_scenarios(FILE % (2, 2))
    (other,) = parse_scenarios((FILE % (2, 2)).replace("who: B", "who: C").replace("-03,", "-04,"))
    assert other.hash == made.hash
    assert parse_scenarios(FILE % (3, 2))[0].hash != made.hash
    cut = Intervention("cut", Fixed(-0.1), onset="2026-03")
    said = Intervention("cut", Fixed(-0.1), onset="2026-03", needs="a", sign="b", stop="c")
    assert Scenario("s", (said,)).hash == Scenario("s", (cut,)).hash


def test_judgements_in_python_are_those_of_a_file():
    (made,) = parse_scenarios(FILE % (2, 2))
    people = (
        Judgement("A", "2025-10-02", (0.2, 0.35, 0.5)),
        Judgement("B", "2025-10-03", (0.1, 0.2, 0.3), 2),
    )
    # The scale of the quantity is the key's, whatever Python says.
    x = Intervention("cut", Fixed(-0.1), onset="2026-03", p_null=Judgements(people))
    assert x.p_null == made.interventions[0].p_null
    assert "pooled quartiles" in str(made.interventions[0].size)
    for wrong, said in (
        ({"who": " "}, "who is ' '"), ({"date": 20251002.5}, "date is"),
        ({"weight": -1}, "weight is -1, allowed: above 0"), ({"quartiles": 3}, "quartiles are 3"),
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match=said):
            Judgement(**{"who": "A", "date": DAY, "quartiles": (1, 2, 3), **wrong})
    with pytest.raises(ScenarioError, match="judgements is \\(\\), allowed"):
        Judgements(())
    with pytest.raises(ScenarioError, match=r"p_null.judgements\[1\]: .* above 0 and below 1"):
        Intervention("cut", Fixed(-0.1), p_null=Judgements([Judgement("A", DAY, (1, 2, 3))]))
