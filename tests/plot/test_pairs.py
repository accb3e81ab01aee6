"""Figures of comparisons: models in pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.plot.scores import pairwise


def pairs(ratios, lower=0.9, upper=1.1, **columns):
    names = list(ratios)
    rows = [
        {"model": a, "other": b, "ratio": ratios[a] / ratios[b],
         "lower": lower * ratios[a] / ratios[b], "upper": upper * ratios[a] / ratios[b],
         "n_common": 100, "n_groups": 6}
        for a in names for b in names if a != b
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**columns)


def numbers(axes):
    """Text of each cell by (row, column)."""
    return {
        (int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts
        if t.get_text() and t.get_text()[0].isdigit()
    }  # fmt: skip


def test_pairs_stand_best_first_and_say_their_ratios():
    axes = pairwise(pairs({"b": 2.0, "a": 1.0, "c": 2.1}, metric="wis", scale="log"))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert numbers(axes)[(0, 1)] == "0.50"
    assert numbers(axes)[(2, 1)] == "1.05"
    framed = [p for p in axes.patches if p.get_linewidth() > 0]
    assert len(framed) == 4  # b and c are not told apart
    said = plot.alt_text(axes)
    assert "Mean WIS of log counts of each of 3 models" in said
    assert "a over b 0.50, 0.45 to 0.55" in said
    assert "6 groups of origins" in said
    assert "Fewest forecasts in common: 100." in said


def test_pairs_without_an_interval_have_no_frame_and_without_a_ratio_no_number():
    table = pairs({"a": 1.0, "b": 2.0, "c": 4.0})
    table[["lower", "upper"]] = np.nan
    table.loc[table["model"] == "c", "ratio"] = np.nan
    axes = pairwise(table, models=["a", "b", "c"])
    assert not [p for p in axes.patches if p.get_linewidth() > 0]
    assert len(numbers(axes)) == 4
    assert "a over b 0.50;" in plot.alt_text(axes)
