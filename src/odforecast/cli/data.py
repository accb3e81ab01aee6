"""``odforecast data``: get releases, keep them in an archive, check, compare and export them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import pandas as pd

import odforecast.plot as plots
from odforecast.cli import data_tables as tables
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.app import Group
from odforecast.cli.options import out, refuse, together
from odforecast.cli.screen import note, working, wrapped
from odforecast.cli.source import SOURCES, open_source
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.geography import resolve
from odforecast.geography.places import lookup
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, COUNTIES, DATASETS, STATES, indicator_name
from odforecast.say import number_of
from odforecast.sources.release import read_release
from odforecast.sources.wonder import read_wonder
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import default_folder, folder_archive
from odforecast.vintage.dataset import dataset_of, notes_of, source_of
from odforecast.vintage.fetch import Socrata, download, write_rows
from odforecast.vintage.fetch import fetch as fetch_release
from odforecast.vintage.past import (
    History,
    RawFiles,
    fetch_past,
    missing,
    past_copies,
    read_copies,
    states,
    wanted,
)
from odforecast.vintage.recover import recovered_months
from odforecast.vintage.revisions import compare, completeness
from odforecast.vintage.revisions import revisions as revisions_of

GITHUB = "https://raw.githubusercontent.com"
#: Rows of a table of revisions on the screen.
LAST = 24
_PATH = click.Path(path_type=Path)
_ACCEPT = opt.data("--accept", metavar="REASON", help=opt.ACCEPTS)
_REASON = opt.option("--reason", required=True, metavar="TEXT",
                     help="Why. It goes into the archive's log and into every result.")  # fmt: skip


@click.group(cls=Group)
def data() -> None:
    """Download, store, check, compare and export CDC's releases."""


def _own(archive: Path | None) -> Archive:
    """The archive that a command changes; a folder that is named must exist."""

    if archive is not None and not archive.exists():
        raise ArchiveError(
            f"--archive {archive}: there is no such folder",
            hint="is it spelled right? odforecast data add and data fetch make one",
        )
    return folder_archive(archive or default_folder())


# Get releases


@data.command(short_help="Download the latest release, or past ones.")
@together(
    opt.DATASET, opt.ARCHIVE,
    opt.what("--since", type=int, metavar="YEAR", more=True,
             help="Only this year and later; with --out."),
    opt.what("--past", is_flag=True, help="Past releases, from public copies. See --list."),
    opt.what("--list", "only_list", is_flag=True,
             help="With --past: list the copies and stop."),
    opt.RELEASE,
    opt.data("--copies", type=_PATH, metavar="FILE", more=True,
             help="With --past: a list of your own, a CSV with the columns of --list."),
    opt.data("--git", metavar="URL", more=True,
             help="With --past: a git repository that replaces a --file with each release."),
    opt.data("--file", "files", multiple=True, metavar="PATH", more=True,
             help="With --git: the file's path in the repository. Can be repeated."),
    out("Write the rows to a .json.gz file instead of an archive.", (".json.gz",)), opt.JSON,
    opt.data("--url", metavar="URL", more=True,
             help=f"Server to download from.  [default: {opt.CDC}]"),
    opt.details("--soda3", is_flag=True, more=True, help="Use CDC's newer API, with a token."),
)  # fmt: skip
def fetch(
    dataset: str, archive: Path | None, since: int | None, past: bool, only_list: bool,
    release: str | None, copies: Path | None, git: str | None, files: tuple[str, ...],
    out: Path | None, as_json: bool, url: str | None, soda3: bool,
) -> Answer:  # fmt: skip
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

    folder = archive or default_folder()
    if not past:
        refuse("goes with --past", "only_list", "release", "copies", "as_json", "git", "files")
        opt.check(
            (since is not None and out is None,
             "--since goes with --out FILE: a release in an archive is whole, and never changes"),
            (out is not None and archive is not None, "give --archive or --out, not both"),
        )  # fmt: skip
    else:
        refuse("does not go with --past", "since", "out", "soda3")
        opt.check(
            (as_json and not only_list, "--json goes with --list"),
            (bool(git) != bool(files), "--git URL goes with --file PATH"),
            (dataset != STATES and git is None,
             "--dataset counties goes with --past only if --git is given"),
        )  # fmt: skip
    if git is not None:
        refuse("does not go with --git", "release", "copies", "url")
    if out is None and not only_list:
        opt.check_outputs(("--archive", folder, ()))
    if not past:
        return _fetch_latest(dataset, folder, out, since, url or opt.CDC, soda3)
    if git is not None:
        only = dataset if opt.was_given("dataset") else None
        return _fetch_history(folder, git, files, only, only_list)
    if only_list:
        return _list_past(folder, copies, release)
    return _fetch_past(folder, copies, release, url or GITHUB)


