"""Chances of the trend in hub files: five categories a unit, which add up to 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import DataError, ForecastError, ScoringError
from odforecast.hub import read_hub, to_hub, write_hub
from odforecast.scoring import score_hub

DAY = "2025-09-17"


@pytest.fixture(scope="module")
def forecast():
    panel = od.bundled().as_of(DAY).panel()
    return od.get_model("dlm").fit(panel).forecast(draws=100).select(["Ohio", "WY"])


@pytest.fixture(scope="module")
def rows(forecast):
    return to_hub(forecast, output_type="pmf")


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("with_counts", [False, True])
def test_they_come_back_alone_and_beside_quantiles(forecast, rows, tmp_path, ending, with_counts):
    table = pd.concat([to_hub(forecast), rows], ignore_index=True) if with_counts else rows
    path = write_hub(table, tmp_path / f"a.{ending}")
    back = read_hub(path)
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    kinds = back.groupby("output_type")["output_type_id"].agg(lambda x: type(x.iloc[0]))
    assert kinds["pmf"] is str
    assert not with_counts or kinds["quantile"] is float


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"output_type_id": "falls"}, "column output_type_id: 'falls'.*one of large_decrease"),
        ({"value": -0.1}, "column value: -0.1.*probabilities cannot be negative"),
        ({"value": 0.9}, "do not add up to 1"),
        ({"value": 0.0012}, "do not add up to 1"),
        ({"target": "deaths_12mo"}, "column output_type: 'pmf' does not fit the target"),
        ({"output_type": "quantile"}, "column output_type: 'quantile' does not fit the target"),
        ({"output_type_id": "stable"}, "repeats a row"),
    ],
)
def test_each_rule_has_a_table_that_breaks_it(rows, change, said):
    broken = rows.iloc[:5].copy()
    for name, value in change.items():
        broken.loc[1, name] = value
    with pytest.raises(DataError, match=said):
        od.hub.check_hub(broken)
    with pytest.raises(DataError, match=r"lacks a category.*give every unit all of"):
        od.hub.check_hub(rows.iloc[:4])


def test_counts_beside_them_are_scored_and_they_are_not(forecast, rows):
    truth = od.Truth(od.bundled().as_of(DAY).panel())
    both = pd.concat([to_hub(forecast, targets=["deaths_12mo"]), rows], ignore_index=True)
    scores = score_hub(both, truth.observed)
    assert set(scores["target"]) == {"deaths_12mo"}
    with pytest.raises(ScoringError, match="chances of the trend only"):
        score_hub(rows, truth.observed)


def test_without_a_year_before_there_is_no_trend(forecast):
    alone = od.Forecast(
        forecast.draws[:, :, 12:], forecast.locations, forecast.months[12:],
        np.full((2, 11), 5.0), forecast.as_of, forecast.last_month,
    )  # fmt: skip
    with pytest.raises(ForecastError, match="no trend can be given"):
        to_hub(alone, output_type="pmf")
