"""A unit: one model at one origin. How it runs, contained, and what comes of it."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from odforecast.backtesting.origin import Origin, labels_of
from odforecast.errors import BacktestError, OdforecastError
from odforecast.forecasts import Forecast
from odforecast.geography import find
from odforecast.models import Model
from odforecast.names import COUNTIES, HUB_QUANTILES
from odforecast.panel import Panel, Triangle
from odforecast.scoring import Truth
from odforecast.scoring.columns import PROVENANCE_COLUMNS
from odforecast.scoring.units import picked_months, score_columns
from odforecast.seeds import Streams, content_hash
from odforecast.version import __version__

if TYPE_CHECKING:
    from odforecast.scoring.metrics import Metric

#: Tables of a unit.
UNIT_TABLES = ("scores", "quantiles", "failures")
#: Columns of the failures table.
FAILURE_COLUMNS = (*PROVENANCE_COLUMNS[:7], "location", "target", "reason", "detail")
#: Columns of the quantile table with few distinct values, kept as categories in memory.
QUANTILE_CATEGORIES = ("model", "target", "location", "donor")
#: How a reason begins where memory ran out: such a unit is tried once more, alone.
NO_MEMORY = "MemoryError"
#: Longest traceback kept, and longest reason on a screen, in characters.
_DETAIL = 20_000
SCREEN = 200


# -- What a unit is -------------------------------------------------------------------------------

#: Modules and packages up to ``models``: a change in any of them may change a forecast. Scores,
#: readers and figures change no forecast; scoring is here because stored rows hold its scores.
_CODE = (
    "errors.py",
    "names.py",
    "seeds.py",
    "months.py",
    "publication.py",
    "geography",
    "monthly",
    "panel",
    "forecasts",
    "models",
    "scoring",
)
#: Beside code, a packed table is read by a model, too: of what releases missed.
_KINDS = ("*.py", "*.csv", "*.csv.gz")
_LIBRARIES = ("numpy", "scipy", "numba", "statsforecast", "pymc", "nutpie")
_ROOT = Path(__file__).resolve().parents[1]


def hashed_files() -> list[Path]:
    """Every file that the digest is of, in order."""
    files = []
    for name in _CODE:
        path = _ROOT / name
        files += (
            sorted(f for kind in _KINDS for f in path.rglob(kind))
            if path.is_dir()
            else [path]
        )
    return files


@cache
def code_digest() -> str:
    """Hash of the package's version, its modules up to ``models``, and numerical libraries."""
    digests = [
        (f.relative_to(_ROOT).as_posix(), hashlib.sha256(f.read_bytes()).hexdigest())
        for f in hashed_files()
    ]
    return content_hash(__version__, digests, [_version(x) for x in _LIBRARIES])


def _version(library: str) -> str:
    try:
        return f"{library} {installed_version(library)}"
    except PackageNotFoundError:
        return f"{library} absent"


