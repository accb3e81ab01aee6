"""Scores of other people's forecasts, in any hubverse hub, against the hub's own target data."""

from odforecast.hub.scoring.rules import HEADLINE, SCORES, energy_score
from odforecast.hub.scoring.scores import HubScores, score

__all__ = ["HEADLINE", "SCORES", "HubScores", "energy_score", "score"]
