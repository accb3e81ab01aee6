"""The public record only grows, refuses what was edited, and anybody works the same out of it."""

import datetime as dt
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import as_release, bundled_panel, with_counts

import odforecast as od
from odforecast.errors import DataError
from odforecast.publication import publication_date
from odforecast.say import rounded, step_of
from odforecast.updating import outcomes, read
from odforecast.updating import record as records
from odforecast.updating.record import coverage_sentence, past_forecasts, record_markdown

PLACES = ("US", "OH")
THREE = ("2021-03", "2021-04", "2021-05")


@cache
def release(last, more=0.0):
    """A release of two places, its counts some more than the bundled ones."""
    panel = as_release(bundled_panel(PLACES), last)
    panel = with_counts(panel, panel.reported + more, panel.predicted)
    day = publication_date(last)
    return replace(panel, release=day, as_of=day)


@cache
def made(last, model="naive", seed=1):
    return od.get_model(model).fit(release(last)).forecast(draws=40, seed=seed)


def add(path, last, on=None, **how):
    panel = release(last)
    new = records.lines_of(read(path), made(last, **how), panel, on or panel.release)
    records.append(path, new)
    return new


@cache
def content(*lasts):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.csv"
        for last in lasts:
            add(path, last)
        return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.csv"


def test_what_was_written_is_read_and_says_how_it_was_made(path):
    new = add(path, "2021-03", dt.date(2021, 11, 20))
    table = read(path)
    pd.testing.assert_frame_equal(table, new)
    forecast = made("2021-03")
    assert len(table) == 2 * 12
    row = table[(table["location"] == "OH") & (table["horizon"] == 12)].iloc[0]
    low, middle, high = forecast.select("OH").quantiles([0.05, 0.5, 0.95])[:, 0, -1]
    assert (row["low_90"], row["median"], row["high_90"]) == tuple(np.round((low, middle, high), 1))
    dates = [f"{row[name]:%Y-%m-%d}" for name in ("month", "release", "on")]
    assert dates == ["2022-03-01", "2021-10-15", "2021-11-20"]
    said = forecast.provenance
    named = {"model": "label", "spec": "spec_hash", "version": "odforecast"}
    assert {k: row[k] for k in named} == {k: said[v] for k, v in named.items()}
    assert (row["data"], row["seed"], row["draws"]) == (release("2021-03").data_hash, 1, 40)
    before = path.read_bytes()
    assert add(path, "2021-03", dt.date(2022, 1, 1)).empty
    assert path.read_bytes() == before
    assert len(add(path, "2021-03", seed=2)) == 24
    assert path.read_bytes().startswith(before)


def _edits(lines):
    """A record after something was done to it, and the line that must be named."""
    digit = lines[10].replace(b"2021", b"2022", 1)
    return {
        "a digit": ([*lines[:10], digit, *lines[11:]], 11),
        "a line taken out": ([*lines[:10], *lines[11:]], 11),
        "a line put in": ([*lines[:10], lines[4], *lines[10:]], 11),
        "two lines changed over": ([*lines[:10], lines[11], lines[10], *lines[12:]], 11),
        "the first forecast taken out": ([lines[0], *lines[2:]], 2),
        "another head": ([lines[0].replace(b"median", b"middle"), *lines[1:]], 1),
        "an empty line": ([*lines[:10], b"\n", *lines[10:]], 11),
        "no text": ([*lines[:10], b"\xff\xfe\n", *lines[10:]], 11),
        "the last line": ([*lines[:-1], lines[-1].replace(b",1,40,", b",1,41,")], len(lines)),
        "another file": ([b"a,b\n", b"1,2\n"], 1),
        "nothing but a line end": ([b"\n"], 1),
        "a word": ([b"hello"], 1),
    }  # fmt: skip


@pytest.mark.parametrize("what", list(_edits(content(*THREE).splitlines(keepends=True))))
def test_an_edited_record_is_refused_by_the_number_of_its_line(what, path):
    lines, number = _edits(content(*THREE).splitlines(keepends=True))[what]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=f"record.csv, line {number}, is not as it was written"):
        read(path)
    with pytest.raises(DataError, match=f"line {number}, is not"):
        add(path, "2021-06")
    assert path.read_bytes() == b"".join(lines)


