"""Run models over origins: what is asked for, planned, run and looked at."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.backtesting.dispatch import Done, dispatched
from odforecast.backtesting.folder import locked, same_task, scratch, tidy
from odforecast.backtesting.origin import Origin, origins
from odforecast.backtesting.packed import Made
from odforecast.backtesting.planning import blocks, default_models, plan
from odforecast.backtesting.results import Results, failed_everywhere
from odforecast.backtesting.store import Finished, UnitStore
from odforecast.backtesting.unit import Outcome, Unit, code_digest, run_block
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

    from odforecast.backtesting.unit import on_screen

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
    _sendable(units, executor)
    if out is None:
        return _in_memory(units, executor, progress, quantiles, more)
    # A model may change the working directory.
    folder = Path(out).absolute()
    with locked(folder):
        same_task(folder, more or {})
        tidy(folder)
        return _into(units, folder, executor, progress, more)


def _sendable(units: Sequence[Unit], executor: Executor | Any | None) -> None:
    """Refuse, before any work, metrics that other processes cannot get."""
    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return
    for metric in units[0].metrics if units else ():
        try:
            pickle.dumps(metric)
        except Exception as error:
            raise BacktestError(
                f"metric {metric.name!r} cannot be sent to other processes: {error}",
                hint="define its function with def in a module, or run in one process",
            ) from error


def _in_memory(
    units: Sequence[Unit],
    executor: Executor | Any | None,
    progress: Callable[[Progress], None] | None,
    quantiles: bool,
    more: Mapping[str, object] | None,
) -> Results:
    outcomes: dict[int, Outcome] = {}
    notes: list[str] = []
    for indices, made in _computed(units, range(len(units)), executor, notes, None):
        for index, outcome in zip(indices, made.outcomes, strict=True):
            outcomes[index] = outcome if quantiles else replace(outcome, quantiles=pd.DataFrame())
            _tell(progress, units, index, len(outcomes), outcome)
    # Put together in the order of the plan, whatever order the executor finished in.
    return Results.from_outcomes(units, [outcomes[i] for i in range(len(units))], notes, more)


def _into(
    units: Sequence[Unit],
    folder: Path,
    executor: Executor | Any | None,
    progress: Callable[[Progress], None] | None,
    more: Mapping[str, object] | None,
) -> Results:
    """Each block goes to disk as it comes; the tables are written from there."""
    store = UnitStore(folder / "units")
    notes: list[str] = []
    with scratch(folder) as own:
        finished = Finished(units, store, own)
        todo = []
        for index, unit in enumerate(units):
            if not store.has(unit):
                todo.append(index)
                continue
            finished.add_stored(index)
            _tell(progress, units, index, len(finished), None)
        for indices, made in _computed(units, todo, executor, notes, own):
            before = len(finished)
            _same_code(made)
            finished.add(indices, made.outcomes, made.files)
            for i, (index, outcome) in enumerate(zip(indices, made.outcomes, strict=True), 1):
                _tell(progress, units, index, before + i, outcome)
        return finished.write(folder, [*notes, *store.notes], more)


def _same_code(made: Made) -> None:
    """Refuse what a worker made of other code: its numbers, and the keys of its rows, are of that.

    Raises
    ------
    BacktestError
    """
    if made.code not in ("", code_digest()):
        raise BacktestError(
            "a worker process runs other code than this one: the package, or a library, was "
            "changed on the disk while the run was going on",
            hint="run again; finished units are kept, and used where the code is the same",
        )


def _tell(
    progress: Callable[[Progress], None] | None,
    units: Sequence[Unit],
    index: int,
    done: int,
    outcome: Outcome | None,
) -> None:
    """Say that a unit is finished; without an outcome, by an earlier run."""
    if progress is not None:
        progress(
            Progress(
                done=done,
                total=len(units),
                label=units[index].label,
                seconds=0.0 if outcome is None else outcome.seconds,
                reused=outcome is None,
                failure="" if outcome is None else outcome.failed,
            )
        )


def _computed(
    units: Sequence[Unit],
    todo: Iterable[int],
    executor: Executor | Any | None,
    notes: list[str],
    space: Path | None,
) -> Iterator[Done]:
    """Indices and outcomes of what is to be done, block by block, as they come."""
    waiting = blocks(units, todo)
    if executor is not None:
        yield from dispatched(units, waiting, executor, notes, space)
        return
    for block in waiting:
        yield block, Made(run_block([units[i] for i in block]))


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
        of processes, something is given that the task says, or an argument is not what it must
        be.

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
    if task is None:
        return _run(None, **asked)
    from odforecast.backtesting.task import Task

    answered = Task.load(task, archive)
    return _run({"task": answered.manifest}, **_beside(answered, asked))


def _beside(task: Task, asked: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a backtest that answers a task.

    Raises
    ------
    BacktestError
        If one is given that the task says.
    """
    from odforecast.backtesting.task import FIXED

    usual = {name: p.default for name, p in signature(backtest).parameters.items()}
    for name in FIXED:
        if asked[name] is not usual[name] and asked[name] != usual[name]:
            raise BacktestError(
                f"{name} is said by task {task.name}",
                hint="leave it out, or write a task file of your own",
            )
    return asked | task.arguments()


def _run(
    more: Mapping[str, object] | None,
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
    if origins is None or isinstance(origins, str):
        archive = default_archive() if archive is None else archive
        found = _origins(archive, origins, start, end, step, donors, indicator, dataset)
    else:
        found = _listed(origins)
        dataset = next((o.panel.dataset for o in found if o.panel is not None), dataset)
    if truth is None:
        archive = default_archive() if archive is None else archive
        truth = Truth(archive.as_of(dataset=dataset).panel(indicator, dataset))
    units = plan(
        default_models(found) if models is None else models,
        found,
        truth,
        **request,
    )
    if callable(progress):
        results = run_units(units, out=out, executor=executor, progress=progress, more=more)
    elif not progress or not sys.stderr.isatty():
        results = run_units(units, out=out, executor=executor, more=more)
    else:
        with bar(len(units)) as report:
            results = run_units(units, out=out, executor=executor, progress=report, more=more)
    for note in results.notes:
        warnings.warn(note, stacklevel=2)
    # A function that is told of each unit has heard of the failures.
    if progress and not callable(progress) and (lost := failed_everywhere(results)):
        text = f"no forecast at all of {', '.join(lost)}: {next(iter(lost.values()))}"
        # As the bar's lines: a failure is a result, not a fault of the call.
        sys.stderr.write(f"warning: {text} (Results.failures has every reason)\n")
    return results


_origins = origins


def _listed(given: object) -> list[Origin]:
    """Origins that are given, as a list."""
    listed = list(given) if isinstance(given, Iterable) else [given]
    found = [each for each in listed if isinstance(each, Origin)]
    if len(found) < len(listed):
        wrong = next(each for each in listed if not isinstance(each, Origin))
        raise BacktestError(
            f"origins has a {type(wrong).__name__}, which is no Origin",
            hint="od.origins(...) makes them",
        )
    return found
