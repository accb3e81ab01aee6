"""What an update must not destroy, leave undone, mix up, or go on to be judged by."""

import datetime as dt
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from update_server import FIRST, SECOND, refused, release_file, serve

import odforecast as od
from odforecast.errors import DataError
from odforecast.updating import outcomes, read
from odforecast.updating import record as records
from odforecast.updating import run as running
from odforecast.updating.changes import sentences

pytestmark = pytest.mark.usefixtures("quick_page")


def forecasts(table):
    return table[table["kind"] == "forecast"]


def test_a_folder_of_somebody_elses_is_not_replaced(server, run, tmp_path, monkeypatch):
    serve(server, FIRST)
    mine = tmp_path / "out" / "2025-08-13"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("three years")
    monkeypatch.setattr(od.models.model.Fitted, "forecast", None)  # it is said before the work
    with refused(tmp_path / "out", DataError, r"that no update wrote \(thesis.txt\).*--out"):
        run()


@pytest.mark.parametrize("what", ["a file", "a folder", "a link", "no manifest", "another's"])
def test_what_a_user_put_beside_our_files_stays(what, first, run, tmp_path):
    made = first.folder
    if what == "a file":
        (made / "notes.md").write_text("mine")
    elif what == "a folder":
        (made / "figures").mkdir()
    elif what == "a link":
        os.replace(made / "changes.csv", tmp_path / "changes.csv")
        (made / "changes.csv").symlink_to(tmp_path / "changes.csv")
    elif what == "no manifest":
        (made / "update.json").unlink()
    else:
        held = json.loads((made / "update.json").read_text())
        (made / "update.json").write_text(json.dumps(held | {"release": "2024-08-13"}))
    with refused(tmp_path / "out", DataError, "holds files that no update wrote"):
        run(again=True, seed=2)


def test_a_file_put_there_during_the_work_stays(first, run, tmp_path, monkeypatch):
    made, write = first.folder, running.write_page

    def meanwhile(*given, **named):
        write(*given, **named)
        (made / "notes.md").write_text("mine")

    monkeypatch.setattr(running, "write_page", meanwhile)
    with pytest.raises(DataError, match=r"no update wrote \(notes.md\)"):
        run(again=True, seed=2)
    assert (made / "notes.md").read_text() == "mine"
    assert sorted(os.listdir(tmp_path / "out")) == ["2025-08-13", "record.csv"]


@pytest.mark.parametrize("link", [False, True], ids=["a file", "a link"])
def test_a_name_that_is_taken(link, server, run, tmp_path):
    serve(server, FIRST)
    (tmp_path / "out").mkdir()
    target, elsewhere = tmp_path / "out" / "2025-08-13", tmp_path / "elsewhere"
    elsewhere.mkdir()
    if link:
        target.symlink_to(elsewhere)
    else:
        target.write_text("mine")
    with pytest.raises(DataError, match="is not a folder of an update"):
        run()
    assert target.is_symlink() == link
    assert not os.listdir(elsewhere)


def test_our_own_folder_and_an_empty_one_are_replaced(server, run, tmp_path):
    serve(server, FIRST)
    (tmp_path / "out" / "2025-08-13").mkdir(parents=True)
    done = run()
    assert done.new
    (done.folder / "index.html").unlink()  # the page alone is gone
    assert run().new
    path = done.folder / "update.json"
    held = json.loads(path.read_text())
    del held["recorded"]  # as an earlier version wrote it
    path.write_text(json.dumps(held))
    assert not run().new


def interrupted(monkeypatch, run, **how):
    with monkeypatch.context() as patch:
        patch.setattr(records, "append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(**how)


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [({}, {"seed": 2}, 2 * 4 * 13), ({"locations": "US,OH"}, {}, 4 * 13)],
    ids=["another seed", "more places"],
)
def test_one_stopped_before_its_record_is_completed(first, second, lines, server, run, monkeypatch):
    serve(server, FIRST)
    held = run(**first).record_file.read_bytes()
    interrupted(monkeypatch, run, **second, again=True)
    done = run(**first)  # page and record are of one seed again
    assert done.new
    assert json.loads((done.folder / "update.json").read_text())["seed"] == 1
    assert done.record_file.read_bytes() == held
    interrupted(monkeypatch, run, **second, again=True)
    done = run(**second, again=True)
    assert done.new
    assert len(done.record) == lines
    assert not done.record.duplicated(records.KEY).any()
    assert not run(**second, again=True).new
    assert not run().new


