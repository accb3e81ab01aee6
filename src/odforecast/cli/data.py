"""``odforecast data``: look into files, keep releases in an archive, export tables."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import click

from odforecast.cli.data_check import check
from odforecast.cli.data_donors import donors
from odforecast.cli.data_fetch import fetch
from odforecast.cli.data_ledger import accept as accept_
from odforecast.cli.data_ledger import log, replace, retract
from odforecast.cli.data_months import months
from odforecast.cli.data_revisions import compare, revisions
from odforecast.cli.meant import Group
from odforecast.cli.options import (
    ACCEPT,
    archive_option,
    as_of_option,
    json_option,
    out_option,
    release_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note, print_lines, wrapped
from odforecast.cli.source import open_source, source_options
from odforecast.errors import ArchiveError, DataError
from odforecast.io import replacing
from odforecast.sources.quoting import plain
from odforecast.sources.report import LoadReport, check_sums, summarise
from odforecast.sources.table import to_text
from odforecast.sources.vsrr import Loaded, read_vsrr
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import default_folder, folder_archive

_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
#: Widest word on where a release came from.
_FROM = 17
_STATUS_WORDS = {
    "suppressed": "suppressed (fewer than 10 deaths)",
    "low_quality": "not shown (low data quality)",
    "missing": "blank, no reason given",
}


@click.group(cls=Group)
def data() -> None:
    """Look into CDC's files, keep releases in an archive, export tables."""


@data.command(short_help="Say what is in files: rows kept and left out, months, places.")
@_FILES
@release_option
@json_option
def inspect(files: tuple[Path, ...], release: str | None, as_json: bool) -> None:
    """Say what is in FILE...: rows, months, jurisdictions, what is left out and why.

    A file that cannot be trusted is refused with the row and the reason; the others are still
    shown, and the exit status is 1.
    """
    _one_release(files, release)
    answers: list[dict[str, Any]] = []
    refused = 0
    for number, file in enumerate(files):
        try:
            loaded = read_vsrr(file, release)
        except DataError as error:
            refused += 1
            message = error.message.removeprefix(file.name).lstrip(": ")
            if as_json:
                answers.append({"file": file.name, "error": message, "hint": error.hint})
            else:
                click.echo(f"{chr(10) if number else ''}{file.name}\n  REFUSED      {message}")
                click.echo(f"  what to do   {error.hint}")
            continue
        if as_json:
            answers.append(loaded.report.to_dict())
        else:
            click.echo(("\n" if number else "") + _describe(loaded.report))
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    if refused:
        click.echo(f"error: {refused} of {len(files)} files refused", err=True)
        raise click.exceptions.Exit(1)


def _describe(report: LoadReport) -> str:
    """Report in words, one fact a line."""
    blank = {k: report.statuses[k] for k in _STATUS_WORDS if report.statuses[k]}
    rows = [
        ("release", f"{report.release} ({report.kind}, sha256 {report.sha256[:16]})"),
        ("months", f"{report.first_month} to {report.last_month}"),
        ("rows read", f"{report.rows_read:,}"),
        ("rows kept", f"{report.rows_kept:,}"),
    ]
    if report.exact_duplicates:
        rows.append(("", f"{report.exact_duplicates:,} left out: repeat an earlier row exactly"))
    if report.blank_rows:
        rows.append(("", f"{report.blank_rows:,} empty lines skipped"))
    rows.append(("reported", f"{report.statuses['ok']:,} values; {sum(blank.values()):,} blank"))
    rows += [("", f"{count:,} {_STATUS_WORDS[status]}") for status, count in blank.items()]
    places = [s for s in report.jurisdictions if s != "US"]
    rows.append(("places", f"{'US and ' if 'US' in report.jurisdictions else ''}"
                           f"{len(places)} jurisdictions"))  # fmt: skip
    rows += [("indicators" if i == 0 else "", name) for i, name in enumerate(report.indicators)]
    us = "no count" if report.us_last is None else f"{report.us_last:,.0f} overdose deaths"
    rows.append(("US reported", f"{us} in the 12 months ending {report.last_month}"))
    adds_up = {
        True: f"jurisdictions add up to US exactly, in all {report.sums.checked:,} checked",
        False: f"jurisdictions do NOT add up to US: {report.sums.failed:,} of "
        f"{report.sums.checked:,} differ",
        None: "not checked: US or a jurisdiction is not in the file",
    }[report.sums.adds_up]
    rows.append(("sums", adds_up))
    if report.lower_bounds:
        rows.append(("bounds", f"{report.lower_bounds:,} percents like '99.5+' read as the bound"))
    rows += [("note", note) for note in report.notes]
    lines = (wrapped(f"  {name:<12} {text}", indent=" " * 15) for name, text in rows)
    return "\n".join([report.file, *lines])


def _one_release(files: tuple[Path, ...], release: str | None) -> None:
    if release is not None and len(files) > 1:
        raise click.UsageError("--release names the date of one file; give one FILE")


