"""``odforecast score``, of what other commands write too: its scores are the library's."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import exits
import numpy as np
import pandas as pd
import pytest
from commands import ok
from release_factory import cdc_form

import odforecast as od
from odforecast.hub import scenarios_to_hub, to_hub, write_hub
from odforecast.hub import scores as rules
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.files import read_simple
from odforecast.updating import update

run = partial(exits.run, "score")

pytestmark = pytest.mark.usefixtures("older_bundle")
STATES = ("US", "WV", "OH")
LAST = "2024-02"
UNIT = ["location", "month"]
ASKED = ("--as-of", "2024-07-10", "--draws", 100, "--model", "dlm", "--locations", "US,WV,OH")
QUANTILES = {"wis": 1e-3, "wis_spread": 1e-3, "ae": 1e-3, "log_wis": 1e-5, "cover_90": 0,
             "median": 1e-3, "observed": 0}  # fmt: skip
HEAD = "location,month,horizon,level,low,median,high\n"
US = "US,2024-12,1,0.9,1,2,3\n"
OWN = "2024-07-10-x.csv"
LACKS = "no column for the upper end; it has location, month, lower, median; say which it is"
UNREADABLE = [
    (HEAD + "US,2024-13,1,0.9,1,2,3\n", "row 2: month '2024-13' is not a month"),
    (HEAD + "US,2024-12,1,0.9,1,two,3\n", "row 2: median 'two' is not a number"),
    (HEAD + f"{US}Utopia,2024-12,1,0.9,1,2,3\n", "row 3: location"),
    (HEAD + f"{US}WV,2024-12,1,0.8,1,2,3\n", "without all 2 levels of the table"),
    (HEAD + "39035,2024-12,1,0.9,1,2,3\n", "counties cannot be scored from files"),
    (HEAD, "no rows"),
    ("location,month,lower,median\nUS,2024-12,1,2\n", LACKS),
]
# US, October and November 2023, 100, 200 and 300, as of 2024-02-28: 0.05, 0.5 and 0.95
TABLES = [
    ("2024-02-28-x.csv", "state,quantile,month,value\n" + "".join(
        f"US,{q},{month},{v}\n" for month in ("Oct 2023", "2023-11")
        for q, v in ((0.05, 100), (0.95, 300), (0.5, 200)))),
    ("2024-02-28-x.csv", "Place,period,lower_90,median,upper_90\n"
     "US,10/2023,100,200,300\nUS,11/2023,100,200,300\nTotal,,200,400,600\n"),
    ("x.csv", "My forecasts\nForecast date,Location,Month,Low,Median,High,Interval\n"
     "2024-02-28,US,2023-10-31,100,200,300,0.9\n2024-02-28,US,2023-11-30,100,200,300,0.9\n"),
]  # fmt: skip
PART = "part of a run of scenarios, not a file of forecasts; score the folder: "


def forecast_of(model, last="2023-09", states=("US", "WV", "OH")):
    panel = od.bundled().as_of("2025-09-17").panel().select(states)
    panel = panel if last == str(panel.last_month) else panel.cut(last)
    return od.get_model(model).fit(panel).forecast(12, draws=80, seed=1)


@pytest.fixture
def files(tmp_path):
    names = ("hub-baseline", "naive")
    return [write_hub(to_hub(forecast_of(m)), tmp_path / f"2024-02-15-{m}.csv") for m in names]


@pytest.mark.parametrize(("name", "text"), TABLES)
def test_tables_as_people_have_them(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    table = read_simple(tmp_path / name).table
    assert table["month"].dt.strftime("%Y-%m").tolist() == ["2023-10", "2023-11"]
    assert (table["as_of"] == "2024-02-28").all()
    assert table[["q0.05", "q0.5", "q0.95"]].to_numpy().tolist() == [[100, 200, 300]] * 2
    out = tmp_path / "scores.csv"
    done = run(tmp_path / name, "--out", out, code=0)
    assert "x.csv: read 2 forecasts at 3 levels from '" in " ".join(done.stderr.split())
    scores = pd.read_csv(out)
    assert scores["horizon"].tolist() == [1, 2]
    # WIS of three levels, by hand: half the error of the median, and an interval far below.
    far = (scores["observed"] - 300) * 2 / 0.1 + 200
    by_hand = (0.5 * (scores["observed"] - 200) + 0.05 * far) / 1.5
    assert np.allclose(scores["wis"], by_hand)


def test_a_level_and_a_release_are_asked_for(tmp_path):
    plain = tmp_path / "2024-02-28-x.csv"
    plain.write_text("location,month,low,median,high\nUS,2023-10,1,2,3\n")
    asks = "no column for the level of the intervals; say which it is: --column level=90%"
    assert asks in run(plain, code=1).stderr
    assert run(plain, "--column", "level=90%", code=0)
    at_release = plain.rename(tmp_path / "2024-02-15-x.csv")
    asked = run(at_release, "--column", "level=90%", code=1).stderr
    assert "no column horizon, and the release of that day is not here; add the months" in asked


def test_reference_dates_are_origin_dates(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.read_csv(files[0], dtype={"location": str})
    table.rename(columns={"origin_date": "reference_date"}).to_csv(files[0], index=False)
    done = run(files[0], code=0)
    assert "2024-02-15-hub-baseline.csv: read 'reference_date' as origin_date" in " ".join(
        done.stderr.split()
    )
    assert "Forecasts as of 2024-02-15" in done.output
    # A hub file below titles in a workbook is a table of quantiles, with the same scores.
    book = files[0].with_suffix(".xlsx")
    table.to_excel(book, startrow=2, index=False)
    run(files[0], "--out", "csv.csv", code=0)
    run(book, "--out", "book.csv", code=0)
    keys = [*UNIT, "target"]
    scores, of_book = (pd.read_csv(f"{x}.csv").sort_values(keys) for x in ("csv", "book"))
    assert scores["model"].tolist() == of_book["model"].tolist()
    for name in ("horizon", "observed", "wis", "cover_90"):
        assert np.allclose(scores[name], of_book[name]), name


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
    assert "too young" not in run(path, "--min-truth-age", "0").output
    path = write_hub(to_hub(forecast_of("naive", "2025-04")), tmp_path / "new.csv")
    none = run(path, "--out", out, code=1)
    assert "error: no forecast can be scored yet; use a release at least 12 months" in none.stderr
    assert len(pd.read_csv(out)) == 3 * 12 * 2  # the file is written


def test_samples_give_crps_and_what_is_to_mind_is_said(tmp_path):
    table = to_hub(forecast_of("drift", states=("US",)), output_type="sample")
    result = run(write_hub(table, tmp_path / "drift.parquet"), code=0)
    assert "CRPS" in result.output
    assert "monthly deaths, US" in result.output
    assert "up to a constant per calendar month" in " ".join(result.output.split())
    made = od.get_model("naive+delay").fit(od.bundled().as_of("2025-09-17").panel())
    table = to_hub(made.forecast(3, draws=80).select(["US"]))
    result = run(write_hub(table, tmp_path / "2025-09-17-mine.csv"), code=0)
    assert "published no later than the forecasts" in result.output


def test_origins_of_one_model_are_taken_together_but_not_twice(tmp_path):
    paths = []
    for last in ("2023-06", "2023-09"):
        forecast = forecast_of("naive", last)
        paths.append(write_hub(to_hub(forecast), tmp_path / f"{forecast.as_of}-naive.csv"))
    assert "2 dates, 2023-11-15 to 2024-02-15" in run(*paths, code=0).output
    assert "repeats a forecast of model naive" in run(*paths, paths[0], code=1).stderr


def scenarios_of(**names):
    made = forecast_of("drift", "2023-06")
    return {n.replace("_", "-"): replace(made, draws=made.draws * k) for n, k in names.items()}


@pytest.fixture
def projected(tmp_path):
    """A file of three scenarios; the middle one is what the command writes last."""
    forecasts = scenarios_of(null=1.0, cooperation_resumed=0.9, supply_shock_2023_like=0.8)
    return write_hub(scenarios_to_hub(forecasts), tmp_path / "2023-11-15-drift.csv")


@pytest.fixture
def spans(tmp_path):
    """For which months the assumptions held: null to the end of 2023, the shock since."""
    path = tmp_path / "held.csv"
    head = "scenario_id,first_month,last_month,note\nnull,2023-07,2023-12,\n"
    path.write_text(f'{head}supply-shock-2023-like,2023-07,2024-09,"supply fell, all say"\n')
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
    alone = write_hub(to_hub(scenarios_of(null=1.0)["null"]), tmp_path / "alone-drift.csv")
    assert run(alone, "--out", tmp_path / "alone.csv").exit_code == 0
    want = pd.read_csv(tmp_path / "alone.csv", keep_default_na=False)
    got = scores[scores["scenario_id"] == "null"].reset_index(drop=True)
    want = want.drop(columns=["model", "file"])
    pd.testing.assert_frame_equal(got.drop(columns=["scenario_id", "model", "file"]), want)


def test_plausibility_first_calibration_second(projected, spans, tmp_path):
    out = tmp_path / "scores.parquet"
    text = run(projected, "--held", spans, "--out", out, code=0).output
    assert text.index("Plausibility: months in which") < text.index("Calibration: ")
    assert "12-month deaths: a scenario was true in 6.0 of 12.0 months on average" in text
    assert max(map(len, text.splitlines()[:-1])) <= 80
    scores = pd.read_parquet(out)
    by = scores.groupby(["scenario_id", "target"])["plausible"].sum()
    assert (by["null"].tolist(), by["cooperation-resumed"].tolist()) == ([3 * 6, 3 * 6], [0, 0])
    assert by["supply-shock-2023-like"].tolist() == [3 * 12, 3 * 12]
    rows = scores[(scores["target"] == "deaths_12mo") & (scores["location"] == "US")]
    part = rows[(rows["scenario_id"] == "null") & rows["plausible"]]
    lines = [x.split() for x in text[text.index("Calibration: 12-month deaths, US") :].splitlines()]
    line = next(x for x in lines if x[:2] == ["null", "true"])
    held = [f"{part[f'cover_{p}'].mean():.0%}" for p in (50, 80, 90, 95)]
    assert line[2:] == ["6", f"{part['wis'].mean():,.0f}", *held]
    assert next(x for x in lines if x[:1] == ["all"])[1] == "12"
    assert ["cooperation-resumed", "true", "0", *"–––––"] in lines
    few = scores[(scores["target"] == "deaths_12mo") & scores["plausible"]]
    assert f"contained {few['cover_95'].mean():.0%} of {len(few)} final counts" in text
    spans.write_text("scenario_id,first_month,last_month\nnull,2030-01,2030-02\n")
    text = ok("score", projected, "--held", spans)
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


@pytest.fixture(scope="module")
def truth(panel):
    return od.Truth(panel)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The bundled release cut in 2024 and published in July of that year, and the whole."""
    folder = tmp_path_factory.mktemp("archive")
    whole = od.bundled().as_of("2025-09-17").table
    early = whole[whole["month"] <= pd.Timestamp(f"{LAST}-01")]
    for day, table in (("2024-07-10", early), ("2025-09-17", whole)):
        file = folder / f"{day}.csv"
        cdc_form(table).to_csv(file, index=False)
        ok("data", "add", file, "--archive", folder / "a")
    return folder / "a"


