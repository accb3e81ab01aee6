"""Names that the other commands use until they have moved."""

from odforecast.cli.app import Group, LazyGroup
from odforecast.cli.options import Choice, question

__all__ = ["Choice", "Group", "LazyGroup", "question"]