def _fetch_latest(
    dataset: str, folder: Path, out: Path | None, since: int | None, url: str, soda3: bool
) -> Answer:
    """Download the present release, into an archive or a file."""

    with Socrata(url, notify=note, soda3=soda3) as client, working("downloading") as progress:
        if out is not None:
            parts = out.parent / f".{out.name}.partial"
            found = download(dataset, parts, client, since=since, progress=progress)
            digest = write_rows(out, found.rows)
            shutil.rmtree(parts, ignore_errors=True)
            of = f"{len(found.rows):,} rows of release {found.meta.release}"
            return Answer(f"{out}: {of}, sha256 {digest}")
        done = fetch_release(dataset, folder, client, progress=progress)
    for text in () if done.loaded is None else notes_of(done.loaded):
        note(text)
    again = f", {done.resumed:,} of them in an earlier try" if done.resumed else ""
    rows = f"{done.rows:,} rows downloaded{again}\n" if done.rows else ""
    return Answer(f"{rows}{wrapped(done.why)}\nsha256 {done.sha256}\narchive: {folder}")


def _fetch_past(folder: Path, copies: Path | None, release: str | None, url: str) -> Answer:
    """Fetch past releases, and say what became of each copy."""

    listed = None if copies is None else read_copies(copies)
    with working("downloading copies") as progress, RawFiles(url, notify=note) as client:
        done = fetch_past(folder, client, copies=listed, release=release, progress=progress)
    if not client.heard and any(outcome.status == "gone" for outcome in done):
        raise DownloadError(f"cannot reach {client.name}", hint="is there a network?")
    for outcome in done:
        kind = tables.KINDS.get(outcome.status, "")
        click.echo(f"{kind}{' '.join(str(outcome).split())}", err=bool(kind))
    failure: Exception | None = None
    if lacking := missing(done):
        dates = ", ".join(map(str, lacking))
        failure = DownloadError(f"no usable copy of release{'s' * (len(lacking) > 1)} {dates}")
    elif any(outcome.status == "refused" for outcome in done):
        failure = click.exceptions.Exit(1)
    held = number_of(len(Archive(folder).releases()), "release")
    said = tables.counted(outcome.status for outcome in done)
    return Answer(f"{said}\narchive: {folder}, {held}", failure=failure)


def _list_past(folder: Path, copies: Path | None, release: str | None) -> Answer:
    """The copies that are listed, without asking anybody."""

    listed = wanted(past_copies() if copies is None else read_copies(copies), release)
    here = states(folder_archive(folder), listed)
    rows = [tables.copy_row(copy, state) for copy, state in zip(listed, here, strict=True)]
    click.echo(f"{len(rows)} copies of {len({c.release for c in listed})} releases", err=True)
    return tables.listed(rows, tables.COPIES)


def _fetch_history(
    folder: Path, url: str, paths: tuple[str, ...], dataset: str | None, only_list: bool
) -> Answer:
    """Add every version of files in a git repository, and say what became of each."""

    with working("downloading versions") as progress, History(url) as history:
        versions = [version for path in paths for version in history.versions(path)]
        if only_list:
            rows = [
                {"commit": v.commit, "day": str(v.release), "path": v.path, "blob": v.git_blob,
                 "here": state}
                for v, state in zip(versions, states(folder, versions), strict=True)
            ]  # fmt: skip
            return tables.listed(rows, tables.VERSIONS)
        done = fetch_past(folder, history, copies=versions, dataset=dataset, progress=progress)
    held = [number_of(len(Archive(folder).releases(name)), "release") for name in DATASETS]
    text = "\n".join([
        tables.listing([tables.version_row(outcome) for outcome in done], tables.TRIED),
        tables.counted(outcome.status for outcome in done),
        f"archive: {folder}, {held[0]} of states, {held[1]} of counties",
    ])  # fmt: skip
    wrong = any(outcome.status in ("gone", "refused", "quarantined") for outcome in done)
    return Answer(text, failure=click.exceptions.Exit(1) if wrong else None)


