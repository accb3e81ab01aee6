"""``odforecast data``: get releases, keep them in an archive, check, compare and export them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import data_tables as tables
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.app import Group
from odforecast.cli.options import check_outputs, flag, option, out, refuse, together, was_given
from odforecast.cli.screen import note, wrapped
from odforecast.cli.source import SOURCES, open_source
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, COUNTIES, DATASETS, STATES, indicator_name
from odforecast.say import number_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.vintage.archive import Archive
    from odforecast.vintage.past import Outcome

GITHUB = "https://raw.githubusercontent.com"
_PATH = click.Path(path_type=Path)
_ACCEPT = option("--accept", metavar="REASON", group=opt.DATA, help=opt.ACCEPTS)
_REASON = option("--reason", required=True, metavar="TEXT",
                 help="Why. It goes into the archive's log and into every result.")  # fmt: skip


@click.group(cls=Group)
def data() -> None:
    """Download, store, check, compare and export CDC's releases."""


def _own(archive: Path | None) -> Archive:
    """The archive that a command changes; a folder that is named must exist."""
    from odforecast.vintage.bundle import default_folder, folder_archive

    if archive is not None and not archive.exists():
        raise ArchiveError(
            f"--archive {archive}: there is no such folder",
            hint="is it spelled right? odforecast data add and data fetch make one",
        )
    return folder_archive(archive or default_folder())


def _one_release(files: tuple[Path, ...], release: str | None) -> None:
    if release is not None and len(files) > 1:
        raise click.UsageError("--release is the date of one file; give one FILE")


def _end(failed: object, message: str = "") -> None:
    """End with exit status 1 if something failed."""
    if failed:
        if message:
            click.echo(f"error: {message}", err=True)
        raise click.exceptions.Exit(1)


# Get releases


@data.command(short_help="Download the latest release, or past ones.")
@together(opt.DATASET, opt.ARCHIVE)
@option("--since", type=int, metavar="YEAR", group=opt.WHAT, more=True,
        help="Only this year and later; with --out.")  # fmt: skip
@flag("--past", "Past releases, from public copies. See --list.", group=opt.WHAT)
@flag("--list only_list", "With --past: list the copies and stop.", group=opt.WHAT)
@opt.RELEASE
@option("--copies", type=_PATH, metavar="FILE", group=opt.DATA, more=True,
        help="With --past: a list of your own, a CSV with the columns of --list.")  # fmt: skip
@option("--git", metavar="URL", group=opt.DATA, more=True,
        help="With --past: a git repository that replaces a --file with each release.")  # fmt: skip
@option("--file", "files", multiple=True, metavar="PATH", group=opt.DATA, more=True,
        help="With --git: the file's path in the repository. Can be repeated.")  # fmt: skip
@out("Write the rows to a .json.gz file instead of an archive.", (".json.gz",))
@opt.JSON
@option("--url", metavar="URL", group=opt.DATA, more=True,
        help=f"Server to download from.  [default: {opt.CDC}]")  # fmt: skip
@flag("--soda3", "Use CDC's newer API, with a token.", group=opt.MORE, more=True)
@option("--page-size", default=20_000, show_default=True, metavar="N", type=click.IntRange(min=1),
        group=opt.MORE, more=True, help="Rows to a page.")  # fmt: skip
@option("--timeout", default=60.0, show_default=True, metavar="SECONDS", group=opt.MORE, more=True,
        help="Longest wait for each part of an answer.")  # fmt: skip
