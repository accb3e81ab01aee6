"""The mutation tool: exact edits, in code only, the same for the same seed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import faults  # noqa: E402
import mutants  # noqa: E402
import mutate  # noqa: E402

SOURCE = '''"""Add 1 + 1 < 3 and not 4."""

from typing import Literal

__all__ = ["a" + "b", "c"][0:1]
Floats = int | float


@cache(maxsize=7)
def f(x: Literal[1, 2], n: "int | None" = None) -> Literal[3]:
    """Return 5 - 2."""
    y: Literal[6] = x
    if n is not None and not x:
        raise ValueError(f"{n - 1} is not {x + 1}", 8 * 9)
    log.info("got %s", n + 1)
    assert x, "x" + str(x - 1)
    return y
'''


def changes(code: str) -> set[tuple[str, str]]:
    return {(m.old, m.new) for m in mutants.mutants(code.encode())}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a + b", {("+", "-")}),
        ("a - b", {("-", "+")}),
        ("a * b", {("*", "/")}),
        ("a ** b", {("**", "*")}),
        ("a // b", {("//", "/")}),
        ("-a", {("-", "+")}),
        ("a += b", {("+=", "-=")}),
        ("a & ~b", {("&", "|"), ("~", "")}),
        ("a < b <= c", {("<", "<="), ("<=", "<")}),
        ("a == b", {("==", "!=")}),
        ("a not  in b", {("not  in", "in")}),
        ("a is b", {("is", "is not")}),
        ("a and b", {("and", "or")}),
        ("not (a or b)", {("not ", ""), ("or", "and")}),
        ("x[0]", {("0", "1")}),
        ("x[1:]", {("1", "2"), ("1", "0")}),
        ("x[-1]", {("-", "+"), ("1", "2"), ("1", "0")}),
        ("f(0.5, True)", {("0.5", "0.55")}),
        ("f(0.0)", {("0.0", "0.1")}),
        ("min(a)", {("min", "max")}),
        ("np.maximum(a)", {("maximum", "minimum")}),
        ("a.argmin()", {("argmin", "argmax")}),
        ("np.log(a + b)", {("+", "-")}),
        ("'a' + b", set()),
        ("print(a + b)", set()),
        ("logger.info(a + b)", set()),
        ("type X = A | B", set()),
    ],
)
def test_every_kind_of_fault(code, expected):
    assert changes(code) == expected


def test_texts_types_and_errors_are_left_alone():
    assert changes(SOURCE) == {("is not", "is"), ("and", "or"), ("not ", "")}


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


def test_an_edit_of_another_file_is_refused():
    (mutant,) = mutants.mutants(b"a + b")
    with pytest.raises(ValueError, match="no longer there"):
        mutant.apply(b"a - b")


def test_every_mutant_of_the_package_is_python():
    root = TOOLS.parent
    drawn = faults.drawn_faults(root, seed=0, lines=40)
    assert len(drawn) == 40
    for fault in drawn:
        data = (root / faults.PACKAGE / fault.mutant.file).read_bytes()
        ast.parse(fault.mutant.apply(data))


def test_a_draw_takes_each_line_once_and_follows_its_seed():
    code = "\n".join(f"x{i} = a[{i}] + b * {i}" for i in range(50)).encode()
    found = {name: mutants.mutants(code, name) for name in ("b.py", "a.py")}
    first = mutants.draw(found, 1, 30)
    assert first == mutants.draw(dict(reversed(found.items())), 1, 30)
    assert first != mutants.draw(found, 2, 30)
    assert len({(m.file, m.line) for m in first}) == 30
    assert len(mutants.draw(found, 1, 1000)) == 100


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


@pytest.fixture
def tree(tmp_path):
    file = tmp_path / faults.PACKAGE / "models" / "a.py"
    file.parent.mkdir(parents=True)
    file.write_text("x = a < b\n")
    (tmp_path / "tests" / "models").mkdir(parents=True)
    return tmp_path


def named_intervention(**changed):
    entry = {"name": "n", "file": "models/a.py", "find": "a < b", "replace": "a", "tests": []}
    return entry | changed


def test_a_named_fault_is_found_where_it_stands(tree):
    (fault,) = faults.named_faults(tree, [named_intervention(tests=["-k", "x"])])
    assert (fault.mutant.line, fault.mutant.column, fault.stages) == (1, 5, [("-k", "x")])
    assert fault.mutant.apply(b"x = a < b\n") == b"x = a\n"


@pytest.mark.parametrize(
    "changed",
    [{"find": "a > b"}, {"find": " "}, {"file": "b.py"}, {"replace": "("}, {"replace": "a < b"},
     {"tests": "tests"}],
)  # fmt: skip
def test_an_entry_that_no_longer_fits_is_stale(tree, changed):
    with pytest.raises(faults.StaleError, match="STALE n: "):
        faults.named_faults(tree, [named_intervention(**changed)])


def test_a_name_is_used_once(tree):
    with pytest.raises(faults.StaleError, match="2 entries"):
        faults.named_faults(tree, [named_intervention(), named_intervention()])


def test_an_equivalent_is_drawn_with_its_reason(tree):
    entry = {"file": "models/a.py", "find": "<", "reason": "never equal"}
    for known in (entry, entry | {"replace": "<="}):
        (fault,) = faults.drawn_faults(tree, 1, 1, ["models"], [known])
        assert fault.result == "equivalent: never equal"
    (fault,) = faults.drawn_faults(tree, 1, 1, ["models"], [entry | {"replace": ">"}])
    assert fault.result == ""
    with pytest.raises(faults.StaleError):
        faults.drawn_faults(tree, 1, 1, ["models"], [entry | {"find": ">"}])


def test_the_nearest_tests_come_first_and_absent_ones_are_skipped(tree):
    assert faults.likely_tests(tree, "models/a.py") == [("tests/models",)]
    (tree / "tests" / "models" / "test_dlm.py").touch()
    (tree / faults.PACKAGE / "models" / "dlm.py").write_text('"""\n>>> 1\n1\n"""\n')
    assert faults.likely_tests(tree, "models/dlm.py") == [
        ("src/odforecast/models/dlm.py",),
        ("tests/models/test_dlm.py",),
        ("tests/models",),
    ]


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (0, "3 passed", ("SURVIVED", "")),
        (5, "no tests ran", ("SURVIVED", "")),
        (1, "F\nFAILED tests/a.py::t[x y] - assert 1\n", ("killed", "by tests/a.py::t[x y]")),
        (2, "ERROR tests/a.py - ImportError: b\n", ("killed", "by tests/a.py")),
        (-11, "", ("killed", "by a crash (signal 11)")),
        (4, "ERROR: not found: x\n", ("BROKEN", "pytest exit 4: ERROR: not found: x")),
    ],
)
def test_the_verdict_names_the_test(code, output, expected):
    assert mutate.verdict(code, output) == expected


@pytest.mark.slow
def test_where_a_fault_stands_is_not_what_notices_it(tmp_path):
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    for name in ("test_mutate.py", "test_other.py"):
        (tree / "tests" / name).write_text("def test_it():\n    assert False\n")
    assert mutate.run_tests(tree, (), 60)[1] == "by tests/test_other.py::test_it"
    (tree / "tests" / "test_other.py").write_text("def test_it():\n    pass\n")
    assert mutate.run_tests(tree, (), 60) == (mutate.SURVIVED, "")


def test_the_report_counts_and_keeps_its_columns():
    (mutant,) = mutants.mutants(b"a | b", "a.py")
    done = [faults.Fault(mutant, [], "a | b", verdict=v) for v in ("killed", "TIMEOUT", "SURVIVED")]
    text = mutate.report(done, "Title")
    assert "| a.py:1:3 | `a \\| b` | `\\| -> &` | SURVIVED |" in text
    assert "3 faults: 2 killed (1 by timeout), 1 survived, 0 equivalent" in text
