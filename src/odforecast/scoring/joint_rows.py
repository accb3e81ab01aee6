"""The table of joint scores: its columns, its rows, and the scores of a drawn count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.names import COVERAGE_LEVELS, HUB_QUANTILES
from odforecast.scoring.calibration import interval_coverage
from odforecast.scoring.rules import weighted_interval_score
from odforecast.seeds import seed_from

Floats = NDArray[np.float64]

#: Columns of the table of joint scores; the backtest puts its own before them.
JOINT_COLUMNS: Final = (
    "target",
    "statistic",
    "place",
    "horizon",
    "month",
    "control",
    "n_places",
    "n_months",
    "n_draws",
    "observed",
    "median",
    "score",
    "log_score",
    "pit",
    "cover_50",
    "cover_80",
    "cover_90",
    "cover_95",
    "scorable",
    "reason",
)
#: Why there is no energy score, which is of log counts.
NO_LOG: Final = "a draw is below zero: it has no log"
_NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """One row; ``horizon`` -1 and no ``month`` where months are joined."""

    statistic: str
    place: str
    control: bool
    n_draws: int
    key: tuple[object, ...]
    horizon: int = -1
    month: np.datetime64 = np.datetime64("NaT", "M")  # noqa: RUF009
    n_places: int = 1
    n_months: int = 1
    observed: float = _NAN
    median: float = _NAN
    score: float = _NAN
    log_score: float = _NAN
    pit: float = _NAN
    cover_50: float = _NAN
    cover_80: float = _NAN
    cover_90: float = _NAN
    cover_95: float = _NAN
    reason: str = ""


def joint_table(rows: Sequence[Row], target: str) -> pd.DataFrame:
    """Rows as the table, with the right columns and types where there are none."""
    columns: dict[str, object] = {
        f.name: [getattr(row, f.name) for row in rows] for f in fields(Row) if f.name != "key"
    }
    columns["target"] = np.full(len(rows), target, dtype=object)
    columns["scorable"] = np.array([row.reason == "" for row in rows], dtype=bool)
    for name in ("statistic", "place", "reason"):
        columns[name] = np.array(columns[name], dtype=object)
    for name in ("horizon", "n_places", "n_months", "n_draws"):
        columns[name] = np.array(columns[name], dtype=np.int64)
    columns["control"] = np.array(columns["control"], dtype=bool)
    columns["month"] = np.array(columns["month"], dtype="datetime64[M]").astype("datetime64[s]")
    return pd.DataFrame(
        {
            name: columns[name]
            if name in ("target", "statistic", "place", "reason", "horizon", "n_places", "n_months",
                        "n_draws", "control", "month", "scorable")
            else np.array(columns[name], dtype=float)
            for name in JOINT_COLUMNS
        }
    )  # fmt: skip


def counted(
    draws: Floats, observed: Floats, labels: Sequence[tuple[object, ...]]
) -> dict[str, Floats]:
    """Scores of drawn counts: WIS, coverage and PIT, of draws (D, U) against (U,).

    The PIT's ties are broken by a number that hangs on each count's own labels.
    """
    quantiles = np.quantile(draws, HUB_QUANTILES, axis=0)
    covered = interval_coverage(quantiles, HUB_QUANTILES, observed, COVERAGE_LEVELS)
    below = (draws < observed).sum(axis=0)
    ties = (draws == observed).sum(axis=0)
    uniform = np.array([seed_from("joint-pit", *label) / 2.0**63 for label in labels])
    pit = (below + uniform * (1 + ties)) / (len(draws) + 1)
    return {
        "observed": observed,
        "median": quantiles[len(HUB_QUANTILES) // 2],
        "score": weighted_interval_score(quantiles, HUB_QUANTILES, observed).total,
        "pit": np.where(np.isnan(observed), np.nan, pit),
    } | {f"cover_{round(100 * c)}": covered[i] for i, c in enumerate(COVERAGE_LEVELS)}