@pytest.fixture(scope="module")
def made(archive):
    early = od.Archive(archive).as_of("2024-07-10").panel()
    return od.get_model("dlm").fit(early).forecast(12, draws=100, seed=1)


@pytest.fixture
def scored(archive, tmp_path):
    def go(path, *more):
        out = tmp_path / f"scores-{path.name}.parquet"
        ok("score", path, "--archive", archive, "--out", out, *more)
        return pd.read_parquet(out)

    return go


@pytest.fixture
def written(archive, scored, tmp_path):

    def go(name, *words, command="forecast"):
        ok(command, *ASKED, "--archive", archive, *words, tmp_path / name)
        return scored(tmp_path / name)

    return go


def direct(made, truth, target="deaths_12mo", states=STATES):
    return od.score(made.select(list(states)), truth, target).set_index(UNIT)


def check(have, want, columns):
    """Columns agree to what their file rounds; what is scorable agrees exactly."""
    have = have.set_index(UNIT).reindex(want.index)
    assert len(have) == len(want)
    assert have["scorable"].any()
    np.testing.assert_array_equal(have["scorable"], want["scorable"])
    np.testing.assert_array_equal(have["reason"], want["reason"])
    for name, slack in columns.items():
        np.testing.assert_allclose(have[name], want[name], atol=slack, rtol=0, err_msg=name)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_quantiles(ending, written, made, truth):
    have = written(f"2024-07-10-odforecast-dlm{ending}", "--target", "both", "--out")
    assert set(have["model"]) == {"dlm"}  # the name in a hub, back as a label
    for target in ("deaths_12mo", "deaths_month"):
        check(have[have["target"] == target], direct(made, truth, target), QUANTILES)


