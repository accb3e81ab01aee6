"""What is kept apart: kinds of vintage, targets, and deaths of different kinds."""

import numpy as np
import pandas as pd
import pytest
from test_drawn import line

import odforecast as od
from odforecast import plot
from odforecast.plot.style import head_of
from odforecast.scoring import relative_to_baseline
from odforecast.scoring.columns import with_groups

pytestmark = pytest.mark.slow

MODEL = "naive+delay"
WORDS = {"pseudo-delayed": "delayed pseudo-vintages", "pseudo-clean": "clean pseudo-vintages"}
CLASS = "overdose deaths with synthetic opioids (mostly fentanyl)"


def below(axes) -> str:
    return " ".join(head_of(axes))


def rows_of(results, kind, target="deaths_12mo", places=("OH", "WV")) -> pd.DataFrame:
    s = results.scores
    mine = (s["vintage"] == kind) & (s["target"] == target) & s["location"].isin(places)
    return s[mine & s["scorable"]]


@pytest.mark.parametrize("asked", [None, "pseudo-clean"])
def test_kinds_of_vintage_are_not_pooled(mixed, asked):
    kind = asked or "pseudo-delayed"
    every = rows_of(mixed, kind)
    mine = every[every["model"] == MODEL]
    ahead, made = mine[mine["horizon"] >= 1], {"model": MODEL, "vintage": asked}

    coverage = plot.coverage(mixed, **made)
    share = 100 * mine.groupby("horizon")["cover_50"].mean()
    np.testing.assert_allclose(line(coverage, "50% interval").get_ydata(), share)
    pit = plot.pit(mixed, **made)
    n = np.histogram(ahead["pit"], bins=10, range=(0, 1))[0]
    np.testing.assert_allclose([b.get_height() for b in pit.patches], 10 * n / len(ahead))
    errors = plot.errors(mixed, **made)
    middle = (100 * (mine["median"] / mine["observed"] - 1)).groupby(mine["horizon"]).median()
    np.testing.assert_allclose(line(errors, "median error").get_ydata(), middle)
    said = plot.said_and_came(mixed, "OH", **made)
    ends = mine[(mine["location"] == "OH") & (mine["horizon"] == 12)]
    dots = [x.get_ydata() for x in said.lines if str(x.get_label()).startswith("forecast: median")]
    heads = np.concatenate(dots)
    assert len(heads) == ends["last_month"].nunique()
    assert set(heads) <= set(ends["median"])

    for axes in (coverage, pit, errors, said):
        assert WORDS[kind] in below(axes)
        assert WORDS[kind] in plot.alt_text(axes)
    assert f"{len(ahead):,} forecasts on {WORDS[kind]}" in plot.alt_text(coverage)


@pytest.mark.parametrize(
    ("kind", "target"), [(None, None), ("pseudo-clean", None), (None, "deaths_month")]
)
def test_skill_is_of_one_kind_and_target(mixed, kind, target):
    rows = rows_of(mixed, kind or "pseudo-delayed", target or "deaths_12mo")
    rows = with_groups(rows[rows["horizon"] >= 1], ["horizon_group"])
    base = "drift" if target else "hub-baseline"  # which forecasts no months
    ratio = relative_to_baseline(rows, base, by=["horizon_group"], bootstrap=0)
    ratio = ratio[ratio["model"] == MODEL].set_index("horizon_group")["ratio"]
    axes = plot.skill(mixed, vintage=kind, target=target, baseline=base)
    shown = dict(zip((t.get_text() for t in axes.get_xticklabels()), line(axes, MODEL).get_ydata()))
    for group in ("1-3", "4-6", "7-12"):
        assert shown[group] == pytest.approx(ratio[group])
    words = {None: "12-month counts", "deaths_month": "counts of single months"}[target]
    for said in (below(axes), plot.alt_text(axes)):
        assert WORDS[kind or "pseudo-delayed"] in said
        assert words in said


def test_results_of_two_kinds_draw_themselves(mixed):
    axes = mixed.plot()
    assert "delayed pseudo-vintages" in below(axes)
    board = mixed.leaderboard(by=["level", "horizon_group"])
    assert {"vintage", "target"} <= set(board.columns)
    same = plot.skill(board)
    np.testing.assert_allclose(line(same, MODEL).get_ydata(), line(axes, MODEL).get_ydata())
    apart = plot.skill(mixed, "vintage")
    assert [t.get_text() for t in apart.get_xticklabels()] == ["pseudo-clean", "pseudo-delayed"]


def test_figures_of_a_class_say_which(results, revising):
    fentanyl = od.bundled().as_of("2025-09-17").panel("T40.4")
    made = od.get_model("drift").fit(fentanyl).forecast(draws=20)
    tables = {k: getattr(results, k) for k in ("scores", "quantiles", "failures")}
    theirs = type(results)(tables, {**results.manifest, "indicator": "T40.4"})
    for axes in (
        plot.counts(fentanyl), plot.fan(made), plot.tile_map(made), plot.errors(theirs),
        plot.said_and_came(theirs, "OH"), plot.tile_map(made.summary(), indicator="T40.4"),
        plot.nowcast(revising.part("T40.4"), "OH"),
    ):  # fmt: skip
        assert CLASS in plot.alt_text(axes)
        assert CLASS in below(axes)


def test_a_table_that_does_not_say_which_deaths_is_of_deaths(panel, forecast, revising, results):
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    drawn = [
        plot.counts(panel.to_frame()), plot.fan(forecast.select("OH").to_frame(levels)),
        plot.tile_map(forecast.summary()), plot.nowcast(revising.select("OH").nowcast()),
        plot.said_and_came(results.to_frame(), "OH"), plot.errors(results.to_frame(), "OH"),
    ]  # fmt: skip
    for axes in drawn:
        for said in (plot.alt_text(axes), below(axes)):
            assert "eaths" in said
            assert "overdose" not in said
    named = plot.counts(panel.to_frame().assign(indicator="cocaine"), "OH")
    assert "overdose deaths with cocaine" in plot.alt_text(named)
