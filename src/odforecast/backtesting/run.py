"""Run models over origins: in this process, on processes, or on any executor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path

from odforecast.backtesting.bar import Progress, bar
from odforecast.backtesting.origin import Origin, origins
from odforecast.backtesting.results import Results
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import Outcome, Unit, run_block
from odforecast.errors import BacktestError
from odforecast.geography import resolve
from odforecast.models import Model, get_model
from odforecast.names import (
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    STATES,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_SYNTHETIC,
)
from odforecast.scoring import Truth
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive

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
#: Units of one model that are submitted together.
BLOCK = 8
#: Blocks in flight per worker: enough to keep it busy, few enough that memory stays flat.
WINDOW = 8


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
    models: Sequence[str | Model],
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

    Parameters are those of :func:`backtest`.

    Raises
    ------
    BacktestError
        If there is nothing to do, two models have one label, a number is out of range, or an
        origin is made up.
    """
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
        raise BacktestError(f"unknown target {unknown[0]!r}", hint=f"one of {', '.join(TARGETS)}")
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
    return [
        Unit(model, origin, truth, states, tuple(targets), horizon, draws, seed)
        for model in made
        for origin in found
    ]


def backtest(
    models: Sequence[str | Model] | None = None,
    origins: str | Sequence[Origin] = VINTAGE_CLEAN,
    archive: Archive | None = None,
    indicator: str = "all-drugs",
    dataset: str = STATES,
    truth: Truth | None = None,
    start: object | None = None,
    end: object | None = None,
    step: int = 1,
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
    models : sequence of str or Model, optional
        Names, or what :func:`odforecast.get_model` makes; default: see :func:`default_models`.
    origins : {"pseudo-clean", "real"} or sequence of Origin
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
        Where to run: a process pool, or a Dask client's executor. Default: this process.
    progress : bool or callable
        A bar on a terminal; or a function told :class:`Progress` after each unit.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Raises
    ------
    BacktestError
        If there is nothing to do, every unit failed, or a worker process died.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(
    ...     ["naive", "hub-baseline"], archive=od.bundled(), start="2021-01", end="2021-03",
    ...     locations=["US", "West Virginia"], draws=100, progress=False,
    ... )
    >>> len(results.scores)
    144
    """
    if isinstance(origins, str):
        archive = default_archive() if archive is None else archive
        found = _origins(archive, origins, start, end, step, indicator, dataset)
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
        return run_units(units, out=out, executor=executor, progress=progress)
    if not progress or not sys.stderr.isatty():
        return run_units(units, out=out, executor=executor)
    with bar(len(units)) as report:
        return run_units(units, out=out, executor=executor, progress=report)


_origins = origins


def run_units(
    units: Sequence[Unit],
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters."""
    store = None if out is None else UnitStore(Path(out) / "units")
    outcomes: dict[int, Outcome] = {}
    for indices, made, reused in _outcomes(units, store, executor):
        if store is not None and not reused:
            store.save([units[i] for i in indices], made)
        for index, outcome in zip(indices, made, strict=True):
            outcomes[index] = outcome
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
    # Put together in the order of the plan, whatever order the executor finished in.
    results = Results.from_outcomes(units, [outcomes[i] for i in range(len(units))])
    if out is not None:
        results.save(out)
    return results


def _outcomes(
    units: Sequence[Unit], store: UnitStore | None, executor: Executor | None
) -> Iterator[tuple[list[int], list[Outcome], bool]]:
    """Indices, outcomes, and whether they were reused, as they come."""
    todo: list[int] = []
    stored: list[int] = []
    for index, unit in enumerate(units):
        (stored if store is not None and store.has(unit) else todo).append(index)
    if stored and store is not None:
        yield stored, store.load([units[i] for i in stored]), True
    waiting = _blocks(units, todo)
    if executor is None:
        for block in waiting:
            yield block, run_block([units[i] for i in block]), False
        return
    limit = WINDOW * int(getattr(executor, "_max_workers", 4))
    running: dict[Future[list[Outcome]], list[int]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < limit:
                block = waiting.pop(0)
                running[executor.submit(run_block, [units[i] for i in block])] = block
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                block = running.pop(future)
                yield block, future.result(), False
    except BrokenExecutor as error:
        raise BacktestError(
            f"a worker process died ({error})",
            hint="finished units are kept where --out was given: run again to go on, with fewer "
            "jobs if memory ran out",
        ) from error
    finally:
        for future in running:
            future.cancel()


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
