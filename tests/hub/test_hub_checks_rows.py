"""The checks of rows against plain readings of hubValidations' code, and their edges."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hub_breaker import SUBMISSION, config, put, small_hub, submission
from hypothesis import given
from hypothesis import strategies as st

from odforecast.hub.checks import Outcome, check
from odforecast.hub.checks.report import Rows
from odforecast.hub.checks.submission import Submission
from odforecast.hub.layout import Choice, ModelTask, OutputType, Samples

COLUMNS = ["a", "b", "c"]
NAMES = [*COLUMNS, "output_type", "output_type_id", "value"]


def submission_of(rows: list[tuple[str, ...]], task: ModelTask) -> Submission:
    texts = pd.DataFrame(rows, columns=NAMES, dtype=object)
    coded = {name: pd.factorize(texts[name]) for name in NAMES}
    codes = pd.DataFrame({name: codes for name, (codes, _) in coded.items()})
    words = {name: [*known, None] for name, (_, known) in coded.items()}
    one = Submission(Path("x"), None, None, {})  # type: ignore[arg-type]
    one.__dict__ |= {
        "rows": Rows(codes, words, {}, np.arange(2, len(codes) + 2)),
        "tasks": (task,),
        "columns": COLUMNS,
    }
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
    outputs = {
        n: OutputType(n, Choice(texts(n[0], 1)), draw(st.booleans())) for n in ("quantile", "pmf")
    }
    pairs = [(name, i) for name, output in outputs.items() for i in output.ids]
    grid = list(itertools.product(*(c.allowed for c in choices), pairs))
    return choices, outputs, draw(st.lists(st.sampled_from(grid), max_size=12, unique=True))


@given(hubs())
def test_what_is_required_is_what_hub_validations_requires(hub):
    choices, outputs, rows = hub
    task = ModelTask(dict(zip(COLUMNS, choices)), outputs)
    one = submission_of([(*r[:3], *r[3], "1") for r in rows], task)
    found = Outcome.of("req_vals", "", one.req_vals())
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
    params = Samples(sorted(configured), "integer")
    choices = [Choice((), ("x", "y")), Choice((), ("u", "v")), Choice((), ("1", "2", "3"))]
    task = ModelTask(dict(zip(COLUMNS, choices)),
                     {"sample": OutputType(output_type_id_params=params)})  # fmt: skip
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
    quantiles = submission().query("output_type == 'quantile' and location == 'US'")
    more = pd.concat([quantiles.assign(location=p) for p in places])
    put(root, SUBMISSION, pd.concat([table, more]))
    begin = time.process_time()
    found = check(root / SUBMISSION)
    took = time.process_time() - begin
    assert found.failed == ()
    assert "spl_n" in found.passed
    assert took < 15, took
