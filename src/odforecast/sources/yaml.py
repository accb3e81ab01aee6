"""YAML as plain values: no alias, no tag, no name twice, nothing deep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from odforecast.say import plain, quoted


class BadYamlError(ValueError):
    """What is wrong with a text, and in which line."""

    def __init__(self, at: Any, why: str) -> None:
        self.line = at if isinstance(at, int) else _line(at)
        self.why = why
        super().__init__(f"line {self.line}: {why}")


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which makes plain values only, with its kindnesses refused."""

    #: Most lists and mappings within one another, and tags that a text may have.
    deepest = 60
    tags = frozenset[str]()
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node that is not an alias, and not deep below others."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        # An alias repeats what it names: nine lines of nine are a billion values.
        if isinstance(event, yaml.AliasEvent):
            why = f"an alias (*{plain(event.anchor)}); write out what it stands for"
            raise BadYamlError(event, why)
        if (tag := getattr(event, "tag", None)) and tag not in self.tags:
            raise BadYamlError(
                event, f"tag {quoted(tag)} is not allowed; write plain values"
            )
        self.depth += isinstance(event, yaml.CollectionStartEvent)
        # A hundred thousand brackets keep a parser busy for minutes.
        if self.depth > self.deepest:
            raise BadYamlError(event, f"nested more than {self.deepest} deep")
        node = super().compose_node(parent, index)
        self.depth -= isinstance(event, yaml.CollectionStartEvent)
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """A value, or the line of one that is none."""
        try:
            return super().construct_object(node, deep)
        except BadYamlError:
            raise
        except ValueError as error:
            raise BadYamlError(node, plain(error)) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Names, each once and a text, with values."""
        del deep
        found: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise BadYamlError(key, "a name must be text")
            if key.value in found:
                raise BadYamlError(key, f"key {quoted(key.value)} is given twice")
            found[key.value] = self.construct_object(value, deep=True)
        return found


def load(text: str, loader: type[Loader] = Loader) -> Any:
    """The values of a text."""
    try:
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error)
        why = f"not YAML: {plain(' '.join(said.split()), 200)}"
        raise BadYamlError(mark.line + 1 if mark else 1, why) from None


def line_of(text: str, at: Iterable[str | int]) -> int:
    """The line of a value, by the names and places that lead to it."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    line = _line(node)
    for step in at:
        if node.id == "mapping":
            key, node = next(pair for pair in node.value if pair[0].value == step)
            line = _line(key)
        elif node.id == "sequence":  # else a single word that stands for a list
            node = node.value[step]
            line = _line(node)
    return line


def _line(at: Any) -> int:
    return int(at.start_mark.line) + 1
