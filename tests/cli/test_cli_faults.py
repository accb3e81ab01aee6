"""Commands that once went wrong, each test named after the fault."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from commands import run
from socrata_server import FakeSocrata, release_rows

import odforecast as od
from odforecast.backtesting import backtest, cuts
from odforecast.cli.leaderboard import print_leaderboard
from odforecast.cli.screen import code, share
from odforecast.errors import BacktestError
from odforecast.hub import read_hub
from odforecast.scoring import Truth

STATES = ("US", "OH", "WV")
SPAN = ["--start", "2021-01", "--end", "2021-02", "--locations", "US,WV", "--draws", "30"]
QUICK = [*SPAN, "--vintages", "clean", "--step", "1", "--jobs", "1"]


def release_file(folder, day, last, states=STATES, factor=1.0):
    """A release as CDC might have published it: the bundled counts up to a month."""
    table = od.bundled().as_of("2025-09-17").table
    if states is not None:
        table = table[table["state"].isin(states)]
    table = table[table["month"] <= pd.Timestamp(last)]
    table = table.assign(
        release=day,
        month=table["month"].dt.strftime("%Y-%m"),
        reported=(table["reported"] * factor).round(),
        predicted=(table["predicted"] * factor).round(),
    )
    path = folder / f"{day}.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def real(tmp_path):
    """An archive of three real releases, the last one old enough to be a truth."""
    store = tmp_path / "store"
    for day, last in (("2022-03-16", "2021-10"), ("2022-04-13", "2021-11"),
                      ("2024-03-13", "2023-10")):  # fmt: skip
        done = run("data", "add", release_file(tmp_path, day, last), "--archive", store)
        assert done.exit_code == 0, done.output
    return store


# backtest


def test_a_backtest_without_hub_baseline_crashed():
    result = run("backtest", *QUICK, "--models", "drift,naive")
    assert result.exit_code == 0, result.output
    assert "drift" in result.stdout
    assert " 90% " in result.stdout
    assert not re.search(r"\bratio\b", result.stdout)
    with_it = run("backtest", *QUICK, "--models", "drift,hub-baseline")
    assert re.search(r"\bratio\b", with_it.stdout)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_long_label_or_one_in_brackets_was_cut_off_or_swallowed(width, monkeypatch, capsys):
    panel = od.bundled().as_of("2025-09-17").panel().select(STATES)
    found = cuts(panel, start="2021-01", end="2021-01")
    long = "auto-theta(" + "a" * 57 + ")+delay"
    models = [
        od.get_model("naive", label=long),
        od.get_model("drift", label="drift [bold]"),
        "hub-baseline",
    ]
    results = backtest(models, found, truth=Truth(panel), draws=20)
    monkeypatch.setenv("COLUMNS", str(width))
    print_leaderboard(results)
    text = capsys.readouterr().out
    assert "…" not in text
    assert "drift [bold]" in text
    assert "a" * 30 in text
    assert max(map(len, text.splitlines())) <= width


def asked_for(monkeypatch, *arguments):
    """Labels of the models a backtest would run."""
    seen = []

    def stop(models, *_, **__):
        seen.extend(m.label for m in models)
        raise BacktestError("far enough")

    monkeypatch.setattr("odforecast.backtesting.plan", stop)
    result = run("backtest", *arguments)
    assert "far enough" in result.stderr, result.output
    return seen


def test_real_releases_showed_baselines_without_the_delay_layer_only(monkeypatch, real):
    seen = asked_for(monkeypatch, "--archive", real)
    assert seen[0] == "dlm"
    for name in ("naive", "drift", "auto-ets", "auto-theta"):
        assert {name, f"{name}+delay"} <= set(seen)


def test_a_location_named_twice(tmp_path):
    out = tmp_path / "f.csv"
    words = ("--model", "naive", "--draws", "20", "--horizon", "2", "--out", out)
    result = run("forecast", "--locations", "WV,54,West Virginia", *words)
    assert result.exit_code == 0, result.output
    assert len(read_hub(out)) == 2 * 23
    quick = ["WV,WV" if "WV" in word else word for word in QUICK]
    scored = run("backtest", *quick, "--models", "naive")
    assert scored.exit_code == 0, scored.output
    assert "1 place" in scored.stdout


# forecast


def chances(text):
    """The printed chances of a fall, by location or month: last but one of the first table."""
    table = text.partition("─\n")[2].partition("Number of")[0]
    rows = [line.split() for line in table.splitlines()]
    return {row[0]: row[-2] for row in rows}


@pytest.mark.slow
def test_the_command_and_the_library_differed(vsrr, tmp_path):
    file, store, out = vsrr / "2024-12-11.csv.gz", tmp_path / "store", tmp_path / "f.csv"
    assert run("data", "add", file, "--archive", store).exit_code == 0
    result = run("forecast", "--archive", store, "--locations", "US,WV,NYC", "--draws", "100",
                 "--seed", "3", "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.output
    panel = od.archive(store).as_of().panel()
    made = od.get_model("dlm").fit(panel).forecast(draws=100, seed=3).select(["US", "WV", "NYC"])
    pd.testing.assert_frame_equal(
        read_hub(out), od.to_hub(made, targets=["deaths_12mo"]), check_exact=True
    )
    from_file = tmp_path / "g.csv"
    other = run("forecast", "--source", file, "--locations", "US,WV,NYC", "--draws", "100",
                "--seed", "3", "--out", from_file)  # fmt: skip
    assert other.exit_code == 0, other.output
    assert from_file.read_bytes() == out.read_bytes()
    # The last counts are incomplete: the chance of a fall is against the nowcast.
    last = made.months[-1]
    falls = (made.change(last) < 0).mean(axis=0)
    printed = chances(result.stdout)
    assert [printed[code(s)] for s in made.locations] == [share(float(x)) for x in falls]
    nowcast = np.median(made.count_at(last - np.timedelta64(12, "M")), axis=0)
    reported = [panel.reported[panel.index(s), -1] for s in made.locations]
    assert nowcast[1] > reported[1]


# Your own archive


def said_of_release(stderr):
    (line,) = [x for x in stderr.splitlines() if x.startswith("release ")]
    return line.removeprefix("release ")


FORECAST = ("forecast", "--model", "naive", "--locations", "US", "--draws", "20")


def test_a_release_added_to_your_own_archive_was_not_used(tmp_path, own_archive):
    before = run(*FORECAST)
    assert said_of_release(before.stderr) == "2026-01-14"
    file = release_file(tmp_path, "2026-02-11", "2025-04", states=["US", "OH"], factor=1.3)
    added = run("data", "add", file)
    assert added.exit_code == 0, added.output
    assert f"{own_archive} holds 1 release" in added.stdout
    after = run(*FORECAST)
    assert after.exit_code == 0, after.output
    assert said_of_release(after.stderr) == "2026-02-11"
    assert "as of 2026-02-11" in after.stdout
    assert after.stdout != before.stdout
    listed = run("data", "releases")
    assert listed.exit_code == 0, listed.output
    assert [x.split()[0] for x in listed.stdout.splitlines()[1:]][1:] == [
        "2026-01-14", "2026-02-11",
    ]  # fmt: skip
    # On request the bundled ones, as before.
    bundled = run(*FORECAST, "--source", "bundled")
    assert bundled.stdout == before.stdout


def test_a_release_that_was_fetched_was_not_used(monkeypatch, own_archive):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SOCRATA_APP_TOKEN", raising=False)
    updated = int(dt.datetime(2026, 2, 11, 14, tzinfo=dt.UTC).timestamp())
    with FakeSocrata(release_rows(months=60), updated=updated) as server:
        done = run("data", "fetch", "--url", server.url)
    assert done.exit_code == 0, done.output
    assert f"archive: {own_archive}" in done.stdout
    after = run(*FORECAST)
    assert after.exit_code == 0, after.output
    assert said_of_release(after.stderr) == "2026-02-11"
    assert od.archive().as_of().date == dt.date(2026, 2, 11)
    assert od.Archive(own_archive).last_seen == dt.date(2026, 2, 11)
