"""hubValidations' checks by name: the list, a hub that breaks each alone, rows by hand."""

import csv
import datetime as dt
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_breaker
import numpy as np
import pandas as pd
import pytest
from commands import ok, run, said
from hub_breaker import SUBMISSION, broken, config, small_hub
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import DataError
from odforecast.hub.checks import BY_NAME, CHECKS, Outcome, check
from odforecast.hub.checks.report import Rows
from odforecast.hub.checks.submission import Submission
from odforecast.hub.layout import Choice, ModelTask, OutputType, Samples


@pytest.fixture(scope="session")
def hubverse(shared) -> Path:
    return shared / "hubverse"


def test_the_list_is_that_of_hub_validations(hubverse):
    with (hubverse / "checks.csv").open(encoding="utf-8", newline="") as file:
        theirs = list(csv.DictReader(file))
    assert len(CHECKS) == len(theirs) == 52
    for ours, row in zip(CHECKS, theirs):
        row["name"] = row["function"] if row["name"] == "NA" else row["name"]
        assert ours.says == row["check"].replace("\xa0", " ")
        for name in ("name", "applies_to", "function", "stops", "optional"):
            said = getattr(ours, name)
            assert row[name] == (str(said).upper() if isinstance(said, bool) else said)


def test_every_check_has_a_hub_that_breaks_it():
    assert set(hub_breaker.BREAKS) | set(hub_breaker.NEVER_ALONE) == {c.name for c in CHECKS}


def test_the_small_hub_passes(tmp_path):
    hub = small_hub(tmp_path / "hub")
    found = check(hub, submission_time="2024-01-10")
    assert found.failed == ()
    assert set(found.not_run) == {
        "valid_config", "target_partition_file_name", "opt_check_tbl_col_timediff",
        "opt_check_metadata_team_max_model_n",
    }  # fmt: skip
    # Days of a series may be asked for as far as the rounds go only.
    found = check(hub, extra_dates=False)
    assert found.failed == ("target_tbl_values",)
    assert found.outcomes_of("target_tbl_values")[0].findings[0].value == "2023-12-27"


@pytest.mark.slow
@pytest.mark.parametrize("name", hub_breaker.BREAKS)
def test_a_check_fails_alone(name, tmp_path):
    path, options = broken(name, tmp_path)
    found = check(path, **options)
    assert found.failed == (name,), str(found)
    outcome = next(x for x in found.outcomes_of(name) if x.status == "failed")
    assert outcome.count >= len(outcome.findings) >= 1
    assert all(str(x).strip() for x in outcome.findings)
    if BY_NAME[name].stops and name != "valid_vals":
        # Nothing after it, of the same file and group, was run.
        group = [c.name for c in CHECKS if c.applies_to == BY_NAME[name].applies_to]
        after = set(group[group.index(name) + 1 :]) - {"metadata_file_location"}
        late = [x for x in found if x.file == outcome.file and x.name in after]
        assert {x.status for x in late} <= {"not run"}


def test_the_example_hub_passes(hubverse):
    found = check(hubverse / "example_hub", schemas=hubverse)
    assert found.failed == ()
    assert found.reason("submission_time").endswith("(--submission-time)")
    assert len(found.passed) == 45


def test_the_table_of_the_page_is_what_the_checks_say():
    """If this fails: python tests/factories/hub_breaker.py writes the table again."""
    text = hub_breaker.PAGE.read_text(encoding="utf-8")
    assert hub_breaker.in_page(text, hub_breaker.matrix()) == text
    for known in CHECKS:
        assert f"| `{known.name}` |" in text
        assert known.fix


@pytest.fixture
def hub(tmp_path) -> Path:
    return small_hub(tmp_path / "hub")


