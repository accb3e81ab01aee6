"""The parts of a change are what they are said to be, and add up to it."""

import contextlib
import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panel_factory import as_release, bundled_panel, with_counts

import odforecast as od
from odforecast.errors import DataError, OdforecastError
from odforecast.panel import LAYERS
from odforecast.panel.pseudo import clean
from odforecast.sources.vsrr import read_vsrr
from odforecast.updating import changes as ch
from odforecast.updating import record as records

PLACES = ("US", "OH", "WY")
CAUSES = ["model", "revisions", "new_months", "places"]
NONE = records.read("no-such-folder/record.csv")


def release(last, day, revise=0.0):
    """A release; the last six counts of Ohio some more than the bundled ones."""
    panel = as_release(bundled_panel(PLACES), last)
    reported = panel.reported.copy()
    reported[1, -6:] += revise
    return replace(with_counts(panel, reported, panel.predicted), release=day, as_of=day)


MARCH, APRIL = dt.date(2021, 10, 13), dt.date(2021, 11, 17)
BEFORE, NEXT = release("2021-03", MARCH), release("2021-04", APRIL)
MOVED = release("2021-04", APRIL, revise=30.0)


def change(panel, earlier=BEFORE, recorded=NONE, model="naive", draws=200, places=PLACES):
    made, there = od.get_model(model), tuple(s for s in places if s in panel.locations)
    now = ch.forecast_from(made, panel, there, 12, draws, 1)
    return ch.compared(now, panel, earlier, made, recorded, there)


def test_with_revisions_alone_new_months_have_no_part():
    panel = release("2021-03", APRIL, revise=50.0)
    found = change(panel)
    table = found.table
    assert found.new_months.size == 0
    assert found.counts == {"new": 0, "common": 3 * panel.months.size, "revised": 6}
    assert (table["new_months"] == 0).all()
    assert (table["new_months_error"] == 0).all()
    np.testing.assert_array_equal(table["revisions"], table["change"])
    assert (table[table["location"] == "OH"]["revisions"].abs() > 1).all()
    assert (table.loc[table["location"] == "WY", "change"] == 0).all()
    row = found.revised[found.revised["location"] == "OH"].iloc[0]
    assert (row["revision"], row["reported_now"] - row["reported_before"]) == (50.0, 50.0)


def test_with_new_months_alone_revisions_have_no_part() -> None:
    # A model that takes counts as they are: the same counts, the same draws, the same median.
    found = change(replace(NEXT, final_through=BEFORE.final_through))
    assert [str(m) for m in found.new_months] == ["2021-04"]
    assert found.counts == {"new": 3, "common": 3 * BEFORE.months.size, "revised": 0}
    assert (found.table["revisions"] == 0).all()
    assert (found.table["revisions_error"] == 0).all()
    np.testing.assert_allclose(found.table["new_months"], found.table["change"])
    assert (found.table["new_months_error"] > 0).sum() > 30
    assert (found.table["horizon"].max(), found.table["horizon"].min()) == (11, 0)


@pytest.mark.parametrize("model", ["naive+delay", "drift-sums"])
def test_the_parts_add_up(model):
    found = change(MOVED, model=model)
    table = found.table
    assert len(table) == 3 * 12
    np.testing.assert_allclose(table["revisions"] + table["new_months"], table["change"])
    assert found.counts["revised"] == 5  # of the six, the last is new
    assert table["model"].isna().all()  # nothing is recorded, so no forecast can differ


