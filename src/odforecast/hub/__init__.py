"""Hubverse hubs and their files: made, submitted to, written, read; what is wrong is refused.

One row per (origin, location, target, month, output type, level or sample). ``origin_date``
is the as-of date; ``horizon`` counts months after the last month CDC had published by then
(0 and below: a model revises what was published); ``target_end_date`` is the last day of the
target month. Files of scenarios have ``scenario_id`` as well.
"""

from __future__ import annotations

from odforecast.hub.checks import Checks, check
from odforecast.hub.files import to_hub, write_hub
from odforecast.hub.files import write_hub as write
from odforecast.hub.layout import Hub, label_of, model_id
from odforecast.hub.making import init, update
from odforecast.hub.scenarios import read_held, scenarios_to_hub, write_scenario_hub
from odforecast.hub.scores import HubScores, score
from odforecast.hub.submission import submit
from odforecast.scoring.files import OUTPUT_TYPES, check_hub, read_hub
from odforecast.scoring.files import read_hub as read
from odforecast.sources.cells import file_kind

__all__ = [
    "OUTPUT_TYPES",
    "Checks",
    "Hub",
    "HubScores",
    "check",
    "check_hub",
    "file_kind",
    "init",
    "label_of",
    "model_id",
    "read",
    "read_held",
    "read_hub",
    "scenarios_to_hub",
    "score",
    "submit",
    "to_hub",
    "update",
    "write",
    "write_hub",
    "write_scenario_hub",
]
