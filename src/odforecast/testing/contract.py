"""The contract: what every forecaster must do, and all that is broken in one error."""

from __future__ import annotations

import contextlib
import pickle
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from odforecast.errors import PanelError, one_of
from odforecast.forecasts import Forecast, load_forecast
from odforecast.geography import whole_and_parts
from odforecast.geography.places import by_fips
from odforecast.models import Fitted, Model, Spec, get_model
from odforecast.models.decorate import is_function
from odforecast.models.model import LABEL, faults
from odforecast.models.spec import WAYS
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES, LOCATION, MONTH, STATES, TARGET_MONTH, TARGETS
from odforecast.panel import Panel
from odforecast.say import number_of
from odforecast.seeds import Streams
from odforecast.testing.zoo import ORDINARY, rows, scrambled, until
from odforecast.testing.zoo import zoo as all_panels

HORIZON = 12
DRAWS = 40
SEED = 1
#: An object shown by where it lies in memory: other text in each process.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OURS = Spec("").origin

#: What to do about a broken rule.
HINTS: dict[str, str] = {
    "declares": "mend the spec: odforecast.models.Spec says what each of its fields means; origin "
    "is '' or 'NAME==VERSION' for code that is not odforecast's",
    "fits": "raise PanelError with a reason where a panel cannot be used, and nothing else",
    "refuses": "say in the PanelError why; only the ordinary panel must be taken by all",
    "forecasts": "draw(horizon, draws, streams) returns Forecast.from_panel(...)",
    "finite": "skip a place whose draws are not finite, with a reason in skipped",
    "places": "start from usable, skipped = panel.usable(min_months), and hand skipped on",
    "months": "return horizon months, the first of them right after the panel's last",
    "draws": "return draws sample paths, none below zero",
    "origin": "make the forecast by Forecast.from_panel(panel, ...), of the panel given to fit",
    "target": "give Forecast.from_panel the target that the spec declares",
    "joint": "give Forecast.from_panel the joint axes of the spec; declare 'location' only where "
    "draw d of all places is one world",
    "min-months": "start from panel.usable(spec.min_months)",
    "repeats": "take every random number from what draw is given (streams, or rng)",
    "known": "leave known to Forecast.from_panel",
    "saves": "skipped, warnings and provenance are texts",
    "panel-stays": "copy an array before writing into it",
    "seed": "use the random numbers that draw is given",
    "refit": "keep what is learned in what fit returns, not in the model or the module",
    "global-random": "use the generator that is given, not numpy.random or random; where a library "
    "insists, set its state from the generator and put the old one back",
    "order": "draw each place from its own stream: streams.generator('location', code)",
    "alone": "a model by location looks at its own place only; else declare by=None",
    "future": "use nothing but the panel, and remember nothing from fit to fit",
    "pickles": "keep no lambda, open file or local class in the model; a function is found by its "
    "name in its module",
    "requests": "take any horizon and number of draws from 1 on",
    "zeros": "say in the forecast's warnings how many draws were set to zero",
}
_SHAPE = "(draws, locations of the panel, horizon)"
#: The same for a model that is one function, where that is another thing to do.
OF_FUNCTIONS: dict[str, str] = {
    "declares": "mend what @od.forecaster(...) is given: by, joint, target, min_months",
    "forecasts": "the function takes (panel, horizon, draws, rng) and returns an array of numbers "
    f"of shape {_SHAPE}",
    "finite": "return finite numbers; min_months leaves out places with too few counts",
    "places": "give @od.forecaster(min_months=...) the months that a place needs",
    "draws": f"return an array of shape {_SHAPE}, none below zero",
    "joint": "declare 'location' in @od.forecaster(joint=...) only with by=None, where draw d of "
    "all places is one world",
    "seed": "use rng, the random numbers that the function is given",
    "refit": "keep nothing between calls: no global, no default that is changed",
    "global-random": "use rng, not numpy.random or random; where a library insists, set its state "
    "from rng and put the old one back",
    "order": "use @od.forecaster(by='location'), which gives each place its own random numbers",
    "alone": "look at the places that are given only; else @od.forecaster(by=None)",
    "zeros": "draw from a distribution of counts, rather than set what is below zero to zero",
}


