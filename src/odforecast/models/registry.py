"""The registry: models by name, built in, registered, or of installed packages (plugged in)."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from math import inf
from numbers import Integral, Real
from typing import Any

from odforecast.errors import ForecastError, UnknownNameError, one_of, short
from odforecast.models.content import distribution_of
from odforecast.models.model import LABEL, Forecaster, Model
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES, DEFAULT_COUNTY_MODEL, DEFAULT_MODEL, STATES

#: Where packages name their models.
ENTRY_POINT_GROUP = "odforecast.models"
#: What an entry point must lead to.
_FORM = (
    "it must lead to a class or function that makes a forecaster, or to what @od.forecaster made"
)
_OURS = Spec("").origin

#: What is used for a data set when no model is named.
_DEFAULTS: dict[str, str] = {STATES: DEFAULT_MODEL, COUNTIES: DEFAULT_COUNTY_MODEL}

ModelFactory = Callable[[], Forecaster | Model]

#: Models that are fitted to a series by itself.
_SERIES = ("naive", "drift", "seasonal-naive", "auto-ets", "auto-theta", "auto-arima", "auto-ces")
#: Built-in models, by the "module:attribute" of their factory, imported when first asked for.
_FACTORIES: dict[str, tuple[str, ...]] = {
    "statespace.model:Dlm": ("dlm",),
    "ensemble:Ensemble": ("ensemble", "ensemble-equal", "ensemble-linear"),
    "baselines:Baseline": ("hub-baseline", "damped-trend", "cdc-predicted"),
    "classical:Classical": (*_SERIES, *(f"{name}-sums" for name in _SERIES)),
    "hierarchy.model:Hierarchical": ("hierarchical", "hierarchical-quick"),
    "county.model:County": ("county",),
    "county.baselines:CountyBaseline": ("county-hub-baseline", "county-last"),
}
_BUILTIN = {name: path for path, names in _FACTORIES.items() for name in names}
#: The layer around any model: ``"NAME+delay"``.
DELAY = "delay"
_REGISTERED: dict[str, ModelFactory] = {}
#: What a setting of a built-in model must be, by the class of its default.
_KINDS: dict[type, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda x: isinstance(x, bool), "True or False"),
    int: (lambda x: isinstance(x, Integral) and int(x) > 0, "a whole number above 0"),
    float: (
        lambda x: isinstance(x, Real) and 0 < float(x) < inf,
        "a number above 0",
    ),
}
#: A plus sign is of layers; a name is typed, and may stand in a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def register(name: str, factory: ModelFactory | Model) -> None:
    """Register a model for this process.

    A package registers its models for everybody with an entry point in the group
    ``odforecast.models`` instead.

    Parameters
    ----------
    name : str
        Lower case, words joined by hyphens: letters, digits and ``-._``. A name registered before
        is taken over, a built-in model's never.
    factory : callable or Model
        Takes nothing, returns a forecaster with a ``spec``; or what ``@od.forecaster`` made.

    Raises
    ------
    UnknownNameError
        If the name is none, or a built-in model's; or if the factory is neither.

    Examples
    --------
    >>> import odforecast as od
    >>> od.register("dlm", od.get_model("naive"))
    Traceback (most recent call last):
        ...
    odforecast.errors.UnknownNameError: name is 'dlm', and odforecast has a model of that name; ...
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UnknownNameError(
            f"name is {name!r}, which is not a valid model name",
            hint="letters, digits and -._ only, a letter or digit first; get_model adds '+delay'",
        )
    if name in _BUILTIN:
        raise UnknownNameError(
            f"name is {name!r}, and odforecast has a model of that name",
            hint=f"give yours another, for example 'my-{name}'",
        )
    if not isinstance(factory, Model) and not callable(factory):
        raise UnknownNameError(
            f"factory is {factory!r}, allowed: a function that makes the model",
            hint="or what @od.forecaster made",
        )
    _REGISTERED[name] = (lambda: factory) if isinstance(factory, Model) else factory


def model_names(dataset: str | None = None) -> tuple[str, ...]:
    """Names of all models: built in, registered, and plugged in through entry points.

    Parameters
    ----------
    dataset : {"states", "counties"}, optional
        Only those that are about this data set; a model that says nothing about it is about states.
        Plug-ins that cannot be used are left out: :func:`plugin_problems` says why.

    Examples
    --------
    >>> from odforecast.models import model_names
    >>> "county" in model_names("counties"), "dlm" in model_names("counties")
    (True, False)
    """
    names = tuple(dict.fromkeys([*_BUILTIN, *_REGISTERED, *plugged_in()]))
    if dataset is None:
        return names
    default_model(dataset)  # refuses an unknown data set
    return tuple(n for n in names if _about(n) == dataset)


