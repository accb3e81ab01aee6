"""The command line: ``odforecast forecast | update | report | data | …``.

Commands are imported when they are used, so ``odforecast --help`` is quick. Errors are
handled here and nowhere else: a mistake in data or arguments is one line, exit 1 (2 for
usage); a traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any, NoReturn

import click

from odforecast.cli.meant import LazyGroup
from odforecast.cli.pipe import lasting
from odforecast.errors import OdforecastError
from odforecast.version import __version__

#: Command -> where it lives, and what ``--help`` says about it.
COMMANDS = {
    "forecast": ("odforecast.cli.forecast:forecast", "Forecast from what was known on a day."),
    "nowcast": (
        "odforecast.cli.nowcast:nowcast",
        "What the last published counts will be once final.",
    ),
    "update": (
        "odforecast.cli.update:update",
        "Fetch, check, forecast, and say what changed since last month.",
    ),
    "report": ("odforecast.cli.report:report", "Write a page, or a site of pages, to read."),
    "scenario": (
        "odforecast.cli.scenario:scenario",
        "What could cooperation, or a supply shock, change?",
    ),
    "backtest": ("odforecast.cli.backtest:backtest", "Forecast past days again, and score."),
    "score": ("odforecast.cli.score:score", "Score forecasts against a later release."),
    "task": ("odforecast.cli.task:task", "Benchmarks as files: list, show, take part."),
    "hub": ("odforecast.cli.hub:hub", "Make a hubverse hub, check one, score one."),
    "models": ("odforecast.cli.models:models", "List the models, one line each."),
    "data": ("odforecast.cli.data:data", "Look into CDC's files, keep releases, export tables."),
    "examples": ("odforecast.cli.examples:examples", "List the example files, or copy them here."),
}


class _Main(LazyGroup):
    """All commands; what goes wrong becomes one line here."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and report what goes wrong in one place."""
        try:
            with lasting():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click's own: usage errors exit with 2
        except OdforecastError as error:
            _fail(ctx, str(error))
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)
        except OSError as error:
            _fail(ctx, f"{error.strerror or error}{_of_file(error)}")
        except Exception as error:
            text = str(error) or "no message"
            _fail(
                ctx,
                f"unexpected {type(error).__name__}: {text}; this is a mistake in odforecast: "
                "please report it with the output of odforecast --debug ...",
            )


def _of_file(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _fail(ctx: click.Context, message: str) -> NoReturn:
    """Print one line (and with ``--debug`` the traceback before it) and exit with 1."""
    if ctx.params.get("debug"):
        traceback.print_exception(sys.exception())
    click.echo(f"error: {' '.join(message.split())}", err=True)
    ctx.exit(1)


@click.group(cls=_Main, homes=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="odforecast")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Forecast US drug-overdose deaths from CDC's provisional counts, and score every forecast
    on the data as it was known that day.

    Without --archive or --source, every command uses your own releases, with those that ship
    with the package (the newest: 2026-01-14) beneath. odforecast data fetch brings the present one.

    Write dates and months as 2025-09-17, 9/17/2025, 2026-12, 12/2026, Dec 2026 or 2026. A year
    alone means January where something starts, and December where it ends.
    """
