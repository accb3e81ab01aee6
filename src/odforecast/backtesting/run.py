"""Run the units of a plan, store them, put them together, and show how far the run is."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from odforecast.backtesting.planning import blocks
from odforecast.backtesting.results import Results, failed_everywhere, put_together
from odforecast.backtesting.store import UnitStore, run_folder
from odforecast.backtesting.unit import (
    BlockResult,
    Outcome,
    Unit,
    code_digest,
    on_screen,
    run_block,
)
from odforecast.errors import BacktestError

#: Frames of this package: a warning points at the line of the caller outside of it.
_PACKAGE = str(Path(__file__).resolve().parents[1])


def run_plan(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | Any | None = None,
    progress: bool | Callable[[Progress], None] = True,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan, with a bar on a terminal, and warn of what is to be known."""
    callback = progress if callable(progress) else None
    # Without a terminal there is no bar.
    shows_bar = callback is None and progress and sys.stderr.isatty()
    with bar(len(units)) if shows_bar else nullcontext(callback) as report:
        results = run_units(
            units, out=out, executor=executor, progress=report, more=more
        )
    for note in results.notes:
        warnings.warn(note, skip_file_prefixes=(_PACKAGE,))
    # A callback has been told of each failure.
    if progress and callback is None:
        failed = failed_everywhere(results)
        if failed:
            first = next(iter(failed.values()))
            # As the bar's lines: a failure is a result, not a fault of the call.
            sys.stderr.write(
                f"warning: no forecast at all of {', '.join(failed)}: {first} "
                "(Results.failures has every reason)\n"
            )
    return results


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    What ``more`` says is put into the manifest. Without ``out`` the folder is a temporary one, and
    goes with the results.
    """
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        _check_metrics_travel(units)
    more = more or {}
    notes: list[str] = []
    outcomes: dict[int, Outcome] = {}

    def finish(
        indices: Sequence[int], finished: Sequence[Outcome], reused: bool = False
    ) -> None:
        """Keep the outcomes of some units, and report them."""
        for index, outcome in zip(indices, finished, strict=True):
            outcomes[index] = outcome
            if progress is not None:
                step = Progress(
                    done=len(outcomes),
                    total=len(units),
                    label=units[index].label,
                    seconds=0.0 if reused else outcome.seconds,
                    reused=reused,
                    failure=outcome.failed,
                )
                progress(step)

    with ExitStack() as stack:
        if out is None:
            temporary = TemporaryDirectory(
                prefix="odforecast-", ignore_cleanup_errors=True
            )
            directory = stack.enter_context(temporary)
        else:
            directory = str(out)
        folder = Path(directory).absolute()  # a model may change the working directory
        with run_folder(folder, more) as scratch:
            store = UnitStore(folder / "units", scratch / "units")
            missing = []
            for index, unit in enumerate(units):
                stored = store.find(unit)
                if stored is None:
                    missing.append(index)
                else:
                    finish([index], [stored], reused=True)
            computed: Iterator[tuple[list[int], BlockResult]]
            planned = blocks(units, missing)
            if executor is None:
                computed = (
                    (block, run_block([units[i] for i in block])) for block in planned
                )
            else:
                from odforecast.backtesting.workers import dispatched

                computed = dispatched(
                    units,
                    planned,
                    executor=executor,
                    notes=notes,
                    folder=scratch,
                )
            for indices, answer in computed:
                if answer.code not in ("", code_digest()):
                    # Its numbers, and the keys of its rows, are of that code.
                    raise BacktestError(
                        "a worker process runs other code than this one: the package, or a "
                        "library, was changed on the disk while the run was going on",
                        hint="run again; finished units are kept, and used where the code is the "
                        "same",
                    )
                store.save([units[i] for i in indices], answer)
                finish(indices, answer.outcomes)
            # Put together in the order of the plan, whatever order the executor finished in.
            results = put_together(
                units,
                [outcomes[index] for index in range(len(units))],
                store=store,
                folder=folder,
                notes=notes,
                more=more,
            )
        if out is None:
            results._take_with(stack.pop_all())
    return results


def _check_metrics_travel(units: Sequence[Unit]) -> None:
    """Refuse metrics that cannot be sent to another process."""
    metrics = units[0].metrics if units else ()
    for metric in metrics:
        try:
            pickle.dumps(metric)
        except Exception as error:
            raise BacktestError(
                f"metric {metric.name!r} cannot be sent to other processes: {error}",
                hint="define its function with def in a module, or run in one process",
            ) from error


# -- Progress -------------------------------------------------------------------------------------


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
    """A progress callback that draws a bar, or if ``quiet`` only names failures, but none that was
    ``said`` already.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), disable=quiet) as drawn:
        task = drawn.add_task("starting", total=total)

        def report(step: Progress) -> None:
            drawn.update(task, completed=step.done, description=step.label)
            if step.failure and step.failure not in said:
                # A reason is somebody else's text: no markup, no emoji, no control characters.
                line = f"failed: {step.label}: {on_screen(step.failure)}"
                drawn.console.print(
                    line,
                    highlight=False,
                    markup=False,
                    emoji=False,
                )

        yield report
