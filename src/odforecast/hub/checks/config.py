"""A hub's configuration: its schemas and rules (``valid_config``)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from odforecast.errors import DataError
from odforecast.hub.checks.report import Finding, Unreadable, read_json, read_yaml
from odforecast.hub.layout import CONFIG, TARGET_TYPES, Tasks, shaped, values_of
from odforecast.say import listed, plain, quoted

#: Columns that every model-output file has beside the task ids.
STANDARD: Final = ("output_type", "output_type_id", "value")
#: Files of the configuration that have a schema of the hubverse.
FILES: Final = ("admin", "tasks", "target-data")
METADATA_SCHEMA: Final = "model-metadata-schema"
#: Schema versions whose rules are known here.
_SUPPORTED: Final = ("v5.", "v6.")
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_ROUND_ID: Final = re.compile(r"(\d{4}-\d{2}-\d{2}|[A-Za-z0-9_]+)\Z")
_RESERVED: Final = (
    "as_of",
    "output_type",
    "output_type_id",
    "observation",
    "oracle_value",
)

#: A configuration's files by name, and JSON schemas.
type Files = Mapping[str, Mapping[str, Any]]


def read_schemas(folder: Path | None) -> dict[str, dict[str, Any]]:
    """The hubverse's schemas of a folder, by name; empty without a folder."""
    if folder is None:
        return {}
    schemas = {}
    for name in FILES:
        path = folder / f"{name}-schema.json"
        try:
            schemas[name] = read_json(path, folder)
        except Unreadable as error:
            names = ", ".join(f"{name}-schema.json" for name in FILES)
            hint = f"the folder of schemas holds {names}"
            raise DataError(f"{path}: {error}", hint=hint) from None
    return schemas


def judge(root: Path, schemas: Files) -> tuple[Files, list[Finding], str]:
    """A configuration, what is wrong with it, and why the hubverse's schemas did not judge it."""
    configs = {}
    findings = []
    for name in (*FILES, METADATA_SCHEMA):
        path = root / CONFIG / f"{name}.json"
        # That there is a schema of metadata is a check of its own; target data need none.
        if name in ("admin", "tasks") or path.exists() or path.is_symlink():
            try:
                configs[name] = read_json(path, root)
            except Unreadable as error:
                findings.append(Finding(str(error), None, column=path.name))
    files = {name: config for name, config in configs.items() if name in FILES}
    versions = {f"{name}.json": version_of(config) for name, config in files.items()}
    if len(set(versions.values())) > 1 and not findings:
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        findings = [
            _at("schema_version", f"written for different schema versions: {text}")
        ]
    no_schema = ""
    if not findings:
        no_schema = _version_differs(root, files, schemas=schemas)
        if not no_schema:
            findings = _judge_files(files, schemas)
    if not findings and files:
        shape = json.loads(
            Path(__file__).with_name("shape.json").read_text(encoding="utf-8")
        )
        findings = _judge_files(files, {name: shape | shape[name] for name in FILES})
        findings = findings or list(_rules(configs))
    if METADATA_SCHEMA in configs:
        findings += _metadata_schema(configs[METADATA_SCHEMA])
    return configs, findings, no_schema


def _judge_files(files: Files, schemas: Files) -> list[Finding]:
    """What the schemas of files say is wrong with them."""
    findings = []
    for name, config in files.items():
        findings += by_schema(config, schemas[name], before=f"{name}.json: ")
    return findings


def _version_differs(root: Path, files: Files, schemas: Files) -> str:
    """Why the hubverse's schemas cannot judge a hub; empty where they can."""
    version = version_of(files["tasks"])
    if not version.startswith(_SUPPORTED):
        raise DataError(
            f"{plain(str(root), 300)}: written for schema {version}; hub check knows "
            f"{' and '.join(version.rstrip('.') for version in _SUPPORTED)}",
            hint="bring the hub's configuration up to v6, or run hubValidations in R",
        )
    if not schemas:
        return "schemas not at hand (--schemas DIR); what can be judged without is in order"
    for name in files:
        match = _VERSION.search(str(schemas[name].get("$id", "")))
        if match and match[0] != version:
            return f"the schemas are of {match[0]}, and {name}.json is written for {version}"
    return ""


def version_of(config: Mapping[str, Any]) -> str:
    """The version a configuration says it is written for; v6.0.0 if it says none."""
    match = _VERSION.search(str(config.get("schema_version", "")))
    return match[0] if match else "v6.0.0"


