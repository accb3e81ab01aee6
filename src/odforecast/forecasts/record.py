"""How far off past forecasts of a model were, by place and horizon."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from odforecast.errors import ForecastError
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, TARGET_12MO, deciding_kind
from odforecast.publication import SETTLED

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecasts.forecast import Forecast


class Scored(Protocol):
    """What holds scores of past forecasts: the results of a backtest."""

    @property
    def scores(self) -> pd.DataFrame:
        """One row per forecast unit."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What was run: of which deaths, at least."""


@cache
def _shipped() -> pd.DataFrame:
    import pandas as pd

    path = resources.files("odforecast.forecasts") / "record.csv"
    with path.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, keep_default_na=False)


def table_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Past errors of 12-month-ending counts, from scores of one model."""
    kind = deciding_kind(scores["vintage"].astype(str).unique())
    kept = scores[
        (scores["vintage"] == kind)
        & (scores["target"] == TARGET_12MO)
        & scores["scorable"].astype(bool)
        & (scores["horizon"] >= 1)
    ]
    table = kept.groupby(["location", "horizon"], sort=True, observed=True).agg(
        forecasts=("ape", "size"),
        error=("ape", "median"),
        held=("cover_90", "mean"),
        first=("month", "min"),
        last=("month", "max"),
        vintage=("vintage", "first"),
        truth_release=("truth_release", "max"),
        spec_hash=("spec_hash", "first"),
    )
    table = table.reset_index()
    for key, form in (
        ("first", "%Y-%m"),
        ("last", "%Y-%m"),
        ("truth_release", "%Y-%m-%d"),
    ):
        table[key] = table[key].dt.strftime(form)
    made: pd.DataFrame = table.assign(
        error=table["error"].round(1), held=table["held"].round(2)
    )
    return made


def past_errors(
    forecast: Forecast, location: str, record: Scored | None = None
) -> pd.DataFrame | None:
    """Past errors of the model that made a forecast, in one place.

    Parameters
    ----------
    record : Results, optional
        A backtest of the same model and deaths. Default: the shipped table of the default model
        (delayed pseudo-vintages from 2021-01). Counts not settled on the forecast's day are left
        out.

    Returns
    -------
    DataFrame or None
        Rows of :func:`table_of`; None where no record applies.

    Raises
    ------
    ForecastError
        If ``record`` has no scores of the model, or is of other deaths.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.forecasts.record import past_errors
    >>> panel = od.bundled().as_of().panel()
    >>> past_errors(od.get_model("naive").fit(panel).forecast(draws=50), "OH") is None
    True
    """
    spec = forecast.provenance.get("spec_hash")
    ours = None if forecast.panel is None else forecast.panel.indicator
    if record is None:
        table = _shipped()
        rows = table[table["location"] == location]
        # Scored on all drugs: a class has another record.
        if ours != ALL_DRUGS or rows.empty or set(rows["spec_hash"]) != {spec}:
            return None
        # What is said on an earlier day must not know what came later.
        later = str(rows["truth_release"].max()) > str(forecast.as_of)
        return None if later else rows.reset_index(drop=True)
    theirs = record.manifest.get("indicator")
    scores = record.scores
    if ours != theirs:
        told = f"is of {theirs!r}" if theirs else "does not say which deaths it is of"
        raise ForecastError(
            f"the record {told}, and the forecast is of {ours!r}",
            hint="score the same deaths: od.backtest(..., indicator=...)",
        )
    mine = scores[scores["spec_hash"] == spec]
    if mine.empty:
        model = forecast.provenance.get("label", "this model")
        there = sorted(
            {f"{m} ({s})" for m, s in zip(scores["model"], scores["spec_hash"])}
        )
        raise ForecastError(
            f"record: no scores of {model} (spec {spec})",
            hint=f"it holds {', '.join(there[:5])}",
        )
    # What was known of them on the day of the forecast: a release of before, or a settled count.
    settled = np.datetime64(forecast.as_of, "M") - SETTLED * ONE_MONTH
    seen = (mine["month"].to_numpy().astype("datetime64[M]") <= settled) | (
        mine["truth_release"].to_numpy().astype("datetime64[D]")
        <= np.datetime64(forecast.as_of)
    )
    rows = table_of(mine[seen & (mine["location"] == location).to_numpy()])
    return None if rows.empty else rows