def _about(name: str) -> str | None:
    """Which data set a model is about; None for a plug-in that cannot be used."""
    try:
        return get_model(name).spec.dataset or STATES
    except UnknownNameError:
        if name not in plugged_in():
            raise
        return None


def plugin_problems() -> tuple[str, ...]:
    """Why installed models cannot be used, one line each; empty where all can.

    One that cannot be loaded, whose name is a built-in model's or another package's, or that is
    no model. The others, and the built-in ones, are not touched by it.

    Examples
    --------
    >>> from odforecast.models import plugin_problems
    >>> plugin_problems()
    ()
    """
    problems = []
    for name, found in _by_name().items():
        usable = _usable(name)
        for point in found if name in _BUILTIN else ():
            problems.append(
                f"{_named(point)} is not used: odforecast has a model of that name; its author "
                "should give the entry point another name"
            )
        if not usable and name not in _BUILTIN:
            problems.append(
                f"{_named(found[0])} is not used: its name is not a valid model name; letters, "
                "digits, spaces and _.,=()[]'- only"
            )
        for point in found[1:] if usable else ():
            first = _of(found[0])
            problems.append(f"{_named(point)} is not used: {first} has a model of that name")
    for name in plugged_in():
        try:
            get_model(name)
        except UnknownNameError as error:
            if name not in _REGISTERED:
                problems.append(str(error))
    return tuple(problems)


def default_model(dataset: str = STATES) -> str:
    """Name of the model that is used for a data set when none is named.

    Parameters
    ----------
    dataset : {"states", "counties"}

    Examples
    --------
    >>> from odforecast.models import default_model
    >>> default_model(), default_model("counties")
    ('dlm', 'county')
    """
    if dataset not in _DEFAULTS:
        raise UnknownNameError(f"unknown data set {dataset!r}", hint=one_of(dataset, _DEFAULTS))
    return _DEFAULTS[dataset]


def get_model(name: str | None = None, label: str | None = None, **parameters: Any) -> Model:
    """Make a model by name; ``"NAME+delay"`` completes the last months for any other one.

    Parameters
    ----------
    name : str, optional
        One of :func:`model_names`, alone or followed by ``+delay``; default: ``dlm``.
    label : str, optional
        What tables call it; default: its name and parameters.
    **parameters
        Settings of the model, for example ``delay=False`` for ``dlm``.

    Raises
    ------
    UnknownNameError
        If no model has that name or parameter, a label is not valid, or ``+delay`` is put on a
        model that corrects the delay itself.

    Examples
    --------
    >>> import odforecast as od
    >>> od.get_model().label, od.get_model("dlm", delay=False).label
    ('dlm', 'dlm(delay=False)')
    """
    name = DEFAULT_MODEL if name is None else name
    if not isinstance(name, str):
        raise UnknownNameError(
            f"name is {name!r}, allowed: the name of a model", hint="od.models() lists them"
        )
    inner, plus, layer = name.rpartition("+")
    if plus and layer == DELAY:
        base = get_model(inner, **parameters)
        if base.spec.corrects_delay:
            raise UnknownNameError(
                f"unknown model {name!r}: {inner} corrects the delay itself", hint=f"use {inner}"
            )
        made = Model(_loaded("delay.layer:Delayed")(base), name)
    elif plus and inner in model_names():
        raise UnknownNameError(
            f"unknown model {name!r}: no layer is called {layer!r}", hint=one_of(layer, [DELAY])
        )
    else:
        made = _made(name, parameters)
    return replace(made, label=_label(name, parameters) if label is None else label)


def _made(name: str, parameters: Mapping[str, Any]) -> Model:
    """A model by its name, with the origin of its code."""
    if name in _BUILTIN:
        factory = _loaded(_BUILTIN[name])
        _check_settings(name, factory, parameters=parameters)
        return Model(_called(name, factory, parameters, name), name)
    if name in _REGISTERED:
        made = _called(name, _REGISTERED[name], parameters)
        _check(made, f"model {name!r}", form="what is registered must be, or make, a forecaster")
        if isinstance(made, Model):
            return made
        # Where its author left the spec's origin as it is, it says where *our* code comes from.
        module = type(made).__module__
        ours = made.spec.origin != _OURS or module.partition(".")[0] == _OURS
        return Model(made, name, origin=None if ours else distribution_of(module))
    point = plugged_in().get(name)
    if point is None:
        raise UnknownNameError(f"unknown model {name!r}", hint=one_of(name, model_names()))
    with _told(point, "loaded"):
        found = point.load()
    if not isinstance(found, Model) and not callable(found):
        raise UnknownNameError(f"{_named(point)} is {_shown(found)}, not a model", hint=_FORM)
    if not isinstance(found, Model):
        with _told(point, "made"):
            found = _called(name, found, parameters)
        _check(found, _named(point), form=_FORM)
    elif parameters:
        raise UnknownNameError(
            f"{name} has no parameter {min(parameters)!r}", hint=f"{name} has nothing to set"
        )
    # A decorated function is found by its name in other processes, with the origin that it has
    # there; a model with members, by its own. Of a package that is installed for editing the
    # version says nothing: its origin is unknown, and its results are never reused.
    if isinstance(found, Model):
        return found
    return Model(found, name, origin="" if _edited(point) else _of(point))