@dataclass(frozen=True)
class Unit:
    """What to compute: one model at one origin, and in one state for a model by state.

    Attributes
    ----------
    model : Model
    origin : Origin
    truth : Truth
    locations : tuple of str
        Locations scored. A model of the whole panel still sees all of it.
    targets : tuple of str
    horizon, draws, seed : int
        Months ahead; sample paths; the run's seed.
    state : str
        The state of the locations, for a model by state; else empty.
    horizons : tuple of int
        Months ahead that are scored and stored; empty: all that are forecast.
    levels : tuple of float
        Quantile levels that are stored.
    metrics : tuple of Metric
        More scores, each a column.
    """

    model: Model
    origin: Origin
    truth: Truth
    locations: tuple[str, ...]
    targets: tuple[str, ...]
    horizon: int
    draws: int
    seed: int
    state: str = ""
    horizons: tuple[int, ...] = ()
    levels: tuple[float, ...] = HUB_QUANTILES
    metrics: tuple[Metric, ...] = ()

    @property
    def _panel(self) -> Panel:
        """The panel of the origin, which has one."""
        assert self.origin.panel is not None
        return self.origin.panel

    @cached_property
    def key(self) -> str:
        """Content key: equal keys give equal results, so a stored result can be reused.

        The model's whole configuration and the code count, its label does not.
        """
        panel = self.origin.panel
        return content_hash(
            self.model.spec.hash,
            code_digest(),
            panel.data_hash if panel is not None else self.origin.reason,
            self.origin.donor,
            self.origin.distance,
            self.truth.data_hash,
            self.locations,
            self.targets,
            self.horizon,
            self.draws,
            self.seed,
            self.state,
            # Named only where they are not as always: the others keep the key they had.
            *(() if not self.horizons else ("horizons", self.horizons)),
            *(() if self.levels == HUB_QUANTILES else ("levels", self.levels)),
            *(
                ()
                if not self.metrics
                else ("metrics", tuple(m.key for m in self.metrics))
            ),
        )

    @property
    def reusable(self) -> bool:
        """Whether a stored result may be reused: not where some code's origin is unknown."""
        specs = [self.model.spec]
        for spec in specs:
            specs += spec.members
        return all(s.origin for s in specs) and all(m.reusable for m in self.metrics)

    @property
    def seen(self) -> Panel:
        """What the model is given: the whole panel, the locations asked for, or, of counties, the
        whole state that they are in, for a model that takes a state's counties together.
        """
        panel = self._panel
        by = self.model.spec.by
        if by is None:
            return panel
        if by == "state" and panel.dataset == COUNTIES:
            states = {find(s).state for s in self.locations}
            places = [s for s in panel.locations if find(s).state in states]
            # Nothing that such a model needs is left out: all that the origin has of the state.
            return replace(panel.select(places), selected=panel.selected)
        available = self._available
        return panel if available == panel.locations else panel.select(available)

    @property
    def _available(self) -> tuple[str, ...]:
        """The locations asked for that the origin has."""
        available = (
            set() if self.origin.panel is None else set(self.origin.panel.locations)
        )
        return tuple(s for s in self.locations if s in available)

    @property
    def label(self) -> str:
        """For people: model, as-of date, donor and, for a model by state, the state."""
        donor = f" by {self.origin.donor}" if self.origin.donor else ""
        place = f" in {self.state}" if self.state else ""
        return f"{self.model.label} as of {self.origin.as_of}{donor}{place}"

    @property
    def _labels(self) -> dict[str, Any]:
        """What every row of its tables is labelled with."""
        spec = self.model.spec
        return {
            "model": self.model.label,
            "model_version": spec.version,
            **labels_of(self.origin),
        }


# -- What comes of it -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The outcome of a unit.

    Attributes
    ----------
    scores, quantiles, failures : DataFrame
        One row per forecast unit; per quantile; per location or model that failed. Without rows
        once they are in the tables of a block.
    seconds : float
        Time to fit and forecast, scoring left out.
    warnings : tuple of str
        What the model warned of, each kind once, with how often.
    failed : str
        Why the whole unit failed; empty if it did not.
    """

    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    quantiles: pd.DataFrame = field(default_factory=pd.DataFrame)
    failures: pd.DataFrame = field(default_factory=pd.DataFrame)
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    failed: str = ""

    @property
    def starved(self) -> bool:
        """Whether the unit failed for want of memory."""
        return self.failed.startswith(NO_MEMORY)


def failed_unit(
    unit: Unit,
    reason: str | Mapping[str, str],
    seconds: float = 0.0,
    warned: tuple[str, ...] = (),
    detail: str = "",
) -> Outcome:
    """The outcome of a unit without any forecast: one row, or one for each place it names."""
    reasons = {unit.state or "*": reason} if isinstance(reason, str) else reason
    rows = [
        failure_row(unit._labels, s, target="*", reason=r, detail=detail)
        for s, r in reasons.items()
    ]
    text = "; ".join(dict.fromkeys(str(row["reason"]) for row in rows))
    return Outcome(
        failures=failure_table(rows),
        seconds=seconds,
        warnings=warned,
        failed=text,
    )


def failure_row(
    labels: Mapping[str, object],
    location: str,
    target: str,
    reason: str,
    detail: str = "",
) -> dict[str, object]:
    """One row of the failures table; texts made such that any file can hold them."""
    # A lone surrogate is not UTF-8, and no Parquet file can hold it.
    texts = [
        t.encode("utf-8", "backslashreplace").decode()
        for t in (reason, detail[-_DETAIL:])
    ]
    return {**labels, **dict(zip(FAILURE_COLUMNS[-4:], (location, target, *texts)))}


def failure_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The failures table; its dates are as in a file, for Parquet has no seconds."""
    table = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    if not rows:
        return table
    return table.astype(
        dict.fromkeys(table.select_dtypes("datetime"), "datetime64[ms]")
    )


