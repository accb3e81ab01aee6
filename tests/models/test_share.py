"""T40.4 as a part of all drugs: within it, adding up, the same from both sides."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.geography import JURISDICTIONS
from odforecast.models.statespace.model import CLASSES, whole_of
from odforecast.models.statespace.share import Inputs, ShareScales
from odforecast.monthly.sums import rolling_sums
from odforecast.names import SYNTHETIC_OPIOIDS
from odforecast.panel import Panel

SHORT = "T40.4"
DRAWS = 60
RNG = np.random.default_rng


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


def same(one: od.Forecast, two: od.Forecast) -> None:
    assert np.array_equal(one.draws, two.draws)
    assert np.array_equal(one.known, two.known, equal_nan=True)
    for name in ("locations", "skipped", "warnings"):
        assert getattr(one, name) == getattr(two, name)
    assert np.array_equal(one.months, two.months)


def within(part: od.Forecast, made: od.Forecast) -> None:
    """In every draw a class has no more deaths than all drugs."""
    whole = made.select(part.locations)
    assert (part.draws >= 0).all()
    assert (part.draws <= whole.draws).all()
    assert (part.samples() <= whole.samples() + 1e-9).all()


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_a_part_lies_within_the_whole_in_every_draw(forecasts, kind):
    part = forecasts[kind].part(SHORT)
    within(part, forecasts[kind])
    whole = forecasts[kind].select(part.locations)
    assert (part.known <= whole.known).all()
    assert (part.known >= np.minimum(whole.known, 0)).all()
    assert part.panel.indicator == SYNTHETIC_OPIOIDS
    assert part.provenance == forecasts[kind].provenance
    # It is no constant share: within a month the part has noise of its own.
    assert (part.draws[:, 0] / whole.draws[:, 0]).std(axis=0)[part.horizons > 0].min() > 0.01


@pytest.mark.parametrize("month", ["2018-12", "2021-06", "2024-04"])
def test_known_months_are_whole_and_add_up_to_the_counts(released, month):
    inputs = od.get_model("dlm").fit(released.cut(month)).inner.classes[SHORT].inputs
    reported = inputs.panel.reported[:, -12:]
    sums = rolling_sums(inputs.shown)
    for row, place in enumerate(inputs.units):
        if place != "US":
            shown = reported[inputs.panel.index(place)]
            known = ~np.isnan(shown)
            assert np.array_equal(sums[row][known], shown[known])
    inside = [i for i, s in enumerate(inputs.units) if s in (*JURISDICTIONS, "US")]
    assert np.array_equal(sums[inside].sum(axis=0), reported[inputs.panel.index("US")])
    assert np.array_equal(inputs.shown, np.round(inputs.shown))


def test_the_nation_holds_the_parts_and_a_rest(forecasts):
    part = forecasts["release"].part(SHORT)
    published = [s for s in part.locations if s in JURISDICTIONS]
    assert len(published) < len(JURISDICTIONS)
    us = part.select("US").samples()[:, 0]
    assert (us >= part.select(published).samples().sum(axis=1)).all()


@pytest.mark.parametrize("kind", ["released", "clean"])
def test_drawing_the_part_moves_no_draw_of_all_drugs(forecasts, kind, request):
    fitted = od.get_model("dlm").fit(request.getfixturevalue(kind))
    fitted.inner.classes = {}
    bare, made = fitted.forecast(draws=DRAWS), forecasts[kind.replace("released", "release")]
    assert np.array_equal(bare.draws, made.draws)
    assert np.array_equal(bare.known, made.known)
    assert not bare.beside
    assert made.beside


@pytest.mark.parametrize("month", [None, "2021-06", "2019-03"])
def test_the_panel_of_the_class_gives_the_same_part(vintage, month):
    whole, part = vintage.panel(), vintage.panel(SHORT)
    if month is not None:
        whole, part = whole.cut(month), part.cut(month)
    beside = part.beside["all-drugs"]
    assert not beside.beside
    assert whole_of(part)[0].data_hash == whole.data_hash
    one, two = drawn(whole).part(SHORT), drawn(part)
    same(one, two)
    assert two.panel is part
    assert two.provenance["data_hash"] == part.data_hash
    moved = drawn(replace(part, beside={"all-drugs": beside.cut(part.months[-25])}))
    assert not np.array_equal(moved.draws[..., -1], two.draws[..., -1])  # of another month: alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2018-04-11.csv", "2024-12-11.csv.gz"])
def test_real_releases(shared, name):
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
        assert len(part.locations) >= 19, short
        within(part, made)
        # The nowcast of the nation is the count as reported and a little more.
        reported = beside[short].reported[beside[short].index("US"), -1]
        now = part.select("US").samples()[:, 0, part.horizons == 0].mean()
        assert 1.0 < now / reported < 1.12, short


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


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f, _: f["release"].select("FL").part(SHORT), "no T40.4.*FL: no reported count"),
        (lambda f, _: f["release"].part("cocaine"), "no cocaine.*it holds T40.4"),
        (lambda _, p: drawn(replace(p, beside={})).part(SHORT), "no T40.4.*dlm carries"),
        (lambda f, _: f["release"].part(SHORT).select("FL"), "no reported count"),
        (
            lambda f, _: f["release"].with_parts({SHORT: f["clean"].part(SHORT)}),
            "does not belong to these draws",
        ),
        (lambda f, _: f["release"].part(SHORT).nation(), "no forecast for"),
    ],
)
def test_why_there_is_none(forecasts, clean, call, said):
    with pytest.raises(ForecastError, match=said):
        call(forecasts, clean)


@pytest.mark.parametrize("kind", ["release", "clean"])
def test_it_is_saved_pickled_and_joined_bit_for_bit(tmp_path, forecasts, kind):
    whole = forecasts[kind].select(["US", "OH", "WV", "AZ"])
    alone = whole.part(SHORT)
    joined = od.Forecast.concat([whole.select(["US", "AZ"]), whole.select(["WV", "OH"])])
    for back in (
        od.load_forecast(whole.save(tmp_path / "f")).part(SHORT),
        pickle.loads(pickle.dumps(whole)).part(SHORT),
        joined.select(whole.locations).part(SHORT),
        od.load_forecast(alone.save(tmp_path / "alone")),
    ):
        same(back, alone)
        assert back.provenance == whole.provenance
        assert back.panel.data_hash == alone.panel.data_hash
        assert back.joint == whole.joint


def test_suppressed_and_missing_cells(released):
    part = released.beside[SHORT]
    layers = {name: getattr(part, name).copy() for name in ("reported", "low", "high")}
    for layer, value in zip(layers.values(), (np.nan, 1.0, 9.0)):
        layer[part.index("OH"), -30:-28] = np.nan
        layer[part.index("WV"), -5:-3] = layer[part.index("KY"), -1] = value
    made = drawn(replace(released, beside={SHORT: replace(part, **layers)})).part(SHORT)
    assert "OH" in made.locations  # a gap is bridged
    assert "only 14 months" in made.skipped["WV"]
    assert "is suppressed" in made.skipped["KY"]
    assert np.isfinite(made.samples()).all()


def test_the_us_has_a_share_of_its_own_where_it_is_no_sum(released):
    few = replace(released.select(["US", "OH", "WV"]), selected=False)
    fitted = od.get_model("dlm").fit(few)
    made = fitted.forecast(draws=DRAWS)
    assert made.part(SHORT).locations == ("US", "OH", "WV")
    within(made.part(SHORT), made)
    assert not fitted.inner.classes[SHORT].inputs.adds_up
    # A nation smaller than its parts contradicts itself: no rest.
    part = released.beside[SHORT]
    odd = part.reported.copy()
    odd[part.index("US")] = np.round(0.6 * odd[part.index("US")])
    part = replace(part, reported=odd, low=None, high=None)
    made = drawn(replace(released, beside={**released.beside, SHORT: part}))
    within(made.part(SHORT), made)


def test_the_filter_finds_a_simulated_share():
    scales, rng = ShareScales(0.06, 0.04, 0.005, 0.98, 0.1, 1.3, 1.15, 0.17, 0.1), RNG(3)
    n_loc, n = 24, 96
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
    inputs = Inputs(
        panel=None, units=JURISDICTIONS[:n_loc], others=(), adds_up=False, skipped={},
        parts=parts, wholes=wholes, rise=rise, late=np.zeros(parts.shape),
        share=np.full(n_loc, 0.4), years=np.full(n_loc, 1e6), shown=parts[:, -23:],
    )  # fmt: skip
    mean, cov, loglik = inputs.filtered(scales)
    seen = np.log(parts[:, -3:].sum(axis=1) / (wholes - parts)[:, -3:].sum(axis=1))
    assert np.abs(mean[:-2] - seen).mean() < 0.15
    assert np.linalg.eigvalsh(cov).min() > -1e-10
    assert loglik > inputs.filtered(replace(scales, own=0.5))[2]
