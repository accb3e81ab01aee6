"""One unit of work: one model at one origin, forecast and scored, or failed with a reason."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from odforecast.backtesting.splits import Origin
from odforecast.errors import OdforecastError
from odforecast.forecast import Forecast
from odforecast.models.registry import Forecaster
from odforecast.names import HUB_QUANTILES, LOCATION
from odforecast.scoring import score_units
from odforecast.scoring.truth import Truth
from odforecast.seeds import content_hash, seed_from


@dataclass(frozen=True)
class Unit:
    """What to compute.

    Attributes
    ----------
    model : Forecaster
    origin : Origin
    truth : Truth
    locations : tuple of str
        Locations scored. A model whose draws are joint still sees the whole panel.
    targets : tuple of str
    horizon, draws, seed : int
        Months ahead; sample paths; the run's seed (the unit's own is derived from content).
    """

    model: Forecaster
    origin: Origin
    truth: Truth
    locations: tuple[str, ...]
    targets: tuple[str, ...]
    horizon: int
    draws: int
    seed: int

    @property
    def key(self) -> str:
        """Content key: equal keys give equal results, so a stored result can be reused."""
        panel = self.origin.panel
        return content_hash(
            self.model.name,
            self.model.version,
            panel.data_hash if panel is not None else self.origin.reason,
            self.truth.data_hash,
            self.locations,
            self.targets,
            self.horizon,
            self.draws,
            self.seed,
        )

    @property
    def label(self) -> str:
        """For people: model and as-of date."""
        return f"{self.model.name} as of {self.origin.as_of}"


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
        whole = self.failures.loc[self.failures["location"] == "*", "reason"]
        return "; ".join(whole.astype(str))


def run_unit(unit: Unit) -> Outcome:
    """Fit, forecast and score. Any error of the model becomes a failure row with its reason."""
    started = perf_counter()
    panel = unit.origin.panel
    if panel is None:
        return _failed(unit, unit.origin.reason, "", started)
    seed = seed_from(unit.seed, unit.model.name, panel.data_hash)
    try:
        # The model is handed the panel alone: neither archive nor truth can be reached from it.
        joint = bool(getattr(unit.model, "joint", False))
        held = [s for s in unit.locations if s in panel.locations]
        seen = panel if joint else panel.select(held)
        # One BLAS thread: sums in another order differ in their last digits, and a unit must
        # give the same numbers in a process of its own as in this one.
        with threadpool_limits(limits=1, user_api="blas"):
            forecast = unit.model.fit(seen).forecast(unit.horizon, unit.draws, seed)
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
    failures = pd.DataFrame(
        [_keys(unit) | {"location": s, "reason": r, "detail": ""} for s, r in skipped.items()],
        columns=FAILURE_COLUMNS,
    )
    if not kept:
        return Outcome(pd.DataFrame(), pd.DataFrame(), failures, seconds)
    forecast = forecast.select(kept)
    targets = [t for t in unit.targets if t in forecast.targets]
    if not targets:
        reason = f"does not forecast {', '.join(unit.targets)}"
        return _failed(unit, reason, "", started)
    try:
        scores = pd.concat([_score(unit, forecast, t, seed) for t in targets], ignore_index=True)
        quantiles = pd.concat([_quantiles(unit, forecast, t) for t in targets], ignore_index=True)
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
    "reason",
    "detail",
)


def _keys(unit: Unit) -> dict[str, object]:
    panel = unit.origin.panel
    month = None if panel is None else pd.Timestamp(panel.last_month.astype("datetime64[s]"))
    return {
        "model": unit.model.name,
        "model_version": unit.model.version,
        "as_of": pd.Timestamp(unit.origin.as_of),
        "last_month": month,
        "vintage": unit.origin.vintage,
    }


def _failed(unit: Unit, reason: str, detail: str, started: float) -> Outcome:
    row = _keys(unit) | {"location": "*", "reason": reason, "detail": detail}
    failures = pd.DataFrame([row], columns=FAILURE_COLUMNS)
    return Outcome(pd.DataFrame(), pd.DataFrame(), failures, perf_counter() - started)


def _score(unit: Unit, forecast: Forecast, target: str, seed: int) -> pd.DataFrame:
    panel = unit.origin.panel
    assert panel is not None
    observed, reasons = unit.truth.observed(forecast.locations, forecast.months, target)
    table = score_units(forecast, observed, target=target)
    last = [panel.reported[panel.index(s), -1] for s in forecast.locations]
    added: dict[str, Any] = _keys(unit) | {
        "target": target,
        "truth": unit.truth.name,
        "truth_release": pd.Timestamp(unit.truth.release),
        "reason": reasons.ravel(),
        "last_reported": np.repeat(last, forecast.months.size),
        "joint_locations": LOCATION in forecast.joint,
        "data_hash": panel.data_hash,
        "seed": seed,
        "n_draws": forecast.draws.shape[0],
        "warnings": "; ".join(forecast.warnings),
    }
    for name, value in added.items():
        table[name] = value
    origin_month = np.datetime64(unit.origin.as_of, "M")
    table["horizon_from_origin"] = np.tile(
        (forecast.months - origin_month).astype(int), len(forecast.locations)
    )
    return table


def _quantiles(unit: Unit, forecast: Forecast, target: str) -> pd.DataFrame:
    values = forecast.quantiles(HUB_QUANTILES, target)
    n_levels, n_loc, n_months = values.shape
    size = values.size
    return pd.DataFrame(
        {
            "model": pd.Categorical([unit.model.name] * size),
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "target": pd.Categorical([target] * size),
            "location": pd.Categorical(np.tile(np.repeat(forecast.locations, n_months), n_levels)),
            "month": np.tile(forecast.months.astype("datetime64[ms]"), n_levels * n_loc),
            "horizon": np.tile(forecast.horizons, n_levels * n_loc),
            "level": np.repeat(HUB_QUANTILES, n_loc * n_months),
            "value": values.ravel(),
        }
    )
