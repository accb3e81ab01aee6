"""The reporting triangle: what earlier releases said about a panel's cells, and of themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import PanelError

Floats = NDArray[np.float64]

#: Layers of cells that a triangle may hold beside the counts.
SAID = ("pending", "predicted")


def fixed(values: ArrayLike, kind: str = "float") -> NDArray[Any]:
    """Numbers or dates as an array of its own that nobody can change."""
    array = np.array(values, dtype=kind)
    array.flags.writeable = False
    return array


def fix_arrays(
    thing: object, shapes: Mapping[str, tuple[int, ...]], of: str = ""
) -> None:
    """Fix the arrays of an object, each of its shape; one that is not given is NaN."""
    for name, shape in shapes.items():
        values = getattr(thing, name)
        if values is None:
            values = np.full(shape, np.nan)
        array = fixed(values)
        if array.shape != shape:
            raise PanelError(f"{name}{of} has shape {array.shape}, expected {shape}")
        object.__setattr__(thing, name, array)


def rows_for(
    locations: Sequence[str],
    places: Sequence[str],
    values: Floats,
    fill: float = np.nan,
) -> Floats:
    """Rows of an array of some places, for other locations; ``fill`` where there is none."""
    blank = np.full(values.shape[1:], fill)
    row_of = dict(zip(places, values))
    return np.array([row_of.get(s, blank) for s in locations])


@dataclass(frozen=True, eq=False)
class Triangle:
    """Counts of earlier releases, on the grid of the panel they belong to.

    What the releases said about themselves is there only where a vintage read it: a panel that was
    cut, delayed by a donor, or made by hand has none.

    Attributes
    ----------
    releases : tuple of datetime.date
        Release dates, oldest first, length R; all earlier than the panel's own release.
    reported : ndarray, shape (R, L, T)
        12-month-ending deaths as each release gave them; NaN where it had none. L and T are
        the panel's locations and months.
    pending : ndarray, shape (R, L, T), optional
        Percent of records pending, as each release gave it; NaN where it had none, and in months
        that could no longer change.
    predicted : ndarray, shape (R, L, T), optional
        CDC's predicted 12-month-ending deaths; NaN in the same way.
    all_deaths : ndarray, shape (R, L), optional
        Deaths from all causes in a year, as :attr:`odforecast.Panel.all_deaths` of each release
        has them; NaN where unknown.
    """

    releases: tuple[dt.date, ...]
    reported: Floats
    pending: Floats | None = None
    predicted: Floats | None = None
    all_deaths: Floats | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.reported)
        wrong = ""
        if len(shape) != 3 or shape[0] != len(self.releases):
            wrong = f" of {len(self.releases)} releases has shape {shape}, expected (R, L, T)"
        elif list(self.releases) != sorted(set(self.releases)):
            wrong = "'s releases must be distinct and in order"
        elif len(self.layers) not in (1, 4):
            wrong = " has pending, predicted and all_deaths, or none of them (NaN where not said)"
        if wrong:
            raise PanelError(f"a triangle{wrong}")
        expected = dict.fromkeys(("reported", *SAID), shape) | {"all_deaths": shape[:2]}
        fix_arrays(
            self, {name: expected[name] for name in self.layers}, of=" of a triangle"
        )

    def __len__(self) -> int:
        return len(self.releases)

    def __repr__(self) -> str:
        span = f"{self.releases[0]}..{self.releases[-1]}" if self.releases else "none"
        return f"<Triangle: {len(self)} earlier releases, {span}>"

    @property
    def layers(self) -> dict[str, Floats]:
        """Every array there is, by name: locations are the second axis of each."""
        arrays = {
            name: getattr(self, name) for name in ("reported", *SAID, "all_deaths")
        }
        return {name: array for name, array in arrays.items() if array is not None}

    def rows(self, rows: Sequence[int]) -> Triangle:
        """Only these locations, in this order."""
        picked: dict[str, Any] = {
            n: array[:, list(rows)] for n, array in self.layers.items()
        }
        return replace(self, **picked)

    def cells(self, months: slice) -> Triangle:
        """Only these months."""
        cells: dict[str, Any] = {}
        for name, array in self.layers.items():
            if array.ndim == 3:
                cells[name] = array[:, :, months]
        return replace(self, **cells)

    def counted(self, change: Callable[[Floats], Floats]) -> Triangle:
        """The same with other counts, CDC's predicted ones too: ``change`` takes (R, L, T)."""
        predicted = None if self.predicted is None else change(self.predicted)
        return replace(self, reported=change(self.reported), predicted=predicted)

    def content(self, order: Sequence[int] | NDArray[np.int64]) -> tuple[object, ...]:
        """All it holds, locations in this order, to be hashed.

        Layers that are not there are not named: a triangle without them keeps its hash.
        """
        out: list[object] = [self.releases]
        for name, array in self.layers.items():
            out += [array[:, order]] if name == "reported" else [name, array[:, order]]
        return tuple(out)
