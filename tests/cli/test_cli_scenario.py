"""``odforecast scenario``, from the outside."""

import json
import re
from functools import partial

import commands
import exits
import pandas as pd
import pytest

from odforecast.hub import check_hub, read_hub
from odforecast.names import HUB_COLUMNS
from odforecast.scenario import CAVEAT, prior_names, read_scenarios

FAST = ("--model", "drift", "--draws", "60", "--horizon", "13")
WEST = (*FAST, "--locations", "WV")


cli = partial(exits.run, "scenario", columns=None)


def run(out, *words, code=None):
    return cli("run", *WEST, *words, "--out", out, code=code)


@pytest.fixture
def no_briefs(monkeypatch):
    """Leaves briefs out where they are not looked at: most of a run's time is theirs."""

    def run_without(*args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr("odforecast.cli.scenario.write_briefs", lambda *_, **__: None)
            return run(*args, **kwargs)

    return run_without


def test_list_and_show(tmp_path):
    text = cli("list", columns=80).output
    assert CAVEAT in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in (*prior_names(), "null"))
    assert len(text.splitlines()) <= 24  # one screen
    assert max(map(len, cli("list", columns=60).output.splitlines())) <= 60
    assert "class-scheduled" in cli("list", "--events").output
    shown = cli("show", "cooperation-resumed").output
    assert "p_null: 0.4" in shown
    assert CAVEAT in " ".join(shown.replace("\n# ", " ").split())
    event = cli("show", "supply-shock-2023").output
    assert "Vangelov" in event
    assert "medium that supply mattered" in event
    path = tmp_path / "shown.YAML"
    path.write_text(cli("show", "precursor-scheduling").output)
    (scenario,) = read_scenarios(path)
    assert scenario.name == "precursor-scheduling"
    assert "name: precursor-scheduling" in cli("show", path).output


@pytest.mark.slow
def test_run_writes_everything(tmp_path):
    out = tmp_path / "out"
    result = run(out, "--scenario", "cooperation-resumed,supply-shock-2023-like", code=0)
    said = " ".join(result.output.split())
    assert CAVEAT in said
    assert sorted(x.name for x in out.iterdir()) == ["brief-annex.html", "brief.html", "data"]
    data = out / "data"
    table = pd.read_csv(data / "quantiles.csv", dtype={"location": str}, keep_default_na=False)
    assert list(table.columns) == [HUB_COLUMNS[0], "scenario_id", *HUB_COLUMNS[1:]]
    assert set(table["scenario_id"]) == {"null", "cooperation-resumed", "supply-shock-2023-like"}
    check_hub(table)
    assert set(read_hub(data / "samples.parquet")["output_type"]) == {"sample"}
    waiting = pd.read_csv(data / "cost_of_delay.csv")
    assert waiting["delay"].tolist() == [0, 3, 6] * 4  # 12 months later it would be over
    assert (waiting.loc[waiting["delay"] == 0, "not_prevented"] == 0).all()
    assert "Our judgment: works 59%, does nothing 40%, backfires 1%" in said
    assert "This is a what-if: no probability is attached" in said
    assert len(pd.read_parquet(data / "draws.parquet")) == 3 * 60 * 2 * 13
    assert len(list((data / "figures").glob("*.svg"))) == 5
    again = read_scenarios(data / "scenarios.yaml")
    assert [s.name for s in again] == ["null", "cooperation-resumed", "supply-shock-2023-like"]
    assert str(again[1].interventions[0].onset[0]) == "2026-02"  # the month after the as-of date


@pytest.mark.parametrize("words", [("--seed", "7"), ("--model", "dlm")])
def test_null_alone_is_the_baseline_to_the_last_digit(tmp_path, words):
    out = tmp_path / "out"
    assert run(out, "--scenario", "null", *words).exit_code == 0
    both = ("--locations", "US,WV")
    commands.ok("forecast", *FAST, *both, *words, "--out", tmp_path / "forecast.csv")
    files = (out / "data" / "quantiles.csv", tmp_path / "forecast.csv")
    table, expected = (pd.read_csv(f, dtype=str, keep_default_na=False) for f in files)
    pd.testing.assert_frame_equal(table.drop(columns="scenario_id"), expected)
    assert (list(table.columns)[1], set(table["scenario_id"])) == ("scenario_id", {"null"})
    assert not (out / "brief.html").exists()


def test_a_model_of_sums_has_a_null_only(tmp_path):
    words = ("--model", "drift-sums", "--locations", "US", "--draws", "20")
    cli("run", "--scenario", "null", *words, "--out", tmp_path, code=0)
    assert "deaths_12mo" in pd.read_parquet(tmp_path / "data" / "draws.parquet")
    wrong = cli("run", "--scenario", "tariff-only", *words, "--out", tmp_path, "--replace", code=1)
    assert (tmp_path / "data" / "draws.parquet").exists()  # what was there is not lost
    assert "12-month sums only" in wrong.output


