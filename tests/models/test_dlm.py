"""The state-space model: its filter against dense algebra, its draws, the constants that ship."""

import datetime as dt
import itertools
import pickle
from dataclasses import astuple, replace
from types import SimpleNamespace

import constants as tool
import numpy as np
import pytest
from delay_factory import DELAYS, with_all_deaths
from dlm_estimate import NAMES, penalised, to_line
from panel_factory import made_panel, with_counts
from scales_factory import HAND

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import all_constants, constants_for
from odforecast.models.delay import constants as learning
from odforecast.models.delay.deficit import deficit
from odforecast.models.statespace import kalman as filters
from odforecast.models.statespace.kalman import (
    Scales,
    draw_counts,
    kalman,
    prior,
    repin,
    rough_level,
    years_averaged,
)
from odforecast.models.statespace.model import CLASSES, FittedDlm, relative_growth, tilt, whole_of
from odforecast.models.statespace.share import rise_of_units
from odforecast.monthly.sums import rolling_sums
from odforecast.names import SYNTHETIC_OPIOIDS
from odforecast.seeds import Streams


def dense_step(mean, cov, scales, region):
    n = region.size
    move, noise = np.zeros((2, n + 2, n + 2))
    for i in range(n):
        move[i, [i, n]] = 1.0
        for j in range(n):
            noise[i, j] = scales.level_us**2 + (i == j) * scales.level_own**2
            noise[i, j] += (region[i] == region[j]) * scales.level_region**2
    move[-2, -2] = scales.damp_us
    noise[-2, -2] = scales.slope_us**2
    noise[-1, -1] = scales.shock**2
    return move @ mean, move @ cov @ move.T + noise


@pytest.mark.parametrize("first", [0, 3])
def test_the_filter_with_late_arrivals_equals_dense_algebra(first):
    rng, region, n, horizon = np.random.default_rng(12), np.array([0, 1, 0]), 3, 6
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
    m, p, short = mean.copy(), cov.copy(), slice(0, size)
    incomplete = (share, first, late, revised, noise)
    kalman(months, region, np.array(astuple(scales)), mean, cov, *incomplete)
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


def test_two_months_of_one_place_are_filtered_as_on_paper() -> None:
    mean = np.array([np.log(100.0), 0.05, 0.0])  # level, the nation's slope, shock of the month
    cov = np.diag([0.04, 0.01, 0.0])
    #                  own, region, us, slope, damp, noise, shock
    scales = np.array([0.10, 0.04, 0.02, 0.06, 0.80, 0.10, 0.10])
    nothing = np.empty((0, 0))
    more = (np.zeros(1, dtype=np.int64), scales, mean, cov, np.array([0.5]))
    # The first month: 120 where 100 are expected, an error of 0.2. Half of the noise 0.1² + 1/100
    # is left: 0.01, beside the level's 0.04 and the shock's 0.1²; in all 0.06.
    kalman(np.array([[120.0]]), *more, 0, nothing, nothing, nothing)
    gain = np.array([4 / 6, 0.0, 1 / 6])
    np.testing.assert_allclose(mean, [np.log(100.0) + 0.2 * 4 / 6, 0.05, 0.2 / 6])
    first = np.diag([0.04, 0.01, 0.01]) - 0.06 * np.outer(gain, gain)
    np.testing.assert_allclose(cov, first, atol=1e-15)
    # The second: the slope's 0.05 is added to the level's 0.13333, and then damped to 0.04.
    # Variances: level 0.013333 + slope 0.01 + steps 0.1² + 0.04² + 0.02² = 0.035333; slope
    # 0.8² * 0.01 + 0.06² = 0.01; both 0.8 * 0.01; the shock is a new one. 100 * e^0.183333 =
    # 120.1215 are expected and a tenth more come; half the noise is (0.01 + 0.0083249) / 2, and in
    # all there are 0.035333 + 0.01 + 0.0091625 = 0.0544958.
    kalman(np.array([[np.nan, 1.1 * 120.12150]]), *more, 1, nothing, nothing, nothing)
    gain = np.array([0.0353333, 0.008, 0.01]) / 0.0544958
    expected = np.array([np.log(100.0) + 0.1833333, 0.04, 0.0]) + 0.1 * gain
    np.testing.assert_allclose(mean, expected, atol=1e-6)
    prior_cov = np.array([[0.0353333, 0.008, 0.0], [0.008, 0.01, 0.0], [0.0, 0.0, 0.01]])
    np.testing.assert_allclose(cov, prior_cov - 0.0544958 * np.outer(gain, gain), atol=1e-6)


