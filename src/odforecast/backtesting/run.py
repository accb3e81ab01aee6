"""Run models over origins: what is asked for, planned, run and looked at."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odforecast.backtesting.origin import Origin, origins
from odforecast.backtesting.planning import blocks, default_models, plan
from odforecast.backtesting.results import Results, failed_everywhere
from odforecast.backtesting.store import Finished, run_folder
from odforecast.backtesting.unit import Made, Outcome, Unit, code_digest, made, on_screen
from odforecast.errors import BacktestError, whole
from odforecast.models import Model
from odforecast.names import (
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    STATES,
    TARGET_12MO,
)
from odforecast.scoring import Truth
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive

if TYPE_CHECKING:
    from odforecast.backtesting.task import Task
    from odforecast.scoring.metrics import Metric


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


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    quantiles: bool = True,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    What ``more`` says is put into the manifest.

    Without ``out`` and with ``quantiles=False`` the results have no quantiles, which are most of
    the memory: of 650 units, two gigabytes.
    """
    if executor is not None and not isinstance(executor, ThreadPoolExecutor):
        for metric in units[0].metrics if units else ():
            try:
                pickle.dumps(metric)
            except Exception as error:
                raise BacktestError(
                    f"metric {metric.name!r} cannot be sent to other processes: {error}",
                    hint="define its function with def in a module, or run in one process",
                ) from error
    more = more or {}
    # A model may change the working directory.
    folder = None if out is None else Path(out).absolute()
    with nullcontext() if folder is None else run_folder(folder, more) as scratch:
        finished = Finished(units, folder, scratch)
        notes: list[str] = []

        def tell(index: int, done: int, outcome: Outcome | None = None) -> None:
            """Say that a unit is finished; without an outcome, by an earlier run."""
            if progress is not None:
                seconds, failure = (outcome.seconds, outcome.failed) if outcome else (0.0, "")
                progress(
                    Progress(
                        done, len(units), units[index].label, seconds, outcome is None, failure
                    )
                )

        todo = []
        for index in range(len(units)):
            if finished.stored(index):
                tell(index, len(finished))
            else:
                todo.append(index)
        computed: Iterator[tuple[list[int], Made]]
        if executor is None:
            computed = (
                (block, made([units[i] for i in block], packed=folder is not None))
                for block in blocks(units, todo)
            )
        else:
            from odforecast.backtesting.workers import dispatched

            computed = dispatched(units, blocks(units, todo), executor, notes, scratch)
        for indices, answer in computed:
            if folder is not None and answer.code not in ("", code_digest()):
                # Its numbers, and the keys of its rows, are of that code.
                raise BacktestError(
                    "a worker process runs other code than this one: the package, or a library, "
                    "was changed on the disk while the run was going on",
                    hint="run again; finished units are kept, and used where the code is the same",
                )
            if folder is None and not quantiles:
                tables = {n: t for n, t in answer.tables.items() if n != "quantiles"}
                answer = replace(answer, tables=tables)
            before = len(finished)
            finished.add(indices, answer)
            for i, (index, outcome) in enumerate(zip(indices, answer.outcomes, strict=True), 1):
                tell(index, before + i, outcome)
        # Put together in the order of the plan, whatever order the executor finished in.
        return finished.results(notes, more)


