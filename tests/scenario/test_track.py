"""The clock of a scenario: what it reads, what it expects, and series of one's own."""

import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import ok
from scipy.stats import multivariate_normal
from test_effects import EVENT, MONTHS

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.geography import JURISDICTIONS
from odforecast.months import ONE_MONTH
from odforecast.report.brief import write_brief
from odforecast.scenario import Intervention, LogNormal, Normal, Series, Uniform, read_series
from odforecast.scenario.clock import YOUNGEST, Clock, chances_of, completed, even_odds, with_series
from odforecast.scenario.detection import detection, first_above
from odforecast.scenario.effects import Estimator, Grid
from odforecast.scenario.track import Ahead

pytestmark = pytest.mark.slow

OPEN = Intervention(
    "open", Normal(0.0, 0.4), onset="2025-02", p_null=0.5, lag=LogNormal(1, 0.5),
    ramp=Uniform(2, 6), half_life=LogNormal(24, 0.5),
)  # fmt: skip
SHORT = Series("price", MONTHS[-5:], np.ones(5), 1.0)


@pytest.fixture(scope="module")
def found():
    again = od.scenario.named("cooperation-resumed", onset="2025-03")
    return od.scenario.track(again, od.bundled(), draws=8)


def a_series(fall=0.0, elasticity=1.0, n=60, seed=1, noise=0.02):
    rng = np.random.default_rng(seed)
    logs = 3.0 + np.cumsum(rng.normal(0, noise, n)) + rng.normal(0, noise, n)
    logs += elasticity * fall * EVENT.curve(MONTHS[:n])
    return Series("purity", MONTHS[:n], np.exp(logs), elasticity)


def bare(basis, walk, error, since):
    cov = walk * np.minimum.outer(since, since) + error * np.eye(since.size)
    return basis @ cov @ basis.T


def test_a_series_beside_the_counts_is_the_joint_normal():
    """One node, one timing: density of deaths and series at once, by scipy."""
    est = Estimator(MONTHS, EVENT, draws=1, grid=Grid((0.02,), (0.03,), (0.0,)))
    deaths = np.random.default_rng(2).poisson(500 * np.exp(-0.1 * EVENT.curve(MONTHS)))[None]
    seen = a_series(-0.1, elasticity=1.3)
    seen = replace(seen, months=seen.months[::2], values=seen.values[::2], noise=(3e-4, 5e-4))
    got = with_series(est.posterior(deaths.astype(float)), [seen])
    basis = est._machine.basis
    cov = bare(basis, 0.02**2, 0.03**2, np.arange(1.0, MONTHS.size + 1))
    since = (seen.months - seen.months[0]).astype(float)
    trend = np.stack([np.ones(since.size), since], axis=1)
    own = np.linalg.qr(trend, mode="complete")[0][:, 2:].T
    own_cov, n = bare(own, *seen.noise, since), len(basis)
    z = np.concatenate([basis @ np.log(deaths[0] + 0.5), own @ np.log(seen.values)])
    x = np.concatenate([basis @ EVENT.curve(MONTHS), own @ (1.3 * EVENT.curve(seen.months))])
    whole = np.zeros((z.size, z.size))
    whole[:n, :n], whole[n:, n:] = cov, own_cov
    none = multivariate_normal(np.zeros(z.size), whole).logpdf(z)
    some = multivariate_normal(-0.1 * x, whole + 0.04 * np.outer(x, x)).logpdf(z)
    assert got.bayes_factor() == pytest.approx(np.exp(none - some), rel=1e-5)
    solved = np.linalg.solve(whole, x)
    precision = 1 / 0.04 + x @ solved
    assert got.mean() == pytest.approx((-0.1 / 0.04 + z @ solved) / precision, rel=1e-6)
    assert got.sd() == pytest.approx(precision**-0.5, rel=1e-6)


def test_a_series_that_falls_moves_the_chances():
    est = Estimator(MONTHS, replace(OPEN, onset="2019-01"), locations=3, draws=64)
    plain = est.posterior(np.random.default_rng(3).poisson(300.0, (3, 60)).astype(float))
    for says_nothing in (a_series(elasticity=0.0), a_series(-0.3).until("2018-12")):
        assert chances_of(with_series(plain, [says_nothing])) == pytest.approx(chances_of(plain))
    less, more = (with_series(plain, [a_series(fall)]) for fall in (-0.6, 0.6))
    assert less.p_null() < 0.2
    assert chances_of(less)[0] > 0.8 > 0.2 > chances_of(more)[0]


