"""The contract: every rule on every panel, and all that is broken in one error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.models import Model, Spec, get_model
from odforecast.models.decorate import is_function
from odforecast.models.model import LABEL
from odforecast.names import STATES
from odforecast.panel import Panel
from odforecast.testing.declared import declared
from odforecast.testing.hints import hint
from odforecast.testing.outcome import Breach, ContractError, Kept
from odforecast.testing.rules import AFTER, ANSWERS, EVERYWHERE, ONCE, Case, Rule
from odforecast.testing.zoo import ORDINARY
from odforecast.testing.zoo import zoo as all_panels

#: Asked before the rules can be: does it fit, draw, and draw numbers.
BEFORE = ("declares", "fits", "refuses", "forecasts", "finite")
RULES = (*BEFORE, *ANSWERS, *EVERYWHERE, *ONCE, *AFTER)


def check_forecaster(model: Model | str | object, zoo: Mapping[str, Panel] | None = None) -> Kept:
    """Check that a model does what every forecaster must do.

    A model may refuse a panel with a :class:`~odforecast.errors.PanelError` that says why, but
    not the ordinary one.

    Parameters
    ----------
    model : Model, str or forecaster
        What ``od.get_model`` or ``@od.forecaster`` returns, a name, or an object with ``spec``
        and ``fit``.
    zoo : mapping of str to Panel, optional
        Panels by name, the ordinary one first; default: :func:`odforecast.testing.zoo`, of
        counties for a model that forecasts only these.

    Returns
    -------
    Kept
        Rules, panels, and the panels it refused.

    Raises
    ------
    ContractError
        An AssertionError that lists every broken rule, on which panels, what was found, and what
        to do about it. A rule that cannot be asked because another one is broken (an answer of
        the wrong shape has no seed) is not listed.
    TypeError
        If it is no forecaster at all.

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
    odforecast.testing.outcome.ContractError: forgetful breaks 1 rule:
      repeats (ordinary): the same seed gives other draws the second time
        hint: take every random number from what draw is given (streams, or rng)
    """
    checked = _as_model(model)
    panels = dict(all_panels(checked.spec.dataset or STATES) if zoo is None else zoo)
    ordinary = ORDINARY if ORDINARY in panels else next(iter(panels), ORDINARY)
    function = is_function(checked)

    def breach(rule: str, panel: str, what: str) -> Breach:
        return Breach(rule, panel, what, hint(rule, function))

    breaches = [breach("declares", ordinary, what) for what in declared(checked)]
    refused: dict[str, str] = {}
    for name, panel in panels.items():
        for rule, what in _found(checked, panel, ONCE if name == ordinary else {}):
            if rule == "refuses" and name != ordinary and what:
                refused[name] = what
            elif rule == "refuses":
                why = what or "no reason given"
                breaches.append(breach(rule, name, f"may not be refused so: {why}"))
            else:
                breaches.append(breach(rule, name, what))
    if breaches:
        raise ContractError(checked.label, breaches)
    return Kept(checked.label, RULES, tuple(panels), refused)


def _as_model(model: object) -> Model:
    if isinstance(model, str):
        return get_model(model)
    inner: Any = model.inner if isinstance(model, Model) else model
    lacking = [name for name in ("spec", "fit") if not hasattr(inner, name)]
    if lacking:
        raise TypeError(
            f"{inner!r} is no forecaster: it has no {' and no '.join(lacking)}; a function becomes "
            "one by @od.forecaster, a class is given as an object"
        )
    if not isinstance(inner.spec, Spec):
        kind = type(inner.spec).__name__
        what = "a property of the class" if kind == "property" else kind
        raise TypeError(
            f"the spec of {inner!r} is {what}, no Spec; give an object of the class, whose spec is "
            "an odforecast.models.Spec"
        )
    if isinstance(model, Model):
        return model
    name = str(inner.spec.model)
    return Model(inner, name if LABEL.fullmatch(name) else type(inner).__name__)


def _found(model: Model, panel: Panel, once: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    """Rules broken on a panel, and what was found."""
    panel = replace(panel)  # nothing a model does to it reaches another panel's check
    _ = panel.data_hash, panel.monthly
    try:
        case = Case(model, panel, model.fit(panel))
    except PanelError as error:
        yield "refuses", error.message
        return
    except Exception as error:
        yield "fits", _said(error)
        return
    try:
        made: object = case.raw
    except Exception as error:
        yield "finite" if "not finite" in str(error) else "forecasts", _said(error)
        return
    if not isinstance(made, Forecast):
        yield "forecasts", f"returned a {type(made).__name__}, not a Forecast"
        return
    answers = list(_broken(case, ANSWERS))
    yield from answers
    if answers:  # the wrapper refuses what is not the answer, and so would every other rule
        return
    everywhere = list(_broken(case, EVERYWHERE))
    yield from everywhere
    if "repeats" in dict(everywhere):  # then every rule that fits again would say so once more
        once = {n: rule for n, rule in once.items() if n == "global-random"}
    yield from _broken(case, once)
    yield from _broken(case, AFTER)


def _broken(case: Case, rules: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    for name, rule in rules.items():
        try:
            for what in rule(case):
                yield name, what
        except Exception as error:
            yield name, _said(error)


def _said(error: Exception) -> str:
    return f"raised {type(error).__name__}: {str(error).partition(chr(10))[0]}"
