"""The backtest with delay: donors drawn by a rule, named in every row, resampled as a whole."""

import datetime as dt
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from commands import run, said
from score_tables import scores_of
from toys import same

import odforecast as od
from odforecast.backtesting import Results, backtest, plan
from odforecast.backtesting.origin import FAR, Origin, delays, drawn
from odforecast.backtesting.store import UnitStore
from odforecast.errors import BacktestError
from odforecast.scoring import Truth, relative_skill, relative_to_baseline
from odforecast.scoring.columns import UNIT_KEYS, eras
from odforecast.vintage.donors import shipped

MONTHS = np.arange("2019-01", "2024-05", dtype="M8[M]")
STATES = ["US", "OH", "WY"]
QUICK = {"draws": 30, "locations": STATES, "progress": False}


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(od.bundled().as_of().panel())


@pytest.fixture(scope="module")
def found() -> list[Origin]:
    return od.origins(od.bundled(), start="2021-01", end="2021-03", step=2)


def test_draws_take_the_nearest_of_each_era_in_turn_and_no_donor_twice():
    by_era: Counter[str] = Counter()
    for month in MONTHS:
        three = drawn(month, shipped(), 3)
        assert len({d.release for d in three}) == 3
        assert {d.era for d in three} == {"4.5", "6.5"}
        assert max(d.distance(month) for d in three) <= FAR
        by_era += Counter(d.era for d in three)
        for i, donor in enumerate(three):
            pool = [d for d in shipped() if d.era == donor.era and d not in three[:i]]
            assert donor.distance(month) == min(d.distance(month) for d in pool)
        first, second, third = three
        assert first.era != second.era
        left = [d for d in shipped() if d.era == first.era and d is not first]
        if min(d.distance(month) for d in left) <= FAR:
            assert third.era == first.era, "draws alternate between the eras"
    assert by_era.total() == 192
    # Fewer releases of the second era are in hand: weighing releases alike, it would be 36. A
    # coin says which era is drawn twice; where the second donor would lie too far, the other is.
    assert min(by_era.values()) > 72


def test_more_draws_than_donors_take_them_again():
    few = shipped()[:2]
    assert len(drawn(MONTHS[0], few, 2)) == len({d.release for d in drawn(MONTHS[0], few, 2)})
    assert len(drawn(MONTHS[0], few, 5)) == 5
    with pytest.raises(BacktestError, match="at least 1"):
        drawn(MONTHS[0], few, 0)
    with pytest.raises(BacktestError, match="no donor"):
        drawn(MONTHS[0], [], 3)


def test_origins_say_their_donor_and_its_distance(found):
    assert len(found) == 6
    by_release = {str(d.release): d for d in shipped()}
    for origin in found:
        donor = by_release[origin.donor]
        assert origin.vintage == origin.panel.vintage == "pseudo-delayed"
        assert origin.panel.donor == f"{donor.release}/{donor.data_hash}"
        assert origin.distance == donor.distance(origin.panel.last_month)
        assert origin.as_of == origin.panel.as_of == donor.released(origin.panel.last_month)
    last = od.origins(od.bundled(), start="2024-07", step=1)[-1]
    assert str(last.panel.last_month) == "2024-08", "counts after it have not settled"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"indicator": "T40.4", "start": "2021-01", "end": "2021-01"}, r"delay of 'T40\.4'"),
        # No delay on top of a delay.
        ({"start": "2024-07", "end": "2024-09"}, "after 2024-08 are not final"),
    ],
)
def test_a_delay_is_not_made_up(more, words):
    with pytest.raises(BacktestError, match=words):
        od.origins(od.bundled(), **more)
    assert od.origins(od.bundled(), "pseudo-clean", **more)


@pytest.fixture(scope="module")
def results(found, truth, tmp_path_factory) -> tuple[Results, object]:
    folder = tmp_path_factory.mktemp("delayed")
    return backtest(["naive", "hub-baseline"], found, truth=truth, out=folder, **QUICK), folder


def test_every_row_names_its_donor(results, found):
    scores = results[0].scores
    assert len(scores) == 2 * 6 * 3 * 12
    for origin in found:
        rows = scores[scores["donor"] == origin.panel.donor]
        rows = rows[rows["last_month"] == pd.Timestamp(str(origin.panel.last_month))]
        assert len(rows) == 2 * 3 * 12
        assert (rows["donor_distance"] == origin.distance).all()
    keys = ["model", *(k for k in UNIT_KEYS if k in scores)]
    assert not scores.duplicated(keys).any()
    cells = ["model", "as_of", "last_month", "donor", "target", "location", "month", "level"]
    assert not results[0].quantiles.duplicated(cells).any()
    listed = [(o["donor"], o["donor_distance"]) for o in results[0].manifest["origins"]]
    assert listed == [(o.donor, o.distance) for o in found]


