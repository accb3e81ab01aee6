# ruff: noqa: ARG005
"""What cannot be scored or compared: one clear error each, that says what to do."""

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from score_tables import scores_of
from test_county_scores import AFTER, NAN, forecast_of, score_table

import odforecast as od
from odforecast import scoring as s
from odforecast.errors import ForecastError, ScoringError, UnknownNameError
from odforecast.scoring.metrics import Metric, apply_metric, check_metrics
from odforecast.scoring.rules import band
from odforecast.scoring.summary import calibration, mark_plausible, nearest, plausibility
from odforecast.vintage.donors import shipped

THREE = [0.25, 0.5, 0.75]
ONES = np.ones((3, 2))


@pytest.fixture(scope="module")
def w(panel: od.Panel) -> Any:
    """A world to be wrong in: a panel, a forecast and scores of every kind."""
    made = od.get_model("drift").fit(panel.cut("2022-06").select(["OH", "WY"])).forecast(draws=20)
    rng = np.random.default_rng(0)
    scores = scores_of({m: rng.uniform(1, 2, (12, 2)) for m in ("a", "b")}, 1, ("US", "OH"))
    truth = od.Truth(panel)
    w = SimpleNamespace(panel=panel, truth=truth, made=made, scores=scores, hub=od.to_hub(made))
    w.apart = replace(made, joint=frozenset({"location"}))
    w.observe, w.counties = truth.observed, score_table(8)
    w.elsewhere = scores.assign(location=scores["model"] + scores["location"])
    w.scenario = scores.assign(scenario_id="null")
    return w


def metric(**keywords: Any) -> Metric:
    mean_error = lambda samples, observed: samples.mean(axis=0) - observed  # noqa: E731
    return Metric(**({"name": "mine", "function": mean_error} | keywords))


def applied(function: Any) -> np.ndarray:
    draws = np.random.default_rng(1).gamma(40.0, 25.0, (300, 3, 2))
    return apply_metric(metric(function=function), draws, np.where(ONES > 1, 0, [[9, NAN]] * 3))


COMPARE = ("pairwise", "relative_skill", "relative_to_baseline")
COUNTY = ("county_leaderboard", "county_coverage", "ten_or_more")

