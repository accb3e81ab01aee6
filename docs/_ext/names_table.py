"""The table of every command and every public name, with its page; and the bibliography.

Both are made of the library itself, so that none is missing; `tests/test_docs.py` checks that each
has its page.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

#: Packages whose public names are for readers of the reference.
PUBLIC = (
    "odforecast",
    "odforecast.plot",
    "odforecast.scenario",
    "odforecast.hub",
    "odforecast.models",
    "odforecast.scoring",
    "odforecast.geography",
    "odforecast.backtesting",
    "odforecast.updating",
    "odforecast.report.site",
    "odforecast.testing",
)


def public_names(package: str) -> Iterator[tuple[str, object]]:
    """Each name in ``__all__`` with what it is."""
    module = import_module(package)
    for name in module.__all__:
        yield name, getattr(module, name)


def commands(
    group: click.Group | None = None, words: str = "odforecast"
) -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, by its words: ``odforecast data fetch``."""
    from odforecast.cli import main

    top = main if group is None else group
    context = click.Context(top)
    for name in top.list_commands(context):
        found = top.get_command(context, name)
        assert found is not None, name
        if isinstance(found, click.Group):
            if found.invoke_without_command:
                yield f"{words} {name}", found
            yield from commands(found, f"{words} {name}")
        else:
            yield f"{words} {name}", found


def own_members(cls: type, kinds: tuple[type, ...]) -> list[str]:
    """Public members of these kinds that code of this package defines, bases first to last."""
    found: dict[str, None] = {}
    for base in cls.__mro__:
        if base.__module__.startswith("odforecast"):
            for name, value in vars(base).items():
                if isinstance(value, kinds) and not name.startswith("_"):
                    found.setdefault(name)
    return list(found)


def first_line(value: object) -> str:
    """What a docstring says first; of a constant, its kind."""
    text = inspect.getdoc(value) if _documented(value) else ""
    line = " ".join((text or "").split("\n\n")[0].split())
    return line.replace("|", "\\|").replace("*", "\\*")


def _documented(value: object) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)


def role(value: object) -> str:
    """The role of Sphinx's Python domain that links to it."""
    if inspect.ismodule(value):
        return "mod"
    if inspect.isclass(value):
        return "exc" if issubclass(value, BaseException) else "class"
    return "func" if callable(value) else "data"


def home(package: str, name: str, value: object) -> str:
    """By which full name the reference has it: the shortest that works."""
    import odforecast

    if inspect.ismodule(value):
        return value.__name__
    if name in odforecast.__all__ and getattr(odforecast, name) is value:
        return f"odforecast.{name}"
    return f"{package}.{name}"


class NamesTable(SphinxDirective):
    """``names-table``: what it is of, ``commands`` or a package."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Rows of the table, parsed as reStructuredText."""
        lines = [".. list-table::", "   :widths: 40 60", "   :header-rows: 1", ""]
        if self.arguments[0] == "commands":
            lines += ["   * - command", "     - what it does"]
            for words, command in commands():
                anchor = words.replace(" ", "-")
                short = (command.get_short_help_str(limit=200) or "").rstrip(".")
                lines += [f"   * - `{words} <cli.html#{anchor}>`__", f"     - {short}."]
        else:
            package = self.arguments[0]
            lines += ["   * - name", "     - what it is"]
            for name, value in public_names(package):
                full = home(package, name, value)
                lines += [f"   * - :py:{role(value)}:`~{full}`", f"     - {first_line(value)}"]
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "names-table"), node)
        return node.children


class Bibliography(SphinxDirective):
    """``evidence-references``: the sources of the evidence, with links where there is a DOI."""

    def run(self) -> list[nodes.Node]:
        """A numbered list, in the order of the numbers on the page of the evidence."""
        from odforecast.scenario import references

        found = nodes.enumerated_list(enumtype="arabic", prefix="", suffix=".")
        for citation in references()["citation"]:
            text, _, doi = str(citation).partition(" doi:")
            line = nodes.paragraph("", text + (" " if doi else ""))
            if doi:
                address = f"https://doi.org/{doi.strip()}"
                line += nodes.reference("", f"doi:{doi.strip()}", refuri=address)
            found += nodes.list_item("", line)
        return [found]
