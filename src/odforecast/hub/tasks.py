"""What a hub asks for: rounds, their model tasks, and the values that each column may have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from odforecast.hub.cells import is_day, text_of
from odforecast.months import month_end
from odforecast.say import quoted

#: A cell: its text, or None where it is NA.
type Word = str | None
type _Scalar = str | int | float | bool | None

_STEPS: Final = {"day": 1, "week": 7}
#: What to do about a target month of another horizon.
HORIZON_HINT: Final = (
    "horizons count from the last month known on the origin date (last_data_dates in tasks.json)"
)


class Choice(msgspec.Struct, frozen=True):
    """Values a column may have: those that must be there, and those that may."""

    required: tuple[_Scalar, ...] = ()
    optional: tuple[_Scalar, ...] = ()

    @property
    def values(self) -> tuple[_Scalar, ...]:
        """All of them, as the configuration has them; none: the task does not have the column."""
        return (*self.required, *self.optional)

    @property
    def allowed(self) -> tuple[Word, ...]:
        """All of them, as a file has them."""
        return tuple(map(word, self.values)) or (None,)

    @property
    def needed(self) -> tuple[Word, ...]:
        """Those that must be there, as a file has them."""
        return tuple(map(word, self.required)) if self.values else (None,)


class Samples(msgspec.Struct):
    """What is asked of samples."""

    compound_taskid_set: list[str] | None = None
    type: Any = None
    max_length: Any = None
    min_samples_per_task: Any = None
    max_samples_per_task: Any = None


class OutputType(msgspec.Struct, rename={"given": "output_type_id", "kind": "output_type"}):
    """One output type of a model task."""

    kind: str = ""
    given: Choice = Choice()
    is_required: Any = False
    value: dict[str, Any] = {}
    output_type_id_params: Samples | None = None

    @property
    def ids(self) -> tuple[Word, ...]:
        """Its ``output_type_id``."""
        return self.given.allowed


class Target(msgspec.Struct):
    """One target."""

    target_id: Any = None
    target_keys: dict[str, Any] = {}
    target_type: str | None = None
    time_unit: Any = None
    is_step_ahead: Any = False


class ModelTask(msgspec.Struct, rename={"outputs": "output_type", "targets": "target_metadata"}):
    """One model task of a round, and its number there; ``derived`` task ids follow from others."""

    task_ids: dict[str, Choice] = {}
    outputs: dict[str, OutputType] = {}
    targets: list[Target] = []
    number: int = 1
    derived: list[str] = []
    column: str | None = None

    def __post_init__(self) -> None:
        for kind, output in self.outputs.items():
            output.kind = kind

    def choice(self, name: str) -> Choice:
        """Values of a task id."""
        return self.task_ids.get(name, Choice())

    @property
    def categories(self) -> list[str]:
        """Categories of its ``pmf``, in the order of the configuration."""
        return [w for w in self.outputs["pmf"].ids if w] if "pmf" in self.outputs else []

    @property
    def keys(self) -> list[str]:
        """Task ids that name the target."""
        return list(dict.fromkeys(key for target in self.targets for key in target.target_keys))

    @property
    def compound(self) -> list[str] | None:
        """Task ids that stay the same within one sample; None where the hub does not say."""
        params = self.outputs["sample"].output_type_id_params if "sample" in self.outputs else None
        return params.compound_taskid_set if params else None

    def day(self, unit: Mapping[Any, Any]) -> str:
        """Day of a unit's observation by origin and horizon; empty where it does not follow."""
        try:
            (step,) = {_STEPS[str(t.time_unit)] for t in self.targets if t.is_step_ahead}
            start = dt.date.fromisoformat(str(unit[self.column]))
            return str(start + dt.timedelta(step * int(unit["horizon"])))
        except (KeyError, ValueError, OverflowError):
            return ""


class _Facts(msgspec.Struct):
    """What a hub made here says about a round."""

    last_data_dates: dict[str, str] = {}


class Round(msgspec.Struct, rename={"tasks": "model_tasks", "derived": "derived_task_ids"}):
    """One entry of ``rounds``; where round ids are a column's values, it is many rounds."""

    round_id: Any = ""
    round_id_from_variable: Any = False
    tasks: list[ModelTask] = []
    derived: list[str] = []
    file_format: list[str] = []
    submissions_due: Any = None
    additional_metadata: _Facts | None = None
    last_data_date: Any = ""

    @property
    def column(self) -> str | None:
        """Column whose value is the round's id; None if the id is the configuration's."""
        return str(self.round_id) if self.round_id_from_variable else None

    @property
    def ids(self) -> list[str]:
        """Its round ids."""
        if self.column is None:
            return [str(self.round_id)]
        found = dict.fromkeys(x for t in self.tasks for x in t.choice(self.column).allowed)
        return [x for x in found if x is not None]

    @property
    def task_ids(self) -> list[str]:
        """Names of all task ids of its model tasks."""
        return list(dict.fromkeys(name for task in self.tasks for name in task.task_ids))

    def fixed(self, round_id: str) -> list[ModelTask]:
        """Its model tasks for one round: in the round's column, that id and no other."""
        if self.column is None:
            return self.tasks
        only = {self.column: Choice((round_id,))}
        return [msgspec.structs.replace(t, task_ids=t.task_ids | only) for t in self.tasks]


