"""The monthly habit against a server on this machine, and all that can go wrong with it."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque

import commands
import pandas as pd
import pytest
from update_server import FIRST, SECOND, files, refused, release_file, serve

import odforecast as od
from odforecast.cli import answer
from odforecast.errors import (
    ArchiveError,
    DataError,
    DownloadError,
    QuarantineError,
    UnknownNameError,
)
from odforecast.geography import called
from odforecast.updating import Update, default_out, read, update
from odforecast.updating import run as running
from odforecast.updating.run import Settings
from odforecast.vintage.bundle import default_folder

pytestmark = pytest.mark.usefixtures("quick_page")


def on(monkeypatch, day):
    monkeypatch.setattr(running, "today", lambda: dt.date.fromisoformat(day))


def test_two_releases_one_after_the_other(server, run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    on(monkeypatch, "2025-08-14")
    serve(server, FIRST)
    first = run()
    assert (first.release, first.new, first.added) == (FIRST[1], True, 4 * 13)
    assert repr(first).startswith("<Update from release 2025-08-13: 52 lines recorded, in ")
    assert first.change.why_not == "there is no earlier release or forecast to compare with"
    names = ["2025-08-13-odforecast-drift__delay.parquet", "changes.csv", "index.html"]
    made = [f"2025-08-13/{name}" for name in (*names, "update.json")]
    assert sorted(files(out)) == [*made, "record.csv"]
    held = (out / "record.csv").read_bytes()

    on(monkeypatch, "2025-09-18")
    serve(server, SECOND)
    second = run()
    assert second.release == SECOND[1]
    assert (out / "record.csv").read_bytes().startswith(held)
    table = second.record
    assert table["batch"].unique().tolist() == [1, 2]
    days = table.groupby("batch")["on"].first().dt.strftime("%Y-%m-%d").tolist()
    assert days == ["2025-08-14", "2025-09-18"]
    came = table[table["kind"] == "came"]
    assert came["month"].dt.strftime("%Y-%m").unique().tolist() == ["2025-04"]
    assert came["status"].unique().tolist() == ["provisional"]
    hub = od.hub.read(second.hub_file)
    assert hub["origin_date"].unique() == pd.Timestamp("2025-09-17")
    last = table[(table["batch"] == 2) & (table["location"] == "OH") & (table["horizon"] == 12)]
    middle = hub[(hub["location"] == "39") & (hub["horizon"] == 12)]
    assert set(hub["output_type"]) == {"quantile", "pmf"}
    middle = middle[middle["output_type_id"] == 0.5]["value"].iloc[0]
    assert last["median"].iloc[0] == round(middle, 1)
    # What changed is told from what was recorded a month ago, and its parts add up.
    assert second.change.recorded
    assert second.change.before == FIRST[1]
    assert [str(m) for m in second.change.new_months] == ["2025-04"]
    assert second.change.counts["revised"] > 0
    changed = second.changed
    assert (changed["model"] == 0).all()
    assert (changed["places"] == 0).all()
    both = changed["revisions"] + changed["new_months"]
    pd.testing.assert_series_equal(both, changed["change"], check_names=False, atol=0.06)
    page = (out / "2025-09-17" / "index.html").read_text()
    assert "What changed since the previous forecast" in page
    assert "adds 1 new month (April 2025: 4 counts)" in page
    assert all(words in second._repr_html_() for words in ("what changed", "Ohio"))
    assert "nothing new" in repr(run())


def test_the_same_release_again_changes_no_byte(first, run, tmp_path):
    before = files(tmp_path)
    for how in ({}, {"fetch": False}, {"model": "naive"}, {"seed": 9}, {"locations": "OH"}):
        done = run(**how)
        assert not done.new
        assert done.added == 0
        assert any(n.startswith("release 2025-08-13 was forecast on ") for n in done.notes)
        assert any("--again makes another" in n for n in done.notes) == bool(set(how) - {"fetch"})
        assert files(tmp_path) == before
    assert run().forecast.months[-1] == done.forecast.months[-1]


def test_again_with_other_settings_both_are_recorded(first, run, tmp_path):
    held = first.record_file.read_bytes()
    assert not run(again=True).new  # nothing is otherwise
    done = run(again=True, model="naive")
    assert done.new
    assert done.record_file.read_bytes().startswith(held)
    assert done.record.groupby("batch")["model"].first().tolist() == ["drift+delay", "naive"]
    assert json.loads((done.folder / "update.json").read_text())["model"] == "naive"
    assert sorted(os.listdir(tmp_path / "out")) == ["2025-08-13", "record.csv"]
    hub = "2025-08-13-odforecast-naive.parquet"
    assert sorted(os.listdir(done.folder)) == [hub, "changes.csv", "index.html", "update.json"]


def test_a_server_that_is_down_is_one_line(server, run, tmp_path):
    for words in ("--no-fetch", r"2 attempts.*or go on with .* --no-fetch"):
        serve(server, FIRST)
        server.faults["meta"] = deque(["503"] * 2)
        with refused(tmp_path / "out", DownloadError, words):
            run()
        run()
    assert not run(fetch=False).new
    serve(server, SECOND)
    server.faults["page"] = deque(["truncate"] * 2)
    with refused(tmp_path / "out", DownloadError):
        run()
    assert run().new


@pytest.mark.parametrize("before", [True, False], ids=["with one before", "the first"])
def test_a_release_that_contradicts_itself_stops_the_update(before, server, run, tmp_path):
    if before:
        serve(server, FIRST)
        run()
    serve(server, SECOND)
    wrong = next(r for r in server.rows if r["state"] == "OH" and r["year"] == "2020")
    server.rows[server.rows.index(wrong)] = wrong | {"data_value": "9"}
    for _ in range(2):
        with refused(tmp_path / "out", QuarantineError, "contradicts itself and was set aside"):
            run()
    if not before:
        with pytest.raises(ArchiveError, match="holds no release"):
            run(fetch=False)
        return
    done = run(fetch=False)  # the release before is there, and was forecast
    assert (done.new, done.release) == (False, FIRST[1])
    assert any("2025-09-17 is quarantined" in note for note in done.notes)
    assert not any("--again" in note for note in done.notes)  # it is the very same panel
    od.Archive(tmp_path / "archive").accept("2025-09-17", "it is said to be right")
    assert run(fetch=False).release == SECOND[1]


@pytest.mark.usefixtures("no_clocks")
@pytest.mark.parametrize(("places", "there"), [("all", True), ("Ohio", False)])
def test_the_page_has_the_problems_of_its_places_alone(places, there, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    how = {"fetch": False, "model": "drift+delay", "draws": 100}
    done = update(None, tmp_path / "out", locations=places, **how)
    flagged = {called(f.location) for f in done.flags if f.severity != "note"}
    found = [s for s in running.sections(done, done.record) if s.title.startswith("Problems")]
    rows = [row for section in found for table in section.tables for row in table.rows]
    assert {row[0] for row in rows} == (flagged if there else set())


def test_a_release_with_errors_that_was_let_in_unchecked_is_not_forecast(tmp_path):
    table = od.bundled().as_of("2025-09-17").table
    table.loc[(table["state"] == "OH") & (table["month"] == "2020-03-01"), "reported"] += 700
    store = od.Archive.in_memory({"2025-09-17": table})
    work = Update(store, tmp_path, Settings("naive", "all", 20, 1), read("none"))
    with refused(tmp_path, ArchiveError, r"2025-09-17 contradicts itself.*nothing was forecast"):
        work._do([], again=False)


def test_what_a_killed_update_left_is_cleared_away(first, run, tmp_path):
    out = tmp_path / "out"
    before = files(out)
    for name in (".2025-08-13.0123abcd.part", ".2025-07-16.0123abcd.part", ".mine.part"):
        (out / name).mkdir()
    (out / "2025-08-13").rename(out / ".2025-08-13.0123abcd.old")  # between two renamings
    assert not run().new
    assert files(out) == before
    assert sorted(os.listdir(out)) == [".mine.part", "2025-08-13", "record.csv"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("where", ["run.write_page", "records.append"])
def test_killed_it_leaves_nothing_half_written(where, tmp_path):
    module, name = where.split(".")
    script = f"""
