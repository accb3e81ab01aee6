"""A progress bar on standard error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from odforecast.backtesting.run import Progress


@contextmanager
def bar(
    total: int, quiet: bool = False, said: Collection[str] = ()
) -> Iterator[Callable[[Progress], None]]:
    """A progress callback that draws a bar.

    Parameters
    ----------
    total : int
        Units.
    quiet : bool
        Draw nothing, but still name failures.
    said : collection of str
        Failures already told.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), disable=quiet) as drawn:
        task = drawn.add_task("starting", total=total)

        def report(step: Progress) -> None:
            drawn.update(task, completed=step.done, description=step.label)
            if step.failure and step.failure not in said:
                drawn.console.print(
                    f"failed: {step.label}: {step.failure}", highlight=False, markup=False
                )

        yield report