# fmt: off
#: A call of each of some functions, and what the error says.
OF_SEVERAL: list[tuple[tuple[str, ...], Callable[..., Any], str]] = [
    *(
        (COMPARE, lambda w, f, k=keywords: f(w.scores, **({"baseline": "b"} if f is not s.pairwise
                                                         else {}) | k), said)
        for keywords, said in (
            ({"bootstrap": "100"}, "bootstrap is '100', allowed: a whole number of at least 0"),
            ({"bootstrap": -1}, "bootstrap is -1"),
            ({"block": 0}, "block is 0, allowed: a whole number of at least 1"),
            ({"level": 90}, "level is 90, allowed: a number above 0 and below 1"),
            ({"by": 3}, "by is 3; give names of columns"),
            ({"by": "model"}, "by names 'model', and models are what is compared; leave it out"),
            ({"by": "levl"}, "no column 'levl'; did you mean 'level'"),
            ({"metric": "brier"}, "no column 'brier'"),
        )
    ),
    (COMPARE[1:], lambda w, f: f(w.scores, "nobody"), "'nobody' is not among the models"),
    (COMPARE[1:], lambda w, f: f(w.scores.assign(wis=-1.0), "b"), "negative values"),
    (COMPARE[1:], lambda w, f: f(pd.concat([w.scores, w.scores.head(6)]), "b"),
     "6 rows repeat a unit, for example as_of=2019-06-01"),
    (COMPARE[1:], lambda w, f: f(w.scores.assign(scorable=False), "b"), "no unit is scorable"),
    (("pairwise", "summarise"), lambda w, f: f("wis"), "scores is 'wis', no table; give a Data"),
    (("score", "turning_scores"), lambda w, f: f("x", "y"),
     "forecast is 'x', no Forecast"),
    (("score", "turning_scores"), lambda w, f: f(w.made, 2),
     "truth is 2, not a Truth; give od.Truth(panel)"),
    (("score", "turning_scores"), lambda w, f: f(w.made, w.panel),
     "truth is a Panel; make it one: od.Truth(panel)"),
    (COUNTY, lambda w, f: f(w.counties.drop(columns="twcrps")), "not scores of counties"),
    (COUNTY, lambda w, f: f(pd.concat([w.counties] * 2)), "rows repeat a unit"),
    (COUNTY, lambda w, f: f(w.counties, by=["sise"]), "no column 'sise'"),
    (COUNTY, lambda w, f: f(w.counties[:0]), "empty"),
    (("crps_from_draws", "log_score_from_draws", "binned_log_score"),
     lambda w, f: f(np.empty((0, 2)), [1.0, 2.0]), "no draws"),
    (("crps_from_draws", "binned_log_score", "energy_score"),
     lambda w, f: f(np.ones((4, 3)), np.ones(2)), "do not match"),
    (("crps_from_draws", "energy_score"),
     lambda w, f: f(np.full((4, 3), np.inf), np.ones(3)), "finite"),
]
#: A call, and what the error says.
ONE: list[tuple[Callable[[Any], Any], str]] = [
    (lambda w: s.pairwise(w.scores, scale="root"), "scale is 'root'"),
    (lambda w: s.pairwise(w.scores, "crps", scale="log"), "crps has no log scale"),
    (lambda w: s.pairwise(w.scores[w.scores["model"] == "a"]), "1 model cannot be compared"),
    (lambda w: s.pairwise(w.scores.assign(scorable=False)), "no unit is scorable"),
    (lambda w: s.diebold_mariano(w.scores, "a", "b", method="fixedb"), "unknown method 'fixedb'"),
    (lambda w: s.diebold_mariano(w.scores, "a", "a"), "a cannot be tested against itself; name"),
    (lambda w: s.diebold_mariano(w.scores, "c", "b"), "no scores of 'c'"),
    (lambda w: s.diebold_mariano(w.elsewhere, "a", "b"),
     "no scorable unit in common"),
    (lambda w: s.summarise(w.scores.head(0)), "empty"),
    (lambda w: s.summarise(w.scores, metrics=["other"]), "no column 'other'"),
    (lambda w: s.summarise(w.scores, metrics="ae"), "every summary has as 'mae'; leave it out"),
    (lambda w: s.summarise(w.scores.drop(columns="target").assign(reported=9.0)),
     "no column 'target'"),
    *(
        (lambda w, h=h: s.score(w.made, w.truth, horizons=h), said)
        for h, said in (
            (3, "horizons is 3, no list; give a list of months ahead within 1 to 12, as [1, 6]"),
            ("3", "horizons is '3', no list"), (["3"], "horizon '3' is not a whole number"),
            ([1.5], "horizon 1.5 is not a whole number"),
            ([99], "horizons [99]: none of them is forecast"), ([], "horizons is empty"),
        )
    ),
    (lambda w: s.turning_scores(w.apart, w.truth), "not joint over months"),
    *(
        (lambda w, x=x: s.energy_score(*x), said)
        for x, said in (
            ((([["a", "b"], ["c", "d"]]), [1, 2]), "draws are not an array of numbers: could not"),
            (([[1], [2]], "x"), "observed are not an array of numbers: could not"),
            (([[1.0, 2.0], [3.0]], [1, 2]), "draws are not an array of numbers"),
            ((np.ones((1, 3)), np.ones(3)), "two or more"),
        )
    ),
    *(
        (lambda w, x=x: s.weighted_interval_score(*x, 1.0), said)
        for x, said in (
            (([1.0, 2.0], [0.25, 0.75]), "symmetric about 0.5"),
            (([1.0, 2.0, 3.0], [0.1, 0.5, 0.8]), "symmetric about 0.5"),
            (([1.0, 2.0, 3.0], [0.75, 0.5, 0.25]), "must rise"),
            (([1.0, 2.0], THREE), "3 levels for quantiles of shape"),
            (([3.0, 2.0, 1.0], THREE), "quantiles cross: level 0.5 is 2, below 3 at level 0.25"),
            (([1.0, np.nan, 2.0], THREE), "finite"),
        )
    ),
    (lambda w: s.interval_score(1, 2, 1, alpha=1.0), "alpha"),
    (lambda w: s.interval_score(2, 1, 1, alpha=0.5), "below its lower end"),
    (lambda w: s.bias_from_quantiles([1.0], [0.1], 1.0), "median"),
    (lambda w: s.interval_coverage([1.0, 2, 3], THREE, 2.0, [0.8]), "level 0.1 is not among"),
    (lambda w: s.log_score_from_draws([7.0], 7.0), "at least 2"),
    (lambda w: s.pit_histogram([1.2]), "[0, 1]"),
    (lambda w: s.pit_histogram([0.5], bins=0), "at least one bin"),
    (lambda w: s.ranked_probability_score([0.5, 0.6], 0), "add up to 1"),
    (lambda w: s.ranked_probability_score([-0.5, 1.5], 0), "0 or more"),
    (lambda w: s.ranked_probability_score([1.0], 0), "two"),
    (lambda w: s.threshold_weighted_crps([1.0], 9, 1), "above its upper"),
    (lambda w: s.threshold_weighted_crps([1.0], NAN, 1), "only one of the two"),
    (lambda w: band([1, 2], [1]), "shapes"),
    (lambda w: s.Truth(w.panel.delayed("2023-01", shipped()[0])),
     "a delayed panel cannot be a truth; take one from an archive"),
    (lambda w: s.score_units(w.made, ONES), "(locations, months) = (2, 12)"),
    (lambda w: s.score_units(w.made, np.full((2, 12), -1.0)), "not negative"),
    (lambda w: s.score_hub(w.hub.iloc[:-1], w.observe), "22 to 23 rows of output_type quantile"),
    (lambda w: s.score_hub(w.hub.head(0), w.observe), "no forecasts"),
    (lambda w: s.score(forecast_of(), od.Truth(AFTER), horizons=[7]), "none of them is forecast"),
    (lambda w: s.score(replace(forecast_of(), basis="occurrence"), od.Truth(AFTER)), "occurrence"),
    (lambda w: s.ten_or_more(w.counties, bins=0), "bins is 0"),
    (lambda w: s.columns.with_groups(w.scores, ["county"]), "no column 'county'"),
    (lambda w: mark_plausible(w.scores, w.scores), "no column 'scenario_id'; it has: wis"),
    (lambda w: plausibility(w.scenario), "no column 'plausible'"),
    (lambda w: calibration(w.scenario.drop(columns="model")), "no column 'model'"),
    (lambda w: calibration(w.scenario.assign(horizon=0)), "no month ahead"),
    (lambda w: nearest(w.scenario.drop(columns="wis")), "no column 'wis'"),
    *((lambda w, n=name: metric(name=n), "no legal name") for name in ("T", "1st", "", "a" * 61)),
    *(
        (lambda w, n=name: metric(name=n), "has a column of that name")
        for name in (*s.columns.SCORE_COLUMNS, "rps", "horizon_group", "bounded", "scale")
    ),
    (lambda w: metric(name="wis"), "call it my_wis"),
    (lambda w: metric(better="small"), "better is 'small'; one of: low, high, none"),
    (lambda w: metric(target="deaths"), "target is 'deaths'"),
    (lambda w: metric(function=3), "no function"),
    (lambda w: check_metrics([metric(), metric(version="2")]), "given twice"),
    (lambda w: check_metrics([np.mean]), "is not a metric"),
    (lambda w: applied(lambda x, _: x.mean()), "gave shape (), expected (3, 2)"),
    (lambda w: applied(lambda x, _: x[0, 0]), "gave shape (2,)"),
    (lambda w: applied(lambda _, y: y + np.inf), "infinite in 3 units"),
    (lambda w: applied(lambda _, y: y.no_such_thing), "failed: AttributeError"),
    (lambda w: applied(lambda x, _: x.sort(axis=0)), "failed: ValueError"),  # it may not change it
    (lambda w: apply_metric(metric(), np.ones((4, 3, 2)), np.ones((2, 3))), "do not match"),
]
# fmt: on


@pytest.mark.parametrize(("names", "call", "said"), OF_SEVERAL)
def test_what_several_functions_refuse(w: Any, names: Any, call: Any, said: str) -> None:
    for name in names:
        with pytest.raises(ScoringError, match=re.escape(said)):
            call(w, getattr(s, name))


@pytest.mark.parametrize(("call", "said"), ONE)
def test_what_is_refused(w: Any, call: Any, said: str) -> None:
    with pytest.raises(ScoringError, match=re.escape(said)):
        call(w)


def test_errors_of_other_kinds(w: Any) -> None:
    with pytest.raises(UnknownNameError, match="crps_log"):
        s.get_metric("crps_logs")
    with pytest.raises(ForecastError, match="does not forecast deaths_month"):
        s.score_units(forecast_of(), np.zeros((6, 2)), "deaths_month")
