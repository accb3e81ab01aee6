"""A unit: one model at one origin. How it runs, and what comes of it: scores or failures."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.backtesting.contain import Said, contained, must_stop
from odforecast.backtesting.origin import Origin
from odforecast.errors import OdforecastError
from odforecast.forecast import Forecast
from odforecast.geography import find
from odforecast.models import Fitted, Model
from odforecast.names import COUNTIES, HUB_QUANTILES
from odforecast.panel import Panel
from odforecast.scoring import Truth
from odforecast.scoring.units import picked_months, score_columns
from odforecast.seeds import Streams, content_hash
from odforecast.version import __version__

if TYPE_CHECKING:
    from odforecast.panel import Floats
    from odforecast.scoring.metrics import Metric

#: Columns of the failures table.
FAILURE_COLUMNS = (
    "model",
    "model_version",
    "as_of",
    "last_month",
    "vintage",
    "donor",
    "donor_distance",
    "location",
    "target",
    "reason",
    "detail",
)
#: How a reason begins where memory ran out: such a unit is tried once more, alone.
NO_MEMORY = "MemoryError"
#: Longest traceback kept, in characters.
_DETAIL = 20_000
#: Longest reason on a screen.
SCREEN = 200


@dataclass(frozen=True)
class Outcome:
    """What came of a unit.

    Attributes
    ----------
    scores, quantiles, failures : DataFrame
        One row per forecast unit; per quantile; per location or model that failed.
    seconds : float
        Time to fit and forecast, scoring left out.
    warnings : tuple of str
        What the model warned of, each kind once, with how often.
    joint : DataFrame
        Joint scores, where they were asked for; else without rows.
    stored : bool
        Its tables are in its block's files, and not here.
    """

    scores: pd.DataFrame
    quantiles: pd.DataFrame
    failures: pd.DataFrame
    seconds: float
    warnings: tuple[str, ...] = ()
    joint: pd.DataFrame = field(default_factory=pd.DataFrame)
    stored: bool = False

    @property
    def failed(self) -> str:
        """Why the whole unit failed; empty if it did not."""
        if self.stored or not self.scores.empty or self.failures.empty:
            return ""
        return "; ".join(dict.fromkeys(self.failures["reason"].astype(str)))

    @property
    def starved(self) -> bool:
        """Whether the unit failed for want of memory."""
        return self.failed.startswith(NO_MEMORY)


def failure_row(
    keys: Mapping[str, object], location: str, target: str, reason: str, detail: str = ""
) -> dict[str, object]:
    """One row of the failures table; texts made such that any file can hold them."""
    return {
        **keys,
        "location": location,
        "target": target,
        "reason": _storable(reason),
        "detail": _storable(detail[-_DETAIL:]),
    }


def failed(rows: list[dict[str, object]], seconds: float, warned: tuple[str, ...] = ()) -> Outcome:
    """The outcome of a unit that has failure rows and nothing else."""
    failures = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    return Outcome(pd.DataFrame(), pd.DataFrame(), failures, seconds, warned)


def reason_of(error: BaseException) -> str:
    """Name and message of an error; of any error, also one that has no printable message."""
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    name = NO_MEMORY if isinstance(error, MemoryError) else type(error).__name__  # numpy's, too
    return f"{name}: {text}" if text else name


def on_screen(reason: str) -> str:
    """A reason as one line for a screen: cut, and without control characters."""
    line = "".join(c if c.isprintable() else " " for c in reason)
    line = " ".join(line.split())
    return line if len(line) <= SCREEN else line[: SCREEN - 1] + "…"


def _storable(text: object) -> str:
    # A lone surrogate is no UTF-8, and no Parquet file can hold it.
    return str(text).encode("utf-8", "backslashreplace").decode()


#: Columns of the quantile table with few distinct values, kept as categories in memory.
QUANTILE_CATEGORIES = ("model", "target", "location", "donor")
#: What the rows of joint scores are labelled with, as those of scores are.
JOINT_LABELS = (
    "model", "model_version", "as_of", "last_month", "vintage", "donor", "donor_distance",
    "data_hash", "spec_hash", "seed",
)  # fmt: skip


def tables(
    unit: Unit, forecast: Forecast, targets: Sequence[str], keys: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Scores, quantiles and joint scores: per target, places as they stand, months fastest.

    The draws of a target are added up and sorted once for all of them.

    Parameters
    ----------
    unit : Unit
    forecast : Forecast
        Of the places that count.
    targets : sequence of str
        Those it has.
    keys : mapping of str to anything
        What every row is labelled with.

    Returns
    -------
    dict of str to DataFrame
        ``scores``, ``quantiles``, and ``joint``: without rows where the unit asks for none.
    """
    panel = unit.origin.panel
    assert panel is not None
    horizons = unit.horizons or None
    made: dict[str, list[pd.DataFrame]] = {"scores": [], "quantiles": [], "joint": []}
    for target in targets:
        columns, values = score_columns(
            forecast, unit.truth, target, panel, horizons, unit.levels, unit.metrics
        )
        more = {
            **keys,
            "data_hash": panel.data_hash,
            "spec_hash": unit.model.spec.hash,
            "seed": unit.seed,
        }
        last = {m.name: columns.pop(m.name) for m in unit.metrics}
        made["scores"].append(pd.DataFrame(columns | more | last))
        made["quantiles"].append(_quantiles(unit, forecast, values, target, keys))
        if unit.joint:
            made["joint"].append(_joint(unit, forecast, target, more))
    return {name: _one(parts) for name, parts in made.items()}


