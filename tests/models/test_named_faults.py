"""One test for each fault that once was made, or could be: the test's name says which.

Each was seen to fail with its line broken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from delay_factory import DELAYS, with_all_deaths
from panel_factory import bundled_panel, cut_panel, made_panel, only, release_panel, with_counts
from scales_factory import HAND
from scipy.stats import spearmanr
from scipy.stats import t as student

import odforecast as od
from odforecast.errors import ForecastError, OdforecastError, PanelError, UnknownNameError
from odforecast.forecast import Forecast
from odforecast.geography.places import lookup
from odforecast.models import Drawer, Fitted, Model, Spec, get_model
from odforecast.models.delay import constants as learning
from odforecast.models.delay.constants import Delays, delays_for
from odforecast.models.delay.deficit import SHARED_DF, deficit
from odforecast.models.delay.layer import AGES, corrected
from odforecast.models.ensemble import LEVELS, Pool
from odforecast.models.hierarchy.laplace import future
from odforecast.models.statespace.kalman import TAIL_DF, Scales
from odforecast.months import ONE_MONTH, month_lengths
from odforecast.names import ALL_DEATHS, LOCATION, MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.seeds import Streams
from odforecast.vintage.archive import Archive

FOUR = ("CT", "MA", "OH", "MI")  # two regions with two members each
#: Models of one place at a time; those that take long to fit are in the contract.
BY_LOCATION = ("naive", "auto-ets", "auto-theta", "drift-sums", "hub-baseline", "cdc-predicted")

#: Variance of what a release shares, over its squared scale.
HEAVY = SHARED_DF / (SHARED_DF - 2.0)
#: Scales of which none can be left out without being seen.
LOUD = Scales(
    level_own=0.04, level_region=0.05, level_us=0.03, slope_us=0.03, damp_us=0.9, noise=0.05,
    shock=0.04,
)  # fmt: skip


def flat(level: float = 300_000.0, states: tuple[str, ...] = FOUR, n: int = 72) -> Panel:
    """The same deaths every day: no pins to find, no Poisson noise to speak of."""
    days = month_lengths(np.datetime64("2021-06") - np.arange(n)[::-1] * ONE_MONTH)
    return made_panel(dict.fromkeys(states, level * days))


def dlm(panel: Panel, scales: Scales) -> Fitted:
    return get_model("dlm", delay=False, scales=scales).fit(panel)


def log_draws(fitted: Fitted, horizon: int, draws: int = 20_000) -> np.ndarray:
    """Log deaths per day on the model's own pins: there they are levels and innovations."""
    made = fitted.forecast(horizon, draws=draws)
    (state,) = fitted.inner.states
    calendar = (fitted.panel.monthly.shape[1] + np.arange(horizon)) % 12
    rows = [state.locations.index(s) for s in made.locations]
    per_day = made.samples(TARGET_MONTH) - state.shift[rows][:, calendar]
    return np.log(per_day / month_lengths(made.months))


# (a) Deaths from all causes


def small_release(day: str, last: str, deaths: float | None) -> object:
    """A release of Ohio and West Virginia, with a jump of what is pending in its last month."""
    rows = od.bundled().as_of().rows("all-drugs")
    rows = rows[rows["state"].isin(["OH", "WV"]) & (rows["month"] <= f"{last}-01")].copy()
    rows["release"] = np.datetime64(day, "s")
    rows["percent_pending"] = 0.2
    rows.loc[rows["month"] == f"{last}-01", "percent_pending"] = 1.2
    if deaths is None:
        return rows
    import pandas as pd

    return pd.concat([rows, rows.assign(indicator=ALL_DEATHS, reported=deaths)])


@pytest.mark.parametrize("known", [100_000.0, None])
def test_all_cause_deaths_of_a_later_release_do_not_reach_an_earlier_panel(
    known: float | None,
) -> None:
    early = {"2021-11-15": small_release("2021-11-15", "2021-04", known)}
    late = {"2021-12-15": small_release("2021-12-15", "2021-05", 900_000.0)}
    alone = Archive.in_memory(early).as_of("2021-11-20").panel()
    among = Archive.in_memory(early | late).as_of("2021-11-20").panel()
    for panel in (alone, among):
        missing = deficit(panel, DELAYS)
        if known is None:
            assert np.isnan(panel.all_deaths).all()
            assert "pending" not in missing.how.values()
        else:
            assert set(missing.how.values()) == {"pending"}
            np.testing.assert_allclose(missing.late[:, -1], DELAYS.kappa * 0.01 * known)
    np.testing.assert_array_equal(deficit(alone, DELAYS).late, deficit(among, DELAYS).late)


