"""The plan of a backtest: which units there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from odforecast.backtesting.origin import Origin
from odforecast.backtesting.unit import Unit
from odforecast.errors import BacktestError, one_of
from odforecast.geography import find, resolve
from odforecast.models import Model, get_model
from odforecast.names import (
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_SYNTHETIC,
)
from odforecast.scoring import Truth

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


def default_models(found: Sequence[Origin]) -> tuple[str, ...]:
    """Models run when none is named.

    On clean pseudo-vintages nothing is missing, so that a baseline with the delay layer equals
    the one without, and CDC's predicted values are not there; on real ones both are shown.
    """
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
) -> list[Unit]:
    """The units of a backtest, model by model, origins in order.

    A unit is a model at an origin; for a model by state, in one state. A jurisdiction (New York
    City is one) is its own state, a county belongs to its state. The nation is no sum of states
    there: where it is asked for it is a unit of its own, forecast from its own row. Regions are
    no rows of a panel, and so no units.

    Parameters are those of :func:`backtest`.

    Raises
    ------
    BacktestError
        If there is nothing to do, two models have one label, a number is out of range, or an
        origin is made up.
    """
    if isinstance(models, str | Model):
        models = [models]
    if isinstance(targets, str):  # one, and not its letters
        targets = (targets,)
    made = [get_model(m) if isinstance(m, str) else m for m in models]
    if not made or not found:
        raise BacktestError("nothing to do", hint="give at least one model and one origin")
    labels = [m.label for m in made]
    if doubled := {n for n in labels if labels.count(n) > 1}:
        raise BacktestError(
            f"two models labelled {', '.join(sorted(doubled))}",
            hint="give one of them another: get_model(name, label=...)",
        )
    if horizon < 1 or draws < 2:
        raise BacktestError(f"horizon must be ≥ 1 and draws ≥ 2, got {horizon} and {draws}")
    if unknown := [t for t in targets if t not in TARGETS]:
        raise BacktestError(f"unknown target {unknown[0]!r}", hint=one_of(unknown[0], TARGETS))
    panels = [o.panel for o in found if o.panel is not None]
    if any(p.vintage == VINTAGE_SYNTHETIC for p in panels):
        raise BacktestError("a made-up panel is no origin", hint="take panels from an archive")
    if any(p.basis != truth.basis for p in panels):
        raise BacktestError(f"origins and truth count deaths in different ways: truth by "
                            f"{truth.basis}")  # fmt: skip
    if other := [p.indicator for p in panels if p.indicator != truth.panel.indicator]:
        raise BacktestError(f"origins count {other[0]!r}, the truth {truth.panel.indicator!r}")
    known = tuple(dict.fromkeys(s for p in panels for s in p.locations))
    states = known if locations is None else resolve(locations, known or truth.panel.locations)
    request = (horizon, draws, seed)
    return [
        Unit(model, origin, truth, part, tuple(targets), *request, state)
        for model in made
        for origin in found
        for state, part in _parts(model, origin, states)
    ]


def _parts(
    model: Model, origin: Origin, locations: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is one unit: all locations, or for a model by state those of each state."""
    if model.spec.by != "state" or origin.panel is None:
        yield "", locations
        return
    states: dict[str, list[str]] = {}
    for location in locations:
        states.setdefault(find(location).state, []).append(location)
    for state, part in states.items():
        yield state, tuple(part)
