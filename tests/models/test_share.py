"""The share of a drug class: each step by hand, or against dense algebra."""

import numpy as np
import pytest

from odforecast.models.statespace import share as shares
from odforecast.models.statespace.share import (
    Inputs,
    ShareScales,
    draw_parts,
    months_of_sums,
    part_of,
    ratio_around,
    share_filter,
    smooth_rise,
    within_bounds,
)

#: own, us, slope, damp, noise, pull, late, late_shared, late_own
SCALES = ShareScales(0.06, 0.04, 0.005, 0.98, 0.1, 1.3, 1.25, 0.25, 0.1)


def inputs_of(units, others, **arrays) -> Inputs:
    return Inputs(
        panel=None, units=units, others=others, adds_up=bool(others), skipped={}, **arrays
    )


def test_what_the_filter_is_given_by_hand(monkeypatch) -> None:
    parts = np.full((2, 14), 4.0)
    parts[1, 0] = np.nan
    late = np.zeros((2, 14))
    late[:, 13] = 5.0, -5.0
    inputs = inputs_of(
        ("OH", "US"), ("WV", "CT", "VT", "ME"), parts=parts, wholes=np.full((2, 14), 10.0),
        rise=np.zeros((2, 14)), late=late, share=np.array([0.4, 0.2]), years=np.array([1.0, 5.0]),
        shown=parts,
    )  # fmt: skip
    seen = []
    monkeypatch.setattr(shares, "share_filter", lambda *given: (seen.append(given), 7.0)[1])
    assert inputs.filtered(SCALES)[2] == 7.0
    *_, first, own, innovations, mean, cov, left, _, noise = seen[0]
    assert first.tolist() == [0, 1]
    np.testing.assert_allclose(own, [0.06, 0.03])  # four places: the root of their number
    np.testing.assert_allclose(innovations, [0.04, 0.005, 0.98, 0.1, 1.3])
    # 48 and a half of 120 and one; 0.005² / (1 - 0.98²) is less than 0.03²; (0.25 / 1.25)².
    np.testing.assert_allclose(mean, [*[np.log(48.5 / 72.5)] * 2, 0.0, 0.0])
    np.testing.assert_allclose(cov, np.diag([0.0, 0.0, 0.000025 / 0.0396, 0.04]))
    np.testing.assert_allclose(left, [1 - 1 / 1.01, 0.8])
    # (0.1 * 5)² and 5 * (1 - 0.4) of Ohio.
    np.testing.assert_allclose(noise[:, 13], [0.25 + 3.0, 0.25 + 4.0])
    assert (noise[:, :13] == 0).all()


@pytest.mark.parametrize(("n_others", "factor"), [(0, 0.19), (4, 0.5), (50, 0.19)])
def test_a_nation_averages_its_places(n_others, factor) -> None:
    blank = dict.fromkeys(("parts", "wholes", "rise", "late", "share", "years", "shown"))
    inputs = inputs_of(("PR", "OH", "US"), ("x",) * n_others, **blank)
    np.testing.assert_allclose(inputs.own(SCALES), [0.06, 0.06, 0.06 * factor])
    assert inputs.inside.tolist() == [False, True, True]


def test_the_filter_equals_dense_algebra() -> None:
    rng, n = np.random.default_rng(3), 16
    us, slope, damp, extra, pull = innovations = np.array([0.04, 0.03, 0.9, 0.1, 1.3])
    wholes = rng.uniform(60, 90, (2, n))
    parts = np.round(wholes * rng.uniform(0.2, 0.5, (2, n)))
    parts[0, 5], parts[0, 14], parts[1, 15] = np.nan, 85.0, 0.0
    wholes[1, 15] = 400.0  # misses of more than one either way: their logarithm is taken
    wholes[0, 7] = 0.4  # hardly a death
    rise, late = 0.03 * rng.standard_normal((2, n)), np.zeros((2, n))
    late[:, 13:] = rng.uniform(1, 9, (2, 3))
    noise, left = late**2, np.array([0.8, 0.9])
    first, own, start = np.array([0, 3]), np.array([0.06, 0.03]), np.array([-0.5, -0.8])
    mean, cov = np.array([*start, 0.01, 0.0]), np.diag([0.0, 0.0, 0.0009, 0.04])
    m, p, total = mean.copy(), cov.copy(), 0.0
    more = (mean, cov, left, late, noise)
    loglik = share_filter(parts, wholes, rise, first, own, innovations, *more)
    move = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, damp, 0], [0, 0, 0, 1.0]])
    added = np.diag([*own**2, slope**2, 0.0])
    added[:2, :2] += us**2
    for t in range(n):
        m = move @ m + pull * np.array([*rise[:, t], 0.0, 0.0])
        p = move @ p @ move.T + added
        for i in range(2):
            if t == first[i]:
                m[i], p[i], p[:, i] = start[i], 0.0, 0.0
                p[i, i] = 0.09
            if t < first[i] or np.isnan(parts[i, t]) or wholes[i, t] < 0.5:
                continue
            share = 1 / (1 + np.exp(-m[i]))
            v = wholes[i, t] * share * (1 - share)
            load = np.zeros(4)
            load[[i, 3]] = 1.0, -late[i, t] / v
            gap = (parts[i, t] - wholes[i, t] * share) / v - load[3] * m[3]
            gap = gap if abs(gap) <= 1 else np.sign(gap) * (1 + np.log(abs(gap)))
            spread = load @ p @ load + (1 / v + extra**2) * left[i] + noise[i, t] / v**2
            total -= 0.5 * (np.log(spread) + gap**2 / spread) * (t >= first[i] + 12)
            m, p = m + p @ load * gap / spread, p - np.outer(p @ load, load @ p) / spread
    np.testing.assert_allclose(mean, m, rtol=1e-9)
    np.testing.assert_allclose(cov, p, atol=1e-12)
    assert loglik == pytest.approx(total)