@given(st.data())
def test_cut_off_anywhere_it_is_recovered_and_made_whole(tmp_path_factory, data):
    whole = content(*THREE)
    start = len(content(*THREE[:2]))
    path = tmp_path_factory.mktemp("record") / "record.csv"
    kept = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:kept])
    table = read(path)
    ends = whole[:kept].count(b"\n")
    # A line that lacks its end alone is whole.
    only_end = bool(ends) and whole[kept : kept + 1] == b"\n"
    assert len(table) == max(ends - 1, 0) + only_end
    if start < kept:  # the update that was cut off is done again
        add(path, THREE[2])
        now, expected = read(path), path.with_name("whole.csv")
        last = now[now["batch"] == now["batch"].max()]
        assert len(last) == last["lines"].iloc[0]
        expected.write_bytes(whole)
        columns = [c for c in table if c not in ("batch", "lines")]
        pd.testing.assert_frame_equal(
            now[columns].sort_values(columns, ignore_index=True),
            read(expected)[columns].sort_values(columns, ignore_index=True),
        )
        assert path.read_bytes().startswith(whole[: whole[:kept].rfind(b"\n") + 1])


def test_other_line_ends_are_no_edit(path):
    path.write_bytes(content(*THREE).replace(b"\n", b"\r\n"))
    assert len(read(path)) == content(*THREE).count(b"\n") - 1
    path.write_bytes(content(*THREE).removesuffix(b"\n"))  # as an editor leaves it
    assert not records.is_torn(path)
    add(path, "2021-06")
    assert read(path)["batch"].max() == 4


def test_what_came_is_recorded_once_provisional_and_once_settled(path):
    add(path, "2021-03")
    # The next month has come out, first published: not settled, so not judged.
    second = add(path, "2021-04")
    came = second[second["kind"] == "came"]
    assert came["month"].dt.strftime("%Y-%m").tolist() == ["2021-04", "2021-04"]
    assert came["status"].tolist() == ["provisional", "provisional"]
    column = release("2021-04").reported[:, -1]
    assert dict(zip(came["location"], came["count"])) == dict(zip(PLACES, column))
    # A month later it has been revised: not recorded again before it is settled.
    assert "2021-04" not in _came(add(path, "2021-05"), "provisional")
    # In 2022-05 the count of 2021-04 is 13 months old, and that of 2021-06 not yet 12.
    later = add(path, "2021-12")
    assert release("2021-12").release == dt.date(2022, 5, 15)
    assert _came(later, "settled") == ["2021-04", "2021-05"]
    assert _came(later, "provisional") == [f"2021-{m:02d}" for m in range(6, 13)]
    table = outcomes(read(path))
    first = table[(table["batch"] == 1) & (table["location"] == "OH")]
    settled = first[first["came_status"] == "settled"]
    held = (settled["came"] >= settled["low_90"]) & (settled["came"] <= settled["high_90"])
    assert settled["inside_90"].tolist() == held.tolist()
    assert first.loc[first["came_status"] != "settled", "inside_90"].isna().all()
    assert len(settled) == 2
    assert "For 4 of them the count is final" not in coverage_sentence(read(path))
    # A count that moved after it was settled stays as recorded.
    moved = release("2022-01", more=7.0)
    new = records.lines_of(read(path), made("2022-01"), moved, moved.release)
    assert _came(new, "settled") == ["2021-06"]


def _came(table, status):
    came = table[(table["kind"] == "came") & (table["status"] == status)]
    return sorted(came["month"].dt.strftime("%Y-%m").unique())


def test_a_count_known_at_the_origin_is_no_outcome_before_it_is_settled(path):
    add(path, "2021-03", model="naive+delay")
    add(path, "2021-04", model="naive+delay")  # 2021-04 came, provisional, and is its horizon 0
    found = outcomes(read(path))
    found = found[(found["month"] == "2021-04-01") & (found["location"] == "OH")]
    ahead, known = found.sort_values("horizon", ascending=False).to_dict("records")
    assert (ahead["horizon"], ahead["came_status"]) == (1, "provisional")
    assert ahead["came"] == release("2021-04").reported[1, -1]
    assert known["horizon"] == 0
    assert np.isnan(known["came"])
    assert known["came_status"] is None
    assert pd.isna(known["came_release"])
    add(path, "2022-01", model="naive+delay")
    found = outcomes(read(path))
    found = found[(found["month"] == "2021-04-01") & (found["horizon"] <= 0)]
    assert set(found["came_status"]) == {"settled"}
    assert found["inside_90"].notna().all()


def test_of_two_lines_of_one_count_the_last_is_what_came(path):
    add(path, "2021-03")
    add(path, "2021-12")
    table = read(path)
    for status in ("provisional", "settled"):
        came = table[(table["kind"] == "came") & (table["status"] == status)]
        right = came.head(1).assign(count=came["count"].iloc[0] + 5000)
        records.append(path, records.batch_of(read(path), [right], dt.date(2022, 6, 1)))
        found = outcomes(read(path))
        keys = ["location", "month"]
        found = found[(found[keys] == right[keys].iloc[0]).all(axis=1) & (found["batch"] == 1)]
        assert found["came"].tolist() == right["count"].tolist()
        assert found["came_status"].tolist() == [status]


