"""One unit of work: one model at one origin, forecast and scored, or failed with a reason."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from odforecast.backtesting.digest import code_digest
from odforecast.backtesting.origin import Origin
from odforecast.errors import OdforecastError
from odforecast.forecast import Forecast
from odforecast.models import Fitted, Model
from odforecast.names import HUB_QUANTILES
from odforecast.panel import Panel
from odforecast.scoring import Truth, score
from odforecast.seeds import content_hash


@dataclass(frozen=True)
class Unit:
    """What to compute: one model at one origin.

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
    """

    model: Model
    origin: Origin
    truth: Truth
    locations: tuple[str, ...]
    targets: tuple[str, ...]
    horizon: int
    draws: int
    seed: int

    @property
    def key(self) -> str:
        """Content key: equal keys give equal results, so a stored result can be reused.

        The model's whole configuration and the code count, its label does not.
        """
        panel = self.origin.panel
        return content_hash(
            self.model.spec.hash,
            code_digest(),
            panel.data_hash if panel is not None else self.origin.reason,
            self.truth.data_hash,
            self.locations,
            self.targets,
            self.horizon,
            self.draws,
            self.seed,
        )

    @property
    def reusable(self) -> bool:
        """Whether a stored result may be reused: not where the code's origin is unknown."""
        specs = [self.model.spec]
        for spec in specs:
            specs += spec.members
        return all(s.origin for s in specs)

    @property
    def seen(self) -> Panel:
        """What the model is given: the whole panel, or the locations asked for."""
        panel = self.origin.panel
        assert panel is not None
        if self.model.spec.by is None:
            return panel
        return panel.select([s for s in self.locations if s in panel.locations])

    @property
    def label(self) -> str:
        """For people: model and as-of date."""
        return f"{self.model.label} as of {self.origin.as_of}"


@dataclass(frozen=True)
class Outcome:
    """What came of a unit.

    Attributes
    ----------
    scores, quantiles, failures : DataFrame
        One row per forecast unit; per quantile; per location or model that failed.
    seconds : float
        Time to fit and forecast, scoring left out.
    """

    scores: pd.DataFrame
    quantiles: pd.DataFrame
    failures: pd.DataFrame
    seconds: float

    @property
    def failed(self) -> str:
        """Why the whole unit failed; empty if it did not."""
        if self.failures.empty:
            return ""
        rows = (self.failures["location"] == "*") & (self.failures["target"] == "*")
        return "; ".join(self.failures.loc[rows, "reason"].astype(str))


def run_block(units: Sequence[Unit]) -> list[Outcome]:
    """Run units of one model together, so that it may share work between origins.

    A model that offers ``fit_many`` is asked once for all; if that fails, the block is split,
    and each unit stands or fails by itself.
    """
    ready = [u for u in units if u.origin.panel is not None]
    fitted: dict[int, tuple[Fitted, float]] = {}
    if len(ready) > 1 and hasattr(ready[0].model.inner, "fit_many"):
        started = perf_counter()
        try:
            with threadpool_limits(limits=1, user_api="blas"):
                made = ready[0].model.fit_many([u.seen for u in ready])
            each = (perf_counter() - started) / len(ready)
            fitted = {id(u): (f, each) for u, f in zip(ready, made, strict=True)}
        except Exception:
            fitted = {}
    return [run_unit(u, *fitted.get(id(u), (None, 0.0))) for u in units]