def by_schema(
    config: Mapping[str, Any], schema: Mapping[str, Any], before: str = ""
) -> list[Finding]:
    """What a JSON schema says is wrong, one finding a place; nothing is fetched for it."""
    from jsonschema import FormatChecker
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = _validator(schema)(
        schema,
        format_checker=FormatChecker(("email", "date")),
        registry=Registry(),
    )
    findings = []
    try:
        for error in sorted(
            validator.iter_errors(config), key=lambda error: error.json_path
        ):
            best = best_match([error]) or error
            key = best.json_path.removeprefix("$").lstrip(".") or "the file"
            findings.append(
                Finding(plain(best.message, 200), None, column=before + key)
            )
    except Unresolvable as error:
        findings.append(
            Finding(f"the schema points to {plain(error.ref)}, which is not at hand")
        )
    except (RecursionError, re.error) as error:
        findings.append(Finding(f"the schema cannot be followed: {plain(error)}"))
    return findings


def _validator(schema: Mapping[str, Any]) -> Any:
    """The validator of a schema's own draft; of the latest, where it names none that is known."""
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for({"$schema": str(schema.get("$schema"))}, Draft202012Validator)


def _metadata_schema(schema: dict[str, Any]) -> list[Finding]:
    """Whether ``model-metadata-schema.json`` is a JSON schema, and names the model."""
    from jsonschema import SchemaError

    file = f"{METADATA_SCHEMA}.json: "
    try:
        _validator(schema).check_schema(schema)
    except SchemaError as error:
        return [_at(file + error.json_path, f"is not a JSON schema: {error.message}")]
    names = schema.get("properties") or {}
    if "model_id" in names or {"team_abbr", "model_abbr"} <= set(names):
        return []
    rule = f"must have model_id, or team_abbr and model_abbr; has {quoted(listed(names, 4))}"
    return [_at(f"{file}properties", rule)]