def test_a_filter_begins_with_the_first_year_and_a_slope_that_is_not_wide() -> None:
    months = np.array([[np.nan] + [9.9] * 12 + [500.0], [99.9] * 14, [9.9] * 14])
    narrow, wide = np.zeros((2, 7))
    narrow[3:5] = (0.006, 0.8)  # 0.006² / (1 - 0.8²) = 0.0001
    wide[3:5] = (0.03, 0.95)  # 0.0009 / 0.0975 is more than 0.02²
    for theta, slope in ((narrow, 0.0001), (wide, 0.0004)):
        mean, cov = prior(months, theta)
        np.testing.assert_allclose(mean, [*np.log([10.0, 100.0, 10.0]), 0.0, 0.0])
        np.testing.assert_allclose(cov, np.diag([0.0225, 0.0225, 0.0225, slope, 0.0]))


def test_pins_are_generalised_least_squares() -> None:
    """Constants of calendar months under which months are a walking level and noise: dense."""
    rng = np.random.default_rng(4)
    n = 40
    trend, lengths = rng.uniform(20, 60, (1, n)), rng.uniform(0.9, 1.1, n)
    months = rng.poisson(40, (1, n)).astype(float)
    months[0, [0, 17]] = np.nan
    found = repin(months, trend, lengths, level_variance=0.01, forget=0.3)
    walk = 0.01 * trend[0] ** 2
    walk[0] = 1e4 * trend[0, 0] ** 2 * 0.01 + 1e6 * trend[0, 0]
    age = (n - 1 - np.arange(n)) // 12
    cov = np.cumsum(walk)[np.minimum.outer(np.arange(n), np.arange(n))]
    cov += np.diag(trend[0] * (1 + 0.3 * age**2))
    seen = ~np.isnan(months[0])
    weight = np.linalg.inv(cov[np.ix_(seen, seen)])
    loads = (np.eye(12)[np.arange(n) % 12] / lengths[:, None])[seen]
    gap = (months[0] / lengths)[seen] - trend[0, 0]
    bordered = np.block([[loads.T @ weight @ loads, np.ones((12, 1))], [np.ones((1, 12)), 0.0]])
    best = np.linalg.solve(bordered, [*(-loads.T @ weight @ gap), 0.0])[:12]
    np.testing.assert_allclose(found[0], best, rtol=1e-6)


def test_a_rough_level_is_the_mean_of_the_twelve_months_around() -> None:
    months = np.array([[12.0] * 12 + [24.0, 36.0, 0.0], [0.0] * 15, [6.0] * 13 + [np.nan] * 2])
    # Means from the first to the fourth twelve months on: 12, 13, 15, 14.
    assert rough_level(months)[0].tolist() == [12.0] * 7 + [13.0, 15.0] + [14.0] * 6
    assert (rough_level(months)[1:] == [[1.0], [6.0]]).all()


def test_a_place_filtered_alone_has_a_nation_of_its_own() -> None:
    state = filters.State(("PR",), *[np.zeros(3)] * 2, HAND, *[np.zeros(1)] * 3)
    assert (state.alone, replace(state, locations=("OH", "PR")).alone) == ("PR", "")


