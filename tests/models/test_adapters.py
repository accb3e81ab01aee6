"""Adapters of other libraries: paths from past errors or quantiles, identity; StatsForecast's."""

# ruff: noqa: ARG002, ARG005  (forecasters made here take what every forecaster takes)
import copy
import functools
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import release_panel
from scipy.stats import norm
from sklearn.linear_model import Ridge
from statsforecast import StatsForecast
from statsforecast import models as sf
from statsforecast.ets import forecast_ets, forward_ets
from statsforecast.utils import ConformalIntervals

import odforecast as od
from odforecast.errors import ForecastError, PanelError, UnknownNameError
from odforecast.models import adapters as forms
from odforecast.models.adapters import DRAWN, SIMULATED
from odforecast.models.content import Contents
from odforecast.models.innovations import Paths
from odforecast.testing import check_forecaster, zoo

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
    centre, spread = np.array([[5.0, -2.0, 0.0], [1.0, 3.0, 0.5]])
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


def test_a_function_that_was_made_within_another_is_never_reused():
    def flat(level: float) -> od.models.Spec:
        @od.forecaster()
        def model(panel: Any, horizon: int, draws: int, rng: Any) -> Any:
            return rng.poisson(level, (draws, 1, horizon)).astype(float)

        return model.spec

    assert (flat(1.0).origin, flat(1.0).version) == ("", "unknown")


#: Settings, of which each has another text than the others.
SETTINGS = [1, 1.0, "1", np.arange(3), np.arange(4), np.arange(3.0), [1, 2], [2, 1], {"a": 1},
            {"a": 2}, Thing(1), Thing(2), double, np.log1p, Thing]  # fmt: skip


def test_other_settings_have_another_text() -> None:
    assert len({Contents().text(Thing(value)) for value in SETTINGS}) == len(SETTINGS)


def test_where_code_comes_from_is_known_or_nothing_is_reused():
    def origin(item: object) -> str:
        contents = Contents()
        contents.text(item)
        return contents.origin

    assert origin(sf.SeasonalNaive(12)).startswith("statsforecast==")
    both = origin(sf.SklearnModel(model=Ridge()))
    assert [s.partition("==")[0] for s in both.split(", ")] == ["scikit-learn", "statsforecast"]
    assert origin(Thing()) == "", "this file is of no distribution"
    deep: list[Any] = []
    for _ in range(30):
        deep = [deep]
    mine = sf.SeasonalNaive(12)
    # Nothing says what it is, it is of one's own file, or holds what nobody sees.
    for what in (Sealed(), double, deep, lambda x: x, functools.partial(np.add, 1)):
        mine.alias = what
        assert origin(mine) == ""


@dataclass(frozen=True)
class Flat:
    """A forecaster that repeats the last value, and breaks where it is told to."""

    broken: str = ""
    at: float = np.inf

    def fit(self, y: np.ndarray, first: np.datetime64, seed: int):
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
    return forms.adapted(flat, flat, distribution="x==1", **(usual | settings))


@pytest.mark.parametrize("on", ["months", "sums"])
@pytest.mark.parametrize("log", [True, False])
def test_series_are_months_or_sums_on_the_scale_asked_for(on, log):
    panel = release_panel().select("OH")
    fitted = made(Flat(), on=on, log=log, paths="model").fit(panel).inner
    last = panel.monthly[0, -1] if on == "months" else panel.reported[0, -1]
    assert fitted.series["OH"].mean(1)[0] == pytest.approx(np.log1p(last) if log else last)


@pytest.mark.parametrize("broken", ["fit", "mean", "finite"])
def test_one_series_that_fails_does_not_end_the_others(broken: str) -> None:
    why = {"finite": "a past point forecast is not a finite number"}
    words = f"flat could not be fitted: {why.get(broken, 'RuntimeError: no luck')}"
    panel = release_panel()
    if broken == "fit":
        above = float(np.log1p(panel.monthly[panel.index("WY")]).max()) + 0.1
        forecast = made(Flat("fit", at=above)).fit(panel).forecast(draws=20)
        assert dict(forecast.skipped) == {"WY": words}
        assert set(forecast.locations) == {"US", "OH", "AZ", "WV"}
    with pytest.raises(PanelError, match="can use none of the 5 locations") as caught:
        made(Flat(broken)).fit(panel)
    assert words in str(caught.value)


@pytest.mark.parametrize("paths", ["errors", "model"])  # while it is fitted, and while it draws
def test_memory_that_runs_out_is_no_place_skipped(paths: str) -> None:
    with pytest.raises(MemoryError):
        made(Flat("memory"), paths=paths).fit(release_panel()).forecast(draws=20)


from_statsforecast = od.models.from_statsforecast
ZOO = zoo()
#: What a test of the contract needs: the ordinary panel, and each way in which one may be short.
FEW = ("ordinary", "clean", "gap", "suppressed", "very-short", "no-deaths", "small-counts")


