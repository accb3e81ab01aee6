"""Baselines of counties: what each draws, and what is done with what is hidden or lost."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from odforecast.forecast import Forecast
from odforecast.models.county.baselines import CountyBaseline, counts_of
from odforecast.models.model import Model
from odforecast.models.paths import shuffled_levels
from odforecast.names import ALL_DRUGS, COUNTIES, RESIDENCE, VINTAGE_CLEAN
from odforecast.panel import Panel
from odforecast.seeds import Streams

LAST = np.datetime64("2022-06", "M")
DELAWARE = ("10001", "10003", "10005")
RHODE_ISLAND = ("44001", "44003", "44005", "44007", "44009")
SEED = Streams(1, COUNTIES, ALL_DRUGS, str(LAST))


def sums_panel(counts: np.ndarray, places: tuple[str, ...], totals: dict) -> Panel:
    """A panel of 12-month counts (L, T), hidden from 1 to 9, lost from 1,000 on."""
    counts = np.array(counts, dtype=float)
    hidden, lost = (counts >= 1) & (counts <= 9), counts >= 1000
    reported = np.where(hidden | lost, np.nan, counts)
    common: dict[str, Any] = dict.fromkeys(("as_of", "release"), dt.date(2022, 11, 15))
    common |= {"indicator": ALL_DRUGS, "vintage": VINTAGE_CLEAN}
    common["months"] = LAST - np.arange(counts.shape[1])[::-1].astype("timedelta64[M]")

    def blank(like: np.ndarray) -> dict[str, np.ndarray]:
        return dict.fromkeys(("predicted", "complete", "pending"), np.full(like.shape, np.nan))

    whole = np.array(list(totals.values()), dtype=float)
    states = Panel(**common, locations=tuple(totals), reported=whole, **blank(whole))
    return Panel(
        **common,
        **blank(counts),
        locations=places,
        reported=reported,
        low=np.where(hidden, 1.0, np.where(lost, 1000.0, reported)),
        high=np.where(hidden, 9.0, np.where(lost, np.inf, reported)),
        dataset=COUNTIES,
        basis=RESIDENCE,
        beside={"states": states},
        urban=dict.fromkeys(places, "3"),
    )


def two_states() -> tuple[Panel, np.ndarray]:
    """Delaware and Rhode Island: shown, partly and always hidden, always 0, and lost counts."""
    means = np.array([12.0, 0.7, 3.0, 0.25, 0.8, 5.0, 110.0, 0.0])
    months = np.random.default_rng(3).poisson(means[:, None], (8, 41))
    sums = np.lib.stride_tricks.sliding_window_view(months, 12, axis=1).sum(axis=2)
    totals = {"DE": sums[:3].sum(axis=0), "RI": sums[3:].sum(axis=0)}
    return sums_panel(sums, DELAWARE + RHODE_ISLAND, totals), sums


def drawn(name: str, panel: Panel, draws: int = 200) -> Forecast:
    return Model(CountyBaseline(name), name).fit(panel).draw(12, draws, SEED)


def hidden_numbers(fips, draws):
    """What a county's hidden counts are in each draw, as the module says it."""
    return 1 + SEED.generator("hidden", fips).permutation(draws) * 9 // draws


@pytest.mark.parametrize("fips", ["10001", "10003", "44003"])
def test_hub_baseline_is_the_last_count_and_the_countys_own_mirrored_changes(fips):
    panel, _ = two_states()
    draws = 90
    made = drawn("county-hub-baseline", panel, draws)
    row = panel.locations.index(fips)
    levels = shuffled_levels(draws, SEED.generator("location", fips))
    number = hidden_numbers(fips, draws)
    for d in range(draws):
        history = np.where(panel.hidden[row], number[d], panel.reported[row])
        for h in (1, 5, 12):
            gaps = history[h:] - history[:-h]
            error = np.quantile(np.concatenate([gaps, -gaps]), levels[d])
            want = max(0.0, history[-1] + np.rint(error))
            assert made.draws[d, row, h - 1] == want, (d, h)