@click.pass_context
def fetch(
    ctx: click.Context, dataset: str, archive: Path | None, since: int | None, past: bool,
    only_list: bool, release: str | None, copies: Path | None, git: str | None,
    files: tuple[str, ...], out: Path | None, as_json: bool, url: str | None, soda3: bool,
    page_size: int, timeout: float,
) -> Answer | None:  # fmt: skip
    """Download the latest release from data.cdc.gov and add it to an archive.

    By state (xkb8-kh2a), or with --dataset counties by county (gb4e-yj24). The release date is the
    day CDC last changed the rows. A release you have is not downloaded again, and an interrupted
    download continues. CDC slows down clients without an app token: put yours into
    SOCRATA_APP_TOKEN.

    With --past: public copies of past releases, from GitHub. Each copy is checked by its hash where
    one is known, and added under its release date. Copies of one release are compared. --release
    limits this to one release.

    With --past --git URL --file PATH: every version of a file in a repository's history. git must
    be installed. Each version is added under the date in its content.

    The exit status is 1 if a copy or version was refused, or a release has no usable copy.
    """
    from odforecast.vintage.bundle import default_folder

    folder = archive or default_folder()
    if not past:
        refuse(ctx, "goes with --past", "only_list", "release", "copies", "as_json", "git", "files")
        if since is not None and out is None:
            raise click.UsageError(
                "--since goes with --out FILE: a release in an archive is whole, and never changes"
            )
        if out is not None and archive is not None:
            raise click.UsageError("give --archive or --out, not both")
        if out is None:
            check_outputs(("--archive", folder, ()))
        _fetch_latest(dataset, folder, out, since, url or opt.CDC,
                      soda3=soda3, page_size=page_size, timeout=timeout)  # fmt: skip
        return None
    refuse(ctx, "does not go with --past", "since", "out", "soda3", "page_size")
    if as_json and not only_list:
        raise click.UsageError("--json goes with --list")
    if bool(git) != bool(files):
        raise click.UsageError("--git URL goes with --file PATH")
    if not only_list:
        check_outputs(("--archive", folder, ()))
    if git is not None:
        refuse(ctx, "does not go with --git", "release", "copies", "url")
        only = dataset if was_given(ctx, "dataset") else None
        return _fetch_history(folder, git, files, only, only_list, timeout)
    if dataset != STATES:
        raise click.UsageError("--dataset counties goes with --past only if --git is given")
    if only_list:
        return _list_past(folder, copies, release)
    _fetch_past(folder, copies, release, url or GITHUB, timeout)
    return None


def _fetch_latest(
    dataset: str, folder: Path, out: Path | None, since: int | None, url: str, **how: Any
) -> None:
    """Download the present release, into an archive or a file."""
    from odforecast.vintage.dataset import notes_of
    from odforecast.vintage.fetch import download, write_rows
    from odforecast.vintage.fetch import fetch as run
    from odforecast.vintage.socrata import Socrata

    with Socrata(url, notify=note, **how) as client, _bar("rows") as (progress, _):
        if out is not None:
            partial = out.parent / f".{out.name}.partial"
            found = download(dataset, partial, client, since=since, progress=progress)
            digest = write_rows(out, found.rows)
            shutil.rmtree(partial, ignore_errors=True)
            of = f"{len(found.rows):,} rows of release {found.meta.release}"
            click.echo(f"{out}: {of}, sha256 {digest}")
            return
        done = run(dataset, folder, client, progress=progress)
    if done.rows:
        again = f", {done.resumed:,} of them in an earlier try" if done.resumed else ""
        click.echo(f"{done.rows:,} rows downloaded{again}")
    click.echo(f"{wrapped(done.why)}\nsha256 {done.sha256}")
    for text in () if done.loaded is None else notes_of(done.loaded):
        note(text)
    click.echo(f"archive: {folder}")


def _fetch_past(
    folder: Path, copies: Path | None, release: str | None, url: str, timeout: float
) -> None:
    """Fetch past releases, and say what became of each copy."""
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.past import RawFiles, fetch_past, missing, read_copies

    listed = None if copies is None else read_copies(copies)
    waiting: list[Outcome] = []
    with _bar("copies") as (progress, say):

        def tell(outcome: Outcome) -> None:
            """Say it, once the server has answered: until then the network is missing."""
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
        _end(lacking, f"no usable copy of release{'s' * (len(lacking) > 1)} {dates}")
    _end(any(outcome.status == "refused" for outcome in done))


def _list_past(folder: Path, copies: Path | None, release: str | None) -> Answer:
    """The copies that are listed, without asking anybody."""
    from odforecast.vintage.bundle import folder_archive
    from odforecast.vintage.past import past_copies, read_copies, states, wanted

    listed = wanted(past_copies() if copies is None else read_copies(copies), release)
    here = states(folder_archive(folder), listed)
    rows = [tables.copy_row(copy, state) for copy, state in zip(listed, here, strict=True)]
    click.echo(f"{len(rows)} copies of {len({c.release for c in listed})} releases", err=True)
    return tables.rows_answer(rows, tables.COPIES)


def _fetch_history(
    folder: Path, url: str, paths: tuple[str, ...], dataset: str | None, only_list: bool,
    timeout: float,
) -> Answer | None:  # fmt: skip
    """Add every version of files in a git repository, and say what became of each."""
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.history import History
    from odforecast.vintage.past import fetch_past, states

    with _bar("versions") as (progress, _), History(url, timeout=timeout) as history:
        versions = [version for path in paths for version in history.versions(path)]
        if only_list:
            rows = [
                {"commit": v.commit, "day": str(v.release), "path": v.path, "blob": v.git_blob,
                 "here": state}
                for v, state in zip(versions, states(folder, versions), strict=True)
            ]  # fmt: skip
            return tables.rows_answer(rows, tables.VERSIONS)
        done = fetch_past(folder, history, copies=versions, dataset=dataset, progress=progress)
    click.echo(tables.rows_text([tables.version_row(outcome) for outcome in done], tables.TRIED))
    click.echo(tables.counted(outcome.status for outcome in done))
    held = [number_of(len(Archive(folder).releases(name)), "release") for name in DATASETS]
    click.echo(f"archive: {folder}, {held[0]} of states, {held[1]} of counties")
    _end(any(outcome.status in ("gone", "refused", "quarantined") for outcome in done))
    return None


