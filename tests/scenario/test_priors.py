from __future__ import annotations

import numpy as np
import pytest

from odforecast.errors import ScenarioError
from odforecast.scenario import Beta, Fixed, LogNormal, Normal, SpikeSlab, Uniform
from odforecast.scenario.priors import parse_prior

ALL = [Normal(-0.45, 0.2), LogNormal(6, 0.5), Uniform(9, 15), Beta(1.5, 4), Fixed(3)]


@pytest.mark.parametrize("prior", ALL, ids=str)
def test_draws_have_the_moments_they_claim(prior):
    drawn = prior.draw(np.random.default_rng(1), 200_000)
    assert drawn.mean() == pytest.approx(prior.mean, abs=0.02 * max(1, abs(prior.mean)))
    assert drawn.std() == pytest.approx(prior.sd, abs=0.03 * max(0.1, prior.sd))


@pytest.mark.parametrize("prior", ALL, ids=str)
def test_plain_form_reads_back(prior):
    assert parse_prior(prior.to_dict(), "x") == prior


def test_evidence_lognormal_has_the_median_it_names():
    assert float(LogNormal(30, 0.7).ppf(np.array(0.5))) == pytest.approx(30)


def test_spike_and_slab_moments():
    prior = SpikeSlab(Normal(-0.45, 0.2), 0.1)
    rng = np.random.default_rng(2)
    drawn = prior.draw(rng.random(300_000), rng.random(300_000))
    assert (drawn == 0).mean() == pytest.approx(0.1, abs=0.005)
    assert drawn.mean() == pytest.approx(prior.mean, abs=0.003)
    assert drawn.std() == pytest.approx(prior.sd, abs=0.003)


@pytest.mark.parametrize("prior", ALL, ids=str)
def test_pymc_variable_is_the_same_distribution(prior):
    pm = pytest.importorskip("pymc")
    with pm.Model():
        variable = prior.to_pymc("x")
        drawn = pm.draw(variable, draws=4000, random_seed=1)
    assert np.mean(drawn) == pytest.approx(prior.mean, abs=5 * prior.sd / 60 + 1e-9)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"gamma": [1, 2]}, "unknown distribution 'gamma'"),
        ({"normal": [0]}, "allowed: mean, sd"),
        ({"normal": [0, -1]}, "sd is -1, allowed: above 0"),
        ({"uniform": [3, 2]}, "must lie below"),
        ({"normal": {"mean": 0, "sigma": 1}}, "allowed: exactly mean, sd"),
        ("six", "allowed: a number or one distribution"),
        (True, "allowed: a number or one distribution"),
        (float("nan"), "allowed: a number or one distribution"),
        ({"normal": [1, 1]}, "allowed: 0 or more"),
    ],
)
def test_mistakes_name_the_key(value, words):
    with pytest.raises(ScenarioError, match="lag") as caught:
        parse_prior(value, "lag", low=0.0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fixed_has_no_density():
    with pytest.raises(ScenarioError, match="no density"):
        Fixed(1).pdf(np.zeros(1))
