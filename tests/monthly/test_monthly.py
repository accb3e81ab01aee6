"""Rolling sums to months and back: exact identities, and months with their uncertainty."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import odforecast as od
from odforecast.errors import DataError
from odforecast.monthly.sums import recover_months, rolling_sums
from odforecast.vintage.recover import draw_truncated, pin_months

FIRST = np.datetime64("2014-02")
HOLES = st.sets(st.integers(0, 60), max_size=4)
COUNTS = st.integers(12, 60).flatmap(
    lambda n: arrays(np.int64, (2, n), elements=st.integers(0, 400))
)


@given(COUNTS)
@settings(max_examples=200)
def test_recovered_months_give_the_sums_exactly_and_differ_by_twelve_constants(months):
    sums = rolling_sums(months)
    recovered = recover_months(sums)
    assert (rolling_sums(recovered) == sums).all()
    assert (recovered >= 0).all()
    assert (recovered == np.round(recovered)).all()
    error = recovered - months
    assert repeats_every_year(error)
    assert (error[:, :12].sum(axis=1) == 0).all()


def repeats_every_year(table):
    return all((table[:, k::12] == table[:, k : k + 1]).all() for k in range(12))


@given(COUNTS, st.data())
@settings(max_examples=100)
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


def test_every_bundled_jurisdiction_is_exact_and_a_later_month_changes_only_the_constants():
    rows = od.bundled().as_of("2025-09-17").rows("all-drugs")
    sums = rows.pivot(index="state", columns="month", values="reported").to_numpy()
    recovered = recover_months(sums)
    assert recovered.shape == (53, 135)
    assert (rolling_sums(recovered) == sums).all()
    assert (recovered >= 0).all()
    early, late = (recover_months(sums[:, :n]) for n in (80, 110))
    assert repeats_every_year(late[:, : early.shape[1]] - early)


ONE = np.array([[100.0, 0.0, 100.0, 0.0, 100.0]])
BETWEEN = np.array([[1.0], [-1.0]]), np.ones(2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: recover_months(ONE), "contradict"),
        (lambda: recover_months(np.array([[5.0, -1.0]])), "negative 12-month-ending count"),
        (lambda: recover_months(np.ones(5)), r"sums must be \(locations, months\)"),
        (lambda: rolling_sums(np.ones(11)), "at least 12"),
        (lambda: pin_months(ONE, FIRST), "contradict"),
        (lambda: pin_months(np.ones((1, 5)), FIRST, known=np.ones((1, 5))), "need known"),
        (lambda: pin_months(np.full((1, 2), 24.0), FIRST, known=np.zeros((1, 13))), "not positive"),
        (lambda: draw_truncated(np.zeros(1), np.eye(1), BETWEEN, 5, np.random.default_rng(1)),
         "no non-negative months"),
    ],
)  # fmt: skip
def test_what_are_no_sums(call, said):
    with pytest.raises(DataError, match=said):
        call()


# Months with their uncertainty


def made(scale: float, years: int, seed: int, amplitude: float = 0.04) -> np.ndarray:
    """Months of a place: a random-walk level, a smooth season, days, Poisson noise."""
    rng, n = np.random.default_rng(seed), 12 * years
    stamps = FIRST + np.arange(n + 1).astype("timedelta64[M]")
    days = np.diff(stamps.astype("datetime64[D]")).astype(float)
    level = np.log(scale / 30) + np.cumsum(rng.normal(0, 0.02, n)) + 0.5 * np.arange(n) / n
    season = amplitude * np.cos(2 * np.pi * (stamps[:-1].astype(int) % 12 - 4) / 12)
    return rng.poisson(days * np.exp(level + season)).astype(float)


@pytest.mark.slow
@example(0.25, 3, 0, {1})  # a slope so small that a bound is infinite
@given(st.floats(0.2, 500), st.integers(1, 6), st.integers(0, 2**20), HOLES)
def test_draws_are_whole_non_negative_and_give_back_every_sum(scale, years, seed, holes):
    sums = rolling_sums(made(scale, years, seed))[None]
    kept = [h for h in holes if h < sums.size]
    if len(kept) < sums.size:
        sums[0, kept] = np.nan
    draws = pin_months(sums, FIRST).draws(20, seed)
    assert draws.shape == (20, 1, sums.size + 11)
    seen = ~np.isnan(sums[0])
    back = rolling_sums(draws)[:, 0]
    assert (back[:, seen] == sums[0, seen]).all()
    inside = draws[~np.isnan(draws)]
    assert (inside >= 0).all()
    if seen.all():
        assert (inside == np.round(inside)).all()


def test_point_and_draws_are_the_same_for_the_same_seed_and_any_row_set():
    sums = rolling_sums(np.stack([made(300, 8, 1), made(40, 8, 2)]))
    both, one = pin_months(sums, FIRST), pin_months(sums[:1], FIRST)
    assert (both.months[0] == one.months[0]).all()
    assert (both.draws(10, 3)[:, 0] == one.draws(10, 3)[:, 0]).all()
    assert (rolling_sums(both.months) == sums).all()
    # The months of the object are those its draws surround.
    gap = np.abs(both.draws(2000, 5).mean(axis=0) - both.months)
    assert (gap <= 0.15 * both.sd + 0.6).all()


@pytest.mark.slow
def test_the_spread_is_right_on_made_months():
    z = []
    for seed in range(60):
        months = made(400, 10, seed)
        pinned = pin_months(rolling_sums(months)[None], FIRST)
        z.append((pinned.months[0, :12] - months[:12]) / pinned.sd[0, :12])
    # One location's twelve errors go together, so the mean square over 60 is rough.
    assert 0.6 < np.sqrt(np.mean(np.square(z))) < 1.4


def test_known_months_pin_the_rest_and_the_level_is_free():
    months = made(5000, 10, 7)
    known = np.full(months.shape, np.nan)
    known[48:60] = np.round(months[48:60] / 1.007)
    sums = rolling_sums(months)[None]
    loose, tight = (pin_months(sums, FIRST, known=x) for x in (None, known[None]))
    assert tight.level[0] == pytest.approx(1.007, abs=0.001)
    assert np.isnan(loose.level[0])
    assert np.abs(tight.months[0] / months - 1).mean() < 0.004
    assert (tight.sd[0] < loose.sd[0]).all()


def test_suppressed_sums_stay_below_ten():
    sums = rolling_sums(np.random.default_rng(4).poisson(0.9, 72).astype(float))
    hidden = sums < 10
    assert 0 < hidden.sum() < sums.size
    shown = np.where(hidden, np.nan, sums)[None]
    draws = pin_months(shown, FIRST, suppressed=hidden[None]).draws(50, 1)
    back = rolling_sums(draws)[:, 0]
    first, last = np.flatnonzero(~np.isnan(shown[0]))[[0, -1]]
    inner = np.zeros(sums.size, dtype=bool)
    inner[first : last + 1] = True
    assert (back[:, hidden & inner] <= 9.5).all()
    assert (back[:, ~hidden] == sums[~hidden]).all()


def test_rows_without_sums_stay_empty():
    sums = np.vstack([rolling_sums(made(100, 3, 1)), np.full(25, np.nan)])
    pinned = pin_months(sums, FIRST, nation=1)
    assert np.isnan(pinned.months[1]).all()
    assert np.isnan(pinned.draws(2, 1)[:, 1]).all()
    assert not np.isnan(pinned.months[0]).any()


def test_gibbs_agrees_with_rejection():
    limits = np.array([1.0, 1.5])
    factor = np.linalg.cholesky(np.array([[1.0, 0.5], [0.5, 1.0]]))
    rng = np.random.default_rng(1)
    draws = draw_truncated(np.zeros(2), factor, (np.eye(2), limits), 4000, rng)
    free = np.random.default_rng(2).standard_normal((400_000, 2)) @ factor.T
    kept = free[(free >= limits).all(axis=1)]
    assert draws.mean(axis=0) == pytest.approx(kept.mean(axis=0), abs=0.04)
    assert draws.std(axis=0) == pytest.approx(kept.std(axis=0), abs=0.04)
