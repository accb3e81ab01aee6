"""Numbers that a benchmark, CDC or a convention set, written out a second time.

Whoever changes one changes what is forecast or scored: the number here is changed with the
benchmark that asks for it.
"""

import inspect
from importlib import import_module

import numpy as np

import odforecast as od

#: By module: what it calls them, and what they are.
NUMBERS = {
    "forecasts.tables": {"FEW": 20},
    "forecasts.text": {"LEVEL": 0.9, "_SIDES": (0.05, 0.5, 0.95), "VALIDATED": 12},
    "forecasts.trend": {"SMALLEST": 5.0, "DEVIATIONS": 1.28, "LARGE": 3.0, "LONGEST": 12},
    "models.delay.constants": {"FAR": 3.0, "SMALL": 100.0, "CUT": 0.002, "_WHOLE": 0.25},
    "models.delay.deficit": {
        "AGES": 12, "LEVEL": 2.0, "SPAN": 28, "OPEN": 15, "EARLY": 0.12, "SHARED_DF": 5.0,
        "OLD": 13, "CUT_SHARED": 0.9, "_ALONE": 0.2,
    },
    "models.delay.layer": {"MAX_ERROR": 0.25},
    "models.statespace.kalman": {
        "BURN_IN": 24, "TAIL_DF": 5.0, "LEVEL_VARIANCE": 0.000125, "FORGET": 0.025,
    },
    "models.statespace.model": {
        "NATION_DAMP": 0.95, "NATION_WIDTH": 1.17, "RIDGE": 50 / 12, "MOST": 2000.0,
        "MIN_OUTCOMES": 200,
    },
    "models.statespace.share": {"MIN_MONTHS": 24, "SHOWN": 23, "WALK": 0.06, "_ALONE": 0.19},
    "panel.own": {
        "_MOST": 1e5, "LEAST_OVERLAP": 12, "WILD": 3.0, "USUAL": (0.7, 1.4), "_SLIP": 3.0,
        "_CHANCE": 6.0, "_IN": 0.5,
    },
    "panel.pseudo": {"PREDECESSORS": 3, "_SLOW": 168},
    "publication": {"SETTLED": 12, "CLOSES_AFTER": 8},
    "scenario.apply": {"MAX_AGE": 24, "WORLDS": 8, "TREND": 12, "LATE": 3},
    "scoring.columns": {"_LAST_OF": (0, 3, 6, 12), "_FIRST_OF": (10, 20, 50, 200)},
    "scoring.pairs": {
        "MIN_ORIGINS": 5, "MIN_BLOCKS": 3, "MIN_DONORS": 3, "MIN_GROUPS": 4, "_LONG": 7,
        "_FEWEST": 8, "SHORTEST": 2.5, "_PER_HORIZON": 0.8,
    },
    "scoring.rules": {"HIDDEN_MOST": 9.0, "_NONE": 0.5, "_SHOWN": 9.5, "WIDTH": 0.05, "FLOOR": -10},
    "scoring.truth": {"COUNTY_MIN_AGE": 6},
    "scoring.units": {"MOVED_DEATHS": 1.0, "MOVED_SHARE": 0.002},
}  # fmt: skip
BOOTSTRAP = {"bootstrap": 1000, "level": 0.9, "seed": 0}
#: What a function takes where nothing is said.
DEFAULTS = {
    od.Forecast.counties: {"level": 0.9},
    od.Forecast.ranking: {"k": 10},
    od.Panel.usable: {"min_months": 24},
    od.scoring.pit_histogram: {"bins": 10},
    od.scoring.pairwise: BOOTSTRAP,
    od.scoring.relative_skill: BOOTSTRAP,
    od.scoring.relative_to_baseline: BOOTSTRAP,
}


def test_numbers_are_those_that_were_chosen() -> None:
    for module, numbers in NUMBERS.items():
        values = vars(import_module(f"odforecast.{module}"))
        assert {name: values[name] for name in numbers} == numbers, module
    ramp = import_module("odforecast.models.delay.deficit").RAMP
    np.testing.assert_allclose(ramp * 78, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])


def test_defaults_are_those_that_are_documented() -> None:
    for function, defaults in DEFAULTS.items():
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in defaults} == defaults, function
