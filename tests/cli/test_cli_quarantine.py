"""A broken release through all commands: named by cell, used by none, unless with a reason."""

import json

import pytest
from exits import run
from release_factory import bent_release

pytestmark = pytest.mark.usefixtures("older_bundle")

DAY = "2025-10-15"
REASON = "CDC published it so"
FORECAST = ("forecast", "--model", "naive", "--locations", "WV", "--draws", "20")


@pytest.fixture
def wrong(tmp_path):
    return bent_release(tmp_path, ("WV", 10), name="_broken")


@pytest.fixture
def right(tmp_path):
    return bent_release(tmp_path)


def refused(done, code=1):
    assert done.exit_code == code, done.output
    (line,) = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
    assert "WV 2025-04, Number of Drug Overdose Deaths: " in line
    assert "--accept REASON" in line
    return line


@pytest.mark.parametrize(
    "command",
    [
        FORECAST,
        ("backtest", "--models", "naive", "--locations", "WV", "--draws", "20"),
        ("data", "export", "--monthly", "WV", "--out", "-"),
        ("scenario", "run", "--scenario", "supply-shock-2023-like", "--draws", "20", "--out", "x"),
    ],
)
def test_a_broken_file_is_no_source(wrong, command):
    assert "contradicts itself" in refused(run(*command, "--source", wrong))


def test_score_refuses_a_broken_truth(wrong, tmp_path):
    made = tmp_path / "2024-06-12-me-naive.csv"
    assert run(*FORECAST, "--out", made).exit_code == 0
    refused(run("score", made, "--source", wrong))
    taken = run("score", made, "--source", wrong, "--accept", REASON, "--min-truth-age", "0")
    assert f"was accepted: {REASON}" in taken.stderr


def test_with_a_reason_it_is_used_and_says_so(wrong, right):
    done = run(*FORECAST, "--source", wrong, "--accept", REASON, code=0)
    assert f"note: release {DAY} was accepted: {REASON}" in done.stderr
    for args, code, words in (
        ((*FORECAST, "--source", wrong, "--accept", ""), 1, "a reason has 3 to 500 characters"),
        (("data", "check", wrong), 0, ""),
        (("data", "export", "--source", wrong, "--out", "-"), 0, ""),
        (("data", "check", "--source", wrong), 1, "WV"),
    ):
        assert words in run(*args, code=code).output
    run("data", "add", wrong, "--accept", "[red]see the note[/red]", code=0)
    assert "[red]see the note[/red]" in run(*FORECAST).stderr
    assert f"given  accepted   {wrong.name[:16]}" in run("data", "releases").stdout


def test_apart_accepted_replaced_retracted_and_back(wrong, right):
    def fix(*args, reason):
        return run("data", "fix", *args, "--reason", reason).stdout

    empty = run("data", "releases", "--log")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "the archive is empty" in empty.stderr
    assert json.loads(run("data", "releases", "--log", "--json").stdout) == []
    assert "was set aside" in refused(run("data", "add", wrong), code=5)
    assert "release 2025-09-17" in run(*FORECAST).stderr
    assert fix("accept", DAY, reason=REASON) == f"release {DAY} is used from now on: {REASON}\n"
    assert f"was accepted: {REASON}" in run(*FORECAST).stderr
    assert "replace FILE --reason TEXT" in run("data", "add", right, code=1).stderr
    assert fix("replace", right, reason="a digit too many") == f"release {DAY} replaced\n"
    gone = fix("retract", DAY, reason="not CDC's file")
    assert gone == f"release {DAY} is no longer used: not CDC's file\n"
    log = run("data", "releases", "--log").stdout.splitlines()
    entries = [line.split()[1] for line in log[1:] if not line.startswith(" ")]
    assert entries == ["quarantined", "accepted", "replaced", "retracted"]
    assert "were retracted: not CDC's file" in run("data", "add", right).stderr
    assert run("data", "add", right, "--accept", "it was").exit_code == 0
    rows = json.loads(run("data", "releases", "--log", "--json").stdout)
    assert [r["file"] for r in rows][:1] == [wrong.name]
    assert f"release {DAY}" in run(*FORECAST).stderr
