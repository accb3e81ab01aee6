"""The delay's constants, refined by the settled releases of the user's own archive."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import delay_constants as tool
import numpy as np
import pytest
from delay_factory import DELAYS, arrivals, expected_late, with_all_deaths

import odforecast as od
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models.content import Kept
from odforecast.models.county.model import ModelPaths
from odforecast.models.delay import constants as learning
from odforecast.models.delay.deficit import SPAN
from odforecast.models.hierarchy.model import FittedHierarchical, Hierarchical
from odforecast.models.model import Drawer, Model
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, VINTAGE_REAL
from odforecast.panel import Panel, Triangle
from odforecast.publication import final_through
from odforecast.seeds import Streams, seed_from
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.donors import shipped

#: An archive whose records pending end as overdose deaths more often than those that ship.
MINE = replace(DELAYS, kappa=0.6, kappa_error=0.0, sd_shared=0.05)
SHIPS = learning.all_delays()[max(learning.all_delays())[0], ""]
DAY = dt.date(2028, 3, 15)
WHOLE = (NATION, *JURISDICTIONS)


def made(n: int, day: dt.date = DAY, seed: int = 1) -> Panel:
    """A panel of ``day`` that misses nothing; of n monthly releases before all but six settled."""
    rng = np.random.default_rng(seed)
    end = np.datetime64(day, "M") - 5 * ONE_MONTH
    # Large places: whole deaths are next to nothing there.
    size = np.exp(rng.normal(8.5, 0.8, len(JURISDICTIONS)))
    everyone = 30.0 * size
    months = rng.poisson(size[:, None] / 12.0, (size.size, 131)).astype(float)
    sums = rolling_sums(months)
    grid = end - np.arange(sums.shape[1])[::-1].astype("timedelta64[M]")
    places = np.exp(0.5 * rng.standard_normal((size.size, 1)) - 0.125)
    dates, reported, pending = [], [], []
    for back in range(n, 0, -1):
        month = np.datetime64(day, "M") - back * ONE_MONTH
        date = month.astype("datetime64[D]").astype(object).replace(day=15)
        stop = months.shape[1] - back
        n_open = int((end - back * ONE_MONTH - final_through(date)).astype(int))
        expected = expected_late(size, 4 + np.arange(n_open, dtype=float), MINE) * places
        late = np.zeros((size.size, stop))
        late[:, -n_open:] = arrivals(rng, expected, size, MINE, 4)[:, ::-1]
        shown, says = np.full((2, *sums.shape), np.nan)
        shown[:, : stop - 11] = rolling_sums(np.maximum(months[:, :stop] - np.round(late), 0.0))
        says[:, : stop - 11] = 0.2
        beyond = np.cumsum(expected[:, ::-1], axis=1)[:, ::-1] / MINE.kappa
        says[:, stop - 11 - n_open : stop - 11] += (100.0 * beyond / everyone[:, None])[:, ::-1]
        dates.append(date)
        reported.append(np.concatenate([shown.sum(axis=0)[None], shown]))
        pending.append(np.concatenate([says.mean(axis=0)[None], says]))
    people = np.append(everyone.sum(), everyone)
    counts = np.concatenate([sums.sum(axis=0)[None], sums])
    blank = np.full(counts.shape, np.nan)
    panel = Panel(
        indicator=ALL_DRUGS, as_of=day, release=day, vintage=VINTAGE_REAL, locations=WHOLE,
        months=grid, reported=counts, predicted=blank, complete=blank, pending=blank + 0.2,
        final_through=final_through(day),
    )  # fmt: skip
    triangle = None
    if n:
        nothing, all_deaths = np.full((n, *counts.shape), np.nan), np.tile(people, (n, 1))
        layers = (np.stack(reported), np.stack(pending), nothing, all_deaths)
        triangle = Triangle(tuple(dates), *layers)
    return replace(with_all_deaths(panel, people), triangle=triangle)


def with_releases(panel: Panel, chosen: Sequence[int], dates: Sequence[dt.date] = ()) -> Panel:
    days = tuple(dates or (panel.triangle.releases[i] for i in chosen))
    layers = {name: array[list(chosen)] for name, array in panel.triangle.layers.items()}
    return replace(panel, triangle=Triangle(days, **layers))


def times(panel: Panel, where: object, **factors: float) -> Panel:
    """Layers of the triangle times something, at some of its releases and places."""
    held = {name: array.copy() for name, array in panel.triangle.layers.items()}
    for name, factor in factors.items():
        held[name][where] *= factor
    return replace(panel, triangle=replace(panel.triangle, **held))


def test_more_releases_lead_from_what_ships_to_the_archives_own_truth() -> None:
    found = [learning.learned_delays(made(n)) for n in (6, 7, 20)]
    assert [len(f.own) for f in found] == [0, 1, 14]
    none, one, many = (f.constants for f in found)
    assert none == SHIPS
    # With one: a little, and in the right direction.
    assert 0.0 < one.kappa - SHIPS.kappa < 0.03
    assert (SHIPS.kappa + 0.6) / 2 < many.kappa < 0.6
    panel = made(20)
    own = [learning.settle_earlier(panel, i) for i in learning.further_releases(panel)]
    assert learning._slope(own, "pending") == pytest.approx(0.6, rel=0.05)
    learned = "delay learned from 17 releases that ship and 14 of this archive"
    assert found[2].said() == f"{learned}, 2026-07-15 to 2027-08-15"
    rows = learning.described_delays(panel)
    assert rows[0][:2] == ("delay kappa", many.kappa)
    assert rows[0][2] == "constants of 2026-01-14, and 14 releases of the archive"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of an estimate, a number that every number it would rest on goes into."""

    def stub(found: Sequence[learning.SettledRelease]) -> tuple[learning.Delays, dict[str, str]]:
        digest = seed_from(*(x for s in found for x in vars(s).values()))
        return replace(SHIPS, kappa=digest / 2**64), {}

    monkeypatch.setattr(learning, "estimate", stub)
    monkeypatch.setattr(learning, "_kept", Kept(64))


