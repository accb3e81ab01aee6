"""``odforecast data``: look into files, keep releases in an archive, export tables."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import click

from odforecast.cli import data_counties as counties
from odforecast.cli.data_check import check
from odforecast.cli.data_dataset import came_from, checked, facts_said, former_words, seen
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
    dataset_option,
    json_option,
    out_option,
    release_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.screen import note, print_lines
from odforecast.cli.source import open_source, source_options
from odforecast.errors import ArchiveError, DataError
from odforecast.io import replacing
from odforecast.names import COUNTIES, DATASETS, STATES
from odforecast.say import number_of
from odforecast.sources.county import Counties
from odforecast.sources.release import read_release
from odforecast.sources.vsrr import LoadReport, check_sums, summarise
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import default_folder, folder_archive
from odforecast.vintage.dataset import notes_of, of_table, source_of

_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
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
            loaded = read_release(file, release)
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
            answers.append(counties.facts(loaded) if isinstance(loaded, Counties)
                           else loaded.report.to_dict())  # fmt: skip
        else:
            said = (
                counties.described(loaded)
                if isinstance(loaded, Counties)
                else _described(loaded.report)
            )
            click.echo(("\n" if number else "") + said)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    if refused:
        click.echo(f"error: {refused} of {len(files)} files refused", err=True)
        raise click.exceptions.Exit(1)


def _described(report: LoadReport) -> str:
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
    return facts_said(report.file, rows)


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
    """Add the releases in FILE... to an archive, by state or by county as their columns say.

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
            one = read_release(file, release)
            done = folder_archive(archive).add(one, accept)
        except (DataError, ArchiveError) as error:
            refused += 1
            click.echo(f"error: {error}", err=True)
            continue
        months = one.table["month"]
        name = source_of(one)["file"]
        of = " of counties" if isinstance(one, Counties) else ""
        click.echo(
            f"{name}: release {one.release}{of} "
            + (
                f"added, {len(one.table):,} rows, months {months.min():%Y-%m} to "
                f"{months.max():%Y-%m}"
                if done
                else "was there already, unchanged"
            )
        )
        for text in notes_of(one):
            note(f"{name}: {text}")
    for dataset in DATASETS:
        if dates := store.releases(dataset):
            of = "" if dataset == STATES else f" of {dataset}"
            click.echo(
                f"{archive} holds {len(dates)} release{'s' * (len(dates) > 1)}{of}, "
                f"{dates[0]} to {dates[-1]}"
            )
    if refused:
        if len(files) > 1:
            click.echo(f"error: {refused} of {len(files)} files refused", err=True)
        raise click.exceptions.Exit(1)


@data.command(short_help="List the releases of an archive.")
@archive_option
@dataset_option
@json_option
def releases(archive: Path | None, dataset: str, as_json: bool) -> None:
    """List the releases of an archive: what was known, and when, and where it came from.

    DATE says how the release date is known: given with a file, known from CDC, or inferred by
    CDC's calendar, from the list of copies or from the last month in the file. CHECKED says what
    was checked: the bytes by a hash that was known before, or the structure alone (the file can
    be read, and does not contradict itself). --json has more: rows, places, indicators, hashes, and
    where a copy came from.
    """
    store = open_source(archive)
    if dataset == COUNTIES:
        counties.listing(store, as_json)
        return
    if others := store.releases(COUNTIES):
        note(f"{number_of(len(others), 'release')} of counties: --dataset counties lists them")
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
                checked(row["checks"]),
                came_from(row["origin"], row["place"], row["file"]),
            )
        )
    print_lines(lines, "{:<10}  {:<16}  {:>8}  {:<10}  {:<9}")


@data.command(short_help="Write one release as a clean long table.")
@source_options
@as_of_option
@dataset_option
@release_option
@out_option("A .csv or .parquet file, or - for CSV on standard output.", required=True)
def export(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    dataset: str,
    release: str | None,
    out: Path,
) -> None:
    """Write one release as a clean long table, the same columns whatever file it came from.

    One row per location, month and indicator: release, location (FIPS, US or NYC), state
    (CDC's code), month (YYYY-MM, ends the 12-month period), indicator, reported, predicted,
    percent_complete, percent_pending, status. Blank means not published; status says why.
    Of counties: release, fips, state, county, month, deaths, status, percent_pending,
    completeness_note, urban.
    """
    stdout = str(out) == "-"
    if not stdout:
        check_outputs(("--out", out, (".csv", ".parquet")), read=(source,))
    found = seen(archive, source, release, as_of, dataset)
    if stdout:
        click.echo(_csv(found.table), nl=False)
        return
    with replacing(out) as temp:
        if out.suffix.lower() == ".csv":
            temp.write_text(_csv(found.table), encoding="utf-8", newline="")
        else:
            found.table.to_parquet(temp, index=False)
    click.echo(f"{out}: release {found.date}, {len(found.table):,} rows", err=True)


def _csv(table: Any) -> str:
    buffer = io.StringIO()
    of_table(table).text(table).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


for command in (releases, export):
    former_words(command)
for command in (
    accept_, replace, retract, log, fetch, revisions, compare, check, months, donors,
):  # fmt: skip
    data.add_command(command)
