"""Forecasts of different places made one, and joint only where that is true."""

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
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import LAYERS, Panel
from odforecast.testing import zoo

PLACES = ("US", "AZ", "OH", "WV", "WY")  # in the order of CDC's table
WHOLE = od.get_model("dlm").fit(PANEL).forecast(draws=20)


@given(st.permutations(PLACES), st.integers(1, 4), st.integers(1, 5))
def test_pieces_of_one_forecast_are_that_forecast(order, first, second):
    pieces = [order[:first], order[first : first + second], order[first + second :]]
    joined = od.Forecast.concat([WHOLE.select(p) for p in pieces if p])
    same(joined, WHOLE.select(PLACES))
    assert joined.joint == {"location", "month"}
    assert joined.total(["OH", "WV"], "two").draws.shape == (20, 1, WHOLE.months.size)


def test_models_of_places_one_by_one_give_the_forecast_of_all():
    model = od.get_model("drift")
    parts = [model.fit(PANEL.select(p)).forecast(draws=20) for p in (["WY"], ["US", "OH"])]
    together = model.fit(PANEL.select(["US", "OH", "WY"])).forecast(draws=20)
    joined = od.Forecast.concat(parts)
    # Each counts the draws it set to zero.
    same(replace(joined, warnings=together.warnings), together)
    assert joined.provenance["data_hash"] == joined.panel.data_hash
    with pytest.raises(ForecastError, match="not joint over locations"):
        joined.total(["OH", "WY"], "two")


@given(st.permutations(PLACES), st.integers(1, 4))
def test_pieces_whose_earlier_months_are_drawn_are_that_forecast(order, first):
    late = np.random.default_rng(1).normal(0, 2, (20, len(WHOLE.locations), 11))
    drawn = replace(WHOLE, known=WHOLE.known + late)
    joined = od.Forecast.concat([drawn.select(p) for p in (order[:first], order[first:])])
    same(joined, drawn.select(PLACES))
    assert joined.known.shape == (20, 5, 11)


def test_known_months_and_drawn_ones_are_joined_in_every_draw():
    plain = replace(WHOLE, known=np.arange(55.0).reshape(5, 11))
    late = np.random.default_rng(1).normal(0, 2, (20, 5, 11))
    drawn = replace(plain, known=plain.known + late)
    joined = od.Forecast.concat([plain.select("WV"), drawn.select(["OH", "US"])])
    assert joined.known.shape == (20, 3, 11)
    for f, place in ((plain, "WV"), (drawn, "OH"), (drawn, "US")):
        one = joined.select(place)
        assert (one.known == np.broadcast_to(f.select(place).known, (20, 1, 11))).all()
        assert (one.samples() == f.select(place).samples()).all()


def test_fitted_apart_is_not_joint_over_locations():
    naive = od.get_model("naive").fit(PANEL).forecast(24, draws=20)
    begins = WHOLE.months[0]
    late = replace(WHOLE, draws=WHOLE.draws[:, :, -12:], months=WHOLE.months[-12:])
    assert begins < late.months[0]
    other = replace(naive, draws=naive.draws[:, :, :12], months=naive.months[:12])
    joined = od.Forecast.concat([late.select("OH"), other.select("WV")])
    assert joined.joint == {"month"}
    assert joined.provenance["model"] == "dlm + naive"
    assert joined.provenance["seed"] == "1"
    same(joined.panel, PANEL)


def test_without_a_record_nobody_knows_that_they_are_one():
    one, other = made(provenance={}).select("OH"), made(provenance={}).select("WV")
    assert od.Forecast.concat([one, other]).joint == {"month"}
    assert od.Forecast.concat([one]).joint == {"month", "location"}
    sold = replace(WHOLE.select("OH"), provenance={**WHOLE.provenance, "scenario_hash": "1"})
    assert od.Forecast.concat([sold, WHOLE.select("WV")]).joint == {"month"}


def test_a_place_forecast_by_one_is_not_skipped_by_the_other():
    one = made(skipped={"OH": "short", "TX": "absent"}).select("WV")
    joined = od.Forecast.concat([one, made(skipped={}, warnings=("old",)).select("OH")])
    assert dict(joined.skipped) == {"TX": "absent"}
    assert joined.warnings == ("3 draws were below zero", "old")


def test_counties_come_after_states_and_sums_last():
    names = ("Midwest", "39035", "WV", "39001", "US")
    parts = [replace(made(panel=None).select("WV"), locations=(n,)) for n in names]
    assert od.Forecast.concat(parts).locations == ("US", "WV", "39001", "39035", "Midwest")


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
    "panels: release": {"panel": replace(PANEL, release=dt.date(2022, 1, 16))},
    "panels: final_through": {"panel": replace(PANEL, final_through=later)},
    "panels of different months": {"panel": zoo()["short"]},
    "different earlier releases": {"panel": replace(PANEL, triangle=None)},
    "panels that differ in US": {"panel": replace(PANEL, pending=PANEL.pending + 1)},
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_does_not_fit_is_named_in_one_line(what):
    one, other = made().select("OH"), made().select("WV")
    with pytest.raises(ForecastError, match=what) as caught:
        od.Forecast.concat([one, replace(other, **DIFFERENT[what])])
    assert "\n" not in str(caught.value)


def test_a_place_twice_and_nothing_at_all():
    with pytest.raises(ForecastError, match="OH is in more than one forecast"):
        od.Forecast.concat([WHOLE.select("OH"), WHOLE.select(["WV", "OH"])])
    with pytest.raises(ForecastError, match="no forecasts to join"):
        od.Forecast.concat([])


def test_a_forecast_without_panel_leaves_none():
    assert od.Forecast.concat([made().select("OH"), made(None).select("WV")]).panel is None


def test_every_field_of_a_panel_is_joined():
    joined = {"locations", "months", "triangle", "beside", "notes", "problems", "selected"}
    joined |= {"own", "urban", "residents"}
    alike = {"indicator", "as_of", "release", "vintage", "dataset", "basis", "final_through"}
    assert {f.name for f in fields(Panel)} == {*alike, "donor", *LAYERS, *joined}
