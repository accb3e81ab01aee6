"""Results of a backtest: its tables, written whole or streamed and never half there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from odforecast.backtesting.origin import Origin, as_dict
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import (
    FAILURE_COLUMNS,
    Outcome,
    Unit,
    code_digest,
    on_screen,
    with_few_values,
)
from odforecast.errors import BacktestError, one_of
from odforecast.geography import pick
from odforecast.io import replacing
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES
from odforecast.say import card, html_table, listed, number_of, steady
from odforecast.scoring import Truth, county_leaderboard, horizon_group, summarise
from odforecast.scoring.summary import COUNTY_BASELINE, is_of_counties
from odforecast.seeds import content_hash
from odforecast.version import __version__

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Files of a folder, without their ending.
TABLES = ("scores", "quantiles", "failures")
#: A table that earlier versions wrote when they were asked for it: it is not read any more.
JOINT = "joint"
#: Of the long table of quantiles.
QUANTILE_COLUMNS = (
    "model",
    "as_of",
    "last_month",
    "donor",
    "target",
    "location",
    "month",
    "horizon",
    "level",
    "value",
)
BASELINE = "hub-baseline"
#: Figures of results; see :meth:`Results.plot`.
KINDS = ("said", "skill", "errors", "coverage", "pit")
#: What a backtest of counties says of its files, on the screen and in the manifest.
SMALL_COUNTS = (
    "files of a backtest of counties hold the model's own numbers, below 10 too: not for "
    "publication"
)
_UNFINISHED = "its run did not finish writing, or every unit of it failed"
_UNVERIFIED = (
    "these results were written by an earlier version, without checksums: whether their tables "
    "are as they were written cannot be verified"
)

#: Rows that are gathered before they are written: what a streamed table takes of memory.
ROWS = 1 << 15
#: Warnings kept per model.
_WARNINGS = 10

# -- Files ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def written(folder: Path, manifest: Mapping[str, object]) -> Iterator[dict[str, Path]]:
    """Where to write each table; they, and then the manifest, take their places at the end."""
    try:
        # All are written before the first takes its place, the manifest takes its place last: a
        # full disk leaves an earlier run's files as they were.
        with contextlib.ExitStack() as stack:
            last = stack.enter_context(replacing(folder / "manifest.json"))
            paths = {
                n: stack.enter_context(replacing(folder / f"{n}.parquet"))
                for n in TABLES
            }
            yield paths
            files = {}
            for name, part in paths.items():
                with part.open("rb") as file:  # read in pieces
                    files[name] = hashlib.file_digest(file, "sha256").hexdigest()
            last.write_text(json.dumps({**manifest, "files": files}, indent=1) + "\n")
            (folder / "manifest.json").unlink(missing_ok=True)
            (folder / f"{JOINT}.parquet").unlink(missing_ok=True)
    except OSError as error:
        raise BacktestError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint="finished units are kept: run again into the same folder to go on",
        ) from error


def _broken(folder: Path, error: object) -> BacktestError:
    return BacktestError(
        f"{folder} holds no complete backtest: {error}",
        hint="run `odforecast backtest --out` again; finished units are reused",
    )


def manifest_of(
    truth: Truth, origins: Sequence[Origin], notes: Sequence[str], **more: object
) -> dict[str, object]:
    """What every manifest says: the versions, the data, and what is to be known of them."""
    panels = [o.panel for o in origins if o.panel is not None]
    return {
        "odforecast": __version__,
        "python": platform.python_version(),
        **more,
        "origins": [as_dict(o) for o in origins],
        "truth": {
            "name": truth.kind,
            "release": str(truth.release),
            "min_age": truth.min_age,
            "data_hash": truth.data_hash,
        },
        "indicator": truth.panel.indicator,
        "dataset": truth.panel.dataset,
        "basis": truth.panel.basis,
        "notes": list(notes),
        "data_notes": list(
            dict.fromkeys(n for p in (*panels, truth.panel) for n in p.notes)
        ),
        **({"publication": SMALL_COUNTS} if truth.panel.dataset == COUNTIES else {}),
    }


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
    manifest = _manifest(units, outcomes, notes=[*notes, *store.notes], more=more)
    with written(folder, manifest) as paths:
        for name, path in paths.items():
            _write(name, path, finished=list(zip(units, outcomes)), store=store)
    results = Results.load(folder)
    # What is small is read now: another run into the folder changes nothing of it.
    results.read(at_most=ROWS)
    return results


def _write(
    name: str,
    path: Path,
    finished: Sequence[tuple[Unit, Outcome]],
    store: UnitStore,
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
        columns = {"quantiles": QUANTILE_COLUMNS, "failures": FAILURE_COLUMNS}
        rows = pd.DataFrame(columns=list(columns.get(name, ())))
        rows.to_parquet(path, index=False)
        return
    schema = pa.unify_schemas([*distinct], promote_options="permissive")
    categorical = with_few_values(schema)
    waiting = list[pa.Table]()
    with pq.ParquetWriter(path, schema, use_dictionary=categorical) as writer:

        def flush(least: int) -> None:
            """Write the rows that wait, if they are so many."""
            if sum(map(len, waiting)) >= least:
                rows = pa.concat_tables(waiting).unify_dictionaries()
                writer.write_table(rows, len(rows))
                waiting.clear()

        for rows in _origins(name, finished, store=store):
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
    unified = column.unify_dictionaries().combine_chunks()
    values = unified.dictionary.to_numpy(zero_copy_only=False)
    codes = unified.indices.to_numpy()
    # Only those that are there: a block's column holds those of all of its units.
    present = np.flatnonzero(np.bincount(codes, minlength=values.size))
    order = present[np.argsort(values[present])]
    place = np.zeros(values.size, dtype=np.int32)
    place[order] = np.arange(order.size, dtype=np.int32)
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(place[codes], values[order])]
    )


def _manifest(
    units: Sequence[Unit],
    outcomes: Sequence[Outcome],
    notes: Sequence[str],
    more: Mapping[str, object],
) -> dict[str, object]:
    """What was run; see :attr:`Results.manifest`."""
    first = units[0]
    models = {u.model.label: u.model.spec for u in units}
    seconds = dict.fromkeys(models, 0.0)
    warned: dict[str, Counter[str]] = {name: Counter() for name in models}
    for unit, outcome in zip(units, outcomes):
        seconds[unit.model.label] += outcome.seconds
        warned[unit.model.label].update(outcome.warnings)
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
            for name, texts in warned.items()
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
        **more,
    )


def _arrow(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def _in_order(rows: pa.Table, targets: Sequence[str]) -> pa.Table:
    """Rows of states, put together, in the order that an undivided unit has them."""
    place = pc.index_in(
        rows.column("target").cast(pa.string()), pa.array(list(targets))
    )
    keys = [place.to_numpy()]
    if "level" in rows.column_names:
        keys.insert(0, rows.column("level").to_numpy())
    return rows.take(np.lexsort(keys))


def _source(spec: Spec) -> str:
    """Distributions of a model's code, its members' too; empty where one of them is unknown."""
    origins = [spec.origin, *(_source(member) for member in spec.members)]
    return ", ".join(dict.fromkeys(origins)) if all(origins) else ""


# -- Results --------------------------------------------------------------------------------------


class Results:
    """Scores, quantiles and failures of a backtest: a view of its folder, read when asked for.

    Attributes
    ----------
    scores : DataFrame
        One row per (model, origin, location, target, horizon): see the documentation of the
        score table.
    quantiles : DataFrame
        The 23 hub quantiles of every forecast, long.
    failures : DataFrame
        Models, targets or locations without a forecast, and why.
    manifest : dict
        What was run: models and their specs, what they warned of, origins, truth, data hashes,
        seed, library version, notes.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        manifest: Mapping[str, object],
        folder: Path | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.manifest: dict[str, Any] = dict(manifest)
        self._tables = dict(tables)
        self._folder = folder
        self._files = dict(files or {})
        self._temporary = False

    def _take_with(self, home: contextlib.ExitStack) -> None:
        """Remove the temporary folder when nobody needs these results any more."""
        self._temporary = True
        weakref.finalize(self, home.close)

    def __getstate__(self) -> dict[str, Any]:
        if self._temporary:  # a copy must not need the folder
            self.read()
        return vars(self)

    def _table(self, name: str) -> pd.DataFrame:
        """A table, checked against its SHA-256 when it is first read."""
        if name in self._tables:
            return self._tables[name]
        if self._folder is None:
            raise BacktestError(
                f"these results have no table of {name}",
                hint="a run into a folder (out=DIR, --out DIR) keeps it",
            )
        path = self._folder / f"{name}.parquet"
        try:
            data = path.read_bytes()
            if self._files and hashlib.sha256(data).hexdigest() != self._files.get(
                name
            ):
                raise BacktestError(
                    f"{path} was changed after the run: its SHA-256 differs from the manifest's",
                    hint="run the backtest again into the folder; finished units are kept",
                )
            self._tables[name] = pd.read_parquet(BytesIO(data))
        except BacktestError:  # a ValueError too
            raise
        except (OSError, ValueError) as error:
            raise _broken(self._folder, error) from error
        return self._tables[name]

    def _scored(self) -> set[str]:
        """Labels of the models that have scores; of a file no more than that is read."""
        if "scores" in self._tables or self._folder is None:
            return set(self._table("scores")["model"].astype(str))
        try:
            path = self._folder / "scores.parquet"
            names = pq.read_table(path, columns=["model"], read_dictionary=["model"])[
                "model"
            ]
        except (OSError, pa.ArrowException) as error:
            raise _broken(self._folder, error) from error
        return {str(name) for name in names.unique().to_pylist()}

    def read(self, at_most: float = np.inf) -> None:
        """Read the tables that have at most so many rows now, and not when they are asked for."""
        if self._folder is None:
            return
        for name in TABLES:
            path = self._folder / f"{name}.parquet"
            if name not in self._tables and pq.read_metadata(path).num_rows <= at_most:
                self._table(name)

    def _rows(self, name: str) -> str:
        """Rows of a table: of one on disk, what the file says about itself; it is not read."""
        if name in self._tables:
            return f"{len(self._tables[name]):,}"
        try:
            return f"{pq.read_metadata(self._folder / f'{name}.parquet').num_rows:,}"  # type: ignore[operator]
        except (OSError, TypeError, pa.ArrowException):
            return "unreadable"

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What is to be known of the releases behind it: accepted or replaced, and why."""
        return tuple(self.manifest.get("data_notes", ()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the run: stored units that were damaged, processes that died."""
        return tuple(self.manifest.get("notes", ()))

    @property
    def scores(self) -> pd.DataFrame:
        """One row per forecast unit."""
        return self._table("scores")

    @property
    def quantiles(self) -> pd.DataFrame:
        """The 23 hub quantiles of every forecast."""
        return self._table("quantiles")

    @property
    def failures(self) -> pd.DataFrame:
        """What could not be forecast, and why."""
        return self._table("failures")

    @steady
    def __repr__(self) -> str:
        says = self.manifest
        models, found, truth = (
            says.get(key, {}) for key in ("models", "origins", "truth")
        )
        days = sorted(str(o["as_of"]) for o in found)
        kinds = dict.fromkeys(str(o["vintage"]) for o in found)
        return card(
            f"Results: {number_of(len(models), 'model')}, {number_of(len(found), 'origin')}, "
            f"{self._rows('scores')} score rows, {self._rows('failures')} failures",
            f"models {listed(models)}" if models else "",
            f"origins {days[0]} to {days[-1]} ({', '.join(kinds)})" if days else "",
            f"truth {truth['name']} in release {truth['release']}" if truth else "",
            f"folder {self._folder}" if self._folder and not self._temporary else "",
            "next: .leaderboard(), .plot(), .select('Ohio').plot(), .to_frame(), .failures",
        )

    @steady
    def _repr_html_(self) -> str:
        says = self.manifest
        models, seconds, warned = (
            says.get(key, {}) for key in ("models", "model_seconds", "warnings")
        )
        table = pd.DataFrame(
            {
                "model": list(models),
                "version": list(models.values()),
                "seconds": [seconds.get(m) for m in models],
                "warned of": ["; ".join(warned.get(m, ()))[:200] for m in models],
            }
        )
        head = f"{self._rows('scores')} scores of {number_of(len(models), 'model')}"
        return html_table(
            table,
            f"{head} at {number_of(len(says.get('origins', [])), 'origin')}",
            note="; ".join(("next: .leaderboard(), .plot()", *self.notes)),
        )

    def to_frame(self) -> pd.DataFrame:
        """The score table, tidy: one row per forecast unit; the caller's own copy.

        Returns
        -------
        DataFrame
            A row per model, origin, location, target and month. Who and from what: ``model``,
            ``as_of``, ``last_month``, ``vintage``, ``donor``, ``location`` (CDC code or FIPS),
            ``target``, ``month``, ``horizon`` (months after the last known one); against what:
            ``truth``, ``truth_release``, ``observed`` (deaths), ``scorable``, ``reason``; the
            scores ``wis`` and its parts, ``crps``, ``ae`` (deaths), ``log_wis``, ``ape``
            (percent), ``bias``, ``pit``, ``cover_50`` …; NaN where not scorable. All of them:
            :data:`odforecast.scoring.columns.SCORE_COLUMNS`.
        """
        return self.scores.copy()

    def select(self, locations: str | Iterable[str]) -> Results:
        """Only these locations, by any of their names."""
        places = sorted(str(s) for s in self.scores["location"].unique())
        states = list(pick(locations, places, "the score table", BacktestError))
        tables = {
            name: table[table["location"].isin([*states, "*"])].reset_index(drop=True)
            for name in TABLES
            if not (table := self._table(name)).empty or name != "quantiles"
        }
        tables.setdefault("quantiles", self.quantiles)
        return Results(tables, {**self.manifest, "locations": states})

    def plot(
        self,
        location: str | None = None,
        kind: str | None = None,
        axes: Axes | None = None,
        **style: Any,
    ) -> Axes:
        """Plot past forecasts against final counts, or how accurate they were.

        Parameters
        ----------
        location : str, optional
            One place; default: all of them.
        kind : {"said", "skill", "errors", "coverage", "pit"}, optional
            ``"said"``: past medians and intervals with final counts, for one place. ``"skill"``:
            relative WIS by horizon. ``"errors"``: past errors by horizon. Others: calibration.
            Default: ``"said"`` for one place, else ``"skill"`` or ``"coverage"``.
        **style
            For the function of that name in :mod:`odforecast.plot`.
        """
        import odforecast.plot as plots

        results = self if location is None else self.select(location)
        if kind is None:
            several = len(self.manifest.get("models", ())) > 1
            kind = (
                "skill"
                if several and BASELINE in set(results.scores["model"])
                else "coverage"
            )
            kind = "said" if len(set(results.scores["location"])) == 1 else kind
        if kind not in KINDS:
            raise BacktestError(
                f"kind is {kind!r}, an unknown figure", hint=one_of(kind, KINDS)
            )
        draw: Callable[..., Axes] = getattr(
            plots, "said_and_came" if kind == "said" else kind
        )
        return draw(results, axes=axes, **style)

    def leaderboard(
        self,
        by: str | Sequence[str] = ("level", "horizon_group"),
        baseline: str | None = BASELINE,
    ) -> pd.DataFrame:
        """Mean scores per model and group, best WIS first.

        Parameters
        ----------
        by : str or sequence of str
            ``level``, ``horizon_group``, ``regime``, ``location``, ``target``, ``vintage``,
            ``donor``, ``era``, ``horizon``, ``as_of``. Targets and vintage kinds are always
            separated. Nowcasts are left out unless horizons are separated, too.
        baseline : str or None
            Model for ``rel_wis``; NaN where it was not run.

        Returns
        -------
        DataFrame
            Units scored and not scorable, WIS and its parts, relative WIS, CRPS, MAE, MAPE, bias,
            coverage; for counties :func:`odforecast.scoring.county_leaderboard`. A model without
            forecasts is listed last, with no units.
        """
        scores = self.labelled()
        default = BASELINE
        if of_counties := is_of_counties(scores):
            default = COUNTY_BASELINE
            by = "horizon" if tuple(by) == ("level", "horizon_group") else by
            baseline = default if baseline == BASELINE else baseline
        by = [by] if isinstance(by, str) else list(by)
        by = [
            k for k in ("vintage", "target") if len(set(scores[k])) > 1 and k not in by
        ] + by
        ahead = scores["horizon"] >= 1
        if {"horizon", "horizon_group"}.isdisjoint(by) and ahead.any():
            scores = scores[ahead]
        models = sorted(set(scores["model"].astype(str)))
        if baseline not in (None, default, *models):
            raise BacktestError(
                f"baseline is {baseline!r}, which was not run",
                hint=one_of(baseline, models),
            )
        if of_counties:
            board = county_leaderboard(scores, by, baseline=baseline)
        else:
            board = summarise(
                scores, by, baseline=baseline if baseline in models else None
            )
            if baseline not in (
                None,
                *models,
            ):  # nothing to relate to; the columns stay
                board = board.assign(rel_wis=float("nan"), n_common=0)
        return self._with_failed(board, by)

    def _with_failed(self, board: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
        """A leaderboard with a row in each group for models that have failures and no scores."""
        lost = list(failed_everywhere(self))
        if not lost:
            return board
        groups = [name for name in by if name != "model"]
        board = board.assign(model=board["model"].astype(object))
        heads = board[groups].drop_duplicates() if groups else pd.DataFrame(index=[0])
        names = [str(name) for name in board if name not in (*groups, "model")]
        blank: dict[str, Any] = {
            name: 0 if name.startswith("n_") else np.nan for name in names
        }
        rows = [heads.assign(**blank, model=model)[list(board)] for model in lost]
        rows_of_all = pd.concat([board, *rows], ignore_index=True)
        if (
            groups
        ):  # in the order of the groups; within one, the rows without scores are last
            at = rows_of_all.groupby(
                groups,
                sort=False,
                observed=True,
                dropna=False,
            ).ngroup()
            rows_of_all = rows_of_all.iloc[np.argsort(at.to_numpy(), kind="stable")]
        rows_of_all = rows_of_all.reset_index(drop=True).astype({"model": str})
        rows_of_all.attrs = dict(board.attrs)
        return rows_of_all

    def labelled(self) -> pd.DataFrame:
        """Scores with the columns ``level`` and ``horizon_group`` added."""
        level = self.scores["location"].map({"US": "nation"}).fillna("jurisdictions")
        return self.scores.assign(
            level=level, horizon_group=self.scores["horizon"].map(horizon_group)
        )

    def save(self, directory: str | Path) -> None:
        """Write ``scores.parquet``, ``quantiles.parquet``, ``failures.parquet`` and
        ``manifest.json``; each file is complete or absent.

        The manifest names the SHA-256 of each table. It is written last, and that of earlier
        results is removed first, so that it never describes other tables than those there.
        """
        with written(Path(directory), self.manifest) as paths:
            for name, part in paths.items():
                self._table(name).to_parquet(part, index=False)

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """Look at what :meth:`save` wrote; its tables are read when they are asked for.

        Raises
        ------
        BacktestError
            If a file is missing or broken. A table that is not as it was written is noticed when it
            is read; in a folder of an earlier version that cannot be, and :attr:`notes` says so.
        """
        folder = Path(directory)
        try:
            manifest = dict(json.loads((folder / "manifest.json").read_text()))
            files = manifest.pop("files", None)
            if isinstance(files, dict):
                files.pop(JOINT, None)
            if files is not None and (
                not isinstance(files, dict) or set(files) != set(TABLES)
            ):
                raise ValueError(
                    "its manifest does not name the checksums of its tables"
                )
        except (OSError, ValueError, TypeError) as error:
            names = ("units", *(f"{t}.parquet" for t in TABLES))
            begun = any((folder / n).exists() for n in names)
            unfinished = begun and isinstance(error, FileNotFoundError)
            raise _broken(folder, _UNFINISHED if unfinished else error) from error
        needed = ("scores", "failures") if files is None else files
        if absent := [n for n in needed if not (folder / f"{n}.parquet").exists()]:
            raise _broken(folder, f"no {', '.join(absent)}")
        if files is None:
            notes = [n for n in manifest.get("notes", ()) if n != _UNVERIFIED]
            manifest["notes"] = [*notes, _UNVERIFIED]
        return cls({}, manifest, folder=folder, files=files)


def failed_everywhere(results: Results) -> dict[str, str]:
    """Models that were run and have no score, with the commonest reason of each."""
    scored = results._scored()
    unscored = [
        str(name)
        for name in results.manifest.get("models", {})
        if str(name) not in scored
    ]
    if not unscored or (results._folder is None and "failures" not in results._tables):
        return {}
    failures = results.failures
    reasons = failures["reason"].astype(str).groupby(failures["model"].astype(str))
    commonest = {str(name): part.value_counts().index[0] for name, part in reasons}
    return {name: on_screen(commonest[name]) for name in unscored if name in commonest}
