"""Figures of a confirmation: sums that are kept, and what is told from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from odforecast.geography import NATION

#: WIS is related to these two.
HUB, NAIVE = "hub-baseline", "naive+delay"
#: What stands beside the default.
BASELINES = (HUB, NAIVE, "auto-ets+delay", "cdc-predicted")
#: Horizons that are scored together, once all their months are settled.
GROUPS = {"nowcast": (0, 0), "1-3": (1, 3), "4-6": (4, 6), "7-12": (7, 12)}
LEVELS = ("nation", "jurisdictions")
#: Fewer groups of releases say nothing about how a figure varies.
MIN_GROUPS = 5
#: Resamples of an interval.
SAMPLES = 2000
_COUNTS = ("n", "n_hub", "n_naive")
_SUMS = (*_COUNTS, "wis", "cover_90", "ae", "ae_reported", "wis_hub", "hub", "wis_naive", "naive")

#: Sums of the nowcast by age.
AGES = ("n", "cover_90", "ae", "ae_reported", "n_revised", "cover_90_revised")


def figures(scores: pd.DataFrame, groups: Sequence[str], seen: str) -> list[dict[str, Any]]:
    """Sums over scorable units by model, level, horizons, and whether the month was ever seen.

    Sums, so that releases can be pooled later without being scored again.

    Parameters
    ----------
    scores : DataFrame
        Of one release.
    groups : sequence of str
        Which of :data:`GROUPS`.
    seen : str
        Last month of which a count was known while the default was built.

    Returns
    -------
    list of dict
        ``hub`` and ``naive`` are those baselines' WIS on the ``n_hub`` and ``n_naive`` units
        that both have; ``wis_hub`` and ``wis_naive`` the model's own on them.
    """
    rows = scores[scores["scorable"].astype(bool)].astype({"model": str, "location": str})
    level = np.where(rows["location"] == NATION, *LEVELS)
    rows = rows.assign(level=level, new=rows["month"] > pd.Timestamp(seen), n=1)
    rows["ae_reported"] = (rows["observed"] - rows["reported"]).abs()
    for name, label in (("hub", HUB), ("naive", NAIVE)):
        base = rows[rows["model"] == label].set_index(["location", "month"])["wis"]
        theirs = base.reindex(pd.MultiIndex.from_frame(rows[["location", "month"]])).to_numpy()
        rows[name], rows[f"n_{name}"] = theirs, ~np.isnan(theirs)
        rows[f"wis_{name}"] = rows["wis"].where(~np.isnan(theirs))
    out = []
    for group in groups:
        part = rows[rows["horizon"].between(*GROUPS[group])]
        for key, of in part.groupby(["level", "model", "new"], sort=True):
            row = {"group": group, "level": key[0], "model": key[1], "new": bool(key[2])}
            total = of[list(_SUMS)].sum()
            row |= {k: int(total[k]) for k in _COUNTS}
            row |= {k: round(float(total[k]), 4) for k in _SUMS if k not in _COUNTS}
            out.append(row)
    return out


def ages(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Sums of the nowcast by model, level and horizon, that is, by the age of a count.

    Parameters
    ----------
    scores : DataFrame
        Of one release.

    Returns
    -------
    list of dict
        ``horizon`` from -11 to 0; ``n_revised`` and ``cover_90_revised`` hold the counts that
        were revised (:func:`odforecast.scoring.units.revised`).
    """
    rows = scores[scores["scorable"].astype(bool) & (scores["horizon"] <= 0)]
    rows = rows.astype({"model": str, "location": str})
    rows = rows.assign(
        level=np.where(rows["location"] == NATION, *LEVELS),
        n=1,
        n_revised=rows["revised"].astype(int),
        cover_90_revised=rows["cover_90"].where(rows["revised"].astype(bool), 0.0),
        ae_reported=(rows["observed"] - rows["reported"]).abs(),
    )
    out = []
    for key, of in rows.groupby(["level", "model", "horizon"], sort=True):
        total = of[list(AGES)].sum()
        row = {"level": key[0], "model": key[1], "horizon": int(key[2])}
        out.append(row | {k: round(float(total[k]), 4) for k in AGES})
    return out


def table_of(confirmations: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """All figures in one table, each with its release and its group of releases."""
    rows = [
        {"release": c["release"], "last_month": c["last_month"], **row}
        for c in confirmations
        for row in c["figures"]
    ]
    table = pd.DataFrame(rows)
    block = years_apart(sorted(table["last_month"].unique()))
    return table.assign(block=table["last_month"].map(block))


def years_apart(last_months: Sequence[str]) -> dict[str, int]:
    """Groups of releases: those whose last months lie within a year share their errors.

    Examples
    --------
    >>> years_apart(["2019-04", "2020-03", "2020-04"])
    {'2019-04': 0, '2020-03': 0, '2020-04': 1}
    """
    out: dict[str, int] = {}
    first, number = None, -1
    for text in last_months:
        month = np.datetime64(text, "M")
        if first is None or int((month - first).astype(int)) >= 12:
            first, number = month, number + 1
        out[text] = number
    return out


def told(part: pd.DataFrame, seed: int = 1) -> dict[str, Any]:
    """What the sums of one model, level and group of horizons say.

    Parameters
    ----------
    part : DataFrame
        Rows of :func:`table_of`.
    seed : int

    Returns
    -------
    dict
        Units (``n``), releases, groups of releases; mean WIS, its ratio to each baseline's,
        coverage, errors; ``interval``: 90% of the ratio to the hub baseline over resampled groups,
        None where there are fewer than :data:`MIN_GROUPS`.
    """
    total = part[list(_SUMS)].sum()
    n = max(int(total["n"]), 1)
    blocks = part.groupby("block")[["wis_hub", "hub"]].sum().to_numpy()
    interval = None
    if len(blocks) >= MIN_GROUPS:
        took = np.random.default_rng(seed).integers(0, len(blocks), (SAMPLES, len(blocks)))
        drawn = blocks[took].sum(axis=1)
        interval = tuple(np.quantile(drawn[:, 0] / drawn[:, 1], [0.05, 0.95]).tolist())
    return {
        "n": int(total["n"]), "new": int(part.loc[part["new"], "n"].sum()),
        "releases": part["release"].nunique(), "groups": len(blocks),
        "wis": total["wis"] / n, "cover_90": total["cover_90"] / n,
        "hub": ratio(total["wis_hub"], total["hub"]),
        "naive": ratio(total["wis_naive"], total["naive"]),
        "ae": total["ae"] / n, "ae_reported": total["ae_reported"] / n,
        "ae_ratio": ratio(total["ae"], total["ae_reported"]), "interval": interval,
    }  # fmt: skip


def ratio(mine: float, theirs: float) -> float:
    """NaN where there is nothing to divide by."""
    return float(mine / theirs) if theirs > 0 else float("nan")
