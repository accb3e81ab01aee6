"""The constants that ship: found by date, a maximum, and what `make constants` gives."""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
import math
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from delay_factory import DELAYS
from scipy.stats import t as student

import odforecast as od
from conftest import ROOT
from odforecast.errors import PanelError
from odforecast.models.constants import SCALES, all_constants, constants_for, read_rows
from odforecast.models.delay.deficit import NAMES
from odforecast.models.statespace.model import CLASSES
from odforecast.models.statespace.share import ShareScales
from odforecast.vintage.donors import shipped

sys.path.append(str(ROOT / "tools"))
import dlm_estimate as estimate
from dlm_estimate import (
    Counts,
    Number,
    estimate_scales,
    estimate_tail,
    national_innovations,
    next_month,
    penalised,
    to_line,
)

SHARE = tuple(f.name for f in fields(ShareScales))

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "constants.py"
    spec = importlib.util.spec_from_file_location("tool_constants", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["tool_constants"] = module
    # It imports its neighbour, as a script does.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


def simulated(theta, n_loc=16, n_region=2, n=120, seed=1):
    """Months of the model itself."""
    own, reg, us, us_slope, damp, noise, shock = theta
    rng = np.random.default_rng(seed)
    region = np.arange(n_loc) % n_region
    level = np.log(rng.uniform(60, 400, n_loc))
    slope = 0.0
    out = np.empty((n_loc, n))
    for t in range(n):
        mean = np.exp(level + shock * rng.standard_normal())
        out[:, t] = np.maximum(
            mean + np.sqrt(mean + (noise * mean) ** 2) * rng.standard_normal(n_loc), 0
        )
        level = level + slope
        level += own * rng.standard_normal(n_loc) + us * rng.standard_normal()
        level += (reg * rng.standard_normal(n_region))[region]
        slope = damp * slope + us_slope * rng.standard_normal()
    return Counts(out, region, np.ones(n))


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
    """Of the pins' grid the shipped value, its neighbours and the ends; all: ``CHECK=1``."""
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


def test_a_changed_number_is_named(tool):
    row = {"last_month": "2018-05", "how": "estimated", "data_hash": "a", "value": "1"}
    row |= {"low": "0.99", "high": "1.01"}
    assert not tool.differs(row | {"value": "1.015"}, row)
    assert tool.differs(row | {"value": "1.03"}, row)
    assert not tool.differs(row | {"value": "1.03"}, row | {"low": "0.8", "high": "1.2"})
    assert tool.differs(row | {"data_hash": "b"}, row)
    assert tool.differs(row, None)


def test_the_scales_of_simulated_months_are_found_again():
    true = dict(zip(SCALES, (0.05, 0.03, 0.03, 0.006, 0.9, 0.08, 0.02)))
    inside, total = 0, 0
    for seed in range(2):
        counts = simulated(tuple(true.values()), seed=seed)
        theta, low, high = estimate_scales(counts, (0.001, 0.05))
        inside += int(((low <= list(true.values())) & (list(true.values()) <= high)).sum())
        total += len(true)
        for name, near in (("level_own", 0.3), ("noise", 0.3), ("level_us", 0.6)):
            found = theta[SCALES.index(name)]
            assert abs(math.log(found / true[name])) < near, (seed, name, found)
    assert inside >= 0.8 * total


def test_next_month_prefers_the_truth_to_a_worse_scale():
    theta = (0.05, 0.03, 0.03, 0.006, 0.9, 0.08, 0.02)
    counts = simulated(theta, n=90)
    scores = {
        factor: sum(
            next_month(
                Counts(counts.months[:, :stop], counts.region, np.ones(stop)),
                (0.001, 0.05),
                np.array([factor * theta[0], *theta[1:5], factor * theta[5], theta[6]]),
            )
            for stop in range(60, 91)
        )
        for factor in (0.3, 1.0, 3.0)
    }
    assert max(scores, key=scores.get) == 1.0


def test_next_month_does_not_mind_which_pins_the_months_are_on():
    theta = np.array(all_constants()[0].scales())
    counts = simulated(theta, n=72)
    shift = np.random.default_rng(3).normal(0, 3, (len(counts.region), 12))
    shift -= shift.mean(axis=1, keepdims=True)
    moved = counts.months + shift[:, np.arange(72) % 12]
    other = Counts(moved, counts.region, np.ones(72))
    here, there = (next_month(c, (0.001, 0.05), theta) for c in (counts, other))
    # The rough level that scales the pins' noise is a 12-month mean: the same but at the ends.
    assert here == pytest.approx(there, abs=0.5)


def test_a_large_surprise_of_the_next_month_counts_by_its_logarithm():
    pins, theta = (0.001, 0.05), np.array(constants_for(dt.date(2019, 1, 1)).scales())
    months = np.random.default_rng(6).poisson(200, (1, 60)).astype(float)
    before = Counts(months[:, :-1], np.array([0]), np.ones(59))

    def density(last):
        counts = Counts(np.append(months[:, :-1], [[last]], axis=1), np.array([0]), np.ones(60))
        return next_month(counts, pins, theta)

    # Small errors are normal: three points give the parabola, its top the expected count.
    x = np.array([190.0, 200.0, 210.0])
    a, b, c = np.polyfit(x, [density(v) for v in x], 2)
    top = -b / (2 * a)
    pin = (before.pinned(*pins)[0] - before.months)[0, 59 - 12]
    expected = top + pin
    for error in (-0.9, 0.5, 0.99, 1.05, 1.5, 4.0):
        seen = error if error <= 1 else 1 + np.log(error)
        at = np.polyval([a, b, c], top) + a * (seen * expected) ** 2
        assert density(top + error * expected) == pytest.approx(at, rel=1e-6)


def test_innovations_of_the_model_itself_are_standard():
    theta = (0.05, 0.03, 0.03, 0.006, 0.9, 0.08, 0.02)
    spread = []
    for seed in range(6):
        counts = simulated(theta, n_loc=32, n_region=4, seed=seed)
        spread.append(np.var(national_innovations(counts.months, counts.region, np.array(theta))))
    assert 0.75 < np.mean(spread) < 1.25


def test_a_heavy_tail_is_found_and_a_light_one_is_not_told():
    rng = np.random.default_rng(1)
    heavy = estimate_tail(rng.standard_t(3, 400))
    assert heavy.how == "estimated"
    assert heavy.low < 3 < heavy.high
    light = estimate_tail(rng.standard_normal(40))
    assert light.how == "assumed"
    assert light.value == 5.0
    assert math.isinf(light.high)


def test_too_few_months_or_gaps_are_refused():
    region = np.zeros(2, dtype=np.int64)
    with pytest.raises(PanelError, match="36 months"):
        Counts(np.ones((2, 35)), region, np.ones(35))
    gap = np.ones((2, 40))
    gap[0, 3] = np.nan
    with pytest.raises(PanelError, match="without gaps"):
        Counts(gap, region, np.ones(40))


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


def test_a_changed_row_of_the_delay_is_named(delay):
    rows = delay_rows_that_ship(delay)
    assert delay.compared_delay(rows) == []
    moved = [dict(r) for r in rows]
    moved[0]["value"] = "0.2"
    lines = delay.compared_delay(moved)
    assert len(lines) == 2
    assert lines[0] == "ships: " + ",".join(rows[0].values())
    assert lines[1].startswith("  now: 2018-12-31,,kappa,0.2,")
    moved[0]["value"] = str(float(rows[0]["value"]) * 1.01)  # optima differ between machines
    assert delay.compared_delay(moved) == []
    assert any("now: nothing" in line for line in delay.compared_delay(rows[1:]))
    more = [*rows, rows[0] | {"cutoff": "2030-01-01"}]
    assert delay.compared_delay(more)[0] == "ships: nothing"


def test_the_delays_table_is_written_as_it_is_read(tool, delay, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(delay, "SEEN", tmp_path / "seen.csv.gz")
    rows = delay_rows_that_ship(delay)
    assert delay.written_delay(rows) == delay.TABLE.read_text(encoding="utf-8")
    before = tool.TABLE.read_bytes()
    table = tmp_path / "delay.csv"
    monkeypatch.setattr(tool, "DELAY_TABLE", table)
    monkeypatch.setattr(tool, "estimated_delay", lambda _: rows)
    assert tool.main(["--only", "delay"]) == 0
    assert table.read_bytes() == delay.TABLE.read_bytes()
    assert tool.TABLE.read_bytes() == before  # the other table is left alone
    table.unlink()
    assert tool.main(["--only", "delay", "--check"]) == 0
    assert "delay: as estimated now" in capsys.readouterr().out
    monkeypatch.setattr(tool, "estimated_delay", lambda _: [rows[0] | {"value": "9"}])
    assert tool.main(["--only", "delay", "--check"]) == 1
    assert not table.exists()


def test_the_delays_intervals_are_those_of_the_jackknife(delay, monkeypatch):
    """Of a mean: its own error, by Student's t."""
    found = [s for s in delay.observations() if s.release < "2020"]
    values = {s.release: 0.4 + 0.01 * i**2 for i, s in enumerate(found)}

    def mean(seen):
        kappa = np.mean([values[s.release] for s in seen])
        how = dict.fromkeys(NAMES, "assumed") | {"kappa": "estimated"}
        return replace(DELAYS, kappa=float(kappa)), how

    monkeypatch.setattr(delay, "estimate", mean)
    rows = delay.delay_rows("2030-12-31", found)
    (kappa,) = [r for r in rows if r["name"] == "kappa" and not r["without"]]
    x = np.array(list(values.values()))
    half = student.ppf(0.95, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    assert float(kappa["value"]) == pytest.approx(x.mean(), rel=1e-3)
    assert float(kappa["low"]) == pytest.approx(x.mean() - half, rel=1e-3)
    assert float(kappa["high"]) == pytest.approx(x.mean() + half, rel=1e-3)
    for row in rows:
        if row["name"] != "kappa":
            assert (row["low"], row["high"]) == ("", "")
        elif row["without"]:
            rest = [v for r, v in values.items() if r != row["without"]]
            assert float(row["value"]) == pytest.approx(np.mean(rest), rel=1e-3)
    # Two releases: nothing can be left out.
    two = delay.delay_rows("2030-12-31", found[:2])
    assert len(two) == len(NAMES)
    assert {r["low"] for r in two} == {""}


def test_the_printed_table_shows_every_number(delay):
    rows = delay_rows_that_ship(delay)
    text = delay.printed_delay(rows)
    assert all(f"| {name} | " in text for name in NAMES)
    assert "[0.4" in next(line for line in text.splitlines() if line.startswith("| kappa |"))
    assert "1 *" in next(line for line in text.splitlines() if "kappa_predicted" in line)


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


def test_the_numbers_of_t404_are_those_it_always_had(share):
    rows = [r for r in share.shipped_shares() if r["class"] == "T40.4"]
    values = {cutoff: [r["value"] for r in rows if r["cutoff"] == cutoff]
              for cutoff in ("2018-12-31", "2026-01-14")}  # fmt: skip
    assert values["2018-12-31"] == [
        "0.08423", "0.02965", "0.006191", "0.9888", "0.1109", "1.583", "1.183", "0.1986", "0.07759"
    ]  # fmt: skip
    assert values["2026-01-14"] == [
        "0.05942", "0.03873", "0.00449", "0.9884", "0.1115", "1.261", "1.087", "0.1548", "0.06231"
    ]  # fmt: skip


@pytest.mark.slow
def test_without_real_releases_what_arrives_late_stays(tool, share, monkeypatch, tmp_path):
    """And the scales of the first set are what ``make constants`` estimates."""
    monkeypatch.setattr(share, "read_releases", list)
    first = {tool.CUTOFFS[0]: tool.span(tool.CUTOFFS[0]).last_month}
    rows = share.estimated_shares(first)
    assert [(r["class"], r["name"]) for r in rows] == [(c, n) for c in CLASSES for n in SHARE[:6]]
    assert tool.compared_shares(rows) == []
    shipped = share.shipped_shares()
    merged = share.merged_shares(shipped, [rows[0] | {"value": "9"}])
    assert [r for r in merged if r not in shipped] == [rows[0] | {"value": "9"}]
    assert len(merged) == len(shipped)
    table = tmp_path / "shares.csv"
    monkeypatch.setattr(tool, "SHARE_TABLE", table)
    monkeypatch.setattr(tool, "estimated_shares", lambda _: rows)
    assert tool.main(["--only", "share", "--check"]) == 0
    assert not table.exists()
    assert tool.main(["--only", "share"]) == 0
    assert read_rows(table.read_text(encoding="utf-8"))[-1] == shipped[-1]
    monkeypatch.setattr(tool, "estimated_shares", lambda _: [rows[0] | {"value": "9"}])
    assert tool.main(["--only", "share", "--check"]) == 1


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


def test_what_a_class_missed_is_that_of_its_own_counts(share):
    """Late arrivals against the class's share of those of all drugs, the nation and states."""
    then, truth = release("2020-06-17", LAST, 0.02, 0.03), release("2021-12-15", "2021-06")
    nation, own = share.late_of_parts([then, truth], "cocaine")
    expected = (0.03 / 0.97) / (0.02 / 0.98)
    assert nation == [pytest.approx(expected)]
    ((late, of_all),) = own
    assert np.allclose(late / of_all, expected)
    assert late.size > 20
    # A count that is not a year old tells nothing yet.
    assert share.late_of_parts([then, ("2021-01-13", truth[1])], "cocaine") == ([], [])
    assert share.late_of_parts([], "cocaine") == ([], [])
    # Nothing came of all drugs: the nation has no such ratio.
    still = release("2020-06-17", LAST)
    assert share.late_of_parts([still, truth], "cocaine")[0] == []


def test_a_set_knows_the_late_arrivals_of_its_cutoff(share, monkeypatch):
    releases = [release(f"2020-0{m}-17", LAST, 0.02, 0.03) for m in (6, 7)]
    releases.append(release("2021-12-15", "2021-06"))
    own = {"own": Number(0.05, 0.04, 0.06, "estimated", "")}
    monkeypatch.setattr(share, "read_releases", lambda: releases)
    monkeypatch.setattr(share, "scales_of", lambda *_: (dict(own), "2020-05", "hash"))
    cutoffs = {"2020-12-31": LAST, "2022-12-31": LAST}
    rows = [r for r in share.estimated_shares(cutoffs) if r["class"] == "cocaine"]
    late = {r["cutoff"]: r for r in rows if r["name"] == "late"}
    # By 2020 no count was a year old; later two, and three that are imagined, about 1.
    assert set(late) == {"2022-12-31"}
    ratio = (0.03 / 0.97) / (0.02 / 0.98)
    assert float(late["2022-12-31"]["value"]) == pytest.approx((2 * ratio + 3) / 5, rel=1e-3)
    assert [r["name"] for r in rows if r["cutoff"] == "2020-12-31"] == ["own"]


def test_the_printed_table_marks_what_is_pooled_and_what_is_assumed(share):
    rows = share.shipped_shares()
    text = share.printed_shares(rows)
    assert all(f"| {short} | 2018-12-31 (2018-05)" in text for short in CLASSES)
    first = {(r["class"], r["name"]): r for r in rows if r["cutoff"] == "2018-12-31"}
    us, late = first["heroin", "us"], first["methadone", "late_own"]
    assert f"| us | {us['value']} [{us['low']}, {us['high']}] ° |" in text
    assert f"| late_own | {late['value']} * |" in text
