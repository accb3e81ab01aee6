from __future__ import annotations

import arviz_base as az
import numpy as np
import pytest

from odforecast.models.hierarchy.model import Limits, convergence, predictive_table


def sample(x: np.ndarray, divergent: int = 0):
    flags = np.zeros(x.shape[:2], bool)
    flags.flat[:divergent] = True
    return az.from_dict({"posterior": {"x": x}, "sample_stats": {"diverging": flags}})


def test_a_good_sample_passes() -> None:
    result = convergence(sample(np.random.default_rng(0).normal(size=(4, 1000, 3))))
    assert result.passed
    assert result.table.loc["x", "ess_bulk"] > 3000


def test_chains_apart_are_seen() -> None:
    x = np.random.default_rng(0).normal(size=(4, 1000))
    x[0] += 1.0
    result = convergence(sample(x))
    assert any("r_hat" in w and "(x" in w for w in result.warnings)


def test_few_draws_are_seen() -> None:
    result = convergence(sample(np.random.default_rng(0).normal(size=(4, 50))))
    assert any("ess_bulk" in w for w in result.warnings)
    loose = Limits(r_hat=1.2, ess_bulk=50, ess_tail=50)
    assert convergence(sample(np.random.default_rng(0).normal(size=(4, 50))), loose).passed


def test_divergences_are_seen() -> None:
    result = convergence(sample(np.random.default_rng(0).normal(size=(4, 1000)), divergent=3))
    assert result.divergences == 3
    assert any("3 divergent" in w for w in result.warnings)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_quantity_that_never_moved_fails() -> None:
    assert not convergence(sample(np.ones((4, 1000)))).passed


def test_predictive_table_flags_data_unlike_the_model() -> None:
    rng = np.random.default_rng(0)
    fake = rng.poisson(20.0, size=(300, 1, 60)).astype(float)
    wild = rng.negative_binomial(1.0, 1 / 21, size=(1, 60)).astype(float)
    table = predictive_table(wild, np.ones((1, 60), bool), fake, ("OH",)).set_index("statistic")
    assert table.at["sd of monthly log change", "p"] < 0.01
