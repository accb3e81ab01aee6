"""Results of a backtest: unit-level scores first, summaries after."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pandas as pd

from odforecast.backtesting.digest import code_digest
from odforecast.backtesting.outcome import FAILURE_COLUMNS, Outcome, on_screen
from odforecast.backtesting.unit import QUANTILE_CATEGORIES, Unit
from odforecast.errors import BacktestError
from odforecast.geography import code_of
from odforecast.io import replacing
from odforecast.scoring import horizon_group, summarise
from odforecast.seeds import content_hash
from odforecast.version import __version__

BASELINE = "hub-baseline"
#: Files of a folder, without their ending.
TABLES = ("scores", "quantiles", "failures")
_UNFINISHED = "its run did not finish writing, or every unit of it failed"
_UNVERIFIED = (
    "these results were written by an earlier version, without checksums: whether their tables "
    "are as they were written cannot be verified"
)
#: Warnings kept per model.
_WARNINGS = 10


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
        self._tables = dict(tables)
        self._folder = folder
        self._files = dict(files or {})
        self.manifest = dict(manifest)

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._tables:
            assert self._folder is not None
            path = self._folder / f"{name}.parquet"
            try:
                data = path.read_bytes()
                if self._files and hashlib.sha256(data).hexdigest() != self._files.get(name):
                    raise BacktestError(
                        f"{path} is not as the run wrote it: its SHA-256 is not the manifest's",
                        hint="run the backtest again into the folder; finished units are kept",
                    )
                self._tables[name] = pd.read_parquet(BytesIO(data))
            except BacktestError:  # a ValueError too
                raise
            except (OSError, ValueError) as error:
                raise _broken(self._folder, error) from error
        return self._tables[name]

    @property
    def data_notes(self) -> tuple[str, ...]:
        """What is to be known of the releases behind it: accepted or replaced, and why."""
        return tuple(self.manifest.get("data_notes", ()))  # type: ignore[arg-type]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the run: stored units that were damaged, processes that died."""
        return tuple(self.manifest.get("notes", ()))  # type: ignore[arg-type]

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

    def __repr__(self) -> str:
        return (
            f"<Results: {len(self.manifest.get('models', []))} models, "  # type: ignore[arg-type]
            f"{len(self.manifest.get('origins', []))} origins, "  # type: ignore[arg-type]
            f"{len(self.scores):,} score rows, {len(self.failures):,} failures>"
        )

    def to_frame(self) -> pd.DataFrame:
        """The score table: one row per forecast unit."""
        return self.scores.copy()

    def select(self, locations: str | Iterable[str]) -> Results:
        """Only these locations, by any of their names.

        Raises
        ------
        BacktestError
            If one of them was not scored.
        """
        asked = [locations] if isinstance(locations, str) else list(locations)
        states = [code_of(s) for s in asked]
        held = set(self.scores["location"])
        if absent := [s for s in states if s not in held]:
            raise BacktestError(
                f"no scores for {', '.join(absent)}", hint=f"there are: {', '.join(sorted(held))}"
            )
        tables = {
            name: table[table["location"].isin([*states, "*"])].reset_index(drop=True)
            for name in ("scores", "quantiles", "failures")
            if not (table := self._table(name)).empty or name == "failures"
        }
        return Results(tables, {**self.manifest, "locations": states})

    @classmethod
    def from_outcomes(
        cls, units: Sequence[Unit], outcomes: Sequence[Outcome], notes: Sequence[str] = ()
    ) -> Results:
        """Join the outcomes of the units of one plan."""
        joined = list(_by_origin(units, outcomes))
        tables = {}
        for name in ("scores", "quantiles", "failures"):
            parts = [t for o in joined if not (t := getattr(o, name)).empty]
            tables[name] = _join(parts) if parts else pd.DataFrame()
        if tables["failures"].empty:
            tables["failures"] = pd.DataFrame(columns=list(FAILURE_COLUMNS))
        if tables["scores"].empty:
            reasons = tables["failures"]["reason"].value_counts()
            raise BacktestError(
                f"every unit failed; most often: {on_screen(reasons.index[0])}",
                hint="run one unit in Python to see its traceback",
            )
        panels = [u.origin.panel for u in units if u.origin.panel is not None]
        said = (n for p in (*panels, units[0].truth.panel) for n in p.notes)
        about = {"notes": list(notes), "data_notes": list(dict.fromkeys(said))}
        return cls(tables, {**_manifest(units, outcomes), **about})

    def leaderboard(
        self, by: Sequence[str] = ("level", "horizon_group"), baseline: str | None = BASELINE
    ) -> pd.DataFrame:
        """Summary per model and group, best WIS first within each group.

        Parameters
        ----------
        by : sequence of str
            Columns to split by: ``level`` (nation or jurisdictions), ``horizon_group``,
            ``regime``, ``location``, ``target``, ``vintage``, ``donor``, ``era``, ``horizon``,
            ``as_of``. Where there are several targets or kinds of vintage, they are split as
            well: months and 12-month sums have no common mean.
        baseline : str or None
            Model to which WIS is related (``rel_wis``, on the units both have).

        Returns
        -------
        DataFrame
            Number of units scored and not scorable, mean WIS and its parts, relative WIS,
            CRPS, MAE, MAPE, bias, coverage.
        """
        scores = self.labelled()
        apart = [k for k in ("vintage", "target") if len(set(scores[k])) > 1 and k not in by]
        by = [*apart, *by]
        if baseline is not None and baseline not in set(scores["model"]):
            # Without the baseline there is nothing to relate to; the columns stay.
            board = summarise(scores, by=list(by))
            return board.assign(rel_wis=float("nan"), n_common=0)
        return summarise(scores, by=list(by), baseline=baseline)

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
        folder = Path(directory)
        try:
            # All are written before the first takes its place, the manifest takes its place
            # last: a full disk leaves an earlier run's files as they were.
            with ExitStack() as stack:
                manifest = stack.enter_context(replacing(folder / "manifest.json"))
                files = {}
                for name in TABLES:
                    part = stack.enter_context(replacing(folder / f"{name}.parquet"))
                    self._table(name).to_parquet(part, index=False)
                    files[name] = hashlib.sha256(part.read_bytes()).hexdigest()
                text = json.dumps({**self.manifest, "files": files}, indent=1)
                manifest.write_text(text + "\n")
                (folder / "manifest.json").unlink(missing_ok=True)
        except OSError as error:
            raise BacktestError(
                f"cannot write to {folder}: {error.strerror or error}",
                hint="finished units are kept: run again into the same folder to go on",
            ) from error

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """Look at what :meth:`save` wrote; its tables are read when they are asked for.

        Raises
        ------
        BacktestError
            If a file is missing or broken. A table that is not as it was written is noticed
            when it is read; in a folder of an earlier version that cannot be, and
            :attr:`notes` says so.
        """
        folder = Path(directory)
        try:
            manifest = dict(json.loads((folder / "manifest.json").read_text()))
            files = manifest.pop("files", None)
            if files is not None and (not isinstance(files, dict) or set(files) != set(TABLES)):
                raise ValueError("its manifest does not name the checksums of its tables")
        except FileNotFoundError as error:
            if any((folder / n).exists() for n in ("units", *(f"{t}.parquet" for t in TABLES))):
                raise _broken(folder, _UNFINISHED) from error
            raise _broken(folder, error) from error
        except (OSError, ValueError, TypeError) as error:
            raise _broken(folder, error) from error
        needed = ("scores", "failures") if files is None else TABLES
        if absent := [n for n in needed if not (folder / f"{n}.parquet").exists()]:
            raise _broken(folder, f"no {', '.join(absent)}")
        if files is None:
            notes = [n for n in manifest.get("notes", ()) if n != _UNVERIFIED]
            manifest["notes"] = [*notes, _UNVERIFIED]
        return cls({}, manifest, folder, files)


