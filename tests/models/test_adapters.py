"""What adapters of other libraries share: paths from past errors, from quantiles, and identity."""

# ruff: noqa: ARG002, ARG005  (forecasters made here take what every forecaster takes)
from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import release_panel
from scipy.stats import norm

import odforecast as od
from odforecast.errors import ForecastError, PanelError
from odforecast.models import adapters as forms
from odforecast.models.content import Contents

RNG = np.random.default_rng


@given(n=st.integers(0, 300), windows=st.integers(4, 40))
def test_earlier_fits_see_no_month_that_they_are_judged_by(n: int, windows: int) -> None:
    ends = forms.cutoffs(n, windows)
    assert len(ends) <= windows
    assert all(forms.LEAST <= end <= n - forms.LENGTH for end in ends)
    assert all(a - b == 3 for a, b in pairwise(ends))
    assert not ends or ends[0] == n - forms.LENGTH
    assert (len(ends) >= forms.FEWEST) == (n >= forms.NEEDED)


def test_errors_are_truth_less_forecast_of_what_came_before():
    y, seen = np.arange(60.0) ** 2, []

    def last(start: np.ndarray) -> np.ndarray:
        seen.append(start.size)
        np.testing.assert_array_equal(start, y[: start.size])
        return np.full(forms.LENGTH, start[-1])

    errors = forms.past_errors(y, last, 5)
    assert seen == [48, 45, 42, 39, 36]
    np.testing.assert_array_equal(errors[1], y[45:57] - y[44])


def test_drawn_errors_have_the_second_moments_of_past_ones():
    """E[e e'] is the mean product of past errors, over all pairs of months: joint, bias too."""
    errors = RNG(4).normal(0.3, 1.0, (9, forms.LENGTH)).cumsum(axis=1)
    paths = forms.PastErrors(lambda horizon: np.zeros(horizon), errors).draw(12, 200_000, RNG(1))
    wanted = errors.T @ errors / len(errors)
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    np.testing.assert_allclose(paths.T @ paths / len(paths) / scale, wanted / scale, atol=0.02)
    np.testing.assert_allclose(paths.mean(axis=0) / np.sqrt(np.diag(wanted)), 0.0, atol=0.02)


def test_draws_of_normal_quantiles_are_normal_and_independent_from_month_to_month() -> None:
    centre, spread = np.array([5.0, -2.0, 0.0]), np.array([1.0, 3.0, 0.5])
    made = forms.Marginals(lambda horizon: centre + np.outer(norm.ppf(forms.LEVELS), spread))
    draws = made.draw(3, 100_000, RNG(1))
    normal = RNG(1).standard_normal((3, 100_000)).T
    np.testing.assert_allclose(draws, centre + spread * normal, atol=1e-9)  # tails too


@given(
    st.lists(st.floats(-50, 50), min_size=len(forms.LEVELS), max_size=len(forms.LEVELS)),
    st.integers(0, 9),
)
def test_draws_have_the_quantiles_they_are_made_of(values: list[float], seed: int) -> None:
    given_ = np.sort(np.array(values))
    made = forms.Marginals(lambda horizon: np.repeat(given_[:, None], horizon, axis=1))
    draws = made.draw(1, 4000, RNG(seed))[:, 0]
    for level, value in zip(forms.LEVELS, given_):
        # Of 4,000 draws the share below each quantile, five standard errors either way.
        off = 5 * np.sqrt(level * (1 - level) / 4000)
        assert (draws < value - 1e-9).mean() <= level + off
        assert (draws <= value + 1e-9).mean() >= level - off


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


def test_a_decorated_function_is_known_by_what_it_holds_too():
    def flat(level: Any) -> od.models.Spec:
        @od.forecaster()
        def model(panel: Any, horizon: int, draws: int, rng: Any) -> Any:
            return rng.poisson(level, (draws, 1, horizon)).astype(float)

        return model.spec

    assert flat(1.0).hash == flat(1.0).hash != flat(2.0).hash
    assert flat(Sealed()).origin == ""


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
def test_a_set_in_the_code_has_one_text_in_every_process():
    """Python keeps ``x in {...}`` as a frozenset, whose order hangs on the process's hash seed."""
    code = """from odforecast.models.content import Contents
made = {}
exec("keep = lambda x: x in {'OH', 'WV', 'PA', 'NY', 'KY', ('a', 'b')}", made)
print(Contents().text(made["keep"]), Contents().text({"OH", "WV", "PA", "NY"}))
"""
    command = [sys.executable, "-c", code]
    environments = (os.environ | {"PYTHONHASHSEED": seed} for seed in ("1", "2", "3"))
    assert len({subprocess.check_output(command, env=e) for e in environments}) == 1


def test_where_code_comes_from_is_known_or_nothing_is_reused():
    from sklearn.linear_model import Ridge
    from statsforecast.models import SeasonalNaive, SklearnModel

    def origin(item: object) -> str:
        contents = Contents()
        contents.text(item)
        return contents.origin

    assert origin(SeasonalNaive(12)).startswith("statsforecast==")
    both = origin(SklearnModel(model=Ridge()))
    assert [s.partition("==")[0] for s in both.split(", ")] == ["scikit-learn", "statsforecast"]
    assert origin(Thing()) == "", "this file is of no distribution"
    deep: list[Any] = []
    for _ in range(30):
        deep = [deep]
    mine = SeasonalNaive(12)
    for what in (Sealed(), double, deep):  # nothing says what it is, or it is of one's own file
        mine.alias = what
        assert origin(mine) == ""


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
        if self.broken in ("mean", "memory"):
            raise MemoryError if self.broken == "memory" else RuntimeError("no luck")
        return np.full(horizon, np.inf if self.broken == "finite" else self.at)

    def quantiles(self, horizon: int) -> np.ndarray:
        return np.repeat(self.at + norm.ppf(forms.LEVELS)[:, None] / 20, horizon, axis=1)

    def paths(self) -> Any:
        return forms.PastErrors(self.mean, np.ones((4, forms.LENGTH)) / 9)


def made(flat: Flat, **settings: Any) -> Any:
    usual = {"on": "months", "name": "flat", "paths": "errors", "log": True, "windows": 12}
    return forms.adapted(flat, flat, beside="x==1", **(usual | settings))


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


@pytest.mark.parametrize("on", ["months", "sums"])
@pytest.mark.parametrize("log", [True, False])
def test_series_are_months_or_sums_on_the_scale_asked_for(on, log):
    panel = release_panel().select("OH")
    fitted = made(Flat(), on=on, log=log, paths="model").fit(panel).inner
    last = panel.monthly[0, -1] if on == "months" else panel.reported[0, -1]
    assert fitted.series["OH"].mean(1)[0] == pytest.approx(np.log1p(last) if log else last)


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
