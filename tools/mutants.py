"""Mutants of a Python file: one small fault each, as an edit of an exact span of its bytes.

What no test of a number can see is left alone: docstrings and other texts, annotations, type
aliases, ``__all__``, decorators, ``raise`` statements, logging and printing.
"""

from __future__ import annotations

import ast
import math
import random
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

_BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_EXTREMES = ("min", "nanmin", "argmin", "nanargmin", "minimum", "fmin", "cummin", "idxmin")
_SWAP = {low: low.replace("min", "max") for low in _EXTREMES}
_SWAP |= {high: low for low, high in _SWAP.items()}
#: Calls that only tell somebody something: by their last name, and what else they are methods of.
_TELLING = {"print", "echo", "secho", "warn"}
_TELLERS = {"log", "_log", "logger", "_logger", "logging", "warnings"}
_ALIAS_NAME = re.compile(r"_?[A-Z]+[a-z]\w*")


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes
    ----------
    file : str
        Path under ``src/odforecast``, with forward slashes.
    line, column : int
        Where the edit starts, both from 1; the column in bytes.
    start, end : int
        Span of the file's bytes that is replaced.
    old, new : str
        What stood there, and what stands there instead.
    """

    file: str
    line: int
    column: int
    start: int
    end: int
    old: str
    new: str

    def apply(self, data: bytes) -> bytes:
        """The file with this fault; every byte outside the span is kept."""
        if data[self.start : self.end] != self.old.encode():
            raise ValueError(f"{self.file}:{self.line}: {self.old!r} is no longer there")
        return data[: self.start] + self.new.encode() + data[self.end :]


def mutants(data: bytes, file: str = "") -> list[Mutant]:
    """All mutants of one file, in the order of their places.

    Parameters
    ----------
    data : bytes
        The file, in UTF-8.
    file : str
        Its name in the mutants.
    """
    finder = _Finder(data, file)
    finder.visit(ast.parse(data))
    return sorted(finder.found, key=lambda mutant: (mutant.start, mutant.new))


def mutant_at(data: bytes, file: str, find: str, replace: str) -> Mutant:
    """The mutant that replaces a text standing exactly once in a file.

    Raises
    ------
    ValueError
        If the text stands there never or more than once.
    """
    count = data.count(find.encode())
    if not find or count != 1:
        raise ValueError(f"stands {count} times in {file}, not once: {find!r}")
    start = data.index(find.encode())
    return _mutant(file, _line_starts(data), start, find, replace)


def draw(found: Mapping[str, Sequence[Mutant]], seed: int, lines: int) -> list[Mutant]:
    """Lines at random, and one mutant of each; by file and line.

    Parameters
    ----------
    found : mapping of str to sequence of Mutant
        Mutants by file.
    seed : int
        The same seed gives the same draw from the same files.
    lines : int
        How many lines; all, if there are fewer.
    """
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for file in sorted(found):
        for mutant in found[file]:
            by_line.setdefault((file, mutant.line), []).append(mutant)
    rng = random.Random(seed)
    chosen = rng.sample(sorted(by_line), min(lines, len(by_line)))
    return [rng.choice(by_line[place]) for place in sorted(chosen)]


def _line_starts(data: bytes) -> list[int]:
    """Offset of the first byte of every line."""
    return [0, *accumulate(len(line) for line in data.splitlines(keepends=True))]


def _mutant(file: str, starts: list[int], start: int, old: str, new: str) -> Mutant:
    """A mutant from the offset of its edit."""
    line = bisect_right(starts, start)
    column = start - starts[line - 1] + 1
    return Mutant(file, line, column, start, start + len(old.encode()), old, new)


def _is_type_alias(node: ast.Assign) -> bool:
    """Whether an assignment names a type (``Floats = NDArray[np.float64]``)."""
    (target, *more) = node.targets
    named = isinstance(target, ast.Name) and _ALIAS_NAME.fullmatch(target.id)
    union = isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
    return bool(named) and not more and (union or isinstance(node.value, ast.Subscript))


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is a literal text."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


class _Finder(ast.NodeVisitor):
    """Collects the mutants of one syntax tree."""

    def __init__(self, data: bytes, file: str) -> None:
        self.data, self.file = data, file
        self.starts = _line_starts(data)
        self.found: list[Mutant] = []

    # Where to look.

    def _nothing(self, node: ast.AST) -> None:
        """Leave a node and all within it alone."""

    visit_Raise = visit_JoinedStr = visit_TemplateStr = visit_TypeAlias = _nothing

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Defaults and body; no annotation, no decorator."""
        for part in (*node.args.defaults, *node.args.kw_defaults, *node.body):
            if part is not None:
                self.visit(part)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The body alone."""
        for part in node.body:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The value, unless it is a type."""
        if node.value is not None and not ast.unparse(node.annotation).endswith("TypeAlias"):
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        """All but types and ``__all__``."""
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if "__all__" not in names and not _is_type_alias(node):
            self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """The condition, not the message."""
        self.visit(node.test)

    # What to break.

    def visit_Call(self, node: ast.Call) -> None:
        """``min`` and ``max``; calls that only tell are left alone."""
        names = ast.unparse(node.func).split(".")
        if names[-1] in _TELLING or (len(names) > 1 and names[0] in _TELLERS):
            return
        if isinstance(node.func, ast.Name) and node.func.id in _SWAP:
            self._add(self._start(node.func), node.func.id, _SWAP[node.func.id])
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``np.maximum``, ``.max()`` and their like."""
        if node.attr in _SWAP:
            self._add(self._end(node) - len(node.attr), node.attr, _SWAP[node.attr])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Arithmetic and masks; texts are joined, not added."""
        if type(node.op) in _BINARY and not (_is_text(node.left) or _is_text(node.right)):
            self._between(node.left, node.right, *_BINARY[type(node.op)])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """``+=`` and its like."""
        if type(node.op) in _BINARY and not _is_text(node.value):
            old, new = _BINARY[type(node.op)]
            self._between(node.target, node.value, f"{old}=", f"{new}=")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """A minus, or a dropped ``not`` or ``~``."""
        start = self._start(node)
        if isinstance(node.op, ast.USub):
            self._add(start, "-", "+")
        elif isinstance(node.op, ast.Invert):
            self._add(start, "~", "")
        elif isinstance(node.op, ast.Not):
            drop = re.match(rb"not[ \t]*", self.data[start : self._end(node)])
            assert drop is not None
            self._add(start, drop.group().decode(), "")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """``and`` and ``or``."""
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in pairwise(node.values):
            self._between(left, right, *words)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Every comparison of a chain."""
        for (left, right), operator in zip(pairwise([node.left, *node.comparators]), node.ops):
            self._between(left, right, *_COMPARE[type(operator)])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A whole number one off; another a tenth larger."""
        value, start = node.value, self._start(node)
        old = self.data[start : self._end(node)].decode()
        if isinstance(value, int) and not isinstance(value, bool):
            self._add(start, old, str(value + 1))
            if value > 0:
                self._add(start, old, str(value - 1))
        elif isinstance(value, float) and math.isfinite(1.1 * value):
            self._add(start, old, repr(float(f"{1.1 * value:.12g}")) if value else "0.1")

    # Places.

    def _start(self, node: ast.expr) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """An operator between two operands: only brackets and comments stand beside it."""
        start, end = self._end(left), self._start(right)
        gap = re.sub(rb"#[^\r\n]*", lambda note: b" " * len(note.group()), self.data[start:end])
        # The two words of an operator may stand apart.
        place = re.search(rb"\s+".join(re.escape(w.encode()) for w in old.split()), gap)
        assert place is not None
        self._add(start + place.start(), place.group().decode(), new)

    def _add(self, start: int, old: str, new: str) -> None:
        self.found.append(_mutant(self.file, self.starts, start, old, new))
