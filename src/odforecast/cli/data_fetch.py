"""``odforecast data fetch``: download the present release, and keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

CDC = "https://data.cdc.gov"


@click.command()
@click.option(
    "--dataset",
    type=click.Choice(["vsrr", "county"]),
    default="vsrr",
    show_default=True,
    help="vsrr: 12-month counts by state (xkb8-kh2a); county: by county (gb4e-yj24).",
)
@click.option(
    "--archive",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Archive folder; made if it does not exist. Default: your own, where the system keeps "
    "a user's data; its path is printed.",
)
@click.option("--since", type=int, metavar="YEAR", help="Only this year and later; needs --out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the rows to a .json.gz file instead of an archive.",
)
@click.option("--url", default=CDC, show_default=True, help="Server.")
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
    url: str,
    soda3: bool,
    page_size: int,
    timeout: float,
) -> None:
    """Download the present release from data.cdc.gov, and add it to an archive.

    The release date is the day CDC last changed the rows. A release that is there already is
    not downloaded again. A download that was cut off goes on where it stopped. Put an app token
    of data.cdc.gov into SOCRATA_APP_TOKEN to be throttled later.
    """
    from odforecast.vintage.bundle import default_folder
    from odforecast.vintage.fetch import download, write_rows
    from odforecast.vintage.fetch import fetch as run
    from odforecast.vintage.socrata import Socrata

    if since is not None and out is None:
        raise click.UsageError(
            "--since needs --out FILE: a release in an archive is whole, and never changes"
        )
    if out is not None and archive is not None:
        raise click.UsageError("give --archive or --out, not both")
    if out is not None and not out.name.endswith(".json.gz"):
        raise click.BadParameter("the name must end in .json.gz", param_hint="--out")
    if page_size < 1:
        raise click.BadParameter("at least 1", param_hint="--page-size")
    with (
        Socrata(
            url,
            soda3=soda3,
            page_size=page_size,
            timeout=timeout,
            notify=lambda text: click.echo(f"note: {text}", err=True),
        ) as client,
        _bar() as progress,
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
    click.echo(done.why)
    click.echo(f"sha256 {done.sha256}")
    if done.loaded is not None:
        for note in done.loaded.report.notes:
            click.echo(f"note: {note}", err=True)
    click.echo(f"archive: {folder}")


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal; nothing where nobody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("downloading"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("rows", total=None)

        def progress(here: int, total: int) -> None:
            bar.update(task, completed=here, total=total)

        yield progress
