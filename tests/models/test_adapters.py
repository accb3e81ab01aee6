"""What adapters of other libraries share: paths from past errors, from quantiles, and identity."""

# ruff: noqa: ARG002, ARG005  (forecasters made here take what every forecaster takes)
from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import release_panel, with_counts
from scipy.stats import norm

import odforecast as od
from odforecast.errors import ForecastError, PanelError
from odforecast.models.adapters.foreign import (
    FEWEST,
    LEAST,
    LENGTH,
    LEVELS,
    NEEDED,
    Foreign,
    Marginals,
    PastErrors,
    adapted,
    cutoffs,
    past_errors,
    point,
    steadied,
    title,
)
from odforecast.models.content import Contents
from odforecast.models.paths import said
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.testing import zoo

RNG = np.random.default_rng


# --- past errors --------------------------------------------------------------------------


@given(n=st.integers(0, 300), windows=st.integers(4, 40))
def test_earlier_fits_see_no_month_that_they_are_judged_by(n: int, windows: int) -> None:
    ends = cutoffs(n, windows)
    assert len(ends) <= windows
    assert all(LEAST <= end <= n - LENGTH for end in ends)
    assert all(a - b == 3 for a, b in pairwise(ends))
    assert not ends or ends[0] == n - LENGTH
    assert (len(ends) >= FEWEST) == (n >= NEEDED)


def test_errors_are_truth_less_forecast_of_what_came_before() -> None:
    y = np.arange(60.0) ** 2
    seen: list[int] = []

    def last(start: np.ndarray) -> np.ndarray:
        seen.append(start.size)
        np.testing.assert_array_equal(start, y[: start.size])
        return np.full(LENGTH, start[-1])

    errors = past_errors(y, last, 5)
    assert seen == [48, 45, 42, 39, 36]
    np.testing.assert_array_equal(errors[1], y[45:57] - y[44])


def test_too_few_earlier_fits_and_forecasts_that_are_no_numbers() -> None:
    with pytest.raises(PanelError, match=r"only 44 values.* need 45"):
        past_errors(np.arange(44.0), lambda start: np.zeros(LENGTH), 12)
    with pytest.raises(PanelError, match="not a finite number"):
        past_errors(np.arange(60.0), lambda start: np.full(LENGTH, np.nan), 12)


@pytest.fixture(scope="module")
def errors() -> np.ndarray:
    return RNG(4).normal(0.3, 1.0, (9, LENGTH)).cumsum(axis=1)


def test_drawn_errors_have_the_second_moments_of_past_ones(errors: np.ndarray) -> None:
    """E[e e'] is the mean product of past errors, over all pairs of months: joint, bias too."""
    paths = PastErrors(lambda horizon: np.zeros(horizon), errors).draw(12, 200_000, RNG(1))
    wanted = errors.T @ errors / len(errors)
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    np.testing.assert_allclose(paths.T @ paths / len(paths) / scale, wanted / scale, atol=0.02)
    np.testing.assert_allclose(paths.mean(axis=0) / np.sqrt(np.diag(wanted)), 0.0, atol=0.02)


def test_a_shorter_horizon_is_the_start_of_a_longer_one(errors: np.ndarray) -> None:
    paths = PastErrors(lambda horizon: np.arange(horizon) * 1.0, errors)
    long = paths.draw(30, 50, RNG(1))
    np.testing.assert_allclose(paths.draw(5, 50, RNG(1)), long[:, :5])
    # Beyond a year a second path goes on where the first ended: variances add.
    far = PastErrors(lambda horizon: np.zeros(horizon), errors).draw(24, 200_000, RNG(2))
    np.testing.assert_allclose(far[:, 23].var(), 2 * far[:, 11].var(), rtol=0.02)
    steps = far[:, 12:] - far[:, 11:12]
    assert abs(np.corrcoef(steps[:, 3], far[:, 11])[0, 1]) < 0.01


# --- quantiles ----------------------------------------------------------------------------


def test_draws_of_normal_quantiles_are_normal_and_independent_from_month_to_month() -> None:
    centre, spread = np.array([5.0, -2.0, 0.0]), np.array([1.0, 3.0, 0.5])
    made = Marginals(lambda horizon: centre + np.outer(norm.ppf(LEVELS), spread))
    draws = made.draw(3, 100_000, RNG(1))
    normal = RNG(1).standard_normal((3, 100_000)).T
    np.testing.assert_allclose(draws, centre + spread * normal, atol=1e-9)  # tails too


