"""Scenarios: what could cooperation, or a supply shock, change?

Effects are assumptions with a source and a grade, never estimates from a step at a diplomatic
date: the counts cannot identify cooperation.
"""

from odforecast.scenario.evidence import CAVEAT, events, levers, prior_names
from odforecast.scenario.intervention import Intervention, Rebound
from odforecast.scenario.priors import (
    Beta,
    Fixed,
    LogNormal,
    Normal,
    Prior,
    SpikeSlab,
    Uniform,
)
from odforecast.scenario.scenario import NULL, Scenario, grid
from odforecast.scenario.schema import (
    dump_scenarios,
    named,
    parse_scenarios,
    read_scenarios,
    write_scenarios,
)

__all__ = [
    "CAVEAT",
    "NULL",
    "Beta",
    "Fixed",
    "Intervention",
    "LogNormal",
    "Normal",
    "Prior",
    "Rebound",
    "Scenario",
    "SpikeSlab",
    "Uniform",
    "dump_scenarios",
    "events",
    "grid",
    "levers",
    "named",
    "parse_scenarios",
    "prior_names",
    "read_scenarios",
    "write_scenarios",
]
