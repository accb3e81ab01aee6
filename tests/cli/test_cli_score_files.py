"""``odforecast score`` reads what the other commands write, and its scores are the library's.

What a file rounds is what scores may differ by.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import ok
from exits import run
from release_factory import cdc_form

import odforecast as od
from odforecast.hub import scores as rules
from odforecast.hub import to_hub, write_hub
from odforecast.names import HUB_QUANTILES
from odforecast.updating import update

#: Their numbers are those of the release of 2025-09-17.
pytestmark = pytest.mark.usefixtures("older_bundle")

STATES = ("US", "WV", "OH")
#: Origin of the release that the commands forecast from, and its panel's last month.
LAST = "2024-02"
UNIT = ["location", "month"]


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
    """The forecast that the commands below make, of what was known in July 2024."""
    early = od.Archive(archive).as_of("2024-07-10").panel()
    return od.get_model("dlm").fit(early).forecast(12, draws=100, seed=1)


ASKED = ("--as-of", "2024-07-10", "--draws", 100, "--model", "dlm", "--locations", "US,WV,OH")


@pytest.fixture
def scored(archive, tmp_path):

    def go(path, *more):
        out = tmp_path / f"scores-{path.name}.parquet"
        ok("score", path, "--archive", archive, "--out", out, *more)
        return pd.read_parquet(out)

    return go


@pytest.fixture
def written(archive, scored, tmp_path):
    """Scores of what a command writes of that forecast under a name."""

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


QUANTILES = {"wis": 1e-3, "wis_spread": 1e-3, "ae": 1e-3, "log_wis": 1e-5, "cover_90": 0,
             "median": 1e-3, "observed": 0}  # fmt: skip


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_quantiles(ending, written, made, truth):
    have = written(f"2024-07-10-odforecast-dlm{ending}", "--target", "both", "--out")
    assert set(have["model"]) == {"dlm"}  # the name in a hub, back as a label
    for target in ("deaths_12mo", "deaths_month"):
        check(have[have["target"] == target], direct(made, truth, target), QUANTILES)


def test_samples(written, made, truth):
    have = written("2024-07-10-odforecast-dlm.parquet", "--output-type", "sample", "--out")
    more = {"crps": 1e-3, "log_score": 1e-4, "bias": 0.021}
    check(have, direct(made, truth), QUANTILES | more)


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
    assert set(have["target"]) == {"trend_12mo"}
    assert set(have["known_release"]) == {known}
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
        want = direct(made, truth, target)
        rows = have[have["target"] == target]
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
    return pd.DataFrame(
        {"wis": found["wis"], "ae": found["ae_median"], "scorable": why.ravel() == "",
         "reason": why.ravel(), "observed": y.ravel()}, index=index,
    )  # fmt: skip


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
    whole = scored(folder)
    quantiles = scored(folder / "data" / "quantiles.csv")
    drawn = scored(folder / "data" / "samples.parquet")
    keys = ["scenario_id", *UNIT, "target"]
    whole, quantiles, drawn = (t.set_index(keys) for t in (whole, quantiles, drawn))
    assert set(whole["model"]) == {"run"}
    for name in ("wis", "ae", "cover_90"):
        np.testing.assert_array_equal(whole[name], quantiles.loc[whole.index, name])
    np.testing.assert_array_equal(whole["crps"], drawn.loc[whole.index, "crps"])
    rows = whole.xs("null").reset_index()
    check(rows[rows["target"] == "deaths_12mo"], direct(made, truth), QUANTILES)
    result = run("score", folder / "data" / "draws.parquet", "--archive", archive, code=1)
    assert "score the folder of the run" in result.stderr


@pytest.mark.slow
def test_updates_and_their_record(scored, archive, made, truth, tmp_path):
    folder = tmp_path / "updates"
    first = tmp_path / "archive"
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
        result = run("score", folder / part, "--archive", archive, code=1)
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
    result = run("score", wide, narrow, "--source", "bundled", "--baseline", "wide", code=1)
    said = "WIS of wide is over levels 0.05, 0.5, 0.95, of narrow over levels 0.25, 0.5, 0.75"
    assert said in result.stderr
    both = run("score", wide, narrow, "--source", "bundled", code=0)
    assert "these are different scores" in " ".join(both.stderr.split())
    fine = run("score", wide, alike, "--source", "bundled", "--baseline", "wide", code=0)
    assert "different scores" not in fine.stderr


def test_every_origin_of_a_file_is_asked_for_its_levels(panel, tmp_path):
    """A hub file of two origins, the later one with other levels and no fewer of them."""
    files = []
    for name, tail in (("base", 0.02), ("mixed", 0.03)):
        rows = []
        for last, at in (("2023-06", 0.02), ("2023-07", tail)):
            made = od.get_model("drift").fit(panel.cut(last)).forecast(3, draws=60).select(["US"])
            rows.append(to_hub(made, levels=sorted([*HUB_QUANTILES, at, 1 - at])))
        files.append(write_hub(pd.concat(rows), tmp_path / f"{name}.parquet"))
    result = run("score", *files, "--source", "bundled", "--baseline", "base", code=1)
    said = "WIS of base is over 25 levels with 0.02, of mixed over 25 levels with 0.03"
    assert said in result.stderr


def test_another_drug_class_is_refused(archive, tmp_path):
    other = od.bundled().as_of("2025-09-17").panel("T40.4")
    folder = tmp_path / "saved"
    od.get_model("naive").fit(other.cut(LAST)).forecast(3, draws=50).save(folder)
    result = run("score", folder, "--archive", archive, code=1)
    assert "say what is counted with --indicator" in " ".join(result.stderr.split())


HEAD = "location,month,horizon,level,low,median,high\n"
US = "US,2024-12,1,0.9,1,2,3\n"
OWN = "2024-07-10-x.csv"


@pytest.mark.parametrize(
    ("files", "asked", "message"),
    [
        *(
            ({OWN: text}, OWN, message)
            for text, message in (
                (HEAD + "US,2024-13,1,0.9,1,2,3\n", "row 2: month '2024-13' is not a month"),
                (HEAD + "US,2024-12,1,0.9,1,two,3\n", "row 2: median 'two' is not a number"),
                (HEAD + f"{US}Utopia,2024-12,1,0.9,1,2,3\n", "row 3: location"),
                (HEAD + f"{US}US,2024-12,1,0.8,1,2,3\n", "one level"),
                (HEAD + "39035,2024-12,1,0.9,1,2,3\n", "counties cannot be scored from files"),
                (HEAD, "no rows"),
                (
                    "location,month,lower,median\nUS,2024-12,1,2\n",
                    "no column high, horizon, level, low; it has location, month, lower, median",
                ),
            )
        ),
        ({"f.txt": "x"}, "f.txt", "unknown file type '.txt'"),
        (
            {"changes.csv": "location,month,before\n", OWN: HEAD},
            "",
            f"score the files in it: {OWN}\n",
        ),
        ({"hub-config/tasks.json": ""}, "", ": a hub; odforecast hub score "),
        *(
            (
                {"scenarios.yaml": "", name: "scenario,value\n"},
                name,
                "part of a run of scenarios, not a file of forecasts; score the folder: ",
            )
            for name in ("answer.csv", "deaths_averted.csv")
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(files, asked, message, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    result = run("score", tmp_path / asked, code=1)
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