def run_unit(unit: Unit, fitted: Fitted | None = None, spent: float = 0.0) -> Outcome:
    """Fit, forecast and score. Any error of the model becomes a failure row with its reason.

    Parameters
    ----------
    unit : Unit
    fitted : Fitted, optional
        The model, if it was fitted with others of its block.
    spent : float
        Seconds that took.
    """
    started = perf_counter() - spent
    panel = unit.origin.panel
    if panel is None:
        return _failed(unit, unit.origin.reason, "", started)
    try:
        # The model is handed the panel alone: neither archive nor truth can be reached from it.
        # One BLAS thread: sums in another order differ in their last digits, and a unit must
        # give the same numbers in a process of its own as in this one.
        with threadpool_limits(limits=1, user_api="blas"):
            fitted = unit.model.fit(unit.seen) if fitted is None else fitted
            forecast = fitted.forecast(unit.horizon, draws=unit.draws, seed=unit.seed)
        seconds = perf_counter() - started
    except Exception as error:
        # A third party's model may raise anything; its rows fail, the run goes on.
        detail = "" if isinstance(error, OdforecastError) else traceback.format_exc()
        return _failed(unit, f"{type(error).__name__}: {error}", detail, started)
    skipped = {s: r for s, r in forecast.skipped.items() if s in unit.locations}
    for state in unit.locations:
        if state not in forecast.locations and state not in skipped:
            skipped[state] = f"release {panel.release} has no {state}"
    kept = [s for s in unit.locations if s in forecast.locations]
    rows = [_failure(unit, s, "*", r, "") for s, r in skipped.items()]
    targets = [t for t in unit.targets if t in forecast.targets]
    for target in unit.targets:
        if target not in targets:
            rows.append(_failure(unit, "*", target, f"does not forecast {target}", ""))
    failures = pd.DataFrame(rows, columns=list(FAILURE_COLUMNS))
    if not targets:
        return _failed(unit, f"does not forecast {', '.join(unit.targets)}", "", started)
    if not kept:
        return _failed(unit, "no location asked for could be forecast: "
                       + "; ".join(f"{s}: {r}" for s, r in list(skipped.items())[:3]),
                       "", started)  # fmt: skip
    forecast = forecast.select(kept)
    try:
        scores = pd.concat([_score(unit, forecast, t) for t in targets], ignore_index=True)
        quantiles = pd.concat([_quantiles(unit, forecast, t) for t in targets], ignore_index=True)
        quantiles = quantiles.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category"))
    except OdforecastError as error:
        # Draws that cannot be scored are the model's failure, too.
        return _failed(unit, f"{type(error).__name__}: {error}", "", started)
    return Outcome(scores, quantiles, failures, seconds)


#: Columns of the failures table.
FAILURE_COLUMNS = (
    "model",
    "model_version",
    "as_of",
    "last_month",
    "vintage",
    "location",
    "target",
    "reason",
    "detail",
)


def _keys(unit: Unit) -> dict[str, object]:
    panel = unit.origin.panel
    month = None if panel is None else pd.Timestamp(panel.last_month.astype("datetime64[s]"))
    return {
        "model": unit.model.label,
        "model_version": unit.model.spec.version,
        "as_of": pd.Timestamp(unit.origin.as_of),
        "last_month": month,
        "vintage": unit.origin.vintage,
    }


def _failure(unit: Unit, location: str, target: str, reason: str, detail: str) -> dict[str, object]:
    return _keys(unit) | {
        "location": location, "target": target, "reason": reason, "detail": detail,
    }  # fmt: skip


def _failed(unit: Unit, reason: str, detail: str, started: float) -> Outcome:
    failures = pd.DataFrame(
        [_failure(unit, "*", "*", reason, detail)], columns=list(FAILURE_COLUMNS)
    )
    return Outcome(pd.DataFrame(), pd.DataFrame(), failures, perf_counter() - started)


def _score(unit: Unit, forecast: Forecast, target: str) -> pd.DataFrame:
    panel = unit.origin.panel
    assert panel is not None
    added: dict[str, Any] = _keys(unit) | {
        "donor": panel.donor,
        "data_hash": panel.data_hash,
        "spec_hash": unit.model.spec.hash,
        "seed": unit.seed,
    }
    return score(forecast, unit.truth, target).assign(**added)


#: Columns of the quantile table with few distinct values, kept as categories in memory.
QUANTILE_CATEGORIES = ("model", "target", "location")


def _quantiles(unit: Unit, forecast: Forecast, target: str) -> pd.DataFrame:
    values = forecast.quantiles(HUB_QUANTILES, target)
    n_levels, n_loc, n_months = values.shape
    return pd.DataFrame(
        {
            "model": unit.model.label,
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "target": target,
            "location": np.tile(
                np.repeat(np.array(forecast.locations, dtype=object), n_months), n_levels
            ),
            "month": np.tile(forecast.months.astype("datetime64[ms]"), n_levels * n_loc),
            "horizon": np.tile(forecast.horizons, n_levels * n_loc),
            "level": np.repeat(HUB_QUANTILES, n_loc * n_months),
            "value": values.ravel(),
        }
    )