@given(st.lists(st.floats(-50, 50), min_size=len(LEVELS), max_size=len(LEVELS)), st.integers(0, 9))
def test_draws_have_the_quantiles_they_are_made_of(values: list[float], seed: int) -> None:
    given_ = np.sort(np.array(values))
    made = Marginals(lambda horizon: np.repeat(given_[:, None], horizon, axis=1))
    draws = made.draw(1, 4000, RNG(seed))[:, 0]
    for level, value in zip(LEVELS, given_):
        # Of 4,000 draws the share below each quantile, five standard errors either way.
        off = 5 * np.sqrt(level * (1 - level) / 4000)
        assert (draws < value - 1e-9).mean() <= level + off
        assert (draws <= value + 1e-9).mean() >= level - off


def test_crossing_quantiles_are_put_in_order_and_others_are_refused() -> None:
    crossed = np.linspace(0, 1, len(LEVELS))[:, None].copy()
    crossed[[3, 4]] = crossed[[4, 3]]
    ordered = Marginals(lambda horizon: np.sort(crossed, axis=0)).draw(1, 50, RNG(1))
    np.testing.assert_array_equal(Marginals(lambda horizon: crossed).draw(1, 50, RNG(1)), ordered)
    for bad in (crossed * np.nan, crossed[1:]):
        with pytest.raises(PanelError, match="not finite numbers"):
            Marginals(lambda horizon, bad=bad: bad).draw(1, 50, RNG(1))


# --- identity -----------------------------------------------------------------------------


class Thing:
    def __init__(self, a: Any = 1, b: Any = None) -> None:
        self.a, self.b = a, b
        self.fitted_, self._secret = object(), object()


class Sealed:
    __slots__ = ()


def double(x: float) -> float:
    return 2 * x


def held(k: object) -> Any:
    def inner(x: float) -> Any:
        return x, k

    return inner


def defaulted(k: object) -> Any:
    def inner(x: float, y: object = k) -> Any:
        return x, y

    return inner


def test_a_decorated_function_is_known_by_what_it_holds_too() -> None:
    """A factory makes models of one text; their results must never be taken for one another."""

    def flat(level: Any) -> Any:
        @od.forecaster()
        def model(panel: Any, horizon: int, draws: int, rng: Any) -> Any:
            return rng.poisson(level, (draws, 1, horizon)).astype(float)

        return model

    assert flat(1.0).spec.hash == flat(1.0).spec.hash
    assert flat(1.0).spec.hash != flat(2.0).spec.hash
    assert flat(Sealed()).spec.origin == ""


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        1.5,
        "text",
        b"bytes",
        np.float64(2.0),
        np.arange(3),
        {"a": [1, (2, 3)]},
        {3, 1, 2},
        functools.partial(double, 2),
        Thing,
        double,
        np.log1p,
        Thing(2),
    ],
)
def test_parameters_have_a_text_that_hangs_on_content(value: Any) -> None:
    import copy

    first, second = (Contents().text(Thing(v)) for v in (value, copy.deepcopy(value)))
    assert first == second
    assert " at 0x" not in first
    assert set(Contents().estimator(Thing(value))) == {"a", "b"}, "nothing learned, nothing private"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, "1"),
        (np.arange(3), np.arange(4)),
        (np.arange(3), np.arange(3.0)),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        (Thing(1), Thing(2)),
        (functools.partial(double, 1), functools.partial(double, 2)),
        (double, np.log1p),
        (lambda x: x, lambda x: -x),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: x in {1, 2}, lambda x: x in {1, 3}),
        (lambda x: x in {1, 2}, lambda x: x in (1, 2)),
        (lambda: [+y for y in (1, 2)], lambda: [-y for y in (1, 2)]),
        (lambda: lambda: 1, lambda: lambda: 1.0),
        (held(1), held(2)),
        (defaulted(1), defaulted(2)),
    ],
)
def test_other_parameters_have_another_text(one: Any, other: Any) -> None:
    assert Contents().text(Thing(one)) != Contents().text(Thing(other))


@pytest.mark.slow
def test_a_set_in_the_code_has_one_text_in_every_process() -> None:
    """Python keeps ``x in {...}`` as a frozenset, whose order hangs on the process's hash seed."""
    code = """from odforecast.models.content import Contents
made = {}
exec("keep = lambda x: x in {'OH', 'WV', 'PA', 'NY', 'KY', ('a', 'b')}", made)
print(Contents().text(made["keep"]), Contents().text({"OH", "WV", "PA", "NY"}))
"""
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def origin(item: object) -> str:
    contents = Contents()
    contents.text(item)
    return contents.origin


def test_where_code_comes_from_is_known_or_nothing_is_reused() -> None:
    from sklearn.linear_model import Ridge
    from statsforecast.models import SeasonalNaive, SklearnModel

    assert origin(SeasonalNaive(12)).startswith("statsforecast==")
    both = origin(SklearnModel(model=Ridge()))
    assert [s.partition("==")[0] for s in both.split(", ")] == ["scikit-learn", "statsforecast"]
    assert origin(Thing()) == "", "this file is of no distribution"
    mine = SeasonalNaive(12)
    mine.alias = Sealed()  # nothing says what it is
    assert origin(mine) == ""
    mine.alias = double  # a function of a file of one's own
    assert origin(mine) == ""
    mine.alias = inner = []
    for _ in range(30):
        inner.append([])
        inner = inner[0]
    assert origin(mine) == ""


