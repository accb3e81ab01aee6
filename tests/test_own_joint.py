"""Own counts in the state-space model itself: its covariance, and what it moves, by brute force."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scales_factory import HAND

import odforecast as od
from odforecast.geography import JURISDICTIONS, REGIONS
from odforecast.models.delay.deficit import Deficit
from odforecast.models.own import APART, HALF, LogMonths, Told, apart, logs_of, move_together, told
from odforecast.models.statespace.kalman import State
from odforecast.models.statespace.model import FittedClass, FittedDlm, log_months
from odforecast.panel import Panel
from odforecast.seeds import Streams

PLACES = ("OH", "MI", "CA")
REGION = np.array([REGIONS.index("Midwest"), REGIONS.index("Midwest"), REGIONS.index("West")])
AHEAD = 4


@pytest.fixture(scope="module", autouse=True)
def the_day() -> Iterator[None]:
    """Rows without a day of their own were known on the panel's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("odforecast.panel.own.today", lambda: dt.date(2025, 9, 17))
        yield


@pytest.fixture(scope="module")
def panel() -> Panel:
    return od.bundled().as_of("2025-09-17").panel()


def state_of(cov: np.ndarray, **scales: float) -> State:
    mean = np.zeros(len(cov))
    mean[:3] = np.log([9.0, 7.0, 20.0])
    return State(
        PLACES, mean, cov, replace(HAND, **scales), np.zeros((3, 12)), np.full(3, 10.0), REGION
    )


def some_covariance(rng: np.random.Generator) -> np.ndarray:
    """Of 3 levels, the nation's slope, and its shock that is over."""
    root = 0.03 * rng.standard_normal((5, 5))
    cov = root @ root.T
    cov[4] = cov[:, 4] = 0.0
    return cov


def dense(state: State, scale: float) -> np.ndarray:
    """Covariance of log levels and shocks ahead, (3, AHEAD, 3, AHEAD): the recursion, unrolled."""
    s, n = state.scales, 3
    move, step = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(n):
        move[i, [i, 3]] = 1.0
        for j in range(n):
            step[i, j] = (i == j) * s.level_own**2 + scale**2 * s.level_us**2
            step[i, j] += (REGION[i] == REGION[j]) * s.level_region**2
    move[3, 3], step[3, 3] = s.damp_us, scale**2 * s.slope_us**2
    now = [state.cov[:4, :4]]
    for _ in range(AHEAD):
        now.append(move @ now[-1] @ move.T + step)
    out = np.zeros((n, AHEAD, n, AHEAD))
    for a in range(AHEAD):
        for b in range(AHEAD):
            first = min(a, b)
            lag = np.linalg.matrix_power(move, abs(a - b))
            both = lag @ now[first + 1] if a > b else now[first + 1] @ lag.T
            out[:, a, :, b] = both[:n, :n] + (a == b) * s.shock**2
    return out


def whole(model: LogMonths, scale: float) -> np.ndarray:
    """Covariance that a model says, (L, n, L, n)."""
    n_loc, n = model.shared.shape[:2]
    found = np.einsum("iak,jbk->iajb", model.shared, model.shared)
    found += scale**2 * np.einsum("iak,jbk->iajb", model.nation, model.nation)
    for i in range(n_loc):
        found[i, :, i] += model.own[i]
    return found.reshape(n_loc, n, n_loc, n)


def small(panel: Panel, state: State, draws: int = 60) -> LogMonths:
    """A model of the months ahead of three places of ever so many deaths."""
    return log_months(
        state, panel, None, np.full((3, AHEAD), 1e9), AHEAD, draws, Streams(1, "a", "b", "c")
    )


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5])
def test_the_covariance_of_months_ahead_is_that_of_the_recursion(
    panel: Panel, scale: float
) -> None:
    state = state_of(some_covariance(np.random.default_rng(1)))
    found = whole(small(panel, state), scale)
    counting = (1.0 + 0.1) * state.scales.noise**2
    for i in range(3):
        found[i, range(AHEAD), i, range(AHEAD)] -= counting
    np.testing.assert_allclose(found, dense(state, scale), rtol=1e-6, atol=1e-9)