def test_years_of_a_pin_weigh_less_with_age_and_are_one_at_least() -> None:
    # Three years weigh 1, 1 / 1.025 and 1 / 1.1: 2.8847007² / 2.7782607.
    years = years_averaged(np.array([0.0, 7.0, 23.0, 36.0]))
    np.testing.assert_allclose(years, [1.0, 1.0, 1.0, 2.995218], rtol=1e-6)


def test_a_nation_of_its_own_averages_its_parts() -> None:
    scales = Scales(0.1, 0.2, 0.03, 0.04, 0.95, 0.05, 0.06).of_the_nation()
    np.testing.assert_allclose(astuple(scales), [0.019, 0.104, 0.03, 0.04, 0.95, 0.0095, 0.06])


@pytest.mark.parametrize(
    ("mean", "noise", "pin", "z", "chance", "deaths"),
    [
        # 100 + 10 * 2, and the skewness of a Poisson: (2² - 1) / 6.
        (100.0, 0.0, 0.0, 2.0, 0.5, 120.5),
        # The sd is the root of 100 + 0.15² * 100²: 18.0278, down once: (1 - 1) / 6 is nothing.
        (100.0, 0.15, 0.0, -1.0, 0.5, 81.9722),
        # A rate of 4 * e^(0.5 - 0.125) = 5.82: Poisson's distribution is 0.31 at 4 and 0.475 at 5.
        # With e^0.5 alone it would be 6.59, and 0.355 at 5. The error of the pin is sqrt(4 / 4).
        (4.0, 0.5, 0.25, 1.0, 0.4, 6.0),
    ],
)
def test_a_month_is_drawn_as_on_paper(mean, noise, pin, z, chance, deaths) -> None:
    one = np.ones((1, 1, 1), dtype=np.float32)
    out = np.empty((1, 1, 1))
    draw_counts(
        np.float32(np.log(mean)) * one[0],
        0 * one,
        0 * one[0, 0],
        noise,
        np.array([pin]),
        np.array([[0.25]]),
        np.float32(z) * one,
        np.float32(chance) * one,
        out,
    )
    assert out[0, 0, 0] == pytest.approx(deaths + 0.25, abs=1e-4)


def incomplete_panel(places: tuple[str, ...], day: dt.date) -> od.Panel:
    """Four places with the same deaths every month; the last three counts have records pending."""
    level = 300_000.0
    panel = made_panel({s: np.full(90, level) for s in places}, "2021-04")
    percent = np.full(panel.reported.shape, 0.2)
    percent[:, -3:] += [2.0, 4.0, 6.0]
    panel = replace(panel, pending=percent, release=day, as_of=day)
    panel = replace(panel, final_through=np.datetime64("2020-12"))
    panel = with_all_deaths(panel, np.full(4, 20 * level))
    reported = panel.reported.copy()
    reported[:, -12:] -= deficit(panel, DELAYS).sums(panel.locations, 12)
    return with_counts(panel, reported)


def logs_together(day: dt.date) -> tuple[FittedDlm, list[tuple[np.ndarray, np.ndarray]]]:
    """A fit, and of each of its filters the covariance of log months: as said, and of draws."""
    fitted = od.get_model("dlm", scales=HAND).fit(incomplete_panel(("US", "MA", "OH", "MI"), day))
    made, streams = fitted.forecast(3, draws=20_000), Streams(1, "states", "all", "2021-04")
    paths = [made.known] * (made.known.ndim == 3) + [made.draws]
    months = np.log(np.concatenate(paths, axis=2) + 0.5)
    out = []
    for model in fitted.inner.log_months(made, streams):
        # The nation's innovations are a Student's t with five degrees: variance 5 / 3.
        said = np.einsum("imk,jlk->imjl", *[model.shared] * 2)
        said += 5 / 3 * np.einsum("imk,jlk->imjl", *[model.nation] * 2)
        for i in range(len(model.locations)):
            said[i, :, i] += model.own[i]
        drawn = months[:, [made.locations.index(s) for s in model.locations]]
        size = said.shape[0] * said.shape[1]
        out.append((said.reshape(size, size), np.cov(drawn.reshape(20_000, size).T)))
    return fitted.inner, out


