"""A hub's ``tasks.json`` as the checks need it: per round and model task, which values are legal.

Values are compared as text, as hubValidations does: 0.1 of the configuration is ``0.1`` in a
file, and ``0.10`` is another value. Layouts from schema 2 on: up to 3, an output type's ids are
``required`` and ``optional``; from 4 on, all are in ``required``, and ``is_required`` is the
output type's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Columns every model-output file has, beside the task ids.
STANDARD: Final = ("output_type", "output_type_id", "value")
#: An absent value: a task id that a model task does not have, the id of a mean.
NONE: Final = None

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_VERSION = re.compile(r"/v(\d+)\.(\d+)\.(\d+)/")

type Word = str | None


def word(value: Any) -> Word:
    """A value of a configuration as a file holds it.

    Examples
    --------
    >>> word(0.1), word(1.0), word(3), word("US"), word(None), word(True)
    ('0.1', '1', '3', 'US', None, 'true')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        import pyarrow as pa

        text: str = pa.array([value], pa.float64()).cast(pa.string())[0].as_py()
        return text
    return str(value)


def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar as ``2024-07-31``.

    Examples
    --------
    >>> is_day("2024-02-29"), is_day("2023-02-29"), is_day("2024-2-9")
    (True, False, False)
    """
    import datetime as dt

    if not _DAY.match(text):
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def type_of(values: Iterable[Any]) -> str:
    """The R type a column of such values has: the widest of them.

    Examples
    --------
    >>> type_of([1, 2]), type_of([0.5, 1]), type_of(["US", 1]), type_of(["2024-01-31"])
    ('integer', 'double', 'character', 'Date')
    """
    known = [v for v in values if v is not None]
    if any(isinstance(v, str) for v in known):
        days = all(isinstance(v, str) and is_day(v) for v in known)
        return "Date" if days else "character"
    if any(isinstance(v, float) and not v.is_integer() for v in known):
        return "double"
    if any(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        return "integer"
    return "logical" if known else "character"


@dataclass(frozen=True)
class Choice:
    """Values a column may have: those that must be there, and those that may."""

    required: tuple[Word, ...] = ()
    optional: tuple[Word, ...] = ()

    @property
    def allowed(self) -> tuple[Word, ...]:
        """All of them, in the order of the configuration."""
        return (*self.required, *self.optional)


@dataclass(frozen=True)
class OutputType:
    """One output type of a model task."""

    name: str
    ids: Choice
    is_required: bool
    value: Mapping[str, Any] = field(default_factory=dict)
    #: ``output_type_id_params`` of samples; None of everything else, and up to schema 2.
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ModelTask:
    """One model task of a round."""

    task_ids: Mapping[str, Choice]
    output_types: Mapping[str, OutputType]
    targets: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Round:
    """One entry of ``rounds``; where round ids stand in a variable, it is many rounds."""

    ids: tuple[str, ...]
    #: Column whose value is the round's id; None if the id is the configuration's.
    column: str | None
    tasks: tuple[ModelTask, ...]
    derived: tuple[str, ...]
    due: Mapping[str, Any]
    file_format: tuple[str, ...] | None

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Names of all task ids of its model tasks."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.task_ids))

    def fixed(self, round_id: str) -> tuple[ModelTask, ...]:
        """Its model tasks for one round: in the round's column, that id and no other."""
        if self.column is None:
            return self.tasks
        only = Choice((round_id,))
        return tuple(
            ModelTask(
                {n: only if n == self.column else c for n, c in task.task_ids.items()},
                task.output_types,
                task.targets,
            )
            for task in self.tasks
        )


