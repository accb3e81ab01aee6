"""Hubs of other layouts: older schemas, rounds without a column, partitions, no target config."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hub_breaker import (
    COLUMNS,
    METADATA,
    ORACLE,
    SERIES,
    SUBMISSION,
    ask,
    get,
    oracle,
    put,
    series,
    small_hub,
    submission,
    tasks,
    write_json,
    write_metadata,
)

from odforecast.hub.checks import check


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return small_hub(tmp_path / "hub")


def put_tasks(hub: Path, config: dict[str, Any], version: str = "6.0.0") -> None:
    for name in ("tasks", "admin", "target-data"):
        path = hub / "hub-config" / f"{name}.json"
        found = config if name == "tasks" else json.loads(path.read_text(encoding="utf-8"))
        found["schema_version"] = f"https://x/main/v{version}/{name}-schema.json"
        write_json(path, found)


def as_v3(config: dict[str, Any]) -> dict[str, Any]:
    """The small hub as schema 3 has it: ids required or optional, derived ids unknown."""
    del config["derived_task_ids"]
    for task in config["rounds"][0]["model_tasks"]:
        # Without derived task ids, every target end date would ask for every required horizon.
        task["task_ids"]["horizon"] = {"required": None, "optional": [1, 2, 3]}
        for name, output in task["output_type"].items():
            required = output.pop("is_required")
            if name == "sample":
                output["output_type_id_params"]["is_required"] = required
                continue
            ids = output["output_type_id"]["required"] or ["NA"]
            output["output_type_id"] = {
                "required": ids if required else None,
                "optional": None if required else ids,
            }
    return config


def test_schema_3(hub: Path) -> None:
    put_tasks(hub, as_v3(tasks()), "3.0.1")
    found = check(hub)
    assert found.failed == ()
    assert "spl_n" in found.passed
    assert found.reason("derived_task_id_vals") == "the round has no derived task ids"
    # What is optional there need not be complete; what is required, must be.
    table = get(hub, SUBMISSION)
    put(hub, SUBMISSION, table[table["output_type_id"] != "down"])
    assert check(hub).failed == ("value_col_sum1",)
    put(hub, SUBMISSION, table[table["output_type_id"] != "0.5"])
    assert check(hub).failed == ("req_vals",)


def test_from_schema_4_an_output_type_is_given_whole_or_not_at_all(hub: Path) -> None:
    table = get(hub, SUBMISSION)
    table.loc[table["output_type_id"] == "up", "value"] = "0.75"
    put(hub, SUBMISSION, table[table["output_type_id"] != "down"])
    found = check(hub)
    assert found.failed == ("req_vals",)
    (outcome,) = found.of("req_vals")
    assert outcome.count == 6
    assert "missing of model task 3: " in outcome.findings[0].message
    put(hub, SUBMISSION, table[table["output_type"] != "pmf"])
    assert check(hub).failed == ()
    # But a required one is required: 3 levels of 2 required horizons of the required place.
    put(hub, SUBMISSION, get(hub, SUBMISSION).query("output_type != 'quantile'"))
    found = check(hub)
    assert found.failed == ("req_vals",)
    assert found.of("req_vals")[0].count == 6


def test_before_schema_3_samples_have_no_draws_of_their_own(hub: Path) -> None:
    config = as_v3(tasks())
    for task in config["rounds"][0]["model_tasks"]:
        if "sample" in task["output_type"]:
            ids = {"required": None, "optional": ["0", "1", "2", "3"]}
            value = {"type": "integer", "minimum": 0}
            task["output_type"]["sample"] = {"output_type_id": ids, "value": value}
    put_tasks(hub, config, "2.0.1")
    table = get(hub, SUBMISSION)
    mine = table["output_type"] == "sample"
    table.loc[mine, "output_type_id"] = table.loc[mine, "output_type_id"].str[-1]
    put(hub, SUBMISSION, table)
    found = check(hub)
    assert found.failed == ()
    assert found.reason("spl_n") == "the hub's schema is older than v3.0.0"


def test_rounds_whose_id_is_no_column(hub: Path) -> None:
    config = tasks()
    config["rounds"][0] |= {"round_id_from_variable": False, "round_id": "round_1"}
    config["rounds"][0]["submissions_due"] = {"start": "2024-01-01", "end": "2024-01-31"}
    write_json(hub / "hub-config" / "tasks.json", config)
    (hub / SUBMISSION).unlink()
    put(hub, "model-output/team-model/round_1-team-model.csv", submission())
    found = check(hub, submission_time="2024-01-31T23:00")
    assert found.failed == ()
    assert found.status("unique_round_id") == "not run"
    assert "submission_time" in found.passed
    assert check(hub, submission_time="2024-02-01T05:30").failed == ("submission_time",)


def test_the_window_is_that_of_the_hubs_own_days(hub: Path) -> None:
    """2024-01-10, 3 days before to 2 days after, both whole, in US/Eastern."""
    eastern = dt.timezone(dt.timedelta(hours=-5))
    for moment, inside in (
        (dt.datetime(2024, 1, 7, 0, 0, tzinfo=eastern), True),
        (dt.datetime(2024, 1, 6, 23, 59, tzinfo=eastern), False),
        (dt.datetime(2024, 1, 12, 23, 59, tzinfo=eastern), True),
        (dt.datetime(2024, 1, 13, 4, 59, tzinfo=dt.UTC), True),
        (dt.datetime(2024, 1, 13, 5, 0, tzinfo=dt.UTC), False),
    ):
        assert check(hub, submission_time=moment).ok is inside, moment
        assert check(hub, submission_time=True, clock=lambda m=moment: m).ok is inside


def test_a_round_may_have_formats_of_its_own(hub: Path) -> None:
    config = tasks()
    config["rounds"][0]["file_format"] = ["parquet"]
    write_json(hub / "hub-config" / "tasks.json", config)
    assert check(hub).failed == ("file_format",)


def test_submissions_may_lie_in_another_folder(hub: Path) -> None:
    path = hub / "hub-config" / "admin.json"
    admin = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, admin | {"model_output_dir": "forecasts"})
    (hub / "model-output").rename(hub / "forecasts")
    found = check(hub)
    assert found.failed == ()
    assert "file_location" in found.passed


def versioned(hub: Path, config: bool = True) -> None:
    """Target data in parts, a folder per day they were known."""
    path = hub / "hub-config" / "target-data.json"
    if config:
        write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"versioned": True})
    else:
        path.unlink()
    for day in ("2024-02-01", "2024-03-01"):
        table = series()
        table["observation"] = table["observation"].astype(float)
        table["target_end_date"] = pd.to_datetime(table["target_end_date"]).dt.date
        folder = hub / "target-data" / "time-series" / f"as_of={day}"
        folder.mkdir(parents=True)
        table.to_parquet(folder / "part-0.parquet", index=False)
    (hub / SERIES).unlink()
    put(hub, ORACLE, oracle().assign(as_of="2024-03-01"))


def test_versions_in_partitions(hub: Path) -> None:
    versioned(hub)
    found = check(hub)
    assert found.failed == ()
    assert "target_partition_file_name" in found.passed
    assert len(found.of("target_file_read")) == 3
    one = check(hub / "target-data" / "time-series")
    assert one.failed == ()
    assert {x.file for x in one.of("target_tbl_values")} == {
        f"target-data/time-series/as_of={day}/part-0.parquet"
        for day in ("2024-02-01", "2024-03-01")
    }


def test_versions_in_one_file(hub: Path) -> None:
    versioned(hub)
    (hub / "target-data" / "time-series").rename(hub / "old")
    both = pd.concat([series().assign(as_of=day) for day in ("2024-02-01", "2024-03-01")])
    put(hub, SERIES, both)
    assert check(hub).failed == ()
    # An oracle has one version: what came.
    put(hub, ORACLE, pd.concat([oracle().assign(as_of=f"2024-03-0{k}") for k in (1, 2)]))
    failed = check(hub).failed
    assert failed[:2] == ("target_dataset_rows_unique", "target_tbl_rows_unique")


def test_rows_that_stand_in_two_parts_are_named(hub: Path) -> None:
    table = series()
    for name, part in (("a", table[:5]), ("b", table[5:10]), ("c", table[9:])):
        put(hub, f"target-data/time-series/{name}.csv", part)
    (hub / SERIES).unlink()
    found = check(hub)
    assert found.failed == ("target_dataset_rows_unique",)
    line = next(x for x in found.of("target_dataset_rows_unique") if x.findings).lines()[0]
    assert "row 2: target-data/time-series/c.csv: repeats the values of row 6 of " in line
    assert "'target-data/time-series/b.csv'" in line


def test_a_derived_task_id_that_a_model_task_does_not_have(hub: Path) -> None:
    config = tasks()
    del config["rounds"][0]["model_tasks"][2]["task_ids"]["target_end_date"]
    write_json(hub / "hub-config" / "tasks.json", config)
    table = get(hub, SUBMISSION)
    table.loc[table["target"] == "direction", "target_end_date"] = ""
    put(hub, SUBMISSION, table)
    assert check(hub / SUBMISSION).failed == ()


def test_a_window_that_hangs_on_a_column_of_several_days(hub: Path) -> None:
    config = tasks()
    config["rounds"][0]["submissions_due"]["relative_to"] = "target_end_date"
    write_json(hub / "hub-config" / "tasks.json", config)
    found = check(hub, submission_time="2024-01-10")
    assert found.failed == ("submission_time",)
    line = found.of("submission_time")[0].lines()[0]
    assert "column target_end_date holds 3 days, and one is needed" in line


def test_the_day_in_the_folders_name_is_a_day(hub: Path) -> None:
    versioned(hub)
    folder = hub / "target-data" / "time-series"
    (folder / "as_of=2024-02-01").rename(folder / "as_of=february")
    assert check(hub).failed == ("target_file_read",)


def test_without_a_configuration_of_target_data(hub: Path) -> None:
    versioned(hub, config=False)
    # No configuration says which column holds the days that may go beyond.
    assert check(hub).failed == ("target_tbl_values",)
    (hub / "target-data" / "time-series").rename(hub / "old")
    assert check(hub).failed == ()
    put(hub, ORACLE, oracle().drop(columns="oracle_value"))
    assert check(hub).failed == ("target_tbl_colnames",)


def test_days_of_a_series_only_as_far_as_the_rounds_go(hub: Path) -> None:
    found = check(hub, extra_dates=False)
    assert found.failed == ("target_tbl_values",)
    assert found.of("target_tbl_values")[0].findings[0].value == "2023-12-27"


def test_an_oracle_has_no_ids_but_of_distributions(hub: Path) -> None:
    table = oracle()
    table.loc[table["output_type"] == "quantile", "output_type_id"] = "0.5"
    put(hub, ORACLE, table)
    assert check(hub).failed == ("target_tbl_values",)


def test_an_oracle_of_a_cdf_does_not_fall(hub: Path) -> None:
    table = oracle()
    table.loc[table["output_type_id"] == "10", "oracle_value"] = "1"
    table.loc[table["output_type_id"] == "20", "oracle_value"] = "0"
    put(hub, ORACLE, table)
    found = check(hub)
    assert found.failed == ("target_tbl_oracle_value",)
    # The dataset is of two files: only the oracle's was broken.
    broken = [x for x in found.of("target_tbl_oracle_value") if x.status == "failed"]
    assert [(x.file, x.count) for x in broken] == [(ORACLE, 3)]


@pytest.mark.parametrize(("path", "passed"), [
    (SUBMISSION, {"file_n", "spl_n", "value_col_sum1"}),
    ("model-output/team-model", {"file_n", "spl_n"}),
    (METADATA, {"metadata_file_name"}),
    (SERIES, {"target_tbl_values"}),
    (ORACLE, {"target_tbl_oracle_value"}),
    ("target-data/oracle-output", {"target_dataset_rows_unique", "target_tbl_oracle_value"}),
    ("target-data", {"target_dataset_rows_unique", "target_tbl_ts_targets"}),
])  # fmt: skip
def test_one_file_of_a_hub(hub: Path, path: str, passed: set[str]) -> None:
    found = check(hub / path)
    assert found.failed == ()
    assert passed <= set(found.passed)
    others = {"target-data": "file_name", "model-": "target_file_read"}
    name = next(n for start, n in others.items() if path.startswith(start))
    assert "is " in found.reason(name)


def test_arguments_of_optional_checks_are_read_and_never_run(hub: Path) -> None:
    more = """    col_timediff:
      fn: opt_check_tbl_col_timediff
      args: {t0_colname: target_end_date, t1_colname: target_end_date, timediff: !expr 'DAYS'}
