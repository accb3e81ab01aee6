"""All checks of a hub, or of one file of it, in hubValidations' order."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from odforecast.errors import DataError
from odforecast.hub.checks.config import Seen, check_config, read_schemas
from odforecast.hub.checks.data import check_data
from odforecast.hub.checks.files import check_file, check_time
from odforecast.hub.checks.known import (
    CHECKS,
    DATA,
    FILE,
    METADATA,
    TARGET_DATA,
    TARGET_FILE,
    TARGET_SET,
    TIME,
    names,
)
from odforecast.hub.checks.metadata import check_metadata
from odforecast.hub.checks.optional import check_models
from odforecast.hub.checks.outcome import Checks, Ledger
from odforecast.hub.checks.place import files_below, find_root
from odforecast.hub.checks.target_rows import check_target_rows
from odforecast.hub.checks.targets import check_data_set, check_target_file, data_sets, files_of
from odforecast.hub.layout import CONFIG, MODEL_METADATA, TARGET_TYPES
from odforecast.hub.layout import TARGET_DATA as TARGETS
from odforecast.say import plain

_SUBMISSION = (TIME, FILE, DATA)
_TARGET = (TARGET_FILE, TARGET_SET, TARGET_DATA)

type Clock = Callable[[], dt.datetime]


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def check(
    path: str | os.PathLike[str],
    submission_time: bool | str | dt.datetime = False,
    schemas: str | os.PathLike[str] | None = None,
    extra_dates: bool = True,
    clock: Clock = _now,
) -> Checks:
    """Run hubValidations' checks, by their own names, on a hub or on one file of it.

    Parameters
    ----------
    path : path
        A hub's folder; or a submission, a metadata file, a file or data set of target data, which
        need not exist; or a folder of a hub, for the files in it.
    submission_time : bool, str or datetime
        Whether the submission window is judged: now, on a day (``2022-10-19``, of the hub's own
        time zone), or at a moment (``2022-10-19T12:00``, UTC where it names no zone).
    schemas : path, optional
        Folder with the hubverse's ``admin-schema.json``, ``tasks-schema.json`` and
        ``target-data-schema.json``. Without, ``valid_config`` judges only what no schema says.
    extra_dates : bool
        Whether the days of a time series may be others than those to be forecast: hubValidations'
        ``allow_extra_dates``, which is false there; but a series that helps to forecast begins
        before the first round.
    clock : callable
        Gives the present moment.

    Returns
    -------
    Checks
        Which of the 52 passed, failed or were not run, and where.

    Raises
    ------
    DataError
        If the path is not part of a hub, or is its configuration, or a schema or moment cannot be
        read.

    Examples
    --------
    >>> from odforecast.hub.checks import check
    >>> check("no/such/hub")
    Traceback (most recent call last):
        ...
    odforecast.errors.DataError: no/such/hub: no such file or folder; give the folder ...
    """
    if not isinstance(path, str | os.PathLike):
        raise DataError(
            f"path is {plain(repr(path), 300)}", hint="give the folder of a hub, or a file of it"
        )
    given = Path(path)
    root = find_root(given)
    if Path(os.path.abspath(given)).is_relative_to(root / CONFIG):
        raise DataError(
            f"{plain(str(path), 300)}: the configuration is judged with the whole hub",
            hint=f"check the hub's folder: {plain(str(_above(given, root)), 300)}",
        )
    judges = read_schemas(None if schemas is None else Path(schemas))
    now = _moment(submission_time, clock)
    ledger = Ledger()
    seen = check_config(root, judges, ledger)
    if seen is not None:
        _run(Path(os.path.abspath(given)), seen, now, extra_dates, ledger)
    ledger.never(names(TIME), "the submission window is not asked for (--submission-time)")
    return ledger.done(str(path))


def _above(given: Path, root: Path) -> Path:
    """The hub's folder as somebody would write it who wrote ``given``."""
    near = [p for p in given.parents if Path(os.path.abspath(p)) == root]
    return near[0] if near else root


def _moment(asked: bool | str | dt.datetime, clock: Clock) -> dt.date | None:
    if asked is False:
        return None
    if asked is True:
        return clock()
    if isinstance(asked, str):
        try:
            found = dt.datetime.fromisoformat(asked)
        except ValueError:
            raise DataError(
                f"submission time {plain(asked)} is no moment",
                hint="give 2022-10-19, or 2022-10-19T12:00",
            ) from None
        if len(asked) <= len("2022-10-19"):
            return found.date()
        asked = found
    return asked if asked.tzinfo else asked.replace(tzinfo=dt.UTC)


