"""Forecast: sums, coherence, and the promises it refuses to break."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace

import numpy as np
import pytest
from forecast_factory import PANEL, made, same
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.forecast.adding import _SHARED
from odforecast.geography.places import JURISDICTIONS
from odforecast.models import get_model
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_12MO, TARGET_MONTH
from odforecast.panel import LAYERS, Panel
from odforecast.testing import zoo
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


PLACES = ("US", "AZ", "OH", "WV", "WY")  # in the order of CDC's table
WHOLE = od.get_model("dlm").fit(PANEL).forecast(draws=20)
LATE = np.random.default_rng(1).normal(0, 2, (20, 5, 11))
concat = od.Forecast.concat


@given(st.permutations(PLACES), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_pieces_of_one_forecast_are_that_forecast(order, first, second, drawn):
    whole = replace(WHOLE, known=WHOLE.known + LATE) if drawn else WHOLE
    pieces = [order[:first], order[first : first + second], order[first + second :]]
    joined = concat([whole.select(p) for p in pieces if p])
    same(joined, whole.select(PLACES))
    assert joined.joint == {"location", "month"}
    assert joined.total(["OH", "WV"], "two").draws.shape == (20, 1, WHOLE.months.size)


def test_models_of_places_one_by_one_give_the_forecast_of_all():
    model = od.get_model("drift")
    parts = [model.fit(PANEL.select(p)).forecast(draws=20) for p in (["WY"], ["US", "OH"])]
    together = model.fit(PANEL.select(["US", "OH", "WY"])).forecast(draws=20)
    joined = concat(parts)
    # Each counts the draws it set to zero.
    same(replace(joined, warnings=together.warnings), together)
    assert joined.provenance["data_hash"] == joined.panel.data_hash
    with pytest.raises(ForecastError, match="not joint over locations"):
        joined.total(["OH", "WY"], "two")


def test_known_months_and_drawn_ones_are_joined_in_every_draw():
    plain = replace(WHOLE, known=np.arange(55.0).reshape(5, 11))
    drawn = replace(plain, known=plain.known + LATE)
    joined = concat([plain.select("WV"), drawn.select(["OH", "US"])])
    for f, place in ((plain, "WV"), (drawn, "OH"), (drawn, "US")):
        one, other = joined.select(place), f.select(place)
        assert one.known.shape == (20, 1, 11)
        assert (one.known == other.known).all()
        assert (one.samples() == other.samples()).all()


def test_fitted_apart_is_not_joint_over_locations():
    naive = od.get_model("naive").fit(PANEL).forecast(24, draws=20)
    late = replace(WHOLE, draws=WHOLE.draws[:, :, -12:], months=WHOLE.months[-12:])
    other = replace(naive, draws=naive.draws[:, :, :12], months=naive.months[:12])
    joined = concat([late.select("OH"), other.select("WV")])
    assert joined.joint == {"month"}
    assert joined.provenance["model"] == "dlm + naive"
    assert joined.provenance["seed"] == "1"
    same(joined.panel, PANEL)
    # Without a record nobody knows that they are one.
    one, two = (made(provenance={}).select(place) for place in ("OH", "WV"))
    sold = replace(WHOLE.select("OH"), provenance={**WHOLE.provenance, "scenario_hash": "1"})
    assert concat([one, two]).joint == concat([sold, WHOLE.select("WV")]).joint == {"month"}
    assert concat([one]).joint == {"month", "location"}
    assert concat([one, made(None, provenance={}).select("WV")]).panel is None


def test_a_place_forecast_by_one_is_not_skipped_by_the_other():
    one = made(skipped={"OH": "short", "TX": "absent"}).select("WV")
    joined = concat([one, made(skipped={}, warnings=("old",)).select("OH")])
    assert dict(joined.skipped) == {"TX": "absent"}
    assert joined.warnings == ("3 draws were below zero", "old")


def test_counties_come_after_states_and_sums_last():
    names = ("Midwest", "39035", "WV", "39001", "US")
    parts = [replace(made(panel=None).select("WV"), locations=(n,)) for n in names]
    assert concat(parts).locations == ("US", "WV", "39001", "39035", "Midwest")


later = np.datetime64("2021-07")
DIFFERENT = {
    "as-of dates": {"as_of": dt.date(2022, 2, 15)},
    "last months": {"last_month": later},
    "targets": {"target": TARGET_12MO},
    "ways to count": {"basis": "residence"},
    "numbers of draws": {"draws": np.ones((3, 1, 5))},
    "different months": {"months": later + np.arange(5) * ONE_MONTH},
    "seeds": {"provenance": {"model": "made", "seed": "2"}},
    "scenarios": {"provenance": {"model": "made", "seed": "1", "scenario": "shock"}},
    "panels of different release": {"panel": replace(PANEL, release=dt.date(2022, 1, 16))},
    "panels of different final_through": {"panel": replace(PANEL, final_through=later)},
    "panels of different months": {"panel": zoo()["short"]},
    "different earlier releases": {"panel": replace(PANEL, triangle=None)},
    "panels that differ in US": {"panel": replace(PANEL, pending=PANEL.pending + 1)},
    "OH is in more than one forecast": {"locations": ("OH",)},
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_does_not_fit_is_named_in_one_line(what):
    one, other = made().select("OH"), made().select("WV")
    with pytest.raises(ForecastError, match=what) as caught:
        concat([one, replace(other, **DIFFERENT[what])])
    assert "\n" not in str(caught.value)
    with pytest.raises(ForecastError, match="no forecasts to join"):
        concat([])


def test_every_field_of_a_panel_is_joined():
    joined = {"locations", "months", "triangle", "beside", "notes", "problems", "selected"}
    joined |= {"own", "urban", "residents"}
    assert {f.name for f in fields(Panel)} == {*_SHARED, *LAYERS, *joined}
