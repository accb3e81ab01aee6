"""Run models over origins: in this process, on processes, or on any executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path

from odforecast.backtesting.results import Results
from odforecast.backtesting.splits import Origin
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import Outcome, Unit, run_unit
from odforecast.errors import BacktestError
from odforecast.models.registry import Forecaster, get_model
from odforecast.names import TARGET_12MO, TARGETS
from odforecast.scoring.truth import Truth


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


def plan(
    models: Sequence[str | Forecaster],
    origins: Sequence[Origin],
    truth: Truth,
    *,
    locations: Iterable[str] | None = None,
    horizon: int = 12,
    draws: int = 1000,
    seed: int = 0,
    targets: Sequence[str] = (TARGET_12MO,),
) -> list[Unit]:
    """The units of a backtest, model by model, origins in order.

    Parameters are those of :func:`run_backtest`.

    Raises
    ------
    BacktestError
        If there is nothing to do, or a number is out of range.
    """
    made = [get_model(m) if isinstance(m, str) else m for m in models]
    if not made or not origins:
        raise BacktestError("nothing to do", hint="give at least one model and one origin")
    names = [m.name for m in made]
    if doubled := {n for n in names if names.count(n) > 1}:
        raise BacktestError(f"two models named {', '.join(sorted(doubled))}")
    if horizon < 1 or draws < 2:
        raise BacktestError(f"horizon must be ≥ 1 and draws ≥ 2, got {horizon} and {draws}")
    if unknown := [t for t in targets if t not in TARGETS]:
        raise BacktestError(f"unknown target {unknown[0]!r}", hint=f"one of {', '.join(TARGETS)}")
    if locations is None:
        locations = dict.fromkeys(s for o in origins if o.panel for s in o.panel.locations)
    states = tuple(locations)
    return [
        Unit(model, origin, truth, states, tuple(targets), horizon, draws, seed)
        for model in made
        for origin in origins
    ]


def run_backtest(
    models: Sequence[str | Forecaster],
    origins: Sequence[Origin],
    truth: Truth,
    *,
    locations: Iterable[str] | None = None,
    horizon: int = 12,
    draws: int = 1000,
    seed: int = 0,
    targets: Sequence[str] = (TARGET_12MO,),
    out: str | Path | None = None,
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Results:
    """Forecast from every origin with every model, and score against a named truth.

    Parameters
    ----------
    models : sequence of str or Forecaster
        Names in the registry, or forecasters.
    origins : sequence of Origin
        From :func:`real_origins` or :func:`pseudo_origins`.
    truth : Truth
        Counts to score against.
    locations : iterable of str, optional
        CDC codes scored; default: all that any origin has. Models whose draws are joint over
        locations are fitted to the whole panel all the same.
    horizon : int
        Months ahead, counted from the panel's last month.
    draws : int
        Sample paths per forecast.
    seed : int
        The run's seed; each unit derives its own from model and data, so serial and parallel
        runs agree.
    targets : sequence of str
        ``"deaths_12mo"``, ``"deaths_month"``, or both.
    out : path, optional
        Folder to store finished units in (``units/``) and, at the end, the results. A run
        started again with the same folder computes only what is missing.
    executor : concurrent.futures.Executor, optional
        Where to run: a process pool, or a Dask client's executor. Default: this process.
    progress : callable, optional
        Told after each unit.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.Panel.from_archive(od.bundled(), "2025-09-17", locations=["US", "WV"])
    >>> results = od.run_backtest(
    ...     ["naive", "hub-baseline"],
    ...     od.pseudo_origins(panel, start="2021-01", end="2021-03"),
    ...     od.Truth(panel),
    ...     draws=100,
    ... )
    >>> len(results.scores)
    144
    """
    units = plan(
        models,
        origins,
        truth,
        locations=locations,
        horizon=horizon,
        draws=draws,
        seed=seed,
        targets=targets,
    )
    store = None if out is None else UnitStore(Path(out) / "units")
    outcomes: dict[int, Outcome] = {}
    for index, outcome, reused in _outcomes(units, store, executor):
        if store is not None and not reused:
            store.save(units[index], outcome)
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
) -> Iterator[tuple[int, Outcome, bool]]:
    """Index, outcome, and whether it was reused, as they come."""
    todo = []
    for index, unit in enumerate(units):
        if store is not None and store.has(unit):
            yield index, store.load(unit), True
        else:
            todo.append(index)
    if executor is None:
        for index in todo:
            yield index, run_unit(units[index]), False
        return
    futures: dict[Future[Outcome], int] = {executor.submit(run_unit, units[i]): i for i in todo}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result(), False
    finally:
        for future in futures:
            future.cancel()
