"""A YAML text as mappings, lists and words, each with its line; nothing else of YAML is taken.

No alias, no tag, no object, no date or truth value that is made of a word that is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from odforecast.errors import BacktestError, OdforecastError
from odforecast.say import plain, quoted

#: Levels of nesting.
_MAX_DEPTH = 4


@dataclass(frozen=True)
class At:
    """A value of a file: a mapping of names to values, a list of them, a word; and its line."""

    value: Any
    line: int


def load_yaml(text: str, source: str) -> At:
    """The values of a YAML text.

    Parameters
    ----------
    text : str
    source : str
        Name of the file, for messages.

    Raises
    ------
    BacktestError
        With the line: if it is no YAML, has a key twice, or uses more of YAML than values.

    Examples
    --------
    >>> load_yaml("step: 3", "mine.yaml").value["step"]
    At(value=3, line=1)
    """
    return _Yaml(source).load(text)


class _Yaml:
    """Mappings, lists and words of a YAML text, each with its line."""

    def __init__(self, source: str) -> None:
        self.source = source

    def load(self, text: str) -> At:
        import yaml

        depth = 0
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                line = event.start_mark.line + 1 if event.start_mark else 0
                # An alias repeats what it names: nine lines of nine are a billion values.
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    self.refuse(line, "aliases (& and *) are not allowed", "write the value out")
                # A hundred thousand brackets keep a parser busy for minutes.
                depth += isinstance(event, yaml.CollectionStartEvent)
                depth -= isinstance(event, yaml.CollectionEndEvent)
                if depth > _MAX_DEPTH:
                    self.refuse(line, f"nested more than {_MAX_DEPTH} deep")
                if tag := getattr(event, "tag", None):
                    self.refuse(line, f"tag {quoted(tag)} is not allowed", "write plain values")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, ValueError) as error:
            if isinstance(error, OdforecastError):
                raise
            mark = getattr(error, "problem_mark", None)
            said = getattr(error, "problem", None) or str(error)
            self.refuse(mark.line + 1 if mark else 1, f"not YAML: {plain(' '.join(said.split()))}")
        if node is None:
            self.refuse(1, "holds nothing", "see a task that ships: odforecast task show NAME")
        return self.value(node)

    def value(self, node: Any) -> At:
        import yaml

        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return At(node.value if node.style in ("'", '"') else _word(node.value), line)
        if isinstance(node, yaml.SequenceNode):
            return At([self.value(x) for x in node.value], line)
        out: dict[str, At] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            if name in out:
                self.refuse(at, f"key {quoted(name)} is given twice")
            held = self.value(value)
            out[name] = At(held.value, at)
        return At(out, line)

    def refuse(self, line: int, why: str, hint: str | None = None) -> NoReturn:
        raise BacktestError(f"{self.source}, line {line}: {why}", hint=hint)


def _word(text: str) -> Any:
    """A number, a truth value or nothing where it looks like one; else the word itself."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text
