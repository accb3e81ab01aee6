"""One table: what is changed in the small hub, which checks fail then, and with which words."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hub_breaker as hb
import pandas as pd
import pytest
from hub_breaker import COLUMNS, METADATA, ORACLE, SERIES, SUBMISSION, cells, config, drop, rows
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
        edit(hb.typed(hb.get(hub, SUBMISSION))).to_parquet(hub / PARQUET, index=False)
        (hub / SUBMISSION).unlink()
        (hub / PARQUET).write_bytes(damage((hub / PARQUET).read_bytes()))

    return run


def arrow(hub: Path) -> None:
    config(lambda c: c.update(file_format=["arrow"]), "admin")(hub)
    table = hb.typed(hb.get(hub, SUBMISSION))
    feather.write_feather(table, hub / SUBMISSION.replace(".csv", ".arrow"))
    (hub / SUBMISSION).unlink()


def task(edit: Callable[[dict[str, Any]], object], k: int = 0) -> Edit:
    return config(lambda c: edit(c["rounds"][0]["model_tasks"][k]))


def samples(**params: Any) -> Edit:
    def edit(c: dict[str, Any]) -> None:
        for one in c["rounds"][0]["model_tasks"][:2]:
            one["output_type"]["sample"]["output_type_id_params"].update(params)

    return config(edit)


def extra_column(**types: str) -> Edit:
    return config(lambda c: c["time-series"]["non_task_id_schema"].update(types), "target-data")


def fixed(hub: Path) -> None:
    due = {"start": "2024-01-01", "end": "2024-01-31"}
    named = {"round_id_from_variable": False, "round_id": "round_1", "submissions_due": due}
    config(lambda c: c["rounds"][0].update(named))(hub)
    hb.move(SUBMISSION, "model-output/team-model/round_1-team-model.csv")(hub)


def versioned(hub: Path, days: tuple[str, ...] = ("2024-02-01", "2024-03-01")) -> None:
    config(lambda c: c.update(versioned=True), "target-data")(hub)
    for day in days:
        table = hb.series()
        table["observation"] = table["observation"].astype(float)
        table["target_end_date"] = pd.to_datetime(table["target_end_date"]).dt.date
        (hub / PARTS / f"as_of={day}").mkdir(parents=True)
        table.to_parquet(hub / PARTS / f"as_of={day}" / "part-0.parquet", index=False)
    (hub / SERIES).unlink()
    hb.put(hub, ORACLE, hb.oracle().assign(as_of="2024-03-01"))


def versions(tables: list[pd.DataFrame], name: str) -> Edit:
    many = [t.assign(as_of=f"2024-03-0{k}") for k, t in enumerate(tables, 1)]
    return lambda hub: hb.put(hub, name, pd.concat(many))


NO_TARGET_CONFIG = remove("hub-config/target-data.json")
VERSIONED = config(lambda c: c.update(versioned=True), "target-data")


def three_parts(hub: Path) -> None:
    whole = hb.series()
    last = whole[9:].assign(observation="7")
    for name, part in (("a", whole[:5]), ("b", whole[5:10]), ("c", last)):
        hb.put(hub, f"{PARTS}/{name}.csv", part)
    (hub / SERIES).unlink()


def linked(name: str) -> Edit:
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
    return write("hub-config/validations.yml", f"default: {{validate_model_data: {{x: {text}}}}}")


POPULATION = "fn: opt_check_tbl_counts_lt_popn"
HORIZON = "fn: opt_check_tbl_horizon_timediff, args: {t0_colname: origin_date"

VALUE_AND_PEOPLE = "value_col_valid opt_check_tbl_counts_lt_popn"
#: Checks that fail, and what is changed then; with words of the first one's places (or, of a check
#: that passes or is not run, "NAME: words of its reason").
TABLE: dict[str, list[tuple[Edit, str]]] = {
    "": [
        (rows(lambda t: t.sample(frac=1, random_state=1)), ""),  # order of rows is free
        (both(cdf_to_100, remove(ORACLE)), "value_col_non_desc: "),
        (rows(one_place_over_two), ""),  # samples joint over more
        (samples(min_samples_per_task=1, max_samples_per_task=9), ""),  # samples within the limits
        (arrow, "file_read: "),
        (parquet(lambda t: t), ""),  # Parquet
        (both(config(lambda c: c.update(model_output_dir="forecasts"), "admin"),
              lambda hub: (hub / "model-output").rename(hub / "forecasts")), "file_location: "),
        (fixed, "unique_round_id: round IDs are in no column"),
        (versioned, "target_partition_file_name: not run in 1 more"),
        # versions in one file
        (both(VERSIONED, versions([hb.series()] * 2, SERIES), versions([hb.oracle()], ORACLE)), ""),
        # no target-data.json
        (both(NO_TARGET_CONFIG, drop(SERIES, target_end_date="2023-12-27")), ""),
        (optional(f"{{{POPULATION}, args: {{targets: !expr system(1)}}}}"),
         "opt_check_tbl_counts_lt_popn: targets system(1) are not"),
        (optional(f"{{{HORIZON}, t1_colname: target_end_date, timediff: !expr f(1)}}}}"),
         "opt_check_tbl_horizon_timediff: timediff f(1) is not weeks(n)"),
        (optional(f"{{{HORIZON}, t1_colname: x}}}}"),
         "opt_check_tbl_horizon_timediff: no column x"),
        (optional(f"{{{HORIZON}}}}}"),
         "opt_check_tbl_horizon_timediff: t1_colname must be given as text"),
        (remove("auxiliary-data/locations.csv"),
         "opt_check_tbl_counts_lt_popn: auxiliary-data/locations.csv: no such file"),
        (write("auxiliary-data/locations.csv", "location,population\nUS,5e8\n"),
         "opt_check_tbl_counts_lt_popn: auxiliary-data/locations.csv has no population of 01"),
        (write("hub-config/validations.yml", "a: [1"),
         "opt_check_tbl_counts_lt_popn: validations.yml: line"),
        (optional("{fn: opt_check_metadata_team_max_model_n, args: {n_max: 0}}"),
         "opt_check_metadata_team_max_model_n: optional; hubValidations in the hub's GitHub"),
    ],
    "valid_vals": [
        (cells("target", "visits", output_type="mean"),
         "row 2: each value is legal, but not their combination"),
        (cells("output_type_id", "0.50", output_type_id="0.5"),
         "row 4, column output_type_id, value '0.50': the hub writes it '0.5'"),
        (rows(lambda t: t.assign(location=[f"P{i}" for i in range(len(t))])),
         "103 more such places"),
        (rows(lambda t: t.assign(location="\x1b[2J" + "x" * 100_000)), "100,004 characters"),
        (cells("output_type_id", "s3", output_type_id="3"), "sample IDs are whole numbers"),
        (samples(type="character", max_length=2), "at most 2 characters"),
        (parquet(lambda t: t.assign(output_type_id=t["output_type_id"].fillna(""))),
         "column output_type_id, value 'NA': is not a value of this hub's output_type_id"),
    ],
    "file_read": [
        (cells("value", "x", output_type="mean"), "is not a number"),
        (write(SUBMISSION, ""), "an empty file"),
        (write(SUBMISSION, "a,b\n\0,1\n"), "a NUL byte"),
        (write(SUBMISSION, "a,b\r\n\r\n1,2\r\n\r\n1\r\n"), "row 5: 1 cells, and the header has 2"),
        (write(SUBMISSION, f"{','.join(COLUMNS)}\n\n2024-01-10,deaths,x,US,2024-01-17,mean,NA,5\n"),
         "row 3, column horizon, value 'x'"),
        (write(SUBMISSION, 'a,b\n"1"2,3\n'), "row 2: "),
        (parquet(lambda t: t, lambda d: d[: len(d) // 3]), "arquet"),
        # Parquet, its middle wrong
        (parquet(lambda t: t, lambda d: d[:8] + b"\xff" * 192 + d[200:]), ""),
    ],
    "target_tbl_values": [
        (both(task(lambda t: t["task_ids"].pop("target_end_date"), 2),
              cells("target_end_date", "", target="direction")), ""),
        (both(versioned, NO_TARGET_CONFIG), ""),  # versions without target-data.json
        (cells("output_type_id", "0.5", ORACLE, output_type="quantile"),
         "value '0.5': is not a value of this hub's output_type_id"),
        (cells("output_type", "", ORACLE, output_type="mean"),
         "not a value of this hub's output_type"),
    ],
    "file_exists": [
        (both(remove(SUBMISSION), lambda hub: (hub / SUBMISSION).mkdir()), "a folder, not"),
        (linked(SUBMISSION), "a link out of the hub"),
        (link("model-output/more", "/usr"), "a link out of the hub"),
        (link("model-output/lost.csv", "nowhere"), "a link to nowhere"),
        (both(remove(SUBMISSION), lambda hub: os.mkfifo(hub / SUBMISSION)), "not a regular file"),
    ],
    "submission_time": [
        (config(lambda c: c["rounds"][0]["submissions_due"].update(relative_to="target_end_date")),
         "column target_end_date holds 3 days, and one is needed"),
        (config(lambda c: c["rounds"][0]["submissions_due"].update(relative_to="x")),
         "no window: no column x"),
        (config(lambda c: c.update(timezone="Mars/Base"), "admin"), "Mars/Base is not a time zone"),
    ],
    "metadata_matches_schema": [
        (write(METADATA, "a: &a [x]\nb: [*a, *a]\n"), "line 2: an alias (*a)"),
        (write(METADATA, "x: " + "y" * 2**21), "larger than 1 MB"),
        (write(METADATA, "a: 1\na: 2\n"), "line 2: key 'a' is given twice"),
        (write(METADATA, "a: 2024-13-45"), "line 1: month must be in 1..12"),
        (write(METADATA, ""), "must hold names with values"),
        (write("hub-config/model-metadata-schema.json",
               '{"properties": {"model_id": {}}, "$ref": "http://192.0.2.1/x.json"}'),
         "which is not at hand"),
    ],
    "valid_config": [
        (remove(TASKS), "at tasks.json: no such file"),
        (linked(TASKS), "a link out of the hub"),
        (write(TASKS, '{"rounds": []}'), "should be non-empty"),
        (write(TASKS, '{"rounds": [1]}'), "rounds[0]: 1 is not of type 'object'"),
        (task(lambda t: t["output_type"]["mean"].update(
            output_type_id={"required": None, "optional": ["NA"]})), "'optional' was unexpected"),
        (config(lambda c: c.update(model_output_dir="../x"), "admin"),
         "at admin.json: model_output_dir"),
        (config(lambda c: c.update(schema_version="https://x/v5.0.0/admin-schema.json"), "admin"),
         "different schema versions: admin.json v5.0.0, tasks.json v6.0.0"),
        (task(lambda t: t["task_ids"].update(value={"required": None, "optional": ["x"]})),
         "the name is a column of every hub file"),
        (task(lambda t: t["target_metadata"][0].update(target_keys={"goal": "deaths"})),
         "target_keys.goal: is not a task ID of the model task"),
        (task(lambda t: t["task_ids"]["target"].update(optional=["births"])),
         "no target_keys say target is this"),
        (task(lambda t: t["target_metadata"].append({"target_id": "x", "target_keys": {"a": "b"}})),
         "target_keys must have the same names"),
        (task(lambda t: t["task_ids"]["horizon"].update(optional=[1])), "1 twice"),
        (samples(min_samples_per_task=9), "min_samples_per_task 9 is more than"),
        (samples(compound_taskid_set=["place"]),
         "compound_taskid_set, value 'place': is not a task ID"),
        (task(lambda t: t["task_ids"]["origin_date"].update(optional=["2024-01-10", "a+b"])),
         "must be the round IDs of the first model task"),
        (task(lambda t: t["task_ids"]["origin_date"].update(optional=["2024-01-10"]), 1),
         "must be the round IDs of the first model task"),
        (task(lambda t: t["task_ids"].pop("origin_date"), 1), "lacks the round ID, origin_date"),
        (config(lambda c: c["rounds"].append(c["rounds"][0])),
         "this round ID is in more than one round"),
        (config(lambda c: [t["task_ids"].update(age={"required": None, "optional": None})
                           for t in c["rounds"][0]["model_tasks"]]),
         "has no value in any model task"),
        (config(lambda c: c.update(derived_task_ids=["x"])), "value 'x': is not a task ID"),
        (config(lambda c: c["rounds"][0].update(derived_task_ids=["horizon"])),
         "a derived task ID has no required values"),
        (config(lambda c: c.update(date_col="horizon"), "target-data"),
         "this task ID holds no days"),
        (config(lambda c: c["time-series"].update(observable_unit=["place"]), "target-data"),
         "time-series.observable_unit, value 'place'"),
        (extra_column(location="character"), "is a task ID, date_col"),
        (extra_column(as_of="Date"), "a reserved column"),
        (write("hub-config/model-metadata-schema.json", '{"type": 3}'), "is not a JSON schema"),
        (write("hub-config/model-metadata-schema.json", '{"type": "object"}'),
         "must have model_id, or team_abbr and model_abbr"),
    ],
}  # fmt: skip
#: The same, of checks that few changes fail.
FEW: list[tuple[str, Edit, str]] = [
    ("req_vals", drop(output_type="quantile"), "5 more such places"),
    ("rows_unique", rows(lambda t: pd.concat([t.iloc[[3]], t])),
     "row 6: repeats the values of row 2: origin_date"),
    (VALUE_AND_PEOPLE, cells("value", "nan", output_type="mean"), "is not a finite number"),
    (VALUE_AND_PEOPLE, cells("value", "inf", output_type="mean"), ""),  # a value that is infinite
    ("value_col_valid", cells("value", "1.01", output_type_id="30"), "is more than 1 (cdf)"),
    ("value_col_valid", cells("value", "1.25", output_type="sample"), "must be whole (sample)"),
    ("spl_n",
     samples(min_samples_per_task=5, max_samples_per_task=5), "4 samples, and 5 are asked for"),
    ("spl_n",
     both(samples(min_samples_per_task=1), drop(output_type="sample", output_type_id="10")),
     "deaths, location 01"),
    ("spl_compound_taskid_set",
     cells("output_type_id", "0", output_type="sample", output_type_id="10"),
     "this sample origin_date, target have one value, within most origin_date, target, "),
    ("valid_round_id_col",
     write(SUBMISSION, 'a,b\n"1\n2",3\n'), "the column of round IDs is missing"),
    ("unique_round_id", parquet(lambda t: t[:0]), "holds 0 round IDs"),
    ("col_types", parquet(lambda t: t.assign(location=t["location"].astype("category"))),
     "column location: is of type factor; character is needed"),
    ("col_types req_vals", parquet(lambda t: t[t["output_type"] == "mean"]),
     "column output_type_id: is of type null; character is needed"),
    ("col_types valid_vals",
     parquet(lambda t: t.assign(location=[["US"]] * len(t))), "is of type list<"),
    ("colnames",
     rows(lambda t: t.join(pd.DataFrame({f"c{i}": ["x"] * len(t) for i in range(1000)}))),
     "1,000 unknown columns: c0, c1, c2 and 997 more"),
    ("file_format", config(lambda c: c["rounds"][0].update(file_format=["parquet"])),
     "the hub accepts parquet"),
    ("submission_time colnames",
     both(lambda hub: hb.write_metadata(hub, "team-other"),
          lambda hub: hb.put(hub, "model-output/team-other/2024-02-14-team-other.csv",
                          hb.submission("2024-02-14").drop(columns="value"))),
     "req_vals: not run in 1 more"),
    ("target_dataset_rows_unique target_tbl_rows_unique target_tbl_oracle_value",
     both(VERSIONED, versions([hb.series()], SERIES), versions([hb.oracle()] * 2, ORACLE)),
     "repeats the values of row 2"),
    ("target_file_read",
     lambda hub: versioned(hub, ("february",)), "value 'february': is not a day"),
    ("target_dataset_rows_unique",
     three_parts, f"row 2: {PARTS}/c.csv: repeats the values of row 6 of '{PARTS}/b.csv'"),
    ("target_tbl_colnames",
     both(NO_TARGET_CONFIG, remove(SERIES),
          rows(lambda t: t.drop(columns="oracle_value"), ORACLE)),
     "column oracle_value: this column is missing"),
    ("target_tbl_colnames",
     both(NO_TARGET_CONFIG, remove(ORACLE), rows(lambda t: t.assign(value="1"), SERIES)),
     "not allowed here: value"),
    ("target_tbl_oracle_value",
     both(cells("oracle_value", "1", ORACLE, output_type_id="10"),
          cells("oracle_value", "0", ORACLE, output_type_id="20")),
     "is below that of the ID before"),
    ("target_tbl_oracle_value",
     cells("oracle_value", "0.5", ORACLE, output_type_id="20"), "must be 0 or 1"),
    ("opt_check_tbl_horizon_timediff",
     optional(f"{{{HORIZON}, t1_colname: target_end_date, timediff: !expr weeks(2)}}}}"),
     "must be 14 days x horizon after origin_date"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failed", "edit", "words"),
    [*FEW, *((failed, *row) for failed, rows in TABLE.items() for row in rows)],
)
def test_table(failed, edit, words, tmp_path):
    hub = hb.small_hub(tmp_path / "hub")
    edit(hub)
    found = check(hub, submission_time="2024-01-10")
    names = failed.split()
    # An invalid row may be one that is required, and then is missing; where all places are wrong,
    # their rows are no longer unique, or no longer whole pmfs.
    also = {"req_vals", "rows_unique", "value_col_sum1"} if "valid_vals" in names else set()
    assert [name for name in found.failed if name not in also] == names, str(found)
    name, _, reason = words.partition(": ")
    if name in {x.name for x in found} | set(found.reasons):
        assert reason in found.reason(name)
        return
    broken = [x for x in found.outcomes_of(names[0]) if x.status == "failed"] if names else []
    lines = [line for x in broken for line in x.lines()]
    assert any(words in line for line in lines) or not words, lines
    if names[:1] == ["valid_vals"]:
        (one,) = broken
        assert len({x.row for x in one.findings}) == len(one.findings)
    assert all("\n" not in line and "Traceback" not in line and len(line) < 700 for line in lines)
    assert "\x1b" not in str(found)
