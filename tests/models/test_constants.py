"""The constants that ship: found by date, a maximum, and what `make constants` gives."""

from __future__ import annotations

import datetime as dt
import itertools

import constants as tool
import dlm_estimate as estimate
import numpy as np
import pytest
from dlm_estimate import penalised, to_line

from odforecast.models.constants import SCALES, all_constants, constants_for, read_rows

DAY = dt.timedelta(days=1)


def test_the_newest_set_not_later_than_the_day():
    sets = all_constants()
    days = ["2018-12-31", "2020-12-31", "2022-12-31", "2024-12-31", "2026-01-14"]
    assert [str(s.cutoff) for s in sets] == days
    for before, after in itertools.pairwise(sets):
        assert constants_for(before.cutoff) is before
        assert constants_for(after.cutoff - DAY) is before
        assert before.last_month < after.last_month < after.cutoff.isoformat()
    assert constants_for(dt.date(2050, 1, 1)) is sets[-1]
    assert constants_for(sets[0].cutoff - DAY) is sets[0]


def test_a_set_rests_on_what_was_published_by_its_cutoff():
    for each in all_constants():
        part = tool.span(each.cutoff.isoformat())
        assert str(part.last_month) == each.last_month
        assert part.data_hash == each.data_hash
        assert tool.publication_date(part.last_month) <= each.cutoff


def test_the_shipped_scales_are_a_maximum():
    for each in all_constants():
        counts = tool.span(each.cutoff.isoformat()).counts
        pins = (each.values["pin_level_variance"], each.values["pin_forget"])
        value = penalised(counts, pins)
        theta = np.array(each.scales())
        best = value(to_line(theta))
        for i, name in enumerate(SCALES):
            for factor in (0.97, 1.03):
                moved = theta.copy()
                moved[i] = min(moved[i] * factor, 0.9999)
                assert value(to_line(moved)) <= best + 0.05, (each.cutoff, name, factor)


@pytest.mark.slow
def test_the_first_set_is_what_make_constants_estimates(monkeypatch):
    """Of the pins' grid the shipped value, its neighbors and the ends; all: ``CHECK=1``."""
    first = all_constants()[0]
    few = {}
    for name, grid in estimate.PIN_GRID.items():
        at = grid.index(first.values[f"pin_{name}"])
        kept = sorted({0, at - 1, at, at + 1, len(grid) - 1} & {*range(len(grid))})
        few[name] = tuple(grid[i] for i in kept)
    monkeypatch.setattr(estimate, "PIN_GRID", few)
    rows = read_rows(tool.TABLE.read_text(encoding="utf-8"))
    rows_of = {r["name"]: r for r in rows if r["cutoff"] == tool.CUTOFFS[0]}
    again = tool.estimated(tool.span(tool.CUTOFFS[0]))
    assert [r["name"] for r in again if tool.differs(r, rows_of[r["name"]])] == []
    # Closer than an optimum on another machine need be.
    for row in again:
        assert float(row["value"]) == pytest.approx(first.values[row["name"]], rel=0.02)
