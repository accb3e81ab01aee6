"""T40.4 as a part of all drugs: within it, adding up, the same from both sides."""

from __future__ import annotations

import dataclasses
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

import odforecast as od
from conftest import ROOT
from odforecast.errors import ForecastError
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import all_constants, constants_for
from odforecast.models.statespace.model import CLASSES, classes_beside, whole_of
from odforecast.models.statespace.share import Inputs, ShareScales, all_shares
from odforecast.monthly.sums import rolling_sums
from odforecast.names import INDICATOR_NAMES, SYNTHETIC_OPIOIDS, TARGET_MONTH
from odforecast.panel import LAYERS, Panel
from odforecast.seeds import Streams

sys.path.append(str(ROOT / "tools"))
from dlm_estimate import Number
from share_estimate import (
    FEW_COUNTS,
    FEW_RELEASES,
    POOLED,
    estimate_late,
    estimate_share,
    filled,
    pooled,
)

SHORT = "T40.4"
DRAWS = 60
SCALES = ShareScales(0.06, 0.04, 0.005, 0.98, 0.1, 1.3, 1.15, 0.17, 0.1)


@pytest.fixture(scope="module")
def vintage():
    return od.bundled().as_of("2025-09-17")


@pytest.fixture(scope="module")
def released(vintage) -> Panel:
    """A release: its last months are incomplete."""
    return vintage.panel()


@pytest.fixture(scope="module")
def clean(released) -> Panel:
    return released.cut("2021-06")


@pytest.fixture(scope="module")
def forecasts(released, clean) -> dict[str, od.Forecast]:
    return {"release": drawn(released), "clean": drawn(clean)}


def drawn(panel: Panel, **keywords) -> od.Forecast:
    return od.get_model("dlm", **keywords).fit(panel).forecast(draws=DRAWS)


def with_part(panel: Panel, **changes) -> Panel:
    """All drugs with other counts of T40.4 beside them."""
    part = replace(panel.beside[SHORT], low=None, high=None, **changes)
    return replace(panel, beside={**panel.beside, SHORT: part})


def same(one: od.Forecast, two: od.Forecast) -> None:
    assert one.locations == two.locations
    assert np.array_equal(one.months, two.months)
    assert np.array_equal(one.draws, two.draws)
    assert np.array_equal(one.known, two.known, equal_nan=True)
    assert one.skipped == two.skipped
    assert one.warnings == two.warnings


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_a_part_lies_within_the_whole_in_every_draw(forecasts, kind):
    part = forecasts[kind].part(SHORT)
    whole = forecasts[kind].select(part.locations)
    assert (part.draws >= 0).all()
    assert (part.draws <= whole.draws).all()
    assert (part.known <= whole.known).all()
    assert (part.known >= np.minimum(whole.known, 0)).all()
    assert (part.samples() <= whole.samples() + 1e-9).all()
    assert part.panel.indicator == SYNTHETIC_OPIOIDS
    assert part.provenance == forecasts[kind].provenance
    # It is no constant share: within a month the part has noise of its own.
    assert (part.draws[:, 0] / whole.draws[:, 0]).std(axis=0)[part.horizons > 0].min() > 0.01


@pytest.mark.parametrize("month", ["2018-12", "2021-06", "2024-04"])
def test_known_months_are_whole_and_add_up_to_the_counts(released, month):
    panel = released.cut(month)
    fitted = od.get_model("dlm").fit(panel).inner
    part, inputs = fitted.classes[SHORT].inputs.panel, fitted.classes[SHORT].inputs
    sums = rolling_sums(inputs.shown)
    for row, place in enumerate(inputs.units):
        if place != "US":
            reported = part.reported[part.locations.index(place), -12:]
            known = ~np.isnan(reported)
            assert np.array_equal(sums[row][known], reported[known])
    inside = [i for i, s in enumerate(inputs.units) if s in (*JURISDICTIONS, "US")]
    us = part.reported[part.locations.index("US"), -12:]
    assert np.array_equal(sums[inside].sum(axis=0), us)
    assert np.array_equal(inputs.shown, np.round(inputs.shown))


def test_the_nation_holds_the_parts_and_a_rest(forecasts):
    part = forecasts["release"].part(SHORT)
    published = [s for s in part.locations if s in JURISDICTIONS]
    assert len(published) < len(JURISDICTIONS)
    us = part.select("US").samples()[:, 0]
    assert (us >= part.select(published).samples().sum(axis=1)).all()
    with pytest.raises(ForecastError, match="no forecast for"):
        part.nation()


