"""The monthly habit: a release, a forecast, what changed and why, and a public record."""

from odforecast.updating.changes import Change
from odforecast.updating.record import outcomes, read, record_markdown
from odforecast.updating.run import Update, default_out, update

__all__ = [
    "Change",
    "Update",
    "default_out",
    "outcomes",
    "read",
    "record_markdown",
    "update",
]
