"""What a hub's configuration must be beyond its JSON schema, as hubAdmin looks at it.

The schemas of the hubverse say which names and types a configuration has. They cannot say that a
target key names a task id that exists, that no round id stands in two rounds, or that a derived
task id has no required value: these rules are here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from odforecast.hub.checks.outcome import Finding
from odforecast.hub.checks.tasks import STANDARD, Tasks, read_tasks
from odforecast.hub.layout import TARGET_TYPES
from odforecast.say import listed, plain, quoted

_ROUND_ID: Final = re.compile(r"(\d{4}-\d{2}-\d{2}|[A-Za-z0-9_]+)\Z")
_TYPES: Final = ("character", "double", "integer", "logical", "Date")
_DRAFTS: Final = (
    "Draft4Validator",
    "Draft6Validator",
    "Draft7Validator",
    "Draft201909Validator",
    "Draft202012Validator",
)
_RESERVED: Final = ("as_of", "output_type", "output_type_id", "observation", "oracle_value")


class Shape(Exception):
    """Something that is no part of a configuration: where, and what it should be."""

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(message)


def check_shape(admin: dict[str, Any], tasks: dict[str, Any]) -> None:
    """Refuse what cannot even be read, so that the checks after this need not look again.

    Raises
    ------
    Shape
        With the place in the file.
    """
    formats = admin.get("file_format")
    if not isinstance(formats, list) or not all(isinstance(x, str) for x in formats):
        raise Shape("admin.json: file_format", "must be a list of file formats")
    folder = admin.get("model_output_dir", "model-output")
    if not isinstance(folder, str) or folder.startswith("/") or ".." in folder.split("/"):
        raise Shape("admin.json: model_output_dir", "must be a folder of the hub")
    for i, entry in enumerate(_want(tasks, "rounds", list, "tasks.json", full=True)):
        at = f"rounds/{i}"
        _want(entry, "round_id", str, at)
        _want(entry, "round_id_from_variable", bool, at)
        _lists(entry, ("derived_task_ids", "file_format"), at)
        if entry.get("submissions_due") is not None:
            _want(entry, "submissions_due", dict, at)
        for j, task in enumerate(_want(entry, "model_tasks", list, at, full=True)):
            _check_task(task, f"{at}/model_tasks/{j}")
        column = entry["round_id"]
        if entry["round_id_from_variable"]:
            for j, task in enumerate(entry["model_tasks"]):
                if column not in task["task_ids"]:
                    raise Shape(f"{at}/model_tasks/{j}/task_ids", f"lacks the round id, {column}")
    _lists(tasks, ("derived_task_ids",), "tasks.json")


def _check_task(task: Any, at: str) -> None:
    for name, values in _want(task, "task_ids", dict, at, full=True).items():
        if not isinstance(values, dict):
            raise Shape(f"{at}/task_ids/{name}", "must be an object")
        _lists(values, ("required", "optional"), f"{at}/task_ids/{name}")
    for name, output in _want(task, "output_type", dict, at, full=True).items():
        where = f"{at}/output_type/{name}"
        if not isinstance(output, dict):
            raise Shape(where, "must be an object")
        ids = output.get("output_type_id", output.get("type_id"))
        if isinstance(ids, dict):
            _lists(ids, ("required", "optional"), f"{where}/output_type_id")
        value = _want(output, "value", dict, where)
        for end in ("minimum", "maximum"):
            if not isinstance(value.get(end, 0), int | float):
                raise Shape(f"{where}/value/{end}", "must be a number")
        if (params := output.get("output_type_id_params")) is not None:
            for key in ("min_samples_per_task", "max_samples_per_task"):
                _want({"p": params}, "p", dict, where)
                _want(params, key, int, f"{where}/output_type_id_params")
            _lists(params, ("compound_taskid_set",), f"{where}/output_type_id_params")
            if not isinstance(params.get("max_length", 1), int):
                raise Shape(f"{where}/output_type_id_params/max_length", "must be a whole number")
    for k, target in enumerate(_want(task, "target_metadata", list, at)):
        keys = target.get("target_keys") if isinstance(target, dict) else 0
        if not isinstance(keys, dict | None) or any(
            isinstance(x, dict | list) for x in _keys(keys).values()
        ):
            raise Shape(f"{at}/target_metadata/{k}", "must be an object with target_keys")


def _want(found: Any, name: str, kind: type, at: str, *, full: bool = False) -> Any:
    words = {list: "a list", dict: "an object", str: "a text", bool: "true or false"}
    if not isinstance(found, dict):
        raise Shape(at, "must be an object")
    value = found.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Shape(f"{at}/{name}", f"must be {words.get(kind, 'a whole number')}")
    if full and not value:
        raise Shape(f"{at}/{name}", "must not be empty")
    return value


def _lists(found: dict[str, Any], names: tuple[str, ...], at: str) -> None:
    for name in names:
        value = found.get(name)
        if value is None or (isinstance(value, str) and name != "required"):
            continue
        if not isinstance(value, list) or any(isinstance(x, dict | list) for x in value):
            raise Shape(f"{at}/{name}", "must be a list of values, or null")


def check_tasks(config: dict[str, Any]) -> list[Finding]:
    """Rules between the parts of ``tasks.json``.

    Parameters
    ----------
    config : dict
        The file as JSON, of the right shape.

    Returns
    -------
    list of Finding
        ``column`` is the place in the file.
    """
    tasks = read_tasks(config)
    found = [
        x
        for i, entry in enumerate(config["rounds"])
        for x in _round(entry, f"rounds/{i}", tasks.version)
    ]
    for i, round_ in enumerate(tasks.rounds):
        for name in round_.ids:
            if not _ROUND_ID.match(name):
                rule = "a round id is a day (2024-07-31) or letters, digits and _"
                found.append(Finding(rule, None, f"rounds/{i}/round_id", name))
    for name, n in Counter(tasks.round_ids).items():
        if n > 1:
            found.append(
                Finding("this round id stands in more than one round", None, "rounds", name)
            )
    for name in tasks.task_ids:
        choices = [t.task_ids[name] for r in tasks.rounds for t in r.tasks if name in t.task_ids]
        if all(c.allowed == (None,) for c in choices):
            where = f"rounds/*/model_tasks/*/task_ids/{name}"
            found.append(Finding("this task id has no value in any model task", None, where))
    found += _derived(
        config.get("derived_task_ids"), tasks.task_ids, config["rounds"], "tasks.json"
    )
    return found


def _round(entry: dict[str, Any], at: str, version: tuple[int, int, int]) -> Iterator[Finding]:
    for j, task in enumerate(entry["model_tasks"]):
        where = f"{at}/model_tasks/{j}"
        yield from _reserved(task, where)
        yield from _target_keys(task, where, version)
        yield from _twice(task, where)
        yield from _samples(task, where)
    if entry["round_id_from_variable"]:
        first = entry["model_tasks"][0]["task_ids"][entry["round_id"]]
        for j, task in enumerate(entry["model_tasks"][1:], 1):
            if task["task_ids"][entry["round_id"]] != first:
                where = f"{at}/model_tasks/{j}/task_ids/{entry['round_id']}"
                yield Finding("round ids must be those of the first model task", None, where)
    names = [n for task in entry["model_tasks"] for n in task["task_ids"]]
    yield from _derived(entry.get("derived_task_ids"), names, [entry], at)


def _reserved(task: dict[str, Any], at: str) -> Iterator[Finding]:
    for name in task["task_ids"]:
        if name in ("model_id", *STANDARD):
            yield Finding("the name is a column of every hub file", None, f"{at}/task_ids", name)


def _target_keys(task: dict[str, Any], at: str, version: tuple[int, int, int]) -> Iterator[Finding]:
    at = f"{at}/target_metadata"
    targets, task_ids = task["target_metadata"], task["task_ids"]
    keys = [_keys(t.get("target_keys")) for t in targets]
    if not any(keys):
        return
    if len({tuple(k) for k in keys}) > 1:
        yield Finding("target_keys must have the same names in all targets", None, at)
        return
    for k, (target, pairs) in enumerate(zip(targets, keys)):
        for name, value in pairs.items():
            where = f"{at}/{k}/target_keys/{name}"
            if name not in task_ids:
                yield Finding("no task id of the model task has this name", None, where)
            elif value not in _values(task_ids[name]):
                yield Finding("no value of this task id in the model task", None, where, str(value))
        # Before, hubs named a target in other words than its key.
        same = target.get("target_id") in pairs.values()
        if len(pairs) == 1 and version >= (5, 0, 0) and not same:
            rule = "target_id must be the value of its target key"
            yield Finding(rule, None, f"{at}/{k}/target_id", str(target.get("target_id")))
    for name in keys[0]:
        known = {k.get(name) for k in keys}
        for value in _values(task_ids.get(name, {})):
            if value not in known:
                yield Finding(f"no target_keys say {name} is this", None, at, str(value))


def _keys(keys: dict[str, Any] | None) -> dict[str, Any]:
    """Target keys; up to schema 3 a value could be a list of one."""
    return {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in (keys or {}).items()}


def _values(choice: dict[str, Any]) -> list[Any]:
    return [*(choice.get("required") or ()), *(choice.get("optional") or ())]


def _twice(task: dict[str, Any], at: str) -> Iterator[Finding]:
    for name, choice in task["task_ids"].items():
        if again := [v for v, n in Counter(_values(choice)).items() if n > 1]:
            yield Finding(f"{listed(again, 3)} twice", None, f"{at}/task_ids/{name}")
    for name in ("quantile", "cdf", "pmf"):
        ids = task["output_type"].get(name, {}).get("output_type_id")
        if isinstance(ids, dict) and (
            again := [v for v, n in Counter(_values(ids)).items() if n > 1]
        ):
            yield Finding(f"{listed(again, 3)} twice", None, f"{at}/output_type/{name}")


def _samples(task: dict[str, Any], at: str) -> Iterator[Finding]:
    params = task["output_type"].get("sample", {}).get("output_type_id_params")
    if params is None:
        return
    at = f"{at}/output_type/sample/output_type_id_params"
    least, most = params["min_samples_per_task"], params["max_samples_per_task"]
    if most < least:
        yield Finding(f"min_samples_per_task {least} is more than max_samples_per_task {most}",
                      None, at)  # fmt: skip
    for name in params.get("compound_taskid_set") or ():
        if name not in task["task_ids"]:
            rule = "no task id of the model task"
            yield Finding(rule, None, f"{at}/compound_taskid_set", str(name))


def _derived(names: Any, task_ids: Any, rounds: list[dict[str, Any]], at: str) -> Iterator[Finding]:
    for name in [names] if isinstance(names, str) else names or ():
        where = f"{at}/derived_task_ids"
        if name not in task_ids:
            yield Finding("no task id has this name", None, where, str(name))
        elif any(t["task_ids"].get(name, {}).get("required")
                 for r in rounds for t in r["model_tasks"]):  # fmt: skip
            yield Finding("a derived task id has no required values", None, where, name)


def check_target_data(config: dict[str, Any], tasks: Tasks) -> list[Finding]:
    """Rules of ``target-data.json`` beside ``tasks.json``."""
    found = []
    day = config.get("date_col")
    if not isinstance(day, str):
        return [Finding("must name the column of dates", None, "date_col")]
    if tasks.types.get(day, "Date") != "Date":
        found.append(Finding("this task id holds no days", None, "date_col", day))
    for level in (None, *TARGET_TYPES):
        part = config if level is None else config.get(level)
        if part is None:
            continue
        if not isinstance(part, dict):
            return [Finding("must be an object", None, str(level))]
        at = "observable_unit" if level is None else f"{level}/observable_unit"
        unit = part.get("observable_unit")
        if not isinstance(unit, list | None) or (level is None and not unit):
            return [Finding("must be a list of columns", None, at)]
        for name in unit or ():
            if name not in (*tasks.task_ids, day):
                found.append(Finding("is no task id, nor date_col", None, at, str(name)))
    extra = (config.get("time-series") or {}).get("non_task_id_schema") or {}
    if not isinstance(extra, dict):
        return [Finding("must be an object", None, "time-series/non_task_id_schema")]
    for name, kind in extra.items():
        if kind not in _TYPES:
            text = f"must be one of {listed(_TYPES)}"
            found.append(Finding(text, None, f"time-series/non_task_id_schema/{plain(name)}"))
        if name in (*tasks.task_ids, day, *_RESERVED):
            rule = "is a task id, date_col or a reserved column"
            found.append(Finding(rule, None, "time-series/non_task_id_schema", name))
    return found


def validator_of(schema: Mapping[str, Any]) -> Any:
    """The validator of a schema's own draft; of the latest, where it names none that is known."""
    from jsonschema import validators

    draft = schema.get("$schema")
    known = (getattr(validators, name) for name in _DRAFTS)
    by_name = {str(kind.META_SCHEMA.get("$schema", "")).rstrip("#"): kind for kind in known}
    return by_name.get(str(draft).rstrip("#"), validators.Draft202012Validator)


def check_metadata_schema(schema: dict[str, Any]) -> list[Finding]:
    """``model-metadata-schema.json`` is a JSON schema, and names the model."""
    from jsonschema import SchemaError

    try:
        validator_of(schema).check_schema(schema)
    except SchemaError as error:
        return [Finding(f"is no JSON schema: {error.message}", None, error.json_path)]
    known = schema.get("properties") or {}
    if "model_id" in known or {"team_abbr", "model_abbr"} <= set(known):
        return []
    rule = f"must have model_id, or team_abbr and model_abbr; has {quoted(listed(known, 4))}"
    return [Finding(rule, None, "properties")]
