"""What a hub asks for: rounds, their model tasks, and the values that each column may have.

Values are compared as text, as hubValidations does: 0.1 of the configuration is ``0.1`` in a
file, and ``0.10`` is another value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from odforecast.hub.cells import is_day, text_of
from odforecast.hub.layout import values_of

#: A cell: its text, or None where it is NA.
type Word = str | None

_STEPS: Final = {"day": 1, "week": 7}


@dataclass(frozen=True)
class Choice:
    """Values a column may have: those that must be there, and those that may."""

    required: tuple[Word, ...] = ()
    optional: tuple[Word, ...] = ()

    @property
    def allowed(self) -> tuple[Word, ...]:
        """All of them, in the order of the configuration."""
        return (*self.required, *self.optional)


#: The cells of a task id that a model task does not have.
ABSENT: Final = Choice((None,))


@dataclass(frozen=True)
class OutputType:
    """One output type of a model task; ``params`` are its ``output_type_id_params``."""

    name: str
    ids: tuple[Word, ...]
    is_required: bool = False
    value: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelTask:
    """One model task of a round, and its number there; ``derived`` task ids follow from others."""

    number: int
    task_ids: Mapping[str, Choice]
    outputs: Mapping[str, OutputType]
    targets: Sequence[Mapping[str, Any]] = ()
    derived: Sequence[str] = ()
    column: str | None = None

    def choice(self, name: str) -> Choice:
        """Values of a task id."""
        return self.task_ids.get(name, ABSENT)

    @property
    def categories(self) -> list[str]:
        """Categories of its ``pmf``, in the order of the configuration."""
        return [w for w in self.outputs["pmf"].ids if w] if "pmf" in self.outputs else []

    @property
    def ordinal(self) -> bool:
        """Whether they have an order."""
        return {t.get("target_type") for t in self.targets} == {"ordinal"}

    @property
    def keys(self) -> list[str]:
        """Task ids that name the target."""
        return list(dict.fromkeys(str(k) for t in self.targets for k in t.get("target_keys") or {}))

    @property
    def compound(self) -> list[str] | None:
        """Task ids that stay the same within one sample; None where the hub does not say."""
        sample = self.outputs.get("sample")
        return sample.params.get("compound_taskid_set") if sample else None

    def day(self, unit: Mapping[Any, Any]) -> str:
        """Day of a unit's observation by origin and horizon; empty where it does not follow."""
        units = {str(t.get("time_unit")) for t in self.targets if t.get("is_step_ahead")}
        try:
            (step,) = (_STEPS[x] for x in units)
            start = dt.date.fromisoformat(str(unit[self.column]))
            return str(start + dt.timedelta(step * int(unit["horizon"])))
        except (KeyError, ValueError, OverflowError):
            return ""


@dataclass(frozen=True)
class Round:
    """One entry of ``rounds``; where round ids are a column's values, it is many rounds."""

    ids: tuple[str, ...]
    #: Column whose value is the round's id; None if the id is the configuration's.
    column: str | None
    tasks: tuple[ModelTask, ...]
    derived: Sequence[str]
    config: Mapping[str, Any]

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Names of all task ids of its model tasks."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.task_ids))

    def fixed(self, round_id: str) -> tuple[ModelTask, ...]:
        """Its model tasks for one round: in the round's column, that id and no other."""
        if self.column is None:
            return self.tasks
        only = {self.column: Choice((round_id,))}
        return tuple(replace(t, task_ids={**t.task_ids, **only}) for t in self.tasks)