def test_logs_of_months_hang_together_as_their_draws_do(monkeypatch):
    monkeypatch.setattr(learning, "delays_for", lambda _: DELAYS)
    calls = []
    filtering = lambda *a: (calls.append(a), kalman(*a))  # noqa: E731
    monkeypatch.setattr(filters, "kalman", filtering)
    fitted, covariances = logs_together(dt.date(2021, 7, 14))
    # What is late in April's 30 days, as in a mean month, as all that is filtered.
    np.testing.assert_allclose(calls[-1][7][0, -1], fitted.missing.late[0, -1] * 365.2425 / 12 / 30)
    assert [len(said) for said, _ in covariances] == [3 * 15, 15]
    for said, found in covariances:
        scale = np.sqrt(np.outer(np.diag(said), np.diag(said)))
        assert (np.diag(found)[scale.diagonal() == 0] < 1e-10).all()
        scale[scale == 0] = 1.0
        np.testing.assert_allclose(found / scale, said / scale, atol=0.04)
    # In November a year has closed: of its months moments by hand, for cuts have a heavy tail.
    fitted, ((said, _), (nation, _)) = logs_together(dt.date(2021, 11, 10))
    missing, heavy = fitted.missing, np.exp(0.81)
    year, cut = missing.year[1, 12:24], missing.cut[1, 12:24]  # the same in all places
    assert (cut > 0).all()
    size = fitted.panel.monthly[1, -16:-4] + missing.months[1, 12:24] + 0.5
    together = 0.2**2 * (heavy - 1) * np.outer(cut, cut)
    together += DELAYS.closing_shared**2 * np.outer(year, year)
    alone = together + (2 * 0.2 - 0.2**2) * heavy * np.outer(cut, cut)
    alone += DELAYS.closing_own**2 * np.outer(year, year)
    for found, want in ((said[33:45, 33:45], alone), (said[7:19, 33:45], together),
                        (nation[7:19, 7:19], together)):  # fmt: skip
        np.testing.assert_allclose(found * np.outer(size, size), want, rtol=0.01)


def test_the_rise_of_a_sum_is_that_of_its_deaths_not_of_its_logs():
    part = SimpleNamespace(units=("US", "OH"), others=("CT", "WV", "VT"))
    up = {"CT": 0.2, "WV": -0.4, "VT": 0.9, "OH": 0.3}
    rise = {s: np.full((2, 3), x, np.float32) for s, x in up.items()}
    found = rise_of_units(part, rise, {"CT": 60.0, "WV": 30.0, "VT": 10.0})
    want = np.log(0.6 * np.exp(0.2) + 0.3 * np.exp(-0.4) + 0.1 * np.exp(0.9))
    np.testing.assert_allclose(found[:, 0], want, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], 0.3, rtol=1e-6)


def test_the_growth_of_a_place_is_a_weighted_ridge_by_hand():
    # Weights are a place's deaths in thousands a month, up to 2,000 a year; the ridge is 50 / 12.
    # 200 outcomes are enough, and 199 are not.
    rng = np.random.default_rng(2)
    deaths = np.full((20, 34), [[600.0], [3000.0]] * 10) * np.exp(0.1 * rng.random((20, 34)))
    nation = np.full(34, 60_000.0)
    share = 0.5 + 0.2 * rng.random((20, 34))
    x = np.stack([share[:, 12:] - 0.5, share[:, 12:] - share[:, :-12]], axis=-1)
    growth = np.log(deaths[:, 24:] / deaths[:, 12:-12])
    scaled = x / [share.std(), x[..., 1].std()]
    at, outcome = scaled[:, :-12].reshape(-1, 2), growth.ravel()
    weight = np.minimum(deaths[:, 12:-12].ravel(), 2000.0) / 12_000.0
    squares = (at * weight[:, None]).T @ at + np.diag([50 / 12, 50 / 12])
    slopes = np.linalg.inv(squares) @ (at * weight[:, None]).T @ outcome
    found = relative_growth(deaths, nation, deaths * share, 0.5 * nation)
    np.testing.assert_allclose(found, scaled[:, -1] @ slopes, rtol=1e-9)
    share[0, 12] = np.nan
    assert not relative_growth(deaths, nation, deaths * share, 0.5 * nation).any()