@data.command(short_help="Add releases to an archive.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_PATH)
@together(opt.ARCHIVE, opt.RELEASE, _ACCEPT)
def add(
    files: tuple[Path, ...], archive: Path | None, release: str | None, accept: str | None
) -> Answer:
    """Add the releases in FILE... to an archive, by state or by county as their columns say.

    A FILE is added whole or not at all. One that cannot be trusted is refused with the row and the
    reason; the others are added, and the exit status is 1. A release never changes: adding the same
    numbers again does nothing, and other numbers for the same date are refused.

    A release that contradicts itself (sums, classes, jumps) is set aside and never used. If CDC
    really published it, use --accept REASON; the reason stays with every result.
    """

    _one_file(files, "release", "accept")
    archive = archive or default_folder()
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
        what = "was there already, unchanged"
        if done:
            what = f"added, {len(one.table):,} rows, months {first:%Y-%m} to {last:%Y-%m}"
        click.echo(f"{name}: release {one.release}{of} {what}")
        for text in notes_of(one):
            note(f"{name}: {text}")
    held = []
    for dataset in DATASETS:
        if dates := Archive(archive).releases(dataset):
            of = "" if dataset == STATES else f" of {dataset}"
            many = number_of(len(dates), "release")
            held.append(f"{archive} holds {many}{of}, {dates[0]} to {dates[-1]}")
    return Answer("\n".join(held), failure=_refused(refused, files))


def _one_file(files: tuple[Path, ...], *names: str) -> None:
    """Refuse options that are about one file where there are several."""
    if len(files) > 1:
        refuse("is about one file; give one FILE", *names)


def _refused(refused: int, files: tuple[Path, ...]) -> Exception | None:
    """What a command ends with if files were refused."""
    if not refused:
        return None
    text = f"{refused} of {len(files)} files refused"
    return DataError(text) if len(files) > 1 else click.exceptions.Exit(1)


# Look at releases


@data.command(short_help="List the releases of an archive, or what happened to them.")
@together(
    opt.ARCHIVE, opt.DATASET,
    opt.what("--log", is_flag=True, help="Show what happened to releases, oldest first."),
    opt.what("--delays", is_flag=True, help="Show the releases with known reporting delays."),
    opt.JSON,
)  # fmt: skip
def releases(archive: Path | None, dataset: str, log: bool, delays: bool, as_json: bool) -> Answer:
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

    opt.check((log and delays, "give --log or --delays, not both"))
    if log or delays:
        refuse("does not go with --log and --delays", "dataset")
    if log:  # without the bundled releases beneath: nothing happens to them
        return tables.log_answer(Archive(_own(archive).path or ""))
    store = open_source(archive)
    if delays:
        return tables.donors_answer(store)
    if others := store.releases(COUNTIES) if dataset == STATES else ():
        note(f"{number_of(len(others), 'release')} of counties: --dataset counties lists them")
    if not store.releases(dataset) and dataset == COUNTIES and not as_json:
        raise tables.no_counties(store)
    return tables.releases_answer(store, dataset)


@data.command(short_help="Check a release, or a file, for what could mislead.")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=_PATH)
@together(SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE, opt.LOCATIONS, opt.JSON)
def check(
    files: tuple[Path, ...], archive: Path | None, source: str | None, as_of: str | None,
    dataset: str, release: str | None, locations: str,
) -> Answer:  # fmt: skip
    """Check a release for what could mislead: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation
    explains each code. The release before is compared, and for counties the states' counts. The
    exit status is 1 if the numbers contradict themselves.

    With FILE..., show what is in files before adding them: rows, months, places, and what is left
    out and why. A file that cannot be trusted is refused with the row and the reason; then the exit
    status is 1.
    """
    if files:
        refuse("does not go with FILE...", "archive", "source", "as_of", "dataset", "locations",
               "accept")  # fmt: skip
        _one_file(files, "release")
        return tables.files_answer(files, release)
    found = tables.seen(archive, source, release, as_of, dataset)
    flags = tables.flags_of(found, locations)
    wrong = any(f.severity == "error" for f in flags)
    return Answer(lambda: tables.flags_text(found, flags), [f.to_dict() for f in flags],
                  failure=click.exceptions.Exit(1) if wrong else None)  # fmt: skip


