"""What code and its settings are, as text: what a stored result of a stranger's model hangs on."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions
from importlib.metadata import version as installed_version
from threading import Lock
from typing import Any

import numpy as np

from odforecast.seeds import content_hash, steps_of

#: Deeper than this an object is not looked into.
_DEEPEST = 8
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice)


class Kept[T]:
    """What was made last of some contents: no more than so many, each once for all threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = Lock()
        self._held: OrderedDict[object, tuple[Lock, list[T]]] = OrderedDict()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What is kept under a key, or else is made."""
        with self._lock:
            lock, made = self._held.setdefault(key, (Lock(), []))
            self._held.move_to_end(key)
            if len(self._held) > self.most:
                self._held.popitem(last=False)
        with lock:
            if not made:
                made.append(make())
            return made[0]


def distribution_of(module: str) -> str:
    """Distribution and version a module comes from; empty if that is unknown."""
    names = _distributions(tuple(sys.path)).get(module.partition(".")[0], [])
    return installed(names[0]) if names else ""


def installed(distribution: str) -> str:
    """A distribution with its version, ``"NAME==VERSION"``; empty if it is not installed."""
    try:
        return f"{distribution}=={installed_version(distribution)}"
    except PackageNotFoundError:
        return ""


@cache
def _distributions(_path: tuple[str, ...]) -> Mapping[str, list[str]]:
    # All installed files are read for it: once, unless the path changes.
    return packages_distributions()


class Contents:
    """Texts of values, and what was met in making them."""

    # modules: Packages of all classes and functions met.
    # needed: Distributions that estimators of sktime say they run on.
    # unknown: Whether something was met of which nothing says what it is.

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.needed: set[str] = set()
        self.unknown = False

    @property
    def origin(self) -> str:
        """Distributions of all that was met, with versions; empty where one is unknown."""
        found = {distribution_of(m) for m in self.modules}
        needed = {installed(name) for name in self.needed} - {""}
        return ", ".join(sorted(found | needed)) if all(found) and not self.unknown else ""

    def named(self, thing: Any) -> str:
        """Module and name of a class or function."""
        module = str(getattr(thing, "__module__", None) or type(thing).__module__)
        first = module.partition(".")[0]
        if first not in sys.stdlib_module_names or first == "__main__":
            self.modules.add(first)
        return f"{module}.{getattr(thing, '__qualname__', getattr(thing, '__name__', '?'))}"

    def estimator(self, item: Any) -> dict[str, Any]:
        """What an object was made with; nothing that it learned."""
        if isinstance(item, type):
            return {}
        if callable(getattr(item, "get_tag", None)):
            said = item.get_tag("python_dependencies", None, raise_error=False)
            self.needed |= {re.split(r"[\s<>=!~\[;]", one, maxsplit=1)[0] for one in _flat(said)}
        if callable(getattr(item, "get_params", None)):
            return dict(item.get_params(deep=False))
        held = getattr(item, "__dict__", {})
        return {k: v for k, v in held.items() if not k.startswith("_") and not k.endswith("_")}

    def text(self, value: Any, depth: int = 0) -> str:
        """A text that hangs on a value's content, never on where it lies in memory."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if depth > _DEEPEST:
            self.unknown = True
            return "..."
        deeper = depth + 1
        if isinstance(value, np.generic):
            return repr(value.item())
        if isinstance(value, np.ndarray) and value.dtype != object:
            return f"array {content_hash(value)}"
        if isinstance(value, Mapping):
            pairs = (f"{self.text(k, deeper)}: {self.text(v, deeper)}" for k, v in value.items())
            return _listed("{}", pairs)
        if isinstance(value, list | tuple | np.ndarray):
            return _listed("[]", (self.text(v, deeper) for v in value))
        if isinstance(value, set | frozenset):
            return _listed("{}", sorted(self.text(v, deeper) for v in value))
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            return _listed("()", (self.text(v, deeper) for v in parts))
        if isinstance(value, type | np.ufunc):
            return self.named(value)
        if inspect.isroutine(value):
            return f"{self.named(value)} {self.function(value, deeper)}".strip()
        if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy"):
            return f"{type(value).__name__} {self.text(value.to_numpy(), deeper)}"
        held = self.estimator(value)
        if not held and not hasattr(value, "get_params"):
            self.unknown = True  # nothing says what it is
        inside = (f"{k}={self.text(v, deeper)}" for k, v in sorted(held.items()))
        return self.named(type(value)) + _listed("()", inside)

    def function(self, function: Any, depth: int = 0) -> str:
        """A function's text, with the values that it holds; empty of one that is not Python's."""
        # Two functions of one text differ in what they close over, and in defaults.
        code = getattr(inspect.unwrap(function), "__code__", None)
        if code is None:
            return ""
        held = [
            getattr(function, "__defaults__", None),
            getattr(function, "__kwdefaults__", None),
            [_cell(cell) for cell in getattr(function, "__closure__", None) or ()],
        ]
        said = "" if held == [None, None, []] else self.text(held, depth + 1)
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):  # it cannot be found
            source = None
        # Two lambdas in one line have one text.
        steps = steps_of(code) if source is None or code.co_name == "<lambda>" else ""
        if source is not None and not said and not steps:
            return content_hash(source)
        return content_hash(source, steps, said)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty: not yet bound
        return None


def _flat(said: object) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, Iterable):
        for one in said:
            yield from _flat(one)


def _listed(brackets: str, texts: Iterable[str]) -> str:
    return brackets[0] + ", ".join(texts) + brackets[1]
