"""The numbers of the benchmark's page: worked out, rounded, written to files and read back.

They hold nothing of the machine they were worked out on, and the page (``board_page.py``) is made
of them alone, so that whoever has the numbers has the page. ``markdown`` makes the tables of the
documentation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.board import Board, on_all
from odforecast.backtesting.task import Task
from odforecast.errors import DataError
from odforecast.geography import JURISDICTIONS
from odforecast.io import replacing
from odforecast.names import COVERAGE_LEVELS, VINTAGE_CLEAN, VINTAGE_DELAYED
from odforecast.panel import ERAS
from odforecast.scoring import pairwise, pit_histogram
from odforecast.scoring.columns import HORIZON_GROUPS
from odforecast.seeds import content_hash
from odforecast.version import __version__

#: Raised when the form of the numbers changes.
FORMAT = 1
#: Origins that nobody looked at while the structure of the models was chosen: REALTIME's claim.
CLAIM = "2021-01"
#: Models that are held against one another, the best ones, and tenths of the PIT histogram.
PAIRED, TENTHS = 8, 10
#: Names of the tables of a task.
TABLES = ("all", "horizons", "claim", "today", "regimes")
_LIBRARIES = ("numpy", "scipy", "pandas", "numba", "statsforecast", "sktime")
#: Of a column, how its numbers are rounded: digits behind the point, or significant ones.
_DECIMALS = {"coverage_50": 3, "coverage_90": 3}
_SIGNIFICANT = ("wis", "wis_all")

_LEVELS = {"jurisdictions": "states, DC and New York City", "nation": "United States"}
#: Models that a table of the docs shows, the best first; the page has all.
_SHOWN = 5
NOTHING_COMMON = (
    "No count was forecast by all models, so there is no common WIS or coverage: either no model "
    "has half of the counts, or each count was forecast by some models only."
)

Rows = list[dict[str, Any]]


def task_summary(board: Board, kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All that the page shows of one task.

    Parameters
    ----------
    board : Board
    kinds : mapping of str to str, optional
        What a model is: ``"sktime"``, ``"plug-in"`` …; default: built-in, or submitted.

    Returns
    -------
    dict
        Plain values: name, fingerprint and definition of the task; ``models``; ``tables``, each a
        list of rows of :meth:`Board.table`; ``coverage`` and ``pit`` by level and model;
        ``pairwise``.
    """
    task, says = board.task, board.parts[0].manifest
    delayed = task["definition"]["vintages"] == VINTAGE_DELAYED
    origins = [o for o in says["origins"] if o["data_hash"] is not None]
    months = sorted(o["last_month"] for o in origins)
    tables = {
        "all": board.table(by=["level"]),
        "horizons": board.table(),
        "regimes": board.table(by=["level", "regime"]),
    }
    if months and months[0] < CLAIM <= months[-1]:
        tables["claim"] = board.table(since=CLAIM)
    if delayed:
        tables["today"] = board.table(only={"era": ERAS[1]})
    return {
        "name": task["name"],
        "title": task["definition"]["title"],
        "run": True,
        "fingerprint": task["fingerprint"],
        "definition": task["definition"],
        "n_origins": len(origins),
        "first": months[0] if months else "",
        "last": months[-1] if months else "",
        "n_donors": len({o["donor"] for o in origins if o["donor"]}),
        "places": _places(says["locations"]),
        "truth": dict(says["truth"]),
        "data": content_hash(*(o["data_hash"] for o in origins)),
        "code": ", ".join(sorted({code for p in board.parts if (code := p.made_by["code"])})),
        "models": _models(board, kinds or {}),
        "tables": {name: rows_of(table) for name, table in tables.items()},
        "coverage": _coverage(board),
        "pit": _pit(board),
        "pairwise": _pairwise(board, tables["all"]),
    }


def task_not_run(task: Task, reason: str) -> dict[str, Any]:
    """What the page shows of a task that could not be run: its name, and why."""
    return {
        "name": task.name,
        "title": task.definition["title"],
        "run": False,
        "reason": reason,
        "definition": dict(task.definition),
    }


