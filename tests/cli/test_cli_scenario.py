"""``odforecast scenario``, from the outside."""

from __future__ import annotations

import tomllib

import pandas as pd
import pytest
from click.testing import CliRunner

from odforecast.cli import main
from odforecast.hub import check_hub
from odforecast.names import HUB_COLUMNS
from odforecast.scenario import CAVEAT, prior_names, read_scenarios


def cli(*words):
    return CliRunner().invoke(main, ["scenario", *map(str, words)])


def run(out, *words):
    fast = ("--model", "drift", "--locations", "US,WV", "--draws", "60", "--horizon", "13")
    return cli("run", *fast, *words, "--out", out)


def test_list_and_show():
    text = cli("list").output
    assert CAVEAT in text
    assert all(name in text for name in (*prior_names(), "null", "class-scheduled"))
    shown = cli("show", "cooperation-resumed").output
    assert "p_null: 0.4" in shown
    assert CAVEAT in shown
    toml = tomllib.loads(cli("show", "tariff-only", "--toml").output)
    assert toml["interventions"][0]["p_null"] == 0.8
    event = cli("show", "supply-shock-2023").output
    assert "Vangelov" in event
    assert "medium that supply mattered" in event
    wrong = cli("show", "peace")
    assert wrong.exit_code == 1
    assert "one of: null, supply-shock-2023-like" in wrong.output


def test_what_is_shown_can_be_run(tmp_path):
    path = tmp_path / "shown.yaml"
    path.write_text(cli("show", "precursor-scheduling").output)
    (scenario,) = read_scenarios(path)
    assert scenario.name == "precursor-scheduling"


def test_run_writes_everything(tmp_path):
    out = tmp_path / "out"
    result = run(out, "--scenario", "cooperation-resumed,supply-shock-2023-like", "--samples", "5")
    assert result.exit_code == 0, result.output
    assert CAVEAT in result.output
    table = pd.read_csv(out / "quantiles.csv", dtype={"location": str}, keep_default_na=False)
    assert list(table.columns) == [*HUB_COLUMNS, "scenario_id"]
    assert set(table["scenario_id"]) == {"null", "cooperation-resumed", "supply-shock-2023-like"}
    for _, part in table.groupby("scenario_id"):
        check_hub(part.drop(columns="scenario_id"))
    samples = pd.read_parquet(out / "samples.parquet")
    assert set(samples["output_type"]) == {"sample"}
    for _, part in samples.groupby("scenario_id"):
        check_hub(part.drop(columns="scenario_id"))
    draws = pd.read_parquet(out / "draws.parquet")
    assert len(draws) == 3 * 60 * 2 * 13
    averted = pd.read_csv(out / "deaths_averted.csv")
    assert {"averted_q05", "averted_q95", "percent_mean"} <= set(averted.columns)
    assert (out / "brief.html").read_text().startswith("<!doctype html>")
    assert len(list((out / "figures").glob("*.svg"))) == 4
    again = read_scenarios(out / "scenarios.yaml")
    assert [s.name for s in again] == ["null", "cooperation-resumed", "supply-shock-2023-like"]
    assert str(again[1].interventions[0].onset[0]) == "2025-10"  # the month after the as-of date


@pytest.mark.parametrize("words", [(), ("--seed", "7", "--target", "both"), ("--model", "dlm")])
def test_null_alone_is_the_baseline_to_the_last_digit(tmp_path, words):
    out = tmp_path / "out"
    assert run(out, "--scenario", "null", *words).exit_code == 0
    fast = ("--model", "drift", "--locations", "US,WV", "--draws", "60", "--horizon", "13")
    result = CliRunner().invoke(
        main, ["forecast", *fast, *words, "--out", str(tmp_path / "forecast.csv")]
    )
    assert result.exit_code == 0, result.output
    table, expected = (
        pd.read_csv(f, dtype=str, keep_default_na=False)
        for f in (out / "quantiles.csv", tmp_path / "forecast.csv")
    )
    pd.testing.assert_frame_equal(table.drop(columns="scenario_id"), expected)
    assert list(table.columns) == [*expected.columns, "scenario_id"]
    assert set(table["scenario_id"]) == {"null"}
    assert not (out / "brief.html").exists()


def test_a_model_of_sums_has_a_null_only(tmp_path):
    words = ("--model", "drift-sums", "--locations", "US", "--draws", "20", "--target", "both")
    result = cli("run", "--scenario", "null", *words, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "deaths_12mo" in pd.read_parquet(tmp_path / "draws.parquet")
    wrong = cli("run", "--scenario", "tariff-only", *words, "--out", tmp_path)
    assert wrong.exit_code == 1
    assert "12-month sums only" in wrong.output


def test_scenario_file_and_exposure_table(tmp_path):
    file, shares = tmp_path / "s.toml", tmp_path / "shares.csv"
    file.write_text(
        'name = "s"\n[[interventions]]\nprior = "precursor-scheduling"\nonset = "2025-06"\n'
        'exposure = "nflis-share"\n'
    )
    shares.write_text("location,exposure\nWV,0.6\n")
    out = tmp_path / "out"
    given = ("--exposure", f"nflis-share={shares}")
    missing = run(out, "--scenario", file, *given)
    assert missing.exit_code == 1
    assert "no exposure for" in missing.output
    shares.write_text("location,exposure\nUS,0.5\nWV,0.6\n")
    result = run(out, "--scenario", file, *given)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("interventions: [{prior: tariff-only, onset: 2026-03, probability: 2}]", "probability"),
        ("interventions: [{prior: tariff-only, onset: 1999-01}]", "onset"),
        ("interventions: [{prior: tariff-only, onset: 2026-03, half_life: -1}]", "half_life"),
        ("interventionz: []", "interventionz"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, text, words):
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\n{text}\n")
    result = run(tmp_path / "out", "--scenario", path)
    assert result.exit_code == 1
    age, mistake = result.output.strip().splitlines()
    assert age.startswith("release 2025-09-17, ")
    assert words in mistake
    assert "allowed" in mistake


def test_unknown_scenarios_and_models(tmp_path):
    result = run(tmp_path, "--scenario", "peace")
    assert result.exit_code == 1
    assert "is no scenario, allowed" in result.output
    assert cli("run", "--scenario", "null", "--out", tmp_path, "--model", "x").exit_code == 1
    assert run(tmp_path, "--scenario", "tariff-only", "--exposure", "x").exit_code == 2


def test_validate(tmp_path):
    result = cli(
        "validate", "placebo-time", "placebo-outcome",
        "--model", "drift", "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "placebo-outcome: not run" in result.output
    assert (tmp_path / "placebo-time.csv").exists()
    assert (tmp_path / "placebo-time.svg").exists()
    assert cli("validate", "luck", "--model", "drift").exit_code == 1
