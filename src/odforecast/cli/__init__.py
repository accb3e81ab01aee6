"""The command line; see :mod:`odforecast.cli.app`."""

from odforecast.cli.app import COMMANDS, main

__all__ = ["COMMANDS", "main"]
