"""One table: what is changed in the small hub, which checks fail then, and with which words."""

from __future__ import annotations

import os
from collections.abc import Callable
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
    cells,
    config,
    drop,
    get,
    move,
    oracle,
    put,
    rows,
    series,
    small_hub,
    submission,
    typed,
    write_metadata,
)
from pyarrow import feather

from odforecast.hub.checks import check

TASKS = "hub-config/tasks.json"
PARQUET = SUBMISSION.replace(".csv", ".parquet")
PARTS = "target-data/time-series"

type Edit = Callable[[Path], object]


def write(name: str, data: bytes | str) -> Edit:
    return lambda hub: (hub / name).write_bytes(data.encode() if isinstance(data, str) else data)


def remove(name: str) -> Edit:
    return lambda hub: (hub / name).unlink()


def both(*edits: Edit) -> Edit:
    return lambda hub: [edit(hub) for edit in edits]


def parquet(edit: Callable[[pd.DataFrame], pd.DataFrame], damage: Any = bytes) -> Edit:
    """The submission as Parquet, edited; then its bytes damaged."""

    def run(hub: Path) -> None:
        edit(typed(get(hub, SUBMISSION))).to_parquet(hub / PARQUET, index=False)
        (hub / SUBMISSION).unlink()
        (hub / PARQUET).write_bytes(damage((hub / PARQUET).read_bytes()))

    return run


def arrow(hub: Path) -> None:
    """The submission as Arrow, a format that the hub takes."""
    config(lambda c: c.update(file_format=["arrow"]), "admin")(hub)
    feather.write_feather(typed(get(hub, SUBMISSION)), hub / SUBMISSION.replace(".csv", ".arrow"))
    (hub / SUBMISSION).unlink()


def task(edit: Callable[[dict[str, Any]], object], k: int = 0) -> Edit:
    """An edit of one model task."""
    return config(lambda c: edit(c["rounds"][0]["model_tasks"][k]))


def samples(**params: Any) -> Edit:
    """Parameters of the samples of both model tasks that have some."""

    def edit(c: dict[str, Any]) -> None:
        for one in c["rounds"][0]["model_tasks"][:2]:
            one["output_type"]["sample"]["output_type_id_params"].update(params)

    return config(edit)


def fixed(hub: Path) -> None:
    """A round whose id is in no column."""
    due = {"start": "2024-01-01", "end": "2024-01-31"}
    named = {"round_id_from_variable": False, "round_id": "round_1", "submissions_due": due}
    config(lambda c: c["rounds"][0].update(named))(hub)
    move(SUBMISSION, "model-output/team-model/round_1-team-model.csv")(hub)


def versioned(hub: Path, days: tuple[str, ...] = ("2024-02-01", "2024-03-01")) -> None:
    """Target data in parts, a folder for each day they were known."""
    config(lambda c: c.update(versioned=True), "target-data")(hub)
    for day in days:
        table = series()
        table["observation"] = table["observation"].astype(float)
        table["target_end_date"] = pd.to_datetime(table["target_end_date"]).dt.date
        (hub / PARTS / f"as_of={day}").mkdir(parents=True)
        table.to_parquet(hub / PARTS / f"as_of={day}" / "part-0.parquet", index=False)
    (hub / SERIES).unlink()
    put(hub, ORACLE, oracle().assign(as_of="2024-03-01"))


def versions(tables: list[pd.DataFrame], name: str) -> Edit:
    """Versions in one file."""
    many = [t.assign(as_of=f"2024-03-0{k}") for k, t in enumerate(tables, 1)]
    return lambda hub: put(hub, name, pd.concat(many))


NO_TARGET_CONFIG = remove("hub-config/target-data.json")
VERSIONED = config(lambda c: c.update(versioned=True), "target-data")


def three_parts(hub: Path) -> None:
    last = series()[9:].assign(observation="7")
    for name, part in (("a", series()[:5]), ("b", series()[5:10]), ("c", last)):
        put(hub, f"{PARTS}/{name}.csv", part)
    (hub / SERIES).unlink()