def test_titles_are_labels() -> None:
    from statsforecast.models import MSTL, AutoCES

    assert title(AutoCES(season_length=12, model="N")) == "AutoCES(season_length=12, model='N')"
    # What is no label, or too long, is left out.
    assert title(AutoCES(alias="a/b")) == "AutoCES"
    assert title(MSTL(season_length=[3, 12], trend_forecaster=AutoCES())) == "MSTL"


# --- foreign code -------------------------------------------------------------------------


def test_foreign_code_leaves_no_trace_in_the_process() -> None:
    before = (np.random.get_state()[1].copy(), random.getstate())  # noqa: NPY002
    with steadied(2**40 + 7):
        first = (np.random.random(), random.random())  # noqa: NPY002
        warnings.warn("of a coming version", FutureWarning, stacklevel=1)
    with steadied(2**40 + 7):
        assert (np.random.random(), random.random()) == first  # noqa: NPY002
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert random.getstate() == before[1]
    with pytest.raises(UserWarning), steadied(1):
        warnings.warn("of the numbers", UserWarning, stacklevel=1)


def test_errors_of_foreign_code_are_one_line() -> None:
    assert said(ValueError("\n  bad\nworse")) == "ValueError: bad"
    assert said(KeyError()) == "KeyError"
    assert len(said(ValueError("x" * 900))) == 200
    with pytest.raises(PanelError, match="3 point forecasts, asked for 4"):
        point([1, 2, 3], 4)


@dataclass(frozen=True)
class Flat:
    """A forecaster that repeats the last value, and breaks where it is told to."""

    broken: str = ""
    at: float = np.inf

    def fit(self, y: np.ndarray, first: np.datetime64, seed: int) -> Flat:
        if self.broken == "fit" and y[-1] < self.at:
            raise RuntimeError("no luck")
        return Flat(self.broken, float(y[-1]))

    def mean(self, horizon: int) -> np.ndarray:
        if self.broken == "mean":
            raise RuntimeError("no luck")
        if self.broken == "memory":
            raise MemoryError
        return np.full(horizon, np.inf if self.broken == "finite" else self.at)

    def quantiles(self, horizon: int) -> np.ndarray:
        return np.repeat(self.at + norm.ppf(LEVELS)[:, None] / 20, horizon, axis=1)

    def paths(self) -> Any:
        return PastErrors(self.mean, np.ones((4, LENGTH)) / 9)


def made(flat: Flat, **settings: Any) -> Any:
    usual = {"on": "months", "name": "flat", "paths": "errors", "log": True, "windows": 12}
    return adapted(flat, flat, beside="x==1", **(usual | settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"on": "month"}, "on is 'month', unknown; did you mean 'months'"),
        ({"windows": 3}, "windows is 3, allowed: a whole number of at least 4"),
        ({"windows": True}, "windows is True"),
        ({"log": "yes"}, "log is 'yes', allowed: True or False"),
        (
            {"paths": "quantiles"},
            r"flat cannot be used on months with paths='quantiles'.*not joint.*use on='sums'",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ForecastError, match=words):
        made(Flat(), **settings)


def test_what_a_spec_says_of_an_adapter() -> None:
    months, sums = made(Flat()).spec, made(Flat(), on="sums").spec
    apart = made(Flat(), on="sums", paths="quantiles").spec
    assert (months.target, sums.target) == ("deaths_month", "deaths_12mo")
    assert (months.joint, apart.joint) == (frozenset({"month"}), frozenset())
    assert (months.min_months, sums.min_months, apart.min_months) == (48, 60, 36)
    assert months.by == "location"
    assert months.dataset == "states"
    assert dict(months.parameters)["windows"] == "12"
    assert "windows" not in dict(apart.parameters), "it plays no part there"
    others = [made(Flat(at=3.0)), made(Flat(), log=False), made(Flat(), windows=13)]
    assert len({s.hash for s in (months, sums, apart, *(m.spec for m in others))}) == 6
    assert months.origin == "", "the class of this file is of no distribution: never reused"


def test_series_are_months_or_sums_on_the_scale_asked_for() -> None:
    panel = release_panel()
    ohio = panel.monthly[panel.index("OH")]
    seen = {}
    for on, log in (("months", True), ("months", False), ("sums", True), ("sums", False)):
        fitted = made(Flat(), on=on, log=log, paths="model").fit(panel.select("OH")).inner
        seen[on, log] = fitted.series["OH"].mean(1)[0]
    assert seen["months", False] == pytest.approx(ohio[-1])
    assert seen["months", True] == pytest.approx(np.log1p(ohio[-1]))
    assert seen["sums", False] == pytest.approx(rolling_sums(ohio)[-1])
    assert seen["sums", True] == pytest.approx(np.log1p(panel.reported[panel.index("OH"), -1]))


