"""``odforecast data``: get releases, keep them in an archive, check, compare and export them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli import data_tables as tables
from odforecast.cli.meant import Choice, Group
from odforecast.cli.options import (
    ACCEPTS,
    CDC,
    FIGURES,
    archive_option,
    as_of_option,
    dataset_option,
    draws_option,
    formerly,
    indicator_option,
    json_option,
    locations_option,
    out_option,
    plot_option,
    release_option,
    seed_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note, wrapped
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json, records
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, COUNTIES, DATASETS, STATES, indicator_name
from odforecast.say import number_of

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.past import Outcome

GITHUB = "https://raw.githubusercontent.com"
#: What the two data sets were called when only the one by state went into an archive.
FORMER = {"vsrr": STATES, "county": COUNTIES}
#: Former commands, and what does the same now.
MOVED = {
    "inspect": "data check FILE...",
    "log": "data releases --log",
    "donors": "data releases --delays",
    "compare": "data revisions --between A B",
    "months": "data export --monthly PLACES --out FILE",
    "accept": "data fix accept DATE --reason TEXT",
    "replace": "data fix replace FILE --reason TEXT",
    "retract": "data fix retract DATE --reason TEXT",
}


class _Data(Group):
    """The data commands; a former one answers with the new one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        if args and args[0] in MOVED:
            click.echo(f"error: `data {args[0]}` is now `{MOVED[args[0]]}`", err=True)
            ctx.exit(2)
        return super().resolve_command(ctx, args)


@click.group(cls=_Data)
def data() -> None:
    """Get releases, keep them in an archive, check, compare and export them."""


def _given(ctx: click.Context, *names: str) -> list[str]:
    """Those of some options that somebody typed, as they are typed."""
    typed = {
        param.opts[0]
        for param in ctx.command.params
        if ctx.get_parameter_source(param.name or "") == click.core.ParameterSource.COMMANDLINE
    }
    return [name for name in names if name in typed]


def _refuse(ctx: click.Context, why: str, *names: str) -> None:
    """Refuse options that do not go with what else was asked for."""
    if wrong := _given(ctx, *names):
        raise click.UsageError(f"{wrong[0]} {why}")


def _own(archive: Path | None) -> Archive:
    """The archive that a command changes; a folder that is named must exist."""
    from odforecast.vintage.bundle import default_folder, folder_archive

    if archive is not None and not archive.exists():
        raise ArchiveError(
            f"--archive {archive}: there is no such folder",
            hint="is it spelled right? odforecast data add and data fetch make one",
        )
    return folder_archive(archive or default_folder())


