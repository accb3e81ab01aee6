"""``odforecast backtest``: what it prints, draws and writes, and one archive for all commands."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from commands import ok, run

import odforecast as od
from odforecast.backtesting import Results
from odforecast.cli.leaderboard import _print_missing, lacking
from odforecast.sources.vsrr import read_vsrr

SPAN = ["--start", "2021-01", "--end", "2021-03", "--step", "1", "--locations", "US,WV",
        "--draws", "40"]  # fmt: skip
QUICK = [*SPAN, "--models", "naive,hub-baseline", "--jobs", "1"]


@pytest.mark.slow
def test_leaderboard_and_files(tmp_path):
    result = run("backtest", *QUICK, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "9 origins (pseudo-delayed: 3 months by" in result.output
    said = " ".join(result.output.split())
    assert "3 origins (pseudo-clean), known through 2021-01 to 2021-03; 2 places" in said
    assert "Final counts: reported in release" in said
    _, title = said.split("Leaderboard on ")  # one table
    assert "(pseudo-delayed); 216 forecasts per model" in title
    assert {"US", "states"} <= set(result.output.splitlines())
    assert "Every model made all forecasts: 216 (pseudo-delayed), 72 (pseudo-clean)." in said
    results = Results.load(tmp_path)
    assert len(results.scores) == 2 * (9 + 3) * 2 * 12
    board = pd.read_csv(tmp_path / "leaderboard.csv")
    baseline = board[board["model"] == "hub-baseline"]
    assert (baseline["rel_wis"] == 1).all()


def test_a_run_of_other_models_into_one_folder_is_said(tmp_path):
    at = ["backtest", "--source", "bundled", "--locations", "WV", "--start", "2021-01", "--end",
          "2021-01", "--vintages", "clean", "--draws", "20", "--jobs", "1",
          "--out", str(tmp_path / "r")]  # fmt: skip
    assert "had scores of" not in run(*at, "--models", "drift,naive").output
    again = run(*at, "--models", "naive")
    assert "had scores of 1 more model (drift)" in " ".join(again.output.split())
    assert "had scores of" not in run(*at, "--models", "naive,drift").output


@od.forecaster(by="state", joint=("month",))
def no_ohio(panel, horizon, draws, rng):
    """Fails in one place."""
    import numpy as np

    if panel.locations == ("OH",):
        raise ValueError("no Ohio")
    return np.full((draws, len(panel.locations), horizon), 100.0)


@pytest.fixture(scope="module")
def made():
    return od.backtest(
        ["hub-baseline", no_ohio], archive=od.bundled(), start="2021-01", end="2021-02", donors=2,
        locations=["US", "OH", "WV"], draws=60, progress=False,
    )  # fmt: skip


def test_missing_forecasts_and_failures_by_model(made, capsys):
    table = lacking(made).set_index("model")
    asked = 2 * 2 * 3 * 12
    assert table.loc["hub-baseline"].to_dict() == {
        "vintage": "pseudo-delayed", "asked": asked, "missing": 0, "failures": 0, "reason": "",
    }  # fmt: skip
    mine = table.loc["no_ohio"]
    assert (mine["asked"], mine["missing"]) == (asked, 48)
    assert mine["failures"] == 4
    _print_missing(made)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "no_ohio  pseudo-delayed    144       48         4\n" in text
    assert "no Ohio" in text


def test_one_line_where_nothing_is_missing(made, capsys):
    whole = Results(
        {
            "scores": made.scores[made.scores["model"] == "hub-baseline"],
            "failures": made.failures.iloc[:0],
            "quantiles": pd.DataFrame(),
        },
        made.manifest,
    )
    _print_missing(whole)
    assert capsys.readouterr().out == "Every model made all forecasts: 144 (pseudo-delayed).\n"


BACKTEST = ("backtest", "--start", "2021-01", "--end", "2021-02", "--step", "1", "--draws", "40",
            "--locations", "US,WV", "--jobs", "1")  # fmt: skip


def picture(path):
    text = path.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "<desc" in text  # what it shows, for who cannot see it


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A backtest: its folder, and what it prints as JSON and on standard error."""
    out = tmp_path_factory.mktemp("backtest")
    done = run(*BACKTEST, "--models", "naive,hub-baseline", "--out", out, "--json",
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
    text = ok(*BACKTEST, "--vintages", "clean", "--models", "naive,hub-baseline", "--all")
    for words in ("Skill by months ahead", "How often intervals contained", "ranked probability"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 102


@pytest.mark.slow
def test_one_archive_for_all_commands(own_archive, tmp_path):
    """Your own releases, with the bundled ones beneath: also where they are compared."""
    table = od.bundled().as_of().table
    early = table[table["month"] <= "2024-07-01"].assign(release="2024-12-11")
    early = early.assign(month=early["month"].dt.strftime("%Y-%m"))
    early.to_csv(tmp_path / "2024-12-11.csv", index=False)
    od.Archive(own_archive).add(read_vsrr(tmp_path / "2024-12-11.csv"))
    said = json.loads(ok("data", "revisions", "OH", "--json", "--plot", tmp_path / "r.svg"))
    assert said["meta"]["releases"] == ["2024-12-11", "2025-09-17", "2026-01-14"]
    months = {row["month"]: row for row in said["months"]}
    assert months["2024-07"]["releases"] == 3
    assert months["2025-04"]["first_release"] == "2025-09-17"
    picture(tmp_path / "r.svg")
    assert "counts appeared" in ok("data", "revisions", "--between", "2024-12-11", "2025-09-17")
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
    assert "in release 2026-01-14," in ok("score", hub, "--min-truth-age", "0")
    old = run("score", hub, "--min-truth-age", "0", "--truth-as-of", "2024-12-20", "--json")
    assert json.loads(old.stdout)["meta"]["truth_release"] == "2024-12-11"
