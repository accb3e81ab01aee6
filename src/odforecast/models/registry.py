"""The registry: models by name, built in, registered, or of installed packages (plugged in)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from math import inf
from numbers import Integral, Real
from typing import Any

from odforecast.errors import ForecastError, UnknownNameError, one_of, short
from odforecast.models.content import distribution_of, is_edited
from odforecast.models.model import LABEL, Forecaster, Model
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES, DEFAULT_COUNTY_MODEL, DEFAULT_MODEL, STATES

#: Where packages name their models.
ENTRY_POINT_GROUP = "odforecast.models"
#: What an entry point must lead to.
_FORM = (
    "it must lead to a class or function that makes a forecaster, "
    "or to what @od.forecaster made"
)
_OURS = Spec("").origin

#: What is used for a data set when no model is named.
_DEFAULTS: dict[str, str] = {STATES: DEFAULT_MODEL, COUNTIES: DEFAULT_COUNTY_MODEL}

ModelFactory = Callable[[], Forecaster | Model]
#: Makes a built-in model; its parameters are the model's settings.
Maker = Callable[..., Forecaster]


# Models that come with the package


@dataclass(frozen=True)
class BuiltIn:
    """A model that comes with the package, and what lists, hubs and pages say of it."""

    name: str
    #: Imports and returns what makes the model.
    load: Callable[[], Maker]
    #: What ``odforecast models`` says about it.
    line: str
    #: Its name for people, in a hub.
    title: str
    #: How it works, in a hub.
    methods: str
    dataset: str = STATES
    #: Whether it is there for comparison.
    baseline: bool = False
    #: Whether ``odforecast models`` lists it without ``--all``.
    listed: bool = False
    #: The same model on months, where this one is fitted to 12-month counts.
    twin: str = ""


def _dlm() -> Maker:
    from odforecast.models.statespace.model import Dlm

    return Dlm


def _ensemble() -> Maker:
    from odforecast.models.ensemble import MEMBERS, Ensemble

    def ensemble(
        members: Sequence[str | Model] = MEMBERS, *, delay: bool = True
    ) -> Forecaster:
        """The ensemble of models by name; the ensemble itself completes the last months."""
        models = []
        for member in members:
            if isinstance(member, Model):
                models.append(member)
            elif member == DEFAULT_MODEL:
                models.append(get_model(member, delay=False))
            else:
                models.append(get_model(member))
        return Ensemble(models, delay=delay)

    return ensemble


def _hub_baseline() -> Maker:
    from odforecast.models.baselines import Baseline, persistence

    return partial(Baseline, "hub-baseline", persistence, False)


def _damped_trend() -> Maker:
    from odforecast.models.baselines import Baseline, damped_trend

    return partial(Baseline, "damped-trend", damped_trend, False)


def _cdc_predicted() -> Maker:
    from odforecast.models.baselines import Baseline, persistence

    return partial(Baseline, "cdc-predicted", persistence, True)


def _classical(name: str, form: str, sums: bool) -> Maker:
    from odforecast.models.baselines import Classical

    return partial(Classical, name, form, sums)


def _hierarchical() -> Maker:
    from odforecast.models.hierarchy.model import Hierarchical

    return Hierarchical


def _hierarchical_quick() -> Maker:
    from odforecast.models.hierarchy.model import HierarchicalQuick

    return HierarchicalQuick


def _county() -> Maker:
    from odforecast.models.county.filter import PHI, STEP
    from odforecast.models.county.model import County, ModelPaths

    def county(
        paths: Any = DEFAULT_MODEL, phi: float = PHI, step: float = STEP
    ) -> Forecaster:
        """Counties along the paths of a model of states by name, or of an object of yours."""
        states = ModelPaths(get_model(paths)) if isinstance(paths, str) else paths
        return County(states, phi=phi, step=step)

    return county


def _county_hub_baseline() -> Maker:
    from odforecast.models.county.baselines import CountyBaseline

    return partial(CountyBaseline, "county-hub-baseline", False)


def _county_last() -> Maker:
    from odforecast.models.county.baselines import CountyBaseline

    return partial(CountyBaseline, "county-last", True)


def _series(
    name: str, line: str, title: str, methods: str, baseline: bool = False
) -> BuiltIn:
    """A model of one series at a time, fitted to months."""
    load = partial(_classical, name, name, False)
    return BuiltIn(name, load, line, title=title, methods=methods, baseline=baseline)


def _on_sums(row: BuiltIn) -> BuiltIn:
    """The same model, fitted to 12-month counts."""
    name = f"{row.name}-sums"
    return replace(
        row,
        name=name,
        load=partial(_classical, name, row.name, True),
        line=f"{row.line}, on 12-month totals",
        title=f"{row.title} of 12-month counts",
        methods=f"{row.methods} Fitted to 12-month counts.",
        twin=row.name,
    )


_SERIES = (
    _series(
        "naive",
        "random walk of monthly deaths",
        title="Random walk",
        methods="A random walk of the log count.",
        baseline=True,
    ),
    _series(
        "drift",
        "random walk of monthly deaths with a slope",
        title="Random walk with drift",
        methods="A random walk of the log count with an estimated slope.",
        baseline=True,
    ),
    _series(
        "seasonal-naive",
        "same month of the year before",
        title="Seasonal naive",
        methods="The value 12 months earlier.",
        baseline=True,
    ),
    _series(
        "auto-ets",
        "exponential smoothing, form selected",
        title="ETS",
        methods="Exponential smoothing of the log count with a damped trend, the form chosen "
        "automatically.",
    ),
    _series(
        "auto-theta",
        "Theta method, form selected",
        title="Theta",
        methods="The best of four Theta models of the log count.",
    ),
    _series(
        "auto-arima",
        "ARIMA, orders selected",
        title="ARIMA",
        methods="ARIMA of the log count, the orders chosen by stepwise search.",
    ),
    _series(
        "auto-ces",
        "complex exponential smoothing, form selected",
        title="CES",
        methods="Complex exponential smoothing of the log count, the form chosen automatically.",
    ),
)
_ROWS = (
    BuiltIn(
        "dlm",
        _dlm,
        line="trends of states, regions, nation, moving together",
        title="Fast hierarchy",
        methods="State-space model of monthly deaths: levels of states, regions and nation move "
        "together, filtered exactly and drawn jointly; it includes the deaths that recent months "
        "still lack.",
        listed=True,
    ),
    BuiltIn(
        "ensemble",
        _ensemble,
        line="dlm, ETS and Theta, quantiles averaged",
        title="Ensemble with equal weights",
        methods="Quantiles of dlm, ETS and Theta averaged with equal weights; recent months are "
        "corrected for delay once, for all members.",
        listed=True,
    ),
    BuiltIn(
        "hub-baseline",
        _hub_baseline,
        line="last count, as uncertain as its past errors",
        title="Hub baseline",
        methods="The last 12-month count, held constant; intervals from past errors of this rule "
        "at each horizon.",
        baseline=True,
        listed=True,
    ),
    BuiltIn(
        "damped-trend",
        _damped_trend,
        line="average change of the last quarter, fading out",
        title="Damped trend",
        methods="The mean change of the 12-month count in the last quarter, fading out; intervals "
        "from past errors of this rule at each horizon.",
        baseline=True,
    ),
    BuiltIn(
        "cdc-predicted",
        _cdc_predicted,
        line="CDC's predicted count, carried forward",
        title="CDC's predicted count",
        methods="CDC's predicted 12-month count, held constant; intervals from its past changes "
        "and its past distance from final counts.",
        baseline=True,
    ),
    *_SERIES,
    *(_on_sums(row) for row in _SERIES),
    BuiltIn(
        "hierarchical",
        _hierarchical,
        line="Bayesian hierarchy fitted with PyMC (minutes)",
        title="Bayesian hierarchy",
        methods="Negative-binomial counts of nation, regions and states, sampled with NUTS; the "
        "likelihood includes the reporting delay.",
    ),
    BuiltIn(
        "hierarchical-quick",
        _hierarchical_quick,
        line="the same, approximated (seconds)",
        title="Bayesian hierarchy, approximated",
        methods="Negative-binomial counts of nation, regions and states, with a Gaussian "
        "approximation.",
    ),
    BuiltIn(
        "county",
        _county,
        line="months and levels of a state's counties, and sum",
        title="Counties that follow their state",
        methods="State-space model of the counties of a state: each has a level of its own and "
        "moves with its state, whose draws are those of dlm; hidden counts are taken as 1 to 9.",
        dataset=COUNTIES,
        listed=True,
    ),
    BuiltIn(
        "county-hub-baseline",
        _county_hub_baseline,
        line="last count, as uncertain as its past errors",
        title="Hub baseline of counties",
        methods="The last 12-month count of a county, held constant; intervals from its own past "
        "changes at each horizon.",
        dataset=COUNTIES,
        baseline=True,
    ),
    BuiltIn(
        "county-last",
        _county_last,
        line="last count, one spread for all counties",
        title="Hub baseline of counties, one spread",
        methods="The last 12-month count of a county, held constant; intervals from past changes "
        "of all counties at each horizon, on the square-root scale.",
        dataset=COUNTIES,
        baseline=True,
    ),
)
#: Built-in models by name.
BUILT_IN: Mapping[str, BuiltIn] = {row.name: row for row in _ROWS}

#: The layer around any model: ``"NAME+delay"``.
DELAY = "delay"
_REGISTERED: dict[str, ModelFactory] = {}
#: What a setting of a built-in model must be, by the class of its default.
_KINDS: dict[type, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "True or False"),
    int: (
        lambda value: isinstance(value, Integral) and int(value) > 0,
        "a whole number above 0",
    ),
    float: (
        lambda value: isinstance(value, Real) and 0 < float(value) < inf,
        "a number above 0",
    ),
}
#: A plus sign is of layers; a name is typed, and may stand in a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def built_in(label: str) -> BuiltIn | None:
    """The row of a built-in model, alone or with the delay layer; None for any other model."""
    return BUILT_IN.get(label.removesuffix(f"+{DELAY}"))


# Any model


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
    if name in BUILT_IN:
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
    names = tuple(dict.fromkeys([*BUILT_IN, *_REGISTERED, *plugged_in()]))
    if dataset is None:
        return names
    default_model(dataset)  # refuses an unknown data set
    return tuple(name for name in names if _dataset(name) == dataset)


def _dataset(name: str) -> str | None:
    """Which data set a model is about; None for a plug-in that cannot be used."""
    if name in BUILT_IN:
        return BUILT_IN[name].dataset
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
    for name, points in _by_name().items():
        first = points[0]
        if name in BUILT_IN:
            problems += [
                f"{_title(point)} is not used: odforecast has a model of that name; its author "
                "should give the entry point another name"
                for point in points
            ]
        elif not _usable(name):
            problems.append(
                f"{_title(first)} is not used: its name is not a valid model name; letters, "
                "digits, spaces and _.,=()[]'- only"
            )
        else:
            problems += [
                f"{_title(point)} is not used: {_distribution(first)} has a model of that name"
                for point in points[1:]
            ]
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
        raise UnknownNameError(
            f"unknown data set {dataset!r}", hint=one_of(dataset, _DEFAULTS)
        )
    return _DEFAULTS[dataset]


def get_model(
    name: str | None = None, label: str | None = None, **parameters: Any
) -> Model:
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
            f"name is {name!r}, allowed: the name of a model",
            hint="od.models() lists them",
        )
    base, plus, layer = name.rpartition("+")
    if plus and layer == DELAY:
        model = _delayed(name, get_model(base, **parameters))
    elif plus and base in model_names():
        raise UnknownNameError(
            f"unknown model {name!r}: no layer is called {layer!r}",
            hint=one_of(layer, [DELAY]),
        )
    elif name in BUILT_IN:
        maker = BUILT_IN[name].load()
        _check_settings(name, maker, parameters=parameters)
        model = Model(_call(name, maker, parameters=parameters), name)
    elif name in _REGISTERED:
        model = _registered(name, parameters)
    else:
        model = _plugged(name, parameters)
    return replace(model, label=_label(name, parameters) if label is None else label)


def _delayed(name: str, model: Model) -> Model:
    """A model under the delay layer."""
    from odforecast.models.delay.layer import Delayed

    if model.spec.corrects_delay:
        base = name.removesuffix(f"+{DELAY}")
        raise UnknownNameError(
            f"unknown model {name!r}: {base} corrects the delay itself",
            hint=f"use {base}",
        )
    return Model(Delayed(model), name)


def _registered(name: str, parameters: Mapping[str, Any]) -> Model:
    """A model of this process, with the origin of its code."""
    model = _call(name, _REGISTERED[name], parameters=parameters)
    form = "what is registered must be, or make, a forecaster"
    _check_forecaster(model, f"model {name!r}", form=form)
    if isinstance(model, Model):
        return model
    # Where its author left the spec's origin as it is, it says where *our* code comes from.
    module = type(model).__module__
    ours = model.spec.origin != _OURS or module.partition(".")[0] == _OURS
    return Model(model, name, origin=None if ours else distribution_of(module))


def _plugged(name: str, parameters: Mapping[str, Any]) -> Model:
    """A model of an installed package, with the origin of its code."""
    point = plugged_in().get(name)
    if point is None:
        raise UnknownNameError(
            f"unknown model {name!r}", hint=one_of(name, model_names())
        )
    with _in_one_line(point, "loaded"):
        factory = point.load()
    # A decorated function is found by its name in other processes, with the origin that it has
    # there; a model with members, by its own.
    if isinstance(factory, Model):
        if parameters:
            raise UnknownNameError(
                f"{name} has no parameter {min(parameters)!r}",
                hint=f"{name} has nothing to set",
            )
        return factory
    if not callable(factory):
        raise UnknownNameError(
            f"{_title(point)} is {_description(factory)}, not a model", hint=_FORM
        )
    with _in_one_line(point, "made"):
        model = _call(name, factory, parameters=parameters)
    _check_forecaster(model, _title(point), form=_FORM)
    if isinstance(model, Model):
        return model
    # Of a package that is installed for editing the version says nothing: its origin is unknown,
    # and its results are never reused.
    return Model(
        model, name, origin="" if is_edited(point.dist) else _distribution(point)
    )


def _check_settings(name: str, maker: Maker, parameters: Mapping[str, Any]) -> None:
    """Refuse a setting that a built-in model has not, or of another kind than its default."""
    settings = dict(inspect.signature(maker).parameters)
    settings.pop("name", None)
    for key, value in parameters.items():
        if key not in settings:
            raise _no_parameter(name, key, list(settings))
        allowed, kind = _KINDS.get(type(settings[key].default), (None, ""))
        if allowed is not None and not allowed(value):
            raise ForecastError(f"{key} of {name} is {short(value)}, allowed: {kind}")


def _no_parameter(name: str, key: str, settings: list[str]) -> UnknownNameError:
    hint = one_of(key, settings) if settings else f"{name} has nothing to set"
    return UnknownNameError(f"{name} has no parameter {key!r}", hint=hint)


def _call(name: str, factory: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """What a factory makes; a refusal of a parameter names those that there are."""
    try:
        return factory(**parameters)
    except TypeError as error:
        if not parameters:
            raise
        try:
            settings = inspect.signature(factory).parameters
        except (TypeError, ValueError):  # of some that are compiled nobody can say
            settings = None
        if settings is not None and all(
            p.kind is not p.VAR_KEYWORD for p in settings.values()
        ):
            unknown = [key for key in parameters if key not in settings]
            if unknown:
                raise _no_parameter(name, unknown[0], list(settings)) from error
        raise UnknownNameError(
            f"{name} cannot be made with {', '.join(sorted(parameters))}: {error}"
        ) from error


def _label(name: str, parameters: Mapping[str, Any]) -> str:
    if not parameters:
        return name
    settings = ", ".join(
        f"{key}={value!r}" for key, value in sorted(parameters.items())
    )
    text = f"{name}({settings})"
    return text if LABEL.fullmatch(text) and len(text) <= 60 else f"{name}(...)"


# Models of installed packages


def plugged_in() -> dict[str, EntryPoint]:
    """Models of installed packages that can be asked for; none takes over a built-in name."""
    return {name: points[0] for name, points in _by_name().items() if _usable(name)}


def _by_name() -> dict[str, list[EntryPoint]]:
    """Entry points by name; of one name, in the order of their distributions."""
    points: dict[str, list[EntryPoint]] = {}
    origins: set[tuple[str, str, str]] = set()
    found = entry_points(group=ENTRY_POINT_GROUP)
    for point in sorted(found, key=lambda point: (point.name, _distribution(point))):
        origin = (point.name, _distribution(point), point.value)
        if origin not in origins:
            origins.add(origin)
            points.setdefault(point.name, []).append(point)
    return points


def _usable(name: str) -> bool:
    # A plus sign is of layers: get_model("naive+delay").
    return (
        name not in BUILT_IN and LABEL.fullmatch(name) is not None and "+" not in name
    )


def _distribution(point: EntryPoint) -> str:
    """Distribution and version of an entry point."""
    return f"{point.dist.name}=={point.dist.version}" if point.dist is not None else "?"


def _title(point: EntryPoint) -> str:
    """A model of a package, for messages."""
    return f"model {point.name!r} of {_distribution(point)}"


@contextmanager
def _in_one_line(point: EntryPoint, action: str) -> Iterator[None]:
    """Whatever a package raises becomes one line that names it."""
    try:
        yield
    except UnknownNameError:
        raise
    except (Exception, SystemExit) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = type(error).__name__
        if lines:
            reason += f": {lines[0][:200]}"
        package = point.dist.name if point.dist is not None else "the package"
        raise UnknownNameError(
            f"{_title(point)} cannot be {action}: {reason}",
            hint=f"{_FORM}; update or remove {package}",
        ) from error


def _check_forecaster(model: object, title: str, form: str) -> None:
    """Refuse what is not a forecaster: without a spec, or without ``fit``."""
    if isinstance(model, Model):
        return
    if not hasattr(model, "spec"):
        fault = "has no spec"
    elif not isinstance(model.spec, Spec):
        fault = "has a spec that is not a Spec"
    elif not callable(getattr(model, "fit", None)):
        fault = "has no fit"
    else:
        return
    raise UnknownNameError(
        f"{title} is not a forecaster: {_description(model)} {fault}", hint=form
    )


def _description(item: object) -> str:
    if isinstance(item, str):
        return f"the text {item[:60]!r}"
    return f"a {type(item).__name__}"
