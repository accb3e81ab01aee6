"""A size is the effect at full strength, and reproduces the quantity it was read from."""

from __future__ import annotations

import numpy as np
import pytest
from evidence_page import course_change, full_strength, quantities

import odforecast as od
from odforecast.scenario import named_intervention
from odforecast.scenario.catalogue import library
from odforecast.scenario.effects import EventPrior

TABLE = quantities().set_index("event")
COUNTED = TABLE.index[TABLE["since"] != ""]


def _on_the_counts(row):
    """Log change between the windows, of the bundled counts of the release named."""
    panel = od.bundled().as_of(row["release"]).panel(row["count"]).select("US")
    counts = dict(zip(panel.months.astype(str), panel.reported[0]))
    return float(np.log(counts[row["until"]] / counts[row["since"]]))


def test_every_prior_that_was_read_from_an_episode_names_it():
    assert set(TABLE["prior"]) == {
        "supply-shock-2023-like", "analogue-scheduling", "precursor-scheduling", "supplier-closure",
    }  # fmt: skip
    assert list(COUNTED) == ["carfentanil-scheduled", "supply-shock-2023"]


@pytest.mark.parametrize("event", COUNTED)
def test_the_quantity_stated_is_that_of_the_counts(event):
    assert TABLE.loc[event, "log_rr"] == pytest.approx(_on_the_counts(TABLE.loc[event]), abs=1.5e-3)


@pytest.mark.parametrize("event", COUNTED)
def test_the_priors_median_course_reproduces_the_counts(event):
    row = TABLE.loc[event]
    onset = next(e["dates"][0][:7] for e in library()["events"] if e["id"] == event)
    x = named_intervention(row["prior"], onset=onset)
    found = course_change(x, row["shipped"], row["since"], row["until"])
    assert float(found) == pytest.approx(_on_the_counts(row), abs=0.012)
    # The size that was shipped before, which took the change between two ramping years for it.
    assert abs(float(course_change(x, row["log_rr"], row["since"], row["until"]))) < 0.7 * abs(
        row["log_rr"]
    )


@pytest.mark.parametrize("event", TABLE.index)
def test_the_size_that_ships_is_the_size_at_full_strength(event):
    row = TABLE.loc[event]
    assert row["shipped"] == pytest.approx(row["size"], abs=0.035)


def test_the_fall_to_april_2025_asks_for_a_little_more():
    x = named_intervention("supply-shock-2023-like", onset="2023-07")
    panel = od.bundled().as_of("2025-09-17").panel("T40.4").select("US")
    fall = float(np.log(panel.reported[0, -1] / panel.reported.max()))
    assert fall == pytest.approx(-0.610, abs=5e-4)
    assert full_strength(x, fall, "2023-06", "2025-04") == pytest.approx(-0.70, abs=0.03)


def test_resumed_cooperation_is_the_share_credited_of_the_shock():
    resumed, shock = (
        named_intervention(n, onset="2026-01")
        for n in ("cooperation-resumed", "supply-shock-2023-like")
    )
    assert resumed.size == shock.size
    assert resumed.share == od.scenario.Beta(*library()["attribution"]["prior"]["beta"])
    assert resumed.lag != shock.lag
    # A posterior of the past takes the product as the normal with its mean and sd.
    rng = np.random.default_rng(1)
    drawn = shock.size.ppf(rng.random(400_000)) * resumed.share.ppf(rng.random(400_000))
    matched = EventPrior.of(resumed)
    assert (matched.mean, matched.sd) == pytest.approx((drawn.mean(), drawn.std()), abs=2e-3)


def test_a_rebound_adds_as_much_as_it_would_alone():
    alone = named_intervention("substitution-rebound", onset="2026-01").size.mean
    shock = named_intervention(
        "supply-shock-2023-like", onset="2026-01", rebound={"prior": "substitution-rebound"}
    )
    assert -shock.rebound.fraction.mean * shock.size.mean == pytest.approx(alone, abs=1e-3)


def test_controls_pass_and_closures_partly_stay():
    control, closure = (
        named_intervention(n, onset="2026-01") for n in ("precursor-scheduling", "supplier-closure")
    )
    assert control.p_null == pytest.approx(8 / 13, abs=0.02)
    assert control.residue.mean == 0.0
    assert closure.size.mean < control.size.mean
    assert closure.residue.mean == 0.5
