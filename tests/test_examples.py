"""Whoever pastes an example of a public name has every name it uses.

pytest runs the examples in the namespace of their module, where a name that the reader has to
import is there already; so that is looked at here, without running them.
"""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import FunctionType

import pytest

import odforecast as od

ROOT = Path(__file__).resolve().parents[1]

_spec = importlib.util.spec_from_file_location(
    "names_table", ROOT / "docs" / "_ext" / "names_table.py"
)
assert _spec is not None
assert _spec.loader is not None
names_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(names_table)

#: Besides those whose names have a table.
PACKAGES = (*names_table.PUBLIC, "odforecast.evidence", "odforecast.vintage")


def public() -> Iterator[tuple[str, object]]:
    """What the tables of names and the pages of the reference have, by its full name."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        yield package, module
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            yield names_table.home(package, name, value), value
    for page in sorted((ROOT / "docs" / "reference" / "api").glob("*.md")):
        for block in re.split(r"^\.\. currentmodule:: ", page.read_text(), flags=re.M)[1:]:
            package = block.split("\n", 1)[0].strip()
            for name in re.findall(r"^   ~?([\w.]+)$", block.split("```")[0], re.M):
                inside, _, last = f"{package}.{name}".rpartition(".")
                yield f"{inside}.{last}", getattr(importlib.import_module(inside), last)


def documented() -> Iterator[tuple[str, str]]:
    """Each public name, and public member of a public class, with its docstring."""
    for full, value in public():
        if inspect.ismodule(value) or (
            (inspect.isclass(value) or inspect.isroutine(value))
            and value.__module__.startswith("odforecast")
        ):
            yield full, value.__doc__ or ""
            if inspect.isclass(value):
                yield from members(full, value)


def members(full: str, cls: type) -> Iterator[tuple[str, str]]:
    """Its public members that code of this package defines."""
    told = (FunctionType, classmethod, staticmethod, property, cached_property)
    for name in names_table.own_members(cls, told):
        yield f"{full}.{name}", inspect.getattr_static(cls, name).__doc__ or ""


def not_bound(text: str) -> set[str]:
    """Names that the examples of a docstring use before they bind them.

    Examples
    --------
    >>> sorted(not_bound(">>> import odforecast as od\\n>>> od.read(path)"))
    ['path']
    """
    bound = set(dir(builtins))
    free: set[str] = set()
    for example in doctest.DocTestParser().get_examples(text):
        used: set[str] = set()
        for node in ast.walk(ast.parse(example.source)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    used.add(name)
                case ast.Name(id=name) | ast.arg(arg=name):
                    bound.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    bound.add(name)
                case ast.ExceptHandler(name=str(name)):
                    bound.add(name)
                case ast.alias(name=name, asname=asname):
                    bound.add(asname or name.split(".")[0])
                case _:
                    pass
        free |= used - bound
    return free


EXAMPLES = {name: text for name, text in documented() if ">>>" in text}


def test_there_are_examples() -> None:
    assert {"odforecast", "odforecast.archive", "odforecast.Panel.from_frame"} <= EXAMPLES.keys()
    assert od.__all__


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_binds_what_it_uses(name: str) -> None:
    assert not not_bound(EXAMPLES[name])


@pytest.mark.parametrize(
    ("text", "free"),
    [
        (">>> import numpy as np\n>>> np.ones(3)", set()),
        (">>> import odforecast.plot\n>>> odforecast.plot.fan", set()),
        (">>> from a import b\n>>> [c for c in b]", set()),
        (">>> def f(x):\n...     return x\n>>> f(1)", set()),
        (">>> try:\n...     f\n... except ValueError as e:\n...     print(e)", {"f"}),
        (">>> named('x')", {"named"}),
        (">>> x.sum()\n>>> x = 1", {"x"}),
    ],
)
def test_not_bound(text: str, free: set[str]) -> None:
    assert not_bound(text) == free