def _check_settings(name: str, factory: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Refuse a setting that is of another kind than its default."""
    for key, taken in inspect.signature(factory).parameters.items():
        good, kind = _KINDS.get(type(taken.default), (None, ""))
        if good is not None and key in parameters and not good(parameters[key]):
            raise ForecastError(f"{key} of {name} is {short(parameters[key])}, allowed: {kind}")


def _called(name: str, factory: Callable[..., Any], parameters: Mapping[str, Any], *of: str) -> Any:
    """What a factory makes; a refusal of a parameter names those that there are."""
    try:
        return factory(*of, **parameters)
    except TypeError as error:
        if not parameters:
            raise
        try:
            takes = list(inspect.signature(factory).parameters.values())
            known = all(p.kind is not p.VAR_KEYWORD for p in takes)
        except (TypeError, ValueError):
            takes = []
            known = False
        allowed = [p.name for p in takes if p.name != "name"]
        unknown = [key for key in parameters if key not in allowed]
        if not known or (allowed and not unknown):
            raise UnknownNameError(
                f"{name} cannot be made with {', '.join(sorted(parameters))}: {error}"
            ) from error
        wrong = (unknown or list(parameters))[0]
        raise UnknownNameError(
            f"{name} has no parameter {wrong!r}",
            hint=one_of(wrong, allowed) if allowed else f"{name} has nothing to set",
        ) from error


def _label(name: str, parameters: Mapping[str, Any]) -> str:
    if not parameters:
        return name
    given = ", ".join(f"{k}={v!r}" for k, v in sorted(parameters.items()))
    text = f"{name}({given})"
    return text if LABEL.fullmatch(text) and len(text) <= 60 else f"{name}(...)"


def _loaded(path: str) -> Callable[..., Any]:
    """What a ``"module:attribute"`` path names."""
    module, _, attribute = path.partition(":")
    factory: Callable[..., Any] = getattr(import_module(f"odforecast.models.{module}"), attribute)
    return factory


# Models of installed packages


def plugged_in() -> dict[str, EntryPoint]:
    """Models of installed packages that can be asked for; none takes over a built-in name."""
    return {name: found[0] for name, found in _by_name().items() if _usable(name)}


def _by_name() -> dict[str, list[EntryPoint]]:
    """Entry points by name; of one name, in the order of their distributions."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: (p.name, _of(p))):
        same = found.setdefault(point.name, [])
        if all((_of(p), p.value) != (_of(point), point.value) for p in same):
            same.append(point)
    return found


def _usable(name: str) -> bool:
    # A plus sign is of layers: get_model("naive+delay").
    return name not in _BUILTIN and LABEL.fullmatch(name) is not None and "+" not in name


def _of(point: EntryPoint) -> str:
    """Distribution and version of an entry point."""
    return f"{point.dist.name}=={point.dist.version}" if point.dist is not None else "?"


def _named(point: EntryPoint) -> str:
    """A model of a package, for messages."""
    return f"model {point.name!r} of {_of(point)}"


@contextmanager
def _told(point: EntryPoint, what: str) -> Iterator[None]:
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
            f"{_named(point)} cannot be {what}: {kind}{f': {text[:200]}' if text else ''}",
            hint=f"{_FORM}; update or remove {dist}",
        ) from error


def _check(made: object, what: str, form: str) -> None:
    """Refuse what is not a forecaster: without a spec, or without ``fit``."""
    if isinstance(made, Model):
        return
    if not isinstance(getattr(made, "spec", None), Spec):
        lacking = "has a spec that is not a Spec" if hasattr(made, "spec") else "has no spec"
    elif not callable(getattr(made, "fit", None)):
        lacking = "has no fit"
    else:
        return
    raise UnknownNameError(f"{what} is not a forecaster: {_shown(made)} {lacking}", hint=form)


def _shown(made: object) -> str:
    if isinstance(made, str):
        return f"the text {made[:60]!r}"
    return f"a {type(made).__name__}"


def _edited(point: EntryPoint) -> bool:
    text = point.dist.read_text("direct_url.json") if point.dist is not None else None
    try:
        said = json.loads(text) if text else {}
    except ValueError:
        return True
    return bool(said.get("dir_info", {}).get("editable", False))