def summary_of(
    tasks: Sequence[Mapping[str, Any]],
    left_out: Sequence[tuple[str, str, str]] = (),
    commands: Sequence[str] = (),
) -> dict[str, Any]:
    """The numbers of the whole page.

    Parameters
    ----------
    tasks : sequence of mapping
        Of :func:`task_summary` and :func:`task_not_run`; what decides comes first.
    left_out : sequence of (task, model, reason)
        Models that are not on a board, and why.
    commands : sequence of str
        What makes it again.
    """
    return {
        "format": FORMAT,
        "odforecast": __version__,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "commands": list(commands),
        "tasks": [dict(t) for t in tasks],
        "left_out": [{"task": t, "model": m, "reason": r} for t, m, r in left_out],
    }


def rows_of(table: pd.DataFrame) -> Rows:
    """Rows of a table as plain values: numbers rounded, None where there is none."""
    out = []
    for row in table.to_dict("records"):
        out.append({str(k): _plain(str(k), v) for k, v in row.items()})
    return out


def _models(board: Board, kinds: Mapping[str, str]) -> Rows:
    out = []
    for row in board.entries.to_dict("records"):
        usual = "submitted" if row["submitted"] else "built-in"
        out.append(
            {
                "model": row["model"],
                "kind": kinds.get(row["model"], usual),
                "version": row["version"],
                "spec": row["spec_hash"],
                "code": row["code"],
                "n_asked": int(row["n_asked"]),
                "n_missing": int(row["n_missing"]),
                "n_failures": int(row["n_failures"]),
                "failure": row["failure"],
            }
        )
    return out


def _coverage(board: Board) -> dict[str, dict[str, list[float | None]]]:
    """Shares of the counts that all have inside the intervals, by level and model, in the order
    of the levels; None for a model that is not among all.
    """
    names = [f"cover_{round(100 * c)}" for c in COVERAGE_LEVELS]
    out: dict[str, dict[str, list[float | None]]] = {}
    for named, grid in board.grid.groups(["level"]):
        means = np.array([on_all(grid, name)[2] for name in names])
        out[str(named["level"])] = {
            model: [_round(v, 3, decimals=True) for v in means[:, m]]
            for m, model in enumerate(grid.models)
        }
    return out


def _pit(board: Board) -> dict[str, dict[str, list[int]]]:
    """Counts per tenth of the PIT, by level and model; empty for quantiles alone."""
    out: dict[str, dict[str, list[int]]] = {}
    for named, grid in board.grid.groups(["level"]):
        found = {}
        for m, model in enumerate(grid.models):
            values = grid.values["pit"][:, m]
            values = values[np.isfinite(values)]
            if values.size:
                found[model] = [int(n) for n in pit_histogram(values, TENTHS)["n"]]
        out[str(named["level"])] = found
    return out


def _pairwise(board: Board, table: pd.DataFrame) -> dict[str, Any]:
    """The best models against one another, in the jurisdictions."""
    rows = table[table["level"].astype(str) == "jurisdictions"]
    rows = rows.assign(apart=~rows["in_all"].to_numpy(dtype=bool))
    best_first = rows.sort_values(["apart", "wis_all", "wis"], kind="stable")
    ranked = best_first["model"].astype(str).tolist()
    must = [m for m in ("hub-baseline", board.second) if m in ranked and m is not None]
    best = [m for m in ranked if m not in must][: PAIRED - len(must)]
    shown = [m for m in ranked if m in {*best, *must}]
    if len(shown) < 2:
        return {"models": [], "rows": []}
    parts = [p for p in board.parts if p.model in shown]
    scores = pd.concat([p.made() for p in parts], ignore_index=True)
    scores = scores[scores["location"].astype(str) != "US"]
    found = pairwise(scores)
    keep = ["model", "other", "n_common", "n_groups", "n_better", "ratio", "lower", "upper"]
    return {"models": shown, "rows": rows_of(found[[c for c in keep if c in found]])}


