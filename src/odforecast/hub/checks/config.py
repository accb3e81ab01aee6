"""The check ``valid_config``: a hub's configuration, by its schemas and between its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from odforecast.errors import DataError
from odforecast.hub.checks.known import CHECKS
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Unreadable, read_json, read_yaml
from odforecast.hub.checks.structure import (
    Shape,
    check_metadata_schema,
    check_shape,
    check_target_data,
    check_tasks,
    validator_of,
)
from odforecast.hub.checks.tasks import Tasks, read_tasks, version_of
from odforecast.hub.layout import CONFIG
from odforecast.say import plain

#: Files of the configuration that have a schema of the hubverse.
FILES: Final = ("admin", "tasks", "target-data")
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Seen:
    """A hub whose configuration is in order.

    Attributes
    ----------
    root : Path
        Its folder.
    admin : dict
        ``admin.json``.
    tasks : Tasks
        ``tasks.json``, read.
    target : dict or None
        ``target-data.json``.
    metadata_schema : dict or None
        ``model-metadata-schema.json``.
    output : Path
        Folder of submissions.
    optional : dict
        What ``validations.yml`` asks for: arguments by function of hubValidations.
    no_optional : str
        Why it asks for nothing, where the file cannot be read.
    """

    root: Path
    admin: dict[str, Any]
    tasks: Tasks
    target: dict[str, Any] | None
    metadata_schema: dict[str, Any] | None
    output: Path
    optional: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    no_optional: str = ""

    def relative(self, path: Path) -> str:
        """A path from the hub's folder on, with ``/``."""
        return path.relative_to(self.root).as_posix()


def read_schemas(folder: Path | None) -> dict[str, dict[str, Any]]:
    """The hubverse's schemas of a folder, by name; empty without a folder.

    Raises
    ------
    DataError
        If a schema is missing or cannot be read.
    """
    if folder is None:
        return {}
    found = {}
    for name in FILES:
        path = folder / f"{name}-schema.json"
        try:
            found[name] = read_json(path, folder)
        except Unreadable as error:
            raise DataError(
                f"{path}: {error}",
                hint=f"the folder of schemas holds {', '.join(f'{x}-schema.json' for x in FILES)}",
            ) from None
    return found


def check_config(
    root: Path, schemas: Mapping[str, Mapping[str, Any]], ledger: Ledger
) -> Seen | None:
    """Run ``valid_config``; None if it failed, and nothing can be run after it.

    Parameters
    ----------
    root : Path
        The hub's folder.
    schemas : mapping
        As :func:`read_schemas` gives them; without any, what JSON schemas would say is not
        judged, and a configuration that is in order else is *not run*.
    ledger : Ledger
        Takes the outcome.
    """
    found, findings = _read(root)
    files = {n: c for n, c in found.items() if n in FILES}
    if not findings:
        findings = _versions(files)
    reason = _no_schema(files, schemas)
    if not findings and not reason:
        findings = [x for n, c in files.items() for x in by_schema(c, schemas[n], f"{n}.json: ")]
    tasks = None
    if not findings:
        try:
            check_shape(found["admin"], found["tasks"])
            findings = [_in(x, "tasks.json") for x in check_tasks(found["tasks"])]
            tasks = read_tasks(found["tasks"])
        except Shape as error:
            findings = [Finding(str(error), None, error.where)]
    if tasks is not None and "target-data" in found:
        more = check_target_data(found["target-data"], tasks)
        findings += [_in(x, "target-data.json") for x in more]
    if "model-metadata-schema" in found:
        more = check_metadata_schema(found["model-metadata-schema"])
        findings += [_in(x, "model-metadata-schema.json") for x in more]
    if findings or tasks is None:
        ledger.judged("valid_config", CONFIG, findings)
        ledger.never([c.name for c in CHECKS[1:]], "stopped by valid_config, which failed")
        return None
    if reason:
        ledger.not_run("valid_config", CONFIG, reason)
    else:
        ledger.passed("valid_config", CONFIG)
    optional, why = _optional(root)
    return Seen(
        root, found["admin"], tasks, found.get("target-data"), found.get("model-metadata-schema"),
        root / found["admin"].get("model_output_dir", "model-output"), optional, why,
    )  # fmt: skip


def _read(root: Path) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    found, findings = {}, []
    for name in (*FILES, "model-metadata-schema"):
        path = root / CONFIG / f"{name}.json"
        # That there is a schema of metadata is a check of its own; target data need none.
        if name not in ("admin", "tasks") and not path.exists() and not path.is_symlink():
            continue
        try:
            found[name] = read_json(path, root)
        except Unreadable as error:
            findings.append(Finding(str(error), None, path.name))
    return found, findings


def _versions(files: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    known = {f"{n}.json": version_of(config) for n, config in files.items()}
    if len(set(known.values())) > 1:
        text = ", ".join(f"{n} {_dots(v)}" for n, v in known.items())
        return [Finding(f"written for different schema versions: {text}", None, "schema_version")]
    return []


def _dots(version: tuple[int, int, int]) -> str:
    return f"v{version[0]}.{version[1]}.{version[2]}"


def _no_schema(
    files: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, Mapping[str, Any]]
) -> str:
    """Why the schemas cannot judge; empty where they can."""
    if not schemas:
        return "schemas not at hand (--schemas DIR); what can be judged without is in order"
    for name, config in files.items():
        ours = _VERSION.search(str(schemas[name].get("$id", "")))
        wanted = _dots(version_of(config))
        if ours and ours[0] != wanted:
            return f"the schemas are of {ours[0]}, and {name}.json is written for {wanted}"
    return ""


def by_schema(
    found: Mapping[str, Any], schema: Mapping[str, Any], before: str = ""
) -> list[Finding]:
    """What a JSON schema has to say, one finding a place; nothing is fetched for it.

    Parameters
    ----------
    found : mapping
        What is judged.
    schema : mapping
        By which.
    before : str
        Before the place in the file.
    """
    from jsonschema import FormatChecker
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    judge = validator_of(schema)(
        schema, format_checker=FormatChecker(("email", "date")), registry=Registry()
    )
    findings = []
    try:
        for error in sorted(judge.iter_errors(found), key=lambda e: e.json_path):
            best = best_match([error]) or error
            where = before + (best.json_path.removeprefix("$").lstrip(".") or "the file")
            findings.append(Finding(plain(best.message, 200), None, where))
    except Unresolvable as error:
        findings.append(Finding(f"the schema points to {plain(error.ref)}, which is not at hand"))
    except (RecursionError, re.error) as error:
        findings.append(Finding(f"the schema cannot be followed: {plain(error)}"))
    return findings


def _in(finding: Finding, file: str) -> Finding:
    return Finding(finding.message, finding.row, f"{file}: {finding.column}", finding.value)


def _optional(root: Path) -> tuple[dict[str, dict[str, Any]], str]:
    path = root / CONFIG / "validations.yml"
    if not path.exists():
        return {}, ""
    try:
        config = read_yaml(path, root)
    except Unreadable as error:
        return {}, f"validations.yml: {error}"
    found: dict[str, dict[str, Any]] = {}
    groups = config.get("default")
    for group in groups.values() if isinstance(groups, dict) else ():
        for entry in group.values() if isinstance(group, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("fn"), str):
                arguments = entry.get("args")
                found[entry["fn"]] = arguments if isinstance(arguments, dict) else {}
    return found, ""
