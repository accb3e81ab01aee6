"""A release that contradicts itself is seen; the real ones do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage import quality
from odforecast.vintage.quality import contradictions

TABLE = od.bundled().as_of("2025-09-17").table
LAST = TABLE["month"].max()


def bent(state, month, how, indicator=ALL_DRUGS, column="reported", table=TABLE):
    out = table.copy()
    month = pd.Timestamp(month)
    at = (out["state"] == state) & (out["month"] == month) & (out["indicator"] == indicator)
    assert at.sum() == 1
    value = out.loc[at, column].item()
    out.loc[at, column] = how(value)
    return out


def cells(table, before=None):
    return [(c.location, c.month) for c in contradictions(table, before)]


def test_the_bundled_release_is_consistent():
    assert contradictions(TABLE) == []
    assert contradictions(TABLE, TABLE.assign(release=pd.Timestamp("2025-08-13"))) == []


@pytest.mark.slow
def test_real_releases_are_consistent(vsrr):
    last, seen = None, 0
    for path in sorted(vsrr.iterdir()):
        if "appended" in path.name or not path.name.startswith("20") or "metadata" in path.name:
            continue
        table = read_vsrr(path).table
        assert contradictions(table, last) == [], path.name  # alone, and beside the one before
        last, seen = table, seen + 1
    assert seen >= 15


def swapped(count):
    """The second and third digits in each other's place."""
    digits = f"{count:.0f}"
    assert digits[1] != digits[2]
    return float(digits[0] + digits[2] + digits[1] + digits[3:])


@pytest.mark.parametrize(
    ("state", "month", "how", "cell", "of_the_sum"),
    [
        ("WV", LAST, lambda x: 10 * x + 3, "a month before it is", "perhaps it is WV"),
        ("OH", "2020-07-01", lambda x: 10 * x, "a month before it is", ""),
        ("US", LAST, swapped, None, "jurisdictions add up to"),
        # Too small a change to be a jump: the sum alone tells, and the month next to it who.
        *(("OH", month, lambda x: round(x * 1.2), None, "perhaps it is OH")
          for month in ("2015-01-01", "2015-02-01", LAST)),
    ],
)  # fmt: skip
def test_the_cell_that_breaks_a_sum_is_named(state, month, how, cell, of_the_sum):
    found = contradictions(bent(state, month, how))
    if cell is not None:  # the cell itself comes before the sum it breaks
        assert found[0].location == state
        assert cell in str(found[0])
    assert {c.location for c in found} <= {state, "US"}
    if month == "2020-07-01":
        assert {c.month for c in found} == {"2020-07"}
    (us,) = [c for c in found if c.location == "US" and c.kind == "sum"]
    assert of_the_sum in us.message


def test_one_death_too_many_breaks_the_sum():
    (found,) = contradictions(bent("OH", "2020-07-01", lambda x: x + 1))
    whole = TABLE[(TABLE["state"] == "US") & (TABLE["month"] == "2020-07-01")
                  & (TABLE["indicator"] == ALL_DRUGS)]["reported"].item()  # fmt: skip
    assert found.value == whole
    assert f"{whole + 1:,.0f}" in found.message


def test_known_jurisdictions_that_are_more_than_the_nation():
    # One is hidden: the others cannot be more than the whole, but may be less.
    hidden = bent("WY", "2020-07-01", lambda _: np.nan)
    for more, seen in ((0, []), (200, [("US", "2020-07")]), (-200, [])):
        assert cells(bent("TX", "2020-07-01", lambda x: x + more, table=hidden)) == seen  # noqa: B023


def test_a_class_larger_than_its_whole():
    small = bent("OH", "2020-07-01", lambda x: x * 1.4, indicator=SYNTHETIC_OPIOIDS)
    rows = small[small["state"] == "OH"].assign(predicted=np.nan)
    found = contradictions(rows)
    assert [(c.location, c.indicator) for c in found] == [("OH", SYNTHETIC_OPIOIDS)]
    assert f"of '{ALL_DRUGS}', which holds them all" in found[0].message


