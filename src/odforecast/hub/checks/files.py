"""Checks of a submission's name and place: ``validate_model_file``, and the submission window."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from odforecast.hub.checks.config import Seen
from odforecast.hub.checks.known import FILE, names
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Unreadable, why_not
from odforecast.hub.checks.rows import read_rows
from odforecast.hub.checks.tasks import Round, is_day
from odforecast.hub.layout import MODEL_METADATA
from odforecast.say import listed, plain

_NAME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}|[A-Za-z0-9_]+)-([A-Za-z0-9_]+)-([A-Za-z0-9_]+)\Z")
_LEGAL: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_CODECS: Final = ("snappy", "gzip", "gz", "brotli", "zstd", "lz4", "lzo", "bz2")


@dataclass(frozen=True)
class Submission:
    """A submission whose name is legal: ``ROUND-TEAM-MODEL.EXT``."""

    path: Path
    round_id: str
    model_id: str


def parse_name(name: str) -> tuple[str, str] | str:
    """Round id and model id of a file's name; a text: what is wrong with it.

    Examples
    --------
    >>> parse_name("2024-07-31-cdc-base_line.csv")
    ('2024-07-31', 'cdc-base_line')
    >>> parse_name("2024-07-31-cdc-base+delay.csv")
    "'+' is not allowed in a file's name: letters, digits, _ and - only"
    >>> parse_name("cdc-base.csv")
    'a name is ROUND-TEAM-MODEL, of letters, digits and _ each'
    """
    stem = name.rpartition(".")[0] or name
    head, dot, codec = stem.rpartition(".")
    if dot:
        if codec not in _CODECS:
            return f"'.{plain(codec, 20)}' in its name is no compression: {listed(_CODECS)}"
        stem = head
    if not _LEGAL.match(stem):
        strange = dict.fromkeys(c for c in stem if not _LEGAL.match(c))
        shown = ", ".join(map(repr, list(strange)[:5])) or "nothing"
        return f"{shown} is not allowed in a file's name: letters, digits, _ and - only"
    found = _NAME.match(stem)
    if not found:
        return "a name is ROUND-TEAM-MODEL, of letters, digits and _ each"
    return found[1], f"{found[2]}-{found[3]}"


def check_file(path: Path, seen: Seen, ledger: Ledger) -> Submission | None:
    """Run ``validate_model_file`` on one file; None where nothing more can be run."""
    file, order = seen.relative(path), names(FILE)

    def stopped(name: str) -> None:
        after = order[order.index(name) + 1 :]
        ledger.not_run(after, file, f"stopped by {name}, which failed")

    reason = why_not(path, seen.root)
    if not ledger.judged("file_exists", file, [Finding(reason)] if reason else []):
        stopped("file_exists")
        return None
    parsed = parse_name(path.name)
    wrong = [Finding(parsed, value=path.name)] if isinstance(parsed, str) else []
    if not ledger.judged("file_name", file, wrong) or isinstance(parsed, str):
        stopped("file_name")
        return None
    round_id, model_id = parsed
    ledger.judged("file_location", file, _location(path, model_id, seen))
    if not ledger.judged("round_id_valid", file, _round_id(round_id, seen)):
        stopped("round_id_valid")
        return None
    entry = seen.tasks.round(round_id)
    if not ledger.judged("file_format", file, _format(path, entry, seen)):
        stopped("file_format")
        return None
    ledger.judged("file_n", file, _number(path))
    ledger.judged("metadata_exists", file, _metadata(model_id, seen))
    return Submission(path, round_id, model_id)


def _location(path: Path, model_id: str, seen: Seen) -> list[Finding]:
    folder = path.parent.relative_to(seen.output).as_posix()
    if folder == model_id:
        return []
    return [Finding(f"belongs into the folder {model_id}", value=folder)]


def _round_id(round_id: str, seen: Seen) -> list[Finding]:
    known = seen.tasks.round_ids
    if round_id in known:
        return []
    return [Finding(f"is no round of the hub: {listed(known, 3)}", value=round_id)]


def _format(path: Path, entry: Round, seen: Seen) -> list[Finding]:
    accepted = entry.file_format or tuple(seen.admin["file_format"])
    ending = path.suffix.removeprefix(".")
    if ending in accepted:
        return []
    return [Finding(f"the hub accepts {', '.join(accepted)}", value=ending)]


def _number(path: Path) -> list[Finding]:
    stem = path.name.split(".")[0]
    others = [f for f in os.listdir(path.parent) if f != path.name and f.split(".")[0] == stem]
    if not others:
        return []
    return [Finding(f"one file a round and model; beside it lies {listed(sorted(others), 3)}")]


def _metadata(model_id: str, seen: Seen) -> list[Finding]:
    wanted = [f"{MODEL_METADATA}/{model_id}.{ending}" for ending in ("yml", "yaml")]
    if any((seen.root / name).is_file() for name in wanted):
        return []
    return [Finding(f"no {wanted[0]} (or .yaml)")]


def check_time(found: Submission, seen: Seen, now: dt.date, ledger: Ledger) -> None:
    """Run ``submission_time``: is ``now``, a moment or a day, in the window of the round?"""
    file = seen.relative(found.path)
    try:
        start, end, zone = _window(found, seen)
    except (Unreadable, ValueError, TypeError, OverflowError) as error:
        ledger.judged("submission_time", file, [Finding(f"no window: {plain(error)}")])
        return
    at = now.astimezone(zone) if isinstance(now, dt.datetime) else None
    day = at.date() if at else now
    wrong = []
    if not start <= day <= end:
        text = f"the window of round {found.round_id} is {start} to {end}, {zone.key}"
        wrong = [Finding(text, value=at.isoformat(" ", "minutes") if at else str(day))]
    ledger.judged("submission_time", file, wrong)


def _window(found: Submission, seen: Seen) -> tuple[dt.date, dt.date, ZoneInfo]:
    """First and last day, both whole, in the hub's time zone."""
    due = seen.tasks.round(found.round_id).due
    name = str(seen.admin.get("timezone", "UTC"))
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"{name} is no time zone") from None
    column = due.get("relative_to")
    if column is None:
        return _day(due.get("start")), _day(due.get("end")), zone
    days = _relative(found, str(column), seen)
    if len(days) != 1:
        raise ValueError(f"column {column} holds {len(days)} days, and one is needed")
    day = dt.date.fromisoformat(days[0])
    return (
        day + dt.timedelta(days=int(due.get("start", 0))),
        day + dt.timedelta(days=int(due.get("end", 0))),
        zone,
    )


def _relative(found: Submission, column: str, seen: Seen) -> list[str]:
    """Days that the window is counted from: the round's id, or what the file holds."""
    if seen.tasks.round(found.round_id).column == column and is_day(found.round_id):
        return [found.round_id]
    rows = read_rows(found.path, seen.root)
    if column not in rows.columns:
        raise ValueError(f"no column {column}")
    return [w for w in rows.columns[column].distinct() if w is not None and is_day(w)]


def _day(value: Any) -> dt.date:
    return dt.date.fromisoformat(str(value))