@pytest.mark.parametrize(("path", "passed"), [
    (SUBMISSION, {"file_n", "spl_n", "value_col_sum1"}),
    ("model-output/team-model", {"file_n", "spl_n"}),
    (hub_breaker.METADATA, {"metadata_file_name"}),
    (hub_breaker.SERIES, {"target_tbl_values"}),
    (hub_breaker.ORACLE, {"target_tbl_oracle_value"}),
    ("target-data/oracle-output", {"target_dataset_rows_unique", "target_tbl_oracle_value"}),
    ("target-data", {"target_dataset_rows_unique", "target_tbl_ts_targets"}),
])  # fmt: skip
def test_one_file_of_a_hub(hub, path, passed):
    found = check(hub / path)
    assert found.failed == ()
    assert passed <= set(found.passed)
    others = {"target-data": "file_name", "model-": "target_file_read"}
    name = next(n for start, n in others.items() if path.startswith(start))
    assert "is " in found.reason(name)


def test_the_window_is_that_of_the_hubs_own_days(hub):
    """2024-01-10, 3 days before to 2 days after, both whole, in US/Eastern."""
    eastern, before = dt.timezone(dt.timedelta(hours=-5)), dt.timedelta(minutes=1)
    first, last = (dt.datetime(2024, 1, day, tzinfo=eastern) for day in (7, 13))
    inside = [first, last - before, (last - before).astimezone(dt.UTC)]
    outside = [first - before, last, last.astimezone(dt.UTC)]
    for moment in inside + outside:
        assert check(hub, submission_time=moment).ok is (moment in inside), moment


def put_version(hub: Path, version: str) -> None:
    for name in ("tasks", "admin", "target-data"):
        edit = {"schema_version": f"https://x/main/v{version}/{name}-schema.json"}
        config(lambda c, edit=edit: c.update(edit), name)(hub)


def test_versions_of_the_schema(hub, hubverse):
    put_version(hub, "5.0.0")
    assert check(hub).ok
    why = "the schemas are of v6.0.0, and admin.json is written for v5.0.0"
    assert check(hub, schemas=hubverse).reason("valid_config") == why
    for old in ("2.0.1", "3.0.1", "4.0.0", "7.0.0"):
        put_version(hub, old)
        with pytest.raises(DataError, match=f"schema v{old}; hub check knows v5 and v6; "):
            check(hub)


def test_a_schema_finds_what_the_rules_do_not(hub, hubverse):
    unit = {"time_unit": "fortnight"}
    config(lambda c: c["rounds"][0]["model_tasks"][0]["target_metadata"][0].update(unit))(hub)
    assert check(hub).ok
    (line,) = check(hub, schemas=hubverse).outcomes_of("valid_config")[0].lines()
    assert "tasks.json: rounds[0].model_tasks[0].target_metadata[0].time_unit" in line


@pytest.mark.parametrize(("where", "options", "words"), [
    ("README.md", {}, "no submission, metadata or target data of the hub"),
    ("target-data/foo.csv", {}, "are named time-series or oracle-output"),
    ("../nowhere", {}, "no such file or folder"),
    ("..", {}, "not part of a hub"),
    ("", {"schemas": "nowhere"}, r"admin-schema\.json: no such file"),
    ("", {"submission_time": "tomorrow"}, "is not a moment"),
])  # fmt: skip
def test_what_cannot_be_checked(hub, where, options, words):
    with pytest.raises(DataError, match=words):
        check(hub / where, **options)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, x in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*at, key)
        if isinstance(x, dict | list):
            yield from places(x, (*at, key))


@pytest.mark.slow
@pytest.mark.parametrize("put_in", [None, 3, {}, [[1]]], ids=repr)
@pytest.mark.parametrize("name", ["tasks", "admin", "target-data", "model-metadata-schema"])
def test_any_part_of_the_configuration_may_be_wrong(hub, name, put_in):
    path = hub / "hub-config" / f"{name}.json"
    text = path.read_text(encoding="utf-8")
    kinds = {tuple(0 if isinstance(k, int) else k for k in p): p for p in places(json.loads(text))}
    for place in (p for p in kinds.values() if len(p) < 8):
        changed = json.loads(text)
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = put_in
        hub_breaker.write_json(path, changed)
        assert len(check(hub, submission_time="2024-01-10")) == 52