def series(scale: str) -> np.ndarray:
    t = np.arange(110)
    noise = np.random.default_rng(3).normal(0, 0.05, t.size)
    deaths = 200 * np.exp(0.004 * t + 0.2 * np.sin(t * np.pi / 6) + noise)
    return np.log1p(deaths) if scale == "log" else deaths


def silent(paths: Paths) -> Paths:
    if isinstance(paths, forms.Seasoned):
        return replace(paths, plain=silent(paths.plain))
    return replace(paths, sigma=0.0)  # type: ignore[type-var]


FORMS = ("ANN", "AAN", "ANA", "AAA", "MNN", "MAN", "MAA", "MNM", "MAM", "MMN", "MMM")
ETS = [sf.AutoETS(12, model=x, damped=None if x[1] == "N" else False) for x in FORMS]
CES = [sf.AutoCES(season_length=12, model=kind) for kind in "NSPF"]
THETA = [
    sf.AutoTheta(season_length=12, model=kind, decomposition_type=how)
    for kind in ("STM", "OTM", "DSTM", "DOTM")
    for how in ("multiplicative", "additive")
]
ARIMA = [
    sf.AutoARIMA(season_length=12, max_p=1, max_q=1, max_P=1, max_Q=1),
    sf.ARIMA(order=(1, 0, 1), include_mean=True),
    sf.ARIMA(order=(1, 1, 0), include_drift=True),
    sf.ARIMA(order=(1, 1, 1), season_length=12, seasonal_order=(1, 0, 0)),
    sf.AutoRegressive(lags=[1, 12]),
]
SMOOTHED = [sf.Holt(), sf.HoltWinters(season_length=12)]


def named(model: Any) -> str:
    how = (getattr(model, "model", ""), getattr(model, "decomposition_type", ""))
    return "-".join(str(x) for x in (type(model).__name__, *how, getattr(model, "order", "")) if x)


@pytest.mark.parametrize("scale", ["log", "deaths"])
@pytest.mark.parametrize("model", [*ETS, *CES, *THETA, *ARIMA, *SMOOTHED], ids=named)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_errors_the_paths_are_its_point_forecasts(model: Any, scale: str) -> None:
    """Golden values: statsforecast's own, over two years and a half."""
    fitted = copy.deepcopy(model).fit(series(scale))
    form = next(DRAWN[c.__name__] for c in type(model).__mro__ if c.__name__ in DRAWN)
    paths = form(fitted.model_)
    made = silent(paths).draw(30, 2, np.random.default_rng(1))
    wanted = fitted.predict(h=30)["mean"]
    np.testing.assert_allclose(made, np.broadcast_to(wanted, (2, 30)), rtol=1e-9)
    # With errors, each path is another, and the first month has the spread of the errors.
    noisy = paths.draw(30, 4000, np.random.default_rng(1))
    spread = np.sqrt(fitted.model_.get("sigma2", np.nan))
    if form is not forms.theta:
        relative = wanted[0] if fitted.model_.get("components", "A")[0] == "M" else 1.0
        np.testing.assert_allclose(noisy[:, 0].std(), spread * relative, rtol=0.05)


def shocked(paths: Any, error: float) -> np.ndarray:
    """The path whose first error is given, and that has no other."""

    class First:
        def standard_normal(self, size: Any = None, out: Any = None) -> np.ndarray:
            made = np.zeros(size) if out is None else out
            made[...] = 0.0
            made[0] = error / paths.sigma  # month by month
            return made

    return np.asarray(paths.draw(13, 1, First())[0])


@pytest.mark.parametrize("model", ETS, ids=named)
def test_ets_learns_from_an_error_as_statsforecast_does(model):
    y = series("deaths")
    fitted = copy.deepcopy(model).fit(y).model_
    # Given parameters, for those that are estimated are all but zero now and then.
    fitted["par"][:3] = np.where(np.isnan(fitted["par"][:3]), np.nan, [0.4, 0.2, 0.25])
    path = shocked(forms.ets(forward_ets(fitted, y)), 0.1 if model.model[0] == "M" else 12.0)
    after = forecast_ets(forward_ets(fitted, np.append(y, path[0])), h=12)["mean"]
    np.testing.assert_allclose(path[1:], after, rtol=1e-9)


@pytest.mark.parametrize("kind", "SPF")
def test_the_seasonal_forms_of_ces_repeat_the_filter(kind):
    y = series("deaths")
    model = sf.AutoCES(season_length=12, model=kind).fit(y).model_
    form = forms.ces(model)
    state = forms.ces(model | {"n": 0}).state  # before the first observation
    for value, residual in zip(y, model["residuals"]):
        error = value - form.observe @ state
        assert error == pytest.approx(residual, abs=1e-6)
        state = form.transition @ state + form.gain * error
    np.testing.assert_allclose(state, form.state, rtol=1e-8)


