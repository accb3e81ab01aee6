import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import counts_panel

import odforecast as od
from odforecast import scenario as sc
from odforecast.errors import ForecastError, ScenarioError, UnknownNameError
from odforecast.forecasts import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.names import ALL_DRUGS, DEFAULT_MODEL, SYNTHETIC_OPIOIDS, TARGETS
from odforecast.scenario.apply import stand_for_all
from odforecast.scenario.drawing import uniforms

LAST = np.datetime64("2025-04", "M")
MONTH = np.timedelta64(1, "M")
SIZES = st.floats(-0.8, 0.0).map(lambda x: round(x, 6))
HALF_LIVES = st.one_of(st.none(), st.floats(1, 40).map(sc.Fixed))
FENTANYL = {"exposure": "fentanyl-share"}
OHIO = {"exposures": {"fentanyl-share": {"Ohio": 0.5}}}


def forecast(states=("OH", "WV"), draws=60, horizon=24, joint=True, seed=3):
    paths = np.random.default_rng(seed).lognormal(4, 0.3, (draws, len(states), horizon))
    months, known = np.arange(1, horizon + 1) * MONTH + LAST, np.full((len(states), 11), 50.0)
    how = {"as_of": dt.date(2025, 9, 17), "last_month": LAST, "provenance": {"model": "test"}}
    how["joint"] = frozenset({"location", "month"} if joint else {"month"})
    return Forecast(draws=paths, locations=tuple(states), months=months, known=known, **how)


def scenario(name="s", size=-0.3, **changes):
    keys = {"size": sc.Normal(size, 0.05), "onset": "2025-06", "ramp": sc.Fixed(3)} | changes
    keys = {"p_null": 0} | keys
    return sc.Scenario(name, (sc.Intervention("cooperation", **keys),))


@pytest.fixture(scope="module")
def panels():
    archive = od.bundled()
    return [archive.as_of("2025-09-17").panel(i) for i in (ALL_DRUGS, SYNTHETIC_OPIOIDS)]


@pytest.mark.parametrize("model", ["naive", "drift", "seasonal-naive", "auto-ets", "drift-sums"])
def test_null_is_the_baseline_bit_for_bit(panels, model):
    fitted = od.get_model(model).fit(panels[0].select(["US", "WV"]))
    projection = sc.project(fitted, sc.NULL, 24, 100, 5)
    again = fitted.forecast(24, draws=100, seed=5)
    assert projection.names == ("null",)
    assert (projection.forecasts["null"].draws == again.draws).all()
    assert (projection.baseline.quantiles() == again.quantiles()).all()


def test_by_default_each_draw_stands_for_three(panels):
    fitted = od.get_model("drift").fit(panels[0].select(["US", "WV"]))
    kept = sc.project(fitted, scenario(onset="2025-10"), 12, seed=5).baseline
    paths = fitted.forecast(12, draws=6000, seed=5)
    ours, all_ = (np.sort(f.draws[:, 0].sum(axis=1)) for f in (kept, paths))
    np.testing.assert_array_equal(ours, all_[1::3])
    begun = sc.project(fitted, scenario(onset="2025-01"), 12, seed=5, begun=True).baseline
    np.testing.assert_array_equal(begun.draws, fitted.forecast(12, draws=2000, seed=5).draws)
    # A class stays in its draw.
    many = od.get_model("dlm").fit(panels[0]).forecast(3, draws=30, seed=5)
    few = stand_for_all(many, 10)
    rows = [np.flatnonzero((many.draws == draw).all(axis=(1, 2))).item() for draw in few.draws]
    np.testing.assert_array_equal(few.part("T40.4").draws, many.part("T40.4").draws[rows])
    np.testing.assert_array_equal(few.samples(), many.samples()[rows])


@given(SIZES, st.floats(0.0, 0.8), HALF_LIVES, st.floats(0, 1), st.integers(0, 9))
def test_a_stronger_effect_never_adds_deaths_and_exposure_0_none(size, more, half, p_null, seed):
    base, keys = forecast(), {"half_life": half, "p_null": p_null}
    weak = scenario("weak", size, **keys)
    strong = scenario("strong", round(size - more, 6), **keys)
    nothing = scenario("nothing", size, exposure=0.0, **keys)
    projection = sc.project(base, [weak, strong, nothing], seed=seed)
    a, b, none = (projection.forecasts[n].draws for n in ("weak", "strong", "nothing"))
    assert (b <= a * (1 + 1e-12)).all()
    assert (none == base.draws).all()


