"""``odforecast data``: get releases, keep them in an archive, check, compare and export them."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
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
from odforecast.cli.options import add_options, out, refuse
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
from odforecast.cli.source import BUNDLED, Data, Simulation
from odforecast.errors import ArchiveError, DataError, DownloadError, QuarantineError
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
    Outcome,
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
type Files = list[tuple[Callable[[], object], str]]

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
_ONE_FILE = "is about one file; give one FILE"
#: Characters of an indicator and an origin in a line.
_NAME = 24
_FROM = 17
_ACCEPT = opt.data_option("--accept REASON", help=opt.ACCEPT_HELP)
_REASON = opt.option(
    "--reason TEXT",
    required=True,
    help="Why. It goes into the archive's log and into every result.",
)


@click.group(cls=Group)
def data() -> None:
    """Download, store, check, compare and export CDC's releases."""


def _own_archive(archive: Path | None) -> od.Archive:
    """The archive that a command changes; a folder that is named must exist."""
    if archive is not None and not archive.exists():
        raise ArchiveError(
            f"--archive {archive}: there is no such folder",
            hint="is it spelled right? odforecast data add and data fetch make one",
        )
    return folder_archive(archive or default_folder())


def _listed(rows: list[Any], columns: Sequence[Column]) -> Answer:
    """Rows as JSON, or some of their columns on the screen."""
    return Answer(lambda: listing(rows, columns) if rows else "", rows)


def _failure(failed: object, code: int = 1) -> Exception | None:
    """What a command ends with, if something was wrong that it has said."""
    return click.exceptions.Exit(code) if failed else None


def _content(folder: Path) -> str:
    """What an archive holds, a line for each data set."""
    lines = []
    for dataset in DATASETS:
        dates = od.Archive(folder).releases(dataset)
        if dates:
            count = f"{number_of(len(dates), 'release')}{_of_counties(dataset)}"
            lines.append(f"{folder} holds {count}, {dates[0]} to {dates[-1]}")
    return "\n".join(lines)


def _of_counties(dataset: str) -> str:
    """Which counts, where they are not those of the states."""
    return "" if dataset == STATES else f" of {dataset}"


# Get releases


