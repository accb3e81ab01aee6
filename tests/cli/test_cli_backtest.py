"""``odforecast backtest``, of states and of counties: what it prints, draws and writes."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from commands import ok, said
from exits import run
from made_up_counties import Archive, made_up

import odforecast as od
from odforecast.backtesting import Results, cuts
from odforecast.cli import source
from odforecast.cli.leaderboard import _print_missing, lacking, print_leaderboard
from odforecast.errors import BacktestError
from odforecast.scoring import Truth

SPAN = ("backtest", "--start", "2021-01", "--end", "2021-02", "--step", "1", "--jobs", "1")
TWO = ("--models", "naive,hub-baseline", "--draws", "40", "--locations", "US,WV")
COUNTIES = ["backtest", "--dataset", "counties", "--models", "county-hub-baseline", "--locations",
            "DE/*,NYC/*", "--draws", "40", "--jobs", "1", "--start", "2022-06"]  # fmt: skip
PRIVATE = "hold the model's own numbers, below 10 too: not for publication"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    out = tmp_path_factory.mktemp("backtest")
    files = ("--out", out / "run", "--plot", out / "b.svg", "--html", out / "b.html")
    return out, run(*SPAN, *TWO, *files, code=0).output


def test_leaderboard_and_files(scored):
    out, text = scored
    assert "━" not in text  # in a pipe there is no bar
    assert {"US", "states"} <= set(text.splitlines())
    assert f"figure: {out / 'b.svg'}" in text
    text = " ".join(text.split())
    assert "6 origins (pseudo-delayed: 2 months by" in text
    assert "2 origins (pseudo-clean), known through 2021-01 to 2021-02; 2 places" in text
    assert "Final counts: reported in release" in text
    _, title = text.split("Leaderboard on ")  # one table
    assert "(pseudo-delayed); 144 forecasts per model" in title
    assert "ratio" in title.split()
    assert "Every model made all forecasts: 144 (pseudo-delayed), 48 (pseudo-clean)." in text
    assert len(Results.load(out / "run").scores) == 2 * (6 + 2) * 2 * 12
    board = pd.read_csv(out / "run" / "leaderboard.csv")
    assert (board.loc[board["model"] == "hub-baseline", "rel_wis"] == 1).all()
    assert "<desc" in (out / "b.svg").read_text()  # what it shows, for who cannot see it
    assert (out / "b.html").read_text().lower().startswith("<!doctype html>")


def test_a_run_of_other_models_into_one_folder_is_said(tmp_path):
    to = ("--out", tmp_path / "r", "--locations", "WV,WV")
    at = (*SPAN, "--vintages", "clean", "--draws", "20", *to)
    first = run(*at, "--models", "drift,naive", code=0)
    assert "; 1 place" in said(first)  # which is named twice
    assert "had scores of" not in first.output
    assert " 90% " in first.stdout
    assert "no ratio without hub-baseline" in said(first)
    assert "had scores of 1 more model (drift)" in said(run(*at, "--models", "naive"))
    assert "had scores of" not in run(*at, "--models", "naive,drift").output


@od.forecaster(by="state", joint=("month",))
def no_ohio(panel, horizon, draws, rng):
    if panel.locations == ("OH",):
        raise ValueError("no Ohio")
    return np.full((draws, len(panel.locations), horizon), 100.0)


def test_missing_forecasts_and_failures_by_model(capsys):
    how = {"start": "2021-01", "end": "2021-02", "donors": 2, "draws": 60, "progress": False}
    how |= {"archive": od.bundled(), "locations": ["US", "OH", "WV"]}
    made = od.backtest(["hub-baseline", no_ohio], **how)
    table, asked = lacking(made).set_index("model"), 2 * 2 * 3 * 12
    columns = ["vintage", "asked", "missing", "failures", "reason"]
    assert table.loc["hub-baseline", columns].tolist() == ["pseudo-delayed", asked, 0, 0, ""]
    assert table.loc["no_ohio", ["asked", "missing", "failures"]].tolist() == [asked, 48, 4]
    _print_missing(made)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "no_ohio  pseudo-delayed    144       48         4\n" in text
    assert "no Ohio" in text


def test_the_leaderboard_has_the_trend():
    text = ok(*SPAN, *TWO, "--vintages", "clean", "--all")
    for words in ("Skill by months ahead", "How often intervals contained", "ranked probability"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 102


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_label_or_one_in_brackets_is_whole(width, monkeypatch, capsys):
    panel = od.bundled().as_of().panel().select(["US", "OH", "WV"])
    labels = ("auto-theta(" + "a" * 57 + ")+delay", "drift [bold]")
    models = [od.get_model("drift", label=label) for label in labels]
    found = cuts(panel, start="2021-01", end="2021-01")
    results = od.backtest([*models, "hub-baseline"], found, truth=Truth(panel), draws=20)
    monkeypatch.setenv("COLUMNS", str(width))
    print_leaderboard(results)
    text = capsys.readouterr().out
    assert "…" not in text
    assert "drift [bold]" in text
    assert "a" * 30 in text
    assert max(map(len, text.splitlines())) <= width


def test_a_backtest_of_which_nothing_can_be_scored_says_so(tmp_path):
    words = (*SPAN, *TWO, "--vintages", "clean", "--min-truth-age", "900", "--out", tmp_path / "r")
    done = run(*words, "--plot", tmp_path / "p.svg", code=1)
    assert "error: no forecast can be scored yet" in done.stderr
    assert "96 cannot be scored" in done.stdout
    assert (tmp_path / "r" / "leaderboard.csv").exists()
    assert json.loads(run(*words, "--json", code=1).stdout)["leaderboard"]


def test_without_a_name_all_models_run(monkeypatch):
    def stop(models, *_, **__):
        raise BacktestError(" ".join(model.label for model in models))

    monkeypatch.setattr("odforecast.backtesting.plan", stop)
    said_of = run("backtest", "--start", "2021-01", "--end", "2021-01", code=1).stderr.split()
    assert {"dlm", "naive", "naive+delay", "auto-ets+delay", "hub-baseline"} <= set(said_of)


@pytest.fixture
def opened(monkeypatch):
    panel = made_up(("DE", "YC"))
    monkeypatch.setattr(source.Data, "open", lambda *_: Archive(panel))


def test_a_table_per_horizon_that_fits_the_screen(opened, tmp_path):
    out = tmp_path / "run"
    first = run(*COUNTIES, "--out", out, code=0)
    text = said(first)
    for words in (
        "3 origins (pseudo-clean), known through 2022-06 to 2022-12; 8 places",
        "Final counts: provisional, reported in release 2023-10-08, at least 6 months after",
        "past forecasts were: one plateau, one release, provisional truth",
        "3 months ahead: 24 counts of 8 counties in 2 states", PRIVATE,
    ):  # fmt: skip
        assert words in text
    assert re.search(r"\ncounty-hub-baseline +[\d.]+ +1.00 ", first.output)
    results = Results.load(out)
    assert set(results.scores["horizon"]) == {3, 6, 9, 12}
    assert results.manifest["dataset"] == "counties"
    assert PRIVATE in results.manifest["publication"]
    assert (out / "leaderboard.csv").read_text().startswith("horizon,model,n_units")
    assert "more location" not in text
    words = ["DE/*" if x == "DE/*,NYC/*" else x for x in COUNTIES]
    fewer = run(*words, "--out", out, code=0)
    gone = f"{out} had scores of 5 more locations (36005, 36047, 36061, …)"
    assert gone in " ".join(fewer.stderr.split())
    assert set(Results.load(out).scores["location"]) == {"10001", "10003", "10005"}
    assert "more location" not in run(*words, "--out", out).output
    board = json.loads(run(*COUNTIES, "--json").stdout)["leaderboard"]
    assert [row["horizon"] for row in board] == [3, 6, 9, 12]
    assert board[0]["n_units"] == 24
    text = said(run(*COUNTIES, "--min-truth-age", "12"))
    assert "Final counts: reported in release 2023-10-08, at least 12 months after" in text
    assert PRIVATE not in text  # no file is written


def test_all_models_are_those_of_the_data_set(opened, monkeypatch):
    asked = []

    def names(dataset=None):
        asked.append(dataset)
        return ("county-hub-baseline", "county-last")

    monkeypatch.setattr("odforecast.models.model_names", names)
    result = run(*COUNTIES, "--models", "all", "--start", "2022-12", code=0)
    assert asked == ["counties"]
    assert "county-last" in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--vintages", "delayed"), "the delay of 'all-drugs' (counties) is not known"),
        (("--dask", "local"), "error: Dask is not installed; pip install 'odforecast[cluster]'"),
    ],
)
def test_a_mistake_is_one_line(opened, monkeypatch, more, words):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run(*COUNTIES, *more, code=1)
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
