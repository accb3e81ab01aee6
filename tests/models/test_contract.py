"""What every forecaster must do, built in or plugged in.

Parametrised over ``model_names()``: a new model is tested as soon as it is registered. A model
that needs more than a few seconds a fit goes into ``SLOW``.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from panel_factory import (
    STATES,
    as_release,
    bundled_panel,
    only,
    release_panel,
    shortened,
    small_counts,
    with_counts,
)

from odforecast.errors import ForecastError, OdforecastError, PanelError
from odforecast.forecast import Forecast
from odforecast.models import Drawer, Fitted, Forecaster, Model, get_model, model_names
from odforecast.names import HUB_QUANTILES, LOCATION, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Panel

SLOW: frozenset[str] = frozenset()
#: Every shape of panel compiles a graph (a minute each), so NUTS has its own tests, in
#: test_hierarchical.py. ``hierarchical-quick`` is the same forecaster with another sampler.
SAMPLED: frozenset[str] = frozenset({"hierarchical"})
DRAWS = 60

MODELS = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in model_names()
    if name not in SAMPLED
]
every_model = pytest.mark.parametrize("name", MODELS)


@cache
def fitted(name: str) -> Fitted:
    """Fitted once per model to the standard panel."""
    return get_model(name).fit(release_panel())


@cache
def forecast(name: str, horizon: int = 12, seed: int = 1) -> Forecast:
    return fitted(name).forecast(horizon=horizon, draws=DRAWS, seed=seed)


def refit(name: str, panel: Panel) -> Forecast:
    return get_model(name).fit(panel).forecast(horizon=12, draws=DRAWS, seed=1)


def same_draws(one: Forecast, other: Forecast, states: tuple[str, ...] | None = None) -> None:
    """Bit-equal draws; to rounding for joint models, whose sums run in another order."""
    for state in states or one.locations:
        a, b = one.draws[:, one.index(state)], other.draws[:, other.index(state)]
        if LOCATION in one.joint:
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)


def test_there_are_models() -> None:
    assert {"hub-baseline", "damped-trend", "naive", "auto-ets", "auto-ets-sums"} <= {
        *model_names()
    }


@every_model
def test_protocol_and_name(name: str) -> None:
    model = get_model(name)
    assert isinstance(model, Model)
    assert isinstance(model.inner, Forecaster)
    assert model.label == model.spec.model == name
    assert model.spec.version
    assert isinstance(fitted(name), Fitted)
    assert isinstance(fitted(name).inner, Drawer)


@every_model
def test_finite_and_labelled(name: str) -> None:
    panel, result = release_panel(), forecast(name)
    assert np.isfinite(result.draws).all()
    assert result.draws.shape[0] == DRAWS
    assert set(result.locations) | set(result.skipped) == set(STATES)
    assert not result.skipped, "the standard panel is whole: every location has a forecast"
    assert result.as_of == panel.as_of
    assert result.last_month == panel.last_month
    # Months up to the origin may be revised; then come exactly the months asked for.
    assert result.horizons[-1] == 12
    assert (np.diff(result.horizons) == 1).all()
    assert result.horizons[0] <= 1
    assert TARGET_12MO in result.targets


@every_model
def test_provenance(name: str) -> None:
    panel, record = release_panel(), forecast(name).provenance
    assert record["model"] == name
    assert record["model_version"] == get_model(name).spec.version
    assert record["seed"] == "1"
    assert record["data_hash"] == panel.data_hash
    assert record["label"] == name
    assert record["spec_hash"] == get_model(name).spec.hash
    assert record["vintage"] == panel.vintage
    assert record["release"] == str(panel.release)
    assert record["odforecast"]


@every_model
def test_same_seed_same_draws_other_seed_other_draws(name: str) -> None:
    again = fitted(name).forecast(horizon=12, draws=DRAWS, seed=1)
    np.testing.assert_array_equal(again.draws, forecast(name).draws)
    assert (forecast(name, seed=2).draws != again.draws).any()


@every_model
def test_refitting_gives_the_same(name: str) -> None:
    np.testing.assert_array_equal(refit(name, release_panel()).draws, forecast(name).draws)


@every_model
def test_order_of_locations_does_not_matter(name: str) -> None:
    backwards = refit(name, release_panel().select(STATES[::-1]))
    same_draws(forecast(name), backwards)


@every_model
def test_other_locations_do_not_matter_unless_joint(name: str) -> None:
    if LOCATION in forecast(name).joint:
        pytest.skip("a joint model may borrow strength from other locations")
    alone = refit(name, only(release_panel(), ["WV"]))
    same_draws(alone, forecast(name), ("WV",))


@every_model
def test_what_comes_later_does_not_matter(name: str) -> None:
    whole = bundled_panel()
    month = release_panel().last_month
    stop = int((month - whole.months[0]).astype(int)) + 1
    reported, predicted = whole.reported.copy(), whole.predicted.copy()
    reported[:, stop:] *= 3.0
    predicted[:, stop:] = 1.0
    other = as_release(with_counts(whole, reported, predicted))
    np.testing.assert_array_equal(refit(name, other).draws, forecast(name).draws)


@every_model
def test_a_missing_location_is_skipped_with_its_reason(name: str) -> None:
    panel = release_panel()
    reported = panel.reported.copy()
    reported[panel.index("AZ")] = np.nan
    reported[panel.index("OH"), -2:] = np.nan
    result = refit(name, with_counts(panel, reported, panel.predicted))
    assert set(result.skipped) == {"AZ", "OH"}
    assert all(result.skipped.values())
    assert set(result.locations) == {"US", "WV", "WY"}
    with pytest.raises(ForecastError, match="no forecast for AZ"):
        result.index("AZ")


@every_model
def test_a_gap_in_the_past_is_survived(name: str) -> None:
    panel = release_panel()
    reported = panel.reported.copy()
    reported[panel.index("WY"), 10:12] = np.nan
    result = refit(name, with_counts(panel, reported, panel.predicted))
    assert np.isfinite(result.select(["WY"]).draws).all()


@every_model
def test_too_short_a_history_is_refused(name: str) -> None:
    with pytest.raises(PanelError, match=name) as caught:
        get_model(name).fit(shortened(release_panel(), 6))
    assert caught.value.hint


@every_model
def test_one_short_series_does_not_stop_the_others(name: str) -> None:
    panel = release_panel()
    reported = panel.reported.copy()
    reported[panel.index("WV"), :-5] = np.nan
    result = refit(name, with_counts(panel, reported, panel.predicted))
    assert "WV" in result.locations or "WV" in result.skipped
    assert {"US", "OH", "AZ", "WY"} <= set(result.locations)


def refit_or_refusal(name: str, panel: Panel) -> Forecast | str:
    """A forecast, or the message with which the model refuses the panel."""
    try:
        return refit(name, panel)
    except PanelError as error:
        return str(error)


@every_model
def test_a_short_history_is_used_or_refused_clearly(name: str) -> None:
    result = refit_or_refusal(name, shortened(release_panel(), 30))
    if isinstance(result, str):
        assert name in result
    else:
        assert set(result.locations) | set(result.skipped) == set(STATES)


@every_model
def test_small_counts_stay_counts(name: str) -> None:
    result = refit_or_refusal(name, small_counts())
    if isinstance(result, str):
        assert name in result
        return
    assert np.isfinite(result.draws).all()
    assert result.samples(TARGET_12MO).min() >= -1e-9
    if TARGET_MONTH in result.targets:
        assert result.draws.min() >= 0


@every_model
def test_draws_below_zero_are_not_cut_silently(name: str) -> None:
    result = forecast(name)
    target = TARGET_MONTH if TARGET_MONTH in result.targets else TARGET_12MO
    if (result.samples(target) == 0).mean() > 0.2:
        assert any("zero" in text for text in result.warnings)


@every_model
def test_fitted_and_forecast_pickle(name: str) -> None:
    back = pickle.loads(pickle.dumps(fitted(name)))
    np.testing.assert_array_equal(
        back.forecast(horizon=12, draws=DRAWS, seed=1).draws, forecast(name).draws
    )
    copy = pickle.loads(pickle.dumps(forecast(name)))
    np.testing.assert_array_equal(copy.draws, forecast(name).draws)
    assert copy.locations == forecast(name).locations
    assert dict(copy.provenance) == dict(forecast(name).provenance)


@every_model
def test_quantiles_rise(name: str) -> None:
    for target in forecast(name).targets:
        assert (np.diff(forecast(name).quantiles(HUB_QUANTILES, target), axis=0) >= 0).all()


@every_model
def test_twelve_month_counts_are_known_months_plus_draws(name: str) -> None:
    panel, result = release_panel(), forecast(name)
    samples = result.samples(TARGET_12MO)
    if result.target == TARGET_12MO:
        np.testing.assert_array_equal(samples, result.draws)
        with pytest.raises(ForecastError, match=TARGET_MONTH):
            result.samples(TARGET_MONTH)
        return
    first = int((result.months[0] - panel.month_grid[0]).astype(int))
    for i, state in enumerate(result.locations):
        known = panel.monthly[panel.index(state), :first]
        path = np.concatenate([known, result.draws[0, i]])
        sums = [path[first + h - 11 : first + h + 1].sum() for h in range(result.months.size)]
        np.testing.assert_allclose(samples[0, i], sums, rtol=1e-9)


@every_model
@pytest.mark.parametrize("horizon", [1, 24])
def test_shortest_and_long_horizons(name: str, horizon: int) -> None:
    result = forecast(name, horizon)
    assert result.horizons[-1] == horizon
    assert np.isfinite(result.quantiles()).all()


@every_model
def test_one_draw(name: str) -> None:
    assert fitted(name).forecast(horizon=2, draws=1, seed=0).draws.shape[0] == 1


@every_model
@pytest.mark.parametrize(("horizon", "draws"), [(0, 10), (-3, 10), (12, 0), (12, -1)])
def test_impossible_requests(name: str, horizon: int, draws: int) -> None:
    with pytest.raises(ForecastError, match="at least 1") as caught:
        fitted(name).forecast(horizon=horizon, draws=draws, seed=1)
    assert isinstance(caught.value, OdforecastError | ValueError)


@every_model
def test_the_panel_stays_as_it_was(name: str) -> None:
    panel = replace(release_panel())
    layers = ("reported", "predicted", "complete", "pending", "monthly")
    before = [getattr(panel, layer).copy() for layer in layers]
    refit(name, panel)
    for layer, old in zip(layers, before):
        np.testing.assert_array_equal(getattr(panel, layer), old)


@every_model
def test_numpys_global_random_state_is_left_alone(name: str) -> None:
    np.random.seed(99)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    refit(name, only(release_panel(), ["US", "WY"]))
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
