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
from odforecast.models.delay import layer
from odforecast.models.delay.estimate import (
    DELAY_NAMES,
    MIN_RELEASES,
    USED,
    Settled,
    _point,
    estimate_delay,
    settled,
)
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


# The estimator of the layer's numbers.

TRUE = {
    "delay_kappa": 0.5,
    "delay_sd_state": 0.25,
    "delay_sd_us": 0.15,
    "revision_state": 0.008,
    "revision_us": 0.004,
    "revision_profile_0": 0.45,
    "revision_profile_1": 0.25,
    "revision_profile_2": 0.05,
    "revision_profile_3": 0.15,
    "revision_profile_4": 0.1,
    "revision_profile_5": 0.0,
    "delay_level": 2.0,
}


def simulated(seed: int, releases: int = 16) -> list[Settled]:
    """Releases of the layer's own model: counts, what is pending, what they then missed."""
    rng = np.random.default_rng(seed)
    places = len(JURISDICTIONS)
    profile = np.array([v for k, v in TRUE.items() if k.startswith("revision_profile")])
    # The share of a revision that the count k months before the last still misses.
    still = np.append(1 - np.cumsum(profile), np.zeros(AGES))[: AGES - 1]
    still = np.concatenate([[1.0], still])
    out = []
    for r in range(releases):
        size = np.exp(rng.normal(7, 1, places))[:, None]
        fade = np.array([1, 0.8, 0.5, 0.3, 0.1, 0.05, *np.zeros(6)])
        pending = size * rng.uniform(0.01, 0.1, (places, 1)) * fade
        pending[rng.random(places) < 0.4] = 0.0
        own, revision = rng.standard_normal((2, places, 1))
        us, us_revision = rng.standard_normal(2)
        factor = 1 + TRUE["delay_sd_state"] * own + TRUE["delay_sd_us"] * us
        shift = TRUE["revision_state"] * revision + TRUE["revision_us"] * us_revision
        missed = TRUE["delay_kappa"] * pending * factor + size * shift * still
        # Older counts have errors of their own, so that the profile is not exact.
        missed[:, 1:] += 0.002 * size * rng.standard_normal((places, AGES - 1))
        reported = np.broadcast_to(size, missed.shape).copy()
        out.append(Settled(f"2020-{r:02d}", f"2019-{r:02d}", pending, missed, reported))
    return out


@pytest.fixture(scope="module")
def recovered():
    return [estimate_delay(simulated(seed)) for seed in range(12)]


@pytest.mark.parametrize("name", DELAY_NAMES)
def test_a_number_of_simulated_releases_is_found_again(recovered, name):
    found = [each[name] for each in recovered]
    assert {each.how for each in found} == {"estimated"}
    assert sum(each.low <= TRUE[name] <= each.high for each in found) >= 9
    # The mean over the seeds, within its own error: an interval that is wide does not pass here.
    values = np.array([each.value for each in found])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - TRUE[name]) < 4 * error + 0.03 * abs(TRUE[name]) + 1e-3


def test_the_intervals_hold_the_truth_and_are_not_vacuous(recovered):
    inside = [n.low <= TRUE[k] <= n.high for each in recovered for k, n in each.items()]
    assert np.mean(inside) >= 0.85
    for name, share in (("delay_kappa", 0.4), ("delay_sd_state", 1.5), ("revision_state", 0.5)):
        assert (
            np.mean([each[name].high - each[name].low for each in recovered]) < share * TRUE[name]
        )


def test_many_releases_tell_every_number_closely():
    # What the states share hides a wrong term in sixteen releases; not in sixteen thousand.
    found = []
    for seed in range(100, 108):
        many = simulated(seed, releases=2000)
        arrays = (
            np.stack([getattr(s, n) for s in many]) for n in ("pending", "missed", "reported")
        )
        found.append(_point(*arrays, np.ones(len(many)), np.ones(len(JURISDICTIONS))))
    for name, true in TRUE.items():
        near = pytest.approx(true, rel=0.05, abs=0.003 * ("profile" in name))
        assert np.mean([each[name] for each in found]) == near, name


