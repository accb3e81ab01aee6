"""Any hubverse hub as a folder: its configuration, what it asks for, and where its files are.

    hub-config/       admin.json, tasks.json, target-data.json, model-metadata-schema.json
    model-output/     TEAM-MODEL/DATE-TEAM-MODEL.csv or .parquet
    model-metadata/   TEAM-MODEL.yml
    target-data/      time-series.csv, or .parquet, or a folder of parts; oracle-output likewise

``tasks.json`` of a hub made here has one entry, whose ``origin_date`` lists every round. Older
versions wrote an entry per round; both are read. Nothing here says whether a file is right.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import msgspec
import numpy as np

from odforecast.errors import DataError, ForecastError, one_of
from odforecast.months import month_end
from odforecast.say import quoted
from odforecast.sources.cells import decoded, is_day, text_of

#: Folder of a hub's configuration.
CONFIG: Final = "hub-config"
#: Folder of submissions, where ``admin.json`` names no other.
MODEL_OUTPUT: Final = "model-output"
#: Folder of the models' metadata.
MODEL_METADATA: Final = "model-metadata"
#: Folder of target data.
TARGET_DATA: Final = "target-data"
#: The two data sets of target data.
TARGET_TYPES: Final = ("time-series", "oracle-output")

#: What to do about a target month of another horizon.
HORIZON_HINT: Final = (
    "horizons count from the last month known on the origin date "
    "(last_data_dates in tasks.json)"
)
_STEPS: Final = {"day": 1, "week": 7}
#: Endings of files; a folder that has one was meant as a file.
_DATA: Final = (".csv", ".parquet", ".arrow", ".yml", ".yaml")
#: A configuration is a page or two; more than this is no configuration.
_LARGEST: Final = 64 * 2**20

type TargetType = Literal["time-series", "oracle-output"]
#: A cell: its text, or None where it is NA.
type Word = str | None
type _Scalar = str | int | float | bool | None


# What is read of a configuration. Any part may be missing, as versions of the schema differ; one
# that is there has this type. ``hub check`` judges the rest.


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


class OutputType(
    msgspec.Struct, rename={"id_choice": "output_type_id", "kind": "output_type"}
):
    """One output type of a model task."""

    kind: str = ""
    id_choice: Choice = Choice()
    is_required: Any = False
    value: dict[str, Any] = {}
    output_type_id_params: Samples | None = None

    @property
    def ids(self) -> tuple[Word, ...]:
        """Its ``output_type_id``."""
        return self.id_choice.allowed


class Target(msgspec.Struct):
    """One target."""

    target_id: Any = None
    target_keys: dict[str, Any] = {}
    target_type: str | None = None
    time_unit: Any = None
    is_step_ahead: Any = False


class ModelTask(
    msgspec.Struct, rename={"outputs": "output_type", "targets": "target_metadata"}
):
    """One model task of a round."""

    task_ids: dict[str, Choice] = {}
    outputs: dict[str, OutputType] = {}
    targets: list[Target] = []
    #: Its number in the round, from 1.
    number: int = 1
    #: Task ids that follow from others.
    derived: list[str] = []
    #: Column whose value is the round's id.
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
        if "pmf" not in self.outputs:
            return []
        return [word for word in self.outputs["pmf"].ids if word]

    @property
    def keys(self) -> list[str]:
        """Task ids that name the target."""
        return list(
            dict.fromkeys(key for target in self.targets for key in target.target_keys)
        )

    @property
    def compound(self) -> list[str] | None:
        """Task ids that stay the same within one sample; None where the hub does not say."""
        if "sample" not in self.outputs:
            return None
        params = self.outputs["sample"].output_type_id_params
        return params.compound_taskid_set if params else None

    def day(self, unit: Mapping[Any, Any]) -> str:
        """Day of a unit's observation by origin and horizon; empty where it does not follow."""
        try:
            units = [
                target.time_unit for target in self.targets if target.is_step_ahead
            ]
            (step,) = {_STEPS[str(time_unit)] for time_unit in units}
            start = dt.date.fromisoformat(str(unit[self.column]))
            return str(start + dt.timedelta(step * int(unit["horizon"])))
        except (KeyError, ValueError, OverflowError):
            return ""