def _run(path: Path, seen: Seen, now: dt.date | None, extra: bool, ledger: Ledger) -> None:
    metadata, targets = seen.root / MODEL_METADATA, seen.root / TARGETS
    if path == seen.root:
        _submissions(files_below(seen.output), seen, now, ledger)
        _metadata(files_below(metadata), seen, ledger)
        _target_data(list(TARGET_TYPES), seen, extra, ledger)
        return
    other = f"{plain(seen.relative(path), 200)} is"
    if path.is_relative_to(seen.output):
        _submissions(_files(path), seen, now, ledger)
        ledger.never(names(METADATA, *_TARGET), f"{other} a submission")
    elif path.is_relative_to(metadata):
        _metadata(_files(path), seen, ledger)
        ledger.never(names(*_SUBMISSION, *_TARGET), f"{other} metadata")
    elif path.is_relative_to(targets):
        _one_target(path, seen, extra, ledger)
        ledger.never(names(*_SUBMISSION, METADATA), f"{other} target data")
    else:
        folders = f"{seen.output.name}, {MODEL_METADATA} and {TARGETS}"
        raise DataError(
            f"{plain(str(path), 300)}: no submission, metadata or target data of the hub",
            hint=f"these lie in {folders}",
        )
    _optional(seen, ledger, f"{other} one file")


def _files(path: Path) -> list[Path]:
    """A file, or what a folder holds; a folder that is named like a file is a file that is none."""
    is_folder = path.is_dir() and not path.is_symlink() and not path.suffix
    return files_below(path) if is_folder else [path]


def _submissions(files: Sequence[Path], seen: Seen, now: dt.date | None, ledger: Ledger) -> None:
    for path in files:
        done = len(ledger.outcomes)
        found = check_file(path, seen, ledger)
        if found is not None and now is not None:
            check_time(found, seen, now, ledger)
        if found is None:
            failed = next(x.name for x in reversed(ledger.outcomes[done:]) if x.status == "failed")
            reason = f"stopped by {failed}, which failed"
            ledger.not_run(names(DATA), seen.relative(path), reason)
            if now is not None:
                ledger.not_run(names(TIME), seen.relative(path), reason)
        else:
            check_data(found, seen, ledger)
    if now is not None:
        ledger.never(names(TIME), "the hub holds no submissions")
    ledger.never(names(FILE, DATA), "the hub holds no submissions")
    _optional(seen, ledger, "no file in which it could be run")


def _metadata(files: Sequence[Path], seen: Seen, ledger: Ledger) -> None:
    for path in files:
        check_metadata(path, seen, ledger)
    check_models(files, seen, ledger)
    ledger.never(names(METADATA), "the hub holds no metadata of models")


def _target_data(kinds: Sequence[str], seen: Seen, extra: bool, ledger: Ledger) -> None:
    """All target data of a hub: what is there, or that nothing is where something should be."""
    found = {kind: data_sets(seen, kind) for kind in kinds}
    folder = seen.root / TARGETS
    if not any(found.values()) and folder.is_dir() and files_below(folder):
        check_data_set(kinds[0], [], seen, ledger)
        ledger.never(names(*_TARGET), "stopped by target_dataset_exists, which failed")
    for kind in kinds:
        if found[kind]:
            check_data_set(kind, found[kind], seen, ledger)
        for path in (p for one in found[kind] for p in files_of(one)):
            _target_file(path, kind, seen, extra, ledger)
    ledger.never(names(*_TARGET), "the hub holds no target data")
    kept = [k for k in kinds if found[k]]
    for name in names(TARGET_DATA):
        ledger.never([name], f"nothing for it in {', '.join(kept) or 'the hub'}")


def _target_file(path: Path, kind: str, seen: Seen, extra: bool, ledger: Ledger) -> None:
    if check_target_file(path, seen, ledger):
        check_target_rows(path, kind, seen, ledger, extra)
    else:
        ledger.not_run(
            names(TARGET_DATA), seen.relative(path), "stopped by the file's name or place"
        )


def _one_target(path: Path, seen: Seen, extra: bool, ledger: Ledger) -> None:
    """A file of target data, or a data set of one kind."""
    if path == seen.root / TARGETS:
        _target_data(list(TARGET_TYPES), seen, extra, ledger)
        return
    inside = path.relative_to(seen.root / TARGETS).parts
    kind = next((k for k in TARGET_TYPES if inside[0] == k or inside[0].split(".")[0] == k), None)
    if kind is None:
        raise DataError(
            f"{plain(str(path), 300)}: target data are named {' or '.join(TARGET_TYPES)}",
            hint="rename it, or give another file",
        )
    if inside == (kind,):
        found = data_sets(seen, kind)
        check_data_set(kind, found, seen, ledger)
        for one in (p for s in found for p in files_of(s)):
            _target_file(one, kind, seen, extra, ledger)
        ledger.never(names(*_TARGET), "stopped by target_dataset_exists, which failed")
        return
    for one in _files(path):
        _target_file(one, kind, seen, extra, ledger)
    ledger.never(names(TARGET_SET), "one file, and not the data set")


def _optional(seen: Seen, ledger: Ledger, otherwise: str) -> None:
    for known in CHECKS:
        if known.optional:
            asked = known.function in seen.optional
            reason = seen.no_optional or "optional, and the hub does not ask for it"
            ledger.never([known.name], otherwise if asked else reason)