def test_samples(written, made, truth):
    have = written("2024-07-10-odforecast-dlm.parquet", "--output-type", "sample", "--out")
    check(have, direct(made, truth), QUANTILES | {"crps": 1e-3, "log_score": 1e-4, "bias": 0.021})


@pytest.mark.parametrize(
    ("source", "known"),
    [((), "2024-07-10"), (("--source", "bundled"), f"2025-09-17, cut after {LAST}")],
    ids=["a release of the day", "none, so the truth is cut"],
)
def test_chances_of_the_trend(source, known, archive, made, truth, tmp_path):
    path, out = tmp_path / "2024-07-10-odforecast-dlm.csv", tmp_path / "scores.parquet"
    ok("forecast", *ASKED, "--archive", archive, "--output-type", "pmf", "--out", path)
    text = ok("score", path, *(source or ("--archive", archive)), "--out", out)
    have = pd.read_parquet(out).set_index(UNIT)
    assert (set(have["target"]), set(have["known_release"])) == ({"trend_12mo"}, {known})
    want = direct(made, truth)
    want = want[want["rps"].notna()]
    assert have["scorable"].any()
    assert set(have.index[have["scorable"]]) == set(want.index)
    have = have.loc[want.index]
    np.testing.assert_allclose(have["rps"], want["rps"], atol=5e-6)
    if not source:
        np.testing.assert_allclose(have["rps_pooled"], want["rps_pooled"], atol=1e-12)
    assert "trend, states, by months ahead: dlm" in text
    assert f"as known when the forecast was made: release {known}" in " ".join(text.split())
    assert max(len(x) for x in text.splitlines() if str(tmp_path) not in x) <= 80