def test_sums_of_what_is_not_joint_are_refused() -> None:
    panel = release_panel()
    joint = made(Flat()).fit(panel).forecast(draws=50)
    assert joint.samples().shape == (50, 5, 12)
    with pytest.raises(ForecastError, match="not joint over locations"):
        joint.total(["OH", "WV"], "two")
    apart = made(Flat(), on="sums", paths="quantiles").fit(panel).forecast(draws=4000)
    assert apart.joint == frozenset()
    with pytest.raises(ForecastError, match="does not forecast deaths_month"):
        apart.samples("deaths_month")
    # What is drawn apart is independent from month to month, and says so by its joint axes.
    assert abs(np.corrcoef(apart.draws[:, 0, 5], apart.draws[:, 0, 6])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("fit", "flat could not be fitted: RuntimeError: no luck"),
        ("mean", "flat could not be fitted: RuntimeError: no luck"),
        ("finite", "flat could not be fitted: a past point forecast is not a finite number"),
    ],
)
def test_one_series_that_fails_does_not_end_the_others(broken: str, words: str) -> None:
    panel = release_panel()
    wyoming = float(np.log1p(panel.monthly[panel.index("WY")]).max())
    if broken == "fit":
        forecast = made(Flat("fit", at=wyoming + 0.1)).fit(panel).forecast(draws=20)
        assert dict(forecast.skipped) == {"WY": words}
        assert set(forecast.locations) == {"US", "OH", "AZ", "WV"}
    with pytest.raises(PanelError, match="can use none of the 5 locations") as caught:
        made(Flat(broken)).fit(panel)
    assert words in str(caught.value)


@pytest.mark.parametrize("paths", ["errors", "model"])  # while it is fitted, and while it draws
def test_memory_that_runs_out_is_no_place_skipped(paths: str) -> None:
    with pytest.raises(MemoryError):
        made(Flat("memory"), paths=paths).fit(release_panel()).forecast(draws=20)


def test_what_fails_only_when_it_draws_is_skipped_with_the_reason() -> None:
    panel = release_panel()
    for broken, words in (("mean", "could not forecast: RuntimeError"), ("finite", "not finite")):
        fitted = made(Flat(broken), paths="model").fit(panel)
        with pytest.raises(PanelError, match=words):
            fitted.forecast(draws=20)


def test_negative_draws_are_set_to_zero_and_counted() -> None:
    panel = release_panel()

    @dataclass(frozen=True)
    class Low(Flat):
        def fit(self, y: np.ndarray, first: np.datetime64, seed: int) -> Flat:
            return Low(at=-5.0)

    forecast = made(Low(), log=False, paths="model").fit(panel.select("OH")).forecast(draws=20)
    assert (forecast.draws == 0).all()
    assert forecast.warnings == ("240 of 240 drawn months were below zero and set to 0 (OH)",)


def test_a_constant_series_shows_no_spread() -> None:
    for on, where in (("months", "no-deaths"), ("sums", "no-deaths"), ("sums", "constant")):
        with pytest.raises(PanelError, match="never changes"):
            made(Flat(), on=on).fit(zoo()[where])


def test_a_series_begins_where_its_last_gap_ends() -> None:
    panel = zoo()["suppressed"]  # the first year of Wyoming
    starts = {}

    @dataclass(frozen=True)
    class Noting(Flat):
        def fit(self, y: np.ndarray, first: np.datetime64, seed: int) -> Flat:
            starts[y.size] = first
            return Flat(at=float(y[-1]))

    made(Noting(), paths="model").fit(panel.select(["OH", "WY"]))
    last = panel.last_month
    assert set(starts) == {81, 69}
    assert all(first + (size - 1) * ONE_MONTH == last for size, first in starts.items())


def test_the_given_numbers_hang_on_what_is_forecast_not_on_counts() -> None:
    seeds: list[list[int]] = []

    @dataclass(frozen=True)
    class Noting(Flat):
        def fit(self, y: np.ndarray, first: np.datetime64, seed: int) -> Flat:
            seeds[-1].append(seed)
            return Flat(at=float(y[-1]))

    panel = release_panel()
    more = with_counts(panel, panel.reported * 1.1, None)
    for one in (panel, more, panel.cut("2020-12")):
        seeds.append([])
        assert isinstance(made(Noting()).inner, Foreign)
        made(Noting()).fit(one.select(["OH", "WV"]))
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 2, "one for each place, the same in its earlier fits"
    assert not set(seeds[0]) & set(seeds[2])
