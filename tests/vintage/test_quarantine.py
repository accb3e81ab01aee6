"""A wrong release is set aside, named, and taken or replaced with a reason that travels."""

import datetime as dt
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from release_factory import bent_release

import odforecast as od
from odforecast.errors import ArchiveError, DataError, QuarantineError
from odforecast.vintage import ledger
from odforecast.vintage.archive import Folder

DAY = "2025-10-15"
LAST = pd.Timestamp("2025-04-01")


@pytest.fixture
def right(tmp_path):
    return bent_release(tmp_path / "right")


@pytest.fixture
def wrong(tmp_path):
    return bent_release(tmp_path / "wrong", ("WV", 10))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    od.Archive(folder / "archive").add(bent_release(folder / "first", day="2025-09-17"))
    return folder / "archive"


@pytest.fixture
def archive(made, tmp_path):
    return od.Archive(shutil.copytree(made, tmp_path / "archive"))


def events(store):
    return list(store.log["event"])


def test_a_wrong_release_is_invisible_told_and_leaves_its_place_free(archive, wrong, right):
    with pytest.raises(QuarantineError, match=r"release 2025-10-15 contradicts itself and was "
                       r"set aside: WV 2025-04, Number of Drug.*--accept REASON"):  # fmt: skip
        archive.add(wrong)
    assert archive.as_of().date == dt.date(2025, 9, 17)
    assert [str(d) for d in archive.releases()] == ["2025-09-17"]
    apart = archive.quarantined()
    assert list(apart["event"]) == ["quarantined"]
    assert "WV 2025-04" in apart["reason"].item()
    with pytest.raises(QuarantineError):  # told again, written once
        archive.add(wrong)
    assert events(archive) == ["added", "quarantined"]
    said = "release 2025-10-15 is quarantined, unused: see odforecast data releases --log"
    assert archive.as_of().note == archive.as_of("2025-11-01").note == said
    assert archive.as_of("2025-10-01").note is None
    with pytest.raises(ArchiveError, match="holds no release 2025-10-15; release 2025-10-15 is"):
        archive.retract(DAY, "wrong")
    assert archive.add(right)
    assert archive.as_of().date == dt.date(2025, 10, 15)
    assert archive.as_of().note is None
    assert len(archive.quarantined()) == 1
    empty = od.Archive(archive.path.parent / "empty")
    with pytest.raises(QuarantineError):
        empty.add(wrong)
    for ask in (empty.as_of, lambda: od.archive(empty.path)):
        with pytest.raises(ArchiveError, match=said):
            ask()


@pytest.mark.slow
def test_accepted_at_once_and_the_reason_travels(archive, wrong, tmp_path):
    assert archive.add(wrong, accept="CDC published it so,\n  asked 2025-10-16")
    note = "release 2025-10-15 was accepted: CDC published it so, asked 2025-10-16"
    vintage = archive.as_of()
    assert vintage.note == note
    panel = vintage.panel()
    assert panel.notes == (note,)
    forecast = od.get_model("naive").fit(panel).forecast(draws=20)
    assert note in forecast.panel.notes
    assert forecast.provenance["notes"] == note  # with which briefs end
    later = bent_release(tmp_path / "later", day="2025-11-12")
    with pytest.raises(QuarantineError, match="the release before said"):
        archive.add(later)  # for the cell it puts right
    archive.accept("2025-11-12", "the digit of October was a typing error")
    notes = archive.as_of().panel().notes
    assert (len(notes), notes[1]) == (2, note)


def test_accepted_later(archive, wrong, right):
    with pytest.raises(ArchiveError, match="no files of release 2025-10-15 are quarantined"):
        archive.accept(DAY, "because")
    with pytest.raises(QuarantineError):
        archive.add(wrong)
    for reason, length in (("  ", 0), ("ok", 2), ("x" * 501, 501)):
        with pytest.raises(ArchiveError, match=f"a reason has 3 to 500 characters, got {length}"):
            archive.accept(DAY, reason)
    longest = "CDC " + "x" * 496
    archive.accept(DAY, longest)
    assert archive.as_of().note == f"release 2025-10-15 was accepted: {longest}"
    assert events(archive) == ["added", "quarantined", "accepted"]
    with pytest.raises(ArchiveError, match="has figures that count already"):
        archive.accept(DAY, "CDC says so")
    assert archive.until("2025-09-30").releases() == (dt.date(2025, 9, 17),)
    other = od.Archive(archive.path.parent / "other")
    assert other.add(right, accept="just in case")  # a right release needs no reason
    assert other.as_of().note is None


@pytest.mark.slow
def test_replaced_retracted_and_taken_back(archive, wrong, right):
    archive.add(wrong, accept="seemed right")
    old = archive.data_hash(DAY)
    with pytest.raises(ArchiveError, match="data fix replace FILE --reason"):
        archive.add(right)
    assert archive.replace(right, "West Virginia had a digit too many")
    new = archive.data_hash(DAY)
    assert new != old
    said = "release 2025-10-15 was replaced: West Virginia had a digit too many"
    assert archive.as_of().note == said
    assert archive.replace(right, "again") is False
    assert archive.log.iloc[-1]["replaces"] == old
    assert events(archive) == ["added", "added", "replaced"]
    with pytest.raises(ArchiveError, match="were replaced: West Virginia had a digit"):
        archive.replace(wrong, "back to before")
    assert archive.data_hash(DAY) == new
    assert archive.replace(wrong, "back to before", accept="CDC says so")
    assert archive.data_hash(DAY) == old
    with pytest.raises(ArchiveError, match="holds no release 2025-08-13; the nearest is"):
        archive.retract("2025-08-13", "wrong")
    archive.retract(DAY, "a file of the test server")
    # The day is that of the release which counts, not of the one that is quarantined and is told.
    newest = archive.as_of()
    assert newest.date == newest.as_of == dt.date(2025, 9, 17)
    assert "release 2025-10-15 is quarantined" in newest.note
    assert newest.panel().data_hash == archive.until("2025-09-17").as_of().panel().data_hash
    with pytest.raises(ArchiveError, match="were retracted: a file of the test server; --accept"):
        archive.add(wrong)
    assert archive.add(wrong, accept="it was CDC's after all")
    assert "it was CDC's after all" in archive.as_of().note
    assert archive.as_of().date == dt.date(2025, 10, 15)