class _Facts(msgspec.Struct):
    """What a hub made here says about a round."""

    last_data_dates: dict[str, str] = {}


class Round(
    msgspec.Struct, rename={"tasks": "model_tasks", "derived": "derived_task_ids"}
):
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
        words = [
            word for task in self.tasks for word in task.choice(self.column).allowed
        ]
        return [word for word in dict.fromkeys(words) if word is not None]

    @property
    def task_ids(self) -> list[str]:
        """Names of all task ids of its model tasks."""
        return list(
            dict.fromkeys(name for task in self.tasks for name in task.task_ids)
        )

    def fixed(self, round_id: str) -> list[ModelTask]:
        """Its model tasks for one round: in the round's column, that id and no other."""
        if self.column is None:
            return self.tasks
        choice = {self.column: Choice((round_id,))}
        return [
            msgspec.structs.replace(task, task_ids=task.task_ids | choice)
            for task in self.tasks
        ]


class Tasks(msgspec.Struct):
    """All rounds of a hub."""

    rounds: list[Round]
    derived_task_ids: list[str] = []
    output_type_id_datatype: Any = "auto"

    def __post_init__(self) -> None:
        for round_ in self.rounds:
            round_.derived = round_.derived or self.derived_task_ids
            for number, task in enumerate(round_.tasks, 1):
                task.number = number
                task.derived = round_.derived
                task.column = round_.column

    @property
    def origins(self) -> dict[str, tuple[int, str]]:
        """Origin dates in order: the number of the round, and the end of the last known month."""
        origins = {}
        for i, round_ in enumerate(self.rounds):
            facts = round_.additional_metadata or _Facts()
            for task in round_.tasks:
                for day in map(str, task.choice("origin_date").values):
                    last = facts.last_data_dates.get(day, str(round_.last_data_date))
                    origins[day] = (i, last)
        return dict(sorted(origins.items()))

    @property
    def round_ids(self) -> list[str]:
        """All round ids."""
        return [round_id for round_ in self.rounds for round_id in round_.ids]

    @property
    def task_ids(self) -> list[str]:
        """Names of all task ids."""
        return list(
            dict.fromkeys(name for round_ in self.rounds for name in round_.task_ids)
        )

    @property
    def model_tasks(self) -> list[ModelTask]:
        """Model tasks of all rounds."""
        return [task for round_ in self.rounds for task in round_.tasks]

    @property
    def target_column(self) -> str | None:
        """The task id that names the target; None if there is none."""
        return next((name for task in self.model_tasks for name in task.keys), None)

    @property
    def types(self) -> dict[str, str]:
        """R types of all columns, as hubData derives them from all rounds together."""
        types = {}
        for name in self.task_ids:
            choices = [task.choice(name) for task in self.model_tasks]
            types[name] = type_of(
                value for choice in choices for value in choice.values
            )
        outputs = [
            output for task in self.model_tasks for output in task.outputs.values()
        ]
        value_types = {str(output.value.get("type")) for output in outputs}
        order = ("character", "double", "integer", "logical")
        types["output_type"] = "character"
        types["output_type_id"] = self._id_type(outputs)
        types["value"] = next((kind for kind in order if kind in value_types), "double")
        return types

    def _id_type(self, outputs: Iterable[OutputType]) -> str:
        """R type of the column of output type ids."""
        if self.output_type_id_datatype != "auto":
            return str(self.output_type_id_datatype)
        values: list[_Scalar] = []
        for output in outputs:
            values += output.id_choice.values
            params = output.output_type_id_params
            if params:
                values.append("" if params.type == "character" else 1)
        kind = type_of(values)
        return "character" if kind in ("Date", "logical") else kind


