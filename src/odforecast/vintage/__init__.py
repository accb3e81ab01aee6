"""Releases kept side by side, and what was known on a day."""

from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import archive, bundled, read
from odforecast.vintage.vintage import Vintage

__all__ = ["Archive", "Vintage", "archive", "bundled", "read"]