def test_a_file_of_a_series_is_read_and_its_noise_is_that_from_before_the_onset(tmp_path):
    path = tmp_path / "purity.csv"
    path.write_text("Month,Value,Elasticity\n2024-02,9.5,1.2\n2024-01,10,1.2\n")
    one = read_series(path)
    assert (one.name, one.months.astype(str).tolist()) == ("purity", ["2024-01", "2024-02"])
    assert (one.values.tolist(), one.elasticity) == ([10.0, 9.5], 1.2)
    walk, error = a_series(-0.5, seed=4, noise=0.05).measured(np.datetime64("2019-01")).noise
    assert 0.02**2 < walk + error < 0.15**2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("month,value\n2024-01,3\n", "no column elasticity"),
        ("month,value,elasticity\n2024-01,0,1\n", "above 0"),
        ("month,value,elasticity\n2024-01,,1\n", "above 0"),
        ("month,value,elasticity\n2024-13,3,1\n", "is not a month"),
        ("month,value,elasticity\n2024-01,3,1\n2024-02,3,2\n", "elasticity is 1, 2"),
        ("month,value,elasticity\n2024-01,3,1\n2024-01,4,1\n", "a month is given twice"),
    ],
)
def test_a_file_of_a_series_is_refused_with_its_row(tmp_path, text, said):
    path = tmp_path / "purity.csv"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=said):
        read_series(path)


def test_what_is_late_does_not_pass_for_a_fall():
    archive = od.bundled()
    panel = archive.as_of().panel()
    clock = Clock(replace(OPEN, onset="2024-12"), "US", archive, (), 1)

    def works(p):
        each = clock.posteriors(clock.reading(p, clock.felt(archive.as_of())), panel.last_month)
        return float(np.mean([chances_of(q)[0] for q in each]))

    assert works(replace(panel, final_through=panel.last_month)) > 1.1 * works(panel)


def test_final_counts_are_not_completed_others_grow_and_none_falls_below_0():
    panel = od.bundled().as_of().panel()
    final = replace(panel, final_through=panel.last_month)
    np.testing.assert_array_equal(completed(final, 2, 1)[1], panel.monthly)
    late = completed(panel, 8, 1) - panel.monthly
    us, states = panel.index("US"), [panel.index(s) for s in JURISDICTIONS]
    assert (late[:, us, -6:].mean(axis=0) > 0).all()
    np.testing.assert_allclose(late[:, us, -6:], late[:, states, -6:].sum(axis=1), atol=1e-6)
    vintage = od.bundled().as_of("2025-09-17")
    clock = Clock(replace(OPEN, onset="2025-01"), "OK", od.bundled(), (), 1)
    reading = clock.reading(vintage.panel(), clock.felt(vintage))
    raw = completed(vintage.panel(), 12, 1)[:, vintage.panel().index("OK")]
    assert raw[:, -2].min() < 0.0 == reading.deaths[:, 0, -1].min()
    clock.so_far()
    (note,) = [note for note in clock.notes if "below 0" in note]
    assert note.startswith("In some draws 1 completed count of a place and month fell below 0")


def test_chances_begin_at_the_prior_leave_out_the_last_month_and_add_up_to_one(found):
    archive = od.bundled()
    last = [archive.as_of(day).panel(found.indicator).last_month for day in archive.releases()]
    read = found.chances["month"].tolist()[1:]
    assert read == [str(m - YOUNGEST * ONE_MONTH) for m in last[-len(read) :]]
    first, sorts = found.chances.iloc[0], ["works", "nothing", "backfires"]
    np.testing.assert_allclose(first[sorts].astype(float), found.intervention.chances(), atol=0.01)
    assert pd.isna(first["release"])
    for table in (found.chances, found.expected):
        np.testing.assert_allclose(table[sorts].sum(axis=1), 1.0)
    assert set(found.expected["world"]) == {"works", "does not work"}
    assert (found.expected["month"] > found.chances["month"].iloc[-1]).all()