def test_without_a_settled_release_the_set_that_ships_is_taken_as_it_is(monkeypatch):
    monkeypatch.setattr(learning, "estimate", lambda _: pytest.fail("nothing is to be estimated"))
    none = made(6)
    for each in (made(0), none, od.bundled().as_of().panel()):
        assert learning.delays_for(each) == SHIPS
        assert learning.said_of(each) == ""
    rows = learning.described_delays(none)
    assert rows[0] == ("delay kappa", 0.475, "constants of 2026-01-14")
    assert len(rows) == len(learning.NAMES)
    # A release that ships is not counted twice, nor a copy under another day of its month.
    ours = [dt.date(2024, 12, 18), *made(7).triangle.releases[1:]]
    assert learning.further_releases(with_releases(made(7), range(7), ours)) == ()


@pytest.mark.usefixtures("cheap")
def test_what_has_not_settled_or_came_later_changes_nothing():
    """Bit for bit: neither its numbers nor that it is there."""
    panel = made(9)
    whole = learning.delays_for(panel)
    assert len(learning.further_releases(panel)) == 3
    assert whole != SHIPS
    assert learning.delays_for(with_releases(panel, [0, 1, 2])) == whole
    later = times(panel, slice(3, None), reported=0.5, pending=3.0, all_deaths=2.0)
    assert learning.delays_for(later) == whole
    # SettledRelease from an earlier day, by a hand that left the later releases in.
    early = replace(later, as_of=dt.date(2027, 11, 5))
    assert learning.further_releases(early) == ()
    assert learning.delays_for(early) == SHIPS
    assert learning.further_releases(with_releases(later, [0])) == (0,)
    assert learning.further_releases(with_releases(later, [0], [DAY])) == ()


@pytest.mark.usefixtures("cheap")
def test_a_panel_by_a_release_that_ships_never_learns_from_itself() -> None:
    found = learning.learned_delays(made(9, dt.date(2018, 4, 11)))
    assert found.own == ("2017-07-15", "2017-08-15")
    assert found.shipped == len(learning.settled_by("2018-12-31", learning.shipped_releases())) - 1


