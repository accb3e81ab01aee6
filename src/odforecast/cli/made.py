"""Names that the other commands use until they have moved."""

from odforecast.cli.source import about, fit, keep, open_panel, there

__all__ = ["about", "fit", "keep", "open_panel", "there"]
