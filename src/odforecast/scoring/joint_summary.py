"""Joint scores in a table: each model beside its own draws, shuffled between places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError, one_of
from odforecast.geography import NATION, REGIONS
from odforecast.scoring.asked import columns_of, table_of
from odforecast.scoring.columns import HORIZON_GROUPS, UNIT_KEYS, eras, horizon_group
from odforecast.scoring.joint_rows import JOINT_COLUMNS

#: What a row of joint scores is of, in order.
EXTENTS: Final = ("nation", "regions", "places", "all", "both")
#: What a row of one forecast is of, beside the forecast's own keys.
_UNIT: Final = ("target", "statistic", "place", "horizon", "month", "control")
#: Means: column of the table -> column here; those of the control have ``control_`` before them.
_MEANS: Final = {
    "score": "score",
    "log_score": "log_score",
    "cover_50": "coverage_50",
    "cover_90": "coverage_90",
    "pit": "pit",
}


def joint_summary(joint: pd.DataFrame, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Mean joint scores per model and statistic, beside those of the control.

    Parameters
    ----------
    joint : DataFrame or Results
        Rows of :func:`odforecast.scoring.joint_scores`, of one or more forecasts;
        ``Results.joint`` of a backtest.
    by : str or sequence of str
        Columns to group by, besides model, statistic and extent: ``horizon_group``, ``era``,
        ``vintage``, ``place`` …

    Returns
    -------
    DataFrame
        ``by``, ``model`` where there is one, ``statistic``, ``extent`` (``nation``, ``regions``,
        ``places``; ``all`` places as one vector; ``both``, places and months as one),
        ``n_units``, ``n_scorable``, ``n_places`` (fewest in a sum or vector); ``score``,
        ``log_score``, ``coverage_50``, ``coverage_90`` and mean ``pit`` over scorable rows, the
        same of the control (``control_score`` …; NaN where the control is the same draws), and
        ``ratio``, score over ``control_score``: below 1 where the dependence between places is
        worth something. A ratio near 1 and two coverages far apart: what the energy score does not
        see.
        ``reason`` is the commonest one of rows without a score.

    Notes
    -----
    Fewer places give a smaller energy score, from the very same draws. So where models stand side
    by side and one is scored on fewer places than another, its row counts as one without a score,
    and the ``reason`` says how many each had. Select the places that all have
    (:meth:`odforecast.Forecast.select`), score again, and they can be compared. Means are still
    over the rows that each model has: see that ``n_scorable`` is the same.

    Raises
    ------
    ScoringError
        If a column is missing, or the table is empty.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> table = od.scoring.joint_summary(od.scoring.joint_scores(made, od.Truth(panel)))
    >>> table.loc[table["statistic"] == "sum", ["extent", "n_scorable"]].to_numpy().tolist()
    [['nation', 12], ['regions', 48]]
    """
    joint, by = table_of(joint, "joint"), columns_of(by)
    if lacking := [name for name in JOINT_COLUMNS if name not in joint]:
        raise ScoringError(
            f"the table has no column {lacking[0]!r}",
            hint="give the rows of joint_scores, or Results.joint",
        )
    if joint.empty:
        raise ScoringError("the table of joint scores is empty", hint="backtest with joint=True")
    table = _grouped(_of_all_places(joint), by)
    keys = [*by, *(["model"] if "model" in table else []), "statistic", "extent"]
    apart = table["control"].to_numpy(dtype=bool)
    plain, control = table[~apart], table[apart & table["scorable"].to_numpy(dtype=bool)]
    known = plain[plain["scorable"].astype(bool)]
    grouped = plain.groupby(keys, observed=True, sort=True, dropna=False)
    out = grouped.size().to_frame("n_units")
    scored = known.groupby(keys, observed=True, sort=True, dropna=False)
    out["n_scorable"] = scored.size().reindex(out.index, fill_value=0)
    out["n_places"] = grouped["n_places"].min()
    columns = list(_MEANS)
    means = scored[columns].mean().rename(columns=_MEANS)
    shuffled = control.groupby(keys, observed=True, sort=True, dropna=False)[columns].mean()
    shuffled = shuffled.rename(columns={k: f"control_{v}" for k, v in _MEANS.items()})
    out = out.join(means).join(shuffled)
    out["ratio"] = out["score"] / out["control_score"]
    lost = plain[plain["reason"].astype(str) != ""]
    reason = lost.groupby(keys, observed=True, sort=True, dropna=False)["reason"].agg(
        lambda x: str(x.value_counts().index[0])
    )
    out["reason"] = reason.reindex(out.index).fillna("").astype(object)
    return out.reset_index()


def _of_all_places(joint: pd.DataFrame) -> pd.DataFrame:
    """Rows on fewer places than another model's, of the same unit, without their scores."""
    if "model" not in joint or joint["model"].nunique() < 2:
        return joint
    unit = [k for k in (*UNIT_KEYS, *_UNIT) if k in joint and k != "location"]
    known = joint["scorable"].to_numpy(dtype=bool)
    held = joint.assign(n_places=joint["n_places"].where(known))
    groups = held.groupby(list(dict.fromkeys(unit)), observed=True, sort=False, dropna=False)
    most = groups["n_places"].transform("max").to_numpy()
    fewer = known & (joint["n_places"].to_numpy() < most)
    if not fewer.any():
        return joint
    out = joint.copy()
    own = joint.loc[fewer, "n_places"].to_numpy()
    out["reason"] = out["reason"].astype(object)
    out.loc[fewer, "reason"] = [
        f"{n} places, where another model has {int(m)}" for n, m in zip(own, most[fewer])
    ]
    out.loc[fewer, "scorable"] = False
    return out


def _grouped(joint: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The table with its extent, and the groups of ``by`` that can be derived."""
    place = joint["place"].astype(str).to_numpy()
    whole = place == "all"
    picks = [place == NATION, np.isin(place, REGIONS), whole & (joint["horizon"] < 0), whole]
    extent = np.select(picks, ["nation", "regions", "both", "all"], "places")
    out = joint.assign(extent=pd.Categorical(extent, EXTENTS, ordered=True))
    if "horizon_group" in by:
        names = [horizon_group(int(h)) if h > 0 else "path" for h in out["horizon"]]
        out = out.assign(
            horizon_group=pd.Categorical(names, (*HORIZON_GROUPS, "path"), ordered=True)
        )
    if "era" in by and {"as_of", "last_month"} <= set(out.columns):
        out = out.assign(era=eras(out["as_of"].to_numpy(), out["last_month"].to_numpy()))
    if lacking := [name for name in by if name not in out]:
        raise ScoringError(
            f"the table of joint scores has no column {lacking[0]!r}",
            hint=one_of(lacking[0], map(str, out)),
        )
    return out