@pytest.mark.usefixtures("cheap")
def test_the_same_content_is_estimated_once(monkeypatch):
    panel = made(7, seed=5)
    first = learning.learned_delays(panel)
    monkeypatch.setattr(learning, "estimate", lambda _: pytest.fail("it is known"))
    assert learning.learned_delays(replace(panel, notes=("another object",))) is first
    with pytest.raises(pytest.fail.Exception, match="it is known"):
        learning.learned_delays(times(panel, 0, pending=1.1))


@pytest.mark.parametrize(
    ("day", "last"), [("2027-10-15", None), ("2027-12-15", "2025-12"), ("2028-02-15", None)]
)
def test_from_november_to_january_the_year_that_closed_last_waits(day, last):
    panel = made(30, dt.date.fromisoformat(day))
    known = np.isfinite(panel.triangle.reported[learning.further_releases(panel)[-1]]).any(axis=0)
    expected = np.datetime64(last) if last else panel.months[-1] - 7 * ONE_MONTH
    assert panel.months[np.flatnonzero(known)[-1]] == expected


@pytest.mark.parametrize(
    ("layer", "value", "place", "says"),
    [
        ("pending", np.nan, "OH", "it does not say how many records of OH are pending"),
        ("all_deaths", np.nan, "WV", "it does not say how many records of WV are pending"),
        ("reported", np.nan, "TX", "it lacks a count of TX among its last months"),
        ("reported", 0.01, "CA", "CA has "),
        ("pending", 0.0, None, "it says that nothing is pending"),
    ],
)
def test_a_release_that_cannot_be_used_is_left_out_with_the_reason(layer, value, place, says):
    where = (0, WHOLE.index(place)) if place else 0
    found = learning.learned_delays(times(made(7), where, **{layer: value}))
    assert found.constants == SHIPS
    assert found.own == ()
    assert found.left_out["2027-08-15"].startswith(says)
    assert found.said().startswith(f"delay not learned from 2027-08-15: {says}")


@pytest.mark.usefixtures("cheap")
def test_of_two_releases_of_a_month_the_later_one_counts():
    first, *others = made(7).triangle.releases
    days = [first, first.replace(day=20), *others]
    found = learning.learned_delays(with_releases(made(7), [0, *range(7)], days))
    assert found.own == ("2027-08-20",)
    assert found.left_out == {"2027-08-15": "that of 2027-08-20 stands for the month"}
    assert "and 1 of this archive, 2027-08-20; delay not learned from 2027-08-15" in found.said()


class Blind:
    """A model that says it corrects the delay, and takes none of the constants."""

    spec = replace(od.get_model("naive").spec, model="blind", corrects_delay=True)

    def fit(self, panel: Panel) -> Drawer:
        return od.get_model("naive").fit(panel).inner


@pytest.mark.usefixtures("cheap")
def test_only_a_forecast_that_took_the_constants_says_what_they_rest_on():
    panel = made(9)
    line = learning.said_of(panel)
    assert line.startswith("delay learned from 17 releases that ship and 3 of this archive")

    def says(model: str | Model, of: Panel = panel, **settings: Any) -> str | None:
        chosen = model if isinstance(model, Model) else od.get_model(model, **settings)
        return chosen.fit(of).forecast(draws=20).provenance.get("delay")

    assert says("dlm") == says("naive+delay") == line
    assert says("ensemble", members=["naive", "drift"]) == line
    assert says("dlm", delay=False) is says("naive") is says(Model(Blind(), "blind")) is None
    final = replace(panel, final_through=panel.last_month)
    assert says("dlm", final) is says("naive+delay", final) is None
    # A class by itself is completed by the dated set, though all drugs stand beside it.
    counts = {"reported": np.floor(0.3 * panel.reported), "pending": np.full_like(panel.pending, 0)}
    part = replace(panel, indicator="Cocaine (T40.5)", triangle=None, beside={}, **counts)
    of_class = replace(part, beside={**panel.beside, "all-drugs": replace(panel, beside={})})
    assert says("naive+delay", of_class) is None
    assert says("dlm", of_class) == line  # fitted as a part of all drugs, with their constants
    assert learning.delays_for(of_class) == SHIPS
    assert learning.said_of(of_class) == ""
    for of, expected in ((panel, line), (final, ""), (of_class, "")):
        inputs, _ = Hierarchical().inputs(of)
        fitted = FittedHierarchical("", of, inputs, None, None, {}, (), 5.0)
        assert fitted.delay_said == expected
    streams = Streams(1, panel.dataset, panel.indicator, "x")
    paths = ModelPaths(od.get_model("naive+delay")).draw(panel, panel.last_month, 2, 20, streams)
    assert {path.delay_said for path in paths.values()} == {line}