def test_drawing_the_part_moves_no_draw_of_all_drugs(released, clean, forecasts):
    for kind, panel in (("release", released), ("clean", clean)):
        fitted = od.get_model("dlm").fit(panel)
        fitted.inner.classes = {}
        bare = fitted.forecast(draws=DRAWS)
        assert np.array_equal(bare.draws, forecasts[kind].draws)
        assert np.array_equal(bare.known, forecasts[kind].known)
        assert not bare.beside
        assert forecasts[kind].beside


@pytest.mark.parametrize("month", [None, "2021-06", "2019-03"])
def test_the_panel_of_the_class_gives_the_same_part(vintage, month):
    whole, part = vintage.panel(), vintage.panel(SHORT)
    assert "all-drugs" in part.beside
    assert not part.beside["all-drugs"].beside
    if month is not None:
        whole, part = whole.cut(month), part.cut(month)
    found = whole_of(part)
    assert found is not None
    assert found[0].data_hash == whole.data_hash
    one, two = drawn(whole).part(SHORT), drawn(part)
    same(one, two)
    assert two.panel is part
    assert two.provenance["data_hash"] == part.data_hash
    moved = drawn(
        replace(part, beside={"all-drugs": part.beside["all-drugs"].cut(part.months[-25])})
    )
    assert not np.array_equal(moved.draws[..., -1], two.draws[..., -1])  # of another month: alone


def test_nothing_after_the_cut_reaches_it(vintage, clean):
    ahead = np.arange(vintage.panel().months.size)
    for name in ("all-drugs", SHORT):
        panel = vintage.panel(name)
        later = panel.months > np.datetime64("2021-06")

        def scrambled(one, later=later):
            late = later[-one.months.size :]
            reported = np.where(late, np.round(one.reported * 1.5) + ahead[: one.months.size],
                                one.reported)  # fmt: skip
            return replace(one, reported=reported, low=None, high=None)

        beside = {key: scrambled(other) for key, other in panel.beside.items()}
        cut = replace(scrambled(panel), beside=beside).cut("2021-06")
        if name == SHORT:
            same(drawn(cut), drawn(panel.cut("2021-06")))
        else:
            same(drawn(cut).part(SHORT), drawn(clean).part(SHORT))


def test_the_hash_of_all_drugs_is_what_it_was(vintage, released):
    assert set(released.beside) <= {"all-deaths", SHORT}
    assert not released.beside[SHORT].beside
    assert released.beside[SHORT].triangle is None
    assert set(vintage.panel(SHORT).beside) <= {"all-deaths", "all-drugs"}


def test_only_classes_beside_all_drugs_are_parts(released):
    assert classes_beside(released) == [SHORT]
    other = replace(released.beside[SHORT], indicator=INDICATOR_NAMES["cocaine"])
    cocaine = replace(other, beside={SHORT: released.beside[SHORT]})
    assert classes_beside(cocaine) == []  # T40.4 stands beside it, and is no part of it
    assert whole_of(cocaine) is None
    made = drawn(replace(released, beside={"cocaine": other, **released.beside}))
    assert set(made.beside) == {SHORT, "cocaine"}
    part, fentanyl = made.part("cocaine"), made.part(SHORT)
    assert (part.draws <= made.select(part.locations).draws).all()
    # The same counts, drawn from streams of its own.
    assert not np.array_equal(part.draws, fentanyl.draws)
    assert np.array_equal(fentanyl.draws, drawn(released).part(SHORT).draws)


@pytest.mark.slow
def test_real_releases(shared):
    """Early and late: fewer locations, records pending, another delay; every class they hold."""
    for name in ("2018-04-11.csv", "2024-12-11.csv.gz"):
        vintage = od.read(shared / "vsrr" / name)
        whole = vintage.panel()
        beside = {s: replace(vintage.panel(s), beside={}, triangle=None, notes=()) for s in CLASSES}
        made = drawn(replace(whole, beside={**whole.beside, **beside}))
        # The panel of the class gives the same, whatever other classes stand beside.
        same(made.part(SHORT), drawn(vintage.panel(SHORT)))
        same(made.part("cocaine"), drawn(vintage.panel("cocaine")))
        assert set(made.beside) == set(CLASSES)
        for short in CLASSES:
            part = made.part(short)
            assert len(part.locations) >= 19, (name, short)
            every = made.select(part.locations)
            assert (part.draws >= 0).all()
            assert (part.draws <= every.draws).all()
            assert (part.samples() <= every.samples() + 1e-9).all()
            # The nowcast of the nation is the count as reported and a little more.
            row = beside[short].locations.index("US")
            now = part.select("US").samples()[:, 0, part.horizons == 0].mean()
            assert 1.0 < now / beside[short].reported[row, -1] < 1.12, (name, short)


