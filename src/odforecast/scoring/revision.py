"""Revisions: what became of counts that had been published when the forecast was made.

A nowcast is scored on counts of which 95 % and more are known. WIS of the count is WIS of the
revision (final less reported), for the reported count is a constant; what tells nowcasts apart is
the score beside that of leaving the count as it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.names import TARGET_12MO

#: A count was revised if it moved by more than this: deaths, or a share of it.
MOVED_DEATHS, MOVED_SHARE = 1.0, 0.002


def revised(observed: ArrayLike, reported: ArrayLike) -> NDArray[np.bool_]:
    """Whether counts became others by more than the larger of 1 death and 0.2 %.

    The interval of a count that never changes holds it whatever its width: coverage of a
    nowcast is told by those that do.

    Parameters
    ----------
    observed, reported : array_like
        The count as it became, and as it was; of one shape.

    Returns
    -------
    ndarray of bool
        False where either is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring.revision import revised
    >>> revised([101, 102, 1002, 1003, np.nan], [100, 100, 1000, 1000, 100]).tolist()
    [False, True, False, True, False]
    """
    was = np.asarray(reported, dtype=float)
    moved = np.abs(np.asarray(observed, dtype=float) - was)
    return np.asarray(moved > np.maximum(MOVED_DEATHS, MOVED_SHARE * was))


def against_reported(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Mean WIS of the nowcast beside the mean absolute revision, on the same units.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores with ``reported``.
    keys : list of str
        Columns that make a group.

    Returns
    -------
    DataFrame
        Indexed by ``keys``, groups without a nowcast left out: ``n_revised``, units that were
        revised; ``mae_reported``, mean absolute revision (the error of the reported count, as
        it would be if nobody completed it); ``rel_wis_reported``, mean WIS over that: below 1
        is better than the reported count, NaN where nothing was revised;
        ``coverage_90_revised``, coverage of the 90 % interval over the revised units.
    """
    known = scores["scorable"].astype(bool) & scores["reported"].notna()
    known &= scores["target"].astype(str) == TARGET_12MO
    table = scores[known]
    moved = revised(table["observed"], table["reported"])
    if "revised" in table:  # as it was in deaths, should the table be per 100,000
        moved = table["revised"].to_numpy(dtype=bool)
    table = table.assign(
        _moved=moved,
        _revision=(table["observed"] - table["reported"]).abs(),
        _covered=table["cover_90"].where(moved),
    )
    groups = table.groupby(keys, observed=True, sort=True, dropna=False)
    out = groups["_moved"].sum().to_frame("n_revised")
    out["mae_reported"] = groups["_revision"].mean()
    share = groups["wis"].mean() / out["mae_reported"]
    out["rel_wis_reported"] = share.where(out["mae_reported"] > 0)
    out["coverage_90_revised"] = groups["_covered"].mean()
    return out