def read_optional(root: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """What ``validations.yml`` asks for, and why it asks for nothing if it cannot be read."""
    path = root / CONFIG / "validations.yml"
    if not path.exists():
        return {}, ""
    try:
        groups = read_yaml(path, root).get("default")
    except Unreadable as error:
        return {}, f"validations.yml: {error}"
    arguments: dict[str, dict[str, Any]] = {}
    for group in _mappings_in(groups):
        for entry in _mappings_in(group):
            function = entry.get("fn")
            if isinstance(function, str):
                given = entry.get("args")
                arguments[function] = given if isinstance(given, dict) else {}
    return arguments, ""


def _mappings_in(value: object) -> list[dict[str, Any]]:
    """The mappings that are values of a mapping."""
    if not isinstance(value, dict):
        return []
    return [member for member in value.values() if isinstance(member, dict)]


# Rules that no schema can say, as hubAdmin has them


def _at(key: str, message: str, value: object = None) -> Finding:
    """A finding at a key of a configuration."""
    text = None if value is None else str(value)
    return Finding(message, None, column=key, value=text)


def _rules(configs: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong between the parts of a configuration of the right shape."""
    config = configs["tasks"]
    at = "tasks.json: "
    for i, entry in enumerate(config["rounds"]):
        yield from _round_rules(entry, f"{at}rounds[{i}]")
    try:
        tasks = shaped(config, Tasks)
    except ValueError as error:
        yield _at("tasks.json", str(error))
        return
    for i, round_ in enumerate(tasks.rounds):
        for name in round_.ids:
            if not _ROUND_ID.match(name):
                rule = "a round ID is a day (2024-07-31) or letters, digits and _"
                yield _at(f"{at}rounds[{i}].round_id", rule, value=name)
    for name in _repeated(tasks.round_ids):
        yield _at(f"{at}rounds", "this round ID is in more than one round", value=name)
    for name in tasks.task_ids:
        if not any(task.choice(name).values for task in tasks.model_tasks):
            key = f"{at}rounds[*].model_tasks[*].task_ids.{name}"
            yield _at(key, "this task ID has no value in any model task")
    yield from _derived(config, config["rounds"], at=at)
    if "target-data" in configs:
        yield from _target_rules(configs["target-data"], tasks)


def _round_rules(entry: Mapping[str, Any], at: str) -> Iterator[Finding]:
    """What is wrong within one round."""
    tasks = entry["model_tasks"]
    for j, task in enumerate(tasks):
        yield from _task_rules(task, f"{at}.model_tasks[{j}]")
    yield from _derived(entry, [entry], at=f"{at}.")
    if not entry["round_id_from_variable"]:
        return
    column = entry["round_id"]
    first = tasks[0]["task_ids"].get(column)
    for j, task in enumerate(tasks):
        key = f"{at}.model_tasks[{j}].task_ids"
        if column not in task["task_ids"]:
            yield _at(key, f"lacks the round ID, {column}")
        elif task["task_ids"][column] != first:
            yield _at(
                f"{key}.{column}", "must be the round IDs of the first model task"
            )


def _repeated(values: Iterable[str]) -> list[str]:
    """Values that are there more than once."""
    return [value for value, n in Counter(values).items() if n > 1]


def _task_rules(task: Mapping[str, Any], at: str) -> Iterator[Finding]:
    task_ids = task["task_ids"]
    outputs = task["output_type"]
    for name in task_ids:
        if name in ("model_id", *STANDARD):
            yield _at(
                f"{at}.task_ids", "the name is a column of every hub file", value=name
            )
    choices = {f"{at}.task_ids.{name}": choice for name, choice in task_ids.items()}
    for name, output in outputs.items():
        choices[f"{at}.output_type.{name}"] = output.get("output_type_id", {})
    for key, choice in choices.items():
        repeated = _repeated(map(json.dumps, values_of(choice)))
        if repeated:
            yield _at(key, f"{listed(repeated, 3)} twice")
    params = outputs.get("sample", {}).get("output_type_id_params", {})
    key = f"{at}.output_type.sample.output_type_id_params"
    least = params.get("min_samples_per_task", 0)
    most = params.get("max_samples_per_task", 0)
    if most < least:
        yield _at(
            key,
            f"min_samples_per_task {least} is more than max_samples_per_task {most}",
        )
    for name in params.get("compound_taskid_set") or ():
        if name not in task_ids:
            message = "is not a task ID of the model task"
            yield _at(f"{key}.compound_taskid_set", message, value=name)
    yield from _target_keys(task, f"{at}.target_metadata")


def _target_keys(task: Mapping[str, Any], at: str) -> Iterator[Finding]:
    targets = task["target_metadata"]
    keys = [target.get("target_keys") or {} for target in targets]
    if len({tuple(pairs) for pairs in keys}) > 1:
        yield _at(at, "target_keys must have the same names in all targets")
        return
    for i, (target, pairs) in enumerate(zip(targets, keys)):
        for name, value in pairs.items():
            key = f"{at}[{i}].target_keys.{name}"
            if name not in task["task_ids"]:
                yield _at(key, "is not a task ID of the model task")
            elif value not in values_of(task["task_ids"][name]):
                yield _at(
                    key, "is not a value of this task ID in the model task", value=value
                )
        if len(pairs) == 1 and target.get("target_id") not in pairs.values():
            rule = "target_id must be the value of its target key"
            yield _at(f"{at}[{i}].target_id", rule, value=target.get("target_id"))
    for name in keys[0] if keys else ():
        for value in values_of(task["task_ids"].get(name, {})):
            if value not in [pairs[name] for pairs in keys]:
                yield _at(at, f"no target_keys say {name} is this", value=value)


def _derived(
    config: Mapping[str, Any], rounds: list[Any], at: str
) -> Iterator[Finding]:
    tasks = [task["task_ids"] for round_ in rounds for task in round_["model_tasks"]]
    for name in config.get("derived_task_ids") or ():
        if not any(name in task_ids for task_ids in tasks):
            yield _at(f"{at}derived_task_ids", "is not a task ID", value=name)
        elif any(task_ids.get(name, {}).get("required") for task_ids in tasks):
            message = "a derived task ID has no required values"
            yield _at(f"{at}derived_task_ids", message, value=name)


def _target_rules(config: Mapping[str, Any], tasks: Tasks) -> Iterator[Finding]:
    day = config["date_col"]
    at = "target-data.json: "
    if tasks.types.get(day, "Date") != "Date":
        yield _at(f"{at}date_col", "this task ID holds no days", value=day)
    series = config.get("time-series") or {}
    parts = {"": config}
    for kind in TARGET_TYPES:
        parts[f"{kind}."] = config.get(kind) or {}
    for prefix, part in parts.items():
        for name in part.get("observable_unit") or ():
            if name not in (*tasks.task_ids, day):
                key = f"{at}{prefix}observable_unit"
                yield _at(key, "is not a task ID or date_col", value=name)
    for name in series.get("non_task_id_schema") or ():
        if name in (*tasks.task_ids, day, *_RESERVED):
            rule = "is a task ID, date_col or a reserved column"
            yield _at(f"{at}time-series.non_task_id_schema", rule, value=name)