# (b) The calendar


def test_the_season_comes_back_in_its_own_calendar_months() -> None:
    n = 79  # no whole number of years: a column is not a calendar month
    season = np.array([600, 250, -100, -400, 100, 350, -250, -500, 50, 450, -300, -250.0])
    panel = flat(3000.0, n=n)
    # Pins are free within a vintage: these are as good as the smooth ones, and seasonal.
    months = np.broadcast_to(3000.0 + season[np.arange(n) % 12], (4, n)).copy()
    panel.__dict__["_recovered"] = (months, {})
    result = get_model("dlm").fit(panel).forecast(14, draws=4000)
    ahead = 3000.0 + season[(n + np.arange(14)) % 12]
    median = np.median(result.samples(TARGET_MONTH), axis=0)
    np.testing.assert_allclose(median, np.broadcast_to(ahead, median.shape), rtol=0.03)
    sums = np.median(result.samples(TARGET_12MO), axis=0)
    np.testing.assert_allclose(sums, 36_000.0, rtol=0.01)


# (c) The parts of the dlm's spread


def test_the_nations_heavy_tail_is_not_dropped() -> None:
    """All that moves is the nation: its log path at horizon 1 has Student's quantiles."""
    quiet = Scales(1e-5, 1e-5, 0.05, 1e-5, 0.5, 1e-5, 1e-5)
    path = log_draws(dlm(flat(), quiet), 1)[:, 0, 0]
    levels = np.array([0.005, 0.02, 0.98, 0.995])
    spread = np.subtract(*np.quantile(path, [0.75, 0.25]))
    got = (np.quantile(path, levels) - np.median(path)) / spread
    expected = student.ppf(levels, TAIL_DF) / np.subtract(*student.ppf([0.75, 0.25], TAIL_DF))
    np.testing.assert_allclose(got, expected, rtol=0.08)
    # Student's tails at half a percent are wider by two fifths than the Gaussian's.
    assert (np.abs(got[[0, -1]]) > 1.25 * 2.576 / 1.349).all()


def test_the_nations_tail_is_one_scale_for_a_whole_path() -> None:
    quiet = Scales(1e-5, 1e-5, 0.05, 1e-5, 0.5, 1e-5, 1e-5)
    paths = log_draws(dlm(flat(), quiet), 3)[:, 0]
    steps = np.diff(paths, axis=1, prepend=np.median(paths[:, 0]))
    for a, b in combinations(range(3), 2):
        # A wide month makes wide months, whatever their sign.
        assert spearmanr(*np.abs(steps[:, [a, b]]).T).statistic > 0.08
        assert abs(spearmanr(steps[:, a], steps[:, b]).statistic) < 0.03
    np.testing.assert_allclose(
        np.median(np.abs(steps), axis=0) / 0.05, student.ppf(0.75, TAIL_DF), rtol=0.04
    )


def test_regional_innovations_are_not_dropped() -> None:
    paths = log_draws(dlm(flat(), LOUD), 1, 6000)[:, :, 0]
    found = np.corrcoef(paths.T)
    within = found[0, 1], found[2, 3]  # Connecticut with Massachusetts, Ohio with Michigan
    across = found[:2, 2:]
    assert min(within) > across.max() + 0.12


# (d) The delay


def delayed_panel(extra: float, day: str = "2026-03-11") -> Panel:
    """Two places whose last counts have ``extra`` percent more pending than December's."""
    panel = only(bundled_panel(), ["OH", "AZ"])
    pending = np.full(panel.reported.shape, 0.2)
    pending[:, -2:] += [extra / 2, extra]
    date = dt.date.fromisoformat(day)
    panel = replace(panel, pending=pending, as_of=date, release=date)
    return with_all_deaths(panel, np.full(2, 130_000.0))


def completed(panel: Panel) -> Panel:
    return corrected(panel, deficit(panel, delays_for(panel)))


