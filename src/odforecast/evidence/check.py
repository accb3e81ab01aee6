"""What a validation check gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