def test_places_alone_are_the_cause_where_nothing_else_differs() -> None:
    # The release again, without Wyoming: no count is revised, none is new, the model is the same.
    without = replace(BEFORE.select(["US", "OH"]), selected=False)
    for panel, earlier in ((without, BEFORE), (BEFORE, without)):
        made = ch.forecast_from(od.get_model("dlm"), earlier, earlier.locations, 12, 200, 1)
        held = records.lines_of(NONE, made, earlier, earlier.release)
        found = change(panel, earlier, recorded=held, model="dlm")
        table = found.table
        assert found.places == ("WY",)
        assert (table[CAUSES[:3]] == 0).all(axis=None)
        assert (table[["revisions_error", "new_months_error"]] == 0).all(axis=None)
        assert (table["places"].abs() > 1).any()
        np.testing.assert_array_equal(table["places"], table["change"])
        said = " ".join(ch.sentences(found, "US"))
        assert "from places that only one of the releases has (Wyoming)" in said
        assert "From places" in ch.table_of(found)[0]
    assert change(BEFORE, BEFORE, model="dlm").table["change"].eq(0).all()


def test_a_revision_that_moves_more_than_the_count_says_what_else_it_moved() -> None:
    # Its last six counts rise by 30 each, and so does the slope: a model of trends goes on.
    found = change(release("2021-03", APRIL, revise=300.0), model="drift-sums")
    row = found.table[(found.table["location"] == "OH") & (found.table["horizon"] == 12)].iloc[0]
    said = " ".join(ch.sentences(found, "OH"))
    assert abs(row["revisions"]) > 320
    assert re.search(
        r"Of the \+\d+ from revisions, \+300 is the reported count for March 2021, ", said
    )
    small = " ".join(ch.sentences(change(NEXT), "OH"))
    assert "from revisions, " not in small


@pytest.mark.slow
def test_on_real_releases_the_four_add_up_and_none_is_there_without_its_input(shared) -> None:
    seen = set()
    for panel, earlier in pairs_of_releases(shared):
        places = tuple(s for s in ("US", "OH", "NC", "WY") if s in panel.locations)
        found = change(panel, earlier, model="drift+delay", draws=100, places=places)
        table, pair = found.table, (earlier.release, panel.release)
        assert (found.why_not, len(table) > 0) == ("", True), pair
        np.testing.assert_allclose(table[CAUSES[1:]].sum(axis=1), table["change"], atol=1e-9)
        if not found.places:
            assert (table[["places", "places_error"]] == 0).all(axis=None), pair
        if not found.new_months.size:
            assert (table[["new_months", "new_months_error"]] == 0).all(axis=None), pair
        seen.add((bool(found.places), bool(found.new_months.size)))
        same = change(panel, panel, model="drift+delay", draws=100, places=places).table
        assert (same[[*CAUSES[1:], "change"]] == 0).all(axis=None), pair
    assert {(False, True), (True, True)} <= seen


def pairs_of_releases(shared):
    """Each real release that can be forecast, with the one before it."""
    tables = {v.date: v.table for v in (od.bundled().as_of(d) for d in od.bundled().releases())}
    for file in sorted([*(shared / "vsrr").glob("20*"), *(shared / "unread").glob("20*")]):
        with contextlib.suppress(DataError):
            read = read_vsrr(file)
            tables.setdefault(read.release, read.table)
    archive = od.Archive.in_memory(tables)
    panels = []
    for day in archive.releases():
        with contextlib.suppress(OdforecastError):
            panel = archive.as_of(day).panel()
            od.get_model("drift+delay").fit(panel)
            panels.append(panel)
    assert len(panels) >= 20, len(tables)
    return list(zip(panels[1:], panels))


@pytest.mark.slow
def test_the_error_is_what_chance_does() -> None:
    # The same release of another last month, seed by seed: medians move by their standard error.
    model = od.get_model("naive")
    seen, said = [], []
    for seed in range(30):
        now = ch.forecast_from(model, NEXT, ("OH",), 12, 200, seed)
        table = ch.compared(now, NEXT, BEFORE, model, NONE, ("OH",)).table
        row = table[table["horizon"] == 6].iloc[0]
        seen.append(row["change"])
        said.append(row["change_error"])
    assert 0.6 < np.std(seen) / np.mean(said) < 1.6


