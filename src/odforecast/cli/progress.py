"""What a long fit is doing, on a terminal's standard error; nothing where nobody looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds after which a person wants to know.
PATIENCE = 1.0


@contextmanager
def working(what: str, quiet: bool = False, patience: float = PATIENCE) -> Iterator[None]:
    """Say what is being done, if it takes longer than a moment.

    A model that counts its steps (PyMC's sampler does) has a bar, any other a clock.

    Parameters
    ----------
    what : str
        ``fitting dlm``.
    quiet : bool
        Say nothing.
    patience : float
        Seconds without a word.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from odforecast.models.model import watching

    shown = Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(),
        MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True, markup=False), transient=True,
        redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
    task = shown.add_task(what, total=None)
    timer = threading.Timer(patience, shown.start)
    timer.daemon = True

    def tell(text: str, done: int, total: int) -> None:
        shown.update(task, description=text, completed=done, total=total)

    timer.start()
    try:
        with watching(tell):
            yield
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
