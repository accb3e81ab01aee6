"""Joint samples of a submission: the energy score of whatever belongs to one sample."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.hub.scoring import rules
from odforecast.hub.scoring.observations import Observations
from odforecast.hub.scoring.tables import OUTPUT_TYPE
from odforecast.hub.scoring.tasks import Task, find_tasks
from odforecast.hub.scoring.units import Block


def energy_scores(
    table: pd.DataFrame,
    task_ids: Sequence[str],
    observations: Observations,
    tasks: Sequence[Task],
    scale: str = "natural",
) -> pd.DataFrame:
    """Energy scores of joint samples: a row per compound unit, by the hub's configuration.

    Parameters
    ----------
    table, task_ids, observations, tasks, scale
        As for :func:`score_submission`.

    Returns
    -------
    DataFrame
        ``task_ids`` (text; empty for those that vary within a sample), ``scale``, ``joint_over``
        (the task ids that vary), ``n_samples``, ``n_units`` (values of one sample),
        ``n_known`` (of these, how many came: the score is of them), ``truth``,
        ``truth_as_of``, ``energy_score``, ``scorable``, ``reason`` and ``units``, a digest of
        which values these are: months 1 and 2 are no months 2 and 3. Without rows where the
        hub has no joint samples.
    """
    columns = [*task_ids, "scale", "joint_over", "n_samples", "n_units", "n_known", "truth",
               "truth_as_of", "energy_score", "scorable", "reason", "units"]  # fmt: skip
    rows = table[table[OUTPUT_TYPE] == "sample"]
    if rows.empty:
        return pd.DataFrame(columns=columns)
    number = rows.groupby(list(task_ids), sort=False).ngroup().to_numpy().astype(np.intp)
    once = ~pd.Series(number, index=rows.index).duplicated()
    units = rows[list(task_ids)][once].reset_index(drop=True)
    block = Block("sample", rows, number, units, observations, tasks, scale)
    block.no_numbers()
    broken = block.reasons.copy()
    block.find_known()
    found = find_tasks(units, "sample", tasks)
    out = []
    for which in dict.fromkeys(found[found >= 0].tolist()):
        task = tasks[which]
        if task.compound is None:
            continue
        same = [c for c in task_ids if c in task.compound]
        joint = [c for c in task_ids if c not in task.compound and c not in task.derived]
        mine = np.flatnonzero(found == which)
        joint = [c for c in joint if len(set(units[c].iloc[mine])) > 1]
        if not joint:
            continue
        groups = units.iloc[mine].groupby(same, sort=False) if same else [((), units.iloc[mine])]
        for _, part in groups:
            row = _energy(block, part.index.to_numpy(), broken, scale)
            first = units.iloc[part.index[0]]
            row |= {c: first[c] if c in same else "" for c in task_ids}
            row |= {"joint_over": ", ".join(joint), "scale": scale, "truth": observations.kind}
            row["units"] = _digest(part[joint])
            out.append(row)
    return pd.DataFrame(out, columns=columns)


def _digest(units: pd.DataFrame) -> str:
    """A short name of a set of units, whatever their order."""
    rows = sorted(map(tuple, units.to_numpy(dtype=object).tolist()))
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]


def _energy(
    block: Block, where: NDArray[np.intp], broken: NDArray[np.object_], scale: str
) -> dict[str, object]:
    """One compound unit."""
    known = where[~np.isnan(block.observed[where])]
    row: dict[str, object] = {
        "n_samples": int(block.sizes[where].max()),
        "n_units": len(where),
        "n_known": len(known),
        "truth_as_of": max((str(block.as_of[i]) for i in known), default=""),
        "energy_score": np.nan,
    }
    reason, draws = "", []
    ids: list[str] | None = None
    for i in where:
        span = slice(block.starts[i], block.starts[i] + block.sizes[i])
        order = np.argsort(block.ids[span], kind="stable")
        here = block.ids[span][order].tolist()
        if broken[i]:
            reason = str(broken[i])
        elif ids is not None and here != ids:
            reason = "its samples do not belong together: their ids differ from unit to unit"
        if reason:
            break
        ids = here
        draws.append(block.values[span][order])
    if not reason and not len(known):
        reason = str(block.reasons[where[0]])
    if not reason and len(block.ids) and row["n_samples"] == 1:
        reason = "one sample is no distribution"
    if not reason:
        kept = [k for k, i in enumerate(where) if i in set(known.tolist())]
        x, y = np.stack(draws, axis=1)[:, kept], block.observed[known]
        if scale == "log" and (x < 0).any():
            reason = "a log scale needs values of 0 or more"
        else:
            x, y = (np.log1p(x), np.log1p(y)) if scale == "log" else (x, y)
            row["energy_score"] = rules.energy_score(x, y)
    return row | {"scorable": reason == "", "reason": reason}