def _one(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of those of the targets."""
    if len(parts) < 2:
        return parts[0] if parts else pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    # Of two targets, the categories differ.
    kinds = dict(parts[0].dtypes)
    lost = [c for c in QUANTILE_CATEGORIES if isinstance(kinds.get(c), pd.CategoricalDtype)]
    return table.astype(dict.fromkeys(lost, "category"))


def _joint(unit: Unit, forecast: Forecast, target: str, keys: Mapping[str, Any]) -> pd.DataFrame:
    from odforecast.scoring.joint import joint_scores

    rows = joint_scores(
        forecast, unit.truth, seed=unit.seed, target=target, horizons=unit.horizons or None
    )
    return rows.assign(**{name: keys[name] for name in JOINT_LABELS})


def _quantiles(
    unit: Unit, forecast: Forecast, values: Floats, target: str, keys: Mapping[str, Any]
) -> pd.DataFrame:
    """The long table of quantiles (Q, L, M)."""
    columns = picked_months(forecast, unit.horizons or None)
    n_levels, n_loc, n_months = values.shape
    n = values.size
    place = np.tile(np.repeat(np.arange(n_loc), n_months), n_levels)
    made: pd.DataFrame = pd.DataFrame(
        {
            "model": _same(unit.model.label, n),
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "donor": _same(keys["donor"], n),
            "target": _same(target, n),
            "location": _categories(place, forecast.locations),
            "month": np.tile(forecast.months[columns].astype("datetime64[ms]"), n_levels * n_loc),
            "horizon": np.tile(forecast.horizons[columns], n_levels * n_loc),
            "level": np.repeat(unit.levels, n_loc * n_months),
            "value": values.ravel(),
        }
    )
    return made


def _same(text: str, n: int) -> pd.Categorical[str]:
    return _coded(np.zeros(n, dtype=np.int8), [text])


def _categories(codes: NDArray[np.integer[Any]], texts: Sequence[str]) -> pd.Categorical[str]:
    """Texts by number as categories in order, which pandas makes of the texts themselves."""
    order = np.argsort(np.array(texts, dtype=object))
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return _coded(place[codes], [texts[i] for i in order])


def _coded(codes: NDArray[np.integer[Any]], texts: list[str]) -> pd.Categorical[str]:
    made: pd.Categorical[str] = pd.Categorical.from_codes(codes, pd.Index(texts))
    return made


#: Modules and packages up to ``models``: a change in any of them may change a forecast. Scores,
#: readers and figures change no forecast; scoring is here because stored rows hold its scores.
_CODE = (
    "errors.py", "names.py", "seeds.py", "months.py", "publication.py", "geography", "monthly",
    "panel", "forecast", "models", "scoring",
)  # fmt: skip
#: Beside code, a packed table is read by a model, too: of what releases missed.
_KINDS = ("*.py", "*.csv", "*.csv.gz")
_LIBRARIES = ("numpy", "scipy", "numba", "statsforecast", "pymc", "nutpie")


_ROOT = Path(__file__).resolve().parents[1]


def hashed_files() -> list[Path]:
    """Every file that the digest is of, in order."""
    files = []
    for name in _CODE:
        path = _ROOT / name
        files += sorted(f for kind in _KINDS for f in path.rglob(kind)) if path.is_dir() else [path]
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
    joint : bool
        Whether joint scores are made, too.
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
    joint: bool = False

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
            *(() if not self.metrics else ("metrics", tuple(m.key for m in self.metrics))),
            *(() if not self.joint else ("joint",)),
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
        panel = self.origin.panel
        assert panel is not None
        if self.model.spec.by is None:
            return panel
        if self.model.spec.by == "state" and panel.dataset == COUNTIES:
            states = {find(s).state for s in self.locations}
            whole = [s for s in panel.locations if find(s).state in states]
            # Nothing that such a model needs is left out: all that the origin has of the state.
            return replace(panel.select(whole), selected=panel.selected)
        there = set(panel.locations)
        wanted = tuple(s for s in self.locations if s in there)
        return panel if wanted == panel.locations else panel.select(wanted)

    @property
    def label(self) -> str:
        """For people: model, as-of date, donor and, for a model by state, the state."""
        donor = f" by {self.origin.donor}" if self.origin.donor else ""
        where = f" in {self.state}" if self.state else ""
        return f"{self.model.label} as of {self.origin.as_of}{donor}{where}"


def run_block(units: Sequence[Unit]) -> list[Outcome]:
    """Run units of one model together, so that it may share work between origins.

    A model that offers ``fit_many`` is asked once for all; if that fails, the block is split,
    and each unit stands or fails by itself.
    """
    ready = [u for u in units if u.origin.panel is not None and _places(u)]
    fitted: dict[int, tuple[Fitted, float, tuple[str, ...]]] = {}
    if len(ready) > 1:
        started = perf_counter()
        try:
            if hasattr(ready[0].model.inner, "fit_many"):
                panels = [u.seen for u in ready]
                with contained(panels, _global_seed(ready[0])) as said:
                    made = ready[0].model.fit_many(panels)
                each = (perf_counter() - started) / len(ready)
                fitted = {id(u): (f, each, said.warnings) for u, f in zip(ready, made, strict=True)}
        except BaseException as error:
            if must_stop(error):
                raise
            fitted = {}
    return [run_unit(u, *fitted.get(id(u), ())) for u in units]


def run_unit(
    unit: Unit, fitted: Fitted | None = None, spent: float = 0.0, warned: tuple[str, ...] = ()
) -> Outcome:
    """Fit, forecast and score. Whatever the model does becomes a failure row with its reason.

    Parameters
    ----------
    unit : Unit
    fitted : Fitted, optional
        The model, if it was fitted with others of its block.
    spent : float
        Seconds that took.
    warned : tuple of str
        What it warned of meanwhile.
    """
    started = perf_counter() - spent
    said = Said()
    panel = unit.origin.panel

    def stopped(reason: str, detail: str = "") -> Outcome:
        row = failure_row(_keys(unit), unit.state or "*", "*", reason, detail)
        return failed([row], perf_counter() - started, (*warned, *said.warnings))

    if panel is None:
        return stopped(unit.origin.reason)
    absent = {s: f"release {panel.release} has no {s}" for s in unit.locations}
    if not _places(unit):
        return _without_place(unit, absent, started)
    try:
        # The model is handed the panel alone: neither archive nor truth can be reached from it.
        seen = fitted.panel if fitted is not None else unit.seen
        # A model made for counties says itself what it can do with counts that are hidden.
        if unit.state and unit.model.spec.dataset != COUNTIES:
            usable, why = seen.usable(unit.model.spec.min_months)
            if not usable:
                return _without_place(unit, absent | why, started)
        with contained([seen], _global_seed(unit)) as said:
            fitted = unit.model.fit(seen) if fitted is None else fitted
            forecast = fitted.forecast(unit.horizon, draws=unit.draws, seed=unit.seed)
        seconds = perf_counter() - started
        return _outcome(unit, forecast, absent, seconds, (*warned, *said.warnings))
    except BaseException as error:
        # A third party's model may raise anything, an exit too; its rows fail, the run goes on.
        if must_stop(error):
            raise
        detail = "" if isinstance(error, OdforecastError) else traceback.format_exc()
        return stopped(reason_of(error), detail)


def _outcome(
    unit: Unit,
    forecast: Forecast,
    absent: dict[str, str],
    seconds: float,
    warned: tuple[str, ...],
) -> Outcome:
    """Scores of a forecast, and a failure row for each place and target that it has not."""
    keys = _keys(unit)
    panel = unit.origin.panel
    assert panel is not None
    skipped: dict[str, str] = {}
    asked, made, there = set(unit.locations), set(forecast.locations), set(panel.locations)
    for state, reason in forecast.skipped.items():
        if state in asked and state not in made:
            skipped[state] = str(reason)
    for state in unit.locations:
        if state not in made and state not in skipped:
            silent = f"{unit.model.label} left it out and does not say why"
            skipped[state] = silent if state in there else absent[state]
    kept = [s for s in unit.locations if s in made]
    targets = [t for t in unit.targets if t in forecast.targets]
    # In the order asked for, as units of single states would have them.
    skipped = {s: skipped[s] for s in unit.locations if s in skipped}
    rows = [failure_row(keys, s, "*", r) for s, r in skipped.items()]
    rows += [
        failure_row(keys, "*", t, f"does not forecast {t}")
        for t in unit.targets
        if t not in targets
    ]
    if not targets:
        reason = f"does not forecast {', '.join(unit.targets)}"
        return failed([failure_row(keys, unit.state or "*", "*", reason)], seconds, warned)
    if not kept:
        return _without_place(unit, skipped, perf_counter() - seconds, warned)
    whole = tuple(kept) == forecast.locations
    rows_of = tables(unit, forecast if whole else forecast.select(kept), targets, keys)
    failures = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    scores, quantiles, joint = (rows_of[name] for name in ("scores", "quantiles", "joint"))
    return Outcome(scores, quantiles, failures, seconds, warned, joint)


def failed_unit(unit: Unit, reason: str, seconds: float = 0.0) -> Outcome:
    """The outcome of a unit that could not be run at all."""
    return failed([failure_row(_keys(unit), unit.state or "*", "*", reason)], seconds)


def _without_place(
    unit: Unit, reasons: dict[str, str], started: float, warned: tuple[str, ...] = ()
) -> Outcome:
    """A unit of which no location could be forecast: one row; by state, one per location."""
    keys, seconds = _keys(unit), perf_counter() - started
    if unit.state:
        return failed(
            [failure_row(keys, s, "*", reasons[s]) for s in unit.locations], seconds, warned
        )
    first = "; ".join(f"{s}: {r}" for s, r in list(reasons.items())[:3])
    reason = f"no location asked for could be forecast: {first}"
    return failed([failure_row(keys, "*", "*", reason)], seconds, warned)


def _places(unit: Unit) -> list[str]:
    panel = unit.origin.panel
    there = set() if panel is None else set(panel.locations)
    return [s for s in unit.locations if s in there]


def _global_seed(unit: Unit) -> int:
    panel = unit.origin.panel
    assert panel is not None
    streams = Streams(unit.seed, panel.dataset, panel.indicator, str(panel.last_month))
    return streams.number("global", unit.state)


def _keys(unit: Unit) -> dict[str, object]:
    panel = unit.origin.panel
    month = None if panel is None else pd.Timestamp(panel.last_month.astype("datetime64[s]"))
    distance = unit.origin.distance
    return {
        "model": unit.model.label,
        "model_version": unit.model.spec.version,
        "as_of": pd.Timestamp(unit.origin.as_of),
        "last_month": month,
        "vintage": unit.origin.vintage,
        "donor": unit.origin.donor if panel is None else panel.donor,
        "donor_distance": np.nan if distance is None else float(distance),
    }