def reason_of(error: BaseException) -> str:
    """Name and message of an error; of any error, also one that has no printable message."""
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    name = (
        NO_MEMORY if isinstance(error, MemoryError) else type(error).__name__
    )  # numpy's, too
    return f"{name}: {text}" if text else name


def on_screen(reason: str) -> str:
    """A reason as one line for a screen: cut, and without control characters."""
    line = "".join(c if c.isprintable() else " " for c in reason)
    line = " ".join(line.split())
    return line if len(line) <= SCREEN else line[: SCREEN - 1] + "…"


def run_unit(unit: Unit) -> Outcome:
    """Fit, forecast and score. Whatever the model does becomes a failure row with its reason."""
    started = perf_counter()
    messages = Messages()
    panel = unit.origin.panel

    def stopped(reason: str | Mapping[str, str], detail: str = "") -> Outcome:
        """A unit without any forecast."""
        seconds = perf_counter() - started
        return failed_unit(
            unit, reason, seconds=seconds, warned=messages.warnings, detail=detail
        )

    if panel is None:
        return stopped(unit.origin.reason)
    available = set(unit._available)
    absent = {
        s: f"release {panel.release} has no {s}"
        for s in unit.locations
        if s not in available
    }
    if not available:
        return stopped(_nowhere(unit, absent))
    try:
        # The model is handed the panel alone: neither archive nor truth can be reached from it.
        panel_given = unit.seen
        # A model made for counties says itself what it can do with counts that are hidden.
        if unit.state and unit.model.spec.dataset != COUNTIES:
            usable, unusable = panel_given.usable(unit.model.spec.min_months)
            if not usable:
                return stopped(_nowhere(unit, absent | unusable))
        streams = Streams(
            unit.seed,
            panel.dataset,
            indicator=panel.indicator,
            last_month=str(panel.last_month),
        )
        with contained([panel_given], streams.number("global", unit.state)) as messages:
            fitted = unit.model.fit(panel_given)
            forecast = fitted.forecast(unit.horizon, draws=unit.draws, seed=unit.seed)
        seconds = perf_counter() - started
        targets = [t for t in unit.targets if t in forecast.targets]
        if not targets:
            return stopped(f"does not forecast {', '.join(unit.targets)}")
        forecast_places = set(forecast.locations)
        skipped = absent | {s: str(r) for s, r in forecast.skipped.items()}
        silent = f"{unit.model.label} left it out and does not say why"
        # In the order asked for, as units of single states would have them.
        skipped = {
            s: skipped.get(s, silent)
            for s in unit.locations
            if s not in forecast_places
        }
        scored_places = [s for s in unit.locations if s in forecast_places]
        if not scored_places:
            return stopped(_nowhere(unit, skipped))
        lacking = [t for t in unit.targets if t not in targets]
        gaps = [(s, "*", r) for s, r in skipped.items()]
        gaps += [("*", t, f"does not forecast {t}") for t in lacking]
        if 2 * len(scored_places) < len(forecast.locations):
            forecast = forecast.select(
                scored_places
            )  # else the draws would be copied for little
        tables = _tables(unit, forecast, locations=scored_places, targets=targets)
        failures = failure_table([failure_row(unit._labels, *gap) for gap in gaps])
        return Outcome(
            failures=failures, seconds=seconds, warnings=messages.warnings, **tables
        )
    except BaseException as error:
        # A third party's model may raise anything, an exit too; its rows fail, the run goes on.
        # Not on the user's Ctrl-C in this process, which is not the model's doing.
        ours = multiprocessing.parent_process() is None
        if isinstance(error, KeyboardInterrupt) and ours:
            raise
        detail = "" if isinstance(error, OdforecastError) else traceback.format_exc()
        return stopped(reason_of(error), detail)