def word(value: Any) -> Word:
    """A value of a configuration as a file holds it."""
    return None if value is None else text_of(value)


def type_of(values: Iterable[Any]) -> str:
    """The R type of a column of such values: the widest of them."""
    filled = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in filled):
        days = all(isinstance(value, str) and is_day(value) for value in filled)
        return "Date" if days else "character"
    if any(isinstance(value, float) and not value.is_integer() for value in filled):
        return "double"
    if any(not isinstance(value, bool) for value in filled):
        return "integer"
    return "logical" if filled else "character"


def shaped[T: msgspec.Struct](config: Mapping[str, Any], kind: type[T]) -> T:
    """A configuration by its parts; what is null is left out."""
    try:
        return msgspec.convert(_bare(config), kind)
    except msgspec.ValidationError as error:
        message, _, key = str(error).replace("`", "").partition(" - at $")
        place = f"{key.lstrip('.')}: " if key else ""
        raise ValueError(f"{place}{message[0].lower()}{message[1:]}") from None


def _bare(value: Any) -> Any:
    """A value without the keys that say nothing."""
    if isinstance(value, dict):
        return {
            key: _bare(member) for key, member in value.items() if member is not None
        }
    if isinstance(value, list):
        return [_bare(member) for member in value]
    return value


class _Admin(msgspec.Struct):
    """``admin.json``."""

    additional_metadata: dict[str, Any] = {}


class _DataSet(msgspec.Struct):
    """One kind of target data."""

    observable_unit: list[str] = []
    non_task_id_schema: dict[str, Any] = {}


class _TargetData(_DataSet, rename={x.replace("-", "_"): x for x in TARGET_TYPES}):
    """``target-data.json``."""

    date_col: str | None = None
    time_series: _DataSet | None = None
    oracle_output: _DataSet | None = None


