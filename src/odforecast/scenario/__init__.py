"""Scenarios: what could cooperation, or a supply shock, change?

Effects are assumptions with a source and a grade, never estimates from a step at a diplomatic
date: the counts cannot identify cooperation.
"""

from odforecast.scenario.catalogue import CAVEAT, events, levers, prior_names
from odforecast.scenario.exposure import fentanyl_share, read_exposure
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
from odforecast.scenario.project import project
from odforecast.scenario.projection import Projection
from odforecast.scenario.scenario import NULL, Scenario, grid
from odforecast.scenario.schema import (
    dump_scenarios,
    named,
    named_intervention,
    parse_scenarios,
    read_scenarios,
    write_scenarios,
)
from odforecast.scenario.sensitivity import (
    Identifiability,
    attribution,
    identifiability,
    tornado,
)

__all__ = [
    "CAVEAT",
    "NULL",
    "Beta",
    "Fixed",
    "Identifiability",
    "Intervention",
    "LogNormal",
    "Normal",
    "Prior",
    "Projection",
    "Rebound",
    "Scenario",
    "SpikeSlab",
    "Uniform",
    "attribution",
    "dump_scenarios",
    "events",
    "fentanyl_share",
    "grid",
    "identifiability",
    "levers",
    "named",
    "named_intervention",
    "parse_scenarios",
    "prior_names",
    "project",
    "read_exposure",
    "read_scenarios",
    "tornado",
    "write_scenarios",
]
