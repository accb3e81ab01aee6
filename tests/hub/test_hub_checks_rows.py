"""The checks of rows against plain readings of hubValidations' code, and their edges."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hub_breaker import SUBMISSION, get, put, small_hub, submission, tasks, typed, write_json
from hypothesis import given
from hypothesis import strategies as st

from odforecast.hub.checks import check
from odforecast.hub.checks import samples as spl
from odforecast.hub.checks.required import required_values
from odforecast.hub.checks.rows import Column, Rows, fits
from odforecast.hub.checks.tasks import Choice, ModelTask, OutputType, read_tasks, type_of, word
from odforecast.hub.checks.values import Table

COLUMNS = ("a", "b", "c")


def rows_of(rows: list[tuple[str, ...]], names: tuple[str, ...]) -> Rows:
    columns = {}
    for k, name in enumerate(names):
        texts = [r[k] for r in rows]
        words = sorted({t for t in texts if t is not None})
        codes = np.array([words.index(t) if t is not None else -1 for t in texts], dtype=np.int64)
        columns[name] = Column(codes, np.array(words, dtype=object), "text")
    return Rows(columns, len(rows), 2)


def table_of(
    rows: list[tuple[str, ...]], choices: list[Choice], ids: Choice, kind: str = "quantile",
    params: dict | None = None,
) -> Table:  # fmt: skip
    names = (*COLUMNS, "output_type", "output_type_id", "value")
    full = [(*r[:3], kind, r[3], "1") for r in rows]
    output = OutputType(kind, ids, False, {}, params)
    task = ModelTask(dict(zip(COLUMNS, choices)), {kind: output}, ())
    return Table(rows_of(full, names), (task,), COLUMNS, samples=True)


def missing_by_hand(rows: set[tuple], choices: list[Choice], ignored: set[str]) -> set[tuple]:
    """hubValidations' check_modeling_task_values_required, group by group, as sets.

    The last column is output type and id together; ``ignored`` are the optional output types.
    """
    width = range(len(choices))
    never = {k for k in width if not choices[k].required}
    # The required grid: empty where a column has no required value.
    grid = dict.fromkeys(itertools.product(*(c.required for c in choices)))
    if not rows:
        return set(grid)
    masks = {r: tuple(r[k] in choices[k].required for k in width) for r in rows}
    groups: dict[tuple, list[tuple]] = {}
    for r in rows:
        groups.setdefault(tuple(None if m else v for v, m in zip(r, masks[r])), []).append(r)
    found = set() if never or any(all(m) for m in masks.values()) else set(grid)
    for group in groups.values():
        optional = [k for k in width if not masks[group[0]][k]]
        last = len(choices) - 1
        pool = [k for k in optional if k != last or group[0][last][0] not in ignored]
        sets = [set(optional)]
        for n in range(1, len(pool)):
            sets += [(set(optional) - set(x)) | never for x in itertools.combinations(pool, n)]
        for kept in sets:
            spread = [choices[k].required if k not in kept else (group[0][k],) for k in width]
            found |= set(itertools.product(*spread)) - set(group)
    return found - rows


@st.composite
def hubs(draw: st.DrawFn) -> tuple[list[Choice], dict[str, Choice], list[tuple]]:
    """Three task ids, two output types, and some rows of their grid."""

    def choice(letter: str, least: int) -> Choice:
        n, m = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        n = max(n, least) if n + m else 1
        texts = [f"{letter}{i}" for i in range(n + m)]
        return Choice(tuple(texts[:n]), tuple(texts[n:]))

    choices = [choice(letter, 0) for letter in "abc"]
    outputs = {"quantile": choice("q", draw(st.integers(0, 1))), "pmf": choice("p", 0)}
    pairs = [(name, i) for name, ids in outputs.items() for i in ids.allowed]
    grid = list(itertools.product(*(c.allowed for c in choices), pairs))
    rows = draw(st.lists(st.sampled_from(grid), max_size=12, unique=True))
    return choices, outputs, rows


def as_columns(hub: tuple) -> tuple[Table, set[tuple], list[Choice], set[str]]:
    choices, outputs, rows = hub
    names = (*COLUMNS, "output_type", "output_type_id", "value")
    types = {n: OutputType(n, ids, bool(ids.required)) for n, ids in outputs.items()}
    task = ModelTask(dict(zip(COLUMNS, choices)), types, ())
    full = [(*r[:3], *r[3], "1") for r in rows]
    table = Table(rows_of(full, names), (task,), COLUMNS, samples=True)
    required = tuple((n, i) for n, ids in outputs.items() for i in ids.required)
    ignored = {n for n, ids in outputs.items() if not ids.required}
    return table, set(rows), [*choices, Choice(required)], ignored


@given(hubs())
def test_what_is_required_is_what_hub_validations_requires(hub: tuple) -> None:
    table, rows, choices, ignored = as_columns(hub)
    findings, count = required_values(table, every_id=False)
    missing = missing_by_hand(rows, choices, ignored)
    assert count == len(missing)
    assert bool(findings) == bool(count)
    said = {f"{a} {b} {c} {o} {i}" for a, b, c, (o, i) in missing}
    for x in findings:
        words = [s.split(" ")[1] for s in x.message.split(": ")[1].split(", ")]
        assert " ".join(words) in said


@given(hubs(), st.sets(st.sampled_from(["quantile", "pmf"])))
def test_from_schema_4_each_output_type_is_looked_at_alone(hub: tuple, required: set) -> None:
    choices, outputs, rows = hub
    table, *_ = as_columns(hub)
    types = {n: OutputType(n, Choice(ids.allowed), n in required) for n, ids in outputs.items()}
    tasks_of = (ModelTask(dict(zip(COLUMNS, choices)), types, ()),)
    table = Table(table.rows, tasks_of, COLUMNS, samples=True)
    missing = 0
    for name, ids in outputs.items():
        mine = {r for r in rows if r[3][0] == name}
        if mine or name in required:
            pairs = Choice(tuple((name, i) for i in ids.allowed))
            missing += len(missing_by_hand(mine, [*choices, pairs], set()))
    assert required_values(table, every_id=True)[1] == missing


def test_the_figures_of_hub_validations_own_tests() -> None:
    """Its simple hub: quantiles required, a mean optional; US required, other places optional."""
    levels = tuple(str(k) for k in range(23))
    choices = [Choice(("1",), ("2",)), Choice(("US",), ("02",)), Choice(("t",))]
    outputs = {"quantile": Choice(levels), "pmf": Choice((), ("m",))}
    rows = [("1", place, "t", ("quantile", i)) for place in ("US", "02") for i in levels]
    rows.append(("1", "02", "t", ("pmf", "m")))
    for kept, missing in ((rows, 0), (rows[23:], 23), (rows[:23] + rows[26:], 3)):
        table, *_ = as_columns((choices, outputs, kept))
        assert required_values(table, every_id=False)[1] == missing


@given(
    st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("uv"), st.sampled_from("123"),
                       st.sampled_from(["1", "2", "3"])), min_size=1, max_size=16, unique=True),
    st.sets(st.sampled_from(COLUMNS)),
)  # fmt: skip
def test_a_set_that_was_found_in_the_rows_holds_in_them(rows: list, configured: set) -> None:
    """Why no file breaks spl_compound_tid alone: it is asked of the set that was found."""
    params = {"compound_taskid_set": sorted(configured), "type": "integer"}
    choices = [Choice((), ("x", "y")), Choice((), ("u", "v")), Choice((), ("1", "2", "3"))]
    table = table_of(rows, choices, Choice((), (None,)), "sample", params)
    (group,) = spl.groups(table, COLUMNS)
    compound, findings, _ = spl.compound_taskid_set(table, group)
    if not findings:
        assert set(compound) <= configured
        assert spl.one_compound(table, group, compound) == ([], 0)


def test_a_sample_over_two_places_breaks_the_configured_set() -> None:
    rows = [("x", "u", "1", "1"), ("y", "u", "1", "1"), ("x", "u", "1", "2")]
    params = {"compound_taskid_set": ["a"], "type": "integer"}
    choices = [Choice((), ("x", "y")), Choice((), ("u",)), Choice((), ("1",))]
    table = table_of(rows, choices, Choice((), (None,)), "sample", params)
    (group,) = spl.groups(table, COLUMNS)
    findings, count = spl.one_compound(table, group, group.configured)
    assert (count, findings[0].value) == (1, "1")
    assert "several values of a" in findings[0].message


def test_samples_may_be_joint_over_more_than_asked(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    mine = (table["output_type"] == "sample") & (table["location"] == "01")
    ids = table.loc[mine, "output_type_id"].astype(int) - 10
    table.loc[mine, "output_type_id"] = ids.astype(str)
    put(root, SUBMISSION, table)
    assert check(root).failed == ()


@pytest.mark.parametrize(("few", "more", "words"), [
    (5, 0, "4 samples, and 5 are asked for"), (1, 3, "4 samples, and 1 to 3 are asked for"),
    (1, 9, ""),
])  # fmt: skip
def test_numbers_of_samples(tmp_path: Path, few: int, more: int, words: str) -> None:
    root = small_hub(tmp_path / "hub")
    config = tasks()
    for task in config["rounds"][0]["model_tasks"][:2]:
        params = task["output_type"]["sample"]["output_type_id_params"]
        params |= {"min_samples_per_task": few, "max_samples_per_task": more or few}
    write_json(root / "hub-config" / "tasks.json", config)
    found = check(root)
    assert found.failed == (("spl_n",) if words else ())
    assert words in "".join(found.of("spl_n")[0].lines())
    # As many everywhere: a place with fewer is found within the limits too.
    table = get(root, SUBMISSION)
    gone = (table["output_type"] == "sample") & (table["output_type_id"] == "10")
    put(root, SUBMISSION, table[~gone])
    (outcome,) = check(root).of("spl_n")
    assert outcome.status == "failed"
    assert any("deaths, location 01" in x.message for x in outcome.findings)


def test_the_order_of_rows_is_free(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    order = np.random.default_rng(1).permutation(len(table))
    put(root, SUBMISSION, table.iloc[order])
    assert check(root).failed == ()


def test_a_row_that_repeats_another_is_named_with_it(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    put(root, SUBMISSION, pd.concat([table.iloc[[3]], table, table.iloc[[3]]]))
    (outcome,) = check(root).of("rows_unique")
    assert [x.row for x in outcome.findings] == [6, len(table) + 3]
    assert all("repeats the values of row 2: origin_date" in x.message for x in outcome.findings)


def test_rows_that_no_model_task_has_together(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table.loc[table["output_type"] == "mean", "target"] = "visits"
    put(root, SUBMISSION, table)
    found = check(root)
    assert found.failed == ("valid_vals",)
    (outcome,) = found.of("valid_vals")
    assert outcome.count == 6
    assert "their combination is not" in outcome.findings[0].message
    assert outcome.findings[0].row == 2


def test_a_number_is_written_as_the_hub_writes_it(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table["output_type_id"] = table["output_type_id"].replace({"0.5": "0.50"})
    put(root, SUBMISSION, table)
    (outcome,) = check(root).of("valid_vals")
    assert "the hub writes it '0.5'" in outcome.findings[0].message
    assert (outcome.findings[0].value, outcome.findings[0].row, outcome.count) == ("0.50", 4, 6)


def test_five_places_are_named_and_all_are_counted(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table["location"] = [f"P{i}" for i in range(len(table))]
    put(root, SUBMISSION, table)
    (outcome,) = check(root).of("valid_vals")
    assert (len(outcome.findings), outcome.count) == (5, len(table))
    assert outcome.lines()[-1].endswith(f"{len(table) - 5} more such places")


def test_samples_have_ids_of_their_type(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table["output_type_id"] = table["output_type_id"].replace({"3": "s3"})
    put(root, SUBMISSION, table)
    (outcome,) = check(root).of("valid_vals")
    assert "numbers of samples are whole" in outcome.findings[0].message


@pytest.mark.parametrize(("value", "failed"), [
    ("-0.5", "value_col_valid"), ("nan", "value_col_valid"), ("inf", "value_col_valid"),
    ("1e400", "value_col_valid"), ("", "value_col_valid"), ("x", "file_read"),
])  # fmt: skip
def test_values_that_are_none(tmp_path: Path, value: str, failed: str) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table.loc[table["output_type"] == "mean", "value"] = value
    put(root, SUBMISSION, table)
    assert failed in check(root).failed


def test_values_above_the_maximum(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table.loc[table["output_type_id"] == "30", "value"] = "1.01"
    put(root, SUBMISSION, table)
    found = check(root)
    assert found.failed == ("value_col_valid",)
    assert "is more than 1 (cdf)" in found.of("value_col_valid")[0].findings[0].message


def test_whole_numbers_where_the_hub_counts(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = get(root, SUBMISSION)
    table.loc[table["output_type"] == "sample", "value"] = "1.25"
    put(root, SUBMISSION, table)
    found = check(root)
    assert found.failed == ("value_col_valid",)
    assert "must be whole (sample)" in found.of("value_col_valid")[0].findings[0].message


def test_order_is_that_of_the_configuration_not_of_the_text(tmp_path: Path) -> None:
    """100 stands after 20 though '100' sorts before: rows are ordered by the hub's list."""
    root = small_hub(tmp_path / "hub")
    config = tasks()
    cdf = config["rounds"][0]["model_tasks"][1]["output_type"]["cdf"]
    cdf["output_type_id"]["required"] = [10, 20, 100]
    write_json(root / "hub-config" / "tasks.json", config)
    table = get(root, SUBMISSION)
    table["output_type_id"] = table["output_type_id"].where(
        ~((table["output_type"] == "cdf") & (table["output_type_id"] == "30")), "100"
    )
    put(root, SUBMISSION, table.iloc[::-1])
    found = check(root / SUBMISSION)
    assert found.failed == ()
    assert found.status("value_col_non_desc") == "passed"