def _nowhere(unit: Unit, reasons: Mapping[str, str]) -> str | dict[str, str]:
    """Why no location could be forecast: one reason; by state, one per location."""
    if unit.state:
        return {s: reasons[s] for s in unit.locations}
    first = "; ".join(f"{s}: {r}" for s, r in list(reasons.items())[:3])
    return f"no location asked for could be forecast: {first}"


@dataclass(frozen=True)
class BlockResult:
    """The outcome of a block: of each unit, and its tables as Parquet files."""

    outcomes: list[Outcome]
    tables: Mapping[str, bytes] = field(default_factory=dict)
    code: str = ""


def stored_as(unit: Unit) -> str:
    """A unit's key; of a model of unknown code, whose key others may have, with its label."""
    return unit.key if unit.reusable else content_hash(unit.key, unit.model.label)


def run_block(units: Sequence[Unit]) -> BlockResult:
    """Run a block, and put its tables together, each as a Parquet file."""
    outcomes = [run_unit(u) for u in units]
    good = [(u, o) for u, o in zip(units, outcomes, strict=True) if not o.failed]
    tables = {}
    for name in UNIT_TABLES:
        parts = [
            _rows(t, stored_as(u)) for u, o in good if not (t := getattr(o, name)).empty
        ]
        if parts:
            joined = pa.concat_tables(
                parts, promote_options="permissive"
            ).unify_dictionaries()
            categorical = with_few_values(joined.schema)
            buffer = io.BytesIO()
            pq.write_table(
                joined, buffer, use_dictionary=categorical, write_statistics=False
            )
            tables[name] = buffer.getvalue()
    light = [
        o if o.failed else Outcome(seconds=o.seconds, warnings=o.warnings)
        for o in outcomes
    ]
    return BlockResult(light, tables, code=code_digest())


def with_few_values(schema: pa.Schema) -> list[str]:
    """Columns that a Parquet file keeps as a list of distinct values: all but real numbers."""
    real = [
        f.name for f in schema if pa.types.is_floating(f.type) and f.name != "level"
    ]
    return [name for name in schema.names if name not in real]


def _rows(table: pd.DataFrame, key: str) -> pa.Table:
    """A unit's table: times in milliseconds, as Parquet has no seconds; few texts as numbers."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy().astype(np.int32)
            texts = pa.array(column.cat.categories.astype(object), pa.string())
            columns[name] = pa.DictionaryArray.from_arrays(codes, texts)
        elif column.dtype.kind == "M":
            columns[name] = pa.array(column.to_numpy().astype("datetime64[ms]"))
        elif column.dtype == object and (column.to_numpy() == column.iloc[0]).all():
            columns[name] = pa.repeat(pa.scalar(column.iloc[0]), len(column))
        else:
            columns[name] = pa.array(column, from_pandas=True)
    columns["unit"] = same_text(key, len(table))
    return pa.table(columns)


def same_text(text: str, n: int) -> pa.DictionaryArray:
    """A column of one text."""
    return pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), pa.array([text]))


def _tables(
    unit: Unit,
    forecast: Forecast,
    locations: Sequence[str],
    targets: Sequence[str],
) -> dict[str, Any]:
    """Scores and quantiles: per target, places as they stand, months fastest."""
    horizons = unit.horizons or None
    donor = unit._panel.donor
    labels = unit._labels | {
        "data_hash": unit._panel.data_hash,
        "spec_hash": unit.model.spec.hash,
        "seed": unit.seed,
    }
    parts_of: dict[str, list[pd.DataFrame]] = {"scores": [], "quantiles": []}
    for target in targets:
        columns, values = score_columns(
            forecast,
            unit.truth,
            target=target,
            known=unit._panel,
            horizons=horizons,
            levels=unit.levels,
            metrics=unit.metrics,
            locations=locations,
        )
        own_metrics = {m.name: columns.pop(m.name) for m in unit.metrics}
        parts_of["scores"].append(
            pd.DataFrame(columns | labels | own_metrics, copy=False)
        )
        parts_of["quantiles"].append(
            _quantiles(
                unit,
                forecast,
                locations=locations,
                values=values,
                target=target,
                donor=donor,
            )
        )
    tables = {}
    for (
        name,
        parts,
    ) in parts_of.items():  # an empty table would change the types of the others
        filled = [part for part in parts if len(part)] or [*parts, pd.DataFrame()][:1]
        tables[name] = (
            pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
        )
    if len(targets) > 1:  # whose categories differ
        tables["quantiles"] = tables["quantiles"].astype(
            dict.fromkeys(QUANTILE_CATEGORIES, "category")
        )
    return tables


def _quantiles(
    unit: Unit,
    forecast: Forecast,
    locations: Sequence[str],
    values: NDArray[np.float64],
    target: str,
    donor: str,
) -> pd.DataFrame:
    """The long table of quantiles (Q, L, M)."""
    picked = picked_months(forecast, unit.horizons or None)
    n_levels, n_loc, n_months = values.shape
    zeros = np.zeros(values.size, dtype=np.int8)
    place = np.tile(np.repeat(np.arange(n_loc), n_months), n_levels)
    return pd.DataFrame(
        {
            "model": _categories(zeros, [unit.model.label]),
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "donor": _categories(zeros, [donor]),
            "target": _categories(zeros, [target]),
            "location": _categories(place, locations),
            "month": np.tile(
                forecast.months[picked].astype("datetime64[ms]"), n_levels * n_loc
            ),
            "horizon": np.tile(forecast.horizons[picked], n_levels * n_loc),
            "level": np.repeat(unit.levels, n_loc * n_months),
            "value": values.ravel(),
        },
        copy=False,
    )


def _categories(codes: NDArray[np.integer[Any]], texts: Sequence[str]) -> Any:
    """Texts by number as categories in order, which pandas makes of the texts themselves."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), dtype=np.int64)
    place[order] = np.arange(len(texts))
    return pd.Categorical.from_codes(place[codes], pd.Index([texts[i] for i in order]))


