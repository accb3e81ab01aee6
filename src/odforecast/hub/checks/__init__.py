"""The checks of hubValidations on a hub, by their own names."""

from odforecast.hub.checks.report import BY_NAME, CHECKS, Checks, Finding, Known, Outcome
from odforecast.hub.checks.run import check

__all__ = ["BY_NAME", "CHECKS", "Checks", "Finding", "Known", "Outcome", "check"]