@dataclass(frozen=True)
class Tasks:
    """All rounds of a hub."""

    rounds: tuple[Round, ...]
    config: Mapping[str, Any]

    @property
    def round_ids(self) -> tuple[str, ...]:
        """All round ids."""
        return tuple(x for r in self.rounds for x in r.ids)

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Names of all task ids."""
        return tuple(dict.fromkeys(name for r in self.rounds for name in r.task_ids))

    @property
    def model_tasks(self) -> list[ModelTask]:
        """Model tasks of all rounds."""
        return [task for r in self.rounds for task in r.tasks]

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        """``target_metadata`` of all model tasks."""
        return [target for task in self.model_tasks for target in task.targets]

    @property
    def target_column(self) -> str | None:
        """The task id that names the target; None if there is none."""
        return next((name for task in self.model_tasks for name in task.keys), None)

    @cached_property
    def types(self) -> dict[str, str]:
        """R types of all columns, as hubData derives them from all rounds together."""
        tasks = [t for r in self.config["rounds"] for t in r["model_tasks"]]
        found: dict[str, list[Any]] = {}
        for task in tasks:
            for name, values in task["task_ids"].items():
                found.setdefault(name, []).extend(values_of(values))
        types = {name: type_of(values) for name, values in found.items()}
        outputs = [o for t in tasks for o in t["output_type"].values()]
        asked = self.config.get("output_type_id_datatype") or "auto"
        if asked == "auto":
            ids = [x for o in outputs for x in values_of(o.get("output_type_id", {}))]
            samples = [o["output_type_id_params"] for o in outputs if "output_type_id_params" in o]
            ids += ["" if x.get("type") == "character" else 1 for x in samples]
            asked = type_of(ids)
            asked = "character" if asked in ("Date", "logical") else asked
        kinds = {str(o["value"].get("type")) for o in outputs}
        order = ("character", "double", "integer", "logical")
        value = next((k for k in order if k in kinds), "double")
        return types | {"output_type": "character", "output_type_id": str(asked), "value": value}


def word(value: Any) -> Word:
    """A value of a configuration as a file holds it.

    Examples
    --------
    >>> word(0.1), word(1.0), word(3), word("US"), word(None), word(True)
    ('0.1', '1', '3', 'US', None, 'true')
    """
    return None if value is None else text_of(value)


def type_of(values: Iterable[Any]) -> str:
    """The R type of a column of such values: the widest of them.

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
    if any(not isinstance(v, bool) for v in known):
        return "integer"
    return "logical" if known else "character"


def read_tasks(config: Mapping[str, Any]) -> Tasks:
    """What a ``tasks.json`` says; parts of it that older schemas do not have may be missing."""
    every = config.get("derived_task_ids")
    return Tasks(tuple(_round(r, r.get("derived_task_ids") or every or ())
                       for r in config["rounds"]), config)  # fmt: skip


def _round(config: Mapping[str, Any], derived: Sequence[str]) -> Round:
    """One entry of ``rounds``."""
    name = str(config.get("round_id", ""))
    column = name if config.get("round_id_from_variable") else None
    tasks = tuple(
        _task(n, t, derived, column) for n, t in enumerate(config.get("model_tasks") or (), 1)
    )
    ids: tuple[Word, ...] = (name,)
    if column is not None:
        ids = tuple(dict.fromkeys(x for t in tasks for x in t.choice(column).allowed))
    return Round(tuple(x for x in ids if x is not None), column, tasks, derived, config)


def _task(
    n: int, config: Mapping[str, Any], derived: Sequence[str], column: str | None
) -> ModelTask:
    """One entry of ``model_tasks``."""
    task_ids = {}
    for name, values in (config.get("task_ids") or {}).items():
        parts = (tuple(map(word, (values or {}).get(k) or ())) for k in ("required", "optional"))
        found = Choice(*parts)
        # Neither has a value: the model task does not have this task id, and its cells are NA.
        task_ids[name] = found if found.allowed else ABSENT
    outputs = {}
    for name, said in (config.get("output_type") or {}).items():
        x = said or {}
        ids = tuple(map(word, values_of(x.get("output_type_id")))) or (None,)
        params = x.get("output_type_id_params") or {}
        required = x.get("is_required", False)
        outputs[name] = OutputType(name, ids, required, x.get("value") or {}, params)
    targets = config.get("target_metadata") or ()
    return ModelTask(n, task_ids, outputs, targets, derived, column)