def test_nation_stays_the_sum_of_its_parts_and_has_its_own_exposure_if_separate():
    # Puerto Rico is no part of the US here: it must not change the order of the draws.
    parts = forecast((*JURISDICTIONS, "PR"), draws=20)
    x = scenario(exposure={"OH": 1.0, "default": 0.2})
    path = sc.project(parts.with_nation(), x).forecasts["s"]
    assert np.allclose(path.draws[:, 0], path.draws[:, 1:53].sum(axis=1))
    assert np.allclose(sc.project(parts, x).with_nation().forecasts["s"].draws, path.draws)
    base = forecast(("US", *JURISDICTIONS), draws=20, joint=False)
    projection = sc.project(base, scenario(spread=0.0, exposure={"US": 1.0, "default": 0.0}))
    assert (projection.averted_draws("s")[:, 0, -1] > 0).all()
    assert (projection.averted_draws("s")[:, 1:] == 0).all()
    with pytest.raises(ForecastError, match="not joint"):
        sc.project(forecast(JURISDICTIONS, draws=5, joint=False), scenario()).with_nation()


def test_what_has_begun_counts_only_by_what_changes_after():
    at_once = sc.project(forecast(), scenario(onset=str(LAST), ramp=sc.Fixed(0)), begun=True)
    assert (at_once.forecasts["s"].draws == at_once.baseline.draws).all()
    settled = scenario(onset="2020-01", ramp=sc.Fixed(6))  # full long ago, and it stays
    projection = sc.project(forecast(), settled, begun=True)
    assert (projection.forecasts["s"].draws == projection.baseline.draws).all()
    assert "before the last known month" in projection.warnings[0]
    fading = scenario("fading", onset="2024-01", half_life=sc.Fixed(12), size=-0.3)
    back = sc.project(forecast(), fading, begun=True).averted_draws("fading")
    assert (back[:, :, -1].mean(axis=0) < 0).all()  # what wears off adds deaths


@pytest.mark.parametrize("model", ["dlm", DEFAULT_MODEL])
@pytest.mark.parametrize("onset", ["2024-01", "2025-10"])
def test_joint_models_keep_what_is_known_and_add_up(panels, model, onset):
    shares = {"fentanyl-share": sc.fentanyl_share(*panels, fill="region")}
    fitted = od.get_model(model).fit(panels[0])
    shock = sc.Scenario("shock", (sc.named_intervention("supply-shock-2023-like", onset=onset),))
    # Of a forecast: a fitted model would be fitted again without what has begun.
    keys = {"exposures": shares, "begun": True}
    projection = sc.project(fitted.forecast(24, draws=60, seed=5), shock, seed=5, **keys)
    base, path = projection.baseline, projection.forecasts["shock"]
    assert (projection.forecasts["null"].draws == fitted.forecast(24, draws=60, seed=5).draws).all()
    known = base.horizons <= 0
    assert known.sum() == (12 if model == DEFAULT_MODEL else 0)
    assert (projection.ahead == ~known).all()
    assert (path.draws[:, :, known] == base.draws[:, :, known]).all()
    assert (path.draws[:, :, ~known] != base.draws[:, :, ~known]).any()
    us, parts = base.locations.index("US"), [base.locations.index(s) for s in JURISDICTIONS]
    for each in (base, path):
        for target in TARGETS:
            samples = each.samples(target)
            assert np.allclose(samples[:, parts].sum(axis=1), samples[:, us], rtol=1e-12)
    # T' = T exp(delta), all' = all - (1 - sigma) (T - T'), never below T', in each draw.
    before, after = (each.part("T40.4") for each in (base, path))
    rows = [base.locations.index(s) for s in before.locations if s != "US"]
    own = [before.locations.index(s) for s in before.locations if s != "US"]
    paths = [each.draws[:, own][:, :, ~known] for each in (before, after)]
    ratio = np.divide(paths[1], paths[0], out=np.ones_like(paths[0]), where=paths[0] > 0)
    x = shock.interventions[0]
    kept = 1.0 - x.replaced.ppf(uniforms(x, 5, projection.order)["replaced"])
    expected = base.draws[:, rows][:, :, ~known] + kept[:, None, None] * (paths[1] - paths[0])
    expected = np.maximum(expected, paths[1])
    assert np.allclose(path.draws[:, rows][:, :, ~known], expected, rtol=1e-9, atol=1e-9)
    if np.datetime64(onset) > base.last_month:
        # Else a region that is late still falls where others recover.
        log = np.log(ratio)
        assert ((log <= 1e-12).all(axis=1) | (log >= -1e-12).all(axis=1)).all()
    row = projection.averted().set_index(["location", "period"]).loc[("US", "all")]
    first = max(onset, "2025-05")  # what begins later is counted from its onset on
    assert (row["first_month"], row["last_month"]) == (first, "2027-04")
    since = base.months >= np.datetime64(first)
    assert row["baseline"] == pytest.approx(base.draws[:, us, since].sum(axis=1).mean())