def test_parquet_is_judged_as_csv_is(tmp_path: Path) -> None:
    root = small_hub(tmp_path / "hub")
    table = typed(get(root, SUBMISSION))
    path = root / SUBMISSION.replace(".csv", ".parquet")
    (root / SUBMISSION).unlink()
    table.to_parquet(path, index=False)
    assert check(root).failed == ()
    table["location"] = table["location"].astype("category")
    table.to_parquet(path, index=False)
    assert check(root).failed == ("col_types",)


def test_half_a_million_rows_take_seconds(tmp_path: Path) -> None:
    import time

    root = small_hub(tmp_path / "hub")
    config = tasks()
    places = [f"P{i:03d}" for i in range(400)]
    for task in config["rounds"][0]["model_tasks"]:
        task["task_ids"]["location"] = {"required": None, "optional": places}
        if params := task["output_type"].get("sample", {}).get("output_type_id_params"):
            params |= {"min_samples_per_task": 400, "max_samples_per_task": 400}
    write_json(root / "hub-config" / "tasks.json", config)
    (root / "hub-config" / "validations.yml").unlink()
    n = 400 * 3 * 400
    place, h, s = np.unravel_index(np.arange(n), (400, 3, 400))
    days = np.array(["2024-01-17", "2024-01-24", "2024-01-31"])
    table = pd.DataFrame({
        "origin_date": "2024-01-10", "target": "deaths", "horizon": (h + 1).astype(str),
        "location": np.array(places)[place], "target_end_date": days[h], "output_type": "sample",
        "output_type_id": (place * 400 + s).astype(str), "value": s.astype(str),
    })  # fmt: skip
    quantiles = submission().query("output_type == 'quantile' and location == 'US'")
    more = pd.concat([quantiles.assign(location=p) for p in places])
    put(root, SUBMISSION, pd.concat([table, more]))
    begin = time.process_time()
    found = check(root / SUBMISSION)
    took = time.process_time() - begin
    assert found.failed == ()
    assert "spl_n" in found.passed
    assert took < 15, took


def test_words_types_and_fits() -> None:
    assert [word(x) for x in (0.025, 1.0, 1e5, "01", 7)] == ["0.025", "1", "100000", "01", "7"]
    assert type_of(["2024-01-31", "EW1"]) == "character"
    assert type_of([]) == "character"
    assert [fits(w, "integer") for w in ("1", "-1", "+1", "1e3", "99999999999", "", " 1")] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert [fits(w, "double") for w in ("1", "1e3", "1_0", " 1", "nan", "x")] == [
        True, True, False, False, True, False,
    ]  # fmt: skip


def test_types_of_the_small_hub() -> None:
    found = read_tasks(tasks())
    assert dict(found.types) == {
        "origin_date": "Date", "target": "character", "horizon": "integer",
        "location": "character", "target_end_date": "Date", "output_type": "character",
        "output_type_id": "character", "value": "double",
    }  # fmt: skip
    assert found.target_column == "target"
    assert found.round_ids == ("2024-01-10", "2024-02-14")
