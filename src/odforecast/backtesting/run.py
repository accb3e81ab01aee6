"""Run models over origins: what is asked for, planned, run, put together and looked at."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import signature
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from odforecast.backtesting.origin import Origin
from odforecast.backtesting.origin import origins as origins_of
from odforecast.backtesting.planning import blocks, default_models, plan
from odforecast.backtesting.results import (
    JOINT,
    TABLES,
    Results,
    empty,
    failed_everywhere,
    manifest_of,
    written,
)
from odforecast.backtesting.store import UnitStore, run_folder
from odforecast.backtesting.unit import (
    Made,
    Outcome,
    Unit,
    code_digest,
    made,
    on_screen,
    with_few_values,
)
from odforecast.errors import BacktestError, whole
from odforecast.io import replacing
from odforecast.models import Model
from odforecast.models.spec import Spec
from odforecast.names import (
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    STATES,
    TARGET_12MO,
)
from odforecast.scoring import Truth
from odforecast.seeds import content_hash
from odforecast.vintage import Archive
from odforecast.vintage import archive as default_archive

if TYPE_CHECKING:
    from odforecast.backtesting.task import Task
    from odforecast.scoring.metrics import Metric

#: Rows that are gathered before they are written: what a streamed table takes of memory.
ROWS = 1 << 15
#: Warnings kept per model.
_WARNINGS = 10
#: Arguments that the plan takes as they are.
_PLANNED = (
    "locations", "horizon", "draws", "seed", "targets", "horizons", "metrics", "joint",
)  # fmt: skip

# -- A backtest -----------------------------------------------------------------------------------


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
        failed, and memory stays flat.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        For example :class:`odforecast.backtesting.Workers`. Default: this process.
    progress : bool or callable
        A bar on a terminal, or a function that receives :class:`Progress`.
    horizons : iterable of int, optional
        Months ahead to score. Default: all and the nowcast; counties 3, 6, 9 and 12.
    metrics : sequence of Metric or str
        More scores, each a column (:class:`odforecast.scoring.metrics.Metric`).
    joint : bool
        Also run :func:`odforecast.scoring.joint.joint_scores`, into ``Results.joint``.
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
    said = dict(locals())
    more: dict[str, object] = {}
    if task is not None:
        from odforecast.backtesting.task import FIXED, Task, refuse

        answered = Task.load(task, archive)
        usual = {name: signature(backtest).parameters[name].default for name in FIXED}
        refuse(answered, (n for n, u in usual.items() if said[n] is not u and said[n] != u))
        more["task"] = answered.manifest
        said |= answered.arguments()
        origins, truth, dataset = said["origins"], said["truth"], said["dataset"]
    for name, number in (("step", step), ("donors", donors)):
        if number is not None:
            whole(name, number, 1, BacktestError)
    if archive is None and (truth is None or origins is None or isinstance(origins, str)):
        archive = default_archive()
    if origins is None or isinstance(origins, str):
        assert archive is not None
        found = origins_of(archive, origins, start, end, step, donors, indicator, dataset)
    else:
        found = list(origins) if isinstance(origins, Iterable) else [origins]
        for each in found:
            if not isinstance(each, Origin):
                raise BacktestError(
                    f"origins has a {type(each).__name__}, which is not an Origin",
                    hint="od.origins(...) makes them",
                )
        dataset = next((o.panel.dataset for o in found if o.panel is not None), dataset)
    if truth is None:
        assert archive is not None
        truth = Truth(archive.as_of(dataset=dataset).panel(indicator, dataset))
    request = {name: said[name] for name in _PLANNED}
    units = plan(default_models(found) if models is None else models, found, truth, **request)
    told = progress if callable(progress) else None
    # Without a terminal there is no bar.
    drawn = told is None and progress and sys.stderr.isatty()
    with bar(len(units)) if drawn else nullcontext(told) as report:
        results = run_units(units, out=out, executor=executor, progress=report, more=more)
    for note in results.notes:
        warnings.warn(note, stacklevel=2)
    # A function that is told of each unit has heard of the failures.
    if progress and told is None and (lost := failed_everywhere(results)):
        text = f"no forecast at all of {', '.join(lost)}: {next(iter(lost.values()))}"
        # As the bar's lines: a failure is a result, not a fault of the call.
        sys.stderr.write(f"warning: {text} (Results.failures has every reason)\n")
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
        for metric in units[0].metrics if units else ():
            try:
                pickle.dumps(metric)
            except Exception as error:
                raise BacktestError(
                    f"metric {metric.name!r} cannot be sent to other processes: {error}",
                    hint="define its function with def in a module, or run in one process",
                ) from error
    more, notes, done = more or {}, list[str](), dict[int, Outcome]()

    def finish(indices: Sequence[int], outcomes: Sequence[Outcome], reused: bool = False) -> None:
        """Keep what came of units, and tell of it."""
        for index, outcome in zip(indices, outcomes, strict=True):
            done[index] = outcome
            if progress is not None:
                took = 0.0 if reused else outcome.seconds
                step = (len(done), len(units), units[index].label, took, reused, outcome.failed)
                progress(Progress(*step))

    with ExitStack() as stack:
        given = out
        if given is None:
            home = TemporaryDirectory(prefix="odforecast-", ignore_cleanup_errors=True)
            given = stack.enter_context(home)
        folder = Path(given).absolute()  # a model may change the working directory
        with run_folder(folder, more) as scratch:
            store = UnitStore(folder / "units", scratch / "units")
            todo = []
            for index, unit in enumerate(units):
                if (told := store.told(unit)) is None:
                    todo.append(index)
                else:
                    finish([index], [told], reused=True)
            computed: Iterator[tuple[list[int], Made]]
            together = blocks(units, todo)
            if executor is None:
                computed = ((block, made([units[i] for i in block])) for block in together)
            else:
                from odforecast.backtesting.workers import dispatched

                computed = dispatched(units, together, executor, notes, scratch)
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
            outcomes = [done[index] for index in range(len(units))]
            results = put_together(units, outcomes, store, folder, notes, more)
        if out is None:
            results.take_with(stack.pop_all())
    return results


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
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
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
                drawn.console.print(line, highlight=False, markup=False, emoji=False)

        yield report


# -- Finished units, put together -----------------------------------------------------------------


def put_together(
    units: Sequence[Unit],
    outcomes: Sequence[Outcome],
    store: UnitStore,
    folder: Path,
    notes: Sequence[str],
    more: Mapping[str, object],
) -> Results:
    """Write the tables and the manifest, which says ``more``, and look at them."""
    if all(o.failed for o in outcomes):
        failures = pd.concat([o.failures for o in outcomes], ignore_index=True)
        if not (folder / "manifest.json").exists():
            # Not beside the manifest of earlier results, which stay.
            with replacing(folder / "failures.parquet") as part:
                failures.to_parquet(part, index=False)
        first = failures["reason"].astype(str).value_counts().index[0]
        raise BacktestError(
            f"every unit failed; most often: {on_screen(first)}",
            hint="run one unit in Python to see its traceback",
        )
    names = (*TABLES, *((JOINT,) if units[0].joint else ()))
    manifest = _manifest(units, outcomes, [*notes, *store.notes], more)
    with written(folder, manifest, names) as paths:
        for name, path in paths.items():
            _write(name, path, list(zip(units, outcomes)), store)
    results = Results.load(folder)
    # What is small is read now: another run into the folder changes nothing of it.
    results.read(at_most=ROWS)
    return results


def _write(
    name: str, path: Path, finished: Sequence[tuple[Unit, Outcome]], store: UnitStore
) -> None:
    """Write a table, in groups of rows that come origin by origin; each is read in its turn."""
    schemas = [
        _arrow(o.failures).schema if o.failed else store.schema(u, name)
        for u, o in finished
        if not o.failed or name == "failures"
    ]
    # A Parquet file has one schema for all of its rows.
    distinct = dict.fromkeys(x.remove_metadata() for x in schemas if x is not None)
    if not distinct:
        empty(name).to_parquet(path, index=False)
        return
    schema = pa.unify_schemas([*distinct], promote_options="permissive")
    few, waiting = with_few_values(schema), list[pa.Table]()
    with pq.ParquetWriter(path, schema, use_dictionary=few) as writer:

        def flush(least: int) -> None:
            """Write the rows that wait, if they are so many."""
            if sum(map(len, waiting)) >= least:
                rows = pa.concat_tables(waiting).unify_dictionaries()
                writer.write_table(rows, len(rows))
                waiting.clear()

        for rows in _origins(name, finished, store):
            typed = [_as(rows.column(f.name), f.type) for f in schema]
            waiting.append(pa.table(typed, schema))
            flush(ROWS)
        flush(1)


def _origins(
    name: str, finished: Sequence[tuple[Unit, Outcome]], store: UnitStore
) -> Iterator[pa.Table]:
    """Rows of whole origins; those of states in the order that an undivided unit has them."""
    for (*_, divided), group in groupby(
        finished, key=lambda p: (id(p[0].model), id(p[0].origin), bool(p[0].state))
    ):
        pieces: list[pa.Table] = []
        for unit, outcome in group:
            if not outcome.failed:
                pieces += store.rows(unit, name)
            elif name == "failures":
                pieces.append(_arrow(outcome.failures))
        if not pieces:
            continue
        rows = pa.concat_tables(pieces, promote_options="permissive")
        if divided and name == "failures":
            once = rows.to_pandas().drop_duplicates(ignore_index=True)
            rows = pa.Table.from_pandas(once, rows.schema, preserve_index=False)
        elif divided:
            rows = _in_order(rows, unit.targets)
        yield rows


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in the type of its table; categories in order, as pandas has them."""
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    held = column.unify_dictionaries().combine_chunks()
    values = held.dictionary.to_numpy(zero_copy_only=False)
    codes = held.indices.to_numpy()
    # Only those that are there: a block's column holds those of all of its units.
    used = np.flatnonzero(np.bincount(codes, minlength=values.size))
    order = used[np.argsort(values[used])]
    place = np.zeros(values.size, dtype=np.int32)
    place[order] = np.arange(order.size, dtype=np.int32)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(place[codes], values[order])])


