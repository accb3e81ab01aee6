"""Run models over origins: in this process, on processes, or on any executor."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import pandas as pd

from odforecast.backtesting.bar import Progress, bar
from odforecast.backtesting.dispatch import dispatched
from odforecast.backtesting.lock import locked
from odforecast.backtesting.origin import Origin, origins
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.planning import default_models, plan
from odforecast.backtesting.results import Results, save_reasons
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import Unit, run_block
from odforecast.models import Model
from odforecast.names import (
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    STATES,
    TARGET_12MO,
    VINTAGE_DELAYED,
)
from odforecast.scoring import Truth
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive

#: Units of one model that are submitted together.
BLOCK = 8


def backtest(
    models: str | Model | Sequence[str | Model] | None = None,
    origins: str | Sequence[Origin] = VINTAGE_DELAYED,
    archive: Archive | None = None,
    indicator: str = "all-drugs",
    dataset: str = STATES,
    truth: Truth | None = None,
    start: object | None = None,
    end: object | None = None,
    step: int = 1,
    donors: int = DEFAULT_DONORS,
    locations: str | Iterable[str] | None = None,
    horizon: int = DEFAULT_HORIZON,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    targets: Sequence[str] = (TARGET_12MO,),
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: bool | Callable[[Progress], None] = True,
) -> Results:
    """Forecast from every origin with every model, and score against a named truth.

    Parameters
    ----------
    models : str, Model or sequence of them, optional
        Names, or what :func:`odforecast.get_model` makes; default: see :func:`default_models`.
    origins : {"pseudo-delayed", "pseudo-clean", "real"} or sequence of Origin
        What to forecast from; see :func:`odforecast.origins`.
    archive : Archive, optional
        Releases; default: :func:`odforecast.archive`.
    indicator, dataset : str
        What is forecast.
    truth : Truth, optional
        Counts to score against; default: reported in the newest release, at least 12 months
        after the month.
    start, end : month, optional
        First and last last-known month of the origins.
    step : int
        Months between pseudo-vintages.
    donors : int
        Releases that each month's delay is taken from, for pseudo-delayed origins.
    locations : str or iterable of str, optional
        Any names of places; default: all that any origin has. Models of the whole panel are
        fitted to all of it all the same.
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
        Folder to store finished units in (``units/``) and, at the end, the results. A run
        started again with the same folder computes only what is missing or had failed.
    executor : concurrent.futures.Executor, optional
        Where to run: :class:`odforecast.backtesting.Workers`, another process pool, or a Dask
        client's executor. Default: this process.
    progress : bool or callable
        A bar on a terminal; or a function told :class:`Progress` after each unit.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Raises
    ------
    BacktestError
        If there is nothing to do, every unit failed, the folder cannot be written to or another
        run holds it, or an executor broke that is not made of processes.

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
    if isinstance(origins, str):
        archive = default_archive() if archive is None else archive
        found = _origins(archive, origins, start, end, step, donors, indicator, dataset)
    else:
        found = list(origins)
    if truth is None:
        archive = default_archive() if archive is None else archive
        truth = Truth(archive.as_of().panel(indicator, dataset))
    units = plan(
        default_models(found) if models is None else models,
        found,
        truth,
        locations=locations,
        horizon=horizon,
        draws=draws,
        seed=seed,
        targets=targets,
    )
    if callable(progress):
        results = run_units(units, out=out, executor=executor, progress=progress)
    elif not progress or not sys.stderr.isatty():
        results = run_units(units, out=out, executor=executor)
    else:
        with bar(len(units)) as report:
            results = run_units(units, out=out, executor=executor, progress=report)
    for note in results.notes:
        warnings.warn(note, stacklevel=2)
    return results


_origins = origins


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
    quantiles: bool = True,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    Without ``out`` and with ``quantiles=False`` the results have no quantiles, which are most of
    the memory: of 650 units, two gigabytes.
    """
    if out is None:
        return _run(units, None, executor, progress, quantiles)
    # A model may change the working directory.
    folder = Path(out).absolute()
    with locked(folder):
        _tidy(folder)
        return _run(units, folder, executor, progress)


def _tidy(folder: Path) -> None:
    """Remove what a killed run had begun to write; nobody else writes here now."""
    for pattern in (".*.parquet.*.tmp", ".*.json.*.tmp", ".*.csv.*.tmp"):
        for part in (*folder.glob(pattern), *folder.glob(f"units/model=*/{pattern}")):
            part.unlink(missing_ok=True)


def _run(
    units: Sequence[Unit],
    folder: Path | None,
    executor: Executor | None,
    progress: Callable[[Progress], None] | None,
    quantiles: bool = True,
) -> Results:
    store = None if folder is None else UnitStore(folder / "units")
    outcomes: dict[int, Outcome] = {}
    notes: list[str] = []
    for indices, made, reused in _outcomes(units, store, executor, notes):
        if store is not None and not reused:
            store.save([units[i] for i in indices], made)
        for index, outcome in zip(indices, made, strict=True):
            outcomes[index] = outcome if quantiles else replace(outcome, quantiles=pd.DataFrame())
            if progress is not None:
                progress(
                    Progress(
                        done=len(outcomes),
                        total=len(units),
                        label=units[index].label,
                        seconds=0.0 if reused else outcome.seconds,
                        reused=reused,
                        failure=outcome.failed,
                    )
                )
    if store is not None:
        notes += store.notes
    # Put together in the order of the plan, whatever order the executor finished in.
    ordered = [outcomes[i] for i in range(len(units))]
    if folder is not None and all(o.failed for o in ordered):
        save_reasons(folder, ordered)
    results = Results.from_outcomes(units, ordered, notes)
    if folder is not None:
        results.save(folder)
    return results


def _outcomes(
    units: Sequence[Unit], store: UnitStore | None, executor: Executor | None, notes: list[str]
) -> Iterator[tuple[list[int], list[Outcome], bool]]:
    """Indices, outcomes, and whether they were reused, as they come."""
    todo: list[int] = []
    stored: list[int] = []
    for index, unit in enumerate(units):
        (stored if store is not None and store.has(unit) else todo).append(index)
    if store is not None:
        yield stored, store.load([units[i] for i in stored]), True
    waiting = _blocks(units, todo)
    if executor is None:
        for block in waiting:
            yield block, run_block([units[i] for i in block]), False
        return
    for block, made in dispatched(units, waiting, executor, notes):
        yield block, made, False


def _blocks(units: Sequence[Unit], todo: Sequence[int]) -> list[list[int]]:
    """Runs of up to :data:`BLOCK` units of one model."""
    blocks: list[list[int]] = []
    for index in todo:
        last = blocks[-1] if blocks else []
        if last and len(last) < BLOCK and units[last[0]].model is units[index].model:
            last.append(index)
        else:
            blocks.append([index])
    return blocks