def test_last_value_takes_one_spread_of_square_roots_from_all_counties_shown():
    panel, _ = two_states()
    made = drawn("county-last", panel)
    roots = np.sqrt(np.where(panel.reported >= 10, panel.reported, np.nan))
    for fips in ("10001", "10003", "44009"):  # shown, at times hidden, always 0
        row = panel.locations.index(fips)
        levels = shuffled_levels(200, SEED.generator("location", fips))
        last = np.where(panel.hidden[row, -1], hidden_numbers(fips, 200), panel.reported[row, -1])
        for h in (1, 12):
            gaps = (roots[:, h:] - roots[:, :-h]).ravel()
            gaps = gaps[~np.isnan(gaps)]
            error = np.quantile(np.concatenate([gaps, -gaps]), levels)
            want = np.rint(np.maximum(np.sqrt(last) + error, 0) ** 2)
            np.testing.assert_array_equal(made.draws[:, row, h - 1], want)


def test_a_lost_count_is_what_the_state_leaves_in_each_draw():
    panel, sums = two_states()
    counts = counts_of(panel, "x")
    hidden = counts.drawn_hidden(90, SEED)
    row = panel.locations.index("44007")
    rows = [3, 4, 5, 7]
    for t in (0, 29):
        others = sum(
            hidden[i] if panel.hidden[i, t] else np.full(90, panel.reported[i, t]) for i in rows
        )
        want = np.maximum(1000, sums[3:, t].sum() - others)
        np.testing.assert_array_equal(counts.drawn_lost(row, hidden)[:, t], want)
    np.testing.assert_array_equal(
        counts.drawn_last(hidden)[row], counts.drawn_lost(row, hidden)[:, -1]
    )


@pytest.mark.parametrize("part", ["no states", "not all counties"])
def test_without_the_whole_state_a_lost_count_is_its_floor_and_that_is_said(part):
    panel, _ = two_states()
    few = panel.select([s for s in panel.locations if s != "44001"])
    few = replace(panel, beside={}) if part == "no states" else replace(few, selected=False)
    made = drawn("county-hub-baseline", few)
    assert (made.draws[:, made.locations.index("44007")] == 1000).all()
    assert any("taken as 1,000" in w and "RI" in w for w in made.warnings)


@pytest.mark.parametrize("name", ["county-hub-baseline", "county-last"])
def test_what_is_missing_stands_as_it_was_and_that_is_said(name):
    panel, sums = two_states()
    layers = {name: getattr(panel, name).copy() for name in ("reported", "low", "high")}
    for layer in layers.values():
        layer[0, -2:] = layer[2, :3] = layer[5] = np.nan
    panel = replace(panel, **layers)
    filled = counts_of(panel, "x")
    np.testing.assert_array_equal(filled.known[0, -3:], [sums[0, -3]] * 3)
    assert filled.hidden[2, 0] == filled.hidden[2, 3]
    made = drawn(name, panel)
    assert "44005" not in made.locations
    assert made.skipped == {"44005": "no count in any month"}
    assert any("10001" in w and "last one stands in" in w for w in made.warnings)
    assert np.median(made.draws[:, 0, 0]) == pytest.approx(sums[0, -3], rel=0.2)


COUNTS = st.sampled_from(range(16)) | st.just(np.nan) | st.integers(900, 1100)


@given(arrays(float, (3, 13), elements=COUNTS))
def test_any_counts_give_whole_numbers_for_every_county_with_one(counts):
    if np.isnan(counts).all():
        counts[0, 0] = 1.0
    panel = sums_panel(counts, DELAWARE, {"DE": np.nansum(counts, axis=0)})
    some = [s for s, row in zip(DELAWARE, counts) if not np.isnan(row).all()]
    made = drawn("county-hub-baseline", panel, 9)  # the other may have nothing to pool
    assert list(made.locations) == some
    assert (made.draws == np.rint(made.draws)).all()
    assert (made.draws >= 0).all()
