from __future__ import annotations

import re

import arviz_base as az
import numpy as np
import pytest

from odforecast.models.hierarchy.model import Limits, convergence, predictive_table

X = np.random.default_rng(0).normal(size=(4, 1000))
FEW = X[:, :50]


def sample(x: np.ndarray, divergent: int = 0):
    flags = np.zeros(x.shape[:2], bool)
    flags.flat[:divergent] = True
    return az.from_dict({"posterior": {"x": x}, "sample_stats": {"diverging": flags}})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("x", "divergent", "says"),
    [
        (X + np.array([[1.0], [0], [0], [0]]), 0, r"r_hat .* is above 1.01 \(x\)"),
        (FEW, 0, "ess_bulk .* is below 400"),
        (X, 3, "3 divergent transitions"),
        (np.ones((4, 1000)), 0, "not converged"),  # it never moved
    ],
)
def test_a_bad_sample_is_called_so(x, divergent, says) -> None:
    result = convergence(sample(x, divergent))
    assert not result.passed
    assert result.divergences == divergent
    assert any(re.search(says, text) for text in result.warnings)


def test_a_good_sample_passes_and_limits_can_be_set() -> None:
    result = convergence(sample(X))
    assert result.passed
    assert result.table.loc["x", "ess_bulk"] > 3000
    assert convergence(sample(FEW), Limits(r_hat=1.2, ess_bulk=50, ess_tail=50)).passed


def test_predictive_table_flags_data_unlike_the_model() -> None:
    rng = np.random.default_rng(0)
    fake = rng.poisson(20.0, size=(300, 1, 60)).astype(float)
    wild = rng.negative_binomial(1.0, 1 / 21, size=(1, 60)).astype(float)
    table = predictive_table(wild, np.ones((1, 60), bool), fake, ("OH",)).set_index("statistic")
    assert table.at["sd of monthly log change", "p"] < 0.01
