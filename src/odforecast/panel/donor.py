"""A donor: how incomplete a real release was, to be laid on another month's counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.seeds import content_hash

Floats = NDArray[np.float64]

_TABLES = ("late", "ratio", "pending", "complete")


@dataclass(frozen=True, eq=False)
class Donor:
    """What one real release missed and what it said about itself, by months back.

    Attributes
    ----------
    release : datetime.date
        The release.
    locations : tuple of str
        CDC codes, length L; without the US, which is the sum.
    age : int
        Days from the end of the release's last month to the release.
    late : ndarray, shape (L, A)
        Share of a month's settled deaths that was not yet in the release; the last month
        first. May be negative: closing a year's file removes deaths.
    ratio : ndarray, shape (L, A)
        CDC's predicted over reported 12-month-ending count, the last month first; NaN where
        there was none.
    pending, complete : ndarray, shape (L, A)
        CDC's percentages; NaN where there were none.
    final_back : int
        Months from the release's last month back to the last final one.
    predecessors : tuple of Donor
        Releases up to three months older, for the triangle of the delayed panel. Their own
        predecessors are not used.
    """

    release: dt.date
    locations: tuple[str, ...]
    age: int
    late: Floats
    ratio: Floats
    pending: Floats
    complete: Floats
    final_back: int
    predecessors: Sequence[Donor] = field(default=())

    def __post_init__(self) -> None:
        shape = np.shape(self.late)
        if len(shape) != 2 or shape[0] != len(self.locations):
            raise PanelError(f"late has shape {shape}, expected ({len(self.locations)}, A)")
        for name in _TABLES:
            array = np.array(getattr(self, name), dtype=float)
            if array.shape != shape:
                raise PanelError(f"{name} has shape {array.shape}, expected {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not np.isfinite(self.late).all() or (self.late >= 1).any():
            raise PanelError("late shares must be finite and below 1")
        if self.age < 0 or self.final_back < 0:
            raise PanelError(f"age and final_back are not negative, got {self.age}, "
                             f"{self.final_back}")  # fmt: skip
        object.__setattr__(self, "predecessors", tuple(self.predecessors))

    @property
    def data_hash(self) -> str:
        """Hash of all the donor holds."""
        return content_hash(
            self.release,
            self.locations,
            self.age,
            self.final_back,
            *(getattr(self, name) for name in _TABLES),
            *(p.data_hash for p in self.predecessors),
        )

    def row(self, location: str) -> int | None:
        """Row of a location; None where the donor has none."""
        return self.locations.index(location) if location in self.locations else None
