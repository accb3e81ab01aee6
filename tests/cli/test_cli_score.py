"""``odforecast score`` as a stranger would use it."""

from dataclasses import replace
from functools import partial

import commands
import exits
import pandas as pd
import pytest

import odforecast as od
from odforecast.hub import scenarios_to_hub, to_hub, write_hub

run = partial(exits.run, "score")

#: Their numbers are those of the release of 2025-09-17.
pytestmark = pytest.mark.usefixtures("older_bundle")


def forecast_of(model, last="2023-09", states=("US", "WV", "OH")):
    panel = od.bundled().as_of("2025-09-17").panel().select(states)
    panel = panel if last == str(panel.last_month) else panel.cut(last)
    return od.get_model(model).fit(panel).forecast(12, draws=80, seed=1)


@pytest.fixture
def files(tmp_path):
    return [
        write_hub(to_hub(forecast_of(m)), tmp_path / f"2024-02-15-{m}.csv")
        for m in ("hub-baseline", "naive")
    ]


def test_one_file(files, tmp_path):
    out = tmp_path / "scores.csv"
    text = run(files[0], "--out", out, code=0).output
    assert "Forecasts as of 2024-02-15: Number of Drug Overdose Deaths" in text
    assert "Final counts: reported in release 2025-09-17" in text
    assert "12-month deaths, US, by months ahead: hub-baseline" in text
    assert "12-month deaths, WIS by state: every state" in text
    assert "cannot be scored" not in text
    scores = pd.read_csv(out)
    assert len(scores) == 3 * 12
    assert (scores["truth_release"] == "2025-09-17").all()
    assert (scores["model"] == "hub-baseline").all()
    assert scores["scorable"].all()


def test_two_models_side_by_side(files):
    result = run(*files, "--baseline", "hub-baseline", code=0)
    assert "ratio" in result.output
    assert "1.00" in result.output
    assert "hub-baseline does not forecast monthly deaths: no ratio" in result.output
    wrong = run(*files, "--baseline", "nobody", code=1)
    assert "--baseline: no file of 'nobody'; one of: hub-baseline, naive" in wrong.stderr


def test_young_truth_is_marked_and_not_scored(tmp_path):
    path = write_hub(to_hub(forecast_of("naive", "2024-06")), tmp_path / "naive.csv")
    out = tmp_path / "scores.csv"
    result = run(path, "--out", out, code=0)
    scores = pd.read_csv(out)
    deaths = scores[(scores["target"] == "deaths_12mo") & (scores["location"] == "US")]
    deaths = deaths.set_index("month")
    assert deaths.loc["2024-09-01", "scorable"]
    assert not deaths.loc["2024-10-01", "scorable"]
    assert "11 months after the month, 12 needed" in deaths.loc["2024-10-01", "reason"]
    assert deaths.loc["2025-05-01", "reason"] == "after the last month of release 2025-09-17"
    assert deaths["wis"].isna().sum() == 9
    assert "cannot be scored" in result.output
    assert "too young" in result.output
    all_ages = run(path, "--min-truth-age", "0")
    assert "too young" not in all_ages.output
    path = write_hub(to_hub(forecast_of("naive", "2025-04")), tmp_path / "new.csv")
    none = run(path, "--out", out, code=1)
    assert "error: no forecast can be scored yet; use a release at least 12 months" in none.stderr
    assert len(pd.read_csv(out)) == 3 * 12 * 2  # the file is written


def test_samples_give_crps_and_months_a_warning(tmp_path):
    table = to_hub(forecast_of("drift", states=("US",)), output_type="sample")
    result = run(write_hub(table, tmp_path / "drift.parquet"), code=0)
    assert "CRPS" in result.output
    assert "monthly deaths, US" in result.output
    assert "up to a constant per calendar month" in " ".join(result.output.split())


def test_origins_of_one_model_are_taken_together_but_not_twice(tmp_path):
    paths = []
    for last in ("2023-06", "2023-09"):
        forecast = forecast_of("naive", last)
        paths.append(write_hub(to_hub(forecast), tmp_path / f"{forecast.as_of}-naive.csv"))
    assert "2 dates, 2023-11-15 to 2024-02-15" in run(*paths, code=0).output
    assert "repeats a forecast of model naive" in run(*paths, paths[0], code=1).stderr


def test_a_truth_the_forecast_could_know_is_said(tmp_path):
    made = od.get_model("naive+delay").fit(od.bundled().as_of("2025-09-17").panel())
    table = to_hub(made.forecast(3, draws=80).select(["US"]))
    result = run(write_hub(table, tmp_path / "2025-09-17-mine.csv"), code=0)
    assert "published no later than the forecasts" in result.output


def scenarios_of(last="2023-06", **names):
    forecast = forecast_of("drift", last)
    return {n.replace("_", "-"): replace(forecast, draws=forecast.draws * k)
            for n, k in names.items()}  # fmt: skip


