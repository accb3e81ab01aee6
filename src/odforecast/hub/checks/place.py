"""Where a hub lies, what a path in it is, and its small files read with care.

A hub is somebody else's folder: a file may be a link out of it, a pipe that never ends, not
UTF-8, cut short, or made to fill the memory. Each is one :class:`Unreadable` with one line.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
from pathlib import Path
from typing import Any, Final

from odforecast.errors import DataError
from odforecast.hub.layout import CONFIG
from odforecast.say import plain, quoted

#: A configuration or a model's metadata is a page or two; bytes, beyond which none is read.
LARGEST: Final = {".json": 64 * 2**20, ".yml": 2**20, ".yaml": 2**20}
# Scalars of YAML that JSON has too, and days, which are made text.
_TAGS: Final = tuple(
    f"tag:yaml.org,2002:{x}" for x in ("str", "int", "float", "bool", "null", "timestamp")
)
#: Deepest nesting of a YAML file.
DEEPEST: Final = 60

_DATA: Final = (".csv", ".parquet", ".arrow", ".yml", ".yaml")


class Unreadable(Exception):
    """A file that cannot be read; the message says why, without its name."""


def find_root(path: Path) -> Path:
    """The hub that a file or folder is part of: the nearest folder above with ``hub-config``.

    Raises
    ------
    DataError
        If there is none.
    """
    whole = Path(os.path.abspath(path))
    for folder in (whole, *whole.parents):
        if (folder / CONFIG).is_dir():
            return folder
    what = "no such file or folder" if not os.path.lexists(path) else "not part of a hub"
    raise DataError(
        f"{plain(str(path), 300)}: {what}",
        hint=f"give the folder in which {CONFIG} lies, or a file of it",
    )


def why_not(path: Path, root: Path) -> str | None:
    """Why nothing is read from there; None where all is well.

    Examples
    --------
    >>> why_not(Path("nowhere/x.csv"), Path("nowhere"))
    'no such file'
    """
    try:
        status = path.stat()
        real, top = path.resolve(), root.resolve()
    except FileNotFoundError:
        return "a link to nowhere" if path.is_symlink() else "no such file"
    except (OSError, RuntimeError, ValueError) as error:
        return plain(getattr(error, "strerror", None) or error)
    if top not in (real, *real.parents):
        return "a link out of the hub; put the file itself there"
    if stat.S_ISDIR(status.st_mode):
        return "a folder, and no file"
    return None if stat.S_ISREG(status.st_mode) else "no regular file"


def read_bytes(path: Path, root: Path) -> bytes:
    """The bytes of a small file.

    Raises
    ------
    Unreadable
        If it is no regular file in the hub, or too large.
    """
    if reason := why_not(path, root):
        raise Unreadable(reason)
    most = LARGEST.get(path.suffix.lower(), LARGEST[".yml"])
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Unreadable(plain(error.strerror or error)) from None
    if len(data) > most:
        raise Unreadable(f"larger than {most // 2**20} MB")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {row}: byte {data[error.start]:#04x} is no UTF-8") from None


def read_json(path: Path, root: Path) -> dict[str, Any]:
    """A JSON object; a name that stands twice in an object is refused.

    Raises
    ------
    Unreadable
        With the line where it breaks off or goes wrong.
    """
    text = _text(read_bytes(path, root))
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        cut = "; is the file cut short?" if error.pos >= len(text.rstrip()) else ""
        raise Unreadable(
            f"line {error.lineno}: {error.msg[0].lower()}{error.msg[1:]}{cut}"
        ) from None
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        raise Unreadable("nested too deep" if deep else plain(error)) from None
    if not isinstance(found, dict):
        raise Unreadable(f"holds no object, but {type(found).__name__} at its top")
    return found


def _no_number(text: str) -> None:
    raise Unreadable(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable(f"{quoted(name)} stands twice in one object")
        found[name] = value
    return found


class Expression(str):
    """R code in a YAML file (``!expr``): text, that nothing here runs."""


def read_yaml(path: Path, root: Path) -> dict[str, Any]:
    """A YAML mapping as JSON would hold it: days are text, ``!expr`` is an :class:`Expression`.

    Raises
    ------
    Unreadable
        For an alias (a few lines of them fill any memory), nesting deeper than :data:`DEEPEST`,
        a name that stands twice, or what is no YAML.
    """
    import yaml

    text = _text(read_bytes(path, root))
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise Unreadable(
                    f"line {_line(event)}: an alias (*{plain(event.anchor)}); "
                    "write out what it stands for"
                )
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise Unreadable(f"line {_line(event)}: nested too deep")
        found = _plain_value(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Unreadable(f"line {line}: {plain(error.problem or error)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Unreadable(plain(" ".join(str(error).split()), 200)) from None
    if not isinstance(found, dict):
        raise Unreadable("holds no names with values")
    return found


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _plain_value(node: Any) -> Any:
    import yaml

    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable(f"line {_line(key)}: a name must be a text")
            name = str(key.value)
            if name in found:
                raise Unreadable(f"line {_line(key)}: {quoted(name)} stands twice")
            found[name] = _plain_value(value)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain_value(item) for item in node.value]
    if node.tag == "!expr":
        return Expression(node.value)
    if node.tag not in _TAGS:
        raise Unreadable(f"line {_line(node)}: unknown tag {plain(node.tag)}")
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except ValueError as error:
        raise Unreadable(f"line {_line(node)}: {plain(error)}") from None
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def files_below(folder: Path) -> list[Path]:
    """Files below a folder, in order of name: what is read by nobody (hidden, README) left out.

    A link to a folder counts as a file, so that it is looked at and refused, not entered. A
    folder that is named like a data file is one, too.
    """
    found: list[Path] = []
    for where, folders, files in os.walk(folder):
        at = Path(where)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        files_too = [f for f in folders if (at / f).is_symlink() or f.endswith(_DATA)]
        folders[:] = [f for f in folders if f not in files_too]
        found += [at / f for f in files_too]
        found += [at / f for f in files if not f.startswith((".", "README"))]
    return sorted(found)
