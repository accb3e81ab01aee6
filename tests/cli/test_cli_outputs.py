"""``--json``, ``--plot`` and ``--html`` of the other commands, and their one default archive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.sources.vsrr import read_vsrr

BACKTEST = ("backtest", "--start", "2021-01", "--end", "2021-02", "--step", "1", "--draws", "40",
            "--locations", "US,WV", "--jobs", "1")  # fmt: skip


def run(*arguments: object):
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, [str(a) for a in arguments])


def ok(*arguments: object):
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done


def picture(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "<desc" in text  # what it shows, for who cannot see it


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A backtest: its folder, and what it prints as JSON and on standard error."""
    out = tmp_path_factory.mktemp("backtest")
    done = ok(*BACKTEST, "--models", "naive,hub-baseline", "--out", out, "--json",
              "--plot", out.parent / "b.svg", "--html", out.parent / "b.html")  # fmt: skip
    return out, done.stdout, done.stderr


def test_backtest_draws_what_decides_and_writes_a_page(scored):
    out, _, said = scored
    picture(out.parent / "b.svg")
    assert f"figure: {out.parent / 'b.svg'}" in said
    assert (out.parent / "b.html").read_text().lower().startswith("<!doctype html>")


def test_in_a_pipe_a_backtest_draws_no_bar(scored):
    assert "━" not in scored[2]


def test_the_leaderboard_has_the_trend():
    text = ok(*BACKTEST, "--vintages", "clean", "--models", "naive,hub-baseline", "--all").stdout
    assert "Trend on past months" in text
    assert "ranked probability score" in " ".join(text.split())


@pytest.mark.slow
def test_one_archive_for_all_commands(own_archive: Path, tmp_path: Path):
    """Your own releases, with the bundled ones beneath: also where they are compared."""
    table = od.bundled().as_of().table
    early = table[table["month"] <= "2024-07-01"].assign(release="2024-12-11")
    early = early.assign(month=early["month"].dt.strftime("%Y-%m"))
    early.to_csv(tmp_path / "2024-12-11.csv", index=False)
    od.Archive(own_archive).add(read_vsrr(tmp_path / "2024-12-11.csv"))
    said = json.loads(ok("data", "revisions", "OH", "--json", "--plot", tmp_path / "r.svg").stdout)
    assert said["meta"]["releases"] == ["2024-12-11", "2025-09-17", "2026-01-14"]
    months = {row["month"]: row for row in said["months"]}
    assert months["2024-07"]["releases"] == 3
    assert months["2025-04"]["first_release"] == "2025-09-17"
    picture(tmp_path / "r.svg")
    assert (
        "counts appeared" in ok("data", "revisions", "--between", "2024-12-11", "2025-09-17").stdout
    )
    for command in (
        ("data", "check", "--json"), ("data", "export", "--out", "-"), ("data", "releases"),
        ("data", "export", "--monthly", "OH", "--draws", "100", "--out", "-"),
        ("forecast", "--model", "naive", "--draws", "20", "--locations", "US"),
        ("nowcast", "--draws", "20", "--locations", "US", "--as-of", "2025-01-01"),
    ):  # fmt: skip
        ok(*command)
    hub = tmp_path / "naive.csv"
    ok("forecast", "--model", "naive", "--draws", "20", "--locations", "US", "--as-of",
       "2024-12-20", "--out", hub)  # fmt: skip
    assert "in release 2026-01-14," in ok("score", hub, "--min-truth-age", "0").stdout
    old = run("score", hub, "--min-truth-age", "0", "--truth-as-of", "2024-12-20", "--json")
    assert json.loads(old.stdout)["meta"]["truth_release"] == "2024-12-11"
