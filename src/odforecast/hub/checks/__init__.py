"""The checks of hubValidations on a hub, by their own names and in their own order."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from odforecast.errors import DataError
from odforecast.hub.checks.config import judge, read_optional, read_schemas
from odforecast.hub.checks.report import (
    BY_NAME,
    CHECKS,
    Checks,
    Finding,
    Known,
    NotRun,
    Outcome,
    Unreadable,
)
from odforecast.hub.checks.submission import Metadata, Submission
from odforecast.hub.checks.targets import TargetFile, TargetSet, data_sets, files_of
from odforecast.hub.layout import CONFIG, MODEL_METADATA, TARGET_TYPES, Hub, files_below
from odforecast.hub.layout import TARGET_DATA as TARGETS
from odforecast.say import plain

__all__ = ["BY_NAME", "CHECKS", "Checks", "Finding", "Known", "Outcome", "check"]


def _group(*functions: str) -> list[Known]:
    """Checks that a function of hubValidations runs always."""
    return [c for c in CHECKS if c.applies_to in functions and not c.optional]


_TIME, _FILE = _group("validate_submission_time"), _group("validate_model_file")
_DATA, _METADATA = _group("validate_model_data"), _group("validate_model_metadata")
_TARGET_FILE, _TARGET_DATA = _group("validate_target_file"), _group("validate_target_data")
_TARGET_SET = _group("validate_target_dataset")
_SUBMISSION, _TARGET = [*_FILE, *_DATA], [*_TARGET_FILE, *_TARGET_SET, *_TARGET_DATA]
#: Optional checks that are run here; the hub's workflow runs the other two.
_OPTIONAL = [c for c in CHECKS if c.optional and hasattr(Submission, c.name)]

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
    """Run hubValidations' checks on a hub or on one file of it.

    Parameters
    ----------
    path : path
        A hub, a submission, a metadata file, target data, or a folder of a hub.
    submission_time : bool, str or datetime
        Check the submission window: now, on a day in the hub's time zone, or at a moment.
    schemas : path, optional
        Folder with the hubverse's JSON schemas, for ``valid_config``.
    extra_dates : bool
        Allow days in a time series that are not forecast (hubValidations'
        ``allow_extra_dates``).
    clock : callable
        Gives the present moment.

    Returns
    -------
    Checks
        Which of the 52 passed, failed or were not run, and where.

    Raises
    ------
    DataError
        If the path is not part of a hub or is its configuration, the hub's schema is older than
        v5, or a schema or moment cannot be read.

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
    given, whole = Path(path), Path(os.path.abspath(path))
    root = next((x for x in (whole, *whole.parents) if (x / CONFIG).is_dir()), None)
    if root is None:
        what = "not part of a hub" if os.path.lexists(path) else "no such file or folder"
        raise DataError(
            f"{plain(str(given), 300)}: {what}",
            hint=f"give the folder in which {CONFIG} is, or a file of it",
        )
    if whole.is_relative_to(root / CONFIG):
        # The hub's folder as somebody would write it who wrote this path.
        near = next((p for p in given.parents if Path(os.path.abspath(p)) == root), root)
        raise DataError(
            f"{plain(str(given), 300)}: the configuration is judged with the whole hub",
            hint=f"check the hub's folder: {plain(str(near), 300)}",
        )
    judges = read_schemas(None if schemas is None else Path(schemas))
    now = _moment(submission_time, clock)
    files, wrong, no_schema = judge(root, judges)
    config = Outcome.of("valid_config", CONFIG, wrong)
    if wrong:
        reasons = dict.fromkeys(BY_NAME, "stopped by valid_config, which failed")
        return Checks(str(path), (config,), reasons)
    if no_schema:
        config = Outcome("valid_config", "not run", CONFIG, no_schema)
    run = _Run(Hub.of(root, files), now, extra_dates)
    run.path(whole)
    return Checks(str(path), (config, *run.outcomes), run.reasons)


def _moment(asked: bool | str | dt.datetime, clock: Clock) -> dt.date | None:
    """The day or moment for which the submission window is judged."""
    if isinstance(asked, bool):
        return clock() if asked else None
    if isinstance(asked, str):
        try:
            found = dt.datetime.fromisoformat(asked)
        except ValueError:
            raise DataError(
                f"submission time {plain(asked)} is not a moment",
                hint="give 2022-10-19, or 2022-10-19T12:00",
            ) from None
        if len(asked) <= len("2022-10-19"):
            return found.date()
        asked = found
    return asked if asked.tzinfo else asked.replace(tzinfo=dt.UTC)


