"""A small hub made in code, and per check of hubValidations a change that breaks it alone.

``python tests/factories/hub_breaker.py`` writes the table of docs/reference/hub-checks.md again.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

SUBMISSION = "model-output/team-model/2024-01-10-team-model.csv"
METADATA = "model-metadata/team-model.yml"
SERIES = "target-data/time-series.csv"
ORACLE = "target-data/oracle-output.csv"
_SCHEMA = "https://raw.githubusercontent.com/hubverse-org/schemas/main/v6.0.0/{}-schema.json"
_DAYS = ["2024-01-17", "2024-01-24", "2024-01-31", "2024-02-21", "2024-02-28", "2024-03-06"]
_TASK = ["origin_date", "target", "horizon", "location", "target_end_date"]
COLUMNS = [*_TASK, "output_type", "output_type_id", "value"]
#: The optional checks that the hub asks for.
VALIDATIONS = """default:
  validate_model_data:
    horizon_timediff:
      fn: "opt_check_tbl_horizon_timediff"
      pkg: "hubValidations"
      args: {t0_colname: "origin_date", t1_colname: "target_end_date"}
    counts_lt_popn:
      fn: "opt_check_tbl_counts_lt_popn"
      args:
        targets: !expr list(target = 'deaths')
"""


def _some(required: list[Any] | None, optional: list[Any] | None = None) -> dict[str, Any]:
    return {"required": required, "optional": optional}


def _task(target: str, outputs: dict[str, Any], kind: str, required: list[str]) -> dict[str, Any]:
    places = _some(required or None, [x for x in ("US", "01", "02") if x not in required])
    return {
        "task_ids": {
            "origin_date": _some(None, ["2024-01-10", "2024-02-14"]), "target": _some([target]),
            "horizon": _some([1, 2], [3]), "location": places,
            "target_end_date": _some(None, _DAYS),
        },
        "output_type": outputs,
        "target_metadata": [dict.fromkeys(("target_id", "target_name", "description"), target) | {
            "target_keys": {"target": target}, "target_type": kind, "target_units": "people",
            "is_step_ahead": True, "time_unit": "week",
        }],
    }  # fmt: skip


def _output(ids: list[Any] | None, value: dict[str, Any], required: bool = False) -> dict[str, Any]:
    return {"output_type_id": {"required": ids}, "is_required": required, "value": value}


def tasks() -> dict[str, Any]:
    count = {"type": "double", "minimum": 0}
    share = count | {"maximum": 1}
    samples = {
        "output_type_id_params": {
            "type": "integer", "min_samples_per_task": 4, "max_samples_per_task": 4,
            "compound_taskid_set": ["origin_date", "target", "location"],
        },
        "is_required": False, "value": {"type": "integer", "minimum": 0},
    }  # fmt: skip
    deaths = {"mean": _output(None, count), "quantile": _output([0.1, 0.5, 0.9], count, True),
              "sample": samples}  # fmt: skip
    visits = {"cdf": _output([10, 20, 30], share), "sample": samples}
    direction = {"pmf": _output(["down", "stable", "up"], share)}
    round_ = {
        "round_id_from_variable": True, "round_id": "origin_date",
        "model_tasks": [_task("deaths", deaths, "continuous", ["US"]),
                        _task("visits", visits, "continuous", []),
                        _task("direction", direction, "ordinal", [])],
        "submissions_due": {"relative_to": "origin_date", "start": -3, "end": 2},
    }  # fmt: skip
    return {"schema_version": _SCHEMA.format("tasks"), "rounds": [round_],
            "derived_task_ids": ["target_end_date"]}  # fmt: skip


def submission(origin: str = "2024-01-10") -> pd.DataFrame:
    rows: list[list[str]] = []

    def add(target: str, place: str, h: int, kind: str, name: str, value: float) -> None:
        end = (dt.date.fromisoformat(origin) + dt.timedelta(weeks=h)).isoformat()
        rows.append([origin, target, str(h), place, end, kind, name, f"{value:g}"])

    for place in ("US", "01"):
        for h in (1, 2, 3):
            add("deaths", place, h, "mean", "NA", 50 + h)
            for level, value in ((0.1, 40.5), (0.5, 50.5), (0.9, 60.5)):
                add("deaths", place, h, "quantile", f"{level:g}", value)
            for level, value in ((10, 0.25), (20, 0.5), (30, 1)):
                add("visits", place, h, "cdf", f"{level}", value)
            for name, value in (("down", 0.25), ("stable", 0.25), ("up", 0.5)):
                add("direction", place, h, "pmf", name, value)
            for s in range(4):
                add("deaths", place, h, "sample", str(s + 10 * (place == "01")), 45 + s)
                add("visits", place, h, "sample", str(100 + s + 10 * (place == "01")), 15 + s)
    return pd.DataFrame(rows, columns=COLUMNS)


def series() -> pd.DataFrame:
    places = {"US": "United States", "01": "Alabama"}
    rows = [
        [day, target, place, name, str(40 + i)]
        for i, day in enumerate(["2023-12-27", *_DAYS])
        for target in ("deaths", "visits")
        for place, name in places.items()
    ]
    columns = ["target_end_date", "target", "location", "location_name", "observation"]
    return pd.DataFrame(rows, columns=columns)


def oracle() -> pd.DataFrame:
    rows = []
    for day in _DAYS[:3]:
        deaths = [("deaths", kind, "NA", "50") for kind in ("mean", "quantile", "sample")]
        visits = [("visits", "cdf", *x) for x in (("10", "0"), ("20", "1"), ("30", "1"))]
        turns = [("direction", "pmf", *x) for x in (("down", "0"), ("stable", "0"), ("up", "1"))]
        rows += [[day, target, "US", *said] for target, *said in (*deaths, *visits, *turns)]
    columns = ["target_end_date", "target", "location", "output_type", "output_type_id"]
    return pd.DataFrame(rows, columns=[*columns, "oracle_value"])


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def small_hub(root: Path) -> Path:
    """Write the small hub; every check that can be run on it passes."""
    text = {"type": "string"}
    for name, found in {
        "tasks": tasks(),
        "admin": {
            "schema_version": _SCHEMA.format("admin"), "name": "A small hub",
            "maintainer": "Nobody", "contact": {"name": "Nobody", "email": "nobody@example.org"},
            "repository": {"host": "github", "owner": "nobody", "name": "small-hub"},
            "file_format": ["csv", "parquet"], "timezone": "US/Eastern",
        },
        "target-data": {
            "schema_version": _SCHEMA.format("target-data"),
            "observable_unit": ["target_end_date", "target", "location"],
            "date_col": "target_end_date", "versioned": False,
            "time-series": {"non_task_id_schema": {"location_name": "character"}},
            "oracle-output": {"has_output_type_ids": True},
        },
        "model-metadata-schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": dict.fromkeys(("team_abbr", "model_abbr", "license", "methods"), text),
            "additionalProperties": False, "required": ["team_abbr", "model_abbr", "license"],
        },
    }.items():  # fmt: skip
        write_json(root / "hub-config" / f"{name}.json", found)
    (root / "hub-config" / "validations.yml").write_text(VALIDATIONS, encoding="utf-8")
    write_metadata(root, "team-model")
    people = "location,population\nUS,332200066\n01,5063778\n02,733583\n"
    (root / "auxiliary-data").mkdir()
    (root / "auxiliary-data" / "locations.csv").write_text(people, encoding="utf-8")
    put(root, SUBMISSION, submission())
    put(root, SERIES, series())
    put(root, ORACLE, oracle())
    return root


def write_metadata(root: Path, name: str, file: str | None = None, more: str = "") -> Path:
    team, model = name.split("-")
    path = root / "model-metadata" / (file or f"{name}.yml")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = f"team_abbr: {team}\nmodel_abbr: {model}\nlicense: CC-BY-4.0\n{more}"
    path.write_text(lines, encoding="utf-8")
    return path


def put(root: Path, name: str, table: pd.DataFrame) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")
    return path


def get(root: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(root / name, dtype=str, keep_default_na=False)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The submission as a hub's types have it, for a Parquet file."""
    made = table.copy()
    for name in ("origin_date", "target_end_date"):
        made[name] = pd.to_datetime(made[name]).dt.date
    made["horizon"] = made["horizon"].astype("int32")
    made["value"] = made["value"].astype(float)
    made["output_type_id"] = made["output_type_id"].where(made["output_type_id"] != "NA", None)
    return made


