"""Numbers that a benchmark or a convention set, and no other test knows, written out again.

Whoever changes one changes what is forecast, scored or said: it is changed here with the reason.
"""

import inspect
from importlib import import_module

import odforecast as od

#: By module: what it calls them, and what they are.
NUMBERS = {
    "backtesting.results": {"_WARNINGS": 10},
    "forecasts.text": {"LEVEL": 0.9, "_SIDES": (0.05, 0.5, 0.95), "VALIDATED": 12},
    "models.delay.constants": {"FAR": 3.0, "SMALL": 100.0, "CUT": 0.002, "_WHOLE": 0.25},
    "models.delay.deficit": {"OPEN": 15, "EARLY": 0.12},
    "models.statespace.kalman": {"BURN_IN": 24, "LEVEL_VARIANCE": 0.000125},
    "models.statespace.model": {"NATION_DAMP": 0.95, "NATION_WIDTH": 1.17},
    "models.statespace.share": {"MIN_MONTHS": 24, "SHOWN": 23, "WALK": 0.06},
    "panel.own": {"_MOST": 1e5, "LEAST_OVERLAP": 12, "WILD": 3.0, "USUAL": (0.7, 1.4)}
    | {"_SLIP": 3.0, "_CHANCE": 6.0, "_IN": 0.5},
    "panel.pseudo": {"PREDECESSORS": 3, "_SLOW": 168},
    "scenario.apply": {"MAX_AGE": 24, "WORLDS": 8, "TREND": 12, "LATE": 3},
    "scoring.files": {"TOTAL": 0.001, "_MAX_HORIZON": 1200, "LONGEST_NAME": 200},
    "scoring.pairs": {"_LONG": 7, "_FEWEST": 8, "SHORTEST": 2.5, "_PER_HORIZON": 0.8},
    "scoring.rules": {"WIDTH": 0.05, "FLOOR": -10.0},
    "scoring.truth": {"COUNTY_MIN_AGE": 6},
    "scoring.units": {"MOVED_DEATHS": 1.0, "MOVED_SHARE": 0.002},
    "vintage.archive": {"_SHOWN": 3, "_KEPT": 50},
}
#: What functions take where nothing is said.
DEFAULTS = {
    (od.Forecast.counties,): {"level": 0.9},
    (od.Forecast.ranking,): {"k": 10},
    (od.Panel.usable,): {"min_months": 24},
    (od.scoring.pairwise, od.scoring.relative_skill, od.scoring.relative_to_baseline): {
        "bootstrap": 1000,
        "level": 0.9,
        "seed": 0,
    },
}


def test_numbers_and_defaults_are_those_that_were_chosen() -> None:
    for module, numbers in NUMBERS.items():
        values = vars(import_module(f"odforecast.{module}"))
        assert {name: values[name] for name in numbers} == numbers, module
    for functions, defaults in DEFAULTS.items():
        for function in functions:
            parameters = inspect.signature(function).parameters
            assert {name: parameters[name].default for name in defaults} == defaults, function