@dataclass(frozen=True)
class Hub:
    """A hubverse hub, opened: its configuration, and the files it holds.

    Attributes
    ----------
    root : Path
        The hub's folder.
    admin : dict
        What ``hub-config/admin.json`` holds.
    tasks : dict
        What ``hub-config/tasks.json`` holds.
    target_data : dict or None
        What ``hub-config/target-data.json`` holds; a hub need not have it.
    model_output_dir : Path
        Folder of submissions: ``model-output``, or what ``admin.json`` names as
        ``model_output_dir``. It need not exist.

    Examples
    --------
    >>> import tempfile
    >>> from odforecast.hub.layout import Hub
    >>> Hub.open(tempfile.gettempdir() + "/no-such-hub")
    Traceback (most recent call last):
        ...
    odforecast.errors.DataError: ...no-such-hub: no such folder; give the folder of a hub, ...
    """

    root: Path
    admin: dict[str, Any] = field(repr=False)
    tasks: dict[str, Any] = field(repr=False)
    target_data: dict[str, Any] | None = field(repr=False)
    model_output_dir: Path

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Hub:
        """Read the configuration of a hub.

        Parameters
        ----------
        folder : path
            The hub's folder, in which ``hub-config`` lies.

        Raises
        ------
        DataError
            With the file, and the line or key where there is one: no such folder, no
            ``hub-config``, a file that is missing, is not JSON, or has a list, an object or a
            text where the hubverse has something else; or if ``folder`` is not a path.
        """
        hint = f"give the folder of a hub, in which {CONFIG} lies"
        if not isinstance(folder, str | os.PathLike):
            raise DataError(f"hub is {quoted(folder)}", hint=hint)
        root = Path(folder)
        if not root.is_dir():
            what = "is a file" if root.exists() else "no such folder"
            raise DataError(f"{root}: {what}", hint=hint)
        if not (root / CONFIG).is_dir():
            raise DataError(
                f"{root}: no folder {CONFIG}, so this is not a hub",
                hint="give the folder above it, or create a hub: odforecast hub init DIR",
            )
        file = root / CONFIG / "admin.json"
        target = root / CONFIG / "target-data.json"
        admin = _shaped(file, _Admin)
        tasks = _shaped(root / CONFIG / "tasks.json", Tasks)
        name = admin.get("model_output_dir", MODEL_OUTPUT)
        hint = "the name of a folder of the hub"
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: model_output_dir is {quoted(name)}", hint=hint)
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(
                f"{file}: model_output_dir {quoted(name)} points outside the hub", hint
            )
        data = {"target-data": _shaped(target, _TargetData)} if target.exists() else {}
        return cls.from_files(root, {"admin": admin, "tasks": tasks, **data})

    @classmethod
    def from_files(cls, root: Path, files: Mapping[str, Any]) -> Hub:
        """A hub of a configuration that is in order."""
        output = root / files["admin"].get("model_output_dir", MODEL_OUTPUT)
        return cls(
            root,
            files["admin"],
            tasks=files["tasks"],
            target_data=files.get("target-data"),
            model_output_dir=output,
        )

    @property
    def config(self) -> Path:
        """Folder of the configuration."""
        return self.root / CONFIG

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The rounds of ``tasks.json``."""
        return list(self.tasks["rounds"])

    @cached_property
    def tasks_config(self) -> Tasks:
        """What ``tasks.json`` asks for, by its parts."""
        return shaped(self.tasks, Tasks)

    @property
    def origins(self) -> dict[str, tuple[int, str]]:
        """Origin dates in order: the number of the round, and the end of the last month known then.

        Hubs of other people do not say the second; it is empty.
        """
        return self.tasks_config.origins

    def wrong_end(self, day: str, horizon: str, end: str) -> str:
        """What is wrong with the ``target_end_date`` of an origin and a horizon, if anything is.

        Only in hubs that say that they count horizons from the last month known.
        """
        facts = self.admin.get("additional_metadata")
        if not isinstance(facts, dict) or "horizon_rule" not in facts:
            return ""
        try:
            last = np.datetime64(self._last_months[day], "M")
            right_end = month_end(last + np.timedelta64(int(horizon), "M")).isoformat()
        except (KeyError, ValueError, OverflowError):
            return ""
        if end == right_end:
            return ""
        text = f"horizon {horizon} of round {day} ends on {right_end}"
        return f"{text}, and target_end_date is {quoted(end)}"

    @cached_property
    def _last_months(self) -> dict[str, str]:
        """The last month known, by origin date."""
        return {day: end[:7] for day, (_, end) in self.origins.items()}

    @property
    def file_formats(self) -> tuple[str, ...]:
        """Formats that ``admin.json`` accepts; a round may have its own."""
        formats = self.admin.get("file_format")
        return tuple(map(str, formats)) if isinstance(formats, list) else ()

    def metadata_schema(self) -> dict[str, Any] | None:
        """What ``model-metadata-schema.json`` holds; None if the hub has none."""
        path = self.config / "model-metadata-schema.json"
        return read_json(path) if path.exists() else None

    def submissions(self) -> list[Path]:
        """Files in the folder of submissions, at any depth, in order; README and hidden ones not.

        Also those whose names or endings are wrong: whether one is legal is for a check to say.
        """
        return _files(self.model_output_dir)

    def metadata_files(self) -> list[Path]:
        """Files in ``model-metadata``, in order; README and hidden ones not."""
        return _files(self.root / MODEL_METADATA)

    def target_files(self, kind: TargetType) -> list[Path]:
        """Files of target data of one kind, in order; none if the hub has none.

        Parameters
        ----------
        kind : {"time-series", "oracle-output"}

        Returns
        -------
        list of Path
            ``target-data/KIND.csv``, ``.parquet``, and what lies in ``target-data/KIND/``
            (parts, their folders named ``column=value``). A sound hub has one of the three.
        """
        if kind not in TARGET_TYPES:
            raise DataError(
                f"no target data of the kind {quoted(kind)}",
                hint=one_of(kind, TARGET_TYPES),
            )
        base = self.root / TARGET_DATA
        if not base.is_dir():
            return []
        files = [path for path in base.iterdir() if path.is_file()]
        single = sorted(path for path in files if path.name.split(".")[0] == kind)
        return [*single, *_files(base / kind)]

    def relative(self, path: Path) -> str:
        """A path as seen from the hub's folder, with ``/``; whole if it lies elsewhere."""
        for file, root in ((path, self.root), (path.resolve(), self.root.resolve())):
            if file.is_relative_to(root):
                return file.relative_to(root).as_posix()
        return str(path)


