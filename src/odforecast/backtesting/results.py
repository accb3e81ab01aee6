"""Results of a backtest: unit-level scores first, summaries after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.backtesting.held import Held, opened
from odforecast.backtesting.joining import by_origin, joined, manifest_of
from odforecast.backtesting.outcome import Outcome, on_screen
from odforecast.backtesting.tables import JOINT, TABLES, all_failed, empty, written
from odforecast.backtesting.unit import Unit
from odforecast.errors import BacktestError, one_of
from odforecast.geography import pick
from odforecast.say import card, few, html_table, number_of, steady
from odforecast.scoring import county_leaderboard, horizon_group, summarise
from odforecast.scoring.summary import COUNTY_BASELINE, is_of_counties

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASELINE = "hub-baseline"
#: Figures of results; see :meth:`Results.plot`.
KINDS = ("said", "skill", "errors", "coverage", "pit", "reliability")


class Results(Held):
    """Scores, quantiles and failures of a backtest: a view of its folder, read when asked for.

    Attributes
    ----------
    scores : DataFrame
        One row per (model, origin, location, target, horizon): see the documentation of the
        score table.
    quantiles : DataFrame
        The 23 hub quantiles of every forecast, long; without rows where the run kept none.
    failures : DataFrame
        Models, targets or locations without a forecast, and why.
    joint : DataFrame
        Scores of draws that are joint, of a run with ``joint=True``; else without rows.
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
        super().__init__(tables, folder, files)
        self.manifest = dict(manifest)

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
        """The 23 hub quantiles of every forecast; without rows where the run kept none."""
        return self._table("quantiles")

    @property
    def failures(self) -> pd.DataFrame:
        """What could not be forecast, and why."""
        return self._table("failures")

    @property
    def joint(self) -> pd.DataFrame:
        """Scores of joint draws; without rows where the run was not asked for them."""
        return self._table(JOINT)

    @steady
    def __repr__(self) -> str:
        says = self.manifest
        models, found = dict(says.get("models", {})), list(says.get("origins", []))  # type: ignore[call-overload]
        days = sorted(str(o["as_of"]) for o in found)
        kinds = dict.fromkeys(str(o["vintage"]) for o in found)
        truth = dict(says.get("truth", {}))  # type: ignore[call-overload]
        return card(
            f"Results: {number_of(len(models), 'model')}, {number_of(len(found), 'origin')}, "
            f"{self._rows('scores')} score rows, {self._rows('failures')} failures",
            f"models {few(models)}" if models else "",
            f"origins {days[0]} to {days[-1]} ({', '.join(kinds)})" if days else "",
            f"truth {truth['name']} in release {truth['release']}" if truth else "",
            f"folder {self._folder}" if self._folder is not None else "",
            "next: .leaderboard(), .plot(), .select('Ohio').plot(), .to_frame(), .failures",
        )

    @steady
    def _repr_html_(self) -> str:
        says = self.manifest
        models = dict(says.get("models", {}))  # type: ignore[call-overload]
        seconds = dict(says.get("model_seconds", {}))  # type: ignore[call-overload]
        warned = dict(says.get("warnings", {}))  # type: ignore[call-overload]
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
            f"{head} at {number_of(len(list(says.get('origins', []))), 'origin')}",  # type: ignore[call-overload]
            "; ".join(("next: .leaderboard(), .plot()", *self.notes)),
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
        """Only these locations, by any of their names.

        Raises
        ------
        UnknownNameError
            If a name is no place's, a place is named twice, or none is named.
        BacktestError
            If one of them was not scored.
        """
        held = sorted(str(s) for s in self.scores["location"].unique())
        states = list(pick(locations, held, "the score table", BacktestError))
        tables = {
            name: table[table["location"].isin([*states, "*"])].reset_index(drop=True)
            for name in TABLES
            if not (table := self._table(name)).empty or name != "quantiles"
        }
        tables.setdefault("quantiles", self.quantiles)
        if not (rows := self.joint).empty:  # of sums of places nothing is left
            tables[JOINT] = rows[rows["place"].isin(states)].reset_index(drop=True)
        return Results(tables, {**self.manifest, "locations": states})

    def plot(
        self,
        location: str | None = None,
        kind: str | None = None,
        axes: Axes | None = None,
        **style: Any,
    ) -> Axes:
        """What was said against what came, or how good it was.

        Parameters
        ----------
        location : str, optional
            One place, by any of its names. Default: all of them.
        kind : {"said", "skill", "errors", "coverage", "pit", "reliability"}, optional
            ``"said"``: past medians and intervals against what came, of one place. ``"skill"``:
            relative WIS by horizon and model. ``"errors"``: past errors by horizon.
            ``"coverage"``, ``"pit"``, ``"reliability"``: calibration. Default: ``"said"`` of
            one place, else ``"skill"``, or ``"coverage"`` where there is nothing to relate to.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As the function of that name in :mod:`odforecast.plot` takes it.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        BacktestError
            If the kind is unknown, or the place was not scored.
        """
        import odforecast.plot as plots

        seen = self if location is None else self.select(location)
        places = seen.scores["location"].unique()
        if kind is None:
            related = len(self.manifest.get("models", ())) > 1 and BASELINE in set(  # type: ignore[arg-type]
                seen.scores["model"]
            )
            kind = "said" if len(places) == 1 else "skill" if related else "coverage"
        if kind not in KINDS:
            raise BacktestError(f"kind is {kind!r}, an unknown figure", hint=one_of(kind, KINDS))
        draw: Callable[..., Axes] = getattr(plots, "said_and_came" if kind == "said" else kind)
        return draw(seen, axes=axes, **style)

    @classmethod
    def from_outcomes(
        cls,
        units: Sequence[Unit],
        outcomes: Sequence[Outcome],
        notes: Sequence[str] = (),
        more: Mapping[str, object] | None = None,
    ) -> Results:
        """Join the outcomes of the units of one plan; the manifest says ``more``, too."""
        whole = list(by_origin(units, outcomes))
        tables = {}
        for name in (*TABLES, *((JOINT,) if units[0].joint else ())):
            parts = [t for o in whole if not (t := getattr(o, name)).empty]
            tables[name] = joined(parts) if parts else empty(name)
        if tables["scores"].empty:
            raise all_failed(tables["failures"]["reason"])
        return cls(tables, manifest_of(units, outcomes, notes, more))

    def leaderboard(
        self,
        by: str | Sequence[str] = ("level", "horizon_group"),
        baseline: str | None = BASELINE,
    ) -> pd.DataFrame:
        """Summary per model and group, best WIS first within each group.

        Parameters
        ----------
        by : str or sequence of str
            Columns to split by: ``level`` (nation or jurisdictions), ``horizon_group``,
            ``regime``, ``location``, ``target``, ``vintage``, ``donor``, ``era``, ``horizon``,
            ``as_of``. Where there are several targets or kinds of vintage, they are split as
            well: months and 12-month sums have no common mean.
        baseline : str or None
            Model to which WIS is related (``rel_wis``, on the units both have). Where the
            default one was not run, ``rel_wis`` is NaN. Of counties the default is
            ``county-hub-baseline``.

        Returns
        -------
        DataFrame
            Number of units scored and not scorable, mean WIS and its parts, relative WIS,
            CRPS, MAE, MAPE, bias, coverage. Of counties:
            :func:`odforecast.scoring.county_leaderboard`, by default by ``horizon``. A model
            without any forecast (:attr:`failures` says why) has a row of no units, last in each
            group.

        Raises
        ------
        ScoringError
            If there is no such column.
        BacktestError
            If a baseline is named that was not run.
        """
        if of_counties := is_of_counties(self.scores):
            by = "horizon" if tuple(by) == ("level", "horizon_group") else by
            baseline = COUNTY_BASELINE if baseline == BASELINE else baseline
        scores, by = self.labelled(), [by] if isinstance(by, str) else list(by)
        apart = [k for k in ("vintage", "target") if len(set(scores[k])) > 1 and k not in by]
        by = [*apart, *by]
        models = sorted(set(scores["model"].astype(str)))
        default = COUNTY_BASELINE if of_counties else BASELINE
        if baseline not in (None, default, *models):
            raise BacktestError(
                f"baseline is {baseline!r}, which was not run", hint=one_of(baseline, models)
            )
        if of_counties:
            return self._with_failed(county_leaderboard(scores, by, baseline), by)
        if baseline is not None and baseline not in models:
            # Without the baseline there is nothing to relate to; the columns stay.
            board = summarise(scores, by=by)
            return self._with_failed(board.assign(rel_wis=float("nan"), n_common=0), by)
        return self._with_failed(summarise(scores, by=by, baseline=baseline), by)

    def _with_failed(self, board: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
        """A leaderboard with a row in each group for models that have failures and no scores."""
        lost = list(failed_everywhere(self))
        if not lost:
            return board
        groups = [name for name in by if name != "model"]
        board = board.assign(model=board["model"].astype(object))
        heads = board[groups].drop_duplicates() if groups else pd.DataFrame(index=[0])
        none = {
            name: 0 if name.startswith("n_") else np.nan
            for name in board.columns
            if name not in (*groups, "model")
        }
        rows = [heads.assign(**none, model=model)[list(board.columns)] for model in lost]
        whole = pd.concat([board, *rows], ignore_index=True)
        if groups:  # in the order of the groups; within one, the rows without scores are last
            at = whole.groupby(groups, sort=False, observed=True, dropna=False).ngroup()
            whole = whole.iloc[np.argsort(at.to_numpy(), kind="stable")]
        whole = whole.reset_index(drop=True).astype({"model": str})
        whole.attrs = dict(board.attrs)
        return whole

    def labelled(self) -> pd.DataFrame:
        """Scores with the columns ``level`` and ``horizon_group`` added."""
        level = self.scores["location"].map({"US": "nation"}).fillna("jurisdictions")
        return self.scores.assign(
            level=level, horizon_group=self.scores["horizon"].map(horizon_group)
        )

    def save(self, directory: str | Path) -> None:
        """Write ``scores.parquet``, ``quantiles.parquet``, ``failures.parquet``, where there are
        joint scores ``joint.parquet``, and ``manifest.json``; each file is complete or absent.

        The manifest names the SHA-256 of each table. It is written last, and that of earlier
        results is removed first, so that it never describes other tables than those there.
        """
        with written(Path(directory), self.manifest, self._names) as paths:
            for name, part in paths.items():
                self._table(name).to_parquet(part, index=False)

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
        manifest, files = opened(folder)
        return cls({}, manifest, folder, files)


def failed_everywhere(results: Results) -> dict[str, str]:
    """Models that were run and have no score, with the commonest reason of each.

    Parameters
    ----------
    results : Results
        Of its table of scores the names of the models are read, and no more.
    """
    asked = results.manifest.get("models", {})
    if not isinstance(asked, Mapping):
        return {}
    there = results._scored()
    lost = [str(name) for name in asked if str(name) not in there]
    if not lost or not results._holds("failures"):
        return {}
    failures = results.failures
    reasons = failures["reason"].astype(str).groupby(failures["model"].astype(str))
    found = {str(name): part.value_counts().index[0] for name, part in reasons}
    return {name: on_screen(found[name]) for name in lost if name in found}
