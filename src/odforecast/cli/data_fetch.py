"""``odforecast data fetch``: download the present release, or past ones, and keep them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from odforecast.cli.data_dataset import former_words
from odforecast.cli.options import (
    archive_option,
    dataset_option,
    json_option,
    out_option,
    release_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note, print_lines, wrapped
from odforecast.names import STATES

CDC = "https://data.cdc.gov"
GITHUB = "https://raw.githubusercontent.com"


@former_words
@click.command()
@dataset_option
@archive_option
@click.option("--since", type=int, metavar="YEAR", help="Only this year and later; needs --out.")
@out_option("Write the rows to a .json.gz file instead of an archive.")
@click.option(
    "--past",
    is_flag=True,
    help="Instead of the present release, public copies of past ones: see --list.",
)
@click.option("--list", "only_list", is_flag=True, help="With --past: list the copies, no more.")
@release_option
@click.option(
    "--copies",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --past: another list of copies, a CSV with the columns of odforecast's own.",
)
@json_option
@click.option("--url", metavar="URL", help=f"Server to fetch from.  [default: {CDC}]")
@click.option("--soda3", is_flag=True, help="Use the newer API, which needs a token.")
@click.option("--page-size", default=20_000, show_default=True, metavar="N", help="Rows a page.")
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait this long for each piece of an answer.",
)
def fetch(
    dataset: str,
    archive: Path | None,
    since: int | None,
    out: Path | None,
    past: bool,
    only_list: bool,
    release: str | None,
    copies: Path | None,
    as_json: bool,
    url: str | None,
    soda3: bool,
    page_size: int,
    timeout: float,
) -> None:
    """Download the present release from data.cdc.gov, and add it to an archive.

    By state (xkb8-kh2a), or with --dataset counties by county (gb4e-yj24).
    The release date is the day CDC last changed the rows. A release that is there already is
    not downloaded again. A download that was cut off goes on where it stopped. Put an app token
    of data.cdc.gov into SOCRATA_APP_TOKEN to be throttled later.

    With --past: public copies of past releases, from repositories on GitHub (--url: another
    server). Each is checked by its hash where one is known, read, and added under its release date;
    copies of one release are compared. What was downloaded is not downloaded again; --release takes
    the copies of one release alone. --json goes with --list. The exit status is 1 if a copy was
    refused, or a release has no copy that can be used.
    """
    if past:
        if dataset != STATES or since is not None or out is not None or soda3:
            raise click.UsageError("--past goes with --archive, --url and --timeout only")
        if as_json and not only_list:
            raise click.UsageError("--json goes with --list")
        if only_list:
            _list_past(archive, copies, release, as_json)
        else:
            _fetch_past(archive, copies, release, url or GITHUB, timeout)
        return
    if only_list or release is not None or copies is not None or as_json:
        raise click.UsageError("--list, --release, --copies and --json go with --past")
    from odforecast.vintage.bundle import default_folder
    from odforecast.vintage.dataset import notes_of
    from odforecast.vintage.fetch import download, write_rows
    from odforecast.vintage.fetch import fetch as run
    from odforecast.vintage.socrata import Socrata

    if since is not None and out is None:
        raise click.UsageError(
            "--since needs --out FILE: a release in an archive is whole, and never changes"
        )
    if out is not None and archive is not None:
        raise click.UsageError("give --archive or --out, not both")
    check_outputs(("--out", out, (".json.gz",)))
    if page_size < 1:
        raise click.BadParameter("at least 1", param_hint="--page-size")
    with (
        Socrata(
            url or CDC,
            soda3=soda3,
            page_size=page_size,
            timeout=timeout,
            notify=note,
        ) as client,
        _bar("rows") as (progress, _),
    ):
        if out is not None:
            partial = out.parent / f".{out.name}.partial"
            found = download(dataset, partial, client, since=since, progress=progress)
            digest = write_rows(out, found.rows)
            _remove(partial)
            click.echo(
                f"{out}: {len(found.rows):,} rows of release {found.meta.release}, sha256 {digest}"
            )
            return
        folder = archive or default_folder()
        done = run(dataset, folder, client, progress=progress)
    if done.rows:
        again = f", {done.resumed:,} of them from an earlier try" if done.resumed else ""
        click.echo(f"{done.rows:,} rows downloaded{again}")
    click.echo(wrapped(done.why))
    click.echo(f"sha256 {done.sha256}")
    if done.loaded is not None:
        for text in notes_of(done.loaded):
            note(text)
    click.echo(f"archive: {folder}")


def _fetch_past(
    archive: Path | None, copies: Path | None, release: str | None, url: str, timeout: float
) -> None:
    """Fetch past releases, and say of each copy what became of it."""
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import default_folder
    from odforecast.vintage.past import Outcome, RawFiles, fetch_past, missing, read_copies

    folder = archive or default_folder()
    listed = None if copies is None else read_copies(copies)
    kinds = {
        "gone": "warning: ", "refused": "error: ", "quarantined": "error: ",
        "differs": "note: ", "retracted": "note: ",
    }  # fmt: skip
    with _bar("copies") as (progress, say):

        def tell(outcome: Outcome) -> None:
            kind = kinds.get(outcome.status, "")
            say(f"{kind}{' '.join(outcome.words.split())}", bool(kind))

        notify = lambda text: say(f"note: {text}", True)  # noqa: E731
        with RawFiles(url, timeout=timeout, notify=notify) as client:
            done = fetch_past(
                folder, client, copies=listed, release=release, tell=tell, progress=progress
            )
    statuses = ("added", "there", "equal", "differs", "quarantined", "retracted", "gone", "refused")
    counts = {status: sum(o.status == status for o in done) for status in statuses}
    words = {
        "there": "there already", "equal": "compared and equal",
        "differs": "compared and different", "gone": "not to be had",
    }  # fmt: skip
    click.echo(", ".join(f"{n} {words.get(k, k)}" for k, n in counts.items() if n))
    click.echo(f"archive: {folder}, {len(Archive(folder).releases())} releases")
    lacking = missing(done)
    if lacking:
        dates = ", ".join(map(str, lacking))
        some = f"release{'s' * (len(lacking) > 1)} {dates}"
        click.echo(f"error: no copy that can be used of {some}", err=True)
    if lacking or counts["refused"]:
        raise click.exceptions.Exit(1)


def _list_past(
    archive: Path | None, copies: Path | None, release: str | None, as_json: bool
) -> None:
    """List copies, without asking anybody."""
    from odforecast.vintage.bundle import default_folder, folder_archive
    from odforecast.vintage.past import past_copies, read_copies, states, wanted

    listed = wanted(past_copies() if copies is None else read_copies(copies), release)
    here = states(folder_archive(archive or default_folder()), listed)
    if as_json:
        rows = [
            {
                "release": str(c.release),
                "basis": c.basis if c.settled or c.basis == "known" else "guess",
                "last_month": c.last_month,
                "check": c.check or "structure",
                "here": state,
                "repository": c.repository,
                "commit": c.commit,
                "path": c.path,
                "note": c.note,
            }
            for c, state in zip(listed, here, strict=True)
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    lines = [("release", "last month", "date", "check", "here", "copy")]
    for c, state in zip(listed, here, strict=True):
        basis = c.basis if c.settled or c.basis == "known" else "guess"
        lines.append((str(c.release), c.last_month, basis, c.check or "structure", state, str(c)))
    print_lines(lines, "{:<10}  {:<10}  {:<8}  {:<9}  {:<5}")
    dates = len({c.release for c in listed})
    click.echo(f"{len(listed)} copies of {dates} releases", err=True)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _bar(
    what: str,
) -> Iterator[tuple[Callable[[int, int], None] | None, Callable[[str, bool], None]]]:
    """A bar on a terminal, nothing where nobody looks; and how to print a line beside it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None, lambda text, err: click.echo(text, err=err)
        return
    columns = (TextColumn("downloading"), BarColumn(), MofNCompleteColumn(), TextColumn(what))
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task(what, total=None)

        def progress(here: int, total: int) -> None:
            bar.update(task, completed=here, total=total)

        def say(text: str, err: bool) -> None:
            bar.stop()
            click.echo(text, err=err)
            bar.start()

        yield progress, say