@pytest.mark.parametrize(
    ("given", "keys", "options", "said"),
    [
        (2, {}, {}, "names repeat"),
        (1, {"onset": "2040-01"}, {}, "after the last month projected"),
        (1, {"onset": ("2025-10", "2035-12")}, {}, r"may begin 2035-12, after .* until='2035-12'"),
        (1, {"scope": "T40.4"}, {}, r"no deaths of T40\.4 for OH, WV"),
        (1, {}, {"horizon": 12}, "belong to a fitted model"),
        (1, FENTANYL, {}, "needs shares by location"),
        (1, FENTANYL, OHIO, "no exposure for WV"),
        (1, FENTANYL, {"exposures": {"fentanyl-share": {"Ohoi": 0.5}}}, "Ohoi"),
    ],
)  # fmt: skip
def test_mistakes(given, keys, options, said):
    with pytest.raises((ScenarioError, UnknownNameError), match=said):
        sc.project(forecast(), given * [scenario(**keys)], **options)


def test_what_there_is_not(panels):
    with pytest.raises(UnknownNameError, match="one of: null, s"):
        sc.project(forecast(), scenario()).forecast("t")
    for source in (panels[0], "dlm"):
        with pytest.raises(ScenarioError, match="neither a forecast nor a fitted model"):
            sc.project(source, sc.NULL)
    with pytest.raises(ScenarioError, match="scenarios has 3, which is no Scenario"):
        sc.project(forecast(), 3)
    two = [scenario(scope=s).interventions[0] for s in ("T40.4", "cocaine")]
    two[1] = replace(two[1], name="other")
    with pytest.raises(ScenarioError, match=r"are T40\.4, cocaine, allowed: all-drugs, and one cl"):
        sc.project(forecast(), sc.Scenario("both", tuple(two)))
    late = panels[0].select("US")
    late = replace(late, months=late.months[24:], reported=late.reported[:, 24:],
                   predicted=None, low=None, high=None, complete=None, pending=None,
                   triangle=None, beside={})  # fmt: skip
    with pytest.raises(ScenarioError, match=r"onset of cooperation is 2015-01, allowed: 2016-02"):
        sc.project(od.get_model("drift").fit(late), scenario(onset="2015-01"), 12, 20)


def test_fentanyl_share(panels):
    own = sc.fentanyl_share(*panels)
    assert own["US"] == pytest.approx(42233 / 73690)
    assert own["ND"] > 0  # the month before, where the last is suppressed
    assert not {"LA", "PA"} & set(own)
    filled = sc.fentanyl_share(*panels, fill="region")
    assert {"LA", "PA"} <= set(filled)
    assert all(0 < v <= 1 for v in filled.values())
    # Weights of a region are of the month asked for: what came later may not be seen.
    all_drugs, part = panels
    month, later = all_drugs.months[-14], all_drugs.reported.copy()
    later[:, -13:] *= np.linspace(1.0, 3.0, len(later))[:, None]
    bent = replace(all_drugs, reported=later)
    early = sc.fentanyl_share(all_drugs, part, fill="region", month=month)
    assert early == sc.fentanyl_share(bent, part, fill="region", month=month)
    assert early["PA"] != filled["PA"]
    with pytest.raises(ScenarioError, match="allowed: none, region"):
        sc.fentanyl_share(*panels, fill="zero")


def test_a_region_without_a_share_has_that_of_its_deaths_by_hand():
    months = np.arange("2023-07", "2025-09", dtype="datetime64[M]")
    # Deaths of the month asked for: MA 300, RI 100; a month earlier the other way round.
    deaths = np.full((3, months.size), [[100.0], [300.0], [50.0]])
    deaths[:, -1] = [300.0, 100.0, 50.0]
    fentanyl = np.full((3, months.size), np.nan)
    fentanyl[:2, -1] = [150.0, 90.0]  # half, and nine tenths
    day = dt.date(2026, 1, 14)
    whole, part = (counts_panel(x, ["MA", "RI", "CT"], months, day) for x in (deaths, fentanyl))
    shares = sc.fentanyl_share(whole, part, fill="region")
    # (300 x .5 + 100 x .9) / 400
    assert shares == pytest.approx({"MA": 0.5, "RI": 0.9, "CT": 0.6})


