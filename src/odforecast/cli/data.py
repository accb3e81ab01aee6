"""``odforecast data``: get releases, keep them in an archive, check, compare and export them."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer, write_table
from odforecast.cli.app import Group
from odforecast.cli.options import out, refuse, together
from odforecast.cli.screen import (
    Column,
    columns,
    facts,
    lay,
    listing,
    note,
    text_of,
    working,
    wrapped,
)
from odforecast.cli.source import BUNDLED, SOURCES, open_source
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.geography import NATION, resolve
from odforecast.geography.places import lookup
from odforecast.io import replacing
from odforecast.names import ALL_DRUGS, COUNTIES, DATASETS, STATES, indicator_name
from odforecast.panel import Donor
from odforecast.say import number_of, plain
from odforecast.sources.county import Counties
from odforecast.sources.release import read_release
from odforecast.sources.table import to_date, to_text
from odforecast.sources.vsrr import check_sums, summarise
from odforecast.sources.wonder import read_wonder
from odforecast.vintage.bundle import default_folder, folder_archive
from odforecast.vintage.dataset import dataset_of, notes_of, source_of
from odforecast.vintage.donors import gathered, linked, shipped
from odforecast.vintage.fetch import Socrata, download, write_rows
from odforecast.vintage.fetch import fetch as fetch_release
from odforecast.vintage.past import (
    GITHUB,
    Copy,
    History,
    RawFiles,
    fetch_past,
    missing,
    past_copies,
    read_copies,
    states,
    wanted,
)
from odforecast.vintage.quality import SEVERITIES, Flag
from odforecast.vintage.quality import check as check_release
from odforecast.vintage.recover import recovered_months
from odforecast.vintage.revisions import compare, completeness
from odforecast.vintage.revisions import revisions as revisions_of

type Row = dict[str, Any]

#: Rows of a table of revisions on the screen, ages of counts (months) whose completeness is shown,
#: and the age from which a count is final.
LAST = 24
AGES = 24
SETTLED = 12
#: What can become of a copy or version, in the order in which it is counted; and how the line on a
#: copy begins, where it is not plain.
_COUNTED = {
    "added": "added",
    "there": "there already",
    "equal": "compared and equal",
    "differs": "compared and different",
    "quarantined": "set aside",
    "retracted": "retracted",
    "gone": "not available",
    "refused": "refused",
}
_KINDS = {
    "gone": "warning: ",
    "refused": "error: ",
    "quarantined": "error: ",
    "differs": "note: ",
    "retracted": "note: ",
}
#: Characters of an indicator and an origin in a line.
_NAME = 24
_FROM = 17
_ACCEPT = opt.data("--accept REASON", help=opt.ACCEPTS)
_REASON = opt.option(
    "--reason TEXT",
    required=True,
    help="Why. It goes into the archive's log and into every result.",
)


@click.group(cls=Group)
def data() -> None:
    """Download, store, check, compare and export CDC's releases."""


def _own(archive: Path | None) -> od.Archive:
    """The archive that a command changes; a folder that is named must exist."""
    if archive is not None and not archive.exists():
        raise ArchiveError(
            f"--archive {archive}: there is no such folder",
            hint="is it spelled right? odforecast data add and data fetch make one",
        )
    return folder_archive(archive or default_folder())


def _listed(rows: list[Any], shown: Sequence[Column]) -> Answer:
    """Rows as JSON, or some of their columns on the screen."""
    return Answer(lambda: listing(rows, shown) if rows else "", rows)


def _failed(failed: object) -> Exception | None:
    """What a command ends with, if something was wrong that it has said."""
    return click.exceptions.Exit(1) if failed else None


def _held(folder: Path) -> str:
    """What an archive holds, a line for each data set."""
    lines = []
    for dataset in DATASETS:
        if dates := od.Archive(folder).releases(dataset):
            many = f"{number_of(len(dates), 'release')}{_of(dataset)}"
            lines.append(f"{folder} holds {many}, {dates[0]} to {dates[-1]}")
    return "\n".join(lines)


