"""What a forecaster is given: one target, seen at one date."""

from odforecast.panel.own import Own
from odforecast.panel.panel import LAYERS, Frozen, Panel
from odforecast.panel.pseudo import ERAS, Donor, era_of
from odforecast.panel.triangle import Floats, Triangle

__all__ = [
    "ERAS",
    "LAYERS",
    "Donor",
    "Floats",
    "Frozen",
    "Own",
    "Panel",
    "Triangle",
    "era_of",
]
