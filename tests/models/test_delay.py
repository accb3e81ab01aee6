"""What the last counts miss: the formula, what is uncertain in it, and the layer round a model."""

import datetime as dt
from dataclasses import fields, replace

import numpy as np
import pytest
from delay_factory import CERTAIN, DELAYS, simulated_release, simulated_seen, with_all_deaths
from panel_factory import bundled_panel, counts_panel, cut_panel, only
from scales_factory import HAND

from odforecast.geography.places import JURISDICTIONS
from odforecast.models import Model, get_model
from odforecast.models.delay import constants as learning
from odforecast.models.delay import deficit as gaps
from odforecast.models.delay import layer
from odforecast.models.delay.deficit import (
    AGES,
    SPAN,
    _late_arrivals,
    corrected,
    deficit,
    late_draws,
    prior_factors,
    set_to_zero,
)
from odforecast.models.delay.layer import Delayed
from odforecast.models.statespace import model as statespace
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Panel, Triangle
from odforecast.publication import not_final
from odforecast.seeds import Streams
from odforecast.vintage.bundle import bundled
from odforecast.vintage.donors import shipped

#: Variance of what a release shares, over its squared scale.
HEAVY = 5.0 / 3.0
STATES = ["US", "OH", "WV", "WY"]
WHOLE = ("US", *JURISDICTIONS)


def of_day(panel: Panel, day: str) -> Panel:
    date = dt.date.fromisoformat(day)
    return replace(panel, as_of=date, release=date)


def pending_panel(extra: float = 1.0, months: int = 2) -> Panel:
    """Counts to April 2025, out in September: the last has ``extra`` percent more pending."""
    panel = only(bundled_panel(), STATES)
    pending = np.full(panel.reported.shape, 0.2)
    for k in range(months):
        pending[:, -1 - k] += extra * (1 - k / months)
    everyone = np.array([3e6, 130_000.0, 25_000.0, 5_000.0])
    return with_all_deaths(replace(panel, pending=pending), everyone)


def use(monkeypatch: pytest.MonkeyPatch, constants: learning.Delays) -> None:
    monkeypatch.setattr(learning, "delays_for", lambda _: constants)


def release_of(day: str) -> Panel:
    """The bundled counts, as incomplete as a real release was."""
    donor = next(d for d in shipped() if str(d.release) == day)
    return bundled().as_of("2025-09-17").panel().delayed(donor.last_month, donor)


def test_the_nation_misses_what_its_parts_miss_and_its_own_errors_average_out() -> None:
    panel = bundled_panel(WHOLE)
    pending = np.where(np.arange(panel.months.size) % 3, 0.2, np.linspace(0, 3, 53)[:, None])
    panel = with_all_deaths(replace(panel, pending=pending), np.linspace(4e3, 3e5, 53))
    found = deficit(panel, DELAYS)
    assert set(found.how.values()) == {"pending"}
    assert found.late.any()
    np.testing.assert_allclose(found.late[0], found.late[1:].sum(axis=0))
    # What a release shares does not.
    np.testing.assert_allclose(found.own[[0, 1]], [0.2 * 0.35, 0.35])
    np.testing.assert_allclose(found.shared, np.hypot(0.15, 0.05))
    np.testing.assert_allclose(found.revision_own[[0, 1]], [0.2 * 0.015, 0.015])


