"""The backtest of counties: defaults, units by state, the months and levels that are kept."""

from dataclasses import replace

import numpy as np
import pytest
import toys
from made_up_counties import STATES, Archive, made_up
from toys import same, same_rows, undivided

import odforecast as od
from odforecast.backtesting import Origin, backtest, cuts, default_models, origins, plan, run_units
from odforecast.backtesting.planning import COUNTY_LEVELS, COUNTY_MODELS, blocks
from odforecast.errors import BacktestError
from odforecast.names import COUNTY_HORIZONS, RESIDENCE

MODELS = [toys.county_by_state, toys.county_by_place]


@pytest.fixture(scope="module")
def panel():
    return made_up()


@pytest.fixture(scope="module")
def found(panel):
    return cuts(panel, start="2022-03", end="2022-06", step=3)


def test_by_default_it_works_end_to_end(panel):
    options = {"archive": Archive(panel), "dataset": "counties", "draws": 20, "progress": False}
    results = backtest(toys.county_by_state, **options)
    says, months = results.manifest, [3, 6, 9, 12]
    found = [o["last_month"] for o in says["origins"]]
    assert found == ["2021-06", "2021-09", "2021-12", "2022-03", "2022-06", "2022-09", "2022-12"]
    assert {o["vintage"] for o in says["origins"]} == {"pseudo-clean"}
    assert (says["truth"]["min_age"], says["horizons"]) == (6, months)
    assert says["levels"] == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert set(results.scores["horizon"]) == set(results.quantiles["horizon"]) == {*months}
    # The hidden county is no row of a toy's, and is told.
    assert len(results.scores) == 7 * (len(panel.locations) - 1) * 4
    assert set(results.failures["location"]) == {panel.locations[-1]}
    assert results.scores["size"].ne("").all()
    assert results.leaderboard()["horizon"].unique().tolist() == months


def test_default_models_and_origins(panel, found):
    assert default_models(found) == COUNTY_MODELS

    archive = Archive(panel)
    lasts = [str(o.panel.last_month) for o in origins(archive, dataset="counties", step=6)]
    assert lasts == ["2021-06", "2021-12", "2022-06", "2022-12"]
    with pytest.raises(BacktestError, match="is not known"):
        origins(archive, "pseudo-delayed", dataset="counties")
    (real,) = origins(archive, "real", dataset="counties")
    assert real.panel is panel
    (vintage,) = {o.vintage for o in origins(od.bundled(), start="2024-01", end="2024-01")}
    assert vintage == "pseudo-delayed"
    # Of real releases, baselines with the delay layer and without; no other model with it.
    names = default_models(origins(od.bundled(), "real"))
    both = {"naive", "drift", "auto-ets", "auto-theta"}
    others = {"dlm", "hub-baseline", "cdc-predicted"}
    assert both | {f"{name}+delay" for name in both} | others <= set(names)
    assert not {"dlm+delay", "ensemble"} & set(names)
    assert len(set(names)) == len(names)
    assert names[0] == "dlm"


def test_units_are_origin_by_model_by_state(truth, found, panel):
    units = plan([*MODELS, toys.county_whole], found, truth, draws=20)
    assert [u.state for u in units[:6]] == [*STATES, *STATES]
    assert [u.state for u in units[-2:]] == ["", ""]
    assert units[0].seen.locations == units[0].locations
    # One order of rows, whether divided or not.
    assert units[-1].locations == tuple(s for u in units[:3] for s in u.locations)
    assert units[-1].locations != panel.locations
    assert {u.horizons for u in units} == {COUNTY_HORIZONS}
    assert {u.levels for u in units} == {COUNTY_LEVELS}
    assert len({u.key for u in units}) == len(units) == 2 * 2 * 3 + 2


@pytest.mark.slow
def test_divided_equals_undivided_bit_for_bit(truth, found, tmp_path):
    units = plan(MODELS, found, truth, draws=20)
    divided, together = run_units(units, out=tmp_path), run_units(undivided(units))
    same(divided, together)
    same(run_units(units), together)


def test_a_model_by_state_sees_the_whole_state(truth, found):
    asked = ["10003", "36005"]
    units = plan([toys.county_by_state], found, truth, draws=20, locations=asked)
    assert [(u.state, u.locations) for u in units[:2]] == [("DE", ("10003",)), ("YC", ("36005",))]
    assert [len(u.seen.locations) for u in units[:2]] == [3, 5]
    assert not units[0].seen.selected
    everything = run_units(plan([toys.county_by_state], found, truth, draws=20)).scores
    same_rows(run_units(units).scores, everything[everything["location"].isin(asked)])
    # By location only what is asked for is looked at.
    (first, *_) = plan([toys.county_by_place], found, truth, draws=20, locations=asked)
    assert first.seen.locations == ("10003",)


def test_a_model_of_counties_judges_hidden_counts_itself(truth, found):
    class Says:
        spec = replace(toys.county_by_state.spec, dataset="counties", model="says")

        def fit(self, panel):
            raise ZeroDivisionError(f"was asked for {len(panel.locations)}")

    ones = np.ones_like(found[0].panel.reported)
    hidden = replace(found[0].panel, reported=np.nan * ones, low=ones, high=9 * ones)
    origin = [Origin(hidden.as_of, hidden.vintage, hidden)]
    says = od.models.Model(Says(), "says")
    for model, reason in ((says, "was asked for 3"), (toys.county_by_state, "is suppressed")):
        with pytest.raises(BacktestError, match=reason):
            backtest([model], origin, truth=truth, locations="DE/*", draws=20, progress=False)


def test_horizons_leave_rows_out_and_change_none():
    panel = od.bundled().as_of("2025-09-17").panel().select(["US", "WV"])
    given = ([toys.by_state, "naive"], cuts(panel, start="2021-02", end="2021-03"), od.Truth(panel))
    every = run_units(plan(*given, draws=20))
    some = run_units(plan(*given, draws=20, horizons=[12, 1, 1]))
    for name in ("scores", "quantiles"):
        table = getattr(every, name)
        same_rows(getattr(some, name), table[table["horizon"].isin([1, 12])])
    assert every.manifest["horizons"] == "all"
    assert some.manifest["horizons"] == [1, 12]


def test_counties_against_states_are_refused(found):
    states = od.bundled().as_of().panel()
    with pytest.raises(BacktestError, match=r"in different ways|not of one data set"):
        plan(MODELS, found, od.Truth(states))
    with pytest.raises(BacktestError, match="not of one data set: the truth is of states"):
        plan(MODELS, found, od.Truth(replace(states, basis=RESIDENCE)))


def test_blocks_go_origin_by_origin(truth, found):
    units = plan(MODELS, found, truth, draws=20)
    made = blocks(units, range(len(units)))
    # 2 models × 2 origins × 3 states: three states of one model at one origin at a time.
    assert made == [[0, 1, 2], [6, 7, 8], [3, 4, 5], [9, 10, 11]]
    assert blocks(units, [4, 0]) == [[0], [4]]
