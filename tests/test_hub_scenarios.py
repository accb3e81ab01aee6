"""Hub files of scenarios: a name in every row, samples paired, and the hub's configuration."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_tables import made
from hypothesis import example, given
from hypothesis import strategies as st

from odforecast.errors import DataError, ForecastError
from odforecast.hub import (
    read_held,
    read_hub,
    scenario_tasks,
    scenarios_to_hub,
    to_hub,
    write_hub,
    write_tasks,
)
from odforecast.hub.files import SCENARIO_ID, is_scenario_name
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES

COLUMNS = ("origin_date", "scenario_id", *HUB_COLUMNS[1:])
STRANGE = ["null", "NA", "nan", "$x, y", '"q"', "é 中", "=1+1", "'", "a;b|c", "[red]", "1"]
NAMES = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=30).filter(
    is_scenario_name
)


def cuts(names=("null", "less"), **keywords):
    """A forecast under scenarios, each with a tenth fewer deaths than the one before."""
    base = made(**keywords)
    return {n: replace(base, draws=base.draws * 0.9**i) for i, n in enumerate(names)}


@pytest.mark.parametrize("joint", [{"location", "month"}, {"month"}, {"location"}, set()])
def test_a_sample_is_one_draw_under_every_scenario(joint):
    forecasts = cuts(("null", "less", "least"), joint=frozenset(joint))
    targets = None if "month" in joint else ["deaths_month"]
    table = scenarios_to_hub(forecasts, targets=targets, output_type="sample")
    keys = ["location", "target", "horizon", "output_type_id"]
    wide = table.set_index([*keys, "scenario_id"])["value"].unstack("scenario_id")
    assert not wide.isna().any().any()
    months = wide.xs("deaths_month", level="target")
    np.testing.assert_allclose(months["less"], 0.9 * months["null"], atol=1e-3)
    np.testing.assert_allclose(months["least"], 0.81 * months["null"], atol=1e-3)


@pytest.mark.slow
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    kind=st.sampled_from([".csv", ".csv.gz", ".parquet"]),
    output_type=st.sampled_from(["quantile", "sample"]),
)
@example(names=STRANGE, kind=".csv", output_type="quantile")
@example(names=STRANGE, kind=".parquet", output_type="quantile")
def test_any_name_comes_back_as_it_was(tmp_path, names, kind, output_type):
    forecasts = cuts(names, states=("US", "AL"), n_months=2, draws=5)
    table = scenarios_to_hub(forecasts, output_type=output_type)
    path = write_hub(table, tmp_path / f"file{kind}")
    pd.testing.assert_frame_equal(read_hub(path), table)


def test_the_column_may_stand_last_and_a_file_without_it_is_as_before(tmp_path):
    table = scenarios_to_hub(cuts())
    last = table[[*HUB_COLUMNS, "scenario_id"]]
    last.to_csv(tmp_path / "last.csv", index=False)
    pd.testing.assert_frame_equal(read_hub(tmp_path / "last.csv"), table)
    last.to_parquet(tmp_path / "last.parquet", index=False)
    pd.testing.assert_frame_equal(read_hub(tmp_path / "last.parquet"), table)
    path = write_hub(to_hub(made()), tmp_path / "plain.csv")
    assert tuple(read_hub(path).columns) == HUB_COLUMNS


@pytest.mark.parametrize(("cells", "message"), [
    (lambda n: ["null"] * (n - 1) + [None], "row 138, column scenario_id: nan names no scenario"),
    (lambda n: [1] * n, "row 1, column scenario_id: 1 is not text (138 such rows); write"),
    (lambda n: [["null"]] * n, "is not text"),
])  # fmt: skip
def test_parquet_that_holds_something_else(tmp_path, cells, message):
    table = to_hub(made(states=("US",)))
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow.append_column(SCENARIO_ID, [cells(len(table))]), tmp_path / "a.parquet")
    with pytest.raises(DataError) as caught:
        read_hub(tmp_path / "a.parquet")
    assert message in str(caught.value)


def test_forecasts_that_are_no_scenarios_of_one_another():
    base = made()
    for other, what in [
        (made(draws=41), "number of draws"),
        (made(states=("US", "AL")), "locations"),
        (made(n_months=4), "months"),
        (made(back=1), "last known month"),
        (made(joint=frozenset({"month"})), "joint axes"),
        (made(target="deaths_12mo"), "targets"),
        (replace(base, as_of=base.as_of.replace(day=18)), "origin"),
    ]:
        with pytest.raises(ForecastError, match=f"'a' and 'b' differ in {what}"):
            scenarios_to_hub({"a": base, "b": other}, output_type="sample")
    # Quantiles do not say how many draws they are of.
    assert len(scenarios_to_hub({"a": base, "b": made(draws=41)})) == 2 * len(to_hub(base))
    with pytest.raises(ForecastError, match="no scenarios"):
        scenarios_to_hub({})
    with pytest.raises(ForecastError, match=r"' ' is not a scenario name"):
        scenarios_to_hub({" ": base})


@pytest.mark.parametrize("target", ["deaths_month", "deaths_12mo"])
def test_the_configuration_is_one_by_the_hubs_schema(shared, tmp_path, target):
    schema = json.loads((shared / "hubverse/tasks-schema.json").read_text())
    judge = jsonschema.validators.validator_for(schema)(schema)
    tasks = scenario_tasks(STRANGE, made(target=target))
    assert [e.message for e in judge.iter_errors(tasks)] == []
    assert tasks["schema_version"] == schema["$id"]
    path = write_tasks(tasks, tmp_path / "hub-config" / "tasks.json")
    assert json.loads(path.read_text(encoding="utf-8")) == tasks
    tasks["rounds"][0]["model_tasks"][0]["task_ids"]["scenario_id"]["required"] = "null"
    assert not judge.is_valid(tasks)


def test_the_configuration_says_what_the_files_hold():
    forecasts = cuts()
    (round_,) = scenario_tasks(forecasts, forecasts["null"], samples=40)["rounds"]
    (task,) = round_["model_tasks"]
    table = scenarios_to_hub(forecasts)
    assert list(task["task_ids"]) == list(COLUMNS[:2]) + list(COLUMNS[2:6])
    for column, allowed in task["task_ids"].items():
        cells = table[column]
        if "date" in column:
            cells = cells.dt.strftime("%Y-%m-%d")
        assert cells.unique().tolist() == (allowed["required"] or allowed["optional"])
    levels = task["output_type"]["quantile"]["output_type_id"]["required"]
    assert tuple(levels) == HUB_QUANTILES
    assert round_["derived_task_ids"] == ["target_end_date"]
    assert [m["target_id"] for m in task["target_metadata"]] == ["deaths_12mo", "deaths_month"]


@pytest.mark.parametrize(
    ("joint", "own"),
    [({"location", "month"}, []), ({"month"}, ["location"]), ({"location"}, ["horizon"]),
     (set(), ["location", "horizon"])],
)  # fmt: skip
def test_samples_are_coupled_as_the_configuration_says(joint, own):
    forecasts = cuts(joint=frozenset(joint))
    (task,) = scenario_tasks(forecasts, forecasts["null"])["rounds"][0]["model_tasks"]
    named = task["output_type"]["sample"]["output_type_id_params"]["compound_taskid_set"]
    assert named == ["origin_date", *own]
    # A sample has one value of every variable of the set, and all values of the others.
    targets = ["deaths_12mo", "deaths_month"] if "month" in joint else ["deaths_month"]
    table = scenarios_to_hub(forecasts, targets=targets, output_type="sample")
    samples = table.groupby("output_type_id")
    for column in ("scenario_id", "target", "location", "horizon"):
        sizes = samples[column].nunique()
        whole = table[column].nunique()
        assert (sizes == (1 if column in named else whole)).all()


def test_a_configuration_that_cannot_be():
    with pytest.raises(ForecastError, match="scenario 'a' is there twice"):
        scenario_tasks(["a", "a"], made())
    with pytest.raises(ForecastError, match=r"'a\\n' is not a scenario name"):
        scenario_tasks(["a\n"], made())
    with pytest.raises(ForecastError, match="no scenarios"):
        scenario_tasks([], made())
    with pytest.raises(ForecastError, match="samples is 0; 1 or more"):
        scenario_tasks(["a"], made(), samples=0)
    with pytest.raises(ForecastError, match="no target 'deaths_month'; the forecast has: deaths_1"):
        scenario_tasks(["a"], made(target="deaths_12mo"), targets=["deaths_month"])


def held(tmp_path, *lines: str, scenarios=("null", "less, $")):
    path = tmp_path / "held.csv"
    path.write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")
    return read_held(path, scenarios)


HEAD = "scenario_id,first_month,last_month"


def test_months_that_held(tmp_path):
    table = held(tmp_path, HEAD + ",note", "null,2024-01,2024-03,", '"less, $",2024-05,2024-05,é',
                 "null,2024-06,2024-07,again")  # fmt: skip
    assert table["scenario_id"].tolist() == ["null", "less, $", "null"]
    assert table["first_month"].dt.strftime("%Y-%m").tolist() == ["2024-01", "2024-05", "2024-06"]
    assert table["last_month"].dt.strftime("%Y-%m").tolist() == ["2024-03", "2024-05", "2024-07"]
    assert table["note"].tolist() == ["", "é", "again"]
    assert held(tmp_path, HEAD, "x,2024-01,2024-01", scenarios=None)["note"].tolist() == [""]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "held.csv: the file is empty; give a CSV file with columns scenario_id, fi"),
        (["scenario_id,note", "a,b"], "held.csv: no column first_month, last_month; it has"),
        ([HEAD + ",why", "a,b,c,d"], "held.csv: unknown column 'why'; delete what was added"),
        ([HEAD, "x,2024-01,2024-02"], "row 2: scenario_id 'x' is not a scenario of the forecasts"),
        ([HEAD, ",2024-01,2024-02"], "row 2: scenario_id '' is not a scenario name"),
        ([HEAD, "null,2024-13,2024-02"], "row 2: first_month '2024-13' is not a month"),
        ([HEAD, "null,2024-01,"], "row 2: last_month '' is not a month; write it as 2024-03"),
        ([HEAD, "null,2024-01-01,2024-02"], "first_month '2024-01-01' is not a month"),
        ([HEAD, "null,2024-02,2024-01"], "last_month '2024-01' lies before first_month"),
        ([HEAD, "null,2024-01,2024-03", "null,2024-03,2024-04"],
         "row 3: first_month '2024-03' begins months that row 2 has too (2024-03)"),
        ([HEAD, "null,2024-01"], "row 2: 2 cells where the header has 3"),
    ],
)  # fmt: skip
def test_months_that_cannot_be_read(tmp_path, lines, message):
    with pytest.raises(DataError) as caught:
        held(tmp_path, *lines)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