def test_a_kill_between_file_and_ledger_leaves_no_release(archive, right, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            archive.add(right)
    assert [str(d) for d in archive.releases()] == ["2025-09-17"]
    assert archive.add(right)
    assert archive.as_of().date == dt.date(2025, 10, 15)
    # A ledger that is gone is a loss, not an empty archive.
    (archive.path / "ledger.jsonl").unlink()
    for ask in (archive.releases, archive.as_of, od.Archive(archive.path).releases):
        with pytest.raises(ArchiveError, match=r"has releases and no ledger\.jsonl"):
            ask()


def test_a_deleted_file_is_put_back(archive, right):
    archive.add(right)
    (file,) = archive.path.glob(f"dataset=states/release={DAY}.*.parquet")
    file.unlink()
    with pytest.raises(ArchiveError, match="is missing; add the release again"):
        archive.as_of().panel()
    assert archive.add(right)
    assert archive.as_of().panel().last_month == LAST.to_numpy().astype("datetime64[M]")
    archive.retract(DAY, "wrong file")
    file.unlink()
    with pytest.raises(ArchiveError, match="is missing; add the release again"):
        archive.accept(DAY, "right after all")
    assert archive.as_of().date == dt.date(2025, 9, 17)


def test_views(archive, wrong, right, tmp_path):
    both = archive.above(od.bundled())
    assert both.add(right)
    assert archive.as_of().date == dt.date(2025, 10, 15)
    with pytest.raises(ArchiveError, match="ends at 2025-09-30 and is read only"):
        archive.until("2025-09-30").retract("2025-09-17", "no reason")
    assert len(archive.until("2025-09-30").log) == 1
    both.retract("2025-09-17", "a wrong file")
    assert both.releases() == (dt.date(2025, 10, 15), dt.date(2026, 1, 14))
    with pytest.raises(ArchiveError, match="nothing was known on 2025-09-17"):
        both.as_of("2025-09-17")
    # Of one beneath that ends at a day, what lies beneath it does not.
    chain = od.Archive.in_memory({}).above(both.until("2025-08-31")).above(od.bundled())
    assert chain.releases() == od.bundled().releases()
    assert chain.until("2025-12-31").above(od.bundled()).releases() == chain.releases()[:1]
    own = od.Archive(tmp_path / "own").above(od.bundled())
    with pytest.raises(ArchiveError, match="ships with odforecast, and is not in your archive; to"):
        own.retract("2025-09-17", "the bundled one is not mine")
    with pytest.raises(QuarantineError):
        own.add(wrong)
    assert (len(own.quarantined()), own.as_of().date) == (1, dt.date(2026, 1, 14))


def test_a_file_by_itself_and_a_backtest_carry_the_reason(archive, wrong, tmp_path):
    with pytest.raises(DataError, match=r"2025-10-15.csv contradicts itself: WV 2025-04"):
        od.read(wrong)
    note = "release 2025-10-15 was accepted: for a test"
    vintage = od.read(wrong, accept="for a test")
    assert (vintage.note, vintage.panel().notes) == (note, (note,))
    archive.add(wrong, accept="for a test")
    how = {"start": "2023-01", "end": "2023-01", "locations": "OH", "draws": 20, "progress": False}
    results = od.backtest(["naive"], archive=archive, out=tmp_path / "out", **how)
    assert note in results.data_notes
    assert note in (tmp_path / "out" / "manifest.json").read_text()
    assert note in archive.as_of().panel().cut("2023-01").notes


def test_the_first_release_is_compared_with_the_bundled_one(tmp_path):
    table = od.bundled().as_of("2025-09-17").table
    less = (table["reported"] * 2 / 3).round().where(table["state"] == "TN")
    of_us = less.groupby([table["month"], table["indicator"]]).transform("sum")
    table["reported"] -= less.fillna(0) + of_us.where(table["state"] == "US", 0.0)
    file = tmp_path / f"{DAY}.csv"
    table.assign(release=DAY, predicted="", month=table["month"].dt.strftime("%Y-%m")).to_csv(
        file, index=False)  # fmt: skip
    with pytest.raises(QuarantineError, match=r"TN 2015-01, .*the release before said"):
        od.Archive(tmp_path / "own").above(od.bundled()).add(file)


def test_retracted_by_another_process_while_it_was_added(archive, right, monkeypatch):
    whole = Folder.append

    def raced(store, event):
        out = whole(store, event)
        if event.event == "added":
            whole(store, replace(event, event="retracted", reason="by somebody else"))
        return out

    monkeypatch.setattr(Folder, "append", raced)
    with pytest.raises(ArchiveError, match="release 2025-10-15 was retracted meanwhile"):
        archive.add(right)