def test_tables_and_texts(found):
    plain = json.loads(found.to_json())
    assert plain["chances"][-1]["works"] == pytest.approx(found.now["works"], abs=1e-5)
    kinds = {"so far", "if it works", "if it does not", "another date"}
    assert set(found.to_frame()["kind"]) == kinds
    for text in (found.text(), found.brief_line(), repr(found)):
        assert "whatever its cause: not the effect of a policy" in text
    assert "not been tested" in found.text()
    value = found.value_of_information
    assert value["read"].tolist() == [False, True]
    assert value["series"].tolist() == ["all drugs, nation and states", "T40.4, nation and states"]


def test_a_class_is_read_apart_and_a_series_beside(tmp_path):
    months = np.arange("2022-01", "2025-09", dtype="datetime64[M]")
    values = np.exp(np.random.default_rng(1).normal(2.0, 0.05, months.size))
    shock = replace(od.scenario.named("supply-shock-2023-like", onset="2025-06").interventions[0])
    purity = Series("purity", months, values, 1.2)
    found = od.scenario.track(shock, od.bundled(), draws=2, series=purity, placebo=False)
    names = found.value_of_information["series"].tolist()
    assert names == ["all drugs, nation and states", "T40.4, nation and states",
                     "T40.4, nation and states, with purity"]  # fmt: skip
    assert found.value_of_information.set_index("series").loc[names[-1], "read"]


def test_a_state_is_read_by_itself_and_shows_best_in_the_nations_counts():
    found = od.scenario.track(OPEN, od.bundled(), location="Ohio", draws=2, placebo=False)
    assert found.location == "OH"
    names = ["all drugs, nation and states", "all drugs, Ohio"]
    assert found.value_of_information["series"].tolist() == names
    assert found.detection.series == names[0]


@pytest.mark.parametrize("onset", ["2026-03", "2030-03"])  # the second four years after all counts
def test_an_onset_to_come_has_the_prior_only(onset):
    later = replace(OPEN, onset=onset)
    found = od.scenario.track(later, od.bundled(), draws=2)
    assert len(found.chances) == 1
    assert found.placebo.empty
    assert "No counts since the onset" in found.text()


def test_when_we_are_sure_lies_on_the_line():
    assert first_above((6, 12, 18), (0.6, 0.7, 0.9), 0.8) == 15
    assert first_above((6, 12), (0.85, 0.9), 0.8) == 6
    assert first_above((6, 12), (0.5, 0.6), 0.8) is None


@pytest.mark.parametrize("onset", ["2023-12", "2025-02", "2026-02"])
def test_next_months_mean_chance_is_todays(onset):
    """The law of total probability, over worlds of the clock's own; also three years on."""
    archive = od.bundled()
    event = od.scenario.named("cooperation-resumed", onset=onset).interventions[0]
    clock = Clock(event, "US", archive, (), 1)
    ahead = Ahead(clock, archive.as_of(), draws=150)
    table = ahead.expected().set_index(["world", "months_since"])["works"]
    works = ahead.now[0]
    rows, _ = clock.so_far()
    assert rows[-1]["works"] == pytest.approx(works, abs=1e-9)
    months = table["works"].index
    for k in (months[0], months[-1]):
        mean = works * table["works", k] + (1.0 - works) * table["does not work", k]
        assert mean == pytest.approx(works, abs=0.02)
    assert table["works"].iloc[-1] > table["does not work"].iloc[-1]


def test_worlds_are_read_as_the_whole_estimator_reads_them():
    """Particles stand for its grid and timings: the same counts to come, given to it whole."""
    archive = od.bundled()
    event = od.scenario.named("cooperation-resumed", onset="2025-02").interventions[0]
    clock = Clock(event, "US", archive, (), 1)
    worlds = Ahead(clock, archive.as_of(), draws=2).worlds
    n = worlds.n_known + 18
    drawn = [*worlds.draw(-1, 3), *worlds.draw(0, 3)]
    known = worlds.estimator
    whole = Estimator(worlds.months[:n], event, known.felt, known.weights, nation=known.nation)
    for world, posterior in zip(drawn, worlds.read(drawn, n)):
        nation = world.rows[0, :n]
        states = nation + known.states(world.rows[1:, :n])
        read = whole.posterior(np.maximum(np.exp(states) - 0.5, 0.0), np.exp(nation) - 0.5)
        assert clock.chances(posterior)[0] == pytest.approx(clock.chances(read)[0], abs=0.05)


