"""``odforecast score`` as a stranger would use it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.hub import to_hub, write_hub
from odforecast.scoring import score_units


def run(*arguments: object):
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def forecast_of(model: str, last: str = "2023-09", states=("US", "WV", "OH")):
    """A forecast from the bundled release, cut at a month."""
    panel = od.bundled().as_of("2025-09-17").panel().select(states)
    return od.get_model(model).fit(panel.cut(last)).forecast(12, draws=80, seed=1)


@pytest.fixture
def files(tmp_path):
    """Hub files of two models, three locations, one origin."""
    return [
        write_hub(to_hub(forecast_of(m)), tmp_path / f"2024-02-15-{m}.csv")
        for m in ("hub-baseline", "naive")
    ]


def test_one_file(files, tmp_path):
    out = tmp_path / "scores.csv"
    result = run(files[0], "--out", out)
    assert result.exit_code == 0, result.output
    text = result.output
    assert "Forecasts as of 2024-02-15: Number of Drug Overdose Deaths" in text
    assert "Truth: reported in release 2025-09-17" in text
    assert "deaths_12mo, nation, by months ahead: hub-baseline" in text
    assert "deaths_12mo, WIS by location: every location" in text
    assert "not scorable" not in text
    assert max(map(len, text.splitlines())) <= 80
    scores = pd.read_csv(out)
    assert len(scores) == 3 * 12
    assert (scores["truth_release"] == "2025-09-17").all()
    assert (scores["model"] == "hub-baseline").all()
    assert scores["scorable"].all()


def test_the_scores_are_those_of_the_library(files, tmp_path):
    out = tmp_path / "scores.parquet"
    assert run(files[0], "--out", out).exit_code == 0
    have = pd.read_parquet(out).set_index(["location", "month"])
    forecast = forecast_of("hub-baseline")
    truth = od.bundled().as_of("2025-09-17").panel().select(forecast.locations)
    start = int((forecast.months[0] - truth.months[0]).astype(int))
    want = score_units(forecast, truth.reported[:, start : start + 12])
    want = want.set_index(["location", "month"])
    have = have.loc[want.index]
    np.testing.assert_array_equal(have["observed"], want["observed"])
    for name in ("wis", "ae", "cover_90"):
        np.testing.assert_allclose(have[name], want[name], atol=2e-3)


def test_two_models_side_by_side(files):
    result = run(*files, "--baseline", "hub-baseline")
    assert result.exit_code == 0, result.output
    assert "rel." in result.output
    assert "1.00" in result.output
    assert "hub-baseline does not forecast deaths_month: no relative WIS" in result.output
    wrong = run(*files, "--baseline", "nobody")
    assert wrong.exit_code == 1
    assert "no file of the baseline 'nobody'; models: hub-baseline, naive" in wrong.stderr


def test_young_truth_is_marked_and_not_scored(tmp_path):
    path = write_hub(to_hub(forecast_of("naive", "2024-06")), tmp_path / "naive.csv")
    out = tmp_path / "scores.csv"
    result = run(path, "--out", out)
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out)
    deaths = scores[(scores["target"] == "deaths_12mo") & (scores["location"] == "US")]
    deaths = deaths.set_index("month")
    assert deaths.loc["2024-09-01", "scorable"]
    assert not deaths.loc["2024-10-01", "scorable"]
    assert "11 months after the month, 12 needed" in deaths.loc["2024-10-01", "reason"]
    assert deaths.loc["2025-05-01", "reason"] == "after the last month of release 2025-09-17"
    assert deaths["wis"].isna().sum() == 9
    assert "are not scorable" in result.output
    assert "too young" in result.output
    all_ages = run(path, "--min-truth-age", "0")
    assert "too young" not in all_ages.output


def test_nothing_scorable_is_an_error_but_the_file_is_written(tmp_path):
    path = write_hub(to_hub(forecast_of("naive", "2025-04")), tmp_path / "naive.csv")
    out = tmp_path / "scores.csv"
    result = run(path, "--out", out)
    assert result.exit_code == 1
    assert "error: no forecast is scorable; use a release at least 12 months" in result.stderr
    assert len(pd.read_csv(out)) == 3 * 12 * 2


def test_samples_give_crps_and_months_a_warning(tmp_path):
    table = to_hub(forecast_of("drift", states=("US",)), output_type="sample")
    result = run(write_hub(table, tmp_path / "drift.parquet"))
    assert result.exit_code == 0, result.output
    assert "CRPS" in result.output
    assert "deaths_month, nation" in result.output
    assert "up to a constant per calendar" in result.output


def test_origins_of_one_model_are_taken_together_but_not_twice(tmp_path):
    paths = []
    for last in ("2023-06", "2023-09"):
        forecast = forecast_of("naive", last)
        paths.append(write_hub(to_hub(forecast), tmp_path / f"{forecast.as_of}-naive.csv"))
    result = run(*paths)
    assert result.exit_code == 0, result.output
    assert "2 origins, 2023-11-15 to 2024-02-15" in result.output
    again = run(*paths, paths[0])
    assert again.exit_code == 1
    assert "repeats a forecast of model naive" in again.stderr


def test_truth_from_a_file_of_cdcs(vsrr, files):
    result = run(files[0], "--truth", vsrr / "2024-12-11.csv.gz")
    assert result.exit_code == 0, result.output
    assert "reported in release 2024-12-11" in result.output
    assert "too young" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "FORECASTS"),
        (["none.csv"], 1, "error: none.csv: no such file"),
        (["f.txt"], 1, "error: f.txt: unknown file type"),
        (["{file}", "--out", "s.xlsx"], 1, "unknown file type '.xlsx'; use .csv or .parquet"),
        (["{file}", "--truth", "gone.csv"], 1, "gone.csv"),
        (["{file}", "--truth-as-of", "2001-01-01"], 1, "nothing was known on 2001-01-01"),
        (["{file}", "--indicator", "Heroin"], 1, "no indicator 'Heroin (T40.1)'"),
        (["{file}", "--min-truth-age", "-1"], 2, "--min-truth-age"),
        (["{file}", "--truth", "a.csv", "--archive", "b"], 2, "not both"),
    ],
)
def test_mistakes_are_one_line(files, arguments, code, message):
    result = run(*(str(files[0]) if a == "{file}" else a for a in arguments))
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    if code == 1:
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_broken_file_is_named_with_row_and_column(files):
    lines = files[0].read_text().splitlines()
    lines[9] = lines[9].rsplit(",", 1)[0] + ",-5"
    files[0].write_text("\n".join(lines))
    result = run(files[0])
    assert result.exit_code == 1
    assert f"{files[0]}, row 10, column value: '-5'; deaths cannot be negative" in result.stderr


def test_a_truth_the_forecast_could_know_is_said(tmp_path):
    panel = od.bundled().as_of("2025-09-17").panel()
    made = od.get_model("dlm").fit(panel).forecast(3, draws=80, seed=1).select(["US"])
    path = write_hub(to_hub(made), tmp_path / "2025-09-17-dlm.csv")
    result = run(path)
    assert result.exit_code == 0, result.output
    assert "the truth came out no later than the forecasts" in result.output