def test_what_is_withdrawn_is_nowhere_judged_and_said_to_be_there(path):
    add(path, "2021-03")
    add(path, "2021-12")
    held, before = path.read_bytes(), read(path)
    first = before[before["batch"] == 1]
    gone = first.head(1)[["release", "data"]].assign(kind="withdrawn", location="", status="")
    gone = records.typed(gone.assign(model="", spec="", version=""))
    records.append(path, records.batch_of(before, [gone], dt.date(2022, 6, 1)))
    assert path.read_bytes().startswith(held)
    last, data = path.read_text().splitlines()[-1], first["data"].iloc[0]
    assert last.startswith(f"3,1,withdrawn,2022-06-01,2021-10-15{',' * 14}{data},,,")
    table = read(path)
    assert set(outcomes(table)["batch"]) == {2}
    said = coverage_sentence(table)
    assert said.startswith("The record holds 24 forecasts.")
    assert "Not counted: 24 withdrawn because their release was wrong." in said
    assert {row[0] for row in past_forecasts(table, "OH")} == {"May 15, 2022"}
    # Counts stand: they are from another release. The forecast may be made once more, below.
    assert len(records.standing(table)) == len(before) - 24
    assert len(add(path, "2021-03", dt.date(2022, 6, 2))) >= 24
    assert set(outcomes(read(path))["batch"]) == {2, 4}
    # Counts of a release that is withdrawn are recorded from the next one.
    gone = gone.assign(release=pd.Timestamp("2022-05-15"), data="")
    records.append(path, records.batch_of(read(path), [gone], dt.date(2022, 6, 3)))
    assert outcomes(read(path))["came"].isna().all()
    assert _came(add(path, "2022-01"), "settled") == ["2021-04", "2021-05", "2021-06"]


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_release_forecast_several_times_counts_once(repeats, path):
    for seed in range(1, repeats + 1):
        add(path, "2021-03", seed=seed)
    for seed in range(1, repeats + 1):
        add(path, "2021-12", seed=seed)
    table = read(path)
    said = coverage_sentence(table)
    assert said.startswith("The record holds 48 forecasts. For 4 of them the count is final.")
    assert ("Not counted: 96 made again later" in said) == (repeats == 3)
    mine = outcomes(table)
    mine = mine[(mine["seed"] == repeats) & (mine["came_status"] == "settled")]
    inside = int(mine["inside_90"].sum())
    assert f"The 90% interval contained {inside} of these counts ({inside / 4:.0%})" in said
    row = mine[mine["location"] == "OH"].sort_values("month").iloc[0]
    shown = next(r for r in past_forecasts(table, "OH") if r[1] == "April 2021")
    step = step_of(row["low_90"], row["high_90"])
    assert shown[3].startswith(rounded(row["median"], step) + " (")


def test_a_model_is_judged_by_its_own_forecasts_and_named(path):
    for last in ("2021-03", "2021-12"):
        add(path, last)
        if last == "2021-03":
            add(path, last, model="drift")
    table = read(path)
    drift = "The record holds 24 forecasts by drift. For 4 of them"
    assert drift in coverage_sentence(table, "drift")
    assert coverage_sentence(table).startswith("The record holds 48 forecasts by naive. For 4 of")
    assert "Not counted" not in coverage_sentence(table)
    assert "holds 24 forecasts by drift" in record_markdown(path, "OH", model="drift")
    # The default is what is shown where it is there, whatever was made later.
    default = table.assign(model=table["model"].replace("drift", "dlm"))
    assert coverage_sentence(default).startswith("The record holds 24 forecasts by dlm.")
    naive = outcomes(table)
    naive = naive[(naive["model"] == "naive") & (naive["location"] == "OH")]
    shown = past_forecasts(table, "OH", model="naive")
    assert {row[0] for row in shown} == {"October 15, 2021", "May 15, 2022"}
    assert len({row[1] for row in shown}) == len(shown)


def test_the_record_as_text(path):
    add(path, "2021-03")
    assert "None can be scored yet" in record_markdown(path)
    add(path, "2021-12")
    text = record_markdown(path, "Ohio")
    assert "in 12 months, Ohio:" in text
    rows = past_forecasts(read(path), "OH")
    assert [len(row) for row in rows] == [6] * len(rows)
    assert "| not yet |" in text
    assert "| yes |" in text or "| no |" in text
    assert {row[5] for row in rows} <= {"", "yes", "no", "not scored yet"}
    assert {row[0] for row in rows if row[4] != "not yet"} == {"October 15, 2021"}
    assert record_markdown(path, "Texas") == "The record has no forecasts of Texas yet."
