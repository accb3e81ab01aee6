"""Names that the other commands use until they have moved."""

from odforecast.cli.screen import working

__all__ = ["working"]
