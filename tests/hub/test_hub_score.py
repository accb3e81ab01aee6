"""Scores of other people's files: any hub, against its own target data."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import ok, run
from hypothesis import strategies as st
from other_scores import scoringrules

import odforecast as od
from odforecast.cli.score_files import known_panel, score_levels, score_trend
from odforecast.errors import ArchiveError, ScoringError
from odforecast.forecasts.trend import CATEGORIES as TREND
from odforecast.geography.places import lookup
from odforecast.hub import score
from odforecast.hub import scores as rules
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.rules import ranked_probability_score
from odforecast.scoring.trend import pooled_frequencies, trend_pair

pytestmark = pytest.mark.usefixtures("older_bundle")
sr = scoringrules()
# The name it has had since 0.10.
energy = sr.es_ensemble if hasattr(sr, "es_ensemble") else sr.energy_score
NUMBERS = st.floats(-50, 50)
CATEGORIES = ["low", "moderate", "high", "very high"]


@pytest.fixture(scope="module")
def scales(shared) -> dict[str, pd.DataFrame]:
    units = score(shared / "hubverse" / "example_hub", scale="both").units
    assert set(units["scale"]) == {"natural", "log"}
    return dict(list(units.groupby("scale")))


@pytest.fixture(scope="module")
def submitted(shared) -> pd.DataFrame:
    folder = shared / "hubverse" / "example_hub" / "model-output" / "Flusight-baseline"
    return pd.read_csv(folder / "2022-10-22-Flusight-baseline.csv", dtype=str)


def of(table: pd.DataFrame, output_type: str, location: str, horizon: str) -> pd.DataFrame:
    keys = ["output_type", "location", "horizon"]
    return table[(table[keys] == [output_type, location, horizon]).all(axis=1)]


def unit(*where: Any) -> dict:
    (row,) = of(*where).to_dict("records")
    return row


@pytest.mark.parametrize(("scale", "of_scale"), [("natural", lambda x: x), ("log", np.log1p)])
@pytest.mark.parametrize(("place", "horizon"), [("US", "2"), ("US", "0"), ("06", "3"), ("48", "1")])
def test_scores_are_those_of_scoringrules(scales, submitted, scale, of_scale, place, horizon):
    scores = scales[scale]
    rows = of(submitted, "quantile", place, horizon).astype({"output_type_id": float})
    values = rows.sort_values("output_type_id")["value"].astype(float).to_numpy()
    drawn = of_scale(of(submitted, "sample", place, horizon)["value"].astype(float).to_numpy())
    mine = unit(scores, "quantile", place, horizon)
    came = mine["observed"]  # shown as it came
    if (place, horizon) == ("US", "2"):
        assert came == 6571.0  # time-series.csv: 2022-11-05, wk inc flu hosp, US
    y, quantiles = of_scale(came), of_scale(values)
    # WIS is twice the mean quantile score.
    losses = [sr.quantile_score(y, q, tau) for q, tau in zip(quantiles, HUB_QUANTILES)]
    assert mine["wis"] == pytest.approx(2 * np.mean(losses), rel=1e-9)
    parts = mine["dispersion"] + mine["overprediction"] + mine["underprediction"]
    assert parts == pytest.approx(mine["wis"], rel=1e-12)
    assert mine["ae_median"] == pytest.approx(abs(y - quantiles[11]), rel=1e-12)
    level = dict(zip(HUB_QUANTILES, values))
    assert mine["interval_coverage_90"] == float(level[0.05] <= came <= level[0.95])
    sample = unit(scores, "sample", place, horizon)
    assert sample["crps"] == pytest.approx(sr.crps_ensemble(y, drawn, estimator="nrg"))
    assert sample["se_mean"] == pytest.approx((drawn.mean() - y) ** 2)
    point = of_scale(float(of(submitted, "mean", place, horizon)["value"].iloc[0]))
    assert unit(scores, "mean", place, horizon)["se_point"] == pytest.approx((point - y) ** 2)
    if scale == "log":
        assert unit(scores, "cdf", place, horizon)["reason"] == "cdf has no log scale"


def config() -> dict:
    def block(target: str, kind: str, outputs: dict) -> dict:
        ids = {"origin": ["2024-01-06"], "place": ["A", "B"], "step": [1, 2], "target": [target]}
        return {
            "task_ids": {k: {"required": None, "optional": v} for k, v in ids.items()},
            "output_type": outputs,
            "target_metadata": [{"target_keys": {"target": target}, "target_type": kind}],
        }

    levels = {"quantile": [0.25, 0.5, 0.75], "median": None, "pmf": CATEGORIES}
    outputs = {k: {"output_type_id": {"required": v}} for k, v in levels.items()}
    pmf = {"pmf": outputs.pop("pmf")}
    outputs["sample"] = {"output_type_id_params": {"compound_taskid_set": ["origin", "target"]}}
    tasks = [block("count", "continuous", outputs), block("level", "ordinal", pmf)]
    turn = {"round_id": "origin", "round_id_from_variable": True, "model_tasks": tasks}
    return {"rounds": [turn]}


@pytest.fixture
def hub(tmp_path) -> Path:
    """Two places, two steps, counts and levels; nothing submitted."""
    (tmp_path / "hub-config").mkdir()
    (tmp_path / "target-data").mkdir()
    (tmp_path / "hub-config" / "admin.json").write_text('{"name": "small"}')
    (tmp_path / "hub-config" / "tasks.json").write_text(json.dumps(config()))
    return tmp_path


def edit(hub: Path, place: list, value: object) -> None:
    said = config()
    at = said["rounds"][0]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    (hub / "hub-config" / "tasks.json").write_text(json.dumps(said))


def rows_of(kind, cells, target="count", place="A", step=1) -> list[tuple]:
    return [("2024-01-06", place, step, target, kind, x, v) for x, v in cells]


def quantiles(values=(8, 10, 12), **where) -> list[tuple]:
    return rows_of("quantile", zip((0.25, 0.5, 0.75), values), **where)


def levels(*chances) -> list[tuple]:
    return rows_of("pmf", zip(CATEGORIES, chances), "level")


def submit(hub: Path, model: str, rows: list[tuple], day: str = "2024-01-06") -> Path:
    names = ["origin", "place", "step", "target", "output_type", "output_type_id", "value"]
    path = hub / "model-output" / model / f"{day}-{model}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


def series(hub: Path, rows: list[tuple], names="place,step,target,observation") -> None:
    path = hub / "target-data" / "time-series.csv"
    pd.DataFrame(rows, columns=names.split(",")).to_csv(path, index=False)


def oracle(hub: Path, rows: list[tuple]) -> None:
    names = ["place", "step", "target", "output_type", "output_type_id", "oracle_value"]
    pd.DataFrame(rows, columns=names).to_csv(hub / "target-data" / "oracle-output.csv", index=False)


def only(hub: Path, of: str = "units") -> dict:
    (row,) = getattr(score(hub), of).to_dict("records")
    return row


def test_categories(hub):
    chances = (0.1, 0.2, 0.3, 0.4)
    submit(hub, "team-one", levels(*chances)[::-1])
    oracle(hub, [("A", 1, "level", "pmf", c, int(c == "moderate")) for c in CATEGORIES])
    row = only(hub)
    assert (row["category"], row["truth"]) == ("moderate", "oracle-output")
    assert row["log_score"] == pytest.approx(-np.log(0.2))
    # The order is the configuration's, not the file's; the sum of squares, as in hubEvals.
    assert row["rps"] == pytest.approx(float(sr.rps_score(2, np.array(chances), k_axis=-1)))
    assert row["rps"] == pytest.approx(0.1**2 + (0.3 - 1) ** 2 + (0.6 - 1) ** 2)
    # Of a nominal target there is no order, and so no RPS.
    edit(hub, ["model_tasks", 1, "target_metadata", 0, "target_type"], "nominal")
    row = only(hub)
    assert row["log_score"] == pytest.approx(-np.log(0.2))
    assert np.isnan(row["rps"])
    # A time series holds them as text.
    (hub / "target-data" / "oracle-output.csv").unlink()
    series(hub, [("A", 1, "level", "high"), ("B", 1, "level", "low")])
    row = only(hub)
    assert (row["category"], row["scorable"]) == ("high", True)


def test_a_table_without_the_target_is_no_truth_of_two_targets(hub):
    submit(hub, "team-one", quantiles())
    series(hub, [("A", 1, 11)], "place,step,observation")
    with pytest.raises(ScoringError, match="has no column target, and the hub has 2 targets"):
        score(hub)


BROKEN = {
    "quantiles cross: 9 at level 0.5 lies below 10 at level 0.25": quantiles((10, 9, 12)),
    "row 3: value 'many' is not a number": quantiles((8, "many", 12)),
    "row 3: output_type_id '0.25' is there twice": [*quantiles()[:1], *quantiles()],
    "WIS needs levels symmetric about a median; there are 0.25, 0.5": quantiles()[:2],
    "a level does not lie between 0 and 1": [*quantiles(), *rows_of("quantile", [(1.5, 20)])],
    "no place 'Z' in the time-series": quantiles(place="Z"),
    "no value in the time-series": quantiles(place="B", step=1),
    "output type 'guess' cannot be scored": rows_of("guess", [("", 1)]),
    "2 rows of output type median": rows_of("median", [("", 1)] * 2),
    "its chances add up to 0.8": levels(0.2, 0.2, 0.2, 0.2),
    "it lacks category 'very high'": levels(1 / 3, 1 / 3, 1 / 3),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_what_cannot_be_scored_says_why_and_stays(hub, reason):
    submit(hub, "team-one", BROKEN[reason])
    series(hub, [("A", 1, "count", 11), ("B", 2, "count", 3), ("A", 1, "level", "low")])
    row = only(hub)
    assert row["reason"] == reason
    assert not row["scorable"]
    assert all(np.isnan(row[name]) for name in rules.SCORES)


def test_a_forecast_that_stands_there_twice_is_scored_once(hub):
    first = submit(hub, "team-one", quantiles())
    submit(hub, "team-one", quantiles((0, 0, 0)), day="2024-01-13")
    series(hub, [("A", 1, "count", 11)])
    units = score(hub).units
    assert units["scorable"].tolist() == [True, False]
    assert units["reason"].iloc[1] == f"repeats a forecast of {first.relative_to(hub)}"


def test_models_are_compared_on_the_units_that_both_have(hub):
    """A baseline of one easy unit and a model of that and a hard one: the mean ratio would lie."""
    submit(hub, "team-base", quantiles((9, 11, 13)))
    submit(hub, "team-new", [*quantiles(), *quantiles(place="B")])
    series(hub, [("A", 1, "count", 11), ("B", 1, "count", 99)])
    found = score(hub)
    table = found.summary(baseline="team-base").set_index("model_id")
    of_a = found.units[found.units["place"] == "A"].set_index("model_id")["wis"]
    assert table.loc["team-new", "relative"] == pytest.approx(of_a["team-new"] / of_a["team-base"])
    assert table.loc["team-new", ["n_common", "n_scorable"]].tolist() == [1, 2]
    assert table.loc["team-base", "relative"] == 1
    assert found.common().units["place"].tolist() == ["A", "A"]
    with pytest.raises(ScoringError, match="no model 'nobody'"):
        found.summary(baseline="nobody")
    with pytest.raises(ScoringError, match="no column 'plcae' to group by"):
        found.summary(["plcae"])


JOINT = {("A", 1): [1.0, 2.0, 4.0], ("B", 1): [3.0, 0.0, 9.0], ("A", 2): [5.0, 5.0, 6.0]}
CAME = [("A", 1, "count", 2), ("B", 1, "count", 4), ("A", 2, "count", 5)]


def samples(values: dict[tuple[str, int], list[float]], ids=None) -> list[tuple]:
    rows: list[tuple] = []
    for (place, step), drawn in values.items():
        cells = [((ids or {}).get(place, "s") + str(i), v) for i, v in enumerate(drawn)]
        rows += rows_of("sample", cells, place=place, step=step)
    return rows


@pytest.mark.parametrize("known", [3, 2])
def test_joint_samples_are_scored_on_what_came(hub, known):
    submit(hub, "team-one", samples(JOINT))
    series(hub, CAME[:known])
    row = only(hub, "joint")
    assert row["joint_over"] == "place, step"
    assert (row["n_units"], row["n_known"]) == (3, known)
    drawn = np.array(list(JOINT.values()))[:known].T
    want = energy(np.array([2.0, 4.0, 5.0])[:known], drawn, estimator="nrg")
    assert row["energy_score"] == pytest.approx(float(want))
    # Where the hub says nothing of it, there is none.
    edit(hub, ["model_tasks", 0, "output_type", "sample", "output_type_id_params"], {})
    assert score(hub).joint.empty


@pytest.mark.parametrize(
    ("values", "ids", "said"),
    [
        ({k: v[:1] for k, v in JOINT.items()}, {}, "one sample is not a distribution"),
        (JOINT | {("B", 1): [3.0, "x", 9.0]}, {}, "value 'x' is not a number"),
        (JOINT, {"B": "t"}, "its samples do not belong together"),
    ],
)
def test_joint_samples_that_have_no_score(hub, values, ids, said):
    submit(hub, "team-one", samples(values, ids))
    series(hub, CAME)
    row = only(hub, "joint")
    assert np.isnan(row["energy_score"])
    assert not row["scorable"]
    assert said in row["reason"]


def test_the_day_of_an_observation_follows_from_the_horizon(hub):
    said = config()
    block = said["rounds"][0]["model_tasks"][0]
    block["task_ids"]["horizon"] = block["task_ids"].pop("step")
    block["target_metadata"][0] |= {"is_step_ahead": True, "time_unit": "week"}
    (hub / "hub-config" / "tasks.json").write_text(json.dumps(said))
    (hub / "hub-config" / "target-data.json").write_text('{"date_col": "date"}')
    path = submit(hub, "team-one", quantiles(step=2))
    path.write_text(path.read_text().replace("step", "horizon"))
    series(hub, [("A", "2024-01-20", "count", 11), ("A", "2024-01-13", "count", 99)],
           "place,date,target,observation")  # fmt: skip
    assert only(hub)["observed"] == 11


def test_columns_that_are_no_task_ids_are_not_keys(hub):
    (hub / "hub-config" / "target-data.json").write_text(json.dumps(
        {"time-series": {"non_task_id_schema": {"name": "character"}}}))  # fmt: skip
    submit(hub, "team-one", quantiles())
    series(hub, [("A", 1, "count", "Aland", 11)], "place,step,target,name,observation")
    assert score(hub).units["scorable"].all()


@pytest.mark.slow
def test_the_command_prints_tables_of_eighty_columns(shared):
    folder = shared / "hubverse" / "example_hub"
    shown = ok("hub", "score", folder, "--baseline", "Flusight-baseline")
    for words in (
        "Final counts: time-series of the hub, without a known version",
        "212 of 1,272 units cannot be scored:",
        "wk inc flu hosp, quantile: Flusight-baseline",
        "Energy score of joint samples",
    ):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("", 2, "DIR"),
        ("no-such-hub", 1, "no-such-hub: no such folder"),
        (".", 1, "no target data"),
        (". --truth-as-of yesterday", 2, "'yesterday' is not a date"),
        (". --scale sqrt", 2, "--scale"),
        (". --out x.txt", 2, "must end in"),
    ],
)
def test_mistakes_are_one_line(hub, monkeypatch, arguments, code, message):
    monkeypatch.chdir(hub)
    result = run("hub", "score", *arguments.split())
    assert result.exit_code == code
    assert message in result.stderr + str(result.exception)


def test_a_value_on_a_threshold_has_reached_it(hub):
    ids = {"output_type_id": {"required": [10, 20]}}
    edit(hub, ["model_tasks", 0, "output_type", "cdf"], ids)
    submit(hub, "team-one", rows_of("cdf", [(10, 0.75), (20, 1.0)]))
    series(hub, [("A", 1, "count", 10)])
    row = only(hub)
    assert row["rps"] == pytest.approx(0.25**2)
    assert row["log_score"] == pytest.approx(-np.log(0.75))
    oracle(hub, [("A", 1, "count", "cdf", 10, 1), ("A", 1, "count", "cdf", 20, 1)])
    again = only(hub)
    assert (again["truth"], again["rps"]) == ("oracle-output", row["rps"])


@pytest.mark.slow
def test_a_hub_made_here_gives_the_scores_of_the_library(tmp_path):
    span, folder = {"kind": "pseudo-clean", "start": "2023-03", "end": "2023-03"}, tmp_path / "ours"
    (origin,) = od.origins(od.bundled(), **span)
    od.hub.init(folder, od.bundled(), **span, samples=(60, 100))
    made = od.get_model("dlm").fit(origin.panel).forecast(12, draws=60, seed=1)
    od.hub.submit(made, folder)
    found = score(folder)
    units = found.units
    assert units["scorable"].all()
    assert set(units["model_id"]) == {od.hub.model_id("dlm")}
    truth = od.Truth(od.bundled().as_of().panel(), min_age=0)
    codes = {lookup(s).code: s for s in made.locations}
    place, day = units["location"].map(codes), pd.to_datetime(units["target_end_date"])
    units = units.assign(place=place, month=day.dt.to_period("M").dt.to_timestamp())
    counts = [
        ("quantile", "wis", "wis"),
        ("quantile", "ae_median", "ae"),
        ("sample", "crps", "crps"),
    ]
    targets = dict.fromkeys(("deaths_12mo", "deaths_month"), counts)
    targets["trend_12mo"] = [("pmf", "rps", "rps")]
    for target, kind, theirs, ours in ((t, *x) for t, names in targets.items() for x in names):
        want = od.score(made, truth, target.replace("trend", "deaths"))
        want = want.set_index(["location", "month"])[ours]
        rows = units[(units["target"] == target) & (units["output_type"] == kind)]
        assert len(rows) == 53 * 12
        index = pd.MultiIndex.from_frame(rows[["place", "month"]].astype({"month": "M8[s]"}))
        atol = 1e-5 if kind == "pmf" else 1e-3
        factor = 4 if kind == "pmf" else 1
        np.testing.assert_allclose(rows[theirs], factor * want.loc[index], atol=atol)
    (joint,) = found.joint[["joint_over", "n_samples"]].to_numpy().tolist()
    assert joint == ["location, target, horizon", 60]


LAST = np.datetime64("2022-06")
DAY = dt.date(2022, 11, 16)


def unknown(day: dt.date) -> None:
    raise ArchiveError(f"no release of {day}")


@pytest.fixture(scope="module")
def truth(panel):
    return od.Truth(panel)


@pytest.fixture(scope="module")
def made(panel):
    return od.get_model("drift").fit(panel.cut(LAST)).forecast(12, draws=60).select(["US", "WV"])


@pytest.fixture(scope="module")
def rows(made):
    return od.to_hub(made, output_type="pmf")


def test_the_comparison_knows_nothing_that_came_after_the_origin(rows, panel, truth):
    cut, whole = pooled_frequencies(panel.cut(LAST)), pooled_frequencies(panel)
    assert np.abs(cut - whole).max() > 0.005  # else this test would see no leak
    table = score_trend(rows, truth, unknown)
    assert table["scorable"].all()
    came = [TREND.index(name) for name in table["category"]]
    want = ranked_probability_score(np.tile(cut, (len(came), 1)), came)
    np.testing.assert_array_equal(table["rps_pooled"], want)
    found, said = known_panel(unknown, truth, DAY, LAST)
    assert found.last_month == LAST
    assert said == "2025-09-17, cut after 2022-06"


def test_a_truth_is_cut_where_it_is_settled_and_where_it_ends(panel):
    """A younger last month would pass for a final one."""
    old = (od.Truth(panel.cut("2021-12"), min_age=0), LAST, np.datetime64("2021-12"))
    whole = (od.Truth(panel), panel.last_month, panel.settled_through)
    for truth, last, want in (whole, old):
        found, said = known_panel(unknown, truth, DAY, last)
        assert found.last_month == want
        assert found.as_of <= truth.panel.as_of
        assert said.endswith(f"cut after {want}")
    assert panel.settled_through < panel.last_month


def test_a_truth_that_begins_after_the_origin_says_nothing_of_it(rows, panel):
    keep = panel.months > LAST
    names = ("reported", "predicted", "complete", "pending", "low", "high")
    fields = {name: getattr(panel, name)[:, keep] for name in names}
    late = replace(panel, months=panel.months[keep], **fields)
    found, said = known_panel(unknown, od.Truth(late), DAY, LAST)
    assert found is None
    assert said.endswith("which begins later")
    table = score_trend(rows, od.Truth(late), unknown)
    assert not table["scorable"].any()
    assert table["reason"].ne("").all()
    assert table[["rps", "rps_pooled"]].isna().all(axis=None)


def test_what_has_no_rps_is_not_scorable_and_says_why(rows, truth):
    want = score_trend(rows, truth, unknown)
    assert want["scorable"].all()
    assert want["rps"].notna().all()
    for factor in (0.5, 1.0005, 3.0):  # chances are divided by their sum
        have = score_trend(rows.assign(value=rows["value"] * factor), truth, unknown)
        np.testing.assert_allclose(have["rps"], want["rps"], rtol=0, atol=1e-12)
    one = (rows["location"] == "54") & (rows["horizon"] == 1)
    for changed, reason in (
        (rows[~(one & (rows["output_type_id"] == "stable"))], "it lacks category 'stable'"),
        (rows.assign(value=rows["value"].where(~one, 0.0)), "its chances add up to 0"),
    ):
        table = score_trend(changed, truth, unknown)
        (bad,) = table[~table["scorable"]].to_dict("records")
        assert bad["reason"] == reason
        assert (bad["location"], bad["horizon"], bad["category"]) == ("WV", 1, "")
        assert (table["scorable"] == table["rps"].notna()).all()


@pytest.mark.parametrize(("steps", "reason"), [
    (1, "published at the origin, so no forecast"), (-1, "more than 12 months ahead"),
])  # fmt: skip
def test_months_that_the_library_does_not_score(made, rows, panel, truth, steps, reason):
    """Horizon 0 and horizon 13: the panel ends a month later or earlier than the file says."""
    moved = rows.assign(horizon=rows["horizon"] - steps)
    table = score_trend(moved, truth, unknown)
    off = ~table["horizon"].between(1, 12)
    assert off.sum() == 2
    assert (table["scorable"] == ~off).all()
    assert set(table.loc[off, "reason"]) == {reason}
    assert table.loc[off, ["rps", "rps_pooled"]].isna().all(axis=None)
    shifted = replace(made, last_month=made.last_month + np.timedelta64(steps, "M"))
    rps, _ = trend_pair(shifted, truth, panel.cut(LAST))
    assert (np.isnan(rps).ravel() == off.to_numpy()).all()


@pytest.mark.parametrize(("levels", "reason"), [
    ({0.05: "low", 0.95: "high"}, "WIS needs levels symmetric about a median"),
    ({0.05: "low", 0.5: "median", 0.9: "high"}, "WIS needs levels symmetric about a median"),
    ({0.0: "low", 0.5: "median", 1.0: "high"}, "a level does not lie between 0 and 1"),
])  # fmt: skip
def test_levels_without_a_wis_say_so(levels, reason, truth):
    values = {"location": ["US"], "target": "deaths_12mo", "low": 9e4, "median": 1e5, "high": 1.1e5}
    last, month = (pd.Timestamp(f"2022-{m}-01") for m in ("06", "08"))
    table = pd.DataFrame(values | {"last_month": last, "month": month, "horizon": 2})
    (row,) = score_levels(table, levels, truth).to_dict("records")
    assert row["reason"].startswith(reason)
    assert not row["scorable"]
    assert all(np.isnan(row[name]) for name in ("wis", "log_wis", "ape"))
    # The upper end of an interval is no median.
    assert row["median"] == 1e5 if 0.5 in levels else np.isnan(row["median"])