@pytest.mark.slow
def test_more_places_later_are_all_compared(server, run):
    serve(server, FIRST)
    run(locations="US,OH")
    done = run(again=True)
    assert set(done.record.loc[done.record["batch"] == 2, "location"]) == {"WV", "YC"}
    serve(server, SECOND)
    second = run()
    assert set(second.changed["location"]) == {"US", "OH", "WV", "YC"}
    assert (second.changed["model"] == 0).all()
    page = second.page.read_text()
    assert "in the United States, the median" in page
    assert "West Virginia" not in page


@pytest.mark.slow
def test_a_half_written_update_does_not_hide_the_rest(first, server, run):
    file = first.record_file
    held = len(file.read_bytes())
    run(again=True, seed=2)
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"\n", held + 600) + 30])
    done = run()  # seed 1 once more; that of seed 2 is never written to its end
    assert any("cut off while it was written" in note for note in done.notes)
    serve(server, SECOND)
    done = run()
    assert (set(done.changed["location"]), done.change.settings) == ({"US", "OH", "WV", "YC"}, ())
    run(again=True, seed=3)
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"\n", content.index(b",3,100,") + 600) + 1])
    assert run(again=True, seed=3).new
    serve(server, ("2025-04", dt.date(2025, 10, 15)), missing=0.01)
    third = run(seed=3)
    assert (len(third.changed), third.change.settings) == (4 * 12, ())


def test_words_are_of_the_place_asked_for_alone(server, run):
    serve(server, FIRST)
    run(locations="WV")
    serve(server, SECOND)
    done = run(locations="OH,WV")
    assert done.place == "OH"
    page = done.page.read_text()
    assert "There is no earlier forecast of Ohio to compare with." in page
    assert "West Virginia" not in page
    assert "West Virginia, the median" in " ".join(sentences(done.change, "WV"))


def test_new_york_has_its_city_beside_it_on_the_page(server, run, monkeypatch):
    seen, write = [], running.write_page

    def look(path, whole, locations, parts):
        seen.append((whole, locations))
        write(path, whole, locations, parts)

    monkeypatch.setattr(running, "write_page", look)
    serve(server, FIRST, states=None)
    done = run(model="dlm", draws=40, locations="NY")
    ((whole, locations),) = seen
    assert locations == done.forecast.locations == ("NY",)
    assert set(forecasts(done.record)["location"]) == {"NY"}
    assert whole.summary(locations=["NY"])["rate_of"].unique().tolist() == ["NY+YC"]


def settled_record(server, run):
    """Forecasts from 2024 whose counts a release of 2025-08 and one of 2025-09 settle."""
    serve(server, ("2023-12", dt.date(2024, 5, 15)))
    run()
    serve(server, FIRST)
    run()
    serve(server, SECOND)
    return run()


def counts(table, batch=1):
    found = outcomes(table)
    found = found[(found["batch"] == batch) & (found["location"] == "OH") & found["came"].notna()]
    rows = zip(found["month"], found["came"], found["came_release"])
    return {f"{month:%Y-%m}": (came, f"{release:%Y-%m-%d}") for month, came, release in rows}


def reported(archive, day):
    panel = archive.as_of(day).panel()
    return dict(zip(panel.months.astype(str), panel.reported[panel.index("OH")]))


@pytest.mark.slow
def test_after_a_retraction_what_it_said_counts_no_more(server, run, tmp_path):
    done = settled_record(server, run)
    before, held = counts(done.record), done.record_file.read_bytes()
    assert {r for _, r in before.values()} == {"2025-08-13", "2025-09-17"}
    assert before["2024-09"][1] == "2025-09-17"
    od.Archive(tmp_path / "archive").retract("2025-09-17", "columns were exchanged")
    done = run(fetch=False)
    assert (done.new, done.release, done.added) == (False, FIRST[1], 2)
    assert any("it was retracted; what was recorded from it is withdrawn" in n for n in done.notes)
    assert done.record_file.read_bytes().startswith(held)
    table = done.record
    assert table["kind"].tail(2).tolist() == ["withdrawn", "withdrawn"]
    assert "2025-09-17" not in outcomes(table)["release"].astype(str).to_list()
    # The count that only that release settled is provisional again.
    after = counts(table)
    assert {r for _, r in after.values()} == {"2025-08-13"}
    assert after == {m: v for m, v in before.items() if m in after} | {"2024-09": after["2024-09"]}
    now = done.record_file.read_bytes()
    assert (run(fetch=False).added, done.record_file.read_bytes()) == (0, now)
    # Another forecast from the release that is left is no error, and the next release goes on.
    assert run(fetch=False, again=True, seed=2).new
    serve(server, ("2025-04", dt.date(2025, 10, 15)))
    third = run(seed=2)
    assert third.change.before == FIRST[1]
    assert counts(third.record)["2024-09"] == (before["2024-09"][0], "2025-10-15")


