"""Colours and sizes of a map of counties: classes of what is shown, areas of counts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.plot.county_values import CountyValues
from odforecast.plot.style import BLUE, ORANGE
from odforecast.plot.words import SMALL as TEN
from odforecast.plot.words import about

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANCES = (0.1, 1 / 3, 2 / 3, 0.9)
_SAID_CHANCES = ("under 10 %", "10 to 33 %", "33 to 67 %", "67 to 90 %", "over 90 %")
#: Pale to deep, and from fewer to more.
_RAMP = ("#cfe1f0", "#93bfdd", "#4f97c6", "#0072b2", "#003a5d")
_BOTH_WAYS = (BLUE, "#86b9d9", "#d4d4d4", "#eaa97c", ORANGE)
#: Square points: the largest bubble of a map, of one with many counties, and of a legend; a
#: bubble without a size, where they are few and many.
_LARGEST, _LARGEST_OF_MANY, _LARGEST_OF_LEGEND = 900.0, 300.0, 200.0
_OPEN, _OPEN_OF_MANY, MANY = 14.0, 3.0, 600


class Colours:
    """Five colours at most, told apart by how light they are, and what each says."""

    def __init__(self, seen: CountyValues) -> None:
        self.said: tuple[str, ...]
        self.ramp: tuple[str, ...]
        if seen.value == "median":
            self.breaks, self.said, self.ramp = np.array([]), ("",), (BLUE,)
        elif seen.value == "rate":
            known = seen.values[np.isfinite(seen.values)]
            cuts = [float(about(x).replace(",", "")) for x in np.quantile(known, (0.25, 0.5, 0.75))]
            self.breaks = np.unique([x for x in cuts if known.min() < x])
            ends = [f"{x:,.0f}" for x in self.breaks]
            self.said = (
                *([f"under {ends[0]} per 100,000"] if ends else ["all"]),
                *(f"{a} to {b}" for a, b in pairwise(ends)),
                *([f"{ends[-1]} and more"] if ends else []),
            )
            self.ramp = _RAMP[: len(self.said)] if len(self.said) < 4 else _RAMP[:3] + _RAMP[4:]
        else:
            self.breaks, self.said = np.array(_CHANCES), _SAID_CHANCES
            self.ramp = _BOTH_WAYS if seen.value == "rising" else _RAMP

    def classes(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which colour each value has; −1 where it is not known."""
        found = np.searchsorted(self.breaks, np.nan_to_num(values), side="right")
        return np.where(np.isnan(values), -1, found)


class Sizes:
    """How large a bubble is, in square points: its area in proportion to the count."""

    def __init__(self, counts: NDArray[np.float64]) -> None:
        many = counts.size > MANY
        self.top = float(np.nanmax(counts)) if np.isfinite(counts).any() else float(TEN)
        self.largest = _LARGEST_OF_MANY if many else _LARGEST
        self.open = _OPEN_OF_MANY if many else _OPEN

    def of(self, counts: Any) -> NDArray[np.float64]:
        """Square points of counts; those below 10 have one size, whatever they are."""
        found = np.asarray(counts, dtype=float)
        return np.where(np.isfinite(found), self.largest * found / self.top, self.open)

    def said(self) -> list[int]:
        """Up to three round counts for the legend, none too large for it."""
        most = self.top * min(1.0, _LARGEST_OF_LEGEND / self.largest)
        steps = [n * 10**p for p in range(1, 5) for n in (1, 2, 5) if n * 10**p <= most]
        return sorted({steps[i] for i in (-1, -3, -5) if len(steps) >= -i})
