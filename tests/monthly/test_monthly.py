"""Rolling sums to months and back: exact identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import odforecast as od
from odforecast.errors import DataError
from odforecast.monthly.sums import recover_months, rolling_sums

months_arrays = st.integers(12, 60).flatmap(
    lambda n: arrays(np.int64, (2, n), elements=st.integers(0, 400))
)


@given(months_arrays)
@settings(max_examples=200, deadline=None)
def test_rolling_sums_of_recovered_months_give_the_input_exactly(months):
    sums = rolling_sums(months)
    recovered = recover_months(sums)
    assert (rolling_sums(recovered) == sums).all()
    assert (recovered >= 0).all()
    assert (recovered == np.round(recovered)).all()


@given(months_arrays)
@settings(max_examples=100, deadline=None)
def test_recovered_months_differ_from_the_true_ones_by_twelve_constants(months):
    error = recover_months(rolling_sums(months)) - months
    for k in range(12):
        column = error[:, k::12]
        assert (column == column[:, :1]).all()
    assert (error[:, :12].sum(axis=1) == 0).all()


@given(months_arrays, st.data())
@settings(max_examples=100, deadline=None)
def test_gaps_inside_a_row_leave_the_published_sums_exact(months, data):
    sums = rolling_sums(months)
    if sums.shape[1] < 3:
        return
    holes = data.draw(st.sets(st.integers(1, sums.shape[1] - 2), max_size=4))
    sums[0, list(holes)] = np.nan
    try:
        recovered = recover_months(sums)
    except DataError:
        # Rounding a filled gap can leave no room for non-negative months; it is said, not hidden.
        return
    seen = ~np.isnan(sums)
    assert (rolling_sums(recovered)[seen] == sums[seen]).all()
    assert (recovered >= 0).all()


def test_gaps_at_the_ends_stay_missing_and_flat_sums_give_flat_months():
    sums = np.full((3, 20), 24.0)
    sums[0, :3] = sums[0, 15:] = sums[1] = np.nan
    recovered = recover_months(sums)
    there = np.zeros((3, 31), dtype=bool)
    there[0, 3:26] = there[2] = True
    assert (np.isfinite(recovered) == there).all()
    assert (recovered[there] == 2.0).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: recover_months(np.array([[100.0, 0.0, 100.0, 0.0, 100.0]])), "contradict"),
        (lambda: recover_months(np.array([[5.0, -1.0]])), "negative"),
        (lambda: recover_months(np.ones(5)), r"sums must be \(locations, months\)"),
        (lambda: rolling_sums(np.ones(11)), "at least 12"),
    ],
)
def test_what_are_no_sums(call, said):
    with pytest.raises(DataError, match=said):
        call()


def test_a_later_month_changes_only_the_constants(bundled_figures):
    sums = bundled_figures.pivot(index="state", columns="month", values="reported")
    early, late = (recover_months(sums.iloc[:, :n].to_numpy()) for n in (80, 110))
    shift = late[:, : early.shape[1]] - early
    for k in range(12):
        column = shift[:, k::12]
        assert (column == column[:, :1]).all()


@pytest.fixture(scope="module")
def bundled_figures():
    return od.bundled().as_of("2025-09-17").rows("all-drugs")


def test_every_bundled_jurisdiction_is_exact(bundled_figures):
    sums = bundled_figures.pivot(index="state", columns="month", values="reported").to_numpy()
    recovered = recover_months(sums)
    assert recovered.shape == (53, 135)
    assert (rolling_sums(recovered) == sums).all()
    assert (recovered >= 0).all()
