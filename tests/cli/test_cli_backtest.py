"""``odforecast backtest`` as a stranger would use it."""

from __future__ import annotations

import pandas as pd
from click.testing import CliRunner

from odforecast.backtesting import Results
from odforecast.cli import main

SPAN = ["--start", "2021-01", "--end", "2021-03", "--step", "1", "--locations", "US,WV",
        "--draws", "40"]  # fmt: skip
QUICK = [*SPAN, "--models", "naive,hub-baseline", "--jobs", "1"]


def run(*arguments: str):
    return CliRunner().invoke(main, ["backtest", *arguments])


def test_leaderboard_and_files(tmp_path):
    result = run(*QUICK, "--out", str(tmp_path))
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
    run = CliRunner().invoke
    assert "had scores of" not in run(main, [*at, "--models", "drift,naive"]).output
    again = run(main, [*at, "--models", "naive"])
    assert "had scores of 1 more model (drift)" in " ".join(again.output.split())
    assert "had scores of" not in run(main, [*at, "--models", "naive,drift"]).output