@pytest.mark.slow
def test_after_a_retraction_a_later_release_says_the_count(server, run, tmp_path):
    done = settled_record(server, run)
    before, held = counts(done.record), len(done.record_file.read_bytes())
    archive = od.Archive(tmp_path / "archive")
    archive.retract("2025-08-13", "columns were exchanged")
    done = run(fetch=False)
    assert not done.new
    assert any("counts are recorded anew" in n for n in done.notes)
    whole = counts(done.record)
    assert {r for _, r in whole.values()} == {"2025-09-17"}
    assert set(whole) == set(before)
    right = reported(archive, "2025-09-17")
    assert all(whole[m][0] == right[m] for m, (_, r) in before.items() if r == "2025-08-13")
    content = done.record_file.read_bytes()
    ends = [i + 1 for i in range(held, len(content)) if content[i : i + 1] == b"\n"]
    for end in (ends[0], ends[1], ends[3] + 5):
        done.record_file.write_bytes(content[:end])
        again = run(fetch=False)
        assert (again.new, again.added > 0) == (False, True)
        assert counts(again.record) == whole
        assert run(fetch=False).added == 0


@pytest.mark.slow
@pytest.mark.parametrize("newest", [False, True])
def test_after_a_replacement_the_right_count_is_written_behind(newest, server, run, tmp_path):
    done = settled_record(server, run)
    batch = 2 if newest else 1
    before, held = counts(done.record, batch), done.record_file.read_bytes()
    wrong = SECOND if newest else FIRST
    day, archive = str(wrong[1]), od.Archive(tmp_path / "archive")
    archive.replace(release_file(tmp_path, wrong, missing=0.03), "a typing error")
    done = run(fetch=False)
    # Of the newest release there is a page: it is made anew, with the forecast.
    assert done.new == newest
    assert done.record_file.read_bytes().startswith(held)
    after = counts(done.record, batch)
    assert set(after) == set(before)
    assert [r for _, r in after.values()] == [r for _, r in before.values()]
    mine = {m: c for m, (c, r) in after.items() if r == day}
    right = reported(archive, day)
    assert mine == {m: right[m] for m in mine}
    assert any(c != before[m][0] for m, c in mine.items())
    made = forecasts(records.standing(done.record))
    made = made[made["release"] == pd.Timestamp(day)]
    assert set(made["data"]) == ({archive.as_of(day).panel().data_hash} if newest else set())
    assert run(fetch=False).added == 0
    assert not run(fetch=False).new


def test_an_earlier_release_that_was_added_withdraws_nothing(server, run, tmp_path):
    serve(server, SECOND)
    held = run().record_file.read_bytes()
    archive = od.Archive(tmp_path / "archive")
    archive.add(release_file(tmp_path, FIRST))
    archive.retract("2025-09-17", "by mistake")
    archive.accept("2025-09-17", "it was right")
    done = run(fetch=False)
    assert (done.new, done.added) == (False, 0)
    assert done.record_file.read_bytes() == held


def test_the_record_of_this_project_is_read_as_ever_and_its_newest_update_is_todays_default():
    path = Path(od.__file__).parents[2] / "docs" / "updates" / "record.csv"
    if not path.exists():
        pytest.skip("only in the repository")
    table = read(path)
    assert table["batch"].value_counts().to_dict() == {1: 689, 2: 914}
    assert len(records.standing(table)) == len(table)
    newest = max(p for p in path.parent.iterdir() if p.is_dir())
    said = json.loads((newest / "update.json").read_text())
    again = "odforecast update --no-fetch --out docs/updates"
    assert said["spec"] == od.get_model().spec.hash, again
    assert said["release"] == newest.name == str(od.bundled().as_of().date)
