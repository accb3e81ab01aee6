"""One row per built-in model: what lists, hubs and pages say of it is there, and is its own."""

import inspect
import re
from pathlib import Path

import pytest

from odforecast.errors import UnknownNameError
from odforecast.models import baselines, get_model
from odforecast.models.registry import BUILT_IN, built_in
from odforecast.names import STATES

INDEX = Path(__file__).parents[2] / "docs" / "models" / "index.md"


def test_every_row_says_what_its_model_is() -> None:
    for name, row in BUILT_IN.items():
        spec = get_model(name).spec
        assert spec.model == row.name == name
        assert (spec.dataset or STATES) == row.dataset
        assert 5 < len(row.line) <= 72, f"{name}: a line for `odforecast models`"
        assert not row.line.endswith("."), name
        assert row.methods.endswith("."), f"{name}: a sentence for hubs"
        assert not row.twin or row.twin in BUILT_IN
    titles = [row.title for row in BUILT_IN.values()]
    assert all(titles)
    assert len(set(titles)) == len(titles)


def test_every_rule_of_a_baseline_has_a_row_that_says_it_is_one() -> None:
    functions = inspect.getmembers(baselines, inspect.isfunction)
    rules = {
        f for _, f in functions if [*inspect.signature(f).parameters][:2] == ["sums", "horizon"]
    }
    assert len(rules) > 1
    models = {name: get_model(name).inner for name in BUILT_IN}
    used = {name: m.rule for name, m in models.items() if isinstance(m, baselines.Baseline)}
    without = {rule.__name__ for rule in rules - {*used.values()}}
    assert not without, "give it a row (BuiltIn) in models/registry.py"
    unsaid = [name for name in used if not BUILT_IN[name].baseline]
    assert not unsaid, "its row needs baseline=True"
    forms = {m.form for m in models.values() if isinstance(m, baselines.Classical)}
    assert forms == {*baselines._FITTERS}, "give it a row (_series) in models/registry.py"


def test_the_page_of_models_lists_every_model_and_no_other() -> None:
    table = INDEX.read_text().partition("| models |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = set(re.findall(r"`([^`]+)`", re.sub(r"\{doc\}`\w+`", "", " ".join(cells))))
    expected = {*BUILT_IN, "NAME+delay"}
    missing, unknown = expected - names, names - expected
    assert not missing, "add it to the table of docs/models/index.md"
    assert not unknown, "no such model: take it out of docs/models/index.md"


def test_a_row_is_found_with_the_layer_too() -> None:
    row = built_in("naive-sums+delay")
    assert row is not None
    assert (row.name, row.twin, row.baseline) == ("naive-sums", "naive", True)
    assert built_in("mine") is None


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("dlm", "dealy", "dlm has no parameter 'dealy'"),
        ("hub-baseline", "rule", "hub-baseline has no parameter 'rule'"),
        ("naive-sums", "sums", "naive-sums has no parameter 'sums'"),
        ("county-last", "pooled", "county-last has no parameter 'pooled'"),
    ],
)
def test_what_a_row_settles_is_not_a_setting(name: str, setting: str, words: str) -> None:
    with pytest.raises(UnknownNameError, match=words):
        get_model(name, **{setting: True})