def test_a_class_and_a_pseudo_vintage_take_the_dated_set():
    panel = made(7)
    assert learning.delays_for(replace(panel, indicator="Cocaine (T40.5)")) == SHIPS
    donor = next(d for d in shipped() if str(d.release) == "2022-10-12")
    delayed = panel.delayed("2027-03", donor)
    assert delayed.triangle is None or delayed.triangle.pending is None
    sets = learning.all_delays()
    assert learning.delays_for(delayed) is sets[max(sets)[0], "2022-10-12"]
    assert panel.cut("2027-03").triangle is None


def test_the_table_that_ships_gives_the_sets_that_ship():
    found, last = learning.shipped_releases(), {str(d.release): d.last_month for d in shipped()}
    assert [s.release for s in found] == list(last)
    for one, two in zip(found, learning.read_releases(tool.written(found)), strict=True):
        for name, value in vars(one).items():
            np.testing.assert_array_equal(getattr(two, name), value)
    assert max(s.n_open for s in found) + 12 <= SPAN
    # A set rests on counts a year old.
    for cutoff in ("2018-12-31", "2020-12-31", "2022-12-31", "2025-09-17"):
        old = np.datetime64(cutoff, "M") - 12 * ONE_MONTH
        known = [s.release for s in learning.settled_by(cutoff, found)]
        assert known == [release for release, month in last.items() if month <= old]
    made_of, _ = learning.estimate(learning.settled_by("2018-12-31", found))
    for name, value in asdict(learning.all_delays()[dt.date(2018, 12, 31), ""]).items():
        assert getattr(made_of, name) == pytest.approx(value, rel=1e-3, abs=1e-6), name


def test_a_release_in_the_triangle_is_that_release(vsrr):
    newest, early = od.bundled().as_of(), read_vsrr(vsrr / "2018-11-14.csv")
    whole = od.Archive.in_memory({early.release: early.table, newest.date: newest.table})
    panel = whole.as_of().panel()

    one, two = (
        learning.settle_release(learning.as_released(panel, 0), panel),
        learning.settle_release(whole.as_of("2018-11-14").panel(), panel),
    )
    for name, value in vars(two).items():
        np.testing.assert_array_equal(getattr(one, name), value, err_msg=name)
    assert learning.delays_for(panel) == SHIPS  # it ships


def test_the_likelihood_of_a_release_is_that_of_one_normal_table() -> None:
    """Against the covariance of all cells, written out; a month that is not open is nothing."""
    rng = np.random.default_rng(4)
    expected, profile, left = rng.normal(size=(3, 2, 3, 4))
    variance = rng.uniform(0.5, 2.0, (2, 3, 4))
    mine, ours = (0.3, 0.7), np.array([0.2, 0.5])
    for array, nothing in ((expected, 0.0), (profile, 0.0), (left, 0.0), (variance, 1.0)):
        array[1, :, 3] = nothing
    found = learning.normal_loss(left, variance, expected, profile, mine, ours)
    for r, n in ((0, 4), (1, 3)):
        e, p = expected[r, :, :n].ravel(), profile[r, :, :n].ravel()
        same = np.repeat(np.arange(3), n)
        rows = (same[:, None] == same[None]).astype(float)
        cov = np.diag(variance[r, :, :n].ravel())
        for column, own, shared in ((e, mine[0], ours[0]), (p, mine[1], ours[1])):
            cov += np.outer(column, column) * (own**2 * rows + shared**2)
        x = left[r, :, :n].ravel()
        dense = 0.5 * (np.linalg.slogdet(cov)[1] + x @ np.linalg.solve(cov, x))
        assert found[r] == pytest.approx(dense, rel=1e-10)
