"""Did you mean …: for commands and for an option's values; and groups that load what is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from odforecast.errors import near


def question(value: object, known: Any) -> str:
    """What may have been meant, as a question; empty if nothing is near.

    Examples
    --------
    >>> question("forcast", ["forecast", "score"]), question("x", ["forecast"])
    (" Did you mean 'forecast'?", '')
    """
    meant = near(value, known)
    return f" Did you mean {meant[0]!r}?" if meant else ""


class Group(click.Group):
    """A group that guesses what an unknown command was to be."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names.

        Raises
        ------
        click.UsageError
            If there is none; with what may have been meant.
        """
        name = args[0] if args else ""
        known = self.list_commands(ctx)
        if not name.startswith("-") and name not in known:
            guess = question(name, known) or f" There are: {', '.join(known)}."
            raise click.UsageError(f"No such command {name!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports a command when it is called, so that ``--help`` is quick.

    Parameters
    ----------
    homes : mapping of str to (str, str)
        Command to where it lives (``"module:attribute"``), and what ``--help`` says about it.
    """

    def __init__(self, *args: Any, homes: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.homes = dict(homes)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in self.homes:
            return None
        module, attribute = self.homes[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.homes.items()])


class Choice(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on only
    """One of several words; another one is refused with what may have been meant.

    Parameters
    ----------
    words : sequence of str
    former : mapping of str to str, optional
        Words that are taken too and not listed, and what they are called now.
    """

    def __init__(self, words: Sequence[str], former: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.former = dict(former or {})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word, if it is one of them."""
        known = [str(word) for word in self.choices]
        value = self.former.get(str(value), value)
        if str(value) not in known:
            self.fail(
                f"{str(value)!r} is not one of {', '.join(known)}.{question(value, known)}",
                param,
                ctx,
            )
        return str(super().convert(value, param, ctx))
