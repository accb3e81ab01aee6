"""What the data commands show: files, releases, flags, revisions, donors and past copies."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd

from odforecast.cli.answer import Answer
from odforecast.cli.screen import columns as in_columns
from odforecast.cli.screen import grid, note, wrapped
from odforecast.cli.source import BUNDLED, open_source
from odforecast.errors import ArchiveError, DataError
from odforecast.geography import NATION, resolve
from odforecast.names import COUNTIES, STATES
from odforecast.say import plain
from odforecast.sources.county import Counties
from odforecast.sources.release import read_release
from odforecast.sources.table import to_date, to_text
from odforecast.sources.vsrr import LoadReport, check_sums, summarise
from odforecast.vintage.dataset import dataset_of, notes_of

if TYPE_CHECKING:
    from odforecast.panel import Donor
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.past import Copy, Outcome
    from odforecast.vintage.quality import Flag
    from odforecast.vintage.revisions import Revisions

type Row = dict[str, Any]
#: Head, whether at the right, and the cell: a key of the row, or made from it.
type Column = tuple[str, bool, str | Callable[[Row], str]]

#: Ages of counts, in months, whose completeness is shown.
AGES = 24
#: How the line begins on a copy of a past release; others are plain.
KINDS = {
    "gone": "warning: ", "refused": "error: ", "quarantined": "error: ",
    "differs": "note: ", "retracted": "note: ",
}  # fmt: skip
#: What can become of a copy or version, in the order in which it is counted.
_COUNTED = {
    "added": "added", "there": "there already", "equal": "compared and equal",
    "differs": "compared and different", "quarantined": "set aside", "retracted": "retracted",
    "gone": "not available", "refused": "refused",
}  # fmt: skip
_STATUS_WORDS = {
    "suppressed": "suppressed (fewer than 10 deaths)",
    "low_quality": "not shown (low data quality)",
    "missing": "blank, no reason given",
}
#: Characters of a reason, an indicator and an origin in a line.
_REASON, _NAME, _FROM = 160, 24, 17


def cells_of(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[list[str], list[list[str]]]:
    """The heads and the cells of some columns."""
    cells = [[row[of] if isinstance(of, str) else of(row) for *_, of in columns] for row in rows]
    return [head for head, *_ in columns], cells


def rows_text(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Some columns of rows, the last of any length."""
    heads, cells = cells_of(rows, columns)
    every = [heads, *cells]
    for i, (_, right, _) in enumerate(columns):
        most = max(len(row[i]) for row in every)
        for row in every if right else ():
            row[i] = row[i].rjust(most)
    return in_columns(every, "", whole=True)


def rows_answer(rows: list[Row], columns: Sequence[Column]) -> Answer:
    """Rows as JSON, or some of their columns on the screen."""
    return Answer(lambda: rows_text(rows, columns), rows)


# One release to look at


@dataclass(frozen=True)
class Seen:
    """One release to look at, with the one before, and for counties the states' counts."""

    dataset: str
    date: dt.date
    table: pd.DataFrame
    before: pd.DataFrame | None = None
    earlier: dt.date | None = None
    states: pd.DataFrame | None = None


def seen(
    archive: Path | None, source: str | None, release: str | None, as_of: str | None, dataset: str
) -> Seen:
    """The release that a command looks at: of an archive as of a day, or of one file.

    A file is told by its columns, whatever ``dataset`` says.
    """
    from odforecast.vintage import archive as own

    if source is not None and source != BUNDLED and archive is None:
        loaded = read_release(source, release)
        if dataset_of(loaded) == COUNTIES:
            for text in notes_of(loaded):
                note(f"{Path(source).name}: {text}")
            return _beside(Seen(COUNTIES, loaded.release, loaded.table), own())
    store = open_source(archive, source, release, look=True)
    if dataset == COUNTIES:
        day = None if as_of is None else to_date(as_of)
        known = [d for d in store.releases(COUNTIES) if day is None or d <= day]
        if not known:
            raise no_counties(store, as_of)
        date, text = known[-1], store.reason(known[-1], COUNTIES)
    else:
        vintage = store.as_of(as_of)
        date, text = vintage.date, vintage.note or ""
        known = [d for d in store.releases() if d <= date]
    if text:
        note(text)
    earlier = known[-2] if len(known) > 1 else None
    before = None if earlier is None else store.release(earlier, None, dataset)
    found = Seen(dataset, date, store.release(date, None, dataset), before, earlier)
    return _beside(found, store) if dataset == COUNTIES else found


