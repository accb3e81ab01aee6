"""The function ``backtest``: origins, truth and a plan from its arguments, or from a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from inspect import signature
from pathlib import Path
from typing import Any

from odforecast.backtesting.origin import Origin
from odforecast.backtesting.origin import origins as find_origins
from odforecast.backtesting.planning import default_models, plan
from odforecast.backtesting.results import Results
from odforecast.backtesting.run import Progress, run_plan
from odforecast.backtesting.task import FIXED, Task, refuse
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
from odforecast.scoring.metrics import Metric
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive


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
    task: Task | str | Path | None = None,
) -> Results:
    """Forecast from every origin with every model, and score against a named truth.

    Parameters
    ----------
    models : str, Model or sequence of them, optional
        Default: :func:`default_models`.
    origins : {"pseudo-delayed", "pseudo-clean", "real"} or sequence of Origin, optional
        See :func:`odforecast.origins`. Default: pseudo-delayed for states, pseudo-clean for
        counties.
    archive : Archive, optional
        Default: :func:`odforecast.archive`.
    indicator, dataset : str
        What is forecast, for ``"states"`` or ``"counties"``.
    truth : Truth, optional
        Default: reported counts of the newest release, at least 12 months old (counties: 6).
    start, end : month, optional
        First and last last-known month of the origins.
    step : int, optional
        Months between pseudo-vintages; default 1, for counties 3.
    donors : int
        Donor releases per month, for pseudo-delayed origins.
    locations : str or iterable of str, optional
        Default: all except Puerto Rico.
    horizon : int
        Months ahead of the panel's last month.
    targets : sequence of str
        ``"deaths_12mo"``, ``"deaths_month"``, or both.
    out : path, optional
        Folder for finished units and results. A repeated run computes only what is missing or
        failed. Default: a temporary folder, which is removed with the results.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        For example :class:`odforecast.backtesting.Workers`. Default: this process.
    progress : bool or callable
        A bar on a terminal, or a function that receives :class:`Progress`.
    horizons : iterable of int, optional
        Months ahead to score. Default: all and the nowcast; counties 3, 6, 9 and 12.
    metrics : sequence of Metric or str
        More scores, each a column (:class:`odforecast.scoring.metrics.Metric`).
    task : Task, str or path, optional
        A task that sets origins, targets and scores; none of these may be given beside it.

    Returns
    -------
    Results
        One score row per forecast unit; failures with reasons; the manifest of the run.

    Raises
    ------
    BacktestError
        If there is nothing to do, every unit failed, the folder cannot be used, an executor broke,
        something is given that the task sets, an origin is given twice, or an argument is wrong.

    Notes
    -----
    A failing model fails only its own units, with the reason. With processes, a unit whose
    process dies is run once more, alone. In this process, ``os._exit``, a crash or lack of memory
    ends the run; finished units stay in ``out``. Nothing stops an endless loop.

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
    arguments = dict(locals())
    if task is not None:
        named_task = Task.load(task, archive)
        for name in FIXED:
            value = arguments[name]
            default = signature(backtest).parameters[name].default
            if value is not default and value != default:
                refuse(named_task, [name])
        return named_task.run(models, out=out, executor=executor, progress=progress)
    for name, number in (("step", step), ("donors", donors)):
        if number is not None:
            whole(name, number, least=1, error=BacktestError)
    kind_of_origins = origins is None or isinstance(origins, str)
    if archive is None and (kind_of_origins or truth is None):
        archive = default_archive()
    if origins is None or isinstance(origins, str):
        assert archive is not None
        chosen = find_origins(
            archive,
            origins,
            start=start,
            end=end,
            step=step,
            donors=donors,
            indicator=indicator,
            dataset=dataset,
        )
    else:
        chosen = list(origins) if isinstance(origins, Iterable) else [origins]
        _check_origins(chosen)
        panels = [origin.panel for origin in chosen if origin.panel is not None]
        if panels:
            dataset = panels[0].dataset
    if truth is None:
        assert archive is not None
        truth = Truth(archive.as_of(dataset=dataset).panel(indicator, dataset))
    units = plan(
        default_models(chosen) if models is None else models,
        chosen,
        truth,
        locations=locations,
        horizon=horizon,
        draws=draws,
        seed=seed,
        targets=targets,
        horizons=horizons,
        metrics=metrics,
    )
    return run_plan(units, out=out, executor=executor, progress=progress)


def _check_origins(origins: Sequence[object]) -> None:
    """Refuse what is not an origin."""
    for origin in origins:
        if not isinstance(origin, Origin):
            raise BacktestError(
                f"origins has a {type(origin).__name__}, which is not an Origin",
                hint="od.origins(...) makes them",
            )
