"""``odforecast hub check``: the table, JSON, exit status, a screen of 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hub_breaker import broken, small_hub

from odforecast.cli import main
from odforecast.hub.checks import CHECKS


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return small_hub(tmp_path / "hub")


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["hub", "check", *map(str, words)])


def test_a_hub_that_is_in_order(hub: Path) -> None:
    result = run(hub)
    assert result.exit_code == 0, result.output
    summary = "52 checks: 47 passed, 0 failed, 5 not run"
    assert result.stdout == summary + "\n"
    lines = run(hub, "--all").stdout.splitlines()
    assert lines[-1] == summary
    starts = [line.split()[0] for line in lines[:-1] if line[:1] not in ("", " ")]
    assert starts == [c.name for c in CHECKS]
    assert max(map(len, lines)) <= 80


def test_a_failure_is_shown_and_exits_with_1(tmp_path: Path) -> None:
    path, _ = broken("valid_vals", tmp_path)
    result = run(path)
    assert result.exit_code == 1
    text = " ".join(result.stdout.split())
    assert text.startswith("valid_vals failed: 54 broken places Tests: Columns (excluding")
    assert "row 56, column location, value '99': is not a value of this hub's location" in text
    assert "To fix: write the values exactly as tasks.json has them" in text
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert len(run(path, "--all").stdout.splitlines()) > 60


def test_json_holds_all_of_it(tmp_path: Path) -> None:
    path, _ = broken("req_vals", tmp_path)
    result = run(path, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["ok"], len(found["checks"])) == (False, 52)
    (mine,) = [x for x in found["checks"] if x["name"] == "req_vals"]
    assert mine["status"] == "failed"
    assert mine["files"][0]["count"] == 3
    assert mine["files"][0]["findings"][0]["message"].startswith("missing of model task 1")


def test_the_window_is_judged_when_asked_for(hub: Path) -> None:
    assert run(hub, "--submission-time").exit_code == 1
    assert run(hub, "--at", "2024-01-10").exit_code == 0
    assert run(hub, "--at", "2024-01-13").exit_code == 1
    assert "'--at': 'soon' is not a date" in run(hub, "--at", "soon").stderr


def test_what_is_no_hub_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "not part of a hub" in result.stderr
    assert run(tmp_path / "x", "--schemas", tmp_path / "y").exit_code == 2


def test_schemas(hub: Path, shared: Path) -> None:
    result = run(hub, "--all", "--schemas", shared / "hubverse")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["valid_config", "passed"]
