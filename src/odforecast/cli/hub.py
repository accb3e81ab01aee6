"""``odforecast hub``: make a hubverse hub, check one, score one."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from odforecast.cli.meant import Group

#: Command -> where it lives, and what ``--help`` says about it.
COMMANDS: Final = {
    "init": ("odforecast.cli.hub_init:init", "Make a hub: configuration, target data, models."),
    "submit": ("odforecast.cli.hub_submit:submit", "Forecast a hub's round, and submit it."),
    "update": ("odforecast.cli.hub_update:update", "Add the rounds of new releases to a hub."),
    "check": ("odforecast.cli.hub_check:check", "Run the hubverse's checks on a hub or a file."),
    "score": ("odforecast.cli.hub_score:score", "Score the submissions of a hub."),
}


class _Lazy(Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy)
def hub() -> None:
    """Make a hubverse hub, check one, score one.

    A hub is a folder: what is to be forecast (hub-config), what was counted (target-data), and
    the submissions of many teams (model-output).
    """
