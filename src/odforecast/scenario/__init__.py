"""Scenarios: what could cooperation, or a supply shock, change?

Effects are assumptions with a source and a grade, never estimates from a step at a diplomatic
date: the counts cannot identify cooperation.
"""

from odforecast.scenario.apply import fentanyl_share, read_exposure
from odforecast.scenario.catalogue import (
    CAVEAT,
    cite,
    events,
    levers,
    prior_names,
    references,
)
from odforecast.scenario.clock import Series, read_series
from odforecast.scenario.detection import Detection, detection
from odforecast.scenario.distributions import (
    Beta,
    Dose,
    Fixed,
    Judgement,
    Judgements,
    LogNormal,
    Normal,
    Percent,
    Prior,
    Quantiles,
    Uniform,
)
from odforecast.scenario.file import (
    dump_scenarios,
    named,
    named_intervention,
    parse_scenarios,
    read_scenarios,
    write_scenarios,
)
from odforecast.scenario.grammar import json_schema
from odforecast.scenario.intervention import NULL, Intervention, Rebound, Scenario
from odforecast.scenario.past import Past, neutral_twin, past
from odforecast.scenario.projection import Projection, project
from odforecast.scenario.sensitivity import attribution, cost_of_delay, tornado
from odforecast.scenario.track import Track, track
from odforecast.scenario.when import Onset, when

__all__ = [
    "CAVEAT",
    "NULL",
    "Beta",
    "Detection",
    "Dose",
    "Fixed",
    "Intervention",
    "Judgement",
    "Judgements",
    "LogNormal",
    "Normal",
    "Onset",
    "Past",
    "Percent",
    "Prior",
    "Projection",
    "Quantiles",
    "Rebound",
    "Scenario",
    "Series",
    "Track",
    "Uniform",
    "attribution",
    "cite",
    "cost_of_delay",
    "detection",
    "dump_scenarios",
    "events",
    "fentanyl_share",
    "json_schema",
    "levers",
    "named",
    "named_intervention",
    "neutral_twin",
    "parse_scenarios",
    "past",
    "prior_names",
    "project",
    "read_exposure",
    "read_scenarios",
    "read_series",
    "references",
    "tornado",
    "track",
    "when",
    "write_scenarios",
]
