"""A hub as a folder: its configuration, and where its files lie. Any hubverse hub, not only ours.

    hub-config/       admin.json, tasks.json, target-data.json, model-metadata-schema.json
    model-output/     TEAM-MODEL/DATE-TEAM-MODEL.csv or .parquet
    model-metadata/   TEAM-MODEL.yml
    target-data/      time-series.csv, or .parquet, or a folder of parts; oracle-output likewise

``tasks.json`` of a hub made here has one entry, whose ``origin_date`` lists every round. Older
versions wrote an entry per round: :func:`origins_of` reads both.

Nothing here says whether a file is right: it says which files there are.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import msgspec

from odforecast.errors import DataError, one_of
from odforecast.hub.cells import decoded
from odforecast.hub.tasks import Tasks, shaped
from odforecast.say import quoted

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
#: File formats that a hub may accept, by the hubverse's schema.
FORMATS: Final = ("csv", "parquet", "arrow")

#: Endings of files; a folder that has one was meant as a file.
_DATA: Final = (".csv", ".parquet", ".arrow", ".yml", ".yaml")
#: A configuration is a page or two; more than this is no configuration.
_LARGEST: Final = 64 * 2**20

type TargetType = Literal["time-series", "oracle-output"]


# What is read of a configuration besides ``tasks.json``. Any part may be missing, as versions of
# the schema differ; one that is there has this type. ``hub check`` judges the rest.


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
        admin = _shaped(root / CONFIG / "admin.json", _Admin)
        tasks = _shaped(root / CONFIG / "tasks.json", Tasks)
        name, file = admin.get("model_output_dir", MODEL_OUTPUT), root / CONFIG / "admin.json"
        hint = "the name of a folder of the hub"
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: model_output_dir is {quoted(name)}", hint=hint)
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataError(f"{file}: model_output_dir {quoted(name)} points outside the hub", hint)
        target = root / CONFIG / "target-data.json"
        return cls(
            root,
            admin,
            tasks,
            _shaped(target, _TargetData) if target.exists() else None,
            root / name,
        )

    @property
    def config(self) -> Path:
        """Folder of the configuration."""
        return self.root / CONFIG

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The rounds of ``tasks.json``."""
        return list(self.tasks["rounds"])

    @property
    def file_formats(self) -> tuple[str, ...]:
        """Formats that ``admin.json`` accepts; a round may have its own."""
        found = self.admin.get("file_format")
        return tuple(str(x) for x in found) if isinstance(found, list) else ()

    def metadata_schema(self) -> dict[str, Any] | None:
        """What ``model-metadata-schema.json`` holds; None if the hub has none.

        Raises
        ------
        DataError
            If it is there and cannot be read.
        """
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

        Raises
        ------
        DataError
            If the kind is neither.
        """
        if kind not in TARGET_TYPES:
            raise DataError(
                f"no target data of the kind {quoted(kind)}", hint=one_of(kind, TARGET_TYPES)
            )
        base = self.root / TARGET_DATA
        if not base.is_dir():
            return []
        single = [p for p in base.iterdir() if p.is_file() and p.name.split(".")[0] == kind]
        return [*sorted(single), *_files(base / kind)]

    def relative(self, path: Path) -> str:
        """A path as seen from the hub's folder, with ``/``; whole if it lies elsewhere."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return str(path)


def values_of(said: object) -> list[Any]:
    """Values of ``{"required": [...], "optional": [...]}``, in their order."""
    if not isinstance(said, dict):
        return []
    return [*(said.get("required") or ()), *(said.get("optional") or ())]


def origins_of(hub: Hub) -> dict[str, tuple[dict[str, Any], str]]:
    """Origin dates in order: the round of each, and the end of the last month known then.

    Hubs of other people do not say the second; it is empty.
    """
    found = shaped(hub.tasks, Tasks).origins
    return {day: (hub.rounds[i], end) for day, (i, end) in found.items()}


def read_json(path: Path) -> dict[str, Any]:
    """An object of a JSON file; what is wrong is refused with file, line and column."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: more than {_LARGEST // 2**20} MB, too large")
        text = decoded(path.read_bytes(), "line")
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", hint="a hub needs it") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        raise DataError(f"{path}, {what}", hint="correct the line, or the one before it") from None
    except RecursionError:
        raise DataError(f"{path}: nested too deep") from None
    except ValueError as error:  # also an integer of 5,000 digits
        raise DataError(f"{path}: {error}", hint=getattr(error, "hint", None)) from None
    if not isinstance(found, dict):
        what = f"must hold an object, not {type(found).__name__}"
        raise DataError(f"{path}: {what}", hint="a configuration begins with {")
    return found


def _no_number(text: str) -> NoReturn:
    """Refuse NaN and infinity, which JSON does not have."""
    raise ValueError(f"{text} is not a number in JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object each of whose keys is there once: JSON keeps the last and says nothing."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise ValueError(f"key {quoted(twice)} is there twice in one object; keep one")
    return made


def _shaped(path: Path, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A JSON file whose parts have the types that are read of them."""
    found = read_json(path)
    try:
        shaped(found, kind)
    except ValueError as error:
        hint = f"odforecast hub check {path.parent.parent} names every wrong place"
        raise DataError(f"{path}: {error}", hint) from None
    return found


def files_below(folder: Path) -> list[Path]:
    """Files below a folder, in order of name, without README and hidden ones.

    A link to a folder counts as a file, so that it is looked at and refused, not entered. So does
    a folder that is named like a data file.
    """
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        at = Path(where)
        folders[:] = [f for f in folders if not f.startswith(".")]
        named = [f for f in folders if (at / f).is_symlink() or f.endswith(_DATA)]
        folders[:] = [f for f in folders if f not in named]
        found += [at / f for f in named]
        found += [at / f for f in files if not f.startswith((".", "README"))]
    return sorted(found)


def _files(folder: Path) -> list[Path]:
    """Regular files below a folder, in order; README and hidden ones not."""
    return [path for path in files_below(folder) if path.is_file()]