def no_target_date(hub: Path) -> None:
    """A derived task id that one model task does not have."""
    task(lambda t: t["task_ids"].pop("target_end_date"), 2)(hub)
    cells("target_end_date", "", target="direction")(hub)


def other_folder(hub: Path) -> None:
    config(lambda c: c.update(model_output_dir="forecasts"), "admin")(hub)
    (hub / "model-output").rename(hub / "forecasts")


def folder(name: str) -> Edit:
    return both(remove(name), lambda hub: (hub / name).mkdir())


def pipe(hub: Path) -> None:
    (hub / SUBMISSION).unlink()
    os.mkfifo(hub / SUBMISSION)


def linked(name: str) -> Edit:
    """A file that is a link out of the hub."""

    def run(hub: Path) -> None:
        (hub / name).rename(hub.parent / "elsewhere")
        (hub / name).symlink_to(hub.parent / "elsewhere")

    return run


def link(name: str, target: str) -> Edit:
    return lambda hub: (hub / name).symlink_to(target)


def one_place_over_two(table: pd.DataFrame) -> pd.DataFrame:
    """Samples that are joint over places: coarser than the configuration asks for."""
    mine = (table["output_type"] == "sample") & (table["location"] == "01")
    ids = (table.loc[mine, "output_type_id"].astype(int) - 10).astype(str)
    return table.assign(output_type_id=table["output_type_id"].where(~mine, ids))


def cdf_to_100(hub: Path) -> None:
    """100 comes after 20 though '100' sorts before: rows are ordered by the hub's list."""
    ids = {"required": [10, 20, 100]}
    task(lambda t: t["output_type"]["cdf"].update(output_type_id=ids), 1)(hub)
    cells("output_type_id", "100", output_type="cdf", output_type_id="30")(hub)
    rows(lambda t: t.iloc[::-1])(hub)


def optional(text: str) -> Edit:
    """What validations.yml asks for."""
    return write("hub-config/validations.yml", f"default: {{validate_model_data: {{x: {text}}}}}")


POPULATION = "fn: opt_check_tbl_counts_lt_popn"
HORIZON = "fn: opt_check_tbl_horizon_timediff, args: {t0_colname: origin_date"
LINES = "a,b\n1,2\n"
VALUE_AND_PEOPLE = "value_col_valid opt_check_tbl_counts_lt_popn"