def recorded(panel, model="naive"):
    made = ch.forecast_from(od.get_model(model), panel, PLACES, 12, 200, 1)
    return records.lines_of(NONE, made, panel, panel.release)


def test_a_recorded_forecast_is_what_is_compared_with():
    found = change(MOVED, recorded=recorded(BEFORE))
    assert found.recorded
    assert found.settings == ()
    assert (found.table["model"] == 0).all()
    said = " ".join(ch.sentences(found, "OH"))
    assert "The model and its settings are the same." in said
    assert "adds 1 new month (April 2021: 3 counts)" in said
    total = found.table[CAUSES].sum(axis=1)
    # Exactly: what the record rounds is no part of any of them. More than that is of the model.
    np.testing.assert_allclose(total, found.table["change"], rtol=0, atol=1e-9)
    held = recorded(BEFORE)
    moved = change(MOVED, recorded=held.assign(median=held["median"] + 0.3))
    np.testing.assert_allclose(moved.table["model"], -0.3, atol=0.051)


def test_another_model_is_a_reason_of_its_own_and_what_is_otherwise_is_named():
    found = change(MOVED, recorded=recorded(BEFORE, "drift"))
    assert found.settings[0] == "model: drift, now naive"
    assert (found.table["model"] != 0).any()
    total = found.table[CAUSES].sum(axis=1)
    np.testing.assert_allclose(total, found.table["change"], atol=1e-9)
    np.testing.assert_array_equal(found.table["revisions"], change(MOVED).table["revisions"])
    assert "from the model (model: drift, now naive" in " ".join(ch.sentences(found, "OH"))
    found = change(NEXT, recorded=recorded(BEFORE).assign(version="0.0.1"))
    assert (found.table["model"] == 0).all()
    said = " ".join(ch.sentences(found, "US"))
    assert "without effect here: version of odforecast: 0.0.1, now " in said
    found = change(NEXT, recorded=recorded(release("2021-03", MARCH, revise=9.0)))
    assert any("what the archive holds of that release" in text for text in found.settings)


def test_without_the_release_before_the_change_is_whole():
    found = change(NEXT, earlier=None, recorded=recorded(BEFORE))
    assert "the archive does not hold release 2021-10-13" in found.why_not
    assert found.table["change"].notna().all()
    assert found.table[CAUSES].isna().all(axis=None)
    assert len(ch.table_of(found)[0]) == 4
    assert "is not split" in " ".join(ch.sentences(found))
    found = change(NEXT, earlier=None)
    assert found.table.empty
    assert ch.sentences(found) == ["There is no earlier release or forecast to compare with."]
    assert ch.table_of(found)[1:] == []


def test_a_place_that_is_gone_is_named():
    panel = replace(NEXT.select(["US", "OH"]), selected=False)
    for found in (change(panel), change(panel, recorded=recorded(BEFORE))):
        assert set(found.table["location"]) == {"US", "OH"}
        assert "not now: Wyoming." in " ".join(ch.sentences(found))
    assert change(panel).lost == ("WY",)
    found = change(MOVED)
    said = " ".join(ch.sentences(found, "TX"))
    assert "There is no earlier forecast of Texas to compare with." in said
    assert not [x for x in ("the United States", "Ohio", "Wyoming") if x in said]


def test_what_cannot_be_forecast_again_is_compared_all_the_same():
    layers = {name: getattr(BEFORE, name)[:, -20:] for name in LAYERS}
    short = replace(BEFORE, months=BEFORE.months[-20:], triangle=None, **layers)
    found = change(NEXT, earlier=short, recorded=recorded(BEFORE))
    assert "release 2021-10-13 cannot be forecast again" in found.why_not
    assert found.table["change"].notna().all()
    alone = " ".join(ch.sentences(change(NEXT, earlier=short)))
    assert "The record has no forecast from it. The new release" in alone
    assert "month in common" not in alone


