"""The command line: ``odforecast forecast | update | report | data | …``.

Commands are imported when they are used. Errors are handled here and nowhere else: a mistake in
data or arguments is one line, and the exit status says of which kind it is (``code`` of the error,
2 for usage). With ``--json`` standard output has the same as one object. ``--debug`` shows a
traceback.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn, TextIO

import click

from odforecast.cli.options import ANSWERED, AS_JSON, Command
from odforecast.errors import OdforecastError, near
from odforecast.version import __version__

#: Command -> its module and name there, and what ``--help`` says about it.
COMMANDS = {
    "forecast": ("forecast:forecast", "Forecast deaths in states or counties."),
    "nowcast": ("forecast:nowcast", "Estimate the final value of recent counts."),
    "update": (
        "update:update",
        "Fetch the newest release, forecast, and report what changed.",
    ),
    "report": (
        "report:report",
        "Write a web page, or a site with a page for each state.",
    ),
    "scenario": (
        "scenario:scenario",
        "What could cooperation, or a supply shock, change?",
    ),
    "backtest": ("backtest:backtest", "Forecast past dates again, and score."),
    "score": ("score:score", "Score forecasts against a later release."),
    "task": ("task:task", "List, show, enter and run benchmark tasks."),
    "hub": ("hub:hub", "Create, check and score a forecast hub."),
    "models": ("catalog:models", "List the forecast models."),
    "data": ("data:data", "Download, store, check and export CDC's releases."),
    "examples": ("catalog:examples", "List the example files, or copy them."),
}


#: What an exit status means, in a word.
STATUS = {
    1: "error",
    2: "wrong use",
    4: "try again later",
    5: "a person must decide",
    6: "CDC changed shape",
}


class Group(click.Group):
    """A group of our commands that guesses what an unknown one was to be."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        name = args[0] if args else ""
        names = self.list_commands(ctx)
        if not name.startswith("-") and name not in names:
            similar = near(name, names)
            guess = f" There are: {', '.join(names)}."
            if similar:
                guess = f" Did you mean {similar[0]!r}?"
            raise click.UsageError(f"No such command {name!r}.{guess}", ctx)
        return super().resolve_command(ctx, args)


class _Main(Group):
    """All commands, each imported when it is called; what goes wrong becomes one line here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; whoever asks for JSON gets it for wrong words, too."""
        ctx.meta[AS_JSON] = "--json" in args
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(f"odforecast.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and report what goes wrong in one place."""
        try:
            with lasting():
                return super().invoke(ctx)
        except click.ClickException as error:
            _object(ctx, error.exit_code, error.format_message())
            raise  # click's own: usage errors exit with 2
        except (click.exceptions.Exit, click.Abort):
            raise
        except OdforecastError as error:
            _fail(ctx, error.message, error.code, error.hint)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)
        except OSError as error:
            file = f": {error.filename}" if error.filename else ""
            _fail(ctx, f"{error.strerror or error}{file}")
        except Exception as error:
            text = str(error) or "no message"
            _fail(
                ctx,
                f"unexpected {type(error).__name__}: {text}. This is a bug in odforecast; please "
                "report it with the output of odforecast --debug ...",
            )


def _fail(
    ctx: click.Context, message: str, code: int = 1, hint: str | None = None
) -> NoReturn:
    """Print one line (and with ``--debug`` the traceback before it) and exit with a status."""
    if ctx.params.get("debug"):
        traceback.print_exception(sys.exception())
    line = message if hint is None else f"{message}; {hint}"
    click.echo(f"error: {' '.join(line.split())}", err=True)
    _object(ctx, code, message, hint)
    ctx.exit(code)


def _object(ctx: click.Context, code: int, what: str, hint: str | None = None) -> None:
    """With ``--json``, print what went wrong, unless the answer was printed before it did."""
    if ctx.meta[AS_JSON] and ANSWERED not in ctx.meta:
        status = STATUS.get(code, "error")
        said = {"status": status, "code": code, "what": what, "next": hint}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))


class Lasting:
    """A text stream that drops what is written once its reader is gone: ``odforecast … | head``.

    A command goes on to its end, so the files it writes are not lost.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """From now on into nothing: what is still in a buffer, too."""
        sink = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, self._stream.fileno())
        finally:
            os.close(sink)


@contextmanager
def lasting() -> Iterator[None]:
    """Standard output and error, so that a reader who goes away ends nothing."""
    stdout = sys.stdout
    stderr = sys.stderr
    sys.stdout = Lasting(stdout)
    sys.stderr = Lasting(stderr)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # closed meanwhile
                stream.flush()
        sys.stdout = stdout
        sys.stderr = stderr


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="odforecast")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Forecast US drug-overdose deaths from CDC's provisional counts, and score every forecast
    on the data known at the time.

    Start with: odforecast forecast Ohio

    Commands use your own releases, then those that come with the package (the newest: 2026-01-14).
    odforecast data fetch downloads the latest one.

    Write dates and months as 2025-09-17, 9/17/2025, 2026-12, 12/2026, Dec 2026 or 2026. A year
    alone means January for a start and December for an end.
    """