def test_a_predicted_value_far_from_the_reported_one():
    assert cells(bent("OH", LAST, lambda x: 5.0 * x, column="predicted")) == []
    for factor in (0.5, 12.0):
        table = bent("OH", LAST, lambda x: x * factor, column="predicted")  # noqa: B023
        assert cells(table) == [("OH", str(LAST)[:7])]


def test_a_revision_that_no_reporting_explains():
    # Both cells of a pair of months moved: no jump inside, sums without the US hold.
    table = TABLE[TABLE["state"] == "OH"]
    before = table.assign(release=pd.Timestamp("2025-08-13"), reported=table["reported"] * 0.4,
                          predicted=np.nan)  # fmt: skip
    assert len(cells(table, before)) > 100
    old = before.assign(release=pd.Timestamp("2023-08-13"))
    assert cells(table, old) == []  # too long ago to compare with
    later = before.assign(release=pd.Timestamp("2025-10-15"))
    assert cells(table, later) == []  # nothing later is looked at


@pytest.mark.parametrize(("back", "said"), [(0, False), (11, False), (12, True)])
def test_records_may_come_all_at_once_within_a_year_only(back, said):
    table = TABLE[TABLE["state"] == "OH"]
    month = LAST - pd.DateOffset(months=back)
    # 2.6 times as many as the release before said.
    before = bent("OH", month, lambda x: round(x / 2.6), table=table)
    before = before.assign(release=pd.Timestamp("2025-08-13"), predicted=np.nan)
    assert cells(table, before) == ([("OH", str(month)[:7])] if said else [])


def test_the_limits_are_where_they_are_said_to_be():
    assert (quality.SHARE, quality.ROOTS, quality.DEATHS) == (0.5, 5.0, 10.0)
    a, b = np.array([[100.0, 100.0]]), np.array([[222.2, 239.0]])
    room = 0.5 * 100 + 5 * np.sqrt(b) + 10
    assert (quality.too_far(a, a, b, b) == (b - a > room)).all()
    assert quality.too_far(a, a, b, b).tolist() == [[False, True]]


def test_every_digit_changed_in_a_sum_is_seen():
    rng = np.random.default_rng(3)
    months = TABLE[(TABLE["state"] == "US") & (TABLE["indicator"] == ALL_DRUGS)]["month"]
    for _ in range(40):
        state = str(rng.choice(["US", *JURISDICTIONS]))
        month = pd.Timestamp(rng.choice(months))

        def change(x):
            digits = list(str(int(x)))
            i = rng.integers(len(digits))
            digits[i] = str((int(digits[i]) + int(rng.integers(1, 10))) % 10)
            return float("".join(digits))

        table = bent(state, month, change)
        assert (str(month)[:7]) in {m for _, m in cells(table)}, (state, month)


def outage(months):
    """Tennessee without records for some months: the release of then, and all counts after it."""
    table = TABLE[TABLE["state"] == "TN"].copy()
    back = 12 * (LAST.year - table["month"].dt.year) + LAST.month - table["month"].dt.month
    missing = np.maximum(months - back, 0) / 12.0
    then = table.assign(release=pd.Timestamp("2025-08-13"), predicted=np.nan,
                        reported=(table["reported"] * (1 - missing)).round())  # fmt: skip
    return then, table.assign(predicted=np.nan)


@pytest.mark.parametrize("months", [1, 3, 6, 8])
def test_a_backlog_that_arrives_at_once_is_no_contradiction(months):
    then, now = outage(months)
    assert contradictions(then) == []
    assert contradictions(now, then) == []
    # The same the other way round is: deaths do not go away.
    back = contradictions(then.assign(release=pd.Timestamp("2025-10-15")), now)
    assert (len(back) > 0) == (months >= 6)


def test_as_many_deaths_as_never_before_are_one():
    then, now = outage(0)
    bent_ = now.copy()
    bent_.loc[bent_["month"] >= "2024-10-01", "reported"] *= 4.0
    assert "move" in {c.kind for c in contradictions(bent_, then)}
    old = now.copy()
    early = old["month"] <= pd.Timestamp("2016-12-01")
    old.loc[early, "reported"] = (old.loc[early, "reported"] * 2.2).round()
    kinds = [c.kind for c in contradictions(old, then)]
    assert kinds.count("revision") > 10  # not in the months in which records still come
