"""``odforecast hub``: make a hubverse hub, check one, score one."""

from __future__ import annotations

from typing import Final

import click

from odforecast.cli.meant import LazyGroup

#: Command -> where it lives, and what ``--help`` says about it.
COMMANDS: Final = {
    "init": ("odforecast.cli.hub_init:init", "Make a hub: configuration, target data, models."),
    "submit": ("odforecast.cli.hub_submit:submit", "Forecast a hub's round, and submit it."),
    "update": ("odforecast.cli.hub_update:update", "Add the rounds of new releases to a hub."),
    "check": ("odforecast.cli.hub_check:check", "Run the hubverse's checks on a hub or a file."),
    "score": ("odforecast.cli.hub_score:score", "Score the submissions of a hub."),
}


@click.group(cls=LazyGroup, homes=COMMANDS)
def hub() -> None:
    """Make a hubverse hub, check one, score one.

    A hub is a folder: what is to be forecast (hub-config), what was counted (target-data), and
    the submissions of many teams (model-output).
    """
