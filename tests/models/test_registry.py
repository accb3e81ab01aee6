"""One row per built-in model: what lists, hubs and pages say of it is there, and is its own."""

import re
from pathlib import Path

import pytest

from odforecast.errors import UnknownNameError
from odforecast.models import get_model
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


def test_the_page_of_models_lists_every_model_and_no_other() -> None:
    table = INDEX.read_text().partition("| models |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = re.findall(r"`([^`]+)`", re.sub(r"\{doc\}`\w+`", "", " ".join(cells)))
    assert sorted(names) == sorted([*BUILT_IN, "NAME+delay"])


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