def test_a_hub_that_is_in_order(hub):
    summary = "52 checks: 47 passed, 0 failed, 5 not run"
    assert ok("hub", "check", hub) == summary + "\n"
    lines = ok("hub", "check", hub, "--all").splitlines()
    assert lines[-1] == summary
    starts = [line.split()[0] for line in lines[:-1] if line[:1] not in ("", " ")]
    assert starts == [c.name for c in CHECKS]
    assert max(map(len, lines)) <= 80


def test_a_failure_is_shown_and_exits_with_1(tmp_path):
    path, _ = broken("valid_vals", tmp_path)
    result = run("hub", "check", path)
    assert (result.exit_code, result.stderr) == (1, "")
    text = said(result)
    assert text.startswith("valid_vals failed: 54 broken places Tests: Columns (excluding")
    assert "row 56, column location, value '99': is not a value of this hub's location" in text
    assert "To fix: write the values exactly as tasks.json has them" in text
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert len(run("hub", "check", path, "--all").stdout.splitlines()) > 60
    result = run("hub", "check", path, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["ok"], len(told["checks"])) == (False, 52)
    (mine,) = [x for x in told["checks"] if x["name"] == "valid_vals"]
    assert (mine["status"], mine["files"][0]["count"]) == ("failed", 54)


def test_the_window_is_judged_when_asked_for(hub):
    assert run("hub", "check", hub, "--submission-time").exit_code == 1
    assert run("hub", "check", hub, "--at", "2024-01-10").exit_code == 0
    assert run("hub", "check", hub, "--at", "2024-01-13").exit_code == 1
    assert "'--at': 'soon' is not a date" in run("hub", "check", hub, "--at", "soon").stderr


COLUMNS = ["a", "b", "c"]
NAMES = [*COLUMNS, "output_type", "output_type_id", "value"]


def submission_of(rows: list[tuple[str, ...]], task: ModelTask) -> Submission:
    texts = pd.DataFrame(rows, columns=NAMES, dtype=object)
    coded = {name: pd.factorize(texts[name]) for name in NAMES}
    codes = pd.DataFrame({name: codes for name, (codes, _) in coded.items()})
    words = {name: [*known, None] for name, (_, known) in coded.items()}
    one = Submission(Path("x"), None, None, {})  # type: ignore[arg-type]
    one.__dict__["rows"] = Rows(codes, words, {}, np.arange(2, len(codes) + 2))
    one.__dict__ |= {"tasks": (task,), "columns": COLUMNS}
    return one


def missing_by_hand(rows: set[tuple], choices: list[Choice]) -> set[tuple]:
    """hubValidations' check_modeling_task_values_required, group by group, as sets."""
    width = range(len(choices))
    never = {k for k in width if not choices[k].required}
    # The required grid: empty where a column has no required value.
    grid = set(itertools.product(*(c.required for c in choices)))
    if not rows:
        return grid
    masks = {r: tuple(r[k] in choices[k].required for k in width) for r in rows}
    groups: dict[tuple, list[tuple]] = {}
    for r in rows:
        groups.setdefault(tuple(None if m else v for v, m in zip(r, masks[r])), []).append(r)
    found = set() if never or any(all(m) for m in masks.values()) else grid
    for group in groups.values():
        optional = [k for k in width if not masks[group[0]][k]]
        sets = [set(optional)]
        for n in range(1, len(optional)):
            sets += [(set(optional) - set(x)) | never for x in itertools.combinations(optional, n)]
        for kept in sets:
            spread = [choices[k].required if k not in kept else (group[0][k],) for k in width]
            found |= set(itertools.product(*spread)) - set(group)
    return found - rows


@st.composite
def hubs(draw: st.DrawFn) -> tuple[list[Choice], dict[str, OutputType], list[tuple]]:
    """Three task ids, two output types, and some rows of their grid."""

    def texts(letter: str, least: int = 0) -> tuple[str, ...]:
        return tuple(f"{letter}{i}" for i in range(draw(st.integers(least, 2))))

    choices = []
    for letter in "abc":
        required = texts(letter)
        choices.append(Choice(required, texts(letter.upper(), not required)))
    names = ("quantile", "pmf")
    outputs = {n: OutputType(n, Choice(texts(n[0], 1)), draw(st.booleans())) for n in names}
    pairs = [(name, i) for name, output in outputs.items() for i in output.ids]
    grid = list(itertools.product(*(c.allowed for c in choices), pairs))
    return choices, outputs, draw(st.lists(st.sampled_from(grid), max_size=12, unique=True))


