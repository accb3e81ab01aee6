"""The four optional checks: run where a hub's ``validations.yml`` asks for them.

Their arguments may be R code (``!expr list(target = 'x')``). None of it is run: three simple
forms are read, and with any other the check is not run.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from odforecast.hub.checks.columns import broken_rows
from odforecast.hub.checks.config import Seen
from odforecast.hub.checks.known import COL_TIMEDIFF, COUNTS_LT_POPN, HORIZON_TIMEDIFF, MAX_MODELS
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Expression, Unreadable, read_yaml
from odforecast.hub.checks.rows import Rows, read_rows
from odforecast.hub.checks.tasks import Word, is_day
from odforecast.hub.checks.values import Table
from odforecast.say import listed, plain

_PERIOD: Final = re.compile(r"(?:lubridate::)?(weeks|days)\((\d*)L?\)\Z")
_LIST: Final = re.compile(r"list\(\s*([\w.]+)\s*=\s*(['\"])([^'\"]*)\2\s*\)\Z")
_DAYS: Final = {"weeks": 7, "days": 1}


class Unknown(Exception):
    """An argument that is not understood; the check is not run."""


def _period(value: Any, default: int) -> int:
    """Days of ``lubridate::weeks(2)``."""
    if value is None:
        return default
    found = _PERIOD.match(str(value).strip())
    if not found:
        raise Unknown(f"timediff {plain(value, 60)} is no weeks(n) or days(n)")
    return _DAYS[found[1]] * int(found[2] or 1)


def _targets(value: Any) -> dict[str, str]:
    """The target of ``list(target = 'x')``."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items()}
    found = _LIST.match(str(value).strip())
    if not found:
        raise Unknown(f"targets {plain(value, 60)} are no list(KEY = 'VALUE')")
    return {found[1]: found[3]}


def _text(arguments: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str) or isinstance(value, Expression):
        raise Unknown(f"{name} must be given as text")
    return value


def check_rows(table: Table, seen: Seen, file: str, ledger: Ledger) -> None:
    """Run the optional checks of a submission's rows that the hub asks for."""
    runs = {
        COL_TIMEDIFF: _col_timediff,
        COUNTS_LT_POPN: _counts,
        HORIZON_TIMEDIFF: _horizon_timediff,
    }
    for name, run in runs.items():
        if name not in seen.optional:
            continue
        try:
            findings, count = run(table.rows, seen.optional[name], seen)
        except (Unknown, Unreadable) as error:
            ledger.not_run(name, file, plain(error, 200))
        else:
            ledger.judged(name, file, findings, count)


def _days(rows: Rows, column: str) -> np.ndarray:
    """Days of a column as numbers; NaN where there is none."""
    if column not in rows.columns:
        raise Unknown(f"no column {plain(column)}")
    found = rows.columns[column]

    def number(w: Word) -> float:
        return float(dt.date.fromisoformat(w).toordinal()) if w and is_day(w) else np.nan

    days: np.ndarray = np.array([*(number(w) for w in found.words), np.nan])[found.codes]
    return days


def _col_timediff(
    rows: Rows,
    arguments: Mapping[str, Any],
    seen: Seen,  # noqa: ARG001
) -> tuple[list[Finding], int]:
    first, last = _text(arguments, "t0_colname"), _text(arguments, "t1_colname")
    days = _period(arguments.get("timediff"), 14)
    apart = _days(rows, last) - _days(rows, first)
    bad = np.isfinite(apart) & (apart != days)
    return broken_rows(rows, last, bad, f"must lie {days} days after {first}")


def _horizon_timediff(
    rows: Rows,
    arguments: Mapping[str, Any],
    seen: Seen,  # noqa: ARG001
) -> tuple[list[Finding], int]:
    first, last = _text(arguments, "t0_colname"), _text(arguments, "t1_colname")
    horizon = _text(arguments, "horizon_colname", "horizon")
    days = _period(arguments.get("timediff"), 7)
    if horizon not in rows.columns:
        raise Unknown(f"no column {plain(horizon)}")
    off = _days(rows, first) + days * rows.columns[horizon].numbers() - _days(rows, last)
    bad = np.isfinite(off) & (off != 0)
    return broken_rows(rows, last, bad, f"must lie {days} days x {horizon} after {first}")


def _counts(rows: Rows, arguments: Mapping[str, Any], seen: Seen) -> tuple[list[Finding], int]:
    targets = _targets(arguments.get("targets"))
    place = _text(arguments, "location_col", "location")
    path = _text(arguments, "popn_file_path", "auxiliary-data/locations.csv")
    people = _population(seen, path, place, _text(arguments, "popn_col", "population"))
    mine = np.ones(rows.n, dtype=bool)
    for name, value in targets.items():
        if name not in rows.columns:
            raise Unknown(f"no column {plain(name)}")
        mine &= rows.columns[name].among([value])
    if place not in rows.columns:
        raise Unknown(f"no column {plain(place)}")
    column = rows.columns[place]
    lost = [w for w in column.distinct(np.flatnonzero(mine)) if w not in people]
    if lost:
        raise Unknown(f"{path} has no population of {listed(lost, 4)}")
    table = np.array([*(people.get(w, np.nan) for w in column.words), np.nan])[column.codes]
    bad = mine & ~(rows.columns["value"].numbers() < table)
    return broken_rows(rows, "value", bad, "must be less than the location's population")


def _population(seen: Seen, name: str, place: str, column: str) -> dict[Word, float]:
    path = seen.root / name
    try:
        rows = read_rows(path, seen.root)
    except Unreadable as error:
        raise Unknown(f"{plain(name)}: {error}") from None
    for wanted in (place, column):
        if wanted not in rows.columns:
            raise Unknown(f"{plain(name)} has no column {plain(wanted)}")
    numbers = rows.columns[column].numbers()
    return {rows.columns[place].text(i): float(numbers[i]) for i in range(rows.n)}


def check_models(files: Sequence[Path], seen: Seen, ledger: Ledger) -> None:
    """Run the check of how many models a team has, where the hub asks for it."""
    if MAX_MODELS not in seen.optional:
        return
    most = seen.optional[MAX_MODELS].get("n_max", 2)
    if not isinstance(most, int):
        most = int(m[0]) if (m := re.match(r"\d+", str(most))) else 2
    teams: dict[str, list[Path]] = {}
    for path in files:
        try:
            found = read_yaml(path, seen.root)
        except Unreadable:
            continue
        teams.setdefault(str(found.get("team_abbr", path.stem.split("-")[0])), []).append(path)
    for team, paths in sorted(teams.items()):
        wrong = []
        if len(paths) > most:
            text = f"team {team} has {len(paths)} models, and {most} are allowed"
            wrong = [Finding(f"{text}: {listed([p.stem for p in paths], 4)}")]
        ledger.judged(MAX_MODELS, seen.relative(paths[0]), wrong)
