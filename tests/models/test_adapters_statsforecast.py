"""Models of StatsForecast as models of this library."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from panel_factory import release_panel
from sklearn.linear_model import Ridge
from statsforecast import StatsForecast
from statsforecast.ets import forecast_ets, forward_ets
from statsforecast.models import (
    ARIMA,
    MFLES,
    AutoARIMA,
    AutoCES,
    AutoETS,
    AutoRegressive,
    AutoTheta,
    HistoricAverage,
    Holt,
    HoltWinters,
    Naive,
    SeasonalNaive,
    SimpleExponentialSmoothing,
    SklearnModel,
    Theta,
    WindowAverage,
)
from statsforecast.utils import ConformalIntervals

import odforecast as od
from odforecast.errors import ForecastError, PanelError, UnknownNameError
from odforecast.models import adapters as forms
from odforecast.models.adapters import DRAWN, SIMULATED
from odforecast.models.innovations import Paths
from odforecast.testing import check_forecaster, zoo

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
    """The same without errors."""
    if isinstance(paths, forms.Seasoned):
        return replace(paths, plain=silent(paths.plain))
    return replace(paths, sigma=0.0)  # type: ignore[type-var]


ETS = [
    AutoETS(season_length=12, model=form, damped=None if form[1] == "N" else False)
    for form in ("ANN", "AAN", "ANA", "AAA", "MNN", "MAN", "MAA", "MNM", "MAM", "MMN", "MMM")
]
CES = [AutoCES(season_length=12, model=kind) for kind in "NSPF"]
THETA = [
    AutoTheta(season_length=12, model=kind, decomposition_type=how)
    for kind in ("STM", "OTM", "DSTM", "DOTM")
    for how in ("multiplicative", "additive")
]
OTHERS = [
    Holt(),
    HoltWinters(season_length=12),
    AutoARIMA(season_length=12, max_p=1, max_q=1, max_P=1, max_Q=1),
    ARIMA(order=(1, 0, 1), include_mean=True),
    ARIMA(order=(1, 1, 0), include_drift=True),
    ARIMA(order=(1, 1, 1), season_length=12, seasonal_order=(1, 0, 0)),
    AutoRegressive(lags=[1, 12]),
]


def named(model: Any) -> str:
    how = (getattr(model, "model", ""), getattr(model, "decomposition_type", ""))
    return "-".join(str(x) for x in (type(model).__name__, *how, getattr(model, "order", "")) if x)


@pytest.mark.parametrize("scale", ["log", "deaths"])
@pytest.mark.parametrize("model", [*ETS, *CES, *THETA, *OTHERS], ids=named)
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
    model = AutoCES(season_length=12, model=kind).fit(y).model_
    form = forms.ces(model)
    state = forms.ces(model | {"n": 0}).state  # before the first observation
    for value, residual in zip(y, model["residuals"]):
        error = value - form.observe @ state
        assert error == pytest.approx(residual, abs=1e-6)
        state = form.transition @ state + form.gain * error
    np.testing.assert_allclose(state, form.state, rtol=1e-8)


@pytest.mark.parametrize("how", ["additive", "multiplicative"])
def test_the_season_is_taken_out_of_residuals_of_theta(how):
    fitted = AutoTheta(season_length=12, model="OTM", decomposition_type=how).fit(series("log"))
    paths = forms.theta(fitted.model_)
    assert paths.multiplied == (how == "multiplicative")
    draws = paths.draw(1, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(draws.std(), 0.05, rtol=0.2)


@pytest.mark.parametrize(
    ("ours", "model"),
    [
        ("auto-ets", AutoETS(season_length=1, model="AAN", damped=True)),
        ("auto-ces", AutoCES(season_length=1, model="N")),
        ("auto-theta", AutoTheta(season_length=1)),
        pytest.param("auto-arima", AutoARIMA(season_length=1), marks=pytest.mark.slow),
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


@pytest.mark.parametrize(
    "model",
    [Naive(), SeasonalNaive(12), HistoricAverage(), SimpleExponentialSmoothing(0.4)],
    ids=named,
)
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
    "model",
    [
        from_statsforecast(Theta(season_length=12)),
        from_statsforecast(AutoCES(season_length=12), on="sums"),
        from_statsforecast(HistoricAverage(), paths="errors"),
        from_statsforecast(SeasonalNaive(12), on="sums", paths="quantiles", name="apart"),
        from_statsforecast(Naive(), log=False),
    ],
    ids=lambda m: f"{m.label}-{dict(m.spec.parameters)['paths']}",
)
def test_it_keeps_the_contract(model):
    kept = check_forecaster(model, {name: ZOO[name] for name in FEW})
    assert set(kept.refused) <= {"very-short", "no-deaths", "small-counts"}


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (AutoCES, {}, r"model is the class AutoCES, no model.*give an object"),
        ("AutoCES", {}, r"model is 'AutoCES', no model of statsforecast"),
        (AutoCES(), {"paths": "own"}, r"paths is 'own', unknown; one of: model, errors, quantiles"),
        (MFLES(12), {"paths": "model"}, r"MFLES cannot be drawn.*use paths='errors'"),
        (
            WindowAverage(6),
            {"on": "sums", "paths": "quantiles"},
            r"WindowAverage gives no intervals of its own.*ConformalIntervals",
        ),
        (AutoCES(), {"name": "a/b"}, r"label is 'a/b'"),
        (StatsForecast([Naive()], "MS"), {}, r"holds several models; give one of them"),
        (SklearnModel(Ridge()), {}, r"SklearnModel is fitted with X, and a place has only"),
    ],
)
def test_what_is_refused(model, settings, words):
    with pytest.raises((ForecastError, UnknownNameError), match=words):
        from_statsforecast(model, **settings)


@pytest.mark.parametrize("h", [1, 6, 12])
def test_conformal_intervals_are_of_as_many_months_as_asked_for(h):
    held = WindowAverage(6, prediction_intervals=ConformalIntervals(h=h))
    model = from_statsforecast(held, on="sums", paths="quantiles")
    fitted = model.fit(release_panel().select("OH"))
    if h == 12:
        assert fitted.forecast(draws=10).samples().shape == (10, 1, 12)
        return
    # Of one month, numpy would take the same spread for all.
    with pytest.raises(PanelError, match=rf"are of h={h} months, asked for 12: .*\(h=12\)"):
        fitted.forecast(draws=10)
