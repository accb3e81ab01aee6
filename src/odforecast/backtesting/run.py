"""Run models over origins: what is asked for, planned, run, put together and looked at."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from inspect import signature
from itertools import groupby
from pathlib import Path
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
    same_text,
    stored_as,
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
    quantiles: bool = True,
    more: Mapping[str, object] | None = None,
) -> Results:
    """Run the units of one plan; see :func:`backtest` for the parameters.

    What ``more`` says is put into the manifest. Without ``out`` and with ``quantiles=False`` the
    results have no quantiles, which are most of the memory.
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
    more, folder, notes = more or {}, None, list[str]()
    own: AbstractContextManager[Path | None] = nullcontext()
    if out is not None:
        folder = Path(out).absolute()  # a model may change the working directory
        own = run_folder(folder, more)
    with own as scratch:
        finished = Finished(units, folder, scratch)

        def tell(index: int, done: int, outcome: Outcome | None = None) -> None:
            """Say that a unit is finished; without an outcome, by an earlier run."""
            if progress is not None:
                seconds, failure = (outcome.seconds, outcome.failed) if outcome else (0.0, "")
                step = (done, len(units), units[index].label, seconds, outcome is None, failure)
                progress(Progress(*step))

        todo = []
        for index in range(len(units)):
            if finished.stored(index):
                tell(index, len(finished))
            else:
                todo.append(index)
        computed: Iterator[tuple[list[int], Made]]
        if executor is None:
            computed = ((block, made([units[i] for i in block])) for block in blocks(units, todo))
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


class _Table:
    """One table being put together: in memory or, in groups of rows, in a file."""

    def __init__(self, name: str, schemas: Iterable[pa.Schema], path: Path | None) -> None:
        self._name, self._path = name, path
        # A Parquet file has one schema for all of its rows.
        distinct = dict.fromkeys(s.remove_metadata() for s in schemas)
        self._schema = pa.unify_schemas([*distinct, pa.schema([])], promote_options="permissive")
        self._waiting: list[pa.Table] = []
        self._writer: pq.ParquetWriter | None = None
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._path is not None:
                self._flush()
                if self._writing is not None:
                    self._writing.result()
                else:
                    empty(self._name).to_parquet(self._path, index=False)
        finally:
            self._thread.shutdown()
            if self._writer is not None:
                self._writer.close()

    def add(self, pieces: Sequence[pa.Table]) -> None:
        """Take the rows of an origin; written when there are enough."""
        if not pieces:
            return
        rows = pa.concat_tables(pieces, promote_options="permissive")
        typed = [_as(rows.column(f.name), f.type) for f in self._schema]
        self._waiting.append(pa.table(typed, self._schema))
        if self._path is not None and sum(map(len, self._waiting)) >= ROWS:
            self._flush()

    def to_frame(self) -> pd.DataFrame:
        """The rows, as they would be read from the file."""
        return self._whole().to_pandas() if self._waiting else empty(self._name)

    def _whole(self) -> pa.Table:
        return pa.concat_tables(self._waiting).unify_dictionaries()

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows, self._waiting = self._whole(), []
        if self._writer is None:
            few = with_few_values(self._schema)
            self._writer = pq.ParquetWriter(self._path, self._schema, use_dictionary=few)
        if self._writing is not None:
            self._writing.result()
        # While it is written, the next rows are read.
        self._writing = self._thread.submit(self._writer.write_table, rows, len(rows))


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