def _of(dataset: str) -> str:
    """Which counts, where they are not those of the states."""
    return "" if dataset == STATES else f" of {dataset}"


# Get releases


@data.command(short_help="Download the latest release, or past ones.")
@together(
    opt.DATASET,
    opt.ARCHIVE,
    opt.what(
        "--since YEAR",
        type=int,
        more=True,
        help="Only this year and later; with --out.",
    ),
    opt.what("--past", help="Past releases, from public copies. See --list."),
    opt.what("--list", "only_list", help="With --past: list the copies and stop."),
    opt.RELEASE,
    opt.data(
        "--copies FILE",
        type=opt.PATH,
        more=True,
        help="With --past: a list of your own, a CSV with the columns of --list.",
    ),
    opt.data(
        "--git URL",
        more=True,
        help="With --past: a git repository that replaces a --file with each release.",
    ),
    opt.data(
        "--file PATH",
        "files",
        multiple=True,
        more=True,
        help="With --git: the file's path in the repository. Can be repeated.",
    ),
    out("Write the rows to a .json.gz file instead of an archive.", (".json.gz",)),
    opt.JSON,
    opt.data("--url URL", more=True, help=f"Server to download from.  [default: {opt.CDC}]"),
    opt.details("--soda3", more=True, help="Use CDC's newer API, with a token."),
)
def fetch(
    dataset: str,
    archive: Path | None,
    since: int | None,
    past: bool,
    only_list: bool,
    release: str | None,
    copies: Path | None,
    git: str | None,
    files: tuple[str, ...],
    out: Path | None,
    url: str | None,
    soda3: bool,
) -> Answer:
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
            (
                since is not None and out is None,
                "--since goes with --out FILE: a release in an archive is whole, and never changes",
            ),
            (out is not None and archive is not None, "give --archive or --out, not both"),
        )
    else:
        refuse("does not go with --past", "since", "out", "soda3")
        opt.check(
            (opt.given("as_json") and not only_list, "--json goes with --list"),
            (bool(git) != bool(files), "--git URL goes with --file PATH"),
            (
                dataset != STATES and git is None,
                "--dataset counties goes with --past only if --git is given",
            ),
        )
    if git is not None:
        refuse("does not go with --git", "release", "copies", "url")
    if out is None and not only_list:
        opt.check_outputs(("--archive", folder, ()))
    if not past:
        return _fetch_latest(dataset, folder, out=out, since=since, url=url or opt.CDC, soda3=soda3)
    client = RawFiles(url or GITHUB, notify=note) if git is None else History(git)
    with working("downloading") as progress, client:
        if isinstance(client, History):
            listed = tuple(version for path in files for version in client.versions(path))
        else:
            listed = past_copies() if copies is None else read_copies(copies)
        if only_list:
            return _copies(folder, wanted(listed, release))
        only = None if git and not opt.was_given("dataset") else dataset
        done = fetch_past(
            folder,
            client,
            copies=listed,
            release=release,
            dataset=only,
            progress=progress,
        )
    found = Counter(outcome.status for outcome in done)
    if found["gone"] and not client.heard and git is None:
        raise DownloadError(f"cannot reach {client.name}", hint="is there a network?")
    for outcome in done:
        kind = _KINDS.get(outcome.status, "")
        commit = f"{outcome.copy.commit[:10]} " if git else ""
        said = " ".join(str(outcome).split()).removeprefix("None: ")  # a date that is not known
        click.echo(f"{kind}{commit}{said}", err=bool(kind))
    failure = _failed(found["refused"] or (git and found["gone"] + found["quarantined"]))
    if git is None and (lacking := missing(done)):
        dates = ", ".join(map(str, lacking))
        failure = DownloadError(f"no usable copy of release{'s' * (len(lacking) > 1)} {dates}")
    counts = ", ".join(f"{found[k]} {word}" for k, word in _COUNTED.items() if found[k])
    return Answer(f"{counts}\n{_held(folder)}", failure=failure)


