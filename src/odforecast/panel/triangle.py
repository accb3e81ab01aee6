"""The reporting triangle: what earlier releases said of a panel's cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.months import Months

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Triangle:
    """Counts of earlier releases, on the grid of the panel they belong to.

    Attributes
    ----------
    releases : tuple of datetime.date
        Release dates, oldest first, length R; all earlier than the panel's own release.
    reported : ndarray, shape (R, L, T)
        12-month-ending deaths as each release gave them; NaN where it had none. L and T are
        the panel's locations and months.
    """

    releases: tuple[dt.date, ...]
    reported: Floats

    def __post_init__(self) -> None:
        reported = np.array(self.reported, dtype=float)
        if reported.ndim != 3 or len(reported) != len(self.releases):
            raise PanelError(
                f"a triangle of {len(self.releases)} releases has shape {reported.shape}, "
                "expected (R, L, T)"
            )
        if list(self.releases) != sorted(set(self.releases)):
            raise PanelError("releases of a triangle must be distinct and in order")
        reported.flags.writeable = False
        object.__setattr__(self, "reported", reported)

    def __len__(self) -> int:
        return len(self.releases)

    def __repr__(self) -> str:
        span = f"{self.releases[0]}..{self.releases[-1]}" if self.releases else "none"
        return f"<Triangle: {len(self)} earlier releases, {span}>"

    def rows(self, rows: Sequence[int]) -> Triangle:
        """Only these locations, in this order."""
        return replace(self, reported=self.reported[:, list(rows)])

    def ages(self, months: Months) -> NDArray[np.int64]:
        """Months from the end of each period to each release, shape (R, T)."""
        dates = np.array(self.releases, dtype="datetime64[M]")
        return np.asarray((dates[:, None] - months[None]).astype(np.int64))
