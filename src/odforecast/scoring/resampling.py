"""What an interval of a comparison rests on: blocks of origins, and donor releases.

Forecasts of neighbouring origins overlap and share their errors, so blocks
of origins are drawn. Pseudo-vintages with delay share a second thing: all origins that took their
delay from one release share its noise, and the releases are few. So whole donor releases are
drawn as well, within their era and independently of the origins; an origin's forecast by a donor
counts as often as the origin was drawn times as often as the donor was (Owen 2007, Annals of
Applied Statistics 1:386: somewhat too wide, never too narrow by treating 64 × 3 as 192).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.scoring.columns import eras

Floats = NDArray[np.float64]

#: Fewer origins than this say nothing about how a comparison varies between origins.
MIN_ORIGINS = 5
#: Nor do fewer blocks of them: a year and what follows it are one spell. (Of all origins there are
#: always as many: a block is a third of them at most.)
MIN_BLOCKS = 3
#: Nor do fewer donor releases of an era about how it varies between releases.
MIN_DONORS = 3


@dataclass(frozen=True)
class Cells:
    """Origins, by one donor each where there are donors: what is resampled.

    Attributes
    ----------
    origins : ndarray of datetime64, shape (O,)
        Different origins, in order.
    donors, eras : list of str
        Different donor releases, and the era of each.
    at, by : ndarray of int, shape (C,)
        Place of each cell among the origins, and among the donors (-1: by none).
    """

    origins: NDArray[np.datetime64]
    donors: list[str]
    eras: list[str]
    at: NDArray[np.intp]
    by: NDArray[np.intp]

    @property
    def n_blocks(self) -> int:
        """Blocks of origins that make up all of them."""
        return int(self.groups()[-1]) + 1

    def groups(self, block: int | None = None) -> NDArray[np.intp]:
        """Which group of consecutive origins each origin lies in, shape (O,).

        What is left after the last whole block belongs to that block: a month or two by
        themselves are no group. Where a block is a third of the origins and no year, there are
        three.

        Parameters
        ----------
        block : int, optional
            Origins in a group; default: :func:`default_block`.

        Examples
        --------
        >>> import numpy as np
        >>> from odforecast.scoring.resampling import Cells
        >>> months = np.arange("2024-01", "2024-08", dtype="M8[M]").astype("M8[s]")
        >>> none = np.zeros(0, dtype=np.intp)
        >>> Cells(months, [], [], none, none).groups().tolist()
        [0, 0, 1, 1, 2, 2, 2]
        """
        n, size = self.origins.size, default_block(self.origins) if block is None else block
        most = n // size
        if block is None and n > 2 and n // 3 < _in_a_year(self.origins):
            most = 3
        return np.minimum(np.arange(n) // size, max(most - 1, 0))


def origin_level(wide: pd.DataFrame) -> str:
    """Index level that tells origins apart: the last known month, where the table has it."""
    return "last_month" if "last_month" in wide.index.names else "as_of"


def cells_of(wide: pd.DataFrame) -> tuple[Cells, list[NDArray[np.intp]]]:
    """The cells of a table of units, and the rows of each.

    Parameters
    ----------
    wide : DataFrame
        As :func:`odforecast.scoring.pairs.common_units` makes it.
    """
    days = pd.DatetimeIndex(wide.index.get_level_values(origin_level(wide)))
    origins, at = np.unique(days.to_numpy(), return_inverse=True)
    donors, donor_eras, by = _donors(wide)
    pairs, which = np.unique(np.stack([at, by], axis=1), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel()))
    rows = np.split(order, ends[:-1])
    return Cells(origins, donors, donor_eras, pairs[:, 0], pairs[:, 1]), rows


def _donors(wide: pd.DataFrame) -> tuple[list[str], list[str], NDArray[np.intp]]:
    """Donor releases, the era of each, and which is each row's (-1: none).

    The column holds a release and a hash of its data; one release is one donor.
    """
    none = np.full(len(wide), -1)
    if "donor" not in wide.index.names:
        return [], [], none
    column = wide.index.get_level_values("donor")
    short = {name: str(name).partition("/")[0] for name in column.unique() if pd.notna(name)}
    names = np.array([short.get(name, "") for name in column], dtype=object)
    donors, by = np.unique(names.astype(str), return_inverse=True)
    era = np.full(len(wide), "", dtype=object)
    if {"as_of", "last_month"} <= set(wide.index.names):
        days = [pd.DatetimeIndex(wide.index.get_level_values(k)) for k in ("as_of", "last_month")]
        era = eras(days[0].to_numpy(), days[1].to_numpy())
    first = np.array([int(np.flatnonzero(by == d)[0]) for d in range(donors.size)])
    if donors[0] == "":  # sorted first
        by = by - 1
        donors, first = donors[1:], first[1:]
    return [str(d) for d in donors], [str(era[f]) for f in first], by


def default_block(origins: NDArray[np.datetime64]) -> int:
    """Neighbouring origins that lie within 12 months, at most a third of them, at least 1."""
    if origins.size < 2:
        return 1
    return int(max(1, min(_in_a_year(origins), origins.size // 3)))


def _in_a_year(origins: NDArray[np.datetime64]) -> int:
    """Neighbouring origins within 12 months; of two or more."""
    days = np.array([int((b - a) / np.timedelta64(1, "D")) for a, b in pairwise(origins)])
    return round(365.25 / max(1.0, float(np.median(days))))


def weights(cells: Cells, samples: int, block: int | None, seed: int) -> Floats:
    """How often each cell is drawn, shape (B, C): a circular block bootstrap of the origins,
    times a bootstrap of the donors of each era.
    """
    n = cells.origins.size
    if samples < 0 or (block is not None and block < 1):
        raise ScoringError(
            f"bootstrap={samples} and block={block}",
            hint="bootstrap of at least 0, block of at least 1 origin",
        )
    few = any(cells.eras.count(era) < MIN_DONORS for era in set(cells.eras))
    if samples == 0 or n < MIN_ORIGINS or few:
        return np.zeros((0, cells.at.size))
    size = default_block(cells.origins) if block is None else min(block, n)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, n, size=(samples, -(-n // size)))
    drawn = (starts[:, :, None] + np.arange(size)).reshape(samples, -1)[:, :n] % n
    often_at = np.zeros((samples, n))
    np.add.at(often_at, (np.arange(samples)[:, None], drawn), 1.0)
    # A cell without a donor is always in: its column is the last.
    often_by = np.zeros((samples, len(cells.donors) + 1))
    often_by[:, -1] = 1.0
    for era in sorted(set(cells.eras)):
        own = np.flatnonzero(np.array(cells.eras) == era)
        took = own[rng.integers(0, own.size, size=(samples, own.size))]
        np.add.at(often_by, (np.arange(samples)[:, None], took), 1.0)
    return often_at[:, cells.at] * often_by[:, cells.by]