def test_a_what_if_has_no_chance_and_is_asked_from_even_odds(found):
    shock = od.scenario.named("supply-shock-2023-like", onset="2025-03")
    assert shock.interventions[0].is_what_if
    clock = od.scenario.track(shock, od.bundled(), draws=8, placebo=False)
    assert clock.chances["works"].iloc[0] == 0.5
    for text in (clock.text(), clock.brief_line(), repr(clock)):
        assert "No probability is attached to this what-if" in text
        assert "Before any counts" not in text
    assert "from even odds" in clock.text()
    assert "No probability" not in found.text()


def test_even_odds_keep_how_the_other_half_is_divided():
    rises = replace(OPEN, size=Normal(0.2, 0.1), direction="rise", p_null=0.3)
    assert even_odds(rises) == pytest.approx((0.0, 0.5, 0.5))
    # Half of it does nothing, and a quarter is on either side.
    assert even_odds(OPEN) == pytest.approx((0.5, 1 / 3, 1 / 6), abs=1e-3)
    surely = replace(OPEN, size=Normal(-0.4, 0.01), p_null=0.0)
    assert even_odds(surely) == pytest.approx((0.5, 0.5, 0.0))


def test_other_dates_stand_beside_the_event(found):
    table = found.dates
    assert table["onset"].tolist()[0] == "2024-03"
    # No counts since a later onset.
    assert table["onset"].tolist()[-1] == found.now["month"]
    assert (table["month"] == found.now["month"]).all()
    assert (found.placebo["month"] >= found.placebo["onset"]).all()
    own = table[table["event"]]
    assert own["onset"].tolist() == ["2025-03"]
    assert own["works"].item() == found.now["works"]
    higher = (table["works"] > own["works"].item()).sum()
    assert found.rank == (1 + higher, len(table))
    assert f"of {len(table)} dates" in found.text()
    assert json.loads(found.to_json())["rank"] == list(found.rank)


def test_the_command_gives_the_same_clock(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ("scenario", "track", "cooperation-resumed", "--onset", "2025-03")
    (clock,) = json.loads(ok(*asked, "--json", "--out", "clocks"))["clocks"]
    plain = json.loads(found.to_json())
    assert clock == json.loads(Path("clocks/cooperation-resumed-US.json").read_text())
    for part in ("chances", "placebo", "rank", "detection"):
        assert clock[part] == plain[part]
    assert Path("clocks/cooperation-resumed-US.svg").stat().st_size > 5000


def test_a_larger_fall_shows_earlier_and_none_rarely():
    known = detection(replace(OPEN, onset="2026-02"), od.bundled().as_of().panel())
    table = known.chances.set_index(["size", "months"])["chance"]
    assert set(table.index.get_level_values("size")) == {0, -10, -20, -30, -40}
    assert set(table.index.get_level_values("months")) >= {12, 18, 24, 36}
    assert table[0].max() <= 0.1
    assert table[-40, 24] > table[-20, 24] + 0.05
    assert known.series == "all drugs, nation and states"
    assert known.by_size().startswith("By size of the fall at full strength: ")


@pytest.mark.parametrize(
    ("given", "keys", "said"),
    [
        (od.scenario.NULL, {}, "has 0 interventions"),
        (od.Scenario("two", (OPEN, replace(OPEN, name="other"))), {}, "has 2 interventions"),
        (OPEN, {"series": SHORT}, "price has 5 values before"),
        (OPEN, {"archive": OPEN}, "takes an archive, got Intervention"),
    ],
)
def test_what_cannot_be_tracked(given, keys, said):
    with pytest.raises(ScenarioError, match=said):
        od.scenario.track(given, **({"archive": od.bundled()} | keys))


def test_a_brief_has_a_line_of_the_clock(found):
    again = od.scenario.named("cooperation-resumed", onset="2025-10")
    panel = od.bundled().as_of().panel()
    forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=50)
    page = write_brief(od.project(forecast, [again]), clocks=[found])
    assert found.brief_line() in " ".join(html.unescape(page).split())


def test_exposures_are_those_of_the_release_that_is_read(vsrr):
    vintages = [od.read(vsrr / f) for f in ("2024-12-11.csv.gz", "2025-07-16.parquet")]
    archive = od.Archive.in_memory({v.date: v.table for v in vintages})
    clock = Clock(replace(OPEN, onset="2024-06", exposure="fentanyl-share"), "US", archive, (), 1)
    first, last = (clock.felt(archive.as_of(str(v.date))) for v in vintages)
    assert first["US"] != last["US"]
    assert clock.reading(archive.as_of("2024-12-11").panel(), first).nation_felt == first["US"]