@dataclass(frozen=True)
class Break:
    """One change: what it does, in words; how; what is checked then, and how."""

    what: str
    how: Callable[[Path], object] = lambda _: None
    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def rows(edit: Callable[[pd.DataFrame], pd.DataFrame | None], name: str = SUBMISSION) -> Callable:
    def run(root: Path) -> None:
        table = get(root, name)
        edited = edit(table)
        put(root, name, table if edited is None else edited)

    return run


def _at(table: pd.DataFrame, **values: str) -> pd.Series:
    return (table[list(values)] == pd.Series(values, dtype=object)).all(axis=1)


def cells(column: str, value: str, name: str = SUBMISSION, **where: str) -> Callable:
    def edit(table: pd.DataFrame) -> None:
        mask = _at(table, **where)
        assert mask.any(), where
        table.loc[mask, column] = value

    return rows(edit, name)


def drop(name: str = SUBMISSION, **where: str) -> Callable:
    return rows(lambda t: t[~_at(t, **where)], name)


def again(name: str = SUBMISSION, where: Mapping[str, str] | None = None, **new: str) -> Callable:
    return rows(lambda t: pd.concat([t, t[_at(t, **(where or {}))][:1].assign(**new)]), name)


def move(old: str, new: str) -> Callable:
    def run(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return run


def config(edit: Callable[[dict[str, Any]], None], name: str = "tasks") -> Callable:
    def run(root: Path) -> None:
        path = root / "hub-config" / f"{name}.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        edit(config)
        write_json(path, config)

    return run


def _in_turn(*steps: Callable) -> Callable:
    return lambda root: [step(root) for step in steps]


def _as_parquet(name: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable:
    def run(root: Path) -> None:
        edit(get(root, name)).to_parquet(root / name.replace(".csv", ".parquet"), index=False)
        (root / name).unlink()

    return run


_SERIES_PARQUET = _as_parquet(SERIES, lambda t: t.astype({"observation": float}))


def _split(first: slice, second: slice) -> Callable:
    def run(root: Path) -> None:
        table = get(root, SERIES)
        put(root, "target-data/time-series/a.csv", table[first])
        put(root, "target-data/time-series/b.csv", table[second])
        (root / SERIES).unlink()

    return run


def _typed_series(t: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(t["target_end_date"]).dt.date
    return t.astype({"observation": float}).assign(target_end_date=days)


def _own_ids(table: pd.DataFrame) -> None:
    mine = _at(table, output_type="sample", target="deaths")
    table.loc[mine, "output_type_id"] = [str(1000 + i) for i in range(mine.sum())]


_OTHER = "model-output/team-model/2024-01-10-team-none.csv"
_PART = "target-data/time-series/part=1/a.csv"
#: Per check, what breaks it and no other; those it stops are not run.
BREAKS: dict[str, Break] = {
    "valid_config": Break(
        "a target key that is no target",
        config(lambda c: c["rounds"][0]["model_tasks"][0]["target_metadata"][0].update(
            target_keys={"target": "births"})),
    ),
    "submission_time": Break("a day after the window", options={"submission_time": "2024-01-13"}),
    "file_exists": Break("a file that is not there", path=_OTHER),
    "file_name": Break("`+` in the model's name",
                       move(SUBMISSION, SUBMISSION.replace("-model.csv", "-mod+el.csv"))),
    "file_location": Break("another model's folder",
                           move(SUBMISSION, SUBMISSION.replace("team-model/", "team-mine/"))),
    "round_id_valid": Break("a round that the hub does not have",
                            move(SUBMISSION, SUBMISSION.replace("01-10", "01-11"))),
    "file_format": Break("`.txt`", move(SUBMISSION, SUBMISSION.replace(".csv", ".txt"))),
    "file_n": Break(
        "the same round as CSV and as Parquet",
        lambda root: typed(get(root, SUBMISSION)).to_parquet(
            root / SUBMISSION.replace(".csv", ".parquet"), index=False),
    ),
    "metadata_exists": Break("no metadata of the model", lambda root: (root / METADATA).unlink()),
    "file_read": Break("a horizon not a whole number", cells("horizon", "1.5", horizon="1")),
    "valid_round_id_col": Break("no column `origin_date`",
                                rows(lambda t: t.drop(columns="origin_date"))),
    "unique_round_id": Break("two origin dates", cells("origin_date", "2024-02-14", horizon="2")),
    "match_round_id": Break("another origin date", cells("origin_date", "2024-02-14")),
    "colnames": Break("a column too much", rows(lambda t: t.assign(note="x"))),
    "col_types": Break("Parquet with horizons as text",
                       _as_parquet(SUBMISSION, lambda t: typed(t).astype({"horizon": str}))),
    "valid_vals": Break("a place that the hub does not have",
                        cells("location", "99", location="01")),
    "derived_task_id_vals": Break(
        "a target end date that the hub does not have",
        _in_turn(lambda root: (root / "hub-config/validations.yml").unlink(),
                 cells("target_end_date", "2024-01-18", horizon="1")),
    ),
    "rows_unique": Break("a median twice", again(where={"output_type_id": "0.5"})),
    "req_vals": Break("no median of a place", drop(output_type_id="0.5", location="01")),
    "value_col_valid": Break("a mean below zero", cells("value", "-1", output_type="mean")),
    "value_col_non_desc": Break("a median above the 90% quantile",
                                cells("value", "70", output_type_id="0.5", location="01")),
    "value_col_sum1": Break("probabilities that add up to 1.25",
                            cells("value", "0.5", output_type_id="down", location="01")),
    "spl_mt_unique": Break("one sample of two targets",
                           cells("output_type_id", "0", output_type_id="100")),
    "spl_compound_taskid_set": Break("a sample of its own for every row", rows(_own_ids)),
    "spl_non_compound_tid": Break("a sample without its third horizon",
                                  drop(output_type="sample", output_type_id="0", horizon="3")),
    "spl_n": Break("3 samples of 4", drop(output_type="sample", output_type_id="0")),
    "metadata_schema_exists": Break(
        "no schema", lambda root: (root / "hub-config/model-metadata-schema.json").unlink()),
    "metadata_file_exists": Break("a file that is not there",
                                  path="model-metadata/team-other.yml"),
    "metadata_file_ext": Break(
        "`.txt`", lambda root: write_metadata(root, "team-other", "team-other.txt")),
    "metadata_file_location": Break(
        "a folder deeper", lambda root: write_metadata(root, "team-other", "new/team-other.yml")),
    "metadata_matches_schema": Break(
        "a name that the schema does not have",
        lambda root: write_metadata(root, "team-model", more="colour: red\n")),
    "metadata_file_name": Break(
        "another model's name", lambda root: write_metadata(root, "team-other", "team-third.yml")),
    "target_file_exists": Break("a file that is not there",
                                path="target-data/time-series.parquet"),
    "target_partition_file_name": Break(
        "a folder `=2024`",
        _in_turn(_SERIES_PARQUET, move("target-data/time-series.parquet",
                                       "target-data/time-series/=2024/part-0.parquet"))),
    "target_file_ext": Break("CSV in a partition", move(SERIES, _PART), _PART),
    "target_dataset_exists": Break(
        "a name that is none of the two",
        _in_turn(move(SERIES, "target-data/timeseries.csv"),
                 lambda root: (root / ORACLE).unlink())),
    "target_dataset_unique": Break(
        "a file and a folder of the same name",
        lambda root: put(root, "target-data/time-series/a.csv", get(root, SERIES))),
    "target_dataset_file_ext_unique": Break(
        "parts in CSV and in Parquet",
        _in_turn(_split(slice(14), slice(14, None)),
                 _as_parquet("target-data/time-series/b.csv", _typed_series))),
    "target_dataset_rows_unique": Break("one row in two parts",
                                        _split(slice(10), slice(9, None))),
    "target_file_read": Break("an observation that is not a number",
                              cells("observation", "n/a", SERIES, location="01")),
    "target_tbl_colnames": Break("a column too much", rows(lambda t: t.assign(note="x"), SERIES)),
    "target_tbl_coltypes": Break("Parquet with days as text", _SERIES_PARQUET),
    "target_tbl_ts_targets": Break("a target that is a category",
                                   again(SERIES, target="direction")),
    "target_tbl_rows_unique": Break("one observation under two names of a place",
                                    again(SERIES, location_name="The Nation")),
    "target_tbl_values": Break("a place that the hub does not have",
                               cells("location", "99", SERIES, location="01")),
    "target_tbl_output_type_ids": Break("a pmf without one of its categories",
                                        drop(ORACLE, output_type_id="down")),
    "target_tbl_oracle_value": Break("two categories that both came true",
                                     cells("oracle_value", "1", ORACLE, output_type_id="down")),
    "opt_check_tbl_counts_lt_popn": Break(
        "more deaths than people", cells("value", "9999999", output_type="mean", location="01")),
    "opt_check_tbl_horizon_timediff": Break(
        "a target end date of another horizon",
        cells("target_end_date", "2024-01-31", horizon="2", location="01")),
}  # fmt: skip
#: Checks that no file can break alone, and why: see docs/reference/hub-checks.md.
NEVER_ALONE = {
    "spl_compound_tid": "one sample over two places: `spl_compound_taskid_set` fails before it",
    "opt_check_metadata_team_max_model_n": "left to hubValidations in the hub's workflow",
    "opt_check_tbl_col_timediff": "left to hubValidations in the hub's workflow",
}


def broken(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A small hub that breaks one check: what to check, and the options."""
    change = BREAKS[name]
    root = small_hub(folder / name)
    change.how(root)
    return root / change.path, dict(change.options)


def matrix() -> str:
    """The table of docs/reference/hub-checks.md: each check, and a file that fails it alone."""
    from odforecast.hub.checks import CHECKS

    lines = ["| check | fails on |", "|---|---|"]
    for known in CHECKS:
        broken_by = BREAKS[known.name].what if known.name in BREAKS else NEVER_ALONE[known.name]
        lines.append(f"| `{known.name}` | {broken_by} |")
    return "\n".join(lines)


BEGIN = "<!-- begin: made by tests/factories/hub_breaker.py; do not edit -->"
END = "<!-- end -->"


def in_page(text: str, table: str) -> str:
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "hub-checks.md"

if __name__ == "__main__":
    PAGE.write_text(in_page(PAGE.read_text(encoding="utf-8"), matrix()), encoding="utf-8")
