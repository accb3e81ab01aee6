"""``odforecast data fetch --past`` and what ``data releases`` then says."""

from __future__ import annotations

import json
from functools import partial

import commands
import pytest
from past_server import FileServer, Made, release_csv, row

import odforecast as od

data = partial(commands.run, "data", columns=None)


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def made():
    one, two, three = (release_csv(m) for m in ("2024-07", "2024-08", "2024-09"))
    return Made.of(
        (row("2024-12-11", "2024-07", one, owner="gone"), None),
        (row("2024-12-11", "2024-07", one), one),
        (row("2024-12-11", "2024-07", one + b"\n", owner="twice"), one + b"\n"),
        (row("2025-01-15", "2024-08", two, owner="blob", check="git blob", basis="known"), two),
        (row("2025-01-15", "2024-08", three, owner="late", check="", settled=False), three),
    )


def fetch(made, folder, *args):
    copies = made.write(folder / "copies.csv")
    with FileServer(made.files) as server:
        return data("fetch", "--past", "--copies", copies, "--url", server.url,
                    "--archive", folder / "archive", *args)  # fmt: skip


def test_fetch_past_and_what_releases_says(made, tmp_path):
    done = fetch(made, tmp_path)
    assert done.exit_code == 0, done.output
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("warning: 2024-12-11: gone/drugs: counts.csv: not available")
    assert warning.endswith("answer 404")
    assert done.stdout.splitlines()[-2:] == [
        "3 added, 1 compared and equal, 1 not available",
        f"{tmp_path / 'archive'} holds 3 releases, 2024-12-11 to 2025-02-15",
    ]
    again = fetch(made, tmp_path)
    assert again.exit_code == 0
    assert "3 there already, 1 compared and equal, 1 not available" in again.stdout

    (tmp_path / "2025-03-12.csv").write_bytes(release_csv("2024-10"))
    archive = ("--archive", tmp_path / "archive")
    assert data("add", tmp_path / "2025-03-12.csv", *archive).exit_code == 0
    text = data("releases", *archive).stdout
    rows = json.loads(data("releases", *archive, "--json").stdout)
    assert max(map(len, text.splitlines())) <= 80
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
    expected = {"origin": "past", "place": place, "sha256": made.rows[1]["sha256"]}
    assert rows[0] | expected == rows[0]


def test_without_a_copy_that_can_be_used_it_fails_in_one_line(made, tmp_path):
    wrong = release_csv("2024-07", change=10)
    gone = Made(made.rows[:1], {})
    for copies, words in (
        (gone, "not available"),
        (Made.of((row("2024-12-11", "2024-07", wrong), wrong)), "set aside: WV 2024-07"),
    ):
        done = fetch(copies, tmp_path)
        assert done.exit_code == 1
        first, last = done.stderr.splitlines()
        assert words in first
        assert last == "error: no usable copy of release 2024-12-11"
    assert od.Archive(tmp_path / "archive").releases() == ()
    # Without a network: what to do; no repository is named, no hint comes twice.
    nowhere = ("--archive", tmp_path / "archive", "--url", "https://nowhere.invalid")
    one = gone.write(tmp_path / "one.csv")
    for args in (("--past",), ("--past", "--copies", one), (), ("--dataset", "counties")):
        done = data("fetch", *args, *nowhere)
        assert (done.exit_code, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert line.count("nowhere.invalid") == 1
        assert "network" in line or "online" in line
        assert ".csv" not in line


def test_list_asks_nobody(made, tmp_path):
    done = data("fetch", "--past", "--list")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 53
    assert done.stderr == "52 copies of 38 releases\n"
    first = done.stdout.splitlines()[1]
    assert first.startswith("2017-09-13  2017-02     inferred  sha256     -     1cb5453922  Chich")
    fetch(made, tmp_path, "--release", "2024-12-11")
    done = data("fetch", "--past", "--list", "--copies", tmp_path / "copies.csv",
                "--archive", tmp_path / "archive", "--json")  # fmt: skip
    rows = json.loads(done.stdout)
    assert [r["here"] for r in rows] == ["-", "there", "kept", "-", "-"]
    assert [r["basis"] for r in rows] == ["inferred"] * 3 + ["known", "guess"]
    assert [r["check"] for r in rows] == ["sha256"] * 3 + ["git blob", "structure"]
    assert "known  structure  bundled" in data("releases").stdout
    none = data("fetch", "--past", "--list", "--release", "2024-12-12")
    assert none.exit_code == 1
    assert none.stderr.startswith("error: no copy of release 2024-12-12 is listed; the nearest is ")