def test_selecting_and_adding_carry_it(forecasts):
    whole = forecasts["release"]
    part = whole.part(SHORT)
    some = whole.select(["WV", "US", "Ohio"]).part(SHORT)
    assert some.locations == ("WV", "US", "OH")
    assert np.array_equal(some.draws, part.select(["WV", "US", "OH"]).draws)
    both = whole.total(["OH", "WV"], "both").part("Synthetic opioids, excl. methadone (T40.4)")
    assert np.array_equal(both.draws, part.total(["OH", "WV"], "both").draws)
    assert SHORT not in whole.region("South").beside  # Florida has no count
    assert SHORT in whole.select(["OH", "FL"]).beside
    kept = whole.select([s for s in whole.locations if s != "US"]).with_nation()
    assert SHORT in kept.beside
    assert "US" not in kept.part(SHORT).locations


def test_why_there_is_none(forecasts, clean):
    with pytest.raises(ForecastError, match=r"no T40.4.*FL: no reported count"):
        forecasts["release"].select("FL").part(SHORT)
    with pytest.raises(ForecastError, match=r"no cocaine.*it holds T40.4"):
        forecasts["release"].part("cocaine")
    with pytest.raises(ForecastError, match=r"no T40.4.*dlm carries"):
        drawn(replace(clean, beside={})).part(SHORT)
    with pytest.raises(ForecastError, match="no reported count"):
        forecasts["release"].part(SHORT).select("FL")
    with pytest.raises(ForecastError, match="does not belong to these draws"):
        forecasts["release"].with_parts({SHORT: forecasts["clean"].part(SHORT)})


def test_other_draws_leave_it_behind(forecasts):
    whole = forecasts["release"]
    assert SHORT in replace(whole, warnings=("kept",)).beside
    assert not replace(whole, draws=whole.draws * 0.9).beside
    assert not replace(whole, draws=whole.draws[::-1]).beside
    assert not replace(whole, draws=whole.draws[:10], known=whole.known[:10]).beside


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_it_is_saved_pickled_and_joined_bit_for_bit(tmp_path, forecasts, kind):
    whole = forecasts[kind].select(["US", "OH", "WV", "AZ"])
    for back in (
        od.load_forecast(whole.save(tmp_path / "f")),
        pickle.loads(pickle.dumps(whole)),
        od.Forecast.concat([whole.select(["US", "AZ"]), whole.select(["WV", "OH"])]).select(
            whole.locations
        ),
    ):
        same(back.part(SHORT), whole.part(SHORT))
        assert back.part(SHORT).provenance == whole.provenance
        assert back.part(SHORT).panel.data_hash == whole.part(SHORT).panel.data_hash
        assert back.part(SHORT).joint == whole.joint
    alone = whole.part(SHORT)
    same(od.load_forecast(alone.save(tmp_path / "alone")), alone)


def test_files_without_a_part_are_those_of_before(tmp_path, forecasts):
    whole = forecasts["clean"].select("OH")
    text = (replace(whole, beside={}).save(tmp_path / "f") / "forecast.json").read_text()
    assert '"version": 1' in text
    assert "part" not in od.load_forecast(tmp_path / "f").beside
    assert '"version": 2' in (whole.save(tmp_path / "g") / "forecast.json").read_text()


def test_its_streams_are_named(released, forecasts):
    """A place redraws nothing elsewhere, and the part has streams of its own."""
    part = released.beside[SHORT]
    less = part.reported.copy()
    less[part.locations.index("WV"), -1] = np.nan
    made = drawn(with_part(released, reported=less)).part(SHORT)
    whole = forecasts["release"].part(SHORT)
    assert "WV" not in made.locations
    ours, theirs = (f.select("OH").samples()[:, 0, -1] for f in (made, whole))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    back = replace(released.select(released.locations[::-1]), selected=False)
    turned = drawn(back).part(SHORT).select(whole.locations)
    assert np.allclose(turned.draws, whole.draws, rtol=1e-5, atol=1e-3)
    streams = Streams(1, "states", SYNTHETIC_OPIOIDS, "2025-04")
    numbers = {streams.number("share", s) for s in ("", "US", "OH")}
    assert len(numbers | {streams.number("location", "OH")}) == 4