def test_a_saved_forecast(written, made, truth):
    have = written("kept", "--save")
    assert set(have["model"]) == {"dlm"}
    for target in ("deaths_12mo", "deaths_month"):
        want, rows = direct(made, truth, target), have[have["target"] == target]
        check(rows, want, dict.fromkeys([*QUANTILES, "crps", "log_score", "pit"], 0))
    years = have[have["target"] == "deaths_12mo"].set_index(UNIT)
    np.testing.assert_array_equal(years["rps"], direct(made, truth)["rps"])


def three_levels(made, truth, target, level=0.9):
    part = made.select(list(STATES))
    tau = [round((1 - level) / 2, 12), 0.5, round((1 + level) / 2, 12)]
    q = part.quantiles(tau, target)
    y, why = truth.observed(part.locations, part.months, target)
    found, _ = rules.quantiles(q.reshape(3, -1).T, tau, y.ravel())
    index = pd.MultiIndex.from_product([part.locations, part.months.astype("M8[s]")], names=UNIT)
    said = {"wis": found["wis"], "ae": found["ae_median"], "scorable": why.ravel() == ""}
    return pd.DataFrame(said | {"reason": why.ravel(), "observed": y.ravel()}, index=index)


@pytest.mark.parametrize("ending", [".csv.gz", ".json", ".parquet"])
def test_tables_of_forecasts(ending, written, made, truth):
    have = written(f"2024-07-10-dlm{ending}", "--table")
    check(have, three_levels(made, truth, "deaths_12mo"), {"wis": 1e-3, "ae": 1e-3, "observed": 0})
    assert have["cover_50"].isna().all()  # there is one interval
    assert have.loc[have["scorable"], "cover_90"].notna().all()
    assert set(have["as_of"]) == {pd.Timestamp("2024-07-10")}


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_tables_of_months_and_other_levels(level, written, archive, made, truth, tmp_path):
    have = written("dlm.csv", "--target", "deaths_month", "--level", level, "--table")
    check(have, three_levels(made, truth, "deaths_month", level), {"wis": 1e-3, "ae": 1e-3})
    assert set(have["target"]) == {"deaths_month"}
    assert have["as_of"].isna().all()  # neither the table nor the name of the file says it
    text = ok("score", tmp_path / "dlm.csv", "--archive", archive)
    assert "Forecasts as of a day that the files do not say" in text


