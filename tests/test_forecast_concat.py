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
from odforecast.forecast.adding import _SHARED
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import LAYERS, Panel
from odforecast.testing import zoo

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
