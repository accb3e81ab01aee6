"""One test for each fault that once was made, or could be: each was seen to fail with it."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from delay_factory import with_all_deaths
from panel_factory import bundled_panel, cut_panel, made_panel, only, release_panel, with_counts
from scales_factory import HAND
from scipy.stats import spearmanr

import odforecast as od
from odforecast.errors import ForecastError, PanelError, UnknownNameError
from odforecast.geography.places import lookup
from odforecast.models import Model, Spec, get_model
from odforecast.models.delay.deficit import AGES
from odforecast.models.hierarchy.laplace import future
from odforecast.models.statespace.kalman import Scales
from odforecast.months import ONE_MONTH, month_lengths
from odforecast.names import LOCATION, MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.seeds import Streams

FOUR = ("CT", "MA", "OH", "MI")  # two regions with two members each
#: Models of one place at a time; those that take long to fit are in the contract.
BY_LOCATION = ("naive", "auto-ets", "auto-theta", "drift-sums", "hub-baseline", "cdc-predicted")
#: Variance of what a release shares, over its squared scale.
HEAVY = 5.0 / 3.0
#: Scales of which none can be left out without being seen.
LOUD = Scales(
    level_own=0.04, level_region=0.05, level_us=0.03, slope_us=0.03, damp_us=0.9, noise=0.05,
    shock=0.04,
)  # fmt: skip


def flat(level: float = 300_000.0, states: tuple[str, ...] = FOUR, n: int = 72) -> od.Panel:
    """The same deaths every day: no pins to find, no Poisson noise to speak of."""
    days = month_lengths(np.datetime64("2021-06") - np.arange(n)[::-1] * ONE_MONTH)
    return made_panel(dict.fromkeys(states, level * days))


def test_the_season_comes_back_in_its_own_calendar_months() -> None:
    n = 79  # no whole number of years: a column is not a calendar month
    season = np.array([600, 250, -100, -400, 100, 350, -250, -500, 50, 450, -300, -250.0])
    panel = flat(3000.0, n=n)
    # Pins are free within a vintage: these are as good as the smooth ones, and seasonal.
    months = np.broadcast_to(3000.0 + season[np.arange(n) % 12], (4, n)).copy()
    panel.__dict__["_recovered"] = (months, {})
    result = get_model("dlm").fit(panel).forecast(14, draws=4000)
    ahead = 3000.0 + season[(n + np.arange(14)) % 12]
    median = np.median(result.samples(TARGET_MONTH), axis=0)
    np.testing.assert_allclose(median, np.broadcast_to(ahead, median.shape), rtol=0.03)
    sums = np.median(result.samples(TARGET_12MO), axis=0)
    np.testing.assert_allclose(sums, 36_000.0, rtol=0.01)


def delayed_panel(extra: float, day: str = "2026-03-11") -> od.Panel:
    """Two places whose last counts have ``extra`` percent more pending than December's."""
    panel = only(bundled_panel(), ["OH", "AZ"])
    pending = np.full(panel.reported.shape, 0.2)
    pending[:, -2:] += [extra / 2, extra]
    date = dt.date.fromisoformat(day)
    panel = replace(panel, pending=pending, as_of=date, release=date)
    return with_all_deaths(panel, np.full(2, 130_000.0))


@pytest.mark.parametrize(("closed", "n"), [("2024-12", 4), ("2023-12", 12)])
@pytest.mark.parametrize("day", ["2026-03-11", "2027-03-10"])
@pytest.mark.parametrize("name", ["drift+delay", "dlm", "hub-baseline+delay"])
def test_the_closed_december_is_the_panels_and_final_counts_stay(name, day, closed, n):
    panel = replace(delayed_panel(1.0, day), final_through=np.datetime64(closed))
    counts = get_model(name).fit(panel).forecast(1, draws=60).samples()[..., :AGES]
    moves = counts.std(axis=0) > 1e-6 * counts.mean(axis=0)
    assert moves[:, AGES - n :].all()
    assert not moves[:, : AGES - n].any()
    reported = panel.reported[:, -AGES : panel.reported.shape[1] - n]
    np.testing.assert_allclose(counts[0, :, : AGES - n], reported, rtol=1e-9)


