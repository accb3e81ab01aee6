"""Which rows of two models are forecasts of one thing, and what one odd file does to the others."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import run
from small_hub import MODELS, small_hub

from odforecast.errors import DataError, ScoringError
from odforecast.hub import score

BASE, NEW = MODELS
DAY = "2024-01-06"


@pytest.fixture
def hub(tmp_path) -> Path:
    return small_hub(tmp_path / "hub")


def file_of(hub: Path, model: str) -> Path:
    return hub / "model-output" / model / f"{DAY}-{model}.csv"


def change(path: Path, made) -> None:
    made(pd.read_csv(path, dtype=str)).to_csv(path, index=False)


def renamed(table: pd.DataFrame, names: dict[str, str], column="output_type_id") -> pd.DataFrame:
    return table.assign(**{column: table[column].replace(names)})


def related(hub: Path) -> pd.Series:
    table = score(hub).summary(baseline=BASE)
    return table.set_index("model_id").loc[NEW]


def test_as_many_levels_are_not_the_same_levels(hub):
    change(file_of(hub, NEW), lambda t: renamed(t, {"0.25": "0.1", "0.75": "0.9"}))
    found = score(hub)
    assert found.units["scorable"].all()
    assert found.common().units.empty
    assert related(hub)["n_common"] == 0
    assert np.isnan(related(hub)["relative"])
    result = run("hub", "score", hub, "--common", columns=None)
    assert result.exit_code == 0, result.output
    assert "no unit is forecast by every model" in result.stderr


def test_a_target_of_one_model_is_common_to_all_that_forecast_it(hub):
    tasks = hub / "hub-config/tasks.json"
    config = json.loads(tasks.read_text())
    blocks = config["rounds"][0]["model_tasks"]
    blocks += json.loads(json.dumps(blocks).replace('"deaths"', '"visits"'))
    tasks.write_text(json.dumps(config))
    for path in (file_of(hub, NEW), hub / "target-data/time-series.csv"):
        change(path, lambda t: pd.concat([t, renamed(t, {"deaths": "visits"}, "target")]))
    found = score(hub)
    assert found.units["scorable"].tolist() == [True] * 12
    n = found.common().units.groupby(["target", "model_id"]).size().to_dict()
    assert n == {("deaths", BASE): 4, ("deaths", NEW): 4, ("visits", NEW): 4}


def test_levels_written_otherwise_are_the_same_levels(hub):
    names = {"0.05": "0.050", "0.5": ".5", "0.95": "0.95000000000000001"}
    change(file_of(hub, NEW), lambda t: renamed(t, names).iloc[::-1])
    assert related(hub)["n_common"] == 4
    assert len(score(hub).common().units) == 8


def test_paths_over_other_months_are_not_common(hub):
    config = hub / "hub-config" / "tasks.json"
    said = json.loads(config.read_text())
    block = said["rounds"][0]["model_tasks"][0]
    block["task_ids"]["horizon"] = {"required": None, "optional": [1, 2, 3]}
    joint = {"compound_taskid_set": ["location", "target"]}
    block["output_type"] = {"sample": {"output_type_id_params": joint}}
    config.write_text(json.dumps(said))
    for model, months in ((BASE, (1, 2)), (NEW, (2, 3))):
        rows = [(DAY, "39", h, "deaths", "sample", f"s{i}", 100 + 3 * i + h)
                for h in months for i in range(4)]  # fmt: skip
        change(file_of(hub, model), lambda t, rows=rows: pd.DataFrame(rows, columns=t.columns))
    came = pd.DataFrame({"location": "39", "horizon": [1, 2, 3], "target": "deaths",
                         "as_of": "2024-06-01", "observation": [104, 107, 109]})  # fmt: skip
    came.to_csv(hub / "target-data" / "time-series.csv", index=False)
    found = score(hub)
    assert found.joint["scorable"].all()
    assert found.joint["n_known"].tolist() == [2, 2]
    assert found.joint["units"].nunique() == 2
    assert found.common().joint.empty


def test_a_column_that_one_file_has_costs_the_other_nothing(hub):
    change(file_of(hub, NEW), lambda t: t.assign(age=np.where(t["location"] == "39", "all", "")))
    found = score(hub)
    assert found.units["scorable"].all()
    table = found.summary(["age"], baseline=BASE)
    # What says nothing of an age is of one thing; what is of all ages is of another.
    rows = table[["model_id", "age", "n_units", "n_common"]].sort_values(["model_id", "age"])
    assert rows.to_numpy().tolist()[1:] == [[NEW, "", 2, 2], [NEW, "all", 2, 0]]
    assert rows.to_numpy().tolist()[0][:3] == [BASE, "", 4]
    assert len(found.common().units) == 4


def test_a_file_without_a_key_does_not_stop_the_hub(hub):
    path = file_of(hub, NEW)
    change(path, lambda t: t.drop(columns="horizon"))
    found = score(hub)
    assert set(found.units["model_id"]) == {BASE}
    assert found.task_ids == ("origin_date", "location", "horizon", "target")
    (failure,) = found.failures.to_dict("records")
    assert failure["file"] == f"model-output/{NEW}/{path.name}"
    assert "is by horizon, and the submission has no such column" in failure["reason"]
    with pytest.raises(ScoringError, match="is by horizon"):
        score(hub, [path])
    other = file_of(hub, BASE)
    kept = other.read_text()
    change(other, lambda t: t.drop(columns="horizon"))
    with pytest.raises(ScoringError, match="is by horizon"):
        score(hub)
    other.write_text(kept)
    result = run("hub", "score", hub, columns=None)
    assert result.exit_code == 0, result.output
    assert "not read" in result.stderr
    # None can be read.
    for model in MODELS:
        file_of(hub, model).write_text("hello\n")
    assert len(score(hub).failures) == 2
    result = run("hub", "score", hub, columns=None)
    assert result.exit_code == 1
    assert "no unit can be scored" in result.stderr
    assert result.stderr.count("not read") == 2


def oracle(hub: Path) -> Path:
    """The same values as oracle output, without a day on which they were known."""
    table = pd.read_csv(hub / "target-data" / "time-series.csv", dtype=str)
    table = table[table["as_of"] == "2024-06-01"].drop(columns="as_of")
    path = hub / "target-data" / "oracle-output.csv"
    table.rename(columns={"observation": "oracle_value"}).to_csv(path, index=False)
    return path


def test_a_day_is_looked_up_where_versions_are_kept(hub):
    oracle(hub)
    assert set(score(hub).units["truth"]) == {"oracle-output"}
    assert set(score(hub, target_data="time-series").units["observed"]) == {106, 111}
    then = score(hub, as_of="2024-03-15").units
    rows = set(then[["truth", "truth_as_of", "observed"]].itertuples(index=False, name=None))
    assert rows == {("time-series", "2024-03-01", count) for count in (105, 110)}
    with pytest.raises(DataError, match=r"oracle-output.csv: no column as_of"):
        score(hub, as_of="2024-03-15", target_data="oracle-output")
    # Those of hub init say when the answers were known: later than the day.
    change(hub / "target-data" / "oracle-output.csv", lambda t: t.assign(as_of="2024-06-01"))
    pd.testing.assert_frame_equal(score(hub, as_of="2024-03-15").units, then)
    with pytest.raises(DataError, match="nothing was known on 2024-01-31; a later day, from 2024-"):
        score(hub, as_of="2024-01-31")
    oracle(hub)
    change(hub / "target-data" / "time-series.csv",
           lambda t: t[t["as_of"] == "2024-06-01"].drop(columns="as_of"))  # fmt: skip
    with pytest.raises(DataError, match=r"oracle-output.csv: no column as_of"):
        score(hub, as_of="2024-03-15")


def test_no_ratio_where_nothing_can_be_scored(hub):
    change(hub / "target-data" / "time-series.csv", lambda t: t.assign(target="visits"))
    table = score(hub).summary(baseline=BASE)
    assert table["n_scorable"].tolist() == table["n_common"].tolist() == [0, 0]
    assert table["relative"].isna().all()


@pytest.mark.parametrize("also", [False, True])
def test_no_ratio_to_a_baseline_that_was_never_wrong(hub, also):
    came = pd.read_csv(hub / "target-data" / "time-series.csv", dtype=str)
    came = came[came["as_of"] == "2024-06-01"]
    right = {(r["location"], r["horizon"]): r["observation"] for r in came.to_dict("records")}

    def sure(table):
        return table.assign(value=[right[k] for k in zip(table["location"], table["horizon"])])

    for model in MODELS if also else MODELS[:1]:
        change(file_of(hub, model), sure)
    table = score(hub).summary(["horizon"], baseline=BASE)
    assert table.loc[table["model_id"] == BASE, "wis"].tolist() == [0, 0]
    assert table["relative"].isna().all()
    assert table["n_common"].tolist() == [2] * 4


def test_a_model_with_an_infinite_mean_is_infinitely_worse(hub):
    found = score(hub)
    mine = (found.units["model_id"] == NEW).to_numpy()
    found.units.loc[np.flatnonzero(mine)[0], "wis"] = np.inf
    table = found.summary(baseline=BASE).set_index("model_id")
    assert table.loc[NEW, "relative"] == np.inf
    turned = found.summary(baseline=NEW)
    assert turned["relative"].isna().all()
    assert (turned["n_common"] == 4).all()