def no_counties(store: Archive, as_of: str | None = None) -> ArchiveError:
    """What to say of an archive without counts by county, or without any that old."""
    dates = store.releases(COUNTIES)
    return ArchiveError(
        f"{store.path or 'the archive'} holds no release of counties"
        + (f" of {as_of} or before: the first is {dates[0]}" if dates else ""),
        hint="odforecast data fetch --dataset counties, or odforecast data add FILE",
    )


def _beside(found: Seen, store: Archive) -> Seen:
    """With the states' counts known that day, or the first after it: for looking, no more."""
    dates = store.releases()
    if not dates:
        return found
    known = [d for d in dates if d <= found.date]
    return replace(found, states=store.release(known[-1] if known else dates[0]))


def csv_of(table: pd.DataFrame) -> str:
    """A release as CSV, as people read it."""
    buffer = io.StringIO()
    to_text(table).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


def monthly_csv(table: pd.DataFrame) -> str:
    """Recovered months as CSV, to one decimal."""
    numbers = table.select_dtypes("number").columns
    text = table.assign(
        month=table["month"].dt.strftime("%Y-%m"), **{c: table[c].round(1) for c in numbers}
    )
    return text.to_csv(index=False, lineterminator="\n")


# What is in files


def show_files(files: Sequence[Path], release: str | None, as_json: bool) -> int:
    """Say what is in files; how many were refused."""
    answers: list[dict[str, Any]] = []
    refused = 0
    for number, file in enumerate(files):
        try:
            loaded = read_release(file, release)
        except DataError as error:
            refused += 1
            message = error.message.removeprefix(file.name).lstrip(": ")
            answers.append({"file": file.name, "error": message, "hint": error.hint})
            text = f"{file.name}\n  REFUSED      {message}\n  what to do   {error.hint}"
        else:
            if isinstance(loaded, Counties):
                facts = _county_facts(loaded)
                text = _county_words(loaded, facts)
            else:
                facts, text = loaded.report.to_dict(), _state_words(loaded.report)
            answers.append(facts)
        if not as_json:
            click.echo(("\n" if number else "") + text)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    return refused


def _facts(name: str, rows: list[tuple[str, Any]], notes: Iterable[str]) -> str:
    """What is in a file, one fact a line; those without a text are left out."""
    said = [*rows, *(("note", text) for text in notes)]
    lines = (wrapped(f"  {fact:<12} {text}", indent=" " * 15) for fact, text in said if text)
    return "\n".join([name, *lines])


def _state_words(report: LoadReport) -> str:
    blank = {k: report.statuses[k] for k in _STATUS_WORDS if report.statuses[k]}
    places = [s for s in report.jurisdictions if s != NATION]
    us = "no count" if report.us_last is None else f"{report.us_last:,.0f} overdose deaths"
    of = f"{report.sums.checked:,}"
    adds_up = {
        True: f"jurisdictions add up to US exactly, in all {of} checked",
        False: f"jurisdictions do NOT add up to US: {report.sums.failed:,} of {of} differ",
        None: "not checked: US or a jurisdiction is not in the file",
    }[report.sums.adds_up]
    twice, empty, bounds = report.exact_duplicates, report.blank_rows, report.lower_bounds
    rows = [
        ("release", f"{report.release} ({report.kind}, sha256 {report.sha256[:16]})"),
        ("months", f"{report.first_month} to {report.last_month}"),
        ("rows read", f"{report.rows_read:,}"),
        ("rows kept", f"{report.rows_kept:,}"),
        ("", twice and f"{twice:,} left out: repeat an earlier row exactly"),
        ("", empty and f"{empty:,} empty lines skipped"),
        ("reported", f"{report.statuses['ok']:,} values; {sum(blank.values()):,} blank"),
        *(("", f"{count:,} {_STATUS_WORDS[status]}") for status, count in blank.items()),
        ("places", f"{'US and ' * (NATION in report.jurisdictions)}{len(places)} jurisdictions"),
        *(("" if i else "indicators", name) for i, name in enumerate(report.indicators)),
        ("US reported", f"{us} in the 12 months ending {report.last_month}"),
        ("sums", adds_up),
        ("bounds", bounds and f"{bounds:,} percents like '99.5+' read as the bound"),
    ]
    return _facts(report.file, rows, report.notes)


def _county_facts(loaded: Counties) -> dict[str, Any]:
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
        "first_month": f"{table['month'].min():%Y-%m}",
        "last_month": f"{table['month'].max():%Y-%m}",
        "counties": int(table["fips"].nunique()),
        "shown": int(shown.notna().sum()),
        "zero": int((shown == 0).sum()),
        "suppressed": loaded.suppressed,
        "missing": loaded.missing,
        "largest": None if shown.isna().all() else float(shown.max()),
        "notes": list(loaded.notes),
    }