def test_no_spread_is_found_where_there_is_none():
    exact = [
        Settled(s.release, s.last_month, s.pending, 0.5 * s.pending, s.reported)
        for s in simulated(1)
    ]
    found = estimate_delay(exact)
    assert found["delay_kappa"].value == pytest.approx(0.5)
    for name in ("delay_sd_state", "delay_sd_us", "revision_state", "revision_us"):
        assert found[name].value == pytest.approx(0.0, abs=1e-4)


def test_a_jurisdiction_that_says_nothing_is_left_out():
    holes = simulated(1)
    for each in holes:
        each.pending[3] = np.nan
        each.missed[3] = 1e6
    found = estimate_delay(holes)
    assert found["delay_kappa"].low < 0.5 < found["delay_kappa"].high
    assert all(np.isfinite(n.value) for n in found.values())


def test_few_releases_tell_no_spread_over_releases():
    few = estimate_delay(simulated(1, releases=MIN_RELEASES - 1))
    for name in ("delay_sd_us", "revision_us"):
        assert few[name].how == "assumed"
        assert few[name].value == USED[name]
        assert np.isnan(few[name].low)
    assert few["delay_kappa"].how == "estimated"
    with pytest.raises(PanelError, match="two settled releases"):
        estimate_delay(simulated(1, releases=1))


def test_the_table_shows_what_the_layer_uses():
    assert USED["delay_kappa"] == layer.KAPPA == 0.42
    assert (USED["delay_sd_state"], USED["delay_sd_us"]) == (layer.SD_STATE, layer.SD_US)
    assert (USED["revision_state"], USED["revision_us"]) == (0.007, 0.0025)
    profile = [v for k, v in USED.items() if k.startswith("revision_profile")]
    assert profile == layer.REVISION_PROFILE.tolist()
    assert USED["delay_level"] == layer.LEVEL


def test_a_release_is_compared_with_its_settled_counts_the_last_month_first():
    whole = bundled_panel(("US", *JURISDICTIONS))
    panel = whole.cut(whole.months[-20])
    n = panel.months.size
    pending = np.full(panel.reported.shape, 0.2)
    pending[:, -1] += 1.0
    pending[:, -3] += 0.25
    everyone = with_counts(panel, np.full(panel.reported.shape, 50_000.0))
    panel = replace(panel, pending=pending, beside={"all-deaths": everyone})
    truth = replace(whole, reported=whole.reported + np.arange(whole.months.size))
    found = settled(panel, truth)
    assert found is not None
    np.testing.assert_allclose(found.pending[:, 0], 500.0)
    np.testing.assert_allclose(found.pending[:, 2], 125.0)
    assert (found.pending[:, [1, 3]] == 0).all()
    rows = [panel.locations.index(s) for s in JURISDICTIONS]
    np.testing.assert_array_equal(found.reported[:, 0], panel.reported[rows, -1])
    np.testing.assert_array_equal(found.missed[0], np.arange(n - 1, n - 1 - AGES, -1))
    assert found.last_month == str(panel.last_month)


def test_a_count_that_has_not_settled_teaches_nothing():
    whole = bundled_panel(("US", *JURISDICTIONS))
    for back, kept in ((8, True), (7, False)):  # 2024-09 and 2024-10 in the release of 2025-09
        panel = whole.cut(whole.months[-back])
        pending = np.full(panel.reported.shape, 0.2)
        everyone = with_counts(panel, np.full(panel.reported.shape, 5e4))
        panel = replace(panel, pending=pending, beside={"all-deaths": everyone})
        assert (settled(panel, whole) is not None) is kept
    assert settled(whole.cut(whole.months[-20]), whole) is None  # nothing pending is known