def backtest(
    models: str | Model | Sequence[str | Model] | None = None,
    origins: str | Sequence[Origin] | None = None,
    archive: Archive | None = None,
    indicator: str = "all-drugs",
    dataset: str = STATES,
    truth: Truth | None = None,
    start: object | None = None,
    end: object | None = None,
    step: int | None = None,
    donors: int = DEFAULT_DONORS,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    out: str | Path | None = None,
    executor: Executor | Any | None = None,
    progress: bool | Callable[[Progress], None] = True,
    horizons: Iterable[int] | None = None,
    metrics: Sequence[Metric | str] = (),
    joint: bool = False,
    task: Task | str | Path | None = None,
) -> Results:
    """Forecast from every origin with every model, and score against a named truth.

    Parameters
    ----------
    models : str, Model or sequence of them, optional
        Names, or what :func:`odforecast.get_model` makes; default: see :func:`default_models`.
    origins : {"pseudo-delayed", "pseudo-clean", "real"} or sequence of Origin, optional
        What to forecast from; see :func:`odforecast.origins`. Default: pseudo-delayed for
        states, pseudo-clean for counties.
    archive : Archive, optional
        Releases; default: :func:`odforecast.archive`.
    indicator, dataset : str
        What is forecast: of ``"states"``, or of ``"counties"``, 12-month counts by residence.
    truth : Truth, optional
        Counts to score against; default: reported in the newest release, at least 12 months
        after the month; of counties at least 6, which is provisional.
    start, end : month, optional
        First and last last-known month of the origins.
    step : int, optional
        Months between pseudo-vintages; default: 1, of counties 3.
    donors : int
        Releases that each month's delay is taken from, for pseudo-delayed origins.
    locations : str or iterable of str, optional
        Any names of places; default: all that any origin has but Puerto Rico, which is no part of
        the nation. Models of the whole panel are fitted to all of it all the same.
    horizon : int
        Months ahead, counted from the panel's last month.
    draws : int
        Sample paths per forecast.
    seed : int
        The run's seed; random numbers hang on it, the month and the place alone, so serial and
        parallel runs agree.
    targets : sequence of str
        ``"deaths_12mo"``, ``"deaths_month"``, or both.
    out : path, optional
        Folder to store finished units in (``units/``) and, at the end, the results, which are
        read from there: memory does not grow with their number. A run started again with the
        same folder computes only what is missing or had failed.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Where to run: :class:`odforecast.backtesting.Workers`, another process pool, or a Dask
        client. Default: this process.
    progress : bool or callable
        A bar on a terminal; or a function told :class:`Progress` after each unit. Unless
        it is a function or False, a line on standard error names models without any forecast.
    horizons : iterable of int, optional
        Months ahead that are scored and stored, out of 1 to ``horizon``. Default: all, with the
        nowcast; of counties 3, 6, 9 and 12, and five quantiles of each.
    metrics : sequence of Metric or str
        More scores, each a column of its name: see :class:`odforecast.scoring.metrics.Metric`.
    joint : bool
        Score the draws of places and months together, too
        (:func:`odforecast.scoring.joint.joint_scores`): the table ``joint`` of the results.
    task : Task, str or path, optional
        A task, its name, or its file: it says what is forecast from what, and how it is scored,
        and nothing of that may be given beside it.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Raises
    ------
    BacktestError
        If there is nothing to do, every unit failed, the folder cannot be written to or another
        run holds it or it holds the results of another task, an executor broke that is not made
        of processes, something is given that the task says, an origin is given twice, or an
        argument is not what it must be.

    Notes
    -----
    A model may be anybody's: whatever it raises (an exit, too), returns, prints or warns of,
    its units end as scores or as a failure row with the reason, and change no other unit. What
    it warns of is counted in ``manifest["warnings"]``; what it prints is dropped.

    In processes (``executor=Workers(jobs)``, or a ``ProcessPoolExecutor``) that holds for models
    that kill their process as well: a unit whose process dies, or that runs out of memory, is
    run once more, alone, and fails if that happens again. **In this process** it cannot be: a
    model that calls ``os._exit``, crashes the interpreter or takes all memory ends the run
    (finished units are in ``out``), and ``KeyboardInterrupt`` is taken for yours. Nothing ends a
    model that loops for ever, here or there, but you.

    Stored units that were damaged are computed again. One line about that, or about units that
    were run again, is in ``manifest["notes"]`` and issued as a warning.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(
    ...     ["naive", "hub-baseline"], archive=od.bundled(), start="2021-01", end="2021-03",
    ...     locations=["US", "West Virginia"], draws=100, progress=False,
    ... )
    >>> len(results.scores)  # 2 models, 3 months by 3 donors each, 2 places, 12 horizons
    432
    """
    asked = dict(locals())
    del asked["task"]
    more: dict[str, object] = {}
    if task is not None:
        from odforecast.backtesting.task import FIXED, Task

        answered = Task.load(task, archive)
        usual = {name: p.default for name, p in signature(backtest).parameters.items()}
        for name in FIXED:
            if asked[name] is not usual[name] and asked[name] != usual[name]:
                raise BacktestError(
                    f"{name} is said by task {answered.name}",
                    hint="leave it out, or write a task file of your own",
                )
        more["task"] = answered.manifest
        asked |= answered.arguments()
    return _run(more, **asked)


def _run(
    more: Mapping[str, object],
    *,
    models: str | Model | Sequence[str | Model] | None,
    origins: str | Sequence[Origin] | None,
    archive: Archive | None,
    indicator: str,
    dataset: str,
    truth: Truth | None,
    start: object | None,
    end: object | None,
    step: int | None,
    donors: int,
    out: str | Path | None,
    executor: Executor | Any | None,
    progress: bool | Callable[[Progress], None],
    **request: Any,
) -> Results:
    """A backtest whose arguments are complete; see :func:`backtest`."""
    for name, number in (("step", step), ("donors", donors)):
        if number is not None:
            whole(name, number, 1, BacktestError)
    if archive is None and (truth is None or origins is None or isinstance(origins, str)):
        archive = default_archive()
    if origins is None or isinstance(origins, str):
        assert archive is not None
        found = _origins(archive, origins, start, end, step, donors, indicator, dataset)
    else:
        found = list(origins) if isinstance(origins, Iterable) else [origins]
        for each in found:
            if not isinstance(each, Origin):
                raise BacktestError(
                    f"origins has a {type(each).__name__}, which is no Origin",
                    hint="od.origins(...) makes them",
                )
        dataset = next((o.panel.dataset for o in found if o.panel is not None), dataset)
    if truth is None:
        assert archive is not None
        truth = Truth(archive.as_of(dataset=dataset).panel(indicator, dataset))
    units = plan(default_models(found) if models is None else models, found, truth, **request)
    told = progress if callable(progress) else None
    # Without a terminal there is no bar.
    drawn = told is None and progress and sys.stderr.isatty()
    with bar(len(units)) if drawn else nullcontext(told) as report:
        results = run_units(units, out=out, executor=executor, progress=report, more=more)
    for note in results.notes:
        warnings.warn(note, stacklevel=3)
    # A function that is told of each unit has heard of the failures.
    if progress and told is None and (lost := failed_everywhere(results)):
        text = f"no forecast at all of {', '.join(lost)}: {next(iter(lost.values()))}"
        # As the bar's lines: a failure is a result, not a fault of the call.
        sys.stderr.write(f"warning: {text} (Results.failures has every reason)\n")
    return results


_origins = origins
