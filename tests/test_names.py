"""The names that files are written with. A change here breaks what people have on disk."""

from __future__ import annotations

import pytest

from odforecast import names


def test_table_columns() -> None:
    assert names.TABLE_COLUMNS == (
        "release",
        "location",
        "state",
        "month",
        "indicator",
        "reported",
        "predicted",
        "percent_complete",
        "percent_pending",
        "status",
    )


def test_hub_columns() -> None:
    assert names.HUB_COLUMNS == (
        "origin_date",
        "location",
        "target",
        "horizon",
        "target_end_date",
        "output_type",
        "output_type_id",
        "value",
    )


def test_targets_and_dimensions() -> None:
    assert names.TARGETS == ("deaths_12mo", "deaths_month")
    assert names.FORECAST_DIMS == ("draw", "location", "month")


def test_indicators_are_spelt_as_cdc_does() -> None:
    assert names.ALL_DRUGS == "Number of Drug Overdose Deaths"
    assert names.SYNTHETIC_OPIOIDS == "Synthetic opioids, excl. methadone (T40.4)"
    assert names.ALL_DEATHS == "Number of Deaths"


def test_statuses_and_vintage_kinds() -> None:
    assert names.STATUSES == ("ok", "suppressed", "low_quality", "missing")


def test_hub_quantiles_are_the_23_of_the_hubs() -> None:
    levels = names.HUB_QUANTILES
    assert len(levels) == 23
    assert list(levels) == sorted(levels)
    assert (levels[0], levels[1], levels[11]) == (0.01, 0.025, 0.5)
    assert [round(1 - p, 3) for p in reversed(levels)] == list(levels)


@pytest.mark.parametrize("level", names.COVERAGE_LEVELS)
def test_every_coverage_level_is_an_interval_between_hub_quantiles(level: float) -> None:
    tails = (round((1 - level) / 2, 3), round((1 + level) / 2, 3))
    assert set(tails) <= set(names.HUB_QUANTILES)