def paths_of(model: LogMonths, rng: np.random.Generator) -> np.ndarray:
    """Draws of the months of a model, each with its own scale."""
    normal = rng.standard_normal((len(model.scale), model.shared.shape[2]))
    logs = 6.0 + np.einsum("iak,dk->dia", model.shared, normal)
    innovations = model.scale[:, None] * rng.standard_normal((len(normal), model.nation.shape[2]))
    logs += np.einsum("iak,dk->dia", model.nation, innovations)
    for i, own in enumerate(model.own):
        logs[:, i] += rng.standard_normal((len(normal), len(own))) @ np.linalg.cholesky(own).T
    return np.exp(logs) - HALF


def file(at: list[int], values: list[float], noise: float, draws: int, seed: int = 2) -> Told:
    rng, k = np.random.default_rng(seed), len(at)
    common = np.full(k, 0.5 * np.sqrt(noise))
    errors = np.sqrt(noise) * rng.standard_normal((draws, k))
    return Told(np.array(at), np.array(values), noise * np.eye(k) + 0.3 * noise, common, errors, 0)


def test_every_draw_is_moved_by_the_exact_rule_of_its_own_scale(panel: Panel) -> None:
    model = small(panel, state_of(some_covariance(np.random.default_rng(3))))
    paths = paths_of(model, np.random.default_rng(4))
    files = {
        "OH": file([0, 1], [6.1, 6.2], 4e-4, len(paths)),
        "CA": file([1, 2], [5.9, 6.0], 1e-3, len(paths), 5),
    }
    logs = np.log(paths + HALF)
    after = np.log(move_together(paths, model, files) + HALF)
    assert np.ptp(model.scale) > 0.5
    # Months told of, and the errors of two files that have a part in common.
    rows = [(0, 0), (0, 1), (2, 1), (2, 2)]
    noise = np.zeros((4, 4))
    noise[:2, :2], noise[2:, 2:] = files["OH"].noise, files["CA"].noise
    near = 0.8 ** np.abs(np.subtract.outer([0, 1], [1, 2]))
    noise[:2, 2:] = near * np.outer(files["OH"].common, files["CA"].common)
    noise[2:, :2] = noise[:2, 2:].T
    seen = np.array([6.1, 6.2, 5.9, 6.0])
    errors = np.concatenate([files["OH"].errors, files["CA"].errors], axis=1)
    for d in range(0, len(paths), 7):
        cov = whole(model, model.scale[d])
        told_of = np.array([[cov[a][b][c][e] for c, e in rows] for a, b in rows])
        across = np.stack([cov[:, :, c, e] for c, e in rows], axis=-1)
        left = seen - np.array([logs[d][r] for r in rows]) - errors[d]
        exact = logs[d] + across @ np.linalg.solve(told_of + noise, left)
        np.testing.assert_allclose(after[d], exact, atol=1e-9)


def test_moved_draws_have_the_posterior_of_the_model(panel: Panel) -> None:
    """Means and covariances of all places, given the months of two: Gaussian conditioning."""
    model = small(panel, state_of(some_covariance(np.random.default_rng(3))))
    n_draws = 40_000
    model = replace(model, scale=np.full(n_draws, 1.2))
    paths = paths_of(model, np.random.default_rng(6))
    rng, noise = np.random.default_rng(7), np.diag([4e-4, 9e-4])
    seen, _ = told(paths[:, 0], np.array([0, 2]), np.array([6.05, 6.1]), noise, rng)
    after = logs_of(move_together(paths, model, {"OH": seen})).reshape(n_draws, -1)
    cov = whole(model, 1.2).reshape(12, 12)
    at = [0, 2]
    gain = cov[:, at] @ np.linalg.inv(cov[np.ix_(at, at)] + noise)
    left = cov - gain @ cov[at]
    sd = np.sqrt(np.diag(left))
    far = (after.mean(0) - 6.0 - gain @ [0.05, 0.1]) / sd * np.sqrt(n_draws)
    assert np.abs(far).max() < 4.0
    np.testing.assert_allclose((np.cov(after.T) - left) / np.outer(sd, sd), 0.0, atol=0.03)


