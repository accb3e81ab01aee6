"""When a change began: months against independent code, the review's table, and what is printed."""

import json
from pathlib import Path

import exits
import numpy as np
import pytest
from scipy.stats import multivariate_normal

import odforecast as od
from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.say import chance
from odforecast.scenario import Fixed, Intervention, Normal, Uniform, when
from odforecast.scenario.catalogue import library
from odforecast.scenario.effects import STREAMS, Estimator, Grid
from odforecast.scenario.when import CALM, weigh_months

MONTHS = np.arange("2018-01", "2023-01", dtype="datetime64[M]")
CHANGE = Intervention("change", Normal(0.0, 0.4), onset=("2020-01", "2021-12"),
                      ramp=Uniform(9, 15), spread=Fixed(0.0))  # fmt: skip


@pytest.fixture(scope="module")
def onset():
    return when("T40.4", archive=od.bundled())


def test_every_month_is_weighed_as_a_normal_by_hand():
    """One node: densities by scipy of a straight rise after the month, against none."""
    deaths = np.random.default_rng(5).poisson(400.0, MONTHS.size).astype(float)
    weights, _ = weigh_months(
        CHANGE, MONTHS, deaths[None], n_months=24, grid=Grid((0.02,), (0.03,))
    )
    t = np.arange(MONTHS.size)
    basis = np.linalg.qr(np.column_stack([t, np.eye(12)[t % 12]]), mode="complete")[0][:, 13:].T
    walk = np.minimum.outer(t + 1.0, t + 1.0)
    cov = basis @ (0.02**2 * walk + 0.03**2 * np.eye(t.size)) @ basis.T
    z = basis @ np.log(deaths + 0.5)
    none = multivariate_normal(np.zeros(len(z)), cov).logpdf(z)
    factors = np.zeros(24)
    for month in range(24):
        for ramp in (9.6, 10.8, 12.0, 13.2, 14.4):
            x = basis @ np.clip((t - (24 + month)) / ramp, 0.0, 1.0)
            some = multivariate_normal(np.zeros(len(z)), cov + 0.16 * np.outer(x, x)).logpdf(z)
            factors[month] += np.exp(some - none) / 5
    share = factors.mean() / (1.0 + factors.mean())
    assert weights == pytest.approx(share * factors / factors.sum(), rel=1e-6)


def test_no_change_is_the_same_model_whatever_the_month():
    numbers = np.full((24, len(STREAMS)), 0.5)
    numbers[:, 0] = (np.arange(24) + 0.5) / 24
    estimator = Estimator(MONTHS, CHANGE, locations=1, numbers=numbers, grid=CALM)
    deaths = np.random.default_rng(1).poisson(300.0, (1, MONTHS.size))
    none = estimator.posterior(deaths).none
    assert (none == none[:, :1]).all()


def test_a_large_fall_is_dated():
    shape = np.clip((np.arange(MONTHS.size) - 36) / 12, 0.0, 1.0)
    deaths = np.random.default_rng(2).poisson(5000 * 0.5**shape).astype(float)
    weights, falls = weigh_months(CHANGE, MONTHS, deaths[None], n_months=24)
    assert weights.sum() > 0.99
    assert falls / weights.sum() > 0.99
    assert weights[10:15].sum() > 0.9


def test_the_fall_of_2023_as_independent_code_dates_it(onset):
    """The review's Bayes factors, from other draws of the ramp and a mean of 35 states."""
    table = onset.to_frame().set_index("month")["bayes_factor"]
    review = {"2023-07": 3.1, "2023-08": 5.1, "2023-09": 4.8, "2023-10": 5.4, "2023-11": 3.9,
              "2023-12": 4.0}  # fmt: skip
    for month, factor in review.items():
        assert table[month] == pytest.approx(factor, rel=0.2)
    assert (table[:"2023-04"] < 1).all()
    assert (table["2024-03":"2024-08"] < 1).all()
    every = when(archive=od.bundled())
    assert onset.before("2023-11") == pytest.approx(0.69, abs=0.04)
    assert every.before("2023-11") == pytest.approx(0.69, abs=0.04)
    assert len(onset.smallest()) == 36
    assert onset.posterior.sum() == pytest.approx(1.0)


def test_the_evidence_library_prints_what_the_counts_say(onset):
    words = f"({chance(onset.before('2023-11'))} before, {chance(34 / 45)} without any counts)"
    assert words == "(70% before, 75% without any counts)"
    prior = library()["priors"]["cooperation-resumed"]
    assert words in prior["why"]
    assert words in prior["note"]
    row = onset.events().set_index("id").loc["cooperation-resumed"]
    assert row["flat"] == pytest.approx(34 / 45)
    assert "resumed: 70% before November 2023" in od.plot.alt_text(onset.plot())
    assert row["before"] + row["after"] < 1  # it lasts from November to January


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "settings"),
    [
        ("United States", {}),
        *((region, {"location": region}) for region in ("Northeast", "Midwest", "South", "West")),
        ("United States, falls alone", {"direction": "fall"}),
        (
            "United States, from 2023-01 to 2024-06 only",
            {"earliest": "2023-01", "latest": "2024-06"},
        ),
    ],
)
def test_the_page_prints_what_the_counts_say(row, settings):
    shares = []
    for indicator in ("T40.4", "all-drugs"):
        found = when(indicator, archive=od.bundled(), **settings)
        shares.append(f"{found.before('2023-11'):.0%}")
    flat = (found.months < np.datetime64("2023-11")).mean()
    page = (Path(__file__).parents[2] / "docs/concepts/scenarios.md").read_text()
    assert f"| {row} | {' | '.join(shares)} | {flat:.0%} |" in page


def test_counts_that_still_grow_are_completed():
    later = when(location="Ohio", archive=od.bundled(), through="2025-07", direction="fall")
    assert "12 ways" in later.notes[0]
    assert str(later.counts[1]) == "2025-07"
    assert later.falls == pytest.approx(1.0)
    narrow = when("T40.4", archive=od.bundled(), earliest="2023-01", latest="2024-06")
    assert str(narrow.counts[0]) == "2019-01"  # a narrower window reads no fewer counts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"location": "Wyoming"}, "fewer than 3"),
        ({"indicator": "T40.4", "location": "AL"}, "without a count from 2019-01 to 2024-12"),
        ({"location": ["US", "Ohio"]}, "the US includes"),
        ({"earliest": "2015-01"}, "counts are needed from 2013-01"),
        ({"latest": "2021-06"}, "a year after 2021-01"),
        ({"through": "2026-05"}, "they are from"),
    ],
)
def test_what_cannot_be_dated_is_refused(settings, message):
    with pytest.raises(ScenarioError, match=message):
        when(archive=od.bundled(), **settings)
    with pytest.raises(UnknownNameError):
        when("T40.4", "Pennsylvania", archive=od.bundled())


def test_the_command_and_python_say_the_same(onset, tmp_path):
    words = ("when", "--source", "bundled", "--indicator", "T40.4")
    result = exits.run("scenario", *words, "--json", columns=None)
    assert json.loads(result.stdout) == json.loads(onset.to_json())
    text = " ".join(exits.run("scenario", *words, columns=80).output.split())
    assert "70% before (without counts: 75%)" in text
    assert "Cooperation resumes (Woodside) 72% 76% 13%" in text
    path = tmp_path / "ne.csv"
    exits.run("scenario", "when", "Northeast", "--source", "bundled", "--table", path, columns=None)
    assert path.read_text().splitlines()[0] == "location,month,posterior,bayes_factor,in_set"