def test_a_tilt_leaves_the_nation_and_moves_a_count_by_its_growth() -> None:
    rng = np.random.default_rng(3)
    paths = rng.gamma(50.0, 1.0, (20, 5, 14))
    growth = np.array([0.2, -0.1, 0.0, 0.0, 0.05])
    moved = paths.copy()
    tilt(moved, growth)
    np.testing.assert_allclose(moved.sum(axis=1), paths.sum(axis=1), rtol=1e-12)
    # A month h ahead grows by h / 6.5 of the growth, 12 / 6.5 at most, and both keep their sum.
    flat = np.full((1, 2, 14), 100.0)
    moved = flat.copy()
    tilt(moved, np.array([0.65, 0.0]))
    grown = np.exp([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.2, 1.2])
    np.testing.assert_allclose(moved[0], [200 * grown / (1 + grown), 200 / (1 + grown)])
    tilt(flat, np.zeros(2))
    assert (flat == 100.0).all()


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
        pins = (each.values["pin_level_variance"], each.values["pin_forget"])
        value = penalised(tool.span(each.cutoff.isoformat()).counts, pins)
        theta = np.array([each.values[name] for name in NAMES])
        best = value(to_line(theta))
        for i, name in enumerate(NAMES):
            for factor in (0.97, 1.03):
                moved = theta.copy()
                moved[i] = min(moved[i] * factor, 0.9999)
                assert value(to_line(moved)) <= best + 0.05, (each.cutoff, name, factor)


SHORT = "T40.4"
DRAWS = 60
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def vintage() -> od.Vintage:
    return od.bundled().as_of("2025-09-17")


@pytest.fixture(scope="module")
def clean(panel) -> od.Panel:
    return panel.cut("2021-06")


@pytest.fixture(scope="module")
def forecasts(panel, clean) -> dict[str, od.Forecast]:
    return {"release": forecast_of(panel), "clean": forecast_of(clean)}


def forecast_of(panel: od.Panel, **keywords) -> od.Forecast:
    return od.get_model("dlm", **keywords).fit(panel).forecast(draws=DRAWS)