def save_reasons(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write ``failures.parquet`` alone, where everything failed and no earlier results are."""
    if not (folder / "manifest.json").exists():
        failures = _join([o.failures for o in outcomes])
        with replacing(folder / "failures.parquet") as part:
            failures.to_parquet(part, index=False)


def _broken(folder: Path, error: object) -> BacktestError:
    return BacktestError(
        f"{folder} holds no complete backtest: {error}",
        hint="run `odforecast backtest --out` again; finished units are reused",
    )


def _by_origin(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Outcomes of whole origins: states put together in the order an undivided unit has."""
    pairs = zip(units, outcomes, strict=True)
    for (_, _, split), group in groupby(
        pairs, key=lambda p: (id(p[0].model), id(p[0].origin), bool(p[0].state))
    ):
        members = list(group)
        if not split:
            yield from (o for _, o in members)
            continue
        targets = members[0][0].targets
        tables = {}
        for name in ("scores", "quantiles", "failures"):
            parts = [t for _, o in members if not (t := getattr(o, name)).empty]
            table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
            if parts and name == "failures":
                table = table.drop_duplicates(ignore_index=True)
            elif parts:
                place = table["target"].astype(object).map(targets.index)
                keys = {"place": place} | ({"level": table["level"]} if "level" in table else {})
                order = pd.DataFrame(keys).sort_values(list(keys), kind="stable").index
                table = table.loc[order].reset_index(drop=True)
            if parts and name == "quantiles":
                table = table.astype(dict.fromkeys(QUANTILE_CATEGORIES, object))
                table = table.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category"))
            tables[name] = table
        seconds = sum(o.seconds for _, o in members)
        yield Outcome(tables["scores"], tables["quantiles"], tables["failures"], seconds)


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate; categorical columns take the union of their categories, dates one unit."""
    joined = {}
    for column in parts[0].columns:
        pieces = [p[column] for p in parts]
        if isinstance(pieces[0].dtype, pd.CategoricalDtype):
            joined[column] = pd.Series(pd.api.types.union_categoricals(pieces))
        else:
            joined[column] = pd.concat(pieces, ignore_index=True)
        if pd.api.types.is_datetime64_any_dtype(joined[column]):
            # Parquet has no seconds: keep what a stored and a fresh unit can share.
            joined[column] = joined[column].astype("datetime64[ms]")
    return pd.DataFrame(joined)


def _manifest(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> dict[str, object]:
    first = units[0]
    seconds: dict[str, float] = {}
    said: dict[str, Counter[str]] = {}
    for unit, outcome in zip(units, outcomes):
        seconds[unit.model.label] = seconds.get(unit.model.label, 0.0) + outcome.seconds
        said.setdefault(unit.model.label, Counter()).update(outcome.warnings)
    origins = list(dict.fromkeys(id(u.origin) for u in units))
    by_id = {id(u.origin): u.origin for u in units}
    return {
        "odforecast": __version__,
        "python": platform.python_version(),
        "run": content_hash(*(u.key for u in units)),
        "models": {u.model.label: u.model.spec.version for u in units},
        "specs": {u.model.label: u.model.spec.hash for u in units},
        "code": code_digest(),
        # The commonest, each with the number of units it came up in.
        "warnings": {
            name: [f"{text} ({n} units)" for text, n in texts.most_common(_WARNINGS)]
            for name, texts in said.items()
            if texts
        },
        "model_seconds": {name: round(s, 3) for name, s in seconds.items()},
        "origins": [
            {
                "as_of": str(o.as_of),
                "vintage": o.vintage,
                "donor": o.donor,
                "donor_distance": o.distance,
                "last_month": None if o.panel is None else str(o.panel.last_month),
                "release": None if o.panel is None else str(o.panel.release),
                "data_hash": None if o.panel is None else o.panel.data_hash,
                "reason": o.reason,
            }
            for o in (by_id[i] for i in origins)
        ],
        "truth": {
            "name": first.truth.kind,
            "release": str(first.truth.release),
            "min_age": first.truth.min_age,
            "data_hash": first.truth.data_hash,
        },
        "locations": list(dict.fromkeys(s for u in units for s in u.locations)),
        "targets": list(first.targets),
        "horizon": first.horizon,
        "draws": first.draws,
        "seed": first.seed,
    }
