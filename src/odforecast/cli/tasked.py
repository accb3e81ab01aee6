"""``odforecast backtest --task``: what the task says is not said again on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from odforecast.backtesting.task import Task

#: Options that a task says, by their parameters.
_SAID = (
    "source", "dataset", "locations", "start", "end", "step", "donors", "horizons", "horizon",
    "draws", "seed", "indicator", "target", "vintages", "truth_name", "truth_as_of",
    "min_truth_age",
)  # fmt: skip
#: Arguments of the plan, which counts the units before they are run.
_PLANNED = ("truth", "locations", "horizon", "draws", "seed", "targets", "horizons")


def tasked(name: str, archive: Path | None) -> Task:
    """The task of that name, or of that file.

    Raises
    ------
    click.UsageError
        If an option says what the task says.
    """
    from odforecast.backtesting.task import Task
    from odforecast.vintage import archive as opened

    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(str(option.name))
        if option.name in _SAID and given is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"{option.opts[0]} is said by the task: leave it out, or write a task of your own"
            )
    return Task.load(name, None if archive is None else opened(archive))


def planned(task: Task) -> dict[str, Any]:
    """What the plan of a run takes of a task."""
    arguments = task.arguments()
    return {key: arguments[key] for key in _PLANNED}