class _Run:
    """Outcomes of the checks of one hub as they come in, of one file after the other."""

    def __init__(self, hub: Hub, now: dt.date | None, extra_dates: bool) -> None:
        self.hub, self.now, self.extra_dates = hub, now, extra_dates
        self.optional, self.no_optional = read_optional(hub.root)
        self.asked = [c for c in _OPTIONAL if c.function in self.optional]
        self.outcomes: list[Outcome] = []
        self.reasons: dict[str, str] = {}

    def never(self, checks: Iterable[Known], reason: str) -> None:
        """Checks are run in no file."""
        self.reasons = dict.fromkeys((c.name for c in checks), reason) | self.reasons

    def run(self, subject: object, checks: Iterable[Known], file: str, stop: str = "") -> str:
        """Run checks, each a method of the subject, in order; which one stopped the others."""
        notes = getattr(subject, "notes", {})
        for known in checks:
            name, reason = known.name, f"stopped by {stop}, which failed" if stop else ""
            # The place of a metadata file is looked at whatever its ending is.
            if not stop or (stop, name) == ("metadata_file_ext", "metadata_file_location"):
                try:
                    one = Outcome.of(name, file, getattr(subject, name)(), notes.get(name, ""))
                except Unreadable as error:
                    one = Outcome.of(name, file, [Finding(str(error))])
                except NotRun as error:
                    one = Outcome(name, "not run", file, str(error))
            else:
                one = Outcome(name, "not run", file, reason)
            self.outcomes.append(one)
            # hubValidations says of a missing column of round ids twice that it is missing.
            if one.status == "failed" and (known.stops or name == "valid_round_id_col"):
                stop = name
        return stop

    def path(self, path: Path) -> None:
        """Run the checks of a path, which need not exist."""
        hub, never = self.hub, self.never
        metadata, targets = hub.root / MODEL_METADATA, hub.root / TARGETS
        other = f"{plain(hub.relative(path), 200)} is"
        if self.now is None:
            never(_TIME, "the submission window is not asked for (--submission-time)")
        if path == hub.root:
            self.submissions(files_below(hub.model_output_dir))
            self.metadata(files_below(metadata))
            self.target_data(TARGET_TYPES)
        elif path.is_relative_to(hub.model_output_dir):
            self.submissions(_files(path))
            never([*_METADATA, *_TARGET], f"{other} a submission")
        elif path.is_relative_to(metadata):
            self.metadata(_files(path))
            never([*_SUBMISSION, *_TARGET, *_TIME], f"{other} metadata")
        elif path.is_relative_to(targets):
            self.target_path(path)
            never([*_SUBMISSION, *_METADATA, *_TIME], f"{other} target data")
        else:
            folders = f"{hub.model_output_dir.name}, {MODEL_METADATA} and {TARGETS}"
            raise DataError(
                f"{plain(str(path), 300)}: no submission, metadata or target data of the hub",
                hint=f"these are in {folders}",
            )
        never(self.asked, f"{other} one file")
        never(_OPTIONAL, self.no_optional or "optional, and the hub does not ask for it")
        never(CHECKS, "optional; hubValidations in the hub's GitHub workflow runs it")

    def submissions(self, files: Sequence[Path]) -> None:
        """Run the checks of submissions."""
        for path in files:
            one, file = Submission(path, self.hub, self.now, self.optional), self.hub.relative(path)
            stop = self.run(one, _FILE, file)
            if self.now is not None:
                self.run(one, _TIME, file, stop)
            self.run(one, (*_DATA, *self.asked), file, stop)
        self.never([*_SUBMISSION, *_TIME], "the hub holds no submissions")
        self.never(self.asked, "no file in which it could be run")

    def metadata(self, files: Sequence[Path]) -> None:
        """Run the checks of models' metadata."""
        for path in files:
            self.run(Metadata(path, self.hub), _METADATA, self.hub.relative(path))
        self.never(_METADATA, "the hub holds no metadata of models")

    def target_data(self, kinds: Sequence[str]) -> None:
        """Run the checks of target data: of what is there, or that nothing is named as it must."""
        there = [kind for kind in kinds if data_sets(self.hub, kind)]
        if not there and (len(kinds) == 1 or files_below(self.hub.root / TARGETS)):
            there = [kinds[0]]
        stop = ""
        for kind in there:
            stop = self.run(TargetSet(kind, self.hub), _TARGET_SET, f"{TARGETS}/{kind}")
            for path in (p for one in data_sets(self.hub, kind) for p in files_of(one)):
                self.target_file(path, kind)
        reason = f"stopped by {stop}, which failed" if stop else "the hub holds no target data"
        self.never(_TARGET, reason)

    def target_file(self, path: Path, kind: str) -> None:
        """Run the checks of one file of target data."""
        one, file = TargetFile(path, kind, self.hub, self.extra_dates), self.hub.relative(path)
        stop = self.run(one, _TARGET_FILE, file)
        self.run(one, _TARGET_DATA, file, stop)

    def target_path(self, path: Path) -> None:
        """Run the checks of a file of target data, or of a data set of one kind."""
        inside = path.relative_to(self.hub.root / TARGETS).parts
        if not inside or (inside[0] in TARGET_TYPES and len(inside) == 1):
            self.target_data(inside or TARGET_TYPES)
            return
        kind = inside[0].split(".")[0]
        if kind not in TARGET_TYPES:
            raise DataError(
                f"{plain(str(path), 300)}: target data are named {' or '.join(TARGET_TYPES)}",
                hint="rename it, or give another file",
            )
        for one in _files(path):
            self.target_file(one, kind)
        self.never(_TARGET_SET, "one file, and not the data set")


def _files(path: Path) -> list[Path]:
    """A file, or what a folder holds; a folder that is named like a file is a file that is none."""
    is_folder = path.is_dir() and not path.is_symlink() and not path.suffix
    return files_below(path) if is_folder else [path]
