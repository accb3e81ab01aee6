from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from odforecast.errors import UnknownNameError
from odforecast.scenario import named_intervention
from odforecast.scenario.catalogue import (
    attribution_shares,
    events,
    levers,
    prior_names,
    prior_table,
    to_markdown,
)

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"


def test_eight_priors_with_the_numbers_of_the_evidence():
    assert len(prior_names()) == 8
    shock = named_intervention("supply-shock-2023-like", onset="2026-03")
    assert (shock.size.mean, shock.size.sd, shock.p_null) == (-0.45, pytest.approx(0.2), 0.1)
    assert (shock.lag.median, shock.half_life.median) == (2, 30)
    assert (shock.ramp.low, shock.ramp.high) == (9, 15)
    national = named_intervention("analogue-scheduling", onset="2026-03")
    assert national.size.mean * national.exposure["default"] == pytest.approx(-0.04)
    assert named_intervention("tariff-only", onset="2026-03").half_life is None
    assert all(named_intervention(n, onset="2026-03").spread == 0.15 for n in prior_names())


def test_every_event_has_a_source_a_grade_and_tags():
    table = events()
    assert len(table) == 16
    assert table["month"].is_monotonic_increasing
    for column in ("event", "effect", "source", "grade", "tags", "changed", "lag"):
        assert (table[column].str.len() > 0).all()
    assert set(",".join(table["tags"]).replace(" ", "").split(",")) <= {"V", "C", "J"}
    measured = table[table["episode"]]
    assert np.isfinite(measured["log_rr"]).all()


def test_all_naloxone_figures_are_shown():
    assert levers()["lever"].str.contains("Naloxone").sum() == 2
    assert levers()["lever"].str.contains("HEALing").sum() == 1
    assert attribution_shares() == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_unknown_prior_names_the_known():
    with pytest.raises(UnknownNameError, match="allowed: supply-shock"):
        prior_table("peace")


def test_the_page_in_the_docs_is_the_library():
    assert PAGE.read_text(encoding="utf-8") == to_markdown()
