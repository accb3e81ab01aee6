"""What the share of a drug class says of a state's growth relative to the nation.

Where few deaths are with fentanyl there is room for more; where its share rises, deaths have risen
faster than the nation's. A pooled ridge regression, on all that is known at the origin, of the
12-month growth of a state's count relative to the nation's on the share of T40.4 less the nation's
and on its change in twelve months.
"""

from __future__ import annotations

import numpy as np

from odforecast.geography import JURISDICTIONS, NATION
from odforecast.panel import Floats, Panel

#: The class that tells.
CLASS = "T40.4"
#: Penalty on the coefficients of standardised covariates, in counts of 12,000 deaths. A fifth and
#: four times of it gave the same scores.
RIDGE = 50.0 / 12.0
#: A count weighs by its deaths, this at most; outcomes of twelve months overlap.
MOST = 2000.0
#: Fewer outcomes than these tell nothing.
MIN_OUTCOMES = 200


def relative_growth(deaths: Floats, nation: Floats, part: Floats, part_nation: Floats) -> Floats:
    """Expected growth of each location's count over twelve months relative to the nation's.

    Parameters
    ----------
    deaths, part : ndarray, shape (L, T)
        12-month-ending deaths of all drugs and of the class, up to the origin; NaN where hidden.
    nation, part_nation : ndarray, shape (T,)

    Returns
    -------
    ndarray, shape (L,)
        On the log scale; 0 where the class is not known, or too little is known at all.
    """
    share = part / deaths - part_nation / nation
    change = np.full_like(share, np.nan)
    change[:, 12:] = share[:, 12:] - share[:, :-12]
    x = np.stack([share, change], axis=-1)
    relative = np.log(deaths / nation)
    growth = np.full_like(relative, np.nan)
    growth[:, :-12] = relative[:, 12:] - relative[:, :-12]
    known = ~np.isnan(x).any(axis=-1) & np.isfinite(growth)
    if known.sum() < MIN_OUTCOMES:
        return np.zeros(len(deaths))
    x = x / np.nanstd(x.reshape(-1, 2), axis=0)
    weight = np.minimum(deaths[known], MOST) / (12.0 * 1000.0)
    weighted = x[known] * weight[:, None]
    beta = np.linalg.solve(weighted.T @ x[known] + RIDGE * np.eye(2), weighted.T @ growth[known])
    expected: Floats = np.nan_to_num(x[:, -1] @ beta)
    return expected


def growth_of(panel: Panel) -> dict[str, float]:
    """:func:`relative_growth` of the jurisdictions of a panel, by CDC code.

    Empty where the panel has no T40.4 of the same last month beside it, or not all jurisdictions.
    """
    beside = panel.beside.get(CLASS)
    whole = [NATION, *JURISDICTIONS]
    if beside is None or beside.last_month != panel.last_month:
        return {}
    if NATION not in beside.locations or any(s not in panel.locations for s in whole):
        return {}
    n = min(panel.months.size, beside.months.size)
    deaths = panel.reported[[panel.locations.index(s) for s in whole], -n:]
    part = np.full(deaths.shape, np.nan)
    for i, state in enumerate(whole):
        if state in beside.locations:
            part[i] = beside.reported[beside.locations.index(state), -n:]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = relative_growth(deaths[1:], deaths[0], part[1:], part[0])
    return {s: float(g) for s, g in zip(JURISDICTIONS, found, strict=True) if g != 0.0}


def tilted(paths: Floats, growth: Floats) -> Floats:
    """Months of the parts moved by the growth expected of each, their sum unchanged in each draw.

    Parameters
    ----------
    paths : ndarray, shape (D, L, H)
        Monthly deaths after the origin.
    growth : ndarray, shape (L,)
        Log growth of the 12-month count over twelve months, relative to the nation.

    Returns
    -------
    ndarray, shape (D, L, H)
    """
    # Months that grow by g/6.5 each make 12-month counts that have grown by g after twelve.
    ahead = np.minimum(np.arange(1, paths.shape[2] + 1), 12) / 6.5
    moved = paths * np.exp(growth[:, None] * ahead)
    total = total_of(moved)
    scale = np.divide(total_of(paths), total, out=np.ones_like(total), where=total > 0)
    out: Floats = moved * scale[:, None]
    return out


def total_of(paths: Floats) -> Floats:
    """Sum of the parts (D, L, H) in each draw and month, one part after the other; shape (D, H).

    numpy would add the parts of a single month up in pairs: another last digit.
    """
    total = paths[:, 0].copy()
    for i in range(1, paths.shape[1]):
        total += paths[:, i]
    return total