import os, signal
from odforecast.updating import record as records, run
def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
setattr({module}, {name!r}, kill)
run.update({str(tmp_path / "a")!r}, {str(tmp_path / "out")!r}, fetch=False, model="naive",
           draws=40, locations="US,OH")
"""
    od.Archive(tmp_path / "a").add(release_file(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    out = tmp_path / "out"
    assert not (out / "record.csv").exists()
    assert (out / "2025-09-17").exists() == (module == "records")
    made = update(tmp_path / "a", out, fetch=False, model="naive", draws=40, locations="US,OH")
    assert made.new
    assert len(made.record) == 2 * 12
    assert sorted(os.listdir(out)) == ["2025-09-17", "record.csv"]


def test_an_edited_record_is_refused_and_nothing_is_written(first, server, run, tmp_path):
    file = first.record_file
    lines = file.read_text().splitlines(keepends=True)
    lines[6] = lines[6].replace(",drift+delay,", ",dlm,")
    file.write_text("".join(lines))
    serve(server, SECOND)
    words = r"record\.csv, line 7, is not as it was written.*copy"
    with refused(tmp_path / "out", DataError, words):
        run()


def test_two_at_once_are_one_after_the_other(server, run, tmp_path):
    serve(server, FIRST)
    reached, go_on = threading.Event(), threading.Event()

    def hold(kind, number):
        if kind == "count" and not go_on.is_set():
            reached.set()
            go_on.wait(30)

    server.before = hold
    seen = []
    one = threading.Thread(target=lambda: seen.append(run()))
    one.start()
    try:
        assert reached.wait(30)
        with pytest.raises(DataError, match="another update is running into"):
            update(tmp_path / "archive", tmp_path / "out", fetch=False)
    finally:
        go_on.set()
        one.join(60)
    assert seen[0].new
    assert len(seen[0].record) == 4 * 13


def test_a_page_that_fails_leaves_nothing(server, run, tmp_path, monkeypatch):
    serve(server, FIRST)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running, "write_hub", full)
    with pytest.raises(DataError, match=r"cannot write .*2025-08-13: No space left"):
        run()
    assert not os.listdir(tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write to"):
        update(out=tmp_path / "file" / "out", fetch=False, model="naive", draws=20)


@pytest.mark.parametrize("day", ["2025-08-12", "2025-08-20"])
def test_a_clock_that_is_wrong(day, server, run, tmp_path, monkeypatch):
    serve(server, FIRST)
    if day > "2025-08-13":  # behind the record
        on(monkeypatch, "2025-10-01")
        run()
        serve(server, ("2025-04", dt.date(2025, 8, 19)))
    on(monkeypatch, day)
    with refused(tmp_path / "out", DataError, f"the clock says {day}"):
        run()


def test_an_archive_behind_its_record_is_refused(server, run, tmp_path):
    serve(server, SECOND)
    run()
    lacking = od.Archive(tmp_path / "lacking")  # nobody said that the newest release is wrong
    lacking.add(release_file(tmp_path, FIRST))
    how = {"fetch": False, "draws": 100, "again": True, "model": "naive"}
    with refused(tmp_path / "out", ArchiveError, "record holds forecasts from release 2025-09-17"):
        update(tmp_path / "lacking", tmp_path / "out", **how)


def test_mistakes_are_said_before_the_work(server, run, tmp_path):
    serve(server, FIRST)
    with pytest.raises(UnknownNameError, match="drft"):
        run(model="drft")
    assert not server.log
    with pytest.raises(UnknownNameError, match="Ohia"):
        run(locations="US,Ohia")
    assert not files(tmp_path / "out")


def test_the_users_own_folders(own_archive, server):
    serve(server, ("2025-08", dt.date(2026, 2, 11)), states=None, known="2026-01-14")
    args = ("update", "--url", server.url, "--model", "drift", "--draws", "50")
    done = commands.run(*args)
    assert done.exit_code == 0, done.output
    assert own_archive == default_folder()
    assert default_out() == own_archive.parent / "updates"
    assert sorted(os.listdir(default_out())) == ["2026-02-11", "record.csv"]
    assert "The record has no forecast from it" in commands.said(done)
    assert "Nothing new" in commands.ok(*args)


def failed(code, status, words, *command):
    """A command that fails so, on standard error and, with --json, as one object."""
    done = commands.run(*command, columns=None)
    assert done.exit_code == code, done.output
    assert words in done.stderr
    if "--json" in command:
        said = json.loads(done.stdout)
        assert list(said) == ["status", "code", "what", "next"]
        assert (said["status"], said["code"]) == (status, code)
        assert words in f"{said['what']}; {said['next']}"


@pytest.mark.parametrize("command", ["update", "data fetch", "forecast", "hub score"])
def test_wrong_use_is_2_and_an_object(command):
    failed(2, "wrong use", "--no-such-option", *command.split(), "--no-such-option", "--json")


def test_a_command_that_nobody_knows_is_2_and_an_object():
    failed(2, "wrong use", "No such command 'updte'", "updte", "--json")


@pytest.mark.parametrize("command", [("update", "--json"), ("data", "fetch")])
def test_the_exit_status_says_what_is_to_be_done_about_a_download(command, own_archive, server):
    args = (*command, "--url", server.url)
    server.faults["meta"] = deque(["403"])
    failed(4, "try again later", "answer 403", *args)
    server.faults["meta"] = deque(["404"])
    failed(6, "CDC changed shape", "the data set may have moved", *args)
    # The release before, as it ships, has 53 places.
    serve(server, ("2025-08", dt.date(2026, 2, 11)), states=("US", "WV"))
    failed(5, "a person must decide", "set aside", *args)


def test_anything_else_is_1_and_an_object(own_archive):
    failed(1, "error", "unknown location 'Ohia'", "forecast", "Ohia", "--json")
    failed(1, "error", "hub-config", "hub", "score", own_archive, "--json")


def test_what_fails_while_it_is_made_is_an_object_and_what_was_printed_is_followed_by_none(
    monkeypatch,
):
    def refuse(*_):
        raise DataError("no answer", hint="none")

    monkeypatch.setattr(answer, "_jsonable", refuse)
    failed(1, "error", "no answer", "models", "--json")
    monkeypatch.undo()
    monkeypatch.setattr(answer.Answer, "finish", refuse)
    done = commands.run("models", "--json")
    assert done.exit_code == 1
    assert "status" not in json.loads(done.stdout)[0]


@pytest.mark.slow
def test_the_default_on_the_screen_and_on_the_whole_page(server, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    out = tmp_path / "o"
    args = ("update", "--archive", tmp_path / "a", "--out", out, "--url", server.url)
    for release in (FIRST, SECOND):
        serve(server, release, states=None)
        text = commands.ok(*args, "--draws", 100)
    assert "In the United States" in text
    assert "adds 1 new month (April 2025: 53 counts)" in " ".join(text.split())
    assert "new lines" in text
    said = json.loads(commands.ok(*args, "--draws", 100, "--json"))
    assert (said["new"], said["release"], said["before"]) == (False, "2025-09-17", "2025-08-13")
    assert (said["new_months"], len(said["changes"])) == (["2025-04"], 53 * 12)
    page = (out / "2025-09-17" / "index.html").read_text()
    assert "What changed since the previous forecast" in page
    assert "Past forecasts and final counts" in page
    assert "http-equiv" in page
    assert len(page) < 3_000_000
    assert len(read(out / "record.csv")) == 53 * 13 * 2 + 53
