"""Settings of an object as text, and which installed distributions its code comes from."""

from __future__ import annotations

import json
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import (
    Distribution,
    PackageNotFoundError,
    distribution,
    packages_distributions,
)
from importlib.metadata import version as installed_version
from threading import Lock
from types import FunctionType
from typing import Any

import numpy as np

from odforecast.seeds import content_hash

#: Deeper than this an object is not looked into.
_DEEPEST = 8
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice)


class Kept[T]:
    """The values that were used last: at most so many, each made once for all threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = Lock()
        self._values: OrderedDict[object, tuple[Lock, list[T]]] = OrderedDict()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """The value under a key; made if there is none."""
        with self._lock:
            lock, values = self._values.setdefault(key, (Lock(), []))
            self._values.move_to_end(key)
            if len(self._values) > self.most:
                self._values.popitem(last=False)
        with lock:
            if not values:
                values.append(make())
            return values[0]


def distribution_of(module: str) -> str:
    """Distribution and version a module comes from; empty if that is unknown."""
    names = _distributions(tuple(sys.path)).get(module.partition(".")[0], [])
    return installed(names[0]) if names else ""


def is_edited(package: Distribution | None) -> bool:
    """Whether a package is installed for editing, as far as is known: its version says nothing."""
    text = package.read_text("direct_url.json") if package is not None else None
    try:
        address = json.loads(text) if text else {}
    except ValueError:
        return True
    return bool(address.get("dir_info", {}).get("editable", False))


def origin_of(module: str) -> str:
    """Distribution and version that tell a module's code; empty if none does."""
    origin = distribution_of(module)
    name = origin.partition("==")[0]
    # Our own checkout is told by a digest of its files.
    if origin and name != "odforecast" and is_edited(distribution(name)):
        return ""
    return origin


def installed(name: str) -> str:
    """A distribution with its version, ``"NAME==VERSION"``; empty if it is not installed."""
    try:
        return f"{name}=={installed_version(name)}"
    except PackageNotFoundError:
        return ""


@cache
def _distributions(_path: tuple[str, ...]) -> Mapping[str, list[str]]:
    # All installed files are read for it: once, unless the path changes.
    return packages_distributions()


class Contents:
    """Texts of settings, and where the code of everything in them comes from."""

    def __init__(self) -> None:
        #: Packages of all classes and functions.
        self.modules: set[str] = set()
        #: Distributions that estimators of sktime say they run on.
        self.needed: set[str] = set()
        #: Whether a value has no text of its own, or code that no version tells.
        self.unknown = False

    @property
    def origin(self) -> str:
        """All distributions, with versions; empty where one is unknown."""
        distributions = {distribution_of(module) for module in self.modules}
        if self.unknown or not all(distributions):
            return ""
        distributions |= {installed(name) for name in self.needed} - {""}
        return ", ".join(sorted(distributions))

    def named(self, thing: type | FunctionType | np.ufunc) -> str:
        """Module and name of a class or function."""
        module = str(getattr(thing, "__module__", None) or type(thing).__module__)
        package = module.partition(".")[0]
        if package not in sys.stdlib_module_names or package == "__main__":
            self.modules.add(package)
        name = getattr(thing, "__qualname__", thing.__name__)
        # Made within a function: nobody can say what it holds.
        if "<" in name or getattr(thing, "__closure__", None):
            self.unknown = True
        return f"{module}.{name}"

    def estimator(self, item: Any) -> dict[str, Any]:
        """What an object was made with, without what it learned."""
        if callable(getattr(item, "get_tag", None)):
            needed = item.get_tag("python_dependencies", None, raise_error=False)
            names = (
                re.split(r"[\s<>=!~\[;]", text, maxsplit=1)[0]
                for text in _texts(needed)
            )
            self.needed.update(names)
        if callable(getattr(item, "get_params", None)):
            return dict(item.get_params(deep=False))
        attributes = getattr(item, "__dict__", {})
        return {
            k: v
            for k, v in attributes.items()
            if not k.startswith("_") and k[-1] != "_"
        }

    def text(self, value: Any, depth: int = 0) -> str:
        """A value as text, which does not depend on where it lies in memory."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, np.generic):
            return repr(value.item())
        if isinstance(value, np.ndarray) and value.dtype != object:
            return f"array {content_hash(value)}"
        if isinstance(value, type | FunctionType | np.ufunc):
            return self.named(value)
        if depth > _DEEPEST:
            self.unknown = True
            return "..."
        deeper = depth + 1
        if isinstance(value, Mapping):
            pairs = (
                f"{self.text(k, deeper)}: {self.text(v, deeper)}"
                for k, v in value.items()
            )
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, list | tuple):
            return "[" + ", ".join(self.text(v, deeper) for v in value) + "]"
        settings = self.estimator(value)
        if not settings and not hasattr(value, "get_params"):
            self.unknown = True
        texts = (f"{k}={self.text(v, deeper)}" for k, v in sorted(settings.items()))
        return f"{self.named(type(value))}({', '.join(texts)})"


def _texts(nested: object) -> Iterator[str]:
    """Texts out of lists within lists."""
    if isinstance(nested, str):
        yield nested
    elif isinstance(nested, list | tuple):
        for part in nested:
            yield from _texts(part)
