"""``--counts FILE [--complete]``: a state's own counts, and that they stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.screen import note

if TYPE_CHECKING:
    from odforecast.panel import Panel


#: Where the commands' context keeps ``--complete``: it belongs to the file and goes with it.
_COMPLETE = "odforecast.own_counts.complete"


class _Complete(click.Option):
    """A flag that is about ``--counts``."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        if opts.get("complete") and not opts.get("counts"):
            raise click.UsageError("--complete is about --counts FILE", ctx)
        return super().handle_parse_result(ctx, opts, args)


def _keep(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.meta[_COMPLETE] = value


def counts_option[F: Callable[..., Any]](command: F) -> F:
    """``--counts FILE`` and ``--complete``, which :func:`with_counts` sees."""
    complete = click.option(
        "--complete",
        is_flag=True,
        cls=_Complete,
        expose_value=False,
        callback=_keep,
        help="Those counts miss nothing any more. Default: the last months are still filling up.",
    )
    return click.option(
        "--counts",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
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


def with_counts(panel: Panel, counts: Path | None) -> Panel:
    """The panel with the counts of a file beside it, where one is given."""
    if counts is None:
        return panel
    from odforecast.sources.own import read_own_counts

    complete = bool(click.get_current_context().meta.get(_COMPLETE))
    made = panel.with_counts(read_own_counts(counts), complete=complete)
    for text in made.notes[len(panel.notes) :]:
        note(text)
    return made