def _fetch_latest(
    dataset: str,
    folder: Path,
    out: Path | None,
    since: int | None,
    url: str,
    soda3: bool,
) -> Answer:
    """Download the present release, into an archive or a file."""

    with Socrata(url, notify=note, soda3=soda3) as client, working("downloading") as progress:
        if out is not None:
            parts = out.parent / f".{out.name}.partial"
            found = download(dataset, parts, client=client, since=since, progress=progress)
            digest = write_rows(out, found.rows)
            shutil.rmtree(parts, ignore_errors=True)
            of = f"{len(found.rows):,} rows of release {found.meta.release}"
            return Answer(f"{out}: {of}, sha256 {digest}")
        done = fetch_release(dataset, folder, client=client, progress=progress)
    for text in () if done.loaded is None else notes_of(done.loaded):
        note(text)
    again = f", {done.resumed:,} of them in an earlier try" if done.resumed else ""
    rows = f"{done.rows:,} rows downloaded{again}\n" if done.rows else ""
    return Answer(f"{rows}{wrapped(done.why)}\nsha256 {done.sha256}\narchive: {folder}")


def _copies(folder: Path, listed: Sequence[Copy]) -> Answer:
    """The copies that are listed, and what is here of each."""
    rows: list[Row] = [
        {
            "release": str(copy.release),
            "basis": copy.basis if copy.settled or copy.basis == "known" else "guess",
            "last_month": copy.last_month,
            "check": copy.check or "structure",
            "here": state,
            **{key: getattr(copy, key) for key in ("repository", "commit", "path", "note")},
        }
        for copy, state in zip(listed, states(folder, listed), strict=True)
    ]
    click.echo(f"{len(rows)} copies of {len({c.release for c in listed})} releases", err=True)
    return _listed(rows, _COPIES)


_COPIES = (
    text_of("release"),
    text_of("last month", "last_month"),
    text_of("date", "basis"),
    text_of("check"),
    text_of("here"),
    text_of("commit", lambda row: row["commit"][:10]),
    text_of("copy", lambda row: plain(f"{row['repository']}: {row['path']}", 160)),
)


