"""A progress bar on standard error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """What a progress callback is told after each unit.

    Attributes
    ----------
    done, total : int
        Units.
    label : str
        The unit just finished.
    seconds : float
        Time it took; 0 where it was read back.
    reused : bool
        Whether it was stored by an earlier run.
    failure : str
        Why it failed; empty if it did not.
    """

    done: int
    total: int
    label: str
    seconds: float
    reused: bool
    failure: str


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
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from odforecast.backtesting.outcome import on_screen

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
                # A reason is somebody else's text: no markup, no emoji, no control characters.
                line = f"failed: {step.label}: {on_screen(step.failure)}"
                drawn.console.print(line, highlight=False, markup=False, emoji=False)

        yield report