@pytest.fixture
def projected(tmp_path):
    """A file of three scenarios; the middle one is what the command writes last."""
    forecasts = scenarios_of(null=1.0, cooperation_resumed=0.9, supply_shock_2023_like=0.8)
    return write_hub(scenarios_to_hub(forecasts), tmp_path / "2023-11-15-drift.csv")


@pytest.fixture
def spans(tmp_path):
    """For which months the assumptions held: null to the end of 2023, the shock since."""
    path = tmp_path / "held.csv"
    path.write_text(
        "scenario_id,first_month,last_month,note\n"
        "null,2023-07,2023-12,\n"
        'supply-shock-2023-like,2023-07,2024-09,"supply fell, all say"\n'
    )
    return path


def test_scenarios_without_a_judgement_of_plausibility(projected, tmp_path):
    out = tmp_path / "scores.csv"
    text = run(projected, "--out", out, code=0).output
    assert "Plausibility was not judged (no --held)" in text
    assert "Calibration: 12-month deaths, US" in text
    assert "Nearest to the final counts by WIS, 12 forecasts each: cooperation-resumed" in text
    assert text.index("null  ") < text.index("cooperation-resumed  ")  # as in the file
    assert max(map(len, text.splitlines()[:-1])) <= 80
    scores = pd.read_csv(out, keep_default_na=False)
    assert len(scores) == 3 * 2 * 3 * 12
    assert set(scores["scenario_id"]) == {"null", "cooperation-resumed", "supply-shock-2023-like"}
    assert "plausible" not in scores
    # Each scenario has the scores of its own file.
    alone = write_hub(to_hub(scenarios_of(null=1.0)["null"]), tmp_path / "alone-drift.csv")
    assert run(alone, "--out", tmp_path / "alone.csv").exit_code == 0
    want = pd.read_csv(tmp_path / "alone.csv", keep_default_na=False)
    got = scores[scores["scenario_id"] == "null"].reset_index(drop=True)
    left_out = ["model", "file"]
    pd.testing.assert_frame_equal(
        got.drop(columns=["scenario_id", *left_out]), want.drop(columns=left_out)
    )


def test_plausibility_first_calibration_second(projected, spans, tmp_path):
    out = tmp_path / "scores.parquet"
    text = run(projected, "--held", spans, "--out", out, code=0).output
    assert text.index("Plausibility: months in which") < text.index("Calibration: ")
    assert "12-month deaths: a scenario was true in 6.0 of 12.0 months on average" in text
    assert max(map(len, text.splitlines()[:-1])) <= 80
    scores = pd.read_parquet(out)
    by = scores.groupby(["scenario_id", "target"])["plausible"].sum()
    assert by["null"].tolist() == [3 * 6, 3 * 6]
    assert by["cooperation-resumed"].tolist() == [0, 0]
    assert by["supply-shock-2023-like"].tolist() == [3 * 12, 3 * 12]
    rows = scores[(scores["target"] == "deaths_12mo") & (scores["location"] == "US")]
    part = rows[(rows["scenario_id"] == "null") & rows["plausible"]]
    lines = [x.split() for x in text[text.index("Calibration: 12-month deaths, US") :].splitlines()]
    line = next(x for x in lines if x[:2] == ["null", "true"])
    assert line[2:] == [
        "6", f"{part['wis'].mean():,.0f}",
        *(f"{part[f'cover_{p}'].mean():.0%}" for p in (50, 80, 90, 95)),
    ]  # fmt: skip
    after = next(x for x in lines if x[:1] == ["all"])
    assert after[1] == "12"
    assert ["cooperation-resumed", "true", "0", *"–––––"] in lines
    few = scores[(scores["target"] == "deaths_12mo") & scores["plausible"]]
    assert f"contained {few['cover_95'].mean():.0%} of {len(few)} final counts" in text
    spans.write_text("scenario_id,first_month,last_month\nnull,2030-01,2030-02\n")
    text = commands.ok("score", projected, "--held", spans)
    assert "12-month deaths: no scored month was true, so no interval can be judged" in text


def test_quantiles_and_samples_of_scenarios_side_by_side(projected, tmp_path):
    drawn = scenarios_to_hub(scenarios_of(null=1.0, less=0.9), output_type="sample")
    drawn.to_parquet(tmp_path / "samples.parquet", index=False)
    both = run(projected, tmp_path / "samples.parquet", "--baseline", "drift", code=0)
    assert "ratio" in both.output
    assert "forecasts each (samples): " in both.output


def test_mistakes_with_scenarios_are_one_line(projected, spans, files, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("scenario_id,first_month,last_month\nshock,2024-01,2024-02\n")
    plain, no_column = files[0], f"{files[0]} has no column scenario_id, "
    for arguments, message in (
        ((projected, plain), f"{no_column}{projected} has one; score"),
        ((plain, "--held", spans), f"{no_column}and --held is about scenarios"),
        ((projected, "--held", wrong), f"{wrong.name} row 2: scenario_id 'shock' is not a"),
        ((projected, "--held", tmp_path / "no.csv"), "no.csv"),
        ((projected, projected), "repeats a forecast of model drift"),
    ):
        result = run(*arguments, code=1)
        assert message in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
