"""Scores: rules, calibration, unit-level tables, comparisons between models.

A missing column or baseline, and shapes that do not match, are a ScoringError.
"""

from odforecast.scoring.columns import horizon_group, regimes
from odforecast.scoring.metrics import Metric, get_metric
from odforecast.scoring.pairs import (
    diebold_mariano,
    pairwise,
    relative_skill,
    relative_to_baseline,
)
from odforecast.scoring.rules import (
    WIS,
    absolute_error,
    absolute_percentage_error,
    bias_from_quantiles,
    binned_log_score,
    crps_from_draws,
    energy_score,
    interval_coverage,
    interval_pit,
    interval_score,
    log_score_from_draws,
    pit_from_draws,
    pit_histogram,
    quantile_score,
    ranked_probability_score,
    threshold_weighted_crps,
    weighted_interval_score,
)
from odforecast.scoring.summary import (
    county_coverage,
    county_leaderboard,
    summarise,
    ten_or_more,
)
from odforecast.scoring.trend import pooled_frequencies, trend_scores, turning_scores
from odforecast.scoring.truth import Truth
from odforecast.scoring.units import per_100k, score, score_hub, score_units

__all__ = [
    "WIS",
    "Metric",
    "Truth",
    "absolute_error",
    "absolute_percentage_error",
    "bias_from_quantiles",
    "binned_log_score",
    "county_coverage",
    "county_leaderboard",
    "crps_from_draws",
    "diebold_mariano",
    "energy_score",
    "get_metric",
    "horizon_group",
    "interval_coverage",
    "interval_pit",
    "interval_score",
    "log_score_from_draws",
    "pairwise",
    "per_100k",
    "pit_from_draws",
    "pit_histogram",
    "pooled_frequencies",
    "quantile_score",
    "ranked_probability_score",
    "regimes",
    "relative_skill",
    "relative_to_baseline",
    "score",
    "score_hub",
    "score_units",
    "summarise",
    "ten_or_more",
    "threshold_weighted_crps",
    "trend_scores",
    "turning_scores",
    "weighted_interval_score",
]