def _places(locations: Sequence[str]) -> str:
    states = [s for s in locations if s != "US"]
    if set(JURISDICTIONS) <= set(states):
        return "all jurisdictions and the nation"
    return f"{len(states)} of {len(JURISDICTIONS)} jurisdictions" + (
        " and the nation" if len(states) < len(locations) else ""
    )


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if name in _SIGNIFICANT:
        return _round(value, 4)
    return _round(value, _DECIMALS.get(name, 3), decimals=True)


def _round(value: float, digits: int, decimals: bool = False) -> float | None:
    """A number with so many significant digits, or digits behind the point; None if it is none."""
    if not np.isfinite(value):
        return None
    return round(float(value), digits) if decimals else float(f"{value:.{digits}g}")


def _version(library: str) -> str:
    try:
        return installed(library)
    except PackageNotFoundError:
        return "absent"


def second_of(task: Mapping[str, Any]) -> str | None:
    """The other denominator of a task."""
    there = [m["model"] for m in task["models"]]
    usual = ("naive+delay", "naive") if "clean" in task["definition"]["vintages"] else (
        "naive+delay",
    )  # fmt: skip
    return next((m for m in usual if m in there), None)


def in_all(row: Mapping[str, Any]) -> bool:
    """Whether a model is among *all*; numbers of an earlier run do not say, and had no other."""
    return bool(row.get("in_all", True))


def costs_of(task: Mapping[str, Any], timings: Mapping[str, Any] | None) -> Mapping[str, float]:
    """Seconds per origin of the models of a task; empty where they are of another fingerprint."""
    found = (timings or {}).get("tasks", {}).get(task["name"], {})
    if found.get("fingerprint") != task["fingerprint"]:
        return {}
    return dict(found["seconds"])


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
        raise DataError(f"{source} is not a leaderboard file: {error}") from error
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
        raise DataError(f"{source} is not a file of leaderboard timings: {error}") from error


def markdown(summary: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> str:
    """The main tables for the docs: per task and level the ratio to both denominators.

    Parameters
    ----------
    summary : mapping
    timings : mapping, optional
        As :func:`board_page.board_page` takes them.
    """
    lines: list[str] = []
    for task in summary["tasks"]:
        if task["definition"]["vintages"] == VINTAGE_CLEAN:  # those are in docs/models/index.md
            continue
        lines += [f"## `{task['name']}`", "", f"{task['title']}."]
        if not task["run"]:
            lines += ["", f"Not run: {task['reason']}", ""]
            continue
        lines[-1] += f" Fingerprint `{task['fingerprint'][:12]}`, {task['n_origins']} origins."
        lines.append("")
        costs = costs_of(task, timings)
        for level in _LEVELS:
            lines += _table(task, level, costs)
    return "\n".join(lines).rstrip() + "\n"


def _table(task: Mapping[str, Any], level: str, costs: Mapping[str, float]) -> list[str]:
    rows = [r for r in task["tables"]["horizons"] if r["level"] == level]
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
    head = ["model", "WIS / `hub-baseline`", f"WIS / `{second}`", "90% coverage"]
    head += ["seconds"] if costs else []
    lines = [
        f"**{_LEVELS[level][0].upper()}{_LEVELS[level][1:]}**, {ahead} months ahead; counts "
        f"that all models have: {counts}"
        + (f". {NOTHING_COMMON}" if any(not groups[order[0]][g]["n_all"] for g in held) else ""),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for model in order[:_SHOWN]:
        mine = groups[model]
        cells = [
            f"`{model}`",
            _cells([mine[g]["rel_wis"] for g in held]),
            _cells([mine[g]["rel_naive"] for g in held]),
            _cells([mine[g]["coverage_90"] for g in held]),
        ]
        if costs:
            cells.append(f"{costs[model]:.2f}" if model in costs else "–")
        lines.append(f"| {' | '.join(cells)} |")
    if apart:
        named = ", ".join(f"`{m}`" for m in sorted(apart))
        lines += ["", f"Listed separately, with fewer than half of the counts: {named}."]
    if len(order) > _SHOWN:
        lines += ["", f"{len(order) - _SHOWN} more models are on the page."]
    return [*lines, ""]


def _cells(values: Sequence[float | None]) -> str:
    return " / ".join("–" if v is None else f"{v:.2f}" for v in values)


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else float("inf")
