"""Effects that have begun: the baseline fitted without them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panel_factory import made_panel

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import deficit
from odforecast.monthly.sums import rolling_sums
from odforecast.names import TARGETS
from odforecast.panel import Triangle
from odforecast.scenario import Beta, Fixed, Intervention, Normal, Scenario, project
from odforecast.scenario.apply import Begun, _groups, panel_without

MONTH = np.timedelta64(1, "M")
LAST = np.datetime64("2025-04", "M")
FELT = {"WV": 1, "US": 0.5, "default": 0.5}


def one(size=-0.3, before=6, name="x", **changes):
    size = Fixed(size) if isinstance(size, float) else size
    keys = {"onset": str(LAST - before * MONTH), "ramp": Fixed(12)} | changes
    return Scenario(name, (Intervention("x", size, **keys),))


def both(fitted, scenario, draws=60, horizon=24):
    again = project(fitted, scenario, horizon, draws, 3, begun=True)
    return again, project(again.baseline, scenario, seed=3, begun=True)


def made_up(months, states=("OH", "WV")):
    return made_panel(dict(zip(states, np.asarray(months, dtype=float))))


def past(panel, log, scope="all-drugs", kept=1.0):
    x = Intervention("x", Fixed(-0.1), onset="2020-01", scope=scope)
    return Begun(x, np.broadcast_to(log, panel.monthly.shape).copy(), kept)


@pytest.mark.parametrize("scope", ["all-drugs", "T40.4"])
@pytest.mark.parametrize("changes", [{"lag": Fixed(20)}, {"size": 0.0}, {"before": 0}])
def test_what_has_no_effect_yet_changes_nothing_bit_for_bit(fitted, changes, scope):
    again, relative = both(fitted, one(scope=scope, **changes), draws=20)
    for one_, other in ((again, relative), (again.part("T40.4"), relative.part("T40.4"))):
        assert (one_.forecast("x").draws == other.forecast("x").draws).all()


@pytest.mark.slow
def test_draws_without_an_effect_keep_the_baseline_bit_for_bit(fitted):
    again, relative = both(fitted, one(Normal(-0.3, 0.1), p_null=0.5))
    draws, base = again.forecast("x").draws, again.baseline.draws
    null = (relative.forecast("x").draws == base).all(axis=(1, 2))
    assert 10 < null.sum() < 50
    assert (draws[null] == base[null]).all()
    assert (draws[~null] != relative.forecast("x").draws[~null]).any(axis=(1, 2)).all()
    assert (again.baseline.draws == fitted.forecast(24, draws=60, seed=3).draws).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"scope": "T40.4", "replaced": Beta(2, 8)}, {"exposure": FELT}]
)
def test_sums_parts_and_what_is_known(fitted, changes):
    again = project(
        fitted, one(Normal(-0.4, 0.1), direction="fall", **changes), 24, 40, 3, begun=True
    )
    base, path = again.baseline, again.forecast("x")
    us, parts = base.index("US"), [base.index(s) for s in JURISDICTIONS]
    for target in TARGETS:
        samples = path.samples(target)
        assert np.allclose(samples[:, parts].sum(axis=1), samples[:, us], rtol=1e-10)
    known = base.horizons <= 0
    assert known.sum() == 12
    assert (path.draws[:, :, known] == base.draws[:, :, known]).all()
    assert (path.draws[:, :, ~known] != base.draws[:, :, ~known]).any(axis=(0, 2)).all()
    part = path.part("T40.4")
    assert (part.draws[:, :, known] == base.part("T40.4").draws[:, :, known]).all()
    assert (part.draws <= path.select(part.locations).draws + 1e-6).all()
    assert (path.draws >= 0).all()
    # Pinned to the counts: the first month goes on where the baseline does.
    assert 0.9 < path.draws[:, us, 12].mean() / base.draws[:, us, 12].mean() < 1.0


def test_the_ratio_by_hand():
    panel, log = made_up(np.full((2, 36), 10.0)), np.zeros((2, 36))
    log[0, -3:] = np.log(0.5)
    twice = replace(panel, predicted=panel.reported * 1.1)
    made, _ = panel_without(twice, [past(panel, log)], {}, False)
    assert made.reported[0, -4:] == pytest.approx([120, 130, 140, 150])
    assert (made.reported[1] == panel.reported[1]).all()
    assert (made.reported[0, :-3] == panel.reported[0, :-3]).all()
    assert made.predicted == pytest.approx(made.reported * 1.1)


def test_a_class_by_hand():
    panel = made_up(np.full((2, 36), 10.0))
    whole = replace(panel, beside={"T40.4": made_up(np.full((1, 36), 4.0), ("OH",))})
    log = np.zeros((2, 36))
    log[:, -1] = np.log(0.5)
    # One of four averted deaths came from another drug; WV has no counts of the class.
    step = past(panel, log, "T40.4", kept=0.75)
    tables = {"fentanyl-share": {"OH": 0.4, "WV": 0.2}}
    made, shares = panel_without(whole, [step], tables, False)
    assert made.beside["T40.4"].reported[0, -1] == pytest.approx(48 + 4)
    assert made.reported[:, -1] == pytest.approx([120 + 0.75 * 4, 120 + 0.75 * 2])
    assert shares["fentanyl-share"] == pytest.approx({"OH": 8 / 13, "WV": 4 / 11.5})
    assert tables["fentanyl-share"] == {"OH": 0.4, "WV": 0.2}
    panel = made_up(np.full((1, 36), 10.0), ("OH",))
    whole = replace(panel, beside={"T40.4": made_up(np.full((1, 36), 8.0), ("OH",))})
    log = np.zeros((1, 36))
    log[:, -1] = np.log(0.5)
    made, _ = panel_without(whole, [past(panel, log, "T40.4", kept=0.5)], {}, False)
    # 16 deaths of the class in the last month, and not 14 of all drugs.
    assert made.reported[0, -1] == pytest.approx(11 * 10 + 16)


@pytest.mark.parametrize(("touched", "sizes"), [(3, [1, 1, 1]), (17, [3, 2, 2, 2, 2, 2, 2, 2])])
def test_draws_are_sorted_by_the_change_of_the_last_year_into_eight_worlds(touched, sizes):
    log = np.zeros((20, 1, 15))
    log[:touched, 0, -1] = -0.01 * np.arange(1, touched + 1)
    log[:touched, 0, :3] = -0.5  # long ago, in every draw: no change of the last year
    groups = _groups([np.ones(1)], [log], [np.zeros(20)])
    assert [len(g) for g in groups] == sizes
    # The largest falls come first.
    assert np.concatenate(groups).tolist() == [
        *(i for g in np.split(np.arange(touched)[::-1], np.cumsum(sizes)[:-1]) for i in sorted(g))
    ]


def test_what_may_have_begun_by_the_last_count_has_begun(fitted):
    x = Intervention("x", Fixed(-0.3), onset=(str(LAST - 6 * MONTH), str(LAST + 6 * MONTH)))
    again, relative = both(fitted, Scenario("x", (x,)), draws=20, horizon=13)
    begins = again.counted_against("x").draws != again.baseline.draws
    assert begins.any(axis=(1, 2)).sum() not in (0, 20)
    assert (relative.counted_against("x").draws == relative.baseline.draws).all()


def test_several_effects_come_out_in_the_opposite_order(panel):
    part = replace(panel, beside={"T40.4": panel.beside["T40.4"]})
    steps = [past(panel, np.log(0.8), "T40.4", kept=0.5), past(panel, np.log(0.9)),
             past(panel, np.log(0.7), "T40.4", kept=1.0)]  # fmt: skip
    shares = {"fentanyl-share": dict.fromkeys(panel.locations, 0.5)}
    made, _ = panel_without(part, steps, shares, True)
    ohio = panel.index("OH"), panel.beside["T40.4"].index("OH")
    whole, class_ = made.monthly[ohio[0]], made.beside["T40.4"].monthly[ohio[1]]
    for step in steps:  # as a scenario puts them in
        scale = np.expm1(step.log[0, 0])
        by = class_ * scale
        whole = whole + (whole * scale if step.x.scope == "all-drugs" else step.unreplaced * by)
        class_ = class_ + by
    n = 60
    assert rolling_sums(whole)[-n:] == pytest.approx(panel.reported[ohio[0], -n:], rel=2e-3)
    of_class = panel.beside["T40.4"].reported[ohio[1], -n:]
    assert rolling_sums(class_)[-n:] == pytest.approx(of_class, rel=2e-3)


@pytest.mark.parametrize("course", ["flat", "ramp"])
def test_taken_out_and_put_in_again_it_is_the_same_panel(panel, course):
    triangle = Triangle((pd.Timestamp("2025-08-13").date(),), panel.reported[None] - 3.0)
    panel = replace(panel, triangle=triangle)
    log = np.full(panel.month_grid.size, -0.3)
    if course == "ramp":
        log = -0.3 * np.clip((panel.month_grid - LAST + 12 * MONTH).astype(float) / 12, 0, 1)
    out, _ = panel_without(panel, [past(panel, log)], {}, True)
    back, _ = panel_without(out, [past(panel, -log)], {}, True)
    close = {"rtol": 1e-8 if course == "flat" else 2e-3, "atol": 1e-6, "equal_nan": True}
    assert not np.allclose(out.reported, panel.reported, **close)
    for name in ("reported", "predicted", "low", "high"):
        assert np.allclose(getattr(back, name), getattr(panel, name), **close), name
    assert np.allclose(back.triangle.reported, triangle.reported, **close)
    assert (np.isnan(out.triangle.reported) == np.isnan(triangle.reported)).all()
    # Months of small counts are known only up to a constant per calendar month.
    close["atol"] = 1e-6 if course == "flat" else 1.0
    for name in panel.beside:
        assert np.allclose(back.beside[name].reported, panel.beside[name].reported, **close)
    for name in ("complete", "pending"):
        assert np.array_equal(getattr(out, name), getattr(panel, name), equal_nan=True)
    for name in ("as_of", "release", "final_through"):
        assert getattr(out, name) == getattr(panel, name), name
    parts = [panel.index(s) for s in JURISDICTIONS]
    assert np.allclose(out.reported[parts].sum(axis=0), out.reported[panel.index("US")], rtol=1e-12)
    assert out.vintage == "synthetic"
    assert "assumed effect" in out.notes[-1]
    with pytest.raises(OdforecastError):
        od.Truth(out)


def test_what_arrives_late_stays_in_proportion(panel):
    constants = delays_for(panel)
    before = deficit(panel, constants)
    # As if deaths from all causes stood beside it, as in a file with all indicators.
    whole = replace(panel, indicator="Number of Deaths", beside={}, reported=30 * panel.reported,
                    low=None, high=None)  # fmt: skip
    told = replace(panel, beside={**panel.beside, "all-deaths": whole},
                   pending=np.broadcast_to(np.linspace(0, 1.5, panel.months.size),
                                           panel.reported.shape))  # fmt: skip
    for each in (panel, told):
        before = deficit(each, constants)
        out, _ = panel_without(each, [past(panel, np.log(0.8))], {}, True)
        after = deficit(out, constants)
        assert after.how == before.how
        assert set(before.how.values()) != {"final"}
        assert np.allclose(after.late, before.late / 0.8, rtol=1e-6, atol=1e-6)
        assert np.allclose(after.cut, before.cut / 0.8, rtol=1e-6, atol=1e-6)
    # A percentage pending of the last months is of deaths that have all changed by then.
    step = np.where(panel.month_grid > LAST - 6 * MONTH, np.log(0.8), 0.0)
    after = deficit(panel_without(told, [past(panel, step)], {}, True)[0], constants)
    assert set(after.how.values()) == {"pending"}
    assert np.allclose(after.late, before.late / 0.8, rtol=1e-3, atol=1e-6)


def test_counts_without_months():
    panel = made_up(np.full((2, 36), 10.0))
    sums = panel.reported.copy()
    sums[0, 5] = np.nan
    sums[1] = np.nan
    low, high = (np.where(np.isnan(sums), x, sums) for x in (1.0, 9.0))
    hidden = replace(panel, reported=sums, low=low, high=high)
    made, _ = panel_without(hidden, [past(panel, np.log(0.5))], {}, False)
    assert (np.isnan(made.reported) == np.isnan(sums)).all()
    assert made.reported[0, -1] == pytest.approx(240)
    assert made.high[1] == pytest.approx(np.full(25, 18.0))  # of a flat year
    none = made_up(np.zeros((1, 36)), ("OH",))
    made, _ = panel_without(none, [past(none, np.log(0.5))], {}, False)
    assert (made.reported == 0).all()


def test_an_effect_put_into_the_counts_is_not_counted_twice(panel):
    last, size = np.datetime64("2020-12", "M"), float(np.log(0.7))

    def course(months):
        return np.exp(size * np.clip((months - last + 12 * MONTH).astype(float) / 6, 0, 1))

    counts = np.round(rolling_sums(panel.monthly * course(panel.month_grid)))
    parts = [panel.index(s) for s in JURISDICTIONS]
    counts[panel.index("US")] = counts[parts].sum(axis=0)
    whole = replace(panel, reported=counts, low=None, high=None, beside={}, triangle=None)
    model = od.get_model()
    fitted = model.fit(whole.cut(last))
    plain = model.fit(replace(panel, beside={}).cut(last)).forecast(24, draws=100, seed=3)
    x = Intervention("x", Fixed(size), str(last - 12 * MONTH), ramp=Fixed(6))
    again, relative = both(fitted, Scenario("x", (x,)), draws=100)

    def bias(forecast):
        year = slice(12, 24)
        goal = (plain.draws * course(plain.months))[:, plain.index("US"), year].sum(axis=1).mean()
        found = forecast.draws[:, forecast.index("US"), year].sum(axis=1).mean()
        return float(np.log(found / goal))

    assert bias(relative.forecast("x")) < -0.06
    assert abs(bias(again.forecast("x"))) < 0.02


@pytest.mark.parametrize("name", ["drift", "auto-ets+delay"])
def test_other_models(panel, name):
    small = panel.select(["US", "OH"])
    if name.endswith("delay"):
        small = replace(small, selected=False)
    fitted = od.get_model(name).fit(small)
    for scope in ("all-drugs", "T40.4"):
        again, relative = both(fitted, one(Normal(-0.3, 0.1), scope=scope), draws=30)
        draws = again.forecast("x").draws
        assert draws.shape == relative.forecast("x").draws.shape
        assert not np.allclose(draws, relative.forecast("x").draws)
        known = again.baseline.horizons <= 0
        assert (draws[:, :, known] == again.baseline.draws[:, :, known]).all()


def test_a_forecast_of_a_class():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4")
    again, relative = both(od.get_model().fit(panel), one(scope="T40.4"), draws=30)
    us = again.baseline.index("US")
    last = [p.forecast("x").draws[:, us, -12:].mean() for p in (again, relative)]
    assert last[0] > 1.02 * last[1]  # the trend's part counts once


def test_warnings_say_which(fitted):
    made = both(fitted, one(), draws=20, horizon=3)
    told = [next(w for w in p.warnings if "before the last known" in w) for p in made]
    assert "fitted again without it" in told[0]
    assert "goes on with a part of it" in told[1]
    assert "10% in months 13-24" in told[1]


def test_what_is_still_to_come_is_counted_against_the_course_without_it(fitted):
    """A ramp that has begun averts what its rest averts, not the difference of two trends."""
    again, plain = both(fitted, one(-0.3, before=3, p_null=0))
    assert (again.answer()["fewer"] == 1.0).all()
    us, rest = again.answer().set_index("location").loc["US"], np.expm1(-0.3 * (1 - 3 / 12))
    ahead, base = again.ahead, again.counted_against("x")
    assert base is again.bases["x"]
    share = us["averted_mean"] / base.draws[:, 0, ahead].sum(axis=1).mean()
    assert 0.5 * -rest < share < -rest
    saved = again.averted_draws("x")[:, :, ahead].sum(axis=2).mean(axis=0)
    assert np.allclose(again.answer()["averted_mean"], saved)
    assert "Its effect until April 2025 is already in the counts" in again.text("US")
    chosen = again.select(["OH"])
    assert np.allclose(chosen.answer()["averted_mean"], saved[again.baseline.index("OH")])
    assert not plain.bases  # of a forecast: on the forecast as it is