@given(hubs())
def test_what_is_required_is_what_hub_validations_requires(hub):
    choices, outputs, rows = hub
    task = ModelTask(dict(zip(COLUMNS, choices)), outputs)
    one = submission_of([(*r[:3], *r[3], "1") for r in rows], task)
    found = Outcome.from_findings("req_vals", "", one.req_vals())
    missing: set[tuple] = set()
    for name, output in outputs.items():
        mine = {r for r in rows if r[3][0] == name}
        if mine or output.is_required:
            pairs = Choice(tuple((name, i) for i in output.ids))  # type: ignore[misc]
            missing |= missing_by_hand(mine, [*choices, pairs])
    assert found.count == len(missing)
    assert bool(found.findings) == bool(found.count)
    said = {f"{a} {b} {c} {o} {i}" for a, b, c, (o, i) in missing}
    for x in found.findings:
        words = [s.split(" ")[1] for s in x.message.split(": ")[1].split(", ")]
        assert " ".join(words) in said


@given(
    st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("uv"), st.sampled_from("123"),
                       st.sampled_from(["1", "2", "3"])), min_size=1, max_size=16, unique=True),
    st.sets(st.sampled_from(COLUMNS)),
)  # fmt: skip
def test_a_set_that_was_found_in_the_rows_holds_in_them(rows, configured):
    """Why no file breaks spl_compound_tid alone: it is asked of the set that was found."""
    output = OutputType(output_type_id_params=Samples(sorted(configured), "integer"))
    choices = [Choice((), tuple(x)) for x in ("xy", "uv", "123")]
    task = ModelTask(dict(zip(COLUMNS, choices)), {"sample": output})
    one = submission_of([(*r[:3], "sample", r[3], "1") for r in rows], task)
    if not list(one.spl_compound_taskid_set()):
        (group,) = one.samples
        assert set(group.usual) <= configured
        table = pd.DataFrame(rows, columns=[*COLUMNS, "id"])
        for _, sample in table.groupby("id"):
            assert len({tuple(x) for x in sample[list(group.usual)].to_numpy()}) == 1
        assert one.spl_compound_tid() == []


@pytest.mark.slow
def test_half_a_million_rows_take_seconds(tmp_path):
    root = small_hub(tmp_path / "hub")
    places = [f"P{i:03d}" for i in range(400)]

    def many(c: dict) -> None:
        for task in c["rounds"][0]["model_tasks"]:
            task["task_ids"]["location"] = {"required": None, "optional": places}
            if params := task["output_type"].get("sample", {}).get("output_type_id_params"):
                params |= {"min_samples_per_task": 400, "max_samples_per_task": 400}

    config(many)(root)
    (root / "hub-config" / "validations.yml").unlink()
    place, h, s = np.unravel_index(np.arange(400 * 3 * 400), (400, 3, 400))
    days = np.array(["2024-01-17", "2024-01-24", "2024-01-31"])
    table = pd.DataFrame({
        "origin_date": "2024-01-10", "target": "deaths", "horizon": (h + 1).astype(str),
        "location": np.array(places)[place], "target_end_date": days[h], "output_type": "sample",
        "output_type_id": (place * 400 + s).astype(str), "value": s.astype(str),
    })  # fmt: skip
    quantiles = hub_breaker.submission().query("output_type == 'quantile' and location == 'US'")
    more = pd.concat([quantiles.assign(location=p) for p in places])
    hub_breaker.put(root, SUBMISSION, pd.concat([table, more]))
    begin = time.process_time()
    found = check(root / SUBMISSION)
    took = time.process_time() - begin
    assert found.failed == ()
    assert "spl_n" in found.passed
    assert took < 15, took
