"""Files that nobody should send: each is one clear line, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hub_breaker import (
    COLUMNS,
    METADATA,
    ORACLE,
    SERIES,
    SUBMISSION,
    get,
    put,
    small_hub,
    tasks,
    typed,
    write_json,
)

from odforecast.errors import DataError
from odforecast.hub.checks import check

TASKS = "hub-config/tasks.json"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return small_hub(tmp_path / "hub")


def line_of(root: Path, name: str) -> str:
    found = check(root)
    assert found.failed == (name,), str(found)
    lines = next(x for x in found.of(name) if x.status == "failed").lines()
    assert all("\n" not in line and "Traceback" not in line for line in lines)
    assert str(found).count("\x1b") == 0
    return lines[0]


def write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "an empty file"),
    (b"\n", "line 1 holds no column names"),
    (b"a,b\n\0,1\n", "a NUL byte"),
    (b"a,\xff\n1,2\n", "row 1: byte 0xff is no UTF-8"),
    (b"a,b\n1,2\n1,\xe9\n", "row 3: byte 0xe9 is no UTF-8"),
    (b"a,b\n1,2\n1,2,3\n", "row 3: 3 cells, and the header has 2"),
    (b"a,b,a\n1,2,3\n", "more than one column is named a"),
])  # fmt: skip
def test_csv_that_is_none(hub: Path, data: bytes, words: str) -> None:
    (hub / SUBMISSION).write_bytes(data)
    assert words in line_of(hub, "file_read")


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_parquet_that_was_cut(hub: Path, part: float) -> None:
    path = hub / SUBMISSION.replace(".csv", ".parquet")
    typed(get(hub, SUBMISSION)).to_parquet(path, index=False)
    (hub / SUBMISSION).unlink()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert "arquet" in line_of(hub, "file_read")


def test_parquet_whose_middle_is_wrong(hub: Path) -> None:
    path = hub / SUBMISSION.replace(".csv", ".parquet")
    typed(get(hub, SUBMISSION)).to_parquet(path, index=False)
    (hub / SUBMISSION).unlink()
    data = bytearray(path.read_bytes())
    data[8:200] = b"\xff" * 192
    path.write_bytes(bytes(data))
    line_of(hub, "file_read")


def test_a_header_without_rows(hub: Path) -> None:
    (hub / SUBMISSION).write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    assert "holds 0 round ids" in line_of(hub, "unique_round_id")


def test_parquet_without_rows(hub: Path) -> None:
    path = hub / SUBMISSION.replace(".csv", ".parquet")
    typed(get(hub, SUBMISSION))[:0].to_parquet(path, index=False)
    (hub / SUBMISSION).unlink()
    assert "holds 0 round ids" in line_of(hub, "unique_round_id")
    assert check(hub / "target-data").ok


def test_a_thousand_columns(hub: Path) -> None:
    table = get(hub, SUBMISSION)
    more = pd.DataFrame({f"c{i}": ["x"] * len(table) for i in range(1000)})
    put(hub, SUBMISSION, pd.concat([table, more], axis=1))
    line = line_of(hub, "colnames")
    assert "1,000 unknown columns: c0, c1, c2 and 997 more" in line
    assert len(line) < 400


def test_nested_columns_of_parquet(hub: Path) -> None:
    path = hub / SUBMISSION.replace(".csv", ".parquet")
    table = typed(get(hub, SUBMISSION)).assign(location=[["US"]] * 108)
    table.to_parquet(path, index=False)
    (hub / SUBMISSION).unlink()
    assert check(hub).failed == ("col_types", "valid_vals")


def test_a_long_cell_and_codes_of_a_terminal(hub: Path) -> None:
    table = get(hub, SUBMISSION)
    put(hub, SUBMISSION, table.assign(location="\x1b[2J" + "x" * 100_000))
    line = line_of(hub, "valid_vals")
    assert len(line) < 400
    assert "100,004 characters" in line


def test_a_folder_that_is_named_like_a_file(hub: Path) -> None:
    (hub / SUBMISSION).unlink()
    (hub / SUBMISSION).mkdir()
    (hub / SUBMISSION / "x.csv").write_text("a\n1\n", encoding="utf-8")
    assert "a folder, and no file" in line_of(hub, "file_exists")
    assert check(hub / SUBMISSION).failed == ("file_exists",)


def test_links_out_of_the_hub(hub: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (hub / SUBMISSION).rename(other / "x.csv")
    (hub / SUBMISSION).symlink_to(other / "x.csv")
    assert "a link out of the hub" in line_of(hub, "file_exists")
    (hub / SUBMISSION).unlink()
    (other / "x.csv").rename(hub / SUBMISSION)
    (hub / "model-output" / "more").symlink_to(other)
    assert "a link out of the hub" in line_of(hub, "file_exists")
    (hub / "model-output" / "more").unlink()
    (hub / "model-output" / "self").symlink_to("self")
    assert "evels of symbolic links" in line_of(hub, "file_exists")
    (hub / "model-output" / "self").unlink()
    (hub / "model-output" / "lost.csv").symlink_to("nowhere")
    assert "a link to nowhere" in line_of(hub, "file_exists")
    (hub / "model-output" / "lost.csv").unlink()
    (hub / TASKS).rename(other / "tasks.json")
    (hub / TASKS).symlink_to(other / "tasks.json")
    assert "a link out of the hub" in line_of(hub, "valid_config")


def test_a_pipe_is_not_waited_for(hub: Path) -> None:
    (hub / SUBMISSION).unlink()
    os.mkfifo(hub / SUBMISSION)
    assert "no regular file" in line_of(hub, "file_exists")


@pytest.mark.parametrize(("text", "words"), [
    ("a: &a [x]\nb: [*a, *a]\n", "line 2: an alias (*a)"),
    ("[" * 5000, "line 1: nested too deep"),
    ("x: " + "y" * 2**21, "larger than 1 MB"),
    ("a: !!python/name:os.system x", "unknown tag"),
    ("a: 1\na: 2\n", "line 2: 'a' stands twice"),
    ("a: [1\n", "line 2: "),
    ("{[1, 2]: 3}", "line 1: a name must be a text"),
    ("a: 2024-13-45", "line 1: month must be in 1..12"),
    ("", "holds no names with values"),
    ("- a\n", "holds no names with values"),
    ("a: \x00", "unacceptable character"),
])  # fmt: skip
def test_yaml_that_is_none(hub: Path, text: str, words: str) -> None:
    (hub / METADATA).write_text(text, encoding="utf-8")
    assert words in line_of(hub, "metadata_matches_schema")


def test_yaml_that_is_no_utf8(hub: Path) -> None:
    (hub / METADATA).write_bytes(b"a: 1\nb: \xff\n")
    assert "line 2: byte 0xff is no UTF-8" in line_of(hub, "metadata_matches_schema")


@pytest.mark.parametrize(("text", "words"), [
    ("{}", "must be a list"),
    ("[1]", "holds no object, but list"),
    ("[" * 100_000, "nested too deep"),
    ('{"rounds": [], "rounds": []}', "'rounds' stands twice"),
    ('{"rounds": []}', "must not be empty"),
    ('{"rounds": [1]}', "rounds/0: must be an object"),
    ('{"rounds": [{"round_id": "x"}]}', "rounds/0/round_id_from_variable: must be true or false"),
])  # fmt: skip
def test_json_that_is_no_configuration(hub: Path, text: str, words: str) -> None:
    (hub / TASKS).write_text(text, encoding="utf-8")
    assert words in line_of(hub, "valid_config")


def test_json_that_was_cut(hub: Path) -> None:
    text = (hub / TASKS).read_text(encoding="utf-8")
    for n in range(0, len(text), 97):
        (hub / TASKS).write_text(text[:n], encoding="utf-8")
        line = line_of(hub, "valid_config")
        assert line.startswith("hub-config, at tasks.json: line ")


def _walk(value: object, at: tuple = ()) -> list[tuple]:
    inside = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    found = []
    for key, x in inside:
        found.append((*at, key))
        if isinstance(x, dict | list):
            found += _walk(x, (*at, key))
    return found


@pytest.mark.parametrize("put_in", [None, 3, {}, [[1]]], ids=repr)
def test_any_part_of_the_configuration_may_be_wrong(hub: Path, put_in: object) -> None:
    """Whatever stands at a place: a table of all checks, and never an exception."""
    config = tasks()
    places = [p for p in _walk(config) if len(p) < 8]
    seen = set()
    for place in places:
        if (kind := tuple(0 if isinstance(x, int) else x for x in place)) in seen:
            continue
        seen.add(kind)
        changed = json.loads(json.dumps(config))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = put_in
        write_json(hub / TASKS, changed)
        assert len(check(hub)) == 52
    write_json(hub / TASKS, config)
    for name in ("admin", "target-data", "model-metadata-schema"):
        path = hub / "hub-config" / f"{name}.json"
        text = path.read_text(encoding="utf-8")
        for place in _walk(json.loads(text)):
            changed = json.loads(text)
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = put_in
            write_json(path, changed)
            assert len(check(hub, submission_time="2024-01-10")) == 52
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("name", "data", "words"), [
    (SERIES, b"", "an empty file"),
    (SERIES, b"a,\xff\n", "row 1: byte 0xff"),
    (ORACLE, b"PAR1", "no column of days|missing|column"),
])  # fmt: skip
def test_target_data_that_are_none(hub: Path, name: str, data: bytes, words: str) -> None:
    (hub / name).write_bytes(data)
    found = check(hub)
    (failed,) = found.failed
    assert failed in ("target_file_read", "target_tbl_colnames")
    line = next(x for x in found.of(failed) if x.status == "failed").lines()[0]
    assert any(w in line for w in words.split("|"))
    assert found.status("target_dataset_rows_unique") == "passed"


def test_a_schema_that_points_to_the_network_is_not_followed(hub: Path) -> None:
    schema = {"properties": {"model_id": {}}, "$ref": "http://192.0.2.1/x.json"}
    write_json(hub / "hub-config" / "model-metadata-schema.json", schema)
    line = line_of(hub, "metadata_matches_schema")
    assert "which is not at hand" in line


@pytest.mark.parametrize(("where", "words"), [
    ("README.md", "no submission, metadata or target data of the hub"),
    ("target-data/foo.csv", "are named time-series or oracle-output"),
    ("../nowhere", "no such file or folder"),
    ("..", "not part of a hub"),
])  # fmt: skip
def test_paths_that_are_nothing_of_a_hub(hub: Path, where: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        check(hub / where)


def test_what_else_is_asked_for_and_is_not_there(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"admin-schema\.json: no such file"):
        check(hub, schemas=tmp_path)
    with pytest.raises(DataError, match="is no moment"):
        check(hub, submission_time="tomorrow")