def test_a_release_without_its_newest_months_keeps_what_it_says_of_the_others():
    panel = od.bundled().as_of().panel()
    left = ch.without_newest(panel, panel.cut("2024-12"))
    assert str(left.last_month) == "2024-12"
    for name in ("as_of", "release", "final_through", "vintage"):
        assert getattr(left, name) == getattr(panel, name), name
    for name in LAYERS:
        np.testing.assert_array_equal(getattr(left, name), getattr(panel, name)[:, :-8])
    assert str(left.beside["T40.4"].last_month) == "2024-12"
    assert ch.without_newest(panel, panel) is panel
    # What stands beside it ends where it ended then, which may be elsewhere.
    part = panel.beside["T40.4"]
    older = replace(panel, beside={"T40.4": clean(part, np.datetime64("2024-10"))})
    older = replace(older, **{n: getattr(panel, n)[:, :-8] for n in LAYERS}, triangle=None,
                    months=panel.months[:-8])  # fmt: skip
    again = ch.without_newest(panel, older)
    assert (str(again.last_month), str(again.beside["T40.4"].last_month)) == ("2024-12", "2024-10")
    made = od.get_model().fit(left).forecast(draws=20)
    assert (made.last_month, set(made.beside)) == (left.last_month, {"T40.4"})


def test_nothing_published_later_moves_the_middle_forecast():
    reported = MOVED.reported.copy()
    reported[:, -1] *= 1.1
    a, b = change(MOVED).table, change(with_counts(MOVED, reported, MOVED.predicted)).table
    np.testing.assert_array_equal(a["revisions"], b["revisions"])
    assert (a["new_months"] != b["new_months"]).any()


def test_a_word_for_each_month_that_became_final():
    later = replace(NEXT, final_through=np.datetime64("2020-12"))
    found = change(later)
    assert str(found.final) == "2020-12"
    assert "Counts through December 2020 are now final." in " ".join(ch.sentences(found))
    assert change(replace(later, final_through=BEFORE.final_through)).final is None


def test_the_largest_changes_come_first_behind_the_place():
    found = change(release("2021-04", APRIL, revise=300.0))
    last = found.table[found.table["month"] == found.table["month"].max()].set_index("name")
    beside = (last["change"] / (last["before_high"] - last["before_low"])).abs()
    named = [row[0] for row in ch.table_of(found, "WY")[1:]]
    assert named[0] == "Wyoming"
    assert named[1:] == list(beside.drop("Wyoming").sort_values(ascending=False).index)


def crafted(rows):
    table = pd.DataFrame(rows).assign(month=pd.Timestamp("2022-03-01"), horizon=11)
    table["change"] = table["revisions"] = table["now"] - table["before"]
    none = ("change_error", *(f"{c}_error" for c in CAUSES[1:]), "model", "new_months", "places")
    table = table.assign(**dict.fromkeys(none, 0.0))
    months = np.array(["2021-04"], "datetime64[M]")
    return ch.Change(MARCH, True, table, months, {}, pd.DataFrame(columns=list(ch.REVISED)))


@pytest.mark.parametrize(
    ("earlier", "present", "said"),
    [
        ((900.0, 1000.0, 1100.0), (1040.0, 1090.0, 1140.0), "inside"),  # not the other way round
        ((990.0, 1000.0, 1010.0), (980.0, 1050.0, 1100.0), "outside"),
        ((900.0, 1000.0, 1100.0), (850.0, 890.0, 1200.0), "outside"),
    ],
)
def test_inside_is_the_new_median_in_the_earlier_interval(earlier, present, said):
    low, now, high = present
    row = dict(zip(("before_low", "before", "before_high"), earlier, strict=True))
    row |= {"location": "OH", "name": "Ohio", "low": low, "now": now, "high": high}
    text = " ".join(ch.sentences(crafted([row]), "OH"))
    assert f"The new median is {said} the previous 90% interval" in text
