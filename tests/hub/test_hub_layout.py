"""A hub as a folder: any hub opens, what is wrong is named; and the names of models in it."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_hub import small_hub

from odforecast.errors import DataError, ForecastError
from odforecast.hub import layout, score
from odforecast.hub.layout import CONFIG, Hub, read_json
from odforecast.models.model import LABEL

#: Places in ``tasks.json``.
ROUND = ("rounds", 0)
TASK = (*ROUND, "model_tasks", 0)


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    put(tmp_path / CONFIG / "admin.json", '{"file_format": ["csv", "parquet"]}')
    put(tmp_path / CONFIG / "tasks.json", '{"rounds": []}')
    return tmp_path


def test_files_are_found_wherever_they_lie_and_others_are_not_taken(folder):
    out, target = folder / "model-output", folder / "target-data"
    for name in ("README.md", ".DS_Store", ".git/x.csv", "a-b/.x.csv", "a-b/README", "a-b/x.arrow",
                 "a-b/deep/er/x.parquet", "c-d/x.csv"):  # fmt: skip
        put(out / name)
    for name in ("time-series/as_of=2024-01-01/part-0.parquet", "time-series/README.md",
                 "time-series/as_of=2025-01-01/b.parquet", "time-series.csv", "oracle-output.csv",
                 "time-series-old.csv", "notes.txt"):  # fmt: skip
        put(target / name)
    hub = Hub.open(folder)
    assert [p.relative_to(out).as_posix() for p in hub.submissions()] == [
        "a-b/deep/er/x.parquet", "a-b/x.arrow", "c-d/x.csv",
    ]  # fmt: skip
    assert [p.relative_to(target).as_posix() for p in hub.target_files("time-series")] == [
        "time-series.csv",
        "time-series/as_of=2024-01-01/part-0.parquet",
        "time-series/as_of=2025-01-01/b.parquet",
    ]
    assert [p.name for p in hub.target_files("oracle-output")] == ["oracle-output.csv"]
    with pytest.raises(DataError, match=r"'oracle'.*did you mean 'oracle-output'"):
        hub.target_files("oracle")  # type: ignore[arg-type]
    assert hub.relative(Path("/elsewhere/x.csv")) == "/elsewhere/x.csv"


@pytest.mark.parametrize("name", ['"../out"', '"/tmp"', '""', "3", '"a/../../b"'])
def test_the_folder_of_submissions_may_have_another_name_in_the_hub(folder, name):
    put(folder / CONFIG / "admin.json", '{"model_output_dir": "forecasts/all"}')
    file = put(folder / "forecasts" / "all" / "a-b" / "x.csv")
    assert Hub.open(folder).submissions() == [file]
    put(folder / CONFIG / "admin.json", f'{{"model_output_dir": {name}}}')
    with pytest.raises(DataError, match=r"admin\.json: model_output_dir"):
        Hub.open(folder)


def test_what_is_no_hub_is_refused(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (folder / CONFIG / "tasks.json").unlink()
    put(tmp_path / "file.csv")
    said = {"nowhere": "no such folder", "file.csv": "is a file", ".": r"tasks\.json: no such file"}
    for name, words in (said | {"empty": "no folder hub-config, so this is not a hub"}).items():
        with pytest.raises(DataError, match=words):
            Hub.open(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "place", "value", "words"),
    [
        ("tasks", [], {}, "tasks.json: object missing required field rounds"),
        ("tasks", ["rounds", 0], 1, "tasks.json: rounds[0]: expected object, got int"),
        ("tasks", [*ROUND, "model_tasks"], {}, "rounds[0].model_tasks: expected array"),
        ("tasks", [*ROUND, "additional_metadata"], {"last_data_dates": 1}, "expected object"),
        ("tasks", [*TASK, "task_ids", "location"], {"optional": [[39]]}, "optional[0]"),
        ("tasks", [*TASK, "target_metadata", 0, "target_keys"], "target", "target_keys"),
        ("tasks", ["derived_task_ids"], "horizon", "derived_task_ids: expected array"),
        ("admin", ["additional_metadata"], "x", "admin.json: additional_metadata: expected object"),
        ("target-data", [], {"time-series": 1}, "target-data.json: time-series: expected object"),
    ],
)
def test_a_part_of_the_wrong_type_is_refused_with_its_place(tmp_path, name, place, value, words):
    root = small_hub(tmp_path / "hub")
    path = root / CONFIG / f"{name}.json"
    whole = {"": json.loads(path.read_text()) if path.exists() else {}}
    at, last = whole, ""
    for key in place:
        at, last = at[last], key
    at[last] = value
    put(path, json.dumps(whole[""]))
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        score(root)
    assert str(path) in caught.value.message
    assert caught.value.hint == f"odforecast hub check {root} names every wrong place"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{\n  "a": 1,\n  "b" 2\n}', r"line 3, column 7: not JSON"),
        (b'{"a": [1, 2', "line 1"),
        (b"", "line 1"),
        (b"[1]", "must hold an object, not list"),
        (b'{"a": 1, "a": 2}', "key 'a' is there twice"),
        (b'{\n"a": "\xff"}', "line 2: byte 0xff is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "integer string conversion"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(tmp_path, text, words):
    path = tmp_path / "admin.json"
    path.write_bytes(text)
    with pytest.raises(DataError, match=words) as caught:
        read_json(path)
    assert str(path) in caught.value.message
    path.write_text(json.dumps({"a": "é"}), encoding="utf-8-sig")
    assert read_json(path) == {"a": "é"}


#: What labels are made of, twice over where signs meet.
_SIGNS = st.sampled_from("abzAZ019" + " _.,+=()[]'-" * 2)
_LABELS = st.text(_SIGNS, min_size=1, max_size=24).filter(LABEL.fullmatch)


@given(_LABELS)
def test_every_label_comes_back(label):
    there = layout.model_id(label, "team_1")
    assert layout.MODEL_ID.fullmatch(there)
    assert layout.label_of(there, "team_1") == label


@given(_LABELS, _LABELS)
def test_no_two_labels_have_one_name(one, other):
    assert (layout.model_id(one) == layout.model_id(other)) == (one == other)


@given(st.text(st.sampled_from("ab_25f8"), min_size=1, max_size=14))
def test_a_name_of_ours_is_undone_to_its_label_or_refused(model):
    name = f"odforecast-{model}"
    try:
        label = layout.label_of(name)
    except DataError:
        return
    assert layout.model_id(label) == name


def test_the_mapping_is_the_one_that_is_written_down():
    labels = ["auto-ets", "naive+delay", "auto_ets", "a--b", "a-", "dlm(delay=False)"]
    names = ["auto_ets", "naive__delay", "auto___5fets", "a___2d_b", "a___2d",
             "dlm___28delay___3dFalse___29"]  # fmt: skip
    assert [layout.model_id(label) for label in labels] == [f"odforecast-{n}" for n in names]
    # Other teams keep their names.
    assert [layout.label_of(f"Team-{name}") for name in names] == [f"Team-{n}" for n in names]


ENDS = ("", "-", "-a____b", "-a___2", "-_a", "-a___61", "-a_", "-a___2Db")
BAD = ("auto-ets-sums", "a b-c", "", *(f"odforecast{end}" for end in ENDS))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        *((lambda x=x: layout.label_of(x), ".") for x in BAD),
        *((lambda x=x: layout.model_id(x), "valid model label") for x in ("", "naïve", "a\nb")),
        *((lambda x=x: layout.model_id("a", x), "team name") for x in ("a-b", "", "t" * 33)),
        (lambda: layout.model_id("a" * 129), "shorter label"),
    ],
)
def test_what_is_no_name_or_makes_none_is_refused(call, words):
    with pytest.raises((DataError, ForecastError), match=words):
        call()
