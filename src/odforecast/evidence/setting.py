"""What the checks of the ladder run on."""

from __future__ import annotations

from dataclasses import dataclass

from odforecast.models import Model
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.panel import Panel
from odforecast.scenario.exposure import fentanyl_share
from odforecast.vintage.archive import Archive


@dataclass(frozen=True)
class Setting:
    """What the checks run on.

    Attributes
    ----------
    archive : Archive
        Releases; the newest known on ``as_of`` is used.
    as_of : str
        Day.
    model : Model
        For the null check and the hindcasts.
    simulations : int
        Of the recovery checks.
    seed : int
        Of everything random.
    """

    archive: Archive
    as_of: str
    model: Model
    simulations: int = 200
    seed: int = 1

    def panel(self, indicator: str = ALL_DRUGS) -> Panel:
        """One indicator, US and jurisdictions."""
        return self.archive.as_of(self.as_of).panel(indicator)

    def shares(self, month: object | None = None) -> dict[str, float]:
        """Fentanyl shares as they were at a month (default: the last)."""
        synthetic = self.panel(SYNTHETIC_OPIOIDS)
        return fentanyl_share(self.panel(), synthetic, fill="region", month=month)