@data.command(short_help="Add releases to an archive.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_PATH)
@together(opt.ARCHIVE, opt.RELEASE, _ACCEPT)
def add(
    files: tuple[Path, ...], archive: Path | None, release: str | None, accept: str | None
) -> None:
    """Add the releases in FILE... to an archive, by state or by county as their columns say.

    A FILE is added whole or not at all. One that cannot be trusted is refused with the row and the
    reason; the others are added, and the exit status is 1. A release never changes: adding the same
    numbers again does nothing, and other numbers for the same date are refused.

    A release that contradicts itself (sums, classes, jumps) is set aside and never used. If CDC
    really published it, use --accept REASON; the reason stays with every result.
    """
    from odforecast.sources.release import read_release
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import default_folder, folder_archive
    from odforecast.vintage.dataset import dataset_of, notes_of, source_of

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
        first, last = one.table["month"].min(), one.table["month"].max()
        name = source_of(one)["file"]
        of = " of counties" if dataset_of(one) == COUNTIES else ""
        what = f"added, {len(one.table):,} rows, months {first:%Y-%m} to {last:%Y-%m}"
        click.echo(
            f"{name}: release {one.release}{of} {what if done else 'was there already, unchanged'}"
        )
        for text in notes_of(one):
            note(f"{name}: {text}")
    for dataset in DATASETS:
        if dates := store.releases(dataset):
            of = "" if dataset == STATES else f" of {dataset}"
            held = number_of(len(dates), "release")
            click.echo(f"{archive} holds {held}{of}, {dates[0]} to {dates[-1]}")
    _end(refused, f"{refused} of {len(files)} files refused" if len(files) > 1 else "")


# Look at releases


@data.command(short_help="List the releases of an archive, or what happened to them.")
@together(opt.ARCHIVE, opt.DATASET)
@flag("--log", "Show what happened to releases, oldest first.", group=opt.WHAT)
@flag("--delays", "Show the releases with known reporting delays.", group=opt.WHAT)
@opt.JSON
@click.pass_context
def releases(
    ctx: click.Context, archive: Path | None, dataset: str, log: bool, delays: bool, as_json: bool
) -> Answer:
    """List the releases of an archive: what was known, when, and where it came from.

    DATE says how the release date is known: given with a file, known from CDC, or inferred from
    CDC's calendar, the list of copies or the last month in the file. CHECKED says what was checked:
    a hash known before, or the structure only (the file is readable and does not contradict
    itself). --json has more: rows, places, indicators, hashes and origins.

    With --log: releases added, quarantined (set aside because they contradict themselves),
    accepted, retracted or replaced, with the hash of the numbers and the reason.

    With --delays: the releases whose reporting delay is known because their counts are final now,
    including those that ship with odforecast. Backtests take their delays from them. OPEN is the
    number of months that could still change; MISSING is the share of the nation's last 12-month
    count not yet reported, and IN LAST that of the last month.
    """
    if log and delays:
        raise click.UsageError("give --log or --delays, not both")
    if log or delays:
        refuse(ctx, "does not go with --log and --delays", "dataset")
    if log:
        from odforecast.vintage.archive import Archive

        # Without the bundled releases beneath: nothing happens to them.
        return tables.log_answer(Archive(_own(archive).path or ""))
    store = open_source(archive)
    if delays:
        return tables.donors_answer(store, as_json)
    if others := store.releases(COUNTIES) if dataset == STATES else ():
        note(f"{number_of(len(others), 'release')} of counties: --dataset counties lists them")
    rows = [tables.release_row(store, date, dataset) for date in store.releases(dataset)]
    if not rows and dataset == COUNTIES and not as_json:
        raise tables.no_counties(store)
    return tables.rows_answer(rows, tables.RELEASES[dataset])


@data.command(short_help="Check a release, or a file, for what could mislead.")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=_PATH)
@together(SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE, opt.LOCATIONS, opt.JSON)
@click.pass_context
def check(
    ctx: click.Context, files: tuple[Path, ...], archive: Path | None, source: str | None,
    as_of: str | None, dataset: str, release: str | None, locations: str, as_json: bool,
) -> None:  # fmt: skip
    """Check a release for what could mislead: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation
    explains each code. The release before is compared, and for counties the states' counts. The
    exit status is 1 if the numbers contradict themselves.

    With FILE..., show what is in files before adding them: rows, months, places, and what is left
    out and why. A file that cannot be trusted is refused with the row and the reason; then the exit
    status is 1.
    """
    if files:
        refuse(ctx, "does not go with FILE...", "archive", "source", "as_of", "dataset",
               "locations", "accept")  # fmt: skip
        _one_release(files, release)
        refused = tables.show_files(files, release, as_json)
        _end(refused, f"{refused} of {len(files)} files refused")
        return
    found = tables.seen(archive, source, release, as_of, dataset)
    flags = tables.flags_of(found, locations)
    if as_json:
        click.echo(json.dumps([f.to_dict() for f in flags], indent=2))
    else:
        tables.show_flags(found, flags)
    _end(any(f.severity == "error" for f in flags))


