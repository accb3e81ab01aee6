"""Downloads against a real server on this machine that behaves like Socrata, and misbehaves."""

import datetime as dt
import gzip
import hashlib
import json
import multiprocessing
import os
import threading
import tracemalloc
from collections import deque
from email.utils import format_datetime

import pandas as pd
import pytest
from county_release import NAMES, api_rows, county_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from socrata_server import UPDATED, FakeSocrata, release_rows

import odforecast as od
from odforecast.errors import ArchiveError, DataError, DownloadError, QuarantineError
from odforecast.vintage.archive import Archive
from odforecast.vintage.fetch import Metadata, Socrata, fetch
from odforecast.vintage.past import RawFiles, fetch_past

ROWS = release_rows()
DATE, DAY = dt.date(2025, 9, 17), 86_400
NAME = f"{DATE}_vsrr_{UPDATED}.json.gz"
FAULTS = ("429", "500", "502", "503", "408", "html", "truncate", "cut-json", "drop")


@pytest.fixture
def server():
    with FakeSocrata(list(ROWS)) as fake:
        yield fake


def get(server, folder, waits=None, name="vsrr", progress=None, **options):
    """Fetch without waiting; the waits that were asked for are noted."""
    options = {"page_size": 50, "timeout": 5} | options
    note = (lambda _: None) if waits is None else waits.append
    with Socrata(server.url, sleep=note, **options) as client:
        return fetch(name, folder, client, progress=progress)


