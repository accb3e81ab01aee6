"""What ``odforecast backtest`` says of forecasts that a model did not make."""

from __future__ import annotations

import pandas as pd
import pytest

import odforecast as od
from odforecast.backtesting import Results
from odforecast.cli.leaderboard import _print_missing, lacking


@od.forecaster(by="state", joint=("month",))
def no_ohio(panel, horizon, draws, rng):
    """Fails in one place."""
    import numpy as np

    if panel.locations == ("OH",):
        raise ValueError("no Ohio")
    return np.full((draws, len(panel.locations), horizon), 100.0)


@pytest.fixture(scope="module")
def results() -> Results:
    return od.backtest(
        ["hub-baseline", no_ohio], archive=od.bundled(), start="2021-01", end="2021-02", donors=2,
        locations=["US", "OH", "WV"], draws=60, progress=False,
    )  # fmt: skip


def test_missing_forecasts_and_failures_by_model(results: Results, capsys) -> None:
    table = lacking(results).set_index("model")
    asked = 2 * 2 * 3 * 12
    assert table.loc["hub-baseline"].to_dict() == {
        "vintage": "pseudo-delayed", "asked": asked, "missing": 0, "failures": 0, "reason": "",
    }  # fmt: skip
    mine = table.loc["no_ohio"]
    assert (mine["asked"], mine["missing"]) == (asked, 48)
    assert mine["failures"] == 4
    _print_missing(results, every=True)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "no Ohio" in text
    _print_missing(results, every=False)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Missing forecasts: no_ohio 48 of 144 (pseudo-delayed).")


def test_one_line_where_nothing_is_missing(results: Results, capsys) -> None:
    whole = Results(
        {
            "scores": results.scores[results.scores["model"] == "hub-baseline"],
            "failures": results.failures.iloc[:0],
            "quantiles": pd.DataFrame(),
        },
        results.manifest,
    )
    _print_missing(whole, every=True)
    assert capsys.readouterr().out == "Every model made all forecasts: 144 (pseudo-delayed).\n"