def with_puerto_rico(panel: Panel) -> Panel:
    """West Virginia's counts once more, as Puerto Rico's: no part of the nation."""
    row = panel.locations.index("WV")
    layers = {
        name: np.concatenate([layer, layer[row : row + 1]])
        for name in LAYERS
        if (layer := getattr(panel, name)) is not None
    }
    beside = {name: with_puerto_rico(other) for name, other in panel.beside.items()}
    return replace(
        panel, locations=(*panel.locations, "PR"), beside=beside, triangle=None, **layers
    )


def test_puerto_rico_is_no_part_of_the_nations_part(released):
    """A release of 2025 has it: the US row was the sum of all units, and its deaths in it."""
    for panel in (released, released.cut("2024-04")):
        one, two = drawn(panel).part(SHORT), drawn(with_puerto_rico(panel)).part(SHORT)
        assert two.locations == (*one.locations, "PR")
        known = [f.known[..., f.locations.index("US"), :].reshape(-1, 11) for f in (one, two)]
        assert np.allclose(*(months.mean(axis=0) for months in known), rtol=1e-3)
        ahead = [f.select("US").samples()[:, 0, -1].mean() for f in (one, two)]
        assert ahead[1] == pytest.approx(ahead[0], rel=0.004)  # West Virginia's are 1.6%


def test_suppressed_and_missing_cells(released):
    part = released.beside[SHORT]
    row = {s: part.locations.index(s) for s in ("OH", "WV", "AZ", "KY")}
    reported, low, high = part.reported.copy(), part.reported.copy(), part.reported.copy()
    for place, cells in (("OH", slice(-30, -28)), ("WV", slice(-5, -3)), ("KY", slice(-1, None))):
        reported[row[place], cells] = np.nan
    low[row["WV"], -5:-3], high[row["WV"], -5:-3] = 1.0, 9.0
    low[row["KY"], -1], high[row["KY"], -1] = 1.0, 9.0
    changed = replace(part, reported=reported, low=low, high=high)
    made = drawn(replace(released, beside={SHORT: changed})).part(SHORT)
    assert "OH" in made.locations  # a gap is bridged
    assert "only 14 months" in made.skipped["WV"]
    assert "is suppressed" in made.skipped["KY"]
    assert np.isfinite(made.samples()).all()


def test_the_us_has_a_share_of_its_own_where_it_is_no_sum(released):
    few = replace(released.select(["US", "OH", "WV"]), selected=False)
    made = drawn(few)
    part = made.part(SHORT)
    assert part.locations == ("US", "OH", "WV")
    assert (part.draws <= made.draws).all()
    assert not od.get_model("dlm").fit(few).inner.classes[SHORT].inputs.adds_up
    # A nation smaller than its parts contradicts itself: no rest.
    odd = released.beside[SHORT].reported.copy()
    odd[released.beside[SHORT].locations.index("US")] *= 0.6
    made = drawn(with_part(released, reported=np.round(odd)))
    part = made.part(SHORT)
    assert (part.draws <= made.select(part.locations).draws).all()


def test_a_part_larger_than_its_whole_is_refused(released):
    part = released.beside[SHORT]
    reported = part.reported.copy()
    reported[part.locations.index("WV")] = 1.2 * released.reported[released.index("WV")]
    made = drawn(with_part(released, reported=np.round(reported))).part(SHORT)
    assert "WV" not in made.locations
    assert "cannot be a part" in made.skipped["WV"]


def test_late_arrivals_come_in_the_ratio(released):
    """Of the deaths that arrive late, the part takes its share times the ratio."""
    fitted = od.get_model("dlm").fit(released).inner
    found = {}
    for ratio in (0.8, 1.2):
        scales = replace(fitted.classes[SHORT].scales, late=ratio, late_shared=0.01)
        other = replace(fitted)
        other.classes = {SHORT: replace(fitted.classes[SHORT], scales=scales)}
        whole = other.draw(2, 300, Streams(1, "states", "x", "y"))
        part = whole.part(SHORT).select("US")
        late = part.samples()[:, 0, 11] - part.panel.reported[part.panel.locations.index("US"), -1]
        all_late = whole.select("US").samples()[:, 0, 11] - released.reported[0, -1]
        found[ratio] = late.mean() / all_late.mean()
    assert found[1.2] / found[0.8] == pytest.approx(1.5, rel=0.05)
    share = released.beside[SHORT].reported[0, -1] / released.reported[0, -1]
    assert found[1.2] == pytest.approx(1.2 * share, rel=0.15)