@dataclass(frozen=True)
class Breach:
    """One rule broken on one panel.

    Attributes
    ----------
    rule : str
        Name of the rule, one of :data:`RULES`.
    panel : str
        Name of the panel in the zoo.
    what : str
        What was found, in one line.
    hint : str
        What to do about it.
    """

    rule: str
    panel: str
    what: str
    hint: str = ""


class ContractError(AssertionError):
    """A forecaster that breaks the contract: every rule, where, and what was found.

    Attributes
    ----------
    label : str
    breaches : tuple of Breach

    Examples
    --------
    >>> import odforecast as od
    >>> print(od.testing.ContractError("mine", [od.testing.Breach("places", "gap", "AZ is lost")]))
    mine breaks 1 rule:
      places (gap): AZ is lost
    """

    def __init__(self, label: str, breaches: Sequence[Breach]) -> None:
        self.label = label
        self.breaches = tuple(breaches)
        panels: dict[str, dict[str, list[str]]] = {}
        for breach in breaches:
            panels_of_rule = panels.setdefault(breach.rule, {})
            panels_of_rule.setdefault(breach.what, []).append(breach.panel)
        hints = {breach.rule: breach.hint for breach in breaches}
        lines = [f"{label} breaks {number_of(len(panels), 'rule')}:"]
        for rule, panels_of_rule in panels.items():
            for message, names in panels_of_rule.items():
                lines.append(f"  {rule} ({', '.join(names)}): {message}")
            if hints[rule]:
                lines.append(f"    hint: {hints[rule]}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[ContractError], tuple[str, tuple[Breach, ...]]]:
        return (type(self), (self.label, self.breaches))


@dataclass(frozen=True)
class Kept:
    """A contract that was kept.

    Attributes
    ----------
    label : str
    rules, panels : tuple of str
        What was checked, and on which panels of the zoo.
    refused : mapping of str to str
        Panels that the model cannot use, and the reason it gives: its author should look.
    """

    label: str
    rules: tuple[str, ...]
    panels: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = (
            f"{self.label} keeps {len(self.rules)} rules on {len(self.panels)} panels"
        )
        lines = [
            f"  refused {panel}: {reason}" for panel, reason in self.refused.items()
        ]
        return "\n".join([text, *lines])


def _declared(model: Model) -> Iterator[str]:
    """What is wrong with a model's spec; asked once, of no panel."""
    spec = model.spec
    pairs = model.spec.parameters
    least = model.spec.min_months
    axes = isinstance(spec.joint, frozenset) and spec.joint <= {LOCATION, MONTH}
    whole_number = isinstance(least, int) and not isinstance(least, bool) and least >= 1
    texts = isinstance(pairs, tuple) and all(
        isinstance(p, tuple) and len(p) == 2 and all(isinstance(x, str) for x in p)
        for p in pairs
    )
    for name, good, known, allowed in (
        ("model", isinstance(spec.model, str) and spec.model, (), "a name"),
        ("version", isinstance(spec.version, str) and spec.version, (), "a text"),
        ("by", spec.by in WAYS, ("location", "state"), ", or None"),
        ("target", spec.target in TARGETS, TARGETS, ""),
        ("joint", axes, (), "a frozenset of 'location' and 'month'"),
        ("min_months", whole_number, (), "a whole number of at least 1"),
        (
            "dataset",
            spec.dataset in (None, STATES, COUNTIES),
            (STATES, COUNTIES),
            ", or None",
        ),
        ("parameters", texts, (), "pairs of texts, as as_parameters() makes them"),
    ):
        if not good:
            value_given = getattr(spec, name)
            hint = (
                f"; {one_of(value_given, known)}{allowed}"
                if known
                else f", allowed: {allowed}"
            )
            yield f"{name} is {value_given!r}{hint}"
    if axes and spec.target == TARGET_MONTH and MONTH not in spec.joint:
        yield (
            f"joint is {sorted(spec.joint)} and the paths are of months: months that are not joint "
            "cannot be added to 12-month counts; draw whole paths, or 12-month counts"
        )
    for name, value in pairs if texts else ():
        if _ADDRESS.search(value):
            yield f"parameter {name} is {value[:80]!r}, which is other text in each process"
    module = type(model.inner).__module__
    if spec.origin == _OURS and module.partition(".")[0] != __name__.partition(".")[0]:
        yield (
            f"origin is {spec.origin!r}, and its code is in {module}: stored results would be "
            "reused when it changes"
        )
    if model.spec.hash != spec.hash:
        yield "the spec has another hash each time"


@dataclass(frozen=True, eq=False)
class Case:
    """A model fitted to a panel of the zoo."""

    model: Model
    panel: Panel
    fitted: Fitted

    def forecast(self, fitted: Fitted | None = None, seed: int = SEED) -> Forecast:
        """What the model says, through the wrapper that everybody uses."""
        return (fitted or self.fitted).forecast(HORIZON, draws=DRAWS, seed=seed)

    def same(self, forecast: Forecast) -> bool:
        """Whether another forecast has the draws of the first, bit for bit."""
        return np.array_equal(self.first.draws, forecast.draws)

    def refit(self, panel: Panel | None = None) -> Forecast:
        """The same from a new fit, to this panel or another."""
        if panel is None:
            panel = self.panel
        return self.forecast(self.model.fit(panel))

    @cached_property
    def raw(self) -> Forecast:
        """What the author's code returns, before the wrapper looks at it."""
        panel = self.panel
        streams = Streams(
            SEED,
            panel.dataset,
            indicator=panel.indicator,
            last_month=str(panel.last_month),
        )
        return self.fitted.inner.draw(HORIZON, DRAWS, streams)

    @cached_property
    def first(self) -> Forecast:
        """The forecast that the others are compared with."""
        return self.forecast()


Rule = Callable[[Case], Iterator[str]]
#: Is it the answer that was asked for? Asked of every panel; the others only once it is.
ANSWERS = ("places", "months", "draws", "origin", "target", "joint", "min-months")
#: How it behaves, on every panel.
EVERYWHERE: dict[str, Rule] = {}
#: How it behaves, on the ordinary panel: these fit again and again.
ONCE: dict[str, Rule] = {}


def _rule(table: dict[str, Rule]) -> Callable[[Rule], None]:
    """Enter a rule into a table, under its function's name."""
    return lambda test: table.__setitem__(
        test.__name__.strip("_").replace("_", "-"), test
    )


def _answered(case: Case) -> Iterator[tuple[str, str]]:
    """What of the answer is not what was asked for, by rule."""
    answer = case.raw
    panel = case.panel
    spec = case.model.spec
    yield from faults(answer, panel, spec=spec, horizon=HORIZON, draws=DRAWS)
    absent = [place for place in panel.locations if place not in answer.locations]
    silent = [place for place in absent if not answer.skipped.get(place)]
    if silent:
        yield (
            "places",
            f"{', '.join(silent)} is neither forecast nor skipped with a reason",
        )
    contradictory = sorted(set(answer.locations) & set(answer.skipped))
    if contradictory:
        yield "places", f"{', '.join(contradictory)} is forecast and skipped"
    if LOCATION in spec.joint:
        for message in _not_joint(case):
            yield "joint", message
    months = panel.months.size + 11
    unusable = {}
    if panel.dataset != COUNTIES:
        unusable = panel.usable(spec.min_months)[1]
    elif (
        months < spec.min_months
    ):  # a hidden, lost or missing count is forecast all the same
        unusable = dict.fromkeys(panel.locations, f"only {months} months")
    if short := [s for s in answer.locations if s in unusable]:
        yield "min-months", f"forecasts {short[0]} ({unusable[short[0]]})"


def _not_joint(case: Case) -> Iterator[str]:
    """Why draws are not joint over locations, as the spec has it: sums of places are the sums."""
    answer = case.raw
    by = case.model.spec.by
    counties = case.panel.dataset == COUNTIES
    if by is not None and not (by == "state" and counties):
        yield f"declares draws joint over locations, and forecasts each {by} by itself"
    if (whole := whole_and_parts(answer.locations)) is not None:
        nation, parts = whole
        off = np.abs(answer.draws[:, nation] - answer.draws[:, parts].sum(axis=1)).max()
        if off > 1e-6 * answer.draws[:, nation].max():
            yield f"declares draws joint over locations, but US differs from its parts by {off:.0f}"


@_rule(EVERYWHERE)
def _repeats(case: Case) -> Iterator[str]:
    """One seed gives one forecast, bit for bit."""
    if not case.same(case.forecast()):
        yield "the same seed gives other draws the second time"


@_rule(EVERYWHERE)
def _known(case: Case) -> Iterator[str]:
    """12-month counts are the panel's months and the drawn ones, added."""
    forecast = case.first
    panel = case.panel
    if forecast.target != TARGET_MONTH:
        return
    whole = whole_and_parts(forecast.locations) if LOCATION in forecast.joint else None
    places = [
        i for i in range(len(forecast.locations)) if whole is None or i != whole[0]
    ]
    rows_of = [panel.locations.index(forecast.locations[i]) for i in places]
    first = int((forecast.months[0] - panel.month_grid[0]).astype(int))
    before = panel.monthly[rows_of, first - 11 : first]
    equal = np.isclose(
        forecast.known[..., places, :],
        before,
        rtol=1e-6,
        atol=1e-6,
        equal_nan=True,
    )
    if forecast.known.ndim > 2:
        closed = panel.final_through - 12 * ONE_MONTH
        equal = equal | (forecast.months[0] - np.arange(11, 0, -1) * ONE_MONTH > closed)
    if not equal.all():
        yield "the months before the draws are not the panel's"


@_rule(EVERYWHERE)
def _saves(case: Case) -> Iterator[str]:
    """The forecast comes back from its file, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_forecast(case.first.save(Path(folder) / "saved"))
    if not case.same(loaded) or loaded.locations != case.first.locations:
        yield "a saved forecast is another one when it is loaded"


def _panel_stays(case: Case) -> Iterator[str]:
    """A model changes nothing in its panel; asked last, of the panel that all others used."""
    # the first computes hash and months anew
    fresh = replace(case.panel)
    used = case.panel
    equal = np.array_equal(fresh.monthly, used.monthly, equal_nan=True)
    if fresh.data_hash != used.data_hash or not equal:
        yield "the panel is not what it was before"


@_rule(ONCE)
def _seed(case: Case) -> Iterator[str]:
    """Another seed gives other draws."""
    if case.same(case.forecast(seed=SEED + 1)):
        yield "another seed gives the same draws"


@_rule(ONCE)
def _refit(case: Case) -> Iterator[str]:
    """The same panel gives the same forecast, whatever was fitted before."""
    if not case.same(case.refit()):
        yield "a second fit gives other draws"


@_rule(ONCE)
def _global_random(case: Case) -> Iterator[str]:
    """Random numbers come from the streams alone; the process's own are left alone."""
    numpy_state, python_state = _global_state()
    try:
        draws = []
        for number in (5, 5, 6):
            np.random.seed(number)  # noqa: NPY002
            random.seed(number)
            before = pickle.dumps(_global_state())
            draws.append(case.refit().draws)
            if before != pickle.dumps(_global_state()):
                yield "takes numbers from the process's random state, or sets it"
                return
        if np.array_equal(draws[0], draws[1]) and not np.array_equal(
            draws[0], draws[2]
        ):
            yield "the draws hang on the process's random state"
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def _global_state() -> tuple[Any, Any]:
    """The random state of numpy and of Python."""
    return np.random.get_state(), random.getstate()  # noqa: NPY002


@_rule(ONCE)
def _order(case: Case) -> Iterator[str]:
    """The order of places does not matter."""
    reordered = case.refit(rows(case.panel, case.panel.locations[::-1]))
    yield from _differs(
        case,
        reordered,
        places=case.first.locations,
        when="when places are in another order",
    )


@_rule(ONCE)
def _alone(case: Case) -> Iterator[str]:
    """A model that forecasts places one by one needs no other place."""
    if case.model.spec.by is None:
        return
    places = case.first.locations[-1:]
    if case.model.spec.by == "state" and case.panel.dataset == COUNTIES:
        state = by_fips()[places[0]].state
        places = tuple(s for s in case.panel.locations if by_fips()[s].state == state)
    lone = case.refit(rows(case.panel, places))
    yield from _differs(case, lone, places=places, when="when it is asked for alone")


def _differs(
    case: Case, forecast: Forecast, places: tuple[str, ...], when: str
) -> Iterator[str]:
    if missing := [s for s in places if s not in forecast.locations]:
        yield f"{', '.join(missing)} is not forecast {when}"
    moved = []
    for place in set(places) & set(forecast.locations):
        a, b = (f.draws[:, f.locations.index(place)] for f in (case.first, forecast))
        # Sums over a whole panel run in another order: equal to rounding.
        close = case.model.spec.by is None and np.allclose(a, b, rtol=1e-6, atol=1e-6)
        if not close and not np.array_equal(a, b):
            moved.append(place)
    if moved:
        yield f"{', '.join(sorted(moved))} has other draws {when}"


@_rule(ONCE)
def _future(case: Case) -> Iterator[str]:
    """What is published later changes nothing, even where it was fitted before."""
    month = case.panel.last_month - 12 * ONE_MONTH
    draws = []
    for whole in (case.panel, scrambled(case.panel, month)):
        case.model.fit(whole)
        draws.append(case.refit(until(whole, month)).draws)
    if not np.array_equal(draws[0], draws[1]):
        yield "counts after the panel's last month change the draws"
    from odforecast.vintage import Archive, Vintage

    closed: dict[str, Any] = {
        "side_effect": PermissionError("no archive is open in a check")
    }
    with (
        mock.patch.object(Archive, "as_of", **closed) as opened,
        mock.patch.object(Vintage, "panel", **closed) as read,
        contextlib.suppress(PermissionError),
    ):
        case.refit()
    if opened.called or read.called:
        yield "opens an archive: a model is given its panel alone"


@_rule(ONCE)
def _pickles(case: Case) -> Iterator[str]:
    """Model, fitted model and forecast travel to other processes."""
    model: Model = pickle.loads(pickle.dumps(case.model))
    if model.spec.hash != case.model.spec.hash:
        yield "the model has another spec after pickling"
    if not case.same(case.forecast(model.fit(case.panel))):
        yield "the model gives other draws after pickling"
    if not case.same(pickle.loads(pickle.dumps(case.first))):
        yield "the forecast has other draws after pickling"


@_rule(ONCE)
def _requests(case: Case) -> Iterator[str]:
    """Short and long horizons, and a single draw."""
    for horizon, number in ((1, DRAWS), (24, DRAWS), (2, 1)):
        forecast = case.fitted.forecast(horizon, draws=number, seed=SEED)
        if forecast.horizons[-1] != horizon or len(forecast.draws) != number:
            yield f"{number} draws of {horizon} months come back as {forecast.draws.shape}"


@_rule(ONCE)
def _zeros(case: Case) -> Iterator[str]:
    """Draws are not cut off at zero silently."""
    forecast = case.first
    if case.panel.dataset == COUNTIES:  # which have no deaths at all in many a year
        return
    share = (forecast.draws == 0).mean()
    if share > 0.2 and not any("zero" in text for text in forecast.warnings):
        yield f"{share:.0%} of the draws are zero, and no warning says why"


#: Asked before the rules can be: does it fit, draw, and draw numbers.
BEFORE = ("declares", "fits", "refuses", "forecasts", "finite")
RULES = (*BEFORE, *ANSWERS, *EVERYWHERE, *ONCE, "panel-stays")


def check_forecaster(
    model: Model | str | object, zoo: Mapping[str, Panel] | None = None
) -> Kept:
    """Check that a model keeps the contract of every forecaster.

    A model may refuse a panel with a :class:`~odforecast.errors.PanelError` that gives the reason,
    but not the ordinary panel.

    Parameters
    ----------
    zoo : mapping of str to Panel, optional
        Panels by name, the ordinary one first; default: :func:`odforecast.testing.zoo`.

    Returns
    -------
    Kept
        Rules, panels, and the panels it refused.

    Raises
    ------
    ContractError
        An AssertionError that lists every broken rule, on which panels, and how to fix it.
    TypeError
        If it is not a forecaster.

    Examples
    --------
    >>> import odforecast as od
    >>> @od.forecaster(by="location", joint=("month",))
    ... def forgetful(panel, horizon, draws, rng):
    ...     import numpy as np
    ...     mean = panel.reported[:, -1] / 12
    ...     return np.random.default_rng().poisson(mean[None, :, None], (draws, 1, horizon))
    >>> od.testing.check_forecaster(forgetful, {"ordinary": od.testing.zoo()["ordinary"]})
    Traceback (most recent call last):
        ...
    odforecast.testing.contract.ContractError: forgetful breaks 1 rule:
      repeats (ordinary): the same seed gives other draws the second time
        hint: take every random number from what draw is given (streams, or rng)
    """
    checked = _as_model(model)
    panels = dict(all_panels(checked.spec.dataset or STATES) if zoo is None else zoo)
    ordinary = ORDINARY if ORDINARY in panels else next(iter(panels), ORDINARY)
    hints = HINTS | (OF_FUNCTIONS if is_function(checked) else {})
    breaches = [
        Breach("declares", ordinary, what=message, hint=hints["declares"])
        for message in _declared(checked)
    ]
    refused: dict[str, str] = {}
    for name, panel in panels.items():
        once = ONCE if name == ordinary else {}
        for rule, message in _broken_rules(checked, panel, once=once):
            if rule == "refuses" and name != ordinary and message:
                refused[name] = message
                continue
            if rule == "refuses":
                message = f"may not be refused so: {message or 'no reason given'}"
            breaches.append(Breach(rule, name, what=message, hint=hints[rule]))
    if breaches:
        raise ContractError(checked.label, breaches)
    return Kept(checked.label, RULES, panels=tuple(panels), refused=refused)


def _as_model(model: object) -> Model:
    if isinstance(model, str):
        return get_model(model)
    inner: Any = model.inner if isinstance(model, Model) else model
    if isinstance(inner, type):
        name = inner.__name__
        raise TypeError(
            f"{name} is a class, not a forecaster; give an object of it: {name}()"
        )
    lacking = [name for name in ("spec", "fit") if not hasattr(inner, name)]
    if lacking:
        raise TypeError(
            f"{inner!r} is not a forecaster: it has no {' and no '.join(lacking)}; "
            "decorate a function with @od.forecaster, or give an object of the class"
        )
    if not isinstance(inner.spec, Spec):
        raise TypeError(
            f"the spec of {inner!r} is a {type(inner.spec).__name__}, not a Spec; give an object "
            "whose spec is an odforecast.models.Spec"
        )
    if isinstance(model, Model):
        return model
    name = str(inner.spec.model)
    return Model(inner, name if LABEL.fullmatch(name) else type(inner).__name__)


def _broken_rules(
    model: Model, panel: Panel, once: Mapping[str, Rule]
) -> Iterator[tuple[str, str]]:
    """Rules broken on a panel, and what was found."""
    panel = replace(panel)  # nothing a model does to it reaches another panel's check
    _ = panel.data_hash, panel.monthly
    try:
        case = Case(model, panel, fitted=model.fit(panel))
    except PanelError as error:
        yield "refuses", error.message
        return
    except Exception as error:
        yield "fits", _first_line(error)
        return
    try:
        answer: object = case.raw
        message = f"returned a {type(answer).__name__}, not a Forecast"
        is_forecast = isinstance(answer, Forecast)
        answers = list(_answered(case)) if is_forecast else [("forecasts", message)]
    except Exception as error:
        rule = "finite" if "not finite" in str(error) else "forecasts"
        answers = [(rule, _first_line(error))]
    yield from answers
    if (
        answers
    ):  # the wrapper refuses what is not the answer, and so would every other rule
        return
    broken_everywhere = list(_broken(case, EVERYWHERE))
    yield from broken_everywhere
    # Without it, every rule that fits again would say so once more.
    if "repeats" in dict(broken_everywhere):
        once = {n: rule for n, rule in once.items() if n == "global-random"}
    yield from _broken(case, once)
    yield from _broken(case, {"panel-stays": _panel_stays})


def _broken(case: Case, rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    for name, rule in rules.items():
        try:
            for message in rule(case):
                yield name, message
        except Exception as error:
            yield name, _first_line(error)


def _first_line(error: Exception) -> str:
    line, _, _ = str(error).partition("\n")
    return f"raised {type(error).__name__}: {line}"
