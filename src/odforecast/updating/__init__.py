"""The monthly habit: a release, a forecast, what changed and why, and a public record."""

from odforecast.updating.changes import Change
from odforecast.updating.judged import outcomes
from odforecast.updating.record import read
from odforecast.updating.run import Update, default_out, update
from odforecast.updating.said import record_markdown

__all__ = ["Change", "Update", "default_out", "outcomes", "read", "record_markdown", "update"]
