"""What a check of the validation ladder runs on, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pandas as pd

from odforecast.models import Model
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.panel import Panel
from odforecast.scenario.apply import fentanyl_share
from odforecast.vintage.archive import Archive

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


@dataclass(frozen=True, eq=False)
class CheckResult:
    """Result of one check of the validation ladder.

    Attributes
    ----------
    name : str
        Name of the check.
    passed : bool or None
        Whether it held; None where a check reports and there is nothing to pass.
    table : DataFrame
        What was measured, one row per unit.
    text : str
        One or two sentences on what it says, and what it cannot say.
    figures : mapping of str to callable
        Figures by name; each is drawn when it is called.
    """

    name: str
    passed: bool | None
    table: pd.DataFrame
    text: str
    figures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)

    def __str__(self) -> str:
        state = {True: "passed", False: "FAILED", None: "reported"}[self.passed]
        return f"{self.name}: {state}. {self.text}"


@runtime_checkable
class Check(Protocol):
    """A rung of the ladder: a name, and a run on the user's own data."""

    @property
    def name(self) -> str:
        """Name, distinct from the other checks'."""
        ...

    def run(self, setting: Setting) -> CheckResult:
        """Look at the data of the setting."""
        ...


@dataclass(frozen=True)
class Rung:
    """A check made from a function."""

    name: str
    function: Callable[[Setting], CheckResult]

    def run(self, setting: Setting) -> CheckResult:
        """Call the function."""
        return self.function(setting)
