"""What a hub asks for, as far as scores need it: orders of categories, and joint samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.hub.layout import Hub
from odforecast.hub.scoring.tables import text_of


@dataclass(frozen=True)
class Task:
    """One block of a round: values of its task ids, and what it says of each output type.

    Attributes
    ----------
    allowed : mapping
        Task id to the values it may have, as text.
    categories : tuple of str
        Of ``pmf``, in the order of the configuration.
    ordinal : mapping
        Values of the target's keys to whether its categories have an order.
    compound : tuple of str or None
        Task ids that stay the same within one sample; None where the hub does not say.
    derived : tuple of str
        Task ids that follow from others.
    output_types : tuple of str
    keys : tuple of str
        Task ids that name the target.
    time_unit : str
        ``"day"``, ``"week"``, ``"month"`` …; empty where steps are none.
    origin : str
        The task id that names the round; empty if none does.
    """

    allowed: Mapping[str, frozenset[str]]
    categories: tuple[str, ...]
    ordinal: bool
    compound: tuple[str, ...] | None
    derived: tuple[str, ...]
    output_types: tuple[str, ...]
    keys: tuple[str, ...]
    time_unit: str
    origin: str


def tasks_of(hub: Hub) -> tuple[Task, ...]:
    """All blocks of all rounds of a hub."""
    out: list[Task] = []
    everywhere = hub.tasks.get("derived_task_ids")
    for turn in hub.rounds:
        derived = tuple(map(str, turn.get("derived_task_ids") or everywhere or ()))
        origin = str(turn.get("round_id", "")) if turn.get("round_id_from_variable") else ""
        for block in turn.get("model_tasks") or ():
            out.append(_task(block, derived, origin))
    return tuple(out)


def _task(block: Mapping[str, Any], derived: tuple[str, ...], origin: str) -> Task:
    allowed = {
        str(name): frozenset(_values(said)) for name, said in (block.get("task_ids") or {}).items()
    }
    types = block.get("output_type") or {}
    metadata = [m for m in block.get("target_metadata") or () if isinstance(m, dict)]
    params = (types.get("sample") or {}).get("output_type_id_params") or {}
    compound = params.get("compound_taskid_set")
    units = {str(m.get("time_unit")) for m in metadata if m.get("is_step_ahead")}
    return Task(
        allowed=allowed,
        categories=tuple(_values((types.get("pmf") or {}).get("output_type_id") or {})),
        ordinal={m.get("target_type") for m in metadata} == {"ordinal"},
        compound=None if compound is None else tuple(map(str, compound)),
        derived=derived,
        output_types=tuple(map(str, types)),
        keys=tuple(dict.fromkeys(str(k) for m in metadata for k in m.get("target_keys") or {})),
        time_unit=units.pop() if len(units) == 1 else "",
        origin=origin,
    )


def _values(said: Any) -> list[str]:
    """Values of ``{"required": [...], "optional": [...]}``, in their order."""
    if not isinstance(said, dict):
        return []
    return [text_of(x) for part in ("required", "optional") for x in said.get(part) or ()]


def find_tasks(units: pd.DataFrame, output_type: str, tasks: Sequence[Task]) -> NDArray[np.intp]:
    """The block that each unit is of; −1 where the hub asks for no such thing.

    Parameters
    ----------
    units : DataFrame
        Task ids, a row per unit.
    output_type : str
    tasks : sequence of Task

    Returns
    -------
    ndarray of int, shape (units,)
    """
    out = np.full(len(units), -1, dtype=np.intp)
    for i, task in enumerate(tasks):
        if output_type not in task.output_types:
            continue
        fits = out < 0
        for name, values in task.allowed.items():
            if name in units and values:
                fits &= units[name].isin(values).to_numpy()
        out[fits] = i
    return out