def same(one: od.Forecast, two: od.Forecast) -> None:
    for name in ("draws", "known", "months"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for name in ("locations", "skipped", "warnings"):
        assert getattr(one, name) == getattr(two, name)


def within(part: od.Forecast, made: od.Forecast) -> None:
    whole = made.select(part.locations)
    assert (part.draws >= 0).all()
    assert (part.draws <= whole.draws).all()
    assert (part.samples() <= whole.samples() + 1e-9).all()


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_a_part_lies_within_the_whole_in_every_draw(forecasts, kind):
    part = forecasts[kind].part(SHORT)
    within(part, forecasts[kind])
    whole = forecasts[kind].select(part.locations)
    assert (part.known <= whole.known).all()
    assert (part.known >= np.minimum(whole.known, 0)).all()
    assert part.panel.indicator == SYNTHETIC_OPIOIDS
    assert part.provenance == forecasts[kind].provenance
    # It is no constant share: within a month the part has noise of its own.
    assert (part.draws[:, 0] / whole.draws[:, 0]).std(axis=0)[part.horizons > 0].min() > 0.01


@pytest.mark.parametrize("month", ["2018-12", "2021-06", "2024-04"])
def test_known_months_are_whole_and_add_up_to_the_counts(panel, month):
    fitted = od.get_model("dlm").fit(panel.cut(month))
    inputs = fitted.inner.classes[SHORT].inputs
    made = fitted.forecast(1, draws=2).part(SHORT)
    before = dict(zip(made.locations, made.known, strict=True))
    reported = inputs.panel.reported[:, -12:]
    sums = rolling_sums(inputs.shown)
    for row, place in enumerate(inputs.units):
        if place != "US":
            np.testing.assert_array_equal(before[place], inputs.shown[row, -11:])
            shown = reported[inputs.panel.index(place)]
            known = ~np.isnan(shown)
            assert np.array_equal(sums[row][known], shown[known])
    inside = [i for i, s in enumerate(inputs.units) if s in (*JURISDICTIONS, "US")]
    assert np.array_equal(sums[inside].sum(axis=0), reported[inputs.panel.index("US")])
    assert np.array_equal(inputs.shown, np.round(inputs.shown))


def test_the_nation_holds_the_parts_and_a_rest(forecasts):
    part = forecasts["release"].part(SHORT)
    published = [s for s in part.locations if s in JURISDICTIONS]
    assert len(published) < len(JURISDICTIONS)
    us = part.select("US").samples()[:, 0]
    assert (us >= part.select(published).samples().sum(axis=1)).all()


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_drawing_the_part_moves_no_draw_of_all_drugs(forecasts, kind):
    made = forecasts[kind]
    fitted = od.get_model("dlm").fit(made.panel)
    fitted.inner.classes = {}
    bare = fitted.forecast(draws=DRAWS)
    assert np.array_equal(bare.draws, made.draws)
    assert np.array_equal(bare.known, made.known)
    assert not bare.beside
    assert made.beside


@pytest.mark.parametrize("month", [None, "2021-06", "2019-03"])
def test_the_panel_of_the_class_gives_the_same_part(vintage, month):
    whole, part = vintage.panel(), vintage.panel(SHORT)
    if month is not None:
        whole, part = whole.cut(month), part.cut(month)
    beside = part.beside["all-drugs"]
    assert not beside.beside
    assert whole_of(part)[0].data_hash == whole.data_hash
    one, two = forecast_of(whole).part(SHORT), forecast_of(part)
    same(one, two)
    assert two.panel is part
    assert two.provenance["data_hash"] == part.data_hash
    moved = forecast_of(replace(part, beside={"all-drugs": beside.cut(part.months[-25])}))
    assert not np.array_equal(moved.draws[..., -1], two.draws[..., -1])  # of another month: alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2018-04-11.csv", "2024-12-11.csv.gz"])
def test_real_releases(shared, name):
    vintage = od.read(shared / "vsrr" / name)
    whole = vintage.panel()
    beside = {s: replace(vintage.panel(s), beside={}, triangle=None, notes=()) for s in CLASSES}
    made = forecast_of(replace(whole, beside={**whole.beside, **beside}))
    # The panel of the class gives the same, whatever other classes stand beside.
    same(made.part(SHORT), forecast_of(vintage.panel(SHORT)))
    same(made.part("cocaine"), forecast_of(vintage.panel("cocaine")))
    assert set(made.beside) == set(CLASSES)
    for short in CLASSES:
        part = made.part(short)
        assert len(part.locations) >= 19, short
        within(part, made)
        # The nowcast of the nation is the count as reported and a little more.
        reported = beside[short].reported[beside[short].index("US"), -1]
        now = part.select("US").samples()[:, 0, part.horizons == 0].mean()
        assert 1.0 < now / reported < 1.12, short


def test_selecting_and_adding_carry_it(forecasts):
    whole = forecasts["release"]
    part = whole.part(SHORT)
    some = whole.select(["WV", "US", "Ohio"]).part(SHORT)
    assert some.locations == ("WV", "US", "OH")
    assert np.array_equal(some.draws, part.select(["WV", "US", "OH"]).draws)
    both = whole.total(["OH", "WV"], "both").part("Synthetic opioids, excl. methadone (T40.4)")
    assert np.array_equal(both.draws, part.total(["OH", "WV"], "both").draws)
    assert SHORT not in whole.region("South").beside  # Florida has no count
    assert SHORT in whole.select(["OH", "FL"]).beside
    kept = whole.select([s for s in whole.locations if s != "US"]).with_nation()
    assert SHORT in kept.beside
    assert "US" not in kept.part(SHORT).locations


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f, _: f["release"].select("FL").part(SHORT), "no T40.4.*FL: no reported count"),
        (lambda f, _: f["release"].part("cocaine"), "no cocaine.*it holds T40.4"),
        (lambda _, p: forecast_of(replace(p, beside={})).part(SHORT), "no T40.4.*dlm carries"),
        (lambda f, _: f["release"].part(SHORT).select("FL"), "no reported count"),
        (lambda f, _: f["release"].with_parts(f["clean"].beside), "not belong to these draws"),
        (lambda f, _: f["release"].part(SHORT).nation(), "no forecast for"),
    ],
)
def test_why_there_is_none(forecasts, clean, call, said):
    with pytest.raises(ForecastError, match=said):
        call(forecasts, clean)


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_it_is_saved_and_pickled_bit_for_bit(tmp_path, forecasts, kind):
    whole = forecasts[kind].select(["US", "OH", "WV", "AZ"])
    alone = whole.part(SHORT)
    for back in (
        od.load_forecast(whole.save(tmp_path / "f")).part(SHORT),
        pickle.loads(pickle.dumps(whole)).part(SHORT),
        od.load_forecast(alone.save(tmp_path / "alone")),
    ):
        same(back, alone)
        assert back.provenance == whole.provenance
        assert back.panel.data_hash == alone.panel.data_hash
        assert back.joint == whole.joint


