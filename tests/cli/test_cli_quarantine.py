"""A broken release through all commands: named by cell, used by none, unless with a reason."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main

#: Their numbers are those of the release of 2025-09-17.
pytestmark = pytest.mark.usefixtures("older_bundle")

DAY = "2025-10-15"
REASON = "CDC published it so"


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def release(folder, factor, day=DAY):
    table = od.bundled().as_of("2025-09-17").table
    at = (table["state"] == "WV") & (table["month"] == "2025-04-01")
    table.loc[at, "reported"] = (table.loc[at, "reported"] * factor).round()
    path = folder / f"{day}{'' if factor == 1 else '_broken'}.csv"
    table.assign(release=day, month=table["month"].dt.strftime("%Y-%m")).to_csv(path, index=False)
    return path


@pytest.fixture
def wrong(tmp_path):
    return release(tmp_path, 10)


@pytest.fixture
def right(tmp_path):
    return release(tmp_path, 1)


def refused(done):
    assert done.exit_code == 1, done.output
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
    assert "WV 2025-04, Number of Drug Overdose Deaths: " in line
    assert "--accept REASON" in line
    return line


FORECAST = ("--model", "naive", "--locations", "WV", "--draws", "20")


def events(log: str) -> list[str]:
    """What happened: the lines that begin an entry."""
    assert max(map(len, log.splitlines())) <= 80
    return [line.split()[1] for line in log.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize(
    "command",
    [
        ("forecast", *FORECAST),
        ("backtest", "--models", "naive", "--locations", "WV", "--draws", "20"),
        ("data", "months", "WV"),
        ("scenario", "run", "--scenario", "supply-shock-2023-like", "--draws", "20", "--out", "x"),
    ],
)
def test_a_broken_file_is_no_source(wrong, command):
    line = refused(run(*command, "--source", wrong))
    assert "contradicts itself" in line


def test_score_refuses_a_broken_truth(wrong, tmp_path):
    made = tmp_path / "2024-06-12-me-naive.csv"
    assert run("forecast", *FORECAST, "--out", made).exit_code == 0
    refused(run("score", made, "--truth", wrong))
    taken = run("score", made, "--truth", wrong, "--accept", REASON, "--min-truth-age", "0")
    assert f"was accepted: {REASON}" in taken.stderr


def test_with_a_reason_it_is_used_and_says_so(wrong):
    done = run("forecast", *FORECAST, "--source", wrong, "--accept", REASON)
    assert done.exit_code == 0, done.output
    assert f"note: release {DAY} was accepted: {REASON}" in done.stderr
    alone = run("forecast", *FORECAST, "--accept", REASON)
    assert alone.exit_code == 2
    assert "--accept is about a --source FILE" in alone.stderr
    short = run("forecast", *FORECAST, "--source", wrong, "--accept", "")
    assert short.exit_code == 1
    assert "a reason has 3 to 500 characters" in short.stderr


def test_looking_is_free(wrong, tmp_path):
    assert run("data", "inspect", wrong).exit_code == 0
    out = tmp_path / "x.csv"
    assert run("data", "export", "--source", wrong, "--out", out).exit_code == 0
    checked = run("data", "check", "--source", wrong)
    assert checked.exit_code == 1  # it says what is wrong
    assert "WV" in checked.stdout


def test_from_the_wrong_file_to_the_right_one(wrong, right, own_archive):
    line = refused(run("data", "add", wrong))
    assert "was stored apart" in line
    used = run("forecast", *FORECAST)
    assert "release 2025-09-17" in used.stderr
    added = run("data", "add", right)
    assert added.exit_code == 0, added.output
    assert "release 2025-10-15" in run("forecast", *FORECAST).stderr
    log = run("data", "log")
    assert events(log.stdout) == ["quarantined", "added"]
    rows = json.loads(run("data", "log", "--json").stdout)
    assert [r["file"] for r in rows] == [wrong.name, right.name]


def test_accept_replace_retract(wrong, right, own_archive):
    run("data", "add", wrong)
    missing = run("data", "accept", DAY)
    assert missing.exit_code == 2
    assert "--reason" in missing.stderr
    done = run("data", "accept", DAY, "--reason", REASON)
    assert done.stdout == f"release {DAY} is used from now on: {REASON}\n"
    assert f"was accepted: {REASON}" in run("forecast", *FORECAST).stderr
    again = run("data", "add", right)
    assert again.exit_code == 1
    assert "odforecast data replace FILE --reason TEXT" in again.stderr
    done = run("data", "replace", right, "--reason", "a digit too many")
    assert done.stdout == f"release {DAY} replaced\n"
    assert "was replaced: a digit too many" in run("forecast", *FORECAST).stderr
    done = run("data", "retract", DAY, "--reason", "not CDC's file")
    assert done.stdout == f"release {DAY} is used no more: not CDC's file\n"
    assert "release 2025-09-17" in run("forecast", *FORECAST).stderr
    kinds = events(run("data", "log").stdout)
    assert kinds == ["quarantined", "accepted", "replaced", "retracted"]
    refused_again = run("data", "add", right)
    assert "were retracted: not CDC's file" in refused_again.stderr
    assert run("data", "add", right, "--accept", "it was").exit_code == 0


def test_one_reason_one_file(wrong, right):
    done = run("data", "add", wrong, right, "--accept", REASON)
    assert done.exit_code == 2
    assert "give one FILE" in done.stderr


def test_an_empty_archive_says_so():
    done = run("data", "log")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "the archive is empty" in done.stderr
    assert json.loads(run("data", "log", "--json").stdout) == []


def test_markup_in_a_reason_is_text(wrong, own_archive):
    done = run("data", "add", wrong, "--accept", "[red]see the note[/red]")
    assert done.exit_code == 0, done.output
    assert "[red]see the note[/red]" in run("forecast", *FORECAST).stderr