def test_a_file_far_from_all_others_moves_no_other_place(panel: Panel) -> None:
    model = small(panel, state_of(some_covariance(np.random.default_rng(3))))
    paths = paths_of(model, np.random.default_rng(4))
    good = file([0, 1], [6.02, 6.0], 4e-4, 60)
    bad = file([0, 1], [3.0, 3.0], 4e-4, 60, 5)
    files = {"OH": good, "MI": bad}
    assert set(apart(paths, model, files)) == {"MI"}
    assert apart(paths, model, files)["MI"] > APART
    assert apart(paths, model, {"OH": good}) == {}
    after = move_together(paths, model, files, ("MI",))
    alone = move_together(paths, model, {"OH": good})
    assert np.array_equal(after[:, [0, 2]], alone[:, [0, 2]])
    both = move_together(paths, model, files)
    assert np.array_equal(after[:, 1], both[:, 1])


# ------------------------------------------------------------------------- the filter's own months


@pytest.fixture(scope="module")
def fitted(panel: Panel) -> FittedDlm:
    """With large errors that a release shares, so that what they do can be seen in draws."""
    inner = od.get_model("dlm").fit(panel).inner
    assert isinstance(inner, FittedDlm)
    assert isinstance(inner.missing, Deficit)
    missing = replace(
        inner.missing,
        shared=2.5 * inner.missing.shared,
        revision_shared=2 * inner.missing.revision_shared,
        year_shared=0.02,
        year_own=0.03,
        old=0.3 * np.abs(inner.missing.late),
    )
    inner = replace(inner, missing=missing)
    inner.classes = {}
    return inner


def test_the_covariance_is_that_of_what_is_drawn(fitted: FittedDlm) -> None:
    streams = Streams(3, "states", "all", "2025-04")
    made = fitted.draw(6, 4000, streams)
    assert hasattr(fitted, "log_months")
    model = fitted.log_months(made, streams)[0]
    some = [model.locations.index(s) for s in ("OH", "CA", "FL", "TX", "NC")]
    rows = [made.locations.index(model.locations[i]) for i in some]
    paths = np.concatenate([made.known[:, rows], made.draws[:, rows]], axis=2)
    n = paths.shape[2]
    logs = logs_of(paths).reshape(len(paths), -1)
    cut = replace(model, shared=model.shared[some], own=model.own[some], nation=model.nation[some])
    exact = whole(cut, model.usual).reshape(5 * n, 5 * n)
    found = np.cov(logs.T)
    sd = np.sqrt(np.maximum(np.diag(exact), 1e-12))
    varies = np.diag(exact) > 1e-8
    np.testing.assert_allclose(np.sqrt(np.diag(found))[varies], sd[varies], rtol=0.15)
    off = (found - exact)[np.ix_(varies, varies)] / np.outer(sd, sd)[np.ix_(varies, varies)]
    assert np.sqrt((off**2).mean()) < 0.04
    # Between places: open months, an open one and one ahead, months ahead, mean of all pairs.
    other = ~np.eye(5, dtype=bool)
    for a, b in ((n - 7, n - 7), (n - 7, n - 2), (n - 4, n - 1)):
        at = np.ix_(np.arange(5) * n + a, np.arange(5) * n + b)
        size = np.outer(sd[at[0][:, 0]], sd[at[1][0]])
        expected = (exact[at] / size)[other].mean()
        assert expected > 0.04
        assert (found[at] / size)[other].mean() == pytest.approx(expected, abs=0.03)


# ------------------------------------------------------------------------------ from the outside


def own_file(panel: Panel, state: str, more: np.ndarray) -> pd.DataFrame:
    months, row = panel.month_grid, panel.monthly[panel.index(state)]
    keep = months >= np.datetime64("2020-01")
    grid = np.arange(np.datetime64("2020-01"), months[-1] + np.timedelta64(1 + len(more), "M"))
    deaths = np.round(np.concatenate([row[keep], more]))
    return pd.DataFrame({"location": state, "month": grid.astype(str), "deaths": deaths})


@pytest.fixture(scope="module")
def without(panel: Panel) -> od.Forecast:
    return od.get_model().fit(panel).forecast(draws=300)