# -- Containing a model ---------------------------------------------------------------------------
# A model may be anybody's. What can be contained in a process is contained here; what cannot be
# (``os._exit``, a crash of the interpreter, memory without end) only ends a worker process: see
# :mod:`odforecast.backtesting.workers`.

#: Kinds of warnings kept per unit, and characters of each.
_WARNINGS = 5
_LENGTH = 300
#: Whether this thread, though not the main one, is the only one at work in its process.
_SOLE: ContextVar[bool] = ContextVar("sole", default=False)
#: Held by the only thread at work.
_AT_WORK = threading.Lock()
#: On threads, what a panel works out only once must not be worked out twice.
_ONCE = threading.Lock()
#: Where a panel remembers its months.
_RECOVERED = "_recovered"


class Messages:
    """What a model said while it was contained: warnings, by text."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each kind of warning once, with how often; the rest as one line."""
        common = self.counts.most_common(_WARNINGS)
        lines = [f"{text} (×{n})" if n > 1 else text for text, n in common]
        rest = len(self.counts) - _WARNINGS
        return (*lines, f"and {rest} other warnings") if rest > 0 else tuple(lines)

    def count(
        self, message: Warning | str, category: type[Warning], *_: Any, **__: Any
    ) -> None:
        """Take the place of :func:`warnings.showwarning`."""
        text = f"{category.__name__}: {' '.join(str(message).split())}"[:_LENGTH]
        # Ten thousand different texts would be as bad as ten thousand lines.
        countable = text in self.counts or len(self.counts) < 10 * _WARNINGS
        self.counts[text if countable else "other warnings"] += 1


