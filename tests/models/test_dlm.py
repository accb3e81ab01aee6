"""The state-space model: its filter against dense algebra, its draws against what they claim, and
the constants that ship: found by date, a maximum, and what `make constants` gives.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import astuple, replace
from types import SimpleNamespace

import constants as tool
import numpy as np
import pytest
from delay_factory import DELAYS, with_all_deaths
from dlm_estimate import penalised, to_line
from panel_factory import made_panel, with_counts
from scales_factory import HAND

from odforecast.models import get_model
from odforecast.models.constants import SCALES, all_constants, constants_for
from odforecast.models.delay import constants as learning
from odforecast.models.delay.deficit import deficit
from odforecast.models.statespace.kalman import draw_counts, drawn, kalman, level_path
from odforecast.models.statespace.model import path_root, relative_growth, tilted
from odforecast.models.statespace.share import rise_of_units
from odforecast.seeds import Streams


def dense_step(mean, cov, scales, region):
    """The transition of the state, written with matrices."""
    n = region.size
    size = n + 2
    move = np.zeros((size, size))
    noise = np.zeros((size, size))
    for i in range(n):
        move[i, [i, n]] = 1.0
        for j in range(n):
            noise[i, j] = scales.level_us**2
            noise[i, j] += (i == j) * scales.level_own**2
            noise[i, j] += (region[i] == region[j]) * scales.level_region**2
    move[-2, -2] = scales.damp_us
    noise[-2, -2] = scales.slope_us**2
    noise[-1, -1] = scales.shock**2
    return move @ mean, move @ cov @ move.T + noise


@pytest.mark.parametrize("first", [0, 3])
def test_the_filter_with_late_arrivals_equals_dense_algebra(first):
    rng = np.random.default_rng(12)
    region, n, horizon = np.array([0, 1, 0]), 3, 6
    scales, size = HAND, 3 + 2
    months = rng.poisson(80, (n, horizon)).astype(float)
    months[1, 4] = np.nan
    months[2, 5] = 300.0  # so large that its logarithm is taken
    late, revised = rng.uniform(0, 25, (2, n, horizon))
    noise, share = rng.uniform(0, 60, (n, horizon)), np.array([0.8, 0.7, 0.9])
    # After the state stand the errors of late arrivals, correlated with all the rest.
    mean = rng.normal(0, 0.05, size + 2 * n)
    mean[:n], mean[size - 1] = np.log(80), 0.0
    root = rng.normal(0, 0.05, (mean.size, mean.size))
    cov = root @ root.T
    cov[size - 1] = cov[:, size - 1] = 0.0
    m, p = mean.copy(), cov.copy()
    kalman(months, region, np.array(astuple(scales)), mean, cov, share, first, late, revised,
           noise)  # fmt: skip
    short = slice(0, size)
    for t in range(first, horizon):
        if t:
            move = np.eye(p.shape[0])
            for k in range(size):
                unit = np.zeros(size)
                unit[k] = 1.0
                move[short, k] = dense_step(unit, np.zeros((size, size)), scales, region)[0]
            _, added = dense_step(np.zeros(size), np.zeros((size, size)), scales, region)
            m, p = move @ m, move @ p @ move.T
            p[short, short] += added
        else:
            p[size - 1, size - 1] = scales.shock**2
        for i in range(n):
            if np.isnan(months[i, t]):
                continue
            rate = np.exp(m[i] + m[size - 1])
            f, r = late[i, t] / rate, revised[i, t] / rate
            load = np.zeros(p.shape[0])
            load[i] = load[size - 1] = 1.0
            load[size + i], load[size + n + i] = -f, -r
            # What is seen is the month less the errors of its completion.
            gap = months[i, t] / rate - 1.0 - (load[size:] @ m[size:])
            gap = gap if gap <= 1 else 1 + np.log(gap)
            own = (scales.noise**2 + 1 / rate) * share[i] + noise[i, t] / rate**2
            gain = p @ load / (load @ p @ load + own)
            m = m + gain * gap
            p = p - np.outer(gain, load @ p)
    np.testing.assert_allclose(mean, m, atol=1e-10)
    np.testing.assert_allclose(cov, p, atol=1e-10)


def test_draws_of_levels_and_late_arrivals_have_the_filters_covariance(monkeypatch):
    loud = replace(DELAYS, noise=0.02, revision_noise=0.001)
    monkeypatch.setattr(learning, "delays_for", lambda _: loud)
    # Four places with the same deaths every month; the last three counts have records pending.
    level, day = 300_000.0, dt.date(2021, 11, 10)
    panel = made_panel({s: np.full(90, level) for s in ("CT", "MA", "OH", "MI")}, "2021-04")
    percent = np.full(panel.reported.shape, 0.2)
    percent[:, -3:] += [2.0, 4.0, 6.0]
    panel = replace(
        panel, pending=percent, release=day, as_of=day, final_through=np.datetime64("2020-12")
    )
    panel = with_all_deaths(panel, np.full(4, 20 * level))
    reported = panel.reported.copy()
    reported[:, -12:] -= deficit(panel, DELAYS).sums(panel.locations, 12)
    fitted = get_model("dlm", scales=HAND).fit(with_counts(panel, reported))
    (state,) = fitted.inner.states
    n, size = 4, state.size
    assert state.incomplete
    draws = 40_000
    streams = Streams(1, "states", "all", "2021-04")
    paths, factors, *_ = drawn(state, fitted.panel, 1, draws, streams)
    kept = np.delete(np.arange(state.mean.size), size)
    mean, cov = state.mean[kept], state.cov[np.ix_(kept, kept)]
    # Loadings of the level a month ahead, and of the two errors of each place.
    ahead, late, revision = np.zeros((3, n, kept.size))
    for i in range(n):
        ahead[i, [i, size - 1]] = 1.0
        late[i, size + i] = 1.0
        revision[i, size + n + i] = 1.0
    found = np.concatenate([np.log(paths[..., 0]), factors.late, factors.revision], axis=1)
    load = np.concatenate([ahead, late, revision])
    expected = load @ cov @ load.T
    sd = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found[:, n:].mean(axis=0), load[n:] @ mean,
                               atol=5 * sd[n:].max() / np.sqrt(draws))  # fmt: skip
    got = np.cov(found.T)
    # New innovations are on the levels alone.
    across, within = (slice(None, n), slice(n, None)), (slice(n, None), slice(n, None))
    scale = np.sqrt(np.outer(np.diag(got), np.diag(got)))
    for block in (across, within):
        np.testing.assert_allclose((got / scale)[block], (expected / scale)[block], atol=0.03)
    # They do go together: a month that looks low is either low or late.
    strong = expected[across][np.arange(n), np.arange(n)] / (sd[:n] * sd[n : 2 * n])
    assert (strong > 0.15).all()


def test_the_level_path_and_its_covariance_are_those_of_the_recursion():
    rng = np.random.default_rng(0)
    level, slope, damp, horizon, n = 0.03, 0.02, 0.8, 6, 200_000
    jumps, turns = rng.standard_normal((2, horizon, n), dtype=np.float32)
    start = rng.standard_normal(n, dtype=np.float32)
    for drift in (start, np.zeros_like(start)):
        found = level_path(level * jumps, slope * turns, drift, damp)
        path, now = np.zeros((horizon, n)), np.zeros(n)
        for h in range(horizon):
            now = now + drift + level * jumps[h]
            drift = damp * drift + slope * turns[h]
            path[h] = now
        np.testing.assert_allclose(found, path, rtol=1e-4, atol=1e-5)
    root = path_root(level, slope, damp, horizon)
    np.testing.assert_allclose(np.cov(found), root @ root.T, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize("mean", [0.5, 4.0, 11.0, 13.0, 200.0])
def test_counts_have_mean_and_variance_of_the_model(mean):
    rng = np.random.default_rng(5)
    shape, noise, f32 = (60_000, 1, 1), 0.06, np.float32
    level = np.full(shape[:2], np.log(mean) - 3.0, dtype=f32)
    normal, uniform = rng.standard_normal(shape, dtype=f32), rng.random(shape, dtype=f32)
    # The rise and the length of the month, which make up for what the level lacks.
    parts = np.full(shape, 1.0, dtype=f32), np.full(1, 2.0, dtype=f32)
    out = np.empty(shape)
    below = draw_counts(level, *parts, noise, np.zeros(1), np.zeros((1, 1)), normal, uniform, out)
    assert below == 0
    assert out.mean() == pytest.approx(mean, rel=0.02)
    assert out.var() == pytest.approx(mean + noise**2 * mean**2, rel=0.04)


def test_the_rise_of_a_sum_is_that_of_its_deaths_not_of_its_logs():
    part = SimpleNamespace(units=("US", "OH"), others=("CT", "WV", "VT"))
    up = {"CT": 0.2, "WV": -0.4, "VT": 0.9, "OH": 0.3}
    rise = {s: np.full((2, 3), x, np.float32) for s, x in up.items()}
    found = rise_of_units(part, rise, {"CT": 60.0, "WV": 30.0, "VT": 10.0})
    want = np.log(0.6 * np.exp(0.2) + 0.3 * np.exp(-0.4) + 0.1 * np.exp(0.9))
    np.testing.assert_allclose(found[:, 0], want, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], 0.3, rtol=1e-6)


@pytest.mark.parametrize("slope", [-0.3, 0.4])
def test_the_growth_that_the_share_told_of_is_found(slope):
    rng = np.random.default_rng(1)
    n_loc, n = 40, 96
    share = np.clip(0.5 + 0.2 * rng.standard_normal((n_loc, 1)), 0.1, 0.9)
    share = share + 0.001 * rng.standard_normal((n_loc, n))
    relative = np.zeros((n_loc, n))
    for t in range(12, n):
        relative[:, t] = relative[:, t - 12] + slope * (share[:, t - 12] - 0.5)
    deaths, nation = 1500.0 * np.exp(relative), np.full(n, 60_000.0)
    found = relative_growth(deaths, nation, deaths * share, 0.5 * nation)
    expected = slope * (share - 0.5)[:, -1]
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.abs(expected).max() > 0.08


def test_a_tilt_leaves_the_nation_and_moves_a_count_by_its_growth() -> None:
    rng = np.random.default_rng(3)
    paths = rng.gamma(50.0, 1.0, (20, 5, 14))
    growth = np.array([0.2, -0.1, 0.0, 0.0, 0.05])
    moved = tilted(paths, growth)
    np.testing.assert_allclose(moved.sum(axis=1), paths.sum(axis=1), rtol=1e-12)
    flat = np.full((1, 52, 12), 100.0)
    one = np.zeros(52)
    one[0] = 0.2
    # The sum of twelve months has grown by the growth that was expected, next to nothing elsewhere.
    assert np.log(tilted(flat, one)[0, 0].sum() / 1200.0) == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(tilted(flat, np.zeros(52)), flat)


DAY = dt.timedelta(days=1)


def test_the_newest_set_not_later_than_the_day():
    sets = all_constants()
    days = ["2018-12-31", "2020-12-31", "2022-12-31", "2024-12-31", "2026-01-14"]
    assert [str(s.cutoff) for s in sets] == days
    for before, after in itertools.pairwise(sets):
        assert constants_for(before.cutoff) is before
        assert constants_for(after.cutoff - DAY) is before
        assert before.last_month < after.last_month < after.cutoff.isoformat()
    assert constants_for(dt.date(2050, 1, 1)) is sets[-1]
    assert constants_for(sets[0].cutoff - DAY) is sets[0]


def test_a_set_rests_on_what_was_published_by_its_cutoff():
    for each in all_constants():
        part = tool.span(each.cutoff.isoformat())
        assert str(part.last_month) == each.last_month
        assert part.data_hash == each.data_hash
        assert tool.publication_date(part.last_month) <= each.cutoff


def test_the_shipped_scales_are_a_maximum():
    for each in all_constants():
        counts = tool.span(each.cutoff.isoformat()).counts
        pins = (each.values["pin_level_variance"], each.values["pin_forget"])
        value = penalised(counts, pins)
        theta = np.array(each.scales())
        best = value(to_line(theta))
        for i, name in enumerate(SCALES):
            for factor in (0.97, 1.03):
                moved = theta.copy()
                moved[i] = min(moved[i] * factor, 0.9999)
                assert value(to_line(moved)) <= best + 0.05, (each.cutoff, name, factor)