def test_nowcasts(written, made, truth):
    have = written("2024-07-10-dlm.csv", "--table", command="nowcast")
    want = three_levels(made, truth, "deaths_12mo")
    want = want[want.index.get_level_values("month") <= pd.Timestamp(f"{LAST}-01")]
    check(have, want, {"wis": 1e-3, "ae": 1e-3})
    assert have["reported"].notna().all()
    assert set(have["horizon"]) <= set(range(-11, 1))


def test_scenarios(scored, archive, made, truth, tmp_path):
    folder = tmp_path / "run"
    null = ("--scenario", "null", "--horizon", 12)
    ok("scenario", "run", *ASKED, "--archive", archive, *null, "--out", folder)
    whole, quantiles = scored(folder), scored(folder / "data" / "quantiles.csv")
    drawn = scored(folder / "data" / "samples.parquet")
    keys = ["scenario_id", *UNIT, "target"]
    whole, quantiles, drawn = (t.set_index(keys) for t in (whole, quantiles, drawn))
    assert set(whole["model"]) == {"run"}
    for name in ("wis", "ae", "cover_90"):
        np.testing.assert_array_equal(whole[name], quantiles.loc[whole.index, name])
    np.testing.assert_array_equal(whole["crps"], drawn.loc[whole.index, "crps"])
    rows = whole.xs("null").reset_index()
    check(rows[rows["target"] == "deaths_12mo"], direct(made, truth), QUANTILES)
    result = run(folder / "data" / "draws.parquet", "--archive", archive, code=1)
    assert "score the folder of the run" in result.stderr


@pytest.mark.slow
def test_updates_and_their_record(scored, archive, made, truth, tmp_path):
    folder, first = tmp_path / "updates", tmp_path / "archive"
    file = tmp_path / "2024-07-10.csv"
    cdc_form(od.Archive(archive).as_of("2024-07-10").table).to_csv(file, index=False)
    ok("data", "add", file, "--archive", first)
    done = update(first, folder, fetch=False, model="dlm", draws=100, seed=1)
    assert str(done.release) == "2024-07-10"
    have = scored(done.hub_file)
    assert set(have["model"]) == {"dlm"}
    want = direct(made, truth, states=made.locations)
    check(have[have["target"] == "deaths_12mo"], want, QUANTILES)
    for path in (folder, done.record_file):
        have = scored(Path(path))
        assert set(have["n_levels"]) == {5}
        both = have.set_index(UNIT).join(want, rsuffix="_want")
        np.testing.assert_allclose(both["ae"], both["ae_want"], atol=0.051)
        # A count on the very end of an interval may fall out of it, by the tenth of a death.
        off = (both["cover_50"] - both["cover_50_want"]).abs()
        assert off.sum() <= 0.01 * len(off)


def test_results_of_a_backtest(scored, archive, tmp_path):
    folder = tmp_path / "results"
    ok("backtest", "--models", "hub-baseline,naive", "--locations", "US,WV", "--start", "2023-06",
       "--end", "2023-07", "--vintages", "clean", "--draws", 60, "--jobs", 1, "--out",
       folder)  # fmt: skip
    want = od.Results.load(folder).scores
    have = scored(folder, "--baseline", "hub-baseline")
    keys = ["model", "as_of", "last_month", "location", "target", "month"]
    both = have.set_index(keys).join(want.set_index(keys), rsuffix="_want", how="outer")
    assert len(both) == len(have) == len(want)
    np.testing.assert_array_equal(both["scorable"], both["scorable_want"])
    for name in ("wis", "log_wis", "ae", "ape", "cover_90"):
        np.testing.assert_allclose(both[name], both[f"{name}_want"], rtol=1e-12, err_msg=name)
    for part in ("quantiles.parquet", "scores.parquet", "leaderboard.csv", "manifest.json"):
        result = run(folder / part, "--archive", archive, code=1)
        assert f"score the folder: odforecast score {folder}" in result.stderr