@contextmanager
def contained(panels: Sequence[Panel], seed: int) -> Iterator[Messages]:
    """Run somebody's model inside; what it says is in the result, what it changed is put back."""
    messages = Messages()
    with ExitStack() as stack:
        # One BLAS thread: sums in another order differ in their last digits, and a unit must
        # give the same numbers in a process of its own as in this one.
        stack.enter_context(
            _libraries(len(sys.modules)).limit(limits=1, user_api="blas")
        )
        stack.enter_context(np.errstate())
        if threading.current_thread() is threading.main_thread() or _SOLE.get():
            sink = stack.enter_context(open(os.devnull, "w", errors="ignore"))
            stack.enter_context(redirect_stdout(sink))
            if not sys.stderr.isatty():  # where the bar is drawn meanwhile
                stack.enter_context(redirect_stderr(sink))
            stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
            stack.callback(random.setstate, random.getstate())
            np.random.seed(seed % 2**32)  # noqa: NPY002
            random.seed(seed)
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("always")
            warnings.showwarning = messages.count
        kept_panels = [_Kept(part) for panel in panels for part in _parts(panel)]
        try:
            yield messages
        finally:
            # Panels are shared between units: the next one must not see this one's changes.
            changed = [part for part in kept_panels if part.put_back()]
        if changed:
            raise BacktestError("the model changed its panel")


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:  # noqa: ARG001
    """The numerical libraries of this process."""
    return ThreadpoolController()


@contextmanager
def sole() -> Iterator[None]:
    """One thread at a time in this process."""
    with _AT_WORK:
        token = _SOLE.set(True)
        try:
            yield
        finally:
            _SOLE.reset(token)


def bound_threads() -> None:
    """One thread for numba's parallel loops in this process, which others share the cores with."""
    numba = sys.modules.get("numba")
    if numba is None:
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    elif numba.config.NUMBA_NUM_THREADS > 1:
        numba.set_num_threads(1)


def _parts(panel: Panel, months: bool = True) -> Iterator[Panel | Triangle]:
    """A panel and all that hangs on it, with what it caches."""
    with _ONCE:
        _ = panel.data_hash, panel.all_deaths
        if months:
            _ = panel.monthly
    yield panel
    if panel.triangle is not None:
        yield panel.triangle
    for beside in panel.beside.values():  # beside the states of counties stands another
        yield from _parts(beside, months=panel.dataset == COUNTIES)


def _contents(value: object) -> Iterator[NDArray[Any] | dict[Any, Any]]:
    """What can be changed within an attribute: arrays, and plain mappings."""
    if isinstance(value, np.ndarray | dict):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _contents(each)


class _Kept:
    """A panel or triangle as it was: its attributes, and what is in them."""

    def __init__(self, part: Panel | Triangle) -> None:
        self.part = part
        self.attributes = dict(vars(part))
        # Not by ``data_hash``, which the panel remembers.
        self.contents = [
            (c, _copy(c)) for v in self.attributes.values() for c in _contents(v)
        ]

    def put_back(self) -> bool:
        """Undo what was changed; whether anything was."""
        attributes = vars(self.part)
        changed = False
        # Worked out within: compared, below, with what comes of the panel as it was.
        recovered = (
            None if _RECOVERED in self.attributes else attributes.pop(_RECOVERED, None)
        )
        if attributes.keys() != self.attributes.keys() or not all(
            # A hash may have been worked out by two threads.
            attributes[name] is value
            or (isinstance(value, str) and attributes[name] == value)
            for name, value in self.attributes.items()
        ):
            changed = True
            attributes.clear()
            attributes.update(self.attributes)
        for content, before in self.contents:
            if _copy(content) != before:
                changed = True
                _restore(content, before)
            if isinstance(content, np.ndarray):
                content.flags.writeable = False
        if recovered is not None and isinstance(self.part, Panel):
            changed |= not _equal(recovered, self.part._recovered)
        return changed


def _copy(content: NDArray[Any] | dict[Any, Any]) -> Any:
    if isinstance(content, dict):
        return dict(content)
    return content.shape, content.dtype, content.tobytes()


def _restore(content: NDArray[Any] | dict[Any, Any], before: Any) -> None:
    if isinstance(content, dict):
        content.clear()
        content.update(before)
        return
    shape, dtype, data = before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content.dtype = dtype  # type: ignore[misc]
        content.shape = shape
    content.flags.writeable = True
    content[...] = np.frombuffer(data, dtype).reshape(shape)


def _equal(recovered: Any, expected: tuple[Any, dict[str, str]]) -> bool:
    """Whether months and what is wrong with them are the same, bit for bit."""
    try:
        (months, problems), (expected_months, expected_problems) = recovered, expected
        return bool(
            months.tobytes() == expected_months.tobytes()
            and problems == expected_problems
        )
    except (AttributeError, TypeError, ValueError):  # put there by the model
        return False