def test_a_file_of_ones_own_and_an_exposure_table(tmp_path, no_briefs):
    file, shares, out = tmp_path / "s.yaml", tmp_path / "shares.csv", tmp_path / "out"
    keys = "name: cut, onset: 2026-03, exposure: fentanyl-share, p_null: 0"
    keys += ", size: {normal: [-0.1, 0.1]}"
    file.write_text(f"name: s\ninterventions: [{{{keys}}}]\n")
    given = ("--scenario", file, "--exposure", f"fentanyl-share={shares}")
    shares.write_text("location,exposure\nWV,0.6\n")
    assert "no exposure for" in run(out, *given, code=1).output
    shares.write_text("location,exposure\nWV,80%\ndefault,.5\n")
    done = no_briefs(out, *given, code=0)
    assert "names no mechanism" in done.output
    table = pd.read_csv(out / "data" / "exposure.csv").set_index("location")["exposure"]
    assert table.to_dict() == {"US": 0.5, "WV": 0.8}
    assert {"US", "WV"} <= set(done.output.splitlines())


@pytest.mark.slow
def test_a_folder_holds_one_run(tmp_path, no_briefs):
    out = tmp_path / "out"
    assert run(out, "--scenario", "tariff-only").exit_code == 0
    again = run(out, "--scenario", "cooperation-resumed", code=2)
    assert "replace it with --replace" in again.output
    assert (out / "brief.html").exists()
    assert no_briefs(out, "--scenario", "cooperation-resumed", "--replace").exit_code == 0
    assert not (out / "brief.html").exists()
    left = {x.name for x in out.rglob("*")}
    assert "prior_tariff-only.svg" not in left  # nothing of the first is left
    old = tmp_path / "old"  # as a run before 0.2 wrote it
    old.mkdir()
    for name in ("scenarios.yaml", "answer.csv", "brief-US.html", "brief.html"):
        (old / name).write_text("")
    assert no_briefs(old, "--scenario", "cooperation-resumed", "--replace").exit_code == 0
    assert [x.name for x in old.iterdir()] == ["data"]
    assert sorted(x.name for x in tmp_path.iterdir()) == ["old", "out"]


@pytest.mark.slow
def test_until_and_indicator(tmp_path):
    out = tmp_path / "out"
    words = ("--model", "drift", "--locations", "US", "--draws", "40", "--until", "2027-12")
    both = ("--scenario", "precursor-scheduling", "--scenario", "supply-shock-2023-like")
    result = cli("run", *words, "--indicator", "T40.4", *both, "--out", out, code=0)
    assert "onset 2026-02, the month after the as-of date" in result.output
    table = pd.read_csv(out / "data" / "deaths_averted.csv")
    assert set(table["scenario_id"]) == {"precursor-scheduling", "supply-shock-2023-like"}
    assert set(table.loc[table["kind"] == "year", "period"]) == {"2025 (Sep–Dec)", "2026", "2027"}
    late = ("--scenario", "tariff-only", "--onset", "2030-01", "--out", out, "--replace")
    assert "until='2030-01'" in cli("run", *words, *late, code=1).output


def test_validate(tmp_path):
    words = ("--model", "drift", "--as-of", "2025-09-17", "--out", tmp_path)
    result = cli("validate", "placebo-time", "placebo-outcome", *words, code=0)
    assert "placebo-outcome: not run" in result.output
    assert {"placebo-time.csv", "placebo-time.svg"} <= {x.name for x in tmp_path.iterdir()}


def test_compare_is_a_grid_of_options(tmp_path):
    table = tmp_path / "grid.csv"
    asked = ("--scenario", "cooperation-resumed,supply-shock-2023-like", "--later", "6")
    result = cli("compare", *WEST, *asked, "--table", table, code=0)
    assert CAVEAT in " ".join(result.output.split())
    rows = pd.read_csv(table)
    names = ["cooperation-resumed", "supply-shock-2023-like"]
    assert rows["scenario_id"].unique().tolist() == names + [f"{n}-6-months-later" for n in names]
    assert set(rows["location"]) == {"US", "WV"}
    us = result.output[result.output.index("US: deaths prevented by") :]
    first, shock = us.splitlines()[4:6]
    row = rows[(rows["scenario_id"] == names[0]) & (rows["location"] == "US")].iloc[0]
    low, mean, high = (row[f"averted_{key}"] for key in ("q05", "mean", "q95"))
    low, mean, high = (f"{float(f'{x:.2g}'):,.0f}" for x in (low, mean, high))
    assert f"{mean} ({low} to {high})" in first
    assert "59%" in first
    assert shock.count("–") == 3  # a what-if: no chance, and nothing over all outcomes
    said = json.loads(cli("compare", *WEST, *asked, "--json").stdout)
    assert {"meta", "answer", "outcomes", "averted", "notes"} == set(said)


def test_where_few_draws_work_there_is_no_interval():
    text = cli("compare", *WEST, "--scenario", "tariff-only").output
    (row, _) = (line for line in text.splitlines() if line.startswith("tariff-only "))
    assert re.match(r"tariff-only  \d{4}-\d\d +[\d,]+ +10% ", row), row