def test_the_nowcast_is_the_classes_own(forecasts):
    table = forecasts["release"].part(SHORT).select("US").nowcast()
    panel = forecasts["release"].panel.beside[SHORT]
    assert table["reported"].iloc[-1] == panel.reported[panel.locations.index("US"), -1]
    assert (table["low"] <= table["high"]).all()
    months = forecasts["release"].part(SHORT).samples(TARGET_MONTH)
    assert months.shape[2] == forecasts["release"].months.size


def simulated(scales: ShareScales, n_loc: int = 24, n: int = 96, seed: int = 3) -> Inputs:
    """Months of the model itself, known pins."""
    rng = np.random.default_rng(seed)
    wholes = rng.uniform(40, 400, n_loc)[:, None] * np.ones(n)
    rise = 0.03 * rng.standard_normal(n) * np.ones((n_loc, 1))
    wholes = np.round(wholes * np.exp(np.cumsum(rise, axis=1)))
    logit, slope = rng.normal(-0.5, 0.5, n_loc), 0.0
    parts = np.empty((n_loc, n))
    for t in range(n):
        logit = logit + slope + scales.pull * rise[:, t] + scales.us * rng.standard_normal()
        logit += scales.own * rng.standard_normal(n_loc)
        slope = scales.damp * slope + scales.slope * rng.standard_normal()
        p = 1 / (1 + np.exp(-logit - scales.noise * rng.standard_normal(n_loc)))
        parts[:, t] = rng.binomial(wholes[:, t].astype(int), p)
    zero = np.zeros(parts.shape)
    return Inputs(
        panel=None, units=JURISDICTIONS[:n_loc], others=(), adds_up=False, skipped={},
        parts=parts, wholes=wholes, rise=rise, late=zero,
        share=np.full(n_loc, 0.4), years=np.full(n_loc, 1e6), shown=parts[:, -23:],
    )  # fmt: skip


def test_simulated_scales_aremonths_of_sums():
    truth = replace(SCALES, own=0.07, us=0.05, noise=0.12, pull=1.4)
    found = estimate_share(simulated(truth))
    for name in ("own", "us", "noise", "pull"):
        number = found[name]
        wide = number.high - number.low  # of a 90% interval: one simulation may miss it
        assert number.low - 0.5 * wide <= getattr(truth, name) <= number.high + 0.5 * wide, name
    assert found["own"].value == pytest.approx(0.07, rel=0.15)
    assert found["pull"].value == pytest.approx(1.4, abs=0.4)


def test_the_filter_finds_a_simulated_share():
    inputs = simulated(SCALES)
    mean, cov, loglik = inputs.filtered(SCALES)
    seen = np.log(
        inputs.parts[:, -3:].sum(axis=1) / (inputs.wholes - inputs.parts)[:, -3:].sum(axis=1)
    )
    assert np.abs(mean[:-2] - seen).mean() < 0.15
    assert np.linalg.eigvalsh(cov).min() > -1e-10
    assert loglik > inputs.filtered(replace(SCALES, own=0.5))[2]


def test_the_ratio_of_late_arrivals_by_few_releases():
    rng = np.random.default_rng(1)
    expected = rng.uniform(20, 200, 40)
    own = [(1.2 * expected + rng.normal(0, 0.2 * expected), expected) for _ in range(6)]
    found = estimate_late([1.2] * 6, own)
    assert 1.0 < found["late"].value < 1.2  # three of a prior about 1
    assert found["late"].low < found["late"].value < found["late"].high
    assert found["late_own"].value == pytest.approx(0.2, rel=0.25)


def test_too_few_releases_tell_of_no_ratio():
    one = (np.full(FEW_COUNTS - 1, 30.0), np.full(FEW_COUNTS - 1, 25.0))
    small = (np.full(50, 3.0), np.full(50, 2.0))  # too few late deaths in a place to tell
    assert estimate_late([], []) == {}
    assert estimate_late([1.3] * (FEW_RELEASES - 1), [one, small]) == {}
    assert set(estimate_late([1.3] * FEW_RELEASES, [one])) == {"late", "late_shared"}
    assert set(estimate_late([1.3], [one, one])) == {"late_own"}


def number(value: float, how: str = "estimated") -> Number:
    return Number(value, 0.9 * value, 1.1 * value, how, "")