@od.forecaster(by="location", joint=("month",))
def too_sure(panel: od.Panel, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Next year as the last one, give or take a thousandth."""
    level = panel.reported[:, -1] / 12
    return level[None, :, None] * (1 + 0.001 * rng.standard_normal((draws, 1, horizon)))


def test_the_hierarchys_future_has_its_season() -> None:
    fitted = get_model("hierarchical-quick").fit(cut_panel("2018-06", FOUR))
    posterior = fitted.inner.idata["posterior"]
    one = {k: np.repeat(v.values[0, :1], 300, axis=0) for k, v in posterior.data_vars.items()}
    one["level"] = np.full_like(one["level"], np.log(20_000.0))
    season = 0.03 * np.arange(-5.5, 6.0)  # January first
    streams = Streams(1, "states", "all-drugs", "2018-06")
    means = []
    for wave in (season, np.zeros(12)):
        one["season"] = np.tile(wave, (300, 1))
        draws, _ = future(one, fitted.inner.inputs, 5.0, 12, streams)
        means.append(draws.mean(axis=0))
    july_on = np.roll(season, -6)
    ratio = np.log(means[0] / means[1])
    np.testing.assert_allclose(ratio, np.broadcast_to(july_on, ratio.shape), atol=0.015)


OWN = replace(HAND, level_own=0.08, level_region=0.001, level_us=0.001, slope_us=1e-4)
MADE = {"too sure": too_sure, "dlm": get_model("dlm", delay=False, scales=OWN)}


@pytest.mark.parametrize("name", [*BY_LOCATION, *MADE])
def test_two_locations_or_two_origins_do_not_share_a_stream(name):
    """Of two places with the same deaths, and CDC's predicted counts somewhat off."""
    model, rng = MADE.get(name) or get_model(name), np.random.default_rng(9)
    months = 300 * np.exp(np.cumsum(0.05 * rng.standard_normal(90)))
    panels = [made_panel({"OH": months, "MI": months}, last) for last in ("2021-06", "2021-07")]
    gaps = 1 + 0.02 * rng.standard_normal(panels[0].reported.shape[1])
    panels = [replace(p, predicted=np.round(p.reported * gaps)) for p in panels]
    here, later = (model.fit(p).forecast(2).draws[..., -1] for p in panels)
    assert abs(spearmanr(here[:, 0], here[:, 1]).statistic) < 0.2
    for i in range(2):
        assert abs(spearmanr(here[:, i], later[:, i]).statistic) < 0.15


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_the_dlms_variance_is_the_filters_carried_ahead(horizon):
    """Of the log deaths of a month ahead, from the filter's: matrices only."""
    fitted = get_model("dlm", delay=False, scales=LOUD).fit(flat())
    state = fitted.inner.states[0]
    s, n = state.scales, len(state.locations)
    move, noise, us = np.zeros((3, n + 1, n + 1))
    for i, name in enumerate(state.locations):
        move[i, [i, n]] = 1.0
        noise[i, i] += s.level_own**2
        for j, other in enumerate(state.locations):
            noise[i, j] += s.level_region**2 * (lookup(other).region == lookup(name).region)
    move[-1, -1] = s.damp_us
    us[:n, :n], us[-1, -1] = s.level_us**2, s.slope_us**2
    cov = state.cov[: n + 1, : n + 1]
    for _ in range(horizon):
        cov = move @ cov @ move.T + noise + us * 5.0 / 3.0
    expected = cov[:n, :n] + s.shock**2 + np.diag(s.noise**2 * (1.0 + 1.0 / state.years))
    # Log deaths per day on the model's own pins: there they are levels and innovations.
    made = fitted.forecast(horizon, draws=30_000)
    assert not made.warnings  # no month was below zero
    calendar = (fitted.panel.monthly.shape[1] + horizon - 1) % 12
    rows = [state.locations.index(s) for s in made.locations]
    months = made.samples(TARGET_MONTH)[..., -1] - state.shift[rows][:, calendar]
    found = np.cov(np.log(months / month_lengths(made.months)[-1]).T)
    sd = np.sqrt(np.diag(expected))
    np.testing.assert_allclose((found - expected) / np.outer(sd, sd), 0.0, atol=0.04)


class Bent:
    """A forecaster whose forecast is bent before it is returned."""

    spec = Spec("bent", joint=frozenset({MONTH}))

    def __init__(self, bend: Callable[[od.Forecast], object]) -> None:
        self.bend = bend

    def fit(self, panel: od.Panel):
        self.panel = panel
        return self

    def draw(self, horizon: int, draws: int, _: Streams) -> object:
        places = self.panel.locations
        paths = np.full((draws, len(places), horizon), 5.0)
        return self.bend(od.Forecast.from_panel(self.panel, paths, places, joint=self.spec.joint))


def refused(model: Model, message: str) -> None:
    """The model's forecast is refused with one clear line that names the model."""
    fitted = model.fit(cut_panel("2021-06", ("OH", "WV")))
    with pytest.raises(ForecastError, match=message) as caught:
        fitted.forecast(12, draws=60)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def months_of(f: od.Forecast, start: int, stop: int) -> dict[str, np.ndarray]:
    return {"draws": f.draws[..., start:stop], "months": f.months[start:stop]}


def one_draw(f: od.Forecast, value: float) -> dict[str, np.ndarray]:
    draws = f.draws.copy()
    draws[3, 1, 2] = value
    return {"draws": draws}


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda f: {"last_month": f.months[0] - 2 * ONE_MONTH}, "last month 2021-05, .* 2021-06"),
        (lambda f: months_of(f, 0, 3), "months to 2021-09, asked for 12 months, to 2022-06"),
        (lambda f: months_of(f, 1, 12), "months from 2021-08, later than the first"),
        (lambda f: {"draws": f.draws[:50]}, "50 draws, asked for 60"),
        (lambda f: one_draw(f, -1.0), "negative deaths, first at draw 3, WV, 2021-09"),
        (lambda _: {"locations": ("OH", "TX")}, "TX, which the panel has"),
        (lambda f: {"as_of": f.as_of.replace(year=2031)}, "as-of date 2031-"),
        (lambda _: {"target": TARGET_12MO}, "paths of deaths_12mo"),
        (lambda _: {"joint": frozenset({LOCATION, MONTH})}, r"draws joint over \['location', 'mo"),
        (lambda _: {"basis": "residence"}, "deaths by residence"),
        (
            lambda f: {"panel": with_counts(f.panel, f.panel.reported + 1)},
            "the forecast of another",
        ),
        (lambda f: f.draws, "a ndarray, not a Forecast"),
        (lambda f: one_draw(f, np.nan), "not finite, first at draw 3, WV, 2021-09"),
    ],
)
def test_the_wrapper_refuses(bend, said):
    def bent(f: od.Forecast) -> object:
        other = bend(f)
        return replace(f, **other) if isinstance(other, dict) else other

    made = "" if "not finite" in said else "bent returned "  # those are no forecast at all
    refused(Model(Bent(bent), "bent"), f"{made}{said}")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.full((60, 1, 3), 5.0), r"shape \(60, 1, 3\), expected \(60, 1, 12\)"),
        (np.full((50, 1, 12), 5.0), r"shape \(50, 1, 12\), expected \(60, 1, 12\)"),
        (np.full((60, 2, 12), 5.0), r"shape \(60, 2, 12\), expected \(60, 1, 12\)"),
        (np.full((60, 1, 12), -5.0), "negative deaths, first at draw 0, OH, 2021-07"),
        (np.full((60, 1, 12), np.inf), "draws are not finite"),
        (np.full((60, 1, 12), "5"), "an array of <U1, expected an array of numbers"),
        (np.full((60, 1, 12), "5", object), "an array of object, expected an array of numbers"),
        ([[1.0], [1.0, 2.0]], "a list, expected an array of numbers"),
        (None, r"an array of shape \(\), expected"),
    ],
)
def test_a_decorated_function_is_refused(made: object, message: str) -> None:
    @od.forecaster(by="location", joint=("month",))
    def careless(panel: od.Panel, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        return made  # type: ignore[return-value]

    refused(careless, message)


def test_every_field_of_a_spec_counts() -> None:
    spec = get_model("drift").spec
    more = {"members": (spec,), "origin": "elsewhere==1.0", "dataset": "counties", "by": None}
    more |= {"joint": frozenset({LOCATION}), "parameters": (("a", "1"),), "target": TARGET_12MO}
    other = more | {"model": "x", "version": "99", "min_months": 99, "corrects_delay": True}
    assert set(other) == {f.name for f in fields(Spec)}
    hashes = {replace(spec, **{name: value}).hash for name, value in other.items()}
    assert len({spec.hash, *hashes}) == 1 + len(other)


@pytest.mark.parametrize(
    "name", ["dlm", "ensemble", "cdc-predicted", "drift+delay", "hierarchical"]
)
def test_the_delay_is_not_corrected_twice(name):
    with pytest.raises(UnknownNameError, match=rf"{re.escape(name)} corrects the delay") as caught:
        get_model(f"{name}+delay")
    assert caught.value.hint == f"use {name}"


@pytest.mark.parametrize("name", ["dlm", "ensemble", "hierarchical-quick", "drift+delay"])
def test_a_model_of_the_whole_panel_refuses_a_selection(name: str) -> None:
    panel = release_panel()
    model = get_model(name)
    assert model.spec.by is None
    with pytest.raises(PanelError, match="this one is a selection") as caught:
        model.fit(panel.select(["OH", "WV"]))
    assert name in str(caught.value)
    assert "forecast.select" in caught.value.hint
    # Another order is no selection.
    assert not panel.select(panel.locations[::-1]).selected
