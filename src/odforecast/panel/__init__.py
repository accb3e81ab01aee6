"""What a forecaster is given: one target, seen at one date."""

from odforecast.panel.donor import Donor
from odforecast.panel.own import Own
from odforecast.panel.panel import Floats, Panel
from odforecast.panel.triangle import Triangle

__all__ = ["Donor", "Floats", "Own", "Panel", "Triangle"]
