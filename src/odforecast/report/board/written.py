"""The benchmark's numbers as files: JSON that is committed, and tables for the docs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from odforecast.errors import DataError
from odforecast.io import replacing
from odforecast.report.board.numbers import FORMAT
from odforecast.report.board.tables import NOTHING_COMMON, in_all, second_of
from odforecast.scoring.columns import HORIZON_GROUPS

_LEVELS = {"jurisdictions": "states, DC and New York City", "nation": "United States"}
#: Models that a table of the docs shows, the best first; the page has all.
_SHOWN = 12


def write_summary(summary: Mapping[str, Any], path: str | Path) -> Path:
    """Write numbers as JSON; the same numbers give the same bytes.

    Parameters
    ----------
    summary : mapping
    path : path
    """
    out = Path(path)
    text = _dump(packed(summary))
    with replacing(out) as part:
        part.write_text(text + "\n", encoding="utf-8", newline="\n")
    return out


def packed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The same with tables as a head and rows of values: names of columns stand once."""
    tasks = []
    for task in summary["tasks"]:
        each = dict(task)
        if task["run"]:
            each["tables"] = {name: _pack(rows) for name, rows in task["tables"].items()}
            each["pairwise"] = {
                "models": task["pairwise"]["models"],
                "rows": _pack(task["pairwise"]["rows"]),
            }
        tasks.append(each)
    return {**summary, "tasks": tasks}


def unpacked(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The other way."""
    tasks = []
    for task in summary["tasks"]:
        each = dict(task)
        if task["run"]:
            each["tables"] = {name: _unpack(rows) for name, rows in task["tables"].items()}
            each["pairwise"] = {
                "models": task["pairwise"]["models"],
                "rows": _unpack(task["pairwise"]["rows"]),
            }
        tasks.append(each)
    return {**summary, "tasks": tasks}


def _pack(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    head = list(rows[0]) if rows else []
    return {"columns": head, "rows": [[row[name] for name in head] for row in rows]}


def _unpack(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def _dump(value: Any, depth: int = 0) -> str:
    """JSON; a list or mapping without others in it, such as a row, on one line."""
    inside = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list) or not any(
        isinstance(v, Mapping | list) for v in inside
    ):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    pad = " " * (depth + 1)
    if isinstance(value, Mapping):
        parts = [
            f"{pad}{json.dumps(str(k), ensure_ascii=False)}: {_dump(value[k], depth + 1)}"
            for k in value
        ]
        return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}"
    parts = [pad + _dump(v, depth + 1) for v in value]
    return "[\n" + ",\n".join(parts) + "\n" + " " * depth + "]"


def read_summary(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_summary` wrote.

    Raises
    ------
    DataError
        If there is no such file, or it holds something else.
    """
    source = Path(path)
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise DataError(
                f"{source}: format {found['format']!r}, known is {FORMAT}",
                hint="make leaderboard writes it again",
            )
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{source} holds no numbers of a leaderboard: {error}") from error
    return unpacked(found)


def read_timings(path: str | Path) -> dict[str, Any] | None:
    """Seconds per origin, by task and model, and the machine; None where nobody measured them."""
    source = Path(path)
    if not source.exists():
        return None
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
        return {"machine": str(found["machine"]), "tasks": dict(found["tasks"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{source} holds no seconds of a leaderboard: {error}") from error


def markdown(summary: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> str:
    """The main tables for the docs: per task and level the ratio to both denominators.

    Parameters
    ----------
    summary : mapping
    timings : mapping, optional
        As :func:`odforecast.report.board.board_page` takes them.
    """
    from odforecast.report.board.page import costs_of

    lines: list[str] = []
    for task in summary["tasks"]:
        lines += [f"## `{task['name']}`", "", f"{task['title']}."]
        if not task["run"]:
            lines += ["", f"Not run: {task['reason']}", ""]
            continue
        lines[-1] += f" Fingerprint `{task['fingerprint'][:12]}`, {task['n_origins']} origins."
        lines.append("")
        costs = costs_of(task, timings)
        for level in _LEVELS:
            lines += _table(task, "horizons", level, costs, "")
            if "today" in task["tables"]:
                lines += _table(task, "today", level, {}, ", releases as they come today")
    return "\n".join(lines).rstrip() + "\n"


def _table(
    task: Mapping[str, Any], name: str, level: str, costs: Mapping[str, float], about: str
) -> list[str]:
    rows = [r for r in task["tables"][name] if r["level"] == level]
    held = [g for g in HORIZON_GROUPS if any(r["horizon_group"] == g for r in rows)]
    if not held:
        return []
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for r in rows:
        groups.setdefault(r["model"], {})[r["horizon_group"]] = r
    apart = [m for m in groups if not all(in_all(r) for r in groups[m].values())]
    order = sorted(
        groups, key=lambda m: (m in apart, _mean([groups[m][g]["wis_all"] for g in held]))
    )
    ahead = " / ".join(g.replace("-", "–") for g in held)
    counts = " / ".join(f"{groups[order[0]][g]['n_all']:,}" for g in held)
    second = second_of(task) or "naive+delay"
    head = ["model", "WIS / `hub-baseline`", f"WIS / `{second}`", "90 % held", "missing"]
    head += ["seconds"] if costs else []
    lines = [
        f"**{_LEVELS[level][0].upper()}{_LEVELS[level][1:]}{about}**, {ahead} months ahead; counts "
        f"that all models have: {counts}"
        + (f". {NOTHING_COMMON}" if any(not groups[order[0]][g]["n_all"] for g in held) else ""),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for model in order[:_SHOWN]:
        mine = groups[model]
        missing = sum(mine[g]["n_missing"] for g in held)
        cells = [
            f"`{model}`",
            _cells([mine[g]["rel_wis"] for g in held]),
            _cells([mine[g]["rel_naive"] for g in held]),
            _cells([mine[g]["coverage_90"] for g in held]),
            f"{missing:,}",
        ]
        if costs:
            cells.append(f"{costs[model]:.2f}" if model in costs else "–")
        lines.append(f"| {' | '.join(cells)} |")
    if apart:
        named = ", ".join(f"`{m}`" for m in sorted(apart))
        lines += ["", f"Not among all, for fewer than half of the counts were forecast: {named}."]
    if len(order) > _SHOWN:
        lines += ["", f"{len(order) - _SHOWN} more models are on the page."]
    return [*lines, ""]


def _cells(values: Sequence[float | None]) -> str:
    return " / ".join("–" if v is None else f"{v:.2f}" for v in values)


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else float("inf")
