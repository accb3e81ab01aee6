"""The mutation tool: exact edits, in code only, the same for the same seed."""

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


def test_every_named_fault_and_every_equivalent_stands_once_in_its_file():
    found = faults.named_faults(TOOLS.parent, KNOWN["named"])
    assert len(found) == len(KNOWN["named"])
    faults.drawn_faults(TOOLS.parent, 1, 1, ["seeds.py"], KNOWN["equivalent"])


@pytest.mark.parametrize("entry", KNOWN["named"], ids=lambda entry: entry["name"])
def test_the_tests_of_a_named_fault_are_there(entry):
    """Its files, and for every word of ``-k a or b`` a test in one of them."""
    paths = [each.partition("::") for each in entry["tests"] if not each.startswith("-")]
    options = [each for each in entry["tests"] if each.startswith("-")]
    assert paths
    names = []
    for path, _, test in paths:
        there = re.findall(r"def (test_\w+)", (TOOLS.parent / path).read_text(encoding="utf-8"))
        assert not test or test.partition("[")[0] in there, path
        names += there
    for option in options:
        assert option.startswith("-k "), option
        for word in option.removeprefix("-k ").split(" or "):
            assert any(word in name for name in names), word