def given(panel: Panel, without: od.Forecast, times: dict[str, float]) -> od.Forecast:
    frames = []
    for state, factor in times.items():
        ahead = without.select(state).draws[:, 0, without.horizons >= 1].mean(axis=0)[:3]
        frames.append(own_file(panel, state, factor * ahead))
    own = panel.with_counts(pd.concat(frames), complete=True)
    return od.get_model().fit(own).forecast(draws=300)


def test_other_places_learn_those_of_the_region_most(panel: Panel, without: od.Forecast) -> None:
    made = given(panel, without, {"OH": 0.85})
    rise = {
        s: made.select(s).samples()[:, 0, -1].mean() / without.select(s).samples()[:, 0, -1].mean()
        for s in ("OH", "MI", "CA", "US")
    }
    assert rise["OH"] < rise["MI"] < rise["CA"] < 0.99
    assert rise["US"] < 0.99
    others = [s for s in JURISDICTIONS if s != "OH"]
    last = [f.select(others).draws[..., -1].mean(axis=0).sum() for f in (made, without)]
    said = (
        "other places learn of them through the region and the nation, together by "
        f"{100 * (last[0] / last[1] - 1):+.1f}% in 2026-04, and the nation is added up again"
    )
    assert said in made.warnings
    assert made.provenance["own counts"].endswith(", for all places")
    assert "with own counts of Ohio" in made.text("Michigan")
    again = given(panel, without, {"OH": 0.85})
    assert np.array_equal(made.draws, again.draws)
    assert np.array_equal(made.part("T40.4").draws, again.part("T40.4").draws)


# ------------------------------------------------------------- a nation that is not the sum


def test_a_nation_modelled_on_its_own_moves_as_its_places_do(panel: Panel) -> None:
    """Wyoming's last count is missing: 51 states that fall are no nation that stands still."""
    reported = panel.reported.copy()
    reported[panel.index("WY"), -1] = np.nan
    holed = replace(panel, reported=reported)
    old = od.get_model().fit(holed).forecast(draws=300)
    new = given(holed, old, {"OH": 0.85})
    assert "US is modelled on its own" in " ".join(new.warnings)
    assert "and the nation, which is not their sum, moves as they do together" in " ".join(
        new.warnings
    )
    states = [s for s in JURISDICTIONS if s in old.locations]
    at = old.horizons >= 1
    was, now = (np.log(f.select(states).draws[..., at].sum(axis=1)) for f in (old, new))
    us, moved = (np.log(f.select("US").draws[:, 0, at]) for f in (old, new))
    fall = (now - was).mean(axis=0)
    assert (fall < -0.01).all()
    np.testing.assert_allclose((moved - us).mean(axis=0), fall, atol=0.003)
    assert (moved.std(axis=0) < 1.001 * us.std(axis=0)).all()
    # Where the nation is no wider than its places are afterwards, it gets no narrower.
    wide = us.var(axis=0) > 1.1 * now.var(axis=0) + was.var(axis=0) - now.var(axis=0)
    assert wide[:2].all()
    less, expected = us.var(axis=0) - moved.var(axis=0), was.var(axis=0) - now.var(axis=0)
    np.testing.assert_allclose(less[wide], expected[wide], rtol=0.1, atol=2e-4)
    assert "with own counts of Ohio" in new.text("US")


def test_a_class_of_its_own_moves_its_nation_by_what_its_places_do() -> None:
    part = od.bundled().as_of("2025-09-17").panel(indicator="T40.4")
    assert isinstance(od.get_model("dlm").fit(part).inner, FittedClass)
    old = od.get_model().fit(part).forecast(draws=300)
    ahead = old.select("OH").draws[:, 0, old.horizons >= 1].mean(axis=0)[:3]
    frame = own_file(part, "OH", 0.85 * ahead).assign(indicator="T40.4")
    new = od.get_model().fit(part.with_counts(frame, complete=True)).forecast(draws=300)
    change = [new.select(s).draws - old.select(s).draws for s in ("OH", "US")]
    assert change[0][..., -1].mean() < 0
    np.testing.assert_allclose(change[1], change[0], atol=1e-6)
    assert "forecast as without own counts and the nation moves by what they do" in " ".join(
        new.warnings
    )