def test_one_day_and_month_by_several_donors_are_several_units(truth, tmp_path):
    first, week = replace(shipped()[0], predecessors=()), dt.timedelta(days=7)
    second = replace(first, release=first.release + week)
    other = replace(first, release=first.release + 2 * week, late=first.late / 2)
    month = {"start": "2021-01", "end": "2021-01", "donors": 3}
    found = delays(od.bundled().as_of().panel(), [first, second, other], **month)
    assert len({o.as_of for o in found}) == 1
    units = plan([od.get_model("naive")], found, truth)
    assert len({u.key for u in units}) == len({u.label for u in units}) == 3
    first = backtest(["naive", "hub-baseline"], found[:2], truth=truth, out=tmp_path, **QUICK)
    assert len(first.scores) == 2 * 2 * 3 * 12
    whole = backtest(["naive", "hub-baseline"], found, truth=truth, out=tmp_path, **QUICK)
    fresh = backtest(["naive", "hub-baseline"], found, truth=truth, **QUICK)
    same(whole, fresh)
    store = UnitStore(tmp_path / "units")
    made = plan(["naive", "hub-baseline"], found, truth, locations=STATES, draws=30)
    assert all(store.find(u) for u in made)
    assert len(relative_skill(whole.scores)) == 2  # no unit is taken for repeated
    assert whole.select("Ohio").scores["donor"].nunique() == 3
    board = whole.leaderboard(by=["donor", "level", "horizon_group"])
    assert len(board) == 3 * 2 * 3 * 2


def test_eras_of_rows(results, found):
    board = results[0].leaderboard(by=["era", "level", "horizon_group"])
    assert set(board["era"].astype(str)) == {"4.5", "6.5"}
    by_donor = {str(d.release): d.era for d in shipped()}
    scores = results[0].scores
    era = eras(scores["as_of"].to_numpy(), scores["last_month"].to_numpy())
    assert [by_donor[d.partition("/")[0]] for d in scores["donor"]] == era.tolist()


def noisy(sd_donor: float) -> pd.DataFrame:
    """Scores of two models whose difference hangs on the donor, and a little on the month."""
    rng = np.random.default_rng(3)
    effect = np.exp(rng.normal(0, sd_donor, 8))
    donors = (np.arange(64)[:, None] + np.arange(3)) % 8
    mine = effect[donors] * rng.uniform(0.98, 1.02, donors.shape)
    frame = scores_of({"base": np.ones(donors.shape), "mine": mine}, horizon=3, first="2015-01")
    named = [f"2018-01-{donor + 10}/x" for donor in np.tile(donors.ravel(), 2)]
    return frame.assign(location="US", vintage="pseudo-delayed", donor=named)


def width(frame: pd.DataFrame) -> float:
    row = relative_to_baseline(frame, "base").set_index("model").loc["mine"]
    return float(row["upper"] - row["lower"])


def test_intervals_resample_whole_donors_too():
    frame = noisy(0.3)
    blind = width(frame.drop(columns="donor").assign(location=frame["donor"]))
    assert width(frame) > 3 * blind, "64 × 3 origins are not 192"
    # The spread that 8 releases can tell: sd of a mean of 8.
    effect = frame[frame["model"] == "mine"].groupby("donor")["wis"].mean()
    expected = 2 * 1.645 * effect.std(ddof=0) / np.sqrt(8)
    assert width(frame) == pytest.approx(expected, rel=0.35)
    assert width(noisy(0.0)) < 0.02


QUICKLY = ("backtest", "--source", "bundled", "--models", "naive,hub-baseline", "--draws", "30",
           "--locations", "US,WV", "--jobs", "1")  # fmt: skip


@pytest.mark.slow
def test_the_command_shows_delayed_first_then_clean():
    done = run(*QUICKLY, "--start", "2020-01", "--end", "2020-06", "--step", "2", "--all")
    assert done.exit_code == 0, done.output
    text = said(done)
    assert re.search(r"9 origins \(pseudo-delayed: 3 months by .*of the 6.5-month era", text)
    assert "3 origins (pseudo-clean)" in text
    kinds = re.findall(r"Leaderboard on .*?\((.*?)\)", text)
    assert kinds == ["pseudo-delayed", "pseudo-clean"]
    clean = run(*QUICKLY, "--vintages", "clean", "--start", "2021-01", "--end", "2021-01")
    assert "pseudo-delayed" not in clean.output


def test_the_command_says_that_a_delay_is_not_known():
    done = run(*QUICKLY, "--indicator", "T40.4", "--start", "2021-01", "--end", "2021-01")
    assert done.exit_code == 0, done.output
    assert "delay of 'T40.4' is not known: clean pseudo-vintages only" in done.output
    refused = run(*QUICKLY, "--indicator", "T40.4", "--vintages", "delayed", "--start", "2021-01")
    assert refused.exit_code == 1
    assert "for overdose deaths of all drugs" in refused.output


def test_the_command_lists_donors():
    done = run("data", "releases", "--delays")
    assert done.exit_code == 0, done.output
    assert sum(line.endswith("shipped") for line in done.output.splitlines()) == 17
    assert "left out: 2025-09-17: its last month 2025-04 has not settled" in said(done)
    assert "left out: 2026-01-14: not older than the release that is the truth" in said(done)