@data.command(short_help="Show how counts changed from release to release.")
@click.argument("location", required=False, metavar="[PLACE]")
@together(opt.ARCHIVE, opt.INDICATOR)
@option(
    "--between", nargs=2, metavar="A B", group=opt.WHAT, help="Compare two releases: 2024-12-11."
)
@option("--last", default=24, show_default=True, metavar="N", group=opt.OUTPUT,
        help="Show the last N rows; 0 for all.")  # fmt: skip
@option("--settled", default=12, show_default=True, metavar="MONTHS", group=opt.WHAT,
        help="Age from which a count is final.")  # fmt: skip
@together(opt.JSON, opt.PLOT)
@out("A row for each release and a column for each month, or all differences: .csv.", (".csv",))
@click.pass_context
def revisions(
    ctx: click.Context, location: str | None, archive: Path | None, indicator: str,
    between: tuple[str, str] | None, last: int, settled: int, out: Path | None,
) -> Answer:  # fmt: skip
    """Show how the counts of PLACE (default: US) changed from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to the
    release), the newest count, the change, and the number of releases. Then completeness by age:
    the count at that age, divided by the count in the newest release.

    With --between A B: what release B reports differently from release A, for all places or for
    PLACE (OH,WV). --indicator all compares all indicators.
    """
    from odforecast.geography import resolve
    from odforecast.geography.places import lookup
    from odforecast.vintage.revisions import compare, completeness
    from odforecast.vintage.revisions import revisions as run

    if between:
        refuse(ctx, "does not go with --between", "plot", "settled")
        name = None if indicator == "all" else indicator_name(indicator)
        changes = compare(open_source(archive), *between, name)
        if location is not None:
            changes = changes[changes["state"].isin(resolve(location))]
        answer = Answer(lambda: tables.differences_text(changes, *between, last), changes)
        if out is not None:
            rows = changes.assign(month=changes["month"].dt.strftime("%Y-%m"))
            answer.files.append(_csv(out, rows, f"{len(changes):,} differences", index=False))
        return answer
    location, indicator = location or "US", indicator_name(indicator)
    found = run(open_source(archive), location, indicator)
    place = lookup(location)
    table = found.triangle(location).dropna(axis=1, how="all")
    for date, why in found.skipped.items():
        note(f"release {date} left out: {why}")
    units = found.units(settled)
    curve = completeness(units, by=()) if not units.empty else units
    curve = curve[curve["age"] <= tables.AGES] if len(curve) else curve
    meta = {
        "location": place.state,
        "name": place.name,
        "indicator": indicator,
        "releases": [str(day) for day in found.releases],
        "skipped": [str(day) for day in found.skipped],
        "settled": settled,
    }

    def figure() -> Any:
        """Counts by release and month."""
        import odforecast.plot as plots

        return plots.revision_triangle(found, place.state, settled=settled)

    months = tables.first_and_newest(table)
    answer = Answer(
        lambda: tables.revisions_text(found, place.name, months, curve, last),
        {"meta": meta, "months": months, "completeness": curve},
        figure=figure,
    )
    if out is not None:
        labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1)
        words = f"{table.shape[0]} releases, {table.shape[1]} months"
        answer.files.append(_csv(out, labelled, words, date_format="%Y-%m-%d"))
    return answer


def _csv(out: Path, table: pd.DataFrame, words: str, **how: Any) -> tuple[Callable[[], None], str]:
    """What writes a table as CSV, and what is said of it."""

    def write() -> None:
        """Write it whole."""
        with replacing(out) as part:
            table.to_csv(part, float_format="%.10g", **how)

    return write, f"table: {out} ({words})"


