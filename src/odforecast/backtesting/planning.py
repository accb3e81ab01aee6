"""The plan of a backtest: its units, and which of them are submitted together."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import batched, groupby

from odforecast.backtesting.origin import Origin, usual_places
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
from odforecast.scoring import Truth
from odforecast.scoring.metrics import Metric, check_metrics

#: Models of a backtest unless told otherwise: the default model first. Each classical baseline is
#: there with the delay layer; on real releases also without it. CDC's predicted value is left out
#: on clean pseudo-vintages, which do not hold it.
DEFAULT_MODELS = (
    "dlm",
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


def default_models(origins: Sequence[Origin]) -> tuple[str, ...]:
    """Models run when none is named.

    On clean pseudo-vintages nothing is missing, so that a baseline with the delay layer equals
    the one without, and CDC's predicted values are not there; on real ones both are shown. For
    counties: :data:`COUNTY_MODELS`.
    """
    panels = [origin.panel for origin in origins if origin.panel is not None]
    if any(panel.dataset == COUNTIES for panel in panels):
        return COUNTY_MODELS
    if all(origin.vintage == VINTAGE_CLEAN for origin in origins):
        names = [name for name in DEFAULT_MODELS if name != "cdc-predicted"]
        return tuple(name.removesuffix("+delay") for name in names)
    delayed = [name for name in DEFAULT_MODELS if name.endswith("+delay")]
    return (*DEFAULT_MODELS, *(name.removesuffix("+delay") for name in delayed))


def plan(
    models: str | Model | Sequence[str | Model],
    origins: Sequence[Origin],
    truth: Truth,
    *,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    horizons: Iterable[int] | None = None,
    metrics: Sequence[Metric | str] = (),
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
    chosen = [
        get_model(model) if isinstance(model, str) else _model(model)
        for model in models
    ]
    _check_kinds(truth, locations, targets=targets)
    horizon = whole("horizon", horizon, least=1, error=BacktestError)
    draws = whole("draws", draws, least=2, error=BacktestError)
    seed = whole("seed", seed, least=0, error=BacktestError)
    if not chosen or not origins:
        raise BacktestError(
            "nothing to do", hint="give at least one model and one origin"
        )
    _check_labels(chosen)
    unknown = [target for target in targets if target not in TARGETS]
    if unknown:
        raise BacktestError(
            f"unknown target {unknown[0]!r}", hint=one_of(unknown[0], TARGETS)
        )
    _check_origins(origins, truth)
    panels = [origin.panel for origin in origins if origin.panel is not None]
    every_place = isinstance(locations, str) and locations.strip().lower() == "all"
    if locations is None or every_place:
        places = usual_places(panels)
    else:
        panel_places = dict.fromkeys(
            place for panel in panels for place in panel.locations
        )
        places = resolve(locations, tuple(panel_places) or truth.panel.locations)
    counties = truth.panel.dataset == COUNTIES
    by_state: dict[str, list[str]] = {}
    for place in places:
        by_state.setdefault(find(place).state, []).append(place)
    if counties:
        # New York City's counties stand in the middle of New York's by their codes.
        places = tuple(place for part in by_state.values() for place in part)
    divided_ways = ("state", "location") if counties else ("state",)
    scored_horizons = _horizons(horizons, horizon, counties=counties)
    levels = COUNTY_LEVELS if counties else HUB_QUANTILES
    checked_metrics = check_metrics(metrics)
    units = []
    for model in chosen:
        for origin in origins:
            parts = [("", places)]
            if model.spec.by in divided_ways and origin.panel is not None:
                parts = [(state, tuple(part)) for state, part in by_state.items()]
            for state, part in parts:
                unit = Unit(
                    model,
                    origin,
                    truth,
                    locations=part,
                    targets=tuple(targets),
                    horizon=horizon,
                    draws=draws,
                    seed=seed,
                    state=state,
                    horizons=scored_horizons,
                    levels=levels,
                    metrics=checked_metrics,
                )
                units.append(unit)
    return units


def _check_labels(models: Sequence[Model]) -> None:
    """Refuse two models of one label."""
    counts = Counter(model.label for model in models)
    doubled = sorted(label for label, count in counts.items() if count > 1)
    if doubled:
        raise BacktestError(
            f"two models labelled {', '.join(doubled)}",
            hint="give one of them another: get_model(name, label=...), or name=... where an "
            "adapter made it",
        )


def _check_origins(origins: Sequence[Origin], truth: Truth) -> None:
    """Refuse origins that are made up, given twice, or of other counts than the truth."""
    panels = [origin.panel for origin in origins if origin.panel is not None]
    for panel in panels:
        if panel.vintage == VINTAGE_SYNTHETIC:
            raise BacktestError(
                "made-up panels are not origins", hint="take panels from an archive"
            )
    for panel in panels:
        if panel.basis != truth.basis:
            raise BacktestError(
                f"origins and truth count deaths in different ways: truth by {truth.basis}"
            )
        if panel.dataset != truth.panel.dataset:
            raise BacktestError(
                f"origins and truth are not of one data set: the truth is of {truth.panel.dataset}"
            )
        if panel.indicator != truth.panel.indicator:
            raise BacktestError(
                f"origins count {panel.indicator!r}, the truth {truth.panel.indicator!r}"
            )
    keys = set()
    for origin in origins:
        data = origin.as_of if origin.panel is None else origin.panel.data_hash
        key = (data, origin.donor, origin.distance)
        if key in keys:
            raise BacktestError(
                f"the origin of {origin.as_of} is given twice",
                hint="give each origin once",
            )
        keys.add(key)


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


def _check_kinds(truth: object, locations: object, targets: object) -> None:
    """Refuse what is of another kind than it must be, before it fails deep inside."""
    if not isinstance(truth, Truth):
        raise BacktestError(
            f"truth is a {type(truth).__name__}, not a Truth",
            hint="od.Truth(od.archive().as_of().panel()) is the newest release",
        )
    if locations is not None and not isinstance(locations, Iterable):
        raise BacktestError(
            f"locations is {locations!r}, allowed: names of places",
            hint="a FIPS code is a text: locations='39'",
        )
    if not isinstance(targets, Iterable):
        raise BacktestError(
            f"targets is {targets!r}, allowed: targets", hint=one_of("", TARGETS)
        )


def _horizons(horizons: object, longest: int, counties: bool) -> tuple[int, ...]:
    """Months ahead that are scored, in order; empty: all of them."""
    if horizons is None:
        if not counties:
            return ()
        return tuple(months for months in COUNTY_HORIZONS if months <= longest)
    if not isinstance(horizons, Iterable):
        horizons = (horizons,)
    numbers: set[int] = set()
    for value in horizons:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            number = 0
        if not 1 <= number <= longest:
            raise BacktestError(
                f"horizons has {value!r}, allowed: whole numbers of months from 1 to {longest}",
                hint="horizon is how far ahead to forecast, horizons are the months to score",
            )
        numbers.add(number)
    if not numbers:
        raise BacktestError("horizons is empty", hint="leave it out to score all")
    return tuple(sorted(numbers))


#: Units of one model that are submitted together.
BLOCK = 8
#: Origins that are worked on together; counties go origin by origin.
NEAR = 8


def blocks(units: Sequence[Unit], indices: Iterable[int]) -> list[list[int]]:
    """Indices of what is submitted together: up to :data:`BLOCK` units of one model.

    Of the last origins half as many, so that processes end at about the same time.
    """
    near = NEAR
    if units and units[0].truth.panel.dataset == COUNTIES:
        near = 1
    group_of: dict[int, int] = {}
    for unit in units:
        group_of.setdefault(id(unit.origin), len(group_of) // near)
    # By origins first: all models come to some origins before the first comes to the next ones.
    keys = {i: (group_of[id(units[i].origin)], id(units[i].model)) for i in indices}
    ordered = sorted(keys, key=lambda i: keys[i][0])
    last_group = keys[ordered[-1]][0] if ordered else None
    out: list[list[int]] = []
    for (group, _), group_indices in groupby(ordered, key=lambda i: keys[i]):
        size = max(1, BLOCK // 2) if group == last_group else BLOCK
        out.extend(list(block) for block in batched(group_indices, size))
    return out