@dataclass(frozen=True)
class Tasks:
    """All rounds of a hub, and the types of its columns."""

    rounds: tuple[Round, ...]
    version: tuple[int, int, int]
    types: Mapping[str, str]

    @property
    def round_ids(self) -> tuple[str, ...]:
        """All round ids."""
        return tuple(x for r in self.rounds for x in r.ids)

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Names of all task ids."""
        return tuple(dict.fromkeys(name for r in self.rounds for name in r.task_ids))

    def round(self, round_id: str) -> Round:
        """The entry that a round id belongs to."""
        return next(r for r in self.rounds if round_id in r.ids)

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        """``target_metadata`` of all model tasks."""
        return [t for r in self.rounds for task in r.tasks for t in task.targets]

    @property
    def target_column(self) -> str | None:
        """The task id that names the target: the key of ``target_keys``; None if there is none."""
        keys = [t.get("target_keys") for t in self.targets]
        return next((str(k) for x in keys if isinstance(x, dict) for k in x), None)


def version_of(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """The version a configuration says it is written for; (6, 0, 0) if it says none.

    Examples
    --------
    >>> version_of({"schema_version": "https://x/schemas/main/v4.0.1/tasks-schema.json"})
    (4, 0, 1)
    """
    found = _VERSION.search(str(config.get("schema_version", "")))
    return (int(found[1]), int(found[2]), int(found[3])) if found else (6, 0, 0)


def read_tasks(config: Mapping[str, Any]) -> Tasks:
    """What ``tasks.json`` says.

    Parameters
    ----------
    config : mapping
        The file as JSON; its structure has been looked at.

    Returns
    -------
    Tasks
    """
    version = version_of(config)
    hub_wide = config.get("derived_task_ids") or ()
    rounds = tuple(_round(r, hub_wide, version) for r in config["rounds"])
    return Tasks(rounds, version, _types(config))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _words(value: Any) -> tuple[Word, ...]:
    return tuple(word(x) for x in _list(value))


def _round(config: Mapping[str, Any], hub_wide: Any, version: tuple[int, int, int]) -> Round:
    tasks = tuple(_task(t, version) for t in config["model_tasks"])
    column = config["round_id"] if config["round_id_from_variable"] else None
    ids: tuple[str, ...] = (str(config["round_id"]),)
    if column is not None:
        every = (x for t in tasks for x in t.task_ids.get(column, Choice()).allowed)
        ids = tuple(dict.fromkeys(x for x in every if x is not None))
    derived = _list(config.get("derived_task_ids") or hub_wide)
    formats = config.get("file_format")
    return Round(
        ids, column, tasks, tuple(map(str, derived)), config.get("submissions_due") or {},
        tuple(map(str, _list(formats))) if formats else None,
    )  # fmt: skip


def _task(config: Mapping[str, Any], version: tuple[int, int, int]) -> ModelTask:
    task_ids = {}
    for name, values in config["task_ids"].items():
        choice = Choice(_words(values.get("required")), _words(values.get("optional")))
        # Neither has a value: the model task does not have this task id, and its cells are NA.
        task_ids[name] = choice if choice.allowed else Choice((NONE,))
    types = {n: _output_type(n, c, version) for n, c in config["output_type"].items()}
    return ModelTask(task_ids, types, tuple(_list(config.get("target_metadata"))))


def _output_type(name: str, config: Mapping[str, Any], version: tuple[int, int, int]) -> OutputType:
    ids = config.get("output_type_id", config.get("type_id"))
    params = config.get("output_type_id_params") if version >= (3, 0, 0) else None
    required = bool(config.get("is_required") or (params or {}).get("is_required"))
    if not isinstance(ids, dict) or params is not None:
        choice = Choice((NONE,)) if required else Choice((), (NONE,))
    else:
        # "NA" was how a mean's id was written up to schema 3.
        kept = {
            k: tuple(NONE if x == "NA" else x for x in _words(ids.get(k)))
            for k in ("required", "optional")
        }
        if "optional" in ids:
            choice = Choice(kept["required"], kept["optional"])
            required = bool(kept["required"])
        elif not kept["required"]:
            choice = Choice((NONE,)) if required else Choice((), (NONE,))
        else:
            choice = Choice(kept["required"]) if required else Choice((), kept["required"])
        if not choice.allowed:
            choice = Choice((), (NONE,))
    return OutputType(name, choice, required, config.get("value") or {}, params)


def _types(config: Mapping[str, Any]) -> dict[str, str]:
    """R types of all columns, as hubData derives them from all rounds together."""
    tasks = [t for r in config["rounds"] for t in r["model_tasks"]]
    found: dict[str, list[Any]] = {}
    for task in tasks:
        for name, values in task["task_ids"].items():
            kept = found.setdefault(name, [])
            kept += [x for k in ("required", "optional") for x in _list(values.get(k))]
    types = {name: type_of(values) for name, values in found.items()}
    outputs = [(n, o) for t in tasks for n, o in t["output_type"].items()]
    types["output_type"] = "character"
    asked = config.get("output_type_id_datatype", "auto")
    types["output_type_id"] = _id_type(outputs) if asked in (None, "auto") else str(asked)
    kinds = {str((o.get("value") or {}).get("type")) for _, o in outputs}
    order = ("character", "double", "integer", "logical")
    types["value"] = next((k for k in order if k in kinds), "double")
    return types


def _id_type(outputs: list[tuple[str, Mapping[str, Any]]]) -> str:
    values: list[Any] = []
    for name, output in outputs:
        ids = output.get("output_type_id", output.get("type_id"))
        if isinstance(ids, dict):
            kept = [x for k in ("required", "optional") for x in _list(ids.get(k))]
            values += [x for x in kept if x != "NA"]
        params = output.get("output_type_id_params") or {}
        if name == "sample" and params:
            values.append("" if params.get("type") == "character" else 1)
    found = type_of(values)
    return "character" if found in ("Date", "logical") else found