@data.command(short_help="Show how counts changed from release to release.")
@click.argument("location", required=False, metavar="[PLACE]")
@together(
    opt.ARCHIVE, opt.INDICATOR,
    opt.what("--between", nargs=2, metavar="A B", help="Compare two releases: 2024-12-11."),
    opt.what("--settled", default=12, show_default=True, metavar="MONTHS",
             help="Age from which a count is final."),
    opt.JSON, opt.PLOT,
    out("A row for each release and a column for each month, or all differences: .csv.",
        (".csv",)),
)  # fmt: skip
def revisions(
    location: str | None, archive: Path | None, indicator: str, between: tuple[str, str] | None,
    settled: int, out: Path | None,
) -> Answer:  # fmt: skip
    """Show how the counts of PLACE (default: US) changed from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to the
    release), the newest count, the change, and the number of releases. Then completeness by age:
    the count at that age, divided by the count in the newest release.

    With --between A B: what release B reports differently from release A, for all places or for
    PLACE (OH,WV). --indicator all compares all indicators.
    """

    if between:
        refuse("does not go with --between", "plot", "settled")
        name = None if indicator == "all" else indicator_name(indicator)
        changes = compare(open_source(archive), *between, name)
        if location is not None:
            changes = changes[changes["state"].isin(resolve(location))]
        rows = changes.assign(month=changes["month"].dt.strftime("%Y-%m"))
        return Answer(
            lambda: tables.differences_text(changes, *between, LAST), changes,
            files=_csv(out, rows, f"{len(changes):,} differences", index=False),
        )  # fmt: skip
    found = revisions_of(open_source(archive), location or "US", indicator_name(indicator))
    place = lookup(location or "US")
    table = found.triangle(place.state).dropna(axis=1, how="all")
    for date, why in found.skipped.items():
        note(f"release {date} left out: {why}")
    curve = found.units(settled)
    if len(curve):
        curve = completeness(curve, by=())
        curve = curve[curve["age"] <= tables.AGES]
    months = tables.first_and_newest(table)
    meta = {
        "location": place.state,
        "name": place.name,
        "indicator": found.indicator,
        "releases": [str(day) for day in found.releases],
        "skipped": [str(day) for day in found.skipped],
        "settled": settled,
    }

    def figure() -> Any:
        """Counts by release and month."""

        return plots.revision_triangle(found, place.state, settled=settled)

    labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1)
    words = f"{table.shape[0]} releases, {table.shape[1]} months"
    return Answer(
        lambda: tables.revisions_text(found, place.name, months, curve, LAST),
        {"meta": meta, "months": months, "completeness": curve}, figure=figure,
        files=_csv(out, labelled, words, date_format="%Y-%m-%d"),
    )  # fmt: skip


def _csv(
    out: Path | None, table: pd.DataFrame, words: str, **how: Any
) -> list[tuple[Callable[[], object], str]]:
    """What writes a table as CSV, and what is said of it."""
    if out is None:
        return []
    text = table.to_csv(float_format="%.10g", **how)
    return [(partial(_write, out, text), f"table: {out} ({words})")]


def _write(out: Path, text: str) -> None:
    """Write a text whole or not at all."""
    with replacing(out) as temp:
        temp.write_text(text, encoding="utf-8", newline="")


@data.command(short_help="Write one release, or its monthly deaths, as a table.")
@together(
    SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE,
    out("A .csv or .parquet file, or - for CSV on standard output.", (".csv", ".parquet", "-"),
        required=True),
    opt.what("--monthly", metavar="PLACES",
             help="Monthly deaths of these places instead: US,WV or all."),
    opt.INDICATOR,
    opt.data("--wonder", multiple=True, metavar="FILE", type=_PATH, reads=True, more=True,
             help="CDC WONDER export with the true months. Can be repeated."),
    opt.DRAWS, opt.SEED,
)  # fmt: skip
def export(
    archive: Path | None, source: str | None, as_of: str | None, dataset: str, release: str | None,
    out: Path, monthly: str | None, indicator: str, wonder: tuple[Path, ...], draws: int, seed: int,
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
        refuse("goes with --monthly", "indicator", "wonder", "draws", "seed")
        found = tables.seen(archive, source, release, as_of, dataset)
        date, table, rows = found.date, found.table, "rows"
    else:
        if not stdout:
            opt.check_outputs(("--out", out, (".csv",)))
        opt.check(
            (dataset != STATES, "--monthly goes with the counts of states"),
            (draws < 100, "--draws: quantiles need at least 100"),
            (wonder and indicator_name(indicator) != ALL_DRUGS,
             "--wonder is for all drugs only: leave it out for a drug class"),
        )  # fmt: skip
        vintage = open_source(archive, source, release).as_of(as_of)
        recovered = recovered_months(
            vintage.table, monthly, indicator=indicator_name(indicator),
            wonder=[read_wonder(path) for path in wonder], draws=draws, seed=seed,
        )  # fmt: skip
        for said in filter(None, (vintage.note, *recovered.notes)):
            note(said)
        date, table, rows = vintage.date, recovered.table, "months"
    if stdout:
        click.echo(tables.csv_of(table), nl=False)
        return
    if out.suffix.lower() == ".parquet":
        with replacing(out) as temp:
            table.to_parquet(temp, index=False)
    else:
        _write(out, tables.csv_of(table))
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

    store = _own(archive)
    loaded = read_release(file, release)
    done = store.replace(loaded, reason, accept)
    click.echo(f"release {loaded.release} {'replaced' if done else 'has these numbers already'}")


@fix.command(short_help="Stop using a release.")
@click.argument("date")
@together(opt.ARCHIVE, opt.DATASET, _REASON)
def retract(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Stop using the release of DATE; its numbers stay in the archive."""
    _own(archive).retract(date, reason, dataset)
    click.echo(f"release {date} is no longer used: {' '.join(reason.split())}")
