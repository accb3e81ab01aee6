"""Which forecast a command makes: from which releases, of what, by which model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.options import (
    as_of_option,
    draws_option,
    indicator_option,
    locations_option,
    model_option,
    quiet_option,
    seed_option,
    together,
)
from odforecast.cli.progress import working
from odforecast.cli.screen import note, say, warn
from odforecast.cli.source import say_age, source_options
from odforecast.names import TARGET_12MO

if TYPE_CHECKING:
    from odforecast.forecast import Forecast
    from odforecast.models import Fitted, Model
    from odforecast.panel import Panel
    from odforecast.vintage import Archive


def made_options[F: Callable[..., Any]](command: F) -> Callable[..., Any]:
    """Add what says which forecast is made; ``--horizon`` and ``--until`` are the command's."""
    return together(
        source_options, as_of_option, model_option, locations_option, indicator_option,
        draws_option, seed_option, quiet_option,
    )(command)  # fmt: skip


def open_panel(
    releases: Archive, as_of: str | None, indicator: str, locations: str
) -> tuple[Panel, tuple[str, ...]]:
    """The panel of a day, and the locations asked for."""
    vintage = releases.as_of(as_of)
    say_age(vintage)
    panel = vintage.panel(indicator)
    for text in panel.notes:
        if text != vintage.note:
            note(text)
    return panel, _asked(locations, panel)


def _asked(locations: str, panel: Panel) -> tuple[str, ...]:
    """The locations asked for; who asks for counties is told how."""
    from odforecast.errors import UnknownNameError
    from odforecast.geography import resolve

    try:
        return resolve(locations, panel.locations)
    except UnknownNameError as error:
        try:
            counties = any(code.isdigit() for code in resolve(locations))
        except UnknownNameError:  # no place at all
            counties = False
        if not counties:
            raise
        hint = f"{error.hint}; for counties: odforecast forecast --dataset counties"
        raise UnknownNameError(error.message, hint=hint) from None


def fit(model: Model, panel: Panel, states: Sequence[str]) -> Fitted:
    """Fit to the whole panel, or to the locations asked for where each stands by itself."""
    return model.fit(panel if model.spec.by is None else panel.select(states))


def forecast_of(
    model: Model,
    panel: Panel,
    states: Sequence[str],
    horizon: int | None,
    until: str | None,
    draws: int,
    seed: int,
    quiet: bool,
) -> Forecast:
    """The whole forecast that a model makes, with its progress on a terminal.

    Raises
    ------
    click.UsageError
        If both a horizon and a last month are given.
    """
    if horizon is not None and until is not None:
        raise click.UsageError("give --horizon or --until, not both")
    with working(f"fitting {model.label}", quiet):
        return fit(model, panel, states).forecast(horizon, until=until, draws=draws, seed=seed)


def there(made: Forecast, states: Sequence[str]) -> list[str]:
    """The locations asked for that are forecast; the others are named on standard error."""
    kept = [s for s in states if s in made.locations]
    for state in states:
        if state not in made.locations:
            reason = made.skipped.get(state, "the model does not forecast it")
            note(reason, f"skipped {state}")
    return kept


def keep(made: Forecast, states: Sequence[str]) -> Forecast:
    """The locations asked for; those the model left out are named on standard error."""
    return made.select(there(made, states) or states)  # without any, the error says why


def say_warnings(made: Forecast) -> None:
    """The forecast's warnings on standard error, and that it goes far."""
    from odforecast.forecast.text import beyond_validated

    for text in made.warnings:
        warn(text)
    if far := beyond_validated(made):
        warn(far)


def say_how(made: Forecast, forecaster: Model, seed: int, err: bool = False) -> None:
    """Which model made it, and its warnings on standard error."""
    say_warnings(made)
    say(
        f"model {forecaster.label} (spec {forecaster.spec.hash}), {len(made.draws)} draws, "
        f"seed {seed}",
        err=err,
    )


def said_of(made: Forecast, panel: Panel) -> str:
    """What is counted, and the day it is seen from."""
    day = made.as_of if panel.release == made.as_of else f"{made.as_of} (release {panel.release})"
    return f"{panel.indicator} as of {day}"


def about(
    made: Forecast, panel: Panel, forecaster: Model, seed: int, target: str = TARGET_12MO
) -> dict[str, Any]:
    """What JSON says of how a forecast was made."""
    from odforecast.forecast.text import beyond_validated
    from odforecast.version import __version__

    far = beyond_validated(made)
    return {
        "indicator": panel.indicator,
        "target": target,
        "basis": panel.basis,
        "as_of": str(made.as_of),
        "release": str(panel.release),
        "data_hash": panel.data_hash,
        "last_month": str(panel.last_month),
        "end": str(made.months[-1]),
        "locations": list(made.locations),
        "skipped": dict(made.skipped),
        "model": forecaster.label,
        "spec_hash": forecaster.spec.hash,
        "draws": len(made.draws),
        "seed": seed,
        "odforecast": __version__,
        "warnings": [*made.warnings, *([far] if far else [])],
        "notes": list(panel.notes),
    }
