"""The mutation tool: exact edits, in code only, the same for the same seed."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import faults
import mutants
import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"


def test_an_edit_changes_its_span_and_no_other_byte():
    code = "π = 'é'; y = (π  # a + b\n     )+(  # - c\r\n  2)\n".encode()
    found = mutants.mutants(code)
    plus = next(m for m in found if m.old == "+")
    assert (plus.line, plus.column) == (2, 7)
    for mutant in found:
        broken = mutant.apply(code)
        assert broken[: mutant.start] == code[: mutant.start]
        assert broken[mutant.start + len(mutant.new) :] == code[mutant.end :]
        assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(code))


KNOWN = tomllib.loads((TOOLS / "mutations.toml").read_text(encoding="utf-8"))


def test_every_named_fault_stands_once_in_its_file():
    found = faults.named_faults(TOOLS.parent, KNOWN["named"])
    assert len(found) == len(KNOWN["named"])


def test_every_equivalent_stands_once_in_its_file():
    faults.drawn_faults(TOOLS.parent, 1, 1, ["seeds.py"], KNOWN["equivalent"])


@pytest.mark.parametrize("entry", KNOWN["named"], ids=lambda entry: entry["name"])
def test_the_tests_of_a_named_fault_are_there(entry):
    """Its files, and for every word of ``-k a or b`` a test in one of them."""
    options = [each for each in entry["tests"] if each.startswith("-")]
    paths = [each for each in entry["tests"] if not each.startswith("-")]
    assert paths
    texts = []
    for each in paths:
        path, _, test = each.partition("::")
        assert (TOOLS.parent / path).is_file(), each
        texts.append((TOOLS.parent / path).read_text(encoding="utf-8"))
        assert not test or f"def {test.partition('[')[0]}(" in texts[-1], each
    # Several paths and one ``-k``: each word has a test in one of them.
    names = [n for text in texts for n in re.findall(r"def (test_\w+)", text)]
    for option in options:
        assert option.startswith("-k "), option
        for word in option.removeprefix("-k ").split(" or "):
            assert any(word in name for name in names), word
