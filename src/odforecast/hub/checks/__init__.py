"""The checks of hubValidations on a hub, by their own names and in their own order."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from odforecast.errors import DataError
from odforecast.hub.checks.config import judge, read_optional, read_schemas
from odforecast.hub.checks.report import (
    BY_NAME,
    CHECKS,
    Check,
    Checks,
    Finding,
    NotRun,
    Outcome,
    Unreadable,
)
from odforecast.hub.checks.submission import Metadata, Submission
from odforecast.hub.checks.targets import TargetFile, TargetSet, data_sets, files_of
from odforecast.hub.layout import CONFIG, MODEL_METADATA, TARGET_TYPES, Hub, files_below
from odforecast.hub.layout import TARGET_DATA as TARGETS
from odforecast.say import plain

__all__ = ["BY_NAME", "CHECKS", "Check", "Checks", "Finding", "Outcome", "check"]


def _group(*functions: str) -> list[Check]:
    """Checks that a function of hubValidations runs always."""
    return [
        check
        for check in CHECKS
        if check.applies_to in functions and not check.optional
    ]


_TIME = _group("validate_submission_time")
_FILE = _group("validate_model_file")
_DATA = _group("validate_model_data")
_METADATA = _group("validate_model_metadata")
_TARGET_FILE = _group("validate_target_file")
_TARGET_DATA = _group("validate_target_data")
_TARGET_SET = _group("validate_target_dataset")
_SUBMISSION = [*_FILE, *_DATA]
_TARGET = [*_TARGET_FILE, *_TARGET_SET, *_TARGET_DATA]
#: Optional checks that are run here; the hub's workflow runs the other two.
_OPTIONAL = [
    check for check in CHECKS if check.optional and hasattr(Submission, check.name)
]


def check(
    path: str | os.PathLike[str],
    submission_time: bool | str | dt.datetime = False,
    schemas: str | os.PathLike[str] | None = None,
    extra_dates: bool = True,
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
        Allow days in a time series that are not forecast (hubValidations' ``allow_extra_dates``).

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
            f"path is {plain(repr(path), 300)}",
            hint="give the folder of a hub, or a file of it",
        )
    shown_path = plain(str(Path(path)), 300)
    whole = Path(os.path.abspath(path))
    folders = [
        folder for folder in (whole, *whole.parents) if (folder / CONFIG).is_dir()
    ]
    if not folders:
        reason = (
            "not part of a hub" if os.path.lexists(path) else "no such file or folder"
        )
        raise DataError(
            f"{shown_path}: {reason}",
            hint=f"give the folder in which {CONFIG} is, or a file of it",
        )
    root = folders[0]
    if whole.is_relative_to(root / CONFIG):
        # The hub's folder as somebody would write it who wrote this path.
        hub_folder = root
        for folder in Path(path).parents:
            if Path(os.path.abspath(folder)) == root:
                hub_folder = folder
                break
        raise DataError(
            f"{shown_path}: the configuration is judged with the whole hub",
            hint=f"check the hub's folder: {plain(str(hub_folder), 300)}",
        )
    json_schemas = read_schemas(None if schemas is None else Path(schemas))
    moment = _moment(submission_time)
    files, findings, no_schema = judge(root, json_schemas)
    config = Outcome.from_findings("valid_config", CONFIG, findings=findings)
    if findings:
        reasons = dict.fromkeys(BY_NAME, "stopped by valid_config, which failed")
        return Checks(str(path), (config,), reasons=reasons)
    if no_schema:
        config = Outcome("valid_config", "not run", file=CONFIG, reason=no_schema)
    run = _Run(Hub.from_files(root, files), moment, extra_dates=extra_dates)
    run.path(whole)
    return Checks(str(path), (config, *run.outcomes), reasons=run.reasons)


def _moment(submission_time: bool | str | dt.datetime) -> dt.date | None:
    """The day or moment for which the submission window is judged."""
    if isinstance(submission_time, bool):
        return dt.datetime.now(dt.UTC) if submission_time else None
    moment = submission_time
    if isinstance(moment, str):
        try:
            parsed = dt.datetime.fromisoformat(moment)
        except ValueError:
            raise DataError(
                f"submission time {plain(moment)} is not a moment",
                hint="give 2022-10-19, or 2022-10-19T12:00",
            ) from None
        if len(moment) <= len("2022-10-19"):
            return parsed.date()
        moment = parsed
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


class _Run:
    """Outcomes of the checks of one hub as they come in, of one file after the other."""

    def __init__(self, hub: Hub, moment: dt.date | None, extra_dates: bool) -> None:
        self.hub = hub
        self.moment = moment
        self.extra_dates = extra_dates
        self.optional, self.no_optional = read_optional(hub.root)
        self.requested = [
            check for check in _OPTIONAL if check.function in self.optional
        ]
        self.outcomes: list[Outcome] = []
        self.reasons: dict[str, str] = {}

    def never(self, checks: Iterable[Check], reason: str) -> None:
        """Checks are run in no file."""
        names = [check.name for check in checks]
        self.reasons = dict.fromkeys(names, reason) | self.reasons

    def run(
        self, subject: object, checks: Iterable[Check], file: str, stop: str = ""
    ) -> str:
        """Run checks, each a method of the subject, in order; which one stopped the others."""
        notes = getattr(subject, "notes", {})
        for check in checks:
            name = check.name
            # The place of a metadata file is looked at whatever its ending is.
            if stop and (stop, name) != ("metadata_file_ext", "metadata_file_location"):
                reason = f"stopped by {stop}, which failed"
                outcome = Outcome(name, "not run", file=file, reason=reason)
            else:
                try:
                    findings = getattr(subject, name)()
                    note = notes.get(name, "")
                    outcome = Outcome.from_findings(
                        name, file, findings=findings, note=note
                    )
                except Unreadable as error:
                    outcome = Outcome.from_findings(
                        name, file, findings=[Finding(str(error))]
                    )
                except NotRun as error:
                    outcome = Outcome(name, "not run", file=file, reason=str(error))
            self.outcomes.append(outcome)
            # hubValidations says of a missing column of round ids twice that it is missing. It
            # stops at an invalid row; here the other checks look at the valid ones.
            stops = check.stops and name != "valid_vals"
            if outcome.status == "failed" and (stops or name == "valid_round_id_col"):
                stop = name
        return stop

    def path(self, path: Path) -> None:
        """Run the checks of a path, which need not exist."""
        root = self.hub.root
        output = self.hub.model_output_dir
        kinds = {
            "a submission": (output, self.submissions, [*_SUBMISSION, *_TIME]),
            "metadata": (root / MODEL_METADATA, self.metadata, _METADATA),
            "target data": (root / TARGETS, self.targets, _TARGET),
        }
        matching = []
        for kind, (folder, *_) in kinds.items():
            if path.is_relative_to(folder):
                matching.append(kind)
        if path != root and not matching:
            raise DataError(
                f"{plain(str(path), 300)}: no submission, metadata or target data of the hub",
                hint=f"these are in {output.name}, {MODEL_METADATA} and {TARGETS}",
            )
        path_is = f"{plain(self.hub.relative(path), 200)} is"
        if self.moment is None:
            self.never(
                _TIME, "the submission window is not asked for (--submission-time)"
            )
        for kind, (folder, run, checks) in kinds.items():
            if path == root:
                run(folder)
            elif kind in matching:
                run(path)
            else:
                self.never(checks, f"{path_is} {matching[0]}")
        self.never(self.requested, f"{path_is} one file")
        self.never(
            _OPTIONAL, self.no_optional or "optional, and the hub does not ask for it"
        )
        self.never(
            CHECKS, "optional; hubValidations in the hub's GitHub workflow runs it"
        )

    def submissions(self, folder: Path) -> None:
        """Run the checks of submissions."""
        for path in _files(folder, self.hub.model_output_dir):
            submission = Submission(
                path, self.hub, moment=self.moment, optional=self.optional
            )
            file = self.hub.relative(path)
            stop = self.run(submission, _FILE, file=file)
            if self.moment is not None:
                self.run(submission, _TIME, file=file, stop=stop)
            self.run(submission, (*_DATA, *self.requested), file=file, stop=stop)
        self.never([*_SUBMISSION, *_TIME], "the hub holds no submissions")
        self.never(self.requested, "no file in which it could be run")

    def metadata(self, folder: Path) -> None:
        """Run the checks of models' metadata."""
        for path in _files(folder, self.hub.root / MODEL_METADATA):
            self.run(Metadata(path, self.hub), _METADATA, file=self.hub.relative(path))
        self.never(_METADATA, "the hub holds no metadata of models")

    def targets(self, path: Path) -> None:
        """Run the checks of target data: of one file, one data set, or both."""
        base = self.hub.root / TARGETS
        hub = self.hub
        inside = path.relative_to(base).parts
        kinds: Sequence[str] = inside or TARGET_TYPES
        if len(inside) > 1 or not {*kinds} <= {*TARGET_TYPES}:
            kind = inside[0].split(".")[0]
            if kind not in TARGET_TYPES:
                raise DataError(
                    f"{plain(str(path), 300)}: target data are named {' or '.join(TARGET_TYPES)}",
                    hint="rename it, or give another file",
                )
            for file in _files(path, base):
                self.target_file(file, kind)
            self.never(_TARGET_SET, "one file, and not the data set")
            return
        available = [kind for kind in kinds if data_sets(hub, kind)]
        if not available and (inside or files_below(base)):
            # Where nothing is named as it must be, that is what is wrong.
            available = [kinds[0]]
        stop = ""
        for kind in available:
            stop = self.run(TargetSet(kind, hub), _TARGET_SET, file=f"{TARGETS}/{kind}")
            for data_set in data_sets(hub, kind):
                for file in files_of(data_set):
                    self.target_file(file, kind)
        reason = (
            f"stopped by {stop}, which failed"
            if stop
            else "the hub holds no target data"
        )
        self.never(_TARGET, reason)

    def target_file(self, path: Path, kind: str) -> None:
        """Run the checks of one file of target data."""
        target_file = TargetFile(path, kind, hub=self.hub, extra_dates=self.extra_dates)
        file = self.hub.relative(path)
        stop = self.run(target_file, _TARGET_FILE, file=file)
        self.run(target_file, _TARGET_DATA, file=file, stop=stop)


def _files(path: Path, folder: Path) -> list[Path]:
    """A file, or what a folder holds; a folder that is named like a file is a file that is none."""
    is_folder = path.is_dir() and not path.is_symlink() and not path.suffix
    if is_folder or path == folder:
        return files_below(path)
    return [path]