def test_what_a_class_lacks_is_the_mean_of_the_others():
    found = {
        "heroin": {"late": number(1.0), "late_own": number(0.1), "damp": number(0.5)},
        "cocaine": {"late": number(1.4), "late_own": number(0.4), "damp": number(0.9)},
        "methadone": {},
    }
    out = filled(found)
    assert {short: out[short] for short in ("heroin", "cocaine")} == {
        short: found[short] for short in ("heroin", "cocaine")
    }
    lacked = out["methadone"]
    assert lacked["late"].value == pytest.approx(1.2)  # of the ratio itself
    assert lacked["late_own"].value == pytest.approx(0.2)  # of the log of a spread
    assert lacked["damp"].value == pytest.approx(0.75)  # of the log-odds: (1, 9) to 3
    assert {n.how for n in lacked.values()} == {"assumed"}
    assert all(np.isnan([n.low, n.high]).all() for n in lacked.values())
    assert "2 other classes" in lacked["late"].method


def test_what_all_locations_share_is_pooled_but_that_of_t404():
    found = {
        short: {"us": number(us), "own": number(us), "pull": number(us)}
        for short, us in (("T40.4", 0.08), ("heroin", 0.01), ("cocaine", 0.01))
    }
    out = pooled(found)
    assert out["T40.4"] == found["T40.4"]
    for short in ("heroin", "cocaine"):
        us = out[short]["us"]
        assert (us.value, us.how) == (pytest.approx(0.02), "pooled")  # T40.4's is in the mean
        assert us.low < us.value < us.high
        assert out[short]["own"] == found[short]["own"]
        assert out[short]["pull"] == found[short]["pull"]
    assert pooled({"cocaine": {"us": number(0.01)}})["cocaine"]["us"].how == "estimated"


def test_every_class_has_every_number_in_every_set():
    assert set(CLASSES) == set(INDICATOR_NAMES) - {"all-drugs", "all-deaths"}
    sets = all_shares()
    assert set(sets) == {(each.cutoff, short) for each in all_constants() for short in CLASSES}
    for each in all_constants():
        scales = {short: sets[each.cutoff, short] for short in CLASSES}
        assert 1.0 < scales[SHORT].late < 1.3  # it came later in 2017, and less so since
        for of in scales.values():
            assert 0 < of.damp < 1
            assert min(v for n, v in dataclasses.asdict(of).items() if n != "pull") > 0
        # Fentanyl rises with all drugs; the older opioids do not, nor do stimulants.
        assert scales[SHORT].pull > scales["opioids"].pull > 0.5
        assert all(scales[s].pull < 0.5 for s in CLASSES if s not in (SHORT, "opioids"))
        alike = {tuple(getattr(scales[s], n) for n in POOLED) for s in CLASSES if s != SHORT}
        assert len(alike) == 1
        for name in ("own", "noise", "pull", "late"):
            assert len({getattr(of, name) for of in scales.values()}) == len(CLASSES), name


def test_each_class_is_filtered_with_its_own_numbers(released):
    part = replace(released.beside[SHORT], indicator=INDICATOR_NAMES["cocaine"])
    panel = replace(released, beside={**released.beside, "cocaine": part})
    classes = od.get_model("dlm").fit(panel).inner.classes
    dated = constants_for(panel.as_of)
    assert {name: of.scales for name, of in classes.items()} == {
        name: all_shares()[dated.cutoff, name] for name in (SHORT, "cocaine")
    }
    # The same counts, other numbers: another state.
    assert not np.array_equal(classes["cocaine"].mean, classes[SHORT].mean)


def test_another_last_month_is_no_part(released):
    older = replace(released, beside={SHORT: released.beside[SHORT].cut("2024-12")})
    assert classes_beside(older) == []
    with pytest.raises(ForecastError, match="only"):
        drawn(older).part(SHORT)


def test_a_class_is_drawn_once_it_is_asked_for(released, monkeypatch):
    """A forecast of all drugs, its table and its provenance ask for none."""
    from odforecast.models.statespace import share

    asked = []
    monkeypatch.setattr(share, "share_inputs", lambda *of: asked.append(of[0]))
    fitted = od.get_model("dlm").fit(released)
    made = fitted.forecast(draws=DRAWS)
    made.summary("Ohio")
    assert replace(made, warnings=("kept",)).locations == made.locations
    assert asked == []
    assert not made.beside  # no location could be used
    assert asked == [SHORT]