def test_exposure_tables_of_users(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("location,exposure\nWest Virginia,0.7\n39,0.6\n")
    assert sc.read_exposure(path) == {"WV": 0.7, "OH": 0.6}
    odd = "is not a number from 0 to 5"
    for text, words in (
        ("location,x\nWV,1\n", "no column exposure"),
        ("location,exposure\nWV,1\n54,1\n", "row 3: location '54' is given twice"),
        ("location,exposure\nWV,1_0\n", "row 2: exposure '1_0' is not a number from 0 to 5"),
        ("location,exposure\nWV,\n", "row 2"),
        *((f"location,exposure\nWV,{x}\n", odd) for x in ("１", "nan", "5.1", "9" * 5000)),
        ("location,exposure\nNarnia,1\n", "row 2: location 'Narnia' is not a place"),
    ):
        path.write_text(text)
        with pytest.raises(ScenarioError, match=words) as refused:
            sc.read_exposure(path)
        assert len(str(refused.value)) < 400


def test_tables_and_a_file_that_is_paired_and_complete(tmp_path):
    projection = sc.project(forecast(), [scenario(), scenario("up", 0.2)])
    assert projection.names == ("null", "s", "up")
    table = projection.averted()
    assert set(table["period"]) == {
        "2025 (May–Dec)", "2026", "2027 (Jan–Apr)", "months 1-12", "months 13-23", "all",
    }  # fmt: skip
    draws = projection.averted_draws("s")[:, 0].sum(axis=1)
    row = table[(table["scenario_id"] == "s") & (table["location"] == "OH")].set_index("period")
    assert row.at["all", "averted_mean"] == pytest.approx(draws.mean())
    assert row.at["all", "averted_q05"] == pytest.approx(np.quantile(draws, 0.05))
    assert row.at["all", "fewer"] == (draws > 0).mean()
    assert (row[["fewer", "same", "more"]].sum(axis=1) == 1.0).all()
    for kind in ("year", "since-onset"):
        # Before the onset nothing is averted, so both ways to cut the months add up to all.
        assert row.loc[row["kind"] == kind, "averted_mean"].sum() == pytest.approx(draws.mean())
    chance = projection.probability_fewer_than(700, "OH")
    last = chance[chance["month"] == "2027-04"].set_index("scenario_id")["probability"]
    assert last["s"] >= last["null"] >= last["up"]
    with pytest.raises(ScenarioError, match=r"a quantile level is .*above 0 and below 1"):
        projection.averted([0.0])
    projection = sc.project(forecast(draws=7), scenario())
    table = pd.read_parquet(projection.to_parquet(tmp_path / "draws.parquet"))
    assert list(table.columns) == ["scenario_id", "draw", "location", "month", "deaths_month"]
    assert len(table) == 2 * 7 * 2 * 24
    one = table[(table["scenario_id"] == "s") & (table["location"] == "WV") & (table["draw"] == 4)]
    assert np.array_equal(one["deaths_month"], projection.forecasts["s"].draws[4, 1])


def test_same_seed_same_draws_and_another_seed_others():
    one, two, other = (sc.project(forecast(), scenario(), seed=s) for s in (4, 4, 5))
    assert (one.forecasts["s"].draws == two.forecasts["s"].draws).all()
    assert (one.forecasts["s"].draws != other.forecasts["s"].draws).any()
    assert "cannot show what caused a change" in " ".join(repr(one).split())


@pytest.mark.parametrize("model", ["drift", "dlm"])
def test_a_table_without_the_nation_gives_it_what_its_parts_feel(panels, model):
    felt = {"WV": 1, "OH": 1, "default": 0}
    cut = sc.Intervention("x", sc.Fixed(-0.01), onset="2025-10", exposure=felt)
    projection = sc.project(od.get_model(model).fit(panels[0]), sc.Scenario("a", (cut,)), 12, 100)
    deaths = projection.baseline.draws[..., projection.ahead].mean(axis=(0, 2))
    parts = [i for i, s in enumerate(projection.baseline.locations) if s in JURISDICTIONS]
    share = deaths[[projection.baseline.index(s) for s in ("WV", "OH")]].sum() / deaths[parts].sum()
    felt = projection.exposure_table().set_index("location")["exposure"]
    assert felt["US"] == pytest.approx(share)
    averted = projection.averted().query("period == 'all'").set_index("location")["percent_mean"]
    assert averted["US"] == pytest.approx(share * averted["OH"], rel=0.1)