@pytest.mark.slow
def test_names_of_our_models_and_of_others(archive, made, tmp_path):
    table = to_hub(made.select(["US"]))
    names = {"odforecast-auto_ets": "auto-ets", "odforecast-naive__delay": "naive+delay",
             "team-model": "team-model", "mine": "mine"}  # fmt: skip
    paths = [write_hub(table, tmp_path / f"2024-07-10-{name}.csv") for name in names]
    out = tmp_path / "scores.csv"
    ok("score", *paths, "--archive", archive, "--out", out, "--baseline", "auto-ets")
    assert list(dict.fromkeys(pd.read_csv(out)["model"])) == list(names.values())
    twins = [write_hub(table, tmp_path / f"2024-07-10-{name}.csv")
             for name in ("odforecast-auto_ets", "auto-ets")]  # fmt: skip
    ok("score", *twins, "--archive", archive, "--out", out)
    assert set(pd.read_csv(out)["model"]) == {"odforecast-auto_ets", "auto-ets"}


def test_wis_over_as_many_other_levels_is_not_related(tmp_path):
    wide, narrow, alike = (tmp_path / f"2024-02-15-{x}.csv" for x in ("wide", "narrow", "alike"))
    for path, level in ((wide, 0.9), (narrow, 0.5), (alike, 0.9)):
        path.write_text(HEAD + f"US,2023-12,3,{level},90000,100000,110000\n")
    result = run(wide, narrow, "--source", "bundled", "--baseline", "wide", code=1)
    said = "WIS of wide is over levels 0.05, 0.5, 0.95, of narrow over levels 0.25, 0.5, 0.75"
    assert said in result.stderr
    both = run(wide, narrow, "--source", "bundled", code=0)
    assert "these are different scores" in " ".join(both.stderr.split())
    fine = run(wide, alike, "--source", "bundled", "--baseline", "wide", code=0)
    assert "different scores" not in fine.stderr


def test_every_origin_of_a_file_is_asked_for_its_levels(panel, tmp_path):
    files = []
    for name, tail in (("base", 0.02), ("mixed", 0.03)):
        rows = []
        for last, at in (("2023-06", 0.02), ("2023-07", tail)):
            made = od.get_model("drift").fit(panel.cut(last)).forecast(3, draws=60).select(["US"])
            rows.append(to_hub(made, levels=sorted([*HUB_QUANTILES, at, 1 - at])))
        files.append(write_hub(pd.concat(rows), tmp_path / f"{name}.parquet"))
    result = run(*files, "--source", "bundled", "--baseline", "base", code=1)
    said = "WIS of base is over 25 levels with 0.02, of mixed over 25 levels with 0.03"
    assert said in result.stderr


def test_another_drug_class_is_refused(archive, tmp_path):
    other, folder = od.bundled().as_of("2025-09-17").panel("T40.4"), tmp_path / "saved"
    od.get_model("naive").fit(other.cut(LAST)).forecast(3, draws=50).save(folder)
    result = run(folder, "--archive", archive, code=1)
    assert "say what is counted with --indicator" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("files", "asked", "message"),
    [
        *(({OWN: text}, OWN, message) for text, message in UNREADABLE),
        ({"f.txt": "x"}, "f.txt", "no columns in its first line; save it as CSV or .xlsx"),
        ({"changes.csv": "location,month\n", OWN: HEAD}, "", f"score the files in it: {OWN}\n"),
        ({"hub-config/tasks.json": ""}, "", ": a hub; odforecast hub score "),
        ({"scenarios.yaml": "", "answer.csv": "x\n"}, "answer.csv", PART),
        ({"scenarios.yaml": "", "deaths_averted.csv": "x\n"}, "deaths_averted.csv", PART),
    ],
)
def test_what_cannot_be_read_is_one_line(files, asked, message, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    result = run(tmp_path / asked, code=1)
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_places_by_any_of_their_names_and_intervals_that_miss_or_cross(tmp_path):
    path, out = tmp_path / "2024-02-15-x.csv", tmp_path / "s.csv"
    rows = ("OH,2023-10,1,0.9,,2,3", "39,2023-11,2,0.9,9,2,3", "Ohio,2023-12,3,0.9,1,2,3")
    path.write_text(HEAD.title() + "\n".join([*rows, ""]))
    ok("score", path, "--source", "bundled", "--out", out)
    scores = pd.read_csv(out, keep_default_na=False)
    assert scores["location"].tolist() == ["OH"] * 3
    missing, crossing, fine = scores["reason"]
    assert missing == "the table holds no number there"
    assert crossing.startswith("quantiles cross: 2 at level 0.5")
    assert (fine, scores["scorable"].iloc[2]) == ("", True)