def values_of(choice: object) -> list[Any]:
    """Values of ``{"required": [...], "optional": [...]}``, in their order."""
    if not isinstance(choice, dict):
        return []
    return [*(choice.get("required") or ()), *(choice.get("optional") or ())]


def read_json(path: Path) -> dict[str, Any]:
    """An object of a JSON file; what is wrong is refused with file, line and column."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: more than {_LARGEST // 2**20} MB, too large")
        text = decoded(path.read_bytes(), "line")
        config = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint="a hub needs it") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        hint = "correct the line, or the one before it"
        raise DataError(f"{path}, {reason}", hint=hint) from None
    except RecursionError:
        raise DataError(f"{path}: nested too deep") from None
    except ValueError as error:  # also an integer of 5,000 digits
        raise DataError(f"{path}: {error}", hint=getattr(error, "hint", None)) from None
    if not isinstance(config, dict):
        reason = f"must hold an object, not {type(config).__name__}"
        raise DataError(f"{path}: {reason}", hint="a configuration begins with {")
    return config


def _no_number(text: str) -> NoReturn:
    """Refuse NaN and infinity, which JSON does not have."""
    raise ValueError(f"{text} is not a number in JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object each of whose keys is there once: JSON keeps the last and says nothing."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(
            f"key {quoted(repeated)} is there twice in one object; keep one"
        )
    return mapping


def _shaped(path: Path, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A JSON file whose parts have the types that are read of them."""
    config = read_json(path)
    try:
        shaped(config, kind)
    except ValueError as error:
        hint = f"odforecast hub check {path.parent.parent} names every wrong place"
        raise DataError(f"{path}: {error}", hint) from None
    return config


def files_below(folder: Path) -> list[Path]:
    """Files below a folder, in order of name, without README and hidden ones.

    A link to a folder counts as a file, so that it is looked at and refused, not entered. So does
    a folder that is named like a data file.
    """
    paths: list[Path] = []
    for parent, folders, files in os.walk(folder):
        for name in list(folders):
            path = Path(parent, name)
            hidden = name.startswith(".")
            as_file = path.is_symlink() or name.endswith(_DATA)
            if hidden or as_file:
                folders.remove(name)
            if as_file and not hidden:
                paths.append(path)
        paths += [
            Path(parent, name) for name in files if not name.startswith((".", "README"))
        ]
    return sorted(paths)


def _files(folder: Path) -> list[Path]:
    """Regular files below a folder, in order; README and hidden ones not."""
    return [path for path in files_below(folder) if path.is_file()]


#: The team of the models of this package.
TEAM: Final = "odforecast"
#: Longest name of a team, and of a model, that is written: file names have an end. Other hubs
#: have limits of their own in ``model-metadata-schema.json``, often 16.
LONGEST_TEAM: Final = 32
LONGEST_MODEL: Final = 128

#: What hubValidations (``parse_file_name``) takes for a part, a model and a submission.
PART: Final = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
MODEL_ID: Final = re.compile(r"([A-Za-z0-9_]+)-([A-Za-z0-9_]+)", re.ASCII)
STEM: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}|[A-Za-z0-9_]+)-([A-Za-z0-9_]+)-([A-Za-z0-9_]+)", re.ASCII
)

