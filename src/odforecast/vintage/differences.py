"""What one release says otherwise than another, cell by cell."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.geography import LOCATIONS
from odforecast.sources.table import INDICATORS

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive

_ORDER = tuple(x.state for x in LOCATIONS)


def compare(
    archive: Archive, a: str | dt.date, b: str | dt.date, indicator: str | None = None
) -> pd.DataFrame:
    """What one release says otherwise than another.

    Parameters
    ----------
    archive : Archive
    a, b : date or str
        Release dates.
    indicator : str, optional
        This one only.

    Returns
    -------
    DataFrame
        Rows whose reported count or status differs, in the order of the table: ``state``,
        ``month``, ``indicator``, ``reported_a``, ``reported_b``, ``change`` (b less a),
        ``percent`` (of a), ``status_a``, ``status_b`` (``"absent"`` where a release has no such
        row) and ``kind``: ``"changed"``, ``"appeared"`` or ``"vanished"``.

    Raises
    ------
    ArchiveError
        If the archive does not hold one of them.
    """
    keys = ["indicator", "state", "month"]
    sides = [
        archive.release(day, indicator)[[*keys, "reported", "status"]].astype({"status": object})
        for day in (a, b)
    ]
    both = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("_a", "_b"))
    for side in ("status_a", "status_b"):
        both[side] = both[side].where(both[side].notna(), "absent")
    same = (both["reported_a"] == both["reported_b"]) | (
        both["reported_a"].isna()
        & both["reported_b"].isna()
        & (both["status_a"] == both["status_b"])
    )
    found = both[~same].copy()
    found["change"] = found["reported_b"] - found["reported_a"]
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100 * found["change"].to_numpy() / found["reported_a"].to_numpy()
    found["percent"] = np.where(np.isfinite(percent), percent, np.nan)
    found["kind"] = np.where(
        found["reported_a"].isna() & found["reported_b"].notna(),
        "appeared",
        np.where(found["reported_a"].notna() & found["reported_b"].isna(), "vanished", "changed"),
    )
    rank = {
        "indicator": {k: i for i, k in enumerate(INDICATORS)},
        "state": {k: i for i, k in enumerate(_ORDER)},
    }
    found = found.sort_values(
        keys, key=lambda c: c.map(rank[str(c.name)]) if c.name in rank else c
    ).reset_index(drop=True)
    return found[
        [
            "state", "month", "indicator", "reported_a", "reported_b", "change", "percent",
            "status_a", "status_b", "kind",
        ]
    ]  # fmt: skip
