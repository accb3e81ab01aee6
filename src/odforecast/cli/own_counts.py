"""``--counts FILE``: a state's own counts, and that they stay where they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.screen import note
from odforecast.names import DEFAULT_HORIZON

if TYPE_CHECKING:
    from odforecast.panel import Panel

#: Where the commands' context keeps ``--complete``: it belongs to the file and goes with it.
_COMPLETE = "odforecast.own_counts.complete"


class _Complete(click.Option):
    """A flag that is about ``--counts``."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        if opts.get("complete") is not None and not opts.get("counts"):
            flag = "--complete" if opts["complete"] else "--not-complete"
            raise click.UsageError(f"{flag} is about --counts FILE", ctx)
        return super().handle_parse_result(ctx, opts, args)


class CountsFile(click.Path):
    """A file, or ``FILE.xlsx:Sheet``: a sheet of a workbook."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, exists=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, its sheet with it; the file must be there."""
        whole = Path(value)
        super().convert(whole if whole.exists() else file_of(whole), param, ctx)
        return whole


def file_of(counts: Path) -> Path:
    """The file of ``FILE.xlsx:Sheet``, or of a file without a sheet.

    Examples
    --------
    >>> file_of(Path("data/ohio.xlsx:2025 deaths")).name, file_of(Path("a.csv")).name
    ('ohio.xlsx', 'a.csv')
    """
    file, colon, _ = str(counts).rpartition(":")
    return Path(file) if colon and file.lower().endswith((".xlsx", ".xlsm")) else counts


def _keep(ctx: click.Context, _option: click.Parameter, value: bool | None) -> None:
    ctx.meta[_COMPLETE] = value


def counts_option[F: Callable[..., Any]](command: F) -> F:
    """``--counts FILE`` and ``--complete/--not-complete``, which :func:`with_counts` sees."""
    complete = click.option(
        "--complete/--not-complete",
        cls=_Complete,
        default=None,
        expose_value=False,
        callback=_keep,
        help="Whether those counts miss nothing any more, or deaths may still be added to the "
        "last months.  [default: asked on a terminal, else not complete]",
    )
    return click.option(
        "--counts",
        type=CountsFile(),
        metavar="FILE",
        help="A state's own monthly counts, newer than CDC's: location, month, deaths[, as_of].",
    )(complete(command))


def publish_option[F: Callable[..., Any]](command: F) -> F:
    """``--with-own-counts``."""
    return click.option(
        "--with-own-counts",
        "publish",
        is_flag=True,
        help="Let pages and hub files rest on a state's own counts.",
    )(command)


def check_local(counts: Path | None, publish: bool, *files: tuple[str, Path | None]) -> None:
    """Refuse, before the work, a file for others that would rest on own counts unasked.

    Raises
    ------
    click.UsageError
        If there is one; or if the flag changes nothing.
    """
    if publish and counts is None:
        raise click.UsageError("--with-own-counts is about --counts FILE")
    for name, path in files:
        if counts is not None and path is not None and not publish:
            raise click.UsageError(
                f"{name} {path} would rest on your own counts ({counts}), which stay with you: "
                f"leave {name} or --counts out, or add --with-own-counts"
            )


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def with_counts(panel: Panel, counts: Path | None) -> Panel:
    """The panel with the counts of a file beside it, where one is given."""
    if counts is None:
        return panel
    from odforecast.sources.own import read_own_counts

    frame = read_own_counts(counts)
    ctx = click.get_current_context()
    complete = ctx.meta.get(_COMPLETE)
    if complete is None and on_terminal():
        complete = not click.confirm(
            f"Could more deaths still be added to the last months in {counts}?",
            default=True,
            err=True,
        )
    # Rows without a day were known today, or on the day that the forecast is made for.
    made = panel.with_counts(frame, bool(complete), ctx.params.get("as_of"))
    for text in made.notes[len(panel.notes) :]:
        note(text)
    return made


def months_ahead(
    panel: Panel, horizon: int | None, until: str | None, said: bool = True
) -> int | None:
    """The horizon: with own counts and no other wish, a year after the last month of them."""
    from odforecast.say import month_name

    if panel.own is None or horizon is not None or until is not None:
        return horizon
    ahead = max(int((panel.own.last_month - panel.last_month).astype(int)), 0)
    if ahead and said:
        note(
            f"the {DEFAULT_HORIZON} months ahead are counted from "
            f"{month_name(panel.own.last_month)}, the last month of your own counts"
        )
    return DEFAULT_HORIZON + ahead