@data.command(short_help="Download the latest release, or past ones.")
@add_options(
    opt.DATASET,
    opt.ARCHIVE,
    opt.what_option(
        "--since YEAR",
        type=int,
        advanced=True,
        help="Only this year and later; with --out.",
    ),
    opt.what_option("--past", help="Past releases, from public copies. See --list."),
    opt.what_option(
        "--list", "only_list", help="With --past: list the copies and stop."
    ),
    opt.RELEASE,
    opt.data_option(
        "--copies FILE",
        type=opt.PATH,
        advanced=True,
        help="With --past: a list of your own, a CSV with the columns of --list.",
    ),
    opt.data_option(
        "--git URL",
        advanced=True,
        help="With --past: a git repository that replaces a --file with each release.",
    ),
    opt.data_option(
        "--file PATH",
        "files",
        multiple=True,
        advanced=True,
        help="With --git: the file's path in the repository. Can be repeated.",
    ),
    out("Write the rows to a .json.gz file instead of an archive.", (".json.gz",)),
    opt.JSON,
    opt.URL,
    opt.detail_option(
        "--soda3", advanced=True, help="Use CDC's newer API, with a token."
    ),
)
def fetch(
    dataset: str = STATES,
    archive: Path | None = None,
    since: int | None = None,
    past: bool = False,
    only_list: bool = False,
    release: str | None = None,
    copies: Path | None = None,
    git: str | None = None,
    files: tuple[str, ...] = (),
    out: Path | None = None,
    as_json: bool = False,
    url: str | None = None,
    soda3: bool = False,
    typed: tuple[str, ...] = (),
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
    if not past:
        reason = "goes with --past"
        refuse(
            typed,
            reason,
            "--list",
            "--release",
            "--copies",
            "--json",
            "--git",
            "--file",
        )
        return fetch_latest(
            dataset,
            archive,
            since=since,
            out=out,
            url=url or opt.CDC,
            soda3=soda3,
        )
    refuse(typed, "does not go with --past", "--since", "--out", "--soda3")
    if as_json and not only_list:
        raise click.UsageError("--json goes with --list")
    if bool(git) != bool(files):
        raise click.UsageError("--git URL goes with --file PATH")
    if git is None:
        return fetch_copies(
            dataset,
            archive,
            only_list=only_list,
            release=release,
            copies=copies,
            url=url or GITHUB,
        )
    refuse(typed, "does not go with --git", "--release", "--copies", "--url")
    return fetch_history(
        git,
        files,
        archive=archive,
        dataset=dataset if "--dataset" in typed else None,
        only_list=only_list,
    )


def fetch_latest(
    dataset: str,
    archive: Path | None,
    since: int | None,
    out: Path | None,
    url: str,
    soda3: bool,
) -> Answer:
    """Download the present release, into an archive or a file."""
    if since is not None and out is None:
        raise click.UsageError(
            "--since goes with --out FILE: a release in an archive is whole, and never changes"
        )
    if out is not None and archive is not None:
        raise click.UsageError("give --archive or --out, not both")
    folder = archive or default_folder()
    if out is None:
        opt.check_outputs(("--archive", folder, ()))
    with (
        Socrata(url, notify=note, soda3=soda3) as client,
        working("downloading") as progress,
    ):
        if out is not None:
            partial_folder = out.parent / f".{out.name}.partial"
            loaded = download(
                dataset,
                partial_folder,
                client=client,
                since=since,
                progress=progress,
            )
            digest = write_rows(out, loaded.rows)
            shutil.rmtree(partial_folder, ignore_errors=True)
            rows = f"{len(loaded.rows):,} rows of release {loaded.meta.release}"
            return Answer(f"{out}: {rows}, sha256 {digest}")
        fetched = fetch_release(dataset, folder, client=client, progress=progress)
    if fetched.loaded is not None:
        for text in notes_of(fetched.loaded):
            note(text)
    lines = [wrapped(fetched.why), f"sha256 {fetched.sha256}", f"archive: {folder}"]
    if fetched.rows:
        line = f"{fetched.rows:,} rows downloaded"
        if fetched.resumed:
            line += f", {fetched.resumed:,} of them in an earlier try"
        lines.insert(0, line)
    return Answer("\n".join(lines))


def fetch_copies(
    dataset: str,
    archive: Path | None,
    only_list: bool,
    release: str | None,
    copies: Path | None,
    url: str,
) -> Answer:
    """Download public copies of past releases, or list them."""
    if dataset != STATES:
        raise click.UsageError(
            "--dataset counties goes with --past only if --git is given",
        )
    folder = archive or default_folder()
    listed = past_copies() if copies is None else read_copies(copies)
    if only_list:
        return _copies(folder, wanted(listed, release))
    opt.check_outputs(("--archive", folder, ()))
    with working("downloading") as progress, RawFiles(url, notify=note) as client:
        outcomes = fetch_past(
            folder,
            client,
            copies=listed,
            release=release,
            dataset=dataset,
            progress=progress,
        )
    statuses = Counter(outcome.status for outcome in outcomes)
    if statuses["gone"] and not client.heard:
        raise DownloadError(f"cannot reach {client.name}", hint="is there a network?")
    for outcome in outcomes:
        _say_outcome(outcome)
    failure = _failure(statuses["refused"])
    lacking = missing(outcomes)
    if lacking:
        dates = ", ".join(map(str, lacking))
        plural = "s" if len(lacking) > 1 else ""
        failure = DownloadError(f"no usable copy of release{plural} {dates}")
    return Answer(f"{_counted(statuses)}\n{_content(folder)}", failure=failure)


def fetch_history(
    git: str,
    files: Sequence[str],
    archive: Path | None,
    dataset: str | None,
    only_list: bool,
) -> Answer:
    """Add every version of files in the history of a repository, or list them."""
    folder = archive or default_folder()
    if not only_list:
        opt.check_outputs(("--archive", folder, ()))
    with working("downloading") as progress, History(git) as client:
        listed = tuple(version for path in files for version in client.versions(path))
        if only_list:
            return _copies(folder, wanted(listed, None))
        outcomes = fetch_past(
            folder,
            client,
            copies=listed,
            release=None,
            dataset=dataset,
            progress=progress,
        )
    for outcome in outcomes:
        _say_outcome(outcome, f"{outcome.copy.commit[:10]} ")
    statuses = Counter(outcome.status for outcome in outcomes)
    failed = statuses["refused"] + statuses["gone"] + statuses["quarantined"]
    return Answer(f"{_counted(statuses)}\n{_content(folder)}", failure=_failure(failed))


def _say_outcome(outcome: Outcome, commit: str = "") -> None:
    """What became of a copy, or of a version in a commit."""
    kind = _KINDS.get(outcome.status, "")
    text = " ".join(str(outcome).split()).removeprefix(
        "None: "
    )  # a date that is not known
    click.echo(f"{kind}{commit}{text}", err=bool(kind))


def _counted(statuses: Counter[str]) -> str:
    """How many copies were added, refused and so on."""
    return ", ".join(
        f"{statuses[key]} {text}" for key, text in _COUNTED.items() if statuses[key]
    )


def _copies(folder: Path, listed: Sequence[Copy]) -> Answer:
    """The copies that are listed, and what is here of each."""
    rows: list[Row] = [
        {
            "release": str(copy.release),
            "basis": copy.basis if copy.settled or copy.basis == "known" else "guess",
            "last_month": copy.last_month,
            "check": copy.check or "structure",
            "here": state,
            **{
                key: getattr(copy, key)
                for key in ("repository", "commit", "path", "note")
            },
        }
        for copy, state in zip(listed, states(folder, listed), strict=True)
    ]
    n_releases = len({copy.release for copy in listed})
    click.echo(f"{len(rows)} copies of {n_releases} releases", err=True)
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
@add_options(opt.ARCHIVE, opt.RELEASE, _ACCEPT)
def add(
    files: tuple[Path, ...],
    archive: Path | None = None,
    release: str | None = None,
    accept: str | None = None,
    typed: tuple[str, ...] = (),
) -> Answer:
    """Add the releases in FILE... to an archive, by state or by county as their columns say.

    A FILE is added whole or not at all. One that cannot be trusted is refused with the row and the
    reason; the others are added, and the exit status is 1. A release never changes: adding the same
    numbers again does nothing, and other numbers for the same date are refused.

    A release that contradicts itself (sums, classes, jumps) is set aside and never used. If CDC
    really published it, use --accept REASON; the reason stays with every result.
    """
    if len(files) > 1:
        refuse(typed, _ONE_FILE, "--release", "--accept")
    folder = archive or default_folder()
    codes = []
    for file in files:
        try:
            loaded = read_release(file, release)
            is_new = folder_archive(folder).add(loaded, accept)
        except (DataError, ArchiveError) as error:
            codes.append(error.code)
            click.echo(f"error: {error}", err=True)
            continue
        name = source_of(loaded)["file"]
        text = "was there already, unchanged"
        if is_new:
            months = loaded.table["month"]
            span = f"{months.min():%Y-%m} to {months.max():%Y-%m}"
            text = f"added, {len(months):,} rows, months {span}"
        dataset = _of_counties(dataset_of(loaded))
        click.echo(f"{name}: release {loaded.release}{dataset} {text}")
        for sentence in notes_of(loaded):
            note(f"{name}: {sentence}")
    failure = _failure(codes, max(codes, default=0))
    if codes and len(files) > 1:
        kind = QuarantineError if QuarantineError.code in codes else DataError
        failure = kind(f"{len(codes)} of {len(files)} files refused")
    return Answer(_content(folder), failure=failure)


# Look at releases


@data.command(short_help="List the releases of an archive, or what happened to them.")
@add_options(
    opt.ARCHIVE,
    opt.DATASET,
    opt.what_option("--log", help="Show what happened to releases, oldest first."),
    opt.what_option("--delays", help="Show the releases with known reporting delays."),
    opt.JSON,
)
def releases(
    data: Data,
    dataset: str = STATES,
    log: bool = False,
    delays: bool = False,
    as_json: bool = False,
    typed: tuple[str, ...] = (),
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
        refuse(typed, "does not go with --log and --delays", "--dataset")
    if log:  # without the bundled releases beneath: nothing happens to them
        return _log(od.Archive(_own_archive(data.archive).path or ""))
    store = data.open()
    if delays:
        return _delays(store)
    if dataset == STATES and (dates := store.releases(COUNTIES)):
        note(
            f"{number_of(len(dates), 'release')} of counties: --dataset counties lists them"
        )
    if dataset == COUNTIES and not as_json:
        _newest_counties(store)
    rows = [
        _release_row(store, date, dataset=dataset) for date in store.releases(dataset)
    ]
    return _listed(rows, _RELEASES[dataset])


def _delays(store: od.Archive) -> Answer:
    """The releases whose reporting delay is known: those of an archive, and the shipped ones."""
    donors, left_out = gathered(store)
    dates = {donor.release for donor in donors}
    bundled = [donor for donor in shipped() if donor.release not in dates]
    rows = []
    for donor in linked([*donors, *bundled]):
        rows.append(
            _donor_row(donor, "archive" if donor.release in dates else "shipped")
        )
    lines = [lay(rows, _DONORS)]
    for release, reason in left_out.items():
        lines.append(wrapped(f"left out: {release}: {reason}", indent="  "))
    return Answer("\n".join(lines), rows)


def _release_row(store: od.Archive, date: dt.date, dataset: str) -> Row:
    """What is known of a release, as JSON can hold it."""
    table = store.release(date, None, dataset)
    origin = store.origin(date, dataset)
    row: Row = {"release": str(date), "rows": len(table)}
    if dataset == COUNTIES:
        last = table[table["month"] == table["month"].max()]
        row |= _span(table)
        row["shown_last"] = int(last["deaths"].notna().sum())
        row["hidden_last"] = int((last["status"] == "suppressed").sum())
        row["missing"] = int((table["status"] == "missing").sum())
        row["deaths_last"] = float(np.nansum(last["deaths"]))
    else:
        summary = summarise(table)
        row["first_month"] = summary["first_month"]
        row["last_month"] = summary["last_month"]
        row["jurisdictions"] = len(summary["jurisdictions"])
        row["indicators"] = len(summary["indicators"])
        row["us_last"] = summary["us_last"]
        row["adds_up"] = check_sums(table).adds_up
    return {
        **row,
        "data_hash": store.data_hash(date, dataset),
        "origin": origin.kind,
        "place": origin.place,
        "file": origin.file,
        "sha256": origin.sha256,
        "basis": origin.basis,
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
    text = plain(kinds.get(row["origin"]) or row["file"] or "a file", 160)
    return text if len(text) <= _FROM else f"{text[: _FROM - 1]}…"


_STARTS = (
    text_of("release"),
    text_of("months", lambda row: f"{row['first_month']}..{row['last_month']}"),
)
_ENDS = (
    text_of("date", "basis"),
    text_of("checked", _checked),
    text_of("from", _came_from),
)
#: Columns of the releases of each data set.
_RELEASES = {
    STATES: (*_STARTS, Column("US, last", "us_last"), *_ENDS),
    COUNTIES: (
        *_STARTS,
        Column("counties", "counties"),
        Column("hidden", "hidden_last"),
        *_ENDS,
    ),
}


def _log(store: od.Archive) -> Answer:
    """What happened to the releases of an archive."""
    log = store.log
    rows: list[Any] = log.assign(release=log["release"].astype(str)).to_dict("records")
    if not rows:
        note("nothing has happened yet: the archive is empty")
    return _listed(rows, _EVENTS)


def _file_and_reason(row: Row) -> str:
    """Which file, and why."""
    return "; ".join(text for text in (row["file"], row["reason"]) if text)


_EVENTS = (
    text_of("at", lambda row: row["at"] or "-"),
    text_of("event"),
    text_of("release"),
    text_of("numbers", "data_hash"),
    text_of("of", "dataset"),
    text_of("file and reason", _file_and_reason),
)
_SHORT = {"predicted": "CDC", "pending": "pending", "all deaths": "deaths"}


def _published(row: Row) -> str:
    """What a donor says beside its counts."""
    return ", ".join(_SHORT[name] for name in row["says"]) or "nothing"


_DONORS = (
    text_of("release"),
    text_of("era"),
    text_of("to", "last_month"),
    Column("open", "open_months"),
    Column("missing", "missing", form="{:.1%}"),
    Column("in last", "missing_last_month", form="{:.1%}"),
    text_of("says", _published),
    text_of("from"),
)


def _donor_row(donor: Donor, origin: str) -> Row:
    """What is known of a donor, as JSON can hold it."""
    late = None
    if NATION in donor.locations:
        late = donor.late[donor.locations.index(NATION)][:12]
    layers = {
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
        "says": [name for name, values in layers.items() if np.isfinite(values).any()],
        "predecessors": [
            str(predecessor.release) for predecessor in donor.predecessors
        ],
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
@add_options(opt.SOURCES, opt.AS_OF, opt.DATASET, opt.RELEASE, opt.LOCATIONS, opt.JSON)
def check(
    files: tuple[Path, ...],
    data: Data,
    dataset: str = STATES,
    locations: str = "all",
    typed: tuple[str, ...] = (),
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
            typed,
            "does not go with FILE...",
            "--archive",
            "--source",
            "--as-of",
            "--dataset",
            "--locations",
        )
        if len(files) > 1:
            refuse(typed, _ONE_FILE, "--release")
        return _files(files, data.release)
    release = _find_release(data, dataset)
    flags = check_release(release.table, release.before, release.states)
    if locations != "all":
        places = resolve(locations)
        if release.dataset == COUNTIES:
            # A state is checked with its counties: flags on either bear on it.
            for state in places:
                if not state.isdigit():
                    places += resolve(f"{state}/*")
        flags = [flag for flag in flags if flag.location in places]
    return Answer(
        lambda: _flags(release, flags),
        [flag.to_dict() for flag in flags],
        failure=_failure(any(flag.severity == "error" for flag in flags)),
    )


class Release(NamedTuple):
    """One release to look at."""

    dataset: str
    date: dt.date
    table: pd.DataFrame
    #: The release before it, and its date.
    before: pd.DataFrame | None = None
    earlier: dt.date | None = None
    #: For counties, the states' counts.
    states: pd.DataFrame | None = None


def _find_release(data: Data, dataset: str) -> Release:
    """The release that a command looks at: of an archive as of a day, or of one file.

    A file is told by its columns, whatever ``dataset`` says.
    """
    if data.source not in (None, BUNDLED) and data.archive is None:
        loaded = read_release(data.source, data.release)
        if dataset_of(loaded) == COUNTIES:
            for text in notes_of(loaded):
                note(f"{Path(data.source).name}: {text}")
            return Release(
                COUNTIES,
                loaded.release,
                table=loaded.table,
                states=_states_of(od.archive(), loaded.release),
            )
    store = data.open(look=True)
    states = None
    if dataset == COUNTIES:
        date = _newest_counties(store, data.as_of)
        text = store.reason(date, COUNTIES)
        states = _states_of(store, date)
    else:
        vintage = store.as_of(data.as_of)
        date = vintage.date
        text = vintage.note or ""
    if text:
        note(text)
    earlier = max((day for day in store.releases(dataset) if day < date), default=None)
    return Release(
        dataset,
        date,
        table=store.release(date, None, dataset),
        before=None if earlier is None else store.release(earlier, None, dataset),
        earlier=earlier,
        states=states,
    )


def _states_of(store: od.Archive, date: dt.date) -> pd.DataFrame | None:
    """The states' counts known that day, or the first after it: for looking, no more."""
    dates = store.releases()
    if not dates:
        return None
    return store.release(max((day for day in dates if day <= date), default=dates[0]))


def _newest_counties(store: od.Archive, as_of: str | None = None) -> dt.date:
    """The newest release of counties known on a day, also where there is none of states."""
    day = dt.date.max if as_of is None else to_date(as_of)
    return od.Vintage(store, day, date=day, note=None).release(COUNTIES)


def _files(files: Sequence[Path], release: str | None) -> Answer:
    """What is in files; the failure says how many were refused."""
    rows: list[Row] = []
    texts = []
    n_refused = 0
    for file in files:
        try:
            loaded = read_release(file, release)
        except DataError as error:
            n_refused += 1
            message = error.message.removeprefix(file.name).lstrip(": ")
            rows.append({"file": file.name, "error": message, "hint": error.hint})
            lines = facts({"REFUSED": message, "what to do": error.hint})
        else:
            row = (
                _county_facts(loaded)
                if isinstance(loaded, Counties)
                else loaded.report.to_dict()
            )
            rows.append(row)
            lines = facts(_shown_facts(row))
        texts.append(f"{file.name}\n{lines}")
    failure = (
        DataError(f"{n_refused} of {len(files)} files refused") if n_refused else None
    )
    return Answer("\n\n".join(texts), rows, failure=failure)


def _shown_facts(row: Row) -> Row:
    """What the screen shows of a file: notes last, a line each."""
    shown = {key: value for key, value in row.items() if key not in ("file", "notes")}
    shown["sha256"] = row["sha256"][:16]
    for n, text in enumerate(row["notes"], 1):
        shown[f"note {n}"] = text
    return shown


def _county_facts(loaded: Counties) -> Row:
    """What is in a file of counties, as JSON can hold it."""
    deaths = loaded.table["deaths"]
    return {
        "file": loaded.file,
        "sha256": loaded.sha256,
        "dataset": COUNTIES,
        "release": str(loaded.release),
        "data_as_of": str(loaded.data_as_of),
        "rows_kept": len(deaths),
        "left_out": loaded.duplicates,
        **_span(loaded.table),
        "shown": int(deaths.notna().sum()),
        "zero": int((deaths == 0).sum()),
        "suppressed": loaded.suppressed,
        "missing": loaded.missing,
        "largest": None if deaths.isna().all() else float(deaths.max()),
        "notes": list(loaded.notes),
    }


def _flags(release: Release, flags: Sequence[Flag]) -> str:
    """Flags by severity, under a line on the release."""
    head = f"release {release.date}{_of_counties(release.dataset)}, {len(release.table):,} rows"
    if release.earlier:
        head += f", against that of {release.earlier}"
    lines = [head]
    for severity in SEVERITIES:
        rows = [
            [flag.location, flag.month or "", f"{flag.code}: {flag.message}"]
            for flag in flags
            if flag.severity == severity
        ]
        if rows:
            lines += [f"\n{number_of(len(rows), severity)}", columns(rows)]
    if not flags:
        lines.append("nothing to flag")
    return "\n".join(lines)


@data.command(short_help="Show how counts changed from release to release.")
@click.argument("location", required=False, metavar="[PLACE]")
@add_options(
    opt.ARCHIVE,
    opt.INDICATOR,
    opt.what_option("--between A B", nargs=2, help="Compare two releases: 2024-12-11."),
    opt.JSON,
    opt.PLOT,
    out(
        "A row for each release and a column for each month, or all differences: .csv.",
        (".csv",),
    ),
)
def revisions(
    location: str | None,
    data: Data,
    indicator: str = "all-drugs",
    between: tuple[str, str] | None = None,
    out: Path | None = None,
    typed: tuple[str, ...] = (),
) -> Answer:
    """Show how the counts of PLACE (default: US) changed from release to release.

    For each month: the first count and its age (months from the end of the 12-month period to the
    release), the newest count, the change, and the number of releases. Then completeness by age:
    the count at that age, divided by the count in the newest release.

    With --between A B: what release B reports differently from release A, for all places or for
    PLACE (OH,WV). --indicator all compares all indicators.
    """
    store = data.open()
    if between:
        refuse(typed, "does not go with --between", "--plot")
        return _differences_answer(
            store, location, indicator=indicator, between=between, out=out
        )
    place = lookup(location or "US")
    revisions = revisions_of(
        store, location or "US", indicator=indicator_name(indicator)
    )
    for date, reason in revisions.skipped.items():
        note(f"release {date} left out: {reason}")
    table = revisions.triangle(place.state).dropna(axis=1, how="all")
    long = table.melt(ignore_index=False, value_name="count").dropna().reset_index()
    months = long.groupby("month", as_index=False).agg(
        first_release=("release", "first"),
        first=("count", "first"),
        newest_release=("release", "last"),
        newest=("count", "last"),
        releases=("count", "size"),
    )
    curve = revisions.units(SETTLED)
    if len(curve):
        curve = completeness(curve, by=())
        curve = curve[curve["age"] <= AGES]
    meta = {
        "location": place.state,
        "name": place.name,
        "indicator": revisions.indicator,
        "releases": [str(day) for day in revisions.releases],
        "skipped": [str(day) for day in revisions.skipped],
        "settled": SETTLED,
    }

    def text() -> str:
        """A row per month, and one per age."""
        days = revisions.releases
        lines = [
            wrapped(
                f"{place.name}, {revisions.indicator}, 12 months ending, as reported"
            ),
            wrapped(f"{len(days)} releases, {days[0]} to {days[-1]}"),
        ]
        if len(months):
            lines.append(f"\n{lay(months.tail(LAST), _REVISIONS)}")
        if curve.empty:
            lines.append("\nno count has a later release to compare with")
        else:
            lines.append(f"\nCompleteness: % of the count in release {days[-1]}\n")
            lines.append(lay(curve, _COMPLETENESS))
        return "\n".join(lines)

    files: Files = []
    if out is not None:
        labels = [f"{month:%Y-%m}" for month in table.columns]
        rows = table.set_axis(labels, axis=1).reset_index()
        line = f"table: {out} ({table.shape[0]} releases, {table.shape[1]} months)"
        files.append((partial(write_table, rows, out), line))
    return Answer(
        text,
        {"meta": meta, "months": months, "completeness": curve},
        figure=lambda: od.plot.revision_triangle(
            revisions, place.state, settled=SETTLED
        ),
        files=files,
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


def _percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.1f}"


_COMPLETENESS = (
    Column("age", "age"),
    Column("counts", "n"),
    Column("5%", "low", form=_percent),
    Column("median", "median", form=_percent),
    Column("95%", "high", form=_percent),
)


def _differences_answer(
    store: od.Archive,
    location: str | None,
    indicator: str,
    between: tuple[str, str],
    out: Path | None,
) -> Answer:
    """What the second of two releases reports differently from the first."""
    changes = compare(
        store, *between, None if indicator == "all" else indicator_name(indicator)
    )
    if location is not None:
        changes = changes[changes["state"].isin(resolve(location))]
    files: Files = []
    if out is not None:
        line = f"table: {out} ({len(changes):,} differences)"
        files.append((partial(write_table, changes, out), line))
    return Answer(lambda: _differences(changes, *between), changes, files=files)


def _differences(changes: pd.DataFrame, a: str, b: str) -> str:
    """What release B reports differently from release A: counted, and the newest changes."""
    kinds = changes["kind"].value_counts()
    counts = ", ".join(f"{n:,} counts {kind}" for kind, n in kinds.items())
    text = f"{b} against {a}: {counts or 'no difference'}"
    changed = changes[changes["kind"] == "changed"].dropna(subset=["change"])
    if changed.empty:
        return text
    n_down = int((changed["change"] < 0).sum())
    shown = changed.sort_values("month", kind="stable").tail(LAST)
    cells = [
        text_of("", "state"),
        Column("month", "month", form="{:%Y-%m}"),
        Column(a, "reported_a"),
        Column(b, "reported_b"),
        Column("change", "change", form="{:+,.0f}"),
        Column("%", "percent", form="{:+.2f}"),
    ]
    lines = [text, f"{len(changed) - n_down:,} went up, {n_down:,} went down\n"]
    if len(set(shown["indicator"])) > 1:
        cells.append(text_of("indicator", lambda row: row["indicator"][:_NAME]))
    else:
        lines.append(f"{shown['indicator'].iloc[0]}\n")
    lines.append(lay(shown, cells))
    if len(shown) < len(changed):
        lines.append(
            f"... and {len(changed) - len(shown):,} more (--out and --json have all)"
        )
    return "\n".join(lines)


@data.command(short_help="Write one release, or its monthly deaths, as a table.")
@add_options(
    opt.SOURCES,
    opt.AS_OF,
    opt.DATASET,
    opt.RELEASE,
    out(
        "A .csv or .parquet file, or - for CSV on standard output.",
        (".csv", ".parquet", "-"),
        required=True,
    ),
    opt.what_option(
        "--monthly PLACES", help="Monthly deaths of these places instead: US,WV or all."
    ),
    opt.INDICATOR,
    opt.data_option(
        "--wonder FILE",
        multiple=True,
        type=opt.PATH,
        reads=True,
        advanced=True,
        help="CDC WONDER export with the true months. Can be repeated.",
    ),
    opt.DRAWS,
    opt.SEED,
)
def export(
    data: Data,
    simulation: Simulation,
    out: Path,
    dataset: str = STATES,
    monthly: str | None = None,
    indicator: str = "all-drugs",
    wonder: tuple[Path, ...] = (),
    typed: tuple[str, ...] = (),
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
        refuse(
            typed, "goes with --monthly", "--indicator", "--wonder", "--draws", "--seed"
        )
        release = _find_release(data, dataset)
        date = release.date
        table = release.table
        unit = "rows"
    else:
        if not stdout:
            opt.check_outputs(("--out", out, (".csv",)))
        if dataset != STATES:
            raise click.UsageError("--monthly goes with the counts of states")
        date, table = _monthly_deaths(
            data,
            monthly,
            indicator=indicator_name(indicator),
            wonder=wonder,
            simulation=simulation,
        )
        unit = "months"
    if stdout:
        click.echo(_csv_of(table), nl=False)
        return
    with replacing(out) as part:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(part, index=False)
        else:
            part.write_text(_csv_of(table), encoding="utf-8", newline="")
    click.echo(f"{out}: release {date}, {len(table):,} {unit}", err=True)


def _monthly_deaths(
    data: Data,
    places: str,
    indicator: str,
    wonder: Sequence[Path],
    simulation: Simulation,
) -> tuple[dt.date, pd.DataFrame]:
    """The date of a release, and the monthly deaths behind its 12-month counts."""
    if simulation.draws < 100:
        raise click.UsageError("--draws: quantiles need at least 100")
    if wonder and indicator != ALL_DRUGS:
        raise click.UsageError(
            "--wonder is for all drugs only: leave it out for a drug class",
        )
    vintage = data.open().as_of(data.as_of)
    recovered = recovered_months(
        vintage.table,
        places,
        indicator=indicator,
        wonder=[read_wonder(path) for path in wonder],
        draws=simulation.draws,
        seed=simulation.seed,
    )
    for text in (vintage.note, *recovered.notes):
        if text:
            note(text)
    return vintage.date, recovered.table


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
@add_options(opt.ARCHIVE, opt.DATASET, _REASON)
def accept(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE that was set aside, although it contradicts itself.

    For numbers that CDC really published. The reason goes with every panel, forecast and score made
    from them.
    """
    _own_archive(archive).accept(date, reason, dataset)
    click.echo(f"release {date} is used from now on: {' '.join(reason.split())}")


@fix.command(short_help="Replace a wrong file with the right one.")
@click.argument("file", type=opt.PATH)
@add_options(opt.ARCHIVE, opt.RELEASE, _ACCEPT, _REASON)
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
    store = _own_archive(archive)
    loaded = read_release(file, release)
    replaced = store.replace(loaded, reason, accept)
    result = "replaced" if replaced else "has these numbers already"
    click.echo(f"release {loaded.release} {result}")


@fix.command(short_help="Stop using a release.")
@click.argument("date")
@add_options(opt.ARCHIVE, opt.DATASET, _REASON)
def retract(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Stop using the release of DATE; its numbers stay in the archive."""
    _own_archive(archive).retract(date, reason, dataset)
    click.echo(f"release {date} is no longer used: {' '.join(reason.split())}")
