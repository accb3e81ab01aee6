"""Truth: what the forecasts are scored against, by name and release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.months import Months
from odforecast.names import TARGET_12MO, TARGET_MONTH, VINTAGE_SYNTHETIC
from odforecast.panel import Floats, Panel
from odforecast.seeds import content_hash

#: A count is taken as settled when its release came out this many months after its month.
MIN_AGE = 12


@dataclass(frozen=True, eq=False)
class Truth:
    """Reported or predicted counts of one release, and when they count as settled.

    Attributes
    ----------
    panel : Panel
        The release scored against.
    kind : {"reported", "predicted"}
        Which of its counts. ``predicted`` never converges to the final count: use it to
        look at CDC's estimate, not to judge a model.
    min_age : int
        Months between a month and the release for the month to be scorable; default 12.

    Examples
    --------
    >>> import odforecast as od
    >>> truth = Truth(od.bundled().as_of("2025-09-17").panel())
    >>> values, reasons = truth.observed(["US"], np.array(["2024-09", "2024-10"], "M8[M]"))
    >>> bool(np.isnan(values[0, 1])), reasons[0, 1]
    (True, 'too young: release 2025-09-17 is 11 months after the month, 12 needed')
    """

    panel: Panel
    kind: str = "reported"
    min_age: int = MIN_AGE

    def __post_init__(self) -> None:
        # What stands beside the counts is no truth, and is not sent to workers.
        object.__setattr__(self, "panel", replace(self.panel, beside={}, triangle=None))
        if self.kind not in ("reported", "predicted"):
            raise ScoringError(f"unknown truth {self.kind!r}", hint="reported or predicted")
        if self.panel.vintage == VINTAGE_SYNTHETIC:
            raise ScoringError("a made-up panel is no truth", hint="take one from an archive")
        if self.min_age < 0:
            raise ScoringError(f"min_age must not be negative, got {self.min_age}")

    @property
    def release(self) -> dt.date:
        """Release date of the counts."""
        return self.panel.release

    @property
    def data_hash(self) -> str:
        """Hash of everything a score depends on."""
        return content_hash(self.panel.data_hash, self.kind, self.min_age)

    @property
    def basis(self) -> str:
        """How its deaths are counted."""
        return self.panel.basis

    def observed(
        self, locations: Sequence[str], months: Months, target: str = TARGET_12MO
    ) -> tuple[Floats, NDArray[np.object_]]:
        """Counts to score against, NaN where they are not scorable, and why not.

        Parameters
        ----------
        locations : sequence of str
            CDC codes.
        months : ndarray of datetime64[M], shape (M,)
        target : {"deaths_12mo", "deaths_month"}
            Monthly truth is known up to a constant per calendar month: see
            :mod:`odforecast.monthly.sums`.

        Returns
        -------
        values : ndarray, shape (L, M)
        reasons : ndarray of str, shape (L, M)
            Empty where the count is scorable.
        """
        monthly = target == TARGET_MONTH
        if monthly and self.kind != "reported":
            raise ScoringError("monthly truth exists for reported counts only")
        grid = self.panel.month_grid if monthly else self.panel.months
        counts = self.panel.monthly if monthly else getattr(self.panel, self.kind)
        values = np.full((len(locations), months.size), np.nan)
        reasons = np.full(values.shape, "", dtype=object)
        column = (months - grid[0]).astype(int)
        inside = (column >= 0) & (column < grid.size)
        for i, state in enumerate(locations):
            if state not in self.panel.locations:
                reasons[i] = f"release {self.release} has no {state}"
                continue
            row = counts[self.panel.locations.index(state)]
            values[i, inside] = row[column[inside]]
            reasons[i, np.isnan(values[i])] = f"not published in release {self.release}"
            reasons[i, column >= grid.size] = f"after the last month of release {self.release}"
        age = (np.datetime64(self.release, "M") - months.astype("datetime64[M]")).astype(int)
        for j in np.flatnonzero(age < self.min_age):
            open_rows = reasons[:, j] == ""
            reasons[open_rows, j] = (
                f"too young: release {self.release} is {age[j]} months after the month, "
                f"{self.min_age} needed"
            )
        values[reasons != ""] = np.nan
        return values, reasons