def _county_words(loaded: Counties, found: dict[str, Any]) -> str:
    release = f"{loaded.release} (data as of {loaded.data_as_of}, sha256 {loaded.sha256[:16]})"
    twice = loaded.duplicates
    rows = [
        ("release", release),
        ("months", f"{found['first_month']} to {found['last_month']}"),
        ("rows kept", f"{found['rows_kept']:,}"),
        ("", twice and f"{twice:,} left out: repeat another row"),
        ("places", f"{found['counties']:,} counties, by residence"),
        ("deaths", f"{found['shown']:,} counts, {found['zero']:,} of them zero"),
        ("", f"{loaded.suppressed:,} suppressed (1 to 9 deaths)"),
        ("", f"{loaded.missing:,} blank, no reason given"),
    ]
    return _facts(loaded.file, rows, loaded.notes)


# Releases of an archive


def release_row(store: Archive, date: dt.date, dataset: str) -> dict[str, Any]:
    """What is known of a release, as JSON can hold it."""
    table, origin = store.release(date, None, dataset), store.origin(date, dataset)
    found: dict[str, Any]
    if dataset == COUNTIES:
        last = table[table["month"] == table["month"].max()]
        found = {
            "first_month": f"{table['month'].min():%Y-%m}",
            "last_month": f"{table['month'].max():%Y-%m}",
            "counties": int(table["fips"].nunique()),
            "shown_last": int(last["deaths"].notna().sum()),
            "hidden_last": int((last["status"] == "suppressed").sum()),
            "missing": int((table["status"] == "missing").sum()),
            "deaths_last": float(np.nansum(last["deaths"])),
        }
    else:
        summary = summarise(table)
        found = {
            "first_month": summary["first_month"],
            "last_month": summary["last_month"],
            "jurisdictions": len(summary["jurisdictions"]),
            "indicators": len(summary["indicators"]),
            "us_last": summary["us_last"],
            "adds_up": check_sums(table).adds_up,
        }
    return {
        "release": str(date),
        "rows": len(table),
        **found,
        "data_hash": store.data_hash(date, dataset),
        "origin": origin.kind,
        "place": origin.place,
        "file": origin.file,
        "sha256": origin.sha256,
        "basis": origin.basis,
        "checks": origin.checks.split(", "),
    }


def _checked(row: Row) -> str:
    """The strongest check; that a release was accepted in spite of them counts more."""
    order = ("accepted", "sha256", "git blob", "structure")
    return next(check for check in order if check in row["checks"])


def _came_from(row: Row) -> str:
    """Where a release came from, in a word or two; --json has all of it."""
    place = row["place"]
    words = {
        "bundled": "bundled",
        "cdc": "CDC" if place in ("", "data.cdc.gov") else f"CDC, {place}",
        "past": "past copy",
    }
    said = plain(words.get(row["origin"]) or row["file"] or "a file", 160)
    return said if len(said) <= _FROM else f"{said[: _FROM - 1]}…"


_ENDS: list[Column] = [
    ("date", False, "basis"), ("checked", False, _checked), ("from", False, _came_from),
]  # fmt: skip
_STARTS: list[Column] = [
    ("release", False, "release"),
    ("months", False, lambda row: f"{row['first_month']}..{row['last_month']}"),
]
#: Columns of the releases of each data set.
RELEASES: dict[str, list[Column]] = {
    STATES: [
        *_STARTS,
        ("US, last", True, lambda row: "-" if row["us_last"] is None else f"{row['us_last']:,.0f}"),
        *_ENDS,
    ],
    COUNTIES: [
        *_STARTS,
        ("counties", True, lambda row: f"{row['counties']:,}"),
        ("hidden", True, lambda row: f"{row['hidden_last']:,}"),
        *_ENDS,
    ],
}


def log_answer(store: Archive) -> Answer:
    """What happened to the releases of an archive."""
    found = store.log
    rows = found.assign(release=found["release"].astype(str)).to_dict("records")
    lines = []
    for row in rows:
        of = "" if row["dataset"] == STATES else f"  {row['dataset']}"
        head = f"{row['at'] or '-':<20}  {row['event']:<11}  {row['release']}"
        lines.append(f"{head}  {row['data_hash']}{of}")
        why = str(row["reason"])
        if len(why) > _REASON:
            why = f"{why[:_REASON]}… (whole with --json)"
        lines += [wrapped(f"    {text}", indent="    ") for text in (row["file"], why) if text]
    if found.empty:
        click.echo("nothing has happened yet: the archive is empty", err=True)
    return Answer("\n".join(lines), rows)