def test_suppressed_and_missing_cells(panel):
    part = panel.beside[SHORT]
    layers = {name: getattr(part, name).copy() for name in ("reported", "low", "high")}
    for layer, value in zip(layers.values(), (np.nan, 1.0, 9.0)):
        layer[part.index("OH"), -30:-28] = np.nan
        layer[part.index("WV"), -5:-3] = layer[part.index("KY"), -1] = value
    made = forecast_of(replace(panel, beside={SHORT: replace(part, **layers)})).part(SHORT)
    assert "OH" in made.locations  # a gap is bridged
    assert "only 14 months" in made.skipped["WV"]
    assert "is suppressed" in made.skipped["KY"]
    assert np.isfinite(made.samples()).all()


def test_the_us_has_a_share_of_its_own_where_it_is_no_sum(panel):
    few = replace(panel.select(["US", "OH", "WV"]), selected=False)
    fitted = od.get_model("dlm").fit(few)
    made = fitted.forecast(draws=DRAWS)
    assert made.part(SHORT).locations == ("US", "OH", "WV")
    within(made.part(SHORT), made)
    assert not fitted.inner.classes[SHORT].inputs.adds_up
    # A nation smaller than its parts contradicts itself: no rest.
    part = panel.beside[SHORT]
    us = np.isin(part.locations, "US")[:, None]
    less = with_counts(part, np.round(np.where(us, 0.6, 1.0) * part.reported), part.predicted)
    made = forecast_of(replace(panel, beside={**panel.beside, SHORT: less}))
    within(made.part(SHORT), made)
    # One that is their sum leaves nothing to a rest, and nothing is no contradiction; less is.
    inputs = od.get_model("dlm").fit(panel).inner.classes[SHORT].inputs
    inside = np.isin(part.locations, [s for s in inputs.units if s in JURISDICTIONS])
    for lacking, adds_up in ((0.0, True), (1.0, False)):
        whole = np.where(us, part.reported[inside].sum(axis=0) - lacking, part.reported)
        beside = {**panel.beside, SHORT: with_counts(part, whole, part.predicted)}
        fitted = od.get_model("dlm").fit(replace(panel, beside=beside))
        assert fitted.inner.classes[SHORT].inputs.adds_up == adds_up