#: What is changed: how, the checks that fail, words of the first one's places (or, of a check that
#: passes or is not run, "NAME: words of its reason").
TABLE: dict[str, tuple[Edit, str, str]] = {
    # A submission's rows
    "order of rows is free": (rows(lambda t: t.sample(frac=1, random_state=1)), "", ""),
    "a required output type left out": (drop(output_type="quantile"), "req_vals",
                                        "5 more such places"),
    "a row twice": (rows(lambda t: pd.concat([t.iloc[[3]], t])), "rows_unique",
                    "row 6: repeats the values of row 2: origin_date"),
    "no model task has both": (cells("target", "visits", output_type="mean"), "valid_vals",
                               "row 2: each value is legal, but not their combination"),
    "a number written otherwise": (
        cells("output_type_id", "0.50", output_type_id="0.5"), "valid_vals",
        "row 4, column output_type_id, value '0.50': the hub writes it '0.5'"),
    "many places that are none": (
        rows(lambda t: t.assign(location=[f"P{i}" for i in range(len(t))])), "valid_vals",
        "103 more such places"),
    "a long cell": (rows(lambda t: t.assign(location="\x1b[2J" + "x" * 100_000)), "valid_vals",
                    "100,004 characters"),
    "a sample's id as text": (cells("output_type_id", "s3", output_type_id="3"), "valid_vals",
                              "sample IDs are whole numbers"),
    "a sample's id too long": (samples(type="character", max_length=2), "valid_vals",
                               "at most 2 characters"),
    "a value that is nan": (cells("value", "nan", output_type="mean"), VALUE_AND_PEOPLE,
                            "is not a finite number"),
    "a value that is infinite": (cells("value", "inf", output_type="mean"), VALUE_AND_PEOPLE, ""),
    "a word as value": (cells("value", "x", output_type="mean"), "file_read", "is not a number"),
    "a value above the maximum": (cells("value", "1.01", output_type_id="30"), "value_col_valid",
                                  "is more than 1 (cdf)"),
    "a fraction where the hub counts": (cells("value", "1.25", output_type="sample"),
                                        "value_col_valid", "must be whole (sample)"),
    "order of ids is the hub's": (both(cdf_to_100, remove(ORACLE)), "", "value_col_non_desc: "),
    "samples joint over more": (rows(one_place_over_two), "", ""),
    "fewer samples than asked": (samples(min_samples_per_task=5, max_samples_per_task=5), "spl_n",
                                 "4 samples, and 5 are asked for"),
    "samples within the limits": (samples(min_samples_per_task=1, max_samples_per_task=9), "", ""),
    "not as many samples everywhere": (
        both(samples(min_samples_per_task=1), drop(output_type="sample", output_type_id="10")),
        "spl_n", "deaths, location 01"),
    "a draw of one place over two": (
        cells("output_type_id", "0", output_type="sample", output_type_id="10"),
        "spl_compound_taskid_set",
        "within this sample origin_date, target have one value, within most origin_date, target, "),
    "a derived task id that a task lacks": (no_target_date, "target_tbl_values", ""),
    # A submission's file
    "an empty file": (write(SUBMISSION, ""), "file_read", "an empty file"),
    "a NUL byte": (write(SUBMISSION, "a,b\n\0,1\n"), "file_read", "a NUL byte"),
    "a row short of cells below empty lines": (
        write(SUBMISSION, "a,b\r\n\r\n1,2\r\n\r\n1\r\n"), "file_read",
        "row 5: 1 cells, and the header has 2"),
    "a wrong cell below an empty line": (
        write(SUBMISSION, f"{','.join(COLUMNS)}\n\n2024-01-10,deaths,x,US,2024-01-17,mean,NA,5\n"),
        "file_read", "row 3, column horizon, value 'x'"),
    "a text of two lines": (write(SUBMISSION, 'a,b\n"1\n2",3\n'), "valid_round_id_col",
                            "the column of round IDs is missing"),
    "a stray quote": (write(SUBMISSION, 'a,b\n"1"2,3\n'), "file_read", "row 2: "),
    "Arrow": (arrow, "", "file_read: "),
    "Parquet": (parquet(lambda t: t), "", ""),
    "Parquet without rows": (parquet(lambda t: t[:0]), "unique_round_id", "holds 0 round IDs"),
    "Parquet with a factor": (
        parquet(lambda t: t.assign(location=t["location"].astype("category"))), "col_types",
        "column location: is of type factor; character is needed"),
    "Parquet with empty texts, which are not NA": (
        parquet(lambda t: t.assign(output_type_id=t["output_type_id"].fillna(""))), "valid_vals",
        "column output_type_id, value 'NA': is not a value of this hub's output_type_id"),
    "Parquet without one output type ID": (
        parquet(lambda t: t[t["output_type"] == "mean"]), "col_types req_vals",
        "column output_type_id: is of type null; character is needed"),
    "Parquet with lists": (parquet(lambda t: t.assign(location=[["US"]] * len(t))),
                           "col_types valid_vals", "is of type list<"),
    "Parquet, a third of it": (parquet(lambda t: t, lambda d: d[: len(d) // 3]), "file_read",
                               "arquet"),
    "Parquet, its middle wrong": (
        parquet(lambda t: t, lambda d: d[:8] + b"\xff" * 192 + d[200:]), "file_read", ""),
    "a thousand columns": (
        rows(lambda t: t.join(pd.DataFrame({f"c{i}": ["x"] * len(t) for i in range(1000)}))),
        "colnames", "1,000 unknown columns: c0, c1, c2 and 997 more"),
    "a folder named like a file": (folder(SUBMISSION), "file_exists", "a folder, not a file"),
    "a link out of the hub": (linked(SUBMISSION), "file_exists", "a link out of the hub"),
    "a folder out of the hub": (link("model-output/more", "/usr"), "file_exists",
                                "a link out of the hub"),
    "a link to nowhere": (link("model-output/lost.csv", "nowhere"), "file_exists",
                          "a link to nowhere"),
    "a pipe": (pipe, "file_exists", "not a regular file"),
    "formats of the round": (config(lambda c: c["rounds"][0].update(file_format=["parquet"])),
                             "file_format", "the hub accepts parquet"),
    "another folder of submissions": (other_folder, "", "file_location: "),
    "a second submission": (
        both(lambda hub: write_metadata(hub, "team-other"),
             lambda hub: put(hub, "model-output/team-other/2024-02-14-team-other.csv",
                             submission("2024-02-14").drop(columns="value"))),
        "submission_time colnames", "req_vals: not run in 1 more"),
    # Rounds and windows (a day in the window is asked for)
    "a round in no column": (fixed, "", "unique_round_id: round IDs are in no column"),
    "a window from many days": (
        config(lambda c: c["rounds"][0]["submissions_due"].update(relative_to="target_end_date")),
        "submission_time", "column target_end_date holds 3 days, and one is needed"),
    "a window from no column": (
        config(lambda c: c["rounds"][0]["submissions_due"].update(relative_to="x")),
        "submission_time", "no window: no column x"),
    "no time zone": (config(lambda c: c.update(timezone="Mars/Base"), "admin"),
                     "submission_time", "Mars/Base is not a time zone"),
    # Metadata
    "a YAML alias": (write(METADATA, "a: &a [x]\nb: [*a, *a]\n"), "metadata_matches_schema",
                     "line 2: an alias (*a)"),
    "YAML nested deep": (write(METADATA, "[" * 5000), "metadata_matches_schema",
                         "line 1: nested more than 60 deep"),
    "large YAML": (write(METADATA, "x: " + "y" * 2**21), "metadata_matches_schema",
                   "larger than 1 MB"),
    "a YAML object": (write(METADATA, "a: !!python/name:os.system x"), "metadata_matches_schema",
                      "line 1: tag 'tag:yaml.org,2002:python/name:os.system' is not allowed"),
    "a YAML name twice": (write(METADATA, "a: 1\na: 2\n"), "metadata_matches_schema",
                          "line 2: key 'a' is given twice"),
    "a YAML name that is a list": (write(METADATA, "{[1, 2]: 3}"), "metadata_matches_schema",
                                   "line 1: a name must be text"),
    "a YAML day that is none": (write(METADATA, "a: 2024-13-45"), "metadata_matches_schema",
                                "line 1: month must be in 1..12"),
    "empty YAML": (write(METADATA, ""), "metadata_matches_schema", "must hold names with values"),
    "a schema in the network": (
        write("hub-config/model-metadata-schema.json",
              '{"properties": {"model_id": {}}, "$ref": "http://192.0.2.1/x.json"}'),
        "metadata_matches_schema", "which is not at hand"),
    # Target data
    "versions in folders": (versioned, "", "target_partition_file_name: not run in 1 more"),
    "versions in one file": (
        both(VERSIONED, versions([series(), series()], SERIES), versions([oracle()], ORACLE)),
        "", ""),
    "an oracle of two versions": (
        both(VERSIONED, versions([series()], SERIES), versions([oracle(), oracle()], ORACLE)),
        "target_dataset_rows_unique target_tbl_rows_unique target_tbl_oracle_value",
        "repeats the values of row 2"),
    "a version that is not a day": (lambda hub: versioned(hub, ("february",)), "target_file_read",
                                    "value 'february': is not a day"),
    "a row in two parts": (
        three_parts, "target_dataset_rows_unique",
        f"row 2: {PARTS}/c.csv: repeats the values of row 6 of '{PARTS}/b.csv'"),
    "versions without target-data.json": (both(versioned, NO_TARGET_CONFIG), "target_tbl_values",
                                          ""),
    "no target-data.json": (both(NO_TARGET_CONFIG, drop(SERIES, target_end_date="2023-12-27")), "",
                            ""),
    "no target-data.json, no value": (
        both(NO_TARGET_CONFIG, remove(SERIES), rows(lambda t: t.drop(columns="oracle_value"),
                                                    ORACLE)),
        "target_tbl_colnames", "column oracle_value: this column is missing"),
    "no target-data.json, a column too much": (
        both(NO_TARGET_CONFIG, remove(ORACLE), rows(lambda t: t.assign(value="1"), SERIES)),
        "target_tbl_colnames", "not allowed here: value"),
    "an oracle's quantile level": (
        cells("output_type_id", "0.5", ORACLE, output_type="quantile"), "target_tbl_values",
        "value '0.5': is not a value of this hub's output_type_id"),
    "an oracle without output type": (cells("output_type", "", ORACLE, output_type="mean"),
                                      "target_tbl_values", "not a value of this hub's output_type"),
    "an oracle's cdf that falls": (
        both(cells("oracle_value", "1", ORACLE, output_type_id="10"),
             cells("oracle_value", "0", ORACLE, output_type_id="20")),
        "target_tbl_oracle_value", "is below that of the ID before"),
    "an oracle's value between": (cells("oracle_value", "0.5", ORACLE, output_type_id="20"),
                                  "target_tbl_oracle_value", "must be 0 or 1"),
    # The configuration
    "no tasks.json": (remove(TASKS), "valid_config", "at tasks.json: no such file"),
    "tasks.json a link": (linked(TASKS), "valid_config", "a link out of the hub"),
    "empty rounds": (write(TASKS, '{"rounds": []}'), "valid_config", "should be non-empty"),
    "a round that is none": (write(TASKS, '{"rounds": [1]}'), "valid_config",
                             "rounds[0]: 1 is not of type 'object'"),
    "ids of schema 3": (
        task(lambda t: t["output_type"]["mean"].update(
            output_type_id={"required": None, "optional": ["NA"]})),
        "valid_config", "'optional' was unexpected"),
    "submissions outside": (config(lambda c: c.update(model_output_dir="../x"), "admin"),
                            "valid_config", "at admin.json: model_output_dir"),
    "versions of two schemas": (
        config(lambda c: c.update(schema_version="https://x/v5.0.0/admin-schema.json"), "admin"),
        "valid_config", "different schema versions: admin.json v5.0.0, tasks.json v6.0.0"),
    "a reserved name": (
        task(lambda t: t["task_ids"].update(value={"required": None, "optional": ["x"]})),
        "valid_config", "the name is a column of every hub file"),
    "a target key of no task id": (
        task(lambda t: t["target_metadata"][0].update(target_keys={"goal": "deaths"})),
        "valid_config", "target_keys.goal: is not a task ID of the model task"),
    "a target without key": (task(lambda t: t["task_ids"]["target"].update(optional=["births"])),
                             "valid_config", "no target_keys say target is this"),
    "target keys of two names": (
        task(lambda t: t["target_metadata"].append({"target_id": "x", "target_keys": {"a": "b"}})),
        "valid_config", "target_keys must have the same names"),
    "a value twice": (task(lambda t: t["task_ids"]["horizon"].update(optional=[1])),
                      "valid_config", "1 twice"),
    "samples at least 9, at most 4": (samples(min_samples_per_task=9), "valid_config",
                                      "min_samples_per_task 9 is more than"),
    "a compound id that is none": (samples(compound_taskid_set=["place"]), "valid_config",
                                   "compound_taskid_set, value 'place': is not a task ID"),
    "a round id with a plus": (
        task(lambda t: t["task_ids"]["origin_date"].update(optional=["2024-01-10", "a+b"])),
        "valid_config", "must be the round IDs of the first model task"),
    "round ids that differ": (
        task(lambda t: t["task_ids"]["origin_date"].update(optional=["2024-01-10"]), 1),
        "valid_config", "must be the round IDs of the first model task"),
    "a task without round id": (task(lambda t: t["task_ids"].pop("origin_date"), 1),
                                "valid_config", "lacks the round ID, origin_date"),
    "a round twice": (config(lambda c: c["rounds"].append(c["rounds"][0])), "valid_config",
                      "this round ID is in more than one round"),
    "a task id without values": (
        config(lambda c: [t["task_ids"].update(age={"required": None, "optional": None})
                          for t in c["rounds"][0]["model_tasks"]]),
        "valid_config", "has no value in any model task"),
    "a derived id that is none": (config(lambda c: c.update(derived_task_ids=["x"])),
                                  "valid_config", "value 'x': is not a task ID"),
    "a derived id with required values": (
        config(lambda c: c["rounds"][0].update(derived_task_ids=["horizon"])), "valid_config",
        "a derived task ID has no required values"),
    "dates that are none": (config(lambda c: c.update(date_col="horizon"), "target-data"),
                            "valid_config", "this task ID holds no days"),
    "a series' unit that is none": (
        config(lambda c: c["time-series"].update(observable_unit=["place"]), "target-data"),
        "valid_config", "time-series.observable_unit, value 'place'"),
    "an extra column that is a task id": (
        config(lambda c: c["time-series"]["non_task_id_schema"].update(location="character"),
               "target-data"), "valid_config", "is a task ID, date_col"),
    "an extra column that is reserved": (
        config(lambda c: c["time-series"]["non_task_id_schema"].update(as_of="Date"),
               "target-data"), "valid_config", "a reserved column"),
    "a metadata schema that is none": (
        write("hub-config/model-metadata-schema.json", '{"type": 3}'), "valid_config",
        "is not a JSON schema"),
    "a metadata schema without model": (
        write("hub-config/model-metadata-schema.json", '{"type": "object"}'), "valid_config",
        "must have model_id, or team_abbr and model_abbr"),
    # Optional checks: arguments are read and never run
    "code in a target": (optional(f"{{{POPULATION}, args: {{targets: !expr system(1)}}}}"), "",
                         "opt_check_tbl_counts_lt_popn: targets system(1) are not"),
    "code in a period": (
        optional(f"{{{HORIZON}, t1_colname: target_end_date, timediff: !expr f(1)}}}}"), "",
        "opt_check_tbl_horizon_timediff: timediff f(1) is not weeks(n)"),
    "two weeks a horizon": (
        optional(f"{{{HORIZON}, t1_colname: target_end_date, timediff: !expr weeks(2)}}}}"),
        "opt_check_tbl_horizon_timediff", "must be 14 days x horizon after origin_date"),
    "a date column that is none": (optional(f"{{{HORIZON}, t1_colname: x}}}}"), "",
                                   "opt_check_tbl_horizon_timediff: no column x"),
    "a column not named": (optional(f"{{{HORIZON}}}}}"), "",
                           "opt_check_tbl_horizon_timediff: t1_colname must be given as text"),
    "no population": (remove("auxiliary-data/locations.csv"), "",
                      "opt_check_tbl_counts_lt_popn: auxiliary-data/locations.csv: no such file"),
    "a place without population": (
        write("auxiliary-data/locations.csv", "location,population\nUS,5e8\n"), "",
        "opt_check_tbl_counts_lt_popn: auxiliary-data/locations.csv has no population of 01"),
    "broken validations.yml": (write("hub-config/validations.yml", "a: [1"), "",
                               "opt_check_tbl_counts_lt_popn: validations.yml: line"),
    "a check left to the workflow": (
        optional("{fn: opt_check_metadata_team_max_model_n, args: {n_max: 0}}"), "",
        "opt_check_metadata_team_max_model_n: optional; hubValidations in the hub's GitHub"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", TABLE)
def test_table(what: str, tmp_path: Path) -> None:
    edit, failed, words = TABLE[what]
    hub = small_hub(tmp_path / "hub")
    edit(hub)
    found = check(hub, submission_time="2024-01-10")
    names = failed.split()
    assert list(found.failed) == names, str(found)
    name, _, reason = words.partition(": ")
    if name in {x.name for x in found} | set(found.reasons):
        assert reason in found.reason(name)
        return
    broken = [x for x in found.of(names[0]) if x.status == "failed"] if names else []
    lines = [line for x in broken for line in x.lines()]
    assert any(words in line for line in lines) or not words, lines
    if names[:1] == ["valid_vals"]:
        (one,) = broken
        assert len({x.row for x in one.findings}) == len(one.findings)
    assert all("\n" not in line and "Traceback" not in line and len(line) < 700 for line in lines)
    assert "\x1b" not in str(found)