def test_a_smoothed_level_equals_dense_algebra() -> None:
    months = np.random.default_rng(5).poisson(30, (1, 12)).astype(float)
    months[0, [0, 4, 11]] = np.nan, np.nan, 0.0
    seen = ~np.isnan(months[0, 1:])
    y = np.log(np.where(seen, months[0, 1:], 1.0) + 0.5)
    precision = np.where(seen, 1 / (1 / np.exp(y) + 0.2**2), 0.0)
    steps = np.diff(np.eye(11), axis=0)
    level = np.linalg.solve(steps.T @ steps / 0.1**2 + np.diag(precision), precision * y)
    found = smooth_rise(months, 0.1, 0.2)[0]
    np.testing.assert_allclose(found, [0.0, 0.0, *np.diff(level)], atol=1e-12)


def test_months_and_shares_of_sums_by_hand() -> None:
    # A twelfth of 13 deaths to the whole one, then the first month and -1, the second and 3.
    found = months_of_sums(np.array([[np.nan, 13.0, 12.0, 15.0], [1.0, 1.0, 1.0, np.nan]]))
    assert found[0, 1:].tolist() == [1.0] * 11 + [2.0, 0.0, 4.0]
    assert np.isnan(found[0, 0])
    assert np.isnan(found[1]).all()
    # Twelve months from the first, second, third on: 78, 90, 102 of 2,400.
    parts = np.tile(np.arange(1.0, 15.0), (3, 1))
    parts[1, 0] = np.nan
    parts[2] = 200.0
    around = ratio_around(parts, np.full((3, 14), 200.0))
    shares = np.array([78.5, 90.5, 102.5]) / 2401
    np.testing.assert_allclose(around[0], shares[[0] * 7 + [1] + [2] * 6])
    np.testing.assert_allclose(around[1], shares[[1] * 8 + [2] * 6])
    assert (around[2] == 0.995).all()
    assert (ratio_around(0 * parts[:1], np.full((1, 14), 200.0)) == 0.005).all()


def test_a_part_of_each_month_is_drawn_as_on_paper() -> None:
    # Eleven months before, one that is counted and one ahead; a place and a rest.
    whole = np.array([[100.0] * 13, [5.0] * 13])
    reported, shown = whole[:, :12].copy(), np.array([[20.0] * 12, [2.0] * 12])
    whole[0, [0, 11, 12]] = 104.0, 116.0, 1_000.0
    whole[1, [0, 11, 12]] = -2.0, 3.0, 0.0
    reported[1, [0, 11]] = -2.0, 1.0
    shown[1, 11] = 4.0
    f32 = {"dtype": np.float32}
    out = np.zeros((1, 3, 13))
    draw_parts(
        np.array([[np.log(1 / 3), 0.0]], **f32),
        np.array([[0.1]], **f32),
        np.array([[[0.25], [0.0]]], **f32),
        np.array([[2.0, 1.0]], **f32),
        np.array([[[1.0, 0.4, 2.0], [0.0, 0.0, 0.0]]], **f32),
        np.array([2.0, 0.1]),
        np.array([0.5, 0.5]),
        np.array([0.21, 0.0]),
        whole[None],
        np.array([0, 1]),
        reported,
        shown,
        np.array([1, -1]),
        2,
        np.array([True, True]),
        out,
    )
    assert (out[0, 0] == 0).all()
    place = [20.0] * 13
    place[0] = 20 + 4 * 0.25 * 2
    place[11] = 20 + 16 * 0.25 * 2 + np.sqrt(16 * 0.25 * 0.75)
    # The log-odds: -log 3 + 0.1 + 0.5 * 0.4 + 2 * 0.25; the binomial's variance and its tenth
    # squared, by 1.21; the skewness of a share, (2² - 1) / 6 of it.
    p = 1 / (1 + 3 * np.exp(-0.8))
    v = 1_000 * p * (1 - p)
    place[12] = 1_000 * p + 2 * 1.1 * np.sqrt(v + (0.1 * v) ** 2) + (1 - 2 * p) / 2
    np.testing.assert_allclose(out[0, 1], place, rtol=1e-5)
    # None of no deaths, all of three though four were shown, -2 of -2.
    rest = np.array([-2.0, *[2.0] * 10, 3.0, 0.0])
    np.testing.assert_allclose(out[0, 2], place + rest, rtol=1e-5)


@pytest.mark.parametrize(
    ("p", "z", "deaths"),
    [
        # Of ten deaths at 10%: none with a chance of .349, one of .387, two of .194.
        (0.1, -1.0, 0.0),
        (0.1, 0.0, 1.0),
        (0.1, 1.0, 2.0),
        # The other way round at 90%.
        (0.9, 1.0, 10.0),
        (0.9, 0.0, 9.0),
        (0.9, -1.0, 8.0),
        # At 52%, at most 3 have a chance of .141 and 4 of .329; 6 of .793 and 7 of .930.
        (0.52, -1.0, 4.0),
        (0.52, 1.0, 7.0),
    ],
)
def test_a_small_part_is_binomial_by_hand(p, z, deaths):
    assert part_of(10.0, p, 0.0, 0.0, z) == pytest.approx(deaths)


def test_the_nearest_values_within_bounds_add_up_to_zero_by_hand():
    low, high = np.full((2, 3), -2.0), np.full((2, 3), 2.0)
    found = within_bounds(np.array([[5.0, -1.0, -1.0], [4.0, 0.0, -1.0]]), low, high)
    np.testing.assert_allclose(found, [[2.0, -1.0, -1.0], [2.0, -0.5, -1.5]], atol=1e-9)
