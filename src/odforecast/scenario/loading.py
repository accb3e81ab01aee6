"""Scenario files to plain values: the parts of YAML and TOML that cannot surprise.

A file is data of strangers. It may not repeat itself into a billion values, ask for an object,
nest without end, or name a key twice; and a value is what it looks like: ``yes`` is a word.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from odforecast.errors import OdforecastError, ScenarioError
from odforecast.say import of_path, plain, quoted
from odforecast.scenario.wording import shown

#: Most bytes of a scenario file, levels of nesting, and largest number in it.
MAX_BYTES = 200_000
MAX_DEPTH = 12
MAX_NUMBER = 10**15
#: Most characters of a text.
MAX_TEXT = 5_000
#: Characters of what a parser says that a message repeats.
_SAID = 200


def read_text(path: Path) -> str:
    """Text of a scenario file.

    Raises
    ------
    ScenarioError
        If it cannot be read, is no UTF-8, or is larger than any scenario file.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise ScenarioError(f"cannot read {of_path(path)}: {why}") from error
    if len(data) > MAX_BYTES:
        raise ScenarioError(f"{of_path(path)}: more than {MAX_BYTES:,} bytes, as no scenario has")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"cannot read {of_path(path)}: byte {error.start} is no UTF-8",
            hint="save the file as UTF-8",
        ) from error
    return text


def load(text: str, suffix: str) -> object:
    """Plain values of YAML or TOML text, none of them beyond reason.

    Raises
    ------
    ScenarioError
        One line that names the line, key or value.
    """
    check_suffix(suffix)
    load = _toml if suffix == ".toml" else _yaml
    try:
        return _checked(load(text))
    except RecursionError as error:
        # A thousand brackets end a parser before anybody sees how deep they go.
        raise ScenarioError(f"nested more than {MAX_DEPTH} deep") from error


def _toml(text: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and integers of 5,000 digits
        said = " ".join(str(error).split())
        # The parser says neither what it is that it will not overwrite, nor that it is a key.
        if found := re.match(r"Cannot (?:overwrite|declare|mutate).*\(at (?:line (\d+)|end)", said):
            lines = text.rstrip().splitlines()
            at = int(found[1] or len(lines))
            key = lines[at - 1].partition("=")[0].strip().strip("[]").strip()
            raise ScenarioError(f"line {at}: key {quoted(key)} is given twice") from error
        raise ScenarioError(f"not TOML: {plain(said, _SAID)}") from error


def _yaml(text: str) -> object:
    import yaml

    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 0
            # An alias repeats what it names: nine lines of nine of them are a billion values.
            if isinstance(event, yaml.AliasEvent):
                raise ScenarioError(f"line {line}: alias {quoted(f'*{event.anchor}')}, allowed: "
                                    "none; write the value out")  # fmt: skip
            # A tag asks for another kind of value than stands there, or for an object.
            if tag := getattr(event, "tag", None):
                raise ScenarioError(f"line {line}: tag {quoted(tag)}, allowed: none")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ScenarioError(f"line {line}: nested more than {MAX_DEPTH} deep")
        return yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, OdforecastError):
            raise
        said, where = str(error), ""
        if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
            said, where = error.problem, f"line {error.problem_mark.line + 1}: "
        said = where + plain(" ".join(said.split()), _SAID)
        ours = isinstance(error, yaml.constructor.ConstructorError)
        raise ScenarioError(said if ours else f"not YAML: {said}") from error


@cache
def _loader() -> Any:
    """PyYAML's safe loader, which makes nothing but plain values, without its kindnesses."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses keys given twice; reads numbers and words as YAML 1.2 and TOML do."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            del deep  # always: what is held is checked before anybody uses it
            seen: set[str] = set()
            for key, _ in node.value:
                name = str(getattr(key, "value", key))
                if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {quoted(name)} is no text", key.start_mark
                    )
                # The second one would win, and nobody would see which.
                if name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {quoted(name)} is given twice", key.start_mark
                    )
                seen.add(name)
            return dict(super().construct_mapping(node, deep=True))

    # 1:30 is ninety, 0777 is 511 and yes is true in YAML 1.1 alone: here they stay words, and so
    # do dates and numbers too long to be one.
    kinds = ("int", "float", "bool", "timestamp")
    plain_words = {
        first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] not in kinds]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.yaml_implicit_resolvers = plain_words
    for kind, rule, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("int", r"[-+]?(0|[1-9][0-9]{0,40})", "-+0123456789"),
        (
            "float",
            r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
            "-+0123456789.",
        ),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{rule})$"), first)
    return Loader


def _checked(value: object, where: str = "", depth: int = 0) -> object:
    """The same values, if no key, number or text among them is beyond reason."""
    name = where or "a scenario file"
    if depth > MAX_DEPTH:
        raise ScenarioError(f"{name}: nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ScenarioError(f"{name}: key {shown(key)} is no text", hint="put it in quotes")
            _checked(item, f"{where}.{plain(key, 30)}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for i, item in enumerate(value, 1):
            _checked(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, int):
        if abs(value) > MAX_NUMBER:
            raise ScenarioError(f"{name} is {shown(value)}, allowed: numbers up to 10^15")
    elif isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ScenarioError(f"{name} is {shown(value)}, allowed: {MAX_TEXT:,} characters")
        if not all(c.isprintable() or c in "\n\t" for c in value):
            raise ScenarioError(f"{name} is {shown(value)}, allowed: text without control codes")
    return value


def check_suffix(suffix: str) -> None:
    """Refuse a file of another kind.

    Raises
    ------
    ScenarioError
        With the kinds there are.
    """
    if suffix not in (".yaml", ".yml", ".toml"):
        raise ScenarioError(f"file type is {shown(suffix)}, allowed: .yaml, .yml or .toml")