class Finished:
    """The finished units of one plan."""

    def __init__(
        self, units: Sequence[Unit], folder: Path | None = None, scratch: Path | None = None
    ) -> None:
        self._units, self._folder = units, folder
        self._done: dict[int, Outcome] = {}
        if folder is None or scratch is None:
            self._store = self._own = UnitStore(None, anyone=True)
        else:
            self._store = UnitStore(folder / "units")
            self._own = UnitStore(scratch / "units", anyone=True)

    def __len__(self) -> int:
        return len(self._done)

    def stored(self, index: int) -> bool:
        """Whether an earlier run has stored a unit, of which note is taken."""
        told = self._store.told(self._units[index])
        if told is not None:
            self._done[index] = told
        return told is not None

    def add(self, indices: Sequence[int], made: Made) -> None:
        """Put a block of one model away."""
        units = [self._units[i] for i in indices]
        self._store_of(units[0]).save(units, made)
        self._done |= dict(zip(indices, made.outcomes))

    def results(self, notes: Sequence[str], more: Mapping[str, object]) -> Results:
        """Write the tables and the manifest, which says ``more``, and look at them."""
        done = [self._done[i] for i in range(len(self._units))]
        folder = self._folder
        lost = [d.failures for d in done if d.failed]
        if len(lost) == len(done):
            failures = pd.concat(lost, ignore_index=True)
            if folder is not None and not (folder / "manifest.json").exists():
                # Not beside the manifest of earlier results, which stay.
                with replacing(folder / "failures.parquet") as part:
                    failures.to_parquet(part, index=False)
            first = failures["reason"].astype(str).value_counts().index[0]
            raise BacktestError(
                f"every unit failed; most often: {on_screen(first)}",
                hint="run one unit in Python to see its traceback",
            )
        names = (*TABLES, *((JOINT,) if self._units[0].joint else ()))
        manifest = self._manifest(done, [*notes, *self._store.notes], more)
        if folder is None:
            tables = self._put_together(dict.fromkeys(names))
            return Results({name: table.to_frame() for name, table in tables.items()}, manifest)
        with written(folder, manifest, names) as paths:
            self._put_together(paths)
        results = Results.load(folder)
        # What is small is read now: another run into the folder changes nothing of it.
        results.read(at_most=ROWS)
        return results

    def _put_together(self, paths: Mapping[str, Path | None]) -> dict[str, _Table]:
        """The tables, of rows that come origin by origin."""
        schemas = self._schemas(list(paths))
        with ExitStack() as stack:
            tables = {
                name: stack.enter_context(_Table(name, schemas[name], path))
                for name, path in paths.items()
            }
            for origin in self._origins(list(paths)):
                for name, table in tables.items():
                    table.add(origin[name])
        return tables

    def _store_of(self, unit: Unit) -> UnitStore:
        return self._store if unit.reusable else self._own

    def _origins(self, names: Sequence[str]) -> Iterator[dict[str, list[pa.Table]]]:
        """Rows of whole origins, states put together in the order that an undivided unit has them;
        each origin is read in its turn.
        """
        together = groupby(
            enumerate(self._units),
            key=lambda p: (id(p[1].model), id(p[1].origin), bool(p[1].state)),
        )
        for _, group in together:
            members = dict(group)
            first = next(iter(members.values()))
            out = {}
            for name in names:
                pieces = [p for i in members if (p := self._rows(i, name)) is not None]
                if pieces and first.state:
                    rows = pa.concat_tables(pieces, promote_options="permissive")
                    if name == "failures":
                        once = rows.to_pandas().drop_duplicates(ignore_index=True)
                        pieces = [pa.Table.from_pandas(once, rows.schema, preserve_index=False)]
                    else:
                        pieces = [_in_order(rows, first.targets)]
                out[name] = pieces
            yield out

    def _rows(self, index: int, name: str) -> pa.Table | None:
        """Rows of a unit, under the label it has now; None if it has none."""
        unit, done = self._units[index], self._done[index]
        if done.failed:
            return _arrow(done.failures) if name == "failures" else None
        whole, places = self._store_of(unit).tables(unit).get(name, (None, {}))
        if whole is None or stored_as(unit) not in places:
            return None
        found = whole.slice(*places[stored_as(unit)])
        at = found.column_names.index("model")
        few = pa.types.is_dictionary(found.schema.field(at).type)
        label = (same_text if few else pa.repeat)(unit.model.label, len(found))
        return found.set_column(at, "model", label)

    def _schemas(self, names: Sequence[str]) -> dict[str, list[pa.Schema]]:
        """What will come, per table."""
        found: dict[str, list[pa.Schema]] = {name: [] for name in names}
        for index, unit in enumerate(self._units):
            done = self._done[index]
            if done.failed:
                schemas = {"failures": _arrow(done.failures).schema}
            else:
                schemas = self._store_of(unit)[unit].schemas
            for name in found.keys() & schemas.keys():
                found[name].append(schemas[name])
        return found

    def _manifest(
        self, done: Sequence[Outcome], notes: Sequence[str], more: Mapping[str, object]
    ) -> dict[str, object]:
        """What was run; see :attr:`Results.manifest`."""
        units, first = self._units, self._units[0]
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