def test_a_relative_error_of_the_last_count_is_twice_that_in_the_level() -> None:
    panel = delayed_panel(0.3)
    whole = completed(panel)
    plain = get_model("drift").fit(whole).forecast(3, draws=200)
    result = get_model("drift+delay").fit(panel).forecast(3, draws=200)
    now = result.samples()[:, :, AGES - 1] / whole.reported[:, -1] - 1.0
    assert now.std() > 0.005
    # Counts, for the months of the two stand on different constants.
    gained = result.samples()[:, :, AGES + 2] - result.samples()[:, :, AGES - 1]
    replaced = result.draws[:, :, :3].sum(axis=2)
    grown = gained + replaced
    ahead = plain.draws.sum(axis=2)
    shift = (grown - ahead * np.exp(2.0 * now)).std(axis=0)
    assert (shift < 1e-6 * ahead.mean(axis=0)).all()
    other = (grown - ahead * np.exp(1.0 * now)).std(axis=0)
    assert (other > 1e-3 * ahead.mean(axis=0)).all()


@pytest.fixture
def constants(monkeypatch: pytest.MonkeyPatch) -> Callable[[Delays], None]:
    """Puts other constants of the delay in the place of those that ship."""

    def put(other: Delays) -> None:
        monkeypatch.setattr(learning, "delays_for", lambda _: other)

    return put


def test_a_revision_falls_off_geometrically_to_the_closed_december(
    constants: Callable[[Delays], None],
) -> None:
    constants(replace(DELAYS, revision_noise=0.0))
    panel = delayed_panel(0.0)  # nothing is missing: revisions alone
    result = get_model("drift+delay").fit(panel).forecast(1, draws=4000)
    change = result.draws[:, :, :AGES] - panel.monthly[:, -AGES:]
    shares = 0.15 * 0.85 ** np.arange(4)
    whole = change.sum(axis=2) / shares.sum()
    profile = np.zeros(AGES)
    profile[-4:] = shares[::-1]  # January to April 2025
    # Deaths are whole: a running sum is off by less than one, and a month by less than two.
    assert np.abs(change - whole[..., None] * profile).max() < 2.5
    relative = whole / panel.reported[:, -1]
    shared = np.sqrt(HEAVY) * 0.004 / (1.0 - 0.85**4)
    np.testing.assert_allclose(relative.std(axis=0), np.hypot(0.015, shared), rtol=0.06)
    together = np.corrcoef(relative.T)[0, 1]
    assert together == pytest.approx(shared**2 / (0.015**2 + shared**2), abs=0.06)


@pytest.mark.parametrize("name", ["drift+delay", "dlm", "hub-baseline+delay"])
def test_nothing_is_added_to_a_final_count(name: str) -> None:
    panel = delayed_panel(1.0)  # March: the closed year's file is final
    result = get_model(name).fit(panel).forecast(1, draws=200)
    final = np.flatnonzero(result.months <= panel.final_through)
    assert final.size == 8
    reported = panel.reported[:, -AGES:][:, final]
    np.testing.assert_allclose(
        result.samples()[..., final], np.broadcast_to(reported, (200, 2, 8)), rtol=1e-9
    )
    after = result.samples()[..., 8:AGES]
    assert (after.std(axis=0) > 1.0).all()


@pytest.mark.parametrize("name", ["drift+delay", "dlm"])
def test_the_closed_december_is_the_panels_not_the_clocks(name: str) -> None:
    """A later day closes no year that the panel does not say is closed."""
    panel = delayed_panel(1.0)
    assert str(panel.final_through) == "2024-12"
    fits = {}
    for day in ("2026-03-11", "2027-03-10"):
        for closed in ("2024-12", "2023-12"):
            date = dt.date.fromisoformat(day)
            seen = replace(panel, as_of=date, release=date, final_through=np.datetime64(closed))
            made = get_model(name).fit(seen).forecast(1, draws=60)
            fits[day, closed] = made.draws[..., :AGES].std(axis=0) > 1e-6
    for closed, n in (("2024-12", 4), ("2023-12", 12)):
        for day in ("2026-03-11", "2027-03-10"):
            assert fits[day, closed][:, AGES - n :].all()
            assert not fits[day, closed][:, : AGES - n].any()


def missing_months(short_of: float, pending: float) -> Panel:
    """Two places with steady deaths; of the last month much or little is still to come, and what
    is there falls short of the expected by ``short_of``.
    """
    panel = made_panel({s: np.full(90, 30_000.0) for s in ("OH", "AZ")}, "2021-04")
    day = dt.date(2022, 3, 9)
    percent = np.full(panel.reported.shape, 0.2)
    percent[:, -1] += pending
    panel = replace(
        panel, pending=percent, as_of=day, release=day, final_through=np.datetime64("2020-12")
    )
    panel = with_all_deaths(panel, np.full(2, 600_000.0))
    reported = panel.reported.copy()
    reported[:, -1] -= np.round(deficit(panel, DELAYS).sums(panel.locations)[:, -1]) + short_of
    return with_counts(panel, reported)


