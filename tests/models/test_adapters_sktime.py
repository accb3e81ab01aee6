"""Forecasters of sktime as models of this library; all of it slow: to import it takes seconds."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from panel_factory import release_panel

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.models.adapters import LEVELS
from odforecast.testing import check_forecaster, zoo

pytest.importorskip("sktime", reason="sktime is an extra: pip install 'odforecast[sktime]'")
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sktime.forecasting.compose import TransformedTargetForecaster, make_reduction
from sktime.forecasting.exp_smoothing import ExponentialSmoothing
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.theta import ThetaForecaster
from sktime.forecasting.trend import PolynomialTrendForecaster
from sktime.transformations.detrend import Detrender

pytestmark = pytest.mark.slow
ZOO = zoo()
FEW = ("ordinary", "short", "no-deaths")
PIPELINE = [("trend", Detrender()), ("rest", NaiveForecaster(sp=12))]
MADE = {
    "naive": lambda: NaiveForecaster(sp=12),
    "theta": lambda: ThetaForecaster(sp=12),
    "trend": lambda: PolynomialTrendForecaster(degree=1),
    "smooth": lambda: ExponentialSmoothing(trend="add", damped_trend=True),
    "ridge": lambda: make_reduction(Ridge(), window_length=12),
    # It must know how far to forecast when it is fitted.
    "direct": lambda: make_reduction(Ridge(), window_length=12, strategy="direct"),
    "forest": lambda: make_reduction(RandomForestRegressor(n_estimators=3), window_length=6),
    "pipeline": lambda: TransformedTargetForecaster(PIPELINE),
}


def from_sktime(made: Any, **settings: Any) -> Any:
    given = MADE[made]() if isinstance(made, str) and made in MADE else made
    return od.models.from_sktime(given, **settings)


SETTINGS = {"ridge": {"on": "sums"}, "naive": {"on": "sums", "paths": "quantiles"}}


@pytest.mark.parametrize("name", ["trend", "direct", "forest", "pipeline", *SETTINGS])
def test_it_keeps_the_contract(name):
    model = from_sktime(name, windows=4, **SETTINGS.get(name, {}))
    kept = check_forecaster(model, {where: ZOO[where] for where in FEW})
    assert "ordinary" not in kept.refused


@pytest.mark.parametrize("name", ["naive", "theta", "smooth", "ridge", "direct", "pipeline"])
def test_paths_go_round_its_own_point_forecasts(name):
    panel = release_panel().select("OH")
    forecast = from_sktime(name, windows=4).fit(panel).forecast(draws=400)
    assert forecast.joint == frozenset({"month"})
    assert forecast.samples().shape == (400, 1, 12)
    y = np.log1p(panel.monthly[0])
    index = pd.period_range("2014-02", periods=y.size, freq="M")
    assert str(index[-1]) == str(panel.last_month)

    def said(until: int) -> np.ndarray:
        fitted = MADE[name]().fit(pd.Series(y[:until], index=index[:until]), fh=range(1, 13))
        return np.asarray(fitted.predict())

    logs = np.log1p(forecast.draws[:, 0])
    np.testing.assert_allclose(np.median(logs, axis=0), said(y.size), atol=0.05)
    # The root mean square of its errors on the months that were to come at earlier cuts.
    cuts = (y.size - back for back in (12, 15, 18, 21))
    errors = [y[cut : cut + 12] - said(cut) for cut in cuts]
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    np.testing.assert_allclose(logs.std(axis=0), spread, rtol=0.2)


def test_quantiles_are_its_own_and_joint_over_nothing():
    panel = release_panel().select("OH")
    model = from_sktime("naive", on="sums", paths="quantiles")
    assert model.spec.joint == frozenset()
    forecast = model.fit(panel).forecast(draws=20_000)
    index = pd.period_range("2015-01", periods=panel.months.size, freq="M")
    fitted = MADE["naive"]().fit(pd.Series(np.log1p(panel.reported[0]), index=index))
    said = fitted.predict_quantiles(fh=list(range(1, 13)), alpha=list(LEVELS))
    made = np.quantile(np.log1p(forecast.draws[:, 0]), LEVELS, axis=0)
    inner = slice(2, -2)
    np.testing.assert_allclose(made[inner], np.asarray(said).T[inner], atol=0.02)
    with pytest.raises(ForecastError, match="does not forecast deaths_month"):
        forecast.samples("deaths_month")


def test_random_states_that_are_not_set_hang_on_what_is_forecast():
    def state(forecaster: Any, place: str) -> Any:
        fitted = from_sktime(forecaster, windows=4).fit(release_panel().select(place))
        (paths,) = fitted.inner.series.values()
        return paths.mean.__self__.forecaster.get_params()["estimator__random_state"]

    assert isinstance(state("forest", "OH"), int)
    assert state("forest", "OH") == state("forest", "OH") != state("forest", "WV")
    mine = make_reduction(RandomForestRegressor(n_estimators=3, random_state=5), window_length=6)
    assert state(mine, "OH") == 5


@pytest.mark.parametrize(
    ("given", "settings", "words"),
    [
        (ThetaForecaster, {}, r"forecaster is ThetaForecaster, no forecaster of sktime; give an"),
        ("x", {}, r"forecaster is 'x', no forecaster of sktime"),
        ("naive", {"paths": "model"}, r"paths is 'model', unknown; one of: errors, quantiles"),
        ("smooth", {"on": "sums", "paths": "quantiles"}, r"ExponentialSmoothing gives no quantil"),
    ],
)
def test_what_is_refused(given, settings, words):
    with pytest.raises(ForecastError, match=words):
        from_sktime(given, **settings)