def left_over(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def check_whole(folder):
    """The archive holds the release exactly, its raw rows, and nothing else."""
    kept = f"dataset=states/release={DATE}.{Archive(folder).data_hash(DATE)}.parquet"
    assert left_over(folder) == [kept, f"downloads/{NAME}", "ledger.jsonl"]
    assert json.loads(gzip.decompress((folder / "downloads" / NAME).read_bytes())) == ROWS
    got = Archive(folder).release(DATE)
    expected = od.bundled().as_of(DATE).table.merge(got[["state", "month", "indicator"]])
    pd.testing.assert_frame_equal(got, expected)


def test_all_pages_in_a_stable_order(server, tmp_path):
    told = []
    done = get(server, tmp_path / "a", progress=lambda *rows: told.append(rows))
    assert (done.added, done.release) == (True, DATE)
    assert (done.rows, done.resumed, told[-1]) == (len(ROWS), 0, (len(ROWS), len(ROWS)))
    assert done.sha256 == hashlib.sha256(done.file.read_bytes()).hexdigest()
    assert Archive(tmp_path / "a").origin(DATE).sha256 == done.sha256
    check_whole(tmp_path / "a")
    pages = [params for kind, params, _ in server.log if kind == "page"]
    assert [p["$offset"] for p in pages] == [str(50 * i) for i in range(-(-len(ROWS) // 50))]
    assert {(p["$order"], p["$limit"]) for p in pages} == {(":id", "50")}
    assert server.kinds()[0] == server.kinds()[-1] == "meta"
    # 2025-09-18 02:30 UTC is the evening of the 17th in Washington.
    assert Metadata(1758162600, ()).release == DATE


def counties(rows, updated=UPDATED):
    server = FakeSocrata(api_rows(rows), updated, dataset="gb4e-yj24")
    server.fields = dict.fromkeys(NAMES.values(), "text")
    return server


@pytest.mark.parametrize("name", ["states", "counties"])
def test_what_came_before_decides_what_is_downloaded_and_added(tmp_path, name):
    of = {"states": ("vsrr", 28, "data_value")}
    short, days, value_of = of.get(name, ("county", 90, "provisional_drug_overdose"))
    second = [*ROWS]
    last = max(i for i, row in enumerate(second) if row.get("predicted_value"))
    value = str(int(second[last]["predicted_value"]) + 1)
    second[last] = second[last] | {"predicted_value": value}
    of_states = short == "vsrr"
    with FakeSocrata([*ROWS]) if of_states else counties(county_cells("2025-06-08", 21)) as server:
        server.updated -= days * DAY
        first = get(server, tmp_path, name=short)
        rows, before = server.rows, left_over(tmp_path)
        server.log.clear()
        again = get(server, tmp_path, name=name)
        assert server.kinds() == ["meta"]
        assert left_over(tmp_path) == before
        server.updated += DAY  # touched: the numbers are the same
        touched = get(server, tmp_path, name=short)
        if short == "county":
            second = api_rows(county_cells("2025-09-07", shift=1))
        server.rows, server.updated = second, UPDATED
        done = get(server, tmp_path, name=name)
        server.rows = [server.rows[0] | {value_of: "990"}, *server.rows[1:]]
        for later, error, words in (
            (3600, ArchiveError, f"other numbers for release {DATE}"),
            (28 * DAY, QuarantineError, "contradicts itself and was set aside"),
        ):
            server.updated = UPDATED + later
            for _ in range(2):
                with pytest.raises(error, match=words):
                    get(server, tmp_path, name=name)
        assert list(Archive(tmp_path).log["event"]) == ["added", "added", "quarantined"]
        # A file that was kept before the archive knew it is not downloaded twice.
        server.rows, server.updated = second, UPDATED
        (tmp_path / "old" / "downloads").mkdir(parents=True)
        (tmp_path / "old" / "downloads" / done.file.name).write_bytes(done.file.read_bytes())
        server.log.clear()
        assert get(server, tmp_path / "old", name=short).added
        assert server.kinds() == ["meta"]
    assert [x.added for x in (first, again, touched, done)] == [True, False, False, True]
    assert again.why == f"release {first.release} was there already, unchanged"
    assert (again.rows, again.sha256) == (0, first.sha256)
    assert touched.why == f"the numbers are those of release {first.release}: nothing added"
    assert done.why == "release 2025-09-17 added"  # when CDC changed it, not what it is as of
    assert json.loads(gzip.decompress(first.file.read_bytes())) == rows
    archive = Archive(tmp_path)
    assert archive.releases(name) == (first.release, DATE)
    origin = archive.origin(DATE, name)
    assert (origin.kind, origin.basis, origin.file) == ("cdc", "known", done.file.name)
    panel = archive.above(od.bundled()).as_of("2025-09-20").panel(dataset=name)
    # Both releases of the states end in one month: none of them is an earlier one.
    earlier = panel.triangle and panel.triangle.releases[-1]
    assert (panel.release, earlier) == (DATE, first.release if short == "county" else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "faults", "options", "waits"),
    [
        *((kind, [fault, fault], {}, 2) for kind in ("meta", "count", "page") for fault in FAULTS),
        ("page", ["stall"], {"timeout": 0.3, "limit": 0.6}, 1),
        ("page", ["trickle"], {"timeout": 0.3, "limit": 0.6}, 1),
        ("page", ["gzip", "gzip-cut", "gzip", "gzip-more"], {}, 2),
        ("page", ["deep"], {}, 1),
    ],
)
def test_what_may_pass_is_asked_again(server, tmp_path, kind, faults, options, waits):
    server.faults[kind] = deque(faults)
    waited = []
    assert get(server, tmp_path, waited, **options).added
    check_whole(tmp_path)
    assert len(waited) == waits
    assert 1 <= waited[0] <= 2
    assert waits == 1 or 1 <= waited[1] <= 3


def test_the_wait_the_server_asks_for_is_kept(server, tmp_path):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40)
    server.faults["page"] = deque(["429:7", f"503:{format_datetime(soon, usegmt=True)}", "429:so"])
    waits = []
    get(server, tmp_path, waits)
    assert waits[0] == 7
    assert 30 < waits[1] <= 40
    assert 4 <= waits[2] <= 5  # the third of our own


@pytest.mark.parametrize(("then", "resumed"), [("same", 100), ("damaged", 50), ("other rows", 0)])
def test_a_server_that_stays_down_is_said_and_good_pages_are_kept(server, tmp_path, then, resumed):
    if then == "other rows":
        server.updated, server.rows = UPDATED - 3600, [r | {"data_value": "7"} for r in ROWS]
    server.faults["page"] = deque(["", "", *["html"] * 6])
    with pytest.raises(DownloadError, match=r"a web page: Down for maintenance.*6 attempts"):
        get(server, tmp_path)
    assert Archive(tmp_path).releases() == ()
    assert len(left_over(tmp_path / ".partial")) == 2
    server.updated, server.rows = UPDATED, list(ROWS)
    if then == "damaged":
        first = next((tmp_path / ".partial").rglob("page-00000.json"))
        first.write_bytes(first.read_bytes()[:100])
    done = get(server, tmp_path)
    assert (done.added, done.resumed) == (True, resumed)
    check_whole(tmp_path)


def fault(kind, name):
    return lambda server: server.faults[kind].append(name)


def having(**values):
    return lambda server: server.__dict__.update(values)


def cells(row, **values):
    return lambda server: server.rows.__setitem__(row, server.rows[row] | values)


def renamed(server):
    server.fields["data_value_adjusted"] = server.fields.pop("data_value")


def restless(server):
    server.before = lambda kind, _: server.__dict__.update(
        updated=server.updated + (kind == "page")
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        (fault("page", "429:3600"), {}, DownloadError, "asks to wait 3,600 seconds"),
        (fault("meta", "302"), {}, DownloadError, "answer 302"),
        *((fault("count", f"{n}"), {}, DownloadError, rf"answer {n} \(no, because\)")
          for n in (400, 401, 403, 404)),
        (restless, {}, DownloadError, "changed xkb8-kh2a during the download"),
        *((having(count_offset=n), {}, DownloadError, "rows") for n in (-40, -1, 1, 60)),
        (cells(60, **ROWS[10]), {}, DownloadError, "1 rows of xkb8-kh2a came twice"),
        (renamed, {}, DataError, "without data_value and with the new data_value_adj"),
        (cells(3, data_value="many"), {}, DataError, "'many'"),
        (having(rows=[]), {}, DataError, "no rows"),
        *((having(updated=x), {}, DataError, "catalogue entry of xkb8-kh2a has no rowsUpdatedAt")
          for x in ("yesterday", -1, 10**18, True, "1758117600")),
        (fault("page", "too-many"), {}, DownloadError, "more rows than the 50 asked for"),
        (having(), {"most_bytes": 40_000}, DownloadError, "of rows, more than any release"),
        *((fault(kind, name), {"most_bytes": 3_000_000}, DownloadError,
           "the answer is longer than 3 MB")
          for kind in ("meta", "count", "page")
          for name in ("endless", "endless-gzip", "endless-rows", "chunked")),
    ],
)  # fmt: skip
def test_what_cannot_be_trusted_is_not_kept(server, tmp_path, change, options, error, words):
    change(server)
    tracemalloc.start()
    with pytest.raises(error, match=words) as refused:
        get(server, tmp_path, **options)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 40_000_000  # 64 kB may unpack to 64 MB
    assert str(refused.value).isprintable()
    assert Archive(tmp_path).releases() == ()
    assert not list(tmp_path.rglob("*.gz"))
    if change is renamed:
        assert "page" not in server.kinds()
    elif "answer" in words:
        assert server.kinds().count("count") <= 1


def test_counties_without_their_columns_and_other_data_sets(tmp_path):
    with counties(county_cells("2025-09-07")) as server:
        server.fields.pop("footnote")
        with pytest.raises(DataError, match="changed the columns of gb4e-yj24: without footnote"):
            get(server, tmp_path, name="county")
        with pytest.raises(DataError, match="no data set 'cities'; one of vsrr, co"):
            get(server, tmp_path, name="cities")
    assert not list(tmp_path.rglob("*.gz"))


def test_a_change_during_the_download_is_noticed(server, tmp_path):
    server.rows, server.updated = [row | {"data_value": "7"} for row in ROWS], UPDATED - 3600

    def change(kind, number):
        if kind == "page" and number == 2:
            server.rows, server.updated = list(ROWS), UPDATED

    server.before = change
    done = get(server, tmp_path)
    assert (done.added, done.rows) == (True, len(ROWS))
    check_whole(tmp_path)


def test_nobody_answers(tmp_path):
    with FakeSocrata([]) as gone:
        pass
    missing, reach = "https://nobody.invalid", "^cannot reach nobody.invalid: its address was not"
    quick = {"sleep": lambda _: None}
    for ask, words in (
        (lambda: fetch("vsrr", tmp_path, Socrata(gone.url, attempts=2, **quick)), "2 attem"),
        (lambda: fetch("vsrr", tmp_path, Socrata("ftp://x")), "check the address"),
        # Without a network there is one error and no second try.
        (lambda: fetch("vsrr", tmp_path, Socrata(missing, **quick)), reach),
        (lambda: fetch_past(tmp_path, RawFiles(missing)), reach),
    ):
        with pytest.raises(DownloadError, match=words) as refused:
            ask()
        assert words != reach or "; check the network connection" in str(refused.value)


def test_the_token_goes_into_a_header_and_soda3_gives_the_same(server, tmp_path, monkeypatch):
    with pytest.raises(DownloadError, match="only with an app token"):
        get(server, tmp_path, soda3=True)
    monkeypatch.setenv("SOCRATA_APP_TOKEN", " secret ")
    assert get(server, tmp_path, soda3=True).added
    check_whole(tmp_path)
    assert any("pageNumber" in str(params) for kind, params, _ in server.log if kind == "page")
    assert {headers.get("X-App-Token") for _, _, headers in server.log} == {"secret"}


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(st.sampled_from(["", *FAULTS]), max_size=12), st.integers(40, 300))
def test_whatever_the_faults_the_release_is_whole_or_absent(tmp_path_factory, faults, size):
    folder = tmp_path_factory.mktemp("archive")
    with FakeSocrata(list(ROWS)) as server:
        server.faults["page"] = deque(faults)
        for _ in range(12):
            try:
                get(server, folder, attempts=2, page_size=size)
            except DownloadError:
                assert Archive(folder).releases() == ()
            else:
                break
        check_whole(folder)


def started(server, folder):
    """Fetches in a process of its own, 20 rows a page, so that it can be killed between two."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=fetched, args=(server.url, folder))
    process.start()
    return process


def fetched(url, folder):
    with Socrata(url, page_size=20) as client:
        fetch("vsrr", folder, client)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_in_the_middle_it_leaves_no_release_and_goes_on(server, tmp_path):
    reached, go_on = threading.Event(), threading.Event()

    def hold(kind, number):
        if kind == "page" and number == 4 and not go_on.is_set():
            reached.set()
            go_on.wait(30)

    server.before = hold
    running = started(server, tmp_path)
    try:
        assert reached.wait(60)
    finally:
        running.kill()
        running.join(30)
        go_on.set()
    assert Archive(tmp_path).releases() == ()
    assert not (tmp_path / "downloads").exists()
    done = get(server, tmp_path, page_size=20)
    assert (done.added, done.resumed) == (True, 60)
    check_whole(tmp_path)


@pytest.mark.slow
def test_two_at_once_lose_nothing(server, tmp_path):
    for one in [started(server, tmp_path) for _ in range(2)]:
        one.join(60)
        assert one.exitcode == 0
    check_whole(tmp_path)
