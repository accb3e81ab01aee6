"""``data fetch --past``: copies of releases in a list, and all versions of a file in git."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import exits
import pytest
from county_release import county_cells, csv_text
from past_server import FileServer, Made, release_csv, row

import odforecast as od
from odforecast.errors import DownloadError
from odforecast.vintage.past import History, fetch_past

data = partial(exits.run, "data", columns=None)
ONE, TWO, THREE, FOUR = (release_csv(f"2024-{month}") for month in ("07", "08", "09", "10"))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
VERSIONS = (
    (ONE, "2025-01-03", "2024-12-11", "added"),
    (release_csv("2024-08", change=10), "2025-01-20", "2025-01-15",
     "contradicts itself and was set aside: WV 2024-08"),
    (POINTER, "2025-01-21", "", "large-file storage"),
    (b"not a table\n", "2025-01-22", "", "refused: "),
    (release_csv("2024-07", change=1.01), "2025-01-23", "2024-12-11",
     "of 180 reported counts differ, e.g. WV 2024-07"),
    (THREE, "2025-02-12", "2025-02-12", "added"),  # published before the calendar's day
    (TWO, "2020-05-05", "", "refused: "),  # a clock that is wrong: months after the commit
)  # fmt: skip


@pytest.fixture(scope="module")
def made():
    return Made.of(
        (row("2024-12-11", "2024-07", ONE, owner="gone"), None),
        (row("2024-12-11", "2024-07", ONE), ONE),
        (row("2024-12-11", "2024-07", ONE + b"\n", owner="twice"), ONE + b"\n"),
        (row("2025-01-15", "2024-08", TWO, owner="blob", check="git blob", basis="known"), TWO),
        (row("2025-01-15", "2024-08", THREE, owner="late", check="", settled=False), THREE),
    )


@pytest.fixture
def fetch_copies(made, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def go(*args, copies=made, code=None):
        file = copies.write(tmp_path / "copies.csv")
        words = ("fetch", "--past", "--copies", file, "--archive", tmp_path / "archive")
        with FileServer(copies.files) as server:
            return data(*words, "--url", server.url, *args, code=code)

    return go


def test_fetch_past_and_what_releases_says(made, fetch_copies, tmp_path):
    done = fetch_copies(code=0)
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("warning: 2024-12-11: gone/drugs: counts.csv: not available")
    assert warning.endswith("answer 404")
    held = f"{tmp_path / 'archive'} holds 3 releases, 2024-12-11 to 2025-02-15"
    told = "3 added, 1 compared and equal, 1 not available"
    assert done.stdout.splitlines()[-2:] == [told, held]
    assert "3 there already, 1 compared and equal, 1 not available" in fetch_copies(code=0).stdout

    (tmp_path / "2025-03-12.csv").write_bytes(release_csv("2024-10"))
    archive = ("--archive", tmp_path / "archive")
    assert data("add", tmp_path / "2025-03-12.csv", *archive).exit_code == 0
    text = data("releases", *archive).stdout
    rows = json.loads(data("releases", *archive, "--json").stdout)
    for one in rows:
        text = text.replace(f"{one['us_last']:,.0f}", "US")
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "release months US, last date checked from",
        "2024-12-11 2022-02..2024-07 US inferred sha256 past copy",
        "2025-01-15 2022-03..2024-08 US known git blob past copy",
        "2025-02-15 2022-04..2024-09 US last month structure past copy",
        "2025-03-12 2022-05..2024-10 US given structure 2025-03-12.csv",
    ]
    place = f"someone/drugs@{made.rows[1]['commit']}:counts.csv"
    assert rows[0] | {"origin": "past", "place": place, "sha256": made.rows[1]["sha256"]} == rows[0]


def test_without_a_copy_that_can_be_used_it_fails_in_one_line(made, fetch_copies, tmp_path):
    wrong, gone = release_csv("2024-07", change=10), Made(made.rows[:1], {})
    bad = Made.of((row("2024-12-11", "2024-07", wrong), wrong))
    for copies, words in ((gone, "not available"), (bad, "set aside: WV 2024-07")):
        first, last = fetch_copies(copies=copies, code=4).stderr.splitlines()
        assert words in first
        assert last == "error: no usable copy of release 2024-12-11"
    assert od.Archive(tmp_path / "archive").releases() == ()
    # Without a network: what to do; no repository is named, no hint comes twice.
    nowhere = ("--archive", tmp_path / "archive", "--url", "https://nowhere.invalid")
    one = gone.write(tmp_path / "one.csv")
    for args in (("--past",), ("--past", "--copies", one), (), ("--dataset", "counties")):
        done = data("fetch", *args, *nowhere)
        assert (done.exit_code, done.stdout) == (4, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert line.count("nowhere.invalid") == 1
        assert "network" in line or "online" in line
        assert ".csv" not in line


def test_list_asks_nobody(fetch_copies, tmp_path):
    done = data("fetch", "--past", "--list", code=0)
    assert (len(done.stdout.splitlines()), done.stderr) == (53, "52 copies of 38 releases\n")
    first = done.stdout.splitlines()[1]
    assert first.startswith("2017-09-13  2017-02     inferred  sha256     -     1cb5453922  Chich")
    fetch_copies("--release", "2024-12-11")
    done = data("fetch", "--past", "--list", "--copies", tmp_path / "copies.csv",
                "--archive", tmp_path / "archive", "--json")  # fmt: skip
    rows = json.loads(done.stdout)
    assert [r["here"] for r in rows] == ["-", "there", "kept", "-", "-"]
    assert [r["basis"] for r in rows] == ["inferred"] * 3 + ["known", "guess"]
    assert [r["check"] for r in rows] == ["sha256"] * 3 + ["git blob", "structure"]
    assert "known  structure  bundled" in data("releases").stdout


class Repository:
    def __init__(self, folder, file="data/counts.csv"):
        self.folder, self.file = folder, file
        self.git("init", "-q", "-b", "main", str(folder), within=False)

    def git(self, *words, day="2025-01-01", within=True):
        clock, env = f"{day}T12:00:00-05:00", os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_DATE": clock, f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b"}
        command = ["git", *(["-C", str(self.folder)] if within else []), *words]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, content, day):
        path = self.folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink() if content is None else path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "update", day=day)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return Repository(tmp_path / "repo")


def arguments(repo, *more):
    archive = ("--archive", repo.folder.parent / "archive")
    words = ("fetch", "--past", "--git", repo.folder, "--file", repo.file, *archive)
    return [str(w) for w in (*words, *more)]


def fetch(repo, *more, code=None):
    return data(*arguments(repo, *more), code=code)


def table(done):
    """Release and result of each version tried, in whichever stream it is told."""
    line = r"(?m)^(?:\w+: )?[0-9a-f]{10} (?:(\d{4}-\d\d-\d\d): )?.*?: .*?\.csv: (.*)"
    return re.findall(line, done.output)


def events(repo):
    log = od.Archive(repo.folder.parent / "archive").log
    return [(event, str(day)) for event, day in zip(log["event"], log["release"])]


def counties(day, months):
    return csv_text(county_cells(day, months)).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "one", "two", "dates", "basis"),
    [
        ("states", ONE, TWO, ["2024-12-11", "2025-01-15"], "last month"),
        ("counties", counties("2024-10-06", 15), counties("2025-01-12", 18),
         ["2024-10-06", "2025-01-12"], "inferred"),
    ],
)  # fmt: skip
def test_versions_become_releases(repo, dataset, one, two, dates, basis):
    first = repo.commit(one, "2025-01-03")
    repo.commit(None, "2025-01-10")
    last = repo.commit(two, "2025-02-01")
    repo.commit(two + b"\n", "2025-02-02")  # other bytes of the same release
    repo.commit(one, "2025-02-03")  # the very same bytes as before
    listed = json.loads(fetch(repo, "--list", "--json").stdout)
    said = [(v["commit"], v["release"], v["here"]) for v in listed]
    assert said[:2] == [(first, "2025-01-03", "-"), (last, "2025-02-01", "-")]
    done = fetch(repo, code=0)
    assert [(day, words.partition(",")[0]) for day, words in table(done)] == [
        (dates[0], "added"), (dates[1], "added"), (dates[1], f"second copy of release {dates[1]}"),
    ]  # fmt: skip
    archive = od.Archive(repo.folder.parent / "archive")
    assert [str(d) for d in archive.releases(dataset)] == dates
    origin = archive.origin(dates[0], dataset)
    assert origin.place == f"{repo.folder}@{first}:{repo.file}"
    assert (origin.kind, origin.basis, origin.checks) == ("past", basis, "git blob, structure")
    assert len(origin.sha256) == 64
    assert fetch(repo).stdout.splitlines()[-2] == "2 there already, 1 compared and equal"
    here = [v["here"] for v in json.loads(fetch(repo, "--list", "--json").stdout)]
    assert here == ["there", "there", "kept"]
    other = "counties" if dataset == "states" else "states"
    shutil.rmtree(archive.path)
    refused = fetch(repo, "--dataset", other, code=1)
    assert f"counts of {dataset}, and {other} were asked for" in refused.stderr


def test_bad_versions_do_not_stop_the_good(repo):
    for content, day, *_ in VERSIONS:
        repo.commit(content, day)
    done = fetch(repo, code=1)
    for (day, found), (*_, expected, words) in zip(table(done), VERSIONS, strict=True):
        assert (day, words in found) == (expected, True), found
    rest = "1 compared and different, 1 set aside, 3 refused"
    assert done.stdout.splitlines()[-2] == f"2 added, {rest}"
    assert f"2 there already, {rest}" in fetch(repo).stdout
    assert [kind for kind, _ in events(repo)] == ["added", "quarantined", "added"]


def test_a_rewritten_history_adds_only_what_is_new_and_other_branches_come_last(repo):
    repo.commit(ONE, "2025-01-03")
    repo.commit(TWO, "2025-02-01")
    fetch(repo)
    repo.git("checkout", "-q", "--orphan", "other")
    repo.commit(TWO, "2025-03-01")
    repo.git("checkout", "-q", "-b", "data")
    repo.commit(FOUR, "2025-03-02")
    repo.git("checkout", "-q", "other")
    repo.commit(THREE, "2025-03-12")
    repo.git("branch", "-q", "-D", "main")
    repo.git("branch", "-q", "-m", "main")
    same, *new = table(fetch(repo, code=0))
    assert same == ("2025-01-15", "second copy of release 2025-01-15, all 180 reported counts "
                    "equal")  # fmt: skip
    assert [day for day, _ in new] == ["2025-02-15", "2025-03-02"]  # not after the commit
    days = ["2024-12-11", "2025-01-15", "2025-02-15", "2025-03-02"]
    assert [day for _, day in events(repo)] == days


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_killed_run_goes_on(repo):
    for n, month in enumerate(("2024-04", "2024-05", "2024-06", "2024-07", "2024-08", "2024-09")):
        repo.commit(release_csv(month), f"2025-03-0{n + 1}")
    ledger = repo.folder.parent / "archive" / "ledger.jsonl"
    command = [sys.executable, "-m", "odforecast", "data", *arguments(repo)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end and not (ledger.exists() and ledger.stat().st_size):
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert 1 <= len(events(repo)) < 6
    assert len(table(fetch(repo, code=0))) == 6
    days = [day for _, day in events(repo)]
    assert len(days) == len(set(days)) == 6


def test_settings_of_the_user_change_nothing(repo, tmp_path, monkeypatch):
    ran, hooks = tmp_path / "ran", tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "config"
    config.write_text(
        f"[core]\n hooksPath = {hooks}\n quotePath = true\n askPass = touch {ran}\n"
        f"[init]\n templateDir = {hooks.parent}\n[color]\n ui = always\n"
        "[log]\n showSignature = true\n date = raw\n[clone]\n defaultRemoteName = other\n"
        "[protocol]\n version = 0\n[core]\n abbrev = 4\n[alias]\n cat-file = !false\n"
        f'[url "{repo.folder}"]\n insteadOf = https://nowhere.invalid/counts\n'
    )
    repo.file = "data/Zählung (1).csv"
    repo.commit(ONE, "2025-01-03")
    # A server that leaves contents out is asked for them one by one.
    repo.git("config", "uploadpack.allowFilter", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    # As a proxy or a mirror is set.
    done = fetch(repo, "--git", "https://nowhere.invalid/counts", code=0)
    assert table(done)[0][0] == "2024-12-11"
    assert not ran.exists()


@pytest.mark.parametrize(
    ("url", "file", "code", "words"),
    [
        ("--upload-pack=touch x", "a.csv", 1, "is not the address of a repository"),
        ("ext::sh -c touch% x", "a.csv", 1, "is not the address of a repository"),
        ("http+ext::x", "a.csv", 1, "is not the address of a repository"),
        ("nowhere", "a.csv", 1, "is not the address of a repository"),
        ("file:///nowhere/at/all", "a.csv", 4, "git cannot read /nowhere/at/all: "),
        ("https://me:secret@localhost:1/a/b.git", "a.csv", 4, "git cannot read localhost:1/a/b: "),
        ("{repo}", "nothing.csv", 1, "has never had a file 'nothing.csv'"),
        ("{repo}", "data", 1, "'data' is a folder"),
        ("{repo}", "../counts.csv", 1, "is not a path in a repository"),
        ("{repo}", "/counts.csv", 1, "is not a path in a repository"),
        ("{repo}", None, 2, "--git URL goes with --file PATH"),
    ],
)
def test_refusals(repo, monkeypatch, url, file, code, words):
    repo.commit(ONE, "2025-01-03")
    monkeypatch.chdir(repo.folder.parent)
    args = ["--git", url.format(repo=repo.folder), *(["--file", file] if file else [])]
    done = data("fetch", "--past", "--archive", "archive", *args, code=code)
    assert words in " ".join(done.stderr.split())
    assert "secret" not in done.stderr
    if code == 1:
        assert done.stderr.count("\n") == 1
    assert not Path("x").exists()


@pytest.mark.slow
def test_limits(repo, tmp_path, monkeypatch):
    repo.commit(ONE, "2025-01-03")
    with History(str(repo.folder), most_bytes=1000) as history:
        (tried,) = fetch_past(tmp_path / "archive", history, copies=history.versions(repo.file))
    assert (tried.status, tried.words.split(": ")[-1]) == ("gone", "git fetched more than 0 MB")
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    waiting = History(str(repo.folder), limit=1)
    waiting._command[0] = str(slow)
    start = time.monotonic()
    for history, words in ((History(str(repo.folder), most_clone=100), "fetched more than"),
                           (waiting, "git took longer than 1 s")):  # fmt: skip
        with pytest.raises(DownloadError, match=words), history:
            pass
    assert time.monotonic() - start < 20
    monkeypatch.setenv("PATH", "")
    done = fetch(repo, code=1)
    assert done.stderr.startswith("error: git is not installed, or not on the PATH; install git")