@pytest.mark.parametrize(
    "doubt", [{"sd_own": 0.35, "noise": 1e-6}, {"sd_own": 1e-6, "noise": 0.35}]
)
def test_a_month_with_a_large_deficit_weighs_less(
    doubt: dict[str, float], constants: Callable[[Delays], None]
) -> None:
    """By the error of all its months, and by that of the single month."""
    quiet = {"sd_shared": 1e-6, "kappa_error": 1e-6, "revision_own": 1e-4, "revision_shared": 1e-4}
    constants(replace(DELAYS, revision_noise=1e-4, **quiet, **doubt))
    moved = {}
    for pending in (0.02, 3.0):
        level = [
            np.median(dlm_delayed(missing_months(x, pending)).draws[..., AGES:], axis=0)[:, 0]
            for x in (0.0, 3000.0)
        ]
        moved[pending] = (level[0] - level[1]) / 3000.0
    assert (moved[0.02] > 0.25).all()
    assert (moved[3.0] < 0.6 * moved[0.02]).all()


def dlm_delayed(panel: Panel, draws: int = 4000) -> Forecast:
    return get_model("dlm", scales=HAND).fit(panel).forecast(3, draws=draws)


def test_an_error_of_the_late_arrivals_moves_level_and_nowcast_together(
    constants: Callable[[Delays], None],
) -> None:
    constants(DELAYS)
    result = dlm_delayed(missing_months(0.0, 3.0))
    now = np.log(result.samples()[:, :, AGES - 1])
    ahead = np.log(result.draws[:, :, AGES])
    for i in range(2):
        assert np.corrcoef(now[:, i], ahead[:, i])[0, 1] > 0.2


def test_a_place_alone_does_not_have_its_own_error_twice(
    constants: Callable[[Delays], None],
) -> None:
    """Its own error, and what a release shares, are drawn from two streams."""
    quiet = {"noise": 1e-6, "revision_own": 1e-6, "revision_shared": 1e-6, "revision_noise": 1e-6}
    constants(replace(DELAYS, sd_own=0.3, sd_shared=0.3, kappa_error=0.0, **quiet))
    panel = only(missing_months(0.0, 3.0), ["OH"])
    fitted = get_model("dlm", scales=HAND).fit(panel)
    (state,) = fitted.inner.states
    own = state.cov[-2, -2]  # of late arrivals, as the months leave it; shared: as it was
    late = deficit(panel, DELAYS).late[0, -1]
    made = fitted.forecast(1, draws=20_000).draws[:, 0, AGES - 1]
    assert own < 0.3**2
    assert made.std() == pytest.approx(np.sqrt(own + HEAVY * 0.3**2) * late, rel=0.05)


# (e) Ensembles


