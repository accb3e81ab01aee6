"""The unit-level score table: its columns, and the groups its rows are summarised by.

A forecast unit is one (model, origin, location, target, month). A test locks the columns:
they are a file format.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError, near
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID
from odforecast.panel import ERAS, era_of
from odforecast.scoring.groups import REGION_GROUPS, SIZES, size_classes
from odforecast.scoring.groups import regions as regions_of

#: Who forecast what, from which data, scored against which truth; added by the backtest.
PROVENANCE_COLUMNS: Final = (
    "model",
    "model_version",
    "as_of",
    "last_month",
    "vintage",
    "donor",
    "donor_distance",
    "truth",
    "truth_release",
    "data_hash",
    "spec_hash",
    "seed",
)

#: What :func:`odforecast.scoring.score_units` says about each unit, apart from its scores.
UNIT_COLUMNS: Final = (
    "location",
    "target",
    "horizon",
    "month",
    "horizon_from_origin",
    "regime",
    "observed",
    "scorable",
    "reason",
    "n_draws",
)

#: The scores of a unit; all NaN where it is not scorable.
METRIC_COLUMNS: Final = (
    "wis",
    "wis_spread",
    "wis_over",
    "wis_under",
    "log_wis",
    "crps",
    "log_score",
    "ae",
    "ape",
    "bias",
    "pit",
    "cover_50",
    "cover_80",
    "cover_90",
    "cover_95",
)

#: Every column of the unit-level table (``median`` is known for units without truth, too).
SCORE_COLUMNS: Final = (*PROVENANCE_COLUMNS, *UNIT_COLUMNS, "median", *METRIC_COLUMNS)

#: Columns in deaths, which become deaths per 100,000 residents on the rate scale.
COUNT_COLUMNS: Final = (
    "observed",
    "median",
    "wis",
    "wis_spread",
    "wis_over",
    "wis_under",
    "crps",
    "ae",
)


#: What makes two rows the same forecast made by two models: those of these that a table has.
#: An origin is its last known month as well as its day: CDC published three months at once
#: in February 2022. And it is the donor of its delay: a month has several.
UNIT_KEYS: Final = (
    "as_of",
    "last_month",
    SCENARIO_ID,
    "vintage",
    "donor",
    "location",
    "target",
    "month",
    "truth",
    "truth_release",
    "scale",
)

#: Groups of horizons (months after the panel's last month), in order.
HORIZON_GROUPS: Final = ("nowcast", "1-3", "4-6", "7-12", "13+")

#: The rise (2020-21) and the fall (2023-24) of deaths, by the month that is forecast.
REGIMES: Final = ("rise", "fall", "other")

#: Columns that :func:`with_groups` adds.
_DERIVED: Final = ("horizon_group", "regime", "level", "era", "size", "region")


def horizon_group(horizon: int) -> str:
    """Group of a horizon; 0 and below revise months already published.

    Parameters
    ----------
    horizon : int
        Months after the panel's last month.

    Examples
    --------
    >>> import odforecast as od
    >>> [od.scoring.horizon_group(h) for h in (-2, 1, 6, 7, 24)]
    ['nowcast', '1-3', '4-6', '7-12', '13+']
    """
    for name, last in zip(HORIZON_GROUPS, (0, 3, 6, 12)):
        if horizon <= last:
            return name
    return HORIZON_GROUPS[-1]


def regimes(months: NDArray[np.datetime64]) -> NDArray[np.object_]:
    """Regime of each target month: ``rise`` (2020-21), ``fall`` (2023-24) or ``other``.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> od.scoring.regimes(np.array(["2019-12", "2021-03", "2024-12"], "M8[M]")).tolist()
    ['other', 'rise', 'fall']
    """
    years = np.asarray(months).astype("datetime64[Y]").astype(int) + 1970
    picks = [(years == 2020) | (years == 2021), (years == 2023) | (years == 2024)]
    return np.select(picks, ["rise", "fall"], "other").astype(object)


def eras(as_of: NDArray[np.datetime64], last_month: NDArray[np.datetime64]) -> NDArray[np.object_]:
    """Era of each origin by the days from the end of its last month: see :func:`era_of`.

    Examples
    --------
    >>> eras(np.array(["2019-08-14", "2024-12-11"], "M8[s]"),
    ...      np.array(["2019-01-01", "2024-07-01"], "M8[s]")).tolist()
    ['6.5', '4.5']
    """
    ends = (last_month.astype("datetime64[M]") + ONE_MONTH).astype("datetime64[D]")
    ages = (as_of.astype("datetime64[D]") - ends).astype(int) + 1
    different, which = np.unique(ages, return_inverse=True)
    return np.array([era_of(int(age)) for age in different], dtype=object)[which]


def with_groups(scores: pd.DataFrame, by: str | Sequence[str]) -> pd.DataFrame:
    """The scores with the grouping columns of ``by`` that can be derived, in their order.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores.
    by : str or sequence of str
        Columns to group by; ``horizon_group``, ``regime``, ``level`` (``nation``, the US
        row, or ``jurisdictions``), ``era`` (``6.5`` or ``4.5``: how many months old the
        newest month was at the release, or would have been), ``size`` (by the count known at the
        origin: ``under 500``, ``500-1,999``, ``2,000 or more``, or ``nation``; needs
        ``last_reported``) and ``region`` (census region, ``nation`` or ``none``) are added if the
        table lacks them.

    Raises
    ------
    ScoringError
        If a column is missing.
    """
    out, by = scores, [by] if isinstance(by, str) else by
    if "horizon_group" in by:
        group = out["horizon"].map({h: horizon_group(h) for h in out["horizon"].unique()})
        out = out.assign(horizon_group=pd.Categorical(group, HORIZON_GROUPS, ordered=True))
    if "regime" in by:
        regime = regimes(out["month"].to_numpy())
        out = out.assign(regime=pd.Categorical(regime, REGIMES, ordered=True))
    if "level" in by:
        level = np.where(out["location"].astype(str) == "US", "nation", "jurisdictions")
        out = out.assign(level=pd.Categorical(level, ("nation", "jurisdictions"), ordered=True))
    if "era" in by and {"as_of", "last_month"} <= set(out.columns):
        era = eras(out["as_of"].to_numpy(), out["last_month"].to_numpy())
        out = out.assign(era=pd.Categorical(era, ERAS, ordered=True))
    if "size" in by and "size" not in out and "last_reported" in out:  # counties have their own
        size = size_classes(out["last_reported"].to_numpy(), out["location"].astype(str))
        out = out.assign(size=pd.Categorical(size, SIZES, ordered=True))
    if "region" in by and "region" not in out:
        region = regions_of(out["location"].astype(str))
        out = out.assign(region=pd.Categorical(region, REGION_GROUPS, ordered=True))
    if missing := [name for name in by if name not in out]:
        there = list(map(str, out.columns))
        meant = near(missing[0], [*_DERIVED, *there])
        raise ScoringError(
            f"the score table has no column {missing[0]!r}",
            hint=(f"did you mean {meant[0]!r}? " if meant else "") + f"it has: {', '.join(there)}",
        )
    return out
