"""Blocks: the units that are submitted together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from odforecast.backtesting.unit import Unit
from odforecast.names import COUNTIES

#: Units of one model that are submitted together.
BLOCK = 8


def blocks(units: Sequence[Unit], todo: Iterable[int]) -> list[list[int]]:
    """Indices of what is submitted together: up to :data:`BLOCK` units of one model.

    Units of counties go origin by origin, and so do their blocks, whatever the model: what models
    share of an origin (the states' paths that most of them rest on) is worked out once in a
    process and need not be kept for long.
    """
    if units and units[0].truth.panel.dataset == COUNTIES:
        rank = {o: i for i, o in enumerate(dict.fromkeys(id(u.origin) for u in units))}
        todo = sorted(todo, key=lambda i: rank[id(units[i].origin)])
    found: list[list[int]] = []
    for index in todo:
        last = found[-1] if found else []
        if last and len(last) < BLOCK and _together(units[last[0]], units[index]):
            last.append(index)
        else:
            found.append([index])
    return found


def _together(one: Unit, other: Unit) -> bool:
    if one.model is not other.model:
        return False
    return one.truth.panel.dataset != COUNTIES or one.origin is other.origin