@data.command(short_help="Write one release, or its monthly deaths, as a table.")
@together(SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE)
@out("A .csv or .parquet file, or - for CSV on standard output.", (".csv", ".parquet", "-"),
     required=True)  # fmt: skip
@option("--monthly", metavar="PLACES", group=opt.WHAT,
        help="Monthly deaths of these places instead: US,WV or all.")  # fmt: skip
@opt.INDICATOR
@option("--wonder", multiple=True, metavar="FILE", type=_PATH, reads=True, group=opt.DATA,
        more=True, help="CDC WONDER export with the true months. Can be repeated.")  # fmt: skip
@together(opt.DRAWS, opt.SEED)
@click.pass_context
def export(
    ctx: click.Context, archive: Path | None, source: str | None, as_of: str | None, dataset: str,
    release: str | None, out: Path, monthly: str | None, indicator: str, wonder: tuple[Path, ...],
    draws: int, seed: int,
) -> None:  # fmt: skip
    """Write one release as a clean table, with the same columns whatever file it came from.

    One row per location, month and indicator: release, location (FIPS, US or NYC), state (CDC's
    code), month (YYYY-MM, ends the 12-month period), indicator, reported, predicted,
    percent_complete, percent_pending, status. Blank means not published; status says why. For
    counties: release, fips, state, county, month, deaths, status, percent_pending,
    completeness_note, urban.

    With --monthly: the monthly deaths behind the 12-month counts. The counts leave 11 numbers per
    place open; the season fixes them, or WONDER's known months, and the quantiles show what remains
    uncertain. Rolling sums of the months column equal the release's counts exactly. --indicator,
    --wonder, --draws and --seed go with it.
    """
    stdout = str(out) == "-"
    if monthly is None:
        refuse(ctx, "goes with --monthly", "indicator", "wonder", "draws", "seed")
        found = tables.seen(archive, source, release, as_of, dataset)
        date, table, rows = found.date, found.table, "rows"
        text = tables.csv_of(table) if stdout or out.suffix.lower() == ".csv" else None
    else:
        from odforecast.sources.wonder import read_wonder
        from odforecast.vintage.recover import recovered_months

        if not stdout:
            check_outputs(("--out", out, (".csv",)))
        if dataset != STATES:
            raise click.UsageError("--monthly goes with the counts of states")
        if draws < 100:
            raise click.BadParameter("quantiles need at least 100", param_hint="--draws")
        if wonder and indicator_name(indicator) != ALL_DRUGS:
            raise click.UsageError("--wonder is for all drugs only: leave it out for a drug class")
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


# Say which numbers count


@data.group(cls=Group, short_help="Accept, replace or retract a release that is wrong.")
def fix() -> None:
    """Say which numbers of a release count: accept, replace or retract them.

    Nothing is deleted. Each of the three needs a reason, which goes into the archive's log and into
    every result: odforecast data releases --log.
    """


@fix.command(short_help="Use a release that was set aside.")
@click.argument("date")
@together(opt.ARCHIVE, opt.DATASET, _REASON)
def accept(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE that was set aside, although it contradicts itself.

    For numbers that CDC really published. The reason goes with every panel, forecast and score made
    from them.
    """
    _own(archive).accept(date, reason, dataset)
    click.echo(f"release {date} is used from now on: {' '.join(reason.split())}")


@fix.command(short_help="Replace a wrong file with the right one.")
@click.argument("file", type=_PATH)
@together(opt.ARCHIVE, opt.RELEASE, _ACCEPT, _REASON)
def replace(
    file: Path, archive: Path | None, release: str | None, accept: str | None, reason: str
) -> None:
    """Use FILE instead of the numbers that the archive holds for its date and data set.

    The old numbers stay in the archive, unused. Results made from them name them by their hash.
    """
    from odforecast.sources.release import read_release

    store = _own(archive)
    loaded = read_release(file, release)
    done = store.replace(loaded, reason, accept)
    what = "replaced" if done else "has these numbers already"
    click.echo(f"release {loaded.release} {what}")


@fix.command(short_help="Stop using a release.")
@click.argument("date")
@together(opt.ARCHIVE, opt.DATASET, _REASON)
def retract(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Stop using the release of DATE; its numbers stay in the archive."""
    _own(archive).retract(date, reason, dataset)
    click.echo(f"release {date} is no longer used: {' '.join(reason.split())}")


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

        def say(text: str, err: bool) -> None:
            """A line above the bar."""
            bar.stop()
            click.echo(text, err=err)
            bar.start()

        yield lambda here, total: bar.update(task, completed=here, total=total), say
