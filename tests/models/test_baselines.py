"""The baselines' numbers, checked by hand, by theory and against statsforecast's own."""

from dataclasses import replace

import numpy as np
import pytest
from panel_factory import bundled_panel, cut_panel, release_panel
from statsforecast.models import AutoETS, Naive, RandomWalkWithDrift, SeasonalNaive

from odforecast.errors import PanelError
from odforecast.models import baselines, get_model
from odforecast.models.baselines import _FITTERS, REVISED_MONTHS, damped_trend

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_hub_baseline_has_the_quantiles_of_past_changes_both_ways() -> None:
    panel = cut_panel()
    forecast = get_model("hub-baseline").fit(panel).forecast(horizon=12, draws=4001, seed=1)
    quantiles = forecast.quantiles(LEVELS)
    for i, state in enumerate(forecast.locations):
        sums = panel.reported[panel.index(state)]
        for h in (1, 3, 12):
            changes = sums[h:] - sums[:-h]
            expected = sums[-1] + np.quantile(np.concatenate([changes, -changes]), LEVELS)
            got = quantiles[:, i, h - 1]
            np.testing.assert_allclose(got, expected, rtol=2e-3, atol=2)
            assert got[2] == pytest.approx(sums[-1], abs=1e-6)


def test_horizons_without_past_errors_are_widened_and_said() -> None:
    panel = cut_panel("2017-06")  # 30 sums: none 24 months apart often enough
    forecast = get_model("hub-baseline").fit(panel).forecast(horizon=24, draws=401, seed=1)
    assert any("square root" in text for text in forecast.warnings)
    low, high = forecast.quantiles([0.05, 0.95])[:, 0]
    assert (np.diff((high - low)[21:]) > 0).all()


def test_damped_trend_by_hand() -> None:
    points = damped_trend(np.array([100.0, 103.0, 106.0, 109.0, 106.0]), 3)
    assert np.isnan(points[:3]).all()
    np.testing.assert_allclose(points[3], 109 + 3 * np.cumsum([0.85, 0.85**2, 0.85**3]))
    np.testing.assert_allclose(points[4], 106 + 1 * np.cumsum([0.85, 0.85**2, 0.85**3]))


def test_predicted_values_revise_the_last_months_and_persist() -> None:
    panel = bundled_panel()
    forecast = get_model("cdc-predicted").fit(panel).forecast(horizon=12, draws=2001, seed=1)
    assert forecast.horizons[0] == 1 - REVISED_MONTHS
    median = forecast.quantiles([0.5])[0]
    now = panel.predicted[:, -REVISED_MONTHS:]
    np.testing.assert_allclose(median[:, :REVISED_MONTHS], now, rtol=1e-9)
    last = np.repeat(panel.predicted[:, -1:], 12, axis=1)
    np.testing.assert_allclose(median[:, REVISED_MONTHS:], last, rtol=1e-9)
    assert not forecast.warnings


def test_spread_of_revised_months_is_the_gap_of_settled_ones() -> None:
    panel = bundled_panel().select(["WV"])
    forecast = get_model("cdc-predicted").fit(panel).forecast(horizon=1, draws=4001, seed=1)
    gaps = panel.predicted[0, -36:-12] / panel.reported[0, -36:-12] - 1
    factor = np.quantile(np.concatenate([gaps, -gaps]), LEVELS)
    got = forecast.quantiles(LEVELS)[:, 0, REVISED_MONTHS - 1]
    np.testing.assert_allclose(got, panel.predicted[0, -1] * (1 + factor), rtol=2e-3)


def test_a_location_without_predicted_values_is_skipped_and_a_panel_refused():
    with pytest.raises(PanelError, match=r"cdc-predicted can use none .* 0 predicted values"):
        get_model("cdc-predicted").fit(cut_panel())
    panel = release_panel()
    predicted = np.where(np.isin(panel.locations, "WY")[:, None], np.nan, panel.predicted)
    forecast = get_model("cdc-predicted").fit(replace(panel, predicted=predicted)).forecast(2)
    assert "0 predicted values" in forecast.skipped["WY"]
    assert "WY" not in forecast.locations


THEIRS = {"naive": Naive(), "drift": RandomWalkWithDrift(), "seasonal-naive": SeasonalNaive(12)}
THEIRS["auto-ets"] = AutoETS(1, model="AAN", damped=True)


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("n", [40, 90])
def test_points_and_spread_are_statsforecasts(name, n):
    rng = np.random.default_rng(n)
    y = np.log1p(rng.poisson(200 * np.exp(np.cumsum(rng.normal(0.01, 0.05, n)))))
    said = THEIRS[name].fit(y).predict(24, level=[90])
    fitted = _FITTERS[name](y)
    made = fitted.draw(24, 20_000, np.random.default_rng(1))
    spread = (np.asarray(said["hi-90"]) - np.asarray(said["lo-90"])) / 3.2897
    np.testing.assert_allclose(made.std(axis=0), spread, rtol=0.04)
    if name != "auto-ets":  # theirs is the path without noise only where no slope is damped
        quiet = replace(fitted, sigma=0.0, slope_sd=0.0).draw(24, 1, np.random.default_rng(0))[0]
        np.testing.assert_allclose(quiet, said["mean"], rtol=1e-9)


def test_models_that_share_a_series_fit_it_once(panel, monkeypatch):
    fits = []
    for name, plain in (("auto-ets", baselines._ets), ("drift", baselines._drift)):
        counted = lambda y, n=name, fit=plain: fits.append(n) or fit(y)  # noqa: E731
        monkeypatch.setitem(baselines._FITTERS, name, counted)
    few, ets = panel.select(["OH", "WV", "WY"]), get_model("auto-ets")
    baselines._fitted.cache_clear()
    first, again = (ets.fit(p).forecast(draws=30) for p in (panel, few))
    get_model("ensemble", members=["auto-ets", "drift"], delay=False).fit(panel)
    n = len(first.locations)
    assert sorted(fits) == ["auto-ets"] * n + ["drift"] * n
    ets.fit(few.cut("2021-03"))
    assert len(fits) == 2 * n + 3, "another past is another series"
    baselines._fitted.cache_clear()
    assert ets.fit(panel).forecast(draws=30).draws.tobytes() == first.draws.tobytes()
    assert again.draws.tobytes() == first.select(few.locations).draws.tobytes()


def test_a_location_that_is_left_out_is_left_out_there_only(panel):
    flat = replace(panel, reported=np.full_like(panel.reported, 120.0), low=None, high=None)
    for _ in range(2):
        with pytest.raises(PanelError, match="never changes"):
            get_model("drift").fit(flat)
    assert get_model("drift").fit(panel).forecast(draws=10).skipped == {}
