"""Models of installed packages: their entry points, and what is wrong with them, in one line."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from odforecast.errors import UnknownNameError
from odforecast.models.model import LABEL, Drawer, Forecaster, Model
from odforecast.models.spec import Spec
from odforecast.panel import Panel

#: Where packages name their models.
ENTRY_POINT_GROUP = "odforecast.models"
#: What an entry point must lead to.
FORM = "it must lead to a class or function that makes a forecaster, or to what @od.forecaster made"
_OURS = Spec("").origin


def points(taken: Collection[str]) -> dict[str, EntryPoint]:
    """Models of installed packages that can be asked for, by name.

    Parameters
    ----------
    taken : collection of str
        Names of built-in models, which none of them takes over.
    """
    return {name: found[0] for name, found in _by_name().items() if _usable(name, taken)}


def unusable(taken: Collection[str]) -> Iterator[str]:
    """What is wrong with names of installed models, in one line each."""
    for name, found in _by_name().items():
        if name in taken:
            for point in found:
                yield (
                    f"{named(point)} is not used: odforecast has a model of that name; its author "
                    "should give the entry point another name"
                )
        elif not _usable(name, taken):
            yield (
                f"{named(found[0])} is not used: its name is no name of a model; letters, digits, "
                "spaces and _.,=()[]'- only"
            )
        for point in found[1:] if _usable(name, taken) else ():
            yield f"{named(point)} is not used: {_of(found[0])} has a model of that name"


def _by_name() -> dict[str, list[EntryPoint]]:
    """Entry points by name; of one name, in the order of their distributions."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: (p.name, _of(p))):
        same = found.setdefault(point.name, [])
        if all((_of(p), p.value) != (_of(point), point.value) for p in same):
            same.append(point)
    return found


def _usable(name: str, taken: Collection[str]) -> bool:
    # A plus sign is of layers: get_model("naive+delay").
    return name not in taken and LABEL.fullmatch(name) is not None and "+" not in name


def _of(point: EntryPoint) -> str:
    """Distribution and version of an entry point."""
    return f"{point.dist.name}=={point.dist.version}" if point.dist is not None else "?"


def named(point: EntryPoint) -> str:
    """A model of a package, for messages."""
    return f"model {point.name!r} of {_of(point)}"


@contextmanager
def told(point: EntryPoint, what: str) -> Iterator[None]:
    """Whatever a package raises becomes one line that names it."""
    try:
        yield
    except UnknownNameError:
        raise
    except (Exception, SystemExit) as error:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        kind = type(error).__name__
        dist = point.dist.name if point.dist is not None else "the package"
        raise UnknownNameError(
            f"{named(point)} cannot be {what}: {kind}{f': {text[:200]}' if text else ''}",
            hint=f"{FORM}; update or remove {dist}",
        ) from error


def loaded(point: EntryPoint) -> Any:
    """What an entry point leads to.

    Raises
    ------
    UnknownNameError
        If it leads to nothing, or its package cannot be imported; whatever it raises.
    """
    with told(point, "loaded"):
        found = point.load()
    if not isinstance(found, Model) and not callable(found):
        raise UnknownNameError(f"{named(point)} is {_shown(found)}, no model", hint=FORM)
    return found


def whole(made: object, what: str, form: str) -> None:
    """Refuse what is no forecaster: without a spec, or without ``fit``.

    Raises
    ------
    UnknownNameError
        Says what is missing.
    """
    if isinstance(made, Model):
        return
    if not isinstance(getattr(made, "spec", None), Spec):
        lacking = "has a spec that is no Spec" if hasattr(made, "spec") else "has no spec"
    elif not callable(getattr(made, "fit", None)):
        lacking = "has no fit"
    else:
        return
    raise UnknownNameError(f"{what} is no forecaster: {_shown(made)} {lacking}", hint=form)


def _shown(made: object) -> str:
    if isinstance(made, str):
        return f"the text {made[:60]!r}"
    return f"a {type(made).__name__}"


def owned(made: Forecaster | Model, point: EntryPoint) -> Forecaster | Model:
    """A plugged-in model, with its distribution and version as its spec's origin.

    Of a package that is installed for editing the version says nothing: its origin is unknown,
    and its results are never reused.
    """
    origin = "" if _edited(point) else _of(point)
    if isinstance(made, Model):
        # A decorated function is found by its name in other processes, with the origin that it
        # has there; a model with members, by its own.
        return made
    return made if made.spec.origin == origin else Owned(made, origin)


def _edited(point: EntryPoint) -> bool:
    text = point.dist.read_text("direct_url.json") if point.dist is not None else None
    try:
        said = json.loads(text) if text else {}
    except ValueError:
        return True
    return bool(said.get("dir_info", {}).get("editable", False))


def is_ours(origin: str) -> bool:
    """Whether a spec says that its code is this library's."""
    return origin == _OURS


@dataclass(frozen=True, eq=False)
class Owned:
    """A forecaster whose author did not say where its code comes from.

    Attributes
    ----------
    inner : Forecaster
        What its author wrote.
    origin : str
        Distribution and version; empty where unknown.
    """

    inner: Forecaster
    origin: str

    def __post_init__(self) -> None:
        # Its first line is what lists of models say.
        object.__setattr__(self, "__doc__", type(self.inner).__doc__)

    def __getattr__(self, name: str) -> Any:
        # fit_many, and whatever else it has; never while it is being unpickled.
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def spec(self) -> Spec:
        """What it is, with its origin."""
        return replace(self.inner.spec, origin=self.origin)

    def fit(self, panel: Panel) -> Drawer:
        """Fit to a panel."""
        return self.inner.fit(panel)