def donors_answer(store: Archive, as_json: bool) -> Answer:
    """The releases that a delay can be taken from: the archive's, and those that ship."""
    from odforecast.panel import ERAS
    from odforecast.vintage.donors import gathered, linked, shipped

    own, left_out = gathered(store)
    held = {d.release for d in own}
    found = linked([*own, *(d for d in shipped() if d.release not in held)])
    rows = [_donor_row(d, "archive" if d.release in held else "shipped") for d in found]
    if as_json:
        return Answer(data=rows)
    cells = []
    for era in ERAS:
        months = [int(str(d.last_month)[5:7]) for d in found if d.era == era]
        counts = [str(months.count(m) or "-") for m in range(1, 13)]
        cells.append([era, *counts, str(len(months))])
    return Answer(
        "\n".join([
            grid(*cells_of(rows, _DONORS)),
            "\nReleases by the calendar month of their last month:",
            grid(["era", *map(str, range(1, 13)), "all"], cells),
            *(wrapped(f"left out: {day}: {why}", indent="  ") for day, why in left_out.items()),
        ])
    )  # fmt: skip


def _percent(key: str) -> Callable[[Row], str]:
    return lambda row: "-" if row[key] is None else f"{100 * row[key]:.1f}%"


_SHORT = {"predicted": "CDC", "pending": "pending", "all deaths": "deaths"}
_DONORS: list[Column] = [
    ("release", False, "release"), ("era", False, "era"), ("to", False, "last_month"),
    ("open", True, lambda row: str(row["open_months"])), ("missing", True, _percent("missing")),
    ("in last", True, _percent("missing_last_month")),
    ("says", False, lambda row: ", ".join(_SHORT[x] for x in row["says"]) or "nothing"),
    ("from", False, "from"),
]  # fmt: skip


def _donor_row(donor: Donor, origin: str) -> dict[str, Any]:
    us = donor.row(NATION)
    late = np.full(12, np.nan) if us is None else donor.late[us, :12]
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
        "missing": None if us is None else round(float(late.mean()), 5),
        "missing_last_month": None if us is None else round(float(late[0]), 5),
        "says": [name for name, values in told.items() if np.isfinite(values).any()],
        "predecessors": [str(d.release) for d in donor.predecessors],
        "data_hash": donor.data_hash,
        "from": origin,
    }


# Past copies, and versions in a repository


def counted(statuses: Iterable[str]) -> str:
    """What became of copies or versions, counted: ``"3 added, 1 refused"``."""
    counts = Counter(statuses)
    return ", ".join(f"{counts[k]} {words}" for k, words in _COUNTED.items() if counts[k])


def copy_row(copy: Copy, here: str) -> Row:
    """A listed copy of a past release, as JSON can hold it."""
    return {
        "release": str(copy.release),
        "basis": copy.basis if copy.settled or copy.basis == "known" else "guess",
        "last_month": copy.last_month,
        "check": copy.check or "structure",
        "here": here,
        "repository": copy.repository,
        "commit": copy.commit,
        "path": copy.path,
        "note": copy.note,
    }


def version_row(outcome: Outcome) -> Row:
    """What became of a version in a repository."""
    copy, result = outcome.copy, " ".join(outcome.words.split())
    return {"commit": copy.commit, "day": str(copy.release), "release": str(outcome.release or "-"),
            "result": result}  # fmt: skip


_COMMIT: list[Column] = [("commit", False, lambda row: row["commit"][:10]), ("day", False, "day")]
COPIES: list[Column] = [
    ("release", False, "release"), ("last month", False, "last_month"), ("date", False, "basis"),
    ("check", False, "check"), ("here", False, "here"),
    ("copy", False, lambda row: plain(f"{row['repository']}: {row['path']}", 160)),
]  # fmt: skip
VERSIONS: list[Column] = [*_COMMIT, ("here", False, "here"), ("file", False, "path")]
TRIED: list[Column] = [*_COMMIT, ("release", False, "release"), ("result", False, "result")]


# Flags


def flags_of(found: Seen, locations: str) -> list[Flag]:
    """What misleads people in a release, of some places."""
    from odforecast.vintage.quality import check

    flags = check(found.table, found.before, found.states)
    if locations == "all":
        return flags
    places = resolve(locations)
    if found.dataset == COUNTIES:
        # A state is checked with its counties: flags on either bear on it.
        places += tuple(s for p in places if not p.isdigit() for s in resolve(f"{p}/*"))
    return [f for f in flags if f.location in places]