"""
    ask(hub, more.replace("DAYS", "lubridate::days(0)"))
    assert "opt_check_tbl_col_timediff" in check(hub).passed
    ask(hub, more.replace("DAYS", "system(1)"))
    found = check(hub)
    assert found.reason("opt_check_tbl_col_timediff").startswith("timediff system(1) is no")
    (hub / "auxiliary-data" / "locations.csv").unlink()
    found = check(hub)
    assert found.failed == ()
    why = found.reason("opt_check_tbl_counts_lt_popn")
    assert why == "auxiliary-data/locations.csv: no such file"


def test_several_submissions_are_told_apart(hub: Path) -> None:
    bad = submission("2024-02-14").drop(columns="value")
    put(hub, "model-output/team-other/2024-02-14-team-other.csv", bad)
    write_metadata(hub, "team-other")
    found = check(hub)
    assert found.failed == ("colnames",)
    assert found.reason("colnames") == "1 broken place"
    assert found.reason("req_vals") == "not run in 1 more"
    assert found.reason("file_name") == "2 files"
    table = found.table().set_index("check")
    assert (len(table), table.loc["colnames", "status"]) == (52, "failed")


def test_a_hub_of_another_version_than_the_schemas(hub: Path, shared: Path) -> None:
    put_tasks(hub, tasks(), "5.0.0")
    found = check(hub, schemas=shared / "hubverse")
    assert found.reason("valid_config") == (
        "the schemas are of v6.0.0, and admin.json is written for v5.0.0"
    )
    config = tasks() | {"schema_version": "https://x/v4.0.0/tasks-schema.json"}
    write_json(hub / "hub-config" / "tasks.json", config)
    assert check(hub).failed == ("valid_config",)


def test_a_schema_finds_what_structure_does_not(hub: Path, shared: Path) -> None:
    config = tasks()
    config["rounds"][0]["model_tasks"][0]["target_metadata"][0]["time_unit"] = "fortnight"
    write_json(hub / "hub-config" / "tasks.json", config)
    assert check(hub).ok
    found = check(hub, schemas=shared / "hubverse")
    assert found.failed == ("valid_config",)
    line = found.of("valid_config")[0].lines()[0]
    assert "tasks.json: rounds[0].model_tasks[0].target_metadata[0].time_unit" in line


def _task(config: dict[str, Any], k: int = 0) -> dict[str, Any]:
    return config["rounds"][0]["model_tasks"][k]


def _params(config: dict[str, Any]) -> dict[str, Any]:
    return _task(config)["output_type"]["sample"]["output_type_id_params"]


@pytest.mark.parametrize(("edit", "words"), [
    (lambda c: _task(c)["task_ids"].update(value={"required": None, "optional": ["x"]}),
     "is a column of every hub file"),
    (lambda c: _task(c)["target_metadata"][0].update(target_keys={"goal": "deaths"}),
     "no task id of the model task has this name"),
    (lambda c: _task(c)["target_metadata"][0].update(target_id="births"),
     "target_id must be the value of its target key"),
    (lambda c: _task(c)["task_ids"]["target"].update(optional=["births"]),
     "no target_keys say target is this"),
    (lambda c: _task(c)["target_metadata"].append({"target_id": "x", "target_keys": {"a": "b"}}),
     "target_keys must have the same names"),
    (lambda c: _task(c)["task_ids"]["horizon"].update(optional=[1]), "1 twice"),
    (lambda c: _task(c)["output_type"]["quantile"]["output_type_id"]["required"].append(0.5),
     "0.5 twice"),
    (lambda c: _params(c).update(min_samples_per_task=9), "min_samples_per_task 9 is more than"),
    (lambda c: _params(c).update(compound_taskid_set=["place"]), "no task id of the model task"),
    (lambda c: _task(c)["task_ids"]["origin_date"].update(optional=["2024-01-10", "a+b"]),
     "a round id is a day"),
    (lambda c: _task(c, 1)["task_ids"]["origin_date"].update(optional=["2024-01-10"]),
     "round ids must be those of the first model task"),
    (lambda c: c["rounds"].append(c["rounds"][0]), "stands in more than one round"),
    (lambda c: [t["task_ids"].update(age={"required": None, "optional": None})
                for t in c["rounds"][0]["model_tasks"]], "has no value in any model task"),
    (lambda c: c.update(derived_task_ids=["target_date"]), "no task id has this name"),
    (lambda c: c["rounds"][0].update(derived_task_ids=["horizon"]),
     "a derived task id has no required values"),
])  # fmt: skip
def test_rules_between_the_parts_of_a_configuration(hub: Path, edit: Any, words: str) -> None:
    config = tasks()
    edit(config)
    write_json(hub / "hub-config" / "tasks.json", config)
    found = check(hub)
    assert found.failed == ("valid_config",)
    assert any(words in line for line in found.of("valid_config")[0].lines()), str(found)


@pytest.mark.parametrize(("edit", "words"), [
    ({"date_col": "horizon"}, "this task id holds no days"),
    ({"observable_unit": ["place"]}, "is no task id, nor date_col"),
    ({"time-series": {"observable_unit": ["place"]}}, "is no task id, nor date_col"),
    ({"time-series": {"non_task_id_schema": {"location": "character"}}}, "is a task id, date_col"),
    ({"time-series": {"non_task_id_schema": {"as_of": "Date"}}}, "is a task id, date_col"),
    ({"time-series": {"non_task_id_schema": {"x": "float"}}}, "must be one of character"),
])  # fmt: skip
def test_rules_of_target_data(hub: Path, edit: dict[str, Any], words: str) -> None:
    path = hub / "hub-config" / "target-data.json"
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | edit)
    found = check(hub)
    assert found.failed == ("valid_config",)
    assert words in found.of("valid_config")[0].lines()[0]


def test_columns_of_the_small_hub_are_those_of_its_files(hub: Path) -> None:
    assert list(get(hub, SUBMISSION)) == COLUMNS