@data.command()
@dataset_option
@archive_option
@click.option("--since", type=int, metavar="YEAR", help="Only this year and later; needs --out.")
@out_option("Write the rows to a .json.gz file instead of an archive.")
@click.option("--past", is_flag=True, help="Past releases instead, from public copies: see --list.")
@click.option("--list", "only_list", is_flag=True, help="With --past: list the copies, no more.")
@release_option
@click.option(
    "--copies",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --past: another list of copies, a CSV with the columns of odforecast's own.",
)
@click.option(
    "--git",
    metavar="URL",
    help="With --past: a git repository that overwrites a --file with each release.",
)
@click.option(
    "--file", "files", multiple=True, metavar="PATH",
    help="With --git: the file, from the top of the repository; repeatable.",
)  # fmt: skip
@json_option
@click.option("--url", metavar="URL", help=f"Server to download from.  [default: {CDC}]")
@click.option("--soda3", is_flag=True, help="Use the newer API, which needs a token.")
@click.option(
    "--page-size",
    default=20_000,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Rows a page.",
)
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait this long for each piece of an answer.",
)
@click.pass_context
def fetch(
    ctx: click.Context,
    dataset: str,
    archive: Path | None,
    since: int | None,
    out: Path | None,
    past: bool,
    only_list: bool,
    release: str | None,
    copies: Path | None,
    git: str | None,
    files: tuple[str, ...],
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
    the copies of one release alone.

    With --past --git URL --file PATH: every version of a file in the history of a repository.
    git must be installed. Each version is added under the date that its content gives, and a
    table says what became of it.

    The exit status is 1 if a copy or version was refused, or a release has no copy that can be
    used. With --list, --json prints the list for a program.
    """
    from odforecast.vintage.bundle import default_folder

    folder = archive or default_folder()
    if past:
        _refuse(ctx, "does not go with --past", "--since", "--out", "--soda3", "--page-size")
        if as_json and not only_list:
            raise click.UsageError("--json goes with --list")
        if bool(git) != bool(files):
            raise click.UsageError("--git URL goes with --file PATH")
        if not only_list:
            check_outputs(("--archive", folder, ()))
        if git is not None:
            _refuse(ctx, "does not go with --git", "--release", "--copies", "--url")
            only = dataset if _given(ctx, "--dataset") else None
            _fetch_history(folder, git, files, only, only_list, as_json, timeout)
            return
        if dataset != STATES:
            raise click.UsageError("--dataset counties goes with --past only if --git is given")
        if only_list:
            _list_past(folder, copies, release, as_json)
        else:
            _fetch_past(folder, copies, release, url or GITHUB, timeout)
        return
    _refuse(ctx, "goes with --past", "--list", "--release", "--copies", "--json", "--git", "--file")
    if since is not None and out is None:
        raise click.UsageError(
            "--since goes with --out FILE: a release in an archive is whole, and never changes"
        )
    if out is not None and archive is not None:
        raise click.UsageError("give --archive or --out, not both")
    check_outputs(("--out", out, (".json.gz",)), ("--archive", folder if out is None else None, ()))
    from odforecast.vintage.dataset import notes_of
    from odforecast.vintage.fetch import download, write_rows
    from odforecast.vintage.fetch import fetch as run
    from odforecast.vintage.socrata import Socrata

    with (
        Socrata(
            url or CDC, soda3=soda3, page_size=page_size, timeout=timeout, notify=note
        ) as client,
        _bar("rows") as (progress, _),
    ):
        if out is not None:
            partial = out.parent / f".{out.name}.partial"
            found = download(dataset, partial, client, since=since, progress=progress)
            digest = write_rows(out, found.rows)
            shutil.rmtree(partial, ignore_errors=True)
            click.echo(
                f"{out}: {len(found.rows):,} rows of release {found.meta.release}, sha256 {digest}"
            )
            return
        done = run(dataset, folder, client, progress=progress)
    if done.rows:
        again = f", {done.resumed:,} of them from an earlier try" if done.resumed else ""
        click.echo(f"{done.rows:,} rows downloaded{again}")
    click.echo(wrapped(done.why))
    click.echo(f"sha256 {done.sha256}")
    for text in () if done.loaded is None else notes_of(done.loaded):
        note(text)
    click.echo(f"archive: {folder}")


def _fetch_past(
    folder: Path, copies: Path | None, release: str | None, url: str, timeout: float
) -> None:
    """Fetch past releases, and say of each copy what became of it."""
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.past import RawFiles, fetch_past, missing, read_copies

    listed = None if copies is None else read_copies(copies)
    waiting: list[Outcome] = []
    with _bar("copies") as (progress, say):

        def tell(outcome: Outcome) -> None:
            # Until the server has answered once, it is the network that is missing, not a copy.
            waiting.append(outcome)
            if client.heard or outcome.status != "gone":
                for one in waiting:
                    kind = tables.KINDS.get(one.status, "")
                    say(f"{kind}{' '.join(str(one).split())}", bool(kind))
                waiting.clear()

        notify = lambda text: say(f"note: {text}", True)  # noqa: E731
        with RawFiles(url, timeout=timeout, notify=notify) as client:
            done = fetch_past(
                folder, client, copies=listed, release=release, tell=tell, progress=progress
            )
            if waiting:
                raise DownloadError(f"cannot reach {client.name}", hint="is there a network?")
    click.echo(tables.counted(outcome.status for outcome in done))
    click.echo(f"archive: {folder}, {number_of(len(Archive(folder).releases()), 'release')}")
    if lacking := missing(done):
        dates = ", ".join(map(str, lacking))
        some = f"release{'s' * (len(lacking) > 1)} {dates}"
        click.echo(f"error: no copy that can be used of {some}", err=True)
    if lacking or any(outcome.status == "refused" for outcome in done):
        raise click.exceptions.Exit(1)


def _list_past(folder: Path, copies: Path | None, release: str | None, as_json: bool) -> None:
    """List copies, without asking anybody."""
    from odforecast.vintage.bundle import folder_archive
    from odforecast.vintage.past import past_copies, read_copies, states, wanted

    listed = wanted(past_copies() if copies is None else read_copies(copies), release)
    here = states(folder_archive(folder), listed)
    rows = [tables.copy_row(copy, state) for copy, state in zip(listed, here, strict=True)]
    tables.show_rows(rows, tables.COPIES, as_json)
    if not as_json:
        click.echo(f"{len(rows)} copies of {len({c.release for c in listed})} releases", err=True)


def _fetch_history(
    folder: Path,
    url: str,
    paths: tuple[str, ...],
    dataset: str | None,
    only_list: bool,
    as_json: bool,
    timeout: float,
) -> None:
    """Add every version of files in a git repository, and say what became of each."""
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.history import History
    from odforecast.vintage.past import fetch_past, states

    done: list[Outcome] = []
    with _bar("versions") as (progress, _), History(url, timeout=timeout) as history:
        versions = [version for path in paths for version in history.versions(path)]
        if only_list:
            here = zip(versions, states(folder, versions), strict=True)
            rows = [
                {"commit": v.commit, "day": str(v.release), "path": v.path, "blob": v.git_blob,
                 "here": state}
                for v, state in here
            ]  # fmt: skip
            tables.show_rows(rows, tables.VERSIONS, as_json)
            return
        done += fetch_past(folder, history, copies=versions, dataset=dataset, progress=progress)
    tables.show_rows([tables.version_row(outcome) for outcome in done], tables.TRIED)
    click.echo(tables.counted(outcome.status for outcome in done))
    held = [number_of(len(Archive(folder).releases(name)), "release") for name in DATASETS]
    click.echo(f"archive: {folder}, {held[0]} of states, {held[1]} of counties")
    if any(outcome.status in ("gone", "refused", "quarantined") for outcome in done):
        raise click.exceptions.Exit(1)


_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)


@data.command(short_help="Add releases to an archive.")
@_FILES
@archive_option
@release_option
@click.option("--accept", metavar="REASON", help=ACCEPTS)
def add(
    files: tuple[Path, ...], archive: Path | None, release: str | None, accept: str | None
) -> None:
    """Add the releases in FILE... to an archive, by state or by county as their columns say.

    A FILE is added whole or not at all. One that cannot be trusted is refused with the row and
    the reason; the others are added, and the exit status is 1. A release never changes: adding
    the same numbers again does nothing, other numbers for the same date are refused.

    A release that contradicts itself (sums, classes, jumps) is stored apart and used by nothing.
    If CDC did publish it so, --accept REASON: the reason stays with all that is made from it.
    """
    from odforecast.sources.county import Counties
    from odforecast.sources.release import read_release
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import default_folder, folder_archive
    from odforecast.vintage.dataset import notes_of, source_of

    _one_release(files, release)
    if accept is not None and len(files) > 1:
        raise click.UsageError("--accept is about one file; give one FILE")
    archive = archive or default_folder()
    store = Archive(archive)
    refused = 0
    for file in files:
        try:
            one = read_release(file, release)
            done = folder_archive(archive).add(one, accept)
        except (DataError, ArchiveError) as error:
            refused += 1
            click.echo(f"error: {error}", err=True)
            continue
        months = one.table["month"]
        name = source_of(one)["file"]
        of = " of counties" if isinstance(one, Counties) else ""
        what = (
            f"added, {len(one.table):,} rows, months {months.min():%Y-%m} to {months.max():%Y-%m}"
            if done
            else "was there already, unchanged"
        )
        click.echo(f"{name}: release {one.release}{of} {what}")
        for text in notes_of(one):
            note(f"{name}: {text}")
    for dataset in DATASETS:
        if dates := store.releases(dataset):
            of = "" if dataset == STATES else f" of {dataset}"
            click.echo(
                f"{archive} holds {number_of(len(dates), 'release')}{of}, {dates[0]} to {dates[-1]}"
            )
    _refused(refused, len(files))


def _one_release(files: tuple[Path, ...], release: str | None) -> None:
    if release is not None and len(files) > 1:
        raise click.UsageError("--release names the date of one file; give one FILE")


def _refused(refused: int, of: int, alone: bool = False) -> None:
    """End with exit status 1 if files were refused, and say how many of several."""
    if refused:
        if of > 1 or alone:
            click.echo(f"error: {refused} of {of} files refused", err=True)
        raise click.exceptions.Exit(1)


@data.command(short_help="List the releases of an archive, or what happened to them.")
@archive_option
@dataset_option
@click.option("--log", is_flag=True, help="What happened to the releases, oldest event first.")
@click.option("--delays", is_flag=True, help="Releases that a reporting delay can be taken from.")
@json_option
@click.pass_context
def releases(
    ctx: click.Context, archive: Path | None, dataset: str, log: bool, delays: bool, as_json: bool
) -> None:
    """List the releases of an archive: what was known, and when, and where it came from.

    DATE says how the release date is known: given with a file, known from CDC, or inferred by
    CDC's calendar, from the list of copies or from the last month in the file. CHECKED says what
    was checked: the bytes by a hash that was known before, or the structure alone (the file can
    be read, and does not contradict itself). --json has more: rows, places, indicators, hashes, and
    where a copy came from.

    With --log: what happened to the releases. Added, quarantined (stored apart because it
    contradicts itself), accepted, retracted, replaced: each with the hash of the figures, and why.

    With --delays: the releases whose delay is known because their counts have settled, those that
    ship with odforecast included. The backtest with delay takes its delays from them. OPEN is the
    number of months before the last one that are not closed yet; MISSING, the share of the nation's
    last 12-month count that had not arrived, and IN LAST, of the last month.
    """
    if log and delays:
        raise click.UsageError("give --log or --delays, not both")
    if log or delays:
        _refuse(ctx, "does not go with --log and --delays", "--dataset")
    if log:
        from odforecast.vintage.archive import Archive

        # Without the bundled releases beneath: nothing happens to them.
        tables.show_log(Archive(_own(archive).path or ""), as_json)
        return
    store = open_source(archive)
    if delays:
        tables.show_donors(store, as_json)
        return
    others = store.releases(COUNTIES) if dataset == STATES else ()
    if others:
        note(f"{number_of(len(others), 'release')} of counties: --dataset counties lists them")
    rows = [tables.release_row(store, date, dataset) for date in store.releases(dataset)]
    if not rows and dataset == COUNTIES and not as_json:
        raise tables.no_counties(store)
    tables.show_rows(rows, tables.RELEASES[dataset], as_json)


@data.command()
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path(path_type=Path))
@source_options
@as_of_option
@dataset_option
@release_option
@formerly(locations_option, "--location")
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    files: tuple[Path, ...],
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    dataset: str,
    release: str | None,
    locations: str,
    as_json: bool,
) -> None:
    """Look for what misleads people in a release: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation has
    a section on each code. From an archive, the release before is looked at too; beside counties,
    the states' counts. The exit status is 1 if the numbers contradict themselves.

    With FILE..., say what is in files instead, before they are added: rows, months, places, what
    is left out and why. A file that cannot be trusted is refused with the row and the reason; the
    others are still shown, and the exit status is 1.
    """
    if files:
        names = ("--archive", "--source", "--as-of", "--dataset", "--locations", "--accept")
        _refuse(ctx, "does not go with FILE...", *names)
        _one_release(files, release)
        _refused(tables.show_files(files, release, as_json), len(files), alone=True)
        return
    found = tables.seen(archive, source, release, as_of, dataset)
    flags = tables.flags_of(found, locations)
    if as_json:
        click.echo(json.dumps([f.to_dict() for f in flags], indent=2))
    else:
        tables.show_flags(found, flags)
    if any(f.severity == "error" for f in flags):
        raise click.exceptions.Exit(1)


@data.command()
@click.argument("location", required=False, metavar="[PLACE]")
@archive_option
@indicator_option
@click.option("--between", nargs=2, metavar="A B", help="Compare two releases: 2024-12-11.")
@click.option(
    "--last", default=24, show_default=True, metavar="N", help="Show the last N of them, 0 for all."
)
@click.option(
    "--settled",
    default=12,
    show_default=True,
    metavar="MONTHS",
    help="Months after the end of a period from which the newest release counts as final.",
)
@json_option
@plot_option
@out_option("A row per release and a column per month, or all differences: .csv.")
@click.pass_context
def revisions(
    ctx: click.Context,
    location: str | None,
    archive: Path | None,
    indicator: str,
    between: tuple[str, str] | None,
    last: int,
    settled: int,
    as_json: bool,
    plot: Path | None,
    out: Path | None,
) -> None:
    """Show how the counts of PLACE (default: US) were revised from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to
    the release), the newest count, the change, and how many releases had it. Then completeness
    by age: reported then, divided by reported in the newest release.

    With --between A B: what release B reports differently from release A, for all places or those
    of PLACE (OH,WV). --indicator all compares all indicators.
    """
    from odforecast.geography import resolve
    from odforecast.geography.places import lookup
    from odforecast.vintage.revisions import compare, completeness
    from odforecast.vintage.revisions import revisions as run

    check_outputs(("--out", out, (".csv",)), ("--plot", plot, FIGURES))
    if between:
        _refuse(ctx, "does not go with --between", "--plot", "--settled")
        name = None if indicator == "all" else indicator_name(indicator)
        changes = compare(open_source(archive), *between, name)
        if location is not None:
            changes = changes[changes["state"].isin(resolve(location))]
        if out is not None:
            with replacing(out) as part:
                changes.assign(month=changes["month"].dt.strftime("%Y-%m")).to_csv(
                    part, index=False, float_format="%.10g"
                )
            click.echo(f"{out}: {len(changes):,} differences", err=True)
        if as_json:
            print_json(records(changes))
        else:
            tables.show_differences(changes, *between, last)
        return
    location, indicator = location or "US", indicator_name(indicator)
    found = run(open_source(archive), location, indicator)
    place = lookup(location)
    table = found.triangle(location).dropna(axis=1, how="all")
    for date, why in found.skipped.items():
        note(f"release {date} left out: {why}")
    units = found.units(settled)
    curve = completeness(units, by=()) if not units.empty else units
    curve = curve[curve["age"] <= tables.AGES] if len(curve) else curve
    if as_json:
        print_json(
            {
                "meta": {
                    "location": place.state,
                    "name": place.name,
                    "indicator": indicator,
                    "releases": [str(day) for day in found.releases],
                    "skipped": [str(day) for day in found.skipped],
                    "settled": settled,
                },
                "months": records(tables.first_and_newest(table)),
                "completeness": records(curve),
            }
        )
    else:
        tables.show_revisions(found, place.name, table, curve, last)
    if out is not None:
        labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1)
        with replacing(out) as part:
            labelled.to_csv(part, date_format="%Y-%m-%d", float_format="%.10g")
        click.echo(f"{out}: {table.shape[0]} releases, {table.shape[1]} months", err=True)
    if plot is not None:
        import odforecast.plot as plots

        plots.save(plots.revision_triangle(found, place.state, settled=settled), plot)
        click.echo(f"picture: {plot}", err=True)


@data.command(short_help="Write one release, or its recovered months, as a table.")
@source_options
@as_of_option
@dataset_option
@release_option
@out_option("A .csv or .parquet file, or - for CSV on standard output.", required=True)
@click.option(
    "--monthly", metavar="PLACES", help="Instead, the monthly deaths of these places: US,WV or all."
)
@indicator_option
@click.option(
    "--wonder",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CDC WONDER export that fixes the months (all drugs, official definition); repeatable.",
)
@draws_option
@seed_option
@click.pass_context
def export(
    ctx: click.Context,
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    dataset: str,
    release: str | None,
    out: Path,
    monthly: str | None,
    indicator: str,
    wonder: tuple[Path, ...],
    draws: int,
    seed: int,
) -> None:
    """Write one release as a clean long table, the same columns whatever file it came from.

    One row per location, month and indicator: release, location (FIPS, US or NYC), state
    (CDC's code), month (YYYY-MM, ends the 12-month period), indicator, reported, predicted,
    percent_complete, percent_pending, status. Blank means not published; status says why.
    Of counties: release, fips, state, county, month, deaths, status, percent_pending,
    completeness_note, urban.

    With --monthly: the monthly deaths behind the 12-month counts. The counts fix the months up to
    11 numbers per place. Those are fixed by the season, or by WONDER's known months, and what
    remains uncertain is in the quantiles. Rolling sums of the months column give the release's
    counts exactly. The options indicator, wonder, draws and seed go with it.
    """
    stdout = str(out) == "-"
    if not stdout:
        endings = (".csv", ".parquet") if monthly is None else (".csv",)
        check_outputs(("--out", out, endings), read=(source, *wonder))
    if monthly is None:
        _refuse(ctx, "goes with --monthly", "--indicator", "--wonder", "--draws", "--seed")
        found = tables.seen(archive, source, release, as_of, dataset)
        date, table, rows = found.date, found.table, "rows"
        text = tables.csv_of(table) if stdout or out.suffix.lower() == ".csv" else None
    else:
        from odforecast.sources.wonder import read_wonder
        from odforecast.vintage.recover import recovered_months

        if dataset != STATES:
            raise click.UsageError("--monthly goes with the counts of states")
        if draws < 100:
            raise click.BadParameter("quantiles need at least 100", param_hint="--draws")
        if wonder and indicator_name(indicator) != ALL_DRUGS:
            raise click.UsageError("--wonder fixes all drugs only: leave it out for a drug class")
        vintage = open_source(archive, source, release).as_of(as_of)
        recovered = recovered_months(
            vintage.table, monthly, indicator=indicator_name(indicator),
            wonder=[read_wonder(path) for path in wonder], draws=draws, seed=seed,
        )  # fmt: skip
        for said in (vintage.note, *recovered.notes):
            if said:
                note(said)
        date, table, rows = vintage.date, recovered.table, "months"
        text = tables.monthly_csv(table)
    if stdout:
        click.echo(text, nl=False)
        return
    with replacing(out) as temp:
        if text is None:
            table.to_parquet(temp, index=False)
        else:
            temp.write_text(text, encoding="utf-8", newline="")
    click.echo(f"{out}: release {date}, {len(table):,} {rows}", err=True)


@data.group(cls=Group, short_help="Accept, replace or retract a release that is wrong.")
def fix() -> None:
    """Say which figures of a release count: accept, replace or retract them.

    Nothing is deleted. Each of the three needs a reason, which goes into the archive's log and
    into every result: odforecast data releases --log.
    """


_REASON = click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help="Why; it goes into the archive's log and into every result.",
)


@fix.command(short_help="Use a release that was stored apart.")
@click.argument("date")
@archive_option
@dataset_option
@_REASON
def accept(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE that was stored apart, although it contradicts itself.

    For figures that CDC did publish so. The reason goes with every panel, forecast and score
    made from them.
    """
    _own(archive).accept(date, reason, dataset)
    click.echo(f"release {date} is used from now on: {' '.join(reason.split())}")


@fix.command(short_help="Put a right file in place of a wrong one.")
@click.argument("file", type=click.Path(path_type=Path))
@archive_option
@release_option
@click.option("--accept", metavar="REASON", help=ACCEPTS)
@_REASON
def replace(
    file: Path, archive: Path | None, release: str | None, accept: str | None, reason: str
) -> None:
    """Put FILE in place of the figures that the archive holds for its date and data set.

    The old figures stay in the archive and are used no more; results made from them name them
    by their hash.
    """
    from odforecast.sources.release import read_release

    store = _own(archive)
    loaded = read_release(file, release)
    done = store.replace(loaded, reason, accept)
    what = "replaced" if done else "holds these very figures already"
    click.echo(f"release {loaded.release} {what}")


@fix.command(short_help="Use a release no more.")
@click.argument("date")
@archive_option
@dataset_option
@_REASON
def retract(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE no more; its figures stay in the archive."""
    _own(archive).retract(date, reason, dataset)
    click.echo(f"release {date} is used no more: {' '.join(reason.split())}")


for _command in (fetch, releases, check, export):
    for _param in _command.params:
        if _param.name == "dataset":
            _param.type = Choice(list(DATASETS), former=FORMER)


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