@pytest.mark.parametrize("how", ["additive", "multiplicative"])
def test_the_season_is_taken_out_of_residuals_of_theta(how):
    fitted = sf.AutoTheta(season_length=12, model="OTM", decomposition_type=how).fit(series("log"))
    paths = forms.theta(fitted.model_)
    assert paths.multiplied == (how == "multiplicative")
    draws = paths.draw(1, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(draws.std(), 0.05, rtol=0.2)


@pytest.mark.parametrize(
    ("ours", "model"),
    [
        ("auto-ets", sf.AutoETS(season_length=1, model="AAN", damped=True)),
        ("auto-ces", sf.AutoCES(season_length=1, model="N")),
        ("auto-theta", sf.AutoTheta(season_length=1)),
        pytest.param("auto-arima", sf.AutoARIMA(season_length=1), marks=pytest.mark.slow),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
@pytest.mark.parametrize("on", ["months", "sums"])
def test_the_built_in_models_are_those_of_the_adapter(ours: str, model: Any, on: str) -> None:
    panel = release_panel().select(["OH", "WY"])
    built_in = od.get_model(ours + ("-sums" if on == "sums" else "")).fit(panel).forecast(draws=200)
    adapted = from_statsforecast(model, on=on).fit(panel).forecast(draws=200)
    assert adapted.locations == built_in.locations
    np.testing.assert_allclose(adapted.draws, built_in.draws, rtol=1e-7)


OWN = [sf.Naive(), sf.SeasonalNaive(12), sf.HistoricAverage(), sf.SimpleExponentialSmoothing(0.4)]


@pytest.mark.parametrize("model", OWN, ids=named)
def test_own_simulations_have_the_point_forecasts_and_spreads_they_promise(model: Any) -> None:
    """What makes a class one of those whose ``simulate`` is used; checked for each."""
    assert type(model).__name__ in SIMULATED
    fitted = model.fit(series("log"))
    paths = fitted.simulate(h=12, n_paths=20_000, seed=5)
    said = fitted.predict(h=12, level=[80])
    spread = (said["hi-80"] - said["lo-80"]) / 2
    np.testing.assert_array_less(np.abs(paths.mean(axis=0) - said["mean"]) / spread, 0.03)
    low, high = np.quantile(paths, [0.1, 0.9], axis=0)
    np.testing.assert_allclose((high - low) / 2, spread, rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (sf.Theta(season_length=12), {}),
        (sf.AutoCES(season_length=12), {"on": "sums"}),
        (sf.HistoricAverage(), {"paths": "errors"}),
        (sf.SeasonalNaive(12), {"on": "sums", "paths": "quantiles", "name": "apart"}),
        (sf.Naive(), {"log": False}),
    ],
)
def test_it_keeps_the_contract(model, settings):
    model = from_statsforecast(model, **settings)
    kept = check_forecaster(model, {name: ZOO[name] for name in FEW})
    assert set(kept.refused) <= {"very-short", "no-deaths", "small-counts"}


APART = {"on": "sums", "paths": "quantiles"}


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (sf.AutoCES, {}, r"model is the class AutoCES, no model.*give an object"),
        ("AutoCES", {}, r"model is 'AutoCES', no model of statsforecast"),
        (sf.AutoCES(), {"paths": "own"}, r"paths is .own., unknown; one of: model, errors, quant"),
        (sf.AutoCES(), {"on": "month"}, "on is 'month', unknown; did you mean 'months'"),
        (sf.AutoCES(), {"windows": 3}, "windows is 3, allowed: a whole number of at least 4"),
        (sf.AutoCES(), {"windows": True}, "windows is True"),
        (sf.AutoCES(), {"log": "yes"}, "log is 'yes', allowed: True or False"),
        (sf.Naive(), {"paths": "quantiles"}, r"be used on months with .*not joint.*use on='sums'"),
        (sf.MFLES(12), {"paths": "model"}, r"MFLES cannot be drawn.*use paths='errors'"),
        (
            sf.WindowAverage(6),
            APART,
            r"WindowAverage gives no intervals of its.*ConformalIntervals",
        ),
        (sf.AutoCES(), {"name": "a/b"}, r"label is 'a/b'"),
        (StatsForecast([sf.Naive()], "MS"), {}, r"holds several models; give one of them"),
        (sf.SklearnModel(Ridge()), {}, r"SklearnModel is fitted with X, and a place has only"),
    ],
)
def test_what_statsforecast_has_not_is_refused(model, settings, words):
    with pytest.raises((ForecastError, UnknownNameError), match=words):
        from_statsforecast(model, **settings)


@pytest.mark.parametrize("h", [1, 6, 12])
def test_conformal_intervals_are_of_as_many_months_as_asked_for(h):
    held = sf.WindowAverage(6, prediction_intervals=ConformalIntervals(h=h))
    model = from_statsforecast(held, **APART)
    fitted = model.fit(release_panel().select("OH"))
    if h == 12:
        assert fitted.forecast(draws=10).samples().shape == (10, 1, 12)
        return
    # Of one month, numpy would take the same spread for all.
    with pytest.raises(PanelError, match=rf"are of h={h} months, asked for 12: .*\(h=12\)"):
        fitted.forecast(draws=10)
