"""The plan of a backtest: which units there are, and which are submitted together."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import batched, groupby
from typing import Any

import numpy as np

from odforecast.backtesting.origin import Origin
from odforecast.backtesting.unit import Unit
from odforecast.errors import BacktestError, one_of, whole
from odforecast.geography import find, resolve
from odforecast.models import Model, get_model
from odforecast.names import (
    COUNTIES,
    COUNTY_HORIZONS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    HUB_QUANTILES,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_SYNTHETIC,
)
from odforecast.panel import Panel
from odforecast.scoring import Truth
from odforecast.scoring.metrics import Metric, check_metrics

#: Models of a backtest unless told otherwise: the default model first. Each classical baseline is
#: there with the delay layer; on real releases also without it. CDC's predicted value is left out
#: on clean pseudo-vintages, which do not hold it.
DEFAULT_MODELS = (
    "dlm",
    "ensemble",
    "hub-baseline",
    "cdc-predicted",
    "naive+delay",
    "drift+delay",
    "auto-ets+delay",
    "auto-theta+delay",
    "auto-ets-sums",
)

#: The same for counties.
COUNTY_MODELS = ("county", "county-hub-baseline", "county-last")
#: Quantile levels stored for counties: the middle, and the 50 and 90% intervals.
COUNTY_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def default_models(found: Sequence[Origin]) -> tuple[str, ...]:
    """Models run when none is named.

    On clean pseudo-vintages nothing is missing, so that a baseline with the delay layer equals
    the one without, and CDC's predicted values are not there; on real ones both are shown. For
    counties: :data:`COUNTY_MODELS`.
    """
    if any(o.panel is not None and o.panel.dataset == COUNTIES for o in found):
        return COUNTY_MODELS
    if all(o.vintage == VINTAGE_CLEAN for o in found):
        names = [m.removesuffix("+delay") for m in DEFAULT_MODELS if m != "cdc-predicted"]
    else:
        bare = [m.removesuffix("+delay") for m in DEFAULT_MODELS if m.endswith("+delay")]
        names = [*DEFAULT_MODELS, *bare]
    return tuple(names)


def plan(
    models: str | Model | Sequence[str | Model],
    found: Sequence[Origin],
    truth: Truth,
    *,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    horizons: Iterable[int] | None = None,
    metrics: Sequence[Metric | str] = (),
    joint: bool = False,
) -> list[Unit]:
    """The units of a backtest, model by model, origins in order.

    A unit is a model at an origin; for a model by state, in one state. A jurisdiction (New York
    City is one) is its own state, a county belongs to its state. The nation is not a sum of states
    there: where it is asked for it is a unit of its own, forecast from its own row. Regions are
    no rows of a panel, and so no units. Of counties, models by location are divided by state too,
    and the counties of a state stand together, whatever order they were asked for in.

    Parameters are those of :func:`backtest`.

    Raises
    ------
    BacktestError
        If there is nothing to do, two models have one label, an argument is not what it must be
        (a number as text, something that is not a model), or an origin is made up or given twice.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.backtesting import cuts, plan
    >>> panel = od.bundled().as_of().panel()
    >>> units = plan("naive", cuts(panel, start="2023-01", end="2023-03"), od.Truth(panel))
    >>> units[0].label, len(units)
    ('naive as of 2023-06-15', 3)
    """
    if isinstance(targets, str):  # one, and not its letters
        targets = (targets,)
    if isinstance(models, str | Model) or not isinstance(models, Iterable):
        models = [models]
    made = [get_model(m) if isinstance(m, str) else _model(m) for m in models]
    _check_kinds(truth, locations, targets, joint)
    horizon = whole("horizon", horizon, 1, BacktestError)
    draws, seed = whole("draws", draws, 2, BacktestError), whole("seed", seed, 0, BacktestError)
    if not made or not found:
        raise BacktestError("nothing to do", hint="give at least one model and one origin")
    labels = [m.label for m in made]
    if doubled := {n for n in labels if labels.count(n) > 1}:
        raise BacktestError(
            f"two models labelled {', '.join(sorted(doubled))}",
            hint="give one of them another: get_model(name, label=...), or name=... where an "
            "adapter made it",
        )
    if unknown := [t for t in targets if t not in TARGETS]:
        raise BacktestError(f"unknown target {unknown[0]!r}", hint=one_of(unknown[0], TARGETS))
    panels = [o.panel for o in found if o.panel is not None]
    if any(p.vintage == VINTAGE_SYNTHETIC for p in panels):
        raise BacktestError("made-up panels are not origins", hint="take panels from an archive")
    if any(p.basis != truth.basis for p in panels):
        raise BacktestError(f"origins and truth count deaths in different ways: truth by "
                            f"{truth.basis}")  # fmt: skip
    if any(p.dataset != truth.panel.dataset for p in panels):
        raise BacktestError(f"origins and truth are not of one data set: the truth is of "
                            f"{truth.panel.dataset}")  # fmt: skip
    if other := [p.indicator for p in panels if p.indicator != truth.panel.indicator]:
        raise BacktestError(f"origins count {other[0]!r}, the truth {truth.panel.indicator!r}")
    keys = [(o.panel.data_hash if o.panel else o.as_of, o.donor, o.distance) for o in found]
    given = Counter(keys)
    if again := [o for o, key in zip(found, keys) if given[key] > 1]:
        raise BacktestError(
            f"the origin of {again[0].as_of} is given twice", hint="give each origin once"
        )
    known = tuple(dict.fromkeys(s for p in panels for s in p.locations))
    if locations is None or (isinstance(locations, str) and locations.strip().lower() == "all"):
        places = usual_places(panels)
    else:
        places = resolve(locations, known or truth.panel.locations)
    counties = truth.panel.dataset == COUNTIES
    states: dict[str, list[str]] = {}
    for place in places:
        states.setdefault(find(place).state, []).append(place)
    divided = [(state, tuple(part)) for state, part in states.items()]
    if counties:
        # New York City's counties stand in the middle of New York's by their codes.
        places = tuple(s for _, part in divided for s in part)
    apart = ("state", "location") if counties else ("state",)
    more: dict[str, Any] = {
        "horizons": _horizons(horizons, horizon, counties),
        "levels": COUNTY_LEVELS if counties else HUB_QUANTILES,
        "metrics": check_metrics(metrics),
        "joint": bool(joint),
    }
    return [
        Unit(model, origin, truth, part, tuple(targets), horizon, draws, seed, state, **more)
        for model in made
        for origin in found
        for state, part in (
            divided if model.spec.by in apart and origin.panel is not None else [("", places)]
        )
    ]


def usual_places(panels: Iterable[Panel]) -> tuple[str, ...]:
    """Places that are scored where none are named: all but Puerto Rico."""
    return tuple(dict.fromkeys(s for p in panels for s in p.locations if s != "PR"))


def _model(given: object) -> Model:
    """What is a model already; anything else is refused, with how to make one of it."""
    if isinstance(given, Model):
        return given
    package = type(given).__module__.partition(".")[0]
    kind = type(given).__name__
    if isinstance(given, type):
        kind = f"class {given.__name__}"
        hint = "give od.register(name, the class) and then the name"
    elif package in ("statsforecast", "sktime"):
        hint = f"od.models.from_{package}(...) makes a model of it"
    elif hasattr(given, "spec") and hasattr(given, "fit"):
        hint = "od.register(name, lambda: it) and then the name"
    elif callable(given):
        hint = "@od.forecaster(...) makes a model of a function"
    else:
        hint = "give names (od.models() lists them), or what od.get_model returns"
    raise BacktestError(f"models has a {kind}, which is not a model", hint=hint)


def _check_kinds(truth: object, locations: object, targets: object, joint: object) -> None:
    """Refuse what is of another kind than it must be, before it fails deep inside."""
    if not isinstance(truth, Truth):
        raise BacktestError(
            f"truth is a {type(truth).__name__}, no Truth",
            hint="od.Truth(od.archive().as_of().panel()) is the newest release",
        )
    if locations is not None and not isinstance(locations, Iterable):
        raise BacktestError(
            f"locations is {locations!r}, allowed: names of places",
            hint="a FIPS code is a text: locations='39'",
        )
    if not isinstance(targets, Iterable):
        raise BacktestError(f"targets is {targets!r}, allowed: targets", hint=one_of("", TARGETS))
    if not isinstance(joint, bool | np.bool_):
        raise BacktestError(f"joint is {joint!r}, allowed: True or False")


def _horizons(asked: object, horizon: int, counties: bool) -> tuple[int, ...]:
    """Months ahead that are scored, in order; empty: all of them."""
    if asked is None:
        return tuple(h for h in COUNTY_HORIZONS if h <= horizon) if counties else ()
    if not isinstance(asked, Iterable):
        asked = (asked,)
    found: set[int] = set()
    for value in asked:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            number = 0
        if not 1 <= number <= horizon:
            raise BacktestError(
                f"horizons has {value!r}, allowed: whole numbers of months from 1 to {horizon}",
                hint="horizon is how far ahead is forecast, horizons what of it is scored",
            )
        found.add(number)
    if not found:
        raise BacktestError("horizons is empty", hint="leave it out to score all")
    return tuple(sorted(found))


#: Units of one model that are submitted together.
BLOCK = 8
#: Origins that are worked on together; counties go origin by origin.
NEAR = 8


def blocks(units: Sequence[Unit], todo: Iterable[int]) -> list[list[int]]:
    """Indices of what is submitted together: up to :data:`BLOCK` units of one model."""
    near = 1 if units and units[0].truth.panel.dataset == COUNTIES else NEAR
    rank = {o: i // near for i, o in enumerate(dict.fromkeys(id(u.origin) for u in units))}
    apart = {i: (rank[id(units[i].origin)], id(units[i].model)) for i in todo}
    ordered = sorted(apart, key=lambda i: apart[i][0])
    return [
        list(block)
        for _, together in groupby(ordered, apart.__getitem__)
        for block in batched(together, BLOCK)
    ]
