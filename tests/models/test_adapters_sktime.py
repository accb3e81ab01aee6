"""Forecasters of sktime as models of this library.

All of it is in the slow group: sktime alone takes seconds to import.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from panel_factory import release_panel, small_counts

import odforecast as od
from odforecast.errors import ForecastError, PanelError
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

#: sktime says at each forecaster that is made what its next version will do otherwise.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The default of config:FutureWarning"),
]
ZOO = zoo()
FEW = ("ordinary", "short", "no-deaths")


def from_sktime(*given: Any, **settings: Any) -> Any:
    return od.models.from_sktime(*given, **settings)


def naive() -> Any:
    return NaiveForecaster(sp=12)


def theta() -> Any:
    return ThetaForecaster(sp=12)


def trend() -> Any:
    return PolynomialTrendForecaster(degree=1)


def smooth() -> Any:
    return ExponentialSmoothing(trend="add", damped_trend=True)


def ridge() -> Any:
    return make_reduction(Ridge(), window_length=12)


def direct() -> Any:
    """It must know how far to forecast when it is fitted."""
    return make_reduction(Ridge(), window_length=12, strategy="direct")


def forest() -> Any:
    return make_reduction(RandomForestRegressor(n_estimators=3), window_length=6)


def pipeline() -> Any:
    return TransformedTargetForecaster([("trend", Detrender()), ("rest", NaiveForecaster(sp=12))])


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (ridge, {"on": "sums"}),
        (naive, {"on": "sums", "paths": "quantiles"}),
        *((make, {}) for make in (trend, naive, theta, smooth, direct, forest, pipeline)),
    ],
    ids=lambda x: x.__name__ if callable(x) else "",
)
def test_it_keeps_the_contract(make: Any, settings: dict[str, Any]) -> None:
    model = from_sktime(make(), windows=4, **settings)
    kept = check_forecaster(model, {name: ZOO[name] for name in FEW})
    assert "ordinary" not in kept.refused


@pytest.mark.parametrize("make", [naive, theta, smooth, ridge, direct, forest, pipeline])
def test_paths_go_round_its_own_point_forecasts(make: Any) -> None:
    panel = release_panel().select("OH")
    model = from_sktime(make(), windows=4)
    forecast = model.fit(panel).forecast(draws=400)
    assert forecast.joint == frozenset({"month"})
    assert forecast.samples().shape == (400, 1, 12)
    again = model.fit(panel).forecast(draws=400)
    np.testing.assert_array_equal(again.draws, forecast.draws)
    if make is forest:
        return
    y = np.log1p(panel.monthly[0])
    index = pd.period_range("2014-02", periods=y.size, freq="M")
    assert str(index[-1]) == str(panel.last_month)
    ahead = list(range(1, 13))
    own = make().fit(pd.Series(y, index=index), fh=ahead).predict()
    middle = np.median(np.log1p(forecast.draws[:, 0]), axis=0)
    np.testing.assert_allclose(middle, own, atol=0.05)
    # The root mean square of its errors on the months that were to come at earlier cuts.
    errors = []
    for back in (12, 15, 18, 21):
        part = pd.Series(y[: y.size - back], index=index[: y.size - back])
        said = make().fit(part, fh=ahead).predict()
        errors.append(y[y.size - back : y.size - back + 12] - np.asarray(said))
    spread = np.sqrt(np.mean(np.square(errors), axis=0))
    np.testing.assert_allclose(np.log1p(forecast.draws[:, 0]).std(axis=0), spread, rtol=0.2)


def test_quantiles_are_its_own_and_joint_over_nothing() -> None:
    panel = release_panel().select("OH")
    model = from_sktime(naive(), on="sums", paths="quantiles")
    assert model.spec.joint == frozenset()
    forecast = model.fit(panel).forecast(draws=20_000)
    y = np.log1p(panel.reported[0])
    index = pd.period_range("2015-01", periods=y.size, freq="M")
    said = (
        naive()
        .fit(pd.Series(y, index=index))
        .predict_quantiles(fh=list(range(1, 13)), alpha=list(LEVELS))
    )
    made = np.quantile(np.log1p(forecast.draws[:, 0]), LEVELS, axis=0)
    inner = slice(2, -2)
    np.testing.assert_allclose(made[inner], np.asarray(said).T[inner], atol=0.02)
    with pytest.raises(ForecastError, match="does not forecast deaths_month"):
        forecast.samples("deaths_month")


def test_random_states_that_are_not_set_hang_on_what_is_forecast() -> None:
    def state(forecaster: Any, place: str) -> Any:
        fitted = od.models.from_sktime(forecaster, windows=4).fit(release_panel().select(place))
        (paths,) = fitted.inner.series.values()
        return paths.mean.__self__.forecaster.get_params()["estimator__random_state"]

    assert isinstance(state(forest(), "OH"), int)
    assert state(forest(), "OH") == state(forest(), "OH") != state(forest(), "WV")
    mine = make_reduction(RandomForestRegressor(n_estimators=3, random_state=5), window_length=6)
    assert state(mine, "OH") == 5


@pytest.mark.parametrize(
    ("given", "settings", "words"),
    [
        (ThetaForecaster, {}, r"forecaster is ThetaForecaster, no forecaster of sktime; give an"),
        ("theta", {}, r"forecaster is 'theta', no forecaster of sktime"),
        (naive, {"paths": "model"}, r"paths is 'model', unknown; one of: errors, quantiles"),
        (naive, {"paths": "quantiles"}, r"on months with paths='quantiles'.*use on='sums'"),
        (smooth, {"on": "sums", "paths": "quantiles"}, r"ExponentialSmoothing gives no quantiles"),
        (naive, {"on": "month"}, r"did you mean 'months'"),
    ],
)
def test_what_is_refused(given: Any, settings: dict[str, Any], words: str) -> None:
    if callable(given) and not isinstance(given, type):
        given = given()
    with pytest.raises(ForecastError, match=words):
        from_sktime(given, **settings)


def test_a_series_it_cannot_take_is_skipped_with_its_reason() -> None:
    with pytest.raises(PanelError, match=r"could not be fitted: ValueError: Multiplicative season"):
        from_sktime(theta(), windows=4, log=False).fit(small_counts())