@data.command(short_help="Add releases to an archive.")
@_FILES
@archive_option
@release_option
@click.option("--accept", metavar="REASON", help=ACCEPT)
def add(
    files: tuple[Path, ...], archive: Path | None, release: str | None, accept: str | None
) -> None:
    """Add the releases in FILE... to an archive.

    A FILE is added whole or not at all. One that cannot be trusted is refused with the row and
    the reason; the others are added, and the exit status is 1. A release never changes: adding
    the same numbers again does nothing, other numbers for the same date are refused.

    A release that contradicts itself (sums, classes, jumps) is stored apart and used by nothing.
    If CDC did publish it so, --accept REASON: the reason stays with all that is made from it.
    """
    _one_release(files, release)
    if accept is not None and len(files) > 1:
        raise click.UsageError("--accept is about one file; give one FILE")
    archive = archive or default_folder()
    store = Archive(archive)
    refused = 0
    for file in files:
        try:
            one: Loaded = read_vsrr(file, release)
            done = folder_archive(archive).add(one, accept)
        except (DataError, ArchiveError) as error:
            refused += 1
            click.echo(f"error: {error}", err=True)
            continue
        report = one.report
        click.echo(
            f"{report.file}: release {report.release} "
            + (
                f"added, {report.rows_kept:,} rows, months {report.first_month} to "
                f"{report.last_month}"
                if done
                else "was there already, unchanged"
            )
        )
        for text in report.notes:
            note(f"{report.file}: {text}")
    if dates := store.releases():
        click.echo(
            f"{archive} holds {len(dates)} release{'s' * (len(dates) > 1)}, "
            f"{dates[0]} to {dates[-1]}"
        )
    if refused:
        if len(files) > 1:
            click.echo(f"error: {refused} of {len(files)} files refused", err=True)
        raise click.exceptions.Exit(1)


@data.command(short_help="List the releases of an archive.")
@archive_option
@json_option
def releases(archive: Path | None, as_json: bool) -> None:
    """List the releases of an archive: what was known, and when, and where it came from.

    DATE says how the release date is known: given with a file, known from CDC, or inferred by
    CDC's calendar, from the list of copies or from the last month in the file. CHECKED says what
    was checked: the bytes by a hash that was known before, or the structure alone (the file can
    be read, and does not contradict itself). --json has more: rows, places, indicators, hashes, and
    where a copy came from.
    """
    store = open_source(archive)
    rows = []
    for date in store.releases():
        seen = store.as_of(date)
        found = summarise(seen.table)
        origin = store.origin(date)
        rows.append(
            {
                "release": str(date),
                "rows": found["rows_kept"],
                "first_month": found["first_month"],
                "last_month": found["last_month"],
                "jurisdictions": len(found["jurisdictions"]),
                "indicators": len(found["indicators"]),
                "us_last": found["us_last"],
                "adds_up": check_sums(seen.table).adds_up,
                "data_hash": seen.data_hash,
                "origin": origin.kind,
                "place": origin.place,
                "file": origin.file,
                "sha256": origin.sha256,
                "basis": origin.basis,
                "checks": origin.checks.split(", "),
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    lines = [("release", "months", "US, last", "date", "checked", "from")]
    for row in rows:
        lines.append(
            (
                row["release"],
                f"{row['first_month']}..{row['last_month']}",
                "-" if row["us_last"] is None else f"{row['us_last']:,.0f}",
                row["basis"],
                _checked(row["checks"]),
                _from(row["origin"], row["place"], row["file"]),
            )
        )
    print_lines(lines, "{:<10}  {:<16}  {:>8}  {:<10}  {:<9}")


def _checked(checks: list[str]) -> str:
    """The strongest of the checks; that a release was accepted in spite of them counts more."""
    return next(c for c in ("accepted", "sha256", "git blob", "structure") if c in checks)


def _from(kind: str, place: str, file: str) -> str:
    """Where a release came from, in a word or two; --json has all of it."""
    words = {
        "bundled": "bundled",
        "cdc": "CDC" if place in ("", "data.cdc.gov") else f"CDC, {place}",
        "past": "past copy",
    }
    said = plain(words.get(kind) or file or "a file", 160)
    return said if len(said) <= _FROM else f"{said[: _FROM - 1]}…"


@data.command(short_help="Write one release as a clean long table.")
@source_options
@as_of_option
@release_option
@out_option("A .csv or .parquet file, or - for CSV on standard output.", required=True)
def export(
    archive: Path | None, source: str, as_of: str | None, release: str | None, out: Path
) -> None:
    """Write one release as a clean long table, the same columns whatever file it came from.

    One row per location, month and indicator: release, location (FIPS, US or NYC), state
    (CDC's code), month (YYYY-MM, ends the 12-month period), indicator, reported, predicted,
    percent_complete, percent_pending, status. Blank means not published; status says why.
    """
    stdout = str(out) == "-"
    if not stdout:
        check_outputs(("--out", out, (".csv", ".parquet")), read=(source,))
    store = open_source(archive, source, release, look=True)
    seen = store.as_of(as_of)
    if seen.note:
        note(seen.note)
    if stdout:
        click.echo(_csv(seen.table), nl=False)
        return
    with replacing(out) as temp:
        if out.suffix.lower() == ".csv":
            temp.write_text(_csv(seen.table), encoding="utf-8", newline="")
        else:
            seen.table.to_parquet(temp, index=False)
    click.echo(f"{out}: release {seen.date}, {len(seen.table):,} rows", err=True)


def _csv(table: Any) -> str:
    buffer = io.StringIO()
    to_text(table).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


for command in (
    accept_, replace, retract, log, fetch, revisions, compare, check, months, donors,
):  # fmt: skip
    data.add_command(command)