_PLAIN: Final = {"-": "_", "+": "__"}
_SIGN: Final = {run: sign for sign, run in _PLAIN.items()}
_RUN: Final = re.compile(r"___([2-7][0-9a-f])|__|_")


def model_id(label: str, team: str = TEAM) -> str:
    """The name that a model has in a hub.

    Parameters
    ----------
    label : str
        Label of a model, as :func:`odforecast.get_model` takes it.
    team : str
        The team: letters, digits, ``_``.

    Returns
    -------
    str
        ``TEAM-MODEL``, legal in every hub.

    Raises
    ------
    ForecastError
        If the label is empty or not printable ASCII, the team name is invalid, or the
        name would be too long.

    Examples
    --------
    >>> from odforecast.hub import model_id
    >>> model_id("auto-ets"), model_id("naive+delay")
    ('odforecast-auto_ets', 'odforecast-naive__delay')
    >>> model_id("my model", team="Ohio")
    'Ohio-my___20model'
    """
    if (
        not isinstance(team, str)
        or not PART.fullmatch(team)
        or len(team) > LONGEST_TEAM
    ):
        raise ForecastError(
            f"{quoted(team)} is not a valid team name",
            hint=f"1 to {LONGEST_TEAM} letters, digits and _",
        )
    if (
        not isinstance(label, str)
        or not label
        or not (label.isascii() and label.isprintable())
    ):
        raise ForecastError(
            f"{quoted(label)} is not a valid model label",
            hint="printable ASCII; give it label=...",
        )
    parts = []
    for sign, next_sign in zip(label, [*label[1:], ""]):
        if sign.isalnum():
            parts.append(sign)
        elif sign in _PLAIN and next_sign.isalnum() and parts:
            parts.append(_PLAIN[sign])
        else:
            # Before another sign, _ would run into its underscores; so it is written out.
            parts.append(f"___{ord(sign):02x}")
    name = "".join(parts)
    if len(name) > LONGEST_MODEL:
        raise ForecastError(
            f"label {quoted(label)} would be a name of {len(name)} characters in a hub",
            hint=f"at most {LONGEST_MODEL}; give the model a shorter label=...",
        )
    return f"{team}-{name}"


def label_of(name: str, team: str = TEAM) -> str:
    """The label of a model, from its name in a hub: :func:`model_id`, undone.

    Parameters
    ----------
    name : str
        ``TEAM-MODEL``.
    team : str
        Whose names are undone. Those of other teams are labels as they are.

    Raises
    ------
    DataError
        If it is not ``TEAM-MODEL``, or is of our team and no label has that name.

    Examples
    --------
    >>> from odforecast.hub import label_of
    >>> label_of("odforecast-auto_ets_sums"), label_of("odforecast-naive__delay")
    ('auto-ets-sums', 'naive+delay')
    >>> label_of("Flusight-baseline")
    'Flusight-baseline'
    """
    match = MODEL_ID.fullmatch(name)
    if not match:
        raise DataError(
            f"{quoted(name)} is not a valid model name in a hub",
            hint="TEAM-MODEL, both of letters, digits and _",
        )
    if match[1] != team:
        return name
    try:
        label = _RUN.sub(
            lambda run: _SIGN.get(run[0]) or chr(int(run[1], 16)), match[2]
        )
        is_ours = model_id(label, team) == name
    except ForecastError:
        is_ours = False
    if not is_ours:
        raise DataError(
            f"{quoted(name)}: no label of {team} has that name",
            hint="names of this team are made by odforecast.hub.model_id",
        )
    return label


def submission_stem(round_id: object, name: str) -> str:
    """File name of a submission, without its ending; refused where the parts make none."""
    stem = f"{round_id}-{name}"
    if not STEM.fullmatch(stem):
        raise DataError(
            f"{quoted(stem)} is not a valid submission name",
            hint="DATE-TEAM-MODEL, team and model of letters, digits and _",
        )
    return stem