def test_six_months_of_two_places_are_completed_as_on_paper() -> None:
    """Counts to April 2025, out in December: four open months, a year whose file has closed."""
    constants = replace(
        DELAYS,
        kappa=0.5,
        sd_own=0.35,
        sd_shared=0.03,
        kappa_error=0.04,
        noise=0.12,
        revision_own=0.015,
        revision_shared=0.003,
        revision_decay=0.5,
        revision_noise=0.001,
        closing_share=0.2,
        closing_size=0.01,
        late=1.6,
        late_decay=np.log(2.0),
        late_own=1.0,
        late_shared=0.3,
    )
    counts = np.array(
        [[7_700.0, 7_800, 7_850, 7_900, 7_950, 8_000], [1_500.0, 1_560, 1_500, 1_400, 1_300, 1_200]]
    )
    months = np.arange("2024-11", "2025-05", dtype="M8[M]")
    # Of Ohio, percent of 10,000 deaths of all causes; of West Virginia nothing is known.
    pending = np.array([[0.2, 0.2, 0.3, 0.4, 0.7, 1.2], [np.nan] * 6])
    closed_year = np.datetime64("2024-12")
    panel = counts_panel(
        counts,
        ("OH", "WV"),
        months,
        dt.date(2025, 12, 10),
        pending=pending,
        final_through=closed_year,
    )
    everyone = with_all_deaths(panel, np.array([10_000.0, np.nan])).beside["all-deaths"]
    everyone = replace(everyone, final_through=months[-1])
    panel = replace(panel, beside={"all-deaths": everyone})
    found = deficit(panel, constants)
    assert found.how == {"OH": "pending", "WV": "age"}
    # Ohio: beyond December's 0.2% are 0.1, 0.2, 0.5, 1.0% pending: 10, 20, 50, 100 records. Half
    # end as overdoses: the last sums miss 5, 10, 25, 50, and their months 5, 10 - 5, 25 - 10,
    # 50 - 25.
    np.testing.assert_allclose(found.late[0, 24:], [5.0, 5.0, 15.0, 25.0])
    # West Virginia: 1,200 deaths a year are 100 a month. April is 7 months old in December:
    # 1.6 / 2 = 0.8 would be late, but 0.5 at most; then 0.4, 0.2, 0.1. Where a share p is late,
    # p / (1 - p) of what is in arrives: 100, 66.7, 25, 11.1.
    np.testing.assert_allclose(found.late[1, 24:], [100 / 9, 25.0, 200 / 3, 100.0])
    # A revision of the last count falls by half from month to month.
    np.testing.assert_allclose(found.revised[0, 24:], [500.0, 1_000.0, 2_000.0, 4_000.0])
    # April: 0.12 * 25 = 3 and 0.001 * 4,000 = 4 make 5.
    assert found.noise[0, 27] == pytest.approx(5.0)
    np.testing.assert_allclose([found.own, found.shared], [[0.35, 1.0], [0.05, 0.3]])
    # 1 - 0.5^4 = 15/16 of a revision falls on four open months.
    assert found.revision_shared == pytest.approx(0.0032)
    # In December the file has closed, and the final one may take away 1% of its year: 78 and 15.6
    # deaths, 12 parts in 78 of them in December, 11 in November, …, 1 in January.
    np.testing.assert_allclose(found.cut[0, 12:24], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    np.testing.assert_allclose(found.cut[1, 12:24], 0.2 * np.arange(1.0, 13.0))
    assert (found.cut[:, :12] == 0).all()
    assert (found.cut[:, 24:] == 0).all()
    np.testing.assert_allclose(found.cut_share, 0.2)
    # The last count holds May 2024 to April 2025: 25 + 15 + 5 + 5 come, and of the cuts of May to
    # December, 5 + … + 12 = 68, a fifth goes: 50 - 13.6. A month before: 25 - 0.2 * 72; 10 - 0.2
    # * 75; 5 - 0.2 * 77; December's -0.2 * 78; November's, without December, -0.2 * 66.
    added = [-13.2, -15.6, -10.4, -5.0, 10.6, 36.4]
    np.testing.assert_allclose(corrected(panel, found).reported[0] - counts[0], added)
    # In March 2026 January is 13 months old, February 12: of old months 0.7 of the 5 come, give or
    # take a quarter.
    later = deficit(of_day(panel, "2026-03-11"), constants)
    np.testing.assert_allclose(later.late[0, 24:], [3.5, 5.0, 15.0, 25.0])
    np.testing.assert_allclose(later.old[0, 24:], [0.875, 0.0, 0.0, 0.0])
    assert not later.cut.any()  # the file of 2024 is final by then
    assert not later.year.any()


def test_what_is_added_to_counts_are_sums_of_months() -> None:
    panel = release_of("2018-11-14")
    found = deficit(panel, learning.delays_for(panel))
    sums = found.sums(panel.locations, 20)
    for back in range(20):
        stop = SPAN - back
        whole = found.months[:, max(stop - 12, 0) : stop].sum(axis=1)
        np.testing.assert_allclose(sums[:, 19 - back], whole, atol=1e-8)
    parts = [panel.index(s) for s in JURISDICTIONS]
    us = panel.index("US")
    # Each jurisdiction's months, late and cut: what gained nothing elsewhere does not net out.
    np.testing.assert_allclose(found.months[us], found.months[parts].sum(axis=0), atol=1e-8)
    whole = panel.reported[:, -20:] + sums
    np.testing.assert_array_equal(corrected(panel, found).reported[:, -20:], whole)


def test_predicted_counts_stand_in_where_pending_is_unknown():
    panel = only(bundled_panel(), STATES)
    ratio = np.full(panel.reported.shape, 1.02)  # predicted counts lie above what stays pending
    ratio[:, -1] *= 1.05
    ratio[:, -2] *= 1.01
    panel = replace(panel, predicted=panel.reported * ratio)
    found = deficit(panel, DELAYS)
    assert set(found.how.values()) == {"predicted"}
    last, before = 0.05 * panel.reported[:, -1], 0.01 * panel.reported[:, -2]
    np.testing.assert_allclose(found.late[:, -1], last - before)
    np.testing.assert_allclose(found.late[:, -2], before)
    np.testing.assert_allclose(found.late[:, :-2], 0.0, atol=1e-8)
    halved = deficit(panel, replace(DELAYS, kappa_predicted=0.5))
    np.testing.assert_allclose(halved.late, 0.5 * found.late)


def bare_panel(names: list[str]) -> Panel:
    """A panel that says nothing on how incomplete some places are."""
    panel = pending_panel()
    rows = [panel.index(name) for name in names]
    pending, predicted = panel.pending.copy(), panel.predicted.copy()
    pending[rows] = predicted[rows] = np.nan
    return replace(panel, pending=pending, predicted=predicted)


@pytest.mark.parametrize("name", ["drift+delay", "dlm", "hub-baseline+delay"])
def test_nothing_known_is_a_wider_forecast_and_one_line_that_says_so(name):
    told = get_model(name).fit(pending_panel(0.1)).forecast(3, draws=400)
    assert not any("says nothing" in line for line in told.warnings)
    untold = get_model(name).fit(bare_panel(["OH", "WV"])).forecast(3, draws=400)
    (line,) = (line for line in untold.warnings if "how incomplete" in line)
    assert "how incomplete OH, WV are" in line
    width = [np.subtract(*f.quantiles([0.95, 0.05]))[1:3, AGES - 1] for f in (untold, told)]
    assert (width[0] > 1.5 * width[1]).all()


def test_months_since_closing() -> None:
    months = np.arange("2024-07", "2025-07", dtype="M8[M]").astype(str)
    found = [not_final(month, "2023-12") for month in months]
    assert found == pytest.approx([0, 0.05, 0.05, 1 / 9, 4 / 9, 1, 1, 0, 0, 0, 0, 0])


def with_earlier_release(panel: Panel, day: str, gained: np.ndarray) -> Panel:
    """The panel with an earlier release in its triangle, less what the closed year gained."""
    counts = panel.reported.copy()
    counts[:, -5] -= gained
    counts[:, -4:] = np.nan
    return replace(panel, triangle=Triangle((dt.date.fromisoformat(day),), counts[None]))


GAINED = np.array([120.0, 30.0, -4.0, 0.0])


@pytest.mark.parametrize(
    ("day", "earlier", "share"),
    [
        *(("2025-11-12", day, 1.0) for day in ("2025-08-13", "2025-09-17", "2025-10-15")),
        ("2025-11-12", "2025-07-16", 0.2),  # not yet closed
        ("2025-09-17", "2025-08-13", 0.2),  # nothing can be told
        ("2026-02-11", "2025-09-17", None),  # final: nothing is taken away
    ],
)
def test_a_release_of_about_the_closing_says_what_the_final_file_takes_away(day, earlier, share):
    panel = with_earlier_release(of_day(pending_panel(1.0), day), earlier, GAINED)
    found = deficit(panel, DELAYS)
    assert (found.cut == 0).all() if share is None else (found.cut_share == share).all()
    if share == 1.0:
        np.testing.assert_allclose(found.cut.sum(axis=1), np.maximum(GAINED, 0.0), atol=1e-9)
        # A place that release did not have stays unknown.
        some = np.array([120.0, np.nan, 1.0, 2.0])
        holes = with_earlier_release(panel, earlier, some)
        np.testing.assert_array_equal(deficit(holes, DELAYS).cut_share, [1.0, 0.2, 1.0, 1.0])


def drawn_late(panel: Panel, constants: learning.Delays, draws: int, seed: int = 1) -> np.ndarray:
    """Draws of what arrives late of the panel's four places."""
    missing, rows = deficit(panel, constants), [0, 1, 2, 3]
    of = Streams(seed, panel.dataset, panel.indicator, str(panel.last_month))  # as for a forecast
    factors = prior_factors(missing, rows, panel.locations, draws, of)
    return late_draws(missing, rows, panel.locations, factors, of)


def test_a_known_cut_is_taken_away_in_every_draw():
    november = of_day(pending_panel(0.0), "2025-11-12")
    panel = with_earlier_release(november, "2025-09-17", np.array([120.0, 30.0, 20.0, 0.0]))
    certain = replace(CERTAIN, closing_share=0.2, closing_size=0.02)
    run = np.cumsum(drawn_late(panel, certain, 50), axis=2)
    assert (run == np.round(run)).all()  # deaths are whole
    assert (np.abs(run + np.cumsum(deficit(panel, certain).cut, axis=1)) < 1.0).all()
    np.testing.assert_allclose(run[0, :, -1], [-120.0, -30.0, -20.0, 0.0])


def test_the_newest_set_that_was_known_that_day():
    sets = learning.all_delays()
    cutoffs = sorted({cutoff for cutoff, _ in sets})
    assert [str(c) for c in cutoffs[:4]] == [f"20{n}-12-31" for n in (18, 20, 22, 24)]
    assert [str(c) for c in cutoffs[4:]] == ["2026-01-14"]
    assert tuple(f.name for f in fields(learning.Delays)) == gaps.NAMES
    panel = replace(cut_panel("2015-12"), final_through=np.datetime64("2014-12"))
    for i, cutoff in enumerate(cutoffs):
        on, eve = (replace(panel, as_of=cutoff - dt.timedelta(days=n)) for n in (0, 1))
        assert learning.delays_for(on) is sets[cutoff, ""]
        assert learning.learned_delays(on).shipped == 0  # no release was learned from
        assert learning.delays_for(eve) is sets[cutoffs[max(i - 1, 0)], ""]
    assert len({id(each) for each in sets.values()}) == len(sets)


def test_a_delayed_panel_is_completed_without_its_donor() -> None:
    sets, truth = learning.all_delays(), bundled().as_of("2025-09-17").panel()
    left_out = {name for _, name in sets if name}
    assert left_out == {str(d.release) for d in shipped()}
    for donor in shipped():
        panel = truth.delayed("2024-06", donor)
        cutoff = max(c for c, _ in sets if c <= panel.as_of)
        assert panel.donor.startswith(str(donor.release))
        known = (cutoff, str(donor.release)) in sets
        assert learning.delays_for(panel) is sets[cutoff, str(donor.release) if known else ""]
    # The newest set leaves out every one.
    last = max(c for c, _ in sets)
    assert {name for c, name in sets if c == last} == {"", *left_out}
    assert sets[last, "2018-04-11"] != sets[last, ""]


def test_draws_have_the_mean_and_variance_of_the_formula():
    panel = of_day(pending_panel(1.5, months=4), "2025-12-10")
    c, n = DELAYS, 40_000
    missing = deficit(panel, c)
    late = drawn_late(panel, c, n)
    cut, year = missing.cut, missing.year
    own, shared = missing.own[:, None], missing.shared[:, None]
    variance = (own**2 + HEAVY * shared**2) * missing.late**2 + missing.noise**2
    revision = missing.revision_own[:, None] ** 2 + HEAVY * missing.revision_shared**2
    variance += revision * missing.revised**2
    lone = np.array([1.0, 0.0, 0.0, 0.0])[:, None]  # the nation without its parts
    variance += (c.closing_shared**2 + (1 - lone) * c.closing_own**2) * year**2
    heavy = np.exp(0.81)  # second moment of what the cuts share
    happens = 2 * 0.2 * heavy - 0.2**2
    variance += (lone * 0.2**2 * (heavy - 1) + (1 - lone) * happens) * cut**2
    error = np.sqrt((variance + 0.25) / n)  # deaths are whole
    assert (np.abs(late.mean(axis=0) - missing.months) <= 5 * error + 1e-9).all()
    is_open = slice(SPAN - 4, SPAN)
    np.testing.assert_allclose(late[..., is_open].var(axis=0), variance[:, is_open], rtol=0.05)
    closing = slice(SPAN - 16, SPAN - 4)
    found = late[..., closing].var(axis=0)
    np.testing.assert_allclose(found, variance[:, closing], rtol=0.3, atol=1)
    assert (late[..., : SPAN - 16] == 0).all()


#: Without and with the delay: ``dlm`` knows it itself; "joint" draws places together.
PLAIN = {name: get_model(name) for name in ("naive", "drift", "hub-baseline")}
WRAPPED = {name: get_model(f"{name}+delay") for name in PLAIN} | {"dlm": get_model("dlm")}
PLAIN |= dict.fromkeys(("dlm", "joint"), get_model("dlm", delay=False))
WRAPPED["joint"] = Model(Delayed(PLAIN["joint"]), "joint+delay")


@pytest.mark.parametrize("name", ["drift", "hub-baseline", "dlm"])
def test_final_counts_come_back_unchanged(name):
    fits = (models[name].fit(cut_panel()) for models in (PLAIN, WRAPPED))
    plain, wrapped = (fit.forecast(6, draws=50, seed=3) for fit in fits)
    np.testing.assert_array_equal(plain.draws, wrapped.draws)
    np.testing.assert_array_equal(plain.known, wrapped.known)
    assert wrapped.provenance["model"] == (name if name == "dlm" else f"{name}+delay")


@pytest.mark.parametrize("name", ["naive+delay", "hub-baseline+delay"])
def test_the_layers_nowcast_is_what_was_reported_and_what_arrives(name):
    panel = of_day(pending_panel(1.0), "2025-12-10")
    made = get_model(name).fit(panel).forecast(3, draws=80, seed=5)
    late = drawn_late(panel, learning.delays_for(panel), 80, seed=5)
    assert (late[..., -16:-12] != 0).any()  # the closed year: older than the first drawn month
    expected = panel.reported[:, -AGES:] + rolling_sums(late)[..., -AGES:]
    np.testing.assert_allclose(made.samples()[..., :AGES], expected, rtol=1e-9)


def test_the_dlms_nowcast_is_what_was_reported_and_what_arrives(monkeypatch) -> None:
    seen_late = {}

    def watched(missing, rows, locations, factors, streams):
        out = late_draws(missing, rows, locations, factors, streams)
        seen_late.update({locations[i]: out[:, k] for k, i in enumerate(rows)})
        return out

    monkeypatch.setattr(statespace.deficit, "late_draws", watched)
    panel = release_of("2024-12-11")
    made = get_model("dlm").fit(panel).forecast(3, draws=30, seed=5)
    samples = made.samples()[..., :AGES]
    months = panel.monthly[:, -AGES:]
    set_to_zero = {s: (months[panel.index(s)] + late[:, -AGES:] < 0).any(axis=1)
                   for s, late in seen_late.items()}  # fmt: skip
    seen_late["US"] = np.sum([seen_late[s] for s in JURISDICTIONS], axis=0)
    set_to_zero["US"] = np.any([set_to_zero[s] for s in JURISDICTIONS], axis=0)
    for i, state in enumerate(made.locations):
        late, kept = seen_late[state], ~set_to_zero[state]
        assert kept.mean() > 0.5
        counts = panel.reported[panel.index(state), -AGES:] + rolling_sums(late)[:, -AGES:]
        np.testing.assert_allclose(samples[kept, i], counts[kept], rtol=1e-9)


@pytest.mark.parametrize("extra", [0.0, 1.0])
@pytest.mark.parametrize("name", ["naive", "drift", "joint"])
def test_months_stand_on_one_recovery(name, extra, monkeypatch):
    """Twelve months, some of them drawn ahead, add up as they do for the completed panel."""
    use(monkeypatch, CERTAIN)
    # Deaths that arrive are whole, and so not quite those that complete the panel: here they are.
    monkeypatch.setattr(layer.deficit, "late_draws", lambda missing, rows, **_: np.broadcast_to(
        missing.months[rows], (50, len(rows), SPAN)))  # fmt: skip
    panel = of_day(pending_panel(extra), "2026-03-11")
    assert not gaps.is_final(panel)
    complete = corrected(panel, deficit(panel, CERTAIN))
    assert np.array_equal(complete.reported, panel.reported) == (not extra)
    shift = (complete.monthly - panel.monthly)[:, -AGES:-2]
    assert (np.abs(shift).max() > 0.5) == bool(extra)  # the recoveries differ
    plain = PLAIN[name].fit(complete).forecast(14, draws=50, seed=2)
    made = WRAPPED[name].fit(panel).forecast(14, draws=50, seed=2)
    sums = np.where(plain.draws.min(axis=2) > 0, 1.0, np.nan)[..., None]  # none set to zero
    np.testing.assert_allclose(made.samples()[..., AGES:] * sums, plain.samples() * sums, rtol=1e-7)
    counts = np.broadcast_to(complete.reported[:, -AGES:], (50, 4, AGES))
    np.testing.assert_allclose(made.samples()[..., :AGES], counts)


@pytest.mark.parametrize(("share", "factor"), [(-0.4, -0.5), (-0.1, -0.2), (0.25, 0.5), (0.3, 0.5)])
def test_an_error_of_the_last_count_moves_the_level_twice_and_a_quarter_at_most(
    share, factor, monkeypatch
):
    use(monkeypatch, CERTAIN)
    panel = of_day(pending_panel(0.0), "2026-03-11")
    forecasts = {}
    for lost in (0.0, share):
        late = np.zeros((50, 4, SPAN))
        late[..., -1] = lost * panel.reported[:, -1]
        monkeypatch.setattr(layer.deficit, "late_draws", lambda *_, late=late, **__: late)
        forecasts[lost] = WRAPPED["drift"].fit(panel).forecast(3, draws=50, seed=2)
    before, after = (forecasts[lost].draws[..., AGES:] for lost in (0.0, share))
    np.testing.assert_allclose(after, before * np.exp(factor), rtol=1e-9)
    far = "200 of 200 drawn errors of the last count were beyond 25% of it and set to that"
    assert (far in forecasts[share].warnings) == (abs(share) > 0.25)


def test_the_dlm_with_nothing_missing_and_nothing_uncertain_is_the_one_without_delay(monkeypatch):
    use(monkeypatch, CERTAIN)
    panel = of_day(pending_panel(0.0), "2026-03-11")
    fits = [models["dlm"].fit(panel) for models in (WRAPPED, PLAIN)]
    for one, other in zip(*(f.inner.states for f in fits)):
        size = other.mean.size
        np.testing.assert_allclose(one.mean[:size], other.mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one.cov[:size, :size], other.cov, rtol=1e-9, atol=1e-14)
    with_delay, without = (f.forecast(6, draws=400, seed=1).quantiles() for f in fits)
    np.testing.assert_allclose(with_delay[..., AGES:], without, rtol=0.02)


@pytest.mark.parametrize("name", ["hub-baseline+delay", "naive+delay", "dlm"])
def test_a_place_that_misses_more_than_it_has_is_no_error(name: str) -> None:
    panel = only(bundled_panel(), ["WY"])
    pending = np.full(panel.reported.shape, 0.2)
    pending[:, -2:] = 60.0
    panel = with_all_deaths(replace(panel, pending=pending), np.array([5_000.0]))
    made = get_model(name).fit(panel).forecast(3, draws=400)
    assert (made.draws >= 0).all()
    assert any("below zero" in line for line in made.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("newest", "lasts"),
    # Few, some and nearly all of a year's months are open.
    [(6, ("2020-02", "2020-06", "2020-10")), (4, ("2022-04", "2022-08", "2022-11"))],
)
def test_simulated_releases_are_covered_as_often_as_is_said(newest, lasts, monkeypatch):
    """At horizons 0 to 3: coverage; mean, spread and bins of probability integral transforms."""
    still = replace(DELAYS, closing_share=0.0, closing_own=0.0, closing_shared=0.0)
    use(monkeypatch, still)
    pit, inside = np.empty((2, 110, 8, 4))
    for r in range(110):
        panel, truth = simulated_release(1000 * newest + r, HAND, still, lasts[r % 3], newest)
        made = get_model("dlm", scales=HAND).fit(panel).forecast(3, draws=300, seed=r)
        draws, target = made.samples()[..., AGES - 1 :], truth[:, AGES - 1 :]
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        pit[r] = (draws < target).mean(axis=0)
        inside[r] = (low <= target) & (target <= high)
    covered = inside.mean(axis=(0, 1))
    assert ((covered >= 0.86) & (covered <= 0.94)).all(), covered
    # Places of one release go together: the error is that of the releases' means.
    error = pit.mean(axis=1).std(axis=0) / np.sqrt(len(pit))
    assert (np.abs(pit.mean(axis=(0, 1)) - 0.5) < 3.5 * error).all()
    assert (np.abs(pit.std(axis=(0, 1)) * np.sqrt(12) - 1) < 0.08).all()
    for h in range(4):
        counts = np.histogram(pit[..., h], 5, (0, 1))[0] / pit[..., h].size
        assert (np.abs(counts - 0.2) < 0.07).all(), (h, counts)


def test_counts_are_settled_after_a_year_and_predicted_ones_weigh_all_months_alike():
    told = simulated_seen(2, 6)
    # Out in December with counts to July: a year later it is July again.
    one = replace(told[0], release="2023-12-13", newest=4)
    assert learning.settled_by("2024-06-30", [one]) == ()
    assert learning.settled_by("2024-07-01", [one]) == (one,)
    # Where twice as much was predicted as came of every month, old or not, half of it comes.
    assert max(s.ages[-1] for s in told) >= 13
    twice = [2.0 * np.cumsum(s.late[:, s.n_open - 1 :: -1], axis=1)[:, ::-1] for s in told]
    told = [replace(s, predicted=x) for s, x in zip(told, twice)]
    assert learning.estimate(told)[0].kappa_predicted == pytest.approx(0.5)


def test_a_release_that_says_nothing_still_tells_of_ages():
    told = simulated_seen(2, 6)
    mute = replace(told[5], pending=told[5].pending * np.nan, late=2.0 * told[5].late)
    one, other = learning.estimate(told[:5])[0], learning.estimate([*told[:5], mute])[0]
    assert other.kappa == one.kappa
    assert other.late_own != one.late_own


def test_cuts_are_told_from_other_changes_of_a_closed_year() -> None:
    true = replace(DELAYS, closing_size=0.05, closing_own=0.0004, closing_shared=0.0004)
    held = simulated_seen(5, 600, constants=true)
    assert sum(s.closing > 0 for s in held) > 80
    found = learning._closing(held)
    assert found["closing_share"] == pytest.approx(0.2, abs=0.02)
    assert found["closing_size"] == pytest.approx(0.05, rel=0.35)  # some are large everywhere
    assert found["closing_own"] == found["closing_shared"] == 1e-3  # never less
    # In half the months since closing half of it is in: the cut itself is twice as large.
    half = [replace(s, closing=0.5 * s.closing) for s in held]
    assert learning._closing(half)["closing_size"] == pytest.approx(2 * found["closing_size"])
    # By hand: 100 of 1,000 deaths gone when half is in make 0.2; at 0.4, before closing, and with
    # 17 open months nothing of cuts is learned. Others: the root of (0.02² + 0.001² + 0) / 3.
    late = np.zeros((4, 28))
    late[:, 2] = [-100.0, 20.0, -1.0, 0.0]
    by_hand = replace(held[0], n_open=2, closing=0.5, late=late, year=np.full(4, 1_000.0))
    others = [replace(by_hand, closing=0.0, late=9 * late), replace(by_hand, n_open=17)]
    found = learning._closing([by_hand, *others])
    assert found["closing_share"] == 0.25
    assert found["closing_size"] == pytest.approx(0.2)
    assert found["closing_own"] == pytest.approx(np.sqrt(0.000401 / 3))
    assert found["closing_shared"] == pytest.approx(0.00475)  # 19 of 4,000
    assert "closing_share" not in learning._closing([replace(by_hand, closing=0.4)])
    # Nothing of about a closing: assumed.
    none, said = learning.estimate([s for s in held if not s.closing][:3])
    assert (none.closing_share, none.closing_size) == (0.3, 0.01)
    assert said["closing_share"] == "assumed"


def test_a_release_is_compared_with_its_settled_counts_the_last_month_first() -> None:
    whole = bundled_panel(WHOLE)
    whole = replace(whole, vintage="real")
    last = np.datetime64("2023-07")
    n = int((last - whole.months[0]).astype(int)) + 1
    rng = np.random.default_rng(0)
    late = np.zeros((53, n + 11))
    late[1:, -SPAN:] = rng.integers(-3, 30, (52, SPAN))
    late[0] = late[1:].sum(axis=0)
    short = {k: getattr(whole, k)[:, :n] for k in ("predicted", "complete", "pending")}
    pending = np.full((53, n), 0.2)
    pending[:, -1] += 1.0
    pending[:, -3] += 0.25
    released = replace(
        whole, months=whole.months[:n], reported=whole.reported[:, :n] - rolling_sums(late),
        low=None, high=None, as_of=dt.date(2023, 12, 13), release=dt.date(2023, 12, 13),
        final_through=np.datetime64("2022-12"), **(short | {"pending": pending}),
    )  # fmt: skip
    panel = with_all_deaths(released, np.full(53, 50_000.0))
    found = learning.settle_release(panel, whole)
    assert isinstance(found, learning.SettledRelease)
    np.testing.assert_allclose(found.late, late[1:, -SPAN:][:, ::-1], atol=1e-8)
    assert (found.n_open, found.newest, found.closing) == (7, 4, 1.0)
    np.testing.assert_allclose(found.pending, np.tile([500.0, 0, 125.0, 0, 0, 0, 0], (52, 1)))
    np.testing.assert_allclose(found.missed, late[1:, -7:].sum(axis=1))
    np.testing.assert_array_equal(found.last, released.reported[1:, -1])
    np.testing.assert_array_equal(found.year, released.reported[1:, -8])
    at = int((last - whole.month_grid[0]).astype(int))
    np.testing.assert_allclose(found.months[:, 0], whole.monthly[1:, at])
    assert found.release == "2023-12-13"
    # A place less, or nothing open: nothing is learned.
    assert (
        learning.settle_release(only(panel, [s for s in panel.locations if s != "WY"]), whole)
        is None
    )
    assert learning.settle_release(replace(panel, final_through=last), whole) is None


def test_a_jurisdiction_without_counts_is_not_taken_for_complete():
    whole = bundled().as_of("2025-09-17").panel()
    blank = np.isin(whole.locations, "CA")[:, None]
    layers = {n: np.where(blank, np.nan, getattr(whole, n)) for n in ("reported", "predicted")}
    without = replace(whole, low=None, high=None, **layers)
    found = deficit(without, learning.delays_for(without))
    own, _ = gaps.arriving_late(without, 0, gaps.open_months(without), learning.delays_for(without))
    np.testing.assert_allclose(found.late[0, -own.size :], own[::-1])


def test_a_place_with_a_gap_in_its_last_counts_is_left_out_and_the_others_are_forecast() -> None:
    panel = bundled_panel()
    reported = panel.reported.copy()
    reported[panel.index("WY"), -6] = np.nan
    blank = {name: np.full(reported.shape, np.nan) for name in ("low", "high")}
    made = get_model("drift-sums+delay").fit(replace(panel, reported=reported, **blank))
    forecast = made.forecast(draws=20)
    assert set(panel.locations) - set(forecast.locations) == {"WY"}
    assert forecast.skipped["WY"] == f"no reported count in {panel.months[-6]}, so none to complete"


def test_only_months_below_zero_are_set_to_zero_and_counted():
    months = np.array([[-2.0, 0.0, 3.0], [0.0, -1.0, 4.0]])
    assert set_to_zero(months) == 2
    assert months.tolist() == [[0.0, 0.0, 3.0], [0.0, 0.0, 4.0]]


def test_late_arrivals_by_hand():
    # Four months, of which the last two are open. Nothing is uncertain but their own errors.
    none = np.zeros(4)
    late = np.array([0.0, 0.0, 1.5, 2.5])
    noise = np.array([9.0, 9.0, 2.0, 3.0])
    single = np.array([[0.5, -1.0]], dtype=np.float32)
    out = np.empty((1, 4))
    no, half = np.zeros(1), np.array([0.5])
    _late_arrivals(late, none, noise, none, none, none, no, no, no, single, no, no, half, out)
    # 1.5 + 2 * 0.5 = 2.5 and 2.5 - 3 * 1 = -0.5: with the half, sums of 3.0 and 2.5, rounded down.
    assert out.tolist() == [[0.0, 0.0, 3.0, -1.0]]
