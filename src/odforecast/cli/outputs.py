"""Names that the other commands use until they have moved."""

from pathlib import Path

import click

from odforecast.cli.options import check_apart as apart
from odforecast.cli.options import check_outputs
from odforecast.names import TARGET_MONTH

__all__ = ["check_apart", "check_outputs", "check_yearly"]


def check_apart(folder: tuple[str, Path | None], *files: tuple[str, Path | None]) -> None:
    """Refuse files inside a folder that is replaced as a whole."""
    apart(*folder, *files)


def check_yearly(target: str, **given: object) -> None:
    """Refuse what shows 12-month counts where single months are asked for."""
    for name, value in given.items():
        if target == TARGET_MONTH and value not in (None, False):
            raise click.UsageError(
                f"--{name} shows 12-month counts: leave out --target {target}, or ask for both"
            )