def show_flags(found: Seen, flags: Sequence[Flag]) -> None:
    """Flags by severity, under a line on the release."""
    from odforecast.vintage.quality import SEVERITIES

    against = f", against that of {found.earlier}" if found.earlier else ""
    of = " of counties" if found.dataset == COUNTIES else ""
    click.echo(f"release {found.date}{of}, {len(found.table):,} rows{against}")
    width = max((len(f.location) for f in flags), default=0)
    for severity in SEVERITIES:
        some = [f for f in flags if f.severity == severity]
        if some:
            click.echo(f"\n{len(some)} {severity}{'s' * (len(some) > 1)}")
        for flag in some:
            text = f"  {flag.location:<{max(3, width)}} {flag.month or '':<8} {flag.code}: "
            click.echo(wrapped(text + flag.message, indent=" " * 15))
    if not flags:
        click.echo("nothing to flag")


# Revisions


def first_and_newest(table: pd.DataFrame) -> pd.DataFrame:
    """A row per month: first count and release, newest count and release, how many there are."""
    rows = []
    for month in table.columns:
        known = table[month].dropna()
        rows.append(
            {
                "month": pd.Timestamp(month),
                "first_release": f"{known.index[0]:%Y-%m-%d}",
                "first": known.iloc[0],
                "newest_release": f"{known.index[-1]:%Y-%m-%d}",
                "newest": known.iloc[-1],
                "releases": len(known),
            }
        )
    return pd.DataFrame(rows)


def revisions_text(
    found: Revisions, place: str, months: pd.DataFrame, curve: pd.DataFrame, last: int
) -> str:
    """A row per month, and one per age."""
    heads = ["month", "first in", "age", "count", "newest in", "count", "change", "%", "n"]
    rows = months.iloc[-last if last else 0 :].to_dict("records")
    lines = [
        wrapped(f"{place}, {found.indicator}, 12 months ending, as reported"),
        wrapped(f"{len(found.releases)} releases, {found.releases[0]} to {found.releases[-1]}"),
        "\n" + grid(heads, [_revision_cells(row) for row in rows]),
    ]
    if curve.empty:
        return "\n".join([*lines, "\nno count has a later release to compare with"])
    ages = [
        [f"{age:.0f}", f"{n:.0f}", *(f"{100 * x:.1f}" for x in shares)]
        for age, n, *shares in curve[["age", "n", "low", "median", "high"]].to_numpy().tolist()
    ]
    title = f"\nCompleteness: % of the count in release {found.releases[-1]}\n"
    return "\n".join([*lines, title, grid(["age", "counts", "5%", "median", "95%"], ages, left=0)])


def _revision_cells(row: Mapping[Any, Any]) -> tuple[str, ...]:
    first, newest, month = row["first"], row["newest"], row["month"]
    begin = pd.Timestamp(row["first_release"])
    age = (begin.year - month.year) * 12 + begin.month - month.month
    change = share = "-"  # one release: nothing is known of its revision
    if row["releases"] > 1:
        change = f"{newest - first:+,.0f}"
        share = f"{100 * (newest / first - 1):+.2f}" if first else "-"
    return (
        f"{month:%Y-%m}", row["first_release"], str(age), f"{first:,.0f}",
        row["newest_release"], f"{newest:,.0f}", change, share, str(row["releases"]),
    )  # fmt: skip


def differences_text(found: pd.DataFrame, a: str, b: str, last: int) -> str:
    """What release B reports differently from release A: counted, and the newest changes."""
    kinds = found["kind"].value_counts()
    counts = ", ".join(f"{kinds[k]:,} counts {k}" for k in kinds.index)
    text = f"{b} against {a}: {counts or 'no difference'}"
    changed = found[found["kind"] == "changed"].dropna(subset=["change"])
    if changed.empty:
        return text
    down = int((changed["change"] < 0).sum())
    shown = changed.sort_values("month", kind="stable").iloc[-last if last else 0 :]
    several = len(set(shown["indicator"])) > 1
    rows = [
        [str(row["state"]), f"{row['month']:%Y-%m}", f"{row['reported_a']:,.0f}",
         f"{row['reported_b']:,.0f}", f"{row['change']:+,.0f}", f"{row['percent']:+.2f}",
         *([str(row["indicator"])[:_NAME]] if several else [])]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    lines = [text, f"{len(changed) - down:,} went up, {down:,} went down\n"]
    if not several:
        lines.append(f"{shown['indicator'].iloc[0]}\n")
    heads = ["", "month", a, b, "change", "%", *(["indicator"] if several else [])]
    lines.append(grid(heads, rows, left=2))
    if len(shown) < len(changed):
        lines.append(f"... and {len(changed) - len(shown):,} more (--last 0, --out, --json)")
    return "\n".join(lines)