@data.command(short_help="Add releases to an archive.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=opt.PATH,
)
@together(opt.ARCHIVE, opt.RELEASE, _ACCEPT)
def add(
    files: tuple[Path, ...],
    archive: Path | None,
    release: str | None,
    accept: str | None,
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
        first = one.table["month"].min()
        last = one.table["month"].max()
        name = source_of(one)["file"]
        what = "was there already, unchanged"
        if done:
            what = f"added, {len(one.table):,} rows, months {first:%Y-%m} to {last:%Y-%m}"
        click.echo(f"{name}: release {one.release}{_of(dataset_of(one))} {what}")
        for text in notes_of(one):
            note(f"{name}: {text}")
    failure = _failed(refused)
    if refused and len(files) > 1:
        failure = DataError(f"{refused} of {len(files)} files refused")
    return Answer(_held(archive), failure=failure)


def _one_file(files: tuple[Path, ...], *names: str) -> None:
    """Refuse options that are about one file where there are several."""
    if len(files) > 1:
        refuse("is about one file; give one FILE", *names)


# Look at releases


@data.command(short_help="List the releases of an archive, or what happened to them.")
@together(
    opt.ARCHIVE,
    opt.DATASET,
    opt.what("--log", help="Show what happened to releases, oldest first."),
    opt.what("--delays", help="Show the releases with known reporting delays."),
    opt.JSON,
)
def releases(archive: Path | None, dataset: str, log: bool, delays: bool) -> Answer:
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
        return _log(od.Archive(_own(archive).path or ""))
    store = open_source()
    if delays:
        mine, left_out = gathered(store)
        held = {d.release for d in mine}
        found = linked([*mine, *(d for d in shipped() if d.release not in held)])
        rows = [_donor_row(d, "archive" if d.release in held else "shipped") for d in found]
        lines = [lay(rows, _DONORS)]
        lines += [wrapped(f"left out: {x}: {why}", indent="  ") for x, why in left_out.items()]
        return Answer("\n".join(lines), rows)
    if others := store.releases(COUNTIES) if dataset == STATES else ():
        note(f"{number_of(len(others), 'release')} of counties: --dataset counties lists them")
    if dataset == COUNTIES and not opt.given("as_json"):
        _newest_counties(store)
    rows = [_release_row(store, date, dataset=dataset) for date in store.releases(dataset)]
    return _listed(rows, _RELEASES[dataset])


def _release_row(store: od.Archive, date: dt.date, dataset: str) -> Row:
    """What is known of a release, as JSON can hold it."""
    table = store.release(date, None, dataset)
    origin = store.origin(date, dataset)
    if dataset == COUNTIES:
        last = table[table["month"] == table["month"].max()]
        found = _span(table) | {
            "shown_last": int(last["deaths"].notna().sum()),
            "hidden_last": int((last["status"] == "suppressed").sum()),
            "missing": int((table["status"] == "missing").sum()),
            "deaths_last": float(np.nansum(last["deaths"])),
        }
    else:
        summary = summarise(table)
        found = {key: summary[key] for key in ("first_month", "last_month")}
        found |= {key: len(summary[key]) for key in ("jurisdictions", "indicators")}
        found |= {"us_last": summary["us_last"], "adds_up": check_sums(table).adds_up}
    return {
        "release": str(date),
        "rows": len(table),
        **found,
        "data_hash": store.data_hash(date, dataset),
        "origin": origin.kind,
        **{key: getattr(origin, key) for key in ("place", "file", "sha256", "basis")},
        "checks": origin.checks.split(", "),
    }


def _span(table: pd.DataFrame) -> Row:
    """The months of a table of counties, and how many counties it has."""
    month = table["month"]
    return {
        "first_month": f"{month.min():%Y-%m}",
        "last_month": f"{month.max():%Y-%m}",
        "counties": int(table["fips"].nunique()),
    }


def _checked(row: Row) -> str:
    """The strongest check; that a release was accepted in spite of them counts more."""
    order = ("accepted", "sha256", "git blob", "structure")
    return next(check for check in order if check in row["checks"])


def _came_from(row: Row) -> str:
    """Where a release came from, in a word or two; --json has all of it."""
    place = row["place"]
    kinds = {
        "bundled": "bundled",
        "past": "past copy",
        "cdc": "CDC" if place in ("", "data.cdc.gov") else f"CDC, {place}",
    }
    said = plain(kinds.get(row["origin"]) or row["file"] or "a file", 160)
    return said if len(said) <= _FROM else f"{said[: _FROM - 1]}…"


_STARTS = (
    text_of("release"),
    text_of("months", lambda row: f"{row['first_month']}..{row['last_month']}"),
)
_ENDS = (text_of("date", "basis"), text_of("checked", _checked), text_of("from", _came_from))
#: Columns of the releases of each data set.
_RELEASES = {
    STATES: (*_STARTS, Column("US, last", "us_last"), *_ENDS),
    COUNTIES: (*_STARTS, Column("counties", "counties"), Column("hidden", "hidden_last"), *_ENDS),
}


def _log(store: od.Archive) -> Answer:
    """What happened to the releases of an archive."""
    rows: list[Any] = store.log.assign(release=store.log["release"].astype(str)).to_dict("records")
    if not rows:
        note("nothing has happened yet: the archive is empty")
    return _listed(rows, _EVENTS)


_EVENTS = (
    text_of("at", lambda row: row["at"] or "-"),
    text_of("event"),
    text_of("release"),
    text_of("numbers", "data_hash"),
    text_of("of", "dataset"),
    text_of("file and reason", lambda row: "; ".join(filter(None, (row["file"], row["reason"])))),
)
_SHORT = {"predicted": "CDC", "pending": "pending", "all deaths": "deaths"}
_DONORS = (
    text_of("release"),
    text_of("era"),
    text_of("to", "last_month"),
    Column("open", "open_months"),
    Column("missing", "missing", form="{:.1%}"),
    Column("in last", "missing_last_month", form="{:.1%}"),
    text_of("says", lambda row: ", ".join(_SHORT[x] for x in row["says"]) or "nothing"),
    text_of("from"),
)


def _donor_row(donor: Donor, origin: str) -> Row:
    """What is known of a donor, as JSON can hold it."""
    late = next((x[:12] for s, x in zip(donor.locations, donor.late) if s == NATION), None)
    told = {
        "predicted": donor.ratio[:, 0],
        "pending": donor.pending[:, 0],
        "all deaths": donor.deaths,
    }
    return {
        "release": str(donor.release),
        "era": donor.era,
        "age_days": donor.age,
        "last_month": str(donor.last_month),
        "open_months": donor.final_back,
        "missing": None if late is None else round(float(late.mean()), 5),
        "missing_last_month": None if late is None else round(float(late[0]), 5),
        "says": [name for name, values in told.items() if np.isfinite(values).any()],
        "predecessors": [str(d.release) for d in donor.predecessors],
        "data_hash": donor.data_hash,
        "from": origin,
    }


@data.command(short_help="Check a release, or a file, for what could mislead.")
@click.argument(
    "files",
    nargs=-1,
    metavar="[FILE...]",
    type=opt.PATH,
)
@together(SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE, opt.LOCATIONS, opt.JSON)
def check(
    files: tuple[Path, ...],
    as_of: str | None,
    dataset: str,
    release: str | None,
    locations: str,
) -> Answer:
    """Check a release for what could mislead: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation
    explains each code. The release before is compared, and for counties the states' counts. The
    exit status is 1 if the numbers contradict themselves.

    With FILE..., show what is in files before adding them: rows, months, places, and what is left
    out and why. A file that cannot be trusted is refused with the row and the reason; then the exit
    status is 1.
    """
    if files:
        refuse(
            "does not go with FILE...",
            "archive",
            "source",
            "as_of",
            "dataset",
            "locations",
            "accept",
        )
        _one_file(files, "release")
        return _files(files, release)
    found = _seen(as_of, dataset)
    flags = check_release(found.table, found.before, found.states)
    if locations != "all":
        places = resolve(locations)
        if found.dataset == COUNTIES:
            # A state is checked with its counties: flags on either bear on it.
            places += tuple(s for p in places if not p.isdigit() for s in resolve(f"{p}/*"))
        flags = [f for f in flags if f.location in places]
    wrong = any(f.severity == "error" for f in flags)
    return Answer(
        lambda: _flags(found, flags),
        [f.to_dict() for f in flags],
        failure=_failed(wrong),
    )


class Seen(NamedTuple):
    """One release to look at, with the one before, and for counties the states' counts."""

    dataset: str
    date: dt.date
    table: pd.DataFrame
    before: pd.DataFrame | None = None
    earlier: dt.date | None = None
    states: pd.DataFrame | None = None


def _seen(as_of: str | None, dataset: str) -> Seen:
    """The release that a command looks at: of an archive as of a day, or of one file.

    A file is told by its columns, whatever ``dataset`` says.
    """
    source = opt.given("source")
    if source is not None and source != BUNDLED and opt.given("archive") is None:
        loaded = read_release(source, opt.given("release"))
        if dataset_of(loaded) == COUNTIES:
            for text in notes_of(loaded):
                note(f"{Path(source).name}: {text}")
            beside = _states_of(od.archive(), loaded.release)
            return Seen(COUNTIES, loaded.release, table=loaded.table, states=beside)
    store = open_source(look=True)
    beside = None
    if dataset == COUNTIES:
        date = _newest_counties(store, as_of)
        text = store.reason(date, COUNTIES)
        beside = _states_of(store, date)
    else:
        vintage = store.as_of(as_of)
        date = vintage.date
        text = vintage.note or ""
    if text:
        note(text)
    earlier = max((d for d in store.releases(dataset) if d < date), default=None)
    before = None if earlier is None else store.release(earlier, None, dataset)
    return Seen(
        dataset,
        date,
        table=store.release(date, None, dataset),
        before=before,
        earlier=earlier,
        states=beside,
    )


def _states_of(store: od.Archive, date: dt.date) -> pd.DataFrame | None:
    """The states' counts known that day, or the first after it: for looking, no more."""
    dates = store.releases()
    day = max((d for d in dates if d <= date), default=next(iter(dates), None))
    return None if day is None else store.release(day)


def _newest_counties(store: od.Archive, as_of: str | None = None) -> dt.date:
    """The newest release of counties known on a day, also where there is none of states."""
    day = dt.date.max if as_of is None else to_date(as_of)
    return od.Vintage(store, day, date=day, note=None).release(COUNTIES)


def _files(files: Sequence[Path], release: str | None) -> Answer:
    """What is in files; the failure says how many were refused."""
    answers: list[Row] = []
    texts = []
    refused = 0
    for file in files:
        try:
            loaded = read_release(file, release)
        except DataError as error:
            refused += 1
            message = error.message.removeprefix(file.name).lstrip(": ")
            answers.append({"file": file.name, "error": message, "hint": error.hint})
            said = facts({"REFUSED": message, "what to do": error.hint})
            texts.append(f"{file.name}\n{said}")
            continue
        found = _county_facts(loaded) if isinstance(loaded, Counties) else loaded.report.to_dict()
        answers.append(found)
        shown = {key: value for key, value in found.items() if key not in ("file", "notes")}
        shown["sha256"] = found["sha256"][:16]
        shown |= {f"note {n}": text for n, text in enumerate(found["notes"], 1)}
        texts.append(f"{file.name}\n{facts(shown)}")
    failure = DataError(f"{refused} of {len(files)} files refused") if refused else None
    return Answer("\n\n".join(texts), answers, failure=failure)


def _county_facts(loaded: Counties) -> Row:
    """What is in a file of counties, as JSON can hold it."""
    table = loaded.table
    shown = table["deaths"]
    return {
        "file": loaded.file,
        "sha256": loaded.sha256,
        "dataset": COUNTIES,
        "release": str(loaded.release),
        "data_as_of": str(loaded.data_as_of),
        "rows_kept": len(table),
        "left_out": loaded.duplicates,
        **_span(table),
        "shown": int(shown.notna().sum()),
        "zero": int((shown == 0).sum()),
        "suppressed": loaded.suppressed,
        "missing": loaded.missing,
        "largest": None if shown.isna().all() else float(shown.max()),
        "notes": list(loaded.notes),
    }


def _flags(found: Seen, flags: Sequence[Flag]) -> str:
    """Flags by severity, under a line on the release."""
    against = f", against that of {found.earlier}" if found.earlier else ""
    rows = f"{_of(found.dataset)}, {len(found.table):,} rows{against}"
    lines = [f"release {found.date}{rows}"]
    for severity in SEVERITIES:
        if some := [f for f in flags if f.severity == severity]:
            cells = [[f.location, f.month or "", f"{f.code}: {f.message}"] for f in some]
            lines += [f"\n{number_of(len(some), severity)}", columns(cells)]
    return "\n".join(lines if flags else [*lines, "nothing to flag"])


@data.command(short_help="Show how counts changed from release to release.")
@click.argument("location", required=False, metavar="[PLACE]")
@together(
    opt.ARCHIVE,
    opt.INDICATOR,
    opt.what("--between A B", nargs=2, help="Compare two releases: 2024-12-11."),
    opt.JSON,
    opt.PLOT,
    out("A row for each release and a column for each month, or all differences: .csv.", (".csv",)),
)
def revisions(
    location: str | None,
    indicator: str,
    between: tuple[str, str] | None,
    out: Path | None,
) -> Answer:
    """Show how the counts of PLACE (default: US) changed from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to the
    release), the newest count, the change, and the number of releases. Then completeness by age:
    the count at that age, divided by the count in the newest release.

    With --between A B: what release B reports differently from release A, for all places or for
    PLACE (OH,WV). --indicator all compares all indicators.
    """

    store = open_source()
    if between:
        refuse("does not go with --between", "plot")
        name = None if indicator == "all" else indicator_name(indicator)
        changes = compare(store, *between, name)
        if location is not None:
            changes = changes[changes["state"].isin(resolve(location))]
        words = f"table: {out} ({len(changes):,} differences)"
        return Answer(
            lambda: _differences(changes, *between),
            changes,
            files=[(partial(write_table, changes, out), words)] if out else [],
        )
    found = revisions_of(store, location or "US", indicator=indicator_name(indicator))
    place = lookup(location or "US")
    table = found.triangle(place.state).dropna(axis=1, how="all")
    for date, why in found.skipped.items():
        note(f"release {date} left out: {why}")
    curve = found.units(SETTLED)
    if len(curve):
        curve = completeness(curve, by=())
        curve = curve[curve["age"] <= AGES]
    long = table.melt(ignore_index=False, value_name="count").dropna().reset_index()
    months = long.groupby("month", as_index=False).agg(
        first_release=("release", "first"),
        first=("count", "first"),
        newest_release=("release", "last"),
        newest=("count", "last"),
        releases=("count", "size"),
    )
    meta = {
        "location": place.state,
        "name": place.name,
        "indicator": found.indicator,
        "releases": [str(day) for day in found.releases],
        "skipped": [str(day) for day in found.skipped],
        "settled": SETTLED,
    }

    def text() -> str:
        """A row per month, and one per age."""
        days = found.releases
        lines = [
            wrapped(f"{place.name}, {found.indicator}, 12 months ending, as reported"),
            wrapped(f"{len(days)} releases, {days[0]} to {days[-1]}"),
        ]
        if len(months):
            lines.append(f"\n{lay(months.tail(LAST), _REVISIONS)}")
        if curve.empty:
            return "\n".join([*lines, "\nno count has a later release to compare with"])
        title = f"\nCompleteness: % of the count in release {days[-1]}\n"
        return "\n".join([*lines, title, lay(curve, _COMPLETENESS)])

    labelled = table.set_axis([f"{month:%Y-%m}" for month in table.columns], axis=1).reset_index()
    words = f"table: {out} ({table.shape[0]} releases, {table.shape[1]} months)"
    return Answer(
        text,
        {"meta": meta, "months": months, "completeness": curve},
        figure=lambda: od.plot.revision_triangle(found, place.state, settled=SETTLED),
        files=[(partial(write_table, labelled, out), words)] if out else [],
    )


def _age(row: Row) -> str:
    """Age of the first count, in months."""
    begin = row["first_release"]
    month = row["month"]
    return str((begin.year - month.year) * 12 + begin.month - month.month)


def _revised(row: Row, share: bool = False) -> str:
    """How far the count moved; of one release nothing is known of its revision."""
    first = row["first"]
    newest = row["newest"]
    if row["releases"] == 1 or (share and not first):
        return "-"
    return f"{100 * (newest / first - 1):+.2f}" if share else f"{newest - first:+,.0f}"


_DAY = "{:%Y-%m-%d}"
_REVISIONS = (
    text_of("month", lambda row: f"{row['month']:%Y-%m}"),
    Column("first in", "first_release", form=_DAY),
    text_of("age", _age),
    Column("count", "first"),
    Column("newest in", "newest_release", form=_DAY),
    Column("count", "newest"),
    text_of("change", _revised),
    text_of("%", lambda row: _revised(row, share=True)),
    Column("n", "releases"),
)
_COMPLETENESS = (
    Column("age", "age"),
    Column("counts", "n"),
    *(
        Column(head, name, form=lambda x: f"{100 * x:.1f}")
        for head, name in (("5%", "low"), ("median", "median"), ("95%", "high"))
    ),
)


def _differences(found: pd.DataFrame, a: str, b: str) -> str:
    """What release B reports differently from release A: counted, and the newest changes."""
    kinds = found["kind"].value_counts()
    counts = ", ".join(f"{kinds[k]:,} counts {k}" for k in kinds.index)
    text = f"{b} against {a}: {counts or 'no difference'}"
    changed = found[found["kind"] == "changed"].dropna(subset=["change"])
    if changed.empty:
        return text
    down = int((changed["change"] < 0).sum())
    shown = changed.sort_values("month", kind="stable").tail(LAST)
    several = len(set(shown["indicator"])) > 1
    cells = [
        text_of("", "state"),
        Column("month", "month", form="{:%Y-%m}"),
        Column(a, "reported_a"),
        Column(b, "reported_b"),
        Column("change", "change", form="{:+,.0f}"),
        Column("%", "percent", form="{:+.2f}"),
        *([text_of("indicator", lambda row: row["indicator"][:_NAME])] if several else []),
    ]
    lines = [text, f"{len(changed) - down:,} went up, {down:,} went down\n"]
    lines += [] if several else [f"{shown['indicator'].iloc[0]}\n"]
    lines.append(lay(shown, cells))
    if len(shown) < len(changed):
        lines.append(f"... and {len(changed) - len(shown):,} more (--out and --json have all)")
    return "\n".join(lines)


@data.command(short_help="Write one release, or its monthly deaths, as a table.")
@together(
    SOURCES,
    opt.AS_OF,
    opt.DATASET,
    opt.RELEASE,
    out(
        "A .csv or .parquet file, or - for CSV on standard output.",
        (".csv", ".parquet", "-"),
        required=True,
    ),
    opt.what("--monthly PLACES", help="Monthly deaths of these places instead: US,WV or all."),
    opt.INDICATOR,
    opt.data(
        "--wonder FILE",
        multiple=True,
        type=opt.PATH,
        reads=True,
        more=True,
        help="CDC WONDER export with the true months. Can be repeated.",
    ),
    opt.DRAWS,
    opt.SEED,
)
def export(
    as_of: str | None,
    dataset: str,
    out: Path,
    monthly: str | None,
    indicator: str,
    wonder: tuple[Path, ...],
    draws: int,
    seed: int,
) -> None:
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
        found = _seen(as_of, dataset)
        date = found.date
        table = found.table
        rows = "rows"
    else:
        if not stdout:
            opt.check_outputs(("--out", out, (".csv",)))
        opt.check(
            (dataset != STATES, "--monthly goes with the counts of states"),
            (draws < 100, "--draws: quantiles need at least 100"),
            (
                wonder and indicator_name(indicator) != ALL_DRUGS,
                "--wonder is for all drugs only: leave it out for a drug class",
            ),
        )
        vintage = open_source().as_of(as_of)
        recovered = recovered_months(
            vintage.table,
            monthly,
            indicator=indicator_name(indicator),
            wonder=[read_wonder(path) for path in wonder],
            draws=draws,
            seed=seed,
        )
        for said in filter(None, (vintage.note, *recovered.notes)):
            note(said)
        date = vintage.date
        table = recovered.table
        rows = "months"
    if stdout:
        click.echo(_csv_of(table), nl=False)
        return
    if out.suffix.lower() == ".parquet":
        with replacing(out) as temp:
            table.to_parquet(temp, index=False)
    else:
        with replacing(out) as temp:
            temp.write_text(_csv_of(table), encoding="utf-8", newline="")
    click.echo(f"{out}: release {date}, {len(table):,} {rows}", err=True)


def _csv_of(table: pd.DataFrame) -> str:
    """A release as CSV, as people read it; of recovered months, numbers to one decimal."""
    if "status" in table:
        text = to_text(table)
    else:
        numbers = table.select_dtypes("number").columns
        text = table.assign(month=table["month"].dt.strftime("%Y-%m"))
        text[numbers] = text[numbers].round(1)
    return text.to_csv(index=False, lineterminator="\n")


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
@click.argument("file", type=opt.PATH)
@together(opt.ARCHIVE, opt.RELEASE, _ACCEPT, _REASON)
def replace(
    file: Path,
    archive: Path | None,
    release: str | None,
    accept: str | None,
    reason: str,
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