class Tasks(msgspec.Struct):
    """All rounds of a hub."""

    rounds: list[Round]
    derived_task_ids: list[str] = []
    output_type_id_datatype: Any = "auto"

    def __post_init__(self) -> None:
        for round_ in self.rounds:
            round_.derived = round_.derived or self.derived_task_ids
            for n, task in enumerate(round_.tasks, 1):
                task.number, task.derived, task.column = n, round_.derived, round_.column

    @property
    def origins(self) -> dict[str, tuple[int, str]]:
        """Origin dates in order: the number of the round, and the end of the last known month."""
        found = {}
        for i, round_ in enumerate(self.rounds):
            facts = round_.additional_metadata or _Facts()
            days = (day for t in round_.tasks for day in t.choice("origin_date").values)
            for day in map(str, days):
                found[day] = (i, facts.last_data_dates.get(day, str(round_.last_data_date)))
        return dict(sorted(found.items()))

    def last_months(self, admin: Mapping[str, Any]) -> dict[str, str]:
        """The last month known by origin date, in hubs that count horizons from it."""
        facts = admin.get("additional_metadata")
        counted = isinstance(facts, dict) and "horizon_rule" in facts
        return {day: end[:7] for day, (_, end) in self.origins.items()} if counted else {}

    @property
    def round_ids(self) -> list[str]:
        """All round ids."""
        return [x for r in self.rounds for x in r.ids]

    @property
    def task_ids(self) -> list[str]:
        """Names of all task ids."""
        return list(dict.fromkeys(name for r in self.rounds for name in r.task_ids))

    @property
    def model_tasks(self) -> list[ModelTask]:
        """Model tasks of all rounds."""
        return [task for r in self.rounds for task in r.tasks]

    @property
    def target_column(self) -> str | None:
        """The task id that names the target; None if there is none."""
        return next((name for task in self.model_tasks for name in task.keys), None)

    @property
    def types(self) -> dict[str, str]:
        """R types of all columns, as hubData derives them from all rounds together."""
        tasks = self.model_tasks
        types = {n: type_of(x for t in tasks for x in t.choice(n).values) for n in self.task_ids}
        outputs = [o for t in tasks for o in t.outputs.values()]
        asked = self.output_type_id_datatype
        if asked == "auto":
            samples = [o.output_type_id_params for o in outputs if o.output_type_id_params]
            ids = [x for o in outputs for x in o.given.values]
            asked = type_of([*ids, *("" if x.type == "character" else 1 for x in samples)])
            asked = "character" if asked in ("Date", "logical") else asked
        kinds = {str(o.value.get("type")) for o in outputs}
        order = ("character", "double", "integer", "logical")
        value = next((k for k in order if k in kinds), "double")
        return types | {"output_type": "character", "output_type_id": str(asked), "value": value}


def wrong_end(last: Mapping[str, str], day: str, horizon: str, end: str) -> str:
    """What is wrong with the ``target_end_date`` of an origin and a horizon, if anything is."""
    try:
        month = np.datetime64(last[day], "M") + np.timedelta64(int(horizon), "M")
        should = month_end(month).isoformat()
    except (KeyError, ValueError, OverflowError):
        return ""
    said = f"horizon {horizon} of round {day} ends on {should}, and target_end_date is "
    return "" if end == should else said + quoted(end)


def word(value: Any) -> Word:
    """A value of a configuration as a file holds it."""
    return None if value is None else text_of(value)


def type_of(values: Iterable[Any]) -> str:
    """The R type of a column of such values: the widest of them."""
    known = [v for v in values if v is not None]
    if any(isinstance(v, str) for v in known):
        days = all(isinstance(v, str) and is_day(v) for v in known)
        return "Date" if days else "character"
    if any(isinstance(v, float) and not v.is_integer() for v in known):
        return "double"
    if any(not isinstance(v, bool) for v in known):
        return "integer"
    return "logical" if known else "character"


def shaped[T: msgspec.Struct](config: Mapping[str, Any], kind: type[T]) -> T:
    """A configuration by its parts; what is null is left out."""
    try:
        return msgspec.convert(_bare(config), kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).replace("`", "").partition(" - at $")
        place = f"{where.lstrip('.')}: " if where else ""
        raise ValueError(f"{place}{what[0].lower()}{what[1:]}") from None


def _bare(value: Any) -> Any:
    """A value without the keys that say nothing."""
    if isinstance(value, dict):
        return {k: _bare(x) for k, x in value.items() if x is not None}
    return [_bare(x) for x in value] if isinstance(value, list) else value