def test_sensitivity_and_attribution(tmp_path):
    result = cli("sensitivity", *WEST, "--scenario", "cooperation-resumed", code=0)
    seen = " ".join(result.output.split())
    assert "not prevented not prevented" in seen
    assert "over 40 years" in seen
    assert "by 2026-09" in seen
    table = tmp_path / "s.csv"
    assert cli("sensitivity", *WEST, "--scenario", "tariff-only", "--table", table).exit_code == 0
    assert {"size", "p_null"} <= set(pd.read_csv(table)["assumption"])
    shares = cli("attribution", *WEST, code=0)
    steps = ("all of the 2023–24 fall", "27% on average", ": the answer", "100%", "WV: deaths")
    assert all(x in shares.output for x in steps)


@pytest.mark.slow
def test_past_shows_both_courses_and_a_neutral_prior(tmp_path):
    table = tmp_path / "past.csv"
    words = ("--model", "drift", "--draws", "60", "--table", table)
    seen = " ".join(cli("past", "supply-shock-2023", *words, code=0).output.split())
    assert "not the effect of a policy" in seen
    assert "neutral prior: size +0.00 (sd 0.40), no effect 50%; after the counts -0." in seen
    rows = pd.read_csv(table)
    assert rows["period"].unique().tolist() == ["2023", "2024", "2023-07 to 2025-07"]
    by_way = rows.set_index(["period", "counterfactual"])["averted_mean"]
    neutral, named = (f"effect removed, {prior} prior" for prior in ("neutral", "named"))
    assert set(by_way["2024"].index) == {named, neutral, "forecast from the eve"}
    assert by_way[("2024", neutral)] < by_way[("2024", named)]
    assert "such intervals contained the deaths averted in" in seen


@pytest.mark.slow
def test_past_reads_a_file_and_compares_with_similar_places(tmp_path):
    pilot, table = tmp_path / "pilot.yaml", tmp_path / "past.csv"
    keys = "size: {normal: [-0.2, 0.1]}, onset: 2022-01, exposure: {OH: 1, default: 0}"
    pilot.write_text(f"name: pilot\ninterventions: [{{name: ohio, {keys}}}]\n")
    words = ("--locations", "Ohio", "--model", "drift", "--draws", "60", "--table", table)
    seen = " ".join(cli("past", pilot, *words, code=0).output.split())
    assert "OH: Number of Drug Overdose Deaths after pilot (2022-01)." in seen
    assert "Those from similar places contained them in" in seen
    ohio = pd.read_csv(table).query("location == 'OH' and period == '2022'")
    ohio = ohio.set_index("counterfactual")
    assert ohio.loc["similar places", ["averted_q05", "averted_q95"]].notna().all()
    # Nobody gave the named size a chance of no effect; the neutral twin has one.
    ways = [f"effect removed, {prior} prior" for prior in ("named", "neutral")]
    assert ohio.loc[ways, "p_null"].isna().tolist() == [True, False]
    pilot.write_text("name: none\ninterventions: []\n")
    assert cli("past", pilot, *words).exit_code == 1


def test_an_onset_in_the_past_needs_begun_and_its_answer_begins_with_what_is_counted(tmp_path):
    words = ("cooperation-resumed", *FAST, "--onset", "2023-11")
    for command in ("run", "compare", "sensitivity"):
        refused = cli(command, *words, code=1)
        said = " ".join(refused.output.split())
        assert "its effect until August 2025, the last count, is already in the counts" in said
        assert "(--begun)" in said
    lead = (
        r"Its effect until August 2025 is already in the counts\. From then on it is assumed to "
        r"fade, which adds [\d,]+ drug overdose deaths to a forecast in which it would have lasted"
    )
    for command in ("run", "compare"):
        said = " ".join(cli(command, *words, "--begun", code=0).output.split())
        assert re.search(lead, said), command
        assert re.search(r"adds [\d,]+ \(", said), command
        assert not re.search(r"[Ii]f it works: [\d,]+ more", said), command
        (note,) = json.loads(cli(command, *words, "--begun", "--json").stdout)["notes"]
        assert note["scenario_id"] == "cooperation-resumed"
        assert re.match(lead, note["note"])
    faded = cli("run", *words[:-1], "2015-02", "--begun", code=1)
    assert "its effect ended in " in " ".join(faded.output.split())


def test_a_name_is_an_argument_and_a_folder_is_not_needed(tmp_path):
    text = cli("run", "tariff-only", *WEST, code=0).output
    assert "Write a brief, tables and draws with --out DIR" in text
    option = cli("run", "--scenario", "tariff-only", *WEST, code=0).output
    assert option == text
    assert "name a scenario: one from odforecast scenario list" in cli("run", code=2).output
    refused = cli("run", "tariff-only", "--replace", code=2).output
    assert "--replace is about --out DIR" in refused
    path = tmp_path / "own.yaml"
    path.write_text("name: own\ninterventions: [{name: kits, onset: 2026-03, percent: -10%}]\n")
    own = " ".join(cli("run", path, *WEST, code=0).output.split())
    assert "This is a what-if: no probability is attached." in own
    assert "works 100%" not in own
    assert "no probability attached" in cli("show", path, code=0).output
