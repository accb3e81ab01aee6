"""The reporting-delay layer: what it adds, what it leaves alone, what it refuses."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from panel_factory import bundled_panel, cut_panel, only, with_counts

from odforecast.errors import PanelError
from odforecast.geography.places import JURISDICTIONS
from odforecast.models import Model, get_model
from odforecast.models.delay.layer import AGES, KAPPA, corrected, missing_deaths
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import bundled

STATES = ["US", "OH", "WV", "WY"]


def pending_panel(extra: float = 1.0) -> Panel:
    """A panel whose last count has ``extra`` % more pending than usual, the one before half."""
    panel = only(bundled_panel(), STATES)
    pending = np.full(panel.reported.shape, 0.2)
    pending[:, -1] += extra
    pending[:, -2] += extra / 2
    counts = np.array([[3e6], [130_000.0], [25_000.0], [5_000.0]])
    everyone = with_counts(panel, np.broadcast_to(counts, panel.reported.shape))
    return replace(panel, pending=pending, beside={"all-deaths": everyone})


def test_missing_deaths_follow_the_formula():
    missing, how = missing_deaths(pending_panel(1.0))
    assert set(how.values()) == {"pending"}
    assert missing[1, 0] == np.round(KAPPA * 1.0 / 100 * 130_000)
    assert missing[1, 1] == np.round(KAPPA * 0.5 / 100 * 130_000)
    assert (missing[:, 2:] == 0).all()


def test_less_pending_than_usual_takes_nothing_away():
    missing, _ = missing_deaths(pending_panel(-0.2))
    assert (missing == 0).all()


def test_predicted_counts_stand_in_where_pending_is_unknown():
    panel = only(bundled_panel(), STATES)
    predicted = panel.reported * 1.02
    predicted[:, -1] = panel.reported[:, -1] * 1.02 * 1.05
    panel = replace(panel, predicted=predicted)
    missing, how = missing_deaths(panel)
    assert set(how.values()) == {"predicted"}
    np.testing.assert_allclose(missing[:, 0], np.round(0.05 * panel.reported[:, -1]), atol=1)
    assert (missing[:, 1:] <= 1).all()


def test_nothing_known_is_an_error_not_a_silent_zero():
    panel = only(bundled_panel(), STATES)
    bare = replace(panel, predicted=np.full(panel.predicted.shape, np.nan))
    with pytest.raises(PanelError, match="says nothing on how incomplete"):
        get_model("drift+delay").fit(bare)


def test_a_location_without_information_is_named():
    panel = only(bundled_panel(), STATES)
    predicted = panel.predicted.copy()
    predicted[2] = np.nan
    fitted = get_model("drift+delay").fit(replace(panel, predicted=predicted))
    forecast = fitted.forecast(3, draws=40, seed=1)
    assert any("no delay known for WV" in w for w in forecast.warnings)


def with_and_without(name: str) -> tuple[Model, Model]:
    """A model without and with the delay: ``dlm`` corrects it itself."""
    if name == "dlm":
        return get_model("dlm", delay=False), get_model("dlm")
    return get_model(name), get_model(f"{name}+delay")


@pytest.mark.parametrize("name", ["drift", "hub-baseline", "dlm"])
def test_a_clean_pseudo_vintage_comes_back_unchanged(name):
    panel = cut_panel()
    plain, wrapped = (m.fit(panel).forecast(6, draws=50, seed=3) for m in with_and_without(name))
    assert (plain.draws == wrapped.draws).all()
    assert wrapped.provenance["model"] == (name if name == "dlm" else f"{name}+delay")


@pytest.mark.parametrize("name", ["drift", "auto-ets", "hub-baseline", "dlm"])
def test_the_correction_lifts_the_nowcast_and_the_forecast(name):
    panel = pending_panel(1.0)
    missing, _ = missing_deaths(panel)
    raw, lifted = (m.fit(panel).forecast(12, draws=400, seed=1) for m in with_and_without(name))
    assert lifted.horizons.tolist() == list(range(-AGES + 1, 13))
    now = lifted.quantiles([0.5])[0, :, AGES - 1]
    expected = panel.reported[:, -1] + missing[:, 0]
    np.testing.assert_allclose(now, expected, rtol=0.01)
    assert (lifted.quantiles([0.5])[0, 1, AGES:] > raw.quantiles([0.5])[0, 1]).all()


def test_sums_of_a_sums_model_move_with_the_last_sum():
    panel = pending_panel(1.0)
    forecast = get_model("hub-baseline+delay").fit(panel).forecast(12, draws=500, seed=1)
    assert forecast.targets == {TARGET_12MO}
    complete = corrected(panel, missing_deaths(panel)[0])
    first = forecast.quantiles([0.5])[0, :, AGES]
    np.testing.assert_allclose(first, complete.reported[:, -1], rtol=0.02)


def test_joint_draws_still_add_up_to_the_nation():
    panel = bundled().as_of("2025-09-17").panel()
    forecast = get_model("dlm").fit(panel).forecast(12, draws=60, seed=1)
    whole = forecast.samples()
    parts = [forecast.index(s) for s in JURISDICTIONS]
    np.testing.assert_allclose(whole[:, forecast.index("US")], whole[:, parts].sum(axis=1))


def test_same_draws_for_a_subset_of_locations():
    panel = pending_panel()
    all_of_them = get_model("drift+delay").fit(panel).forecast(6, draws=50, seed=1)
    some = get_model("drift+delay").fit(only(panel, ["WV", "OH"])).forecast(6, draws=50, seed=1)
    for state in ("WV", "OH"):
        a = all_of_them.draws[:, all_of_them.index(state)]
        assert (a == some.draws[:, some.index(state)]).all()


def test_uncertainty_grows_with_what_is_missing():
    model = get_model("drift+delay")
    little, much = (
        model.fit(pending_panel(x)).forecast(1, draws=500).quantiles([0.05, 0.95])
        for x in (0.5, 5.0)
    )
    assert ((much[1] - much[0])[1:, AGES - 1] > (little[1] - little[0])[1:, AGES - 1]).all()


def test_real_releases_know_their_deaths_from_all_causes(vsrr):
    archive = Archive.in_memory(
        {
            day: read_vsrr(vsrr / name).table
            for day, name in (
                ("2019-06-12", "2019-06-12.csv"),
                ("2024-04-17", "2024-04-17_filtered.csv"),
            )
        }
    )
    panel = archive.as_of("2019-06-12").panel()
    assert 2.7e6 < panel.all_deaths[0] < 2.9e6
    # A release without them takes the newest earlier one that day knew.
    later = archive.as_of("2024-04-17").panel()
    assert (later.all_deaths == panel.all_deaths).all()
    assert later.release == dt.date(2024, 4, 17)
    missing, how = missing_deaths(later)
    assert set(how.values()) == {"pending"}
    assert missing[0, 0] == np.round(missing[1:, 0]).sum()
