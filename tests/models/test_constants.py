"""The constants that ship: found by date, a maximum, and what `make constants` gives."""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
import math
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import odforecast as od
from odforecast.models.constants import SCALES, all_constants, constants_for, read_rows
from odforecast.models.delay.deficit import NAMES
from odforecast.models.statespace.model import CLASSES
from odforecast.models.statespace.share import ShareScales
from odforecast.vintage.donors import shipped

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import dlm_estimate as estimate
from dlm_estimate import penalised, to_line

SHARE = tuple(f.name for f in fields(ShareScales))

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def tool():
    path = Path(__file__).resolve().parents[2] / "tools" / "constants.py"
    spec = importlib.util.spec_from_file_location("tool_constants", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tool_constants"] = module
    # It imports its neighbor, as a script does.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


def test_the_newest_set_not_later_than_the_day():
    sets = all_constants()
    assert [s.cutoff.isoformat() for s in sets] == [
        "2018-12-31",
        "2020-12-31",
        "2022-12-31",
        "2024-12-31",
        "2026-01-14",
    ]
    for before, after in itertools.pairwise(sets):
        assert constants_for(before.cutoff) is before
        assert constants_for(after.cutoff - DAY) is before
        assert before.last_month < after.last_month < after.cutoff.isoformat()
    assert constants_for(dt.date(2050, 1, 1)) is sets[-1]
    assert constants_for(sets[0].cutoff - DAY) is sets[0]


def test_the_table_is_whole(tool):
    rows = read_rows(tool.TABLE.read_text(encoding="utf-8"))
    names = [*SCALES, "pin_level_variance", "pin_forget", "tail_df"]
    # The delay's have a table of their own.
    assert not {r["name"] for r in rows} & {n for n in NAMES if n != "noise"}
    assert not any(r["name"].startswith(("delay_", "revision_", "share_")) for r in rows)
    for each in all_constants():
        mine = [r for r in rows if r["cutoff"] == each.cutoff.isoformat()]
        assert [r["name"] for r in mine] == names
        for row in mine:
            assert row["how"] in ("estimated", "assumed")
            if row["how"] == "estimated":
                assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
            if row["name"].startswith("damp"):
                assert 0 < float(row["value"]) < 1


def test_a_set_rests_on_what_was_published_by_its_cutoff(tool):
    for each in all_constants():
        part = tool.span(each.cutoff.isoformat())
        assert str(part.last_month) == each.last_month
        assert part.data_hash == each.data_hash
        assert tool.publication_date(part.last_month) <= each.cutoff


def test_the_shipped_scales_are_a_maximum(tool):
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
def test_the_first_set_is_what_make_constants_estimates(tool, monkeypatch):
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


# The delay's rows, from the donors that ship.


@pytest.fixture(scope="module")
def delay(tool):
    return sys.modules[tool.compared_delay.__module__]


def delay_rows_that_ship(delay):
    return read_rows(delay.TABLE.read_text(encoding="utf-8"))


def test_the_delays_table_is_whole(tool, delay):
    rows = delay_rows_that_ship(delay)
    cutoffs = list(dict.fromkeys(r["cutoff"] for r in rows))
    assert cutoffs == list(tool.CUTOFFS)
    found = delay.observations()
    assert {s.release for s in found} == {str(d.release) for d in shipped()}
    for cutoff in cutoffs:
        known = [s.release for s in delay.known_by(cutoff, found)]
        mine = [r for r in rows if r["cutoff"] == cutoff]
        assert list(dict.fromkeys(r["without"] for r in mine)) == ["", *known]
        for without in ("", *known):
            assert [r["name"] for r in mine if r["without"] == without] == list(NAMES)
        for row in mine:
            assert row["how"] in ("estimated", "assumed")
            assert math.isfinite(float(row["value"]))
            if row["how"] == "estimated" and not row["without"]:
                assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
                assert row["method"] == f"{len(known)} releases {known[0]} to {known[-1]}"
        # A release is known once its last count is a year old.
        newest = max(known)
        assert f"{newest[:7]}" < cutoff


def test_the_delays_first_set_is_what_make_constants_estimates(tool, delay):
    """All sets: ``make constants CHECK=1``."""
    again = delay.delay_rows(tool.CUTOFFS[0], delay.observations())
    differs = [line for line in tool.compared_delay(again) if "now: nothing" not in line]
    assert differs == []
    first = [r for r in delay_rows_that_ship(delay) if r["cutoff"] == tool.CUTOFFS[0]]
    assert len(again) == len(first) == 5 * len(NAMES)


def test_a_set_rests_on_counts_a_year_old(delay):
    found = delay.observations()
    last = {str(d.release): d.last_month for d in shipped()}
    for cutoff in ("2018-12-31", "2020-12-31", "2022-12-31", "2025-09-17"):
        old = np.datetime64(cutoff, "M") - np.timedelta64(12, "M")
        expected = [s.release for s in found if last[s.release] <= old]
        assert [s.release for s in delay.known_by(cutoff, found)] == expected


# The drug classes' rows, from the bundled release and from real ones.


@pytest.fixture(scope="module")
def share(tool):
    return sys.modules[tool.estimated_shares.__module__]


def test_the_classes_table_is_whole(tool, share):
    rows = share.shipped_shares()
    assert [(r["cutoff"], r["class"], r["name"]) for r in rows] == [
        (cutoff, short, name) for cutoff in tool.CUTOFFS for short in CLASSES for name in SHARE
    ]
    for row in rows:
        value = float(row["value"])
        if row["how"] == "assumed":
            assert (row["low"], row["high"]) == ("", "")
            assert row["method"].startswith("mean of ")
            assert row["name"].startswith("late")
            continue
        assert float(row["low"]) <= value <= float(row["high"])
        shares = row["name"] in ("us", "slope", "damp") and row["class"] != "T40.4"
        assert row["how"] == ("pooled" if shares else "estimated")
        # The newest real release was a year old two months before the bundled one.
        assert row["last_month"] < row["cutoff"]
    assert share.written_shares(rows) == share.TABLE.read_text(encoding="utf-8")


LAST = np.datetime64("2020-01")


def release(day, month, lost=0.0, lost_of_class=0.0):
    """All drugs up to a month, with cocaine beside; the count of 2020-01 is not whole."""
    panel = od.bundled().as_of().panel().cut(month)
    part = replace(panel.beside["T40.4"], beside={}, low=None, high=None)
    reported, ours = panel.reported.copy(), part.reported.copy()
    reported[:, panel.months == LAST] *= 1 - lost
    ours[:, part.months == LAST] *= 1 - lost_of_class
    ours = replace(part, reported=ours)
    return day, replace(panel, reported=reported, low=None, high=None, beside={"cocaine": ours})