def _manifest(
    units: Sequence[Unit],
    done: Sequence[Outcome],
    notes: Sequence[str],
    more: Mapping[str, object],
) -> dict[str, object]:
    """What was run; see :attr:`Results.manifest`."""
    first = units[0]
    models = {u.model.label: u.model.spec for u in units}
    seconds = dict.fromkeys(models, 0.0)
    said: dict[str, Counter[str]] = {name: Counter() for name in models}
    for unit, one in zip(units, done):
        seconds[unit.model.label] += one.seconds
        said[unit.model.label].update(one.warnings)
    return manifest_of(
        first.truth,
        list({id(u.origin): u.origin for u in units}.values()),
        notes,
        run=content_hash(*(u.key for u in units)),
        models={name: spec.version for name, spec in models.items()},
        specs={name: spec.hash for name, spec in models.items()},
        # Distributions that the models' code comes from; empty: unknown, and never reused.
        sources={name: _source(spec) for name, spec in models.items()},
        code=code_digest(),
        # The commonest, each with the number of units it came up in.
        warnings={
            name: [f"{text} ({n} units)" for text, n in texts.most_common(_WARNINGS)]
            for name, texts in said.items()
            if texts
        },
        model_seconds={name: round(s, 3) for name, s in seconds.items()},
        locations=list(dict.fromkeys(s for u in units for s in u.locations)),
        targets=list(first.targets),
        horizon=first.horizon,
        horizons=list(first.horizons) or "all",
        levels=list(first.levels),
        draws=first.draws,
        seed=first.seed,
        # Named only where there are some, as in the units' keys.
        **({"metrics": [m.name for m in first.metrics]} if first.metrics else {}),
        **({"joint": True} if first.joint else {}),
        **more,
    )


def _arrow(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def _in_order(rows: pa.Table, targets: Sequence[str]) -> pa.Table:
    """Rows of states, put together, in the order that an undivided unit has them."""
    place = pc.index_in(rows.column("target").cast(pa.string()), pa.array(list(targets)))
    keys = [place.to_numpy()]
    if "level" in rows.column_names:
        keys.insert(0, rows.column("level").to_numpy())
    return rows.take(np.lexsort(keys))


def _source(spec: Spec) -> str:
    """Distributions of a model's code, its members' too; empty where one of them is unknown."""
    origins = [spec.origin, *(_source(member) for member in spec.members)]
    return ", ".join(dict.fromkeys(origins)) if all(origins) else ""
