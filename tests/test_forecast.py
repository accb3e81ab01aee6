"""Forecast: sums, coherence, and the promises it refuses to break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.forecast import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.models import get_model
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.vintage.bundle import bundled


def make(panel: Panel, states, draws=50, months=12, seed=0, **keywords) -> Forecast:
    paths = np.random.default_rng(seed).poisson(40, (draws, len(states), months))
    return Forecast.from_panel(panel, paths, states, **keywords)


@given(st.integers(1, 30), st.integers(0, 5))
def test_twelve_month_counts_are_known_plus_forecast_months(panel, months, seed):
    forecast = make(panel, ["WV", "OH"], months=months, seed=seed)
    got = forecast.samples(TARGET_12MO)
    rows = [panel.index(s) for s in ("WV", "OH")]
    for h in range(1, months + 1):
        ahead = forecast.draws[:, :, max(0, h - 12) : h].sum(axis=2)
        n_known = max(0, 12 - h)
        before = panel.monthly[rows, panel.monthly.shape[1] - n_known :].sum(axis=1)
        assert np.allclose(got[:, :, h - 1], ahead + before, rtol=0, atol=1e-9)


def drawn_known(panel: Panel, states, draws=50, months=15, seed=3, **keywords) -> Forecast:
    """A forecast of the last twelve months and three more, and of what the ones before miss."""
    late = np.random.default_rng(seed).normal(2, 3, (draws, len(states), 11))
    first = panel.last_month - 11 * ONE_MONTH
    return make(panel, states, draws, months, seed, first_month=first, late=late, **keywords)


def test_months_before_the_draws_can_differ_in_every_draw(panel):
    first = panel.last_month - 11 * ONE_MONTH
    for late in (None, np.zeros((50, 1, 11))):  # nothing late leaves the months known
        whole = make(panel, ["WV"], months=15, first_month=first, late=late)
        assert (whole.known == panel.monthly[[panel.index("WV")], -23:-12]).all()
    # With a single draw there are no two ways to write it: a file holds one row per place.
    assert drawn_known(panel, ["WV", "OH"], draws=1).known.shape == (2, 11)
    forecast = drawn_known(panel, ["WV", "OH"])
    rows = [panel.index(s) for s in ("WV", "OH")]
    late = np.random.default_rng(3).normal(2, 3, (50, 2, 11))
    assert (forecast.known == panel.monthly[rows, -23:-12] + late).all()
    path = np.concatenate([forecast.known, forecast.draws], axis=2)
    np.testing.assert_allclose(forecast.samples(), rolling_sums(path), rtol=1e-12)
    paths = np.ones((4, 1, 3))
    plain = Forecast.from_panel(panel, paths, ["WV"])
    paths[0, 0, 0] = 7  # still writable, and nobody else's
    assert (plain.draws == 1).all()
    for array in (forecast.known, plain.draws):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_drawn_known_months_follow_selections_and_sums(panel):
    whole = drawn_known(panel, JURISDICTIONS)
    us = whole.with_nation()
    assert us.locations[0] == "US"
    np.testing.assert_allclose(us.known[:, 0], whole.known.sum(axis=1))
    samples = us.samples()
    np.testing.assert_allclose(samples[:, 0], samples[:, 1:].sum(axis=1))
    some, rows = whole.select(["OH", "WV"]), [whole.index("OH"), whole.index("WV")]
    assert (some.known == whole.known[:, rows]).all()
    assert (some.samples() == whole.samples()[:, rows]).all()
    both = whole.total(["OH", "WV"], "both")
    assert both.known.shape == (50, 1, 11)
    np.testing.assert_allclose(both.samples()[:, 0], some.samples().sum(axis=1))
    regions = [whole.region(r) for r in ("Northeast", "Midwest", "South", "West")]
    np.testing.assert_allclose(sum(r.samples() for r in regions)[:, 0], samples[:, 0])
    assert some.change(whole.last_month + 1 * ONE_MONTH).shape == (50, 2)


def test_revised_months_replace_the_known_ones(panel):
    first = panel.last_month - 2 * ONE_MONTH
    forecast = make(panel, ["WV"], months=5, first_month=first)
    assert forecast.horizons.tolist() == [-2, -1, 0, 1, 2]
    known = panel.monthly[panel.index("WV"), -14:-3]
    assert (forecast.known[0] == known).all()
    assert np.allclose(forecast.samples()[:, 0, 0], known.sum() + forecast.draws[:, 0, 0])


def test_quantiles_shares_and_arrays_are_those_of_the_draws(panel):
    forecast = make(panel, ["WV", "OH"], draws=101)
    levels = [0.9, 0.01, 0.5]
    expected = np.quantile(forecast.samples(), levels, axis=0)
    assert np.allclose(forecast.quantiles(levels), expected)
    monthly = np.quantile(forecast.draws, levels, axis=0)
    assert np.allclose(forecast.quantiles(levels, TARGET_MONTH), monthly)
    value = np.median(forecast.samples()[:, 0, 3])
    assert forecast.probability_below(value)[0, 3] == pytest.approx(0.5, abs=0.05)
    array = forecast.to_xarray()
    assert array.dims == ("draw", "location", "month")
    np.testing.assert_array_equal(array.sel(location="OH"), forecast.samples()[:, 1])


def test_puerto_rico_may_be_added_to_the_nation():
    made = get_model("naive").fit(bundled().as_of().panel().select(["US", "PR"]))
    made = replace(made.forecast(1, draws=5), joint=frozenset({LOCATION}))
    assert made.total(["US", "PR"], "with Puerto Rico").parts["with Puerto Rico"] == ("US", "PR")


def test_change_compares_with_the_nowcast_of_the_same_draw(panel):
    # Draws begin at horizon -11: the count a year before horizon 12 is drawn, not reported.
    rng = np.random.default_rng(0)
    paths = rng.poisson(100, (50, 1, 24)).astype(float)
    first = panel.last_month - np.timedelta64(11, "M")
    forecast = Forecast.from_panel(panel, paths, ["WV"], first_month=first)
    last = forecast.months[-1]
    now, then = paths[:, 0, :12].sum(axis=1), paths[:, 0, 12:].sum(axis=1)
    assert np.allclose(forecast.change(last)[:, 0], then - now)
    # Before the draws, the reported count stands.
    early = first - np.timedelta64(1, "M")
    at = panel.reported[panel.index("WV"), panel.months == early]
    assert np.allclose(forecast.count_at(early), at)


def test_the_first_draws_keep_their_own_months_before(panel):
    whole = drawn_known(panel, ["WV", "OH"])
    assert len(whole.first(5).draws) == 5
    np.testing.assert_array_equal(whole.first(5).samples(), whole.samples()[:5])


def test_counts_that_no_world_has_together_are_not_compared(panel):
    sums = np.random.default_rng(1).poisson(900.0, (50, 1, 18)).astype(float)
    made = make(panel, ["WV"], months=18)
    apart = replace(made, draws=sums, target=TARGET_12MO, joint=frozenset())
    assert apart.change(panel.last_month + 12 * ONE_MONTH).shape == (50, 1)
    for table, column in ((apart.trend(), "stable"), (apart.summary(), "fall")):
        shares = table.set_index("horizon")[column]
        assert shares.loc[:12].notna().all()
        assert shares.loc[13:].isna().all()