@od.forecaster(by="location", joint=("month",))
def too_sure(panel: Panel, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Next year as the last one, give or take a thousandth."""
    level = panel.reported[:, -1] / 12
    return level[None, :, None] * (1 + 0.001 * rng.standard_normal((draws, 1, horizon)))


def pooled(name: str, members: list[Model], panel: Panel) -> Fitted:
    return Model(Pool(name, members), name).fit(panel)


def test_an_ensemble_learns_how_wide_it_should_have_been() -> None:
    panel = cut_panel("2021-06", ("OH", "WV"))
    width = {}
    for name in ("ensemble", "ensemble-equal"):
        result = pooled(name, [too_sure, too_sure], panel).forecast(6, draws=400)
        low, high = result.quantiles([0.1, 0.9])
        width[name] = high - low
    assert (width["ensemble"] > 2.0 * width["ensemble-equal"]).all()


def test_each_level_is_stretched_by_its_own_factor() -> None:
    fitted = get_model("ensemble", members=("drift", "naive"), delay=False).fit(cut_panel())
    inner = fitted.inner
    half = LEVELS.size // 2  # .01 … .45 and their mirror images
    inner.width[:] = 1.0 + np.linspace(0.9, 0.0, half)  # the tails most
    n = 9_999
    ordered = np.repeat(np.linspace(-1.0, 1.0, n)[None, None] * 100.0 + 500.0, 3, axis=1)
    wide = inner._widened(ordered, 3)
    for level, factor in zip(LEVELS[:half], inner.width[0]):
        for q in (level, 1.0 - level):
            before, after = (np.quantile(x[0, 1], q) - 500.0 for x in (ordered, wide))
            assert after / before == pytest.approx(factor, abs=0.01), q


def test_pooled_draws_keep_the_ranks_of_the_joint_member_and_are_not_comonotone() -> None:
    panel = cut_panel("2021-06", FOUR)
    joint = get_model("dlm", delay=False)
    members = [get_model("hub-baseline"), joint]
    result = pooled("ensemble-equal", members, panel).forecast(6, draws=500)
    template = joint.fit(panel).forecast(6, draws=500)
    for state in FOUR:
        one, other = (f.select(state).samples()[:, 0] for f in (result, template))
        np.testing.assert_array_equal(one.argsort(axis=0), other.argsort(axis=0))
    for a, b in combinations(range(4), 2):
        ranks = spearmanr(result.samples()[:, a, -1], result.samples()[:, b, -1]).statistic
        assert 0.1 < ranks < 0.9


@pytest.mark.parametrize("name", ["ensemble-equal", "ensemble-linear"])
def test_two_identical_members_are_that_member(name: str) -> None:
    panel = cut_panel("2021-06", ("OH", "WV"))
    member = get_model("drift")
    one = member.fit(panel).forecast(14, draws=101)
    two = pooled(name, [member, member], panel).forecast(14, draws=101)
    np.testing.assert_allclose(two.samples(), one.samples(), rtol=1e-9)
    np.testing.assert_allclose(two.draws, one.draws, rtol=1e-6)


# (f) The hierarchy's season


def test_the_hierarchys_future_has_its_season() -> None:
    fitted = get_model("hierarchical-quick").fit(cut_panel("2018-06", FOUR))
    posterior = fitted.inner.idata["posterior"]
    one = {k: np.repeat(v.values[0, :1], 300, axis=0) for k, v in posterior.data_vars.items()}
    one["level"] = np.full_like(one["level"], np.log(20_000.0))
    season = 0.03 * np.arange(-5.5, 6.0)  # January first
    streams = Streams(1, "states", "all-drugs", "2018-06")
    means = []
    for wave in (season, np.zeros(12)):
        one["season"] = np.tile(wave, (300, 1))
        draws, _ = future(one, fitted.inner.inputs, 5.0, 12, streams)
        means.append(draws.mean(axis=0))
    july_on = np.roll(season, -6)
    ratio = np.log(means[0] / means[1])
    np.testing.assert_allclose(ratio, np.broadcast_to(july_on, ratio.shape), atol=0.015)


# (g) Streams


@od.forecaster(by="location", joint=("month",))
def noisy(panel: Panel, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """The last month's level with noise."""
    return panel.reported[:, -1, None] / 12 + rng.random((draws, 1, horizon))


def model_named(name: str) -> Model:
    return noisy if name == "noisy" else get_model(name)


@cache
def three(name: str) -> Forecast:
    return model_named(name).fit(release_panel("2021-06", ("OH", "AZ", "WV"))).forecast(3, draws=50)


@pytest.mark.parametrize("name", [*BY_LOCATION, "noisy"])
def test_a_stream_does_not_hang_on_a_locations_position(name: str) -> None:
    panel = release_panel("2021-06", ("OH", "AZ", "WV"))
    for states in (["WV", "AZ", "OH"], ["AZ", "WV"], ["WV"]):
        other = model_named(name).fit(panel.select(states)).forecast(3, draws=50)
        for state in states:
            one = three(name).select(state).draws
            np.testing.assert_array_equal(other.select(state).draws, one)


def twins(last: str) -> Panel:
    """Two places with the same deaths, and CDC's predicted counts somewhat off."""
    rng = np.random.default_rng(9)
    months = 300 * np.exp(np.cumsum(0.05 * rng.standard_normal(90)))
    panel = made_panel({"OH": months, "MI": months}, last)
    gaps = 1 + 0.02 * rng.standard_normal(panel.reported.shape[1])
    return replace(panel, predicted=np.round(panel.reported * gaps))


@pytest.mark.parametrize("name", [*BY_LOCATION, "noisy"])
def test_two_locations_or_two_origins_do_not_share_a_stream(name: str) -> None:
    here, later = (model_named(name).fit(twins(m)).forecast(2, draws=400) for m in
                   ("2021-06", "2021-07"))  # fmt: skip
    places = here.draws[:, :, -1]
    assert abs(spearmanr(places[:, 0], places[:, 1]).statistic) < 0.2
    for i in range(2):
        found = spearmanr(places[:, i], later.draws[:, i, -1]).statistic
        assert abs(found) < 0.2


OWN = replace(HAND, level_own=0.08, level_region=0.001, level_us=0.001, slope_us=1e-4)


def test_the_dlms_locations_and_origins_do_not_share_a_stream() -> None:
    here, later = (dlm(twins(m), OWN).forecast(2, draws=1000).draws[..., -1] for m in
                   ("2021-06", "2021-07"))  # fmt: skip
    assert abs(np.corrcoef(here.T)[0, 1]) < 0.2
    for i in range(2):
        assert abs(np.corrcoef(here[:, i], later[:, i])[0, 1]) < 0.15


# (h) The dlm in closed form


def covariance_ahead(fitted: Fitted, horizon: int) -> np.ndarray:
    """Covariance of the log deaths of a month ahead, from the filter's: matrices only."""
    state = fitted.inner.states[0]
    s, n = state.scales, len(state.locations)
    size = n + 1
    move, noise, us = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    for i, name in enumerate(state.locations):
        move[i, [i, n]] = 1.0
        noise[i, i] += s.level_own**2
        for j, other in enumerate(state.locations):
            noise[i, j] += s.level_region**2 * (lookup(other).region == lookup(name).region)
    move[-1, -1] = s.damp_us
    us[:n, :n], us[-1, -1] = s.level_us**2, s.slope_us**2
    cov = state.cov[:size, :size]
    for _ in range(horizon):
        cov = move @ cov @ move.T + noise + us * TAIL_DF / (TAIL_DF - 2.0)
    out = cov[:n, :n] + s.shock**2
    return out + np.diag(s.noise**2 * (1.0 + 1.0 / state.years))


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_the_dlms_variance_is_the_filters_carried_ahead(horizon: int) -> None:
    fitted = dlm(flat(), LOUD)
    found = np.cov(log_draws(fitted, horizon, 30_000)[:, :, -1].T)
    expected = covariance_ahead(fitted, horizon)
    sd = np.sqrt(np.diag(expected))
    gap = (found - expected) / np.outer(sd, sd)
    np.testing.assert_allclose(gap, 0.0, atol=0.04)


# (i) The wrapper


@dataclass(frozen=True)
class Bent:
    """A forecaster whose forecast is bent before it is returned."""

    bend: Callable[[Forecast], object]

    @property
    def spec(self) -> Spec:
        return Spec("bent", joint=frozenset({MONTH}))

    def fit(self, panel: Panel) -> Drawer:
        bend = self.bend

        class Straight:
            def draw(self, horizon: int, draws: int, _: Streams) -> Forecast:
                paths = np.full((draws, len(panel.locations), horizon), 5.0)
                made = Forecast.from_panel(panel, paths, panel.locations, joint=frozenset({MONTH}))
                return bend(made)  # type: ignore[return-value]

        return Straight()


def negative(f: Forecast) -> Forecast:
    draws = f.draws.copy()
    draws[3, 1, 2] = -1.0
    return replace(f, draws=draws)


FAULTS = {
    "the right forecast": (lambda f: f, None),
    "another last month": (
        lambda f: replace(f, last_month=f.last_month - ONE_MONTH),
        "last month 2021-05, the panel's is 2021-06",
    ),
    "three months": (
        lambda f: replace(f, draws=f.draws[..., :3], months=f.months[:3]),
        "months to 2021-09, asked for 12 months, to 2022-06",
    ),
    "a month left out": (
        lambda f: replace(f, draws=f.draws[..., 1:], months=f.months[1:]),
        "months from 2021-08, later than the first",
    ),
    "50 draws": (lambda f: replace(f, draws=f.draws[:50]), "50 draws, asked for 60"),
    "negative deaths": (negative, "negative deaths, first at draw 3, WV, 2021-09"),
    "another location": (lambda f: replace(f, locations=("OH", "TX")), "TX, which the panel has"),
    "another day": (lambda f: replace(f, as_of=f.as_of.replace(year=2031)), "as-of date 2031-"),
    "another target": (lambda f: replace(f, target=TARGET_12MO), "paths of deaths_12mo"),
    "more joint than declared": (
        lambda f: replace(f, joint=frozenset({LOCATION, MONTH})),
        r"draws joint over \['location', 'month'\]",
    ),
    "another basis": (lambda f: replace(f, basis="residence"), "deaths by residence"),
    "another panel": (
        lambda f: replace(f, panel=replace(f.panel, reported=f.panel.reported + 1.0)),
        "the forecast of another panel",
    ),
    "no forecast": (lambda f: f.draws, "a ndarray, not a Forecast"),
}


def refused(model: Model, message: str) -> None:
    """The model's forecast is refused with one clear line that names the model."""
    fitted = model.fit(cut_panel("2021-06", ("OH", "WV")))
    with pytest.raises(ForecastError, match=message) as caught:
        fitted.forecast(12, draws=60)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 200
    assert isinstance(caught.value, OdforecastError)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_wrapper_refuses(fault: str) -> None:
    bend, message = FAULTS[fault]
    model = Model(Bent(bend), "bent")
    if message is None:
        fitted = model.fit(cut_panel("2021-06", ("OH", "WV")))
        assert fitted.forecast(12, draws=60).draws.shape == (60, 2, 12)
    else:
        refused(model, f"bent returned {message}")


def test_the_wrapper_refuses_what_is_not_finite() -> None:
    bent = Bent(lambda f: replace(f, draws=np.full_like(f.draws, np.nan)))
    refused(Model(bent, "bent"), "draws are not finite, first at draw 0, OH, 2021-07")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.full((60, 1, 3), 5.0), r"shape \(60, 1, 3\), expected \(60, 1, 12\)"),
        (np.full((50, 1, 12), 5.0), r"shape \(50, 1, 12\), expected \(60, 1, 12\)"),
        (np.full((60, 2, 12), 5.0), r"shape \(60, 2, 12\), expected \(60, 1, 12\)"),
        (np.full((60, 1, 12), -5.0), "negative deaths, first at draw 0, OH, 2021-07"),
        (np.full((60, 1, 12), np.inf), "draws are not finite"),
        (np.full((60, 1, 12), "5"), "an array of <U1, expected an array of numbers"),
        (np.full((60, 1, 12), "5", object), "an array of object, expected an array of numbers"),
        ([[1.0], [1.0, 2.0]], "a list, expected an array of numbers"),
        (None, r"an array of shape \(\), expected"),
    ],
)
def test_a_decorated_function_is_refused(made: object, message: str) -> None:
    @od.forecaster(by="location", joint=("month",))
    def careless(panel: Panel, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        return made  # type: ignore[return-value]

    refused(careless, message)


# (j) The identity


def test_every_field_of_a_spec_counts() -> None:
    spec = get_model("drift").spec
    other = {
        "model": "drift2",
        "version": "99",
        "by": None,
        "target": TARGET_12MO,
        "joint": frozenset({LOCATION}),
        "min_months": 99,
        "corrects_delay": True,
        "parameters": (("a", "1"),),
        "members": (spec,),
        "origin": "elsewhere==1.0",
        "dataset": "counties",
    }
    assert set(other) == {f.name for f in fields(Spec)}
    hashes = {replace(spec, **{name: value}).hash for name, value in other.items()}
    assert len({spec.hash, *hashes}) == 1 + len(other)


@pytest.mark.parametrize("name", ["dlm", "ensemble", "ensemble-equal", "cdc-predicted",
                                  "drift+delay"])  # fmt: skip
def test_the_delay_is_not_corrected_twice(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        get_model(f"{name}+delay")
    assert f"{name} corrects the delay itself" in str(caught.value)
    assert caught.value.hint == f"use {name}"


# (k) A selection


@pytest.mark.parametrize("name", ["dlm", "ensemble", "hierarchical-quick", "drift+delay"])
def test_a_model_of_the_whole_panel_refuses_a_selection(name: str) -> None:
    panel = release_panel()
    model = get_model(name)
    assert model.spec.by is None
    with pytest.raises(PanelError, match="this one is a selection") as caught:
        model.fit(panel.select(["OH", "WV"]))
    assert name in str(caught.value)
    assert "forecast.select" in caught.value.hint
    # Another order is no selection.
    assert not panel.select(panel.locations[::-1]).selected
